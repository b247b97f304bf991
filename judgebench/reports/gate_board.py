"""Which board a test of a gate is about."""

from __future__ import annotations

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.length_controlled import LENGTH_CONTROLLED
from judgebench.metrics.paired import METRIC_OF
from judgebench.metrics.win_rate import WIN_RATE
from judgebench.reports.gate_policy import GateTest
from judgebench.reports.model_pairs import METRICS, PairData
from judgebench.reports.pair_length_control import calibrated


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
    if metric and metric not in METRICS:
        unknown = unknown_name("metric of a gate", metric, METRICS)
        raise UsageError(f"{data.which}: {unknown}")
    controlled = metric == LENGTH_CONTROLLED
    metric = WIN_RATE if controlled else metric
    fitting = [
        (kind, judge)
        for kind, judge in boards
        if (not metric or METRIC_OF[kind.kind] == metric)
        and (test.judge is None or judge == test.judge)
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
    said = ", ".join(f"{judge} ({METRIC_OF[kind.kind]})" for kind, judge in boards) or "nobody"
    if not fitting:
        if direct:
            raise UsageError(
                f"{data.which}: {test.judge or 'no judge'} has not compared "
                f"{two[0]} with {two[1]}; a run with baseline: {two[1]} and "
                f"orders: both does; these have: {said}"
            )
        raise UsageError(
            f"{data.which}: {test.judge or 'no judge'} has not judged both "
            f"{' and '.join(two)}{f' by {metric}' if metric else ''}; these have: {said}"
        )
    raise UsageError(
        f"{data.which}: several boards have both {' and '.join(two)}; say which "
        f"judge and metric are meant: {said}"
    )


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
