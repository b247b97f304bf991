"""YAML files with the line of every field, and what a file must not do to its reader."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from judgebench.errors import ConfigError

Field = tuple[str | int, ...]

MOST_NODES = 100_000
"""Fields and values of a file with its aliases written out; a suite has some hundreds."""

_NAME, _DEFAULT = r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*+)", r"(?:[^}$]|\$(?!\{))*+"
# No default goes past the next ${: else every one of a row of them would be read to the end.
VARIABLE = re.compile(rf"{_NAME}(?::-(?P<default>{_DEFAULT}))?\}}")
_WITHIN_DEFAULT = re.compile(rf"{_NAME}:-{_DEFAULT}\$\{{[A-Za-z_]")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in a file, ``${NAME}`` not filled in, and on which line each field does."""

    source: Path
    data: Any
    lines: Mapping[Field, int]

    def where(self, field: Field) -> str:
        """File, line and field, for a message."""
        return where(self.source, field, self.lines)


def read(path: Path) -> Written:
    """A YAML file, read safely.

    Raises
    ------
    ConfigError
        For a file that cannot be read, a key written twice, an alias that holds itself, or more
        content than a person writes.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines = dict(_lines(node, path))  # first: it refuses what construction would choke on
        data = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise ConfigError(f"{place}: {getattr(error, 'problem', None) or error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply to be read") from None
    except ValueError as error:  # a date that does not exist, a number of thousands of digits
        raise ConfigError(f"{path}: a value cannot be read: {error}; put it in quotes") from None
    return Written(path, data, lines)


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


def _lines(root: yaml.Node | None, source: Path) -> Iterator[tuple[Field, int]]:
    """The line of every field, by its path, with every alias written out.

    A node that holds itself has no end, and ten aliases of ten aliases of … have none in practice.
    """
    above: set[int] = set()
    count = 0

    def walk(node: yaml.Node | None, path: Field) -> Iterator[tuple[Field, int]]:
        nonlocal count
        if node is None:
            return
        place = f"{source}:{node.start_mark.line + 1}"
        if id(node) in above:
            raise ConfigError(f"{place}: what stands here holds an alias of itself")
        count += 1
        if count > MOST_NODES:
            raise ConfigError(
                f"{source}: more than {MOST_NODES} fields and values, aliases written out; that is "
                "no suite"
            )
        above.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                yield (*path, str(key.value)), key.start_mark.line + 1
                yield from walk(value, (*path, str(key.value)))
        elif isinstance(node, yaml.SequenceNode):
            for i, value in enumerate(node.value):
                yield (*path, i), value.start_mark.line + 1
                yield from walk(value, (*path, i))
        above.discard(id(node))

    return walk(root, ())


class FromEnvironment(str):
    """A value that is one variable's, and says which."""

    __slots__ = ("variable",)
    variable: str

    def __new__(cls, text: str, variable: str) -> FromEnvironment:
        made = super().__new__(cls, text)
        made.variable = variable
        return made


def expanded(written: Written, environment: Mapping[str, str]) -> Any:
    """The content with ``${NAME}`` and ``${NAME:-default}`` filled in.

    Raises
    ------
    ConfigError
        For a variable that is not set or stands within the default of another, or a text or number
        that no file or store can hold.
    """

    def fill(text: str, field: Field) -> str:
        def value_of(match: re.Match[str]) -> str:
            name, default = match["name"], match["default"]
            if environment.get(name):
                return environment[name]
            if default is not None:
                return default
            raise ConfigError(
                f"{written.where(field)}: the environment variable {name} is not set; "
                f"export {name}=… and run again"
            )

        if nested := _WITHIN_DEFAULT.search(text):
            raise ConfigError(
                f"{written.where(field)}: the default of {nested['name']} holds another variable; "
                "a default is plain text: set one variable, or give the other one to a field of "
                "its own"
            )
        filled = storable(VARIABLE.sub(value_of, text), field)
        only = VARIABLE.fullmatch(text)
        return filled if only is None else FromEnvironment(filled, only["name"])

    def storable(text: str, field: Field) -> str:
        if _UNSTORABLE.search(text):
            raise ConfigError(
                f"{written.where(field)}: holds a character that cannot be stored (NUL, or half of "
                "a surrogate pair)"
            )
        return text

    def walk(value: Any, field: Field) -> Any:
        if isinstance(value, str):
            return fill(value, field)
        if isinstance(value, list):
            return [walk(element, (*field, i)) for i, element in enumerate(value)]
        if isinstance(value, dict):
            return {
                storable(key, field) if isinstance(key, str) else key: walk(v, (*field, str(key)))
                for key, v in value.items()
            }
        if isinstance(value, int) and value.bit_length() > 63:
            raise ConfigError(f"{written.where(field)}: a whole number has 63 bits at most")
        return value

    return walk(written.data, ())


def where(source: Path | str, field: Field, lines: Mapping[Field, int]) -> str:
    """File, line and field, for a message; the line of the nearest part that has one."""
    line = next((lines[field[:n]] for n in range(len(field), 0, -1) if field[:n] in lines), None)
    name = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in field).lstrip(".")
    place = f"{source}:{line}" if line is not None else str(source)
    return f"{place}: {name}" if name else place
