"""Suites: what is accepted, and what a person is told about what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from judgebench.config import load_suite, raw_suite
from judgebench.errors import ConfigError

GOOD = """\
name: nightly
models:
  - name: taker
    responses: answers.jsonl
    tags: {algorithm: apo, step: 1200}
  - name: local
    lm_eval: {model: hf, model_args: {pretrained: checkpoints/apo}, batch_size: 4}
judges:
  - name: small
    provider: openai_compatible
    model: small
    base_url: http://127.0.0.1:{port}/v1
    api_key: ${JUDGE_KEY}
    server: {command: [python, serve.py, --port, "{port}"]}
benchmarks:
  - {name: trivia_judging_mini, judges: [exact_match, small], limit: 8}
"""


def _suite(folder: Path, text: str) -> Path:
    path = folder / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _refusal(folder: Path, text: str, **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_suite(_suite(folder, text), environment=environment)
    return str(caught.value)


def test_a_suite_is_read(tmp_path: Path) -> None:
    suite = load_suite(_suite(tmp_path, GOOD), environment={"JUDGE_KEY": "s3cret"})
    assert suite.models[0].tags == {"algorithm": "apo", "step": 1200}
    key = suite.judges[0].api_key
    assert key is not None
    assert key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(suite)
    assert "s3cret" not in suite.model_dump_json()


def test_what_a_manifest_keeps_has_no_key(tmp_path: Path) -> None:
    assert raw_suite(_suite(tmp_path, GOOD))["judges"][0]["api_key"] == "${JUDGE_KEY}"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    model: small", "    modle: small", "no key called 'modle'; did you mean 'model'?"),
        ("limit: 8", "limits: 8", "benchmarks[0].limits: no key called 'limits'"),
        ("server: {command: [python", "server: {comand: [python", "did you mean 'command'?"),
        ("limit: 8", "limit: 0", "greater than 0 (found 0)"),
        ("limit: 8", "limit: many", "found 'many'"),
        ("name: nightly", "name: nightly\nname: weekly", "the key 'name' stands here twice"),
        ("    responses: answers.jsonl\n", "", "exactly one of 'lm_eval' and 'responses'"),
        ("  - name: local", "  - name: taker", "models named twice: taker"),
        ("limit: 8", "models: [takr]", "did you mean 'taker'?"),
        ("    base_url: http://127.0.0.1:{port}/v1\n", "", "needs the server's 'base_url'"),
        ("{pretrained: checkpoints/apo}", "{}", "name the checkpoint"),
        ("name: nightly", "name: [", "suite.yaml:"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    message = _refusal(tmp_path, GOOD.replace(old, new, 1), JUDGE_KEY="k")
    assert says in message
    assert "suite.yaml" in message


def test_the_line_is_said(tmp_path: Path) -> None:
    message = _refusal(
        tmp_path, GOOD.replace("    model: small", "    modle: small"), JUDGE_KEY="k"
    )
    assert "suite.yaml:11: judges[0].modle" in message


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    message = _refusal(tmp_path, GOOD)
    assert "JUDGE_KEY is not set" in message
    assert "suite.yaml:13" in message


@pytest.mark.parametrize(
    "written",
    [
        "api_key: abc",
        "api_key: sk-0123456789abcdefghij",
        "extra: {headers: {x: sk-0123456789abcdefghij}}",
    ],
)
def test_a_literal_key_is_refused_and_not_repeated(tmp_path: Path, written: str) -> None:
    message = _refusal(tmp_path, GOOD.replace("api_key: ${JUDGE_KEY}", written), JUDGE_KEY="k")
    assert "plain text" in message
    assert "${NAME}" in message
    assert "sk-0123456789" not in message


def test_a_default_stands_in(tmp_path: Path) -> None:
    text = GOOD.replace("answers.jsonl", "${ANSWERS:-other.jsonl}")
    suite = load_suite(_suite(tmp_path, text), environment={"JUDGE_KEY": "k"})
    assert suite.models[0].responses == Path("other.jsonl")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_suite(tmp_path / "nothing.yaml", environment={})


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_suite(path, environment={})
