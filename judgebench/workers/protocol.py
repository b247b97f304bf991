"""What a worker and its parent say to each other, from the worker's side: one process, one model.

    python -m judgebench.workers.generate | judge | reward

The parent writes one job to standard input and reads events from standard output; after ``ready``
it writes questions, any number of times, and hears of each one before ``done``; one JSON object a
line::

    -> {…what the worker's `load` takes…}
    <- {"event": "loading"}
    <- {"event": "ready", "stack": {...}, "batch": 8}
    -> {"questions": [{"id": 0, …}, {"id": 1, …}, {"id": 2, …}]}
    <- {"event": "answered", "answers": [{"id": 0, "seconds": 0.3, …}, {"id": 2, …}]}
    <- {"event": "failed", "ids": [1], "kind": "too_long", "message": "..."}
    <- {"event": "done"}

Answers of one event came together. In place of questions it may be asked which of them are answered
together, so that others are asked by other processes::

    -> {"portions": [{"id": 0, …}, {"id": 1, …}, {"id": 2, …}]}
    <- {"event": "portions", "portions": [[0, 2], [1]]}

``{"event": "refused", "message": ..., "ours": ...}`` in place
of ``ready`` says that the job cannot be done, and whether it is the suite that is wrong. The end of
standard input ends the process and what it started, at once. What the model's libraries may ask on
it finds it empty.

Importing this is cheap; the pipe is made before anything heavy is imported.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple, NoReturn, Protocol, TypeAlias

from judgebench.errors import ConfigError
from judgebench.records import FailureKind, Runtime

Question: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = dict[str, Any]
Event: TypeAlias = dict[str, Any]

QUIET = {
    "TQDM_DISABLE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_NO_USAGE_STATS": "1",
}
_SHOWN = 2000


class ParentPipe:
    """Orders from the parent, events to it, and death when it is gone.

    Standard output is kept for events: descriptor 1 leads to standard error from here on, so that
    what a library prints cannot corrupt them. Standard input is kept for orders: descriptor 0 is
    empty from here on, so that a library that asks something is told that nobody answers.

    The end of the orders means that the parent has died, even by ``kill -9``: this process
    and its descendants end at once, whatever they are doing.
    """

    def __init__(self) -> None:
        self._events = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._incoming = os.fdopen(os.dup(0), encoding="utf-8")  # no child inherits it
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self._orders: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read_orders, name="orders", daemon=True).start()

    def order(self) -> dict[str, Any]:
        """The next line from the parent; waits for it."""
        order: dict[str, Any] = json.loads(self._orders.get())
        return order

    def tell(self, event: Event) -> None:
        """Send one event; a line is written whole before the next begins."""
        self._events.write(json.dumps(event) + "\n")
        self._events.flush()

    def _read_orders(self) -> None:
        for line in self._incoming:
            self._orders.put(line)
        if os.getpgrp() == os.getpid():  # engine processes are in its group
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


class Refusal(NamedTuple):
    """Why a question is not put to the model."""

    kind: FailureKind
    message: str


class Answerer(Protocol):
    """A loaded model."""

    batch: int
    """How many questions it takes at once."""

    def stack(self) -> Runtime: ...

    def answers(self, questions: Sequence[Question]) -> Iterator[Event]:
        """``answered`` or ``failed`` for each question."""

    def portions(self, questions: Sequence[Question]) -> list[list[int]]:
        """Which questions are answered together, by their numbers here; each of them once."""


def serve(load: Callable[[Mapping[str, Any]], Answerer]) -> NoReturn:
    """The whole life of a worker."""
    pipe = ParentPipe()
    os.environ.update(QUIET)
    logging.basicConfig(level=logging.WARNING)
    job = pipe.order()
    pipe.tell({"event": "loading"})
    try:
        model = load(job)
    except Exception as error:  # noqa: BLE001  (whatever a library raises, the parent reports it)
        ours = isinstance(error, ConfigError)
        pipe.tell({"event": "refused", "message": in_words(error), "ours": ours})
        sys.stderr.flush()
        os._exit(0)  # tearing torch down takes seconds and frees nothing that the end does not
    pipe.tell({"event": "ready", "stack": asdict(model.stack()), "batch": model.batch})
    while True:
        order = pipe.order()
        if (questions := order.get("portions")) is not None:
            pipe.tell({"event": "portions", "portions": model.portions(questions)})
            continue
        for event in model.answers(order["questions"]):
            pipe.tell(event)
        pipe.tell({"event": "done"})


def failed(ids: Sequence[Any], message: str, kind: FailureKind = "local_model") -> Event:
    """The event that says of some questions why they have no answer."""
    return {"event": "failed", "ids": list(ids), "kind": kind, "message": message}


def in_words(error: Exception) -> str:
    """What happened, for the parent; the rest is among the last words."""
    traceback.print_exception(error)
    text = str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
    if "out of memory" in text.lower():
        text += (
            " (lower the model's batch_size, or use a device with more memory, a smaller dtype, or "
            "a shorter max_tokens)"
        )
    return text[:_SHOWN]


def free_memory() -> None:
    """Give back what a batch took that failed, once nothing of it is held any more."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


class BatchAnswerer(ABC):
    """A model that answers questions in any company: what fails together is asked by halves.

    One question costs no other its answer, and a batch that is too large for the memory becomes
    smaller ones.
    """

    batch: int

    def portions(self, questions: Sequence[Question]) -> list[list[int]]:
        """As many as are taken at once, in their order."""
        numbers = range(len(questions))
        return [list(numbers[first : first + self.batch]) for first in numbers[:: self.batch]]

    @abstractmethod
    def refusal(self, question: Question) -> Refusal | None:
        """Why this question cannot be answered; None if it can."""

    @abstractmethod
    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer one batch of questions that are alike, in its order."""

    def answers(self, questions: Sequence[Question]) -> Iterator[Event]:
        asked = []
        for question in questions:
            try:
                refusal = self.refusal(question)
            except Exception as error:  # noqa: BLE001  (one question fails; the others do not)
                refusal = Refusal("local_model", in_words(error))
            if refusal is None:
                asked.append(question)
            else:
                yield failed([question["id"]], refusal.message, refusal.kind)
        if asked:
            yield from self._together(asked)

    def _together(self, questions: Sequence[Question]) -> Iterator[Event]:
        began = time.perf_counter()
        try:
            answered = self.answer(questions)
        except Exception as error:  # noqa: BLE001  (said for each question that fails alone)
            message = in_words(error)
        else:
            both = {"seconds": time.perf_counter() - began}
            pairs = zip(questions, answered, strict=True)
            rows = [{"id": question["id"], **both, **answer} for question, answer in pairs]
            yield {"event": "answered", "answers": rows}
            return
        free_memory()
        if len(questions) == 1:
            yield failed([questions[0]["id"]], message)
            return
        half = len(questions) // 2
        yield from self._together(questions[:half])
        yield from self._together(questions[half:])
