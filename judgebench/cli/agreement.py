"""``judgebench agreement``: judges against people and against each other."""

from __future__ import annotations

from pathlib import Path

import click

from judgebench.cli.options import report_options, show, store_option


@click.command("agreement", short_help="Judges against people and against each other.")
@click.argument("benchmark")
@click.option(
    "--reference",
    metavar="JUDGE",
    help="Whom to compare with. A person is a judge (human/authors); 'human' is the majority of "
    "human/*, and what is taken where people have labelled.",
)
@click.option("--judge", "judges", multiple=True, metavar="NAME", help="Only this judge.")
@click.option("--by-model", is_flag=True, help="Print every model too. JSON always has them.")
@click.option("--between", is_flag=True, help="Also compare every two judges.")
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True)
@report_options
@store_option
def command(
    benchmark: str,
    reference: str | None,
    judges: tuple[str, ...],
    by_model: bool,
    between: bool,
    level: float,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
    """How far the judges of BENCHMARK (NAME or NAME@VERSION) agree with a reference.

    Cohen's kappa and its family: pooled over all answers, and as the unweighted mean over models
    (macro), which is what papers print. A dash is undefined; the reason stands below.

    \b
    Examples:
      judgebench agreement trivia_judging_mini --reference human/authors
      judgebench agreement trivia_judging_mini --by-model --format md
    """
    from judgebench.errors import UsageError
    from judgebench.metrics.intervals import Intervals
    from judgebench.report.agreement import agreement_report, document
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        report = agreement_report(
            opened,
            benchmark,
            reference=reference,
            judges=judges,
            between=between,
            intervals=Intervals(level=level),
        )
    if not report.rows and not report.between:
        raise UsageError(
            f"{benchmark} has no two judges with labels on the same answers; `judgebench import "
            "labels FILE` brings what people say"
        )
    show(document(report, by_model=by_model), form, outputs)
    return 0
