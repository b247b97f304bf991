"""The nightly workflow, its commands carried out as CI would: what is red, and what moves on."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from judgebench.cli.main import COMMANDS
from judgebench.reports.gate_policy import read_policy
from judgebench.store.opening import open_store
from tests.e2e.runs import MINI, ROOT
from tests.warm import Warm

WORKFLOW = ROOT / ".github" / "workflows" / "nightly.yml"
RUNNER = ROOT / "suites" / "nightly" / "as_ci_would.py"
GOOD, WEAK = "model-careful", "model-weak"
SMALL = ROOT / "tests" / "data" / "small_model_answers.jsonl"
"""What SmolLM2-135M answered, kept by perf/small_model_nights.py."""


@dataclass
class Night:
    """How a night ended: its exit code, its log, the steps carried out, and what it left behind."""

    code: int
    log: str
    folder: Path
    steps: list[str] = field(default_factory=list)

    @property
    def gate(self) -> Any:
        return json.loads((self.folder / "build" / "gate" / "gate.json").read_text())

    @property
    def baseline(self) -> str:
        """What the model that counts as the last good one answered to the first question."""
        with open_store(f"sqlite:///{self.folder}/results/nightly.db", read_only=True) as store:
            last = store.baselines()[-1]
            table = store.responses_table(last.benchmark, last.version)
        rows = zip(table["model_id"], table["item_id"], table["text"], strict=True)
        return next(text for model, item, text in rows if (model, item) == (last.model_id, "0"))


class Repository:
    """A team's checkout between nights: the store stays, as the cache would keep it."""

    def __init__(self, folder: Path, warm: Warm) -> None:
        self.folder = folder
        self.warm = warm
        for name in ("suites", "tasks"):
            (folder / name).symlink_to(ROOT / name)
        programs = folder / "bin"
        programs.mkdir()
        program = programs / "judgebench"
        program.write_text(f'#!/bin/sh\nexec {warm.executable} -m judgebench.cli.main "$@"\n')
        program.chmod(0o755)
        path = os.pathsep.join([str(programs), os.environ["PATH"]])
        self.environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
        for name in ("JUDGEBENCH_STORE", "OPENAI_API_KEY", "NIGHTLY_ANSWERS"):
            self.environment.pop(name, None)

    def night(
        self, answers: Mapping[str, str] | None, *options: str, summary: Path | None = None
    ) -> Night:
        """Tonight's model answers so; None for a team that forgot to say where its answers are."""
        said = [] if answers is None else ["--var", f"NIGHTLY_ANSWERS={self.file(answers)}"]
        own = {} if summary is None else {"GITHUB_STEP_SUMMARY": str(summary)}
        done = subprocess.run(
            [sys.executable, str(RUNNER), str(WORKFLOW), "--skip", "Install", *said, *options],
            cwd=self.folder,
            env=self.environment | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        lines = done.stdout.splitlines()
        steps = [line.removeprefix("[step] ") for line in lines if line.startswith("[step] ")]
        return Night(done.returncode, done.stdout, self.folder, steps)

    def file(self, answers: Mapping[str, str]) -> Path:
        path = self.folder / "tonight.jsonl"
        rows = [
            {"benchmark": "trivia_judging_mini", "item_id": item, "model": "nightly", "text": text}
            for item, text in answers.items()
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path


def answers_of(taker: str, file: Path = MINI / "answers.jsonl") -> dict[str, str]:
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return {row["item_id"]: row["text"] for row in rows if row["model"] == taker}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Repository:
    """A repository after its first night, on which somebody accepted the model."""
    repository = Repository(tmp_path_factory.mktemp("team"), warm)
    first = repository.night(answers_of(GOOD))
    assert first.code == 64, first.log
    assert "Nor has a baseline that name; `judgebench baseline set` would give it one" in first.log
    accepted = repository.night(answers_of(GOOD), "--input", "accept=true")
    assert accepted.code == 0, accepted.log
    return repository


@pytest.fixture
def repository(started: Repository, tmp_path: Path) -> Repository:
    """One of its own for each test, as it was after the first night."""
    own = Repository(tmp_path, started.warm)
    shutil.copytree(started.folder / "results", tmp_path / "results")
    return own


def test_a_model_is_no_worse_than_itself(repository: Repository) -> None:
    night = repository.night(answers_of(GOOD))
    assert (night.code, night.gate["verdict"]) == (0, "pass"), night.log
    assert "the candidate is the baseline, nightly: nothing changed" in night.log
    assert "::error" not in night.log


def test_an_equal_one_is_green_and_the_baseline_moves_on(repository: Repository) -> None:
    otherwise = {item: f"I say: {text}" for item, text in answers_of(GOOD).items()}
    night = repository.night(otherwise)
    assert (night.code, night.gate["verdict"]) == (0, "pass"), night.log
    assert night.steps[-1] == "Advance the baseline"
    assert night.baseline == otherwise["0"]
    slide = night.gate["tests"][0]["slide"]
    assert (slide["baseline"], slide["outcome"], slide["nights"]) == ("accepted", "none", 1)


def test_a_worse_one_is_red_and_the_baseline_stays(repository: Repository, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    night = repository.night(answers_of(WEAK), summary=summary)
    assert (night.code, night.gate["verdict"]) == (1, "regression"), night.log
    assert "[left out] Advance the baseline: a step before it failed" in night.log
    assert night.baseline == answers_of(GOOD)["0"]
    (error,) = [line for line in night.log.splitlines() if line.startswith("::error")]
    assert "accuracy fell from" in error
    assert summary.read_text().startswith("### REGRESSION: nightly against last-green")
    page = (repository.folder / "build" / "gate" / "gate.html").read_text()
    assert "candidate&#x27;s answer" in page
    assert 'type="regression"' in (repository.folder / "build" / "gate" / "gate.xml").read_text()
    # Going back to the good one is green, and the worse one stays worse, though all of its
    # verdicts are known.
    assert repository.night(answers_of(GOOD)).code == 0
    assert repository.night(answers_of(WEAK)).code == 1


def test_too_few_answers_decide_nothing(repository: Repository) -> None:
    few = dict(list(answers_of(GOOD).items())[:10])
    night = repository.night({item: f"I say: {text}" for item, text in few.items()})
    assert (night.code, night.gate["verdict"]) == (2, "inconclusive"), night.log
    assert night.gate["tests"][0]["because"]
    assert any(line.startswith("::warning") for line in night.log.splitlines())
    assert night.baseline == answers_of(GOOD)["0"]


def test_a_real_small_model_is_red_where_it_was_damaged(tmp_path: Path, warm: Warm) -> None:
    """It says one token, or was shown examples that answer nothing; a third answers too little."""
    repository = Repository(tmp_path, warm)
    sound, one_token, damaged = (
        answers_of(name, SMALL) for name in ("sound", "one-token", "damaged")
    )
    first = repository.night(sound, "--input", "accept=true")
    assert (first.code, first.gate["verdict"]) == (0, "pass"), first.log
    for worse, right in ((one_token, 7), (damaged, 1)):
        night = repository.night(worse)
        assert (night.code, night.gate["verdict"]) == (1, "regression"), night.log
        (test,) = night.gate["tests"]
        found = (test["candidate_value"], test["baseline_value"])
        assert found == pytest.approx((right / 48, 16 / 48))
    few = repository.night({item: f"{sound[item]}." for item in list(sound)[:10]})
    assert (few.code, few.gate["verdict"]) == (2, "inconclusive"), few.log
    again = repository.night(sound)
    assert (again.code, again.gate["verdict"]) == (0, "pass"), again.log
    assert again.baseline == sound["0"]


@pytest.mark.parametrize(
    ("answers", "needed", "missing"),
    [
        (None, "NIGHTLY_ANSWERS", "NIGHTLY_ANSWERS"),
        (answers_of(GOOD), "NIGHTLY_ANSWERS OPENAI_API_KEY", "OPENAI_API_KEY"),
    ],
    ids=["variable", "secret"],
)
def test_what_is_missing_stops_the_night_at_once(
    tmp_path: Path, warm: Warm, answers: dict[str, str] | None, needed: str, missing: str
) -> None:
    night = Repository(tmp_path, warm).night(answers, "--env", f"NEEDED={needed}")
    assert night.code == 78
    assert night.steps == ["Stop where something is missing"]
    assert f"Not set in this repository's secrets or variables: {missing}\n" in night.log
    assert not (tmp_path / "results").exists()


def test_a_secret_that_is_there_goes_on_and_is_not_shown(tmp_path: Path) -> None:
    script = tmp_path / "w.yml"
    script.write_text(
        "jobs: {a: {steps: [{name: tell, env: {K: '${{ secrets.K }}'}, run: 'echo it is $K.'}]}}"
    )
    done = subprocess.run(
        [sys.executable, str(RUNNER), str(script), "--secret", "K=abc123"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "it is ***." in done.stdout


def test_the_runner_orders_steps_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    script = tmp_path / "w.yml"

    def carried_out(*steps: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        script.write_text(yaml.safe_dump({"jobs": {"a": {"steps": list(steps)}}}))
        return subprocess.run(
            [sys.executable, str(RUNNER), str(script)], capture_output=True, text=True, check=False
        )

    done = carried_out(
        {"name": "one", "run": "exit 3"},
        {"name": "two", "run": "echo two ran"},
        {"name": "three", "if": "always()", "run": "echo three ran; exit 4"},
        {"name": "four", "if": "${{ success() }}", "run": "echo four ran"},
    )
    assert done.returncode == 3
    assert [name for name in ("two", "three", "four") if f"\n{name} ran" in done.stdout] == [
        "three"
    ]
    done = carried_out({"name": "one", "run": "false\necho went on"})
    assert done.returncode == 1
    assert "went on" not in done.stdout
    for step, said in (
        ({"name": "x", "run": "true", "continue-on-error": True}, "continue-on-error"),
        ({"name": "x", "run": "true", "if": "failure()"}, "failure()"),
        ({"name": "x", "run": "echo ${{ hashFiles('a') }}"}, "hashFiles"),
    ):
        done = carried_out(step)
        assert done.returncode == 1
        assert f"{said}" in done.stderr


def test_what_the_workflow_names_is_there() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert (ROOT / workflow["env"]["SUITE"]).exists()
    assert read_policy(ROOT / workflow["env"]["POLICY"]).tests
    steps = workflow["jobs"]["gate"]["steps"]
    lines = [line.split() for step in steps for line in step.get("run", "").splitlines()]
    commands = {words[1] for words in lines if words[:1] == ["judgebench"]}
    assert {"run", "gate", "baseline"} <= commands <= set(COMMANDS)
    restored, saved = (
        next(
            step["with"] for step in steps if step.get("uses", "").startswith(f"actions/cache/{u}")
        )
        for u in ("restore", "save")
    )
    assert restored["key"] == saved["key"]
    assert "github.run_id" in saved["key"]  # a key of its own each night, or nothing is saved
    assert saved["key"].startswith(restored["restore-keys"])


def gitlab_job() -> dict[str, Any]:
    text = (ROOT / "docs" / "nightly.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(nightly:.*?)```", text, re.DOTALL)
    job: dict[str, Any] = yaml.safe_load(block)["nightly"]
    return job


def test_the_job_for_gitlab_ends_alike(repository: Repository) -> None:
    job = gitlab_job()
    check, install = job["before_script"]
    assert "pip install" in install
    lines = "\n".join(["set -e", check, *job["script"]])
    assert repository.folder.joinpath("results", "nightly.db").exists()

    def ended(answers: Mapping[str, str] | None, **more: str) -> int:
        own = {**job["variables"], **more}
        if answers is not None:
            own["NIGHTLY_ANSWERS"] = str(repository.file(answers))
        return subprocess.run(
            ["bash", "-c", lines], cwd=repository.folder, env=repository.environment | own,
            capture_output=True, check=False, timeout=240,
        ).returncode  # fmt: skip

    assert ended(None) == 78
    assert ended(answers_of(WEAK)) == 1
    assert ended(answers_of(GOOD)) == 0
    assert job["allow_failure"] == {"exit_codes": [2]}
