"""``paper.yaml``: which models, benchmarks, judges and metrics make up the table of a paper."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from judgebench import yaml_file
from judgebench.config import Panel, Section, check
from judgebench.errors import ConfigError, UsageError, unknown_name

BEST = "best"
"""In place of a model that the others are tested against: the best one of each column."""


Words = Annotated[str, AfterValidator(str.strip)]
"""Text without the line break that YAML leaves behind a folded one."""


class PaperBenchmark(Section):
    """One column: a benchmark, who judged it, and by which metric."""

    name: str = Field(description="NAME or NAME@VERSION")
    judge: str | None = Field(None, description="the only one there is, if unset")
    panel: list[str] | Panel | None = Field(
        None, description="in place of a judge: judges whose verdicts are combined"
    )
    baseline: str | None = Field(
        None, description="whom answers were compared with, where judges compared with several"
    )
    metric: str | None = Field(
        None,
        description="as `leaderboard --format json` names it, of a group of items METRIC/GROUP; "
        "what ranks the board, if unset",
    )
    by: str | None = Field(
        None, description="the grouping of METRIC/GROUP, where the benchmark does not declare it"
    )
    direction: Literal["higher", "lower", "neither"] | None = Field(
        None, description="what is better, and bold; the metric's, if unset"
    )
    title: Words | None = Field(None, description="head of the column; the metric's, if unset")
    group: Words | None = Field(None, description="above the column; NAME@VERSION, if unset")

    @field_validator("panel")
    @classmethod
    def _seated(cls, value: list[str] | Panel | None) -> list[str] | Panel | None:
        if isinstance(value, list):
            try:
                Panel(judges=value)
            except ValidationError as error:
                raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return value

    @property
    def jury(self) -> Panel | None:
        return Panel(judges=self.panel) if isinstance(self.panel, list) else self.panel


class PaperModel(Section):
    """One row: a model of the store, one of published boards, or the first and the other below."""

    name: str | None = Field(None, description="a model of the store")
    published: bool | str | dict[str, str] = Field(
        False,
        description="a row of published figures: the name there, by benchmark where it differs; "
        "true: the name that the model has here",
    )
    title: Words | None = Field(None, description="as the table calls it")
    group: Words | None = Field(None, description="the section of the table that it is in")


class PaperTests(Section):
    """Which differences are marked: those of the paired tests of all columns together."""

    against: str = Field(description="a model of the table, or 'best': the best of each column")
    correction: Literal["holm", "bh"] = "holm"


class Paper(Section):
    """What stands in the table of a paper."""

    title: Words = Field(description="the caption")
    label: str = Field("", pattern=r"^[\w:.-]*$", description="for LaTeX: tab:main")
    models: list[PaperModel] = Field(min_length=1)
    benchmarks: list[PaperBenchmark] = Field(min_length=1)
    tests: PaperTests | None = None
    group_by: str | None = Field(
        None, description="a tag of the suite's models, which groups rows without a group"
    )
    level: float = Field(0.95, gt=0.5, lt=1, description="of intervals; tests err in the rest")
    store: str | None = None

    _written: yaml_file.Written = PrivateAttr(yaml_file.Written(Path("paper"), None, {}))

    @model_validator(mode="after")
    def _names(self) -> Paper:
        named = [model.name for model in self.models if model.name is not None]
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise ValueError(f"models named twice: {', '.join(twice)}")
        if self.tests is None:
            return self
        if self.tests.against not in (BEST, *named):
            said = unknown_name("model of the table", self.tests.against, [BEST, *named])
            raise ValueError(f"tests.against: {said}")
        if self.tests.against == BEST and self.tests.correction == "bh":
            raise ValueError(
                "tests: the best is chosen by the numbers that are tested; holm over all pairs of "
                "models allows for that, and bh does not"
            )
        return self

    @contextmanager
    def at(self, *field: str | int) -> Iterator[None]:
        """What is wrong within is said with the place in the file."""
        try:
            yield
        except (ConfigError, UsageError) as error:
            raise ConfigError(f"{self._written.where(field)}: {error}") from None


def read_paper(path: Path) -> Paper:
    """A paper's table from its file.

    Raises
    ------
    ConfigError
        Naming the file and, where there is one, the line and the field.
    """
    fields = ", ".join(Paper.model_fields)
    written = yaml_file.read_mapping(path, f"a paper is a mapping with {fields}")
    yaml_file.refuse_written_keys(written)
    paper = check(Paper, yaml_file.expanded(written, os.environ), path, written.lines)
    paper._written = written
    return paper
