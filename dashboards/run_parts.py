"""Runs in words: how each ended or how far it is, and what it took."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from item_parts import when
from long_text import visible
from open_store import mark_of, opened, written_at

from judgebench.plain_text import dollars
from judgebench.records import RunManifest
from judgebench.reports.runs import (
    WINDOW_S,
    Pace,
    duration,
    failures,
    money,
    run_progress,
    share,
)
from judgebench.store.read import FailureKind

STATES = {
    "done": "✓ done",
    "running": "● running",
    "died": "✗ died",
    "interrupted": "◌ interrupted",
    "failed": "✗ failed",
}
AFTERWARDS = {
    "died": "It ended without saying so: it was killed, or the machine went down. What was "
    "committed is kept; the same command again does what is missing.",
    "interrupted": "It was stopped. Nothing is lost; the same command again does what is missing.",
    "failed": "It could not go on. What was committed is kept; once the reason is gone, the same "
    "command again does what is missing.",
}

_pace = Pace()


# a run under way --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """How far a run is: ``share`` is None where nobody knows how much there is to do."""

    title: str
    stage: str
    share: float | None
    line: str


def going(manifest: RunManifest) -> Going:
    told = run_progress(manifest, _pace)
    where = f" · shard {told.shard}" * bool(told.shard) + f" · on {told.node}" * bool(told.node)
    title = visible(f"{manifest.name} · {manifest.id}{where} · since {since(manifest)}")
    if told.gone is None:
        return Going(title=title, stage="starting", share=None, line="")
    usd = money(told.cost_usd, told.budget_usd) if told.cost_usd or told.budget_usd else ""
    quiet = told.heard_s is not None and told.heard_s > WINDOW_S
    parts = [
        share(told.gone, told.total),
        f"{told.rate_per_s:.1f}/s" if told.rate_per_s else "",
        "" if told.left_s is None else f"about {duration(told.left_s)} left",
        f"{told.calls:,} calls" if told.calls else "",
        f"{told.waiting:,} put into batches" if told.waiting else "",
        failures(told.failed),
        f"{usd} USD" if usd else "price not known" if told.calls and told.cost_usd is None else "",
        _tokens(told.tokens_per_s),
        _gpus(told.gpus, "use"),
        f"⚠ nothing heard for {duration(told.heard_s or 0.0)}" if quiet else "",
    ]
    return Going(
        title=title,
        stage=visible(told.stage),
        share=min(1.0, told.gone / told.total) if told.total else None,
        line=" · ".join(part for part in parts if part),
    )


def _tokens(per_s: float | None) -> str:
    return f"{per_s:,.0f} tokens/s" if per_s else ""


def _gpus(seen: Sequence[Mapping[str, float]], use: str) -> str:
    """``GPU 0 at 90 %, 40 GiB``."""
    each = ((g["gpu"], 100 * g[use], g["peak_gib"]) for g in seen)
    return ", ".join(f"GPU {n} at {share:.0f} %, {gib:.0f} GiB" for n, share, gib in each)


def on_this_machine(manifest: RunManifest) -> list[str]:
    """What local models wrote a second, and what the GPUs did, of a run that has ended."""
    models: Mapping[str, Mapping[str, float]] = manifest.spend.get("models") or {}
    lines = [
        f"{name}: {told['tokens']:,} tokens in {duration(told['seconds'])}, "
        f"{_tokens(told['tokens_per_s'])}"
        for name, told in models.items()
    ]
    seen = _gpus(manifest.spend.get("gpus") or (), "mean_use")
    return [*lines, *([f"on average {seen} at most"] if seen else [])]


def status_lines(url: str) -> Iterator[str]:
    """What a store holds, and who is writing to it.

    Not cached: it is asked every other second, and answered from the ends of three indexes. A
    server does not say when it was written last.
    """
    with opened(url) as store:
        runs = store.runs_under_way()
        last = store.last_numbers()
    yield f"{last['judgments']:,} judgments · {last['answers']:,} answers"
    if failures := last["failures"]:
        yield f"{failures:,} failures to retry"
    if (at := written_at(mark_of(url))) is not None:
        yield f"last written {duration(max(0.0, time.time() - at))} ago"
    for run in runs:
        yield f"running: {run.name}, since {since(run)}"
        if run.counts:
            yield ", ".join(f"{count} {name}" for name, count in run.counts.items())


# a run that has ended ---------------------------------------------------------------------------


def state_of(run: RunManifest) -> str:
    return STATES[run.state]


def rows(runs: Sequence[RunManifest]) -> list[dict[str, str]]:
    """A line for each, all of it text."""
    return [
        {
            "state": state_of(run),
            "name": run.name,
            "started": when(run.started),
            "took": took(run),
            "failed": f"{run.counts['failed'] or 0:,}" if "failed" in run.counts else "",
            "USD": cost(run),
            "did": did(run),
            "about": ", ".join(benchmarks_of(run)),
            "run": run.id,
        }
        for run in runs
    ]


def took(run: RunManifest) -> str:
    if run.ended is not None:
        return duration(run.ended - run.started)
    return since(run) if run.state == "running" else "–"


def since(manifest: RunManifest) -> str:
    return duration(max(0.0, time.time() - manifest.started))


def did(manifest: RunManifest) -> str:
    """Counts in words; of a run that did not say them, how far it was when last heard of."""
    if manifest.counts:
        told = (
            f"{n:,} {name.replace('_', ' ')}"
            for name, n in manifest.counts.items()
            if n and name != "failed"
        )
        return ", ".join(told) or "nothing was missing"
    if told_last := manifest.progress:
        total = told_last["total"]
        return (
            f"{told_last['done']:,}" + ("" if total is None else f" of {total:,}") + " of a stage"
        )
    return ""


def cost(manifest: RunManifest) -> str:
    """What it spent, as it said itself; a dash where nobody was asked."""
    said = manifest.spend or manifest.progress
    if "cost_usd" not in said:
        return "–"
    return "not known" if said["cost_usd"] is None else dollars(said["cost_usd"])


def benchmarks_of(manifest: RunManifest) -> list[str]:
    """The names in a suite; of an import, none."""
    named = manifest.configuration.get("benchmarks")
    entries: list[Any] = named if isinstance(named, list) else []
    return list(dict.fromkeys(_names(entries)))


def _names(entries: Sequence[Any]) -> Iterator[str]:
    for entry in entries:
        name = entry.get("name") if isinstance(entry, Mapping) else entry
        if isinstance(name, str):
            yield name


def to_retry(kinds: Sequence[FailureKind]) -> tuple[Counter[str], Counter[str]]:
    """Failures by boundary and kind: those that asking again may help, and the others."""
    again, never = Counter[str](), Counter[str]()
    for kind in kinds:
        (again if kind.retriable else never)[f"{kind.kind} ({kind.boundary})"] += kind.n
    return again, never


def failure_lines(kinds: Sequence[FailureKind]) -> list[str]:
    """What failed and was not done since, and what is to be done about it."""
    again, never = to_retry(kinds)
    lines = []
    if again:
        lines.append(f"{_listed(again)}: the same run again asks again.")
    if never:
        lines.append(
            f"{_listed(never)}: asking again would give the same; the reason stands in "
            "judgebench's last lines, and with the items."
        )
    return lines


def _listed(failed: Counter[str]) -> str:
    return ", ".join(f"{n:,} {what.replace('_', ' ')}" for what, n in failed.most_common())


def budget(configuration: Mapping[str, Any]) -> str:
    """What a run may cost, as its suite limits it; empty where it does not."""
    limits = configuration.get("limits")
    most = limits.get("max_cost_usd") if isinstance(limits, Mapping) else None
    return f"{dollars(float(most))} USD" if isinstance(most, int | float) and most else ""
