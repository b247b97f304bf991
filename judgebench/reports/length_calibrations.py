"""Which calibration of length holds for a judge's comparisons with one opponent.

Of AlpacaEval there are its authors' published files, or what results say they must hold.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from judgebench.benchmarks.data import calibration
from judgebench.errors import InputError
from judgebench.metrics.length_calibration import LengthCalibration, from_json
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import described
from judgebench.reports.published import PublishedNumbers
from judgebench.rows import Row, read_rows
from judgebench.stats.length_control import CANDIDATES, Anchors
from judgebench.store.read import StoredCalibration

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

    def __init__(self, data: BoardData) -> None:
        self.data, self.which = data, data.which
        self.numbers = PublishedNumbers(data)
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
        expected = self._is_published or self.which.headline == LENGTH_CONTROLLED
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


def in_words(stored: StoredCalibration) -> str:
    """Which calibration of the store it is."""
    day = time.strftime("%Y-%m-%d", time.gmtime(stored.at))
    return (
        f"one of this store ({stored.id}, {day}), fitted on {len(stored.models)} models; "
        f"{reliability_in_words(float(stored.content['reliability']))}"
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
