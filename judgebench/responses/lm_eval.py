"""Answers of a local model, as its worker process gives them.

The worker holds torch and lm-eval; nothing heavy is imported here. It is loaded once for all tasks
of a run and ends with it, however that ends: it watches the pipe it gets its orders from.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any

from judgebench.errors import ConfigError, LocalModelError
from judgebench.records import Item, Response, Runtime, Usage
from judgebench.responses.identity import pinned
from judgebench.responses.local_model import Generation, LmEvalTask, LocalModel, generation_of
from judgebench.secret import redact, secrets_of

_POLL_S = 0.2
_GRACE_S = 5.0
_LAST_BYTES = 16 * 1024
_LAST_LINES = 15
_NEEDS = {"hf": "torch", "hf-auto": "torch", "huggingface": "torch", "vllm": "vllm"}
_INSTALL = {"torch": "pip install 'judgebench-harness[hf]'", "vllm": "pip install 'lm-eval[vllm]'"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One benchmark's task for one model; ``items`` is the full list, whatever is missing.

    ``local`` is the model as this task asks it, where that is not as others do.
    """

    task: LmEvalTask
    items: Sequence[Item]
    model_key: bytes
    samples: int = 1
    local: LocalModel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Answers that came together: one transaction."""

    task: str
    responses: Sequence[Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAnswered:
    """What could not be answered, as (item id, sample), and why."""

    task: str
    ids: Sequence[tuple[str, int]]
    message: str


class LmEvalWorker:
    """A local model in a process of its own.

    Use as a context manager; `start`, then `generate`. Leaving it ends the process and everything
    that it started.

    Parameters
    ----------
    loading_s
        How long it may take until the model is loaded and its prompts are made; no limit if None.
    """

    def __init__(
        self,
        local: LocalModel,
        tasks: Sequence[Task],
        *,
        seed: int,
        loading_s: float | None = None,
    ) -> None:
        self._local = local
        self._tasks = {task.task.name: task for task in tasks}
        if len(self._tasks) < len(tasks):
            raise ConfigError("two benchmarks of a run share an lm-eval task; run them one by one")
        self._generation = {t.task.name: generation_of(t.local or local, t.task) for t in tasks}
        for name, task in self._tasks.items():
            _check_samples(name, task, self._generation[name])
        self._seed = seed
        self._loading_s = loading_s
        self._stack: Runtime | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._events: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._readers: list[threading.Thread] = []
        self._tail = b""
        self._done = False

    def __enter__(self) -> LmEvalWorker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> Runtime:
        """Start the process and load the model; how it runs.

        Raises
        ------
        ConfigError
            Where what it needs is not installed, or the job cannot be done as it stands.
        LocalModelError
            Where the model cannot be loaded, or not in time, with the process's last words.
        """
        needed = _NEEDS.get(self._local.model)
        if needed is not None and importlib.util.find_spec(needed) is None:
            raise ConfigError(
                f"the backend {self._local.model} needs {needed}, which is not installed: "
                f"{_INSTALL[needed]}"
            )
        process = subprocess.Popen(
            [sys.executable, "-m", "judgebench.workers.lm_eval_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment(),
            start_new_session=True,  # Ctrl-C is for the run; and there is no terminal to ask on
        )
        self._process = process
        assert process.stdout is not None
        assert process.stderr is not None
        for read, stream in (
            (self._read_events, process.stdout),
            (self._keep_tail, process.stderr),
        ):
            thread = threading.Thread(target=read, args=(stream,), daemon=True)
            thread.start()
            self._readers.append(thread)
        self._order(self.job())
        deadline = None if self._loading_s is None else time.monotonic() + self._loading_s
        while True:
            event = self._event(deadline)
            if event["event"] == "ready":
                self._stack = Runtime(**event["stack"])
                return self._stack
            if event["event"] == "refused":
                self.stop()
                raise self._refusal(event)

    def generate(
        self, missing: Mapping[str, Collection[tuple[str, int]]]
    ) -> Iterator[Answered | NotAnswered]:
        """Answers to what is missing, as (item id, sample) by task; a batch at a time.

        Raises
        ------
        LocalModelError
            When the process ends before it is done, with its last words. What came before stays.
        """
        wanted = {name: sorted(ids) for name, ids in missing.items() if ids}
        if not wanted:
            return
        self._order({"tasks": [{"task": name, "ids": ids} for name, ids in wanted.items()]})
        while (event := self._event())["event"] != "done":
            task = self._tasks[event["task"]]
            if event["event"] == "responses":
                answers = [self._response(task, row) for row in event["rows"]]
                yield Answered(task=event["task"], responses=answers)
            else:
                ids = [(id_, sample) for id_, sample in event["ids"]]
                yield NotAnswered(task=event["task"], ids=ids, message=_clean(event["message"]))
        self._done = True

    def stop(self) -> None:
        """End the process and its descendants, and wait for that."""
        process, self._process = self._process, None
        if process is None:
            return
        if not self._done:
            _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
        _signal(process, signal.SIGKILL)  # and whatever it has left behind
        process.wait()
        for thread in self._readers:
            thread.join(_GRACE_S)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def job(self) -> dict[str, Any]:
        """The first order to the process: the model, and all that its tasks could ask."""
        local = self._local
        return {
            "model": local.model,
            "model_args": pinned(local.model_args),
            "batch_size": local.batch_size,
            "device": local.device,
            "apply_chat_template": local.apply_chat_template,
            "seed": self._seed,
            "tasks": [
                {
                    "task": name,
                    "include_path": [str(task.task.include_path)],
                    "metadata": dict(task.task.metadata),
                    **_prompting(task.local or local),
                    "ids": _distinct(task.items),
                    "until": list(self._generation[name].until),
                    "max_gen_toks": self._generation[name].max_gen_toks,
                    "sampling": dict(self._generation[name].sampling),
                    "sampling_of": _by_item(self._generation[name], task.items),
                    "further": dict(self._generation[name].further),
                }
                for name, task in self._tasks.items()
            ],
        }

    def _environment(self) -> dict[str, str]:
        env = dict(os.environ)
        env.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
        # Threads that spin while they wait: measured at 14 times the seconds on a busy machine.
        env.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        if self._local.gpus is not None:
            env["CUDA_VISIBLE_DEVICES"] = self._local.gpus
        return env

    def _order(self, order: Mapping[str, Any]) -> None:
        assert self._process is not None, "the worker was not started"
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._crashed() from None

    def _event(self, deadline: float | None = None) -> dict[str, Any]:
        """The next event; waits for it as long as the process lives, or until the deadline."""
        process = self._process
        assert process is not None, "the worker was not started"
        ended = False
        while True:
            try:
                line = self._events.get(timeout=_POLL_S)
            except queue.Empty:
                if ended:  # a descendant may still hold the pipe open
                    raise self._crashed() from None
                if deadline is not None and time.monotonic() > deadline:
                    raise self._too_slow() from None
                ended = process.poll() is not None
                continue
            if line is None:
                raise self._crashed()
            event: dict[str, Any] = json.loads(line)
            return event

    def _read_events(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._events.put(line)
        self._events.put(None)

    def _keep_tail(self, stream: IO[bytes]) -> None:
        """Keep the end of what is said, and never let a full pipe stop the worker."""
        while chunk := os.read(stream.fileno(), _LAST_BYTES):
            self._tail = (self._tail + chunk)[-_LAST_BYTES:]

    def _response(self, task: Task, row: Mapping[str, Any]) -> Response:
        item = task.items[0]
        return Response(
            benchmark=item.benchmark,
            version=item.version,
            item_id=row["id"],
            model_key=task.model_key,
            text=row["text"],
            raw=row["raw"],
            status=row["status"],
            sample=row["sample"],
            reasoning=row["reasoning"],
            prompt=row["prompt"],
            finish_reason=row["finish_reason"],
            usage=Usage(
                prompt_tokens=row["prompt_tokens"], completion_tokens=row["completion_tokens"]
            ),
            logprob=row["logprob"],
            stack=self._stack,
            source="lm-eval",
        )

    def _refusal(self, event: Mapping[str, Any]) -> ConfigError | LocalModelError:
        message = _clean(event["message"])
        if event["ours"]:
            return ConfigError(message)
        pretrained = self._local.model_args.get("pretrained", "the model")
        return LocalModelError(
            f"{pretrained} cannot be used with the backend {self._local.model}: {message}"
        )

    def _crashed(self) -> LocalModelError:
        process = self._process
        assert process is not None
        self.stop()
        return LocalModelError(
            f"the worker that runs the local model ended before it was done "
            f"({_status(process.returncode)}). {self._last_words()}"
        )

    def _too_slow(self) -> LocalModelError:
        self.stop()
        return LocalModelError(
            f"the local model was not loaded within {self._loading_s:g} s: raise the suite's "
            "limits: {timeout_s: …} above that (a download that broke off goes on). "
            f"{self._last_words()}"
        )

    def _last_words(self) -> str:
        said = self._tail.decode("utf-8", "replace")
        lines = _clean(said).splitlines()[-_LAST_LINES:]
        words = "\n".join(f"  | {line}" for line in lines)
        return f"Its last words:\n{words or '  (none)'}"


def _check_samples(name: str, task: Task, generation: Generation) -> None:
    if task.samples > 1 and not generation.samples:
        raise ConfigError(
            f"task {name}: {task.samples} samples of a greedy answer are all the same; say "
            "gen_kwargs: {do_sample: true, temperature: …}, or samples: 1"
        )


def _prompting(local: LocalModel) -> dict[str, Any]:
    return {
        "apply_chat_template": bool(local.apply_chat_template),
        "system_instruction": local.system_instruction,
        "fewshot_as_multiturn": local.fewshot_as_multiturn,
        "prompt_tokens": dict(local.prompt_tokens),
    }


def _by_item(generation: Generation, items: Sequence[Item]) -> dict[str, dict[str, Any]]:
    """What each item is sampled with, where that is not the same for all."""
    if not generation.temperatures:
        return {}
    return {item.id: dict(generation.sampling_of(item)) for item in items}


def _distinct(items: Sequence[Item]) -> list[str]:
    """Ids, of identical questions the first: they are asked once."""
    first: dict[Any, str] = {}
    for item in items:
        first.setdefault((item.turns, item.prompt), item.id)
    return list(first.values())


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _status(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    hint = "; often the machine ran out of memory" if -code == signal.SIGKILL else ""
    return f"killed by {signal.Signals(-code).name}{hint}"


def _clean(text: str) -> str:
    """Without keys and control characters: what a process prints is not to be trusted."""
    text = redact(text, secrets_of(os.environ))
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)
