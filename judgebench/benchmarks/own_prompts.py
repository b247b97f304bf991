"""A team's own prompts as a benchmark: a file of questions and a few lines of a suite, no code.

How answers are judged follows from what the suite gives: a rubric with a scale, a baseline to
compare with, or references in the file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from judgebench import registry
from judgebench.benchmarks.benchmark import LmEvalTask
from judgebench.benchmarks.description import NAME
from judgebench.benchmarks.own_task import OwnTask
from judgebench.benchmarks.presets import Manner
from judgebench.benchmarks.prompt_rows import Question, questions_sha, read_questions
from judgebench.config import BenchmarkConfig
from judgebench.errors import ConfigError
from judgebench.keys import text_sha
from judgebench.records import BINARY, Case, Item, JsonObject, Response, RunManifest
from judgebench.rows import text_file
from judgebench.template import PromptText

DEFAULT_SCALE = (1.0, 10.0)
"""The scale of a rubric for which a suite gives none."""

DEFAULT_MAX_TOKENS = 1024
"""How long an answer may be where a suite does not say, in tokens."""

_VERSION_DIGITS = 12


@dataclass(frozen=True, kw_only=True)
class OwnPrompts:
    """Questions from a file, with what a suite says; satisfies `benchmark.Benchmark`.

    ``rubric`` is its text, ``scale`` the lowest and highest score where there are scores, and
    ``max_tokens`` the limit on an answer. ``baseline`` is the model that answers are compared with.
    """

    name: str
    path: Path
    questions: tuple[Question, ...]
    rubric: str | None = None
    scale: tuple[float, float] | None = None
    dimensions: tuple[str, ...] = ()
    baseline: str | None = None
    max_tokens: int = DEFAULT_MAX_TOKENS

    @cached_property
    def questions_sha(self) -> str:
        """SHA-256 of ids, turns, references, categories and languages."""
        return questions_sha(self.questions)

    @cached_property
    def data_sha(self) -> str:
        """SHA-256 of all that tells this version from others."""
        return self.questions_sha

    @property
    def version(self) -> str:
        """The beginning of `data_sha`: changed questions are another version, a rubric is not.

        The rubric is part of the identity of the judges that read it.
        """
        return self.data_sha[:_VERSION_DIGITS]

    @property
    def labels(self) -> tuple[str, ...]:
        return BINARY

    @property
    def positive(self) -> str:
        return BINARY[-1]

    @property
    def default_judge(self) -> str:
        """``rubric`` with a scale, ``pairwise`` with a baseline, ``reference`` with references.

        Raises
        ------
        ConfigError
            Where the suite and the file give none of them.
        """
        if self.scale is not None:
            return "rubric"
        if self.baseline is not None:
            return "pairwise"
        without = [question.id for question in self.questions if not question.references]
        if not without:
            return "reference"
        raise ConfigError(
            f"benchmark {self.name}: nothing says how its answers are judged. Give one of\n"
            "  rubric: rubric.txt and scale: [1, 10]   to have each answer rated\n"
            "  baseline: last-week                     to compare with the answers of that model\n"
            "  a 'reference' to each prompt            to ask whether an answer is right "
            f"({len(without)} of {len(self.questions)} have none, the first is {without[0]!r})\n"
            "or name the judge's 'kind'"
        )

    @property
    def judging_content(self) -> Mapping[str, Any]:
        """What judges are told: ``rubric``, ``scale`` and ``dimensions``, where there are any."""
        given = {"rubric": self.rubric, "scale": self.scale, "dimensions": list(self.dimensions)}
        return {name: value for name, value in given.items() if value}

    @property
    def baseline_answers(self) -> None:
        """None: whom to compare with is a model of the suite."""
        return None

    @property
    def brought(self) -> None:
        """None: a suite names models and files of answers."""
        return None

    def judged_with(
        self, kind: str, options: JsonObject, sampling: JsonObject
    ) -> tuple[JsonObject, JsonObject]:
        """As the suite says; nothing is usual for prompts of one's own."""
        return options, sampling

    @property
    def options(self) -> Mapping[str, Any]:
        """What is in effect, for a run's manifest; the rubric as its SHA-256."""
        judging = dict(self.judging_content)
        if self.rubric is not None:
            judging["rubric"] = text_sha(self.rubric)
        return {**judging, "max_tokens": self.max_tokens}

    @property
    def manner(self) -> Manner:
        """As a suite says; prompts of one's own have no presets."""
        return Manner()

    @property
    def prompts(self) -> Mapping[str, PromptText]:
        """None: no prompt is official for prompts of one's own."""
        return {}

    @property
    def prompt_sha(self) -> str:
        """That of nothing around the question."""
        return text_sha("{question}")

    @property
    def logprobs(self) -> bool:
        """No: nobody here asks how sure of an answer its probabilities are."""
        return False

    @cached_property
    def needs_chat_template(self) -> bool:
        """Whether some item is a conversation, which no plain text can put to a model."""
        return any(len(question.turns) > 1 for question in self.questions)

    def items(self, limit: int | None = None) -> Sequence[Item]:
        """The items in the order of the file."""
        return self._items if limit is None else self._items[:limit]

    @cached_property
    def _items(self) -> tuple[Item, ...]:
        return tuple(
            Item(
                benchmark=self.name,
                version=self.version,
                id=question.id,
                turns=question.turns,
                references=question.references,
                category=question.category,
                language=question.language,
                metadata=question.metadata,
                prompt=question.prompt,
            )
            for question in self.questions
        )

    def case(self, item: Item, responses: Sequence[Response]) -> Case:
        """One case of the responses, whole, in the order shown."""
        return Case(item=item, responses=tuple(responses))

    def cases(self, item: Item, responses: Sequence[Response]) -> Iterator[Case]:
        """The one case that `case` makes."""
        yield self.case(item, responses)

    @property
    def lm_eval_task(self) -> LmEvalTask:
        """The task that asks a local model, a conversation message by message."""
        return OwnTask(
            benchmark=self.name,
            items=self.path,
            sha=self.data_sha,
            max_gen_toks=self.max_tokens,
        )


def own_benchmark(
    config: BenchmarkConfig, questions: tuple[Question, ...] | None = None
) -> OwnPrompts:
    """The benchmark that a suite's section with ``items`` describes.

    Parameters
    ----------
    questions
        Where they are read already: what stands in ``items`` otherwise.

    Raises
    ------
    ConfigError
        For a name that is taken or cannot be one, or options, which own prompts do not have.
    InputError
        For a file of prompts or a rubric that cannot be used, naming row and field.
    """
    if config.items is None:
        raise ConfigError(f"benchmark {config.name}: name the file of its prompts as 'items'")
    check_name(config.name)
    if config.options:
        raise ConfigError(
            f"benchmark {config.name}: options: own prompts have none, so "
            f"{', '.join(config.options)} would change nothing; delete it"
        )
    says = "what a good answer is"
    rubric = None if config.rubric is None else text_file(config.rubric, "rubric", says)
    scale = config.scale
    if scale is None and rubric is not None and config.baseline is None:
        scale = DEFAULT_SCALE
    return OwnPrompts(
        name=config.name,
        path=config.items,
        questions=read_questions(config.items) if questions is None else questions,
        rubric=rubric,
        scale=scale,
        dimensions=tuple(config.dimensions),
        baseline=config.baseline,
        max_tokens=config.max_tokens or DEFAULT_MAX_TOKENS,
    )


def own_versions(runs: Iterable[RunManifest]) -> list[tuple[str, str]]:
    """Names and versions of the own prompts that runs have asked, in the order of the runs."""
    return [
        (section["name"], str(run.data_sha.get(section["name"], ""))[:_VERSION_DIGITS])
        for run in runs
        for section in run.configuration.get("benchmarks", ())
        if section.get("items") or section.get("lm_eval_task")
    ]


def newest_version(
    name: str, runs: Iterable[RunManifest], held: Collection[tuple[str, str]]
) -> str | None:
    """The version of own prompts in the run that was started last; None where there is none.

    Parameters
    ----------
    runs
        In the order in which they were started.
    held
        Names and versions of the benchmarks that the store has; others are passed over.
    """
    found = (at for at in reversed(own_versions(runs)) if at[0] == name and at in held)
    return next(found, (name, None))[1]


def check_name(name: str) -> None:
    """Refuse what cannot be a benchmark's name, or is that of a folder.

    Raises
    ------
    ConfigError
        Saying which it is.
    """
    if not re.fullmatch(NAME, name):
        raise ConfigError(
            f"benchmark {name!r}: a benchmark is called by small letters, digits and underscores"
        )
    if name in registry.benchmark_folders():
        raise ConfigError(
            f"benchmark {name}: that is the name of a benchmark that is here already; choose "
            "another one for your own prompts"
        )
