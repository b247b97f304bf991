"""What holds for every batch interface there is, against servers that speak as the real ones do."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from judgebench import registry
from judgebench.config import Endpoint
from judgebench.errors import CallError, ConfigError
from judgebench.keys import request_key
from judgebench.providers.anthropic import AnthropicBatches
from judgebench.providers.batch import (
    Absent,
    Answered,
    Failed,
    Found,
    Line,
    Stray,
    Unasked,
    Undecided,
    UnheardError,
    batches_of,
    new_token,
)
from judgebench.providers.openai import OpenAIBatches
from judgebench.records import ChatRequest, Message, Request, ScoreRequest, Usage
from judgebench.secret import Secret
from tests.wire.batch_servers import KEY, AnthropicServer, Fault, OpenAIServer

Interface = OpenAIBatches | AnthropicBatches
Server = OpenAIServer | AnthropicServer
CUT = Fault(cut=True)
LOST = Fault(cut=True, acts=True)


@dataclass(frozen=True)
class Kind:
    """An interface, with the server that speaks its language."""

    name: str
    server: Callable[[], Server]
    overrides: Mapping[str, Any]
    create: str
    look: str

    def interface(
        self, server: Server, key: str | None = KEY, timeout_s: float = 5.0, **more: Any
    ) -> Interface:
        secret = None if key is None else Secret(key, variable="TEAM_KEY")
        provider = "openai" if isinstance(server, OpenAIServer) else "anthropic"
        endpoint = Endpoint(
            provider=provider,
            base_url=server.url,
            api_key=secret,
            timeout_s=timeout_s,
            capabilities=self.overrides,
        )
        module = registry.load("providers", provider)
        made: Interface = module.batches(endpoint, sleep=lambda seconds: None, **more)
        return made


_OPENAI = ("POST /v1/batches", "GET /v1/batches/")
_ANTHROPIC = ("POST /v1/messages/batches", "GET /v1/messages/batches/")
KINDS = (
    Kind("openai chat", OpenAIServer, {"api": "chat"}, *_OPENAI),
    Kind("openai responses", OpenAIServer, {"api": "responses"}, *_OPENAI),
    Kind("anthropic", AnthropicServer, {}, *_ANTHROPIC),
)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


@pytest.fixture
def server(kind: Kind) -> Iterator[Server]:
    with kind.server() as running:
        yield running


@pytest.fixture
def interface(kind: Kind, server: Server) -> Iterator[Interface]:
    with closing(kind.interface(server)) as made:
        yield made


def questions(n: int, text: str = "question") -> dict[bytes, Request]:
    asked = [question(f"{text} {i}") for i in range(n)]
    return {request_key(request): request for request in asked}


def question(text: str, **more: Any) -> ChatRequest:
    messages = (Message(role="system", content="Be brief."), Message(role="user", content=text))
    decoding = {"max_tokens": 16}
    return ChatRequest(
        provider="them", model="a-model", messages=messages, decoding=decoding, **more
    )


def results(interface: Interface, remote_id: str, token: str, asked: Any) -> list[Line]:
    return list(interface.results(remote_id, token, asked))


def told(error: BaseException) -> str:
    """All that is shown of an error, with what it comes from."""
    return "".join(traceback.format_exception(error))


# what goes well ---------------------------------------------------------------------------------


def test_every_question_gets_its_own_answer_whatever_the_order(
    interface: Interface, server: Server
) -> None:
    asked, token = questions(5), new_token()
    remote_id = interface.submit(token, asked)
    assert not interface.state(remote_id).ended
    server.end()
    standing = interface.state(remote_id)
    assert (standing.ended, standing.done, standing.total) == (True, 5, 5)

    lines = results(interface, remote_id, token, asked)

    texts = {line.key: line.reply.text for line in lines if isinstance(line, Answered)}
    assert texts == {k: f"answer to {r.messages[-1].content}" for k, r in asked.items()}
    assert list(texts) != list(asked)
    reply = next(line.reply for line in lines if isinstance(line, Answered))
    assert reply.served_model == "a-model-served"
    assert reply.finish_reason == "stop"
    assert reply.usage.prompt_tokens == 1000
    assert reply.usage.completion_tokens == 100


def test_what_a_model_does_not_take_is_left_out_and_named(kind: Kind, server: Server) -> None:
    asked = {bytes(32): question("q", logprobs=5)}
    overrides = {**kind.overrides, "logprobs": False}
    with closing(Kind(kind.name, kind.server, overrides, "", "").interface(server)) as interface:
        remote_id = interface.submit(token := new_token(), asked)
        server.end()
        (line,) = results(interface, remote_id, token, asked)

    assert isinstance(line, Answered)
    assert line.reply.left_out == ("logprobs",)


def test_the_expiry_of_a_batch_is_told(interface: Interface) -> None:
    assert interface.state(interface.submit(new_token(), questions(1))).expires == 4_000_000_000


@pytest.mark.parametrize(
    "text", ["\u2028 ends a line elsewhere", "\x85 too", "𝔘nicode 中文", '"quoted"\n', "\0"]
)
def test_any_text_arrives_as_it_is(interface: Interface, server: Server, text: str) -> None:
    asked = {bytes(32): question(text)}
    remote_id = interface.submit(token := new_token(), asked)
    server.end(lambda n, line: server.answered_as_asked(n, line))

    (line,) = results(interface, remote_id, token, asked)

    assert isinstance(line, Answered)
    assert line.reply.text == f"answer to {text}"


def test_a_line_may_hold_what_ends_a_line_elsewhere(interface: Interface, server: Server) -> None:
    asked = questions(2)
    remote_id = interface.submit(token := new_token(), asked)

    def unescaped(n: int, line: Any) -> str:
        import json

        return json.dumps(server.answered(line, "one\u2028line\x85still"), ensure_ascii=False)

    server.end(unescaped)

    lines = results(interface, remote_id, token, asked)

    assert [x.reply.text for x in lines if isinstance(x, Answered)] == [
        "one\u2028line\x85still"
    ] * 2


# splitting --------------------------------------------------------------------------------------


def test_batches_are_split_by_number(kind: Kind, server: Server) -> None:
    asked = questions(7)
    with closing(kind.interface(server, max_requests=3)) as interface:
        parts = list(interface.split(asked))

    assert [len(part) for part in parts] == [3, 3, 1]
    assert {k: v for part in parts for k, v in part.items()} == asked


def test_batches_are_split_by_bytes(kind: Kind, server: Server) -> None:
    asked = questions(6, "x" * 1000)
    with closing(kind.interface(server, max_bytes=3000)) as interface:
        parts = list(interface.split(asked))

    assert [len(part) for part in parts] == [2, 2, 2]


def test_a_batch_has_one_endpoint() -> None:
    """An effort that one of OpenAI's two interfaces refuses puts a question with the other."""
    plain = ChatRequest(
        provider="p", model="gpt-5.6", messages=(Message(role="user", content="q"),)
    )
    hard = ChatRequest(
        **{n: getattr(plain, n) for n in plain.__dataclass_fields__} | {"reasoning": "max"}
    )
    interface = batches_of(Endpoint(provider="openai", base_url="http://127.0.0.1:9/v1"))

    parts = list(interface.split({b"a": plain, b"b": hard, b"c": plain}))

    assert [set(part) for part in parts] == [{b"a", b"c"}, {b"b"}]


# what cannot be put in a batch ------------------------------------------------------------------


def test_a_request_for_scores_is_refused(interface: Interface, server: Server) -> None:
    request = ScoreRequest(provider="p", model="m", messages=(Message(role="user", content="q"),))

    with pytest.raises(CallError, match="no request for scores") as caught:
        interface.check(request)
    assert caught.value.kind == "request"
    assert server.calls == []


def test_half_a_surrogate_pair_is_refused_before_anything_is_sent(interface: Interface) -> None:
    with pytest.raises(CallError, match="surrogate") as caught:
        interface.check(question("half \ud800"))
    assert not caught.value.retriable


def test_a_provider_without_batches_says_who_has_them() -> None:
    with pytest.raises(ConfigError, match="takes no batches; they are had from anthropic, openai"):
        batches_of(Endpoint(provider="openai_compatible", base_url="http://127.0.0.1:9/v1"))


# lines that bring no reply ----------------------------------------------------------------------


def test_failed_lines_say_why_and_whether_to_ask_again(
    interface: Interface, server: Server
) -> None:
    asked = questions(3)
    remote_id = interface.submit(token := new_token(), asked)
    said = [(400, "prompt is too long: 9 tokens"), (429, "slow down"), (500, "broken")]
    server.end(lambda n, line: server.refused(line, *said[n]))

    lines = results(interface, remote_id, token, asked)

    errors = {line.key: line.error for line in lines if isinstance(line, Failed)}
    found = [(errors[key].kind, errors[key].retriable) for key in asked]
    assert found == [("too_long", False), ("rate_limit", True), ("server", True)]
    assert all("(in a batch)" in str(error) for error in errors.values())


def test_a_batch_that_expired_half_way_gives_what_it_has(
    interface: Interface, server: Server
) -> None:
    asked = questions(4)
    remote_id = interface.submit(token := new_token(), asked)
    server.end(lambda n, x: server.expired(x) if n % 2 else server.answered_as_asked(n, x))

    lines = results(interface, remote_id, token, asked)

    unasked = {line.key for line in lines if isinstance(line, Unasked) and line.why == "expired"}
    answered = {line.key for line in lines if isinstance(line, Answered)}
    assert answered == set(list(asked)[::2])
    assert unasked == set(list(asked)[1::2])


def test_lines_that_cannot_be_read_cost_no_other(interface: Interface, server: Server) -> None:
    asked = questions(6)
    remote_id = interface.submit(token := new_token(), asked)

    def rule(n: int, line: Any) -> Any:
        broken = ["{half a json", "[]", "", '{"custom_id": "somebody-else"}', None]
        return broken[n] if n < len(broken) else server.answered_as_asked(n, line)

    server.end(rule)

    lines = results(interface, remote_id, token, asked)

    assert [type(line) for line in lines] == [Answered, Stray, Stray, Stray]


def test_an_id_of_another_batch_is_none_of_ours(interface: Interface, server: Server) -> None:
    asked = questions(1)
    other = interface.submit(new_token(), asked)
    server.end()

    (line,) = results(interface, other, new_token(), asked)

    assert isinstance(line, Stray)


@pytest.mark.parametrize("broken", [{"choices": []}, {"output": []}, {"content": 7}])
def test_a_success_that_is_none_is_a_failure_that_may_have_been_charged(
    interface: Interface, server: Server, broken: dict[str, Any]
) -> None:
    asked = questions(1)
    remote_id = interface.submit(token := new_token(), asked)
    server.end(lambda n, line: server.answered(line, "fine", **broken))

    (line,) = results(interface, remote_id, token, asked)

    match line:  # each kind of answer has its own fields
        case Failed(_, error):
            assert error.kind == "bad_answer"
            assert error.charged is not None
        case Answered(_, reply):
            assert reply.text == "fine"
        case _:
            pytest.fail(f"neither an answer nor a failure: {line}")


def test_refused_content_is_a_reply_and_no_failure(interface: Interface, server: Server) -> None:
    asked = questions(1)
    remote_id = interface.submit(token := new_token(), asked)
    server.end(lambda n, line: server.refused(line, 400, "no", code="content_policy_violation"))

    (line,) = results(interface, remote_id, token, asked)

    assert isinstance(line, Answered)
    assert line.reply.finish_reason == "content_filter"


# calling off ------------------------------------------------------------------------------------


def test_a_batch_that_is_called_off_gives_what_is_through(
    interface: Interface, server: Server
) -> None:
    asked = questions(2)
    remote_id = interface.submit(token := new_token(), asked)
    interface.cancel(remote_id)
    assert not interface.state(remote_id).ended
    word = "batch_cancelled" if isinstance(server, OpenAIServer) else "canceled"
    server.end(lambda n, x: server.expired(x, word) if n else server.answered_as_asked(n, x))

    assert interface.state(remote_id).cancelled
    lines = results(interface, remote_id, token, asked)

    assert {type(line) for line in lines} == {Answered, Unasked}
    assert [line.why for line in lines if isinstance(line, Unasked)] == ["cancelled"]


# a submission of which nothing was heard ---------------------------------------------------------


def test_a_batch_is_found_whose_acknowledgement_was_lost(
    kind: Kind, interface: Interface, server: Server
) -> None:
    for n in (1, 2, 2, 3):  # others before it, and more than one page of them
        interface.submit(new_token(), questions(n, "before"))
    server.end()
    token = new_token()
    server.fail(kind.create, LOST)

    with pytest.raises(UnheardError):
        interface.submit(token, questions(2))

    made = list(server.batches)[-1]
    before = server.count(kind.create)
    server.end()
    assert interface.find(token, 2) == Found(made)
    assert server.count(kind.create) == before


def test_a_batch_that_never_arrived_is_absent(
    kind: Kind, interface: Interface, server: Server
) -> None:
    interface.submit(new_token(), questions(2, "another of the same size"))
    server.end()
    token = new_token()
    server.fail(kind.create, CUT)

    with pytest.raises(UnheardError):
        interface.submit(token, questions(2))

    assert interface.find(token, 2) == Absent()


def test_who_keeps_no_notes_is_not_believed_before_a_batch_has_ended() -> None:
    (kind,) = (kind for kind in KINDS if kind.name == "anthropic")
    with AnthropicServer() as server, closing(kind.interface(server)) as interface:
        first = interface.submit(new_token(), questions(2, "another of the same size"))
        interface.submit(new_token(), questions(3, "one of another size"))
        assert interface.find(token := new_token(), 2) == Undecided((first,))
        assert interface.find(token, 2, others=[first]) == Absent()
        server.end()
        assert interface.find(token, 2) == Absent()


def test_a_fault_at_submission_is_not_asked_again(
    kind: Kind, interface: Interface, server: Server
) -> None:
    """A server that broke may have taken the batch all the same."""
    server.fail(kind.create, Fault(status=500, acts=True))

    with pytest.raises(UnheardError, match="500"):
        interface.submit(new_token(), questions(1))
    assert len(server.batches) == 1


def test_a_submission_that_gets_no_answer_in_time_may_have_arrived(
    kind: Kind, server: Server
) -> None:
    server.fail(kind.create, Fault(hang=True, acts=True))
    with closing(kind.interface(server, timeout_s=0.3)) as interface:
        with pytest.raises(UnheardError, match=r"within 0\.3 s"):
            interface.submit(token := new_token(), questions(1))
        server.end()
        assert interface.find(token, 1) == Found(next(iter(server.batches)))


def test_too_many_requests_at_submission_are_asked_again(
    kind: Kind, interface: Interface, server: Server
) -> None:
    busy = Fault(status=429, headers={"retry-after": "0"})
    server.fail(kind.create, busy, busy)

    interface.submit(new_token(), questions(1))

    assert len(server.batches) == 1
    assert server.count(kind.create) == 3


def test_a_refused_connection_surely_made_nothing(kind: Kind, server: Server) -> None:
    class Gone(OpenAIServer if isinstance(server, OpenAIServer) else AnthropicServer):  # type: ignore[misc]
        url = "http://127.0.0.1:9"

    gone = Gone()
    gone._http.server_close()
    with closing(kind.interface(gone)) as interface, pytest.raises(CallError, match="refused"):
        interface.submit(new_token(), questions(1))


# what a server does -----------------------------------------------------------------------------


def test_looking_goes_on_through_faults(kind: Kind, interface: Interface, server: Server) -> None:
    remote_id = interface.submit(new_token(), questions(1))
    server.fail(kind.look, Fault(status=503), CUT, Fault(status=200, raw=b'{"half'))

    assert interface.state(remote_id).total == 1


def test_looking_ends_after_a_few_tries(kind: Kind, interface: Interface, server: Server) -> None:
    remote_id = interface.submit(new_token(), questions(1))
    server.fail(kind.look, *[Fault(status=503)] * 50)
    before = len(server.calls)

    with pytest.raises(CallError, match="503"):
        interface.state(remote_id)
    assert len(server.calls) - before == 5


def test_a_download_that_breaks_off_starts_again(
    kind: Kind, interface: Interface, server: Server
) -> None:
    asked = questions(3)
    remote_id = interface.submit(token := new_token(), asked)
    server.end()
    half = Fault(status=200, headers={"content-length": "100000"}, raw=b'{"custom_id": "x"}\n')
    where = "GET /v1/files/" if isinstance(server, OpenAIServer) else f"{kind.look}{remote_id}/res"
    server.fail(where, half, CUT)

    lines = results(interface, remote_id, token, asked)

    assert [type(line) for line in lines] == [Answered] * 3


def test_a_wrong_key_names_its_variable_and_is_never_shown(kind: Kind, server: Server) -> None:
    server.key = "another"
    with closing(kind.interface(server)) as interface:
        with pytest.raises(CallError, match="TEAM_KEY") as caught:
            interface.submit(new_token(), questions(1))
        assert caught.value.status == 401
        assert len(server.calls) == 1
        assert KEY not in told(caught.value)


def test_a_batch_that_is_not_accepted_is_no_fault_of_its_questions(
    interface: Interface, server: Server
) -> None:
    """Nothing is said of sampling or of the model: those are not what was refused."""
    first = "POST /v1/files" if isinstance(server, OpenAIServer) else "POST /v1/messages/batches"
    server.fail(first, Fault(status=400, raw=b'{"error": {"message": "no batches for you"}}'))
    with pytest.raises(CallError, match="no batches for you") as caught:
        interface.submit(new_token(), questions(1))
    assert "does not accept this call about a batch; run without batches" in str(caught.value)
    assert "sampling" not in str(caught.value)


def test_without_a_key_nothing_is_sent_to_the_official_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for provider in ("openai", "anthropic"):
        monkeypatch.delenv(f"{provider.upper()}_API_KEY", raising=False)
        monkeypatch.delenv(f"{provider.upper()}_BASE_URL", raising=False)
        needed = pytest.raises(CallError, match=f"export {provider.upper()}_API_KEY")
        with closing(batches_of(Endpoint(provider=provider))) as interface, needed:
            interface.submit(new_token(), questions(1))


def test_a_key_of_the_environment_does_not_travel_elsewhere(
    kind: Kind, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for provider in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{provider}_API_KEY", KEY)
        monkeypatch.setenv(f"{provider}_CUSTOM_HEADERS", "x-secret: sk-headers-0123456789abc")
    seen: list[Mapping[str, str]] = []

    def authorised(headers: Mapping[str, str]) -> bool:
        seen.append(dict(headers))
        return True

    monkeypatch.setattr(server, "authorised", authorised)
    with closing(kind.interface(server, key=None)) as interface:
        remote_id = interface.submit(token := new_token(), asked := questions(1))
        server.end()
        results(interface, remote_id, token, asked)

    assert seen
    assert not any(KEY in text or "sk-headers" in text for h in seen for text in h.values())


def test_a_redirect_is_not_followed(kind: Kind, interface: Interface, server: Server) -> None:
    to = {"location": "http://127.0.0.1:9/elsewhere"}
    server.fail(kind.look, Fault(status=307, headers=to))

    with pytest.raises(CallError, match="redirects to"):
        interface.state("batch_0")


def test_a_sign_in_page_is_no_batch(kind: Kind, interface: Interface, server: Server) -> None:
    page = Fault(status=200, headers={"content-type": "text/html"}, raw=b"<html>Sign in</html>")
    server.fail(kind.look, page)

    with pytest.raises(CallError, match=r"check base_url|batch interface"):
        interface.state("batch_0")


def test_a_batch_that_is_not_there_says_whose_account_to_look_at(interface: Interface) -> None:
    with pytest.raises(CallError, match="is this the account that submitted it") as caught:
        interface.state("batch_of_nobody")
    assert caught.value.status == 404


def test_a_refused_file_says_why() -> None:
    with OpenAIServer() as server, closing(KINDS[0].interface(server)) as interface:
        remote_id = interface.submit(new_token(), questions(1))
        server.refuse(f"enqueued token limit reached by {KEY}")

        standing = interface.state(remote_id)

    assert standing.ended
    assert "enqueued token limit reached" in str(standing.refusal)
    assert KEY not in str(standing.refusal)


def test_usage_that_was_not_stated_is_not_known(interface: Interface, server: Server) -> None:
    asked = questions(1)
    remote_id = interface.submit(token := new_token(), asked)
    server.end(lambda n, line: server.answered(line, "fine", usage=None))

    (line,) = results(interface, remote_id, token, asked)

    assert isinstance(line, Answered)
    assert line.reply.usage == Usage()


def test_a_reply_of_a_batch_is_kept_whatever_it_says_that_it_took(
    interface: Interface, server: Server
) -> None:
    asked = questions(1)
    remote_id = interface.submit(token := new_token(), asked)
    usage = {"prompt_tokens": 10**400, "input_tokens": 10**400}
    server.end(lambda n, line: server.answered(line, "fine", usage=usage))

    (line,) = results(interface, remote_id, token, asked)

    assert isinstance(line, Answered)
    assert (line.reply.text, line.reply.usage) == ("fine", Usage())
    assert "states no possible number of tokens" in str(line.reply.note)
