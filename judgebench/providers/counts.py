"""How many calls were made, saved, repeated and lost; what a run's last line says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Counts:
    """Calls of one provider.

    sent
        Questions whose reply was fetched.
    recorded
        Questions answered without asking: by a recorded reply, or by the same question in flight.
    retried
        Attempts beyond the first.
    failed
        Questions given up.
    """

    sent: int = 0
    recorded: int = 0
    retried: int = 0
    failed: int = 0
