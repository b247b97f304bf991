"""One judge's fitted ranking as estimates, ranks and words, and what it is controlled for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from judgebench.errors import UsageError
from judgebench.metrics.intervals import ALL_EQUAL, Floats, all_equal
from judgebench.metrics.pairs import Bools, Pairs
from judgebench.metrics.style_controlled import (
    LENGTH,
    STYLE,
    Style,
    mean_style,
    style_differences,
    style_of,
)
from judgebench.metrics.verdict_table import Ints
from judgebench.records import Estimate
from judgebench.reports.board_data import BoardData
from judgebench.reports.board_warnings import few
from judgebench.reports.boards import Columns, where
from judgebench.stats.bradley_terry import bradley_terry, davidson, win_probability
from judgebench.stats.comparisons import Comparisons, Sums, win_rates
from judgebench.stats.ranking import Ranking as Fit
from judgebench.stats.ranking import Ties, relative_difference

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
    looks = (
        styles_of(data)
        if control == "style"
        else {place: Style(length, 0.0, 0.0, 0.0) for place, length in data.lengths.items()}
    )
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


STRENGTH, EXPECTED = "strength", "expected_win_rate"
PERCENT = 100.0
FEW_WINS = 5
"""With fewer wins, or losses, an interval of a log-odds is rough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """Two models, the better placed one first.

    ``probability_above`` is None where no replicate can say; ``difference`` then says why.
    """

    model: str
    opponent: str
    version: str
    win_rate: Estimate
    difference: Estimate
    probability_above: float | None

    @property
    def metrics(self) -> dict[str, Estimate]:
        """By name, as those of a model."""
        return {"win_rate": self.win_rate, "difference": self.difference}


class RankAmong(NamedTuple):
    """A rank among models that comparisons connect, of whatever outcome."""

    rank: int | None = None
    low: int | None = None
    high: int | None = None


def places_of(fit: Fit) -> list[RankAmong]:
    """Of every model that comparisons connect with the ranked ones; no ranks for the others."""
    sizes = np.bincount(fit.component)
    ranked = np.flatnonzero(fit.group == 0)
    main = fit.component[ranked[0]] if len(ranked) else sizes.argmax()
    here, apart = fit.component == main, len(fit.component) - sizes[main]
    found = []
    for m in range(len(fit.component)):
        better = here & ((fit.difference[m] < 0) | fit.above[:, m])
        known = ~np.isnan(fit.difference[m]) | fit.above[:, m] | fit.above[m]
        found.append(
            RankAmong(
                rank=1 + int(better.sum()) if known[here].all() else None,
                low=_whole(fit.rank_low[m]),
                high=_whole(fit.rank_high[m] - apart),
            )
            if here[m]
            else RankAmong()
        )
    return found


def order_of(fit: Fit, places: Sequence[RankAmong], m: int) -> tuple[float, ...]:
    """Best first; what has no rank comes last, each group by itself."""
    rank = places[m].rank
    first = (0.0, float(rank)) if rank is not None else (1.0, float(fit.group[m]))
    return (*first, -float(np.nansum(fit.difference[m])), m)


def estimate(
    value: float,
    low: float,
    high: float,
    fit: Fit,
    *,
    undefined: str,
    n: int,
    units: int,
    missing: int = 0,
    worst: Floats | None = None,
) -> Estimate:
    """An estimate of the fit, without interval where all draws are equal."""
    known = not math.isnan(value)
    there = known and not _still(value, low, high)
    return Estimate(
        value=float(value),
        low=float(low) if there else math.nan,
        high=float(high) if there else math.nan,
        n=n,
        units=units,
        missing=missing,
        level=fit.level,
        method=_method(fit, value, float(low), float(high)) if known else "",
        undefined=None if known else undefined or "no reference",
        worst_low=None if worst is None or not known else float(worst[0]),
        worst_high=None if worst is None or not known else float(worst[1]),
    )


def _still(value: float, low: float, high: float) -> bool:
    return bool(all_equal(np.asarray(low), np.asarray(high), np.asarray(value)))


def _method(fit: Fit, value: float, low: float, high: float) -> str:
    if not fit.n_replicates:
        return "no interval, a single prompt"
    said = f"BCa bootstrap over prompts, {fit.n_replicates} replicates"
    if math.isnan(low) or math.isnan(high):
        return f"{said}; no interval, too many replicates undefined"
    if _still(value, low, high):
        return f"{said}; {ALL_EQUAL}"
    sides = [side for side, end in (("lower", low), ("upper", high)) if math.isinf(end)]
    return f"{said}; no {' or '.join(sides)} bound" if sides else said


def expected_win_rate(strength: Estimate, fit: Fit) -> Estimate:
    """The expected win rate against the reference: strength on another scale.

    Davidson's nu is that of the data in the interval's ends too.
    """

    def rate(at: float) -> float:
        return PERCENT * float(win_probability(at, fit.tie_strength))

    return replace(
        strength,
        value=rate(strength.value),
        low=rate(strength.low),
        high=rate(strength.high),
        worst_low=None if strength.worst_low is None else rate(strength.worst_low),
        worst_high=None if strength.worst_high is None else rate(strength.worst_high),
    )


def coefficients(fit: Fit, c: Comparisons, looks: Covariates) -> dict[str, Estimate]:
    """By name, in the order of the fit; then what could not be fitted, with the reason."""
    n, units, nothing = len(c.prompt), len(np.unique(c.prompt)), (math.nan, math.nan, math.nan)
    ends = zip(fit.coefficients, fit.coefficients_low, fit.coefficients_high, strict=True)
    fitted = dict(zip(looks.names, ends, strict=True)) | dict.fromkeys(looks.left_out, nothing)
    found = {}
    for name, (value, low, high) in fitted.items():
        why = looks.left_out.get(name, "the fit has no finite answer")
        one = estimate(value, low, high, fit, undefined=why, n=n, units=units)
        unit = f"; {looks.unit}" if looks.unit and one.method else ""
        found[name] = replace(one, method=one.method + unit)
    return found


def pair_rows(
    pairs: Pairs, c: Comparisons, fit: Fit, order: Sequence[int], *, version: str
) -> list[PairRow]:
    rates, missing = win_rates(c, level=fit.level), pairs.all_missing
    found = []
    for place, i in enumerate(order):
        for j in order[place + 1 :]:
            n = int(rates.n[i, j])
            apart = "above" if fit.above[i, j] else "below" if fit.above[j, i] else ""
            difference = estimate(
                fit.difference[i, j], fit.difference_low[i, j], fit.difference_high[i, j], fit,
                undefined=f"{apart} by no known amount" if apart else "nothing connects them",
                n=n, units=n, missing=int(missing[i, j]),
            )  # fmt: skip
            win_rate = Estimate(
                value=PERCENT * float(rates.rate[i, j]),
                low=PERCENT * float(rates.low[i, j]),
                high=PERCENT * float(rates.high[i, j]),
                n=n,
                units=n,
                missing=int(missing[i, j]),
                level=fit.level,
                method="wilson" if n else "",
                undefined=None if n else "never compared",
            )
            found.append(
                PairRow(
                    model=pairs.models[i],
                    opponent=pairs.models[j],
                    version=version,
                    win_rate=win_rate,
                    difference=difference,
                    probability_above=finite(fit.probability_above[i, j]),
                )
            )
    return found


def groups_of(pairs: Pairs, fit: Fit, order: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(pairs.models[m] for m in order if fit.group[m] == group)
        for group in sorted(set(fit.group.tolist()))
    )


def few_wins(pairs: Pairs, c: Comparisons, fit: Fit, order: Sequence[int]) -> list[str]:
    """Of the ranked models, those whose wins or losses are few. In the fit as many are expected."""
    won, tied = Sums(c).of_data
    half = won + tied / 2.0
    wins, losses = half.sum(axis=1), half.sum(axis=0)
    rough = [
        f"{pairs.models[m]} ({min(wins[m], losses[m]):.1f} "
        f"{'won' if wins[m] <= losses[m] else 'lost'} of {wins[m] + losses[m]:.0f})"
        for m in order
        if fit.group[m] == 0 and min(wins[m], losses[m]) < FEW_WINS
    ]
    if not rough:
        return []
    return [f"fewer than {FEW_WINS} wins or losses, their intervals are rough: {few(rough)}"]


def worst_cases(
    pairs: Pairs, c: Comparisons, data: Fit, ties: Ties, reference: int | None
) -> Floats | None:
    """Strengths over the reference with a model's missing verdicts lost and the reference's won,
    then the other way round; shape (2, n_models), nan where nothing connects the two."""
    if reference is None:
        return None
    won, tied = Sums(c).of_data
    missing = pairs.all_missing
    found = np.tile(data.strength, (2, 1))
    for m in range(len(won)):
        if m == reference or not missing[[m, reference]].any():
            continue
        for side, (better, worse) in enumerate(((reference, m), (m, reference))):
            filled = won.copy()
            filled[better] += missing[better]
            filled[:, worse] += missing[:, worse]
            filled[better, worse] -= missing[better, worse]
            fit = davidson(filled, tied) if ties == "davidson" else bradley_terry(filled + tied / 2)
            up, down = fit.reaches[m, reference], fit.reaches[reference, m]
            if up and down:
                found[side, m] = fit.strength[m] - fit.strength[reference]
            else:
                found[side, m] = math.inf if up else -math.inf if down else math.nan
    return found


def finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _whole(value: float) -> int | None:
    return int(value) if math.isfinite(value) else None
