"""The examples that base models are shown before a MixEval question, in our own words.

They stand in where the data home has not the benchmark's own. Facts, passages and sums are invented
or common knowledge, and none is a question of a benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass

from judgebench.benchmarks.mixeval_prompts import (
    OWN,
    Split,
    examples_prefix,
    free_form_prompt,
    multiple_choice_prompt,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A question with its answer; of one with options, the letter."""

    question: str
    answer: str
    context: str | None = None
    options: tuple[str, ...] = ()
    dataset: str = ""

    @property
    def prompt(self) -> str:
        """The user turn, in our wording."""
        if self.options:
            return multiple_choice_prompt(self.question, self.options, context=self.context)
        return free_form_prompt(self.question, context=self.context, dataset=self.dataset)


_STEPS = next(iter(OWN.by_dataset))  # a dataset whose questions are to be thought through

FREE_FORM = (
    Example(question="Which bird lays the largest egg?", answer="The ostrich"),
    Example(
        question="A crate holds 14 jars, and a van takes 6 crates. How many jars do 3 vans take?",
        dataset=_STEPS,
        answer="One van takes 6 crates of 14 jars, which is 6 * 14 = 84 jars.\n"
        "Three vans take 3 * 84 = 252 jars.\nThe answer is 252.",
    ),
    Example(
        context="The mill at Oxcombe ran from 1811 to 1846. Its owner, Ada Ferris, sold it when "
        "the canal came, and the new owner made it a store for grain.",
        question="For how many years did the mill run?",
        answer="35",
    ),
    Example(question="On which continent is the Atacama desert?", answer="South America"),
    Example(
        question="Is this sentence true or false: not (true and false) or false?",
        dataset=_STEPS,
        answer="true and false is false.\nnot false is true.\ntrue or false is true.\n"
        "The answer is true.",
    ),
)

MULTIPLE_CHOICE = (
    Example(
        question="Which of these is a mammal?",
        options=("Trout", "Newt", "Bat", "Wren"),
        answer="C",
    ),
    Example(
        context="Every ferry to the island takes cars except the first of the day.",
        question="does the first ferry of the day take cars",
        options=("Yes", "No"),
        answer="B",
    ),
    Example(
        question="Where would you look for a spare bulb?",
        options=("a cupboard", "an oven", "a mailbox", "a bath", "a hat"),
        answer="A",
    ),
    Example(
        question="Rui spilt soup on his host's carpet. What will he want to do next?",
        options=("leave without a word", "fall asleep", "ask for a cloth"),
        answer="C",
    ),
    Example(
        question="What is 15 % of 60?",
        options=("4", "9", "15", "45"),
        answer="B",
    ),
)


def own_prefix(split: Split) -> str:
    """Five examples of a split, as they stand before a base model's question."""
    examples = FREE_FORM if split == "free-form" else MULTIPLE_CHOICE
    return examples_prefix([(one.prompt, one.answer) for one in examples], split=split)
