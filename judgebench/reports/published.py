"""Published boards beside ours: whose judge is the published one, and which models are on both.

Figures of a published board are ranked with those of a judge of this store only where the two are
one and the same judge; beside any other they stand without a rank.

They are shown with models of a board of the published judge among theirs, or side by side, with how
far the two agree. Beside another judge's figures no model has a rank: two judges' scores make no
one order.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from judgebench.benchmarks.data import official_judging
from judgebench.benchmarks.description import OfficialPrompt, PublishedBoard
from judgebench.benchmarks.folder import baseline_texts
from judgebench.columns import grouped
from judgebench.errors import UsageError, refuse_unknown
from judgebench.metrics.measures import AVG_LENGTH
from judgebench.metrics.model_correlations import COEFFICIENTS, TITLES, correlations
from judgebench.metrics.registry import heading
from judgebench.metrics.registry import metric as entry
from judgebench.metrics.win_rate import LENGTH_CONTROLLED
from judgebench.plain_text import holding
from judgebench.records import Estimate, JudgeSpec
from judgebench.reports import estimates
from judgebench.reports.board import (
    OURS,
    THEIRS,
    Board,
    N,
    PublishedBeside,
    ReferenceBoard,
    References,
    Row,
    places,
    references,
)
from judgebench.reports.board_data import IMPORTED, BoardData
from judgebench.reports.boards import described
from judgebench.reports.document import Cells, Column, Table, column, json_field, table
from judgebench.rows import read_rows

LENGTHS = "instructions.csv"
_BETWEEN = re.compile(r"[\s_-]+")

_FOLLOWS = ("defined",)
"""Options of a judge that an official prompt brings along: the official definitions with it."""

_AS_PUBLISHED = "upstream"
"""The reader that reads as the authors' own code does, whether it is the usual one here or not."""


def other_judge(
    spec: JudgeSpec,
    names: Collection[str],
    published: PublishedBoard,
    official: OfficialPrompt | None,
) -> str | None:
    """Why a judge's verdicts cannot be ranked with the published ones; None where they can be.

    Imported verdicts say who gave them by a name alone. A judge of our own is the same one if it
    asks one of the same models of the same provider, with the official prompt, options and
    sampling.

    Parameters
    ----------
    names
        Those that the judge goes by.
    official
        How the published judge's prompt is asked and read; None where it is not one of ours.
    """
    if spec.kind == IMPORTED:
        named = published.judge in names
        return None if named else "these verdicts were imported under another name"
    if official is None:
        return "verdicts of that judge can be imported under its name"
    if spec.official_prompt is not True:
        return "this one is not asked with the official prompt"
    if spec.model not in published.models or spec.identity != published.provider:
        asked = " or ".join(published.models)
        return f"that is {asked} of {published.provider}, this one {spec.model} of {spec.identity}"
    usual = {"prompt": f"official/{published.prompt}", **official.options}
    options = {name: value for name, value in spec.options.items() if name not in _FOLLOWS}
    if options.get("reader") == _AS_PUBLISHED:
        usual["reader"] = _AS_PUBLISHED
    return _differs("sampling", spec.sampling, official.sampling) or _differs(
        "options", options, usual
    )


def _differs(what: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str | None:
    """Which settings are not the published judge's, and what they are there."""
    names = sorted(
        name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)
    )
    if not names:
        return None
    said = ", ".join(
        f"{name}: {_shown(ours, name)}, there {_shown(theirs, name)}" for name in names
    )
    return f"this one has other {what} ({said})"


def _shown(settings: Mapping[str, Any], name: str) -> str:
    return "none" if settings.get(name) is None else str(settings[name])


class PublishedNumbers:
    """Where on the boards of a benchmark its published numbers belong."""

    def __init__(self, data: BoardData) -> None:
        self.data = data
        self._described = described(data.which.name)
        self._judges = {judge.id: judge for judge in data.store.judges()}
        self._models = {model.id: model for model in data.store.models()}
        self._answered: dict[str, Mapping[str, str]] = {}

    @cached_property
    def references(self) -> References:
        """What is published of this version, as far as it is here."""
        return references(self.data.which.name, self.data.which.version)

    @property
    def boards(self) -> Sequence[PublishedBoard]:
        """Whose numbers are published, of this version, whether the figures are here or not."""
        published = self._described[0].published if self._described is not None else None
        boards = published.boards if published is not None else []
        return [board for board in boards if board.version == self.data.which.version]

    def are_of(self, judge: str | None, opponent: str | None) -> bool:
        """Whether a judge and whom it compares with, by id, are those of a published board."""
        return self.why_not(judge, opponent) is None

    def why_not(self, judge: str | None, opponent: str | None) -> str | None:
        """Why the published numbers are of something else; None where they are of just this."""
        said = [self._why_not(board, judge, opponent) for board in self.boards]
        return None if None in said else next(iter(said), "nothing is published of it")

    def beside(
        self,
        judge: str | None,
        opponent: str | None,
        metric: str,
        models: Sequence[str],
        named: Mapping[str, str],
    ) -> tuple[PublishedBeside, ...]:
        """The published boards that figures are here of, beside a board of this store.

        Parameters
        ----------
        judge, opponent
            By id; no judge for a panel.
        metric
            What ranks the board; figures of another are not set beside it.
        models
            Those on the board, as they are shown.
        named
            Published names that a person says, by a name here.
        """
        known = {shown: (shown, *self._all_names(shown)) for shown in models}
        found = []
        for reference in self.references.boards:
            because = self._why_not(reference.board, judge, opponent)
            comparable = self._compares_with(reference.board, opponent)
            if metric not in reference.columns:
                comparable = False
                because = f"{reference.columns[0]} is published, and this is {metric}"
            names = same_models(known, reference.figures, named) if comparable else {}
            found.append(PublishedBeside(reference=reference, names=names, because=because))
        return tuple(found)

    def check_names(self, named: Mapping[str, str]) -> None:
        """That the names exist which a person says are one model's.

        Raises
        ------
        UsageError
            For one that no model here, or no published board has.
        """
        if not self.references.boards:
            raise UsageError("; ".join(self.references.notes))
        ours = {name for shown in self.data.model_ids for name in (shown, *self._all_names(shown))}
        theirs = {name for one in self.references.boards for name in one.figures}
        check_names(named, ours, theirs)

    def _all_names(self, shown: str) -> tuple[str, ...]:
        model = self._models.get(self.data.model_ids[shown])
        return () if model is None else model.names

    def _compares_with(self, board: PublishedBoard, opponent: str | None) -> bool:
        if board.baseline is None or opponent is None:
            return board.baseline is None and opponent is None
        return board.baseline in self._models[opponent].names

    def _why_not(
        self, board: PublishedBoard, judge: str | None, opponent: str | None
    ) -> str | None:
        against = "" if board.baseline is None else f" against {board.baseline}"
        said = f"what is published is of {board.judge}{against}"
        known = self._judges.get(judge or "")
        if known is None:
            return f"{said}, and this is a panel"
        if not self._compares_with(board, opponent):
            return said
        other = other_judge(known.spec, known.names, board, self._official(board))
        if other is not None:
            return f"{said}; {other}"
        if opponent is None:
            return None
        both = known.id in self.data.both_orders
        if both and self.data.which.weighted is None:
            return "it judged in both orders, and what is published in one that was drawn"
        if not both and self.data.which.weighted is not None:
            return "it judged in one order, and what is published in both"
        return self._other_answers(board, opponent)

    def _official(self, board: PublishedBoard) -> OfficialPrompt | None:
        assert self._described is not None
        if board.prompt is None:
            return None
        return official_judging(self._described[0]).official[board.prompt]

    @cached_property
    def _texts(self) -> Mapping[str, str]:
        """What the benchmark's own baseline answered, where its data is here."""
        assert self._described is not None
        baseline = self._described[0].baseline or ""
        return baseline_texts(self.data.which.name, self.data.which.version, baseline)

    def _other_answers(self, board: PublishedBoard, opponent: str) -> str | None:
        """That what goes by the published baseline's name answered otherwise.

        Told by the benchmark's data, or where that is not here by the lengths among the figures.
        """
        assert self._described is not None
        if opponent not in self._answered:
            self._answered[opponent] = self.data.answers_of(opponent)
        answered = self._answered[opponent]
        texts = self._texts if board.baseline == self._described[0].baseline else {}
        lengths = _lengths(self._described[1] / "figures" / LENGTHS)
        both = answered.keys() & (texts or lengths).keys()
        others = sum(
            answered[item] != texts[item] if texts else len(answered[item]) != lengths[item]
            for item in both
        )
        if not others:
            return None
        return (
            f"{others} of {len(both)} answers of {self.data.models[opponent]} in the store are not "
            "those of the published baseline"
        )


@cache
def _lengths(path: Path) -> Mapping[str, int]:
    """Characters of the published baseline's answers by item; empty where they are not here."""
    if not path.is_file():
        return {}
    rows = read_rows(path, ("index", "baseline_length"))
    return {row.text("index"): row.whole("baseline_length") for row in rows}


# names ------------------------------------------------------------------------------------------


def same_models(
    ours: Mapping[str, Collection[str]], published: Collection[str], said: Mapping[str, str]
) -> dict[str, str]:
    """Our models that are published, under our names, with the published ones.

    What a person says goes first, then an equal name, then one that differs in case, blanks,
    hyphens and underscores alone (``llama-3-8b-instruct``, ``LLaMA-3-8B-Instruct``), where it
    means one model of theirs only.

    Parameters
    ----------
    ours
        Our models as they are shown, each with all names that it goes by.
    said
        One of our names -> the published one.
    """
    plain = {_plain(name): name for name in published}
    ambiguous = {one for one, n in Counter(map(_plain, published)).items() if n > 1}
    found = {}
    for shown, names in ours.items():
        told = next((said[name] for name in names if name in said), None)
        equal = next((name for name in names if name in published), None)
        near = next(
            (plain[p] for p in map(_plain, names) if p in plain and p not in ambiguous), None
        )
        theirs = next((name for name in (told, equal, near) if name in published), None)
        if theirs is not None:
            found[shown] = theirs
    return found


def read_names(written: Collection[str]) -> dict[str, str]:
    """``OURS=PUBLISHED`` in its two parts.

    Raises
    ------
    UsageError
        Where it is not written so, or one of ours is named twice.
    """
    found: dict[str, str] = {}
    for text in written:
        ours, equals, theirs = (part.strip() for part in text.partition("="))
        if not (ours and equals and theirs):
            raise UsageError(f"a published name is written MODEL=PUBLISHED, not {text!r}")
        if found.setdefault(ours, theirs) != theirs:
            raise UsageError(f"{ours} has two published names: {found[ours]} and {theirs}")
    return found


def check_names(said: Mapping[str, str], ours: Collection[str], published: Collection[str]) -> None:
    """That names exist which a person says are one model's.

    Raises
    ------
    UsageError
        Naming the nearest and the known ones.
    """
    refuse_unknown("model here", said, ours, error=UsageError)
    refuse_unknown("published model", said.values(), published, error=UsageError)


def _plain(name: str) -> str:
    return _BETWEEN.sub("", name.casefold())


FEWEST = 3
"""Models that a correlation takes here: of two, any is 1 or -1."""

Correlations = Mapping[str, Mapping[str, Estimate]]
"""Metric -> coefficient -> estimate."""


class PublishedAs(NamedTuple):
    """A model that is on both boards, and what is published of it."""

    model: str
    published_as: str
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAgreement:
    """A board, a published one beside it, and how far the two agree.

    In JSON ``because`` says why the published judge is another one, and is null where it is the
    same.
    """

    board: Board = json_field(hidden=True)
    beside: PublishedBeside = json_field(hidden=True)
    judge: str
    opponent: str | None
    same_judge: bool
    because: str | None
    models: Sequence[PublishedAs]
    correlations: Correlations


def related(boards: Sequence[Board]) -> list[PublishedAgreement]:
    """Every board with each published one beside it."""
    return [
        PublishedAgreement(
            board=board,
            beside=one,
            judge=one.reference.judge,
            opponent=one.reference.opponent,
            same_judge=one.because is None,
            because=one.because,
            models=[PublishedAs(ours, name, one.figures(ours)) for ours, name in one.names.items()],
            correlations=with_published(board, one),
        )
        for board in boards
        for one in board.beside
    ]


def with_published(board: Board, beside: PublishedBeside) -> Correlations:
    """The correlations of what ranks, and of each other metric that some model on both has here.

    Models that are excluded from the ranking do not count.

    Returns
    -------
    dict
        Empty where no model is on both boards. Undefined, with the reason, for fewer than `FEWEST`
        models, and where one side gives all of them the same.
    """
    found = {}
    for metric in beside.reference.metrics:
        ours = {
            row.model: row.metrics[metric].value
            for row in board.rows
            if row.model in beside.names and metric in row.metrics and not row.excluded
        }
        theirs = {model: beside.figures(model).get(metric, math.nan) for model in ours}
        if (metric == board.metric and ours) or any(not math.isnan(one) for one in ours.values()):
            found[metric] = _enough(correlations(ours, theirs))
    return found


def _enough(found: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """The coefficients, undefined where they would say nothing."""
    n = found[next(iter(COEFFICIENTS))].n
    if n >= FEWEST:
        return dict(found)
    models = "1 model has" if n == 1 else f"{n} models have"
    reason = f"{models} a score on both boards; a correlation that says something takes {FEWEST}"
    return {name: one.lost(reason) for name, one in found.items()}


SAY_NAMES = "--published-as MODEL=NAME says which is which"

_MOST_DECIMALS = 4


def beside_tables(related: PublishedAgreement) -> list[Table]:
    """The models on both, unless they stand in the published board, and the correlations."""
    board, beside, found = related.board, related.beside, related.correlations
    tables = [] if beside.because is None else [_side_by_side(board, beside)]
    reasons = _reasons(found)
    if tables and not any(_is_defined(found)):
        return [replace(tables[0], notes=[*tables[0].notes, *reasons])]
    return [*tables, _correlated(board, beside, found)] if found else tables


def published_text(reference: ReferenceBoard, name: str, value: float | None) -> str:
    """A figure with as many decimals as the published ones of its kind have, and four at most."""
    if value is None:
        return ""
    if entry(name).in_percent:
        return f"{value:.{entry(name).digits}f}"
    published = (of[name] for of in reference.figures.values() if name in of)
    return f"{value:.{max(map(_decimals, published), default=_MOST_DECIMALS)}f}"


def _decimals(value: float) -> int:
    return next(
        (n for n in range(_MOST_DECIMALS) if math.isclose(round(value, n), value, abs_tol=1e-9)),
        _MOST_DECIMALS,
    )


def _side_by_side(board: Board, beside: PublishedBeside) -> Table:
    reference, metric = beside.reference, board.metric or beside.reference.columns[0]
    rows = [row for row in board.rows if row.model in beside.names]
    differ = any(row.model != beside.names[row.model] for row in rows)
    return table(
        f"{board.benchmark}@{board.version}: judged by {board.judge}, and as published",
        rows,
        [
            column("model", lambda row: row.marked_name, wraps=True),
            column(
                "published as",
                lambda row: beside.names[row.model] if differ else "",
                wraps=True,
                optional=True,
            ),
            column(
                f"{heading(metric, None, board.scale)} [{board.level:.0%}]",
                lambda row: estimates.text(row.leading, digits=entry(metric).digits),
                align="right",
            ),
            column(
                "published",
                lambda row: published_text(
                    reference, metric, beside.figures(row.model).get(metric)
                ),
                align="right",
            ),
            column("n", lambda row: str(row.leading.n), align="right"),
        ],
        subtitle=f"published: judged by {reference.judged_by}. Two judges, so no one ranking",
        notes=[
            f"not ranked together: {beside.because}",
            *([] if rows else [f"no model here has the name of a published one; {SAY_NAMES}"]),
        ],
    )


def _correlated(board: Board, beside: PublishedBeside, found: Correlations) -> Table:
    """A row for each metric, a column for each coefficient."""
    defined = _is_defined(found)
    values = [one for of in found.values() for one in of.values()]
    without = {one.method for one in values if one.undefined is None}
    return Table(
        title=f"{board.benchmark}@{board.version}: correlation with the published board",
        subtitle=f"{board.judge} here, {beside.reference.judge} as published",
        columns=[
            Column(title="metric", wraps=True),
            *(Column(title=title, align="right") for title in TITLES.values()),
            Column(title="models", align="right"),
        ],
        rows=[
            [
                heading(metric, board.metric),
                *(estimates.text(of[name]) for name in TITLES),
                str(next(iter(of.values())).n),
            ]
            for metric, of in found.items()
        ]
        if any(defined)
        else [],
        notes=[
            *sorted(without),
            *_reasons(found),
        ],
    )


def _is_defined(found: Correlations) -> list[bool]:
    return [one.undefined is None for of in found.values() for one in of.values()]


def _reasons(found: Correlations) -> list[str]:
    """Why coefficients are undefined, each reason once."""
    reasons = grouped(
        (reason, metric)
        for metric, of in found.items()
        for reason in {one.undefined for one in of.values() if one.undefined is not None}
    )
    return [
        f"{estimates.UNDEFINED} correlation with the published board"
        f"{'' if len(of) == len(found) else ' of ' + ', '.join(of)}: {reason}"
        for reason, of in reasons.items()
    ]


_LONG_NAME = 30
"""Characters above which names are broken before columns are left out."""

_SHORT = {LENGTH_CONTROLLED: "LC win rate %", AVG_LENGTH: "mean length"}


def published_tables(
    related: Sequence[PublishedAgreement], references: References, by: Collection[str] = ()
) -> list[Table]:
    """All that is published of a version, with the models of boards in it or beside it.

    Models are ranked with the published ones on a board of the published judge alone.
    """
    tables: list[Table] = []
    for reference in references.boards:
        beside = [one for one in related if one.beside.reference.board == reference.board]
        same = [one for one in beside if one.beside.because is None]
        tables += [_merged(one.board, one.beside, by) for one in same] or [_alone(reference, by)]
        tables += [_grouped(reference, name) for name in by if name in reference.groups]
        tables += [table for one in beside for table in beside_tables(one)]
    if tables and references.notes:
        tables[-1] = replace(tables[-1], notes=[*tables[-1].notes, *references.notes])
    elif references.notes:
        title = "no published board is here"
        tables.append(Table(title=title, columns=[], rows=[], notes=references.notes))
    return tables


class _Line(NamedTuple):
    """A model of a published board, or of this store, with its figures.

    ``whose`` they are is said where there are both. One that is ``excluded`` from the ranking has
    no place, and stands last.
    """

    model: str
    figures: Mapping[str, float]
    whose: str = ""
    published: float | None = None
    flags: str = ""
    excluded: bool = False


def _alone(reference: ReferenceBoard, by: Collection[str]) -> Table:
    lines = [_Line(model, figures) for model, figures in reference.figures.items()]
    found = _table(reference, reference.columns[0], lines)
    return replace(found, notes=list(_notes(reference, by)))


def _merged(board: Board, beside: PublishedBeside, by: Collection[str]) -> Table:
    """A model that is on both stands here once, with our numbers and the published one."""
    reference, metric = beside.reference, board.metric or beside.reference.columns[0]
    taken = set(beside.names.values())
    lines = [
        *(_Line(name, of, THEIRS) for name, of in reference.figures.items() if name not in taken),
        *(
            _Line(
                model=row.model,
                figures={
                    name: value
                    for name, value in beside.figures(row.model).items()
                    if name in beside.reference.also and name not in (N, AVG_LENGTH)
                }
                | _values(row, reference),
                whose=OURS,
                published=beside.figures(row.model).get(metric),
                flags=", ".join(row.flags),
                excluded=row.excluded,
            )
            for row in board.rows
        ),
    ]
    found = _table(reference, metric, lines)
    notes = list(_notes(reference, by)) + holding({
        "length-controlled: of this store by the exact fit, published as the authors'": (
            LENGTH_CONTROLLED in reference.columns
        ),
        f"warning: {board.items} items here; the published figures are of {reference.items}": (
            reference.items is not None and board.items < reference.items
        ),
        f"no model here has the name of a published one; {SAY_NAMES}": not beside.names,
    })  # fmt: skip
    return replace(found, title=f"{found.title}, with these models", notes=notes)


def _table(reference: ReferenceBoard, metric: str, lines: Sequence[_Line]) -> Table:
    """The lines by a metric; what has none of it stands last, without a place."""
    place = places([{} if line.excluded else line.figures for line in lines], metric)
    ordered = sorted(
        zip(place, lines, strict=True),
        key=lambda one: (one[0] or math.inf, one[1].excluded, one[1].model),
    )
    long = max(len(line.model) for line in lines) > _LONG_NAME
    return table(
        f"{reference.benchmark}@{reference.version}: the published leaderboard",
        ordered,
        [
            column("place", lambda row: str(row[0] or estimates.UNDEFINED), align="right"),
            column("model", lambda row: row[1].model, wraps=long),
            *(_column(reference, name) for name in (*reference.columns, *reference.also)),
            column("figures", lambda row: row[1].whose, optional=True),
            column(
                "published",
                lambda row: published_text(reference, metric, row[1].published),
                align="right",
                optional=True,
            ),
            column("flags", lambda row: row[1].flags, wraps=True, spare=True, optional=True),
        ],
        subtitle=f"judged by {reference.judged_by}; by {heading(metric, None)}",
    )


def _values(row: Row, reference: ReferenceBoard) -> dict[str, float]:
    """Of a model of ours, what the published board has figures of."""
    found = {
        name: row.metrics[name].value
        for name in reference.columns
        if name in row.metrics and not math.isnan(row.metrics[name].value)
    }
    counts = {name: float(row.counts[name]) for name in reference.also if name in row.counts}
    return {**found, **counts, N: float(row.leading.n)}


def _column(reference: ReferenceBoard, name: str) -> Cells[tuple[int | None, _Line]]:
    def cell(row: tuple[int | None, _Line]) -> str:
        return published_text(reference, name, row[1].figures.get(name))

    words = _SHORT.get(name) or heading(name, reference.columns[0])
    return column(words, cell, align="right", spare=name in reference.columns[2:])


def _notes(reference: ReferenceBoard, by: Collection[str]) -> Iterator[str]:
    yield f"source: {reference.source}"
    yield "published figures come without intervals; close places say little"
    if reference.board.note:
        yield reference.board.note
    for name in reference.groups:
        if name not in by:
            yield f"--by {name} shows what is published by {name} too"


def _grouped(reference: ReferenceBoard, by: str) -> Table:
    """A row for each published model, a column for each group."""
    groups, models = reference.groups[by], list(reference.figures)
    place = places(list(reference.figures.values()), reference.columns[0])
    return Table(
        title=f"{reference.benchmark}@{reference.version}: the published leaderboard, by {by}",
        subtitle=f"judged by {reference.judged_by}",
        columns=[
            Column(title="model", wraps=True),
            *(Column(title=group, align="right") for group in groups),
        ],
        rows=[
            [
                model,
                *(
                    published_text(reference, name, reference.figures[model].get(name))
                    for name in groups.values()
                ),
            ]
            for _, model in sorted(
                zip(place, models, strict=True), key=lambda one: (one[0] or math.inf, one[1])
            )
        ],
    )
