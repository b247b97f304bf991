"""``judgebench cost``: what runs took, in calls, tokens and money."""

from __future__ import annotations

from pathlib import Path

import click

from judgebench.cli.options import report_options, show, store_option
from judgebench.cli.runs import find_run


@click.command("cost", short_help="What runs took: calls, tokens and money.")
@click.argument("run", required=False)
@report_options
@store_option
def command(run: str | None, form: str, outputs: tuple[Path, ...], store: str) -> int:
    """Say what RUN took, by judge and model: its id, the beginning of it, or 'last'; else all runs.

    Calls whose reply was kept are live, or in batches at their price. Recorded replies cost nothing
    now: what they had cost is saved. An attempt that failed was retried where it was not charged,
    and is wasted where it may have been. What has no known price is said, never counted as 0.

    \b
    Examples:
      judgebench cost
      judgebench cost last --format json
    """
    from judgebench.report.spend import spend_document
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        run_id = None if run is None else find_run(opened.runs(), run, store).id
        document = spend_document(opened, run_id)
    show(document, form, outputs)
    return 0
