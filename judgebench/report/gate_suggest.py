"""A policy out of a store: for each board a drop at which an unchanged model passes."""

from __future__ import annotations

import json
import math

from judgebench.plain_text import printable
from judgebench.report.gate import LEAST_DROP, MOST_DROP, BoardInCommon, boards_in_common
from judgebench.report.gate_unchanged import percent
from judgebench.report.metric_words import digits
from judgebench.stats.unchanged import even_chance, passes_unchanged, units_to_pass
from judgebench.store import Store

LEAST_SUGGESTED = 0.5
"""Points of the scale: a smaller drop is no question for a judge."""

_SHARE_OF_ITEMS = 0.95


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
        Where the two have no board in common.
    """
    boards = boards_in_common(store, candidate, baseline)
    each = even_chance(len(boards), (), chance=chance)
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
    for one in boards:
        lines += _test(one, each, chance, alpha)
    return "\n".join(lines) + "\n"


def _test(one: BoardInCommon, each: float, chance: float, alpha: float) -> list[str]:
    known, size = one.known, one.known.scale * one.known.unit / 100.0
    points = one.points_to_pass(alpha, each)
    fields = {
        "benchmark": json.dumps(one.benchmark, ensure_ascii=False),
        "judge": json.dumps(one.judge, ensure_ascii=False),
        "metric": one.metric,
    }
    if math.isnan(points):
        why = f"{known.units} items are too few" if known.units else "no readable verdict"
        return [
            f"  # {_comment(one.benchmark)}, {_comment(one.judge)}: left out, {why} for any drop"
        ]
    drop = max(points, LEAST_SUGGESTED)

    def passes(at: float) -> str:
        return percent(
            passes_unchanged(
                known.spread, known.units, at / 100.0 * known.scale,
                alpha=alpha, width=known.width, binary=known.binary,
            )
        )  # fmt: skip

    strict = LEAST_DROP / 100.0 * known.scale
    items = units_to_pass(
        known.spread, strict, alpha=alpha, chance=each, width=known.width, binary=known.binary
    )
    said = [
        f"  # {known.units:,} items; an unchanged model passes with {passes(drop)} at this drop",
        f"  # Rests on {_comment(known.said)}.",
    ]
    if drop > LEAST_DROP:
        said.insert(
            1,
            f"  # ({drop:g} points of the scale), with {passes(LEAST_DROP)} at {LEAST_DROP:g} "
            f"points; {LEAST_DROP:g} points take {math.ceil(items):,} items.",
        )
    if drop > MOST_DROP:
        said.append(f"  # More than {MOST_DROP:g} points: more items would serve better.")
    places = 4 if digits(one.metric) == 3 else 3
    fields["max_drop"] = f"{round(drop * size, places):g}"
    if drop > LEAST_DROP:
        fields["strict_drop"] = f"{round(LEAST_DROP * size, places):g}"
    fields["min_n"] = str(max(1, math.floor(_SHARE_OF_ITEMS * known.units)))
    first, *rest = (f"{name}: {value}" for name, value in fields.items())
    return [*said, f"  - {first}", *(f"    {field}" for field in rest)]


def _comment(text: str) -> str:
    """Others' text on one line of a comment."""
    return printable(" ".join(text.split()))
