"""AlpacaEval's calibration of length: its published files, or what results say they must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from judgebench.errors import InputError
from judgebench.metrics.length_calibration import LengthCalibration
from judgebench.rows import Row, read_rows
from judgebench.stats.length_control import CANDIDATES, Anchors

Floats = NDArray[np.float64]

ANCHORS, DIFFICULTY = "df_gamed.csv", "instruction_difficulty.csv"
"""The published files, as they are called where they are published."""

INSTRUCTIONS, PSEUDO_ANCHORS, LEADERBOARD = "instructions.csv", "anchors.csv", "published.csv"


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
class Recovered:
    """By the instruction's index: the baseline's length in characters, and the difficulty."""

    baseline_length: Floats
    difficulty: Floats
    anchors: Anchors


def read_recovered(figures: Path) -> Recovered:
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
    return Recovered(
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
