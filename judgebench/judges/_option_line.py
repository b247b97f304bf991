"""Reads which option a judge says an answer chooses: on a last line ``option CODE: B``, or in JSON.

The line carries the code of the texts, which no answer can hold, so that no quoted answer is taken
for the verdict. Two lines that say different things make a reply unreadable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from judgebench.judges._bracketed import NO_SUCH_OPTION, TWO_VERDICTS
from judgebench.judges._frame import CODED
from judgebench.judges._json_object import OTHER_JSON, json_object, json_schema
from judgebench.judges._replies import no_verdict
from judgebench.records import Label, Reply, Unreadable, Verdict
from judgebench.template import letters

NONE = "none"
"""What a judge says of an answer that chooses no option, or leaves open which."""

NOT_STATED = Unreadable(reason="no verdict")
NOT_LAST = Unreadable(reason="verdict not on the last line")

_OPEN = r"[\s\"'“‘*_#`(\[{:-]*+"
_CLOSE = r"[\s\"'”’*_`)\]}.!]*+"
_LINE = re.compile(rf"{_OPEN}(?i:option){CODED}{_OPEN}(?P<said>[A-Z]|(?i:{NONE}))\b{_CLOSE}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionLine:
    """Finds the line of a reply that states the choice among so many options."""

    n_options: int
    code: str

    def read(self, reply: Reply) -> Verdict:
        """The letter as the name of a label, or `NONE`."""
        if reason := no_verdict(reply):
            return reason
        stated = [self._stated(line) for line in reply.text.splitlines() if line.strip()]
        found = {said for said in stated if said is not None}
        if len(found) > 1:
            return TWO_VERDICTS
        said = stated[-1]
        if said is None:
            return NOT_LAST if found else NOT_STATED
        return Label(name=said) if said in _names(self.n_options) else NO_SUCH_OPTION

    def _stated(self, line: str) -> str | None:
        found = _LINE.fullmatch(line)
        if found is None or found["code"] != self.code:
            return None
        said: str = found["said"]
        return said if len(said) == 1 else NONE


def choice_schema(n_options: int, *, explain: bool) -> dict[str, Any]:
    """The ``response_format`` of a choice as JSON, with the reasons first where they are asked."""
    reason = {"reason": {"type": "string"}} if explain else {}
    option = {"type": "string", "enum": _names(n_options)}
    return json_schema("choice", {**reason, "option": option})


def read_choice_json(reply: Reply, n_options: int, *, explain: bool) -> Verdict:
    """The choice in a reply that is exactly the JSON object that was asked for."""
    if reason := no_verdict(reply):
        return reason
    found = json_object(reply, ("reason", "option") if explain else ("option",))
    if isinstance(found, Unreadable):
        return found
    return Label(name=found["option"]) if found["option"] in _names(n_options) else OTHER_JSON


def _names(n_options: int) -> list[str]:
    return [*letters(n_options), NONE]
