"""Leaderboards: the models of a benchmark, ranked, one board for each judge and what it says.

And what somebody asks of them (`BoardRequest`): which benchmarks, models, metrics, and in which
order. As one value it can be written down and asked again.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property, partial
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any

from judgebench.columns import counted, grouped
from judgebench.config import LM_EVAL_GROUPS, Panel
from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.accuracy import NO_ONE_NUMBER, accuracies
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measures import (
    AVG_LENGTH,
    AVG_WORDS,
    Groups,
    answer_lengths,
    by_turn,
    group_names,
    tags,
)
from judgebench.metrics.ranked_rows import Standing
from judgebench.metrics.scores import NOT_APPLICABLE, scores
from judgebench.metrics.style_controlled import (
    NO_STYLE_INTERVAL,
    STYLE_CONTROLLED,
    Style,
    StyleBoard,
    style_boards,
)
from judgebench.metrics.win_rate import (
    AS_UPSTREAM,
    LENGTH_CONTROLLED,
    WEIGHTED,
    WIN_RATE,
    as_upstream,
    win_rates,
)
from judgebench.plain_text import counted as counted_words
from judgebench.plain_text import few
from judgebench.records import Estimate, RunManifest
from judgebench.reports.answer_flags import COUNTED, NO_MARKS
from judgebench.reports.board import Board, LengthControl, PublishedBeside, RankedBoard, Row
from judgebench.reports.board_data import BoardData, flags_of, warnings_of
from judgebench.reports.boards import (
    BenchmarkRef,
    Columns,
    benchmark_ref,
    disambiguate,
    find_judges,
    judge_line,
    panel_line,
    panels_in,
    parse_panel,
)
from judgebench.reports.estimates import best_first
from judgebench.reports.task_groups import Group, group_boards
from judgebench.stats.resample import effective_n
from judgebench.stats.style_control import Definition
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.reports.length_calibrations import LengthBoards
    from judgebench.reports.published import PublishedNumbers

WITHOUT_CATEGORIES = (
    "the questions are not here, so nobody knows which category each is of: "
    "judgebench data pull {}, then the same import again"
)


BY_NAME = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRequest:
    """The options of `judgebench leaderboard`, by their names there.

    judges
        Names (as shown, or without what tells them apart) or ids, or names of the panels; all if
        empty.
    models, columns, sort
        Which rows and metrics are shown, and in which order; see `chosen`.
    panels
        As `parse_panel` reads them; beside those that suites declared.
    length_control
        Beside win rates, those at equal length wherever a calibration is for the judge and the
        opponent: the converged fit (``exact``), that of AlpacaEval (``compat``), ``both``, or
        ``off``.
    rank_by
        ``win_rate`` or ``length_controlled_win_rate``: what ranks boards that have it. If None, the
        benchmark's headline where every model that is ranked and has a win rate has it, else the
        win rate, with a note that says why.
    rank_suspicious
        Rank models whose answers may be meant for the judge among the others (see
        `answer_flags.suspicions`). Unasked they are listed behind all others, with their numbers,
        without a rank, and count in nobody's.
    by
        Ways of grouping items (``category``, ``language``, a field of their metadata), beside those
        that the benchmark declares: each group has a metric of its own, ``METRIC/group``.
    level
        Of the intervals.
    published_as
        Model -> how it is called on published boards, where no name of it is there.
    corrected, width
        Beside what ranks, the same by people's labels on a sample of the answers, as
        `judgebench.metrics.correction.corrections` has it.
    upstream, style_control
        Beside weighted win rates, upstream's own interval, and scores controlled for style.
    """

    benchmarks: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sort: str | None = None
    panels: tuple[str, ...] = ()
    length_control: LengthControl = "exact"
    rank_by: str | None = None
    rank_suspicious: bool = False
    by: tuple[str, ...] = ()
    level: float = 0.95
    published_as: Mapping[str, str] = field(default_factory=dict)
    corrected: bool = False
    width: float | None = None
    upstream: bool = False
    style_control: Definition | None = None

    def found(self, store: Store) -> dict[str, tuple[Board, ...]]:
        """The boards of each benchmark, by its name as written, with all their rows.

        Judges of several benchmarks need not have judged all of them. Panels are beside those that
        suites declared.

        Raises
        ------
        UsageError
            As from `leaderboards`; and for a judge that has judged none of the benchmarks, a panel
            that can be combined on none.
        """
        runs = store.runs()
        panels = [parse_panel(written) for written in self.panels]
        groups: dict[str, Group] = {}
        for run in sorted(runs, key=lambda one: one.started):  # each as the newest has it
            groups |= run.configuration.get(LM_EVAL_GROUPS) or {}
        if groups:  # which no benchmark is called
            held = {name for name, _ in store.benchmarks()}
            groups = {name: group for name, group in groups.items() if name not in held}
        plain = [name for name in self.benchmarks if name not in groups]
        here = {name: list(self.judges) for name in plain}
        if len(here) > 1 and self.judges:
            named = {panel.name for panel in panels}
            here = _judges_here(store, runs, plain, self.judges, named)
        found: dict[str, tuple[Board, ...]] = {}
        for name in dict.fromkeys(self.benchmarks):
            if name in groups:
                if panels or self.by or self.corrected:
                    raise UsageError(
                        f"{name} is a group of lm-eval tasks, and has one figure of all of them: "
                        f"panels, groups of items and corrections are of one: "
                        f"{', '.join(groups[name]['tasks'])}"
                    )
                found[name] = group_boards(
                    store,
                    name,
                    groups[name],
                    judges=self.judges,
                    intervals=Intervals(level=self.level),
                )
                continue
            known, which = here[name], benchmark_ref(store, name)
            declared = [
                p for p in panels_in(runs, which) if not self.judges or p.name in self.judges
            ]
            boards = leaderboards(
                store,
                which,
                request=replace(self, judges=tuple(known)),
                panels=[*{panel.name: panel for panel in (*declared, *panels)}.values()],
                runs=runs,
            )
            if self.judges and not known:  # none of those asked for, and so nobody but panels
                boards = tuple(board for board in boards if board.judge_id is None)
            found[name] = boards
        for panel in panels:
            its = [one for boards in found.values() for one in boards if one.judge == panel.name]
            if its and not any(board.rows for board in its):
                said = "; ".join(its[0].warnings)
                raise UsageError(f"{panel.name}: {said.removeprefix(f'{panel.name}: ')}")
        return found

    def chosen(self, store: Store, boards: Sequence[Board]) -> list[Board]:
        """Of these boards the rows and columns that are asked for; what is not asked for stays.

        Models go by the names as they are shown, other names, or ids; columns come in the order
        that they are named in. By the metric of ``sort`` the greatest comes first, or with a minus
        before it the least; ``model`` is by name. Boards that do not have it stay in the order of
        their ranks, which are among all models, whoever is shown. A board that has none of the
        models, or of the metrics, is left out.

        Raises
        ------
        UsageError
            For a model or a metric that none of the boards has, and where none has both.
        """
        known = {name for board in boards for row in board.rows for name in row.metrics}
        by = None if self.sort is None else self.sort.removeprefix("-")
        for name in (*self.columns, *([by] if by not in (None, BY_NAME) else [])):
            if name not in known:
                raise UsageError(unknown_name("metric", str(name), known))
        shown = [
            replace(board, columns=self.columns)
            for board in (_of_models(store, boards, self.models) if self.models else boards)
            if not self.columns
            or any(name in row.metrics for row in board.rows for name in self.columns)
        ]
        if boards and not shown:
            raise UsageError(f"no board has {', '.join(self.columns)} of {', '.join(self.models)}")
        return shown if self.sort is None else [_sorted(board, self.sort) for board in shown]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> BoardRequest:
        """What `to_json` wrote, as it was.

        Raises
        ------
        ValueError
            For fields that a request does not have, and values of another type.
        """
        from pydantic import TypeAdapter

        if unknown := set(written) - {one.name for one in fields(cls)}:
            raise ValueError(f"no field of a request: {', '.join(sorted(map(str, unknown)))}")
        return TypeAdapter(cls).validate_python(dict(written))


def leaderboards(
    store: Store,
    benchmark: str | BenchmarkRef,
    version: str | None = None,
    *,
    request: BoardRequest | None = None,
    runs: Sequence[RunManifest] | None = None,
    panels: Sequence[Panel] = (),
    intervals: Intervals | None = None,
    **asked: Any,
) -> tuple[Board, ...]:
    """The boards of a benchmark, by what is said of answers, then by judge.

    Judges that label have a board of accuracies (the share of readable verdicts that are the
    benchmark's positive label), judges that score one of mean scores, judges that compare one of
    win rates for each opponent. Intervals resample items, the same draws for all models and judges.
    Ranks have sets that hold for all models of a board at once.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``; ``version`` may stand apart.
    request
        What is asked for, of whichever benchmarks; made of ``asked``, its fields, if not given.
    runs
        All of the store's; read if not given.
    panels
        Whose combined verdicts have boards beside those of the judges, whichever of these are
        chosen. One that cannot be combined has a board without rows, with a warning that says why.
    intervals
        Those of the request's level if not given.

    Raises
    ------
    UsageError
        For a benchmark or judge that the store does not hold, for a metric that ranks no board or
        that no model has a value of, and for a way of grouping that no item knows.
    """
    request = request or BoardRequest(**asked)
    if request.rank_by is not None:
        from judgebench.reports.length_calibrations import check_ranking

        check_ranking(request.length_control, request.rank_by)
    which = benchmark
    if not isinstance(which, BenchmarkRef):
        which = benchmark_ref(store, which if version is None else f"{which}@{version}")
    if which.weighted is None and (request.upstream or request.style_control):
        raise UsageError(
            f"{which} has no weighted win rate: --upstream and --style-control are of benchmarks "
            "whose judges say how clear a win is, such as arena_hard"
        )
    if which.weighted is not None:
        # Their intervals need it later; while verdicts are read it is loaded beside.
        Thread(target=import_module, args=("scipy.special",)).start()
    intervals = intervals or Intervals(level=request.level)
    begin = partial(_begin_draws, intervals, store, which)
    data = BoardData(store, which, panels, runs=runs, meanwhile=begin)
    for name in request.by:
        if (
            name not in which.report.by
        ):  # what the benchmark declares, imported verdicts need not know
            data.check_grouping(name)
    groups = {name: data.groups(name) for name in dict.fromkeys((*which.report.by, *request.by))}
    called = frozenset(
        judge
        for name in set(request.judges).difference(panel.name for panel in panels)
        for judge in find_judges(name, data.judges, store, which)
    )
    excluded = frozenset[str]() if request.rank_suspicious else frozenset(data.suspicious)
    boards = _Boards(
        data=data,
        which=which,
        request=request,
        judge_ids={shown: one for one, shown in data.judges.items()},
        ranked=frozenset(data.model_ids) - excluded,
        groups=groups,
        judges=called,
        intervals=intervals,
        excluded=excluded,
    )
    if request.published_as:
        boards.published.check_names(request.published_as)
    found = tuple(
        board
        for board in boards
        if not request.judges or board.judge_id is None or board.judge in called
    )
    if request.rank_by == LENGTH_CONTROLLED:
        _check_controlled(found)
    if request.corrected:
        from judgebench.reports.corrected import with_corrections

        return with_corrections(data, found, level=intervals.level, width=request.width)
    return found


def _begin_draws(
    intervals: Intervals, store: Store, which: BenchmarkRef, verdicts: Columns
) -> None:
    """Draw beside the reading of answers, where all verdicts make one board and no item repeats.

    Of many verdicts the arrays still need the room that draws take.
    """
    said = counted(verdicts["kind"], verdicts["opponent"])
    if len(verdicts["kind"]) >= _MANY or len({one for one in said if one[0] != "unreadable"}) != 1:
        return
    contents, items = store.item_contents(which.name, which.version), counted(verdicts["item_id"])
    if len({contents.get(item) or item for item in items}) == len(items):
        intervals.resamples(sorted(items)).begin()


_MANY = 2**20
"""Verdicts from which on their arrays take more room than draws."""


@dataclass(kw_only=True)
class _Boards:
    """The boards that can be made of a benchmark's verdicts.

    ``judges`` are those that are asked for by name, ``judge_ids`` those of all; ``excluded`` models
    have no rank, and all others are ``ranked``.
    """

    data: BoardData
    which: BenchmarkRef
    request: BoardRequest
    judge_ids: Mapping[str, str]
    ranked: frozenset[str]
    groups: Mapping[str, Mapping[str, str | Sequence[str]]]
    judges: frozenset[str]
    intervals: Intervals
    excluded: frozenset[str]
    styled: dict[tuple[str, str], StyleBoard] = field(default_factory=dict)
    style_unit: str = ""

    def __iter__(self) -> Iterator[Board]:
        for kind, verdicts in self.data.verdicts.items():
            n_items = len(counted(verdicts["item_id"]))
            opponent = self.data.model_ids[kind.opponent] if kind.opponent else None
            by_judge = grouped((one.judge, one) for one in self._standings(kind, verdicts))
            if kind.kind == "preference":
                found = self._length.controlled(kind, verdicts, by_judge)
            else:
                its = by_judge.items()
                found = {judge: RankedBoard(own, kind.metric.name) for judge, own in its}
            for judge, ranked in found.items():
                beside: Sequence[PublishedBeside] = ()
                if self.which.published:
                    beside = self.published.beside(
                        self.judge_ids.get(judge),
                        opponent,
                        ranked.metric,
                        [standing.model for standing in ranked.standings],
                        self.request.published_as,
                    )
                same = next((one for one in beside if one.because is None), None)
                # Those that are excluded from the ranking stand by value, behind all others.
                within = [one for one in ranked.standings if one.model not in self.excluded]
                apart = [one for one in ranked.standings if one.model in self.excluded]
                apart.sort(key=lambda one: best_first(one.leading.value))
                rows = tuple(
                    self._row(standing, n_items, opponent, same) for standing in (*within, *apart)
                )
                board = self._board(kind, verdicts, judge, ranked, rows)
                notes = board.notes
                said = "" if same is None else same.reference.board.note
                if said and any(row.published for row in rows):
                    notes = (*notes, said)
                yield replace(board, beside=tuple(beside), notes=notes)
        for name, reason in self.data.refused.items():
            yield Board(
                benchmark=self.which.name, version=self.which.version, metric=None, scale=None,
                judge=name, judge_id=None, judge_is="a panel", warnings=(reason,),
            )  # fmt: skip

    @cached_property
    def published(self) -> PublishedNumbers:
        """What others published, of a benchmark of which they did, or for length control."""
        from judgebench.reports.published import PublishedNumbers

        return PublishedNumbers(self.data)

    @cached_property
    def _length(self) -> LengthBoards:
        """Beside win rates, those at equal length: no other board needs them."""
        from judgebench.reports.length_calibrations import LengthBoards

        return LengthBoards(
            self.published, self.request.length_control, self.request.rank_by, self.judges,
            self.intervals,
            self.ranked,
        )  # fmt: skip

    def _standings(self, kind: BoardKind, answered: Columns) -> Sequence[Standing]:
        groups: Groups = [*self.groups.values()]
        verdicts = answered
        if self.which.report.turns:
            verdicts, groups = by_turn(verdicts, groups)
        if kind.kind == "label":
            return accuracies(
                verdicts,
                labels=self.which.labels,
                groups=groups,
                rates=self.which.report.rates,
                apart=self.which.report.apart is not None,
                intervals=self.intervals,
                ranked=self.ranked,
            )
        if kind.kind == "score":
            rounded = (
                self.data.groups(self.which.report.rounded) if self.which.report.rounded else {}
            )
            splits = {item: tags(group) for item, group in rounded.items()}
            scored = scores(
                verdicts,
                groups=groups,
                balance=self.data.balance,
                chance=self.data.chances() if self.which.report.guessed else None,
                splits={item: group for item, (group, *_) in splits.items()} or None,
                grouped=self.which.report.grouped,
                unread_as=None if self.which.report.sides else self.which.report.unparsed,
                intervals=self.intervals,
                ranked=self.ranked,
            )
            return self._with_words(verdicts, scored) if self.which.report.words else scored
        assert kind.opponent is not None  # comparisons name whom the models are compared with
        found = win_rates(
            verdicts,
            kind.opponent,
            groups=groups,
            intervals=self.intervals,
            ranked=self.ranked,
            weighted=self.which.weighted,
            by_weights=self.request.rank_by is None,
        )
        return self._with_lengths(answered, self._beside_weighted(verdicts, kind.opponent, found))

    def _beside_weighted(
        self, verdicts: Columns, opponent: str, rows: Sequence[Standing]
    ) -> list[Standing]:
        """The standings with upstream's interval, and with scores controlled for style."""
        beside: dict[str, Mapping[tuple[str, str], Estimate]] = {}
        weighted, definition = self.which.weighted, self.request.style_control
        if weighted is not None and self.request.upstream:
            beside[AS_UPSTREAM] = as_upstream(verdicts, opponent, weighted)
        if weighted is not None and definition is not None:
            looks, self.style_unit = styles_in_tokens(self.data)
            found = style_boards(
                verdicts, opponent, looks,
                definition=definition, clear=weighted.clear, level=self.intervals.level,
                unit=self.style_unit,
            )  # fmt: skip
            wanted = {j: one for j, one in found.items() if not self.judges or j in self.judges}
            refuse_lacking(self.which, wanted)
            self.styled |= {(judge, opponent): one for judge, one in wanted.items()}
            beside[f"{STYLE_CONTROLLED}/{definition}"] = {
                (j, model): score
                for j, one in wanted.items()
                for model, score in one.scores.items()
            }
        return [
            replace(
                row,
                metrics=dict(row.metrics)
                | {n: of[row.judge, row.model] for n, of in beside.items()
                   if (row.judge, row.model) in of},
            )
            for row in rows
        ]  # fmt: skip

    def _with_lengths(self, verdicts: Columns, rows: Sequence[Standing]) -> list[Standing]:
        """The standings with the mean length of the answers behind their own metrics."""
        models = sorted({row.model for row in rows})
        items = sorted(counted(verdicts["item_id"]))
        found = answer_lengths(self.data.lengths, models, items, self.intervals)
        return [replace(row, metrics={**row.metrics, AVG_LENGTH: found[row.model]}) for row in rows]

    def _with_words(self, verdicts: Columns, rows: Sequence[Standing]) -> list[Standing]:
        """The standings with the mean number of words of answers to items of some categories."""
        items = sorted(counted(verdicts["item_id"]))
        found = answer_lengths(
            self.data.words(self.which.report.words), sorted({row.model for row in rows}), items,
            self.intervals,
        )  # fmt: skip
        return [replace(row, metrics={**row.metrics, AVG_WORDS: found[row.model]}) for row in rows]

    def _row(
        self, standing: Standing, n_items: int, opponent: str | None, same: PublishedBeside | None
    ) -> Row:
        model_id = self.data.model_ids[standing.model]
        marks = self.data.marks.get((standing.judge, standing.model), NO_MARKS)
        judged = standing.metrics.get(WIN_RATE, standing.leading)
        counts = {
            "items": n_items,
            "verdicts": judged.n,
            **standing.counts,
            **self.data.answers(model_id, opponent),
            **{f"{COUNTED}{mark}": n for mark, n in marks.answers.items()},
        }
        return Row(
            model=standing.model,
            model_id=model_id,
            version=self.which.version,
            rank=standing.rank,
            rank_low=standing.rank_low,
            rank_high=standing.rank_high,
            metrics=standing.metrics,
            counts=counts,
            flags=flags_of(self.data, standing.model, judged, counts, marks, opponent),
            suspicious=self.data.suspicious.get(standing.model),
            excluded=standing.model in self.excluded,
            published={} if same is None else same.figures(standing.model),
        )

    def _board(
        self,
        kind: BoardKind,
        verdicts: Columns,
        judge: str,
        ranked: RankedBoard,
        rows: tuple[Row, ...],
    ) -> Board:
        report, panel = self.which.report, self.data.panels.get(judge)
        members = [self.judge_ids[name] for name in (panel.judges if panel else [judge])]
        specs = [self.data.spec_of[member] for member in members]
        prompts = {spec.official_prompt for spec in specs}
        figures = self.data.figures if kind.kind == "label" and report.rates else ()
        styled = self.styled.get((judge, kind.opponent or ""))
        # The ends of what the metric can be, where it has any.
        if (scale := kind.metric.scale) is None:
            on_scales = counted(*(verdicts[name] for name in ("judge", "kind", "low", "high")))
            ends = [
                (float(low), float(high))
                for who, what, low, high in on_scales
                if (who, what) == (judge, "score")
            ]
            scale = ends[0] if len(ends) == 1 and all(map(math.isfinite, ends[0])) else None

        notes = [*ranked.notes]
        silent, mended = (
            sum(row.counts.get(name, 0) for row in rows)
            for name in (NOT_APPLICABLE, "marked_mended")
        )
        if silent and report.not_applicable is not None:
            notes.append(
                f"{counted_words(silent, 'part')} of scores, which the judge says do not apply, "
                f"left out; score/official takes each for {report.not_applicable:g}"
            )
        if mended:
            said = counted_words(mended, "reply", "replies")
            notes.append(f"{said} mended to be read: no JSON as it stood")
        if (times := self.data.repeats) is not None:
            notes.append(
                f"{sum(times):,} items are {len(times):,} distinct questions, each asked once and "
                "counted as often as it occurs; intervals draw questions, which say as much as "
                f"{effective_n(times):,.0f} that occur equally often"
            )
        if panel is not None:
            notes += self.data.weighed.get((panel.name, kind), ())
        if self.which.weighted is not None and kind.kind == "preference":
            notes += _not_weighted(panel, rows)
        if styled is not None:
            notes += said_of_style(styled, self.style_unit)
        if figures:
            notes.append(f"nobody is ranked: {NO_ONE_NUMBER}")
        # Whether numbers are by group, and no question is here that says its own.
        groups = {} if report.apart is None else self.data.groups(report.apart)
        by_category = report.apart is None and report.sides
        if (report.apart is not None and not groups) or (by_category and not self.data.category_of):
            notes.append(WITHOUT_CATEGORIES.format(self.which.name))
        return Board(
            benchmark=self.which.name,
            version=self.which.version,
            metric=None if figures else ranked.metric,
            scale=scale,
            judge=judge,
            judge_id=None if panel else members[0],
            judge_is=panel_line(panel)
            if panel
            else judge_line(specs[0], self.data.left_out(members[0])),
            opponent=kind.opponent,
            opponent_id=self.data.model_ids[kind.opponent] if kind.opponent else None,
            served_models=self.data.served(members),
            official_prompt=False if False in prompts else None if None in prompts else True,
            rows=rows,
            style_set=tuple(() if styled is None else sorted(styled.scores)),
            warnings=(*warnings_of(self.data, judge, members, rows), *ranked.warnings),
            notes=tuple(notes),
            figures=figures,
            parts=tuple(report.grouped) if kind.kind == "score" else (),
            groups={name: tuple(group_names(group_of)) for name, group_of in self.groups.items()},
        )


def _not_weighted(panel: Panel | None, rows: Sequence[Row]) -> list[str]:
    """That nobody knows how clear wins are, where they should count more."""
    readable = [row for row in rows if row.judged.n]
    if not readable or any(WEIGHTED in row.metrics for row in readable):
        return []
    if panel is not None:
        return [
            "no weighted win rate: what a panel says of an answer is made of several judges' "
            "verdicts, and not how clear a win is; each judge's own board has one"
        ]
    return [
        "no weighted win rate: these verdicts do not say how clear a win is; those that were "
        "imported before stores kept it say so once they are imported again"
    ]


def _check_controlled(boards: Sequence[Board]) -> None:
    """Refuse to rank by length-controlled win rates where no board of comparisons has any.

    Raises
    ------
    UsageError
    """
    compared = [board for board in boards if board.opponent is not None and board.rows]
    if not compared or any(board.metric == LENGTH_CONTROLLED for board in compared):
        return
    of_rows = (row.metrics.get(LENGTH_CONTROLLED) for board in compared for row in board.rows)
    reasons = list(dict.fromkeys(one.undefined for one in of_rows if one and one.undefined))
    why = few(reasons) or (
        "the store has no calibration of length for these judges; "
        f"`judgebench calibrate-length {boards[0].benchmark}` fits one"
    )
    raise UsageError(
        f"no model of {boards[0].benchmark} can be ranked by {LENGTH_CONTROLLED}: {why}. "
        "Without --rank-by the plain win rate ranks"
    )


def styles_in_tokens(data: BoardData) -> tuple[dict[tuple[str, str], Style], str]:
    """The style of every answer, and the unit of their lengths, which all have in common.

    Tokens where all answers came with theirs; else characters.
    """
    from judgebench.reports.ranking import styles_of

    found = styles_of(data, tokens=True)
    if any(math.isnan(one.length) for one in found.values()):
        return styles_of(data), "characters"
    return found, "tokens"


def refuse_lacking(which: BenchmarkRef, boards: Mapping[str, StyleBoard]) -> None:
    """Refuse a board on which the answers of one model are not known.

    Raises
    ------
    UsageError
        Naming the models.
    """
    for judge, one in boards.items():
        if one.lacking:
            said = ", ".join(f"{model} ({n} games)" for model, n in one.lacking.items())
            raise UsageError(
                f"{which}: {judge} compared answers that the store does not have: of {said}. A "
                "style-controlled score belongs to a set of models, and a model more or less moves "
                "every other; `judgebench import arena-hard FILE` brings a model's answers"
            )


def said_of_style(one: StyleBoard, unit: str) -> list[str]:
    """Whose scores they are, in what lengths were counted, and what style is worth."""
    fitted = {mark: value for mark, value in one.coefficients.items() if not math.isnan(value)}
    no_interval = any(math.isnan(score.low) for score in one.scores.values())
    worth = ", ".join(f"{mark} {value:+.2f}" for mark, value in fitted.items()) or "none"
    return [
        "style-controlled scores belong to this set of "
        f"{counted_words(len(one.scores), 'model')}: one more moves every other; "
        f"lengths in {unit}; log-odds per standard deviation: {worth}",
        "no ranks by them: it was not measured how often such sets of ranks hold",
        *([f"style-controlled: {NO_STYLE_INTERVAL}"] if no_interval else []),
    ]


# which judges and rows are meant ------------------------------------------------------------------


def no_boards(benchmarks: Sequence[str], judges: Collection[str]) -> UsageError:
    """That there is nothing to show, and what can be done."""
    who, which = ", ".join(judges) or "no judge", " or ".join(benchmarks)
    return UsageError(
        f"{who} has{' not' if judges else ''} said how good an answer to {which} is; "
        "`judgebench run SUITE.yaml` asks judges, `judgebench export verdicts` shows what there "
        f"is, and `judgebench confidence {benchmarks[0]}` how sure models are of answers"
    )


def _judges_here(
    store: Store,
    runs: Sequence[RunManifest],
    benchmarks: Sequence[str],
    judges: Collection[str],
    panels: Collection[str],
) -> dict[str, list[str]]:
    """Which of the judges that are asked for each benchmark knows."""
    here: dict[str, list[str]] = {name: [] for name in benchmarks}
    refused: dict[str, list[UsageError]] = {judge: [] for judge in judges}
    for name in here:
        which = benchmark_ref(store, name)
        tables = [read(which.name, which.version) for read in (store.failures, store.verdicts)]
        shown = disambiguate(tables, "judge")
        declared = {panel.name for panel in panels_in(runs, which)}
        for judge in judges:
            try:
                if judge not in panels and judge not in declared:
                    find_judges(judge, shown, store, which)
                here[name].append(judge)
            except UsageError as error:
                refused[judge].append(error)
    for errors in refused.values():
        if len(errors) == len(here):
            raise errors[0]
    return here


def _of_models(store: Store, boards: Sequence[Board], models: Collection[str]) -> list[Board]:
    names = {model.id: model.names for model in store.models()}
    shown = {row.model: row.model_id for board in boards for row in board.rows}
    wanted = {one for name in models for one in _called(name, shown, names)}
    return [
        replace(
            board,
            rows=rows,
            notes=board.notes
            if len(rows) == len(board.rows)
            else (*board.notes, f"{len(rows)} of {len(board.rows)} models; ranks are among all"),
        )
        for board in boards
        if (rows := tuple(row for row in board.rows if row.model_id in wanted))
    ]


def _called(name: str, shown: Mapping[str, str], names: Mapping[str, Sequence[str]]) -> list[str]:
    """The ids of the models that go by a name; one that is shown so goes before others."""
    if means := (
        [one for label, one in shown.items() if name in (label, one)]
        or [one for one in shown.values() if name in names.get(one, ())]
    ):
        return means
    raise UsageError(unknown_name("model", name, shown))


def _sorted(board: Board, sort: str) -> Board:
    metric, least_first = sort.removeprefix("-"), sort.startswith("-")
    if metric == BY_NAME:
        rows = sorted(board.rows, key=lambda row: row.model, reverse=least_first)
        return replace(board, rows=tuple(sorted(rows, key=lambda row: row.excluded)))

    def order(row: Row) -> tuple[bool, float]:
        """What has no value comes last, behind it whoever is excluded from the ranking; equals stay
        in the order of their ranks."""
        value = row.metrics[metric].value if metric in row.metrics else math.nan
        return row.excluded, best_first(-value if least_first else value)

    return replace(board, rows=tuple(sorted(board.rows, key=order)))
