"""A model over time: night by night, and checkpoint by checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import judgebench
from judgebench.cli.options import level_option, report

if TYPE_CHECKING:
    from judgebench.reports.document import Report

judge_option = click.option(
    "--judge", metavar="NAME", help="On whose board. Needed where several judges have one."
)
opponent_option = click.option(
    "--opponent", metavar="MODEL", help="Comparisons with this model. Needed where there are more."
)


@report("nights")
@click.argument("model", metavar="MODEL")
@click.argument("benchmark", required=False)
@judge_option
@opponent_option
@click.option(
    "--against",
    metavar="BASELINE",
    default="",
    help="Each night beside the model that `judgebench baseline set` had called so by then.  "
    "[default: the night before]",
)
@click.option(
    "--fixed",
    metavar="BASELINE",
    default="",
    help="All nights together against this baseline, as it stands now.  [default: the first night]",
)
@click.option(
    "--max-drop",
    type=click.FloatRange(0, 1, min_open=True),
    help="The allowed drop, as a share of the metric's scale.  [default: that of --policy, else "
    "what `judgebench gate` would choose for the newest night]",
)
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="The gate's policy; its test of this board is made, at its alpha.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Without a policy: how often an unchanged model may be called worse, on each night.",
)
@click.option(
    "--newest",
    type=click.IntRange(min=1),
    metavar="N",
    default=60,
    show_default=True,
    help="So many nights, the newest ones.",
)
def nights(model: str, benchmark: str | None, **asked: Any) -> Report:
    """How MODEL went night by night on BENCHMARK (NAME or NAME@VERSION; the only one if not named).

    A night is a version of a model for as long as runs evaluate it: the same name with other
    weights, another prompt or other decoding begins the next one. Each is decided from the verdicts
    in the store, with the gate's test of this one board, beside the night before or a baseline as
    it stood then; a gate by another policy, or with further tests, may have said otherwise. What
    changed beside the model is said: another model that serves the judge, answers from another
    stack.

    A slow slide is not seen in passes, each night may be a little worse than the one before: all
    nights since a fixed baseline are tested together, and an unchanged model is called with a
    probability of alpha at most over all of them. 'e-value' is the evidence up to each night.

    \b
    Examples:
      judgebench nights nightly
      judgebench nights nightly trivia_judging_mini --judge contains --against last-green
      judgebench nights nightly support --opponent last-release --policy gate.yaml --format json

    Exit code 0 whatever is found; `judgebench gate` is for CI.
    """
    return judgebench.nights(model, benchmark, **asked)


@report("training")
@click.argument("run", metavar="RUN")
@click.argument("benchmark", required=False)
@judge_option
@opponent_option
@level_option
def training(run: str, benchmark: str | None, **asked: Any) -> Report:
    """The checkpoints of a training RUN by step, the best one, and whether the last is worse.

    RUN is what the tag training_run of its checkpoints says, or their other tags: models of a suite
    have `tags: {training_run: apo-november, step: 1200}`. BENCHMARK (NAME or NAME@VERSION) is the
    only one that they were judged on if none is named.

    Of many checkpoints some lie high by luck. So 'band' is the simultaneous band: it holds all
    checkpoints at once at the level, where single intervals do not. The best one is picked because
    it came out high: its figure is corrected for selection (winner's curse). The last one is worse
    than the best only where a band of all differences says so.

    \b
    Examples:
      judgebench training apo-november
      judgebench training apo-november trivia_judging_mini --judge contains --output curve.html
      judgebench training "algorithm apo, data mix-3" support --opponent last-release --level 0.9

    Exit code 0 whatever is found.
    """
    return judgebench.training(run, benchmark, **asked)
