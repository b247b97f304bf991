"""The provider ``local``: a judge model on this machine, run through lm-eval in a worker process.

Questions that are in flight together are answered as one batch. What shares a batch can change the
last digits of a logit, and so, rarely, a greedy answer: ``batch_size: 1`` rules that out. Draws do
not depend on it, except with a backend that takes no seed for each question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from judgebench.config import Endpoint
from judgebench.errors import CallError, ConfigError
from judgebench.providers._batched_worker import BatchedWorker
from judgebench.providers._local_decoding import (
    decoding_of,
    for_worker,
    in_chat_words,
    left_out,
    seed_of,
)
from judgebench.providers._local_model import (
    plain_messages,
    plain_texts,
    refuse_remote,
    served_name,
    with_defaults,
)
from judgebench.records import (
    ChatRequest,
    Reply,
    Request,
    Runtime,
    ScoreRequest,
    TokenLogprob,
    Usage,
)

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
_NEEDS = {"hf": "torch", "hf-auto": "torch", "huggingface": "torch", "vllm": "vllm"}


def make(endpoint: Endpoint) -> LocalJudge:
    """The provider ``local``; ``provider_options`` are a suite's section ``lm_eval``.

    Raises
    ------
    ConfigError
        For an option that is not known, or one that a local model has no use for.
    """
    refuse_remote("local", endpoint)
    given = with_defaults("local", endpoint.provider_options, _OPTIONS)
    if given["fewshot_as_multiturn"]:
        raise ConfigError("lm_eval: fewshot_as_multiturn is for tasks; a judge has no examples")
    return LocalJudge(given, endpoint.identity or "local", endpoint.timeout_s or 120.0)


class LocalJudge:
    """A model that answers messages, or says how likely it is to begin its answer with a text.

    A `ChatRequest` is answered through the model's chat template. Its decoding is greedy unless it
    sets a temperature; ``gen_kwargs`` of the suite fill in what it does not say. A `ScoreRequest`
    with candidates takes one forward pass where each of them is one token.

    Parameters
    ----------
    options
        Every field of a suite's section ``lm_eval``.
    identity
        Which model it is; a question for another is refused, since its reply would be recorded
        under the wrong name.
    timeout_s
        For one batch; waiting for one's turn does not count. For loading the model where
        ``loading_s`` among the options is None.
    """

    def __init__(self, options: Mapping[str, Any], identity: str, timeout_s: float) -> None:
        self.identity = identity
        self._defaults = in_chat_words(options["gen_kwargs"])
        arguments = options["model_args"]
        self._served = served_name(arguments.get("pretrained") or arguments.get("model") or "")
        job = ("model", "model_args", "batch_size", "device", "apply_chat_template")
        self._worker = BatchedWorker(
            "judgebench.workers.judge_worker",
            {name: options[name] for name in (*job, "system_instruction")},
            model=f"the local judge {self._served or options['model']}",
            gpus=options["gpus"],
            needs=_NEEDS.get(options["model"]),
            timeout_s=timeout_s,
            loading_s=options["loading_s"],
        )

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
        if isinstance(request, ScoreRequest):
            return await self._weigh(request)
        return await self._chat(request)

    async def close(self) -> None:
        """End the worker and everything it started."""
        await self._worker.close()

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
                *(name for name, asked in unheard.items() if asked and name in answer["deaf_to"]),
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
