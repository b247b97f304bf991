"""One of two runs that are compared: what it judged of a benchmark, and the answers it judged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from judgebench.columns import taken as rows_of
from judgebench.metrics.board_kinds import BoardKind, by_board
from judgebench.records import CONFIDENCES, RunManifest
from judgebench.reports.boards import Columns, Meant, where


class AnswerPlace(NamedTuple):
    """Where an answer stands within a benchmark."""

    model_id: str
    item_id: str
    sample: int
    turn: int


class Answer(NamedTuple):
    """What a model answered: the final text, how it ended, and what it was made with."""

    text: str
    status: str
    stack: str | None


@dataclass(frozen=True, slots=True)
class Side:
    """A run's verdicts on one benchmark.

    boards
        By what is said and, under its id, of comparisons with whom. How sure models are of their
        answers is no board, and left out.
    answers
        The answers that were judged, where the store has them.
    left_out
        How many verdicts are on no board.
    several
        Places with several texts in the store, of which the newest of the run's time was taken.
    contents
        What each item is but for its id; None where only the id is known.
    """

    manifest: RunManifest
    verdicts: Columns
    boards: Mapping[BoardKind, Columns]
    left_out: int
    answers: Mapping[AnswerPlace, Answer] = field(repr=False)
    several: frozenset[AnswerPlace] = field(repr=False)
    contents: Mapping[str, str | None] = field(repr=False)

    @property
    def models(self) -> set[str]:
        """The ids of those who answered, or were compared with."""
        return {*self.verdicts["model_id"], *self.verdicts["opponent_id"]} - {None}

    @property
    def judges(self) -> set[str]:
        return set(self.verdicts["judge_id"])

    @property
    def items(self) -> set[str]:
        return set(self.verdicts["item_id"])

    def stacks(self, model_id: str) -> list[str]:
        """What a model's answers were made with."""
        found = {
            answer.stack
            for place, answer in self.answers.items()
            if place.model_id == model_id and answer.stack is not None
        }
        return sorted(found)

    def served(self, judge_id: str) -> list[str]:
        """The models that served a judge's replies."""
        said = zip(self.verdicts["judge_id"], self.verdicts["served_model"], strict=True)
        return sorted({served for judge, served in said if judge == judge_id and served})


def side(
    run: RunManifest,
    which: Meant,
    verdicts: Columns,
    answers: Columns,
    contents: Mapping[str, str | None],
) -> Side:
    """What a run judged of a benchmark.

    Parameters
    ----------
    verdicts
        Those of the run, as `Store.run_verdicts` gives them.
    answers
        Those of the benchmark, as `Store.responses_table` gives them.
    contents
        What each item is, as `Store.item_contents` says: equal ones are one question.
    """
    counted = where(verdicts, _on_boards(verdicts, which))
    boards = by_board({**counted, "judge": counted["judge_id"], "opponent": counted["opponent_id"]})
    taken, several = _answers_of(run, answers, verdicts)
    return Side(
        run,
        verdicts,
        {
            kind: {name: rows_of(values, rows) for name, values in counted.items()}
            for kind, rows in boards.items()
        },
        len(verdicts["item_id"]) - len(counted["item_id"]),
        taken,
        several,
        contents,
    )


def _on_boards(verdicts: Columns, which: Meant) -> Iterator[bool]:
    for kind, sample in zip(verdicts["judge_kind"], verdicts["sample"], strict=True):
        yield kind not in CONFIDENCES and not (which.first_only and sample)


def _answers_of(
    run: RunManifest, answers: Columns, verdicts: Columns
) -> tuple[dict[AnswerPlace, Answer], frozenset[AnswerPlace]]:
    """Of several answers at one place the newest that was there when the run ended.

    Which one a run took is not recorded: it never mixes stacks, and takes the newest it can have.
    """
    wanted: set[Any] = set()
    for who in ("model_id", "opponent_id"):
        wanted.update(
            zip(*(verdicts[name] for name in (who, "item_id", "sample", "turn")), strict=True)
        )
    ended = math.inf if run.ended is None else run.ended
    found: dict[AnswerPlace, tuple[tuple[bool, float], Answer]] = {}
    texts: dict[AnswerPlace, set[tuple[str, str]]] = {}
    names = ("model_id", "item_id", "sample", "turn", "text", "status", "stack", "at")
    for *place, text, status, stack, at in zip(*(answers[name] for name in names), strict=True):
        there = AnswerPlace(*place)
        if there not in wanted:
            continue
        texts.setdefault(there, set()).add((text, status))
        rank = (at <= ended, at if at <= ended else -at)
        if there not in found or rank > found[there][0]:
            found[there] = rank, Answer(text, status, stack)
    return (
        {place: answer for place, (_, answer) in found.items()},
        frozenset(place for place, said in texts.items() if len(said) > 1),
    )
