"""``judgebench forget``: verdicts and replies out of the store, so that they are asked for anew."""

from __future__ import annotations

from pathlib import Path

import click

from judgebench.cli.options import report_options, show, store_option


@click.command("forget", short_help="Remove verdicts and replies; says what, unless --yes.")
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
@report_options
@store_option
def command(
    judges: tuple[str, ...],
    runs: tuple[str, ...],
    judgments: tuple[str, ...],
    benchmarks: tuple[str, ...],
    unreadable: bool,
    yes: bool,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
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
    from judgebench import api

    if not (judges or runs or judgments):
        raise click.UsageError("name what is meant: --judge, --run or --judgments")
    found = api.forget(
        judges=judges,
        runs=runs,
        judgments=judgments,
        benchmarks=benchmarks,
        unreadable=unreadable,
        store=store,
        remove=yes,
    )
    show(found, form, outputs)
    return 0
