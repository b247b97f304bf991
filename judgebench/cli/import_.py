"""``judgebench import``: others' files in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import store_option
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from judgebench.exchange.files import Format
    from judgebench.exchange.outcome import ImportReport

FORMATS = ("verdicts", "responses", "labels")


@click.command("import", short_help="Take in verdicts, responses or labels from files.")
@click.argument("what", metavar="FORMAT", type=click.Choice(FORMATS))
@click.argument("paths", metavar="PATH…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--allow-unknown-items", is_flag=True, help="Keep ids that the benchmark's data does not have."
)
@store_option
def command(what: Format, paths: tuple[Path, ...], allow_unknown_items: bool, store: str) -> int:
    """Take in FORMAT (verdicts, responses or labels) from JSONL, CSV or Parquet files.

    All files are read before anything is stored. A file is taken in whole or not at all, and the
    same file again changes nothing.

    \b
    verdicts   benchmark, item_id, model, judge, kind, value
               [, version, opponent, sample, turn, order, p, low, high, reason]
               kind: label (value = its name), score (between low and high),
               preference (probability that model beats opponent), unreadable (reason)
    labels     as verdicts, from people: judge is human/<rater>; the newest counts
    responses  benchmark, item_id, model, text [, version, sample]
    """
    from judgebench.exchange.files import read_files
    from judgebench.store import open_store

    files = read_files(what, paths, allow_unknown_items=allow_unknown_items)
    with open_store(store) as opened:
        for path, take_in in files:
            report = take_in(opened)
            for warning in report.warnings:
                say(f"warning: {path}: {warning}")
            say(_line(what, path, report))
    return 0


def _line(what: str, path: Path, report: ImportReport) -> str:
    changed = f" ({report.changed} changed)" if report.changed else ""
    return f"{path}: {report.rows} {what}, {report.new} new{changed}, {report.known} known already"
