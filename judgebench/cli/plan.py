"""``judgebench plan`` and ``doctor``: before a run, what it would do, and whether it could."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import judgebench
from judgebench.cli.options import narrowing_options, report_options, say, show, suite_store_option
from judgebench.progress import PlainProgress


@click.command("plan")
@click.argument("suite", type=click.Path(path_type=Path))
@suite_store_option
@click.option("--batch", is_flag=True, help="As `run --batch`: in batches, at their price.")
@click.option(
    "--refresh-anchors", is_flag=True, help="As `run --refresh-anchors`: also what that asks."
)
@click.option(
    "--again",
    multiple=True,
    metavar="JUDGE",
    help="As `run --again`: what asking a judge anew takes. Repeatable.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, min_open=True),
    metavar="X",
    help="Also how many items would detect a drop of X, in the units of each judge's metric.",
)
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    metavar="gate.yaml",
    help="A gate's policy: how often it would pass an unchanged model with these items.",
)
@narrowing_options
@report_options
def command(suite: Path, form: str, outputs: tuple[Path, ...], **asked: Any) -> int:
    """Say what `judgebench run SUITE` would do. Sends nothing, writes nothing.

    Counts are of what is missing now: answers to generate, calls to make to the models that judge
    (none for a lexical judge), and verdicts that need no call, since judgment or reply is in the
    store. Identical questions are asked once: a note says of a judge's verdicts how many repeat a
    question, and how many need nobody to be asked (about a blank answer, or one that equals an
    accepted one). A row without a judge is about the answers.

    Tokens are counted as the questions would be sent; the note says by which tokenizer or estimate.
    Prices come with judgebench, dated, unless the suite states others (prices: or price:). Costs
    are a range: the least, the expected, and the most that replies up to their limit could cost.
    A reply is expected to be as long as those of the same judge before, once 20 of them are kept;
    until then it counts as long as its limit, an upper bound, which ≤ marks.

    Detectable is the smallest drop that the items would show with a power of 80 %, in a gate at
    alpha 0.05: a share for accuracies, percent for win rates, points for scores. It is worked out
    from how much models differed before, in the store, in the eyes of this judge, of others of its
    name or of its kind; where there is no such history it is not known, and a note says so.

    What a run would lack here is said as a warning: a package, a key that is not set, room on the
    GPUs. `judgebench doctor SUITE` also asks those who are asked in a run.

    A note says how often a gate of these benchmarks and judges would pass an unchanged model, at an
    allowed drop of 2 points of the scale (with --margin, of X; with --policy, as it says), and
    which drop or how many items would make it 80 %.

    Of a judge that compares, a second table says what that drop (with --margin, a drop of X) takes
    through the board, where candidate and baseline are compared with the benchmark's opponent, and
    head to head, where they are compared with each other in both orders (gate --head-to-head).
    ≤ stands before the most that it can be, where nobody has compared in both orders yet.

    \b
    Examples:
      judgebench plan suites/demo.yaml
      judgebench plan suites/demo.yaml --margin 0.02
      judgebench plan nightly.yaml --limit 50 --judge gpt
      judgebench plan suites/nightly/suite.yaml --policy suites/nightly/gate.yaml
    """
    found = judgebench.plan(suite, **asked)
    for warning in found.warnings:
        say(f"warning: {warning}")
    show(found, form, outputs)
    return 0


@click.command("doctor")
@click.argument("suite", required=False, type=click.Path(path_type=Path))
@click.option("--no-calls", is_flag=True, help="Ask nobody whom SUITE names for a token.")
@click.option(
    "--server",
    "servers",
    metavar="BASE_URL",
    multiple=True,
    help="Also ask this OpenAI-compatible server for its models. No key is sent.",
)
@report_options
@click.option("--store", metavar="URL", help="The store to look at.  [default: the suite's own]")
def doctor(
    suite: Path | None,
    no_calls: bool,
    servers: tuple[str, ...],
    form: str,
    outputs: tuple[Path, ...],
    store: str | None,
) -> int:
    """Say what is installed, reachable and configured. Nothing heavy is imported, no key printed.

    Of a SUITE it is said whether a run would find all that it needs: benchmarks, files, packages,
    keys, and room on the GPUs. Everybody whom it asks behind an API is asked for one token, and
    what that cost is said; nothing is stored. Local models are not loaded, nor servers started.

    Ends with 69 where somebody does not answer, with 78 where SUITE or this machine lacks something
    else, and with 65 where a file cannot be used.

    \b
    Examples:
      judgebench doctor
      judgebench doctor nightly.yaml
      judgebench doctor nightly.yaml --no-calls --format json
    """
    found = judgebench.api.doctor(
        suite, ask=not no_calls, servers=servers, store=store, progress=PlainProgress()
    )
    show(found, form, outputs)
    if found.fault is not None:
        raise found.fault
    return 0
