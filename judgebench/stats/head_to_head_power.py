"""Two ways to see one and the same drop, and which of them takes fewer judgments.

Through the board, candidate and baseline are each compared with a common opponent, and the
difference of their win rates is tested. Head to head, the candidate's answers are compared with the
baseline's own, in both orders, and the win rate is tested beside one half.

A drop is not of the same size in both. Win rates are taken to follow Bradley and Terry [1]_: each
model has one strength, and the log odds of winning are the difference of two. The candidate's odds
against the baseline are then the ratio of their odds against the opponent. A small drop m at a win
rate p is one of m / (4 p (1 - p)) head to head: as large where the opponent wins half, and larger
the more one-sided the board is. That is said of win rates over all items. It is not said of single
items, where the probabilities that a judge states do not follow it.

References
----------
.. [1] R. A. Bradley and M. E. Terry (1952), Rank analysis of incomplete block designs: I. The
   method of paired comparisons, Biometrika 39(3/4), 324-345.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from judgebench.stats.gate_rule import POWER, detectable, units_to_detect

Fewer = Literal["head_to_head", "board", "equal"]

MOST_SPREAD = 0.5
"""Of win rates of two models that are alike: verdicts lie between 0 and 1, and their mean is ½."""


def head_to_head_drop(drop: float, level: float) -> float:
    """How far below one half a candidate's win rate against the baseline is.

    Parameters
    ----------
    drop : float
        By which its win rate against a common opponent is below the baseline's, above 0.
    level : float
        The baseline's win rate against that opponent, in (0, 1).

    Returns
    -------
    float
        In (0, ½); nan where the candidate would win nothing any more, or a level is not known.

    Examples
    --------
    >>> round(head_to_head_drop(0.1, 0.5), 4)  # odds of 2 to 3 against odds of 1 to 1
    0.1
    >>> round(head_to_head_drop(0.1, 0.2), 4)  # odds of 1 to 9 against odds of 1 to 4
    0.1923
    """
    below = level - drop
    if not (0.0 < below < level < 1.0):
        return math.nan
    won, lost = below * (1.0 - level), level * (1.0 - below)
    return 0.5 - won / (won + lost)


def head_to_head_units(spread: float, drop: float, *, alpha: float, power: float = POWER) -> float:
    """How many items show, head to head, a win rate that is a drop below one half.

    Counted as if each item were won, tied or lost, and as many tied as between models that are
    alike: flipping the signs of those is McNemar's exact test of what was decided. A judge that
    states probabilities leaves fewer ties among the signs, and needs rather fewer items.

    Parameters
    ----------
    spread : float
        Of an item's win about one half, its orders averaged; `MOST_SPREAD` at most.
    drop : float
        In (0, ½).

    Returns
    -------
    float
        nan where the spread is 0, or either is not known.
    """
    if math.isnan(drop):
        return math.nan
    decided = max((2.0 * spread) ** 2, 2.0 * drop)
    return units_to_detect(
        2.0 * spread, 2.0 * drop, alpha=alpha, power=power, right=decided, exact=True
    )


def head_to_head_detectable(
    spread: float, units: int, *, alpha: float, power: float = POWER
) -> float:
    """The smallest drop that so many items show head to head; nan where they show none.

    Parameters
    ----------
    spread
        As for `head_to_head_units`.
    """
    decided = (2.0 * spread) ** 2
    found = detectable(2.0 * spread, units, alpha=alpha, power=power, right=decided, exact=True)
    return found / 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoDesigns:
    """What either design takes to find one drop with the same power.

    drop, head_drop
        The drop on the board and the same drop head to head, both in shares.
    level
        The win rate on the board at which it happens.
    board_items, head_items
        How many items find it; nan where that is not known.
    at_most
        Whether ``head_items`` are the most that there can be, as nobody knows the spread.
    even_drop
        With a larger drop head to head, that needs fewer judgments, also where the baseline's are
        recorded. It does not rest on Bradley and Terry.
    board_each, head_each
        How many judgments there are on one item: of one model on the board, and head to head.
    """

    drop: float
    head_drop: float
    level: float
    board_items: float
    head_items: float
    at_most: bool
    even_drop: float
    board_each: int
    head_each: int

    @property
    def board_judgments(self) -> float:
        """On candidate and baseline."""
        return 2.0 * self.board_recorded

    @property
    def board_recorded(self) -> float:
        """On the candidate, where those on the baseline are recorded."""
        return _whole(self.board_items) * self.board_each

    @property
    def head_judgments(self) -> float:
        return _whole(self.head_items) * self.head_each

    @property
    def fewer(self) -> Fewer | None:
        """Which needs fewer judgments; None where nobody knows."""
        return self._beside(self.board_judgments)

    @property
    def fewer_recorded(self) -> Fewer | None:
        """Which needs fewer, where the baseline's verdicts on the board are recorded."""
        return self._beside(self.board_recorded)

    def _beside(self, board: float) -> Fewer | None:
        head = self.head_judgments
        if head < board:
            return "head_to_head"
        if self.at_most or math.isnan(head) or math.isnan(board):
            return None
        return "board" if board < head else "equal"


def two_designs(
    *,
    drop: float,
    level: float,
    board_items: float,
    spread: float | None,
    board_each: int,
    head_each: int,
    alpha: float,
    power: float = POWER,
) -> TwoDesigns:
    """Compare both designs at one drop.

    Parameters
    ----------
    drop, level
        As for `head_to_head_drop`.
    board_items : float
        How many items find the drop through the board (`units_to_detect`).
    spread : float or None
        Of an item's win head to head about one half, its orders averaged (`PairedTest.spread` of
        models that are alike). None where nobody knows: it is then at most `MOST_SPREAD`.
    board_each, head_each : int
        Judgments on one item, of one model and of the pair.
    """
    head_drop = head_to_head_drop(drop, level)
    widest = MOST_SPREAD if spread is None else spread
    affordable = _whole(board_items) * board_each / head_each
    return TwoDesigns(
        drop=drop,
        head_drop=head_drop,
        level=level,
        board_items=board_items,
        head_items=head_to_head_units(widest, head_drop, alpha=alpha, power=power),
        at_most=spread is None,
        even_drop=math.nan
        if math.isnan(affordable)
        else head_to_head_detectable(widest, math.floor(affordable), alpha=alpha, power=power),
        board_each=board_each,
        head_each=head_each,
    )


def _whole(items: float) -> float:
    """Items are not divided; nan stays nan."""
    return math.nan if math.isnan(items) else float(math.ceil(items))
