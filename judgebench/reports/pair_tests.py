"""One test of two models, as compare and gate show it: figures, and the items that decided it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, overload

import numpy as np

from judgebench.columns import grouped
from judgebench.metrics.intervals import Floats
from judgebench.metrics.paired import PairedModels, PairedTests, difference
from judgebench.metrics.registry import metric, of_confidence
from judgebench.plain_text import printable
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.document import (
    Cells,
    Chart,
    OfBenchmark,
    Part,
    Spread,
    Table,
    column,
    json_after,
    json_field,
    table,
)
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.reports.model_pairs import PairData

MOST_FLIPS = 10
_SHOWN = 160
_LONGEST = 4_000  # characters of a text on a page

Place: TypeAlias = tuple[str, str, str]
"""A benchmark, its version, and an item."""

Who: TypeAlias = tuple[str, str]
"""The title of a column, and whose it is: ``candidate`` or ``baseline``."""


Meaning = Literal["exchanged", "asked again"]
"""What an unchanged model is: verdicts changed hands item by item, or one model asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """How often one test passes an unchanged model; figures are in the metric's units.

    chance
        nan where it is not known, and then ``undefined`` says why.
    margin, items
        The allowed drop, and the number of items, with which an unchanged model would pass the
        whole policy on 80 % of nights, were it so with each of its tests; nan for none.
    never
        Why it does not pass whatever drop is allowed; None where it may.
    """

    meaning: Meaning
    chance: float
    margin: float
    items: float
    answers: float
    nights: float
    undefined: str | None = None
    never: str | None = None


class Flip(NamedTuple):
    """An item on which the two models differ, in the metric's units."""

    item_id: str
    candidate: float
    baseline: float


@dataclass(frozen=True, slots=True)
class Flips(Sequence[Flip]):
    """Some items on which two models differ, kept by columns: there may be a hundred thousand."""

    items: tuple[str, ...] = ()
    candidate: tuple[float, ...] = ()
    baseline: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, at: int) -> Flip: ...
    @overload
    def __getitem__(self, at: slice) -> Flips: ...
    def __getitem__(self, at: Any) -> Flip | Flips:
        its: Any = self.items[at], self.candidate[at], self.baseline[at]
        return Flips(*its) if isinstance(at, slice) else Flip(*its)

    @property
    def difference(self) -> Floats:
        return np.subtract(self.candidate, self.baseline)

    def sorted_by(self, *keys: Floats) -> Flips:
        """Ascending, by the first key first; equal ones by their ids."""
        order = np.lexsort((np.array(self.items, dtype=np.str_), *reversed(keys))).tolist()
        of: Any = self.items, self.candidate, self.baseline
        return Flips(*(tuple([one[at] for at in order]) for one in of))


class Coverage(NamedTuple):
    """The share of readable verdicts among all that should be there."""

    candidate: float
    baseline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTest(OfBenchmark):
    """One test of a candidate against a baseline; figures are in the metric's units.

    candidate, baseline
        As the benchmark's boards show them.
    confidence, higher_is_better
        Of what confidence the metric is, None elsewhere; where lower is better, ``max_drop`` and
        ``detectable_difference`` are rises.
    difference
        Candidate minus baseline, with the bounds that decide; ``worst_low`` and ``worst_high`` with
        what is missing at its ends.
    p_value, p_adjusted
        Before and after what is done for several tests; nan where nothing could be tested.
    because
        Why it is not decided; None where it is.
    detectable_difference
        What these items find with a power of 80 %, at the strictest level among all tests; nan
        where that is not known.
    flips
        The items on which the two differ, those that cost the candidate most first.
    max_drop, unchanged
        The allowed drop, and how often a gate that allows it passes a model that is as good;
        None where nobody worked it out.
    """

    metric: str
    confidence: str | None = None
    higher_is_better: bool = True
    judge: str
    baseline: str
    candidate: str
    baseline_value: float
    candidate_value: float
    difference: Estimate
    p_value: float
    p_adjusted: float
    because: str | None
    detectable_difference: float
    coverage: Coverage
    flips: Flips = Flips()
    max_drop: float = math.nan
    unchanged: Unchanged | None = json_field(hidden=True, default=None)

    @property
    @json_after("because")
    def chance_unchanged_passes(self) -> float:
        return math.nan if self.unchanged is None else self.unchanged.chance

    @property
    @json_after("chance_unchanged_passes")
    def margin_for_80(self) -> float:
        return math.nan if self.unchanged is None else self.unchanged.margin

    @property
    def measured(self) -> str:
        """The metric, and of which confidence."""
        return of_confidence(self.metric, self.confidence)

    @property
    def about(self) -> str:
        """What a note is about."""
        return f"{self.benchmark}, {self.judge}, {self.measured}"

    @property
    def limit(self) -> str:
        """What is allowed so much of."""
        return "drop" if self.higher_is_better else "rise"

    @property
    def better(self) -> int:
        """On how many items the candidate is better."""
        return int(((self.flips.difference > 0.0) == self.higher_is_better).sum())

    @property
    def worse(self) -> int:
        return len(self.flips) - self.better

    def text(self, value: float, how: str = "") -> str:
        """A figure with the metric's digits; a dash where there is none."""
        shown = f"{value:{how}.{metric(self.metric).digits}f}"
        return shown if math.isfinite(value) else estimates.UNDEFINED

    @property
    def interval(self) -> str:
        """The difference with its interval, and that lower is better where it is."""
        return estimates.text(
            self.difference,
            digits=metric(self.metric).digits,
            beside="" if self.higher_is_better else ", lower is better",
        )


def drop_words(drop: float, name: str) -> str:
    """A drop as people say it: points of a share or a percentage, else in the scale's own units."""
    if name.partition("/")[0] == "score":
        return f"{drop:.{metric(name).digits}f} on the scale"
    percent_of = drop if metric(name).in_percent else 100.0 * drop
    # Rounded up: what is said suffices.
    points = math.ceil(10.0 * percent_of - 1e-9) / 10.0
    return f"{points:g} points"


def percent(chance: float) -> str:
    """A chance in whole percent, never a bare 0 or 100 unless it is one."""
    if 0.0 < chance < 0.005:
        return "under 1 %"
    if 0.995 <= chance < 1.0:
        return "over 99 %"
    return f"{100 * chance:.0f} %"


FIGURES: tuple[Part, ...] = (
    *(Spread("difference", (name,), "difference_") for name in ("value", "low", "high", "missing")),
    Spread("coverage", prefix="coverage_"),
)
"""The last columns of a test's row."""

DIFFERENCES = Chart(
    along="benchmark, judge", by="metric",
    value="difference_value", low="difference_low", high="difference_high",
)  # fmt: skip
"""The chart of tests: their differences, with intervals."""


def shared_columns(first: Who, second: Who) -> list[Cells[Any]]:
    """What a table of tests has after its decisions.

    Parameters
    ----------
    first, second
        Title of a column, and whose figure it shows.
    """

    def figure(of: str) -> Callable[[PairTest], str]:
        return lambda one: one.text(getattr(one, f"{of}_value"))

    return [
        column("benchmark", lambda one: one.place, wraps=True),
        column("judge", lambda one: one.judge, wraps=True),
        column("metric", lambda one: one.measured, wraps=True),
        *(column(title, figure(of), align="right") for title, of in (first, second)),
        column("difference", lambda one: one.interval, align="right"),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairQuestion:
    """One test, computed; decided when the others are known."""

    data: PairData
    two: tuple[str, str]
    pair: PairedModels
    compared: PairedTests

    def figures(self, ends: tuple[float, float], *, level: float) -> dict[str, Any]:
        """What `PairTest` says whatever is decided.

        Parameters
        ----------
        ends, level
            As for `judgebench.metrics.paired.difference`.
        """
        pair, compared, which = self.pair, self.compared, self.data.which
        return {
            "benchmark": which.name,
            "version": which.version,
            "metric": pair.metric,
            "confidence": pair.confidence,
            "higher_is_better": pair.higher_is_better,
            "judge": pair.judge,
            "baseline": self.two[1],
            "candidate": self.two[0],
            "baseline_value": compared.baseline * pair.shown + 0.0,  # no -0.0
            "candidate_value": compared.candidate * pair.shown + 0.0,
            "difference": difference(pair, compared, ends, level=level),
            "coverage": Coverage(*pair.coverage),
            "flips": flips(pair),
        }


def flips(pair: PairedModels) -> Flips:
    """The items on which the two differ, those that cost the candidate most first."""
    of = pair.by_question
    mine, theirs = of.of_items.T
    at = np.flatnonzero(np.abs(mine - theirs) > 0.0)  # nan is none
    shown = (tuple((one[at] * pair.shown).tolist()) for one in (mine, theirs))
    found = Flips(tuple([of.items[one] for one in at]), *shown)
    return found.sorted_by(found.difference * math.copysign(1.0, pair.shown))


# the items that decided -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What items say of which some are shown.

    questions
        By benchmark, version and item.
    answers
        By benchmark, version and item, then by short id of the model. Of several samples the first,
        with all of its turns; an imported verdict may have none.
    """

    questions: dict[Place, str] = field(default_factory=dict)
    answers: dict[Place, dict[str, str]] = field(default_factory=dict)


NO_TEXTS = Texts()


def texts_of(
    store: Store, wanted: Iterable[tuple[PairTest, Sequence[Flip]]], models: Collection[str] = ()
) -> Texts:
    """The questions of some items of tests, and what models answered, by their short ids."""
    ids = grouped(((t.benchmark, t.version), flip.item_id) for t, flips in wanted for flip in flips)
    found = Texts(
        questions={
            (*at, item.id): item.question
            for at, its in ids.items()
            for item in store.items(*at, sorted({*its}))
            if item.turns
        }
    )
    for at, its in ids.items() if models else ():
        said, of = store.responses_table(*at), {*its}
        columns = (said[n] for n in ("item_id", "model_id", "sample", "turn", "newest", "text"))
        of_answers = grouped(
            (((*at, item), model), (sample, turn, text))
            for item, model, sample, turn, newest, text in zip(*columns, strict=True)
            if newest and item in of and model in models
        )
        for (place, model), turns in of_answers.items():
            texts = [text for sample, _, text in sorted(turns) if sample == min(turns)[0]]
            found.answers.setdefault(place, {})[model] = "\n\n".join(texts)
    return found


def head(text: str) -> str:
    """The beginning of a text, on one line."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def flips_table(
    one: PairTest,
    shown: Sequence[Flip],
    names: tuple[Who, Who],
    texts: Texts,
    *,
    title: str,
    subtitle: str,
    answers_of: Sequence[str] | None = None,
) -> Table:
    """Items on which the two differ, with their questions, and on a page with both answers.

    Parameters
    ----------
    names
        The columns of the two models' figures.
    answers_of
        Short ids of the models, in the order of ``names``; without them questions are cut to a
        line.
    """

    def place(flip: Any) -> Place:
        return one.benchmark, one.version, flip.item_id

    def figure(of: str) -> Any:
        return lambda flip: one.text(getattr(flip, of))

    def answer(model: str) -> Any:
        return lambda flip: _body(texts.answers.get(place(flip), {}).get(model))

    whole = {"wraps": True, "lines": True}
    columns: list[Cells[Flip]] = [
        column("item", lambda flip: flip.item_id),
        *(column(said, figure(of), align="right") for said, of in names),
        column("question", lambda flip: head(texts.questions.get(place(flip), "")), wraps=True),
    ]
    if answers_of is not None:
        columns[-1] = column("question", lambda f: _body(texts.questions.get(place(f))), **whole)
        columns += [
            column(f"{said}'s answer", answer(model), **whole)
            for (said, _), model in zip(names, answers_of, strict=True)
        ]
    return table(title, shown, columns, subtitle=subtitle)


def _body(text: str | None) -> str:
    """A text as it is, with its lines; one that is too long for a page says how much is left."""
    if text is None:
        return "(not in the store)"
    lines = text.replace("\r\n", "\n").expandtabs(4)
    more = len(lines) - _LONGEST
    return lines if more <= 0 else f"{lines[:_LONGEST]}… ({more:,} more characters)"
