"""Judges that say nearly always the same where the reference does not.

A judge that calls every answer of a model correct has seen nothing of it, and its figures over all
models do not show that. Of two models that deserve one verdict throughout a good judge says the
same as well, so that what counts is how much rarer its other verdicts are than the reference's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.verdict_table import Ints

Codes: TypeAlias = NDArray[np.signedinteger]


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


def near_constant(
    said: Codes,
    truth: Codes,
    model_of: Ints,
    *,
    n_models: int,
    rule: NearConstantRule,
    one_scale: bool = True,
) -> Iterator[tuple[int | None, int, int, int, int]]:
    """Where a judge says nearly always the same: over all answers of several models, and of each.

    Parameters
    ----------
    said, truth : int array, shape (answers,)
        What judge and reference say, as codes; below 0 where one says nothing. Counted is where
        both say something.
    one_scale
        Whether equal codes are equal verdicts; where they are not, as of scores on two scales, the
        reference's most frequent one stands beside the judge's.

    Yields
    ------
    model or None for all, the judge's code, how often it and the reference say so, and of how many
    """
    both = (said >= 0) & (truth >= 0)
    width = int(max(said.max(initial=0), truth.max(initial=0))) + 1
    mine, theirs = (
        np.bincount(model_of[both] * width + codes[both], minlength=n_models * width).reshape(
            n_models, width
        )
        for codes in (said, truth)
    )
    groups: list[int | None] = [None, *range(n_models)]
    of_mine = np.concatenate([mine.sum(axis=0, keepdims=True), mine])
    of_theirs = np.concatenate([theirs.sum(axis=0, keepdims=True), theirs])
    several = int((mine.sum(axis=1) > 0).sum()) > 1
    for group, counts, reference in zip(groups, of_mine, of_theirs, strict=True):
        if group is None and not several:
            continue
        n, code = int(counts.sum()), int(counts.argmax())
        same = int(counts[code])
        reference_same = int(reference[code] if one_scale else reference.max())
        others, rare = n - reference_same, n - same
        if (
            n >= rule.fewest
            and same >= round(rule.share * n, 9)
            and others >= max(rule.others, round((1.0 - rule.share) * n, 9), rule.rarer * rare)
        ):
            yield group, code, same, reference_same, n


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
    said: Codes,
    truth: Codes,
    model_of: Ints,
    models: Sequence[tuple[str, str | None]],
    words: Sequence[str],
    rule: NearConstantRule,
    *,
    one_scale: bool = True,
) -> list[NearConstant]:
    """As `near_constant`, with names: of models and their opponents, and in words of verdicts."""
    found = near_constant(
        said, truth, model_of, n_models=len(models), rule=rule, one_scale=one_scale
    )
    return [
        NearConstant(
            judge=judge,
            reference=reference,
            model=None if at is None else models[at][0],
            opponent=None if at is None else models[at][1],
            says=words[code],
            share=same / n,
            reference_share=reference_same / n,
            n=n,
        )
        for at, code, same, reference_same, n in found
    ]
