"""``judgebench export``: verdicts and responses out, for other programs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from judgebench.cli.options import store_option
from judgebench.cli.streams import say

ALPACA_EVAL = "alpaca-eval"
EXAMPLES = "confidence-examples"
PARQUET = "parquet"
FORMATS = ("verdicts", "responses", PARQUET, ALPACA_EVAL, EXAMPLES)


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
    models: tuple[str, ...],
    judges: tuple[str, ...],
    baseline: str | None,
    with_text: bool,
    correct: str | None,
    number: int | None,
    store: str,
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
    if (correct or number) and what != EXAMPLES:
        raise click.UsageError(f"--correct and --number go with `export {EXAMPLES}`")
    if with_text and what != "verdicts":
        raise click.UsageError("--with-text goes with `export verdicts`")
    if what == ALPACA_EVAL:
        return _alpaca_eval(benchmark or "alpaca_eval", outputs, models, judges, baseline, store)
    if judges or baseline:
        raise click.UsageError(f"--judge and --baseline go with `export {ALPACA_EVAL}`")
    if models and what != EXAMPLES:
        raise click.UsageError(f"--model goes with `export {ALPACA_EVAL}` and `export {EXAMPLES}`")
    if what == PARQUET:
        return _dataset(benchmark, outputs, store)
    from judgebench.exchange.confidence_examples import confidence_examples
    from judgebench.report.boards import meant
    from judgebench.store import export, open_store

    for path in outputs:
        export.check_suffix(path)
    with open_store(store, read_only=True) as opened:
        which = None if benchmark is None else meant(opened, benchmark)
        if what == EXAMPLES:
            if which is None or correct is None:
                raise click.UsageError(
                    f"`export {EXAMPLES}` takes a benchmark and --correct JUDGE, whose labels count"
                )
            columns = confidence_examples(
                opened,
                which.name,
                which.version,
                correct=correct,
                positive=which.labels[-1],
                models=models,
                number=number or 10,
            )
        else:
            read = export.responses_of
            if what == "verdicts":
                read = export.verdicts_with_text if with_text else export.verdicts_of
            columns = read(opened) if which is None else read(opened, which.name, which.version)
    if not outputs:
        export.SUFFIXES[f".{form}"](sys.stdout, columns)
    for path in outputs:
        export.write_table(path, columns)
        say(f"written: {path}")
    return 0


def _dataset(benchmark: str | None, outputs: tuple[Path, ...], store: str) -> int:
    from judgebench.report.boards import meant
    from judgebench.store import open_store
    from judgebench.store.export import write_dataset

    if len(outputs) != 1:
        raise click.UsageError("name one folder to write to: --output FOLDER")
    with open_store(store, read_only=True) as opened:
        name = None if benchmark is None else meant(opened, benchmark).name
        paths = write_dataset(opened, outputs[0], name)
    say(f"written: {outputs[0]}: {len(paths)} files")
    return 0


def _alpaca_eval(
    benchmark: str,
    outputs: tuple[Path, ...],
    models: tuple[str, ...],
    judges: tuple[str, ...],
    baseline: str | None,
    store: str,
) -> int:
    from judgebench.exchange.alpaca_eval_export import export_alpaca_eval
    from judgebench.report.boards import meant
    from judgebench.store import open_store

    if len(outputs) != 1:
        raise click.UsageError("name one folder to write to: --output FOLDER")
    with open_store(store, read_only=True) as opened:
        which = meant(opened, benchmark)
        done = export_alpaca_eval(
            opened,
            outputs[0],
            which.name,
            which.version,
            models=models,
            judges=judges,
            baseline=baseline,
        )
    for warning in done.warnings:
        say(f"warning: {warning}")
    say(f"written: {outputs[0]}: {len(done.paths)} files")
    return 0
