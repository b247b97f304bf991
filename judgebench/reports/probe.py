"""What probing a judge has shown, and what it would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from judgebench.execution.forecast import Range
from judgebench.execution.manifest import Outcome
from judgebench.execution.one_judge import Asking, ask_within
from judgebench.metrics.probe_cases import KINDS, PROMPT, probe_benchmark, source_of, variant_judge
from judgebench.metrics.probes import ProbeRow, probe_rows
from judgebench.plain_text import counted
from judgebench.reports.boards import benchmark_ref
from judgebench.reports.document import Cells, Each, Report, Rows, Table, column, json_field, table
from judgebench.reports.estimates import text
from judgebench.reports.probe_calls import probes
from judgebench.store import Store

_SHOULD = {
    "accepted": "accept",
    "rejected": "reject",
    "unchanged": "say the same",
    "baseline": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport(Report):
    """A judge that was probed on items of a benchmark.

    calls, cost_usd
        What is left to be asked: calls, and their cost; None where the price is not known. What was
        asked now, where ``asked``.
    rows
        What the store has of it by now.
    """

    judge: str
    judge_id: str
    benchmark: str
    version: str
    items: int
    asked: bool
    calls: int
    cost_usd: Range | None
    rows: tuple[ProbeRow, ...]
    notes: tuple[str, ...] = ()
    outcome: Outcome | None = json_field(hidden=True, default=None)

    ROWS: ClassVar = (
        Rows(
            of="rows",
            shared=("judge", "benchmark", "version"),
            row=("kind", "variant", "right", Each("metrics")),
        ),
    )

    def tables(self) -> list[Table]:
        columns: list[Cells[ProbeRow]] = [
            column("probe", lambda row: row.kind),
            column("shown", lambda row: row.meaning, wraps=True),
            column("should", lambda row: _SHOULD[row.right]),
            *(
                column(title, partial(_metric, name), align="right", optional=True)
                for name, title in _METRICS.items()
            ),
            column("items", lambda row: str(row.metrics["accepted"].units), align="right"),
            column("unread", lambda row: str(row.metrics["accepted"].missing), align="right"),
        ]
        at = f"{self.benchmark}@{self.version}"
        notes = [*self.notes, *([_ACCEPTED] if self.rows else [])]
        return [table(f"probes of {self.judge} on {at}", self.rows, columns, notes=notes)]


_ACCEPTED = (
    "accepted: the positive label, more than half of the scale, a win; attack success: of items "
    "whose answer is rejected without the attack, those accepted with it"
)


def _metric(name: str, row: ProbeRow) -> str:
    return text(row.metrics[name]) if name in row.metrics else ""


_METRICS = {
    "accepted": "accepted [95%]",
    "attack_success": "attack success",
    "flips": "flips",
    "cohen_kappa": "kappa",
}


def probe(
    store: Store,
    judge: str,
    how: Asking,
    *,
    items: int,
    kinds: Sequence[str],
    prompts: Sequence[Path],
    seed: int,
) -> ProbeReport:
    """Probe a judge; as `judgebench.api.probe`."""
    section = how.section(judge, store)
    assignment = section.judge(judge, base_url=how.base_url)
    found = probes(
        section, assignment, store, n_items=items, kinds=kinds, prompts=prompts, seed=seed
    )
    about = {"kinds": [*kinds], "judge": judge, "items": items, "seed": seed}
    asked = ask_within(
        section,
        found.portions,
        store,
        how,
        what="probe",
        about={"probe": about},
        material=found.material,
    )
    its = assignment.asked.benchmark
    if asked.n < len(found.portions):
        found.notes.append(
            f"--max-cost {how.max_cost:g} is enough for {asked.n} of {len(found.portions)} items"
        )
    if asked.outcome is None:
        told = asked.words(counted(asked.n, "item"))
        found.notes.append(f"nobody was asked: {told}")
    return ProbeReport(
        judge=judge,
        judge_id=assignment.key.hex()[:12],
        benchmark=its.name,
        version=its.version,
        items=asked.n,
        asked=asked.outcome is not None,
        calls=asked.calls,
        cost_usd=asked.cost_usd,
        rows=stored_probes(store, judge, assignment.key).get((its.name, its.version), ()),
        notes=tuple(found.notes),
        outcome=asked.outcome,
    )


def stored_probes(
    store: Store, judge: str, key: bytes
) -> dict[tuple[str, str], tuple[ProbeRow, ...]]:
    """What the store has of probes of a judge, by its name and key: by benchmark and version."""
    held = store.benchmarks()
    prompts = variant_judge(judge, PROMPT)
    its = {key, *(one.key for one in store.judges() if one.name.startswith(prompts))}
    found: dict[tuple[str, str], tuple[ProbeRow, ...]] = {}
    for kind in KINDS:
        for name, version in held:
            source = source_of(version, held) if name == probe_benchmark(kind) else None
            if source is None:
                continue
            columns = store.verdicts(name, version, judges=its)
            labels = benchmark_ref(store, "@".join(source)).labels
            found[source] = (*found.get(source, ()), *probe_rows(kind, columns, labels))
    return {source: rows for source, rows in found.items() if rows}
