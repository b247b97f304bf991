"""``judgebench replies``: what a judge was asked and replied, letter by letter."""

from __future__ import annotations

from pathlib import Path

import click

from judgebench.cli.options import report_options, show, store_option


@click.command("replies", short_help="What a judge was asked, replied, and what was read from it.")
@click.argument("judge")
@click.option("--unreadable", is_flag=True, help="Only those that state no verdict.")
@click.option("--benchmark", metavar="BENCHMARK", help="Only on this one.")
@click.option("--model", "models", metavar="NAME", multiple=True, help="Only on its answers.")
@click.option("--run", "run", metavar="RUN", help="What served this run, whatever came later.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="So many at most.")
@report_options
@store_option
def command(
    judge: str,
    unreadable: bool,
    benchmark: str | None,
    models: tuple[str, ...],
    run: str | None,
    limit: int | None,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
    """Show prompt, reply and verdict of everything that JUDGE, by name or id, has judged.

    Of a verdict that was asked for anew the newest is shown; with --run what served that run. Equal
    answers were judged once. Long lines are broken, and controls and characters that have no width
    or turn the text round are written out; --format json has the texts as they are.

    \b
    Examples:
      judgebench replies local-llama --unreadable
      judgebench replies local-llama --benchmark alpaca_eval --limit 20 --format json
    """
    from judgebench import api
    from judgebench.report.replies import replies_document

    found = api.judged_replies(
        judge,
        store=store,
        unreadable=unreadable,
        benchmark=benchmark,
        models=models,
        run=run,
        limit=limit,
    )
    show(replies_document(judge, found, unreadable=unreadable), form, outputs)
    return 0
