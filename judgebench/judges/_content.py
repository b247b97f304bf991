"""What a benchmark says about judging its answers, whoever judges them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FiniteFloat, StringConstraints, field_validator, model_validator

from judgebench.config import Section, check
from judgebench.judges._prompts import own_prompt
from judgebench.records import JsonObject

#: A dimension stands before a colon, or is the name of a member, in a judge's reply.
Dimension = Annotated[str, StringConstraints(pattern=r'^[^\s"{}:=][^\n"{}:=]{0,79}$')]


class Definition(Section):
    """What a dimension means: in our words, and the name of the official text that says it."""

    name: Dimension
    text: str = Field(min_length=1)
    official: str | None = None


class AnswerType(Section):
    """A kind of answer, the dimensions it is rated on, and the subcategories that ask for it."""

    name: str
    dimensions: tuple[Dimension, ...] = Field(min_length=1)
    subcategories: tuple[str, ...] = Field(min_length=1)


class Content(Section):
    """A rubric and a scale of a benchmark's own; each way of judging takes what it has use for.

    With ``answer_types`` the dimensions of an item follow from its subcategory, and
    ``definitions`` say what each of them means.
    """

    rubric: str | None = None
    scale: tuple[FiniteFloat, FiniteFloat] = (1, 10)
    dimensions: tuple[Dimension, ...] = ()
    labels: tuple[str, ...] = ()
    answer_types: tuple[AnswerType, ...] = ()
    definitions: tuple[Definition, ...] = ()

    @field_validator("scale")
    @classmethod
    def _upwards(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not value[0] < value[1]:
            raise ValueError(f"a scale goes upwards, not from {value[0]:g} to {value[1]:g}")
        return value

    @field_validator("dimensions")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({name for name in value if value.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")
        return value

    @model_validator(mode="after")
    def _each_defined_once(self) -> Content:
        defined = [definition.name for definition in self.definitions]
        asked = [name for one in self.answer_types for name in one.subcategories]
        for names in (defined, asked):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"named twice: {', '.join(twice)}")
        rated = {name for one in self.answer_types for name in one.dimensions}
        if undefined := sorted(rated - set(defined)):
            raise ValueError(f"definitions: there is none of {', '.join(undefined)}")
        return self

    @property
    def rubric_text(self) -> str:
        """What a good answer is: the benchmark's words, or ours where it has none."""
        return (self.rubric or "").strip() or own_prompt("default_rubric").text


def checked_content(kind: str, content: JsonObject | None) -> Content:
    """The content, checked; what a benchmark leaves open (None) stays at its default.

    Raises
    ------
    ConfigError
        Naming the field.
    """
    given = {name: value for name, value in (content or {}).items() if value is not None}
    return check(Content, given, f"judge {kind}: content")
