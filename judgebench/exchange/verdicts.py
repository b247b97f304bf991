"""``import verdicts``: judgments that somebody else has made, one a row."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from judgebench import keys
from judgebench.benchmarks.folder import items_at_hand
from judgebench.errors import InputError
from judgebench.exchange.attach import Board, place_key
from judgebench.exchange.known_items import (
    NO_VERSION,
    KnownItems,
    OwnItems,
    default_version,
    missing_items,
    refuse_unknown,
)
from judgebench.exchange.names import by_id, no_judge
from judgebench.exchange.outcome import (
    IMPORT_LEASE,
    ImportReport,
    Write,
    cut_import,
    import_manifest,
    put_in_portions,
    taken_in_before,
)
from judgebench.exchange.verdict_rows import VerdictRow, once_each, read_verdicts, same, say
from judgebench.records import (
    HUMAN,
    ChatRequest,
    DriftCheck,
    JudgeSpec,
    Judgment,
    Reply,
    RunManifest,
    RunVerdict,
    Verdict,
    VerdictSlot,
    is_human,
)
from judgebench.rows import OURS, Layout
from judgebench.store import Store
from judgebench.store.database import chunks
from judgebench.store.read import StoredAnchors


def import_verdicts(
    store: Store,
    path: Path,
    *,
    layout: Layout = OURS,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> ImportReport:
    """Take in a file of verdicts, all or nothing. The same file again changes nothing.

    Raises
    ------
    InputError
        Naming file, line and field of what cannot be used; for two different verdicts about the
        same, in the file or between file and store; for ids that the benchmark does not have.
    """
    rows = read_verdict_rows(path, None if allow_unknown_items else known_items, layout)
    return take_in(store, path, "verdicts", rows, allow_unknown_items=allow_unknown_items)


def read_verdict_rows(
    path: Path, known_items: KnownItems | None, layout: Layout = OURS
) -> list[VerdictRow]:
    """All verdicts of a file; raises as `import_verdicts` does for what is wrong in itself."""
    rows = read_verdicts(path, default_version, layout=layout)
    once_each(rows)  # refuses two that contradict each other
    refuse_unknown_items(rows, known_items)
    return rows


def refuse_unknown_items(rows: Sequence[VerdictRow], known_items: KnownItems | None) -> None:
    """Refuse ids that a benchmark, as far as it is known, does not have."""
    for at in sorted({row.at for row in rows}):
        refuse_unknown([(r.row, r.where.item_id) for r in rows if r.at == at], at, known_items)


def about_own_prompts(
    store: Store, rows: Sequence[VerdictRow], *, allow_unknown_items: bool
) -> list[VerdictRow]:
    """The rows, those on own prompts that name no version with the newest one.

    Raises
    ------
    InputError
        For ids that such prompts do not have.
    """
    own = OwnItems(store)
    version = {b: own.version(b) for b in {row.where.benchmark for row in rows}}
    found = [
        replace(row, where=replace(row.where, version=newest))
        if row.where.version == NO_VERSION and (newest := version[row.where.benchmark])
        else row
        for row in rows
    ]
    if not allow_unknown_items:
        refuse_unknown_items(found, own)
    return found


def take_in(
    store: Store,
    path: Path,
    what: str,
    rows: Sequence[VerdictRow],
    *,
    may_change: bool = False,
    anchors: bool = False,
    allow_unknown_items: bool = False,
) -> ImportReport:
    """Store the verdicts that the store does not have yet.

    ``may_change`` says whether a verdict may follow another one about the same: people may change
    their minds, and then the earlier label stays beside the newer. ``anchors`` says that verdicts
    on pinned answers are what their judge said when it was asked again, which is on no board.
    """
    rows = about_own_prompts(store, rows, allow_unknown_items=allow_unknown_items)
    distinct = once_each(rows)
    with store.lease(IMPORT_LEASE):
        boards = {
            at: Board.of(store, *at)
            for at in sorted({(r.where.benchmark, r.where.version) for r in distinct})
        }
        for at, board in boards.items():
            here = (row.where.item_id for row in distinct if row.at == at)
            board.add_items(missing_items(board.items, here, at))
        placed = _placed(store, distinct, boards)
        pinned = _pinned(store) if anchors else {}
        new = _new(
            [(row, place) for row, place in placed if place not in pinned], boards, may_change
        )
        looks = [(row, place, pinned[place]) for row, place in placed if place in pinned]
        if taken_in_before(store, what, path):  # what was said since then stays
            new, looks = [entry for entry in new if entry.before is None], []
        cut = cut_import(store, what, [path])
        run_id = _put(store, path, what, new, looks, boards, cut) if new or looks or cut else None
    return ImportReport(
        rows=len(rows),
        new=len(new) + len(looks),
        known=len(rows) - len(new) - len(looks),
        looks=len(looks),
        changed=sum(entry.before is not None for entry in new),
        run_id=run_id,
        warnings=tuple(warning for board in boards.values() for warning in board.warnings),
    )


@dataclass(frozen=True, slots=True)
class _New:
    """A verdict to be stored, and the key of the judgment that it follows."""

    row: VerdictRow
    place: VerdictSlot
    before: bytes | None


_Look: TypeAlias = tuple[VerdictRow, VerdictSlot, StoredAnchors]


def _pinned(store: Store) -> dict[VerdictSlot, StoredAnchors]:
    """The anchors that count, each with its set: the last of its judge and benchmark."""
    last = {(one.benchmark, one.version, one.judge_key): one for one in store.anchors()}
    return {place: one for one in last.values() for place in store.looked(one)}


def _placed(
    store: Store, rows: Sequence[VerdictRow], boards: Mapping[tuple[str, str], Board]
) -> list[tuple[VerdictRow, VerdictSlot]]:
    """The rows, with the places that they are about."""
    found = []
    known = store.judges()
    judges = {name: keys.judge_key(imported_judge(name)) for name in {r.where.judge for r in rows}}
    for row in rows:
        where, board = row.where, boards[row.at]
        place = VerdictSlot(
            benchmark=where.benchmark,
            version=where.version,
            item_id=where.item_id,
            model_key=board.model(row.row),
            judge_key=by_id(known, row.row, "judge") or judges[where.judge],
            opponent_key=None if where.opponent is None else board.model(row.row, "opponent"),
            order=where.order,
            sample=where.sample,
            turn=where.turn,
            repeat=where.repeat,
        )
        found.append((row, place))
    return found


def _new(
    placed: Sequence[tuple[VerdictRow, VerdictSlot]],
    boards: Mapping[tuple[str, str], Board],
    may_change: bool,
) -> list[_New]:
    found = []
    for row, place in placed:
        where = row.where
        before, said = boards[row.at].current.get(place, (None, None))
        if said is not None and same(said, row.verdict):
            continue
        if said is not None and not may_change:
            raise row.row.wrong(
                "value",
                f"{say(row.verdict)}, but the store has {say(said)} of {where.judge!r} about item "
                f"{where.item_id!r} of {where.model!r} (judgment {(before or b'').hex()[:12]}); "
                "correct the row, or give the other judge another name"
                + (" (`import labels` lets people change theirs)" if is_human(where.judge) else ""),
            )
        found.append(_New(row, place, before))
    return found


def _put(
    store: Store,
    path: Path,
    what: str,
    new: Sequence[_New],
    looks: Sequence[_Look],
    boards: Mapping[tuple[str, str], Board],
    cut: RunManifest | None,
) -> str:
    """Under a run of its own, which is the occasion of a look."""
    counts = {"verdicts": len(new)} | ({"looks": len(looks)} if looks else {})
    manifest = import_manifest(what, [path], counts, cut)
    now = time.time()

    def writes() -> Iterator[Write]:
        for board in boards.values():
            for items in chunks(board.new_items):
                yield len(items), partial(store.put_items, items)
            for name, spec in board.unknown_models.items():
                yield 1, partial(store.put_model, name, spec)
        there = {judge.key for judge in store.judges()}
        judges = {entry.row.where.judge for entry in new if entry.place.judge_key not in there}
        for name in sorted(judges):
            yield 1, partial(store.put_judge, name, imported_judge(name))
        for some in chunks(new):
            yield len(some), partial(_put_some, store, some, manifest.id, now, boards)
        for found in chunks(looks):
            yield len(found), partial(_put_looks, store, found, manifest.id, now, boards)

    put_in_portions(store, manifest, cut, writes())
    return manifest.id


def _put_some(
    store: Store,
    new: Sequence[_New],
    run_id: str,
    now: float,
    boards: Mapping[tuple[str, str], Board],
) -> None:
    for entry in new:
        place = entry.place
        replies = put_reply(store, place, entry.row.where.judge, entry.row.reply)
        judgment = Judgment(
            key=judgment_key(place, entry.row.verdict, entry.before),
            judge_key=place.judge_key,
            case_key=boards[entry.row.at].case_key(place),
            verdict=entry.row.verdict,
            reply_keys=replies,
            at=now,
        )
        use = RunVerdict(run_id=run_id, place=place, judgment_key=judgment.key)
        store.put_judgment(judgment, [use])


def _put_looks(
    store: Store,
    looks: Sequence[_Look],
    occasion: str,
    now: float,
    boards: Mapping[tuple[str, str], Board],
) -> None:
    store.put_looks([_look(store, one, occasion, now, boards) for one in looks])


def _look(
    store: Store,
    looked: _Look,
    occasion: str,
    now: float,
    boards: Mapping[tuple[str, str], Board],
) -> tuple[Judgment, DriftCheck]:
    """What an imported judge said of an anchor again."""
    row, place, anchors = looked
    said = [place_key(place), row.verdict, occasion]
    judgment = Judgment(
        key=keys.content_key("imported look", said),
        judge_key=place.judge_key,
        case_key=boards[row.at].case_key(place),
        verdict=row.verdict,
        reply_keys=put_reply(store, place, row.where.judge, row.reply),
        at=now,
    )
    return judgment, DriftCheck(anchors=anchors.id, occasion=occasion, place=place)


def judgment_key(place: VerdictSlot, verdict: Verdict, before: bytes | None) -> bytes:
    """The key of a verdict of somebody else, which may follow another one at its place.

    Two equal answers may be judged differently by a person: the place is in the key.
    """
    return keys.content_key("imported judgment", [place_key(place), verdict, before])


def imported_judge(name: str) -> JudgeSpec:
    """A judge of which nothing but the name is known, or a person.

    Raises
    ------
    InputError
        For a name that is no judge's.
    """
    if reason := no_judge(name):
        raise InputError(f"judge: {reason}")
    return JudgeSpec(kind=HUMAN if is_human(name) else "imported", model=name)


def put_reply(
    store: Store, place: VerdictSlot, judge: str, reply: Reply | None
) -> tuple[bytes, ...]:
    """Keep the reply that a verdict was read from, where there is one; the keys it has then.

    What was asked is not in the files: the reply is known by what it is about.
    """
    if reply is None:
        return ()
    about = {"about": place_key(place).hex()}
    asked = ChatRequest(provider="imported", model=judge, messages=(), extra=about)
    key = keys.request_key(asked)
    store.put_reply(key, asked, reply)
    return (key,)
