"""``python``: a function of one's own is the judge; it asks nobody.

It says by the names of its parameters what it wants to see, and returns a verdict: a record of
`judgebench.records`, true or false (correct or incorrect), the name of a label, or a number on the
benchmark's scale. What it raises makes that one verdict unreadable, with the reason.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from judgebench import registry
from judgebench.config import Section, check
from judgebench.dialogue import Dialogue, ask_nobody
from judgebench.errors import ConfigError, unknown_name
from judgebench.judges.frame import conversation
from judgebench.judges.prompt import checked_content
from judgebench.judges.readers.own import SIDES, OwnReader, returned
from judgebench.judges.readers.scores import Scale
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    BINARY,
    Case,
    Item,
    JsonObject,
    JudgeSpec,
    Label,
    Seen,
    Verdict,
)

PAIR = frozenset({"answer_a", "answer_b"})
OF_ITEM = ("question", "turns", "reference", "references", "item", "case")
PARAMETERS = ("answer", *sorted(PAIR), *OF_ITEM)
OF_TWO = {"A": "first", "B": "second", **{side: side for side in SIDES}}


class Options(Section):
    """What a suite may say about a function that judges."""

    function: str = Field(description="package.module:function")


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonJudge:
    """Calls ``function`` with what it names."""

    spec: JudgeSpec
    function: Callable[..., Any]
    wanted: frozenset[str]
    labels: tuple[str, ...]
    scale: Scale

    @property
    def inputs(self) -> frozenset[Seen]:
        return frozenset({"with_baseline" if self.wanted & PAIR else "answer"})

    @property
    def max_answer_chars(self) -> None:
        """Nothing is cut: a program reads all of it."""
        return None

    def fields(self, item: Item) -> JsonObject:
        """All that it could see of an item's own fields, where it sees the item."""
        return item.metadata if self.wanted & {"item", "case"} else {}

    def judge(self, case: Case) -> Dialogue:
        answers = [response.text for response in case.responses]
        seen: Mapping[str, Any] = {
            "question": case.item.question,
            "turns": conversation(case.item.turns),
            "reference": "\n".join(case.item.references),
            "references": case.item.references,
            "item": case.item,
            "case": case,
            **dict(zip(sorted(PAIR) if self.wanted & PAIR else ["answer"], answers, strict=True)),
        }
        given = {name: value for name, value in seen.items() if name in self.wanted}
        return ask_nobody(self.verdict(returned(self.function, **given)))

    def verdict(self, found: Any) -> Verdict:
        """The verdict that a function has returned; unreadable for what is none."""
        if isinstance(found, bool):
            found = Label(name=BINARY[found])
        kind = "label" if isinstance(found, str | Label) else "score"
        words = {name: name for name in self.labels}
        if self.wanted & PAIR:
            kind, words = "preference", OF_TWO
        return OwnReader(verdict=kind, words=words, scale=self.scale, find=None).stated(found)


def make(settings: JudgeSettings) -> PythonJudge:
    """A function that judges.

    Raises
    ------
    ConfigError
        For a function that is not there, or a parameter that nothing fills.
    """
    named = check(Options, dict(settings.options), "judge python: options").function
    given = checked_content("python", settings.content)
    function = registry.function(named, "judges")
    wanted = _wanted(function)
    low, high = given.scale
    spec = JudgeSpec(
        kind="python",
        reader_version=registry.source_sha(function),
        options={"function": named, **given.model_dump(include={"scale"}, exclude_defaults=True)},
    )
    return PythonJudge(
        spec=spec,
        function=function,
        wanted=wanted,
        labels=given.labels or BINARY,
        scale=Scale(low=low, high=high, decimals=True),
    )


def _wanted(function: Callable[..., Any]) -> frozenset[str]:
    """The parameters that are filled; one with a default stays at it if it is none of ours."""
    parameters = inspect.signature(function).parameters.values()
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    needed = {p.name for p in parameters if p.default is p.empty and p.name in named}
    for name in sorted(needed - {*PARAMETERS}):
        raise ConfigError(f"{function.__name__}: {unknown_name('parameter', name, PARAMETERS)}")
    if not named & {"answer", "case", *PAIR}:
        raise ConfigError(f"{function.__name__} sees no answer: name a parameter 'answer'")
    return frozenset(named & {*PARAMETERS})


__all__ = ["Options", "PythonJudge", "make"]
