"""Outcomes of pairs: each rule by hand and one pair at a time, kappa by scikit-learn, gold data."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.stats import pair_outcomes as po
from judgebench.stats.agreement import cohen_kappa_of, percent_agreement, why_undefined
from judgebench.stats.rank_correlation import pearson
from judgebench.stats.resample import multinomial_weights, weighted_sums
from perf.coverage_evaluators import outcome_tables
from tests.table import over_rows

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "alpaca_eval"
OWN_JUDGE = "weighted_alpaca_eval_gpt4_turbo"
NAN = math.nan

RULES = [
    po.OutcomeRule(tie_band=band, conflict=conflict, unreadable=unreadable)
    for band, conflict, unreadable in itertools.product(
        (0.0, 0.1), ("mean", "tie", "drop"), ("other", "drop")
    )
]
probabilities = st.sampled_from([0.0, 0.4, 0.5, 0.6, 1.0, NAN]) | st.floats(0.0, 1.0)
two_orders = st.lists(st.tuples(probabilities, probabilities), min_size=1, max_size=12)
codes = st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 2)), min_size=1, max_size=40)


@dataclass
class Agreement:
    """How far two judges agree on outcomes, with ties and without."""

    n: int
    agreement: float
    kappa: float
    why_no_kappa: str | None


def agreements(first: Any, second: Any, **how: Any) -> tuple[Agreement, Agreement]:
    whole = outcome_tables(first, second).sum(axis=0)
    with_ties, decided = (
        Agreement(
            int(table.sum()),
            float(percent_agreement(table)),
            float(cohen_kappa_of(table, **how)),
            why_undefined("cohen_kappa", table),
        )
        for table in (whole, po.without_ties(whole))
    )
    return with_ties, decided


def one_by_one(p: float, q: float, rule: po.OutcomeRule) -> int:
    """What the rule says of one pair, in so many words."""

    def outcome(x: float) -> int:
        if abs(x - 0.5) <= rule.tie_band + po.NEAR:
            return po.TIE
        return po.WIN if x > 0.5 else po.LOSS

    read = [x for x in (p, q) if not math.isnan(x)]
    if not read:
        return po.NO_OUTCOME
    if len(read) == 1:
        return outcome(read[0]) if rule.unreadable == "other" else po.NO_OUTCOME
    if outcome(p) == outcome(q):
        return outcome(p)
    by_rule = {"mean": outcome((p + q) / 2), "tie": po.TIE, "drop": po.NO_OUTCOME}
    return by_rule[rule.conflict]


class TestOutcomes:
    def test_one_order(self) -> None:
        found = po.pair_outcomes([0.9, 0.5, 0.2, NAN])
        assert found.codes.tolist() == [po.WIN, po.TIE, po.LOSS, po.NO_OUTCOME]
        assert not (found.conflicting | found.half).any()

    @over_rows(
        ("conflict", "expected"),
        [
            ("mean", [po.WIN, po.TIE, po.WIN]),
            ("tie", [po.TIE, po.TIE, po.TIE]),
            ("drop", [po.NO_OUTCOME, po.NO_OUTCOME, po.NO_OUTCOME]),
        ],
    )
    def test_orders_that_disagree(self, conflict: po.Conflict, expected: list[int]) -> None:
        p = [[0.9, 0.2], [1.0, 0.0], [0.5, 0.9]]
        found = po.pair_outcomes(p, po.OutcomeRule(conflict=conflict))
        assert found.codes.tolist() == expected
        assert found.conflicting.all()

    @over_rows(
        ("unreadable", "expected"),
        [("other", [po.WIN, po.LOSS, -1]), ("drop", [-1, -1, -1])],
    )
    def test_an_order_that_was_not_read(
        self, unreadable: po.UnreadableSide, expected: list[int]
    ) -> None:
        found = po.pair_outcomes(
            [[0.9, NAN], [NAN, 0.1], [NAN, NAN]], po.OutcomeRule(unreadable=unreadable)
        )
        assert found.codes.tolist() == expected
        assert found.half.tolist() == [True, True, False]
        assert not found.conflicting.any()

    def test_the_ends_of_the_band_are_ties(self) -> None:
        """1.45 - 1 and 1.55 - 1 are not as far from one half as 0.05 is from 0."""
        rule = po.OutcomeRule(tie_band=0.05)
        found = po.pair_outcomes([1.45 - 1, 1.55 - 1, 0.4499, 0.5501], rule)
        assert found.codes.tolist() == [po.TIE, po.TIE, po.LOSS, po.WIN]

    @given(two_orders)
    @pytest.mark.parametrize("rule", RULES, ids=str)
    def test_every_rule_pair_by_pair(self, rule: po.OutcomeRule, p: list) -> None:
        found = po.pair_outcomes(p, rule)
        assert found.codes.tolist() == [one_by_one(*pair, rule) for pair in p]
        assert (found.codes == po.pair_outcomes(np.array(p)[:, ::-1], rule).codes).all()

    @given(st.lists(st.tuples(*[st.sampled_from([0, 0.25, 0.5, 0.75, 1, NAN])] * 2), min_size=1))
    @pytest.mark.parametrize("rule", RULES, ids=str)
    def test_the_other_answer_has_the_opposite(self, rule: po.OutcomeRule, p: list) -> None:
        """Of probabilities whose complements are exact."""
        mine, theirs = (po.pair_outcomes(x, rule).codes for x in (np.array(p), 1 - np.array(p)))
        opposite = {po.WIN: po.LOSS, po.LOSS: po.WIN}
        assert theirs.tolist() == [opposite.get(code, code) for code in mine.tolist()]

    def test_nothing_has_no_outcomes(self) -> None:
        assert po.pair_outcomes([]).codes.tolist() == []
        assert not po.pair_outcomes(np.zeros((0, 2))).codes.size

    @over_rows(
        ("p", "words"),
        [
            ([0.5, 1.2], r"1\.2 is no probability \(pair 1\)"),
            ([[0.5, 0.5], [0.1, -0.1]], r"-0\.1 is no probability \(pair 1\)"),
            ([math.inf], "no probability"),
            (0.5, "one or two probabilities a pair"),
            ([[0.1, 0.2, 0.3]], "one or two probabilities a pair"),
        ],
    )
    def test_what_is_no_probability_is_refused(self, p: object, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            po.pair_outcomes(p)  # type: ignore[arg-type]

    @over_rows(
        "settings",
        [{"tie_band": 0.5}, {"tie_band": -0.1}, {"tie_band": NAN}, {"conflict": "first"},
         {"unreadable": "tie"}],
    )  # fmt: skip
    def test_what_is_no_rule_is_refused(self, settings: dict) -> None:
        with pytest.raises(ValueError, match=next(iter(settings)).replace("_", " ")):
            po.OutcomeRule(**settings)


class TestAgreement:
    @given(codes)
    def test_kappas_equal_scikit_learn(self, pairs: list[tuple[int, int]]) -> None:
        from sklearn.metrics import cohen_kappa_score

        first, second = np.array(pairs).T
        found, without = agreements(first, second)
        both = [(a, b) for a, b in pairs if min(a, b) >= 0]
        decided = [(a, b) for a, b in both if po.TIE not in (a, b)]
        assert (found.n, without.n) == (len(both), len(decided))
        for kept, labels, of in ((both, [0, 1, 2], found), (decided, [0, 2], without)):
            kappa = of.kappa
            if len({x for pair in kept for x in pair}) < 2:
                assert math.isnan(kappa)
                assert of.why_no_kappa
                continue
            a, b = zip(*kept, strict=True)
            assert of.why_no_kappa is None
            assert of.agreement == pytest.approx(np.mean(np.array(a) == np.array(b)))
            assert kappa == pytest.approx(cohen_kappa_score(a, b, labels=labels), abs=1e-12)

    def test_a_tie_may_be_half_a_disagreement(self) -> None:
        first, second = [2, 2, 0, 0, 1, 2], [2, 1, 0, 1, 1, 0]
        from sklearn.metrics import cohen_kappa_score

        linear = agreements(first, second, weighting="linear")[0].kappa
        assert linear == pytest.approx(cohen_kappa_score(first, second, weights="linear"))
        assert linear != agreements(first, second)[0].kappa

    @given(codes)
    def test_weights_are_repetitions(self, pairs: list[tuple[int, int]]) -> None:
        first, second = np.array(pairs).T
        tables = outcome_tables(first, second)
        weights = multinomial_weights(len(pairs), 5, seed=1)
        for table, weight in zip(weighted_sums(weights, tables), weights, strict=True):
            times = weight.astype(int)
            again, decided = agreements(np.repeat(first, times), np.repeat(second, times))
            assert cohen_kappa_of(table) == pytest.approx(again.kappa, nan_ok=True)
            assert cohen_kappa_of(po.without_ties(table)) == pytest.approx(
                decided.kappa, nan_ok=True
            )

    def test_rows_of_a_table_are_the_first_judges(self) -> None:
        tables = outcome_tables([po.WIN, po.TIE, po.NO_OUTCOME], [po.LOSS, po.WIN, po.WIN])
        assert np.argwhere(tables).tolist() == [[0, po.WIN, po.LOSS], [1, po.TIE, po.WIN]]
        assert np.argwhere(po.without_ties(tables)).tolist() == [[0, 1, 0]]

    def test_undefined_has_its_reason(self) -> None:
        ties, decided = agreements([1, 1], [1, 1])
        assert ties.agreement == 1.0
        assert math.isnan(ties.kappa)
        assert "same one label" in str(ties.why_no_kappa)
        assert math.isnan(decided.agreement)
        assert "no item" in str(decided.why_no_kappa)

    @over_rows(
        ("first", "second", "words"),
        [([1], [1, 2], "same pairs"), ([3], [0], "codes"), ([0], [-2], "codes")],
    )
    def test_what_is_no_outcome_is_refused(self, first: list, second: list, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            outcome_tables(first, second)


@pytest.mark.skipif(
    not GOLD.exists(), reason="the gold data (../shared/gold/alpaca_eval) is not here"
)
def test_the_published_judges_agree_as_expected() -> None:
    """Every line of ``judge_agreement_expected.csv``, by the default rule."""
    pandas = pytest.importorskip("pandas")
    columns = ["judge", "model", "index", "preference"]
    others = pandas.read_parquet(GOLD / "other_judges.parquet", columns=columns)
    own = pandas.read_parquet(GOLD / "annotations.parquet", columns=columns[1:])
    said = pandas.concat([others, own.assign(judge=OWN_JUDGE)])
    # An old spelling of 1.5.
    said["p_wins"] = said.preference.mask(said.preference == 0, 1.5) - 1
    expected = pandas.read_csv(GOLD / "judge_agreement_expected.csv")
    assert len(expected) == 6
    for line in expected.itertuples():
        p = [
            said[(said.judge == judge) & (said.model == line.model)]
            .set_index("index")
            .p_wins.reindex(range(805))
            .to_numpy()
            for judge in (line.judge_a, line.judge_b)
        ]
        first, second = (po.pair_outcomes(values).codes for values in p)
        found, decided = agreements(first, second)
        assert (found.n, decided.n) == (line.n, line.n_no_ties)
        both = (first != po.NO_OUTCOME) & (second != po.NO_OUTCOME)
        for mine, theirs in (
            (found.agreement, line.agreement),
            (found.kappa, line.kappa_3class),
            (decided.kappa, line.kappa_no_ties),
            (float(pearson(p[0][both], p[1][both])), line.pearson),
        ):
            assert mine == pytest.approx(theirs, abs=1e-13, nan_ok=True), line
