"""``judgebench run``: answer, judge, report."""

from __future__ import annotations

import os
import shlex
import sys
import time
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

import judgebench
from judgebench.cli.options import (
    RETRY,
    limit_options,
    narrowing_options,
    report_options,
    say,
    show,
    suite_store_option,
    write_outputs,
)
from judgebench.extras import TRACES_TO
from judgebench.plain_text import counted, dollars

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from judgebench.execution.forecast import PlanRow, Range
    from judgebench.execution.manifest import Outcome, Unread
    from judgebench.protocols import Progress

Act: TypeAlias = "Callable[..., Outcome]"

LIMITS = {
    "max_cost": "max_cost_usd",
    "max_connections": "max_connections",
    "max_retries": "max_retries",
    "timeout": "timeout_s",
}
"""What `limit_options` are called in a suite."""

ASKS_MORE = (
    *("batch", "refresh_anchors", "stack_anchors", "again"),
    *("models", "judges", "limit", "shard", "executor", "stop_when_decided"),
)
"""Options that `--confirm` has no use for."""

THREADS = "OPENBLAS_NUM_THREADS"

UNAVAILABLE = 69
CONFIGURATION = 78

STACK_ANCHORS = 100  # without a change among them, at most 3 % of all prompts may differ


@click.command("run")
@click.argument("suite", type=click.Path(path_type=Path))
@suite_store_option
@click.option("--quiet", is_flag=True, help="Print no boards at the end, only the last line.")
@click.option(
    "--batch", is_flag=True, help="Ask in batches where a provider takes them, and end with 75."
)
@click.option(
    "--refresh-anchors",
    is_flag=True,
    help="Ask judges again about their anchors, once a day; see `judgebench anchors`.",
)
@click.option(
    "--again",
    multiple=True,
    metavar="JUDGE",
    help="Ask this judge anew about everything that SUITE has it judge. Repeatable.",
)
@click.option(
    "--confirm",
    "gate",
    type=click.Path(path_type=Path),
    metavar="GATE.json",
    help="Only ask judges afresh about what this gate left to be confirmed.",
)
@click.option(
    "--stack-anchors",
    is_flag=False,
    flag_value=STACK_ANCHORS,
    type=click.IntRange(min=1),
    metavar="[N]",
    help="Answer N prompts of each benchmark again where a local model runs on another stack now "
    f"than its answers came from ({STACK_ANCHORS} if no N is said).",
)
@click.option(
    "--stop-when-decided",
    is_flag=True,
    help="Judge no more items than it takes to say whether each model is better or worse than the "
    "benchmark's baseline, or the first model; see docs/deciding-early.md.",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve figures of the run to Prometheus on 127.0.0.1:PORT; 0 for a free port.",
)
@click.option(
    "--executor",
    metavar="NAME",
    help="Where local models run: ray, slurm or local. SUITE's own if it is not said.",
)
@limit_options
@narrowing_options
@report_options
def command(suite: Path, store: str | None, quiet: bool, gate: Path | None, **given: Any) -> int:
    """Answer, judge and report what SUITE asks for.

    Running again does only what is missing: answers and verdicts that the store has are used, and
    what failed is asked again. Ctrl-C waits for the replies under way and loses nothing.

    What calls cost is said before the run and after it, judge by judge; `judgebench plan` says it
    without running. With --max-cost (or limits.max_cost_usd in SUITE) the run stops before a call
    could exceed that, with everything kept. The limit is of one run: the next may spend as much.

    With --model, --judge and --limit only a part of SUITE is asked: a first look, or one judge
    more. The rest is neither asked nor needed, and running all of SUITE later asks what is missing.

    With --shard K/N as well: a benchmark's items are cut into N parts, and this run takes the K-th.
    Shards share judges and models behind an API and ask nothing twice; each loads local models for
    itself, on a machine or GPU of its own. Answers are the same, whatever N is.

    On a cluster (executor: {slurm: {partition: gpu, gpus: 8, array: 16}} in SUITE, or --executor
    slurm) the shards are handed over as a job array, with one more job that brings results together
    and ends the run; what was handed over is said, and the command ends. docs/cluster.md.

    With --batch (or batch: true in SUITE) questions are handed over, and the run ends with exit
    code 75. `judgebench batches collect` fetches the replies once they are there; then the same run
    again, with or without --batch, reads the verdicts.

    With --stack-anchors a local model whose answers are complete is started all the same. Where it
    runs on another stack now (software, precision, batch size, device) it answers N prompts of each
    benchmark again, the same ones every night. Its answers stay what they are; `judgebench gate`
    and `judgebench compare` take from the anchors whether models of the two stacks may be compared.

    With --again JUDGE a judge is asked anew: of another server behind the same name, say, or after
    what it replied could not be read. `judgebench plan --again JUDGE` says what that costs. Earlier
    runs keep the verdicts that they had, and later ones use the new ones and do not ask again. What
    was interrupted, or failed in part, goes on with the same command.

    With --stop-when-decided (or stop_when_decided: {baseline: …, candidates: […]} at a benchmark of
    SUITE) items are judged in a random order and no further than the comparison needs; what was
    saved is said at the end. A later run without it judges the rest.

    What is printed at the end are the boards of all that SUITE asks for, what the confidences are
    worth that its models have in their answers, and where people have labelled, how judges agree
    with them (not in csv, which has the boards only). Of benchmarks without judges it says how many
    answers there are.

    \b
    Examples:
      judgebench run suites/demo.yaml
      judgebench run nightly.yaml --store sqlite:///results/nightly.db --output nightly.md
      judgebench run nightly.yaml --limit 20 --judge gpt --model llama3-8b-apo
      judgebench run nightly.yaml --batch --max-cost 20
      judgebench run nightly.yaml --stack-anchors
      judgebench run nightly.yaml --again local-llama

    Exit codes: 0 all is there; 75 something is left for the next run: it failed, waits in a batch,
    or was stopped by a limit; or at least half of a judge's replies, and at least ten, cannot
    be read, which running again does not change (of a function or a rule: of its verdicts); 69
    somebody could not be reached or refused the key; 78 SUITE is wrong; 65 a file that it names is;
    130 interrupted.
    """
    from judgebench.config import load_suite

    loaded = load_suite(suite)
    url = judgebench.api.store_url(loaded, store)
    on = loaded.executor if given["executor"] is None else loaded.on(given["executor"]).executor
    if on is not None and on.slurm is not None and gate is None and given["shard"] is None:
        return hand_over(suite, store, given, quiet=quiet)
    if gate is None:
        act: Act = partial(judgebench.run, loaded)
        return carry_out(act, url, given, quiet=quiet, suite=suite)
    if any(given.pop(option) for option in ASKS_MORE):
        raise click.UsageError("--confirm asks afresh and nothing else: leave the others out")
    from judgebench.reports.gate_policy import read_gate

    unconfirmed = read_gate(gate).unconfirmed
    if not unconfirmed:
        say(f"{gate}: nothing waits to be confirmed")
        return 0

    def confirm(on_forecast: object, **how: Any) -> Outcome:
        return judgebench.api.confirm(suite, unconfirmed, **how)

    # The boards are the next gate's affair.
    return carry_out(confirm, url, given, quiet=True, suite=suite)


def hand_over(suite: Path, store: str | None, given: dict[str, Any], *, quiet: bool) -> int:
    """Have Slurm carry a suite out; say what was handed over, and how to watch it."""
    here = ("refresh_anchors", "stack_anchors", "again", "metrics_port", "stop_when_decided")
    said = {name: given.pop(name) for name in here}
    if asked := [name for name, its in said.items() if its or (its == 0 and its is not False)]:
        option = f"--{asked[0].replace('_', '-')}"
        raise click.UsageError(f"{option} is for a run on this machine: add --executor local")
    form, outputs = given.pop("form"), given.pop("outputs")
    written = [word for path in outputs for word in ("--output", str(path.absolute()))]
    del given["shard"]
    done = judgebench.api.submit(
        suite,
        store=store,
        limits=stated_limits(given),
        last=[*(["--quiet"] if quiet else []), "--format", form, *written],
        warn=lambda said: say(f"warning: {said}"),
        **given,
    )
    where = f"--store {shlex.quote(done.where)}"
    if done.code is not None:
        say(f"all jobs have ended; boards and messages are in {done.folder}, results {where}")
        return done.code
    say(
        f"{done.shards} shards are job {done.array}; job {done.end} ends the run once they are done"
        f" (boards: {done.folder / f'{done.end}_0_log.out'})"
    )
    if done.files:
        say(f"until then each shard has a store of its own: {done.folder}/shard-*.db")
        where = f"--store {shlex.quote(str(done.folder))}"
    say(f"watch: judgebench runs watch {where}; squeue --job {done.array},{done.end}")
    say(f"stop: scancel {done.array} {done.end}; the same command again does what is missing")
    return 0


def stated_limits(given: dict[str, Any]) -> dict[str, Any]:
    """What `limit_options` read, taken out of what is given, as a suite's limits are called."""
    stated = {name: given.pop(option, None) for option, name in LIMITS.items()}
    return {name: value for name, value in stated.items() if value is not None}


def carry_out(
    act: Act,
    url: str,
    given: dict[str, Any],
    *,
    quiet: bool = False,
    suite: Path | None = None,
) -> int:
    """Do what asks somebody, with its progress on stderr; say how it ended, and show its boards.

    ``given`` are the options of `limit_options` and `report_options`, and those of ``act``.
    """
    from judgebench.progress import progress_for

    form, outputs, port = (given.pop(name, None) for name in ("form", "outputs", "metrics_port"))
    began = time.monotonic()
    forecast: dict[str, Range | None] = {}

    def foretold(rows: Sequence[PlanRow]) -> None:
        """Say what a run will take before it begins, and remember it for the end."""
        from judgebench.execution.forecast import by_asker

        forecast.update(by_asker(rows))
        say(f"forecast: {_in_words(forecast)}")

    how = {"store": url, "limits": stated_limits(given), "on_forecast": foretold}
    with ExitStack() as kept:
        told: Progress = kept.enter_context(progress_for(sys.stderr))
        if port is not None or TRACES_TO in os.environ:
            from judgebench.telemetry import telemetry

            told = kept.enter_context(telemetry(told, port))
        outcome = act(progress=told, **how, **given)
    _load_numpy()
    return finish(outcome, url, forecast, form, outputs, quiet=quiet, began=began, suite=suite)


def _load_numpy() -> None:
    """Without threads of its own, which for boards would only wait for each other.

    Unless somebody says otherwise. Programs that a run starts are told nothing of it.
    """
    if THREADS not in os.environ:
        os.environ[THREADS] = "1"
        import_module("numpy")
        del os.environ[THREADS]


def finish(
    outcome: Outcome,
    url: str,
    forecast: Mapping[str, Range | None],
    form: str,
    outputs: Sequence[Path],
    *,
    quiet: bool,
    began: float,
    suite: Path | None = None,
) -> int:
    """Say how a run ended, show its boards unless ``quiet``; the exit code.

    Of a ``suite`` it is said how a judge of it is asked anew.
    """
    from judgebench import api

    for warning in outcome.warnings:
        say(f"warning: {warning}")
    for note in [*outcome.notes(), *outcome.decided]:
        say(note)
    if outputs or not quiet:
        document = judgebench.api.run_boards(outcome, store=url).document()
        if quiet:
            write_outputs(document, outputs)
        elif document.tables or form != "table":
            show(document, form, outputs)
    _say_spending(outcome, url, forecast)
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in outcome.seconds.items())
    for found in outcome.unread:
        _say_unread(found, suite, url)
    say(f"stages: {stages}, all {time.monotonic() - began:.1f} s")
    say(
        f"run {outcome.manifest.id}: {outcome.answered} generations, "
        f"{outcome.judge_calls} judge calls made, {outcome.recorded + outcome.known} recorded, "
        f"{outcome.judged} verdicts given, "
        f"{outcome.unreadable} unreadable, {outcome.failed} failed; store {url}"
    )
    if outcome.waiting:
        where = "" if url == api.store_url(None) else f" --store {shlex.quote(url)}"
        say(
            f"{counted(outcome.waiting, 'question')} in batches: `judgebench batches list{where}` "
            f"says how they stand, `judgebench batches collect{where}` fetches what has come; then "
            "run this again"
        )
    if outcome.failed and outcome.too_long == outcome.failed:
        say(
            "running again asks the same, which is as long: let the judge cut answers (options: "
            "{max_answer_chars: …}), or ask a model that takes more"
        )
    elif outcome.failed:
        say("run the same command again to retry what failed")
    return exit_code(outcome) or (RETRY if outcome.unread else 0)


def exit_code(outcome: Outcome) -> int:
    """Of a run whose replies could be read."""
    if outcome.misconfigured:
        return CONFIGURATION
    if outcome.unavailable:
        return UNAVAILABLE
    return RETRY if outcome.failed or outcome.stopped or outcome.waiting else 0


def _say_unread(found: Unread, suite: Path | None, url: str) -> None:
    """That a judge cannot be read, how its replies look, and what can be done."""
    from judgebench import api

    where = "" if url == api.store_url(None) else f" --store {shlex.quote(url)}"
    judge = shlex.quote(found.called)
    shows = f"`judgebench replies {judge} --unreadable{where}` shows the rest. Running again "
    of_its = f"{found.unreadable:,} of its {found.verdicts:,}"
    what = "replies state no verdict" if found.asked else "verdicts are unreadable"
    say(f"warning: {found.judge} cannot be read: {of_its} {what}")
    for example in found.examples:
        say(f"  {example}")
    if not found.asked:
        say(
            f"  {shows}judges nothing anew: let it judge otherwise, or give the questions what it "
            "needs; where that was something outside of it, such as a file, `judgebench forget "
            f"--judge {judge} --unreadable{where}` says what would go, and with --yes has the next "
            "run judge them anew"
        )
        return
    anew = (
        ""
        if suite is None
        else ", or, where what answers for it has changed, `judgebench run "
        f"{shlex.quote(str(suite))} --again {shlex.quote(found.judge)}{where}`"
    )
    say(
        f"  {shows}asks nothing anew: let the judge be asked otherwise (options: {{format: json}}, "
        f"more max_tokens, another model){anew}"
    )


def _say_spending(outcome: Outcome, url: str, forecast: Mapping[str, Range | None]) -> None:
    """What was taken, judge by judge, beside the forecast; nothing where nobody was asked."""
    from judgebench.reports.render import render

    found = judgebench.api.spending(outcome, forecast, store=url)
    if found is not None:
        say(render(found, "table").rstrip())


def _in_words(forecast: Mapping[str, Range | None]) -> str:
    """``gpt-4o 0.84 USD (0.31–1.20), local-llama price not known``."""
    return (
        ", ".join(
            f"{name} price not known"
            if cost is None
            else f"{name} {dollars(cost.expected)} USD ({dollars(cost.low)}–{dollars(cost.high)})"
            for name, cost in forecast.items()
            if cost is None or cost.high
        )
        or "nothing that costs money is missing"
    )
