"""How often each model would be preferred to the opponent, were its answers of equal length.

Instructions' difficulty is of a calibration, which is for one judge and opponent. A fitted
figure has no value of each item whose sign could be flipped: of two models both fits are made anew
on items drawn with replacement, the same draw for both, as the intervals of a board are made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import occurring
from judgebench.metrics.board_kinds import BoardKind, read_board
from judgebench.metrics.intervals import Floats, Interval, Intervals, as_estimate
from judgebench.metrics.measures import ItemMeans, item_means
from judgebench.metrics.paired import BASELINE, CANDIDATE, PairedModels, PairedTests, View, in_views
from judgebench.metrics.verdict_table import Columns, Ints, VerdictTable
from judgebench.metrics.win_rate import AS_PUBLISHED, LENGTH_CONTROLLED, PUBLISHED_ERROR
from judgebench.plain_text import in_natural_order
from judgebench.records import Estimate
from judgebench.stats import length_control
from judgebench.stats.length_control import CANDIDATES, MIN_VALID, Anchors, LengthControl
from judgebench.stats.paired_bootstrap import bootstrap_test
from judgebench.stats.paired_tests import PairedTest
from judgebench.stats.resample import expanded_level, replicate_covariance, side_by_side

Origin: TypeAlias = Literal["published", "recovered", "own"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LengthCalibration:
    """A calibration of length-controlled win rates, which holds for one judge and one baseline.

    origin
        ``published``: its authors' files. ``recovered``: what those must hold, worked out from
        published results. ``own``: fitted from the judgments of a store.
    note
        Which one it is, in words for a board.
    difficulty
        By item id, in log-odds; large is easy for the models.
    anchors
        Rows of the baseline with its length changed, in the order in which cross-validation folds
        them; None where there are none.
    published_c
        By model, the strength with which its length-controlled win rate was published.
    """

    origin: Origin
    note: str
    difficulty: Mapping[str, float]
    anchors: Anchors | None
    published_c: Mapping[str, float] = field(default_factory=dict)

    @property
    def c(self) -> float | None:
        """The strength of a fit, or None where cross-validation chooses it.

        Without anchors, intervals hold better at hardly any penalty (see `length_control.exact`).
        """
        return CANDIDATES[-1] if self.anchors is None else None


def to_json(difficulty: Mapping[str, float], anchors: Anchors | None) -> dict[str, Any]:
    """The numbers of a calibration, as a store keeps them."""
    return {
        "difficulty": dict(difficulty),
        "anchors": None
        if anchors is None
        else {
            "std_length": anchors.std_length.tolist(),
            "difficulty": anchors.difficulty.tolist(),
            "preference": anchors.preference.tolist(),
            "weight": anchors.weight,
        },
    }


def from_json(content: Mapping[str, Any], note: str) -> LengthCalibration:
    """A calibration of one's own, as `to_json` wrote it."""
    anchors = content["anchors"]
    return LengthCalibration(
        origin="own",
        note=note,
        difficulty=content["difficulty"],
        anchors=None if anchors is None else Anchors(**anchors),
    )


Lengths = Mapping[tuple[str, str], float]
"""Characters of a model's answer to an item, by model and item; the mean over samples."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LengthComparisons:
    """What one judge says of each model beside one opponent, and how long the answers are.

    items
        In natural order, by their ids.
    board_items
        The same in the board's own order, so that draws are those of every other metric on it.
    place : int array, shape (items,)
        Where the items stand in that order.
    preference : float array, shape (models, items)
        That the model is better, the mean over repeats, orders and samples; nan where there is no
        readable verdict, or a length is not known.
    difference : float array, shape (models, items)
        The opponent's length less the model's; nan where one of them is not known.
    asked : bool array, shape (models, items)
    n, missing : shape (models,)
        Verdicts used, and those that should be there and are not or cannot be used.
    unknown : dict
        Why a model's lengths are not known, by its name.
    """

    items: tuple[str, ...]
    board_items: tuple[str, ...]
    place: Ints
    models: tuple[str, ...]
    preference: Floats
    difference: Floats
    asked: NDArray[np.bool_]
    n: Ints
    missing: Ints
    unknown: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LengthControlled:
    """One judge's length-controlled win rates.

    estimates
        By model.
    scores : float array, shape (1 + n_replicates, models)
        The values and their replicates; per cent.
    units : float array, shape (models,)
        How many items each fit rests on, but for its parameters.
    covariance : float array, shape (models, models)
        Of the values, from the replicates; as much wider as a fit's parameters make it.
    """

    models: tuple[str, ...]
    estimates: Mapping[str, Estimate]
    scores: Floats
    units: Floats
    covariance: Floats


def compared(
    columns: Columns, opponent: str, lengths: Lengths, judges: frozenset[str] | None = None
) -> dict[str, LengthComparisons]:
    """Comparisons with one opponent, judge by judge.

    Parameters
    ----------
    columns
        As for `win_rate.win_rates`.
    judges
        Who is wanted; all if None. The items are those of all judges either way.
    """
    table = read_board(columns, BoardKind("preference", opponent))
    means = {
        judge: (rows, item_means(table, rows, table.values, ends=(0.0, 1.0)))
        for judge, rows in table.by_judge()
        if judges is None or judge in judges
    }
    return {judge: _compared(table, *its, opponent, lengths) for judge, its in means.items()}


def _compared(
    table: VerdictTable, rows: Ints, means: ItemMeans, opponent: str, lengths: Lengths
) -> LengthComparisons:
    here = occurring(table.models_of(rows), len(table.models))
    models = tuple(table.models[m] for m in here)
    items = in_natural_order(table.items)
    at = {item: number for number, item in enumerate(table.items)}
    place = np.array([at[item] for item in items], dtype=np.int64)

    def lengths_of(model: str) -> Floats:
        return np.array([lengths.get((model, item), math.nan) for item in items], dtype=float)

    theirs = lengths_of(opponent)
    grid = np.ix_(place, here)
    asked = means.asked[grid].T > 0
    difference = theirs - np.array([lengths_of(model) for model in models])
    known = ~np.isnan(difference)
    difference = np.where(asked, difference, np.nan)  # no model's rows depend on another's
    preference = np.where(known, means.mean[grid].T, np.nan)
    used = ~np.isnan(preference)
    n = np.where(used, means.readable[grid].T, 0.0).sum(axis=1)
    return LengthComparisons(
        items=tuple(items),
        board_items=table.items,
        place=place,
        models=models,
        preference=preference,
        difference=difference,
        asked=asked,
        n=n.astype(np.int64),
        missing=(means.expected[grid].T.sum(axis=1) - n).astype(np.int64),
        unknown={
            model: _why_unknown(opponent if np.isnan(theirs).all() else model)
            for model, row in zip(models, known, strict=True)
            if not row.any()
        },
    )


def _why_unknown(who: str) -> str:
    return (
        f"the store has no answers of {who}, so their lengths are not known; "
        "`judgebench import responses FILE` brings answers"
    )


PARAMETERS = 3
"""Of a fit: length, difficulty, the model."""


def exact(
    one: LengthComparisons,
    calibration: LengthCalibration,
    *,
    intervals: Intervals,
    min_valid: int = MIN_VALID,
) -> LengthControlled:
    """The converged fits, with intervals over the draws that the whole board shares.

    Replicates are fitted anew at the ``c`` of the model's own fit, with the standard deviation of
    its lengths; a replicate whose fit does not converge is undefined.

    Returns
    -------
    LengthControlled
        Undefined for a model with fewer than ``min_valid`` verdicts on answers whose lengths are
        known, or with answers to items without a calibrated difficulty.
    """
    difficulty = np.array([calibration.difficulty.get(item, math.nan) for item in one.items])
    blocks = [
        weights.take(one.place, axis=1)
        for weights in intervals.resamples(one.board_items).weights(np.float32)
    ]
    anchors = calibration.anchors

    def of_model(m: int) -> tuple[LengthControl, Floats]:
        preference, difference = one.preference[m], one.difference[m]
        fit = length_control.exact(
            preference, difference, difficulty,
            anchors=anchors, c=calibration.c, min_valid=min_valid,
        )  # fmt: skip
        drawn = [
            length_control.replicates(
                preference, difference, difficulty, fits=[fit], weights=block, anchors=anchors
            )
            for block in blocks
        ]
        return fit, np.concatenate([[[fit.value]], *drawn])

    # While one model is fitted, which is many small steps, another's replicates are summed.
    with side_by_side(len(one.models)) as each:
        found = each(of_model, range(len(one.models)))
    fits = [fit for fit, _ in found]
    n_valid = np.array([fit.n_valid for fit in fits], dtype=np.float64)
    scores = np.concatenate([scores for _, scores in found], axis=1)
    free = np.maximum(n_valid - PARAMETERS, 1.0)
    wider = np.sqrt(np.maximum(n_valid, 1.0) / free)
    estimates = {}
    for m, (model, fit) in enumerate(zip(one.models, fits, strict=True)):
        # BCa needs fits without each item; with few items plain percentiles are too narrow.
        level = expanded_level(intervals.level, fit.n_valid, n_parameters=PARAMETERS)
        percentile = replace(intervals, kind="percentile", level=level)
        low, high, method = percentile.ends(scores[:, m : m + 1], None).at(0)
        how = f"{method}, expanded; c kept, lengths' spread kept"
        estimates[model] = _estimate(one, m, fit, intervals, (low, high, how))
    return LengthControlled(
        models=one.models,
        estimates=estimates,
        scores=scores,
        units=free,
        covariance=replicate_covariance(scores[1:]) * np.outer(wider, wider),
    )


def compat(
    one: LengthComparisons, calibration: LengthCalibration, *, intervals: Intervals
) -> dict[str, dict[str, Estimate]]:
    """The fits as AlpacaEval 0.6.6 makes them, of the items that were asked about.

    Difficulty is looked up by the position of a row among the model's rows, so that a file with a
    row missing has another instruction's difficulty from there on; ``c`` is the published one where
    the model has one. Without intervals: upstream's standard error is of something else.

    Returns
    -------
    dict
        `AS_PUBLISHED` and `PUBLISHED_ERROR`, what upstream prints as ``lc_standard_error``; each by
        model.
    """
    by_row = [calibration.difficulty[item] for item in in_natural_order(calibration.difficulty)]
    found: dict[str, dict[str, Estimate]] = {AS_PUBLISHED: {}, PUBLISHED_ERROR: {}}
    for m, model in enumerate(one.models):
        rows = one.asked[m] & ~np.isnan(one.difference[m])
        n = int(rows.sum())
        difficulty = np.full(n, math.nan)
        difficulty[: len(by_row)] = by_row[:n]
        c = calibration.published_c.get(model)
        fit = length_control.compat(
            one.preference[m, rows], one.difference[m, rows], difficulty,
            anchors=calibration.anchors, c=c,
        )  # fmt: skip
        chosen = "published c" if c is not None else "c cross-validated with stable folds"
        how = f"liblinear, difficulty by row position, {chosen}; no interval"
        value = _estimate(one, m, fit, intervals, (math.nan, math.nan, how))
        found[AS_PUBLISHED][model] = value
        found[PUBLISHED_ERROR][model] = replace(value, value=fit.published_error)
    return found


def _estimate(
    one: LengthComparisons,
    m: int,
    fit: LengthControl,
    intervals: Intervals,
    interval: Interval,
) -> Estimate:
    return as_estimate(
        fit.value,
        interval,
        n=int(one.n[m]),
        units=fit.n_valid,
        missing=int(one.missing[m]),
        level=intervals.level,
        why=one.unknown.get(one.models[m], fit.reason),
    )


def at_equal_length(
    pair: PairedModels,
    columns: Columns,
    opponent: str,
    two: tuple[str, str],
    *,
    lengths: Lengths,
    calibration: LengthCalibration,
    alpha: float,
    intervals: Intervals,
) -> tuple[PairedModels, PairedTests]:
    """Compare two models' length-controlled win rates on the items of both.

    Both are fitted on the items of which both have a readable verdict and a known length, so that
    a figure is the board's where nothing is missing.

    Parameters
    ----------
    pair
        The two models' win rates, as `paired_models` lines them up.
    columns
        The verdicts of that judge on the two against that opponent.
    two
        Candidate and baseline.

    Returns
    -------
    pair, compared
        `PairedModels.why_not` says why a fit has no value. What is missing is filled in at its
        ends, as for a win rate, which is a worst case as far as a fit goes with its verdicts: one
        of an unusual length may move it the other way. Where a length or a difficulty is not known
        it has no ends.
    """
    fits = _Fits(pair, opponent, two, lengths, calibration, alpha, intervals)
    rows = compared(columns, opponent, lengths)
    missing, unknown = pair.missing, []
    if pair.judge in rows:
        one = rows[pair.judge]
        at = [one.models.index(model) if model in one.models else -1 for model in two]
        n = np.array([one.n[m] if m >= 0 else 0 for m in at])
        missing = pair.expected - n
        unknown = [one.unknown[model] for model in two if model in one.unknown]
    observed, figures, why_not = fits.test(pair.mean, pair.mean)
    why_not = next(iter(unknown), why_not)
    told = replace(
        pair,
        metric=LENGTH_CONTROLLED,
        missing=missing,
        why_not=pair.why_not or why_not,
    )
    return told, in_views(
        told, observed, figures, fits.filled if why_not is None else None,
        "verdicts are missing where a length or a difficulty is not known, and nothing bounds "
        "what they would do to a length-controlled win rate",
    )  # fmt: skip


class _Fits:
    """Two models' answers and lengths, fitted with what is missing left out or filled in."""

    def __init__(
        self,
        pair: PairedModels,
        opponent: str,
        two: tuple[str, str],
        lengths: Lengths,
        calibration: LengthCalibration,
        alpha: float,
        intervals: Intervals,
    ) -> None:
        self.pair, self.two, self.calibration = pair, two, calibration
        self.alpha, self.intervals = alpha, intervals
        at = {item: place for place, item in enumerate(pair.items)}
        self.order = np.array([at[item] for item in in_natural_order(pair.items)], dtype=np.int64)

        def of(model: str) -> Floats:
            return np.array([lengths.get((model, item), math.nan) for item in pair.items])

        self.difference = np.stack([of(opponent) - of(model) for model in two], axis=-1)

    def filled(self, view: View) -> PairedTest | None:
        """On all items, with what is missing at one of its ends for the candidate, and the other
        for the baseline; None where a length or an end is not known, or a fit has no value."""
        worst, best = self.pair.worst, self.pair.best
        if worst is None or best is None or np.isnan(self.difference).any():
            return None
        test, _, why_not = self.test(*((worst, best) if view == "worst" else (best, worst)))
        return test if why_not is None else None

    def test(
        self, candidate: Floats, baseline: Floats
    ) -> tuple[PairedTest, tuple[float, float], str | None]:
        """The test, both figures as shares, and why there are none.

        Parameters
        ----------
        candidate, baseline : float array, shape (items, 2)
            The preferences to take those of the candidate from, and those of the baseline.
        """
        preference = np.stack([candidate[:, CANDIDATE], baseline[:, BASELINE]], axis=-1)
        unknown = np.isnan(preference) | np.isnan(self.difference)
        kept = ~(unknown[:, CANDIDATE] | unknown[:, BASELINE])
        found = exact(self._lined_up(preference, kept), self.calibration, intervals=self.intervals)
        scores = found.scores / self.pair.unit
        units = len(np.unique(self.pair.unit_of[kept]))
        why_not = [
            f"{model}: {found.estimates[model].undefined}"
            for model in self.two
            if found.estimates[model].undefined is not None
        ]
        test = bootstrap_test(
            scores[:, CANDIDATE] - scores[:, BASELINE],
            units=units,
            alpha=self.alpha,
            n_parameters=PARAMETERS,
            width=1.0,
        )
        figures = float(scores[0, CANDIDATE]), float(scores[0, BASELINE])
        return test, figures, why_not[0] if why_not else None

    def _lined_up(self, preference: Floats, kept: NDArray[np.bool_]) -> LengthComparisons:
        """The kept items in the order in which cross-validation folds them."""
        order = self.order[kept[self.order]]
        units, place = np.unique(self.pair.unit_of[order], return_inverse=True)
        first = {int(unit): at for at, unit in reversed(list(enumerate(self.pair.unit_of)))}
        asked = np.ones((2, len(order)), dtype=np.bool_)
        return LengthComparisons(
            items=tuple(self.pair.items[at] for at in order),
            board_items=tuple(self.pair.items[first[int(unit)]] for unit in units),
            place=place.astype(np.int64),
            models=self.two,
            preference=preference[order].T,
            difference=self.difference[order].T,
            asked=asked,
            n=asked.sum(axis=1),
            missing=np.zeros(2, dtype=np.int64),
            unknown={},
        )
