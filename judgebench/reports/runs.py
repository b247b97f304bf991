"""What ran: the runs of a store in a list, one with its manifest, and which one a person means."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from judgebench.errors import UsageError, unknown_name
from judgebench.records import RunManifest
from judgebench.reports.document import Cells, Report, Table, column, table

WIDE = 100
"""Characters of a value beyond which it stands in several lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunList(Report):
    """The runs and imports of a store, the newest last."""

    runs: tuple[RunManifest, ...]

    def tables(self) -> list[Table]:
        columns: list[Cells[RunManifest]] = [
            column("run", lambda run: run.id),
            column("name", lambda run: run.name, wraps=True),
            column("state", lambda run: run.state),
            column("started (UTC)", lambda run: _time(run.started), spare=True),
            column("seconds", _seconds, align="right", spare=True),
            column("counts", lambda run: _counts(run.counts), wraps=True, spare=True),
        ]
        notes = [] if self.runs else ["none yet; `judgebench run SUITE.yaml` starts one"]
        return [table("runs", self.runs, columns, notes=notes)]

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
        columns: list[Cells[tuple[str, str]]] = [
            column("field", lambda line: line[0]),
            column("value", lambda line: line[1], wraps=True),
        ]
        return [table(f"run {self.manifest.id}", lines, columns)]

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


def _seconds(run: RunManifest) -> str:
    return "" if run.ended is None else f"{run.ended - run.started:.1f}"


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
