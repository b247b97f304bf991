"""A policy out of a store: for each board a drop at which an unchanged model passes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from judgebench.errors import UsageError
from judgebench.metrics.registry import metric
from judgebench.plain_text import counted, printable, too_few_items
from judgebench.reports.gate import LEAST_DROP, MOST_DROP, BoardInCommon, boards_in_common
from judgebench.reports.gate_unchanged import percent
from judgebench.reports.known_spread import KnownSpread
from judgebench.stats.gate_rule import FEWEST_TO_PASS
from judgebench.stats.unchanged import even_chance, passes_every_view, units_every_view
from judgebench.store import Store

LEAST_SUGGESTED = 0.5
"""Points of the scale: a smaller drop is no question for a judge."""

_SHARE_OF_ITEMS = 0.95
_MOST_NAMED = 4


def suggested(
    store: Store, candidate: str, baseline: str, *, chance: float = 0.8, alpha: float = 0.05
) -> str:
    """A policy as YAML, with comments.

    Parameters
    ----------
    chance
        With which an unchanged model is to pass all of its tests; different benchmarks are taken
        to be independent, and judges of one benchmark too, which promises rather too little.

    Raises
    ------
    UsageError
        Where the two have no board in common, or none on which anything passes.
    """
    common = boards_in_common(store, candidate, baseline, every_night=True)
    boards, each = _usable(common, chance, alpha)
    if not boards:
        why = "; ".join(
            f"{one.benchmark}, {one.judge}: {_why_not(one.known)}" for one in common[:_MOST_NAMED]
        )
        raise UsageError(
            f"an unchanged model passes no test of {candidate!r} against {baseline!r} at any drop: "
            f"{why}"
        )
    nights = max(one.known.nights for one in boards)
    lines = [
        f"# Suggested for {_comment(candidate)} against {_comment(baseline)}: an unchanged model "
        f"passes {'its test' if len(boards) == 1 else f'all {len(boards)} tests'}",
        f"# with about {percent(chance)} chance"
        f"{f', each of them with {percent(each)}' if len(boards) > 1 else ''}. "
        "`judgebench gate` says the chance anew each time.",
        "# Unchanged: two models' verdicts exchanged at random, item by item; where a test rests",
        "# on answers asked again, the baseline itself.",
        f"alpha: {alpha:g}",
    ]
    if nights > 1:
        lines += [
            f"# The baseline was asked on {nights} nights: their mean varies less than one night.",
            f"baseline_nights: {nights}",
        ]
    lines.append("tests:")
    for one in common:
        if one in boards:
            lines += _test(one, each, alpha, called_at=alpha / len(boards))
        else:
            about = f"{_comment(one.benchmark)}, {_comment(one.judge)}"
            lines.append(f"  # {about}: left out, {_comment(_why_not(one.known))}")
    return "\n".join(lines) + "\n"


def _usable(
    common: Sequence[BoardInCommon], chance: float, alpha: float
) -> tuple[list[BoardInCommon], float]:
    """The boards on which some drop lets an unchanged model pass, and the chance each is to have.

    Of fewer tests each needs less: those that fall out are no part of it.
    """
    boards = list(common)
    while True:
        each = even_chance(len(boards), (), chance=chance)
        found = [one for one in boards if not math.isnan(one.known.points_to_pass(alpha, each))]
        if len(found) == len(boards):
            return boards, each
        boards = found


def _why_not(known: KnownSpread) -> str:
    """Why a board has no drop at which an unchanged model passes."""
    if known.never is not None:
        return known.never
    if not known.units:
        return "no readable verdict"
    if known.units < FEWEST_TO_PASS:
        return f"{counted(known.units, 'item')}; a pass takes {FEWEST_TO_PASS}: ask more items"
    return f"{too_few_items(known.units)} for any drop: ask more items"


def _test(one: BoardInCommon, each: float, alpha: float, *, called_at: float) -> list[str]:
    known, size = one.known, one.known.scale * one.known.unit / 100.0
    points = known.points_to_pass(alpha, each)
    fields = {
        "benchmark": json.dumps(one.benchmark, ensure_ascii=False),
        "judge": json.dumps(one.judge, ensure_ascii=False),
        "metric": one.metric,
    }
    drop = max(points, LEAST_SUGGESTED)

    strict = LEAST_DROP / 100.0 * known.scale

    def passes(at: float) -> str:
        return percent(
            passes_every_view(
                known.views, at / 100.0 * known.scale, alpha=alpha, width=known.width,
                strict=strict if at > LEAST_DROP else None, called_at=called_at,
            )
        )  # fmt: skip

    items = units_every_view(known.views, strict, alpha=alpha, chance=each, width=known.width)
    said = [
        f"  # {known.units:,} items; an unchanged model passes with {passes(drop)} at this drop",
        f"  # Rests on {_comment(known.said)}.",
    ]
    if drop > LEAST_DROP:
        said.insert(
            1,
            f"  # ({drop:g} points of the scale), with {passes(LEAST_DROP)} at {LEAST_DROP:g} "
            f"points; {LEAST_DROP:g} points take {_items(items)}.",
        )
    if drop > MOST_DROP:
        said.append(f"  # More than {MOST_DROP:g} points: more items would serve better.")
    places = 4 if metric(one.metric).digits == 3 else 3
    fields["max_drop"] = f"{round(drop * size, places):g}"
    if drop > LEAST_DROP:
        fields["strict_drop"] = f"{round(LEAST_DROP * size, places):g}"
    readable = known.units / max(known.units, *(view.units for view in known.views))
    fields["min_n"] = str(max(1, math.floor(_SHARE_OF_ITEMS * known.units * readable)))
    first, *rest = (f"{name}: {value}" for name, value in fields.items())
    return [*said, f"  - {first}", *(f"    {field}" for field in rest)]


def _items(units: float) -> str:
    return f"{math.ceil(units):,} items" if math.isfinite(units) else "fewer missing verdicts"


def _comment(text: str) -> str:
    """Others' text on one line of a comment."""
    return printable(" ".join(text.split()))
