"""Baselines in the store: the last of a name counts, and earlier ones stay."""

from __future__ import annotations

import pytest

from judgebench.errors import StoreError
from judgebench.records import ModelSpec
from judgebench.store.opening import open_store
from judgebench.store.read import StoredBaseline
from judgebench.store.store import Store


def put(store: Store, model: str, name: str = "main", version: str = "v1") -> StoredBaseline:
    key = store.put_model(model, ModelSpec(weights=model))
    return store.put_baseline(name, "made_up", version, model=key)


def test_what_is_put_comes_back_and_the_last_counts(store_url: str) -> None:
    with open_store(store_url) as store:
        assert store.baselines() == []
        first, again = put(store, "a"), put(store, "a")
        assert again == first  # nothing new
        other = put(store, "a", "last-green")
        version = put(store, "a", version="v2")
        second = put(store, "b")
        back = put(store, "a")
        assert store.baselines() == [first, other, version, second, back]
        assert back.model_key == first.model_key
        assert back.model_id == first.model_key.hex()[:12]
    with open_store(store_url, read_only=True) as store:
        assert store.baselines()[-1] == back


def test_the_model_and_the_run_have_to_be_there(store_url: str) -> None:
    with open_store(store_url) as store:
        with pytest.raises(StoreError):
            store.put_baseline("main", "made_up", "v1", model=b"k" * 32)
        key = store.put_model("a", ModelSpec(weights="a"))
        with pytest.raises(StoreError):
            store.put_baseline("main", "made_up", "v1", model=key, run_id="nobody")
        assert store.baselines() == []
