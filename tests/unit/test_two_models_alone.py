"""Two models by their ids are compared as among all: what is not read would not have counted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from judgebench.reports import compare
from judgebench.reports.model_pairs import PairData
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.contract.store.test_board_columns import BENCHMARK, VERSION, fill


@pytest.fixture(params=range(4))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        fill(opened, random.Random(request.param))
        yield opened


def test_the_numbers_are_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [model.id for model in store.models()]
    asked: list[object] = []

    def reading(*given: object) -> PairData:
        asked.append(given[2])
        return PairData(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(compare, "PairData", reading)
    alone = compare.comparison(store, ids[0], ids[1])
    assert asked[0] == [ids[0], ids[1]]
    monkeypatch.setattr(
        compare, "PairData", lambda store, benchmark, only: PairData(store, benchmark)
    )
    among = compare.comparison(store, ids[0], ids[1])
    assert alone.tests
    assert repr(alone) == repr(among)


def test_who_was_met_is_who_boards_name(store: Store) -> None:
    met = {model.id for model in store.models_met(BENCHMARK, VERSION)}
    data = PairData(store, f"{BENCHMARK}@{VERSION}").board
    assert met == set(data.models) == {model.id for model in store.models()}
    only = PairData(store, f"{BENCHMARK}@{VERSION}", list(met)[:1]).board
    assert only.models == data.models
    assert len(only.heard_of) == len(met)


def test_nobody_is_met_where_nothing_is(store: Store) -> None:
    assert store.models_met("no such", VERSION) == []
