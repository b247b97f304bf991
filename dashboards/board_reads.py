"""What the Leaderboard reads beside its boards: length control, what is taken along, the runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import reads
import streamlit as st
import yaml
from computed import answer
from open_store import opened
from reads import KEPT, Json

from judgebench.records import RunManifest
from judgebench.reports.boards import meant, panels_in
from judgebench.reports.length_boards import LengthControl

LENGTH_CONTROLLED, WIN_RATE = "length_controlled_win_rate", "win_rate"

NAMED_BY = ("benchmark", "version", "judge", "judge_id", "opponent_id")

QUICK = 3_000
"""Verdicts of a board, up to which length is controlled for unasked: about half a second on one
core, where 50 models on 805 items take five."""

FORMS = {"csv": "CSV", "md": "Markdown", "latex": "LaTeX", "json": "JSON"}

SUFFIXES = {"latex": "tex"}

MIME = {"csv": "text/csv", "md": "text/markdown", "latex": "text/x-tex", "json": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """One board of a store, whether it has length-controlled win rates, and whether suspicious
    models are ranked on it."""

    benchmark: str
    version: str
    judge: str
    judge_id: str | None
    opponent_id: str | None
    control: LengthControl = "off"
    rank_suspicious: bool = False

    @classmethod
    def of(
        cls, board: Json, control: LengthControl = "off", *, rank_suspicious: bool = False
    ) -> Which:
        named = {name: board[name] for name in NAMED_BY}
        return cls(**named, control=control, rank_suspicious=rank_suspicious)

    def is_of(self, board: Json) -> bool:
        return all(board[name] == getattr(self, name) for name in NAMED_BY)

    @property
    def command(self) -> str:
        """What to type for the same board."""
        from shlex import join

        words = ["judgebench", "leaderboard", f"{self.benchmark}@{self.version}"]
        words += ["--judge", self.judge, "--length-control", self.control]
        return join([*words, *(["--rank-suspicious"] if self.rank_suspicious else [])])


@st.cache_data(max_entries=KEPT, show_spinner="Computing the board …")
def of_judge(url: str, mark: str, which: Which) -> list[dict[str, Any]]:
    """As `computations.boards_of_judge`."""
    found: list[dict[str, Any]] = answer(
        url,
        mark,
        "computations.boards_of_judge",
        which.benchmark,
        which.version,
        which.judge_id or which.judge,
        which.control,
        "ranked" if which.rank_suspicious else "excluded",
    )
    return found


def board(url: str, mark: str, which: Which) -> Json:
    """One board of the contract, in all forms in which it can be taken along."""
    if which.control == "off" and not which.rank_suspicious:
        found = reads.boards(url, mark, which.benchmark, which.version)
    else:
        found = of_judge(url, mark, which)
    return next(one for one in found if which.is_of(one))


def rendered(url: str, mark: str, which: Which, form: str) -> str:
    """The board as `judgebench leaderboard --format` writes it."""
    text: str = board(url, mark, which)["forms"][form]
    return text


def is_usual(url: str, mark: str, one: Json) -> bool:
    """Whether length is controlled for unasked: where users expect it first, or it is quick."""
    quick = sum(row["counts"]["verdicts"] for row in one["rows"]) <= QUICK
    return quick or headline(url, mark, one["benchmark"], one["version"]) == LENGTH_CONTROLLED


def can_be_controlled(one: Json) -> bool:
    """Only win rates, and only of one judge: a calibration is none of a panel."""
    return one["opponent"] is not None and one["judge_id"] is not None


def as_reported(url: str, mark: str, one: Json) -> Json:
    """A board that was read without length control as `judgebench leaderboard` ranks it."""
    by = headline(url, mark, one["benchmark"], one["version"])
    if by != LENGTH_CONTROLLED or not can_be_controlled(one):
        return one
    return board(url, mark, Which.of(one, "exact"))


@st.cache_data(max_entries=KEPT, show_spinner=False)
def headline(url: str, mark: str, benchmark: str, version: str) -> str | None:
    """What the benchmark's users expect first."""
    with opened(url) as store:
        return meant(store, f"{benchmark}@{version}").headline


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
        at = which.benchmark, which.version
        ran = store.evaluated(*at, judges, which.opponent_id, afresh=True)
        runs, behind = store.runs(), {run for _, run in ran}
    return [_as_text(run) for run in reversed(runs) if run.id in behind]


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
