"""Suites: what a run is asked to do, read from YAML and checked before anything starts.

Everything wrong is found here, named by file, line and field, with the nearest known name.
Paths are relative to the working directory, as on a command line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from judgebench.errors import ConfigError, unknown_name

DEFAULT_STORE = "sqlite:///results/judgebench.db"

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s/|][^\n\r\t]*$")]
Path_ = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


class Section(BaseModel):
    """A part of a configuration: frozen, and no key is accepted that means nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class LmEval(Section):
    """A local model run through lm-eval; fields carry lm-eval's names."""

    model: str = "hf"
    model_args: dict[str, Any] = Field(default_factory=dict)
    batch_size: PositiveInt | Literal["auto"] = 8
    device: str | None = None
    apply_chat_template: bool | str = True
    system_instruction: str | None = None
    fewshot_as_multiturn: bool = False
    gen_kwargs: dict[str, Any] = Field(default_factory=dict)
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
    tags: dict[str, str | int | float | bool] = Field(default_factory=dict)

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
    timeout_s: PositiveFloat = 600.0
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
    sampling: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    extra: dict[str, Any] = Field(default_factory=dict, description="sent as it is with each call")
    max_connections: PositiveInt | None = None
    max_retries: int | None = Field(None, ge=0)
    timeout_s: PositiveFloat | None = None

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
        return self


class BenchmarkConfig(Section):
    """A benchmark of the suite. ``options`` are the benchmark's own (prompt variant, …)."""

    name: str = Field(description="NAME or NAME@VERSION")
    judges: list[str] = Field(min_length=1)
    models: list[str] | None = Field(None, description="only these models; all if unset")
    limit: PositiveInt | None = None
    samples: PositiveInt = 1
    labels: list[Path] = Field(default_factory=list, description="labels of people, imported")
    options: dict[str, Any] = Field(default_factory=dict)


class Limits(Section):
    """Ceilings for each provider of the run."""

    max_connections: PositiveInt = 16
    max_retries: int = Field(5, ge=0)
    max_minutes: PositiveFloat = Field(10.0, description="of retrying one call")
    timeout_s: PositiveFloat = 120.0


class Suite(Section):
    """Which models answer which benchmarks, and who judges."""

    name: Name
    models: list[ModelConfig] = Field(min_length=1)
    judges: list[JudgeConfig] = Field(default_factory=list)
    benchmarks: list[BenchmarkConfig] = Field(min_length=1)
    limits: Limits = Field(default_factory=Limits)
    seed: int = 1234
    store: str | None = None

    @model_validator(mode="after")
    def _names(self) -> Suite:
        for what, parts in (("models", self.models), ("judges", self.judges)):
            names = [part.name for part in cast("Sequence[ModelConfig | JudgeConfig]", parts)]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} named twice: {', '.join(twice)}")
        known = [model.name for model in self.models]
        for benchmark in self.benchmarks:
            for name in benchmark.models or ():
                if name not in known:
                    raise ValueError(unknown_name("model", name, known))
        return self


def load_suite(path: Path, *, environment: Mapping[str, str] | None = None) -> Suite:
    """Read and check a suite.

    Raises
    ------
    ConfigError
        Naming the file and, where there is one, the line and the field.
    """
    return read_yaml(Suite, path, environment=os.environ if environment is None else environment)


def raw_suite(path: Path) -> dict[str, Any]:
    """The suite as written, ``${NAME}`` not filled in: what a manifest keeps."""
    return dict(_load(path)[0])


def read_yaml(cls: type[Model], path: Path, *, environment: Mapping[str, str]) -> Model:
    """A YAML file checked against a pydantic model, with ``${NAME}`` filled in."""
    data, lines = _load(path)
    _refuse_literal_keys(data, path, lines)
    return check(cls, _expand(data, environment, path, lines), path, lines)


def check(
    cls: type[Model], data: Any, path: Path | str, lines: Mapping[Path_, int] | None = None
) -> Model:
    """Data checked against a pydantic model; every fault becomes one readable line."""
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        faults = [_fault(cls, fault, path, lines or {}) for fault in error.errors()]
        raise ConfigError("\n".join(dict.fromkeys(faults))) from None


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key written twice instead of taking the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands here twice", key_node.start_mark
                )
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep)


def _load(path: Path) -> tuple[Mapping[str, Any], dict[Path_, int]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    try:
        data = yaml.load(text, _Loader)
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise ConfigError(f"{where}: {getattr(error, 'problem', error)}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: a suite is a mapping with the keys {', '.join(_keys(Suite))}")
    return data, dict(_lines(node, ()))


def _lines(node: yaml.Node | None, path: Path_) -> Iterator[tuple[Path_, int]]:
    """The line of every field, by its path."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, str(key.value)), key.start_mark.line + 1
            yield from _lines(value, (*path, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield (*path, i), value.start_mark.line + 1
            yield from _lines(value, (*path, i))


_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_LOOKS_LIKE_A_KEY = re.compile(
    r"\b(sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{16,}|gsk_[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{30,})"
)


def _walk(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, element in value.items():
            yield from _walk(element, (*path, str(key)))
    elif isinstance(value, list):
        for i, element in enumerate(value):
            yield from _walk(element, (*path, i))


def _refuse_literal_keys(data: Any, path: Path, lines: Mapping[Path_, int]) -> None:
    for field, text in _walk(data):
        in_key_field = bool(field) and field[-1] == "api_key" and not _VARIABLE.fullmatch(text)
        if in_key_field or _LOOKS_LIKE_A_KEY.search(text):
            raise ConfigError(
                f"{_where(path, field, lines)}: a key stands here in plain text; put it into an "
                "environment variable and write ${NAME} (and treat the key as leaked if this file "
                "was ever shared)"
            )


def _expand(
    value: Any,
    environment: Mapping[str, str],
    source: Path,
    lines: Mapping[Path_, int],
    path: Path_ = (),
) -> Any:
    if isinstance(value, dict):
        return {
            k: _expand(v, environment, source, lines, (*path, str(k))) for k, v in value.items()
        }
    if isinstance(value, list):
        return [_expand(v, environment, source, lines, (*path, i)) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if environment.get(name):
            return environment[name]
        if default is not None:
            return default
        raise ConfigError(
            f"{_where(source, path, lines)}: the environment variable {name} is not set; "
            f"export {name}=… and run again"
        )

    return _VARIABLE.sub(fill, value)


def _where(source: Path | str, path: Path_, lines: Mapping[Path_, int]) -> str:
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
    field = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
    place = f"{source}:{line}" if line is not None else str(source)
    return f"{place}: {field}" if field else place


def _fault(cls: type[BaseModel], fault: Any, source: Path | str, lines: Mapping[Path_, int]) -> str:
    path: Path_ = tuple(fault["loc"])
    if fault["type"] == "extra_forbidden":
        owner = _section_at(cls, path[:-1])
        return f"{_where(source, path, lines)}: {unknown_name('key', str(path[-1]), _keys(owner))}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "missing":
        message = "is missing"
    elif fault["type"] not in {"value_error"} and "input" in fault:
        given = fault["input"]
        if isinstance(given, str | int | float | bool) or given is None:
            message = f"{message} (found {given!r})"
    return f"{_where(source, path, lines)}: {message}"


def _keys(cls: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in cls.model_fields.items()]


def _section_at(cls: type[BaseModel], path: Path_) -> type[BaseModel]:
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
