"""``judgebench respond``: answers alone, of a suite's models or of one that is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judgebench.store.opening import open_store
from tests.e2e import runs
from tests.loopback import Ask, Loopback, Reaction

QUESTIONS = ("Name a river.", "What is 2 + 2?", "Say hello in French.")
MODEL = "openai/gpt-4o-mini-2024-07-18"


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    with Loopback(lambda ask: Reaction(text=f"To {ask.text!r}: correct")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-stand-in-0123456789")
        yield server


def respond(folder: Path, *words: str | Path) -> runs.Done:
    return runs.typed("respond", *words, "--store", f"sqlite:///{folder}/s.db")


def items(folder: Path) -> Path:
    path = folder / "items.jsonl"
    path.write_text("".join(f"{json.dumps({'prompt': q})}\n" for q in QUESTIONS), "utf-8")
    return path


def answers(folder: Path, benchmark: str) -> list[tuple[str, str]]:
    with open_store(f"sqlite:///{folder}/s.db", read_only=True) as store:
        found = store.responses_table(benchmark)
    return sorted(zip(found["model"], found["text"], strict=True))


def test_a_model_behind_an_api_answers_questions_of_ones_own(
    tmp_path: Path, openai: Loopback
) -> None:
    words = ("--model", MODEL, "--items", items(tmp_path), "--benchmark", "support")
    how = ("--gen_kwargs", "temperature=0.5,max_gen_toks=9", "--system-instruction", "Be short.")
    done = respond(tmp_path, *words, *how, "--limit", "2")
    assert done.code == 0, done.err
    assert "2 generations, 0 judge calls made" in done.err
    assert "export responses support" in done.err
    assert "answers alone" in done.out
    for ask in openai.asks:
        assert ask.body["messages"][0]["content"] == "Be short."
        assert ask.body["temperature"] == 0.5
        assert 9 in (ask.body.get("max_tokens"), ask.body.get("max_completion_tokens"))
    told = [(MODEL, f"To {question!r}: correct") for question in QUESTIONS]
    assert answers(tmp_path, "support") == sorted(told[:2])
    assert respond(tmp_path, *words, *how, "--name", "mini").code == 0
    assert len(openai.asks) == 3, "only what was missing"


def test_benchmarks_by_name_with_samples(tmp_path: Path, openai: Loopback) -> None:
    tasks = ("--tasks", "trivia_judging_mini,mixeval_mini")
    words = ("--model", MODEL, *tasks, "--limit", "2", "--samples", "2")
    refused = respond(tmp_path, *words)
    assert refused.code == 78
    assert "2 samples at temperature 0 are one answer" in refused.err
    done = respond(tmp_path, *words, "--gen_kwargs", "temperature=1")
    assert done.code == 0, done.err
    assert len(answers(tmp_path, "trivia_judging_mini")) == 4
    assert len(answers(tmp_path, "mixeval_mini")) == 4


def candidate(url: str) -> list[dict[str, Any]]:
    api = {"provider": "openai_compatible", "model": "writer", "base_url": url}
    return [{"name": name, "api": api | {"system": name}} for name in ("one", "two")]


def test_the_models_of_a_suite_answer_and_a_run_judges_what_they_said(tmp_path: Path) -> None:
    def react(ask: Ask) -> Reaction:
        return Reaction(text="incorrect" if ask.body["model"] == "loopback" else "Paris")

    with Loopback(react) as server:
        path = runs.suite(tmp_path, server.url, limit=3, models=candidate(server.url))
        done = runs.typed("respond", path, "--model", "one")
        assert done.code == 0, done.err
        assert [ask.body["model"] for ask in server.asks] == ["writer"] * 3
        assert "3 generations, 0 judge calls made" in done.err
        assert runs.typed("respond", path).code == 0
        assert len(server.asks) == 6
        judged = runs.typed("run", path)
        assert judged.code == 0, judged.err
    assert "0 generations" in judged.err
    with open_store(runs.store_url(tmp_path), read_only=True) as store:
        first = store.runs()[0].configuration
        assert (first["unjudged"], first["narrowed"]) == (True, {"models": ["one"]})
        assert len(store.verdicts("trivia_judging_mini")["judge"]) == 18


def test_shards_of_a_suite_answer_it_between_them(tmp_path: Path) -> None:
    with Loopback(lambda ask: Reaction(text="Paris")) as server:
        path = runs.suite(tmp_path, server.url, limit=8, models=candidate(server.url))
        for shard in ("1/2", "2/2"):
            assert runs.typed("respond", path, "--shard", shard).code == 0
        assert len(server.asks) == 16
        assert "0 generations" in runs.typed("respond", path).err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "name a suite, or one --model"),
        (("--model", "openai/gpt-5-mini"), "name what is asked: --tasks BENCHMARK"),
        (("--model", "opnai/gpt-5", "--tasks", "x"), "did you mean 'openai'?"),
        (("--model", "hf", "--tasks", "x"), "--model_args pretrained=CHECKPOINT"),
        (("--model", "openai_compatible/x", "--tasks", "x"), "--base-url says where"),
        (("--model", MODEL, "--tasks", "x", "--batch_size", "8"), "is about a local model"),
        (("--model", "hf", "--model_args", "pretrained", "--tasks", "x"), "NAME=VALUE"),
        (("--model", MODEL, "--tasks", "x", "--shard", "1/2"), "--shard is a part of what SUITE"),
        (("suite.yaml", "--tasks", "x"), "SUITE says what is asked and how: --tasks"),
        (
            ("--model", "hf", "--model_args", "pretrained=x", "--base-url", "h", "--tasks", "x"),
            "--base-url is about a model behind an API",
        ),
    ],
)
def test_what_is_not_understood(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    done = respond(tmp_path, *words)
    assert done.code == 64, done.err
    assert says in done.err


def test_a_benchmark_that_is_none(tmp_path: Path, openai: Loopback) -> None:
    done = respond(tmp_path, "--model", MODEL, "--tasks", "trivia_judging_mimi")
    assert done.code == 64
    assert "did you mean 'trivia_judging_mini'?" in done.err


def test_a_local_model_is_as_a_suite_would_say(tmp_path: Path) -> None:
    arguments = f"pretrained={tmp_path / 'nothing-here'},dtype=float32"
    done = respond(tmp_path, "--model", "hf", "--model_args", arguments, "--tasks", "mixeval_mini")
    assert done.code == 78
    assert "nothing-here" in done.err
