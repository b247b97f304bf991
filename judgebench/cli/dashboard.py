"""``judgebench dashboard``: the Streamlit app on a store, for this machine as a rule."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from judgebench.cli.options import say, store_option

LOOPBACK = "127.0.0.1"
USUAL_PORT = 8501

REACHED = """\
warning: {address} can be reached from other machines. Everybody who reaches the port
  - reads the whole store: prompts, answers, verdicts and labels;
  - gives labels where a login or --rater-header says who it is (that header is believed from
    anybody, so nobody may reach the port but the proxy that sets it), and none without;
  - starts no runs: that is off.
  Put a proxy with TLS and a login in front; docs/dashboard.md says how."""


@click.command("dashboard")
@click.option(
    "--address",
    metavar="ADDRESS",
    default=LOOPBACK,
    show_default=True,
    help="The address of this machine to listen at. At any but a loopback one everybody who "
    "reaches the port reads the whole store, and no runs can be started from a page.",
)
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
@click.option(
    "--label-store",
    metavar="URL",
    envvar="JUDGEBENCH_LABEL_STORE",
    help="The same store under the address of a user who may write, where that of --store may only "
    "read: labels and the search index are written by this one (or JUDGEBENCH_LABEL_STORE).",
)
@store_option
def command(
    address: str, port: int | None, rater_header: str | None, label_store: str | None, store: str
) -> int:
    """Serve the dashboard until Ctrl-C, for this machine alone (127.0.0.1) unless told otherwise.

    The store is read only but for labels that people give, and may be written meanwhile: pages
    follow. Where only this machine reaches it, runs can be started from a page.

    \b
    Examples:
      judgebench dashboard
      judgebench dashboard --store sqlite:///results/nightly.db --port 8600
      judgebench dashboard --store postgresql://reader@host/db
      judgebench dashboard --address 0.0.0.0 --rater-header X-Forwarded-User
    """
    from judgebench import INCLUDE_PATH, registry
    from judgebench.secret import is_loopback
    from judgebench.store.opening import located

    app = _app()
    where = located(store)  # a URL that names no store is said here, not on a page
    if label_store:
        os.environ["JUDGEBENCH_LABEL_STORE"] = label_store
        located(label_store)
    chosen = _port(address, port)
    if not is_loopback(address):
        say(REACHED.format(address=address))
    say(f"starting the dashboard on {store if where.path else where.name}")
    command_line = [sys.executable, str(app.with_name("serve.py"))]
    command_line += ["--server.port", str(chosen), "--server.address", address]
    command_line += ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    # What keeps web pages of others from using this one in somebody's browser; see `access.py`.
    command_line += ["--server.enableCORS", "true", "--server.enableXsrfProtection", "true"]
    if not is_loopback(address) or rater_header:  # a proxy's name is not known here
        command_line += ["--server.allowedHosts", "*"]
    if included := registry.included():
        os.environ[INCLUDE_PATH] = os.pathsep.join(map(str, included))
    sys.stderr.flush()
    # In place of this process: nothing is left behind, whatever signal ends it.
    if where.path is None:  # everybody on this machine sees a program's arguments
        os.environ["JUDGEBENCH_STORE"] = store
    given = ["--store", store] if where.path else []
    given += ["--rater-header", rater_header] if rater_header else []
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


def _port(address: str, wanted: int | None) -> int:
    import errno
    import socket

    from judgebench.errors import UsageError

    try:
        (family, *_, where), *_ = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UsageError(f"{address!r} is no address; 127.0.0.1 is this machine alone") from None
    for port in (wanted,) if wanted else (USUAL_PORT, 0):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((where[0], port))
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    raise UsageError(f"{address} is no address of this machine") from None
                continue
            return int(probe.getsockname()[1])
    raise UsageError(f"port {wanted} is taken; name another one, or none")
