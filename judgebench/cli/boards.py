"""Models in order and side by side, published tables, and bundles that prove a board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import judgebench
from judgebench.cli.options import (
    FORMATS,
    form_option,
    judges_option,
    level_option,
    output_option,
    report,
    say,
    show,
    store_option,
)
from judgebench.errors import InputError, UsageError

if TYPE_CHECKING:
    from judgebench.reports.board import Board
    from judgebench.reports.disk_cache import Answer
    from judgebench.reports.document import Document


ALPACA_EVAL = "alpaca-eval"
"""The form of AlpacaEval's own leaderboards."""


@click.command("leaderboard")
@click.argument("benchmarks", metavar="BENCHMARK…", nargs=-1, required=True)
@judges_option
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
    help="Also combine these judges: a,b,c or mean(a,b) or majority(a,b,c;min_valid=2), or "
    "dawid_skene(a,b,c), one_coin(a,b,c): weighed by how often they are right.",
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
@click.option(
    "--corrected",
    is_flag=True,
    help="Also what people would say of all items, by their labels on a random sample of the "
    "answers, and what those labels are worth.",
)
@click.option(
    "--width",
    type=float,
    metavar="WIDTH",
    help="Of --corrected: how many more labels make an interval this wide, in the metric's units.  "
    "[default: a tenth of the scale]",
)
@click.option(
    "--best-of",
    "best_of",
    metavar="SCORER",
    help="Also what judges say of the best of 1, 2, … samples of a model by this judge's score.",
)
@click.option(
    "--spread",
    is_flag=True,
    help="Also how the scores of a model's samples vary: by item, sample and judge.",
)
@click.option(
    "--upstream",
    is_flag=True,
    help="Of arena_hard: also upstream's own interval, which is too narrow.",
)
@click.option(
    "--style-control",
    type=click.Choice(["v0.1", "v2.0"]),
    help="Of arena_hard: also scores as if all answers were of the baseline's style, as this "
    "version has it. They belong to the set of models on the board.",
)
@click.option(
    "--beside",
    multiple=True,
    metavar="BENCHMARK",
    help="Another benchmark's figures beside these (xstest: refusals), and who is ahead here and "
    "worse there. Repeatable.",
)
@level_option
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Also write the boards with all that they rest on, for `judgebench verify` (.zip).",
)
@form_option(type=click.Choice([*FORMATS, ALPACA_EVAL]))
@output_option
@store_option
def leaderboard(
    benchmarks: tuple[str, ...],
    columns: str | None,
    length_control: Any,
    form: str,
    outputs: tuple[Path, ...],
    **asked: Any,
) -> int:
    """Rank the models of each BENCHMARK (NAME or NAME@VERSION), one board for each judge.

    Labels give accuracies, scores their mean, comparisons a win rate for each opponent. Numbers
    come with an interval from a bootstrap over items; a rank with the set of ranks that the model
    may have, and the sets of all models hold at once (95 %). Under the coverage floor of the
    benchmark a row is flagged.

    Of several benchmarks, the first table has a row for each model and a column for each board.
    The same store gives the same output, to the byte, in every format but that of a terminal.

    A panel's verdict is what most of its judges say (majority, the rule where none is written) or
    their mean, or by dawid_skene and one_coin what is likeliest, judges weighed by how they agree;
    more than half of the judges have to be readable, or as many as min_valid says.
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

    --corrected sets beside each judge's number what people would say (PPI++): the judge on all
    items, corrected by people's labels on a sample that was drawn with known probabilities, as
    `judgebench labels export` draws it; their labels alone; and the judge's rate corrected by its
    error rates (Rogan and Gladen). Without a random sample there is no interval.
    docs/correcting.md.

    --best-of asks nothing anew: from the samples that the store has, for every n up to their
    number, it is what a judge says of the answer with the scorer's highest score among n, in the
    mean over all choices of n of them. An item is left out where one sample has no score or no
    verdict. --spread has variances of items, samples within them, judges, and what is left.
    docs/best-of-n.md.

    Of arena_hard a clear win (A>>B) counts three times, as upstream counts it, with an interval
    clustered by question; the plain win rate stands beside. --style-control refuses where the
    answers of a model are not in the store.

    Refusals and harm are figures of their own and rank nobody. --beside xstest sets them beside
    what ranks, so that a gain here that costs there is seen: by intervals that do not meet.

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
      judgebench leaderboard support --corrected --width 0.06
      judgebench leaderboard support --best-of reward --spread
      judgebench leaderboard arena_hard@v0.1 --upstream --style-control v0.1
      judgebench leaderboard alpaca_eval --beside xstest
    """
    from judgebench.reports.disk_cache import kept

    if form == ALPACA_EVAL and (asked["published"] or columns or asked["by"] or asked["beside"]):
        raise UsageError(
            f"--format {ALPACA_EVAL} has columns of its own; leave out --published, --columns, "
            "--by, --beside"
        )
    asked |= {
        "metrics": [name.strip() for name in (columns or "").split(",") if name.strip()],
        "length_control": length_control or ("compat" if form == ALPACA_EVAL else "exact"),
    }
    if form != ALPACA_EVAL and asked["bundle"] is None:
        shown = kept(
            asked["store"], ("leaderboard", benchmarks, asked), lambda: _said(benchmarks, asked)
        )
        for note in shown.notes:
            say(note)
        show(shown.document, form, outputs)
        return 0
    found = judgebench.leaderboard(benchmarks, **asked)
    for note in found.notes:
        say(note)
    if form != ALPACA_EVAL:
        show(found, form, outputs)
        return 0
    from judgebench.reports.board_tables import as_alpaca_eval

    show(as_alpaca_eval(found.boards, sort=asked["sort"] is None), "csv", outputs)
    _say_what_is_not_in_it(found.boards)
    return 0


def _said(benchmarks: Sequence[str], asked: Mapping[str, Any]) -> Answer:
    from judgebench.reports.disk_cache import Answer

    found = judgebench.leaderboard(benchmarks, **asked)
    return Answer(list(found.notes), found.document())


def _say_what_is_not_in_it(boards: Sequence[Board]) -> None:
    """What AlpacaEval's form has no column for."""
    from judgebench.metrics.win_rate import AS_PUBLISHED, LENGTH_CONTROLLED
    from judgebench.reports.length_calibrations import by_reason

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


@report("compare")
@click.argument("first", metavar="MODEL_A")
@click.argument("second", metavar="MODEL_B")
@click.argument("benchmarks", metavar="[BENCHMARK]...", nargs=-1)
@judges_option
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="Only this metric: accuracy, score, win_rate, head_to_head (the win rate of one against "
    "the other), length_controlled_win_rate, or auroc, ece, brier, alignment of confidences. "
    "Repeatable; the first four if none is named.",
)
@click.option(
    "--by",
    metavar="GROUPING",
    help="Also a test for each category, language, or other field of the items.",
)
@click.option(
    "--show-flips",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help="Also so many of the items that decided each test.",
)
@click.option(
    "--corrected",
    is_flag=True,
    help="Compare them as people would: judges' verdicts corrected by people's labels on a random "
    "sample of the answers (PPI++).",
)
@click.option(
    "--stop-when-decided",
    is_flag=True,
    help="Also where judging in a random order would have stopped, and what that would have saved.",
)
@level_option
def compare(first: str, second: str, show_flips: int, store: str, **asked: Any) -> Document:
    """Whether MODEL_A is better or worse than MODEL_B, on the items that both were judged on.

    One test for each BENCHMARK (NAME or NAME@VERSION; all that both models have, if none is named)
    and judge, also where a judge compared the two with each other directly, whichever was the
    opponent: then the win rate of MODEL_A against MODEL_B, both orders averaged, is tested against
    50 %. Differences are MODEL_A minus MODEL_B, paired by item. Tests are two-sided: Tango's
    score test for what is right or wrong, signs flipped for other means, and a paired bootstrap for
    what is fitted (--metric length_controlled_win_rate) or of all answers together (auroc, ece,
    alignment); p-values are adjusted over all tests, those of groups too (Holm). A difference is
    'better' or 'worse' where the adjusted p is at most 1 - level, else it is 'undecided', with how
    many more items would decide it. A decision that missing verdicts could turn, all at their worst
    or all at their best, is undecided too.

    Where judging stopped early (`judgebench run --stop-when-decided`), the decision is that of its
    plan, and the difference that of the items until then, with a repeated confidence interval.
    --stop-when-decided says of stored verdicts where it would have stopped: docs/deciding-early.md.

    The verdict is 'better' where some benchmark says so and none the contrary. A judge that was
    served by other models, and answers that other software generated, are noted. Of several models
    of one name the newest is meant, and as MODEL_B of the same name the one before it.

    \b
    Examples:
      judgebench compare nightly last-week
      judgebench compare nightly nightly trivia_judging_mini --show-flips 10
      judgebench compare sft dpo alignbench --judge gpt-4o --by category
      judgebench compare sft dpo --level 0.99 --format json
      judgebench compare sft dpo alpaca_eval --metric win_rate --metric length_controlled_win_rate
      judgebench compare sft dpo support --corrected

    Exit code 0 whatever is found; `judgebench gate` is for CI.
    """
    found = judgebench.compare(first, second, store=store, **asked)
    texts = judgebench.api.texts(found, show_flips, store=store)
    return found.document(texts, most_flips=show_flips)


@report("ranking")
@click.argument("benchmark")
@judges_option
@click.option(
    "--ties",
    type=click.Choice(["half", "davidson"]),
    default="half",
    show_default=True,
    help="A tie as half a win of each, or as an outcome of its own (Davidson).",
)
@click.option(
    "--reference",
    metavar="MODEL",
    help="Whose strength is 0.  [default: whom models were most often compared with]",
)
@click.option(
    "--control",
    type=click.Choice(["length", "style"]),
    help="Rank as if answers were equally long, or as long and with as many headers, list items "
    "and bold spans (style); the answers have to be in the store.",
)
@level_option
def ranking(benchmark: str, **asked: Any) -> Document:
    """Rank the models of BENCHMARK (NAME or NAME@VERSION) from comparisons, one ranking a judge.

    Strengths are Bradley-Terry's, as log-odds and as expected win rates against the reference;
    then follow the win rates between all models and the chance that one is above another.
    Repeats, orders and samples of a prompt are averaged; intervals resample prompts. A model that
    won or lost everything has no strength: it is said to be above or below all it met. Models that
    no comparison connects are not ranked together.

    \b
    Examples:
      judgebench ranking support
      judgebench ranking support --judge grader --reference last-week --format json
      judgebench ranking support --ties davidson
      judgebench ranking support --control style
    """
    return judgebench.ranking(benchmark, **asked).document()


@report("reproduce", store=False)
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option(
    "--tasks",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="The folder 'tasks' of a checkout, whose TABLE/figures are read. Default: our own.",
)
@level_option
def reproduce(tables: tuple[str, ...], **asked: Any) -> Document:
    """Recompute published tables and print ours beside theirs, with the difference and its reason.

    TABLE is one of these; all if none is named:

    \b
      alpaca_eval     leaderboard of AlpacaEval 2: win rates, length-controlled win rates
      trivia_judging  judges against people: kappa, pi, leniency
      mixeval_hard    board of MixEval: its columns' correlations with Arena Elo
      alignbench      three boards: averages of categories, agreement of two judges
      arena_hard      board of a fork in Korean: scores, their errors, and style control
      just_eval       five aspects and safety, by tag, and two judges of the same answers
      honestybench    AUROC, ECE, accuracy: averages over sets, by their sizes
      judgebench_pairs  judges on pairs: right in two orders, by category
      rewardbench     sections and averages of RewardBench 1 and 2
      mt_bench        MT-Bench's scores, games and votes, and its printed tables
      xstest          refusal rates, and two judges against people

    The figures are verdicts, lengths and published scores as numbers, without any text. They are in
    a checkout and not in an installed package.

    The exit code is 0 also where figures differ: what differs is part of the result, and JSON has
    'agrees' for each figure.

    \b
    Examples:
      judgebench reproduce
      judgebench reproduce alpaca_eval --format json
      judgebench reproduce trivia_judging --output trivia.md
    """
    return judgebench.reproduce(tables, **asked).document()


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
def verify(bundle: Path) -> int:
    """Whether the boards of BUNDLE follow from the verdicts that it brings.

    A bundle is written by `judgebench leaderboard … --bundle board.zip`. Every cell is computed
    again, with no network and no other store; the first that does not follow is named. That the
    verdicts are those that judges gave is not proven by it: ask whom you have the bundle from.

    \b
    Example:
      judgebench verify board.zip

    Exit codes: 0 all cells follow; 65 one does not, or the file is no bundle.
    """
    found = judgebench.verify(bundle)
    if found.differs is not None:
        raise InputError(
            f"{bundle}: {found.differs.strip()} (written by judgebench {found.version})"
        )
    say(f"{bundle}: {found.cells:,} values follow from its verdicts")
    return 0
