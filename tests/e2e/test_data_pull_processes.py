"""Pulls in processes of their own: two at once, one that is killed, one from the Hub's stand-in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from judgebench.benchmarks.data import verify
from judgebench.benchmarks.pull import pull
from tests.file_host import FileHost
from tests.unit.pulled import FILES, ROWS, Noted, write_benchmark

ROOT = Path(__file__).resolve().parents[2]
PULL = """
import sys
from pathlib import Path
from judgebench import registry
from judgebench.benchmarks.pull import pull
from judgebench.progress import PlainProgress
from judgebench.errors import JudgebenchError

try:
    registry.include([Path(sys.argv[1])])
    with PlainProgress() as progress:
        state = pull("small", progress)
except JudgebenchError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
print(state.state, state.items)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home" / "small"


def start(tasks: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error::ResourceWarning", "-c", PULL, str(tasks)],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(what: str, happens: Any) -> None:
    end = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < end, f"{what}: in vain"
        time.sleep(0.01)


def came(home: Path) -> int:
    return sum(path.stat().st_size for path in home.glob(".partial/*.part"))


def test_two_at_once_fetch_once(home: Path, tmp_path: Path) -> None:
    with FileHost(FILES) as host:
        (tasks,) = write_benchmark(tmp_path / "tasks", host.url)
        host.hold = 100
        first = start(tasks)
        until("the first has begun", lambda: came(home) == 100)
        second = start(tasks)
        assert second.stderr is not None
        assert "another process is pulling or importing; waiting" in second.stderr.readline()
        host.release.set()
        for process in (first, second):
            out, err = process.communicate(timeout=20)
            assert (process.returncode, out) == (0, "ready 200\n"), err
        assert sorted(asked.path.lstrip("/") for asked in host.asked) == sorted(FILES)
    assert "there is nothing to pull" in err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_pull_goes_on(home: Path, tmp_path: Path, how: signal.Signals) -> None:
    with FileHost(FILES) as host:
        (tasks,) = write_benchmark(tmp_path / "tasks", host.url)
        host.hold = 100
        process = start(tasks)
        until("it has begun", lambda: came(home) == 100)
        process.send_signal(how)
        process.communicate(timeout=20)
        assert process.returncode == -how
        assert verify("small").state == "missing"
        host.release.set()
        host.hold = None
        host.asked.clear()
        state = pull("small", Noted())
        assert (state.state, state.damaged) == ("ready", False)
        assert [asked.range for asked in host.asked] == ["bytes=100-", None, None]


# a stand-in of the Hub ---------------------------------------------------------------------------

REVISION = "0123456789abcdef0123456789abcdef01234567"
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


class Hub:
    """As much of the Hub's API as `datasets` asks for a dataset of one file."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []
        self.status: int | None = None

    def answer(self, path: str) -> tuple[int, bytes, Mapping[str, str]]:
        at = f"/api/datasets/own/sums/revision/{REVISION}"
        file = {"type": "file", "oid": "b" * 40, "size": len(LINES), "path": "test.jsonl"}
        if self.status is not None:
            return self.status, b"{}", {}
        if path == at:
            about = {"id": "own/sums", "sha": REVISION, "siblings": [{"rfilename": "test.jsonl"}]}
            return 200, json.dumps(about).encode(), {}
        if path == f"/api/datasets/own/sums/tree/{REVISION}":
            return 200, json.dumps([file]).encode(), {}
        if path == f"/datasets/own/sums/resolve/{REVISION}/test.jsonl":
            return 200, LINES, {"ETag": f'"{"b" * 40}"', "X-Repo-Commit": REVISION}
        return 404, b"{}", {"X-Error-Code": "EntryNotFound"}


@pytest.fixture
def hub() -> Iterator[tuple[Hub, str]]:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            state.asked.append((self.command, path, self.headers["Authorization"]))
            status, body, headers = state.answer(path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield state, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(5)


def from_hub(tmp_path: Path, url: str, *, more: str = "") -> tuple[int, str, str]:
    """A pull from the stand-in in a process of its own, which reads HF_ENDPOINT as it starts."""
    source = f'kind = "hub"\ndataset = "own/sums"\nrevision = "{REVISION}"\n{more}'
    (tasks,) = write_benchmark(tmp_path / "tasks", url, source=source)
    text = (tasks / "small" / "benchmark.toml").read_text()
    (tasks / "small" / "benchmark.toml").write_text(text[: text.index("[published]")])
    (tasks / "small" / "source.py").write_text(
        "import json\n"
        "from judgebench.benchmarks.data import Content\n"
        "def read(path):\n"
        "    lines = (path / 'rows.jsonl').read_text().splitlines()\n"
        "    return Content(items=tuple(json.loads(line) for line in lines))\n"
    )
    process = start(
        tasks,
        HF_ENDPOINT=url,
        HF_HOME=str(tmp_path / "hf"),
        HF_TOKEN="hf_hidden",
        HF_HUB_DISABLE_TELEMETRY="1",
        NO_PROXY="127.0.0.1",
    )
    out, err = process.communicate(timeout=60)
    assert "hidden" not in out + err
    return process.returncode, out, err


def test_a_dataset_comes_at_its_revision(home: Path, tmp_path: Path, hub: tuple[Hub, str]) -> None:
    state, url = hub
    code, out, err = from_hub(tmp_path, url)
    assert (code, out) == (0, "ready 200\n"), err
    manifest = json.loads((home / "1" / "manifest.json").read_text())
    assert (manifest["dataset"], manifest["revision"]) == ("own/sums", REVISION)
    files = [path for method, path, _ in state.asked if method == "GET" and "resolve" in path]
    assert files == [f"/datasets/own/sums/resolve/{REVISION}/test.jsonl"]
    assert all(REVISION in path for _, path, _ in state.asked if "own/sums" in path)
    assert {token for _, _, token in state.asked} == {None}  # the token is the Hub's own
    assert "rows of own/sums: 200 done" in err
    assert "%|" not in err  # bars of others


def test_a_split_that_is_not_there(home: Path, tmp_path: Path, hub: tuple[Hub, str]) -> None:
    code, _, err = from_hub(tmp_path, hub[1], more='split = "dev"')
    assert code == 78
    assert 'Unknown split "dev"' in err


def test_a_dataset_that_is_not_there(home: Path, tmp_path: Path, hub: tuple[Hub, str]) -> None:
    hub[0].status = 404
    code, _, err = from_hub(tmp_path, hub[1])
    assert code == 69
    assert "own/sums" in err
    assert "judgebench data import" in err
