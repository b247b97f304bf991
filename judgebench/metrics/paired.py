"""Two models, or one model twice, in the eyes of one judge: how they differ, and how surely.

The one engine of compare, gate, runs diff, nights and training. Two sets of verdicts are lined up
item by item (`JudgeMeans`), tested as observed and at the ends of what is missing (`compare`), and
the difference is one estimate (`difference`): the same pair has the same figures wherever it is
shown. The checkpoints of a training run are many, and share their draws (`shared_draws`); judges
are compared with judges by the same tests and families (`judge_differences`). Why so:
docs/decisions/0034-one-engine-compares.md.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from judgebench.benchmarks.description import Weighted
from judgebench.columns import Bools, marked, paired, taken
from judgebench.metrics.accuracy import ACCURACY
from judgebench.metrics.board_kinds import BoardKind, board
from judgebench.metrics.failed_rows import missing_counts, why_missing
from judgebench.metrics.intervals import LEAST, Floats, Intervals
from judgebench.metrics.item_means import ItemMeans, item_means
from judgebench.metrics.measures import (
    Balance,
    Estimated,
    Measure,
    balanced,
    estimated,
    mean_of,
    mean_of_parts,
    pseudo_values,
    tags,
)
from judgebench.metrics.scores import DIMENSION, NO_ENDS, SCORE, mixed, scales_of
from judgebench.metrics.verdict_table import FAILED, Columns, Ints, read_table
from judgebench.metrics.verdict_values import label_values, preference_values, score_values
from judgebench.metrics.win_rate import (
    EACH_GAME,
    PERCENT,
    WEIGHTED,
    WIN_RATE,
    weighted_cells,
    why_no_weights,
)
from judgebench.records import Estimate
from judgebench.stats.paired_tests import (
    PairedTest,
    adjust,
    deciding_levels,
    paired_test,
    spread_over_units,
    won_or_lost,
)
from judgebench.stats.resample import content_seed, quotient

CANDIDATE, BASELINE = 0, 1
METRIC_OF = {"label": ACCURACY, "score": SCORE, "preference": WIN_RATE}
"""What the verdicts of a kind of board make."""

HEAD_TO_HEAD = "head_to_head"
"""Of comparisons with the baseline itself: the win rate, beside one half."""

FEWEST_WEIGHTED = 20
"""With fewer items it was not measured how often tests by weighted means are wrong."""

View = Literal["observed", "worst", "best"]
VIEWS: tuple[View, ...] = ("observed", "worst", "best")

UNBOUNDED = "verdicts are missing, and a scale without ends says nothing of their worst case"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedModels:
    """What one judge says of two models on the items of either.

    metric, unit
        What is compared, and what a figure is multiplied with: 100 where the field prints percent.
    confidence, higher_is_better
        Of what confidence the metric is, None elsewhere; and whether a higher figure is the better
        one. Where it is not, all figures here are turned round, and `shown` turns them back.
    width
        The largest difference that an item can have, without the unit; inf for a scale without
        ends.
    items : ids, in order
    unit_of : int array, shape (items,)
        Which items are one and the same question.
    weight : float array, shape (items,)
        How much each item counts, 1 where all count equally.
    stratum : int array, shape (items,)
        Items that share their category where categories count equally; all 0 otherwise.
    categories
        Those that count equally, by their numbers from 1; empty otherwise.
    mean : float array, shape (items, 2)
        Of candidate and baseline; nan where there is no readable verdict.
    worst, best : float array, shape (items, 2), or None
        With every missing verdict at its lowest and at its highest value; None without ends.
    own : float array, shape (items, 2), or None
        What an item has itself, where ``mean`` is what it adds to a weighted mean; None where that
        is the same.
    missing, expected : int array, shape (2,)
        Verdicts that should be there and are not, and all that should be.
    why_missing
        Of both models in words, empty where nothing is missing or nobody knows.
    why_not
        Why the two cannot be compared; None where they can.
    """

    judge: str
    metric: str
    unit: float
    width: float
    items: tuple[str, ...]
    unit_of: Ints
    weight: Floats
    stratum: Ints
    mean: Floats
    worst: Floats | None
    best: Floats | None
    missing: Ints
    expected: Ints
    why_not: str | None = None
    confidence: str | None = None
    higher_is_better: bool = True
    own: Floats | None = None
    categories: tuple[str, ...] = ()
    why_missing: tuple[str, str] = ("", "")

    @property
    def of_items(self) -> Floats:
        """What the items have themselves."""
        return self.mean if self.own is None else self.own

    @property
    def coverage(self) -> tuple[float, float]:
        """The share of readable verdicts among all that should be there, of both models."""
        shares = 1.0 - self.missing / np.maximum(self.expected, 1)
        mine, theirs = np.where(self.expected > 0, shares, 0.0).tolist()
        return mine, theirs

    def too_few(self, side: int, model: str, floor: float, *, needed: str = "") -> str | None:
        """That less than the floor is there of a model's verdicts, and why; None where enough is.

        ``needed`` is said of the floor before why.
        """
        share, why = self.coverage[side], self.why_missing[side]
        if share >= floor:
            return None
        what = "answers of" if self.confidence else "verdicts on"
        there = "have a label and a confidence" if self.confidence else "are there"
        return (
            f"{100 * share:.1f} % of the {what} {model} {there}{needed}"
            f"{'; missing: ' + why if why else ''}"
        )

    @property
    def readable(self) -> int:
        """On how many items both have a readable verdict; 0 where they cannot be compared."""
        return int((~np.isnan(self.mean).any(axis=1)).sum()) if self.why_not is None else 0

    @property
    def shown(self) -> float:
        """What a figure is multiplied with to be shown: the unit, below 0 where lower is better."""
        return self.unit if self.higher_is_better else -self.unit


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTests:
    """Three tests of one question, all without the unit.

    observed
        On the items of which both have a readable verdict.
    worst, best
        On all items, with what is missing at its worst, and at its best, for the candidate; None
        where nothing is missing, or where there are no ends to fill in.
    bounded, why_unbounded
        Whether what is missing can be bounded, and what is said where it cannot.
    candidate, baseline
        The two models' figures on the items of ``observed``.
    """

    observed: PairedTest
    worst: PairedTest | None
    best: PairedTest | None
    bounded: bool
    candidate: float
    baseline: float
    why_unbounded: str = UNBOUNDED

    def view(self, which: View) -> PairedTest:
        """As observed, or with what is missing at one of its ends where there is any."""
        ends = {"observed": self.observed, "worst": self.worst, "best": self.best}
        return ends[which] or self.observed


def paired_models(
    columns: Columns,
    kind: BoardKind,
    judge: str,
    candidate: str,
    baseline: str,
    *,
    labels: Sequence[str],
    balance: Balance | None = None,
    group_of: Mapping[str, str | Sequence[str]] | None = None,
    group: str | None = None,
    part: str | None = None,
    weighted: Weighted | None = None,
) -> PairedModels:
    """Line up the verdicts of one judge on two models.

    Repeats, orders and samples of one item are averaged first, as boards do it.

    Parameters
    ----------
    columns
        As for the boards of this kind, with names that mean one model or judge.
    labels
        The declared ones, the positive one last.
    balance
        How categories make up the whole, where they count equally; not used within a group.
    group_of, group
        The group of each item, and the one to look at alone; all items if not given.
    part
        The column of a part of scores that is compared in their place, which need not apply to
        every answer.
    weighted
        How much clear wins count more, where they do.
    """
    its = _rows_of(board(columns, kind), judge, {candidate, baseline})
    if group is not None:
        inside = marked(its["item_id"], lambda item: group in tags((group_of or {}).get(item)))
        its = _taken(its, inside)
    balance = balance if group is None else None
    judged = JudgeMeans(its, kind, judge, labels, balance, group, part=part)
    pair = judged.pair(candidate, baseline)
    if weighted is None:
        return pair
    return _by_weights(pair, judged, (candidate, baseline), its, weighted)


def every_pair(
    columns: Columns,
    kind: BoardKind,
    judge: str,
    *,
    labels: Sequence[str],
    balance: Balance | None = None,
    most: int,
) -> Iterator[PairedModels]:
    """All pairs of models on which one judge has verdicts; of more than ``most`` an even choice.

    Parameters
    ----------
    columns, labels, balance
        As in `paired_models`.
    """
    judged = JudgeMeans(_rows_of(board(columns, kind), judge), kind, judge, labels, balance)
    pairs = list(combinations(judged.table.models, 2))
    for at in np.linspace(0, len(pairs), min(most, len(pairs)), endpoint=False).astype(int):
        yield judged.pair(*pairs[at])


def pairs_beside(
    columns: Columns,
    kind: BoardKind,
    judge: str,
    baseline: str,
    others: Sequence[str],
    *,
    labels: Sequence[str],
    balance: Balance | None = None,
) -> Iterator[PairedModels]:
    """Each of some models beside one baseline; nobody else's verdicts are looked at.

    Parameters
    ----------
    columns, judge, labels, balance
        As in `paired_models`.
    """
    if not others:
        return
    its = _rows_of(board(columns, kind), judge, {baseline, *others})
    judged = JudgeMeans(its, kind, judge, labels, balance)
    for other in others:
        yield judged.pair(other, baseline)


def _rows_of(columns: Columns, judge: str, models: Collection[str] | None = None) -> Columns:
    """The rows of a judge, on some models alone where they are said."""
    wanted = marked(columns["judge"], lambda one: one == judge)
    if models is not None:
        wanted &= marked(columns["model"], lambda model: model in models)
    return _taken(columns, wanted)


def _taken(columns: Columns, wanted: Bools) -> Columns:
    rows = np.flatnonzero(wanted)
    return {name: list(taken(values, rows)) for name, values in columns.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How much the difference of two models varies, without the unit.

    spread, units
        As of `PairedTest`.
    level
        What a model has, in the mean of both and over items; nan without any.
    right
        The level where items are right or wrong; None elsewhere.
    """

    spread: float
    units: int
    level: float
    right: float | None


def spread_of(pair: PairedModels) -> Spread:
    """The spread on the items of which both have a readable verdict, as `compare` finds it."""
    both = readable_on_both(pair)
    kept = pair.mean[both]
    of_units, items, spread = over_units(pair, kept[:, CANDIDATE] - kept[:, BASELINE], both)
    binary = spread is None and won_or_lost(of_units, items)
    level = float(kept.mean()) if len(kept) else math.nan
    return Spread(
        spread=spread_over_units(of_units, items) if spread is None else spread,
        units=len(of_units),
        level=level,
        right=level if binary and len(kept) else None,
    )


class JudgeMeans:
    """What one judge says of some models, averaged by item as boards do it.

    Parameters
    ----------
    columns
        The rows of that judge, or of a whole board, whose items and units are then drawn from.
    group
        Of items, where these are of one: a part of the metric's name.
    rows
        Of a whole board those of the judge.
    part
        As in `paired_models`. Where the sides of a balance are parts of scores, these are looked at
        without being named.
    """

    def __init__(
        self,
        columns: Columns,
        kind: BoardKind,
        judge: str,
        labels: Sequence[str],
        balance: Balance | None,
        group: str | None = None,
        rows: Ints | None = None,
        part: str | None = None,
    ) -> None:
        self.judge, self.kind, self.balance = judge, kind, balance
        self.table = read_table(columns)
        values, self.ends, metric, self.why_not = as_numbers(columns, kind, labels)
        its = columns
        if rows is not None:
            its = {name: taken(column, rows) for name, column in columns.items()}
            _, self.ends, _, self.why_not = as_numbers(its, kind, labels)
        self.scales = scales_of(its, range(len(its["kind"]))) if self.why_not else ()
        self.metric = metric if group is None else f"{metric}/{group}"
        rows = np.arange(len(columns["kind"])) if rows is None else rows
        self.means = item_means(self.table, rows, values, ends=self.ends)
        self.lacking = missing_counts(self.table, self.means, rows, columns, ~np.isnan(values))
        self.weight, self.stratum = item_weights(self.table.items, balance)
        sides = () if balance is None else balance.sides
        named = {part: part} if part else {side: f"{DIMENSION}{side}" for side in sides}
        may_lack = balance is not None and balance.not_applicable is not None  # as boards do
        silent = np.full(len(values), np.nan)
        told = {
            side: np.asarray(columns.get(name, silent))
            for side, name in named.items()
            if kind.kind == "score" and (may_lack or name in columns)
        }
        stated = part or not np.isnan([of[rows] for of in told.values()]).all()
        self.parts: Mapping[str, ItemMeans] = {
            side: item_means(self.table, rows, of, ends=NO_ENDS)
            for side, of in (told.items() if len(told) == len(named) and stated else ())
        }

    def pair(self, candidate: str, baseline: str) -> PairedModels:
        """Two of the models; `PairedModels.why_not` names who has no verdict."""
        models, why_not = self.table.models, self.why_not
        absent = np.array([model not in models for model in (candidate, baseline)])
        if absent.any():
            named = dict(zip((candidate, baseline), absent.tolist(), strict=True))
            who = " or ".join(model for model, lacks in named.items() if lacks)
            why_not = f"{self.judge} has no verdict on {who}"
        means = self.of(self.means, candidate, baseline)
        found = PairedModels(
            judge=self.judge,
            metric=self.metric,
            unit=unit_of(self.kind),
            width=self.ends[1] - self.ends[0],
            items=self.table.items,
            unit_of=self.table.unit_of,
            weight=self.weight,
            stratum=self.stratum,
            mean=np.where(absent, np.nan, means.mean),
            worst=means.worst,
            best=means.best,
            missing=(means.expected - means.readable).sum(axis=0).astype(np.int64),
            expected=means.expected.sum(axis=0).astype(np.int64),
            why_not=why_not,
            why_missing=(self.why_missing(candidate), self.why_missing(baseline)),
            categories=() if self.balance is None else tuple(_categories(self.balance)),
        )
        if not self.parts or why_not is not None:
            return found
        return self._by_parts(found, (candidate, baseline))

    def why_missing(self, model: str) -> str:
        """Why verdicts on a model are missing, in words; empty where none is."""
        return why_missing(self.lacking[model]) if model in self.lacking else ""

    def _by_parts(self, pair: PairedModels, two: tuple[str, str]) -> PairedModels:
        """The pair by its parts, each a mean over the items to which it applies.

        What stands for an item is what it adds to their mean (`pseudo_values`).
        """
        parts = self.parts_of(*two)
        share_of = _shares(self.balance) if self.balance else {side: {0: 1.0} for side in parts}

        def whole(values: Floats, kept: Bools, end: float, lack: Floats) -> Floats:
            found, weight = np.zeros(values.shape), np.zeros(values.shape)
            for side, of in parts.items():
                silent = np.isnan(of.mean)
                filled = np.where(silent, end, of.mean)
                filled = np.where(lack > 0.0, filled + lack * (end - filled), filled)
                counts = np.where(silent & ~(lack > 0.0), 0.0, 1.0)
                for code, share in share_of[side].items():
                    its = kept & (pair.stratum == code)
                    found[its] += share * pseudo_values(filled[its], counts[its])
                    weight[its] += share
            # Equal sums of other parts are ties.
            return np.where(kept[:, None], np.round(quotient(found, weight), 12), values)

        worst, best = pair.worst, pair.best
        if worst is not None and best is not None:
            lack, counting = (best - worst) / pair.width, pair.stratum >= 0
            worst = whole(worst, counting, self.ends[0], lack)
            best = whole(best, counting, self.ends[1], lack)
        mean = whole(pair.mean, readable_on_both(pair), math.nan, np.zeros(pair.mean.shape))
        if self.balance is not None:
            return replace(pair, mean=mean, worst=worst, best=best)
        # Of one part: what it does not apply to is no verdict of it, nor an item of either.
        (of,) = parts.values()
        known = ~np.isnan(pair.mean)
        silent = np.where(known, self.of(self.means, *two).readable - of.readable, 0.0)
        its = np.flatnonzero(~(np.isnan(of.mean) & known).all(axis=1))
        return replace(
            pair,
            items=tuple(pair.items[item] for item in its),
            unit_of=pair.unit_of[its],
            weight=pair.weight[its],
            stratum=pair.stratum[its],
            mean=mean[its],
            worst=None if worst is None else worst[its],
            best=None if best is None else best[its],
            expected=pair.expected - silent.sum(axis=0).astype(np.int64),
        )

    def parts_of(self, candidate: str, baseline: str) -> dict[str, ItemMeans]:
        """Those of each part, as `of` has them of the whole."""
        return {side: self.of(means, candidate, baseline) for side, means in self.parts.items()}

    def of(self, means: ItemMeans, candidate: str, baseline: str) -> ItemMeans:
        """The means of two models, shape (items, 2); of one without a verdict another's."""
        models = self.table.models
        places = [models.index(m) if m in models else 0 for m in (candidate, baseline)]

        def two(values: Floats) -> Floats:
            return values[:, places] if models else np.zeros((0, 2))

        return ItemMeans(
            mean=two(means.mean),
            readable=two(means.readable),
            asked=two(means.asked),
            expected=two(means.expected),
            worst=None if means.worst is None else two(means.worst),
            best=None if means.best is None else two(means.best),
        )

    def over_draws(
        self, means: ItemMeans, parts: Mapping[str, ItemMeans], wanted: Intervals
    ) -> tuple[Measure, Estimated]:
        """What models are ranked by, and its estimates over draws of units that all share."""
        measure = mean_measure(means, self.table.items, self.kind, self.balance, parts)
        if self.why_not is not None:
            measure = mixed(measure, self.scales)
        of_units = measure.of_units(self.table.unit_of, len(self.table.units))
        (sums,) = wanted.resamples(self.table.units).sums([of_units])
        return measure, estimated(measure, of_units, sums, wanted)


def compared_directly(
    verdicts: Mapping[BoardKind, Columns], judge: str, first: str, second: str
) -> Columns:
    """One judge's comparisons of two models, each as one of the first with the second.

    Whichever of the two was the model and which its opponent: the others are turned round, so that
    the value is the probability that the first is better, and the order says where it stood. What
    was asked both ways counts as repeats.

    Parameters
    ----------
    verdicts
        The rows of each board, with names that mean one model or judge.

    Returns
    -------
    Columns
        Of the board of comparisons with the second; no row where the judge has compared neither.
    """
    found: list[Columns] = []
    for model, opponent in ((first, second), (second, first)):
        said = verdicts.get(BoardKind("preference", opponent))
        if said is None:
            continue
        wanted = marked(paired(said["judge"], said["model"]), (judge, model).__eq__)
        if wanted.any():
            rows = _taken(said, wanted)
            found.append(rows if model == first else _turned_round(rows, first, second, found))
    if not found:
        return {}
    return {name: [one for rows in found for one in rows[name]] for name in found[0]}


_OTHER_ORDER = {"model_first": "opponent_first", "opponent_first": "model_first"}


def _turned_round(rows: Columns, model: str, opponent: str, beside: Sequence[Columns]) -> Columns:
    """Comparisons of the opponent with the model, told of the model; repeats of those beside."""
    n = len(rows["kind"])
    before = 1 + max((int(one) for each in beside for one in each["repeat"]), default=-1)
    return {
        **rows,
        "model": [model] * n,
        "opponent": [opponent] * n,
        "order": [_OTHER_ORDER.get(one, one) for one in rows["order"]],
        "repeat": [before + int(one) for one in rows["repeat"]],
        "value": [
            round(1.0 - value, 12) if kind == "preference" else value  # no 0.09999999999999998
            for kind, value in zip(rows["kind"], rows["value"], strict=True)
        ],
    }


def head_to_head(
    columns: Columns,
    kind: BoardKind,
    judge: str,
    candidate: str,
    *,
    labels: Sequence[str],
    group_of: Mapping[str, str | Sequence[str]] | None = None,
    group: str | None = None,
) -> PairedModels:
    """A candidate whose answers were compared with the baseline's: its wins, beside one half.

    Both orders of an item are averaged first, so that a judge that goes by the place says nothing.

    Parameters
    ----------
    kind
        Comparisons with the baseline.
    columns, judge, candidate, labels, group_of, group
        As for `paired_models`.
    """
    alone = paired_models(
        columns, kind, judge, candidate, candidate, labels=labels, group_of=group_of, group=group
    )

    def beside_a_half(values: Floats | None) -> Floats | None:
        return None if values is None else np.stack([values[:, 0], np.full(len(values), 0.5)], 1)

    mean = beside_a_half(alone.mean)
    assert mean is not None
    return replace(
        alone,
        metric=HEAD_TO_HEAD if group is None else f"{HEAD_TO_HEAD}/{group}",
        width=0.5,
        mean=mean,
        worst=beside_a_half(alone.worst),
        best=beside_a_half(alone.best),
        missing=alone.missing * np.array([1, 0]),
    )


def _by_weights(
    pair: PairedModels, judged: JudgeMeans, two: tuple[str, str], columns: Columns, how: Weighted
) -> PairedModels:
    """The pair by weighted means, in which a missing verdict is at worst a clear loss.

    What stands for an item is what it adds to such a mean (`pseudo_values`).
    """
    found, table = replace(pair, metric=WEIGHTED), judged.table
    if pair.why_not is not None:
        return found
    values, rows = preference_values(columns), np.arange(len(columns["kind"]))
    cells = weighted_cells(table, rows, columns, values, how.clear)
    places = [table.models.index(one) for one in two]
    if not cells or not cells[how.rule][0][:, places].any(axis=0).all():
        read = np.isin(np.arange(len(table.models)), places)
        return _undefined(found, why_no_weights(cells, how.rule, read))
    (weight, won), (every, won_of_every) = (
        [of[:, places] for of in cells[rule]] for rule in (how.rule, EACH_GAME)
    )
    means = judged.of(judged.means, *two)
    lack = how.clear * (means.expected - means.readable)
    used = np.where(weight > 0.0, means.readable, 0.0)
    everything = np.ones(len(weight), dtype=np.bool_)
    found = by_weights(found, won, weight)
    if found.why_not is not None:
        return found
    return replace(
        found,
        worst=weighted_values(won_of_every, every + lack, everything),
        best=weighted_values(won_of_every + lack, every + lack, everything),
        missing=(means.expected - used).sum(axis=0).astype(np.int64),
    )


def by_weights(pair: PairedModels, won: Floats, weight: Floats) -> PairedModels:
    """A pair by its weighted means as observed; `PairedModels.why_not` where too little is won.

    Parameters
    ----------
    won, weight : float array, shape (items, 2)
        As `judgebench.metrics.win_rate.weighted_cells` has them.
    """
    both = np.asarray((weight > 0.0).all(axis=1))
    kinds = [(of[both]).sum(axis=0).min() for of in (won > 0.0, won < weight)]
    if both.sum() < FEWEST_WEIGHTED:
        return _undefined(pair, f"fewer than {FEWEST_WEIGHTED} items that both have")
    if min(kinds) < LEAST:
        return _undefined(pair, f"fewer than {LEAST} items won, or lost, by one of the two")
    own = np.where(both[:, None], quotient(won, weight), np.nan)
    return replace(pair, mean=weighted_values(won, weight, both), own=own)


def by_turns(
    pair: PairedModels, turns: PairedModels, question_of: Mapping[str, str]
) -> PairedModels:
    """A pair of conversations in which each turn that both have counts once, as boards count them.

    Parameters
    ----------
    turns
        The same two, each turn as an item, and ``question_of`` whose it is.
    """
    place = {item: at for at, item in enumerate(pair.items)}
    of = np.array([place[question_of[turn]] for turn in turns.items], dtype=np.int64)
    both = ~np.isnan(turns.mean).any(axis=1)

    def summed(values: Floats) -> Floats:
        return np.bincount(of[both], values[both], len(place)).astype(np.float64)

    n = summed(np.ones(len(of)))
    own = quotient(np.stack([summed(turns.mean[:, m]) for m in range(2)], 1), n[:, None])
    mean, there = own.copy(), n > 0.0
    mean[there] = pseudo_values(own[there], np.stack([n[there]] * 2, 1))
    return replace(pair, mean=mean, own=own)


def _undefined(pair: PairedModels, why_not: str) -> PairedModels:
    """A pair without any figure, as of another metric than the one asked for."""
    return replace(
        pair, why_not=why_not, mean=np.full_like(pair.mean, np.nan), worst=None, best=None
    )


def weighted_values(won: Floats, weight: Floats, kept: Bools) -> Floats:
    """What stands for each item in the weighted mean over those that are kept."""
    values = quotient(won, weight)
    values[kept] = pseudo_values(values[kept], weight[kept])
    return values


def compare(
    pair: PairedModels, *, alpha: float, seed: int = 0, finest: float | None = None
) -> PairedTests:
    """Test whether the candidate is worse, as observed and at the ends of what is missing.

    Parameters
    ----------
    alpha, finest
        As for `paired_test`.
    """
    mine, theirs = pair.mean[:, CANDIDATE], pair.mean[:, BASELINE]
    both = readable_on_both(pair)
    drawn = content_seed(*pair.items, pair.judge, pair.metric, seed=seed)

    def tested(difference: Floats, kept: NDArray[np.bool_]) -> PairedTest:
        of_units, items, spread = over_units(pair, difference[kept], kept)
        reach = None
        if spread is not None and math.isfinite(pair.width):
            reach = pair.width * len(of_units) * _heaviest(pair, kept)
        return paired_test(
            of_units, items, alpha=alpha, width=pair.width, seed=drawn, spread=spread,
            reach=reach, finest=finest,
        )  # fmt: skip

    lacks = bool(pair.missing.any())
    worst = best = None
    everything = pair.stratum >= 0
    whole = not _categories_without(pair, everything)
    if lacks and whole and pair.worst is not None and pair.best is not None:
        worst = tested(pair.worst[:, CANDIDATE] - pair.best[:, BASELINE], everything)
        best = tested(pair.best[:, CANDIDATE] - pair.worst[:, BASELINE], everything)
    weight = _normalised(pair, both)
    return PairedTests(
        observed=tested(mine - theirs, both),
        worst=worst,
        best=best,
        bounded=not lacks or worst is not None,
        candidate=float((weight * mine[both]).sum()) if both.any() else math.nan,
        baseline=float((weight * theirs[both]).sum()) if both.any() else math.nan,
    )


def readable_on_both(pair: PairedModels) -> NDArray[np.bool_]:
    """The items of which both have a readable verdict."""
    both: NDArray[np.bool_] = ~np.isnan(pair.mean).any(axis=1) & (pair.stratum >= 0)
    if _categories_without(pair, both):
        both &= False  # a category that nobody can compare counts as much as any other
    return both


def why_no_difference(pair: PairedModels) -> str:
    """Why two models that a judge has judged have no item, or too few, to be compared on."""
    both = np.asarray(~np.isnan(pair.mean).any(axis=1))
    lacking = _categories_without(pair, both)
    if not (both.any() and lacking):
        return "no item has a readable verdict on both"
    if not (pair.stratum[both] > 0).any():
        return "no item with a readable verdict on both is known to be of a category that counts"
    of = ", ".join(lacking)
    return f"no item of {of} has a readable verdict on both, and categories count equally"


def _categories_without(pair: PairedModels, kept: Bools) -> list[str]:
    """The categories that count and have none of the items that are kept."""
    there = set(pair.stratum[kept].tolist())
    return [name for code, name in enumerate(pair.categories, start=1) if code not in there]


def over_units(
    pair: PairedModels, d: Floats, kept: NDArray[np.bool_]
) -> tuple[Floats, Floats, float | None]:
    """Differences summed over units, their items, and the spread where it does not follow."""
    units, unit_of = np.unique(pair.unit_of[kept], return_inverse=True)
    n_units = len(units)
    if (pair.stratum == 0).all():
        items = np.bincount(unit_of, minlength=n_units).astype(np.float64)
        return np.bincount(unit_of, d, n_units).astype(np.float64), items, None
    # Categories count equally: a weighted sum, written as the mean of what each item adds to it.
    n, weight = len(d), _normalised(pair, kept)
    added = np.bincount(unit_of, n * weight * d, n_units) * n_units / max(1, n)
    centre = np.array([d[pair.stratum[kept] == s].mean() for s in pair.stratum[kept]])
    about = np.bincount(unit_of, n * weight * (d - centre), n_units) * n_units / max(1, n)
    spread = float(about.std(ddof=1)) if n_units > 1 else math.nan
    return added, np.ones(n_units), spread


def _heaviest(pair: PairedModels, kept: NDArray[np.bool_]) -> float:
    """The largest share of the whole that a unit has."""
    if not kept.any():
        return 0.0
    _, unit_of = np.unique(pair.unit_of[kept], return_inverse=True)
    return float(np.bincount(unit_of, _normalised(pair, kept)).max())


def _normalised(pair: PairedModels, kept: NDArray[np.bool_]) -> Floats:
    """How much each kept item counts, adding up to 1: categories keep their weight."""
    weight, stratum = pair.weight[kept], pair.stratum[kept]
    if (pair.stratum == 0).all():
        return np.full(len(weight), 1.0 / max(1, len(weight)))
    found = np.zeros(len(weight))
    for one in np.unique(stratum):
        inside = stratum == one
        found[inside] = weight[inside][0] / inside.sum()
    return found


def item_weights(items: Sequence[str], balance: Balance | None) -> tuple[Floats, Ints]:
    """What each category counts, at each of its items, and which category that is (from 1).

    Where all items count equally 1 each, of the category 0; -1 for an item that does not count.
    """
    if balance is None:
        return np.ones(len(items)), np.zeros(len(items), dtype=np.int64)
    code_of = {one: code for code, one in enumerate(_categories(balance), start=1)}
    named = [balance.category_of.get(item, "") for item in items]
    stratum = np.array([code_of.get(category, -1) for category in named], dtype=np.int64)
    of_sides = _shares(balance).values()
    weight = [math.fsum(of.get(code, 0.0) for of in of_sides) for code in stratum.tolist()]
    return np.array(weight), stratum


def _categories(balance: Balance) -> list[str]:
    """Those that count, in order."""
    return sorted({category for its in balance.sides.values() for category in its})


def _shares(balance: Balance) -> dict[str, dict[int, float]]:
    """Of each side what its categories count in the whole, by the number of each from 1."""
    code_of = {one: code for code, one in enumerate(_categories(balance), start=1)}
    return {
        side: {code_of[one]: 1.0 / len(balance.sides) / len(its) for one in its}
        for side, its in balance.sides.items()
    }


def as_numbers(
    its: Columns, kind: BoardKind, labels: Sequence[str]
) -> tuple[Floats, tuple[float, float], str, str | None]:
    """The verdicts as numbers, nan where there is none, their ends, and the metric they make."""
    if kind.kind == "label":
        return label_values(its, labels), (0.0, 1.0), ACCURACY, None
    if kind.kind == "preference":
        return preference_values(its), (0.0, 1.0), WIN_RATE, None
    scales = scales_of(its, range(len(its["kind"])))
    why = None if len(scales) < 2 else "the judge's scores are on several scales"
    ends = scales[0] if len(scales) == 1 else (-math.inf, math.inf)
    return score_values(its), ends, SCORE, why


def unit_of(kind: BoardKind) -> float:
    """What a figure is multiplied with to be shown."""
    return PERCENT if kind.kind == "preference" else 1.0


def mean_measure(
    means: ItemMeans,
    items: Sequence[str],
    kind: BoardKind,
    balance: Balance | None,
    parts: Mapping[str, ItemMeans],
) -> Measure:
    """What the models of a board are ranked by, as a quotient of sums over its items."""
    if balance is not None and parts:
        return mean_of_parts({"": means, **parts}, items, balance)[""]
    if balance is not None and kind.kind == "score":
        return balanced(means, items, balance, list(balance.sides))
    return mean_of(means, unit=unit_of(kind), proportion=kind.kind != "score", least=LEAST)


def family(
    p_values: Mapping[View, Sequence[float]],
    *,
    alpha: float,
    correction: str = "holm",
    of: int | None = None,
) -> list[tuple[float, dict[View, float]]]:
    """What several tests are decided by together: of each its adjusted p-value, and its levels.

    Parameters
    ----------
    p_values
        Of the tests in each view; those as observed are adjusted.
    alpha, correction, of
        As in `judgebench.stats.paired_tests.deciding_levels`.
    """
    adjusted = adjust(p_values["observed"], correction, of=of)
    levels = {
        view: deciding_levels(p, alpha=alpha, correction=correction, of=of)
        for view, p in p_values.items()
    }
    return [
        (p, {view: of_tests[place] for view, of_tests in levels.items()})
        for place, p in enumerate(adjusted)
    ]


# the difference ---------------------------------------------------------------------------------


def difference(
    pair: PairedModels, compared: PairedTests, ends: tuple[float, float], *, level: float
) -> Estimate:
    """Candidate minus baseline, in the metric's units.

    Where lower is better, a candidate that is worse has a difference above 0.

    Parameters
    ----------
    ends
        The bounds that decide, without the unit.
    level
        With which both of them hold.
    """
    observed, shown = compared.observed, pair.shown
    bounds = [end * shown if math.isfinite(end) else math.nan for end in ends]
    cases = [compared.view(end).difference * shown for end in ("worst", "best")]
    if not pair.higher_is_better:
        bounds.reverse()
        cases.reverse()
    low, high = cases if compared.worst is not None else (None, None)
    undefined = pair.why_not or why_no_difference(pair)
    return Estimate(
        value=observed.difference * shown + 0.0,  # no -0.0
        low=bounds[0],
        high=bounds[1],
        level=level,
        n=int(pair.expected.sum() - pair.missing.sum()),
        units=observed.units,
        missing=int(pair.missing.sum()),
        method=observed.method,
        undefined=undefined if math.isnan(observed.difference) else None,
        worst_low=low,
        worst_high=high,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """The metric of the first and of the second on the same items, and second minus first."""

    first: Estimate
    second: Estimate
    difference: Estimate


FIRST, SECOND = "first", "second"


def before_and_after(
    first: Columns,
    second: Columns,
    items: Collection[str],
    kind: BoardKind,
    judge: str,
    *,
    labels: Sequence[str],
    balance: Balance | None = None,
    units: Mapping[str, str | None] | None = None,
    intervals: Intervals | None = None,
) -> PairedDifference:
    """Compare verdicts of one judge on one model with others of that judge, or on another model.

    Parameters
    ----------
    first, second
        ``item_id``, ``kind``, ``value``, ``label``, ``low``, ``high``, ``sample``, of equal length,
        and where they are known ``turn``, ``order`` and ``repeat``. Who judged and who answered is
        not looked at.
    items
        Those that both should have; others are left out. An item that one side says nothing
        readable of counts for neither.
    judge
        What it is called: signs are drawn by its name, as where the two are compared.
    labels, balance
        As in `paired_models`.
    units
        Items that have theirs in common are one question, and drawn together.

    Returns
    -------
    PairedDifference
        The first and the second over shared draws of the items. The difference is that of
        `compare`, with both bounds of the test that decides, each at half of what the level leaves,
        and where there are ends the bounds with what is missing at its least and at its most
        favourable to the second. Undefined where either metric is.
    """
    wanted = intervals or Intervals()
    its = _both_sides(first, second, items, units or {})
    judged = JudgeMeans(its, kind, judge, labels, balance)
    means = judged.of(judged.means, FIRST, SECOND)
    there = ~np.isnan(means.mean).any(axis=1, keepdims=True)

    def of_both(means: ItemMeans) -> ItemMeans:
        mean, readable = np.where(there, means.mean, np.nan), np.where(there, means.readable, 0.0)
        return replace(means, mean=mean, readable=readable)

    parts = {side: of_both(of) for side, of in judged.parts_of(FIRST, SECOND).items()}
    measure, found_each = judged.over_draws(of_both(means), parts, wanted)
    one, other = found_each.estimates
    # What is missing has its ends by the measure: no test is made of them.
    pair = replace(judged.pair(SECOND, FIRST), worst=None, best=None)
    alpha = (1.0 - wanted.level) / 2.0
    tests = compare(pair, alpha=alpha, seed=wanted.seed)
    found = difference(pair, tests, tests.observed.bounds(alpha), level=wanted.level)
    if math.isnan(one.value - other.value):
        why = other.undefined or one.undefined
        found = replace(
            found, value=math.nan, low=math.nan, high=math.nan, method="", undefined=why
        )
    else:
        if found.units < 2:
            found = replace(found, low=math.nan, high=math.nan, method="no interval, a single item")
        if measure.worst is not None and measure.best is not None:
            (least, least_after), (most, most_after) = measure.worst, measure.best
            found = replace(
                found,
                worst_low=float(least_after - most) * measure.unit,
                worst_high=float(most_after - least) * measure.unit,
            )
    return PairedDifference(first=one, second=other, difference=found)


_LACKING: Mapping[str, Any] = {
    "kind": FAILED, "value": None, "label": None, "low": None, "high": None, "sample": 0,
    "turn": 0, "order": "single", "repeat": 0,
}  # fmt: skip
"""What stands in a row of which nothing is known."""


def _both_sides(
    first: Columns, second: Columns, items: Collection[str], units: Mapping[str, str | None]
) -> Columns:
    """The rows about these items, and one for each item that a side says nothing of."""
    parts = sorted(name for name in {*first, *second} if name.startswith(DIMENSION))
    empty = {**_LACKING, **dict.fromkeys(parts, math.nan)}
    found: dict[str, list[Any]] = {name: [] for name in ("item_id", "model", *empty)}
    for name, columns in ((FIRST, first), (SECOND, second)):
        rows = [row for row, item in enumerate(columns["item_id"]) if item in items]
        lacking = sorted(set(items).difference(columns["item_id"]))
        found["item_id"] += [columns["item_id"][row] for row in rows] + lacking
        found["model"] += [name] * (len(rows) + len(lacking))
        for column, absent in empty.items():
            given = columns.get(column)
            found[column] += [absent if given is None else given[row] for row in rows]
            found[column] += [absent] * len(lacking)
    found["judge"] = [""] * len(found["item_id"])
    found["unit"] = [units.get(item) for item in found["item_id"]]
    return found
