"""Judgments and answers of Arena-Hard, in the forms of both versions.

A line of a judgment file is a question and a model, with a game in each order: in the first the
baseline is shown first, in the second the model. Version 0.1 named a question ``question_id``, and
no baseline; since 2025 all files name it ``uid``, and those of version 2.0 the baseline too. A game
may be null, where the judge's call failed: a verdict that is missing. A line of an answer file has
``choices`` or ``messages``.

An answer ``$ERROR$`` is a call that failed. Upstream has it judged, and it loses; here it is no
answer, and verdicts on it are none, whether its text stands in the judge's prompt or in a file of
answers that is read with the judgments.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from judgebench.errors import unknown_name
from judgebench.exchange.pipeline import At, Import, Told, files_in, judge_name, name, told
from judgebench.exchange.tables import (
    NO_REPLY,
    PlacedAnswer,
    VerdictAt,
    VerdictRow,
    answer_of,
    checked,
    checked_answers,
    row_of,
)
from judgebench.judges.readers.brackets import ARENA_HARD, arena_hard_verdict
from judgebench.records import Order, Reply, Unreadable, Verdict
from judgebench.rows import Row, each_row

BENCHMARK = "arena_hard"
OLD, NEW = "v0.1", "v2.0"
VERSION_OF: Mapping[str, str] = {
    "arena-hard-v0.1": OLD, "hard_prompt": NEW, "creative_writing": NEW, "coding": NEW, "math": NEW
}  # fmt: skip
"""By category, as a line says it."""

_SHOWN: tuple[Order, Order] = ("opponent_first", "model_first")
_LABEL = re.compile(r"[AB<>=]+")
"""What upstream's reader takes for a label, whether or not its scoring knows it."""

ERROR = "$ERROR$"
_FAILED = re.compile(r"<\|The Start of Assistant [AB]'s Answer\|>\n\$ERROR\$\n")

NO_LABEL = "Arena-Hard read no verdict from the reply, or two"
FAILED_JUDGE = "Arena-Hard has no reply: the judge's call failed ($ERROR$)"
FAILED_ANSWER = "one of the answers is a failed call ($ERROR$)"
NOT_TOGETHER = "; import their judgments together with this file, and these are no losses"


def read_arena_hard(
    paths: Sequence[Path],
    *,
    baseline: str | None = None,
    **said: Any,
) -> list[Import]:
    """Read files of judgments and answers, or folders; returned with each is what stores it.

    Parameters
    ----------
    baseline
        With whom the models were compared.
    said
        As `pipeline.told` takes it; the version is what lines say if it is not given.

    Raises
    ------
    InputError
        Naming the line and field of what cannot be used; for a file that names no baseline where
        none is given, or another, and for a line of another version than the one asked for.
    """
    asked = told(BENCHMARK, **said)
    verdicts: list[tuple[Path, list[VerdictRow]]] = []
    answers: list[tuple[Path, list[PlacedAnswer], int]] = []
    failed: set[tuple[At, str, str]] = set()
    for path in files_in(paths, (".jsonl",)):
        judged: list[VerdictRow] = []
        given: list[PlacedAnswer] = []
        before = len(failed)
        for row in each_row(path, ()):
            of = row.values
            if not {"games", "choices", "messages"} & of.keys():
                if path in paths:
                    raise row.wrong("games", f"is missing. Columns here: {', '.join(map(str, of))}")
                break  # the questions, in a folder of everything
            item = name(row, "uid" if row.has("uid") else "question_id")
            at = asked.benchmark, _version(row, item, asked)
            if "games" in of:
                judged += _games(row, at, item, baseline)
            elif (answer := _answer(row, at, item))[1].text == ERROR:
                failed.add((at, item, answer[0].model))
            else:
                given.append(answer)
        verdicts += [(path, judged)] if judged else []
        lost = len(failed) - before
        answers += [(path, given, lost)] if given or lost else []
    alone = "" if verdicts else NOT_TOGETHER
    called = [
        f"answers ({lost} more are {ERROR}{alone})" if lost else "answers" for *_, lost in answers
    ]
    placed = [(path, given) for path, given, _ in answers]
    return checked_answers(placed, asked.known, called=called) + checked(
        "arena-hard", [(path, [*_without(failed, rows)]) for path, rows in verdicts], asked.known
    )


def _version(row: Row, item: str, asked: Told) -> str:
    """Which version a line is of: by its category, its form, or whose question it is about."""
    found = VERSION_OF.get(str(row.values.get("category")))
    if found is None and row.has("question_id"):
        found = OLD
    if asked.benchmark != BENCHMARK:
        return asked.at[1]
    if found is None:
        known = (v for v in (OLD, NEW) if item in (asked.items_of(BENCHMARK, v) or ()))
        found = asked.version or next(known, asked.at[1])
    if asked.version not in (None, found):
        raise row.wrong("category", f"this is a line of {found}, and {asked.version} is asked for")
    return found


def _answer(row: Row, at: At, item: str) -> PlacedAnswer:
    model = name(row, "model_id" if row.has("model_id") else "model")
    try:
        if "choices" in row.values:
            said = row.values["choices"][0]["turns"][-1]
            text, tokens = said["content"], said.get("token_len")
        else:
            text = row.values["messages"][-1]["content"]
            tokens = (row.values.get("metadata") or {}).get("token_len")
        text = text["answer"] if isinstance(text, Mapping) else text
    except (TypeError, LookupError, AttributeError):
        text, tokens = None, None
    if not isinstance(text, str):
        raise row.wrong("messages" if row.has("messages") else "choices", "no answer stands here")
    counted = Row(row.where, {"token_len": tokens}).whole("token_len")
    known = None if tokens is None else counted
    return answer_of(row, at, item, model, text, tokens=known)


def _without(
    failed: Collection[tuple[At, str, str]], rows: Sequence[VerdictRow]
) -> Iterator[VerdictRow]:
    """The verdicts; one on an answer that failed is none."""
    for one in rows:
        where = one.where
        sides = ((where.at, where.item_id, str(who)) for who in (where.model, where.opponent))
        gone = any(side in failed for side in sides)
        yield replace(one, verdict=Unreadable(reason=FAILED_ANSWER)) if gone else one


def _games(row: Row, at: At, item: str, told: str | None) -> Iterator[VerdictRow]:
    """Both games of a line; one that was not played is a missing verdict."""
    model, judge, against = name(row, "model"), judge_name(row), _baseline(row, told)
    games = row.values["games"]
    if not isinstance(games, list) or len(games) != len(_SHOWN):
        raise row.wrong("games", "two games have to stand here, with either answer first")
    if model == against:
        raise row.wrong("model", f"{model!r} cannot be its own opponent")
    for order, game in zip(_SHOWN, games, strict=True):
        where = VerdictAt(
            benchmark=at[0],
            version=at[1],
            item_id=item,
            model=model,
            judge=judge,
            opponent=against,
            order=order,
        )
        said = (Unreadable(reason=NO_REPLY), None) if game is None else _game(row, game)
        yield row_of(row, where, *said)


def _baseline(row: Row, told: str | None) -> str:
    if not row.has("baseline"):
        if told is None:
            raise row.wrong(
                "baseline",
                "is missing, as in all files of version 0.1 (whose own is gpt-4-0314); "
                "--baseline NAME says with whom the models were compared",
            )
        return told
    named = name(row, "baseline")
    if told not in (None, named):
        raise row.wrong(
            "baseline",
            f"{named!r}, but --baseline names {told!r}: this is a judge file of another baseline",
        )
    return named


def _game(row: Row, game: Any) -> tuple[Verdict, Reply | None]:
    if not isinstance(game, Mapping):
        raise row.wrong("games", f"an object or null has to stand for a game, not {game!r:.60}")
    said: Any = game.get("judgment")
    if isinstance(said, Mapping):
        said = said.get("answer")
    reply = Reply(text=said) if isinstance(said, str) else None
    if any(_FAILED.search(text) for text in _prompts(game)):
        return Unreadable(reason=FAILED_ANSWER), reply
    label = game.get("score")
    if label is None:
        failed = reply is not None and reply.text == ERROR
        return Unreadable(reason=FAILED_JUDGE if failed else NO_LABEL), reply
    if not isinstance(label, str) or not _LABEL.fullmatch(label):
        raise row.wrong("games", unknown_name("score", str(label), ARENA_HARD))
    return arena_hard_verdict(label), reply


def _prompts(game: Mapping[str, Any]) -> Iterator[str]:
    """What the judge was shown, as far as it stands here."""
    messages = game.get("prompt")
    its = messages if isinstance(messages, list) else []
    said = [one.get("content") for one in its if isinstance(one, Mapping)]
    yield from (text for text in (game.get("user_prompt"), *said) if isinstance(text, str))
