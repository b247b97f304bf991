"""Every two judges of a benchmark: how far they agree, what one says where the other says what, who
is lenient with whom, and the items on which they differ most.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from judgebench.columns import counted, grouped
from judgebench.errors import UsageError
from judgebench.metrics.agreement import KAPPA, kappa_map
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.comparison import AgreementRow
from judgebench.metrics.correction import sampling_probabilities
from judgebench.metrics.intervals import Floats
from judgebench.metrics.judge_pair import Disagreements, JudgePair, disagreements, judge_pair
from judgebench.metrics.judged_values import JudgedValues, in_words
from judgebench.metrics.score_agreement import SYSTEM, ScoreAgreement
from judgebench.records import HUMAN, Estimate, Label, Preference, Score, Verdict, is_human
from judgebench.reports.agreement import KINDS, JudgeValues
from judgebench.reports.boards import Columns, benchmark_ref
from judgebench.reports.document import (
    Chart,
    Each,
    Report,
    Rows,
    Spread,
    Table,
    column,
    table,
)
from judgebench.reports.estimates import text
from judgebench.store.read import ItemHistory
from judgebench.store.store import Store

PAIR = ("judge", "reference")


def kinds_of(stored: Columns) -> tuple[Kind, ...]:
    """The sorts of verdicts that two judges or more have given.

    Parameters
    ----------
    stored
        As of `Store.board_verdicts`.
    """
    judges: dict[str, set[str]] = {}
    for kind, judge in counted(stored["kind"], stored["judge_id"]):
        judges.setdefault(kind, set()).add(judge)
    return tuple(kind for kind in KINDS if len(judges.get(kind, ())) > 1)


def judged_values(
    store: Store, benchmark: str, version: str, kind: Kind, *, stored: Columns | None = None
) -> JudgeValues:
    """What everybody said in one sort of verdict; parameters as of `JudgeValues`.

    Raises
    ------
    UsageError
        For a benchmark that the store does not hold.
    """
    return JudgeValues(store, benchmark_ref(store, f"{benchmark}@{version}"), kind, stored)


def people_first(judge: str) -> tuple[bool, str]:
    """By what judges are sorted where people stand among them."""
    return not is_human(judge), judge


# every two of them ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeMatrix(Report):
    """Every two judges that gave one sort of verdict about the same answers, pooled.

    metric
        Of ``rows`` that one that a cell of the matrix shows.
    judges
        People first.
    references
        Whom the others can be held against: all of them, and the majority of several people.
    """

    kind: Kind
    metric: str
    judges: tuple[str, ...]
    references: tuple[str, ...]
    rows: tuple[AgreementRow, ...]

    ROWS: ClassVar = (Rows(of="rows", shared=("kind",), row=(*PAIR, Each("metrics"))),)
    CHART: ClassVar = Chart(along="judge, reference", by="metric")

    def tables(self) -> list[Table]:
        return [
            table(
                f"judges among themselves: {self.kind}s",
                self.rows,
                [
                    column("judge", lambda row: row.judge, wraps=True),
                    column("reference", lambda row: row.reference, wraps=True),
                    column(self.metric, lambda row: text(row.metrics[self.metric]), align="right"),
                ],
            )
        ]


def judge_matrices(given: Iterable[JudgeValues]) -> tuple[JudgeMatrix, ...]:
    """By the sort of verdicts that two judges or more have given; that of most judges first."""
    return tuple(sorted(map(_matrix, given), key=lambda one: -len(one.judges)))


def _matrix(given: JudgeValues) -> JudgeMatrix:
    kind = given.kind
    if kind == "score":
        rows = ScoreAgreement(given.board, only=[SYSTEM]).between()
    else:
        rows = kappa_map(given.values)
    judges = sorted({name for row in rows for name in (row.judge, row.reference)}, key=people_first)
    several = sum(map(is_human, judges)) > 1 and HUMAN not in judges
    return JudgeMatrix(
        kind=kind,
        metric="spearman" if kind == "score" else KAPPA,
        judges=tuple(judges),
        references=(*([HUMAN] if several else ()), *judges),
        rows=rows,
    )


# two of them ------------------------------------------------------------------------------------

Side = Literal["lenient", "strict", "neither"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionCell:
    """Of how many answers the reference says one thing and the judge another.

    ``share`` is of all of which the reference says so; nan where there are none.
    """

    reference: str
    judge: str
    count: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeniencyRow:
    """How much better the judge thinks of a model, and whether the interval says so.

    ``name`` is that of the model, with the opponent where there are several.
    """

    name: str
    estimate: Estimate
    side: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoJudges(Report):
    """One judge beside another on the same answers.

    unit
        Of leniency: ``points`` of a scale, or ``share`` of answers.
    cells
        Row by row as they are shown, what is best first, and last what could not be read or was
        never asked; none where scores have no ends to make a table of.
    leniency
        All models together, then the model with which the judge is most lenient.
    """

    judge: str
    reference: str
    kind: Kind
    unit: str
    cells: tuple[ConfusionCell, ...]
    leniency: tuple[LeniencyRow, ...]

    ROWS: ClassVar = (
        Rows(
            of="leniency", shared=(*PAIR, "kind", "unit"), row=("name", "side", Spread("estimate"))
        ),
    )
    CHART: ClassVar = Chart(along="name")

    def tables(self) -> list[Table]:
        return [
            table(
                f"{self.judge} where {self.reference} says so",
                self.cells,
                [
                    column(self.reference, lambda cell: cell.reference, wraps=True),
                    column(self.judge, lambda cell: cell.judge, wraps=True),
                    column("answers", lambda cell: f"{cell.count:,}", align="right"),
                ],
            ),
            table(
                f"{self.judge} less {self.reference}",
                self.leniency,
                [
                    column("model", lambda row: row.name, wraps=True),
                    column(
                        f"more lenient by ({self.unit})",
                        lambda row: text(row.estimate),
                        align="right",
                    ),
                    column("", lambda row: row.side),
                ],
            ),
        ]


def two_judges(given: JudgeValues, judge: str, reference: str) -> TwoJudges:
    """What one says where the other says what, and who is lenient with whom.

    Parameters
    ----------
    judge, reference
        As `judge_matrices` names them.

    Raises
    ------
    UsageError
        For a judge that has given no such verdict.
    """
    found = judge_pair(given.values, judge, reference)
    return TwoJudges(
        judge=found.judge,
        reference=found.reference,
        kind=given.kind,
        unit=found.unit,
        cells=tuple(_cells(found)),
        leniency=tuple(_leniency(found)),
    )


def _cells(found: JudgePair) -> list[ConfusionCell]:
    if found.confusion is None:
        return []
    columns = [*reversed(range(len(found.confusion.columns))), -2, -1]
    names = [*found.confusion.columns, "unreadable", "no verdict"]
    rows = zip(found.confusion.rows, found.confusion.counts.tolist(), strict=True)
    return [
        ConfusionCell(
            reference=truly,
            judge=names[column],
            count=counts[column],
            share=counts[column] / n if (n := sum(counts)) else math.nan,
        )
        for truly, counts in reversed(list(rows))
        for column in columns
    ]


def _leniency(found: JudgePair) -> list[LeniencyRow]:
    several = len({one.opponent for one in found.leniency if one.model is not None}) > 1
    rows = [
        LeniencyRow(
            name=(one.model or "all models")
            + (f" against {one.opponent}" if several and one.opponent is not None else ""),
            estimate=one.estimate,
            side="lenient"
            if one.estimate.low > 0
            else "strict"
            if one.estimate.high < 0
            else "neither",
        )
        for one in found.leniency
    ]
    values = [row.estimate.value for row in rows]
    rest = sorted(range(1, len(rows)), key=lambda at: (math.isnan(values[at]), -values[at]))
    return [rows[0], *(rows[at] for at in rest)]


# where they differ ------------------------------------------------------------------------------

MOST_JUDGES = 12
"""Of whom it is told what they said of an item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputedItem:
    """An item on which judges differ: by how much, and what each that has a column said of it."""

    item: str
    differ: str
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disputes(Report):
    """The items on which some judges differ, those on which they differ most first.

    rule
        How they are ordered, in words.
    columns
        The first of the judges, whose words ``said`` has.
    judge_ids
        Of all of them, of people together those of all people.
    judge_names, model_names
        By short id.
    """

    rule: str
    judges: tuple[str, ...]
    columns: tuple[str, ...]
    items: tuple[DisputedItem, ...]
    judge_ids: frozenset[str]
    judge_names: Mapping[str, str]
    model_names: Mapping[str, str]

    ROWS: ClassVar = (Rows(of="items", row=("item", "differ", "said")),)

    def tables(self) -> list[Table]:
        return [
            table(
                "items on which judges differ",
                self.items,
                [
                    column("item", lambda one: one.item),
                    column("differ", lambda one: one.differ, align="right"),
                    *(
                        column(judge, lambda one, at=at: one.said[at], wraps=True)  # type: ignore[misc]
                        for at, judge in enumerate(self.columns)
                    ),
                ],
                subtitle=self.rule,
            )
        ]


def disputes(given: JudgeValues, judges: Sequence[str]) -> Disputes:
    """On which items judges say different things; parameters as of `two_judges`."""
    found = disagreements(given.values, judges)
    columns = range(min(MOST_JUDGES, len(found.judges)))
    together = HUMAN in found.judges
    return Disputes(
        rule=_rule(found),
        judges=found.judges,
        columns=found.judges[:MOST_JUDGES],
        items=tuple(
            DisputedItem(
                item=item,
                differ=_differ(found, at),
                said=tuple(_said(found, judge, at) for judge in columns),
            )
            for at, item in enumerate(found.items)
        ),
        judge_ids=frozenset(
            one
            for one, name in given.judges.items()
            if name in found.judges or (together and is_human(name))
        ),
        judge_names=given.judges,
        model_names=given.models,
    )


def _rule(found: Disagreements) -> str:
    if found.labels and len(found.judges) == 2:
        return (
            "Items by the number of answers of which the two say different things; of equally "
            "many, the larger share of the answers that both have judged first."
        )
    if found.labels:
        return (
            "Items by the number of pairs of judges that say different things of an answer, added "
            "up over its answers; of equally many, the larger share of all pairs first."
        )
    scaled = ", each score as a share of its own judge's scale" if found.on_scale else ""
    return (
        "Items by the distance between the highest and the lowest score of an answer, averaged "
        f"over the answers that two judges or more have scored{scaled}."
    )


def _differ(found: Disagreements, at: int) -> str:
    differ, compared = found.differ[at], found.compared[at]
    if not found.labels:
        return f"{differ:.2f} over {compared:.0f}"
    return f"{differ:.0f} of {compared:.0f}"


def _said(found: Disagreements, judge: int, at: int) -> str:
    """What a judge said of an item, in a word where it was asked once."""
    votes = found.votes[judge, at]
    n = int(votes.sum())
    if not n:
        return ""
    if not found.labels:
        mean = f"{found.means[judge, at]:.4g}"
        return mean if n == 1 else f"{mean} (mean of {n})"
    if n == 1:
        return found.labels[int(votes.argmax())]
    given = zip(reversed(votes.tolist()), reversed(found.labels), strict=True)
    return ", ".join(f"{count} {label}" for count, label in given if count)


def disputed_models(history: ItemHistory, judges: Collection[str]) -> list[str]:
    """The models, by id, of whom these judges, by id, say different things on an item."""
    said: dict[str, dict[str, set[object]]] = {}
    for told in history.verdicts:
        if told.counts and told.judge.id in judges:
            gist = _gist(told.verdict, swapped=told.order == "opponent_first")
            if gist is not None:
                said.setdefault(told.model.id, {}).setdefault(told.judge.id, set()).add(gist)
    return [model for model, its in said.items() if len(set(map(frozenset, its.values()))) > 1]


def _gist(verdict: Verdict, *, swapped: bool) -> object:
    """What a verdict comes to, of a pair from the side of its model; None where to nothing."""
    match verdict:
        case Label(name=name):
            return name
        case Score(value=value):
            return value
        case Preference(winner=None):
            return "tie"
        case Preference(winner=winner):
            return (winner == 0) != swapped
        case _:
            return None


# what people have labelled ----------------------------------------------------------------------


def labelled_kind(
    store: Store, benchmark: str, version: str, judge: str | None = None
) -> Kind | None:
    """The kind of most labels of people, or of most verdicts of a judge; None without any."""
    stored = store.board_verdicts(benchmark, version)
    found: dict[Kind, list[int]] = grouped(
        (kind, n)
        for (kind, one), n in counted(stored["kind"], stored["judge"]).items()
        if kind in KINDS and (one == judge or (judge in (None, HUMAN) and is_human(one)))
    )
    return max(found, key=lambda kind: sum(found[kind]), default=None)


def on_labels(values: JudgedValues, judges: Sequence[str]) -> JudgedValues:
    """The values as codes of labels; scores as the points of the scale of these judges.

    Raises
    ------
    UsageError
        Where they score on several scales, or on none of whole numbers.
    """
    if values.kind != "score":
        return values
    scales = {scale for one in judges for scale in values.of(one).scales}
    low, high = next(iter(scales)) if len(scales) == 1 else (math.nan, math.nan)
    if not (low.is_integer() and high.is_integer()):
        raise UsageError(
            "kappa of scores takes one scale of whole numbers for judge and people, not "
            f"{in_words(sorted(scales))}"
        )
    points = [str(point) for point in range(int(low), int(high) + 1)]
    return values.on_labels(points, np.floor(values.values - low + 0.5))


def label_weights(
    store: Store, at: tuple[str, str], values: JudgedValues, models: Mapping[str, str]
) -> Floats | None:
    """One over the probability of each answer, in the mean 1; 0 of what was not drawn. None where
    that is not known."""
    id_of = {name: one for one, name in models.items()}
    found = np.zeros(len(values.item_of))
    for place, (model, opponent) in enumerate(values.models):
        its = values.model_of == place
        labelled = its & ~np.isnan(values.of(HUMAN).values)
        if not labelled.any():
            continue
        known = sampling_probabilities(
            store, *at, model=id_of[model], opponent=None if opponent is None else id_of[opponent]
        )
        if known is None:
            return None
        p = np.array([known.get(values.items[item], 0.0) for item in values.item_of[its]])
        found[its] = np.divide(1.0, p, out=np.zeros_like(p), where=p > 0)
    mean = found[found > 0].mean() if (found > 0).any() else 1.0
    return found / mean
