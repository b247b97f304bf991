"""Suites and policies that are at hand, and what `judgebench plan`, a child, says of one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judgebench.errors import JudgebenchError
from judgebench.plain_text import dollars, printable
from judgebench.reports.gate_policy import Policy, read_policy
from judgebench.secret import redact, secrets_of

MOST_SUITES = 200
LONGEST = 1_000_000
"""Characters of a file beyond which it is no suite."""

PLAN_S = 300.0
_SUITE = re.compile(r"^benchmarks:", re.MULTILINE)
_POLICY = re.compile(r"^tests:(?s:.*)\bmax_drop:", re.MULTILINE)


def suites() -> list[str]:
    """Suites in the working directory and below ``suites/``, as a command line would name them."""
    return _at_hand(_SUITE)


def policies() -> tuple[dict[str, Policy], list[str]]:
    """The policies of gates in the same places by their files, and what is wrong with others."""
    found, faults = {}, []
    for file in _at_hand(_POLICY):
        try:
            found[file] = read_policy(Path(file))
        except JudgebenchError as error:
            faults.append(str(error))
    return found, faults


def _at_hand(wanted: re.Pattern[str]) -> list[str]:
    files = [*Path().glob("*.yaml"), *Path("suites").rglob("*.yaml")]
    return sorted(str(file) for file in files if _says(file, wanted))[:MOST_SUITES]


def _says(file: Path, wanted: re.Pattern[str]) -> bool:
    try:
        return file.stat().st_size < LONGEST and bool(wanted.search(file.read_text("utf-8")))
    except (OSError, UnicodeDecodeError):
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run of a suite would do, or why it would not, in the command's own words."""

    rows: Sequence[Mapping[str, str]] = ()
    line: str = ""
    why_not: str = ""
    lacking: Sequence[str] = ()
    """What a run would lack here, a sentence each."""
    total: Mapping[str, Any] = field(default_factory=dict)


def plan(url: str, suite: str) -> Plan:
    """Ask `judgebench plan`, which sends nothing and writes nothing."""
    command = [sys.executable, "-m", "judgebench.cli.main", "plan", "--store", url]
    try:
        done = subprocess.run(
            [*command, "--format", "json", "--", suite],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PLAN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Plan(why_not=f"judgebench plan had said nothing after {PLAN_S:.0f} s")
    except OSError as error:
        return Plan(why_not=f"judgebench plan could not be started: {error.strerror or error}")
    said = redact(done.stderr.decode("utf-8", "replace"), secrets_of(os.environ))
    if done.returncode != 0:
        return Plan(why_not=printable("\n".join(said.splitlines()[-20:]), lines=True))
    found = json.loads(done.stdout)
    return Plan(
        rows=[_row(row) for row in found["rows"]],
        line=_line(found["total"], len(found["rows"])),
        lacking=[f"{need['what']}: {need['found']}" for need in found["lacking"]],
        total=found["total"],
    )


def _row(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "benchmark": f"{row['benchmark']}@{row['version']}",
        "model": row["model"] or "",
        "judge": row["judge"] or "",
        "items": f"{row['items']:,}",
        "generations": f"{row['generations']:,}",
        "judge calls": f"{row['judge_calls']:,}",
        "there already": f"{row['recorded']:,}",
        "tokens": ("≤ " if row["upper_bound"] else "")
        + f"{row['prompt_tokens'] + row['completion_tokens']:,}",
        "USD": _usd(row["cost_usd"]),
    }


def _line(total: Mapping[str, Any], n_rows: int) -> str:
    """All of it in one line."""
    if not n_rows:
        return "There is nothing to do."
    return (
        f"In all: {total['generations']:,} generations, {total['judge_calls']:,} judge calls, "
        f"{total['recorded']:,} verdicts that need none · {_price(total['cost_usd'])}"
    )


def _price(cost: Mapping[str, float] | None) -> str:
    if cost is None:
        return "price not known for all of it"
    return f"{_usd(cost)} USD" if cost["high"] else "nothing that costs money"


def _usd(cost: Mapping[str, float] | None) -> str:
    if cost is None:
        return "not known"
    if not cost["high"]:
        return ""
    return f"{dollars(cost['expected'])} ({dollars(cost['low'])}–{dollars(cost['high'])})"
