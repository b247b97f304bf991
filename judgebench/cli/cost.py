"""``judgebench cost``: what runs took, in calls, tokens and money."""

from __future__ import annotations

from pathlib import Path

import click

from judgebench.cli.options import report_options, show, store_option


@click.command("cost", short_help="What runs took: calls, tokens and money.")
@click.argument("run", required=False)
@report_options
@store_option
def command(run: str | None, form: str, outputs: tuple[Path, ...], store: str) -> int:
    """Say what RUN took, by judge and model; without one, what all runs took.

    RUN is an id, the beginning of one, 'latest', or 'latest~1' for the one before.

    'calls' were answered at once, 'batch' in a batch at its price. 'recorded' were not made, since
    the reply was in the store: 'saved USD' is what it had cost when it was asked for, and is no
    part of 'USD'. A failed attempt is 'retried' if it was not charged, and 'wasted' if it may have
    been, at the most it can cost. What has no known price is said, never counted as 0.

    \b
    Examples:
      judgebench cost
      judgebench cost latest --format json
    """
    from judgebench.report.run_called import run_called
    from judgebench.report.spend import spend_document
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        run_id = None if run is None else run_called(opened.runs(), run, store).id
        document = spend_document(opened, run_id)
    show(document, form, outputs)
    return 0
