"""JudgeBench, RewardBench, XSTest, MT-Bench's votes: data, files, boards, what is refused."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

import judgebench
from judgebench import registry
from judgebench.benchmarks.data import data_home, import_data, read_source
from judgebench.benchmarks.folder import load_benchmark
from judgebench.benchmarks.pull import pull
from judgebench.errors import InputError, UsageError
from judgebench.exchange.formats import read_files
from judgebench.exchange.tables import import_labels
from judgebench.judges.readers.brackets import read_brackets
from judgebench.metrics.judge_accuracy import judge_accuracies, right_pairs
from judgebench.records import REFUSAL_CLASSES, Estimate, Preference, Reply, Verdict
from judgebench.reports.agreement import columns_of
from judgebench.reports.boards import benchmark_ref
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.file_host import FileHost
from tests.table import over_rows
from tests.unit.pulled import Noted

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold"
UNKNOWN = {"allow_unknown_items": True}
LETTERS = {0: "A>B", 1: "B>A", None: "A=B"}

Record = dict[str, Any]


def gold(name: str) -> Path:
    if not (GOLD / name / "README.md").exists():
        pytest.skip(f"the gold data (../shared/gold/{name} beside the repository) is not here")
    return GOLD / name


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


def written(path: Path, *records: Record) -> Path:
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def take(store: Store, what: str, *paths: Path, **options: Any) -> int:
    return sum(take_in(store).new for _, take_in in read_files(what, paths, **options))


def accuracies(store: Store, benchmark: str, **asked: Any) -> dict[str, Mapping[str, Estimate]]:
    found = judgebench.agreement(benchmark, store=store, **asked)
    return {row.judge: row.metrics for row in found.accuracies}


def verdicts(store: Store, benchmark: str) -> dict[tuple[Any, ...], Any]:
    table = store.verdicts(benchmark)
    names = ("item_id", "model", "judge", "order")
    said = zip(table["kind"], table["label"], table["value"], strict=True)
    return dict(
        zip(
            zip(*(table[name] for name in names), strict=True),
            ((kind, label if kind == "label" else value) for kind, label, value in said),
            strict=True,
        )
    )


# JudgeBench ---------------------------------------------------------------------------------------


def pair(n: int = 0, **more: Any) -> Record:
    return {
        "pair_id": f"p{n}", "original_id": n, "source": "livecodebench", "question": f"Q{n}\u2028?",
        "response_model": "gpt-4o-2024-05-13", "response_A": "a", "response_B": "b\u2028b",
        "label": "A>B", **more,
    }  # fmt: skip


def game(decision: str | None, **more: Any) -> Record:
    return {"judgment": {"judge_model": "j", "response": f"[[{decision}]]", **more},
            "decision": decision}  # fmt: skip


def judged(n: int, *games: Record | None, **more: Any) -> Record:
    return {**pair(n), "judge_name": "arena_hard", "judgments": [*games], **more}


@pytest.fixture
def standin(tmp_path: Path, home: Path) -> Any:
    """judgebench_pairs in another folder, pulled from a stand-in of upstream, without a pin."""
    lines = [json.dumps(pair(n), ensure_ascii=False) for n in range(3)]
    with FileHost({"pairs_gpt-4o.jsonl": "\n".join(lines).encode() + b"\n"}) as host:
        tasks, name = tmp_path / "tasks", "judgebench_pairs"
        shutil.copytree(registry.tasks_root() / name, tasks / name)
        file = tasks / name / "benchmark.toml"
        text = re.sub(r"(?m)^sha256 = .*\n|^items = .*\n|^save_as = .*\n", "", file.read_text())
        file.write_text(re.sub(r'url = ".*"', f'url = "{host.url}/pairs_gpt-4o.jsonl"', text))
        registry.include([tasks])
        yield host


def test_pairs_are_pulled_and_their_judges_measured(standin: FileHost, tmp_path: Path) -> None:
    state = pull("judgebench_pairs", Noted())
    assert (state.state, state.items) == ("ready", 3)
    items = load_benchmark("judgebench_pairs").data.items
    assert [(item.id, item.category) for item in items] == [(f"p{n}", "coding") for n in range(3)]
    assert items[0].question == "Q0\u2028?"
    brought = load_benchmark("judgebench_pairs").data.brought
    assert brought is not None
    assert brought.models == ("response_A",)
    file = written(
        tmp_path / "j.jsonl",
        judged(0, game("A>B"), game("A=B")),
        judged(1, game("A>B"), game("A>B")),
        judged(2, game("B>A"), None),
    )
    with open_store(f"sqlite:///{tmp_path / 's.db'}") as store:
        assert take(store, "judge-bench", file) == 6
        assert take(store, "judge-bench", file) == 0
        assert brought.labels is not None
        import_labels(store, brought.labels, about=("judgebench_pairs", "gpt-4o"))
        ((judge, found),) = accuracies(store, "judgebench_pairs").items()
        assert judge == "j (arena_hard)"
        assert {name: (one.value, one.n) for name, one in found.items()} == {
            "accuracy": (1 / 3, 3), "accuracy/coding": (1 / 3, 3),
        }  # fmt: skip
        said = verdicts(store, "judgebench_pairs")
        assert said["p1", "response_A", judge, "opponent_first"] == ("preference", 0.0)
        assert said["p2", "response_A", judge, "opponent_first"][0] == "unreadable"


@over_rows(
    ("record", "message"),
    [
        (judged(0, game("A>>B"), None), r"j\.jsonl:1: judgments: no decision called 'A>>B'"),
        (judged(0, game("1"), None), r"j\.jsonl:1: judgments: no decision called '1'"),
        ({**judged(0), "judgments": []}, r"j\.jsonl:1: judgments: one judgment or two"),
        ({**judged(0), "judgments": {"a": 1}}, r"j\.jsonl:1: judgments: one judgment or two"),
        ({**judged(0), "judgments": ["A>B"]}, r"j\.jsonl:1: judgments: an object or null stands"),
        (judged(0, None, None), r"j\.jsonl:1: judgments: none says its judge_model"),
        (judged(0, game("A>B", judge_model="human/"), None), "names no person"),
        ({"judgments": [None]}, r"j\.jsonl:1: pair_id: is missing"),
        (
            {**judged(0, game("A>B"), None), "judge_name": "a\0b"},
            r"j\.jsonl:1: judge_name: 'a\\x00b' holds a NUL",
        ),
    ],
)
def test_judgments_that_cannot_be_used(tmp_path: Path, record: Record, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_files("judge-bench", [written(tmp_path / "j.jsonl", record)])


def test_a_half_written_line_and_two_rounds_of_one_pair(tmp_path: Path) -> None:
    path = written(tmp_path / "j.jsonl", judged(0, game("A>B"), game("B>A")))
    path.write_text(path.read_text() + '{"pair_id": "p1", "judgm')
    with pytest.raises(InputError, match=r"j\.jsonl:2: the last line is cut off after 24 bytes"):
        read_files("judge-bench", [path])
    other = judged(0, game("B>A"), game("B>A"))
    with pytest.raises(InputError, match=r"j\.jsonl:2: value: .*about the same item"):
        read_files("judge-bench", [written(path, judged(0, game("A>B"), game("B>A")), other)])


def test_one_order_and_a_reward_model(tmp_path: Path, store: Store) -> None:
    """A file of single games; a judgment as plain text, as older records have it."""
    file = written(
        tmp_path / "j.jsonl",
        judged(0, game("A>B", scores=[1, 0]), judge_name="reward_model"),
        judged(1, {"judgment": "so [[B>A]]", "decision": "B>A"}, judge_name="reward_model"),
    )
    options = {"allow_unknown_items": True, "version": "claude-3-5-sonnet"}
    assert take(store, "judge-bench", file, **options) == 2
    assert {judge for _, _, judge, _ in verdicts(store, "judgebench_pairs")} == {"j"}
    assert store.benchmarks() == [("judgebench_pairs", "claude-3-5-sonnet")]


@over_rows(
    ("changed", "message"),
    [({"label": "A>>B"}, "label: no label called 'A>>B'"), ({"question": None}, "question: is m"),
     ({"label": 1}, "label: no label called '1'")],
)  # fmt: skip
def test_pairs_that_cannot_be_used(tmp_path: Path, changed: Record, message: str) -> None:
    folder = registry.tasks_root() / "judgebench_pairs"
    with pytest.raises(InputError, match=rf"pairs\.jsonl:2: {message}"):
        read_source(folder, written(tmp_path / "pairs.jsonl", pair(0), {**pair(1), **changed}))


def test_decisions_of_the_gold_judges(tmp_path: Path, home: Path) -> None:
    """Of one of the four; ``reproduce`` has all of them out of the figures."""
    folder = gold("judgebench_pairs")
    assert import_data("judgebench_pairs", folder).items == 350
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["judges"]
    judge = "o1-mini-2024-09-12"
    records = [
        judged(
            0,
            *(game(row[f"decision_{n}"], judge_model=row["judge"]) for n in (1, 2)),
            pair_id=row["pair_id"],
            judge_name=None,
        )
        for row in parquet.read_table(folder / "decisions.parquet").to_pylist()
        if row["judge"] == judge
    ]
    file = written(tmp_path / "j.jsonl", *records)
    with open_store(f"sqlite:///{tmp_path / 's.db'}") as store:
        assert take(store, "judge-bench", file) == 700
        labels = data_home() / "judgebench_pairs" / "gpt-4o" / "brought_labels.jsonl"
        import_labels(store, labels, about=("judgebench_pairs", "gpt-4o"))
        which = benchmark_ref(store, "judgebench_pairs")
        columns, _, _ = columns_of(store, which, "preference")
    categories = {item.id: item.category for item in load_benchmark("judgebench_pairs").data.items}
    assert which.report.right is not None
    found = {
        one.judge: judge_accuracies(one, which.report.right, categories, 0.95)
        for one in right_pairs(columns, "human/authors")
    }
    theirs = expected[judge]
    scopes = {"accuracy": theirs["overall"]}
    scopes |= {f"accuracy/{name}": one for name, one in theirs["by_category"].items()}
    assert found.keys() == {judge}
    assert found[judge].keys() == scopes.keys()
    for name, said in scopes.items():
        ours = found[judge][name]
        assert 100 * ours.value == pytest.approx(said["upstream_accuracy_percent"], abs=1e-9)
        assert (ours.low, ours.high) == pytest.approx(said["wilson95"], abs=1e-9)
        assert ours.n == said["n"]


def test_verdict_texts_of_the_gold_are_read_as_upstream_reads_them() -> None:
    table = parquet.read_table(gold("judgebench_pairs") / "verdict_texts.parquet").to_pylist()
    assert len(table) == 700
    for row in table:
        assert letters(read_brackets(Reply(text=row["text"]), ties=True)) == row["decision"]
    two = read_brackets(Reply(text="[[A>>B]], or rather [[A>B]]"), ties=True)
    assert letters(two) is letters(read_brackets(Reply(text="neither"), ties=True)) is None


def letters(verdict: Verdict) -> str | None:
    return LETTERS[verdict.winner] if isinstance(verdict, Preference) else None


def test_without_a_word_on_what_is_right_judges_are_compared_alone(
    tmp_path: Path, store: Store
) -> None:
    games = [[game(said, judge_model=judge) for said in pair]
             for judge, pair in (("j", ("A>B", "B>A")), ("k", ("A>B", "A>B")))]  # fmt: skip
    rows = [judged(n, *both, judge_name="reward_model") for both in games for n in range(3)]
    assert take(store, "judge-bench", written(tmp_path / "j.jsonl", *rows), **UNKNOWN) == 12
    found = judgebench.agreement("judgebench_pairs", store=store)
    assert (found.accuracies, [row.judge for row in found.between]) == ((), ["j"])
    assert "accuracies" not in found.to_dict()
    with pytest.raises(UsageError, match="no judge called 'human/authors'"):
        judgebench.agreement("judgebench_pairs", store=store, reference="human/authors")


# our own small version ----------------------------------------------------------------------------

LONGER = """\
def longer(answer_a, answer_b):
    return "first" if len(answer_a) > len(answer_b) else "second"

def first(answer_a, answer_b):
    return "first"
"""


def test_the_small_version_tells_a_judge_that_prefers_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "of_length.py").write_text(LONGER)
    suite = {
        "name": "small",
        "judges": [
            {"name": name, "kind": "python", "options": {"function": f"of_length:{name}"}}
            for name in ("longer", "first")
        ],
        "benchmarks": [
            {"name": "judgebench_pairs_mini", "judges": ["longer", "first"], "orders": "both"}
        ],
        "store": f"sqlite:///{tmp_path / 's.db'}",
    }
    (tmp_path / "suite.yaml").write_text(json.dumps(suite))
    monkeypatch.syspath_prepend(str(tmp_path))
    judgebench.run(tmp_path / "suite.yaml")
    with open_store(suite["store"]) as store:  # type: ignore[arg-type]
        found = accuracies(store, "judgebench_pairs_mini")
        report = judgebench.agreement("judgebench_pairs_mini", store=store, judges="longer")
    assert {judge: its["accuracy"].value for judge, its in found.items()} == {
        "longer": 1 / 16, "first": 0.0,
    }  # fmt: skip
    assert [row.judge for row in report.accuracies] == ["longer"]
    frame = report.to_frame()
    assert frame[frame["metric"] == "accuracy/facts"]["value"].tolist() == [0.25]
    assert "how often judges are right against human" in report.tables()[0].title


# RewardBench --------------------------------------------------------------------------------------

SUBSETS = ("alpacaeval-easy", "math-prm", "hep-cpp")


def scores(**columns: Any) -> Record:
    return {
        "id": [*range(6)],
        "subset": [*SUBSETS] * 2,
        "model": "rm",
        "model_type": "RM",
        **columns,
    }


CHOSEN, REJECTED = [1.0, 0, 2, 1, 3, 0], [0.0, 1, 2, 0, 1, 1]


def test_scores_of_rewardbench_1_come_in_by_column_and_by_row(tmp_path: Path, store: Store) -> None:
    """hep-cpp is a tie and a loss; math-prm counts as 984, hep-cpp as 164."""
    said = scores(scores_chosen=CHOSEN, scores_rejected=REJECTED, results=[1, 0, 0, 1, 1, 0])
    (tmp_path / "rm.json").write_text(json.dumps(said))
    assert take(store, "rewardbench", tmp_path / "rm.json") == 6
    rows = [
        {"id": n, "subset": s, "results": r, "model": "by rows"}
        for n, s, r in zip(said["id"], said["subset"], said["results"], strict=True)
    ]
    assert take(store, "rewardbench", written(tmp_path / "rows.jsonl", *rows)) == 6
    right = [{"item_id": f"{s}/{n}", "model": "chosen", "opponent": "rejected", "value": 1,
              "judge": "human/authors", "benchmark": "rewardbench", "kind": "preference"}
             for n, s in zip(said["id"], said["subset"], strict=True)]  # fmt: skip
    assert take(store, "labels", written(tmp_path / "l.jsonl", *right)) == 6
    items = [{"id": row["item_id"], "question": "q", "category": row["item_id"].split("/")[0]}
             for row in right]  # fmt: skip
    put_items(store, "rewardbench", items)
    found = accuracies(store, "rewardbench")
    for judge in ("rm", "by rows"):
        its = {name: one.value for name, one in found[judge].items()}
        assert its["accuracy/Chat"] == 1.0
        assert its["accuracy/Reasoning"] == pytest.approx(984 * 0.5 / (984 + 164))
        assert its["subset/math-prm"] == 0.5
        assert math.isnan(its["accuracy/Safety"])
        assert math.isnan(its["accuracy"])
        assert found[judge]["accuracy"].undefined


def put_items(store: Store, benchmark: str, items: list[Record]) -> None:
    from judgebench.records import Item, Message

    said = [
        Item(benchmark=benchmark, version="1", id=one["id"], category=one["category"],
             turns=(Message(role="user", content=one["question"]),))
        for one in items
    ]  # fmt: skip
    with store.transaction():
        store.put_items(said)


@pytest.mark.parametrize("prompts", [2])
def test_scores_of_rewardbench_2(tmp_path: Path, home: Path, store: Store, prompts: int) -> None:
    """Five subsets of best of four, and ties with their reference prompts; read as upstream's."""
    names = ("Factuality", "Precise IF", "Math", "Safety", "Focus")
    data = [
        {"id": str(n), "subset": name, "prompt": "p\u2028", "chosen": ["good"],
         "rejected": ["x", "y", "z"]}
        for name in names for n in range(prompts)
    ] + [
        {"id": f"{kind}:0", "subset": "Ties", "prompt": "p", "chosen": right,
         "rejected": ["x", "y"]}
        for kind, right in (("ref", ["a"]), ("tied", ["a", "b"]))
    ]  # fmt: skip
    content = read_source(
        registry.tasks_root() / "rewardbench2", written(tmp_path / "d.jsonl", *data)
    )
    assert content is not None
    assert len(content.items) == 12
    given = [[3, 1, 2, 0], [2, 2, 0, 0]] * 5 + [[5, 1, 0], [4, 3, 1, 0]]
    said = {"id": [row["id"] for row in data], "subset": [row["subset"] for row in data],
            "scores": given, "num_correct": [len(row["chosen"]) for row in data],
            "model": "rm"}  # fmt: skip
    (tmp_path / "rm.json").write_text(json.dumps(said))
    assert take(store, "rewardbench", tmp_path / "rm.json") == 47
    labels = written(tmp_path / "l.jsonl", *map(dict, content.labels))
    import_labels(store, labels, about=("rewardbench2", "1"))
    put_items(store, "rewardbench2", [dict(item) for item in content.items])
    ((judge, found),) = accuracies(store, "rewardbench2").items()
    assert judge == "rm"
    its = {name: one.value for name, one in found.items()}
    ties = 0.30 + 0.30 + 0.20 + 0.20 + 0.01 * math.tanh(2 / 1 - 1)
    assert its["accuracy/Ties"] == pytest.approx(ties, abs=1e-12)
    assert {its[f"accuracy/{name}"] for name in names} == {0.75}
    assert its["accuracy"] == pytest.approx((5 * 0.75 + ties) / 6, abs=1e-12)
    assert math.isnan(found["accuracy"].low)
    assert (
        "how often judges are right"
        in judgebench.agreement("rewardbench2", store=store).tables()[0].title
    )


@over_rows(
    ("said", "message"),
    [
        ("{", r"rm\.json: is not whole JSON"),
        ({"id": [1]}, r"rm\.json: 'id' and 'subset' have to be here"),
        (scores(results=[1]), r"rm\.json: the columns differ in length, or are empty"),
        (scores(results="no"), r"rm\.json: 'id' and 'subset' have to be here, and what is here be"),
        (scores(results=[2] * 6), r"rm\.json: row 1: results: from 0 to 1, not 2"),
        (scores(results=["a"] * 6), r"rm\.json: row 1: results: a number has to stand here"),
        (scores(scores=[[1]] * 6), r"rm\.json: row 1: scores: more than num_correct \(1\) scores"),
        (scores(scores=[[1, "x"]] * 6), r"rm\.json: row 1: scores: a number has to stand here"),
        (scores(results=[1] * 6, model=None), r"rm\.json: row 1: judge: is missing"),
        ([], r"rm\.json: there is no row in it"),
    ],
)  # fmt: skip
def test_scores_that_cannot_be_used(tmp_path: Path, said: Any, message: str) -> None:
    path = tmp_path / "rm.json"
    path.write_text(said if isinstance(said, str) else json.dumps(said))
    with pytest.raises(InputError, match=message):
        read_files("rewardbench", [path])


# XSTest -------------------------------------------------------------------------------------------


def test_answers_and_labels_of_xstest(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "xstest_v2_completions_small_gpteval.csv"
    path.write_text(
        "id,type,prompt,completion,annotation_1,annotation_2,agreement,final_label,gpt4_label\n"
        'v2-1,homonyms,p,"a\u2028 ""b""",1_full_compliance,1_full_compliance,True,'
        "1_full_compliance,1_full_compliance\n"
        "v2-2,homonyms,p,no,2_full_refusal,3_partial_refusal,False,3_partial_refusal,I cannot\n"
    )
    options = UNKNOWN
    assert take(store, "xstest", path, **options) == 2 + 8
    assert take(store, "xstest", path, **options) == 0
    said = verdicts(store, "xstest")
    assert said["2", "small", "gpt-4", "single"][0] == "unreadable"
    assert said["2", "small", "human/final", "single"] == ("label", "3_partial_refusal")
    assert said["1", "small", "gpt-4", "single"] == ("label", "1_full_compliance")
    answers = store.responses_table("xstest", "v2")
    assert sorted(answers["item_id"]) == ["1", "2"]
    path.write_text("id,completion,final_label\nv2-1,a,4_maybe\n")
    with pytest.raises(InputError, match=r"\.csv:2: final_label: no class called '4_maybe'"):
        read_files("xstest", [path], **options)


def test_labels_of_the_gold_answers(tmp_path: Path, home: Path, store: Store) -> None:
    folder = gold("xstest")
    assert import_data("xstest", folder).items == 450
    answers = parquet.read_table(folder / "completions.parquet", filters=[("label", "=", "unsafe")])
    parquet.write_table(answers, tmp_path / "unsafe.parquet")
    assert take(store, "xstest", tmp_path / "unsafe.parquet") == 600 + 3000
    table = store.verdicts("xstest")
    said = zip(table["judge"], table["model"], table["kind"], strict=True)
    unread = Counter((judge, model) for judge, model, kind in said if kind == "unreadable")
    assert unread == {("gpt-4", "mistralinstruct"): 11}
    assert {*table["label"]} == {*REFUSAL_CLASSES, None}


def test_an_import_before_the_questions_is_made_whole_by_the_same_again(
    tmp_path: Path, home: Path, store: Store
) -> None:
    path = tmp_path / "xstest_v2_completions_small_gpteval.csv"
    path.write_text(
        "id,type,prompt,completion,gpt4_label\n"
        "v2-1,homonyms,p,sure,1_full_compliance\nv2-2,homonyms,p,no,2_full_refusal\n"
    )
    assert take(store, "xstest", path) == 2 + 2
    (board,) = judgebench.leaderboard("xstest", store=store).boards
    assert board.figures == ()
    assert any("judgebench data pull xstest, then the same import again" in n for n in board.notes)
    import_data("xstest", gold("xstest"))
    assert take(store, "xstest", path) == 0
    (board,) = judgebench.leaderboard("xstest", store=store).boards
    assert board.rows[0].metrics["full_refusal/safe"].value == 0.5
    assert not any("data pull" in note for note in board.notes)


# MT-Bench -----------------------------------------------------------------------------------------


def vote(judge: Any, winner: str, **more: Any) -> Record:
    return {"question_id": 81, "model_a": "m", "model_b": "n", "judge": judge, "winner": winner,
            "turn": 1, "conversation_a": [], **more}  # fmt: skip


def test_votes_of_people_and_of_authors(tmp_path: Path, store: Store) -> None:
    rows = [vote("expert_3", "model_b"), vote("author_1", "tie"),
            vote(["gpt4_pair", "pair-v2"], "tie (inconsistent)")]  # fmt: skip
    path = tmp_path / "votes.json"
    path.write_text(json.dumps(rows))
    assert take(store, "mt-bench", path, **UNKNOWN) == 3
    said = {judge: value for (_, _, judge, _), (_, value) in verdicts(store, "mt_bench").items()}
    assert said == {"human/expert_3": 0.0, "author_1": 0.5, "gpt4_pair": 0.5}
    for changed, message in (
        ({"winner": "model_c"}, "winner: no winner called 'model_c'"),
        ({"model_b": "m"}, "model_b: 'm' cannot be its own opponent"),
        ({"turn": 0}, "turn: turns are counted from 1"),
    ):
        path.write_text(json.dumps([vote("expert_1", "tie") | changed]))
        with pytest.raises(InputError, match=rf"votes\.json: row 1: {message}"):
            read_files("mt-bench", [path])


def test_the_questions_and_votes_of_the_gold(home: Path, store: Store) -> None:
    folder = gold("mt_bench")
    assert import_data("mt_bench", folder).items == 80
    items = load_benchmark("mt_bench").data.items
    assert (items[0].id, items[-1].id) == ("81", "160")
    assert all(item.n_answers == len(item.turns) == 2 for item in items)
    assert sum(len(item.references) == 2 for item in items) == 30
    read = read_files("mt-bench", sorted(folder.glob("votes_*.parquet")))
    reports = [one.take_in(store) for one in read]
    assert [(one.new, one.warnings) for one in reports] == [(1200, ()), (1689, ())]
    table = store.verdicts("mt_bench")
    people = [judge for judge in table["judge"] if judge.startswith("human/expert_")]
    assert len(people) == 1343
