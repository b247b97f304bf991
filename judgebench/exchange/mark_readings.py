"""How the marks of another harness become verdicts: as labels, or as scores on a scale.

A metric is read one way throughout a log, since a board holds either labels or scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from judgebench.exchange.evaluations import Mark
from judgebench.records import BINARY, Label, Score, Unreadable, Verdict

Reading: TypeAlias = Literal["label", "unit score", "score"]
"""``label``: all marks are 0 or 1. ``unit score``: on the scale from 0 to 1. ``score``: on one
whose ends nobody stated."""

_WIDER: Mapping[Reading, int] = {"label": 0, "unit score": 1, "score": 2}
_CLOSE = 1e-9


@dataclass(slots=True)
class Survey:
    """What the marks of one judge look like throughout a log."""

    n: int = 0
    total: float = 0.0
    unread: int = 0
    binary: bool = True
    unit: bool = True

    def add(self, mark: Mark) -> None:
        if mark.value is None:
            self.unread += 1
            return
        self.n += 1
        self.total += mark.value
        self.binary = self.binary and mark.value in (0, 1)
        self.unit = self.unit and mark.unit

    def reading(self, *, fraction: bool) -> Reading | None:
        """None where there is no number at all: then there is nothing to read."""
        if not self.n:
            return None
        if self.binary and not fraction:
            return "label"
        return "unit score" if self.unit else "score"


@dataclass(slots=True)
class Surveys:
    """Of all judges of a log."""

    fractions: frozenset[str]
    of: dict[str, Survey] = field(default_factory=dict)

    def add(self, marks: Mapping[str, Mark]) -> None:
        for judge, mark in marks.items():
            survey = self.of.get(judge)
            if survey is None:
                survey = self.of[judge] = Survey()
            survey.add(mark)

    def readings(self) -> dict[str, Reading]:
        found = {
            judge: survey.reading(fraction=judge in self.fractions)
            for judge, survey in self.of.items()
        }
        return {judge: reading for judge, reading in found.items() if reading is not None}

    def left_out(self) -> list[str]:
        """The judges that gave no number for any sample."""
        return sorted(judge for judge, survey in self.of.items() if not survey.n)

    def other_means(self, printed: Mapping[str, float]) -> list[str]:
        """Where the mean of what is there is not what the harness printed, in words."""
        found = []
        for judge, said in sorted(printed.items()):
            survey = self.of.get(judge)
            if survey is None or not survey.n:
                continue
            mean = survey.total / survey.n
            if not math.isclose(mean, said, rel_tol=_CLOSE, abs_tol=_CLOSE):
                found.append(
                    f"{judge}: the mean over samples is {mean:.6g}, the log itself says {said:.6g};"
                    " it is put together in another way there, and boards show the mean"
                )
        return found


def wider(one: Reading, other: Reading) -> Reading:
    """The reading that holds the marks of both."""
    return max(one, other, key=_WIDER.__getitem__)


def verdict(mark: Mark, reading: Reading) -> Verdict:
    """What a mark says, read so."""
    if mark.value is None:
        return Unreadable(reason=mark.reason)
    if reading == "label":
        return _LABELS[int(mark.value)]
    low, high = (0.0, 1.0) if reading == "unit score" else (-math.inf, math.inf)
    return Score(value=mark.value, low=low, high=high)


_LABELS = tuple(Label(name=name) for name in BINARY)
