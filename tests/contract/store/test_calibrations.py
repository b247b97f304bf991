"""Calibrations in the store: the last counts, and earlier ones stay."""

from __future__ import annotations

import pytest

from judgebench.errors import StoreError
from judgebench.records import JudgeSpec, ModelSpec
from judgebench.store.opening import open_store
from judgebench.store.read import StoredCalibration
from judgebench.store.store import Store

CONTENT = {"difficulty": {"0": 0.1 + 0.2, "1": -1.5}, "anchors": None, "reliability": 0.5}
AT = ("made_up", "v1")


def put(store: Store, reliability: float = 0.5, judge: str = "j") -> StoredCalibration:
    return store.put_calibration(
        *AT,
        judge=store.put_judge(judge, JudgeSpec(kind="imported", model=judge)),
        opponent=store.put_model("base", ModelSpec(weights="base")),
        models=["a" * 12, "b" * 12],
        content=CONTENT | {"reliability": reliability},
    )


def test_what_is_put_comes_back(store_url: str) -> None:
    with open_store(store_url) as store:
        first = put(store)
        assert store.calibrations(*AT) == [first]
        assert first.content == CONTENT
        assert first.models == ("a" * 12, "b" * 12)
        assert len(first.id) == 12
        assert store.calibrations("made_up", "v2") == []


def test_the_last_counts_and_earlier_ones_stay(store_url: str) -> None:
    with open_store(store_url) as store:
        first, again = put(store), put(store)
        assert again == first  # nothing new
        other = put(store, judge="other")
        second = put(store, 0.6)
        back = put(store)  # what an earlier one said counts again
        assert back.id == first.id
        assert [one.id for one in store.calibrations(*AT)] == [
            first.id, other.id, second.id, first.id
        ]  # fmt: skip
    with open_store(store_url, read_only=True) as store:
        assert store.calibrations(*AT)[-1] == back


def test_whom_it_is_for_has_to_be_there(store_url: str) -> None:
    with open_store(store_url) as store:
        model = store.put_model("m", ModelSpec(weights="m"))
        judge = store.put_judge("j", JudgeSpec(kind="k"))
        more = {"models": [], "content": {}}
        with pytest.raises(StoreError, match="has no judge 6d6d"):
            store.put_calibration(*AT, judge=b"m" * 32, opponent=model, **more)
        with pytest.raises(StoreError, match="has no model 6d6d"):
            store.put_calibration(*AT, judge=judge, opponent=b"m" * 32, **more)
        assert store.calibrations(*AT) == []
