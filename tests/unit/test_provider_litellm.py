"""Any model that LiteLLM speaks to: through a stand-in, and through the package where it is."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from judgebench.config import Endpoint
from judgebench.errors import CallError, ConfigError
from judgebench.providers import litellm
from judgebench.records import Reply, Usage
from judgebench.secret import Secret
from tests.loopback import MODES, Loopback, Reaction
from tests.table import over_rows
from tests.wire.asking import KEY, question
from tests.wire.litellm_stand_in import StandIn

GIVEN = Secret(KEY)


def asked(
    url: str,
    library: Any,
    key: Secret | None = GIVEN,
    model: str = "judge",
) -> Reply:
    endpoint = Endpoint(
        provider="litellm", identity="here", base_url=url, api_key=key, timeout_s=5.0
    )

    async def run() -> Reply:
        provider = litellm.LiteLlm(endpoint, library)
        try:
            return await provider.complete(question(model=model, decoding={"max_tokens": 7}))
        finally:
            await provider.close()

    return asyncio.run(run())


def test_where_it_is_missing_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)
    with pytest.raises(ConfigError, match=r"pip install 'judgebench-harness\[litellm\]'"):
        litellm.make(Endpoint(provider="litellm", model="bedrock/x"))


def test_a_question_and_its_reply_go_through_whole_and_once() -> None:
    library = StandIn()
    with Loopback() as server:
        reply = asked(server.url, library)
        (ask,) = server.asks
    assert reply.text in {"correct", "incorrect"}
    assert (reply.served_model, reply.seconds > 0) == ("judge-served", True)
    assert (ask.body["max_tokens"], ask.headers["authorization"]) == (7, f"Bearer {KEY}")
    assert library.retries == [0]  # attempts are counted in one place


def test_no_key_of_the_environment_goes_where_a_suite_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
    with Loopback() as server:
        asked(server.url, StandIn(), key=None)
        assert server.asks[0].headers["authorization"] == "Bearer none"


@over_rows(
    ("mode", "kind", "retriable"),
    [("no_key", "key", False), ("rate_limit", "rate_limit", True), ("overload", "server", True)],
)
def test_an_error_is_told_by_its_status_and_without_the_key(
    mode: str, kind: str, retriable: bool
) -> None:
    with Loopback(mode=mode) as server, pytest.raises(CallError) as caught:
        asked(server.url, StandIn())
    assert (caught.value.kind, caught.value.retriable) == (kind, retriable)
    assert caught.value.__context__ is None
    assert KEY not in str(caught.value)


def test_what_takes_too_long_may_have_been_charged() -> None:
    class Slow(StandIn):
        async def acompletion(self, **body: Any) -> Any:
            raise TimeoutError

    with pytest.raises(CallError, match="no whole answer within 5 s") as caught:
        asked("http://127.0.0.1:1/v1", Slow())
    assert (caught.value.kind, caught.value.charged) == ("timeout", Usage())


def test_a_fault_of_the_library_is_not_taken_for_one_of_the_call() -> None:
    class Broken(StandIn):
        async def acompletion(self, **body: Any) -> Any:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asked("http://127.0.0.1:1/v1", Broken())


@pytest.mark.filterwarnings("ignore")  # what it imports is not ours to mend
@pytest.mark.parametrize("mode", ["ok", "rate_limit", "no_key"])
def test_the_package_itself_speaks_so(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    library = pytest.importorskip("litellm", reason="needs judgebench-harness[litellm]")
    library.suppress_debug_info = True
    with Loopback(lambda _: Reaction(text="correct") if mode == "ok" else MODES[mode]) as server:
        try:
            said: object = asked(server.url, library, model="openai/judge").text
        except CallError as error:
            said = error.kind
        assert said == {"ok": "correct", "rate_limit": "rate_limit", "no_key": "key"}[mode]
        assert len(server.asks) == 1
