"""Rows in: what is put together is one commit.

Also a thread that writes, so that an event loop never waits for a disk, a server or another writer.
What has come while the last commit was made is the next one (group commit): no time is waited for
more to come. An entry is done when it is committed. What was paid for and cannot be stored is kept
in a journal, which the next opening of the store takes in: a second after something begins to be
waited for, and where the store fails or is left.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    closing,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from glob import escape
from io import FileIO
from operator import add
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, NamedTuple, Self, TextIO, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Table,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)

from judgebench import keys
from judgebench.errors import MAY_WAIT, InputError, StoreBusyError, StoreError, StoreGoneError
from judgebench.protocols import Paid, Waiting
from judgebench.records import (
    AFRESH,
    Batch,
    DriftCheck,
    Failure,
    Item,
    JsonObject,
    JudgeSpec,
    Judgment,
    ModelSpec,
    Reply,
    Request,
    Response,
    RunManifest,
    RunVerdict,
    Spend,
    TokenLogprob,
    Usage,
    Verdict,
    VerdictSlot,
)
from judgebench.secret import masked, masked_tokens
from judgebench.store import catalog, schema
from judgebench.store.codec import (
    HOWS,
    ORDERS,
    REQUESTS,
    TOKENS,
    item_json,
    logprobs_json,
    plain,
    purpose_json,
    question,
    read_purpose,
    read_request,
    readable,
    spec_json,
    store_verdict,
    to_json,
    tokens_of,
    word,
)
from judgebench.store.database import (
    Database,
    Prepared,
    Row,
    chunks,
    in_columns,
    insert,
    upsert,
)
from judgebench.store.read import (
    COUNTERS,
    PINNED,
    Asked,
    StoredAnchors,
    StoredBaseline,
    StoredCalibration,
    current_at,
)
from judgebench.store.schema import NONE, PLACE, identity

MOST = 50_000
"""Numbers of one table that are remembered at most, about 10 MB."""

Numbers: TypeAlias = dict[Table, dict[Any, Any]]
"""The integers that stand for keys and names, by table."""

_FEW = 100  # failures that are read to see whether any of them is cleared

_names = lru_cache(maxsize=1024)(to_json)  # the same few, over and over
_STEP_S = 1e-6  # what a double can tell apart at the seconds of this century

_u, _r, _f, _s = schema.uses.c, schema.responses, schema.failures, schema.spend


HERE = {name: bindparam(f"here_{name}", type_=_u[name].type) for name in PLACE}
"""A place as parameters whose names are free for a statement's conditions as well."""

_NUMBERED = (
    schema.names, schema.benchmarks, schema.items, schema.stacks, schema.models, schema.judges,
    schema.runs,
)  # fmt: skip
_PUT = {
    table: Prepared(insert(table).on_conflict_do_nothing())
    for table in (*_NUMBERED, schema.texts, schema.replies, schema.judgments, _r)
}
"""Of what is known by its content or name, what was put first is kept."""

# An anchor gives way to an answer on its stack.
_DROP_ANCHOR = Prepared(
    delete(_r).where(
        _r.c.key == bindparam("key"),
        _r.c.stack_id == bindparam("stack_id"),
        ~select(schema.answers.c.response_id)
        .where(schema.answers.c.response_id == _r.c.id)
        .exists(),
    )
)
_response = select(_r.c.id).where(
    _r.c.key == bindparam("key"), _r.c.stack_id == bindparam("stack_id")
)
_PUT_ANSWER = Prepared(
    insert(schema.answers).values(response_id=_response.scalar_subquery()).on_conflict_do_nothing()
)
_judgment = (
    select(schema.judgments.c.id)
    .where(schema.judgments.c.key == bindparam("judgment_key"))
    .scalar_subquery()
)
# The clock may have been set back since a place was used: what is used now is newer all the same.
_AFTER_THE_LAST = (
    select(func.max(_u.used_at) + _STEP_S)
    .where(*(_u[name] == here for name, here in HERE.items()))
    .where(_u.used_at >= bindparam("now", type_=Double()))
    .scalar_subquery()
)
_PUT_USE = Prepared(
    insert(schema.uses)
    .values(
        **HERE,
        run_id=bindparam("here_run_id", type_=_u.run_id.type),
        judgment_id=_judgment,
        used_at=func.coalesce(_AFTER_THE_LAST, bindparam("now", type_=Double())),
    )
    .on_conflict_do_nothing()
)
_PUT_FAILURE = Prepared(upsert(insert(_f).values(**HERE), added=["attempts"]))
_PUT_LOOK = Prepared(insert(schema.looks).values(judgment_id=_judgment).on_conflict_do_nothing())
_FAILED = Prepared(select(_f.c.key).limit(_FEW))
_CLEAR_FAILURE = Prepared(delete(_f).where(_f.c.key == bindparam("cleared")))
_PUT_SPEND = Prepared(upsert(insert(_s), added=COUNTERS))
_SPEND = (*(column.name for column in _s.primary_key), *COUNTERS)
_NOTHING = (0,) * len(COUNTERS)
_PUT_ITEM = Prepared(upsert(insert(schema.items).values(item_id=bindparam("called"))))


def _naming(table: Table, owner: str) -> Prepared:
    """The newest name counts; naming it so again changes nothing."""
    its = table.c
    whose = bindparam(f"here_{owner}", type_=its[owner].type)
    last = select(func.coalesce(func.max(its.newest), 0) + 1).where(its[owner] == whose)
    put = insert(table).values({owner: whose, "newest": last.scalar_subquery()})
    others = [one.name for one in its if one.name not in (owner, "name", "newest")]
    renamed = [its[name] != put.excluded[name] for name in others]
    changed = or_(its.newest != put.excluded.newest - 1, *renamed)
    return Prepared(upsert(put, where=changed))


_NAME_MODEL = _naming(schema.model_names, "model_id")
_NAME_JUDGE = _naming(schema.judge_names, "judge_id")
# What boards read of uses is kept once more, in rows of ``tails`` until there are so many of them:
# `columns` folds these into ``chunks``, and reads both.

TAIL, CHUNK = 256, 4096
"""Verdicts of a board at which its rows are folded into a chunk, and of a chunk that stays.

Many boards never have 4,096 verdicts, and their rows would all be read one by one.
"""

BOARD = PLACE[:4]
HAS_VALUE, HAS_MORE, LOOKED, MARKED = 4, 8, 16, 32
_j, _c, _l = schema.judgments.c, schema.chunks.c, schema.tails.c
_TOLD = (
    _j.kind
    + case((_j.value.is_not(None), HAS_VALUE), else_=0)
    + case((_j.reason_sha.is_not(None) | _j.parts.is_not(None), HAS_MORE), else_=0)
    + case((_j.marks.is_(None), 0), (_j.marks == "[]", LOOKED), else_=LOOKED + MARKED)
)
FIELDS: dict[str, ColumnElement[Any]] = {
    **{name: _u[name] for name in (*schema.uses.primary_key.columns.keys()[4:], "used_at")},
    "told": _TOLD,
    **{name: func.coalesce(_j[name], 0.0) for name in ("value", "low", "high")},
    **{name: func.coalesce(_j[name], NONE) for name in ("label_id", "served_id")},
    "judged_at": _j.at,
}
NAMES = (*BOARD, *FIELDS)
IN_CHUNKS, IN_TAILS = ([of[name] == HERE[name] for name in BOARD] for of in (_c, _l))
COUNTED = (
    select(*(_u[name] for name in BOARD), *(column.label(name) for name, column in FIELDS.items()))
    .join_from(schema.uses, schema.judgments, _j.id == _u.judgment_id)
    .where(_u.repeat != AFRESH)
)
SMALL = _c.n < bindparam("whole")
_in_small = select(func.coalesce(func.sum(_c.n), 0)).where(*IN_CHUNKS, SMALL).scalar_subquery()
_in_tail = select(1).where(*IN_TAILS).offset(bindparam("fewer")).limit(1)
_LONG = Prepared(select(_in_small).where(_in_tail.exists()))
"""Of a board whose tail is long, how many verdicts are in its small chunks."""

# Of the uses just put alone: what was known before has a row or lies in a chunk. If the clock makes
# one come twice, both are the same, and one of them counts.
_PUT_TAIL = Prepared(
    insert(schema.tails)
    .from_select(
        NAMES,
        COUNTED.where(
            *(_u[name] == here for name, here in HERE.items()),
            _u.run_id == bindparam("here_run_id", type_=_u.run_id.type),
            _j.key == bindparam("judgment_key"),
            _u.used_at >= bindparam("now", type_=_u.used_at.type),
        ),
    )
    .on_conflict_do_nothing()
)


def _put_tails(connection: Connection, uses: Mapping[str, Sequence[Any]]) -> None:
    """What boards read of uses that were just put, as they were given to `_PUT_USE`."""
    _PUT_TAIL.put_all(connection, uses)
    of_board = [f"here_{name}" for name in BOARD]
    for board in sorted({*zip(*(uses[name] for name in of_board), strict=True)}):
        here = dict(zip(of_board, board, strict=True)) | {"whole": CHUNK, "fewer": TAIL - 1}
        for long in _LONG.execute(connection, here).fetchall():
            from judgebench.store.columns import fold  # numpy, which a short run does without

            fold(connection, board, *long)


_GATHERED = (
    _PUT[schema.texts], _PUT[schema.replies], _PUT_ITEM, _NAME_MODEL, _NAME_JUDGE, _DROP_ANCHOR,
    _PUT[_r], _PUT_ANSWER, _PUT[schema.judgments], _PUT_USE, _PUT_FAILURE, _CLEAR_FAILURE,
    _PUT_SPEND,
)  # fmt: skip
"""In the order in which they are written: rows come after what they name."""

_POINTS = {name: table for name, table in catalog.REFERS.items() if table in _NUMBERED}
"""In a row that is gathered these columns hold a key or name, in whose place a number is put."""

_CALLED = {
    ("names", "name"): "the name",
    ("benchmarks", "name"): "the benchmark",
    ("benchmarks", "version"): "the version",
    ("items", "item_id"): "the item id",
    ("runs", "run_id"): "the run id",
}
_ASK = {
    table: Prepared(
        select(table.c.id, *(table.c[name] for name in identity(table))).where(
            *(
                table.c[name] == bindparam(name, type_=table.c[name].type)
                for name in identity(table)
            )
        )
    )
    for table in _NUMBERED
}


class _Kept(NamedTuple):
    """What the store has of an item; without an identity it is known by its id alone."""

    category: str | None
    identity: bytes | None
    content_sha: bytes | None


_Items: TypeAlias = dict[tuple[str, str, str], _Kept]


@dataclass(slots=True)
class _Gathered:
    """What is to be written, and what is known of it."""

    rows: dict[Prepared, list[dict[str, Any]]] = field(
        default_factory=lambda: {each: [] for each in _GATHERED}
    )
    seen: set[Any] = field(default_factory=set)
    shas: set[bytes] = field(default_factory=set)
    judged: set[bytes] = field(default_factory=set)
    used: set[bytes] = field(default_factory=set)
    cleared: set[bytes] = field(default_factory=set)
    spent: dict[tuple[Any, ...], tuple[float, ...]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Writing(Asked):
    """One write of the database, from its beginning to its commit.

    Rows of the tables that every call writes to are gathered and written together, at the end or
    when something is read (`flush`); until then the database is not asked for anything, and need
    not be held. They name others by their keys and names, for which numbers are put in when all
    are known. These are remembered in ``numbers``: nothing is ever deleted from the tables behind
    them, so what is remembered stays true, except for what a write had added that was rolled back.

    Parameters
    ----------
    begin
        Called once, when the database is needed first: begins the transaction.
    failed
        What went wrong: then nothing is written.
    """

    in_write: ClassVar[bool] = True
    begin: Callable[[], Connection]
    numbers: Numbers
    failed: BaseException | None = None
    _begun: Connection | None = None
    _more: dict[tuple[Table, bytes], Row] = field(default_factory=dict)
    _new: _Gathered = field(default_factory=_Gathered)

    def flush(self) -> Connection:
        """Write what was gathered; what is executed next sees it."""
        if self.failed is not None:
            raise StoreError(
                "nothing was stored: one part of the transaction had failed"
            ) from self.failed
        new = self._new
        try:
            if unknown := new.used - new.judged:
                self._begun = self._begun or self.begin()
                known = catalog.rows(self._begun, schema.judgments, "key", {"key": unknown})
                for key in sorted(unknown.difference(row.key for row in known)):
                    raise StoreError(
                        f"the store has no judgment {key.hex()[:12]}; "
                        "put_judgment() must come before"
                    )
            new.rows[_PUT_SPEND] = [
                dict(zip(_SPEND, (*about, *counters), strict=True))
                for about, counters in new.spent.items()
            ]
            written = {put: in_columns(rows) for put, rows in new.rows.items() if rows}
            for its in written.values():
                self._number(its)
            # Held from here at the latest, and others wait.
            connection = self._begun = self._begun or self.begin()
            if new.cleared:  # seldom has any failed before: a few are read to see which
                failed = [key for (key,) in _FAILED.execute(connection, {}).fetchall()]
                may_have = {*failed, *(row["key"] for row in new.rows[_PUT_FAILURE])}
                cleared = new.cleared if len(failed) == _FEW else new.cleared & may_have
                if cleared:
                    written[_CLEAR_FAILURE] = {"cleared": [*cleared]}
            if written:
                driver: Any = connection.connection.dbapi_connection
                with getattr(driver, "pipeline", nullcontext)():  # a server answers all at the end
                    for statement, its in written.items():
                        statement.put_all(connection, its)
                    if used := written.get(_PUT_USE):
                        _put_tails(connection, used)
            self._new = _Gathered()
        except BaseException as error:
            self.failed = error
            raise
        return connection

    def _alone(self, *what: Any) -> None:
        """Rows of one statement do not see each other: one that must is written after the other."""
        if what in self._new.seen:
            self.flush()
        self._new.seen.add(what)

    # numbers for keys and names -----------------------------------------------------------------

    def _number(self, columns: dict[str, list[Any]]) -> None:
        """Put numbers in place of keys and names; those of the benchmarks come before its items."""
        for name, values in columns.items():
            table = _POINTS.get(name.removeprefix("here_"))
            if table is None:
                continue
            if table is schema.items:
                values = [*zip(columns[name.replace("item", "benchmark")], values, strict=True)]
            known = self.numbers.get(table)
            if known is None or len(known) > MOST:
                known = self.numbers[table] = {None: None, NONE: NONE, (NONE, NONE): NONE}
            if new := [key for key in dict.fromkeys(values) if key not in known]:
                self._learn(table, known, new)
            columns[name] = [known[value] for value in values]

    def _numbered(self, row: dict[str, Any]) -> dict[str, Any]:
        self._number(columns := in_columns([row]))
        return {name: value for name, (value,) in columns.items()}

    def _learn(self, table: Table, known: dict[Any, Any], new: Sequence[Any]) -> None:
        """Have the numbers of keys or names known; what is not there yet is put, in its order."""
        names, connection = identity(table), self._begun or self.begin()
        self._begun = connection
        for _ in range(2):
            by = dict(zip(names, zip(*new, strict=True) if names[1:] else (new,), strict=True))
            for its, said in by.items():
                for name in said if (table.name, its) in _CALLED else ():
                    plain(_CALLED[table.name, its], name)
            for number, *key in _ASK[table].of_all(connection, by):
                known[tuple(key) if key[1:] else key[0]] = number
            new = [key for key in new if key not in known]
            if not new:
                return
            rows = in_columns([self._row_of(table, key) for key in new])
            _PUT[table].put_all(connection, rows)

    def _row_of(self, table: Table, key: Any) -> Row:
        """A row of what is not there yet. What has more to it than its name must have been put.

        An item that was never put is known by its id alone; its content may come later.
        """
        names = identity(table)
        row = dict(zip(names, key if names[1:] else (key,), strict=True))
        if table in (schema.names, schema.benchmarks, schema.items):
            return row
        if (table, key) not in self._more:
            what = table.name.removesuffix("s")
            shown = key.hex()[:12] if isinstance(key, bytes) else repr(key)
            start = "start_run" if what == "run" else f"put_{what}"
            raise StoreError(f"the store has no {what} {shown}; {start}() must come first")
        return {**row, **self._more[table, key]}

    def _place(self, place: VerdictSlot) -> dict[str, Any]:
        return {
            "here_benchmark_id": (place.benchmark, place.version),
            "here_judge_id": place.judge_key or NONE,
            "here_model_id": place.model_key,
            "here_opponent_id": place.opponent_key or NONE,
            "here_item_id": place.item_id,
            "here_shown": ORDERS.index(place.order),
            "here_sample": place.sample,
            "here_turn": place.turn,
            "here_repeat": place.repeat,
        }

    def _text(self, text: str | None) -> bytes | None:
        """The hash by which rows name the text, which is kept once; None where there is none."""
        if text is None:
            return None
        text = masked(text)  # which models and judges wrote: anything may be in it, also a key
        exact = text.encode("utf-8", "surrogatepass")
        sha = hashlib.sha256(exact).digest()
        if sha not in self._new.shas:
            self._new.shas.add(sha)
            body = readable(text)
            row = {"sha": sha, "body": body, "exact": None if body == text else exact}
            self._new.rows[_PUT[schema.texts]].append(row)
        return sha

    # who and what -------------------------------------------------------------------------------

    def put_model(
        self, name: str, spec: ModelSpec, tags: Mapping[str, str] = catalog.NOTHING
    ) -> bytes:
        """Returns the model's key. Name and tags are labels, of which the newest are shown."""
        key = keys.model_key(spec)
        self._more[schema.models, key] = {"short": key.hex()[:12], "spec": spec_json(spec)}
        self._alone(_NAME_MODEL, key)
        self._new.rows[_NAME_MODEL].append(
            {"here_model_id": key, "name": plain("the name", name), "tags": to_json(tags)}
        )
        return key

    def put_judge(self, name: str, spec: JudgeSpec) -> bytes:
        """Returns the judge's key."""
        key = keys.judge_key(spec)
        self._more[schema.judges, key] = {
            "short": key.hex()[:12],
            "kind": plain("the judge's kind", spec.kind),
            "official_prompt": spec.official_prompt,
            "spec": spec_json(spec),
        }
        self._alone(_NAME_JUDGE, key)
        self._new.rows[_NAME_JUDGE].append({"here_judge_id": key, "name": plain("the name", name)})
        return key

    def put_items(self, items: Sequence[Item]) -> None:
        """Raises `InputError` for an item whose question, references or category have changed.

        An item without turns is known by its id alone; it neither changes one that has them nor
        stands in the way of one that comes later.
        """
        for portion in chunks(items):
            known, rows = _known_items(self.flush(), portion), {}
            for item in portion:
                at = item.benchmark, item.version, item.id
                before, identity = known.get(at), _unchanged(item, known)
                if before and before.identity and identity is None:
                    continue
                content = self._text(item_json(item)) if identity else None
                category = None if item.category is None else plain("the category", item.category)
                known[at] = now = _Kept(category, identity, content)
                if now != before:
                    rows[at] = {"benchmark_id": at[:2], "called": item.id, **now._asdict()}
            self._new.rows[_PUT_ITEM] += rows.values()
        self.flush()

    # what was asked and answered ----------------------------------------------------------------

    def put_responses(self, responses: Mapping[bytes, Response], *, stand: bool = True) -> None:
        """Kept once for each key and stack, and at each place it answers; clears failures.

        Those that do not ``stand`` answer questions again on another stack than the answers that
        do, and are kept at no place: nothing but `answered_again` tells of them. An answer that
        comes later on that stack takes their place.
        """
        for key, response in responses.items():
            stack: Any = NONE
            if response.stack is not None:
                stack = keys.stack_key(response.stack)
                self._more[schema.stacks, stack] = {"stack": spec_json(response.stack)}
            this = {"key": key, "stack_id": stack}
            self._new.rows[_PUT[_r]].append(
                {
                    **this,
                    "status": response.status,
                    "text_sha": self._text(response.text),
                    "raw_sha": self._text(response.raw),
                    "reasoning_sha": self._text(response.reasoning),
                    "prompt_sha": self._text(response.prompt),
                    "finish_reason": word(response.finish_reason),
                    **dict(zip(TOKENS, tokens_of(response.usage), strict=True)),
                    "logprob": response.logprob,
                    "source": plain("the source", masked(response.source)),
                    "at": time.time(),
                }
            )
            if not stand:
                continue
            self._new.rows[_DROP_ANCHOR].append({**this})
            self._new.rows[_PUT_ANSWER].append(
                {
                    "benchmark_id": (response.benchmark, response.version),
                    "model_id": response.model_key,
                    "item_id": response.item_id,
                    "sample": response.sample,
                    "turn": response.turn,
                    **this,
                }
            )
            self._new.cleared.add(key)

    def put_reply(
        self,
        key: bytes,
        request: Request,
        reply: Reply,
        spend: Spend | None = None,
        asked: str | None = None,
    ) -> None:
        """The reply and what it took; ``asked`` is the canonical JSON of the request, if known.

        Of two replies to one question the first is kept, and both are paid for.
        """
        logprobs = None if reply.logprobs is None else logprobs_json(reply.logprobs)
        self._new.rows[_PUT[schema.replies]].append(
            {
                "key": key,
                "request_sha": self._text(asked or keys.canonical_json(request)),
                "text_sha": self._text(reply.text),
                "reasoning_sha": self._text(reply.reasoning),
                "logprobs_sha": self._text(logprobs),
                "finish_reason": word(reply.finish_reason),
                **dict(zip(TOKENS, tokens_of(reply.usage), strict=True)),
                "served_model": word(reply.served_model),
                "seconds": reply.seconds,
                "scores": None if reply.scores is None else to_json(reply.scores),
                "left_out": _names(reply.left_out) if reply.left_out else None,
                "at": time.time(),
            }
        )
        self._new.cleared.add(key)  # a line of a batch fails by this key
        if spend is not None:
            self.put_spend((spend,))

    def put_spend(self, spends: Sequence[Spend]) -> None:
        """Added to what was spent before: putting the same twice counts it twice.

        Raises `StoreError` for a run, model or judge that was never put.
        """
        for spend in spends:
            place, cost = spend.purpose.place, spend.cost_usd
            about = (
                spend.purpose.run_id,
                (place.benchmark, place.version),
                place.model_key,
                place.judge_key or NONE,
                HOWS.index(spend.how),
                word(spend.provider),
                word(spend.model),
            )
            priced = cost is not None and math.isfinite(cost)
            took = (
                spend.calls,
                0 if priced else spend.calls,
                *(tokens or 0 for tokens in tokens_of(spend.usage)),
                cost if cost is not None and priced else 0.0,
            )
            self._new.spent[about] = tuple(map(add, self._new.spent.get(about, _NOTHING), took))

    # what was judged ----------------------------------------------------------------------------

    def put_judgment(self, judgment: Judgment, uses: Sequence[RunVerdict]) -> None:
        """The judgment, where it serves, and that it no longer fails.

        Of two judgments with one key the first is kept. What is judged anew, as a label that a
        person gives again, must say so in its key.
        """
        verdict = store_verdict(judgment.verdict)
        label, reason = verdict.pop("label"), verdict.pop("reason")
        self._new.rows[_PUT[schema.judgments]].append(
            {
                "key": judgment.key,
                "judge_id": judgment.judge_key,
                "case_key": judgment.case_key,
                **verdict,
                "label_id": label,
                "reason_sha": self._text(reason),
                "served_id": word(judgment.served_model),
                "reply_keys": b"".join(judgment.reply_keys),
                "marks": _names(judgment.marks),
                "at": judgment.at,
            }
        )
        self._new.judged.add(judgment.key)
        self._new.cleared.add(judgment.key)
        self.put_uses(uses)

    def put_judgments(self, judgments: Sequence[tuple[Judgment, RunVerdict]]) -> None:
        """Many at once, each with the place it serves; as `put_judgment`."""
        for judgment, use in judgments:
            self.put_judgment(judgment, (use,))

    def put_uses(self, uses: Iterable[RunVerdict]) -> None:
        """Raises `StoreError` for a judgment that was never put."""
        now = time.time()
        for use in uses:
            self._alone(use.place)
            self._new.used.add(use.judgment_key)
            self._new.rows[_PUT_USE].append(
                {
                    **self._place(use.place),
                    "here_run_id": use.run_id,
                    "judgment_key": use.judgment_key,
                    "now": now,
                }
            )

    def put_failure(self, failure: Failure) -> None:
        """Kept for each key and place: the newest message, and the attempts added up."""
        if failure.key in self._new.cleared:
            self.flush()
        self._alone(failure.key, failure.place)
        nowhere = {f"here_{name}": NONE for name in PLACE}
        self._new.rows[_PUT_FAILURE].append(
            {
                "key": failure.key,
                "boundary": failure.boundary,
                "kind": failure.kind,
                "message_sha": self._text(failure.message),
                "retriable": failure.retriable,
                "attempts": failure.attempts,
                "at": failure.at,
                **(nowhere if failure.place is None else self._place(failure.place)),
            }
        )

    # runs and what is said of them ----------------------------------------------------------------

    def start_run(self, manifest: RunManifest) -> None:
        row = {
            "run_id": plain("the run id", manifest.id),
            "started": manifest.started,
            "state": manifest.state,
            "manifest": spec_json(manifest),
        }
        if self._insert(schema.runs, row) is None:
            raise StoreError(f"a run {manifest.id!r} was started before; give this one another id")

    def update_run(self, manifest: RunManifest) -> None:
        this = update(schema.runs).where(schema.runs.c.run_id == manifest.id)
        now = {"state": manifest.state, "manifest": spec_json(manifest)}
        if not self.flush().execute(this, now).rowcount:
            raise StoreError(f"the store has no run {manifest.id!r}; start_run() must come first")

    def put_batch(self, batch: Batch, requests: Mapping[bytes, Request]) -> None:
        """A batch that is about to be sent, with its questions by key.

        Raises `StoreError` for one whose id is there already.
        """
        row = {"batch_id": plain("the batch id", batch.id), **self._batch(batch)}
        number = self._insert(schema.batches, row)
        if number is None:
            raise StoreError(f"a batch {batch.id!r} is there already; give this one another id")
        for portion in chunks(requests.items()):
            rows = [
                {
                    "batch_id": number,
                    "key": key,
                    "kind": REQUESTS.index(type(request)),
                    "request_sha": self._text(keys.canonical_json(request)),
                    "purpose": None if request.purpose is None else purpose_json(request.purpose),
                }
                for key, request in portion
            ]
            self.flush().execute(insert(schema.batch_requests), rows)

    def update_batch(self, batch: Batch) -> None:
        """Everything that may have changed: its state, the provider's id, when and how it ended."""
        this = update(schema.batches).where(schema.batches.c.batch_id == batch.id)
        row = self._batch(batch)
        if not self.flush().execute(this.values(**row)).rowcount:
            raise StoreError(f"the store has no batch {batch.id!r}; put_batch() must come first")

    def _batch(self, batch: Batch) -> dict[str, Any]:
        remote = None if batch.remote_id is None else masked(batch.remote_id)
        return self._numbered(
            {
                "run_id": batch.run_id,
                "asker": plain("the asker", batch.asker),
                "provider": plain("the provider", batch.provider),
                "state": batch.state,
                "remote_id": remote and plain("the provider's id of a batch", remote),
                "requests": batch.requests,
                "created": batch.created,
                "ended": batch.ended,
                "note_sha": self._text(batch.note),
            }
        )

    def _insert(self, table: Table, row: Row) -> Any:
        """The number of a new row; None where there was one that is known by the same."""
        put = insert(table).on_conflict_do_nothing().returning(table.c.id)
        return self.flush().execute(put, row).scalar()

    def _put_last(self, table: Table, row: dict[str, Any]) -> Any:
        """As the last one of its table, which counts, where a clock was set back as well."""
        last = self.flush().execute(select(func.max(table.c.at))).scalar()
        return self._insert(table, {**self._numbered(row), "at": max(time.time(), last or 0.0)})

    def put_calibration(
        self,
        benchmark: str,
        version: str,
        *,
        judge: bytes,
        opponent: bytes,
        models: Sequence[str],
        content: JsonObject,
    ) -> StoredCalibration:
        """A calibration of length, for a judge's comparisons with one opponent.

        ``models`` are those that it was fitted on, by short id. The last one counts, and earlier
        ones stay; one that is the last already is not put again. Raises `StoreError` for a judge
        or opponent that was never put.
        """
        about = [benchmark, version, judge, opponent, list(models), content]
        key = keys.content_key("calibration", about)
        known = self.calibrations(benchmark, version, judge, opponent)
        if not known or known[-1].id != key.hex()[:12]:
            row = {
                "benchmark_id": (benchmark, version),
                "judge_id": judge,
                "opponent_id": opponent,
                "key": key,
                "models": json.dumps(list(models)),
                "content_sha": self._text(to_json(content)),
            }
            self._put_last(schema.calibrations, row)
        return self.calibrations(benchmark, version, judge, opponent)[-1]

    def put_baseline(
        self, name: str, benchmark: str, version: str, *, model: bytes, run_id: str | None = None
    ) -> StoredBaseline:
        """Which model goes by a name from now on, as the baseline of a benchmark.

        The last one counts, and earlier ones stay; one that is the last already is not put again.
        Raises `StoreError` for a model or run that was never put.
        """
        plain("the name", name)
        known = self.baselines(benchmark, version, name)
        if not known or (known[-1].model_key, known[-1].run_id) != (model, run_id):
            about = {"benchmark_id": (benchmark, version), "model_id": model, "run_id": run_id}
            self._put_last(schema.baselines, {"name": name, **about})
        return self.baselines(benchmark, version, name)[-1]

    def put_anchors(self, pinned: Sequence[tuple[VerdictSlot, bytes]]) -> StoredAnchors:
        """Pin what one judge said on one benchmark: places, and the keys of the judgments there.

        Of several sets of a judge and benchmark the last counts. Raises `StoreError` for places of
        several judges or benchmarks, and for a judgment that was never put.
        """
        (benchmark, version, judge), *others = {
            (place.benchmark, place.version, place.judge_key) for place, _ in pinned
        }
        if others:
            raise StoreError("anchors are of one judge on one benchmark")
        row = {"benchmark_id": (benchmark, version), "judge_id": judge}
        number = self._put_last(schema.anchors, row)
        for place, judgment in pinned:
            self._put_look(DriftCheck(anchors=number, occasion=PINNED, place=place), judgment)
        return next(one for one in self.anchors() if one.id == number)

    def put_looks(self, looks: Sequence[tuple[Judgment, DriftCheck]]) -> None:
        """What a judge says of anchors anew, on no board; the first look of an occasion is kept."""
        for judgment, look in looks:
            self.put_judgment(judgment, ())
            self._put_look(look, judgment.key)

    def _put_look(self, look: DriftCheck, judgment: bytes) -> None:
        self._new.used.add(judgment)
        place = self._numbered(self._place(look.place)).values()
        at = dict(zip(PLACE[2:], [*place][2:], strict=True))
        at |= self._numbered({"occasion_id": look.occasion or NONE})
        more = {"anchors_id": look.anchors, "judgment_key": judgment}
        _PUT_LOOK.execute(self.flush(), at | more)

    # what is read on the way --------------------------------------------------------------------

    @property
    def _database(self) -> Self:
        """What is read: this write itself, with what was put before."""
        return self

    def reading(self) -> AbstractContextManager[Connection]:
        return nullcontext(self.flush())

    def current_at(self, place: VerdictSlot) -> tuple[bytes, Verdict] | None:
        """What counts at one place now: what is put next follows it, whoever else writes.

        Raises `StoreError` for a model or judge that was never put.
        """
        at = self._numbered(self._place(place)).values()
        return current_at(self.flush(), dict(zip(PLACE, at, strict=True)))


# items ------------------------------------------------------------------------------------------


def check_items(connection: Connection, items: Iterable[Item]) -> None:
    """Raises as `Writing.put_items` would, all of them together, and writes nothing."""
    seen: _Items = {}
    for portion in chunks(items):
        for at, kept in _known_items(connection, portion).items():
            seen.setdefault(at, kept)
        for item in portion:
            if (identity := _unchanged(item, seen)) is not None:
                seen[item.benchmark, item.version, item.id] = _Kept(None, identity, None)


def _known_items(connection: Connection, items: Sequence[Item]) -> _Items:
    its = "benchmark.name benchmark.version item_id category identity content_sha"
    among = {
        "benchmark.name": {plain("the benchmark", one.benchmark) for one in items},
        "benchmark.version": {plain("the version", one.version) for one in items},
        "item_id": [plain("the item id", one.id) for one in items],
    }
    found = catalog.rows(connection, schema.items, its, among)
    return {(*row[:3],): _Kept(*row[3:]) for row in found}


def _unchanged(item: Item, known: _Items) -> bytes | None:
    """The hash of what may never change of an item; None for one that is known by its id alone."""
    if not item.turns:
        return None
    identity = keys.content_key("item", {"category": item.category, **question(item)})
    before = known.get((item.benchmark, item.version, item.id))
    if before is not None and before.identity not in (None, identity):
        raise InputError(
            f"item {item.id!r} of {item.benchmark}@{item.version} differs from the one in the"
            " store (its question, references or category); items of one version never change:"
            " name the changed ones as a new version"
        )
    return identity


# the thread that writes ---------------------------------------------------------------------------

GROUP = 1024
"""Entries of one commit at most."""

ROOM_S = 0.25
"""Between two tries while the disk is full, or the server is gone."""

LEAVING_S = 1.0
"""How long leaving waits for what is still to be written; what is paid for is in the journal."""

FORM = 1


@dataclass(slots=True, eq=False)
class Entry:
    """Something to be written, and the future of an event loop that is told what came of it."""

    work: Callable[[Writing], Any]
    done: Any
    paid: Paid | None = None
    value: Any = None
    error: BaseException | None = None


class Writer:
    """The thread, which begins with the first entry and has a connection of its own.

    ``idle`` is held while it writes: whoever writes beside it takes it. What is ``waiting`` is
    still to be written, in its order, and goes into the ``queue`` as well.
    """

    def __init__(self, another: Callable[[], Database], journal: Journal) -> None:
        self.another = another
        self.journal = journal
        self.idle = threading.Lock()
        self.waiting: dict[Entry, None] = {}
        self.queue: SimpleQueue[Entry | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Nothing is written by the thread inside."""
        if not self.idle.acquire(timeout=-1 if MAY_WAIT.get() else 0.05):
            raise StoreBusyError("the store is being written to")
        try:
            yield
        finally:
            self.idle.release()

    def close(self) -> None:
        """Write what is left; where that takes longer, keep what is paid for in the journal."""
        self.queue.put(None)
        self._thread.join(LEAVING_S)
        self.journal.keep(self.paid())  # none, where the thread came to its end

    def paid(self) -> list[Paid]:
        """Of what waits, what is paid for."""
        return [entry.paid for entry in list(self.waiting) if entry.paid is not None]

    def _run(self) -> None:
        database, numbers, goes_on = None, Numbers(), True
        with ExitStack() as opened:
            while goes_on:
                came = [self.queue.get()]
                with suppress(Empty):
                    while len(came) < GROUP:
                        came.append(self.queue.get_nowait())
                group = [entry for entry in came if entry is not None]
                goes_on = len(group) == len(came)
                if not group:
                    return
                try:
                    if database is None:
                        database = opened.enter_context(closing(self.another()))
                        database.on_wait, database.beside = self._waits, self.idle
                    self._commit(database, numbers, group)
                except BaseException as error:  # noqa: BLE001 - who waits for it is told
                    for entry in group:
                        entry.error = entry.error or error
                    self._keep_paid()
                for entry in group:
                    del self.waiting[entry]
                for loop in {entry.done.get_loop() for entry in group}:
                    its = [entry for entry in group if entry.done.get_loop() is loop]
                    with suppress(RuntimeError):  # it has ended, and waits for nothing
                        loop.call_soon_threadsafe(_deliver, its)

    def _waits(self, seconds: float) -> str:
        """Somebody else holds the store: what is said of those that wait."""
        if seconds >= Waiting.SAID_AFTER_S:
            self._keep_paid()
        return f"{len(self.waiting)} to be stored, none is lost meanwhile"

    def _keep_paid(self) -> None:
        with suppress(StoreError):  # where that is full as well it is still held, and waits
            self.journal.keep(self.paid())

    def _commit(self, database: Database, numbers: Numbers, group: list[Entry]) -> None:
        """All of them, or each by itself where one of them cannot be written."""
        waiting = None
        while True:
            try:
                with ExitStack() as held:
                    begin = partial(held.enter_context, database.writing())
                    writing = Writing(begin, numbers)
                    for entry in group:  # which makes rows of values; others write meanwhile
                        entry.value = entry.work(writing)
                    writing.flush()
            except BaseException as error:  # noqa: BLE001 - it is told to whom it is due
                numbers.clear()
                if isinstance(error, StoreGoneError) or getattr(error, "again", False):
                    waiting = waiting or Waiting()
                    waiting.goes_on(f"{error}; {self._waits(waiting.seconds)}")
                    time.sleep(ROOM_S)
                    continue
                if len(group) > 1:
                    for entry in group:
                        self._commit(database, numbers, [entry])
                    return
                group[0].error = error
                if group[0].paid is not None and isinstance(error, StoreError):
                    with suppress(StoreError):  # what is told is why the store cannot be written
                        self.journal.keep([group[0].paid])
                return
            if self.journal.file is not None:
                self.journal.stored(group)
            return


def _deliver(entries: list[Entry]) -> None:
    """In the event loop of those that wait."""
    for entry in entries:
        if entry.done.done():  # who waited for it was cancelled
            continue
        if entry.error is None:
            entry.done.set_result(entry.value)
        elif isinstance(entry.error, StopIteration):  # which no future takes
            entry.done.set_exception(RuntimeError(f"StopIteration: {entry.error}"))
        else:
            entry.done.set_exception(entry.error)


@dataclass(slots=True, eq=False)
class Journal:
    """Replies that are paid for and not stored yet, in a ``file`` of this process, if any.

    It goes away when all that it holds is stored. The next opening of the store takes in what other
    processes have left; a reply that the store has by then is not counted twice.
    """

    place: Path
    store_id: str
    file: FileIO | None = None
    _kept: set[bytes] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def path(self) -> Path | None:
        """Where it is, while there is one."""
        return None if self.file is None else Path(self.file.name)

    def keep(self, paid: Sequence[Paid]) -> None:
        """Raises `StoreError` where it cannot be written either."""
        with self._lock:
            new = [one for one in paid if one.key not in self._kept]
            if not new:
                return
            try:
                self._add("".join(map(_line, new)).encode())
            except OSError as error:
                raise StoreError(
                    f"{len(new)} replies that are paid for could not be kept in {self.place}-paid "
                    f"either ({error.strerror}); make room"
                ) from error
            self._kept |= {one.key for one in new}

    def _add(self, lines: bytes) -> None:
        """All of them, or none: what was cut is taken back, and one that is empty goes."""
        if self.file is None:
            self.place.parent.mkdir(parents=True, exist_ok=True)
            path = self.place.with_name(f"{self.place.name}-paid-{uuid.uuid4().hex[:12]}")
            file = path.open("xb", buffering=0)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)  # while we live, nobody else takes it in
            except OSError:
                file.close()
                raise
            self.file = file
        file = self.file
        end = os.fstat(file.fileno()).st_size
        try:
            if not end:
                head = to_json({"judgebench_journal": FORM, "store": self.store_id})
                lines = f"{head}\n".encode() + lines
            while lines:
                lines = lines[file.write(lines) :]
            os.fsync(file.fileno())
        except OSError:
            file.seek(end)
            file.truncate()
            raise

    def stored(self, entries: Sequence[Entry]) -> None:
        """These are in the store now."""
        with self._lock:
            self._kept -= {entry.paid.key for entry in entries if entry.paid is not None}
            if self.file is not None and not self._kept:
                Path(self.file.name).unlink(missing_ok=True)
                self.file.close()
                self.file = None

    def left(self) -> Iterator[tuple[Path, list[Paid]]]:
        """What others have left, each file while it is held; a file that was taken in is removed.

        Raises
        ------
        StoreError
            For a file that is none of ours, or another store's: it is left as it is.
        """
        for path in sorted(self.place.parent.glob(f"{escape(self.place.name)}-paid-*")):
            with suppress(FileNotFoundError), path.open(encoding="utf-8") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:  # its process lives
                    continue
                if os.fstat(file.fileno()).st_size:  # one that is empty is just begun, or was never
                    yield path, self._read(path, file)
                elif time.time() - os.fstat(file.fileno()).st_mtime < 60:
                    continue
                path.unlink(missing_ok=True)

    def _read(self, path: Path, file: TextIO) -> list[Paid]:
        try:
            head = json.loads(file.readline() or "{}")
            if head.get("judgebench_journal") != FORM:
                raise ValueError("it does not begin as one of ours does")
            lines = [line for line in file if line.endswith("\n")]  # the last one may be cut
            paid = [_paid(json.loads(line)) for line in lines]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{path} cannot be read as a journal of replies ({error}); it was left as it is: "
                "move it away to go on without what is in it"
            ) from error
        if head.get("store") != self.store_id:
            raise StoreError(
                f"{path} holds {len(paid)} replies of another store; it was left as it is: move it "
                "to where that store is, and open that one"
            )
        return paid


def _line(paid: Paid) -> str:
    said = asdict(paid.reply)
    del said["key"]  # stands before it
    if said["logprobs"] is not None:  # without the tokens of a key, of which none is one by itself
        hidden = masked_tokens(token["token"] for token in said["logprobs"])
        said["logprobs"] = None if any(hidden) else said["logprobs"]
    spend = paid.spend
    row = {
        "key": paid.key.hex(),
        "kind": REQUESTS.index(type(paid.request)),
        "request": keys.canonical_json(paid.request),
        "reply": said,
        "spend": None
        if spend is None
        else {
            "purpose": purpose_json(spend.purpose),
            "usage": asdict(spend.usage),
            **{name: getattr(spend, name) for name in _SPENT},
        },
    }
    return masked(to_json(row)) + "\n"


_SPENT = ("how", "provider", "model", "cost_usd", "calls")


def _paid(row: dict[str, Any]) -> Paid:
    said, spend = row["reply"], row["spend"]
    if said["logprobs"] is not None:
        said["logprobs"] = tuple(
            TokenLogprob(**{**token, "top": tuple(map(tuple, token["top"]))})
            for token in said["logprobs"]
        )
    if said["scores"] is not None:
        said["scores"] = tuple(said["scores"])
    said |= {"usage": Usage(**said["usage"]), "left_out": tuple(said["left_out"])}
    request: Request = read_request(row["kind"], row["request"], None)
    return Paid(
        key=bytes.fromhex(row["key"]),
        request=request,
        reply=Reply(**said),
        spend=None
        if spend is None
        else Spend(
            purpose=read_purpose(spend["purpose"]),
            usage=Usage(**spend["usage"]),
            **{name: spend[name] for name in _SPENT},
        ),
    )
