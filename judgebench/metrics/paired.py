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
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from judgebench.benchmarks.description import Weighted
from judgebench.columns import Bools, Column, counted, marked, paired, same, select_rows, together
from judgebench.columns import coded as coded_column
from judgebench.metrics.board_kinds import BoardKind, board
from judgebench.metrics.failed_rows import missing_counts, why_missing
from judgebench.metrics.intervals import LEAST, Floats, Intervals
from judgebench.metrics.measures import (
    Balance,
    Estimated,
    ItemMeans,
    Measure,
    balanced,
    estimated,
    item_means,
    mean_of,
    mean_of_parts,
    pseudo_values,
    tags,
)
from judgebench.metrics.registry import HEAD_TO_HEAD
from judgebench.metrics.scores import DIMENSION, NO_ENDS, mixed, scales_of
from judgebench.metrics.verdict_table import Columns, Ints, coded, read_table
from judgebench.metrics.win_rate import (
    BOTH_GAMES,
    EACH_GAME,
    WEIGHTED,
    weighted_cells,
    weighted_measures,
    why_no_weights,
)
from judgebench.plain_text import counted as counted_words
from judgebench.records import Estimate
from judgebench.stats.gate_rule import detectable
from judgebench.stats.paired_tests import (
    PairedTest,
    adjust,
    deciding_levels,
    paired_test,
    spread_over_units,
    untested,
    won_or_lost,
)
from judgebench.stats.resample import content_seed, quotient

CANDIDATE, BASELINE = 0, 1

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
    question
        The question that each row is part of, where these are the turns of conversations; empty
        where each is one itself.
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
    question: tuple[str, ...] = ()
    why_missing: tuple[str, str] = ("", "")

    @property
    def of_items(self) -> Floats:
        """What the items have themselves."""
        return self.mean if self.own is None else self.own

    @property
    def questions(self) -> tuple[str, ...]:
        """What was asked, of each row."""
        return self.question or self.items

    @property
    def by_question(self) -> PairedModels:
        """A row for each question, with what both have of it over its rows that both have."""
        if not self.question:
            return self
        names, of = coded(self.question)
        own, both = self.of_items, ~np.isnan(self.of_items).any(axis=1)
        n = np.bincount(of[both], minlength=len(names))
        sums = [np.bincount(of[both], own[both, m], len(names)) for m in (CANDIDATE, BASELINE)]
        first = np.unique(of, return_index=True)[1]
        return replace(
            self, items=names, question=(), own=None, worst=None, best=None,
            mean=quotient(np.stack(sums, axis=1), n[:, None]), unit_of=self.unit_of[first],
            weight=self.weight[first], stratum=self.stratum[first],
        )  # fmt: skip

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
        return None if share >= floor else few_there(share, model, why, self.confidence, needed)

    @property
    def readable(self) -> int:
        """On how many items both have a readable verdict; 0 where they cannot be compared."""
        return int((~np.isnan(self.mean).any(axis=1)).sum()) if self.why_not is None else 0

    @property
    def shown(self) -> float:
        """What a figure is multiplied with to be shown: the unit, below 0 where lower is better."""
        return self.unit if self.higher_is_better else -self.unit


def few_there(
    share: float, model: str, why: str, confidence: str | None = None, needed: str = ""
) -> str:
    """That so much is there of a model's verdicts, or of its answers what a confidence is of."""
    what = "answers of" if confidence else "verdicts on"
    there = "have a label and a confidence" if confidence else "are there"
    missing = f"; missing: {why}" if why else ""
    return f"{100 * share:.1f} % of the {what} {model} {there}{needed}{missing}"


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

    def turned(self, decisions: Collection[str], whom: str) -> str | None:
        """That what is missing could turn what is decided; None where it could not.

        ``decisions`` are those in each view, ``whom`` is the candidate.
        """
        if len({*decisions}) > 1:
            return f"missing verdicts: at their worst or best for {whom}, it decides otherwise"
        return None if self.bounded else self.why_unbounded

    def more_items(self, units: float) -> str | None:
        """That so many items in all would decide; None where nobody knows, or these are as many.

        What is said is that of an average case: nothing where the spread rests on too little.
        """
        observed = self.observed
        if not math.isfinite(units) or math.ceil(units) <= observed.units:
            return None
        more = counted_words(math.ceil(units) - observed.units, f"more {observed.unit}")
        return (
            f"if the true difference is as observed, about {more} "
            f"{'give' if not more.startswith('1 ') else 'gives'} an 80 % chance of a decision"
        )


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
        As for the boards of this kind, with names that mean one model or judge; those of
        conversations by turn (`judgebench.metrics.measures.by_turn`).
    labels
        The declared ones, the positive one last.
    balance
        How categories make up the whole, where they count equally; not used within a group, nor of
        labels and comparisons.
    group_of, group
        The group of each question, and the one to look at alone; all if not given. Of a group
        without the first, the columns are those of the group.
    part
        The column of a part of scores that is compared in their place, which need not apply to
        every answer.
    weighted
        How much clear wins count more, where they do.
    """
    its = rows_of(board(columns, kind), judge, {candidate, baseline})
    if group is not None and group_of is not None:
        of, asked = group_of, asked_of(its)
        its = select_rows(
            its, np.flatnonzero(marked(asked, lambda item: group in tags(of.get(item))))
        )
    balance = balance if group is None else None
    judged = JudgeMeans(its, kind, judge, labels, balance, group, part=part, weighted=weighted)
    return judged.pair(candidate, baseline)


def every_pair(
    columns: Columns,
    kind: BoardKind,
    judge: str,
    *,
    labels: Sequence[str],
    balance: Balance | None = None,
    weighted: Weighted | None = None,
    two: Sequence[tuple[str, str]] | None = None,
    most: int | None = None,
) -> Iterator[PairedModels]:
    """All pairs of models on which one judge has verdicts; of more than ``most`` an even choice.

    Parameters
    ----------
    columns, labels, balance, weighted
        As in `paired_models`.
    two
        The pairs that are wanted; nobody else's verdicts are looked at.
    """
    models = None if two is None else {*chain(*two)}
    its = rows_of(board(columns, kind), judge, models)
    judged = JudgeMeans(its, kind, judge, labels, balance, weighted=weighted)
    pairs = [*combinations(judged.table.models, 2)] if two is None else two
    n = len(pairs) if most is None else min(most, len(pairs))
    for at in np.linspace(0, len(pairs), n, endpoint=False).astype(int):
        yield judged.pair(*pairs[at])


def asked_of(columns: Columns) -> Column:
    """What was asked, of each row: of turns the whole conversation."""
    return columns["question"] if "question" in columns else columns["item_id"]


def rows_of(
    columns: Columns, judge: str, models: Collection[str] | None = None
) -> dict[str, Column]:
    """The rows of a judge, on some models alone where they are said."""
    wanted = marked(columns["judge"], lambda one: one == judge)
    if models is not None:
        wanted &= marked(columns["model"], lambda model: model in models)
    return select_rows(columns, np.flatnonzero(wanted))


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
    d, both = seen(pair, "observed")
    kept = pair.mean[both]
    of_units, items, spread = over_units(pair, d[both], both)
    level = float(kept.mean()) if len(kept) else math.nan
    return Spread(
        spread=spread_over_units(of_units, items) if spread is None else spread,
        units=len(of_units),
        level=level,
        right=level
        if spread is None and len(kept) and won_or_lost(of_units, items, pair.width)
        else None,
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
    part, weighted
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
        weighted: Weighted | None = None,
    ) -> None:
        own_scale = kind.metric.scale is None
        balance = balance if own_scale else None
        self.judge, self.kind, self.balance, self.weighted = judge, kind, balance, weighted
        self.table = read_table(columns, kind=kind.kind, labels=labels)
        its = columns if rows is None else select_rows(columns, rows)
        self.ends, self.why_not = ends_of(its, kind)
        metric = kind.metric.name
        self.scales = scales_of(its, range(len(its["kind"]))) if self.why_not else ()
        self.metric = WEIGHTED if weighted else metric if group is None else f"{metric}/{group}"
        rows = np.arange(len(columns["kind"])) if rows is None else rows
        self.means = item_means(self.table, rows, self.table.values, ends=self.ends)
        self.lacking = missing_counts(self.table, self.means, rows)
        self.question: tuple[str, ...] = ()
        if "question" in columns:
            of = dict([*counted(columns["item_id"], columns["question"])])
            self.question = tuple(of[item] for item in self.table.items)
        asked = self.question or self.table.items
        self.weight, self.stratum = item_weights(asked, balance)
        self.cells: Mapping[str, tuple[Floats, Floats]] = {}
        if weighted:
            self.cells = weighted_cells(self.table, rows, weighted.clear)
        sides = () if balance is None else balance.sides
        named = {part: part} if part else {side: f"{DIMENSION}{side}" for side in sides}
        may_lack = balance is not None and balance.not_applicable is not None  # as boards do
        silent = np.full(len(self.table.values), np.nan)
        told = {
            side: np.asarray(columns.get(name, silent))
            for side, name in named.items()
            if own_scale and (may_lack or name in columns)
        }
        stated = part or not np.isnan([of[rows] for of in told.values()]).all()
        self.parts: Mapping[str, ItemMeans] = {
            side: item_means(self.table, rows, of, ends=NO_ENDS)
            for side, of in (told.items() if len(told) == len(named) and stated else ())
        }

    def pair(self, candidate: str, baseline: str) -> PairedModels:
        """Two of the models; `PairedModels.why_not` names who has no verdict."""
        two, why_not = (candidate, baseline), self.why_not
        if who := dict.fromkeys(model for model in two if model not in self.table.models):
            why_not = f"{self.judge} has no verdict on {' or '.join(who)}"
        means = self.of(self.means, two)
        found = PairedModels(
            judge=self.judge,
            metric=self.metric,
            unit=self.kind.metric.times,
            width=self.ends[1] - self.ends[0],
            items=self.table.items,
            unit_of=self.table.unit_of,
            weight=self.weight,
            stratum=self.stratum,
            mean=means.mean,
            worst=means.worst,
            best=means.best,
            missing=(means.expected - means.readable).sum(axis=0).astype(np.int64),
            expected=means.expected.sum(axis=0).astype(np.int64),
            why_not=why_not,
            why_missing=(self.why_missing(candidate), self.why_missing(baseline)),
            categories=() if self.balance is None else tuple(_categories(self.balance)),
            question=self.question,
        )
        if why_not is not None:
            return found
        if self.weighted is not None:
            return self._by_weights(found, two, self.weighted)
        return self._by_parts(found, two) if self.parts else found

    def _by_weights(self, pair: PairedModels, two: tuple[str, str], how: Weighted) -> PairedModels:
        """The pair by weighted means, in which a missing verdict is at worst a clear loss.

        What stands for an item is what it adds to such a mean (`pseudo_values`).
        """
        places = [self.table.models.index(one) for one in two]
        if not self.cells or not self.cells[how.rule][0][:, places].any(axis=0).all():
            read = np.isin(np.arange(len(self.table.models)), places)
            return _undefined(pair, why_no_weights(self.cells, how.rule, read))
        (weight, won), (every, won_of_every) = (
            [of[:, places] for of in self.cells[rule]] for rule in (how.rule, EACH_GAME)
        )
        found = by_weights(pair, won, weight)
        if found.why_not is not None:
            return found
        means = self.of(self.means, two)
        lack = how.clear * (means.expected - means.readable)
        used = np.where(weight > 0.0, means.readable, 0.0)
        everything = np.ones(len(weight), dtype=np.bool_)
        return replace(
            found,
            worst=weighted_values(won_of_every, every + lack, everything),
            best=weighted_values(won_of_every + lack, every + lack, everything),
            missing=(means.expected - used).sum(axis=0).astype(np.int64),
        )

    def why_missing(self, model: str) -> str:
        """Why verdicts on a model are missing, in words; empty where none is."""
        said = [why_missing(self.lacking[model])] if model in self.lacking else []
        if self.cells and self.weighted and model in self.table.models:
            place = self.table.models.index(model)
            every, counting = (
                self.cells[rule][0][:, place] > 0.0 for rule in (EACH_GAME, self.weighted.rule)
            )
            if idle := self.means.readable[every & ~counting, place].sum():
                said.append(f"{idle} whose other order was not read")
        return ", ".join(filter(None, said))

    def _by_parts(self, pair: PairedModels, two: tuple[str, str]) -> PairedModels:
        """The pair by its parts, each a mean over the items to which it applies.

        What stands for an item is what it adds to their mean (`pseudo_values`).
        """
        parts = {side: self.of(means, two) for side, means in self.parts.items()}
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
        silent = np.where(known, self.of(self.means, two).readable - of.readable, 0.0)
        its = np.flatnonzero(~(np.isnan(of.mean) & known).all(axis=1))
        return replace(
            pair,
            items=tuple(pair.items[item] for item in its),
            question=tuple(pair.question[item] for item in its if pair.question),
            unit_of=pair.unit_of[its],
            weight=pair.weight[its],
            stratum=pair.stratum[its],
            mean=mean[its],
            worst=None if worst is None else worst[its],
            best=None if best is None else best[its],
            expected=pair.expected - silent.sum(axis=0).astype(np.int64),
        )

    def of(self, means: ItemMeans, two: tuple[str, str]) -> ItemMeans:
        """The means of two models, shape (items, 2); one without a row has no readable verdict."""
        models = self.table.models
        absent = np.array([model not in models for model in two])
        places = [0 if model not in models else models.index(model) for model in two]
        found = means.taken(lambda of: of[:, places] if models else np.zeros((0, 2)))
        mean, readable = np.where(absent, np.nan, found.mean), np.where(absent, 0, found.readable)
        return replace(found, mean=mean, readable=readable) if absent.any() else found

    def over_draws(
        self, wanted: Intervals, two: tuple[str, str] | None = None
    ) -> tuple[Measure, Estimated]:
        """What models are ranked by, and its estimates over draws of units that all share.

        Of two models on the items of which both have a readable verdict, if two are given.
        """
        means, parts = self.means, self.parts
        nothing = np.zeros(self.table.shape), np.zeros(self.table.shape)
        cells = self.cells or dict.fromkeys((EACH_GAME, BOTH_GAMES), nothing)
        if two is not None:
            pair = self.pair(*two)
            there = ~np.isnan(pair.mean).any(axis=1, keepdims=True)

            def of_both(means: ItemMeans) -> ItemMeans:
                its = self.of(means, two)
                mean, readable = np.where(there, its.mean, np.nan), np.where(there, its.readable, 0)
                return replace(its, mean=mean, readable=readable)

            means, parts = of_both(means), {side: of_both(of) for side, of in parts.items()}
            places = [self.table.models.index(one) for one in two if self.weighted]
            cells = {
                rule: (
                    np.where(there, weight[:, places], 0.0),
                    np.where(there, won[:, places], 0.0),
                )
                for rule, (weight, won) in cells.items()
            }
        if self.weighted is not None:
            measure = weighted_measures(cells, self.weighted, means)[WEIGHTED]
        elif self.balance is not None and parts:
            measure = mean_of_parts({"": means, **parts}, self.table.items, self.balance)[""]
        elif self.balance is not None:
            measure = balanced(means, self.table.items, self.balance, list(self.balance.sides))
        else:
            plain = self.kind.metric
            share = plain.scale is not None
            measure = mean_of(means, unit=plain.times, proportion=share, least=LEAST)
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
            rows = select_rows(said, np.flatnonzero(wanted))
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
    pair: PairedModels,
    *,
    alpha: float,
    seed: int = 0,
    finest: float | None = None,
    ends: bool = True,
) -> PairedTests:
    """Test whether the candidate is worse, as observed and at the ends of what is missing.

    Parameters
    ----------
    alpha, finest
        As for `paired_test`.
    ends
        Whether the ends are tested as well; else they have a difference alone.
    """
    asked = dict.fromkeys(pair.questions)
    drawn = content_seed(*asked, pair.judge, pair.metric, seed=seed)

    def tested(view: View) -> PairedTest:
        d, kept = seen(pair, view)
        if view != "observed" and not ends:
            apart = float(normalised(pair, kept) @ d[kept])
            return untested(apart, units=0, alpha=alpha, method="not tested")
        of_units, items, spread = over_units(pair, d[kept], kept)
        reach = None
        if spread is not None and math.isfinite(pair.width):
            reach = pair.width * len(of_units) * _heaviest(pair, kept)
        return paired_test(
            of_units, items, alpha=alpha, width=pair.width, seed=drawn, spread=spread,
            reach=reach, finest=finest,
        )  # fmt: skip

    both = readable_on_both(pair)
    bounded = pair.worst is not None and not _categories_without(pair, pair.stratum >= 0)
    weight, own = normalised(pair, both), pair.mean[both]
    candidate, baseline = (float((weight * one).sum()) if len(own) else math.nan for one in own.T)
    return in_views(pair, tested("observed"), (candidate, baseline), tested if bounded else None)


def in_views(
    pair: PairedModels,
    observed: PairedTest,
    figures: tuple[float, float],
    tested: Callable[[View], PairedTest | None] | None,
    why_unbounded: str = UNBOUNDED,
) -> PairedTests:
    """The test as observed, and those at both ends of what is missing, where anything is.

    Parameters
    ----------
    figures
        Those of candidate and baseline as observed.
    tested
        At one of the ends; None, or None at one of them, where nothing bounds what is missing.
    why_unbounded
        What is said there.
    """
    lacks = bool(pair.missing.any())
    worst, best = (tested(end) if lacks and tested else None for end in VIEWS[1:])
    known = worst is not None and best is not None
    return PairedTests(
        observed=observed,
        worst=worst if known else None,
        best=best if known else None,
        bounded=known or not lacks,
        candidate=figures[CANDIDATE],
        baseline=figures[BASELINE],
        why_unbounded=why_unbounded,
    )


def seen(pair: PairedModels, view: View) -> tuple[Floats, Bools]:
    """Candidate minus baseline in each row, and the rows that count."""
    observed = pair.mean, pair.mean
    if view == "observed" or pair.worst is None or pair.best is None:
        mine, theirs = observed
        kept = readable_on_both(pair)
    else:
        mine, theirs = (pair.worst, pair.best) if view == "worst" else (pair.best, pair.worst)
        kept = pair.stratum >= 0
    return mine[:, CANDIDATE] - theirs[:, BASELINE], kept


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
    n, weight = len(d), normalised(pair, kept)
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
    return float(np.bincount(unit_of, normalised(pair, kept)).max())


def normalised(pair: PairedModels, kept: NDArray[np.bool_]) -> Floats:
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


def ends_of(its: Columns, kind: BoardKind) -> tuple[tuple[float, float], str | None]:
    """The lowest and the highest value of verdicts, and why no mean of them means anything."""
    if kind.metric.scale is not None:
        return (0.0, 1.0), None
    scales = scales_of(its, range(len(its["kind"])))
    why = None if len(scales) < 2 else "the judge's scores are on several scales"
    return scales[0] if len(scales) == 1 else NO_ENDS, why


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


def detectable_difference(pair: PairedModels, compared: PairedTests, *, alpha: float) -> float:
    """The smallest drop that these items find with a power of 80 %, in the metric's units.

    Parameters
    ----------
    alpha
        One-sided, of the hardest case among all tests that are made together.
    """
    observed, both = compared.observed, compared.candidate + compared.baseline
    turned = 0.0 if pair.higher_is_better else 1.0  # what is lacking there is right
    right = turned + both / 2.0 if observed.binary else None
    return _detectable(observed.spread, observed.units, alpha=alpha, right=right) * pair.unit


_detectable = lru_cache(maxsize=1024)(detectable)  # a policy may ask the same of many drops


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
    weighted: Weighted | None = None,
    units: Mapping[str, str | None] | None = None,
    intervals: Intervals | None = None,
) -> PairedDifference:
    """Compare verdicts of one judge on one model with others of that judge, or on another model.

    Parameters
    ----------
    first, second
        ``item_id``, ``kind``, ``value``, ``label``, ``low``, ``high``, ``sample``, of equal length,
        and where they are known ``turn``, ``order`` and ``repeat``; those of conversations by turn.
        Who judged and who answered is not looked at.
    items
        The questions that both should have; others are left out. An item that one side says nothing
        readable of counts for neither, and one of which neither has a row is missing on neither.
    judge
        What it is called: signs are drawn by its name, as where the two are compared.
    labels, balance, weighted
        As in `paired_models`.
    units
        Items that have theirs in common are one question, and drawn together.

    Returns
    -------
    PairedDifference
        The first and the second over shared draws of the items. The difference is that of
        `compare`, with both bounds of the test that decides, each at half of what the level leaves,
        and where verdicts are missing and there are ends the bounds with these at their least and
        at their most favourable to the second. Undefined where either metric is.
    """
    wanted = intervals or Intervals()
    its = _both_sides(first, second, items, units or {})
    judged = JudgeMeans(its, kind, judge, labels, balance, weighted=weighted)
    _, found_each = judged.over_draws(wanted, (FIRST, SECOND))
    one, other = found_each.estimates
    pair, alpha = judged.pair(SECOND, FIRST), (1.0 - wanted.level) / 2.0
    tests = compare(pair, alpha=alpha, seed=wanted.seed, ends=False)
    found = difference(pair, tests, tests.observed.bounds(alpha), level=wanted.level)
    if math.isnan(one.value - other.value):
        why = other.undefined or one.undefined
        found = found.lost(why)
    return PairedDifference(first=one, second=other, difference=found)


def _both_sides(
    first: Columns, second: Columns, items: Collection[str], units: Mapping[str, str | None]
) -> Columns:
    """The rows about these items, each of the side that it is from."""
    found: list[dict[str, Column]] = []
    for name, columns in ((FIRST, first), (SECOND, second)):
        rows = np.flatnonzero(marked(asked_of(columns), lambda item: item in items))
        its = select_rows({**columns, "model": same(name, len(columns["item_id"]))}, rows)
        parts = [one for one in {*first, *second} - {*its} if one.startswith(DIMENSION)]
        found.append(its | {one: np.full(len(rows), np.nan) for one in parts})
    both = together(*found)
    unit = both["unit"] if "unit" in both else coded_column(both["item_id"]).mapped(units.get)
    return {**both, "judge": same("", len(both["item_id"])), "unit": unit}
