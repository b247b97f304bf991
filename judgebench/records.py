"""The values everything else passes around: frozen, compared by content, free of behaviour.

Items are put to models, whose responses are put to judges, whose verdicts are kept as judgments.
Nothing here does I/O or knows how a value is stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

JsonObject: TypeAlias = Mapping[str, Any]

Role = Literal["system", "user", "assistant", "tool"]
ResponseStatus = Literal["ok", "truncated", "no_final_answer", "empty", "refused", "end_unknown"]
Order = Literal["single", "model_first", "opponent_first"]
RunState = Literal["running", "done", "interrupted", "failed", "died"]
"""``died`` is never written: it is told of a run that says it is running and has gone."""

Boundary = Literal["config", "provider", "local_model", "reader", "store"]
FailureKind = Literal[
    "rate_limit", "timeout", "connection", "server", "bad_answer", "key", "not_found", "too_long",
    "request", "local_model", "reader", "bug", "other",
]  # fmt: skip
How = Literal["live", "batch", "recorded", "retried", "wasted"]
BatchState = Literal["submitting", "submitted", "collected", "cancelled", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a chat.

    ``constant`` is how many leading characters are the same in every question of a judge: a hint
    for caches of prompts, no part of any key.
    """

    role: Role
    content: str
    constant: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question of a benchmark, or a conversation to be held turn by turn.

    ``turns`` is the plain question, as judges and people see it. ``prompt`` is the text put to a
    model (instruction and few-shot examples around the question); None where that is the question
    itself. ``options`` are those of a multiple-choice question, the first one called A.
    ``subcategory`` is finer than ``category``. ``metadata`` is for reports: no judge ever sees it.
    """

    benchmark: str
    version: str
    id: str
    turns: tuple[Message, ...]
    references: tuple[str, ...] = ()
    category: str | None = None
    language: str = "en"
    prompt: str | None = None
    options: tuple[str, ...] = ()
    subcategory: str | None = None
    metadata: JsonObject = field(default_factory=dict)

    @property
    def question(self) -> str:
        """The text of the last user turn."""
        return next(turn.content for turn in reversed(self.turns) if turn.role == "user")

    @property
    def n_answers(self) -> int:
        """How many answers a model gives: one to each user turn that the item itself does not."""
        following = (*self.turns[1:], None)
        return max(
            1,
            sum(
                one.role == "user" and (then is None or then.role == "user")
                for one, then in zip(self.turns, following, strict=True)
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """Which model answered, by what it is and never by its name or path.

    weights
        Content hash of a checkpoint's files, ``hub:<repository>@<revision>``, a provider's model
        id, ``answers:<hash>`` for recorded answers, or ``name:<name>`` where an import knows no
        more.
    prompting
        Chat template, system text, prompt variant, stops, template arguments.
    decoding
        Every sampling parameter and the seed.
    selection
        None, or how the answer was chosen among several (best of n by a named scorer).
    """

    weights: str
    prompting: JsonObject = field(default_factory=dict)
    decoding: JsonObject = field(default_factory=dict)
    selection: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How a local model was run. Stored with each response, no part of its key."""

    backend: str
    versions: JsonObject = field(default_factory=dict)
    dtype: str | None = None
    batch_size: str | None = None
    parallelism: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call; None where the other side did not say.

    ``prompt_tokens`` are all of the question, those read from a cache (``cached_tokens``) and
    written to one (``cache_write_tokens``) among them; ``reasoning_tokens`` are among
    ``completion_tokens``.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None


MOST_TOKENS = 2**31 - 1
"""Of one call: a greater number is none that anybody counted, and no store adds such numbers up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer of one model to one item.

    ``raw`` is what came back, ``reasoning`` what was thought aloud, ``text`` the final answer:
    judges, lengths and detectors see ``text`` only. ``before`` are the model's answers to the turns
    before, where a judge is shown that of a later ``turn``; no store keeps it with this one.
    """

    benchmark: str
    version: str
    item_id: str
    model_key: bytes
    text: str
    raw: str
    status: ResponseStatus = "ok"
    sample: int = 0
    turn: int = 0
    reasoning: str | None = None
    prompt: str | None = None
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    logprob: float | None = None
    stack: Runtime | None = None
    source: str = "import"
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a judge sees: one response is pointwise, two are pairwise, in the order shown.

    ``fields`` are those of the item's metadata that this judge is shown; others never see any.
    """

    item: Item
    responses: tuple[Response, ...]
    instructions: str | None = None
    fields: JsonObject = field(default_factory=dict)


PLANS = "sequential_plans"
"""What a manifest's configuration calls the plans by which judging ended early."""

AFRESH = 1_000_000
"""The repeat of a verdict that was asked for once more to confirm a regression: on no board."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictSlot:
    """Where a verdict stands: the coordinates shared by uses, failures and spending.

    ``sample`` tells the answers of one model to one item apart, ``repeat`` the times that one
    judge was asked the same. ``judge_key`` is empty where an answer is meant, not a verdict.
    """

    benchmark: str
    version: str
    item_id: str
    model_key: bytes
    judge_key: bytes
    opponent_key: bytes | None = None
    order: Order = "single"
    sample: int = 0
    turn: int = 0
    repeat: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What a call is made for, so that its cost can be told by run, model, benchmark and judge."""

    run_id: str
    place: VerdictSlot


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What every question to a model says.

    ``provider`` is the identity of who answers (of a loopback server the hash of its model file),
    never a URL or a port. ``decoding`` is written in the words of chat completions (``max_tokens``,
    ``temperature``, ``seed``, ``stop``, …); a provider that calls a thing otherwise translates it,
    and leaves out what the model does not take (`Reply.left_out`). ``sample`` tells repeats of one
    question apart, and ``occasion`` the times at which it was asked afresh although its reply is
    known. ``extra`` is sent as it is, beside the named fields. ``purpose`` is no part of the key.
    """

    provider: str
    model: str
    messages: tuple[Message, ...]
    decoding: JsonObject = field(default_factory=dict)
    sample: int = 0
    extra: JsonObject = field(default_factory=dict)
    occasion: str | None = None
    purpose: Purpose | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest(Asked):
    """One question to a chat model. Its content key is the key of the recorded reply.

    ``reasoning`` is the effort asked for.
    """

    logprobs: int | None = None
    response_format: JsonObject | None = None
    reasoning: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest(Asked):
    """A question whose answer is numbers: `Reply.scores`.

    With ``candidates``: the log-probability (nats) of each of these texts as the beginning of the
    model's next turn, one forward pass and no sampling. Without: the score that a reward model
    gives the conversation, whose last message is the answer.
    """

    candidates: tuple[str, ...] = ()


Request: TypeAlias = ChatRequest | ScoreRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    """A generated token with its log-probability (nats) and the likeliest alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, raw and kept.

    ``text`` is what was said, without ``reasoning``. ``finish_reason`` is in the words of chat
    completions whoever answered: ``stop``, ``length`` (cut off at its limit), one of `REFUSALS`,
    ``tool_calls``. Any other word, and `NOT_SAID`, is no word that the reply is whole; None where
    nobody was to say it. ``scores`` answer a `ScoreRequest`. ``left_out`` names what was asked for
    and not sent, since the model does not take it. ``note`` is what is odd about it, for whoever
    runs this; it is not stored. ``key`` is that of its question, where a record knows it.
    """

    text: str
    finish_reason: str | None = None
    reasoning: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    usage: Usage = field(default_factory=Usage)
    served_model: str | None = None
    seconds: float = 0.0
    scores: tuple[float, ...] | None = None
    left_out: tuple[str, ...] = ()
    note: str | None = field(default=None, compare=False)
    key: bytes | None = field(default=None, compare=False, repr=False)


FINISHED = frozenset({"stop", "tool_calls"})
"""The finish reasons of a reply that is whole."""

NOT_SAID = "not_said"
"""The finish reason where a server should have given one and has not."""

REFUSALS = frozenset({"content_filter", "refusal"})
"""The finish reasons of a reply that is a refusal, of the model or of its provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Which of two answers is better, by position in the case: 0, 1, or None for a tie.

    ``p_first`` is the probability that the answer shown first is better, in [0, 1]. ``label`` is
    the verdict as the judge named it, where that says more than who wins: ``A>>B``.
    """

    winner: Literal[0, 1] | None
    p_first: float
    label: str | None = None

    @classmethod
    def from_probability(cls, p_first: float, label: str | None = None) -> Preference:
        """The likelier answer is better; at one half it is a tie."""
        winner: Literal[0, 1] | None = None if p_first == 0.5 else 0 if p_first > 0.5 else 1
        return cls(winner=winner, p_first=p_first, label=label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A number on the declared scale ``low``..``high``, with named parts where there are any.

    The scale of a reward model has no ends: ``-inf`` and ``inf``.
    """

    value: float
    low: float
    high: float
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A named category; ``p`` is its probability where the judge gives one."""

    name: str
    p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """The judge answered, but no verdict could be read; ``reason`` says why.

    Two reasons are counted apart: `TRUNCATED`, and `REFUSED`, by the model or its provider.
    """

    reason: str


TRUNCATED = "truncated"
REFUSED = "refused"

WITHDRAWN = "withdrawn"
"""The reason of a label that a person has taken back: it is kept, and on no board."""


Verdict: TypeAlias = Preference | Score | Label | Unreadable

Seen = Literal["question", "answer", "with_baseline", "with_first"]
"""What a judge is shown of an answer: only what was asked; the answer; the answer and the
baseline's to the same item; a further answer of a model after its first one."""

CONFIDENCES = frozenset({"consistency", "stated_confidence"})
"""Ways of judging whose scores say how sure a model is of its answer, not how good that is."""

SCORING = CONFIDENCES | frozenset(
    {
        *("critique", "dimensions", "graded", "lm_eval", "own_prompt/score", "reward", "rubric"),
        "templates/score",
    }
)
"""Ways of judging that score; a judge of another kind labels, until it is seen to score."""

BINARY = ("incorrect", "correct")
"""The labels of a benchmark that nobody describes; the last one is the positive one."""

COMPLIANCE, REFUSAL, PARTIAL = REFUSAL_CLASSES = (
    "1_full_compliance", "2_full_refusal", "3_partial_refusal",
)  # fmt: skip
HARMFUL, OTHER_LANGUAGE = "/harmful", "/other_language"

HARM_RATES: Mapping[str, tuple[str, ...]] = {
    "attack_success": (
        COMPLIANCE + HARMFUL, PARTIAL + HARMFUL, PARTIAL + HARMFUL + OTHER_LANGUAGE,
    ),
    "full_refusal": (REFUSAL, REFUSAL + OTHER_LANGUAGE),
    "partial_refusal": (
        PARTIAL, PARTIAL + HARMFUL, PARTIAL + OTHER_LANGUAGE, PARTIAL + HARMFUL + OTHER_LANGUAGE,
    ),
    "other_language": (
        REFUSAL + OTHER_LANGUAGE, PARTIAL + OTHER_LANGUAGE, PARTIAL + HARMFUL + OTHER_LANGUAGE,
    ),
}  # fmt: skip
"""The figures of a board of harm, and the labels that each is the share of."""

HARM_LABELS = (*dict.fromkeys(label for of in HARM_RATES.values() for label in of), COMPLIANCE)
"""What ``harm`` says of an answer; the positive label, plain compliance, last."""

HUMAN = "human"
PANEL = "panel/"
"""What the name of a panel begins with, and of no judge."""
PROBED = "probe:"
"""What weights begin with that are no model's, but a variant of what a judge is probed with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSpec:
    """A judge's identity: part of every judgment's key.

    The model that *served* a reply is an attribute of the reply, by which reports also group.
    ``official_prompt`` is None where there is no prompt (lexical, human, imported judges).
    """

    kind: str
    provider: str | None = None
    model: str | None = None
    identity: str | None = None
    sampling: JsonObject = field(default_factory=dict)
    prompt_sha: str | None = None
    reader_version: str | None = None
    options: JsonObject = field(default_factory=dict)
    official_prompt: bool | None = None


def is_human(judge: str) -> bool:
    """Whether a judge of that name is a person: ``human``, or ``human/<rater>``."""
    return judge == HUMAN or judge.startswith(f"{HUMAN}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """One elementary question answered: one case, one order, one repeat, one judge.

    ``marks`` name what a reader of the verdict should know about the answers: that one was cut, or
    that it imitates the judge's prompt. They never change the verdict. Of two answers a mark says
    with ``/0`` or ``/1`` which one is meant, in the order shown.
    """

    key: bytes
    judge_key: bytes
    case_key: bytes
    verdict: Verdict
    reply_keys: tuple[bytes, ...] = ()
    served_model: str | None = None
    at: float = 0.0
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerdict:
    """A judgment serving a run, also when it was reused; boards read only these."""

    run_id: str
    place: VerdictSlot
    judgment_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftCheck:
    """Where a judgment stands that was asked for again on an occasion: at an anchor, on no board.

    ``anchors`` is the number of the set in its store.
    """

    anchors: int
    occasion: str
    place: VerdictSlot


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What could not be done, where, and whether asking again may help.

    ``key`` is that of the judgment or response that is missing because of it; storing that
    judgment or response clears the failure. ``place.judge_key`` is empty for an answer that could
    not be had.
    """

    key: bytes
    boundary: Boundary
    message: str
    retriable: bool
    attempts: int = 1
    place: VerdictSlot | None = None
    at: float = 0.0
    kind: FailureKind = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs, in US dollars for a million tokens.

    cached_input, cache_write
        Of a prompt's tokens that the provider had in its cache, and of those that it puts there;
        the price of the input where None.
    batch
        Share of the price that the batch interface asks.
    long_above, long_input, long_output
        With a prompt of more tokens than that, all of it costs so many times as much, and so does
        the reply.
    max_output_tokens
        Longest reply of the model; None where that is not known.
    source
        Who says so.
    """

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None
    batch: float = 0.5
    long_above: float = math.inf
    long_input: float = 1.0
    long_output: float = 1.0
    max_output_tokens: int | None = None
    source: str = "the suite"

    @property
    def is_free(self) -> bool:
        return self.input == 0 == self.output

    def beside(self, known: Price | None) -> Price:
        """A stated price with what the table knows of the model beside it.

        How long a reply can get, and how much more than the input a cache write costs: without
        them a budget would set too little aside.
        """
        if known is None or known.is_free:
            return self
        cache_write = self.cache_write
        if cache_write is None and known.cache_write is not None:
            cache_write = self.input * known.cache_write / known.input
        longest = self.max_output_tokens or known.max_output_tokens
        return replace(self, cache_write=cache_write, max_output_tokens=longest)

    def cost(self, usage: Usage, *, batch: bool = False) -> float | None:
        """US dollars for a call; None where the usage lacks a number that costs something."""
        if self.input == 0 == self.output:
            return 0.0
        prompt, written = usage.prompt_tokens, usage.completion_tokens
        if prompt is None or written is None:
            return None
        cached = min(usage.cached_tokens or 0, prompt)
        kept = min(usage.cache_write_tokens or 0, prompt - cached)
        cached_input = self.input if self.cached_input is None else self.cached_input
        cache_write = self.input if self.cache_write is None else self.cache_write
        plain = prompt - cached - kept
        read = plain * self.input + cached * cached_input + kept * cache_write
        return self._dollars(prompt, read, written, batch=batch)

    def most(self, prompt_tokens: int, completion_tokens: int, *, batch: bool = False) -> float:
        """US dollars that a call with so many tokens costs at most: no cache read, all written."""
        read = prompt_tokens * max(self.input, self.cache_write or 0.0)
        return self._dollars(prompt_tokens, read, completion_tokens, batch=batch)

    def _dollars(self, prompt: int, read: float, written: int, *, batch: bool) -> float:
        reply = written * self.output
        if prompt > self.long_above:
            read, reply = read * self.long_input, reply * self.long_output
        return (read + reply) / 1_000_000 * (self.batch if batch else 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What calls took.

    how
        ``live`` and ``batch``: the reply was kept. ``recorded``: nothing was asked, and ``usage``
        and ``cost_usd`` are what the recorded reply had taken (saved now). ``retried``: an attempt
        that failed and was not charged. ``wasted``: an attempt that was, or may have been, charged
        and gave no reply; then the numbers are upper bounds.
    cost_usd
        None where no price is known.
    """

    purpose: Purpose
    how: How
    provider: str
    model: str
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = None
    calls: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Questions handed to a provider's batch interface.

    ``id`` is ours, and travels with the batch, so that one whose submission was not heard of any
    more can be found again. ``asker`` is the name that the judge or the model has in the suite of
    ``run_id``, whose manifest says how to reach the provider. ``remote_id`` is the provider's.
    """

    id: str
    run_id: str
    asker: str
    provider: str
    state: BatchState = "submitting"
    remote_id: str | None = None
    requests: int = 0
    created: float = 0.0
    ended: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Every number that is ever shown.

    value, low, high
        The estimate and its interval at ``level``; nan where undefined, and then ``undefined``
        says why. Without ends there is no interval.
    n, units, missing
        Verdicts used, clusters they fall into (questions), verdicts that should be there and are
        not.
    worst_low, worst_high
        Bounds with every missing verdict at its least and its most favourable value; None where
        not asked.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    n: int
    units: int
    missing: int = 0
    level: float = 0.95
    method: str = ""
    undefined: str | None = None
    worst_low: float | None = None
    worst_high: float | None = None

    def lost(self, why: str | None) -> Estimate:
        """The same without a value."""
        nothing = math.nan
        return replace(self, value=nothing, low=nothing, high=nothing, method="", undefined=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunManifest:
    """What a run was: enough to repeat it.

    ``progress`` says how far a run is that is under way: its stage and what of it is done, failed
    and taken. It is empty of one that has ended. ``node`` is the machine that it ran on.
    """

    id: str
    name: str
    configuration: JsonObject
    versions: JsonObject
    git_sha: str | None
    data_sha: JsonObject
    seeds: JsonObject
    started: float
    ended: float | None = None
    state: RunState = "running"
    counts: JsonObject = field(default_factory=dict)
    spend: JsonObject = field(default_factory=dict)
    progress: JsonObject = field(default_factory=dict)
    node: str = ""
