"""A run sent to an experiment tracker: its numbers with their intervals, its board, its manifest.

A tracker's client runs in a process of its own, which is ended when it takes too long: whatever it
does, prints, waits for or leaves behind, the run and the program that sends it are not touched.
What it says is shown in one line, without any key.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from judgebench.errors import JudgebenchError, UsageError, refuse_unknown
from judgebench.extras import absent, install_line
from judgebench.keys import text_sha
from judgebench.plain_text import printable
from judgebench.records import RunManifest
from judgebench.secret import redact, secrets_of

AT_MOST_S = 120.0
"""How long a tracker may take, with everything it retries."""

PROJECT = "judgebench"
"""The project or experiment where the tracker's own variables name none."""

_LONGEST = 300
_LONGEST_NAME, _LONGEST_PARAMETER = 200, 500
_LINE = "judgebench tracker: "
_IN_NO_NAME = re.compile(r"[^\w. /-]")


class TrackerError(JudgebenchError):
    """A tracker did not take a run; ``judgebench export`` sends it later."""

    exit_code = 69


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRun:
    """What a tracker is told.

    Parameters
    ----------
    metrics
        ``BENCHMARK/METRIC/JUDGE/MODEL`` -> the estimate, with ``.low`` and ``.high`` beside it.
    board
        A row for each number, as of ``judgebench leaderboard --format csv``.
    config
        The run's manifest; ``without_board`` says of which of its benchmarks there is none, and
        why.
    """

    id: str
    name: str
    metrics: Mapping[str, float]
    board: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any]


def tracked(
    manifest: RunManifest,
    board: Iterable[Mapping[str, Any]],
    without: Mapping[str, str] | None = None,
) -> TrackedRun:
    """A run with the board of what it judged.

    What is undefined is no metric: the board says why. ``without`` are the reasons why there is no
    board of a benchmark that was judged.
    """
    rows = [{name: _finite(value) for name, value in row.items()} for row in board]
    versions: dict[str, set[str]] = {}
    for row in rows:
        versions.setdefault(row["benchmark"], set()).add(row["version"])
    metrics: dict[str, float] = {}
    for row in rows:
        several = len(versions[row["benchmark"]]) > 1
        about = f"{row['benchmark']}@{row['version']}" if several else row["benchmark"]
        judge = (
            row["judge"] if row.get("opponent") is None else f"{row['judge']} vs {row['opponent']}"
        )
        parts = about, row["metric"], judge, row["model"]
        name = _metric_name(metrics, "/".join(_IN_NO_NAME.sub("_", part) for part in parts), parts)
        for end, column in (("", "value"), (".low", "low"), (".high", "high")):
            if isinstance(value := row[column], int | float):
                metrics[name + end] = float(value)
    config = json.loads(json.dumps(asdict(manifest), default=str))
    if without:
        config["without_board"] = dict(without)
    return TrackedRun(
        id=manifest.id, name=manifest.name, metrics=metrics, board=rows, config=config
    )


def _metric_name(taken: Mapping[str, float], name: str, parts: Sequence[str]) -> str:
    """One that MLflow takes, and that no other number has."""
    if name not in taken and len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}-{text_sha(json.dumps(parts))[:6]}"


def _finite(value: Any) -> Any:
    if hasattr(value, "item"):  # a number of numpy's
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def send(tracker: str, run: TrackedRun, *, at_most_s: float = AT_MOST_S) -> str:
    """Send a run to a tracker, or again what has become of it; returned is where it is.

    Raises
    ------
    UsageError
        For a tracker that nobody knows, or whose package is not installed.
    TrackerError
        Where it is offline, refuses the key or takes too long; in one line and without a key.
    """
    refuse_unknown("tracker", [tracker], TRACKERS, error=UsageError)
    if absent(tracker):
        raise UsageError(f"the package {tracker} is not installed: {install_line(tracker)}")
    secrets = secrets_of(os.environ)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, tracker],  # the folder may have a mlflow.py
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as child:
        try:
            said, _ = child.communicate(json.dumps(asdict(run)), timeout=at_most_s)
        except subprocess.TimeoutExpired:
            raise TrackerError(f"no answer within {at_most_s:g} s") from None
        finally:
            with suppress(ProcessLookupError):  # what the client started goes with it
                os.killpg(child.pid, signal.SIGKILL)
    lines = [
        line for line in printable(redact(said, secrets), lines=True).splitlines() if line.strip()
    ]
    last = lines[-1] if lines else f"it ended with {child.returncode} and said nothing"
    if child.returncode:
        raise TrackerError(last.removeprefix(_LINE)[:_LONGEST])
    return last.removeprefix(_LINE)


# in the process of its own ----------------------------------------------------------------------


def _send_to_wandb(run: TrackedRun) -> str:
    import wandb

    settings = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        init_timeout=30,
    )
    columns, rows = _table(run)
    with wandb.init(
        project=os.environ.get("WANDB_PROJECT") or PROJECT,
        id=run.id,
        name=run.name,
        config=dict(run.config),
        resume="allow",
        settings=settings,
    ) as sent:
        sent.log({**run.metrics, "board": wandb.Table(columns=columns, data=rows)})
        return sent.url or f"{Path(sent.dir).parent} (`wandb sync` sends it)"


def _send_to_mlflow(run: TrackedRun) -> str:
    for name, value in (("MAX_RETRIES", "2"), ("TIMEOUT", "20")):
        os.environ.setdefault(f"MLFLOW_HTTP_REQUEST_{name}", value)
    import mlflow

    experiment = mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT)
    there = mlflow.MlflowClient().search_runs(
        [experiment.experiment_id], filter_string=f"tags.`judgebench.run` = '{run.id}'"
    )
    known = there[0].data.params if there else {}  # what is written once stays
    parameters = {name: text for name, text in _flat(run.config) if name not in known}
    with mlflow.start_run(
        run_id=there[0].info.run_id if there else None,
        run_name=run.name,
        tags={"judgebench.run": run.id},
    ) as sent:
        for some in _chunks(parameters):
            mlflow.log_params(some)
        for some in _chunks(run.metrics):
            mlflow.log_metrics(some)
        mlflow.log_dict(dict(run.config), "manifest.json")
        columns, rows = _table(run)
        mlflow.log_dict({"columns": columns, "data": rows}, "board.json")
        return f"{mlflow.get_tracking_uri()}: run {sent.info.run_id}"


def _chunks(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """As many as MLflow takes at once."""
    rest = iter(values.items())
    while some := dict(islice(rest, 100)):
        yield some


def _table(run: TrackedRun) -> tuple[list[str], list[list[Any]]]:
    columns = list(dict.fromkeys(name for row in run.board for name in row))
    return columns, [[_cell(row.get(name)) for name in columns] for row in run.board]


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else json.dumps(value)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value by itself, as a text: ``configuration.judges.0.name``."""
    named = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else None
    )
    if named is None:
        yield path[:_LONGEST_NAME], str(value)[:_LONGEST_PARAMETER]
        return
    for name, part in named:
        yield from _flat(part, f"{path}.{_IN_NO_NAME.sub('_', str(name))}".lstrip("."))


TRACKERS: Mapping[str, Callable[[TrackedRun], str]] = {
    "wandb": _send_to_wandb,
    "mlflow": _send_to_mlflow,
}


def main(tracker: str) -> int:
    """Read a run from standard input, send it, and say where it is in the last line."""
    run = TrackedRun(**json.load(sys.stdin))
    try:
        with redirect_stdout(sys.stderr):
            said, code = TRACKERS[tracker](run), 0
    except Exception as error:  # noqa: BLE001 - whatever a client raises is what it says
        said, code = " ".join(f"{type(error).__name__}: {error}".split()), 1
    sys.stderr.flush()
    print(f"\n{_LINE}{said}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
