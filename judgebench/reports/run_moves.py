"""What moved between two runs on a benchmark: metrics, answers, and the verdicts that flipped."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from judgebench.metrics.balanced import Balance
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.paired import (
    METRIC_OF,
    PairedDifference,
    as_numbers,
    before_and_after,
)
from judgebench.metrics.win_rate import NEAR, outcome
from judgebench.records import HUMAN
from judgebench.reports.board_data import IMPORTED
from judgebench.reports.boards import Columns, Meant
from judgebench.reports.run_counterparts import Counterparts, Matched
from judgebench.reports.run_side import AnswerPlace, Side
from judgebench.store.catalog import StoredJudge, StoredModel

Models = Counterparts[StoredModel]
Judges = Counterparts[StoredJudge]
_Place = tuple[str, int, int]  # item, sample, turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """Of the verdicts that both runs have, how many say something else, and on which answers.

    A label flips to another label, a comparison to another winner; a score flips when it is another
    number. ``same`` flipped on equal answers, so that it was the judge who moved; ``changed`` on
    answers of which one at least differs; ``unknown`` where the store lacks an answer.
    ``unreadable`` says how many of them could not be read in the first run, and in the second.
    """

    verdicts: int
    same: int
    changed: int
    unknown: int
    unreadable: tuple[int, int]

    @property
    def flipped(self) -> int:
        return self.same + self.changed + self.unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One model before one judge, in both runs.

    metric
        What its board ranks by: ``accuracy``, ``score`` or, in percent, ``win_rate``.
    opponent
        Whose answers the model's are compared with; None where it stands alone.
    items
        How many items both runs have of this benchmark, the first alone, and the second alone.
    answers, answers_differ
        Answers that both runs judged and that can be compared, and those of them that differ. Those
        of the opponent are not counted.
    """

    benchmark: str
    version: str
    judge: Judges
    model: Models
    opponent: Models | None
    metric: str
    items: tuple[int, int, int]
    found: PairedDifference
    answers: int
    answers_differ: int
    flips: Flips

    @property
    def anything(self) -> bool:
        """Whether anything is not as it was."""
        return bool(
            self.flips.flipped
            or self.answers_differ
            or self.found.difference.value
            or self.flips.unreadable[0] != self.flips.unreadable[1]
        )


def moves(
    which: Meant,
    first: Side,
    second: Side,
    models: Matched[StoredModel],
    judges: Matched[StoredJudge],
    *,
    categories: Mapping[str, str],
    intervals: Intervals,
) -> Iterator[Moved]:
    """Every model before every judge that both runs have, in order of their names.

    ``categories`` are those of the items, for benchmarks whose categories count equally.
    """
    opponents = {pair.second.id: pair for pair in models.both}
    for kind, after in second.boards.items():
        opponent = None if kind.opponent is None else opponents.get(kind.opponent)
        known = kind.opponent if opponent is None else opponent.first.id
        before = first.boards.get(BoardKind(kind.kind, known))
        if before is None or (kind.opponent is not None and opponent is None):
            continue
        shared = set(before["item_id"]) & set(after["item_id"])
        alone = [len(set(one["item_id"]) - shared) for one in (before, after)]
        balance = None
        if kind.kind == "score" and which.sides:
            balance = Balance(category_of=categories, sides=which.sides)
        for judge, model, one, other in _pairs(models, judges, _by_who(before), _by_who(after)):
            texts = _Texts(
                (first, second), (one, other), judge=judge, model=model, opponent=opponent
            )
            differ = texts.differ()
            yield Moved(
                benchmark=which.name,
                version=which.version,
                judge=judge,
                model=model,
                opponent=opponent,
                metric=METRIC_OF[kind.kind],
                items=(len(shared), alone[0], alone[1]),
                found=before_and_after(
                    one, other, shared, kind, judge.label,
                    labels=which.labels, balance=balance, units=first.contents, intervals=intervals,
                ),
                answers=len(differ),
                answers_differ=sum(differ),
                flips=_flips(which, kind, (one, other), texts),
            )  # fmt: skip


def _pairs(
    models: Matched[StoredModel],
    judges: Matched[StoredJudge],
    before: Mapping[tuple[str, str], Columns],
    after: Mapping[tuple[str, str], Columns],
) -> Iterator[tuple[Judges, Models, Columns, Columns]]:
    """The verdicts of every judge on every model that both runs have."""
    for judge in judges.both:
        for model in models.both:
            one = before.get((judge.first.id, model.first.id))
            other = after.get((judge.second.id, model.second.id))
            if one is not None and other is not None:
                yield judge, model, one, other


def _by_who(columns: Columns) -> dict[tuple[str, str], Columns]:
    """The rows of each judge and model, by their ids."""
    rows: dict[tuple[str, str], list[int]] = {}
    said = zip(columns["judge_id"], columns["model_id"], strict=True)
    for row, who in enumerate(said):
        rows.setdefault(who, []).append(row)
    return {
        who: {name: [values[row] for row in its] for name, values in columns.items()}
        for who, its in rows.items()
    }


def _says(which: Meant, kind: BoardKind, columns: Columns) -> list[Any]:
    """What each verdict says, equal where none has flipped; None where it is unreadable."""
    if kind.kind == "label":
        return [
            label if said == "label" and label in which.labels else None
            for said, label in zip(columns["kind"], columns["label"], strict=True)
        ]
    values = as_numbers(columns, kind, which.labels)[0]
    shown = outcome(values) if kind.kind == "preference" else values
    return [None if math.isnan(value) else float(value) for value in shown]


class _Texts:
    """Which answers of a model, and of whom it was compared with, differ between two runs."""

    def __init__(
        self, sides: tuple[Side, Side], judged: tuple[Columns, Columns], *, judge: Judges,
        model: Models, opponent: Models | None,
    ) -> None:  # fmt: skip
        self.sides, self.model, self.opponent = sides, model, opponent
        before, after = map(_cases, judged)
        self.both = before.keys() & after.keys()
        self.same_case = {place for place in self.both if before[place] & after[place]}
        kinds = {judge.first.spec.kind, judge.second.spec.kind}
        self.seen = kinds.isdisjoint((HUMAN, IMPORTED))  # what others judged, nobody here has seen

    def differ(self) -> list[bool]:
        """Of the answers that both runs judged, whether each differs, where that is known."""
        told = (self._differs(self.model, place) for place in self.both)
        return [differs for differs in told if differs is not None]

    def compared(self, place: _Place) -> bool | None:
        """Whether any answer that the judge saw differs; None where one is not in the store."""
        told = [self._differs(self.model, place)]
        if self.opponent is not None:
            told.append(self._differs(self.opponent, place))
        return True if True in told else None if None in told else False

    def _differs(self, who: Models, place: _Place) -> bool | None:
        at = AnswerPlace(who.first.id, *place), AnswerPlace(who.second.id, *place)
        before, after = (side.answers.get(one) for side, one in zip(self.sides, at, strict=True))
        known = before is not None and after is not None
        if place in self.same_case and (known or self.seen):
            return False
        if before is None or after is None:
            return None
        if (before.text, before.status) != (after.text, after.status):
            return True
        # Equal as far as time tells; but of several, judges saw different ones.
        return any(one in side.several for side, one in zip(self.sides, at, strict=True))


def _cases(columns: Columns) -> dict[_Place, set[bytes]]:
    """The keys of what the judge saw of each answer, in whatever order it was shown."""
    found: dict[_Place, set[bytes]] = {}
    names = ("item_id", "sample", "turn", "case")
    for *place, case in zip(*(columns[name] for name in names), strict=True):
        found.setdefault((place[0], place[1], place[2]), set()).add(case)
    return found


def _flips(which: Meant, kind: BoardKind, judged: tuple[Columns, Columns], texts: _Texts) -> Flips:
    names = ("item_id", "sample", "turn", "order", "repeat")
    before, after = (
        dict(
            zip(
                zip(*map(one.__getitem__, names), strict=True), _says(which, kind, one), strict=True
            )
        )
        for one in judged
    )
    both = before.keys() & after.keys()
    flipped = Counter(
        texts.compared(place[:3]) for place in both if _differ(before[place], after[place])
    )
    return Flips(
        verdicts=len(both),
        same=flipped[False],
        changed=flipped[True],
        unknown=flipped[None],
        unreadable=(
            sum(before[place] is None for place in both),
            sum(after[place] is None for place in both),
        ),
    )


def _differ(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return False
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) > NEAR
    return bool(one != other)
