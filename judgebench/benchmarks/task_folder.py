"""What the ``utils.py`` of a task folder makes one of: its questions, and how each is put.

Its methods are offered to the folder's YAML files. The same methods render the prompts when
judgebench plans a run, without importing lm_eval or datasets, so that what is planned and what is
asked cannot differ. Sentences that ask, and the examples that base models see, are the benchmark's
own where the data home has them all, and ours otherwise: the two are never mixed in one prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any, ClassVar, Literal

from judgebench.benchmarks.data import Content, load_content, official_prompts
from judgebench.benchmarks.description import (
    Description,
    Split,
    chosen_version,
    find,
    read,
    truncate,
)
from judgebench.errors import ConfigError, InputError, unknown_name
from judgebench.template import MOST_OPTIONS, PromptText, fill, lettered, reference_to

Doc = dict[str, Any]


@dataclass
class TaskFolder:
    """One task folder; each kind of questions has its own documents and prompts."""

    no_examples: ClassVar = "its questions are asked without examples"
    """Why a number of examples cannot be chosen."""

    folder: Path

    @cached_property
    def description(self) -> Description:
        return read(self.folder)

    @cached_property
    def official(self) -> Mapping[str, str]:
        """The official texts that are here, by name."""
        return {name: one.text for name, one in official_prompts(self.description).items()}

    def content(self, version: str | None) -> Content:
        """A version's questions, checked against their pin."""
        chosen = chosen_version(self.description, version)
        return load_content(self.description, self.folder, chosen)

    def docs(self, version: str | None = None, *, num_fewshot: int | None = None) -> list[Doc]:
        """The questions of a version in their order, each with an ``id`` and a ``question``."""
        if num_fewshot:
            raise ConfigError(
                f"{self.description.name}: num_fewshot is {num_fewshot}; {self.no_examples}"
            )
        return [self.doc(row) for row in self.content(version).items]

    def doc(self, row: Mapping[str, Any]) -> Doc:
        """A question with what is said of it."""
        return {**row, "category": row.get("category")}

    def prompt_chat(self, doc: Doc) -> str:
        """The question alone, for the model's own chat template."""
        return str(doc["question"])

    def target(self, doc: Doc) -> str:
        """What lm-eval prints beside an answer: the first accepted one, if there is any."""
        return next(iter(doc["references"]), "")

    def judged_text(self, results: Sequence[str]) -> str:
        """The part of lm-eval's answer that is compared with the accepted ones."""
        return truncate(results[0], self.description.asking.truncate)

    def load(self, **metadata: Any) -> Mapping[str, Any]:
        """lm-eval's ``custom_dataset``: the questions as a split.

        Settings come from the task's metadata, flat (by hand: ``--metadata '{"num_fewshot": 0}'``)
        or below the benchmark's name, which keeps two benchmarks of one run apart.
        """
        import datasets

        settings = metadata | dict(metadata.get(self.description.name) or {})
        docs = self.docs(settings.get("version"), num_fewshot=settings.get("num_fewshot"))
        return {"test": datasets.Dataset.from_list(docs)}


# Instructions with no one right answer, asked as they stand ---------------------------------------

BESIDES = ("references", "subcategory", "language", "metadata", "turns")
"""What an instruction may have beside its text; ``turns`` are all user turns of a conversation."""


class OpenQuestions(TaskFolder):
    """The instructions of one task folder."""

    no_examples = "its instructions are asked as they stand"

    def doc(self, row: Mapping[str, Any]) -> Doc:
        besides = {name: row[name] for name in BESIDES if name in row}
        shown = {"id": row["id"], "question": row["question"], "category": row.get("category")}
        return {**shown, **besides}

    def target(self, doc: Doc) -> str:
        """Nothing: lm-eval wants a text to print beside an answer."""
        return ""

    def process_results(self, doc: Doc, results: Sequence[str]) -> dict[str, float]:
        """The length of the answer in characters, so that plain lm-eval prints something."""
        return {"length": float(len(results[0]))}


# Short questions with reference answers -----------------------------------------------------------


class ShortAnswers(TaskFolder):
    """The questions and prompts of one task folder, examples before them."""

    def docs(self, version: str | None = None, *, num_fewshot: int | None = None) -> list[Doc]:
        """The questions of a version in their order, each with the examples to show before it.

        Raises
        ------
        InputError
            Naming a question that has no accepted answer.
        """
        content, name = self.content(version), self.description.name
        lacking = [row["id"] for row in content.items if not row.get("references")]
        if lacking:
            raise InputError(
                f"{name}: question {lacking[0]!r} has no 'references' to compare answers with; "
                f"{len(lacking)} of {len(content.items)} have none"
            )
        wanted = self.description.asking.num_fewshot if num_fewshot is None else num_fewshot
        if not 0 <= wanted <= len(content.fewshot):
            raise ConfigError(
                f"{name}: num_fewshot is {wanted}; there are {len(content.fewshot)} examples"
            )
        shown = content.fewshot[:wanted]
        examples = "".join(f"Q: {one['question']}\nA: {one['answer']}\n\n" for one in shown)
        return [
            {
                "id": row["id"],
                "question": row["question"],
                "references": list(row["references"]),
                "category": row.get("category"),
                "examples": examples,
            }
            for row in content.items
        ]

    def prompt_base(self, doc: Doc) -> str:
        """For a model that continues text: the examples, then the question, all alike."""
        return f"{doc['examples']}Q: {doc['question']}\nA:"

    def prompt_chat(self, doc: Doc) -> str:
        """For a model that follows instructions."""
        name = "chat" if doc["examples"] else "chat_zero_shot"
        text = (self.folder / "prompts" / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")
        values = {"question": doc["question"], "examples": doc["examples"].rstrip("\n")}
        return fill(PromptText(name=name, text=text), values)


# Short questions in several sets, in HonestyBench's form ------------------------------------------

ASK = "ask"
"""What the official sentence is called in ``benchmark.toml``."""

OWN_ASK = "Answer this question. A short answer is enough.\n\nQuestion: {question}"


@dataclass
class SetQuestions(TaskFolder):
    """The questions and the prompt of one task folder; ``domains`` says which set is of which.

    A question's category is its set, because that is what results are reported by and weighted
    with.
    """

    domains: Mapping[str, Literal["in-domain", "ood"]]

    def prompt_chat(self, doc: Doc) -> str:
        """The question below the sentence that asks, for the model's own chat template."""
        text = self.official.get(ASK, OWN_ASK)
        return fill(PromptText(name=ASK, text=text), {"question": doc["question"]})

    def doc(self, row: Mapping[str, Any]) -> Doc:
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


# Free-form and multiple-choice questions, in MixEval's form [1]_ ----------------------------------
#
# .. [1] J. Ni et al. (2024), MixEval: Deriving Wisdom of the Crowd from LLM Benchmark Mixtures,
#    arXiv 2406.06565. The layout is the benchmark's.

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
    return f"Question: {_in_context(question, context)}\n{instruction}"


def multiple_choice_prompt(
    question: str,
    options: Sequence[str],
    *,
    context: str | None,
    instructions: Instructions = OWN,
) -> str:
    """The user turn of a question that is answered by a letter."""
    asked = _in_context(question, context)
    return f"{asked}\n{lettered(options)}\n{instructions.multiple_choice}"


def _in_context(question: str, context: str | None) -> str:
    """The question below its context; upstream writes a missing context in several ways."""
    if context is None or context.lower() in _NO_CONTEXT or not context.replace(" ", ""):
        return question
    return f"{context}\n{question}"


EXAMPLES: Mapping[Split, str] = {
    "free-form": "examples_free_form",
    "multiple-choice": "examples_multiple_choice",
}
"""What the five examples of a split are called in ``benchmark.toml``, and as files of our own.

Facts, passages and sums in ours are invented or common knowledge, none a question of a benchmark.
"""

_INSTRUCTIONS = ("ask_multiple_choice", "ask_free_form", "ask_step_by_step")


class MixedQuestions(TaskFolder):
    """The questions and prompts of one task folder."""

    no_examples = "five examples are part of the prompt 'base', and the prompt 'chat' has none"

    def docs(self, version: str | None = None, *, num_fewshot: int | None = None) -> list[Doc]:
        """The questions of a version, rows that repeat an earlier one included.

        Both kinds in turn, so that the first few are of both.
        """
        docs = super().docs(version, num_fewshot=num_fewshot)
        kinds = [[doc for doc in docs if _split(doc) == split] for split in EXAMPLES]
        return [doc for pair in zip_longest(*kinds) for doc in pair if doc is not None]

    def prompt_chat(self, doc: Doc) -> str:
        """For a model that follows instructions: the question alone."""
        return _prompt(doc, self._instructions)

    def prompt_base(self, doc: Doc) -> str:
        """For a model that continues text: five examples of the split, then the question."""
        example = EXAMPLES[_split(doc)]
        if self.official.keys() >= {*_INSTRUCTIONS, *EXAMPLES.values()}:
            return f"{self.official[example]}{_prompt(doc, self._instructions)}\n"
        home = find(self.description.judging.official_from or self.description.name)[1]
        own = (home / "prompts" / f"{example}.txt").read_text(encoding="utf-8")
        return f"{own}{_prompt(doc, OWN)}\n"

    def judged_text_of(self, doc: Doc, answer: str, *, prompt: str) -> str:
        """The part of lm-eval's answer to this prompt that is judged."""
        asking = self.description.asking
        mode = asking.prompts[prompt].truncate or asking.truncate
        return truncate(answer, mode, chooses=bool(doc["options"]))

    @cached_property
    def _instructions(self) -> Instructions:
        if not self.official.keys() >= set(_INSTRUCTIONS):
            return OWN
        multiple_choice, free_form, step_by_step = (self.official[n] for n in _INSTRUCTIONS)
        return Instructions(
            multiple_choice=multiple_choice,
            free_form=free_form,
            by_dataset=dict.fromkeys(STEP_BY_STEP, step_by_step),
        )

    def doc(self, row: Mapping[str, Any]) -> Doc:
        doc: Doc = {
            "id": row["id"],
            "question": row["question"],
            "references": list(row.get("references") or ()),
            "category": row.get("category"),
            "options": list(row.get("options") or ()),
            "metadata": {"split": row.get("problem_type"), "context": row.get("context")},
        }
        if fault := _fault(doc, row.get("answer_index")):
            raise InputError(f"{self.description.name}: question {row['id']}: {fault}")
        if doc["options"]:
            doc["references"] = [reference_to(doc["options"], row["answer_index"])]
        return doc


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
