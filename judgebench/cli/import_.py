"""``judgebench import``: others' files in."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import judgebench
from judgebench.cli.options import Refused, refuse_options, store_option
from judgebench.cli.streams import say
from judgebench.progress import PlainProgress

if TYPE_CHECKING:
    from judgebench.exchange.alpaca_eval import AlpacaEvalImport

ALPACA_EVAL, HONESTYBENCH, PUBLISHED = "alpaca-eval", "honestybench", "published"
JUDGMENTS = ("arena-hard", "mt-bench")
EVALUATIONS = ("lm-eval", "inspect")
ROWS = ("verdicts", "responses", "labels")
FORMATS = (*ROWS, ALPACA_EVAL, *JUDGMENTS, HONESTYBENCH, *EVALUATIONS, PUBLISHED)
MOST = 5

_OF_TABLES = ("columns", "wide", "scale")
_OF_PAIRS = ("model_outputs", "reference_outputs")
_NAMES = ("benchmark", "model", "judge", "baseline")
_OTHERS = tuple(name for name in FORMATS if name not in ROWS)

REFUSED: Refused = (
    (_OTHERS, _OF_TABLES, f"--columns, --wide and --scale go with {', '.join(ROWS)}"),
    (
        (PUBLISHED,),
        (*_OF_PAIRS, *_NAMES, "set_name", "anchors"),
        "of published verdicts everything is known; name benchmarks, or nothing",
    ),
    (FORMATS[:-1], ("tasks",), f"--tasks goes with `import {PUBLISHED}`"),
    (FORMATS[1:-1], ("anchors",), "--anchors goes with `import verdicts`"),
    (
        (HONESTYBENCH,),
        (*_OF_PAIRS, "baseline"),
        "these files have the answers, and nothing is compared; --model-outputs, "
        f"--reference-outputs and --baseline are not for `import {HONESTYBENCH}`",
    ),
    (
        tuple(name for name in FORMATS if name != HONESTYBENCH),
        ("set_name",),
        f"--set goes with `import {HONESTYBENCH}`",
    ),
    (
        EVALUATIONS,
        (*_OF_PAIRS, "judge", "baseline"),
        "{what} logs have the answers and say who scored them, and nothing is compared; "
        "--model-outputs, --reference-outputs, --judge and --baseline are not for `import {what}`",
    ),
    (
        JUDGMENTS,
        (*_OF_PAIRS, "model", "judge"),
        "{what} files say whose answers and verdicts these are; --model-outputs, "
        f"--reference-outputs, --model and --judge go with `import {ALPACA_EVAL}`",
    ),
    (
        ("mt-bench",),
        ("baseline",),
        "mt-bench files name both models; --baseline is not for them",
    ),
    (
        ROWS,
        (*_OF_PAIRS, "baseline"),
        f"--model-outputs, --reference-outputs and --baseline go with `import {ALPACA_EVAL}`",
    ),
    (
        ("responses",),
        ("wide", "scale", "judge"),
        "--wide, --scale and --judge are about verdicts, not responses",
    ),
)


@click.command("import")
@click.argument("what", metavar="FORMAT", type=click.Choice(FORMATS))
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
    "other programs' files: alpaca_eval, arena_hard, mt_bench, honestybench; lm-eval, inspect: as "
    "their task is called]",
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
    """Take in FORMAT (verdicts, responses, labels, or another program's) from files.

    All files are read before anything is stored. A file is taken in whole or not at all, and the
    same file again changes nothing. Files are JSONL, CSV or Parquet with these columns:

    \b
    verdicts   benchmark, item_id, model, judge, kind, value
               [, version, opponent, sample, turn, order, p, low, high, reason]
               kind: label (value = its name), score (between low and high),
               preference (probability that model beats opponent), unreadable (reason);
               without one: what the other columns make it, at last a label
    labels     as verdicts, from people: judge is human/<rater>; the newest counts
    responses  benchmark, item_id, model, text [, version, sample]

    A column item is item_id, and answer or output are text. What is called otherwise --columns
    says; --benchmark, --model, --judge and --scale say for all rows what has no column, and --wide
    reads a table with a column for each judge or model.

    \b
    alpaca-eval  model_outputs.json and annotations.json as AlpacaEval writes them (also
                 .jsonl, .csv, .tsv), or folders of results; all of them or nothing
    arena-hard   model_judgment/<judge>/<model>.jsonl, or folders of them
    mt-bench     model_judgment/<judge>_single.jsonl and _pair.jsonl
    honestybench the benchmark's records of a model, <model>/<set>.jsonl or .parquet: question,
                 answer, greedy_response, sampling_response, …_correctness, logprobs
    lm-eval      an output folder, or results_<time>.json and samples_<task>_<time>.jsonl of
                 it (--log_samples); metrics are kept as the judges lm-eval/<metric>,<filter>
    inspect      logs, .eval or .json, or folders of them; scores are kept as the judges
                 inspect/<scorer>, samples that ended in an error as failures
    published    no files: the verdicts that were published of alpaca_eval (29 models) and
                 trivia_judging (9 models, 11 judges and people), numbers without any text
                 that stand in a checkout; PATH… is which of the two, both if none is named

    \b
    Examples:
      judgebench import verdicts judged.jsonl
      judgebench import verdicts judged.csv --columns id=item_id,grader=judge,verdict=value
      judgebench import verdicts table.csv --wide judge=gpt-4.1,claude --scale 1:10
      judgebench import published
      judgebench import published trivia_judging --store sqlite:///results/published.db

    Exit codes: 0 all is there; 65 a file cannot be used, or there are no figures here; 73 the
    store cannot be written.
    """
    refuse_options(what, given, REFUSED)
    if what != PUBLISHED and not (paths or given["model_outputs"] or given["reference_outputs"]):
        raise click.UsageError("name the files: Missing argument 'PATH…'.")
    said = {name: value for name, value in given.items() if value not in (None, (), False)}
    api: Any = judgebench.api
    if what == ALPACA_EVAL:
        for files, report in api.import_alpaca_eval(paths, store=store, **said).items():
            _say_alpaca_eval(files, report)
        return 0
    if what in ROWS:
        said |= _layout(what, said)
    elif what == PUBLISHED:
        said.pop("allow_unknown_items", None)
        say("reading the published verdicts")
    take_in = {
        **dict.fromkeys(JUDGMENTS, partial(api.import_judgments, what)),
        **dict.fromkeys(EVALUATIONS, partial(api.import_evaluations, what)),
    }.get(what) or getattr(api, f"import_{what}")
    take_in(paths, store=store, progress=PlainProgress(), **said)
    return 0


def _say_alpaca_eval(files: str, report: AlpacaEvalImport) -> None:
    for warning in report.warnings:
        say(f"warning: {warning}")
    if report.unsaid:
        named = [f"{model} ({n})" for model, n in report.unsaid.items()]
        more = f" and {len(named) - MOST} more" if len(named) > MOST else ""
        say(
            "warning: pairs with neither preference nor reply, which count as unreadable: "
            + ", ".join(named[:MOST])
            + more
        )
    say(
        f"{files}: {report.benchmark}@{report.version}, {report.models} models; "
        f"{report.verdicts} verdicts, {report.new_verdicts} new; "
        f"{report.answers} responses, {report.new_answers} new"
    )


def _layout(what: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """How a table becomes ours, out of how the command line says it."""
    wide = _wide(said.get("wide", ()))
    if wide is not None and wide[0] in said:
        raise click.UsageError(f"--wide has a column for each {wide[0]}: leave --{wide[0]} out")
    layout: dict[str, Any] = {"columns": _columns(what, said.get("columns", ()))}
    if wide is not None:
        layout["wide"] = wide
    if "scale" in said:
        layout["scale"] = _scale(said["scale"])
    return layout


def _listed(text: str) -> list[str]:
    """What is listed with commas; a name with a comma stands in double quotes."""
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]


def _columns(what: str, written: Sequence[str]) -> dict[str, str]:
    from judgebench.errors import unknown_name
    from judgebench.exchange.verdict_rows import FIELDS
    from judgebench.responses.from_file import FIELDS as ANSWER_FIELDS

    known = ANSWER_FIELDS if what == "responses" else FIELDS
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


def _wide(written: Sequence[str]) -> tuple[str, list[str]] | None:
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
    if any(len(set(across)) < len(across) for across in named.values()):
        raise click.UsageError("--wide: each column is named once")
    return next(iter(named.items()), None)


def _scale(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise click.UsageError(f"--scale is written LOW:HIGH, not {text!r}") from None
