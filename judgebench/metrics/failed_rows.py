"""Verdicts that could not be had, as rows beside those that could."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from judgebench.metrics.verdict_table import FAILED, Columns


class _Where(NamedTuple):
    """A place on a board."""

    judge: str | None
    item_id: str
    model: str
    sample: int
    turn: int
    opponent: str | None
    order: str
    repeat: int


_DEFAULTS = {"turn": 0, "opponent": None, "order": "single", "repeat": 0}


def with_failures(verdicts: Columns, failures: Columns) -> dict[str, list[Any]]:
    """The verdicts, and a row of the kind `FAILED` for each that could not be had.

    Neither may vanish: an item that nobody could judge is missing from every model; an answer that
    a model could not give from the board of every judge, and from every other model's where it was
    to be compared with that answer.

    Parameters
    ----------
    verdicts, failures
        ``judge`` (None where an answer failed), ``item_id``, ``model``, ``sample``, and where they
        are known ``turn``, ``opponent``, ``order``, ``repeat`` and ``judge_kind``; failures also
        ``kind``, which comes back as ``failure_kind``.

    Returns
    -------
    dict
        All columns of the verdicts and those named here, and ``failure_kind``.
    """
    absent: dict[_Where, Any] = {}
    if len(failures["item_id"]):
        there = list(_places(verdicts))
        failed = list(zip(_places(failures), failures["kind"], strict=True))
        answered = {place._replace(order="single", repeat=0) for place in there}
        seats = _seats([*there, *(place for place, _ in failed)])
        for place, kind in failed:
            if place.judge is not None:
                absent.setdefault(place, kind)
                continue
            for missing in _missing_everywhere(place, seats):
                if missing not in answered:
                    absent.setdefault(missing, kind)
        for place in there:
            absent.pop(place, None)
    return _with_rows(verdicts, absent, _ways(verdicts) | _ways(failures))


def _ways(columns: Columns) -> dict[str, str]:
    """How each judge judges, where that is known."""
    return dict(zip(columns["judge"], columns.get("judge_kind", ()), strict=False))


def _seats(places: list[_Where]) -> dict[tuple[str, str | None], set[str]]:
    """Who is on the board of each judge, and of each judge and opponent."""
    seats: dict[tuple[str, str | None], set[str]] = {}
    for judge, opponent, model in {(p.judge, p.opponent, p.model) for p in places}:
        if judge is not None:
            seats.setdefault((judge, opponent), set()).add(model)
    return seats


def _missing_everywhere(
    answer: _Where, seats: dict[tuple[str, str | None], set[str]]
) -> Iterator[_Where]:
    for (judge, opponent), models in sorted(seats.items(), key=lambda seat: str(seat[0])):
        for model in sorted(models) if opponent == answer.model else [answer.model]:
            yield answer._replace(judge=judge, opponent=opponent, model=model)


def _places(columns: Columns) -> Iterator[_Where]:
    n = len(columns["item_id"])
    known = [columns[name] if name in columns else [_DEFAULTS[name]] * n for name in _Where._fields]
    return map(_Where._make, zip(*known, strict=True))


def _with_rows(
    verdicts: Columns, absent: dict[_Where, Any], ways: dict[str, str]
) -> dict[str, list[Any]]:
    n = len(verdicts["item_id"])
    columns = {name: list(values) for name, values in verdicts.items()}
    for name in _Where._fields:
        columns.setdefault(name, [_DEFAULTS.get(name)] * n)
        columns[name] += [getattr(place, name) for place in absent]
    columns["kind"] += [FAILED] * len(absent)
    columns.setdefault("judge_kind", [None] * n)
    columns["judge_kind"] += [ways.get(place.judge or "") for place in absent]
    columns["failure_kind"] = [None] * n + list(absent.values())
    for values in columns.values():
        values += [None] * (n + len(absent) - len(values))
    return columns
