"""What the Compare page reads: who can be compared, the report's numbers, and items that decided.

Nothing is computed here. The numbers are those of `judgebench compare`, a report for each model
that the first one is compared with.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import charts
import computations
import streamlit as st
from answers import State
from codec import read
from computed import answer
from item_reads import words
from long_text import visible
from open_store import opened
from reads import KEPT

from judgebench.errors import UsageError
from judgebench.metrics import registry
from judgebench.reports import compare_document
from judgebench.reports.compare import Comparison, Difference
from judgebench.reports.document import Document
from judgebench.reports.estimates import p_text
from judgebench.reports.gate_document import head
from judgebench.reports.model_pairs import Flip
from judgebench.reports.render import render
from judgebench.store.catalog import distinct_names
from judgebench.store.read import ToldVerdict

MINE, THEIRS, NEITHER = "first", "second", "rest"
"""Whom a test speaks for: the tones of `charts.Ink`, blue, orange and grey."""

ORDERS = {"single": "", "model_first": "shown first", "opponent_first": "shown second"}

# who can be compared ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Who:
    """A model or a judge: its short id and its newest name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A judge has looked at a model's answers on a benchmark, beside an opponent's or alone."""

    benchmark: str
    version: str
    judge: Who
    model: Who
    opponent: Who | None

    @property
    def board(self) -> tuple[str, str, Who, Who | None]:
        """What two models share that were each judged so."""
        return self.benchmark, self.version, self.judge, self.opponent

    @property
    def models(self) -> tuple[Who, ...]:
        """Who can be compared by it: the model, and whom it was compared with directly."""
        return (self.model,) if self.opponent is None else (self.opponent, self.model)

    def is_between(self, first: str, others: Collection[str]) -> bool:
        """Whether it compares one with some of the others directly, whichever was the opponent."""
        two = [who.id for who in self.models]
        return len(two) > 1 and any(sorted((first, one)) == sorted(two) for one in others)


@dataclass(frozen=True, slots=True)
class Meetings:
    """Who was judged by whom on what, and what models and judges are called, by short id."""

    all: Sequence[Judged]
    models: Mapping[str, str]
    judges: Mapping[str, str]

    @classmethod
    def of(cls, known: Sequence[Judged]) -> Meetings:
        names = [
            distinct_names({one.id: one.name for one in ones})
            for ones in ([who for m in known for who in m.models], [m.judge for m in known])
        ]
        return cls(known, *names)

    def telling(
        self, weighs: Callable[[Sequence[Judged]], int], least: int = 1
    ) -> list[tuple[str, str]]:
        """Benchmarks, by name and version, that weigh at least so much, the heaviest first."""
        of: dict[tuple[str, str], list[Judged]] = {}
        for one in self.all:
            of.setdefault((one.benchmark, one.version), []).append(one)
        weights = {place: weighs(its) for place, its in of.items()}
        heavy = [place for place, weight in weights.items() if weight >= least]
        return sorted(heavy, key=lambda place: -weights[place])

    def newest_first(self) -> list[str]:
        """Every model that was judged, who came last first; then who was only compared with."""
        judged = [*reversed(dict.fromkeys(one.model.id for one in self.all))]
        met = reversed(dict.fromkeys(who.id for one in self.all for who in one.models))
        return [*dict.fromkeys([*judged, *met])]

    def beside(self, first: str) -> list[str]:
        """The models that share a board with one, or were compared with it directly."""
        its = {one.board for one in self.all if one.model.id == first}
        sharing = {one.model.id for one in self.all if one.board in its}
        for one in self.all:
            two = {who.id for who in one.models}
            sharing |= two if first in two else set()
        return [model for model in self.newest_first() if model in sharing - {first}]

    def shared(self, first: str, others: Collection[str]) -> list[Judged]:
        """What the first model and some of the others have in common: boards, and each other."""
        theirs = {one.board for one in self.all if one.model.id in others}
        return [
            one
            for one in self.all
            if (one.model.id == first and one.board in theirs) or one.is_between(first, others)
        ]


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def meetings(url: str, mark: str) -> Meetings:
    return Meetings.of(
        [
            Judged(
                benchmark=one["benchmark"],
                version=one["version"],
                judge=Who(*one["judge"]),
                model=Who(*one["model"]),
                opponent=None if one["opponent"] is None else Who(*one["opponent"]),
            )
            for one in State(url, mark).soon(computations.met)
        ]
    )


def n_judges(known: Sequence[Judged]) -> int:
    """How many there are of a benchmark, as a weight."""
    return len({one.judge.id for one in known})


def n_nights(known: Sequence[Judged]) -> int:
    """How many models of one name a judge has judged, at most, as a weight."""
    found = {(*one.board, one.model.name, one.model.id) for one in known}
    return max(Counter(of[:-1] for of in found).values(), default=0)


def benchmarks_of(shared: Sequence[Judged]) -> dict[str, tuple[str, str]]:
    """What each benchmark is called in a link: its name, with the version where it has several."""
    pairs = list(dict.fromkeys((one.benchmark, one.version) for one in shared))
    names = [name for name, _ in pairs]
    return {
        name if names.count(name) == 1 else f"{name}@{version}": (name, version)
        for name, version in pairs
    }


# the numbers ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a reader chose, models and judge by short id; None where all are wanted."""

    first: str
    benchmark: tuple[str, str] | None
    judge: str | None
    metric: str | None
    by: str | None


@st.cache_resource(max_entries=KEPT, show_spinner="Computing intervals …")
def compared(url: str, mark: str, asked: Asked, second: str, names: tuple[str, str]) -> Comparison:
    """The report on two models, under the names that the page calls them by.

    It is frozen, so that all readers can look at one and the same.

    Raises
    ------
    UsageError
        Where the two have nothing in common.
    """
    given = {
        "first": asked.first,
        "second": second,
        "benchmarks": [] if asked.benchmark is None else ["@".join(asked.benchmark)],
        "judges": [] if asked.judge is None else [asked.judge],
        "metrics": [] if asked.metric is None else [asked.metric],
        "by": asked.by,
    }
    report = read(Comparison, answer(url, mark, "computed_reports.compared", json.dumps(given)))
    called = {asked.first: names[0], second: names[1]}
    notes = tuple(_left_out(note, called) for note in report.notes)
    return replace(report, first=names[0], second=names[1], notes=notes)


def _left_out(note: str, called: Mapping[str, str]) -> str:
    """A benchmark that is not drawn, and why: by names, and without all that could be compared."""
    if not note.startswith("left out: "):
        return note
    for one, name in called.items():
        note = note.replace(f"'{one}'", f"'{name}'")
    return note.partition(". Known: ")[0]


def reports(
    url: str, mark: str, asked: Asked, seconds: Sequence[str], models: Mapping[str, str]
) -> tuple[dict[str, Comparison], list[str]]:
    """A report for each of the others by its id, and of whom there is none, and why."""
    found, faults = {}, []
    for second in seconds:
        names = models[asked.first], models[second]
        try:
            found[second] = compared(url, mark, asked, second, names)
        except UsageError as error:
            faults.append(f"{' and '.join(names)}: {error}")
    return found, faults


def rendered(found: Sequence[Comparison], form: str) -> str:
    """The reports as `judgebench compare` writes them, one behind the other."""
    documents = [compare_document.document(report) for report in found]
    return render(
        Document(
            tables=[table for one in documents for table in one.tables],
            records=[record for one in documents for record in one.records],
            data=[one.data for one in documents],
        ),
        form,
    )


def family(test: Difference) -> str:
    """The metric, whatever group it is of: what is drawn on one axis."""
    return test.metric.partition("/")[0]


def scale_of(test: Difference) -> float:
    return registry.metric(family(test)).drawn_times


def called(test: Difference, *, several: bool) -> str:
    """What a test is of, on one line."""
    parts = [
        f"{test.benchmark}@{test.version}",
        test.judge,
        compare_document.measured(test),
        "" if test.higher_is_better else "lower is better",
        f"vs {test.second}" if several else "",
    ]
    return visible(" · ".join(part for part in parts if part))


def short(
    test: Difference, *, several: bool, one_benchmark: bool = False, one_board: bool = False
) -> str:
    """A test beside its bar, where the axis says the metric.

    Of one benchmark without its name, of one judge and opponent without theirs, if others tell
    the tests apart: the caption has them.
    """
    alike = one_board and bool(several or test.group)
    parts = [
        "" if one_benchmark else test.benchmark,
        "" if alike else test.judge,
        f"vs {test.second}" if several else "",
        test.group or "",
        test.confidence or "",
        "" if test.higher_is_better else "lower is better",
        "directly" if test.direct else "",
        f"against {test.opponent}" if test.opponent and not alike else "",
    ]
    return visible(" · ".join(part for part in parts if part))


def row(test: Difference, *, several: bool) -> dict[str, Any]:
    """A test as it is drawn and tabled; shares in percent, as boards show them."""
    scale = scale_of(test)
    better, worse = compare_document.moved(test)
    estimate = test.difference
    return {
        "decision": test.decision,
        "benchmark": f"{test.benchmark}@{test.version}",
        "judge": test.judge,
        "metric": compare_document.measured(test),
        "against": test.second,
        "first": test.values[0] * scale,
        "second": test.values[1] * scale,
        "value": estimate.value * scale,
        "low": estimate.low * scale,
        "high": estimate.high * scale,
        "p adjusted": p_text(test.p_adjusted),
        "p": p_text(test.p_value),
        "better": better,
        "equal": test.equal,
        "worse": worse,
        "n": estimate.n,
        "missing": estimate.missing,
        "detectable": test.detectable * scale,
        "because": test.because or "",
        "undefined": estimate.undefined or "",
        "name": short(test, several=several),
        "test": called(test, several=several),
        "tone": tone(test),
    }


def tone(test: Difference) -> str:
    return {"better": MINE, "worse": THEIRS, "undecided": NEITHER}[test.decision]


def note(line: Mapping[str, Any], digits: int) -> str:
    """What stands at the right of an interval."""
    counts = f"n {line['n']:,}" + (f", {line['missing']:,} missing" if line["missing"] else "")
    if math.isnan(line["value"]):
        return f"{charts.GAP} {line['undefined']} · {counts}"
    ends = [signed(line[end], digits) for end in ("low", "high")]
    said = f"{line['decision']} {signed(line['value'], digits)} [{ends[0]}, {ends[1]}]"
    p = line["p adjusted"]
    return f"{said} · p {p} · {counts}".replace("p <", "p < ")


def signed(value: float, digits: int) -> str:
    """A number with its sign; a dash where there is none."""
    if math.isnan(value):
        return charts.GAP
    return ("+" if value > 0 else "") + charts.number(value, digits)


def identity(found: Sequence[Comparison], tests: Sequence[Difference]) -> str:
    """One line: who is compared with whom, on how much, and what came of it."""
    verdicts = "; ".join(f"against {report.second}: {report.verdict}" for report in found)
    benchmarks = {(test.benchmark, test.version) for test in tests}
    of_judges = len({test.judge for test in tests})
    parts = [
        f"{found[0].first} {verdicts}",
        f"{len(benchmarks)} benchmark{'s' if len(benchmarks) > 1 else ''}",
        f"{of_judges} judge{'s' if of_judges > 1 else ''}",
        f"intervals at {100 * found[0].level:g} %",
    ]
    return visible(" · ".join(parts))


def notes(found: Sequence[Comparison], *, several: bool) -> list[str]:
    """Why whole benchmarks are undecided, and what has to be known to believe a row."""
    said = [
        f"{called(test, several=several)}: {line}"
        for report in found
        for test in report.tests
        for line in (*([test.because] if test.because and not test.group else []), *test.notes)
    ]
    of_pairs = dict.fromkeys(note for one in found for note in one.notes)
    return [visible(line) for line in [*said, *of_pairs]]


def gate_notes(found: Sequence[Comparison], *, several: bool) -> list[str]:
    """How often a gate by each row would pass an unchanged model."""
    return [
        visible(f"{called(test, several=several)}: {words}")
        for report in found
        for test in report.tests
        if (words := compare_document.gate_words(test)) is not None
    ]


# the items that decided -------------------------------------------------------------------------


def telling(test: Difference) -> list[Flip]:
    """The items on which the two differ, those that decided most first."""
    return compare_document.most_telling(test, len(test.flips))


@st.cache_data(max_entries=KEPT, show_spinner=False)
def heads(
    url: str, mark: str, benchmark: str, version: str, items: tuple[str, ...]
) -> dict[str, str]:
    """The beginnings of the questions of some items."""
    with opened(url) as store:
        asked = store.items(benchmark, version, items)
    return {item.id: head(item.question) for item in asked if item.turns}


def said_of(
    told: Sequence[ToldVerdict], model: str, judges: Mapping[str, str]
) -> list[tuple[str, ToldVerdict]]:
    """What judges said of a model on an item, judge by judge, both orders and repeats together."""
    its = [(judges.get(one.judge.id, one.judge.name), one) for one in told if one.model.id == model]
    return sorted(
        its,
        key=lambda pair: (
            pair[0],
            pair[1].opponent.id if pair[1].opponent else "",
            pair[1].sample,
            pair[1].turn,
            pair[1].repeat,
            pair[1].order,
            -pair[1].at,
        ),
    )


def beside(
    first: Sequence[tuple[str, ToldVerdict]], second: Sequence[tuple[str, ToldVerdict]]
) -> list[dict[str, str]]:
    """The verdicts that count on both, a row for each judge, order and repeat."""
    rows: dict[tuple[Any, ...], dict[str, str]] = {}
    for side, told in (("first", first), ("second", second)):
        for judge, one in told:
            if not one.counts:
                continue
            opponent = one.opponent.name if one.opponent else ""
            place = (judge, opponent, one.sample, one.turn, one.repeat, one.order)
            line = rows.setdefault(
                place,
                {
                    "judge": judge,
                    "against": opponent,
                    "order": ORDERS[one.order],
                    "repeat": f"{one.repeat}" if one.repeat else "",
                    "first": "",
                    "second": "",
                },
            )
            line[side] = words(one.verdict, one)
    return [rows[place] for place in sorted(rows)]
