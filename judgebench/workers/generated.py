"""What a backend gives back, and what is asked of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from judgebench.records import Runtime, TokenLogprob
from judgebench.workers.prompt_tokens import PromptTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """One answer as the model gave it, up to what ended it.

    ``finish_reason`` is ``stop`` (the model or a stop sequence ended it), ``length`` (it was cut
    off), or None where the backend does not say. Token counts are None where it does not count.
    ``tokens`` are those of ``raw``, where they were asked for and the backend gives them.
    ``logprob`` is the log-probability (nats) of the whole answer, of all ``completion_tokens`` and
    so with the token that ended it; None where it was not asked for.
    """

    raw: str
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    logprob: float | None = None
    tokens: tuple[TokenLogprob, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihoods:
    """Log-probabilities (nats) of texts as the beginning of an answer, in the order asked for."""

    values: tuple[float, ...]
    prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How a batch is generated.

    ``stops`` are those that the backend itself obeys; ``sampling`` holds ``do_sample``,
    ``temperature`` and whatever else the suite says, under lm-eval's names.

    ``seed`` is one for the whole batch: its draws depend on what is in it. ``seeds``, one for each
    prompt, take its place where that must not be so. ``logprobs`` asks for the tokens, each with
    so many of its alternatives, ``weighed`` for the log-probability of greedy answers: the model's
    own, before temperature and penalties. ``prompt_tokens`` is how prompts become tokens, where
    that is not lm-eval's way.
    """

    stops: tuple[str, ...]
    max_gen_toks: int
    sampling: Mapping[str, Any]
    seed: int = 0
    seeds: tuple[int, ...] = ()
    logprobs: int | None = None
    weighed: bool = False
    prompt_tokens: PromptTokens | None = None

    @property
    def samples(self) -> bool:
        """Whether the seed can change the answer."""
        return bool(self.sampling.get("do_sample"))


class Backend(Protocol):
    """A loaded model. ``lm`` is lm-eval's object, which knows its chat template."""

    lm: Any
    batch: int
    think_end: str | None

    @property
    def deaf_to(self) -> frozenset[str]:
        """What of a `Decoding` it cannot be told: ``seed``, ``logprobs``, ``prompt_tokens``."""
        ...

    def stack(self) -> Runtime: ...

    def refusal(self, prompt: Any, decoding: Decoding) -> str | None:
        """Why this prompt cannot be answered; None if it can."""
        ...

    def generate(self, prompts: Sequence[Any], decoding: Decoding) -> list[Generated]:
        """Answer one batch, in its order."""
        ...

    def likelihoods(self, asked: Sequence[tuple[Any, Sequence[str]]]) -> list[Likelihoods]:
        """How likely each prompt is to be answered with each of its texts."""
        ...
