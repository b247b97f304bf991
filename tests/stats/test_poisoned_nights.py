"""Verdicts that go missing never turn the gate's decision in silence.

Reduced; `perf/poisoned_nights.py` runs the full one.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import GateTest, Policy
from judgebench.stats.gate_rule import Decision
from judgebench.stats.paired_tests import SignFlips, tango_bounds
from judgebench.store.opening import open_store
from perf.gate_rates import alpaca_eval, trivia_judging
from perf.poisoned_nights import (
    ALPHA,
    DECISIONS,
    HOW,
    WHO,
    Counts,
    Night,
    Removed,
    nights_of,
    poisoned,
)
from tests.table import over_rows
from tests.unit.exchanged import import_verdicts, label, rows_file

MARGIN = 0.03


@pytest.fixture(scope="module")
def trivia() -> dict[Decision, list[Night]]:
    return nights_of(trivia_judging(), MARGIN, 3, np.random.default_rng(11))


def summed(all_counts: list[Counts]) -> dict[str, int]:
    return {name: sum(vars(c)[name] for c in all_counts) for name in vars(Counts())}


def test_right_and_wrong_never_flips_and_what_drops_the_missing_does(
    trivia: dict[Decision, list[Night]],
) -> None:
    found = summed(
        [
            poisoned(trivia, share, who, how, seed=seed)
            for seed, (share, who, how) in enumerate(product((0.01, 0.04), WHO, HOW))
        ]
    )
    assert (found["flips"], found["flips_of_views"]) == (0, 0)
    assert found["kept"] > 0.3 * found["decided"]  # it does not just refuse to decide
    assert found["kept"] + found["by_floor"] + found["by_views"] == found["decided"]
    assert found["naive_reversed"] > 0
    assert found["naive_decides"] > 0.1 * found["open"]


def test_preferences_never_flip_either() -> None:
    nights = nights_of(alpaca_eval(), 0.02, 1, np.random.default_rng(12))
    found = summed(
        [poisoned(nights, 0.03, "both", how, seed=seed) for seed, how in enumerate(HOW[1:])]
    )
    assert (found["flips"], found["flips_of_views"]) == (0, 0)
    assert found["naive_reversed"] + found["naive_decides"] > 0


@over_rows("n", [5, 12, 20])
def test_an_item_that_turns_against_the_candidate_never_speaks_for_it(n: int) -> None:
    """So the two ends of what is missing hold between them all that it can be."""
    tables = [(won, lost) for won in range(n + 1) for lost in range(n + 1 - won)]
    ends = {table: tango_bounds(*table, n, alpha=ALPHA) for table in tables}
    for won, lost in tables:
        for worse in ((won - 1, lost), (won, lost + 1), (won - 1, lost + 1)):
            if worse in ends:
                assert ends[worse][0] <= ends[won, lost][0] + 1e-9
                assert ends[worse][1] <= ends[won, lost][1] + 1e-9


def test_nor_does_a_difference_that_falls() -> None:
    generator = np.random.default_rng(14)
    for _ in range(100):
        differences = generator.uniform(-1, 1, 10)
        fallen = differences - generator.uniform(0, 1, 10) * (generator.random(10) < 0.3)
        after, before = (
            SignFlips(one, np.ones(10), alpha=0.05, seed=0) for one in (fallen, differences)
        )
        assert after.p_worse <= before.p_worse
        assert after.bounds(0.05)[1] <= before.bounds(0.05)[1] + 1e-9


def test_under_the_floor_nothing_is_decided(trivia: dict[Decision, list[Night]]) -> None:
    found = poisoned(trivia, 0.10, "candidate", "at random", seed=0)
    assert (found.kept, found.by_floor) == (0, found.decided)


def gated(night: Night, removed: Removed, folder: Path, *, absent: bool, min_n: int = 1) -> str:
    """What the gate says of the same verdicts in a store, left out of a file or unreadable."""
    words = ("incorrect", "correct")
    rows = []
    for item, (values, gone) in enumerate(zip(night.values, removed, strict=True)):
        for model, value, lost in zip(WHO[:2], values, gone, strict=True):
            row = label(item, model, "judge", words[int(value)])
            if not lost:
                rows.append(row)
            elif not absent:
                rows.append(row | {"kind": "unreadable", "value": "", "reason": "two verdicts"})
    test = GateTest(benchmark="made_up", max_drop=MARGIN, min_n=min_n)
    with open_store(str(folder / "s.db")) as store:
        import_verdicts(store, rows_file(folder / "v.jsonl", rows))
        policy = Policy(tests=[test], alpha=ALPHA)
        report = gate_report(store, candidate="candidate", baseline="baseline", policy=policy)
    return report.verdict


@pytest.mark.parametrize("absent", [False, True], ids=["unreadable", "absent"])
@pytest.mark.parametrize("decision", DECISIONS)
def test_the_gate_says_so_of_a_store(
    trivia: dict[Decision, list[Night]], decision: Decision, absent: bool, tmp_path: Path
) -> None:
    generator = np.random.default_rng(13)
    night = trivia[decision][0]
    for n, (share, how) in enumerate([(0.01, HOW[0]), (0.04, HOW[1])]):
        folder = tmp_path / str(n)
        folder.mkdir()
        removed = night.removing(share, "both", how, generator)
        assert gated(night, removed, folder, absent=absent) == night.decided(removed).gate


def test_items_that_a_file_has_of_neither_model_are_held_against_the_policys_number(
    trivia: dict[Decision, list[Night]], tmp_path: Path
) -> None:
    """Nobody can count what was never asked for; a policy says how many items a test needs."""
    night = trivia["regression"][0]
    removed = night.removing(0.10, "candidate", "toward a pass", np.random.default_rng(0))
    removed |= removed[:, :1]
    found = []
    for least in (1, len(removed)):
        folder = tmp_path / str(least)
        folder.mkdir()
        found.append(gated(night, removed, folder, absent=True, min_n=least))
    assert found == ["pass", "inconclusive"]
