"""``judgebench export``: verdicts and responses out, for other programs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from judgebench.cli.options import store_option
from judgebench.cli.streams import say

ALPACA_EVAL = "alpaca-eval"
FORMATS = ("verdicts", "responses", ALPACA_EVAL)


@click.command("export", short_help="Write verdicts or responses to a file.")
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
    "For alpaca-eval a folder.",
)
@click.option("--model", "models", metavar="NAME", multiple=True, help="alpaca-eval: only these.")
@click.option("--judge", "judges", metavar="NAME", multiple=True, help="alpaca-eval: only these.")
@click.option("--baseline", metavar="NAME", help="alpaca-eval: the pairs with this one.")
@store_option
def command(
    what: str,
    benchmark: str | None,
    form: str,
    outputs: tuple[Path, ...],
    models: tuple[str, ...],
    judges: tuple[str, ...],
    baseline: str | None,
    store: str,
) -> int:
    """Write FORMAT (verdicts, responses or alpaca-eval) of BENCHMARK, or of all, one a row.

    `judgebench import` reads what is written here. alpaca-eval writes a folder as AlpacaEval
    keeps its results: <model>/model_outputs.json and <model>/<judge>/annotations.json.

    \b
    Examples:
      judgebench export verdicts trivia_judging_mini > verdicts.jsonl
      judgebench export responses --output answers.parquet
      judgebench export alpaca-eval alpaca_eval --output results/
    """
    if what == ALPACA_EVAL:
        return _alpaca_eval(benchmark or "alpaca_eval", outputs, models, judges, baseline, store)
    if models or judges or baseline:
        raise click.UsageError(f"--model, --judge and --baseline go with `export {ALPACA_EVAL}`")
    from judgebench.report.boards import meant
    from judgebench.store import export, open_store

    for path in outputs:
        export.check_suffix(path)
    with open_store(store, read_only=True) as opened:
        which = None if benchmark is None else meant(opened, benchmark)
        read = export.verdicts_of if what == "verdicts" else export.responses_of
        columns = read(opened) if which is None else read(opened, which.name, which.version)
    if not outputs:
        (export.print_csv if form == "csv" else export.print_jsonl)(sys.stdout, columns)
    for path in outputs:
        export.write_table(path, columns)
        say(f"written: {path}")
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
