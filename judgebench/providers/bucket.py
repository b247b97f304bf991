"""How much may be taken in a minute, evenly."""

from __future__ import annotations

_MINUTE_S = 60.0


class Bucket:
    """Fills evenly, up to a sixtieth of what may be taken in a minute, but one at least.

    What costs more than it can hold is given once it is full, and leaves a debt. So in no minute
    more is taken than is allowed, but for the rest of one such cost.
    """

    def __init__(self, per_minute: float, now: float) -> None:
        self._size, self._per_s = _shape(per_minute)
        self._level = self._size
        self._filled_at = now

    def set_rate(self, per_minute: float, now: float) -> None:
        self._fill(now)
        self._size, self._per_s = _shape(per_minute)

    def wait_s(self, cost: float, now: float) -> float:
        """Seconds until so much may be taken."""
        self._fill(now)
        return max(0.0, min(cost, self._size) - self._level) / self._per_s

    def take(self, cost: float, now: float) -> None:
        """Take it, or give back where the cost is negative."""
        self._fill(now)
        self._level = min(self._size, self._level - cost)

    def _fill(self, now: float) -> None:
        self._level = min(self._size, self._level + max(0.0, now - self._filled_at) * self._per_s)
        self._filled_at = now


def _shape(per_minute: float) -> tuple[float, float]:
    """What a bucket holds, and how much flows into it in a second."""
    size = max(1.0, per_minute / _MINUTE_S)
    # What it holds at first is part of the first minute as well, but for the one it begins with.
    return size, (per_minute - size + 1) / _MINUTE_S
