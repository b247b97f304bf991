"""Agreement with a reference: scopes, what is missing, what is undefined, worst cases."""

from __future__ import annotations

import itertools
import math
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from judgebench.errors import UsageError
from judgebench.metrics.agreement import AgreementRow, LabelAgreement
from judgebench.metrics.comparison import METRICS, fillings, pair
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judged_values import read_labels
from judgebench.stats.agreement import COEFFICIENTS, coefficient, cohen_kappa
from tests.agreements import agreement

FAST = Intervals(n_replicates=200)
WORD = {"+": "correct", "-": "incorrect"}


def board(verdicts: dict[tuple[str, str], str]) -> dict[str, list]:
    """``{(judge, model): "+-?."}`` by item; ``|`` splits samples."""
    columns: dict[str, list] = {
        name: [] for name in ("item_id", "model", "judge", "sample", "kind", "label")
    }
    for (judge, model), samples in verdicts.items():
        for sample, marks in enumerate(samples.split("|")):
            for item, mark in enumerate(marks):
                if mark == ".":
                    continue
                columns["item_id"].append(f"q{item}")
                columns["model"].append(model)
                columns["judge"].append(judge)
                columns["sample"].append(sample)
                columns["kind"].append("label" if mark in WORD else "unreadable")
                columns["label"].append(WORD.get(mark))
    return columns


def rows_of(
    verdicts: dict[tuple[str, str], str], judge: str = "j", **options
) -> dict[str | tuple[str, str], AgreementRow]:
    """Rows of one judge by scope, or by ("model", name)."""
    options = {"intervals": FAST, **options}
    table = agreement(board(verdicts), **options)
    return {
        (row.scope if row.model is None else (row.scope, row.model)): row
        for row in table.rows
        if row.judge == judge
    }


TWO_MODELS = {
    ("human", "a"): "++++----+-",
    ("j", "a"): "+++-----+-",
    ("human", "b"): "++-+-+-++-",
    ("j", "b"): "+++++----.",
}


class TestScopes:
    def test_pooled_model_and_macro_against_plain_computation(self) -> None:
        rows = rows_of(TWO_MODELS)
        codes = {"+": 1, "-": 0}

        def kappa(*models: str) -> float:
            pairs = [
                (codes[x], codes[y])
                for m in models
                for x, y in zip(TWO_MODELS["j", m], TWO_MODELS["human", m], strict=True)
                if x in codes
            ]
            return cohen_kappa([x for x, _ in pairs], [y for _, y in pairs], n_labels=2)

        assert rows["pooled"].metrics["cohen_kappa"].value == pytest.approx(kappa("a", "b"))
        for model in "ab":
            found = rows["model", model].metrics["cohen_kappa"].value
            assert found == pytest.approx(kappa(model))
        macro = rows["macro"].metrics["cohen_kappa"]
        assert macro.value == pytest.approx((kappa("a") + kappa("b")) / 2)
        assert macro.method.endswith("over 2 of 2 models")

    def test_the_contracts_names_are_all_there(self) -> None:
        rows = rows_of(TWO_MODELS)
        assert set(rows) == {"pooled", "macro", ("model", "a"), ("model", "b")}
        assert {"agreement", "cohen_kappa", "scott_pi", "gwet_ac1", "krippendorff_alpha",
                "precision", "recall", "score_delta", "p_c", "p_plus", "spearman", "kendall",
                } <= set(METRICS)  # fmt: skip
        assert set(rows["pooled"].metrics) == set(METRICS)
        assert set(rows["macro"].metrics) == set(COEFFICIENTS)
        assert set(rows["model", "a"].metrics) == set(COEFFICIENTS)

    def test_counts_of_verdicts_items_and_missing(self) -> None:
        rows = rows_of(TWO_MODELS)
        counts = {
            scope: (e.n, e.units, e.missing)
            for scope, row in rows.items()
            for e in [row.metrics["agreement"]]
        }
        assert counts == {
            "pooled": (19, 10, 1),
            "macro": (19, 10, 1),
            ("model", "a"): (10, 10, 0),
            ("model", "b"): (9, 9, 1),
        }

    def test_unreadable_and_absent_verdicts_are_missing_alike(self) -> None:
        absent = rows_of({("human", "a"): "++--", ("j", "a"): "+.-."})
        unreadable = rows_of({("human", "a"): "++--", ("j", "a"): "+?-?"})
        assert str(absent) == str(unreadable)  # as text, since nan is not equal to itself
        assert absent["pooled"].metrics["agreement"].missing == 2

    def test_what_only_the_judge_labelled_does_not_count(self) -> None:
        rows = rows_of({
            ("human", "a"): "+-+?", ("j", "a"): "+-++", ("j", "c"): "++++",
        })  # fmt: skip
        assert ("model", "c") not in rows
        e = rows["pooled"].metrics["agreement"]
        assert (e.value, e.n, e.missing) == (1.0, 3, 0)

    def test_each_item_weighs_one_whatever_its_samples(self) -> None:
        """q0 has two samples, one agreed on: (0.5 + 1) / 2, not 2 / 3."""
        rows = rows_of({("human", "a"): "++|+.", ("j", "a"): "++|-."})
        e = rows["pooled"].metrics["agreement"]
        assert (e.value, e.n, e.units) == (0.75, 3, 2)


class TestReference:
    def test_majority_of_people_and_each_of_them_beside_it(self) -> None:
        verdicts = {
            ("human/x", "a"): "++--", ("human/y", "a"): "++-+", ("human/z", "a"): "+---",
            ("j", "a"): "++--",
        }  # fmt: skip
        table = agreement(board(verdicts), intervals=FAST)
        assert table.raters == ("human/x", "human/y", "human/z")
        assert {row.judge for row in table.rows} == {"human/x", "human/y", "human/z", "j"}
        assert rows_of(verdicts)["pooled"].metrics["agreement"].value == 1.0
        # The other two agree on three of the four, and y says so of two of these.
        of_y = rows_of(verdicts, "human/y")["pooled"].metrics["agreement"]
        assert (of_y.value, of_y.n) == (pytest.approx(2 / 3), 3)

    def test_no_rater_is_compared_with_labels_of_its_own(self) -> None:
        """Of two people the majority is where they agree: either would have a kappa of 1."""
        verdicts = {
            ("human/x", "a"): "++--+-+-", ("human/y", "a"): "+-+-++--", ("j", "a"): "+++-----",
            ("human/late", "b"): "++", ("j", "b"): "++",
        }  # fmt: skip
        table = agreement(board(verdicts), intervals=FAST)
        rows = {row.judge: row for row in table.rows if row.scope == "pooled"}
        beside = agreement(board(verdicts), reference="human/y", intervals=FAST)
        (alone,) = [r for r in beside.rows if (r.judge, r.scope) == ("human/x", "pooled")]
        kappa = rows["human/x"].metrics["cohen_kappa"]
        assert (kappa.value, kappa.n) == (pytest.approx(0.0), 8)
        assert kappa.value == alone.metrics["cohen_kappa"].value
        assert rows["human/x"].reference == "human without human/x"
        assert rows["j"].reference == "human"
        nobody = rows["human/late"].metrics["cohen_kappa"]
        assert nobody.undefined == "no item has a label of both raters"

    def test_one_person_is_the_majority_and_not_compared_with_themself(self) -> None:
        verdicts = {("human/x", "a"): "++--", ("j", "a"): "++-+"}
        by_majority = agreement(board(verdicts), reference="human", intervals=FAST)
        by_name = agreement(board(verdicts), reference="human/x", intervals=FAST)
        assert {row.judge for row in by_majority.rows} == {"j"}
        assert [str(r.metrics) for r in by_majority.rows] == [str(r.metrics) for r in by_name.rows]

    def test_a_model_may_be_the_reference(self) -> None:
        rows = rows_of(TWO_MODELS, "human", reference="j")
        there = rows_of(TWO_MODELS)["pooled"].metrics
        back = rows["pooled"].metrics
        assert back["cohen_kappa"].value == pytest.approx(there["cohen_kappa"].value)
        assert back["precision"].value == pytest.approx(there["recall"].value)
        assert back["agreement"].missing == 0

    def test_an_unknown_reference_is_a_usage_error(self) -> None:
        with pytest.raises(UsageError, match="did you mean 'human'"):
            agreement(board(TWO_MODELS), reference="humans")


class TestUndefined:
    VERDICTS: ClassVar = {
        ("human", "a"): "+-+-+-",
        ("j", "a"): "+-+-++",
        ("human", "b"): "++++++",
        ("j", "b"): "++++++",
    }  # fmt: skip

    def test_undefined_stays_undefined_with_its_reason(self) -> None:
        e = rows_of(self.VERDICTS)["model", "b"].metrics["cohen_kappa"]
        assert all(math.isnan(x) for x in (e.value, e.low, e.high))
        assert "chance agreement is 1" in (e.undefined or "")
        assert (e.n, e.units, e.worst_low, e.worst_high) == (6, 6, None, None)

    def test_a_mean_over_models_is_undefined_with_one_of_them(self) -> None:
        rows = rows_of(self.VERDICTS)
        e = rows["macro"].metrics["cohen_kappa"]
        assert math.isnan(e.value)
        assert (e.undefined or "").startswith("undefined on 1 of 2 models (b: both raters give")
        other = rows["model", "a"].metrics["cohen_kappa"].value
        assert (e.undefined or "").endswith(f"mean of the other 1: {other:.4f}")
        assert not math.isnan(rows["macro"].metrics["agreement"].value)
        assert not math.isnan(rows["pooled"].metrics["cohen_kappa"].value)

    def test_a_model_without_any_verdict_is_missing_not_undefined(self) -> None:
        rows = rows_of({**TWO_MODELS, ("human", "c"): "+-+-+-+-+-"})
        macro = rows["macro"].metrics["cohen_kappa"]
        assert macro.value == pytest.approx(
            rows_of(TWO_MODELS)["macro"].metrics["cohen_kappa"].value
        )
        assert macro.method.endswith("over 2 of 3 models")
        assert macro.missing == 11
        assert macro.worst_low is not None
        assert macro.worst_low < macro.value
        c = rows["model", "c"].metrics["cohen_kappa"]
        assert math.isnan(c.value)
        assert c.undefined == "no item has a label of both raters"
        assert (c.n, c.missing) == (0, 10)

    def test_a_judge_that_is_never_readable_is_shown(self) -> None:
        rows = rows_of({("human", "a"): "+-+-", ("j", "a"): "????"})
        for row in rows.values():
            assert all(e.undefined and math.isnan(e.value) for e in row.metrics.values())
            assert all((e.n, e.missing) == (0, 4) for e in row.metrics.values())

    def test_rankings_need_two_models_and_unequal_scores(self) -> None:
        one = rows_of({("human", "a"): "+-", ("j", "a"): "+-"})["pooled"].metrics["spearman"]
        assert one.undefined == "a ranking needs at least two models"
        flat = rows_of({
            ("human", "a"): "++", ("j", "a"): "+-", ("human", "b"): "+-", ("j", "b"): "-+",
        })["pooled"].metrics["kendall"]  # fmt: skip
        assert flat.undefined == "the judge gives every model the same score"

    def test_no_interval_where_most_replicates_are_undefined(self) -> None:
        """The only positive is in a third of the replicates' samples: precision is rarely there."""
        e = rows_of({
            ("human", "a"): "+-------", ("j", "a"): "+-------",
            ("human", "b"): "--------", ("j", "b"): "--------",
        })["pooled"].metrics["cohen_kappa"]  # fmt: skip
        assert e.value == 1.0
        assert math.isnan(e.low)
        assert "no interval" in e.method
        assert "replicates undefined" in e.method

    def test_one_item_has_no_interval(self) -> None:
        rows = rows_of({
            ("human", "a"): "+", ("j", "a"): "+", ("human", "b"): "-", ("j", "b"): "-",
        })  # fmt: skip
        e = rows["pooled"].metrics["cohen_kappa"]
        assert (e.value, e.method) == (1.0, "no interval, one item")
        assert math.isnan(e.low)


class TestIntervals:
    def test_few_items_and_ends_of_a_plain_proportion_are_wilsons(self) -> None:
        rows = rows_of({("human", "a"): "+-" * 20, ("j", "a"): "+-" * 20})
        for scope in ("pooled", "macro", ("model", "a")):
            e = rows[scope].metrics["recall"]
            assert e.method.startswith("wilson")
            assert (e.value, e.high) == (1.0, 1.0)
            assert e.low == pytest.approx(20 / (20 + 1.96**2), abs=1e-4)
        kappa = rows["pooled"].metrics["cohen_kappa"]
        assert kappa.value == 1.0
        assert math.isnan(kappa.low)
        assert math.isnan(kappa.high)
        assert kappa.method.endswith("no interval: all draws are equal")

    def test_pooled_over_models_is_no_plain_proportion(self) -> None:
        rows = rows_of(TWO_MODELS)
        assert "bootstrap" in rows["pooled"].metrics["agreement"].method
        assert rows["model", "a"].metrics["agreement"].method == "wilson"

    def test_replicates_are_resampled_items(self) -> None:
        """Against drawing items with replacement and computing everything anew."""
        generator = np.random.default_rng(8)
        verdicts = {}
        for model in ("a", "b", "c"):
            human = generator.random(60) < 0.6
            judge = np.where(generator.random(60) < 0.2, ~human, human)
            verdicts["human", model] = "".join("+" if x else "-" for x in human)
            verdicts["j", model] = "".join("+" if x else "-" for x in judge)
        found = rows_of(verdicts, intervals=Intervals())["pooled"].metrics["cohen_kappa"]
        mark = {"+": 1, "-": 0}
        human, judge = (
            np.array([[mark[c] for c in verdicts[who, m]] for m in ("a", "b", "c")])
            for who in ("human", "j")
        )
        draws = []
        for _ in range(2000):
            items = generator.integers(0, 60, 60)
            draws.append(cohen_kappa(judge[:, items].ravel(), human[:, items].ravel(), n_labels=2))
        low, high = np.percentile(draws, [2.5, 97.5])
        assert found.low == pytest.approx(low, abs=0.02)
        assert found.high == pytest.approx(high, abs=0.02)

    def test_bca_on_request(self) -> None:
        e = rows_of(TWO_MODELS, intervals=Intervals(kind="bca"))["pooled"].metrics["cohen_kappa"]
        plain = rows_of(TWO_MODELS, intervals=Intervals())["pooled"].metrics["cohen_kappa"]
        assert e.method.startswith("bca bootstrap over items")
        assert e.value == plain.value
        assert (e.low, e.high) != (plain.low, plain.high)
        assert e.low <= e.value <= e.high


class TestWorstCases:
    @given(
        st.lists(st.sampled_from(["++", "+-", "-+", "--"]), min_size=3, max_size=8),
        st.lists(st.sampled_from("+-"), min_size=1, max_size=4),
    )
    def test_hold_every_way_the_missing_could_have_been(
        self, pairs: list[str], unlabelled: list[str]
    ) -> None:
        """Brute force over all fillings; between whole verdicts the bounds may be a little wide."""
        human = "".join(p[1] for p in pairs) + "".join(unlabelled)
        judge = "".join(p[0] for p in pairs)
        rows = rows_of({("human", "a"): human, ("j", "a"): judge + "." * len(unlabelled)})
        code = {"+": 1, "-": 0}
        for name in COEFFICIENTS:
            e = rows["model", "a"].metrics[name]
            if math.isnan(e.value):
                continue
            values = []
            for filling in itertools.product("+-", repeat=len(unlabelled)):
                table = np.zeros((2, 2))
                for x, y in zip(judge + "".join(filling), human, strict=True):
                    table[code[x], code[y]] += 1
                values.append(float(coefficient(name, table)))
            assert e.worst_low is not None
            assert e.worst_high is not None
            assert e.worst_low <= np.nanmin(values) + 1e-9, name
            assert e.worst_high >= np.nanmax(values) - 1e-9, name
            if name not in ("scott_pi", "krippendorff_alpha", "gwet_ac1", "mcc"):
                assert e.worst_low == pytest.approx(np.nanmin(values), abs=1e-9), name
                assert e.worst_high == pytest.approx(np.nanmax(values), abs=1e-9), name

    def test_nothing_missing_leaves_nothing_open(self) -> None:
        for e in rows_of(TWO_MODELS)["model", "a"].metrics.values():
            assert e.worst_low == e.worst_high == pytest.approx(e.value)

    def test_fillings_add_up_to_what_is_missing(self) -> None:
        added = fillings(np.array([[3.0, 4.0], [0.0, 2.0]]))
        assert added.shape[1:] == (2, 2, 2)
        np.testing.assert_allclose(added.sum(axis=-2) - [[3.0, 4.0], [0.0, 2.0]], 0.0, atol=1e-12)
        assert (added >= 0).all()


class TestMoreLabels:
    LABELS = ("bad", "fair", "good")

    def columns(self) -> dict[str, list]:
        given = {"human": [0, 1, 2, 2, 1, 0, 1, 2], "j": [0, 1, 2, 1, 1, 0, 2, 2]}
        rows = [
            (f"q{i}", "m", judge, self.LABELS[code])
            for judge, codes in given.items()
            for i, code in enumerate(codes)
        ]
        return {
            "item_id": [r[0] for r in rows], "model": [r[1] for r in rows],
            "judge": [r[2] for r in rows], "sample": [0] * len(rows),
            "kind": ["label"] * len(rows), "label": [r[3] for r in rows],
        }  # fmt: skip

    def test_chance_corrected_coefficients_serve_and_binary_ones_say_why_not(self) -> None:
        table = agreement(self.columns(), labels=self.LABELS, intervals=FAST)
        pooled = table.rows[0].metrics
        assert pooled["agreement"].value == pytest.approx(0.75)
        assert pooled["agreement"].method == "wilson"
        expected = cohen_kappa([0, 1, 2, 1, 1, 0, 2, 2], [0, 1, 2, 2, 1, 0, 1, 2], n_labels=3)
        assert pooled["cohen_kappa"].value == pytest.approx(expected)
        assert pooled["recall"].undefined == "defined for two labels; 3 are declared"
        assert pooled["spearman"].undefined == "a ranking needs at least two models"
        assert pooled["cohen_kappa"].worst_low is None

    def test_models_are_ranked_by_their_share_of_the_positive_label_as_on_boards(self) -> None:
        said = {"m": "aabcc", "n": "abccc", "o": "aaabb"}  # of c: 2, 3, 0
        judge = {"m": "abccc", "n": "accca", "o": "bbabb"}  # 3, 3, 0
        rows = [
            (f"q{i}", model, name, code)
            for name, its in (("human", said), ("j", judge))
            for model, codes in its.items()
            for i, code in enumerate(codes)
        ]
        columns = {
            "item_id": [r[0] for r in rows], "model": [r[1] for r in rows],
            "judge": [r[2] for r in rows], "sample": [0] * len(rows),
            "kind": ["label"] * len(rows), "label": [r[3] for r in rows],
        }  # fmt: skip
        pooled = agreement(columns, labels=("a", "b", "c"), intervals=FAST).rows[0].metrics
        assert pooled["spearman"].value == pytest.approx(spearmanr([2, 3, 0], [3, 3, 0]).statistic)
        assert pooled["kendall"].value == pytest.approx(kendalltau([2, 3, 0], [3, 3, 0]).statistic)


def test_every_two_judges_against_each_other() -> None:
    verdicts = {**TWO_MODELS, ("k", "a"): "++++++++++", ("z", "d"): "+"}
    rows = LabelAgreement(read_labels(board(verdicts)), FAST).between()
    assert [(r.judge, r.reference, r.scope) for r in rows] == [
        ("human", "j", "pooled"),
        ("human", "k", "pooled"),
        ("j", "k", "pooled"),
    ]
    there = rows_of(TWO_MODELS)["pooled"].metrics["cohen_kappa"]
    assert rows[0].metrics["cohen_kappa"].value == pytest.approx(there.value)


@given(
    st.lists(
        st.tuples(st.text("+-?.", min_size=7, max_size=7), st.text("+-?.", min_size=7, max_size=7)),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_the_verdicts(models: list[tuple[str, str]]) -> None:
    verdicts = {}
    for i, (human, judge) in enumerate(models):
        verdicts["human", f"m{i}"], verdicts["j", f"m{i}"] = human, judge
    if not any(c in WORD for human, _ in models for c in human):
        with pytest.raises(UsageError):
            rows_of(verdicts)
        return
    n = sum(
        a in WORD and b in WORD
        for human, judge in models
        for a, b in zip(human, judge, strict=True)
    )
    asked = sum(c in WORD for human, _ in models for c in human)
    for row in rows_of(verdicts, intervals=Intervals(n_replicates=40)).values():
        for name, e in row.metrics.items():
            assert math.isnan(e.value) == (e.undefined is not None), name
            assert e.undefined != ""
            if row.scope != "model":
                assert (e.n, e.n + e.missing) == (n, asked)
            # A mean over fewer models may lie outside; so may chance, or a difference of scores.
            inside = row.scope != "macro" and name in ("agreement", "precision", "recall", "f1")
            if inside and e.worst_low is not None:
                assert e.worst_low <= e.value + 1e-9, name
                assert e.value <= (e.worst_high or 0.0) + 1e-9, name


def test_paired_tables_keep_every_share() -> None:
    columns = board({("human", "a"): "++-|+--", ("j", "a"): "+.-|-?-", ("human", "b"): "..+"})
    paired = pair(read_labels(columns), *(read_labels(columns).of(j).codes for j in ("j", "human")))
    assert paired.pairs.tolist() == [4, 0]
    assert paired.missing.tolist() == [2, 1]
    assert paired.units.tolist() == [2, 0]
    assert paired.tables.sum(axis=(0, 2, 3)).tolist() == [2.0, 0.0]
    assert paired.truth.sum(axis=(0, 2)).tolist() == [3.0, 1.0]
    np.testing.assert_allclose(paired.filled.sum(axis=(1, 2)) + paired.unfilled.sum(axis=1), [3, 1])
