"""``judgebench export``: verdicts and responses out, for other programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import judgebench
from judgebench.cli.options import say, store_option

ALPACA_EVAL = "alpaca-eval"
EXAMPLES = "confidence-examples"
PARQUET = "parquet"
TRACKERS = ("wandb", "mlflow")
FORMATS = ("verdicts", "responses", PARQUET, ALPACA_EVAL, EXAMPLES, *TRACKERS)
FOLDERS = (PARQUET, ALPACA_EVAL)


def _but(*formats: str) -> tuple[str, ...]:
    return tuple(name for name in FORMATS if name not in formats)


REFUSED: Sequence[tuple[Sequence[str], Sequence[str], str]] = (
    (
        TRACKERS,
        ("outputs",),
        "what a tracker is sent goes into no file: --output is for the others",
    ),
    (_but(EXAMPLES), ("correct", "number"), f"--correct and --number go with `export {EXAMPLES}`"),
    (_but("verdicts"), ("with_text",), "--with-text goes with `export verdicts`"),
    (
        _but(ALPACA_EVAL),
        ("judges", "baseline"),
        f"--judge and --baseline go with `export {ALPACA_EVAL}`",
    ),
    (
        _but(ALPACA_EVAL, EXAMPLES),
        ("models",),
        f"--model goes with `export {ALPACA_EVAL}` and `export {EXAMPLES}`",
    ),
)
"""Formats, options that mean nothing there, and what is said of one that is given."""


@click.command("export")
@click.argument("what", metavar="FORMAT", type=click.Choice(FORMATS))
@click.argument("about", metavar="[BENCHMARK|RUN]", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(("jsonl", "csv")),
    default="jsonl",
    show_default=True,
    help="What is printed where no --output is given.",
)
@click.option(
    "--output",
    "outputs",
    metavar="PATH",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Write a file instead; its suffix says the format (.jsonl .csv .parquet). Repeatable. "
    "For parquet and alpaca-eval a folder.",
)
@click.option("--model", "models", metavar="NAME", multiple=True, help="Only these (not of all).")
@click.option("--judge", "judges", metavar="NAME", multiple=True, help="alpaca-eval: only these.")
@click.option("--baseline", metavar="NAME", help="alpaca-eval: the pairs with this one.")
@click.option(
    "--with-text", is_flag=True, help="verdicts: also prompt and reply that each was read from."
)
@click.option("--correct", metavar="JUDGE", help=f"{EXAMPLES}: whose labels say what is correct.")
@click.option("--number", type=click.IntRange(min=1), help=f"{EXAMPLES}: of each model; 10.")
@store_option
def command(
    what: str,
    about: str | None,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
    **given: Any,
) -> int:
    """Write verdicts or responses of BENCHMARK, or of all, one a row; or FORMAT as others read it.

    With --with-text a verdict has the key of its judgment, and prompt, reply and thoughts of the
    call that it was read from; earlier_calls has the others, as JSON, of a judge that asks more
    than once.

    parquet writes a folder with all verdicts and responses, by benchmark and judge, which DuckDB,
    Polars and pandas read as two tables: verdicts/benchmark=<name>/judge=<name>/<version>.parquet.

    `judgebench import` reads verdicts and responses again, so that every text is as it was: one
    that begins with = + - or @ is a formula to a spreadsheet. alpaca-eval writes a folder as
    AlpacaEval keeps its results: <model>/model_outputs.json, <model>/<judge>/annotations.json.
    confidence-examples draws questions with the share of a model's further answers that are
    correct, for the option `examples` of a judge of the kind stated_confidence.

    wandb and mlflow send RUN (its id, the beginning of it, latest, latest~1) to that tracker:
    metrics with intervals, the board as a table, the manifest as configuration. Where to, and with
    which key, its own variables say (WANDB_API_KEY, WANDB_MODE, MLFLOW_TRACKING_URI, …).

    \b
    Examples:
      judgebench export verdicts trivia_judging_mini > verdicts.jsonl
      judgebench export verdicts alpaca_eval --with-text --output verdicts.parquet
      judgebench export responses --output answers.parquet
      judgebench export parquet --output verdicts_of_november/
      judgebench export alpaca-eval alpaca_eval --output results/
      judgebench export confidence-examples honestybench --correct equal --output examples.jsonl
      judgebench export wandb latest
      MLFLOW_TRACKING_URI=sqlite:///mlflow.db judgebench export mlflow 20260311-0314-9f2c

    Exit codes: 0 written; 64 a name or option is not known; 69 a tracker is offline or refuses
    the key; 73 a file cannot be written.
    """
    for formats, options, why in REFUSED:
        if what in formats and any({**given, "outputs": outputs}[option] for option in options):
            raise click.UsageError(why.format(what=what))
    if what in TRACKERS:
        sent = judgebench.api.export_to_tracker(what, about or "latest", store=store)
        say(f"sent to {what}: {sent}")
        return 0
    said = {name: value for name, value in given.items() if value not in (None, (), False)}
    write = getattr(judgebench, f"export_{what.replace('-', '_')}")
    if what in FOLDERS:
        if len(outputs) != 1:
            raise click.UsageError("name one folder to write to: --output FOLDER")
        whole = {"benchmark": about} if about else {}
        done = write(outputs[0], store=store, **whole, **said)
        for warning in getattr(done, "warnings", ()):
            say(f"warning: {warning}")
        say(f"written: {outputs[0]}: {len(getattr(done, 'paths', done))} files")
        return 0
    if what == EXAMPLES and (about is None or given["correct"] is None):
        raise click.UsageError(
            f"`export {EXAMPLES}` takes a benchmark and --correct JUDGE, whose labels count"
        )
    write(outputs or sys.stdout, about, form=form, store=store, **said)
    for path in outputs:
        say(f"written: {path}")
    return 0
