"""Reads a reply that has to be exactly one JSON object."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from judgebench.dialogue import reads
from judgebench.records import JsonObject, Label, Reply, Unreadable

NOT_AN_OBJECT = Unreadable(reason="not one JSON object")
TWO_VERDICTS = Unreadable(reason="two verdicts")

_Members: TypeAlias = list[tuple[str, Any]]
_FENCE = "```"

REASON = "reason"
"""The member that comes first where reasons are asked for."""


def other_json(why: str) -> Unreadable:
    """An object, but another one."""
    return Unreadable(reason=f"not the JSON that was asked for: {why}")


def json_object(
    reply: Reply, names: Sequence[str], *, explain: bool = False
) -> dict[str, Any] | Unreadable:
    """The members of a reply that is one object with exactly these names.

    Where reasons were asked for, they may be missing: as in other forms of a reply, what it says is
    the verdict. A code fence around the whole object is overlooked. Text before or after it is not,
    nor is a name that stands twice: then nobody can say which value is meant.
    """
    found = json_members(reply.text)
    if isinstance(found, Unreadable):
        return found
    given = dict(found)
    if missing := [name for name in names if name not in given]:
        return other_json(f"no {missing[0]!r}")
    if further := [
        name for name in given if name not in names and not (explain and name == REASON)
    ]:
        return other_json(f"{further[0][:20]!r} was not asked for")
    return TWO_VERDICTS if len(found) > len(given) else given


def json_members(text: str) -> JsonMembers | Unreadable:
    """Names and values of a text that is one object, as written; those of objects in it alike."""
    try:
        found = json.loads(inside_fence(text), object_pairs_hook=JsonMembers)
    except (ValueError, RecursionError):
        return NOT_AN_OBJECT
    return found if isinstance(found, JsonMembers) else NOT_AN_OBJECT


def inside_fence(text: str) -> str:
    """What a code fence around all of a text holds, else the text."""
    opening, _, rest = text.strip().partition("\n")
    inside, line, closing = rest.rpartition("\n")
    fenced = opening.rstrip() in {_FENCE, f"{_FENCE}json"} and line and closing.strip() == _FENCE
    return inside if fenced else text


def json_schema(name: str, properties: JsonObject) -> dict[str, Any]:
    """The ``response_format`` for an object of these properties, in their order, all of them."""
    return {
        "type": "json_schema",
        "json_schema": {
            "name": name,
            "strict": True,
            "schema": {
                "type": "object",
                "properties": dict(properties),
                "required": list(properties),
                "additionalProperties": False,
            },
        },
    }


def choice_schema(
    title: str, name: str, choices: Sequence[str], *, explain: bool
) -> dict[str, Any]:
    """The ``response_format`` of one word of these, with the reasons first where they are asked."""
    reason = {REASON: {"type": "string"}} if explain else {}
    return json_schema(title, {**reason, name: {"type": "string", "enum": list(choices)}})


@reads("words")
def read_choice(
    reply: Reply, name: str, choices: Sequence[str], *, explain: bool
) -> Label | Unreadable:
    """The word in a reply that is exactly the JSON object that was asked for."""
    found = json_object(reply, [name], explain=explain)
    return found if isinstance(found, Unreadable) else listed(found, name, choices)


def listed(members: JsonObject, name: str, choices: Sequence[str]) -> Label | Unreadable:
    """The word that a member is, if it is one of these."""
    if members[name] in choices:
        return Label(name=members[name])
    return other_json(f"{name!r} is none of {', '.join(choices)}")


class JsonMembers(_Members):
    """An object's members as written, so that a name standing twice is seen."""
