"""The judges of ``docs/own-judge.md`` asked in batches say what they say when asked at once."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from judgebench.store.opening import open_store
from tests.e2e.runs import ROOT, Done, eventually, start, typed
from tests.loopback import Ask, Loopback
from tests.wire.batch_servers import KEY, AnthropicServer, Fault, OpenAIServer
from tests.wire.speakers import Chat, Messages, Said, speaking

PAGE = (ROOT / "docs" / "own-judge.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
RIGHT = ("The Danube.", "Air scatters", "Ten minutes")
JUDGES = ("five-criteria", "which-is-better", "grade")
QUESTIONS = 6 + 3 * 2 + 6  # of each answer, of each pair in both orders, of each answer

Server = OpenAIServer | AnthropicServer
PROVIDERS = {"openai": (OpenAIServer, Chat("openai")), "anthropic": (AnthropicServer, Messages())}
MODELS = {"openai": "gpt-4o-2024-08-06", "anthropic": "claude-sonnet-4-5"}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_KEY", KEY)


@pytest.fixture(scope="module", params=["openai", "anthropic"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(provider: str) -> Iterator[Server]:
    with PROVIDERS[provider][0]() as running:
        yield running


def judged(text: str) -> str:
    """What a judge says of a prompt of the page; of one answer what no reader takes."""
    right = any(f"begins>>\n{start}" in text for start in RIGHT)
    if '"ratings"' in text:
        if "Put it into water" in text:
            return '{"why": "so", "ratings": {"correct": 3}}'
        ratings = dict.fromkeys(("correct", "complete", "clear", "short"), 5 if right else 2)
        return json.dumps({"why": "so", "ratings": {**ratings, "polite": 4}})
    if "[[A]]" in text:
        first = any(f"answer A begins>>\n{start}" in text for start in RIGHT)
        return f"One is right. [[{'A' if first else 'B'}]]"
    return f"I looked it up.\nGrade: {'right' if right else 'wrong'}"


def of_line(line: dict[str, Any]) -> str:
    """The user's text of a question in a batch."""
    content = (line.get("body") or line["params"])["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def suite(folder: Path, provider: str, url: str) -> Path:
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    five, pairs = (yaml.safe_load(FILES[name]) for name in ("five.yaml", "pairs.yaml"))
    grade = {
        "name": "grade",
        "prompt": "grade.md",
        "read": {"regex": "Grade: (right|wrong)"},
        "labels": {"right": "correct", "wrong": "incorrect"},
    }
    at = {"provider": provider, "model": MODELS[provider], "base_url": url}
    at |= {"api_key": "${BATCH_KEY}"}
    at |= {"provider_options": {"api": "chat"}} if provider == "openai" else {}
    ones = [one | at for one in (*five["judges"], *pairs["judges"], grade)]
    three = {**pairs["benchmarks"][0], "judges": [*JUDGES]}
    written = {**five, "judges": ones, "benchmarks": [three], "store": f"sqlite:///{folder}/s.db"}
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def at_once(provider: str, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """The verdicts of the same suite without batches."""
    folder, speaker = tmp_path_factory.mktemp("live"), PROVIDERS[provider][1]

    def scene(ask: Ask) -> Said:
        return Said(text=judged(speaker.user(ask)))

    with Loopback(speaking(speaker, scene)) as live, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BATCH_KEY", KEY)
        url = live.url if provider == "openai" else live.origin
        done = typed("run", suite(folder, provider, url), "--quiet")
    assert done.code == 0, done.err
    assert f"{QUESTIONS} judge calls made" in done.err
    return verdicts(folder)


def verdicts(folder: Path) -> list[tuple[Any, ...]]:
    names = ("judge", "item_id", "model", "order", "kind", "value", "reason")
    with open_store(f"sqlite:///{folder}/s.db", read_only=True) as store:
        found = store.verdicts("assistant")
    return sorted(zip(*([str(x) for x in found[name]] for name in names), strict=True))


def collect(folder: Path, *words: str) -> Done:
    return typed("batches", *(words or ("collect",)), "--store", f"sqlite:///{folder}/s.db")


def lines(server: Server) -> int:
    return sum(len(batch.lines) for batch in server.batches.values())


def test_verdicts_are_those_of_a_run_that_asks_at_once(
    tmp_path: Path, provider: str, server: Server, at_once: list[tuple[Any, ...]]
) -> None:
    path = suite(tmp_path, provider, server.url)
    handed = typed("run", path, "--batch", "--quiet")
    assert handed.code == 75, handed.err
    assert lines(server) == QUESTIONS
    server.end(lambda n, line: server.answered(line, judged(of_line(line))))
    assert collect(tmp_path).code == 0
    read = typed("run", path, "--quiet")
    assert read.code == 0, read.err
    assert "0 judge calls made" in read.err
    assert lines(server) == QUESTIONS
    found = verdicts(tmp_path)
    assert found == at_once
    assert [kind for *_, kind, _, _ in found].count("unreadable") == 1


def test_a_run_that_is_killed_while_it_submits_asks_nothing_twice(
    tmp_path: Path, provider: str, server: Server, at_once: list[tuple[Any, ...]]
) -> None:
    """The provider has the first judge's batch, and nobody has noted that it was taken."""
    path = suite(tmp_path, provider, server.url)
    create = "POST /v1/batches" if provider == "openai" else "POST /v1/messages/batches"
    server.fail(create, Fault(hang=True, acts=True))
    with start("run", path, "--batch", "--quiet") as killed:
        eventually(lambda: server.batches or killed.poll() is not None, 60)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    assert server.batches
    assert typed("run", path, "--batch", "--quiet").code == 75
    server.end(lambda n, line: server.answered(line, judged(of_line(line))))
    for _ in range(3):
        collect(tmp_path)
        done = typed("run", path, "--batch", "--quiet")
        server.end(lambda n, line: server.answered(line, judged(of_line(line))))
    assert done.code == 0, done.err
    assert lines(server) == QUESTIONS
    assert verdicts(tmp_path) == at_once


def test_what_failed_expired_or_is_missing_is_asked_again_and_nothing_else(
    tmp_path: Path, provider: str, server: Server, at_once: list[tuple[Any, ...]]
) -> None:
    path = suite(tmp_path, provider, server.url)
    assert typed("run", path, "--batch", "--quiet").code == 75

    def a_fifth_each(number: int, line: Any) -> Any:
        outcomes = [
            server.refused(line, 500, "it broke"),
            server.expired(line),
            None,
            "this is no JSON",
        ]
        if number < len(outcomes):
            return outcomes[number]
        return server.answered(line, judged(of_line(line)))

    server.end(a_fifth_each)
    said = collect(tmp_path)
    assert said.code == 0, said.err
    half = typed("run", path, "--batch", "--quiet")
    assert half.code == 75, half.err
    assert lines(server) == QUESTIONS + 4 * len(JUDGES)
    server.end(lambda n, line: server.answered(line, judged(of_line(line))))
    assert collect(tmp_path).code == 0
    last = typed("run", path, "--quiet")
    assert last.code == 0, last.err
    assert lines(server) == QUESTIONS + 4 * len(JUDGES)
    assert verdicts(tmp_path) == at_once


def test_a_batch_that_is_called_off_keeps_what_was_answered_and_the_rest_is_asked_at_once(
    tmp_path: Path, provider: str, server: Server, at_once: list[tuple[Any, ...]]
) -> None:
    path = suite(tmp_path, provider, server.url)
    assert typed("run", path, "--batch", "--quiet").code == 75
    collect(tmp_path, "cancel")

    def half(number: int, line: Any) -> Any:
        if number % 2:
            return server.expired(line, "batch_cancelled" if provider == "openai" else "canceled")
        return server.answered(line, judged(of_line(line)))

    server.end(half)
    said = collect(tmp_path)
    assert said.code == 0, said.err
    kept = typed("run", path, "--batch", "--quiet")
    assert kept.code == 75, kept.err
    assert lines(server) == QUESTIONS + QUESTIONS // 2
    server.end(lambda n, line: server.answered(line, judged(of_line(line))))
    assert collect(tmp_path).code == 0
    assert typed("run", path, "--quiet").code == 0
    assert verdicts(tmp_path) == at_once


def test_files_of_answers_are_judged_in_batches(
    tmp_path: Path, provider: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``judge --batch``: handed over, collected, and read by the same command again.

    A label that a suite would refuse as a key is none in what the store has kept of a run.
    """
    monkeypatch.setenv(f"{provider.upper()}_API_KEY", KEY)
    monkeypatch.setenv(f"{provider.upper()}_BASE_URL", server.url)
    answers, prompt = tmp_path / "answers.jsonl", tmp_path / "grade.md"
    prompt.write_text(FILES["grade.md"], encoding="utf-8")
    rows = [
        {"prompt": f"Question {n}?", "model": "m", "text": ("The Danube.", "No idea.")[n % 2]}
        for n in range(4)
    ]
    answers.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    words = [
        *("judge", answers, "--judge", f"{provider}/{MODELS[provider]}"),
        *("--prompt", prompt, "--read", "regex: Grade: (right|wrong)", "--quiet"),
        *("--labels", "right: correct, wrong: incorrect, no token: incorrect"),
        *("--store", f"sqlite:///{tmp_path}/s.db"),
    ]
    handed = typed(*words, "--batch")
    assert handed.code == 75, handed.err
    assert "4 questions in batches" in handed.err
    assert lines(server) == 4
    server.end(lambda n, line: server.answered(line, judged(of_line(line))))
    assert collect(tmp_path).code == 0
    read = typed(*words, "--batch")
    assert read.code == 0, read.err
    assert "0 judge calls made" in read.err
    with open_store(f"sqlite:///{tmp_path}/s.db", read_only=True) as store:
        assert [*store.verdicts("answers")["label"]] == ["correct", "incorrect"] * 2
        judge = store.runs()[0].configuration["judges"][0]
    assert judge["batch"] is True
    assert lines(server) == 4
