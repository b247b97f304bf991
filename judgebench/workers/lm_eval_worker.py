"""The process that holds a local model: loads it once, answers tasks, says what it does.

    python -m judgebench.workers.lm_eval_worker

The parent writes one job to standard input, reads events from standard output, and after ``ready``
(which says how the model runs) writes what is missing; one JSON object a line::

    -> {"model": "hf", "model_args": {...}, "batch_size": 8, "device": null, "seed": 1234,
        "apply_chat_template": true,
        "tasks": [{"task": "...", "include_path": ["..."], "metadata": {...}, "ids": ["0", ...],
                   "apply_chat_template": true, "system_instruction": null,
                   "fewshot_as_multiturn": false, "prompt_tokens": {},
                   "until": [], "max_gen_toks": 64, "sampling": {"do_sample": false},
                   "sampling_of": {}, "further": {}}]}
    <- {"event": "loading"}
    <- {"event": "ready", "stack": {...}}
    -> {"tasks": [{"task": "...", "ids": [["0", 0], ...]}]}
    <- {"event": "responses", "task": "...", "rows": [{"id": "0", "sample": 0, "text": ...}, ...]}
    <- {"event": "failed", "task": "...", "ids": [["1", 0]], "message": "..."}
    <- {"event": "done"}

A text as the job's ``apply_chat_template`` names one of the model's templates, for all tasks.
``prompt_tokens`` is how prompts become tokens where that is not lm-eval's way
(`judgebench.workers.prompt_tokens`). ``sampling_of`` takes the place of ``sampling`` for the items
that it names, and ``further``, unless it is empty, that of both for every sample but 0.

``{"event": "refused", "message": ...}`` in place of ``ready`` says that the job cannot be done. The
end of standard input ends the process and what it started, at once.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from judgebench.errors import ConfigError
from judgebench.records import NOT_SAID
from judgebench.workers.batches import batch_seed, batches
from judgebench.workers.final_answer import read_answer
from judgebench.workers.generated import Decoding
from judgebench.workers.parent_pipe import ParentPipe
from judgebench.workers.prompt_tokens import PromptTokens

if TYPE_CHECKING:
    from judgebench.workers.generated import Backend, Generated
    from judgebench.workers.task_prompts import TaskPrompts

QUIET = {
    "TQDM_DISABLE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_NO_USAGE_STATS": "1",
}


def work(pipe: ParentPipe, loaded: Callable[[dict[str, Any]], Backend] | None = None) -> None:
    """One job, from loading to done; the model is what ``loaded`` makes of it, else `load`."""
    job = pipe.order()
    pipe.tell("loading")
    try:
        tasks = [_Task(job, task) for task in job["tasks"]]
        backend = (loaded or load)(job)
        for task in tasks:
            task.build(backend)
    except Exception as error:  # noqa: BLE001  (whatever a library raises, the parent reports it)
        traceback.print_exc()
        pipe.tell("refused", message=_said(error), ours=isinstance(error, ConfigError))
        return
    pipe.tell("ready", stack=asdict(backend.stack()))
    missing = {one["task"]: {(id_, n) for id_, n in one["ids"]} for one in pipe.order()["tasks"]}
    for task in tasks:
        for event, fields in task.answer(backend, missing.get(task.name, set())):
            pipe.tell(event, task=task.name, **fields)
    pipe.tell("done")


def load(job: dict[str, Any]) -> Backend:
    """The model of a job, by the name that lm-eval gives its backend."""
    from judgebench.workers.task_prompts import choose_template

    name, how = job["model"], (job["model_args"], job["batch_size"], job["device"])
    backend: Backend
    if name in {"hf", "hf-auto", "huggingface"}:
        from judgebench.workers.hf_backend import HuggingFace

        backend = HuggingFace(*how)
    elif name == "vllm":
        from judgebench.workers.vllm_backend import Vllm

        backend = Vllm(name, *how)
    else:
        from judgebench.workers.any_backend import AnyBackend

        backend = AnyBackend(name, *how)
    if isinstance(job["apply_chat_template"], str):
        choose_template(backend.lm, job["apply_chat_template"])
    return backend


class _Task:
    """One task of a job."""

    def __init__(self, job: dict[str, Any], task: dict[str, Any]) -> None:
        from judgebench.workers.task_prompts import TaskPrompts

        absent = [name for name in ("until", "max_gen_toks", "sampling") if task.get(name) is None]
        if absent:  # lm-eval would stop at the first blank line, or after 256 tokens
            raise ConfigError(f"task {task['task']}: {', '.join(absent)} has to be said explicitly")
        self.name: str = task["task"]
        self._job, self._given = job, task
        self._source: TaskPrompts = TaskPrompts(self.name, task["include_path"], task["metadata"])
        self._prompts: dict[str, Any] = {}
        rule = task.get("prompt_tokens")
        self._tokens = PromptTokens(**rule) if rule else None

    def build(self, backend: Backend) -> None:
        self._prompts = self._source.build(
            set(self._given["ids"]),
            lm=backend.lm,
            apply_chat_template=self._given["apply_chat_template"],
            system_instruction=self._given["system_instruction"],
            fewshot_as_multiturn=self._given["fewshot_as_multiturn"],
        )
        if self._tokens is not None and "prompt_tokens" in backend.deaf_to:
            raise ConfigError(
                f"task {self.name}: this backend takes text and cannot be told how it becomes "
                "tokens, as the benchmark's preset has it; use the backend hf or vllm, or say "
                "options: {preset: clean}"
            )

    def answer(
        self, backend: Backend, missing: set[tuple[str, int]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Events, a batch at a time. What fails is said, and the next batch follows."""
        unknown = [one for one in missing if one[0] not in self._prompts]
        if unknown:
            yield "failed", _failed(unknown, "the task has no document with this id")
        decoding = self._decoding(backend, 0, self._given["sampling"])
        refused = {
            id_: why
            for id_, prompt in self._prompts.items()
            if (why := backend.refusal(prompt, decoding)) is not None
        }
        for id_, why in refused.items():
            if affected := [one for one in missing if one[0] == id_]:
                yield "failed", _failed(affected, why)
        asked = {id_: p for id_, p in self._prompts.items() if id_ not in refused}
        for sample in sorted({n for _, n in missing}):
            for number, (sampling, ids) in enumerate(self._batches(asked, backend.batch, sample)):
                wanted = [id_ for id_ in ids if (id_, sample) in missing]
                if not wanted:
                    continue
                seed = batch_seed(self._job["seed"], task=self.name, sample=sample, number=number)
                try:
                    generated = backend.generate(
                        [asked[id_] for id_ in ids], self._decoding(backend, seed, sampling)
                    )
                except Exception as error:  # noqa: BLE001  (one batch fails; the run goes on)
                    traceback.print_exc()
                    _free_memory()
                    yield "failed", _failed([(id_, sample) for id_ in wanted], _said(error))
                    continue
                rows = [
                    self._row(id_, sample, one, backend)
                    for id_, one in zip(ids, generated, strict=True)
                    if id_ in wanted
                ]
                yield "responses", {"rows": rows}

    def _batches(
        self, asked: dict[str, Any], size: int, sample: int
    ) -> Iterator[tuple[dict[str, Any], list[str]]]:
        """Ids that are answered together, with what they are sampled with: one for each batch."""
        alike: dict[str, tuple[dict[str, Any], list[str]]] = {}
        further = self._given.get("further") if sample else None
        for id_ in self._given["ids"]:
            own = self._given.get("sampling_of", {}).get(id_, self._given["sampling"])
            sampling = further or own
            told = json.dumps(sampling, sort_keys=True)
            alike.setdefault(told, (sampling, []))[1].append(id_)
        for sampling, ids in alike.values():
            for some in batches(asked, ids, size):
                yield sampling, some

    def _decoding(self, backend: Backend, seed: int, sampling: dict[str, Any]) -> Decoding:
        # A model that reasons may write a stop sequence while it does; then the stops are ours.
        stops = () if backend.think_end else tuple(self._given["until"])
        return Decoding(
            stops=stops,
            max_gen_toks=self._given["max_gen_toks"],
            sampling=sampling,
            seed=seed,
            weighed=not sampling.get("do_sample"),
            prompt_tokens=self._tokens,
        )

    def _row(self, id_: str, sample: int, one: Generated, backend: Backend) -> dict[str, Any]:
        from judgebench.workers.task_prompts import prompt_text

        prompt = prompt_text(self._prompts[id_])
        answer = read_answer(
            replace(one, finish_reason=one.finish_reason or NOT_SAID),
            prompt=prompt,
            think_end=backend.think_end,
            stops=self._given["until"],
        )
        return {"id": id_, "sample": sample, "prompt": prompt, **asdict(one), **asdict(answer)}


def _failed(ids: list[tuple[str, int]], message: str) -> dict[str, Any]:
    return {"ids": sorted(ids), "message": message}


def _said(error: Exception) -> str:
    text = str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
    if "out of memory" in text.lower():
        text += " (lower the model's batch_size, or use a device with more memory)"
    return text[:2000]


def _free_memory() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def main() -> None:
    pipe = ParentPipe()
    os.environ.update(QUIET)
    logging.basicConfig(level=logging.WARNING)
    work(pipe)
    sys.stderr.flush()
    os._exit(0)  # tearing torch down takes seconds and frees nothing that the end does not


if __name__ == "__main__":
    main()
