"""What a store is asked, and the values it answers with; boards and columns are in others.

Each method of `Reading` is one snapshot of the store. What came last is told by the seconds at
which it came, and by its number only where these are equal.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, func, select, text, tuple_

from judgebench import keys as content
from judgebench.records import (
    AFRESH,
    Batch,
    BatchState,
    Item,
    JsonObject,
    Judgment,
    Order,
    Reply,
    Request,
    Response,
    RunManifest,
    Runtime,
    Verdict,
    VerdictSlot,
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
    told,
    values,
)
from judgebench.store.claims import holder, key_of
from judgebench.store.codec import (
    HOWS,
    KINDS,
    ORDERS,
    TOKENS,
    read_item,
    read_marks,
    read_request,
    read_spec,
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
CALL_COLUMNS = ("prompt", "reply", "reply_reasoning", "finish_reason", "earlier_calls")

At: TypeAlias = tuple[str, str]
"""A benchmark and its version."""

_LATE = 10_000
"""How many numbers of answers may be given out by others while one waits to be committed."""

_COUNTED = 100_000
"""Rows that a server counts in an instant; of more it says how many there are about."""


# what is told -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCalibration:
    """A calibration of length: for whom it holds, and what it says.

    ``models`` are those it was fitted on, by short id. ``id`` are the first twelve digits of the
    hash of all but ``at``, the seconds at which it was put.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A name of a model with its tags; ``model_id`` are the first twelve digits of its key."""

    model_id: str
    name: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCall:
    """One question to a judge's model, and the reply.

    ``prompt`` is the question as one text, with the roles above where there are several messages,
    and ``candidates`` the texts whose likelihood was asked for. ``reply`` is what came back,
    numbers as JSON; ``reasoning`` what was thought before it; ``finish_reason`` how it ended.
    """

    prompt: str
    candidates: tuple[str, ...]
    reply: str
    reasoning: str | None
    finish_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldText:
    """The final text of an answer, with the reasoning before it."""

    text: str
    reasoning: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemAnswer:
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
    stack: Runtime | None
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemVerdict:
    """What a judge said at a place, without what it wrote.

    ``opponent`` is None where an answer stood alone. ``counts``: it is the one that boards show
    there. ``runs`` are those that it serves, in the order in which they took it. ``afresh``: asked
    for once more to confirm a regression.
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
    reply_keys: tuple[bytes, ...]
    at: float
    counts: bool
    runs: tuple[str, ...]
    afresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemHistory:
    """An item with all its answers, by model, and all its verdicts, the newest first.

    ``before`` and ``after`` are the ids of those beside it, in the order in which they came.
    """

    item: Item
    before: str | None
    after: str | None
    answers: Sequence[ItemAnswer]
    verdicts: Sequence[ItemVerdict]


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
    """How often runs have used a judgment, and the seconds at which one last did."""

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
class JudgedModel:
    """A judge has looked at a model's answers on a benchmark, beside an opponent's or alone."""

    benchmark: str
    version: str
    judge: StoredJudge
    model: StoredModel
    opponent: StoredModel | None


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
_SPEND = (
    "run.run_id benchmark.name:benchmark benchmark.version model_id:model model.short:model_id"
    " judge_id:judge judge.short:judge_id how provider.name:provider"
    f" requested.name:requested_model {' '.join(COUNTERS)}"
)
_LOOK = (
    "occasion.name:occasion item.item_id model.key:model_key opponent.key:opponent_key shown:order"
    " sample turn judgment.kind judgment.label.name:label judgment.value judgment.reason"
    " judgment.served.name:served_model judgment.at judgment.case_key:case judgment.key:judgment"
)


def _on(benchmark: str | None, version: str | None) -> dict[str, Any]:
    return {"benchmark.name": benchmark, "benchmark.version": version}


def _reply(connection: Connection, key: bytes) -> Reply | None:
    found = _REPLY.first(connection, {"key": key})
    said = None if found is None else said_by(_REPLY_LABELS, found)
    return None if said is None else Reply(**said | {"left_out": said["left_out"] or ()})


def _item(benchmark: str, version: str, found: Any) -> Item:
    content = stored_text(found.content or "", found.exact_content)
    return read_item(benchmark, version, found.item_id, found.category, content)


def _answers(c: Connection, where: Mapping[str, Any]) -> Iterator[tuple[int, bytes, Response]]:
    """Number and key of responses where they stand, the newest first and of one by place."""
    its = (
        "response_id benchmark.name:benchmark benchmark.version item.item_id model.key:model_key"
        " sample turn response.key:key response.text response.raw response.status"
        " response.reasoning response.prompt response.finish_reason response.*_tokens"
        " response.logprob response.stack.stack response.source"
    )
    order = "-response.at -response_id benchmark_id item_id model_id sample turn"
    for one in rows(c, schema.answers, its, where, order=order):
        yield one.response_id, one.key, Response(**values(one, "response_id", "key"))


def one_text(asked: Sequence[tuple[str, str]]) -> str:
    """Messages as one text, with the roles above where there are several."""
    several = "\n\n".join(f"[{role}]\n{said}" for role, said in asked)
    return asked[0][1] if len(asked) == 1 else several


def _call(found: Row[Any]) -> JudgeCall:
    its = values(found, "key")
    question, text, scores = json.loads(its.pop("request")), its.pop("text"), its.pop("scores")
    return JudgeCall(
        prompt=one_text([(one["role"], one["content"]) for one in question.get("messages", ())]),
        candidates=tuple(question.get("candidates", ())),
        reply=text if scores is None else json.dumps(scores),
        **its,
    )


def _in_columns(its: str, told: Sequence[Mapping[str, Any]]) -> Columns:
    """Equally long lists, by the labels of what was asked for."""
    names = [word.rpartition(":")[2].rpartition(".")[2] for word in its.split()]
    return {name: [one[name] for one in told] for name in names}


class Asked:
    """What is asked of a store within a write as well."""

    _read: Any
    """As `catalog.Snapshots` reads, or a write what it has put."""

    @read
    def judged(self, c: Connection, keys: Collection[bytes]) -> set[bytes]:
        """Which of the keys have a judgment."""
        return {found.key for found in rows(c, schema.judgments, "key", {"key": keys})}

    @read
    def responses(self, c: Connection, keys: Collection[bytes]) -> dict[bytes, list[Response]]:
        """The responses that there are, of all stacks, the newest first.

        One response may answer the same question in several places; it is told with the first.
        """
        found: dict[bytes, list[Response]] = {}
        for _, places in groupby(_answers(c, {"response.key": keys}), key=itemgetter(0)):
            _, key, response = next(places)
            found.setdefault(key, []).append(response)
        return found

    @read
    def calibrations(self, c: Connection, benchmark: str, version: str) -> list[StoredCalibration]:
        """Of all judges and opponents, in the order in which they were put."""
        its = "key judge.key:judge_key opponent.key:opponent_key models content at"
        found = rows(c, schema.calibrations, its, _on(benchmark, version), order="at id")
        return [StoredCalibration(id=one.key.hex()[:12], **values(one, "key")) for one in found]

    @read
    def baselines(
        self,
        c: Connection,
        benchmark: str | None = None,
        version: str | None = None,
        name: str | None = None,
    ) -> list[StoredBaseline]:
        """Of all benchmarks and names or of one, in the order in which they were set."""
        its = (
            "name benchmark.name:benchmark benchmark.version model.key:model_key"
            " model.short:model_id run.run_id at"
        )
        where = {**_on(benchmark, version), "name": name}
        return told(c, schema.baselines, its, where, order="at id", kind=StoredBaseline)

    @read
    def anchors(self, c: Connection) -> list[StoredAnchors]:
        """Of all judges and benchmarks, in the order in which they were pinned."""
        its = (
            "anchors.id anchors.benchmark.name:benchmark anchors.benchmark.version"
            " anchors.judge.key:judge_key anchors.judge.short:judge_id anchors.at count():verdicts"
        )
        when, order = {"occasion_id": NONE}, "anchors.at anchors.id"
        return told(c, schema.looks, its, when, order=order, kind=StoredAnchors)


class Reading(Snapshots, Asked):
    """What a store is asked: values and columns out. See `catalog.read` for how."""

    # keys and what stands behind them -----------------------------------------------------------

    def reply(self, key: bytes) -> Reply | None:
        return self._database.look(lambda connection: _reply(connection, key))

    @read
    def judgment(self, c: Connection, key: bytes) -> Judgment | None:
        its = f"key judge.key:judge_key case_key {_VERDICT} {_SAID} marks"
        found = told(c, schema.judgments, its, {"key": key}, kind=dict[str, Any])
        return Judgment(**found[0] | {"marks": found[0]["marks"] or ()}) if found else None

    @read
    def answers_to(
        self, c: Connection, benchmark: str, version: str, model: bytes, items: Collection[str]
    ) -> list[Response]:
        """All answers of a model, by its key, to some items, of all stacks, the newest first."""
        of = {**_on(benchmark, version), "model.key": model, "item.item_id": sorted(items)}
        return [response for *_, response in _answers(c, of)]

    @read
    def answered(
        self, c: Connection, benchmark: str, version: str, model: bytes
    ) -> set[tuple[str, int]]:
        """Item and sample of every answer of a model, by its key, that stands on a benchmark."""
        of = {**_on(benchmark, version), "model.key": model, "turn": 0}
        found = rows(c, schema.answers, "item.item_id sample", of)
        return {(item, sample) for item, sample in found}

    @read
    def newest_answer(self, c: Connection) -> int:
        """A number that grows whenever an answer comes that stands somewhere; 0 without any.

        A server gives numbers out before it commits: how many of the last are there counts as well.
        """
        last: int = row(c, schema.answers, "max(response_id)")[0] or 0
        late = row(c, schema.answers, "distinct(response_id)", {"response_id>": last - _LATE})
        return last + int(late[0])

    @read
    def answered_on(self, c: Connection, keys: Collection[bytes], stack: Runtime) -> set[bytes]:
        """Which of the keys were answered on a stack, by an answer that stands or an anchor."""
        on = {"key": keys, "stack.key": content.stack_key(stack)}
        return {found.key for found in rows(c, schema.responses, "key", on)}

    @read
    def answered_again(
        self,
        c: Connection,
        benchmark: str,
        version: str,
        model: str,
        *,
        stack: Runtime,
        other: Runtime,
    ) -> AnsweredAgain:
        """A model's first answers on a benchmark on ``stack``, beside those on ``other``.

        The model by its short id. Those on ``other`` may be answers that stand there, or anchors.
        """
        on = {**_on(benchmark, version), "model.short": model, "sample": 0}
        on["response.stack.key"] = content.stack_key(stack)
        own = dict(rows(c, schema.answers, "response.key response.text_sha", on))
        again = {"key": list(own), "stack.key": content.stack_key(other)}
        there = dict(rows(c, schema.responses, "key text_sha", again))
        changed = sum(own[key] != sha for key, sha in there.items())
        return AnsweredAgain(prompts=len(own), again=len(there), changed=changed)

    # items --------------------------------------------------------------------------------------

    @read
    def items(
        self, c: Connection, benchmark: str, version: str, ids: Collection[str] | None = None
    ) -> list[Item]:
        """All, as they came, or some; without turns where only the id is known."""
        which = {**_on(benchmark, version), "item_id": ids}
        return [
            _item(benchmark, version, one)
            for one in rows(c, schema.items, _ITEM, which, order="id")
        ]

    @read
    def item_contents(self, c: Connection, benchmark: str, version: str) -> dict[str, str | None]:
        """What each item is but for its id, by id; None where only the id is known.

        Two items of equal content are one question that stands in the benchmark twice.
        """
        its = "item_id category content_sha"
        return {
            item_id: None if sha is None else f"{sha.hex()}/{category or ''}"
            for item_id, category, sha in rows(c, schema.items, its, _on(benchmark, version))
        }

    @read
    def item_categories(
        self, c: Connection, benchmark: str | None, version: str | None
    ) -> list[str]:
        """Of the items of a benchmark, or of all, in alphabetical order."""
        found = rows(c, schema.items, "category", _on(benchmark, version), distinct=True)
        return sorted(one.category for one in found if one.category)

    @read
    def item_history(
        self, c: Connection, benchmark: str, version: str, item_id: str
    ) -> ItemHistory | None:
        """Everything there is of one item; None for one that the store does not know."""
        found = row(c, schema.items, _ITEM, {**_on(benchmark, version), "item_id": item_id})
        if found is None:
            return None
        known, here = catalog.models(c), {"benchmark_id": found.benchmark_id}
        before = row(c, schema.items, "item_id", here | {"id<": found.id}, order="-id")
        after = row(c, schema.items, "item_id", here | {"id>": found.id}, order="id")
        return ItemHistory(
            item=_item(benchmark, version, found),
            before=before and before.item_id,
            after=after and after.item_id,
            answers=_answers_told(c, known, found),
            verdicts=_verdicts_told(c, known, found),
        )

    @read
    def answer_texts(self, c: Connection, numbers: Collection[int]) -> dict[int, ToldText]:
        """What answers say, by their numbers."""
        found = rows(c, schema.responses, "id text reasoning", {"id": numbers})
        return {one.id: ToldText(**values(one, "id")) for one in found}

    # replies ------------------------------------------------------------------------------------

    @read
    def calls(self, c: Connection, keys: Collection[bytes]) -> dict[bytes, JudgeCall]:
        """What judges were asked and replied, letter by letter, by the keys of the replies."""
        its = "key request text reasoning finish_reason scores"
        return {one.key: _call(one) for one in rows(c, schema.replies, its, {"key": keys})}

    @read
    def left_out(self, c: Connection, judge: str, benchmark: str, version: str) -> tuple[str, ...]:
        """What a judge, by its short id, asked for on a benchmark and its model does not take.

        As one reply to it says, since all of its questions are of one make.
        """
        of = {**_on(benchmark, version), "judge.short": judge, "judgment.reply_keys!": b""}
        asked = row(c, schema.uses, "judgment.reply_keys", of)
        found = None if asked is None else _reply(c, reply_keys(asked.reply_keys)[0])
        return () if found is None else found.left_out

    @read
    def replies_of_run(
        self, c: Connection, run_id: str, judges: Collection[bytes], benchmarks: Collection[str]
    ) -> dict[bytes, Counter[str]]:
        """Of the verdicts that served a run and were read from a reply, how many of each kind.

        By the keys of their judges. Equal answers have one reply, which counts once. A verdict that
        nobody had to be asked for is none.

        Parameters
        ----------
        judges
            The keys of those to count.
        benchmarks
            Names of those that the run is about: uses are looked up by them.
        """
        where = {
            "benchmark.name": benchmarks, "judge.key": list(judges), "run.run_id": run_id,
            "judgment.reply_keys!": b"",
        }  # fmt: skip
        its = "judge.key judgment.kind distinct(judgment_id)"
        found: dict[bytes, Counter[str]] = {}
        for key, kind, n in rows(c, schema.uses, its, where, order="judge_id"):
            found.setdefault(key, Counter())[KINDS[kind]] += n
        return found

    # batches ------------------------------------------------------------------------------------

    @read
    def batches(self, c: Connection, states: Collection[BatchState] | None = None) -> list[Batch]:
        """Those in one of the states, or all, in the order in which they were put."""
        its = "batch_id:id run.run_id asker provider state remote_id requests created ended note"
        return told(c, schema.batches, its, {"state": states}, order="created id", kind=Batch)

    @read
    def batch_requests(self, c: Connection, batch_id: str) -> dict[bytes, Request]:
        """The questions of a batch by key, with their purposes; empty for one that is not known.

        Hints for caches of prompts are not kept, and a tuple among the parameters of a question
        comes back as a list.
        """
        of, its = {"batch.batch_id": batch_id}, "key kind request:canonical purpose"
        return {
            one.key: read_request(**values(one, "key"))
            for one in rows(c, schema.batch_requests, its, of)
        }

    @read
    def in_batches(
        self,
        c: Connection,
        keys: Collection[bytes],
        states: Collection[BatchState] | None = OPEN,
    ) -> dict[bytes, str]:
        """Which questions wait in a batch that is being submitted or was, and in which.

        Of two batches with one question, the one that came first. Whatever became of them, if
        ``states`` is None.
        """
        where, order = {"key": keys, "batch.state": states}, "-batch.created -batch_id"
        return dict(rows(c, schema.batch_requests, "key batch.batch_id", where, order=order))

    # anchors ------------------------------------------------------------------------------------

    @read
    def looks(self, c: Connection, of: StoredAnchors) -> Columns:
        """What was said of a set of anchors, as equally long lists.

        By ``occasion``, which is `PINNED` of what had been said before. ``value`` of a preference
        is the probability that the model beats its opponent.
        """
        order = "occasion_id model_id opponent_id item_id shown sample turn"
        found = told(
            c, schema.looks, _LOOK, {"anchors_id": of.id}, order=order, kind=dict[str, Any]
        )
        for one in found:
            one["occasion"], one["kind"] = one["occasion"] or PINNED, KINDS[one["kind"]]
            turned = (one["kind"], one["order"]) == ("preference", "opponent_first")
            if turned and one["value"] is not None:
                one["value"] = 1 - one["value"]
        return _in_columns(_LOOK, found)

    def looked(self, of: StoredAnchors, occasion: str = PINNED) -> dict[VerdictSlot, bytes]:
        """The places of a set about which the judge was asked on an occasion, or those pinned.

        With the key of the case that it saw there.
        """
        said = self.looks(of)
        at: dict[str, Any] = {"benchmark": of.benchmark, "version": of.version}
        names = ("item_id", "model_key", "opponent_key", "order", "sample", "turn")
        return {
            VerdictSlot(judge_key=of.judge_key, **at, **{n: said[n][i] for n in names}): said[
                "case"
            ][i]
            for i, when in enumerate(said["occasion"])
            if when == occasion
        }

    # what was spent -----------------------------------------------------------------------------

    @read
    def spend(self, c: Connection, run_id: str | None = None) -> Columns:
        """What a run took, or all of them, as equally long lists.

        One row for each run, in the order of their start, benchmark, model, judge (None for
        answers), ``how`` and requested model. ``cost_usd`` is that of the calls with a known price:
        a lower bound wherever ``unpriced_calls`` is not 0. Tokens are those that somebody stated.
        Empty for a run that is not known.
        """
        models, judges = catalog.models(c), catalog.judges(c)
        order = "run.started run_id benchmark_id model_id judge_id how provider_id requested_id"
        told = [
            one._asdict()
            | {"model": models[one.model].name, "how": HOWS[one.how]}
            | {"judge": judges[one.judge].name if one.judge != NONE else None}
            for one in rows(c, schema.spend, _SPEND, {"run.run_id": run_id}, order=order)
        ]
        return _in_columns(_SPEND, told)

    @read
    def judge_spend(
        self, c: Connection, benchmark: str, version: str
    ) -> dict[tuple[str, str], tuple[int, int, float]]:
        """What calls for verdicts took, over all runs, by the judge's id and ``how``.

        How many there were, how many of them without a known price, and USD for the others.
        """
        its = "judge.short:judge_id how sum(calls) sum(unpriced_calls) sum(cost_usd)"
        where = {**_on(benchmark, version), "judge_id!": NONE}
        found = rows(c, schema.spend, its, where, order="judge_id how")
        return {(judge, HOWS[how]): (n, unpriced, usd) for judge, how, n, unpriced, usd in found}

    @read
    def budgets(self, c: Connection) -> Columns:
        """What projects have spent and reserved, by month; what is reserved is of the newest."""
        reserved = dict(rows(c, schema.reservations, "project sum(usd)"))
        its = "project month spent_usd reserved_usd cap_usd"
        months = rows(c, schema.budgets, its.replace("reserved_usd ", ""), order="project -month")
        told = [one._asdict() | {"reserved_usd": reserved.pop(one.project, 0.0)} for one in months]
        return _in_columns(its, told)

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
        return told(c, schema.model_names, its, where, order="newest model_id name", kind=Tagged)

    @read
    def holdings(self, c: Connection) -> list[Holding]:
        """Of every benchmark, in the order in which they came.

        Models and judges come from steps in the key of ``uses``, so that it is milliseconds
        whatever the store holds.
        """
        people = {number for number, judge in catalog.judges(c).items() if is_human(judge.name)}
        items = dict(rows(c, schema.items, "benchmark_id count()"))
        found = []
        for number, (benchmark, version) in names_of(c, schema.benchmarks, "name version").items():
            asked = steps(c, "judge_id", benchmark_id=number)
            judged = {
                m for j in asked for m in steps(c, "model_id", benchmark_id=number, judge_id=j)
            }
            found.append(
                Holding(
                    benchmark=benchmark,
                    version=version,
                    items=items.get(number, 0),
                    models=len(judged),
                    judges=len(asked),
                    people=len(people & {*asked}),
                )
            )
        return found

    @read
    def verdicts_used(self, c: Connection) -> dict[At, Verdicts]:
        """Of every benchmark that has any.

        A verdict that a later run used again counts again. A pass over the key of ``uses``, 0.1 s a
        million.
        """
        names = names_of(c, schema.benchmarks, "name version")
        found = rows(c, schema.uses, "benchmark_id count() max(used_at)")
        return {names[n]: Verdicts(used=used, newest=at) for n, used, at in found}

    @read
    def boards_met(self, c: Connection) -> list[JudgedModel]:
        """Who was judged by whom on what, benchmark by benchmark in the order in which they came.

        No verdict is read for it.
        """
        asked, known = catalog.judges(c), catalog.models(c)
        return [
            JudgedModel(
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
        kinds = told(c, schema.failures, "boundary kind retriable count():n", kind=FailureKind)
        return sorted(kinds, key=lambda one: (-one.n, one.boundary, one.kind, one.retriable))

    @read
    def n_rows(self, c: Connection, table: str) -> int:
        """How many rows a table has; of ``failures``, which a success takes away, what is left."""
        return int(row(c, schema.metadata.tables[table], "count()")[0])

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
    def runs(self, c: Connection, run_id: str | None = None) -> list[RunManifest]:
        """In the order in which they were started; the one of an id, or none."""
        found = rows(c, schema.runs, "manifest", {"run_id": run_id}, order="started id")
        return [read_spec(RunManifest, one.manifest) for one in found]

    def run(self, run_id: str) -> RunManifest | None:
        return next(iter(self.runs(run_id)), None)

    @read
    def newest_runs(
        self,
        c: Connection,
        n: int | None = None,
        *,
        after: int = 0,
        run_id: str | None = None,
        state: str | None = None,
    ) -> list[RunManifest]:
        """So many runs and imports, the newest first, without the first ones.

        Of an id, or in the state that they say themselves. One that says it is running, and holds
        no lease, is told to have ``died``.
        """
        which = {"run_id": run_id, "state": state}
        found, order = [], "-started -id"
        for one in rows(c, schema.runs, "manifest", which, order=order, limit=n, after=after):
            run = read_spec(RunManifest, one.manifest)
            owner = holder(c, key_of(f"run {run.id}")) if run.state == "running" else None
            gone = run.state == "running" and (owner is None or owner.has_gone())
            found.append(replace(run, state="died") if gone else run)
        return found

    def runs_under_way(self) -> list[RunManifest]:
        """Those that say they are running and have not gone, the newest first."""
        return [run for run in self.newest_runs(state="running") if run.state == "running"]

    @read
    def evaluated(
        self,
        c: Connection,
        benchmark: str,
        version: str,
        judges: Collection[str],
        opponent: str | None = None,
        *,
        afresh: bool = False,
    ) -> set[tuple[str, str]]:
        """Which model which run evaluated, by id: some judges looked at its answers for it.

        No verdict is read for it.

        Parameters
        ----------
        judges
            Their ids.
        opponent
            The id of whom answers were compared with; None where each stood alone.
        afresh
            Also what was asked for once more, to confirm a regression.
        """
        whose = {"opponent_id": NONE} if opponent is None else {"opponent.short": opponent}
        where = {**_on(benchmark, version), "judge.short": list(judges), **whose}
        where["repeat!"] = None if afresh else AFRESH
        found = rows(c, schema.uses, "model.short run.run_id", where, distinct=True)
        return {(model, run) for model, run in found}


# the history of an item -------------------------------------------------------------------------


def _answers_told(c: Connection, known: dict[int, StoredModel], item: Row[Any]) -> list[ItemAnswer]:
    """Found by the key of the table, which begins with the model."""
    its = (
        "model_id sample turn response_id:number response.status response.finish_reason"
        " response.completion_tokens response.source response.stack.stack response.at"
    )
    of = {"model_id": sorted(known), "benchmark_id": item.benchmark_id, "item_id": item.id}
    order = "model_id sample turn -response.at -response_id"
    found = rows(c, schema.answers, its, of, order=order)
    return [
        ItemAnswer(model=known[one.model_id], newest=nth == 0, **values(one, "model_id"))
        for _, answers in groupby(found, key=itemgetter(0, 1, 2))
        for nth, one in enumerate(answers)
    ]


def _verdicts_told(
    c: Connection, known: dict[int, StoredModel], item: Row[Any]
) -> list[ItemVerdict]:
    """The uses of an item on all boards: one for each judgment of a place."""
    said = " ".join(f"judgment.{name}" for name in f"{_VERDICT} {_SAID} marks".split())
    here = {"benchmark_id": item.benchmark_id, "item_id": item.id}
    query = asking(
        schema.uses,
        f"{' '.join(PLACE)} judgment_id:number run.run_id {said} used_at",
        tuple((name, False) for name in here),
    )
    board = tuple_(*(schema.uses.c[name] for name in ("judge_id", "model_id", "opponent_id")))
    found = [
        use
        for portion in chunks(boards_of(c, item.benchmark_id))
        for use in c.execute(query.where(board.in_(portion)), here)
    ]
    found.sort(key=lambda use: (use.used_at, use.run_id, use.number))
    newest = {use[: len(PLACE)]: use.number for use in found}
    uses: dict[Any, list[Any]] = {}
    for use in found:
        uses.setdefault((use[: len(PLACE)], use.number), []).append(use)
    asked = catalog.judges(c)
    told = [_verdict_told(asked, known, its, newest[at]) for (at, _), its in uses.items()]
    return sorted(told, key=lambda one: (-one.at, -one.number))


def _verdict_told(
    asked: dict[int, StoredJudge], known: dict[int, StoredModel], uses: list[Any], newest: int
) -> ItemVerdict:
    """A judgment with its uses at a place; which of several counts is told as boards tell it."""
    one, judge = uses[0], asked[uses[0].judge_id]
    its = values(one, *PLACE[:6], "used_at", "run_id")
    return ItemVerdict(
        **its | {"marks": read_marks(judge.spec.kind, one.marks)},
        judge=judge,
        model=known[one.model_id],
        opponent=known.get(one.opponent_id),
        order=ORDERS[one.shown],
        afresh=one.repeat == AFRESH,
        counts=one.number == newest and one.repeat != AFRESH,
        runs=tuple(dict.fromkeys(use.run_id for use in uses)),
    )


# replies beside verdicts ------------------------------------------------------------------------


def call_columns(made: Sequence[JudgeCall]) -> dict[str, Any]:
    """The prompt and reply that a verdict was read from, which are those of the last call.

    ``earlier_calls`` has the others, of a judge that asks several times; None where there are none.
    """
    told = [
        {"prompt": call.prompt, "reply": call.reply, "reply_reasoning": call.reasoning}
        | {"finish_reason": call.finish_reason}
        for call in made
    ]
    last = told[-1] if told else dict.fromkeys(CALL_COLUMNS[:-1])
    return {**last, "earlier_calls": told[:-1] or None}


def with_texts(store: Reading, columns: Columns) -> Columns:
    """Columns of verdicts (`Store.judged_columns`) with `CALL_COLUMNS` for the keys of replies."""
    found = store.calls(dict.fromkeys(key for keys in columns["reply_keys"] for key in keys))
    made = [
        call_columns([found[key] for key in keys if key in found]) for keys in columns["reply_keys"]
    ]
    kept = {name: columns[name] for name in columns if name not in ("verdict", "reply_keys")}
    kept["judgment"] = [key.hex() for key in columns["judgment"]]
    return {**kept, **{name: [row[name] for row in made] for name in CALL_COLUMNS}}
