"""Keys that are planted wherever a key can be, and then looked for in everything that is left.

Servers send them back in every way there is, a server of the run's own prints its environment, and
an unforeseen fault goes off while they are in use. What is left: what commands print, the store
with its log, exports, reports, pages.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pyarrow import parquet

from judgebench.cli.options import FORMATS
from judgebench.reports.document import Column, Document, Table
from judgebench.reports.render import SUFFIXES, render
from judgebench.store.write import Writing
from tests.e2e import own, runs
from tests.loopback import Ask, Loopback, Reaction
from tests.unit.exchanged import label, rows_file
from tests.wire.batch_servers import Fault, OpenAIServer
from tests.wire.speakers import SPEAKERS, Said, speaking

#: None of them looks like a key: it has to be known to be hidden.
KEYS = {
    "OPENAI_API_KEY": "planted~openai~door~one/plus+equals=tail1",
    "ANTHROPIC_API_KEY": "planted~anthropic~door~two/plus+equals=tail2",
    "TEAM_GATEWAY_KEY": "planted~gateway~door~three+plus=equals~tail3",
    "HF_TOKEN": "planted~hub~door~number~four/plus+equals=tail4",
    "OPENAI_CUSTOM_HEADERS": "planted~further~header~five/plus+equals=tail5",
    "ANTHROPIC_CUSTOM_HEADERS": "planted~further~header~six/plus+equals=tail6",
    "TEAM_DOOR": "planted~path~of~an~address~seven~tail7",
}
DOOR = "TEAM_DOOR"
"""Nothing but its place, the path of an address, says that this one is secret."""

HEADER = "X-Team-Door"
JUDGES = {
    "openai_chat": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "openai_compatible": "TEAM_GATEWAY_KEY",
}
FIRST = 20  # characters that tell a key, also where its end is cut off
LAST = 12
DASHBOARDS = runs.ROOT / "dashboards"


def forms(key: str) -> dict[str, bytes]:
    """What a key may look like somewhere."""
    ends = {"first": key[:FIRST], "last": key[-LAST:]}
    tildes = {"": "~", " in Markdown": r"\~", " in LaTeX": r"\textasciitilde{}"}
    return {
        **{
            f"its {which} characters{where}": end.replace("~", tilde).encode()
            for which, end in ends.items()
            for where, tilde in tildes.items()
        },
        "base64": base64.b64encode(key.encode()),
        "base64 of the header": base64.b64encode(f"Bearer {key}".encode()),
        "quoted for an address": quote(key, safe="").encode(),
        "both its ends": halves(key).encode(),
    }


def halves(key: str) -> str:
    return f"{key[:11]}...{key[-5:]}"


def sent_key(ask: Ask) -> str:
    return ask.headers.get("x-api-key") or ask.headers["authorization"].removeprefix("Bearer ")


#: What a server does with the key that it was sent. A 401 would end it all, and has its own run.
PARROTS: tuple[Callable[[str], Reaction], ...] = (
    lambda key: Reaction(status=400, payload={"error": {"message": f"bad key: {key}"}}),
    lambda key: Reaction(status=422, payload={"error": {"code": key, "type": key, "param": key}}),
    lambda key: Reaction(status=400, payload={"detail": [{"input": f"Bearer {key}"}]}),
    lambda key: Reaction(
        status=500, raw=f"<pre>Authorization: Bearer {key}</pre>".encode(), content_type="text/html"
    ),
    lambda key: Reaction(status=503, headers={"x-echo": key, "server": key}, raw=key.encode()),
    lambda key: Reaction(status=429, headers={"retry-after": key}, raw=key.encode()),
    lambda key: Reaction(
        status=307, headers={"location": f"http://127.0.0.1:1/{key}?key={quote(key, safe='')}"}
    ),
    lambda key: Reaction(raw=f'{{"key": "{key}", "choices": [{{"mess'.encode()),
    lambda key: Reaction(raw=f"<html>{key}".encode(), content_type=f"text/html; x={key}"),
    lambda key: Reaction(payload={"choices": key, "content": key, "id": key}),
    lambda key: Reaction(payload={"error": {"message": f"{key} " * 300, "code": 429}}),
    lambda key: Reaction(payload=[key]),
    lambda key: Reaction(status=400, raw=b" " * 5970 + key.encode(), content_type="text/plain"),
)


#: What a server makes of the key in a reply that is a success.
ECHOES: tuple[Callable[[str], str], ...] = (
    str,
    lambda key: quote(key, safe=""),
    lambda key: "".join(f"%{byte:02X}" for byte in key.encode()),
    lambda key: json.dumps(json.dumps({"key": key})),
    lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    halves,
    lambda key: f"{key[:FIRST]}***{key[-LAST:]}",
)


@dataclass(slots=True)
class Artefacts:
    """Everything that a person or a program may come to see, by where that is."""

    folder: Path
    seen: dict[str, bytes] = field(default_factory=dict)

    def typed(self, *words: str | Path, code: int = 0) -> runs.Done:
        done = runs.typed(*words)
        assert done.code == code, done.err
        name = f"{len(self.seen)}: {' '.join(map(str, words))}"
        self.seen[name] = _joined(f"{done.out}\n{done.err}".encode())
        return done

    def files(self) -> None:
        """What lies about now, the store's log included."""
        for path in self.folder.rglob("*"):
            if path.is_file():
                self.seen[f"{len(self.seen)}: {path.name}"] = _content(path)


def _content(path: Path) -> bytes:
    """The bytes of a file; of a compressed one its rows."""
    if path.suffix == ".parquet":
        return str(parquet.read_table(path).to_pylist()).encode()
    return _joined(path.read_bytes())


def _joined(content: bytes) -> bytes:
    """Words in one piece, which LaTeX would let break between two lines."""
    return content.replace(rb"\allowbreak{}", b"")


@pytest.fixture(scope="module")
def _planted() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for variable, key in KEYS.items():
            is_header = variable.endswith("HEADERS")
            patch.setenv(variable, f"{HEADER}: {key}" if is_header else key)
        for variable in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
            patch.delenv(variable, raising=False)
        yield


@pytest.fixture(scope="module")
def artefacts(_planted: None, tmp_path_factory: pytest.TempPathFactory) -> Artefacts:
    """All of it, after everything that can go wrong went wrong."""
    found = Artefacts(tmp_path_factory.mktemp("planted"))
    _parroted(found)
    _echoed(found)
    _refused_as_wrong(found)
    _refused_where_it_would_be_kept(found)
    _repeated_headers(found)
    _printed_by_a_server(found)
    _in_a_traceback(found)
    _reports(found)
    _pages(found)
    return found


def judges(url_of: Callable[[str], str]) -> list[dict[str, Any]]:
    return [
        own.endpoint(
            url_of(api),
            SPEAKERS[api].provider,
            provider=SPEAKERS[api].provider,
            api_key=f"${{{variable}}}",
        )
        for api, variable in JUDGES.items()
    ]


def _parroted(found: Artefacts) -> None:
    """Every question is answered with the key in it, and then properly."""
    keys = set()

    def react(ask: Ask) -> Reaction:
        keys.add(sent_key(ask))
        number = next(n for n in range(len(PARROTS)) if f"What is {n} plus {n}?" in str(ask.body))
        return PARROTS[number](sent_key(ask))

    with Loopback(react) as server:
        path = _suite(found, judges(lambda api: server.url))
        found.typed("plan", path)
        done = found.typed("run", path, code=75)
        assert f"{len(PARROTS) * len(JUDGES)} failed" in done.err
        found.files()
    assert keys == {KEYS[variable] for variable in JUDGES.values()}

    with (
        Loopback(speaking(SPEAKERS["openai_chat"], Said())) as chat,
        Loopback(speaking(SPEAKERS["anthropic"], Said())) as messages,
    ):
        path = _suite(
            found, judges(lambda api: messages.url if api == "anthropic" else chat.url), limit=4
        )
        found.typed("run", path)


def _echoed(found: Artefacts) -> None:
    """Judges and a model that answers have the key in what they say, think and are called."""
    served = set()

    def react(ask: Ask) -> Reaction:
        speaker = SPEAKERS["anthropic" if "messages" in ask.path else "openai_chat"]
        number = next(n for n in range(len(ECHOES)) if f"What is {n} plus {n}?" in str(ask.body))
        key = KEYS[DOOR] if KEYS[DOOR] in ask.path else sent_key(ask)
        echo = ECHOES[number](key)
        said = Said(
            text=f"correct, says {echo}",
            thought=f"I was sent {echo}",
            logprobs=tuple((token, -0.5, {token: -0.5}) for token in ("by ", echo[:9], echo[9:])),
        )
        served.add((number, key))
        return Reaction(payload=speaker.payload(ask, said) | {"model": f"model-{echo}"})

    with Loopback(react) as server:
        sections = judges(lambda api: server.origin if api == "anthropic" else server.url)
        sections = [{**s, "name": f"echo-{s['name']}"} for s in sections]
        sections += [own.endpoint(f"{server.origin}/${{{DOOR}}}/v1", "echo-door", model="door")]
        taker = own.endpoint(server.url, "echoing", api_key="${TEAM_GATEWAY_KEY}")
        path = own.suite(
            found.folder,
            items=len(ECHOES),
            judges=sections,
            candidates=[taker],
            benchmark={"limit": len(ECHOES)},
        )
        found.typed("run", path)
    assert len(served) == len(ECHOES) * (len(JUDGES) + 1)
    found.files()


def _refused_as_wrong(found: Artefacts) -> None:
    def react(ask: Ask) -> Reaction:
        key = sent_key(ask)
        said = {"error": {"message": f"Incorrect API key provided: {key}.", "code": key}}
        return Reaction(status=401, headers={"www-authenticate": f"Bearer {key}"}, payload=said)

    with Loopback(react) as server:
        done = found.typed("run", _suite(found, judges(lambda api: server.url)), code=69)
    assert all(f"check {variable}" in done.err for variable in JUDGES.values())
    found.files()


def _refused_where_it_would_be_kept(found: Artefacts) -> None:
    for address in (
        "http://127.0.0.1:1/${TEAM_GATEWAY_KEY}/v1",
        "http://user:${TEAM_GATEWAY_KEY}@127.0.0.1:1/v1",
        "http://${TEAM_GATEWAY_KEY}@127.0.0.1:1/v1",
        "http://127.0.0.1:1/v1?key=${TEAM_GATEWAY_KEY}",
        "http://127.0.0.1:1/v1#${TEAM_GATEWAY_KEY}",
        "ftp://${TEAM_GATEWAY_KEY}/v1",
        "${TEAM_GATEWAY_KEY}",
    ):
        path = _suite(found, [own.endpoint(address)])
        found.typed("run", path, code=78)
        found.typed("plan", path, code=78)
    for part in ("model", "identity", "reasoning"):
        section = own.endpoint("http://127.0.0.1:1/v1") | {part: "a-${TEAM_GATEWAY_KEY}"}
        found.typed("run", _suite(found, [section]), code=78)


def _repeated_headers(found: Artefacts) -> None:
    """What else the official clients send to the address that the environment names."""
    sent = set()

    def react(ask: Ask) -> Reaction:
        header = ask.headers[HEADER.lower()]
        sent.add(header)
        return Reaction(status=400, payload={"error": {"message": f"{HEADER} is {header}"}})

    with Loopback(react) as server, pytest.MonkeyPatch.context() as patch:
        sections = []
        for provider, at in (("openai", server.url), ("anthropic", server.origin)):
            patch.setenv(f"{provider.upper()}_BASE_URL", at)
            sections.append(own.endpoint(name=provider, provider=provider, model="some-model"))
        done = found.typed("run", _suite(found, sections, limit=1), code=75)
    assert f"{HEADER} is ***" in done.err
    assert sent == {key for variable, key in KEYS.items() if variable.endswith("HEADERS")}
    found.files()


def _printed_by_a_server(found: Artefacts) -> None:
    """Whatever it was given, in its environment and on its command line."""
    prints = "import os, sys; print(dict(os.environ), sys.argv); sys.exit(3)"
    server = {
        "command": [sys.executable, "-c", prints, "--api-key", "${TEAM_GATEWAY_KEY}"],
        "env": {"GATEWAY": "${TEAM_GATEWAY_KEY}", "SERVER_TOKEN": "${HF_TOKEN}"},
    }
    section = own.endpoint(
        "http://127.0.0.1:{port}/v1", "served", model="served", api_key="${TEAM_GATEWAY_KEY}"
    )
    path = _suite(found, [section | {"server": server}])
    done = found.typed("run", path, code=69)
    assert "ended before it was ready (exit status 3)" in done.err
    assert "'SERVER_TOKEN': '***'" in done.err


def _in_a_traceback(found: Artefacts) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault in judgebench")

    with Loopback(speaking(SPEAKERS["openai_chat"], Said())) as server:
        section = own.endpoint(server.url, "new", model="new", api_key="${TEAM_GATEWAY_KEY}")
        path = _suite(found, [section])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Writing, "put_judgment", broken)
            done = found.typed("run", path, code=70)
    assert "RuntimeError: a fault in judgebench" in done.err
    found.files()


def _reports(found: Artefacts) -> None:
    """Every command that shows something, in every format, on the screen and in files."""
    store = ("--store", runs.store_url(found.folder))
    said = found.folder / "said.csv"
    rows = "\n".join(
        f"{own.BENCHMARK},{n},taker,other,grader,preference,0.{n + 3},,\n"
        f"{own.BENCHMARK},{n},taker,,sure,score,0.{n + 3},0,1"
        for n in range(2)
    )
    said.write_text(f"benchmark,item_id,model,opponent,judge,kind,value,low,high\n{rows}\n")
    found.typed("import", "verdicts", said, *store)
    for words in (
        ("leaderboard", own.BENCHMARK),
        ("agreement", own.BENCHMARK),
        ("ranking", own.BENCHMARK),
        ("evaluators", own.BENCHMARK),
        ("confidence", own.BENCHMARK, "--correct", "openai_compatible"),
        ("runs", "list"),
        ("runs", "show", "last"),
        ("cost",),
        ("batches", "list"),
        ("doctor",),
    ):
        outputs = [f for suffix in SUFFIXES for f in ("--output", _file(found, suffix))]
        for form in FORMATS:
            found.typed(*words, *store, "--format", form)
        found.typed(*words, *store, *outputs)
    for what in ("verdicts", "responses"):
        for form in ("jsonl", "csv"):
            found.typed("export", what, *store, "--format", form)
        outputs = [f for s in (".jsonl", ".csv", ".parquet") for f in ("--output", _file(found, s))]
        found.typed("export", what, *store, *outputs)
    found.files()


LINKS = {"label": {"rater": "ann"}}
"""What a page is asked that shows nothing before."""


def _pages(found: Artefacts) -> None:
    """The dashboard as Streamlit would send it to a browser."""
    from streamlit.testing.v1 import AppTest

    two = [
        label(n, model, "someone", "correct", benchmark=own.BENCHMARK)
        for model in ("taker", "another")
        for n in range(2)
    ]
    to_compare = rows_file(found.folder / "two.jsonl", two)
    found.typed("import", "verdicts", to_compare, "--store", runs.store_url(found.folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DASHBOARDS))
        patch.setattr(sys, "argv", ["app.py"])
        patch.setenv("JUDGEBENCH_STORE", runs.store_url(found.folder))
        app = AppTest.from_file(str(DASHBOARDS / "app.py"), default_timeout=30).run()
        for page in sorted(path.stem for path in (DASHBOARDS / "views").glob("[a-z]*.py")):
            app.switch_page(f"views/{page}.py")
            app.query_params.update(LINKS.get(page, {}))
            app.run()
            assert not app.exception
            shown = [str(getattr(element, "proto", "")) for element in app]
            assert any(own.BENCHMARK in text for text in shown), f"{page}: without our results"
            found.seen[f"{len(found.seen)}: page {page}"] = "\n".join(shown).encode()


def _suite(found: Artefacts, sections: list[dict[str, Any]], *, limit: int = len(PARROTS)) -> Path:
    return own.suite(
        found.folder,
        items=len(PARROTS),
        judges=sections,
        benchmark={"limit": limit},
        # Who fails twice as often in a row as it has connections is given up.
        limits={"max_connections": len(PARROTS), "max_retries": 0},
    )


def _file(found: Artefacts, suffix: str) -> Path:
    return found.folder / f"written-{len(found.seen)}{suffix}"


# Where they are looked for ----------------------------------------------------------------------


@pytest.mark.parametrize("variable", KEYS)
def test_a_planted_key_is_nowhere(artefacts: Artefacts, variable: str) -> None:
    leaks = [
        f"{what} of {variable} in {where}"
        for what, form in forms(KEYS[variable]).items()
        for where, content in artefacts.seen.items()
        if form in content
    ]
    assert not leaks


def test_everything_was_looked_at(artefacts: Artefacts) -> None:
    """What is scanned is what there is: the parrots' words are there, and the variables' names."""
    everything = b"\n".join(artefacts.seen.values())
    said = (b"correct, says ***", b"I was sent ***", b"model-***", b"it redirects to")
    for words in (b"bad key: ***", b"Incorrect API key provided: ***", *said):
        assert words in everything
    for variable in JUDGES.values():
        assert variable.encode() in everything
    for name in (*SUFFIXES, "store.db", "store.db-wal", ".parquet", "page leaderboard", "doctor"):
        assert any(name in where for where in artefacts.seen), name


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("variable", KEYS)
def test_a_key_would_be_found_in_every_format(variable: str, form: str) -> None:
    """Also where its end is cut off, or its beginning, and whatever a format does to letters."""
    for part in (KEYS[variable][:FIRST], KEYS[variable][-LAST:]):
        cell = f"the server says: {part}"
        table = Table(title="t", columns=[Column(title="c", wraps=True)], rows=[[cell]])
        document = Document(tables=[table], records=[{"c": cell}], data=cell)
        shown = _joined(render(document, form).encode())
        assert any(looks in shown for looks in forms(KEYS[variable]).values())


def test_a_batch_carries_no_key_and_its_errors_show_none(_planted: None, tmp_path: Path) -> None:
    key = KEYS["OPENAI_API_KEY"]
    found = Artefacts(tmp_path)
    store = ("--store", runs.store_url(tmp_path))
    echo = Fault(status=400, raw=f'{{"error": {{"message": "no: {key}"}}}}'.encode())
    with OpenAIServer() as server:
        server.key = key
        section = own.endpoint(server.url, provider="openai", api_key="${OPENAI_API_KEY}")
        path = own.suite(tmp_path, judges=[section])
        server.fail("POST /v1/files", echo)
        found.typed("run", path, "--batch", code=75)
        found.typed("run", path, "--batch", code=75)
        (batch,) = server.batches.values()
        server.fail("GET /v1/batches", echo)
        found.typed("batches", "collect", *store, code=69)
        server.end(lambda n, line: server.refused(line, 400, f"not with {key}"))
        found.typed("batches", "collect", *store)
        found.typed("batches", "list", *store, "--format", "json")
        found.files()
    carried = f"{batch.lines} {batch.metadata} {server.files}".encode()
    for what, form in forms(key).items():
        assert form not in carried, what
        assert not [where for where, content in found.seen.items() if form in content], what
