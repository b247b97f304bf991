"""The provider ``local``: a judge model on this machine, run through lm-eval in a worker process.

A model on this machine answers eight questions in little more time than one, and a run asks them
one by one. So a question waits a few milliseconds for others, those that are in flight together are
answered as one batch, and while a batch is under way the next one gathers. What shares a batch can
change the last digits of a logit, and so, rarely, a greedy answer: ``batch_size: 1`` rules that
out. Draws do not depend on it, except with a backend that takes no seed for each question.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from judgebench.config import Endpoint
from judgebench.errors import (
    CallError,
    ConfigError,
    LocalModelError,
    ProviderUnavailableError,
    refuse_unknown,
)
from judgebench.keys import request_key
from judgebench.records import (
    ChatRequest,
    FailureKind,
    JsonObject,
    Message,
    Reply,
    Request,
    Runtime,
    ScoreRequest,
    TokenLogprob,
    Usage,
)
from judgebench.workers.process import NEEDS, START, Worker, clean

_OPTIONS: Mapping[str, Any] = {
    "model": "hf",
    "model_args": {},
    "batch_size": 8,
    "device": None,
    "apply_chat_template": True,
    "system_instruction": None,
    "fewshot_as_multiturn": False,
    "gen_kwargs": {},
    "gpus": None,
    "loading_s": None,
}

DEFAULT_MAX_TOKENS = 1024
"""Of a reply, where neither the question nor ``gen_kwargs`` say."""

RESTARTS = 1
"""How often a worker that ended by itself is started again: by chance once, hardly twice."""

_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
_TAKEN = (*_SAMPLING, "max_tokens", "stop", "seed")
_OTHER_NAMES = {
    "until": "stop",
    **dict.fromkeys(("max_gen_toks", "max_new_tokens", "max_completion_tokens"), "max_tokens"),
}
MOST_AT_ONCE = 1024
"""Batches under way, one for each GPU of a cluster; on this machine it is one."""

_LINGER_S = 0.01
_QUIET_S = 0.002


def make(endpoint: Endpoint) -> LocalJudge:
    """The provider ``local``; ``provider_options`` are a suite's section ``lm_eval``.

    Raises
    ------
    ConfigError
        For an option that is not known, or one that a local model has no use for.
    """
    given = options_here("local", endpoint, _OPTIONS)
    if given["fewshot_as_multiturn"]:
        raise ConfigError("lm_eval: fewshot_as_multiturn is for tasks; a judge has no examples")
    return LocalJudge(given, endpoint.identity or "local", endpoint.timeout_s or 120.0)


def options_here(provider: str, endpoint: Endpoint, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A provider's options, with the defaults for what is not said.

    What only a provider elsewhere could make use of is refused.
    """
    elsewhere = ("base_url", "api_key", "capabilities")
    if names := [name for name in elsewhere if getattr(endpoint, name)]:
        raise ConfigError(
            f"the provider {provider!r} runs on this machine and takes no {' or '.join(names)}"
        )
    given = endpoint.provider_options
    refuse_unknown("option", given, defaults, about=f"{provider}: ")
    return {**defaults, **given}


class LocalProvider(ABC):
    """A provider whose model is in a worker process of this machine.

    Parameters
    ----------
    identity
        Which model it is; a question for another is refused, since its reply would be recorded
        under the wrong name.
    pretrained
        The checkpoint; shown without the folder it lies in, a Hub id as it is.
    """

    def __init__(self, identity: str, pretrained: str, worker: BatchedWorker) -> None:
        self.identity = identity
        self._served = served_name(pretrained)
        self._worker = worker

    @property
    def worker_pid(self) -> int | None:
        """The process that holds the model; None while there is none."""
        return self._worker.pid

    @property
    def stack(self) -> Runtime | None:
        """How the model runs: device, dtype, versions; None until it is loaded."""
        return self._worker.stack

    async def complete(self, request: Request) -> Reply:
        if request.provider != self.identity:
            raise ValueError(f"a question for {request.provider!r} was put to {self.identity!r}")
        return await self._reply(request)

    async def close(self) -> None:
        """End the worker and everything it started."""
        await self._worker.close()

    @abstractmethod
    async def _reply(self, request: Request) -> Reply: ...


class LocalJudge(LocalProvider):
    """A model that answers messages, or says how likely it is to begin its answer with a text.

    A `ChatRequest` is answered through the model's chat template. Its decoding is greedy unless it
    sets a temperature; ``gen_kwargs`` of the suite fill in what it does not say. A `ScoreRequest`
    with candidates takes one forward pass where each of them is one token.

    Parameters
    ----------
    options
        Every field of a suite's section ``lm_eval``.
    timeout_s
        For one batch; waiting for one's turn does not count. For loading the model where
        ``loading_s`` among the options is None.
    """

    def __init__(self, options: Mapping[str, Any], identity: str, timeout_s: float) -> None:
        self._defaults = in_chat_words(options["gen_kwargs"])
        arguments = options["model_args"]
        pretrained = arguments.get("pretrained") or arguments.get("model") or ""
        job = ("model", "model_args", "batch_size", "device", "apply_chat_template")
        worker = BatchedWorker(
            "judgebench.workers.judge",
            {name: options[name] for name in (*job, "system_instruction")},
            model=f"the local judge {served_name(pretrained) or options['model']}",
            gpus=options["gpus"],
            needs=NEEDS.get(options["model"]),
            timeout_s=timeout_s,
            loading_s=options["loading_s"],
        )
        super().__init__(identity, pretrained, worker)

    async def _reply(self, request: Request) -> Reply:
        if isinstance(request, ScoreRequest):
            return await self._weigh(request)
        return await self._chat(request)

    async def _chat(self, request: ChatRequest) -> Reply:
        decoding = {**self._defaults, **decoding_of(request.decoding)}
        how = for_worker(decoding, request.logprobs)
        seed = seed_of(decoding, request)
        question = {"messages": plain_messages(request.messages), **how, "seed": seed}
        answer = await self._worker.ask(question, alike=json.dumps(how, sort_keys=True))
        draws = how["sampling"].get("temperature", 0) > 0
        unheard = {
            "logprobs": request.logprobs is not None,
            "seed": draws and "seed" in decoding,
        }
        return Reply(
            text=answer["text"],
            finish_reason=answer["finish_reason"],
            reasoning=answer["reasoning"],
            logprobs=_logprobs(answer["tokens"]),
            usage=Usage(
                prompt_tokens=answer["prompt_tokens"],
                completion_tokens=answer["completion_tokens"],
            ),
            served_model=self._served,
            seconds=answer["seconds"],
            left_out=(
                *left_out(request, decoding),
                *(
                    name
                    for name, asked in unheard.items()
                    if asked and name in answer["unsupported"]
                ),
            ),
        )

    async def _weigh(self, request: ScoreRequest) -> Reply:
        if not request.candidates:
            raise CallError(
                "a model that writes has no score for a conversation: name candidates whose "
                "likelihood is asked for, or use the provider reward_model",
                retriable=False,
                kind="request",
            )
        question = {
            "messages": plain_messages(request.messages),
            "candidates": list(plain_texts(request.candidates)),
        }
        answer = await self._worker.ask(question, alike="candidates")
        scores = tuple(answer["values"])
        return Reply(
            text=request.candidates[scores.index(max(scores))],
            scores=scores,
            usage=Usage(prompt_tokens=answer["prompt_tokens"]),
            served_model=self._served,
            seconds=answer["seconds"],
            left_out=(*request.decoding, *request.extra),
        )


def _logprobs(tokens: list[dict[str, Any]] | None) -> tuple[TokenLogprob, ...] | None:
    if tokens is None:
        return None
    return tuple(
        TokenLogprob(
            token=token["token"],
            logprob=token["logprob"],
            top=tuple((text, value) for text, value in token["top"]),
        )
        for token in tokens
    )


def decoding_of(said: JsonObject) -> JsonObject:
    """Without what is said to be nothing, and with one name for one thing."""
    return {
        _OTHER_NAMES.get(name, name): value for name, value in said.items() if value is not None
    }


def in_chat_words(gen_kwargs: Mapping[str, Any]) -> JsonObject:
    """A suite's ``gen_kwargs`` in the words of chat completions.

    Raises
    ------
    ConfigError
        For a setting that is not known here, or two that contradict each other.
    """
    said = dict(decoding_of(gen_kwargs))
    do_sample = said.pop("do_sample", None)
    if do_sample is not None:
        temperature = said.setdefault("temperature", 1.0 if do_sample else 0.0)
        if bool(do_sample) != bool(temperature):
            raise ConfigError(
                f"lm_eval: gen_kwargs: do_sample {do_sample} with temperature {temperature} "
                "contradict each other; for sampling say a temperature above 0"
            )
    refuse_unknown("setting", said, _TAKEN, about="lm_eval: gen_kwargs: ")
    return said


def for_worker(decoding: JsonObject, logprobs: int | None) -> dict[str, Any]:
    """What the worker is told of `decoding_of`, and how many alternatives of each token it gives.

    Greedy where no temperature is said.

    Raises
    ------
    CallError
        For a setting that no model could follow.
    """
    tokens = decoding.get("max_tokens", DEFAULT_MAX_TOKENS)
    said = decoding.get("stop", ())
    stops = [said] if isinstance(said, str) else said
    sampling = {name: decoding[name] for name in _SAMPLING if name in decoding}
    if not _is_number(tokens, int) or tokens < 1:
        raise _cannot_be("max_tokens", "a number above 0", tokens)
    if not isinstance(stops, list | tuple) or not all(isinstance(s, str) and s for s in stops):
        raise _cannot_be("stop", "a text or several", said)
    for name, value in sampling.items():
        if not _is_number(value, int | float) or value < 0:
            raise _cannot_be(name, "a number that is not negative", value)
    return {
        "max_gen_toks": tokens,
        "stops": list(stops),
        "sampling": sampling,
        "logprobs": logprobs,
    }


def seed_of(decoding: JsonObject, request: ChatRequest) -> int:
    """The seed of a draw: as said, else another for another question and the same for the same."""
    seed = decoding.get("seed")
    if seed is None:
        return int.from_bytes(request_key(request)[:4], "big")
    if not _is_number(seed, int) or not 0 <= seed < 2**63:
        raise _cannot_be("seed", "a whole number below 2 ** 63", seed)
    return int(seed)


def left_out(request: ChatRequest, decoding: JsonObject) -> list[str]:
    """What was asked for and has no meaning here."""
    named = {"response_format": request.response_format, "reasoning": request.reasoning}
    return [
        *(name for name in decoding if name not in _TAKEN),
        *(name for name, value in named.items() if value is not None),
        *request.extra,
    ]


def _is_number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _cannot_be(name: str, what: str, given: Any) -> CallError:
    return CallError(
        f"{name} is {what}, not {given!r}; mend the judge's sampling",
        retriable=False,
        kind="request",
    )


def plain_messages(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    """Messages as a worker takes them."""
    contents = plain_texts(tuple(message.content for message in messages))
    return [
        {"role": message.role, "content": content}
        for message, content in zip(messages, contents, strict=True)
    ]


def plain_texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The texts, all of which a tokenizer can read.

    Raises
    ------
    CallError
        For a text with half a surrogate pair.
    """
    try:
        for text in texts:
            text.encode()
    except UnicodeEncodeError:
        raise CallError(
            "the question holds half a surrogate pair, which cannot be read; mend the item or "
            "the answer that it comes from",
            retriable=False,
            kind="request",
        ) from None
    return texts


def served_name(pretrained: str) -> str | None:
    """A checkpoint's name without the folder it lies in; a Hub id as it is."""
    return Path(pretrained).name if Path(pretrained).is_dir() else pretrained or None


# Questions that are in flight together ------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Waiting:
    """A question and who waits for its answer."""

    question: Mapping[str, Any]
    alike: str
    answer: asyncio.Future[dict[str, Any]]


class BatchedWorker:
    """A model in a worker process, started by the first question.

    Parameters
    ----------
    module
        The worker's program; speaks as `judgebench.workers.protocol` says.
    job
        What it loads.
    model
        How the model is called, for messages.
    gpus
        ``CUDA_VISIBLE_DEVICES`` of the worker.
    needs
        The package without which it cannot run.
    timeout_s
        For one batch; waiting for one's turn does not count.
    loading_s
        For starting the worker and loading the model; ``timeout_s`` if None.
    shared
        A worker that others ask too, in place of one of its own.
    """

    def __init__(
        self,
        module: str,
        job: Mapping[str, Any],
        *,
        model: str,
        gpus: str | None,
        needs: str | None,
        timeout_s: float,
        loading_s: float | None = None,
        shared: Worker | None = None,
    ) -> None:
        own = partial(START.get(), module, model=model, gpus=gpus, needs=needs)
        self._start: Callable[[], Worker] = own if shared is None else lambda: shared
        self._job = job
        self._model = model
        self._timeout_s = timeout_s
        self._loading_s = timeout_s if loading_s is None else loading_s
        self._process: Worker | None = None
        self._batch = 1
        self.stack: Runtime | None = None
        """How the model runs; None until it is loaded."""
        self._waiting: list[_Waiting] = []
        self._work: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE)
        self._restarts = RESTARTS
        self._unavailable: str | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process id; None while there is none."""
        return None if self._process is None else self._process.pid

    async def ask(self, question: Mapping[str, Any], *, alike: str) -> dict[str, Any]:
        """The worker's answer to a question.

        Parameters
        ----------
        alike
            Equal for questions that may share a batch.

        Raises
        ------
        CallError
            If this question failed, or the worker ended over its batch; the first `RESTARTS` times
            asking again may help.
        ProviderUnavailableError
            If there is no such model here, its worker keeps ending, or it was closed.
        """
        if self._unavailable is not None:
            raise ProviderUnavailableError(self._unavailable)
        waiting = _Waiting(question, alike, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._work_on()
        return await waiting.answer

    async def close(self) -> None:
        """End the worker and everything it started. Nothing can be asked any more."""
        self._unavailable = self._unavailable or f"{self._model} was closed"
        if self._work:
            for task in self._work:
                task.cancel()
            await asyncio.wait(self._work)
        self._give_up()  # work that was cancelled before its first step has not done so
        await self._stop()
        self._threads.shutdown(wait=False)

    def _work_on(self) -> None:
        """Where one batch more can be under way, by one task more."""
        self._work = {task for task in self._work if not task.done()}
        if len(self._work) < (1 if self._process is None else self._process.width):
            self._work.add(asyncio.create_task(self._answer_all()))

    async def _answer_all(self) -> None:
        """Batch by batch, until nobody waits."""
        try:
            while self._still_waiting():
                worker = self._process or await self._load()
                await self._linger()
                if batch := self._next_batch():
                    if self._waiting:
                        self._work_on()
                    await self._answer(worker, batch)
        except ProviderUnavailableError as error:
            self._unavailable = str(error)
        finally:  # also when cancelled
            self._give_up()

    async def _load(self) -> Worker:
        """The worker, with its model loaded."""
        try:
            worker = self._process = self._start()
            ready = await asyncio.to_thread(
                worker.load, self._job, within_s=self._loading_s, limit="the judge's timeout_s"
            )
        except (ConfigError, LocalModelError) as error:
            self._process = None
            raise ProviderUnavailableError(str(error)) from None
        self._batch = ready["batch"]
        self.stack = Runtime(**ready["stack"])
        return worker

    async def _linger(self) -> None:
        """Give others the time to ask, for as long as they do and there is room."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _LINGER_S
        seen = 0
        while seen < len(self._waiting) < self._batch and loop.time() < until:
            seen = len(self._waiting)
            await asyncio.sleep(_QUIET_S)

    def _give_up(self) -> None:
        """Leave nobody waiting."""
        reason = self._unavailable or f"{self._model} was closed"
        for waiting in self._still_waiting():
            waiting.answer.set_exception(ProviderUnavailableError(reason))
        self._waiting.clear()

    def _still_waiting(self) -> list[_Waiting]:
        """Without those that were given up meanwhile."""
        self._waiting = [one for one in self._waiting if not one.answer.done()]
        return self._waiting

    def _next_batch(self) -> list[_Waiting]:
        """The one that waits longest, and the next that are like it."""
        waiting = self._still_waiting()
        alike = [one for one in waiting if one.alike == waiting[0].alike][: self._batch]
        self._waiting = [one for one in waiting if one not in alike]
        return alike

    async def _answer(self, worker: Worker, batch: list[_Waiting]) -> None:
        """Put one batch to the worker; whatever happens, each of it hears of it."""
        questions = [{"id": number, **one.question} for number, one in enumerate(batch)]
        events: list[dict[str, Any]] = []
        kind: FailureKind = "local_model"
        reason, again = f"{self._model} was closed", True

        def listen() -> None:
            for event in worker.ask(questions, within_s=self._timeout_s):
                events.append(event)  # noqa: PERF402  (what came before an end is kept)

        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, listen)
        except TimeoutError:
            await self._stop()
            kind, again = "timeout", self._may_start_again()
            reason = (
                f"{self._model} did not answer within {self._timeout_s:g} s: raise the judge's "
                "timeout_s, or lower its batch_size or max_tokens"
            )
        except LocalModelError as ended:
            self._process, again = None, self._may_start_again()
            reason = str(ended)
        finally:
            for event in events:
                self._settle(event, batch)
            for one in batch:
                if not one.answer.done():
                    one.answer.set_exception(CallError(reason, retriable=again, kind=kind))
        if not again:
            raise ProviderUnavailableError(reason)

    def _settle(self, event: Mapping[str, Any], batch: list[_Waiting]) -> None:
        """Hand on what the worker said, but to those that gave up meanwhile."""
        for answer in event.get("answers", ()):
            if not (waiting := batch[answer["id"]].answer).done():
                waiting.set_result(answer)
        for number in event.get("ids", ()):
            if not (waiting := batch[number].answer).done():
                message = f"{self._model}: {clean(event['message'])}"
                waiting.set_exception(CallError(message, retriable=False, kind=event["kind"]))

    def _may_start_again(self) -> bool:
        self._restarts -= 1
        return self._restarts >= 0

    async def _stop(self) -> None:
        worker, self._process = self._process, None
        if worker is not None:
            await asyncio.to_thread(worker.stop)
