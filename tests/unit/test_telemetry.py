"""What a run tells Prometheus and OpenTelemetry: figures, never texts, names or keys."""

from __future__ import annotations

import io
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from judgebench.errors import ConfigError
from judgebench.progress import PlainProgress
from judgebench.protocols import Meter
from judgebench.telemetry import telemetry
from tests.e2e import runs
from tests.loopback import Loopback


def fetched(said: str) -> dict[str, float]:
    url = said.partition("metrics: ")[2].split()[0]
    assert url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(url, timeout=10) as page:
        lines = page.read().decode().splitlines()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if "#" not in line
    }


def test_figures_are_served_while_it_goes_on() -> None:
    out = io.StringIO()
    with telemetry(PlainProgress(out), 0) as progress:
        progress.stage("judging: secret-judge", 40)
        progress.advance(3)
        progress.advance(2, failed="timeout")
        progress.advance(waiting=True)
        progress.meter(Meter(calls=5, tokens=700, cost_usd=0.25))
        progress.say("something")
        found = fetched(out.getvalue())
        progress.stage("my-model: answering", None)
        progress.advance()
        progress.meter(Meter(calls=4, tokens=900, cost_usd=0.5))
        later = fetched(out.getvalue())
    assert found['judgebench_wanted_total{stage="judging"}'] == 40
    assert found['judgebench_done_total{stage="judging"}'] == 3
    assert found['judgebench_failed_total{kind="timeout",stage="judging"}'] == 2
    assert found['judgebench_waiting_total{stage="judging"}'] == 1
    assert found['judgebench_calls_total{stage="judging"}'] == 5
    assert (found["judgebench_tokens"], found["judgebench_cost_usd"]) == (700, 0.25)
    assert later['judgebench_done_total{stage="answering"}'] == 1
    assert later['judgebench_calls_total{stage="answering"}'] == 4
    assert later["judgebench_tokens"] == 900
    assert not [name for name in later if "secret-judge" in name or "my-model" in name]
    assert "something" in out.getvalue()
    with pytest.raises(urllib.error.URLError):
        fetched(out.getvalue())


def test_a_run_leaves_a_trace_without_a_word_of_what_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    with Loopback() as server:
        path = runs.suite(tmp_path, server.url, limit=3)
        environment = {"OTEL_TRACES_EXPORTER": "console", "OPENAI_API_KEY": "sk-planted-key"}
        done = runs.typed("run", path, "--quiet", environment=environment)
    assert done.code == 0
    text = done.err + stderr.getvalue()
    decoder, spans, at = json.JSONDecoder(), [], text.find("{\n")
    while at >= 0:
        span, end = decoder.raw_decode(text[at:])
        spans.append(span)
        at = text.find("{\n", at + end)
    told = {span["name"]: span for span in spans}
    assert set(told) == {"run", "judging"}
    assert told["run"]["attributes"] == {"judgebench.ended": "done"}
    assert told["judging"]["parent_id"] == told["run"]["context"]["span_id"]
    attributes = told["judging"]["attributes"]
    assert attributes["judgebench.calls"] == 6
    assert attributes["judgebench.wanted"] == 18
    assert attributes["judgebench.done"] == 18
    assert told["run"]["resource"]["attributes"]["service.name"] == "judgebench"
    written = json.dumps(spans)
    for word in ("planted", "model-terse", "loopback", "small", "127.0.0.1"):
        assert word not in written


def test_what_is_lacking_is_said_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback() as server:
        path = runs.suite(tmp_path, server.url, limit=1)
        taken = server.url.split(":")[2].split("/")[0]
        done = runs.typed("run", path, "--metrics-port", taken)
        assert (done.code, "already in use" in done.err) == (78, True)
        monkeypatch.setattr("judgebench.telemetry.is_installed", lambda package: False)
        done = runs.typed("run", path, "--metrics-port", "0")
        assert done.code == 78
        assert "--metrics-port needs prometheus_client, which is not installed: pip in" in done.err
        assert not server.asks
    assert not (tmp_path / "store.db").exists()


def test_an_error_is_told_by_its_type_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    environment = {"OTEL_TRACES_EXPORTER": "console"}
    with (
        pytest.raises(ConfigError),
        telemetry(PlainProgress(io.StringIO()), environment=environment),
    ):
        raise ConfigError("a text that stays here")
    assert '"judgebench.ended": "ConfigError"' in stderr.getvalue()
    assert "stays here" not in stderr.getvalue()


def test_traces_that_can_go_nowhere_are_said_and_harm_no_run() -> None:
    out = io.StringIO()
    environment = {"OTEL_TRACES_EXPORTER": "nowhere"}
    with telemetry(PlainProgress(out), environment=environment) as progress:
        progress.stage("judging: gpt", 1)
        progress.advance()
    assert (
        "warning: no traces: OTEL_TRACES_EXPORTER=nowhere: no package offers it" in out.getvalue()
    )
