"""Keys that stand in a suite: refused where they would be read, recorded or shown.

A suite is shared, and stored as written with every run. What it says of a question is stored too,
with ``${NAME}`` filled in. So a key stands in few places, and only as ``${NAME}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from judgebench.errors import ConfigError
from judgebench.secret import Secret, secret_parts
from judgebench.yaml_file import VARIABLE, Field, Written

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


def refuse_written_keys(written: Written) -> None:
    """Nothing, or what is wrong.

    Raises
    ------
    ConfigError
        Naming the place; the key is not repeated.
    """
    for field, value in _values(written.data):
        if wrong := _wrong(field, value):
            raise ConfigError(f"{written.where(field)}: {wrong}")


def note_secrets(data: Any, environment: Mapping[str, str]) -> None:
    """Have the values masked that the environment gives to a file as secrets.

    Such is what fills in a key, a header, or the user information, path or query of an address,
    however its variable is called. A default that stands in the file is none.

    Parameters
    ----------
    data
        The content of a file, ``${NAME}`` not filled in.
    """
    for field, value in _values(data):
        if isinstance(value, list):
            for given in _given_by_flags(value):
                _note_whole(given, environment)
        elif isinstance(value, str):
            names = [name for name in field if isinstance(name, str)]
            if any(is_secret_name(name) or "header" in name.lower() for name in names):
                _note_whole(value, environment)
            else:
                _note_parts(value, environment, is_path=names[-1:] == ["ready"])


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


def _wrong(field: Field, value: Any) -> str | None:
    if isinstance(value, list):
        return _IN_PLAIN_TEXT if any(map(_in_plain_text, _given_by_flags(value))) else None
    text = value if isinstance(value, str) else ""
    if _LOOKS_LIKE_A_KEY.search(text):
        return _IN_PLAIN_TEXT
    names = [name for name in field if isinstance(name, str)]
    recorded = next((name for name in names if name in RECORDED), None)
    if recorded == "model_args" and names[-2:-1] == ["model_args"] and names[-1] in MODEL_TOKENS:
        recorded = None
    is_key = any(map(is_secret_name, names))
    filled_in = any(is_secret_name(match["name"]) for match in VARIABLE.finditer(text))
    if recorded is not None:
        return _recorded(recorded) if is_key or filled_in else None
    if is_key:
        return _IN_PLAIN_TEXT if _in_plain_text(text) else None
    return _NO_PLACE if filled_in and "server" not in names else None


def _recorded(part: str) -> str:
    return (
        f"what stands in '{part}' is stored with what is asked, so no key may be in it, not even "
        "as ${NAME}; a judge takes its key as api_key: ${NAME}, a local model as "
        "model_args: {token: ${NAME}}"
    )


def _in_plain_text(text: str) -> bool:
    return not _ONLY_A_VARIABLE.fullmatch(text)


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


def _values(value: Any, field: Field = ()) -> Iterator[tuple[Field, Any]]:
    """Every text and number with its field, and every list as a whole."""
    if isinstance(value, dict):
        for key, element in value.items():
            yield from _values(element, (*field, str(key)))
    elif isinstance(value, list):
        yield field, value
        for i, element in enumerate(value):
            yield from _values(element, (*field, i))
    elif value is not None and not isinstance(value, bool):
        yield field, value
