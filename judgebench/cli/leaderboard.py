"""``judgebench leaderboard``: models ranked, every number with its interval."""

from __future__ import annotations

from pathlib import Path

import click

from judgebench.cli.options import report_options, show, store_option


@click.command("leaderboard", short_help="Rank the models of a benchmark.")
@click.argument("benchmark")
@click.option("--judge", "judges", multiple=True, metavar="NAME", help="Only this judge's board.")
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True)
@report_options
@store_option
def command(
    benchmark: str,
    judges: tuple[str, ...],
    level: float,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
    """Rank the models of BENCHMARK (NAME or NAME@VERSION), one board for each judge.

    Numbers come with an interval from a bootstrap over items; a rank with the ranks that the model
    had in 95 % of the replicates. Under the coverage floor of the benchmark a row is flagged.

    \b
    Examples:
      judgebench leaderboard trivia_judging_mini
      judgebench leaderboard trivia_judging_mini --judge contains --format csv
    """
    from judgebench.errors import UsageError
    from judgebench.metrics.intervals import Intervals
    from judgebench.report.leaderboard import document, leaderboards
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        intervals = Intervals(level=level)
        boards = leaderboards(opened, benchmark, judges=judges, intervals=intervals)
    if not boards:
        raise UsageError(
            f"no judge has labelled anything on {benchmark} yet; `judgebench run SUITE.yaml` asks "
            "judges, `judgebench export verdicts` shows what there is"
        )
    show(document(boards), form, outputs)
    return 0
