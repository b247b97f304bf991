"""Which addresses are fetched from, where redirects may lead, who is shown the token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.benchmarks.pull import (
    authorization,
    check_address,
    check_online,
    check_redirect,
    is_hub,
)
from judgebench.errors import ConfigError, JudgebenchError, ProviderUnavailableError
from tests.table import over_rows

HUB = "https://huggingface.co/datasets/a/b/resolve/0/f"
RAW = "https://raw.githubusercontent.com/a/b/0/f"


@over_rows(
    "url",
    [
        "http://example.org/x",
        "file:///etc/passwd",
        "ftp://example.org/x",
        "https://user:secret@example.org/x",
    ],
)
def test_only_https_is_fetched(url: str) -> None:
    with pytest.raises(ConfigError, match="only HTTPS") as error:
        check_address(url)
    assert "secret" not in str(error.value)


@over_rows("url", [HUB, RAW, "http://127.0.0.1:8000/x", "http://localhost/x"])
def test_https_and_this_machine_are_fetched(url: str) -> None:
    check_address(url)


@over_rows(
    ("url", "target"),
    [
        (HUB, "https://cdn-lfs.huggingface.co/x"),
        (HUB, "https://cas-bridge.xethub.hf.co/x?key=1"),
        ("https://github.com/a/b/raw/0/f", RAW),
        ("https://example.org/a", "https://example.org/b"),
    ],
)
def test_an_owner_may_send_us_to_another_of_its_hosts(url: str, target: str) -> None:
    check_redirect(url, target)


@over_rows(
    ("url", "target"),
    [
        (HUB, "https://huggingface.co.example.org/x"),
        (HUB, "https://nothuggingface.co/x"),
        (HUB, "http://huggingface.co/x"),
        (HUB, "http://127.0.0.1/x"),
        (HUB, RAW),
        (RAW, HUB),
        ("https://example.org/a", "https://www.example.net/a"),
    ],
)
def test_nobody_sends_us_elsewhere(url: str, target: str) -> None:
    with pytest.raises(ProviderUnavailableError, match="leads to another place"):
        check_redirect(url, target)


@given(st.text())
def test_any_target_is_followed_or_refused(target: str) -> None:
    for text in (target, f"https://{target}", f"https://huggingface.co{target}"):
        try:
            check_redirect(HUB, text)
        except JudgebenchError:
            continue
        assert authorization(text) is None or text.startswith("https://huggingface.co")


def test_the_hub_is_known_by_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert is_hub(HUB)
    assert is_hub("https://cdn-lfs.huggingface.co/x")
    assert not is_hub(RAW)
    assert not is_hub("http://127.0.0.1:9/x")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert is_hub("http://127.0.0.1:9/x")
    assert not is_hub("http://127.0.0.1:8/x")


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"])
@pytest.mark.parametrize(
    ("value", "offline"), [("1", True), ("yes", True), ("0", False), ("", False)]
)
def test_the_environment_keeps_us_from_the_hub(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, offline: bool
) -> None:
    for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, value)
    if not offline:
        check_online("x")
        return
    with pytest.raises(ConfigError, match=f"x: {name} is set.*judgebench data import") as error:
        check_online("x")
    assert error.value.exit_code == 78


@pytest.mark.parametrize(
    "url",
    [
        RAW,
        "http://huggingface.co/x",
        "https://huggingface.co:444/x",
        "https://hf.co/x",
        "https://cdn-lfs.huggingface.co/x",
        "http://127.0.0.1/x",
    ],
)
def test_the_token_is_for_the_hub_alone(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_hidden")
    assert authorization(url) is None
    assert authorization(HUB) == "Bearer hf_hidden"
    monkeypatch.setenv("HF_TOKEN", " hf_hidden\n")
    assert authorization(HUB) == "Bearer hf_hidden"
    monkeypatch.setenv("HF_TOKEN", "")
    assert authorization(HUB) is None


@pytest.mark.parametrize("token", ["hf_hid\nden", "hf_hidé"])
def test_a_token_that_cannot_be_sent_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(ConfigError, match="HF_TOKEN holds characters") as error:
        authorization(HUB)
    assert "hid" not in str(error.value)
