"""Progress on stderr: a bar with rate and time left on a terminal, a line a stage elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Self, TextIO

import click

from judgebench.plain_text import dollars, printable
from judgebench.protocols import Meter, NoProgress, Progress
from judgebench.secret import masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

LONGEST_NAME = 24

LINE_S = 30.0
"""Between two lines about a stage that takes long, where nobody looks at a bar."""


def taken(figures: Meter, seconds: float) -> str:
    """What was taken since then, in a few words: calls, tokens, and money against the budget."""
    parts = []
    if figures.calls:
        parts.append(f"{figures.calls} calls ({figures.calls / max(seconds, 1.0):.1f}/s)")
    if figures.tokens:
        parts.append(f"{_short(figures.tokens)} tokens")
    if figures.cost_usd is not None and (figures.cost_usd or figures.budget_usd is not None):
        of = "" if figures.budget_usd is None else f" of {figures.budget_usd:g}"
        parts.append(f"{dollars(figures.cost_usd)}{of} USD")
    return ", ".join(parts)


def failures(by_kind: Mapping[str, int]) -> str:
    """How many failed, and of what: ``3 failed (2 timeout, 1 server)``."""
    total = sum(by_kind.values())
    kinds = ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in sorted(by_kind.items()))
    return f"{total} failed ({kinds})" if total else ""


def in_batches(waiting: int) -> str:
    """How many wait for the reply of a batch: ``40 put into batches``."""
    return f"{waiting} put into batches" if waiting else ""


def _cut(name: str) -> str:
    """A stage's name in one piece, at the side of a bar."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _short(count: int) -> str:
    if count < 10_000:
        return str(count)
    return f"{count / 1e3:.0f} k" if count < 1_000_000 else f"{count / 1e6:.1f} M"


@dataclass(slots=True)
class Stage:
    """What is counted of a stage; figures are those of when it was last told."""

    name: str = ""
    total: int | None = None
    done: int = 0
    waiting: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    figures: Meter = field(default_factory=Meter)
    since: float = field(default_factory=time.monotonic)


@dataclass(eq=False)
class Counted:
    """Counts what becomes of a stage, whoever is told of it."""

    now: Stage = field(default_factory=Stage, init=False)

    def stage(self, name: str, total: int | None) -> None:
        self.now = Stage(name, total)

    def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None:
        if failed is not None:
            self.now.failed[failed] += n
        elif waiting:
            self.now.waiting += n
        else:
            self.now.done += n

    def meter(self, figures: Meter) -> None:
        self.now.figures = figures

    def say(self, message: str) -> None: ...


@dataclass(eq=False)
class Told(Counted):
    """Counts for a progress that only is told."""

    progress: Progress

    def stage(self, name: str, total: int | None) -> None:
        super().stage(name, total)
        self.progress.stage(name, total)

    def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None:
        super().advance(n, failed=failed, waiting=waiting)
        self.progress.advance(n, failed=failed, waiting=waiting)

    def meter(self, figures: Meter) -> None:
        super().meter(figures)
        self.progress.meter(figures)

    def say(self, message: str) -> None:
        self.progress.say(message)


class _Shown(Counted, AbstractContextManager["_Shown"]):
    """A stage that is shown until it, or what shows it, ends."""

    def __exit__(self, *error: object) -> None:
        self._close()

    def _close(self) -> None: ...

    def _counts(self) -> tuple[str, str, str]:
        """What was taken, what waits and what failed; empty for nothing."""
        now = self.now
        took = taken(now.figures, time.monotonic() - now.since)
        return took, in_batches(now.waiting), failures(now.failed)


@dataclass(eq=False)
class PlainProgress(_Shown):
    """A line when a stage begins, one now and then, and one when it ends: for logs and pipes."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _told: float = field(default=-math.inf, init=False)

    def stage(self, name: str, total: int | None) -> None:
        self._close()
        super().stage(name, total)
        self._told = self.now.since
        self.say(name if total is None else f"{name}: {total}")

    def meter(self, figures: Meter) -> None:
        super().meter(figures)
        its, now = self.now, time.monotonic()
        if its.total and now - self._told >= LINE_S:
            self._told = now
            gone = its.done + its.waiting + its.failed.total()
            left_s = (now - its.since) / max(gone, 1) * (its.total - gone)
            self._say_with_counts(
                f"{its.name}: {gone} of {its.total}, "
                f"{gone / (now - its.since):.1f}/s, about {left_s:.0f} s left"
            )

    def say(self, message: str) -> None:
        click.echo(printable(masked(message), lines=True), file=self.stream)

    def _close(self) -> None:
        its = self.now
        if its.name and (its.done or its.waiting or its.failed):
            seconds = time.monotonic() - its.since
            self._say_with_counts(f"{its.name}: {its.done} done in {seconds:.1f} s")
        its.name = ""

    def _say_with_counts(self, line: str) -> None:
        took, *others = self._counts()
        self.say(", ".join(filter(None, (line, *others, took))))


class BarProgress(_Shown):
    """A bar with count, rate and time left; below it what was taken, and failures by kind."""

    def __init__(self) -> None:
        from rich.console import Console, RenderableType
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress
        from rich.text import Text

        super().__init__()
        below = self._below

        class Bars(RichProgress):
            """The bars, and a line of its own for what does not fit beside them."""

            def get_renderables(self) -> Iterable[RenderableType]:
                yield from super().get_renderables()
                if said := below():
                    yield Text(said, style="dim", overflow="ellipsis", no_wrap=True)

        self._task: TaskID | None = None
        self._progress: RichProgress = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._close()
        self._progress.stop()

    def stage(self, name: str, total: int | None) -> None:
        self._close()
        super().stage(name, total)
        self._task = self._progress.add_task(_cut(printable(name)), total=total, rate="")

    def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None:
        super().advance(n, failed=failed, waiting=waiting)
        if self._task is not None:
            self._progress.update(self._task, advance=n, rate=self._rate())

    def say(self, message: str) -> None:
        said = printable(masked(message), lines=True)
        self._progress.console.print(said, markup=False, highlight=False)

    def _below(self) -> str:
        said = ", ".join(filter(None, self._counts())) if self._task is not None else ""
        return said and f"  {said}"

    def _rate(self) -> str:
        speed = next((t.speed for t in self._progress.tasks if t.id == self._task), None)
        return f"{speed:.1f}/s" if speed else ""

    def _close(self) -> None:
        """A stage of unknown length ends as a full bar."""
        if self._task is None:
            return
        task = next(t for t in self._progress.tasks if t.id == self._task)
        if task.total is None:
            self._progress.update(
                self._task, total=max(task.completed, 1), completed=task.completed
            )
        self._progress.stop_task(self._task)
        self._task = None


def progress_for(stream: TextIO) -> PlainProgress | BarProgress:
    """A bar where a person looks at a terminal, lines elsewhere."""
    return BarProgress() if stream.isatty() else PlainProgress(stream)


@contextmanager
def shown(progress: Progress | None) -> Iterator[Progress]:
    """What is told of progress; where nobody says, it is shown in a notebook, and nowhere else.

    A bar in a notebook takes ipywidgets; without it there are lines.
    """
    if progress is not None or not _in_notebook():
        yield progress or NoProgress()
        return
    bars = find_spec("ipywidgets") is not None
    with BarProgress() if bars else PlainProgress() as told:
        yield told


def _in_notebook() -> bool:
    """Whether a kernel of Jupyter carries this out, which has IPython then."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")
