"""``judgebench import``: others' files in."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

import click

import judgebench
from judgebench.cli.options import say, store_option
from judgebench.exchange.formats import FORMATS, loaded, refuse_options
from judgebench.progress import progress_for

_WIDTH = 13
_HELP = "\n".join(
    f"{name if n == 0 else '':<{_WIDTH}}{line}"
    for name, one in FORMATS.items()
    for n, line in enumerate(one.help)
)


@click.command(
    "import",
    help=f"""Take in FORMAT (verdicts, responses, labels, or another program's) from files.

    All files are read before anything is stored. A file is taken in whole or not at all, and the
    same file again changes nothing. Files of verdicts, labels and responses are JSONL, JSON, CSV,
    TSV or Parquet with these columns; of other programs, their own files:

    \b
{indent(_HELP, "    ")}

    A column item is item_id, and answer or output are text. What is called otherwise --columns
    says; --benchmark, --model, --judge and --scale say for all rows what has no column, and --wide
    reads a table with a column for each judge or model.

    \b
    Examples:
      judgebench import verdicts judged.jsonl
      judgebench import verdicts judged.csv --columns id=item_id,grader=judge,verdict=value
      judgebench import verdicts table.csv --wide judge=gpt-4.1,claude --scale 1:10
      judgebench import published
      judgebench import published trivia_judging --store sqlite:///results/published.db

    Exit codes: 0 all is there; 65 a file cannot be used, or there are no figures here; 73 the
    store cannot be written.
    """,
)
@click.argument("what", metavar="FORMAT", type=click.Choice(tuple(FORMATS)))
@click.argument("paths", metavar="PATH…", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--allow-unknown-items", is_flag=True, help="Keep ids that the benchmark's data does not have."
)
@click.option(
    "--anchors",
    is_flag=True,
    help="verdicts: those on answers that `judgebench anchors pin` pinned are what their judge "
    "said when it was asked again; see `judgebench anchors`.",
)
@click.option(
    "--columns",
    metavar="THEIRS=OURS,…",
    multiple=True,
    help="verdicts, labels, responses: what the file calls a column otherwise, as "
    "--columns id=item_id,grader=judge. Repeatable.",
)
@click.option(
    "--wide",
    metavar="judge=COLUMN,…",
    multiple=True,
    help="verdicts, labels: these columns are judges, each cell a verdict of that judge; or "
    "model=COLUMN,…: they are models. An empty cell is no verdict.",
)
@click.option(
    "--scale",
    metavar="LOW:HIGH",
    help="verdicts, labels: values are scores on this scale, as --scale 1:10; where the file has "
    "no columns low and high.",
)
@click.option(
    "--model-outputs",
    metavar="PATH",
    multiple=True,
    type=click.Path(path_type=Path),
    help="alpaca-eval: a file of a model's answers. Repeatable.",
)
@click.option(
    "--reference-outputs",
    metavar="PATH",
    multiple=True,
    type=click.Path(path_type=Path),
    help="alpaca-eval: a file of the baseline's answers.",
)
@click.option(
    "--benchmark",
    metavar="NAME",
    help="What the files are about, NAME or NAME@VERSION, where they do not say it.  [default of "
    "other programs' files: alpaca_eval, arena_hard, mt_bench, judgebench_pairs, rewardbench, "
    "xstest, just_eval, honestybench; lm-eval, inspect: as their task is called]",
)
@click.option(
    "--model",
    metavar="NAME",
    help="Whose answers these are, where the files do not say it (not arena-hard, mt-bench).",
)
@click.option(
    "--judge",
    metavar="NAME",
    help="verdicts, labels, alpaca-eval, honestybench: who judged, where the files do not say it.",
)
@click.option(
    "--set",
    "set_name",
    metavar="NAME",
    help="honestybench: which set the files are about.  [default: as file or folder are called]",
)
@click.option(
    "--baseline",
    metavar="NAME",
    help="alpaca-eval, arena-hard: whom models were compared with; files that name another are "
    "refused.",
)
@click.option(
    "--tasks",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="published: the folder 'tasks' of a checkout, whose figures are read.  [default: our own]",
)
@store_option
def command(what: str, paths: tuple[Path, ...], store: str, **given: Any) -> int:
    refuse_options(what, given)
    chosen = FORMATS[what]
    if not (chosen.without_files or paths or given["model_outputs"] or given["reference_outputs"]):
        raise click.UsageError("name the files: Missing argument 'PATH…'.")
    if chosen.without_files:
        say("reading the published verdicts")
    said = {name: value for name, value in given.items() if value and name in chosen.options}
    with progress_for(sys.stderr) as progress:
        judgebench.import_files(
            what, paths, store=store, progress=progress, **said | _laid_out(what, said)
        )
    return 0


def _laid_out(what: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """How a table becomes ours, out of how the command line says it."""
    layout: dict[str, Any] = {}
    if "columns" in said:
        layout["columns"] = _columns(what, said["columns"])
    if "wide" in said:
        layout["wide"] = which, _ = _wide(said["wide"])
        if which in said:
            raise click.UsageError(f"--wide has a column for each {which}: leave --{which} out")
    if "scale" in said:
        layout["scale"] = _scale(said["scale"])
    return layout


def _listed(text: str) -> list[str]:
    """What is listed with commas; a name with a comma stands in double quotes."""
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]


def _columns(what: str, written: Sequence[str]) -> dict[str, str]:
    from judgebench.errors import unknown_name

    known = loaded(FORMATS[what].fields)
    found: dict[str, str] = {}
    for piece in (piece for text in written for piece in _listed(text)):
        theirs, equals, ours = piece.rpartition("=")
        if not equals or not theirs or not ours:
            raise click.UsageError(f"--columns is written THEIRS=OURS,…, not {piece!r}")
        if ours not in known:
            raise click.UsageError(f"--columns: {unknown_name('column', ours, known)}")
        if theirs in found or ours in found.values():
            raise click.UsageError(f"--columns: {piece}: each column is named once")
        found[theirs] = ours
    return found


def _wide(written: Sequence[str]) -> tuple[str, list[str]]:
    named: dict[str, list[str]] = {}
    for text in written:
        which, _, columns = text.partition("=")
        if which not in ("judge", "model") or not (found := _listed(columns)) or not all(found):
            raise click.UsageError(
                f"--wide is written judge=COLUMN,… or model=COLUMN,…, not {text!r}"
            )
        named.setdefault(which, []).extend(found)
    if len(named) > 1:
        raise click.UsageError("--wide: columns are judges or models, not both")
    [(which, across)] = named.items()
    if len(set(across)) < len(across):
        raise click.UsageError("--wide: each column is named once")
    return which, across


def _scale(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise click.UsageError(f"--scale is written LOW:HIGH, not {text!r}") from None
