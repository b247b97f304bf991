"""``judgebench agreement``: judges against people and against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import report_options, show, store_option

if TYPE_CHECKING:
    from judgebench.stats.agreement import Weighting
    from judgebench.stats.pair_outcomes import Conflict, UnreadableSide

WEIGHTINGS = ("nominal", "linear", "quadratic")


@click.command("agreement", short_help="Judges against people and against each other.")
@click.argument("benchmark")
@click.option(
    "--reference",
    metavar="JUDGE",
    help="Whom to compare with. A person is a judge (human/authors); 'human' is the majority of "
    "human/*, of scores their mean, and what is taken where people have labelled.",
)
@click.option("--judge", "judges", multiple=True, metavar="NAME", help="Only this judge.")
@click.option("--by-model", is_flag=True, help="Print every model too. JSON always has them.")
@click.option(
    "--between",
    is_flag=True,
    help="Also compare every two judges; with --judge, that judge with every other.",
)
@click.option(
    "--versus",
    metavar="JUDGE",
    help="The judge with which each other is compared in its agreement with the reference; 'all' "
    "compares every two judges, 'best' each with the one that agrees best. Not given: all of up to "
    "6 judges, of more the best.",
)
@click.option(
    "--near-constant",
    type=click.FloatRange(0.5, 1.0),
    default=0.95,
    show_default=True,
    metavar="SHARE",
    help="Warn of a judge of whose verdicts on a model at least this share is the same, where the "
    "reference says other things at least three times as often.",
)
@click.option(
    "--tie-band",
    type=click.FloatRange(0.0, 0.5, max_open=True),
    default=0.0,
    show_default=True,
    help="Preferences: probabilities no further from one half are ties.",
)
@click.option(
    "--conflict",
    type=click.Choice(["mean", "tie", "drop"]),
    default="mean",
    show_default=True,
    help="Preferences: where the two orders have different outcomes, take that of their mean, call "
    "it a tie, or leave the pair out.",
)
@click.option(
    "--unreadable",
    type=click.Choice(["other", "drop"]),
    default="other",
    show_default=True,
    help="Preferences: where one of two orders is unreadable, take the other one, or leave the "
    "pair out.",
)
@click.option(
    "--weighting",
    type=click.Choice(WEIGHTINGS),
    default="nominal",
    show_default=True,
    help="Preferences: in kappa, a tie against a win is as far apart as a loss, or a half "
    "(linear), or a quarter (quadratic) of that.",
)
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True)
@report_options
@store_option
def command(
    benchmark: str,
    reference: str | None,
    judges: tuple[str, ...],
    by_model: bool,
    between: bool,
    versus: str | None,
    near_constant: float,
    tie_band: float,
    conflict: Conflict,
    unreadable: UnreadableSide,
    weighting: Weighting,
    level: float,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
    """How far the judges of BENCHMARK (NAME or NAME@VERSION) agree with a reference.

    Cohen's kappa and its family: pooled over all answers, and as the unweighted mean over models
    (macro), which is what papers print. A dash is undefined; the reason stands below.

    Judges that score are correlated with it: among the answers to one question, averaged over
    questions, and among the models by their mean scores. 'human' is then the mean of human/*.

    Judges that compare agree on pairs: repeats are averaged, then the two orders become a win, a
    tie or a loss by the rule of the options, and kappa is given with ties and without. Of pairs in
    both orders it is said how often the two agree (consistency), and also with the reference.
    A against B is B against A the other way round.

    Judges are also compared with each other: the difference of two judges' kappa on the answers
    that both have judged, with its interval and a p value adjusted by Holm's method over the pairs.
    The interval is at the level that decides: it leaves out zero exactly where the adjusted p value
    is at most one less --level. Which judge is the best is seen from the same verdicts, so against
    the best every two judges count as tested; a judge named by --versus has fewer to pay for.
    Of judges that score it is Spearman's correlation among the answers to one question. Raters
    that the reference is made of are left out.

    Beside kappa stands what a verdict took: dollars, with the replies that could not be read and
    the attempts that were charged and gave none, and seconds.

    \b
    Examples:
      judgebench agreement trivia_judging_mini --reference human/authors
      judgebench agreement alignbench_pointwise --format json
      judgebench agreement alpaca_eval --between --tie-band 0.1 --conflict tie
      judgebench agreement trivia_judging --versus gpt-4
    """
    from judgebench.metrics.intervals import Intervals
    from judgebench.metrics.judge_differences import JudgeChecks
    from judgebench.metrics.near_constant import NearConstantRule
    from judgebench.report.agreement import document
    from judgebench.report.outcome_agreement import agreement_reports, or_refused
    from judgebench.stats.pair_outcomes import OutcomeRule
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        reports = agreement_reports(
            opened,
            benchmark,
            reference=reference,
            judges=judges,
            between=between,
            rule=OutcomeRule(tie_band=tie_band, conflict=conflict, unreadable=unreadable),
            weighting=weighting,
            intervals=Intervals(level=level),
            checks=JudgeChecks(versus=versus, near_constant=NearConstantRule(share=near_constant)),
        )
    show(document(*or_refused(reports, benchmark), by_model=by_model), form, outputs)
    return 0
