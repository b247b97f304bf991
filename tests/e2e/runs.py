"""What the tests of whole runs share: suites written to a folder, and the command line."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import psutil  # type: ignore[import-untyped]
import yaml

from judgebench.cli.main import run

ROOT = Path(__file__).resolve().parents[2]
MINI = ROOT / "tasks" / "trivia_judging_mini"
COMMAND = ("-m", "judgebench.cli.main")


def suite(
    folder: Path,
    url: str = "",
    *,
    limit: int = 6,
    takers: Sequence[str] = ("model-terse", "model-weak"),
    answers: Path = MINI / "answers.jsonl",
    judge: Mapping[str, Any] | None = None,
    more_judges: Sequence[Mapping[str, Any]] = (),
    benchmark: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    **parts: Any,
) -> Path:
    """A suite over the small set, judged lexically and, where there is a ``url``, by a model.

    ``judge`` changes that judge, ``more_judges`` are like it but for what they say; ``benchmark``
    and ``limits`` add to those sections, and ``parts`` take the place of whole ones.
    """
    judges = ["exact_match", "contains"]
    written: dict[str, Any] = {
        "name": "test",
        "models": [{"name": t, "responses": str(answers)} for t in takers],
        "benchmarks": [
            {"name": "trivia_judging_mini", "judges": judges, "limit": limit, **(benchmark or {})}
        ],
        "limits": {"max_connections": 4, "max_retries": 1, "timeout_s": 20, **(limits or {})},
        "store": store_url(folder),
    }
    if url:
        model = {
            "name": "small",
            "provider": "openai_compatible",
            "model": "loopback",
            "base_url": url,
        }
        written["judges"] = [model | dict(j) for j in (judge or {}, *more_judges)]
        judges += [j["name"] for j in written["judges"]]
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written | parts, allow_unicode=True), encoding="utf-8")
    return path


def store_url(folder: Path) -> str:
    """Where a suite of `suite` keeps its results: a file, unless `keep_at` said otherwise."""
    elsewhere = folder / "store-url"
    return elsewhere.read_text() if elsewhere.exists() else f"sqlite:///{folder / 'store.db'}"


def keep_at(folder: Path, url: str) -> None:
    """Results of the suites of a folder go to a store on a server."""
    (folder / "store-url").write_text(url)


@contextlib.contextmanager
def no_process_left() -> Iterator[None]:
    """What is started inside has ended; what other tests started goes on."""
    before = set(psutil.Process().children(recursive=True))
    yield
    left = set(psutil.Process().children(recursive=True)) - before
    assert not left, [process.cmdline() for process in left]


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


def typed(*words: str | Path, environment: Mapping[str, str] | None = None) -> Done:
    """Carry out a command line in this process, which takes a fraction of the time."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment or {}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run([str(word) for word in words])
    return Done(code, out.getvalue(), err.getvalue())


def judgebench(
    *arguments: str | Path, environment: Mapping[str, str] | None = None, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, *COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
    )


def start(
    *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start the command line, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, *COMMAND, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
        env={**os.environ, **(environment or {})},
    )


def eventually(condition: Callable[[], object], wait_s: float = 30) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.02)


def board(store: str, benchmark: str = "trivia_judging_mini") -> Any:
    """The leaderboard as JSON."""
    done = typed("leaderboard", benchmark, "--store", store, "--format", "json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def rows(folder: Path) -> dict[tuple[str, str], Any]:
    """The rows of the leaderboard over a suite's store, by judge and model."""
    done = typed(
        *("leaderboard", "trivia_judging_mini", "--store", store_url(folder), "--format", "json")
    )
    assert done.code == 0, done.err
    boards = json.loads(done.out)["boards"]
    return {(board["judge"], row["model"]): row for board in boards for row in board["rows"]}


def planned(suite: Path) -> dict[str, int]:
    """What is missing: generations, judge calls, and verdicts that need none."""
    done = typed("plan", suite, "--format", "json")
    assert done.code == 0, done.err
    total = json.loads(done.out)["total"]
    return {name: total[name] for name in ("generations", "judge_calls", "recorded")}
