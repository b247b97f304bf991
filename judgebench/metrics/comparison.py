"""One judge against one reference: what each item adds to each model's table, and coefficients."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import grouped
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.intervals import (
    Ends,
    Floats,
    Interval,
    Intervals,
    as_estimate,
    wilson,
)
from judgebench.metrics.judged_values import Codes, JudgedValues
from judgebench.records import Estimate
from judgebench.stats import rank_correlation
from judgebench.stats.agreement import COEFFICIENTS, coefficient, why_undefined
from judgebench.stats.resample import Resamples, leave_one_out_sums, quotient

Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class PairedTables:
    """One judge against a reference, on the models the reference has labelled.

    Every item weighs one in a model's table: where it has several samples, each counts its share.
    Items that are one question add up, and are drawn together.

    tables : shape (units, models, labels, labels)
        Rows are the judge's labels.
    truth : shape (units, models, labels)
        The reference's labels on all it has labelled, whether the judge did or not.
    pairs, missing : shape (models,)
        Answers labelled by both, and by the reference only.
    filled, unfilled : shapes (models, labels, labels) and (models, labels)
        Where each answer that the reference labelled counts its share: the pairs there are, and
        the missing by the reference's label.
    """

    models: tuple[str, ...]
    tables: Floats
    truth: Floats
    pairs: Ints
    missing: Ints
    filled: Floats
    unfilled: Floats

    @cached_property
    def units(self) -> Ints:
        """Units with at least one pair, by model: shape (models,)."""
        return np.asarray((self.tables.sum(axis=(2, 3)) > 0).sum(axis=0))

    @cached_property
    def pooled_units(self) -> int:
        """Units with at least one pair of any model."""
        return int((self.tables.sum(axis=(1, 2, 3)) > 0).sum())


def pair(
    values: JudgedValues, judge: Codes, reference: Codes, *, together: bool = False
) -> PairedTables:
    """Pair a judge's codes with the reference's, answer by answer.

    Parameters
    ----------
    judge, reference : int array, shape (answers,)
    together
        One table for all models, called ``all``, in which each answer counts what it does in its
        own model's.
    """
    k = len(values.labels)
    known = reference >= 0
    models, model = np.unique(values.model_of[known], return_inverse=True)
    item, truth, verdict = values.item_of[known], reference[known], judge[known]
    n_items, n_units, n_models = len(values.items), len(values.units), len(models)
    cell = item * n_models + model
    names = tuple(values.names[m] for m in models)
    n_cells = n_items * n_models
    if together:
        names, n_models, model = ("all",), 1, np.zeros_like(model)
    of_unit = values.unit_of[item] * n_models + model
    both = verdict >= 0

    def spread(where: NDArray[np.bool_], places: Ints, width: int, share: Floats) -> Floats:
        """Add up the answers' shares over (unit, model, place)."""
        flat = of_unit[where] * width + places
        sums = np.bincount(flat, weights=share[where], minlength=n_units * n_models * width)
        return np.asarray(sums.reshape(n_units, n_models, width), dtype=np.float64)

    everywhere = np.ones(len(cell), dtype=np.bool_)
    pairs_share = _shares(cell, both, n_cells)
    truth_share = _shares(cell, everywhere, n_cells)
    labels = verdict[both].astype(np.int64) * k + truth[both]
    shape = (n_units, n_models, k, k)
    return PairedTables(
        models=names,
        tables=spread(both, labels, k * k, pairs_share).reshape(shape),
        truth=spread(everywhere, truth.astype(np.int64), k, truth_share),
        pairs=np.bincount(model[both], minlength=n_models),
        missing=np.bincount(model[~both], minlength=n_models),
        filled=spread(both, labels, k * k, truth_share).reshape(shape).sum(axis=0),
        unfilled=spread(~both, truth[~both].astype(np.int64), k, truth_share).sum(axis=0),
    )


def fillings(unfilled: Floats) -> Floats:
    """What the missing verdicts could add to binary tables, along the edge of the possible.

    Let the judge have said "positive" on a share ``a`` of the missing answers that the reference
    calls negative, and on a share ``b`` of those it calls positive. At a given number of
    positives, every coefficient grows with the agreement, so that its extremes over all fillings
    lie where ``a`` or ``b`` is 0 or 1.

    Parameters
    ----------
    unfilled : float array, shape (..., 2)
        Missing by the reference's label.

    Returns
    -------
    float array, shape (fillings, ..., 2, 2)
    """
    t = np.linspace(0.0, 1.0, 101)
    zero, one = np.zeros_like(t), np.ones_like(t)
    said = np.stack(
        [np.concatenate([t, t, zero, one]), np.concatenate([zero, one, t, t])], axis=-1
    ).reshape(-1, *(1,) * (unfilled.ndim - 1), 2)
    return np.stack([(1.0 - said) * unfilled, said * unfilled], axis=-2)


def _shares(cell: Ints, counted: NDArray[np.bool_], n_cells: int) -> Floats:
    """One over the number of counted answers in each answer's cell."""
    together = np.bincount(cell[counted], minlength=n_cells)[cell]
    return np.asarray(1.0 / np.maximum(together, 1))


Scope: TypeAlias = Literal["pooled", "macro", "model"]

RANKINGS = {"spearman": rank_correlation.spearman, "kendall": rank_correlation.kendall_tau_b}
"""Of the order of models by their scores; they have the scope ``pooled`` only."""

METRICS = (*COEFFICIENTS, *RANKINGS)

PROPORTIONS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "agreement": ((0, 0), (0, 1), (1, 0), (1, 1)),
    "precision": ((1, 0), (1, 1)),
    "recall": ((0, 1), (1, 1)),
    "specificity": ((0, 0), (1, 0)),
}
"""Plain proportions of one model's binary table, and the cells that are their denominator."""


Bools: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRow:
    """One judge against a reference: over all answers, over models, or on one model.

    ``opponent`` is whom the model was compared with, where judges compare; ``version`` that of the
    benchmark and ``kind`` that of the verdicts, where a report says them.
    """

    judge: str
    reference: str
    version: str = ""
    kind: Kind = "label"
    scope: Scope
    model: str | None
    opponent: str | None = None
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What is computed of two raters' tables.

    coefficients
        Names in `COEFFICIENTS`, in order.
    of
        A coefficient, by name, of tables (..., labels, labels).
    scores
        Scores of models from counts of labels (..., models, labels), of those models that are
        marked; None where the labels are no order, and then nothing is ranked.
    counted
        What the rows of a table for models are, in words.
    why
        Why a coefficient, by name, has no value for a table.
    """

    coefficients: Sequence[str]
    of: Callable[[str, Floats], Floats]
    scores: Callable[[Floats, Bools], Floats] | None
    counted: str = "models"
    why: Callable[[str, Floats], str | None] = why_undefined


def label_measures() -> Measures:
    """Every coefficient; models are ranked by their share of the positive label, the last one."""
    return Measures(coefficients=tuple(COEFFICIENTS), of=coefficient, scores=_positive_shares)


class Comparison:
    """One judge against one reference, all coefficients and scopes at once.

    Values stand in arrays of shape (..., metrics, scopes); the scopes are pooled, macro, and then
    the models.
    """

    def __init__(
        self,
        judge: str,
        reference: str,
        paired: PairedTables,
        resamples: Resamples,
        wanted: Intervals,
        measures: Measures | None = None,
    ) -> None:
        self.judge, self.reference, self.paired, self.wanted = judge, reference, paired, wanted
        self.measures = measures or label_measures()
        self.names = (*self.measures.coefficients, *RANKINGS)
        self.present = paired.pairs > 0  # models with no pair are missing, not undefined
        self.sums, self.truth = resamples.sums([paired.tables, paired.truth])
        self.values = self._values(self.sums, self.truth)
        left_out = None
        if wanted.kind == "bca":
            left_out = self._values(
                leave_one_out_sums(paired.tables), leave_one_out_sums(paired.truth)
            )
        self.ends: Ends = wanted.ends(self.values, left_out)
        self.worst = self._worst()

    def rows(self) -> list[AgreementRow]:
        coefficients = self.measures.coefficients
        macro = {name: self._estimate(name, 1) for name in coefficients}
        models = [
            self._row("model", model, {name: self._estimate(name, 2 + m) for name in coefficients})
            for m, model in enumerate(self.paired.models)
        ]
        return [self.pooled(), self._row("macro", None, macro), *models]

    def pooled(self) -> AgreementRow:
        return self._row("pooled", None, {name: self._estimate(name, 0) for name in self.names})

    def _row(
        self, scope: Scope, model: str | None, metrics: Mapping[str, Estimate]
    ) -> AgreementRow:
        return AgreementRow(
            judge=self.judge, reference=self.reference, scope=scope, model=model, metrics=metrics
        )

    def _values(self, sums: Floats, truth: Floats) -> Floats:
        rows = self._by_scope(sums, self.present)
        # Of what is observed alone: they have no interval, and of many models they take long.
        scores = self._scores(sums[:1], truth[:1])
        for correlation in RANKINGS.values():
            row = np.full_like(rows[0], np.nan)
            if scores is not None:
                row[:1, 0] = correlation(*scores)
            rows.append(row)
        return np.stack(rows, axis=-2)

    def _scores(self, sums: Floats, truth: Floats) -> tuple[Floats, Floats] | None:
        """Scores of the models by judge and reference."""
        if (scores := self.measures.scores) is None:
            return None
        return scores(sums.sum(axis=-1), self.present), scores(truth, self.present)

    def _by_scope(self, sums: Floats, present: Bools) -> list[Floats]:
        """The coefficients of tables (..., models, labels, labels) in all scopes."""
        tables = np.concatenate([sums.sum(axis=-3, keepdims=True), sums], axis=-3)
        of = self.measures.of
        return [by_scope(of(name, tables), present) for name in self.measures.coefficients]

    def _worst(self) -> tuple[Floats, Floats]:
        """Least and greatest value over what the missing verdicts could have been."""
        everyone = np.ones_like(self.present)
        binary = self.paired.truth.shape[-1] == 2
        unfilled = self.paired.unfilled
        tables = self.paired.filled + (fillings(unfilled) if binary else agreed_or_not(unfilled))
        values = np.stack(self._by_scope(tables, everyone), axis=-2)
        if not binary:  # all agreed and all not are the extremes of plain agreement alone
            others = [name != "agreement" for name in self.measures.coefficients]
            values[..., others, :] = np.nan
        low, high = np.fmin.reduce(values), np.fmax.reduce(values)
        # Each model's missing verdicts are its own, so the mean's extremes are means of extremes.
        if len(everyone):
            low[:, 1], high[:, 1] = low[:, 2:].mean(axis=-1), high[:, 2:].mean(axis=-1)
        return low, high

    def _estimate(self, name: str, scope: int) -> Estimate:
        place = (self.names.index(name), scope)
        value = float(self.values[0][place])
        paired, one = self.paired, max(0, scope - 2)
        pooled = scope < 2
        units = paired.pooled_units if pooled else int(paired.units[one])
        interval = math.nan, math.nan, rank_correlation.NO_INTERVAL_OF_ITEMS
        if name not in RANKINGS:
            interval = self._wilson(name, scope, value) or self.ends.over(units, *place)
        if scope == 1 or name in RANKINGS:
            over = f"{self.present.sum()} of {len(self.present)} {self.measures.counted}"
            interval = *interval[:2], f"{interval[2]}; over {over}"
        worst_low, worst_high = (None, None) if math.isnan(value) else self._worst_at(place)
        return as_estimate(
            value,
            interval,
            n=int(paired.pairs.sum() if pooled else paired.pairs[one]),
            units=units,
            missing=int(paired.missing.sum() if pooled else paired.missing[one]),
            level=self.wanted.level,
            why=self._why_undefined(name, scope) if math.isnan(value) else None,
            worst_low=worst_low,
            worst_high=worst_high,
        )

    def _worst_at(self, place: tuple[int, int]) -> tuple[float | None, float | None]:
        """None for rankings, for all but agreement with more than two labels, and where a missing
        model has no value."""
        if place[0] >= len(self.measures.coefficients):
            return None, None
        low, high = (float(bound[place]) for bound in self.worst)
        return (None, None) if math.isnan(low) else (low, high)

    def _wilson(self, name: str, scope: int, value: float) -> Interval | None:
        """Pooled over several models an item has several verdicts: no plain proportion."""
        if name not in PROPORTIONS or (scope < 2 and self.present.sum() > 1):
            return None
        table = self._table(scope)
        cells = PROPORTIONS[name] if table.shape == (2, 2) else tuple(np.ndindex(table.shape))
        units = float(sum(table[cell] for cell in cells))
        return wilson(value, units, level=self.wanted.level)

    def _table(self, scope: int) -> Floats:
        """The observed table of a model, or of all together."""
        return self.sums[0].sum(axis=0) if scope < 2 else np.asarray(self.sums[0, scope - 2])

    def _why_undefined(self, name: str, scope: int) -> str | None:
        if name in RANKINGS:
            scores = self._scores(self.sums[0], self.truth[0])
            if scores is None:
                return "nothing says which model is better"
            return rank_correlation.why_undefined(*scores)
        if scope == 1 and self.present.any():
            return self._why_macro_undefined(name)
        return self.measures.why(name, self._table(scope))

    def _why_macro_undefined(self, name: str) -> str:
        by_model = self.values[0, self.names.index(name), 2:]
        defined = ~np.isnan(by_model) & self.present
        undefined = [m for m in np.flatnonzero(self.present) if not defined[m]]
        models_of = grouped(
            (self.measures.why(name, self.sums[0][m]), self.paired.models[m]) for m in undefined
        )
        named = "; ".join(f"{', '.join(models)}: {why}" for why, models in models_of.items())
        counted = self.measures.counted
        reason = f"undefined on {len(undefined)} of {self.present.sum()} {counted} ({named})"
        if defined.any():
            reason += f"; mean of the other {defined.sum()}: {by_model[defined].mean():.4f}"
        return reason


def pairs_of(judges: Iterable[str], wanted: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Every two judges, in their order; of those wanted, each with every other."""
    for first, second in combinations(judges, 2):
        if not wanted or first in wanted or second in wanted:
            yield first, second


def by_scope(values: Floats, present: Bools) -> Floats:
    """Values of all models together and of each (..., 1 + models), the mean between them.

    Parameters
    ----------
    present : bool array, shape (models,)
        The models whose unweighted mean is the macro value.

    Returns
    -------
    float array, shape (..., 2 + models)
    """
    pooled, models = values[..., :1], values[..., 1:]
    if present.any():
        macro = models[..., present].mean(axis=-1, keepdims=True)
    else:
        macro = np.full_like(pooled, np.nan)
    return np.concatenate([pooled, macro, models], axis=-1)


def agreed_or_not(unfilled: Floats) -> Floats:
    """The missing verdicts as the reference's label, and as the next one: (2, ..., labels, labels).

    Parameters
    ----------
    unfilled : float array, shape (..., labels)
        Missing by the reference's label.
    """
    same = unfilled[..., np.newaxis, :] * np.eye(unfilled.shape[-1])
    return np.stack([same, np.roll(same, 1, axis=-2)])


def _positive_shares(counts: Floats, present: Bools) -> Floats:
    """Share of the last label among counts (..., models, labels), of models that are present."""
    counts = counts[..., present, :]
    return share_of(counts[..., -1], counts.sum(axis=-1))


def share_of(part: Floats, total: Floats) -> Floats:
    """nan where there is nothing."""
    # Equal shares of thirds must tie whatever the order in which they were added up.
    return np.asarray(np.round(quotient(part, total), 12))
