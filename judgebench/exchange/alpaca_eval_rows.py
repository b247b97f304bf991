"""What files of AlpacaEval say, gathered and held against each other before any is stored.

Its *cross-annotations* (``annotator_index``) are several labels of each pair: of several people, or
of one judge that was asked as often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from judgebench.errors import InputError
from judgebench.exchange.alpaca_eval_files import (
    ANNOTATIONS,
    REFERENCES,
    found_files,
    kind_of,
    preference_of,
    rows_of,
    seconds_of,
)
from judgebench.exchange.alpaca_eval_raw import RAW, reply_of
from judgebench.exchange.names import name, no_judge
from judgebench.execution.plan import drawn_order
from judgebench.records import HUMAN, Order, Preference, Reply, Unreadable, Verdict
from judgebench.rows import Row

SEEDED_JUDGES = frozenset(
    {
        "alpaca_eval_cot_gpt4_turbo_fn",
        "alpaca_eval_gpt4",
        "alpaca_eval_gpt4_turbo_fn",
        "weighted_alpaca_eval_gpt4_turbo",
    }
)
"""Judges of AlpacaEval whose published replies show that they were asked in its seeded order."""

_TWO_MODELS = (
    "Are these two models of one name, or was it judged on other answers? Import one of them apart "
    "with --model NAME"
)
OTHER_BASELINE = (
    "This is a judge file of another baseline that goes by the same name; leave it out, or "
    "give that one a name of its own (generator_1)"
)
_WAY_OUT = {"output_1": OTHER_BASELINE}

INDEX = "annotator_index"
"""The column of cross-annotations that says whose label, or which of a judge's, a row is."""

PEOPLE = (HUMAN, "humans")

NOT_READ = "AlpacaEval read no preference from the reply"
NOT_SAID = "no preference in the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the command says about the files.

    model
        Whose answers the files hold, whatever name they give (``generator``, ``generator_2``).
    judge
        Who judged, whatever name they give (``annotator``).
    baseline
        Whom the models were compared with; files that name another are refused.
    """

    model: str | None = None
    judge: str | None = None
    baseline: str | None = None


class Answer(NamedTuple):
    """A model's answer, and the row that it was first read from."""

    where: str
    file: str
    text: str


class About(NamedTuple):
    """What a judged pair is about, and which time that the judge was asked."""

    instruction: str
    model: str
    baseline: str
    judge: str
    repeat: int = 0


class Judged(NamedTuple):
    """One judged pair."""

    row: Row
    order: Order
    verdict: Verdict
    reply: Reply | None


@dataclass(slots=True, kw_only=True)
class Gathered:
    """The content of the files.

    questions
        Instruction -> the row that it first stands in, and its data set where one says.
    answers
        By model and instruction.
    reference
        Whose the reference outputs are, where any were given.
    baselines
        By judge, with the row that first names it.
    crossed
        Judges of cross-annotations, which are about the judge: their pairs may have any baseline.
    """

    told: Told
    files: list[Path] = field(default_factory=list)
    questions: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    judged: dict[About, Judged] = field(default_factory=dict)
    reference: str | None = None
    baselines: dict[str, tuple[str, str]] = field(default_factory=dict)
    crossed: set[str] = field(default_factory=set)

    def take(self, path: Path, rows: Sequence[Row], kind: str, names: _Names) -> None:
        self.files.append(path)
        for row in rows:
            instruction = row.long_text("instruction")
            if not instruction.strip():
                raise row.wrong("instruction", "is blank")
            if kind == ANNOTATIONS:
                self._pair(path, row, instruction, names)
            else:
                model = self._generator(row, kind, names)
                self._answer(path, row, "output", model, instruction)
            self._question(row, instruction)

    def _question(self, row: Row, instruction: str) -> None:
        said = row.values.get("dataset")
        dataset = said if isinstance(said, str) and said else None
        before = self.questions.get(instruction)
        if before is None or before[1] is None:
            self.questions[instruction] = (before[0] if before else row.where, dataset)

    def _generator(self, row: Row, kind: str, names: _Names) -> str:
        if kind == REFERENCES:
            fallback = self.told.baseline
            found = _named(row, "generator", None, fallback, "--baseline NAME says whose these are")
            if self.reference not in (None, found):
                raise row.wrong(
                    "generator", f"{found!r}, but other reference outputs are of {self.reference!r}"
                )
            self.reference = found
            return found
        says = "--model NAME says whose these are"
        return _named(row, "generator", self.told.model, names.model, says)

    def _answer(self, path: Path, row: Row, column: str, model: str, instruction: str) -> None:
        text = row.long_text(column)
        answer = Answer(row.where, path.name, text)
        first = self.answers.setdefault((model, instruction), answer)
        if first.text != text:
            raise row.wrong(
                column,
                f"another answer of {model!r} to this instruction than in {first.where}. "
                + _WAY_OUT.get(column, _TWO_MODELS),
            )

    def _pair(self, path: Path, row: Row, instruction: str, names: _Names) -> None:
        told = self.told
        crossed = row.has(INDEX)
        written_by = "generator" if crossed and not row.has("generator_2") else "generator_2"
        model = _named(
            row, written_by, told.model, names.model, "--model NAME says whose output_2 is"
        )
        baseline = _named(
            row, "generator_1", None, told.baseline, "--baseline NAME says whose output_1 is"
        )
        judge, repeat = _annotator(row, told.judge, names.judge)
        if crossed:
            self.crossed.add(judge)
        self._check_baseline(row, judge, baseline)
        self._answer(path, row, "output_1", baseline, instruction)
        self._answer(path, row, "output_2", model, instruction)
        order: Order = "single"
        if judge in SEEDED_JUDGES and row.values["output_1"] != row.values["output_2"]:
            order = drawn_order(instruction)  # equal answers are a tie without asking anybody
        raw = f"preference_{RAW}" if f"preference_{RAW}" in row.values else RAW
        reply = reply_of(row, raw, seconds_of(row, path))
        verdict = _verdict(preference_of(row, path), order, reply)
        about = About(instruction, model, baseline, judge, repeat)
        first = self.judged.setdefault(about, Judged(row, order, verdict, reply))
        if first.verdict != verdict:
            raise row.wrong(
                "preference",
                f"another preference of {judge!r} about this instruction and {model!r} than in "
                f"{first.row.where}; delete one, or import one apart with --judge NAME",
            )

    def _check_baseline(self, row: Row, judge: str, baseline: str) -> None:
        for wanted, says in (
            (self.told.baseline, "--baseline names"),
            (self.reference, "the reference outputs are of"),
        ):
            if wanted not in (None, baseline):
                raise row.wrong(
                    "generator_1",
                    f"judged against {baseline!r}, but {says} {wanted!r}: this is a judge file of "
                    "another baseline",
                )
        first, where = self.baselines.setdefault(judge, (baseline, row.where))
        if first != baseline and judge not in self.crossed:
            raise row.wrong(
                "generator_1",
                f"{judge!r} judged against {baseline!r} here, but against {first!r} in {where}: "
                "this is a judge file of another baseline. Import them apart",
            )


class _Names(NamedTuple):
    """Names that folders give, where a file in AlpacaEval's own layout gives none."""

    model: str | None = None
    judge: str | None = None


def gather(
    paths: Sequence[Path],
    *,
    model_outputs: Sequence[Path] = (),
    reference_outputs: Sequence[Path] = (),
    told: Told | None = None,
) -> Gathered:
    """Read all files, or none.

    Parameters
    ----------
    paths
        Files and folders, which say themselves what they hold.
    model_outputs, reference_outputs
        Files of answers: of the models, and of the baseline.

    Raises
    ------
    InputError
        Naming file and row of what cannot be used, and of what contradicts another row.
    UsageError
        For a suffix that says nothing.
    """
    gathered = Gathered(told=told or Told())
    references = found_files(reference_outputs)
    for path in references:
        gathered.take(path, _answers(path), REFERENCES, _Names())
    for path in found_files([*model_outputs, *paths]):
        if path in references:
            continue
        rows = rows_of(path)
        kind = kind_of(path, rows)
        if path in model_outputs and kind == ANNOTATIONS:
            raise InputError(f"{path}: holds judged pairs, not a model's answers")
        gathered.take(path, rows, kind, _folders(path, kind, paths))
    return gathered


def _answers(path: Path) -> list[Row]:
    rows = rows_of(path)
    if kind_of(path, rows) == ANNOTATIONS:
        raise InputError(f"{path}: holds judged pairs, not the baseline's answers")
    return rows


def _folders(path: Path, kind: str, given: Sequence[Path]) -> _Names:
    """In ``results/<model>/<judge>/`` and ``results/<model>/`` the folders are names."""
    depth = 2 if kind == ANNOTATIONS else 1
    if path in given or not any(
        folder in path.parents and len(path.relative_to(folder).parts) >= depth for folder in given
    ):
        return _Names()
    parents = [parent.name or None for parent in path.parents]
    return _Names(parents[1], parents[0]) if kind == ANNOTATIONS else _Names(parents[0])


def _annotator(row: Row, told: str | None, folder: str | None) -> tuple[str, int]:
    """Who judged, and which time; in cross-annotations that name nobody these are people."""
    crossed = row.has(INDEX)
    if crossed and told is None and not row.has("annotator"):
        told = HUMAN
    judge = _named(row, "annotator", told, folder, "--judge NAME says who judged")
    if reason := no_judge(judge):
        raise row.wrong("annotator", reason)
    if not crossed:
        return judge, 0
    index = row.whole(INDEX)
    return (f"{HUMAN}/{index}", 0) if judge in PEOPLE else (judge, index)


def _named(row: Row, field: str, told: str | None, fallback: str | None, help_: str) -> str:
    if told is not None:
        return told
    if row.has(field):
        return name(row, field)
    if fallback is None:
        raise row.wrong(field, f"is missing; {help_}")
    return fallback


def _verdict(p: float | None, order: Order, reply: Reply | None) -> Verdict:
    if p is None:
        return Unreadable(reason=NOT_SAID if reply is None else NOT_READ)
    p_first = 1.0 - p if order == "opponent_first" else p
    if p_first == 0.5:
        return Preference(winner=None, p_first=0.5)
    return Preference(winner=0 if p_first > 0.5 else 1, p_first=p_first)
