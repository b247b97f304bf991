"""Progress on stderr: a bar with rate and time left on a terminal, a line a stage elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

import click

from judgebench.plain_text import printable, printable_lines

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class PlainProgress:
    """One line when a stage begins and one when it ends: for logs and pipes."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self._name = ""
        self._done = self._failed = 0
        self._began = 0.0

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def stage(self, name: str, total: int | None) -> None:
        self._close()
        self._name, self._done, self._failed = name, 0, 0
        self._began = time.monotonic()
        self.say(name if total is None else f"{name}: {total}")

    def advance(self, n: int = 1, *, failed: bool = False) -> None:
        self._done += n
        self._failed += n if failed else 0

    def say(self, message: str) -> None:
        click.echo(printable_lines(message), file=self.stream)

    def _close(self) -> None:
        if self._name and self._done:
            seconds = time.monotonic() - self._began
            failed = f", {self._failed} failed" if self._failed else ""
            self.say(f"{self._name}: {self._done - self._failed} done{failed} in {seconds:.1f} s")
        self._name = ""


class BarProgress:
    """A bar with count, rate, failures and time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress: Progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[failed]}", style="red", markup=False),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None
        self._failed = 0

    def __enter__(self) -> BarProgress:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
        self._progress.stop()

    def stage(self, name: str, total: int | None) -> None:
        self._close()
        self._failed = 0
        self._task = self._progress.add_task(printable(name), total=total, rate="", failed="")

    def advance(self, n: int = 1, *, failed: bool = False) -> None:
        if self._task is None:
            return
        self._failed += n if failed else 0
        self._progress.update(
            self._task,
            advance=n,
            rate=self._rate(),
            failed=f"{self._failed} failed" if self._failed else "",
        )

    def say(self, message: str) -> None:
        self._progress.console.print(printable_lines(message), markup=False, highlight=False)

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


class NoProgress:
    """Says nothing; for use as a library."""

    def stage(self, name: str, total: int | None) -> None: ...

    def advance(self, n: int = 1, *, failed: bool = False) -> None: ...

    def say(self, message: str) -> None: ...


def progress_for(stream: TextIO) -> PlainProgress | BarProgress:
    """A bar where a person looks at a terminal, lines elsewhere."""
    return BarProgress() if stream.isatty() else PlainProgress(stream)
