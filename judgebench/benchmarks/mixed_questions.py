"""Benchmarks of free-form and multiple-choice questions in MixEval's form, as lm-eval tasks.

A task folder's ``utils.py`` makes one `MixedQuestions` and offers its methods to its YAML files.
The sentences that say how to answer, and the examples that base models see, are the benchmark's
where the data home has them all, and ours otherwise: the two are never mixed in one prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import zip_longest
from typing import Any

from judgebench.benchmarks.data_source import official_prompts
from judgebench.benchmarks.mixeval_examples import own_prefix
from judgebench.benchmarks.mixeval_prompts import (
    OWN,
    STEP_BY_STEP,
    Instructions,
    Split,
    base_prompt,
    free_form_prompt,
    multiple_choice_prompt,
)
from judgebench.benchmarks.task_folder import Doc, TaskFolder
from judgebench.benchmarks.truncation import truncate
from judgebench.errors import ConfigError, InputError
from judgebench.template import MOST_OPTIONS, reference_to

ASK_MULTIPLE_CHOICE = "ask_multiple_choice"
ASK_FREE_FORM = "ask_free_form"
ASK_STEP_BY_STEP = "ask_step_by_step"
EXAMPLES: Mapping[Split, str] = {
    "free-form": "examples_free_form",
    "multiple-choice": "examples_multiple_choice",
}
"""What the official texts are called in ``benchmark.toml``."""

_INSTRUCTIONS = (ASK_MULTIPLE_CHOICE, ASK_FREE_FORM, ASK_STEP_BY_STEP)


class MixedQuestions(TaskFolder):
    """The questions and prompts of one task folder."""

    def docs(self, version: str | None = None, *, num_fewshot: int | None = None) -> list[Doc]:
        """The questions of a version, rows that repeat an earlier one included.

        Both kinds in turn, so that the first few are of both.
        """
        if num_fewshot:
            raise ConfigError(
                f"{self.description.name}: num_fewshot is {num_fewshot}; five examples are "
                "part of the prompt 'base', and the prompt 'chat' has none"
            )
        docs = [_doc(self.description.name, row) for row in self.content(version).items]
        kinds = [[doc for doc in docs if _split(doc) == split] for split in EXAMPLES]
        return [doc for pair in zip_longest(*kinds) for doc in pair if doc is not None]

    def prompt_chat(self, doc: Doc) -> str:
        """For a model that follows instructions: the question alone."""
        return _prompt(doc, self._instructions)

    def prompt_base(self, doc: Doc) -> str:
        """For a model that continues text: five examples of the split, then the question."""
        examples, instructions = self._shown_to_base_models
        return base_prompt(_prompt(doc, instructions), examples=examples[_split(doc)])

    def target(self, doc: Doc) -> str:
        """What lm-eval prints beside an answer: the first reference."""
        return str(doc["references"][0])

    def judged_text(self, doc: Doc, answer: str, *, prompt: str) -> str:
        """The part of lm-eval's answer to this prompt that is judged."""
        asking = self.description.asking
        mode = asking.prompts[prompt].truncate or asking.truncate
        return truncate(answer, mode, chooses=bool(doc["options"]))

    @cached_property
    def _instructions(self) -> Instructions:
        texts = self._official_texts
        if not texts.keys() >= set(_INSTRUCTIONS):
            return OWN
        return Instructions(
            multiple_choice=texts[ASK_MULTIPLE_CHOICE],
            free_form=texts[ASK_FREE_FORM],
            by_dataset=dict.fromkeys(STEP_BY_STEP, texts[ASK_STEP_BY_STEP]),
        )

    @cached_property
    def _shown_to_base_models(self) -> tuple[Mapping[Split, str], Instructions]:
        """The examples of each split, and the instructions that they are written with."""
        texts = self._official_texts
        if texts.keys() >= {*_INSTRUCTIONS, *EXAMPLES.values()}:
            return {split: texts[name] for split, name in EXAMPLES.items()}, self._instructions
        return {split: own_prefix(split) for split in EXAMPLES}, OWN

    @cached_property
    def _official_texts(self) -> Mapping[str, str]:
        return {name: one.text for name, one in official_prompts(self.description).items()}


def _prompt(doc: Doc, instructions: Instructions) -> str:
    question, context = doc["question"], doc["metadata"]["context"]
    if doc["options"]:
        return multiple_choice_prompt(
            question, doc["options"], context=context, instructions=instructions
        )
    return free_form_prompt(
        question, context=context, dataset=doc["category"], instructions=instructions
    )


def _split(doc: Doc) -> Split:
    return "multiple-choice" if doc["options"] else "free-form"


def _doc(benchmark: str, row: Mapping[str, Any]) -> Doc:
    doc: Doc = {
        "id": row["id"],
        "question": row["question"],
        "references": list(row.get("references") or ()),
        "category": row.get("category"),
        "options": list(row.get("options") or ()),
        "metadata": {"split": row.get("problem_type"), "context": row.get("context")},
    }
    if fault := _fault(doc, row.get("answer_index")):
        raise InputError(f"{benchmark}: question {row['id']}: {fault}")
    if doc["options"]:
        doc["references"] = [reference_to(doc["options"], row["answer_index"])]
    return doc


def _fault(doc: Doc, index: Any) -> str | None:
    """What is wrong with a question; None if nothing is."""
    options, context = doc["options"], doc["metadata"]["context"]
    wanted = _split(doc)
    if doc["metadata"]["split"] != wanted:
        said = doc["metadata"]["split"]
        return f"problem_type: {wanted} has to stand here, going by the options, not {said!r}"
    if not isinstance(doc["category"], str):
        return "category: the name of the source dataset has to stand here"
    if context is not None and not isinstance(context, str):
        return "context: a text or null has to stand here"
    if not options:
        return None if doc["references"] else "references: an accepted answer has to stand here"
    if not all(isinstance(option, str) for option in options) or len(options) > MOST_OPTIONS:
        return f"options: at most {MOST_OPTIONS} texts have to stand here"
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(options):
        return f"answer_index: a number from 0 to {len(options) - 1} has to stand here"
    return None
