"""What ran and what is running: a list, a manifest, which run a person means, how far runs are."""

from __future__ import annotations

import json
import re
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from judgebench.errors import UsageError, unknown_name
from judgebench.plain_text import dollars
from judgebench.records import RunManifest
from judgebench.reports.document import Report, Table, column, json_field, table

WIDE = 100
"""Characters of a value beyond which it stands in several lines."""

WINDOW_S = 30.0
"""Over how long the rate of a run is taken, so that it follows and does not flutter."""

KEPT = 1024
"""Runs whose rate is followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunList(Report):
    """The runs and imports of a store, the newest last."""

    runs: tuple[RunManifest, ...]

    def tables(self) -> list[Table]:
        notes = [] if self.runs else ["none yet; `judgebench run SUITE.yaml` starts one"]
        return [
            table(
                "runs",
                self.runs,
                [
                    column("run", lambda run: run.id),
                    column("name", lambda run: run.name, wraps=True),
                    column("state", lambda run: run.state),
                    column("started (UTC)", lambda run: _time(run.started), spare=True),
                    column(
                        "seconds",
                        lambda run: "" if run.ended is None else f"{run.ended - run.started:.1f}",
                        align="right",
                        spare=True,
                    ),
                    column("counts", lambda run: _counts(run.counts), wraps=True, spare=True),
                ],
                notes=notes,
            )
        ]

    def records(self) -> list[dict[str, Any]]:
        return [_summary(run) | {"counts": _counts(run.counts)} for run in self.runs]

    def to_dict(self) -> dict[str, Any]:
        return {"runs": [_summary(run) for run in self.runs]}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails(Report):
    """A run with its manifest."""

    manifest: RunManifest

    def tables(self) -> list[Table]:
        lines = [
            (field if n == 0 else "", line)
            for field, value in self._fields().items()
            for n, line in enumerate(_lines(value))
        ]
        return [
            table(
                f"run {self.manifest.id}",
                lines,
                [
                    column("field", lambda line: line[0]),
                    column("value", lambda line: line[1], wraps=True),
                ],
            )
        ]

    def records(self) -> list[dict[str, Any]]:
        return [{"field": name, "value": _text(value)} for name, value in self._fields().items()]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self.manifest)

    def _fields(self) -> dict[str, Any]:
        run = self.manifest
        return {
            **_summary(run),
            "git": run.git_sha or "",
            "seeds": run.seeds,
            "data": run.data_sha,
            "versions": run.versions,
            "configuration": run.configuration,
        }


def _lines(value: Any) -> Sequence[str]:
    """A value in one line, or as in a suite what would be a wide one."""
    import yaml

    line = _text(value)
    if len(line) <= WIDE or isinstance(value, str):
        return [line]
    text: str = yaml.safe_dump(value, allow_unicode=True, sort_keys=False)
    return text.splitlines()


def _summary(run: RunManifest) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "started": _time(run.started),
        "ended": None if run.ended is None else _time(run.ended),
        "counts": dict(run.counts),
    }


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items() if n)


# which run is named ------------------------------------------------------------------------------

_LATEST = re.compile(r"(?:latest|last)(?:~(\d+))?")


def run_ref(runs: Sequence[RunManifest], wanted: str, store: str) -> RunManifest:
    """The run of that id, of the only id that begins so, or the ``latest`` that was no import.

    ``latest~1`` is the one before. Imports count only where there is nothing else; ``last`` is
    another word for ``latest``.

    Parameters
    ----------
    runs
        In the order in which they were started.

    Raises
    ------
    UsageError
        Where there is none, or several.
    """
    if not runs:
        raise UsageError(f"{store} holds no run yet; `judgebench run SUITE.yaml` starts one")
    if (ago := _LATEST.fullmatch(wanted)) is not None:
        return _ago(runs, int(ago[1] or 0), wanted)
    found = [run for run in runs if run.id.startswith(wanted)]
    if len(found) > 1 and (exact := [run for run in found if run.id == wanted]):
        found = exact
    if not found:
        raise UsageError(unknown_name("run", wanted, ["latest", *(run.id for run in runs[-10:])]))
    if len(found) > 1:
        raise UsageError(f"{wanted!r} begins several runs: {', '.join(run.id for run in found)}")
    return found[0]


def _ago(runs: Sequence[RunManifest], ago: int, wanted: str) -> RunManifest:
    counted = [run for run in runs if "import" not in run.configuration] or runs
    if ago >= len(counted):
        what = "run" if counted is not runs else "import"
        raise UsageError(
            f"there is no {wanted!r}: the store has {len(counted)} {what}"
            f"{'' if len(counted) == 1 else 's'}; `judgebench runs list` shows them"
        )
    return counted[-1 - ago]


# how far runs are ---------------------------------------------------------------------------------


class Pace:
    """What runs do a second, of late; of the stage as a whole until there was a second look."""

    def __init__(self) -> None:
        self._looked: dict[str, deque[tuple[float, int]]] = {}

    def of(self, run: RunManifest, gone: int) -> float:
        told: Mapping[str, float] = run.progress
        looks = self._looked.setdefault(f"{run.id} {told['began']}", deque(maxlen=120))
        if len(self._looked) > KEPT:
            del self._looked[next(iter(self._looked))]
        if not looks or looks[-1][0] < told["at"]:
            looks.append((told["at"], gone))
        while looks[-1][0] - looks[0][0] > WINDOW_S:
            looks.popleft()
        (first_at, first), (last_at, last) = looks[0], looks[-1]
        if last_at > first_at:
            return (last - first) / (last_at - first_at)
        return gone / max(told["at"] - told["began"], 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far a run is: its stage, of which so much is ``gone``, be it done, failed or put off.

    ``shard`` is its part of the items, as 3/16; ``heard_s`` for how long nothing was heard of it.
    What is not known, as the rate of a run that has ended, is None.
    """

    run: str
    name: str
    shard: str
    node: str
    state: str
    age_s: float
    stage: str = ""
    gone: int | None = None
    total: int | None = None
    rate_per_s: float | None = None
    left_s: float | None = None
    waiting: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    tokens_per_s: float | None = None
    cost_usd: float | None = None
    gpus: Sequence[Mapping[str, float]] = ()
    budget_usd: float | None = None
    heard_s: float | None = None


def shard_of(run: RunManifest) -> str:
    """As 3/16; empty for a run of all items."""
    narrowed = run.configuration.get("narrowed")
    return str(narrowed.get("shard") or "") if isinstance(narrowed, Mapping) else ""


def run_progress(run: RunManifest, pace: Pace, now: float | None = None) -> RunProgress:
    """How far a run is, as its manifest says; ``pace`` remembers what it said before."""
    now = time.time() if now is None else now
    told: Mapping[str, Any] = run.progress
    about: dict[str, Any] = {
        "run": run.id,
        "name": run.name,
        "shard": shard_of(run),
        "node": run.node,
        "state": run.state,
        "age_s": max(0.0, now - run.started),
        "cost_usd": (told or run.spend).get("cost_usd"),
    }
    if not told:
        n = run.counts.get("failed", 0)
        return RunProgress(**about, failed={"other": n} if n else {})
    gone = told["done"] + told["waiting"] + sum(told["failed"].values())
    goes_on = run.state == "running"
    rate = pace.of(run, gone) if goes_on else None
    total = told["total"]
    tokens, seconds = told.get("tokens", 0), told["at"] - told["began"]
    return RunProgress(
        **about,
        stage=told["stage"],
        gone=gone,
        total=total,
        rate_per_s=rate,
        left_s=(total - gone) / rate if rate and total is not None and total > gone else None,
        waiting=told["waiting"],
        failed=dict(told["failed"]),
        calls=told.get("calls", 0),
        tokens_per_s=told.get("tokens_per_s") or (tokens / max(seconds, 1.0) if goes_on else None),
        gpus=told.get("gpus") or (),
        budget_usd=told.get("budget_usd"),
        heard_s=max(0.0, now - told["at"]) if goes_on else None,
    )


def watched(runs: Iterable[RunManifest], wanted: RunManifest | None = None) -> list[RunManifest]:
    """Those under way, or the one that is wanted, with what ran last of each shard beside them.

    Parameters
    ----------
    runs
        The newest first.
    """
    runs = [run for run in runs if "import" not in run.configuration]
    chosen = [run for run in runs if run.state == "running"] if wanted is None else [wanted]
    about = {_whole(run) for run in chosen or runs[:1]}
    newest: dict[tuple[str, str], RunManifest] = {}
    for run in (*chosen, *runs):
        if _whole(run) in about:
            newest.setdefault((run.name, shard_of(run)), run)
    others = [run for run in chosen if run not in newest.values()]
    return sorted(
        [*newest.values(), *others],
        key=lambda run: (run.name, int(shard_of(run).partition("/")[0] or 0)),
    )


def _whole(run: RunManifest) -> tuple[str, str]:
    """What all shards of one suite have in common."""
    return run.name, shard_of(run).partition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsWatch(Report):
    """How far runs are, shard by shard and node by node; ``unread``: why stores were not read."""

    runs: tuple[RunProgress, ...]
    unread: tuple[str, ...] = ()
    pace: Pace = json_field(hidden=True, default_factory=Pace)

    def tables(self) -> list[Table]:
        notes = [*self._together(), *(f"not read: {why}" for why in self.unread)]
        return [
            table(
                "runs",
                self.runs,
                [
                    column("run", lambda run: run.name, wraps=True),
                    column("shard", lambda run: run.shard, align="right", optional=True),
                    column("node", lambda run: run.node, optional=True),
                    column("state", _state),
                    column(
                        "began", lambda run: f"{duration(run.age_s)} ago", align="right", spare=True
                    ),
                    column("stage", lambda run: run.stage, wraps=True),
                    column("done", lambda run: share(run.gone, run.total), align="right"),
                    column("rate", lambda run: _figure(run.rate_per_s, "{:.1f}/s"), align="right"),
                    column("left", lambda run: "" if run.left_s is None else duration(run.left_s)),
                    column("failed", lambda run: failures(run.failed), wraps=True, optional=True),
                    column("USD", lambda run: money(run.cost_usd, run.budget_usd), align="right"),
                    column(
                        "tokens/s", lambda run: _figure(run.tokens_per_s, "{:,.0f}"), align="right"
                    ),
                ],
                notes=notes,
            )
        ]

    def _together(self) -> list[str]:
        """What those under way do together."""
        going = [run for run in self.runs if run.state == "running"]
        if not going:
            return ["nothing is under way"]
        failed: Counter[str] = Counter()
        for run in self.runs:
            failed.update(run.failed)
        known = [run.total for run in going if run.total is not None]
        left = [run.left_s for run in going if run.left_s is not None]
        costs = [run.cost_usd for run in self.runs if run.cost_usd is not None]
        said = [
            f"{len(going)} under way",
            share(sum(run.gone or 0 for run in going), sum(known) if known else None),
            f"{sum(run.rate_per_s or 0.0 for run in going):.1f}/s",
            f"about {duration(max(left))} left of these stages" if left else "",
            failures(failed),
            f"{money(sum(costs), None)} USD" if any(costs) else "",
            f"{sum(run.tokens_per_s or 0.0 for run in going):,.0f} tokens/s",
        ]
        return [", ".join(filter(None, said))]

    def records(self) -> list[dict[str, Any]]:
        return [asdict(run) | {"failed": sum(run.failed.values())} for run in self.runs]


def duration(seconds: float) -> str:
    """The largest unit that fits: ``42 s``, ``7 min``, ``3 h``, ``12 d``."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def share(gone: int | None, total: int | None) -> str:
    """``403 of 960``."""
    return "" if gone is None else f"{gone:,}" if total is None else f"{gone:,} of {total:,}"


def failures(by_kind: Mapping[str, int]) -> str:
    """``3 failed (1 server, 2 timeout)``."""
    total = sum(by_kind.values())
    kinds = ", ".join(f"{n:,} {kind.replace('_', ' ')}" for kind, n in sorted(by_kind.items()))
    return f"{total:,} failed ({kinds})" if total else ""


def money(cost_usd: float | None, budget_usd: float | None) -> str:
    """``0.84 of 20``, in US dollars; empty where a price is not known."""
    of = "" if budget_usd is None else f" of {budget_usd:g}"
    return "" if cost_usd is None else f"{dollars(cost_usd)}{of}"


def _state(run: RunProgress) -> str:
    quiet = run.heard_s is not None and run.heard_s > WINDOW_S
    return f"nothing heard for {duration(run.heard_s or 0.0)}" if quiet else run.state


def _figure(value: float | None, form: str) -> str:
    return form.format(value) if value else ""
