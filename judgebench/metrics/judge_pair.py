"""Two judges on the same answers: who said what, who is lenient, and the items most disputed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.judged_values import Bools, JudgedValues, Said, in_words, width_of
from judgebench.metrics.measures import Measure, estimated, sums_of
from judgebench.metrics.scores import Scale
from judgebench.metrics.verdict_table import Ints
from judgebench.plain_text import in_natural_order
from judgebench.records import Estimate
from judgebench.stats.resample import quotient

POINTS = 11
"""A scale of whole numbers with more points than these is shown in ten parts."""

PARTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How many answers the reference (rows) and the judge (columns) called what.

    counts : int array, shape (rows, columns + 2)
        Its last columns are what could not be read of the judge, and what it was not asked about.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Leniency:
    """How much better a judge thinks of a model than the reference does.

    ``model`` is None for all together.
    """

    model: str | None
    opponent: str | None
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePair:
    """One judge beside another.

    confusion
        None where scores have no ends to make rows of.
    unit
        Of leniency: ``points`` of a scale, or ``share`` of answers.
    """

    judge: str
    reference: str
    raters: tuple[str, ...]
    confusion: Confusion | None
    leniency: tuple[Leniency, ...]
    unit: str


def judge_pair(
    board: JudgedValues, judge: str, reference: str, *, intervals: Intervals | None = None
) -> JudgePair:
    """Compare two judges on what the reference has judged.

    Leniency is the mean over items of how much higher the judge's verdict is than the reference's,
    on the answers that both have judged: of labels the positive one counts 1 and the other 0, so
    that it is the difference of the shares of positives [1]_; of comparisons a win counts 1 and a
    tie one half; of scores it is the difference on their scale. Every item of a model counts once.
    Answers with a verdict of the reference alone are missing.

    Parameters
    ----------
    judge, reference
        As for `JudgedValues.of`.
    intervals
        Percentile bootstrap over items unless asked otherwise.

    References
    ----------
    .. [1] A. S. Thakur et al. (2024), Judging the Judges: Evaluating Alignment and Vulnerabilities
       in LLMs-as-Judges, arXiv 2406.12624, section 4.
    """
    mine, theirs = board.of(judge), board.of(reference, beside=judge)
    counted = ~np.isnan(theirs.values) & board.met(mine.asked)
    return JudgePair(
        judge=judge,
        reference=reference,
        raters=theirs.raters,
        confusion=_confusion(board, mine, theirs, counted),
        leniency=_leniency(board, mine, theirs, counted, intervals or Intervals()),
        unit="points" if board.kind == "score" else "share",
    )


def _confusion(
    board: JudgedValues,
    mine: Said,
    theirs: Said,
    counted: Bools,
) -> Confusion | None:
    made = [_placed(board, said) for said in (theirs, mine)]
    if made[0] is None or made[1] is None:
        return None
    (rows, row), (columns, column) = made[0], made[1]
    unreadable, not_asked = len(columns), len(columns) + 1
    silent = np.where(mine.asked, unreadable, not_asked)
    column = np.where(np.isnan(mine.values), silent, column)
    width = len(columns) + 2
    flat = row[counted] * width + column[counted]
    counts = np.bincount(flat, minlength=len(rows) * width).reshape(len(rows), width)
    return Confusion(rows=rows, columns=columns, counts=counts.astype(np.int64))


def _placed(board: JudgedValues, said: Said) -> tuple[tuple[str, ...], Ints] | None:
    """The rows (or columns) of a table, and in which each answer falls; 0 where in none."""
    known = np.nan_to_num(said.values)
    if board.labels:
        return board.labels, known.astype(np.int64)
    width = width_of(said.scales)
    if math.isnan(width):
        return None
    low, high = said.scales[0]
    if low.is_integer() and high.is_integer() and width < POINTS:
        points = range(int(low), int(high) + 1)
        places = np.floor(known + 0.5) - low
        names = tuple(str(point) for point in points)
    else:
        places = np.floor((known - low) / width * PARTS)
        edges = [f"{low + width * part / PARTS:g}" for part in range(PARTS + 1)]
        names = tuple(f"{edges[part]} to {edges[part + 1]}" for part in range(PARTS))
    return names, np.clip(places, 0, len(names) - 1).astype(np.int64)


def _leniency(
    board: JudgedValues,
    mine: Said,
    theirs: Said,
    counted: Bools,
    wanted: Intervals,
) -> tuple[Leniency, ...]:
    models = np.unique(board.model_of[counted])
    place = np.full(len(board.models), -1, dtype=np.int64)
    place[models] = np.arange(len(models))
    both = counted & ~np.isnan(mine.values)
    why = why_no_leniency(board, mine.scales, theirs.scales)
    unit = 1.0 if board.kind == "score" else 1.0 / max(1, len(board.labels) - 1)
    by_model = _measured(
        (mine.values - theirs.values) * unit,
        item_of=board.item_of,
        model_of=place[board.model_of],
        shape=(len(board.items), len(models)),
        both=both,
        missing=counted & ~both,
    )
    together = _summed(by_model)
    if why is not None:
        nothing = np.zeros_like(together.bottom)
        together = replace(together, top=nothing, bottom=nothing, undefined=why)
    contributions = together.of_units(board.unit_of, len(board.units))
    (sums,) = wanted.resamples(board.units).sums([contributions])
    found = estimated(together, contributions, sums, wanted).estimates
    names: list[tuple[str | None, str | None]] = [(None, None)]
    names += [board.models[m] for m in models]
    return tuple(
        Leniency(model=model, opponent=opponent, estimate=estimate)
        for (model, opponent), estimate in zip(names, found, strict=True)
    )


def why_no_leniency(
    board: JudgedValues, mine: Sequence[Scale], theirs: Sequence[Scale]
) -> str | None:
    """Why no mean of differences means anything; None where it does."""
    if board.kind == "label" and len(board.labels) != 2:
        return f"it needs two labels; {len(board.labels)} are declared"
    if board.kind == "score" and len(scales := {*mine, *theirs}) > 1:
        return f"scores on several scales ({in_words(sorted(scales))}) have no difference"
    return None


def _measured(
    difference: Floats,
    *,
    item_of: Ints,
    model_of: Ints,
    shape: tuple[int, int],
    both: Bools,
    missing: Bools,
) -> Measure:
    """The mean over items of each model; several answers to one item count as their mean."""
    n_cells = shape[0] * shape[1]
    cell = (item_of * shape[1] + model_of)[both]
    n = np.bincount(cell, minlength=n_cells).astype(np.float64)
    total = np.bincount(cell, difference[both], minlength=n_cells)
    return Measure(
        top=(total / np.maximum(n, 1.0)).reshape(shape),
        bottom=(n > 0).astype(np.float64).reshape(shape),
        n=np.bincount(model_of[both], minlength=shape[1]).astype(np.float64),
        missing=np.bincount(model_of[missing], minlength=shape[1]).astype(np.float64),
        undefined="no answer was judged by both",
    )


def _summed(one: Measure) -> Measure:
    """All models together before each, as a pooled table has them."""

    def before(values: Floats) -> Floats:
        total = values.sum(axis=-1, keepdims=True)
        return np.concatenate([total, values], axis=-1)

    return replace(
        one,
        top=before(one.top),
        bottom=before(one.bottom),
        n=before(one.n),
        missing=before(one.missing),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Disagreements:
    """Items on which judges differ, those on which they differ most first.

    labels
        As in `JudgedValues`.
    judges, items
        Items on which all agree, or of which fewer than two have said anything, are left out.
    differ, compared : float array, shape (items,)
        Of labels and outcomes: on how many answers how many pairs of judges say different things,
        of all pairs that said something. Of scores: the mean over answers of the distance between
        the highest score and the lowest, and over how many answers.
    votes : int array, shape (judges, items, labels)
        How often each judge gave each label; of scores only how many there are, (judges, items, 1).
    means : float array, shape (judges, items)
        Mean scores; nan where there are none.
    on_scale
        Whether scores of different scales were compared as shares of their scale.
    """

    kind: str
    labels: tuple[str, ...]
    judges: tuple[str, ...]
    items: tuple[str, ...]
    differ: Floats
    compared: Floats
    votes: Ints
    means: Floats
    on_scale: bool


def disagreements(board: JudgedValues, judges: Sequence[str] = ()) -> Disagreements:
    """Rank the items.

    Labels and outcomes by the number of pairs of judges that say different things of an answer,
    summed over the answers to the item; of equally many, the larger share of all pairs first.
    Scores by their spread, the distance between the highest and the lowest of an answer, averaged
    over the answers that two or more have scored. What is then equal stands in the order of ids.

    Parameters
    ----------
    judges
        As for `JudgedValues.of`, at least two; all if empty.
    """
    names = tuple(judges or board.judges)
    said = [board.of(name) for name in names]
    values = np.stack([one.values for one in said]) if said else board.values[:0]
    on_scale = False
    if board.labels:
        differ, compared = _pairs_that_differ(board, values)
    else:
        scaled, on_scale = _on_one_scale(values, said)
        differ, compared = _spread(board, scaled)
    share = np.divide(differ, compared, out=np.zeros_like(differ), where=compared > 0)
    place_of = {item: place for place, item in enumerate(in_natural_order(board.items))}
    place = np.array([place_of[item] for item in board.items], dtype=np.int64)
    order = np.lexsort((place, -share, -differ))
    kept = order[differ[order] > 0]
    votes, means = _said_by_item(board, values)
    return Disagreements(
        kind=board.kind,
        labels=board.labels,
        judges=names,
        items=tuple(board.items[item] for item in kept),
        differ=differ[kept],
        compared=compared[kept],
        votes=votes[:, kept],
        means=means[:, kept],
        on_scale=on_scale,
    )


def _pairs_that_differ(board: JudgedValues, values: Floats) -> tuple[Floats, Floats]:
    """Of all pairs of judges on all answers to each item."""
    given = np.stack([(values == code).sum(axis=0) for code in range(len(board.labels))])
    n = given.sum(axis=0)
    pairs = n * (n - 1) / 2.0
    alike = (given * (given - 1)).sum(axis=0) / 2.0
    return _by_item(board, pairs - alike), _by_item(board, pairs)


def _spread(board: JudgedValues, values: Floats) -> tuple[Floats, Floats]:
    there = ~np.isnan(values)
    several = there.sum(axis=0) > 1
    high = np.where(there, values, -np.inf).max(axis=0, initial=-np.inf)
    low = np.where(there, values, np.inf).min(axis=0, initial=np.inf)
    spread = np.subtract(high, low, out=np.zeros_like(high), where=several)
    n = _by_item(board, several.astype(np.float64))
    total = _by_item(board, spread)
    return np.divide(total, n, out=np.zeros_like(total), where=n > 0), n


def _on_one_scale(values: Floats, said: Sequence[Said]) -> tuple[Floats, bool]:
    """The scores as they are where all are on one scale, else as shares of each judge's own."""
    scales = {scale for one in said for scale in one.scales}
    widths = [width_of(one.scales) for one in said]
    if len(scales) < 2 or any(math.isnan(width) for width in widths):
        return values, False
    low = np.array([one.scales[0][0] for one in said])[:, np.newaxis]
    return (values - low) / np.array(widths)[:, np.newaxis], True


def _by_item(board: JudgedValues, values: Floats) -> Floats:
    return np.bincount(board.item_of, values, minlength=len(board.items)).astype(np.float64)


def _said_by_item(board: JudgedValues, values: Floats) -> tuple[Ints, Floats]:
    n_items, n_labels = len(board.items), max(1, len(board.labels))
    votes = np.zeros((len(values), n_items, n_labels), dtype=np.int64)
    means = np.full((len(values), n_items), np.nan)
    for judge, row in enumerate(values):
        there = ~np.isnan(row)
        item = board.item_of[there]
        code = row[there].astype(np.int64) if board.labels else np.zeros(len(item), dtype=np.int64)
        flat = np.bincount(item * n_labels + code, minlength=n_items * n_labels)
        votes[judge] = flat.reshape(n_items, n_labels)
        if not board.labels:
            means[judge] = quotient(*sums_of(row, board.item_of, n_items))
    return votes, means
