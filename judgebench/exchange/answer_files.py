"""Files of answers that are judged as they stand: what was asked, and what each model answered.

A row is one answer, in the form of AlpacaEval's ``model_outputs`` (instruction, output, generator)
or of ``import responses`` (item_id, model, text), which says its question itself or is about a
benchmark whose data is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from judgebench.benchmarks.folder import items_at_hand
from judgebench.benchmarks.own_prompts import QUESTION
from judgebench.errors import InputError
from judgebench.exchange.alpaca_eval import ANNOTATIONS, kind_of
from judgebench.exchange.pipeline import benchmark_name, default_version, name, optional_name
from judgebench.records import Item, Message
from judgebench.registry import tasks_root
from judgebench.responses.from_file import RecordedAnswers
from judgebench.rows import Row, at_hand, read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFiles:
    """The questions in the order in which they first stand, and each model's answers to them."""

    questions: tuple[Item, ...]
    answers: Mapping[str, RecordedAnswers]

    @property
    def samples(self) -> int:
        """How many answers a model has to one question, at most."""
        places = (place for one in self.answers.values() for place in one.texts)
        return 1 + max(sample for _, sample in places)


def read_answers_of(given: Any) -> AnswerFiles:
    """The answers of a file or several, or of rows that are at hand: mappings, or a DataFrame.

    Where none are given, those of the small set that comes with judgebench.

    Raises
    ------
    InputError, UsageError
        As `read_answer_files`.
    """
    with at_hand(given) as paths:
        return read_answer_files(paths or [tasks_root() / _SMALL])


_SMALL = Path("trivia_judging_mini/answers.jsonl")
SMALL_BASELINE = "model-weak"
"""Whose answers of the small set others are compared with, where nobody says."""


def read_answer_files(paths: Iterable[Path]) -> AnswerFiles:
    """All answers of some files. A model without a name is called as its file is.

    Questions are the same where their text is: files need not have them in one order. An id is the
    file's, else a number from 0.

    Raises
    ------
    InputError
        Naming file, row and field of what cannot be used, and of what contradicts another row.
    UsageError
        For a suffix that says nothing.
    """
    found = _AnswerFiles()
    for path in dict.fromkeys(paths):
        rows = read_rows(path, ())
        if not any("text" in row.values for row in rows) and kind_of(path, rows) == ANNOTATIONS:
            raise InputError(
                f"{path}: holds judged pairs, which `judgebench import alpaca-eval` takes in; a "
                "model's answers have to stand here"
            )
        for row in rows:
            found.take(path, row)
    answers = {m: RecordedAnswers(path=found.paths[m], texts=t) for m, t in found.texts.items()}
    return AnswerFiles(questions=tuple(found.questions.values()), answers=answers)


@dataclass(slots=True)
class _AnswerFiles:
    """What was read so far: questions by id, ids by what is asked, answers by model."""

    questions: dict[str, Item] = field(default_factory=dict)
    ids: dict[tuple[Message, ...], str] = field(default_factory=dict)
    texts: dict[str, dict[tuple[str, int], tuple[str, ...]]] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    first: dict[tuple[str, str, int], str] = field(default_factory=dict)
    known: dict[tuple[str, str], Mapping[str, Item]] = field(default_factory=dict)

    def take(self, path: Path, row: Row) -> None:
        text = row.long_text("text" if "text" in row.values else "output")
        model = optional_name(row, "generator") or optional_name(row, "model") or path.stem
        place = self._item(row), row.whole("sample")
        where = self.first.setdefault((model, *place), row.where)
        self.paths.setdefault(model, path)
        if self.texts.setdefault(model, {}).setdefault(place, (text,)) != (text,):
            raise row.wrong(
                "text" if "text" in row.values else "output",
                f"another answer of {model!r} to this question than in {where}. Delete one, give "
                "the second another 'sample', or the other model a name of its own ('generator')",
            )

    def _item(self, row: Row) -> str:
        """The id of the question that a row answers."""
        asked = self._question(row)
        known = self.ids.get(asked.turns)
        item_id = optional_name(row, "item_id") or known or self._number()
        if item_id not in self.questions:
            self.questions[item_id] = replace(asked, id=item_id)
        elif self.questions[item_id].turns != asked.turns:
            raise row.wrong("item_id", f"{item_id!r} is the id of another question already")
        self.ids.setdefault(asked.turns, item_id)
        return item_id

    def _number(self) -> str:
        """The next number that is no question's id."""
        number = len(self.ids)
        while str(number) in self.questions:
            number += 1
        return str(number)

    def _question(self, row: Row) -> Item:
        given = next((field for field in QUESTION if row.has(field)), None)
        if given is not None:
            if given == "instruction" and row.has("input"):
                raise row.wrong("input", "is a part of the question: join it to 'instruction'")
            return Item(
                benchmark="",
                version="",
                id="",
                turns=(Message(role="user", content=row.long_text(given)),),
                category=optional_name(row, "dataset") or optional_name(row, "category"),
            )
        if not row.has("benchmark"):
            raise row.wrong(
                QUESTION[-1],
                "is missing, and so is a 'benchmark' whose questions are known: a judge has to be "
                f"shown what was asked. Columns here: {', '.join(map(str, row.values)) or 'none'}",
            )
        benchmark = benchmark_name(row)
        version = optional_name(row, "version") or default_version(benchmark)
        items = self._items(row, benchmark, version)
        item_id = name(row, "item_id")
        if item_id not in items:
            raise row.wrong("item_id", f"{item_id!r} is no item of {benchmark}@{version}")
        item = items[item_id]
        return Item(
            benchmark="",
            version="",
            id=item_id,
            turns=item.turns,
            references=item.references,
            category=item.category,
            language=item.language,
        )

    def _items(self, row: Row, benchmark: str, version: str) -> Mapping[str, Item]:
        if (benchmark, version) not in self.known:
            items = items_at_hand(benchmark, version)
            if items is None:
                raise row.wrong(
                    "benchmark",
                    f"the questions of {benchmark}@{version} are not here: `judgebench data list` "
                    "says how they come; or give each row its question in a field 'instruction'",
                )
            self.known[benchmark, version] = items
        return self.known[benchmark, version]
