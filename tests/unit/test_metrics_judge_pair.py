"""Two judges beside each other: leniency and confusion against sums by hand and other reports."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from judgebench.errors import UsageError
from judgebench.metrics.agreement import LabelAgreement, kappa_map
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judge_pair import disagreements, judge_pair
from judgebench.metrics.judged_values import (
    JudgedValues,
    read_labels,
    read_outcomes,
    read_scores,
)
from judgebench.metrics.outcome_agreement import OutcomeAgreement
from judgebench.metrics.paired import before_and_after
from judgebench.records import BINARY
from tests.agreements import agreement, outcome_agreement
from tests.table import over_rows

QUICK = Intervals(n_replicates=200)
N_ITEMS = 24
NAMES = (
    "item_id", "model", "opponent", "judge", "judge_kind", "order", "sample", "turn", "repeat",
    "kind", "label", "value", "low", "high",
)  # fmt: skip


def outcomes(table: Any) -> JudgedValues:
    """As reports have them: without what a model is against itself."""
    return read_outcomes(table).without_itself()


def columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    usual = {
        "opponent": None, "judge_kind": "imported", "order": "single", "sample": 0, "turn": 0,
        "repeat": 0, "label": None, "value": None, "low": None, "high": None,
    }  # fmt: skip
    return {name: [(usual | row)[name] for row in rows] for name in NAMES}


def labelled(seed: int = 1) -> list[dict[str, Any]]:
    """Three judges on three models, two samples of one; the first judge is lenient."""
    draw = random.Random(seed)
    rows = []
    for model, samples in (("a", 1), ("b", 2), ("c", 1)):
        for i in range(N_ITEMS):
            for sample in range(samples):
                right = draw.random() < 0.5
                place = {"item_id": str(i), "model": model, "sample": sample}
                for judge, spares in (("lenient", 0.4), ("human/a", 1.0), ("other", 0.8)):
                    said = "correct" if right or draw.random() > spares else "incorrect"
                    row = {**place, "judge": judge, "kind": "label", "label": said}
                    if judge == "lenient" and draw.random() < 0.1:
                        row |= {"kind": "unreadable", "label": None}
                    if judge == "lenient" and model == "c" and i == 3:
                        continue
                    rows.append(row)
    return rows


def test_leniency_of_labels_is_the_delta_of_the_agreement_report() -> None:
    """The very same numbers and intervals, by another path through the code."""
    table = columns(labelled())
    found = judge_pair(read_labels(table), "lenient", "human/a", intervals=QUICK)
    rows = agreement(table, reference="human/a", intervals=QUICK).rows
    report = {r.model: r.metrics["score_delta"] for r in rows
              if r.judge == "lenient" and r.scope in ("pooled", "model")}  # fmt: skip
    assert [one.model for one in found.leniency] == [None, "a", "b", "c"]
    for one in found.leniency:
        other = report[one.model]
        assert one.estimate.value == pytest.approx(other.value, abs=1e-12)
        assert (one.estimate.low, one.estimate.high) == pytest.approx((other.low, other.high))
        assert (one.estimate.n, one.estimate.missing) == (other.n, other.missing)
    assert found.leniency[0].estimate.value > 0.1


def test_leniency_of_labels_by_hand() -> None:
    rows = labelled()
    said = {(r["judge"], r["model"], r["item_id"], r["sample"]): r["label"] for r in rows}
    found = judge_pair(read_labels(columns(rows)), "lenient", "human/a", intervals=QUICK)
    for one in found.leniency[1:]:
        by_item = defaultdict(list)
        for (judge, model, item, sample), theirs in said.items():
            mine = said.get(("lenient", model, item, sample))
            if judge == "human/a" and model == one.model and mine is not None:
                by_item[item].append((mine == "correct") - (theirs == "correct"))
        means = [np.mean(differences) for differences in by_item.values()]
        assert one.estimate.value == pytest.approx(np.mean(means), abs=1e-12)
        assert one.estimate.units == len(means)


@over_rows("kind", ["label", "preference"])
def test_the_map_of_kappas_is_that_of_the_report(kind: str) -> None:
    """The very same estimates, intervals and counts, and no other metric."""
    if kind == "label":
        table = columns(labelled())
        found = kappa_map(read_labels(table), intervals=QUICK)
        report = LabelAgreement(read_labels(table), QUICK).between()
    else:
        rows = compared()
        rows += [{**row, "judge": "third", "value": 1 - row["value"]} for row in rows[::3]]
        table = columns(rows)
        found = kappa_map(outcomes(table), intervals=QUICK)
        report = OutcomeAgreement(read_outcomes(table), "nominal", QUICK).between()
    assert len(found) == 3
    assert [(r.judge, r.reference) for r in found] == [(r.judge, r.reference) for r in report]
    for mine, theirs in zip(found, report, strict=True):
        (one,), other = mine.metrics.values(), theirs.metrics["cohen_kappa"]
        assert one.value == pytest.approx(other.value, abs=1e-12)
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-12)
        counts = (one.n, one.missing, one.units, one.undefined)
        assert counts == (other.n, other.missing, other.units, other.undefined)
        assert (one.worst_low, one.worst_high) == pytest.approx((other.worst_low, other.worst_high))


def test_the_confusion_counts_what_was_not_read_and_not_asked() -> None:
    rows = labelled()
    said = {(r["judge"], r["model"], r["item_id"], r["sample"]): r["label"] or "?" for r in rows}
    expected: Counter[tuple[str, str]] = Counter()
    for (judge, *place), theirs in said.items():
        if judge == "human/a":
            expected[theirs, said.get(("lenient", *place), "-")] += 1
    found = judge_pair(read_labels(columns(rows)), "lenient", "human/a").confusion
    assert found is not None
    assert found.rows == found.columns == BINARY
    for row, theirs in enumerate(found.rows):
        for column, mine in enumerate((*found.columns, "?", "-")):
            assert found.counts[row, column] == expected[theirs, mine]
    assert expected["correct", "-"] + expected["incorrect", "-"] == 1
    assert found.counts[:, 2].sum() > 0


def compared(seed: int = 2) -> list[dict[str, Any]]:
    """Two judges in both orders on two models and a baseline; the second was shown one model."""
    draw = random.Random(seed)
    rows = []
    for model in ("a", "b", "baseline"):
        for i in range(N_ITEMS):
            better = draw.random()
            for judge, tilt in (("gpt", 0.25), ("human/a", 0.0)):
                for order in ("model_first", "opponent_first"):
                    p = min(1.0, max(0.0, round(better + tilt + draw.gauss(0, 0.1), 1)))
                    rows.append(
                        {
                            "item_id": str(i), "model": model, "opponent": "baseline",
                            "judge": judge, "kind": "preference", "value": p, "order": order,
                        }
                    )  # fmt: skip
    return rows


def outcome(p: float) -> float:
    return 0.5 if abs(p - 0.5) < 1e-9 else float(p > 0.5)


def test_leniency_of_comparisons_is_the_difference_of_win_rates() -> None:
    rows = compared()
    found = judge_pair(outcomes(columns(rows)), "gpt", "human/a", intervals=QUICK)
    assert [(one.model, one.opponent) for one in found.leniency] == [
        (None, None), ("a", "baseline"), ("b", "baseline")
    ]  # fmt: skip
    values: dict[Any, list[float]] = defaultdict(list)
    for row in rows:
        values[row["judge"], row["model"], row["item_id"]].append(row["value"])
    for one in found.leniency[1:]:
        won = {
            judge: np.mean([outcome(float(np.mean(values[judge, one.model, str(i)])))
                            for i in range(N_ITEMS)])
            for judge in ("gpt", "human/a")
        }  # fmt: skip
        assert one.estimate.value == pytest.approx(won["gpt"] - won["human/a"], abs=1e-12)
        assert one.estimate.low < one.estimate.value < one.estimate.high
    assert found.leniency[0].estimate.value == pytest.approx(
        np.mean([one.estimate.value for one in found.leniency[1:]])
    )


def test_the_confusion_of_comparisons_agrees_with_their_report() -> None:
    rows = compared()
    found = judge_pair(outcomes(columns(rows)), "gpt", "human/a").confusion
    assert found is not None
    assert found.rows == ("loss", "tie", "win")
    both = found.counts[:, :3]
    (pooled,) = [
        row
        for row in outcome_agreement(columns(rows), reference="human/a", intervals=QUICK).rows
        if row.scope == "pooled"
    ]
    assert np.trace(both) / both.sum() == pytest.approx(pooled.metrics["agreement"].value)
    assert both.sum() == pooled.metrics["agreement"].n == 2 * N_ITEMS


def scored(*, high: float = 10, human_high: float = 10, seed: int = 3) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    rows = []
    for model in ("a", "b"):
        for i in range(N_ITEMS):
            truth = draw.randint(2, 8)
            for judge, top in (("rubric", high), ("human/a", human_high)):
                value = truth + (draw.choice([0, 1, 2]) if judge == "rubric" else 0)
                row: dict[str, Any] = {
                    "item_id": str(i), "model": model, "judge": judge, "kind": "score",
                    "value": value, "low": 0, "high": top,
                }  # fmt: skip
                if judge == "rubric" and i == 5:
                    row |= {"kind": "unreadable", "value": None, "low": None, "high": None,
                            "judge_kind": "rubric"}  # fmt: skip
                rows.append(row)
    return rows


def test_leniency_of_scores_is_the_paired_difference() -> None:
    rows = scored()
    found = judge_pair(read_scores(columns(rows)), "rubric", "human/a", intervals=QUICK)
    assert found.unit == "points"
    for one in found.leniency[1:]:
        sides = [
            columns([r for r in rows if (r["judge"], r["model"]) == (judge, one.model)])
            for judge in ("human/a", "rubric")
        ]
        paired = before_and_after(
            *sides, [str(i) for i in range(N_ITEMS)], BoardKind("score"), "j",
            labels=BINARY, intervals=QUICK,
        )  # fmt: skip
        assert one.estimate.value == pytest.approx(paired.difference.value)
        ends = (one.estimate.low, one.estimate.high)
        # by the bootstrap here, by signs there
        assert ends == pytest.approx((paired.difference.low, paired.difference.high), abs=0.1)
        assert (one.estimate.n, one.estimate.missing) == (N_ITEMS - 1, 1)


def test_scores_have_a_table_of_their_points_or_of_tenths_of_the_scale() -> None:
    board = read_scores(columns(scored()))
    found = judge_pair(board, "rubric", "human/a").confusion
    assert found is not None
    assert found.columns == tuple(str(point) for point in range(11))
    assert found.counts[:, -2].sum() == 2
    assert found.counts.sum() == 2 * N_ITEMS
    wide = judge_pair(read_scores(columns(scored(high=100))), "rubric", "human/a").confusion
    assert wide is not None
    assert wide.columns[0] == "0 to 10"
    assert wide.counts[:, 0].sum() + wide.counts[:, 1].sum() == 2 * (N_ITEMS - 1)
    endless = read_scores(columns(scored(high=math.inf)))
    assert judge_pair(endless, "rubric", "human/a").confusion is None


def test_what_has_no_leniency_says_why() -> None:
    found = judge_pair(read_scores(columns(scored(high=100))), "rubric", "human/a")
    assert {one.estimate.undefined for one in found.leniency} == {
        "scores on several scales (0 to 10, 0 to 100) have no difference"
    }
    three = read_labels(columns(labelled()), labels=("wrong", *BINARY))
    found = judge_pair(three, "lenient", "human/a")
    assert found.leniency[0].estimate.undefined == "it needs two labels; 3 are declared"
    rows = [row for row in labelled() if (row["judge"], row["model"]) != ("lenient", "b")]
    found = judge_pair(read_labels(columns(rows)), "lenient", "human/a", intervals=QUICK)
    of_b = next(one.estimate for one in found.leniency if one.model == "b")
    assert math.isnan(of_b.value)
    assert of_b.undefined == "no answer was judged by both"
    assert of_b.missing == 2 * N_ITEMS


def test_people_together_are_their_majority_or_their_mean() -> None:
    rows = [
        {"item_id": str(i), "model": "m", "judge": f"human/{who}", "kind": "label",
         "label": "correct" if code == "+" else "incorrect"}
        for who, codes in (("a", "++-"), ("b", "+--"), ("c", "-+-"))
        for i, code in enumerate(codes)
    ]  # fmt: skip
    rows += [{**row, "judge": "judge"} for row in rows if row["judge"] == "human/a"]
    board = read_labels(columns(rows))
    assert board.of("human").values.tolist() == [1, 1, 0]
    assert board.of("human").raters == ("human/a", "human/b", "human/c")
    found = judge_pair(board, "judge", "human", intervals=QUICK)
    assert found.leniency[0].estimate.value == 0.0
    with pytest.raises(UsageError, match="no judge called 'nobody'"):
        board.of("nobody")
    scores = [{**r, "kind": "score", "value": n % 4, "label": None, "low": 0, "high": 4}
              for n, r in enumerate(rows[:6])]  # fmt: skip
    assert read_scores(columns(scores)).of("human").values.tolist() == [1.5, 0.5, 1.5]
    scores[0] |= {"high": 10}
    with pytest.raises(UsageError, match="people score on several scales"):
        read_scores(columns(scores)).of("human")


def test_items_come_by_how_many_pairs_of_judges_differ() -> None:
    rows = labelled(seed=5)
    found = disagreements(read_labels(columns(rows)))
    said: dict[Any, dict[str, str]] = defaultdict(dict)
    for row in rows:
        if row["label"]:
            said[row["item_id"], row["model"], row["sample"]][row["judge"]] = row["label"]
    differ: Counter[str] = Counter()
    compared_: Counter[str] = Counter()
    for (item, _, _), by_judge in said.items():
        names = sorted(by_judge)
        for at, one in enumerate(names):
            for other in names[at + 1 :]:
                compared_[item] += 1
                differ[item] += by_judge[one] != by_judge[other]
    items = sorted(
        (item for item in differ if differ[item]),
        key=lambda item: (-differ[item], -differ[item] / compared_[item], int(item)),
    )
    assert list(found.items) == items
    assert found.differ.tolist() == [differ[item] for item in items]
    assert found.compared.tolist() == [compared_[item] for item in items]
    lenient = found.judges.index("lenient")
    votes = Counter(
        by_judge["lenient"] for (item, _, _), by_judge in said.items()
        if item == items[0] and "lenient" in by_judge
    )  # fmt: skip
    assert found.votes[lenient, 0].tolist() == [votes[label] for label in BINARY]


def test_of_a_pair_only_what_these_two_say_counts() -> None:
    board = read_labels(columns(labelled()))
    found = disagreements(board, ("lenient", "human/a"))
    confusion = judge_pair(board, "lenient", "human/a").confusion
    assert confusion is not None
    assert found.differ.sum() == confusion.counts[0, 1] + confusion.counts[1, 0]
    assert found.judges == ("lenient", "human/a")


def test_scores_come_by_their_spread() -> None:
    rows = scored()
    found = disagreements(read_scores(columns(rows)))
    values: dict[Any, list[float]] = defaultdict(list)
    for row in rows:
        if row["value"] is not None:
            values[row["item_id"], row["model"]].append(row["value"])
    spread = {
        str(i): np.mean([abs(np.ptp(values[str(i), m])) for m in "ab"])
        for i in range(N_ITEMS)
        if i != 5
    }
    items = sorted((i for i in spread if spread[i]), key=lambda i: (-spread[i], int(i)))
    assert list(found.items) == items
    assert found.differ.tolist() == pytest.approx([spread[item] for item in items])
    assert not found.on_scale
    shares = disagreements(read_scores(columns(scored(high=100))))
    assert shares.on_scale
    assert shares.differ.max() <= 1
    assert disagreements(read_scores(columns(scored())), ("human/a", "human/a")).items == ()
