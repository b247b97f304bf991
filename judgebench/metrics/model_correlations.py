"""How far two scorings of the same models agree: three coefficients over the models of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from judgebench.metrics.registry import metric
from judgebench.records import Estimate
from judgebench.stats.rank_correlation import board_correlation, kendall_tau_b, pearson, spearman

COEFFICIENTS = {"spearman": spearman, "pearson": pearson, "kendall": kendall_tau_b}
TITLES = {name: metric(name).title for name in COEFFICIENTS}

NO_INTERVAL = "no interval: over models none was measured to hold"
"""Percentiles of drawn models held ranks in 94 to 97 % on average over kinds of scores with 12 to
33 models, but in 85 to 93 % where half of the models are all but alike and the others correlate at
0.98, and Pearson's coefficient in 90 % (`perf/coverage_calibration.py`)."""

Scores: TypeAlias = Mapping[str, float]
"""Model -> score; nan where it has none."""


def correlations(first: Scores, second: Scores, *, level: float = 0.95) -> dict[str, Estimate]:
    """The coefficients over the models that both have; without intervals, since none holds.

    Returns
    -------
    dict
        Of each of `COEFFICIENTS`. Undefined as `board_correlation` is; ``missing`` counts the
        models of which one of the two has no score.
    """
    found = board_correlation(first, second)
    n = len(found.models)
    values = dict(zip(COEFFICIENTS, (found.spearman, found.pearson, found.kendall_b), strict=True))
    return {
        name: Estimate(
            value=value,
            n=n,
            units=n,
            missing=len(first.keys() | second.keys()) - n,
            level=level,
            method="" if found.undefined else NO_INTERVAL,
            undefined=found.undefined,
        )
        for name, value in values.items()
    }
