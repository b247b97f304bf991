"""Which calibration of length holds for a judge's comparisons with one opponent."""

from __future__ import annotations

import time
from functools import cached_property
from shlex import quote

from judgebench.benchmarks.data import calibration
from judgebench.metrics.length_calibration import LengthCalibration, from_json
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.reports import calibration_files as files
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import described
from judgebench.reports.published import PublishedNumbers
from judgebench.store.read import StoredCalibration

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
        return files.published(calibration(description).here(), figures) or files.recovered(figures)

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
