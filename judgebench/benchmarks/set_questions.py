"""Benchmarks of short questions in several sets, in HonestyBench's form, as lm-eval tasks.

A task folder's ``utils.py`` makes one `SetQuestions` and offers its methods to its YAML file. A
question's category is its set, because that is what results are reported by and weighted with.
The sentence that asks is the benchmark's own where the data home has it, and ours otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from judgebench.benchmarks.data_source import official_prompts
from judgebench.benchmarks.task_folder import Doc, TaskFolder
from judgebench.benchmarks.truncation import truncate
from judgebench.errors import ConfigError, InputError, unknown_name
from judgebench.template import PromptText, fill

ASK = "ask"
"""What the official sentence is called in ``benchmark.toml``."""

OWN = PromptText(
    name="set_questions/ask",
    text="Answer this question. A short answer is enough.\n\nQuestion: {question}",
)

Domain = Literal["in-domain", "ood"]


class SetQuestions(TaskFolder):
    """The questions and the prompt of one task folder; ``domains`` says which set is of which."""

    def __init__(self, folder: Path, domains: Mapping[str, Domain]) -> None:
        super().__init__(folder)
        self.domains = domains

    def docs(self, version: str | None = None, *, num_fewshot: int | None = None) -> list[Doc]:
        """The questions of a version in their order; there are no examples to show."""
        if num_fewshot:
            raise ConfigError(
                f"{self.description.name}: num_fewshot is {num_fewshot}; its questions are asked "
                "without examples"
            )
        return [self._doc(row) for row in self.content(version).items]

    def prompt_chat(self, doc: Doc) -> str:
        """The question below the sentence that asks, for the model's own chat template."""
        return fill(self._ask, {"question": doc["question"]})

    def target(self, doc: Doc) -> str:
        """What lm-eval prints beside an answer: the first accepted one, if there is any."""
        return next(iter(doc["references"]), "")

    def judged_text(self, results: Sequence[str]) -> str:
        """The part of lm-eval's answer that is compared with the accepted ones."""
        return truncate(results[0], self.description.asking.truncate)

    @cached_property
    def _ask(self) -> PromptText:
        return official_prompts(self.description).get(ASK, OWN)

    def _doc(self, row: Mapping[str, Any]) -> Doc:
        name = str(row.get("set"))
        if name not in self.domains:
            unknown = unknown_name("set", name, self.domains)
            raise InputError(f"{self.description.name}: question {row['id']}: {unknown}")
        return {
            "id": row["id"],
            "question": row["question"],
            "references": list(row.get("references") or ()),
            "category": name,
            "subcategory": row.get("category"),
            "metadata": {"domain": self.domains[name]},
        }
