"""``judgebench leaderboard``: the models of a benchmark, ranked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import report_options, show, store_option
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from judgebench.config import Panel
    from judgebench.report.length_boards import LengthControl
    from judgebench.store import Store


@click.command("leaderboard", short_help="Rank the models of a benchmark.")
@click.argument("benchmark")
@click.option("--judge", "judges", multiple=True, metavar="NAME", help="Only this judge's boards.")
@click.option(
    "--panel",
    "panels",
    multiple=True,
    metavar="JUDGES",
    help="Also combine these judges: a,b,c or mean(a,b) or majority(a,b,c;min_valid=2).",
)
@click.option(
    "--length-control",
    type=click.Choice(["exact", "compat", "both", "off"]),
    default="exact",
    show_default=True,
    help="Win rates at equal length: the converged fit, AlpacaEval's own, both or none.",
)
@click.option(
    "--rank-by",
    metavar="METRIC",
    default="win_rate",
    show_default=True,
    help="win_rate, or length_controlled_win_rate where a board has it.",
)
@click.option(
    "--by",
    multiple=True,
    metavar="GROUPING",
    help="A further table by category, by language, or by another field of the items. Repeatable.",
)
@click.option(
    "--published",
    is_flag=True,
    help="Also the benchmark's own leaderboard with these models in it, where judge and baseline "
    "are its own.",
)
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True)
@report_options
@store_option
def command(
    benchmark: str,
    judges: tuple[str, ...],
    panels: tuple[str, ...],
    length_control: LengthControl,
    rank_by: str,
    by: tuple[str, ...],
    published: bool,
    level: float,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
    """Rank the models of BENCHMARK (NAME or NAME@VERSION), one board for each judge.

    Labels give accuracies, scores their mean, comparisons a win rate for each opponent. Numbers
    come with an interval from a bootstrap over items; a rank with the ranks that the model had in
    95 % of the replicates. Under the coverage floor of the benchmark a row is flagged. The ranks of
    `judgebench ranking` follow from simultaneous intervals of differences and can be wider.

    A panel's verdict is what most of its judges say (majority, the rule where none is written) or
    their mean; more than half of the judges have to be readable, or as many as min_valid says.
    Panels that suites declared are shown without being asked for.

    Win rates at equal length stand beside win rates where a calibration is for the judge and the
    opponent: AlpacaEval's own, or one that `judgebench calibrate-length` fitted. The board says
    which. 'compat' looks difficulty up by row position and uses AlpacaEval's solver, as published;
    'exact' converges, looks it up by instruction and has an interval.

    \b
    Examples:
      judgebench leaderboard trivia_judging_mini
      judgebench leaderboard trivia_judging_mini --judge contains --format csv
      judgebench leaderboard trivia_judging_mini --by category
      judgebench leaderboard support --panel 'mean(gpt-4o,claude-sonnet)'
      judgebench leaderboard alpaca_eval --rank-by length_controlled_win_rate --published
    """
    from judgebench.errors import UsageError
    from judgebench.metrics.intervals import Intervals
    from judgebench.report.leaderboard import document, leaderboards
    from judgebench.report.panels import parse_panel
    from judgebench.store import open_store

    asked = [parse_panel(written) for written in panels]
    with open_store(store, read_only=True) as opened:
        declared = _declared(opened, benchmark, judges)
        boards = leaderboards(
            opened,
            benchmark,
            judges=judges,
            panels=list({panel.name: panel for panel in (*declared, *asked)}.values()),
            intervals=Intervals(level=level),
            length_control=length_control,
            rank_by=rank_by,
            by=by,
        )
    for board in boards:
        if not board.rows and board.judge in {panel.name for panel in asked}:
            raise UsageError(f"{board.judge}: {'; '.join(board.warnings)}")
    if not boards:
        who = ", ".join(judges) or "no judge"
        raise UsageError(
            f"{who} has{' not' if judges else ''} said how good an answer to {benchmark} is; "
            "`judgebench run SUITE.yaml` asks judges, `judgebench export verdicts` shows what "
            f"there is, and `judgebench confidence {benchmark}` how sure models are of answers"
        )
    if published and not any(board.published for board in boards):
        say("--published adds nothing: no board here is of a published judge and its baseline")
    show(document(boards, published=published, by=by), form, outputs)
    return 0


def _declared(store: Store, benchmark: str, judges: Sequence[str]) -> list[Panel]:
    """The panels of suites; where boards are chosen, those that are called so."""
    from judgebench.report.panels import panels_in

    return [panel for panel in panels_in(store, benchmark) if not judges or panel.name in judges]
