"""What the items of a plan could detect, and what that takes in either of two designs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from judgebench.execution.resolve import JudgeAssignment
from judgebench.stats.two_designs import TwoDesigns


@dataclass(frozen=True, slots=True, kw_only=True)
class Designs:
    """What one drop takes through the board and head to head; ``undefined`` says why not.

    Figures of ``found`` times ``unit`` are in the metric's units. What is said of head to head
    rests on so many ``pairs`` of models that ``judges`` compared in both orders, if any.
    """

    found: TwoDesigns | None = None
    undefined: str | None = None
    metric: str = ""
    unit: float = 1.0
    pairs: int = 0
    judges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PassesUnchanged:
    """A gate's test of so many ``items``, as it would pass a model that is as good.

    ``spread``, ``width`` and ``binary`` are as in `judgebench.stats.unchanged.passes_unchanged`,
    ``unit`` is what a figure is multiplied with to be in the metric's units. ``drop`` is the
    allowed drop that was asked about, in these; None for 2 points of the scale.
    """

    metric: str
    spread: float
    items: int
    width: float
    binary: bool
    unit: float
    drop: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectable:
    """The smallest difference that the items of a plan could detect, in the metric's units.

    ``difference`` is nan where it is not known, and then ``undefined`` says why. It rests on so
    many ``pairs`` of models that ``judges`` judged before. ``items_needed`` detect a margin that
    was asked about; None where none was, nan where nobody knows. ``designs`` is what that margin,
    else this difference, takes head to head; None for a judge of whom it is not asked.
    ``unchanged`` is how often a gate would pass a model that is as good; None where the spread is
    not known.
    """

    metric: str = ""
    difference: float = math.nan
    undefined: str | None = None
    items_needed: float | None = None
    pairs: int = 0
    judges: tuple[str, ...] = ()
    designs: Designs | None = None
    unchanged: PassesUnchanged | None = None


Detects = Callable[[JudgeAssignment, int], Detectable | None]
"""Says of a judge and a number of distinct items what they could detect; None for one of whom that
is not asked."""
