"""What is secret never goes into a store, however a server or a model repeats it."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import random
import string
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from judgebench import keys
from judgebench.config import Endpoint, load_suite
from judgebench.providers import openai
from judgebench.providers.replay import Replay
from judgebench.records import (
    ChatRequest,
    Failure,
    Message,
    ModelSpec,
    Reply,
    Response,
    TokenLogprob,
)
from judgebench.secret import Secret, masked, redact, secret_parts, secrets_of
from judgebench.store.opening import open_store
from tests.scripted import Scripted
from tests.table import over_rows

KEY = 'sk-proj-unit~1/plus+equals="quoted"&<tail>09'


def planted(name: str) -> str:
    """A secret that no other test knows, and that looks like nothing."""
    Secret(value := f"{name}~in~a~test~of~masks~{name}")
    return value


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a header": lambda key: f"Authorization: Bearer {key}",
    "in an address": lambda key: quote(key, safe=""),
    "in an address, all of it": lambda key: "".join(f"%{byte:02x}" for byte in key.encode()),
    "in an address in an address": lambda key: quote(quote(key, safe=""), safe=""),
    "in JSON": lambda key: json.dumps({"key": key}),
    "in JSON in JSON": lambda key: json.dumps(json.dumps({"key": key})),
    "in JSON, all of it": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key),
    "in HTML": html.escape,
    "in HTML, all of it": lambda key: "".join(f"&#{ord(letter)};" for letter in key),
    "in hexadecimal": lambda key: key.encode().hex(),
    "in capital hexadecimal": lambda key: key.encode().hex().upper(),
    "in base64": lambda key: base64.b64encode(key.encode()).decode(),
    "in base64 of a header": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "in base64 of a user": lambda key: base64.b64encode(f"me:{key}".encode()).decode(),
    "in base64 of JSON": lambda key: base64.b64encode(f"{{'key':{key}}}".encode()).decode(),
    "in base64 for addresses": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
    "cut off": lambda key: key[:21],
    "without its beginning": lambda key: key[-19:],
    "half hidden": lambda key: f"{key[:11]}…{key[-4:]}",
    "hidden by asterisks": lambda key: f"{key[:9]}{'*' * 20}{key[-5:]}",
    "hidden by dots": lambda key: f"{key[:9]} ... {key[-5:]}",
    "hidden by letters": lambda key: f"{key[:10]}xxxxxxxx{key[-5:]}",
    "hidden by a word": lambda key: f"{key[:10]}[REDACTED]{key[-5:]}",
    "hidden at its end": lambda key: f"{key[:16]}***",
    "hidden at its beginning": lambda key: f"****{key[-9:]}",
}


@over_rows("how", SPELLINGS)
def test_a_secret_is_masked_in_every_spelling(how: str) -> None:
    Secret(KEY)
    spelled = SPELLINGS[how](KEY)
    text = masked(f"It said: {spelled} and no more.")
    assert "***" in text
    assert text.startswith("It said: ")
    assert text.endswith(" and no more.")
    shown = text.removeprefix("It said: ").removesuffix(" and no more.")
    left = shown.replace("***", "")
    around = {"in a header": 22, "in JSON": 11, "in JSON in JSON": 17}
    assert len(left) <= around.get(how, 3) or how.startswith("in base64 of")
    for size in range(5, len(KEY)):
        for part in (KEY[:size], KEY[-size:]):
            assert part not in left


def test_what_is_around_a_secret_stays_as_it_is() -> None:
    key = planted("around")
    text = f'{{"a": "{key}", "b": ["100%25", "\\u00e9", "{quote(key)}", "&amp;"]}}'
    assert masked(text) == '{"a": "***", "b": ["100%25", "\\u00e9", "***", "&amp;"]}'
    assert masked(f"{key}{key} {key}") == "*** ***"


def test_escapes_around_a_secret_move_nothing() -> None:
    key = planted("moved")
    draw = random.Random(11)
    pieces = ["%41", "\\u00e9", '\\"', "&amp;", "&#1;", "%", "\\", "&", "a", "é", "%255C"]
    spellings = ("as it is", *(how for how in SPELLINGS if how.endswith("all of it")))
    for n in range(200):
        before, after = ("".join(draw.choices(pieces, k=draw.randrange(30))) for _ in range(2))
        spelled = SPELLINGS[spellings[n % len(spellings)]](key)
        assert masked(f"{before} {spelled} {after}") == f"{before} *** {after}"


def test_only_a_long_part_beside_asterisks_is_masked() -> None:
    """What services show so that a key can be told from others is as good as nothing."""
    key = planted("beside")
    for shown in (f"…{key[-4:]}", f"{key[:3]}...{key[-4:]}", "***", f"{key[:3]} *** word"):
        assert masked(shown) == shown
    Secret("sk-proj-a-key-of-a-maker-0123")
    assert masked("keys begin with sk-proj-... here") == "keys begin with sk-proj-... here"


def test_a_short_value_a_host_and_a_port_are_never_masked() -> None:
    fifteen = "fifteen~letters"
    environment = {
        "A_TOKEN": fifteen,
        "TOKEN_LIMIT": "100000",
        "KEYS_HOST": "keys.of.a.long.host.example",
        "KEYS_PORT": "tcp://10.11.12.13:65000",
        "TOKEN_FILE": "/home/someone/.cache/hub/token",
        "VAULT_KEY_URL": "https://vault.a.long.host.example:8200/",
        "ANY_URL": "postgres://someone:a~password~of~an~address@database.host.example:5432/results",
    }
    secrets_of(environment)
    assert len(fifteen) == 15
    for value in (*environment.values(), "the tokens are 100000 of 65000"):
        if "password" not in value:
            assert masked(value) == value
    shown = masked(environment["ANY_URL"])
    assert shown == "postgres://someone:***@database.host.example:5432/results"


def test_texts_without_a_secret_do_not_change() -> None:
    planted("nowhere")
    draw = random.Random(7)
    for _ in range(300):
        letters = draw.choices(string.printable + "…•%\\&;*.é", k=draw.randrange(200))
        text = "".join(letters)
        assert masked(text) == text


def test_what_is_public_of_a_key_is_not_masked() -> None:
    """A certificate says what it is, and each token of one kind begins alike."""
    body = base64.b64encode(bytes(range(96))).decode()
    Secret(f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    Secret(f"{head}.eyJ0ZWFtIjoianVkZ2VzIn0.c2lnbmVkLWJ5LW5vYm9keS1hdC1hbGw")
    Secret(json.dumps({"auth_uri": "https://accounts.example.com/o/oauth2", "private_key": body}))
    for public in ("-----BEGIN PRIVATE KEY-----", head, "https://accounts.example.com/o/oauth2"):
        assert masked(public) == public
    for secret in (body, "eyJ0ZWFtIjoianVkZ2VzIn0", "c2lnbmVkLWJ5LW5vYm9keS1hdC1hbGw"):
        assert masked(f"a {secret} b") == "a *** b"


# What a suite makes a secret ----------------------------------------------------------------------

SUITE = """
name: gateway
judges:
  - name: judge
    provider: openai_compatible
    model: m
    base_url: {address}
    {more}
benchmarks:
  - {{name: sums, items: prompts.jsonl, judges: [judge]}}
"""


def loaded(folder: Path, address: str, more: str = "", **environment: str) -> None:
    path = folder / "suite.yaml"
    path.write_text(SUITE.format(address=address, more=more), encoding="utf-8")
    load_suite(path, environment=environment)


@pytest.mark.parametrize(
    ("address", "more"),
    [
        ("http://127.0.0.1/${TENANT}/v1", ""),
        ("http://127.0.0.1/in-front-${TENANT}/v1", ""),
        ("${BASE}", ""),
        ("http://127.0.0.1/v1", "extra: {extra_headers: {X-Team: '${TENANT}'}}"),
        ("http://127.0.0.1/v1", "extra: {proxy: 'http://${TENANT}@127.0.0.1/'}"),
        ("http://127.0.0.1/v1", "extra: {proxy: 'http://x:${TENANT}@127.0.0.1/'}"),
        ("http://127.0.0.1/v1", "extra: {fetch: 'http://127.0.0.1/get?a=b&c=${TENANT}'}"),
        (
            "http://127.0.0.1:{port}/v1",
            "server: {command: [serve, --password, '${TENANT}'], ready: /health}",
        ),
        (
            "http://127.0.0.1:{port}/v1",
            "server: {command: [serve, '--to=http://127.0.0.1/${TENANT}']}",
        ),
        ("http://127.0.0.1:{port}/v1", "server: {command: [serve], ready: '/${TENANT}/up'}"),
    ],
)
def test_what_the_environment_gives_to_a_header_or_an_address_is_secret(
    tmp_path: Path, address: str, more: str
) -> None:
    value = "".join(random.choices(string.ascii_letters, k=20))
    base = f"https://a-long-host-of-the-team.example:4443/{value}/v1"
    assert masked(f"at {value}") == f"at {value}"
    loaded(tmp_path, address, more, TENANT=value, BASE=base)
    assert masked(f"at {value}") == "at ***"
    assert masked(base) == base.replace(value, "***")


def test_what_the_environment_gives_elsewhere_is_not(tmp_path: Path) -> None:
    given = {"A_HOST": "a-host-that-is-long.example.com", "A_MODEL": "a-model-with-a-long-name"}
    path = tmp_path / "suite.yaml"
    text = SUITE.format(address="http://${A_HOST}:8080/v1", more="").replace(
        ": m\n", ": ${A_MODEL}\n"
    )
    path.write_text(text, encoding="utf-8")
    load_suite(path, environment=given)
    for value in given.values():
        assert masked(value) == value
    assert masked("a-default-of-the-suite") == "a-default-of-the-suite"
    loaded(tmp_path, "http://127.0.0.1/${NOT_SET:-a-default-of-the-suite}/v1")
    assert masked("a-default-of-the-suite") == "a-default-of-the-suite"


def test_the_environments_own_address_is_secret_but_for_its_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = "https://gateway-of-the-team.example/a~tenant~of~the~gateway/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    openai.make(Endpoint(provider="openai"))
    assert masked(address) == "https://gateway-of-the-team.example/***/v1"


def test_parts_of_an_address() -> None:
    for address, parts in {
        "http://h": [],
        "http://h:1/": [],
        "h:1/a/b": [],
        "http://u@h/a?b#c": ["u", "a", "b", "c"],
        "see http://u:p@h:1/a and http://g/b": ["u", "p", "a", "b"],
    }.items():
        assert [address[start:end] for start, end in secret_parts(address)] == parts


# What is stored -----------------------------------------------------------------------------------

MODEL = ModelSpec(weights="hub:org/model@1")
QUESTION = ChatRequest(
    provider="scripted", model="m", messages=(Message(role="user", content="Is it?"),)
)


def test_nothing_of_a_reply_brings_a_secret_into_the_store(tmp_path: Path) -> None:
    key = planted("stored")
    pieces = (key[:7], key[7:13], key[13:])
    reply = Reply(
        text=f"correct {key}",
        reasoning=f"thought {quote(key)}",
        finish_reason=key,
        served_model=f"model-{key}",
        logprobs=(
            TokenLogprob(token="correct ", logprob=-0.5, top=(("in", -1.0),)),
            *(TokenLogprob(token=part, logprob=-1.5, top=((part, -1.5),)) for part in pieces),
        ),
    )
    asked = ChatRequest(
        provider="scripted", model="m", messages=(Message(role="user", content=f"Is it {key}?"),)
    )
    with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        model = store.put_model(key, MODEL)
        assert model == keys.model_key(MODEL)
        store.put_reply(b"r" * 32, asked, reply)
        store.put_failure(
            Failure(key=b"f" * 32, boundary="provider", kind="other", message=key, retriable=False)
        )
        answer = Response(
            benchmark="b", version="1", item_id="i", model_key=model, text=key, raw=key,
            status="ok", reasoning=key, prompt=key, finish_reason=key, source=f"api:{key}",
        )  # fmt: skip
        store.put_responses({b"a" * 32: answer})
        found = store.reply(b"r" * 32)
    assert found is not None
    assert (found.text, found.reasoning) == ("correct ***", "thought ***")
    assert (found.finish_reason, found.served_model) == ("***", "model-***")
    assert found.logprobs is not None
    assert [token.token for token in found.logprobs] == ["correct ", "***", "***", "***"]
    assert [token.top for token in found.logprobs[1:]] == [(), (), ()]
    assert [token.logprob for token in found.logprobs] == [-0.5, -1.5, -1.5, -1.5]


def test_a_verdict_is_read_before_its_reply_is_masked(tmp_path: Path) -> None:
    key = planted("incorrect")
    with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        provider = Replay(Scripted(lambda request: Reply(text=key)), store)
        reply = asyncio.run(provider.complete(QUESTION))
        assert reply.text == key
        recorded = store.reply(keys.request_key(QUESTION))
        assert recorded is not None
        assert recorded.text == "***"


def test_a_message_of_ours_hides_what_a_text_keeps() -> None:
    short = Secret("short~one")
    text = "short~one or hf_looksLikeAKey0123"
    assert masked(text) == text
    assert redact(text, [short]) == "*** or ***"


def test_a_key_whose_end_is_that_of_another_is_hidden_whole() -> None:
    Secret("sk-0123456789abcdef")
    text = "key sk-planted-0123456789abcdef and team-0123456789abcdef"
    assert redact(text) == "key *** and team***"
    assert redact(text, [Secret("team-0123456789abcdef")]) == "key *** and ***"
