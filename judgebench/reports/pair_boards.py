"""Two models of a store: which board is meant, at equal length, and by whose confidence."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from shlex import quote

import numpy as np

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.accuracy import ACCURACY
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.confidence import QuestionSet
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.length_controlled import (
    LENGTH_CONTROLLED,
    LengthCalibration,
    at_equal_length,
)
from judgebench.metrics.paired import METRIC_OF, PairedModels, PairedTests, compare
from judgebench.metrics.paired_confidences import SetOfTwo, of_confidences
from judgebench.metrics.win_rate import WEIGHTED, WIN_RATE
from judgebench.reports.boards import find_judges, where
from judgebench.reports.confidence_data import Answer, Confidence, ConfidenceData, question_sets
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
    if metric in data.which.report.rates:
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
        who = f"{test.judge} has not" if test.judge else "no judge has"
        if direct:
            raise UsageError(
                f"{data.which}: {who} compared "
                f"{two[0]} with {two[1]}; a run with baseline: {two[1]} and "
                f"orders: both does; these have: {said}"
            )
        raise UsageError(
            f"{data.which}: {who} judged both "
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


class PairConfidences:
    """What is said of the first answers of two models, and how sure they are of them.

    Parameters
    ----------
    two
        Candidate and baseline, as they are shown.
    """

    def __init__(self, data: PairData, two: tuple[str, str]) -> None:
        self.data, self.two = data, two
        self.said = ConfidenceData(data.board.store, data.which, rouge="lin")

    def judges(self) -> list[str]:
        """The judges that have labelled answers of both."""
        return [one for one, models in self._labelled().items() if models.issuperset(self.two)]

    def _labelled(self) -> dict[str, set[str]]:
        """The models of which each judge has labelled first answers."""
        judges = self.said.labelling_judges()
        return {one: self._models(self.said.correct(one)) for one in judges}

    def judge(self, named: str | None) -> str:
        """The judge whose labels say what is correct: the only one that has labelled both.

        Where a judge was changed under its name, the one that has labelled the candidate.

        Raises
        ------
        UsageError
            For none, and for several, naming them.
        """
        labels, both = self._labelled(), self.judges()
        meant: Collection[str] = labels
        if named is not None:
            which, judges = self.data.which, self.said.judges
            meant = find_judges(named, judges, self.data.board.store, which)
        fitting = [one for one in both if one in meant]
        if not fitting and named is not None:
            old = [one for one in meant if self.two[1] in labels.get(one, ())]
            new = [one for one in meant if self.two[0] in labels.get(one, ())]
            fitting = new[:1] if old else []
        if len(fitting) == 1:
            return fitting[0]
        told = ", ".join(both) or "nobody"
        if fitting:
            raise UsageError(
                f"{self.data.which}: several judges have labelled both {' and '.join(self.two)}; "
                f"say which judge is meant: {told}"
            )
        raise UsageError(
            f"{self.data.which}: {named or 'no judge'} has not said which answers of both "
            f"{' and '.join(self.two)} are correct; these have: {told}"
        )

    def confidence(self, named: str | None) -> Confidence:
        """The confidence that is meant: the only one that both have.

        One that is named may be missing of one of the two: that is a coverage of none.

        Raises
        ------
        UsageError
            For none, and for several, naming them.
        """
        if named is not None:
            known = self.said.confidences()
            if named not in known:
                raise UsageError(f"{self.data.which}: {unknown_name('confidence', named, known)}")
            found = known[named]()
            if not self._models(found.of).intersection(self.two):
                raise UsageError(
                    f"{self.data.which}: neither of {' and '.join(self.two)} has the confidence "
                    f"{named}: {found.why_none}"
                )
            return found
        both = self.of_both()
        if len(both) == 1:
            return both[0]
        told = ", ".join(one.name for one in both) or "none"
        raise UsageError(
            f"{self.data.which}: both {' and '.join(self.two)} have {len(both) or 'no'} "
            f"confidences{'; say which confidence is meant: ' + told if both else ''}"
        )

    def of_both(self) -> list[Confidence]:
        """The confidences that both models have."""
        made = (make() for make in self.said.confidences().values())
        return [one for one in made if self._models(one.of).issuperset(self.two)]

    def pair(
        self,
        metric: str,
        judge: str,
        confidence: Confidence,
        *,
        group: str | None = None,
        alpha: float,
    ) -> tuple[PairedModels, PairedTests]:
        """The two models by one metric of one confidence.

        Parameters
        ----------
        group
            The set of questions to look at alone; all if not given.

        Raises
        ------
        UsageError
            For a set that there is not.
        """
        labels = self.said.correct(judge)
        sets = [
            SetOfTwo(
                questions=questions,
                confidence=self._of_two(confidence.of, questions.items),
                correct=self._of_two(labels, questions.items),
            )
            for questions in self._sets(labels, confidence, group)
        ]
        pair, compared = of_confidences(
            sets,
            metric=metric,
            confidence=confidence.name,
            judge=judge,
            alpha=alpha,
            intervals=Intervals(level=1.0 - 2.0 * alpha),
        )
        changed = self._changed(judge, labels, confidence)
        return (
            replace(
                pair,
                metric=metric if group is None else f"{metric}/{group}",
                why_not=changed or pair.why_not,
            ),
            compared,
        )

    def _sets(
        self, labels: Mapping[Answer, float], confidence: Confidence, group: str | None
    ) -> Sequence[QuestionSet]:
        """The questions of either model; where not all models answer all of them, of both."""
        answers = self.said.answers().union(labels, confidence.of)
        of_each = [{item for model, item in answers if model == one} for one in self.two]
        asked = (
            of_each[0] & of_each[1] if self.data.which.report.sparse else of_each[0] | of_each[1]
        )
        sets, _ = question_sets(self.said, [(self.two[0], item) for item in asked])
        if group is None:
            return sets
        named = [one for one in sets if one.name == group]
        if not named:
            known = [one.name for one in sets]
            raise UsageError(f"{self.data.which}: {unknown_name('set of questions', group, known)}")
        return named

    def _of_two(self, values: Mapping[Answer, float], items: Sequence[str]) -> Floats:
        return np.array(
            [[values.get((model, item), math.nan) for model in self.two] for item in items]
        ).reshape(len(items), 2)

    def _changed(
        self, judge: str, labels: Mapping[Answer, float], confidence: Confidence
    ) -> str | None:
        """That the two were labelled, or their confidence given, by different judges."""
        lacking = set(self.two) - self._models(labels)
        if lacking:
            return f"judge changed: {judge} has no label on {' or '.join(sorted(lacking))}"
        itself = sum(shown == confidence.judge for shown in self.said.judges.values()) > 1
        if confidence.judge is None or itself:
            return None
        return self.data.judge_changed(confidence.judge, self.two)

    @staticmethod
    def _models(values: Mapping[Answer, float]) -> set[str]:
        return {model for model, _ in values}
