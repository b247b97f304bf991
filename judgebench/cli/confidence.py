"""``judgebench confidence``: whether models are sure of the answers that are correct."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from judgebench.cli.options import report_options, show, store_option


@click.command("confidence", short_help="Confidences against correctness: AUROC, ECE, alignment.")
@click.argument("benchmark")
@click.option(
    "--correct",
    metavar="JUDGE",
    help="Whose labels say which answers are correct.  [default: the only judge that labels]",
)
@click.option(
    "--confidence",
    "confidences",
    multiple=True,
    metavar="NAME",
    help="Only this confidence: a judge that scores from 0 to 1, Prob, N-Prob, Consis-Lex or "
    "Consis-Sem. Repeatable.",
)
@click.option("--by-set", is_flag=True, help="Also a table for each set of questions (category).")
@click.option("--bins", is_flag=True, help="Also a reliability diagram, and risk by coverage.")
@click.option(
    "--rouge",
    type=click.Choice(("lin", "upstream")),
    default="lin",
    show_default=True,
    help="The ROUGE-L of Consis-Lex: as published, or as HonestyBench's package computes it "
    "(slow).",
)
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True)
@report_options
@store_option
def command(
    benchmark: str,
    correct: str | None,
    confidences: tuple[str, ...],
    by_set: bool,
    bins: bool,
    rouge: str,
    level: float,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
    """Whether the models of BENCHMARK (NAME or NAME@VERSION) are sure of what is correct.

    A confidence is a score from 0 to 1 of a model's first answer: one that it states, one from a
    file (`judgebench import verdicts`, kind score, low 0, high 1), or one computed from the
    answer's log-probability and from further samples. What is correct is said by a judge's labels.
    Averages over sets of questions are weighted with their sizes. JSON has all sets, the bins, and
    ECE and alignment as HonestyBench's code and paper compute them.

    \b
    Examples:
      judgebench confidence honestybench
      judgebench confidence honestybench --correct careful-judge --by-set
      judgebench confidence honestybench --bins --output confidence.html
    """
    from judgebench.errors import UsageError
    from judgebench.metrics.intervals import Intervals
    from judgebench.report.confidence import confidence_report
    from judgebench.report.confidence_document import document
    from judgebench.stats.answer_confidence import RougeL
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        report = confidence_report(
            opened,
            benchmark,
            correct=correct,
            confidences=confidences,
            rouge=cast("RougeL", rouge),
            intervals=Intervals(level=level),
        )
    if not any(row.metrics["accuracy"].n for row in report.rows):
        reasons = sorted({str(row.metrics["auroc"].undefined) for row in report.rows})
        raise UsageError(
            f"no answer to {benchmark} has both a label of {report.correct} and a confidence: "
            + "; ".join(reasons)
        )
    show(document(report, by_set=by_set, bins=bins), form, outputs)
    return 0
