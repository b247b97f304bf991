"""Judges looked at: beside people and each other, over time, reply by reply."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import judgebench
from judgebench.cli.options import Commands, judges_option, level_option, report, say, store_option

if TYPE_CHECKING:
    from judgebench.reports.document import Document

WEIGHTINGS = ("nominal", "linear", "quadratic")


@report("agreement")
@click.argument("benchmark")
@click.option(
    "--reference",
    metavar="JUDGE",
    help="Whom to compare with. A person is a judge (human/authors); 'human' is the majority of "
    "human/*, of scores their mean, and what is taken where people have labelled.",
)
@judges_option
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
@level_option
def agreement(benchmark: str, by_model: bool, **asked: Any) -> Document:
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
    return judgebench.agreement(benchmark, **asked).document(by_model=by_model)


@report("evaluators")
@click.argument("benchmark")
@click.option(
    "--reference",
    metavar="JUDGE",
    help="Whom to hold judges against.  [default: human, all people that have compared answers]",
)
@judges_option
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
@level_option
def evaluators(benchmark: str, **asked: Any) -> Document:
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
    return judgebench.evaluators(benchmark, **asked).document()


def _thresholds(
    _ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, float]:
    found = {}
    for one in given:
        name, equals, number = one.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            equals = ""
        if not equals or found[name.strip()] != found[name.strip()]:
            raise click.BadParameter(f"{one!r} is not NAME=NUMBER, such as cohen_kappa=0.7")
    return found


@report("judge-card")
@click.argument("judge")
@click.option("--benchmark", metavar="BENCHMARK", help="Only on this one (NAME or NAME@VERSION).")
@click.option(
    "--reference",
    metavar="JUDGE",
    help="Whom to hold it against.  [default: human, all people that have judged the same]",
)
@click.option(
    "--threshold",
    "thresholds",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_thresholds,
    help="What is asked of a measure, by its name in JSON. Repeatable.",
)
@click.option(
    "--policy",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A YAML file of such names and values; --threshold goes before it.",
)
@level_option
def judge_card(judge: str, **asked: Any) -> Document:
    """Whether JUDGE, by name or id, can be believed: for what, on which models, and why.

    Everything that can be said from what is stored, nobody is asked: agreement with people and
    with other judges, leniency, the order of models, models on which it is at chance or stands out,
    verdicts that are missing, unreadable or all the same, leanings to length and to its own family,
    two orders, what probes and soft verdicts say. Each with its interval, what is wanted of it, and
    passed, failed or unknown. What is not known says what would make it so.

    \b
    Examples:
      judgebench judge-card gpt-4
      judgebench judge-card gpt-4 --benchmark trivia_judging --threshold cohen_kappa=0.7
      judgebench judge-card gpt-4 --policy card.yaml --output card.html
    """
    return judgebench.api.judge_card(judge, **asked).document()


@report("confidence")
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
@level_option
def confidence(benchmark: str, by_set: bool, bins: bool, **asked: Any) -> Document:
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
    return judgebench.confidence(benchmark, **asked).document(by_set=by_set, bins=bins)


@click.group("anchors", cls=Commands)
def anchors() -> None:
    """Whether a judge changed under its name: pin answers that it has judged, ask again, look.

    A model behind an API can change overnight without another name. Its replies are recorded, so an
    unchanged question is never sent twice, and nobody would notice. Anchors are answers that it has
    judged once; `judgebench run SUITE --refresh-anchors` asks about them again, once a day, and
    `judgebench gate` says INCONCLUSIVE (judge changed) in place of REGRESSION where the judge is
    what moved.
    """


@anchors.command("pin")
@click.argument("benchmark", metavar="BENCHMARK")
@click.option("--judge", required=True, metavar="JUDGE", help="Whose verdicts, by name or id.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="On whose answers. Repeatable.  [default: all that the judge has judged]",
)
@click.option(
    "--answers",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="How many answers; each costs a call a day, or two where it was judged in both orders.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="For which answers are drawn.")
@store_option
def pin_anchors(benchmark: str, judge: str, **asked: Any) -> int:
    """Pin what a judge has said of some answers, drawn at random. Asks nobody.

    What was pinned before for this judge and benchmark stays in the store and counts no more: pin
    again once a change is known and the models have been judged by the judge as it is now.

    \b
    Examples:
      judgebench anchors pin alpaca_eval --judge gpt-4-turbo --answers 100
      judgebench run nightly.yaml --refresh-anchors
    """
    found = judgebench.api.pin_anchors(benchmark, judge, **asked)
    say(
        f"{found.benchmark}@{found.version}: {found.verdicts} verdicts of {judge} pinned; "
        "`judgebench run SUITE --refresh-anchors` asks again. Do so once now: from two looks on "
        "the judge's own noise is known"
    )
    return 0


@report("list", anchors)
@click.option("--looks", is_flag=True, help="Also every look at them, with the evidence so far.")
def list_anchors(store: str, looks: bool) -> Document:
    """List the anchors of a store and whether their judges have changed."""
    return judgebench.drift(store=store).document(looks=looks)


@report("calibrate-length")
@click.argument("benchmark")
@click.option("--judge", metavar="NAME", help="Whose comparisons. Needed where several judged.")
@click.option(
    "--baseline",
    metavar="MODEL",
    help="Whom models were compared with. Needed where there are several.",
)
@click.option(
    "--verbose",
    multiple=True,
    metavar="MODEL",
    help="A model that is the baseline with its answers made longer or shorter. Repeatable.",
)
def calibrate_length(benchmark: str, **asked: Any) -> Document:
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
    return judgebench.api.calibrate_length(benchmark, **asked).document()


@report("replies")
@click.argument("judge")
@click.option("--unreadable", is_flag=True, help="Only those that state no verdict.")
@click.option("--benchmark", metavar="BENCHMARK", help="Only on this one.")
@click.option("--model", "models", metavar="NAME", multiple=True, help="Only on its answers.")
@click.option("--run", metavar="RUN", help="What served this run, whatever came later.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="So many at most.")
def replies(judge: str, **asked: Any) -> Document:
    """Show prompt, reply and verdict of everything that JUDGE, by name or id, has judged.

    Of a verdict that was asked for anew the newest is shown; with --run what served that run. Equal
    answers were judged once. Long lines are broken, and controls and characters that have no width
    or turn the text round are written out; --format json has the texts as they are.

    \b
    Examples:
      judgebench replies local-llama --unreadable
      judgebench replies local-llama --benchmark alpaca_eval --limit 20 --format json
    """
    return judgebench.api.judged_replies(judge, **asked).document()


@click.group("items", cls=Commands)
def items() -> None:
    """One question: its answers, the verdicts on them, and what these were read from."""


@report("show", items)
@click.argument("benchmark")
@click.argument("item")
@click.option("--judge", "judges", metavar="NAME", multiple=True, help="Only its verdicts.")
@click.option("--model", "models", metavar="NAME", multiple=True, help="Only its answers.")
@click.option("--earlier", is_flag=True, help="Also what later answers and verdicts replaced.")
def show_item(benchmark: str, item: str, **asked: Any) -> Document:
    """Show ITEM of BENCHMARK: the question, the answers, and of each verdict prompt and reply.

    Long lines are broken, and controls and characters that have no width or turn the text round
    are written out; --format json has the texts as they are.

    \b
    Examples:
      judgebench items show trivia_judging_mini 3
      judgebench items show alpaca_eval 17 --judge gpt-4-turbo --format json
    """
    return judgebench.item(benchmark, item, **asked).document()


@report("forget")
@click.option("--judge", "judges", metavar="NAME", multiple=True, help="What this judge said.")
@click.option("--run", "runs", metavar="RUN", multiple=True, help="What served this run.")
@click.option(
    "--judgments",
    metavar="KEY",
    multiple=True,
    help="The judgment whose key begins so, as `judgebench replies` shows it.",
)
@click.option("--benchmark", "benchmarks", metavar="NAME", multiple=True, help="Only on this one.")
@click.option("--unreadable", is_flag=True, help="Only what no verdict could be read from.")
@click.option("--yes", is_flag=True, help="Remove it. Without, nothing is removed.")
def forget(yes: bool, **asked: Any) -> Document:
    """Say what would be forgotten, and what it would take to have it again; with --yes forget it.

    Judgments go, the places where they served, and the replies and texts that nothing else needs.
    The next run asks anew for what it lacks. What was spent stays on record, and so do runs with
    their manifests, models, judges and answers.

    At least one of --judge, --run and --judgments is needed. All options are repeatable; what
    several of them name together is what all of them mean. With --run or --benchmark a judgment
    that serves elsewhere as well stays, for the other runs. Nothing goes while a run is under way.

    \b
    Examples:
      judgebench forget --judge local-llama --unreadable
      judgebench forget --judge local-llama --run latest --yes
      judgebench forget --judgments 0a1b2c3d4e5f --yes
    """
    if not (asked["judges"] or asked["runs"] or asked["judgments"]):
        raise click.UsageError("name what is meant: --judge, --run or --judgments")
    return judgebench.forget(**asked, remove=yes).document()
