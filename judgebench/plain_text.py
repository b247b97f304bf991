"""Text of others on a terminal: names, paths and messages may hold anything."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any

_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LEFT = frozenset("\n\t\u200c\u200d")


def printable(text: str, *, lines: bool = False) -> str:
    """Text that does nothing to a terminal: no escapes, no reordering, no breaks.

    ``lines`` is whether it may have several: then each stays one.
    """
    plain = text.replace("\n", "") if lines else text
    if plain.isascii() and plain.isprintable():
        return text
    unseen = {c for c in plain if unicodedata.category(c) in _UNSHOWN}
    return "".join("�" if c in unseen else c for c in text)


def written_out(text: str) -> str:
    r"""A text of several lines with what nobody would see written out, so that nothing is hidden.

    Line feeds and tabs stay, and so do joiners, of which emoji and the scripts of half of Asia are
    made.

    >>> written_out("user\u202etxt\x1b[2J")
    'user⟨U+202E⟩txt⟨U+001B⟩[2J'
    """
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(f"⟨U+{ord(c):04X}⟩" if is_unseen(c) and c not in _LEFT else c for c in text)


def is_unseen(character: str) -> bool:
    """Whether a character is a control, has no width, reorders, or is none that anybody knows."""
    return unicodedata.category(character) in _UNSHOWN


def holding(said: Mapping[str, object]) -> list[str]:
    """The sentences that hold, of those beside which it stands whether they do.

    >>> holding({"two are few": True, "nobody is there": 0})
    ['two are few']
    """
    return [words for words, holds in said.items() if holds]


def counted(n: int, what: str, several: str | None = None) -> str:
    """A number of things in words; ``several`` where more of them are called otherwise.

    >>> [counted(n, "question") for n in (0, 1, 20_000)]
    ['0 questions', '1 question', '20,000 questions']
    >>> counted(2, "reply", "replies")
    '2 replies'
    """
    return f"{n:,} {what if n == 1 else several or f'{what}s'}"


def in_natural_order(ids: Iterable[str]) -> list[str]:
    """Ids as people count: ``q2`` before ``q10``. Equal sets come in one order, however given."""
    said = sorted(ids)
    if all(map(str.isascii, said)):
        return sorted(said, key=_in_parts)
    from natsort import natsorted, ns  # tables of Unicode that few runs need

    return list(natsorted(said, alg=ns.PRESORT))


def _in_parts(of_ascii: str) -> list[Any]:
    """Texts and numbers in turn, as natsort tells them apart; numbers of any length."""
    parts = _DIGITS.split(of_ascii)
    parts[1::2] = [part.lstrip("0") for part in parts[1::2]]
    return [(len(part), part) if nth % 2 else part for nth, part in enumerate(parts)]


_DIGITS = re.compile("([0-9]+)")


def too_few_items(n: int) -> str:
    """That so many items do not suffice.

    >>> too_few_items(1), too_few_items(12)
    ('1 item is too few', '12 items are too few')
    """
    return f"{counted(n, 'item')} {'is' if n == 1 else 'are'} too few"


def dollars(amount: float) -> str:
    """US dollars in figures: to the cent, below one to the hundredth of a cent.

    >>> [dollars(amount) for amount in (12.3, 0.0042, 0)]
    ['12.30', '0.0042', '0']
    """
    if not amount:
        return "0"
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.4f}"


def few(names: Collection[str], most: int = 3) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - most
    return ", ".join([*names][:most]) + (f" and {more} more" if more > 0 else "")


def day(at: float) -> str:
    """A time in seconds as its day in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(at))
