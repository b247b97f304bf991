"""Answers and judgments of MT-Bench, as FastChat writes them: scores, and games between two.

A line of a score file has ``model`` and ``score`` (1 to 10, -1 where none was read) of one turn. A
line of a pair file has ``model_1`` and ``model_2`` and who won each game: the first with the answer
of ``model_1`` shown first, the second with the other. The judge is known by its model, since its
prompts differ by kind of question and turn. A line of votes has ``model_a``, ``model_b`` and the
``winner``; experts are people, and authors, who are none to the paper, keep their own name.

A file of answers has ``model_id`` and ``choices``. Its names are no models: where a file of scores
says that a row is of a second sample, that is another run, and called ``NAME (run 2)``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from judgebench.exchange.pipeline import At, Import, files_in, judge_name, name, told
from judgebench.exchange.tables import VerdictAt, VerdictRow, checked, read_response_files, row_of
from judgebench.records import HUMAN, Item, Order, Preference, Reply, Score, Unreadable, Verdict
from judgebench.responses.from_file import read_answer_rows
from judgebench.rows import Layout, Row, each_row, with_required

BENCHMARK = "mt_bench"
LOW, HIGH = 1.0, 10.0
NO_SCORE = -1

NOT_READ = "FastChat read no verdict from the reply"

GAMES: Mapping[str, float | None] = {"model_1": 1.0, "model_2": 0.0, "tie": 0.5, "error": None}
VOTES: Mapping[str, float | None] = {
    "model_a": 1.0, "model_b": 0.0, "tie": 0.5, "tie (inconsistent)": 0.5
}  # fmt: skip
"""What the first of two models has won, by who is named; None where that was not read.

An inconsistent tie: the judge said something else in the other order.
"""

EXPERT = "expert_"


def read_mt_bench(paths: Sequence[Path], **said: Any) -> list[Import]:
    """Read files of scores or games, or folders of them; returned with each is what stores it.

    Parameters
    ----------
    said
        As `pipeline.told` takes it.

    Raises
    ------
    InputError
        Naming the line and field of what cannot be used.
    """
    asked = told(BENCHMARK, **said)
    at = asked.at
    answers: list[Path] = []
    read: list[tuple[Path, list[VerdictRow]]] = []
    for path in files_in(paths, (".jsonl", ".json", ".parquet")):
        rows = each_row(path, ("question_id",))
        first = next(rows)
        if first.has("choices"):
            answers.append(path)
        else:
            read.append((path, list(_read(chain([first], rows), at))))
    about = Layout(given=dict(zip(("benchmark", "version"), at, strict=True)))
    found = [
        *read_response_files(
            answers,
            layout=about,
            known_items=asked.items_of,
            allow_unknown_items=asked.known is None,
        ),
        *checked("mt-bench", read, asked.known),
    ]
    items = asked.items_of(*at)
    if not items:
        return found
    given = [
        *(
            (n, ("", one.model or ""), one.row, one.item_id, one.turn)
            for n, path in enumerate(answers)
            for one in read_answer_rows(path)
        ),
        *(
            (n, (one.where.judge, _who(one)), one.row, one.where.item_id, one.where.turn)
            for n, (_, rows) in enumerate(read, len(answers))
            for one in rows
        ),
    ]
    file_of: dict[tuple[str, str], int] = {}
    there: dict[tuple[str, str], set[tuple[int, str]]] = {}
    for n, of, row, item, turn in given:
        if item in items and turn >= (turns := items[item].n_answers):
            raise row.wrong("turn", f"question {item} has {turns} turns, and this is of a further")
        file_of.setdefault(of, n)
        there.setdefault(of, set()).add((turn, item))
    lacking: dict[int, list[str]] = {}
    for of in sorted(one for one in there if one[1]):
        lacking.setdefault(file_of[of], []).extend(_lacking(of[1], there[of], items.values()))
    return [one.with_warnings(*lacking.get(n, ())) for n, one in enumerate(found)]


def _who(row: VerdictRow) -> str:
    """A model, or two in both orders; nobody of whom not everything is expected, as of a vote."""
    model, opponent = row.where.model, row.where.opponent
    if opponent is None:
        return model
    return "" if row.where.order == "single" else f"{model} against {opponent}"


def _lacking(
    who: str, there: Collection[tuple[int, str]], items: Collection[Item]
) -> Iterator[str]:
    """What is missing of somebody's, by turn: a run that was killed leaves no other trace."""
    for turn in range(max(item.n_answers for item in items)):
        n = sum((turn, item.id) in there for item in items)
        if n < len(items):
            yield f"{who}, turn {turn + 1}: {n} of {len(items)} questions are here"


def _read(rows: Iterable[Row], at: At) -> Iterator[VerdictRow]:
    for row in (with_required(one, ("judge",)) for one in rows):
        between = _is_vote(row) or row.has("model_1") or row.has("model_2")
        yield from (_games if between else _score)(row, at)


def _is_vote(row: Row) -> bool:
    return row.has("model_a") or row.has("model_b")


def _score(row: Row, at: At) -> Iterator[VerdictRow]:
    model, run = name(row, "model"), row.whole("sample")
    where = _where(row, at, model=f"{model} (run {run + 1})" if run else model, judge=_judge(row))
    value = row.values.get("score")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise row.wrong("score", f"a number has to stand here, not {value!r:.60}")
    verdict: Verdict = Unreadable(reason=NOT_READ)
    if value != NO_SCORE:  # 0 and 11 are scores to FastChat, whose judges are told 1 to 10
        if (score := row.number("score")) < 0:
            raise row.wrong("score", f"a score that FastChat reads is at least 0, not {score:g}")
        verdict = Score(value=score, low=LOW, high=HIGH)
    yield row_of(row, where, verdict, _reply(row, "judgment"))


def _games(row: Row, at: At) -> Iterator[VerdictRow]:
    """Games in both orders; one whose scores were compared, and a vote, were shown in none."""
    voted = _is_vote(row)
    sides, known = (("model_a", "model_b"), VOTES) if voted else (("model_1", "model_2"), GAMES)
    model, opponent, judge = *(name(row, side) for side in sides), _judge(row)
    if model == opponent:
        raise row.wrong(sides[1], f"{model!r} cannot be its own opponent")
    if voted and judge.startswith(EXPERT):
        judge = f"{HUMAN}/{judge}"
    games: tuple[tuple[str, str, Order], ...] = (
        ("g1_winner", "g1_judgment", "model_first"),
        ("g2_winner", "g2_judgment", "opponent_first"),
    )
    if voted or row.has("m1_score"):
        games = (("winner" if voted else "g1_winner", "", "single"),)
    for field, judgment, order in games:
        where = _where(row, at, model=model, judge=judge, opponent=opponent, order=order)
        won = known[row.one_of(field, "winner", known)]
        verdict: Verdict = Unreadable(reason=NOT_READ)
        if won is not None:
            verdict = Preference.from_probability(1.0 - won if order == "opponent_first" else won)
        yield row_of(row, where, verdict, _reply(row, judgment))


def _judge(row: Row) -> str:
    """``[model, prompt]``, or the model alone."""
    said = row.values.get("judge")
    if isinstance(said, list) and said:
        said = said[0]
    return judge_name(Row(row.where, {"judge": said}))


def _where(row: Row, at: At, **about: Any) -> VerdictAt:
    turn = row.whole("turn", 1)
    if turn == 0:
        raise row.wrong("turn", "turns are counted from 1")
    return VerdictAt(
        benchmark=at[0], version=at[1], item_id=name(row, "question_id"), turn=turn - 1, **about
    )


def _reply(row: Row, field: str) -> Reply | None:
    said = row.values.get(field)
    return Reply(text=said) if isinstance(said, str) and said else None
