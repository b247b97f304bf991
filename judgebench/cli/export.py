"""``judgebench export``: verdicts and responses out, for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

import judgebench
from judgebench.cli.options import Refused, refuse_options, store_option
from judgebench.cli.streams import say

ALPACA_EVAL = "alpaca-eval"
EXAMPLES = "confidence-examples"
PARQUET = "parquet"
FORMATS = ("verdicts", "responses", PARQUET, ALPACA_EVAL, EXAMPLES)
FOLDERS = (PARQUET, ALPACA_EVAL)

REFUSED: Refused = (
    (FORMATS[:-1], ("correct", "number"), f"--correct and --number go with `export {EXAMPLES}`"),
    (FORMATS[1:], ("with_text",), "--with-text goes with `export verdicts`"),
    (
        (*FORMATS[:3], EXAMPLES),
        ("judges", "baseline"),
        f"--judge and --baseline go with `export {ALPACA_EVAL}`",
    ),
    (
        FORMATS[:3],
        ("models",),
        f"--model goes with `export {ALPACA_EVAL}` and `export {EXAMPLES}`",
    ),
)


@click.command("export")
@click.argument("what", metavar="FORMAT", type=click.Choice(FORMATS))
@click.argument("benchmark", required=False)
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
    benchmark: str | None,
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

    \b
    Examples:
      judgebench export verdicts trivia_judging_mini > verdicts.jsonl
      judgebench export verdicts alpaca_eval --with-text --output verdicts.parquet
      judgebench export responses --output answers.parquet
      judgebench export parquet --output verdicts_of_november/
      judgebench export alpaca-eval alpaca_eval --output results/
      judgebench export confidence-examples honestybench --correct equal --output examples.jsonl
    """
    refuse_options(what, given, REFUSED)
    said = {name: value for name, value in given.items() if value not in (None, (), False)}
    write = getattr(judgebench, f"export_{what.replace('-', '_')}")
    if what in FOLDERS:
        if len(outputs) != 1:
            raise click.UsageError("name one folder to write to: --output FOLDER")
        whole = {"benchmark": benchmark} if benchmark else {}
        done = write(outputs[0], store=store, **whole, **said)
        for warning in getattr(done, "warnings", ()):
            say(f"warning: {warning}")
        say(f"written: {outputs[0]}: {len(getattr(done, 'paths', done))} files")
        return 0
    if what == EXAMPLES and (benchmark is None or given["correct"] is None):
        raise click.UsageError(
            f"`export {EXAMPLES}` takes a benchmark and --correct JUDGE, whose labels count"
        )
    write(outputs or sys.stdout, benchmark, form=form, store=store, **said)
    for path in outputs:
        say(f"written: {path}")
    return 0
