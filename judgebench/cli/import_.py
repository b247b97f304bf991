"""``judgebench import``: others' files in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import store_option

if TYPE_CHECKING:
    from judgebench.exchange.outcome import ImportReport

FORMATS = ("verdicts", "responses", "labels")


@click.command("import", short_help="Take in verdicts, responses or labels from files.")
@click.argument("what", metavar="FORMAT", type=click.Choice(FORMATS))
@click.argument("paths", metavar="PATH…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--allow-unknown-items", is_flag=True, help="Keep ids that the benchmark's data does not have."
)
@store_option
def command(what: str, paths: tuple[Path, ...], allow_unknown_items: bool, store: str) -> int:
    """Take in FORMAT (verdicts, responses or labels) from JSONL, CSV or Parquet files.

    A file is taken in whole or not at all, and the same file again changes nothing.

    \b
    verdicts   benchmark, item_id, model, judge, kind, value
               [, version, opponent, sample, turn, order, p, low, high, reason]
               kind: label (value = its name), score (between low and high),
               preference (probability that model beats opponent), unreadable (reason)
    labels     as verdicts, from people: judge is human/<rater>; the newest counts
    responses  benchmark, item_id, model, text [, version, sample]
    """
    from judgebench.exchange.labels import import_labels
    from judgebench.exchange.responses import import_responses
    from judgebench.exchange.verdicts import import_verdicts
    from judgebench.store import open_store

    take_in = {
        "verdicts": import_verdicts,
        "responses": import_responses,
        "labels": import_labels,
    }[what]
    with open_store(store) as opened:
        for path in paths:
            report = take_in(opened, path, allow_unknown_items=allow_unknown_items)
            for warning in report.warnings:
                click.echo(f"warning: {path}: {warning}", err=True)
            click.echo(_line(what, path, report), err=True)
    return 0


def _line(what: str, path: Path, report: ImportReport) -> str:
    changed = f" ({report.changed} changed)" if report.changed else ""
    return f"{path}: {report.rows} {what}, {report.new} new{changed}, {report.known} known already"
