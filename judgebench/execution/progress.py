"""How far a run is, told in its manifest as it goes, for whoever reads the store meanwhile."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

from judgebench.errors import StoreBusyError, StoreFullError
from judgebench.protocols import Meter, Progress, at_once
from judgebench.records import JsonObject, RunManifest
from judgebench.store import Store

TOLD_S = 2.0
"""Between two times at which the manifest is written: a commit, beside hundreds of judgments."""


@dataclass(slots=True)
class ProgressRecorder:
    """A progress that tells another one the same, and the store now and then.

    Only the thread of the run that writes the rest of it may tell it anything.
    """

    shown: Progress
    store: Store
    manifest: RunManifest
    name: str = ""
    total: int | None = None
    done: int = 0
    waiting: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    figures: Meter = field(default_factory=Meter)
    began: float = 0.0
    _told: float = 0.0

    def stage(self, name: str, total: int | None) -> None:
        self.shown.stage(name, total)
        self.name, self.total = name, total
        self.done = self.waiting = 0
        self.failed.clear()
        self.figures, self.began = Meter(), time.time()
        self._tell()

    def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None:
        self.shown.advance(n, failed=failed, waiting=waiting)
        if failed is not None:
            self.failed[failed] += n
        elif waiting:
            self.waiting += n
        else:
            self.done += n
        self._tell_if_due()

    def meter(self, figures: Meter) -> None:
        self.shown.meter(figures)
        self.figures = figures
        self._tell_if_due()

    def say(self, message: str) -> None:
        self.shown.say(message)

    def _tell_if_due(self) -> None:
        if time.monotonic() - self._told >= TOLD_S:
            self._tell()

    def _tell(self) -> None:
        """Not said where others write or no room is left: it is said again in two seconds."""
        self._told = time.monotonic()
        with suppress(StoreBusyError, StoreFullError), at_once():
            self.store.update_run(replace(self.manifest, progress=self._progress()))

    def _progress(self) -> JsonObject:
        return {
            "stage": self.name,
            "total": self.total,
            "done": self.done,
            "waiting": self.waiting,
            "failed": dict(self.failed),
            "began": self.began,
            "at": time.time(),
            **asdict(self.figures),
        }
