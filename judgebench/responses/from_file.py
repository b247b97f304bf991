"""Answers that exist: a file of ``benchmark, item_id, model, text[, sample, turn]``, one a row.

Or as FastChat writes them: ``question_id, model_id, choices``, each a sample with its ``turns``; or
as Arena-Hard does since 2025: ``uid, model, messages``, the last of which is the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from judgebench.errors import InputError
from judgebench.rows import OURS, Layout, Row, each_row

FIELDS = ("benchmark", "version", "item_id", "model", "text", "sample", "turn")

FAILED = "$ERROR$"
"""What FastChat and Arena-Hard write as the answer where a model could not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAnswers:
    """One model's answers to one benchmark, by item and sample; each turn by turn."""

    path: Path
    texts: Mapping[tuple[str, int], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """One answer as it stands in a file; None where the file does not say.

    ``tokens`` is how long it is, as its authors counted.
    """

    row: Row
    item_id: str
    text: str
    sample: int = 0
    turn: int = 0
    benchmark: str | None = None
    version: str | None = None
    model: str | None = None
    tokens: int | None = None


def read_answer_rows(path: Path, layout: Layout = OURS) -> list[AnswerRow]:
    """All answers of a file.

    Raises
    ------
    InputError
        Naming the line and field of what cannot be used.
    """
    return list(_each_answer(path, layout))


def _turn_by_turn(row: Row) -> Iterator[Row]:
    """The answers of a line of FastChat's, each a row.

    A turn may be a text, or a mapping with the text as ``content`` or ``answer``. One that is
    `FAILED` is a call that failed, no answer; nor is what was asked after it.
    """
    about = {"item_id": row.values.get("question_id"), "model": row.values.get("model_id")}
    choices = row.values["choices"]
    for number, choice in enumerate(choices if isinstance(choices, list) else [choices]):
        turns = choice.get("turns") if isinstance(choice, Mapping) else None
        if not isinstance(turns, list) or not turns:
            raise row.wrong("choices", "each of a list needs 'turns', a list of what was answered")
        sample = choice.get("index", number)
        for turn, said in enumerate(turns):
            if isinstance(said, Mapping):
                said = said.get("content", said.get("answer"))
            if said == FAILED:
                break
            of = {"sample": sample, "turn": turn, "text": said}
            yield Row(f"{row.where}: choices[{number}]: turn {turn + 1}", {**about, **of})


def _last_message(row: Row) -> Iterator[Row]:
    """The answer of a line of Arena-Hard's; a row that has its text is one of ours."""
    if "text" in row.values:
        yield row
        return
    messages = row.values["messages"]
    last = messages[-1] if isinstance(messages, list) and messages else None
    said = last.get("content") if isinstance(last, Mapping) else None
    said = said.get("answer") if isinstance(said, Mapping) else said
    if not isinstance(said, str):
        raise row.wrong("messages", "no answer stands in the last one")
    if said != FAILED:
        about = {"item_id": row.values.get("uid"), "model": row.values.get("model")}
        yield Row(row.where, {**about, "text": said})


_OF_OTHERS = {"messages": _last_message, "choices": _turn_by_turn}
"""Columns by which a line of another's file is known, and the answers in it."""


def _each_answer(path: Path, layout: Layout = OURS) -> Iterator[AnswerRow]:
    for row in each_row(path, ["item_id", "text"], layout=layout, spread=_OF_OTHERS):
        yield AnswerRow(
            row=row,
            item_id=row.text("item_id"),
            text=row.long_text("text"),
            sample=row.whole("sample"),
            turn=row.whole("turn"),
            benchmark=row.text("benchmark", None),
            version=row.text("version", None),
            model=row.text("model", None),
        )


def read_answers(
    path: Path,
    *,
    model: str,
    benchmark: str,
    version: str,
    known_items: Collection[str] | None = None,
) -> RecordedAnswers:
    """The answers in a file that are a model's to a benchmark.

    Where the file names several models, those of ``model``; where it names one or none, all.
    Rows of other benchmarks are left, and answers that are `FAILED`, with the turns after them.

    Raises
    ------
    InputError
        For no answers, two different ones to one item, or ids that the benchmark does not have.
    """
    nothing: Mapping[str, Any] = {}  # what else stands in rows would be held as well
    rows = [
        replace(row, row=Row(row.row.where, nothing))
        for row in _each_answer(path)
        if row.benchmark in (None, benchmark) and row.version in (None, version)
    ]
    if not rows:
        raise InputError(f"{path}: no answers to {benchmark}@{version} in it")
    if len(names := {row.model for row in rows}) > 1:
        rows = [row for row in rows if row.model == model]
        if not rows:
            others = ", ".join(sorted(name for name in names if name is not None))
            raise InputError(
                f"{path}: no answers of {model!r} in it; name the model of the suite as the file "
                f"does. In the file: {others}"
            )
    known = {row.item_id for row in rows} if known_items is None else known_items
    if unknown := [row for row in rows if row.item_id not in known]:
        which = f"{benchmark}@{version}"
        raise unknown[0].row.wrong(
            "item_id",
            f"{unknown[0].item_id!r} is no item of {which}; {len(unknown)} rows name such items. "
            "Is the file of another benchmark or version?",
        )
    first: dict[tuple[str, int, int], AnswerRow] = {}
    gone = set[tuple[str, int, int]]()
    for row in rows:
        if (kept := first.setdefault((row.item_id, row.sample, row.turn), row)) is not row:
            refuse_other_text(kept, row)
    places = []
    for place in sorted(first):
        item, sample, turn = place
        if first[place].text == FAILED or (item, sample, turn - 1) in gone:
            gone.add(place)
        else:
            places.append(place)
    if not places:
        raise InputError(
            f"{path}: every answer of {model} to {benchmark}@{version} is {FAILED}, a call that "
            "failed; ask the model again"
        )
    texts: dict[tuple[str, int], tuple[str, ...]] = {}
    for place in places:
        row, (item, sample, turn) = first[place], place
        before = texts.get((item, sample), ())
        if turn != len(before):
            raise row.row.wrong("turn", f"{item!r} has no answer to the turn before turn {turn}")
        texts[item, sample] = (*before, row.text)
    return RecordedAnswers(path=path, texts=texts)


def refuse_other_text(first: AnswerRow, row: AnswerRow) -> None:
    """An answer that stands in a file twice is one answer, but only if the texts are equal."""
    if first.text != row.text:
        raise row.row.wrong(
            "item_id",
            f"a second, different answer to item {row.item_id!r}; the first is {first.row.where}. "
            "Delete one, or give the second another 'sample'",
        )
