"""Suites: what a run is asked to do, read from YAML and checked before anything starts.

Everything wrong is found here, named by file, line and field, with the nearest known name.
Paths are those beside the suite; what an environment variable holds is relative to the working
directory, as on a command line, and so is the address of the store.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    PlainSerializer,
    PlainValidator,
    PositiveInt,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from judgebench import yaml_file
from judgebench.errors import ConfigError, UsageError, refuse_unknown, unknown_name
from judgebench.records import PANEL, Item, is_human
from judgebench.secret import Secret, checked_base_url

Model = TypeVar("Model", bound=BaseModel)

MOST_SAMPLES = 100_000
"""Answers to a question, or times that a judge is asked the same; a slip of the pen is more."""

_EXAMPLES = "examples"
"""The option of a judge that may name a file (`execution.resolve`)."""

_CHECKPOINTS = frozenset({"pretrained", "peft", "delta", "lora_local_path", "tokenizer"})
"""Arguments of lm-eval that are a folder, or a repository of the Hub."""


def _storable(settings: dict[str, Any]) -> dict[str, Any]:
    """What is sent and kept as JSON has to be JSON."""
    _refuse_no_json(settings, ())
    return settings


def _refuse_no_json(value: Any, at: yaml_file.Field) -> None:
    if isinstance(value, dict):
        for key, element in value.items():
            if not isinstance(key, str):
                raise fault(f"the name {key!r} is no text; put it in quotes", at)
            _refuse_no_json(element, (*at, key))
    elif isinstance(value, list):
        for i, element in enumerate(value):
            _refuse_no_json(element, (*at, i))
    elif isinstance(value, float) and not math.isfinite(value):
        raise fault(f"a number is finite, not {value}", at)
    elif not (value is None or isinstance(value, str | bool | int | float)):
        raise fault(
            f"{_kind(value)} cannot be sent or stored; put it in quotes if a text is meant", at
        )


def fault(message: str, at: yaml_file.Field) -> PydanticCustomError:
    """What is wrong at a field of what is checked."""
    return PydanticCustomError(_AT, "{says}", {"says": message, "at": at})


_AT = "at"  # the type of a fault that says where it is
_EACH = "each"  # the type of all faults of a section
_CARDS = "CUDA_VISIBLE_DEVICES, as text; '0,1;2,3': two processes that share the work, on two each"
_PYTHON_WORDS = re.compile(r" or instance of \w+| for <class '[\w.]+'>")

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s/|][^\n\r\t]*$")]
Settings = Annotated[dict[str, Any], AfterValidator(_storable)]
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _twice(names: Sequence[str]) -> str:
    return ", ".join(sorted({name for name in names if names.count(name) > 1}))


def _secret(given: Any) -> Any:
    """A key, with the name of the variable that it came from, for messages."""
    if isinstance(given, str):
        return Secret(given, variable=getattr(given, "variable", None))
    return given


ApiKey = Annotated[
    Secret,
    PlainValidator(_secret),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "format": "password"}),
]


@dataclass(slots=True)
class _Beside:
    """Where what a suite names is: beside it, or, for one release, in the working directory."""

    path: Path
    environment: Mapping[str, str]
    elsewhere: dict[str, None] = field(default_factory=dict, init=False)
    """What was found from the working directory."""


def _file(written: Any, info: ValidationInfo, *, or_else: Any = None) -> Any:
    """A file where it is found, or else beside the suite; left as it is outside of one."""
    suite: _Beside | None = info.context
    if not isinstance(written, str) or suite is None:
        return written
    named, beside = Path(written), suite.path.parent / written
    typed = isinstance(written, yaml_file.FromEnvironment) and suite.environment.get(
        written.variable  # that of one with a default may not be set
    )
    if typed or named.is_absolute() or written.startswith("~"):
        return named
    if beside.exists():
        return beside
    if named.exists():
        suite.elsewhere[str(named)] = None
        return named
    return beside if or_else is None else or_else


def _named(found: Any) -> Any:
    return str(found) if isinstance(found, Path) else found


def _checkpoint(written: Any, info: ValidationInfo) -> Any:
    """A folder, or else what may be a repository of the Hub."""
    return _named(_file(written, info, or_else=written))


File = Annotated[Path, BeforeValidator(_file)]
"""A path beside the suite."""

FileName = Annotated[str, BeforeValidator(lambda written, info: _named(_file(written, info)))]
"""Likewise, as text."""


class Section(BaseModel):
    """A part of a configuration: frozen, and no key is accepted that means nothing."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), defer_build=True
    )


class Ruled(Section):
    """A part whose fields have to go together."""

    def _faults(self) -> dict[str, object]:
        """What may be wrong between them, each with whether it is."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _refuse_faults(self) -> Self:
        if found := [said for said, wrong in self._faults().items() if wrong]:
            raise PydanticCustomError(_EACH, "{says}", {"says": "; ".join(found), "each": found})
        return self


class LmEval(Section):
    """A local model run through lm-eval; fields carry lm-eval's names."""

    model: str = "hf"
    model_args: Settings = Field(default_factory=dict)
    batch_size: PositiveInt | Literal["auto"] = 8
    device: str | None = None
    apply_chat_template: bool | str = True
    system_instruction: str | None = None
    fewshot_as_multiturn: bool = False
    gen_kwargs: Settings = Field(default_factory=dict)
    gpus: str | None = Field(None, description=_CARDS)

    @field_validator("model_args")
    @classmethod
    def _names_a_model(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if not value.get("pretrained") and not value.get("model"):
            raise ValueError("name the checkpoint: model_args: {pretrained: FOLDER_OR_HUB_ID}")
        folders = {name: _checkpoint(value[name], info) for name in _CHECKPOINTS & value.keys()}
        return value | folders


class ServerConfig(Ruled):
    """A local server that the run starts when the first call needs it, and stops at its end.

    ``{port}`` in the command and in the judge's ``base_url`` is replaced by a free port; a first
    word ``python`` is the interpreter that runs judgebench. In place of a command an ``engine``
    with the ``checkpoint`` that it serves; ``args`` have vLLM's names, also for sglang.
    """

    command: list[str] = Field(default_factory=list)
    engine: Literal["vllm", "sglang"] | None = None
    checkpoint: Annotated[str, BeforeValidator(_checkpoint)] | None = Field(
        None, description="folder, or repository of the Hugging Face Hub"
    )
    args: Settings = Field(
        default_factory=dict,
        description="of the engine: tensor_parallel_size, max_model_len, dtype, …",
    )
    ready: str = "/v1/models"
    timeout_s: Amount = 600.0
    env: dict[str, str] = Field(default_factory=dict)
    gpus: str | None = Field(None, description=_CARDS)

    def _faults(self) -> dict[str, object]:
        alone = (self.engine is None) != (self.checkpoint is None)
        return {
            "a server has a 'command', or an 'engine' and its 'checkpoint'": (
                bool(self.command) == (self.engine is not None)
            ),
            "'engine' and 'checkpoint' go together, and 'args' with them": (
                alone or (self.args and not self.engine)
            ),
        }


class PriceConfig(Section):
    """What a model costs, in US dollars for a million tokens.

    ``cached_input`` is for tokens that the provider had cached, ``cache_write`` for those that it
    puts into its cache, ``batch`` the share of the price that its batch interface asks.
    """

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cached_input: float | None = Field(None, ge=0, allow_inf_nan=False)
    cache_write: float | None = Field(None, ge=0, allow_inf_nan=False)
    batch: float = Field(0.5, ge=0, le=1, allow_inf_nan=False)


class RewardModel(Section):
    """A sequence classifier of transformers that scores a conversation."""

    pretrained: Annotated[str, BeforeValidator(_checkpoint)] = Field(
        description="folder, or repository of the Hugging Face Hub"
    )
    revision: str | None = None
    dtype: str = "auto"
    device: str | None = None
    batch_size: PositiveInt = 8
    max_length: PositiveInt | None = Field(None, description="tokens; the model's own if unset")
    gpus: str | None = Field(None, description=_CARDS)


LM_EVAL_GROUPS = "lm_eval_groups"
"""What a manifest's configuration calls the groups of lm-eval tasks that were asked for."""

OWN_METRIC = "lm_eval/"
"""What the judges of an lm-eval task's own metrics are called, before the metric."""

CANDIDATE = "candidate"
"""The provider of a judge that is each model itself: it is asked about its own answers."""

_ELSEWHERE = (
    "model", "base_url", "api_key", "identity", "identity_file", "server", "extra", "capabilities",
    "provider_options", "price", "batch", "reasoning", "lm_eval", "reward_model",
)  # fmt: skip
"""What is said of the model, and not of a judge that is the model itself."""

LOADING_S = 600.0
"""Seconds that loading a model may take, unless a suite says more."""

BATCHING = frozenset({"openai", "anthropic"})
"""Providers with a batch interface."""


CACHING_ENGINES = {
    "vllm": ("enable_prefix_caching", True),
    "sglang": ("disable_radix_cache", False),
}
"""Engines that can keep what prompts begin with: the argument that says so, and what it says."""


class Endpoint(Ruled):
    """Who answers, and how to get there."""

    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    api_key: ApiKey | None = Field(None, description="always ${NAME}, never the key itself")
    identity: str | None = Field(None, description="what is behind a server, if not its provider")
    identity_file: File | None = Field(None, description="model file whose hash is the identity")
    server: ServerConfig | None = None
    sampling: Settings = Field(default_factory=dict)
    reasoning: str | None = Field(None, description="effort of a model that reasons: low, high, …")
    extra: Settings = Field(default_factory=dict, description="sent as it is with each call")
    capabilities: Settings = Field(
        default_factory=dict,
        description="what the model takes, where the table of model families is wrong",
    )
    provider_options: Settings = Field(default_factory=dict, description="the provider's own")
    price: PriceConfig | None = None
    batch: bool = Field(False, description="through the provider's batch interface, at its price")
    max_connections: PositiveInt | None = None
    max_retries: int | None = Field(None, ge=0)
    requests_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None
    timeout_s: Amount | None = None

    @model_validator(mode="before")
    @classmethod
    def _address_of_an_engine(cls, given: Any) -> Any:
        server = given.get("server") if isinstance(given, dict) else None
        engine = server.get("engine") if isinstance(server, dict) else None
        usual = "http://127.0.0.1:{port}/v1"
        return {**given, "base_url": given.get("base_url") or usual} if engine else given

    def _faults(self) -> dict[str, object]:
        several = ";" in ((self.server and self.server.gpus) or "")
        faults: dict[str, object] = {
            f"{self.provider or 'who has no provider'} takes no batches "
            f"({', '.join(sorted(BATCHING))} do): leave out 'batch'": self.batch
            and self.provider not in BATCHING,
            "name the 'provider' that answers, e.g. openai_compatible": (
                self.provider is None and (self.server or self.base_url or self.model)
            ),
            "openai_compatible needs the server's 'base_url'": (
                self.provider == "openai_compatible" and not self.base_url
            ),
            "several servers (gpus) need a port each: write {port} into 'base_url' and "
            "command": several and "{port}" not in str(self.base_url),
            "give 'identity' or 'identity_file', not both": self.identity and self.identity_file,
        }
        if self.base_url is not None:
            own = self.server is not None  # a free port is found for an own server only
            try:
                checked_base_url(self.base_url.replace("{port}", "80") if own else self.base_url)
            except ConfigError as error:
                faults[str(error)] = True
        return faults


class ApiModel(Endpoint):
    """A candidate behind an API; ``system`` is put before every question."""

    system: str | None = None

    def _faults(self) -> dict[str, object]:
        return super()._faults() | {
            "a model behind an API names its 'provider' and 'model'": (
                not self.model or self.provider == CANDIDATE  # a model alone lacks its provider
            ),
            f"{self.provider!r} only judges; a local candidate has 'lm_eval'": (
                self.provider in {"local", "reward_model"}
            ),
        }


PREFIXES = "urial/"
"""What the name of a prefix begins with that comes with `judgebench data pull just_eval`."""


def _prefix(written: Any, info: ValidationInfo) -> Any:
    named = isinstance(written, str) and written.startswith(PREFIXES)
    return written if named else _named(_file(written, info))


class Prompting(Section):
    """How a base model is asked: examples of conversations before what the benchmark asks."""

    prefix: Annotated[str, BeforeValidator(_prefix)] = Field(
        description="urial/NAME of Re-Align/URIAL, or a file of one's own"
    )
    sampling: Literal["just_eval", "mt_bench", "mt_bench_drawn"] | None = Field(
        None,
        description="as URIAL's authors draw on that benchmark; the benchmark's own if unset",
    )


_BEST_OF = re.compile(r"best_of\(\s*(\d+)\s*,\s*([^\s()][^()]*?)\s*\)")
_MOST_TO_CHOOSE = 10_000
_SETTINGS = {
    "lm_eval": ("gen_kwargs", "system_instruction", "apply_chat_template", "fewshot_as_multiturn"),
    "api": ("sampling", "system", "reasoning", "extra"),
}
"""What a matrix may say of a model, by its section."""


class ModelConfig(Ruled):
    """A candidate: local, behind an API, or answers that exist. Tags are no part of any key."""

    name: Name
    lm_eval: LmEval | None = None
    api: ApiModel | None = None
    responses: File | None = None
    selection: str | None = Field(
        None,
        description="best_of(N, SCORER): of N answers the one that a judge of the suite scores "
        "highest; else each answer as it is",
    )
    matrix: Settings | None = Field(
        None,
        description="settings of the model's section, each with a list of values or values by "
        "name: a model for each combination, called NAME[setting=value,…]",
    )
    prompting: Prompting | None = Field(None, description="of a base model below lm_eval")
    tags: dict[str, str | int | FiniteFloat | bool] = Field(default_factory=dict)

    @property
    def best_of(self) -> tuple[int, str]:
        """Among how many answers is chosen, and by which judge, where there is a selection."""
        found = _BEST_OF.fullmatch(self.selection or "")
        assert found is not None  # it was checked
        return int(found[1]), found[2]

    @field_validator("selection")
    @classmethod
    def _chooses(cls, value: str | None) -> str | None:
        found = _BEST_OF.fullmatch(value or "")
        if value is not None and (found is None or not 2 <= int(found[1]) <= _MOST_TO_CHOOSE):
            raise ValueError(
                f"a selection is best_of(N, SCORER) with N from 2 to {_MOST_TO_CHOOSE:,}, as in "
                f"best_of(4, reward), not {value!r}"
            )
        return value

    def settings(self) -> list[ModelConfig]:
        """A model for each combination of the matrix.

        Raises
        ------
        ValueError
            For what is no setting of its section, or is said twice.
        """
        assert self.matrix is not None  # only then is it asked
        source = "lm_eval" if self.lm_eval is not None else "api"
        own: LmEval | ApiModel | None = getattr(self, source)
        if own is None:
            raise ValueError(
                f"{self.name}: a matrix is of settings, and recorded answers have none"
            )
        known = ("selection", *_SETTINGS[source])
        refuse_unknown(
            "setting", self.matrix, known, error=ValueError, about=f"{self.name}: matrix: "
        )
        axes: list[list[tuple[str, tuple[str, ...], Any]]] = []
        for name, said in self.matrix.items():
            inner = isinstance(getattr(own, name, None), dict)
            if inner and not isinstance(said, dict):
                raise ValueError(f"{self.name}: matrix: {name}: settings with their values")
            for key, values in said.items() if inner else [(name, said)]:
                axes.append(
                    _axis(f"{self.name}: matrix: {key}", key, values, (name, key)[: 1 + inner])
                )
        if not axes:
            raise ValueError(f"{self.name}: an empty matrix has no setting")
        return [self._with(source, own, chosen) for chosen in product(*axes)]

    def _with(
        self,
        source: str,
        own: LmEval | ApiModel,
        chosen: Sequence[tuple[str, tuple[str, ...], Any]],
    ) -> ModelConfig:
        """The model with one value of each setting."""
        section = {name: getattr(own, name) for name in own.model_fields_set}
        rest: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        for _, (name, *key), value in chosen:
            if name == "selection":
                rest[name] = value
            else:
                section[name] = {**section.get(name, {}), key[0]: value} if key else value
        named = ",".join(said for said, _, _ in chosen)
        changed = {"name": f"{self.name}[{named}]", "matrix": None, source: section}
        try:
            return ModelConfig.model_validate({**rest, **changed})
        except ValidationError as error:
            raise ValueError(f"{changed['name']!r}: {error.errors()[0]['msg']}") from None

    def _faults(self) -> dict[str, object]:
        sources = [one for one in (self.lm_eval, self.api, self.responses) if one is not None]
        chat = self.lm_eval is None or self.lm_eval.model.endswith("chat-completions")
        said = self.lm_eval.model_fields_set if self.prompting and self.lm_eval else set()
        chats = said & {"apply_chat_template", "system_instruction", "fewshot_as_multiturn"}
        return {
            "a model has exactly one of 'lm_eval', 'api' and 'responses'": len(sources) != 1,
            "'prompting' is of a model that continues text, below 'lm_eval': chat completions "
            "put a template around what they are sent; a server's plain completions are "
            "lm_eval: {model: local-completions, model_args: {model: …, base_url: …}}": (
                self.prompting is not None and chat
            ),
            f"{', '.join(sorted(chats))}: of models that chat; 'prompting' takes the place of "
            "a template: leave it out": chats,
        }


def _axis(
    said: str, key: str, values: Any, path: tuple[str, ...]
) -> list[tuple[str, tuple[str, ...], Any]]:
    """What a setting is called with each of its values, where it is, and the value."""
    named = values
    if isinstance(values, list):
        if any(len(str(one)) > _SHORT for one in values):
            raise ValueError(f"{said}: give long values names, as in {{brief: …, polite: …}}")
        named = {one if isinstance(one, str) else json.dumps(one): one for one in values}
    if not isinstance(values, list | dict) or not named or len(named) < len(values):
        raise ValueError(f"{said}: a list of values, each once, or values by name, not {values!r}")
    return [(f"{key}={name}", path, value) for name, value in named.items()]


_SHORT = 24
"""Characters of a value that names itself."""


def _as_words(given: Any) -> Any:
    """Words of replies as text: 1 is one too; what YAML takes for true or false is none."""
    said = [*given.values()] if isinstance(given, dict) else []
    words = [*given] if isinstance(given, dict | list) else []
    if any(isinstance(one, bool) for one in words + said):
        raise ValueError(
            "yes, no, on, off, true and false are no text in YAML: put them in quotes, as in 'yes'"
        )
    if isinstance(given, dict):
        return dict(zip(map(_as_word, words), said, strict=True))
    return [_as_word(word) for word in words] if isinstance(given, list) else given


def _as_word(given: Any) -> Any:
    return str(given) if isinstance(given, int) else given


class Reading(Section):
    """How a verdict is found in a reply; exactly one of these.

    Several criteria are named: ``json: {accuracy: $.accuracy, style: $.style}``.
    """

    json_: str | dict[str, str] | None = Field(
        None, alias="json", description="path of a field, such as $.score; of each criterion"
    )
    regex: str | dict[str, str] | None = Field(
        None, description="pattern with one group, which is the verdict; one for each criterion"
    )
    first_word: Annotated[dict[str, str] | None, BeforeValidator(_as_words)] = Field(
        None, description="how a reply may begin, and what each word says"
    )
    score: list[str] | None = Field(
        None, description="criteria, each with a line of its own at the start: NAME: 7"
    )
    python: str | None = Field(
        None, description="package.module:function, or a reader that a package offers"
    )

    @model_validator(mode="after")
    def _one(self) -> Reading:
        if len(self.model_fields_set) != 1 or not self.model_dump(exclude_none=True):
            raise ValueError(f"give exactly one of {', '.join(_keys(Reading))}")
        ((how, given),) = self.model_dump(by_alias=True, exclude_none=True).items()
        if not given:
            raise ValueError(f"{how} is empty: say what it finds")
        return self


_HOW = ("brackets", "first_word", "score", "logprobs")
"""Ways of reading that need no more."""


def _reading(given: Any) -> Any:
    """A way of reading, so that a fault is said about what was meant and nothing else."""
    if isinstance(given, dict):
        try:
            return check(Reading, given, "read")
        except ConfigError as error:
            raise ValueError(str(error).removeprefix("read: ")) from None
    if isinstance(given, str) and given not in _HOW:
        how = given.partition(":")[0].strip()
        more = [name for name in _keys(Reading) if name not in _HOW]
        if how in (*_HOW, *more):
            raise ValueError(f"what {how} finds stands below it: read: {{{how}: …}}")
        raise ValueError(unknown_name("way of reading", how, [*_HOW, *more]))
    return given


class OwnPrompt(Section):
    """How a judge asks and is read, where its prompt is the suite's own."""

    examples: FileName | list[dict[str, str]] | None = Field(
        None, description="file of replies to learn from: a column for each placeholder, and reply"
    )
    read: Annotated[
        Literal["brackets", "first_word", "score", "logprobs"] | Reading | None,
        BeforeValidator(_reading),
    ] = Field(None, description="how a verdict is found in a reply")
    verdict: Literal["label", "score", "preference"] | None = Field(
        None,
        description="what a verdict is; if unset a preference with {answer_a}, a label with "
        "labels, else a score",
    )
    scale: tuple[FiniteFloat, FiniteFloat] | None = Field(
        None, description="lowest and highest score; the benchmark's if unset"
    )
    labels: Annotated[list[str] | dict[str, str] | None, BeforeValidator(_as_words)] = Field(
        None, description="what a reply may state, or what each of its words says"
    )
    overall: str | None = Field(
        None, description="of several criteria: the one that is the whole, or mean"
    )
    frame: bool = Field(True, description="texts of a case between lines that none can imitate")
    max_answer_chars: PositiveInt = Field(
        20_000, description="a longer answer is shown with its middle left out"
    )


class JudgeConfig(Endpoint, OwnPrompt):
    """A judge with a name of its own; lexical judges need none and are used by their kind."""

    name: Name
    prompt: File | None = Field(None, description="file of a prompt of one's own")
    kind: str | None = Field(None, description="way of judging; the benchmark's default if unset")
    options: Settings = Field(default_factory=dict)
    lm_eval: LmEval | None = Field(None, description="the model of the provider 'local'")
    reward_model: RewardModel | None = Field(None, description="that of 'reward_model'")
    prefix_cache: bool = Field(
        False,
        description="let a model on this machine keep what prompts begin with, and ask it prompts "
        "of one beginning one after the other: faster, and now and then another reply",
    )

    @field_validator("options")
    @classmethod
    def _examples_beside(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        named = value.get(_EXAMPLES)
        return value | {_EXAMPLES: str(_file(named, info))} if isinstance(named, str) else value

    @field_validator("name")
    @classmethod
    def _no_person(cls, value: str) -> str:
        if is_human(value):
            raise ValueError(f"{value!r} is the name of a person whose labels are imported")
        if value.startswith(PANEL):
            raise ValueError(f"{value!r} would be taken for a panel; name the judge otherwise")
        return value

    @property
    def own(self) -> dict[str, Any]:
        """What is said of a prompt of one's own, as JSON; without what is not said."""
        return self.model_dump(
            mode="json", by_alias=True, include={*OwnPrompt.model_fields}, exclude_unset=True
        )

    def _faults(self) -> dict[str, object]:
        own = [name for name in OwnPrompt.model_fields if name in self.model_fields_set]
        engine = self.lm_eval and self.lm_eval.model
        keeps = engine in CACHING_ENGINES or self.provider == "openai_compatible"
        itself = self.provider == CANDIDATE
        elsewhere = [name for name in _ELSEWHERE if itself and getattr(self, name)]
        faults = super()._faults()
        for provider, section in (("local", "lm_eval"), ("reward_model", "reward_model")):
            alone = (self.provider == provider) != (getattr(self, section) is not None)
            faults |= {
                f"the provider {provider!r} and the section {section!r} go together": (
                    alone and not itself
                )
            }
        return faults | {
            f"{', '.join(own)}: said of a prompt of one's own; name its file as 'prompt'": (
                self.prompt is None and own
            ),
            "a judge with a prompt of its own has no 'kind' and no 'options'": (
                self.prompt is not None and (self.kind or self.options)
            ),
            "a reward model reads no prompt: leave out 'prompt'": (
                self.prompt is not None and self.reward_model
            ),
            "prefix_cache is for a judge on your own machines: a server of the provider "
            f"openai_compatible, or lm_eval: {{model: {' or '.join(CACHING_ENGINES)}}}"
            + (f"; the backend {engine} keeps nothing" if engine else ""): (
                self.prefix_cache and not keeps
            ),
            f"the provider {CANDIDATE!r} is each model itself, and is reached as its section says: "
            f"leave out {', '.join(elsewhere)}": elsewhere,
            "a judge with a provider names its 'model'": (
                self.provider not in (None, CANDIDATE, "local", "reward_model") and not self.model
            ),
        }


class Panel(Ruled):
    """Judges whose verdicts are combined by a named rule; each of them also has its own board."""

    judges: list[str] = Field(min_length=2)
    rule: Literal["majority", "mean", "dawid_skene", "one_coin"] = "majority"
    min_valid: PositiveInt | None = Field(
        None, description="readable verdicts that are needed; more than half of the judges if unset"
    )

    def _faults(self) -> dict[str, object]:
        twice, n = _twice(self.judges), len(self.judges)
        return {
            f"a judge named twice in a panel would have two votes: {twice}": twice,
            f"min_valid: {self.min_valid} readable verdicts of {n} judges cannot be had": (
                (self.min_valid or 0) > n
            ),
        }

    @property
    def name(self) -> str:
        """How the panel is called on boards."""
        least = "" if self.min_valid is None else f";min_valid={self.min_valid}"
        return f"{PANEL}{self.rule}({','.join(self.judges)}{least})"


class StopRule(Section):
    """Judge models beside a baseline until it is decided which is better, and no further."""

    baseline: str | None = Field(
        None, description="the benchmark's, or the first of its models, if unset"
    )
    candidates: list[str] | None = Field(None, description="all other models if unset")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="shared by all candidates and judges")
    open_ended: bool = Field(False, description="items may be added later: a higher limit")
    covariates: bool = Field(
        False, description="order items by difficulty and lengths, where they are known beforehand"
    )

    @field_validator("candidates")
    @classmethod
    def _some(cls, value: list[str] | None) -> list[str] | None:
        if value is not None and (not value or _twice(value)):
            raise ValueError(f"name candidates once each, at least one, not {value}")
        return value


class BenchmarkConfig(Ruled):
    """A benchmark of the suite. ``options`` are the benchmark's own (prompt variant, …).

    With ``items`` it is the team's own: prompts from a file, judged by a ``rubric`` on a ``scale``,
    against the answers of a ``baseline``, or by their references. With ``lm_eval_task`` it is a
    task of lm-eval, and called like it unless it has a ``name``.
    """

    name: str = Field(description="NAME or NAME@VERSION")
    judges: list[str] = Field(default_factory=list, description="none where answers are all")
    models: list[str] | None = Field(None, description="only these models; all if unset")
    limit: PositiveInt | None = Field(None, description="only the first items")
    limit_by_category: PositiveInt | None = Field(
        None, description="only the first items of each category"
    )
    samples: PositiveInt = Field(
        1, le=MOST_SAMPLES, description="answers of each model to each item"
    )
    judged_samples: Literal["all", "first"] | None = Field(
        None,
        description="which of them are judged; if unset all, but only the first one where further "
        "ones are drawn in another way",
    )
    judge_samples: PositiveInt = Field(
        1, le=MOST_SAMPLES, description="times each judge is asked the same"
    )
    baseline: str | None = Field(None, description="the model whose answers are compared with")
    orders: Literal["seeded", "both", "model_first", "opponent_first"] = Field(
        "seeded", description="who is shown first: drawn for each item, or both in turn"
    )
    panel: list[str] | Panel | None = Field(None, description="judges whose verdicts are combined")
    stop_when_decided: StopRule | None = Field(
        None, description="judge no more items than it takes to say which model is better"
    )
    items: File | None = Field(None, description="own prompts: JSONL, CSV or Parquet")
    lm_eval_task: str | None = Field(
        None, description="a task of lm-eval, whose own metrics judge where 'judges' are not said"
    )
    confirm_run_unsafe_code: bool = Field(
        False, description="let the lm-eval task run what models write as code on this machine"
    )
    rubric: File | None = Field(None, description="what a good answer is, as text")
    scale: tuple[FiniteFloat, FiniteFloat] | None = Field(None, description="lowest and highest")
    dimensions: list[str] = Field(default_factory=list, description="parts of a score")
    max_tokens: PositiveInt | None = Field(None, description="of an answer to own prompts")
    harm: bool = Field(False, description="own prompts whose answers may refuse, or do harm")
    labels: list[File] = Field(default_factory=list, description="labels of people, imported")
    options: Settings = Field(default_factory=dict)

    @field_validator("judges", "models", "dimensions")
    @classmethod
    def _each_once(cls, value: list[str] | None) -> list[str] | None:
        if twice := _twice(value or ()):
            raise ValueError(f"named twice: {twice}")
        return value

    @property
    def jury(self) -> Panel | None:
        """The panel, with its defaults."""
        return Panel(judges=self.panel) if isinstance(self.panel, list) else self.panel

    def narrowed(self, to: Narrowing) -> BenchmarkConfig | None:
        """The benchmark with these judges, models and first items alone; None if none is left.

        One without judges, whose answers are asked for alone, keeps none. A panel of which a judge
        is missing is none.
        """
        metrics = [judge for judge in to.judges if judge.startswith(OWN_METRIC)]
        named = metrics if self.judged_by_metrics else self.judges
        judges = [judge for judge in named if not to.judges or judge in to.judges]
        models = self.models
        if models is not None and to.models:
            models = [model for model in models if model in to.models]
        judged = self.judges or (self.judged_by_metrics and to.judges)
        if (judged and not judges) or (self.models and not models):
            return None
        limits = [limit for limit in (self.limit, to.limit) if limit is not None]
        whole = self.jury is not None and set(self.jury.judges) <= set(judges)
        changed = {
            "models": models,
            "limit": min(limits, default=None),
            "panel": self.panel if whole else None,
        }
        if judges or not self.judged_by_metrics:
            changed["judges"] = judges
        return self.model_copy(update=changed)

    @property
    def judged_by_metrics(self) -> bool:
        """Whether its judges are all metrics of an lm-eval task: nobody says otherwise."""
        return self.lm_eval_task is not None and "judges" not in self.model_fields_set

    def _faults(self) -> dict[str, object]:
        own = {
            "rubric": self.rubric,
            "scale": self.scale,
            "dimensions": self.dimensions,
            "max_tokens": self.max_tokens,
            "harm": self.harm,
        }
        low, high = self.scale or (0, 1)
        faults: dict[str, object] = {}
        for name in (name for name, given in own.items() if given):
            scores = name in ("rubric", "scale", "dimensions")
            faults |= {
                f"{name!r} is for own prompts: name their file as 'items'": self.items is None,
                f"{name!r} is of scores, and 'harm' says what is refused or harms": (
                    self.harm and scores
                ),
            }
        faults |= {
            "an lm-eval task brings its questions, and has no 'options'": (
                self.lm_eval_task is not None and (self.items is not None or self.options)
            ),
            "'confirm_run_unsafe_code' is for an 'lm_eval_task'": (
                self.confirm_run_unsafe_code and self.lm_eval_task is None
            ),
            "give 'limit' or 'limit_by_category', not both": (
                self.limit is not None and self.limit_by_category is not None
            ),
            "the version of own prompts is the hash of the questions; no '@' here": (
                self.items is not None and "@" in self.name
            ),
            f"a scale goes upwards, not from {low} to {high}": not low < high,
            "'dimensions' are rated on a scale: give it, e.g. scale: [1, 10]": (
                self.dimensions and self.scale is None
            ),
        }
        if isinstance(self.panel, list) and len(self.panel) < 2:
            return faults | {"a panel is of two judges or more": True}
        for name in self.panel.judges if isinstance(self.panel, Panel) else self.panel or ():
            if name not in self.judges:
                faults |= {f"panel: {unknown_name('judge', name, self.judges)}": True}
        return faults


class Limits(Section):
    """Ceilings for each provider of the run, and for what the run may take in all."""

    max_connections: PositiveInt = 16
    requests_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None
    max_retries: int = Field(5, ge=0)
    max_minutes: Amount = Field(10.0, description="of retrying one call")
    timeout_s: Amount = 120.0
    max_cost_usd: Amount | None = Field(None, description="stops before a call could exceed it")
    max_tokens: PositiveInt | None = Field(None, description="of all questions and replies")

    @property
    def loading_s(self) -> float:
        """How long a model on this machine may take to load, where no judge's ``timeout_s`` says.

        Longer than a call: weights are read, or fetched.
        """
        return max(self.timeout_s, LOADING_S)


class BudgetConfig(Section):
    """What a project may cost in a calendar month (UTC), over all runs that share the store."""

    project: Name
    usd_per_month: Amount = Field(description="stops before a call could exceed it")


def _card_numbers(given: Any) -> Any:
    """Numbers of GPUs: as a list, or as text such as ``0,1`` or ``0-7``."""
    if not isinstance(given, str):
        return [given] if type(given) is int else given
    found: list[int] = []
    for part in given.split(","):
        numbers = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part.strip())
        if numbers is None:
            raise ValueError(f"GPUs are numbers, such as 0,1 or 0-7, not {given!r}")
        found += range(int(numbers[1]), int(numbers[2] or numbers[1]) + 1)
    return found


class GpuConfig(Section):
    """Where the models and judges of a suite go that say no ``gpus`` of their own.

    Each takes as few cards as it fits on (tensor parallel), as many times as there are such
    (``copies`` at most), and models and judges come one after the other: ``in_turn``. ``apart``
    and ``together`` have judges load while models answer, on cards of their own or on the same.
    """

    devices: Annotated[
        list[int] | None,
        BeforeValidator(_card_numbers, json_schema_input_type=list[int] | int | str | None),
    ] = Field(None, description="numbers of the cards, such as 0-7; all that are visible if unset")
    memory_gib: Amount | None = Field(None, description="of each card; as nvidia-smi says if unset")
    place: Literal["in_turn", "apart", "together"] = "in_turn"
    copies: PositiveInt | None = Field(None, description="most processes of one model or judge")

    @field_validator("devices")
    @classmethod
    def _each_once(cls, value: list[int] | None) -> list[int] | None:
        if value is not None and (not value or len({*value}) < len(value) or min(value) < 0):
            raise ValueError(f"cards are named once each, by their numbers from 0 on, not {value}")
        return value


class RayExecutor(Section):
    """A cluster of Ray: local models are loaded on its nodes, each in so many GPUs."""

    address: str = Field("auto", description="of the cluster; auto: that of this machine")
    gpus_per_model: int = Field(1, ge=0, description="0 for models that run without")
    cpus_per_model: PositiveInt = 1
    nodes: dict[str, str] = Field(
        default_factory=dict, description="labels that Ray knows of the nodes to use, by name"
    )


class SlurmExecutor(Section):
    """A job array of Slurm: each job has a shard of the suite, and a last one ends the run."""

    array: PositiveInt = Field(4, description="shards, each a job")
    parallel: PositiveInt | None = Field(None, description="jobs at once; all of them if unset")
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gpus: int = Field(0, ge=0, description="of each job")
    cpus: PositiveInt | None = Field(None, description="of each job")
    memory_gb: Amount | None = Field(None, description="of each job")
    minutes: PositiveInt = Field(240, description="of a job; then it is queued again and goes on")
    requeues: int = Field(10, ge=0, description="how often, where its time was over")
    sbatch: Settings = Field(default_factory=dict, description="further options of sbatch")
    setup: list[str] = Field(
        default_factory=list, description="lines of shell before each job, as `module load cuda`"
    )
    folder: File | None = Field(
        None, description="of jobs and their logs, seen by all nodes; jobs/ beside the suite"
    )
    cluster: Literal["slurm", "local"] = Field(
        "slurm", description="local: the same jobs as processes of this machine, to try a suite"
    )


class Executor(Section):
    """Where a run is worked on: exactly one of these; this machine where none is said."""

    ray: RayExecutor | None = None
    slurm: SlurmExecutor | None = None

    @model_validator(mode="after")
    def _one(self) -> Executor:
        if len([name for name in EXECUTORS if getattr(self, name) is not None]) != 1:
            raise ValueError(f"give exactly one of {', '.join(EXECUTORS)}, as in ray: {{}}")
        return self


EXECUTORS = tuple(Executor.model_fields)
LOCAL = "local"
"""What this machine is called beside `EXECUTORS`."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of ``of`` parts of the items of each benchmark; ``number`` counts from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``3/16`` is the third of sixteen.

        Raises
        ------
        UsageError
            For anything that is no such part.
        """
        number, slash, of = text.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise UsageError(
                f"--shard {text}: K/N is the K-th of N parts, such as 3/16, with K from 1 to N"
            )
        return cls(int(number), int(of))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def of_items(self, items: Sequence[Item], chunk: int) -> Sequence[Item]:
        """Whole chunks, one after the other; all shards together have every item once."""
        chunks = -(-len(items) // chunk)
        start, end = (chunks * n // self.of * chunk for n in (self.number - 1, self.number))
        return items[start:end]


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What of a suite is asked, where that is not all of it.

    ``limit`` is the first items of each benchmark, ``shard`` a part of those; ``models`` and
    ``judges`` are names of the suite, all of them where none is named.
    """

    limit: int | None = None
    models: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    shard: Shard | None = None

    def options(self) -> list[str]:
        """As a command line says it."""
        named = [("--model", name) for name in self.models]
        named += [("--judge", name) for name in self.judges]
        named += [] if self.limit is None else [("--limit", str(self.limit))]
        named += [] if self.shard is None else [("--shard", str(self.shard))]
        return [word for option in named for word in option]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The file of a suite.

    path
        Where it is; None for a suite that is in none.
    written
        What stands in it, ``${NAME}`` not filled in.
    notes
        What its author should change before it is no longer understood.
    """

    path: Path | None = None
    written: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Suite(Ruled):
    """Which models answer which benchmarks, and who judges."""

    name: Name
    models: list[ModelConfig] = Field(
        default_factory=list, description="none where benchmarks bring the answers to be judged"
    )
    judges: list[JudgeConfig] = Field(default_factory=list)
    benchmarks: list[BenchmarkConfig] = Field(min_length=1)
    limits: Limits = Field(default_factory=Limits)
    budget: BudgetConfig | None = Field(None, description="shared by all runs of a project")
    executor: Executor | None = Field(None, description="a cluster; this machine if unset")
    prices: dict[str, PriceConfig] = Field(
        default_factory=dict, description="by model, over the table that comes with judgebench"
    )
    gpus: GpuConfig | None = Field(None, description="where models and judges of this machine go")
    seed: int = Field(1234, ge=0, lt=2**32)
    store: str | None = None
    include_path: File | list[File] = Field(
        default_factory=list, description="folders with benchmarks or lm-eval tasks"
    )
    track: list[Literal["wandb", "mlflow"]] = Field(
        default_factory=list, description="experiment trackers that are sent each run as it ends"
    )

    _source: Source = PrivateAttr(default_factory=lambda: Source())

    @property
    def source(self) -> Source:
        """Its file; as of none where it comes from none."""
        return self._source

    @field_validator("models", "benchmarks")
    @classmethod
    def _each_setting(cls, value: list[Any], info: ValidationInfo) -> list[Any]:
        """A model with a matrix is all its settings, also where a benchmark names it."""
        if info.field_name == "models":
            return [
                one
                for model in value
                for one in ([model] if model.matrix is None else model.settings())
            ]
        known = [model.name for model in info.data.get("models", ())]
        settings = {
            name: [name] if name in known else [k for k in known if k.startswith(f"{name}[")]
            for one in value
            for name in one.models or ()
        }
        return [
            one
            if one.models is None
            else one.model_copy(
                update={"models": [n for m in one.models for n in settings[m] or [m]]}
            )
            for one in value
        ]

    def _faults(self) -> dict[str, object]:
        known = [model.name for model in self.models]
        named = [name for benchmark in self.benchmarks for name in benchmark.models or ()]
        faults: dict[str, object] = {}
        for what, names in (("models", known), ("judges", [judge.name for judge in self.judges])):
            faults |= {f"{what} named twice: {_twice(names)}": _twice(names)}
        for name in named:
            if name not in known:
                faults |= {unknown_name("model", name, {*known}): True}
        return faults

    def narrowed(self, to: Narrowing) -> Suite:
        """The suite with the named judges and models and the first items alone.

        A benchmark that is left without judges, or without the models that it lists, is left out.
        A baseline stays, since its answers are what others are compared with.

        Raises
        ------
        UsageError
            For a name that the suite does not have, with the nearest; where nothing is left.
        """
        known = {judge for b in self.benchmarks for judge in b.judges}
        if any(b.judged_by_metrics for b in self.benchmarks):  # which it has, the task says
            known |= {judge for judge in to.judges if judge.startswith(OWN_METRIC)}
        models = {model.name for model in self.models}
        refuse_unknown("judge", to.judges, known, error=UsageError, about="--judge: ")
        refuse_unknown("model", to.models, models, error=UsageError, about="--model: ")
        left = [b for b in (benchmark.narrowed(to) for benchmark in self.benchmarks) if b]
        if not left:
            raise nothing_left(to)
        baselines = {benchmark.baseline for benchmark in left}
        named = [m for m in self.models if not to.models or m.name in {*to.models, *baselines}]
        return self.model_copy(update={"benchmarks": left, "models": named})

    def on(self, executor: str) -> Suite:
        """The suite on one of `EXECUTORS` or `LOCAL`, with what it says of that one itself.

        Raises
        ------
        UsageError
            For one that is not known.
        """
        known = (LOCAL, *EXECUTORS)
        refuse_unknown("executor", [executor], known, error=UsageError, about="--executor: ")
        if self.executor is not None and getattr(self.executor, executor, None) is not None:
            return self
        chosen = None if executor == LOCAL else Executor.model_validate({executor: {}})
        return self.model_copy(update={"executor": chosen})

    def unjudged(self) -> Suite:
        """The suite with the answers alone: nobody judges, and no labels are taken in."""
        nobody: dict[str, Any] = {"judges": [], "panel": None, "labels": []}
        asked = [benchmark.model_copy(update=nobody) for benchmark in self.benchmarks]
        return self.model_copy(update={"benchmarks": asked})

    def deciding_early(self) -> Suite:
        """The suite with every benchmark judged until it is decided which model is better."""
        benchmarks = [
            b if b.stop_when_decided else b.model_copy(update={"stop_when_decided": StopRule()})
            for b in self.benchmarks
        ]
        return self.model_copy(update={"benchmarks": benchmarks})

    def in_batches(self) -> Suite:
        """The suite with every provider that takes batches asked that way."""
        judges = [j.model_copy(update={"batch": j.provider in BATCHING}) for j in self.judges]
        models = [
            m
            if m.api is None
            else m.model_copy(
                update={"api": m.api.model_copy(update={"batch": m.api.provider in BATCHING})}
            )
            for m in self.models
        ]
        return self.model_copy(update={"judges": judges, "models": models})


def nothing_left(to: Narrowing) -> UsageError:
    """That no benchmark of a suite has both one of the judges and one of the models."""
    judges = f"judged by {' or '.join(to.judges)}" if to.judges else "judged"
    models = f" with answers of {' or '.join(to.models)}" if to.models else ""
    return UsageError(f"no benchmark of the suite is {judges}{models}: nothing would be asked")


def load_suite(path: Path, *, environment: Mapping[str, str] | None = None) -> Suite:
    """Read and check a suite.

    Raises
    ------
    ConfigError
        Naming the file and, where there is one, the line and the field.
    """
    keys = ", ".join(Suite.model_fields)
    written = yaml_file.read_yaml(path, f"a suite is a mapping with the keys {keys}")
    sections = written.data.get("benchmarks")
    for section in sections if isinstance(sections, list) else ():
        if isinstance(section, dict) and section.get("lm_eval_task"):
            section.setdefault("name", section["lm_eval_task"])
    environment = os.environ if environment is None else environment
    data = yaml_file.expanded(written, environment)
    beside = _Beside(path, environment)
    suite = check(Suite, data, path, written.lines, beside)
    notes: tuple[str, ...] = ()
    if elsewhere := [*beside.elsewhere]:
        here = os.path.relpath(elsewhere[0], path.parent)
        more = f" and {len(elsewhere) - 1} more" if elsewhere[1:] else ""
        notes = (
            f"{path}: {elsewhere[0]}{more} found from the working directory: paths are those "
            f"beside the suite, so write {here}; the next release looks there only",
        )
    suite._source = Source(path=path, written=written.data, notes=notes)
    return suite


def as_asked(
    written: Mapping[str, Any], limits: Mapping[str, Any], in_batches: Suite | None
) -> dict[str, Any]:
    """A suite as written, with what the command line says otherwise: what a manifest keeps.

    Parameters
    ----------
    limits
        Those that go before the suite's.
    in_batches
        The suite as it is asked, where it is to be asked in batches.
    """
    asked = dict(written)
    if limits:
        asked["limits"] = {**(written.get("limits") or {}), **limits}
    if in_batches is not None:
        judges = {judge.name for judge in in_batches.judges if judge.batch}
        batch = [m.name for m in in_batches.models if m.api is not None and m.api.batch]
        models = {*batch, *(name.partition("[")[0] for name in batch)}  # of a matrix
        asked["judges"] = [
            {**judge, "batch": True} if judge["name"] in judges else judge
            for judge in written.get("judges") or ()
        ]
        asked["models"] = [
            {**model, "api": {**model["api"], "batch": True}} if model["name"] in models else model
            for model in written.get("models") or ()
        ]
    return asked


# What is wrong, in words ------------------------------------------------------------------------


def check(
    cls: type[Model],
    data: Any,
    path: Path | str,
    lines: Mapping[yaml_file.Field, int] | None = None,
    beside: _Beside | None = None,
) -> Model:
    """Data checked against a pydantic model; every fault becomes one readable line."""
    try:
        return cls.model_validate(data, context=beside)
    except ValidationError as error:
        faults: dict[yaml_file.Field, list[Any]] = {}
        for one in error.errors():
            faults.setdefault(_field(one, data), []).append(one)
        outer = {field[:i] for field in faults for i in range(len(field))}
        said = (
            f"{yaml_file.where(path, field, lines or {})}: {message}"
            for field, same in faults.items()
            if field not in outer  # it could have been something else, but for what is wrong in it
            for message in _messages(cls, field, same)
        )
        raise ConfigError("\n".join(dict.fromkeys(said))) from None


def _field(found_wrong: Any, data: Any) -> yaml_file.Field:
    """Where a fault is. For each kind that a field may be, pydantic adds a part and a fault."""
    path: yaml_file.Field = tuple(found_wrong["loc"])
    if found_wrong["type"] == _AT:
        return path + tuple(found_wrong["ctx"]["at"])
    named = found_wrong["type"] in {"extra_forbidden", "missing"}  # what is written, or should be
    found: yaml_file.Field = ()
    for part in path[:-1] if named else path:
        try:
            data = data[part]
        except (LookupError, TypeError):
            if not named:
                return found
        else:
            found = (*found, part)
    return (*found, path[-1]) if named else found


def _messages(cls: type[BaseModel], field: yaml_file.Field, faults: Sequence[Any]) -> list[str]:
    each = [said for one in faults if one["type"] == _EACH for said in one["ctx"]["each"]]
    return each or [_message(cls, field, faults)]


def _message(cls: type[BaseModel], field: yaml_file.Field, faults: Sequence[Any]) -> str:
    kind = faults[0]["type"]
    if kind == "extra_forbidden":
        return unknown_name("key", str(field[-1]), _keys(_section_at(cls, field[:-1])))
    if kind == "missing":
        return "is missing"
    message = str(faults[0]["msg"]).removeprefix("Value error, ")
    if kind in {"value_error", _AT}:
        return message
    others = [str(fault["msg"]).removeprefix("Input should be ") for fault in faults[1:]]
    said = _PYTHON_WORDS.sub("", " or ".join(dict.fromkeys([message, *others])))
    return f"{said} (found {_kind(faults[0]['input'])})"


def _kind(found: Any) -> str:
    """What was found, in a few words."""
    if isinstance(found, str | int | float | None):
        return repr(found)
    kinds = {dict: "a mapping", list: "a list", date: f"the date {found}"}
    other = f"a {type(found).__name__}"
    return next((says for kind, says in kinds.items() if isinstance(found, kind)), other)


def _keys(cls: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in cls.model_fields.items()]


def _section_at(cls: type[BaseModel], path: yaml_file.Field) -> type[BaseModel]:
    """The section that a path leads to, through lists, dicts and optional fields."""
    current: type[BaseModel] = cls
    for part in path:
        if isinstance(part, str) and part in current.model_fields:
            inner = _inner_section(current.model_fields[part].annotation)
            current = inner or current
    return current


def _inner_section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _inner_section(part)
        if found is not None:
            return found
    return None
