"""Which calibration of length holds for a judge's comparisons with one opponent, and fitting one.

Of AlpacaEval there are its authors' published files, or what results say they must hold; one of the
store's own is fitted from its judgments.

Length-controlled win rates on the boards of those judges that a calibration is for.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from judgebench.benchmarks.data import calibration
from judgebench.columns import grouped
from judgebench.errors import InputError, UsageError, unknown_name
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.length_controlled import (
    LengthCalibration,
    LengthComparisons,
    at_equal_length,
    compared,
    compat,
    exact,
    from_json,
)
from judgebench.metrics.length_controlled import to_json as numbers
from judgebench.metrics.paired import PairedModels, PairedTests, compare, rows_of
from judgebench.metrics.ranked_rows import Places, Standing, ranks
from judgebench.metrics.win_rate import AS_PUBLISHED, LENGTH_CONTROLLED, PERCENT, WIN_RATE
from judgebench.plain_text import day, few
from judgebench.records import Estimate
from judgebench.reports.board import LengthControl, RankedBoard
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import (
    Columns,
    benchmark_ref,
    described,
    find_judges,
    find_model,
)
from judgebench.reports.document import (
    OfBenchmark,
    Report,
    Rows,
    Table,
    column,
    json_after,
    json_field,
    table,
)
from judgebench.reports.published import PublishedNumbers
from judgebench.rows import Row, read_rows
from judgebench.stats.length_calibration import Calibration, fit_difficulty
from judgebench.stats.length_control import CANDIDATES, Anchors
from judgebench.store.read import StoredCalibration
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.reports.model_pairs import PairData

Floats = NDArray[np.float64]

ANCHORS, DIFFICULTY = "df_gamed.csv", "instruction_difficulty.csv"
"""The published files, as they are called where they are published."""

INSTRUCTIONS, PSEUDO_ANCHORS, LEADERBOARD = "instructions.csv", "anchors.csv", "published.csv"

FAIR, GOOD = 0.5, 0.7
"""Reliability of difficulties. With AlpacaEval 2's verdicts, another model's length-controlled win
rate lay 2.8 points from the published calibration's at 0.3, and 1.7 points at 0.7."""


class Calibrations:
    """What there is for one benchmark.

    The published calibration holds for the published judge and baseline alone; there it goes before
    one of the store, so that a fit made in passing does not move published numbers.
    """

    def __init__(self, data: BoardData, published: PublishedNumbers | None = None) -> None:
        self.data, self.which = data, data.which
        self.numbers = published or PublishedNumbers(data)
        self._described = described(data.which.name)
        self._judges = {judge.id: judge for judge in data.store.judges()}
        self._models = {model.id: model for model in data.store.models()}

    def holds(self, judge: str | None, opponent: str) -> LengthCalibration | str | None:
        """The calibration for a judge and an opponent, by id, or why there is none.

        Returns
        -------
        LengthCalibration, str or None
            None where nobody would ask for one: the benchmark has no published calibration and
            another headline, and the store none for this judge and opponent.
        """
        if self.numbers.are_of(judge, opponent) and self._published_files is not None:
            return self._published_files
        own = self.own(judge, opponent)
        if own is not None:
            return from_json(own.content, in_words(own))
        expected = self._is_published or self.which.report.headline == LENGTH_CONTROLLED
        return self._why_not(judge, opponent) if expected else None

    def own(self, judge: str | None, opponent: str) -> StoredCalibration | None:
        """The last that was fitted for a judge and an opponent, by id."""
        known = self._judges.get(judge or "")
        if known is None:
            return None
        of = known.key, self._models[opponent].key
        fitted = (one for one in self._stored if (one.judge_key, one.opponent_key) == of)
        return next(fitted, None)

    def goes_before_own(self, judge: str, opponent: str) -> LengthCalibration | None:
        """The published calibration, where it holds for a judge and an opponent, by id."""
        if self.numbers.are_of(judge, opponent):
            return self._published_files
        return None

    @property
    def _is_published(self) -> bool:
        """Whether a calibration of this benchmark is published, here or not."""
        return any(board.calibration for board in self.numbers.boards)

    @cached_property
    def _stored(self) -> list[StoredCalibration]:
        """The last first."""
        return self.data.store.calibrations(self.which.name, self.which.version)[::-1]

    @cached_property
    def _published_files(self) -> LengthCalibration | None:
        assert self._described is not None
        description, folder = self._described
        figures = folder / "figures"
        return published(calibration(description).here(), figures) or recovered(figures)

    def _why_not(self, judge: str | None, opponent: str) -> str:
        if judge is None:
            return "no calibration for a panel; one is of a single judge"
        named, baseline = self.data.judges[judge], self.data.models[opponent]
        why = self.numbers.why_not(judge, opponent) or (
            f"`judgebench data pull {self.which.name}` brings the published one"
        )
        return (
            f"no calibration for this judge and baseline ({why}); `judgebench calibrate-length "
            f"{self.which.name} --judge {quote(named)} --baseline {quote(baseline)}` fits one"
        )


def calibrated(
    data: PairData, boards: Sequence[tuple[BoardKind, str]]
) -> list[tuple[BoardKind, str]]:
    """Those of some boards of comparisons that have a calibration."""
    return [
        (kind, judge) for kind, judge in boards if not isinstance(_held(data, kind, judge), str)
    ]


def pair_at_equal_length(
    data: PairData,
    kind: BoardKind,
    judge: str,
    two: tuple[str, str],
    *,
    alpha: float,
) -> tuple[PairedModels, PairedTests]:
    """The length-controlled win rates of two models on one board of comparisons.

    Of a judge that has judged one of them only there is nothing to compare, calibrated or not.

    Raises
    ------
    UsageError
        Where no calibration holds for this judge and opponent, in the words of the board.
    """
    assert kind.opponent is not None
    pair = data.pair(kind, judge, two, None).by_question
    if pair.why_not is not None:
        return replace(pair, metric=LENGTH_CONTROLLED), compare(pair, alpha=alpha)
    held = _held(data, kind, judge)
    if isinstance(held, str):
        raise UsageError(f"{data.which}: no length-controlled win rate: {held}")
    return at_equal_length(
        pair,
        rows_of(data.board.verdicts[kind], judge, two),
        kind.opponent,
        two,
        lengths=data.board.lengths,
        calibration=held,
        alpha=alpha,
        intervals=Intervals(level=1.0 - 2.0 * alpha),
    )


def _held(data: PairData, kind: BoardKind, judge: str) -> LengthCalibration | str:
    """The calibration of a board, or why there is none."""
    assert kind.opponent is not None
    opponent = data.board.model_ids[kind.opponent]
    held = Calibrations(data.board).holds(data.judge_id(judge), opponent)
    return held or (
        f"no calibration for this judge and baseline; `judgebench calibrate-length "
        f"{data.which.name} --judge {quote(judge)} --baseline {quote(kind.opponent)}` fits one"
    )


def in_words(stored: StoredCalibration) -> str:
    """Which calibration of the store it is."""
    return (
        f"one of this store ({stored.id}, {day(stored.at)}), fitted on {len(stored.models)} "
        f"models; {reliability_in_words(float(stored.content['reliability']))}"
    )


def reliability_in_words(reliability: float) -> str:
    """How far the difficulties can be relied on."""
    word = "low" if reliability < FAIR else "fair" if reliability < GOOD else "good"
    return f"reliability {reliability:.2f} ({word})"


# published --------------------------------------------------------------------------------------


def published(files: Mapping[str, Path], figures: Path) -> LengthCalibration | None:
    """The calibration in its authors' files, whose content was checked already; None without them.

    Parameters
    ----------
    files
        By name, `ANCHORS` and `DIFFICULTY`.
    figures
        The folder of published figures, for the strengths; it need not be there.

    Raises
    ------
    InputError
        For a file that is not of that form, naming line and field.
    """
    if not {ANCHORS, DIFFICULTY} <= files.keys():
        return None
    difficulty = _difficulty_by_index(files[DIFFICULTY])
    rows = read_rows(
        files[ANCHORS],
        ("preference", "index", "std_delta_len", "instruction_difficulty", "not_gamed_baseline"),
    )
    for row in rows:
        # Upstream fits with the difficulties of this file, which is of every instruction.
        difficulty[str(row.whole("index"))] = row.number("instruction_difficulty")
        if str(row.values["not_gamed_baseline"]).lower() not in ("false", "0"):
            raise row.wrong("not_gamed_baseline", "an anchor row says False here")
    judged = [row for row in rows if row.has("preference")]
    return LengthCalibration(
        origin="published",
        note=f"the published one ({ANCHORS}, {len(judged)} anchor rows)",
        difficulty=difficulty,
        anchors=Anchors(
            std_length=np.array([row.number("std_delta_len") for row in judged]),
            difficulty=np.array([row.number("instruction_difficulty") for row in judged]),
            preference=np.array([_chance(row, "preference") for row in judged]),
        ),
        published_c=published_strengths(figures),
    )


def _difficulty_by_index(path: Path) -> dict[str, float]:
    """A column of numbers behind the instructions' indices, whatever the two are called."""
    found: dict[str, float] = {}
    for row in read_rows(path, ()):
        if len(row.values) != 2:
            raise InputError(f"{row.where}: two columns, index and difficulty, have to stand here")
        index, value = row.values
        item = str(row.whole(index)) if row.has(index) else ""
        if not item or item in found:
            raise InputError(f"{row.where}: one row for each instruction, its index first")
        found[item] = row.number(value)
    return found


def _chance(row: Row, name: str) -> float:
    found = row.number(name)
    if not 0.0 <= found <= 1.0:
        raise row.wrong(name, f"between 0 and 1, not {found}")
    return found


# recovered --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LengthTable:
    """By the instruction's index: the baseline's length in characters, and the difficulty."""

    baseline_length: Floats
    difficulty: Floats
    anchors: Anchors


def read_recovered(figures: Path) -> LengthTable:
    """What results of the leaderboard say of the calibration.

    Raises
    ------
    InputError
        For a file that is not there or cannot be used, naming line and field.
    """
    items = read_rows(figures / INSTRUCTIONS, ("index", "baseline_length", "difficulty"))
    for place, row in enumerate(items):
        if row.whole("index") != place:
            raise row.wrong("index", f"{place} has to stand here: one row for each instruction")
    difficulty = np.array([row.number("difficulty") for row in items])
    anchors = read_rows(figures / PSEUDO_ANCHORS, ("index", "std_length", "pseudo_preference"))
    return LengthTable(
        baseline_length=np.array([row.number("baseline_length") for row in items]),
        difficulty=difficulty,
        anchors=Anchors(
            std_length=np.array([row.number("std_length") for row in anchors]),
            difficulty=difficulty[[index_of(row, len(items)) for row in anchors]],
            preference=np.array([_chance(row, "pseudo_preference") for row in anchors]),
        ),
    )


def recovered(figures: Path) -> LengthCalibration | None:
    """The recovered calibration of a checkout; None where its figures are not there."""
    if not all((figures / name).is_file() for name in (INSTRUCTIONS, PSEUDO_ANCHORS)):
        return None
    found = read_recovered(figures)
    return LengthCalibration(
        origin="recovered",
        note="recovered from published results, in place of the published files",
        difficulty={str(i): d for i, d in enumerate(found.difficulty.tolist())},
        anchors=found.anchors,
        published_c=published_strengths(figures),
    )


def index_of(row: Row, n_items: int) -> int:
    """The place of a row's instruction."""
    found = row.whole("index")
    if found >= n_items:
        raise row.wrong("index", f"there are {n_items} instructions, from 0, not {found}")
    return found


def published_strengths(figures: Path) -> dict[str, float]:
    """By model, the ``c`` with which its published value comes out, where one does."""
    path = figures / LEADERBOARD
    if not path.is_file():
        return {}
    found = {row.text("model"): strength(row) for row in read_rows(path, ("model",))}
    return {model: c for model, c in found.items() if c is not None}


def strength(row: Row) -> float | None:
    """The ``c`` that a row of the leaderboard names by its place among the candidates."""
    if not row.has("c_index"):
        return None
    index = row.whole("c_index")
    if index >= len(CANDIDATES):
        raise row.wrong("c_index", f"one of 0 to {len(CANDIDATES) - 1}, not {index}")
    return CANDIDATES[index]


MIN_MODELS = 5
"""Models below which no calibration is fitted. With the published verdicts of AlpacaEval 2, five
determine 0.3 of the variance of difficulties, and put another model's length-controlled win rate
2.8 points from where the published calibration has it; of fewer nothing is known."""

LIKELY = (0.1, 0.9)
"""Win rates between which a model can be the baseline with its length changed: AlpacaEval 2's own
have 0.23 (concise) and 0.64 (verbose)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthFit(OfBenchmark, Report):
    """A calibration that was fitted and stored, and what it was fitted on.

    models, anchored
        Names of the models that helped, and of those among them that are the baseline with its
        length changed.
    items, verdicts
        Instructions with a difficulty, and the verdicts that say so.
    unlike
        Anchored models that win or lose too often to be the baseline at another length.
    used
        Whether boards use it; otherwise they go on using the published calibration.
    """

    ROWS: ClassVar = (
        Rows(
            row=(
                *("benchmark", "version", "judge", "judge_id", "baseline", "baseline_id"),
                *("calibration", "models", "anchored", "items", "verdicts"),
                *("spread", "reliability", "used"),
            ),
        ),
    )

    judge: str
    judge_id: str
    baseline: str
    baseline_id: str
    stored: StoredCalibration = json_field(hidden=True)
    models: tuple[str, ...]
    anchored: tuple[str, ...]
    items: int
    verdicts: int
    spread: float
    reliability: float
    unlike: tuple[str, ...] = json_field(hidden=True)
    used: bool

    @property
    @json_after("baseline_id")
    def calibration(self) -> str:
        """Its id in the store."""
        return self.stored.id

    def tables(self) -> list[Table]:
        """What it was fitted on, how far it can be relied on, and what to do next."""
        counts = [
            ("models", str(len(self.models))),
            ("of them anchors", str(len(self.anchored))),
            ("instructions", str(self.items)),
            ("verdicts", str(self.verdicts)),
            ("spread of difficulty, log-odds", f"{self.spread:.2f}"),
            ("reliability", f"{self.reliability:.2f}"),
        ]
        return [
            table(
                f"{self.place}, judged by {self.judge}, against "
                f"{self.baseline}: calibration {self.stored.id}",
                counts,
                [
                    column("what", lambda row: row[0]),
                    column("value", lambda row: row[1], align="right"),
                ],
                subtitle=f"fitted on {', '.join(self.models)}",
                notes=_notes(self),
            )
        ]


def calibrate_length(
    store: Store,
    benchmark: str,
    *,
    judge: str | None = None,
    baseline: str | None = None,
    verbose: Collection[str] = (),
) -> LengthFit:
    """Fit the difficulty of instructions from one judge's comparisons with one baseline; keep it.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``.
    judge, baseline
        Names or ids; each has to be given where there are several.
    verbose
        Models that are the baseline with the length of its answers changed, which become anchors.

    Raises
    ------
    UsageError
        For names that the store does not hold or that mean several; with fewer than `MIN_MODELS`
        models whose verdicts and lengths are known; where their verdicts allow no fit.
    """
    which = benchmark_ref(store, benchmark)
    data = BoardData(store, which, ())
    opponent = _baseline(data, baseline)
    verdicts = data.verdicts[BoardKind("preference", opponent)]
    judge_id, shown = _judge(data, set(verdicts["judge"]), judge, opponent)
    rows = compared(verdicts, opponent, data.lengths, frozenset({shown}))[shown]
    among = list(dict.fromkeys([*rows.models, opponent]))
    anchors = {_model(data, among, name) for name in verbose}
    if opponent in anchors:
        raise UsageError(f"{opponent} is the baseline itself; --verbose names changed versions")
    used = _useful(rows, opponent)
    names = tuple(np.array(rows.models)[used].tolist())
    if lacking := sorted(anchors.difference(names)):
        raise UsageError(
            f"{lacking[0]}: its verdicts against {opponent}, or the lengths of its answers, are "
            "not in the store; an anchor needs both"
        )
    anchored = np.array([name in anchors for name in names], dtype=np.bool_)
    _enough(data, names, anchors, rows, opponent)
    fit = fit_difficulty(
        rows.preference[used],
        rows.difference[used],
        anchored=anchored,
    )
    if fit.reason:
        raise UsageError(
            f"{which}, {shown} against {opponent}: no calibration can be fitted: {fit.reason}"
        )
    stored = _kept(store, data, rows, fit, names, judge_id, data.model_ids[opponent])
    calibrations = Calibrations(data)
    before = calibrations.goes_before_own(judge_id, data.model_ids[opponent])
    return LengthFit(
        benchmark=which.name,
        version=which.version,
        judge=shown,
        judge_id=judge_id,
        baseline=opponent,
        baseline_id=data.model_ids[opponent],
        stored=stored,
        models=names,
        anchored=tuple(name for name in names if name in anchors),
        items=int((~np.isnan(fit.difficulty)).sum()),
        verdicts=int(rows.n[used].sum()),
        spread=fit.spread,
        reliability=fit.reliability,
        unlike=_unlike(rows, sorted(anchors)),
        used=before is None,
    )


# who is meant -----------------------------------------------------------------------------------


def _baseline(data: BoardData, name: str | None) -> str:
    known = sorted({kind.opponent for kind in data.verdicts if kind.opponent is not None})
    if not known:
        raise UsageError(
            f"{data.which}: no judge has compared models here; length is controlled for in "
            "comparisons with a baseline"
        )
    if name is not None:
        return _model(data, known, name)
    if len(known) > 1:
        raise UsageError(f"{data.which}: name one baseline: --baseline {_either(known)}")
    return known[0]


def _judge(
    data: BoardData, comparing: Collection[str], name: str | None, opponent: str
) -> tuple[str, str]:
    """The id and the shown name."""
    there = {one: shown for one, shown in data.judges.items() if shown in comparing}
    called = list(there.values())
    if name is not None:
        called = list(find_judges(name, there, data.store, data.which))
    if len(called) > 1:
        raise UsageError(
            f"{data.which}: a calibration is of one judge; of those that compared with {opponent} "
            f"name one: --judge {_either(sorted(called))}"
        )
    return next((one, shown) for one, shown in there.items() if shown == called[0])


def _either(names: Iterable[str]) -> str:
    """Names as they can be typed after an option."""
    return " or ".join(map(shlex.quote, names))


def _model(data: BoardData, among: Sequence[str], name: str) -> str:
    return find_model(name, among, data.model_ids, data.store, data.which)


# what is fitted ---------------------------------------------------------------------------------


def _useful(rows: LengthComparisons, opponent: str) -> NDArray[np.bool_]:
    """Models with verdicts on answers whose length differs from the baseline's in several ways."""
    judged = (~np.isnan(rows.preference)).any(axis=1)
    varying = np.array(
        [len(np.unique(of[~np.isnan(of)])) > 1 for of in rows.difference], dtype=np.bool_
    )
    itself = np.array([model == opponent for model in rows.models], dtype=np.bool_)
    return judged & varying & ~itself


def _unlike(rows: LengthComparisons, anchors: Sequence[str]) -> tuple[str, ...]:
    """Of the anchored models, those whose win rate is not in `LIKELY`."""
    rates = np.nanmean(rows.preference[[rows.models.index(name) for name in anchors]], axis=1)
    least, most = LIKELY
    return tuple(
        name
        for name, rate in zip(anchors, rates.tolist(), strict=True)
        if not least <= rate <= most
    )


def _enough(
    data: BoardData,
    names: Sequence[str],
    anchors: Collection[str],
    rows: LengthComparisons,
    opponent: str,
) -> None:
    free = [name for name in names if name not in anchors]
    if len(free) >= MIN_MODELS:
        return
    unknown = next(iter(rows.unknown.values()), "")
    raise UsageError(
        f"{data.which}: {len(free)} models have verdicts against {opponent} on answers whose "
        f"lengths are known, and a calibration needs {MIN_MODELS}: with fewer, instructions cannot "
        "be told apart by difficulty; have more models judged" + (f". {unknown}" if unknown else "")
    )


def _kept(
    store: Store,
    data: BoardData,
    rows: LengthComparisons,
    fit: Calibration,
    names: Sequence[str],
    judge_id: str,
    opponent_id: str,
) -> StoredCalibration:
    difficulty = {
        item: float(value)
        for item, value in zip(rows.items, fit.difficulty, strict=True)
        if not np.isnan(value)
    }
    return store.put_calibration(
        data.which.name,
        data.which.version,
        judge=next(judge.key for judge in store.judges() if judge.id == judge_id),
        opponent=next(model.key for model in store.models() if model.id == opponent_id),
        models=[data.model_ids[name] for name in names],
        content={
            **numbers(difficulty, fit.anchors),
            "spread": fit.spread,
            "reliability": fit.reliability,
        },
    )


# what is said ----------------------------------------------------------------------------------


def _notes(fitted: LengthFit) -> list[str]:
    word = reliability_in_words(fitted.reliability)
    said = [
        f"{word}: the share of the difficulties' variance that the verdicts determine; in a check "
        "on AlpacaEval 2, another model's length-controlled win rate lay 2.8 points off at 0.3 and "
        "1.7 at 0.7 (mean)"
    ]
    if fitted.reliability < FAIR:
        said.append("warning: more models would help; fit again when they are judged")
    said.append(
        "models that helped to fit are explained too well by it, and with few of them visibly so: "
        "add models and fit again before two of them are compared"
        if len(fitted.models) < 2 * MIN_MODELS
        else "models that helped to fit are explained a little too well by it"
    )
    said += [
        f"warning: {name} wins or loses nearly always; as an anchor it has to be "
        f"{fitted.baseline} with the length of its answers changed, and a model of another kind "
        "moves every length-controlled win rate"
        for name in fitted.unlike
    ]
    if not fitted.anchored:
        said.append(
            "no anchors: answers of the baseline with their length changed, judged against the "
            "baseline, and --verbose MODEL would say what length alone does"
        )
    said.append(
        "it is kept, but boards of this judge and baseline use the published calibration, which "
        "goes before it"
        if not fitted.used
        else "next: judgebench leaderboard " + shlex.quote(fitted.place)
    )
    return said


_SHOWN: Mapping[str, tuple[str, ...]] = {
    "exact": (LENGTH_CONTROLLED,),
    "compat": (AS_PUBLISHED,),
    "both": (LENGTH_CONTROLLED, AS_PUBLISHED),
    "off": (),
}


def check_ranking(control: LengthControl, rank_by: str) -> None:
    """That boards of comparisons can be ranked by a metric.

    Raises
    ------
    UsageError
        For a metric that no board is ranked by, or that is not to be computed.
    """
    if rank_by not in (known := (WIN_RATE, LENGTH_CONTROLLED)):
        raise UsageError(unknown_name("metric to rank by", rank_by, known))
    if rank_by not in (WIN_RATE, *_SHOWN[control]):
        raise UsageError(
            f"{rank_by} ranks only where it is computed: --length-control exact or both"
        )


class LengthBoards:
    """Adds length-controlled win rates to boards of comparisons, of some judges or of all.

    rank_by
        `WIN_RATE` or `LENGTH_CONTROLLED`: what ranks a board of comparisons that has it; None for
        the benchmark's headline, where it can be computed.
    ranked
        The models that are ranked; all if None.
    """

    def __init__(
        self,
        published: PublishedNumbers,
        control: LengthControl,
        rank_by: str | None,
        judges: frozenset[str],
        intervals: Intervals,
        ranked: Collection[str] | None = None,
    ) -> None:
        self.data, self.control, self.rank_by = published.data, control, rank_by
        self.judges = judges
        self.intervals, self.ranked = intervals, ranked
        self.calibrations = Calibrations(self.data, published)
        self._judge_ids = {shown: one for one, shown in self.data.judges.items()}

    def controlled(
        self, kind: BoardKind, verdicts: Columns, by_judge: Mapping[str, Sequence[Standing]]
    ) -> dict[str, RankedBoard]:
        """The boards of all judges that compare with one opponent.

        Parameters
        ----------
        by_judge
            Win rates, as `win_rate.win_rates` gives them.
        """
        assert kind.opponent is not None
        found = {
            judge: RankedBoard(rows, next(iter(rows[0].metrics)))
            for judge, rows in by_judge.items()
        }
        if self.control == "off":
            said = self._instead("length control is off")
            return {judge: one._replace(notes=said) for judge, one in found.items()}
        opponent = self.data.model_ids[kind.opponent]
        holding = {
            judge: self.calibrations.holds(self._judge_ids.get(judge), opponent)
            for judge in by_judge
        }
        fits = frozenset(j for j, one in holding.items() if isinstance(one, LengthCalibration))
        fits &= self.judges or fits
        rows = compared(verdicts, kind.opponent, self.data.lengths, fits) if fits else {}
        for judge, one in holding.items():
            if isinstance(one, LengthCalibration):
                if judge in fits:
                    found[judge] = self._with(by_judge[judge], rows[judge], one)
            elif one is not None:
                found[judge] = self._without(by_judge[judge], one)
        return found

    def _with(
        self, standings: Sequence[Standing], rows: LengthComparisons, calibration: LengthCalibration
    ) -> RankedBoard:
        metrics: dict[str, Mapping[str, Estimate]] = {}
        placed: Mapping[str, Places] | None = None
        notes: tuple[str, ...] = ()
        if LENGTH_CONTROLLED in _SHOWN[self.control]:
            controlled = exact(rows, calibration, intervals=self.intervals)
            metrics[LENGTH_CONTROLLED] = controlled.estimates
            have, lack = self._lacking_rates(standings, controlled.estimates)
            asked = self.rank_by == LENGTH_CONTROLLED
            if have and (asked or (self._by_headline and not lack)):
                found = ranks(
                    controlled.scores[0], controlled.covariance, units=controlled.units,
                    width=PERCENT, intervals=self.intervals,
                    models=controlled.models, ranked=self.ranked,
                )  # fmt: skip
                placed = dict(zip(controlled.models, found, strict=True))
            notes = self._said_of_ranks(have, lack)
        else:
            notes = self._instead("the compat fit has no intervals, and so no ranks")
        if AS_PUBLISHED in _SHOWN[self.control]:
            metrics |= compat(rows, calibration, intervals=self.intervals)
        told = [_told(row, metrics, placed) for row in standings]
        if placed is not None:
            told.sort(key=lambda row: (row.rank or math.inf, row.model))
        return RankedBoard(
            standings=told,
            metric=WIN_RATE if placed is None else LENGTH_CONTROLLED,
            notes=(*notes, *self._notes(metrics, calibration)),
            warnings=(*self._lacking(rows, calibration), *_far_apart(told)),
        )

    @property
    def _by_headline(self) -> bool:
        """Whether length-controlled win rates rank unasked, where they can be computed."""
        return self.rank_by is None and self.data.which.report.headline == LENGTH_CONTROLLED

    def _lacking_rates(
        self, standings: Sequence[Standing], estimates: Mapping[str, Estimate]
    ) -> tuple[int, dict[str, str]]:
        """Of the models that have a win rate and are ranked: how many have one at equal length.

        Of the others, why not, by model. Where nobody is ranked, all count.
        """
        rated = [row.model for row in standings if not math.isnan(row.metrics[WIN_RATE].value)]
        its = [one for one in rated if self.ranked is None or one in self.ranked] or rated
        lack = {model: why for model in its if (why := estimates[model].undefined) is not None}
        return len(its) - len(lack), lack

    def _said_of_ranks(self, have: int, lack: Mapping[str, str]) -> tuple[str, ...]:
        """That some models have no length-controlled win rate, and what that does to the ranks."""
        if not have:
            return self._instead(few(list(dict.fromkeys(lack.values()))))
        if not lack:
            return ()
        n = have + len(lack)
        if self.rank_by == LENGTH_CONTROLLED:
            return (f"length-controlled ranks are of {have} of {n} models: {by_reason(lack)}",)
        if not self._by_headline:
            return ()
        have_none = "has none" if len(lack) == 1 else "have none"
        return (
            f"ranked by the plain win rate: {len(lack)} of {n} models {have_none} at equal length "
            f"(--rank-by {LENGTH_CONTROLLED} ranks the others): {by_reason(lack)}",
        )

    def _instead(self, reason: str) -> tuple[str, ...]:
        """That the plain win rate ranks a board whose headline it is not, and why."""
        if self.rank_by == LENGTH_CONTROLLED:
            return (f"ranked by the plain win rate; no length-controlled one: {reason}",)
        if not self._by_headline:
            return ()
        return (
            "ranked by the plain win rate; the headline of this benchmark is the length-controlled "
            f"one: {reason}",
        )

    def _notes(
        self, metrics: Mapping[str, Mapping[str, Estimate]], calibration: LengthCalibration
    ) -> tuple[str, ...]:
        """Which calibration it is, and what its numbers leave out; nothing where there are none."""
        if all(one.undefined for of in metrics.values() for one in of.values()):
            return ()
        said = f"length is controlled for with the calibration: {calibration.note}"
        if calibration.origin != "own":
            return (said,)
        return (
            f"{said}. Models that it was fitted on are explained a little too well, and intervals "
            "leave out that it is an estimate",
        )

    def _lacking(self, rows: LengthComparisons, calibration: LengthCalibration) -> list[str]:
        """That items have come since the store's calibration was fitted."""
        n = sum(item not in calibration.difficulty for item in rows.items)
        if calibration.origin != "own" or not n:
            return []
        return [
            f"{n} of {len(rows.items)} items have no difficulty in the calibration of length; "
            f"`judgebench calibrate-length {self.data.which}` fits one with them"
        ]

    def _without(self, standings: Sequence[Standing], reason: str) -> RankedBoard:
        """The metric with the reason why it has no value."""
        names = _SHOWN[self.control]
        told = []
        for row in standings:
            none = replace(
                row.leading, value=math.nan, low=math.nan, high=math.nan, method="",
                undefined=reason, worst_low=None, worst_high=None,
            )  # fmt: skip
            told.append(_told(row, {name: {row.model: none} for name in names}, None))
        return RankedBoard(told, WIN_RATE, notes=self._instead(reason))


def by_reason(why: Mapping[str, str]) -> str:
    """Models that lack a number, those with one reason together: ``a, b: reason; c: another``."""
    models = grouped((reason, model) for model, reason in why.items())
    return "; ".join(f"{few(of)}: {reason}" for reason, of in models.items())


def _told(
    row: Standing,
    metrics: Mapping[str, Mapping[str, Estimate]],
    placed: Mapping[str, Places] | None,
) -> Standing:
    """The row with further metrics behind the win rate, or before it where they rank."""
    win_rate, *others = row.metrics.items()
    added = [(name, of[row.model]) for name, of in metrics.items()]
    if placed is None:
        return replace(row, metrics=dict([win_rate, *added, *others]))
    rank, low, high = placed[row.model]
    ordered = dict([added[0], win_rate, *added[1:], *others])
    return replace(row, metrics=ordered, rank=rank, rank_low=low, rank_high=high)


def _far_apart(rows: Sequence[Standing]) -> list[str]:
    """Where length control moves a win rate so far that AlpacaEval warns of a failed fit."""
    said = []
    for row in rows:
        for name in (LENGTH_CONTROLLED, AS_PUBLISHED):
            if name not in row.metrics:
                continue
            plain, controlled = row.metrics[WIN_RATE].value, row.metrics[name].value
            lowest = plain - max(10.0, plain / 4.0)
            highest = plain + max(10.0, (100.0 - plain) / 4.0)
            if controlled < lowest or controlled > highest:
                said.append(
                    f"{row.model}: {controlled:.1f} % length-controlled is far from its win rate "
                    f"of {plain:.1f} %; the fit may have failed, look at its answers"
                )
                break
    return said
