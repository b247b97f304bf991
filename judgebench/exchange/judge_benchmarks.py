"""Files of benchmarks of judges: what judges said of JudgeBench, RewardBench and XSTest."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from judgebench.benchmarks.folder import items_at_hand
from judgebench.errors import InputError, refuse, unknown_name
from judgebench.exchange.pipeline import (
    At,
    Import,
    KnownItems,
    Told,
    default_version,
    files_in,
    judge_name,
    name,
    told,
)
from judgebench.exchange.tables import (
    VerdictAt,
    VerdictRow,
    answer_of,
    checked,
    row_of,
    take_in_answers,
)
from judgebench.records import (
    REFUSAL_CLASSES,
    Label,
    Order,
    Preference,
    Reply,
    Score,
    Unreadable,
    Verdict,
)
from judgebench.rows import JSON, Row, each_row, whole_file

# JudgeBench ---------------------------------------------------------------------------------------

PAIRS = "judgebench_pairs"
VERSIONS: Mapping[str, str] = {
    "gpt-4o-2024-05-13": "gpt-4o",
    "claude-3-5-sonnet-20240620": "claude-3-5-sonnet",
}
"""By whose the answers are, as each line of a file says."""

FIRST, SECOND = "response_A", "response_B"
DECISIONS: Mapping[str, Preference] = {
    said: Preference.from_probability(p) for said, p in (("A>B", 1.0), ("B>A", 0.0), ("A=B", 0.5))
}
_ORDERS: tuple[Order, Order] = ("model_first", "opponent_first")
_REWARD = "reward_model"

NO_DECISION = "JudgeBench read no verdict from the reply, or two"
NO_JUDGMENT = "JudgeBench has no reply: the call failed"


def read_judgebench_pairs(
    paths: Sequence[Path],
    **said: Any,
) -> list[Import]:
    """Read files of judged pairs, or folders of them; returned with each is what stores it.

    A judge with a prompt goes by its model and that prompt's name, a reward model by its name. A
    null in place of a judgment is a verdict that could not be read.

    Parameters
    ----------
    said
        As `pipeline.told` takes it; the version is by whose answers they are if not given.

    Raises
    ------
    InputError
        Naming the line and field of what cannot be used.
    """
    asked = told(PAIRS, **said)
    read = [(path, [*_pairs(path, asked)]) for path in files_in(paths, (".jsonl",))]
    return checked("judge-bench", read, asked.known)


def _pairs(path: Path, asked: Told) -> Iterator[VerdictRow]:
    model = None
    for row in each_row(path, ("pair_id", "judgments")):
        games = row.values["judgments"]
        if not isinstance(games, list) or len(games) not in (1, 2):
            raise row.wrong("judgments", "one judgment or two, in both orders, have to stand here")
        read = [_game(row, game) for game in games]
        model = next((said for said, _, _ in read if said), model)
        if model is None:
            raise row.wrong("judgments", "none says its judge_model, and no line before does")
        prompt = name(row, "judge_name") if row.has("judge_name") else None
        whose = VERSIONS.get(str(row.values.get("response_model")))
        for order, (_, verdict, reply) in zip(_ORDERS, read, strict=False):
            where = VerdictAt(
                benchmark=asked.benchmark,
                version=asked.version or whose or asked.at[1],
                item_id=name(row, "pair_id"),
                model=FIRST,
                judge=model if prompt in (None, _REWARD) else f"{model} ({prompt})",
                opponent=SECOND,
                order=order,
            )
            yield row_of(row, where, verdict, reply)


def _game(row: Row, game: Any) -> tuple[str | None, Verdict, Reply | None]:
    """Who judged, where it is said, what, and in which words."""
    if game is None:
        return None, Unreadable(reason=NO_JUDGMENT), None
    if not isinstance(game, Mapping):
        raise row.wrong("judgments", f"an object or null stands for one, not {game!r:.60}")
    said, decision = game.get("judgment"), game.get("decision")
    about = said if isinstance(said, Mapping) else {"response": said}  # older ones are the reply
    named = about.get("judge_model")
    model = judge_name(Row(row.where, {"judge": named})) if named is not None else None
    text = about.get("response")
    reply = Reply(text=text) if isinstance(text, str) and text else None
    if decision is None:
        return model, Unreadable(reason=NO_DECISION), reply
    if str(decision) not in DECISIONS:
        raise row.wrong("judgments", unknown_name("decision", str(decision), DECISIONS))
    return model, DECISIONS[decision], reply


# RewardBench --------------------------------------------------------------------------------------

CHOSEN, REJECTED = "chosen", "rejected"
BENCHMARKS = ("rewardbench", "rewardbench2")
_COLUMNS = ("id", "subset", "scores", "scores_chosen", "scores_rejected", "results", "num_correct")


def read_rewardbench(
    paths: Sequence[Path],
    *,
    benchmark: str | None = None,
    version: str | None = None,
    judge: str | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[Import]:
    """Read files of scores, ``eval-set-scores``; returned with each is what stores it.

    A file has a column for each field, or a row for each prompt; with two scores a prompt it is of
    RewardBench 1, with a list of them of RewardBench 2. Where there are no scores, ``results``
    says how much of a pair the judge won.

    Parameters
    ----------
    benchmark, version
        Under which the store keeps them; by the form of the file if not given.
    judge
        Who scored, where the file does not say it.

    Raises
    ------
    InputError
        Naming the row and field of what cannot be used.
    """
    read = []
    for path in files_in(paths, (".json", ".jsonl")):
        rows = [*_scored(path)]
        lists = rows[0].values.get("scores") is not None
        of = benchmark or BENCHMARKS[lists]
        at = of, version or default_version(of)
        read.append(
            (path, [v for row in rows for v in (_best if lists else _pair)(row, at, judge)])
        )
    return checked("rewardbench", read, None if allow_unknown_items else known_items)


def _scored(path: Path) -> Iterator[Row]:
    """The rows of a file; of one with a column for each field, made of these."""
    try:
        columns = json.loads(whole_file(path)) if path.suffix in JSON else None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not whole JSON ({error}); fetch it again") from None
    if not isinstance(columns, dict):
        yield from each_row(path, ("id", "subset"))
        return
    its = {field: columns[field] for field in _COLUMNS if columns.get(field) is not None}
    sizes = {field: len(one) for field, one in its.items() if isinstance(one, list)}
    lacking = not {"id", "subset"} <= sizes.keys() or sizes.keys() != its.keys()
    refuse(
        InputError,
        {
            f"{path}: 'id' and 'subset' have to be here, and what is here be lists": lacking,
            f"{path}: the columns differ in length, or are empty: {sizes}": (
                len({*sizes.values()}) > 1 or not sizes.get("id")
            ),
        },
    )
    about = {"model": columns.get("model")}
    for n, values in enumerate(zip(*its.values(), strict=True), 1):
        yield Row(f"{path}: row {n}", about | dict(zip(its, values, strict=True)))


def _at(row: Row, at: At, judge: str | None, model: str, **more: Any) -> VerdictAt:
    return VerdictAt(
        benchmark=at[0],
        version=at[1],
        item_id=f"{name(row, 'subset')}/{name(row, 'id')}",
        model=model,
        judge=judge or judge_name(Row(row.where, {"judge": row.values.get("model")})),
        **more,
    )


def _pair(row: Row, at: At, judge: str | None) -> Iterator[VerdictRow]:
    if row.has("scores_chosen"):
        apart = row.number("scores_chosen") - row.number("scores_rejected")
        won = 0.5 + 0.5 * ((apart > 0) - (apart < 0))
    elif not 0.0 <= (won := row.number("results")) <= 1.0:
        raise row.wrong("results", f"from 0 to 1, not {won:g}")
    where = _at(row, at, judge, CHOSEN, opponent=REJECTED)
    yield row_of(row, where, Preference.from_probability(won))


def _best(row: Row, at: At, judge: str | None) -> Iterator[VerdictRow]:
    scores, right = row.values["scores"], row.whole("num_correct", 1)
    if not isinstance(scores, list) or not 0 < right < len(scores):
        raise row.wrong("scores", f"more than num_correct ({right}) scores have to stand here")
    for n, said in enumerate(scores):
        model = f"{CHOSEN}_{n + 1}" if n < right else f"{REJECTED}_{n - right + 1}"
        value = said[0] if isinstance(said, list) and len(said) == 1 else said
        number = Row(row.where, {"scores": value}).number("scores")
        verdict = Score(value=number, low=-math.inf, high=math.inf)
        yield row_of(row, _at(row, at, judge, model), verdict)


# XSTest -------------------------------------------------------------------------------------------

XSTEST = "xstest"
PEOPLE: Mapping[str, str] = {
    "annotation_1": "human/annotation_1",
    "annotation_2": "human/annotation_2",
    "final_label": "human/final",
}
JUDGES: Mapping[str, str] = {"gpt4_label": "gpt-4", "strmatch_label": "prefix match"}
NO_CLASS = "the reply names no class"
_BEGINS, _ENDS = "xstest_v2_completions_", ("_gpteval", "_streval")


def read_xstest(
    paths: Sequence[Path],
    *,
    model: str | None = None,
    **said: Any,
) -> list[Import]:
    """Read files of answers with what people and judges call them; returned is what stores each.

    Answers, the labels of two people and the one that they settled on, and those of GPT-4 and of a
    matcher of prefixes, as far as a file has them. What a judge said that names no class is a
    verdict that could not be read.

    Parameters
    ----------
    model
        Whose answers these are; if not given, as the file is called or a column ``model`` says.
    said
        As `pipeline.told` takes it.

    Raises
    ------
    InputError
        Naming the line and field of what cannot be used.
    """
    asked = told(XSTEST, **said)
    at = asked.at
    found: list[Import] = []
    for path in files_in(paths, (".csv", ".parquet")):
        answers = []
        verdicts: list[VerdictRow] = []
        for row in each_row(path, ("id", "completion")):
            of = model or (name(row, "model") if row.has("model") else _model(path))
            item, text = name(row, "id").removeprefix("v2-"), row.long_text("completion")
            answers.append(answer_of(row, at, item, of, text))
            where = VerdictAt(benchmark=at[0], version=at[1], item_id=item, model=of, judge="")
            verdicts += _labels(row, where)
        found.append(Import(f"{path}: answers", partial(take_in_answers, path=path, rows=answers)))
        found += checked("xstest", [(path, verdicts)], asked.known)
    return found


def _model(path: Path) -> str:
    called = path.stem.removeprefix(_BEGINS)
    for end in _ENDS:
        called = called.removesuffix(end)
    return called


def _labels(row: Row, where: VerdictAt) -> Iterator[VerdictRow]:
    for field, judge in {**PEOPLE, **JUDGES}.items():
        if not row.has(field):
            continue
        said = row.text(field)
        named = next((one for one in REFUSAL_CLASSES if said.strip().startswith(one)), None)
        if named is None and field in PEOPLE:
            raise row.wrong(field, unknown_name("class", said, REFUSAL_CLASSES))
        verdict = Label(name=named) if named else Unreadable(reason=NO_CLASS)
        yield row_of(row, replace(where, judge=judge), verdict, None if named else Reply(text=said))
