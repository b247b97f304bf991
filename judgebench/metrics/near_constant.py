"""Judges that say nearly always the same where the reference does not.

A judge that calls every answer of a model correct has seen nothing of it, and its figures over all
models do not show that. Of two models that deserve one verdict throughout a good judge says the
same as well, so that what counts is how much rarer its other verdicts are than the reference's.
"""

from __future__ import annotations

from collections.abc import Sequence
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
