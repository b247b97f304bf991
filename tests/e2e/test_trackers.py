"""A run is sent to W&B and MLflow as it ends, or later; whatever they do, the run is whole."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from judgebench import api, extras
from judgebench.errors import UsageError
from judgebench.exchange import trackers
from judgebench.records import RunManifest
from tests.e2e.runs import Done, eventually, store_url, suite, typed

KEY = "planted0123456789abcdef0123456789abcdefff"
"""As long as W&B's."""


def needs(package: str) -> pytest.MarkDecorator:
    lacking = find_spec(package) is None
    how = f"needs the package {package}: pip install 'judgebench-harness[{package}]'"
    return pytest.mark.skipif(lacking, reason=how)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("WANDB_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))  # a key of the person's own in .netrc


@pytest.fixture
def refusing() -> Iterator[str]:
    """A server that refuses every key, and repeats it."""

    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            key = self.headers.get("Authorization", "")
            said = json.dumps({"error_code": "UNAUTHENTICATED", "message": f"no such key: {key}"})
            self.send_response(401)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(said.encode())

        do_GET = do_POST  # noqa: N815 - as the server calls it

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Refuse)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def kept(folder: Path, done: Done) -> None:
    """The run ended well, and its verdicts are in the store."""
    assert done.code == 0, done.err
    [run] = api.runs(store=store_url(folder)).runs
    assert run.state == "done"
    assert len(api.verdicts("trivia_judging_mini", store=store_url(folder))) == 24


def not_sent(done: Done, tracker: str) -> str:
    """The one line that says so, and how to send the run later."""
    [line] = [line for line in done.err.splitlines() if f"{tracker} was not sent" in line]
    assert re.search(rf"`judgebench export {tracker} \S+` sends it$", line)
    assert "Traceback" not in done.err
    return line


def numbers(folder: Path) -> dict[str, float]:
    """The metrics, as the board has them."""
    board = api.leaderboard("trivia_judging_mini", store=store_url(folder)).to_frame()
    found = {}
    for row in board.to_dict("records"):
        name = f"trivia_judging_mini/{row['metric']}/{row['judge']}/{row['model']}"
        ends = {"": row["value"], ".low": row["low"], ".high": row["high"]}
        found |= {name + end: value for end, value in ends.items() if value == value}
    return found


# what they are sent -----------------------------------------------------------------------------


@pytest.mark.usefixtures("forked")
@needs("mlflow")
@pytest.mark.slow
def test_mlflow_has_metrics_with_intervals_the_board_and_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    done = typed("run", suite(tmp_path, track=["mlflow"]))
    kept(tmp_path, done)
    assert "mlflow: sqlite:///" in done.err
    [run] = api.runs(store=store_url(tmp_path)).runs
    for again in (False, True):
        if again:  # the same run, and not a second one
            assert typed("export", "mlflow", run.id, "--store", store_url(tmp_path)).code == 0
        with sqlite3.connect(tmp_path / "mlflow.db") as held:
            [(its, name)] = held.execute("SELECT run_uuid, name FROM runs").fetchall()
            metrics = dict(held.execute("SELECT key, value FROM latest_metrics"))
            params = dict(held.execute("SELECT key, value FROM params"))
        held.close()
        assert name == "test"
        wanted = numbers(tmp_path)
        assert "trivia_judging_mini/accuracy/contains/model-weak.high" in wanted
        assert metrics == pytest.approx(wanted)
        assert params["configuration.models.0.name"] == "model-terse"
        assert params["id"] == run.id
    [manifest] = tmp_path.rglob("manifest.json")
    assert its in str(manifest)
    assert json.loads(manifest.read_text())["configuration"]["name"] == "test"
    board = json.loads(manifest.with_name("board.json").read_text())
    models = board["columns"].index("model")
    assert {row[models] for row in board["data"]} == {"model-terse", "model-weak"}


@needs("wandb")
def test_a_file_of_the_folder_that_is_called_like_a_tracker_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("wandb", "secrets"):
        Path(f"{name}.py").write_text("raise SystemExit(f'{__name__} of the folder')")
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert "`wandb sync`" in trackers.send("wandb", trackers.tracked(manifest(), []))


@needs("wandb")
@pytest.mark.slow
def test_wandb_offline_has_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    done = typed("run", suite(tmp_path, track=["wandb"]))
    kept(tmp_path, done)
    assert "(`wandb sync` sends it)" in done.err
    [run] = api.runs(store=store_url(tmp_path)).runs
    [written] = (tmp_path / "wandb").glob(f"offline-run-*/run-{run.id}.wandb")
    content = written.read_bytes()
    for name in numbers(tmp_path):
        assert name.encode() in content
    assert b'"name":"model-terse"' in content.replace(b'": "', b'":"')
    [table] = written.parent.rglob("*.table.json")
    board = json.loads(table.read_text())
    value, metric = board["columns"].index("value"), board["columns"].index("metric")
    wanted = api.leaderboard("trivia_judging_mini", store=store_url(tmp_path)).to_frame()
    assert [row[value] for row in board["data"]] == pytest.approx(list(wanted["value"]))
    assert {row[metric] for row in board["data"]} == set(wanted["metric"])
    assert not any(KEY.encode() in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


# what they may do -------------------------------------------------------------------------------


@pytest.mark.usefixtures("forked")
@needs("mlflow")
@pytest.mark.slow
def test_a_key_that_a_server_refuses_and_repeats_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusing: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", refusing)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", KEY)
    kept(tmp_path, typed("run", suite(tmp_path), "--quiet"))
    sent = typed("export", "mlflow", "--store", store_url(tmp_path))
    assert (sent.code, sent.out) == (69, "")
    assert "no such key: Bearer ***" in sent.err
    assert KEY[:16] not in sent.err


@pytest.mark.usefixtures("forked")
@needs("mlflow")
@needs("wandb")
@pytest.mark.slow
def test_nobody_there_and_no_key_are_said_in_a_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:planted-password@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    done = typed("run", suite(tmp_path, track=["wandb", "mlflow"]))
    kept(tmp_path, done)
    assert "api_key" in not_sent(done, "wandb").lower().replace(" ", "_")
    assert "127.0.0.1" in not_sent(done, "mlflow")
    assert "planted-password" not in done.err + done.out


def made_up(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A package that goes by the name of W&B's."""
    (folder / "packages").mkdir()
    (folder / "packages" / "wandb.py").write_text(code)
    monkeypatch.syspath_prepend(str(folder / "packages"))
    beside = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{folder / 'packages'}{os.pathsep}{beside}")


def test_one_that_never_answers_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import pathlib, subprocess, time\n"
    code += "child = subprocess.Popen(['sleep', '600'])\n"
    code += "pathlib.Path('child').write_text(str(child.pid))\ntime.sleep(600)\n"
    made_up(tmp_path, monkeypatch, code)
    run = trackers.tracked(manifest(), [])
    number = tmp_path / "child"
    communicate = subprocess.Popen.communicate

    def once_it_waits(child: Any, said: str | None, timeout: float) -> Any:
        """Its time is over as soon as it has started what is to be ended, and never before."""
        assert timeout == 5
        for _ in range(600):
            try:
                return communicate(child, said, timeout=0.1)
            except subprocess.TimeoutExpired:
                if number.exists() and number.read_text():
                    raise
                said = None  # it has it already
        raise AssertionError("it started nothing")

    monkeypatch.setattr(subprocess.Popen, "communicate", once_it_waits)
    with pytest.raises(trackers.TrackerError, match="no answer within 5 s"):
        trackers.send("wandb", run, at_most_s=5)
    pid = int(number.read_text())

    def gone() -> bool:
        with suppress(FileNotFoundError):  # or nobody has waited for it yet
            return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
        return True

    eventually(gone)


def test_what_one_prints_and_how_it_ends_is_no_answer_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"import os\nprint('\\x1b[31m{KEY}\\nline')\nos._exit(3)\n"
    made_up(tmp_path, monkeypatch, code)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with pytest.raises(trackers.TrackerError) as error:
        trackers.send("wandb", trackers.tracked(manifest(), []))
    assert KEY[:16] not in str(error.value)
    assert "\x1b" not in str(error.value)
    assert "\n" not in str(error.value)


def test_one_that_is_not_installed_or_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    done = typed("run", suite(tmp_path, track=["mlflow"]))
    kept(tmp_path, done)
    assert "pip install 'judgebench-harness[mlflow]'" in not_sent(done, "mlflow")
    assert typed("export", "mlflow", "--store", store_url(tmp_path)).code == 64
    done = typed("run", suite(tmp_path, track=["mlflw"]))
    assert (done.code, "track" in done.err, "'mlflow'" in done.err) == (78, True, True)
    done = typed("export", "wandb", "no-such-run", "--store", store_url(tmp_path))
    assert (done.code, "no-such-run" in done.err) == (64, True)
    assert typed("export", "wandb", "--output", "x.csv", "--store", store_url(tmp_path)).code == 64


# names ------------------------------------------------------------------------------------------


def manifest() -> RunManifest:
    return RunManifest(
        id="r", name="n", configuration={}, versions={}, git_sha=None, data_sha={}, seeds={},
        started=0.0,
    )  # fmt: skip


def row(**more: Any) -> dict[str, Any]:
    said = {"benchmark": "b", "version": "1", "judge": "j", "model": "m", "metric": "accuracy"}
    return {**said, "opponent": None, "value": 0.5, "low": 0.25, "high": 0.75, **more}


def test_each_number_has_a_name_of_its_own_and_what_is_undefined_has_none() -> None:
    same = [row(model="a|b"), row(model="a:b", value=0.75)]
    other = [row(version="2"), row(metric="win_rate", opponent="base", value=None, low=None)]
    long = [row(model="x" * 300), row(model="x" * 300 + "y", value=float("nan"), low=float("inf"))]
    found = trackers.tracked(manifest(), [*same, *other, *long]).metrics
    assert found["b_1/accuracy/j/a_b"] == 0.5
    [second] = [n for n in found if re.fullmatch(r"b_1/accuracy/j/a_b-\w{6}", n)]
    assert (found[second], found[f"{second}.low"]) == (0.75, 0.25)
    assert found["b_2/accuracy/j/m.high"] == 0.75
    assert "b_1/win_rate/j vs base/m" not in found
    assert found["b_1/win_rate/j vs base/m.high"] == 0.75
    assert all(len(name) <= 250 and value == value for name, value in found.items())
    assert len(found) == 3 * 3 + 1 + 3 + 1


def test_what_has_no_board_is_said_with_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[trackers.TrackedRun] = []
    assert typed("run", suite(tmp_path)).code == 0
    monkeypatch.setattr(trackers, "send", lambda tracker, run: sent.append(run) or tracker)
    api.export_to_tracker("wandb", store=store_url(tmp_path))
    assert sent[0].board
    assert "without_board" not in sent[0].config

    def none(*benchmarks: str, **asked: Any) -> None:
        raise UsageError("nothing to rank")

    monkeypatch.setattr(api, "leaderboard", none)
    api.export_to_tracker("wandb", store=store_url(tmp_path))
    assert (sent[1].board, sent[1].metrics) == ([], {})
    assert set(sent[1].config["without_board"].values()) == {"nothing to rank"}
