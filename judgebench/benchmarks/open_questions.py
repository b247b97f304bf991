"""Benchmarks of instructions with no one right answer, as lm-eval tasks: asked as they stand.

A task folder's ``utils.py`` makes one `OpenQuestions` and offers its methods to its YAML file.
"""

from __future__ import annotations

from collections.abc import Sequence

from judgebench.benchmarks.task_folder import Doc, TaskFolder
from judgebench.errors import ConfigError

BESIDES = ("references", "subcategory", "language", "metadata")
"""What an instruction may have that no model is shown."""


class OpenQuestions(TaskFolder):
    """The instructions of one task folder."""

    def docs(self, version: str | None = None, *, num_fewshot: int | None = None) -> list[Doc]:
        """The instructions of a version in their order; there are no examples to show."""
        if num_fewshot:
            raise ConfigError(
                f"{self.description.name}: num_fewshot is {num_fewshot}; its instructions are "
                "asked as they stand"
            )
        return [
            {
                "id": row["id"],
                "question": row["question"],
                "category": row.get("category"),
                **{name: row[name] for name in BESIDES if name in row},
            }
            for row in self.content(version).items
        ]

    def prompt_chat(self, doc: Doc) -> str:
        """The instruction alone, for the model's own chat template."""
        return str(doc["question"])

    def target(self, doc: Doc) -> str:
        """Nothing: lm-eval wants a text to print beside an answer."""
        return ""

    def process_results(self, doc: Doc, results: Sequence[str]) -> dict[str, float]:
        """The length of the answer in characters, so that plain lm-eval prints something."""
        return {"length": float(len(results[0]))}
