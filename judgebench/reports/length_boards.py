"""Length-controlled win rates on the boards of those judges that a calibration is for."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from judgebench.columns import grouped
from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.length_controlled import (
    AS_PUBLISHED,
    LENGTH_CONTROLLED,
    LengthCalibration,
    LengthComparisons,
    compared,
    compat,
    exact,
)
from judgebench.metrics.ranked_rows import Places, Standing, mask_of, ranks
from judgebench.metrics.win_rate import PERCENT, WIN_RATE
from judgebench.records import Estimate
from judgebench.reports.board_warnings import few
from judgebench.reports.boards import Columns
from judgebench.reports.length_calibrations import Calibrations
from judgebench.reports.published import PublishedNumbers

LengthControl: TypeAlias = Literal["exact", "compat", "both", "off"]

_SHOWN: Mapping[str, tuple[str, ...]] = {
    "exact": (LENGTH_CONTROLLED,),
    "compat": (AS_PUBLISHED,),
    "both": (LENGTH_CONTROLLED, AS_PUBLISHED),
    "off": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthRequest:
    """What is to be seen of length control.

    rank_by
        `WIN_RATE` or `LENGTH_CONTROLLED`: what ranks a board of comparisons that has it; None for
        the benchmark's headline, where it can be computed.

    Raises
    ------
    UsageError
        For a metric that no board is ranked by, or that is not to be computed.
    """

    control: LengthControl = "exact"
    rank_by: str | None = None

    def __post_init__(self) -> None:
        if self.rank_by not in (None, WIN_RATE, LENGTH_CONTROLLED):
            known = (WIN_RATE, LENGTH_CONTROLLED)
            raise UsageError(unknown_name("metric to rank by", str(self.rank_by), known))
        if self.rank_by == LENGTH_CONTROLLED and LENGTH_CONTROLLED not in _SHOWN[self.control]:
            raise UsageError(
                f"{self.rank_by} ranks only where it is computed: --length-control exact or both"
            )


class LengthBoard(NamedTuple):
    """The standings of one judge, what ranks them, and what is to be said below."""

    standings: Sequence[Standing]
    metric: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class LengthBoards:
    """Adds length-controlled win rates to boards of comparisons, of some judges or of all.

    ``ranked`` are the models that are ranked; all if None.
    """

    def __init__(
        self,
        published: PublishedNumbers,
        wanted: LengthRequest,
        judges: frozenset[str],
        intervals: Intervals,
        ranked: Collection[str] | None = None,
    ) -> None:
        self.data, self.wanted, self.judges = published.data, wanted, judges
        self.intervals, self.ranked = intervals, ranked
        self.calibrations = Calibrations(self.data, published)
        self._judge_ids = {shown: one for one, shown in self.data.judges.items()}

    def controlled(
        self, kind: BoardKind, verdicts: Columns, by_judge: Mapping[str, Sequence[Standing]]
    ) -> dict[str, LengthBoard]:
        """The boards of all judges that compare with one opponent.

        Parameters
        ----------
        by_judge
            Win rates, as `win_rate.win_rates` gives them.
        """
        assert kind.opponent is not None
        found = {
            judge: LengthBoard(rows, next(iter(rows[0].metrics)))
            for judge, rows in by_judge.items()
        }
        if self.wanted.control == "off":
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
    ) -> LengthBoard:
        metrics: dict[str, Mapping[str, Estimate]] = {}
        placed: Mapping[str, Places] | None = None
        notes: tuple[str, ...] = ()
        if LENGTH_CONTROLLED in _SHOWN[self.wanted.control]:
            controlled = exact(rows, calibration, intervals=self.intervals)
            metrics[LENGTH_CONTROLLED] = controlled.estimates
            have, lack = self._lacking_rates(standings, controlled.estimates)
            asked = self.wanted.rank_by == LENGTH_CONTROLLED
            if have and (asked or (self._by_headline and not lack)):
                found = ranks(
                    controlled.scores[0], controlled.covariance, units=controlled.units,
                    width=PERCENT, intervals=self.intervals,
                    ranked=mask_of(controlled.models, self.ranked),
                )  # fmt: skip
                placed = dict(zip(controlled.models, found, strict=True))
            notes = self._said_of_ranks(have, lack)
        else:
            notes = self._instead("the compat fit has no intervals, and so no ranks")
        if AS_PUBLISHED in _SHOWN[self.wanted.control]:
            metrics |= compat(rows, calibration, intervals=self.intervals)
        told = [_told(row, metrics, placed) for row in standings]
        if placed is not None:
            told.sort(key=lambda row: (row.rank or math.inf, row.model))
        return LengthBoard(
            standings=told,
            metric=WIN_RATE if placed is None else LENGTH_CONTROLLED,
            notes=(*notes, *self._notes(metrics, calibration)),
            warnings=(*self._lacking(rows, calibration), *_far_apart(told)),
        )

    @property
    def _by_headline(self) -> bool:
        """Whether length-controlled win rates rank unasked, where they can be computed."""
        return self.wanted.rank_by is None and self.data.which.report.headline == LENGTH_CONTROLLED

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
        if self.wanted.rank_by == LENGTH_CONTROLLED:
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
        if self.wanted.rank_by == LENGTH_CONTROLLED:
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

    def _without(self, standings: Sequence[Standing], reason: str) -> LengthBoard:
        """The metric with the reason why it has no value."""
        names = _SHOWN[self.wanted.control]
        told = []
        for row in standings:
            none = replace(
                row.leading, value=math.nan, low=math.nan, high=math.nan, method="",
                undefined=reason, worst_low=None, worst_high=None,
            )  # fmt: skip
            told.append(_told(row, {name: {row.model: none} for name in names}, None))
        return LengthBoard(told, WIN_RATE, notes=self._instead(reason))


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
