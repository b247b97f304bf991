"""The provider ``lm_eval``: metrics of an lm-eval task, computed by lm-eval in its own process.

One process for all tasks and metrics of a run (`metrics_worker`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judgebench.config import Endpoint
from judgebench.errors import CallError
from judgebench.providers.local import BatchedWorker, LocalProvider, options_here, plain_messages
from judgebench.records import Reply, Request, ScoreRequest, Usage
from judgebench.workers.process import METRICS

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
        For one batch; ten minutes at least, since its data may have to be fetched.
    """

    def __init__(self, options: Mapping[str, Any], identity: str, timeout_s: float) -> None:
        self._task = options
        worker = BatchedWorker(
            "judgebench.workers.lm_eval_task",
            {},
            model=f"the lm-eval task {options['task']}",
            gpus=None,
            needs="lm_eval",
            timeout_s=max(timeout_s, _LOADING_S),
            shared=METRICS.get(),
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
        asked = {"item": request.extra["item"], "answer": answer, "metric": request.model}
        found = await self._worker.ask({"task": self._task, **asked}, alike="")
        scores = () if found["value"] is None else (found["value"],)
        return Reply(
            text=repr(found["value"]),
            scores=scores,
            usage=Usage(prompt_tokens=0),
            served_model=request.model,
            seconds=found["seconds"],
            left_out=(*request.decoding, *(name for name in request.extra if name != "item")),
        )
