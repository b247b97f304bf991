"""``judgebench items``: one question with its answers, verdicts, and what they were read from."""

from __future__ import annotations

from pathlib import Path

import click

from judgebench.cli.options import report_options, show, store_option


@click.group("items", short_help="One question: answers, verdicts, prompts and replies.")
def command() -> None:
    """One question: its answers, the verdicts on them, and what these were read from."""


@command.command("show")
@click.argument("benchmark")
@click.argument("item")
@click.option("--judge", "judges", metavar="NAME", multiple=True, help="Only its verdicts.")
@click.option("--model", "models", metavar="NAME", multiple=True, help="Only its answers.")
@click.option("--earlier", is_flag=True, help="Also what later answers and verdicts replaced.")
@report_options
@store_option
def show_command(
    benchmark: str,
    item: str,
    judges: tuple[str, ...],
    models: tuple[str, ...],
    earlier: bool,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
    """Show ITEM of BENCHMARK: the question, the answers, and of each verdict prompt and reply.

    Long lines are broken, and controls and characters that have no width or turn the text round
    are written out; --format json has the texts as they are.

    \b
    Examples:
      judgebench items show trivia_judging_mini 3
      judgebench items show alpaca_eval 17 --judge gpt-4-turbo --format json
    """
    from judgebench.report.boards import meant
    from judgebench.report.replies import item_document
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        which = meant(opened, benchmark)
        found = item_document(opened, which, item, judges=judges, models=models, earlier=earlier)
    show(found, form, outputs)
    return 0
