"""Judges that score against people: by hand, against scipy, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from judgebench.errors import UsageError
from judgebench.metrics.agreement import AgreementRow, AgreementTable
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judge_differences import JudgeChecks
from judgebench.metrics.judged_values import read_scores
from judgebench.metrics.score_agreement import ScoreAgreement, may_be_constant
from judgebench.metrics.verdict_table import FAILED, SPARSE
from tests.agreements import score_agreement

FAST = Intervals(n_replicates=200)
Said = Sequence[tuple[str, str, float | None]]

PEOPLE: Said = [
    *[("a", "1", 1.0), ("b", "1", 2.0), ("c", "1", 4.0)],
    *[("a", "2", 3.0), ("b", "2", 2.0), ("c", "2", 5.0)],
    *[("a", "3", 1.0), ("b", "3", 1.0), ("c", "3", 1.0)],
]
JUDGE: Said = [
    *[("a", "1", 2.0), ("b", "1", 4.0), ("c", "1", 9.0)],
    *[("a", "2", 7.0), ("b", "2", 6.0), ("c", "2", 6.0)],
    *[("a", "3", 1.0), ("b", "3", 5.0), ("c", "3", 2.0)],
]


def columns(by_judge: Mapping[str, Said], **more: Any) -> dict[str, list]:
    """Model, item and score of each row; None is unreadable, nan failed."""
    rows = [(judge, *row) for judge, said in by_judge.items() for row in said]

    def kind(value: float | None) -> str:
        return "unreadable" if value is None else FAILED if math.isnan(value) else "score"

    people = [judge.startswith("human") for judge, *_ in rows]
    found: dict[str, list] = {
        "judge": [row[0] for row in rows],
        "judge_kind": ["human" if one else "rubric" for one in people],
        "model": [row[1] for row in rows],
        "item_id": [row[2] for row in rows],
        "sample": [0] * len(rows),
        "repeat": [0] * len(rows),
        "kind": [kind(row[3]) for row in rows],
        "value": [row[3] for row in rows],
        "low": [1.0] * len(rows),
        "high": [5.0 if one else 10.0 for one in people],
    }
    return found | more


def of(judge: Said = JUDGE, **wanted: Any) -> tuple[AgreementRow, Mapping[str, int]]:
    table = score_agreement(
        columns({"human/ann": PEOPLE, "judge": judge}), intervals=FAST, **wanted
    )
    (row,) = table.rows
    return row, table.counts["judge"]


def by_scipy(x: Sequence[float], y: Sequence[float]) -> list[float]:
    from scipy.stats import kendalltau, pearsonr, spearmanr

    return [float(f(x, y).statistic) for f in (pearsonr, spearmanr, kendalltau)]


def values(row: AgreementRow, begins: str = "", ends: str = "") -> list[float]:
    return [row.metrics[f"{begins}{n}{ends}"].value for n in ("pearson", "spearman", "kendall")]


def test_sample_level_is_the_mean_over_questions_and_system_level_of_mean_scores() -> None:
    row, counts = of()
    first, second = by_scipy([2, 4, 9], [1, 2, 4]), by_scipy([7, 6, 6], [3, 2, 5])
    assert values(row, "sample_") == pytest.approx(np.mean([first, second], axis=0), abs=1e-9)
    means = [10 / 3, 5, 17 / 3], [5 / 3, 5 / 3, 10 / 3]
    assert values(row) == pytest.approx(by_scipy(*means), abs=1e-9)
    assert counts == {
        "answers": 9, "unreadable": 0, "failed": 0, "not_asked": 0, "questions": 3,
        "with_several": 3, "systems": 3, "compared": 2,
    }  # fmt: skip
    sample, system = row.metrics["sample_pearson"], row.metrics["pearson"]
    assert (sample.n, sample.units, sample.missing) == (6, 2, 0)
    assert (system.n, system.units, system.missing) == (9, 3, 0)
    assert "over 2 of 3 questions with several answers" in sample.method
    assert "over 3 models" in system.method
    assert "draws of items were measured not to hold" in system.method
    assert math.isnan(system.low)
    assert sample.low <= sample.value <= sample.high
    assert (row.scope, row.reference) == ("pooled", "human")
    assert not [name for name in row.metrics if "block" in name or "upstream" in name]


def test_blocks_are_consecutive_answers_by_id_whatever_their_questions() -> None:
    row, counts = of(block=4)
    x, y = [2, 4, 9, 7, 6, 6, 1, 5, 2], [1, 2, 4, 3, 2, 5, 1, 1, 1]
    expected = np.mean([by_scipy(x[:4], y[:4]), by_scipy(x[4:8], y[4:8])], axis=0)
    assert values(row, "block_") == pytest.approx(expected, abs=1e-9)
    assert (counts["blocks"], counts["blocks_compared"], counts["after_blocks"]) == (2, 2, 1)
    block = row.metrics["block_pearson"]
    assert math.isnan(block.low)
    assert "no interval, blocks are not drawn" in block.method
    ids = columns({"human/ann": PEOPLE, "judge": JUDGE})
    tenth = ["10" if item == "3" else item for item in ids["item_id"]]  # 10 comes after 2
    again = score_agreement({**ids, "item_id": tenth}, block=4, intervals=FAST)
    assert values(again.rows[0], "block_") == values(row, "block_")


def test_what_cannot_be_read_is_left_out_and_counts_as_upstream_counts_it_beside() -> None:
    unread = [(m, i, None if (m, i) == ("b", "1") else v) for m, i, v in JUDGE]
    row, counts = of(unread, block=4, unparsed=5.0)
    filled, _ = of([(m, i, 5.0 if v is None else v) for m, i, v in unread], block=4)
    for level in ("sample_", "", "block_"):
        assert values(row, level, "_upstream") == values(filled, level)
        assert row.metrics[f"{level}pearson"].missing == 1
        assert row.metrics[f"{level}pearson_upstream"].missing == 0
    first, second = by_scipy([2, 9], [1, 4]), by_scipy([7, 6, 6], [3, 2, 5])
    assert values(row, "sample_") == pytest.approx(np.mean([first, second], axis=0), abs=1e-9)
    assert (counts["unreadable"], counts["failed"], counts["not_asked"]) == (1, 0, 0)
    assert (counts["compared"], counts["compared_upstream"]) == (2, 2)


def test_failed_and_never_asked_are_missing_and_no_score_for_upstream_either() -> None:
    said = [(m, i, math.nan if (m, i) == ("b", "1") else v) for m, i, v in JUDGE[:-1]]
    row, counts = of(said, unparsed=5.0)
    assert (counts["unreadable"], counts["failed"], counts["not_asked"]) == (0, 1, 1)
    assert row.metrics["pearson"].missing == row.metrics["pearson_upstream"].missing == 2
    assert values(row) == values(row, "", "_upstream")


def test_models_that_a_judge_was_never_asked_about_are_none_of_its_own() -> None:
    row, counts = of([said for said in JUDGE if said[0] != "c"])
    assert (counts["answers"], counts["systems"], counts["not_asked"]) == (6, 2, 0)
    assert row.metrics["pearson"].undefined == "the reference gives every model the same score"


def test_the_reference_is_the_mean_of_its_raters() -> None:
    other = [(m, i, 5.0 - (v or 0)) for m, i, v in PEOPLE if i != "1"]
    given = columns({"human/ann": PEOPLE, "human/bob": other, "judge": JUDGE})
    table = score_agreement(given, intervals=FAST)
    assert table.raters == ("human/ann", "human/bob")
    assert [row.judge for row in table.rows] == ["human/ann", "human/bob", "judge"]
    mean = table.rows[2]
    assert [row.reference for row in table.rows] == [
        "human without human/ann", "human without human/bob", "human",
    ]  # fmt: skip
    # Bob scores what ann does not: neither is compared with a mean that holds its own scores.
    assert table.rows[0].metrics["sample_pearson"].value == pytest.approx(-1.0)
    assert values(table.rows[1])[:3] == pytest.approx(values(table.rows[0])[:3])
    apart = [(m, f"new {i}", v) for m, i, v in PEOPLE]
    strangers = score_agreement(
        columns({"human/ann": PEOPLE, "human/bob": apart, "judge": JUDGE}), intervals=FAST
    )
    assert math.isnan(strangers.rows[0].metrics["sample_pearson"].value)
    assert mean.metrics["sample_pearson"].value == pytest.approx(by_scipy([2, 4, 9], [1, 2, 4])[0])
    one = score_agreement(given, reference="human/ann", intervals=FAST)
    assert [row.judge for row in one.rows] == ["human/bob", "judge"]
    assert values(one.rows[1]) == values(of()[0])


def test_one_question_asked_twice_is_one_question() -> None:
    given = columns({"human/ann": PEOPLE, "judge": JUDGE})
    unit = ["same" if item in "12" else item for item in given["item_id"]]
    table = score_agreement({**given, "unit": unit}, intervals=FAST)
    found = table.rows[0].metrics["sample_pearson"]
    assert found.value == pytest.approx(by_scipy([2, 4, 9, 7, 6, 6], [1, 2, 4, 3, 2, 5])[0])
    assert found.units == 1
    assert math.isnan(found.low)
    assert found.method.startswith("no interval, one question")
    assert table.counts["judge"]["questions"] == 2


def test_undefined_says_why() -> None:
    flat, _ = of([(m, i, 7.0) for m, i, _ in JUDGE])
    assert flat.metrics["sample_kendall"].undefined == "on no question do both tell answers apart"
    assert flat.metrics["kendall"].undefined == "the judge gives every model the same score"
    alone = {"human/ann": [PEOPLE[0], PEOPLE[4]], "judge": [JUDGE[0], JUDGE[4]]}
    (row,) = score_agreement(columns(alone, **{SPARSE: [True] * 4}), block=8, intervals=FAST).rows
    assert row.metrics["sample_pearson"].undefined == "each question has one answer"
    assert row.metrics["block_pearson"].undefined == "in no block of 8 do both tell answers apart"
    assert row.metrics["pearson"].value == pytest.approx(1.0)
    nothing, counts = of([(m, i, None) for m, i, _ in JUDGE])
    assert nothing.metrics["pearson"].undefined == "a model has no score"
    assert counts["unreadable"] == 9


def test_several_scales_have_no_mean() -> None:
    given = columns({"human/ann": PEOPLE, "judge": JUDGE})
    given["high"][-1] = 100.0
    (row,) = score_agreement(given, intervals=FAST).rows
    assert row.metrics["pearson"].undefined == "scores on several scales (1 to 10, 1 to 100)"
    given["high"][0] = 7.0
    with pytest.raises(UsageError, match=r"several scales \(1 to 5, 1 to 7\).*name one rater"):
        score_agreement(given, intervals=FAST)


def test_a_reference_that_is_not_there() -> None:
    given = columns({"judge": JUDGE, "other": [(m, i, None) for m, i, _ in JUDGE]})
    for name, message in {
        "human": "no judge called 'human'",
        "jugde": "did you mean 'judge'",
        "other": "'other' has scored nothing here",
    }.items():
        with pytest.raises(UsageError, match=message):
            score_agreement(given, reference=name)


def test_judges_are_compared_with_each_other() -> None:
    given = columns({"human/ann": PEOPLE, "judge": JUDGE, "mute": [("a", "1", None)]})
    board = ScoreAgreement(read_scores(given), None, FAST)
    rows = board.between()
    assert [(row.judge, row.reference) for row in rows] == [("human/ann", "judge")]
    assert values(rows[0]) == pytest.approx(values(of()[0]))
    assert board.between(["mute"]) == ()


said = hnp.arrays(np.float64, (2, 12), elements=st.sampled_from([1.0, 1.0, 1.0, 2.0, np.nan]))


@hypothesis_given(said, st.sampled_from([0.3, 0.5, 0.8, 0.95]))
def test_nobody_is_passed_over_who_says_nearly_always_the_same(
    scores: np.ndarray, share: float
) -> None:
    theirs = [its[~np.isnan(its)] for its in (scores, *scores)]
    most = [np.unique(one, return_counts=True)[1].max() / len(one) for one in theirs if len(one)]
    if any(one >= share for one in most):
        model, at = np.nonzero(~np.isnan(scores))
        assert may_be_constant(scores[model, at], model, share)


def test_a_judge_that_tells_answers_apart_need_not_be_counted_score_by_score() -> None:
    scores = np.random.default_rng(0).integers(1, 11, (3, 400)).astype(float)
    model = np.repeat(np.arange(3), 400)
    assert not may_be_constant(scores.ravel(), model, 0.95)
    scores[1] = 7.0
    assert may_be_constant(scores.ravel(), model, 0.95)


def test_who_scores_nearly_all_alike_is_named() -> None:
    items = [str(number) for number in range(40)]
    people = [(m, i, float(1 + int(i) % 5)) for m in "ab" for i in items]
    flat = [(m, i, 7.0 if m == "a" or int(i) else 2.0) for m, i, _ in people]
    given = columns({"human/ann": people, "flat": flat, "copy": people})
    table = score_agreement(given, intervals=FAST, checks=JudgeChecks())
    assert [(one.judge, one.model, one.says) for one in table.flags] == [
        ("flat", None, "7"), ("flat", "a", "7"), ("flat", "b", "7"),
    ]  # fmt: skip


def test_equal_verdicts_in_any_order_give_equal_estimates() -> None:
    given = columns({"human/ann": PEOPLE, "judge": JUDGE})
    backwards = {name: column[::-1] for name, column in given.items()}
    tables: list[AgreementTable] = [
        score_agreement(one, block=4, unparsed=5.0, intervals=FAST) for one in (given, backwards)
    ]
    assert tables[0] == tables[1]
