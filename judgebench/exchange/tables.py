"""Tables of ours that come in: verdicts, labels and answers of somebody else's, one a row.

Also what other formats share: their rows, and how these are held against a store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import repeat
from math import isclose
from pathlib import Path
from typing import Any, TypeAlias

from judgebench import keys
from judgebench.benchmarks.folder import items_at_hand
from judgebench.columns import grouped
from judgebench.errors import InputError, unknown_name
from judgebench.exchange.pipeline import (
    IMPORT_LEASE,
    NO_VERSION,
    SILENT,
    At,
    Board,
    Import,
    ImportReport,
    Intake,
    KnownItems,
    NewVerdict,
    OwnItems,
    benchmark_name,
    by_id,
    default_version,
    imported_judge_key,
    judge_name,
    missing_items,
    name,
    named_model,
    optional_name,
    recorded,
    refuse_undeclared,
    refuse_unknown,
    taken_in_before,
)
from judgebench.protocols import Progress
from judgebench.records import (
    Label,
    Order,
    Preference,
    Reply,
    Response,
    Score,
    Unreadable,
    Usage,
    Verdict,
    VerdictSlot,
    is_human,
)
from judgebench.responses.from_file import AnswerRow, read_answer_rows, refuse_other_text
from judgebench.rows import OURS, Layout, Row, each_row
from judgebench.store.codec import readable
from judgebench.store.read import StoredAnchors
from judgebench.store.store import Store

REQUIRED = ("item_id", "model", "judge")
FIELDS = (
    "benchmark", "version", *REQUIRED, "kind", "value", "opponent", "order", "sample", "turn",
    "repeat", "p", "low", "high", "reason", "parts",
)  # fmt: skip
ORDERS: tuple[Order, ...] = ("single", "model_first", "opponent_first")

NO_REPLY = "no reply: null stands in the file, as where the judge's call failed"
"""Of a verdict that was not had. It is counted, and gives way to one about the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictAt:
    """What a verdict, or an answer, is about, by the names in the file."""

    benchmark: str
    version: str
    item_id: str
    model: str
    judge: str = ""
    opponent: str | None = None
    order: Order = "single"
    sample: int = 0
    turn: int = 0
    repeat: int = 0

    @property
    def at(self) -> At:
        """Benchmark and version."""
        return self.benchmark, self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow:
    """One row of a file, read; with the judge's reply where the file has it."""

    row: Row
    where: VerdictAt
    verdict: Verdict
    reply: Reply | None = None


def row_of(row: Row, where: VerdictAt, verdict: Verdict, reply: Reply | None = None) -> VerdictRow:
    """A row of another layout: of what stands there only the names are held."""
    told = {"model": where.model, "opponent": where.opponent, "judge": where.judge}
    return VerdictRow(row=Row(row.where, told), where=where, verdict=verdict, reply=reply)


def read_verdict_files(
    paths: Sequence[Path],
    *,
    layout: Layout = OURS,
    anchors: bool = False,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[Import]:
    """Read files of verdicts; returned with each is what stores it.

    Only what the store itself contradicts is found later. ``layout`` is that of every file.
    ``anchors``: verdicts on anchors are another look of their judge at them.

    Raises
    ------
    InputError
        Naming file, line and field of what cannot be used; for two different verdicts about the
        same, in one file or two; for ids that the benchmark does not have.
    """
    read = [(path, read_verdicts(path, layout=layout)) for path in paths]
    known = None if allow_unknown_items else known_items
    return checked("verdicts", read, known, anchors=anchors)


def checked(
    what: str,
    read: Sequence[tuple[Path, Sequence[VerdictRow]]],
    known_items: KnownItems | None,
    *,
    once: bool = True,
    **how: Any,
) -> list[Import]:
    """The rows of some files, found good in themselves; returned with each is what stores it.

    Parameters
    ----------
    known_items
        None takes in what no benchmark has.
    once
        Whether two files must not contradict each other.
    how
        What `take_in` is told.
    """
    for _, rows in read:
        refuse_unknown_items(((row.row, row.where) for row in rows), known_items)
    for together in [[row for _, rows in read for row in rows]] if once else [r for _, r in read]:
        once_each(together)  # refuses two that contradict each other
    how["allow_unknown_items"] = known_items is None
    return [
        Import(path, partial(take_in, what=what, path=path, rows=rows, **how))
        for path, rows in read
    ]


def refuse_unknown_items(
    rows: Iterable[tuple[Row, VerdictAt]], known_items: KnownItems | None
) -> None:
    """Refuse ids that a benchmark, as far as it is known, does not have."""
    wanted = rows if known_items is not None else ()
    of = grouped((where.at, (row, where.item_id)) for row, where in wanted)
    for at in sorted(of):
        refuse_unknown(of[at], at, known_items)


def _newest(where: VerdictAt, own: OwnItems) -> VerdictAt:
    """What names no version of own prompts is about the newest."""
    version = own.version(where.benchmark) if where.version == NO_VERSION else None
    return where if version is None else replace(where, version=version)


def _add_items(intake: Intake, places: Iterable[VerdictAt]) -> None:
    """What is told of items that the store lacks."""
    wanted = grouped((where.at, where.item_id) for where in places)
    for at in sorted(wanted):
        board = intake.board(at)
        board.add_items(missing_items(board.items, wanted[at], at))


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
    found = [
        row if (where := _newest(row.where, own)) is row.where else replace(row, where=where)
        for row in rows
    ]
    if not allow_unknown_items:
        refuse_unknown_items(((row.row, row.where) for row in found), own)
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
    progress: Progress = SILENT,
) -> ImportReport:
    """Store the verdicts that the store does not have yet.

    ``may_change`` says whether a verdict may follow another one about the same: people may change
    their minds, and then the earlier label stays beside the newer. ``anchors`` says that verdicts
    on pinned answers are what their judge said when it was asked again, which is on no board.
    """
    rows = about_own_prompts(store, rows, allow_unknown_items=allow_unknown_items)
    distinct = once_each(rows)
    with store.lease(IMPORT_LEASE):
        intake = Intake(store, what, [path])
        _add_items(intake, (row.where for row in distinct))
        new = _new(intake, distinct, _pinned(store) if anchors else {}, may_change)
        if taken_in_before(store, what, path):  # what was said since then stays
            new = [one for one in new if one.names or (one.before is None and one.anchors is None)]
        intake.verdicts = new
        looks = sum(one.anchors is not None for one in new)
        counts = {"verdicts": len(new) - looks} | ({"looks": looks} if looks else {})
        run_id = intake.put(counts, progress)
    return ImportReport(
        rows=len(rows),
        new=len(new),
        known=len(rows) - len(new),
        looks=looks,
        changed=sum(one.before is not None for one in new),
        run_id=run_id,
        warnings=intake.warnings,
    )


def _pinned(store: Store) -> dict[VerdictSlot, StoredAnchors]:
    """The anchors that count, each with its set: the last of its judge and benchmark."""
    last = {(one.benchmark, one.version, one.judge_key): one for one in store.anchors()}
    return {place: one for one in last.values() for place in store.looked(one)}


def _new(
    intake: Intake,
    rows: Sequence[VerdictRow],
    pinned: Mapping[VerdictSlot, StoredAnchors],
    may_change: bool,
) -> list[NewVerdict]:
    found = []
    known = intake.store.judges()
    for row in rows:
        where, board = row.where, intake.board(row.where.at)
        place = VerdictSlot(
            benchmark=where.benchmark,
            version=where.version,
            item_id=where.item_id,
            model_key=board.model(row.row),
            judge_key=by_id(known, row.row, "judge") or imported_judge_key(where.judge),
            opponent_key=None if where.opponent is None else board.model(row.row, "opponent"),
            order=where.order,
            sample=where.sample,
            turn=where.turn,
            repeat=where.repeat,
        )
        before, said = (None, None) if place in pinned else board.current.get(place, (None, None))
        alike = said is not None and same(said, row.verdict)
        if said is not None and (
            _not_had(row.verdict) or (alike and not names_more(row.verdict, said))
        ):
            continue
        if said is not None and not (alike or may_change or _not_had(said)):
            raise row.row.wrong(
                "value",
                f"{say(row.verdict)}, but the store has {say(said)} of {where.judge!r} about item "
                f"{where.item_id!r} of {where.model!r} (judgment {(before or b'').hex()[:12]}); "
                "correct the row, or give the other judge another name"
                + (" (`import labels` lets people change theirs)" if is_human(where.judge) else ""),
            )
        found.append(
            NewVerdict(
                place, where.judge, row.verdict, row.reply, before, pinned.get(place), names=alike
            )
        )
    return found


def read_verdicts(
    path: Path, *, about: At | None = None, layout: Layout = OURS
) -> list[VerdictRow]:
    """All verdicts of a file; ``about`` is the benchmark and version where rows need not name one.

    A row without a kind is a preference where it has an opponent, a score where it has a scale,
    unreadable where it has a reason in place of a value, and else a label.

    Raises
    ------
    InputError
        Naming the line and field of what cannot be used.
    """
    versions = cache(default_version)
    found = []
    labels: dict[str, dict[str, Row]] = {}
    names: dict[tuple[object, ...], dict[str, object]] = {}
    for row in each_row(path, REQUIRED if about else ("benchmark", *REQUIRED), layout=layout):
        benchmark = about[0] if about and not row.has("benchmark") else benchmark_name(row)
        usual = about[1] if about and benchmark == about[0] else versions(benchmark)
        where, verdict = _read(row, benchmark, optional_name(row, "version") or usual)
        if isinstance(verdict, Label):
            labels.setdefault(benchmark, {}).setdefault(verdict.name, row)
        # Of a million rows the names alone are held, and those once.
        ids = (row.values.get(f"{one}_id") for one in _NAMED)
        said = (
            where.model,
            where.opponent,
            where.judge,
            *(str(one) if one else None for one in ids),
        )
        kept = names.setdefault(said, dict(zip(_HELD, said, strict=True)))
        found.append(VerdictRow(row=Row(row.where, kept), where=where, verdict=verdict))
    for benchmark, given in labels.items():
        refuse_undeclared(((row, label) for label, row in given.items()), benchmark)
    return found


_NAMED = ("model", "opponent", "judge")
_HELD = (*_NAMED, *(f"{one}_id" for one in _NAMED))


def _read(row: Row, benchmark: str, version: str) -> tuple[VerdictAt, Verdict]:
    where = VerdictAt(
        benchmark=benchmark,
        version=version,
        item_id=name(row, "item_id"),
        model=name(row, "model"),
        judge=judge_name(row),
        opponent=optional_name(row, "opponent"),
        order=_order(row),
        sample=row.whole("sample"),
        turn=row.whole("turn"),
        repeat=row.whole("repeat"),
    )
    named = row.has("kind")
    kind = row.one_of("kind", "kind of verdict", _READERS) if named else _usual_kind(row)
    alone = where.opponent is None
    row.refuse(
        "opponent",
        {
            "is missing: a preference is between two models": alone and kind == "preference",
            f"a {kind} is about one answer; leave this field empty": (
                not alone and kind in ("label", "score")
            ),
        },
    )
    if where.order != "single" and where.opponent is None:
        raise row.wrong("order", "only a comparison with an 'opponent' has an order")
    verdict = _READERS[kind](row, where)
    tie = isinstance(verdict, Preference) and verdict.winner is None
    if where.opponent == where.model and not tie:  # AlpacaEval has these as ties
        raise row.wrong("opponent", f"{where.model!r} cannot be its own opponent, but for a tie")
    return where, verdict


def _usual_kind(row: Row) -> str:
    if not row.has("value") and row.has("reason"):
        return "unreadable"
    if row.has("opponent"):
        return "preference"
    return "score" if row.has("low") or row.has("high") else "label"


def _order(row: Row) -> Order:
    given = row.text("order", None) or "single"
    for order in ORDERS:
        if given == order:
            return order
    raise row.wrong("order", unknown_name("order", given, ORDERS) + ", or empty")


def _label(row: Row, where: VerdictAt) -> Label:
    # Our own export keeps names and numbers in columns of their own.
    said = row.text("label" if row.has("label") and not row.has("value") else "value")
    p = row.number("p") if row.has("p") else None
    if p is not None and not 0 <= p <= 1:
        raise row.wrong("p", f"a probability in [0, 1], not {p:g}")
    return Label(name=said, p=p)


def _score(row: Row, where: VerdictAt) -> Score:
    value, low, high = (row.number(field) for field in ("value", "low", "high"))
    if not low < high:
        raise row.wrong("low", f"the scale goes from low to high, not from {low:g} to {high:g}")
    if not low <= value <= high:
        raise row.wrong("value", f"{value:g} is outside its scale, {low:g} to {high:g}")
    return Score(value=value, low=low, high=high, parts=_parts(row))


def _parts(row: Row) -> dict[str, float]:
    """The named parts of a score: an object of numbers, or its JSON as an export has it.

    One that is null is none: tables of Parquet have a place for each part in every row.
    """
    said = row.values.get("parts") or {}
    if isinstance(said, str):
        with suppress(ValueError, RecursionError):
            said = json.loads(said)
    if not isinstance(said, dict):
        raise row.wrong("parts", f'an object of numbers such as {{"tone": 7}}, not {said!r:.40}')
    parts = Row(f"{row.where}: parts", said)
    return {name: parts.number(name) for name, part in said.items() if part is not None}


def _preference(row: Row, where: VerdictAt) -> Preference:
    value = row.number("value")
    if not 0 <= value <= 1:
        raise row.wrong(
            "value", f"the probability that 'model' beats 'opponent', in [0, 1], not {value:g}"
        )
    p_first = 1 - value if where.order == "opponent_first" else value
    return Preference.from_probability(p_first, row.text("label", None))


def _unreadable(row: Row, where: VerdictAt) -> Unreadable:
    if row.has("value"):
        raise row.wrong("value", "an unreadable verdict has none; leave this field empty")
    return Unreadable(reason=row.text("reason"))


_READERS: dict[str, Callable[[Row, VerdictAt], Verdict]] = {
    "label": _label,
    "score": _score,
    "preference": _preference,
    "unreadable": _unreadable,
}


def _not_had(verdict: Verdict) -> bool:
    """Whether it stands for a verdict that was not had."""
    return isinstance(verdict, Unreadable) and verdict.reason == NO_REPLY


def once_each(rows: Sequence[VerdictRow]) -> list[VerdictRow]:
    """Rows that stand twice, once.

    Raises
    ------
    InputError
        For two rows about the same with different values, naming both.
    """
    first: dict[VerdictAt, VerdictRow] = {}
    for row in rows:
        if row.where in first and _not_had(row.verdict):
            continue
        if row.where in first and _not_had(first[row.where].verdict):
            del first[row.where]
        before = first.setdefault(row.where, row)
        if before is not row and not same(before.verdict, row.verdict):
            raise InputError(
                f"{row.row.where}: value: {say(row.verdict)}, but {before.row.where} says "
                f"{say(before.verdict)} about the same item, model and judge; delete one, or give "
                "repeats a 'repeat' of their own"
            )
    return list(first.values())


def same(one: Verdict, other: Verdict) -> bool:
    """Whether two verdicts say the same, but for the last digit of a number.

    A reason may have been written to a file and read again, which has no NUL in it any more; of
    the parts of a score those count that both have.
    """
    match one, other:
        case Preference(p_first=p, label=said), Preference(p_first=q, label=again):
            return isclose(p, q, abs_tol=1e-12) and (None in (said, again) or said == again)
        case Score(value=p, low=low, high=high, parts=parts), Score(value=q, parts=its):
            both = [(p, q), *((parts[name], its[name]) for name in parts if name in its)]
            close = all(isclose(here, there, abs_tol=1e-12) for here, there in both)
            return close and (low, high) == (other.low, other.high)
        case Label(name=said, p=None), Label(p=None):
            return said == other.name
        case Label(name=said, p=float(p)), Label(p=float(q)):
            return said == other.name and isclose(p, q, abs_tol=1e-12)
        case Unreadable(reason=reason), Unreadable(reason=again):
            return reason == again or readable(reason) == again
        case _:
            return one == other


def names_more(one: Verdict, stored: Verdict) -> bool:
    """Whether a verdict says how clear a win is, and the same one in the store does not."""
    if not (isinstance(one, Preference) and isinstance(stored, Preference)):
        return False
    return one.label is not None and stored.label is None


def say(verdict: Verdict) -> str:
    """A verdict in a few words, for messages."""
    match verdict:
        case Label(name=said, p=p):
            return repr(said) if p is None else f"{said!r} (p {p:g})"
        case Score(value=value, parts=parts):
            of = ", ".join(f"{name!r} {part:g}" for name, part in parts.items())
            return f"score {value:g} ({of:.60})" if parts else f"score {value:g}"
        case Preference(p_first=p, label=label):
            of = "" if label is None else f" ({label:.20})"
            return f"preference {p:g} for the answer shown first{of}"
        case Unreadable(reason=reason):
            return f"unreadable ({reason[:60]})"


def read_label_files(
    paths: Sequence[Path],
    *,
    layout: Layout = OURS,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[Import]:
    """Read files of labels; returned with each is what stores it.

    What one person says in two files may differ: the later one counts.

    Raises
    ------
    InputError
        As `read_verdict_files`, and for a judge that is no person.
    """
    read = [(path, read_label_rows(path, layout=layout)) for path in paths]
    known = None if allow_unknown_items else known_items
    return checked("labels", read, known, once=False, may_change=True)


def import_labels(
    store: Store,
    path: Path,
    *,
    about: At | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
    only_answered: bool = False,
) -> ImportReport:
    """Take in a file of labels, all or nothing. The same file again changes nothing.

    Labels are events: a label that differs from the rater's current one counts from now on, and
    the earlier one stays. ``about`` is the benchmark and version that rows are about which name
    none, as in the file that a benchmark brings. ``only_answered`` passes over labels of answers
    that the store does not have, as a run does whose suite asks fewer items than people have
    labelled.

    Raises
    ------
    InputError
        As `read_verdict_files`, for a verdict that is another one in the store, and for a judge
        that is no person.
    """
    rows = read_label_rows(path, about)
    rows = about_own_prompts(store, rows, allow_unknown_items=allow_unknown_items)
    if only_answered:
        rows = _about_answers(store, rows)
    known = None if allow_unknown_items else known_items
    [found] = checked("labels", [(path, rows)], known, once=False, may_change=True)
    return found.take_in(store)


def read_label_rows(path: Path, about: At | None = None, layout: Layout = OURS) -> list[VerdictRow]:
    """All labels of a file, of known items or not; ``about`` is as for `import_labels`.

    Raises
    ------
    InputError
        Naming the line and field of what cannot be used.
    """
    rows = read_verdicts(path, about=about, layout=layout)
    once_each(rows)  # refuses two that contradict each other
    for row in rows:
        if not is_human(row.where.judge):
            raise row.row.wrong(
                "judge",
                f"labels are given by people, named human/<rater>, not {row.where.judge!r}; "
                "verdicts of judges come in with `judgebench import verdicts`",
            )
    return rows


def _about_answers(store: Store, rows: list[VerdictRow]) -> list[VerdictRow]:
    """Those on answers that the store has."""
    answered: set[tuple[str, str, str, str, int, int]] = set()
    for benchmark, version in {row.where.at for row in rows}:
        table = store.responses_table(benchmark, version)
        columns = ("model", "item_id", "sample", "turn")
        answered |= {
            (benchmark, version, *place)
            for place in zip(*(table[name] for name in columns), strict=True)
        }
    return [
        row
        for row in rows
        if (*row.where.at, row.where.model, row.where.item_id, row.where.sample, row.where.turn)
        in answered
    ]


# answers ------------------------------------------------------------------------------------------

PlacedAnswer: TypeAlias = tuple[VerdictAt, AnswerRow]
"""A row of a file with what it is about."""
_Answers: TypeAlias = Sequence[PlacedAnswer]


def read_response_files(
    paths: Sequence[Path],
    *,
    layout: Layout = OURS,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[Import]:
    """Read files of answers; returned with each is what stores it.

    Of the models nothing but the name is known: answers that a run of ours has stored under the
    same name stay those of another model. Our own export has the answers of every stack and marks
    the newest: the others are passed over.

    Raises
    ------
    InputError
        Naming file, line and field of what cannot be used; for two different answers to one item,
        in one file or two; for ids that the benchmark does not have.
    """
    read = [(path, _read_answers(path, layout)) for path in paths]
    return checked_answers(read, None if allow_unknown_items else known_items)


def checked_answers(
    read: Sequence[tuple[Path, _Answers]],
    known_items: KnownItems | None,
    called: Sequence[str] | None = None,
) -> list[Import]:
    """The answers of some files, found good in themselves; returned with each is what stores it.

    Parameters
    ----------
    known_items
        None takes in what no benchmark has.
    called
        What those of each file are called in its report.
    """
    for _, rows in () if known_items is None else read:
        distinct = _one_text_each(rows)
        refuse_unknown_items(((row.row, where) for where, row in distinct.items()), known_items)
    _one_text_each([row for _, rows in read for row in rows])
    return [
        Import(path, partial(take_in_answers, path=path, rows=rows, called=name))
        for (path, rows), name in zip(read, called or repeat(None, len(read)), strict=True)
    ]


def _read_answers(path: Path, layout: Layout) -> _Answers:
    versions = cache(default_version)
    found = []
    for row in read_answer_rows(path, layout):
        if row.row.values.get("newest") in (False, "False", "false"):
            continue
        benchmark = benchmark_name(row.row)
        where = VerdictAt(
            benchmark=benchmark,
            version=optional_name(row.row, "version") or versions(benchmark),
            item_id=name(row.row, "item_id"),
            model=name(row.row, "model"),
            sample=row.sample,
            turn=row.turn,
        )
        found.append((where, row))
    return found


def _one_text_each(rows: _Answers) -> dict[VerdictAt, AnswerRow]:
    """Answers by where they stand; raises `InputError` for two different ones."""
    distinct: dict[VerdictAt, AnswerRow] = {}
    for where, row in rows:
        refuse_other_text(distinct.setdefault(where, row), row)
    return distinct


def take_in_answers(
    store: Store,
    *,
    path: Path,
    rows: _Answers,
    progress: Progress = SILENT,
    called: str | None = None,
) -> ImportReport:
    """Store the answers that the store does not have yet; ``called`` so in the report."""
    own = OwnItems(store)
    distinct = _one_text_each([(_newest(where, own), row) for where, row in rows])
    with store.lease(IMPORT_LEASE):
        intake = Intake(store, "responses", [path])
        _add_items(intake, distinct)
        for where, row in distinct.items():
            board = intake.board(where.at)
            known = by_id(board.known, row.row, "model")
            key, response = recorded(
                where.at,
                where.item_id,
                known or keys.model_key(named_model(where.model)),
                row.text,
                path.name,
                sample=where.sample,
                turn=where.turn,
                usage=Usage(completion_tokens=row.tokens),
            )
            if not _stored(board, response, row.row):
                intake.responses[key] = response
                if known is None:
                    board.by_name(where.model)
        new = len(intake.responses)
        run_id = intake.put({"responses": new}, progress)
    known_already = len(rows) - new
    return ImportReport(rows=len(rows), new=new, known=known_already, run_id=run_id, called=called)


def answer_of(
    row: Row, at: At, item: str, model: str, text: str, *, tokens: int | None = None
) -> PlacedAnswer:
    """An answer of another layout: of its row only the model's name is held."""
    about = Row(row.where, {"model": model})
    answer = AnswerRow(row=about, item_id=item, text=text, model=model, tokens=tokens)
    return VerdictAt(benchmark=at[0], version=at[1], item_id=item, model=model), answer


def _stored(board: Board, response: Response, row: Row) -> bool:
    """Whether the store has the answer, under this name or as a model of that name gave it."""
    model, place = row.text("model"), (response.item_id, response.sample)
    if board.other_answer(response.model_key, *place, response.text, response.turn):
        raise row.wrong(
            "text",
            f"the store has another answer of {model!r} to item {response.item_id!r}; give this "
            "model another name, or the answer another 'sample'",
        )
    return any(
        (place[0], key, place[1], response.turn) in board.answers
        and not board.other_answer(key, *place, response.text, response.turn)
        for key in (response.model_key, board.models.get(model, b""))
    )
