"""What a call costs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from judgebench.config import Endpoint, PriceConfig, ServerConfig
from judgebench.providers.prices import LOCAL, PriceTable, price_of
from judgebench.records import Price, Usage
from tests.table import over_rows

TABLE, SERVER = PriceTable.load(), ServerConfig(command=["true"])


def known(provider: str, model: str, **where: Any) -> Price | None:
    return price_of(Endpoint(provider=provider, model=model, **where))


def usage(prompt: int | None, completion: int | None, cached: int | None = None) -> Usage:
    return Usage(prompt_tokens=prompt, completion_tokens=completion, cached_tokens=cached)


def test_a_call_costs_its_tokens() -> None:
    price = Price(input=2.0, output=8.0, cached_input=0.5)
    assert price.cost(usage(1_000_000, 0)) == 2
    assert price.cost(usage(0, 1_000_000)) == 8
    assert price.cost(usage(1_000_000, 0, cached=500_000)) == 1.25
    assert price.cost(usage(1_000_000, 1_000_000), batch=True) == 5


def test_cached_tokens_cost_as_much_as_others_where_nothing_else_is_said() -> None:
    assert Price(input=2.0, output=8.0).cost(usage(1_000_000, 0, cached=900_000)) == 2


def test_more_cached_tokens_than_tokens_are_no_discount() -> None:
    price = Price(input=2.0, output=8.0, cached_input=0.0)
    assert price.cost(usage(100, 0, cached=1_000_000)) == 0


def test_no_token_is_paid_for_twice_however_many_a_server_says_were_cached() -> None:
    """80 of 100 read from the cache leave 20 that can have been written to it, and none beside."""
    price = Price(input=2.0, output=8.0, cached_input=0.5, cache_write=4.0)
    said = Usage(prompt_tokens=100, completion_tokens=0, cached_tokens=80, cache_write_tokens=50)
    assert price.cost(said) == pytest.approx((80 * 0.5 + 20 * 4.0) / 1e6)


@over_rows("said", [Usage(), usage(5, None), usage(None, 5)])
def test_what_nobody_counted_has_no_cost(said: Usage) -> None:
    price = Price(input=2.0, output=8.0)
    assert price.cost(said) is None
    assert LOCAL.cost(said) == 0


def test_a_long_prompt_costs_more_from_its_first_token() -> None:
    price = Price(input=2.0, output=10.0, long_above=272_000, long_input=2.0, long_output=1.5)
    assert price.cost(usage(272_000, 1000)) == pytest.approx(0.544 + 0.01)
    assert price.cost(usage(272_001, 1000)) == pytest.approx(2 * 0.544 + 0.015, rel=1e-4)


def test_the_most_reads_no_cache_and_writes_it_all() -> None:
    price = Price(input=3.0, output=15.0, cached_input=0.3, cache_write=3.75)
    assert price.most(1_000_000, 1_000_000) == 18.75
    assert price.most(1_000_000, 1_000_000, batch=True) == 9.375


# The table --------------------------------------------------------------------------------------


def test_the_table_says_where_and_of_when_it_is() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", TABLE.as_of)
    assert "litellm 1.108.7" in TABLE.source
    price = known("openai", "gpt-4o")
    assert price is not None
    assert TABLE.as_of in price.source


@over_rows(
    ("provider", "model", "prices"),
    [
        ("openai", "gpt-4o", (2.5, 1.25, 10.0)),
        ("openai", "gpt-4o-2024-11-20", (2.5, 1.25, 10.0)),
        ("openai", "gpt-4o-2024-05-13", (5.0, None, 15.0)),
        ("openai", "gpt-4-1106-preview", (10.0, None, 30.0)),
        ("openai", "gpt-5", (1.25, 0.125, 10.0)),
        ("openai", "gpt-5-pro-2025-10-06", (15.0, None, 120.0)),
        ("openai", "o4-mini", (1.1, 0.275, 4.4)),
        ("anthropic", "claude-haiku-4-5-20251001", (1.0, 0.1, 5.0)),
    ],
)
def test_models_by_name_and_by_snapshot(
    provider: str, model: str, prices: tuple[float | None, ...]
) -> None:
    price = known(provider, model)
    assert price is not None
    assert (price.input, price.cached_input, price.output) == prices


@over_rows(
    ("provider", "model"),
    [
        ("openai", "gpt-4o-audio-preview"),
        ("openai", "gpt-5-ultra"),
        ("openai", "gpt-"),
        ("anthropic", "gpt-4o"),
        ("openai_compatible", "gpt-4o"),
        ("openai_compatible", ""),
    ],
)
def test_nothing_is_guessed_from_a_name(provider: str, model: str) -> None:
    assert known(provider, model, base_url="https://gateway.example/v1") is None


@over_rows(
    ("provider", "where"),
    [
        ("local", {}),
        ("reward_model", {}),
        ("scripted", {}),
        ("openai_compatible", {"base_url": "http://127.0.0.1:8000/v1"}),
        ("openai_compatible", {"base_url": "http://localhost:8000/v1"}),
        ("openai_compatible", {"base_url": "http://[::1]:8000/v1"}),
        ("openai_compatible", {"base_url": "http://node7:8000/v1", "server": SERVER}),
    ],
)
def test_what_runs_here_costs_nothing_and_says_so(provider: str, where: dict[str, Any]) -> None:
    price = known(provider, "m", **where)
    assert price is LOCAL
    assert (price.source, price.cost(Usage())) == ("local", 0)


def test_a_paid_model_costs_its_price_behind_a_tunnel_too() -> None:
    price = known("openai", "gpt-4o", base_url="http://127.0.0.1:4000/v1")
    assert price is not None
    assert price.input == 2.5


@over_rows("model", ["gpt-4o", "openai/gpt-4o", "azure/eu/gpt-4o-2024-08-06"])
def test_what_has_the_name_of_a_paid_model_on_loopback_is_a_gateway_to_it(model: str) -> None:
    price = known("openai_compatible", model, base_url="http://127.0.0.1:4000/v1")
    assert price is known("openai", model.rpartition("/")[2])
    own = known("openai_compatible", model, base_url="http://127.0.0.1/v1", server=SERVER)
    assert own is LOCAL


def test_the_table_makes_sense() -> None:
    for models in TABLE.models.values():
        for name, price in models.items():
            assert 0 < price.input <= price.output, name
            assert (price.cached_input or 0) < price.input <= (price.cache_write or price.input), (
                name
            )
            assert price.batch in {0.5, 1.0}, name
            assert price.max_output_tokens is not None, name
            assert price.max_output_tokens >= 4096, name
    long = {n for models in TABLE.models.values() for n, p in models.items() if p.long_input > 1}
    assert {"gpt-5.5", "claude-haiku-5-5"} <= long


# Of an endpoint ---------------------------------------------------------------------------------


def test_what_a_suite_states_wins() -> None:
    stated = PriceConfig(input=7.0, output=8.0)
    price = price_of(Endpoint(provider="openai", model="gpt-4o", price=stated))
    assert price is not None
    assert (price.input, price.output, price.source) == (7.0, 8.0, "the suite")
    assert (
        price_of(
            Endpoint(
                provider="openai_compatible",
                model="m",
                base_url="http://127.0.0.1:{port}/v1",
                server=ServerConfig(command=["true"]),
            )
        )
        is LOCAL
    )


def test_a_stated_price_says_nothing_of_how_long_a_reply_gets_or_what_a_cache_write_costs() -> None:
    known = Price(input=3, output=15, cache_write=3.75, max_output_tokens=64_000)
    stated = Price(input=2, output=10, cached_input=0.2).beside(known)
    assert (stated.input, stated.output, stated.cached_input) == (2, 10, 0.2)
    assert (stated.cache_write, stated.max_output_tokens) == (2.5, 64_000)
    alone = Price(input=2, output=10)
    assert alone.beside(None) == alone.beside(LOCAL) == alone
