"""``judgebench import``: others' files in."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from judgebench.cli.options import Refused, refuse_options, store_option
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from judgebench.exchange.files import Format, Judgments, TakeIn
    from judgebench.exchange.outcome import ImportReport
    from judgebench.rows import Layout

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
    if what == ALPACA_EVAL:
        _take_in_alpaca_eval(paths, store, given)
    else:
        _store(what, _files(what, paths, given), store)
    return 0


def _files(
    what: str, paths: Sequence[Path], given: Mapping[str, Any]
) -> Sequence[tuple[Path, TakeIn]]:
    """The files, read and checked, each with what takes it in."""
    from judgebench.benchmarks.description import split_version

    if what == PUBLISHED:
        from judgebench.exchange.published import read_published

        say("reading the published verdicts")
        return read_published([str(path) for path in paths], tasks=given["tasks"])
    keep: dict[str, Any] = {"allow_unknown_items": given["allow_unknown_items"]}
    if what in ROWS:
        from judgebench.exchange.files import read_files

        layout = layout_of(what, given)
        return read_files(
            cast("Format", what), paths, layout=layout, anchors=given["anchors"], **keep
        )
    name, version = split_version(given["benchmark"]) if given["benchmark"] else (None, None)
    about: dict[str, Any] = {**keep, "benchmark": name, "version": version}
    if what in JUDGMENTS:
        from judgebench.exchange.files import read_judgments

        return read_judgments(cast("Judgments", what), paths, baseline=given["baseline"], **about)
    about["model"] = given["model"]
    if what == HONESTYBENCH:
        from judgebench.exchange.honestybench import read_honestybench

        return read_honestybench(paths, set_name=given["set_name"], judge=given["judge"], **about)
    from judgebench.exchange.inspect_evals import read_inspect
    from judgebench.exchange.lm_eval import read_lm_eval

    read: Callable[..., Sequence[Any]] = read_lm_eval if what == "lm-eval" else read_inspect
    return [(taking.night.files[0], taking.take_in) for taking in read(paths, **about)]


def _take_in_alpaca_eval(paths: Sequence[Path], store: str, given: Mapping[str, Any]) -> None:
    """Read all files, store what is new, and say what that was."""
    from judgebench.benchmarks.description import split_version
    from judgebench.exchange.alpaca_eval import import_alpaca_eval
    from judgebench.exchange.alpaca_eval_ids import BENCHMARK
    from judgebench.exchange.alpaca_eval_rows import Told, gather
    from judgebench.store import open_store

    benchmark, version = split_version(given["benchmark"] or BENCHMARK)
    gathered = gather(
        paths,
        model_outputs=given["model_outputs"],
        reference_outputs=given["reference_outputs"],
        told=Told(**{name: given[name] for name in _NAMES[1:]}),
    )
    with open_store(store) as opened:
        report = import_alpaca_eval(
            opened,
            gathered,
            benchmark=benchmark,
            version=version,
            allow_unknown_items=given["allow_unknown_items"],
        )
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
    files = f"{report.files} files" if report.files != 1 else str(gathered.files[0])
    say(
        f"{files}: {report.benchmark}@{report.version}, {report.models} models; "
        f"{report.verdicts} verdicts, {report.new_verdicts} new; "
        f"{report.answers} responses, {report.new_answers} new"
    )


def layout_of(what: str, said: Mapping[str, Any]) -> Layout:
    """How the files' tables become ours, as the command line says.

    Raises
    ------
    UsageError
        For what is not written as it should, and for a column that we do not have.
    """
    from judgebench.benchmarks.description import split_version
    from judgebench.rows import Layout

    wide, across = _wide(said["wide"])
    given: dict[str, Any] = {}
    if said["benchmark"]:
        name, version = split_version(said["benchmark"])
        given |= {"benchmark": name} | ({"version": version} if version else {})
    given |= {name: said[name] for name in ("model", "judge") if said[name]}
    if wide in given:
        raise click.UsageError(f"--wide has a column for each {wide}: leave --{wide} out")
    if said["scale"] is not None:
        given |= _scale(said["scale"])
    return Layout(
        columns=_columns(what, said["columns"]), given=given, wide=wide, across=tuple(across)
    )


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


def _wide(written: Sequence[str]) -> tuple[str | None, list[str]]:
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
    for which, across in named.items():
        if len(set(across)) < len(across):
            raise click.UsageError("--wide: each column is named once")
        return which, across
    return None, []


def _scale(text: str) -> dict[str, float]:
    low, _, high = text.partition(":")
    try:
        scale = {"low": float(low), "high": float(high)}
    except ValueError:
        raise click.UsageError(f"--scale is written LOW:HIGH, not {text!r}") from None
    return scale


def _store(what: str, files: Sequence[tuple[Path, TakeIn]], store: str) -> None:
    from judgebench.store import open_store

    with open_store(store) as opened:
        for path, take_in in files:
            report = take_in(opened)
            for warning in report.warnings:
                say(f"warning: {path}: {warning}")
            say(_line(what, path, report))


_ROWS = (
    dict.fromkeys(JUDGMENTS, "verdicts")
    | dict.fromkeys((HONESTYBENCH, *EVALUATIONS), "answers and verdicts")
    | {PUBLISHED: "verdicts"}
)


def _line(what: str, path: Path, report: ImportReport) -> str:
    changed = f" ({report.changed} changed)" if report.changed else ""
    changed += f" ({report.looks} another look at anchors)" if report.looks else ""
    rows = f"{report.rows} {_ROWS.get(what, what)}"
    return f"{path}: {rows}, {report.new} new{changed}, {report.known} known already"
