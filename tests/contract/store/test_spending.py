"""What calls took adds up, by run, model and judge, and is in the commit of its reply."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from judgebench import keys
from judgebench.errors import StoreError
from judgebench.records import (
    ChatRequest,
    JudgeSpec,
    ModelSpec,
    Purpose,
    Reply,
    RunManifest,
    Spend,
    Usage,
    VerdictSlot,
)
from judgebench.store.opening import open_store
from judgebench.store.read import COUNTERS
from judgebench.store.store import Store
from tests.postgres import beside

MODEL, JUDGE = ModelSpec(weights="m"), JudgeSpec(kind="rubric")
PLACE = VerdictSlot(
    benchmark="support",
    version="v1",
    item_id="0",
    model_key=keys.model_key(MODEL),
    judge_key=keys.judge_key(JUDGE),
)
LIVE = Spend(
    purpose=Purpose(run_id="run-1", place=PLACE),
    how="live",
    provider="openai",
    model="judge-1",
    usage=Usage(
        prompt_tokens=100,
        completion_tokens=5,
        cached_tokens=64,
        cache_write_tokens=20,
        reasoning_tokens=2,
    ),
    cost_usd=0.25,
)
SPEND_COLUMNS = (
    "run_id", "benchmark", "version", "model", "model_id", "judge", "judge_id", "how", "provider",
    "requested_model", *COUNTERS,
)  # fmt: skip
REQUEST = ChatRequest(provider="openai", model="judge-1", messages=())
KEY = keys.request_key(REQUEST)


def start(store: Store, run_id: str) -> None:
    store.start_run(
        RunManifest(
            id=run_id, name="n", configuration={}, versions={}, git_sha=None, data_sha={},
            seeds={}, started=1.0,
        )
    )  # fmt: skip


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as opened:
        opened.put_model("tuned", MODEL)
        opened.put_judge("rubric", JUDGE)
        start(opened, "run-1")
        yield opened


def of(run_id: str = "run-1", **place: object) -> Purpose:
    return Purpose(run_id=run_id, place=dataclasses.replace(PLACE, **place))  # type: ignore[arg-type]


def told(store: Store, *names: str, run_id: str | None = None) -> list[tuple[object, ...]]:
    columns = store.spend(run_id)
    return list(zip(*(columns[name] for name in names), strict=True))


def test_nothing_spent_is_no_row(store: Store) -> None:
    store.put_spend([])
    assert store.spend() == {name: [] for name in SPEND_COLUMNS}
    assert store.spend("no such run") == store.spend()


def test_calls_of_one_model_and_judge_are_one_row_whatever_the_item(store: Store) -> None:
    store.put_spend([LIVE, dataclasses.replace(LIVE, purpose=of(item_id="1", repeat=2))])
    store.put_spend([dataclasses.replace(LIVE, purpose=of(sample=3), calls=10)])
    columns = store.spend()
    assert tuple(columns) == SPEND_COLUMNS
    assert {name: values[0] for name, values in columns.items()} == {
        "run_id": "run-1", "benchmark": "support", "version": "v1", "model": "tuned",
        "model_id": PLACE.model_key.hex()[:12], "judge": "rubric",
        "judge_id": PLACE.judge_key.hex()[:12], "how": "live", "provider": "openai",
        "requested_model": "judge-1", "calls": 12, "unpriced_calls": 0, "prompt_tokens": 300,
        "completion_tokens": 15, "cached_tokens": 192, "cache_write_tokens": 60,
        "reasoning_tokens": 6, "cost_usd": 0.75,
    }  # fmt: skip
    assert len(columns["calls"]) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"how": "wasted"},
        {"provider": "gateway"},
        {"model": "judge-2"},
        {"purpose": of("run-2")},
        {"purpose": of(version="v2")},
        {"purpose": of(judge_key=b"")},
        {"purpose": of(model_key=keys.model_key(ModelSpec(weights="other")))},
    ],
)
def test_what_is_told_apart(store: Store, other: dict[str, object]) -> None:
    start(store, "run-2")
    store.put_model("other", ModelSpec(weights="other"))
    store.put_spend([LIVE, dataclasses.replace(LIVE, **other)])  # type: ignore[arg-type]
    assert told(store, "calls", "cost_usd") == [(1, 0.25), (1, 0.25)]


def test_an_answer_has_no_judge_and_a_run_can_be_asked_for(store: Store) -> None:
    start(store, "run-2")
    answer = dataclasses.replace(LIVE, purpose=of("run-2", judge_key=b""))
    store.put_spend([answer, LIVE])
    assert told(store, "run_id", "judge", "judge_id") == [
        ("run-1", "rubric", PLACE.judge_key.hex()[:12]),
        ("run-2", None, None),
    ]
    assert told(store, "run_id", run_id="run-2") == [("run-2",)]


@pytest.mark.parametrize("unknown", [None, math.nan, math.inf])
def test_an_unknown_price_is_counted_and_spoils_no_sum(store: Store, unknown: float | None) -> None:
    nothing_said = dataclasses.replace(LIVE, cost_usd=unknown, usage=Usage(), calls=3)
    store.put_spend([nothing_said])
    assert told(store, "calls", "unpriced_calls", "cost_usd") == [(3, 3, 0.0)]
    store.put_spend([LIVE])
    assert told(store, *COUNTERS) == [(4, 3, 100, 5, 64, 20, 2, 0.25)]


def test_a_reply_and_what_it_took_are_one_commit(store: Store) -> None:
    lost = dataclasses.replace(LIVE, purpose=of("no such run"))
    with pytest.raises(StoreError, match=r"no run 'no such run'; start_run\(\) must come first"):
        store.put_reply(KEY, REQUEST, Reply(text="A"), lost)
    assert store.reply(KEY) is None
    store.put_reply(KEY, REQUEST, Reply(text="A"), LIVE)
    assert store.reply(KEY) == Reply(text="A")
    # Two processes may have asked at once: one reply counts, both were paid for.
    store.put_reply(KEY, REQUEST, Reply(text="B"), LIVE)
    assert store.reply(KEY) == Reply(text="A")
    assert told(store, "calls", "cost_usd") == [(2, 0.5)]


def test_names_that_no_database_can_hold_do_not_lose_a_reply(store: Store) -> None:
    odd = dataclasses.replace(LIVE, model="judge \ud800", provider="nul\0")
    store.put_reply(KEY, REQUEST, Reply(text="A"), odd)
    assert told(store, "provider", "requested_model") == [("nul�", "judge �")]


def test_more_tokens_than_fit_in_32_bits_add_up(store: Store) -> None:
    many = dataclasses.replace(LIVE, usage=Usage(prompt_tokens=3_000_000_000))
    store.put_spend([many, many])
    assert told(store, "prompt_tokens") == [(6_000_000_000,)]


def test_the_view_of_spending_tells_what_the_columns_tell(store: Store) -> None:
    for how in ("live", "batch", "recorded", "retried", "wasted"):
        store.put_spend([dataclasses.replace(LIVE, how=how)])
    store.put_spend([dataclasses.replace(LIVE, purpose=of(judge_key=b""), cost_usd=None)])
    store.put_model("renamed", MODEL)
    columns = store.spend()
    assert sorted(columns["how"]) == ["batch", "live", "live", "recorded", "retried", "wasted"]
    with beside(store.url) as connection:
        for view in ("spend_v1", "spend_v2"):
            found = connection.execute(text(f"SELECT * FROM {view}"))
            names = list(found.keys())
            assert sorted(found, key=str) == sorted(told(store, *names), key=str)
    assert set(columns["model"]) == {"renamed"}
