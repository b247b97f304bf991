"""Standard streams that may be closed, full, or read by somebody who has seen enough.

What a command prints is its result: where that cannot be written, the command says so. What it says
meanwhile is not: a run goes on when nobody reads its progress any more.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import click

from judgebench.errors import JudgebenchError
from judgebench.plain_text import printable_lines
from judgebench.secret import masked


class NobodyReadsError(Exception):
    """Whoever read stdout is gone, as in ``judgebench … | head``."""


class OutputError(JudgebenchError):
    """Stdout cannot be written."""


def say(message: str) -> None:
    """A message on stderr without keys, that does nothing to a terminal, whoever wrote it."""
    click.echo(printable_lines(masked(message)), err=True)


def in_github() -> bool:
    """Whether this is a step of a workflow, where a line may be an annotation."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def summarise(text: str) -> None:
    """Append Markdown to the summary of a CI job, where it has one.

    A summary that cannot be written is said and turns no exit code.
    """
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(path).open("a", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            why = error.strerror or error
            say(f"the job's summary, GITHUB_STEP_SUMMARY={path}, cannot be written: {why}")


def prepare() -> None:
    """Make the standard streams of this process such that printing is safe.

    For the start of a process: file descriptors 0 to 2 are filled where they were closed, so that
    no store is opened as one of them.
    """
    while (hole := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(hole, True)
    os.close(hole)
    sys.stdout = _text(1, _Result, sys.stdout)
    sys.stderr = _text(2, _Aside, sys.stderr)


def _text(number: int, kind: Callable[..., io.FileIO], old: TextIO | None) -> TextIO:
    raw = kind(number, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=old.encoding if old is not None else "utf-8",
        errors="backslashreplace" if number == 2 else old.errors if old is not None else "strict",
        line_buffering=number == 2 or raw.isatty(),
    )


class _Result(io.FileIO):
    """A stdout whose faults are told from those of other files."""

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError as error:
            _to_nowhere(self.fileno())  # what is still buffered is not tried again at exit
            if isinstance(error, BrokenPipeError):
                raise NobodyReadsError from None
            raise OutputError(f"stdout cannot be written: {error.strerror or error}") from None


class _Aside(io.FileIO):
    """A stderr that takes everything."""

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError:  # there is nowhere left to say it; results are in the store and on stdout
            _to_nowhere(self.fileno())
            return len(data)


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
