"""Rankings of models from pairs, one for each judge: strengths, ranks, who is above whom."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np

from judgebench.columns import grouped
from judgebench.errors import UsageError
from judgebench.metrics.intervals import ALL_EQUAL, Floats, Intervals, all_equal
from judgebench.metrics.pairs import WHY_MISSING, Bools, Pairs, comparisons, judged_pairs
from judgebench.metrics.style_controlled import (
    LENGTH,
    STYLE,
    Style,
    mean_style,
    style_differences,
    style_of,
)
from judgebench.metrics.verdict_table import Ints
from judgebench.plain_text import few, holding
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.answer_flags import COUNTED, NO_MARKS
from judgebench.reports.board import Row, rank_note
from judgebench.reports.board_data import BoardData, flags_of, warnings_of
from judgebench.reports.boards import (
    Columns,
    benchmark_ref,
    find_judges,
    find_model,
    judge_line,
    where,
)
from judgebench.reports.document import (
    Cells,
    Chart,
    Each,
    OfBenchmark,
    Report,
    Rows,
    Table,
    column,
    table,
)
from judgebench.reports.estimates import Figure
from judgebench.stats.bradley_terry import (
    Comparisons,
    Sums,
    bradley_terry,
    davidson,
    win_probability,
    win_rates,
)
from judgebench.stats.ranking import Ranking as Fit
from judgebench.stats.ranking import Ties, rank_models, relative_difference
from judgebench.store.store import Store

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
    if control is None:
        return []
    left_out = (
        f"{(~found.kept).sum()} of {len(found.kept)} comparisons are left out: the store has not "
        f"both answers, so their {_what(control)} not known"
    )
    return [left_out] * (not found.kept.all()) + [
        f"{name} are not controlled for: {why}" for name, why in found.left_out.items()
    ]


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
    columns = zip(STYLE, differences.T, strict=True)
    n_of = {name: len(np.unique(prompt[apart != 0])) for name, apart in columns}
    return {
        name: f"answers differ in them on {n} prompts, and {FEWEST} are needed"
        for name, n in n_of.items()
        if name != LENGTH and n < FEWEST
    }


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
    said = f"fewer than {FEW_WINS} wins or losses, their intervals are rough: {few(rough)}"
    return [said] if rough else []


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


_NEARLY = 0.005
"""What two digits would print as never or always."""

AT = ("benchmark", "version", "judge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking(OfBenchmark, Report):
    """The models that one judge compared.

    reference, reference_id
        Whose strength is 0; None where nobody can be, and then strengths are over the mean of the
        ranked models.
    tie_strength
        Davidson's nu; None where ties are half wins, or it is not finite.
    coefficients
        Of what is controlled for, by name: of ``length`` alone the log-odds for an answer against
        an empty one, of style those for one standard deviation of the difference. Empty where
        nothing is.
    rows
        Best first, with the metrics `STRENGTH` and `EXPECTED`. Ranks are among the models that
        comparisons connect with the ranked ones.
    groups
        Models whose strengths can be compared with each other; the ranked ones first, if any are.
    """

    ROWS: ClassVar = (
        Rows(
            of="rows",
            shared=(*AT, ("model", ""), ("opponent", "reference")),
            row=(
                "model", "rank", "rank_low", "rank_high", Each("metrics"),
                ("probability_above", ""), "flags",
            ),
        ),
        Rows(
            of="pairs",
            shared=AT,
            row=("model", "opponent", Each("metrics"), "probability_above"),
        ),
    )  # fmt: skip
    CHART: ClassVar = Chart(along="model", by="metric")

    judge: str
    judge_id: str
    judge_is: str
    served_models: tuple[str, ...]
    official_prompt: bool | None
    reference: str | None
    reference_id: str | None
    ties: Ties
    tie_strength: float | None
    control: Control | None
    coefficients: Mapping[str, Estimate]
    prompts: int
    replicates: int
    level: float
    rows: tuple[Row, ...]
    pairs: tuple[PairRow, ...]
    groups: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...]

    def tables(self) -> list[Table]:
        """Who is ranked how, win rates between models, and the chance that one is above another."""
        at = f"{self.place}, judged by {self.judge}"
        return [_models(self, at), _win_rates(self, at), _chances(self, at)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rankings(Report):
    """One ranking for each judge; every two models once, the better placed one first."""

    CHART: ClassVar = Chart(along="model", by="judge")

    rankings: tuple[Ranking, ...]

    def tables(self) -> list[Table]:
        return [table for one in self.rankings for table in one.tables()]

    def records(self) -> list[dict[str, Any]]:
        return [record for one in self.rankings for record in one.records()]


def _models(ranking: Ranking, at: str) -> Table:
    reference, level = ranking.reference, f"[{ranking.level:.0%}]"
    right: dict[str, Any] = {"align": "right"}
    more: dict[str, Any] = {"spare": True, "optional": True}

    def metric(name: str, text: Callable[[Estimate], str]) -> Callable[[Row], str]:
        return lambda row: "reference" if row.model == reference else text(row.metrics[name])

    return table(
        f"{at}, models ranked from pairs",
        ranking.rows,
        [
            column("rank", _rank, **right),
            column("model", lambda row: row.model, wraps=True),
            column(f"strength {level}", metric(STRENGTH, _strength), spare=True, **right),
            column(
                f"expected win rate % {level}",
                metric(EXPECTED, lambda estimate: estimates.text(estimate, digits=1)),
                **right,
            ),
            column("prompts", lambda row: str(row.counts["prompts"]), **right),
            column("comparisons", lambda row: str(row.counts["comparisons"]), spare=True, **right),
            column("missing", lambda row: str(row.metrics[STRENGTH].missing), **right),
            column("flags", lambda row: ", ".join(row.flags), wraps=True, **more),
            column("worst case", lambda row: _worst(row, reference), **right, **more),
            column(
                "missing because",
                lambda row: ", ".join(
                    f"{row.counts[why]} {why.replace('_', ' ')}"
                    for why in WHY_MISSING
                    if row.counts[why]
                ),
                wraps=True,
                **more,
            ),
        ],
        subtitle=_subtitle(ranking, reference or "the mean"),
        notes=[
            *_apart(ranking),
            *rank_note(ranking.rows, ranking.level),
            *(f"warning: {warning}" for warning in ranking.warnings),
        ],
    )


def _subtitle(ranking: Ranking, against: str) -> str:
    ties = "ties as half wins"
    if ranking.ties == "davidson":
        nu = "" if ranking.tie_strength is None else f", nu {ranking.tie_strength:.2f}"
        ties = f"Davidson's ties{nu}"
    equal = f", answers of equal {ranking.control}" if ranking.control else ""
    served = f"served by {few(ranking.served_models)}" if ranking.served_models else ""
    said = (
        ranking.judge_is,
        served,
        f"Bradley–Terry, {ties}{equal}: log-odds and win rate against {against}",
        _coefficients(ranking),
        f"{ranking.prompts} prompts, which the intervals resample",
    )
    return "; ".join(part for part in said if part)


def _coefficients(ranking: Ranking) -> str:
    said = ", ".join(f"{name} {_strength(e)}" for name, e in ranking.coefficients.items())
    return f"{OF_STYLE}: {said}" if ranking.control == "style" else said


def _rank(row: Row) -> str:
    if row.rank_low is None or row.rank_high is None:
        return estimates.UNDEFINED if row.rank is None else str(row.rank)
    ends = f"{row.rank_low}–{row.rank_high}"
    if row.rank is None:
        return f"{estimates.UNDEFINED} ({ends})"
    return str(row.rank) if row.rank_low == row.rank_high else f"{row.rank} ({ends})"


def _strength(estimate: Estimate) -> str:
    """Log-odds; an end that is not known is infinite, and said so."""
    low, high = estimate.low, estimate.high
    if math.isnan(estimate.value):
        return estimates.UNDEFINED
    if math.isnan(low) or math.isnan(high):
        return f"{estimate.value:+.2f}"
    if math.isfinite(low) and math.isfinite(high):
        said = f"{estimate.value:+.2f} [{low:+.2f}, {high:+.2f}]"
        return Figure(said, low=low, value=estimate.value, high=high)
    ends = [
        f"{end:+.2f}" if math.isfinite(end) else "∞" if end > 0 else "-∞" for end in (low, high)
    ]
    return f"{estimate.value:+.2f} [{', '.join(ends)}]"


def _worst(row: Row, reference: str | None) -> str:
    estimate = row.metrics[EXPECTED]
    if row.model == reference or not estimate.missing:
        return ""
    if estimate.worst_low is None or estimate.worst_high is None:
        return ""
    return f"{estimate.worst_low:.1f} to {estimate.worst_high:.1f}"


def _apart(ranking: Ranking) -> list[str]:
    """Who is not ranked, and what is known of them instead."""
    reasons = grouped(
        (why, row.model) for row in ranking.rows if (why := row.metrics[STRENGTH].undefined)
    )
    notes = [f"{estimates.UNDEFINED} {', '.join(who)}: {why}" for why, who in reasons.items()]
    pair_of = _pair_of(ranking)
    ranked = {row.model for row in ranking.rows if row.metrics[STRENGTH].undefined is None}
    apart = [group for group in ranking.groups if len(group) > 1 and not ranked & {*group}]
    chains = [
        [
            f"{one} over {other} {_strength(pair_of[one, other].difference)}"
            for one, other in pairwise(group)
        ]
        for group in apart
    ]
    return notes + [f"among themselves, in log-odds: {', '.join(chain)}" for chain in chains]


def _pair_of(ranking: Ranking) -> Mapping[tuple[str, str], PairRow]:
    return {(pair.model, pair.opponent): pair for pair in ranking.pairs}


def _win_rates(ranking: Ranking, at: str) -> Table:
    names = [row.model for row in ranking.rows]
    pair_of = _pair_of(ranking)
    sizes = {pair.win_rate.n for pair in ranking.pairs if pair.win_rate.n}
    alike = len(sizes) == 1

    def cell(one: str, other: str) -> str:
        pair = pair_of.get((one, other)) or pair_of.get((other, one))
        if pair is None or not pair.win_rate.n:
            return ""
        value = pair.win_rate.value if pair.model == one else 100.0 - pair.win_rate.value
        return f"{value:.1f}" if alike else f"{value:.1f} ({pair.win_rate.n})"

    n = f"on {sizes.pop()} prompts each" if alike else "with the prompts on which the two met"
    return _matrix(
        f"{at}, win rates between models",
        names,
        _telling(names, pair_of),
        cell,
        subtitle=f"% won by the row of the column, {n}, a tie a half",
    )


def _telling(names: Sequence[str], pair_of: Mapping[tuple[str, str], PairRow]) -> list[int]:
    """The columns to print: where models met one opponent only, its column says all."""
    met = {frozenset(pair): found.win_rate.n for pair, found in pair_of.items() if found.win_rate.n}
    opponents = [sum(name in pair for pair in met) for name in names]
    kept: list[int] = []
    for i in sorted(range(len(names)), key=lambda i: -opponents[i]):
        said = {frozenset((names[i], names[k])) for k in kept}
        if any(names[i] in pair and pair not in said for pair in met):
            kept.append(i)
    return sorted(kept) if 2 * len(kept) < len(names) else list(range(len(names)))


def _chances(ranking: Ranking, at: str) -> Table:
    names = [row.model for row in ranking.rows]
    pair_of = _pair_of(ranking)

    def cell(one: str, other: str) -> str:
        pair = pair_of.get((one, other)) or pair_of.get((other, one))
        if pair is None:
            return ""
        straight = pair.model == one
        if pair.probability_above is not None:
            chance = pair.probability_above if straight else 1.0 - pair.probability_above
            return (
                "<.01" if chance < _NEARLY else ">.99" if chance > 1 - _NEARLY else f"{chance:.2f}"
            )
        why = pair.difference.undefined or ""
        for side, other_side in (("above", "below"), ("below", "above")):
            if why.startswith(side):
                return side if straight else other_side
        return ""

    return _matrix(
        f"{at}, chance that one model is above another",
        names,
        list(range(len(names))),
        cell,
        subtitle="share of replicates in which the row is above the column; empty where nothing "
        "connects them, a word where the amount is not known",
    )


def _matrix(
    title: str,
    names: Sequence[str],
    shown: Sequence[int],
    cell: Callable[[str, str], str],
    *,
    subtitle: str,
) -> Table:
    """Models by models, of which the columns ``shown``; they are called by the numbers of rows."""

    def beside(place: int) -> Cells[int]:
        # The name where there is room for it.
        title = f"{place + 1} {names[place]}" if len(shown) == 1 else str(place + 1)
        return column(title, lambda row: cell(names[row], names[place]), align="right", spare=True)

    columns: list[Cells[int]] = [column("model", lambda row: f"{row + 1} {names[row]}", wraps=True)]
    columns += map(beside, shown)
    return table(title, range(len(names)), columns, subtitle=subtitle)


MOST_DRAWS = 2**26
"""Weights of prompts that are drawn at most; with more prompts there are fewer replicates."""


def rankings(
    store: Store,
    benchmark: str,
    *,
    judges: Collection[str] = (),
    ties: Ties = "half",
    control: Control | None = None,
    reference: str | None = None,
    intervals: Intervals | None = None,
) -> tuple[Ranking, ...]:
    """Bradley-Terry rankings of a benchmark's models, one for each judge that compares.

    Repeats, orders and samples of one prompt are averaged first; intervals resample prompts, with
    the same draws for all judges.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``.
    judges
        Names or ids; all if empty.
    ties
        ``half``: half a win of each. ``davidson``: an outcome of its own, and every prompt is
        won, lost or tied.
    control
        ``length``: strengths of answers of equal length, by the relative difference of lengths in
        characters. ``style``: of equal length, headers, lists and bold text, as
        `judgebench.metrics.style_controlled` has them. Comparisons of which an answer is not in the
        store are left out.
    reference
        The model of strength 0, by name or id; if not given, of those that can be ranked the one
        that others were most often compared with.

    Raises
    ------
    UsageError
        For a benchmark, judge or reference that the store does not hold, and for a control
        without answers or with Davidson's ties.
    """
    if control is not None and ties != "half":
        raise UsageError(f"{control} is controlled for with ties as half wins; leave out davidson")
    which = benchmark_ref(store, benchmark)
    data = BoardData(store, which, ())
    found = judged_pairs(data.verdicts)
    judge_ids = {shown: one for one, shown in data.judges.items()}
    compared = {judge_ids[judge]: judge for judge in found}
    wanted = {
        judge for name in judges for judge in find_judges(name, compared, store, which)
    } or set(found)
    models = sorted({model for pairs in found.values() for model in pairs.models})
    if reference is not None:
        reference = find_model(reference, models, data.model_ids, store, which)
    ranker = _Ranker(data, ties, control, reference, intervals or Intervals())
    return tuple(ranker.ranking(judge, judge_ids[judge], found[judge]) for judge in sorted(wanted))


class _Ranker:
    def __init__(
        self,
        data: BoardData,
        ties: Ties,
        control: Control | None,
        reference: str | None,
        intervals: Intervals,
    ) -> None:
        self.data, self.ties, self.control = data, ties, control
        self.reference, self.intervals = reference, intervals

    def ranking(self, judge: str, judge_id: str, pairs: Pairs) -> Ranking:
        data, level = self.data, self.intervals.level
        looks = covariates(data, judge, pairs, self.control)
        c = comparisons(pairs, ties=self.ties, rows=looks.kept)
        reference = self._reference(pairs, c)
        wanted = self.intervals.affordable(len(pairs.prompts), MOST_DRAWS)
        fit = rank_models(
            c, draws=wanted.draws(pairs.prompts), ties=self.ties, covariates=looks.values,
            reference=reference, level=level,
        )  # fmt: skip
        plain = self.control is None
        bounds = worst_cases(pairs, c, fit, self.ties, reference) if plain else None
        places = places_of(fit)
        order = sorted(range(len(pairs.models)), key=lambda m: order_of(fit, places, m))
        rows = tuple(self._row(judge, pairs, c, fit, places[m], bounds, m) for m in order)
        spec = data.spec_of[judge_id]
        name = None if reference is None else pairs.models[reference]
        return Ranking(
            benchmark=data.which.name,
            version=data.which.version,
            judge=judge,
            judge_id=judge_id,
            judge_is=judge_line(spec, data.left_out(judge_id)),
            served_models=data.served([judge_id]),
            official_prompt=spec.official_prompt,
            reference=name,
            reference_id=None if name is None else data.model_ids[name],
            ties=self.ties,
            tie_strength=finite(fit.tie_strength) if self.ties == "davidson" else None,
            control=self.control,
            coefficients=coefficients(fit, c, looks),
            prompts=len(np.unique(c.prompt)),
            replicates=fit.n_replicates,
            level=level,
            rows=rows,
            pairs=tuple(pair_rows(pairs, c, fit, order, version=data.which.version)),
            groups=groups_of(pairs, fit, order),
            warnings=(
                *self._unusual(pairs, reference, looks),
                *few_wins(pairs, c, fit, order),
                *warnings_of(data, judge, [judge_id], rows),
            ),
        )

    def _reference(self, pairs: Pairs, c: Comparisons) -> int | None:
        if self.reference is not None:
            there = self.reference in pairs.models
            return pairs.models.index(self.reference) if there else None
        ranked = np.flatnonzero(rank_models(c, ties=self.ties).group == 0)
        if not len(ranked):
            return None
        return int(ranked[pairs.as_opponent[ranked].argmax()])

    def _row(
        self,
        judge: str,
        pairs: Pairs,
        c: Comparisons,
        fit: Fit,
        place: RankAmong,
        bounds: Floats | None,
        m: int,
    ) -> Row:
        model = pairs.models[m]
        model_id = self.data.model_ids[model]
        marks = self.data.marks.get((judge, model), NO_MARKS)
        its = (c.first == m) | (c.second == m)
        counts = {
            "items": len(pairs.prompts),
            "prompts": len(np.unique(c.prompt[its])),
            "comparisons": int(its.sum()),
            **{reason: int(gone[m].sum()) for reason, gone in pairs.missing.items()},
            **self.data.answers(model_id),
            **{f"{COUNTED}{mark}": n for mark, n in marks.answers.items()},
        }
        worst = None if bounds is None else bounds[:, m]
        strength = estimate(
            fit.strength[m], fit.low[m], fit.high[m], fit,
            undefined=fit.reason[m],
            n=counts["comparisons"],
            units=counts["prompts"],
            missing=int(pairs.all_missing[m].sum()),
            worst=worst,
        )  # fmt: skip
        return Row(
            model=model,
            model_id=model_id,
            version=self.data.which.version,
            rank=place.rank,
            rank_low=place.low,
            rank_high=place.high,
            metrics={STRENGTH: strength, EXPECTED: expected_win_rate(strength, fit)},
            counts=counts,
            flags=flags_of(self.data, model, strength, counts, marks),
        )

    def _unusual(self, pairs: Pairs, reference: int | None, looks: Covariates) -> list[str]:
        said = [
            f"{model} is suspicious ({self.data.suspicious[model]}), and its rank counts here, "
            "since strengths are of one fit; `judgebench leaderboard` leaves it out of the ranking"
            for model in pairs.models
            if model in self.data.suspicious
        ]
        said += holding({
            f"this judge never compared {self.reference}; strengths are over the mean of the "
            "ranked models": self.reference is not None and reference is None,
            "prompts were judged on pairs of their own; where two models did not meet, nothing is "
            "counted as missing": pairs.drawn,
        })  # fmt: skip
        return said + said_of_control(looks, self.control)
