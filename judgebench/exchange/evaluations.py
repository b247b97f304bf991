"""What other harnesses' logs hold: a model's answers to a task, with what was measured of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from judgebench.records import Item, ModelSpec, ResponseStatus, Runtime, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a metric or scorer says of one sample.

    value
        None where nothing can be read; then ``reason`` says why.
    unit
        Whether it is known to lie between 0 and 1.
    """

    value: float | None
    reason: str = ""
    unit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One text that the model gave; ``sample`` tells several to one item apart."""

    text: str
    raw: str
    sample: int = 0
    status: ResponseStatus = "ok"
    reasoning: str | None = None
    prompt: str | None = None
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row of a log.

    where
        File and row, for messages.
    part
        Which part of the log it is of (a filter of lm-eval's): within one, each item and ``sample``
        stand once.
    marks
        By the name of the judge they are kept under; about the answer numbered ``sample``.
    failure
        Why there is neither answer nor mark, in the words of the log.
    """

    where: str
    item: Item
    part: str = ""
    answers: tuple[Answer, ...] = ()
    marks: Mapping[str, Mark] = field(default_factory=dict)
    sample: int = 0
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One task of one run of another harness.

    samples
        Reads the log anew each time: of a hundred thousand samples none is held.
    printed
        By judge, the mean that the harness itself printed, where it says.
    fractions
        The judges whose marks are scores even where all of them happen to be 0 or 1.
    """

    path: Path
    benchmark: str
    version: str
    model: str
    spec: ModelSpec
    stack: Runtime | None
    samples: Callable[[], Iterator[Sample]]
    printed: Mapping[str, float] = field(default_factory=dict)
    fractions: frozenset[str] = frozenset()
    warnings: Sequence[str] = ()

    @property
    def at(self) -> tuple[str, str]:
        return self.benchmark, self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One run of another harness: its tasks, which are about one and the same model.

    what
        The format, as ``judgebench import`` calls it.
    when
        When it ran, as the log says; empty where it does not.
    files
        All that was read.
    """

    what: str
    when: str
    files: tuple[Path, ...]
    evaluations: tuple[Evaluation, ...]
