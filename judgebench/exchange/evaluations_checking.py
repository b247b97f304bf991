"""Whether what a log holds can be taken in; found out before any store is touched."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from judgebench import registry
from judgebench.benchmarks.description import find
from judgebench.errors import InputError, UsageError, unknown_name
from judgebench.exchange.evaluations import Evaluation, Sample
from judgebench.exchange.known_items import KnownItems
from judgebench.exchange.mark_readings import Reading, Surveys
from judgebench.exchange.names import no_judge
from judgebench.records import BINARY, Item
from judgebench.store.codec import readable

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An evaluation that is good in itself, and what is known of it as a whole.

    known
        The benchmark's items where its data is at hand: they stand in place of the log's.
    readings
        By judge, how its marks are read; a judge that is not here gave no number for any sample.
    rows
        Answers, marks and failures.
    """

    evaluation: Evaluation
    known: Mapping[str, Item]
    readings: Mapping[str, Reading]
    rows: int
    warnings: tuple[str, ...]


def one_task(benchmark: str | None, tasks: Collection[str]) -> None:
    """Refuse to call several tasks one benchmark."""
    if benchmark is not None and len(tasks) > 1:
        raise UsageError(
            f"--benchmark says what one task is, and here are {len(tasks)}: "
            f"{', '.join(sorted(tasks))}; name the files of one"
        )


def one_model(model: str | None, models: Collection[str]) -> None:
    """Refuse to call several models one."""
    if model is not None and len(models) > 1:
        raise UsageError(
            f"--model says what one model is called, and here are {len(models)}: "
            f"{', '.join(sorted(models))}; name the files of one"
        )


def check(evaluation: Evaluation, known_items: KnownItems, *, allow_unknown: bool) -> Checked:
    """Read all of an evaluation.

    Raises
    ------
    InputError
        Naming file and row: for what cannot be read, for a sample that stands there twice, for two
        rows that say different things of one item, for items that the benchmark does not have.
    """
    _names_usable(evaluation)
    known = known_items(*evaluation.at) or {}
    surveys = Surveys(evaluation.fractions)
    seen: dict[tuple[str, int, str], str] = {}
    content: dict[tuple[str, int], tuple[int, str]] = {}
    n_samples = answers = failures = 0
    for sample in evaluation.samples():
        n_samples += 1
        _once(sample, seen)
        answers += _alike(sample, content)
        if known and not allow_unknown and sample.item.id not in known:
            raise _unknown(sample, evaluation)
        failures += sample.failure is not None
        surveys.add(sample.marks)
    if not n_samples:
        raise InputError(f"{evaluation.path}: there is no sample in it")
    readings = surveys.readings()
    for judge in readings:
        if reason := no_judge(judge):
            raise InputError(f"{evaluation.path}: judge: {reason}")
    if "label" in readings.values():
        _labels_declared(evaluation)
    marks = sum(surveys.of[judge].n + surveys.of[judge].unread for judge in readings)
    return Checked(
        evaluation=evaluation,
        known=known,
        readings=readings,
        rows=answers + marks + failures,
        warnings=(
            *evaluation.warnings,
            *_left_out(surveys.left_out()),
            *surveys.other_means(evaluation.printed),
        ),
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


def _unknown(sample: Sample, evaluation: Evaluation) -> InputError:
    benchmark, version = evaluation.at
    return InputError(
        f"{sample.where}: {sample.item.id!r} is no item of {benchmark}@{version}. Is the log of "
        "another benchmark or version (--benchmark NAME@VERSION)? (--allow-unknown-items takes "
        "them in)"
    )


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
