"""Hearing the judge once more before a regression is called.

A regression that rests on the luck of one night's verdicts does not come again when the judge is
asked afresh about the same answers. Both times the test is at alpha, so an unchanged model is
called worse no more often than without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from judgebench.metrics.paired import PairedModels, compare
from judgebench.records import JudgeSpec
from judgebench.reports.board_data import IMPORTED

Confirmation = Literal["wanted", "confirmed", "refuted", "impossible"]


def heard_afresh(
    judge: JudgeSpec | None,
    fresh: Callable[[], PairedModels] | None,
    pair: PairedModels,
    *,
    floor: float,
    alpha: float,
    seed: int,
) -> tuple[Confirmation, str | None]:
    """What the judge said of a regression when it was asked afresh, and why it stays open.

    Parameters
    ----------
    judge
        None for a panel.
    fresh
        Gives the same pair by fresh verdicts alone; None for a metric that is not made of verdicts
        alone (at equal length, of confidences).
    pair
        What the regression rests on.
    floor
        The share of its items of which both models need a fresh readable verdict.

    Returns
    -------
    tuple
        The second is None where the regression is called: confirmed, or no other verdict can be
        had.
    """
    if fresh is None or judge is None or not _can_be_asked(judge):
        return "impossible", None
    again = fresh()
    known, wanted = _of_both(again), _of_both(pair)
    if known < floor * wanted:
        done = f", of {known} of {wanted} items so far" if known else ""
        return "wanted", (
            "a first regression, to be confirmed: `judgebench run SUITE --confirm GATE.json` asks "
            f"{pair.judge} afresh about both models{done}; then the gate again"
        )
    found = compare(again, alpha=alpha, seed=seed).observed
    if found.high < 0.0:
        return "confirmed", None
    return "refuted", (
        f"not confirmed: asked afresh, {pair.judge} gives a p of {found.p_worse:.3f} to a "
        "candidate that is no worse"
    )


def _can_be_asked(spec: JudgeSpec) -> bool:
    """Whether a judge can say something else: not one that goes by a rule, nor one of elsewhere."""
    return spec.model is not None and spec.kind != IMPORTED


def _of_both(pair: PairedModels) -> int:
    """Items with a readable verdict on both."""
    return int((~np.isnan(pair.mean).any(axis=1)).sum()) if pair.why_not is None else 0
