"""doctor, data and dashboard: what they say, and what they never say."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from judgebench.cli import dashboard
from judgebench.cli.main import run
from judgebench.cli.options import FORMATS
from judgebench.providers.server import free_port
from judgebench.store.opening import open_store
from tests.e2e.runs import MINI
from tests.postgres import Server

Typed = Callable[..., tuple[int, str, str]]
GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "trivia_judging"


@pytest.fixture
def typed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Typed:
    monkeypatch.setenv("JUDGEBENCH_STORE", str(tmp_path / "s.db"))
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "data"))

    def command(*words: str | Path) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return command


def checks(out: str) -> dict[str, dict[str, str]]:
    return {check["what"]: check for check in json.loads(out)["checks"]}


def test_doctor_never_prints_a_key(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:hunter2@127.0.0.1:8000/v1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    for form in FORMATS:
        code, out, err = typed("doctor", "--format", form)
        assert code == 0
        assert "very-secret" not in out + err
        assert "hunter2" not in out + err
    found = checks(typed("doctor", "--format", "json")[1])
    assert found["OPENAI_API_KEY"]["found"] == "set"
    assert found["HF_TOKEN"]["found"] == "not set"
    assert found["OPENAI_BASE_URL"]["found"] == "http://…@127.0.0.1:8000/v1"


def test_doctor_looks_at_store_and_data(typed: Typed, tmp_path: Path) -> None:
    found = checks(typed("doctor", "--format", "json")[1])
    assert found["python"]["state"] == "ok"
    assert found["streamlit"]["state"] == "ok"
    assert found["store"]["state"] == "absent"
    assert found["data trivia_judging_mini@1"]["found"] == "bundled"
    assert found["data trivia_judging@v1"]["state"] == "absent"
    typed("import", "labels", MINI / "labels.jsonl")
    found = checks(typed("doctor", "--format", "json")[1])
    assert found["store"]["found"].endswith("1 runs; trivia_judging_mini@1")
    (tmp_path / "text.db").write_text("no database, but long enough to be looked at" * 30)
    found = checks(typed("doctor", "--format", "json", "--store", tmp_path / "text.db")[1])
    assert found["store"]["state"] == "fault"


class _Server(BaseHTTPRequestHandler):
    """A model server under /v1, one that wants a key under /closed, a web page elsewhere."""

    def do_GET(self) -> None:
        assert self.headers["Authorization"] is None
        code = 401 if self.path.startswith("/closed") else 200
        models = {"data": [{"id": "small-judge"}]}
        said = json.dumps(models) if self.path == "/v1/models" else "<html>"
        self.send_response(404 if self.path.startswith("/gone") else code)
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_doctor_asks_a_server_that_is_named(
    typed: Typed, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-goes-nowhere")
    code, out, _ = typed("doctor", "--server", f"{server}/v1/", "--format", "json")
    assert code == 0
    assert checks(out)[f"server at {server}/v1/"]["found"] == "serves small-judge"
    assert typed("doctor", "--server", f"{server}/closed")[0] == 0
    for url, said in (
        (f"{server}/html", "not as an OpenAI-compatible server"),
        (f"{server}/gone", "HTTP 404: is the base URL complete"),
        (f"http://127.0.0.1:{free_port()}/v1", "cannot be reached"),
        ("127.0.0.1:8000", "begins with http"),
    ):
        code, out, err = typed("doctor", "--server", url)
        assert code == 69
        assert said in out
        assert said in err


def test_data_says_what_is_here_and_how_to_get_the_rest(typed: Typed) -> None:
    code, out, _ = typed("data", "list", "--format", "json")
    assert code == 0
    states = {row["benchmark"]: row for row in json.loads(out)["data"]}
    assert states["trivia_judging_mini"]["state"] == "bundled"
    assert states["trivia_judging_mini"]["items"] == 48
    assert states["trivia_judging"]["state"] == "missing"
    assert "judgebench data pull trivia_judging@v1" in typed("data", "list")[1]
    said = typed("data", "list")[1]
    assert "trivia_judging_mini@1: official prompts: judgebench data pull trivia_judging@v1" in said
    assert typed("data", "verify")[0] == 0
    assert typed("data", "verify", "trivia_judging_mini")[0] == 0
    code, _, err = typed("data", "verify", "trivia_judging")
    assert code == 65
    assert "trivia_judging@v1 is missing" in err
    code, _, err = typed("data", "verify", "trivia_juging")
    assert code == 64
    assert "did you mean 'trivia_judging'?" in err
    code, _, err = typed("data", "import", "trivia_judging@v2", "nowhere")
    assert code == 64
    assert "no version of trivia_judging called 'v2'" in err
    assert "there is nothing to pull" in typed("data", "pull", "trivia_judging_mini")[2]
    assert typed("data", "import", "trivia_judging", "nowhere")[0] == 65


@pytest.mark.skipif(
    not (GOLD / "questions.parquet").exists(),
    reason="the gold data (../shared/gold/trivia_judging beside the repository) is absent",
)
def test_data_that_somebody_has_is_taken_in(typed: Typed) -> None:
    code, _, err = typed("data", "import", "trivia_judging", GOLD)
    assert code == 0
    assert err.startswith("trivia_judging@v1: ready, 400 items, official prompts: fenced, ")
    assert typed("data", "verify", "trivia_judging")[0] == 0


def test_what_can_be_pulled_is_listed(typed: Typed) -> None:
    code, out, err = typed("data", "pull")
    assert (code, err) == (0, "")
    (line,) = (line for line in out.splitlines() if line.startswith("trivia_judging@v1"))
    assert "raw.githubusercontent.com" in line
    assert "3.9 MB" in line
    assert "Apache-2.0" in line
    assert "_mini@" not in out  # they come with their folders
    assert "judgebench data pull all" in out


def test_a_slip_of_the_pen_is_said_before_anything_is_fetched(typed: Typed, tmp_path: Path) -> None:
    code, _, err = typed("data", "pull", "trivia_judging", "alpaca_evil")
    assert code == 64
    assert "did you mean 'alpaca_eval'?" in err
    assert not (tmp_path / "data").exists()


def test_offline_says_how_to_get_the_data(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    code, _, err = typed("data", "pull", "trivia_judging_mini", "alpaca_eval")
    assert code == 78
    assert "licence: code Apache-2.0; data CC BY-NC 4.0" in err
    assert "HF_HUB_OFFLINE is set" in err
    assert "judgebench data import" in err
    assert "trivia_judging_mini@1: bundled" in err  # the others are had all the same
    assert "very_secret" not in err


def test_a_damaged_calibration_is_found(typed: Typed, tmp_path: Path) -> None:
    def listed() -> dict[str, Any]:
        states = json.loads(typed("data", "list", "--format", "json")[1])["data"]
        return next(state for state in states if state["benchmark"] == "alpaca_eval")

    assert listed()["calibration_missing"] == ["df_gamed.csv", "instruction_difficulty.csv"]
    file = tmp_path / "data" / "alpaca_eval" / "calibration" / "df_gamed.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"torn")
    assert (listed()["calibration"], listed()["damaged_files"]) == ([], [str(file)])
    assert typed("data", "list")[0] == 0
    for words in ((), ("alpaca_eval",)):
        code, _, err = typed("data", "verify", *words)
        assert code == 65
        assert f"{file} is damaged" in err
        assert "judgebench data pull alpaca_eval@2" in err


# dashboard --------------------------------------------------------------------------------------


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What this process would have become."""
    seen: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, words: seen.append([path, *words]))
    return seen


def test_the_dashboard_is_for_this_machine_alone(typed: Typed, started: list[list[str]]) -> None:
    port = free_port()
    code, out, err = typed("dashboard", "--port", str(port), "--store", "sqlite:///some.db")
    assert (code, out) == (0, "")
    assert "starting the dashboard on sqlite:///some.db" in err
    assert "http://" not in err, "nobody listens there yet"
    ((path, *words),) = started
    assert (path, words[0]) == (sys.executable, sys.executable)
    served = Path(words[1])
    assert served.is_file()
    assert served.with_name("app.py").is_file()
    line = " ".join(words)
    assert f"--server.port {port} --server.address 127.0.0.1" in line
    assert line.endswith("-- --store sqlite:///some.db"), "no header is believed unasked"


def test_no_password_of_a_store_is_an_argument_or_said(
    typed: Typed, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody on a machine sees what a program was started with."""
    for name in ("JUDGEBENCH_STORE", "JUDGEBENCH_LABEL_STORE"):
        monkeypatch.setenv(name, "")
    address, labels = (f"postgresql://{user}:open-sesame@host/db" for user in ("reader", "writer"))
    code, _, err = typed("dashboard", "--store", address, "--label-store", labels)
    assert code == 0
    assert "dashboard on postgresql://reader@host/db" in err
    assert "open-sesame" not in err + " ".join(started[0])
    assert os.environ["JUDGEBENCH_STORE"] == address
    assert os.environ["JUDGEBENCH_LABEL_STORE"] == labels
    code, _, err = typed("dashboard", "--label-store", "mysql://me:open-sesame@host/db")
    assert code == 78
    assert "open-sesame" not in err


def test_a_store_on_a_server_is_looked_at(typed: Typed, postgres: Server) -> None:
    with postgres.database() as name:
        url = postgres.url(name)
        _, out, _ = typed("doctor", "--store", url)
        assert "none at postgresql://judge@127.0.0.1" in out
        open_store(url).close()
        _, out, _ = typed("doctor", "--store", url)
        assert "0 runs; empty" in out


def test_web_pages_of_others_are_kept_out(typed: Typed, started: list[list[str]]) -> None:
    assert typed("dashboard")[0] == 0
    line = " ".join(started[0])
    assert "--server.enableCORS true --server.enableXsrfProtection true" in line
    assert "allowedHosts" not in line, "names other than this machine's are refused, as configured"


def test_another_address_says_what_it_means(typed: Typed, started: list[list[str]]) -> None:
    code, out, err = typed("dashboard", "--address", "0.0.0.0")  # noqa: S104  # what is tested
    assert (code, out) == (0, "")
    for words in ("reads the whole store", "starts no runs", "a proxy with TLS and a login"):
        assert words in err
    line = " ".join(started[0])
    assert "--server.address 0.0.0.0 " in line
    assert "--server.allowedHosts *" in line


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_loopback_goes_without_a_warning(
    typed: Typed, started: list[list[str]], address: str
) -> None:
    code, _, err = typed("dashboard", "--address", address)
    assert code == 0
    assert "warning" not in err
    assert f"--server.address {address} " in " ".join(started[0])


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("192.0.2.7", "192.0.2.7 is no address of this machine"),
        ("nobody.invalid", "'nobody.invalid' is no address"),
        ("a" * 70, "is no address"),
    ],
)
def test_an_address_that_is_not_here_is_refused(
    typed: Typed, started: list[list[str]], address: str, said: str
) -> None:
    code, _, err = typed("dashboard", "--address", address)
    assert (code, started) == (64, [])
    assert said in err


def test_a_header_that_names_raters_is_handed_on(typed: Typed, started: list[list[str]]) -> None:
    assert typed("dashboard", "--rater-header", "X-Forwarded-User")[0] == 0
    assert started[0][-2:] == ["--rater-header", "X-Forwarded-User"]


def test_a_port_that_is_taken(typed: Typed, started: list[list[str]]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = typed("dashboard", "--port", str(port))
        assert (code, started) == (64, [])
        assert f"port {port} is taken" in err
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dashboard, "USUAL_PORT", port)
            assert typed("dashboard")[0] == 0
    assert f"--server.port {port} " not in " ".join(started[0])


def test_a_store_that_is_no_file_is_refused_before_anything_starts(
    typed: Typed, started: list[list[str]]
) -> None:
    assert typed("dashboard", "--store", "mysql://u:p@h/db")[0] == 78
    assert started == []
