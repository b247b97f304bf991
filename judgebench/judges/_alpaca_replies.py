"""Reads the rankings that AlpacaEval's earlier judges were asked for: Python literals and JSON.

Two forms. A list of the two models and their ranks, as Python or JSON would write it
(``[{'model': 'model_1', 'rank': 1}, {'model': 'model_2', 'rank': 2}]``); and the arguments of a
function call, a JSON object that holds such a list as ``ordered_models``, and of a judge that
explains itself a ``concise_explanation``.

Nothing is evaluated: the list is matched by its grammar, of names and numbers only. The reply has
to rank exactly these two models: one first and one second, or both first, which is a tie. Upstream
takes the rank of the first entry with the first model's name and looks at nothing else, so that a
judge that ranks both first has preferred the answer it was shown first; ``upstream`` reads so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

from judgebench.judges._json_object import NOT_AN_OBJECT, OTHER_JSON, TWO_VERDICTS
from judgebench.judges._replies import no_verdict
from judgebench.records import Preference, Reply, Unreadable, Verdict

MAX_CHARS = 20_000
"""A ranking with reasons takes a few hundred; what is longer is not looked at."""

TOO_LONG = Unreadable(reason="too long for a ranking")
NOT_A_RANKING = Unreadable(reason="not one list of models and ranks")
OTHER_MODELS = Unreadable(reason="not the two models that were asked about")
OTHER_RANKS = Unreadable(reason="ranks that are no ranking")

_Member: TypeAlias = tuple[str, Any]

_FENCE = "```"
_OPENING = (_FENCE, f"{_FENCE}json", f"{_FENCE}python")

_STRING = r"""(?:'[^'"\\\n]*'|"[^'"\\\n]*")"""
_MEMBER = rf"{_STRING}\s*:\s*(?:{_STRING}|\d{{1,9}}(?:\.0)?)"
_ENTRY = rf"\{{\s*{_MEMBER}(?:\s*,\s*{_MEMBER})*\s*(?:,\s*)?\}}"
_RANKING = re.compile(rf"\[\s*{_ENTRY}(?:\s*,\s*{_ENTRY})*\s*(?:,\s*)?\]")
_ENTRIES = re.compile(_ENTRY)
_MEMBERS = re.compile(
    rf"(?P<name>{_STRING})\s*:\s*(?:(?P<text>{_STRING})|(?P<number>\d{{1,9}}(?:\.0)?))"
)


class _Object(tuple[_Member, ...]):
    """An object's members as written, so that a name standing twice is seen."""


def read_ranking(
    reply: Reply, names: tuple[str, str] = ("model_1", "model_2"), *, upstream: bool = False
) -> Verdict:
    """The verdict of a reply that is one list of models and ranks.

    Parameters
    ----------
    reply
        Any; a code fence around the whole list is overlooked.
    names
        What the prompt calls the answer shown first, and the second.
    upstream
        Let the rank of the first answer's first entry decide, as AlpacaEval does.

    Returns
    -------
    Preference
        By the place the answers were shown in.
    Unreadable
        With the reason, for whatever else there is.
    """
    text = _whole(reply)
    if isinstance(text, Unreadable):
        return text
    if _RANKING.fullmatch(text) is None:
        return NOT_A_RANKING
    return _preference([_entry(found[0]) for found in _ENTRIES.finditer(text)], names, upstream)


def read_ordered_models(
    reply: Reply,
    names: tuple[str, str] = ("m", "M"),
    *,
    explain: bool = False,
    upstream: bool = False,
) -> Verdict:
    """The verdict of a function call's arguments.

    Parameters
    ----------
    reply, names, upstream
        As for `read_ranking`; the arguments are the text of the reply.
    explain
        Whether the function asks for a ``concise_explanation`` too.
    """
    text = _whole(reply)
    if isinstance(text, Unreadable):
        return text
    try:
        found = json.loads(text, object_pairs_hook=_Object)
    except (ValueError, RecursionError):
        return NOT_AN_OBJECT
    if not isinstance(found, _Object):
        return NOT_AN_OBJECT
    members = dict(found)
    wanted = {"ordered_models"} | ({"concise_explanation"} if explain else set())
    if members.keys() != wanted:
        return OTHER_JSON
    if len(found) > len(members):
        return TWO_VERDICTS
    entries = members["ordered_models"]
    if explain and not isinstance(members["concise_explanation"], str):
        return OTHER_JSON
    if not isinstance(entries, list) or not all(isinstance(one, _Object) for one in entries):
        return OTHER_JSON
    return _preference(entries, names, upstream)


def _whole(reply: Reply) -> str | Unreadable:
    """The text that is to be read, without a fence around it; or why there is none."""
    if reason := no_verdict(reply):
        return reason
    if len(reply.text) > MAX_CHARS:
        return TOO_LONG
    text = reply.text.strip()
    opening, line_end, rest = text.partition("\n")
    if line_end and opening.strip() in _OPENING and rest.endswith(_FENCE):
        return rest.removesuffix(_FENCE).strip()
    return text


def _entry(text: str) -> _Object:
    return _Object(
        (
            member["name"][1:-1],
            member["text"][1:-1] if member["text"] else float(member["number"]),
        )
        for member in _MEMBERS.finditer(text)
    )


def _preference(entries: Sequence[_Object], names: tuple[str, str], upstream: bool) -> Verdict:
    ranks: dict[str, Any] = {}
    for entry in entries:
        members = dict(entry)
        if members.keys() != {"model", "rank"}:
            return NOT_A_RANKING
        model = members["model"]
        if not isinstance(model, str) or model not in names:
            return OTHER_MODELS
        if upstream and model in ranks:
            continue
        if len(entry) > len(members) or model in ranks:
            return TWO_VERDICTS
        ranks[model] = members["rank"]
    if names[0] not in ranks or (names[1] not in ranks and not upstream):
        return OTHER_MODELS
    said = tuple(_rank(ranks.get(name)) for name in names)
    if said[0] == 1 and (said[1] == 2 or upstream):
        return Preference(winner=0, p_first=1.0)
    if said[0] == 2 and (said[1] == 1 or upstream):
        return Preference(winner=1, p_first=0.0)
    return Preference(winner=None, p_first=0.5) if said == (1, 1) else OTHER_RANKS


def _rank(said: Any) -> float | None:
    """A number; JSON's ``true`` equals 1 and is none."""
    return said if isinstance(said, int | float) and not isinstance(said, bool) else None
