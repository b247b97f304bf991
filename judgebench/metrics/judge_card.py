"""What stored verdicts say of one judge: beside people and other judges, model by model, by order.

All intervals of a judge are from one set of draws of items. A measure that is of each model has a
value for every one of them, and above them stands the worst.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import marked, numbers
from judgebench.metrics.agreement import OTHERS
from judgebench.metrics.comparison import Comparison, Measures, pair
from judgebench.metrics.intervals import FEW_ITEMS, Floats, Intervals, wilson
from judgebench.metrics.judge_differences import KAPPA, NearConstantRule, flagged
from judgebench.metrics.judged_values import NO_VERDICT, Codes, JudgedValues, in_words, width_of
from judgebench.metrics.outcome_agreement import win_rates
from judgebench.metrics.verdict_table import FAILED, Columns, Ints, coded
from judgebench.records import HUMAN, REFUSED, Estimate, is_human
from judgebench.stats import rank_correlation
from judgebench.stats.agreement import (
    Weighting,
    coefficient,
    cohen_kappa_of,
    coincidences,
    gwet_ac2,
    krippendorff_alpha_of,
    why_undefined,
)
from judgebench.stats.calibration_error import bin_contributions, corrected_error, unit_sums
from judgebench.stats.confidence import auroc, auroc_interval, why_no_auroc
from judgebench.stats.evaluators import MARGIN_CHARS
from judgebench.stats.median_polish import outlying
from judgebench.stats.pair_outcomes import LOSS, TIE, WIN
from judgebench.stats.resample import quotient

MOST_DRAWS = 2**23
"""Weights that are drawn at most; of more units there are fewer replicates."""

FEWEST_DRAWS = 400
MOST_POINTS = 21
"""Points of a scale that are told apart; a finer one counts in so many equal steps."""

FEWEST_RANKED = 10
"""Labels of people on a model from which on it has a place in their order."""

FEWEST = 20
"""Verdicts on a model from which on it is looked at by itself."""

MOST_CELLS, MOST_LOW = 2**18, 8
"""Units times models up to which kappa on every model has an interval; of more, the lowest."""

LEANINGS = ("longer", "own_family", "score_delta")
"""Differences, which are no shares even where none is negative."""

NOBODY = "nobody else has judged the same answers"
TOO_FEW = "no interval: few items"
NO_PEOPLE = "no person has judged the same answers"
NO_ORDER = "the labels are in no order"
_PLACEHOLDER = re.compile(
    r"\s*(?:[$*\[<#]+\s*[A-Z_ ]*ERROR\b[A-Z_ ]*[$*\]>#!]*\s*$|\*\*NETWORK ERROR)"
)
"""What programs write where a call has failed: no answer of a model."""
AC2 = "gwet_ac2"
COEFFICIENTS = ("agreement", KAPPA, "scott_pi", "gwet_ac1", "krippendorff_alpha")
OF_TWO = ("mcc", "p_c", "p_plus")
RANKS = {"kendall": rank_correlation.kendall_tau_b, "spearman": rank_correlation.spearman}

Bools: TypeAlias = NDArray[np.bool_]
Part: TypeAlias = tuple[Any, Any, Ints]
"""What each row adds above and below the line of a ratio, and what it is drawn with."""

Groups: TypeAlias = tuple[Sequence[str], Ints, Ints]
"""Models, and of each row its model and what it is drawn with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measure of a judge.

    against
        Whom it was held against; None where against nobody.
    models
        By model, where it is of each; without intervals where none is needed.
    """

    estimate: Estimate
    against: str | None = None
    models: Mapping[str, Estimate] = field(default_factory=dict)


def plain(
    value: float, n: int, *, units: int | None = None, method: str = "", why: str | None = None
) -> Estimate:
    """A number without an interval; undefined where it is nan."""
    undefined = why if math.isnan(value) else None
    return Estimate(
        value=value, n=n, units=n if units is None else units,
        method=method, undefined=undefined,
    )  # fmt: skip


def undefined(why: str) -> Measured:
    """A measure that has no value here."""
    return Measured(estimate=plain(math.nan, 0, why=why))


class JudgeMeasures:
    """One judge's verdicts of one kind beside everybody else's.

    Parameters
    ----------
    values
        Everybody's. Scores are taken as points of their declared scale, and weighted by the square
        of their distance; judges who score on another scale than this one are left out.
    judge
        One of them.
    reference
        Whom it is held against, as of `JudgedValues.of`; people together where None.
    """

    def __init__(
        self,
        values: JudgedValues,
        judge: str,
        *,
        reference: str | None = None,
        intervals: Intervals | None = None,
    ) -> None:
        values, wanted = _on_its_scale(values, judge, reference), intervals or Intervals()
        self.wanted = wanted.affordable(len(values.units), MOST_DRAWS, fewest=FEWEST_DRAWS)
        self.resamples = self.wanted.resamples(values.units)
        self.judge, self.given = judge, values
        self.at = values.judges.index(judge)
        self.low, self.width = 0.0, float(max(1, len(values.labels) - 1))
        self.no_scale: str | None = None
        self.kind, self.labels = values.kind, values.labels or self._points(values)
        self.values = replace(values, labels=self.labels)
        if values.scores is not None and not self.no_scale:
            self.values = values.on_labels(self.labels, self._on_grid(values.values))
        self.weighting: Weighting = "quadratic" if values.kind == "score" else "nominal"
        self.unit_of, self.models = values.unit_of[values.item_of], values.names
        people = [one for one in values.judges if is_human(one) and one != judge]
        machines = tuple(one for one in values.judges if one != judge and not is_human(one))
        self.people: Floats | None = None
        self.name = reference or HUMAN
        if reference is not None or people:
            self.people = self._on_grid(values.of(self.name, beside=judge).values)
        self.others = self._on_grid(values.said(OTHERS, machines).values) if machines else None
        self.mine: Floats = self._on_grid(values.values[self.at])

    def _points(self, values: JudgedValues) -> tuple[str, ...]:
        """Of scores, what is told apart of the one scale of those who are compared."""
        scales = sorted({its for one in values.judges for its in values.scales[one]})
        self.width = width_of(scales)
        if math.isnan(self.width):
            said = in_words(scales) or "none"
            self.no_scale = f"scores have no one scale with two ends here ({said})"
            self.low, self.width = 0.0, 1.0
            return "0", "1"
        self.low = scales[0][0]
        whole = self.low.is_integer() and self.width.is_integer() and self.width < MOST_POINTS
        n = int(self.width) + 1 if whole else MOST_POINTS
        return tuple(f"{self.low + self.width * k / (n - 1):g}" for k in range(n))

    def _on_grid(self, said: Floats) -> Floats:
        """Values as codes of the labels; scores at the nearest point."""
        if self.kind != "score" or self.no_scale:
            return said
        return np.floor((said - self.low) / self.width * (len(self.labels) - 1) + 0.5)

    @property
    def codes(self) -> Codes:
        return np.asarray(self.values.codes[self.at])

    @property
    def reference(self) -> tuple[str, Floats] | None:
        """People, or else what most other judges say; None where there is nobody."""
        if self.people is not None:
            return self.name, self.people
        return None if self.others is None else (OTHERS, self.others)

    def merit(self, said: Floats) -> Floats | None:
        """Codes as shares of the way from the worst to the best; None of labels in no order."""
        top = len(self.values.labels) - 1
        return None if self.values.kind == "label" and top > 1 else said / top

    # beside others ------------------------------------------------------------------------------

    def agreement(self) -> dict[str, Measured]:
        """With people: coefficients, leniency; kappa with the other judges, alpha of all."""
        names = [*COEFFICIENTS, *(OF_TWO if len(self.values.labels) == 2 else ())]
        if self.weighting == "quadratic":
            names = ["agreement", KAPPA, AC2]
        found = dict.fromkeys((*names, "score_delta"), undefined(self.no_scale or NO_PEOPLE))
        if self.people is not None and not self.no_scale:
            found |= self._compared(self.name, self.people, names)
            change = (self.mine - self.people) / (len(self.values.labels) - 1)
            parts = {"score_delta": [self._mean(change, ~np.isnan(change))]}
            ordered = self.merit(self.mine) is not None
            found |= (
                self.shares(parts, NO_PEOPLE, self.name)
                if ordered
                else dict.fromkeys(parts, undefined(NO_ORDER))
            )
        found["judges_kappa"] = undefined(self.no_scale or NOBODY)
        if self.others is not None and not self.no_scale:
            found["judges_kappa"] = self._compared(OTHERS, self.others, [KAPPA])[KAPPA]
        return found | {"judges_alpha": self._alpha()}

    def _compared(
        self, name: str, truth: Floats, names: Sequence[str], mine: Codes | None = None
    ) -> dict[str, Measured]:
        measures = Measures(
            coefficients=names, of=partial(_coefficient, weighting=self.weighting), scores=None,
            why=lambda one, table: why_undefined("agreement" if one == AC2 else one, table),
        )  # fmt: skip
        codes = self.codes if mine is None else mine
        tables = pair(self.values, codes, _codes(truth), together=True)
        compared = Comparison(self.judge, name, tables, self.resamples, self.wanted, measures)
        found = compared.pooled().metrics
        return {one: Measured(estimate=found[one], against=name) for one in names}

    def _alpha(self) -> Measured:
        if len(self.values.judges) < 2 or self.no_scale:
            return undefined(self.no_scale or NOBODY)
        n, k = len(self.values.units), len(self.values.labels)
        table = coincidences(self.values.codes, self.unit_of, n_units=n, n_labels=k)
        (sums,) = self.resamples.sums([table])
        alpha = krippendorff_alpha_of(sums, weighting=self.weighting)
        rated = (self.values.codes >= 0).sum(axis=0)
        said = int((rated > 1).sum())
        why = "all labels are one and the same" if said else "no answer has been judged by two"
        return Measured(
            estimate=self._estimate(alpha, said, int((table.sum(axis=(1, 2)) > 0).sum()), why),
            against=f"all {len(self.values.judges)} judges and people",
        )

    def ranking(self) -> dict[str, Measured]:
        """Whether models stand in the same order as before the reference."""
        if self.people is None or self.no_scale:
            return dict.fromkeys(RANKS, undefined(self.no_scale or NO_PEOPLE))
        if self.merit(self.mine) is None:
            return dict.fromkeys(RANKS, undefined("nothing says which model is better"))
        scores = [self._model_scores(said) for said in (self.mine, self.people)]
        there = ~np.isnan(scores[0] + scores[1])
        if self.values.kind != "preference":
            of_people = self.values.model_of[~np.isnan(self.people)]
            there &= np.bincount(of_people, minlength=len(there)) >= FEWEST_RANKED
        mine, theirs = (one[there] for one in scores)
        why = rank_correlation.why_undefined(mine, theirs)
        method = f"over {there.sum()} models; {rank_correlation.NO_INTERVAL_OF_ITEMS}"
        return {
            name: Measured(
                estimate=plain(float(of(mine, theirs)), int(there.sum()), why=why, method=method),
                against=self.name,
            )
            for name, of in RANKS.items()
        }

    def _model_scores(self, said: Floats) -> Floats:
        """By model its mean, or its win rate over all that it was compared with."""
        n_models, k = len(self.values.models), len(self.values.labels)
        there = ~np.isnan(said)
        cell = self.values.model_of[there] * k + said[there].astype(np.int64)
        counts = np.bincount(cell, minlength=n_models * k).reshape(n_models, k).astype(float)
        if self.values.kind == "preference":
            return win_rates(counts, np.ones(n_models, dtype=np.bool_), models=self.values.models)
        return np.round(quotient(counts @ np.arange(k), counts.sum(axis=1)), 12)

    # model by model -----------------------------------------------------------------------------

    def by_model(self) -> dict[str, Measured]:
        """Kappa on each, cells that stand out, verdicts that are nearly all the same, gaps."""
        held, found = self.reference, {"missing": self._missing()}
        of = {
            "model_kappa": self._model_kappa, "block_outlier": self._outliers,
            "near_constant": self._near_constant,
        }  # fmt: skip
        if held is None or self.no_scale:
            return found | dict.fromkeys(of, undefined(self.no_scale or NOBODY))
        return found | {name: its(*held) for name, its in of.items()}

    def _model_kappa(self, name: str, truth: Floats) -> Measured:
        whole = replace(
            self.values, units=("all",), unit_of=np.zeros(len(self.values.items), dtype=np.int64)
        )
        tables = pair(whole, self.codes, _codes(truth))
        kappas = cohen_kappa_of(tables.tables[0], weighting=self.weighting)
        places = np.unique(self.values.model_of[~np.isnan(truth)]).tolist()
        few = len(self.values.units) * len(tables.models) <= MOST_CELLS
        most = len(kappas) if few else MOST_LOW
        found: dict[str, Estimate] = {}
        for rank, at in enumerate(np.argsort(kappas, kind="stable").tolist()):
            place, kappa, n = places[at], float(kappas[at]), int(tables.pairs[at])
            if n < FEWEST or math.isnan(kappa):
                continue
            found[self.models[place]] = plain(kappa, n)
            if rank < most:
                of_it = np.where(self.values.model_of == place, truth, np.nan)
                found[self.models[place]] = self._compared(name, of_it, [KAPPA])[KAPPA].estimate
        return worst(found, min, name, f"no model has {FEWEST} verdicts of both that differ")

    def _outliers(self, name: str, truth: Floats) -> Measured:
        judges = [j for j, one in enumerate(self.values.judges) if not is_human(one)]
        if self.at not in judges:
            return undefined("people are not looked at")
        said, codes = self.values.codes[judges], _codes(truth)
        both = (said >= 0) & (codes >= 0)
        same, n = (
            np.array([np.bincount(self.values.model_of, one, len(self.models)) for one in rows])
            for rows in (both & (said == codes), both)
        )
        z = outlying(quotient(same, n), n, fewest=FEWEST)[judges.index(self.at)]
        its = n[judges.index(self.at)]
        found = {
            model: plain(float(one), int(count), method=f"z {one:.1f}")
            for model, one, count in zip(self.models, z, its, strict=True) if not math.isnan(one)
        }  # fmt: skip
        few = f"it takes three judges and three models with {FEWEST} verdicts each"
        return worst(found, min, name, few)

    def _near_constant(self, name: str, truth: Floats) -> Measured:
        flags = flagged(
            self.judge, name, self.codes, _codes(truth), self.values.model_of,
            [(model, None) for model in self.models], self.values.labels, NearConstantRule(),
        )  # fmt: skip
        found = {
            one.model or "all answers": plain(
                one.share,
                one.n,
                method=f"{one.says!r} on {100 * one.share:.4g} % of {one.n:,} "
                f"({name}: {100 * one.reference_share:.4g} %)",
            )
            for one in flags
        }  # fmt: skip
        n = len(np.unique(self.values.model_of[self.codes >= 0]))
        of_models = len(found) - ("all answers" in found) or len(found)
        estimate = plain(float(of_models), n, method="models on which it is so")
        return Measured(estimate=estimate, against=name, models=found)

    def _missing(self) -> Measured:
        asked = self.values.asked[self.at]
        met = np.isin(self.values.model_of, np.unique(self.values.model_of[asked]))
        return self.of_models(~asked, met, "missing", "nothing was asked")

    def of_models(
        self, wanted: Bools, there: Bools, name: str, why: str, of: Groups | None = None
    ) -> Measured:
        """A share over all answers, or other rows, that are there, and that of each model."""
        models, model_of, unit_of = of or (self.models, self.values.model_of, self.unit_of)
        part = wanted[there].astype(float), np.ones(int(there.sum())), unit_of[there]
        top, n = (np.bincount(model_of[there], some, minlength=len(models)) for some in part[:2])
        return replace(
            self.shares({name: [part]}, why)[name],
            models={
                model: plain(some / count, int(count), method=f"{some:,.0f} of {count:,.0f}")
                for model, some, count in zip(models, top.tolist(), n.tolist(), strict=True)
                if count
            },
        )

    def impossible(self, implied: Sequence[tuple[str, str]]) -> Measured:
        """How often of two judges the first accepts what the second, which must, does not."""
        for first, second in implied:
            if self.judge in (first, second):
                a, b = (self.given.of(one).values for one in (first, second))
                both = ~np.isnan(a + b) & (a == 1.0)
                found = self.of_models(b != 1.0, both, "impossible", "nothing is accepted")
                return replace(found, against=second if self.judge == first else first)
        return undefined("no other judge here must accept what it accepts, or the reverse")

    # biases -------------------------------------------------------------------------------------

    def biases(self, answers: Columns, own: Callable[[str], bool] | None) -> dict[str, Measured]:
        """What it favours beside merit: length, its own family; and what it does with a scale.

        Parameters
        ----------
        own
            Whether a model is of the judge's family; None where that is not known.
        """
        merit, held = self.merit(self.mine), self.reference
        beside = None if held is None else self.merit(held[1])
        lacking = self.no_scale
        if merit is None:
            lacking = "nothing says which label is better"
        elif beside is None and self.values.kind != "preference":
            lacking = lacking or NOBODY
        found = self._scale_use()
        if merit is None or lacking:
            return found | dict.fromkeys(LEANINGS[:2], undefined(str(lacking)))
        ours = [[bool(own and own(str(who))) for who in two] for two in self.values.models]
        marks = np.array(ours, dtype=float)
        pairs = self.values.kind == "preference"
        mine = marks[:, 0] - marks[:, 1] if pairs else 2.0 * marks[:, 0] - 1.0
        no_family = "no model of its family, and one of another, was judged here"
        sides = {
            "longer": (
                self._longer(answers),
                f"no two answers here differ by {MARGIN_CHARS} characters or more",
            ),
            "own_family": (
                mine[self.values.model_of],
                no_family if own else "the judge's family is not known",
            ),
        }
        for name, (side, why) in sides.items():
            error = merit if beside is None else merit - beside
            parts = self._leaning(error, side, compares=beside is None)
            found |= self.shares({name: parts}, why, held and held[0])
        return found

    def _longer(self, answers: Columns) -> Floats:
        """1 where the answer is the longer one, -1 where the shorter, 0 where not known."""
        keys, places = self._keys(answers)
        order = np.argsort(keys, kind="stable")
        known = np.stack([keys[order], np.asarray(answers["length"], float)[order]], axis=1)
        known = known[known[:, 0] >= 0]
        if not len(known):
            return np.zeros(len(self.mine))
        first, second = (_found(known, place) for place in places)
        if self.values.kind != "preference":  # among the answers to one item
            there, n = ~np.isnan(first), len(self.values.items)
            of = self.values.item_of[there]
            total = np.bincount(of, first[there], minlength=n)
            mean: Floats = total / np.maximum(np.bincount(of, minlength=n), 1)
            second = mean[self.values.item_of]
        apart = np.nan_to_num(first - second)
        return np.sign(np.where(np.abs(apart) > MARGIN_CHARS, apart, 0.0))

    def _keys(self, answers: Columns) -> tuple[Ints, tuple[Ints, Ints]]:
        """A number for the answers of each model to each item, of rows of a table of answers; and
        for those that were judged, of the model and of whom it was compared with."""
        models = self.values.models
        names = dict.fromkeys(str(who) for two in models for who in two)
        place = {name: at for at, name in enumerate(names)}
        key = {item: at for at, item in enumerate(self.values.items)}
        item = numbers(answers["item_id"], lambda one: key.get(one, -1), int)
        model = numbers(answers["model"], lambda one: place.get(one, -1), int)
        keys = np.where((item >= 0) & (model >= 0), item * len(names) + model, -1)
        at = np.array([[place[str(who)] for who in two] for two in models], dtype=np.int64)
        of = at[self.values.model_of] + self.values.item_of[:, np.newaxis] * len(names)
        return keys, (of[:, 0], of[:, 1])

    def placeholders(self, answers: Columns) -> Measured:
        """How many of the answers that it has judged are none, but what stands for one."""
        keys, places = self._keys(answers)
        if not (keys >= 0).any():
            return undefined("the store has no answers of these models")
        none = keys[marked(answers["start"], lambda start: bool(_PLACEHOLDER.match(start)))]
        judged = self.codes >= 0
        return self.of_models(np.isin(places[0], none), judged, "placeholder", "nothing was read")

    def replies(self, rows: Columns) -> dict[str, Measured]:
        """What became of what it was asked: unreadable, refused, called a tie.

        Parameters
        ----------
        rows
            This judge's, of this kind: ``item_id``, ``model``, ``kind``, ``value``, and ``reason``
            where it is known.
        """
        key = {item: at for at, item in enumerate(self.values.items)}
        unit = self.values.unit_of[numbers(rows["item_id"], lambda one: key[one], int)]
        names, model = coded(rows["model"])
        unread = marked(rows["kind"], lambda kind: kind == "unreadable")
        asked = marked(rows["kind"], lambda kind: kind != FAILED)
        read = asked & ~unread
        refused = unread & marked(rows.get("reason", unread), lambda why: why == REFUSED)
        tied = read & (np.asarray(rows["value"], float) == 0.5)
        its = {"unreadable": (unread, asked), "refused": (refused, asked), "ties": (tied, read)}
        return {
            name: self.of_models(part, there, name, "nothing could be read", (names, model, unit))
            for name, (part, there) in its.items()
            if name != "ties" or self.values.kind == "preference"
        }

    def _leaning(self, error: Floats, side: Floats, *, compares: bool) -> list[Part]:
        """The mean error on one side less that on the other; of pairs towards one side."""
        if self.values.kind == "preference":
            towards = np.where(side > 0, error, float(compares) - error) - compares / 2.0
            return [self._mean(towards, (side != 0) & ~np.isnan(error))]
        return [self._mean(error, (side == sign) & ~np.isnan(error)) for sign in (1.0, -1.0)]

    def _scale_use(self) -> dict[str, Measured]:
        names = ("scale_top_share", "scale_entropy")
        if self.values.kind != "score":
            return {}
        if self.no_scale:
            return dict.fromkeys(names, undefined(self.no_scale))
        n = np.bincount(self.codes[self.codes >= 0], minlength=len(self.values.labels))
        share = quotient(n.astype(np.float64), np.full(len(n), float(n.sum())))
        bits = -np.nansum(share * np.log(np.where(share > 0, share, 1.0)))
        numbers_of = float(share.max()), float(bits) / math.log(len(n)) if n.any() else math.nan
        said = f"at {self.values.labels[int(n.argmax())]}"
        return {
            name: Measured(
                estimate=plain(one, int(n.sum()), method=said, why="no score could be read")
            )
            for name, one in zip(names, numbers_of, strict=True)
        }

    # two orders ---------------------------------------------------------------------------------

    def orders(self) -> dict[str, Measured]:
        """Of pairs that were asked in both orders: whether the place decides."""
        names = ("consistency", "first_position", "orders_kappa", "two_order_accuracy")
        found = dict.fromkeys(names, undefined("no pair was shown in both orders"))
        if self.values.by_order is None:
            return {}
        by_order = self.values.by_order[self.at]
        asked = (by_order != NO_VERDICT).all(axis=1)
        if not asked.any():
            return found
        read = (by_order >= 0).all(axis=1)
        one, other = by_order[:, 0], by_order[:, 1]
        first = np.stack([one == WIN, other == LOSS], axis=1)
        decided = (by_order >= 0) & (by_order != TIE) & asked[:, np.newaxis]
        parts = {
            "consistency": [self._mean(one == other, read)],
            "first_position": [
                (
                    (first & decided).sum(axis=1).astype(float),
                    decided.sum(axis=1).astype(float),
                    self.unit_of,
                )
            ],
        }
        if self.people is not None:
            truth = np.nan_to_num(self.people, nan=TIE)
            votes = (by_order == truth[:, np.newaxis]).sum(axis=1) - (
                by_order == WIN + LOSS - truth[:, np.newaxis]
            ).sum(axis=1)
            parts["two_order_accuracy"] = [self._mean(votes > 0, asked & (truth != TIE))]
        else:
            found["two_order_accuracy"] = undefined(NO_PEOPLE)
        found |= self.shares(parts, "no pair could be read in both orders")
        truth = np.where(read, other, np.nan)
        kappa = self._compared("the other order", truth, [KAPPA], np.where(read, one, NO_VERDICT))
        return found | {"orders_kappa": replace(kappa[KAPPA], against=None)}

    # soft verdicts ------------------------------------------------------------------------------

    def calibration(self, p: Floats | None) -> dict[str, Measured]:
        """Whether its probabilities are as often right as they say, by what people say.

        Parameters
        ----------
        p : float array, shape (answers,), optional
            Its probability of the positive label, or that the model wins.
        """
        names = ("ece", "brier", "auroc")
        top = len(self.values.labels) - 1
        soft = p is not None and bool(((p > 0.0) & (p < 1.0) & (p != 0.5)).any())
        why = "its verdicts have no probabilities" if not soft else NO_PEOPLE
        if self.values.kind == "label" and top > 1:
            why = "of two labels only"
        nobody = np.full(len(self.mine), np.nan)
        truth = nobody if self.people is None else self.people
        p = p if p is not None and soft and why == NO_PEOPLE else nobody
        rows = np.flatnonzero(~np.isnan(p) & np.isin(truth, (0, top)))
        if not len(rows):
            return dict.fromkeys(names, undefined(why))
        says, right, units = p[rows], truth[rows] / top, self.unit_of[rows]
        _, units = np.unique(units, return_inverse=True)
        sums = unit_sums(bin_contributions(says, right, binning="exact"), units)
        ece = corrected_error([sums], level=self.wanted.level, seed=self.wanted.seed)
        held = self._mean(np.square(p - truth / top), np.isin(np.arange(len(p)), rows))
        area = auroc_interval(says, right, unit_of=units, level=self.wanted.level)
        n = len(rows)
        whole = plain(float(auroc(says, right)), n, why=why_no_auroc(right), method=area.method)
        error = plain(ece.value, n, units=len(sums), method="corrected for the bias of its bins")
        ends: dict[str, tuple[Estimate, Any]] = {"ece": (error, ece), "auroc": (whole, area)}
        return self.shares({"brier": [held]}, NO_PEOPLE, self.name) | {
            name: Measured(estimate=replace(one, low=its.low, high=its.high), against=self.name)
            for name, (one, its) in ends.items()
        }

    # ratios -------------------------------------------------------------------------------------

    def _mean(self, values: Any, there: Bools) -> Part:
        rows = np.flatnonzero(there)
        return np.asarray(values, float)[rows], np.ones(len(rows)), self.unit_of[rows]

    def shares(
        self, parts: Mapping[str, Sequence[Part]], why: str, against: str | None = None
    ) -> dict[str, Measured]:
        """Of each name a ratio of sums, or the first of two ratios less the second."""
        n, flat = len(self.values.units), [one for its in parts.values() for one in its]
        sums = np.zeros((n, len(flat), 2))
        for place, (top, bottom, unit) in enumerate(flat):
            sums[:, place, 0] = np.bincount(unit, top, minlength=n)
            sums[:, place, 1] = np.bincount(unit, bottom, minlength=n)
        (drawn,) = self.resamples.sums([sums])
        ratios = quotient(drawn[..., 0], drawn[..., 1])
        found: dict[str, Measured] = {}
        at = 0
        for name, its in parts.items():
            value = ratios[:, at] - (ratios[:, at + 1] if len(its) > 1 else 0.0)
            counted = sums[:, at : at + len(its), 1].sum(axis=1)
            units, rows = int((counted > 0).sum()), int(counted.sum())
            one = self._estimate(value, rows, units, why)
            alone = len(its) == 1 and units == rows and name not in LEANINGS
            alone = alone and bool(np.isin(its[0][0], (0, 1)).all())
            if alone and (exact := wilson(one.value, rows, level=self.wanted.level)):
                one = replace(one, low=exact[0], high=exact[1], method=exact[2])
            found[name] = Measured(estimate=one, against=against)
            at += len(its)
        return found

    def _estimate(self, drawn: Floats, n: int, units: int, why: str) -> Estimate:
        """Of the value and its replicates."""
        value, low, high, method = float(drawn[0]), math.nan, math.nan, TOO_FEW
        if not math.isnan(value) and units >= FEW_ITEMS:
            low, high, method = self.wanted.ends(drawn[:, np.newaxis], None).at(0)
        one = plain(value, n, units=units, method=method, why=why)
        return replace(one, low=low, high=high, level=self.wanted.level)


def _on_its_scale(values: JudgedValues, judge: str, reference: str | None) -> JudgedValues:
    """What everybody said, of scores without other judges whose scale is not the judge's."""
    own = values.scales.get(judge, ())
    return values.some([
        row for row, one in enumerate(values.judges)
        if values.kind != "score" or one in (judge, reference) or is_human(one)
        or values.scales.get(one, ()) == own
    ])  # fmt: skip


def worst(
    models: Mapping[str, Estimate], of: Callable[..., str], against: str | None, why: str
) -> Measured:
    """The least or greatest of the models' values, or why there is none."""
    if not models:
        return undefined(why)
    name = of(models, key=lambda model: models[model].value)
    one = models[name]
    said = "; ".join(filter(None, (f"on {name}, of {len(models)} models", one.method)))
    return Measured(estimate=replace(one, method=said), against=against, models=models)


def _codes(said: Floats) -> Codes:
    return np.where(np.isnan(said), NO_VERDICT, np.nan_to_num(said)).astype(np.int8)


def _coefficient(name: str, tables: Floats, *, weighting: Weighting) -> Floats:
    if name == KAPPA:
        return cohen_kappa_of(tables, weighting=weighting)
    return gwet_ac2(tables, weighting=weighting) if name == AC2 else coefficient(name, tables)


def _found(known: Floats, keys: Ints) -> Floats:
    """The value beside each key, in rows (key, value) in order of key; nan where there is none."""
    at = np.minimum(np.searchsorted(known[:, 0], keys), len(known) - 1)
    return np.where(known[at, 0] == keys, known[at, 1], np.nan)
