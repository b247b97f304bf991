"""What the workers that judge have in common: load a model once, answer questions until the end.

The parent writes one job to standard input and reads events from standard output; after ``ready``
it writes one batch of questions at a time, each of which ends with ``done``; one JSON object a
line::

    -> {…what the worker's `load` takes…}
    <- {"event": "loading"}
    <- {"event": "ready", "stack": {...}, "batch": 8}
    -> {"questions": [{"id": 0, …}, {"id": 1, …}]}
    <- {"event": "answered", "id": 0, "seconds": 0.3, …}
    <- {"event": "failed", "id": 1, "kind": "too_long", "message": "..."}
    <- {"event": "done"}

``{"event": "refused", "message": ...}`` in place of ``ready`` says that there is no such model. The
end of standard input ends the process and what it started, at once. What the model's libraries may
ask on it finds it empty.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeAlias

from judgebench.errors import ConfigError
from judgebench.records import FailureKind, Runtime
from judgebench.workers.lm_eval_worker import QUIET
from judgebench.workers.parent_pipe import ParentPipe

Question: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = dict[str, Any]

_SHOWN = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a question is not put to the model."""

    kind: FailureKind
    message: str


class Answerer(Protocol):
    """A loaded model."""

    @property
    def batch(self) -> int:
        """How many questions it takes at once."""
        ...

    def stack(self) -> Runtime: ...

    def refusal(self, question: Question) -> Refusal | None:
        """Why this question cannot be answered; None if it can."""
        ...

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer one batch of questions that are alike, in its order."""
        ...


def main(load: Callable[[Mapping[str, Any]], Answerer]) -> None:
    """The whole life of a worker; returns never."""
    pipe = ParentPipe()
    os.environ.update(QUIET)
    logging.basicConfig(level=logging.WARNING)
    job = pipe.order()
    pipe.tell("loading")
    try:
        model = load(job)
    except Exception as error:  # noqa: BLE001  (whatever a library raises, the parent reports it)
        traceback.print_exc()
        pipe.tell("refused", message=_said(error))
        sys.stderr.flush()
        os._exit(0)  # tearing torch down takes seconds and frees nothing that the end does not
    pipe.tell("ready", stack=asdict(model.stack()), batch=model.batch)
    while True:
        for event, fields in answers(model, pipe.order()["questions"]):
            pipe.tell(event, **fields)
        pipe.tell("done")


def answers(model: Answerer, questions: Sequence[Question]) -> Iterator[tuple[str, dict[str, Any]]]:
    """One event for each question."""
    asked = []
    for question in questions:
        try:
            refusal = model.refusal(question)
        except Exception as error:  # noqa: BLE001  (one question fails; the others do not)
            traceback.print_exc()
            refusal = Refusal(kind="local_model", message=_said(error))
        if refusal is None:
            asked.append(question)
        else:
            yield "failed", {"id": question["id"], **asdict(refusal)}
    if asked:
        yield from _together(model, asked)


def _together(
    model: Answerer, questions: Sequence[Question]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What fails together is asked again by halves: one question costs no other its answer.

    So a batch that is too large for the memory becomes smaller ones.
    """
    began = time.perf_counter()
    try:
        answered = model.answer(questions)
    except Exception as error:  # noqa: BLE001  (said below, for each question that fails alone)
        traceback.print_exc()
        failed = _said(error)
    else:
        seconds = time.perf_counter() - began
        for question, answer in zip(questions, answered, strict=True):
            yield "answered", {"id": question["id"], "seconds": seconds, **answer}
        return
    _free_memory()
    if len(questions) == 1:
        refusal = Refusal(kind="local_model", message=failed)
        yield "failed", {"id": questions[0]["id"], **asdict(refusal)}
        return
    half = len(questions) // 2
    yield from _together(model, questions[:half])
    yield from _together(model, questions[half:])


def _said(error: Exception) -> str:
    text = str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
    if "out of memory" in text.lower():
        text += " (use a device with more memory, a smaller dtype, or a shorter max_tokens)"
    return text[:_SHOWN]


def _free_memory() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
