"""``judgebench evaluators``: judges that compare, by AlpacaEval's measures of evaluators."""

from __future__ import annotations

from pathlib import Path

import click

from judgebench.cli.options import report_options, show, store_option


@click.command("evaluators", short_help="AlpacaEval's measures of judges that compare.")
@click.argument("benchmark")
@click.option(
    "--reference",
    metavar="JUDGE",
    help="Whom to hold judges against.  [default: human, all people that have compared answers]",
)
@click.option(
    "--judge", "judges", multiple=True, metavar="NAME", help="Only this judge. Repeatable."
)
@click.option(
    "--others",
    type=click.IntRange(min=1),
    help="How many labels of the others a label is compared with.  [default: 3, or as many as the "
    "reference has of a pair]",
)
@click.option(
    "--upstream",
    is_flag=True,
    help="Also the numbers as AlpacaEval computes them, with what is odd about them.",
)
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True)
@report_options
@store_option
def command(
    benchmark: str,
    reference: str | None,
    judges: tuple[str, ...],
    others: int | None,
    upstream: bool,
    level: float,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
    """How good the judges of BENCHMARK (NAME or NAME@VERSION) that compare are beside people.

    Agreement with people, how far a judge leans away from them (bias) and from itself (variance),
    whether both rank models alike, and its biases: length, lists, position. Bias and
    variance need a judge that was asked several times ('judge_samples' of a suite). People are
    measured against each other. A dash is undefined; the reason stands below.

    \b
    Examples:
      judgebench evaluators alpaca_eval
      judgebench evaluators alpaca_eval --upstream --format md
      judgebench evaluators support --reference careful-judge --others 1
    """
    from judgebench.errors import UsageError
    from judgebench.metrics.intervals import Intervals
    from judgebench.report.evaluators import evaluator_report
    from judgebench.report.evaluators_document import document
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        report = evaluator_report(
            opened,
            benchmark,
            reference=reference,
            judges=judges,
            others=others,
            upstream=upstream,
            intervals=Intervals(level=level),
        )
    if not report.rows:
        raise UsageError(
            f"no judge has compared answers on {benchmark} yet; a suite's 'baseline' and "
            "`judgebench import verdicts` (kind preference) bring comparisons"
        )
    show(document(report), form, outputs)
    return 0
