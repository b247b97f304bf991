"""The worker's two pipes: orders from the parent, events to it, and death when it is gone.

Importing this is cheap; `ParentPipe` is made before anything heavy is imported.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
from typing import Any


class ParentPipe:
    """One JSON object a line, both ways.

    Standard output is kept for events: descriptor 1 leads to standard error from here on, so that
    what a library prints cannot corrupt them. Standard input is kept for orders: descriptor 0 is
    empty from here on, so that a library that asks something is told that nobody answers.

    The end of the orders means that the parent has died, even by ``kill -9``: this process
    and its descendants end at once, whatever they are doing.
    """

    def __init__(self) -> None:
        self._events = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._incoming = os.fdopen(os.dup(0), encoding="utf-8")  # no child inherits it
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self._orders: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read_orders, name="orders", daemon=True).start()

    def order(self) -> dict[str, Any]:
        """The next line from the parent; waits for it."""
        order: dict[str, Any] = json.loads(self._orders.get())
        return order

    def tell(self, event: str, **fields: Any) -> None:
        """Send one event; a line is written whole before the next begins."""
        self._events.write(json.dumps({"event": event, **fields}) + "\n")
        self._events.flush()

    def _read_orders(self) -> None:
        for line in self._incoming:
            self._orders.put(line)
        end_with_descendants()


def end_with_descendants() -> None:
    """End this process at once, and its process group where it leads one (engine processes)."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
