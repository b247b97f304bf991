"""Rows of a verdicts or labels file, read into verdicts with their coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path

from judgebench.errors import InputError, unknown_name
from judgebench.exchange.known_items import refuse_undeclared
from judgebench.exchange.names import benchmark_name, judge_name, name, optional_name
from judgebench.records import Label, Order, Preference, Reply, Score, Unreadable, Verdict
from judgebench.rows import OURS, Layout, Row, read_rows
from judgebench.store.codec import readable

REQUIRED = ("item_id", "model", "judge")
FIELDS = (
    "benchmark", "version", *REQUIRED, "kind", "value", "opponent", "order", "sample", "turn",
    "repeat", "p", "low", "high", "reason",
)  # fmt: skip
ORDERS: tuple[Order, ...] = ("single", "model_first", "opponent_first")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What a verdict is about, by the names in the file."""

    benchmark: str
    version: str
    item_id: str
    model: str
    judge: str
    opponent: str | None
    order: Order
    sample: int
    turn: int
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow:
    """One row of a file, read; with the judge's reply where the file has it."""

    row: Row
    where: Where
    verdict: Verdict
    reply: Reply | None = None

    @property
    def at(self) -> tuple[str, str]:
        """Benchmark and version."""
        return self.where.benchmark, self.where.version


def read_verdicts(
    path: Path,
    default_version: Callable[[str], str],
    about: tuple[str, str] | None = None,
    layout: Layout = OURS,
) -> list[VerdictRow]:
    """All verdicts of a file; ``about`` is the benchmark and version where rows need not name one.

    A row without a kind is a preference where it has an opponent, a score where it has a scale,
    unreadable where it has a reason in place of a value, and else a label.

    Raises
    ------
    InputError
        Naming the line and field of what cannot be used.
    """
    versions: dict[str, str] = {}
    found = []
    labels: dict[str, list[tuple[Row, str]]] = {}
    for row in read_rows(path, REQUIRED if about else ("benchmark", *REQUIRED), layout):
        benchmark = about[0] if about and not row.has("benchmark") else benchmark_name(row)
        if about and benchmark == about[0]:
            versions[benchmark] = about[1]
        if not row.has("version") and benchmark not in versions:
            versions[benchmark] = default_version(benchmark)
        version = optional_name(row, "version") or versions[benchmark]
        one = _read(row, benchmark, version)
        found.append(one)
        if isinstance(one.verdict, Label):
            labels.setdefault(benchmark, []).append((row, one.verdict.name))
    for benchmark, given in labels.items():
        refuse_undeclared(given, benchmark)
    return found


def _read(row: Row, benchmark: str, version: str) -> VerdictRow:
    where = Where(
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
    kind = row.optional_text("kind") or _usual_kind(row)
    if kind not in _READERS:
        raise row.wrong("kind", unknown_name("kind of verdict", kind, _READERS))
    if kind == "preference" and where.opponent is None:
        raise row.wrong("opponent", "is missing: a preference is between two models")
    if where.opponent is not None and kind in ("label", "score"):
        raise row.wrong("opponent", f"a {kind} is about one answer; leave this field empty")
    if where.order != "single" and where.opponent is None:
        raise row.wrong("order", "only a comparison with an 'opponent' has an order")
    verdict = _READERS[kind](row, where)
    if where.opponent == where.model and not _is_tie(verdict):  # AlpacaEval has these as ties
        raise row.wrong("opponent", f"{where.model!r} cannot be its own opponent, but for a tie")
    return VerdictRow(row=row, where=where, verdict=verdict)


def _usual_kind(row: Row) -> str:
    if not row.has("value") and row.has("reason"):
        return "unreadable"
    if row.has("opponent"):
        return "preference"
    return "score" if row.has("low") or row.has("high") else "label"


def _is_tie(verdict: Verdict) -> bool:
    return isinstance(verdict, Preference) and verdict.winner is None


def _order(row: Row) -> Order:
    given = row.optional_text("order") or "single"
    for order in ORDERS:
        if given == order:
            return order
    raise row.wrong("order", unknown_name("order", given, ORDERS) + ", or empty")


def _label(row: Row, where: Where) -> Label:
    # Our own export keeps names and numbers in columns of their own.
    said = row.text("label" if row.has("label") and not row.has("value") else "value")
    p = row.number("p") if row.has("p") else None
    if p is not None and not 0 <= p <= 1:
        raise row.wrong("p", f"a probability in [0, 1], not {p:g}")
    return Label(name=said, p=p)


def _score(row: Row, where: Where) -> Score:
    value, low, high = (row.number(field) for field in ("value", "low", "high"))
    if not low < high:
        raise row.wrong("low", f"the scale goes from low to high, not from {low:g} to {high:g}")
    if not low <= value <= high:
        raise row.wrong("value", f"{value:g} is outside its scale, {low:g} to {high:g}")
    return Score(value=value, low=low, high=high)


def _preference(row: Row, where: Where) -> Preference:
    value = row.number("value")
    if not 0 <= value <= 1:
        raise row.wrong(
            "value", f"the probability that 'model' beats 'opponent', in [0, 1], not {value:g}"
        )
    p_first = 1 - value if where.order == "opponent_first" else value
    return Preference(winner=None if p_first == 0.5 else 0 if p_first > 0.5 else 1, p_first=p_first)


def _unreadable(row: Row, where: Where) -> Unreadable:
    if row.has("value"):
        raise row.wrong("value", "an unreadable verdict has none; leave this field empty")
    return Unreadable(reason=row.text("reason"))


_READERS: dict[str, Callable[[Row, Where], Verdict]] = {
    "label": _label,
    "score": _score,
    "preference": _preference,
    "unreadable": _unreadable,
}


def once_each(rows: Sequence[VerdictRow]) -> list[VerdictRow]:
    """Rows that stand twice, once.

    Raises
    ------
    InputError
        For two rows about the same with different values, naming both.
    """
    first: dict[Where, VerdictRow] = {}
    for row in rows:
        before = first.setdefault(row.where, row)
        if not same(before.verdict, row.verdict):
            raise InputError(
                f"{row.row.where}: value: {say(row.verdict)}, but {before.row.where} says "
                f"{say(before.verdict)} about the same item, model and judge; delete one, or give "
                "repeats a 'repeat' of their own"
            )
    return list(first.values())


def same(one: Verdict, other: Verdict) -> bool:
    """Whether two verdicts say the same, but for the last digit of a number.

    A reason may have been written to a file and read again, which has no NUL in it any more.
    """
    match one, other:
        case Preference(p_first=p), Preference(p_first=q):
            return isclose(p, q, abs_tol=1e-12)
        case Score(value=p, low=low, high=high), Score(value=q):
            return isclose(p, q, abs_tol=1e-12) and (low, high) == (other.low, other.high)
        case Label(name=said, p=None), Label(p=None):
            return said == other.name
        case Label(name=said, p=float(p)), Label(p=float(q)):
            return said == other.name and isclose(p, q, abs_tol=1e-12)
        case Unreadable(reason=reason), Unreadable(reason=again):
            return reason == again or readable(reason) == again
        case _:
            return one == other


def say(verdict: Verdict) -> str:
    """A verdict in a few words, for messages."""
    match verdict:
        case Label(name=said, p=p):
            return repr(said) if p is None else f"{said!r} (p {p:g})"
        case Score(value=value):
            return f"score {value:g}"
        case Preference(p_first=p):
            return f"preference {p:g} for the answer shown first"
        case Unreadable(reason=reason):
            return f"unreadable ({reason[:60]})"
