"""Rankings from pairs as JSON, as tidy records, and as tables to look at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from judgebench.metrics.pairs import WHY_MISSING
from judgebench.records import Estimate
from judgebench.reports import estimates
from judgebench.reports.board import Row, rank_note
from judgebench.reports.board_warnings import few
from judgebench.reports.document import Align, Column, Document, Table
from judgebench.reports.estimates import Figure
from judgebench.reports.ranking import Ranking
from judgebench.reports.ranking_control import OF_STYLE
from judgebench.reports.ranking_values import EXPECTED, STRENGTH, PairRow

_NEARLY = 0.005
"""What two digits would print as never or always."""


def to_json(rankings: Sequence[Ranking]) -> dict[str, Any]:
    """One ranking for each judge; every two models once, the better placed one first."""
    return {"rankings": [_ranking_json(ranking) for ranking in rankings]}


def _ranking_json(ranking: Ranking) -> dict[str, Any]:
    return {
        "benchmark": ranking.benchmark,
        "version": ranking.version,
        "judge": ranking.judge,
        "judge_id": ranking.judge_id,
        "judge_is": ranking.judge_is,
        "served_models": list(ranking.served_models),
        "official_prompt": ranking.official_prompt,
        "reference": ranking.reference,
        "reference_id": ranking.reference_id,
        "ties": ranking.ties,
        "tie_strength": ranking.tie_strength,
        "control": ranking.control,
        "coefficients": {n: estimates.to_json(e) for n, e in ranking.coefficients.items()},
        "prompts": ranking.prompts,
        "replicates": ranking.replicates,
        "level": ranking.level,
        "rows": [
            {
                "model": row.model,
                "model_id": row.model_id,
                "version": ranking.version,
                "rank": row.rank,
                "rank_low": row.rank_low,
                "rank_high": row.rank_high,
                "metrics": {name: estimates.to_json(e) for name, e in row.metrics.items()},
                "counts": dict(row.counts),
                "flags": list(row.flags),
            }
            for row in ranking.rows
        ],
        "pairs": [
            {
                "model": pair.model,
                "opponent": pair.opponent,
                "version": ranking.version,
                "win_rate": estimates.to_json(pair.win_rate),
                "difference": estimates.to_json(pair.difference),
                "probability_above": pair.probability_above,
            }
            for pair in ranking.pairs
        ],
        "groups": [list(group) for group in ranking.groups],
        "warnings": list(ranking.warnings),
    }


def document(rankings: Sequence[Ranking]) -> Document:
    """The rankings for printing."""
    return Document(
        tables=[table for ranking in rankings for table in _tables(ranking)],
        records=[record for ranking in rankings for record in _records(ranking)],
        data=to_json(rankings),
    )


def _records(ranking: Ranking) -> list[dict[str, Any]]:
    """Models against the reference, then every two models; a metric a line."""
    at = {"benchmark": ranking.benchmark, "version": ranking.version, "judge": ranking.judge}
    found = [
        at
        | {
            "model": row.model,
            "opponent": ranking.reference,
            "rank": row.rank,
            "rank_low": row.rank_low,
            "rank_high": row.rank_high,
            "metric": name,
            **estimates.record(estimate),
            "probability_above": None,
            "flags": "; ".join(row.flags),
        }
        for row in ranking.rows
        for name, estimate in row.metrics.items()
    ]
    return found + [
        at
        | {
            "model": pair.model,
            "opponent": pair.opponent,
            "metric": name,
            **estimates.record(estimate),
            "probability_above": pair.probability_above,
        }
        for pair in ranking.pairs
        for name, estimate in (("win_rate", pair.win_rate), ("difference", pair.difference))
    ]


# tables -----------------------------------------------------------------------------------------


def _tables(ranking: Ranking) -> list[Table]:
    at = f"{ranking.benchmark}@{ranking.version}, judged by {ranking.judge}"
    return [_models(ranking, at), _win_rates(ranking, at), _chances(ranking, at)]


_Spare: TypeAlias = tuple[Column, Sequence[str]]


def _models(ranking: Ranking, at: str) -> Table:
    against = ranking.reference or "the mean"
    level = f"[{ranking.level:.0%}]"

    def spare(title: str, cells: Sequence[str], align: Align = "left") -> list[_Spare]:
        """A column that is there where it has something to say."""
        column = Column(title=title, align=align, wraps=align == "left", spare=True)
        return [(column, cells)] if any(cells) else []

    more = [
        *spare("flags", [", ".join(row.flags) for row in ranking.rows]),
        *spare("worst case", [_worst(row, ranking.reference) for row in ranking.rows], "right"),
        *spare("missing because", [_missing_because(row) for row in ranking.rows]),
    ]
    return Table(
        title=f"{at}, models ranked from pairs",
        subtitle=_subtitle(ranking, against),
        columns=[
            Column(title="rank", align="right"),
            Column(title="model", wraps=True),
            Column(title=f"strength {level}", align="right", spare=True),
            Column(title=f"expected win rate % {level}", align="right"),
            Column(title="prompts", align="right"),
            Column(title="comparisons", align="right", spare=True),
            Column(title="missing", align="right"),
            *(column for column, _ in more),
        ],
        rows=[
            [
                _rank(row),
                row.model,
                *(
                    ["reference"] * 2
                    if row.model == ranking.reference
                    else [_strength(row.metrics[STRENGTH]), _rate(row.metrics[EXPECTED])]
                ),
                str(row.counts["prompts"]),
                str(row.counts["comparisons"]),
                str(row.metrics[STRENGTH].missing),
                *(cells[i] for _, cells in more),
            ]
            for i, row in enumerate(ranking.rows)
        ],
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
        names,
        _telling(names, pair_of),
        [[cell(one, other) for other in names] for one in names],
        title=f"{at}, win rates between models",
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
        names,
        list(range(len(names))),
        [[cell(one, other) for other in names] for one in names],
        title=f"{at}, chance that one model is above another",
        subtitle="share of replicates in which the row is above the column; empty where nothing "
        "connects them, a word where the amount is not known",
    )


def _matrix(
    names: Sequence[str], shown: Sequence[int], cells: Sequence[Sequence[str]], **said: str
) -> Table:
    return Table(
        columns=[
            Column(title="model", wraps=True),
            *(Column(title=_column(i, names, shown), align="right", spare=True) for i in shown),
        ],
        rows=[[f"{i + 1} {name}", *(cells[i][j] for j in shown)] for i, name in enumerate(names)],
        **said,
    )


def _column(i: int, names: Sequence[str], shown: Sequence[int]) -> str:
    """The number of the row; the name where there is room for it."""
    return f"{i + 1} {names[i]}" if len(shown) == 1 else str(i + 1)
