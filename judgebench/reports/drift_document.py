"""Anchors for printing: what was pinned, how often the judge was asked again, what came of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from judgebench.reports.document import Column, Document, Table
from judgebench.reports.drift import JudgeDrift, LookBack, day
from judgebench.reports.estimates import UNDEFINED, finite
from judgebench.stats.judge_drift import ALPHA
from judgebench.store import Store


def document(found: Sequence[JudgeDrift], store: Store, *, looks: bool) -> Document:
    """A row for each set of anchors; with ``looks`` a further table of every look at each."""
    names = {judge.id: judge.name for judge in store.judges()}
    tables = [_overview(found, names)]
    if looks:
        tables += [_looks(one, names) for one in found if one.looks]
    records = [_record(one, names) for one in found]
    data = [
        record | {"looks": [_look(look) for look in one.looks]}
        for record, one in zip(records, found, strict=True)
    ]
    return Document(tables=tables, records=records, data={"anchors": data})


def state(one: JudgeDrift) -> str:
    """What is known of the judge, in a word or two."""
    if not one.looks:
        return "not asked again yet"
    if one.served_alarm is not None:
        return "another model serves it"
    return "steady" if one.since is None else f"drift since {day(one.since.at)}"


def _overview(found: Sequence[JudgeDrift], names: dict[str, str]) -> Table:
    columns = (
        "benchmark",
        "judge",
        "pinned",
        "answers",
        "looks",
        "last",
        "otherwise",
        "shift",
        "p",
    )
    wide = {"benchmark", "judge"}
    return Table(
        title="anchors",
        subtitle=(
            "answers a judge is asked about again; otherwise: the share that it judges otherwise "
            "at its last look; p: always valid, of a judge that has not changed"
        ),
        columns=[
            *(
                Column(title=name, wraps=name in wide, align="left" if name in wide else "right")
                for name in columns
            ),
            Column(title="state", wraps=True),
        ],
        rows=[_row(one, names) for one in found],
        notes=_notes(found),
    )


def _notes(found: Sequence[JudgeDrift]) -> list[str]:
    if not found:
        return ["none yet; `judgebench anchors pin BENCHMARK --judge JUDGE` pins some"]
    notes = [f"{one.anchors.benchmark}: {one.alarm}" for one in found if one.alarm is not None]
    if any(len(one.looks) == 1 for one in found):
        notes.append(
            "after one look only a shift of the mean can be told; from the second on also verdicts "
            "that change in both directions, since a judge's own noise is known by then"
        )
    return notes


def _row(one: JudgeDrift, names: dict[str, str]) -> list[str]:
    last = one.looks[-1] if one.looks else None
    return [
        f"{one.anchors.benchmark}@{one.anchors.version}",
        names.get(one.anchors.judge_id, one.anchors.judge_id),
        day(one.anchors.at),
        str(one.answers),
        str(len(one.looks)),
        UNDEFINED if last is None else day(last.at),
        UNDEFINED if last is None else _percent(last.changed),
        UNDEFINED if last is None else _shift(last, one.unit),
        UNDEFINED if math.isnan(one.drift.p_value) else f"{one.drift.p_value:.2g}",
        state(one),
    ]


def _looks(one: JudgeDrift, names: dict[str, str]) -> Table:
    evidence = zip_longest(one.looks, one.drift.shift, one.drift.unlike)
    rows = [
        [
            day(look.at),
            str(look.answers),
            str(look.unreadable),
            _percent(look.changed),
            _shift(look, one.unit),
            UNDEFINED if shift is None else f"{shift:.3g}",
            UNDEFINED if unlike is None else f"{unlike:.3g}",
            ", ".join(look.served) or UNDEFINED,
        ]
        for look, shift, unlike in evidence
    ]
    judge = names.get(one.anchors.judge_id, one.anchors.judge_id)
    titles = ("look", "answers", "unreadable", "otherwise", "shift", "evidence: mean", "verdicts")
    return Table(
        title=f"{one.anchors.benchmark}@{one.anchors.version}, {judge}: every look",
        subtitle=f"evidence of {2.0 / ALPHA:g} in either column is called drift, and ends the bets",
        columns=[
            *(Column(title=title, align="right") for title in titles),
            Column(title="served by", wraps=True),
        ],
        rows=rows,
        notes=[],
    )


def _record(one: JudgeDrift, names: dict[str, str]) -> dict[str, Any]:
    return {
        "benchmark": one.anchors.benchmark,
        "version": one.anchors.version,
        "judge": names.get(one.anchors.judge_id, one.anchors.judge_id),
        "judge_id": one.anchors.judge_id,
        "pinned_at": one.anchors.at,
        "answers": one.answers,
        "p_value": finite(one.drift.p_value),
        "drift": one.since is not None,
        "since": None if one.since is None else one.since.at,
        "state": state(one),
        "alarm": one.alarm,
    }


def _look(look: LookBack) -> dict[str, Any]:
    return {
        "at": look.at,
        "answers": look.answers,
        "unreadable": look.unreadable,
        "changed": finite(look.changed),
        "shift": finite(look.shift),
        "served": list(look.served),
    }


def _percent(share: float) -> str:
    return UNDEFINED if math.isnan(share) else f"{100 * share:.1f} %"


def _shift(look: LookBack, unit: float) -> str:
    return UNDEFINED if math.isnan(look.shift) else f"{unit * look.shift:+.2f}"
