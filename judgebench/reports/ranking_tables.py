"""Rankings from pairs: what is told of one judge's, as a report and as tables to look at."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from judgebench.metrics.pairs import WHY_MISSING
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.board import Row, rank_note
from judgebench.reports.board_warnings import few
from judgebench.reports.document import Cells, Chart, Each, Report, Rows, Table, column, table
from judgebench.reports.estimates import Figure
from judgebench.reports.ranking_control import OF_STYLE, Control
from judgebench.reports.ranking_values import EXPECTED, STRENGTH, PairRow
from judgebench.stats.ranking import Ties

_NEARLY = 0.005
"""What two digits would print as never or always."""

AT = ("benchmark", "version", "judge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking(Report):
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

    benchmark: str
    version: str
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
        at = f"{self.benchmark}@{self.version}, judged by {self.judge}"
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

    columns: list[Cells[Row]] = [
        column("rank", _rank, **right),
        column("model", lambda row: row.model, wraps=True),
        column(f"strength {level}", metric(STRENGTH, _strength), spare=True, **right),
        column(f"expected win rate % {level}", metric(EXPECTED, _rate), **right),
        column("prompts", lambda row: str(row.counts["prompts"]), **right),
        column("comparisons", lambda row: str(row.counts["comparisons"]), spare=True, **right),
        column("missing", lambda row: str(row.metrics[STRENGTH].missing), **right),
        column("flags", lambda row: ", ".join(row.flags), wraps=True, **more),
        column("worst case", lambda row: _worst(row, reference), **right, **more),
        column("missing because", _missing_because, wraps=True, **more),
    ]
    return table(
        f"{at}, models ranked from pairs",
        ranking.rows,
        columns,
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


def _rate(estimate: Estimate) -> str:
    return estimates.text(estimate, digits=1)


def _worst(row: Row, reference: str | None) -> str:
    estimate = row.metrics[EXPECTED]
    if row.model == reference or not estimate.missing:
        return ""
    if estimate.worst_low is None or estimate.worst_high is None:
        return ""
    return f"{estimate.worst_low:.1f} to {estimate.worst_high:.1f}"


def _missing_because(row: Row) -> str:
    return ", ".join(
        f"{row.counts[why]} {why.replace('_', ' ')}" for why in WHY_MISSING if row.counts[why]
    )


def _apart(ranking: Ranking) -> list[str]:
    """Who is not ranked, and what is known of them instead."""
    reasons: dict[str, list[str]] = {}
    for row in ranking.rows:
        if why := row.metrics[STRENGTH].undefined:
            reasons.setdefault(why, []).append(row.model)
    notes = [f"{estimates.UNDEFINED} {', '.join(who)}: {why}" for why, who in reasons.items()]
    pair_of = _pair_of(ranking)
    ranked = {row.model for row in ranking.rows if row.metrics[STRENGTH].undefined is None}
    for group in ranking.groups:
        if len(group) < 2 or ranked & set(group):
            continue
        chain = ", ".join(
            f"{one} over {other} {_strength(pair_of[one, other].difference)}"
            for one, other in pairwise(group)
        )
        notes.append(f"among themselves, in log-odds: {chain}")
    return notes


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
