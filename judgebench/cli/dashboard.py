"""``judgebench dashboard``: the Streamlit app on a store, for this machine alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from judgebench.cli.options import store_option
from judgebench.cli.streams import say

LOOPBACK = "127.0.0.1"
USUAL_PORT = 8501


@click.command("dashboard", short_help="Open the dashboard on a store.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"A port of this machine; {USUAL_PORT} or the next free one if not given.",
)
@click.option(
    "--rater-header",
    metavar="HEADER",
    help="Whoever this header of a request names is who labels, as a proxy that signs people in "
    "sets it. Nothing is believed unless you say so: who reaches the port without the proxy can "
    "claim to be anybody.",
)
@store_option
def command(port: int | None, rater_header: str | None, store: str) -> int:
    """Serve the dashboard on this machine (127.0.0.1), until Ctrl-C.

    The store is read only but for labels that people give, and may be written meanwhile: pages
    follow.
    """
    from judgebench.store.location import store_path

    app = _app()
    store_path(store)  # a URL that names no file is said here, not on a page
    chosen = _port(port)
    say(f"dashboard on {store}: http://{LOOPBACK}:{chosen} (Ctrl-C ends it)")
    command_line = [sys.executable, "-m", "streamlit", "run", str(app)]
    command_line += ["--server.port", str(chosen), "--server.address", LOOPBACK]
    command_line += ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    sys.stderr.flush()
    # In place of this process: nothing is left behind, whatever signal ends it.
    given = ["--store", store, *(["--rater-header", rater_header] if rater_header else [])]
    os.execv(sys.executable, [*command_line, "--", *given])


def _app() -> Path:
    """Bundled with an installed package, or that of the checkout."""
    from judgebench.errors import ConfigError

    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_bundled", package.parent):
        app = folder / "dashboards" / "app.py"
        if app.is_file():
            return app
    raise ConfigError(f"{package}: the dashboard is not in this installation; install it again")


def _port(wanted: int | None) -> int:
    import socket

    from judgebench.errors import UsageError

    for port in (wanted,) if wanted else (USUAL_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise UsageError(f"port {wanted} is taken; name another one, or none")
