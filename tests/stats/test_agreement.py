"""Agreement coefficients: published examples, other implementations, invariants, undefined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from judgebench.stats import agreement as ag
from tests.table import over_rows

SYMMETRIC = ["agreement", "cohen_kappa", "scott_pi", "gwet_ac1", "krippendorff_alpha", "f1", "mcc"]
CHANCE_CORRECTED = ["cohen_kappa", "scott_pi", "gwet_ac1", "krippendorff_alpha"]

tables = st.integers(2, 5).flatmap(
    lambda k: hnp.arrays(np.float64, (k, k), elements=st.integers(0, 30).map(float))
)
many_raters = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 5), st.integers(1, 12)), elements=st.integers(-1, 3)
)
binary_tables = hnp.arrays(np.float64, (2, 2), elements=st.integers(0, 60).map(float))


def ratings_of(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two label sequences that a table of counts stands for."""
    first, second = np.indices(table.shape)
    times = table.astype(int).ravel()
    return np.repeat(first.ravel(), times), np.repeat(second.ravel(), times)


class TestPublishedExamples:
    def test_fleiss_cohen_everitt_1969(self) -> None:
        """J. L. Fleiss, J. Cohen, B. S. Everitt (1969), Psychological Bulletin 72(5), 323-327:
        200 patients diagnosed by two clinicians, as proportions; kappa = .429."""
        proportions = [[0.53, 0.05, 0.02], [0.11, 0.14, 0.05], [0.01, 0.06, 0.03]]
        assert ag.percent_agreement(proportions) == pytest.approx(0.70)
        assert ag.cohen_kappa_of(proportions) == pytest.approx(0.429, abs=0.0005)

    def test_sas_two_dermatologists(self) -> None:
        """SAS/STAT User's Guide, PROC FREQ, "Agreement Study": kappa = 0.3449."""
        ratings = [[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]]
        assert ag.cohen_kappa_of(ratings) == pytest.approx(0.3449, abs=0.00005)

    def test_feinstein_cicchetti_1990_paradox(self) -> None:
        """A. R. Feinstein, D. V. Cicchetti (1990), Journal of Clinical Epidemiology 43(6),
        543-549: two tables with agreement .85 and kappa .70 and .32, which AC1 and PABAK mend."""
        balanced, skewed = [[45, 6], [9, 40]], [[5, 5], [10, 80]]
        assert ag.percent_agreement([balanced, skewed]) == pytest.approx([0.85, 0.85])
        assert ag.cohen_kappa_of([balanced, skewed]) == pytest.approx([0.70, 0.32], abs=0.005)
        q = (10 + 15) / 200
        pe = 2 * q * (1 - q)
        assert ag.gwet_ac1(skewed) == pytest.approx((0.85 - pe) / (1 - pe))
        assert ag.pabak(skewed) == pytest.approx(0.70)

    def test_krippendorff_2011_two_observers_binary(self) -> None:
        """K. Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section A:
        ten articles, two observers, binary; he prints alpha = 0.095."""
        observer_a = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
        observer_b = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
        table = ag.confusion_table(observer_a, observer_b, n_labels=2)
        assert ag.krippendorff_alpha(table) == pytest.approx(0.095, abs=0.0005)

    def test_declared_scale_changes_quadratic_kappa(self) -> None:
        """Ratings {1, 2, 5} on a declared 1-5 scale; distances come from the scale."""
        first, second = [0, 1, 4, 4, 1, 0, 0], [0, 4, 4, 1, 1, 0, 1]
        declared = ag.cohen_kappa(first, second, n_labels=5, weighting="quadratic")
        squeeze = {0: 0, 1: 1, 4: 2}
        a, b = [squeeze[x] for x in first], [squeeze[x] for x in second]
        observed = ag.cohen_kappa(a, b, n_labels=3, weighting="quadratic")
        by_value = ag.cohen_kappa(a, b, n_labels=3, weighting="quadratic", scale=[1, 2, 5])
        assert by_value == pytest.approx(declared)
        assert abs(observed - declared) > 0.05

    def test_krippendorff_2011_four_observers_with_gaps(self) -> None:
        """Krippendorff (2011), section C: twelve units, four observers, five values, some missing;
        he prints alpha = 0.743 (nominal) and 0.849 (interval)."""
        gap = -1
        codes = np.array([
            [1, 2, 3, 3, 2, 1, 4, 1, 2, gap, gap, gap],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, gap, 3],
            [gap, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, gap],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, gap],
        ])  # fmt: skip
        codes = np.where(codes == gap, -1, codes - 1)
        table = ag.coincidences(codes, np.arange(12), n_units=12, n_labels=5).sum(axis=0)
        assert ag.krippendorff_alpha_of(table) == pytest.approx(0.743, abs=0.0005)
        interval = ag.krippendorff_alpha_of(table, weighting="quadratic")
        assert interval == pytest.approx(0.849, abs=0.0005)


class TestOtherImplementations:
    @given(tables)
    @pytest.mark.parametrize(
        ("ours", "theirs"), [("nominal", None), ("linear", "linear"), ("quadratic", "quadratic")]
    )
    def test_cohen_kappa_equals_scikit_learn(
        self, ours: ag.Weighting, theirs: str | None, table: np.ndarray
    ) -> None:
        from sklearn.metrics import cohen_kappa_score

        kappa = float(ag.cohen_kappa_of(table, weighting=ours))
        if np.isnan(kappa):
            row, column = table.sum(axis=1), table.sum(axis=0)
            assert table.sum() == 0 or (np.count_nonzero(row + column) == 1)
            return
        first, second = ratings_of(table)
        labels = list(range(len(table)))
        assert kappa == pytest.approx(
            cohen_kappa_score(first, second, labels=labels, weights=theirs), abs=1e-12
        )
        assert kappa == ag.cohen_kappa(first, second, n_labels=len(table), weighting=ours)

    @given(tables)
    def test_scott_pi_equals_fleiss_kappa_of_two_raters(self, table: np.ndarray) -> None:
        from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

        pi = float(ag.scott_pi(table))
        if np.isnan(pi):
            return
        counts, _ = aggregate_raters(np.column_stack(ratings_of(table)), n_cat=len(table))
        assert pi == pytest.approx(fleiss_kappa(counts), abs=1e-12)

    @given(tables)
    def test_krippendorff_alpha_equals_its_definition_by_coincidences(
        self, table: np.ndarray
    ) -> None:
        alpha = float(ag.krippendorff_alpha(table))
        if np.isnan(alpha):
            return
        coincidences = table + table.T
        n_k, n = coincidences.sum(axis=1), coincidences.sum()
        off = 1 - np.eye(len(table))
        expected = (np.outer(n_k, n_k) * off).sum() / (n - 1)
        assert alpha == pytest.approx(1 - (coincidences * off).sum() / expected, abs=1e-12)

    @given(many_raters)
    @pytest.mark.parametrize(
        ("weighting", "distance"), [("nominal", "nominal"), ("quadratic", "interval")]
    )
    def test_alpha_with_missing_equals_evalica(
        self, weighting: ag.Weighting, distance: str, codes: np.ndarray
    ) -> None:
        import evalica
        import pandas as pd

        n = codes.shape[1]
        table = ag.coincidences(codes, np.arange(n), n_units=n, n_labels=4).sum(axis=0)
        alpha = float(ag.krippendorff_alpha_of(table, weighting=weighting))
        pairable = codes[:, (codes >= 0).sum(axis=0) > 1]
        if len(np.unique(pairable[pairable >= 0])) < 2:
            assert np.isnan(alpha)
            return
        theirs = evalica.alpha(pd.DataFrame(np.where(codes < 0, np.nan, codes)), distance)
        assert alpha == pytest.approx(theirs.alpha, abs=1e-12)

    @over_rows("n", [1, 20_000])
    def test_alpha_of_one_answer_and_of_many_equals_evalica(self, n: int) -> None:
        import evalica
        import pandas as pd

        draw = np.random.default_rng(n)
        codes = np.where(draw.random((6, n)) < 0.3, -1, draw.integers(0, 4, (6, n)))
        codes[:2, 0] = 0, 1
        table = ag.coincidences(codes, np.arange(n), n_units=n, n_labels=4).sum(axis=0)
        theirs = evalica.alpha(pd.DataFrame(np.where(codes < 0, np.nan, codes)), "interval")
        ours = ag.krippendorff_alpha_of(table, weighting="quadratic")
        assert ours == pytest.approx(theirs.alpha, abs=1e-10)

    @given(tables)
    def test_ac2_of_huge_counts_is_that_of_small_ones(self, table: np.ndarray) -> None:
        assert ag.gwet_ac2(table * 1e12) == pytest.approx(
            ag.gwet_ac2(table), abs=1e-12, nan_ok=True
        )

    @given(many_raters)
    def test_coincidences_are_those_of_every_two_raters_of_an_answer(
        self, codes: np.ndarray
    ) -> None:
        unit_of = np.arange(codes.shape[1]) // 3
        n_units = int(unit_of.max()) + 1
        expected = np.zeros((n_units, 4, 4))
        for answer, unit in enumerate(unit_of):
            said = [one for one in codes[:, answer] if one >= 0]
            for first, a in enumerate(said):
                for second, b in enumerate(said):
                    if first != second:
                        expected[unit, a, b] += 1 / (len(said) - 1)
        found = ag.coincidences(codes, unit_of, n_units=n_units, n_labels=4)
        np.testing.assert_allclose(found, expected, atol=1e-12)

    @given(tables)
    def test_alpha_of_two_raters_without_gaps_is_that_of_their_table(
        self, table: np.ndarray
    ) -> None:
        codes = np.stack(ratings_of(table))
        n, k = codes.shape[1], len(table)
        both = ag.coincidences(codes, np.zeros(n, int), n_units=1, n_labels=k)[0]
        assert ag.krippendorff_alpha_of(both) == pytest.approx(
            ag.krippendorff_alpha(table), abs=1e-12, nan_ok=True
        )

    @given(tables)
    @pytest.mark.parametrize("weighting", ["nominal", "linear", "quadratic"])
    def test_gwet_ac2_equals_its_definition_item_by_item(
        self, weighting: ag.Weighting, table: np.ndarray
    ) -> None:
        """K. L. Gwet (2014), chapter 4, with weights as in his table 3.5."""
        first, second = ratings_of(table)
        k = len(table)
        ac2 = float(ag.gwet_ac2(table, weighting=weighting))
        if not len(first):
            assert np.isnan(ac2)
            return
        power = {"nominal": 0, "linear": 1, "quadratic": 2}[weighting]
        weight = [[1.0 if a == b else 1 - (abs(a - b) / (k - 1)) ** power if power else 0.0
                   for b in range(k)] for a in range(k)]  # fmt: skip
        po = np.mean([weight[a][b] for a, b in zip(first, second, strict=True)])
        shares = [np.mean([np.mean(first == c), np.mean(second == c)]) for c in range(k)]
        pe = sum(map(sum, weight)) * sum(q * (1 - q) for q in shares) / (k * (k - 1))
        assert ac2 == pytest.approx((po - pe) / (1 - pe), abs=1e-12)
        if weighting == "nominal":
            assert ac2 == pytest.approx(float(ag.gwet_ac1(table)), abs=1e-12)

    @given(tables)
    def test_gwet_ac1_equals_its_definition_item_by_item(self, table: np.ndarray) -> None:
        first, second = ratings_of(table)
        ac1 = float(ag.gwet_ac1(table))
        if not len(first):
            assert np.isnan(ac1)
            return
        po = sum(a == b for a, b in zip(first, second, strict=True)) / len(first)
        shares = [np.mean([np.mean(first == k), np.mean(second == k)]) for k in range(len(table))]
        pe = sum(q * (1 - q) for q in shares) / (len(table) - 1)
        assert ac1 == pytest.approx((po - pe) / (1 - pe), abs=1e-12)

    @given(binary_tables)
    def test_binary_coefficients_equal_scikit_learn(self, table: np.ndarray) -> None:
        from sklearn import metrics as sk

        judge, human = ratings_of(table)
        theirs = {
            "precision": lambda: sk.precision_score(human, judge),
            "recall": lambda: sk.recall_score(human, judge),
            "specificity": lambda: sk.recall_score(human, judge, pos_label=0),
            "f1": lambda: sk.f1_score(human, judge),
            "mcc": lambda: sk.matthews_corrcoef(human, judge),
            "p_c": lambda: sk.balanced_accuracy_score(human, judge, adjusted=True),
            "agreement": lambda: sk.accuracy_score(human, judge),
        }
        for name, compute in theirs.items():
            value = float(ag.coefficient(name, table))
            if not np.isnan(value):
                assert value == pytest.approx(compute(), abs=1e-12), name

    @given(binary_tables)
    def test_leniency_solves_the_model_it_comes_from(self, table: np.ndarray) -> None:
        """Thakur et al. (2024), appendix O: tP = s (Pc + (1 - Pc) P+) and its sister."""
        p_c, p_plus = float(ag.p_c(table)), float(ag.p_plus(table))
        if np.isnan(p_plus):
            return
        shares = table / table.sum()
        s = shares[:, 1].sum()
        assert s * (p_c + (1 - p_c) * p_plus) == pytest.approx(shares[1, 1], abs=1e-12)
        assert (1 - s) * (p_c + (1 - p_c) * (1 - p_plus)) == pytest.approx(shares[0, 0], abs=1e-12)

    @given(binary_tables)
    def test_score_delta_is_the_difference_of_the_two_shares(self, table: np.ndarray) -> None:
        judge, human = ratings_of(table)
        if len(judge):
            assert ag.score_delta(table) == pytest.approx(judge.mean() - human.mean(), abs=1e-12)


class TestInvariants:
    @given(binary_tables)
    @pytest.mark.parametrize("name", SYMMETRIC)
    def test_who_comes_first_does_not_matter(self, name: str, table: np.ndarray) -> None:
        there, back = ag.coefficient(name, table), ag.coefficient(name, table.T)
        assert there == pytest.approx(back, abs=1e-12, nan_ok=True)

    @given(tables, st.randoms(use_true_random=False))
    @pytest.mark.parametrize("name", ["agreement", *CHANCE_CORRECTED])
    def test_names_of_labels_do_not_matter(self, name: str, table: np.ndarray, random) -> None:
        order = list(range(len(table)))
        random.shuffle(order)
        renamed = table[np.ix_(order, order)]
        assert ag.coefficient(name, renamed) == pytest.approx(
            ag.coefficient(name, table), abs=1e-12, nan_ok=True
        )

    @given(binary_tables, st.floats(1e-3, 1e3))
    @pytest.mark.parametrize("name", [n for n in ag.COEFFICIENTS if n != "krippendorff_alpha"])
    def test_a_common_weight_does_not_matter(
        self, name: str, table: np.ndarray, weight: float
    ) -> None:
        assert ag.coefficient(name, weight * table) == pytest.approx(
            ag.coefficient(name, table), abs=1e-9, nan_ok=True
        )

    @given(hnp.arrays(np.float64, (3, 4, 2, 2), elements=st.integers(0, 9).map(float)))
    @pytest.mark.parametrize("name", list(ag.COEFFICIENTS))
    def test_leading_axes_are_only_a_loop(self, name: str, many: np.ndarray) -> None:
        one_by_one = [[float(ag.coefficient(name, t)) for t in row] for row in many]
        np.testing.assert_array_equal(ag.coefficient(name, many), one_by_one)

    @given(binary_tables)
    def test_pi_and_ac1_bracket_what_they_should(self, table: np.ndarray) -> None:
        """Scott's chance is never below Cohen's, so pi never exceeds kappa; alpha exceeds pi."""
        kappa, pi = float(ag.cohen_kappa_of(table)), float(ag.scott_pi(table))
        if np.isnan(pi):
            return
        assert pi <= kappa + 1e-12
        assert ag.krippendorff_alpha(table) >= pi - 1e-12

    @given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=40))
    def test_weights_are_repeats(self, pairs: list[tuple[int, int]]) -> None:
        first, second = [a for a, _ in pairs], [b for _, b in pairs]
        thrice = ag.confusion_table(first * 3, second * 3, n_labels=3)
        weighted = ag.confusion_table(first, second, n_labels=3, weights=[3.0] * len(pairs))
        np.testing.assert_array_equal(thrice, weighted)


class TestUndefined:
    @over_rows(
        ("table", "undefined"),
        [
            ([[0, 0], [0, 0]], {*ag.COEFFICIENTS}),
            (
                [[0, 0], [0, 9]],
                {"cohen_kappa", "scott_pi", "krippendorff_alpha", "specificity", "mcc", "p_c"}
                | {"p_plus"},
            ),
            (
                [[9, 0], [0, 0]],
                {"cohen_kappa", "scott_pi", "krippendorff_alpha", "precision", "recall", "f1"}
                | {"mcc", "p_c", "p_plus"},
            ),
            ([[5, 2], [0, 0]], {"precision", "mcc"}),
            ([[0, 0], [5, 2]], {"mcc"}),
            ([[0, 2], [0, 5]], {"specificity", "p_c", "p_plus", "mcc"}),
            ([[4, 0], [0, 5]], {"p_plus"}),
        ],
    )
    def test_nan_exactly_where_there_is_no_value_and_a_reason_there(
        self, table: list[list[int]], undefined: set[str]
    ) -> None:
        found = {name for name in ag.COEFFICIENTS if np.isnan(ag.coefficient(name, table))}
        assert found == undefined
        assert {name for name in ag.COEFFICIENTS if ag.why_undefined(name, table)} == undefined

    @given(binary_tables)
    @pytest.mark.parametrize("name", list(ag.COEFFICIENTS))
    def test_a_reason_if_and_only_if_nan(self, name: str, table: np.ndarray) -> None:
        assert (ag.why_undefined(name, table) is not None) == bool(
            np.isnan(ag.coefficient(name, table))
        )

    @over_rows(
        ("name", "table", "words"),
        [
            ("cohen_kappa", [[0, 0], [0, 9]], "chance agreement is 1"),
            ("precision", [[5, 2], [0, 0]], "the judge calls nothing positive"),
            ("recall", [[5, 0], [1, 0]], "the reference calls nothing positive"),
            ("p_c", [[0, 2], [0, 5]], "the reference calls nothing negative"),
            ("p_plus", [[4, 0], [0, 5]], "makes no error"),
            ("p_plus", [[4, 0], [3, 0]], "the reference calls nothing positive"),
            ("mcc", [[5, 2], [0, 0]], "the judge gives every item the same one label"),
            ("mcc", [[5, 0], [2, 0]], "the reference gives every item the same one label"),
            ("recall", np.ones((3, 3)), "defined for two labels; 3 are declared"),
            ("agreement", np.zeros((3, 3)), "no item has a label of both raters"),
        ],
    )
    def test_the_reason_names_the_cause(self, name: str, table: object, words: str) -> None:
        reason = ag.why_undefined(name, table)  # type: ignore[arg-type]
        assert reason is not None
        assert words in reason

    @given(st.floats(1e-3, 1e3), st.integers(2, 5))
    def test_fractional_weights_do_not_hide_a_constant(self, weight: float, k: int) -> None:
        table = np.zeros((k, k))
        table[1, 1] = weight
        assert np.isnan(ag.cohen_kappa_of(table))
        assert np.isnan(ag.scott_pi(table))

    def test_binary_coefficients_of_more_labels_are_nan_by_name_and_refused_directly(self) -> None:
        assert np.isnan(ag.coefficient("recall", np.ones((4, 3, 3)))).all()
        with pytest.raises(ValueError, match="two labels, not 3"):
            ag.recall(np.ones((3, 3)))


class TestBadInput:
    def test_codes_outside_the_declared_set(self) -> None:
        with pytest.raises(ValueError, match=r"0 \.\. 1"):
            ag.cohen_kappa([0, 2], [0, 1], n_labels=2)

    def test_raters_of_different_lengths(self) -> None:
        with pytest.raises(ValueError, match="same items"):
            ag.cohen_kappa([0, 1], [0], n_labels=2)

    def test_a_scale_of_the_wrong_length(self) -> None:
        with pytest.raises(ValueError, match="3 values"):
            ag.cohen_kappa([0, 1], [0, 1], n_labels=3, weighting="linear", scale=[1, 2])

    def test_a_table_that_is_not_square(self) -> None:
        with pytest.raises(ValueError, match="shape"):
            ag.scott_pi(np.ones((2, 3)))
