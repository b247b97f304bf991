"""One pair of models has one difference where turns, categories or weights count, too."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from judgebench import keys
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.shared_draws import SharedDraws
from judgebench.metrics.win_rate import WEIGHTED, WIN_RATE
from judgebench.records import (
    Case,
    Estimate,
    Item,
    JudgeSpec,
    Judgment,
    Message,
    ModelSpec,
    Order,
    Preference,
    Response,
    RunManifest,
    RunVerdict,
    Score,
    Unreadable,
    Verdict,
    VerdictSlot,
)
from judgebench.reports.compare import comparison
from judgebench.reports.estimates import to_json
from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import GateTest, Policy
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.nights import nights
from judgebench.reports.run_diff import run_diff
from judgebench.reports.training import training
from judgebench.store.store import Store

LEVEL = 0.95
N = 44
Places = Mapping[tuple[str, int, Order], Verdict]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A benchmark whose figures are more than a mean over items, and what a judge says there."""

    name: str
    metric: str
    spec: JudgeSpec
    opponent: bool = False
    turns: int = 1
    categories: tuple[str, ...] = ()
    clear: bool = True  # whether the judge says how clear a win is

    def items(self) -> list[Item]:
        asked = tuple(Message(role="user", content=f"turn {one}") for one in range(self.turns))
        return [
            Item(
                benchmark=self.name, version="1", id=f"q{n}",
                turns=(Message(role="user", content=f"question {n}"), *asked[1:]),
                category=self.categories[n % len(self.categories)] if self.categories else None,
            )
            for n in range(N)
        ]  # fmt: skip

    def said(self, seed: int, *, missing: bool) -> Places:
        """Verdicts of one night; some are unreadable where they are to be missing."""
        random = np.random.default_rng(seed)
        orders: tuple[Order, ...] = ("single",)
        if self.opponent:
            orders = ("model_first", "opponent_first")
        found: dict[tuple[str, int, Order], Verdict] = {}
        for n in range(N):
            for turn in range(self.turns):
                for order in orders:
                    verdict = self.verdict(random, order)
                    lost = missing and (n + 3 * turn + seed) % 9 == 0 and order != "opponent_first"
                    found[f"q{n}", turn, order] = (
                        Unreadable(reason="two verdicts") if lost else verdict
                    )
        return found

    def verdict(self, random: np.random.Generator, order: Order) -> Verdict:
        if not self.opponent:
            return Score(value=float(random.integers(1, 11)), low=1.0, high=10.0)
        p, clear = float(random.integers(0, 2)), ">>" if random.random() < 0.4 else ">"
        label = f"A{clear}B" if p else f"B{clear}A"
        return Preference.from_probability(p, label if self.clear else None)


SINGLE = JudgeSpec(kind="rubric", provider="p", model="g")
PAIRS = JudgeSpec(kind="pairwise", provider="p", model="g")
SIDES = (
    "数学计算",
    "逻辑推理",
    "基本任务",
    "中文理解",
    "综合问答",
    "文本写作",
    "角色扮演",
    "专业能力",
)
BENCHES = {
    one.metric if one.turns == 1 else "turns": one
    for one in (
        Bench(name="mt_bench_mini", metric="score", spec=SINGLE, turns=2),
        Bench(name="alignbench_mini", metric="score", spec=SINGLE, categories=SIDES),
        Bench(name="arena_hard_mini", metric=WEIGHTED, spec=PAIRS, opponent=True),
        Bench(name="arena_hard_mini", metric=WIN_RATE, spec=PAIRS, opponent=True, clear=False),
    )
}


def put(
    store: Store, bench: Bench, run_id: str, name: str, model: str, said: Places
) -> RunManifest:
    """A run that judged one model."""
    run = RunManifest(
        id=run_id, name="night", configuration={}, versions={}, git_sha=None, data_sha={},
        seeds={}, started=time.time(),
    )  # fmt: skip
    with store.transaction():
        store.start_run(run)
        items = {item.id: item for item in bench.items()}
        store.put_items([*items.values()])
        tags = {"training_run": "r", "step": model}
        key = store.put_model(name, ModelSpec(weights=f"w:{model}"), tags)
        other = store.put_model("base", ModelSpec(weights="w:base"))
        judge = store.put_judge("judge", bench.spec)
        for (item_id, turn, order), verdict in said.items():
            answers = [
                Response(
                    benchmark=bench.name, version="1", item_id=item_id, model_key=one,
                    text=f"{item_id} {turn} {one.hex()}", raw="", turn=turn,
                    before=("earlier",) * turn,
                )
                for one in ([key, other] if bench.opponent else [key])
            ]  # fmt: skip
            case = keys.case_key(Case(item=items[item_id], responses=tuple(answers)))
            place = VerdictSlot(
                benchmark=bench.name, version="1", item_id=item_id, model_key=key,
                judge_key=judge, opponent_key=other if bench.opponent else None, order=order,
                turn=turn,
            )  # fmt: skip
            judgment = Judgment(
                key=keys.content_key("judgment", [judge, case, order, turn]),
                judge_key=judge, case_key=case, verdict=verdict,
            )  # fmt: skip
            use = RunVerdict(run_id=run.id, place=place, judgment_key=judgment.key)
            store.put_judgment(judgment, [use])
        run = replace(run, ended=time.time(), state="done")
        store.update_run(run)
    return run


def everywhere(store: Store, bench: Bench, *, missing: bool) -> Iterator[tuple[str, Any]]:
    """The difference of two nights of one name as the JSON of each report has it."""
    runs = [
        put(store, bench, run, "policy", str(n), bench.said(n, missing=missing))
        for n, run in enumerate(("one", "two"))
    ]
    ids = {model.spec.weights: model.id for model in store.models()}
    new, old = ids["w:1"], ids["w:0"]
    both = comparison(store, new, old, level=LEVEL, metrics=[bench.metric])
    (test,) = both.to_dict()["tests"]
    yield "compare", test["difference"]
    alpha = (1 - LEVEL) / 2
    gated = GateTest(benchmark=bench.name, max_drop=5.0, metric=bench.metric, coverage_floor=0.1)
    policy = Policy(tests=[gated], alpha=alpha, fixed_baseline="run:one")
    gate = gate_report(store, candidate=new, baseline=old, policy=policy)
    yield "gate", gate.to_dict()["tests"][0]["difference"]
    slide = gate.tests[0].slide
    assert slide is not None
    yield "slide", {"value": slide.evidence[0].difference}
    diff = run_diff(store, *runs, intervals=Intervals(level=LEVEL, n_replicates=50))
    moved = next(one for one in diff.moved if one.metric == bench.metric)
    yield "runs diff", to_json(moved.difference)
    judge = store.judges()[0].id
    opponent = ids["w:base"] if bench.opponent else None
    night = nights(
        store, bench.name, "1", judge, "policy", policy=policy, opponent_id=opponent
    ).nights[-1]  # fmt: skip
    assert night.difference is not None and night.slide is not None
    yield "nights", to_json(night.difference)
    yield "slide of nights", {"value": night.slide.difference}
    curve = training(store, bench.name, "r", judge=judge, opponent=opponent)
    (board,) = leaderboards(store, bench.name)
    assert curve.metric == board.metric == bench.metric
    leading = {row.model: row.leading for row in board.rows}
    assert [one.estimate for one in curve.checkpoints] == [
        leading[one.model] for one in curve.checkpoints
    ]
    above = curve.checkpoints[0].above_last
    assert above is not None
    yield "training", {"value": -above.value, "low": -above.high, "high": -above.low}


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("bench", BENCHES.values(), ids=BENCHES.keys())
def test_one_pair_has_one_difference_everywhere(store: Store, bench: Bench, missing: bool) -> None:
    found = dict(everywhere(store, bench, missing=missing))
    base = found["compare"]
    assert base["missing"] > 0 if missing else base["missing"] == 0
    for name, one in found.items():
        for field in ("n", "units", "missing", "method"):
            if field in one:
                assert one[field] == base[field], (name, field)
        for field in ("value", "high", "worst_low", "worst_high"):
            if field in one:
                assert one[field] == pytest.approx(base[field], abs=1e-9), (name, field)
        if name in ("runs diff", "training"):  # a gate's pass is Student's bound
            assert one["low"] == pytest.approx(base["low"], abs=1e-9), name


def test_a_checkpoint_that_nearly_always_wins_has_no_place_in_a_weighted_band(store: Store) -> None:
    """Of few losses neither the board nor the band has an interval that holds."""
    bench = BENCHES[WEIGHTED]
    said = [bench.said(n, missing=False) for n in range(3)]
    lost = ("q0", "q1", "q2", "q3", "q4")
    won = {
        "model_first": Preference.from_probability(1.0, "A>>B"),
        "opponent_first": Preference.from_probability(0.0, "B>>A"),
    }
    said[2] = {at: one if at[0] in lost else won[at[2]] for at, one in said[2].items()}
    for n, one in enumerate(said):
        put(store, bench, str(n), f"step {n}", str(n), one)
    ids = {model.spec.weights: model.id for model in store.models()}
    judge = store.judges()[0].id
    curve = training(store, bench.name, "r", judge=judge, opponent=ids["w:base"])
    *others, last = curve.checkpoints
    assert last.estimate.value > 90.0
    assert np.isnan([last.estimate.low, *last.band]).all()
    assert all(one.band.low < one.estimate.low < one.band.high for one in others)
    assert 1.9 < curve.critical < 2.6
    assert curve.best is not None
    assert curve.best.model == last.model
    assert np.isnan(curve.best.corrected[:3]).all()
    assert "fewer than 10 items are won, or lost" in str(curve.best.corrected.undefined)
    assert [note for note in curve.notes if last.model in note and "no place in the band" in note]
    assert [line for line in curve.in_words if line.startswith("Not corrected for selection: few")]


def test_a_curve_goes_by_win_rates_where_no_checkpoint_was_read_in_both_orders(
    store: Store,
) -> None:
    bench = BENCHES[WEIGHTED]
    one_order: Any = [
        {at: one for at, one in bench.said(n, missing=False).items() if at[2] == "model_first"}
        for n in range(2)
    ]
    for n, said in enumerate(one_order):
        put(store, bench, str(n), f"step {n}", str(n), said)
    opponent = next(model.id for model in store.models() if model.spec.weights == "w:base")
    curve = training(store, bench.name, "r", judge=store.judges()[0].id, opponent=opponent)
    assert curve.metric == WIN_RATE
    assert curve.best is not None
    assert curve.notes == (
        "by win_rate, as no checkpoint has a weighted_win_rate: no item was read in both orders "
        "(a suite says orders: both)",
    )
    put(store, bench, "2", "step 2", "2", bench.said(2, missing=False))
    curve = training(store, bench.name, "r", judge=store.judges()[0].id, opponent=opponent)
    assert curve.metric == WEIGHTED
    assert [note.partition(": ")[::2] for note in curve.notes] == [
        (f"step {n}", "no item was read in both orders (a suite says orders: both)")
        for n in range(2)
    ]


def test_a_band_is_as_wide_where_the_board_has_no_interval_of_some() -> None:
    """Which have one is by chance: a band of those alone held in 90 % of draws."""
    values = np.array([60.0, 97.0, 55.0])
    draws = values + np.random.default_rng(1).normal(0.0, (4.0, 1.5, 4.0), (1001, 3))
    draws[0] = values
    lows = (52.0, np.nan, 47.0)
    line = SharedDraws(
        metric=WEIGHTED, models=("a", "b", "c"), draws=draws, step=0.0, unit=100.0, shares=True,
        weighted=True, why_missing=("",) * 3,
        estimates=tuple(
            Estimate(value=value, low=low, high=2 * value - low, n=100, units=100)
            for value, low in zip(values, lows, strict=True)
        ),
    )  # fmt: skip
    (band, ends), (whole, every) = (
        one.band(level=LEVEL) for one in (line, replace(line, weighted=False))
    )
    assert np.isnan(ends[1]).all()
    assert not np.isnan(every[1]).any()
    assert (ends[0], ends[2], band.critical) == (every[0], every[2], whole.critical)
    assert np.isnan(line.best(level=LEVEL).low)


def test_what_one_order_alone_leaves_out_is_among_what_is_missing(store: Store) -> None:
    bench = BENCHES[WEIGHTED]
    said = bench.said(0, missing=True)
    put(store, bench, "0", "step 0", "0", said)
    put(store, bench, "1", "step 1", "1", bench.said(1, missing=False))
    lost = sum(isinstance(one, Unreadable) for one in said.values())
    opponent = next(model.id for model in store.models() if model.spec.weights == "w:base")
    curve = training(store, bench.name, "r", judge=store.judges()[0].id, opponent=opponent)
    assert curve.checkpoints[0].estimate.missing == 2 * lost
    why = f"missing: {lost} unreadable, {lost} whose other order was not read"
    assert [note.partition("; ")[2] for note in curve.notes] == [why]
    both = comparison(store, "step 1", "step 0", metrics=[WEIGHTED, WIN_RATE])
    weighted, plain = (" ".join(test.remarks) for test in both.tests)
    assert why in weighted
    assert f"missing: {lost} unreadable" in plain
    assert "other order" not in plain
