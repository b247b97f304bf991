"""Verdicts combined by named rules: repeats and orders into one verdict, judges into a panel.

What comes out are columns like those that went in. They are shown beside the judges' own, under the
name of the rule, and never stored as verdicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from judgebench.config import Panel
from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.verdict_table import FAILED, Columns
from judgebench.metrics.win_rate import LOST, NEAR, TIED, WON


class _Place(NamedTuple):
    """An answer that is judged, alone or against an opponent's."""

    item_id: str
    model: str
    sample: int
    turn: int
    opponent: str | None


class _Said(NamedTuple):
    """A verdict, or why there is none. ``half``: one of two orders could not be read."""

    kind: str
    label: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    parts: Mapping[str, float] | None = None
    reason: str | None = None
    failure_kind: str | None = None
    half: bool = False

    @property
    def readable(self) -> bool:
        return self.kind not in ("unreadable", FAILED)


_Rule = Callable[[Sequence[_Said]], _Said]
_BySeat = dict[_Place, dict[str, _Said]]


def both_orders(columns: Columns) -> dict[str, list[Any]]:
    """One verdict for each judge and answer, whatever orders and repeats it was asked in.

    Of comparisons the repeats in each order are averaged, then the orders. Where one order cannot
    be read, the other one counts, and the row is marked ``half``. Of labels the one given most
    often counts (`tie` is unreadable), of scores the mean.

    Parameters
    ----------
    columns
        ``item_id``, ``model``, ``judge``, ``sample``, ``kind``, ``label``, ``value``, and where
        they are known ``low``, ``high``, ``parts``, ``turn``, ``opponent``, ``order``, ``repeat``,
        ``reason`` and ``failure_kind``.
    """
    return _columns(
        (place, judge, said)
        for place, by_judge in _settled(columns).items()
        for judge, said in by_judge.items()
    )


def panel_verdicts(columns: Columns, panel: Panel) -> dict[str, list[Any]]:
    """The verdicts of a panel, as a judge called ``panel.name``.

    Each judge has one verdict on an answer, as `both_orders` makes it.

    ``majority``
        Of labels the most frequent; where several are, there is no verdict (`tie`). Of comparisons
        whatever most judges say, won, lost or tied; where several are most frequent, tied.
    ``mean``
        Of scores the mean, and the mean of the parts that all of them have; of comparisons the mean
        probability.

    An answer with fewer readable verdicts than the panel needs has failed where one of the judges
    has, is not there yet where one has not been asked, and is unreadable otherwise.

    Parameters
    ----------
    columns
        As for `both_orders`.
    panel
        ``min_valid`` readable verdicts are needed; more than half of the judges if unset.

    Raises
    ------
    UsageError
        For a judge that has no verdict here, and for verdicts that the rule cannot combine.
    """
    known = sorted({str(judge) for judge in columns["judge"]})
    for judge in panel.judges:
        if judge not in known:
            raise UsageError(f"{panel.name}: {unknown_name('judge', judge, known)}")
    needed = panel.min_valid or len(panel.judges) // 2 + 1
    found = []
    for place, by_judge in _settled(columns).items():
        given = [by_judge[judge] for judge in panel.judges if judge in by_judge]
        readable = [said for said in given if said.readable]
        failed = [said for said in given if said.kind == FAILED]
        if len(readable) >= needed:
            found.append((place, panel.name, _rule(panel, readable)(readable)))
        elif failed:
            found.append((place, panel.name, failed[0]))
        elif len(given) == len(panel.judges):
            reason = f"{len(readable)} of {len(given)} judges readable, {needed} needed"
            found.append((place, panel.name, _Said("unreadable", reason=reason)))
    kind_of = dict(zip(columns["judge"], columns.get("judge_kind", ()), strict=False))
    return _columns(found) | {"judge_kind": [kind_of.get(panel.judges[0])] * len(found)}


def together(*tables: Columns) -> dict[str, list[Any]]:
    """The rows of several tables; None where one has no such column."""
    names = dict.fromkeys(name for table in tables for name in table)
    return {
        name: [
            value
            for table in tables
            for value in (table[name] if name in table else [None] * len(table["kind"]))
        ]
        for name in names
    }


# rules ------------------------------------------------------------------------------------------


def _rule(panel: Panel, given: Sequence[_Said]) -> _Rule:
    kinds = sorted({said.kind for said in given})
    if len(kinds) > 1:
        raise UsageError(f"{panel.name}: its judges give verdicts of several kinds: {kinds}")
    if (rule := _RULES.get((panel.rule, kinds[0]))) is None:
        other = next(rule for rule, kind in _RULES if kind == kinds[0])
        raise UsageError(f"{panel.name}: {kinds[0]}s have no {panel.rule}; take 'rule: {other}'")
    return rule


def _most_frequent_label(given: Sequence[_Said]) -> _Said:
    return _first_or(given, [said.label for said in given], _Said("unreadable", reason="tie"))


def _most_frequent_winner(given: Sequence[_Said]) -> _Said:
    outcomes = [_outcome(said.value) for said in given]
    found = _first_or(given, outcomes, _Said("preference", value=TIED))
    return found._replace(value=_outcome(found.value), half=any(said.half for said in given))


def _first_or(given: Sequence[_Said], votes: Sequence[Any], tie: _Said) -> _Said:
    """The first who said what most say."""
    most = Counter(votes).most_common(2)
    if len(most) > 1 and most[0][1] == most[1][1]:
        return tie
    return given[votes.index(most[0][0])]


def _outcome(p: float | None) -> float:
    assert p is not None  # a readable comparison has a probability
    if abs(p - TIED) < NEAR:
        return TIED
    return WON if p > TIED else LOST


def _mean_probability(given: Sequence[_Said]) -> _Said:
    half = any(said.half for said in given)
    return _Said("preference", value=fmean(said.value or 0.0 for said in given), half=half)


def _mean_score(given: Sequence[_Said]) -> _Said:
    scales = {(said.low, said.high) for said in given}
    if len(scales) > 1:
        raise UsageError(f"scores on several scales have no mean: {sorted(map(str, scales))}")
    named = [said.parts or {} for said in given]
    shared = [name for name in named[0] if all(name in parts for parts in named)]
    return given[0]._replace(
        value=fmean(said.value or 0.0 for said in given),
        parts={name: fmean(parts[name] for parts in named) for name in shared},
    )


_RULES: Mapping[tuple[str, str], _Rule] = {
    ("majority", "label"): _most_frequent_label,
    ("majority", "preference"): _most_frequent_winner,
    ("mean", "score"): _mean_score,
    ("mean", "preference"): _mean_probability,
}

_OF_REPEATS: Mapping[str, _Rule] = {
    "label": _most_frequent_label,
    "score": _mean_score,
    "preference": _mean_probability,
}


# repeats and orders -----------------------------------------------------------------------------


def _settled(columns: Columns) -> _BySeat:
    """One verdict of each judge on each answer, in the order in which the answers come."""
    by_order: dict[tuple[_Place, str], dict[str, list[_Said]]] = {}
    for place, judge, order, said in _rows(columns):
        by_order.setdefault((place, judge), {}).setdefault(order, []).append(said)
    found: _BySeat = {}
    for (place, judge), orders in by_order.items():
        found.setdefault(place, {})[judge] = _of_orders([_one(said) for said in orders.values()])
    return found


def _of_orders(given: Sequence[_Said]) -> _Said:
    found = _one(given)
    return found._replace(half=found.readable and not all(said.readable for said in given))


def _one(given: Sequence[_Said]) -> _Said:
    """What is readable combined; else why it failed, which may yet be mended; else why not."""
    if len(given) == 1:
        return given[0]
    readable = [said for said in given if said.readable]
    if readable:
        return _OF_REPEATS[readable[0].kind](readable)
    return next((said for said in given if said.kind == FAILED), given[0])


# columns in and out -----------------------------------------------------------------------------


def _rows(columns: Columns) -> Iterator[tuple[_Place, str, str, _Said]]:
    n = len(columns["kind"])

    def column(name: str, default: Any = None) -> Sequence[Any]:
        return list(columns[name]) if name in columns else [default] * n

    places = map(
        _Place._make,
        zip(
            columns["item_id"], columns["model"], columns["sample"], column("turn", 0),
            column("opponent"), strict=True,
        ),
    )  # fmt: skip
    orders = (order or "single" for order in column("order", "single"))
    names = [name for name in _Said._fields if name != "half"]
    said = map(_Said._make, zip(*(column(name) for name in names), [False] * n, strict=True))
    yield from zip(places, map(str, columns["judge"]), orders, said, strict=True)


def _columns(rows: Iterator[tuple[_Place, str, _Said]] | list[Any]) -> dict[str, list[Any]]:
    found = list(rows)
    columns: dict[str, list[Any]] = {
        name: [getattr(place, name) for place, _, _ in found] for name in _Place._fields
    }
    columns |= {name: [getattr(said, name) for _, _, said in found] for name in _Said._fields}
    return columns | {
        "judge": [judge for _, judge, _ in found],
        "order": ["single"] * len(found),
        "repeat": [0] * len(found),
    }
