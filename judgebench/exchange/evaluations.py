"""What other harnesses' logs hold: a model's answers to a task, with what was measured of each.

A log may hold a hundred thousand samples. It is read again for every purpose, a portion at a time:
first to see that it can be taken in, then beside what a store has, and at last to be stored.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

from judgebench import keys, registry
from judgebench.benchmarks.description import find
from judgebench.errors import InputError, UsageError, unknown_name
from judgebench.exchange.pipeline import (
    IMPORT_LEASE,
    SILENT,
    Import,
    ImportReport,
    KnownItems,
    Write,
    cut_import,
    import_manifest,
    imported_judge,
    imported_judge_key,
    judgment_key,
    no_judge,
    place_key,
    put_in_portions,
    recorded,
    recorded_key,
    same_text,
)
from judgebench.protocols import Progress
from judgebench.records import (
    BINARY,
    Failure,
    Item,
    Judgment,
    Label,
    ModelSpec,
    Response,
    RunManifest,
    Runtime,
    RunVerdict,
    Score,
    Unreadable,
    Verdict,
    VerdictSlot,
)
from judgebench.store.codec import readable
from judgebench.store.store import Store

PORTION = 1000
"""Samples held at once."""

_MOST_NAMED = 3
_CLOSE = 1e-9
_LONGEST_NAME = 200

Reading: TypeAlias = Literal["label", "unit score", "score"]
"""How a judge's marks are read throughout a log, since a board holds either labels or scores.

``label``: all marks are 0 or 1. ``unit score``: on the scale from 0 to 1. ``score``: on one whose
ends nobody stated."""

_WIDTH: Mapping[Reading, int] = {"label": 0, "unit score": 1, "score": 2}

Slot: TypeAlias = tuple[str, int]
"""An item and a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a metric or scorer says of one sample.

    value
        None where nothing can be read; then ``reason`` says why.
    unit
        Whether it is known to lie between 0 and 1.
    """

    value: float | None
    reason: str = ""
    unit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row of a log.

    where
        File and row, for messages.
    part
        Which part of the log it is of (a filter of lm-eval's): within one, each item and ``sample``
        stand once.
    answers
        Of the model with the empty key, whichever it turns out to be.
    marks
        By the name of the judge they are kept under; about the answer numbered ``sample``.
    failure
        Why there is neither answer nor mark, in the words of the log.
    """

    where: str
    item: Item
    part: str = ""
    answers: tuple[Response, ...] = ()
    marks: Mapping[str, Mark] = field(default_factory=dict)
    sample: int = 0
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One task of one run of another harness.

    samples
        Reads the log anew each time: of a hundred thousand samples none is held.
    printed
        By judge, the mean that the harness itself printed, where it says.
    fractions
        The judges whose marks are scores even where all of them happen to be 0 or 1.
    """

    path: Path
    benchmark: str
    version: str
    model: str
    spec: ModelSpec
    stack: Runtime | None
    samples: Callable[[], Iterator[Sample]]
    printed: Mapping[str, float] = field(default_factory=dict)
    fractions: frozenset[str] = frozenset()
    warnings: Sequence[str] = ()

    @property
    def at(self) -> tuple[str, str]:
        return self.benchmark, self.version

    @property
    def name(self) -> str:
        return f"{self.benchmark}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One run of another harness: its tasks, which are about one and the same model.

    what
        The format, as ``judgebench import`` calls it.
    when
        When it ran, as the log says; empty where it does not.
    files
        All that was read.
    """

    what: str
    when: str
    files: tuple[Path, ...]
    evaluations: tuple[Evaluation, ...]


# whether it can be taken in ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedEvaluation:
    """An evaluation that is good in itself, and what is known of it as a whole.

    known
        The benchmark's items where its data is at hand: they stand in place of the log's.
    readings
        By judge, how its marks are read; a judge that is not here gave no number for any sample.
    rows
        Answers, marks and failures, of so many ``samples``.
    """

    evaluation: Evaluation
    known: Mapping[str, Item]
    readings: Mapping[str, Reading]
    rows: int
    samples: int
    warnings: tuple[str, ...]


def one_of(option: str, what: str, given: str | None, found: Collection[str]) -> None:
    """Refuse to call several tasks, or models, one."""
    if given is not None and len(found) > 1:
        raise UsageError(
            f"--{option} says what one {what} is{' called' if what == 'model' else ''}, and here "
            f"are {len(found)}: {', '.join(sorted(found))}; name the files of one"
        )


def check(
    evaluation: Evaluation, known_items: KnownItems, *, allow_unknown: bool
) -> CheckedEvaluation:
    """Read all of an evaluation.

    Raises
    ------
    InputError
        Naming file and row: for what cannot be read, for a sample that stands there twice, for two
        rows that say different things of one item, for items that the benchmark does not have.
    """
    _names_usable(evaluation)
    known = known_items(*evaluation.at) or {}
    marked: dict[str, _Marks] = {}
    seen: dict[tuple[str, int, str], str] = {}
    content: dict[Slot, tuple[int, str]] = {}
    rows = 0
    for sample in evaluation.samples():
        _once(sample, seen)
        rows += _alike(sample, content) + (sample.failure is not None)
        if known and not allow_unknown and sample.item.id not in known:
            raise InputError(
                f"{sample.where}: {sample.item.id!r} is no item of {evaluation.name}. Is the log "
                "of another benchmark or version (--benchmark NAME@VERSION)? "
                "(--allow-unknown-items takes them in)"
            )
        for judge, mark in sample.marks.items():
            marked.setdefault(judge, _Marks()).add(mark)
    if not seen:
        raise InputError(f"{evaluation.path}: there is no sample in it")
    read = {judge: marks for judge, marks in marked.items() if marks.n}
    readings = {j: marks.reading(fraction=j in evaluation.fractions) for j, marks in read.items()}
    for judge in readings:
        if reason := no_judge(judge):
            raise InputError(f"{evaluation.path}: judge: {reason}")
    if "label" in readings.values():
        _labels_declared(evaluation)
    return CheckedEvaluation(
        evaluation=evaluation,
        known=known,
        readings=readings,
        samples=len(seen),
        rows=rows + sum(marks.n + marks.unread for marks in read.values()),
        warnings=(
            *evaluation.warnings,
            *_left_out(sorted(marked.keys() - read.keys())),
            *_other_means(evaluation.printed, read),
        ),
    )


@dataclass(slots=True)
class _Marks:
    """What the marks of one judge look like throughout a log."""

    n: int = 0
    total: float = 0.0
    unread: int = 0
    binary: bool = True
    unit: bool = True

    def add(self, mark: Mark) -> None:
        if mark.value is None:
            self.unread += 1
            return
        self.n += 1
        self.total += mark.value
        self.binary = self.binary and mark.value in (0, 1)
        self.unit = self.unit and mark.unit

    def reading(self, *, fraction: bool) -> Reading:
        if self.binary and not fraction:
            return "label"
        return "unit score" if self.unit else "score"


def _other_means(printed: Mapping[str, float], read: Mapping[str, _Marks]) -> Iterator[str]:
    """Where the mean of what is there is not what the harness printed, in words."""
    for judge in sorted(printed.keys() & read.keys()):
        mean, said = read[judge].total / read[judge].n, printed[judge]
        if not math.isclose(mean, said, rel_tol=_CLOSE, abs_tol=_CLOSE):
            yield (
                f"{judge}: the mean over samples is {mean:.6g}, the log itself says {said:.6g};"
                " it is put together in another way there, and boards show the mean"
            )


def _names_usable(evaluation: Evaluation) -> None:
    for name in (*evaluation.at, evaluation.model):
        if readable(name) != name:
            raise InputError(
                f"{evaluation.path}: {name!r} holds a NUL character or half a surrogate pair, "
                "which no name may; give another one (--benchmark NAME, --model NAME)"
            )
    if "@" in evaluation.benchmark:
        raise InputError(
            f"{evaluation.path}: {evaluation.benchmark!r}: no benchmark's name has an '@', which "
            "is written before a version; give another one (--benchmark NAME)"
        )


def _once(sample: Sample, seen: dict[tuple[str, int, str], str]) -> None:
    for name in (sample.item.id, sample.item.category or "", *sample.marks):
        if readable(name) != name:
            raise InputError(
                f"{sample.where}: {name!r} holds a NUL character or half a surrogate pair, which "
                "no name may; correct it where it comes from"
            )
    before = seen.setdefault((sample.item.id, sample.sample, sample.part), sample.where)
    if before != sample.where:
        which = f"sample {sample.sample} of " if sample.sample else ""
        raise InputError(
            f"{sample.where}: {which}item {sample.item.id!r} stands in {before} already; the file "
            "holds two runs, or a row twice: take one of them out"
        )


def _alike(sample: Sample, content: dict[tuple[str, int], tuple[int, str]]) -> int:
    """How many answers are new here; the parts of a log repeat the item and the answers."""
    raw = tuple(answer.raw for answer in sample.answers)
    digest = hash((sample.item.turns, sample.item.references, raw))
    before, where = content.setdefault((sample.item.id, sample.sample), (digest, sample.where))
    if before != digest:
        raise InputError(
            f"{sample.where}: another question, reference or answer of item {sample.item.id!r} "
            f"than in {where}; the file holds two runs: take one of them out"
        )
    return len(sample.answers) if where == sample.where else 0


def _labels_declared(evaluation: Evaluation) -> None:
    """Refuse labels that no report could count."""
    name = evaluation.benchmark
    if name not in registry.benchmark_folders():
        return
    declared = find(name)[0].labels
    for label in BINARY:
        if label not in declared:
            raise InputError(
                f"{evaluation.path}: {unknown_name(f'label of {name}', label, declared)}; "
                "--benchmark NAME takes the log in under another name"
            )


def _left_out(judges: list[str]) -> list[str]:
    if not judges:
        return []
    more = len(judges) - _MOST_NAMED
    named = ", ".join(judges[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return [f"left out, since no sample has a number of it: {named}"]


# as a store keeps them --------------------------------------------------------------------------


@dataclass(slots=True)
class _Rows:
    """A portion of a log.

    where
        The row of the log that an answer is from.
    """

    items: list[Item] = field(default_factory=list)
    responses: dict[bytes, Response] = field(default_factory=dict)
    judgments: list[tuple[Judgment, RunVerdict]] = field(default_factory=list)
    failures: dict[Slot, Failure] = field(default_factory=dict)
    where: dict[bytes, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=False, kw_only=True)
class _ModelEvaluation:
    """An evaluation as that of a model, beside what the store has of that."""

    store: Store
    checked: CheckedEvaluation
    spec: ModelSpec

    @cached_property
    def model(self) -> bytes:
        return keys.model_key(self.spec)

    def portions(self, run_id: str = "") -> Iterator[_Rows]:
        """All of it. Answers are known by their place, since the log's prompts are not ours; a
        judgment by its place and verdict, since nothing of how it came about is known."""
        checked, samples = self.checked, self.checked.evaluation.samples()
        now, answered = time.time(), set[bytes]()
        while some := list(islice(samples, PORTION)):
            rows = _Rows()
            for sample in some:
                rows.items.append(checked.known.get(sample.item.id, sample.item))
                for answer in sample.answers:
                    response = replace(answer, model_key=self.model, stack=checked.evaluation.stack)
                    key = recorded_key(response)
                    if key not in answered:  # the parts of a log repeat the answers
                        answered.add(key)
                        rows.responses[key] = response
                        rows.where[key] = sample.where
                for judge, reading in checked.readings.items():
                    if (mark := sample.marks.get(judge)) is not None:
                        place = self._place(sample, imported_judge_key(judge))
                        judgment = _judgment(place, mark, reading, now)
                        use = RunVerdict(run_id=run_id, place=place, judgment_key=judgment.key)
                        rows.judgments.append((judgment, use))
                if sample.failure is not None:
                    slot = sample.item.id, sample.sample
                    rows.failures[slot] = self._failure(sample, sample.failure, now)
            yield rows

    def _place(self, sample: Sample, judge: bytes) -> VerdictSlot:
        evaluation = self.checked.evaluation
        return VerdictSlot(
            benchmark=evaluation.benchmark,
            version=evaluation.version,
            item_id=sample.item.id,
            model_key=self.model,
            judge_key=judge,
            sample=sample.sample,
        )

    def _failure(self, sample: Sample, message: str, now: float) -> Failure:
        at, item = self.checked.evaluation.at, sample.item.id
        key, _ = recorded(at, item, self.model, "", "", sample=sample.sample)
        return Failure(
            key=key,
            boundary="provider",
            message=message,
            retriable=True,
            place=self._place(sample, b""),
            at=now,
        )

    def new_rows(self) -> int:
        """How many rows the store lacks.

        Raises
        ------
        _ContradictionError
            Where it has another answer or mark of this model.
        """
        if self.model not in {model.key for model in self.store.models()}:
            return self.checked.rows
        return sum(map(self._new_in, self.portions()))

    def _new_in(self, rows: _Rows) -> int:
        stored = self.store.responses(rows.responses)
        for key, responses in stored.items():
            if not any(
                same_text(response.text, rows.responses[key].text) for response in responses
            ):
                raise _ContradictionError(
                    f"{rows.where[key]}: the store has another answer of this model"
                )
        judged = self.store.judged([judgment.key for judgment, _ in rows.judgments])
        unjudged = [use.place for judgment, use in rows.judgments if judgment.key not in judged]
        for place in unjudged:
            before = self._marks.get((place.judge_key.hex()[:12], place.item_id, place.sample))
            if before is not None:
                raise _ContradictionError(
                    f"{self.checked.evaluation.path}: item {place.item_id!r}: the store has "
                    f"another mark of this model ({before})"
                )
        new = len(rows.responses) - len(stored) + len(unjudged)
        return new + len(self.new_failures(rows))

    def new_failures(self, rows: _Rows) -> list[Failure]:
        """The failures that the store neither has nor, since then, has an answer in place of."""
        answered = self.store.responses([failure.key for failure in rows.failures.values()])
        return [
            failure
            for slot, failure in rows.failures.items()
            if slot not in self._failed and failure.key not in answered
        ]

    @cached_property
    def _failed(self) -> set[Slot]:
        """Where the store knows already that the model gave no answer."""
        table = self.store.failures(*self.checked.evaluation.at)
        columns = (table[name] for name in ("item_id", "sample", "model_id", "judge_id"))
        return {
            (item, sample)
            for item, sample, model, judge in zip(*columns, strict=True)
            if model == self.model.hex()[:12] and judge is None
        }

    @cached_property
    def _marks(self) -> dict[tuple[str, str, int], object]:
        """What the store has of the log's judges about this model, by judge, item and sample."""
        at, judges = self.checked.evaluation.at, map(imported_judge_key, self.checked.readings)
        table = self.store.verdicts(*at, judges=[*judges], models=[self.model])
        names = ("judge_id", "item_id", "sample", "label", "value", "kind")
        return {
            (judge, item, sample): {"label": label, "score": value}.get(kind, kind)
            for judge, item, sample, label, value, kind in zip(
                *(table[name] for name in names), strict=True
            )
        }

    def put(self, rows: _Rows) -> None:
        self.store.put_items(rows.items)
        self.store.put_responses(rows.responses)
        self.store.put_judgments(rows.judgments)
        for failure in self.new_failures(rows):
            self.store.put_failure(failure)


class _ContradictionError(Exception):
    """The store has something else of the same model at the same place."""


def _judgment(place: VerdictSlot, mark: Mark, reading: Reading, now: float) -> Judgment:
    verdict: Verdict = Unreadable(reason=mark.reason)
    if mark.value is not None and reading == "label":
        verdict = Label(name=BINARY[int(mark.value)])
    elif mark.value is not None and reading == "unit score":
        verdict = Score(value=mark.value, low=0.0, high=1.0)
    elif mark.value is not None:
        verdict = Score(value=mark.value, low=-math.inf, high=math.inf)
    return Judgment(
        key=judgment_key(place, verdict),
        judge_key=place.judge_key,
        case_key=place_key(place),
        verdict=verdict,
        at=now,
    )


# into a store -----------------------------------------------------------------------------------


def import_of(night: Night, known_items: KnownItems, *, allow_unknown_items: bool) -> Import:
    """A run of another harness, found good; with what stores it.

    Raises
    ------
    InputError
        As `check`.
    """
    checked = [
        check(one, known_items, allow_unknown=allow_unknown_items) for one in night.evaluations
    ]
    return Import(night.files[0], partial(_take_in, night=night, checked=checked))


def _take_in(
    store: Store, *, night: Night, checked: Sequence[CheckedEvaluation], progress: Progress = SILENT
) -> ImportReport:
    """Store what the store does not have yet, under a run of its own.

    Raises
    ------
    InputError
        Where the store has another question under an item's id, or the same run of the other
        harness with other answers.
    """
    warnings = [warning for one in checked for warning in one.warnings]
    rows = sum(one.rows for one in checked)
    with store.lease(IMPORT_LEASE):
        checked = _as_before(store, night.what, checked, warnings)
        placed, new = _version(store, night, checked)
        is_run = new or _is_another_night(store, night, checked)
        cut = cut_import(store, night.what, night.files)
        counts = {"rows": rows, "new": new}
        run_id = None
        if is_run or cut:
            run_id = _put(store, night, placed, counts, cut, progress)
    return ImportReport(
        rows=rows, new=new, known=rows - new, run_id=run_id, warnings=tuple(warnings)
    )


def _as_before(
    store: Store, what: str, checked: Sequence[CheckedEvaluation], warnings: list[str]
) -> list[CheckedEvaluation]:
    """Read marks as those of earlier nights were, where these could be on the same board."""
    earlier: dict[tuple[str, str], Reading] = {}
    for run in store.runs():
        if run.configuration.get("import") == what:
            for at, readings in run.configuration.get("read_as", {}).items():
                earlier |= {(at, judge): reading for judge, reading in readings.items()}
    found = []
    for one in checked:
        at, readings = one.evaluation.name, dict(one.readings)
        for judge, now in one.readings.items():
            before = earlier.get((at, judge), now)
            readings[judge] = max(before, now, key=_WIDTH.__getitem__)
            if readings[judge] != before:
                warnings.append(
                    f"{judge}: earlier nights were read as {before}, this one is {now}: they are "
                    "not on the same board"
                )
        found.append(replace(one, readings=readings))
    return found


def _version(
    store: Store, night: Night, checked: Sequence[CheckedEvaluation]
) -> tuple[list[_ModelEvaluation], int]:
    """Which model this is: the one of that name, unless that has answered otherwise.

    A name is all that most logs say of the weights, and there may be others under it by the next
    night. Where the store has other answers or marks of what is called so and was asked so, this is
    another version of it, told apart by when it ran.

    Returns
    -------
    placed, new
        Each evaluation with its model, and how many rows the store lacks.
    """
    for when in ("", night.when):
        said = f" run:{when}" if when else ""
        specs = [one.evaluation.spec for one in checked]
        placed = [
            _ModelEvaluation(
                store=store, checked=one, spec=replace(spec, weights=f"{spec.weights}{said}")
            )
            for one, spec in zip(checked, specs, strict=True)
        ]
        try:
            return placed, sum(one.new_rows() for one in placed)
        except _ContradictionError as error:
            contradiction = error
    raise InputError(
        f"{contradiction}, of the same run ({night.when or 'whose time the log does not say'}); if "
        "it is another model than the store's, give it another name (--model NAME)"
    )


def _is_another_night(store: Store, night: Night, checked: Sequence[CheckedEvaluation]) -> bool:
    """Whether no run here is of this time and model, and has these benchmarks.

    A night on which nothing changed is a night: its verdicts are used again, under its own run.
    """
    here = {one.evaluation.name for one in checked}
    told = (run.configuration for run in store.runs())
    return bool(night.when) and not any(
        said.get("import") == night.what
        and (said.get("when"), said.get("model")) == (night.when, night.evaluations[0].model)
        and here <= set(said.get("read_as", ()))
        for said in told
    )


def _put(
    store: Store,
    night: Night,
    placed: Sequence[_ModelEvaluation],
    counts: Mapping[str, int],
    cut: RunManifest | None,
    progress: Progress,
) -> str:
    """All of a night, under a run of its own."""
    for one in placed:
        _check_items(store, one.checked)
    manifest = import_manifest(night.what, night.files, counts, cut)
    if cut is None:
        readings = {one.checked.evaluation.name: dict(one.checked.readings) for one in placed}
        about = {"when": night.when, "model": night.evaluations[0].model, "read_as": readings}
        manifest = replace(
            manifest,
            name=" ".join(filter(None, (f"import {night.what}", night.when))),
            configuration={**manifest.configuration, **about},
        )
    total = sum(one.checked.samples for one in placed)
    writes = _writes(store, night, placed, manifest.id)
    put_in_portions(store, manifest, cut, writes, total, progress)
    return manifest.id


def _writes(
    store: Store, night: Night, placed: Sequence[_ModelEvaluation], run_id: str
) -> Iterator[Write]:
    models = {model.key for model in store.models()}
    judges = {judge.key for judge in store.judges()}
    tags = {"night": night.when} if night.when else {}
    for one in placed:
        if one.model not in models:
            yield 0, partial(store.put_model, one.checked.evaluation.model, one.spec, tags)
        for judge in sorted(one.checked.readings):
            if imported_judge_key(judge) not in judges:
                yield 0, partial(store.put_judge, judge, imported_judge(judge))
        for rows in one.portions(run_id):
            yield len(rows.items), partial(one.put, rows)


def _check_items(store: Store, one: CheckedEvaluation) -> None:
    evaluation = one.evaluation
    items = (one.known.get(sample.item.id, sample.item) for sample in evaluation.samples())
    try:
        store.check_items(items)
    except InputError as error:
        raise InputError(
            f"{evaluation.path}: {error}, e.g. with --benchmark {evaluation.benchmark}@VERSION"
        ) from None


# what may stand in a log ------------------------------------------------------------------------


def mapping(value: Any) -> Mapping[str, Any]:
    """An object of a log; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """A list of a log; an empty one for anything else."""
    return value if isinstance(value, list) else []


def finite(value: Any) -> bool:
    """Whether it is a number that is neither infinite nor nan."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and (isinstance(value, int) or math.isfinite(value))


def plain(value: Any) -> bool:
    """Whether it can be part of a key: a text, a number, true or false, or a list of these."""
    if isinstance(value, list):
        return all(plain(one) for one in value)
    return isinstance(value, (str, bool)) or finite(value)


def short_text(value: Any) -> bool:
    """Whether it can be a name."""
    return isinstance(value, str) and bool(value.strip()) and len(value) <= _LONGEST_NAME


def own_id(value: Any) -> str | None:
    """The id that a log itself gives to a sample."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if short_text(value) else None
