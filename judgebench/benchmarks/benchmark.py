"""What a run needs of a benchmark, whether it is a folder or a team's own prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from judgebench import protocols
from judgebench.benchmarks.presets import Manner
from judgebench.records import Case, Item, JsonObject, Response
from judgebench.template import PromptText


class LmEvalTask(Protocol):
    """The task that asks a local model."""

    @property
    def name(self) -> str: ...

    @property
    def include_path(self) -> Path:
        """The folder that its YAML file stands in."""
        ...

    @property
    def metadata(self) -> Mapping[str, Any]:
        """For ``TaskManager(metadata=…)``; that of several benchmarks can be merged."""
        ...

    @property
    def until(self) -> tuple[str, ...]:
        """Texts that end an answer; all there are."""
        ...

    @property
    def max_gen_toks(self) -> int:
        """The limit on an answer, in tokens."""
        ...

    @property
    def generation(self) -> Mapping[str, Any]:
        """What else the task says about decoding.

        A ``temperature`` may be one for each category, ``default`` for the others.
        """
        ...

    @property
    def further(self) -> Mapping[str, Any]:
        """What samples after the first are drawn with; empty where all are answered alike."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineAnswers:
    """A model's answers that a benchmark brings along, in a file of recorded answers."""

    model: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """Answers of models that a benchmark brings along to be judged, and what people say of them.

    ``models`` are in order of name, ``answers`` a file of recorded answers that names them, and
    ``labels`` a file of labels; None without any.
    """

    models: tuple[str, ...]
    answers: Path
    labels: Path | None


class Benchmark(protocols.Benchmark, Protocol):
    """One version of a benchmark, as a suite asks for it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The categories of its verdicts, where they are labels."""
        ...

    @property
    def positive(self) -> str:
        """The label that says an answer is right."""
        ...

    @property
    def default_judge(self) -> str:
        """The way of judging where a suite's judge does not name one."""
        ...

    @property
    def baseline_answers(self) -> BaselineAnswers | None:
        """The answers to compare with that come with the questions; None where none do."""
        ...

    @property
    def brought(self) -> Brought | None:
        """The answers to be judged that come with the questions; None where models are asked."""
        ...

    def judged_with(
        self, kind: str, options: JsonObject, sampling: JsonObject
    ) -> tuple[JsonObject, JsonObject]:
        """What a suite says of a judge of some kind, completed by what is usual here."""
        ...

    @property
    def judging_content(self) -> Mapping[str, Any]:
        """What judges are told about judging: rubric, scale, dimensions, answer types, if any."""
        ...

    @property
    def options(self) -> Mapping[str, Any]:
        """The options in effect, for a run's manifest."""
        ...

    @property
    def manner(self) -> Manner:
        """What a preset says to the models that are asked."""
        ...

    @property
    def prompts(self) -> Mapping[str, PromptText]:
        """Official judge prompts, by name."""
        ...

    @property
    def data_sha(self) -> str:
        """SHA-256 of the questions, as 64 hex digits."""
        ...

    @property
    def prompt_sha(self) -> str:
        """What is asked around a question, as a hash: part of a model's identity."""
        ...

    @property
    def logprobs(self) -> bool:
        """Whether an API is asked for the log-probabilities of first answers."""
        ...

    @property
    def needs_chat_template(self) -> bool:
        """Whether some item is a conversation, which no plain text can put to a model."""
        ...

    @property
    def lm_eval_task(self) -> LmEvalTask:
        """The task that asks a local model, and how long any model's answer may be."""
        ...

    def case(self, item: Item, responses: Sequence[Response]) -> Case:
        """What a judge is shown: one response, or two in the order given."""
        ...
