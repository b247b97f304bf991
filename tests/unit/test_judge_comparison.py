"""Judges compared with judges: by how much, what verdicts took, who says always the same."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr, ttest_rel
from sklearn.metrics import cohen_kappa_score

import judgebench
from judgebench.errors import UsageError
from judgebench.keys import content_key, request_key
from judgebench.metrics.agreement import AgreementTable
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judge_differences import (
    JudgeChecks,
    JudgeDifference,
    NearConstantRule,
    pairs_compared,
)
from judgebench.records import (
    ChatRequest,
    Estimate,
    How,
    JudgeSpec,
    Judgment,
    Label,
    Message,
    ModelSpec,
    Purpose,
    Reply,
    RunVerdict,
    Spend,
    Unreadable,
    VerdictSlot,
)
from judgebench.reports import agreement_tables
from judgebench.reports.agreement import AgreementReport, agreement_report, agreement_reports
from judgebench.reports.cost import ELSEWHERE, NO_MODEL
from judgebench.reports.render import render
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.agreements import agreement, outcome_agreement, score_agreement
from tests.dashboards.stores import manifest
from tests.table import over_rows
from tests.unit.exchanged import coded, import_verdicts, label, rows_file

QUICK = Intervals(n_replicates=50)
CHECKS = JudgeChecks()
FIGURES = Path(__file__).parents[2] / "tasks/trivia_judging/figures/verdicts.csv"


def noisy(truth: str, rate: float, seed: int) -> str:
    """A judge that errs; a dot is no verdict."""
    draw = np.random.default_rng(seed)
    turned = {"+": "-", "-": "+", ".": "."}
    return "".join(turned[c] if draw.random() < rate else c for c in truth)


def truth(n: int, seed: int = 0) -> str:
    draw = np.random.default_rng(seed)
    return "".join("+" if draw.random() < 0.6 else "-" for _ in range(n))


def labelled(said: dict[tuple[str, str], str]) -> dict[str, list[Any]]:
    """By judge and model, coded labels as columns."""
    words = {"+": "correct", "-": "incorrect"}
    rows = [
        (f"q{i}", model, judge, words[code])
        for (judge, model), codes in said.items()
        for i, code in enumerate(codes)
        if code != "."
    ]
    return {
        "item_id": [r[0] for r in rows], "model": [r[1] for r in rows],
        "judge": [r[2] for r in rows], "sample": [0] * len(rows), "kind": ["label"] * len(rows),
        "label": [r[3] for r in rows],
    }  # fmt: skip


def compared(said: dict[tuple[str, str], str], **wanted: Any) -> AgreementTable:
    checks = JudgeChecks(**wanted)
    return agreement(labelled(said), intervals=QUICK, checks=checks)


def of(table: Any, judge: str, versus: str, scope: str = "pooled") -> JudgeDifference:
    (found,) = (
        d for d in table.differences if (d.judge, d.versus, d.scope) == (judge, versus, scope)
    )
    found_: JudgeDifference = found
    return found_


# differences of kappa ---------------------------------------------------------------------------


def test_the_difference_is_that_of_kappas_on_the_answers_that_both_have_judged() -> None:
    right = {"m": truth(60, 1), "n": truth(60, 2)}
    said = {("human", model): codes for model, codes in right.items()}
    for seed, (judge, rate) in enumerate((("good", 0.1), ("poor", 0.3))):
        for model, codes in right.items():
            its = noisy(codes, rate, 10 * seed + len(model))
            said[judge, model] = "." * 7 * (1 + seed) + its[7 * (1 + seed) :]
    table = compared(said)

    def kappa(judge: str, models: Sequence[str]) -> float:
        kept = [slice(14, 60)] * len(models)  # where the poor one has said something, too
        mine = "".join(said[judge, m][k] for m, k in zip(models, kept, strict=True))
        return float(cohen_kappa_score(list(mine), list("".join(right[m][14:] for m in models))))

    pooled = of(table, "good", "poor")
    assert pooled.estimate.value == pytest.approx(kappa("good", "mn") - kappa("poor", "mn"))
    macro = of(table, "good", "poor", "macro").estimate.value
    expected = [kappa("good", m) - kappa("poor", m) for m in "mn"]
    assert macro == pytest.approx(np.mean(expected))
    assert (pooled.estimate.n, pooled.estimate.missing, pooled.estimate.units) == (92, 28, 46)
    assert pooled.tests == 1
    assert pooled.estimate.level == pytest.approx(0.95)


@over_rows("level", [0.9, 0.99])
def test_intervals_leave_out_zero_exactly_where_the_adjusted_p_value_decides(level: float) -> None:
    right = truth(120)
    said = {("human", "m"): right}
    said |= {(f"j{n}", "m"): noisy(right, 0.03 + 0.09 * n, n) for n in range(5)}
    table = agreement(
        labelled(said), intervals=Intervals(level=level, n_replicates=50), checks=CHECKS
    )
    assert len(table.differences) == 2 * 10
    decided = 0
    for one in table.differences:
        e = one.estimate
        assert (e.low > 0 or e.high < 0) == (one.p_adjusted <= 1 - level)
        assert e.level >= level - 1e-12
        decided += one.p_adjusted <= 1 - level
    assert 0 < decided < 20


def test_few_judges_are_compared_in_pairs_and_many_with_the_best() -> None:
    six, seven = [f"j{n}" for n in range(6)], [f"j{n}" for n in range(7)]
    assert pairs_compared(six, None) == (list(combinations(six, 2)), 15)
    pairs, tests = pairs_compared(seven, None)
    assert pairs == [(judge, "j0") for judge in seven[1:]]
    assert tests == 21  # which one is the best was seen from the data
    assert pairs_compared(seven, "j3") == ([(j, "j3") for j in seven if j != "j3"], 6)
    assert pairs_compared(seven, "all") == (list(combinations(seven, 2)), 21)
    assert pairs_compared(six, "best")[1] == 15
    assert pairs_compared([], "best") == pairs_compared(["j"], None) == ([], 0)
    assert pairs_compared(six, "stranger") == ([], 0)


def test_the_best_of_many_is_compared_at_the_price_of_all_pairs() -> None:
    right = truth(120)
    said = {("human", "m"): right}
    said |= {(f"j{n}", "m"): noisy(right, 0.03 + 0.06 * n, n) for n in range(7)}
    pooled = [one for one in compared(said).differences if one.scope == "pooled"]
    assert (len(pooled), {one.tests for one in pooled}) == (6, {21})
    clearest = min(pooled, key=lambda one: one.p_value)
    assert clearest.p_adjusted == pytest.approx(21 * clearest.p_value)
    assert clearest.estimate.level == pytest.approx(1 - 0.05 / 21)


def test_raters_that_the_reference_is_made_of_are_not_compared() -> None:
    right = truth(40)
    said = {("human/a", "m"): right, ("human/b", "m"): right, ("j", "m"): noisy(right, 0.1, 1)}
    said["k", "m"] = noisy(right, 0.3, 2)
    assert {(d.judge, d.versus) for d in compared(said).differences} == {("j", "k")}
    one = agreement(labelled(said), reference="human/a", intervals=QUICK, checks=CHECKS)
    assert len({(d.judge, d.versus) for d in one.differences}) == 3


def test_nothing_is_compared_unless_asked() -> None:
    right = truth(40)
    said = {("human", "m"): right, ("j", "m"): "+" * 40, ("k", "m"): noisy(right, 0.2, 1)}
    table = agreement(labelled(said), intervals=QUICK)
    assert (table.differences, table.flags) == ((), ())


# bad input --------------------------------------------------------------------------------------


def test_where_two_judges_cannot_be_compared_the_reason_is_said() -> None:
    right = truth(60)
    half, other = right[:30] + "." * 30, "." * 30 + right[30:]
    table = compared({("human", "m"): right, ("a", "m"): half, ("b", "m"): other})
    for scope in ("pooled", "macro"):
        one = of(table, "a", "b", scope)
        assert math.isnan(one.estimate.value)
        assert one.estimate.undefined == "no answer was judged by both and by the reference"
        assert math.isnan(one.p_value)
        assert math.isnan(one.p_adjusted)
    three = {("human", "m"): right, ("a", "m"): half, ("b", "m"): other}
    three["c", "m"] = noisy(right, 0.3, 1)
    assert {d.tests for d in compared(three).differences} == {2}
    same = of(compared({(j, "m"): right for j in ("human", "a", "b")}), "a", "b")
    assert same.estimate.value == 0
    assert math.isnan(same.estimate.low)
    assert same.estimate.method == "no interval, they say the same of every item"
    single = of(compared({("human", "m"): "+", ("a", "m"): "+", ("b", "m"): "-"}), "b", "a")
    assert single.estimate.undefined == (
        "a: both raters give every item the same one label, so chance agreement is 1"
    )
    few = of(
        compared({("human", "m"): right[:20], ("a", "m"): right[:20], ("b", "m"): "+" * 20}),
        "a", "b",
    )  # fmt: skip
    assert few.estimate.value == pytest.approx(1.0)
    assert few.estimate.method == "no interval, 20 items, of the 30 that it takes"


def test_a_judge_that_gives_one_value_is_compared_and_flagged() -> None:
    right = truth(60)
    table = compared(
        {("human", "m"): right, ("a", "m"): noisy(right, 0.1, 1), ("b", "m"): "+" * 60}
    )
    one = of(table, "a", "b")
    assert one.estimate.low > 0  # kappa of a constant is 0, and 0 without any item as well
    (model,) = table.flags
    assert (model.judge, model.model, model.says) == ("b", "m", "correct")
    assert (model.share, model.n) == (1.0, 60)
    assert model.reference_share == right.count("+") / 60


# who is constant --------------------------------------------------------------------------------


def test_published_judges_that_say_the_same_of_a_model_are_flagged_and_no_others() -> None:
    """Gemma-2B calls every answer of two models correct, and all but one of a third; exact match
    calls all but one of a wordy model's answers incorrect. Llama-70B accepts 95 % of GPT-4 Turbo's
    answers, of which people accept 91 %."""
    with FIGURES.open() as stream:
        rows = list(csv.DictReader(stream))
    said: dict[tuple[str, str], list[str]] = {}
    judges = [name for name in rows[0] if name not in ("exam_taker", "question_id")]
    for row in rows:
        for judge in judges:
            codes = said.setdefault((judge, row["exam_taker"]), ["."] * 400)
            if row[judge] != "":
                codes[int(row["question_id"])] = "+" if float(row[judge]) else "-"
    verdicts = {key: "".join(codes) for key, codes in said.items()}
    flags = compared(verdicts).flags
    assert {(f.judge, f.model, f.says, f.n - round(f.share * f.n)) for f in flags} == {
        ("Gemma-2B", "llama2-7b-chat", "correct", 0),
        ("Gemma-2B", "mistral-7B", "correct", 0),
        ("Gemma-2B", "gpt-4t", "correct", 1),
        ("EM", "llama2-13b-chat", "incorrect", 1),
    }
    constant = {f.model for f in flags if f.judge == "Gemma-2B" and f.share == 1.0}
    assert constant == {
        model for (judge, model), codes in verdicts.items() if judge == "Gemma-2B"
        and "-" not in codes
    }  # fmt: skip
    stricter = compared(verdicts, near_constant=NearConstantRule(share=1.0)).flags
    assert {f.model for f in stricter} == constant


@over_rows(
    ("judge", "human", "flagged"),
    [
        ("+" * 20, "+" * 15 + "-" * 5, True),
        ("+" * 19, "+" * 14 + "-" * 5, False),  # too few
        ("+" * 20, "+" * 16 + "-" * 4, False),  # of so few nothing is said
        ("+" * 95 + "-" * 5, "+" * 85 + "-" * 15, True),
        ("+" * 94 + "-" * 6, "+" * 75 + "-" * 25, False),  # not nearly always
        ("+" * 95 + "-" * 5, "+" * 86 + "-" * 14, False),  # the reference says little else
        ("-" * 100, "+" * 50 + "-" * 50, True),
        ("+" * 100, "+" * 100, False),
        ("+" * 100 + "." * 50, "+" * 95 + "-" * 55, True),  # where both say something
    ],
)
def test_the_rule_of_near_constant_judges(judge: str, human: str, flagged: bool) -> None:
    table = compared({("human", "m"): human, ("j", "m"): judge})
    assert [f.model for f in table.flags] == ["m"] * flagged


def test_a_judge_that_is_constant_everywhere_is_so_on_each_model_and_on_all() -> None:
    said = {("human", m): truth(30, n) for n, m in enumerate("mn")}
    said |= {("j", "m"): "-" * 30, ("j", "n"): "-" * 30}
    flags = compared(said).flags
    assert [(f.model, f.n) for f in flags] == [(None, 60), ("m", 30), ("n", 30)]


def test_sensible_judges_of_few_answers_are_seldom_flagged() -> None:
    """A judge that finds seven of ten wrong answers, of 20 to 40 with a tenth wrong."""
    draw = np.random.default_rng(3)
    n_flagged = 0
    for _ in range(100):
        n = int(draw.integers(20, 41))
        wrong = draw.random(n) < 0.1
        found = wrong & (draw.random(n) < 0.7)
        human, judge = ("".join("-" if w else "+" for w in its) for its in (wrong, found))
        n_flagged += bool(compared({("human", "m"): human, ("j", "m"): judge}).flags)
    assert n_flagged <= 2


# comparisons and scores -------------------------------------------------------------------------


def preferences(judge: str, codes: str, model: str = "m") -> Iterator[dict[str, Any]]:
    values = {"+": "1", "-": "0", "=": "0.5"}
    for i, code in enumerate(codes):
        more = {"kind": "preference", "opponent": "base", "order": "model_first"}
        yield label(i, model, judge, values[code], **more)


def three_way(n: int, rate: float, seed: int) -> list[str]:
    """A truth of losses, ties and wins, and a judge that errs."""
    right = np.random.default_rng(0).choice(list("+-="), n)
    draw = np.random.default_rng(seed)
    return [
        "".join(right),
        "".join(c if draw.random() > rate else draw.choice(list("+-=")) for c in right),
    ]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    """A store of these rows."""
    stores: list[Store] = []

    def fill(rows: Sequence[dict[str, Any]]) -> Store:
        stores.append(open_store(str(tmp_path / f"{len(stores)}.db")))
        import_verdicts(stores[-1], rows_file(tmp_path / "v.jsonl", rows))
        return stores[-1]

    yield fill
    for store in stores:
        store.close()


def test_comparisons_are_compared_in_kappa_with_ties(opened: Any) -> None:
    right, good = three_way(60, 0.2, 1)
    _, poor = three_way(60, 0.6, 2)
    rows = [
        *preferences("human/a", right), *preferences("good", good), *preferences("poor", poor),
        *preferences("flat", "+" * 60),
    ]  # fmt: skip
    report = agreement_reports(opened(rows), "made_up", intervals=QUICK)
    one = of(report, "good", "poor")
    kappas = [cohen_kappa_score(list(its), list(right)) for its in (good, poor)]
    assert one.estimate.value == pytest.approx(kappas[0] - kappas[1])
    assert one.estimate.low > 0
    assert [(f.judge, f.model, f.says) for f in report.flags] == [("flat", "m", "win")]
    data = report.to_dict()
    assert data["differences"][0]["kind"] == "preference"
    assert data["flags"][0]["opponent"] == "base"
    assert any("flat says nearly always the same: win on 100 %" in w for w in data["warnings"])


def scores(judge: str, values: np.ndarray, high: int = 10) -> Iterator[dict[str, Any]]:
    for i, of_item in enumerate(values):
        for m, value in enumerate(of_item):
            more = {"kind": "score", "low": 1, "high": high}
            yield label(i, f"m{m}", judge, str(float(value)), **more)


def test_scores_are_compared_in_the_correlation_among_answers_to_one_question(opened: Any) -> None:
    draw = np.random.default_rng(4)
    right = draw.integers(1, 11, (40, 5))
    good = np.clip(right + draw.integers(-2, 3, right.shape), 1, 10)
    poor = np.clip(right + draw.integers(-6, 7, right.shape), 1, 10)
    flat = np.full_like(right, 7)
    rows = [
        row for name, its in (("human/a", right), ("good", good), ("poor", poor), ("flat", flat))
        for row in scores(name, its)
    ]  # fmt: skip
    report = agreement_reports(opened(rows), "made_up", intervals=QUICK)
    found = {(d.judge, d.versus, d.metric): d for d in report.differences}
    one = found["good", "poor", "sample_spearman"]
    of_questions = [
        [spearmanr(its[q], right[q]).statistic for q in range(40)] for its in (good, poor)
    ]
    usual = ttest_rel(*of_questions)
    assert one.estimate.value == pytest.approx(np.subtract(*np.mean(of_questions, axis=1)))
    assert one.p_value == pytest.approx(usual.pvalue, rel=1e-6)
    assert one.tests == 1  # with the flat one nothing can be tested
    models = found["good", "poor", "spearman"]
    means = [spearmanr(its.mean(axis=0), right.mean(axis=0)).statistic for its in (good, poor)]
    assert models.estimate.value == pytest.approx(means[0] - means[1])
    assert math.isnan(models.p_value)
    assert "no interval, none was measured to hold over so few models" in models.estimate.method
    flat_one = found["good", "flat", "sample_spearman"]
    assert flat_one.estimate.undefined == "on no question do both tell answers apart"
    assert {f.judge for f in report.flags} == {"flat"}
    assert "warning: flat says nearly always the same: 7 on 100 %" in render(
        report.document(), "table"
    )


def test_judges_with_several_scales_and_single_answers_are_not_compared(opened: Any) -> None:
    draw = np.random.default_rng(4)
    right = draw.integers(1, 6, (40, 1))
    rows = [*scores("human/a", right), *scores("j", right), *scores("k", 6 - right)]
    mixed = [row | {"judge": "mixed"} for row in (*scores("x", right[:20]),)]
    mixed += [
        row | {"judge": "mixed", "item_id": "9" + row["item_id"], "high": 20} for row in mixed
    ]
    rows += mixed
    report = agreement_reports(opened(rows), "made_up", intervals=QUICK)
    assert {(d.judge, d.versus) for d in report.differences} == {("j", "k")}
    one = next(d for d in report.differences if d.metric == "sample_spearman")
    assert one.estimate.undefined == "each question has one answer"


# reports ----------------------------------------------------------------------------------------


@pytest.fixture
def three(opened: Any) -> Store:
    right = truth(60)
    rows = [
        *coded("a", "human/ann", right), *coded("a", "good", noisy(right, 0.05, 1)),
        *coded("a", "poor", noisy(right, 0.35, 2)), *coded("a", "flat", "+" * 60),
    ]  # fmt: skip
    found: Store = opened(rows)
    return found


def test_differences_are_in_every_form(three: Store) -> None:
    report = agreement_report(three, "made_up", intervals=QUICK, checks=CHECKS)
    one = of(report, "good", "poor")
    found = next(d for d in report.to_dict()["differences"] if d["versus"] == "poor")
    assert found["difference"]["value"] == one.estimate.value
    assert found["p_adjusted"] == one.p_adjusted
    assert (found["reference"], found["metric"], found["tests"]) == ("human", "cohen_kappa", 3)
    assert found["difference"]["level"] == one.estimate.level
    lines = list(csv.DictReader(render(report.document(), "csv").splitlines()))
    (line,) = (
        r for r in lines
        if (r["judge"], r["versus"], r["scope"]) == ("good", "poor", "pooled")
    )  # fmt: skip
    assert line["metric"] == "cohen_kappa_difference"
    assert float(line["value"]) == one.estimate.value
    assert float(line["p_value"]) == one.p_value
    assert all(not r["versus"] for r in lines if not r["metric"].endswith("_difference"))
    said = (
        "the decision uses the adjusted p value and the interval is at its level (Holm over 3 "
        "pairs, family-wise error rate 5 %)"
    )
    for form in ("table", "md", "html", "latex"):
        text = render(report.document(), form)
        assert "judges compared by agreement with human" in text
        assert (said if form != "latex" else said.replace("%", "\\%")) in text
        assert "flat says nearly always the same" in text


def test_in_python_it_is_a_table_with_a_row_for_each_number(three: Store) -> None:
    frame = judgebench.agreement("made_up", store=three.path, versus="poor").to_frame()
    one = frame[(frame["metric"] == "cohen_kappa_difference") & (frame["scope"] == "pooled")]
    assert list(zip(one["judge"], one["versus"], strict=True)) == [
        ("good", "poor"), ("flat", "poor")
    ]  # fmt: skip
    assert (one["p_adjusted"] >= one["p_value"]).all()
    kappa = frame[(frame["metric"] == "cohen_kappa") & (frame["scope"] == "pooled")]
    by_judge = dict(zip(kappa["judge"], kappa["value"], strict=True))
    assert one["value"].iloc[0] == pytest.approx(by_judge["good"] - by_judge["poor"])
    assert frame.attrs["warnings"][0].startswith("flat says nearly always the same: correct")
    few = judgebench.agreement(
        "made_up", store=three.path, judges="poor", near_constant=1.0
    ).to_frame()
    assert set(few["judge"]) == {"poor"}
    assert few.attrs["warnings"] == []
    with pytest.raises(UsageError, match="'nobody'"):
        judgebench.agreement("made_up", store=three.path, judges="nobody")


def test_a_judge_may_be_named_for_the_comparison(three: Store) -> None:
    def pairs(**wanted: Any) -> set[tuple[str, str]]:
        report = agreement_reports(three, "made_up", intervals=QUICK, **wanted)
        return {(d.judge, d.versus) for d in report.differences}

    poor = JudgeChecks(versus="poor")
    assert pairs(checks=poor) == {("good", "poor"), ("flat", "poor")}
    assert pairs(checks=poor, judges=["good"]) == {("good", "poor")}
    assert pairs(checks=JudgeChecks(versus="best")) == {("poor", "good"), ("flat", "good")}
    assert len(pairs(checks=JudgeChecks(versus="all"))) == 3
    with pytest.raises(UsageError, match="no judge called 'pooor'; did you mean 'poor'"):
        pairs(checks=JudgeChecks(versus="pooor"))
    with pytest.raises(UsageError, match="human/ann is the reference"):
        pairs(checks=JudgeChecks(versus="human/ann"), reference="human/ann")
    with pytest.raises(UsageError, match="no judge can be compared with human/ann"):
        pairs(checks=JudgeChecks(versus="human/ann"))


def test_without_a_reference_the_other_judges_say_who_is_constant(opened: Any) -> None:
    right = truth(60)
    said = {"j": right, "k": noisy(right, 0.05, 1), "flat": "+" * 60}
    rows = [row for judge, codes in said.items() for row in coded("a", judge, codes)]
    report = agreement_report(opened(rows), "made_up", intervals=QUICK, checks=CHECKS)
    assert report.differences == ()
    assert {(f.judge, f.reference) for f in report.flags} == {("flat", "the other judges")}
    assert [c.judge for c in report.costs] == ["flat", "j", "k"]


# what verdicts took -----------------------------------------------------------------------------


class Asked:
    """A store into which judges put what they say, with the replies and what those cost."""

    def __init__(self, store: Store) -> None:
        self.store, self.n = store, 0
        store.start_run(manifest())
        self.run = manifest().id
        self.model = store.put_model("m", ModelSpec(weights="m"))

    def judge(self, name: str, **spec: Any) -> bytes:
        return self.store.put_judge(name, JudgeSpec(**{"kind": "reference", "model": "gpt"} | spec))

    def say(self, judge: bytes, verdict: Any, *seconds: float) -> None:
        self.n += 1
        place = self.place(judge, str(self.n % 40))
        keys = []
        for step, took in enumerate(seconds):
            asked = Message(role="user", content=f"{self.n} {step}")
            request = ChatRequest(provider="p", model="m", messages=(asked,))
            keys.append(request_key(request))
            self.store.put_reply(keys[-1], request, Reply(text="x", seconds=took))
        key = content_key("judgment", [self.n])
        judgment = Judgment(
            key=key, judge_key=judge, case_key=key, verdict=verdict, reply_keys=tuple(keys), at=0.0
        )
        self.store.put_judgment(
            judgment, [RunVerdict(run_id=self.run, place=place, judgment_key=key)]
        )

    def place(self, judge: bytes, item: str) -> VerdictSlot:
        return VerdictSlot(
            benchmark="made_up", version="unversioned", item_id=item, model_key=self.model,
            judge_key=judge,
        )  # fmt: skip

    def spent(self, judge: bytes, how: How, calls: int, cost: float | None) -> None:
        purpose = Purpose(run_id=self.run, place=self.place(judge, "0"))
        self.store.put_spend(
            [Spend(purpose=purpose, how=how, provider="p", model="m", cost_usd=cost, calls=calls)]
        )

    def report(self) -> AgreementReport:
        return agreement_report(
            self.store, "made_up", reference="human/a", intervals=QUICK, checks=CHECKS
        )


CORRECT = Label(name="correct")


@pytest.fixture
def asked(opened: Any) -> Asked:
    return Asked(opened([*coded("m", "human/a", truth(40)), *coded("m", "imported", truth(40, 3))]))


def test_a_verdict_costs_what_it_takes_to_read_one(asked: Asked) -> None:
    dear = asked.judge("dear")
    for seconds in (1.0, 2.0, 9.0):
        asked.say(dear, CORRECT, seconds)
    asked.say(dear, Unreadable(reason="no"), 4.0)
    asked.spent(dear, "live", 2, 0.02)
    asked.spent(dear, "batch", 1, 0.005)
    asked.spent(dear, "recorded", 1, 0.015)
    asked.spent(dear, "retried", 5, 0.0)
    asked.spent(dear, "wasted", 1, 0.03)
    report = asked.report()
    (cost,) = (c for c in report.costs if c.judge == "dear")
    # 0.04 for four replies kept, 0.03 wasted on three that were asked for; three of four readable
    assert cost.usd == pytest.approx((0.04 / 4 + 0.03 / 3) * 4 / 3)
    assert (cost.seconds_median, cost.seconds_mean) == (3.0, 4.0)
    assert (cost.verdicts, cost.calls, cost.unpriced_calls) == (3, 4, 0)
    found = next(c for c in report.to_dict()["costs"] if c["judge"] == "dear")
    assert found["usd_per_verdict"] == cost.usd
    assert found["usd_undefined"] is None
    text = render(report.document(), "table")
    assert "USD a verdict   s a verdict: median (mean)" in text
    assert re.search(r"^dear .* 0\.026667 +3\.00 \(4\.00\) ", text, re.MULTILINE)
    assert f"– USD and seconds a verdict of imported: {ELSEWHERE}" in text
    lines = list(csv.DictReader(render(report.document(), "csv").splitlines()))
    of_dear = {r["metric"]: r["value"] for r in lines if r["judge"] == "dear"}
    assert float(of_dear["usd_per_verdict"]) == cost.usd
    assert float(of_dear["seconds_median"]) == 3.0
    of_imported = {r["metric"]: r["undefined"] for r in lines if r["judge"] == "imported"}
    assert of_imported["usd_per_verdict"] == of_imported["seconds_mean"] == ELSEWHERE


def test_a_verdict_of_two_replies_takes_both(asked: Asked) -> None:
    steps = asked.judge("steps")
    asked.say(steps, CORRECT, 1.0, 2.5)
    asked.say(steps, CORRECT, 1.5, 3.0)
    asked.spent(steps, "live", 4, 0.04)
    (cost,) = (c for c in asked.report().costs if c.judge == "steps")
    assert (cost.seconds_median, cost.seconds_mean) == (4.0, 4.0)
    assert cost.usd == pytest.approx(0.02)


def test_what_is_not_known_has_a_reason_and_is_never_nought(asked: Asked) -> None:
    unpriced, rule = asked.judge("unpriced"), asked.judge("rule", kind="contains", model=None)
    garbled, some = asked.judge("garbled", model="g"), asked.judge("some", model="s")
    asked.say(unpriced, CORRECT, 0.0)
    asked.spent(unpriced, "live", 1, None)
    asked.say(rule, CORRECT)
    asked.say(garbled, Unreadable(reason="no"), 1.0)
    asked.spent(garbled, "live", 1, 0.01)
    asked.say(some, CORRECT, 2.0)
    asked.say(some, CORRECT, 0.0)
    asked.spent(some, "live", 1, 0.01)
    asked.spent(some, "live", 1, None)
    report = asked.report()
    found = {c.judge: c for c in report.costs}
    reasons = {name: (c.no_usd, c.no_seconds) for name, c in found.items()}
    assert reasons == {
        "unpriced": ("no call has a known price", "no reply says how long it took"),
        "rule": (None, NO_MODEL),
        "garbled": ("no verdict could be read", None),
        "some": (None, None),
        "imported": (ELSEWHERE, ELSEWHERE),
    }
    assert found["rule"].usd == 0.0
    assert math.isnan(found["unpriced"].usd)
    assert math.isnan(found["garbled"].usd)
    assert found["some"].usd == pytest.approx(0.01)
    assert found["some"].seconds_mean == 2.0
    text = render(report.document(), "table")
    assert "calls without a known price, left out of USD a verdict: some 1 of 2" in text
    json = {c["judge"]: c for c in report.to_dict()["costs"]}
    assert json["unpriced"]["usd_per_verdict"] is None
    assert json["unpriced"]["usd_undefined"] == "no call has a known price"


def test_people_cost_nobody_knows_what(asked: Asked) -> None:
    report = agreement_report(
        asked.store, "made_up", reference="imported", intervals=QUICK, checks=CHECKS
    )
    (cost,) = report.costs
    assert (cost.judge, cost.no_usd, cost.no_seconds) == ("human/a", "a person", "a person")


def test_outcomes_and_scores_are_not_looked_at_unless_asked(opened: Any) -> None:
    right, good = three_way(40, 0.2, 1)
    store = opened([*preferences("human/a", right), *preferences("good", good)])
    columns = store.verdicts("made_up", "unversioned")
    table = outcome_agreement(columns, intervals=QUICK)
    assert (table.differences, table.flags) == ((), ())
    store = opened([*scores("human/a", np.ones((3, 2))), *scores("j", np.ones((3, 2)))])
    found = score_agreement(store.verdicts("made_up", "unversioned"), intervals=QUICK)
    assert (found.differences, found.flags) == ((), ())


@over_rows(
    ("metric", "picked"),
    [("cohen_kappa", "pooled kappa"), ("spearman", "pooled Spearman's correlation")],
)
def test_the_macro_table_says_by_what_the_best_was_picked(metric: str, picked: str) -> None:
    estimate = Estimate(
        value=0.1, low=0.0, high=0.2, n=30, units=30, missing=0, level=0.95, method="jackknife"
    )
    one = JudgeDifference(
        judge="a", versus="b", reference="human", scope="macro", metric=metric, estimate=estimate,
        p_value=0.01, p_adjusted=0.03, tests=3,
    )  # fmt: skip
    *_, said = agreement_tables._rules([one], 0.95)
    assert said.startswith(f"each against the best in {picked}, which is seen from the same")
