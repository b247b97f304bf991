"""Evaluators beside people: published figures, brute force, identities, undefined, coverage."""

from __future__ import annotations

import json
import math
from itertools import combinations, product
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from judgebench.stats import evaluators as ev
from judgebench.stats.rank_correlation import pearson
from judgebench.stats.resample import multinomial_weights, percentile_interval
from tests.table import over_rows

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "alpaca_eval"
NAN = math.nan

#: Labels by pair and annotator; few distinct ones, so that ties are common.
LABEL = st.sampled_from([1.0, 1.25, 1.5, 1.9, 2.0, NAN])
HARD = st.sampled_from([1.0, 2.0])
tables = st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, (n[0], n[1]), elements=LABEL),
        hnp.arrays(np.float64, (n[0], n[2]), elements=LABEL),
    )
)
hard_tables = st.tuples(
    hnp.arrays(np.float64, (5, 4), elements=HARD), hnp.arrays(np.float64, (5, 4), elements=HARD)
)


def labels_of(table: np.ndarray) -> ev.Labels:
    """Long form, in a scrambled order of rows."""
    pair, annotator = (axis.ravel() for axis in np.indices(table.shape))
    order = np.random.default_rng(3).permutation(table.size)
    return ev.Labels(pair=pair[order], annotator=annotator[order], preference=table.ravel()[order])


def pairs_of(n: int, **known: object) -> ev.Pairs:
    plain = {
        "length_difference": np.arange(n) * 40 - 40,
        "has_list": np.column_stack([np.arange(n) % 2 == 0, np.arange(n) % 3 == 0]),
        "generator": np.arange(n) % 2,
    }
    return ev.Pairs(**{**plain, **known})  # type: ignore[arg-type]


# Brute force --------------------------------------------------------------------------------------


def read(row: np.ndarray) -> list[float]:
    return [float(x) for x in row if not math.isnan(x)]


def from_centre(x: float, others: tuple[float, ...]) -> float:
    """Expected distance from the centre; of an even number, from either middle one."""
    ordered = sorted(others)
    middles = {(len(others) - 1) // 2, len(others) // 2}
    return fmean(abs(x - ordered[m]) for m in middles)


def mean_or_nan(values: list[float]) -> float:
    return fmean(values) if values else NAN


def expected_metrics(mine: np.ndarray, theirs: np.ndarray, size: int) -> dict[str, float]:
    agreement, variance, bias, distance = [], [], [], []
    for a, b in zip(map(read, mine), map(read, theirs), strict=True):
        subsets = list(combinations(b, size))
        if a and subsets:
            agreement.append(fmean(1 - from_centre(x, s) for x in a for s in subsets))
        own = [
            from_centre(x, s)
            for i, x in enumerate(a)
            for s in combinations(a[:i] + a[i + 1 :], size)
        ]
        if own:
            variance.append(fmean(own))
        if subsets and len(a) >= size:
            middles = {(size - 1) // 2, size // 2}
            bias.append(
                fmean(
                    abs(sorted(s)[i] - sorted(t)[j])
                    for s in combinations(a, size)
                    for t in subsets
                    for i, j in product(middles, middles)
                )
            )
        if len(a) > 1 and len(b) > 1:
            distance.append(
                2 * fmean(abs(x - y) for x in a for y in b)
                - fmean(abs(x - y) for x, y in combinations(a, 2))
                - fmean(abs(x - y) for x, y in combinations(b, 2))
            )
    found = {"agreement": agreement, "variance": variance, "bias": bias, "distance": distance}
    return {name: 100 * mean_or_nan(values) for name, values in found.items()}


class TestAsMeant:
    @given(tables, st.integers(1, 4))
    def test_all_choices_of_others_one_by_one(self, both: tuple, others: int) -> None:
        mine, theirs = both
        found = ev.evaluator_metrics(
            labels_of(mine), labels_of(theirs), pairs_of(len(mine)), others=others
        )
        for name, value in expected_metrics(mine, theirs, others).items():
            assert found.values[name] == pytest.approx(value, abs=1e-10, nan_ok=True), name
            assert math.isnan(value) == (name in found.why_undefined)

    @given(tables)
    def test_preferences_label_by_label(self, both: tuple) -> None:
        mine, theirs = both
        pairs = pairs_of(len(mine))
        found = ev.evaluator_metrics(labels_of(mine), labels_of(theirs), pairs).values
        rows = [(i, read(row)) for i, row in enumerate(mine) if read(row)]
        longer = [
            fmean(x - 1 if pairs.length_difference[i] > 0 else 2 - x for x in row)
            for i, row in rows
            if abs(pairs.length_difference[i]) > 30
        ]
        lists = [
            fmean(x - 1 if pairs.has_list[i, 1] else 2 - x for x in row)
            for i, row in rows
            if pairs.has_list[i].sum() == 1
        ]
        first = [2 - fmean(row) for _, row in rows]
        for name, values in (
            ("prefers_longer", longer), ("prefers_lists", lists), ("prefers_output_1", first)
        ):  # fmt: skip
            assert found[name] == pytest.approx(mean_or_nan(values), nan_ok=True), name
        assert found["share_parsed"] == pytest.approx(1 - np.isnan(mine).mean())

    @given(hard_tables)
    def test_three_others_are_four_with_ties_by_expectation(self, both: tuple) -> None:
        """Of labels 1 and 2; so a judge and people are on one scale."""
        mine, theirs = both
        three, four = (
            ev.evaluator_metrics(labels_of(mine), labels_of(theirs), pairs_of(5), others=n).values
            for n in (3, 4)
        )
        for name in ("agreement", "bias"):
            assert three[name] == pytest.approx(four[name])

    @given(hard_tables)
    def test_the_mirror_image_has_the_same_distances(self, both: tuple) -> None:
        """Which output is called 1 decides nothing, unlike a draw among tied votes."""
        mine, theirs = both
        one, other = (
            ev.evaluator_metrics(labels_of(x), labels_of(y), pairs_of(5)).values
            for x, y in ((mine, theirs), (3 - mine, 3 - theirs))
        )
        for name in ("agreement", "bias", "variance", "distance"):
            assert one[name] == pytest.approx(other[name])

    def test_people_are_measured_against_the_other_people(self) -> None:
        """By hand: each of the three that say 1 meets {1, 1, 2}, the fourth {1, 1, 1}."""
        people = labels_of(np.array([[1.0, 1.0, 1.0, 2.0]]))
        found = ev.evaluator_metrics(people, None, pairs_of(1))
        assert found.values["agreement"] == pytest.approx(75.0)
        assert found.values["variance"] == pytest.approx(25.0)
        for name in ("bias", "distance", "spearman", "pearson"):
            assert math.isnan(found.values[name])
            assert "against themselves" in found.why_undefined[name]

    def test_distance_has_no_floor_and_bias_has(self) -> None:
        """A judge that labels as people do; and one whose share of 2s is 0.3 higher."""
        generator = np.random.default_rng(11)
        p = generator.uniform(0.2, 0.6, 40_000)
        for shift, expected in ((0.0, 0.0), (0.3, 100 * 2 * 0.3**2)):
            mine, theirs = (
                1.0 + (generator.random((len(p), 4)) < q[:, None]) for q in (p + shift, p)
            )
            found = ev.evaluator_metrics(labels_of(mine), labels_of(theirs), pairs_of(len(p)))
            assert found.values["distance"] == pytest.approx(expected, abs=0.9)
            assert found.values["bias"] > 30

    def test_win_rates_are_of_pairs_that_both_have_labelled(self) -> None:
        """The judge's third pair of each system, which people have not labelled, would turn the
        order round."""
        mine = np.array([[2.0], [2.0], [1.0], [1.0], [2.0], [1.0], [1.0], [1.0], [2.0]])
        theirs = np.array([[2.0], [2.0], [NAN], [1.0], [2.0], [NAN], [1.0], [1.0], [NAN]])
        pairs = pairs_of(9, generator=np.arange(9) // 3)
        found = ev.evaluator_metrics(labels_of(mine), labels_of(theirs), pairs, min_pairs=2)
        assert found.values["spearman"] == 1.0
        assert found.values["pearson"] == pytest.approx(1.0)
        assert found.n["spearman"] == 3
        few = ev.evaluator_metrics(labels_of(mine), labels_of(theirs), pairs, min_pairs=3)
        assert "at least 3 pairs" in few.why_undefined["spearman"]
        outside = pairs_of(9, generator=np.array([0] * 3 + [1] * 3 + [-1] * 3))
        found = ev.evaluator_metrics(labels_of(mine), labels_of(theirs), outside, min_pairs=2)
        assert found.n["pearson"] == 2

    @given(tables)
    def test_weights_are_repetitions_of_pairs(self, both: tuple) -> None:
        mine, theirs = both
        n = len(mine)
        weights = multinomial_weights(n, 4, seed=5)
        settings = {"others": 2, "min_pairs": 1}
        replicates = ev.evaluator_replicates(
            labels_of(mine), labels_of(theirs), pairs_of(n), weights, **settings
        )
        assert list(replicates) == list(ev.METRICS)
        known = pairs_of(n)
        for at, weight in enumerate(weights):
            again = np.repeat(np.arange(n), weight.astype(int))
            pairs = ev.Pairs(
                length_difference=known.length_difference[again],
                has_list=known.has_list[again],
                generator=known.generator[again],
            )
            found = ev.evaluator_metrics(
                labels_of(mine[again]), labels_of(theirs[again]), pairs, **settings
            ).values
            for name, values in replicates.items():
                assert values[at] == pytest.approx(found[name], abs=1e-10, nan_ok=True), name

    def test_intervals_hold_the_truth(self) -> None:
        """Pairs drawn anew 120 times; truths from many pairs. Nominal 95 %."""
        generator = np.random.default_rng(20)
        names = ("agreement", "bias", "variance", "distance", "prefers_longer")

        def drawn(n: int) -> tuple[ev.Labels, ev.Labels, ev.Pairs]:
            p = generator.beta(0.8, 0.8, n)
            q = np.clip(p + generator.normal(0, 0.2, n), 0, 1)
            mine, theirs = (1.0 + (generator.random((n, 4)) < x[:, None]) for x in (q, p))
            return labels_of(mine), labels_of(theirs), pairs_of(n)

        truth = ev.evaluator_metrics(*drawn(100_000)).values
        held = dict.fromkeys(names, 0)
        for trial in range(120):
            data = drawn(150)
            weights = multinomial_weights(150, 200, seed=trial)
            replicates = ev.evaluator_replicates(*data, weights)
            for name in names:
                low, high = percentile_interval(replicates[name])
                held[name] += bool(low <= truth[name] <= high)
        # Two and a half standard errors of a share of 120 to either side.
        assert all(0.9 <= count / 120 <= 0.999 for count in held.values()), held

    def test_undefined_has_its_reason(self) -> None:
        one = labels_of(np.array([[1.0]]))
        plain = pairs_of(1, length_difference=[5], has_list=[[True, True]])
        found = ev.evaluator_metrics(one, one, plain)
        assert {name for name, value in found.values.items() if math.isnan(value)} == set(
            found.why_undefined
        )
        assert "3 of the reference" in found.why_undefined["agreement"]
        assert "3 labels of the evaluator" in found.why_undefined["bias"]
        assert "4 labels" in found.why_undefined["variance"]
        assert "two labels" in found.why_undefined["distance"]
        assert "at least two generators" in found.why_undefined["pearson"]
        assert "30 characters" in found.why_undefined["prefers_longer"]
        assert "exactly one" in found.why_undefined["prefers_lists"]
        nobody = ev.Labels(pair=[], annotator=[], preference=[])  # type: ignore[arg-type]
        none = ev.evaluator_metrics(nobody, nobody, plain)
        assert set(none.why_undefined) == set(ev.METRICS)
        assert "asked for" in none.why_undefined["share_parsed"]
        same = labels_of(np.full((4, 4), 2.0))
        found = ev.evaluator_metrics(same, same, pairs_of(4), min_pairs=1)
        assert "the same win rate" in found.why_undefined["spearman"]

    def test_a_tie_in_the_old_spelling_is_a_tie(self) -> None:
        people = labels_of(np.array([[1.0, 2.0, 1.0, 1.0]]))
        new, old = (
            ev.evaluator_metrics(labels_of(np.array([[x] * 4])), people, pairs_of(1)).values
            for x in (1.5, 0.0)
        )
        assert new == pytest.approx(old, nan_ok=True)

    @over_rows(
        ("rows", "words"),
        [
            ([(0, 0, 2.5)], r"2\.5 \(row 0\) is no preference"),
            ([(0, 0, 1.0), (0, 1, -1.0)], r"-1\.0 \(row 1\) is no preference"),
            ([(0, 0, math.inf)], "is no preference"),
            ([(9, 0, 1.0)], "labels pair 9; 3 are known"),
            ([(-1, 0, 1.0)], "counted from 0"),
            ([(1, 7, 1.0), (0, 7, 1.0), (1, 7, 2.0)], r"7 labels pair 1 twice \(rows 0 and 2\)"),
        ],
    )
    def test_what_are_no_labels_is_refused(self, rows: list, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            ev.evaluator_metrics(ev.Labels(**columns(rows)), None, pairs_of(3))

    def test_shapes_that_do_not_fit_are_refused(self) -> None:
        with pytest.raises(ValueError, match="one length"):
            ev.Labels(pair=np.array([0]), annotator=np.array([0, 1]), preference=np.array([1.0]))
        with pytest.raises(ValueError, match="one length difference"):
            pairs_of(3, has_list=np.zeros((3, 3)))
        one = labels_of(np.array([[1.0]]))
        with pytest.raises(ValueError, match="weights of 1 pairs"):
            ev.evaluator_replicates(one, one, pairs_of(1), np.ones((2, 2)))
        with pytest.raises(ValueError, match="at least one other"):
            ev.evaluator_metrics(one, one, pairs_of(1), others=0)


def columns(rows: list[tuple[int, int, float]]) -> dict[str, np.ndarray]:
    pair, annotator, preference = zip(*rows, strict=True)
    return {
        "pair": np.array(pair),
        "annotator": np.array(annotator),
        "preference": np.array(preference),
    }


# As published -------------------------------------------------------------------------------------


def mix(*numbers: int) -> int:
    """A number that looks like chance and is the same in every library."""
    mixed = 17
    for x in numbers:
        mixed = (mixed * 1_103_515_245 + 12_345 + x * 2_654_435_761) % 2**31
    return mixed // 7


def messy(n: int = 87) -> tuple[list, list, ev.Pairs]:
    """Labels with all that real files have: soft, missing, tied in both spellings."""
    people = [
        (i, k, (1.0, 2.0, 2.0, 1.0, 0.0, 1.5)[mix(i, k, 5) % 6 if (i + k) % 5 else mix(i, 5) % 4])
        for i in range(n)
        for k in range(4)
    ]
    judge = []
    for k, i in product(range(4), range(n)):
        kind = mix(i, k, 6) % 11
        soft = round(1 + mix(i, k, 8) % 1000 / 1000, 3)
        hard = (1.0, 2.0)[mix(i, k, 7) % 2]
        judge.append((i, k, {0: NAN, 1: 0.0, 2: 1.5}.get(kind, hard if kind < 6 else soft)))
    has_list = np.array([(mix(i, 3) % 3 == 0, mix(i, 4) % 4 == 0) for i in range(n)])
    # A list begins "- x ", another text "x y ".
    lengths = np.array([mix(i, 2) % 140 - mix(i, 1) % 140 for i in range(n)])
    pairs = ev.Pairs(length_difference=lengths, has_list=has_list, generator=np.arange(n) % 3)
    return people, judge, pairs


#: What alpaca-eval 0.6.6 prints for `messy`, by `ev.UPSTREAM_METRICS`.
PRINTED = {
    "judge": (
        54.63446543040293, 39.77068965517242, 45.661005036630044, -0.5, -0.8359340738250407,
        0.5, 0.45454545454545453, 0.6431015873015873, 315,
    ),
    "judge, one pair labelled twice more": (
        53.70757234432235, 39.91034482758621, 48.10968350168349, -0.5, -0.8382842247595823,
        0.5, 0.45454545454545453, 0.6421987381703469, 317,
    ),
    "people": (
        39.36781609195402, 0.0, 60.63218390804598, 1.0, 1.0,
        0.75, 0.6538461538461539, 0.7270114942528736, 348,
    ),
}  # fmt: skip


class TestAsPublished:
    @over_rows("who", PRINTED)
    def test_the_package_prints_the_same(self, who: str) -> None:
        people, judge, pairs = messy()
        if "twice" in who:
            judge += [(5, 9, 2.0), (5, 9, 1.0)]
        reference = ev.Labels(**columns(people))
        found = (
            ev.upstream_evaluator_metrics(reference, None, pairs)
            if who == "people"
            else ev.upstream_evaluator_metrics(ev.Labels(**columns(judge)), reference, pairs)
        )
        assert list(found.values.values()) == pytest.approx(PRINTED[who], abs=1e-11)
        assert not found.why_undefined

    def test_the_draw_with_the_fixed_seed(self) -> None:
        for n in (1, 2, 3):
            drawn = np.random.RandomState(123).choice(n, size=1, replace=False)[0]
            assert ev._DRAWN[n] == drawn

    @over_rows(
        ("labels", "centre"),
        [
            ([1, 1, 2, 2], 2.0),
            ([1, 1.5, 1, 1.5], 1.5),
            ([0, 2, 2, 0], 2.0),
            ([1, 2, 1.5, NAN], 1.0),
            ([1, 1, 1.5, 2], 1.0),
            ([1, 1, 1.5001, 2], 1.25005),
            ([1.2, NAN, NAN, 1.6], 1.4),
            ([NAN, NAN, NAN, NAN], NAN),
        ],
    )
    def test_centres(self, labels: list[float], centre: float) -> None:
        assert ev._upstream_centre(np.array([labels])) == pytest.approx([centre], nan_ok=True)

    def test_one_duplicate_decides_the_variance(self) -> None:
        """Ten pairs of labels that never agree, and one that stands twice and always does."""
        rows = [(i, k, float(1 + k % 2)) for i in range(10) for k in range(4)]
        rows += [(10, k % 4, 1.0) for k in range(8)]
        people = ev.Labels(**columns([(i, k, 1.0) for i in range(11) for k in range(4)]))
        found = ev.upstream_evaluator_metrics(ev.Labels(**columns(rows)), people, pairs_of(11))
        assert found.values["variance"] == 0.0
        assert found.n["variance"] == 1

    def test_an_old_tie_counts_as_more_than_output_1(self) -> None:
        people = ev.Labels(**columns([(0, k, 1.0) for k in range(4)]))
        ties = ev.Labels(**columns([(0, k, 0.0) for k in range(4)]))
        found = ev.upstream_evaluator_metrics(ties, people, pairs_of(1))
        assert found.values["prefers_output_1"] == 2.0
        assert ev.evaluator_metrics(ties, people, pairs_of(1)).values["prefers_output_1"] == 0.5

    def test_preferences_look_at_the_first_row_alone(self) -> None:
        people = ev.Labels(**columns([(2, k, 1.0) for k in range(4)]))
        rows = [(2, 0, 1.6), (2, 1, 1.0), (2, 2, 1.0), (0, 0, NAN), (0, 1, 1.0)]
        found = ev.upstream_evaluator_metrics(ev.Labels(**columns(rows)), people, pairs_of(3))
        assert (found.values["prefers_longer"], found.n["prefers_longer"]) == (1.0, 1)
        meant = ev.evaluator_metrics(ev.Labels(**columns(rows)), people, pairs_of(3)).values
        assert meant["prefers_longer"] == pytest.approx((0.2 + 1.0) / 2)

    def test_undefined_has_its_reason(self) -> None:
        people = ev.Labels(**columns([(0, k, 1.0) for k in range(4)]))
        once = ev.Labels(**columns([(0, 0, 1.5)]))
        found = ev.upstream_evaluator_metrics(once, people, pairs_of(1))
        assert found.values["agreement"] == pytest.approx(50.0)
        assert set(found.why_undefined) == {
            "bias", "variance", "spearman", "pearson", "prefers_longer", "prefers_lists",
        }  # fmt: skip
        unread = ev.Labels(**columns([(0, k, NAN) for k in range(2)]))
        nothing = ev.upstream_evaluator_metrics(unread, people, pairs_of(1))
        assert set(nothing.why_undefined) == set(ev.UPSTREAM_METRICS) - {"n_parsed"}
        assert all(nothing.why_undefined.values())

    def test_a_fifth_label_of_people_is_ignored_and_three_are_too_few(self) -> None:
        four = [(0, k, 1.0) for k in range(4)]
        judge = ev.Labels(**columns([(i, k, 1.0) for i in range(2) for k in range(2)]))
        rows = [*four, *[(0, 4 + k, 2.0) for k in range(9)], *[(1, k, 2.0) for k in range(3)]]
        found = ev.upstream_evaluator_metrics(judge, ev.Labels(**columns(rows)), pairs_of(2))
        assert (found.values["agreement"], found.n["agreement"]) == (100.0, 1)

    def test_every_quirk_is_said_in_words(self) -> None:
        assert all(len(words.split()) > 8 for words in ev.QUIRKS.values())

    @pytest.mark.skipif(
        not GOLD.exists(), reason="the gold data (../shared/gold/alpaca_eval) is not here"
    )
    def test_the_synthetic_evaluators(self) -> None:
        pandas = pytest.importorskip("pandas")
        rows = pandas.read_parquet(GOLD / "evaluator_metrics_synthetic.parquet")
        rows["pair"] = rows.groupby(["instruction", "output_1", "output_2"]).ngroup()
        texts = rows.drop_duplicates("pair").sort_values("pair")
        pairs = ev.Pairs(
            length_difference=(texts.output_2.str.len() - texts.output_1.str.len()).to_numpy(),
            has_list=np.array(
                [
                    [ev.contains_list(one, upstream=True) for one in both]
                    for both in zip(texts.output_1, texts.output_2, strict=True)
                ]
            ),
            generator=pandas.factorize(texts.generator)[0],
        )
        labels = {
            str(source): ev.Labels(
                pair=group.pair, annotator=group.annotator_index, preference=group.preference
            )
            for source, group in rows.groupby("source")
        }
        file = GOLD / "evaluator_metrics_synthetic_expected.json"
        expected = json.loads(file.read_text(encoding="utf-8"))["expected"]
        names = (
            "Human agreement", "Bias", "Variance", "Spearman corr.", "Pearson corr.",
            "Proba. prefer longer", "Proba. prefer lists", "Proba. prefer 1", "# parsed",
        )  # fmt: skip
        assert set(expected) == {"humans", "discrete", "weighted"}
        for source, theirs in expected.items():
            reference = None if source == "humans" else labels["humans"]
            found = ev.upstream_evaluator_metrics(labels[source], reference, pairs)
            printed = [theirs[name] for name in names]
            assert list(found.values.values()) == pytest.approx(printed, abs=1e-12), source


class TestTexts:
    @over_rows(
        ("text", "meant", "upstream"),
        [
            ("- one\n- two", True, True),
            ("Well:\n\n  * one", True, True),
            ("• one", True, True),
            ("1. one", True, True),
            ("12) one", True, True),
            ("a) one", True, True),
            ("Some\nB. two", True, True),
            ("plain words - and a dash", False, False),
            ("well-known\nthings", False, False),
            ("no. 1", False, False),
            ("ab) one", False, False),
            ("", False, False),
            ("- ", False, False),
            ("1.", False, False),
            ("**Heading**\nwords", False, True),
            ("-5 degrees", False, True),
            ("3.14 is pi", False, True),
            ("one\n---\ntwo", False, True),
            ("-\n\n...\n\nlast", False, True),
            ("a.m. today", False, False),
            ("- \U0001f600", True, False),
            ("+ one", True, False),
        ],
    )
    def test_lists(self, text: str, meant: bool, upstream: bool) -> None:
        assert ev.contains_list(text) == meant
        assert ev.contains_list(text, upstream=True) == upstream

    @given(st.text(alphabet="*•-1a.) \n\t\xa0é,:", max_size=12))
    def test_upstreams_lists_line_by_line(self, text: str) -> None:
        """A line whose first mark is an item's, and a word character anywhere after it."""

        def item(at: int) -> bool:
            rest = text[at:].split("\n")[0].lstrip()
            after = text[at + len(text[at:].split("\n")[0]) - len(rest) :]
            digits = len(rest) - len(rest.lstrip("1"))
            if rest[:1] and rest[0] in "*•-":
                tail = after[1:]
            elif digits and rest[digits : digits + 1] in (".", ")"):
                tail = after[digits + 1 :]
            elif rest[:1] == "a" and rest[1:2] in (".", ")") and after[2:3].isspace():
                tail = after[2:]
            else:
                return False
            return any(c.isalnum() for c in tail)

        starts = [0] + [i + 1 for i, c in enumerate(text) if c == "\n"]
        assert ev.contains_list(text, upstream=True) == any(map(item, starts))


class TestPearson:
    @given(hnp.arrays(np.float64, (2, 7), elements=st.integers(-5, 5).map(float)))
    def test_equals_scipy(self, xy: np.ndarray) -> None:
        from scipy.stats import pearsonr

        x, y = xy
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            assert math.isnan(pearson(x, y))
        else:
            assert pearson(x, y) == pytest.approx(pearsonr(x, y).statistic, abs=1e-12)

    def test_leading_axes_are_only_a_loop(self) -> None:
        x, y = np.random.default_rng(1).random((2, 3, 4, 6))
        one_by_one = [[float(pearson(x[i, j], y[i, j])) for j in range(4)] for i in range(3)]
        np.testing.assert_allclose(pearson(x, y), one_by_one, rtol=1e-13)

    def test_a_constant_has_none_whatever_its_rounding(self) -> None:
        assert math.isnan(pearson([0.1] * 3, [1.0, 2.0, 3.0]))
        assert math.isnan(pearson([1.0], [1.0]))
        assert math.isnan(pearson([1.0, NAN], [1.0, 2.0]))
        with pytest.raises(ValueError, match="same things"):
            pearson([1.0], [1.0, 2.0])
