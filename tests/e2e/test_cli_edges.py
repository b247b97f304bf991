"""The command line at its edges: streams that end, names that mislead, stores that are named."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import judgebench
from judgebench import keys
from judgebench.cli.main import COMMANDS, HEADINGS
from judgebench.config import load_suite
from judgebench.errors import LocalModelError
from judgebench.execution import generate
from judgebench.execution.resolve import resolve
from tests.e2e import runs

ESCAPE = "\x1b[31m"


@pytest.fixture(autouse=True)
def usual_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's is read."""
    monkeypatch.delenv("JUDGEBENCH_STORE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# Streams ----------------------------------------------------------------------------------------


def shell(line: str) -> tuple[list[int], str]:
    """The exit codes of a shell's pipeline, and what was said."""
    command = " ".join([sys.executable, *runs.COMMAND])
    done = subprocess.run(
        ["bash", "-c", f'{line.replace("judgebench", command)}; echo "${{PIPESTATUS[@]}}"'],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=runs.ROOT,
    )
    return [int(code) for code in done.stdout.splitlines()[-1].split()], done.stderr


@pytest.mark.parametrize("words", ["--help", "data list --format json", "run --help"])
def test_a_reader_that_has_seen_enough(words: str) -> None:
    codes, said = shell(f"judgebench {words} | true")
    assert codes == [0, 0]
    assert said == ""


@pytest.mark.usefixtures("forked")
def test_a_reader_of_an_export_that_has_seen_enough(tmp_path: Path) -> None:
    assert runs.typed("run", runs.suite(tmp_path, limit=40)).code == 0
    codes, said = shell(f"judgebench export verdicts --store {runs.store_url(tmp_path)} | true")
    assert codes == [0, 0]
    assert said == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", ["--help", "data list"])
def test_a_full_stdout_is_a_sentence(words: str) -> None:
    codes, said = shell(f"judgebench {words} > /dev/full")
    assert codes == [70]
    assert said.splitlines() == ["error: stdout cannot be written: No space left on device"]


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-", "2>&-"])
def test_streams_may_be_closed(tmp_path: Path, closed: str) -> None:
    suite = runs.suite(tmp_path, limit=2)
    codes, said = shell(f"judgebench run {suite} --format json {closed} | cat > /dev/null")
    assert codes[0] == 0
    assert "Traceback" not in said
    assert runs.rows(tmp_path)["contains", "model-weak"]["counts"]["verdicts"] == 2


@pytest.mark.usefixtures("forked")
def test_a_run_goes_on_when_nobody_reads_its_progress(tmp_path: Path) -> None:
    suite = runs.suite(tmp_path, limit=2)
    codes, _ = shell(f"judgebench run {suite} 2>&1 >/dev/null | true")
    assert codes == [0, 0]
    assert runs.rows(tmp_path)["contains", "model-weak"]["counts"]["verdicts"] == 2


def test_every_command_stands_once_below_a_heading() -> None:
    listed = runs.typed("--help").out.partition("Commands:\n")[2].partition("  Start here")[0]
    headings = [one.strip(" :") for one in re.findall(r"^  \S.*:$", listed, re.M)]
    assert headings == [*HEADINGS.values()]
    named = re.findall(r"^    (\S+)", listed, re.M)
    assert [one for one in named if one in COMMANDS] == [*COMMANDS]
    assert listed.strip().startswith(headings[0]), "none stands above all of them"


@pytest.mark.parametrize("words", [[], ["runs"]])
def test_a_command_without_its_command_shows_help(words: list[str]) -> None:
    done = runs.typed(*words)
    assert done.code == 64
    assert done.err.startswith("Usage: judgebench")
    assert "error:" not in done.err
    assert done.out == ""


def test_one_more_interrupt_on_the_way_out_takes_no_word_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def twice(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt("interrupted; 7 calls were left")
        finally:
            raise KeyboardInterrupt

    monkeypatch.setattr("judgebench.cli.main.app.main", twice)
    done = runs.typed("runs")
    assert (done.code, done.err.strip()) == (130, "error: interrupted; 7 calls were left")


def test_no_escapes_reach_a_terminal(tmp_path: Path) -> None:
    done = runs.typed("run", tmp_path / f"no{ESCAPE}where.yaml")
    assert done.code == 78
    assert "where.yaml: there is no such file" in done.err
    name = f"judge{ESCAPE}"
    suite = runs.suite(
        tmp_path, "http://127.0.0.1:9/v1", limit=2, judge={"name": name, "max_retries": 0}
    )
    run = runs.typed("run", suite)
    assert "�[31m" in run.err
    for said in (done.err, run.err, run.out):
        assert "\x1b" not in said


# What a suite names -----------------------------------------------------------------------------


def refusal(path: Path) -> str:
    """What is wrong with a suite, said before a store is made."""
    done = runs.typed("run", path)
    assert done.code == 78, done.err
    assert runs.typed("plan", path).err == done.err
    assert not (path.parent / "store.db").exists()
    return done.err


def test_a_judge_called_as_a_way_of_judging_judges_that_way(tmp_path: Path) -> None:
    judge = {"name": "exact_match", "options": {"case": "sensitive"}}
    suite = runs.suite(tmp_path, judges=[judge], benchmark={"judges": ["exact_match"]}, limit=3)
    assert resolve(load_suite(suite)).assignments[0].judge.spec.kind == "exact_match"
    suite = runs.suite(
        tmp_path,
        judges=[{**judge, "kind": "contains"}],
        benchmark={"judges": ["exact_match"]},
        limit=3,
    )
    assert "judge exact_match: a judge called as a way of judging judges that way" in refusal(suite)


def test_the_judge_and_the_model_that_are_wrong_are_named(tmp_path: Path) -> None:
    judge = {"name": "strict", "kind": "exact_match", "options": {"caes": "sensitive"}}
    suite = runs.suite(tmp_path, judges=[judge], benchmark={"judges": ["strict"]})
    assert "judge strict: " in refusal(suite)
    model = {"name": "gone", "lm_eval": {"model_args": {"pretrained": str(tmp_path / "gone")}}}
    assert "model gone: " in refusal(runs.suite(tmp_path, models=[model]))


@pytest.mark.parametrize(
    "judge",
    [
        {"api_key": "${NOPE:-hunter2}"},
        {"extra": {"authorization": "Bearer hunter2"}},
        {"base_url": "http://user:hunter2@127.0.0.1:1/v1"},
        {"server": {"command": ["x", "--api-key", "hunter2"]}},
    ],
)
def test_a_key_is_refused_before_anything_is_stored(tmp_path: Path, judge: dict[str, Any]) -> None:
    said = refusal(runs.suite(tmp_path, "http://127.0.0.1:1/v1", judge=judge))
    assert "hunter2" not in said


def checkpoint(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def local(folder: Path, **arguments: str) -> dict[str, Any]:
    return {"name": "local", "lm_eval": {"model_args": {"pretrained": str(folder), **arguments}}}


def test_a_token_is_no_part_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hunter2hunter2")
    folder = checkpoint(tmp_path / "checkpoint")
    specs = []
    for arguments in ({}, *({name: "${HF_TOKEN}"} for name in ("token", "hf_token"))):
        path = runs.suite(tmp_path, models=[local(folder, **arguments)])
        specs.append(resolve(load_suite(path)).candidates[0].spec)
    assert len({keys.model_key(spec) for spec in specs}) == 1
    assert "hunter2" not in repr(specs)


# What a run does and says -----------------------------------------------------------------------


def test_a_run_writes_its_boards(tmp_path: Path) -> None:
    labels = runs.MINI / "labels.jsonl"
    suite = runs.suite(tmp_path, limit=6, benchmark={"labels": [str(labels)]})
    files = [tmp_path / f"boards.{suffix}" for suffix in ("md", "json", "csv")]
    outputs = [word for file in files for word in ("--output", file)]
    done = runs.typed("run", suite, "--format", "json", *outputs)
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert said == json.loads(files[1].read_text())
    assert {board["judge"] for board in said["boards"]} >= {"exact_match", "contains"}
    assert [report["benchmark"] for report in said["agreement"]] == ["trivia_judging_mini"]
    assert files[0].read_text().startswith("### ")
    table = list(csv.DictReader(io.StringIO(files[2].read_text())))
    assert {row["judge"] for row in table} >= {"exact_match", "contains"}
    quiet = runs.typed("run", suite, "--quiet", "--output", tmp_path / "quiet.md")
    assert quiet.out == ""
    assert (tmp_path / "quiet.md").read_text() == files[0].read_text()


def test_a_suffix_that_says_nothing_is_said_before_the_run(tmp_path: Path) -> None:
    done = runs.typed("run", runs.suite(tmp_path), "--output", tmp_path / "boards.xyz")
    assert done.code == 64
    assert not (tmp_path / "store.db").exists()


def test_the_last_line_counts_verdicts_that_nobody_was_called_for(tmp_path: Path) -> None:
    suite = runs.suite(tmp_path, limit=3)
    first, again = runs.typed("run", suite).err, runs.typed("run", suite).err
    assert "0 judge calls made, 0 recorded, 12 verdicts given, " in first.splitlines()[-1]
    assert "0 judge calls made, 12 recorded, 0 verdicts given, " in again.splitlines()[-1]


def test_the_last_run_is_no_import_where_something_ran(tmp_path: Path) -> None:
    labels = runs.MINI / "labels.jsonl"
    store = ("--store", runs.store_url(tmp_path))
    assert runs.typed("import", "labels", labels, *store).code == 0
    assert "import labels labels.jsonl" in runs.typed("runs", "show", "last", *store).out
    suite = runs.suite(tmp_path, limit=2)
    assert runs.typed("run", suite).code == 0
    other = tmp_path / "other.jsonl"
    other.write_text(labels.read_text().replace("human/authors", "human/other"))
    assert runs.typed("import", "labels", other, *store).code == 0
    shown = json.loads(runs.typed("runs", "show", "last", *store, "--format", "json").out)
    assert shown["name"] == "test"


class CannotLoad:
    """A worker whose model does not come up."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __enter__(self) -> CannotLoad:
        return self

    def __exit__(self, *_: object) -> None: ...

    def start(self) -> Iterator[None]:
        raise LocalModelError("there are no weights in it")


def test_what_a_model_that_does_not_load_leaves_failed_is_answering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "LmEvalWorker", CannotLoad)
    suite = runs.suite(tmp_path, models=[local(checkpoint(tmp_path / "checkpoint"))], limit=4)
    done = runs.typed("run", suite)
    lines = done.err.splitlines()
    assert "local: loading" in lines
    assert "local: answering: 4" in lines
    assert any(
        re.fullmatch(r"local: answering: 0 done in .* s, 4 failed \(4 local model\)", x)
        for x in lines
    )
    assert not any(line.startswith("local: loading: ") for line in lines)
    assert "warning: local: there are no weights in it" in lines


# Where results are kept -------------------------------------------------------------------------


def test_a_suites_own_store_goes_before_the_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGEBENCH_STORE", str(tmp_path / "environment.db"))
    suite = runs.suite(tmp_path, limit=2)
    assert runs.typed("run", suite).code == 0
    assert (tmp_path / "store.db").exists()
    assert not (tmp_path / "environment.db").exists()
    assert runs.planned(suite)["recorded"] == 8
    assert runs.typed("run", suite, "--store", tmp_path / "option.db").code == 0
    assert (tmp_path / "option.db").exists()
    assert not (tmp_path / "environment.db").exists()
    without = runs.suite(tmp_path, limit=2, store=None)
    assert runs.typed("run", without).code == 0
    assert (tmp_path / "environment.db").exists()


def test_a_store_is_opened_by_path_or_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runs.typed("run", runs.suite(tmp_path, limit=2)).code == 0
    held = [("trivia_judging_mini", "1")]
    with judgebench.open_store(tmp_path / "store.db") as store:
        assert store.benchmarks() == held
    monkeypatch.setenv("JUDGEBENCH_STORE", runs.store_url(tmp_path))
    with judgebench.open_store() as store:
        assert store.benchmarks() == held


def test_a_url_with_too_few_slashes_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = runs.suite(tmp_path, limit=2)
    monkeypatch.chdir(tmp_path)
    done = runs.typed("run", suite, "--store", "sqlite:foo.db")
    assert done.code == 78
    assert "sqlite:///" in done.err
    assert not list(tmp_path.glob("sqlite*"))
