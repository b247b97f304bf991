"""YAML files with the line of every field, and what a file must not do to its reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

from judgebench.errors import ConfigError
from judgebench.secret import Secret, secret_parts

Field = tuple[str | int, ...]

MOST_NODES = 100_000
"""Fields and values of a file with its aliases written out; a suite has some hundreds."""

_NAME, _DEFAULT = r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*+)", r"(?:[^}$]|\$(?!\{))*+"
# No default goes past the next ${: else every one of a row of them would be read to the end.
VARIABLE = re.compile(rf"{_NAME}(?::-(?P<default>{_DEFAULT}))?\}}")
_WITHIN_DEFAULT = re.compile(rf"{_NAME}:-{_DEFAULT}\$\{{[A-Za-z_]")
_MERGED = "tag:yaml.org,2002:merge"
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in a file, ``${NAME}`` not filled in, and on which line each field does."""

    source: Path
    data: Any
    lines: Mapping[Field, int]
    kept: bool = False
    """Whether a store has kept it with a run, which was asked: no keys are looked for then."""

    def where(self, field: Field) -> str:
        """File, line and field, for a message."""
        return where(self.source, field, self.lines)


def read_yaml(path: Path, what: str = "") -> Written:
    """A YAML file, read safely; a mapping, where ``what`` says so: ``a policy is a mapping …``.

    Raises
    ------
    ConfigError
        For a file that cannot be read or is no mapping, a key written twice, an alias that holds
        itself, or more content than a person writes.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        lines = dict(_lines(path, node))  # first: it refuses what construction would choke on
        data = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise ConfigError(f"{place}: {getattr(error, 'problem', None) or error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply to be read") from None
    except ValueError as error:  # a date that does not exist, a number of thousands of digits
        raise ConfigError(f"{path}: a value cannot be read: {error}; put it in quotes") from None
    if what and not isinstance(data, dict):
        raise ConfigError(f"{path}: {what}")
    return Written(path, data, lines)


def _lines(
    source: Path,
    node: yaml.Node | None,
    path: Field = (),
    above: frozenset[int] = frozenset(),
    numbers: Iterator[int] | None = None,
) -> Iterator[tuple[Field, int]]:
    """The line of every field, by its path, with every alias written out.

    A key written twice is refused, where YAML takes the last. A node that holds itself has no end,
    and ten aliases of ten aliases of … have none in practice.

    Parameters
    ----------
    above
        What a node stands in.
    numbers
        Counts the nodes.
    """
    if node is None:
        return
    place, numbers = f"{source}:{node.start_mark.line + 1}", numbers or count(1)
    if id(node) in above:
        raise ConfigError(f"{place}: what stands here holds an alias of itself")
    if next(numbers) > MOST_NODES:
        raise ConfigError(
            f"{source}: more than {MOST_NODES} fields and values, aliases written out; that is no "
            "suite"
        )
    above |= {id(node)}
    within: list[tuple[str | int, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        within = [(str(key.value), key, value) for key, value in node.value]
        seen: set[tuple[str, str]] = set()
        for name, key, _ in within:
            if isinstance(key, yaml.ScalarNode) and (key.tag, name) in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} stands here twice", key.start_mark
                )
            if key.tag == _MERGED:  # of what merges and is merged, PyYAML takes the wrong values
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    "'<<' is not understood: write the fields out, or KEY: *ALIAS for all of it",
                    key.start_mark,
                )
            seen.add((key.tag, str(name)))
    elif isinstance(node, yaml.SequenceNode):
        within = [(i, value, value) for i, value in enumerate(node.value)]
    for name, stands, value in within:
        yield (*path, name), stands.start_mark.line + 1
        yield from _lines(source, value, (*path, name), above, numbers)


class FromEnvironment(str):
    """A value that is one variable's, and says which."""

    __slots__ = ("variable",)
    variable: str

    def __new__(cls, text: str, variable: str) -> FromEnvironment:
        made = super().__new__(cls, text)
        made.variable = variable
        return made


def expanded(
    written: Written, environment: Mapping[str, str], field: Field = (), value: Any = None
) -> Any:
    """The content with ``${NAME}`` and ``${NAME:-default}`` filled in; or what it has at a field.

    What the environment gives as a secret is masked from here on: what fills in a key, a header, or
    the user information, path or query of an address, however its variable is called. A default
    that stands in the file is none.

    Raises
    ------
    ConfigError
        For a key that stands there, which is not repeated; a variable that is not set or stands
        within the default of another; a text or number that no file or store can hold.
    """
    value = value if field else written.data
    texts = [value] if isinstance(value, str) else []
    if isinstance(value, dict):
        texts = [key for key in value if isinstance(key, str)]
    elif (wrong := _key_or_noted(value, field, environment)) and not written.kept:
        raise ConfigError(f"{written.where(field)}: {wrong}")
    if isinstance(value, str) and "${" in value:
        texts = [value := _filled(value, lambda: written.where(field), environment)]
    if any(map(_UNSTORABLE.search, texts)):
        raise ConfigError(
            f"{written.where(field)}: holds a character that cannot be stored (NUL, or half of "
            "a surrogate pair)"
        )
    if isinstance(value, list):
        return [expanded(written, environment, (*field, i), one) for i, one in enumerate(value)]
    if isinstance(value, dict):
        return {
            key: expanded(written, environment, (*field, str(key)), one)
            for key, one in value.items()
        }
    if isinstance(value, int) and value.bit_length() > 63:
        raise ConfigError(f"{written.where(field)}: a whole number has 63 bits at most")
    return value


def _filled(text: str, place: Callable[[], str], environment: Mapping[str, str]) -> str:
    def value_of(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if environment.get(name):
            return environment[name]
        if default is not None:
            return default
        raise ConfigError(
            f"{place()}: the environment variable {name} is not set; export {name}=… and run again"
        )

    if nested := _WITHIN_DEFAULT.search(text):
        raise ConfigError(
            f"{place()}: the default of {nested['name']} holds another variable; a default is "
            "plain text: set one variable, or give the other one to a field of its own"
        )
    filled = VARIABLE.sub(value_of, text)
    only = VARIABLE.fullmatch(text)
    return filled if only is None else FromEnvironment(filled, only["name"])


def where(source: Path | str, field: Field, lines: Mapping[Field, int]) -> str:
    """File, line and field, for a message; the line of the nearest part that has one."""
    line = next((lines[field[:n]] for n in range(len(field), 0, -1) if field[:n] in lines), None)
    name = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in field).lstrip(".")
    place = f"{source}:{line}" if line is not None else str(source)
    return f"{place}: {name}" if name else place


# Keys that stand in a suite: refused where they would be read, recorded or shown ----------------
#
# A suite is shared, and stored as written with every run. What it says of a question is stored too,
# with ``${NAME}`` filled in. So a key stands in few places, and only as ``${NAME}``.

MODEL_TOKENS = frozenset({"token", "hf_token", "use_auth_token"})
"""Arguments of a local model that open the Hub's door and say nothing about the model."""

RECORDED = frozenset(
    {"extra", "sampling", "options", "gen_kwargs", "model_args", "system_instruction", "tags"}
)
"""Parts of a suite whose content is stored with what was asked."""

_SECRET_NAME = re.compile(
    r"(?:^|api_?|access_?|secret_?|private_?|auth_?)key$|(?-i:_KEY)$"
    r"|token$|secret$|passw(?:or)?d$|passphrase$|authorization$|credentials?$",
    re.IGNORECASE,
)
_OF_A_TOKENIZER = re.compile(
    r"(?:add_)?(?:bos|eos|pad|unk|sep|cls|mask|prefix|image|audio|video|stop|(?:think_)?(?:start|end))"
    r"_token$"
)
_LOOKS_LIKE_A_KEY = re.compile(
    r"\b(sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{16,}|gsk_[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{30,})"
    r"|://[^/\s@:]*:(?!\$\{)[^/\s@]+@"  # the password of an address
)
_ONLY_A_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_SHELL_VARIABLE = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")

_IN_PLAIN_TEXT = (
    "a key stands here in plain text; put it into an environment variable and write ${NAME}, with "
    "no default (and treat the key as leaked if this file was ever shared)"
)
_NO_PLACE = (
    "what stands here is stored and shown, so no key may be in it, not even as ${NAME}; a key is "
    "given as api_key: ${NAME}, to a server in its command or env, to a local model as "
    "model_args: {token: ${NAME}} (a variable that holds no key has another name)"
)


def is_secret_name(name: str) -> bool:
    """Whether what has this name is a key: ``api_key``, ``HF_TOKEN``, ``--hf-token``, ….

    >>> [is_secret_name(name) for name in ("OPENAI_API_KEY", "max_tokens", "think_end_token")]
    [True, False, False]
    """
    name = name.lstrip("-").replace("-", "_")
    return bool(_SECRET_NAME.search(name)) and not _OF_A_TOKENIZER.match(name)


def _key_or_noted(value: Any, field: Field, environment: Mapping[str, str]) -> str | None:
    """Why what stands there may not, where it is a key; its secrets are known to `masked` then."""
    if value is None or isinstance(value, bool):
        return None
    names = [name for name in field if isinstance(name, str)]
    if isinstance(value, list):
        given = [*_given_by_flags(value)]
        for text in given:
            _note_whole(text, environment)
        return None if all(map(_ONLY_A_VARIABLE.fullmatch, given)) else _IN_PLAIN_TEXT
    text = value if isinstance(value, str) else ""
    recorded = next((name for name in names if name in RECORDED), None)
    if names[-2:-1] == ["model_args"] and names[-1] in MODEL_TOKENS:
        recorded = None if recorded == "model_args" else recorded
    is_key = any(map(is_secret_name, names))
    filled_in = any(is_secret_name(match["name"]) for match in VARIABLE.finditer(text))
    if "${" in text and (is_key or any("header" in name.lower() for name in names)):
        _note_whole(text, environment)
    elif "${" in text:
        _note_parts(text, environment, is_path=names[-1:] == ["ready"])
    if _LOOKS_LIKE_A_KEY.search(text):
        return _IN_PLAIN_TEXT
    if recorded is not None and (is_key or filled_in):
        return (
            f"what stands in '{recorded}' is stored with what is asked, so no key may be in it,"
            " not even as ${NAME}; a judge takes its key as api_key: ${NAME}, a local model as "
            "model_args: {token: ${NAME}}"
        )
    if recorded is None and is_key and not _ONLY_A_VARIABLE.fullmatch(text):
        return _IN_PLAIN_TEXT
    if recorded is None and not is_key and filled_in and "server" not in names:
        return _NO_PLACE
    return None


def _note_whole(text: str, environment: Mapping[str, str]) -> None:
    for match in VARIABLE.finditer(text):
        Secret(environment.get(match["name"], ""))


def _note_parts(text: str, environment: Mapping[str, str], *, is_path: bool) -> None:
    """What of an address comes from the environment and is neither host nor port."""
    filled, given = "http://host/" if is_path else "", []
    at = 0
    for match in VARIABLE.finditer(text):
        filled += text[at : match.start()]
        value = environment.get(match["name"])
        if value and is_secret_name(match["name"]):
            Secret(value)
        if value:
            given.append((len(filled), len(filled) + len(value)))
        filled += value or match["default"] or ""
        at = match.end()
    filled += text[at:]
    for begin, end in secret_parts(filled) if given else ():
        for start, stop in given:
            if part := filled[max(begin, start) : min(end, stop)]:
                Secret(part)
                Secret(unquote(part))


def _given_by_flags(command: Sequence[Any]) -> Iterator[str]:
    """What a command line gives as a key: ``--api-key X``, ``--token=X``, ``HF_TOKEN=X``."""
    words = [
        word.strip("'\"") for part in command if isinstance(part, str) for word in part.split()
    ]
    for i, word in enumerate(words):
        name, equals, value = word.partition("=")
        if not is_secret_name(name):
            continue
        if not equals and name.startswith("-"):
            value = next(iter(words[i + 1 : i + 2]), "")
        if value and not value.startswith("--") and not _SHELL_VARIABLE.fullmatch(value):
            yield value.strip("'\"")
