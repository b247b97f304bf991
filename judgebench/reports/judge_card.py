"""The card of a judge: all that what is stored says of it, and for what it can be believed."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from judgebench import yaml_file
from judgebench.columns import counted, grouped, marked, select_rows
from judgebench.errors import ConfigError, UsageError, refuse_unknown
from judgebench.metrics.agreement import OTHERS
from judgebench.metrics.board_kinds import Kind, by_board
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.judge_card import (
    TOO_FEW,
    JudgeMeasures,
    Measured,
    undefined,
)
from judgebench.metrics.judged_values import read_values
from judgebench.metrics.probes import KINDS as PROBES
from judgebench.metrics.probes import PROBE, VARIANTS, variant_named
from judgebench.metrics.registry import METRICS, Metric, metric
from judgebench.plain_text import few, holding
from judgebench.records import CONFIDENCES, HUMAN, Estimate, is_human
from judgebench.reports import estimates
from judgebench.reports.agreement import KINDS, columns_of
from judgebench.reports.board_data import IMPORTED
from judgebench.reports.boards import (
    BenchmarkRef,
    Columns,
    benchmark_ref,
    find_judges,
    judge_line,
    renamed,
    where,
)
from judgebench.reports.document import (
    Cells,
    Chart,
    OfBenchmark,
    Report,
    Rows,
    Spread,
    Table,
    column,
    table,
)
from judgebench.reports.probe import stored_probes
from judgebench.store.catalog import StoredJudge, distinct_names
from judgebench.store.store import Store

Use: TypeAlias = Literal["scores", "ranking", "pairwise"]
State: TypeAlias = Literal["passed", "failed", "unknown", ""]
Group: TypeAlias = Literal["stored", "order", "probe", "people"]

GROUPS: Mapping[Group, str] = {
    "stored": "what is stored",
    "order": "a second order",
    "probe": "probe calls",
    "people": "people's labels",
}
USES: Mapping[Use, str] = {
    "scores": "how good a model is",
    "ranking": "which model is better",
    "pairwise": "which of two answers is better",
}
USES_OF: Mapping[Kind, tuple[Use, ...]] = {
    "label": ("scores", "ranking"),
    "score": ("scores", "ranking"),
    "preference": ("pairwise", "ranking"),
}
ALL: tuple[Use, ...] = ("scores", "ranking", "pairwise")

AT_MOST = ("p_plus", "ties", "brier")
"""Measures without a threshold of their own of which less is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardEntry:
    """One measure of the card: what it costs to know, what is asked of it, and what hangs on it.

    least, most
        The threshold: at least, or at most so much; of the distance from ``centre`` where there is
        one. Without either the measure is told and decides nothing.
    uses
        What a judge that fails it cannot be believed for.
    needed
        Of these, those that it must have passed.
    models
        Whether it is of single models: those that fail are left out of what is believed.
    exact
        Whether its value decides and not its interval: a fault that was seen is there.
    counts
        Whether it counts models: all of them fail where there are too many.
    people
        Whether nothing follows where it was held against other judges, or nobody.
    fewest
        Verdicts, of an order models, without which nothing follows.
    """

    name: str
    group: Group = "stored"
    least: float | None = None
    most: float | None = None
    centre: float | None = None
    uses: tuple[Use, ...] = ()
    needed: tuple[Use, ...] = ()
    models: bool = False
    exact: bool = False
    counts: bool = False
    people: bool = False
    fewest: int = 10

    @property
    def threshold(self) -> float | None:
        return self.most if self.least is None else self.least

    def at(self, threshold: float) -> CardEntry:
        """The entry with another threshold; without one, at least so much, or of rates at most."""
        if self.most is not None or self.name in AT_MOST:
            return replace(self, most=threshold)
        return replace(self, least=threshold)

    def wanted(self) -> str:
        """``≥ 0.6``, ``0.5 ± 0.1``; nothing without a threshold."""
        if self.centre and self.most is not None:
            return f"{self.centre:g} ± {self.most:g}"
        sign = "≥" if self.least is not None else "±" if self.centre == 0 else "≤"
        return "" if self.threshold is None else f"{sign} {self.threshold:g}"

    def state(self, estimate: Estimate) -> State:
        """Failed where no value of the interval will do, passed where all do."""
        if self.threshold is None:
            return ""
        few = estimate.n < self.fewest or estimate.method == TOO_FEW
        if math.isnan(estimate.value) or (few and not self.exact):
            return "unknown"
        low, high = -math.inf, math.inf
        if self.least is not None:
            low = self.least
        elif self.most is not None:
            high = (self.centre or 0.0) + self.most
            low = low if self.centre is None else self.centre - self.most
        ends = [estimate.value] * 2
        if not self.exact and not math.isnan(estimate.low + estimate.high):
            ends = [estimate.low, estimate.high]
        if low <= ends[0] and ends[1] <= high:
            return "passed"
        return "failed" if ends[1] < low or ends[0] > high else "unknown"


_RIGHT: Mapping[str, Mapping[str, Any]] = {
    "accepted": {"least": 0.9},
    "rejected": {"most": 0.1},
    "unchanged": {"most": 0.2},
}

_ONE_BY_ONE: tuple[Use, ...] = ("scores", "pairwise")
ENTRIES: Mapping[str, CardEntry] = {
    one.name: one
    for one in (
        CardEntry(name="cohen_kappa", least=0.6, uses=_ONE_BY_ONE, needed=_ONE_BY_ONE),
        *(
            CardEntry(name=name) for name in
            ("agreement", "scott_pi", "gwet_ac1", "gwet_ac2", "krippendorff_alpha", "mcc")
        ),
        CardEntry(name="score_delta", most=0.05, centre=0.0, uses=("scores",), needed=("scores",)),
        CardEntry(name="p_c", least=0.5, uses=("scores",)),
        CardEntry(name="p_plus"),
        CardEntry(name="kendall", least=0.7, uses=("ranking",), needed=("ranking",), fewest=4),
        CardEntry(name="spearman"),
        CardEntry(name="judges_kappa"),
        CardEntry(name="judges_alpha"),
        CardEntry(name="model_kappa", least=0.2, models=True),
        CardEntry(name="block_outlier", least=-3.5, models=True),
        CardEntry(name="near_constant", most=0.0, models=True, exact=True, counts=True),
        CardEntry(name="missing", most=0.05, models=True),
        CardEntry(name="unreadable", most=0.05, uses=ALL, models=True),
        CardEntry(name="refused", most=0.05, models=True),
        CardEntry(name="ties"),
        CardEntry(name="longer", most=0.1, centre=0.0, uses=ALL, people=True),
        CardEntry(
            name="own_family", most=0.05, centre=0.0, uses=("ranking", "pairwise"), people=True
        ),
        CardEntry(name="scale_top_share", most=0.8, uses=("scores",)),
        CardEntry(name="scale_entropy"),
        CardEntry(name="impossible", most=0.0, models=True, exact=True),
        CardEntry(name="placeholder", most=0.0, models=True, exact=True),
        CardEntry(
            name="consistency", group="order", least=0.75, uses=("pairwise",), needed=("pairwise",)
        ),
        CardEntry(name="first_position", group="order", most=0.1, centre=0.5, uses=("pairwise",)),
        CardEntry(name="orders_kappa", group="order"),
        CardEntry(name="two_order_accuracy", group="order", least=0.6, uses=("pairwise",)),
        *(
            CardEntry(name=f"{one.kind}/{one.name}", group="probe", uses=ALL, **_RIGHT[one.right])
            for one in VARIANTS if one.right in _RIGHT
        ),
        CardEntry(name="prompt", group="probe", most=0.2, uses=ALL),
        CardEntry(name="probe", group="probe"),
        CardEntry(name="ece", group="people", most=0.1),
        CardEntry(name="brier", group="people"),
        CardEntry(name="auroc", group="people", least=0.7),
    )
}  # fmt: skip
"""The measures of the card, in the order in which they are told."""

IMPLIED: tuple[tuple[str, str], ...] = (("exact_match", "contains"), ("em", "contains"))
"""Of two judges, as they are called in small letters: what the first accepts the second must."""

_FAMILIES: Mapping[str, str] = {
    "gpt": r"gpt|openai|davinci|\bo[134]\b",
    "claude": "claude|anthropic",
    "gemini": "gemini|gemma|palm|bard",
    "llama": r"llama|vicuna|\btulu",
    "mistral": "mistral|mixtral|ministral|zephyr",
    "qwen": "qwen|qwq",
    "deepseek": "deepseek",
    "phi": r"\bphi\b",
    "command": r"command-?[ar]\b|cohere|\baya\b",
    "yi": r"\byi\b",
    "grok": "grok",
}
"""By which words in a name a model is known to be of a family."""


def family_of(name: str) -> str | None:
    """The family of models that a name speaks of; None where of none, or of several."""
    words = name.lower().replace("_", " ")
    found = [one for one, pattern in _FAMILIES.items() if re.search(pattern, words)]
    return found[0] if len(found) == 1 else None


def thresholds_of(
    given: Mapping[str, float] | None = None, policy: Path | None = None
) -> dict[str, float]:
    """Thresholds by the name of their measure, of a file and then those given.

    Raises
    ------
    UsageError
        For a measure that is not on the card.
    ConfigError
        For a file that is no mapping of such names to numbers, naming line and field.
    """
    found: dict[str, float] = {}
    if policy is not None:
        written = yaml_file.read_yaml(
            policy, "a policy of the card is a mapping of measures to numbers"
        )
        for name, value in written.data.items():
            at = yaml_file.where(policy, (name,), written.lines)
            refuse_unknown("measure", [str(name)], ENTRIES, about=f"{at}: ")
            if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
                raise ConfigError(f"{at}: a threshold is a number, not {value!r}")
            found[name] = float(value)
    refuse_unknown("measure", given or (), ENTRIES, error=UsageError)
    return found | dict(given or {})


# what is said -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CardMeasure:
    """One measure of a judge on a benchmark.

    wanted
        Its threshold in words; empty where it has none.
    models
        Its value on each model, where it is of each.
    fails
        The models that fail it, each with its value in words.
    """

    name: str
    group: Group
    title: str
    means: str
    estimate: Estimate
    against: str | None
    threshold: float | None
    wanted: str
    state: State
    models: Mapping[str, Estimate]
    fails: Mapping[str, str]

    @property
    def value(self) -> str:
        """As tables have it: a value with its interval, or a dash."""
        return str(estimates.text(self.estimate, digits=_about(self.name).digits))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a judge can be believed for one use, and why."""

    use: Use
    believed: Literal["yes", "no", "unknown"]
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSection(OfBenchmark):
    """A judge on one benchmark, in one kind of verdicts.

    excluded
        Models that it is not to be believed on, and why.
    """

    judge: str
    judge_is: str
    kind: Kind
    reference: str | None
    verdicts: int
    items: int
    models: int
    decisions: tuple[Decision, ...]
    excluded: Mapping[str, str]
    verdict: str
    measures: tuple[CardMeasure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCard(Report):
    """All that is known of a judge, with one verdict on top.

    sections
        One for each benchmark, identity of the judge and kind of verdicts.
    """

    ROWS: ClassVar = (
        Rows(
            of="rows",
            shared=("judge",),
            row=(
                "benchmark", "version", "identity", "kind", "group", "metric", Spread("estimate"),
                "against", "threshold", "state", "models",
            ),
        ),
    )  # fmt: skip
    CHART: ClassVar = Chart(along="benchmark", by="metric")

    judge: str
    verdict: str
    sections: tuple[CardSection, ...]
    warnings: tuple[str, ...] = ()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Every measure with where it was taken."""
        return [
            {
                "benchmark": at.benchmark, "version": at.version, "identity": at.judge,
                "kind": at.kind, "group": one.group, "metric": one.name,
                "estimate": one.estimate, "against": one.against, "threshold": one.threshold,
                "state": one.state, "models": [*one.fails],
            }
            for at in self.sections for one in at.measures
        ]  # fmt: skip

    def tables(self) -> list[Table]:
        """The verdict with what it rests on, then a table of measures for each section."""
        one_name = len({at.judge for at in self.sections}) < 2
        rows = [(at, one) for at in self.sections for one in at.decisions]
        notes = [
            f"not on {model} ({at.place}): {why}"
            for at in self.sections for model, why in at.excluded.items()
        ]  # fmt: skip
        head = table(
            f"judge card: {self.judge}", rows, [
            column("on", lambda row: row[0].place, wraps=True),
            column(
                "judge", lambda row: "" if one_name else row[0].judge, wraps=True, optional=True
            ),
            column("for", lambda row: row[1].use),
            column("believe it", lambda row: row[1].believed),
            column("because", lambda row: row[1].because, wraps=True),
        ], subtitle=self.verdict,
            notes=[*notes, *(f"warning: {one}" for one in self.warnings)],
        )  # fmt: skip
        return [head, *(one for at in self.sections for one in section_tables(at))]


def section_tables(at: CardSection) -> list[Table]:
    """The measures of one section that have a value, a table for each way of knowing them."""
    columns: list[Cells[CardMeasure]] = [
        column("measure", lambda row: row.title),
        column("value", lambda row: row.value, align="right"),
        column("n", lambda row: f"{row.estimate.n:,}", align="right", spare=True),
        column("wanted", lambda row: row.wanted, align="right"),
        column("state", lambda row: row.state + (f" on {len(row.fails)}" if row.fails else "")),
        column("what it is", lambda row: row.means, wraps=True, spare=True),
    ]
    of_reason = grouped(
        (one.estimate.undefined, one.title) for one in at.measures if one.estimate.undefined
    )
    against = "" if at.reference is None else f"; held against {at.reference}"
    about = (
        f"{at.judge_is}; {at.verdicts:,} verdicts on {at.models:,} models and {at.items:,} items"
        f"{against}; intervals resample items; failed: no value of the interval is as wanted, "
        "unknown: some are; failed on N: on so many models, named above"
    )
    corrects = (
        f"its scores as these labels correct them: `judgebench leaderboard {at.place} --corrected`"
    )
    notes = [f"not known: {', '.join(its)}: {why}" for why, its in of_reason.items()]
    notes += [corrects] if at.reference == HUMAN else []
    known = [one for one in at.measures if not one.estimate.undefined]
    groups = [group for group in GROUPS if any(one.group == group for one in known)]
    return [
        table(
            f"{at.place}, {at.judge}, {at.kind}s: {GROUPS[group]}",
            [one for one in known if one.group == group],
            columns,
            subtitle="" if place else about,
            notes=notes if place == len(groups) - 1 else (),
        )
        for place, group in enumerate(groups)
    ]


# from the store -----------------------------------------------------------------------------------


def judge_card(
    store: Store,
    judge: str,
    benchmark: str | None = None,
    *,
    reference: str | None = None,
    thresholds: Mapping[str, float] | None = None,
    intervals: Intervals | None = None,
) -> JudgeCard:
    """Everything that can be said of a judge from what a store holds.

    Parameters
    ----------
    judge
        By name, another name it goes by, or id. A name that several identities share has a section
        for each.
    benchmark
        ``NAME`` or ``NAME@VERSION``; all that it has judged if None.
    reference
        Whom it is held against; all people together if None.
    thresholds
        As of `thresholds_of`.

    Raises
    ------
    UsageError
        For a judge or a benchmark that the store does not hold, naming the nearest.
    """
    met = store.boards_met()
    known = {one.judge.id: one.judge for one in met}
    shown = distinct_names({one: its.name for one, its in known.items()})
    called = find_judges(judge, shown, store, store.name)
    ids = {one: known[one] for one, name in shown.items() if name in called}
    at = list(dict.fromkeys(
        (one.benchmark, one.version) for one in met
        if one.judge.id in ids and not one.benchmark.startswith(PROBE)
    ))  # fmt: skip
    if benchmark is not None:
        which = benchmark_ref(store, benchmark)
        if (which.name, which.version) not in at:
            judged = ", ".join(map("@".join, at))
            raise UsageError(f"{judge} has judged nothing on {which}; it has judged: {judged}")
        at = [(which.name, which.version)]
    entries = {
        name: one.at(thresholds[name]) if thresholds and name in thresholds else one
        for name, one in ENTRIES.items()
    }
    how = {"reference": reference, "intervals": intervals or Intervals()}
    sections: list[CardSection] = []
    warnings: list[str] = []
    for name, version in at:
        which = benchmark_ref(store, f"{name}@{version}")
        found = _sections(store, which, ids, entries, how)
        sections += found
        names = dict.fromkeys(one.judge for one in found)
        warnings += holding({
            f"{which}: {judge} is {len(names)} judges: {', '.join(names)}": len(names) > 1,
            f"{which}: nothing that {judge} said there could be read, or each model stood "
            "against itself alone": not found,
        })  # fmt: skip
    name = called[0] if len(called) == 1 else judge
    return JudgeCard(
        judge=name, verdict=_verdict(name, sections), sections=tuple(sections),
        warnings=tuple(warnings),
    )  # fmt: skip


def _sections(
    store: Store,
    which: BenchmarkRef,
    ids: Mapping[str, StoredJudge],
    entries: Mapping[str, CardEntry],
    how: Mapping[str, Any],
) -> list[CardSection]:
    stored: Columns = store.board_verdicts(which.name, which.version)
    confident = marked(stored["judge_kind"], lambda kind: kind in CONFIDENCES)
    stored = where(stored, ~confident)
    given = counted(stored["judge_id"], stored["kind"])
    answers: Columns = store.board_answers(which.name, which.version)
    found = []
    for kind in KINDS:
        mine = [one for one in ids if (one, kind) in given]
        if not mine:
            continue
        columns, named, models = columns_of(store, which, kind, stored)
        texts = renamed({**answers, **{
            f"{who}_id": answers["model_id"] for who in ("opponent", "judge")
        }}, models, {})  # fmt: skip
        boards = by_board(columns)
        rows = np.concatenate([its for one, its in boards.items() if one.kind == kind])
        columns = select_rows(columns, np.sort(rows))
        if how["reference"] in (judges := [named[one] for one in mine]):
            raise UsageError(
                f"{how['reference']} cannot be held against itself: --reference is another judge"
            )
        values = read_values(columns, kind, which.labels)
        values = values.without_itself() if kind == "preference" else values
        for one, judge in zip(mine, judges, strict=True):
            if judge in values.judges:
                measures = JudgeMeasures(values, judge, **how)
                found.append(_section(store, which, ids[one], measures, columns, texts, entries))
    return found


def _section(
    store: Store,
    which: BenchmarkRef,
    judge: StoredJudge,
    its: JudgeMeasures,
    columns: Columns,
    texts: Columns,
    entries: Mapping[str, CardEntry],
) -> CardSection:
    kind, name = its.values.kind, its.judge
    own = where(columns, marked(columns["judge"], name.__eq__))
    measured = {
        **its.agreement(), **its.ranking(), **its.by_model(), **its.replies(own),
        **its.biases(texts, _of_family(judge)),
        "impossible": its.impossible(_implied(its.values.judges)),
        "placeholder": its.placeholders(texts), **its.orders(),
        **_probes(store, which, judge),
        **its.calibration(_probabilities(store, which, judge, its, len(own["kind"]))),
    }  # fmt: skip
    found = [
        _measure(one, entry, said)
        for metric_name, entry in entries.items()
        for one, said in measured.items()
        if metric_name == (one if one in entries else one.partition("/")[0])
    ]
    excluded = _excluded(found)
    n_models = len(np.unique(its.values.model_of[its.codes >= 0]))
    decisions = tuple(_decision(use, found, entries, excluded, n_models) for use in USES_OF[kind])
    held = its.reference
    return CardSection(
        benchmark=which.name, version=which.version, judge=name, judge_is=judge_line(judge.spec),
        kind=kind, reference=None if held is None else held[0],
        verdicts=int((its.codes >= 0).sum()),
        items=len(np.unique(its.values.item_of[its.codes >= 0])), models=n_models,
        decisions=decisions, excluded=excluded, measures=tuple(found),
        verdict=_said(decisions, excluded),
    )  # fmt: skip


def _measure(name: str, entry: CardEntry, said: Measured) -> CardMeasure:
    state = entry.state(said.estimate)
    if entry.people and state and said.against in (None, OTHERS):
        state = "unknown"
    about = _about(name)
    failing = {
        model: _value(one, about.digits)
        for model, one in said.models.items()
        if entry.models and entry.state(said.estimate if entry.counts else one) == "failed"
    }
    if entry.models and entry.threshold is not None and not math.isnan(said.estimate.value):
        state = "failed" if failing else "unknown" if state == "unknown" else "passed"
    return CardMeasure(
        name=name, group=entry.group, title=about.title, means=about.meaning,
        estimate=said.estimate, against=said.against, threshold=entry.threshold,
        wanted=entry.wanted(), state=state, models=said.models, fails=failing,
    )  # fmt: skip


def _value(one: Estimate, digits: int) -> str:
    """What a model's value comes from in words, where there are any; else the value."""
    counted_up = one.method and "bootstrap" not in one.method
    return one.method if counted_up else str(estimates.text(one, digits=digits))


def _about(name: str) -> Metric:
    """What the registry says of a measure, and of a probe what its variant is."""
    kind, _, variant = name.partition("/")
    known = metric(name if name in METRICS else f"card:{kind}")
    if not variant:
        return known
    one = variant_named(kind, variant)
    says = "judged otherwise than before" if one.right == "unchanged" else "accepted"
    return replace(known, title=f"probe: {variant}", meaning=f"share {says}: {one.meaning}")


# what else is read --------------------------------------------------------------------------------


def _of_family(judge: StoredJudge) -> Callable[[str], bool] | None:
    family = family_of(judge.spec.model or "") or family_of(judge.name)
    return None if family is None else lambda model: family_of(model) == family


def _implied(judges: Sequence[str]) -> list[tuple[str, str]]:
    called = {one.lower().partition("@")[0]: one for one in judges}
    return [(called[a], called[b]) for a, b in IMPLIED if a in called and b in called]


MOST_LABELS = 200_000
"""Verdicts of a judge up to which the probabilities beside its labels are read."""


def _probabilities(
    store: Store, which: BenchmarkRef, judge: StoredJudge, its: JudgeMeasures, n: int
) -> Floats | None:
    """Of each answer its probability of the positive label, or that the model wins."""
    if its.values.p is not None:
        return np.asarray(its.values.p[its.at])
    if its.values.kind != "label" or len(its.values.labels) != 2 or n > MOST_LABELS:
        return None
    rows: Columns = store.verdicts(which.name, which.version, judges=[judge.id])
    positive = its.values.labels[-1]
    if not any(one is not None for one in rows["p"]):
        return None
    said = {
        (item, model): p if label == positive else 1.0 - p
        for item, model, label, p in zip(
            *(rows[one] for one in ("item_id", "model", "label", "p")), strict=True
        )
        if p is not None
    }
    names = [its.values.models[place][0] for place in its.values.model_of]
    items = [its.values.items[place] for place in its.values.item_of]
    return np.array([said.get(one, math.nan) for one in zip(items, names, strict=True)])


def _probes(store: Store, which: BenchmarkRef, judge: StoredJudge) -> dict[str, Measured]:
    """What probes say, and how to ask about the rest."""
    rows = stored_probes(store, judge.name, judge.key).get((which.name, which.version), ())
    found = {}
    for row in rows:
        if row.right != "baseline":
            said = "flips" if row.right == "unchanged" else "accepted"
            name = "attack_success" if row.kind == "attack" else said
            found[f"{row.kind}/{row.variant}"] = Measured(estimate=row.metrics[name])
    lacking = [about for kind, about in PROBES.items() if kind not in {row.kind for row in rows}]
    if judge.spec.kind == IMPORTED:
        found["probe"] = undefined("its verdicts were imported, so that nobody can be asked")
    elif lacking and not is_human(judge.name):
        command = f"judgebench probe {shlex.quote(judge.name)}"
        found["probe"] = undefined(
            f"not asked about {', '.join(lacking)}: `{command}` says what that costs, and asks "
            "with --max-cost 1"
        )
    return found


# the verdict --------------------------------------------------------------------------------------


def _excluded(found: Sequence[CardMeasure]) -> dict[str, str]:
    """Models on which the judge is not to be believed, and why."""
    why = grouped(
        (model, f"{one.title.partition(',')[0]} {said}")
        for one in found
        for model, said in one.fails.items()
        if model != "all answers"
    )
    return {model: "; ".join(said) for model, said in why.items()}


def _decision(
    use: Use,
    found: Sequence[CardMeasure],
    entries: Mapping[str, CardEntry],
    excluded: Mapping[str, str],
    n_models: int,
) -> Decision:
    about = [(one, entries.get(one.name) or entries[one.name.partition("/")[0]]) for one in found]
    failed = [
        one
        for one, entry in about
        if use in entry.uses
        and (entry.state(one.estimate) if entry.models else one.state) == "failed"
    ]
    open_ = [
        one for one, entry in about
        if use in entry.needed and one.state == "unknown"
    ]  # fmt: skip
    if failed:
        return Decision(use=use, believed="no", because="; ".join(map(_because, failed)))
    if 2 * len(excluded) > n_models:
        return Decision(
            use=use, believed="no",
            because=f"it fails on {len(excluded)} of {n_models} models ({few(excluded)})",
        )  # fmt: skip
    if open_:
        return Decision(use=use, believed="unknown", because="; ".join(map(_because, open_)))
    passed = [one for one, entry in about if use in entry.uses and one.state == "passed"]
    because = "; ".join(f"{one.title} {one.value}" for one in passed[:3])
    return Decision(use=use, believed="yes", because=because or "nothing speaks against it")


def _because(one: CardMeasure) -> str:
    if one.estimate.undefined:
        return f"{one.title}: {one.estimate.undefined}"
    if not one.estimate.low <= one.estimate.high and one.state == "unknown":
        return f"{one.title} {one.value} on {one.estimate.n} only"
    return f"{one.title} {one.value}, wanted {one.wanted}"


def _said(decisions: Sequence[Decision], excluded: Mapping[str, str]) -> str:
    """``believe it for ranking; not for scores, because …; not on model-x, because …``."""
    parts = []
    for state, words in (("yes", "believe it for"), ("no", "not for"), ("unknown", "unknown for")):
        uses_of = grouped(
            ("" if state == "yes" else f", because {one.because}", one.use)
            for one in decisions if one.believed == state
        )  # fmt: skip
        parts += [f"{words} {' and '.join(uses)}{why}" for why, uses in uses_of.items()]
    if any(one.believed != "no" for one in decisions):
        parts += [f"not on {model}, because {why}" for model, why in [*excluded.items()][:3]]
        parts += [f"nor on {len(excluded) - 3} more models"] * (len(excluded) > 3)
    return "; ".join(parts)


def _verdict(judge: str, sections: Sequence[CardSection]) -> str:
    """One sentence over all sections."""
    if not sections:
        return f"{judge} has no verdict that could be read."
    if len(sections) == 1:
        return f"{judge}: {sections[0].verdict}."
    parts = []
    for state, words in (("yes", "Believe it for"), ("no", "Not for"), ("unknown", "Unknown for")):
        its = [
            f"{one.use} on {at.place}" for at in sections for one in at.decisions
            if one.believed == state
        ]  # fmt: skip
        if its:
            parts.append(f"{words} {few(its, 6)}.")
    faults = {model: at for at in sections for model in at.excluded}
    if faults:
        named = [f"{model} ({at.benchmark})" for model, at in faults.items()]
        parts.append(f"Not on {few(named, 4)}.")
    return f"{judge}: {' '.join(parts)}"
