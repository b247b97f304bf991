"""What probing a judge has shown, and what it would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from judgebench.errors import UsageError
from judgebench.execution.forecast import Range
from judgebench.execution.manifest import Outcome
from judgebench.execution.one_judge import (
    ask_judges,
    price_of_calls,
    section_of,
    with_budget,
)
from judgebench.execution.pool import ProviderPool
from judgebench.metrics.probe_cases import KINDS, PROMPT, probe_benchmark, source_of, variant_judge
from judgebench.metrics.probes import ProbeRow, probe_rows
from judgebench.plain_text import counted, dollars
from judgebench.protocols import Progress
from judgebench.reports.boards import benchmark_ref
from judgebench.reports.document import Cells, Each, Report, Rows, Table, column, json_field, table
from judgebench.reports.estimates import text
from judgebench.reports.probe_calls import ITEMS, probes
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
                column(
                    title,
                    lambda row, name=name: text(row.metrics[name]) if name in row.metrics else "",  # type: ignore[misc]
                    align="right",
                    optional=True,
                )
                for name, title in _METRICS.items()
            ),
            column("items", lambda row: str(row.metrics["accepted"].units), align="right"),
            column("unread", lambda row: str(row.metrics["accepted"].missing), align="right"),
        ]
        at = f"{self.benchmark}@{self.version}"
        return [table(f"probes of {self.judge} on {at}", self.rows, columns, notes=self._notes())]

    def _notes(self) -> list[str]:
        said = [*self.notes]
        if self.rows:
            said.append(
                "accepted: the positive label, more than half of the scale, a win; attack success: "
                "of items whose answer is rejected without the attack, those accepted with it"
            )
        if not self.asked:
            said.append(f"nobody was asked: {foretold(self.items, self.calls, self.cost_usd)}")
        return said


_METRICS = {
    "accepted": "accepted [95%]",
    "attack_success": "attack success",
    "flips": "flips",
    "cohen_kappa": "kappa",
}


def foretold(n: int, calls: int, cost: Range | None, what: str = "item") -> str:
    """What asking takes, in words."""
    about = f"{counted(calls, 'call')} about {counted(n, what)}"
    if cost is None:
        return f"{about}, at a price that is not known (price: in the suite says it)"
    if not cost.high:
        return f"{about}, at no cost"
    return (
        f"{about} cost {dollars(cost.expected)} USD, at most {dollars(cost.high)}; "
        "--max-cost USD asks"
    )


def probe(
    store: Store,
    judge: str,
    *,
    suite: Path | None,
    benchmark: str | None,
    items: int = ITEMS,
    kinds: Sequence[str] = (),
    prompts: Sequence[Path] = (),
    base_url: str | None = None,
    max_cost: float | None = None,
    ask: bool = True,
    seed: int = 0,
    progress: Progress,
) -> ProbeReport:
    """Probe a judge; as `judgebench.api.probe`."""
    section = with_budget(
        section_of(judge, suite=suite, store=store, benchmark=benchmark), max_cost
    )
    assignment = section.judge(judge, base_url=base_url)
    found = probes(
        section, assignment, store, n_items=items, kinds=kinds, prompts=prompts, seed=seed
    )
    pool = ProviderPool(section.suite, store)
    asking = {f"judge {one.name}": one.config for one in found.judges if one.config is not None}
    costs = price_of_calls(section, store, pool, found.portions)
    n, calls, cost = _affordable(costs, max_cost)
    outcome = None
    if ask and (max_cost is not None or (cost is not None and not cost.high)):
        pool.check(asking)
        progress.say(f"probing {assignment.title}: {foretold(n, calls, cost).partition(';')[0]}")
        about = {"kinds": [*kinds], "judge": judge, "items": n, "seed": seed}
        outcome = ask_judges(
            section,
            found.first(n),
            store=store,
            pool=pool,
            progress=progress,
            about={"probe": about},
            material=found.material,
        )
    its = assignment.asked.benchmark
    notes = [*found.notes]
    if n < len(found.portions):
        notes.append(f"--max-cost {max_cost:g} is enough for {n} of {len(found.portions)} items")
    return ProbeReport(
        judge=judge,
        judge_id=assignment.key.hex()[:12],
        benchmark=its.name,
        version=its.version,
        items=n,
        asked=outcome is not None,
        calls=calls,
        cost_usd=cost,
        rows=stored_probes(store, judge, assignment.key).get((its.name, its.version), ()),
        notes=tuple(notes),
        outcome=outcome,
    )


def _affordable(
    costs: Sequence[tuple[int, Range | None]], max_cost: float | None
) -> tuple[int, int, Range | None]:
    """How many items fit into a budget, with their calls and cost.

    Raises
    ------
    UsageError
        Where not one does.
    """
    n, calls, cost = 0, 0, Range()
    for more, its in costs:
        if its is None:
            return len(costs), sum(one for one, _ in costs), None
        if max_cost is not None and (cost + its).high > max_cost:
            break
        n, calls, cost = n + 1, calls + more, cost + its
    if not n:
        more, its = costs[0]
        assert its is not None
        raise UsageError(
            f"--max-cost {max_cost:g} is too little for one probe: {counted(more, 'call')} about "
            f"one item may cost {dollars(its.high)} USD"
        )
    return n, calls, cost


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
