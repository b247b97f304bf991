"""How well confidences tell correct answers from wrong ones, by model and confidence.

What the store has of confidences: who called answers correct, who gave or implies a confidence.

A confidence is a score from 0 to 1 that a judge gives to the greedy answer, sample 0. A judge that
scores from 0 to 1 only further samples says how far each agrees with the greedy answer. The rest is
computed from the answers themselves: their log-probabilities and the texts of the samples.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np

from judgebench.benchmarks.folder import items_at_hand
from judgebench.columns import grouped
from judgebench.errors import UsageError, refuse, refuse_unknown
from judgebench.judges.kinds import EXAMPLES
from judgebench.keys import content_key
from judgebench.metrics.confidence import (
    TENTHS,
    Figures,
    QuestionSet,
    RiskCurve,
    SetCurve,
    estimates_of,
    figures,
    risk_curve,
    set_curve,
)
from judgebench.metrics.failed_rows import with_failures
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.probes import without_probes
from judgebench.metrics.registry import meanings, metric
from judgebench.metrics.verdict_table import coded
from judgebench.plain_text import in_natural_order
from judgebench.records import CONFIDENCES, Estimate, Item, JudgeSpec, ModelSpec
from judgebench.reports import estimates
from judgebench.reports.boards import (
    BenchmarkRef,
    Columns,
    benchmark_ref,
    disambiguate,
    find_reference,
    renamed,
    where,
)
from judgebench.reports.document import (
    Chart,
    Each,
    OfBenchmark,
    Report,
    Rows,
    Table,
    column,
    json_after,
    json_field,
    table,
)
from judgebench.stats.calibration_error import ReliabilityBins, reliability_bins
from judgebench.stats.confidence import (
    RiskCoverage,
    RougeL,
    lexical_consistency,
    probability,
    probability_per_token,
    risk_coverage,
    semantic_consistency,
)
from judgebench.stats.resample import Resamples, wilson_interval
from judgebench.store import Store

Answer: TypeAlias = tuple[str, str]
"""A model, as it is shown, and an item: its greedy answer."""

PROB, N_PROB, CONSIS_LEX, CONSIS_SEM = "Prob", "N-Prob", "Consis-Lex", "Consis-Sem"

NO_LOGPROBS = "the store has no log-probabilities of the greedy answers"
NO_TOKENS = "the store does not say how many tokens the greedy answers have"
NO_SAMPLES = "the store has no samples beside the greedy answers"
NOT_JUDGED = "no judge has said which samples agree with the greedy answers (scores of samples)"

SHARE = "score from 0 to 1"
"""A score that is a confidence, among the kinds of verdicts."""

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
                where(told, (judge in among for judge in told["judge_id"]))
                for told in (stored, failures)
            )
        answers = where(answers, answers["newest"])
        self.models = disambiguate([answers, failures, stored], "model")
        self.judges = self_judges(store, [failures, stored])
        verdicts = with_failures(
            *(renamed(c, self.models, self.judges) for c in (stored, failures))
        )
        self._said: dict[str, dict[tuple[Answer, int], list[tuple[Any, ...]]]] = {}
        self._read_verdicts(verdicts)
        self._greedy: dict[Answer, tuple[str, float | None, int | None]] = {}
        self.impossible = 0
        self._samples: dict[Answer, list[str]] = {}
        self._read_answers(answers)

    def _read_verdicts(self, verdicts: Columns) -> None:
        names = ("judge", "model", "item_id", "sample", "turn", "opponent", "low", "high", "kind",
                 "label", "value")  # fmt: skip
        self._ways = dict(zip(verdicts["judge"], verdicts["judge_kind"], strict=True))
        self._gives: set[tuple[str, str, bool]] = set()
        for judge, model, item, sample, turn, opponent, low, high, kind, *said in zip(
            *(verdicts[name] for name in names), strict=True
        ):
            if judge is not None and opponent is None and not turn:
                what = SHARE if kind == "score" and (low, high) == (0.0, 1.0) else kind
                self._gives.add((judge, what, not sample))
                of_judge = self._said.setdefault(judge, {})
                of_judge.setdefault(((model, item), sample), []).append((what, *said))

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
        return [judge for judge in sorted(self._said) if (judge, "label", True) in self._gives]

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
        labels = self.which.labels
        shares = {
            answer: _mean(
                float(label == labels[-1])
                for kind, label, _ in said
                if kind == "label" and label in labels
            )
            for (answer, sample), said in self._said[judge].items()
            if sample == 0
        }
        return {
            answer: math.nan if share == 0.5 or math.isnan(share) else float(share > 0.5)
            for answer, share in shares.items()
        }

    def unread(self, judge: str, role: str) -> Unread:
        """Of all replies of a judge; failures are no replies."""
        kinds = Counter(
            "unreadable" if kind == "label" and label not in self.which.labels else kind
            for said in self._said.get(judge, {}).values()
            for kind, label, _ in said
        )
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
            [one for one in sorted(self._said) if one in sharing or self._ways[one] == way]
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
        return [judge for judge in sorted(self._said) if (judge, "score", True) in self._gives]

    def _given(self, judge: str) -> Confidence:
        return Confidence(
            name=judge,
            judge=judge,
            of={
                answer: _mean_score(said)
                for (answer, sample), said in self._said[judge].items()
                if sample == 0
            },
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
        agree = grouped(
            (answer, _mean_score(said))
            for (answer, sample), said in self._said.get(judge or "", {}).items()
            if sample
        )
        why = f"{judge} has said of no sample whether it agrees with the greedy answer"
        return Confidence(
            name=name,
            judge=judge,
            of={answer: float(semantic_consistency(of)) for answer, of in agree.items()},
            why_none=NOT_JUDGED if judge is None else why,
            samples={
                answer: sum(not math.isnan(one) for one in of) for answer, of in agree.items()
            },
        )


def _mean_score(said: Iterable[tuple[Any, ...]]) -> float:
    """Of the scores from 0 to 1 among a judge's repeats; nan where none could be read."""
    return _mean(float(value) for what, _, value in said if what == SHARE)


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return math.fsum(known) / len(known) if known else math.nan


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


Scope = Literal["all", "domain", "set"]

TITLES = {
    name: metric(name).title for name in ("auroc", "ece", "alignment", "brier", "accuracy", "aurc")
}
_FIRST = ("auroc", "ece", "alignment")

FIRST_ROWS = 12
"""Rows that are looked at of each judge on each model, of a question's samples the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceRow:
    """One confidence of one model, over some sets.

    scope, over
        ``all``; a ``domain`` or a ``set`` by name.
    threshold
        That ``alignment`` was found at; nan over several sets, each of which has its own.
    samples
        The least and the largest number of samples that an answer's confidence rests on; None
        where it rests on none.
    bins, risk
        Of all its answers together: in exact bins; what is wrong among the most confident ones, at
        every tenth of the answers given.
    curve
        Where curves were asked for and there is one: over several sets the mean of theirs, as the
        metrics are.
    """

    model: str
    confidence: str
    judge: str | None
    version: str
    scope: Scope
    over: str
    sets: tuple[str, ...]
    metrics: Mapping[str, Estimate]
    threshold: float = json_field(name="alignment_threshold")
    samples: tuple[int, int] | None
    bins: ReliabilityBins = json_field(hidden=True)
    risk: RiskCoverage = json_field(hidden=True)
    curve: RiskCurve | None = json_field(hidden=True, default=None)

    @property
    def stretch(self) -> str:
        """What it is over, by a name of its own: ``all``, ``domain:rivers``, ``set:capitals``."""
        return "all" if self.scope == "all" else f"{self.scope}:{self.over}"

    @property
    @json_after("samples")
    def reliability(self) -> list[dict[str, float]]:
        """The bins, one by one."""
        return _by_element(self.bins, ("low", "high", "n", "confidence", "accuracy"))

    @property
    @json_after("reliability")
    def risk_coverage(self) -> list[dict[str, float]]:
        """The points of the risk, one by one."""
        return _by_element(self.risk, ("coverage", "threshold", "risk"))

    def bin_intervals(self) -> tuple[Floats, Floats]:
        """Wilson's interval of the share of correct answers in each bin, shape (bins,) each."""
        level = self.metrics["accuracy"].level
        low, high = wilson_interval(self.bins.n * self.bins.accuracy, self.bins.n, level=level)
        return low, high


def _by_element(arrays: object, names: Sequence[str]) -> list[dict[str, float]]:
    columns = (getattr(arrays, name).tolist() for name in names)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceReport(OfBenchmark, Report):
    """The confidences of a benchmark.

    correct
        The judge whose labels count, and ``positive`` its word for a correct answer.
    sizes, sizes_of
        The weights of the sets; whether they are those of the whole ``benchmark``, or of the
        questions that the ``store`` holds.
    unread
        Of each judge concerned.
    """

    ROWS: ClassVar = (
        Rows(
            of="rows",
            shared=("benchmark", "version", "correct"),
            row=("model", "confidence", "scope", "over", Each("metrics")),
        ),
    )
    CHART: ClassVar = Chart(along="model, confidence, over", by="metric")

    correct: str
    positive: str
    rouge: RougeL
    sizes: Mapping[str, int]
    sizes_of: Literal["benchmark", "store"]
    domains: Mapping[str, str]
    rows: tuple[ConfidenceRow, ...]
    unread: tuple[Unread, ...]
    warnings: tuple[str, ...]

    def tables(self, *, by_set: bool = False, bins: bool = False) -> list[Table]:
        """A table over all sets and one for each domain.

        Parameters
        ----------
        by_set
            Whether single sets have a table each.
        bins
            Whether tables show the reliability diagram of each confidence, and the risk that is
            left where only the most confident answers are given, over all sets.
        """
        scopes = ("all", "domain", "set") if by_set else ("all", "domain")
        over = sorted(
            {(scopes.index(row.scope), row.over) for row in self.rows if row.scope in scopes}
        )
        found = [
            self._table([row for row in self.rows if (row.scope, row.over) == (scopes[at], name)])
            for at, name in over
        ]
        if found:  # once, under the first
            found[0] = replace(found[0], notes=[*found[0].notes, meanings(TITLES)])
        if bins:
            for row in self.rows:
                if row.scope == "all" and row.bins.n.any():
                    of = f"{self.place}: {row.confidence} of {row.model}"
                    found += [_bins_table(row, of), _risk_table(row, of)]
        return found

    def _table(self, rows: Sequence[ConfidenceRow]) -> Table:
        whole, over = rows[0].scope == "all", rows[0].over
        said = "ECE is corrected for the bias of its bins; at most: nothing rules out 0"
        if averaged := self.averaged(rows[0]):
            said = f"{averaged}; {said}"
        return table(
            f"{self.place}{'' if whole else f', {over}'}: confidence against {self.correct}",
            [row for row in rows if row.metrics["auroc"].n],
            [
                column("model", lambda row: row.model, wraps=True),
                column("confidence", lambda row: row.confidence, wraps=True),
                *(
                    column(title, partial(_text, name), align="right", spare=name not in _FIRST)
                    for name, title in TITLES.items()
                ),
                column("n", lambda row: str(row.metrics["auroc"].n), align="right", spare=True),
                column(
                    "missing",
                    lambda row: str(row.metrics["auroc"].missing),
                    align="right",
                    spare=True,
                ),
            ],
            subtitle=said,
            notes=[
                *reasons(rows),
                *without_interval(rows),
                *(self.notes() if whole else ()),
            ],
        )

    @property
    def stretches(self) -> dict[str, str]:
        """Over what there are rows, by name, in words; the whole first, then domains, then sets."""
        scopes = get_args(Scope)
        rows = sorted(self.rows, key=lambda row: scopes.index(row.scope))
        n = max((len(row.sets) for row in rows if row.scope == "all"), default=0)
        words = {"all": "all questions" if n < 2 else f"all {n} sets", "domain": "{} (domain)"}
        return {row.stretch: words.get(row.scope, "{}").format(row.over) for row in rows}

    @property
    def series(self) -> dict[tuple[str, str], str]:
        """Model and confidence of each curve, and what it is called, as shortly as can be."""
        pairs = list(dict.fromkeys((row.model, row.confidence) for row in self.rows))
        models, confidences = ({pair[side] for pair in pairs} for side in (0, 1))
        return {
            (model, confidence): confidence
            if len(models) < 2
            else model
            if len(confidences) < 2
            else f"{confidence} · {model}"
            for model, confidence in pairs
        }

    def averaged(self, row: ConfidenceRow) -> str:
        """How a row is made of several sets; empty of one."""
        full = self.sizes_of == "benchmark"
        of = "in full" if full else "as far as the store has them"
        n = len(row.sets)
        return f"mean of {n} sets, weighted with their sizes {of}" if n > 1 else ""

    def notes(self) -> list[str]:
        """What could not be read of the judges' replies, and warnings."""
        return [
            f"{one.judge}: {one.n} of {one.of} replies could not be read "
            f"({100 * one.n / one.of:.1f} %)"
            for one in self.unread
            if one.n
        ] + [f"warning: {warning}" for warning in self.warnings]


def _text(name: str, row: ConfidenceRow) -> str:
    estimate = row.metrics[name]
    at_most = estimates.bounded(name, estimate)
    return estimates.text(estimate, digits=metric(name).digits, at_most=at_most)


def reasons(rows: Sequence[ConfidenceRow]) -> list[str]:
    """Why a dash stands where it stands; confidences and metrics of one reason in one note."""
    places: list[tuple[tuple[str, str], str]] = []
    for row in rows:
        lacking = grouped(
            (why, title)
            for name, title in TITLES.items()
            if (why := row.metrics[name].undefined) is not None
        )
        for why, titles in lacking.items():
            metrics = "" if len(titles) == len(TITLES) else f" {', '.join(titles)}"
            places.append(((why, row.confidence + metrics), row.model))
    models = len({row.model for row in rows})
    return [
        f"{estimates.UNDEFINED} {what}"
        + ("" if len(of) == models else f" of {', '.join(of)}")
        + f": {why}"
        for (why, what), of in grouped(places).items()
    ]


def without_interval(rows: Sequence[ConfidenceRow]) -> list[str]:
    """Why a figure stands without an interval; those of one metric and reason in one note."""
    given = [row for row in rows if row.metrics["accuracy"].n]
    places = grouped(
        (
            (title, estimate.method.partition("no interval")[2].lstrip(",: ")),
            f"{row.confidence} of {row.model}",
        )
        for row in given
        for name, title in TITLES.items()
        for estimate in (row.metrics[name],)
        if estimate.undefined is None and estimates.finite(estimate.low) is None
    )
    return [
        f"{title} without an interval"
        + ("" if len(of) == len(given) else f" ({', '.join(of)})")
        + f": {why}"
        for (title, why), of in places.items()
    ]


def _bins_table(row: ConfidenceRow, of: str) -> Table:
    bins, (low, high), last = row.bins, row.bin_intervals(), len(row.bins.n) - 1
    return table(
        f"{of}, in bins",
        np.flatnonzero(bins.n).tolist(),
        [
            column(
                "bin",
                lambda i: f"[{bins.low[i]:.1f}, {bins.high[i]:.1f}{']' if i == last else ')'}",
            ),
            column("n", lambda i: str(bins.n[i]), align="right"),
            column("mean confidence", lambda i: f"{bins.confidence[i]:.3f}", align="right"),
            column(
                "share correct", lambda i: _figure(bins.accuracy[i], low[i], high[i]), align="right"
            ),
        ],
        subtitle="calibrated is where accuracy is the mean confidence; intervals are Wilson's",
    )


def _risk_table(row: ConfidenceRow, of: str) -> Table:
    accuracy, risk = row.metrics["accuracy"], row.risk
    given = np.rint(risk.coverage * accuracy.n)
    low, high = wilson_interval(risk.risk * given, given, level=accuracy.level)
    return table(
        f"{of}, by coverage",
        range(len(given)),
        [
            column("given", lambda i: f"{100 * risk.coverage[i]:.0f} %"),
            column("n", lambda i: f"{given[i]:.0f}", align="right"),
            column("confidence from", lambda i: f"{risk.threshold[i]:.3f}", align="right"),
            column("share wrong", lambda i: _figure(risk.risk[i], low[i], high[i]), align="right"),
        ],
        subtitle="what is wrong among the answers of at least some confidence; Wilson's intervals",
    )


def _figure(value: float, low: float, high: float) -> str:
    return estimates.text(
        Estimate(value=float(value), low=float(low), high=float(high), n=1, units=1)
    )


def confidence_report(
    store: Store,
    benchmark: str,
    *,
    correct: str | None = None,
    confidences: Collection[str] = (),
    judges: Collection[str] | None = None,
    models: Collection[str] | None = None,
    rouge: RougeL = "lin",
    curves: bool = False,
    intervals: Intervals | None = None,
) -> ConfidenceReport:
    """Every confidence of every model, against one judge's labels.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``.
    correct
        The judge whose labels say what is correct; the only one that labels if not given.
    confidences
        Only these, by name; all if empty.
    judges
        Only what these judges said, by id; all if not given.
    models
        Rows of these models only, as they are shown; all if not given. What others have answered
        still says what the sets of questions are.
    rouge
        Which ROUGE-L Consis-Lex is made of.
    curves
        Whether rows have curves of risk with intervals, which takes as long again.

    Raises
    ------
    UsageError
        For a benchmark, judge or confidence that the store does not hold; where nobody, or more
        than one judge, says what is correct.
    """
    which = benchmark_ref(store, benchmark)
    wanted = intervals or Intervals()
    data = ConfidenceData(store, which, rouge=rouge, judges=judges)
    judge = data.labelling(correct)
    labels = data.correct(judge)
    chosen = _chosen(data, confidences)
    answers = data.answers().union(labels, *(one.of for one in chosen if one.of))
    sets, full = question_sets(data, answers)
    drawn = [(questions, wanted.resamples(questions.units)) for questions in sets]
    rows: list[ConfidenceRow] = []
    for model in sorted({model for model, _ in answers if models is None or model in models}):
        its = {item: labels.get((m, item), math.nan) for m, item in answers if m == model}
        of_model = [
            row
            for one in chosen
            for row in _rows(which.version, model, one, its, judge, drawn, wanted, curves=curves)
        ]
        rows += sorted(of_model, key=lambda row: estimates.best_first(row.metrics["auroc"].value))
    judges = {one.judge: "confidence" for one in chosen if one.judge is not None}
    return ConfidenceReport(
        benchmark=which.name,
        version=which.version,
        correct=judge,
        positive=which.labels[-1],
        sizes={questions.name: questions.size for questions in sets},
        sizes_of="benchmark" if full else "store",
        domains={q.name: q.domain for q in sets if q.domain is not None},
        rouge=rouge,
        rows=tuple(rows),
        unread=(
            data.unread(judge, "correctness"),
            *(data.unread(name, role) for name, role in judges.items() if name != judge),
        ),
        warnings=_warnings(data, chosen),
    )


def _chosen(data: ConfidenceData, names: Collection[str]) -> list[Confidence]:
    known = data.confidences()
    refuse_unknown("confidence", names, known, error=UsageError, about=f"{data.which}: ")
    return [make() for name, make in known.items() if not names or name in names]


def _rows(
    version: str,
    model: str,
    confidence: Confidence,
    labels: Mapping[str, float],
    judge: str,
    sets: Sequence[tuple[QuestionSet, Resamples]],
    intervals: Intervals,
    *,
    curves: bool,
) -> list[ConfidenceRow]:
    """Over all sets, over each domain and over each set, as far as these are different things."""
    found: list[tuple[str | None, Figures, SetCurve | None]] = []
    for questions, draws in sets:
        one = figures(
            questions,
            confidence=np.array([confidence.of.get((model, i), math.nan) for i in questions.items]),
            correct=np.array([labels.get(i, math.nan) for i in questions.items]),
            expected=np.array([i in labels for i in questions.items]),
            resamples=draws,
            seed=intervals.seed,
            why_none=_why_none(model, confidence, labels, judge, questions),
            level=intervals.level,
        )
        found.append((questions.domain, one, set_curve(one, draws) if curves else None))
    scopes: list[tuple[Scope, str, Sequence[tuple[str | None, Figures, SetCurve | None]]]] = [
        ("all", "all", found)
    ]
    domains = grouped((one[0], one) for one in found if one[0] is not None)
    if len(domains) > 1:
        scopes += [("domain", name, inside) for name, inside in sorted(domains.items())]
    if len(found) > 1:
        scopes += [("set", one[1].name, [one]) for one in found]
    n = [n for (m, _), n in confidence.samples.items() if m == model]
    rows = []
    for scope, over, inside in scopes:
        some = [one for _, one, _ in inside]
        given = np.concatenate([one.confidence for one in some])
        right = np.concatenate([one.correct for one in some])
        drawn = [curve for _, _, curve in inside if curve is not None]
        rows.append(
            ConfidenceRow(
                model=model,
                confidence=confidence.name,
                judge=confidence.judge,
                version=version,
                scope=scope,
                over=over,
                sets=tuple(one.name for one in some),
                metrics=estimates_of(some, intervals),
                threshold=some[0].threshold if len(some) == 1 else math.nan,
                samples=(min(n), max(n)) if n else None,
                bins=reliability_bins(given, right, binning="exact"),
                risk=risk_coverage(given, right).at(TENTHS),
                curve=risk_curve(some, drawn, intervals) if drawn else None,
            )
        )
    return rows


def _why_none(
    model: str,
    confidence: Confidence,
    labels: Mapping[str, float],
    judge: str,
    questions: QuestionSet,
) -> str:
    if not any(item in labels for item in questions.items):
        return "the model has answered nothing here"
    if all(math.isnan(labels.get(item, math.nan)) for item in questions.items):
        return f"no label of {judge} could be had"
    if not any((model, item) in confidence.of for item in questions.items):
        return confidence.why_none
    return "no answer has both a label and a confidence"


def _warnings(data: ConfidenceData, chosen: Sequence[Confidence]) -> tuple[str, ...]:
    impossible = (
        f"{data.impossible} greedy answers have a positive log-probability, which is none; they "
        "count as having none"
    )
    samples = {one.name: {*one.samples.values()} for one in chosen}
    return (
        *(
            f"{judge} does not score from 0 to 1; what it says is no confidence"
            for judge in data.other_scales()
        ),
        *([impossible] if data.impossible else []),
        *(
            f"{name} rests on {min(n)} to {max(n)} samples of an answer"
            for name, n in samples.items()
            if len(n) > 1
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What can be held against the labels of one judge.

    judges
        Ids of all whose verdicts matter: that judge's, and those that give confidences.
    models
        Whose answers there are, or were judged; those of whom there is a confidence first.
    confidences
        Those that there are, by the name that reports give them.
    lacking
        The other ones, and why there are none.
    """

    judges: frozenset[str]
    models: tuple[str, ...]
    confidences: tuple[str, ...]
    lacking: Mapping[str, str]


def _first_rows(store: Store, benchmark: str, **some: Any) -> ConfidenceData:
    which = benchmark_ref(store, benchmark)
    return ConfidenceData(store, which, rouge="lin", first=FIRST_ROWS, **some)


def labelling(store: Store, benchmark: str) -> dict[str, str]:
    """The judges that have said which first answers are correct: the name shown -> the id.

    Parameters
    ----------
    benchmark
        ``NAME@VERSION``.
    """
    data = _first_rows(store, benchmark)
    known = set(data.labelling_judges())
    ids = sorted(data.judges.items(), key=lambda one: (one[1], one[0]))
    return {name: judge for judge, name in ids if name in known}


def choice(store: Store, benchmark: str, correct: str | None) -> Choice:
    """The models and confidences of a benchmark.

    Parameters
    ----------
    benchmark
        ``NAME@VERSION``.
    correct
        The judge whose labels count, by id; None where nobody labels.
    """
    everybody = _first_rows(store, benchmark)
    giving = everybody.confidence_judges()
    ids = {judge for judge, name in everybody.judges.items() if name in giving}
    judges = frozenset(ids if correct is None else ids | {correct})
    # Again with these alone, since what they are called depends on who else is there.
    data = _first_rows(store, benchmark, judges=judges)
    found = {name: make() for name, make in data.confidences().items()}
    given = frozenset[Answer]().union(*(one.of for one in found.values()))
    sure, answers = {model for model, _ in given}, data.answers() | given
    if correct is not None and (judge := data.judges.get(correct)) in data.labelling_judges():
        answers |= set(data.correct(judge))
    return Choice(
        judges=judges,
        models=tuple(
            sorted({model for model, _ in answers}, key=lambda one: (one not in sure, one))
        ),
        confidences=tuple(name for name, one in found.items() if one.of or one.judge),
        lacking={name: one.why_none for name, one in found.items() if not one.of and not one.judge},
    )


MOST_LOOKED_AT = 20
"""Benchmarks of which it is asked whether they have confidences."""


def with_confidences(store: Store) -> tuple[tuple[str, str], ...]:
    """The benchmarks, of the first ones, that have labels and confidences: names and versions.

    The first rows of a judge tell it mostly; only where they do not, those on each model are read.
    """
    return tuple(
        one
        for one in without_probes(store.benchmarks())[:MOST_LOOKED_AT]
        if _first_rows(store, "@".join(one), any_model=True).has_some()
        or _first_rows(store, "@".join(one)).has_some()
    )
