"""``judgebench export``: verdicts and responses out, for other programs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from judgebench.cli.options import store_option
from judgebench.cli.streams import say


@click.command("export", short_help="Write verdicts or responses to a file.")
@click.argument("what", metavar="FORMAT", type=click.Choice(("verdicts", "responses")))
@click.argument("benchmark", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(("jsonl", "csv")),
    default="jsonl",
    show_default=True,
    help="What is printed where no --output is given.",
)
@click.option(
    "--output",
    "outputs",
    metavar="PATH",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Write a file instead; its suffix says the format (.jsonl .csv .parquet). Repeatable.",
)
@store_option
def command(
    what: str, benchmark: str | None, form: str, outputs: tuple[Path, ...], store: str
) -> int:
    """Write FORMAT (verdicts or responses) of BENCHMARK, or of all, one a row.

    `judgebench import` reads what is written here.

    \b
    Examples:
      judgebench export verdicts trivia_judging_mini > verdicts.jsonl
      judgebench export responses --output answers.parquet
    """
    from judgebench.report.boards import meant
    from judgebench.store import export, open_store

    for path in outputs:
        export.check_suffix(path)
    with open_store(store, read_only=True) as opened:
        which = None if benchmark is None else meant(opened, benchmark)
        read = export.verdicts_of if what == "verdicts" else export.responses_of
        columns = read(opened) if which is None else read(opened, which.name, which.version)
    if not outputs:
        (export.print_csv if form == "csv" else export.print_jsonl)(sys.stdout, columns)
    for path in outputs:
        export.write_table(path, columns)
        say(f"written: {path}")
    return 0
