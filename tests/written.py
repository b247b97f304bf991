"""Stand-ins of a store that write at once what an event loop submits."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class WrittenAtOnce:
    def waiting(self) -> tuple[int, int]:
        return 0, 0

    def submit(
        self,
        work: Callable[[Any], Any],
        tell: Callable[[list[Any]], None],
        *,
        about: Any = None,
        paid: object = None,
    ) -> None:
        entry = SimpleNamespace(about=about, value=None, error=None)
        try:
            entry.value = work(self)
        except Exception as error:  # noqa: BLE001 - told, as by the thread that writes
            entry.error = error
        tell([entry])
