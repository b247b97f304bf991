"""Pairs in both orders: CritiqueLLM's consistency and agreement, and what is missing of them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from judgebench.metrics.comparison import AgreementRow
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.outcome_agreement import NAMES, ONE_ORDER
from tests.agreements import outcome_agreement

FAST = Intervals(n_replicates=200)

#: By pair: people's label, and what the judge says of who is shown first, first and then second.
#: 0 the one shown first is better, 1 the other, 2 a tie, None unreadable, "" not asked.
PAIRS: list[tuple[int, Any, Any]] = [
    (0, 0, 1),  # consistent and right
    (1, 1, 0),  # consistent and right
    (1, 0, 1),  # consistent and wrong
    (2, 2, 2),  # consistent and right
    (0, 0, 0),  # whoever is first
    (0, 0, 2),
    (1, 1, None),
    (0, None, None),
]


def columns(pairs: list[tuple[int, Any, Any]] = PAIRS, **more: Any) -> dict[str, list]:
    rows: list[tuple[str, str, str, Any]] = []
    for item, (label, first, second) in enumerate(pairs):
        rows.append((str(item), "human/ann", "single", 1.0 - label if label < 2 else 0.5))
        for order, said in (("model_first", first), ("opponent_first", second)):
            if said == "":
                continue
            won = None if said is None else 0.5 if said == 2 else 1.0 - said
            if won is not None and order == "opponent_first":
                won = 1.0 - won
            rows.append((str(item), "judge", order, won))
    found: dict[str, list] = {
        "item_id": [row[0] for row in rows],
        "judge": [row[1] for row in rows],
        "order": [row[2] for row in rows],
        "value": [row[3] for row in rows],
        "kind": ["unreadable" if row[3] is None else "preference" for row in rows],
        "model": ["m"] * len(rows),
        "opponent": ["n"] * len(rows),
        "sample": [0] * len(rows),
    }
    return found | more


def by_scope(given: dict[str, list]) -> dict[str, AgreementRow]:
    table = outcome_agreement(given, reference="human/ann", intervals=FAST)
    return {row.scope: row for row in table.rows if row.judge == "judge"}


def upstreams(pairs: list[tuple[int, Any, Any]]) -> tuple[float, float]:
    """Consistency and agreement counted over the rows of CritiqueLLM's file, twice a pair."""
    scores = [-1 if said is None else said for _, *both in pairs for said in both]
    consistent = {(0, 1): 0, (1, 0): 1, (2, 2): 2}
    read = [consistent.get((scores[i], scores[i + 1])) for i in range(0, len(scores), 2)]
    con = sum(one is not None for one in read)
    agr = sum(one == label for one, (label, *_) in zip(read, pairs, strict=True))
    return con * 2 / len(scores), agr * 2 / len(scores)


def test_consistency_and_agreement_as_upstream_counts_them() -> None:
    rows = by_scope(columns())
    for scope in ("pooled", "macro", "model"):
        metrics = rows[scope].metrics
        assert metrics["consistency_upstream"].value == pytest.approx(4 / 8)
        assert metrics["consistent_agreement_upstream"].value == pytest.approx(3 / 8)
        assert metrics["consistency"].value == pytest.approx(4 / 6)
        assert metrics["consistent_agreement"].value == pytest.approx(3 / 6)
        assert (metrics["consistency"].n, metrics["consistency"].missing) == (6, 2)
        assert (metrics["consistency_upstream"].n, metrics["consistency_upstream"].missing) == (
            8,
            0,
        )
    expected = upstreams(PAIRS)
    found = rows["pooled"].metrics
    assert (
        found["consistency_upstream"].value,
        found["consistent_agreement_upstream"].value,
    ) == pytest.approx(expected, abs=1e-9)
    assert found["consistency"].method == "wilson"  # six pairs of one model
    assert found["consistency"].low < 4 / 6 < found["consistency"].high


def test_one_order_says_nothing_of_consistency() -> None:
    rows = by_scope(columns([(label, first, "") for label, first, _ in PAIRS]))
    for name in NAMES:
        estimate = rows["pooled"].metrics[name]
        assert math.isnan(estimate.value)
        assert estimate.undefined == ONE_ORDER
        assert (estimate.n, estimate.missing) == (0, 8)
    assert rows["pooled"].metrics["agreement"].value > 0


def test_pairs_shown_in_one_order_do_not_count_as_inconsistent() -> None:
    (*most, _, _) = PAIRS
    found = by_scope(columns([*most, (0, 0, ""), (1, "", 0)]))["pooled"].metrics
    assert found["consistency_upstream"].value == pytest.approx(4 / 6)
    assert (found["consistency_upstream"].n, found["consistency_upstream"].missing) == (6, 2)


def test_nothing_that_could_be_read() -> None:
    found = by_scope(columns([(0, None, 0), (1, None, None)]))["pooled"].metrics
    assert found["consistency"].undefined == "no pair could be read in both orders"
    assert found["consistency_upstream"].value == 0


def test_repeated_questions_are_drawn_together() -> None:
    pairs = [PAIRS[n % 4] for n in range(40)]
    given = columns(pairs)
    alone = by_scope(given)["pooled"].metrics["consistent_agreement"]
    unit = [str(int(item) % 4) for item in given["item_id"]]
    together = by_scope({**given, "unit": unit})["pooled"].metrics["consistent_agreement"]
    assert alone.value == together.value == pytest.approx(3 / 4)
    assert (alone.n, alone.units) == (40, 40)
    assert (together.n, together.units) == (40, 4)
    assert together.high - together.low > alone.high - alone.low
