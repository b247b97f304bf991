"""A benchmark as a suite asks for it, and as a folder: its items, how models are asked, what a
judge is shown.

The folder is a plain lm-eval task that also works by hand; ``benchmark.toml`` says the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, FiniteFloat

from judgebench import registry
from judgebench.benchmarks.data import (
    ANSWERS,
    BASELINE,
    LABELS,
    content_folder,
    load_content,
    load_module,
    official_judging,
    official_prompts,
    own_wording,
)
from judgebench.benchmarks.description import (
    CLEAN,
    DRAWING,
    MODES,
    OF_CHOICES,
    Description,
    Preset,
    PresetConfig,
    chosen_preset,
    chosen_version,
    find,
    split_version,
)
from judgebench.config import Section, check
from judgebench.dialogue import over
from judgebench.errors import ConfigError, InputError, unknown_name
from judgebench.keys import text_sha
from judgebench.protocols import LmEvalTask
from judgebench.records import BINARY, Case, Item, JsonObject, Message, Response
from judgebench.template import PromptText


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """Answers of models that a benchmark brings along to be judged, and what people say of them.

    ``models`` are in order of name, ``answers`` a file of recorded answers that names them, and
    ``labels`` a file of labels; None without any.
    """

    models: tuple[str, ...]
    answers: Path
    labels: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkData:
    """The questions of a benchmark, and what comes with them.

    ``items`` are in their order, each with the prompt that a model is given, and ``sha`` is their
    SHA-256, as 64 hex digits. ``prompt_sha`` is what is asked around a question, as a hash: part of
    a model's identity. ``baseline_answers`` are those to compare with, by model, each in a file of
    recorded answers, and ``brought`` those to be judged; None where models are asked.
    """

    items: tuple[Item, ...]
    sha: str
    prompt_sha: str = text_sha("{question}")
    baseline_answers: Mapping[str, Path] = field(default_factory=dict)
    brought: Brought | None = None


class Benchmark(ABC):
    """One version of a benchmark, as a suite asks for it.

    What is said here holds where a kind of benchmark says nothing else.
    """

    name: str
    """How suites and stores call it."""

    baselines: Mapping[str, str] = MappingProxyType({})
    """Whom answers are compared with by category, where categories have one each."""

    preset: Preset = Preset()
    """What a preset says to the models that are asked."""

    logprobs: bool = False
    """Whether an API is asked for the log-probabilities of first answers."""

    further: Mapping[str, Any] = MappingProxyType({})
    """What samples after the first are drawn with, where that is another way than the first's."""

    @property
    @abstractmethod
    def version(self) -> str:
        """Of its questions."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The categories of its verdicts, where they are labels."""
        return BINARY

    @property
    def positive(self) -> str:
        """The label that says an answer is right."""
        return BINARY[-1]

    @property
    @abstractmethod
    def default_judge(self) -> str:
        """The way of judging where a suite's judge does not name one."""

    def judged_with(
        self, kind: str, options: JsonObject, sampling: JsonObject
    ) -> tuple[JsonObject, JsonObject]:
        """What a suite says of a judge of some kind, completed by what is usual here."""
        return options, sampling

    @property
    @abstractmethod
    def judging_content(self) -> Mapping[str, Any]:
        """What judges are told about judging: rubric, scale, dimensions, answer types, if any."""

    @property
    @abstractmethod
    def options(self) -> Mapping[str, Any]:
        """The options in effect, for a run's manifest."""

    @property
    def prompts(self) -> Mapping[str, PromptText]:
        """Official judge prompts, by name."""
        return {}

    @property
    @abstractmethod
    def lm_eval_task(self) -> LmEvalTask:
        """The task that asks a local model, and how long any model's answer may be."""

    @property
    @abstractmethod
    def data(self) -> BenchmarkData:
        """Its questions, read when they are asked for.

        Raises
        ------
        InputError
            If the data is not here, with the command that brings it.
        """

    def case(self, item: Item, responses: Sequence[Response]) -> Case:
        """What a judge is shown: one response, or two in the order given, whole."""
        return Case(item=item, responses=tuple(responses))


OFFICIAL = "official/"
"""What the name of an official prompt begins with."""


class Options(Section):
    """What a suite may change about a benchmark; its description has the defaults."""

    preset: str = Field(CLEAN, description="a manner of asking, by its name in the description")
    prompt: str | None = None
    num_fewshot: int | None = Field(None, ge=0)
    truncate: str | None = None
    temperature: Literal["by_category", "none"] | Annotated[FiniteFloat, Field(ge=0)] | None = (
        Field(
            None,
            description="of models; none leaves it to what is said of a model, greedy otherwise",
        )
    )
    further: dict[str, Any] = Field(
        default_factory=dict, description="what samples after the first are drawn with"
    )


class FolderBenchmark(Benchmark):
    """One version of a benchmark with a suite's options."""

    version = ""
    default_judge = ""
    labels: tuple[str, ...] = ()
    positive = ""
    judging_content: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, description: Description, folder: Path, version: str, options: Options):
        self.description = description
        self.name, self.version, self.folder = description.name, version, folder
        self.labels, self.positive = tuple(description.labels), description.positive
        self.default_judge = description.judging.kind
        # A small benchmark has what is said of the one that it is like.
        self.judging_content = official_judging(description).content
        asking = description.asking
        self.baselines = description.versions[version].baselines
        self.logprobs = asking.logprobs
        preset = PresetConfig()
        if options.preset != CLEAN:
            preset = chosen_preset(description, options.preset)
            own = options.temperature is not None
            self.preset = preset.resolved(options.preset, own_temperature=own)
        self._preset_config = preset
        self.prompt = options.prompt or preset.prompt or asking.prompt
        shots = (options.num_fewshot, preset.num_fewshot, asking.num_fewshot)
        self.num_fewshot = next(one for one in shots if one is not None)
        by_category = asking.temperatures
        if options.temperature == "by_category" and not by_category:
            raise ConfigError(
                f"benchmark {self.name}: temperature: it has none by category; say a number"
            )
        # The suite's; without one the preset's, or that of the category, where there are such.
        usual: Literal["by_category", "none"] = "none"
        if by_category and DRAWING.isdisjoint(preset.generation):
            usual = "by_category"
        self.temperature = usual if options.temperature is None else options.temperature
        self.further = {**asking.further, **preset.further, **options.further}
        if self.further and not self.further.get("temperature"):
            raise ConfigError(
                f"benchmark {self.name}: further: samples are drawn, so they need a temperature "
                "above 0"
            )
        for what, given, known in (
            ("prompt", self.prompt, asking.prompts),
            ("truncation", options.truncate or asking.truncate, MODES),
        ):
            if given not in known:
                raise ConfigError(f"benchmark {self.name}: {unknown_name(what, given, known)}")
        self.truncate = options.truncate or asking.prompts[self.prompt].truncate or asking.truncate

    def judged_with(
        self, kind: str, options: JsonObject, sampling: JsonObject
    ) -> tuple[JsonObject, JsonObject]:
        """Options and sampling of a judge, completed by what is usual here for its kind.

        That is the kind of this benchmark, those that some of its official prompts are for, and
        those for which it names another benchmark. Without a prompt in the options the official one
        that the description prefers for the kind is taken, if it is here. An official prompt comes
        with the options it is read with.
        """
        own, judging = self.description, official_judging(self.description)
        kinds = {self.default_judge, *(prompt.kind for prompt in judging.official.values())}
        if kind not in kinds:
            if (other := own.judging.official_for.get(kind)) is None:
                return options, sampling
            own = find(other)[0]
            judging = official_judging(own)
        usual_kind = kind == own.judging.kind
        name = options.get("prompt")
        preferred = own.judging.prompt or judging.prompt if usual_kind else None
        for_it = (name for name, prompt in judging.official.items() if prompt.kind == kind)
        preferred = preferred or next(for_it, None)
        if name is None and preferred in self.prompts:
            name = f"{OFFICIAL}{preferred}"
        official = judging.official.get(str(name).removeprefix(OFFICIAL))
        if official is None or not str(name).startswith(OFFICIAL):
            its = own.versions.get(self.version) if usual_kind else None
            ours = own.judging.options | (its.judging if its else {}) if usual_kind else {}
            return {**ours, **options}, sampling
        usual = {"prompt": name, **official.options}
        return {**usual, **options}, over(official.sampling, sampling)

    @property
    def options(self) -> Mapping[str, Any]:
        """The options in effect, for a run's manifest."""
        return {
            **({} if self.preset.name == CLEAN else {"preset": self.preset.name}),
            "prompt": self.prompt,
            "num_fewshot": self.num_fewshot,
            "truncate": self.truncate,
            **({} if self.temperature == "none" else {"temperature": self.temperature}),
            **({"further": self.further} if self.further else {}),
        }

    @cached_property
    def prompts(self) -> Mapping[str, PromptText]:
        """The official judge prompts the data home has, and our wording of templates, by name."""
        found: dict[str, PromptText] = {}
        for other in self.description.judging.official_for.values():
            found |= official_prompts(find(other)[0])
        found |= official_prompts(self.description)
        if self.judging_content.get("templates"):
            found |= own_wording(self.description)
        return found

    @cached_property
    def data(self) -> BenchmarkData:
        utils = load_module(self.folder, "utils")
        render = getattr(utils, f"prompt_{self.prompt}", None)
        if utils is None or render is None:
            raise ConfigError(
                f"{self.folder / 'utils.py'}: has to define docs and prompt_{self.prompt}"
            )
        content = load_content(self.description, self.folder, self.version)
        items = []
        for doc in utils.docs(self.version, num_fewshot=self.num_fewshot):
            asked = doc.get("turns") or [doc["question"]]  # each after the answer to the one before
            item = Item(
                benchmark=self.name,
                version=self.version,
                id=doc["id"],
                turns=tuple(Message(role="user", content=text) for text in asked),
                references=tuple(doc.get("references", ())),
                category=doc.get("category"),
                language=doc.get("language", "en"),
                options=tuple(doc.get("options", ())),
                subcategory=doc.get("subcategory"),
                metadata=doc.get("metadata", {}),
                prompt=None if len(asked) > 1 else render(doc),
            )
            items.append(item)
        # The first prompt with a placeholder for its question, so that other wording, other
        # examples or another number of them are another way of asking.
        first = items[0]
        form = (first.prompt or first.question).replace(first.question, "{question}")
        where = content_folder(self.description, self.folder, self.version)
        names: Iterable[str | None] = [self.description.baseline]
        if self.baselines:
            names = [row["model"] for row in content.baseline]
        brought = None
        if content.answers:
            brought = Brought(
                models=tuple(sorted({row["model"] for row in content.answers})),
                answers=where / ANSWERS,
                labels=where / LABELS if content.labels else None,
            )
        return BenchmarkData(
            items=tuple(items),
            sha=content.sha,
            prompt_sha=text_sha(form),
            baseline_answers={name: where / BASELINE for name in names if name is not None},
            brought=brought,
        )

    def case(self, item: Item, responses: Sequence[Response]) -> Case:
        """One case of the responses in the order shown, each cut where its answer ends."""
        cut = (OF_CHOICES if item.options else MODES)[self.truncate]
        shown = tuple(replace(one, text=cut(one.text)) for one in responses)
        return Case(item=item, responses=shown)

    @cached_property
    def lm_eval_task(self) -> LmEvalTask:
        """The task that asks with the chosen prompt."""
        name = self.description.asking.prompts[self.prompt].task
        file = self.folder / f"{name}.yaml"
        try:
            task = yaml.load(file.read_text(encoding="utf-8"), _TaskLoader)
            generation = dict(task["generation_kwargs"])
            asked = self._preset_config.generation
            if not DRAWING.isdisjoint(asked):  # it says all of how answers are drawn
                generation = {n: v for n, v in generation.items() if n not in DRAWING}
            generation |= asked
            until = generation.pop("until")
            until = (until,) if isinstance(until, str) else tuple(until)
            max_gen_toks = int(generation.pop("max_gen_toks"))
        except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
            raise ConfigError(
                f"{file}: generation_kwargs with 'until' and 'max_gen_toks' has to stand here "
                f"({error!r})"
            ) from None
        settings = {"version": self.version, "num_fewshot": self.num_fewshot}
        return LmEvalTask(
            name=name,
            folder=lambda: self.folder,
            metadata={self.name: settings},
            until=until,
            max_gen_toks=max_gen_toks,
            generation=generation
            if self.temperature == "none"
            else self._with_temperature(generation),
            further=self.further,
        )

    def _with_temperature(self, generation: Mapping[str, Any]) -> dict[str, Any]:
        """What the task says about decoding, with the temperature that is in effect here."""
        said = {n: v for n, v in generation.items() if n not in {"temperature", "do_sample"}}
        if self.temperature == "by_category":
            return {**said, "temperature": dict(self.description.asking.temperatures)}
        return {**said, "temperature": self.temperature, "do_sample": self.temperature != 0}


def load_benchmark(
    name_at_version: str,
    *,
    options: Mapping[str, Any] | None = None,
) -> FolderBenchmark:
    """A benchmark, by ``NAME`` or ``NAME@VERSION``.

    Raises
    ------
    ConfigError
        For an unknown name, version or option.
    """
    name, version = split_version(name_at_version)
    description, folder = find(name)
    chosen = check(Options, dict(options or {}), f"benchmark {name}: options")
    return FolderBenchmark(description, folder, chosen_version(description, version), chosen)


class _TaskLoader(yaml.SafeLoader):
    """Reads lm-eval's YAML; what ``!function`` names stays a name."""


_TaskLoader.add_constructor("!function", lambda _loader, node: str(node.value))


def items_at_hand(benchmark: str, version: str) -> Mapping[str, Item] | None:
    """From the data home or the benchmark's folder; None where the data is not here.

    Raises
    ------
    InputError
        Where the data is here, but is not what is pinned.
    """
    if benchmark not in registry.benchmark_folders():
        return None
    description, folder = find(benchmark)
    if version not in description.versions:
        return None
    if not content_folder(description, folder, version).is_dir():
        return None
    return {item.id: item for item in load_benchmark(f"{benchmark}@{version}").data.items}


def baseline_texts(benchmark: str, version: str, model: str) -> Mapping[str, str]:
    """The answers of a benchmark's own baseline by item.

    Empty where ``model`` is not its name, and where the data is not here or is not what is pinned.
    """
    if benchmark not in registry.benchmark_folders():
        return {}
    description, folder = find(benchmark)
    own = description.versions.get(version)
    if own is None or model not in (own.baselines.values() or [description.baseline]):
        return {}
    try:
        rows = load_content(description, folder, version).baseline
    except InputError:
        return {}
    return {row["item_id"]: row["text"] for row in rows if row.get("model", model) == model}
