"""``judgebench compare``: which of two models is better, and on what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import report_options, show, store_option

if TYPE_CHECKING:
    from judgebench.report.compare import Comparison
    from judgebench.store import Store


@click.command("compare", short_help="Which of two models is better, on each benchmark.")
@click.argument("first", metavar="MODEL_A")
@click.argument("second", metavar="MODEL_B")
@click.argument("benchmarks", metavar="[BENCHMARK]...", nargs=-1)
@click.option("--judge", "judges", multiple=True, metavar="NAME", help="Only this judge.")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="Only this metric: accuracy, score, win_rate, head_to_head (the win rate of one against "
    "the other), length_controlled_win_rate, or auroc, ece, brier, alignment of confidences. "
    "Repeatable; the first four if none is named.",
)
@click.option(
    "--by",
    metavar="GROUPING",
    help="Also a test for each category, language, or other field of the items.",
)
@click.option(
    "--show-flips",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help="Also so many of the items that decided each test.",
)
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True)
@report_options
@store_option
def command(
    first: str,
    second: str,
    benchmarks: tuple[str, ...],
    judges: tuple[str, ...],
    metrics: tuple[str, ...],
    by: str | None,
    show_flips: int,
    level: float,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
    """Whether MODEL_A is better or worse than MODEL_B, on the items that both were judged on.

    One test for each BENCHMARK (NAME or NAME@VERSION; all that both models have, if none is named)
    and judge, also where a judge compared the two with each other directly, whichever was the
    opponent: then the win rate of MODEL_A against MODEL_B, both orders averaged, is tested against
    50 %. Differences are MODEL_A minus MODEL_B, paired by item. Tests are two-sided: Tango's
    score test for what is right or wrong, signs flipped for other means, and a paired bootstrap for
    what is fitted (--metric length_controlled_win_rate) or of all answers together (auroc, ece,
    alignment); p-values are adjusted over all tests, those of groups too (Holm). A difference is
    'better' or 'worse' where the adjusted p is at most 1 - level, else it is 'undecided', with how
    many more items would decide it. A decision that missing verdicts could turn, all at their worst
    or all at their best, is undecided too.

    The verdict is 'better' where some benchmark says so and none the contrary. A judge that was
    served by other models, and answers that other software generated, are noted. Of several models
    of one name the newest is meant, and as MODEL_B of the same name the one before it.

    \b
    Examples:
      judgebench compare nightly last-week
      judgebench compare nightly nightly trivia_judging_mini --show-flips 10
      judgebench compare sft dpo alignbench --judge gpt-4o --by category
      judgebench compare sft dpo --level 0.99 --format json
      judgebench compare sft dpo alpaca_eval --metric win_rate --metric length_controlled_win_rate

    Exit code 0 whatever is found; `judgebench gate` is for CI.
    """
    from judgebench.report import compare_document
    from judgebench.report.compare import comparison
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        report = comparison(
            opened,
            first,
            second,
            benchmarks=benchmarks,
            judges=judges,
            metrics=metrics,
            by=by,
            level=level,
        )
        texts = _texts(opened, report, show_flips)
    show(compare_document.document(report, texts, most_flips=show_flips), form, outputs)
    return 0


def _texts(store: Store, report: Comparison, most: int) -> dict[tuple[str, str, str], str]:
    """The questions of the items that are shown."""
    from judgebench.report.compare_document import most_telling

    wanted: dict[tuple[str, str], set[str]] = {}
    for one in report.tests:
        shown = {flip.item_id for flip in most_telling(one, most)}
        wanted.setdefault((one.benchmark, one.version), set()).update(shown)
    return {
        (*benchmark, item.id): item.question
        for benchmark, ids in wanted.items()
        for item in (store.items(*benchmark) if ids else ())
        if item.id in ids and item.turns
    }
