"""``judgebench calibrate-length``: difficulty of instructions, from the store's own judgments."""

from __future__ import annotations

from pathlib import Path

import click

from judgebench.cli.options import check_outputs, report_options, show, store_option


@click.command("calibrate-length", short_help="Fit what length-controlled win rates need.")
@click.argument("benchmark")
@click.option("--judge", metavar="NAME", help="Whose comparisons. Needed where several judged.")
@click.option(
    "--baseline",
    metavar="MODEL",
    help="Whom models were compared with. Needed where there are several.",
)
@click.option(
    "--verbose",
    "verbose",
    multiple=True,
    metavar="MODEL",
    help="A model that is the baseline with its answers made longer or shorter. Repeatable.",
)
@report_options
@store_option
def command(
    benchmark: str,
    judge: str | None,
    baseline: str | None,
    verbose: tuple[str, ...],
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
    """Fit how difficult the instructions of BENCHMARK (NAME or NAME@VERSION) are, and keep it.

    Length-controlled win rates need to know how difficult each instruction is for models, as one
    judge sees it against one baseline. AlpacaEval publishes that for its own judge and baseline;
    for any other it is fitted here, from the comparisons and answers in the store. Boards of
    exactly this judge and baseline then have length-controlled win rates. The calibration fitted
    last counts; earlier ones stay in the store.

    It takes at least 5 models, and more are better: 5 tell 0.3 of the variance of difficulty, 26
    tell 0.7.

    \b
    Examples:
      judgebench calibrate-length support
      judgebench calibrate-length alpaca_eval --judge local-llama --baseline gpt4_1106_preview
      judgebench calibrate-length support --verbose last-week-long --verbose last-week-short
    """
    from judgebench.report.calibrate_length import calibrate_length
    from judgebench.report.calibration_document import document
    from judgebench.store import open_store

    check_outputs(outputs)
    with open_store(store, create=False) as opened:
        fitted = calibrate_length(
            opened, benchmark, judge=judge, baseline=baseline, verbose=verbose
        )
    show(document(fitted), form, outputs)
    return 0
