"""Carry out the commands of a workflow here, as GitHub's runner would.

Steps that say ``run`` are executed in order, each in a shell of its own, with the environment of
the workflow, the job and the step. After one that failed only steps with ``if: always()`` are
executed. Steps that say ``uses`` are others' programs, and are left out with a word. What this
script does not know it refuses: a night tried out here must not mean something else there.

    python suites/nightly/as_ci_would.py .github/workflows/nightly.yml --skip Install \\
        --var NIGHTLY_ANSWERS=outputs/tonight.jsonl --input accept=true

It ends with the exit code of the first step that failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
CONTEXTS = ("secrets", "vars", "inputs", "github", "env")
STEP_KEYS = {"name", "run", "env", "if", "shell", "working-directory", "uses", "with", "id"}
CONDITIONS = {"success()": False, "always()": True}  # whether it is met after a failure

Values = Mapping[str, Mapping[str, str]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workflow", type=Path)
    parser.add_argument("--job", help="which one, where there are several")
    parser.add_argument("--skip", action="append", default=[], metavar="STEP", help="by its name")
    for what in ("secret", "var", "input", "env"):
        parser.add_argument(f"--{what}", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    workflow = yaml.safe_load(options.workflow.read_text(encoding="utf-8"))
    jobs = workflow["jobs"]
    if options.job is None and len(jobs) > 1:
        parser.error(f"--job is one of {', '.join(jobs)}")
    job = jobs[options.job or next(iter(jobs))]
    values = {
        "secrets": pairs(options.secret),
        "vars": pairs(options.var),
        "inputs": defaults(workflow) | pairs(options.input),
        "github": {"run_id": "1", "run_attempt": "1", "event_name": "workflow_dispatch"},
    }
    refuse_unknown_steps(job["steps"], options.skip)
    return carry_out(workflow, job, values, pairs(options.env), options.skip)


def pairs(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            sys.exit(f"{one!r} is not NAME=VALUE")
        found[name] = value
    return found


def defaults(workflow: Mapping[Any, Any]) -> dict[str, str]:
    """What the inputs of a run by hand are if nobody says; YAML reads the key ``on`` as true."""
    triggers = workflow.get("on", workflow.get(True)) or {}
    inputs = ((triggers.get("workflow_dispatch") or {}).get("inputs")) or {}
    return {name: text(one.get("default", "")) for name, one in inputs.items()}


def refuse_unknown_steps(steps: Sequence[Mapping[str, Any]], skip: Sequence[str]) -> None:
    """Before anything is executed."""
    for step in steps:
        if unknown := set(step) - STEP_KEYS:
            sys.exit(f"{called(step)}: not known here: {', '.join(sorted(unknown))}")
        if condition(step) not in CONDITIONS:
            sys.exit(f"{called(step)}: not known here: if: {step['if']}")
    if absent := set(skip) - {called(step) for step in steps}:
        sys.exit(f"no step called {', '.join(sorted(absent))}")


def carry_out(
    workflow: Mapping[str, Any],
    job: Mapping[str, Any],
    values: Values,
    changed: Mapping[str, str],
    skip: Sequence[str],
) -> int:
    """The steps in order.

    Parameters
    ----------
    changed
        Goes before the environment of the workflow and the job, as an edit of the file would.
    """
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(os.environ.get("GITHUB_STEP_SUMMARY") or Path(folder, "summary.md"))
        own = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
        own |= {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
        for section in (workflow, job):
            own |= expanded(section.get("env") or {}, values, own)
        own |= changed
        for step in job["steps"]:
            left_out = why_left_out(step, failed, skip)
            if left_out is not None:
                say(f"[left out] {called(step)}: {left_out}")
                continue
            say(f"[step] {called(step)}")
            environment = own | expanded(step.get("env") or {}, values, own)
            code = execute(step, environment, values, Path(folder))
            say(f"[exit code {code}] {called(step)}")
            failed = failed or code
    return failed


def why_left_out(step: Mapping[str, Any], failed: int, skip: Sequence[str]) -> str | None:
    if failed and not CONDITIONS[condition(step)]:
        return "a step before it failed"
    if "uses" in step:
        return f"uses {step['uses']}"
    return "as asked" if called(step) in skip else None


def condition(step: Mapping[str, Any]) -> str:
    said = str(step.get("if", "success()"))
    whole = EXPRESSION.fullmatch(said)
    return whole[1] if whole else said


def execute(
    step: Mapping[str, Any], environment: Mapping[str, str], values: Values, folder: Path
) -> int:
    """One step; secrets in what it says are hidden, as they are in the runner's log."""
    script = folder / "step.sh"
    script.write_text(filled(step["run"], values, environment), encoding="utf-8")
    shells = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}
    process = subprocess.Popen(
        [*shells[step.get("shell")], str(script)],
        cwd=step.get("working-directory"),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    for line in process.stdout:
        for secret in filter(None, values["secrets"].values()):
            line = line.replace(secret, "***")
        print(line, end="", flush=True)
    return process.wait()


def expanded(
    environment: Mapping[str, Any], values: Values, own: Mapping[str, str]
) -> dict[str, str]:
    return {name: filled(text(value), values, own) for name, value in environment.items()}


def filled(template: str, values: Values, environment: Mapping[str, str]) -> str:
    """A text with its ``${{ context.name }}`` filled in; what is not set is empty."""
    known = {**values, "env": environment}

    def value_of(match: re.Match[str]) -> str:
        context, dot, name = match[1].partition(".")
        if context not in CONTEXTS or not dot or not re.fullmatch(r"\w+", name):
            sys.exit(f"not known here: {match[0]}")
        return known[context].get(name, "")

    return EXPRESSION.sub(value_of, template)


def text(value: Any) -> str:
    """As the runner writes a value of YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def called(step: Mapping[str, Any]) -> str:
    return str(step.get("name") or step.get("uses") or step.get("run"))


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
