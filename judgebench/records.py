"""The values everything else passes around: frozen, compared by content, free of behaviour.

Items are put to models, whose responses are put to judges, whose verdicts are kept as judgments.
Nothing here does I/O or knows how a value is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

JsonObject: TypeAlias = Mapping[str, Any]

Role = Literal["system", "user", "assistant"]
ResponseStatus = Literal["ok", "truncated", "no_final_answer", "empty", "refused"]
Order = Literal["single", "model_first", "opponent_first"]
RunState = Literal["running", "done", "interrupted", "failed"]
Boundary = Literal["config", "provider", "local_model", "reader", "store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a chat."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question of a benchmark, or a conversation to be held turn by turn.

    ``turns`` is the plain question, as judges and people see it. ``prompt`` is the text put to a
    model (instruction and few-shot examples around the question); None where that is the question
    itself. ``metadata`` is for reports: no judge ever sees it.
    """

    benchmark: str
    version: str
    id: str
    turns: tuple[Message, ...]
    references: tuple[str, ...] = ()
    category: str | None = None
    language: str = "en"
    prompt: str | None = None
    metadata: JsonObject = field(default_factory=dict)

    @property
    def question(self) -> str:
        """The text of the last user turn."""
        return next(turn.content for turn in reversed(self.turns) if turn.role == "user")


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
class Stack:
    """How a local model was run. Stored with each response, no part of its key."""

    backend: str
    versions: JsonObject = field(default_factory=dict)
    dtype: str | None = None
    batch_size: str | None = None
    parallelism: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call; None where the other side did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer of one model to one item.

    ``raw`` is what came back, ``reasoning`` what was thought aloud, ``text`` the final answer:
    judges, lengths and detectors see ``text`` only.
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
    stack: Stack | None = None
    source: str = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a judge sees: one response is pointwise, two are pairwise, in the order shown."""

    item: Item
    responses: tuple[Response, ...]
    instructions: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One question to a chat model. Its content key is the key of the recorded reply.

    ``provider`` is the identity of who answers (of a loopback server the hash of its model file),
    never a URL or a port. ``sample`` tells repeats of one question apart. ``extra`` is sent as it
    is, beside the named fields.
    """

    provider: str
    model: str
    messages: tuple[Message, ...]
    decoding: JsonObject = field(default_factory=dict)
    logprobs: int | None = None
    response_format: JsonObject | None = None
    sample: int = 0
    extra: JsonObject = field(default_factory=dict)


Request: TypeAlias = ChatRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    """A generated token with its log-probability (nats) and the likeliest alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, raw and kept."""

    text: str
    finish_reason: str | None = None
    reasoning: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    usage: Usage = field(default_factory=Usage)
    served_model: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Which of two answers is better, by position in the case: 0, 1, or None for a tie.

    ``p_first`` is the probability that the answer shown first is better, in [0, 1].
    """

    winner: Literal[0, 1] | None
    p_first: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A number on the declared scale ``low``..``high``, with named parts where there are any."""

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
    """The judge answered, but no verdict could be read; ``reason`` says why."""

    reason: str


Verdict: TypeAlias = Preference | Score | Label | Unreadable

BINARY = ("incorrect", "correct")
"""The labels of a benchmark that nobody describes; the last one is the positive one."""

HUMAN = "human"


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
    """One elementary question answered: one case, one order, one sample, one judge."""

    key: bytes
    judge_key: bytes
    case_key: bytes
    verdict: Verdict
    reply_keys: tuple[bytes, ...] = ()
    served_model: str | None = None
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a verdict stands: the coordinates shared by uses and failures."""

    benchmark: str
    version: str
    item_id: str
    model_key: bytes
    judge_key: bytes
    opponent_key: bytes | None = None
    order: Order = "single"
    sample: int = 0
    turn: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A judgment serving a run, also when it was reused; boards read only these."""

    run_id: str
    place: Place
    judgment_key: bytes


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
    place: Place | None = None
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Every number that is ever shown.

    value, low, high
        The estimate and its interval at ``level``; nan where undefined, and then ``undefined``
        says why.
    n, units, missing
        Verdicts used, clusters they fall into (questions), verdicts that should be there and are
        not.
    worst_low, worst_high
        Bounds with every missing verdict at its least and its most favourable value; None where
        not asked.
    """

    value: float
    low: float
    high: float
    n: int
    units: int
    missing: int = 0
    level: float = 0.95
    method: str = ""
    undefined: str | None = None
    worst_low: float | None = None
    worst_high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunManifest:
    """What a run was: enough to repeat it."""

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
