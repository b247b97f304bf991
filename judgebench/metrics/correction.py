"""What judges say of models, corrected by what people say of a sample of the answers.

A judge's mean over all items, people's labels on some of them, and the probabilities with which
these were drawn make the mean that people would give (`judgebench.stats.correction`); of two models
the same is made of their differences, item by item. What people say together is the majority of
their labels, and the mean of their scores and comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from judgebench.columns import counted, marked, same, select_rows
from judgebench.config import Panel
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.combine import panel_verdicts
from judgebench.metrics.intervals import LEAST, Floats
from judgebench.metrics.item_means import item_means
from judgebench.metrics.paired import PairedModels, PairedTests, as_numbers, unit_of
from judgebench.metrics.registry import NO_ENDS
from judgebench.metrics.scores import scales_of
from judgebench.metrics.verdict_table import Columns, Ints, VerdictTable, read_table
from judgebench.records import HUMAN, Estimate, is_human
from judgebench.stats.correction import (
    FEW,
    CorrectedMean,
    corrected_mean,
    quantile,
    rogan_gladen,
    two_samples,
)
from judgebench.stats.paired_tests import PairedTest, untested
from judgebench.stats.resample import content_seed

CORRECTED, ALONE, BY_RATES = "corrected", "labels_alone", "rogan_gladen"
COUNT_AS, MORE = "labels_count_as", "more_labels"

NOT_RANDOM = (
    "people's labels are not known to be a random sample of its answers, so no interval is given; "
    "`judgebench labels export` draws one"
)
OTHER_SCALE = "the judge and people score on different scales"
BALANCED = "nothing is corrected: categories count equally here, and labels weigh items alike"
ALL = "labels of all items would not be enough: more items are needed"
RARE = f"under {LEAST} labels of one outcome: its interval may be too narrow"

Probabilities: TypeAlias = Mapping[str, float] | None
"""By item, with which probability its label was drawn; None where nobody knows."""

Made: TypeAlias = dict[tuple[str, str], dict[str, Estimate]]
"""By judge and model, then by metric."""


def people_verdicts(columns: Columns, kind: BoardKind) -> Columns:
    """What people say together of the answers on a board, as a judge called ``human``."""
    people = sorted(judge for judge in counted(columns["judge"]) if is_human(judge))
    together = HUMAN not in people and len(people) > 1
    its = select_rows(columns, np.flatnonzero(marked(columns["judge"], is_human)))
    if together:
        rule = "majority" if kind.kind == "label" else "mean"
        its = panel_verdicts(its, Panel(judges=people, rule=rule, min_valid=1))
    elif HUMAN in people:
        its = select_rows(its, np.flatnonzero(marked(its["judge"], HUMAN.__eq__)))
    return {**its, "judge": same(HUMAN, len(its["judge"]))}


def corrections(
    columns: Columns,
    kind: BoardKind,
    labels: Sequence[str],
    probability: Callable[[str], Probabilities],
    *,
    level: float,
    width: float | None = None,
) -> Made:
    """Every judge's mean of every model as people would have it.

    Parameters
    ----------
    columns
        The rows of a board.
    labels
        The declared ones, the positive one last.
    probability
        Of a model.
    level
        Of the intervals.
    width
        Of an interval that would be narrow enough, in the metric's units; a tenth of the scale if
        not given.

    Returns
    -------
    Made
        `CORRECTED`; `ALONE`, from the labels alone; `BY_RATES`, of labels;
        `COUNT_AS`, as how many labels these count; `MORE`, how many more make an interval of that
        width. None of models that people have not labelled.
    """
    people = people_verdicts(columns, kind)
    table = read_table(columns)
    theirs = _on(table, people, kind, labels)
    values, _, _, _ = as_numbers(columns, kind, labels)
    scales = scales_of(people, range(len(people["kind"]))) if kind.kind == "score" else []
    known: dict[str, Probabilities] = {}
    found: Made = {}
    for j, judge in enumerate(table.judges):
        if is_human(judge):
            continue
        rows = np.flatnonzero(table.judge_of == j)
        own = scales_of(columns, rows) if kind.kind == "score" else []
        means = item_means(table, rows, values, ends=NO_ENDS)
        ends = scales[0] if kind.kind == "score" and len(scales) == 1 else (0.0, 1.0)
        for m, model in enumerate(table.models):
            said, labelled = means.mean[:, m], theirs[:, m]
            there = (means.asked[:, m] > 0) | ~np.isnan(labelled)
            if np.isnan(labelled).all() or not means.asked[:, m].any():
                continue
            if model not in known:
                known[model] = probability(model)
            sample = _Sample(
                judge=said[there], people=labelled[there], unit=table.unit_of[there],
                chance=None if (drawn := known[model]) is None else np.array(
                    [drawn.get(table.items[i], math.nan) for i in np.flatnonzero(there)]
                ),
                seed=content_seed(judge, model), level=level, scale=unit_of(kind), ends=ends,
            )  # fmt: skip
            why = None if own == scales else OTHER_SCALE
            found[judge, model] = sample.correction(width, kind.kind == "label", why)
    return found


def _on(table: VerdictTable, people: Columns, kind: BoardKind, labels: Sequence[str]) -> Floats:
    """People's means of each item and model of a table that has all of theirs."""
    own = read_table(people)
    values, _, _, _ = as_numbers(people, kind, labels)
    found = np.full(table.shape, np.nan)
    at = np.ix_(np.searchsorted(table.items, own.items), np.searchsorted(table.models, own.models))
    found[at] = item_means(own, np.arange(len(values)), values, ends=NO_ENDS).mean
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """A judge's values and people's of some items, and how they are shown."""

    judge: Floats
    people: Floats
    chance: Floats | None
    unit: Ints
    seed: int
    level: float
    scale: float
    ends: tuple[float, float]

    def correction(self, width: float | None, binary: bool, why: str | None) -> dict[str, Estimate]:
        """Every figure; nothing but the reason, where there is one."""
        chance = np.ones(len(self.judge)) if self.chance is None else self.chance
        people = np.where(np.isnan(chance), np.nan, self.people)
        found, alone = (
            corrected_mean(self.judge, people, chance, unit=self.unit, power=power, seed=self.seed)
            for power in (None, 0.0)
        )
        n = found.n_labels
        if why is not None:
            nothing = replace(found, value=math.nan, undefined=why)
            return dict.fromkeys((CORRECTED, COUNT_AS, MORE), self.estimate(nothing, ""))
        if self.chance is None:
            found, alone = (
                replace(one, error=math.nan, undefined=one.undefined or NOT_RANDOM)
                for one in (found, alone)
            )
        rarer = min(np.nansum(people), n - np.nansum(people))
        caution = f"; {RARE}" if binary and found.undefined is None and rarer < LEAST else ""
        how = f"PPI++, lambda {found.power:.2f}, {n} labels, two halves, Student's t{caution}"
        metrics = {
            CORRECTED: self.estimate(found, how),
            ALONE: self.estimate(alone, f"{n} labels alone, Student's t{caution}"),
        }
        if binary and self.chance is not None:
            rates = rogan_gladen(self.judge, people, chance, unit=self.unit)
            if rates.undefined not in (None, FEW):
                rates = replace(rates, value=math.nan)
            metrics[BY_RATES] = self.estimate(rates, "error rates, delta method")
        narrow = 0.1 * (self.ends[1] - self.ends[0]) if width is None else width / self.scale
        # A judge takes nothing away: labels alone need no more than labels beside it.
        needed = min(one.labels_for(narrow, self.level) for one in (found, alone))
        short = math.isinf(needed)
        for name, value, reason in (
            (COUNT_AS, found.count_as(alone), found.undefined),
            (MORE, math.nan if short else max(0.0, needed - n), ALL if short else found.undefined),
        ):
            number = replace(found, value=value / self.scale, error=math.nan, undefined=reason)
            metrics[name] = self.estimate(number, "")
        return metrics

    def estimate(self, found: CorrectedMean, method: str) -> Estimate:
        """As it is shown; what is of the scale ends where the scale does."""
        low, high = (float(np.clip(end, *self.ends)) for end in found.interval(self.level))
        value = float(np.clip(found.value, *self.ends)) if method else found.value
        known, why = not math.isnan(found.value), found.undefined
        return Estimate(
            value=value * self.scale,
            low=low * self.scale,
            high=high * self.scale,
            n=found.n_labels,
            units=len(self.judge),
            missing=int(np.isnan(self.judge).sum()),
            level=self.level,
            method=f"{method}; {why}" if known and why else method if known else "",
            undefined=None if known else why,
        )


# two models --------------------------------------------------------------------------------------


def corrected_pair(
    pair: PairedModels,
    people: PairedModels,
    drawn: tuple[Probabilities, Probabilities],
    *,
    alpha: float,
) -> tuple[PairedModels, PairedTests]:
    """Two models as people would compare them, by a judge's verdicts on all and people's on some.

    Paired where people labelled both on the same items: PPI++ of the differences. Else by both
    corrected means, which share the items that the judge saw (two samples of labels); so too where
    labels were drawn apart and unevenly, since then nothing is known of how likely both were.

    Parameters
    ----------
    pair, people
        The judge's verdicts on both, and people's.
    drawn
        Of the candidate and of the baseline; a mean of its own (one half) needs none.
    alpha
        As for `judgebench.metrics.paired.compare`.

    Returns
    -------
    pair, tests
        The pair under the name of the metric and ``/corrected``. What the judge did not say is no
        case of its own: the estimate holds whatever it misses. Not comparable, and why, where
        nobody knows how labels were drawn or too few are there.
    """
    place = {item: people.mean[at] for at, item in enumerate(people.items)}
    nobody = np.full(2, np.nan)
    chance = np.array(
        [[(one or {}).get(item, math.nan) for one in drawn] for item in pair.items]
    ).reshape(-1, 2)
    theirs = np.array([place.get(item, nobody) for item in pair.items]).reshape(-1, 2)
    theirs = np.where(np.isnan(chance), np.nan, theirs)
    labelled = ~np.isnan(theirs)
    seed = content_seed(pair.judge, pair.metric)
    mean = partial(corrected_mean, unit=pair.unit_of, seed=seed)
    sides = [mean(pair.mean[:, m], theirs[:, m], chance[:, m]) for m in range(2)]
    both = labelled.all(axis=1)
    even = len(np.unique(chance[both].prod(axis=1))) < 2
    if (even or (both == labelled.any(axis=1)).all()) and both.sum() >= 0.9 * labelled.sum(
        axis=0
    ).max():
        said, labels = (values[:, 0] - values[:, 1] for values in (pair.mean, theirs))
        found = mean(said, labels, chance.min(axis=1))
    else:
        found = two_samples(*sides)
    reasons = {
        NOT_RANDOM: None in drawn,
        BALANCED: bool((pair.stratum != 0).any()),
        OTHER_SCALE: pair.width != people.width,
    }
    why = next((reason for reason, so in reasons.items() if so), found.undefined)
    named = replace(pair, metric=f"{pair.metric}/{CORRECTED}", why_not=pair.why_not or why)
    test = _test(found, alpha)
    if why is not None:
        test = untested(math.nan, units=0, alpha=alpha, method=why)
    candidate, baseline = (math.nan if why else side.value for side in sides)
    return named, PairedTests(
        observed=test, worst=None, best=None, bounded=True, candidate=candidate, baseline=baseline
    )


def _test(found: CorrectedMean, alpha: float) -> PairedTest:
    from scipy.special import stdtr

    def bounds(level: float) -> tuple[float, float]:
        half = quantile(1.0 - level, found.dof) * found.error
        return found.value - half, found.value + half

    worse = float(stdtr(found.dof, found.value / found.error))
    return PairedTest(
        difference=found.value,
        alpha=alpha,
        bounds=bounds,
        passing=lambda level: bounds(level)[0],
        p_worse=worse,
        p_better=1.0 - worse,
        spread=found.error * math.sqrt(found.n_labels),
        units=found.n_labels,
        binary=False,
        method=f"PPI++, lambda {found.power:.2f}, {found.n_labels} labels, Student's t",
        unit="label",
    )
