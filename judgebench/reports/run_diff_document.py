"""What changed between two runs, as tables to look at, tidy records and JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from judgebench.metrics.registry import metric
from judgebench.plain_text import counted
from judgebench.records import Estimate, RunManifest
from judgebench.reports import estimates
from judgebench.reports.changes import Change
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.run_counterparts import Counterparts
from judgebench.reports.run_diff import RunDiff
from judgebench.reports.run_moves import Flips, Moved

_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{20,}")


def document(diff: RunDiff) -> Document:
    """The two runs, what changed between them, and for each benchmark what moved."""
    return Document(
        tables=[_changed_table(diff), *_moved_tables(diff)],
        records=[*_changed_records(diff.changed), *map(_moved_record, diff.moved)],
        data={
            "a": _run(diff.first),
            "b": _run(diff.second),
            "changed": [_change_json(change) for change in diff.changed],
            "moved": [_moved_json(moved) for moved in diff.moved],
            "left_out": diff.left_out,
        },
    )


# what changed ------------------------------------------------------------------------------------


def _changed_table(diff: RunDiff) -> Table:
    return Table(
        title="what changed",
        subtitle=f"A: {_told(diff.first)}; B: {_told(diff.second)}",
        columns=[
            Column(title="part", wraps=True),
            Column(title="field", wraps=True),
            Column(title="in A", wraps=True),
            Column(title="in B", wraps=True),
        ],
        rows=[
            [change.part, change.field, *(_shown(value) for value in change[2:])]
            for change in diff.changed
        ],
        notes=[
            *([] if diff.changed else [_nothing_changed(diff)]),
            *_troubles("A", diff.first),
            *_troubles("B", diff.second),
        ],
    )


def _told(run: RunManifest) -> str:
    started = datetime.fromtimestamp(run.started, UTC).strftime("%Y-%m-%d %H:%M UTC")
    state = "" if run.state == "done" else f", {run.state}"
    return f"{run.id} ({run.name}, {started}{state})"


def _shown(value: str) -> str:
    """Hashes are cut to what tells them apart; JSON and CSV have all of them."""
    return _HASH.sub(r"\1…", value) or estimates.UNDEFINED


def _nothing_changed(diff: RunDiff) -> str:
    if diff.first.id == diff.second.id:
        return "nothing changed: A and B are one and the same run"
    return (
        "nothing changed: configuration, versions, commit, data, seeds, models, judges and what "
        "they ran on are the same"
    )


def _troubles(which: str, run: RunManifest) -> list[str]:
    """What may be missing of a run."""
    counts = {name: n for name in ("failed", "waiting") if (n := run.counts.get(name))}
    said = [f"{n} {name}" for name, n in counts.items()]
    if run.state != "done":
        said.append(f"the run is {run.state}")
    return [f"warning: {which}: {', '.join(said)}; what is missing has not moved"] if said else []


def _changed_records(changed: Sequence[Change]) -> Iterator[dict[str, Any]]:
    for change in changed:
        yield {"row": "changed", **_change_json(change)}


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "part": change.part,
        "field": change.field,
        "in_a": change.first or None,
        "in_b": change.second or None,
    }


def _run(run: RunManifest) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "started": run.started,
        "ended": run.ended,
        "counts": dict(run.counts),
    }


# what moved --------------------------------------------------------------------------------------


class _Shown(NamedTuple):
    """A column, and what it says of a row."""

    column: Column
    says: Callable[[Moved], str]


def _moved_tables(diff: RunDiff) -> list[Table]:
    if not diff.moved:
        return [Table(title="what moved", columns=[], rows=[], notes=[_nothing_shared(diff)])]
    if not any(moved.anything for moved in diff.moved):
        n = sum(moved.flips.verdicts for moved in diff.moved)
        said = f"nothing moved: {counted(n, 'verdict')} and the answers under them are the same"
        return [Table(title="what moved", columns=[], rows=[], notes=[said, *_left_out(diff)])]
    boards = dict.fromkeys((moved.benchmark, moved.version, moved.metric) for moved in diff.moved)
    tables = [
        _moved_table([m for m in diff.moved if (m.benchmark, m.version, m.metric) == board])
        for board in boards
    ]
    return [*tables[:-1], _with_notes(tables[-1], _left_out(diff))]


def _nothing_shared(diff: RunDiff) -> str:
    return (
        "nothing can be compared: no benchmark has verdicts of one judge on one model in both "
        f"runs{'' if not diff.left_out else '; ' + _left_out(diff)[0]}"
    )


def _left_out(diff: RunDiff) -> list[str]:
    if not diff.left_out:
        return []
    return [
        f"{counted(diff.left_out, 'verdict')} on how sure models are of their answers are not "
        "compared here; `judgebench confidence` reports them"
    ]


def _with_notes(table: Table, notes: Sequence[str]) -> Table:
    return Table(
        title=table.title,
        subtitle=table.subtitle,
        columns=table.columns,
        rows=table.rows,
        notes=[*table.notes, *notes],
    )


def _moved_table(rows: Sequence[Moved]) -> Table:
    one = rows[0]
    digits = metric(one.metric).digits
    unit = " %" if metric(one.metric).in_percent else ""
    level = f"{one.found.difference.level:.0%}"

    def value(estimate: Estimate) -> str:
        known = estimates.finite(estimate.value)
        return estimates.UNDEFINED if known is None else f"{known:.{digits}f}"

    def spare(title: str, says: Callable[[Moved], str], **how: Any) -> list[_Shown]:
        if not any(says(row) for row in rows):
            return []
        return [_Shown(Column(title=title, spare=True, **how), says)]

    on = ["same", "other", *(["unknown"] if any(row.flips.unknown for row in rows) else [])]

    def flips(row: Moved) -> str:
        counts = (row.flips.same, row.flips.changed, row.flips.unknown)[: len(on)]
        return f"{'/'.join(map(str, counts))} of {row.flips.verdicts}"

    shown = [
        _Shown(Column(title="judge", wraps=True), lambda row: _called(row.judge)),
        _Shown(Column(title="model", wraps=True), lambda row: _called(row.model)),
        *(
            [_Shown(Column(title="against", wraps=True), _against)]
            if any(row.opponent is not None for row in rows)
            else []
        ),
        _Shown(Column(title="A", align="right"), lambda row: value(row.found.first)),
        _Shown(Column(title="B", align="right"), lambda row: value(row.found.second)),
        _Shown(
            Column(title=f"B - A [{level}]", align="right"),
            lambda row: estimates.text(row.found.difference, digits=digits, signed=True),
        ),
        *spare("new answers", _differ, align="right"),
        _Shown(Column(title=f"flips {'/'.join(on)}", align="right"), flips),
        *spare("missing", lambda row: _number(row.found.difference.missing), align="right"),
        *spare("unreadable", _unreadable, align="right"),
    ]
    return Table(
        title=f"what moved on {one.benchmark}@{one.version}: {one.metric.replace('_', ' ')}{unit}",
        subtitle="on the items that both runs have, paired by item",
        columns=[column for column, _ in shown],
        rows=[[says(row) for _, says in shown] for row in rows],
        notes=_notes(rows),
    )


def _notes(rows: Sequence[Moved]) -> list[str]:
    notes = []
    if any(row.flips.flipped for row in rows):
        unknown = (
            "; unknown: the store lacks an answer" if any(r.flips.unknown for r in rows) else ""
        )
        notes.append(
            "flips: verdicts that say something else in B, on the same answer (the judge moved) "
            f"and on another one (the model may have){unknown}"
        )
    if any(not pair.same for row in rows for pair in _pairs(row)):
        notes.append(
            "*: of the same name, and not the same thing; `what changed` says how it differs"
        )
    alone = sorted({row.items for row in rows if row.items[1] or row.items[2]})
    for both, first, second in alone:
        notes.append(
            f"{counted(both, 'item')} are in both runs, {first:,} in A alone and {second:,} in B "
            "alone"
        )
    reasons = {
        row.found.difference.undefined: row for row in rows if row.found.difference.undefined
    }
    notes += [
        f"{estimates.UNDEFINED} {row.model.label}, judged by {row.judge.label}: {reason}"
        for reason, row in reasons.items()
    ]
    return notes


def _pairs(row: Moved) -> list[Counterparts[Any]]:
    return [row.judge, row.model, *([] if row.opponent is None else [row.opponent])]


def _called(pair: Counterparts[Any]) -> str:
    return pair.label if pair.same else f"{pair.label}*"


def _against(row: Moved) -> str:
    return "" if row.opponent is None else _called(row.opponent)


def _differ(row: Moved) -> str:
    return f"{row.answers_differ} of {row.answers}" if row.answers else ""


def _unreadable(row: Moved) -> str:
    before, after = row.flips.unreadable
    return f"{before} to {after}" if before or after else ""


def _number(n: int) -> str:
    return f"{n:,}" if n else ""


def _moved_json(moved: Moved) -> dict[str, Any]:
    both, first, second = moved.items
    return {
        "benchmark": moved.benchmark,
        "version": moved.version,
        "judge": _pair_json(moved.judge),
        "model": _pair_json(moved.model),
        "opponent": None if moved.opponent is None else _pair_json(moved.opponent),
        "metric": moved.metric,
        "items": {"both": both, "a_alone": first, "b_alone": second},
        "a": estimates.to_json(moved.found.first),
        "b": estimates.to_json(moved.found.second),
        "difference": estimates.to_json(moved.found.difference),
        "answers": {"compared": moved.answers, "differ": moved.answers_differ},
        "flips": _flips_json(moved.flips),
    }


def _pair_json(pair: Counterparts[Any]) -> dict[str, Any]:
    return {
        "name": pair.label,
        "id_a": pair.first.id,
        "id_b": pair.second.id,
        "same": pair.same,
    }


def _flips_json(flips: Flips) -> dict[str, Any]:
    return {
        "verdicts": flips.verdicts,
        "flipped": flips.flipped,
        "on_same_answer": flips.same,
        "on_other_answer": flips.changed,
        "on_unknown_answer": flips.unknown,
        "unreadable_a": flips.unreadable[0],
        "unreadable_b": flips.unreadable[1],
    }


def _moved_record(moved: Moved) -> dict[str, Any]:
    pairs: dict[str, Counterparts[Any] | None] = {
        "judge": moved.judge, "model": moved.model, "opponent": moved.opponent,
    }  # fmt: skip
    told: dict[str, Any] = {}
    for who, pair in pairs.items():
        told |= {
            who: None if pair is None else pair.label,
            f"{who}_id_a": None if pair is None else pair.first.id,
            f"{who}_id_b": None if pair is None else pair.second.id,
        }
    difference = estimates.record(moved.found.difference)
    return {
        "row": "moved",
        "benchmark": moved.benchmark,
        "version": moved.version,
        **told,
        "metric": moved.metric,
        "in_a": estimates.finite(moved.found.first.value),
        "in_b": estimates.finite(moved.found.second.value),
        **{f"difference_{name}": value for name, value in difference.items()},
        "items": moved.items[0],
        "answers": moved.answers,
        "answers_differ": moved.answers_differ,
        **_flips_json(moved.flips),
    }
