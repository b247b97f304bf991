"""Which board of two models is meant, and the two at equal length where a calibration is for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from shlex import quote

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.accuracy import ACCURACY
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.length_calibration import LengthCalibration
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.metrics.paired import METRIC_OF, PairedModels, PairedTests, compare
from judgebench.metrics.paired_length_control import at_equal_length
from judgebench.metrics.win_rate import WEIGHTED, WIN_RATE
from judgebench.reports.boards import where
from judgebench.reports.gate_policy import GateTest
from judgebench.reports.length_calibrations import Calibrations
from judgebench.reports.model_pairs import METRICS, PairData


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


def board_meant(
    data: PairData, two: tuple[str, str], test: GateTest, metric: str
) -> tuple[BoardKind, str]:
    """The board on which both models stand that a test is about, and its judge.

    Parameters
    ----------
    metric
        As the test names it, without a group; empty where it names none.

    Raises
    ------
    UsageError
        Where there is none, or several, naming those there are.
    """
    direct = test.head_to_head
    boards = data.heads_of(two) if direct else data.judges_of(two)
    if metric in data.which.rates:
        metric = ACCURACY  # their board is that of labels
    if metric and metric not in METRICS:
        unknown = unknown_name("metric of a gate", metric, METRICS)
        raise UsageError(f"{data.which}: {unknown}")
    if metric == WEIGHTED and data.which.weighted is None:
        raise UsageError(
            f"{data.which} has no weighted win rate: that is of benchmarks whose judges say how "
            "clear a win is, such as arena_hard"
        )
    controlled = metric == LENGTH_CONTROLLED
    metric = WIN_RATE if metric in (LENGTH_CONTROLLED, WEIGHTED) else metric
    fitting = [
        (kind, judge)
        for kind, judge in boards
        if (not metric or METRIC_OF[kind.kind] == metric)
        and (test.judge is None or judge == test.judge)
        and test.opponent in (None, kind.opponent)
    ]
    fitting = (calibrated(data, fitting) if controlled else []) or fitting
    if len(fitting) == 1:
        return fitting[0]
    if (
        not fitting
        and not direct
        and (newer := _judged_otherwise(data, two, test, metric)) is not None
    ):
        return newer
    several = len({kind.opponent for kind, _ in boards}) > 1
    said = ", ".join(_said(kind, judge, several=several) for kind, judge in boards) or "nobody"
    if not fitting:
        if direct:
            raise UsageError(
                f"{data.which}: {test.judge or 'no judge'} has not compared "
                f"{two[0]} with {two[1]}; a run with baseline: {two[1]} and "
                f"orders: both does; these have: {said}"
            )
        raise UsageError(
            f"{data.which}: {test.judge or 'no judge'} has not judged both "
            f"{' and '.join(two)}{f' by {metric}' if metric else ''}"
            f"{f' against {test.opponent}' if test.opponent else ''}; these have: {said}"
        )
    raise UsageError(
        f"{data.which}: several boards have both {' and '.join(two)}; say which "
        f"judge{', opponent' if several else ''} and metric are meant: {said}"
    )


def _said(kind: BoardKind, judge: str, *, several: bool) -> str:
    """A board by its judge and metric, and where others differ in it by its opponent."""
    against = f" against {kind.opponent}" if several and kind.opponent else ""
    return f"{judge} ({METRIC_OF[kind.kind]}{against})"


def _judged_otherwise(
    data: PairData, two: tuple[str, str], test: GateTest, metric: str
) -> tuple[BoardKind, str] | None:
    """The candidate's board by the named judge, where the baseline was judged by an older one.

    A judge that was changed under its name is another judge: the test stays open.
    """
    names = {judge.id: judge.names for judge in data.board.store.judges()}
    of_name = {
        shown for one, shown in data.board.judges.items() if test.judge in names.get(one, ())
    }
    for kind, verdicts in data.board.verdicts.items():
        seen = set(zip(verdicts["judge"], verdicts["model"], strict=True))
        both = [[j for j in sorted(of_name) if (j, model) in seen] for model in two]
        if all(both) and (not metric or METRIC_OF[kind.kind] == metric):
            return kind, both[0][0]
    return None
