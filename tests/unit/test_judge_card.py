"""The card of a judge: the faults of published verdicts are found by it, and nothing is guessed."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import judgebench
from judgebench import INCLUDE_PATH, registry
from judgebench.errors import ConfigError, UsageError
from judgebench.metrics import judge_card as measures
from judgebench.metrics.judged_values import read_labels, read_outcomes, read_scores
from judgebench.metrics.probes import probe_benchmark, probe_version
from judgebench.records import Estimate, JudgeSpec
from judgebench.reports.judge_card import ENTRIES, CardMeasure, JudgeCard
from judgebench.reports.render import render
from judgebench.store.opening import open_store
from tests.dashboards import stores
from tests.e2e.runs import typed

ROOT = Path(__file__).resolve().parents[2]
GOLD = ROOT.parent / "shared" / "gold"
MINI = registry.tasks_root() / "trivia_judging_mini" / "benchmark.toml"


def written(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def label(benchmark: str, item: object, model: str, judge: str, value: str) -> dict[str, Any]:
    return {
        "benchmark": benchmark, "item_id": str(item), "model": model, "judge": judge,
        "kind": "label" if value else "unreadable", "value": value,
        **({} if value else {"reason": "no verdict"}),
    }  # fmt: skip


def gold(name: str) -> list[dict[str, Any]]:
    path = GOLD / name
    if not path.exists():
        pytest.skip(f"the gold data ({name}, ../shared/gold beside the repository) is absent")
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows


def measure(card: JudgeCard, name: str) -> CardMeasure:
    (section,) = card.sections
    return next(one for one in section.measures if one.name == name)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stores.fill(tmp_path_factory.mktemp("small") / "s.db", n_items=30)


# the faults of published verdicts -----------------------------------------------------------------


def test_chance_on_one_model_is_found_where_three_in_four_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XSTest: GPT-4 as the judge of refusals, on the answers of Mistral (kappa 0.06)."""
    rows = gold("xstest/completions.parquet")
    kinds = ["1_full_compliance", "3_partial_refusal", "2_full_refusal"]
    folder = tmp_path / "refusals"
    folder.mkdir()
    text = MINI.read_text().replace('"trivia_judging_mini"', '"refusals"', 1)
    text = text.replace('labels = ["correct", "incorrect"]', f"labels = {json.dumps(kinds)}")
    text = text.replace('positive = "correct"', f'positive = "{kinds[-1]}"')
    shutil.copytree(MINI.parent, folder, dirs_exist_ok=True)
    (folder / "benchmark.toml").write_text(text)
    monkeypatch.setenv(INCLUDE_PATH, str(tmp_path))
    names = {"gpt4_label": "gpt-4", "strmatch_label": "strmatch", "final_label": "human/final"}
    said = [
        label("refusals", row["id"], row["model"], judge, row[field] if row[field] in kinds else "")
        for row in rows for field, judge in names.items()
    ]  # fmt: skip
    store = f"sqlite:///{tmp_path}/s.db"
    judgebench.import_verdicts(
        written(tmp_path / "v.jsonl", said), store=store, allow_unknown_items=True
    )
    card = judgebench.judge_card("gpt-4", store=store)
    kappa = measure(card, "model_kappa")
    assert [*kappa.fails] == ["mistralinstruct"]
    assert kappa.estimate.value == pytest.approx(0.0818, abs=1e-4)
    assert kappa.estimate.low < 0.02
    assert measure(card, "cohen_kappa").estimate.value > 0.6
    assert "mistralinstruct" in card.verdict


def test_judged_answers_that_are_failures_are_found(tmp_path: Path) -> None:
    """Arena-Hard: 212 answers that are all ``$ERROR$``, each judged in both orders."""
    name = "nowllm_mistral_7b_24_03_28_sft_v1_150k_sharegpt_scale_round2"
    rows = [row for row in gold("arena_hard/verdict_texts.parquet") if row["judge"] == "gpt-4-32k"]
    value = {"A": {1: 0.0, 2: 1.0}, "B": {1: 1.0, 2: 0.0}}
    said = [
        {
            "benchmark": "arena", "item_id": row["uid"], "model": row["model"],
            "judge": row["judge"], "opponent": "gpt-4-0314", "kind": "preference",
            "value": value["A" if row["stored"].startswith("A>") else "B"][row["game"]],
            "order": "opponent_first" if row["game"] == 1 else "model_first",
        }
        for row in rows
    ]  # fmt: skip
    answers = [
        {"benchmark": "arena", "item_id": uid, "model": model, "text": text}
        for uid in sorted({row["uid"] for row in rows})
        for model, text in ((name, "$ERROR$"), ("gpt-4-0314", f"An answer to {uid}."))
    ]
    store = f"sqlite:///{tmp_path}/s.db"
    judgebench.import_verdicts(written(tmp_path / "v.jsonl", said), store=store)
    judgebench.import_responses(written(tmp_path / "r.jsonl", answers), store=store)
    card = judgebench.judge_card("gpt-4-32k", store=store)
    assert dict(measure(card, "placeholder").fails) == {name: "212 of 212"}
    assert {one.believed for one in card.sections[0].decisions} == {"no"}
    assert measure(card, "consistency").estimate.value == 1.0


def test_both_orders_are_those_of_judgebench() -> None:
    """JudgeBench: two-order accuracy, consistency, first place and kappa of four judges."""
    pairs = {row["pair_id"]: row["label"] for row in gold("judgebench_pairs/pairs_gpt4o.parquet")}
    expected = json.loads((GOLD / "judgebench_pairs" / "expected.json").read_text())["judges"]
    worth = {"A>B": 1.0, "B>A": 0.0, "A=B": 0.5, None: None}
    by_judge: dict[str, list[tuple[Any, ...]]] = {
        judge: [(pair, "human/label", "model_first", worth[said]) for pair, said in pairs.items()]
        for judge in expected
    }
    for row in gold("judgebench_pairs/decisions.parquet"):
        one, other = worth[row["decision_1"]], worth[row["decision_2"]]
        swapped = None if other is None else 1.0 - other
        its = by_judge[row["judge"]]
        its.append((row["pair_id"], row["judge"], "model_first", one))
        its.append((row["pair_id"], row["judge"], "opponent_first", swapped))
    for judge, rows in by_judge.items():
        item, who, order, value = map(list, zip(*rows, strict=True))
        columns = {
            "item_id": item, "judge": who, "order": order, "value": value,
            "model": ["A"] * len(item), "opponent": ["B"] * len(item), "sample": [0] * len(item),
            "kind": ["unreadable" if one is None else "preference" for one in value],
        }  # fmt: skip
        found = measures.JudgeMeasures(read_outcomes(columns), judge).orders()
        known = expected[judge]["overall"]
        ours = {name: one.estimate.value for name, one in found.items()}
        assert ours["two_order_accuracy"] == pytest.approx(
            known["upstream_accuracy_percent"] / 100, abs=1e-9
        )
        assert ours["first_position"] == pytest.approx(
            known["first_position_share_of_decisive"], abs=1e-9
        )
        n = found["consistency"].estimate.n
        assert ours["consistency"] == pytest.approx(known["swap_consistent"] / n, abs=1e-9)
        assert ours["orders_kappa"] == pytest.approx(known["order_kappa"], abs=1e-9)


# what is not known --------------------------------------------------------------------------------


def board(said: Mapping[str, Mapping[str, str]]) -> dict[str, list[Any]]:
    """By judge and model a mark for each item: + or -, ? unreadable, a blank for nothing."""
    rows = [
        (f"q{item:03d}", model, judge, 0, "unreadable" if mark == "?" else "label",
         {"+": "correct", "-": "incorrect"}.get(mark))
        for judge, its in said.items() for model, marks in its.items()
        for item, mark in enumerate(marks) if mark != " "
    ]  # fmt: skip
    names = ("item_id", "model", "judge", "sample", "kind", "label")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def of(said: Mapping[str, Mapping[str, str]], judge: str = "j") -> measures.JudgeMeasures:
    values = read_labels(board(said))
    return measures.JudgeMeasures(values, judge)


def test_judged_by_nobody_else_is_unknown_and_says_so() -> None:
    found = of({"j": {"m": "+-+-" * 10}})
    its = found.agreement() | found.by_model() | found.ranking()
    for name in ("cohen_kappa", "score_delta", "judges_kappa", "judges_alpha", "kendall",
                 "model_kappa", "block_outlier", "near_constant"):  # fmt: skip
        assert math.isnan(its[name].estimate.value), name
        assert its[name].estimate.undefined, name


def test_labels_in_no_order_have_no_leniency_whoever_judged() -> None:
    rows = board({"j": {"m": "+-" * 20}, "human/a": {"m": "++" * 20}})
    its = measures.JudgeMeasures(read_labels(rows, labels=("incorrect", "partial", "correct")), "j")
    assert its.agreement()["score_delta"].estimate.undefined == measures.NO_ORDER
    assert its.agreement()["cohen_kappa"].estimate.n == 40


def test_a_model_with_few_labels_has_no_place_in_the_order_of_people() -> None:
    marks = {f"m{n}": "+" * (n * 6 + 4) + "-" * (36 - n * 6) for n in range(5)}
    few = {name: said[:9] for name, said in marks.items()}
    its = of({"j": marks, "human/a": {**marks, "m0": few["m0"]}}).ranking()["kendall"].estimate
    assert (its.value, its.n) == (1.0, 4)
    none = of({"j": marks, "human/a": few}).ranking()["kendall"].estimate
    assert none.undefined == "a ranking needs at least two models"


def test_raters_that_never_overlap_have_no_agreement() -> None:
    its = of({"j": {"m": "+-+-" + " " * 4}, "human/a": {"m": " " * 4 + "+-+-"}}).agreement()
    assert its["cohen_kappa"].estimate.undefined == "no item has a label of both raters"
    assert its["judges_alpha"].estimate.undefined == "no answer has been judged by two"
    assert its["cohen_kappa"].estimate.n == 0


def test_raters_that_all_say_the_same_have_no_kappa_and_no_number() -> None:
    its = of({"j": {"m": "+" * 40}, "human/a": {"m": "+" * 40}})
    kappa = its.agreement()["cohen_kappa"].estimate
    assert math.isnan(kappa.value)
    assert "chance agreement is 1" in str(kappa.undefined)
    assert its.agreement()["judges_alpha"].estimate.undefined == "all labels are one and the same"
    assert its.by_model()["model_kappa"].estimate.undefined


def test_one_person_is_held_against_other_judges() -> None:
    its = of({"human/a": {"m": "+-" * 20}, "j": {"m": "+-" * 20}}, "human/a")
    assert its.agreement()["cohen_kappa"].estimate.undefined == measures.NO_PEOPLE
    assert its.agreement()["judges_kappa"].estimate.value == 1.0


def test_scores_on_several_scales_are_no_scores() -> None:
    rows = [
        (f"q{n}", "m", judge, 0, "score", 3.0, low, high)
        for judge, low, high in (("j", 1.0, 5.0), ("human/a", 1.0, 10.0)) for n in range(20)
    ]  # fmt: skip
    names = ("item_id", "model", "judge", "sample", "kind", "value", "low", "high")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    its = measures.JudgeMeasures(read_scores(columns), "j")
    said = its.agreement()["cohen_kappa"].estimate.undefined
    assert said == "scores have no one scale with two ends here (1 to 5, 1 to 10)"
    assert its.biases({"item_id": [], "model": [], "length": []}, None)["longer"].estimate.undefined


def test_scores_below_zero_without_ends_are_verdicts() -> None:
    """Those of a reward model; as codes of a scale that there is not, -1 would be no verdict."""
    rows = [(f"q{n}", "m", "j", 0, "score", -float(n), -math.inf, math.inf) for n in range(20)]
    names = ("item_id", "model", "judge", "sample", "kind", "value", "low", "high")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    its = measures.JudgeMeasures(read_scores(columns), "j")
    answers = {"item_id": ["q1"], "model": ["m"], "start": ["so"]}
    assert its.placeholders(answers).estimate.n == 20
    missing = its.by_model()["missing"].estimate
    assert (missing.value, missing.n) == (0.0, 20)


def scored(judges: Mapping[str, tuple[float, float]]) -> measures.JudgeMeasures:
    """Of ``j``, where judges score four models on scales of their own."""
    draw = np.random.default_rng(1).random((40, 4))
    rows = [
        (f"q{n}", f"m{m}", judge, 0, "score", low + (high - low) * float(draw[n, m]), low, high)
        for judge, (low, high) in judges.items() for n in range(40) for m in range(4)
    ]  # fmt: skip
    names = ("item_id", "model", "judge", "sample", "kind", "value", "low", "high")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return measures.JudgeMeasures(read_scores(columns), "j")


def test_a_judge_on_another_scale_takes_nothing_from_those_on_one() -> None:
    its = scored({"j": (1, 10), "human/a": (1, 10), "k": (0, 1)})
    assert its.agreement()["cohen_kappa"].estimate.value == 1.0
    assert its.ranking()["kendall"].estimate.value == 1.0
    apart = scored({"j": (0, 1), "human/a": (1, 10), "k": (0, 1)})
    said = "scores have no one scale with two ends here (0 to 1, 1 to 10)"
    found = apart.agreement() | apart.ranking() | apart.by_model()
    assert {
        found[name].estimate.undefined for name in ("cohen_kappa", "kendall", "model_kappa")
    } == {said}


def test_kappa_of_scores_is_over_the_declared_scale() -> None:
    """Scores 1, 2 and 5 on a scale from 1 to 5: by its definition, over all pairs."""
    draw = np.random.default_rng(1)
    mine, theirs = draw.choice([1, 2, 5], size=(2, 60))
    rows = [
        (f"q{n:02d}", "m", judge, 0, "score", float(value), 1.0, 5.0)
        for judge, said in (("j", mine), ("human/a", theirs)) for n, value in enumerate(said)
    ]  # fmt: skip
    names = ("item_id", "model", "judge", "sample", "kind", "value", "low", "high")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    its = measures.JudgeMeasures(read_scores(columns), "j")
    apart = (mine[:, np.newaxis] - theirs) ** 2
    expected = 1 - np.diag(apart).mean() / apart.mean()
    assert its.agreement()["cohen_kappa"].estimate.value == pytest.approx(expected, abs=1e-12)
    use = its.biases({"item_id": [], "model": [], "length": []}, None)
    top = max(np.bincount(mine)) / 60
    assert use["scale_top_share"].estimate.value == pytest.approx(top)


def test_length_is_weighed_against_the_reference() -> None:
    """Longer answers are right as often as others; the judge calls them right more often."""
    n = 60
    human = {"long": "+-" * (n // 2), "short": "+-" * (n // 2)}
    its = of({"j": {"long": "+" * n, "short": human["short"]}, "human/a": human})
    answers = {
        "item_id": [f"q{i:03d}" for _ in human for i in range(n)],
        "model": [model for model in human for _ in range(n)],
        "length": [200] * n + [50] * n,
    }
    one = its.biases(answers, None)["longer"].estimate
    assert one.value == pytest.approx(0.5)
    assert one.low < 0.5 < one.high
    none = its.biases({**answers, "length": [60] * n + [50] * n}, None)["longer"].estimate
    assert none.undefined == "no two answers here differ by 30 characters or more"


def test_a_soft_judge_is_calibrated_by_people() -> None:
    draw = np.random.default_rng(0)
    p = draw.random(400)
    truth = draw.random(400) < p
    marks = "".join("-+"[int(one)] for one in truth)
    its = of({"j": {"m": "".join("-+"[int(one > 0.5)] for one in p)}, "human/a": {"m": marks}})
    found = its.calibration(p)
    assert found["auroc"].estimate.value == pytest.approx(
        np.mean([p[truth][:, np.newaxis] > p[~truth]])
    )
    assert found["brier"].estimate.value == pytest.approx(np.mean((p - truth) ** 2))
    assert found["ece"].estimate.low <= 0.02
    hard = its.calibration(np.where(p > 0.5, 1.0, 0.0))["ece"].estimate
    assert hard.undefined == "its verdicts have no probabilities"


# thresholds, names, forms -------------------------------------------------------------------------


def test_the_ends_of_an_interval_decide() -> None:
    kappa, delta = ENTRIES["cohen_kappa"], ENTRIES["score_delta"]

    def said(value: float, low: float, high: float, n: int = 100) -> Estimate:
        return Estimate(value=value, low=low, high=high, n=n, units=n)

    assert kappa.state(said(0.7, 0.6, 0.8)) == "passed"
    assert kappa.state(said(0.7, 0.59, 0.8)) == "unknown"
    assert kappa.state(said(0.5, 0.4, 0.6)) == "unknown"
    assert kappa.state(said(0.5, 0.4, 0.59)) == "failed"
    assert kappa.state(said(0.9, 0.8, 1.0, n=9)) == "unknown"
    assert kappa.state(said(math.nan, math.nan, math.nan)) == "unknown"
    assert delta.state(said(-0.04, -0.05, -0.03)) == "passed"
    assert delta.state(said(-0.07, -0.09, -0.06)) == "failed"
    assert ENTRIES["kendall"].state(said(1.0, math.nan, math.nan, n=3)) == "unknown"


def test_thresholds_are_the_users(small: str, tmp_path: Path) -> None:
    policy = tmp_path / "card.yaml"
    policy.write_text("cohen_kappa: 0.999\nrefused: 0.5\n")
    card = judgebench.judge_card("contains", store=small, policy=policy)
    assert measure(card, "cohen_kappa").state == "failed"
    assert measure(card, "refused").threshold == 0.5
    card = judgebench.judge_card(
        "contains", store=small, policy=policy, thresholds={"cohen_kappa": 0.2}
    )
    assert measure(card, "cohen_kappa").state == "passed"
    for name, wanted in (("brier", "≤ 0.2"), ("ties", "≤ 0.2"), ("p_plus", "≤ 0.2"),
                         ("mcc", "≥ 0.2"), ("scale_entropy", "≥ 0.2")):  # fmt: skip
        assert ENTRIES[name].at(0.2).wanted() == wanted
    with pytest.raises(
        UsageError, match="no measure called 'kohen_kappa'; did you mean 'cohen_kappa'"
    ):
        judgebench.judge_card("contains", store=small, thresholds={"kohen_kappa": 0.2})
    policy.write_text("cohen_kapa: 0.9\n")
    with pytest.raises(ConfigError, match=r"card\.yaml.*did you mean 'cohen_kappa'"):
        judgebench.judge_card("contains", store=small, policy=policy)
    policy.write_text("cohen_kappa: high\n")
    with pytest.raises(ConfigError, match=r"cohen_kappa.*a threshold is a number, not 'high'"):
        judgebench.judge_card("contains", store=small, policy=policy)


def test_thresholds_are_those_of_single_models(tmp_path: Path) -> None:
    said = [
        label("trivia_judging_mini", item, model, judge, "correct" if right else "incorrect")
        for model in ("one", "two", "three") for item in range(40)
        for judge, right in (
            ("contains", item % 2), ("exact_match", item % 2 or item == 0),
            ("always", True), ("human/a", item % 2),
        )
    ]  # fmt: skip
    store = f"sqlite:///{tmp_path}/s.db"
    judgebench.import_verdicts(
        written(tmp_path / "v.jsonl", said), store=store, allow_unknown_items=True
    )
    card = judgebench.judge_card("exact_match", store=store)
    assert measure(card, "impossible").estimate.value == pytest.approx(1 / 21)
    assert len(measure(card, "impossible").fails) == len(card.sections[0].excluded) == 3
    card = judgebench.judge_card("exact_match", store=store, thresholds={"impossible": 0.05})
    assert measure(card, "impossible").state == "passed"
    assert not measure(card, "impossible").fails
    assert not card.sections[0].excluded
    for most, state in ((0, "failed"), (2, "failed"), (3, "passed")):
        card = judgebench.judge_card("always", store=store, thresholds={"near_constant": most})
        its = measure(card, "near_constant")
        assert (its.estimate.value, its.state) == (3, state)
        assert bool(its.fails) == (state == "failed")


def test_a_judge_is_not_held_against_itself(small: str) -> None:
    with pytest.raises(UsageError, match="contains cannot be held against itself"):
        judgebench.judge_card("contains", store=small, reference="contains")


def test_a_judge_that_saw_models_beside_themselves_alone_has_no_section(tmp_path: Path) -> None:
    tie = {"benchmark": "b", "model": "a", "opponent": "a", "kind": "preference", "value": 0.5}
    said = [{**tie, "item_id": str(item), "judge": "j"} for item in range(3)]
    store = f"sqlite:///{tmp_path}/s.db"
    judgebench.import_verdicts(written(tmp_path / "v.jsonl", said), store=store)
    card = judgebench.judge_card("j", store=store)
    assert card.sections == ()
    (warning,) = card.warnings
    assert warning.endswith("or each model stood against itself alone")


def test_a_judge_that_nobody_knows_is_named_with_the_nearest(small: str) -> None:
    with pytest.raises(UsageError, match="no judge called 'contians'; did you mean 'contains'"):
        judgebench.judge_card("contians", store=small)
    with pytest.raises(UsageError, match="did you mean 'trivia_judging_mini'"):
        judgebench.judge_card("contains", benchmark="trivia_judging_mni", store=small)


def test_several_identities_of_one_name_have_sections_of_their_own(tmp_path: Path) -> None:
    url = stores.fill_with(
        tmp_path / "s.db", {"m": {"judge": stores.labels("+-" * 20)}}
    )  # fmt: skip
    url = f"sqlite:///{tmp_path}/s.db" if url is None else url
    with open_store(url) as store, store.transaction():
        other = store.put_judge("judge", JudgeSpec(kind="reference", prompt_sha="cd" * 32))
        model = next(one.key for one in store.models())
        stores.put(store, model, other, stores.labels("+-" * 20), "first")
    card = judgebench.judge_card("judge", store=url)
    assert len(card.sections) == 2
    assert len({one.judge for one in card.sections}) == 2
    assert card.warnings == (
        f"{card.sections[0].place}: judge is 2 judges: "
        + ", ".join(one.judge for one in card.sections),
    )


def test_what_probes_say_is_on_the_card(tmp_path: Path) -> None:
    url = stores.fill(tmp_path / "s.db", n_items=30)
    version = probe_version(stores.BENCHMARK, stores.VERSION)
    at = probe_benchmark("answers")
    rows = [
        {**label(at, n, model, "j", "correct" if n < right else "incorrect"), "version": version}
        for model, right in (("as-it-was", 10), ("gold", 20), ("yes", 0)) for n in range(20)
    ]  # fmt: skip
    attack = [
        {**label(probe_benchmark("attack"), n, model, "j", "correct" if n < k else "incorrect"),
         "version": version}
        for model, k in (("unknown", 4), ("injection", 12)) for n in range(20)
    ]  # fmt: skip
    mine = [
        {**label(stores.BENCHMARK, n, "taker-hasty", "j", "correct"), "version": stores.VERSION}
        for n in range(30)
    ]
    judgebench.import_verdicts(written(tmp_path / "v.jsonl", rows + attack + mine), store=url)
    card = judgebench.judge_card("j", store=url)
    (section,) = card.sections
    said = {one.name: one for one in section.measures}
    assert (said["answers/gold"].estimate.value, said["answers/gold"].state) == (1.0, "unknown")
    assert (said["answers/yes"].estimate.value, said["answers/yes"].estimate.n) == (0.0, 20)
    injected = said["attack/injection"]
    assert (injected.estimate.value, injected.estimate.n) == (0.5, 16)
    assert injected.state == "failed"
    assert "probe: injection" in next(d for d in section.decisions if d.use == "scores").because
    assert said["probe"].estimate.undefined == (
        "its verdicts were imported, so that nobody can be asked"
    )
    other = measure(judgebench.judge_card("contains", store=url), "probe").estimate.undefined
    assert str(other).startswith("not asked about dummy answers, and the gold, answers that speak")
    assert str(other).endswith(
        "`judgebench probe contains` says what that costs, and asks with --max-cost 1"
    )


def test_every_form_is_written_and_names_stay_text(tmp_path: Path, small: str) -> None:
    done = typed("judge-card", "contains", "--store", small, "--format", "json")
    assert done.code == 0, done.err
    data = json.loads(done.out)
    assert data["sections"][0]["measures"][0]["name"] == "cohen_kappa"
    assert "NaN" not in done.out
    for form in ("table", "md", "csv", "html", "latex"):
        assert typed("judge-card", "contains", "--store", small, "--format", form).code == 0
    wrong = typed("judge-card", "contains", "--store", small, "--threshold", "cohen_kappa")
    assert wrong.code == 64
    assert "is not NAME=NUMBER" in wrong.err
    frame = judgebench.judge_card("contains", store=small).to_frame()
    assert set(frame["state"]) == {"passed", "failed", "unknown", ""}
    name = "<script>alert(1)</script>"
    rows = [label("b", n, name, f"{name}{k}", "correct") for n in range(9) for k in range(2)]
    store = f"sqlite:///{tmp_path}/s.db"
    judgebench.import_verdicts(written(tmp_path / "v.jsonl", rows), store=store)
    page = render(judgebench.judge_card(f"{name}1", store=store).document(), "html")
    assert "<script>" not in page
