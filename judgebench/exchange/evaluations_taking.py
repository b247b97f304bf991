"""What of other harnesses' logs a store does not have yet: items, answers, verdicts, failures.

A log may hold a hundred thousand samples. It is read again for every purpose, a portion at a time,
and what is new of a night is stored in portions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from judgebench import keys
from judgebench.errors import InputError
from judgebench.exchange.evaluations import Evaluation, Night
from judgebench.exchange.evaluations_checking import Checked
from judgebench.exchange.evaluations_known import compare, failed, unknown_failures
from judgebench.exchange.evaluations_rows import Rows, Where, portions
from judgebench.exchange.mark_readings import Reading, wider
from judgebench.exchange.outcome import (
    IMPORT_LEASE,
    ImportReport,
    Write,
    cut_import,
    import_manifest,
    put_in_portions,
)
from judgebench.exchange.verdicts import imported_judge
from judgebench.records import ModelSpec, RunManifest
from judgebench.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """A run of another harness that was read and found good."""

    night: Night
    checked: tuple[Checked, ...]

    def take_in(self, store: Store) -> ImportReport:
        return take_in(store, self.night, self.checked)


def take_in(store: Store, night: Night, checked: Sequence[Checked]) -> ImportReport:
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
        specs, new = _version(store, night, checked)
        is_run = new or _is_another_night(store, night, checked)
        cut = cut_import(store, night.what, night.files)
        counts = {"rows": rows, "new": new}
        run_id = _put(store, night, checked, specs, counts, cut) if is_run or cut else None
    return ImportReport(
        rows=rows, new=new, known=rows - new, run_id=run_id, warnings=tuple(warnings)
    )


def _as_before(
    store: Store, what: str, checked: Sequence[Checked], warnings: list[str]
) -> list[Checked]:
    """Read marks as those of earlier nights were, where these could be on the same board."""
    earlier: dict[tuple[str, str], Reading] = {}
    for run in store.runs():
        if run.configuration.get("import") == what:
            for at, readings in run.configuration.get("read_as", {}).items():
                earlier |= {(at, judge): reading for judge, reading in readings.items()}
    found = []
    for one in checked:
        at, readings = _at(one.evaluation), dict(one.readings)
        for judge, now in one.readings.items():
            before = earlier.get((at, judge), now)
            readings[judge] = wider(before, now)
            if readings[judge] != before:
                warnings.append(
                    f"{judge}: earlier nights were read as {before}, this one is {now}: they are "
                    "not on the same board"
                )
        found.append(replace(one, readings=readings))
    return found


def _at(evaluation: Evaluation) -> str:
    return f"{evaluation.benchmark}@{evaluation.version}"


def _version(store: Store, night: Night, checked: Sequence[Checked]) -> tuple[list[ModelSpec], int]:
    """Which model this is: the one of that name, unless that has answered otherwise.

    A name is all that most logs say of the weights, and there may be others under it by the next
    night. Where the store has other answers or marks of what is called so and was asked so, this is
    another version of it, told apart by when it ran.

    Returns
    -------
    specs, new
        The model for each evaluation, and how many rows the store lacks.
    """
    contradiction = ""
    for when in ("", night.when):
        specs = [_spec(one.evaluation, when) for one in checked]
        known = [compare(store, one, spec) for one, spec in zip(checked, specs, strict=True)]
        contradiction = next((k.contradiction for k in known if k.contradiction), "")
        if not contradiction:
            return specs, sum(k.new for k in known)
    raise InputError(
        f"{contradiction}, of the same run ({night.when or 'whose time the log does not say'}); if "
        "it is another model than the store's, give it another name (--model NAME)"
    )


def _spec(evaluation: Evaluation, when: str) -> ModelSpec:
    spec = evaluation.spec
    return replace(spec, weights=f"{spec.weights} run:{when}") if when else spec


def _is_another_night(store: Store, night: Night, checked: Sequence[Checked]) -> bool:
    """Whether no run here is of this time and model, and has these benchmarks.

    A night on which nothing changed is a night: its verdicts are used again, under its own run.
    """
    here = {_at(one.evaluation) for one in checked}
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
    checked: Sequence[Checked],
    specs: Sequence[ModelSpec],
    counts: Mapping[str, int],
    cut: RunManifest | None,
) -> str:
    """All of a night, under a run of its own."""
    for one in checked:
        _check_items(store, one)
    manifest = import_manifest(night.what, night.files, counts, cut)
    if cut is None:
        manifest = replace(
            manifest,
            name=" ".join(filter(None, (f"import {night.what}", night.when))),
            configuration={
                **manifest.configuration,
                "when": night.when,
                "model": night.evaluations[0].model,
                "read_as": {_at(one.evaluation): dict(one.readings) for one in checked},
            },
        )

    def writes() -> Iterator[Write]:
        there = {model.key for model in store.models()}
        known_judges = {judge.key for judge in store.judges()}
        for one, spec in zip(checked, specs, strict=True):
            if keys.model_key(spec) not in there:
                tags = {"night": night.when} if night.when else {}
                yield 1, partial(store.put_model, one.evaluation.model, spec, tags)
            for judge in sorted(one.readings):
                if keys.judge_key(imported_judge(judge)) not in known_judges:
                    yield 1, partial(store.put_judge, judge, imported_judge(judge))
            absent = failed(store, one, spec)
            for rows in portions(one, spec, manifest.id):
                yield len(rows.items), partial(_put_portion, store, rows, absent)

    put_in_portions(store, manifest, cut, writes())
    return manifest.id


def _check_items(store: Store, one: Checked) -> None:
    evaluation = one.evaluation
    items = (one.known.get(sample.item.id, sample.item) for sample in evaluation.samples())
    try:
        store.check_items(items)
    except InputError as error:
        raise InputError(
            f"{evaluation.path}: {error}, e.g. with --benchmark {evaluation.benchmark}@VERSION"
        ) from None


def _put_portion(store: Store, rows: Rows, absent: set[Where]) -> None:
    store.put_items(rows.items)
    store.put_responses(rows.responses)
    store.put_judgments(rows.judgments)
    for failure in unknown_failures(store, rows, absent):
        store.put_failure(failure)
