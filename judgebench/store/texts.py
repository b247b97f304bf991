"""Long text in: kept once, by the hash of its content."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from judgebench.secret import masked
from judgebench.store import schema
from judgebench.store.codec import StoredText, readable, store_text
from judgebench.store.database import Prepared, insert

_PUT_TEXT = Prepared(insert(schema.texts).on_conflict_do_nothing())


class Texts:
    """Those of several rows, to be put at once; each by its hash."""

    def __init__(self) -> None:
        self._of: dict[str, StoredText] = {}

    def add(self, text: str | None) -> None:
        if text is not None and text not in self._of:
            self._of[text] = store_text(text)

    def sha(self, text: str | None) -> bytes | None:
        """Of a text that was added."""
        return None if text is None else self._of[text].sha

    def values(self) -> Iterable[StoredText]:
        return self._of.values()


def put_text(connection: Connection, text: str) -> bytes:
    """Returns the hash by which rows name the text."""
    stored = store_text(text)
    put_texts(connection, (stored,))
    return stored.sha


def put_optional_text(connection: Connection, text: str | None) -> bytes | None:
    return None if text is None else put_text(connection, text)


def put_texts(connection: Connection, texts: Iterable[StoredText]) -> None:
    rows = ({"sha": text.sha, "body": text.body, "exact": text.exact} for text in texts)
    _PUT_TEXT.put_all(connection, rows)


def word(said: str | None) -> str | None:
    """A word of a provider's: short, and nothing of ours hangs on its being exact."""
    return None if said is None else readable(masked(said))
