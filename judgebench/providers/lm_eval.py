"""The provider ``lm_eval``: metrics of an lm-eval task, computed by lm-eval in its own process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judgebench.config import Endpoint
from judgebench.errors import CallError
from judgebench.providers.local import BatchedWorker, LocalProvider, options_here, plain_messages
from judgebench.records import Reply, Request, ScoreRequest, Usage

_OPTIONS: Mapping[str, Any] = {
    "task": "",
    "include_path": (),
    "confirm_run_unsafe_code": False,
}
_LOADING_S = 600.0  # its data may have to be fetched


def make(endpoint: Endpoint) -> Metrics:
    """The provider; ``provider_options`` say which task, and where it is."""
    given = options_here("lm_eval", endpoint, _OPTIONS)
    return Metrics(given, endpoint.identity or "lm_eval", endpoint.timeout_s or 120.0)


class Metrics(LocalProvider):
    """Scores an answer to an item, the last message of a `ScoreRequest` that names the item.

    Parameters
    ----------
    options
        ``task``, ``include_path`` and ``confirm_run_unsafe_code``.
    identity
        Which task with which data; a question about another is refused.
    timeout_s
        For one batch.
    """

    def __init__(self, options: Mapping[str, Any], identity: str, timeout_s: float) -> None:
        worker = BatchedWorker(
            "judgebench.workers.lm_eval_task",
            options,
            model=f"the lm-eval task {options['task']}",
            gpus=None,
            needs="lm_eval",
            timeout_s=timeout_s,
            loading_s=max(timeout_s, _LOADING_S),
        )
        super().__init__(identity, options["task"], worker)

    async def _reply(self, request: Request) -> Reply:
        if not isinstance(request, ScoreRequest) or "item" not in request.extra:
            raise CallError(
                "an lm-eval task only scores answers to its items: use the judge kind 'lm_eval'",
                retriable=False,
                kind="request",
            )
        answer = plain_messages(request.messages[-1:])[0]["content"]
        question = {"item": request.extra["item"], "answer": answer, "metric": request.model}
        found = await self._worker.ask(question, alike="")
        scores = () if found["value"] is None else (found["value"],)
        return Reply(
            text=repr(found["value"]),
            scores=scores,
            usage=Usage(prompt_tokens=0),
            served_model=request.model,
            seconds=found["seconds"],
            left_out=(*request.decoding, *(name for name in request.extra if name != "item")),
        )
