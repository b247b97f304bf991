"""How many tokens a text is, and a call takes, as nearly as can be told without asking anybody.

OpenAI's encodings by tiktoken, where it is installed and has them on this machine already; a local
model's own tokenizer; else an estimate. Each says by which method it counted.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import re
import string
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from judgebench.dialogue import REPLY_LIMITS
from judgebench.errors import CallError
from judgebench.providers.base import Around
from judgebench.providers.capabilities import for_request, reasoning_room
from judgebench.records import ChatRequest, Reply, Request, Usage

_FOR_EACH_MESSAGE, _FOR_THE_REPLY = 4, 3  # what chat formats put around a text


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Counts the tokens of a text.

    method
        How it counts, for whoever reads the number.
    margin
        By what share of its count the truth may be higher.
    """

    method: str
    margin: float
    count: Callable[[str], int]


def counter_for(provider: str, model: str, *, tokenizer_file: Path | None = None) -> TokenCounter:
    """The best counter that is at hand for a model.

    Parameters
    ----------
    provider
        Name of the provider's module.
    tokenizer_file
        The model's ``tokenizer.json``, where there is one on this machine.
    """
    if tokenizer_file is not None and tokenizer_file.is_file():
        return _tokenizer_file(tokenizer_file)
    if provider == "openai" and (encoding := _tiktoken_encoding(model)) is not None:
        return TokenCounter(
            f"tiktoken {encoding.name}", 0.05, lambda text: len(encoding.encode_ordinary(text))
        )
    return ESTIMATE


def prompt_tokens(request: Request, counter: TokenCounter) -> int:
    """Tokens of a question as it is sent: messages, what stands around them, a schema."""
    texts = [message.content for message in request.messages]
    if isinstance(request, ChatRequest):
        if request.response_format is not None:
            texts.append(json.dumps(request.response_format, ensure_ascii=False, default=str))
    else:
        texts += request.candidates
    counted = sum(counter.count(text) for text in texts)
    return counted + _FOR_EACH_MESSAGE * len(request.messages) + _FOR_THE_REPLY


# By estimate ------------------------------------------------------------------------------------


def _estimated(text: str) -> int:
    """Tokens by what kinds of characters a text has.

    Measured in pieces of 2 000 characters, in per cent of the true count: the mean error, and the
    lowest and highest of a piece.

    ===========================  =================  =================  =================
    text                         o200k_base         cl100k_base        SmolLM2
    ===========================  =================  =================  =================
    answers in English           +4 (-9, +74)       +3 (-11, +74)      -4 (-39, +5)
    reasoning, mathematics       +2 (-19, +15)      +2 (-20, +14)      -8 (-30, +6)
    Python                       +12 (-2, +56)      +12 (-3, +58)      +0 (-11, +36)
    JSON                         +1 (-40, +48)      -1 (-40, +27)      -21 (-40, +4)
    questions in Chinese         +35 (+16, +50)     -5 (-15, +2)       -37 (-39, -34)
    ===========================  =================  =================  =================

    The extremes are long rows of one sign and digits of hashes; a small model that was taught
    English alone needs more tokens for Chinese. its margin covers what is counted too low but for
    such a one.
    """

    ascii_text = text.encode("ascii", "ignore")
    kinds = ascii_text.translate(_KINDS)
    upper, lower = kinds.count(b"A"), kinds.count(b"a")
    ends = sum(map(kinds.count, _ENDS_OF_WORDS))
    in_no_word = sum(map(len, _NO_WORD.findall(kinds)))
    other_bytes = len(text.encode("utf-8", "surrogatepass")) - len(ascii_text)
    return math.ceil(
        0.85 * ends
        + 0.033 * (upper + lower)
        + 0.2 * upper
        + 0.4 * in_no_word
        + 0.6 * kinds.count(b"0")
        + 0.8 * kinds.count(b".")
        + 1.0 * kinds.count(b"n")
        + 0.37 * other_bytes
    )


ESTIMATE = TokenCounter("estimate by kinds of characters", 0.5, _estimated)


_MEMBERS = {
    "a": string.ascii_lowercase,
    "A": string.ascii_uppercase,
    "0": string.digits,
    ".": string.punctuation,
    "n": "\n\r\t",
}
#: For each ASCII byte its kind; ``n`` is the end of a line, a space all that is no other.
_KINDS = "".join(
    next((kind for kind, members in _MEMBERS.items() if chr(byte) in members), " ")
    for byte in range(256)
).encode()
_ENDS_OF_WORDS = (b"a ", b"a.", b"an", b"aA", b"a0", b"0a", b"0A", b"A ", b"A.")
_NO_WORD = re.compile(rb"a{20,}")  # no word is so long: a chain of DNA, an address, noise


# By tiktoken ------------------------------------------------------------------------------------

_ENCODINGS_AT = "https://openaipublic.blob.core.windows.net/encodings/"
_SHA256 = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}
_OLDER = re.compile(r"(ft:)?gpt-(3\.5|4(?!o|\.\d))")


@lru_cache(maxsize=64)
def _tiktoken_encoding(model: str) -> Any:
    """The encoding of a model, if it can be had without a network; None else."""
    name = "cl100k_base" if _OLDER.match(model) else "o200k_base"
    try:
        tiktoken = importlib.import_module("tiktoken")
    except ImportError:
        return None
    return tiktoken.get_encoding(name) if _is_cached(name) else None


def _is_cached(name: str) -> bool:
    """Whether tiktoken would find the file of an encoding whole; else it would fetch it."""
    folder = next(
        (os.environ[v] for v in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR") if v in os.environ),
        str(Path(tempfile.gettempdir()) / "data-gym-cache"),
    )
    known_as = hashlib.sha1(  # the name that tiktoken gives the file, no matter of security
        f"{_ENCODINGS_AT}{name}.tiktoken".encode(), usedforsecurity=False
    ).hexdigest()
    try:
        content = (Path(folder) / known_as).read_bytes() if folder else b""
    except OSError:
        return False
    return hashlib.sha256(content).hexdigest() == _SHA256[name]


# By a model's own tokenizer ---------------------------------------------------------------------


@lru_cache(maxsize=8)
def _tokenizer_file(path: Path) -> TokenCounter:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    return TokenCounter(
        f"tokenizer.json of {path.parent.name}",
        0.05,
        lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids),
    )


# The size of a call -----------------------------------------------------------------------------

REPLY_TOKENS_AT_MOST = 16_384
"""What a reply without a limit may take, where the model's longest reply is not known."""

_REPLY_TOKENS = 1024  # what a reply without a limit is taken for until it is there
_TEMPLATE_TOKENS = 64  # what a chat template may say by itself
_LIMITS_IT_ITSELF = frozenset({"anthropic"})  # its API demands a limit


@dataclass(slots=True, kw_only=True)
class CallSize:
    """The size of calls to one model.

    Parameters
    ----------
    provider
        Name of the provider's module.
    capabilities
        A suite's overrides of what the model takes.
    longest_reply
        The model's longest reply in tokens; `REPLY_TOKENS_AT_MOST` where None.
    """

    counter: TokenCounter = field(kw_only=False)
    provider: str
    capabilities: Mapping[str, Any] | None = None
    longest_reply: int | None = None

    def most(self, request: Request) -> Usage:
        """No more than this can be charged for: the prompt is counted, with a margin."""
        prompt = prompt_tokens(request, self.counter)
        limit = self._reply_limit(request)
        return Usage(
            prompt_tokens=math.ceil(prompt * (1 + self.counter.margin)) + _TEMPLATE_TOKENS,
            completion_tokens=(self.longest_reply or REPLY_TOKENS_AT_MOST)
            if limit is None
            else limit,
        )

    def expected(self, request: Request) -> int:
        """Tokens that a provider takes a call for before it is answered: prompt and limit."""
        limit = self._reply_limit(request)
        return prompt_tokens(request, self.counter) + (_REPLY_TOKENS if limit is None else limit)

    def room(self, model: str) -> int | None:
        """The longest prompt that a model takes, in tokens; None where that is not known."""
        asked = ChatRequest(provider=self.provider, model=model, messages=())
        return for_request(asked, self.provider, self.capabilities).context_tokens

    def _reply_limit(self, request: Request) -> int | None:
        """The limit that is sent, with the room for thoughts; None where none is sent."""
        if not isinstance(request, ChatRequest):
            return 0
        takes = for_request(request, self.provider, self.capabilities)
        stated = [request.extra.get(name) for name in (*REPLY_LIMITS, "max_output_tokens")]
        stated += [request.decoding.get(name) for name in REPLY_LIMITS]
        limits = [limit for limit in stated if isinstance(limit, int)]
        if not limits and self.provider in _LIMITS_IT_ITSELF:
            limits = [takes.default_reply_tokens]
        if not limits:
            return None
        return max(limits) + (reasoning_room(max(limits)) if takes.reasons else 0)


# A question that surely does not fit the model is not sent ----------------------------------------

_MOST_BYTES = 4  # of a character in UTF-8, and no tokenizer needs more tokens than bytes


@dataclass(eq=False, kw_only=True)
class ContextGuard(Around):
    """Counts the tokens of a question before it is sent.

    What is too long even if the count is as far too high as the counter may be fails here, as it
    would there, at no cost. What is near the limit is left to the provider.

    Parameters
    ----------
    room
        The longest question that the model takes, in tokens.
    """

    counter: TokenCounter
    room: int

    async def complete(self, request: Request) -> Reply:
        """Raises `CallError` of the kind ``too_long``, which is about this question alone."""
        room = self.room
        if isinstance(request, ChatRequest) and self._exceeds(request, room):
            tokens = prompt_tokens(request, self.counter)
            raise CallError(
                f"the question has about {tokens:,} tokens ({self.counter.method}), and "
                f"{request.model} takes {room:,}: it was not sent. Have longer answers cut before "
                "they are judged (the judge's options: {max_answer_chars: …}), or ask a model "
                "with more room; capabilities: {context_tokens: …} corrects what is known of it",
                retriable=False,
                kind="too_long",
            )
        return await self.inner.complete(request)

    def _exceeds(self, request: Request, room: int) -> bool:
        if _MOST_BYTES * sum(len(message.content) for message in request.messages) <= room:
            return False
        return prompt_tokens(request, self.counter) > room * (1 + self.counter.margin)
