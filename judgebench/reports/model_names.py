"""Which of our models a published board has: by their names, or by what a person says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping

from judgebench.errors import UsageError, unknown_name

_BETWEEN = re.compile(r"[\s_-]+")


def same_models(
    ours: Mapping[str, Collection[str]], published: Collection[str], said: Mapping[str, str]
) -> dict[str, str]:
    """Our models that are published, under our names, with the published ones.

    What a person says goes first, then an equal name, then one that differs in case, blanks,
    hyphens and underscores alone (``llama-3-8b-instruct``, ``LLaMA-3-8B-Instruct``), where it
    means one model of theirs only.

    Parameters
    ----------
    ours
        Our models as they are shown, each with all names that it goes by.
    said
        One of our names -> the published one.
    """
    plain = {_plain(name): name for name in published}
    ambiguous = {one for one, n in Counter(map(_plain, published)).items() if n > 1}
    found = {}
    for shown, names in ours.items():
        told = next((said[name] for name in names if name in said), None)
        equal = next((name for name in names if name in published), None)
        near = next(
            (plain[p] for p in map(_plain, names) if p in plain and p not in ambiguous), None
        )
        theirs = next((name for name in (told, equal, near) if name in published), None)
        if theirs is not None:
            found[shown] = theirs
    return found


def read_names(written: Collection[str]) -> dict[str, str]:
    """``OURS=PUBLISHED`` in its two parts.

    Raises
    ------
    UsageError
        Where it is not written so, or one of ours is named twice.
    """
    found: dict[str, str] = {}
    for text in written:
        ours, equals, theirs = (part.strip() for part in text.partition("="))
        if not (ours and equals and theirs):
            raise UsageError(f"a published name is written MODEL=PUBLISHED, not {text!r}")
        if found.setdefault(ours, theirs) != theirs:
            raise UsageError(f"{ours} has two published names: {found[ours]} and {theirs}")
    return found


def check_names(said: Mapping[str, str], ours: Collection[str], published: Collection[str]) -> None:
    """That names exist which a person says are one model's.

    Raises
    ------
    UsageError
        Naming the nearest and the known ones.
    """
    for name, theirs in said.items():
        if name not in ours:
            raise UsageError(unknown_name("model here", name, ours))
        if theirs not in published:
            raise UsageError(unknown_name("published model", theirs, published))


def _plain(name: str) -> str:
    return _BETWEEN.sub("", name.casefold())
