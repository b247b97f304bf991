"""A run whose judge asks in batches: what the tests of batches have in common."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from judgebench import keys
from judgebench.config import Endpoint
from judgebench.execution.batch import Look, collect, submit
from judgebench.providers.batch import Batches, batches_of
from judgebench.records import (
    Batch,
    ChatRequest,
    Item,
    JudgeSpec,
    Message,
    ModelSpec,
    Purpose,
    Request,
    RunManifest,
    VerdictSlot,
)
from judgebench.secret import Secret
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.wire.batch_servers import KEY, AnthropicServer, OpenAIServer

MODEL = ModelSpec(weights="hub:org/model@1")
JUDGE = JudgeSpec(kind="reference", provider="openai", model="gpt-4o-2024-08-06")
MODEL_KEY, JUDGE_KEY = keys.model_key(MODEL), keys.judge_key(JUDGE)
ENVIRONMENT = {"TEAM_KEY": KEY}
Server = OpenAIServer | AnthropicServer


class Quiet:
    """Progress that nobody looks at."""

    def stage(self, name: str, total: int | None) -> None: ...

    def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None: ...

    def meter(self, figures: object) -> None: ...

    def say(self, message: str) -> None: ...


def new_store(path: Path, server: Server) -> Store:
    """A store with a run whose suite asks this server."""
    store = open_store(str(path))
    store.put_model("candidate", MODEL)
    store.put_judge("judge", JUDGE)
    store.put_items([item(i) for i in range(10)])
    store.start_run(manifest(server))
    return store


def provider_of(server: Server) -> str:
    return "openai" if isinstance(server, OpenAIServer) else "anthropic"


def manifest(server: Server, **more: Any) -> RunManifest:
    endpoint = {
        "provider": provider_of(server),
        "model": "gpt-4o-2024-08-06" if isinstance(server, OpenAIServer) else "claude-opus-4-5",
        "base_url": server.url,
        "api_key": "${TEAM_KEY}",
        "price": {"input": 2.0, "output": 10.0, "batch": 0.5},
    }
    other = {"name": "other", "provider": "openai", "model": "x", "api_key": "${OTHER_KEY}"}
    configuration = {
        "name": "nightly",
        "models": [{"name": "judge", "api": endpoint | {"model": "of-the-model"}}],
        "judges": [other, {"name": "judge", "batch": True, **endpoint}],
        "benchmarks": [{"name": "trivia", "judges": ["judge"]}],
        **more,
    }
    return RunManifest(
        id="run-1",
        name="nightly",
        configuration=configuration,
        versions={},
        git_sha=None,
        data_sha={},
        seeds={},
        started=1.0,
    )


def item(number: int) -> Item:
    turns = (Message(role="user", content=f"Who is {number}?"),)
    return Item(benchmark="trivia", version="v1", id=str(number), turns=turns)


def questions(n: int, *, judge_key: bytes = JUDGE_KEY) -> dict[bytes, Request]:
    asked: dict[bytes, Request] = {}
    for i in range(n):
        place = VerdictSlot(
            benchmark="trivia",
            version="v1",
            item_id=str(i),
            model_key=MODEL_KEY,
            judge_key=judge_key,
        )
        request = ChatRequest(
            provider="them",
            model="gpt-4o-2024-08-06",
            messages=(Message(role="user", content=f"question {i}"),),
            purpose=Purpose(run_id="run-1", place=place),
        )
        asked[keys.request_key(request)] = request
    return asked


def interface_for(server: Server) -> Batches:
    key = Secret(KEY, variable="TEAM_KEY")
    return batches_of(Endpoint(provider=provider_of(server), base_url=server.url, api_key=key))


def submitted(store: Store, server: Server, asked: dict[bytes, Request]) -> list[Batch]:
    with closing(interface_for(server)) as interface:
        return submit(store, "run-1", "judge", provider_of(server), interface, asked)


def collected(store: Store, **more: Any) -> list[Look]:
    return collect(store, **({"environment": ENVIRONMENT, "progress": Quiet()} | more))


def replies(store: Store, asked: dict[bytes, Request]) -> list[str | None]:
    found = (store.reply(key) for key in asked)
    return [None if reply is None else reply.text for reply in found]


def spent(store: Store) -> dict[str, tuple[int, float]]:
    columns = store.spend()
    rows = zip(columns["how"], columns["calls"], columns["cost_usd"], strict=True)
    return {how: (calls, cost) for how, calls, cost in rows}
