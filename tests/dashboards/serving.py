"""The app as the command line serves it, on a free port of loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.dashboards.conftest import DASHBOARDS
from tests.warm import Warm


@contextmanager
def served(
    warm: Warm,
    store: str,
    folder: Path,
    *options: str,
    more: tuple[str, ...] = (),
    said: IO[str] | None = None,
) -> Iterator[str]:
    """The app's address, as long as the block.

    Parameters
    ----------
    warm
        Out of which it is forked.
    store
        Its URL.
    folder
        Where it is started, and what it is doing is remembered.
    options, more
        Streamlit's, and the app's own.
    said
        Where what is written to standard error goes.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = [warm.executable, "-m", "serve"]
    command = [*serve, "--server.port", str(port), *options, "--", "--store", store, *more]
    environment = {k: v for k, v in os.environ.items() if k != "JUDGEBENCH_STORE"} | {
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join([str(DASHBOARDS), str(DASHBOARDS.parent)]),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=said
    ) as server:
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError(f"streamlit did not come up (exit code {server.poll()})")
