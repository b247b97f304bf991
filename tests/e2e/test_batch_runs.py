"""A suite in batches: handed over by one run, collected, and read by the next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from judgebench.store.opening import open_store
from tests.e2e import runs
from tests.e2e.test_engine import PLAIN, judge, own, recorded, write
from tests.loopback import Loopback, Reaction
from tests.wire.batch_servers import KEY, AnthropicServer, OpenAIServer


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_KEY", KEY)


def batch_judge(provider: str, url: str, **fields: Any) -> dict[str, Any]:
    model = "gpt-4o-2024-08-06" if provider == "openai" else "claude-sonnet-4-5"
    return {
        "name": "slow",
        "kind": "rubric",
        "provider": provider,
        "base_url": url,
        "api_key": "${BATCH_KEY}",
        "model": model,
        "options": PLAIN,
        "provider_options": {"api": "chat"} if provider == "openai" else {},
        **fields,
    }


def rated(server: OpenAIServer | AnthropicServer) -> Any:
    """Every question of a batch is answered with a score."""
    return lambda number, line: server.answered(line, json.dumps({"score": 7}))


def asked(server: OpenAIServer | AnthropicServer) -> list[int]:
    return [len(batch.lines) for batch in server.batches.values()]


@pytest.mark.parametrize(
    ("provider", "kind"), [("openai", OpenAIServer), ("anthropic", AnthropicServer)]
)
def test_a_batch_is_handed_over_collected_and_read(
    tmp_path: Path, provider: str, kind: type[OpenAIServer] | type[AnthropicServer]
) -> None:
    store = ("--store", runs.store_url(tmp_path))
    with kind() as server:
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old", "new"),
            judges=[batch_judge(provider, server.url)],
            benchmarks=own(tmp_path, scale=[1, 10], judges=["slow", "contains"]),
        )
        handed = runs.typed("run", suite, "--batch", "--quiet")
        assert handed.code == 75, handed.err
        assert "6 questions in batch" in handed.err
        assert "6 questions in batches" in handed.err

        # Nothing is handed over or asked again while it waits, in a batch or live.
        for words in (("--batch", "--quiet"), ("--quiet",)):
            waits = runs.typed("run", suite, *words)
            assert waits.code == 75, waits.err
        assert asked(server) == [6]
        early = runs.typed("batches", "collect", *store)
        assert early.code == 75

        server.end(rated(server))
        collected = runs.typed("batches", "collect", *store)
        assert collected.code == 0, collected.err
        read = runs.typed("run", suite, "--quiet")
        again = runs.typed("run", suite, "--batch", "--quiet")
    assert read.code == 0, read.err
    assert "0 judge calls made, 12 recorded, 6 verdicts given, 0 unreadable" in read.err
    assert again.code == 0, again.err
    assert asked(server) == [6]
    with open_store(runs.store_url(tmp_path), read_only=True) as opened:
        verdicts = opened.verdicts("own", judges=["slow"])
        spend = opened.spend()
        states = [batch.state for batch in opened.batches()]
    assert verdicts["value"] == [7.0] * 6
    assert states == ["collected"]
    calls = zip(spend["how"], spend["calls"], strict=True)
    assert sum(n for how, n in calls if how == "batch") == 6


def test_what_is_asked_anew_in_a_batch_is_read_by_the_same_command(tmp_path: Path) -> None:
    url = runs.store_url(tmp_path)
    with OpenAIServer() as server:
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old", "new"),
            judges=[batch_judge("openai", server.url, batch=True)],
            benchmarks=own(tmp_path, scale=[1, 10], judges=["slow"]),
        )
        runs.typed("run", suite, "--quiet")
        server.end(rated(server))
        runs.typed("batches", "collect", "--store", url)
        assert runs.typed("run", suite, "--quiet").code == 0

        again = ("run", suite, "--quiet", "--again", "slow")
        assert runs.typed(*again).code == 75
        assert runs.typed(*again).code == 75  # it waits: nothing is handed over for once more
        assert asked(server) == [6, 6]
        assert runs.typed("run", suite, "--quiet").code == 0  # meanwhile the first ones count
        server.end(lambda number, line: server.answered(line, json.dumps({"score": 3})))
        runs.typed("batches", "collect", "--store", url)
        read = runs.typed(*again)
        assert read.code == 0, read.err
        assert runs.typed("run", suite, "--quiet").code == 0
    assert asked(server) == [6, 6]
    with open_store(url, read_only=True) as opened:
        assert opened.verdicts("own", judges=["slow"])["value"] == [3.0] * 6


def test_one_suite_asks_one_judge_in_batches_and_another_at_once(tmp_path: Path) -> None:
    quick = Loopback(lambda ask: Reaction(text=json.dumps({"score": 4})))
    with OpenAIServer() as server, quick as live:
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old"),
            judges=[
                batch_judge("openai", server.url, batch=True),
                judge(live.url, kind="rubric", options=PLAIN),
            ],
            benchmarks=own(tmp_path, scale=[1, 10], judges=["slow", "j"]),
        )
        handed = runs.typed("run", suite, "--quiet")
        assert handed.code == 75, handed.err
        assert len(live.asks) == 3
        server.end(rated(server))
        runs.typed("batches", "collect", "--store", runs.store_url(tmp_path))
        done = runs.typed("run", suite, "--quiet")
    assert done.code == 0, done.err
    assert len(live.asks) == 3


def test_lines_that_failed_are_asked_again_by_the_next_run(tmp_path: Path) -> None:
    def half(number: int, line: Any) -> Any:
        if number % 2:
            return server.refused(line, 500, "it broke")
        return server.answered(line, json.dumps({"score": 3}))

    store = ("--store", runs.store_url(tmp_path))
    with OpenAIServer() as server:
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old", "new"),
            judges=[batch_judge("openai", server.url)],
            benchmarks=own(tmp_path, scale=[1, 10], judges=["slow"]),
        )
        runs.typed("run", suite, "--batch", "--quiet")
        server.end(half)
        runs.typed("batches", "collect", *store)
        second = runs.typed("run", suite, "--batch", "--quiet")
        assert second.code == 75, second.err
        assert asked(server) == [6, 3]
        server.end(rated(server))
        runs.typed("batches", "collect", *store)
        last = runs.typed("run", suite, "--quiet")
    assert last.code == 0, last.err
    with open_store(runs.store_url(tmp_path), read_only=True) as opened:
        assert sorted(opened.verdicts("own")["value"]) == [3.0, 3.0, 3.0, 7.0, 7.0, 7.0]
        assert opened.failures("own")["kind"] == []


def test_a_budget_counts_what_goes_into_a_batch(tmp_path: Path) -> None:
    with OpenAIServer() as server:
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old", "new"),
            judges=[batch_judge("openai", server.url, price={"input": 10, "output": 10})],
            benchmarks=own(tmp_path, scale=[1, 10], judges=["slow"]),
        )
        done = runs.typed("run", suite, "--batch", "--quiet", "--max-cost", "0.008")
    assert done.code == 75, done.err
    assert "limits.max_cost_usd" in done.err
    (handed,) = asked(server)
    assert 1 <= handed < 6


def test_a_key_that_is_refused_leaves_the_questions_free(tmp_path: Path) -> None:
    with OpenAIServer() as server:
        server.key = "another"
        suite = write(
            tmp_path,
            models=recorded(tmp_path, "old"),
            judges=[batch_judge("openai", server.url)],
            benchmarks=own(tmp_path, scale=[1, 10], judges=["slow"]),
        )
        refused = runs.typed("run", suite, "--batch", "--quiet")
        assert refused.code == 69, refused.err
        assert "BATCH_KEY" in refused.err
        server.key = KEY
        handed = runs.typed("run", suite, "--batch", "--quiet")
    assert handed.code == 75
    assert asked(server) == [3]
