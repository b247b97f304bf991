"""On which items judges disagree most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judgebench.metrics.intervals import Floats
from judgebench.metrics.judged_values import JudgedValues, Said, width_of
from judgebench.metrics.verdict_table import Ints
from judgebench.plain_text import in_natural_order


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
            n = votes[judge, :, 0]
            total = np.bincount(item, row[there], minlength=n_items)
            np.divide(total, n, out=means[judge], where=n > 0)
    return votes, means
