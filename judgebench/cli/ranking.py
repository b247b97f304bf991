"""``judgebench ranking``: the models of a benchmark, ranked from pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import report_options, show, store_option

if TYPE_CHECKING:
    from judgebench.report.ranking_control import Control
    from judgebench.stats.ranking import Ties


@click.command("ranking", short_help="Rank models from pairs, with who is above whom.")
@click.argument("benchmark")
@click.option("--judge", "judges", multiple=True, metavar="NAME", help="Only this judge.")
@click.option(
    "--ties",
    type=click.Choice(["half", "davidson"]),
    default="half",
    show_default=True,
    help="A tie as half a win of each, or as an outcome of its own (Davidson).",
)
@click.option(
    "--reference",
    metavar="MODEL",
    help="Whose strength is 0.  [default: whom models were most often compared with]",
)
@click.option(
    "--control",
    type=click.Choice(["length", "style"]),
    help="Rank as if answers were equally long, or as long and with as many headers, list items "
    "and bold spans (style); the answers have to be in the store.",
)
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True)
@report_options
@store_option
def command(
    benchmark: str,
    judges: tuple[str, ...],
    ties: Ties,
    reference: str | None,
    control: Control | None,
    level: float,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
    """Rank the models of BENCHMARK (NAME or NAME@VERSION) from comparisons, one ranking a judge.

    Strengths are Bradley-Terry's, as log-odds and as expected win rates against the reference;
    then follow the win rates between all models and the chance that one is above another.
    Repeats, orders and samples of a prompt are averaged; intervals resample prompts. A model that
    won or lost everything has no strength: it is said to be above or below all it met. Models that
    no comparison connects are not ranked together.

    \b
    Examples:
      judgebench ranking support
      judgebench ranking support --judge grader --reference last-week --format json
      judgebench ranking support --ties davidson
      judgebench ranking support --control style
    """
    from judgebench.errors import UsageError
    from judgebench.metrics.intervals import Intervals
    from judgebench.report.ranking import rankings
    from judgebench.report.ranking_document import document
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        found = rankings(
            opened,
            benchmark,
            judges=judges,
            ties=ties,
            control=control,
            reference=reference,
            intervals=Intervals(level=level),
        )
    if not found:
        raise UsageError(
            f"no judge has compared models on {benchmark} yet; a suite's 'baseline' and "
            "`judgebench import verdicts` (kind preference) bring comparisons"
        )
    show(document(found), form, outputs)
    return 0
