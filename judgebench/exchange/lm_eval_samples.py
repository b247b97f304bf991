"""lm-eval's samples: one document and filter a line, with what was asked, answered and measured."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judgebench.errors import InputError
from judgebench.exchange.evaluations import Answer, Mark, Sample
from judgebench.records import Item, Message
from judgebench.rows import Row, each_row
from judgebench.workers.backends import Generated
from judgebench.workers.final_answer import read_answer

FRACTIONS = frozenset(
    {"f1", "em_f1", "rouge1", "rouge2", "rougeL", "rougeLsum", "bleu", "chrf", "ter", "bleurt"}
)
"""Metrics that are shares of something, also on a set where each happens to be 0 or 1."""
_UNIT = frozenset(
    {"acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "em", "f1", "precision",
     "recall", "contains"}
)  # fmt: skip
"""Metrics that lie between 0 and 1 by what they are."""
_NOT_MEASURED = "bypass"  # what stands there where the metrics were left out

IDS = ("id", "item_id", "question_id", "qid")
_QUESTIONS = (
    "question", "query", "prompt", "instruction", "problem", "input", "goal", "sentence", "text",
)  # fmt: skip
_CATEGORIES = ("category", "subject")
_CHOICES = "choices"
_LONGEST_NAME = 200
_NO_METRICS = frozenset(
    {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics",
     "doc_hash", "prompt_hash", "target_hash", "task_name"}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What a first look at a file of samples shows.

    n
        How many documents there are.
    id_field
        The field of the documents that holds an id of their own, each another one; None where there
        is no such field: then lm-eval's number is the id.
    generation
        The arguments of the generation; empty where nothing was generated.
    metrics
        By the name of the judge that stands for it, each metric with its filter as it is printed.
    """

    n: int
    id_field: str | None
    generation: Mapping[str, Any]
    metrics: Mapping[str, str]


def judge_name(metric: str, filter_name: str) -> str:
    """Who a metric's marks are kept under."""
    return f"lm-eval/{metric},{filter_name}"


def look_at(path: Path) -> Documents:
    """Read a file of samples once, for what has to be known of it as a whole.

    Raises
    ------
    InputError
        Naming file and line of what is no sample.
    """
    documents: set[str] = set()
    ids = {name: set[str]() for name in IDS}
    generation: Mapping[str, Any] = {}
    metrics: dict[str, str] = {}
    for row in _rows(path):
        number = row.text("doc_id")
        if not documents:
            generation = _generation(_requests(row))
        for metric in _metrics(row):
            filter_name = _filter(row)
            metrics[judge_name(metric, filter_name)] = f"{metric},{filter_name}"
        if number in documents:
            continue
        documents.add(number)
        doc = row.values.get("doc")
        for name in list(ids):
            own = _id(doc.get(name)) if isinstance(doc, dict) else None
            if own is None or own in ids[name]:
                del ids[name]
            else:
                ids[name].add(own)
    return Documents(
        n=len(documents), id_field=next(iter(ids), None), generation=generation, metrics=metrics
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesFile:
    """A file of samples, and as what it is read.

    think_end
        What ends the reasoning of a model that thinks aloud.
    """

    path: Path
    benchmark: str
    version: str
    id_field: str | None
    think_end: str | None = None
    _named: dict[tuple[str, str], str] = field(default_factory=dict)

    def __call__(self) -> Iterator[Sample]:
        for row in _rows(self.path):
            filter_name = _filter(row)
            yield Sample(
                where=row.where,
                item=self._item(row),
                part=filter_name,
                answers=self._answers(row),
                marks={
                    judge_name(metric, filter_name): _mark(metric, row.values.get(metric))
                    for metric in _metrics(row)
                },
            )

    def _item(self, row: Row) -> Item:
        doc = row.values.get("doc")
        doc = doc if isinstance(doc, dict) else {}
        item_id = row.text("doc_id")
        if self.id_field is not None:
            own = _id(doc.get(self.id_field))
            if own is None:
                raise row.wrong("doc", f"has no {self.id_field!r}, which is the id of all others")
            item_id = own
        options = _options(doc)
        category = next((doc[n] for n in _CATEGORIES if _is_name(doc.get(n))), None)
        return Item(
            benchmark=self.benchmark,
            version=self.version,
            id=item_id,
            turns=(Message(role="user", content=_question(doc, row)),),
            references=_references(row.values.get("target"), options),
            category=category,
            options=options,
        )

    def _answers(self, row: Row) -> tuple[Answer, ...]:
        """What was generated, all repeats; nothing where likelihoods were asked for."""
        requests = _requests(row)
        if requests and not isinstance(requests[0][1], dict):
            return ()
        given = row.values.get("resps")
        if given is None:
            given = row.values.get("filtered_resps")
        prompt = requests[0][0] if requests else None
        return tuple(
            self._answer(text, sample, prompt) for sample, text in enumerate(_texts(given, row))
        )

    def _answer(self, raw: str, sample: int, prompt: str | None) -> Answer:
        generated = Generated(raw=raw)
        final = read_answer(generated, prompt=prompt or "", think_end=self.think_end)
        return Answer(
            text=final.text,
            raw=raw,
            sample=sample,
            status=final.status,
            reasoning=final.reasoning,
            prompt=prompt,
        )


def _rows(path: Path) -> Iterator[Row]:
    return each_row(path, ("doc_id",), not_finite=True)


def _filter(row: Row) -> str:
    return row.text("filter") if row.has("filter") else "none"


def _metrics(row: Row) -> Sequence[str]:
    """The metrics of a line; earlier releases do not list them, and everything else is one."""
    listed = row.values.get("metrics")
    if listed is None:
        listed = [name for name in row.values if name not in _NO_METRICS]
    if not isinstance(listed, list) or not all(_is_name(name) for name in listed):
        raise row.wrong("metrics", "a list of names has to stand here")
    return [name for name in listed if name != _NOT_MEASURED]


def _mark(metric: str, value: Any) -> Mark:
    number = math.nan
    if isinstance(value, (bool, int, float)):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    if not math.isfinite(number):
        return Mark(value=None, reason=f"{value!r:.40} is no number")
    return Mark(value=number, unit=metric in _UNIT and 0 <= number <= 1)


def _requests(row: Row) -> list[tuple[str | None, Any]]:
    """Of each request its prompt and its second argument: that of a generation is an object."""
    arguments = row.values.get("arguments")
    if isinstance(arguments, dict):
        each = [
            [one.get("arg_0"), one.get("arg_1")] if isinstance(one, dict) else []
            for one in arguments.values()
        ]
    else:
        listed = arguments if isinstance(arguments, list) else []
        each = [one for one in listed if isinstance(one, list)]
    return [(_prompt(one[0]) if one else None, one[1] if len(one) > 1 else None) for one in each]


def _prompt(value: Any) -> str | None:
    if isinstance(value, list) and len(value) == 1:  # messages of a chat, as one text of JSON
        value = value[0]
    return value if isinstance(value, str) else None


def _generation(requests: Sequence[tuple[str | None, Any]]) -> Mapping[str, Any]:
    second = requests[0][1] if requests else None
    return second if isinstance(second, dict) else {}


def _texts(given: Any, row: Row) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, list):
        for one in given:
            yield from _texts(one, row)
    elif given is not None:
        raise row.wrong("resps", f"lists of texts have to stand here, not {given!r:.40}")


def _id(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if _is_name(value) else None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= _LONGEST_NAME


def _question(doc: Mapping[str, Any], row: Row) -> str:
    """The question alone: the prompt around it is another one for every model.

    The document itself where none of its fields is called like a question.
    """
    for name in _QUESTIONS:
        value = doc.get(name)
        if isinstance(value, str) and value.strip():
            return value
    if doc:
        return json.dumps(doc, ensure_ascii=False, sort_keys=True)
    prompt = next((prompt for prompt, _ in _requests(row) if prompt), None)
    if prompt is None:
        raise row.wrong("doc", "is missing, and so is the prompt: what was asked is not known")
    return prompt


def _options(doc: Mapping[str, Any]) -> tuple[str, ...]:
    choices = doc.get(_CHOICES)
    if isinstance(choices, dict):  # as datasets keeps lists of objects
        choices = choices.get("text")
    if not isinstance(choices, list) or len(choices) < 2:
        return ()
    return tuple(choices) if all(isinstance(one, str) for one in choices) else ()


def _references(target: Any, options: Sequence[str]) -> tuple[str, ...]:
    """The target as lm-eval writes it; of options it is the number of the right one."""
    if target is None or target == "":
        return ()
    text = target if isinstance(target, str) else json.dumps(target, ensure_ascii=False)
    if options and text.isascii() and text.isdigit() and int(text) < len(options):
        return (options[int(text)],)
    return (text,)


def refuse_cut_short(path: Path, found: int, ran: int | None) -> None:
    """Raise `InputError` where there are fewer documents than the results say were run."""
    if ran is not None and found < ran:
        raise InputError(
            f"{path}: {found} documents, but by its results the run had {ran}; the file was not "
            "copied whole, or is of another run: fetch it again"
        )
