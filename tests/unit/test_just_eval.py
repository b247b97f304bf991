"""just-eval: its data, prompts, readers, boards and imports, held against what upstream has."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from judgebench.benchmarks.data import import_data, keep_prompts
from judgebench.benchmarks.description import find
from judgebench.benchmarks.folder import load_benchmark
from judgebench.columns import marked
from judgebench.columns import taken as rows_of
from judgebench.errors import InputError
from judgebench.exchange.formats import read_files
from judgebench.judges.readers.upstream import ASPECTS, SAFETY, needs_repair, read_aspects
from judgebench.judges.templates import KINDS
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measures import Balance
from judgebench.metrics.paired import before_and_after, compare, item_weights, paired_models
from judgebench.metrics.scores import scores
from judgebench.metrics.shared_draws import shared_draws
from judgebench.protocols import JudgeSettings
from judgebench.records import Case, ChatRequest, Reply, Response, Score, Unreadable
from judgebench.reports.compare import comparison
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.model_pairs import PairData
from judgebench.reports.reproduce import reproduce
from judgebench.reports.reproduce.just_eval import LEFT_OUT
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from perf.just_eval_coverage import columns_of, population, simulate
from tests.table import over_rows

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "just_eval"
SCORES = {name: {"reason": "why", "score": "4"} for name in ASPECTS}
GPT = "gpt-3.5-turbo-0301"
JUDGE, OTHER = "gpt-4-1106-preview", "gpt-3.5-turbo-0613"

pytestmark = pytest.mark.skipif(
    not (GOLD / "README.md").exists(), reason="the gold data (../shared/gold/just_eval) is not here"
)


def rows(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(GOLD / f"{name}.parquet").to_pylist()
    return found


@pytest.fixture(scope="module")
def judgments() -> list[dict[str, Any]]:
    return rows("judgments")


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLD / "expected.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data home with both versions and the official texts."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUDGEBENCH_DATA", str(folder))
        for version in ("1", "lite"):
            import_data(f"just_eval@{version}", GOLD / "items.parquet")
        official = json.loads((GOLD / "official_prompts.json").read_text(encoding="utf-8"))
        texts = folder / "texts.json"
        system = "You are an AI assistant that helps people find information."
        prefixes = official["urial"]["prefixes"]
        told = {**official["prompts"], **prefixes, "system": system}
        texts.write_text(json.dumps(told), encoding="utf-8")
        assert len(keep_prompts(find("just_eval")[0], [texts])) == 9
        yield folder


def as_upstream(row: dict[str, Any], items: dict[int, str]) -> dict[str, Any]:
    """A record as just-eval's scripts write it."""
    return {
        "id": row["id"],
        "input": items[row["id"]],
        "output_cand": row["output"],
        "generator_cand": row["model"],
        "eval_config": {"mode": f"score_{row['kind']}", "gpt": row["judge"], "max_words": -1},
        "result": row["reply"],
    }


@pytest.fixture(scope="module")
def store(
    home: Path, judgments: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """All 2,600 judgments, in a list for each judge and part as upstream has them."""
    folder = tmp_path_factory.mktemp("store")
    items = {row["id"]: row["instruction"] for row in rows("items")}
    for judge in (JUDGE, OTHER):
        its = [as_upstream(row, items) for row in judgments if row["judge"] == judge]
        (folder / f"{judge}.json").write_text(json.dumps(its), encoding="utf-8")
    with open_store(f"sqlite:///{folder}/store.db") as opened:
        for one in read_files("just-eval", [folder / f"{judge}.json" for judge in (JUDGE, OTHER)]):
            one.take_in(opened)
        yield opened


def test_both_versions_are_what_is_pinned(home: Path, expected: dict[str, Any]) -> None:
    whole, lite = (load_benchmark(f"just_eval@{version}").data.items for version in ("1", "lite"))
    counts = expected["counts"]
    assert [sum(one.category == part for one in whole) for part in ("regular", "safety")] == [
        counts["multi"],
        counts["safety"],
    ]
    assert [sum(one.category == part for one in lite) for part in ("regular", "safety")] == [
        counts["lite_multi"],
        counts["lite_safety"],
    ]


def test_every_prompt_is_upstreams_byte_for_byte(
    home: Path, judgments: list[dict[str, Any]]
) -> None:
    benchmark = load_benchmark("just_eval")
    judge = KINDS["templates"].make(
        JudgeSettings(
            model="m", provider="p", content=benchmark.judging_content, prompts=benchmark.prompts
        )
    )
    assert judge.spec.official_prompt is True
    assert judge.spec.sampling == {"temperature": 0, "max_tokens": 1024}
    items = {item.id: item for item in benchmark.data.items}
    for row in judgments:
        answer = Response(
            benchmark="just_eval", version="1", item_id=str(row["id"]), model_key=b"m",
            text=row["output"], raw=row["output"],
        )  # fmt: skip
        item = items[str(row["id"])]
        request = next(judge.judge(Case(item=item, responses=(answer,), fields=judge.fields(item))))  # type: ignore[misc]
        assert isinstance(request, ChatRequest)
        system, user = request.messages
        assert system.content == benchmark.prompts["system"].text
        assert hashlib.sha256(user.content.encode()).hexdigest() == row["prompt_sha256"]


def test_every_reply_is_read_as_it_stands(judgments: list[dict[str, Any]]) -> None:
    for row in judgments:
        names = ASPECTS if row["kind"] == "multi" else SAFETY
        found = read_aspects(Reply(text=row["reply"]), names)
        assert isinstance(found, Score)
        assert not needs_repair(Reply(text=row["reply"]))
        assert dict(found.parts) == {n: float(row[n]) for n in names if row[n] != "N/A"}


@over_rows(
    ("text", "mended"),
    [
        (json.dumps(SCORES), False),
        (f"```json\n{json.dumps(SCORES)}\n```", False),
        (f"Here are my scores:\n```\n{json.dumps(SCORES)}\n```\nDone.", True),
        (json.dumps(SCORES).replace("why", 'it says "no" and\n\\alpha'), True),
        (json.dumps({**SCORES, "depth": 4, "tone": 1}), False),
        (json.dumps(SCORES).replace('"4"', "4.0"), False),
    ],
)
def test_what_is_no_json_is_mended_and_said_to_be(text: str, mended: bool) -> None:
    found = read_aspects(Reply(text=text), ASPECTS)
    assert found == Score(value=4, low=1, high=5, parts=dict.fromkeys(ASPECTS, 4.0))
    assert needs_repair(Reply(text=text)) is mended


def test_an_aspect_that_does_not_apply_is_left_out() -> None:
    said = {**SCORES, "factuality": {"reason": "a story", "score": "N/A"}, "depth": "2"}
    found = read_aspects(Reply(text=json.dumps(said)), ASPECTS)
    assert isinstance(found, Score)
    assert found.value == 3.5
    assert "factuality" not in found.parts


@over_rows(
    ("said", "reason"),
    [
        (
            {**SCORES, "depth": ["score"]},
            "not the JSON that was asked for: the score of 'depth' is no number",
        ),
        (
            {**SCORES, "depth": [["score", 1]]},
            "not the JSON that was asked for: the score of 'depth' is no number",
        ),
        ({"helpfulness": "3"}, "not the JSON that was asked for: no score of 'clarity'"),
        ({**SCORES, "depth": {"reason": "…", "score": "6"}}, "a score outside 1 to 5"),
        (
            {**SCORES, "depth": {"reason": "…", "score": "high"}},
            "not the JSON that was asked for: the score of 'depth' is no number",
        ),
        (
            {**SCORES, "depth": {"reason": "…"}},
            "not the JSON that was asked for: no score of 'depth'",
        ),
        ({**SCORES, "depth": True}, "a score outside 1 to 5"),
        ({**SCORES, "depth": 10**400}, "a score outside 1 to 5"),
        (dict.fromkeys(ASPECTS, "N/A"), "nothing applies"),
    ],
)
def test_what_states_no_scores_is_unreadable(said: Any, reason: str) -> None:
    assert read_aspects(Reply(text=json.dumps(said)), ASPECTS) == Unreadable(reason=reason)


def test_two_objects_and_two_scores_state_nothing() -> None:
    one = json.dumps({"safety": {"reason": "…", "score": "1"}})
    assert isinstance(read_aspects(Reply(text=f"{one}\n{one}"), SAFETY), Unreadable)
    twice = one.replace('"score": "1"', '"score": "1", "score": "5"')
    assert read_aspects(Reply(text=twice), SAFETY) == Unreadable(reason="two verdicts")
    cut = Reply(text=one, finish_reason="length")
    assert isinstance(read_aspects(cut, SAFETY), Unreadable)


@settings(max_examples=60)
@given(st.text() | st.from_regex(r'[{}\[\]",:`\\ N/A0-9.]{0,40}') | st.just('{"safety":' * 5000))
def test_any_reply_is_a_score_on_the_scale_or_unreadable(text: str) -> None:
    found = read_aspects(Reply(text=text), SAFETY)
    assert isinstance(found, Unreadable) or 1 <= found.value <= 5  # type: ignore[union-attr]


def test_the_board_is_upstreams_and_says_what_does_not_apply(
    store: Store, expected: dict[str, Any]
) -> None:
    boards = {
        b.judge: b for b in leaderboards(store, "just_eval", intervals=Intervals(n_replicates=50))
    }
    (row,) = boards[JUDGE].rows
    its, multi = row.metrics, expected["models"][GPT][JUDGE]["multi"]
    sides = {**multi, **expected["models"][GPT][JUDGE]["safety"]}
    for name in (*ASPECTS, *SAFETY):
        found = its[f"score/{name}"]
        assert found.value == pytest.approx(sides[name]["without_na"], abs=1e-9)
        assert (found.n, found.missing) == (
            sum(n for of, n in sides[name]["counts"].items() if of != "N/A"),
            0,
        )
    for name, of in (("score/official", "official_na_as_5"), ("score/lowest", "na_as_1")):
        mean = sum(sides[one][of] for one in (*ASPECTS, *SAFETY)) / 6
        assert its[name].value == pytest.approx(mean, abs=1e-9)
    by_aspect = sum(sides[one]["without_na"] for one in (*ASPECTS, *SAFETY)) / 6
    assert its["score"].value == pytest.approx(by_aspect, abs=1e-9)
    whole = expected["gpt_3_5_turbo_0301_by_gpt_4_1106"]
    assert its["score/official"].value == pytest.approx(whole["average_of_six"], abs=1e-9)
    assert row.counts["not_applicable"] == 43
    score = its["score"]
    assert [score.worst_low, score.worst_high] == pytest.approx([score.value, score.value])
    assert its["avg_words"].value == pytest.approx(multi["avg_words"], abs=1e-9)
    for groups in whole["helpfulness_by"].values():
        for group, (mean, n) in groups.items():
            found = its[f"score/helpfulness/{group}"]
            assert found.value == pytest.approx(mean, abs=1e-9)
            assert found.n == n
    safety = {one.model: one.metrics["score/safety"].value for one in boards[OTHER].rows}
    assert safety == pytest.approx(
        {
            model: its[OTHER]["safety"]["safety"]["without_na"]
            for model, its in expected["models"].items()
            if OTHER in its
        },
        abs=1e-9,
    )


@pytest.fixture(scope="module")
def two_models(
    home: Path, judgments: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Two models on 60 instructions and 20 of safety, with aspects that do not apply."""
    path = tmp_path_factory.mktemp("two") / "judged.json"
    items = {row["id"]: row["instruction"] for row in rows("items")}
    told = []
    for kind, n, size in (("multi", 90, 60), ("safety", 110, 20)):
        its = [row for row in judgments if (row["judge"], row["kind"]) == (JUDGE, kind)]
        # A complete model's own judgments, and those of its other answers for a second model.
        silent = [row for row in its[n:] if "N/A" in row["reply"]]
        others = [*silent, *(row for row in its[n:] if row not in silent)][:size]
        told += [as_upstream(row, items) for row in its[:size]]
        told += [
            as_upstream({**row, "model": "second", "reply": other["reply"]}, items)
            for row, other in zip(its[:size], others, strict=True)
        ]
    path.write_text(json.dumps(told), encoding="utf-8")
    with open_store(f"sqlite:///{path.parent}/store.db") as opened:
        for one in read_files("just-eval", [path]):
            one.take_in(opened)
        yield opened


def test_two_models_differ_as_their_boards_do_with_aspects_that_do_not_apply(
    two_models: Store,
) -> None:
    data = PairData(two_models, "just_eval")
    (board,) = leaderboards(two_models, "just_eval", intervals=Intervals(n_replicates=20))
    its = {row.model: row.metrics for row in board.rows}
    assert {row.model: row.counts["not_applicable"] for row in board.rows}["second"] > 20
    names = ["score", *(f"score/{name}" for name in (*ASPECTS, *SAFETY))]
    found = {one.metric: one for one in comparison(two_models, "second", GPT, metrics=names).tests}
    assert found.keys() == {*names}
    for name, one in found.items():
        mine, theirs = its["second"][name], its[GPT][name]
        assert one.difference.value == pytest.approx(mine.value - theirs.value, abs=1e-9)
        assert (one.candidate_value, one.baseline_value) == pytest.approx(
            (mine.value, theirs.value), abs=1e-9
        )
        # What does not apply is neither missing nor a verdict.
        assert (one.difference.n, one.difference.missing) == (mine.n + theirs.n, 0)
    assert found["score/factuality"].difference.n < 120
    ((kind, verdicts),) = data.board.verdicts.items()
    first, second = (
        {name: list(rows_of(column, np.flatnonzero(marked(verdicts["model"], model.__eq__))))
         for name, column in verdicts.items()}
        for model in (GPT, "second")
    )  # fmt: skip
    moved = before_and_after(
        first, second, set(verdicts["item_id"]), kind, JUDGE, labels=(), balance=data.board.balance
    )
    assert moved.difference.value == pytest.approx(found["score"].difference.value, abs=1e-9)
    assert (moved.first.value, moved.second.value) == pytest.approx(
        (its[GPT]["score"].value, its["second"]["score"].value), abs=1e-9
    )
    (alone,) = comparison(two_models, "second", GPT, metrics=["score"]).tests
    ends = alone.difference
    assert (moved.difference.low, moved.difference.high) == pytest.approx((ends.low, ends.high))
    curve = shared_draws(
        verdicts, kind, board.judge, ["second"], labels=(), balance=data.board.balance,
        intervals=Intervals(n_replicates=20),
    )  # fmt: skip
    assert curve.estimates[0].value == pytest.approx(its["second"]["score"].value, abs=1e-9)


def test_a_verdict_that_is_missing_has_its_worst_case_in_every_part(two_models: Store) -> None:
    data = PairData(two_models, "just_eval")
    ((kind, verdicts),) = data.board.verdicts.items()
    gone = np.flatnonzero(marked(verdicts["model"], "second".__eq__))[0]
    lost = {name: [*column] for name, column in verdicts.items()}
    lost["kind"][gone], lost["value"][gone] = "unreadable", None
    for aspect in ASPECTS:
        lost[f"score/{aspect}"][gone] = math.nan
    whole, one_less = (
        paired_models(
            its, kind, JUDGE, "second", GPT, labels=(), balance=data.board.balance
        ) for its in (verdicts, lost)
    )  # fmt: skip
    assert (whole.missing.tolist(), one_less.missing.tolist()) == ([0, 0], [1, 0])
    tests = compare(one_less, alpha=0.025)
    assert tests.worst is not None and tests.best is not None
    known = compare(whole, alpha=0.025).observed.difference
    assert tests.worst.difference < known < tests.best.difference


def test_intervals_of_the_mean_of_aspects_hold_and_there_are_none_of_few_items() -> None:
    """`perf/just_eval_coverage.py` measures closely."""
    said = population(silent=False)
    held = simulate(said, 350, 10)
    assert min(held.values()) >= 0.6 and sum(held.values()) >= 3.4
    few = said[[*range(60), *range(960, 1000)]]
    columns, balance = columns_of(few)
    (row, _) = scores(columns, balance=balance, intervals=Intervals(n_replicates=20))
    its = row.metrics["score"]
    assert math.isnan(its.low) and its.method == "no interval: too few items of a part"
    assert not math.isnan(row.metrics["score/factuality"].low)


def test_an_aspect_that_applies_to_no_answer_is_not_the_mean_of_the_others(
    home: Path, tmp_path: Path
) -> None:
    """As long as other aspects were rated; a judge without aspects has its own scores alone."""
    items = {row["id"]: row["instruction"] for row in rows("items")}
    reply = {**dict.fromkeys(ASPECTS, "4"), "factuality": "N/A", "depth": "2"}
    row = {"id": 0, "model": "m", "output": "…", "judge": "gpt-4"}
    told = [
        as_upstream({**row, "kind": "multi", "reply": json.dumps(reply)}, items),
        as_upstream({**row, "kind": "safety", "id": 900, "reply": '{"safety": "5"}'}, items),
    ]
    (tmp_path / "one.json").write_text(json.dumps(told), encoding="utf-8")
    with open_store(f"sqlite:///{tmp_path}/one.db") as store:
        for one in read_files("just-eval", [tmp_path / "one.json"]):
            one.take_in(store)
        (board,) = leaderboards(store, "just_eval", intervals=Intervals(n_replicates=20))
    (found,) = board.rows
    shown = {name: of.value for name, of in found.metrics.items() if not math.isnan(of.value)}
    assert (shown["score/clarity"], shown["score/depth"], shown["score/safety"]) == (4, 2, 5)
    assert not {"score", "score/factuality"} & {*shown}
    assert shown["score/official"] == pytest.approx((4 + 4 + 5 + 2 + 4 + 5) / 6)
    assert found.counts["not_applicable"] == 1
    why = "no score of factuality, which counts as much as any other"
    assert found.metrics["score"].undefined == why


def test_a_category_on_several_sides_counts_on_each() -> None:
    balance = Balance(
        category_of={"a": "regular", "b": "safety"},
        sides={"depth": ["regular"], "clarity": ["regular"], "safety": ["safety"]},
    )
    weight, _ = item_weights(["a", "b", "c"], balance)
    assert weight.tolist() == pytest.approx([2 / 3, 1 / 3, 0])


def test_every_figure_is_reproduced_but_for_what_does_not_apply() -> None:
    (found,) = reproduce(["just_eval"], intervals=Intervals(n_replicates=20)).found
    apart = {(one.who, one.metric, one.because) for one in found.figures if not one.agrees}
    assert apart == {(GPT, name, LEFT_OUT) for name in ("factuality", "depth")}
    compared = sum(one.theirs is not None for one in found.figures)
    assert compared == 228
    figures = Path(__file__).resolve().parents[2] / "tasks" / "just_eval" / "figures"
    assert (figures / "expected.json").read_bytes() == (GOLD / "expected.json").read_bytes()


def answer(id_: int, **changes: Any) -> dict[str, Any]:
    record = {
        "id": id_, "input": "Q\u2028?", "output_cand": "A\u2028.", "generator_cand": "m",
        "eval_config": {"mode": "score_safety", "gpt": "j", "max_words": -1},
        "result": json.dumps({"safety": {"reason": "…", "score": "5"}}),
    }  # fmt: skip
    return record | changes


def test_records_half_written_and_of_both_forms_are_taken_in(tmp_path: Path) -> None:
    path = tmp_path / "judged.json"
    told = [
        answer(3),
        answer(4, result="N/A"),
        answer(5, output_cand="", result='{"safety": 1'),
    ]
    path.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    plain = tmp_path / "plain.jsonl"
    lines = ({"instruction": "Q", "output": f"{n}", "generator": "old"} for n in range(2))
    plain.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    with open_store(f"sqlite:///{tmp_path}/s.db") as store:
        for _ in range(2):
            read = read_files(
                "just-eval", [path, plain], allow_unknown_items=True, known_items=lambda *_: None
            )
            reports = [one.take_in(store) for one in read]
        assert [one.new for one in reports] == [0, 0, 0]
        assert reports[1].warnings[-1] == "1 record without a result (N/A): not judged yet"
        answers = store.responses_table("just_eval", "1")
        found = set(zip(answers["model"], answers["item_id"], answers["text"], strict=True))
        assert ("m", "3", "A\u2028.") in found
        assert {("old", "0", "0"), ("old", "1", "1"), ("m", "5", "")} < found
        said = store.verdicts("just_eval")
        assert dict(zip(said["item_id"], said["kind"], strict=True)) == {
            "3": "score",
            "5": "unreadable",
        }


@over_rows(
    ("told", "fault"),
    [
        ([answer(0)], "input: .* is not the instruction 0 of just_eval"),
        ([answer(0, output_cand=None)], "output_cand: a text has to stand here, not None"),
        ([answer(7000)], "'7000' is no item of just_eval@1"),
        (
            [{"id": 7000, "instruction": "Q", "output": "A", "generator": "m"}],
            "'7000' is no item of just_eval@1",
        ),
        ([answer(0, eval_config={"mode": "score_safty", "gpt": "j"})], "did you mean 'score_s"),
        ([answer(0, eval_config={"mode": "score_safety"})], "eval_config: gpt: "),
        (
            [answer(0), answer(0, output_cand="other")],
            "row 2: item_id: a second, different answer",
        ),
        ([answer(0), answer(0, result='{"safety": "1"}')], "value: score 1.* says score 5"),
    ],
)
def test_what_cannot_be_used_names_the_record(
    home: Path, tmp_path: Path, told: list[dict[str, Any]], fault: str
) -> None:
    path = tmp_path / "judged.json"
    if "is not the instruction" not in fault:
        first = load_benchmark("just_eval").data.items[0].question
        told = [one | ({"input": first} if one["id"] == 0 else {}) for one in told]
    path.write_text(json.dumps(told), encoding="utf-8")
    with (
        pytest.raises(InputError, match=fault),
        open_store(f"sqlite:///{tmp_path}/s.db") as store,
    ):
        for one in read_files("just-eval", [path]):
            one.take_in(store)
