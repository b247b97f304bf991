"""``judgebench doctor``: what is installed, reachable and configured. Never prints a key."""

from __future__ import annotations

from pathlib import Path

import click

import judgebench
from judgebench.cli.options import report_options, show
from judgebench.progress import PlainProgress


@click.command("doctor")
@click.argument("suite", required=False, type=click.Path(path_type=Path))
@click.option("--no-calls", is_flag=True, help="Ask nobody whom SUITE names for a token.")
@click.option(
    "--server",
    "servers",
    metavar="BASE_URL",
    multiple=True,
    help="Also ask this OpenAI-compatible server for its models. No key is sent.",
)
@report_options
@click.option("--store", metavar="URL", help="The store to look at.  [default: the suite's own]")
def command(
    suite: Path | None,
    no_calls: bool,
    servers: tuple[str, ...],
    form: str,
    outputs: tuple[Path, ...],
    store: str | None,
) -> int:
    """Say what is installed, reachable and configured. Nothing heavy is imported, no key printed.

    Of a SUITE it is said whether a run would find all that it needs: benchmarks, files, packages,
    keys, and room on the GPUs. Everybody whom it asks behind an API is asked for one token, and
    what that cost is said; nothing is stored. Local models are not loaded, nor servers started.

    Ends with 69 where somebody does not answer, with 78 where SUITE or this machine lacks something
    else, and with 65 where a file cannot be used.

    \b
    Examples:
      judgebench doctor
      judgebench doctor nightly.yaml
      judgebench doctor nightly.yaml --no-calls --format json
    """
    found = judgebench.api.doctor(
        suite, ask=not no_calls, servers=servers, store=store, progress=PlainProgress()
    )
    show(found, form, outputs)
    if found.fault is not None:
        raise found.fault
    return 0
