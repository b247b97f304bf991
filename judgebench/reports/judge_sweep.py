"""Which judge to use: kappa with people against what a verdict costs, with few verdicts.

Judges may also be asked: those of a suite with other prompts, temperatures and readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import yaml

from judgebench import keys
from judgebench.config import JudgeConfig, check
from judgebench.errors import UsageError, refuse_unknown
from judgebench.execution.forecast import total_cost
from judgebench.execution.manifest import Outcome
from judgebench.execution.one_judge import (
    Calls,
    JudgedSection,
    ask_judges,
    price_of_calls,
    section_of,
    stored_answers,
    together,
    with_budget,
)
from judgebench.execution.plan import JudgeCall, shown_orders
from judgebench.execution.pool import ProviderPool
from judgebench.execution.resolve import JudgeAssignment, assign
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.intervals import Floats
from judgebench.metrics.judged_values import JudgedValues, majority
from judgebench.plain_text import counted, dollars
from judgebench.protocols import Progress
from judgebench.providers.prices import billions_of
from judgebench.records import HUMAN, JudgeSpec, VerdictSlot, is_human
from judgebench.reports.agreement import JudgeValues, agreement_report
from judgebench.reports.boards import BenchmarkRef, benchmark_ref, find_judges, parse_panel
from judgebench.reports.cost import judge_costs
from judgebench.reports.document import (
    Chart,
    Column,
    OfBenchmark,
    Report,
    Rows,
    Table,
    column,
    table,
)
from judgebench.reports.estimates import UNDEFINED, Figure, number
from judgebench.reports.judge_pairs import judged_values, label_weights, labelled_kind, on_labels
from judgebench.stats.elimination import Codes, Elimination, successive_elimination
from judgebench.stats.resample import content_seed
from judgebench.store.store import Store

MARGIN = 0.05

Cell: TypeAlias = tuple[str, str, str | None]
"""Item, and ids of the model and of whom it is compared with."""

Asking: TypeAlias = Callable[[Collection[str], Collection[Cell]], object]
"""Has judges, by id, judge answers that the store lacks their verdicts on."""

NO_LABELS = (
    "Agreement with another judge says whether the two are alike, not whether either is right: "
    "judges of one family share their faults, and a cheap judge that copies a bad reference looks "
    "perfect. A hundred labels of people say more: `judgebench labels export`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptJudge:
    """One judge of a sweep.

    cost
        Of a verdict, in the report's unit; nan where it is not known.
    n
        Labelled answers that it has judged, of those that it was asked about.
    kappa, difference, low, high
        As of `judgebench.stats.elimination.Standing`.
    standing
        ``pick``, ``best``, ``left`` or ``out``.
    frontier
        Whether no judge that costs no more has a greater kappa.
    spearman, consistency
        Of the models' scores by judge and reference, and the share of pairs judged alike in both
        orders; nan where labels say more, or there is none.
    """

    judge: str
    cost: float
    n: int
    kappa: float
    difference: float
    low: float
    high: float
    standing: str
    frontier: bool
    spearman: float = math.nan
    consistency: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSweep(OfBenchmark, Report):
    """Judges by what they cost and how far they agree with people.

    pick
        The cheapest judge that is surely at most ``margin`` below the best; None without labels.
    sure, decided
        Whether it is; if not it is the best as far as is known. Whether all that is cheaper was put
        out as well.
    unit
        Of costs: ``usd``, or ``billions`` of parameters.
    error
        With which probability, at most, a judge as good as the best was put out, or the pick is
        further below it than the margin.
    suite
        The suite's lines.
    complete
        Whether all that was asked came back; if not, the same again asks for the rest.
    """

    ROWS: ClassVar = (
        Rows(
            of="rows",
            shared=("benchmark", "version", "reference", "unit"),
            row=("judge", "cost", "n", "kappa", "difference", "low", "high", "standing",
                 "frontier", "spearman", "consistency"),
        ),
    )  # fmt: skip
    CHART: ClassVar = Chart(along="judge", value="difference")

    kind: Kind
    reference: str
    labelled: int
    margin: float
    error: float
    unit: str
    pick: str | None
    sure: bool
    decided: bool
    verdicts: int
    grid: int
    looks: tuple[int, ...]
    rows: tuple[SweptJudge, ...]
    suite: str
    complete: bool = True
    warnings: tuple[str, ...] = ()

    def tables(self) -> list[Table]:
        cost = {"usd": "USD a verdict", "billions": "billions of parameters"}[self.unit]
        notes = [*self._told(), *self.warnings]
        found = [table(f"judges of {self.place} against {self.reference}",
                       self.rows, [
            column("judge", lambda one: one.judge, wraps=True),
            column(cost, lambda one: number(one.cost, ".6g"), align="right"),
            column("kappa", lambda one: number(one.kappa, ".3f"), align="right"),
            column("less the best", _difference, align="right"),
            column("answers", lambda one: f"{one.n:,}", align="right"),
            column("ranks models alike", lambda one: number(one.spearman, ".3f", nothing=""),
                   align="right", optional=True),
            column("same in both orders", lambda one: number(one.consistency, ".3f", nothing=""),
                   align="right", optional=True),
            column("", _standing),
        ], notes=notes)]  # fmt: skip
        if self.suite:
            lines = Column(title="to paste into a suite", lines=True)
            found.append(Table(title="the suite's lines", columns=[lines],
                               rows=[[line] for line in self.suite.splitlines()]))  # fmt: skip
        return found

    def _told(self) -> list[str]:
        """What was found, how sure it is, and what it took."""
        if self.pick is None:
            return []
        took = (
            f"{self.verdicts:,} verdicts of the {self.grid:,} of all judges on all labelled "
            f"answers ({self.verdicts / self.grid:.0%}), in {counted(len(self.looks), 'look')}."
        )
        if not self.sure:
            return [
                f"{self.pick} agrees best so far, and no judge is shown to be at most "
                f"{self.margin:g} below the best: that takes more verdicts or labels.", took,
            ]  # fmt: skip
        more = "; cheaper ones that are not out may be, which takes more verdicts or labels"
        return [
            f"{self.pick} is the cheapest judge that is surely at most {self.margin:g} below the "
            f"best{'' if self.decided else more}. The chance that it is not, or that the best was "
            f"put out, is at most {self.error:.0%} over all looks and judges.",
            took,
        ]


def _difference(one: SweptJudge) -> str:
    if math.isnan(one.difference) or one.low == one.high:  # the best itself
        return UNDEFINED
    said = f"{one.difference:+.3f}"
    if not (math.isfinite(one.low) and math.isfinite(one.high)):
        return said
    return Figure(f"{said} [{one.low:+.3f}, {one.high:+.3f}]", low=one.low, value=one.difference,
                  high=one.high)  # fmt: skip


def _standing(one: SweptJudge) -> str:
    words = {"pick": "cheapest within the margin", "best": "best", "out": "out", "left": ""}
    return ", ".join(filter(None, [words[one.standing], "frontier" if one.frontier else ""]))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledAnswers:
    """What a sweep holds judges against, in the order in which it is judged.

    cells
        Item, and ids of the model and of whom it is compared with.
    truth, unit_of : int array, shape (answers,)
    weights : float array, shape (answers,), or None
    """

    which: BenchmarkRef
    kind: Kind
    reference: str
    people: bool
    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    truth: Codes
    unit_of: Codes
    weights: Floats | None


def labelled_answers(
    store: Store, benchmark: str, *, reference: str | None, kind: Kind | None, seed: int
) -> LabelledAnswers:
    """What people, or the reference, have labelled, in random order; as for `judge_sweep`."""
    which = benchmark_ref(store, benchmark)
    at = which.name, which.version
    kind = kind or labelled_kind(store, *at, reference)
    if kind is None:
        raise UsageError(
            f"{which}: nobody has labelled it; `judgebench labels export {which}` draws answers, "
            "or name a judge with --reference"
        )
    its, people = judged_values(store, *at, kind), reference is None or is_human(reference)
    name = HUMAN if reference is None else find_judges(reference, its.judges, store, which)[0]
    values = on_labels(its.values, (name,))
    truth = values.of(name).values
    weights = label_weights(store, at, values, its.models) if name == HUMAN else None
    known = ~np.isnan(truth)
    if weights is not None:
        known &= weights > 0
    seed = content_seed(*values.items, seed=seed)
    order = np.random.default_rng(seed).permutation(np.flatnonzero(known))
    if not len(order):
        raise UsageError(f"{which}: {name} has given no {kind} that can be compared")
    return LabelledAnswers(
        which=which, kind=kind, reference=name, people=people, labels=values.labels,
        cells=tuple(_cells(values, its, order)), truth=truth[order].astype(np.int64),
        unit_of=values.unit_of[values.item_of[order]],
        weights=None if weights is None else weights[order],
    )  # fmt: skip


def judge_sweep(
    store: Store,
    benchmark: str,
    *,
    judges: Collection[str] = (),
    reference: str | None = None,
    kind: Kind | None = None,
    seed: int = 0,
    **how: Any,
) -> JudgeSweep:
    """The cheapest judge that agrees with people nearly as well as the best, by what is stored.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``.
    judges
        Only these; all that have judged what is labelled if empty.
    reference
        Whom to agree with; people if None. A judge that is no person is no truth, and then nothing
        is picked.
    seed
        Of the order in which answers are taken.
    how
        As of `sweep`.

    Raises
    ------
    UsageError
        Without labels, or judges that have judged what is labelled; for names that are not there.
    """
    its = labelled_answers(store, benchmark, reference=reference, kind=kind, seed=seed)
    stored = judged_values(store, its.which.name, its.which.version, its.kind)
    named = {name for one in judges for name in find_judges(one, stored.judges, store, its.which)}
    candidates = {
        one: name
        for one, name in stored.judges.items()
        if name in stored.values.judges and name != its.reference and not is_human(name)
        and (not judges or name in named)
    }  # fmt: skip
    said = _aligned(stored, [*candidates], its, len(its.cells))
    met = [bool((row >= 0).any()) for row in said]
    candidates = {
        one: name for (one, name), yes in zip(candidates.items(), met, strict=True) if yes
    }
    if not candidates:
        raise UsageError(
            f"{its.which}: no judge has judged what {its.reference} has labelled; --suite asks some"
        )
    return sweep(store, its, candidates, **how)


def sweep(
    store: Store,
    its: LabelledAnswers,
    candidates: Mapping[str, str],
    *,
    ask: Asking | None = None,
    forecast: Mapping[str, float] | None = None,
    panels: Sequence[str] = (),
    costs: Mapping[str, float] | None = None,
    margin: float = MARGIN,
    level: float = 0.95,
    budget: float = 1.0,
) -> JudgeSweep:
    """Judges, by id with their names, held against labels as far as the decision needs it.

    Parameters
    ----------
    ask
        Asks for verdicts that the store lacks; None where it has them.
    forecast, costs
        US dollars of a verdict by judge: where nothing is on record, and what goes before that.
        Where some are not known, or all are free, billions of parameters by name are taken.
    panels
        ``a,b,c``: the majority of judges.
    margin, level, budget
        As of `successive_elimination`; the error is ``1 - level``.
    """
    which, names = its.which, [*candidates.values()]
    members = _members(panels, names)

    def said(base: Sequence[int], n: int) -> Codes:
        ids = [[*candidates][one] for one in base]
        if ask is not None:
            ask(ids, its.cells[:n])
        return _aligned(judged_values(store, which.name, which.version, its.kind), ids, its, n)

    every = _aligned(judged_values(store, which.name, which.version, its.kind), [*candidates], its,
                     len(its.cells)) if ask is None else None  # fmt: skip
    unit, price = _costs(store, which, candidates, costs or {}, forecast or {}, members)
    found = successive_elimination(
        said if every is None else lambda base, n: every[list(base), :n],
        its.truth,
        its.unit_of,
        price,
        n_labels=len(its.labels),
        panels=members,
        combine=lambda codes: majority(codes.astype(np.int8), n_labels=len(its.labels)),
        weights=its.weights,
        weighting="quadratic" if its.kind == "score" else "nominal",
        margin=margin,
        alpha=1.0 - level,
        budget=budget,
    )
    shown = [*names, *(f"majority({','.join(names[one] for one in seats)})" for seats in members)]
    ranks = {} if its.people else _ranks(store, str(which), its.kind, its.reference)
    warnings = [] if its.people else [NO_LABELS]
    if unknown := [name for name, one in zip(shown, price, strict=True) if math.isnan(one)]:
        warnings.append(
            f"what a verdict of {', '.join(unknown)} costs is not known, and taken to be more than "
            f"of all others; --cost {unknown[0]}=USD says it"
        )
    seats = (found.pick,) if found.pick < len(names) else members[found.pick - len(names)]
    return JudgeSweep(
        benchmark=which.name, version=which.version, kind=its.kind, reference=its.reference,
        labelled=len(its.cells), margin=margin, error=1.0 - level, unit=unit,
        pick=shown[found.pick] if its.people else None, sure=found.sure, decided=found.decided,
        verdicts=found.verdicts, grid=found.grid, looks=found.looks, warnings=tuple(warnings),
        rows=_rows(found, shown, price, ranks, its.people),
        suite=suite_lines(store, which.name, [names[one] for one in seats]) if its.people else "",
    )  # fmt: skip


def _members(panels: Sequence[str], names: Sequence[str]) -> list[tuple[int, ...]]:
    found = []
    for written in panels:
        panel = parse_panel(written)
        if panel.rule != "majority":
            raise UsageError(f"--panel: a sweep forms majorities, not {written!r}")
        refuse_unknown("judge", panel.judges, names, error=UsageError, about="--panel: ")
        found.append(tuple(names.index(name) for name in panel.judges))
    return found


def _cells(values: JudgedValues, its: JudgeValues, places: Sequence[int] | Codes) -> list[Cell]:
    id_of: dict[str | None, str | None] = {name: one for one, name in its.models.items()}
    return [
        (values.items[values.item_of[one]], str(id_of[model]), id_of.get(opponent))
        for one in places
        for model, opponent in [values.models[values.model_of[one]]]
    ]


def _aligned(now: JudgeValues, ids: Sequence[str], its: LabelledAnswers, n: int) -> Codes:
    """What judges, by id, say of the first answers, codes (judges, n); -1 where nothing."""
    values = on_labels(now.values, (its.reference,))
    every = _cells(values, now, range(len(values.item_of)))
    place = {cell: at for at, cell in enumerate(every)}
    at = np.array([place.get(cell, -1) for cell in its.cells[:n]])
    found = np.full((len(ids), n), -1, dtype=np.int64)
    for row, one in enumerate(ids):
        if (name := now.judges.get(one)) in values.judges and name is not None:
            said = np.nan_to_num(values.of(name).values, nan=-1.0).astype(np.int64)
            found[row] = np.where(at >= 0, said[at], -1)
    return found


def _costs(
    store: Store, which: BenchmarkRef, candidates: Mapping[str, str],
    given: Mapping[str, float], forecast: Mapping[str, float], members: Sequence[Sequence[int]],
) -> tuple[str, list[float]]:  # fmt: skip
    """The unit, and what a verdict of each judge and panel costs; nan where it is not known."""
    names = [*candidates.values()]
    refuse_unknown("judge", given, names, error=UsageError, about="--cost: ")
    record = judge_costs(store, which.name, which.version, candidates, names)
    usd = {
        one.judge: forecast.get(one.judge, one.usd) if math.isnan(one.usd) else one.usd
        for one in record
    } | dict(given)
    unit, found = "usd", [usd[name] for name in names]
    if not given and (any(map(math.isnan, found)) or not any(found)):
        specs: dict[str, JudgeSpec] = {one.id: one.spec for one in store.judges()}
        sizes = [_size(name, specs.get(one), usd[name]) for one, name in candidates.items()]
        if sum(map(math.isnan, sizes)) < sum(map(math.isnan, found)):
            unit, found = "billions", sizes
    return unit, [*found, *(sum(found[one] for one in its) for its in members)]


def _size(name: str, spec: JudgeSpec | None, usd: float) -> float:
    if usd == 0.0 and spec is not None and spec.model is None:
        return 0.0  # asks no model
    said = billions_of((spec.model if spec is not None else None) or name) or billions_of(name)
    return math.nan if said is None else said


def _ranks(store: Store, benchmark: str, kind: Kind, reference: str) -> dict[str, dict[str, float]]:
    """What is known of judges without labels."""
    rows = agreement_report(store, benchmark, kind=kind, reference=reference).rows
    return {
        row.judge: {
            name: row.metrics[name].value
            for name in ("spearman", "consistency")
            if name in row.metrics
        }
        for row in rows
        if row.scope == "pooled"
    }


def _rows(
    found: Elimination,
    shown: Sequence[str],
    price: Sequence[float],
    ranks: Mapping[str, Mapping[str, float]],
    picks: bool,
) -> tuple[SweptJudge, ...]:
    dear = [math.inf if math.isnan(one) else one for one in price]
    gain = [one.difference for one in found.standings]
    rows = []
    for at, one in enumerate(found.standings):
        beaten = any(
            dear[other] <= dear[at] and gain[other] > gain[at] for other in range(len(shown))
        )
        standing = "best" if at == found.best else "out" if one.out else "left"
        if at == found.pick and picks and found.sure:
            standing = "pick"
        rows.append(
            SweptJudge(
                judge=shown[at], cost=price[at], n=one.n, kappa=one.kappa, low=one.low,
                high=one.high, difference=one.difference, standing=standing,
                frontier=not beaten and not math.isnan(one.difference),
                **ranks.get(shown[at], {}),
            )
        )  # fmt: skip
    return tuple(sorted(rows, key=lambda row: (dear[shown.index(row.judge)], -row.difference)))


def suite_lines(store: Store, benchmark: str, names: Sequence[str]) -> str:
    """Judges as a suite has them: their sections as written, where a run of the store has them."""
    written = [run.configuration for run in store.runs()]
    sections = {one["name"]: one for its in written for one in its.get("judges") or ()}
    asked = {name for its in written for one in its.get("benchmarks") or ()
             for name in one.get("judges") or ()}  # fmt: skip
    judged: dict[str, Any] = {"name": benchmark, "judges": [*names]}
    if len(names) > 1:
        judged["panel"] = [*names]
    section: dict[str, Any] = {"benchmarks": [judged]}
    if its := [sections[name] for name in names if name in sections]:
        section = {"judges": its, **section}
    said = yaml.safe_dump(section, sort_keys=False, allow_unicode=True)
    lacking = [name for name in names if name not in sections and name not in asked]
    note = f"# no run of this store says how it is asked: {', '.join(lacking)}\n"
    return (note if lacking else "") + said


def variants(
    section: JudgedSection,
    judges: Collection[str] = (),
    prompts: Sequence[Path] = (),
    temperatures: Sequence[float] = (),
    readers: Sequence[Any] = (),
) -> list[JudgeAssignment]:
    """The judges of a benchmark, each with every prompt, temperature and reader.

    Parameters
    ----------
    judges
        Only these; those of the benchmark if empty.
    prompts, temperatures, readers
        In place of the judge's own, which is tried as well where none is given. What asks no model
        has none of them.

    Raises
    ------
    UsageError, ConfigError
        For a judge that is not there, and what it cannot be told.
    """
    configs = {one.name: one for one in section.suite.judges}
    found: dict[bytes, JudgeAssignment] = {}
    for name in judges or section.asked.config.judges:
        config = configs.get(name)
        if config is None or config.provider is None:
            its = section.judge(name)
            found[its.key] = its
            continue
        tried: list[Sequence[Any]] = [one or [None] for one in (prompts, temperatures, readers)]
        for prompt, temperature, reader in product(*tried):
            told = config.model_dump(exclude_unset=True, by_alias=True)
            words = [name]
            if prompt is not None:
                told = {k: v for k, v in told.items() if k not in ("kind", "options")}
                told["prompt"] = prompt.absolute()
                told.setdefault("read", "brackets")
                words.append(prompt.stem)
            if reader is not None:
                told["read"] = reader
                words.append(reader if isinstance(reader, str) else next(iter(reader)))
            if temperature is not None:
                told["sampling"] = {**config.sampling, "temperature": temperature}
                words.append(f"t{temperature:g}")
            told["name"] = "/".join(words)
            changed = check(JudgeConfig, told, f"judge {told['name']}")
            its = assign(section.asked, changed.name, changed, section.suite)
            found.setdefault(its.key, its)
    return [*found.values()]


class SweepAsking:
    """Asks judges about answers that the store has, and remembers what came of it."""

    def __init__(
        self,
        store: Store,
        section: JudgedSection,
        judges: Sequence[JudgeAssignment],
        pool: ProviderPool,
        progress: Progress,
    ) -> None:
        self.store, self.section, self.pool, self.progress = store, section, pool, progress
        self.judges = {one.key.hex()[:12]: one for one in judges}
        self.outcomes: list[Outcome] = []
        self._items = {item.id: item for item in section.asked.benchmark.data.items}
        self._keys = {model.id: model.key for model in store.models()}

    def __call__(self, judges: Collection[str], cells: Collection[Cell]) -> None:
        self.outcomes.append(
            ask_judges(
                self.section, self.calls(judges, cells), store=self.store, pool=self.pool,
                progress=self.progress,
                about={"judge_sweep": {"judges": sorted(judges), "answers": len(cells)}},
            )
        )  # fmt: skip

    def calls(self, judges: Collection[str], cells: Collection[Cell]) -> Calls:
        """What judges, by id, are to be asked about answers."""
        asked = [self.judges[one] for one in judges]
        return [(one, together(self._calls(one, cells))) for one in asked]

    def _calls(self, judge: JudgeAssignment, cells: Collection[Cell]) -> Iterator[JudgeCall]:
        benchmark = judge.asked.benchmark
        places = [
            VerdictSlot(
                benchmark=benchmark.name, version=benchmark.version, item_id=item_id,
                model_key=self._keys[model], judge_key=judge.key,
                opponent_key=None if opponent is None else self._keys[opponent],
            )
            for item_id, model, opponent in cells
            if item_id in self._items
        ]  # fmt: skip
        for place, answers in stored_answers(self.store, places).items():
            item = self._items[place.item_id]
            for order, shown in shown_orders(judge, item, *answers, None):
                case = judge.case(item, shown)
                case_key, at = keys.case_key(case), (replace(place, order=order),)
                key = keys.judgment_key(judge.key, case_key)
                yield JudgeCall(key=key, judge=judge.judge, case=case, case_key=case_key, places=at)


def asked_sweep(
    store: Store,
    benchmark: str | None,
    *,
    suite: Path,
    progress: Progress,
    judges: Collection[str] = (),
    prompts: Sequence[Path] = (),
    temperatures: Sequence[float] = (),
    readers: Sequence[Any] = (),
    max_cost: float | None = None,
    reference: str | None = None,
    kind: Kind | None = None,
    seed: int = 0,
    budget: float = 1.0,
    **how: Any,
) -> JudgeSweep:
    """As `judge_sweep`, with judges of a suite that are asked as far as the sweep needs it.

    What the whole grid would take is told before anybody is asked.

    Raises
    ------
    UsageError
        As `judge_sweep` and `variants`; where it costs money, and not how much may be spent.
    """
    section = section_of("", suite=suite, store=store, benchmark=benchmark)
    section = with_budget(section, max_cost)
    found = variants(section, judges, prompts, temperatures, readers)
    its = section.asked.benchmark
    labelled = labelled_answers(
        store, f"{its.name}@{its.version}", reference=reference, kind=kind, seed=seed
    )
    if wrong := [one.name for one in found if one.compares != (labelled.kind == "preference")]:
        said = "compares answers" if labelled.kind != "preference" else "judges single answers"
        raise UsageError(f"{wrong[0]} {said}, and the labels are {labelled.kind}s")
    pool = ProviderPool(section.suite, store)
    asking = SweepAsking(store, section, found, pool, progress)
    calls = asking.calls([*asking.judges], labelled.cells)
    priced = price_of_calls(section, store, pool, [[one] for one in calls])
    n, cost = sum(one for one, _ in priced), total_cost(its for _, its in priced)
    forecast = {
        judge.title: its.expected / one
        for (judge, _), (one, its) in zip(calls, priced, strict=True)
        if its is not None and one
    }
    dear = "at a price that is not known" if cost is None else f"{dollars(cost.high)} USD at most"
    progress.say(
        f"{counted(len(found), 'judge')} on {counted(len(labelled.cells), 'labelled answer')}: "
        f"{counted(n, 'call')} in all, {dear}; the sweep takes {budget:.0%} of them at most"
    )
    if (cost is None or cost.high) and max_cost is None:
        raise UsageError("this costs money: --max-cost USD says what may be spent")
    pool.check({f"judge {one.name}": one.config for one in found if one.config is not None})
    made = sweep(
        store, labelled, {one: judge.title for one, judge in asking.judges.items()}, ask=asking,
        forecast=forecast, budget=budget, **how,
    )  # fmt: skip
    notes = [note for outcome in asking.outcomes for note in outcome.notes()]
    if any(outcome.stopped for outcome in asking.outcomes):
        titles = {judge.title for judge in found}
        made = replace(made, verdicts=sum(row.n for row in made.rows if row.judge in titles))
    complete = not any(one.failed or one.stopped or one.waiting for one in asking.outcomes)
    warnings = (*made.warnings, *dict.fromkeys(notes))
    return replace(made, complete=complete, warnings=warnings)
