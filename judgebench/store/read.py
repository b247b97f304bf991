"""What a store is asked, and the values and lists it answers with; for boards see `columns`.

Each method of `Reading` is one snapshot of the store. What came last is told by the seconds at
which it came, and by its number only where these are equal.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, func, select, text, tuple_

from judgebench import keys as content
from judgebench.records import (
    AFRESH,
    HUMAN,
    WITHDRAWN,
    Batch,
    BatchState,
    Item,
    JsonObject,
    Judgment,
    Order,
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
    Named,
    Snapshots,
    StoredJudge,
    StoredModel,
    asking,
    boards_of,
    chosen,
    names_of,
    number_of,
    read,
    row,
    rows,
    steps,
    told,
    values,
    words_of,
)
from judgebench.store.claims import holder, key_of
from judgebench.store.codec import (
    HOWS,
    JUDGED_ELSEWHERE,
    KINDS,
    ORDERS,
    TOKENS,
    VERDICT,
    read_item,
    read_names,
    read_parts,
    read_request,
    read_spec,
    read_verdict,
    reply_keys,
    stored_text,
)
from judgebench.store.database import chunks
from judgebench.store.schema import NONE, PLACE

OPEN: tuple[BatchState, ...] = ("submitting", "submitted")
"""The states in which a reply may still come."""

TAKEN_BACK = (HUMAN, "unreadable", WITHDRAWN)
"""Kind of judge, kind and reason of a label that its rater has taken back."""

PINNED = ""
"""The occasion on which a set of anchors was pinned: what the judge had said until then."""

COUNTERS = ("calls", "unpriced_calls", *TOKENS, "cost_usd")
PLACE_COLUMNS = (
    "benchmark", "version", "item_id", "category", "model", "model_id", "opponent", "opponent_id",
    "judge", "judge_id", "judge_kind", "official_prompt", "order", "sample", "turn",
)  # fmt: skip
VERDICT_COLUMNS = (
    *PLACE_COLUMNS, "kind", "label", "value", "p", "low", "high", "reason", "served_model",
    "run_id", "at", "repeat", "parts", "marks",
)  # fmt: skip
JUDGED_COLUMNS = (*VERDICT_COLUMNS, "verdict", "judgment", "reply_keys")
FAILURE_COLUMNS = (
    *PLACE_COLUMNS, "boundary", "message", "retriable", "attempts", "at", "repeat", "kind",
)  # fmt: skip
RESPONSE_COLUMNS = (
    "benchmark", "version", "item_id", "category", "model", "model_id", "sample", "turn", "text",
    "reasoning", "status", "finish_reason", "prompt_tokens", "completion_tokens", "logprob",
    "source", "stack", "newest", "at",
)  # fmt: skip
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
_SAYS = " ".join(f"judgment.{name}" for name in f"{_VERDICT} {_SAID} marks".split())
_N_PLACE = 10  # of _SLOT and _PLACED the first tell a place
_SLOT = (
    "benchmark.name:benchmark benchmark.version item.item_id model.key:model_key"
    " opponent.key:opponent_key judge.key:judge_key shown:order sample turn repeat"
)
_PLACED = (
    "benchmark.name:benchmark benchmark.version item.item_id model_id:model opponent_id:opponent"
    " judge_id:judge shown:order sample turn repeat"
)
_NAMED = (
    "item.category model.short:model_id opponent.short:opponent_id judge.short:judge_id"
    " judge.kind:judge_kind judge.official_prompt"
)
_RECORDED = "used_at run_id:ran judgment_id:number"
_TOLD = (
    f"{_PLACED} {_RECORDED} {_NAMED} run.run_id {_SAYS} judgment.case_key:case"
    " judgment.key:judgment"
).replace(".winner", ".winner:won")
_ANSWER = (
    "benchmark_id model_id:model item_id:number sample turn benchmark.name:benchmark"
    " benchmark.version item.item_id item.category model.short:model_id response.text"
    " response.reasoning response.status response.finish_reason response.prompt_tokens"
    " response.completion_tokens response.logprob response.source response.stack.stack:on"
    " response.at"
)
_NEWEST_ANSWER = "benchmark_id model_id item_id sample turn -response.at -response_id"
_KEY, _FAILURE_KEY = (
    " ".join(table.primary_key.columns.keys()) for table in (schema.uses, schema.failures)
)
_ON_BOARDS = {"repeat!": AFRESH}
_ITEM = "id benchmark_id item_id category content"
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


def _labels(its: str) -> list[str]:
    """Of what is asked for."""
    return [word.rpartition(":")[2].rpartition(".")[2] for word in its.split()]


def _in_columns(c: Connection, names: Iterable[str], told: Iterable[Mapping[str, Any]]) -> Columns:
    """Equally long lists, with the names of models and judges in place of their numbers."""
    columns: Columns = {name: [] for name in names}
    for one in told:
        for name, column in columns.items():
            column.append(one[name])
    for who, known in _WHO.items():
        if who in columns:
            its = known(c)
            columns[who] = [getattr(its.get(number), "name", None) for number in columns[who]]
    return columns


_WHO: Mapping[str, Callable[[Connection], Mapping[int, Any]]] = {
    "model": catalog.models,
    "opponent": catalog.models,
    "judge": catalog.judges,
}


# verdicts, one at a time ------------------------------------------------------------------------


def _verdicts(
    c: Connection,
    wheres: Iterable[Mapping[str, Any]],
    columns: Iterable[str] = VERDICT_COLUMNS,
    n: int | None = None,
) -> Columns:
    """Of so many uses at most of each of several conditions."""
    uses = (
        use for where in wheres for use in rows(c, schema.uses, _TOLD, where, order=_KEY, limit=n)
    )
    return _in_columns(c, columns, _counting(uses))


def _counting(uses: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """What counts at each place, and was not taken back, of uses with those of a place together."""
    for use in _newest(uses):
        one = values(use)
        one["verdict"] = read_verdict(one["won"], *(one[name] for name in VERDICT[1:]))
        one["parts"] = read_parts(one["parts"])
        elsewhere = one["judge_kind"] in JUDGED_ELSEWHERE
        one["marks"] = None if elsewhere else marks_shown(one["marks"], one["order"])
        _toward_model(one)
        if (one["judge_kind"], one["kind"], one["reason"]) != TAKEN_BACK:
            yield one


def _newest(uses: Iterable[Any]) -> Iterator[Any]:
    """Of the uses of one place, which follow each other, the one recorded last."""
    recorded = slice(_N_PLACE, _N_PLACE + 3)
    for _, its in groupby(uses, key=lambda use: tuple(use[:_N_PLACE])):
        yield max(its, key=lambda use: tuple(use[recorded]))


def _toward_model(one: dict[str, Any]) -> None:
    """A preference's value is the probability that the model beats its opponent."""
    one["kind"] = KINDS[one["kind"]]
    turned = (one["kind"], one["order"]) == ("preference", "opponent_first")
    if turned and one["value"] is not None:
        one["value"] = 1 - one["value"]


def marks_shown(marks: tuple[str, ...] | None, order: Order) -> tuple[str, ...] | None:
    """Of the marks of what a judge was shown, those of the model's answer."""
    if marks is None or order == "single":
        return marks
    position = "/0" if order == "model_first" else "/1"
    return tuple(mark.removesuffix(position) for mark in marks if mark.endswith(position))


def _current(
    c: Connection, where: Mapping[str, Any]
) -> Iterator[tuple[VerdictSlot, tuple[bytes, Verdict]]]:
    its = f"{_SLOT} {_RECORDED} {_SAYS} judgment.key:judgment"
    for use in _newest(rows(c, schema.uses, its, where, order=_KEY)):
        said = values(use)
        place = VerdictSlot(**{name: said[name] for name in _labels(_SLOT)})
        yield place, (said["judgment"], said["verdict"])


def current_at(c: Connection, place: Mapping[str, int]) -> tuple[bytes, Verdict] | None:
    """What counts at one place, given by its integers."""
    where = {name: place[name] for name in PLACE}
    return next((said for _, said in _current(c, where)), None)


def _responses(c: Connection, wheres: Iterable[Mapping[str, Any]], n: int | None = None) -> Columns:
    """So many at most of each of several conditions."""
    found = (
        one
        for where in wheres
        for one in rows(c, schema.answers, _ANSWER, where, order=_NEWEST_ANSWER, limit=n)
    )
    told = (
        values(one) | {"stack": one.on, "newest": nth == 0}
        for _, its in groupby(found, key=lambda one: tuple(one[:5]))
        for nth, one in enumerate(its)
    )
    return _in_columns(c, RESPONSE_COLUMNS, told)


class Asked:
    """What is asked of a store within a write as well."""

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
    def calibrations(
        self,
        c: Connection,
        benchmark: str,
        version: str,
        judge: bytes | None = None,
        opponent: bytes | None = None,
    ) -> list[StoredCalibration]:
        """Of all judges and opponents or of one, by key, in the order in which they were put."""
        which = {**_on(benchmark, version), "judge.key": judge, "opponent.key": opponent}
        its = words_of(
            StoredCalibration, id="key", judge_key="judge.key", opponent_key="opponent.key"
        )
        return [
            StoredCalibration(**values(one) | {"id": one.id.hex()[:12]})
            for one in rows(c, schema.calibrations, its, which, order="at id")
        ]

    @read
    def baselines(
        self,
        c: Connection,
        benchmark: str | None = None,
        version: str | None = None,
        name: str | None = None,
    ) -> list[StoredBaseline]:
        """Of all benchmarks and names or of one, in the order in which they were set."""
        return told(
            c,
            schema.baselines,
            StoredBaseline,
            {**_on(benchmark, version), "name": name},
            order="at id",
            benchmark="benchmark.name",
            version="benchmark.version",
            model_key="model.key",
            model_id="model.short",
            run_id="run.run_id",
        )

    @read
    def anchors(self, c: Connection) -> list[StoredAnchors]:
        """Of all judges and benchmarks, in the order in which they were pinned."""
        return told(
            c,
            schema.looks,
            StoredAnchors,
            {"occasion_id": NONE},
            order="anchors.at anchors.id",
            id="anchors.id",
            benchmark="anchors.benchmark.name",
            version="anchors.benchmark.version",
            judge_key="anchors.judge.key",
            judge_id="anchors.judge.short",
            at="anchors.at",
            verdicts="count()",
        )


class Reading(Snapshots, Asked):
    """What a store is asked: values and columns out. See `catalog.read` for how."""

    # keys and what stands behind them -----------------------------------------------------------

    @read
    def judgment(self, c: Connection, key: bytes) -> Judgment | None:
        its = f"key judge.key:judge_key case_key {_VERDICT} {_SAID} marks"
        found = row(c, schema.judgments, its, {"key": key})
        said = None if found is None else values(found)
        return None if said is None else Judgment(**said | {"marks": said["marks"] or ()})

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
        found = rows(c, schema.responses, f"id {words_of(ToldText)}", {"id": numbers})
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
        one = {"key": None if asked is None else reply_keys(asked.reply_keys)[0]}
        found = None if asked is None else row(c, schema.replies, "left_out", one)
        return () if found is None else read_names(found.left_out or "[]")

    @read
    def verdicts_of_run(
        self,
        c: Connection,
        run_id: str,
        judges: Collection[bytes],
        benchmarks: Collection[str],
        *,
        asked: bool,
    ) -> dict[bytes, Counter[str]]:
        """Of the verdicts that served a run, how many of each kind, by the keys of their judges.

        Equal answers have one verdict, which counts once.

        Parameters
        ----------
        judges
            The keys of those to count.
        benchmarks
            Names of those that the run is about: uses are looked up by them.
        asked
            Whether to count those that were read from a reply, or those that nobody had to be
            asked for.
        """
        where = {
            "benchmark.name": benchmarks, "judge.key": list(judges), "run.run_id": run_id,
            f"judgment.reply_keys{'!' if asked else ''}": b"",
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
        at = {"id": "batch_id", "run_id": "run.run_id"}
        return told(c, schema.batches, Batch, {"state": states}, order="created id", **at)

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
        found = [*map(values, rows(c, schema.looks, _LOOK, {"anchors_id": of.id}, order=order))]
        for one in found:
            one["occasion"] = one["occasion"] or PINNED
            _toward_model(one)
        return _in_columns(c, _labels(_LOOK), found)

    @read
    def looked(
        self, c: Connection, of: StoredAnchors, occasion: str = PINNED
    ) -> dict[VerdictSlot, bytes]:
        """The places of a set about which the judge was asked on an occasion, or those pinned.

        With the key of the case that it saw there.
        """
        at: dict[str, Any] = {"benchmark": of.benchmark, "version": of.version}
        at["judge_key"] = of.judge_key
        where = {"anchors_id": of.id, "occasion.name": occasion or None}
        where["occasion_id"] = None if occasion else NONE
        its = (
            "judgment.case_key item.item_id model.key:model_key opponent.key:opponent_key"
            " shown:order sample turn"
        )
        found = rows(c, schema.looks, its, where, order="model_id opponent_id item_id shown")
        return {VerdictSlot(**at, **values(one, "case_key")): one.case_key for one in found}

    # what was spent -----------------------------------------------------------------------------

    @read
    def spend(self, c: Connection, run_id: str | None = None) -> Columns:
        """What a run took, or all of them, as equally long lists.

        One row for each run, in the order of their start, benchmark, model, judge (None for
        answers), ``how`` and requested model. ``cost_usd`` is that of the calls with a known price:
        a lower bound wherever ``unpriced_calls`` is not 0. Tokens are those that somebody stated.
        Empty for a run that is not known.
        """
        order = "run.started run_id benchmark_id model_id judge_id how provider_id requested_id"
        found = rows(c, schema.spend, _SPEND, {"run.run_id": run_id}, order=order)
        told = (one._asdict() | {"how": HOWS[one.how]} for one in found)
        return _in_columns(c, _labels(_SPEND), told)

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
        told = (one._asdict() | {"reserved_usd": reserved.pop(one.project, 0.0)} for one in months)
        return _in_columns(c, its.split(), told)

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
        where, order = {"tags!": "{}"}, "newest model_id name"
        return told(c, schema.model_names, Tagged, where, order=order, model_id="model.short")

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
            met = steps(c, "judge_id model_id", benchmark_id=number)
            asked = {judge for judge, _ in met}
            found.append(
                Holding(
                    benchmark=benchmark,
                    version=version,
                    items=items.get(number, 0),
                    models=len({model for _, model in met}),
                    judges=len(asked),
                    people=len(people & asked),
                )
            )
        return found

    @read
    def verdicts_used(self, c: Connection) -> dict[At, Verdicts]:
        """Of every benchmark that has any.

        A verdict that a later run used again counts again. Told by what boards read where that has
        all, else by a pass over the key of ``uses``, 0.1 s a million.
        """
        from judgebench.store.columns import used as packed  # numpy

        names = names_of(c, schema.benchmarks, "name version")
        found = packed(c) or rows(c, schema.uses, "benchmark_id count() max(used_at)")
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
        kinds = told(c, schema.failures, FailureKind, n="count()")
        return sorted(kinds, key=lambda one: (-one.n, one.boundary, one.kind, one.retriable))

    @read
    def last_numbers(self, c: Connection) -> Mapping[str, int]:
        """How many judgments and answers there are, in no time, and runs and failures, counted.

        In a file, the last number that was given. A server leaves numbers out: it has counted up to
        `_COUNTED`, and beyond says what its statistics do. Of failures, which a success takes away,
        what is left.
        """
        found = {one.name: row(c, one, "count()")[0] for one in (schema.runs, schema.failures)}
        for name, table in (("judgments", schema.judgments), ("answers", schema.responses)):
            found[name] = row(c, table, "max(id)")[0] or 0
            if c.dialect.name != "sqlite":
                some = select(table.c.id).limit(_COUNTED).subquery()
                about = func.pg_stat_get_live_tuples(text(f"'{table.name}'::regclass"))
                n, beyond = c.execute(select(func.count(), about).select_from(some)).one()
                found[name] = n if n < _COUNTED else max(n, beyond)
        return found

    # verdicts, failures, answers ----------------------------------------------------------------

    @read
    def verdicts(
        self,
        c: Connection,
        benchmark: str | None = None,
        version: str | None = None,
        *,
        judges: Collection[Named] | None = None,
        models: Collection[Named] | None = None,
        run_id: str | None = None,
        afresh: bool | None = False,
        columns: Collection[str] = VERDICT_COLUMNS,
    ) -> Columns:
        """The newest verdict of every place, as equally long lists; of all benchmarks or one.

        A preference's value is the probability that ``model`` beats ``opponent``. A label that its
        rater has taken back is none, nor is the one before it.

        Parameters
        ----------
        judges, models
            By any of their names, their short id, or their key.
        run_id
            What served this run, whatever came later.
        afresh
            What was asked for once more to confirm a regression, rather than what is on boards;
            both if None.
        columns
            Beside `VERDICT_COLUMNS`: ``case``, the key of what the judge saw (of imported verdicts,
            whose answers nobody knew, that of their place); ``verdict`` as a value; ``judgment``
            and ``reply_keys``, their keys.
        """
        where = {
            **_on(benchmark, version),
            "judge_id": chosen(catalog.judges(c), judges),
            "model_id": chosen(catalog.models(c), models),
            "run.run_id": run_id,
            "repeat": AFRESH if afresh else None,
            "repeat!": AFRESH if afresh is False else None,
        }
        return _verdicts(c, [where], columns)

    @read
    def verdicts_beside(
        self, c: Connection, benchmark: str, version: str, judge_key: bytes
    ) -> Columns:
        """As `verdicts`, of all judges, where one of them, by its key, has a verdict.

        Of a pair, also those on the same two models the other way round. What it takes grows with
        what that judge has said, not with what the store holds.
        """
        at, uses = number_of(c, benchmark, version), schema.uses.c
        model, opponent, item = uses.model_id, uses.opponent_id, uses.item_id
        whose = select(schema.judges.c.id).where(schema.judges.c.key == judge_key)
        said = uses.benchmark_id == at, uses.judge_id == whose.scalar_subquery()
        one_way = select(model, opponent, item).where(*said)
        other_way = select(opponent, model, item).where(*said, opponent != NONE)
        # SQLite looks each place up only where judges are named and the union is a table.
        places = select(one_way.union(other_way).subquery())
        asked = {"benchmark_id": at, "judge_id": [*catalog.judges(c)], **_ON_BOARDS}
        named = tuple((path, path == "judge_id") for path in asked)
        query = asking(schema.uses, _TOLD, named, _KEY)
        there = c.execute(query.where(tuple_(model, opponent, item).in_(places)), asked)
        return _in_columns(c, VERDICT_COLUMNS, _counting(there))

    @read
    def said_of(self, c: Connection, benchmark: str, version: str, item_id: str) -> Columns:
        """As `verdicts`, of all judges on the single answers to one item."""
        at = number_of(c, benchmark, version)
        item = row(c, schema.items, "id", {"benchmark_id": at, "item_id": item_id})
        where = {
            "benchmark_id": at,
            "judge_id": [*catalog.judges(c)],
            "model_id": [*catalog.models(c)],
            "opponent_id": NONE,
            "item_id": NONE if item is None else item.id,
        }
        return _verdicts(c, [where | _ON_BOARDS])

    @read
    def some_of_each(self, c: Connection, benchmark: str, version: str, n: int) -> Columns:
        """As `verdicts`, but the first ``n`` of each judge: what sort of verdicts it gives."""
        at = number_of(c, benchmark, version)
        judges = steps(c, "judge_id", benchmark_id=at)
        wheres = ({"benchmark_id": at, "judge_id": one, **_ON_BOARDS} for one in judges)
        return _verdicts(c, wheres, n=n)

    @read
    def first_verdicts(
        self,
        c: Connection,
        benchmark: str,
        version: str,
        n: int,
        *,
        judges: Collection[str] | None = None,
    ) -> Columns:
        """As `verdicts`, but the first ``n`` of each judge, or of some by id, on each model alone.

        They tell what sort of thing there is, such as whether anybody has scored from 0 to 1, and
        are found by one step in the key of ``uses`` for each judge and model, however many rows
        follow.
        """
        at, known = number_of(c, benchmark, version), catalog.judges(c)
        wheres = (
            {**dict(zip(PLACE, (at, *board), strict=False)), **_ON_BOARDS}
            for board in boards_of(c, at)
            if board[2] == NONE and (judges is None or known[board[0]].id in judges)
        )
        return _verdicts(c, wheres, n=n)

    def run_verdicts(self, run_id: str, benchmark: str, version: str) -> Columns:
        """The verdicts that served a run, whatever came later; with ``case``.

        Those asked for to confirm a regression are left out. Empty for a run that is not known.
        """
        return self.verdicts(benchmark, version, run_id=run_id, columns=(*VERDICT_COLUMNS, "case"))

    @read
    def current(
        self, c: Connection, benchmark: str, version: str
    ) -> dict[VerdictSlot, tuple[bytes, Verdict]]:
        """The judgment's key and verdict that count at each place: those of the newest use.

        Of a label that was taken back, that it was.
        """
        return dict(_current(c, _on(benchmark, version)))

    @read
    def failures(
        self, c: Connection, benchmark: str | None = None, version: str | None = None
    ) -> Columns:
        """What could not be done, as equally long lists (`FAILURE_COLUMNS`).

        What failed in no place, such as a batch as a whole, has none of its columns.
        """
        its = f"{_PLACED} {_NAMED} boundary message retriable attempts at kind"
        order, where = f"benchmark_id at {_FAILURE_KEY}", {**_on(benchmark, version), **_ON_BOARDS}
        nowhere = dict.fromkeys(("order", "sample", "turn", "repeat"))
        found = (
            values(one) | (nowhere if one.benchmark is None else {})
            for one in rows(c, schema.failures, its, where, order=order)
        )
        return _in_columns(c, FAILURE_COLUMNS, found)

    @read
    def responses_table(
        self,
        c: Connection,
        benchmark: str,
        version: str | None = None,
        *,
        models: Collection[Named] | None = None,
    ) -> Columns:
        """The answers of every place and stack (`RESPONSE_COLUMNS`); models as of `verdicts`.

        ``newest`` marks the one of a place that came last.
        """
        where = {**_on(benchmark, version), "model_id": chosen(catalog.models(c), models)}
        return _responses(c, [where])

    @read
    def first_answers(self, c: Connection, benchmark: str, version: str, n: int) -> Columns:
        """As `responses_table`, the first ``n`` of each model."""
        at = number_of(c, benchmark, version)
        models = steps(c, "model_id", table=schema.answers, benchmark_id=at)
        return _responses(c, ({"benchmark_id": at, "model_id": one} for one in models), n)

    @read
    def models_met(self, c: Connection, benchmark: str, version: str) -> list[StoredModel]:
        """Those that a benchmark has to do with, as judged, opponents, or in want of an answer."""
        at = number_of(c, benchmark, version)
        met = {one for board in boards_of(c, at) for one in board[1:]}
        met.update(steps(c, "model_id", table=schema.answers, benchmark_id=at))
        met |= _failed(c, at, "model_id")
        return [model for number, model in sorted(catalog.models(c).items()) if number in met]

    @read
    def judges_met(self, c: Connection, benchmark: str, version: str) -> list[StoredJudge]:
        """Those that judged on a benchmark, or failed to."""
        at = number_of(c, benchmark, version)
        met = {*steps(c, "judge_id", benchmark_id=at), *_failed(c, at, "judge_id")}
        return [judge for number, judge in sorted(catalog.judges(c).items()) if number in met]

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


def _failed(c: Connection, benchmark: int, who: str) -> set[int]:
    where = {"benchmark_id": benchmark}
    return {one[0] for one in rows(c, schema.failures, who, where, distinct=True)}


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
    here = {"benchmark_id": item.benchmark_id, "item_id": item.id}
    query = asking(
        schema.uses,
        f"{' '.join(PLACE)} judgment_id:number run.run_id {_SAYS} used_at",
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
    asked = catalog.judges(c)
    said = itemgetter(slice(len(PLACE) + 1))  # a place, and the judgment there
    uses = groupby(sorted(found, key=said), key=said)
    told = [_verdict_told(asked, known, [*its], newest[at[:-1]]) for at, its in uses]
    return sorted(told, key=lambda one: (-one.at, -one.number))


def _verdict_told(
    asked: dict[int, StoredJudge], known: dict[int, StoredModel], uses: list[Any], newest: int
) -> ItemVerdict:
    """A judgment with its uses at a place; which of several counts is told as boards tell it."""
    one, judge = uses[0], asked[uses[0].judge_id]
    its = values(one, *PLACE[:6], "used_at", "run_id")
    marks = None if judge.spec.kind in JUDGED_ELSEWHERE else its["marks"]
    return ItemVerdict(
        **its | {"marks": marks},
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


def with_texts(store: Reading, *of: str | None, **which: Any) -> Columns:
    """`Store.verdicts` with the judgment's key, and `CALL_COLUMNS`: what each was read from."""
    columns = store.verdicts(*of, columns=(*VERDICT_COLUMNS, "judgment", "reply_keys"), **which)
    found = store.calls(dict.fromkeys(key for keys in columns["reply_keys"] for key in keys))
    made = [
        call_columns([found[key] for key in keys if key in found]) for keys in columns["reply_keys"]
    ]
    del columns["reply_keys"]
    columns["judgment"] = [key.hex() for key in columns["judgment"]]
    return columns | {name: [row[name] for row in made] for name in CALL_COLUMNS}
