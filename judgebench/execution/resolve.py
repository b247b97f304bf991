"""What a suite comes down to: benchmarks with their items, candidates and judges with their keys.

Everything that can be wrong with a suite's names, data and files shows here, before anything is
asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePath
from typing import Any, Literal

from judgebench import keys, registry
from judgebench.benchmarks.data import official_prompts
from judgebench.benchmarks.description import find
from judgebench.benchmarks.folder import Benchmark, load_benchmark
from judgebench.benchmarks.own_prompts import TaskBenchmark, own_benchmark, task_benchmarks
from judgebench.config import (
    CANDIDATE,
    OWN_METRIC,
    PREFIXES,
    ApiModel,
    BenchmarkConfig,
    Endpoint,
    JudgeConfig,
    LmEval,
    ModelConfig,
    Narrowing,
    Prompting,
    Reading,
    Shard,
    Suite,
    nothing_left,
)
from judgebench.dialogue import conversation_after
from judgebench.errors import ConfigError, InputError, refuse_unknown, unknown_name
from judgebench.judges.kinds import EXAMPLES
from judgebench.judges.own_prompt import ITEM, OWN, item_fields
from judgebench.plain_text import counted
from judgebench.protocols import Judge, JudgeSettings
from judgebench.providers.capabilities import for_request
from judgebench.records import (
    SCORING,
    Case,
    ChatRequest,
    Item,
    JsonObject,
    JudgeSpec,
    ModelSpec,
    Response,
    Seen,
    VerdictSlot,
)
from judgebench.responses import remote
from judgebench.responses.from_file import RecordedAnswers, read_answers
from judgebench.responses.identity import file_sha, weights_identity
from judgebench.responses.local import (
    LocalModel,
    decoding_of,
    prompting_of,
    shaping_arguments,
)
from judgebench.rows import Row, each_row, text_file
from judgebench.template import PromptText
from judgebench.workers.process import metrics_worker


@dataclass(frozen=True, kw_only=True)
class ResolvedBenchmark:
    """A benchmark of the suite with the items that are asked.

    ``recorded`` are answers that are read already, by model; others stand in files. A shard asks
    some of ``every_item``, which has the items of all shards together.
    """

    config: BenchmarkConfig
    benchmark: Benchmark
    items: tuple[Item, ...]
    every_item: tuple[Item, ...]
    recorded: Mapping[str, RecordedAnswers] = field(default_factory=dict)
    baselines: tuple[str, ...] = field(init=False)
    """The models whose answers are compared with: the suite's, or the benchmark's own.

    Several where categories have one each.
    """
    judged_samples: Literal["all", "first"] = field(init=False)
    """Which of a model's answers to an item are judged."""

    def __post_init__(self) -> None:
        baselines: Iterable[str] = (*self.benchmark.data.baseline_answers,)[:1]
        if self.config.baseline is not None:
            baselines = (self.config.baseline,)
        elif own := self.benchmark.baselines:
            categories = dict.fromkeys(item.category or "" for item in self.every_item)
            baselines = dict.fromkeys(own[one] for one in categories if one in own)
        judged: Literal["all", "first"] | None = self.config.judged_samples
        if judged is None:
            judged = "first" if self.benchmark.further else "all"
        # Once, as it is made: a frozen object's own fields can be set in no other way.
        object.__setattr__(self, "baselines", tuple(baselines))
        object.__setattr__(self, "judged_samples", judged)

    def baseline_for(self, item: Item) -> str | None:
        """The one that the answers to an item are compared with: its category's, or the first."""
        own = None if self.config.baseline else self.benchmark.baselines.get(item.category or "")
        return own or next(iter(self.baselines), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The best of each ``n`` answers of the candidate ``of``, by the score of a judge."""

    n: int
    of: Candidate
    scorer: JudgeAssignment


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model on a benchmark. ``wanted`` maps each response key to its items and its sample.

    Identical items share a key: they are asked once and counted as often as they occur. ``key_of``
    is the way back, from (item id, sample, turn), also of items of other shards. ``compared_only``
    is a baseline of a narrowed run that is not named: others are compared with it, and nobody
    judges it. One with a ``selection`` has its answers chosen from another's, which is a ``pool``.
    """

    name: str
    config: ModelConfig
    asked: ResolvedBenchmark
    spec: ModelSpec
    key: bytes
    wanted: Mapping[bytes, tuple[tuple[Item, ...], int]]
    local: LocalModel | None = None
    api: ApiModel | None = None
    recorded: RecordedAnswers | None = None
    key_of: Mapping[tuple[str, int, int], bytes] = field(default_factory=dict)
    compared_only: bool = False
    selection: Selection | None = None
    pool: bool = False

    @property
    def task_name(self) -> str:
        """How a worker calls the benchmark."""
        return self.asked.benchmark.lm_eval_task.name

    @property
    def turn_of(self) -> Mapping[bytes, int]:
        """The turn of each key that is not of a first one."""
        return {key: turn for (_, _, turn), key in self.key_of.items() if turn}

    def place(self, item_id: str, sample: int, turn: int = 0) -> VerdictSlot:
        """Where an answer stands, which nobody has judged."""
        return VerdictSlot(
            benchmark=self.asked.benchmark.name,
            version=self.asked.benchmark.version,
            item_id=item_id,
            model_key=self.key,
            judge_key=b"",
            sample=sample,
            turn=turn,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeAssignment:
    """A judge on a benchmark.

    ``inputs`` is what it is shown. ``only`` is the model whose answers it judges, where it is that
    model itself; None for all. One that ``selects`` scores what others are chosen from. ``recheck``
    is the occasion on which this run asks it about everything once more, None where it does not;
    ``rechecks`` are those of earlier runs, the newest first.
    """

    name: str
    asked: ResolvedBenchmark
    judge: Judge
    key: bytes
    config: JudgeConfig | None = None
    inputs: Seen = "answer"
    only: str | None = None
    recheck: str | None = None
    rechecks: tuple[str, ...] = ()
    selects: bool = False
    title: str = field(init=False)
    """How it is called where several go by its name."""
    compares: bool = field(init=False)
    """Whether it is shown each answer with the baseline's."""
    samples: range = field(init=False)
    """Which of a model's answers to an item it judges."""
    asks: bool = field(init=False)
    """Whether it asks somebody, so that asking twice can give two verdicts."""
    repeats: int = field(init=False)
    """How often it is asked about the same; one that asks nobody would say the same."""
    verdicts_each: int = field(init=False)
    """How many elementary verdicts it gives on one answer."""
    loads: str | None = field(init=False)
    """What has to be loaded or started for it, for which it needs the machine; None for nothing."""

    def __post_init__(self) -> None:
        config, asked = self.config, self.asked.config
        whose = "selection" if self.selects else self.only
        if config is not None and config.provider == "lm_eval":
            whose = f"{self.asked.benchmark.name}{', selection' if self.selects else ''}"
        title: str = self.name if whose is None else f"{self.name} ({whose})"
        compares: bool = self.inputs == "with_baseline"
        samples: range = range(asked.samples)
        if self.inputs == "with_first":
            samples = samples[1:]
        elif self.inputs == "question" or self.asked.judged_samples == "first":
            samples = range(1)
        asks: bool = config is not None and config.provider is not None
        repeats: int = asked.judge_samples if asks else 1
        orders: int = 2 if compares and asked.orders == "both" else 1
        needed = config and (config.server or config.lm_eval or config.reward_model)
        loads: str | None = repr(needed) if needed else None
        # Each as its field above: a frozen object's own can be set in no other way.
        object.__setattr__(self, "title", title)
        object.__setattr__(self, "compares", compares)
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "asks", asks)
        object.__setattr__(self, "repeats", repeats)
        object.__setattr__(self, "verdicts_each", repeats * orders)
        object.__setattr__(self, "loads", loads)

    def case(self, item: Item, responses: Sequence[Response]) -> Case:
        """What the judge sees; one that shows fields of items finds them there.

        One that judges answers ``as_generated`` sees them with the white space around them.
        """
        if getattr(self.judge, "as_generated", False):
            responses = [r if r.reasoning else replace(r, text=r.raw) for r in responses]
        item_seen = item if item.n_answers == 1 else at_turn(item, responses)
        case = self.asked.benchmark.case(item_seen, responses)
        fields = getattr(self.judge, "fields", None)
        return case if fields is None else replace(case, fields=fields(item))

    def judges(self, candidate: Candidate) -> bool:
        """Whether it judges the answers of a candidate, or compares with them."""
        if candidate.compared_only and not self.compares:
            return False
        return self.asked is candidate.asked and self.only in (None, candidate.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSuite:
    """A suite, resolved.

    ``written`` is how it is written, with the names of variables and not their values: what a
    manifest keeps. ``labels`` are its files of labels, and those that its benchmarks bring, with
    what these are about.
    """

    suite: Suite
    asked: tuple[ResolvedBenchmark, ...]
    candidates: tuple[Candidate, ...]
    assignments: tuple[JudgeAssignment, ...]
    labels: tuple[tuple[Path, tuple[str, str] | None], ...] = ()
    warnings: tuple[str, ...] = ()
    shard: str = ""
    written: JsonObject = field(default_factory=dict)


LABELLING = ("own_prompt", "python", "refusal_prefix", "harm")
"""Ways of judging that are told the labels of a benchmark."""


def resolve(
    suite: Suite, narrowing: Narrowing | None = None, *, given: ResolvedBenchmark | None = None
) -> ResolvedSuite:
    """Load what the suite names and give everything its key.

    Parameters
    ----------
    narrowing
        What of the suite is asked; the rest is not even looked at.
    given
        Its one benchmark, where that is read already.

    Raises
    ------
    UsageError
        For a name of ``narrowing`` that the suite does not have, and where nothing is left.
    ConfigError
        For an unknown benchmark, judge or option, or a model that is not there.
    InputError
        For a file of answers that cannot be used.
    """
    to = narrowing or Narrowing()
    whole, suite = suite, suite if to == Narrowing() else suite.narrowed(to)
    tasks = any(one.lm_eval_task is not None for one in suite.benchmarks)
    with metrics_worker() if tasks else nullcontext():
        asked = (
            (given,)
            if given
            else tuple(chain.from_iterable(map(resolved_benchmarks, suite.benchmarks)))
        )
    warnings: tuple[str, ...] = ()
    if to.shard is not None:
        chunk = _generated_together(whole)
        asked = tuple(_part(a, to.shard, chunk) for a in asked)
        warnings = tuple(
            f"shard {to.shard} has none of the {len(a.every_item)} items of {a.benchmark.name}, "
            f"which are dealt out {chunk} at a time"
            for a in asked
            if not a.items
        )
    names = Counter((a.benchmark.name, a.benchmark.version) for a in asked)
    for (name, version), count in names.items():
        if count > 1:
            raise ConfigError(f"the suite names the benchmark {name}@{version} {count} times")
    assignments = tuple(
        assign(a, name, judge, suite, only)
        for a in asked
        for name in a.config.judges
        for judge, only in judge_assignment(suite, a.config, name, a.benchmark)
    )
    on_slurm = suite.executor is not None and suite.executor.slurm is not None
    for a in asked:
        if a.config.stop_when_decided is not None and (on_slurm or to.shard is not None):
            # A shard sees some of the items: its looks would be those of another plan.
            raise ConfigError(
                f"benchmark {a.config.name}: stop_when_decided looks at the items of all shards "
                "together: leave it out, or run without shards (--executor local)"
            )
        known = [*(model.name for model in suite.models), *a.benchmark.data.baseline_answers]
        if strange := [name for name in a.baselines if name not in known]:
            said = unknown_name("model", strange[0], known) + _of_category(a, strange[0])
            raise ConfigError(f"benchmark {a.config.name}: baseline: {said}")
        if a.config.judge_samples > 1:
            _check_repeats(a, assignments)
        if a.config.panel is not None:
            _check_panel(a, assignments)
    candidates = tuple(
        c for a in asked for c in _candidates(suite, a, assignments, to.models, whole.models)
    )
    if to.models:
        answered = [c.asked for c in candidates if not c.compared_only]
        asked = tuple(a for a in asked if a in answered)
        candidates = tuple(c for c in candidates if c.asked in answered)
        assignments = tuple(
            s for s in assignments if s.asked in answered and s.only in (None, *to.models)
        )
        if not asked:
            raise nothing_left(to)
    if any(c.selection is not None for c in candidates):
        pools, scorers = _chosen_from(candidates)
        candidates, assignments = (*pools, *candidates), (*scorers, *assignments)
    for one in (s for s in assignments if s.asked.config.stop_when_decided is not None):
        if stops_early(one):
            models_compared(one, candidates)
    named = [(path, None) for a in asked for path in a.config.labels]
    brought = [
        (its.labels, (a.benchmark.name, a.benchmark.version))
        for a in asked
        if (its := a.benchmark.data.brought) is not None and its.labels is not None
    ]
    return ResolvedSuite(
        suite=suite,
        asked=asked,
        candidates=candidates,
        assignments=assignments,
        labels=(*named, *brought),
        warnings=(
            *warnings,
            *_worth_knowing(suite, asked, candidates, assignments),
            *suite.source.notes,
        ),
        shard="" if to.shard is None else str(to.shard),
    )


def _generated_together(suite: Suite) -> int:
    """How many items, one after the other, a local model takes at a time; 1 without one.

    A worker generates batches out of whole windows. One that two shards share would be generated by
    both, to the same end. Of all the suite's models: whatever a run is narrowed to, shards are cut
    alike.
    """
    from judgebench.workers.backends import AUTO_BATCH
    from judgebench.workers.generate import WINDOW

    sizes = [model.lm_eval.batch_size for model in suite.models if model.lm_eval is not None]
    return WINDOW * max(AUTO_BATCH if n == "auto" else n for n in sizes) if sizes else 1


def _part(asked: ResolvedBenchmark, shard: Shard, chunk: int) -> ResolvedBenchmark:
    return replace(asked, items=tuple(shard.of_items(asked.items, chunk)))


def _worth_knowing(
    suite: Suite,
    asked: Sequence[ResolvedBenchmark],
    candidates: Sequence[Candidate],
    assignments: Sequence[JudgeAssignment],
) -> Iterator[str]:
    """What a suite may not mean: answers that are missing, and what no judge sees or says."""
    for c in candidates:
        own, brought = c.asked, c.asked.benchmark.data.brought
        if c.recorded is None or (brought is not None and c.config.responses == brought.answers):
            continue  # what a benchmark brings may be to some items only
        some = len(own.baselines) > 1 and c.name in own.baselines  # of its own categories alone
        expected = [one for one in own.items if not some or own.baseline_for(one) == c.name]
        samples = range(own.config.samples)
        if n := sum(
            not any((item.id, sample, item.n_answers - 1) in c.key_of for sample in samples)
            for item in expected
        ):
            yield (
                f"{c.name}: {c.recorded.path} has no answer for {n} of {len(own.items)} items of "
                f"{own.benchmark.name}"
            )
    for its in assignments:
        if its.config is None or its.config.prompt is None:
            continue
        prompt = _text_of(its.config.prompt)
        talks = sum(sum(t.role != "system" for t in item.turns) > 1 for item in its.asked.items)
        if talks and _last_question_alone(prompt):
            of = f"{counted(talks, 'conversation')} of {its.asked.benchmark.name}"
            yield (
                f"judge {its.title}: its prompt {prompt.name} shows {{question}}, which is the "
                f"last turn alone of {of}; {{turns}} shows all of it"
            )
        shown = sorted(one for one in prompt.placeholders if one.startswith(ITEM))
        fields = [one.removeprefix(ITEM) for one in shown]
        if n := sum(len(item_fields(item, fields)) < len(fields) for item in its.asked.items):
            yield (
                f"judge {its.title}: its prompt {prompt.name} shows {{{'}, {'.join(shown)}}}, which"
                f" {n} of {len(its.asked.items)} items of {its.asked.benchmark.name} have not: "
                "nothing is asked about those, and their verdicts are unreadable"
            )
    for one in asked:
        names = one.benchmark.of_all if isinstance(one.benchmark, TaskBenchmark) else ()
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            yield (
                f"{one.benchmark.name}: {', '.join(names[:3])}{more} of lm-eval are computed over "
                "all answers together, and judge none"
            )
    # Who is each model itself says nothing of recorded answers: nobody can be asked behind a file.
    themselves = {judge.name for judge in suite.judges if judge.provider == CANDIDATE}
    for one in asked if themselves else ():
        files = [m.name for m in models_on(suite, one.config) if m.responses is not None]
        for judge in (name for name in one.config.judges if name in themselves and files):
            yield (
                f"{judge} is each model itself; of {', '.join(files)} there are recorded answers "
                f"only, so it says nothing of them on {one.benchmark.name}"
            )


def endpoints(work: ResolvedSuite) -> dict[str, Endpoint]:
    """All who would be asked over a provider, by the words in which to speak of them."""
    models = {f"model {c.name}": c.api for c in work.candidates if c.api is not None}
    judges = {
        f"judge {s.title}": s.config for s in work.assignments if s.config is not None and s.asks
    }
    return {**models, **judges}


def resolved_benchmarks(config: BenchmarkConfig) -> list[ResolvedBenchmark]:
    """A benchmark of a suite with the items that it asks; of a group of lm-eval tasks each.

    Items are in the benchmark's order; by category, those without one are one more category. Where
    a run is narrowed, the first of those that its suite asks by category.

    Raises
    ------
    ConfigError
        Where a suite counts by category and no item has one.
    InputError
        Where the benchmark's data is not here.
    """
    named: Iterable[tuple[BenchmarkConfig, Benchmark]]
    if config.lm_eval_task is not None:
        named = task_benchmarks(config)
    elif config.items is not None:
        named = [(config, own_benchmark(config))]
    else:
        named = [(config, load_benchmark(config.name, options=config.options))]
    found = []
    for own, benchmark in named:
        if own.limit_by_category is None:
            items = tuple(benchmark.data.items[: own.limit])
        else:
            by_category: dict[str | None, int] = {}
            chosen = []
            for item in benchmark.data.items:
                by_category[item.category] = n = by_category.get(item.category, 0) + 1
                chosen += [item] if n <= own.limit_by_category else []
            if by_category.keys() <= {None}:
                raise ConfigError(
                    f"benchmark {own.name}: limit_by_category: its items have no category; use "
                    "'limit'"
                )
            items = tuple(chosen[: own.limit])
        found.append(
            ResolvedBenchmark(config=own, benchmark=benchmark, items=items, every_item=items)
        )
    return found


def resolved_benchmark(config: BenchmarkConfig) -> ResolvedBenchmark:
    """The same where it has to be one; a ConfigError names the tasks of a group."""
    first, *others = resolved_benchmarks(config)
    if others:
        names = ", ".join(one.benchmark.name for one in (first, *others))
        raise ConfigError(f"{config.name} is a group of lm-eval tasks; name one of them: {names}")
    return first


def assign(
    asked: ResolvedBenchmark,
    name: str,
    config: JudgeConfig | None,
    suite: Suite,
    only: str | None = None,
) -> JudgeAssignment:
    """A judge on a benchmark: as the suite says, or by its way of judging; else as of `resolve`."""
    kinds = registry.names("judges")
    if config is None and name not in kinds:
        known = {*kinds, *(judge.name for judge in suite.judges)}
        raise ConfigError(f"benchmark {asked.config.name}: {unknown_name('judge', name, known)}")
    if config is not None and config.provider is not None:
        # Found out now, not by the first question, which may come hours later.
        offered = registry.names("providers")
        refuse_unknown("provider", [config.provider], offered, about=f"judge {name}: ")
    own = config is not None and config.prompt is not None
    kind = "own_prompt" if own else config.kind if config is not None else None
    if kind is None:
        kind = name if name in kinds else asked.benchmark.default_judge
    refuse_unknown("way of judging", [kind], kinds, about=f"judge {name}: ")
    if name in kinds and kind != name:
        raise ConfigError(
            f"judge {name}: a judge called as a way of judging judges that way; give this one, of "
            f"kind {kind}, another name"
        )
    options: JsonObject = config.options if config else {}
    sampling: JsonObject = config.sampling if config else {}
    extra: JsonObject = config.extra if config else {}
    if (
        config
        and config.prefix_cache
        and config.lm_eval is None
        and not (config.server and config.server.engine)
    ):
        extra = {"cache_prompt": True, **extra}  # what keeps prefixes only where it is told so
    options, sampling = asked.benchmark.judged_with(kind, options, sampling)
    try:
        if isinstance(options.get(EXAMPLES), str):
            options = with_examples(options, only)
        prompts, content = asked.benchmark.prompts, asked.benchmark.judging_content
        if config is not None and config.prompt is not None:
            options, prompt = own_prompt_of(config)
            prompts = {OWN: prompt}
        if kind == "python" and isinstance(named := options.get("function"), str):
            path = suite.source.path
            registry.function(named, "judges", beside=path and path.parent)
        if kind in LABELLING:  # others say themselves what their labels are
            content = {**content, "labels": asked.benchmark.labels}
        settings = JudgeSettings(
            model=model_of(config) if config else None,
            provider=identity_of(config) if config else None,
            sampling=sampling,
            options=options,
            extra=extra,
            reasoning=config.reasoning if config else None,
            prompts=prompts,
            content=content,
        )
        judge: Judge = registry.load("judges", kind).make(settings)
        reads_them = "logprobs" in (
            judge.spec.options.get("verdict"),
            judge.spec.options.get("read"),
        )
        if reads_them and config is not None and config.provider is not None:
            _check_log_probabilities(judge.spec, config, config.provider)
    except ConfigError as error:
        raise ConfigError(f"judge {name}: {error}") from None
    inputs = _seen(name, judge, asked)
    if inputs != "answer" and any(item.n_answers > 1 for item in asked.items):
        _check_turns_of_two(name, kind, prompts.get(OWN), asked)
    return JudgeAssignment(
        name=name,
        asked=asked,
        judge=judge,
        key=keys.judge_key(judge.spec),
        config=config,
        inputs=inputs,
        only=only,
    )


_SHOWS_TURNS = ("templates", "pairwise", "own_prompt", "python")
"""Ways of comparing two answers that show all turns of either."""


def _check_turns_of_two(
    name: str, kind: str, prompt: PromptText | None, asked: ResolvedBenchmark
) -> None:
    """That a judge of two answers is shown the whole of two conversations, and all questions."""
    about = f"judge {name}: {asked.config.name} has conversations, each answered turn by turn"
    if kind not in _SHOWS_TURNS:
        *others, last = map(repr, _SHOWS_TURNS)
        raise ConfigError(
            f"{about}; of two models' only judges of the kinds {', '.join(others)} and {last} are "
            "shown all turns"
        )
    if prompt is not None and _last_question_alone(prompt):
        raise ConfigError(
            f"{about}, and its prompt {prompt.name} shows {{question}}, the last thing that was "
            "asked, beside all answers: put {turns} in its place"
        )


def _last_question_alone(prompt: PromptText) -> bool:
    return "question" in prompt.placeholders and "turns" not in prompt.placeholders


def _of_category(asked: ResolvedBenchmark, name: str) -> str:
    """Whose baseline it is, where the benchmark says so, and what can be done without it."""
    its = [category for category, model in asked.benchmark.baselines.items() if model == name]
    if asked.config.baseline is not None or not its:
        return ""
    before = sum(asked.baseline_for(item) != name for item in asked.every_item)
    return (
        f". Answers of the category {' and '.join(its)} are compared with it: give its answers as "
        f"a model of this name with 'responses: FILE', or leave them out (limit: {before})"
    )


def stops_early(assignment: JudgeAssignment) -> bool:
    """Whether a judge is asked no further than it takes to decide, where the benchmark says so.

    One that costs nothing is asked about everything.
    """
    whole = assignment.inputs in ("answer", "with_baseline") and assignment.only is None
    return whole and assignment.asks


def models_compared(
    assignment: JudgeAssignment, candidates: Iterable[Candidate]
) -> list[Candidate]:
    """The baseline of ``stop_when_decided``, and whom it is compared with.

    Raises
    ------
    ConfigError
        Where one of them is not there, and where its difference is no plain mean.
    """
    rule = assignment.asked.config.stop_when_decided
    here = {c.name: c for c in candidates if assignment.judges(c)}
    said = f"benchmark {assignment.asked.config.name}: stop_when_decided"
    assert rule is not None
    description = getattr(assignment.asked.benchmark, "description", None)
    if description is not None and description.report.sides and not assignment.compares:
        raise ConfigError(f"{said}: its categories count equally, which no such plan looks at")
    if assignment.compares and len(assignment.asked.baselines) > 1:
        raise ConfigError(f"{said}: each category has a baseline of its own, and so a board")
    baseline = rule.baseline or next(iter((*assignment.asked.baselines, *here)), "")
    others = [name for name in here if name != baseline]
    names = [baseline, *(others if rule.candidates is None else rule.candidates)]
    refuse_unknown("model", names, here, about=f"{said}: ")
    if len({*names}) < 2 or baseline in names[1:]:
        raise ConfigError(f"{said}: there is no model beside the baseline, {baseline}")
    return [here[name] for name in names]


def _check_log_probabilities(spec: JudgeSpec, config: JudgeConfig, provider: str) -> None:
    """A judge that reads them pays for nothing where the model gives none."""
    asked = ChatRequest(
        provider=provider, model=str(spec.model), messages=(), reasoning=config.reasoning
    )
    if not for_request(asked, provider, config.capabilities).logprobs:
        raise ConfigError(
            f"it reads log-probabilities, which {spec.model} of {provider} does not give; "
            "say options: {verdict: text} (or capabilities: {logprobs: true} if it does)"
        )


def _check_repeats(asked: ResolvedBenchmark, assignments: Sequence[JudgeAssignment]) -> None:
    """Repeats cost as often, so they have to be able to differ."""
    times = asked.config.judge_samples
    for assignment in assignments:
        settled = assignment.judge.spec.sampling.get("temperature") == 0
        if assignment.asked is asked and assignment.asks and settled:
            raise ConfigError(
                f"judge {assignment.name}: judge_samples: {times} at temperature 0 pays {times} "
                "times for one reply; say sampling: {temperature: …}, or null where a model "
                "takes none"
            )


def _check_panel(asked: ResolvedBenchmark, assignments: Sequence[JudgeAssignment]) -> None:
    """Judges sit together who say the same kind of thing, under a rule for that kind."""
    panel = asked.config.jury
    assert panel is not None  # only then is it asked
    sitting = [
        assignment
        for assignment in assignments
        if assignment.asked is asked and assignment.name in panel.judges
    ]
    kinds = {
        "compare" if s.compares else "score" if s.judge.spec.kind in SCORING else "label"
        for s in sitting
    }
    wrong = None
    if len(kinds) > 1:
        wrong = f"some of its judges {' and some '.join(sorted(kinds))}, which has no common rule"
    elif kinds == {"score"} and panel.rule == "majority":
        wrong = "scores have no majority; say panel: {judges: […], rule: mean}"
    elif kinds == {"label"} and panel.rule == "mean":
        wrong = "labels have no mean; say panel: {judges: […], rule: majority}"
    if wrong is not None:
        raise ConfigError(f"benchmark {asked.config.name}: panel: {wrong}")


def _seen(name: str, judge: Judge, asked: ResolvedBenchmark) -> Seen:
    """What a judge is shown: pairs, where there is a baseline and it can compare."""
    if "with_first" in judge.inputs:
        if asked.config.samples == 1:
            raise ConfigError(
                f"judge {name} compares further answers of a model with its first one: say, for "
                f"the benchmark {asked.config.name}, samples: 11, which are the first and ten more"
            )
        return "with_first"
    if asked.baselines and "with_baseline" in judge.inputs:
        return "with_baseline"
    alone: Sequence[Seen] = [one for one in ("answer", "question") if one in judge.inputs]
    if not alone:
        raise ConfigError(
            f"judge {name} compares answers: say with which model's, as the baseline of the "
            f"benchmark {asked.config.name}"
        )
    return alone[0]


def model_of(config: Endpoint) -> str | None:
    """The model that is asked for."""
    if isinstance(config, JudgeConfig) and config.lm_eval is not None:
        args = config.lm_eval.model_args
        return config.model or PurePath(str(args.get("pretrained") or args["model"])).name
    if isinstance(config, JudgeConfig) and config.reward_model is not None:
        return config.model or PurePath(config.reward_model.pretrained).name
    return config.model


def identity_of(config: Endpoint) -> str | None:
    """Who answers: never a URL or a port, which say nothing about the model.

    A model that keeps what prompts begin with answers otherwise now and then, so it is another one.
    """
    judge = config if isinstance(config, JudgeConfig) else None
    identity = config.provider
    if config.identity_file is not None:
        if not config.identity_file.is_file():
            raise ConfigError(f"identity_file {config.identity_file} is no file")
        identity = f"sha256:{file_sha(config.identity_file)}"
    elif config.identity is not None:
        identity = config.identity
    elif judge is not None and judge.lm_eval is not None:
        identity = _local_identity(judge.lm_eval)
    elif judge is not None and (own := judge.reward_model) is not None:
        identity = weights_identity({"pretrained": own.pretrained, "revision": own.revision})
        if (label := judge.provider_options.get("label")) is not None:
            identity = f"{identity}+label {label}"
    elif config.server is not None and config.server.engine is not None:
        served = {**config.server.args, "pretrained": config.server.checkpoint}
        identity = weights_identity(served)
    return f"{identity}+prefix_cache" if judge is not None and judge.prefix_cache else identity


def _local_identity(local: LmEval) -> str:
    """The weights, and where it is not the usual one, the way in which they are asked."""
    usual = LmEval()
    way = {
        name: getattr(local, name)
        for name in ("apply_chat_template", "system_instruction", "gen_kwargs")
        if getattr(local, name) != getattr(usual, name)
    } | shaping_arguments(local)
    weights = weights_identity(local.model_args)
    return f"{weights}+{keys.content_key('way', way).hex()[:12]}" if way else weights


def _candidates(
    suite: Suite,
    asked: ResolvedBenchmark,
    assignments: Sequence[JudgeAssignment],
    named: Collection[str],
    every: Sequence[ModelConfig],
) -> list[Candidate]:
    """Who is judged, and the baseline.

    A benchmark that brings answers to be judged is about its judges: the suite's models have no
    part in it unless it names them. Where a run names some of the suite's models, only they are
    judged, and it may be that the benchmark has none of them.

    Raises
    ------
    ConfigError
        Where that is nobody, and where the suite has another model that is called like one whose
        answers the benchmark brings.
    """
    config, brings = asked.config, asked.benchmark.data.brought
    own = {model.name for model in suite.models}
    brought = []
    if brings is not None:
        if same := [model.name for model in suite.models if model.name in brings.models]:
            raise ConfigError(
                f"benchmark {asked.config.name} brings answers of a model called {same[0]!r}; call "
                "that of the suite otherwise"
            )
        brought = [ModelConfig(name=name, responses=brings.answers) for name in brings.models]
    if config.models is None and brought:
        config = config.model_copy(update={"models": []})
    models = list(models_on(suite, config, asked.baselines))
    baselines = []
    if asked.baselines:  # which the benchmark brings, unless the suite has a model of that name
        baselines = [
            ModelConfig(name=name, responses=path)
            for name, path in asked.benchmark.data.baseline_answers.items()
            if name in asked.baselines and name not in own
        ]
    if named:
        compares = any(
            assignment.compares and assignment.asked is asked for assignment in assignments
        )
        brought, baselines = [], baselines if compares else []
        needed = {*named, *asked.baselines} if compares else {*named}
        models = [model for model in models if model.name in needed]
    if not models and not brought and not named:
        raise ConfigError(
            f"benchmark {asked.config.name}: no model answers it; name one below 'models'"
        )
    found = [
        _candidate(model, asked, suite.seed)
        if model.selection is None
        else _selected(model, asked, suite, every)
        for model in [*models, *baselines, *brought]
    ]
    return [replace(c, compared_only=bool(named) and c.name not in named) for c in found]


def _candidate(config: ModelConfig, asked: ResolvedBenchmark, seed: int) -> Candidate:
    """A model as it answers a benchmark: from a file, on this machine, or over an API."""
    benchmark, there, recorded, local = asked.benchmark, None, None, None
    measured = isinstance(benchmark, TaskBenchmark) and benchmark.likelihoods
    if measured and (config.lm_eval is None or config.prompting or asked.config.samples > 1):
        raise ConfigError(
            f"model {config.name}: the lm-eval task {benchmark.name} asks how likely each of its "
            "texts is, which only a local model says (lm_eval, without 'prompting'), and once "
            "(samples: 1)"
        )
    if config.responses is not None:
        recorded = asked.recorded.get(config.name) or read_answers(
            config.responses,
            model=config.name,
            benchmark=benchmark.name,
            version=benchmark.version,
            known_items={item.id for item in benchmark.data.items},
        )
        there = {place: len(turns) for place, turns in recorded.texts.items()}
    elif config.lm_eval is not None:
        said = config.lm_eval.model_dump(exclude_unset=True)
        local = LocalModel(**{**benchmark.preset.local, **said})
    try:
        if local is not None and config.prompting is not None:
            local = with_prefix(local, config.prompting)
        plain = local is not None and not local.apply_chat_template and local.prefix is None
        if plain and any(len(item.turns) > 1 for item in benchmark.data.items):
            raise ConfigError(
                f"the benchmark {asked.config.name} has conversations of several turns, which no "
                "plain text can put to a model: say apply_chat_template: true"
            )
        if recorded is not None:
            # That of the answers, whatever file they came in and whatever else stands in it.
            rows = ([*place, *turns] for place, turns in sorted(recorded.texts.items()))
            spec = ModelSpec(weights=f"answers:{keys.list_key('answers', rows).hex()}")
        elif local is not None:
            task = benchmark.lm_eval_task
            spec = ModelSpec(
                weights=weights_identity(local.model_args),
                prompting={**prompting_of(local, task), "prompt_sha": benchmark.data.prompt_sha},
                decoding=decoding_of(local, task, seed=seed),
            )
        else:
            spec = _remote_spec(config, asked, seed)
    except ConfigError as error:
        raise ConfigError(f"model {config.name}: {error}") from None
    key = keys.model_key(spec)
    wanted, key_of = _wanted(key, asked, there)
    return Candidate(
        name=config.name,
        config=config,
        asked=asked,
        spec=spec,
        key=key,
        wanted=wanted,
        local=local,
        api=config.api,
        recorded=recorded,
        key_of=key_of,
    )


def _wanted(
    model: bytes, asked: ResolvedBenchmark, there: Mapping[tuple[str, int], int] | None
) -> tuple[
    dict[bytes, tuple[tuple[Item, ...], int]],
    dict[tuple[str, int, int], bytes],
]:
    """The keys of the answers that are wanted of a model, as `Candidate` has them, and back.

    ``there`` are recorded answers, (item id, sample) -> of so many turns; None where the model is
    asked. Two items may be the same question with two recorded answers.
    """
    wanted: dict[bytes, tuple[tuple[Item, ...], int]] = {}
    key_of: dict[tuple[str, int, int], bytes] = {}
    here = {item.id for item in asked.items}
    for sample in range(asked.config.samples):
        for item in asked.every_item if there is None else asked.items:
            turns, about = item.n_answers, item
            if there is not None:
                turns = there.get((item.id, sample), 0)
                about = replace(item, prompt=f"recorded:{item.id}")
            if turns > item.n_answers:
                raise InputError(
                    f"benchmark {asked.config.name}: item {item.id!r} has {turns} turns of an "
                    f"answer, and {item.n_answers} of a question"
                )
            for turn, key in enumerate(keys.answer_keys(model, about, sample=sample)[:turns]):
                key_of[item.id, sample, turn] = key
                if item.id in here:
                    wanted[key] = ((*wanted.get(key, ((),))[0], item), sample)
    return wanted, key_of


def _selected(
    config: ModelConfig,
    asked: ResolvedBenchmark,
    suite: Suite,
    models: Sequence[ModelConfig],
) -> Candidate:
    """A model whose answers are the best of several, as a judge of the suite scores them.

    They are of that one of ``models`` which is the same without a selection, where there is one.

    Raises
    ------
    ConfigError
        For a judge that scores no single answers, or answers that are all the same.
    InputError
        For recorded answers that are too few.
    """
    (n, scorer), said = config.best_of, f"model {config.name}: selection: {config.selection}"
    alone = {"judged_samples": "all", "judge_samples": 1, "panel": None, "stop_when_decided": None}
    samples = {"samples": n * asked.config.samples, "judges": [scorer]}
    every = replace(asked, config=asked.config.model_copy(update=alone | samples))
    plain = config.model_copy(update={"selection": None})
    alike = (m for m in models if m.model_copy(update={"name": config.name}) == plain)
    twin = next((model.name for model in alike), f"{config.name}/samples")
    plain = plain.model_copy(update={"name": twin})
    of = replace(_candidate(plain, every, suite.seed), pool=True)
    drawn = of.local is None or "seed" in of.spec.decoding
    if "further" in of.spec.decoding or not drawn:
        raise ConfigError(
            f"{said}: the best of greedy answers is any of them, and first answers that are drawn "
            "otherwise than further ones are no sample; say how they are drawn: "
            "gen_kwargs: {do_sample: true, temperature: …}"
        )
    try:
        judge, only = next(judge_assignment(suite, every.config, scorer, every.benchmark))
        chooses = assign(every, scorer, judge, suite, None if only is None else twin)
        if "answer" in chooses.judge.inputs:  # one by one also where there is a baseline
            chooses = replace(chooses, inputs="answer")
    except ConfigError as error:
        raise ConfigError(f"{said}: {error}") from None
    kind = chooses.judge.spec.kind
    ours = type(chooses.judge).__module__.startswith("judgebench.")
    if chooses.inputs != "answer" or (ours and kind not in {*SCORING, "python"}):
        raise ConfigError(
            f"{said}: {scorer} is a judge of kind {kind}, which gives no score to a single answer: "
            "name a reward model, or a judge that rates"
        )
    decoding = {**of.spec.decoding, "selection": {"best_of": n, "scorer": chooses.key.hex()}}
    spec = replace(of.spec, decoding=decoding)
    key = keys.model_key(spec)
    there = None if of.recorded is None else _whole_samples(of, n)
    wanted, key_of = _wanted(key, asked, there)
    return Candidate(
        name=config.name,
        config=config,
        asked=asked,
        spec=spec,
        key=key,
        wanted=wanted,
        key_of=key_of,
        selection=Selection(n=n, of=of, scorer=replace(chooses, selects=True)),
    )


def _whole_samples(of: Candidate, n: int) -> dict[tuple[str, int], int]:
    """(item id, sample) of recorded answers of which each sample is one of ``n`` -> their turns.

    Raises
    ------
    InputError
        Naming file and item, where some of them are missing.
    """
    assert of.recorded is not None
    turns = Counter((item_id, number) for item_id, number, _ in of.key_of)
    given = Counter((item_id, number // n) for item_id, number in turns)
    for (item_id, sample), there in given.items():
        if there < n:
            raise InputError(
                f"{of.recorded.path}: item {item_id!r} has {there} of the {n} answers (samples "
                f"{sample * n} to {sample * n + n - 1}) of which the best is to be chosen"
            )
    return {
        (item_id, sample): min(turns[item_id, k] for k in range(sample * n, sample * n + n))
        for item_id, sample in given
    }


def _chosen_from(
    candidates: Sequence[Candidate],
) -> tuple[list[Candidate], list[JudgeAssignment]]:
    """The candidates that others are chosen from, and who chooses; the largest of those alike."""
    pools: dict[tuple[int, bytes], Candidate] = {}
    scorers: dict[tuple[int, bytes, bytes], JudgeAssignment] = {}
    selections = [c.selection for c in candidates if c.selection is not None]
    for one in sorted(selections, key=lambda one: -one.of.asked.config.samples):
        where = id(one.of.asked.benchmark), one.of.key
        asked = pools.setdefault(where, one.of).asked
        scorers.setdefault((*where, one.scorer.key), replace(one.scorer, asked=asked))
    return list(pools.values()), list(scorers.values())


def _remote_spec(config: ModelConfig, asked: ResolvedBenchmark, seed: int) -> ModelSpec:
    api = config.api
    assert api is not None  # one of the three, says the configuration
    assert api.provider is not None
    known = registry.names("providers")
    refuse_unknown("provider", [api.provider], known, about=f"model {config.name}: ")
    preset = asked.benchmark.preset
    if untold := {n: v for n, v in preset.untold.items() if n not in {**api.sampling, **api.extra}}:
        raise ConfigError(
            f"the preset {preset.name} of {asked.benchmark.name} asks with "
            f"{', '.join(f'{n}: {v}' for n, v in untold.items())}, which is no part of chat "
            "completions; where this server takes it, say it as the model's 'extra', else say "
            "options: {preset: clean}"
        )
    return remote.spec_of(
        api,
        usual=preset.api,
        system=preset.system,
        identity=identity_of(api) or api.provider,
        prompt_sha=asked.benchmark.data.prompt_sha,
        max_tokens=asked.benchmark.lm_eval_task.max_gen_toks,
        until=asked.benchmark.lm_eval_task.until,
        temperature=asked.benchmark.lm_eval_task.generation.get("temperature", 0),
        further=asked.benchmark.further,
        seed=seed,
        samples=asked.config.samples,
    )


def turn_keys(candidate: Candidate, item_id: str, sample: int) -> list[bytes]:
    """The keys of the answers of a candidate to an item of this run, one for each turn."""
    key_of = candidate.key_of
    (item, *_), _ = candidate.wanted[key_of[item_id, sample, 0]]
    return [key_of[item_id, sample, turn] for turn in range(item.n_answers)]


def at_turn(item: Item, responses: Sequence[Response]) -> Item:
    """A conversation up to what responses answer; where it is one, with what that model said."""
    if item.n_answers == 1:
        return item
    if len(responses) > 1:
        return replace(item, turns=item.turns[: responses[0].turn + 1])
    return replace(item, turns=conversation_after(item.turns, responses[0].before))


def models_on(
    suite: Suite, config: BenchmarkConfig, baselines: Sequence[str] = ()
) -> Iterator[ModelConfig]:
    """The models of a suite that answer a benchmark; a baseline among them always does."""
    for model in suite.models:
        if config.models is None or model.name in (*config.models, *baselines):
            yield model


def judge_assignment(
    suite: Suite, config: BenchmarkConfig, name: str, benchmark: Benchmark | None = None
) -> Iterator[tuple[JudgeConfig | None, str | None]]:
    """What the suite says of the judges of a name, and whose answers alone each of them judges.

    None for a judge that is used by its way of judging, and for one that judges everybody. A judge
    that is each model itself is as many judges as there are models that can be asked, and a metric
    of an lm-eval task is a judge of that ``benchmark``.

    Raises
    ------
    ConfigError
        Where none can: there is nobody behind recorded answers.
    """
    if isinstance(benchmark, TaskBenchmark) and name.startswith(OWN_METRIC):
        yield benchmark.own_judge(name), None
        return
    judge = next((judge for judge in suite.judges if judge.name == name), None)
    if judge is None or judge.provider != CANDIDATE:
        yield judge, None
        return
    asked = [model for model in models_on(suite, config) if model.responses is None]
    if not asked:
        raise ConfigError(
            f"benchmark {config.name}: judge {name} is each model itself, and all of its models "
            "are recorded answers, which nobody can be asked about"
        )
    for model in asked:
        yield _itself(judge, model), model.name


def _itself(judge: JudgeConfig, model: ModelConfig) -> JudgeConfig:
    """The judge as a model: reached as the model is, asked and read as the judge says.

    How the model samples its answers says nothing about how it is asked for its opinion of them.
    """
    if model.prompting is not None:
        raise ConfigError(
            f"judge {judge.name} is each model itself, and {model.name} is asked below a prefix, "
            "which is no way to ask for an opinion: leave it out of the benchmark's 'models'"
        )
    if model.lm_eval is not None:
        section = model.lm_eval.model_copy(update={"gen_kwargs": {}, "fewshot_as_multiturn": False})
        return judge.model_copy(update={"provider": "local", "lm_eval": section})
    assert model.api is not None  # one of the two, where there are no recorded answers
    its = {name: getattr(model.api, name) for name in _REACHED_BY}
    return judge.model_copy(update={n: v for n, v in its.items() if v not in (None, {})})


_REACHED_BY = (
    "provider", "model", "base_url", "api_key", "identity", "identity_file", "server", "extra",
    "capabilities", "provider_options", "price", "reasoning", "max_connections", "max_retries",
    "requests_per_minute", "tokens_per_minute", "timeout_s",
)  # fmt: skip


def own_prompt_of(config: JudgeConfig) -> tuple[JsonObject, PromptText]:
    """What a suite says of a prompt of its own, the contents of files in place of their names.

    Raises
    ------
    InputError
        For a file that cannot be read, or holds nothing.
    ConfigError
        For a reader that is not there.
    """
    path, options = config.prompt, dict(config.own)
    assert path is not None  # only then is it asked
    if isinstance(config.read, Reading) and config.read.python is not None:
        registry.function(config.read.python, "readers", beside=path.parent)
    if isinstance(config.examples, str):
        rows = each_row(Path(config.examples), ("reply",))
        options["examples"] = [
            {name: row.text(name) for name in row.values if row.has(name)} for row in rows
        ]
    return options, _text_of(path)


def _text_of(prompt: Path) -> PromptText:
    return PromptText(name=prompt.name, text=text_file(prompt, "prompt", "what is asked"))


def with_examples(options: JsonObject, model: str | None) -> JsonObject:
    """The options with the examples of a file in place of its name.

    A file may have those of several models, ``model`` naming whose each is. A judge that is no
    model of the suite, None, has those that are of nobody.

    Raises
    ------
    InputError
        Naming file and row, for a file that cannot be read or has none, and for a row that is no
        example.
    ConfigError
        For a file that has none of the model.
    """
    named = options.get(EXAMPLES)
    if not isinstance(named, str):
        return options
    rows = [(row, _example(row)) for row in each_row(Path(named), ("question", "confidence"))]
    its = [example for row, example in rows if row.values.get("model") in (None, "", model)]
    if not its:
        wanted = "for everybody" if model is None else f"of {model}"
        raise ConfigError(
            f"options: examples: {named} has no row {wanted}: its column 'model' says whose an "
            "example is, and a row without one is for everybody"
        )
    return {**options, EXAMPLES: its}


def _example(row: Row) -> Mapping[str, Any]:
    confidence = row.number("confidence")
    if not 0.0 <= confidence <= 1.0:
        raise row.wrong("confidence", f"a share from 0 to 1 has to stand here, not {confidence:g}")
    return {"question": row.text("question"), "confidence": confidence}


# A base model that is asked below a prefix (`judgebench.workers.prompts.below_prefix`) ------------

_HOME, _IN_HOME = "just_eval", "urial_"
"""The benchmark whose official texts have the prefixes that go by a name, and how they begin."""

SAMPLINGS: Mapping[str, Mapping[str, Any]] = {
    "just_eval": {"do_sample": False, "temperature": 0.0, "repetition_penalty": 1.1},
    "mt_bench": {"do_sample": False, "temperature": 0.0, "repetition_penalty": 1.15},
    "mt_bench_drawn": {"do_sample": True, "temperature": 0.5},  # Gemma, Mixtral, dbrx
}
"""How URIAL's authors draw answers; a suite's ``gen_kwargs`` go over it."""


def with_prefix(local: LocalModel, prompting: Prompting) -> LocalModel:
    """The model as it is asked below a prefix, in place of a chat template.

    Raises
    ------
    ConfigError
        For a prefix that is not here, and where a preset says what goes with none.
    InputError
        For a file that cannot be read, or holds nothing.
    """
    if local.system_instruction is not None or local.prompt_tokens:
        raise ConfigError(
            "the benchmark's preset has a system text or cuts prompts, which does not go with a "
            "prefix: say options: {preset: clean}"
        )
    drawn = SAMPLINGS[prompting.sampling] if prompting.sampling else {}
    asked = {
        "apply_chat_template": False,
        "prefix": _prefix_of(prompting.prefix),
        "gen_kwargs": {**drawn, **local.gen_kwargs},
    }
    return local.model_copy(update=asked)


def _prefix_of(written: str) -> str:
    if not written.startswith(PREFIXES):
        says = "what stands before the questions"
        return text_file(Path(written), "prefix", says, whole=True)  # its last line ends as it does
    description, _ = find(_HOME)
    official, name = description.judging.official, written.removeprefix(PREFIXES)
    known = [one.removeprefix(_IN_HOME) for one in official if one.startswith(_IN_HOME)]
    if name not in known:
        raise ConfigError(unknown_name("prefix", written, [f"{PREFIXES}{one}" for one in known]))
    found = official_prompts(description).get(f"{_IN_HOME}{name}")
    if found is None:
        raise ConfigError(
            f"the prefix {written} is not in the data home; fetch it with `judgebench data pull "
            f"{_HOME}` or `data import`, or name a file of your own"
        )
    return found.text
