"""The scripted server itself: what the tests of killed runs rely on."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import MODES, Loopback
from tests.table import over_rows

SCRIPT = Path(__file__).parents[1] / "loopback.py"


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.load(answer))


def text(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"]["content"])


def body(content: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": content}], **more}


def test_as_a_child_it_logs_each_question_before_it_answers(tmp_path: Path) -> None:
    log = tmp_path / "asked.log"
    child = subprocess.Popen(
        [sys.executable, str(SCRIPT), "--log", str(log)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        url = f"http://127.0.0.1:{int(child.stdout.readline())}/v1"
        answers = [text(post(url, body(content))) for content in ("a", "b", "a")]
    finally:
        child.kill()
        child.communicate()
    first, second, third = log.read_text().split()
    assert first == third != second
    assert answers[0] == answers[2]


def test_answers_depend_on_the_question_alone() -> None:
    with Loopback() as one, Loopback() as two:
        said = [text(post(one.url, body(f"q{i}"))) for i in range(20)]
        assert said == [text(post(two.url, body(f"q{i}"))) for i in range(20)]
        assert len(one.arrivals) == 20
    assert set(said) == {"correct", "incorrect"}


def test_a_schema_is_followed() -> None:
    fields = {"verdict": {"enum": ["yes", "no"]}, "why": {"type": "string"}}
    schema = {"type": "object", "properties": fields}
    wanted = {"type": "json_schema", "json_schema": {"name": "v", "schema": schema}}
    with Loopback() as server:
        said = json.loads(text(post(server.url, body("q", response_format=wanted))))
    assert said["verdict"] in {"yes", "no"}
    assert said.keys() == fields.keys()


@over_rows("times", [0, 2])
def test_it_can_misbehave_for_a_while(times: int) -> None:
    with Loopback(mode="overload", times=times) as server:
        for _ in range(times):
            with pytest.raises(urllib.error.HTTPError) as caught:
                post(server.url, body("q"))
            assert caught.value.code == 503
            caught.value.close()
        assert text(post(server.url, body("q"))) in {"correct", "incorrect"}


def test_a_question_may_choose_its_mode() -> None:
    with Loopback() as server:
        assert text(post(server.url, body("q", loopback="empty"))) == ""
        assert post(server.url, body("q", loopback="no_choices")) == MODES["no_choices"].payload
