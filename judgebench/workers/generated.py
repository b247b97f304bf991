"""What a backend gives back, and what is asked of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from judgebench.records import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """One answer as the model gave it, up to what ended it.

    ``finish_reason`` is ``stop`` (the model or a stop sequence ended it), ``length`` (it was cut
    off), or None where the backend does not say. Token counts are None where it does not count.
    """

    raw: str
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    logprob: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How a batch is generated.

    ``stops`` are those that the backend itself obeys; ``sampling`` holds ``do_sample``,
    ``temperature`` and whatever else the suite says, under lm-eval's names.
    """

    stops: tuple[str, ...]
    max_gen_toks: int
    sampling: Mapping[str, Any]
    seed: int

    @property
    def samples(self) -> bool:
        """Whether the seed can change the answer."""
        return bool(self.sampling.get("do_sample"))


class Backend(Protocol):
    """A loaded model. ``lm`` is lm-eval's object, which knows its chat template."""

    lm: Any
    batch: int
    think_end: str | None

    def stack(self) -> Stack: ...

    def refusal(self, prompt: Any, decoding: Decoding) -> str | None:
        """Why this prompt cannot be answered; None if it can."""
        ...

    def generate(self, prompts: Sequence[Any], decoding: Decoding) -> list[Generated]:
        """Answer one batch, in its order."""
        ...
