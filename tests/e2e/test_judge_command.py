"""``judgebench judge``: answers in files, a rubric, a model that judges, and no suite."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from judgebench.store.opening import open_store
from tests.e2e.runs import ROOT, Done, typed
from tests.loopback import Ask, Loopback, Reaction

KEY = "sk-of-the-stand-in-0123456789"
QUESTIONS = ("Name a river.", "What is 2 + 2?", "Say hello in French.")
SCORES = {"The Rhine.": 9, "4": 10, "Bonjour.": 8, "No idea.": 2, "Five.": 1, "Salut !": 7}
"""What the stand-in says of each answer; it finds the answer in the prompt."""


def grade(ask: Ask) -> Reaction:
    assert ask.headers["authorization"] == f"Bearer {KEY}"
    (score,) = [score for text, score in SCORES.items() if f"\n{text}\n" in ask.text]
    return Reaction(text=json.dumps({"reason": "so it is", "score": score}))


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """OpenAI's stand-in, at the address that the environment names."""
    with Loopback(grade) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield server


def rubric(folder: Path) -> Path:
    path = folder / "rubric.txt"
    path.write_text("A good answer is right and short.", encoding="utf-8")
    return path


def put(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    as_list = path.suffix == ".json"
    text = json.dumps(rows) if as_list else "".join(f"{json.dumps(row)}\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def outputs(texts: Sequence[str], generator: str | None = None) -> list[dict[str, Any]]:
    said = {} if generator is None else {"generator": generator}
    pairs = zip(QUESTIONS, texts, strict=True)
    return [{"instruction": question, "output": text, **said} for question, text in pairs]


def judge(folder: Path, *words: str | Path, model: str = "openai/gpt-5-mini") -> Done:
    given = ("--judge", model, "--rubric", rubric(folder), "--store", f"sqlite:///{folder}/s.db")
    return typed("judge", *words, *given)


def rows(folder: Path, benchmark: str = "answers") -> dict[str, tuple[float, int]]:
    """Mean score and number of verdicts by model, as the leaderboard says."""
    at = ("--store", f"sqlite:///{folder}/s.db", "--format", "json")
    (board,) = json.loads(typed("leaderboard", benchmark, *at).out)["boards"]
    assert board["judge"] == "openai/gpt-5-mini"
    scores = {row["model"]: row["metrics"]["score"] for row in board["rows"]}
    return {model: (score["value"], score["n"]) for model, score in scores.items()}


def test_two_files_one_judge_and_a_board(tmp_path: Path, openai: Loopback) -> None:
    a = put(tmp_path / "a.jsonl", outputs(["The Rhine.", "4", "Bonjour."]))
    b = put(tmp_path / "b.json", outputs(["No idea.", "Five.", "Salut !"], "policy-b")[::-1])
    done = judge(tmp_path, "--model_outputs", a, b)
    assert done.code == 0, done.err
    assert "judged by openai/gpt-5-mini" in done.out
    assert "6 judge calls made, 0 recorded, 6 verdicts given, 0 unreadable, 0 failed" in done.err
    assert rows(tmp_path) == {"a": (9.0, 3), "policy-b": (pytest.approx(10 / 3), 3)}
    assert {ask.body["model"] for ask in openai.asks} == {"gpt-5-mini"}
    assert all("A good answer is right and short." in str(ask.body) for ask in openai.asks)
    again = judge(tmp_path, "--model_outputs", a, "--model_outputs", b)
    assert "0 judge calls made, 6 recorded" in again.err
    assert len(openai.asks) == 6
    compared = typed("compare", "a", "policy-b", "--store", f"sqlite:///{tmp_path}/s.db")
    assert compared.code == 0
    assert "answers@" in compared.out
    with open_store(f"sqlite:///{tmp_path}/s.db", read_only=True) as store:
        run = store.runs()[0]
        assert (run.name, run.state) == ("answers", "done")
        assert KEY not in json.dumps(run.configuration)
        assert [item.question for item in store.items(*store.benchmarks()[0])] == [*QUESTIONS]


def test_the_first_questions_then_all_of_them_on_one_board(
    tmp_path: Path, openai: Loopback
) -> None:
    a = put(tmp_path / "a.jsonl", outputs(["The Rhine.", "4", "Bonjour."]))
    assert judge(tmp_path, a, "--limit", "2").code == 0
    assert rows(tmp_path) == {"a": (9.5, 2)}
    assert judge(tmp_path, a).code == 0
    assert rows(tmp_path) == {"a": (9.0, 3)}
    assert len(openai.asks) == 3


def test_answers_in_the_form_of_import_responses(tmp_path: Path, openai: Loopback) -> None:
    told = [
        {"item_id": f"q{n}", "model": "m", "text": text, "sample": sample, "question": QUESTIONS[n]}
        for n, sample, text in [(0, 0, "The Rhine."), (0, 1, "No idea."), (1, 0, "Five.")]
    ]
    also = put(tmp_path / "also.json", outputs(["The Rhine.", "4", "Bonjour."]))
    path = put(tmp_path / "told.jsonl", told)
    done = judge(tmp_path, path, also, "--benchmark", "mine")
    assert done.code == 0, done.err
    assert len(openai.asks) == 5, "one answer to one question is judged once, whoever gave it"
    assert rows(tmp_path, "mine") == {"m": (pytest.approx((5.5 + 1) / 2), 3), "also": (9.0, 3)}
    with open_store(f"sqlite:///{tmp_path}/s.db", read_only=True) as store:
        items = store.items(*store.benchmarks()[0])
    assert [(item.id, item.question) for item in items] == [
        ("q0", QUESTIONS[0]),
        ("q1", QUESTIONS[1]),
        ("2", QUESTIONS[2]),
    ]


def test_answers_to_a_benchmark_whose_questions_are_here(tmp_path: Path, openai: Loopback) -> None:
    answer = {"benchmark": "trivia_judging_mini", "item_id": "0", "model": "m", "text": "Five."}
    done = judge(tmp_path, put(tmp_path / "told.jsonl", [answer]))
    assert done.code == 0, done.err
    with (ROOT / "tasks/trivia_judging_mini/items.jsonl").open(encoding="utf-8") as file:
        question = json.loads(file.readline())["question"]
    assert question in openai.asks[0].text


def test_any_compatible_server_by_its_address(tmp_path: Path) -> None:
    def free(ask: Ask) -> Reaction:
        return Reaction(text=json.dumps({"reason": "so", "score": 3}))

    path = put(tmp_path / "a.json", outputs(["The Rhine.", "4", "Bonjour."]))
    with Loopback(free) as server:
        words = (path, "--base-url", server.url, "--scale", "1", "5", "--format", "json")
        done = judge(tmp_path, *words, model="openai_compatible/llama")
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["boards"][0]["rows"]
    assert row["metrics"]["score"]["value"] == 3


@pytest.mark.parametrize(
    ("words", "model", "code", "says"),
    [
        ((), "openai/gpt-5-mini", 64, "name a file of answers: --model_outputs FILE"),
        (("a.json",), "gpt-5-mini", 64, "PROVIDER/MODEL, such as openai/gpt-5-mini, not 'gpt-5"),
        (("a.json",), "opnai/gpt-5", 64, "no provider called 'opnai'; did you mean 'openai'?"),
        (("a.json",), "openai_compatible/x", 64, "--base-url says where its server is reached"),
        (("none.json",), "openai/gpt-5-mini", 65, "none.json: there is no such file"),
        (("pairs.json",), "openai/gpt-5-mini", 65, "`judgebench import alpaca-eval` takes in"),
        (("two.json",), "openai/gpt-5-mini", 65, "two.json: row 2: output: another answer of 'x'"),
        (("bare.jsonl",), "openai/gpt-5-mini", 65, "bare.jsonl:1: instruction: is missing"),
        (("far.jsonl",), "openai/gpt-5-mini", 65, "the questions of alpaca_eval@2 are not here"),
        (("ids.jsonl",), "openai/gpt-5-mini", 65, "ids.jsonl:2: item_id: 'q' is the id of another"),
        (("a.json", "--benchmark", "mixeval"), "openai/gpt-5-mini", 78, "choose another one"),
    ],
)
def test_what_cannot_be_judged_is_said_with_file_row_and_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    model: str,
    code: int,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "data"))
    one = outputs(["The Rhine.", "4", "Bonjour."], "x")
    put(tmp_path / "a.json", one)
    put(tmp_path / "two.json", [one[0], {**one[0], "output": "No idea."}])
    pair = {"instruction": "?", "output_1": "a", "output_2": "b", "preference": 1}
    put(tmp_path / "pairs.json", [pair])
    put(tmp_path / "bare.jsonl", [{"item_id": "0", "model": "m", "text": "4"}])
    far = {"benchmark": "alpaca_eval", "item_id": "0", "model": "m", "text": "4"}
    put(tmp_path / "far.jsonl", [far])
    same = {"item_id": "q", "model": "m", "text": "4"}
    asked = [{**same, "question": question} for question in QUESTIONS]
    put(tmp_path / "ids.jsonl", asked)
    done = judge(tmp_path, *words, model=model)
    assert done.code == code, done.err
    assert says in done.err
    assert not (tmp_path / "s.db").exists()
