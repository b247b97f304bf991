"""What the Leaderboard reads beside its boards: equal length, what can be taken along, the runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import reads
import streamlit as st
import yaml
from computed import answer
from opened import opened
from reads import KEPT, Json

from judgebench.records import RunManifest
from judgebench.report.boards import meant
from judgebench.report.length_boards import LengthControl
from judgebench.report.panels import panels_in
from judgebench.store.runs_behind import runs_behind

LENGTH_CONTROLLED = "length_controlled_win_rate"

NAMED_BY = ("benchmark", "version", "judge", "judge_id", "opponent_id")

QUICK = 3_000
"""Verdicts of a board, up to which equal length is computed unasked: about half a second on one
core, where 50 models on 805 items take five."""

FORMS = {"csv": "CSV", "md": "Markdown", "latex": "LaTeX", "json": "JSON"}

SUFFIXES = {"latex": "tex"}

MIME = {"csv": "text/csv", "md": "text/markdown", "latex": "text/x-tex", "json": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """One board of a store, and whether it has win rates at equal length."""

    benchmark: str
    version: str
    judge: str
    judge_id: str | None
    opponent_id: str | None
    control: LengthControl = "off"

    @classmethod
    def of(cls, board: Json, control: LengthControl = "off") -> Which:
        return cls(**{name: board[name] for name in NAMED_BY}, control=control)

    def is_of(self, board: Json) -> bool:
        return all(board[name] == getattr(self, name) for name in NAMED_BY)

    @property
    def command(self) -> str:
        """What to type for the same board."""
        from shlex import join

        words = ["judgebench", "leaderboard", f"{self.benchmark}@{self.version}"]
        return join([*words, "--judge", self.judge, "--length-control", self.control])


@st.cache_data(max_entries=KEPT, show_spinner="Computing win rates at equal length …")
def at_equal_length(url: str, mark: str, which: Which) -> list[dict[str, Any]]:
    """As `computations.boards_at_equal_length`."""
    assert which.judge_id is not None  # no panel has win rates at equal length
    question = (which.benchmark, which.version, which.judge_id, which.control)
    found: list[dict[str, Any]] = answer(
        url, mark, "computations.boards_at_equal_length", *question
    )
    return found


def board(url: str, mark: str, which: Which) -> Json:
    """One board of the contract, in all forms in which it can be taken along."""
    if which.control == "off":
        found = reads.boards(url, mark, which.benchmark, which.version)
    else:
        found = at_equal_length(url, mark, which)
    return next(one for one in found if which.is_of(one))


def rendered(url: str, mark: str, which: Which, form: str) -> str:
    """The board as `judgebench leaderboard --format` writes it."""
    text: str = board(url, mark, which)["forms"][form]
    return text


def is_quick(one: Json) -> bool:
    """Whether equal length is computed unasked."""
    return sum(row["counts"]["verdicts"] for row in one["rows"]) <= QUICK


def can_be_of_equal_length(one: Json) -> bool:
    """Only win rates, and only of one judge: a calibration is none of a panel."""
    return one["metric"] == "win_rate" and one["judge_id"] is not None


@st.cache_data(max_entries=KEPT, show_spinner=False)
def floor(url: str, mark: str, benchmark: str, version: str) -> float:
    """The share of verdicts below which a row does not count."""
    with opened(url) as store:
        return meant(store, f"{benchmark}@{version}").coverage_floor


# who and what is behind it ----------------------------------------------------------------------


@st.cache_data(max_entries=KEPT, show_spinner=False)
def readers(url: str, mark: str) -> dict[str, str]:
    """By id of a judge the version of what reads its replies."""
    with opened(url) as store:
        return {one.id: one.spec.reader_version or "" for one in store.judges()}


@st.cache_data(max_entries=KEPT, show_spinner="Looking for the runs …")
def manifests(url: str, mark: str, which: Which) -> list[str]:
    """The manifests of the runs behind a board, the newest first, as text."""
    with opened(url) as store:
        panels = panels_in(store, f"{which.benchmark}@{which.version}")
        names = [judge for panel in panels if panel.name == which.judge for judge in panel.judges]
        ids = [one.id for one in store.judges() if one.name in names or one.id in names]
        judges = ids if which.judge_id is None else [which.judge_id]
        found = runs_behind(store, which.benchmark, which.version, judges, which.opponent_id)
    return [_as_text(run) for run in reversed(found)]


def _as_text(run: RunManifest) -> str:
    told = {
        "run": run.id,
        "name": run.name,
        "state": run.state,
        "started": _time(run.started),
        "ended": None if run.ended is None else _time(run.ended),
        "counts": dict(run.counts),
        "git": run.git_sha,
        "seeds": dict(run.seeds),
        "data": dict(run.data_sha),
        "versions": dict(run.versions),
        "configuration": dict(run.configuration),
    }
    return str(yaml.safe_dump(told, allow_unicode=True, sort_keys=False))


def _time(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
