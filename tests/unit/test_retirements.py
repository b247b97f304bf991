"""A judge that is soon to be gone, or is gone, is warned of before a run."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

import judgebench
from judgebench.execution import preflight
from judgebench.providers.prices import published, retirement_of
from tests.e2e.runs import MINI, store_url, typed
from tests.loopback import Loopback, Reaction

ITS = {"provider": "openai", "model": "gpt-5-mini-2025-08-07"}


def suite(folder: Path, url: str, **judge: object) -> Path:
    its = {"name": "judge", "kind": "reference", "base_url": url, **ITS, **judge}
    written = {
        "name": "soon",
        "models": [{"name": "model-terse", "responses": str(MINI / "answers.jsonl")}],
        "judges": [{**its, "price": {"input": 0, "output": 0}}],
        "benchmarks": [{"name": "trivia_judging_mini", "judges": ["judge"], "limit": 2}],
        "limits": {"max_retries": 0, "timeout_s": 5},
        "store": store_url(folder),
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (date(2026, 11, 10), None),
        (date(2026, 11, 11), "gpt-5-mini-2025-08-07 is retired on 2026-12-11, in 30 days"),
        (date(2026, 12, 11), "gpt-5-mini-2025-08-07 retired on 2026-12-11"),
    ],
)
def test_plan_and_doctor_warn_within_thirty_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: date, said: str | None
) -> None:
    monkeypatch.setattr(preflight, "today", lambda: day)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nothing-that-is-one")
    path = suite(tmp_path, "http://127.0.0.1:9/v1")
    planned = judgebench.plan(path).warnings
    looked = [one.found for one in judgebench.api.doctor(path, ask=False).checks]
    for lines in (planned, looked):
        told = [line for line in lines if "retired on" in line]
        assert len(told) == (said is not None)
        if said is not None:
            assert said in told[0]
            assert "developers.openai.com" in told[0]
            assert told[0].endswith("`judgebench rejudge` says what another judge would change")


def test_a_judge_that_answers_404_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nothing-that-is-one")
    monkeypatch.setattr(preflight, "today", lambda: date(2026, 1, 1))
    gone = {"error": {"message": "The model does not exist", "code": "model_not_found"}}
    with Loopback(lambda ask: Reaction(status=404, payload=gone)) as server:
        path = suite(tmp_path, server.url)
        assert judgebench.plan(path).warnings == []
        asked = {one.what: one for one in judgebench.api.doctor(path).checks}
        found = asked["judge judge when asked"]
        assert found.state == "fault"
        assert "404" in found.found
        assert "`judgebench rejudge`" in found.found
        assert typed("run", path, "--quiet").code == 69
        (warning,) = judgebench.plan(path).warnings
    assert warning.startswith("judge judge: answered 404 when it was asked last")


def test_every_date_has_a_source_and_one_model_one_date() -> None:
    for provider, models in published().items():
        assert provider in ("openai", "anthropic")
        for its in models.values():
            assert its.source.startswith("https://")
            assert ", as of 20" in its.source
    exact, family = retirement_of("openai", "gpt-4o-2024-05-13"), retirement_of("openai", "gpt-4o")
    assert exact is not None
    assert family is not None
    assert exact.on < family.on
    assert retirement_of("litellm", "anthropic/claude-opus-4-1") is not None
    assert retirement_of("openai", "gpt-6-sol") is None
    assert retirement_of("openai_compatible", "gpt-4") is None
