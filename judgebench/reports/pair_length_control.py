"""Two models of a store at equal length: on boards that a calibration of length is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from shlex import quote

from judgebench.errors import UsageError
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.length_calibration import LengthCalibration
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.metrics.paired import Compared, PairedModels, compare
from judgebench.metrics.paired_length_control import at_equal_length
from judgebench.reports.boards import where
from judgebench.reports.length_calibrations import Calibrations
from judgebench.reports.model_pairs import PairData


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
    seed: int = 0,
) -> tuple[PairedModels, Compared]:
    """The length-controlled win rates of two models on one board of comparisons.

    Of a judge that has judged one of them only there is nothing to compare, calibrated or not.

    Raises
    ------
    UsageError
        Where no calibration holds for this judge and opponent, in the words of the board.
    """
    assert kind.opponent is not None
    pair = data.pair(kind, judge, two, None)
    if pair.why_not is not None:
        return replace(pair, metric=LENGTH_CONTROLLED), compare(pair, alpha=alpha)
    held = _held(data, kind, judge)
    if isinstance(held, str):
        raise UsageError(f"{data.which}: no length-controlled win rate: {held}")
    verdicts = data.board.verdicts[kind]
    who = zip(verdicts["judge"], verdicts["model"], strict=True)
    return at_equal_length(
        pair,
        where(verdicts, (one == judge and model in two for one, model in who)),
        kind.opponent,
        two,
        lengths=data.board.lengths,
        calibration=held,
        alpha=alpha,
        intervals=Intervals(level=1.0 - 2.0 * alpha, seed=seed),
    )


def _held(data: PairData, kind: BoardKind, judge: str) -> LengthCalibration | str:
    """The calibration of a board, or why there is none."""
    assert kind.opponent is not None
    judge_id = {shown: one for one, shown in data.board.judges.items()}.get(judge)
    opponent = data.board.model_ids[kind.opponent]
    held = Calibrations(data.board).holds(judge_id, opponent)
    return held or (
        f"no calibration for this judge and baseline; `judgebench calibrate-length "
        f"{data.which.name} --judge {quote(judge)} --baseline {quote(kind.opponent)}` fits one"
    )
