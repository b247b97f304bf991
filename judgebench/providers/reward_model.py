"""The provider ``reward_model``: a sequence classifier on this machine that scores conversations.

The score is the logit itself, on a scale without ends; what it means is the model's own matter.
Conversations that are in flight together are scored as one batch, which changes no score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judgebench.config import Endpoint
from judgebench.errors import CallError, ConfigError
from judgebench.providers.local import (
    BatchedWorker,
    LocalProvider,
    options_here,
    plain_messages,
    served_name,
)
from judgebench.records import Reply, Request, ScoreRequest, Usage
from judgebench.workers.hub import refuse_own_code

_OPTIONS: Mapping[str, Any] = {
    "pretrained": "",
    "revision": None,
    "dtype": "auto",
    "device": None,
    "batch_size": 8,
    "max_length": None,
    "label": None,
    "gpus": None,
    "loading_s": None,
}
_NOT_LOADED = frozenset({"gpus", "loading_s"})


def make(endpoint: Endpoint) -> RewardModel:
    """The provider ``reward_model``; ``provider_options`` are a suite's section ``reward_model``.

    ``label`` is one more: whose logit is the score, for a model that has several.

    Raises
    ------
    ConfigError
        For an option that is not known, one that a local model has no use for, no model, or a
        folder whose model has code of its own.
    """
    given = options_here("reward_model", endpoint, _OPTIONS)
    if not given["pretrained"]:
        raise ConfigError("reward_model: name the model: pretrained: FOLDER_OR_HUB_ID")
    refuse_own_code(given["pretrained"])
    return RewardModel(given, endpoint.identity or "reward_model", endpoint.timeout_s or 120.0)


class RewardModel(LocalProvider):
    """Scores a conversation that ends with the answer: a `ScoreRequest` without candidates.

    A conversation that the model cannot take whole is refused, never cut.

    Parameters
    ----------
    options
        Every field of a suite's section ``reward_model``, and ``label``.
    timeout_s
        For one batch; waiting for one's turn does not count. For loading the model where
        ``loading_s`` among the options is None.
    """

    def __init__(self, options: Mapping[str, Any], identity: str, timeout_s: float) -> None:
        worker = BatchedWorker(
            "judgebench.workers.reward",
            {name: value for name, value in options.items() if name not in _NOT_LOADED},
            model=f"the reward model {served_name(options['pretrained'])}",
            gpus=options["gpus"],
            needs="torch",
            timeout_s=timeout_s,
            loading_s=options["loading_s"],
        )
        super().__init__(identity, options["pretrained"], worker)

    async def _reply(self, request: Request) -> Reply:
        if not isinstance(request, ScoreRequest) or request.candidates:
            raise CallError(
                "a reward model only scores: use the judge kind 'reward' with it",
                retriable=False,
                kind="request",
            )
        question = {"messages": plain_messages(request.messages)}
        answer = await self._worker.ask(question, alike="")
        return Reply(
            text=repr(answer["score"]),
            scores=(answer["score"],),
            usage=Usage(prompt_tokens=answer["prompt_tokens"]),
            served_model=self._served,
            seconds=answer["seconds"],
            left_out=(*request.decoding, *request.extra),
        )
