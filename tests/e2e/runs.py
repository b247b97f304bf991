"""What the tests of whole runs share: suites written to a folder, and the command as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
MINI = ROOT / "tasks" / "trivia_judging_mini"
COMMAND = [sys.executable, "-m", "judgebench.cli.main"]


def suite(
    folder: Path,
    url: str = "",
    *,
    limit: int = 6,
    takers: Sequence[str] = ("taker-terse", "taker-weak"),
    judge: Mapping[str, Any] | None = None,
    **parts: Any,
) -> Path:
    """A suite over the small set, judged lexically and, where there is a ``url``, by a model."""
    judges = ["exact_match", "contains"]
    written: dict[str, Any] = {
        "name": "test",
        "models": [{"name": t, "responses": str(MINI / "answers.jsonl")} for t in takers],
        "benchmarks": [{"name": "trivia_judging_mini", "judges": judges, "limit": limit}],
        "limits": {"max_connections": 4, "max_retries": 1, "timeout_s": 20},
        "store": f"sqlite:///{folder / 'store.db'}",
    }
    if url:
        model = {
            "name": "small",
            "provider": "openai_compatible",
            "model": "loopback",
            "base_url": url,
        }
        written["judges"] = [model | dict(judge or {})]
        judges.append("small")
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written | parts, allow_unicode=True), encoding="utf-8")
    return path


def judgebench(
    *arguments: str | Path, environment: Mapping[str, str] | None = None, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
    )


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start the command line, in a process group of its own."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )


def board(store: str, benchmark: str = "trivia_judging_mini") -> Any:
    """The leaderboard as JSON."""
    done = judgebench("leaderboard", benchmark, "--store", store, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
