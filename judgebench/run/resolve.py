"""What a suite comes down to: benchmarks with their items, candidates and judges with their keys.

Everything that can be wrong with a suite's names, data and files shows here, before anything is
asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from judgebench import keys, registry
from judgebench.benchmarks.folder import FolderBenchmark, load_benchmark
from judgebench.config import BenchmarkConfig, JudgeConfig, ModelConfig, Suite
from judgebench.errors import ConfigError, unknown_name
from judgebench.protocols import Judge
from judgebench.records import Item, JudgeSpec, ModelSpec
from judgebench.responses.identity import file_sha, weights_identity
from judgebench.responses.local_model import LocalModel, decoding_of, prompting_of
from judgebench.responses.recorded_file import RecordedAnswers, read_answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A benchmark of the suite with the items that are asked."""

    config: BenchmarkConfig
    benchmark: FolderBenchmark
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model on a benchmark. ``wanted`` maps each response key to its items and its sample.

    Identical items share a key: they are asked once and counted as often as they occur.
    """

    config: ModelConfig
    asked: Asked
    spec: ModelSpec
    key: bytes
    wanted: Mapping[bytes, tuple[tuple[Item, ...], int]]
    local: LocalModel | None = None
    recorded: RecordedAnswers | None = None

    @property
    def name(self) -> str:
        return self.config.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A judge on a benchmark."""

    name: str
    asked: Asked
    judge: Judge
    key: bytes
    config: JudgeConfig | None = None

    @property
    def spec(self) -> JudgeSpec:
        return self.judge.spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A suite, resolved."""

    suite: Suite
    asked: tuple[Asked, ...]
    candidates: tuple[Candidate, ...]
    seats: tuple[Seat, ...]
    warnings: tuple[str, ...] = field(default=())


def resolve(suite: Suite) -> Work:
    """Load what the suite names and give everything its key.

    Raises
    ------
    ConfigError
        For an unknown benchmark, judge or option, or a model that is not there.
    InputError
        For a file of answers that cannot be used.
    """
    asked = tuple(_asked(config) for config in suite.benchmarks)
    names = Counter((a.benchmark.name, a.benchmark.version) for a in asked)
    for (name, version), count in names.items():
        if count > 1:
            raise ConfigError(f"the suite names the benchmark {name}@{version} {count} times")
    seats = tuple(_seat(a, name, suite) for a in asked for name in a.config.judges)
    candidates = tuple(
        _candidate(model, a, suite.seed)
        for model in suite.models
        for a in asked
        if a.config.models is None or model.name in a.config.models
    )
    warnings = tuple(
        f"{c.name}: {c.recorded.path} has no answer for {n} of {len(c.asked.items)} items of "
        f"{c.asked.benchmark.name}"
        for c in candidates
        if c.recorded is not None and (n := _unanswered(c))
    )
    return Work(suite=suite, asked=asked, candidates=candidates, seats=seats, warnings=warnings)


def _asked(config: BenchmarkConfig) -> Asked:
    benchmark = load_benchmark(config.name, options=config.options)
    return Asked(config=config, benchmark=benchmark, items=tuple(benchmark.items(config.limit)))


def _seat(asked: Asked, name: str, suite: Suite) -> Seat:
    config = next((judge for judge in suite.judges if judge.name == name), None)
    kinds = registry.names("judges")
    if config is None and name not in kinds:
        known = {*kinds, *(judge.name for judge in suite.judges)}
        raise ConfigError(f"benchmark {asked.config.name}: {unknown_name('judge', name, known)}")
    if config is not None and config.provider is not None:
        _check_provider(name, config.provider, config)
    kind = config.kind if config is not None else None
    if kind is None:
        kind = name if name in kinds else asked.benchmark.default_judge
    if kind not in kinds:
        raise ConfigError(f"judge {name}: {unknown_name('way of judging', kind, kinds)}")
    if name in kinds and kind != name:
        raise ConfigError(
            f"judge {name}: a judge called as a way of judging judges that way; give this one, of "
            f"kind {kind}, another name"
        )
    provider = identity_of(config) if config else None
    try:
        judge = registry.load("judges", kind).make(
            model=config.model if config else None,
            provider=provider,
            sampling=config.sampling if config else {},
            options=config.options if config else {},
            extra=config.extra if config else {},
            prompts=asked.benchmark.prompts,
        )
    except ConfigError as error:
        raise ConfigError(f"judge {name}: {error}") from None
    return Seat(name=name, asked=asked, judge=judge, key=keys.judge_key(judge.spec), config=config)


def _check_provider(judge: str, provider: str, config: JudgeConfig) -> None:
    """Found out now, not by the first question, which may come hours later."""
    known = registry.names("providers")
    if provider not in known:
        raise ConfigError(f"judge {judge}: {unknown_name('provider', provider, known)}")


def identity_of(config: JudgeConfig) -> str | None:
    """Who answers for a judge: never a URL or a port, which say nothing about the model."""
    if config.identity_file is not None:
        if not config.identity_file.is_file():
            raise ConfigError(
                f"judge {config.name}: identity_file {config.identity_file} is no file"
            )
        return f"sha256:{file_sha(config.identity_file)}"
    return config.identity or config.provider


def _candidate(config: ModelConfig, asked: Asked, seed: int) -> Candidate:
    if config.responses is not None:
        return _recorded_candidate(config, asked, config.responses)
    assert config.lm_eval is not None  # one of the two, says the configuration
    local = LocalModel.from_config(config.lm_eval.model_dump())
    task = asked.benchmark.lm_eval_task
    try:
        spec = ModelSpec(
            weights=weights_identity(local.model_args),
            prompting={**prompting_of(local, task), "prompt_sha": asked.benchmark.prompt_sha},
            decoding=decoding_of(local, task, seed=seed),
        )
    except ConfigError as error:
        raise ConfigError(f"model {config.name}: {error}") from None
    key = keys.model_key(spec)
    wanted = _wanted(key, asked.items, asked.config.samples)
    return Candidate(config=config, asked=asked, spec=spec, key=key, wanted=wanted, local=local)


def _recorded_candidate(config: ModelConfig, asked: Asked, path: Path) -> Candidate:
    recorded = read_answers(
        path,
        model=config.name,
        benchmark=asked.benchmark.name,
        version=asked.benchmark.version,
        known_items={item.id for item in asked.benchmark.items()},
    )
    spec = ModelSpec(weights=f"answers:{recorded.sha}")
    key = keys.model_key(spec)
    wanted: dict[bytes, tuple[tuple[Item, ...], int]] = {}
    for item in asked.items:  # two items may be the same question with two recorded answers
        for sample in range(asked.config.samples):
            if (item.id, sample) in recorded.texts:
                prompt = f"recorded:{item.id}"
                wanted[keys.response_key(key, item.turns, prompt, sample=sample)] = (
                    (item,),
                    sample,
                )
    return Candidate(
        config=config, asked=asked, spec=spec, key=key, wanted=wanted, recorded=recorded
    )


def _wanted(
    model: bytes, items: Sequence[Item], samples: int
) -> dict[bytes, tuple[tuple[Item, ...], int]]:
    wanted: dict[bytes, tuple[tuple[Item, ...], int]] = {}
    for sample in range(samples):
        for item in items:
            key = keys.response_key(model, item.turns, item.prompt, sample=sample)
            already = wanted.get(key, ((), sample))[0]
            wanted[key] = ((*already, item), sample)
    return wanted


def _unanswered(candidate: Candidate) -> int:
    answered = {item.id for items, _ in candidate.wanted.values() for item in items}
    return sum(item.id not in answered for item in candidate.asked.items)
