"""``judgebench leaderboard``: the models of a benchmark, ranked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import report_options, show, store_option
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from judgebench.report.length_boards import LengthControl
    from judgebench.report.table import Document


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
    default="exact",
    show_default=True,
    help="Win rates at equal length: the converged fit, AlpacaEval's own, both or none.",
)
@click.option(
    "--rank-by",
    metavar="METRIC",
    default="win_rate",
    show_default=True,
    help="win_rate, or length_controlled_win_rate where a board has it.",
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
@report_options
@store_option
def command(
    benchmarks: tuple[str, ...],
    judges: tuple[str, ...],
    models: tuple[str, ...],
    columns: str | None,
    sort: str | None,
    panels: tuple[str, ...],
    length_control: LengthControl,
    rank_by: str,
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
    come with an interval from a bootstrap over items; a rank with the ranks that the model had in
    95 % of the replicates. Under the coverage floor of the benchmark a row is flagged. The ranks of
    `judgebench ranking` follow from simultaneous intervals of differences and can be wider.

    Of several benchmarks, the first table has a row for each model and a column for each board.
    The same store gives the same output, to the byte, in every format but that of a terminal.

    A panel's verdict is what most of its judges say (majority, the rule where none is written) or
    their mean; more than half of the judges have to be readable, or as many as min_valid says.
    Panels that suites declared are shown without being asked for.

    Win rates at equal length stand beside win rates where a calibration is for the judge and the
    opponent: AlpacaEval's own, or one that `judgebench calibrate-length` fitted. The board says
    which. 'compat' looks difficulty up by row position and uses AlpacaEval's solver, as published;
    'exact' converges, looks it up by instruction and has an interval.

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
      judgebench leaderboard alpaca_eval --rank-by length_controlled_win_rate --published
      judgebench leaderboard mixeval_hard --published --published-as sft-3=LLaMA-3-8B-Instruct
      judgebench leaderboard alignbench@1.0 --published --format csv
      judgebench leaderboard alpaca_eval --bundle board.zip
    """
    from judgebench.errors import UsageError
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
    benchmark, names = benchmarks[0], read_names(published_as)
    request = BoardRequest(
        benchmarks=benchmarks,
        judges=judges,
        models=models,
        columns=tuple(name.strip() for name in (columns or "").split(",") if name.strip()),
        sort=sort,
        panels=panels,
        length_control=length_control,
        rank_by=rank_by,
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
    beside = references(boards[0].benchmark, boards[0].version) if published else None
    show(document(boards, published=beside, by=by), form, outputs)
    return 0


def _holds(url: str, benchmark: str) -> bool:
    """Whether there is a store that holds the benchmark, in the version that is named if one is.

    A benchmark that nobody describes counts as held: what is wrong with it is said elsewhere.
    """
    from judgebench.benchmarks.description import split_version
    from judgebench.report.boards import described
    from judgebench.store import open_store
    from judgebench.store.location import store_path

    name, version = split_version(benchmark)
    if described(name) is None:
        return True
    if not store_path(url).exists():
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
