"""Two models of a store by their confidences: whose labels count, which confidence is meant."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.confidence import QuestionSet
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.paired import PairedModels, PairedTests
from judgebench.metrics.paired_confidences import SetOfTwo, of_confidences
from judgebench.reports.boards import find_judges
from judgebench.reports.confidence_data import Answer, Confidence, ConfidenceData, question_sets
from judgebench.reports.model_pairs import PairData


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
        asked = of_each[0] & of_each[1] if self.data.which.sparse else of_each[0] | of_each[1]
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
