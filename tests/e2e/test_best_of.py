"""The best of several answers: chosen in a run, and told of from the samples that a store has."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import yaml

import judgebench
from judgebench.cli.main import run
from judgebench.config import load_suite
from judgebench.execution.resolve import resolve
from judgebench.store.catalog import Columns
from judgebench.store.store import Store
from tests.loopback import Ask, Loopback, Reaction

FUNCTIONS = """
def length(answer):
    return None if answer == "?" else float(len(answer))


def vowels(answer):
    return 1.0 + sum(letter in "aeiou" for letter in answer)
"""
ANSWERS = {"q0": ["a", "bbb", "aa", "cc"], "q1": ["xx", "aaa", "yyy", "e"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a suite's prompts, four answers to each, and two functions that judge."""
    monkeypatch.setenv("JUDGEBENCH_STORE", f"sqlite:///{tmp_path}/s.db")
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    (tmp_path / "two_judges.py").write_text(FUNCTIONS)
    items = [{"id": name, "prompt": f"Say {name}."} for name in ANSWERS]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(one) + "\n" for one in items))
    write_answers(tmp_path, ANSWERS)
    return tmp_path


def write_answers(folder: Path, answers: dict[str, list[str]]) -> None:
    rows = [
        {"item_id": item, "model": "m", "text": text, "sample": n}
        for item, texts in answers.items()
        for n, text in enumerate(texts)
    ]
    (folder / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def suite(folder: Path, *models: dict[str, Any], **section: Any) -> str:
    judges = [
        {"name": name, "kind": "python", "options": {"function": f"two_judges:{name}"}}
        for name in ("length", "vowels")
    ]
    asked = {"name": "words", "items": "items.jsonl", "judges": ["vowels"], **section}
    written = {"name": "s", "models": list(models), "judges": judges, "benchmarks": [asked]}
    (folder / "suite.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    return str(folder / "suite.yaml")


def recorded(name: str = "m", **more: Any) -> dict[str, Any]:
    return {"name": name, "responses": "m.jsonl", **more}


def test_the_best_of_recorded_answers_is_a_model_of_its_own(folder: Path) -> None:
    path = suite(
        folder,
        recorded("b", selection="best_of(4, length)"),
        recorded("b2", selection="best_of(2, length)"),
    )
    assert run(["run", path]) == 0
    with judgebench.open_store() as opened:
        rows = opened.responses("words").to_dict("records")
        found = {(r["model"], r["item_id"], r["sample"]): r["text"] for r in rows}
    # Of equal scores the first is chosen.
    assert {at: text for at, text in found.items() if at[0] == "b"} == {
        ("b", "q0", 0): "bbb",
        ("b", "q1", 0): "aaa",
    }
    assert (found["b2", "q0", 0], found["b2", "q1", 0]) == ("bbb", "aaa")
    boards = {b.judge: b for b in judgebench.leaderboard("words").boards}
    means = {row.model: row.metrics["score"].value for row in boards["vowels"].rows}
    assert means == {"b": 2.5, "b2": 2.5}
    assert {row.model for row in boards["length"].rows} == {"b/samples"}
    before = judgebench.open_store().verdicts("words")
    assert run(["run", path]) == 0  # everything is there
    assert len(judgebench.open_store().verdicts("words")) == len(before)


def test_scores_are_read_once_however_many_models_are_chosen_by_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    run_verdicts = Store.run_verdicts

    def counting(store: Store, run_id: str, benchmark: str, version: str) -> Columns:
        read.append(benchmark)
        return run_verdicts(store, run_id, benchmark, version)

    monkeypatch.setattr(Store, "run_verdicts", counting)
    choices = ("best_of(2, length)", "best_of(4, length)", "best_of(4, vowels)")
    models = [recorded(f"b{n}", selection=choice) for n, choice in enumerate(choices)]
    judgebench.run(suite(folder, *models))
    assert read == ["words"]
    with judgebench.open_store() as opened:
        rows = opened.responses("words").to_dict("records")
    found = {(row["model"], row["item_id"]): row["text"] for row in rows}
    chosen = [[found[f"b{n}", item] for item in ANSWERS] for n in range(3)]
    assert chosen == [["bbb", "aaa"], ["bbb", "aaa"], ["aa", "aaa"]]


def test_samples_that_are_scored_to_choose_among_are_missing_from_no_other_board(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = {"name": "m", "responses": "m.jsonl"}
    judgebench.run(suite(folder, plain, {**plain, "name": "m4", "selection": "best_of(4, length)"}))
    boards = {board.judge: board for board in judgebench.leaderboard("words").boards}
    told = {
        row.model: (row.judged.n, row.judged.missing, row.flags) for row in boards["vowels"].rows
    }
    assert told == {"m": (2, 0, ()), "m4": (2, 0, ())}
    assert [(row.model, row.judged.n, row.judged.missing) for row in boards["length"].rows] == [
        ("m", 8, 0)
    ]
    assert boards["vowels"].warnings == ()
    (of_length, of_vowels) = judgebench.leaderboard("words", best_of="length").best_of
    assert of_length.points["4"].value == 3.0
    assert [(one.missing, one.units) for one in of_vowels.points.values()] == [(2, 0)] * 4
    code = run(["leaderboard", "words", "--best-of", "length", "--judge", "vowels"])
    out = " ".join(capsys.readouterr().out.split())
    assert code == 0
    assert "as a sample has no score or no verdict: 2 of m" in out
    assert "m: no item has a score and a verdict of every sample; a suite has all samples" in out
    # Where both are asked about all samples, all of them count.
    judgebench.run(
        suite(folder, plain, samples=4, judges=["length", "vowels"], judged_samples="all")
    )
    boards = {board.judge: board for board in judgebench.leaderboard("words").boards}
    (row,) = [row for row in boards["vowels"].rows if row.model == "m"]
    assert (row.judged.n, row.judged.missing) == (8, 0)


def test_a_sample_without_a_score_leaves_its_item_unchosen_and_is_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_answers(folder, {**ANSWERS, "q1": ["xx", "?", "yyy", "e"]})
    path = suite(folder, recorded(selection="best_of(4, length)"))
    assert run(["run", path]) == 75
    err = capsys.readouterr().err
    assert "m: of 1 answer not every sample has a score of length, and so none is the best" in err
    with judgebench.open_store() as opened:
        rows = opened.responses("words").to_dict("records")
    assert [r["text"] for r in rows if r["model"] == "m"] == ["bbb"]


def test_curves_and_spread_come_from_stored_samples(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_answers(folder, {**ANSWERS, "q2": ["a", "?", "b", "c"], "q3": ["a", "b", "c"]})
    items = [{"id": name, "prompt": f"Say {name}."} for name in (*ANSWERS, "q2", "q3")]
    (folder / "items.jsonl").write_text("".join(json.dumps(one) + "\n" for one in items))
    assert run(["run", suite(folder, recorded(), judges=["length", "vowels"], samples=4)]) == 0
    capsys.readouterr()
    words = ["leaderboard", "words", "--best-of", "length", "--spread"]
    assert run([*words, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    curves = {one["judge"]: one for one in found["best_of"]}
    assert {name: one["samples"] for name, one in curves.items()} == {"length": 4, "vowels": 4}
    for judge, value in (("length", len), ("vowels", lambda a: 1 + sum(c in "aeiou" for c in a))):
        for n, point in curves[judge]["points"].items():
            expected = [
                mean(
                    mean(value(a) for a in drawn if len(a) == max(map(len, drawn)))
                    for drawn in combinations(answers, int(n))
                )
                for answers in ANSWERS.values()
            ]
            assert point["value"] == pytest.approx(mean(expected), abs=1e-12)
            # The third item has a sample without a score, the fourth one sample less.
            assert (point["units"], point["missing"]) == (2, 2)
    (told,) = found["spread"]
    assert (told["items"], told["samples"], told["left_out"]) == (2, 4, 2)
    assert list(told["variances"]) == ["item", "sample", "judge", "item x judge", "rest"]
    assert run([*words, "--judge", "vowels"]) == 0
    out = capsys.readouterr().out
    assert "score by vowels of the best by length" in out
    assert "items left out, as a sample has no score or no verdict: 2 of m" in out
    assert run([*words, "--format", "csv"]) == 0
    out = capsys.readouterr().out
    assert "score/best_of_4" in out and "score/variance/item x judge" in out


def test_of_a_judge_that_read_fewer_samples_than_were_scored_the_curve_is_shorter(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = recorded("b", selection="best_of(2, length)")
    assert run(["run", suite(folder, recorded(), chosen, samples=2)]) == 0
    words = ["leaderboard", "words", "--best-of", "length"]
    assert run(words) == 0
    capsys.readouterr()
    assert run([*words, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["best_of"]
    curves = {(one["judge"], one["model"]): one["points"] for one in found}
    assert {at: [*points] for at, points in curves.items() if at[1] == "m"} == {
        ("length", "m"): ["1", "2", "3", "4"],
        ("vowels", "m"): ["1", "2"],
    }
    best = curves["vowels", "m"]["2"]
    assert (best["value"], best["units"], best["missing"]) == (mean([1.0, 4.0]), 2, 0)


@pytest.mark.parametrize(
    ("model", "code", "says"),
    [
        (recorded(selection="best_of(8, length)"), 65, "m.jsonl: item 'q0' has 4 of the 8 answers"),
        (
            recorded(selection="best_of(1, length)"),
            78,
            "is best_of(N, SCORER) with N from 2 to 10,000",
        ),
        (recorded(selection="best_of(99999999999, length)"), 78, "with N from 2 to 10,000"),
        (recorded(selection="best of 4"), 78, "is best_of(N, SCORER) with N from 2 to 10,000"),
        (recorded(selection="best_of(4, lenght)"), 78, "no judge called 'lenght'"),
        (recorded(selection="best_of(4, contains)"), 78, "gives no score to a single answer"),
        (
            {
                "name": "api",
                "api": {"provider": "openai", "model": "gpt-4o-mini"},
                "selection": "best_of(2, length)",
            },
            78,
            "2 samples at temperature 0 are one answer",
        ),
        (recorded(matrix={"system": ["a"]}), 78, "recorded answers have none"),
    ],
)
def test_what_cannot_be_chosen_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], model: dict[str, Any], code: int, says: str
) -> None:
    assert run(["plan", suite(folder, model)]) == code
    assert says in capsys.readouterr().err


def test_no_samples_no_curve(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", suite(folder, recorded(), judges=["length", "vowels"])]) == 0
    said = {"benchmark": "words", "item_id": "q0", "model": "m", "judge": "right"}
    (folder / "v.jsonl").write_text(json.dumps(said | {"kind": "label", "value": "correct"}))
    assert run(["import", "verdicts", str(folder / "v.jsonl")]) == 0
    for words, says in (
        (["--best-of", "length"], "no model has two answers to one item that length scored"),
        (["--best-of", "right"], "right has given no scores"),
        (["--best-of", "lenght"], "no judge called 'lenght'"),
        (["--spread"], "no model has two samples of two items"),
    ):
        capsys.readouterr()
        assert run(["leaderboard", "words", *words]) == 64
        assert says in capsys.readouterr().err


def test_a_matrix_is_a_model_for_each_combination(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = {
        "name": "grid",
        "api": {"provider": "openai", "model": "gpt-4o-mini", "sampling": {"max_tokens": 5}},
        "matrix": {
            "sampling": {"temperature": [0.5, 1.0]},
            "system": {"none": None, "brief": "Say as little as you can."},
            "selection": [None, "best_of(2, length)"],
        },
    }
    path = suite(folder, grid, models=["grid"])
    assert run(["plan", path, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    asked: Counter[str] = Counter()
    for row in rows:
        asked[row["model"]] += row["generations"]
    assert len(asked) == 8
    name = "grid[temperature=0.5,system=brief,selection=null]"
    assert (asked[name], asked[name.replace("null", "best_of(2, length)")]) == (4, 0)
    # What is chosen from has the first samples of the model that answers once.
    suite_ = load_suite(Path(path))
    work = resolve(suite_)
    assert len({candidate.key for candidate in work.candidates}) == 8
    for matrix, says in (
        ({"sampler": [1]}, "matrix: no setting called 'sampler'"),
        ({"sampling": [1]}, "matrix: sampling: settings with their values"),
        ({"reasoning": ["low", "low"]}, "matrix: reasoning: a list of values, each once, or"),
        ({"reasoning": [1]}, "'grid[reasoning=1]': Input should be a valid string"),
        ({"system": ["Say as little as you possibly can."]}, "give long values names"),
        ({}, "an empty matrix has no setting"),
    ):
        assert run(["plan", suite(folder, {**grid, "matrix": matrix})]) == 78
        assert says in capsys.readouterr().err


def test_an_api_is_asked_for_the_samples_once_whoever_uses_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(ask: Ask) -> Reaction:
        return Reaction(text="a" * (1 + ask.body["seed"] % 3))  # seeds of samples count up

    with Loopback(answer) as server:
        api = {
            "provider": "openai_compatible",
            "base_url": server.url,
            "model": "x",
            "sampling": {"temperature": 1.0},
        }
        once = {"name": "once", "api": api}
        best = {"name": "best", "api": api, "selection": "best_of(3, length)"}
        path = suite(folder, best, once)
        assert run(["run", path]) == 0
        assert len(server.asks) == 6
        with judgebench.open_store() as opened:
            rows = opened.responses("words").to_dict("records")
        texts = [(row["model"], row["text"]) for row in rows]
        assert sorted(texts) == sorted(
            [("best", "aaa")] * 2 + [("once", "a" * n) for n in (1, 2, 3)] * 2
        )
        # Also where the run is of that model alone, what it chooses from is called as it was.
        capsys.readouterr()
        assert run(["run", path, "--model", "best"]) == 0
        assert len(server.asks) == 6
        with judgebench.open_store() as opened:
            assert set(opened.responses("words")["model"]) == {"best", "once"}


def test_of_conversations_the_best_is_chosen_as_a_whole(folder: Path) -> None:
    rows = [
        {"item_id": "writing-0", "text": text, "sample": sample, "turn": turn}
        for sample, texts in enumerate((["bbbb", "b"], ["ccc", "cccc"], ["d", "ddddd"]))
        for turn, text in enumerate(texts)
    ]
    (folder / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = recorded(selection="best_of(3, length)")
    asked = {"name": "mt_bench_mini", "items": None, "limit": 1}
    assert run(["run", suite(folder, model, **asked)]) == 0
    with judgebench.open_store() as opened:
        found = opened.responses("mt_bench_mini").to_dict("records")
    assert [(r["turn"], r["text"]) for r in found if r["model"] == "m"] == [(0, "ccc"), (1, "cccc")]
