"""``judgebench labels`` and ``judge-sweep``: answers drawn for people, and what comes of labels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import judgebench
from judgebench.cli.options import (
    Commands,
    judges_option,
    level_option,
    report,
    say,
    store_option,
    suite_store_option,
)

if TYPE_CHECKING:
    from judgebench.reports.document import Document, Report

KINDS = ("label", "preference", "score")
kind_option = click.option(
    "--kind", type=click.Choice(KINDS), help="What is asked for.  [default: what most judges give]"
)


@click.group("labels", cls=Commands)
def labels() -> None:
    """People's labels: draw answers for them, take the labels in, report on a judge by them.

    \b
    Examples:
      judgebench labels export trivia_judging_mini --n 10 --output labels.html
      judgebench labels import labels-*.jsonl
      judgebench labels report trivia_judging_mini --judge contains
    """


@labels.command("export")
@click.argument("benchmark")
@click.option(
    "--n", type=click.IntRange(min=1), default=100, show_default=True, help="How many answers."
)
@click.option(
    "--sample",
    type=click.Choice(("random", "stratified", "informative")),
    default="random",
    show_default=True,
    help="random; stratified: as many of each stratum (--by); informative: more of where judges "
    "disagree or are unsure. Each answer's probability is kept, and every report weights by it.",
)
@click.option(
    "--by",
    multiple=True,
    default=("model", "category"),
    show_default="model and category",
    metavar="WHAT",
    help="stratified: model, category, or verdict, which is that of --judge. Repeatable.",
)
@click.option("--judge", metavar="NAME", help="Whose verdicts are the strata of --by verdict.")
@click.option(
    "--model", "models", multiple=True, metavar="NAME", help="Only its answers. Repeatable."
)
@click.option("--against", metavar="MODEL", help="Of preferences: whom others are compared with.")
@kind_option
@click.option(
    "--raters", type=click.IntRange(1, 99), default=2, show_default=True, help="How many people."
)
@click.option(
    "--overlap",
    type=click.IntRange(min=0),
    metavar="N",
    help="So many answers are labelled by all of them, each of the others by one.  [default: all]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="For which answers are drawn.")
@click.option(
    "--format", "form", type=click.Choice(("html", "csv")), help="[default: as the suffix says]"
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("labels.html"),
    show_default=True,
    help="The file to send to the raters.",
)
@store_option
def export_labels(benchmark: str, store: str, form: str | None, output: Path, **asked: Any) -> int:
    """Draw answers of BENCHMARK (NAME or NAME@VERSION) and write one file that people label.

    The file opens in any browser without a network, keeps labels there, and gives them back as
    JSONL. It says nothing of models or of what judges said, and every rater has an order of their
    own. How well kappa will be known is printed before anybody labels.

    The same command again draws the same; a larger --n with the same --seed holds the smaller one.

    \b
    Examples:
      judgebench labels export support --n 100 --raters 2
      judgebench labels export alpaca_eval --kind preference --sample informative --n 200
      judgebench labels export support --sample stratified --by verdict --judge gpt-4 --format csv
    """
    from judgebench.label_files import export_labels as export
    from judgebench.reports.render import render

    found = export(benchmark, output, store=store, form=form, **asked)
    click.echo(render(found.document(), "table"), nl=False, err=True)
    say(f"written: {output}; `judgebench labels import FILE…` takes in what comes back")
    return 0


@labels.command("import")
@click.argument("paths", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--rater", metavar="NAME", help="Whose labels these are, where a file names nobody.")
@store_option
def import_labels(paths: tuple[Path, ...], rater: str | None, store: str) -> int:
    """Take in what raters gave back, or any file that `judgebench import labels` takes.

    All files are read before anything is stored; the same file again changes nothing, and a later
    label of a rater counts from then on.
    """
    from judgebench.label_files import import_labels as take_in
    from judgebench.progress import progress_for

    with progress_for(sys.stderr) as progress:
        take_in(paths, rater=rater, store=store, progress=progress)
    return 0


@report("report", labels)
@click.argument("benchmark")
@click.option("--judge", required=True, metavar="NAME", help="The judge that is held against them.")
@kind_option
@click.option(
    "--epsilon",
    type=click.FloatRange(0.0, 1.0),
    default=0.1,
    show_default=True,
    help="Of the alternative annotator test, with three people: 0.2 beside experts, 0.15 beside "
    "trained people.",
)
@level_option
def label_report(benchmark: str, **asked: Any) -> Document:
    """What a reviewer asks of a judge: kappas with people and of people, who says what, a sentence.

    Answers that were drawn with unequal probabilities are weighted by one over them. With three
    people and 30 questions the alternative annotator test says whether the judge may stand in for
    one of them (arXiv 2501.10970).

    \b
    Examples:
      judgebench labels report trivia_judging_mini --judge contains
      judgebench labels report support --judge gpt-4 --format latex
    """
    from judgebench.label_files import judged_by_people

    return judged_by_people(benchmark, **asked).document()


def _costs(
    _ctx: click.Context, _option: click.Parameter, said: tuple[str, ...]
) -> dict[str, float]:
    found = {}
    for one in said:
        name, _, amount = one.rpartition("=")
        try:
            found[name] = float(amount)
        except ValueError:
            raise click.UsageError(f"--cost is written JUDGE=USD, not {one!r}") from None
        if not name or not found[name] >= 0.0:
            raise click.UsageError(f"--cost is written JUDGE=USD, not {one!r}")
    return found


@report("judge-sweep", store=False)
@click.argument("benchmark")
@click.option(
    "--suite",
    type=click.Path(path_type=Path),
    metavar="SUITE.yaml",
    help="Ask its judges.  [default: nobody is asked, what the store has is replayed]",
)
@judges_option
@click.option(
    "--panel", "panels", multiple=True, metavar="A,B,C", help="Also this majority. Repeatable."
)
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --suite: each judge with this prompt of one's own. Repeatable.",
)
@click.option(
    "--temperature",
    "temperatures",
    multiple=True,
    type=click.FloatRange(min=0.0),
    metavar="T",
    help="With --suite: each judge at this temperature. Repeatable.",
)
@click.option(
    "--read",
    "readers",
    multiple=True,
    metavar="HOW",
    help="With --prompt: how a verdict is found in a reply, as brackets or first_word. Repeatable.",
)
@click.option(
    "--reference",
    metavar="JUDGE",
    help="Whom to agree with.  [default: people]  Another judge is no truth: then nothing is "
    "picked, and the table says how alike judges are.",
)
@kind_option
@click.option(
    "--cost",
    "costs",
    multiple=True,
    metavar="JUDGE=USD",
    callback=_costs,
    help="What a verdict of it costs. Repeatable.  [default: what is on record, else billions of "
    "parameters]",
)
@click.option(
    "--margin",
    type=click.FloatRange(0.0, 1.0),
    default=0.05,
    show_default=True,
    help="How far below the best kappa is good enough.",
)
@click.option(
    "--budget",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="SHARE",
    help="Of the verdicts of all judges on all labelled answers, so many at most.",
)
@click.option(
    "--max-cost",
    type=click.FloatRange(min=0),
    metavar="USD",
    help="What may be spent. Without it nobody is asked who costs money.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order of answers.")
@suite_store_option
@level_option
def judge_sweep(benchmark: str, **asked: Any) -> Report:
    """Find the cheapest judge that agrees with people on BENCHMARK nearly as well as the best.

    Judges are held against labels on a growing part of the answers, in random order. Whoever is
    surely worse than the best of those left, and no cheaper or estimated to be more than --margin
    below it, is asked no more. The error over all looks and judges is one less --level. The table
    says what each costs, its kappa, how far it is below the best with the interval that decided,
    and on how many answers it was asked; last come the suite's lines.

    Exit codes: 75 where a question failed or the budget ended; asking again goes on.

    \b
    Examples:
      judgebench judge-sweep trivia_judging --budget 0.33
      judgebench judge-sweep support --suite s.yaml --temperature 0 --temperature 1 --max-cost 2
      judgebench judge-sweep support --panel small,medium,other --cost small=0.0001
    """
    from judgebench.progress import progress_for

    with progress_for(sys.stderr) as progress:
        return judgebench.api.judge_sweep(benchmark, progress=progress, **asked)
