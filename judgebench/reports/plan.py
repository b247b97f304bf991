"""What a run would do, before it does it: a row for each model and judge on a benchmark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from judgebench.benchmarks.description import CLEAN
from judgebench.columns import grouped
from judgebench.execution.forecast import ENOUGH_CALLS, PlanRow, Range
from judgebench.execution.preflight import Finding
from judgebench.metrics.registry import metric
from judgebench.plain_text import dollars, holding
from judgebench.reports.document import Cells, Report, Table, column, table
from judgebench.reports.estimates import UNDEFINED, finite
from judgebench.reports.gate_policy import Policy
from judgebench.reports.power import (
    design_notes,
    design_records,
    design_table,
    gate_ahead,
    gate_notes,
    gate_record,
)
from judgebench.reports.power import notes as of_detectable

COUNTS = ("items", "distinct_items", "generations", "verdicts", "judge_calls", "recorded")
SUMS = ("generations", "verdicts", "repeated", "settled", "judge_calls", "recorded")
_SAVED = ("repeat a question", "need nobody to be asked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Report):
    """What a run would do now.

    asked
        Of which suite, and which part of it, as a command line says it.
    margin
        A difference of which the items needed are said.
    policy
        The gate whose chance to pass an unchanged model is said.
    notes
        What is odd about the suite.
    needs
        What a run needs of this machine, and whether it is there.
    placements
        Where its models and judges go on GPUs, where the suite says on which.
    """

    rows: tuple[PlanRow, ...]
    asked: str
    margin: float | None = None
    policy: Policy | None = None
    notes: tuple[str, ...] = ()
    needs: tuple[Finding, ...] = ()
    placements: tuple[str, ...] = ()

    @property
    def lacking(self) -> list[Finding]:
        return [need for need in self.needs if need.state == "fault"]

    @property
    def warnings(self) -> list[str]:
        """What is odd about the suite, what a run would lack here, and who is soon to be gone."""
        who = grouped((need.found, need.what) for need in self.needs if need.state != "ok")
        return [*self.notes, *(f"{', '.join(of)}: {found}" for found, of in who.items())]

    def tables(self) -> list[Table]:
        number: dict[str, Any] = {"align": "right"}
        columns: list[Cells[PlanRow]] = [
            column("benchmark", lambda row: row.benchmark),
            column("version", lambda row: row.version),
            column("model", lambda row: row.model, wraps=True),
            column("judge", lambda row: row.judge or "", wraps=True),
            *(
                column(name.replace("_", " "), partial(_count, name=name), **number)
                for name in COUNTS
            ),
            column("tokens in", lambda row: _amount(row.tokens.prompt.expected), **number),
            column(
                "tokens out",
                lambda row: ("≤ " if row.at_most else "") + _amount(row.tokens.completion.expected),
                **number,
            ),
            column("USD", lambda row: _money(row.cost_usd), **number),
            column("detectable", _detectable, spare=True, **number),
        ]
        if self.margin is not None:
            columns.append(
                column(f"items for {self.margin:g}", _items_needed, spare=True, **number)
            )
        total = _total(self.rows)
        notes = [
            f"in all: {total['generations']} generations, {total['judge_calls']} judge calls, "
            f"{total['recorded']} verdicts recorded",
            *_notes(self.rows),
            *of_detectable(self.rows),
            *gate_notes(*gate_ahead(self.rows, self.policy)),
            *design_notes(self.rows),
            *self.placements,
        ]
        title = f"what `judgebench run {self.asked}` would do now"
        designs = design_table(self.rows)
        shown = table(title, self.rows, columns, notes=notes)
        return [shown] if designs is None else [shown, designs]

    def to_dict(self) -> dict[str, Any]:
        return {
            "rows": [_record(row) for row in self.rows],
            "total": _total(self.rows),
            "designs": design_records(self.rows),
            "gate": gate_record(*gate_ahead(self.rows, self.policy)),
            "lacking": [need._asdict() for need in self.lacking],
        }

    def records(self) -> list[dict[str, Any]]:
        found = []
        for row in self.rows:
            record = _record(row)
            cost = record.pop("cost_usd") or {}
            ends = {f"cost_usd_{end}": cost.get(end) for end in ("low", "expected", "high")}
            found.append(record | ends)
        return found


def _record(row: PlanRow) -> dict[str, Any]:
    tokens = row.tokens
    return {
        "benchmark": row.benchmark,
        "version": row.version,
        "model": row.model,
        **{name: getattr(row, name) for name in ("items", "distinct_items", "generations")},
        **({"preset": row.preset.name} if row.judge is None else {}),
        "judge": row.judge,
        **{name: getattr(row, name) for name in SUMS if name != "generations"},
        "prompt_tokens": round(tokens.prompt.expected),
        "completion_tokens": round(tokens.completion.expected),
        "cost_usd": None if row.cost_usd is None else _usd(row.cost_usd),
        "upper_bound": row.at_most,
        "counted_by": row.method or None,
        **_could_detect(row),
    }


def _could_detect(row: PlanRow) -> dict[str, Any]:
    """Null where it is not known, and then why."""
    found = row.detectable
    needed = None if found is None else finite(found.items_needed)
    said: dict[str, Any] = {
        "detectable_difference": None if found is None else finite(found.difference),
        "items_needed": None if needed is None else math.ceil(needed),
    }
    if found is not None and found.undefined is not None:
        said["detectable_undefined"] = found.undefined
    if found is not None and found.weighted is not None:
        said["detectable_weighted"] = finite(found.weighted.difference)
    return said


def _detectable(row: PlanRow) -> str:
    """The cell about it, empty where it is not asked."""
    found = row.detectable
    if found is None or math.isnan(found.difference):
        return "" if found is None else UNDEFINED
    return f"{found.difference:.{metric(found.metric).digits}f}"


def _items_needed(row: PlanRow) -> str:
    if row.detectable is None:
        return ""
    n = row.detectable.items_needed
    return UNDEFINED if n is None or not math.isfinite(n) else f"{math.ceil(n):,}"


def _count(row: PlanRow, name: str) -> str:
    """A count; nothing where it says nothing: a judge that asks nobody has no calls to count."""
    n = getattr(row, name)
    return "" if name == "verdicts" and not n else f"{n:,}"


def _total(rows: Sequence[PlanRow]) -> dict[str, Any]:
    known = [row.cost_usd for row in rows if row.cost_usd is not None]
    return {
        **{name: sum(getattr(row, name) for row in rows) for name in SUMS},
        "prompt_tokens": round(sum(row.tokens.prompt.expected for row in rows)),
        "completion_tokens": round(sum(row.tokens.completion.expected for row in rows)),
        "cost_usd": _usd(sum(known, Range())) if len(known) == len(rows) else None,
    }


def _notes(rows: Sequence[PlanRow]) -> list[str]:
    """Presets, how tokens were counted, what it costs in all, and whose price is not known."""
    asked = [row for row in rows if row.preset.name != CLEAN]
    judged = {row.benchmark for row in rows if row.judge}
    unjudged = dict.fromkeys(row.benchmark for row in rows if row.benchmark not in judged)
    notes = [
        _preset([row for row in asked if row.benchmark == benchmark])
        for benchmark in dict.fromkeys(row.benchmark for row in asked)
    ]
    notes += [
        f"{judge}: of {all_:,} verdicts "
        + " and ".join(f"{n:,} {does}" for n, does in zip(saved, _SAVED, strict=True) if n)
        for judge, (all_, *saved) in _saved(rows).items()
        if any(saved)
    ]
    methods = sorted({row.method for row in rows if row.method})
    at_most = sorted({row.asker for row in rows if row.at_most})
    known = sum((row.cost_usd for row in rows if row.cost_usd is not None), Range())
    unknown = sorted({row.asker for row in rows if row.cost_usd is None})
    return notes + holding({
        f"answers alone, since the suite names no judges there: {', '.join(unjudged)}": unjudged,
        f"tokens counted by: {', '.join(methods)}": methods,
        f"tokens out are an upper bound, since fewer than {ENOUGH_CALLS} replies are kept: "
        + ", ".join(at_most): at_most,
        f"cost: {_money(known)} USD (least to most)": known.high,
        f"price not known: {', '.join(unknown)}; say it as price: {{input: …, output: …}} in US "
        "dollars for a million tokens": unknown,
    })  # fmt: skip


def _saved(rows: Sequence[PlanRow]) -> dict[str, tuple[int, int, int]]:
    """Of each judge, its verdicts, and how many of them need no call of their own, and why."""
    found: dict[str, tuple[int, int, int]] = {}
    for row in rows:
        if row.judge is not None:
            before = found.get(row.judge, (0, 0, 0))
            now = (row.verdicts, row.repeated, row.settled)
            found[row.judge] = (before[0] + now[0], before[1] + now[1], before[2] + now[2])
    return found


def _preset(rows: Sequence[PlanRow]) -> str:
    """How a preset has the models of a benchmark asked."""
    preset = rows[0].preset
    models = "; ".join(f"{row.model}: {_settings(row.decoding)}" for row in rows)
    note = f" Besides: {preset.note}." if preset.note else ""
    return f"{rows[0].benchmark} asks as its preset {preset.name} says ({models}).{note}"


def _settings(decoding: Mapping[str, Any]) -> str:
    """Sampling in a line; a temperature that follows the category is said to."""
    said = []
    for name, value in decoding.items():
        if name == "further":
            said.append(f"further answers with {_settings(value)}")
        else:
            said.append(f"{name} {'by category' if isinstance(value, dict) else value}")
    return ", ".join(said) or "nothing is sent"


def _usd(cost: Range) -> dict[str, float]:
    return {end: round(getattr(cost, end), 6) for end in ("low", "expected", "high")}


def _amount(tokens: float) -> str:
    return f"{tokens:,.0f}" if tokens else ""


def _money(cost: Range | None) -> str:
    if cost is None:
        return "?"
    if not cost.high:
        return ""
    return f"{dollars(cost.expected)} ({dollars(cost.low)}–{dollars(cost.high)})"
