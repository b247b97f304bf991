"""Benchmarks of free-form and multiple-choice questions in MixEval's form, as lm-eval tasks.

A task folder's ``utils.py`` makes one `MixedQuestions` and offers its methods to its YAML files.
The sentences that say how to answer, and the examples that base models see, are the benchmark's
where the data home has them all, and ours otherwise: the two are never mixed in one prompt.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from judgebench.benchmarks.data import Content, load_content, official_prompts
from judgebench.benchmarks.description import Description, chosen_version, read
from judgebench.benchmarks.presets import Split, truncate
from judgebench.errors import ConfigError, InputError, unknown_name
from judgebench.template import MOST_OPTIONS, PromptText, fill, lettered, reference_to

Doc = dict[str, Any]


class TaskFolder(ABC):
    """One task folder; each kind of questions has its own ``docs`` and prompts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def description(self) -> Description:
        return read(self.folder)

    def content(self, version: str | None, *, referenced: bool = False) -> Content:
        """A version's questions, checked against their pin.

        ``referenced`` says that each has to have the answers that are accepted.

        Raises
        ------
        InputError
            Naming the question that has none.
        """
        description = self.description
        found = load_content(description, self.folder, chosen_version(description, version))
        lacking = [row["id"] for row in found.items if referenced and not row.get("references")]
        if lacking:
            raise InputError(
                f"{description.name}: question {lacking[0]!r} has no 'references' to compare "
                f"answers with; {len(lacking)} of {len(found.items)} have none"
            )
        return found

    @abstractmethod
    def docs(self, version: str | None = None, *, num_fewshot: int | None = None) -> list[Doc]:
        """The questions of a version in their order, each with an ``id`` and a ``question``."""

    def load(self, **metadata: Any) -> Mapping[str, Any]:
        """lm-eval's ``custom_dataset``: the questions as a split.

        Settings come from the task's metadata, flat (by hand: ``--metadata '{"num_fewshot": 0}'``)
        or below the benchmark's name, which keeps two benchmarks of one run apart.
        """
        import datasets

        settings = metadata | dict(metadata.get(self.description.name) or {})
        docs = self.docs(settings.get("version"), num_fewshot=settings.get("num_fewshot"))
        return {"test": datasets.Dataset.from_list(docs)}


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


ASK = "ask"
"""What the official sentence is called in ``benchmark.toml``."""

OWN_ASK = PromptText(
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
        return official_prompts(self.description).get(ASK, OWN_ASK)

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
