"""What a store is asked, and the values it answers with; boards and columns are in others.

Each method of `Reading` is one snapshot of the store. What came last is told by the seconds at
which it came, and by its number only where these are equal.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, bindparam, func, select, text, tuple_

from judgebench import keys as content
from judgebench.records import (
    AFRESH,
    Batch,
    BatchState,
    Item,
    JsonObject,
    Judgment,
    Order,
    Place,
    Reply,
    Request,
    Response,
    RunManifest,
    Stack,
    Verdict,
    is_human,
)
from judgebench.store import catalog, schema
from judgebench.store.catalog import (
    Columns,
    Snapshots,
    StoredJudge,
    StoredModel,
    asking,
    boards_of,
    names_of,
    read,
    row,
    rows,
    said_by,
    steps,
    values,
)
from judgebench.store.claims import holder, key_of
from judgebench.store.codec import (
    HOWS,
    KINDS,
    ORDERS,
    TOKENS,
    read_item,
    read_manifest,
    read_marks,
    read_names,
    read_request,
    reply_keys,
    stored_text,
)
from judgebench.store.database import Prepared, chunks
from judgebench.store.schema import NONE, PLACE

OPEN: tuple[BatchState, ...] = ("submitting", "submitted")
"""The states in which a reply may still come."""

PINNED = ""
"""The occasion on which a set of anchors was pinned: what the judge had said until then."""

COUNTERS = ("calls", "unpriced_calls", *TOKENS, "cost_usd")
SPEND_COLUMNS = (
    "run_id", "benchmark", "version", "model", "model_id", "judge", "judge_id", "how", "provider",
    "requested_model", *COUNTERS,
)  # fmt: skip
JUDGE_SPEND_COLUMNS = ("judge_id", "how", "calls", "unpriced_calls", "cost_usd")
JUDGE_VERDICT_COLUMNS = ("judge_id", "kind", "verdicts")
JUDGE_REPLY_COLUMNS = ("judge_id", "verdict", "seconds")
LOOK_COLUMNS = (
    "occasion", "item_id", "model_key", "opponent_key", "order", "sample", "turn", "kind", "label",
    "value", "reason", "served_model", "at", "case", "judgment",
)  # fmt: skip
CALL_COLUMNS = ("prompt", "reply", "reply_reasoning", "finish_reason", "earlier_calls")

At: TypeAlias = tuple[str, str]
"""A benchmark and its version."""

_KEY = 32
"""Bytes of a reply's key; a judgment has those of its replies one behind the other."""

_LATE = 10_000
"""How many numbers of answers may be given out by others while one waits to be committed."""

_COUNTED = 100_000
"""Rows that a server counts in an instant; of more it says how many there are about."""


# what is told -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCalibration:
    """For whom it holds, the models it was fitted on by short id, and what it says.

    ``id`` are the first twelve digits of the hash of all but ``at``, the seconds at which it was
    put.
    """

    id: str
    judge_key: bytes
    opponent_key: bytes
    models: tuple[str, ...]
    content: JsonObject
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBaseline:
    """A model that went by a name on one version of a benchmark.

    ``model_id`` are the first twelve digits of the model's key; ``run_id`` is the run that its
    verdicts came from, None where nobody said; ``at`` the seconds at which it was set.
    """

    name: str
    benchmark: str
    version: str
    model_key: bytes
    model_id: str
    run_id: str | None
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnchors:
    """A set of verdicts that was pinned, of one judge on one version of a benchmark.

    ``verdicts`` is how many, ``at`` the seconds at which; ``id`` is a number of this store.
    """

    id: int
    benchmark: str
    version: str
    judge_key: bytes
    judge_id: str
    at: float
    verdicts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredAgain:
    """What became of a model's first answers on another stack.

    prompts
        The questions that it answered on its own, identical ones counted once.
    again
        How many of them it has answered on the other stack as well.
    changed
        How many of these with another text.
    """

    prompts: int
    again: int
    changed: int


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A run used a judge's verdicts on a model; both by id."""

    model_id: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A name of a model with its tags; ``model_id`` are the first twelve digits of its key."""

    model_id: str
    name: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCall:
    """One question to a judge's model, and the reply.

    ``messages`` are pairs of role and text, and ``candidates`` the texts whose likelihood was asked
    for; ``scores`` are the numbers that came back where numbers were.
    """

    messages: tuple[tuple[str, str], ...]
    candidates: tuple[str, ...]
    text: str
    reasoning: str | None
    finish_reason: str | None
    scores: tuple[float, ...] | None
    served_model: str | None

    @property
    def prompt(self) -> str:
        """The question as one text, with the roles above where there are several messages."""
        if len(self.messages) == 1:
            return self.messages[0][1]
        return "\n\n".join(f"[{role}]\n{text}" for role, text in self.messages)

    @property
    def reply(self) -> str:
        """What came back; numbers as JSON."""
        return self.text if self.scores is None else json.dumps(self.scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepliesOfRun:
    """How many different replies of a judge served a run, and how many could not be read."""

    judge: str
    judge_key: bytes
    replies: int
    unreadable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAnswer:
    """An answer, without its text. ``newest``: of its model, sample and turn, none came later."""

    number: int
    model: StoredModel
    sample: int
    turn: int
    newest: bool
    status: str
    finish_reason: str | None
    completion_tokens: int | None
    source: str
    stack: Stack | None
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldVerdict:
    """What a judge said at a place, without what it wrote.

    ``counts``: it is the one that boards show there. ``runs`` are those that it serves, in the
    order in which they took it. ``afresh``: asked for once more to confirm a regression.
    """

    number: int
    judge: StoredJudge
    model: StoredModel
    opponent: StoredModel | None
    order: Order
    sample: int
    turn: int
    repeat: int
    verdict: Verdict
    marks: tuple[str, ...] | None
    served_model: str | None
    counts: bool
    runs: tuple[str, ...]
    at: float
    reply_keys: tuple[bytes, ...]

    @property
    def afresh(self) -> bool:
        return self.repeat == AFRESH


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemHistory:
    """An item with all its answers, by model, and all its verdicts, the newest first."""

    item: Item
    answers: Sequence[ToldAnswer]
    verdicts: Sequence[ToldVerdict]


@dataclass(frozen=True, slots=True)
class ToldText:
    """A text with what was thought before it."""

    text: str
    thoughts: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What there is of one benchmark: models that were judged, and judges, people among them."""

    benchmark: str
    version: str
    items: int
    models: int
    judges: int
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """How often runs have used a judgment, and when one last did."""

    used: int
    newest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureKind:
    """Failures that are on record: where they happened, what they are, whether to ask again."""

    boundary: str
    kind: str
    retriable: bool
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRun:
    """A run as it says itself, and whether it has gone without saying how it ended."""

    manifest: RunManifest
    died: bool

    @property
    def state(self) -> str:
        return "died" if self.died else self.manifest.state


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A judge has looked at a model's answers on a benchmark, beside an opponent's or alone."""

    benchmark: str
    version: str
    judge: StoredJudge
    model: StoredModel
    opponent: StoredModel | None

    @property
    def board(self) -> tuple[str, str, str, str | None]:
        """What two models must share to be compared."""
        opponent = None if self.opponent is None else self.opponent.id
        return self.benchmark, self.version, self.judge.id, opponent


# how it is found --------------------------------------------------------------------------------

_VERDICT = "kind value p low high winner label.name:label parts reason"
_SAID = "served.name:served_model at reply_keys"
_ITEM = "id benchmark_id item_id category content"
_FIND_REPLY = asking(
    schema.replies,
    "text finish_reason reasoning logprobs *_tokens served_model seconds scores left_out",
    (("key", False),),
)
_REPLY, _REPLY_LABELS = Prepared(_FIND_REPLY), tuple(_FIND_REPLY.selected_columns.keys())
_ANSWER = (
    "response_id benchmark.name:benchmark benchmark.version item.item_id model.key:model_key sample"
    " turn response.key:key response.text response.raw response.status response.reasoning"
    " response.prompt response.finish_reason response.*_tokens response.logprob"
    " response.stack.stack response.source"
)
_NEWEST_ANSWER = "-response.at -response_id benchmark_id item_id model_id sample turn"


def _on(benchmark: str | None, version: str | None) -> dict[str, Any]:
    return {"benchmark.name": benchmark, "benchmark.version": version}


def _on_board(
    benchmark: str, version: str, judges: Collection[str], opponent: str | None
) -> dict[str, Any]:
    """Uses in which some judges, by id, compared answers with one opponent's, or with nobody's."""
    whose = {"opponent_id": NONE} if opponent is None else {"opponent.short": opponent}
    return {**_on(benchmark, version), "judge.short": list(judges), **whose}


def _reply(connection: Connection, key: bytes) -> Reply | None:
    found = _REPLY.first(connection, {"key": key})
    said = None if found is None else said_by(_REPLY_LABELS, found)
    return None if said is None else Reply(**said | {"left_out": said["left_out"] or ()})


def _item(benchmark: str, version: str, found: Any) -> Item:
    content = stored_text(found.content or "", found.exact_content)
    return read_item(benchmark, version, found.item_id, found.category, content)


def _responses(connection: Connection, where: Mapping[str, Any]) -> Iterator[Any]:
    yield from rows(connection, schema.answers, _ANSWER, where, order=_NEWEST_ANSWER)


def _response(found: Row[Any]) -> Response:
    return Response(**values(found, "response_id", "key"))


def _call(found: Row[Any]) -> JudgeCall:
    its = values(found, "key")
    question = json.loads(its.pop("request"))
    return JudgeCall(
        messages=tuple((one["role"], one["content"]) for one in question.get("messages", ())),
        candidates=tuple(question.get("candidates", ())),
        **its,
    )


def _seen(of: StoredAnchors, told: Columns, occasion: str) -> dict[Place, bytes]:
    """The places of a set of anchors that were looked at on an occasion, and the cases there."""
    names = ("item_id", "model_key", "opponent_key", "order", "sample", "turn")
    places = (
        Place(benchmark=of.benchmark, version=of.version, judge_key=of.judge_key, **dict(at))
        for at in map(partial(zip, names), zip(*(told[name] for name in names), strict=True))
    )
    seen = zip(places, told["occasion"], told["case"], strict=True)
    return {place: case_key for place, when, case_key in seen if when == occasion}


def _columns(names: Sequence[str], told: Iterable[Mapping[str, Any]]) -> Columns:
    found = list(told)
    return {name: [one[name] for one in found] for name in names}


def _told_runs(connection: Connection, found: Iterable[Any]) -> list[ToldRun]:
    """A run that lives holds a lease: one that says it runs and holds none was killed."""
    told = []
    for manifest in (read_manifest(one.manifest) for one in found):
        owner = holder(connection, key_of(f"run {manifest.id}"))
        gone = owner is None or owner.has_gone()
        told.append(ToldRun(manifest=manifest, died=manifest.state == "running" and gone))
    return told


def judged(connection: Connection, keys: Collection[bytes]) -> set[bytes]:
    """Which of the keys have a judgment."""
    return {found.key for found in rows(connection, schema.judgments, "key", {"key": keys})}


def responses(connection: Connection, keys: Collection[bytes]) -> dict[bytes, list[Response]]:
    """The responses that there are, of all stacks, the newest first; each with its first place."""
    first: dict[int, Any] = {}
    for one in _responses(connection, {"response.key": keys}):
        first.setdefault(one.response_id, one)
    found: dict[bytes, list[Response]] = {}
    for one in first.values():
        found.setdefault(one.key, []).append(_response(one))
    return found


def calibrations(connection: Connection, benchmark: str, version: str) -> list[StoredCalibration]:
    """Of all judges and opponents, in the order in which they were put."""
    told = (
        values(one)
        for one in rows(
            connection,
            schema.calibrations,
            "key:id judge.key:judge_key opponent.key:opponent_key models content at",
            _on(benchmark, version),
            order="at id",
        )
    )
    return [
        StoredCalibration(
            **one
            | {
                "id": one["id"].hex()[:12],
                "models": tuple(json.loads(one["models"])),
                "content": json.loads(one["content"]),
            }
        )
        for one in told
    ]


def baselines(connection: Connection) -> list[StoredBaseline]:
    """Of all names and benchmarks, in the order in which they were set."""
    its = (
        "name benchmark.name:benchmark benchmark.version model.key:model_key model.short:model_id"
        " run.run_id at"
    )
    return [
        StoredBaseline(**values(one))
        for one in rows(connection, schema.baselines, its, order="at id")
    ]


def anchors(connection: Connection) -> list[StoredAnchors]:
    """Of all judges and benchmarks, in the order in which they were pinned."""
    its = (
        "anchors.id anchors.benchmark.name:benchmark anchors.benchmark.version"
        " anchors.judge.key:judge_key anchors.judge.short:judge_id anchors.at count():verdicts"
    )
    when = {"occasion_id": NONE}
    return [
        StoredAnchors(**values(one))
        for one in rows(connection, schema.looks, its, when, order="anchors.at anchors.id")
    ]


class Reading(Snapshots):
    """What a store is asked: values and columns out. See `catalog.read` for how."""

    # keys and what stands behind them -----------------------------------------------------------

    def reply(self, key: bytes) -> Reply | None:
        return self._database.look(lambda connection: _reply(connection, key))

    @read
    def judged(self, c: Connection, keys: Collection[bytes]) -> set[bytes]:
        """Which of the keys have a judgment."""
        return judged(c, keys)

    @read
    def judgment(self, c: Connection, key: bytes) -> Judgment | None:
        found = row(
            c,
            schema.judgments,
            f"key judge.key:judge_key case_key {_VERDICT} {_SAID} marks",
            {"key": key},
        )
        return (
            None
            if found is None
            else Judgment(**values(found) | {"marks": read_names(found.marks or "[]")})
        )

    @read
    def responses(self, c: Connection, keys: Collection[bytes]) -> dict[bytes, list[Response]]:
        """The responses that there are, of all stacks, the newest first.

        One response may answer the same question in several places; it is told with the first.
        """
        return responses(c, keys)

    @read
    def answers_to(
        self, c: Connection, benchmark: str, version: str, model: bytes, items: Collection[str]
    ) -> list[Response]:
        """All answers of a model, by its key, to some items, of all stacks, the newest first."""
        return [
            _response(one)
            for one in _responses(
                c, {**_on(benchmark, version), "model.key": model, "item.item_id": sorted(items)}
            )
        ]

    @read
    def answered(
        self, c: Connection, benchmark: str, version: str, model: bytes
    ) -> set[tuple[str, int]]:
        """Item and sample of every answer of a model, by its key, that stands on a benchmark."""
        return {
            (item, sample)
            for item, sample in rows(
                c,
                schema.answers,
                "item.item_id sample",
                {**_on(benchmark, version), "model.key": model, "turn": 0},
            )
        }

    @read
    def newest_answer(self, c: Connection) -> int:
        """A number that grows whenever an answer comes that stands somewhere; 0 without any.

        A server gives numbers out before it commits: how many of the last are there counts as well.
        """
        last: int = row(c, schema.answers, "max(response_id)")[0] or 0
        late = row(c, schema.answers, "distinct(response_id)", {"response_id>": last - _LATE})
        return last + int(late[0])

    @read
    def answered_on(self, c: Connection, keys: Collection[bytes], stack: Stack) -> set[bytes]:
        """Which of the keys were answered on a stack, by an answer that stands or an anchor."""
        return {
            found.key
            for found in rows(
                c, schema.responses, "key", {"key": keys, "stack.key": content.stack_key(stack)}
            )
        }

    @read
    def answered_again(
        self, c: Connection, benchmark: str, version: str, model: str, *, stack: Stack, other: Stack
    ) -> AnsweredAgain:
        """A model's first answers on a benchmark on ``stack``, beside those on ``other``.

        The model by its short id. Those on ``other`` may be answers that stand there, or anchors.
        """
        whose = {**_on(benchmark, version), "model.short": model, "sample": 0}
        on = whose | {"response.stack.key": content.stack_key(stack)}
        own = dict(rows(c, schema.answers, "response.key response.text_sha", on))
        again = {"key": list(own), "stack.key": content.stack_key(other)}
        there = dict(rows(c, schema.responses, "key text_sha", again))
        changed = sum(own[key] != sha for key, sha in there.items())
        return AnsweredAgain(prompts=len(own), again=len(there), changed=changed)

    # items --------------------------------------------------------------------------------------

    @read
    def item(self, c: Connection, benchmark: str, version: str, item_id: str) -> Item | None:
        """One item, without turns where only the id is known."""
        found = row(c, schema.items, _ITEM, {**_on(benchmark, version), "item_id": item_id})
        return None if found is None else _item(benchmark, version, found)

    @read
    def items(self, c: Connection, benchmark: str, version: str) -> list[Item]:
        """In the order in which they came; without turns where only the id is known."""
        return [
            _item(benchmark, version, one)
            for one in rows(c, schema.items, _ITEM, _on(benchmark, version), order="id")
        ]

    @read
    def questions(
        self, c: Connection, benchmark: str, version: str, items: Collection[str]
    ) -> dict[str, str]:
        """What some items ask, by id; those are left out of which the id alone is known."""
        known = (
            _item(benchmark, version, one)
            for one in rows(c, schema.items, _ITEM, {**_on(benchmark, version), "item_id": items})
        )
        return {item.id: item.question for item in known if item.turns}

    @read
    def item_contents(self, c: Connection, benchmark: str, version: str) -> dict[str, str | None]:
        """What each item is but for its id, by id; None where only the id is known.

        Two items of equal content are one question that stands in the benchmark twice.
        """
        return {
            item_id: None if sha is None else f"{sha.hex()}/{category or ''}"
            for item_id, category, sha in rows(
                c, schema.items, "item_id category content_sha", _on(benchmark, version)
            )
        }

    @read
    def item_categories(
        self, c: Connection, benchmark: str | None, version: str | None
    ) -> list[str]:
        """Of the items of a benchmark, or of all, in alphabetical order."""
        return sorted(
            one.category
            for one in rows(c, schema.items, "category", _on(benchmark, version), distinct=True)
            if one.category
        )

    @read
    def neighbours(
        self, c: Connection, benchmark: str, version: str, item_id: str
    ) -> tuple[str | None, str | None]:
        """The items before and after one, in the order in which they came."""
        found = row(c, schema.items, _ITEM, {**_on(benchmark, version), "item_id": item_id})
        if found is None:
            return None, None
        here = {"benchmark_id": found.benchmark_id}
        before = row(c, schema.items, "item_id", here | {"id<": found.id}, order="-id")
        after = row(c, schema.items, "item_id", here | {"id>": found.id}, order="id")
        return before and before.item_id, after and after.item_id

    @read
    def item_history(
        self, c: Connection, benchmark: str, version: str, item_id: str
    ) -> ItemHistory | None:
        """Everything there is of one item; None for one that the store does not know."""
        found = row(c, schema.items, _ITEM, {**_on(benchmark, version), "item_id": item_id})
        if found is None:
            return None
        known = catalog.models(c)
        return ItemHistory(
            item=_item(benchmark, version, found),
            answers=list(_answers_told(c, known, found)),
            verdicts=_verdicts_told(c, known, found),
        )

    @read
    def answer_texts(self, c: Connection, numbers: Collection[int]) -> dict[int, ToldText]:
        """The final text of answers, and what was thought before it, by their numbers."""
        return {
            one.id: ToldText(**values(one, "id"))
            for one in rows(c, schema.responses, "id text reasoning:thoughts", {"id": numbers})
        }

    @read
    def reply_texts(self, c: Connection, keys: Collection[bytes]) -> dict[bytes, ToldText]:
        """What judges wrote, and what they thought before it, by the keys of the replies."""
        return {
            one.key: ToldText(**values(one, "key"))
            for one in rows(c, schema.replies, "key text reasoning:thoughts", {"key": keys})
        }

    # replies ------------------------------------------------------------------------------------

    @read
    def calls(self, c: Connection, keys: Collection[bytes]) -> dict[bytes, JudgeCall]:
        """What judges were asked and replied, letter by letter, by the keys of the replies."""
        return {
            one.key: _call(one)
            for one in rows(
                c,
                schema.replies,
                "key request text reasoning finish_reason scores served_model",
                {"key": keys},
            )
        }

    @read
    def left_out(self, c: Connection, judge: str, benchmark: str, version: str) -> tuple[str, ...]:
        """What a judge, by its short id, asked for on a benchmark and its model does not take.

        As one reply to it says, since all of its questions are of one make.
        """
        asked = row(
            c,
            schema.uses,
            "judgment.reply_keys",
            {**_on(benchmark, version), "judge.short": judge, "judgment.reply_keys!": b""},
        )
        found = None if asked is None else _reply(c, reply_keys(asked.reply_keys)[0])
        return () if found is None else found.left_out

    @read
    def replies_of_run(
        self,
        c: Connection,
        run_id: str,
        judges: Mapping[bytes, str],
        benchmarks: Collection[At],
    ) -> list[RepliesOfRun]:
        """Of the verdicts that served a run, those that were read from a reply, by judge.

        Equal answers have one reply, which counts once. A verdict that nobody had to be asked for
        is none.

        Parameters
        ----------
        judges
            Key -> the name to tell it by.
        benchmarks
            Names and versions of those that the run is about: uses are looked up by them.
        """
        known = names_of(c, schema.benchmarks, "name version")
        about = [number for number, named in known.items() if named in benchmarks]
        where = {
            "benchmark_id": about, "judge.key": list(judges), "run.run_id": run_id,
            "judgment.reply_keys!": b"",
        }  # fmt: skip
        n: dict[bytes, Counter[str]] = {}
        for key, kind, count in rows(
            c, schema.uses, "judge.key judgment.kind distinct(judgment_id)", where, order="judge_id"
        ):
            n.setdefault(key, Counter())[KINDS[kind]] += count
        return [
            RepliesOfRun(
                judge=judges[key],
                judge_key=key,
                replies=kinds.total(),
                unreadable=kinds["unreadable"],
            )
            for key, kinds in n.items()
        ]

    # batches ------------------------------------------------------------------------------------

    @read
    def batches(self, c: Connection, states: Collection[BatchState] | None = None) -> list[Batch]:
        """Those in one of the states, or all, in the order in which they were put."""
        return [
            Batch(**values(one))
            for one in rows(
                c,
                schema.batches,
                "batch_id:id run.run_id asker provider state remote_id requests created ended note",
                {"state": states},
                order="created id",
            )
        ]

    @read
    def batch_requests(self, c: Connection, batch_id: str) -> dict[bytes, Request]:
        """The questions of a batch by key, with their purposes; empty for one that is not known.

        Hints for caches of prompts are not kept, and a tuple among the parameters of a question
        comes back as a list.
        """
        found = map(
            values,
            rows(
                c, schema.batch_requests, "key kind request purpose", {"batch.batch_id": batch_id}
            ),
        )
        return {one["key"]: read_request(*list(one.values())[1:]) for one in found}

    @read
    def batched(self, c: Connection, keys: Collection[bytes]) -> set[bytes]:
        """Which questions were put into a batch, whatever became of it."""
        return {found.key for found in rows(c, schema.batch_requests, "key", {"key": keys})}

    @read
    def in_batches(self, c: Connection, keys: Collection[bytes]) -> dict[bytes, str]:
        """Which questions wait in a batch that is being submitted or was, and in which.

        Of two batches with one question, the one that came first.
        """
        last_first = "-batch.created -batch_id"
        return dict(
            rows(
                c,
                schema.batch_requests,
                "key batch.batch_id",
                {"key": keys, "batch.state": OPEN},
                order=last_first,
            )
        )

    # what was set down --------------------------------------------------------------------------

    @read
    def calibrations(self, c: Connection, benchmark: str, version: str) -> list[StoredCalibration]:
        """Of all judges and opponents, in the order in which they were put."""
        return calibrations(c, benchmark, version)

    @read
    def baselines(self, c: Connection) -> list[StoredBaseline]:
        """Of all names and benchmarks, in the order in which they were set."""
        return baselines(c)

    @read
    def anchors(self, c: Connection) -> list[StoredAnchors]:
        """Of all judges and benchmarks, in the order in which they were pinned."""
        return anchors(c)

    @read
    def looks(self, c: Connection, of: StoredAnchors) -> Columns:
        """What was said of a set of anchors, as equally long lists (`read.LOOK_COLUMNS`).

        ``value`` of a preference is the probability that the model beats its opponent.
        """
        its = (
            "occasion.name:occasion item.item_id model.key:model_key opponent.key:opponent_key"
            " shown:order sample turn judgment.kind judgment.label.name:label judgment.value"
            " judgment.reason judgment.served.name:served_model judgment.at judgment.case_key:case"
            " judgment.key:judgment"
        )
        order = "occasion_id model_id opponent_id item_id shown sample turn"
        found = [*map(values, rows(c, schema.looks, its, {"anchors_id": of.id}, order=order))]
        for one in found:
            one["occasion"], one["kind"] = one["occasion"] or PINNED, KINDS[one["kind"]]
            turned = (one["kind"], one["order"]) == ("preference", "opponent_first")
            if turned and one["value"] is not None:
                one["value"] = 1 - one["value"]
        return _columns(LOOK_COLUMNS, found)

    def pinned(self, of: StoredAnchors) -> dict[Place, bytes]:
        """The places of a set of anchors, with the key of the case that the judge saw there."""
        return _seen(of, self.looks(of), PINNED)

    def looked(self, of: StoredAnchors, occasion: str) -> set[Place]:
        """The places of a set about which the judge was asked again on an occasion."""
        return set(_seen(of, self.looks(of), occasion))

    # what was spent -----------------------------------------------------------------------------

    @read
    def spend(self, c: Connection, run_id: str | None = None) -> Columns:
        """What a run took, or all of them, as equally long lists (`read.SPEND_COLUMNS`).

        One row for each run, in the order of their start, benchmark, model, judge (None for
        answers), ``how`` and requested model. ``cost_usd`` is that of the calls with a known price:
        a lower bound wherever ``unpriced_calls`` is not 0. Tokens are those that somebody stated.
        Empty for a run that is not known.
        """
        models, judges = catalog.models(c), catalog.judges(c)
        its = (
            "run.run_id benchmark.name:benchmark benchmark.version model_id judge_id how"
            f" provider.name:provider requested.name:requested_model {' '.join(COUNTERS)}"
        )
        order = "run.started run_id benchmark_id model_id judge_id how provider_id requested_id"
        told = []
        for one in rows(c, schema.spend, its, {"run.run_id": run_id}, order=order):
            whose, asked = models[one.model_id], judges.get(one.judge_id)
            told.append(
                dict(one._mapping)
                | {"model": whose.name, "model_id": whose.id, "how": HOWS[one.how]}
                | {"judge": asked and asked.name, "judge_id": asked and asked.id}
            )
        return _columns(SPEND_COLUMNS, told)

    @read
    def judge_spend(self, c: Connection, benchmark: str, version: str) -> Columns:
        """What calls for verdicts took, over all runs and by judge and ``how``.

        As equally long lists (`read.JUDGE_SPEND_COLUMNS`).
        """
        return _columns(
            JUDGE_SPEND_COLUMNS,
            map(
                values,
                rows(
                    c,
                    schema.spend,
                    "judge.short:judge_id how sum(calls) sum(unpriced_calls) sum(cost_usd)",
                    {**_on(benchmark, version), "judge_id!": NONE},
                    order="judge_id how",
                ),
            ),
        )

    @read
    def judge_verdicts(self, c: Connection, benchmark: str, version: str) -> Columns:
        """How many different judgments a benchmark's verdicts are, by judge and kind.

        Equal answers have one judgment, which was asked for once. As equally long lists
        (`read.JUDGE_VERDICT_COLUMNS`).
        """
        told = (
            dict(one._mapping) | {"kind": KINDS[one.kind]}
            for one in rows(
                c,
                schema.uses,
                "judge.short:judge_id judgment.kind distinct(judgment_id):verdicts",
                {**_on(benchmark, version), "repeat!": AFRESH},
                order="judge_id judgment.kind",
            )
        )
        return _columns(JUDGE_VERDICT_COLUMNS, told)

    @read
    def judge_replies(self, c: Connection, benchmark: str, version: str) -> Columns:
        """Every reply that a benchmark's judgments were read from, and the seconds it took.

        As equally long lists (`read.JUDGE_REPLY_COLUMNS`). ``verdict`` is a number that those of
        one judgment share; 0 seconds are not known.
        """
        where = {**_on(benchmark, version), "repeat!": AFRESH}
        named = tuple((path, False) for path in where)
        its = asking(schema.uses, "judge.short judgment_id", named, distinct=True).subquery().c
        said, asked = schema.judgments.c, schema.replies.c
        part = func.substr(said.reply_keys, bindparam("at"), _KEY)
        query = (
            select(its.short, its.judgment_id, asked.seconds, func.length(said.reply_keys))
            .join(schema.judgments, said.id == its.judgment_id)
            .join(schema.replies, asked.key == part)
        )
        told: Columns = {name: [] for name in JUDGE_REPLY_COLUMNS}
        longest = begin = 1
        while begin <= longest:
            for *one, length in c.execute(query, {**where, "at": begin}):
                longest = max(longest, length)
                for name, value in zip(JUDGE_REPLY_COLUMNS, one, strict=True):
                    told[name].append(value)
            begin += _KEY
        return told

    # what there is ------------------------------------------------------------------------------

    @read
    def benchmarks(self, c: Connection) -> list[At]:
        """Names and versions, in the order in which they came."""
        return list(names_of(c, schema.benchmarks, "name version").values())

    @read
    def models(self, c: Connection) -> list[StoredModel]:
        return list(catalog.models(c).values())

    @read
    def judges(self, c: Connection) -> list[StoredJudge]:
        return list(catalog.judges(c).values())

    @read
    def tagged(self, c: Connection) -> list[Tagged]:
        """Every name that carries tags, the newest of a model last.

        A name that was dropped since keeps its tags.
        """
        its, where = "model.short:model_id name tags", {"tags!": "{}"}
        return [
            Tagged(**values(one))
            for one in rows(c, schema.model_names, its, where, order="newest model_id name")
        ]

    @read
    def holdings(self, c: Connection) -> list[Holding]:
        """What there is of every benchmark, in the order in which they came.

        Models and judges come from steps in the key of ``uses``, so that it is milliseconds
        whatever the store holds.
        """
        people = {number for number, judge in catalog.judges(c).items() if is_human(judge.name)}
        items = dict(rows(c, schema.items, "benchmark_id count()"))
        found = []
        for number, (name, version) in names_of(c, schema.benchmarks, "name version").items():
            asked = steps(c, "judge_id", benchmark_id=number)
            judged = {
                m for j in asked for m in steps(c, "model_id", benchmark_id=number, judge_id=j)
            }
            its = Holding(
                benchmark=name,
                version=version,
                items=items.get(number, 0),
                models=len(judged),
                judges=len(asked),
                people=len(people.intersection(asked)),
            )
            found.append(its)
        return found

    @read
    def verdicts_used(self, c: Connection) -> dict[At, Verdicts]:
        """Of every benchmark that has any; a verdict that a later run used again counts again.

        A pass over the key of ``uses``, 0.1 s a million.
        """
        names = names_of(c, schema.benchmarks, "name version")
        return {
            names[number]: Verdicts(used=n, newest=at)
            for number, n, at in rows(c, schema.uses, "benchmark_id count() max(used_at)")
        }

    @read
    def boards_met(self, c: Connection) -> list[Judged]:
        """Who was judged by whom on what, benchmark by benchmark in the order in which they came.

        No verdict is read for it.
        """
        asked, known = catalog.judges(c), catalog.models(c)
        return [
            Judged(
                benchmark=name,
                version=version,
                judge=asked[judge],
                model=known[model],
                opponent=known.get(opponent),
            )
            for number, (name, version) in names_of(c, schema.benchmarks, "name version").items()
            for judge, model, opponent in boards_of(c, number)
        ]

    @read
    def failure_kinds(self, c: Connection) -> list[FailureKind]:
        """What failed and was not done since, the most frequent first."""
        kinds = (
            FailureKind(**values(one))
            for one in rows(c, schema.failures, "boundary kind retriable count():n")
        )
        return sorted(kinds, key=lambda one: (-one.n, one.boundary, one.kind, one.retriable))

    @read
    def n_failures(self, c: Connection) -> int:
        """How many questions wait to be asked again: rows that a success takes away."""
        return int(row(c, schema.failures, "count()")[0])

    @read
    def last_numbers(self, c: Connection) -> Mapping[str, int]:
        """How many judgments and answers there are, in no time, whatever the store holds.

        In a file, the last number that was given. A server leaves numbers out: it has counted up to
        `_COUNTED`, and beyond says what its statistics do.
        """
        found = {}
        for name, table in (("judgments", schema.judgments), ("answers", schema.responses)):
            found[name] = row(c, table, "max(id)")[0] or 0
            if c.dialect.name != "sqlite":
                some = select(table.c.id).limit(_COUNTED).subquery()
                found[name] = c.execute(select(func.count()).select_from(some)).scalar_one()
                about = select(func.pg_stat_get_live_tuples(text(f"'{table.name}'::regclass")))
                if found[name] == _COUNTED:
                    found[name] = max(_COUNTED, c.execute(about).scalar_one())
        return found

    # runs ---------------------------------------------------------------------------------------

    @read
    def runs(self, c: Connection) -> list[RunManifest]:
        """In the order in which they were started."""
        return [
            read_manifest(one.manifest)
            for one in rows(c, schema.runs, "manifest", order="started id")
        ]

    @read
    def run(self, c: Connection, run_id: str) -> RunManifest | None:
        found = row(c, schema.runs, "manifest", {"run_id": run_id})
        return None if found is None else read_manifest(found.manifest)

    @read
    def n_runs(self, c: Connection) -> int:
        return int(row(c, schema.runs, "count()")[0])

    @read
    def newest_runs(self, c: Connection, n: int, *, after: int = 0) -> list[ToldRun]:
        """So many runs and imports, the newest first, without the first ones."""
        last_first = "-started -id"
        return _told_runs(
            c, rows(c, schema.runs, "manifest", order=last_first, limit=n, after=after)
        )

    @read
    def runs_under_way(self, c: Connection) -> list[ToldRun]:
        """Those that say they are running and have not gone, the newest first."""
        return [
            run
            for run in _told_runs(
                c, rows(c, schema.runs, "manifest", {"state": "running"}, order="-started -id")
            )
            if not run.died
        ]

    @read
    def told_run(self, c: Connection, run_id: str) -> ToldRun | None:
        found = _told_runs(c, rows(c, schema.runs, "manifest", {"run_id": run_id}))
        return next(iter(found), None)

    @read
    def runs_behind(
        self,
        c: Connection,
        benchmark: str,
        version: str,
        judges: Collection[str],
        opponent: str | None = None,
    ) -> list[RunManifest]:
        """The runs in which some judges, by id, judged answers to a benchmark, as they started.

        Parameters
        ----------
        opponent
            The id of whom answers were compared with; None where each stood alone.
        """
        board = _on_board(benchmark, version, judges, opponent)
        served = {one.run_id for one in rows(c, schema.uses, "run_id", board, distinct=True)}
        known = rows(c, schema.runs, "id manifest", order="started id")
        return [read_manifest(one.manifest) for one in known if one.id in served]

    @read
    def evaluated(
        self,
        c: Connection,
        benchmark: str,
        version: str,
        judge_id: str,
        opponent_id: str | None,
    ) -> list[Evaluated]:
        """Which run evaluated which model, of one board: a judge, and of comparisons with whom.

        Ids are the first digits of keys; no verdict is read for it.
        """
        board = _on_board(benchmark, version, [judge_id], opponent_id) | {"repeat!": AFRESH}
        return [
            Evaluated(*one)
            for one in rows(c, schema.uses, "model.short run.run_id", board, distinct=True)
        ]


# the history of an item -------------------------------------------------------------------------


def _answers_told(
    c: Connection, known: dict[int, StoredModel], item: Row[Any]
) -> Iterator[ToldAnswer]:
    """Found by the key of the table, which begins with the model."""
    its = (
        "model_id sample turn response_id:number response.status response.finish_reason"
        " response.completion_tokens response.source response.stack.stack response.at"
    )
    last_first = "model_id sample turn -response.at -response_id"
    before: tuple[Any, ...] | None = None
    for one in rows(
        c,
        schema.answers,
        its,
        {"model_id": sorted(known), "benchmark_id": item.benchmark_id, "item_id": item.id},
        order=last_first,
    ):
        place = tuple(one[:3])
        told = values(one, "model_id")
        yield ToldAnswer(model=known[one.model_id], newest=place != before, **told)
        before = place


def _verdicts_told(
    c: Connection, known: dict[int, StoredModel], item: Row[Any]
) -> list[ToldVerdict]:
    """The uses of an item on all boards, those of one place together."""
    said = " ".join(f"judgment.{name}" for name in f"{_VERDICT} {_SAID}".split())
    here = {"benchmark_id": item.benchmark_id, "item_id": item.id}
    query = asking(
        schema.uses,
        f"{' '.join(PLACE)} used_at judgment_id run.run_id {said} judgment.marks",
        tuple((name, False) for name in here),
    )
    board = [schema.uses.c[name] for name in ("judge_id", "model_id", "opponent_id")]
    places: dict[tuple[Any, ...], list[Any]] = {}
    for portion in chunks(boards_of(c, item.benchmark_id)):
        for one in c.execute(query.where(tuple_(*board).in_(portion)), here):
            places.setdefault(tuple(one[: len(PLACE)]), []).append(one)
    asked = catalog.judges(c)
    told = [one for uses in places.values() for one in _at_place(asked, known, uses)]
    return sorted(told, key=lambda one: (-one.at, -one.number))


def _at_place(
    asked: dict[int, StoredJudge], known: dict[int, StoredModel], uses: list[Any]
) -> Iterator[ToldVerdict]:
    """A verdict for each judgment of a place; which of them counts is told as boards tell it."""
    uses = sorted(uses, key=lambda use: (use.used_at, use.run_id, use.judgment_id))
    for number in dict.fromkeys(use.judgment_id for use in uses):
        serving = [use for use in uses if use.judgment_id == number]
        one, judge = serving[0], asked[serving[0].judge_id]
        its = values(one, *PLACE[:6], "used_at", "judgment_id", "run_id")
        yield ToldVerdict(
            **its | {"marks": read_marks(judge.spec.kind, one.marks)},
            number=number,
            judge=judge,
            model=known[one.model_id],
            opponent=known.get(one.opponent_id),
            order=ORDERS[one.shown],
            counts=number == uses[-1].judgment_id and one.repeat != AFRESH,
            runs=tuple(dict.fromkeys(use.run_id for use in serving)),
        )


# replies beside verdicts ------------------------------------------------------------------------


def call_columns(made: Sequence[JudgeCall]) -> dict[str, Any]:
    """The prompt and reply that a verdict was read from, which are those of the last call.

    ``earlier_calls`` has the others, of a judge that asks several times; None where there are none.
    """
    last = _columns_of(made[-1]) if made else dict.fromkeys(CALL_COLUMNS[:-1])
    return {**last, "earlier_calls": [_columns_of(call) for call in made[:-1]] or None}


def _columns_of(call: JudgeCall) -> dict[str, Any]:
    told = (call.prompt, call.reply, call.reasoning, call.finish_reason)
    return dict(zip(CALL_COLUMNS, told, strict=False))


def with_texts(store: Reading, columns: Columns) -> Columns:
    """Columns of verdicts (`Store.judged_columns`) with `CALL_COLUMNS` for the keys of replies."""
    found = store.calls(dict.fromkeys(key for keys in columns["reply_keys"] for key in keys))
    made = [
        call_columns([found[key] for key in keys if key in found]) for keys in columns["reply_keys"]
    ]
    kept = {name: columns[name] for name in columns if name not in ("verdict", "reply_keys")}
    kept["judgment"] = [key.hex() for key in columns["judgment"]]
    return {**kept, **{name: [row[name] for row in made] for name in CALL_COLUMNS}}
