"""A team's own prompts as they stand in a file: a question, or a conversation, a row."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from judgebench.errors import InputError, unknown_name
from judgebench.keys import list_key
from judgebench.records import JsonObject, Message, Role
from judgebench.rows import Row, each_row

QUESTION = ("prompt", "question", "instruction")
"""Fields that hold a question as a text; a row has one of them, or one of `CONVERSATION`."""

CONVERSATION = ("turns", "messages")
"""Fields that hold a list of messages, each with a role and a content."""

_KNOWN = {*QUESTION, *CONVERSATION, "id", "reference", "references", "category", "language"}
_ROLES = ("system", "user", "assistant")
_NEAR = 0.8
_NOTHING: JsonObject = {}  # shared by all rows that have nothing else, which is most of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One row. ``metadata`` are its fields that have no meaning here, for reports.

    ``prompt`` is the text that a model is put, where that is not the question alone.
    """

    id: str
    turns: tuple[Message, ...]
    references: tuple[str, ...] = ()
    category: str | None = None
    language: str = "en"
    metadata: JsonObject = field(default_factory=dict)
    prompt: str | None = None


def read_questions(path: Path) -> tuple[Question, ...]:
    """The questions of a JSONL, CSV or Parquet file, in their order.

    A row without an id is known by its number, counted from 0.

    Raises
    ------
    InputError
        Naming file, row and field of what cannot be used, or both rows of an id that stands twice.
    """
    questions: list[Question] = []
    places: dict[str, str] = {}
    for number, row in enumerate(each_row(path, ())):
        question = _question(row, number)
        first = places.setdefault(question.id, row.where)
        if first != row.where:
            raise row.wrong(
                "id",
                f"{question.id!r} is the id of {first} too; give each row its own, or none "
                "an id, and they are known by their numbers",
            )
        questions.append(question)
    return tuple(questions)


def questions_sha(questions: Sequence[Question]) -> str:
    """SHA-256 of what is asked, as 64 hex digits: neither the file's form nor metadata count."""
    asked = (
        {
            "id": one.id,
            "turns": one.turns,
            "references": one.references,
            "category": one.category,
            "language": one.language,
        }
        for one in questions
    )
    return list_key("own prompts", asked).hex()


def _question(row: Row, number: int) -> Question:
    return Question(
        id=_optional_text(row, "id") or str(number),
        turns=_turns(row),
        references=_references(row),
        category=_optional_text(row, "category"),
        language=_optional_text(row, "language") or "en",
        metadata=_metadata(row),
    )


# What is asked ------------------------------------------------------------------------------------


def _turns(row: Row) -> tuple[Message, ...]:
    given = [name for name in (*QUESTION, *CONVERSATION) if row.has(name)]
    if not given:
        raise _no_question(row)
    if len(given) > 1:
        raise row.wrong(
            given[1], f"stands beside {given[0]!r}, and one of them is the question; rename one"
        )
    (name,) = given
    if name in CONVERSATION:
        return _conversation(row, name)
    if name == "instruction" and row.has("input"):
        raise row.wrong("input", "a model is put one text: join 'instruction' and 'input' as one")
    return (Message(role="user", content=_text(row, name)),)


def _no_question(row: Row) -> InputError:
    columns = [str(name) for name in row.values]
    asked = (*QUESTION, *CONVERSATION)
    near = (
        name
        for name in columns
        if name not in _KNOWN and difflib.get_close_matches(name.lower(), asked, 1, _NEAR)
    )
    meant = next(near, None)
    hint = f"; is {meant!r} meant? Call it 'prompt'" if meant else f" (nor {', '.join(asked[1:])})"
    return row.wrong("prompt", f"is missing{hint}. Columns here: {', '.join(columns) or 'none'}")


def _conversation(row: Row, name: str) -> tuple[Message, ...]:
    turns = tuple(_message(row, f"{name}[{n}]", one) for n, one in enumerate(_list(row, name)))
    roles = [turn.role for turn in turns]
    spoken = roles[1:] if roles[:1] == ["system"] else roles
    in_turn = all(role == ("user", "assistant")[n % 2] for n, role in enumerate(spoken))
    if not in_turn or len(spoken) % 2 == 0:
        raise row.wrong(
            name,
            "a conversation may begin with the system, goes on with user and assistant in turn, "
            f"and ends with the user; here: {', '.join(roles) or 'nothing'}",
        )
    return turns


def _message(row: Row, at: str, told: Any) -> Message:
    if not isinstance(told, Mapping):
        raise row.wrong(at, "an object with 'role' and 'content' has to stand here")
    part = Row(row.where, {f"{at}.{name}": value for name, value in told.items()})
    role = part.text(f"{at}.role")
    if role not in _ROLES:
        raise part.wrong(f"{at}.role", unknown_name("role", role, _ROLES))
    for name, value in told.items():
        if name not in {"role", "content"} and value is not None:
            raise part.wrong(f"{at}.{name}", "no model would see it: a message is role and content")
    return Message(role=cast("Role", role), content=_text(part, f"{at}.content"))


# The other fields ---------------------------------------------------------------------------------


def _references(row: Row) -> tuple[str, ...]:
    if not row.has("references"):
        one = _optional_text(row, "reference")
        return () if one is None else (one,)
    if row.has("reference"):
        raise row.wrong("reference", "stands beside 'references'; put all of them there")
    found = _list(row, "references")
    part = Row(row.where, {f"references[{n}]": one for n, one in enumerate(found)})
    return tuple(_text(part, name) for name in part.values)


def _metadata(row: Row) -> JsonObject:
    """What else stands in a row, as JSON: a Parquet file also holds dates, decimals and bytes."""
    rest = {name: row.values[name] for name in row.values if name not in _KNOWN and row.has(name)}
    if not rest:
        return _NOTHING
    text = json.dumps(rest, default=str)
    found: JsonObject = json.loads(text, parse_constant=lambda _: None)  # nan and infinity
    return found


def _text(row: Row, name: str) -> str:
    """A text that is not blank and can be sent."""
    text = row.text(name)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise row.wrong(
            name,
            f"character {error.start + 1} is half a character (a lone surrogate), which cannot be "
            "sent to a model; write the text again",
        ) from None
    return text


def _optional_text(row: Row, name: str) -> str | None:
    return _text(row, name) if row.has(name) else None


def _list(row: Row, name: str) -> Sequence[Any]:
    """A list; where a column only holds text, as in CSV, the list as JSON."""
    value = row.values[name]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, list):
        one = "; a single one goes into 'reference'" if name == "references" else ""
        raise row.wrong(name, f"a list has to stand here, in a CSV file written as JSON{one}")
    return value
