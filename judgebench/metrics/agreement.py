"""How far judges agree with a reference judge, a person for one, and with each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.intervals import Ends, Floats, Intervals, wilson
from judgebench.metrics.label_board import find_reference, read_labels
from judgebench.metrics.paired_tables import PairedTables, fillings, pair
from judgebench.metrics.verdict_table import Columns
from judgebench.records import BINARY, Estimate
from judgebench.stats import rank_correlation
from judgebench.stats.agreement import COEFFICIENTS, coefficient, why_undefined
from judgebench.stats.resample import Resamples, leave_one_out_sums

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


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRow:
    """One judge against a reference: over all answers, over models, or on one model."""

    judge: str
    reference: str
    scope: Scope
    model: str | None
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTable:
    """All judges against one reference. ``raters`` are those whose labels it is made of."""

    reference: str
    raters: tuple[str, ...]
    rows: tuple[AgreementRow, ...]


def agreement(
    columns: Columns,
    *,
    reference: str = "human",
    labels: Sequence[str] = BINARY,
    intervals: Intervals | None = None,
) -> AgreementTable:
    """Every judge that labels, against a reference.

    Answers that the reference has not labelled do not count. Those that only the judge has not
    labelled are missing; the worst-case bounds are those of the coefficient over all answers,
    whatever it would have said on the missing (two labels only).

    The macro estimate is the unweighted mean over the models that the judge has verdicts on;
    where the coefficient of one of them is undefined, so is the mean, and the reason gives the
    mean of the others. Rankings compare the judge's score of each model, on its own verdicts,
    with the reference's on all it has labelled of that model.

    Parameters
    ----------
    columns
        As for `read_labels`.
    reference
        A judge; ``human`` is a judge of that name, or else the majority of ``human/*`` without
        ties.
    labels
        The declared labels; of two, the second is the positive one.
    intervals
        Percentile bootstrap over items unless asked otherwise; Wilson's for plain proportions of
        one model under 30 items and at 0 or 1.

    Returns
    -------
    AgreementTable
        For each judge, in order of name, a row ``pooled``, a row ``macro``, and a row for each
        model that the reference has labelled.

    Raises
    ------
    UsageError
        When there is no such reference, or it has labelled nothing.
    """
    board = read_labels(columns, labels=labels)
    truth = find_reference(board, reference)
    wanted = intervals or Intervals()
    resamples = wanted.resamples(board.items)
    # A majority of one rater is that rater: there is nothing to compare.
    itself = truth.raters if len(truth.raters) == 1 else ()
    rows: list[AgreementRow] = []
    for judge in board.labellers:
        if judge not in itself:
            tables = pair(board, board.of(judge), truth.codes)
            rows += _Comparison(judge, reference, tables, resamples, wanted).rows()
    return AgreementTable(reference=reference, raters=truth.raters, rows=tuple(rows))


def between_judges(
    columns: Columns, *, labels: Sequence[str] = BINARY, intervals: Intervals | None = None
) -> tuple[AgreementRow, ...]:
    """Every two judges against each other, pooled; the second by name stands as the reference.

    Parameters
    ----------
    columns, labels, intervals
        As for `agreement`.

    Returns
    -------
    tuple of AgreementRow
        One for each two judges that both labelled some answer.
    """
    board = read_labels(columns, labels=labels)
    wanted = intervals or Intervals()
    resamples = wanted.resamples(board.items)
    rows = []
    for first, second in combinations(board.labellers, 2):
        if ((board.of(first) >= 0) & (board.of(second) >= 0)).any():
            tables = pair(board, board.of(first), board.of(second))
            rows.append(_Comparison(first, second, tables, resamples, wanted).pooled())
    return tuple(rows)


class _Comparison:
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
    ) -> None:
        self.judge, self.reference, self.paired, self.wanted = judge, reference, paired, wanted
        self.present = paired.pairs > 0  # models with no pair are missing, not undefined
        self.sums, self.truth = resamples.sums([paired.tables, paired.truth])
        self.values = self._values(self.sums, self.truth)
        left_out = None
        if wanted.kind == "bca":
            left_out = self._values(
                leave_one_out_sums(paired.tables), leave_one_out_sums(paired.truth)
            )
        self.ends: Ends = wanted.ends(self.values, left_out)
        self.worst = self._worst() if paired.truth.shape[-1] == 2 else None

    def rows(self) -> list[AgreementRow]:
        macro = {name: self._estimate(name, 1) for name in COEFFICIENTS}
        models = [
            self._row("model", model, {name: self._estimate(name, 2 + m) for name in COEFFICIENTS})
            for m, model in enumerate(self.paired.models)
        ]
        return [self.pooled(), self._row("macro", None, macro), *models]

    def pooled(self) -> AgreementRow:
        return self._row("pooled", None, {name: self._estimate(name, 0) for name in METRICS})

    def _row(
        self, scope: Scope, model: str | None, metrics: Mapping[str, Estimate]
    ) -> AgreementRow:
        return AgreementRow(
            judge=self.judge, reference=self.reference, scope=scope, model=model, metrics=metrics
        )

    def _values(self, sums: Floats, truth: Floats) -> Floats:
        rows = [_by_scope(name, sums, self.present) for name in COEFFICIENTS]
        for correlation in RANKINGS.values():
            row = np.full_like(rows[0], np.nan)
            row[..., 0] = correlation(*self._scores(sums, truth))
            rows.append(row)
        return np.stack(rows, axis=-2)

    def _scores(self, sums: Floats, truth: Floats) -> tuple[Floats, Floats]:
        """Scores of the models by judge and reference; nan throughout without two labels."""
        judged = sums[..., self.present, :, :].sum(axis=-1)
        return _positive_share(judged), _positive_share(truth[..., self.present, :])

    def _worst(self) -> tuple[Floats, Floats]:
        """Least and greatest value over what the missing verdicts could have been."""
        everyone = np.ones_like(self.present)
        tables = self.paired.filled + fillings(self.paired.unfilled)
        values = np.stack([_by_scope(name, tables, everyone) for name in COEFFICIENTS], axis=-2)
        low, high = np.fmin.reduce(values), np.fmax.reduce(values)
        # Each model's missing verdicts are its own, so the mean's extremes are means of extremes.
        low[:, 1], high[:, 1] = low[:, 2:].mean(axis=-1), high[:, 2:].mean(axis=-1)
        return low, high

    def _estimate(self, name: str, scope: int) -> Estimate:
        place = (METRICS.index(name), scope)
        value = float(self.values[0][place])
        paired, one = self.paired, max(0, scope - 2)
        pooled = scope < 2
        units = paired.pooled_units if pooled else int(paired.units[one])
        low, high, method = math.nan, math.nan, ""
        worst_low = worst_high = None
        if not math.isnan(value):
            low, high, method = self._wilson(name, scope, value) or self._bootstrap(place, units)
            if scope == 1 or name in RANKINGS:
                method += f"; over {self.present.sum()} of {len(self.present)} models"
            worst_low, worst_high = self._worst_at(place)
        return Estimate(
            value=value,
            low=low,
            high=high,
            n=int(paired.pairs.sum() if pooled else paired.pairs[one]),
            units=units,
            missing=int(paired.missing.sum() if pooled else paired.missing[one]),
            level=self.wanted.level,
            method=method,
            undefined=self._why_undefined(name, scope) if math.isnan(value) else None,
            worst_low=worst_low,
            worst_high=worst_high,
        )

    def _worst_at(self, place: tuple[int, int]) -> tuple[float | None, float | None]:
        """None for rankings, for more than two labels, and where a missing model has no value."""
        if self.worst is None or place[0] >= len(COEFFICIENTS):
            return None, None
        low, high = (float(bound[place]) for bound in self.worst)
        return (None, None) if math.isnan(low) else (low, high)

    def _bootstrap(self, place: tuple[int, int], units: int) -> tuple[float, float, str]:
        if units < 2:
            return math.nan, math.nan, "no interval, one item"
        return self.ends.at(*place)

    def _wilson(self, name: str, scope: int, value: float) -> tuple[float, float, str] | None:
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
            if self.paired.truth.shape[-1] != 2:
                return f"scores need two labels; {self.paired.truth.shape[-1]} are declared"
            scores = self._scores(self.sums[0], self.truth[0])
            return rank_correlation.why_undefined(*scores)
        if scope == 1 and self.present.any():
            return self._why_macro_undefined(name)
        return why_undefined(name, self._table(scope))

    def _why_macro_undefined(self, name: str) -> str:
        by_model = self.values[0, METRICS.index(name), 2:]
        defined = ~np.isnan(by_model) & self.present
        undefined = [m for m in np.flatnonzero(self.present) if not defined[m]]
        named = "; ".join(
            f"{self.paired.models[m]}: {why_undefined(name, self.sums[0][m])}" for m in undefined
        )
        reason = f"undefined on {len(undefined)} of {self.present.sum()} models ({named})"
        if defined.any():
            reason += f"; mean of the other {defined.sum()}: {by_model[defined].mean():.4f}"
        return reason


def _by_scope(name: str, sums: Floats, present: NDArray[np.bool_]) -> Floats:
    """A coefficient of tables (..., models, labels, labels) in all scopes: (..., 2 + models)."""
    values = coefficient(name, _scope_tables(sums))
    pooled, models = values[..., :1], values[..., 1:]
    if present.any():
        macro = models[..., present].mean(axis=-1, keepdims=True)
    else:
        macro = np.full_like(pooled, np.nan)
    return np.concatenate([pooled, macro, models], axis=-1)


def _scope_tables(sums: Floats) -> Floats:
    """All models together, then each: (..., 1 + models, labels, labels)."""
    return np.concatenate([sums.sum(axis=-3, keepdims=True), sums], axis=-3)


def _positive_share(counts: Floats) -> Floats:
    """Share of label 1 among counts (..., labels); nan unless there are two labels."""
    total = counts.sum(axis=-1)
    share = np.full(total.shape, np.nan)
    if counts.shape[-1] == 2:
        np.divide(counts[..., 1], total, out=share, where=total > 0)
    # Equal shares of thirds must tie whatever the order in which they were added up.
    return np.asarray(np.round(share, 12))
