"""``judgebench leaderboard``: the models of a benchmark, ranked."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import report_options, show, store_option
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from judgebench.report.board import Board
    from judgebench.report.length_boards import LengthControl
    from judgebench.report.table import Document


ALPACA_EVAL = "alpaca-eval"
"""The form of AlpacaEval's own leaderboards."""


@click.command("leaderboard", short_help="Rank the models of a benchmark.")
@click.argument("benchmarks", metavar="BENCHMARK…", nargs=-1, required=True)
@click.option("--judge", "judges", multiple=True, metavar="NAME", help="Only this judge's boards.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="Only this model; ranks stay those among all. Repeatable.",
)
@click.option(
    "--columns",
    metavar="METRIC,...",
    help="Only these metrics, in this order; JSON has the names of all.",
)
@click.option(
    "--sort",
    metavar="METRIC",
    help="Rows by this metric, the greatest first; -METRIC: the least first; model: by name.",
)
@click.option(
    "--panel",
    "panels",
    multiple=True,
    metavar="JUDGES",
    help="Also combine these judges: a,b,c or mean(a,b) or majority(a,b,c;min_valid=2).",
)
@click.option(
    "--length-control",
    type=click.Choice(["exact", "compat", "both", "off"]),
    help="Length-controlled win rates: the converged fit, AlpacaEval's own, both or none.  "
    "[default: exact; of --format alpaca-eval compat]",
)
@click.option(
    "--rank-by",
    metavar="METRIC",
    help="win_rate, or length_controlled_win_rate where a board has it.  [default: the benchmark's "
    "headline: of alpaca_eval length_controlled_win_rate where all models have it, else win_rate]",
)
@click.option(
    "--rank-suspicious",
    is_flag=True,
    help="Rank suspicious models, whose answers may be meant for the judge, among the others.",
)
@click.option(
    "--by",
    multiple=True,
    metavar="GROUPING",
    help="A further table by category, by language, or by another field of the items. Repeatable.",
)
@click.option(
    "--published",
    is_flag=True,
    help="Also the benchmark's published boards: with these models in them where the judge is the "
    "published one, else beside them; and correlations with them.",
)
@click.option(
    "--published-as",
    "published_as",
    multiple=True,
    metavar="MODEL=NAME",
    help="How a model here is called on a published board, where no name of it is there. "
    "Repeatable.",
)
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Also write the boards with all that they rest on, for `judgebench verify` (.zip).",
)
@partial(report_options, also=[ALPACA_EVAL])
@store_option
def command(
    benchmarks: tuple[str, ...],
    judges: tuple[str, ...],
    models: tuple[str, ...],
    columns: str | None,
    sort: str | None,
    panels: tuple[str, ...],
    length_control: LengthControl | None,
    rank_by: str | None,
    rank_suspicious: bool,
    by: tuple[str, ...],
    published: bool,
    published_as: tuple[str, ...],
    level: float,
    bundle: Path | None,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
    """Rank the models of each BENCHMARK (NAME or NAME@VERSION), one board for each judge.

    Labels give accuracies, scores their mean, comparisons a win rate for each opponent. Numbers
    come with an interval from a bootstrap over items; a rank with the set of ranks that the model
    may have, and the sets of all models hold at once (95 %). Under the coverage floor of the
    benchmark a row is flagged.

    Of several benchmarks, the first table has a row for each model and a column for each board.
    The same store gives the same output, to the byte, in every format but that of a terminal.

    A panel's verdict is what most of its judges say (majority, the rule where none is written) or
    their mean; more than half of the judges have to be readable, or as many as min_valid says.
    Panels that suites declared are shown without being asked for.

    Length-controlled win rates stand beside win rates where a calibration is for the judge and the
    opponent: AlpacaEval's own, or one that `judgebench calibrate-length` fitted. The board says
    which. Of alpaca_eval they come first and rank where every ranked model has one, unless
    --rank-by win_rate asks otherwise.
    'compat' looks difficulty up by row position and uses AlpacaEval's solver, as published;
    'exact' converges, looks it up by instruction and has an interval.

    A model is suspicious if one text is nine in ten of its answers or more (of 20 at least, and no
    refusal), if one that is a fifth of them looks meant for the judge, or if more than one answer
    in 20, and two at least, look so in any way. It is listed outside the ranking, with its
    numbers, and counts in no other model's rank. One text for a fifth is a flag otherwise.

    --format alpaca-eval writes the leaderboard as AlpacaEval does, for one judge and one baseline:
    its columns, in its order, with length-controlled win rates by its own fit. Suspicious models
    come last. --output FILE.csv is of that form too.

    Published boards belong to one version and one judge. With --published they are rows of
    reference, in JSON and CSV too, also where the store holds nothing of the benchmark. Models here
    are ranked with them in the eyes of that very judge alone (same model, prompt, options and
    sampling, or imported under its name); any other judge's scores stand beside them. Models are
    known by their names, whatever their case and hyphens.

    --bundle writes a file with which others compute every cell again: the boards, and the verdicts,
    answers and questions that they rest on. What judges wrote besides and what was spent stay here.

    \b
    Examples:
      judgebench leaderboard trivia_judging_mini
      judgebench leaderboard trivia_judging_mini --judge contains --format csv
      judgebench leaderboard trivia_judging_mini --by category
      judgebench leaderboard trivia_judging_mini mixeval_mini --output boards.md
      judgebench leaderboard alpaca_eval --columns length_controlled_win_rate,win_rate,avg_length
      judgebench leaderboard support --model policy-a --model policy-b --sort order_flips
      judgebench leaderboard support --panel 'mean(gpt-4o,claude-sonnet)'
      judgebench leaderboard alpaca_eval --published
      judgebench leaderboard alpaca_eval --format alpaca-eval --output leaderboard.csv
      judgebench leaderboard mixeval_hard --published --published-as sft-3=LLaMA-3-8B-Instruct
      judgebench leaderboard alignbench@1.0 --published --format csv
      judgebench leaderboard alpaca_eval --bundle board.zip
    """
    from judgebench.errors import UsageError
    from judgebench.report.board_document import as_alpaca_eval
    from judgebench.report.board_request import BoardRequest
    from judgebench.report.bundle import write_bundle
    from judgebench.report.leaderboard import document
    from judgebench.report.model_names import read_names
    from judgebench.report.reference_board import references
    from judgebench.report.several_boards import no_boards
    from judgebench.store import open_store

    if published and len(set(benchmarks)) > 1:
        raise UsageError("--published takes one benchmark at a time")
    if published and bundle is not None:
        raise UsageError("a bundle has boards of verdicts; --published boards rest on none")
    if form == ALPACA_EVAL and (published or columns or by):
        raise UsageError(
            f"--format {ALPACA_EVAL} has columns of its own; leave out --published, --columns, --by"
        )
    benchmark, names = benchmarks[0], read_names(published_as)
    request = BoardRequest(
        benchmarks=benchmarks,
        judges=judges,
        models=models,
        columns=tuple(name.strip() for name in (columns or "").split(",") if name.strip()),
        sort=sort,
        panels=panels,
        length_control=length_control or ("compat" if form == ALPACA_EVAL else "exact"),
        rank_by=rank_by,
        rank_suspicious=rank_suspicious,
        by=by,
        level=level,
        published_as=names,
    )
    if published and not (judges or panels or names or _holds(store, benchmark)):
        nothing = f"{store} holds nothing of {benchmark}"
        show(_published_alone(benchmark, nothing, by), form, outputs)
        return 0
    with open_store(store, read_only=True) as opened:
        found = request.found(opened)
        if not any(found.values()):
            if not published:
                raise no_boards(benchmarks, judges)
            nothing = f"no judge has judged anything on {benchmark} yet"
            show(_published_alone(benchmark, nothing, by), form, outputs)
            return 0
        for name in (name for name, its in found.items() if not its):
            say(f"{name} has no board{' of these judges' if judges else ''}")
        boards = request.chosen(opened, found)
        if bundle is not None:
            write_bundle(bundle, opened, store, request)
            say(f"written: {bundle}; `judgebench verify {bundle}` computes it again")
    if form == ALPACA_EVAL:
        show(as_alpaca_eval(boards, sort=sort is None), "csv", outputs)
        _say_what_is_not_in_it(boards)
        return 0
    beside = references(boards[0].benchmark, boards[0].version) if published else None
    show(document(boards, published=beside, by=by), form, outputs)
    return 0


def _say_what_is_not_in_it(boards: Sequence[Board]) -> None:
    """What AlpacaEval's form has no column for."""
    from judgebench.metrics.length_controlled import AS_PUBLISHED, LENGTH_CONTROLLED
    from judgebench.report.length_boards import by_reason

    lack: dict[str, str] = {}
    for row in (row for board in boards if board.opponent is not None for row in board.rows):
        if row.excluded:
            say(f"{row.model} is suspicious and comes last ({row.suspicious})")
        names = [name for name in (AS_PUBLISHED, LENGTH_CONTROLLED) if name in row.metrics]
        why = next((row.metrics[name].undefined for name in names), None)
        if why is not None:
            lack[row.model] = why
    if lack:
        say(f"no length-controlled win rate: {by_reason(lack)}")


def _holds(url: str, benchmark: str) -> bool:
    """Whether there is a store that holds the benchmark, in the version that is named if one is.

    A benchmark that nobody describes counts as held: what is wrong with it is said elsewhere.
    """
    from judgebench.benchmarks.description import split_version
    from judgebench.report.boards import described
    from judgebench.store import open_store
    from judgebench.store.opening import located

    name, version = split_version(benchmark)
    if described(name) is None:
        return True
    if not located(url).exists():
        return False
    with open_store(url, read_only=True) as opened:
        return any(n == name and version in (None, v) for n, v in opened.benchmarks())


def _published_alone(benchmark: str, nothing: str, by: Sequence[str]) -> Document:
    """What is published of a benchmark of which nothing is here, as the first message says."""
    from judgebench.benchmarks.description import chosen_version, find, split_version
    from judgebench.errors import UsageError, unknown_name
    from judgebench.report.leaderboard import document
    from judgebench.report.reference_board import references

    name, version = split_version(benchmark)
    found = references(name, chosen_version(find(name)[0], version))
    if not found.boards:
        raise UsageError("; ".join((nothing, *found.notes)))
    known = {way for reference in found.boards for way in reference.groups}
    for way in by:
        if way not in known:
            raise UsageError(f"{nothing}; {unknown_name('published way of grouping', way, known)}")
    say(f"{nothing}; what follows is what others published of it")
    return document((), published=found, by=by)
