"""Stand-ins of a store that write at once what an event loop submits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class WrittenAtOnce:
    def waiting(self) -> tuple[int, int]:
        return 0, 0

    def submit(
        self,
        work: Callable[[Any], Any],
        done: Any,
        *,
        paid: object = None,
    ) -> None:
        try:
            done.set_result(work(self))
        except Exception as error:  # noqa: BLE001 - told, as by the thread that writes
            done.set_exception(error)
