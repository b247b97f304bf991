"""``judgebench probe`` and ``rejudge``: whether a judge can be led astray, or stood in for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import judgebench
from judgebench.cli.options import check_outputs, report_options, several, show, suite_store_option
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SUITE = click.option(
    "--suite",
    type=click.Path(path_type=Path),
    metavar="SUITE.yaml",
    help="Where it is said how the judge is asked.  [default: the newest run that says it]",
)
_MAX_COST = click.option(
    "--max-cost",
    type=click.FloatRange(min=0),
    metavar="USD",
    help="What may be spent. Without it nobody is asked who costs money.",
)
_PLAN = click.option(
    "--plan", "ask", flag_value=False, default=True, help="Only say what it would take."
)
_SEED = click.option("--seed", type=int, default=0, show_default=True, help="Of the random choice.")
_BASE_URL = click.option(
    "--base-url", metavar="URL", help="Where PROVIDER/MODEL is reached: any compatible server."
)


@click.command("probe")
@click.argument("judge")
@click.option(
    "--benchmark", metavar="NAME", help="Whose answers are used.  [default: the first it judges]"
)
@click.option(
    "--items",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="With so many items.",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="Only these: answers, attack, repeat, prompt, references. Repeatable.",
)
@click.option(
    "--prompt-variant",
    "prompts",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A variant of the judge's own prompt file. Repeatable.",
)
@_SUITE
@_MAX_COST
@_PLAN
@_SEED
@_BASE_URL
@report_options
@suite_store_option
def probe(form: str, outputs: Sequence[Path], **asked: Any) -> int:
    """Ask JUDGE what should have one answer only, and say what came of it.

    On items that it has judged, with their answers and references: dummy answers (the gold word for
    word, "Yes", "Sure", the question, flattery, nothing), answers that speak to the judge, the same
    question once more, small changes of its prompt, and references in the opposite order. A judge
    that compares is asked in both orders, against the answer that was compared with.

    JUDGE is a name of the suite, a way of judging, or PROVIDER/MODEL, which judges in the
    benchmark's usual way. Its verdicts stand in the store as on any benchmark, called probe/answers
    and so on: again, only what is missing is asked.

    Who costs money is asked with --max-cost alone, about as many of the items as that is enough
    for; without, it is said what it would take.

    \b
    Examples:
      judgebench probe local-llama --suite nightly.yaml
      judgebench probe openai/gpt-5-mini --max-cost 1
      judgebench probe grader --kind attack --kind repeat --items 30 --max-cost 1
      judgebench probe my-prompt --prompt-variant shorter.md --plan

    Exit codes: 75 where a question failed; else as `judgebench run`.
    """
    return _carried_out(judgebench.probe, form, outputs, asked)


_two_judges = several(
    click.option("--benchmark", metavar="NAME", help="Of which benchmark.  [default: OLD's first]"),
    *(_SUITE, _MAX_COST, _PLAN, _BASE_URL, report_options, suite_store_option),
)
"""Where two judges are found, and what asking the new one may take."""


@click.command("rejudge")
@click.option("--judge", required=True, metavar="NEW", help="Of the suite, or PROVIDER/MODEL.")
@click.option("--against", required=True, metavar="OLD", help="Whose verdicts are held against.")
@click.option(
    "--pilot",
    type=click.IntRange(min=2),
    default=100,
    show_default=True,
    metavar="N",
    help="So many answers, drawn from each model in turn.",
)
@_SEED
@_two_judges
def rejudge(form: str, outputs: Sequence[Path], **asked: Any) -> int:
    """Have NEW judge a random part of what OLD has judged, and say what would change.

    How many verdicts flip, kappa between the two and with people, how far scores move, which ranks
    and which gates between two models would change, and what all of it would cost, from what the
    pilot cost. A bridge leads from old scores to new, with what it is off by for a model that it
    was not fitted on.

    NEW as PROVIDER/MODEL judges as OLD does, with the same prompt. Its verdicts are ordinary ones:
    a run with NEW asks only about the rest. Who costs money is asked with --max-cost alone.

    \b
    Examples:
      judgebench rejudge --judge openai/gpt-5-mini --against gpt-4-turbo --plan
      judgebench rejudge --judge gpt-5 --against gpt-4 --suite nightly.yaml --max-cost 2
      judgebench judge replace gpt-4 gpt-5 --suite nightly.yaml --max-cost 5

    Exit codes: 75 where a question failed; else as `judgebench run`.
    """
    return _carried_out(judgebench.rejudge, form, outputs, asked)


@click.command("replace", short_help="Have a new judge judge every baseline.")
@click.argument("old")
@click.argument("new")
@_two_judges
def replace_command(form: str, outputs: Sequence[Path], **asked: Any) -> int:
    """Have NEW judge every baseline that OLD has judged, so that gates go on with NEW.

    Each name of `judgebench baseline list` on the benchmark is set anew, to the same model as NEW
    judged it. From then on boards and nights of either judge say where the break is, and how old
    scores lead to new ones where NEW has judged enough beside (see `judgebench rejudge`).

    \b
    Examples:
      judgebench judge replace gpt-4 gpt-5 --suite nightly.yaml --plan
      judgebench judge replace gpt-4 gpt-5 --suite nightly.yaml --max-cost 5

    Exit codes: 75 where a question failed, and then no baseline is set; else as `judgebench run`.
    """
    return _carried_out(judgebench.api.replace_judge, form, outputs, asked)


def _carried_out(
    act: Callable[..., Any], form: str, outputs: Sequence[Path], asked: dict[str, Any]
) -> int:
    from judgebench.cli.run import exit_code
    from judgebench.progress import progress_for

    check_outputs(outputs)
    with progress_for(sys.stderr) as progress:
        found = act(progress=progress, **asked)
    show(found, form, outputs)
    if found.outcome is None:
        return 0
    for line in found.outcome.notes():
        say(line)
    return exit_code(found.outcome)
