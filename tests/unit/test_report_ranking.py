"""Rankings from pairs over a store: strengths, who is apart and why, and what is printed."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from judgebench.cli.main import run
from judgebench.errors import UsageError
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.style_controlled import STYLE, style_differences, style_of
from judgebench.reports.board import Row
from judgebench.reports.ranking import EXPECTED, STRENGTH, PairRow, Ranking, rankings
from judgebench.reports.render import render
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.unit.exchanged import coded, import_responses, import_verdicts, rows_file

QUICK = Intervals(n_replicates=200)
Rows = list[dict[str, Any]]


def duel(model: str, opponent: str, outcomes: str, judge: str = "j", **more: Any) -> Rows:
    """``"+-=?"``: won, lost, tied, unreadable; a digit is tenths; one letter a prompt."""
    values = {"+": 1.0, "-": 0.0, "=": 0.5} | {str(n): n / 10 for n in range(10)}
    return [
        {
            "benchmark": "made_up", "item_id": str(i), "model": model, "opponent": opponent,
            "judge": judge, "kind": "preference" if code in values else "unreadable",
            "value": values.get(code, ""), **({} if code in values else {"reason": "none"}), **more,
        }
        for i, code in enumerate(outcomes)
        if code != "."
    ]  # fmt: skip


def filled(store: Store, tmp_path: Path, *rows: dict[str, Any]) -> None:
    import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))


def ranked(store: Store, **more: Any) -> Ranking:
    (found,) = rankings(store, "made_up", **({"intervals": QUICK} | more))
    return found


def by_model(ranking: Ranking) -> dict[str, Row]:
    return {row.model: row for row in ranking.rows}


def pair(ranking: Ranking, one: str, other: str) -> PairRow:
    (found,) = [p for p in ranking.pairs if {p.model, p.opponent} == {one, other}]
    return found


ROUND_ROBIN = (
    *duel("a", "b", "++-=" * 10),
    *duel("b", "c", "+8-+" * 10),
    *duel("a", "c", "+++-3" * 8),
)


def test_strengths_are_those_of_the_likelihood(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *ROUND_ROBIN)
    found = ranked(store, reference="b")
    values = {"+": 1.0, "-": 0.0, "=": 0.5, "8": 0.8, "3": 0.3}
    games = [("a", "b", "++-="), ("b", "c", "+8-+"), ("a", "c", "+++-3")]

    def loss(strength: np.ndarray) -> float:
        at = {"a": strength[0], "b": 0.0, "c": strength[1]}
        total = 0.0
        for x, y, codes in games:
            for code in codes:
                for gap, share in (
                    (at[y] - at[x], values[code]),
                    (at[x] - at[y], 1 - values[code]),
                ):
                    total += 40 / len(codes) * share * math.log1p(math.exp(gap))
        return total

    a, c = minimize(loss, [0.0, 0.0], tol=1e-12).x
    rows = by_model(found)
    assert rows["a"].metrics[STRENGTH].value == pytest.approx(a, abs=1e-5)
    assert rows["c"].metrics[STRENGTH].value == pytest.approx(c, abs=1e-5)
    assert rows["b"].metrics[STRENGTH].value == 0
    for name in (STRENGTH, EXPECTED):  # the reference is 0 in every draw
        assert math.isnan(rows["b"].metrics[name].low)
        assert rows["b"].metrics[name].method.endswith("no interval: all draws are equal")
    for name, strength in (("a", a), ("c", c)):
        expected = rows[name].metrics[EXPECTED]
        assert expected.value == pytest.approx(100 / (1 + math.exp(-strength)), abs=1e-3)
        assert 0 < expected.low < expected.value < expected.high < 100
    assert [row.model for row in found.rows] == ["a", "b", "c"]
    assert [row.rank for row in found.rows] == [1, 2, 3]
    assert (found.reference, found.prompts, found.groups) == ("b", 40, (("a", "b", "c"),))
    assert pair(found, "a", "c").win_rate.value == pytest.approx(100 * 3.3 / 5)
    assert (pair(found, "a", "c").win_rate.n, pair(found, "a", "c").model) == (40, "a")
    assert rows["a"].counts["comparisons"] == 80
    assert rows["a"].counts["prompts"] == 40


def test_against_one_baseline_the_expected_win_rate_is_the_observed(
    store: Store, tmp_path: Path
) -> None:
    filled(store, tmp_path, *duel("a", "base", "+-=9" * 10), *duel("b", "base", "-+-12" * 8))
    found = ranked(store)
    assert found.reference == "base"
    rows = by_model(found)
    assert rows["a"].metrics[EXPECTED].value == pytest.approx(100 * 2.4 / 4)
    assert rows["b"].metrics[EXPECTED].value == pytest.approx(100 * 1.3 / 5)
    assert pair(found, "a", "b").win_rate.undefined == "never compared"
    assert pair(found, "a", "b").probability_above == pytest.approx(1.0, abs=0.05)


def test_judges_are_never_in_one_ranking(store: Store, tmp_path: Path) -> None:
    filled(
        store, tmp_path, *duel("a", "b", "+-+" * 10), *duel("a", "b", "--+" * 10, judge="k"),
        *coded("a", "labels", "+-"),
    )  # fmt: skip
    found = rankings(store, "made_up", intervals=QUICK)
    assert [(r.judge, r.rows[0].model) for r in found] == [("j", "a"), ("k", "b")]
    (one,) = rankings(store, "made_up", judges=["k"], intervals=QUICK)
    assert one.to_dict() == found[1].to_dict()
    with pytest.raises(UsageError, match="no judge called 'labels'"):
        rankings(store, "made_up", judges=["labels"])


def test_a_sweep_has_no_strength_and_says_what_is_known(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *ROUND_ROBIN, *duel("top", "a", "+" * 40), *duel("low", "c", "-" * 40))
    found = ranked(store, reference="a")
    assert [row.model for row in found.rows] == ["top", "a", "b", "c", "low"]
    assert [row.rank for row in found.rows] == [1, 2, 3, 4, 5]
    rows = by_model(found)
    for name, reason in (("top", "above all it met"), ("low", "below all it met")):
        strength = rows[name].metrics[STRENGTH]
        assert math.isnan(strength.value)
        assert strength.undefined is not None
        assert reason in strength.undefined
        assert math.isnan(rows[name].metrics[EXPECTED].value)
        assert rows[name].metrics[EXPECTED].undefined == strength.undefined
    against = pair(found, "top", "b")
    assert (against.model, against.probability_above) == ("top", None)
    assert against.difference.undefined == "above by no known amount"
    assert found.groups == (("a", "b", "c"), ("low",), ("top",))
    assert "low" not in "".join(found.warnings)
    for row in found.to_dict()["rows"]:
        assert (row["metrics"]["strength"]["value"] is None) == (row["model"] in ("top", "low"))


def test_what_nothing_connects_is_not_ranked_together(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *ROUND_ROBIN, *duel("x", "y", "+-+" * 13))
    found = ranked(store)
    rows = by_model(found)
    assert [row.model for row in found.rows[:3]] == ["a", "b", "c"]
    assert [(rows[m].rank, rows[m].rank_low, rows[m].rank_high) for m in "xy"] == [(None,) * 3] * 2
    assert rows["c"].rank == rows["c"].rank_high == 3
    assert found.groups == (("a", "b", "c"), ("x", "y"))
    text = render(found.document(), "table")
    assert "– x, y: not connected with the ranked models by any comparison" in text
    assert "among themselves, in log-odds: x over y +0.69 [" in text
    assert pair(found, "a", "x").difference.undefined == "nothing connects them"
    assert pair(found, "x", "y").probability_above is not None


def test_with_nothing_but_sweeps_there_are_ranks_without_strengths(
    store: Store, tmp_path: Path
) -> None:
    filled(store, tmp_path, *duel("a", "b", "+" * 30), *duel("b", "c", "+" * 30))
    found = ranked(store)
    assert found.reference is None
    assert [(row.model, row.rank) for row in found.rows] == [("a", 1), ("b", 2), ("c", 3)]
    assert all(row.metrics[STRENGTH].undefined for row in found.rows)
    assert "against the mean" in render(found.document(), "table")


def test_what_is_missing_is_counted_bounded_and_said(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *duel("a", "base", "+-" * 20), *duel("b", "base", "+-" * 15 + "?" * 6))
    found = ranked(store)
    rows = by_model(found)
    strength, expected = (rows["b"].metrics[name] for name in (STRENGTH, EXPECTED))
    assert (strength.n, strength.units, strength.missing) == (30, 30, 10)
    assert (rows["b"].counts["unreadable"], rows["b"].counts["not_asked"]) == (6, 4)
    assert (expected.worst_low, expected.worst_high) == pytest.approx((37.5, 62.5))
    assert rows["a"].metrics[EXPECTED].worst_low == pytest.approx(50)
    assert rows["base"].metrics[STRENGTH].missing == 10
    assert rows["b"].flags == ("coverage",)
    uneven = "missing verdicts are uneven, from 0% (a) to 25% (b); see the worst case"
    assert uneven in found.warnings
    text = render(found.document(), "table")
    assert "37.5 to 62.5" in text
    assert "6 unreadable, 4 not asked" in text


def test_pairs_drawn_for_each_prompt_miss_nothing(store: Store, tmp_path: Path) -> None:
    rows = [
        row | {"item_id": str(i)}
        for i in range(60)
        for row in duel("abcd"[i % 4], "abcd"[(i + 1 + i // 4 % 3) % 4], "+" if i % 3 else "-")
    ]
    filled(store, tmp_path, *rows)
    found = ranked(store)
    assert {row.metrics[STRENGTH].missing for row in found.rows} == {0}
    assert {row.flags for row in found.rows} == {()}
    assert found.warnings[0].startswith("prompts were judged on pairs of their own")
    assert sum(row.counts["comparisons"] for row in found.rows) == 120


def test_few_wins_are_said(store: Store, tmp_path: Path) -> None:
    filled(
        store, tmp_path, *duel("a", "base", "+" + "-" * 39), *duel("b", "base", "-=" + "+" * 38),
        *duel("c", "base", "+-" * 20),
    )  # fmt: skip
    assert ranked(store).warnings == (
        "fewer than 5 wins or losses, their intervals are rough: "
        "b (1.5 lost of 40), a (1.0 won of 40)",
    )


def test_where_replicates_know_no_bound_the_end_is_infinite(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *duel("a", "base", "+" + "-" * 19), *duel("b", "base", "+-" * 10))
    found = ranked(store)
    strength, expected = (by_model(found)["a"].metrics[name] for name in (STRENGTH, EXPECTED))
    assert (strength.low, expected.low) == (-math.inf, 0.0)
    assert strength.method.endswith("no lower bound")
    assert "[-∞, " in render(found.document(), "table")
    assert found.to_dict()["rows"][2]["metrics"]["strength"]["low"] is None


@pytest.mark.parametrize("outcomes", ["?", "+", "="])
def test_one_prompt_has_no_interval(store: Store, tmp_path: Path, outcomes: str) -> None:
    filled(store, tmp_path, *duel("a", "b", outcomes))
    found = ranked(store)
    assert {row.model for row in found.rows} == {"a", "b"}
    for row in found.rows:
        assert math.isnan(row.metrics[STRENGTH].low)
    for form in ("table", "md", "csv", "json"):
        assert "nan" not in render(found.document(), form)


def test_davidson_counts_ties_as_an_outcome(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *duel("a", "b", "+=-=+" * 8))
    found = ranked(store, ties="davidson")
    assert found.tie_strength is not None
    difference = pair(found, "a", "b").difference.value
    a = math.exp(difference)  # against 1: the likelihood's chances are the shares there are
    total = a + 1 + found.tie_strength * math.sqrt(a)
    assert (a / total, 1 / total) == pytest.approx((0.4, 0.2), abs=1e-6)
    assert by_model(found)["a"].metrics[EXPECTED].value == pytest.approx(60)
    assert "Davidson's ties, nu 1.41" in render(found.document(), "table")


def test_a_reference_is_found_by_name_and_id(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *ROUND_ROBIN, *duel("x", "y", "+-" * 9, judge="k"))
    c = by_model(ranked(store, judges=["j"]))["c"].model_id
    assert ranked(store, judges=["j"], reference=c).reference == "c"
    (j, k) = rankings(store, "made_up", reference="c", intervals=QUICK)
    assert (j.reference, k.reference) == ("c", None)
    said = "this judge never compared c; strengths are over the mean of the ranked models"
    assert said in k.warnings
    assert sum(row.metrics[STRENGTH].value for row in k.rows) == pytest.approx(0)
    with pytest.raises(UsageError, match="no model called 'cc'; did you mean 'c'"):
        rankings(store, "made_up", reference="cc")


def answers(model: str, lengths: list[int]) -> Rows:
    return [
        {"benchmark": "made_up", "item_id": str(i), "model": model, "text": "x" * n}
        for i, n in enumerate(lengths)
    ]


def test_length_can_be_controlled_for(store: Store, tmp_path: Path) -> None:
    longer = [i % 3 == 0 for i in range(60)]
    outcomes = "".join("+" if (i % 10 < 8) == long else "-" for i, long in enumerate(longer))
    filled(store, tmp_path, *duel("a", "base", outcomes))
    with pytest.raises(UsageError, match="their lengths are not known; `judgebench import resp"):
        ranked(store, control="length")
    lengths = [300 if long else 100 for long in longer]
    rows = [*answers("a", lengths[:57]), *answers("base", [200] * 60)]
    import_responses(store, rows_file(tmp_path / "r.jsonl", rows))
    found = ranked(store, control="length")
    length_of = found.coefficients["length"]
    assert (length_of.n, length_of.value > 0) == (57, True)
    assert by_model(found)["a"].counts["comparisons"] == 57
    left_out = "3 of 60 comparisons are left out: the store has not both answers, so their "
    assert any(warning.startswith(left_out) for warning in found.warnings)
    x = np.array([0.2 if long else -1 / 3 for long in longer[:57]])
    y = np.array([code == "+" for code in outcomes[:57]])

    def loss(w: np.ndarray) -> float:
        at = w[0] + w[1] * x
        return float(np.log1p(np.exp(np.where(y, -at, at))).sum())

    strength, length = minimize(loss, [0.0, 0.0], tol=1e-10).x
    assert by_model(found)["a"].metrics[STRENGTH].value == pytest.approx(strength, abs=1e-4)
    assert length_of.value == pytest.approx(length, abs=1e-3)
    assert "answers of equal length" in render(found.document(), "table")
    with pytest.raises(UsageError, match="with ties as half wins"):
        ranked(store, control="length", ties="davidson")


def styled(model: str, n: int, seed: int, headers: int = 0) -> Rows:
    """Answers of several lengths with list items and bold words; the first few have a header."""
    draws = np.random.default_rng(seed).integers(0, 6, (n, 3)).tolist()
    return [
        {
            "benchmark": "made_up", "item_id": str(i), "model": model,
            "text": "# head\n" * (i < headers) + "- a\n" * lists + "**b** " * bold + "x" * 9 * more,
        }
        for i, (lists, bold, more) in enumerate(draws)
    ]  # fmt: skip


def test_style_can_be_controlled_for(store: Store, tmp_path: Path) -> None:
    n = 120
    rows = [*styled("a", n, 0, headers=3), *styled("base", n, 1)]
    import_responses(store, rows_file(tmp_path / "r.jsonl", rows))
    texts = {model: [r["text"] for r in rows if r["model"] == model] for model in ("a", "base")}
    looks = [np.array([style_of(text) for text in texts[model]]) for model in ("a", "base")]
    x = style_differences(*looks)[:, [0, 2, 3]]
    x = x / x.std(axis=0)
    chance = 1 / (1 + np.exp(-(0.4 + x @ [0.5, 0.8, -0.6])))
    wins = np.random.default_rng(2).random(n) < chance
    filled(store, tmp_path, *duel("a", "base", "".join("+" if win else "-" for win in wins)))
    found = ranked(store, control="style")

    def loss(w: np.ndarray) -> float:
        at = w[0] + x @ w[1:]
        return float(np.log1p(np.exp(np.where(wins, -at, at))).sum())

    strength, *weights = minimize(loss, np.zeros(4), tol=1e-10).x
    assert by_model(found)["a"].metrics[STRENGTH].value == pytest.approx(strength, abs=1e-4)
    fitted = [found.coefficients[name] for name in ("length", "lists", "bold")]
    assert [e.value for e in fitted] == pytest.approx(weights, abs=1e-3)
    assert all(e.low < e.value < e.high for e in fitted)
    assert all(e.method.endswith("; per standard deviation of the difference") for e in fitted)
    headers = found.coefficients["headers"]
    assert math.isnan(headers.value)
    why = "answers differ in them on 3 prompts, and 10 are needed"
    assert headers.undefined == why
    assert f"headers are not controlled for: {why}" in found.warnings
    shown = render(found.document(), "table")
    assert "answers of equal style" in shown
    assert "per standard deviation of the difference: length " in shown
    said = found.to_dict()
    assert (said["control"], set(said["coefficients"])) == ("style", set(STYLE))


def test_plain_answers_are_ranked_as_if_nothing_but_length_were_controlled_for(
    store: Store, tmp_path: Path
) -> None:
    filled(store, tmp_path, *duel("a", "base", "++-" * 10))
    lengths = [100 + 7 * (i % 11) for i in range(30)]
    rows = [*answers("a", lengths), *answers("base", lengths[::-1])]
    import_responses(store, rows_file(tmp_path / "r.jsonl", rows))
    style, length = (ranked(store, control=control) for control in ("style", "length"))
    assert by_model(style)["a"].metrics[STRENGTH].value == pytest.approx(
        by_model(length)["a"].metrics[STRENGTH].value
    )
    undefined = [name for name, e in style.coefficients.items() if e.undefined]
    assert undefined == ["headers", "lists", "bold"]


def test_ranks_in_brackets_are_said_to_hold_at_once(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *ROUND_ROBIN)
    found = ranked(store)
    said = "ranks in brackets: sets that hold for all models at once (95%)"
    in_brackets = any(row.rank_low != row.rank_high for row in found.rows)
    assert (said in render(found.document(), "table")) == in_brackets


def test_equal_stores_give_equal_reports(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *ROUND_ROBIN)
    with open_store(str(tmp_path / "other.db")) as other:
        filled(other, tmp_path, *reversed(ROUND_ROBIN))
        texts = [
            render(ranked(one).document(), form)
            for form in ("table", "md", "csv", "json")
            for one in (store, other)
        ]
    assert texts[::2] == texts[1::2]


PRINTED = """\
made_up@unversioned, judged by j, models ranked from pairs
imported verdicts; Bradley–Terry, ties as half wins: log-odds and win rate against b; 40 prompts, which the intervals resample
   rank   model         strength [95%]   expected win rate % [95%]   prompts   comparisons   missing
────────────────────────────────────────────────────────────────────────────────────────────────────
"""  # noqa: E501


def test_what_is_printed(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *ROUND_ROBIN, *duel("top", "a", "+" * 40))
    found = ranked(store, reference="b")
    text = render(found.document(), "table")
    models, rates, chances = text.split("\n\n")
    assert models.startswith(PRINTED)
    lines = [line.split("   ") for line in models.removeprefix(PRINTED).splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert [row[1] for row in cells[:4]] == ["top", "a", "b", "c"]
    assert cells[0][2:] == ["–", "–", "40", "40", "0"]
    assert cells[2][2:] == ["reference", "reference", "40", "80", "0"]
    expected = by_model(found)["a"].metrics[EXPECTED]
    assert cells[1][3] == f"{expected.value:.1f} [{expected.low:.1f}, {expected.high:.1f}]"
    assert "– top: won every comparison: above all it met, by no known amount" in models
    assert [line.split() for line in rates.splitlines()[2:3] + rates.splitlines()[4:]] == [
        ["model", "1", "2", "3", "4"],
        ["1", "top", "100.0"],
        ["2", "a", "0.0", "62.5", "66.0"],
        ["3", "b", "37.5", "70.0"],
        ["4", "c", "34.0", "30.0"],
    ]
    assert rates.splitlines()[:2] == [
        "made_up@unversioned, judged by j, win rates between models",
        "% won by the row of the column, on 40 prompts each, a tie a half",
    ]
    table = chances.splitlines()
    assert table[0] == "made_up@unversioned, judged by j, chance that one model is above another"
    assert table[4].split() == ["1", "top", "above", "above", "above"]
    assert table[5].split()[:3] == ["2", "a", "below"]
    above, below = float(table[5].split()[3]), float(table[6].split()[3])
    assert above + below == pytest.approx(1.0, abs=0.011)


def test_a_tidy_table_has_models_and_pairs(store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *ROUND_ROBIN)
    rows = list(csv.DictReader(io.StringIO(render(ranked(store).document(), "csv"))))
    assert [row["metric"] for row in rows[:2]] == ["strength", "expected_win_rate"]
    pairs = {(row["model"], row["opponent"]) for row in rows if row["metric"] == "win_rate"}
    assert {frozenset(pair) for pair in pairs} == set(map(frozenset, combinations("abc", 2)))
    assert all(row["probability_above"] for row in rows if row["metric"] == "difference")


Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, store: Store) -> Any:
    monkeypatch.setenv("JUDGEBENCH_STORE", store.url)

    def command(*words: str) -> tuple[int, str, str]:
        code = run(["ranking", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return command


def test_the_command_reports_in_every_form(typed: Typed, store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *ROUND_ROBIN)
    path = tmp_path / "ranking.json"
    code, out, err = typed("made_up", "--reference", "c", "--level", "0.9", "--output", str(path))
    assert (code, err) == (0, f"written: {path}\n")
    assert "strength [90%]" in out
    (found,) = json.loads(path.read_text())["rankings"]
    assert (found["judge"], found["reference"], found["level"]) == ("j", "c", 0.9)
    assert [row["model"] for row in found["rows"]] == ["a", "b", "c"]
    assert len(found["pairs"]) == 3
    assert "| rank | model | strength \\[95%\\] |" in typed("made_up", "--format", "md")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("made_up", "--reference", "z"), "no model called 'z'"),
        (("made_up", "--ties", "none"), "'none' is not one of"),
        (("made_up", "--control", "length", "--ties", "davidson"), "leave out davidson"),
        (("made_up", "--control", "length"), "their lengths are not known"),
        (("made_up", "--control", "style"), "their style is not known"),
        (("made_up", "--control", "style", "--ties", "davidson"), "style is controlled for with"),
        (("made", ), "has no benchmark called 'made'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    typed: Typed, store: Store, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    filled(store, tmp_path, *ROUND_ROBIN)
    code, out, err = typed(*words)
    assert (code, out) == (64, "")
    assert said in err


def test_labels_alone_cannot_be_ranked(typed: Typed, store: Store, tmp_path: Path) -> None:
    filled(store, tmp_path, *coded("a", "j", "+-"))
    code, out, err = typed("made_up")
    assert (code, out) == (64, "")
    assert "no judge has compared models on made_up yet" in err
