"""Rows in: what is put together is one commit."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from operator import add
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, Double, Table, bindparam, delete, func, select, update

from judgebench import keys
from judgebench.errors import InputError, StoreError
from judgebench.records import (
    Batch,
    Failure,
    How,
    Item,
    JsonObject,
    JudgeSpec,
    Judgment,
    Look,
    ModelSpec,
    Place,
    Reply,
    Request,
    Response,
    RunManifest,
    Spend,
    Stack,
    Use,
    Verdict,
)
from judgebench.secret import masked
from judgebench.store import schema
from judgebench.store.codec import (
    HOWS,
    ORDERS,
    REQUESTS,
    TOKENS,
    item_json,
    logprobs_json,
    messages,
    plain,
    purpose_json,
    readable,
    spec_json,
    store_text,
    store_verdict,
    to_json,
    usage_columns,
    word,
)
from judgebench.store.database import CHUNK, Prepared, Row, chunks, insert, pipelined
from judgebench.store.read import (
    COUNTERS,
    PINNED,
    Asked,
    StoredAnchors,
    StoredBaseline,
    StoredCalibration,
)
from judgebench.store.schema import NONE, PLACE

MOST = 50_000
"""Integers remembered at most, about 10 MB; looking one up again takes some 20 µs."""

_NO_TAGS: Mapping[str, str] = MappingProxyType({})
_STEP_S = 1e-6  # what a double can tell apart at the seconds of this century
_NOWHERE = dict.fromkeys(PLACE, NONE)

_u, _r, _s = schema.uses.c, schema.responses, schema.spend


def _known_by(key: Mapping[str, Any], table: Table) -> Any:
    """The number of the row that has this key; parameters by the names of its columns."""
    return select(table.c.id).where(
        *(table.c[name] == bindparam(f"{as_}") for name, as_ in key.items())
    )


_PUT_TEXT = Prepared(insert(schema.texts).on_conflict_do_nothing())
_PUT_REPLY = Prepared(insert(schema.replies).on_conflict_do_nothing())
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
_PUT_RESPONSE = Prepared(insert(_r).on_conflict_do_nothing())
_response = _known_by({"key": "key", "stack_id": "stack_id"}, _r).scalar_subquery()
_PUT_ANSWER = Prepared(
    insert(schema.answers).values(response_id=_response).on_conflict_do_nothing()
)
_PUT_JUDGMENT = Prepared(insert(schema.judgments).on_conflict_do_nothing())
_FIND_JUDGMENT = Prepared(_known_by({"key": "key"}, schema.judgments))
# The clock may have been set back since a place was used: what is used now is newer all the same.
_AFTER_THE_LAST = (
    select(func.max(_u.used_at) + _STEP_S)
    .where(*(_u[name] == bindparam(f"here_{name}", type_=_u[name].type) for name in PLACE))
    .where(_u.used_at >= bindparam("now", type_=Double()))
    .scalar_subquery()
)
_judgment = _known_by({"key": "judgment_key"}, schema.judgments).scalar_subquery()
_PUT_USE = Prepared(
    insert(schema.uses)
    .values(
        judgment_id=_judgment,
        used_at=func.coalesce(_AFTER_THE_LAST, bindparam("now", type_=Double())),
    )
    .on_conflict_do_nothing()
)
_CLEAR_FAILURE = Prepared(
    delete(schema.failures).where(schema.failures.c.key == bindparam("cleared"))
)
_ADD = insert(_s)
_PUT_SPEND = Prepared(
    _ADD.on_conflict_do_update(
        index_elements=[column.name for column in _s.primary_key],
        set_={name: _s.c[name] + _ADD.excluded[name] for name in COUNTERS},
    )
)
_SPEND = (*(column.name for column in _s.primary_key), *COUNTERS)
_NOTHING = (0,) * len(COUNTERS)
_GATHERED = (
    _PUT_TEXT, _PUT_REPLY, _DROP_ANCHOR, _PUT_RESPONSE, _PUT_ANSWER, _PUT_JUDGMENT, _PUT_USE,
    _CLEAR_FAILURE, _PUT_SPEND,
)  # fmt: skip
"""In the order in which they are written: rows come after what they name."""

_PUT_FAILURE = insert(schema.failures)
_PUT_FAILURE = _PUT_FAILURE.on_conflict_do_update(
    index_elements=[column.name for column in schema.failures.primary_key],
    set_={
        column.name: _PUT_FAILURE.excluded[column.name]
        for column in schema.failures.c
        if not column.primary_key
    }
    | {"attempts": schema.failures.c.attempts + _PUT_FAILURE.excluded.attempts},
)
_i = schema.items.c
_KNOWN_ITEMS = select(_i.item_id, _i.category, _i.identity, _i.content_sha).where(
    _i.benchmark_id == bindparam("benchmark_id"),
    _i.item_id.in_(bindparam("item_ids", expanding=True)),
)
_PUT_ITEM = insert(schema.items)
_PUT_ITEM = _PUT_ITEM.on_conflict_do_update(
    index_elements=["benchmark_id", "item_id"],
    set_={name: _PUT_ITEM.excluded[name] for name in ("category", "identity", "content_sha")},
)
_UNIQUE = {
    schema.names: ("name",),
    schema.benchmarks: ("name", "version"),
    schema.items: ("benchmark_id", "item_id"),
    schema.stacks: ("key",),
    schema.models: ("key",),
    schema.judges: ("key",),
    schema.runs: ("run_id",),
}
_CALLED = {
    ("names", "name"): "the name",
    ("benchmarks", "name"): "the benchmark",
    ("benchmarks", "version"): "the version",
    ("items", "item_id"): "the item id",
    ("runs", "run_id"): "the run id",
}
_FIND = {t: Prepared(_known_by({n: n for n in names}, t)) for t, names in _UNIQUE.items()}
_ADD_TO = {t: Prepared(insert(t).returning(t.c.id)) for t in _UNIQUE}


class _Kept(NamedTuple):
    """What the store has of an item; without an identity it is known by its id alone."""

    category: str | None
    identity: bytes | None
    content_sha: bytes | None


class Writing(Asked):
    """One write of the database, from its beginning to its commit.

    Rows of the tables that every call writes to are gathered and written together, at the end or
    when something is read (`flush`). Numbers that stand for keys and names are remembered in
    ``numbers``: nothing is ever deleted from the tables behind them, so what is remembered stays
    true, except for what a write had added that was rolled back.
    """

    def __init__(self, connection: Connection, numbers: dict[Any, int]) -> None:
        self._connection = connection
        self._numbers = numbers
        self._rows: dict[Prepared, list[Row]] = {statement: [] for statement in _GATHERED}
        self._shas: set[bytes] = set()
        self._judged: set[bytes] = set()
        self._used: set[tuple[int, ...]] = set()
        self._boards: dict[tuple[Any, ...], tuple[int, int, int, int]] = {}
        self._spent: dict[tuple[int, ...], tuple[float, ...]] = {}
        self._spenders: dict[tuple[Any, ...], tuple[int, ...]] = {}

    def flush(self) -> Connection:
        """Write what was gathered; what is executed next sees it."""
        self._rows[_PUT_SPEND] = [
            dict(zip(_SPEND, (*key, *counters), strict=True))
            for key, counters in self._spent.items()
        ]
        used = self._rows[_PUT_USE]
        with pipelined(self._connection):
            for statement in _GATHERED:
                if rows := self._rows[statement]:
                    self._rows[statement] = []
                    statement.put_all(self._connection, rows)
        if used:
            from judgebench.store import columns  # numpy, which many commands do without

            columns.put_tails(self._connection, used)
        for gathered in (self._shas, self._judged, self._used, self._spent):
            gathered.clear()
        return self._connection

    # numbers for keys and names -----------------------------------------------------------------

    def _number(self, table: Table, *key: Any, more: Row | None = None) -> int:
        """The number of a key, which is added with ``more`` where it is not there yet."""
        known = (table.name, *key)
        found = self._numbers.get(known)
        if found is None:
            for name, value in zip(_UNIQUE[table], key, strict=True):
                if isinstance(value, str):
                    plain(_CALLED[table.name, name], value)
            row = dict(zip(_UNIQUE[table], key, strict=True))
            there = _FIND[table].first(self._connection, row)
            if there is None and more is not None:
                there = _ADD_TO[table].first(self._connection, {**row, **more})
            if there is None:
                what = table.name.removesuffix("s")
                shown = key[0].hex()[:12] if isinstance(key[0], bytes) else repr(key[0])
                start = "start_run" if what == "run" else f"put_{what}"
                raise StoreError(f"the store has no {what} {shown}; {start}() must come first")
            if len(self._numbers) >= MOST:
                self._numbers.clear()
            found = self._numbers[known] = int(there[0])
        return found

    def _name(self, name: str) -> int:
        return self._number(schema.names, name, more={})

    def _benchmark(self, name: str, version: str) -> int:
        return self._number(schema.benchmarks, name, version, more={})

    def _item(self, benchmark: int, item_id: str) -> int:
        """An item that was never put is known by its id alone; its content may come later."""
        return self._number(schema.items, benchmark, item_id, more={})

    def _place(self, place: Place) -> dict[str, int]:
        """The coordinates of a use; an unknown model or judge is refused."""
        opponent, judge = place.opponent_key, place.judge_key
        about = (place.benchmark, place.version, judge, place.model_key, opponent)
        board = self._boards.get(about)
        if board is None:
            board = self._boards[about] = (
                self._benchmark(place.benchmark, place.version),
                self._number(schema.judges, judge) if judge else NONE,
                self._number(schema.models, place.model_key),
                NONE if opponent is None else self._number(schema.models, opponent),
            )
        return {
            "benchmark_id": board[0],
            "judge_id": board[1],
            "model_id": board[2],
            "opponent_id": board[3],
            "item_id": self._item(board[0], place.item_id),
            "shown": ORDERS.index(place.order),
            "sample": place.sample,
            "turn": place.turn,
            "repeat": place.repeat,
        }

    def _text(self, text: str) -> bytes:
        """Returns the hash by which rows name the text; long text is kept once."""
        row = store_text(text)
        sha: bytes = row["sha"]
        if sha not in self._shas:
            self._shas.add(sha)
            self._rows[_PUT_TEXT].append(row)
        return sha

    def _optional(self, text: str | None) -> bytes | None:
        return None if text is None else self._text(text)

    # who and what -------------------------------------------------------------------------------

    def put_model(self, name: str, spec: ModelSpec, tags: Mapping[str, str] = _NO_TAGS) -> bytes:
        """Returns the model's key. Name and tags are labels, of which the newest are shown."""
        key = keys.model_key(spec)
        more = {"short": key.hex()[:12], "spec": spec_json(spec)}
        number = self._number(schema.models, key, more=more)
        self._put_name(schema.model_names, "model_id", number, name, {"tags": to_json(tags)})
        return key

    def put_judge(self, name: str, spec: JudgeSpec) -> bytes:
        """Returns the judge's key."""
        key = keys.judge_key(spec)
        more = {
            "short": key.hex()[:12],
            "kind": plain("the judge's kind", spec.kind),
            "official_prompt": spec.official_prompt,
            "spec": spec_json(spec),
        }
        number = self._number(schema.judges, key, more=more)
        self._put_name(schema.judge_names, "judge_id", number, name, {})
        return key

    def _put_name(
        self, table: Table, owner: str, number: int, name: str, more: dict[str, str]
    ) -> None:
        """The newest name counts; naming it so again changes nothing."""
        row: dict[str, Any] = {owner: number, "name": plain("the name", name), **more}
        columns = [table.c[column] for column in row]
        newest = select(*columns, table.c.newest).where(table.c[owner] == number)
        current = self._connection.execute(newest.order_by(table.c.newest.desc())).first()
        if current is not None and tuple(current[:-1]) == tuple(row.values()):
            return
        row["newest"] = 1 + (current.newest if current else 0)
        self._connection.execute(
            insert(table).on_conflict_do_update(
                index_elements=[owner, "name"], set_={**more, "newest": row["newest"]}
            ),
            row,
        )

    def put_items(self, items: Sequence[Item]) -> None:
        """Raises `InputError` for an item whose question, references or category have changed.

        An item without turns is known by its id alone; it neither changes one that has them nor
        stands in the way of one that comes later.
        """
        for portion in chunks(items):
            of_benchmark: dict[int, list[Item]] = {}
            for item in portion:
                at = self._benchmark(item.benchmark, item.version)
                of_benchmark.setdefault(at, []).append(item)
            for at, some in of_benchmark.items():
                self._put_some_items(at, some)

    def _put_some_items(self, benchmark: int, items: Sequence[Item]) -> None:
        known, rows = _known_items(self._connection, benchmark, items), []
        for item in items:
            before, identity = known.get(item.id), _identity(item)
            if before and before.identity and identity is None:
                continue
            if identity is not None:
                _refuse_changed(item, identity, before.identity if before else None)
            content = self._text(item_json(item)) if identity else None
            category = None if item.category is None else plain("the category", item.category)
            now = _Kept(category, identity, content)
            if now == before:
                continue
            rows.append({"benchmark_id": benchmark, "item_id": item.id, **now._asdict()})
            known[item.id] = now
        if rows:
            self.flush().execute(_PUT_ITEM, rows)

    # what was asked and answered ----------------------------------------------------------------

    def put_responses(self, responses: Mapping[bytes, Response]) -> None:
        """Kept once for each key and stack, and at each place it answers; clears failures."""
        for key, response in responses.items():
            row = self._response(key, response)
            this = {name: row[name] for name in ("key", "stack_id")}
            benchmark = self._benchmark(response.benchmark, response.version)
            self._rows[_DROP_ANCHOR].append(this)
            self._rows[_PUT_RESPONSE].append(row)
            self._rows[_PUT_ANSWER].append(
                {
                    "benchmark_id": benchmark,
                    "model_id": self._number(schema.models, response.model_key),
                    "item_id": self._item(benchmark, response.item_id),
                    "sample": response.sample,
                    "turn": response.turn,
                    **this,
                }
            )
            self._rows[_CLEAR_FAILURE].append({"cleared": key})

    def put_stack_anchors(self, responses: Mapping[bytes, Response]) -> None:
        """Questions answered again on another stack than the answers that stand.

        Kept once for each key and stack, and at no place: nothing but `answered_again` tells of
        them. An answer that comes later on that stack takes their place.
        """
        for key, response in responses.items():
            self._rows[_PUT_RESPONSE].append(self._response(key, response))

    def _response(self, key: bytes, response: Response) -> dict[str, Any]:
        stack = response.stack
        return {
            "key": key,
            "stack_id": NONE if stack is None else self._stack(stack),
            "status": response.status,
            "text_sha": self._text(response.text),
            "raw_sha": self._text(response.raw),
            "reasoning_sha": self._optional(response.reasoning),
            "prompt_sha": self._optional(response.prompt),
            "finish_reason": word(response.finish_reason),
            **usage_columns(response.usage),
            "logprob": response.logprob,
            "source": plain("the source", masked(response.source)),
            "at": time.time(),
        }

    def _stack(self, stack: Stack) -> int:
        key = keys.stack_key(stack)
        return self._number(schema.stacks, key, more={"stack": spec_json(stack)})

    def put_reply(
        self, key: bytes, request: Request, reply: Reply, spend: Spend | None = None
    ) -> None:
        """The reply and what it took.

        Of two replies to one question the first is kept, and both are paid for.
        """
        logprobs = None if reply.logprobs is None else logprobs_json(reply.logprobs)
        self._rows[_PUT_REPLY].append(
            {
                "key": key,
                "request_sha": self._text(keys.canonical_json(request)),
                "text_sha": self._text(reply.text),
                "reasoning_sha": self._optional(reply.reasoning),
                "logprobs_sha": self._optional(logprobs),
                "finish_reason": word(reply.finish_reason),
                **usage_columns(reply.usage),
                "served_model": word(reply.served_model),
                "seconds": reply.seconds,
                "scores": None if reply.scores is None else to_json(reply.scores),
                "left_out": to_json(reply.left_out) if reply.left_out else None,
                "at": time.time(),
            }
        )
        self._rows[_CLEAR_FAILURE].append({"cleared": key})  # a line of a batch fails by this key
        if spend is not None:
            self.put_spend((spend,))

    def put_spend(self, spends: Sequence[Spend]) -> None:
        """Added to what was spent before: putting the same twice counts it twice.

        Raises `StoreError` for a run, model or judge that was never put.
        """
        for spend in spends:
            place, cost = spend.purpose.place, spend.cost_usd
            priced = cost is not None and math.isfinite(cost)
            about = (
                spend.purpose.run_id, place.benchmark, place.version, place.model_key,
                place.judge_key, spend.how, spend.provider, spend.model,
            )  # fmt: skip
            key = self._spenders.get(about) or self._spender(*about)
            took = (
                spend.calls,
                0 if priced else spend.calls,
                *(getattr(spend.usage, name) or 0 for name in TOKENS),
                cost if cost is not None and priced else 0.0,
            )
            before = self._spent.get(key, _NOTHING)
            self._spent[key] = tuple(map(add, before, took))

    def _spender(
        self, run: str, benchmark: str, version: str, model: bytes, judge: bytes, how: How,
        provider: str, requested: str,
    ) -> tuple[int, ...]:  # fmt: skip
        """The row to which what calls took is added."""
        about = run, benchmark, version, model, judge, how, provider, requested
        self._spenders[about] = key = (
            self._number(schema.runs, run),
            self._benchmark(benchmark, version),
            self._number(schema.models, model),
            self._number(schema.judges, judge) if judge else NONE,
            HOWS.index(how),
            self._name(readable(provider)),
            self._name(readable(requested)),
        )
        return key

    # what was judged ----------------------------------------------------------------------------

    def put_judgment(self, judgment: Judgment, uses: Sequence[Use]) -> None:
        """The judgment, where it serves, and that it no longer fails.

        Of two judgments with one key the first is kept. What is judged anew, as a label that a
        person gives again, must say so in its key.
        """
        verdict, served = store_verdict(judgment.verdict), word(judgment.served_model)
        label, reason = verdict.pop("label"), verdict.pop("reason")
        self._rows[_PUT_JUDGMENT].append(
            {
                "key": judgment.key,
                "judge_id": self._number(schema.judges, judgment.judge_key),
                "case_key": judgment.case_key,
                **verdict,
                "label_id": None if label is None else self._name(label),
                "reason_sha": self._optional(reason),
                "served_id": None if served is None else self._name(served),
                "reply_keys": b"".join(judgment.reply_keys),
                "marks": to_json(judgment.marks),
                "at": judgment.at,
            }
        )
        self._judged.add(judgment.key)
        self._rows[_CLEAR_FAILURE].append({"cleared": judgment.key})
        self.put_uses(uses)

    def put_judgments(self, judgments: Sequence[tuple[Judgment, Use]]) -> None:
        """Many at once, each with the place it serves; as `put_judgment`."""
        for judgment, use in judgments:
            self.put_judgment(judgment, (use,))

    def put_uses(self, uses: Iterable[Use]) -> None:
        """Raises `StoreError` for a judgment that was never put."""
        now = time.time()
        for use in uses:
            if use.judgment_key not in self._judged:
                self._judgment(use.judgment_key)
                self._judged.add(use.judgment_key)
            place = self._place(use.place)
            if (at := tuple(place.values())) in self._used:  # what follows must see it
                self.flush()
            self._used.add(at)
            self._rows[_PUT_USE].append(
                {
                    **place,
                    **{f"here_{name}": place[name] for name in PLACE},
                    "run_id": self._number(schema.runs, use.run_id),
                    "judgment_key": use.judgment_key,
                    "now": now,
                }
            )

    def _judgment(self, key: bytes) -> int:
        """The integer of a judgment, which has to be there."""
        found = _FIND_JUDGMENT.first(self._connection, {"key": key})
        if found is None:
            raise StoreError(
                f"the store has no judgment {key.hex()[:12]}; put_judgment() must come before"
            )
        return int(found[0])

    def put_failure(self, failure: Failure) -> None:
        """Kept for each key and place: the newest message, and the attempts added up."""
        place = _NOWHERE if failure.place is None else self._place(failure.place)
        row = {
            "key": failure.key,
            "boundary": failure.boundary,
            "kind": failure.kind,
            "message_sha": self._text(failure.message),
            "retriable": failure.retriable,
            "attempts": failure.attempts,
            "at": failure.at,
            **place,
        }
        self.flush().execute(_PUT_FAILURE, row)

    # runs and what is said of them ----------------------------------------------------------------

    def start_run(self, manifest: RunManifest) -> None:
        row = {"run_id": plain("the run id", manifest.id), **_run_columns(manifest)}
        put = insert(schema.runs).on_conflict_do_nothing().returning(schema.runs.c.id)
        if self._connection.execute(put, row).first() is None:
            raise StoreError(f"a run {manifest.id!r} was started before; give this one another id")

    def update_run(self, manifest: RunManifest) -> None:
        this = update(schema.runs).where(schema.runs.c.run_id == manifest.id)
        if not self._connection.execute(this.values(**_run_columns(manifest))).rowcount:
            raise StoreError(f"the store has no run {manifest.id!r}; start_run() must come first")

    def put_batch(self, batch: Batch, requests: Mapping[bytes, Request]) -> None:
        """A batch that is about to be sent, with its questions by key.

        Raises `StoreError` for one whose id is there already.
        """
        row = {"batch_id": plain("the batch id", batch.id), **self._batch(batch)}
        put = insert(schema.batches).on_conflict_do_nothing().returning(schema.batches.c.id)
        number = self.flush().execute(put, row).scalar()
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
        return {
            "run_id": self._number(schema.runs, batch.run_id),
            "asker": plain("the asker", batch.asker),
            "provider": plain("the provider", batch.provider),
            "state": batch.state,
            "remote_id": None if remote is None else plain("the provider's id of a batch", remote),
            "requests": batch.requests,
            "created": batch.created,
            "ended": batch.ended,
            "note_sha": self._text(batch.note),
        }

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
        place = {
            "benchmark_id": self._benchmark(benchmark, version),
            "judge_id": self._number(schema.judges, judge),
            "opponent_id": self._number(schema.models, opponent),
        }
        its = schema.calibrations.c
        last = select(its.key).where(*(its[name] == number for name, number in place.items()))
        newest = last.order_by(its.at.desc(), its.id.desc()).limit(1)
        if self._connection.execute(newest).scalar() != key:
            more = {
                "key": key,
                "models": json.dumps(list(models)),
                "content_sha": self._text(to_json(content)),
                "at": self._now(schema.calibrations),
            }
            self.flush().execute(insert(schema.calibrations), {**place, **more})
        return next(
            one
            for one in reversed(self.calibrations(benchmark, version))
            if (one.judge_key, one.opponent_key) == (judge, opponent)
        )

    def put_baseline(
        self, name: str, benchmark: str, version: str, *, model: bytes, run_id: str | None = None
    ) -> StoredBaseline:
        """Which model goes by a name from now on, as the baseline of a benchmark.

        The last one counts, and earlier ones stay; one that is the last already is not put again.
        Raises `StoreError` for a model or run that was never put.
        """
        last = self._baseline(name, benchmark, version)
        if last is not None and (last.model_key, last.run_id) == (model, run_id):
            return last
        row = {
            "name": plain("the name", name),
            "benchmark_id": self._benchmark(benchmark, version),
            "model_id": self._number(schema.models, model),
            "run_id": None if run_id is None else self._number(schema.runs, run_id),
            "at": self._now(schema.baselines),
        }
        self._connection.execute(insert(schema.baselines), row)
        found = self._baseline(name, benchmark, version)
        assert found is not None
        return found

    def _now(self, table: Table) -> float:
        """Before no row of the table: the last one counts, and a clock may be set back."""
        last = self._connection.execute(select(func.max(table.c.at))).scalar()
        return max(time.time(), last or 0.0)

    def _baseline(self, *wanted: str) -> StoredBaseline | None:
        known = self.baselines()
        its = [one for one in known if (one.name, one.benchmark, one.version) == wanted]
        return its[-1] if its else None

    def put_anchors(self, pinned: Sequence[tuple[Place, bytes]]) -> StoredAnchors:
        """Pin what one judge said on one benchmark: places, and the keys of the judgments there.

        Of several sets of a judge and benchmark the last counts. Raises `StoreError` for places of
        several judges or benchmarks, and for a judgment that was never put.
        """
        (benchmark, version, judge), *others = {
            (place.benchmark, place.version, place.judge_key) for place, _ in pinned
        }
        if others:
            raise StoreError("anchors are of one judge on one benchmark")
        row = {
            "benchmark_id": self._benchmark(benchmark, version),
            "judge_id": self._number(schema.judges, judge),
            "at": self._now(schema.anchors),
        }
        put = insert(schema.anchors).returning(schema.anchors.c.id)
        number = self.flush().execute(put, row).scalar_one()
        for place, judgment in pinned:
            self._put_look(Look(anchors=number, occasion=PINNED, place=place), judgment)
        return next(one for one in self.anchors() if one.id == number)

    def put_looks(self, looks: Sequence[tuple[Judgment, Look]]) -> None:
        """What a judge says of anchors anew, on no board; the first look of an occasion is kept."""
        for judgment, look in looks:
            self.put_judgment(judgment, ())
            self._put_look(look, judgment.key)

    def _put_look(self, look: Look, judgment: bytes) -> None:
        place = self._place(look.place)
        named = ("model_id", "opponent_id", "item_id", "shown", "sample", "turn")
        row = {name: place[name] for name in named} | {
            "anchors_id": look.anchors,
            "occasion_id": self._name(look.occasion) if look.occasion else NONE,
        }
        put = insert(schema.looks).on_conflict_do_nothing()
        self.flush().execute(put, {**row, "judgment_id": self._judgment(judgment)})

    # what is read on the way --------------------------------------------------------------------

    def _read(self, query: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """With what was put before."""
        return query(self.flush(), *args, **kwargs)

    def current_at(self, place: Place) -> tuple[bytes, Verdict] | None:
        """What counts at one place now: what is put next follows it, whoever else writes.

        Raises `StoreError` for a model or judge that was never put.
        """
        from judgebench.store import columns

        return columns.current_at(self.flush(), self._place(place))


def _run_columns(manifest: RunManifest) -> dict[str, Any]:
    return {
        "started": manifest.started,
        "state": manifest.state,
        "manifest": spec_json(manifest),
    }


# items ------------------------------------------------------------------------------------------


def check_items(connection: Connection, items: Iterable[Item]) -> None:
    """Raises as `Writing.put_items` would, all of them together, and writes nothing."""
    identities: dict[tuple[str, str, str], bytes] = {}
    benchmarks = dict[tuple[str, str], int | None]()
    rest = iter(items)
    while portion := list(islice(rest, CHUNK)):
        of_benchmark: dict[tuple[str, str], list[Item]] = {}
        for item in portion:
            of_benchmark.setdefault((item.benchmark, item.version), []).append(item)
        for named, some in of_benchmark.items():
            if named not in benchmarks:
                row = dict(zip(("name", "version"), named, strict=True))
                found = _FIND[schema.benchmarks].first(connection, row)
                benchmarks[named] = None if found is None else int(found[0])
            number = benchmarks[named]
            known = {} if number is None else _known_items(connection, number, some)
            for item in some:
                at, before = (*named, item.id), known.get(item.id)
                was = identities.get(at, before.identity if before else None)
                if (identity := _identity(item)) is not None:
                    _refuse_changed(item, identity, was)
                    identities[at] = identity


def _known_items(connection: Connection, benchmark: int, items: Sequence[Item]) -> dict[str, _Kept]:
    ids = [plain("the item id", item.id) for item in items]
    rows = connection.execute(_KNOWN_ITEMS, {"benchmark_id": benchmark, "item_ids": ids})
    return {row[0]: _Kept(*row[1:]) for row in rows}


def _refuse_changed(item: Item, identity: bytes, before: bytes | None) -> None:
    if before is not None and identity != before:
        raise InputError(
            f"item {item.id!r} of {item.benchmark}@{item.version} differs from the one in the"
            " store (its question, references or category); items of one version never change:"
            " name the changed ones as a new version"
        )


def _identity(item: Item) -> bytes | None:
    if not item.turns:
        return None
    fixed: dict[str, Any] = {
        "turns": messages(item.turns),
        "references": item.references,
        "category": item.category,
    }
    if item.options:
        fixed["options"] = item.options
    if item.subcategory is not None:
        fixed["subcategory"] = item.subcategory
    return keys.content_key("item", fixed)
