"""``judgebench export``: verdicts and responses out, for other programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judgebench.cli.options import Refused, refuse_options, store_option
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from judgebench.reports.boards import Meant
    from judgebench.store import Store
    from judgebench.store.catalog import Columns

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
    from judgebench.reports.boards import meant
    from judgebench.store import export, open_store

    if what in FOLDERS and len(outputs) != 1:
        raise click.UsageError("name one folder to write to: --output FOLDER")
    for path in () if what in FOLDERS else outputs:
        export.check_suffix(path)
    benchmark = benchmark or ("alpaca_eval" if what == ALPACA_EVAL else None)
    with open_store(store, read_only=True) as opened:
        which = None if benchmark is None else meant(opened, benchmark)
        if what in FOLDERS:
            written = _folder(opened, outputs[0], which, what, given)
            say(f"written: {outputs[0]}: {written} files")
            return 0
        columns = _columns(opened, which, what, given)
    if not outputs:
        export.SUFFIXES[f".{form}"](sys.stdout, columns)
    for path in outputs:
        export.write_table(path, columns)
        say(f"written: {path}")
    return 0


def _columns(store: Store, which: Meant | None, what: str, given: Mapping[str, Any]) -> Columns:
    """What is written as one table."""
    from judgebench.exchange.confidence_examples import confidence_examples
    from judgebench.store import export

    if what == EXAMPLES:
        if which is None or given["correct"] is None:
            raise click.UsageError(
                f"`export {EXAMPLES}` takes a benchmark and --correct JUDGE, whose labels count"
            )
        return confidence_examples(
            store,
            which.name,
            which.version,
            correct=given["correct"],
            positive=which.labels[-1],
            models=given["models"],
            number=given["number"] or 10,
        )
    read = export.responses_of
    if what == "verdicts":
        read = export.verdicts_with_text if given["with_text"] else export.verdicts_of
    return read(store) if which is None else read(store, which.name, which.version)


def _folder(
    store: Store, folder: Path, which: Meant | None, what: str, given: Mapping[str, Any]
) -> int:
    """How many files were written to a folder."""
    if what == PARQUET or which is None:
        from judgebench.store.export import write_dataset

        return len(write_dataset(store, folder, None if which is None else which.name))
    from judgebench.exchange.alpaca_eval_export import export_alpaca_eval

    chosen = {name: given[name] for name in ("models", "judges", "baseline")}
    done = export_alpaca_eval(store, folder, which.name, which.version, **chosen)
    for warning in done.warnings:
        say(f"warning: {warning}")
    return len(done.paths)
