"""``gate`` and ``baseline``: is the candidate worse than the baseline, and which model is that?

``nights`` and ``training``: a model over time, night by night and checkpoint by checkpoint.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

import judgebench
from judgebench.cli.options import (
    Commands,
    in_github,
    level_option,
    report,
    report_options,
    say,
    show,
    store_option,
    summarise,
    write_outputs,
)
from judgebench.errors import UsageError

if TYPE_CHECKING:
    from judgebench.reports.document import Document, Report

NOT_PASSED = 2
EXIT = {"pass": 0, "regression": 1, "inconclusive": 2}


_alpha = partial(
    click.option,
    "--alpha",
    type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
)
_max_drop = partial(click.option, "--max-drop", type=click.FloatRange(0, 1, min_open=True))
_policy = partial(click.option, "--policy", type=click.Path(path_type=Path))


@click.group("gate", cls=Commands, invoke_without_command=True)
@click.option("--baseline", metavar="NAME", help="What it is compared with.  [required]")
@click.option("--candidate", metavar="MODEL", help="The model in question.  [required]")
@_policy(
    help="What is tested, how large a drop is allowed, how sure the gate has to be (YAML).",
)
@_max_drop(
    help="Without a policy: the allowed drop everywhere, as a share of the metric's scale.  "
    "[default: that at which an unchanged model passes with 80 %, from 0.02 to 0.06]",
)
@_alpha(
    help="Without a policy: how often an unchanged model may be called worse, over all tests.",
)
@click.option(
    "--head-to-head",
    is_flag=True,
    help="Without a policy: comparisons of the candidate's answers with the baseline's own.",
)
@click.option("--show-flips", is_flag=True, help="Also the items that cost the candidate most.")
@click.option(
    "--junit",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Also write JUnit XML, a test case for each test.",
)
@report_options
@store_option
@click.pass_context
def gate(
    ctx: click.Context,
    /,
    baseline: str | None,
    candidate: str | None,
    policy: Path | None,
    show_flips: bool,
    junit: Path | None,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
    **how: Any,
) -> int:
    """Whether CANDIDATE is worse than BASELINE, on the items that both were judged on.

    A test passes where a drop larger than the allowed one can be ruled out; it is a regression
    where the candidate is worse beyond chance; else it is inconclusive, and says what would decide
    it. Missing verdicts decide nothing: where their worst or best case would turn the decision, it
    is inconclusive. BASELINE is a name that `judgebench baseline set` gave, or else a model's, or
    the model of a run: run:RUN, run:latest~1, run:RUN/MODEL. Of several models of one name the
    newest is meant, and as the baseline of its own name the one before it.

    Answers of different stacks (software, precision, batch size) are compared where anchors show
    that they answer alike: `judgebench run SUITE --stack-anchors`. Until then it is inconclusive.

    How often an unchanged model passes is said, and which allowed drop or how many items would make
    it 80 %. Without a policy and without --max-drop that drop is chosen, from the spread of earlier
    verdicts and not from the candidate's: at least 2 and at most 6 points of the scale. What passes
    at more than 2 points alone says so, and what is a regression at 2 stays one. `gate suggest`
    writes such drops into a policy.

    Head to head the candidate's win rate against the baseline is tested beside 50 %: a suite with
    baseline: BASELINE and orders: both has judges compare the two. It takes one verdict for each
    item and order where two boards take two, and finds smaller drops where answers differ little.

    A policy may name a fixed baseline beside BASELINE, which moves on: all nights of CANDIDATE's
    name since then are tested together, so that a slow slide is seen that every night passes. It
    is a decision of its own, a regression where it says so; an unchanged model is called with a
    probability of alpha at most over all nights, beside the alpha of each night.

    A page (--output gate.html) has the ten items that moved most, with the question and both
    answers. Where GITHUB_STEP_SUMMARY is set, the table and those items are appended to that file;
    where GITHUB_ACTIONS is true, what did not pass is annotated on stderr. A command that ends with
    an error does both too, with what went wrong.

    \b
    Examples:
      judgebench gate --baseline last-week --candidate nightly
      judgebench gate --baseline main --candidate nightly --policy gate.yaml --junit gate.xml
      judgebench gate --baseline main --candidate nightly --output gate.html --output gate.json
      judgebench gate --baseline nightly --candidate nightly --show-flips
      judgebench gate --baseline run:20261126-0451 --candidate nightly
      judgebench gate suggest --baseline main --candidate nightly --output gate.yaml

    \b
    A policy:
      alpha: 0.05
      fixed_baseline: release-1
      tests:
        - {benchmark: trivia_judging, judge: contains, max_drop: 0.02, min_n: 200}
        - {benchmark: alpaca_eval, metric: win_rate, max_drop: 1.5}
        - {benchmark: alpaca_eval, metric: length_controlled_win_rate, max_drop: 2}
        - {benchmark: honestybench, metric: ece, confidence: Verbal-0, max_drop: 0.02}
        - {benchmark: support, judge: gpt-4o, head_to_head: true, max_drop: 3}

    Exit codes: 0 passed, 1 regression, 2 inconclusive.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    if baseline is None or candidate is None:
        raise click.UsageError(
            f"Missing option '--{'baseline' if baseline is None else 'candidate'}'."
        )
    if policy is not None:
        _policy_alone(ctx)
    from judgebench.reports.render import form_of, render

    found = judgebench.gate(
        candidate=candidate, baseline=baseline, policy=policy, store=store, **how
    )
    texts = judgebench.api.texts(found, store=store)
    document = found.document(texts if show_flips else None)
    # Pages have the items that flipped with their texts; the other forms are what is printed.
    page = found.document(texts, answers=True)
    show(page if form == "html" else document, form)
    for path in outputs:
        write_outputs(page if form_of(path) == "html" else document, [path])
    if junit is not None:
        _write_text(junit, found.junit(texts))
    if in_github():
        for line in found.annotations(texts):
            say(line)
    summarise(render(found.document(texts), "md"))
    return EXIT[found.verdict]


@gate.command("suggest")
@click.option("--baseline", required=True, metavar="NAME", help="What will be compared with.")
@click.option(
    "--candidate", required=True, metavar="MODEL", help="A model that will be in question."
)
@click.option(
    "--chance",
    type=click.FloatRange(0.05, 0.99),
    default=0.8,
    show_default=True,
    help="With which an unchanged model is to pass all tests.",
)
@_alpha(
    help="How often an unchanged model may be called worse, over all tests.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="gate.yaml",
    help="Write it there in place of printing it.",
)
@store_option
def suggest_command(output: Path | None, **about: Any) -> int:
    """Write a policy with drops at which an unchanged model passes.

    A test for each benchmark and judge that both models have. How large a drop it allows follows
    from how much verdicts varied before: the baseline's own where it was asked several times, else
    those of earlier pairs of models. No verdict on CANDIDATE has a part in it. Comments say the
    chance of each test, and how many items would do with 2 points.

    \b
    Examples:
      judgebench gate suggest --baseline main --candidate nightly
      judgebench gate suggest --baseline main --candidate nightly --chance 0.9 --output gate.yaml
    """
    text = judgebench.suggest_policy(**about)
    if output is None:
        click.echo(text, nl=False)
    else:
        _write_text(output, text)
    return 0


def _policy_alone(ctx: click.Context) -> None:
    """Options that say what a policy says would be ignored beside one."""
    given = [
        f"--{name.replace('_', '-')}"
        for name in ("max_drop", "alpha", "head_to_head")
        if ctx.get_parameter_source(name) not in (None, ParameterSource.DEFAULT)
    ]
    if given:
        raise click.UsageError(
            f"--policy says what is tested and how: {', '.join(given)} would be ignored. Write it "
            "into the policy (max_drop, alpha, head_to_head), or leave --policy out."
        )


def _write_text(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None
    say(f"written: {path}")


@click.group("baseline", cls=Commands)
def baseline() -> None:
    """Baselines of the gate by name, as 'main' or 'last-green': set them, list them."""


@baseline.command("set")
@click.argument("name")
@click.option("--model", required=True, metavar="MODEL", help="Whose verdicts it is from now on.")
@click.option(
    "--benchmark",
    "benchmarks",
    metavar="NAME[@VERSION]",
    multiple=True,
    help="On this benchmark only. Repeatable.  [default: all that the model was judged on]",
)
@click.option(
    "--if-passed",
    "gate",
    type=click.Path(path_type=Path),
    metavar="GATE.json",
    help="Only if this gate, written by `judgebench gate --output`, has passed.",
)
@store_option
def set_baseline_command(
    name: str, model: str, benchmarks: tuple[str, ...], gate: Path | None, store: str
) -> int:
    """Call the newest model of a name the baseline NAME, on each benchmark it was judged on.

    Earlier ones stay in the history. With --if-passed the benchmarks are those that the gate
    tested, and the model has to be the gate's candidate; where the gate did not pass, nothing is
    changed and the exit code is 2.

    \b
    Examples:
      judgebench baseline set main --model nightly
      judgebench baseline set last-green --model nightly --if-passed gate.json
    """
    from judgebench.reports.gate_policy import read_gate

    passed = None if gate is None else read_gate(gate)
    if passed is not None and passed.verdict != "pass":
        say(f"{gate}: the gate's verdict is {passed.verdict!r}; the baseline {name!r} stays")
        return NOT_PASSED
    set_to = judgebench.api.set_baseline(
        name, model, benchmarks=benchmarks, passed=passed, store=store
    )
    for one in set_to:
        say(f"{one.name} on {one.benchmark}@{one.version}: {model} ({one.model_id})")
    return 0


@report("list", baseline)
@click.option("--history", is_flag=True, help="Also what a baseline was before.")
def list_baselines(store: str, history: bool) -> Document:
    """List the baselines of a store, a row for each benchmark."""
    return judgebench.api.baselines(history=history, store=store).document()


# over time ----------------------------------------------------------------------------------------

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
@_max_drop(
    help="The allowed drop, as a share of the metric's scale.  [default: that of --policy, else "
    "what `judgebench gate` would choose for the newest night]",
)
@_policy(
    help="The gate's policy; its test of this board is made, at its alpha.",
)
@_alpha(
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
