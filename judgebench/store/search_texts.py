"""The texts that can be searched: questions, answers, and what judges wrote."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

from sqlalchemy import Connection, Select, func, select

from judgebench.store import schema
from judgebench.store.codec import read_item, reply_keys
from judgebench.store.database import chunks

Kind: TypeAlias = Literal["question", "answer", "reasoning"]
KINDS: tuple[Kind, ...] = ("question", "answer", "reasoning")

SEARCHED_CHARS = 100_000
"""How much of the beginning of a text is searched."""

_i, _r, _j, _p, _a = (
    schema.items.c, schema.responses.c, schema.judgments.c, schema.replies.c, schema.answers.c
)  # fmt: skip
_text, _thought = schema.texts.alias("text"), schema.texts.alias("thought")


class SearchText(NamedTuple):
    """A text with the number of its row, and a hash by which that row is known again."""

    number: int
    key: bytes
    text: str


def _start(column: Any) -> Any:
    return func.substr(column, 1, SEARCHED_CHARS)


_ROWS: dict[Kind, Select[Any]] = {
    "question": select(_i.id, _i.identity, _text.c.body)
    .join(_text, _text.c.sha == _i.content_sha)
    .where(_i.identity.is_not(None)),
    # Answers of a trial on another stack stand at no place, and are found at none.
    "answer": select(_r.id, _r.key, _start(_text.c.body))
    .join(_text, _text.c.sha == _r.text_sha)
    .where(select(_a.response_id).where(_a.response_id == _r.id).exists()),
    "reasoning": select(_j.id, _j.key, _start(_text.c.body), _j.reply_keys)
    .select_from(schema.judgments)
    .outerjoin(_text, _text.c.sha == _j.reason_sha),
}
_NUMBER = {"question": _i.id, "answer": _r.id, "reasoning": _j.id}
_SAID = (
    select(_p.key, _start(_text.c.body), _start(_thought.c.body))
    .join(_text, _text.c.sha == _p.text_sha)
    .outerjoin(_thought, _thought.c.sha == _p.reasoning_sha)
)


def rows_after(connection: Connection, kind: Kind, number: int, limit: int) -> list[SearchText]:
    """The next rows in the order of their numbers; judgments without any text among them."""
    column = _NUMBER[kind]
    query = _ROWS[kind].where(column > number).order_by(column).limit(limit)
    return list(_read(connection, kind, query))


def rows_of(connection: Connection, kind: Kind, numbers: Collection[int]) -> dict[int, SearchText]:
    """The rows of these numbers that there are, by number."""
    found: dict[int, SearchText] = {}
    for portion in chunks(numbers):
        query = _ROWS[kind].where(_NUMBER[kind].in_(portion))
        found |= {row.number: row for row in _read(connection, kind, query)}
    return found


def question_numbers(connection: Connection) -> list[int]:
    """Of all items whose question is known."""
    query = select(_i.id).where(_i.identity.is_not(None)).order_by(_i.id)
    return list(connection.execute(query).scalars())


def last_numbers(connection: Connection) -> dict[Kind, int]:
    """The greatest number of each kind: about how many there are."""
    return {
        kind: connection.execute(select(func.max(_NUMBER[kind]))).scalar() or 0 for kind in KINDS
    }


def _read(connection: Connection, kind: Kind, query: Select[Any]) -> Iterator[SearchText]:
    rows = connection.execute(query).all()
    if kind == "reasoning":
        yield from _reasoning(connection, rows)
        return
    for number, key, body in rows:
        text = question_text(body) if kind == "question" else body
        yield SearchText(number, key, text[:SEARCHED_CHARS])


def question_text(content: str) -> str:
    """All that is asked: turns, options, references. Few-shot examples and metadata are not."""
    item = read_item("", "", "", None, content)
    said = [turn.content for turn in item.turns]
    return "\n".join([*said, *item.options, *item.references])


def _reasoning(connection: Connection, rows: Collection[Any]) -> Iterator[SearchText]:
    keys = {key for row in rows for key in reply_keys(row.reply_keys)}
    said = replies(connection, keys)
    for number, key, reason, asked in rows:
        texts = [text for reply in reply_keys(asked) for text in said.get(reply, ()) if text]
        parts = [*texts, *([reason] if reason else [])]
        yield SearchText(number, key, "\n".join(parts)[:SEARCHED_CHARS])


def replies(
    connection: Connection, keys: Collection[bytes]
) -> dict[bytes, tuple[str | None, str | None]]:
    """What replies say, and what was thought before it, by key, `SEARCHED_CHARS` of each."""
    return {
        key: (thought, text)
        for portion in chunks(sorted(keys))
        for key, text, thought in connection.execute(_SAID.where(_p.key.in_(portion)))
    }
