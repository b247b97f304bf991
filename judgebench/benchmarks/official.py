"""Official prompts, read from text, JSON, YAML or Python files; a Python file is never run.

From Python only constants are read: texts, also concatenated, dedented or stripped, f-strings and
lambdas of f-strings whose placeholders are bare names (or what these hold at a fixed place), lists
of chat messages of such texts, each message by its role too, and dictionaries of them, also inside
functions, their loops and conditions.
Anything else is refused with its reason, so that a prompt is either upstream's text or not there.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, starmap
from pathlib import Path
from textwrap import dedent
from typing import Any

from judgebench import yaml_file
from judgebench.errors import ConfigError, InputError
from judgebench.template import PLACEHOLDER

MAX_BYTES = 4_000_000
_METHODS = {"strip": str.strip, "lstrip": str.lstrip, "rstrip": str.rstrip}


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a file by name, and why others could not be read.

    ``composed`` are those again whose placeholders are called like another text beside them, with
    that text put in.
    """

    found: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    composed: Mapping[str, str] = field(default_factory=dict)


def read_texts(path: Path) -> Texts:
    """The prompt texts in a ``.txt``, ``.json``, ``.jsonl``, ``.yaml`` or ``.py`` file.

    Names are the file's (text), the path of keys (JSON, YAML), or ``Class.NAME`` (Python). A list
    of chat messages is one text, see `chat_text`.

    Raises
    ------
    InputError
        For a file that is too large, no UTF-8, or not what its name says.
    """
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: too large for a file of prompts ({MAX_BYTES:,} bytes at most)")
    try:
        text = path.read_text(encoding="utf-8")
        match path.suffix:
            case ".json":
                return Texts(dict(_json_texts(json.loads(text), "")))
            case ".yaml":
                return Texts(dict(_json_texts(yaml_file.read_yaml(path).data, "")))
            case ".jsonl":  # FastChat's: a line for each prompt, by its name
                lines = map(json.loads, text.removesuffix("\n").split("\n"))
                return Texts(dict(_json_texts({one["name"]: one for one in lines}, "")))
            case ".py":
                return _python_texts(ast.parse(text).body)
            case _:
                # A text may be pinned with its last line break or without.
                return Texts({path.stem: text.removesuffix("\n"), path.name: text})
    except (
        UnicodeDecodeError,
        SyntaxError,
        LookupError,
        TypeError,
        ValueError,
        RecursionError,
        ConfigError,
    ) as error:
        raise InputError(f"{path}: cannot be read as prompts: {error}") from None


def _json_texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, list) and value and all(map(_is_message, value)):
        yield name, chat_text((one["role"], one["content"]) for one in value)
    elif isinstance(value, dict):
        for key, element in value.items():
            yield from _json_texts(element, f"{name}/{key}" if name else str(key))


def _python_texts(body: list[ast.stmt], prefix: str = "") -> Texts:
    own: dict[str, str] = {}
    refused: dict[str, str] = {}
    inner: list[Texts] = []
    for statement in _statements(body):
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            inner.append(_python_texts(statement.body, f"{prefix}{statement.name}."))
            continue
        for name, value in chain.from_iterable(starmap(_entries, _assigned(statement))):
            own.pop(name, None)  # a later assignment replaces the earlier one
            try:
                own[name] = constant_text(value)
            except InputError as error:
                refused[prefix + name] = str(error)
    composed = {
        name: PLACEHOLDER.sub(
            lambda placeholder: own.get(placeholder[1], placeholder[0]), own[name]
        )
        for name in own
    }
    return Texts(
        {prefix + name: text for name, text in own.items()} | _joined(t.found for t in inner),
        refused | _joined(t.refused for t in inner),
        {prefix + name: text for name, text in composed.items() if text != own[name]}
        | _joined(t.composed for t in inner),
    )


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """All of them, those of loops and conditions too: they are assigned in the same scope."""
    for statement in body:
        if isinstance(statement, ast.For | ast.While | ast.If):
            yield from _statements(statement.body)
        else:
            yield statement


def _joined(parts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {name: text for part in parts for name, text in part.items()}


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, statement.value
    elif (
        isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and statement.value is not None
    ):
        yield statement.target.id, statement.value


def _entries(name: str, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """A value by its name, or those of a dictionary, each by its keys: ``PROMPTS.short``.

    A list of messages is one text, and each of its messages has its own: ``INPUT.0.content``.
    """
    match value:
        case ast.Dict(keys=keys, values=values) if None not in (names := [*map(_name, keys)]):
            for key, entry in zip(names, values, strict=True):
                yield from _entries(f"{name}.{key}", entry)
        case ast.List(elts=[ast.Dict(), *_] as elements):
            yield name, value
            for number, entry in enumerate(elements):
                yield from _entries(f"{name}.{number}", entry)
        case _:
            yield name, value


def _name(key: ast.expr | None) -> str | None:
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None


def constant_text(node: ast.expr) -> str:
    """The text an expression stands for.

    Raises
    ------
    InputError
        For an expression that is no constant text in the sense of this module.
    """
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return constant_text(left) + constant_text(right)
        case ast.Call(func=ast.Name(id="dedent"), args=[inner], keywords=[]):
            return dedent(constant_text(inner))
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="textwrap"), attr="dedent"),
            args=[inner],
            keywords=[],
        ):
            return dedent(constant_text(inner))
        case ast.Call(func=ast.Attribute(value=inner, attr=method), args=[], keywords=[]) if (
            method in _METHODS
        ):
            return _METHODS[method](constant_text(inner))
        case ast.Lambda(body=ast.JoinedStr() | ast.List() as body):
            return constant_text(body)
        case ast.List(elts=[_, *_] as messages):
            return chat_text(map(_message, messages))
        case ast.JoinedStr(values=parts):
            return "".join(map(_part, parts))
        case _:
            raise InputError(
                f"line {node.lineno}: {type(node).__name__} is no constant text; only texts, "
                "concatenation, dedent, strip and f-strings with bare names are read"
            )


def chat_text(messages: Iterable[tuple[str, str]]) -> str:
    """Roles and contents as one text, which judges take apart again, white space and all."""
    return "".join(f"<|im_start|>{role}\n{said}\n<|im_end|>\n" for role, said in messages)


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and {name: type(of) for name, of in value.items()} == {
        "role": str,
        "content": str,
    }


def _message(node: ast.expr) -> tuple[str, str]:
    match node:
        case ast.Dict(keys=[ast.Constant(value="role"), ast.Constant(value="content")],
                      values=[ast.Constant(value=str(role)), said]):  # fmt: skip
            return role, constant_text(said)
        case _:
            raise InputError(f"line {node.lineno}: a message has a 'role' and a 'content'")


def _part(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            if mistaken := PLACEHOLDER.search(text):
                raise InputError(
                    f"line {node.lineno}: {mistaken[0]} would be taken for a placeholder"
                )
            return text
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None) if _bare(value):
            return f"{{{ast.unparse(value)}}}"
        case _:
            raise InputError(f"line {node.lineno}: a placeholder is a bare name, without a format")


def _bare(node: ast.expr) -> bool:
    match node:
        case ast.Name():
            return True
        case ast.Attribute(value=value):
            return _bare(value)
        case ast.Subscript(value=value, slice=ast.Constant(value=str() | int()) | ast.Name()):
            return _bare(value)
        case _:
            return False
