"""What a ranking controls for: how answers that were compared differ in length, or in style."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from judgebench.errors import UsageError
from judgebench.metrics.intervals import Floats
from judgebench.metrics.pairs import Bools, Pairs
from judgebench.metrics.style import LENGTH, STYLE, Style, mean_style, style_differences, style_of
from judgebench.metrics.verdict_table import Ints
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import Columns, where
from judgebench.stats.ranking import relative_difference

Control: TypeAlias = Literal["length", "style"]

FEWEST = 10
"""Prompts on which answers have to differ in a mark for it to be fitted: 1 in ``e**10`` replicates
then lacks all of them, and can fit nothing."""

OF_STYLE = "per standard deviation of the difference"
"""The unit of the coefficients of style. That of length alone is an answer against an empty one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariates:
    """How the answers of the comparisons differ.

    kept : bool array, shape (comparisons,)
        Those of which both answers are known, and which count.
    values : float array, shape (kept comparisons, names), or None
        None where nothing is controlled for.
    names
        What is fitted, in the order of the columns.
    left_out
        Why it is not fitted, by name.
    unit
        Of the coefficients, in words; empty for a whole.
    """

    kept: Bools
    values: Floats | None = None
    names: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""


def covariates(data: BoardData, judge: str, pairs: Pairs, control: Control | None) -> Covariates:
    """The differences that one judge's ranking controls for.

    Raises
    ------
    UsageError
        Where the store has no two answers that were compared.
    """
    if control is None:
        return Covariates(kept=np.ones(len(pairs.p), dtype=np.bool_))
    looks = styles_of(data) if control == "style" else _lengths(data)
    first, second = (_looks_of(looks, pairs, side) for side in (pairs.first, pairs.second))
    kept = ~np.isnan(first[:, 0]) & ~np.isnan(second[:, 0])
    if len(kept) and not kept.any():
        raise UsageError(
            f"{data.which}: no answers that {judge} compared are in the store, so their "
            f"{_what(control)} not known; `judgebench import responses FILE` brings answers"
        )
    if control == "length":
        differences = relative_difference(first[kept, :1], second[kept, :1])
        return Covariates(kept=kept, values=differences, names=(LENGTH,))
    differences = style_differences(first[kept], second[kept])
    left_out = _rare(differences, pairs.prompt[kept])
    names = tuple(name for name in STYLE if name not in left_out)
    fitted = differences[:, [STYLE.index(name) for name in names]]
    spread = fitted.std(axis=0) if len(fitted) else np.ones(len(names))
    return Covariates(
        kept=kept,
        values=fitted / np.where(spread > 0, spread, 1.0),
        names=names,
        left_out=left_out,
        unit=OF_STYLE,
    )


def said_of_control(found: Covariates, control: Control | None) -> list[str]:
    """What a reader has to know of the comparisons and marks that are left out."""
    said = []
    if control is not None and not found.kept.all():
        said.append(
            f"{(~found.kept).sum()} of {len(found.kept)} comparisons are left out: the store has "
            f"not both answers, so their {_what(control)} not known"
        )
    return said + [f"{name} are not controlled for: {why}" for name, why in found.left_out.items()]


def _what(control: Control) -> str:
    return "lengths are" if control == "length" else "style is"


def _lengths(data: BoardData) -> dict[tuple[str, str], Style]:
    return {place: Style(length, 0.0, 0.0, 0.0) for place, length in data.lengths.items()}


def styles_of(data: BoardData, *, tokens: bool = False) -> dict[tuple[str, str], Style]:
    """By model as it is shown and item; the mean of samples and turns, as lengths are.

    ``tokens``: lengths are those that came with the answers; nan where they did not.
    """
    answers: Columns = data.store.responses_table(data.which.name, data.which.version)
    answers = where(answers, answers["newest"])
    found: dict[tuple[str, str], list[Style]] = {}
    columns = (answers[name] for name in ("model_id", "item_id", "text", "completion_tokens"))
    for model, item, text, n in zip(*columns, strict=True):
        its = style_of(text)
        its = its._replace(length=math.nan if n is None else n) if tokens else its
        found.setdefault((data.models[model], item), []).append(its)
    return {place: mean_style(styles) for place, styles in found.items()}


def _looks_of(looks: Mapping[tuple[str, str], Style], pairs: Pairs, models: Ints) -> Floats:
    """Of each comparison one side's answer, shape (comparisons, 4); nan where it is not known."""
    unknown = Style(math.nan, math.nan, math.nan, math.nan)
    return np.array(
        [
            looks.get((pairs.models[model], pairs.prompts[prompt]), unknown)
            for model, prompt in zip(models, pairs.prompt, strict=True)
        ],
        dtype=np.float64,
    ).reshape(-1, len(STYLE))


def _rare(differences: Floats, prompt: Ints) -> dict[str, str]:
    """The marks in which answers differ too seldom, and on how many prompts they do."""
    found = {}
    for name, column in zip(STYLE, differences.T, strict=True):
        n = len(np.unique(prompt[column != 0]))
        if name != LENGTH and n < FEWEST:
            found[name] = f"answers differ in them on {n} prompts, and {FEWEST} are needed"
    return found
