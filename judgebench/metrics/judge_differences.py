"""Judges compared with judges: by how much one agrees with the reference better than another.

A judge that calls every answer of a model correct has seen nothing of it, and its figures over all
models do not show that. Of two models that deserve one verdict throughout a good judge says the
same as well, so that what counts is how much rarer its other verdicts are than the reference's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.comparison import AgreementRow, Bools, Measures, Scope, pair
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.judged_values import NO_VERDICT, Codes, JudgedValues
from judgebench.metrics.paired import family as decided_together
from judgebench.metrics.verdict_table import Ints
from judgebench.records import Estimate
from judgebench.stats.paired_bootstrap import paired_jackknife
from judgebench.stats.paired_tests import PairedTest


@dataclass(frozen=True, slots=True, kw_only=True)
class NearConstantRule:
    """When a judge is flagged.

    share
        Of its verdicts that are one and the same, at least.
    fewest
        Verdicts that it takes.
    rarer
        Its other verdicts are at most one in so many of the reference's.
    others
        Of the reference's other verdicts there are at least so many, and a share of ``1 - share``.
    """

    share: float = 0.95
    fewest: int = 20
    rarer: int = 3
    others: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NearConstant:
    """A judge that says nearly always ``says``, of all answers or of one model's.

    A ``share`` of ``n`` verdicts, and ``reference_share`` of the reference's on the same answers;
    of scores, that of the reference's own most frequent one.
    """

    flag: str = "near_constant"
    judge: str
    model: str | None
    opponent: str | None
    says: str
    share: float
    n: int
    reference: str
    reference_share: float
    kind: Kind = "label"


def coded(values: Sequence[float] | np.ndarray) -> tuple[Ints, list[str]]:
    """Scores as codes, equal ones alike, and what the codes stand for; -1 where there is none."""
    given = np.round(np.asarray(values, dtype=np.float64), 9)
    known = ~np.isnan(given)
    found = np.full(given.shape, -1, dtype=np.int64)
    points, found[known] = np.unique(given[known], return_inverse=True)
    return found, [f"{point:g}" for point in points]


def flagged(
    judge: str,
    reference: str,
    said: NDArray[np.signedinteger],
    truth: NDArray[np.signedinteger],
    model_of: Ints,
    models: Sequence[tuple[str, str | None]],
    words: Sequence[str],
    rule: NearConstantRule,
    *,
    one_scale: bool = True,
) -> list[NearConstant]:
    """Where a judge says nearly always the same: over all answers of several models, and of each.

    Parameters
    ----------
    said, truth : int array, shape (answers,)
        What judge and reference say, as codes; below 0 where one says nothing. Counted is where
        both say something.
    models
        Each with its opponent.
    words
        What the judge's codes stand for.
    one_scale
        Whether equal codes are equal verdicts; where they are not, as of scores on two scales, the
        reference's most frequent one stands beside the judge's.
    """
    both = (said >= 0) & (truth >= 0)
    shape = len(models), int(max(said.max(initial=0), truth.max(initial=0))) + 1
    mine, theirs = (
        np.bincount(model_of[both] * shape[1] + codes[both], minlength=shape[0] * shape[1]).reshape(
            shape
        )
        for codes in (said, truth)
    )
    several = int((mine.sum(axis=1) > 0).sum()) > 1
    groups = [(mine.sum(axis=0), theirs.sum(axis=0), (None, None))] if several else []
    found = []
    for counts, of_reference, (model, opponent) in (
        *groups,
        *zip(mine, theirs, models, strict=True),
    ):
        n, code = int(counts.sum()), int(counts.argmax())
        same = int(counts[code])
        reference_same = int(of_reference[code] if one_scale else of_reference.max())
        fewest = max(rule.others, round((1.0 - rule.share) * n, 9), rule.rarer * (n - same))
        if n >= rule.fewest and same >= round(rule.share * n, 9) and n - reference_same >= fewest:
            found.append(
                NearConstant(
                    judge=judge,
                    model=model,
                    opponent=opponent,
                    says=words[code],
                    share=same / n,
                    n=n,
                    reference=reference,
                    reference_share=reference_same / n,
                )
            )
    return found


KAPPA = "cohen_kappa"

ALL, BEST = "all", "best"
"""Which judges are compared, beside the name of one that each is compared with."""

MOST_IN_PAIRS = 6
"""Of so many judges every two are compared, of more each with the best."""

NOTHING_COMMON = "no answer was judged by both and by the reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeChecks:
    """What is looked at beside the coefficients of single judges.

    versus
        As for `pairs_compared`.
    """

    versus: str | None = None
    near_constant: NearConstantRule = field(default_factory=NearConstantRule)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeDifference:
    """A judge's coefficient less another's, both against one reference and on the same answers.

    estimate
        Its interval is at the level that decides: it leaves out zero exactly when ``p_adjusted`` is
        at most one less the level that was asked for.
    p_value, p_adjusted
        Two-sided, before and after Holm's method; nan where there is no test.
    tests
        How many the method counts: those of the pairs that could be tested, and of judges that were
        compared with the best those of all others.
    """

    judge: str
    versus: str
    reference: str
    scope: Scope
    metric: str
    estimate: Estimate = field(metadata={"json": "difference"})
    p_value: float
    p_adjusted: float
    tests: int
    version: str = ""
    kind: Kind = "label"

    @property
    def column(self) -> str:
        """What it is called among the metrics of single judges."""
        return f"{self.metric}_difference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Two:
    """What each unit adds to the sums of two judges, on the answers that both have judged.

    first, second : float array, shape (units, ...)
    n, missing
        Answers that both have judged, and those of the reference's that one of them has not.
    units
        How many units there are, where the sums are made already.
    """

    first: Floats
    second: Floats
    n: int
    missing: int
    units: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A coefficient in which judges are compared.

    of
        Its value (m,) of sums (m, ...); nan where it is undefined.
    why
        Why it has none, for one judge's sums.
    untested
        Why nothing is tested, where that is so for all judges.
    """

    metric: str
    scope: Scope
    of: Callable[[Floats], Floats]
    why: Callable[[Floats], str | None]
    untested: str | None = None


def pairs_compared(ordered: Sequence[str], versus: str | None) -> tuple[list[tuple[str, str]], int]:
    """Which judges are compared, and how many tests Holm's method counts for it.

    Parameters
    ----------
    ordered
        Judges, the best in the pooled coefficient first, whatever is compared (see `best_first`).
    versus
        `ALL`, `BEST`, or the judge with which every other is compared; where not given, all up to
        `MOST_IN_PAIRS` judges and the best with more. Which judge is the best is seen from the same
        verdicts, so that every two judges count as tested. There is no pair with a judge that is
        not among them.
    """
    every = list(combinations(ordered, 2))
    if versus is None:
        versus = ALL if len(ordered) <= MOST_IN_PAIRS else BEST
    if versus == ALL:
        return every, len(every)
    one = ordered[0] if versus == BEST and ordered else versus
    if one not in ordered:
        return [], 0
    pairs = [(judge, one) for judge in ordered if judge != one]
    return pairs, len(every) if versus == BEST else len(pairs)


def judge_differences(
    chosen: tuple[Sequence[tuple[str, str]], int],
    reference: str,
    two_of: Callable[[str, str], Two],
    headlines: Sequence[Headline],
    wanted: Intervals,
) -> tuple[JudgeDifference, ...]:
    """Every pair in every headline; each headline is a family of Holm's method.

    Parameters
    ----------
    chosen
        As of `pairs_compared`.
    two_of
        What two judges add to the sums of all headlines.
    """
    pairs, tests = chosen
    compared = []
    for judge, versus in pairs:
        two = two_of(judge, versus)
        of_each = [
            paired_jackknife(two.first, two.second, one.of, untested=one.untested)
            for one in headlines
        ]
        undefined = [_why_undefined(one, (judge, versus), two) for one in headlines]
        compared.append((replace(two, first=_NONE, second=_NONE), of_each, undefined))
    found: list[JudgeDifference] = []
    for at, headline in enumerate(headlines):
        tested = [of_each[at] for _, of_each, _ in compared]
        p_values = [test.p_differs for test in tested]
        made = tests - sum(math.isnan(p) for p in p_values)
        family = decided_together({"observed": p_values}, alpha=1.0 - wanted.level, of=made)
        for (judge, versus), (two, _, undefined), test, (p_adjusted, levels) in zip(
            pairs, compared, tested, family, strict=True
        ):
            found.append(
                JudgeDifference(
                    judge=judge, versus=versus, reference=reference, scope=headline.scope,
                    metric=headline.metric, p_value=test.p_differs, p_adjusted=p_adjusted,
                    tests=made,
                    estimate=_estimate(two, test, levels["observed"], wanted.level, undefined[at]),
                )
            )  # fmt: skip
    return tuple(found)


_NONE = np.zeros(0)


def _estimate(
    two: Two, test: PairedTest, alpha: float, level: float, undefined: str | None
) -> Estimate:
    known, there = not math.isnan(test.p_worse), not math.isnan(test.difference)
    low, high = test.bounds(alpha / 2.0)
    method = f"{test.method}; at the level of Holm's method"
    return Estimate(
        value=test.difference,
        low=low,
        high=high,
        n=two.n,
        units=two.units or test.units,
        missing=two.missing,
        level=1.0 - alpha if known else level,
        method=(method if known else f"no interval, {test.method}") if there else "",
        undefined=None if there else undefined,
    )


def _why_undefined(headline: Headline, names: tuple[str, str], two: Two) -> str | None:
    """Whose coefficient has no value, and why; None where both have one."""
    if two.n == 0:
        return NOTHING_COMMON
    sides = [headline.why(one.sum(axis=0)) for one in (two.first, two.second)]
    if sides[0] == sides[1]:
        return sides[0]
    return "; ".join(f"{name}: {why}" for name, why in zip(names, sides, strict=True) if why)


# of labels and outcomes -------------------------------------------------------------------------


def kappas(measures: Measures) -> list[Headline]:
    """Cohen's kappa of tables (models, labels, labels), pooled and as the mean over models."""

    def pooled(sums: Floats) -> Floats:
        return measures.of(KAPPA, sums.sum(axis=1))

    def macro(sums: Floats) -> Floats:
        of_models = measures.of(KAPPA, sums)
        nothing = np.full(len(of_models), np.nan)
        return np.asarray(of_models.mean(axis=1)) if of_models.shape[1] else nothing

    def why_no_mean(tables: Floats) -> str | None:
        reasons = [why for one in tables if (why := measures.why(KAPPA, one)) is not None]
        if not reasons:
            return None
        return f"undefined on {len(reasons)} of {len(tables)} {measures.counted} ({reasons[0]})"

    return [
        Headline(
            metric=KAPPA,
            scope="pooled",
            of=pooled,
            why=lambda tables: measures.why(KAPPA, tables.sum(axis=0)),
        ),
        Headline(metric=KAPPA, scope="macro", of=macro, why=why_no_mean),
    ]


def two_labellers(values: JudgedValues, truth: Codes, judges: Sequence[str]) -> Two:
    """Two judges on the answers that both and the reference have labelled.

    Parameters
    ----------
    truth : int array, shape (answers,)
        The reference's codes.
    """
    said = [values.of(judge) for judge in judges]
    known = truth >= 0
    both = known & (said[0].codes >= 0) & (said[1].codes >= 0)
    expected = known & (values.met(said[0].asked) | values.met(said[1].asked))
    common = _only(truth, both)
    first, second = (pair(values, _only(one.codes, both), common).tables for one in said)
    return Two(first=first, second=second, n=int(both.sum()), missing=int((expected & ~both).sum()))


def _only(codes: Codes, where: Bools) -> Codes:
    return np.where(where, codes, NO_VERDICT).astype(np.int8)


def best_first(
    rows: Sequence[AgreementRow], metric: str, *, without: Collection[str] = ()
) -> list[str]:
    """Judges by a pooled coefficient, those without one last; the raters of a reference apart."""
    values = {
        row.judge: row.metrics[metric].value
        for row in rows
        if row.scope == "pooled" and row.judge not in without
    }
    return sorted(values, key=lambda judge: (math.isnan(values[judge]), -values[judge], judge))
