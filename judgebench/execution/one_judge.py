"""Judges asked outside of a run: about cases that somebody made for one, or to be tried out.

A judge is tried out before a run: it is asked as a run would ask it, and no verdict is kept. What
was paid for is kept: the run that follows does not ask it again.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from judgebench import registry
from judgebench.benchmarks.own_prompts import own_benchmark
from judgebench.config import (
    CANDIDATE,
    BenchmarkConfig,
    JudgeConfig,
    Suite,
    check,
    load_suite,
)
from judgebench.errors import ConfigError, InputError, UsageError, refuse_unknown, unknown_name
from judgebench.execution.execute import Run
from judgebench.execution.forecast import Range, plan_calls, total_cost
from judgebench.execution.gpus import placed
from judgebench.execution.manifest import Outcome, ProgressRecorder, under_way
from judgebench.execution.plan import Answers, JudgeCall, judge_calls, stack_of, with_before
from judgebench.execution.pool import ProviderPool, groups
from judgebench.execution.recheck import answers_at
from judgebench.execution.resolve import (
    JudgeAssignment,
    ResolvedBenchmark,
    ResolvedSuite,
    assign,
    resolved_benchmark,
)
from judgebench.plain_text import counted, dollars
from judgebench.protocols import NoProgress, Progress, Writer
from judgebench.records import (
    Item,
    JsonObject,
    ModelSpec,
    Reply,
    Response,
    RunManifest,
    Unreadable,
    Verdict,
    VerdictSlot,
)
from judgebench.store.store import Store
from judgebench.yaml_file import Written, expanded

Calls = Sequence[tuple[JudgeAssignment, Sequence[JudgeCall]]]
"""Judges, and what each is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSection:
    """A benchmark of a suite, with the suite and how it was written."""

    suite: Suite
    written: JsonObject
    asked: ResolvedBenchmark

    def judge(
        self, name: str, *, like: str | None = None, base_url: str | None = None
    ) -> JudgeAssignment:
        """A judge of the suite, one by its way of judging, or PROVIDER/MODEL.

        Parameters
        ----------
        like
            As which judge of the suite PROVIDER/MODEL judges: the same prompt, reader and sampling;
            if None, in the benchmark's usual way.

        Raises
        ------
        UsageError
            For a name that is none of these, with the nearest; for one that is each model itself.
        """
        config = self._named(name)
        provider, _, model = name.partition("/")
        if config is None and model:
            offered = registry.names("providers")
            refuse_unknown("provider", [provider], offered, about=f"judge {name}: ")
            other = None if like is None else self._named(like)
            told = {} if other is None else other.model_dump(exclude_unset=True, by_alias=True)
            told = {field: said for field, said in told.items() if field not in _ITS_OWN}
            told |= {"name": name, "provider": provider, "model": model}
            told |= {} if base_url is None else {"base_url": base_url}
            config = check(JudgeConfig, told, f"judge {name}")
        elif config is None and name not in registry.names("judges"):
            known = (one.name for one in self.suite.judges)
            raise UsageError(unknown_name("judge", name, {*known, *self.asked.config.judges}))
        if config is not None and config.provider == CANDIDATE:
            raise UsageError(f"judge {name} is each model itself: there is no one judge to ask")
        return assign(self.asked, name, config, self.suite)

    def _named(self, name: str) -> JudgeConfig | None:
        return next((judge for judge in self.suite.judges if judge.name == name), None)


_ITS_OWN = frozenset(
    {
        *("base_url", "api_key", "identity", "identity_file", "server", "lm_eval", "reward_model"),
        *("price", "capabilities", "provider_options", "prefix_cache", "batch", "extra"),
    }
)
"""What is said of a judge's endpoint, and of no other that judges in its way."""


def section_of(
    judge: str, *, suite: Path | None, store: Store, benchmark: str | None = None
) -> JudgedSection:
    """Where a judge judges: the benchmark named, else the first of the suite that has it.

    Without a suite, that of the newest run in the store which had the judge; files that the suite
    names are then looked for from here, and own prompts taken from the store.

    Raises
    ------
    UsageError
        For a judge or benchmark that is not there, with the nearest.
    ConfigError
        For a suite that cannot be used.
    """
    if suite is not None:
        found = load_suite(suite)
        registry.include_of_suite(found.include_path)
        config = _section(found, judge, benchmark)
        return JudgedSection(
            suite=found, written=found.source.written, asked=resolved_benchmark(config)
        )
    wanted = None if benchmark is None else benchmark.partition("@")[0]
    fits = [
        (run, _judges_in(run))
        for run in sorted(store.runs(), key=lambda one: -one.started)
        if any(wanted in (None, one["name"]) for one in run.configuration.get("benchmarks") or ())
    ]
    having = [run for run, names in fits if judge in names]
    if not having and "/" in judge:  # PROVIDER/MODEL, which judges as is usual there
        having = [run for run, _ in fits]
    if not having:
        at = "" if benchmark is None else f" on {benchmark}"
        known = {name for _, names in fits for name in names}
        raise UsageError(
            f"no run of {store.name} says how {judge} is asked{at}: "
            f"{unknown_name('judge', judge, known)}; --suite SUITE.yaml has it said"
        )
    run = having[0]
    source = Path(f"the suite of run {run.id}")
    written = {name: said for name, said in run.configuration.items() if name in Suite.model_fields}
    try:
        filled = expanded(Written(source, written, {}, kept=True), os.environ)
        found = check(Suite, filled, source)
        config = _section(found, judge, benchmark)
        asked = (
            resolved_benchmark(config)
            if config.items is None
            else _of_store(store, config, str(run.data_sha.get(config.name, "")))
        )
    except (ConfigError, InputError) as error:
        raise ConfigError(f"{error}; --suite SUITE.yaml says where its files are") from None
    return JudgedSection(suite=found, written=written, asked=asked)


def _judges_in(run: RunManifest) -> set[str]:
    """Names of the judges of a run, also of those that are used by their way of judging."""
    sections = run.configuration.get("benchmarks") or ()
    named = (str(one["name"]) for one in run.configuration.get("judges") or ())
    return {*named, *(name for one in sections for name in one.get("judges") or ())}


def _section(suite: Suite, judge: str, benchmark: str | None) -> BenchmarkConfig:
    if benchmark is not None:
        for one in suite.benchmarks:
            if benchmark in (one.name, one.name.partition("@")[0]):
                return one
        raise UsageError(unknown_name("benchmark", benchmark, [b.name for b in suite.benchmarks]))
    having = (one for one in suite.benchmarks if judge in one.judges)
    return next(having, suite.benchmarks[0])


def _of_store(store: Store, config: BenchmarkConfig, data_sha: str) -> ResolvedBenchmark:
    """Own prompts as an earlier run asked them."""
    held = (v for n, v in store.benchmarks() if n == config.name and data_sha.startswith(v))
    version = next(held, None)
    if version is None:
        raise ConfigError(f"{store.name} does not hold the questions of {config.name}")
    questions = tuple(store.items(config.name, version))
    benchmark = own_benchmark(config, questions)
    items = tuple(benchmark.data.items)
    return ResolvedBenchmark(config=config, benchmark=benchmark, items=items, every_item=items)


# answers ------------------------------------------------------------------------------------------


def stored_answers(
    store: Store, places: Sequence[VerdictSlot]
) -> dict[VerdictSlot, tuple[Response, Response | None]]:
    """The newest answer at each place, and the opponent's; without those that are not there.

    Places are of one benchmark.
    """
    newest: dict[tuple[bytes | None, str, int, int], Response] = {}
    for on in places[:1]:
        for model, one in answers_at(store, on.benchmark, on.version, places):
            newest.setdefault((model, one.item_id, one.sample, one.turn), one)
    newest = with_before(newest)
    found: dict[VerdictSlot, tuple[Response, Response | None]] = {}
    for place in places:
        at = place.item_id, place.sample, place.turn
        own, other = newest.get((place.model_key, *at)), newest.get((place.opponent_key, *at))
        if own is not None and (other is not None or place.opponent_key is None):
            found[place] = own, other
    return found


# asking -------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Material:
    """What has to be in the store before calls are made that are about it."""

    items: list[Item] = field(default_factory=list)
    models: dict[str, ModelSpec] = field(default_factory=dict)
    responses: dict[bytes, Response] = field(default_factory=dict)


def price_of_calls(
    section: JudgedSection, store: Store, pool: ProviderPool, portions: Sequence[Calls]
) -> list[tuple[int, Range | None]]:
    """Calls that portions take one after the other, and their cost; None where no price is known.

    What an earlier portion asks costs a later one nothing.
    """
    work = ResolvedSuite(suite=section.suite, asked=(section.asked,), candidates=(), assignments=())
    flat = [
        (judge, [call for call in own if call.key not in known])
        for calls in portions
        for judge, own in calls
        for known in [store.judged([call.key for call in own])]
    ]
    rows = iter(plan_calls(work, store, pool, flat))
    found: list[tuple[int, Range | None]] = []
    for calls in portions:
        own = [next(rows) for _ in calls]
        cost = total_cost(row.cost_usd for row in own)
        found.append((sum(row.judge_calls for row in own), cost))
    return found


def ask_judges(
    section: JudgedSection,
    calls: Calls,
    *,
    store: Store,
    pool: ProviderPool,
    progress: Progress,
    about: Mapping[str, object],
    material: Material | None = None,
) -> Outcome:
    """Ask judges what the store does not have yet; all of it serves this run.

    Parameters
    ----------
    about
        What the manifest says beside the suite.
    """
    work = ResolvedSuite(
        suite=section.suite,
        asked=(section.asked,),
        candidates=(),
        assignments=tuple(judge for judge, _ in calls),
        written={**section.written, **about},
    )
    work = placed(work)
    wanted = {judge.key: own for judge, own in calls}
    with under_way(work, store, pool) as outcome:
        with store.transaction():
            if material is not None:
                store.put_items(material.items)
                for name, spec in material.models.items():
                    store.put_model(name, spec)
                store.put_responses(material.responses)
        run = Run(outcome, store, ProgressRecorder(progress, store, outcome), pool)
        for judges in groups(work.assignments, side_by_side=pool.side_by_side):
            queues, total = [], 0
            for judge in judges:
                own = wanted[judge.key]
                known = store.judged([one.key for one in own])
                for call in (one for one in own if one.key in known):
                    call.reuse(store, outcome.manifest.id)
                outcome.known += len(known)
                if rest := [one for one in own if one.key not in known]:
                    live = judge.config and judge.config.model_copy(update={"batch": False})
                    queues.append(run.queue(judge.title, [rest], live))
                    total += len(rest)
            run.ask("judging", queues, total)
    return outcome


def with_budget(section: JudgedSection, max_cost: float | None) -> JudgedSection:
    """The same, with what may be spent; the suite's own limit holds as well.

    Raises
    ------
    UsageError
        For an amount that is none.
    """
    if max_cost is not None and not 0.0 <= max_cost < math.inf:
        raise UsageError(f"--max-cost is an amount of US dollars, not {max_cost:g}")
    limits = section.suite.limits
    amounts = [one for one in (max_cost, limits.max_cost_usd) if one is not None]
    if not amounts:
        return section
    limits = limits.model_copy(update={"max_cost_usd": min(amounts)})
    return replace(section, suite=section.suite.model_copy(update={"limits": limits}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Where judges are found, what asking them may cost, and whether they are asked at all.

    Who costs money is not asked without a ``max_cost``.
    """

    suite: Path | None = None
    benchmark: str | None = None
    base_url: str | None = None
    max_cost: float | None = None
    ask: bool = True
    progress: Progress = field(default_factory=NoProgress)

    def section(self, judge: str, store: Store) -> JudgedSection:
        """As `section_of`, with what may be spent."""
        found = section_of(judge, suite=self.suite, store=store, benchmark=self.benchmark)
        return with_budget(found, self.max_cost)


class AskingResult(NamedTuple):
    """Portions that a budget is enough for, their calls, cost, and what came of them, if asked."""

    n: int
    calls: int
    cost_usd: Range | None
    outcome: Outcome | None = None

    def words(self, what: str) -> str:
        """What asking takes; ``what`` it is about."""
        about = f"{counted(self.calls, 'call')} about {what}"
        if self.cost_usd is None:
            return f"{about}, at a price that is not known (price: in the suite says it)"
        if not self.cost_usd.high:
            return f"{about}, at no cost"
        most = f"{dollars(self.cost_usd.expected)} USD, at most {dollars(self.cost_usd.high)}"
        return f"{about} cost {most}; --max-cost USD asks"


def ask_within(
    section: JudgedSection,
    portions: Sequence[Calls],
    store: Store,
    how: Asking,
    *,
    what: str,
    about: JsonObject,
    material: Material | None = None,
) -> AskingResult:
    """Ask what the store does not have yet, as many portions as the budget is enough for.

    Parameters
    ----------
    portions
        Each of the same judges in the same order.
    what
        What one portion is.
    about, material
        As of `ask_judges`.

    Raises
    ------
    UsageError
        Where it is not enough for one.
    """
    pool = ProviderPool(section.suite, store)
    costs = price_of_calls(section, store, pool, portions)
    asked = _affordable(costs, how.max_cost, what)
    free = asked.cost_usd is not None and not asked.cost_usd.high
    if not how.ask or (how.max_cost is None and not free):
        return asked
    judges = [judge for judge, _ in portions[0]]
    pool.check({f"judge {one.name}": one.config for one in judges if one.config is not None})
    how.progress.say(asked.words(counted(asked.n, what)).partition(";")[0])
    calls = [
        (judge, together(call for portion in portions[: asked.n] for call in portion[at][1]))
        for at, judge in enumerate(judges)
    ]
    outcome = ask_judges(
        section,
        calls,
        store=store,
        pool=pool,
        progress=how.progress,
        about=about,
        material=material,
    )
    return asked._replace(outcome=outcome)


def _affordable(
    costs: Sequence[tuple[int, Range | None]], max_cost: float | None, what: str
) -> AskingResult:
    """What there is money for; all, at no known cost, where somebody's price is not known."""
    fits = AskingResult(0, 0, Range())
    for calls, cost in costs:
        if cost is None or fits.cost_usd is None:
            return AskingResult(len(costs), sum(one for one, _ in costs), None)
        more = AskingResult(fits.n + 1, fits.calls + calls, fits.cost_usd + cost)
        if max_cost is not None and cost.high and fits.cost_usd.high + cost.high > max_cost:
            break
        fits = more
    if not fits.n:
        raise UsageError(
            f"--max-cost {max_cost:g} is too little for one {what}: {counted(calls, 'call')} may "
            f"cost {dollars(cost.high if cost else 0)} USD"
        )
    return fits


def together(calls: Iterable[JudgeCall]) -> list[JudgeCall]:
    """Each question once, with all places that it serves."""
    found: dict[bytes, JudgeCall] = {}
    for call in calls:
        first = found.get(call.key)
        places = call.places if first is None else (*first.places, *call.places)
        found[call.key] = replace(call, places=places)
    return [*found.values()]


# trying out ---------------------------------------------------------------------------------------

Result = tuple[JudgeCall, Verdict, tuple[bytes, ...]]
"""A call, what was read, and the keys of the replies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCall(JudgeCall):
    """A call whose verdict is noted in ``results`` and nowhere else."""

    results: list[Result] = field(default_factory=list)

    def keep(
        self, store: Writer, run_id: str, result: Verdict, replies: Sequence[tuple[bytes, Reply]]
    ) -> bool:
        self.results.append((self, result, tuple(key for key, _ in replies)))
        return not isinstance(result, Unreadable)


def first_calls(
    work: ResolvedSuite, store: Store, assignment: JudgeAssignment, n: int
) -> list[JudgeCall]:
    """The first calls of a judge about answers that are there.

    Raises
    ------
    UsageError
        Where there are none yet.
    """
    asked = [c for c in work.candidates if c.asked is assignment.asked]
    answers = [Answers(c, store, stack_of([c], store) if c.local else None) for c in asked]
    every = (c for some in judge_calls(assignment, answers, lambda _: set()) for c in some.calls)
    found = list(islice(every, n))
    if not found:
        raise UsageError(
            f"{assignment.title}: no answer to try it on is there yet; let the models answer first"
        )
    return found


def try_out(
    work: ResolvedSuite,
    calls: Sequence[tuple[JudgeAssignment, Sequence[JudgeCall]]],
    *,
    store: Store,
    pool: ProviderPool,
    progress: Progress,
) -> tuple[Outcome, list[Result]]:
    """Make some calls; what failed is in the outcome, everything else with what was read.

    The manifest of this run says ``trial``, and how many calls there were.
    """
    results: list[Result] = []
    total = sum(len(own) for _, own in calls)
    work = replace(work, written={**work.written, "trial": total})
    with under_way(work, store, pool) as outcome:
        run = Run(outcome, store, ProgressRecorder(progress, store, outcome), pool)
        queues = [
            run.queue(
                assignment.title,
                [[_trial_call(call, results) for call in own]],
                assignment.config and assignment.config.model_copy(update={"batch": False}),
                lambda some: [False] * len(some),
            )
            for assignment, own in calls
        ]
        run.ask("judging", queues, total)
    order = [call.key for _, own in calls for call in own]
    return outcome, sorted(results, key=lambda one: order.index(one[0].key))


def _trial_call(call: JudgeCall, results: list[Result]) -> TrialCall:
    its = {one.name: getattr(call, one.name) for one in fields(call)}
    return TrialCall(**its, results=results)
