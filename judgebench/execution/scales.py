"""What calls take: tokens of questions and replies, and their price, each as a range.

What a judge or model was asked and replied before says what it will take, once the store has
`ENOUGH_CALLS` of its calls. Until then a reply counts as long as it may be, an upper bound; and an
answer that does not exist yet as long as the model's answers that there are, else as half of what
it may be.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from judgebench.config import Endpoint
from judgebench.dialogue import REPLY_LIMITS
from judgebench.execution.plan import Answers
from judgebench.execution.pool import ProviderPool
from judgebench.providers.prices import Price
from judgebench.providers.tokens import CallSize, Estimate, prompt_tokens
from judgebench.records import Request, Usage
from judgebench.store import Store

REPLY_TOKENS = 512
"""How long a reply is expected to be, where nobody says."""

ENOUGH_CALLS = 20
"""Calls of a judge or model whose mean is taken for that of the next."""

LIMITS = (*REPLY_LIMITS, "max_gen_toks")
_SOME_ANSWERS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The least, the expected and the most."""

    low: float = 0.0
    expected: float = 0.0
    high: float = 0.0

    def __add__(self, other: Range) -> Range:
        return Range(
            low=self.low + other.low,
            expected=self.expected + other.expected,
            high=self.high + other.high,
        )

    def times(self, n: float) -> Range:
        return Range(low=n * self.low, expected=n * self.expected, high=n * self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Of questions and of the replies to them."""

    prompt: Range = field(default_factory=Range)
    completion: Range = field(default_factory=Range)

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            prompt=self.prompt + other.prompt, completion=self.completion + other.completion
        )

    def times(self, n: float) -> Tokens:
        return Tokens(prompt=self.prompt.times(n), completion=self.completion.times(n))


class Lengths:
    """How long the answers of each candidate are, in tokens, as far as that can be told."""

    def __init__(self) -> None:
        self._known: dict[bytes, Range] = {}

    def of(self, answers: Answers) -> Range:
        key = answers.candidate.key
        if key not in self._known:
            self._known[key] = self._assumed(answers)
        return self._known[key]

    def _assumed(self, answers: Answers) -> Range:
        decoding = answers.candidate.spec.decoding
        limit = next((decoding[n] for n in LIMITS if n in decoding), REPLY_TOKENS)
        counter = Estimate()
        some = answers.of(answers.candidate.asked.items[:_SOME_ANSWERS]).values()
        counts = [counter.count(response.text) for response in some]
        expected = sum(counts) / len(counts) if counts else limit / 2
        return Range(low=0, expected=min(expected, limit), high=limit)


class CallMeans(NamedTuple):
    """Mean tokens of the calls of a judge or model that the store has."""

    prompt: float
    completion: float


class Scale:
    """What the calls of one judge or model take; ``means`` is None where too few are kept."""

    def __init__(
        self, size: CallSize, price: Price | None, means: CallMeans | None, batch: bool
    ) -> None:
        self.counter = size.counter
        self.means = means
        self._size = size
        self._price = price
        self._batch = batch

    def call(self, request: Request) -> Tokens:
        """What one call takes."""
        count = prompt_tokens(request, self.counter)
        margin = 1 + self.counter.margin
        prompt = Range(low=count / margin, expected=count, high=count * margin)
        limit = self._size.most(request).completion_tokens
        if not limit:  # likelihoods and scores: nothing is written
            return Tokens(prompt=prompt)
        expected = limit if self.means is None else min(self.means.completion, limit)
        reply = Range(low=1, expected=expected, high=limit)
        return Tokens(prompt=prompt, completion=reply)

    def cost(self, tokens: Tokens) -> Range | None:
        """What it costs; None where no price is known."""
        if self._price is None:
            return None
        price, batch = self._price, self._batch

        def of(prompt: float, completion: float) -> float:
            usage = Usage(prompt_tokens=round(prompt), completion_tokens=round(completion))
            return price.cost(usage, batch=batch)

        p, c = tokens.prompt, tokens.completion
        return Range(
            low=of(p.low, c.low), expected=of(p.expected, c.expected), high=of(p.high, c.high)
        )


class Scales:
    """A scale for every judge and model that is asked."""

    def __init__(self, pool: ProviderPool, store: Store | None) -> None:
        self._doors = pool
        self._means = {} if store is None else _call_means(store)
        self._known: dict[str, Scale] = {}

    def of(self, name: str, config: Endpoint, key: bytes, *, judges: bool) -> Scale:
        """The scale of one who is asked, by the key of the judge or model."""
        if name not in self._known:
            mean = self._means.get((judges, key.hex()[:12]))
            size, price = self._doors.size(config), self._doors.price(config)
            self._known[name] = Scale(size, price, mean, config.batch)
        return self._known[name]


def _call_means(store: Store) -> dict[tuple[bool, str], CallMeans]:
    """Of whoever the store has enough replies of: by whether it judges, and its id."""
    spend = store.spend()
    sums: dict[tuple[bool, str], Counter[str]] = {}
    columns = ("calls", "prompt_tokens", "completion_tokens")
    for model, judge, how, *counts in zip(
        *(spend[name] for name in ("model_id", "judge_id", "how", *columns)), strict=True
    ):
        if how in {"live", "batch"}:
            asker = (True, judge) if judge is not None else (False, model)
            sums.setdefault(asker, Counter()).update(dict(zip(columns, counts, strict=True)))
    return {
        asker: CallMeans(*(of[name] / of["calls"] for name in columns[1:]))
        for asker, of in sums.items()
        if of["calls"] >= ENOUGH_CALLS and of["completion_tokens"]
    }
