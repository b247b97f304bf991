"""How often the 95 % intervals of evaluators' measures and of kappas of outcomes hold the truth.

Made-up pairs are drawn anew, as a new set of instructions would be; intervals are percentiles over
weightings of pairs, as `judgebench.stats.evaluators` and `judgebench.stats.pair_outcomes` are meant
to be used; the truth is the measure of very many pairs. People and the judge label each pair four
times, one label in twenty of the judge's is missing. The two judges of the kappas are asked in both
orders and lean towards what they are shown first.

    python perf/coverage_evaluators.py                # about two minutes of one core
    python perf/coverage_evaluators.py --trials 200
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from judgebench.stats.agreement import cohen_kappa_of
from judgebench.stats.evaluators import (
    Labels,
    Pairs,
    evaluator_metrics,
    evaluator_replicates,
)
from judgebench.stats.pair_outcomes import (
    NO_OUTCOME,
    OutcomeRule,
    pair_outcomes,
    without_ties,
)
from judgebench.stats.resample import multinomial_weights, percentile_interval, weighted_sums

N_OUTCOMES = 3
SEED = 20260704
REPLICATES = 1000
SIZES = (50, 150, 600)
MANY = 400_000
SYSTEMS = 8
LIKES = np.array([0.15, -0.1, 0.05, -0.15, 0.1, 0.0, -0.1, 0.05])
"""How far the judge likes each system better than people do."""

RULES = {
    "mean": OutcomeRule(tie_band=0.05),
    "tie": OutcomeRule(tie_band=0.05, conflict="tie"),
    "drop": OutcomeRule(tie_band=0.05, conflict="drop", unreadable="drop"),
}

Floats = NDArray[np.float64]


def labelled(n: int, generator: np.random.Generator) -> tuple[Labels, Labels, Pairs]:
    system = np.arange(n) % SYSTEMS
    p = np.clip(generator.beta(0.8, 0.8, n) + (system / SYSTEMS - 0.5) * 0.4, 0.0, 1.0)
    q = np.clip(p + LIKES[system] + generator.normal(0.0, 0.2, n), 0.0, 1.0)
    mine, theirs = (1.0 + (generator.random((n, 4)) < share[:, None]) for share in (q, p))
    mine[generator.random(mine.shape) < 0.05] = np.nan
    pair, annotator = (axis.ravel() for axis in np.indices(mine.shape))
    people, judge = (
        Labels(pair=pair, annotator=annotator, preference=np.asarray(table.ravel(), np.float64))
        for table in (theirs, mine)
    )
    lengths = np.rint(generator.normal(200.0 * (p - 0.5), 150.0)).astype(np.int64)
    return (
        judge,
        people,
        Pairs(length_difference=lengths, has_list=generator.random((n, 2)) < 0.3, generator=system),
    )


def two_judges(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Probabilities of two judges in two orders, with ties and a lean to what is shown first."""
    merit = generator.normal(0.0, 2.0, n)
    judges = []
    for lean in (0.2, 0.6):
        own = merit + generator.normal(0.0, 1.0, n)
        scores = np.stack([own + lean, own - lean], axis=1) + generator.normal(0.0, 0.3, (n, 2))
        p = 1.0 / (1.0 + np.exp(-scores))
        p[generator.random(p.shape) < 0.03] = np.nan
        judges.append(p)
    return judges[0], judges[1]


def outcome_tables(first: ArrayLike, second: ArrayLike) -> Floats:
    """What each pair adds to the confusion table of two judges' outcomes.

    Parameters
    ----------
    first, second : int array, shape (n_pairs,)
        `LOSS`, `TIE`, `WIN`, or `NO_OUTCOME`, of the same pairs in the same order.

    Returns
    -------
    float array, shape (n_pairs, 3, 3)
        A single 1, or zeros throughout where either judge has no outcome.

    Raises
    ------
    ValueError
        When the two differ in length, or for a code that is none of these.
    """
    a, b = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"outcomes of the same pairs are needed, not {a.shape} and {b.shape}")
    codes = np.concatenate([a, b])
    if codes.size and not (codes.min() >= NO_OUTCOME and codes.max() < N_OUTCOMES):
        raise ValueError(f"codes of outcomes lie in {NO_OUTCOME} .. {N_OUTCOMES - 1}")
    tables = np.zeros((len(a), N_OUTCOMES, N_OUTCOMES))
    both = np.flatnonzero((a != NO_OUTCOME) & (b != NO_OUTCOME))
    tables[both, a[both], b[both]] = 1.0
    return tables


def kappas(first: Floats, second: Floats, weights: Floats) -> Iterator[tuple[str, Floats]]:
    for name, rule in RULES.items():
        codes = [pair_outcomes(p, rule).codes for p in (first, second)]
        tables = weighted_sums(weights, outcome_tables(*codes))
        yield f"kappa ({name})", cohen_kappa_of(tables)
        yield f"kappa ({name}), no ties", cohen_kappa_of(without_ties(tables))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--trials", type=int, default=2000)
    trials = options.parse_args().trials
    generator = np.random.default_rng(SEED)
    truth = dict(evaluator_metrics(*labelled(MANY, generator)).values)
    judges = two_judges(MANY, generator)
    truth |= {name: float(k[0]) for name, k in kappas(*judges, np.ones((1, MANY)))}
    held = {(name, n): [0, 0] for name in truth for n in SIZES}
    for n in SIZES:
        for trial in range(trials):
            weights = multinomial_weights(n, REPLICATES, seed=trial)
            replicates = evaluator_replicates(*labelled(n, generator), weights, min_pairs=1)
            replicates |= dict(kappas(*two_judges(n, generator), weights))
            for name, values in replicates.items():
                low, high = percentile_interval(values)
                given = not np.isnan(low)
                held[name, n][0] += bool(given and low <= truth[name] <= high)
                held[name, n][1] += bool(given)
    print(f"seed {SEED}, {trials} trials, {REPLICATES} replicates, nominal 95 %")
    print(f"{'':24}{'truth':>9}" + "".join(f"{f'n = {n}':>10}" for n in SIZES))
    for name in truth:
        shares = (held[name, n] for n in SIZES)
        cells = (f"{100 * yes / asked:9.1f}%" if asked else f"{'-':>10}" for yes, asked in shares)
        print(f"{name:24}{truth[name]:9.3f}" + "".join(cells))


if __name__ == "__main__":
    main()
