"""How MixEval puts its questions to models: free-form and multiple-choice, chat and base [1]_.

The layout is the benchmark's. The sentences in it that say how to answer, and the examples shown
to base models, are the benchmark's own prompts: they come from the data home, and where they are
not there `OWN` stands in, which is our wording.

References
----------
.. [1] J. Ni et al. (2024), MixEval: Deriving Wisdom of the Crowd from LLM Benchmark Mixtures,
   arXiv 2406.06565.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from judgebench.template import PromptText, fill, lettered

Split = Literal["free-form", "multiple-choice"]

_FREE_FORM = PromptText(name="mixeval/free_form", text="Question: {question}\n{instruction}")
_MULTIPLE_CHOICE = PromptText(
    name="mixeval/multiple_choice", text="{question}\n{options}\n{instruction}"
)
_EXAMPLE: Mapping[Split, PromptText] = {
    "free-form": PromptText(name="mixeval/example", text="{prompt}\n{answer}\n\n\n"),
    "multiple-choice": PromptText(name="mixeval/example", text="{prompt}\n{answer}\n\n"),
}
_BASE = PromptText(name="mixeval/base", text="{examples}{prompt}\n")
_NO_CONTEXT = frozenset({"", "none", "null"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """The sentences that say how to answer.

    multiple_choice
        Below the options.
    free_form
        Below a question without options.
    by_dataset
        Instead of ``free_form`` for the questions of these source datasets.
    """

    multiple_choice: str
    free_form: str
    by_dataset: Mapping[str, str]


STEP_BY_STEP = ("BBH", "GSM8k", "MATH")
"""The source datasets whose questions are to be thought through first."""

OWN = Instructions(
    multiple_choice="Reply with the letter of the right option and nothing else.",
    free_form="Reply with a short answer.",
    by_dataset=dict.fromkeys(
        STEP_BY_STEP, "Think it through one step at a time, then state your answer."
    ),
)


def free_form_prompt(
    question: str, *, context: str | None, dataset: str, instructions: Instructions = OWN
) -> str:
    """The user turn of a question that is answered in free words."""
    instruction = instructions.by_dataset.get(dataset, instructions.free_form)
    values = {"question": _in_context(question, context), "instruction": instruction}
    return fill(_FREE_FORM, values)


def multiple_choice_prompt(
    question: str,
    options: Sequence[str],
    *,
    context: str | None,
    instructions: Instructions = OWN,
) -> str:
    """The user turn of a question that is answered by a letter."""
    values = {
        "question": _in_context(question, context),
        "options": lettered(options),
        "instruction": instructions.multiple_choice,
    }
    return fill(_MULTIPLE_CHOICE, values)


def examples_prefix(examples: Sequence[tuple[str, str]], *, split: Split) -> str:
    """What stands before a base model's question: prompts as above, each with its answer."""
    shown = ({"prompt": prompt, "answer": answer} for prompt, answer in examples)
    return "".join(fill(_EXAMPLE[split], values) for values in shown)


def base_prompt(prompt: str, *, examples: str) -> str:
    """The text that a base model continues: the examples of its split, then the question."""
    return fill(_BASE, {"examples": examples, "prompt": prompt})


def _in_context(question: str, context: str | None) -> str:
    """The question below its context; upstream writes a missing context in several ways."""
    if context is None or context.lower() in _NO_CONTEXT or not context.replace(" ", ""):
        return question
    return f"{context}\n{question}"
