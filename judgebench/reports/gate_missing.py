"""What missing verdicts keep open: too many of them, or some that could turn a decision.

A test is decided as observed, and with what is missing at its worst and at its best for the
candidate. Only what all three say is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from judgebench.metrics.paired import Compared, View
from judgebench.stats.gate_rule import Decision, decide

MISSING_DECIDES = "missing verdicts: at their worst or best for the candidate, it decides otherwise"


def in_each_view(
    compared: Compared,
    levels: Mapping[View, float],
    *,
    margin: float,
    alpha: float,
    strict: float | None = None,
) -> dict[View, Decision]:
    """What a test says as observed, and with what is missing at its ends.

    Parameters
    ----------
    levels
        At which a regression is called in each view, adjusted over the policy.
    margin
        The allowed drop, without the unit.
    alpha
        Of a pass.
    strict
        A smaller drop: what is a regression by it is one.
    """
    found: dict[View, Decision] = {}
    for view, level in levels.items():
        test = compared.view(view)
        low, high = test.passing(alpha), test.bounds(level)[1]
        found[view] = decide(low, high, margin=margin, units=test.units)
        if strict is not None:
            strictly = decide(low, high, margin=strict, units=test.units)
            found[view] = strictly if strictly == "regression" else found[view]
    return found


def too_little_read(two: Sequence[str], readable: Sequence[float], floor: float) -> str | None:
    """That less than the floor could be read of a model's verdicts; None where enough could."""
    for model, share in zip(two, readable, strict=True):
        if share < floor:
            return (
                f"{100 * share:.1f} % of the verdicts on {model} could be read, and "
                f"{100 * floor:g} % have to be"
            )
    return None


def turned_by_missing(decisions: Mapping[View, Decision], compared: Compared) -> str | None:
    """That what is missing could turn a decision; None where it cannot."""
    if len(set(decisions.values())) > 1:
        return MISSING_DECIDES
    return None if compared.bounded else compared.why_unbounded
