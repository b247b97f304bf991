"""What came of a gate: each test, the verdict over all of them, and what else changed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from judgebench.records import Estimate
from judgebench.reports.gate_confirm import Confirmation
from judgebench.reports.gate_unchanged import Unchanged
from judgebench.reports.model_pairs import Flip
from judgebench.reports.slide import SlideReport
from judgebench.stats.gate_rule import Deciding, Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One test and what came of it; figures are in the metric's units.

    candidate, baseline, candidate_id, baseline_id
        The models as they are shown, and their short ids.
    confidence, higher_is_better
        Of what confidence the metric is, None elsewhere; where lower is better, ``max_drop`` and
        ``detectable_drop`` are rises.
    difference
        Candidate minus baseline, with the bounds that decide; ``worst_low`` and ``worst_high`` with
        what is missing at its ends.
    levels
        With which each bound holds by itself, the lower one's first: a pass is decided at
        1 - alpha, a regression at the level that the test has among all tests of the policy.
    p_value, p_adjusted
        Of a candidate that is no worse; nan where nothing could be tested.
    because
        Why it is inconclusive; None where it is decided.
    detectable_drop
        What these items find with a power of 80 %, at the strictest level of the policy; nan where
        that is not known.
    to_decide
        How many items decide with a chance of 80 %, if the true difference is as observed.
    by_strict
        Whether it is a regression by ``strict_drop`` alone, and would pass at ``max_drop``.
    strict_drop, passes_at_strict
        A smaller drop at which it is said as well whether it passes; None where none was asked for.
    margin_source
        Where the allowed drop is from: ``policy``, ``--max-drop``, or how it was chosen.
    unchanged
        How often the test passes a model that is as good; None where nobody worked it out.
    confirmation
        What came of asking the judge afresh, for a policy that wants that before a regression is
        called; None where it was not in question.
    flips
        The items on which the two differ, those that cost the candidate most first.
    slide
        What all nights since the policy's fixed baseline say together; None without one. It is a
        decision of its own.
    """

    benchmark: str
    version: str
    metric: str
    judge: str
    judge_id: str | None
    candidate: str
    baseline: str
    candidate_id: str
    baseline_id: str
    max_drop: float
    decision: Decision
    because: str | None
    values: tuple[float, float]
    difference: Estimate
    levels: tuple[float, float]
    p_value: float
    p_adjusted: float
    detectable_drop: float
    to_decide: Deciding | None
    coverage: tuple[float, float]
    confirmation: Confirmation | None = None
    flips: tuple[Flip, ...] = ()
    confidence: str | None = None
    higher_is_better: bool = True
    slide: SlideReport | None = None
    strict_drop: float | None = None
    passes_at_strict: bool | None = None
    by_strict: bool = False
    margin_source: str = "policy"
    unchanged: Unchanged | None = None

    @property
    def verdict(self) -> Decision:
        """A regression if the night or the slide says so, else what the night says."""
        slid = self.slide is not None and self.slide.outcome == "slide"
        return "regression" if slid else self.decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """What changed beside the model, whatever became of the tests."""

    kind: Literal["judge_drift", "served_model"]
    benchmark: str
    judge: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """The tests of a policy, the verdict over all of them, and what else changed.

    chance_unchanged
        How often all tests pass a model that is as good as the baseline; nan where that is not
        known of one of them.
    """

    verdict: Decision
    candidate: str
    baseline: str
    alpha: float
    correction: str
    tests: tuple[Decided, ...]
    alarms: tuple[Alarm, ...] = ()
    notes: tuple[str, ...] = ()
    chance_unchanged: float = math.nan
