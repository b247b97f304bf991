"""Benchmarks of short questions with reference answers, as lm-eval tasks.

A task folder's ``utils.py`` makes one `ShortAnswers` and offers its methods to its YAML files. The
same methods render the prompts when judgebench plans a run, without importing lm_eval or datasets,
so that what is planned and what is asked cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from judgebench.benchmarks.data_source import load_content
from judgebench.benchmarks.description import Description, chosen_version, read
from judgebench.benchmarks.truncation import truncate
from judgebench.errors import ConfigError
from judgebench.template import PromptText, fill

Doc = dict[str, Any]


class ShortAnswers:
    """The questions and prompts of one task folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def description(self) -> Description:
        return read(self.folder)

    def docs(self, version: str | None = None, *, num_fewshot: int | None = None) -> list[Doc]:
        """The questions of a version in their order, each with the examples to show before it."""
        description = self.description
        version = chosen_version(description, version)
        content = load_content(description, self.folder, version)
        wanted = description.asking.num_fewshot if num_fewshot is None else num_fewshot
        if not 0 <= wanted <= len(content.fewshot):
            raise ConfigError(
                f"{description.name}: num_fewshot is {wanted}; there are "
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

    def load(self, **metadata: Any) -> Mapping[str, Any]:
        """lm-eval's ``custom_dataset``: the questions as a split.

        Settings come from the task's metadata, flat (by hand: ``--metadata '{"num_fewshot": 0}'``)
        or below the benchmark's name, which keeps two benchmarks of one run apart.
        """
        import datasets

        settings = metadata | dict(metadata.get(self.description.name) or {})
        docs = self.docs(settings.get("version"), num_fewshot=settings.get("num_fewshot"))
        return {"test": datasets.Dataset.from_list(docs)}

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
