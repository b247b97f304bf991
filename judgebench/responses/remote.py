"""Models behind an API: what they are asked, and how an answer is read from a reply.

They are asked through the same providers and wrappers as judges; nothing here does I/O.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeGuard

from judgebench.config import ApiModel
from judgebench.dialogue import conversation_after, over
from judgebench.errors import ConfigError
from judgebench.protocols import Writer
from judgebench.records import (
    FINISHED,
    REFUSALS,
    ChatRequest,
    Item,
    Message,
    ModelSpec,
    Reply,
    Request,
    Response,
    ResponseStatus,
    Usage,
    VerdictSlot,
)

SAID_OF_DRAWS = ("temperature", "top_p")
"""What chat completions have a word for, of what further samples are drawn with."""

MOST_STOPS = 4
"""Chat completions take no more stop sequences; the rest is cut where the answer is judged."""


OTHERWISE = "default"
"""Where a temperature is one for each category: that of an item without one, or of one not listed.

Such a rule stands where the number would: in what a task says about decoding, and in a model's key.
Identical questions are asked once whatever their categories, at the temperature of the first.
"""


def is_rule(temperature: Any) -> TypeGuard[Mapping[str, float]]:
    """Whether a temperature depends on the item."""
    return isinstance(temperature, Mapping)


def draws(temperature: Any) -> bool:
    """Whether asking twice can give two answers, to some item at least."""
    return any(temperature.values()) if is_rule(temperature) else bool(temperature)


def temperature_of(rule: Mapping[str, float], item: Item) -> float:
    """The temperature that an item is answered with."""
    return float(rule.get(item.category or OTHERWISE, rule[OTHERWISE]))


def spec_of(
    api: ApiModel,
    *,
    identity: str,
    prompt_sha: str,
    max_tokens: int,
    until: Sequence[str],
    seed: int,
    samples: int = 1,
    temperature: float | Mapping[str, float] = 0,
    further: Mapping[str, Any] = MappingProxyType({}),
    usual: Mapping[str, Any] | None = None,
    system: str | None = None,
) -> ModelSpec:
    """Which model a suite means: who serves it, its name, and everything it is asked with.

    Parameters
    ----------
    identity
        Who answers, as in `ChatRequest.provider`.
    max_tokens, until, temperature
        The task's own, where the suite does not say otherwise. A temperature may be one for each
        category (`is_rule`).
    further
        What samples after the first are drawn with, as far as an API can be told (`SAID_OF_DRAWS`);
        empty where all are alike, as they are where a suite has every answer drawn.
    seed
        Of the first sample; further samples count up. Left out where the temperature is 0.
    usual, system
        What the benchmark's preset says, where the suite says nothing: under the names of chat
        completions, None for what is not sent.

    Raises
    ------
    ConfigError
        For settings that are judgebench's own, or several samples at temperature 0.
    """
    prompting: dict[str, Any] = {"messages": "chat", "prompt_sha": prompt_sha}
    if (told := api.system if api.system is not None else system) is not None:
        prompting["system"] = told
    if api.extra:
        prompting["extra"] = dict(api.extra)
    if api.reasoning is not None:
        prompting["reasoning"] = api.reasoning
    sampling = over(usual or {}, api.sampling)
    decoding = _decoding(sampling, max_tokens, until, seed, temperature)
    drawn = draws(decoding.get("temperature", 1))  # by the model's own, where none is sent
    if further and not drawn:
        said = {n: v for n, v in sampling.items() if n != "temperature"}  # the first sample's
        drawn_with = {"seed": seed, **further, **said}
        names = (*SAID_OF_DRAWS, "seed")
        decoding["further"] = {n: drawn_with[n] for n in names if drawn_with.get(n) is not None}
    elif samples > 1 and not drawn:
        raise ConfigError(
            f"{samples} samples at temperature 0 are one answer paid for {samples} times; say "
            "sampling: {temperature: …}, or samples: 1"
        )
    return ModelSpec(weights=f"{identity}/{api.model}", prompting=prompting, decoding=decoding)


def _decoding(
    sampling: Mapping[str, Any],
    max_tokens: int,
    until: Sequence[str],
    seed: int,
    temperature: float | Mapping[str, float],
) -> dict[str, Any]:
    if clash := {"messages", "model", "n", "stream"} & sampling.keys():
        raise ConfigError(
            f"sampling: {', '.join(sorted(clash))} cannot be set here; several answers to one item "
            "are the benchmark's 'samples'"
        )
    usual: dict[str, Any] = {"temperature": temperature, "max_tokens": max_tokens}
    if until:
        usual["stop"] = list(until[:MOST_STOPS])
    decoding = over(usual, sampling)
    if draws(decoding.get("temperature")) and "seed" not in decoding:
        decoding["seed"] = seed
    return {name: value for name, value in decoding.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One answer to be had, and every place of this run that it serves.

    Identical items are asked once: ``items`` are all of them. ``logprobs`` asks for those of the
    answer's tokens. Of a conversation it is one turn, asked after the answers ``before``; ``later``
    are the keys of the turns to come, and ``next_turn`` says what is asked once this is answered.
    """

    key: bytes
    places: tuple[VerdictSlot, ...]
    items: tuple[Item, ...]
    spec: ModelSpec
    identity: str
    model: str
    sample: int = 0
    logprobs: bool = False
    before: tuple[str, ...] = ()
    later: tuple[bytes, ...] = ()
    next_turn: Callable[[], Sequence[Question]] | None = None

    def dialogue(self) -> Generator[Request, Reply, Response]:
        """One question and one reply."""
        request = self.request()
        reply = yield request
        return response_of(reply, self.items[0], self.places[0], request)

    def request(self, also: Sequence[str] = ()) -> ChatRequest:
        """The question as it is asked, or a later turn of it after the answers ``also``.

        Each sample has its own seed.
        """
        decoding = dict(self.spec.decoding)
        further = decoding.pop("further", {})
        if self.sample:
            decoding |= further
        if is_rule(rule := decoding.get("temperature")):
            decoding["temperature"] = temperature_of(rule, self.items[0])
        if self.sample and isinstance(decoding.get("seed"), int):
            decoding["seed"] += self.sample
        return ChatRequest(
            provider=self.identity,
            model=self.model,
            messages=messages_of(
                self.items[0], self.spec.prompting.get("system"), (*self.before, *also)
            ),
            decoding=decoding,
            logprobs=0 if self.logprobs else None,
            sample=self.sample,
            extra=self.spec.prompting.get("extra", {}),
            reasoning=self.spec.prompting.get("reasoning"),
        )

    def keep(self, store: Writer, run_id: str, result: Response, replies: object) -> bool:
        """The answer at the place of every item that asks the same."""
        keys = (self.key, *self.later)
        said = list(with_unasked(result, result.turn + len(keys)))
        for item in self.items:
            for key, one in zip(keys, said, strict=False):  # where it is one, the later are asked
                store.put_responses({key: replace(one, item_id=item.id)})
        return True

    def reuse(self, store: Writer, run_id: str) -> None:
        """An answer that is there is put where it stands by whoever plans the run."""


def with_unasked(said: Response, n_turns: int) -> Iterator[Response]:
    """An answer, and where it is none, as empty ones those to the turns that nobody puts then."""
    yield said
    for turn in range(said.turn + 1, 0 if said.text else n_turns):
        yield replace(said, turn=turn, raw="", reasoning=None, prompt=None, usage=Usage())


def messages_of(item: Item, system: str | None, before: Sequence[str] = ()) -> tuple[Message, ...]:
    """The conversation that is sent: the item's prompt where it has one, else its turns.

    Of one that is held turn by turn, as far as after the answers ``before``.

    An API takes a tool's turn only beside the call that it answers, by an id of its own: here it is
    the user's, and says that it is a tool's.
    """
    asked = item.turns if item.prompt is None else (Message(role="user", content=item.prompt),)
    if item.n_answers > 1:
        asked = conversation_after(item.turns, before)
    asked = tuple(
        Message(role="user", content=f"tool: {turn.content}") if turn.role == "tool" else turn
        for turn in asked
    )
    return asked if system is None else (Message(role="system", content=system), *asked)


def response_of(reply: Reply, item: Item, place: VerdictSlot, request: ChatRequest) -> Response:
    """The answer that a reply is."""
    return Response(
        benchmark=item.benchmark,
        version=item.version,
        item_id=item.id,
        model_key=place.model_key,
        text=reply.text,
        raw=reply.text,
        status=_status(reply),
        sample=place.sample,
        turn=place.turn,
        reasoning=reply.reasoning,
        prompt="\n\n".join(message.content for message in request.messages),
        finish_reason=reply.finish_reason,
        usage=reply.usage,
        logprob=_logprob(reply),
        source=f"api:{reply.served_model or request.model}",
    )


def _logprob(reply: Reply) -> float | None:
    """The log-probability (nats) of the tokens of an answer, where they are told.

    APIs leave the token that ends an answer out of them. They do not tell those of thoughts, which
    are counted among the tokens all the same: an answer with thoughts before it has none, since
    what it is for each token could not be said.
    """
    thought = reply.reasoning or (reply.usage is not None and reply.usage.reasoning_tokens)
    if thought or not reply.logprobs:
        return None
    return math.fsum(token.logprob for token in reply.logprobs)


def _status(reply: Reply) -> ResponseStatus:
    if reply.finish_reason in REFUSALS:
        return "refused"
    if not reply.text.strip():
        return "no_final_answer" if reply.reasoning else "empty"
    if reply.finish_reason == "length":
        return "truncated"
    return "ok" if reply.finish_reason in FINISHED else "end_unknown"
