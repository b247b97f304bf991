"""``judgebench reproduce``: published tables, recomputed from figures."""

from __future__ import annotations

from pathlib import Path

import click

from judgebench.cli.options import report_options, show


@click.command("reproduce", short_help="Recompute published tables and say where they agree.")
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option(
    "--tasks",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="The folder 'tasks' of a checkout, whose TABLE/figures are read. Default: our own.",
)
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True)
@report_options
def command(
    tables: tuple[str, ...],
    tasks: Path | None,
    level: float,
    form: str,
    outputs: tuple[Path, ...],
) -> int:
    """Recompute published tables and print ours beside theirs, with the difference and its reason.

    TABLE is one of these; all if none is named:

    \b
      alpaca_eval     leaderboard of AlpacaEval 2: win rates, length-controlled win rates
      trivia_judging  judges against people: kappa, pi, leniency
      mixeval_hard    board of MixEval: its columns' correlations with Arena Elo
      alignbench      three boards: averages of categories, agreement of two judges
      honestybench    AUROC, ECE, accuracy: averages over sets, by their sizes

    The figures are verdicts, lengths and published scores as numbers, without any text. They are in
    a checkout and not in an installed package.

    The exit code is 0 also where figures differ: what differs is part of the result, and JSON has
    'agrees' for each figure.

    \b
    Examples:
      judgebench reproduce
      judgebench reproduce alpaca_eval --format json
      judgebench reproduce trivia_judging --output trivia.md
    """
    from judgebench.cli.options import check_outputs
    from judgebench.metrics.intervals import Intervals
    from judgebench.report.reproduce import document, reproduce

    check_outputs(outputs)
    found = reproduce(tables, tasks=tasks, intervals=Intervals(level=level))
    show(document(found), form, outputs)
    return 0
