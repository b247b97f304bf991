"""What the store has of confidences: who called answers correct, who gave or implies a confidence.

A confidence is a score from 0 to 1 that a judge gives to the greedy answer, sample 0. A judge that
scores from 0 to 1 only further samples says how far each agrees with the greedy answer. The rest is
computed from the answers themselves: their log-probabilities and the texts of the samples.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.benchmarks.folder import items_at_hand
from judgebench.columns import counted, grouped, marked, paired, select_rows
from judgebench.errors import UsageError, refuse, unknown_name
from judgebench.judges.kinds import EXAMPLES
from judgebench.keys import content_key
from judgebench.metrics.confidence import Confidences, QuestionSet
from judgebench.metrics.failed_rows import with_failures
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.measures import item_means
from judgebench.metrics.paired import PairedModels, PairedTests
from judgebench.metrics.paired_confidences import of_confidences
from judgebench.metrics.scores import NO_ENDS
from judgebench.metrics.verdict_table import Ints, coded, read_table, verdict_values
from judgebench.plain_text import in_natural_order
from judgebench.records import CONFIDENCES, Item, JudgeSpec, ModelSpec
from judgebench.reports.boards import (
    BenchmarkRef,
    Columns,
    disambiguate,
    find_judges,
    find_reference,
    renamed,
    where,
)
from judgebench.reports.document import json_after
from judgebench.stats.confidence import (
    RougeL,
    lexical_consistency,
    probability,
    probability_per_token,
)
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.reports.model_pairs import PairData

Answer: TypeAlias = tuple[str, str]
"""A model, as it is shown, and an item: its greedy answer."""

PROB, N_PROB, CONSIS_LEX, CONSIS_SEM = "Prob", "N-Prob", "Consis-Lex", "Consis-Sem"

NO_LOGPROBS = "the store has no log-probabilities of the greedy answers"
NO_TOKENS = "the store does not say how many tokens the greedy answers have"
NO_SAMPLES = "the store has no samples beside the greedy answers"
NOT_JUDGED = "no judge has said which samples agree with the greedy answers (scores of samples)"

SHARE = "score from 0 to 1"
"""A score that is a confidence, among the kinds of verdicts."""

_SAID = (
    "judge", "model", "item_id", "sample", "order", "repeat", "kind", "label", "value", "low",
    "high",
)  # fmt: skip
"""What is read of verdicts; of judges that are one confidence, not which of them it was."""

_ROUNDING = 1e-4  # a log-probability computed in low precision may lie so far above 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """One confidence in the answers of all models.

    judge
        Who gave it, or said which samples agree; None where it follows from the answers alone.
    of
        In [0, 1], or nan where there should be one and is none.
    why_none
        Why an answer of which it is not known has none.
    samples
        Of each answer, how many samples it rests on; empty where it rests on none.
    """

    name: str
    judge: str | None = None
    of: Mapping[Answer, float]
    why_none: str
    samples: Mapping[Answer, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Of how many replies of a judge no verdict could be read."""

    judge: str
    role: str
    n: int
    of: int

    @property
    @json_after("of")
    def share(self) -> float | None:
        return self.n / self.of if self.of else None


class ConfidenceData:
    """A benchmark's greedy answers with what is said of them, by some judges or by all.

    first
        So many verdicts of each judge on each model, and answers of each model, are read in place
        of all: enough to know what there is. With ``any_model`` so many of each judge.
    models, judges
        Id -> the name shown.
    impossible
        How many greedy answers have a positive log-probability, which is none.
    """

    def __init__(
        self,
        store: Store,
        which: BenchmarkRef,
        *,
        rouge: RougeL,
        judges: Collection[str] | None = None,
        first: int | None = None,
        any_model: bool = False,
    ) -> None:
        self.store, self.which, self._rouge = store, which, rouge
        at = which.name, which.version
        stored: Columns
        answers: Columns
        if first is None:
            stored, answers = store.verdicts(*at, judges=judges), store.responses_table(*at)
        else:
            stored = (
                store.some_of_each(*at, first)
                if any_model
                else store.first_verdicts(*at, first, judges=judges)
            )
            answers = store.first_answers(*at, first)
        failures: Columns = store.failures(*at)
        if judges is not None:
            among = {None, *judges}  # no judge has to do with an answer that failed
            stored, failures = (
                where(told, marked(told["judge_id"], among.__contains__))
                for told in (stored, failures)
            )
        answers = where(answers, answers["newest"])
        self.models = disambiguate([answers, failures, stored], "model")
        self.judges = self_judges(store, [failures, stored])
        verdicts = with_failures(
            *(renamed(c, self.models, self.judges) for c in (stored, failures))
        )
        self._read_verdicts(verdicts)
        self._greedy: dict[Answer, tuple[str, float | None, int | None]] = {}
        self.impossible = 0
        self._samples: dict[Answer, list[str]] = {}
        self._read_answers(answers)

    def _read_verdicts(self, verdicts: Columns) -> None:
        self._ways = dict([*counted(verdicts["judge"], verdicts["judge_kind"])])
        place = paired(verdicts["judge"], paired(verdicts["opponent"], verdicts["turn"]))
        alone = marked(
            place, lambda one: one[0] is not None and one[1][0] is None and not one[1][1]
        )
        its = select_rows({name: verdicts[name] for name in _SAID}, np.flatnonzero(alone))
        what = paired(its["kind"], paired(its["low"], its["high"]))
        its["kind"] = what.mapped(lambda one: SHARE if one == ("score", (0.0, 1.0)) else one[0])
        self._table = read_table(its, kind=SHARE)  # scores from 0 to 1 are its values
        given = counted(its["judge"], its["kind"], its["sample"])
        self._gives = {(judge, what, not sample) for judge, what, sample in given}

    def _rows(self, judge: str | None, *, first: bool) -> Ints:
        """What a judge says of first answers, or of further samples."""
        place = paired(self._table.columns["judge"], self._table.columns["sample"])
        return np.flatnonzero(marked(place, lambda one: one[0] == judge and (not one[1]) == first))

    def _means(self, judge: str | None, values: Floats, *, first: bool) -> dict[Answer, float]:
        """Of each that a judge was asked about, over its repeats, then its samples; nan of none."""
        means = item_means(self._table, self._rows(judge, first=first), values, ends=NO_ENDS)
        # In whatever order the same is said several times, it is a tie.
        mean = np.where(means.asked > 1, np.round(means.mean, 12), means.mean)
        return self._by_answer(means.asked, mean)

    def _by_answer(self, asked: NDArray[Any], values: NDArray[Any]) -> dict[Answer, Any]:
        """By model and item, values (items, models) of what a judge was asked about."""
        models, items = self._table.models, self._table.items
        return {(models[m], items[i]): values[i, m].item() for i, m in np.argwhere(asked).tolist()}

    def _read_answers(self, answers: Columns) -> None:
        names = ("sample", "turn", "model_id", "item_id", "text", "logprob", "completion_tokens")
        rows = zip(*(answers[name] for name in names), strict=True)
        for sample, turn, model, item, text, logprob, tokens in sorted(
            rows, key=lambda row: (row[0], row[4])
        ):
            answer = self.models[model], item
            if sample and not turn:
                self._samples.setdefault(answer, []).append(text)
            elif not turn:
                impossible = logprob is not None and not logprob <= _ROUNDING
                self.impossible += impossible
                self._greedy[answer] = text, None if impossible else logprob, tokens

    @cached_property
    def items(self) -> dict[str, Item]:
        """By id."""
        return {item.id: item for item in self.store.items(self.which.name, self.which.version)}

    # correctness --------------------------------------------------------------------------------

    def labelling_judges(self) -> list[str]:
        """The judges that have labelled first answers."""
        return [judge for judge in self._table.judges if (judge, "label", True) in self._gives]

    def labelling(self, named: str | None) -> str:
        """The judge whose labels say what is correct.

        Raises
        ------
        UsageError
            For a judge that has labelled no greedy answer; where nobody is named, for none or
            several that have.
        """
        known = self.labelling_judges()
        if named is not None:
            judge = find_reference(named, self.judges, self.store, self.which)
            if judge not in known:
                raise UsageError(
                    f"{judge!r} has labelled no first answer (sample 0) of {self.which}; these "
                    f"have: {', '.join(known) or 'nobody'}"
                )
            return judge
        refuse(
            UsageError,
            {
                f"nobody has said which answers of {self.which} are correct; a run with a judge "
                "that labels, or `judgebench import verdicts` (kind label) brings that": not known,
                f"{len(known)} judges have labelled answers of {self.which}; say whose labels "
                f"count, --correct NAME: {', '.join(known)}": len(known) > 1,
            },
        )
        return known[0]

    def correct(self, judge: str) -> dict[Answer, float]:
        """1 or 0 for each greedy answer, nan where the judge could not be read or was torn."""
        right = verdict_values(self._table.columns, "label", self.which.labels)
        return {
            answer: math.nan if share == 0.5 or math.isnan(share) else float(share > 0.5)
            for answer, share in self._means(judge, right, first=True).items()
        }

    def unread(self, judge: str, role: str) -> Unread:
        """Of all replies of a judge; failures are no replies."""
        kinds: Counter[str] = Counter()
        said = counted(*(self._table.columns[name] for name in ("judge", "kind", "label")))
        for (who, kind, label), n in said.items():
            undeclared = kind == "label" and label not in self.which.labels
            kinds["unreadable" if undeclared else kind] += n * (who == judge)
        replies = kinds.total() - kinds["failed"]
        return Unread(judge=judge, role=role, n=kinds["unreadable"], of=replies)

    def answers(self) -> set[Answer]:
        """All greedy answers that the store has."""
        return set(self._greedy)

    # confidences --------------------------------------------------------------------------------

    def confidences(self) -> dict[str, Callable[[], Confidence]]:
        """By name, those that judges give in order of name, and then the computed ones.

        Each is made when it is called for: comparing all samples takes a while.
        """
        of_first, of_others = (
            {judge for judge, what, first in self._gives if (what, first) == (SHARE, which)}
            for which in (True, False)
        )
        given, agreeing = (
            [one for one in self._table.judges if one in sharing or self._ways[one] == way]
            for sharing, way in (
                (of_first, "stated_confidence"), (of_others - of_first, "consistency"),
            )
        )  # fmt: skip
        judges: list[str | None] = [*agreeing] or [None]
        names = [CONSIS_SEM] if len(agreeing) < 2 else [f"{CONSIS_SEM} ({one})" for one in agreeing]
        return {
            **{judge: partial(self._given, judge) for judge in given},
            PROB: self._prob,
            N_PROB: self._prob_per_token,
            CONSIS_LEX: self._lexical,
            **{
                name: partial(self._agreeing, judge, name)
                for name, judge in zip(names, judges, strict=True)
            },
        }

    def confidence_judges(self) -> set[str]:
        """The judges that give a confidence, or say which samples agree."""
        named = {make().judge for name, make in self.confidences().items() if name != CONSIS_LEX}
        return {judge for judge in named if judge is not None}

    def has_some(self) -> bool:
        """Whether anybody labels, and there is a confidence, of a judge or computed."""
        found = (make() for make in self.confidences().values())
        return bool(self.labelling_judges()) and any(one.judge or one.of for one in found)

    def other_scales(self) -> list[str]:
        """The judges that score greedy answers on another scale than from 0 to 1."""
        return [judge for judge in self._table.judges if (judge, "score", True) in self._gives]

    def _given(self, judge: str) -> Confidence:
        return Confidence(
            name=judge,
            judge=judge,
            of=self._means(judge, self._table.values, first=True),
            why_none=f"{judge} has given no confidence",
        )

    def _prob(self) -> Confidence:
        return Confidence(
            name=PROB,
            of={
                answer: probability([logprob])
                for answer, (_, logprob, _) in self._greedy.items()
                if logprob is not None
            },
            why_none=NO_LOGPROBS,
        )

    def _prob_per_token(self) -> Confidence:
        found = {
            answer: probability_per_token([logprob / tokens])
            for answer, (_, logprob, tokens) in self._greedy.items()
            if logprob is not None and tokens
        }
        any_known = any(logprob is not None for _, logprob, _ in self._greedy.values())
        return Confidence(name=N_PROB, of=found, why_none=NO_TOKENS if any_known else NO_LOGPROBS)

    def _lexical(self) -> Confidence:
        both = {one: texts for one, texts in self._samples.items() if one in self._greedy}
        return Confidence(
            name=CONSIS_LEX,
            of={
                answer: lexical_consistency(self._greedy[answer][0], texts, rouge=self._rouge)
                for answer, texts in both.items()
            },
            why_none=NO_SAMPLES,
            samples={answer: len(texts) for answer, texts in both.items()},
        )

    def _agreeing(self, judge: str | None, name: str) -> Confidence:
        """Of no judge, the one that nobody has said anything for."""
        table, rows = self._table, self._rows(judge, first=False)
        read = np.unique(table.answer_of[rows[~np.isnan(table.values[rows])]])
        asked, samples = (
            np.bincount(cells, minlength=math.prod(table.shape)).reshape(table.shape)
            for cells in (table.cells(rows), table.cell_of[read])
        )
        why = f"{judge} has said of no sample whether it agrees with the greedy answer"
        return Confidence(
            name=name,
            judge=judge,
            of=self._means(judge, self._table.values, first=False),
            why_none=NOT_JUDGED if judge is None else why,
            samples=self._by_answer(asked, samples),
        )


def given(
    questions: QuestionSet,
    models: Sequence[str],
    confidence: Confidence,
    labels: Mapping[Answer, float],
) -> Confidences:
    """A confidence of some models on a set of questions, beside what is said of their answers."""

    def of(values: Mapping[Answer, float]) -> Floats:
        told = [[values.get((m, item), math.nan) for m in models] for item in questions.items]
        return np.array(told, dtype=np.float64).reshape(len(told), len(models))

    return Confidences(questions=questions, confidence=of(confidence.of), correct=of(labels))


def question_sets(
    data: ConfidenceData, answers: Collection[Answer]
) -> tuple[list[QuestionSet], bool]:
    """The sets that somebody was asked about, in order of name.

    Returns
    -------
    sets, full
        Whether their sizes are those of the whole benchmark, whose data is here, or else of what
        the store holds of each.
    """
    which = data.which
    contents = data.store.item_contents(which.name, which.version)
    asked = in_natural_order({item for _, item in answers})
    members = grouped((_set_of(data.items.get(item), which), item) for item in asked)
    of_benchmark = items_at_hand(which.name, which.version) if len(members) > 1 else None
    sizes = Counter(_set_of(item, which) for item in (of_benchmark or data.items).values())
    sets = []
    for name, items in sorted(members.items()):
        first: dict[str, str] = {}
        units, unit_of = coded([first.setdefault(contents.get(i) or i, i) for i in items])
        domain = data.items[items[0]].metadata.get("domain") if items[0] in data.items else None
        sets.append(
            QuestionSet(
                name=name,
                domain=domain if isinstance(domain, str) else None,
                size=max(sizes[name], len(items)),
                items=tuple(items),
                units=units,
                unit_of=unit_of,
            )
        )
    return sets, of_benchmark is not None


def _set_of(item: Item | None, which: BenchmarkRef) -> str:
    return which.name if item is None or item.category is None else item.category


# models that are asked about themselves -----------------------------------------------------------


def self_judges(store: Store, tables: Sequence[Columns]) -> dict[str, str]:
    """Judge's id -> the name to show, as of `disambiguate`, but one for models asked themselves.

    Each model that says how sure it is of its answers is a judge of its own. Where all judges of a
    name are that and ask alike, and no model was asked by two of them, they are one confidence of
    that name.

    Parameters
    ----------
    tables
        Columns ``judge``, ``judge_id`` and ``model_id``, of equal length.
    """
    shown = disambiguate(tables, "judge")
    judges = {judge.id: judge.spec for judge in store.judges()}
    models = {model.id: model.spec for model in store.models()}
    asked = grouped(
        (name, (judge, model))
        for table in tables
        for name, judge, model in zip(
            *(table[one] for one in ("judge", "judge_id", "model_id")), strict=True
        )
        if judge is not None
    )
    for name, pairs in ((name, {*rows}) for name, rows in asked.items()):
        times = Counter(model for _, model in pairs)
        alike = len({_way(judges[judge]) for judge, _ in pairs}) == 1
        themselves = all(_itself(judges[judge], models[model]) for judge, model in pairs)
        if alike and themselves and max(times.values()) == 1:
            shown |= {judge: name for judge, _ in pairs}
    return shown


def _way(judge: JudgeSpec) -> bytes:
    """How a judge asks and reads; the examples that it shows, if any, are each model's own."""
    options = {n: EXAMPLES if n == EXAMPLES else said for n, said in judge.options.items()}
    asked = [judge.kind, judge.prompt_sha, judge.reader_version, judge.sampling, options]
    return content_key("way of judging", asked)


def _itself(judge: JudgeSpec, model: ModelSpec) -> bool:
    """Whether a judge that gives confidences is the model: the same weights, or the same API."""
    if judge.kind not in CONFIDENCES or judge.identity is None:
        return False
    if model.weights == f"{judge.identity}/{judge.model}":
        return True
    # Behind the weights may stand the way in which they are asked.
    return f"{judge.identity}+".startswith(f"{model.weights}+")


# two models ---------------------------------------------------------------------------------------


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
            given(questions, self.two, confidence, labels)
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
