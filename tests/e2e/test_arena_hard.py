"""Arena-Hard from questions to boards: runs of the small set, imports, style control, refusals."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import judgebench
from judgebench.benchmarks.data import official_judging, read_source
from judgebench.benchmarks.description import find
from judgebench.benchmarks.folder import load_benchmark
from judgebench.benchmarks.official import read_texts
from judgebench.errors import ConfigError, InputError, UsageError
from judgebench.exchange.arena_hard import FAILED_ANSWER, FAILED_JUDGE, NO_LABEL
from judgebench.exchange.tables import NO_REPLY
from judgebench.execution.forecast import PlanRow
from judgebench.judges.readers.brackets import ARENA_HARD
from judgebench.judges.templates import KINDS
from judgebench.metrics.paired import spread_of
from judgebench.metrics.win_rate import BOTH_GAMES, EACH_GAME, WEIGHTED, WIN_RATE
from judgebench.protocols import JudgeSettings, NoProgress
from judgebench.records import Case, Preference, Reply, Response, Unreadable
from judgebench.reports.gate_policy import Policy
from judgebench.reports.model_pairs import PairData
from judgebench.reports.power import PowerForecast, gate_ahead, notes
from judgebench.rows import Row, read_rows
from judgebench.stats.gate_rule import detectable
from judgebench.store.opening import open_store
from judgebench.template import PromptText
from tests.e2e.runs import typed
from tests.tiny_models import save_causal

ROOT = Path(__file__).resolve().parents[2]
GOLD = ROOT.parent / "shared" / "gold" / "arena_hard"
SUITE = ROOT / "suites" / "arena_hard.yaml"
OWN = ["model-steady", "model-hasty"]


# the small set ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store of the suite's run of recorded answers by a scripted judge."""
    store = f"sqlite:///{tmp_path_factory.mktemp('arena')}/s.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEMO_MODEL", "a-folder")
        outcome = judgebench.run(SUITE, store=store, models=OWN, progress=NoProgress())
    assert (outcome.judged, outcome.failed) == (48, 0)
    yield store


def test_each_category_is_compared_with_its_own_baseline_in_both_orders(small: str) -> None:
    found = judgebench.leaderboard("arena_hard_mini", store=small, upstream=True).boards
    assert {board.opponent: board.items for board in found} == {
        "baseline-hard": 8, "baseline-creative": 4
    }  # fmt: skip
    for board in found:
        assert (board.metric, board.official_prompt) == (WEIGHTED, False)
        assert {row.model for row in board.rows} == {*OWN}
        for row in board.rows:
            games = 2 * board.items
            assert (row.metrics[WIN_RATE].n, row.leading.missing) == (games, 0)
            assert f"{WEIGHTED}/upstream" in row.metrics
            assert row.leading.method.startswith("no interval: fewer than 10 items")
    with open_store(small) as store:
        told = store.verdicts("arena_hard_mini")
    assert set(told["label"]) <= {"A>>B", "A>B", "A=B", "B>A", "B>>A"}
    assert set(told["order"]) == {"model_first", "opponent_first"}


def test_lengths_are_compared_on_the_questions_that_the_opponent_answered(small: str) -> None:
    task = ROOT / "tasks" / "arena_hard_mini"
    rows = [
        json.loads(line)
        for name in ("items.jsonl", "answers.jsonl")
        for line in (task / name).read_text(encoding="utf-8").split("\n")
        if line
    ]
    category = {row["id"]: row["category"] for row in rows if "id" in row}
    for board in judgebench.leaderboard("arena_hard_mini", store=small).boards:
        wanted = "hard_prompt" if board.opponent == "baseline-hard" else "creative_writing"
        for row in board.rows:
            lengths = [
                len(one["text"])
                for one in rows
                if one.get("model") == row.model and category[one["item_id"]] == wanted
            ]
            assert row.counts["avg_length"] == sum(lengths) // len(lengths)
            assert int(row.metrics["avg_length"].value) == row.counts["avg_length"]
            assert "much shorter answers" not in row.flags  # than stories, those to hard prompts


def test_a_gate_tests_the_boards_of_both_baselines(small: str, tmp_path: Path) -> None:
    found = judgebench.gate(candidate="model-steady", baseline="model-hasty", store=small)
    told = {one.opponent: one for one in found.tests}
    assert set(told) == {"baseline-hard", "baseline-creative"}
    assert told["baseline-hard"].place == "arena_hard_mini@1 against baseline-hard"
    assert len({one.candidate_value for one in found.tests}) == 2

    policy = tmp_path / "policy.yaml"
    asked = "tests:\n  - {benchmark: arena_hard_mini, max_drop: 20"
    policy.write_text(f"{asked}, opponent: baseline-creative}}\n", encoding="utf-8")
    two = {"candidate": "model-steady", "baseline": "model-hasty", "store": small}
    (alone,) = judgebench.gate(policy=policy, **two).tests
    assert alone.candidate_value == told["baseline-creative"].candidate_value
    for said, fault in (
        ("", r"opponent and metric are meant: .*\(win_rate against baseline-creative\)"),
        (", opponent: nobody", "no judge has judged both .* against nobody; these have"),
        (", opponent: baseline-hard, head_to_head: true", "opponent: of a test head to head"),
    ):
        policy.write_text(f"{asked}{said}}}\n", encoding="utf-8")
        with pytest.raises((UsageError, ConfigError), match=fault):
            judgebench.gate(policy=policy, **two)


def test_plain_win_rates_rank_where_they_are_asked_for(small: str) -> None:
    plain = judgebench.leaderboard("arena_hard_mini", store=small, rank_by=WIN_RATE).boards
    assert {board.metric for board in plain} == {WIN_RATE}
    assert all(WEIGHTED in row.metrics for board in plain for row in board.rows)


def test_style_controlled_scores_name_their_set_and_refuse_a_model_without_answers(
    small: str, tmp_path: Path
) -> None:
    done = typed(
        "leaderboard", "arena_hard_mini", "--store", small, "--style-control", "v0.1",
        "--format", "json",
    )  # fmt: skip
    boards = json.loads(done.out)["boards"]
    assert done.code == 0
    assert [board["style_set"] for board in boards] == [sorted(OWN)] * 2
    for board in boards:
        name = "style_controlled_win_rate/v0.1"
        assert all(0 <= row["metrics"][name]["value"] <= 100 for row in board["rows"])
    (table, _) = (
        judgebench.leaderboard("arena_hard_mini", store=small, style_control="v0.1")
        .document()
        .tables[:2]
    )
    assert "style-controlled among 2 models" in table.title
    assert any("this set of 2 models" in n and "lengths in characters" in n for n in table.notes)
    assert any(
        n.startswith("style-controlled: no interval with fewer than 100") for n in table.notes
    )
    assert any(n.startswith("no ranks by them") for n in table.notes)

    lines = [
        {"benchmark": "arena_hard_mini", "version": "1", "item_id": str(n), "model": "no-answers",
         "judge": "arena-judge", "kind": "preference", "value": 1.0, "label": "A>>B",
         "opponent": "baseline-hard", "order": "model_first"}
        for n in range(3)
    ]  # fmt: skip
    verdicts = tmp_path / "v.jsonl"
    verdicts.write_text("".join(json.dumps(line) + "\n" for line in lines))
    copy = tmp_path / "copy.db"
    copy.write_bytes(Path(small.removeprefix("sqlite:///")).read_bytes())
    judgebench.import_verdicts(verdicts, store=f"sqlite:///{copy}")
    with pytest.raises(UsageError, match=r"no-answers \(3 games\).*belongs to a set of models"):
        judgebench.leaderboard("arena_hard_mini", store=f"sqlite:///{copy}", style_control="v2.0")


def test_what_is_of_arena_hard_alone_is_refused_elsewhere(small: str, tmp_path: Path) -> None:
    done = typed("leaderboard", "arena_hard_mini", "--store", small, "--style-control", "v3")
    assert done.code == 64
    assert "v2.0" in done.err
    store = f"sqlite:///{tmp_path}/s.db"
    line = {"benchmark": "x", "item_id": "1", "model": "m", "judge": "j", "value": "correct"}
    (tmp_path / "v.jsonl").write_text(json.dumps(line) + "\n")
    judgebench.import_verdicts(tmp_path / "v.jsonl", store=store)
    with pytest.raises(UsageError, match="x@unversioned has no weighted win rate"):
        judgebench.leaderboard("x", store=store, upstream=True)


def test_a_baseline_without_answers_is_named_with_its_category(tmp_path: Path) -> None:
    folder = tmp_path / "arena_half"
    folder.mkdir()
    task = ROOT / "tasks" / "arena_hard_mini"
    for name in ("items.jsonl", "utils.py"):
        (folder / name).write_bytes((task / name).read_bytes())
    lines = (task / "baseline.jsonl").read_text(encoding="utf-8").split("\n")
    half = [line for line in lines if "baseline-hard" in line]
    (folder / "baseline.jsonl").write_text("".join(f"{line}\n" for line in half))
    text = (task / "benchmark.toml").read_text(encoding="utf-8")
    text = text.replace("arena_hard_mini", "arena_half")
    text = "\n".join(line for line in text.split("\n") if not line.startswith("sha256"))
    (folder / "benchmark.toml").write_text(text)
    (folder / "arena_half.yaml").write_text(
        (task / "arena_hard_mini.yaml").read_text("utf-8").replace("arena_hard_mini", "arena_half")
    )
    suite = {
        "name": "half",
        "include_path": str(folder),
        "models": [{"name": "model-steady", "responses": str(task / "answers.jsonl")}],
        "judges": [{"name": "j", "provider": "scripted", "model": "dice"}],
        "benchmarks": [{"name": "arena_half", "judges": ["j"], "orders": "both"}],
        "store": f"sqlite:///{tmp_path}/s.db",
    }
    path = tmp_path / "suite.yaml"
    path.write_text(json.dumps(suite))
    with pytest.raises(ConfigError, match=r"baseline-creative.*creative_writing.*limit: 8"):
        judgebench.plan(path)
    suite["benchmarks"][0]["limit"] = 8  # type: ignore[index]
    path.write_text(json.dumps(suite))


# gates --------------------------------------------------------------------------------------------

KOREAN = ROOT / "tasks" / "arena_hard" / "figures" / "ko_verdicts.parquet"
BETTER, WORSE, LOSES = "o3-low", "o3-mini-medium", "llama-3.1-8b-instruct"
QUESTIONS = 120


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of published verdicts on three models, one of which hardly ever wins."""
    folder = tmp_path_factory.mktemp("published")
    of: dict[str, list[Row]] = {}
    for row in read_rows(KOREAN, ("model", "uid", "game_1", "game_2")):
        of.setdefault(row.text("model"), []).append(row)
    lines = [
        old(row.text("uid"), row.text("game_1"), row.text("game_2"))
        | {"model": model, "judge": "three"}
        for model in (BETTER, WORSE, LOSES)
        for row in sorted(of[model], key=lambda one: one.text("uid"))[:QUESTIONS]
    ]
    url = f"sqlite:///{folder}/s.db"
    take(url, written(folder / "m.jsonl", *lines), baseline="claude-3.7-sonnet")
    return url


def gated(store: str, folder: Path, candidate: str, baseline: str, **test: Any) -> Any:
    policy = folder / "gate.yaml"
    its = {"benchmark": "arena_hard@v0.1", "max_drop": 2, **test}
    more = its.pop("policy", {})
    policy.write_text(json.dumps({"tests": [its], **more}), encoding="utf-8")
    return judgebench.gate(candidate=candidate, baseline=baseline, policy=policy, store=store)


def test_a_gate_tests_what_boards_of_arena_hard_rank_by(published: str, tmp_path: Path) -> None:
    (board,) = judgebench.leaderboard("arena_hard@v0.1", store=published).boards
    ranked = {row.model: row.leading.value for row in board.rows}
    report = gated(published, tmp_path, WORSE, BETTER, metric=WEIGHTED)
    (one,) = report.tests
    assert (report.verdict, one.metric, one.coverage) == ("regression", WEIGHTED, (1.0, 1.0))
    assert one.candidate_value == pytest.approx(ranked[WORSE])
    assert one.baseline_value == pytest.approx(ranked[BETTER])
    assert one.difference.value == pytest.approx(ranked[WORSE] - ranked[BETTER])
    assert one.difference.units == QUESTIONS  # clustered: both games of a question are one
    assert one.difference.high < 0
    assert not any("rank by" in note for note in report.notes)
    # The same engine as that of compare: one difference.
    compared = judgebench.compare(WORSE, BETTER, store=published, metrics=[WEIGHTED])
    assert compared.tests[0].difference.value == one.difference.value
    assert 0.0 < one.chance_unchanged_passes < 1.0
    # Items show what they are won by, not what they add to the weighted mean.
    assert {value for flip in one.flips for value in (flip.candidate, flip.baseline)} <= {
        0.0, 12.5, 25.0, 37.5, 50.0, 62.5, 75.0, 87.5, 100.0
    }  # fmt: skip
    assert len(one.flips) + compared.tests[0].equal == QUESTIONS and compared.tests[0].equal > 5
    assert gated(published, tmp_path, BETTER, WORSE, metric=WEIGHTED).verdict == "pass"

    plain = gated(published, tmp_path, WORSE, BETTER)
    assert plain.tests[0].metric == WIN_RATE
    assert plain.tests[0].candidate_value != one.candidate_value
    assert any(f"its boards rank by {WEIGHTED}" in note for note in plain.notes)
    assert not gated(published, tmp_path, WORSE, BETTER, metric=WIN_RATE).notes


def test_nights_suggestions_and_plans_go_by_weighted_wins_too(
    published: str, tmp_path: Path
) -> None:
    done = typed("baseline", "set", "kept", "--model", BETTER, "--store", published)
    assert done.code == 0
    policy = {"fixed_baseline": "kept"}
    (one,) = gated(published, tmp_path, WORSE, BETTER, metric=WEIGHTED, policy=policy).tests
    assert (one.slide.outcome, one.slide.nights, one.slide.metric) == ("slide", 1, WEIGHTED)
    assert one.slide.evidence[0].difference == pytest.approx(one.difference.value)
    assert one.slide.baseline_value == pytest.approx(one.baseline_value)
    few = gated(published, tmp_path, WORSE, LOSES, metric=WEIGHTED, policy={
        "fixed_baseline": LOSES
    }).tests[0].slide  # fmt: skip
    assert (few.outcome, few.because) == (
        "not tested", "fewer than 10 items won, or lost, by one of the two"
    )  # fmt: skip

    said = typed("gate", "suggest", "--candidate", WORSE, "--baseline", BETTER,
                 "--store", published)  # fmt: skip
    (test,) = yaml.safe_load(said.out)["tests"]
    assert (test["metric"], said.code) == (WEIGHTED, 0)
    # A gate of that policy passes an unchanged model about as often as the suggestion says.
    report = gated(published, tmp_path, WORSE, BETTER, **test)
    assert report.tests[0].metric == WEIGHTED
    plain = typed("gate", "suggest", "--candidate", WORSE, "--baseline", LOSES,
                  "--store", published)  # fmt: skip
    assert yaml.safe_load(plain.out)["tests"][0]["metric"] == WIN_RATE


def test_what_a_plan_could_detect_by_weighted_wins(published: str) -> None:
    """The median of the pairs whose weighted rates can be compared, beside the plain one."""
    bench = SimpleNamespace(name="arena_hard", version="v0.1")
    how = SimpleNamespace(judge_samples=1, orders="both")
    judge: Any = SimpleNamespace(
        key=b"", name="three", judge=SimpleNamespace(spec=SimpleNamespace(kind="templates")),
        compares=True, asks=True,
        asked=SimpleNamespace(benchmark=bench, baselines=("gpt-4-0314",), config=how),
        samples=[0], repeats=1, verdicts_each=2,
    )  # fmt: skip
    with open_store(published, read_only=True) as store:
        found = PowerForecast(store)(judge, 500)
        data = PairData(store, "arena_hard@v0.1")
        ((kind, who),) = data.judges_of((BETTER, WORSE))
        pair = data.pair(kind, who, (BETTER, WORSE), None, figure=WEIGHTED)
    assert found is not None and found.weighted is not None
    assert (found.metric, found.pairs) == (WIN_RATE, 3)
    assert (found.weighted.metric, found.weighted.pairs) == (WEIGHTED, 1)
    spread = spread_of(pair).spread
    assert found.weighted.difference == pytest.approx(100 * detectable(spread, 500, alpha=0.05))
    row = PlanRow(
        benchmark="arena_hard", version="v0.1", model="m", judge="three", items=500,
        distinct_items=500, detectable=found,
    )  # fmt: skip
    assert sum("weighted_win_rate in percent" in note for note in notes([row])) == 1
    test = {"benchmark": "arena_hard", "max_drop": 3.0}
    tests = [test | {"metric": WEIGHTED}, test]
    ahead, _ = gate_ahead([row], Policy.model_validate({"tests": tests}))
    assert [one.metric for one in ahead] == [WEIGHTED, WIN_RATE]
    assert all(0.0 < one.chance < 1.0 for one in ahead)
    assert [one.metric for one in gate_ahead([row])[0]] == [WIN_RATE]


def test_a_gate_by_weighted_wins_refuses_what_it_cannot_tell(
    published: str, tmp_path: Path
) -> None:
    (few,) = gated(published, tmp_path, LOSES, WORSE, metric=WEIGHTED).tests
    assert (few.decision, few.because) == (
        "inconclusive", "fewer than 10 items won, or lost, by one of the two"
    )  # fmt: skip
    assert all(math.isnan(one) for one in (few.difference.value, few.candidate_value))
    for test, fault in (
        ({"metric": f"{WEIGHTED}/coding"}, "is of all items together, of no group"),
        ({"metric": WEIGHTED, "head_to_head": True}, "what is won is a win_rate"),
        ({"metric": WEIGHTED, "corrected": True}, "corrected: on all items together"),
    ):
        with pytest.raises(ConfigError, match=fault):
            gated(published, tmp_path, WORSE, BETTER, **test)
    lines = [
        {"benchmark": "plain", "item_id": str(n), "model": model, "judge": "j", "value": n % 2,
         "opponent": "b"}
        for n in range(4) for model in ("x", "y")
    ]  # fmt: skip
    verdicts, store = written(tmp_path / "v.jsonl", *lines), f"sqlite:///{tmp_path}/p.db"
    judgebench.import_verdicts(verdicts, store=store)
    with pytest.raises(UsageError, match="plain@unversioned has no weighted win rate"):
        gated(store, tmp_path, "x", "y", benchmark="plain", metric=WEIGHTED)


# imports ------------------------------------------------------------------------------------------

ERROR = "<|The Start of Assistant B's Answer|>\n$ERROR$\n<|The End of Assistant B's Answer|>"
JUDGE = {"judge": "gpt-4", "model": "m"}


def written(path: Path, *lines: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    return path


def old(item: str, *games: Any, **more: Any) -> dict[str, Any]:
    said = [
        {"user_prompt": "…", "judgment": f"a\u2028b [[{one}]]", "score": one}
        if isinstance(one, str | None)
        else one
        for one in games
    ]
    return {"question_id": item, **JUDGE, "games": said, **more}


def new(item: str, *games: Any, category: str = "hard_prompt", **more: Any) -> dict[str, Any]:
    said = [
        {"score": one, "judgment": {"answer": f"[[{one}]]"}, "prompt": []}
        if isinstance(one, str)
        else one
        for one in games
    ]
    return {"uid": item, "category": category, "baseline": "b", **JUDGE, "games": said, **more}


def take(store: str, *paths: Path, **more: Any) -> Any:
    return judgebench.import_files(
        "arena-hard", paths, store=store, allow_unknown_items=True, **more
    )


def test_a_folder_of_both_kinds_of_files_comes_in_and_failures_are_no_losses(
    tmp_path: Path,
) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    data = tmp_path / "data" / "arena-hard-v2.0"
    written(data / "question.jsonl", {"uid": "q1", "category": "hard_prompt", "prompt": "?"})
    answers = [
        {"uid": item, "model": "m", "metadata": {"token_len": n},
         "messages": [{"role": "user", "content": "?"},
                      {"role": "assistant", "content": {"answer": text}}]}
        for item, n, text in (("q1", 7, "one\u2028two"), ("q2", 1, "$ERROR$"))
    ]  # fmt: skip
    written(data / "model_answer" / "m.jsonl", *answers)
    failed = {"score": "A>>B", "judgment": {"answer": "[[A>>B]]"},
              "prompt": [{"role": "user", "content": ERROR}]}  # fmt: skip
    written(
        data / "model_judgment" / "gpt-4" / "m.jsonl",
        new("q1", "A>>B", "A>B"),
        new("q2", "A>>B", "B>>A"),  # of the answer that failed
        new("q3", None, "B<A"),
        new("q4", failed, "A"),
        new("q5", "A=B", {"score": None, "judgment": {"answer": "$ERROR$"}, "prompt": []}),
    )
    done = typed("import", "arena-hard", data, "--store", store, "--allow-unknown-items")
    assert done.code == 0
    assert "1 answers (1 more are $ERROR$), 1 new" in done.err
    assert "10 verdicts, 10 new" in done.err
    with open_store(store) as results:
        said = results.verdicts("arena_hard", "v2.0")
        kept = results.responses_table("arena_hard", "v2.0")
    assert list(zip(kept["item_id"], kept["text"], kept["completion_tokens"], strict=True)) == [
        ("q1", "one\u2028two", 7)
    ]
    columns = (said[name] for name in ("item_id", "order", "label", "reason"))
    told = {
        (item, order): (label or "", reason or "")
        for item, order, label, reason in zip(*columns, strict=True)
    }
    assert told == {
        ("q1", "opponent_first"): ("A>>B", ""),
        ("q1", "model_first"): ("A>B", ""),
        ("q2", "opponent_first"): ("", FAILED_ANSWER),
        ("q2", "model_first"): ("", FAILED_ANSWER),
        ("q3", "opponent_first"): ("", NO_REPLY),
        ("q3", "model_first"): ("B<A", ""),
        ("q4", "opponent_first"): ("", FAILED_ANSWER),
        ("q4", "model_first"): ("", "'A' is no label of Arena-Hard"),
        ("q5", "opponent_first"): ("A=B", ""),
        ("q5", "model_first"): ("", FAILED_JUDGE),
    }
    (board,) = judgebench.leaderboard("arena_hard@v2.0", store=store).boards
    (row,) = board.rows
    # Version 2.0 counts q1 alone; version 0.1 also q3 and q5, whose other games cannot be read.
    assert row.leading.value == 100 * (0 * 3 + 1) / 4
    assert f"{WEIGHTED}/{BOTH_GAMES}" not in row.metrics
    assert row.metrics[f"{WEIGHTED}/{EACH_GAME}"].value == pytest.approx(100 * 2.5 / 6)
    # All ten games are counted: the null one is missing, as the six others that cannot be used.
    assert (row.metrics[WIN_RATE].n, row.metrics[WIN_RATE].missing) == (4, 6)
    assert (row.leading.n, row.leading.missing) == (2, 8)


def test_a_null_game_is_missing_until_it_is_played(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    lines = [new("q1", "A>B", None), new("q2", None, None), new("q3", "B>A", "A>B")]
    first = written(tmp_path / "first.jsonl", *lines)
    take(store, first)
    (board,) = judgebench.leaderboard("arena_hard@v2.0", store=store).boards
    (row,) = board.rows
    assert (row.metrics[WIN_RATE].n, row.metrics[WIN_RATE].missing) == (3, 3)
    assert (row.leading.n, row.leading.missing, row.leading.value) == (2, 4, 100.0)
    shown = " ".join(typed("leaderboard", "arena_hard@v2.0", "--store", store).out.split())
    assert "3 unreadable, 1 items read in one order only" in shown

    again = written(tmp_path / "again.jsonl", new("q1", "A>B", "A=B"), new("q2", None, "A>>B"))
    (done,) = take(store, again).values()
    assert (done.new, done.changed, done.known) == (2, 2, 2)
    (done,) = take(store, first).values()  # a null says nothing against what was played since
    assert (done.new, done.known) == (0, 6)
    (board,) = judgebench.leaderboard("arena_hard@v2.0", store=store).boards
    assert (board.rows[0].metrics[WIN_RATE].n, board.rows[0].metrics[WIN_RATE].missing) == (5, 1)
    both = take(f"sqlite:///{tmp_path}/b.db", first, again)  # in one import, no contradiction
    assert [(done.new, done.changed) for done in both.values()] == [(6, 0), (2, 2)]


def test_lines_of_another_version_are_refused_and_old_forms_are_of_the_older_one(
    tmp_path: Path,
) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    both = written(tmp_path / "both.jsonl", old("q1", "A>>B", None, baseline="gpt-4-0314"))
    with pytest.raises(InputError, match=r"both\.jsonl:1: category: this is a line of v0\.1"):
        take(store, both, benchmark="arena_hard@v2.0")
    newer = written(tmp_path / "new.jsonl", new("q1", "A>B", "A>B"))
    with pytest.raises(InputError, match=r"new\.jsonl:1: category: this is a line of v2\.0"):
        take(store, newer, benchmark="arena_hard@v0.1")
    with pytest.raises(InputError, match=r"torn\.jsonl:2"):
        torn = written(tmp_path / "torn.jsonl", new("q1", "A>B", "A>B"))
        torn.write_text(torn.read_text() + '{"uid": "q2", "ga')
        take(store, torn)
    with pytest.raises(InputError, match="games: two games have to stand here"):
        take(store, written(tmp_path / "one.jsonl", new("q1", "A>B")))
    with pytest.raises(InputError, match=r"no score called '\[A=B\]'.*A=B"):
        take(store, written(tmp_path / "x.jsonl", new("q1", "[A=B]", "A>B")))
    with pytest.raises(InputError, match=r"says preference 1 .*A>B.*about the same item"):
        take(store, newer, written(tmp_path / "twice.jsonl", new("q1", "B>A", "A>B")))
    take(store, both)
    with open_store(store) as results:
        said = results.verdicts("arena_hard", "v0.1")
    assert {one or "" for one in said["reason"]} == {"", NO_LABEL}


def test_failed_answers_are_counted_by_file_and_said_where_nothing_else_came(
    tmp_path: Path,
) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    texts = {"good": ["x", "y"], "bad": ["$ERROR$", "$ERROR$"]}
    for model, its in texts.items():
        lines = [
            {"uid": f"q{n}", "category": "hard_prompt", "model": model,
             "messages": [{"role": "assistant", "content": {"answer": text}}]}
            for n, text in enumerate(its)
        ]  # fmt: skip
        written(tmp_path / "model_answer" / f"{model}.jsonl", *lines)
    done = typed(
        "import", "arena-hard", tmp_path / "model_answer", "--store", store,
        "--allow-unknown-items",
    )  # fmt: skip
    assert done.code == 0
    assert "bad.jsonl: 0 answers (2 more are $ERROR$; import their judgments together" in done.err
    assert "good.jsonl: 2 answers, 2 new" in done.err


def test_verdicts_in_one_order_alone_say_what_is_lacking(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    lines = [new(f"q{n}", "A>B", None) for n in range(3)]
    take(store, written(tmp_path / "one.jsonl", *lines))
    (board,) = judgebench.leaderboard("arena_hard@v2.0", store=store).boards
    assert board.rows[0].leading.undefined == (
        "no item was read in both orders (a suite says orders: both)"
    )  # and not that the labels are unknown: they are known
    more = [new(f"p{n}", "A>B", "B>A") for n in range(3)]
    unread = new("r", "A>B", {"score": None, "judgment": {"answer": "?"}, "prompt": []})
    take(store, written(tmp_path / "more.jsonl", *more, unread))
    done = typed("leaderboard", "arena_hard@v2.0", "--store", store)
    assert "4 unreadable, 4 items read in one order only" in " ".join(done.out.split())
    assert "the weighted win rate leaves these items out" in " ".join(done.out.split())


def test_a_panel_says_why_it_has_no_weighted_win_rate(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    lines = [
        old(f"q{n}", first, "A>B") | {"judge": judge}
        for n in range(3)
        for judge, first in (("one", "A>>B"), ("two", "B>A"))
    ]
    take(store, written(tmp_path / "two.jsonl", *lines), baseline="b")
    found = judgebench.leaderboard("arena_hard@v0.1", store=store, panels="mean(one,two)").boards
    alone = [board for board in found if board.metric == WEIGHTED]
    (panel,) = (board for board in found if board not in alone)
    assert [board.judge for board in alone] == ["one", "two"]
    assert not any("no weighted win rate" in note for board in alone for note in board.notes)
    assert any("no weighted win rate: what a panel says" in note for note in panel.notes)
    assert not any("import" in note for note in panel.notes)


def test_verdicts_that_a_store_keeps_without_labels_have_them_once_imported_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    file = written(tmp_path / "m.jsonl", new("q1", "A>>B", "A>B"), new("q2", "B>A", "A=B"))
    with monkeypatch.context() as before:  # as imports were before stores kept labels
        unlabelled = {said: replace(one, label=None) for said, one in ARENA_HARD.items()}
        before.setattr("judgebench.exchange.arena_hard.arena_hard_verdict", unlabelled.get)
        take(store, file)
    (board,) = judgebench.leaderboard("arena_hard@v2.0", store=store).boards
    assert board.metric == WIN_RATE
    assert any("no weighted win rate" in note for note in board.notes)
    done = typed("import", "arena-hard", file, "--store", store, "--allow-unknown-items")
    assert "4 verdicts, 4 new (4 changed), 0 known already" in done.err
    (board,) = judgebench.leaderboard("arena_hard@v2.0", store=store).boards
    assert board.metric == WEIGHTED
    assert board.rows[0].leading.value == pytest.approx(100 * (0 + 1 + 1 + 0.5) / 6)
    assert board.notes == ()
    done = typed("import", "arena-hard", file, "--store", store, "--allow-unknown-items")
    assert "4 verdicts, 0 new, 4 known already" in done.err


# prompts ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def official() -> Any:
    if not GOLD.is_dir():
        pytest.skip("the gold data is not here")
    return json.loads((GOLD / "official_prompts.json").read_text(encoding="utf-8"))


def judged(benchmark: str, official: Any, category: str) -> tuple[Any, Case]:
    texts = {
        "system": official["system_prompts"]["hard_prompt"],
        "system_creative": official["system_prompts"]["creative_writing"],
        "user": official["prompt_template"],
    }
    task = load_benchmark("arena_hard_mini")
    item = next(one for one in task.data.items if one.category == category)
    options = {"templates": benchmark}
    judge = KINDS["templates"].make(
        JudgeSettings(
            model="gpt-4.1",
            provider="openai",
            options=options,
            prompts={name: PromptText(name=name, text=text, official=True)
                     for name, text in texts.items()},
            content=load_benchmark("arena_hard_mini").judging_content,
        )
    )  # fmt: skip
    answers = [
        Response(benchmark=item.benchmark, version=item.version, item_id=item.id,
                 model_key=b"", text=text, raw=text)
        for text in ("{QUESTION} first", "second {ANSWER_A}")
    ]  # fmt: skip
    return judge, Case(item=item, responses=tuple(answers))


@pytest.mark.parametrize("category", ["hard_prompt", "creative_writing"])
def test_prompts_are_upstreams_byte_for_byte(official: Any, category: str) -> None:
    judge, case = judged("v2.0", official, category)
    request = next(judge.judge(case))
    system, user = (message.content for message in request.messages)
    assert system == official["system_prompts"][category]
    wanted = official["prompt_template"]
    pieces = {"QUESTION": case.item.question, "ANSWER_A": "{QUESTION} first",
              "ANSWER_B": "second {ANSWER_A}"}  # fmt: skip
    assert user == wanted.format(**pieces)
    assert dict(request.decoding) == {"temperature": 0, "max_tokens": 16000}
    assert judge.spec.official_prompt


def test_the_official_texts_are_known_by_their_hashes(official: Any, tmp_path: Path) -> None:
    its = official_judging(find("arena_hard_mini")[0]).official
    texts = {
        "system": official["system_prompts"]["hard_prompt"],
        "system_creative": official["system_prompts"]["creative_writing"],
        "user": official["prompt_template"],
    }
    assert {n: one.sha256 for n, one in its.items()} == {
        n: hashlib.sha256(text.encode()).hexdigest() for n, text in texts.items()
    }
    config = tmp_path / "arena-hard-v2.0.yaml"
    said = json.dumps(texts["user"])
    config.write_text(f"judge_model: gpt-4.1\nprompt_template: {said}\nbad: [1, 2]\n")
    assert texts["user"] in read_texts(config).found.values()
    config.write_text("a: [")
    with pytest.raises(InputError, match="cannot be read as prompts"):
        read_texts(config)


def test_version_0_1_tries_once_more_in_the_same_dialogue(official: Any) -> None:
    judge, case = judged("v0.1", official, "hard_prompt")
    talk = judge.judge(case)
    first = next(talk)
    assert first.decoding["max_tokens"] == 4096
    second = talk.send(Reply(text="I think [A>B]", finish_reason="stop"))
    assert [message.role for message in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[-1].content == official["retry_message_v0_1"]
    with pytest.raises(StopIteration) as end:
        talk.send(Reply(text="so [[B>>A]]", finish_reason="stop"))
    assert end.value.value == Preference(winner=1, p_first=0.0, label="B>>A")
    talk = judge.judge(case)
    next(talk)
    with pytest.raises(StopIteration) as end:  # two labels: no second try
        talk.send(Reply(text="[[A>B]] or [[B>A]]", finish_reason="stop"))
    assert isinstance(end.value.value, Unreadable)


# upstream's own files -----------------------------------------------------------------------------

PINS = {
    "v0.1": "2650242d2883f22b2abd498f273b6a7e02253cce533f5c91a858e1d44aa3002f",
    "v2.0": "a75cef6623db6b27aec810497b059f0659705d7ff48dcbccc5bd5b130728ac73",
}


@pytest.mark.parametrize("version", PINS)
def test_upstreams_files_are_what_is_pinned(official: Any, version: str, tmp_path: Path) -> None:
    """`question.jsonl` made of the gold table is upstream's byte for byte, U+2028 and all."""
    from pyarrow import parquet

    del official
    rows = parquet.read_table(GOLD / f"questions_{version}.parquet").to_pylist()
    finer = "cluster" if version == "v0.1" else "subcategory"
    lines = [
        json.dumps({name: row[name] for name in ("uid", "category", finer, "prompt")},
                   ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
        for row in rows
    ]  # fmt: skip
    data = "".join(f"{line}\n" for line in lines).encode()
    assert hashlib.sha256(data).hexdigest() == PINS[version]
    (tmp_path / "question.jsonl").write_bytes(data)
    baseline = {"v0.1": "gpt-4-0314", "v2.0": "o3-mini-2025-01-31"}[version]
    answers = parquet.read_table(
        GOLD / "answers.parquet", filters=[("model", "=", baseline)]
    ).to_pylist()
    old_form = version == "v0.1"
    written(
        tmp_path / "model_answer" / f"{baseline}.jsonl",
        *(
            {"question_id": one["uid"], "model_id": baseline,
             "choices": [{"turns": [{"content": one["answer"], "token_len": one["token_len"]}]}]}
            if old_form
            else {"uid": one["uid"], "model": baseline,
                  "messages": [{"role": "assistant", "content": {"answer": one["answer"]}}]}
            for one in answers
        ),
    )  # fmt: skip
    description, folder = find("arena_hard")
    content = read_source(folder, tmp_path / "question.jsonl")  # the answers lie beside it
    assert content is not None
    assert content.sha == description.versions[version].sha256
    assert {row["model"] for row in content.baseline} == {baseline}
    assert any("\u2028" in row["question"] for row in content.items) == (version == "v2.0")


def test_boards_of_two_judges_are_two_and_only_the_published_one_is_compared(
    tmp_path: Path,
) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    lines = [
        {**new(f"q{n}", "A>B", "A>>B", baseline="o3-mini-2025-01-31"),
         "model": model, "judge": judge}
        for judge in ("gpt-4.1", "gemini-2.5")
        for model in ("gemini-2.5", "o3-2025-04-16")
        for n in range(3)
    ]  # fmt: skip
    take(store, written(tmp_path / "m.jsonl", *lines))
    found = judgebench.leaderboard("arena_hard@v2.0", store=store, published=True).boards
    assert [board.judge for board in found] == ["gemini-2.5", "gpt-4.1"]
    scores = {}
    for board in found:
        assert board.published is not None
        assert board.published.reference.judge == board.judge
        assert {one.reference.judge for one in board.beside if one.because is not None} == {
            "gemini-2.5", "gpt-4.1", "gpt-4.1 + gemini-2.5"
        } - {board.judge}  # fmt: skip
        (row,) = [row for row in board.rows if row.model == "gemini-2.5"]
        scores[board.judge] = row.published["style_controlled_win_rate/v2.0"]
    assert scores == {"gemini-2.5": 79.0, "gpt-4.1": 49.1}


@pytest.mark.usefixtures("forked")
@pytest.mark.slow
@pytest.mark.hf
@pytest.mark.skipif(find_spec("torch") is None, reason="needs judgebench-harness[hf]")
def test_a_local_model_answers_and_is_compared(tmp_path: Path) -> None:
    """The suite's own model, with random weights: it is judged like any other."""
    tiny = save_causal(tmp_path / "tiny", max_position_embeddings=1024)
    text = SUITE.read_text(encoding="utf-8").replace("${DEMO_MODEL}", str(tiny))
    text = text.replace("max_gen_toks: 96", "max_gen_toks: 8").replace("../tasks", f"{ROOT}/tasks")
    (tmp_path / "suite.yaml").write_text(text.replace("orders: both}", "orders: both, limit: 9}"))
    store = f"sqlite:///{tmp_path}/s.db"
    outcome = judgebench.run(
        tmp_path / "suite.yaml", store=store, models="smollm2-135m", progress=NoProgress()
    )
    assert (outcome.generated, outcome.judged, outcome.failed) == (9, 18, 0)
    found = judgebench.leaderboard("arena_hard_mini", store=store, rank_suspicious=True).boards
    assert {board.opponent: board.rows[0].leading.n for board in found} == {
        "baseline-creative": 2, "baseline-hard": 16
    }  # fmt: skip
