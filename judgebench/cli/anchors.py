"""``judgebench anchors``: answers that judges are asked about again: have they changed?"""

from __future__ import annotations

from pathlib import Path

import click

from judgebench.cli.options import report_options, show, store_option
from judgebench.cli.streams import say


@click.group("anchors", short_help="Whether a judge changed under its name: pin, list.")
def command() -> None:
    """Whether a judge changed under its name: pin answers that it has judged, ask again, look.

    A model behind an API can change overnight without another name. Its replies are recorded, so an
    unchanged question is never sent twice, and nobody would notice. Anchors are answers that it has
    judged once; `judgebench run SUITE --refresh-anchors` asks about them again, once a day, and
    `judgebench gate` says INCONCLUSIVE (judge changed) in place of REGRESSION where the judge is
    what moved.
    """


@command.command("pin")
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
def pin_command(
    benchmark: str, judge: str, models: tuple[str, ...], answers: int, seed: int, store: str
) -> int:
    """Pin what a judge has said of some answers, drawn at random. Asks nobody.

    What was pinned before for this judge and benchmark stays in the store and counts no more: pin
    again once a change is known and the models have been judged by the judge as it is now.

    \b
    Example:
      judgebench anchors pin alpaca_eval --judge gpt-4-turbo --answers 100
      judgebench run nightly.yaml --refresh-anchors
    """
    from judgebench.report.anchors import pin
    from judgebench.store import open_store

    with open_store(store) as opened:
        found = pin(opened, benchmark, judge, models=models, answers=answers, seed=seed)
    say(
        f"{found.benchmark}@{found.version}: {found.verdicts} verdicts of {judge} pinned; "
        "`judgebench run SUITE --refresh-anchors` asks again. Do so once now: from two looks on "
        "the judge's own noise is known"
    )
    return 0


@command.command("list")
@click.option("--looks", is_flag=True, help="Also every look at them, with the evidence so far.")
@report_options
@store_option
def list_command(looks: bool, form: str, outputs: tuple[Path, ...], store: str) -> int:
    """List the anchors of a store and whether their judges have changed."""
    from judgebench.report.boards import meant
    from judgebench.report.drift import every_drift
    from judgebench.report.drift_document import document
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        pinned = {(one.benchmark, one.version) for one in opened.anchors()}
        benchmarks = [meant(opened, f"{name}@{version}") for name, version in sorted(pinned)]
        found = document(every_drift(opened, benchmarks), opened, looks=looks)
    show(found, form, outputs)
    return 0
