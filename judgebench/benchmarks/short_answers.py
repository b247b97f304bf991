"""Benchmarks of short questions with reference answers, as lm-eval tasks.

A task folder's ``utils.py`` makes one `ShortAnswers` and offers its methods to its YAML files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from judgebench.benchmarks.task_folder import Doc, TaskFolder
from judgebench.benchmarks.truncation import truncate
from judgebench.errors import ConfigError
from judgebench.template import PromptText, fill


class ShortAnswers(TaskFolder):
    """The questions and prompts of one task folder."""

    def docs(self, version: str | None = None, *, num_fewshot: int | None = None) -> list[Doc]:
        """The questions of a version in their order, each with the examples to show before it."""
        content = self.content(version, referenced=True)
        asking = self.description.asking
        wanted = asking.num_fewshot if num_fewshot is None else num_fewshot
        if not 0 <= wanted <= len(content.fewshot):
            raise ConfigError(
                f"{self.description.name}: num_fewshot is {wanted}; there are "
                f"{len(content.fewshot)} examples"
            )
        examples = [{k: shot[k] for k in ("question", "answer")} for shot in content.fewshot]
        return [
            {
                "id": row["id"],
                "question": row["question"],
                "references": list(row["references"]),
                "category": row.get("category"),
                "fewshot": examples[:wanted],
            }
            for row in content.items
        ]

    def prompt_base(self, doc: Doc) -> str:
        """For a model that continues text: the examples, then the question, all alike."""
        return f"{_examples(doc['fewshot'])}Q: {doc['question']}\nA:"

    def prompt_chat(self, doc: Doc) -> str:
        """For a model that follows instructions."""
        name = "chat" if doc["fewshot"] else "chat_zero_shot"
        text = (self.folder / "prompts" / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")
        examples = _examples(doc["fewshot"]).rstrip("\n")
        values = {"question": doc["question"], "examples": examples}
        return fill(PromptText(name=name, text=text), values)

    def target(self, doc: Doc) -> str:
        """What lm-eval prints beside an answer: the first reference."""
        return str(doc["references"][0])

    def judged_text(self, results: Sequence[str]) -> str:
        """The part of lm-eval's answer that is compared with the references."""
        return truncate(results[0], self.description.asking.truncate)


def _examples(fewshot: Sequence[Mapping[str, str]]) -> str:
    return "".join(f"Q: {shot['question']}\nA: {shot['answer']}\n\n" for shot in fewshot)
