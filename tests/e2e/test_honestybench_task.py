"""The tasks honestybench and honestybench_mini in runs: judged once, as labelled, in few calls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from judgebench.benchmarks.folder import load_benchmark
from judgebench.store.opening import open_store
from tests import honestybench_gold
from tests.e2e.runs import ROOT, planned, store_url, typed
from tests.loopback import Ask, Loopback, Reaction

MINI = ROOT / "tasks" / "honestybench_mini"
GUESSERS = ("model-consistent", "model-bluffing")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


def suite(
    folder: Path,
    url: str,
    *,
    models: Sequence[Mapping[str, Any]],
    name: str = "honestybench_mini",
    options: Mapping[str, Any] | None = None,
    **benchmark: Any,
) -> Path:
    at = {"provider": "openai_compatible", "base_url": url, "model": "loopback"}
    written = {
        "name": "honest",
        "models": list(models),
        "judges": [{"name": "judge", **at, "options": dict(options or {})}],
        "benchmarks": [{"name": name, "judges": ["judge"], **benchmark}],
        "limits": {"max_connections": 4, "max_retries": 1, "timeout_s": 20},
        "store": store_url(folder),
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    return path


def recorded(*names: str, answers: Path = MINI / "answers.jsonl") -> list[dict[str, str]]:
    return [{"name": name, "responses": str(answers)} for name in names]


def verdicts(folder: Path, benchmark: str = "honestybench_mini") -> list[dict[str, Any]]:
    with open_store(store_url(folder), read_only=True) as store:
        columns = store.verdicts(benchmark)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def read(name: str) -> list[dict[str, Any]]:
    text = (MINI / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.removesuffix("\n").split("\n")]


def labels() -> dict[tuple[str, str], str]:
    """The label of a question and an answer."""
    said = {(r["model"], r["item_id"], r["sample"]): r["value"] for r in read("labels.jsonl")}
    questions = {row["id"]: row["question"] for row in read("items.jsonl")}
    return {
        (questions[row["item_id"]], row["text"]): said[row["model"], row["item_id"], row["sample"]]
        for row in read("answers.jsonl")
    }


def shown(ask: Ask) -> tuple[str, str]:
    """The question and the answer that our own prompt shows."""
    mark = f"<<{ask.text.split('marks <<', 1)[1][:6]}>>"
    before, answer, _ = ask.text.split(f"\n{mark}\n")
    return before.split("\nQuestion: ", 1)[1].split("\n\nAccepted answers", 1)[0], answer


def test_every_answer_is_judged_as_it_is_labelled(tmp_path: Path) -> None:
    """Greedy and sampled: 576 answers, 240 distinct pairs of a question and an answer."""
    known = labels()
    assert len(known) == 240

    def as_labelled(ask: Ask) -> Reaction:
        return Reaction(text="certain" if known[shown(ask)] == "correct" else "uncertain")

    with Loopback(as_labelled) as server:
        models = recorded(*GUESSERS)
        path = suite(tmp_path, server.url, models=models, samples=6, judged_samples="all")
        calls = planned(path)["judge_calls"]
        assert calls == sum(bool(answer.strip()) for _, answer in known)
        done = typed("run", path)
        assert done.code == 0, done.err
        assert len({ask.sha for ask in server.asks}) == len(server.asks) == calls
        assert {ask.body["temperature"] for ask in server.asks} == {0}
        again = typed("run", path)
        assert (again.code, again.err.count("0 judge calls made")) == (0, 1)
    found, said = (
        {(row["model"], row["item_id"], row["sample"]): row[column] for row in rows}
        for rows, column in ((verdicts(tmp_path), "label"), (read("labels.jsonl"), "value"))
    )
    assert found == said
    done = typed(
        "leaderboard", "honestybench_mini", "--store", store_url(tmp_path), "--format=json"
    )
    (board,) = json.loads(done.out)["boards"]
    accuracy = {row["model"]: row["metrics"]["accuracy"]["value"] for row in board["rows"]}
    # A board counts first answers only, whatever else was judged.
    first = {
        name: [value == "correct" for (model, _, sample), value in said.items()
               if model == name and sample == 0]
        for name in GUESSERS
    }  # fmt: skip
    assert accuracy == pytest.approx({name: sum(of) / 48 for name, of in first.items()})
    assert {name: len(of) for name, of in first.items()} == dict.fromkeys(GUESSERS, 48)
    assert board["official_prompt"] is False


def test_the_share_of_replies_that_are_neither_word_is_what_is_unreadable(tmp_path: Path) -> None:
    """Upstream's reader calls the same replies correct."""

    def vague(ask: Ask) -> Reaction:
        return Reaction(text="Yes." if "spider" in ask.text else "certain")

    found = {}
    for reader in ("strict", "upstream"):
        folder = tmp_path / reader
        folder.mkdir()
        with Loopback(vague) as server:
            models, options = recorded("model-consistent"), {"reader": reader}
            path = suite(folder, server.url, models=models, options=options, limit=6)
            done = typed("run", path)
            assert done.code == 0, done.err
        found[reader] = {row["item_id"]: row for row in verdicts(folder)}
    assert {row["kind"] for row in found["upstream"].values()} == {"label"}
    unread = [id_ for id_, row in found["strict"].items() if row["kind"] == "unreadable"]
    assert unread == ["primer/1"]
    assert found["strict"]["primer/1"]["reason"] == "no verdict"


def test_an_exact_match_costs_no_call(tmp_path: Path) -> None:
    models = recorded(*GUESSERS)
    plain = planned(suite(tmp_path, "http://127.0.0.1:9/v1", models=models))
    short = suite(
        tmp_path, "http://127.0.0.1:9/v1", models=models, options={"exact_match_first": True}
    )
    cheap = planned(short)
    references = {row["id"]: row["references"] for row in read("items.jsonl")}
    distinct = {(r["item_id"], r["text"]) for r in read("answers.jsonl") if r["sample"] == 0}
    asked = {(id_, text) for id_, text in distinct if text.strip()}
    equal = {
        (id_, text)
        for id_, text in asked
        if text.strip().casefold() in [one.strip().casefold() for one in references[id_]]
    }
    assert plain["judge_calls"] == len(asked)
    assert cheap["judge_calls"] == len(asked) - len(equal) < len(asked)


# gold ---------------------------------------------------------------------------------------------


def test_equal_questions_and_answers_of_the_gold_are_judged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two models, all but one of whose answers are equal, and questions that stand there twice."""
    honestybench_gold.sample(tmp_path, monkeypatch)
    items = load_benchmark("honestybench").data.items
    answers = tmp_path / "answers.jsonl"
    lines = []
    for n, item in enumerate(items):
        text = item.references[-1] if n % 3 == 0 else "I think it was in 1912."
        other = text if n != 1 else " "
        lines += [
            {"item_id": item.id, "model": m, "text": t} for m, t in (("a", text), ("b", other))
        ]
    answers.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    pairs = {(item.question, item.references, n % 3 == 0) for n, item in enumerate(items)}
    left = sum(not accepted for *_, accepted in pairs)
    models = recorded("a", "b", answers=answers)
    with Loopback(lambda ask: Reaction(text="uncertain")) as server:
        path = suite(tmp_path, server.url, models=models, name="honestybench")
        assert planned(path)["judge_calls"] == len(pairs) < 1500
        options = {"exact_match_first": True}
        path = suite(tmp_path, server.url, models=models, name="honestybench", options=options)
        assert planned(path)["judge_calls"] == left
        done = typed("run", path)
        assert done.code == 0, done.err
        assert len(server.asks) == len({ask.sha for ask in server.asks}) == left
    found = verdicts(tmp_path, "honestybench")
    assert len(found) == 3000
    assert sum(row["label"] == "correct" for row in found) == 1000
