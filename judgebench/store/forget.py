"""Verdicts out again: judgments, where they served, and what nothing else was read from.

What was spent on them, the runs with their manifests, the judges, the models and the answers stay.
What goes is put together in temporary tables first, so that it can be counted without anything
being removed, and each table of the store is read once whatever the number of rows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    Table,
    and_,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    true,
    union,
)

from judgebench.errors import UsageError
from judgebench.records import HUMAN
from judgebench.store import schema
from judgebench.store.codec import KINDS, reply_keys
from judgebench.store.database import chunks
from judgebench.store.schema import NONE, PLACE

_ids = MetaData()


def _listed(name: str, kind: type[Integer | LargeBinary]) -> Table:
    return Table(name, _ids, Column("one", kind, primary_key=True), prefixes=["TEMPORARY"])


_chosen, _gone = _listed("chosen_judgments", Integer), _listed("gone_judgments", Integer)
_replies, _texts = _listed("gone_replies", LargeBinary), _listed("gone_texts", LargeBinary)
_j, _u, _l, _p, _f, _a = (
    schema.judgments, schema.uses, schema.looks, schema.replies, schema.failures, schema.anchors,
)  # fmt: skip
_KEY = 32
_UNREADABLE = KINDS.index("unreadable")
_REPLY_TEXTS = (_p.c.request_sha, _p.c.text_sha, _p.c.reasoning_sha, _p.c.logprobs_sha)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgettable:
    """What is to be forgotten; what several of them name is what all of them mean.

    judges
        By key. Named alone, everything of them goes, also their anchors and failures.
    runs
        By id: only what served these runs. A judgment that serves another one as well stays.
    judgments
        By the first digits of their keys, eight at least.
    benchmarks
        Names and versions: only what served on these.
    unreadable
        Only what no verdict could be read from.
    """

    judges: Collection[bytes] = ()
    runs: Collection[str] = ()
    judgments: Collection[str] = ()
    benchmarks: Collection[tuple[str, str]] = ()
    unreadable: bool = False

    @property
    def whole_judges(self) -> bool:
        return bool(self.judges) and not (self.narrow or self.judgments or self.unreadable)

    @property
    def narrow(self) -> bool:
        """Whether judgments are meant in some places alone."""
        return bool(self.runs or self.benchmarks)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeForgotten:
    """What goes of one judge: to have it again its model is asked ``replies`` questions.

    Tokens are those that replies state; ``uncounted`` state none. ``elsewhere`` are judgments of a
    judge that cannot be asked: of people, or imported.
    """

    judge: bytes
    judgments: int = 0
    elsewhere: int = 0
    replies: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What goes, or went.

    verdicts
        Places at which the judgments served, over all runs.
    shared
        Judgments that stay, since other runs or benchmarks use them.
    pinned
        Judgments that stay, since they are anchors of their judge.
    needed_replies
        Replies that stay, since verdicts that stay were read from them.
    earlier
        Places at which an earlier judgment, or a later one, counts from then on.
    anchors, failures
        What was pinned, and what had failed, of judges that go as a whole.
    """

    judges: tuple[JudgeForgotten, ...] = ()
    verdicts: int = 0
    runs: tuple[str, ...] = ()
    shared: int = 0
    pinned: int = 0
    needed_replies: int = 0
    earlier: int = 0
    anchors: int = 0
    failures: int = 0

    @property
    def judgments(self) -> int:
        return sum(one.judgments for one in self.judges)

    @property
    def replies(self) -> int:
        return sum(one.replies for one in self.judges)


_DIGITS = re.compile(r"[0-9a-f]{8,64}")


def digits_of(written: str) -> str:
    """The first digits of a judgment's key, as a person writes them.

    Raises
    ------
    UsageError
        For what is none, or too short to mean one.
    """
    if not _DIGITS.fullmatch(written.lower()):
        raise UsageError(
            f"{written!r} is no key of a judgment: 8 to 64 hexadecimal digits, as `judgebench "
            "replies JUDGE` shows them"
        )
    return written.lower()


def forget(connection: Connection, wanted: Forgettable, *, remove: bool) -> Forgotten:
    """Count what is to be forgotten, and remove it where that is asked for.

    To remove, it has to be called where references are not looked up row by row
    (`Database.removing`).

    Raises
    ------
    UsageError
        For digits that begin no judgment's key, or several.
    """
    _ids.create_all(connection, checkfirst=False)
    found = _Forgetting(connection, wanted).forget(remove)
    _ids.drop_all(connection, checkfirst=False)
    return found


class _Forgetting:
    def __init__(self, connection: Connection, wanted: Forgettable) -> None:
        self.connection = connection
        self.wanted = wanted
        self.here = and_(true(), *self._places())
        its = schema.judges.c
        known = connection.execute(select(its.id, its.key, its.kind)).all()
        self.judges = {number: key for number, key, _ in known}
        self.elsewhere = {number for number, _, kind in known if kind in (HUMAN, "imported")}
        whole = wanted.judges if wanted.whole_judges else ()
        self.whole = [number for number, key in self.judges.items() if key in whole]

    def forget(self, remove: bool) -> Forgotten:
        self._choose()
        shared, pinned = self._keep_what_serves()
        needed = self._choose_replies()
        used = self._uses_gone()
        runs = select(schema.runs.c.run_id).where(
            schema.runs.c.id.in_(select(_u.c.run_id).where(used))
        )
        found = Forgotten(
            judges=tuple(self._by_judge()),
            verdicts=self._count(_u, used),
            runs=tuple(self.connection.execute(runs.order_by(schema.runs.c.id)).scalars()),
            shared=shared,
            pinned=pinned,
            needed_replies=needed,
            earlier=self._others(used),
            anchors=self._count(_l, self._looks_gone(), _l.c.occasion_id == NONE),
            failures=self._count(_f, _f.c.judge_id.in_(self.whole)),
        )
        if remove:
            self._remove(used)
        return found

    # what goes ----------------------------------------------------------------------------------

    def _places(self) -> Iterator[ColumnElement[bool]]:
        """The uses that are meant, where not all are."""
        if self.wanted.runs:
            its = schema.runs.c
            yield _u.c.run_id.in_(select(its.id).where(its.run_id.in_(self.wanted.runs)))
        if self.wanted.benchmarks:
            which = schema.benchmarks.c
            named = or_(
                *(
                    and_(which.name == name, which.version == version)
                    for name, version in self.wanted.benchmarks
                )
            )
            yield _u.c.benchmark_id.in_(select(which.id).where(named))

    def _choose(self) -> None:
        """All judgments that are meant."""
        chosen = select(_j.c.id)
        if self.wanted.judges:
            numbers = [n for n, key in self.judges.items() if key in self.wanted.judges]
            chosen = chosen.where(_j.c.judge_id.in_(numbers))
        if self.wanted.unreadable:
            chosen = chosen.where(_j.c.kind == _UNREADABLE)
        if self.wanted.judgments:
            chosen = chosen.where(_j.c.id.in_([self._called(d) for d in self.wanted.judgments]))
        if self.wanted.narrow:
            chosen = chosen.where(_j.c.id.in_(select(_u.c.judgment_id).where(self.here)))
        self._put(_chosen, chosen)

    def _called(self, digits: str) -> int:
        """The judgment whose key begins so."""
        least, most = (bytes.fromhex(digits.ljust(2 * _KEY, end)) for end in "0f")
        between = select(_j.c.id).where(_j.c.key.between(least, most)).limit(2)
        found = self.connection.execute(between).scalars().all()
        if len(found) != 1:
            many = "several judgments begin" if found else "no judgment begins"
            raise UsageError(f"{many} with {digits}; `judgebench replies JUDGE` shows their keys")
        return int(found[0])

    def _keep_what_serves(self) -> tuple[int, int]:
        """Leave out what is needed beside what is meant: for other verdicts, and as anchors."""
        chosen = select(_chosen.c.one)
        elsewhere = select(_u.c.judgment_id).where(_u.c.judgment_id.in_(chosen), not_(self.here))
        anchors = select(_l.c.judgment_id).where(_l.c.judgment_id.in_(chosen))
        gone = chosen
        shared = pinned = 0
        if self.wanted.narrow:
            shared = self._count(_chosen, _chosen.c.one.in_(elsewhere))
            gone = gone.where(_chosen.c.one.not_in(elsewhere))
        if not self.whole:
            is_pinned = _chosen.c.one.in_(anchors)
            pinned = self._count(_chosen, is_pinned, _chosen.c.one.not_in(elsewhere))
            gone = gone.where(not_(is_pinned))
        self._put(_gone, gone)
        return shared, pinned

    def _choose_replies(self) -> int:
        """Those that nothing that stays was read from; how many are needed on."""
        going = select(_gone.c.one)
        with_replies = select(_j.c.reply_keys).where(_j.c.reply_keys != b"")
        rows = self.connection.execute(with_replies.where(_j.c.id.in_(going))).scalars()
        found = {key for blob in rows for key in reply_keys(blob)}
        needed: set[bytes] = set()
        if found:
            rows = self.connection.execute(with_replies.where(_j.c.id.not_in(going))).scalars()
            needed = {key for blob in rows for key in reply_keys(blob) if key in found}
        for some in chunks(found - needed):
            self.connection.execute(insert(_replies), [{"one": key} for key in some])
        return len(needed)

    def _by_judge(self) -> Iterator[JudgeForgotten]:
        reply = select(_p.c.key, _p.c.prompt_tokens, _p.c.completion_tokens).join(
            _replies, _replies.c.one == _p.c.key
        )
        took = {key: tokens for key, *tokens in self.connection.execute(reply)}
        judged: dict[int, list[bytes]] = {}
        query = select(_j.c.judge_id, _j.c.reply_keys).join(_gone, _gone.c.one == _j.c.id)
        for judge, blob in self.connection.execute(query.order_by(_j.c.judge_id, _j.c.id)):
            judged.setdefault(judge, []).append(blob)
        for judge, blobs in judged.items():
            keys = {key for blob in blobs for key in reply_keys(blob)}
            tokens = [took.pop(key) for key in keys if key in took]
            yield JudgeForgotten(
                judge=self.judges[judge],
                judgments=len(blobs),
                elsewhere=len(blobs) if judge in self.elsewhere else 0,
                replies=len(tokens),
                prompt_tokens=sum(asked or 0 for asked, _ in tokens),
                completion_tokens=sum(said or 0 for _, said in tokens),
                uncounted=sum(asked is None or said is None for asked, said in tokens),
            )

    def _uses_gone(self) -> ColumnElement[bool]:
        if self.wanted.narrow:
            return and_(self.here, _u.c.judgment_id.in_(select(_chosen.c.one)))
        return _u.c.judgment_id.in_(select(_gone.c.one))

    def _looks_gone(self) -> ColumnElement[bool]:
        return _l.c.anchors_id.in_(select(_a.c.id).where(_a.c.judge_id.in_(self.whole)))

    def _others(self, used: ColumnElement[bool]) -> int:
        """Places of what goes at which the judge said something else that stays."""
        other = _u.alias("other")
        place = [_u.c[name] for name in PLACE]
        there = select(1).where(
            *(other.c[column.name] == column for column in place),
            other.c.judgment_id.not_in(select(_chosen.c.one)),
        )
        places = select(*place).where(used, there.exists()).distinct().subquery()
        return self._count(places)

    # that it goes -------------------------------------------------------------------------------

    def _remove(self, used: ColumnElement[bool]) -> None:
        going, replies = select(_gone.c.one), select(_replies.c.one)
        failed = _f.c.judge_id.in_(self.whole)
        from judgebench.store import columns  # numpy

        named = [
            *(select(sha).where(_p.c.key.in_(replies)) for sha in _REPLY_TEXTS),
            select(_j.c.reason_sha).where(_j.c.id.in_(going)),
            select(_f.c.message_sha).where(failed),
        ]
        texts = union(*named).subquery()
        self._put(_texts, select(texts.c[0]).where(texts.c[0].is_not(None)))
        touched = select(*(_u.c[name] for name in PLACE[:4])).where(used).distinct()
        boards = [tuple(row) for row in self.connection.execute(touched)]
        for table, condition in (
            (_l, self._looks_gone()),
            (_a, _a.c.judge_id.in_(self.whole)),
            (_f, failed),
            (_u, used),
            (_j, _j.c.id.in_(going)),
            (_p, _p.c.key.in_(replies)),
        ):
            self.connection.execute(delete(table).where(condition))
        columns.rebuild(self.connection, boards)
        for column in _NAMING_TEXTS:
            named_still = select(column).where(column.in_(select(_texts.c.one)))
            self.connection.execute(delete(_texts).where(_texts.c.one.in_(named_still)))
        self.connection.execute(
            delete(schema.texts).where(schema.texts.c.sha.in_(select(_texts.c.one)))
        )
        from judgebench.store.search import forget_gone  # which stands on the whole store

        forget_gone(self.connection)

    def _put(self, table: Table, rows: Select[Any]) -> None:
        self.connection.execute(insert(table).from_select(["one"], rows))

    def _count(self, table: FromClause, *conditions: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(table).where(*conditions)
        return int(self.connection.execute(query).scalar_one())


_NAMING_TEXTS = [
    column
    for table in schema.metadata.sorted_tables
    for column in table.c
    if any(key.column is schema.texts.c.sha for key in column.foreign_keys)
]
"""Every column that names a text."""
