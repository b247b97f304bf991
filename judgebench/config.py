"""Suites: what a run is asked to do, read from YAML and checked before anything starts.

Everything wrong is found here, named by file, line and field, with the nearest known name.
Paths are relative to the working directory, as on a command line.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from judgebench import yaml_file
from judgebench.addresses import checked_base_url
from judgebench.errors import ConfigError, unknown_name
from judgebench.records import is_human
from judgebench.written_keys import refuse_written_keys

Model = TypeVar("Model", bound=BaseModel)


def _storable(settings: dict[str, Any]) -> dict[str, Any]:
    """What is sent and kept as JSON has to be JSON."""
    _refuse_no_json(settings, ())
    return settings


def _refuse_no_json(value: Any, at: yaml_file.Field) -> None:
    if isinstance(value, dict):
        for key, element in value.items():
            if not isinstance(key, str):
                raise _no_json(f"the name {key!r} is no text; put it in quotes", at)
            _refuse_no_json(element, (*at, key))
    elif isinstance(value, list):
        for i, element in enumerate(value):
            _refuse_no_json(element, (*at, i))
    elif isinstance(value, float) and not math.isfinite(value):
        raise _no_json(f"a number is finite, not {value}", at)
    elif not (value is None or isinstance(value, str | bool | int | float)):
        raise _no_json(
            f"{_kind(value)} cannot be sent or stored; put it in quotes if a text is meant", at
        )


def _no_json(message: str, at: yaml_file.Field) -> PydanticCustomError:
    return PydanticCustomError(_NO_JSON, "{says}", {"says": message, "at": at})


_NO_JSON = "no_json"

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s/|][^\n\r\t]*$")]
Settings = Annotated[dict[str, Any], AfterValidator(_storable)]
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A part of a configuration: frozen, and no key is accepted that means nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


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
    gpus: str | None = Field(None, description="CUDA_VISIBLE_DEVICES of the worker, as text")

    @field_validator("model_args")
    @classmethod
    def _names_a_model(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not value.get("pretrained") and not value.get("model"):
            raise ValueError("name the checkpoint: model_args: {pretrained: FOLDER_OR_HUB_ID}")
        return value


class ModelConfig(Section):
    """A candidate: a local model or answers that exist. Tags are labels, no part of any key."""

    name: Name
    lm_eval: LmEval | None = None
    responses: Path | None = None
    tags: dict[str, str | int | FiniteFloat | bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_source(self) -> ModelConfig:
        if (self.lm_eval is None) == (self.responses is None):
            raise ValueError("a model has exactly one of 'lm_eval' and 'responses'")
        return self


class ServerConfig(Section):
    """A local server that the run starts when the first call needs it, and stops at its end.

    ``{port}`` in the command and in the judge's ``base_url`` is replaced by a free port; a first
    word ``python`` is the interpreter that runs judgebench.
    """

    command: list[str] = Field(min_length=1)
    ready: str = "/v1/models"
    timeout_s: Amount = 600.0
    env: dict[str, str] = Field(default_factory=dict)
    gpus: str | None = None


class JudgeConfig(Section):
    """A judge with a name of its own; lexical judges need none and are used by their kind."""

    name: Name
    kind: str | None = Field(None, description="way of judging; the benchmark's default if unset")
    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    api_key: SecretStr | None = Field(None, description="always ${NAME}, never the key itself")
    identity: str | None = Field(None, description="what is behind a server, if not its provider")
    identity_file: Path | None = Field(None, description="model file whose hash is the identity")
    server: ServerConfig | None = None
    sampling: Settings = Field(default_factory=dict)
    options: Settings = Field(default_factory=dict)
    extra: Settings = Field(default_factory=dict, description="sent as it is with each call")
    max_connections: PositiveInt | None = None
    max_retries: int | None = Field(None, ge=0)
    timeout_s: Amount | None = None

    @field_validator("name")
    @classmethod
    def _no_person(cls, value: str) -> str:
        if is_human(value):
            raise ValueError(f"{value!r} is the name of a person whose labels are imported")
        return value

    @model_validator(mode="after")
    def _complete(self) -> JudgeConfig:
        if self.provider is not None and not self.model:
            raise ValueError("a judge with a provider names its 'model'")
        if self.provider is None and (self.server or self.base_url or self.model):
            raise ValueError("name the 'provider' that answers, e.g. openai_compatible")
        if self.provider == "openai_compatible" and not self.base_url:
            raise ValueError("openai_compatible needs the server's 'base_url'")
        if self.identity and self.identity_file:
            raise ValueError("give 'identity' or 'identity_file', not both")
        if self.base_url is not None:
            own = self.server is not None  # a free port is found for an own server only
            try:
                checked_base_url(self.base_url.replace("{port}", "80") if own else self.base_url)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return self


class BenchmarkConfig(Section):
    """A benchmark of the suite. ``options`` are the benchmark's own (prompt variant, …)."""

    name: str = Field(description="NAME or NAME@VERSION")
    judges: list[str] = Field(min_length=1)
    models: list[str] | None = Field(None, description="only these models; all if unset")
    limit: PositiveInt | None = None
    samples: PositiveInt = 1
    labels: list[Path] = Field(default_factory=list, description="labels of people, imported")
    options: Settings = Field(default_factory=dict)

    @field_validator("judges", "models")
    @classmethod
    def _each_once(cls, value: list[str] | None) -> list[str] | None:
        if twice := _twice(value or ()):
            raise ValueError(f"named twice: {twice}")
        return value


class Limits(Section):
    """Ceilings for each provider of the run."""

    max_connections: PositiveInt = 16
    max_retries: int = Field(5, ge=0)
    max_minutes: Amount = Field(10.0, description="of retrying one call")
    timeout_s: Amount = 120.0


class Suite(Section):
    """Which models answer which benchmarks, and who judges."""

    name: Name
    models: list[ModelConfig] = Field(min_length=1)
    judges: list[JudgeConfig] = Field(default_factory=list)
    benchmarks: list[BenchmarkConfig] = Field(min_length=1)
    limits: Limits = Field(default_factory=Limits)
    seed: int = Field(1234, ge=0, lt=2**32)
    store: str | None = None

    @model_validator(mode="after")
    def _names(self) -> Suite:
        for what, parts in (("models", self.models), ("judges", self.judges)):
            named = cast("Sequence[ModelConfig | JudgeConfig]", parts)
            if twice := _twice([part.name for part in named]):
                raise ValueError(f"{what} named twice: {twice}")
        known = [model.name for model in self.models]
        for benchmark in self.benchmarks:
            for name in benchmark.models or ():
                if name not in known:
                    raise ValueError(unknown_name("model", name, known))
        return self


def _twice(names: Sequence[str]) -> str:
    return ", ".join(sorted({name for name in names if names.count(name) > 1}))


def load_suite(path: Path, *, environment: Mapping[str, str] | None = None) -> Suite:
    """Read and check a suite.

    Raises
    ------
    ConfigError
        Naming the file and, where there is one, the line and the field.
    """
    written = _read(path)
    refuse_written_keys(written)
    data = yaml_file.expanded(written, os.environ if environment is None else environment)
    return check(Suite, data, path, written.lines)


def raw_suite(path: Path) -> dict[str, Any]:
    """The suite as written, ``${NAME}`` not filled in: what a manifest keeps."""
    return dict(_read(path).data)


def _read(path: Path) -> yaml_file.Written:
    written = yaml_file.read(path)
    if not isinstance(written.data, dict):
        raise ConfigError(f"{path}: a suite is a mapping with the keys {', '.join(_keys(Suite))}")
    return written


# What is wrong, in words ------------------------------------------------------------------------


def check(
    cls: type[Model],
    data: Any,
    path: Path | str,
    lines: Mapping[yaml_file.Field, int] | None = None,
) -> Model:
    """Data checked against a pydantic model; every fault becomes one readable line."""
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        faults: dict[yaml_file.Field, list[Any]] = {}
        for fault in error.errors():
            faults.setdefault(_field(fault, data), []).append(fault)
        said = (
            f"{yaml_file.where(path, field, lines or {})}: {_message(cls, field, same)}"
            for field, same in faults.items()
        )
        raise ConfigError("\n".join(dict.fromkeys(said))) from None


def _field(fault: Any, data: Any) -> yaml_file.Field:
    """Where a fault is. For each kind that a field may be, pydantic adds a part and a fault."""
    path: yaml_file.Field = tuple(fault["loc"])
    if fault["type"] == _NO_JSON:
        return path + tuple(fault["ctx"]["at"])
    if fault["type"] in {"extra_forbidden", "missing"}:
        return path
    for i, part in enumerate(path):
        try:
            data = data[part]
        except (LookupError, TypeError):
            return path[:i]
    return path


def _message(cls: type[BaseModel], field: yaml_file.Field, faults: Sequence[Any]) -> str:
    kind = faults[0]["type"]
    if kind == "extra_forbidden":
        return unknown_name("key", str(field[-1]), _keys(_section_at(cls, field[:-1])))
    if kind == "missing":
        return "is missing"
    message = str(faults[0]["msg"]).removeprefix("Value error, ")
    if kind in {"value_error", _NO_JSON}:
        return message
    others = [str(fault["msg"]).removeprefix("Input should be ") for fault in faults[1:]]
    return f"{' or '.join(dict.fromkeys([message, *others]))} (found {_kind(faults[0]['input'])})"


def _kind(found: Any) -> str:
    """What was found, in a few words."""
    if isinstance(found, str | int | float | None):
        return repr(found)
    kinds = {dict: "a mapping", list: "a list", date: f"the date {found}"}
    return next((says for kind, says in kinds.items() if isinstance(found, kind)), _type(found))


def _type(found: Any) -> str:
    return f"a {type(found).__name__}"


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
