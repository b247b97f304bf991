"""What a store holds is told by steps in an index, and is what counting every row gives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from judgebench.records import Failure, VerdictSlot
from judgebench.store.opening import open_store
from judgebench.store.read import FailureKind
from tests.dashboards import stores


@pytest.mark.parametrize("fill", [stores.fill, stores.fill_kinds])
def test_counts_are_those_of_every_row(store_url: str, fill: object) -> None:
    url = fill(store_url)  # type: ignore[operator]
    with open_store(url, read_only=True) as store:
        (found,) = store.holdings()
        columns = store.verdicts(stores.BENCHMARK, stores.VERSION)
        used = store.verdicts_used()[stores.BENCHMARK, stores.VERSION]
    assert (found.benchmark, found.version) == (stores.BENCHMARK, stores.VERSION)
    assert found.models == len(set(columns["model_id"]))
    assert found.judges == len(set(columns["judge_id"]))
    assert found.people == sum(judge.startswith("human") for judge in set(columns["judge"]))
    assert used.used == len(columns["model"])
    assert found.items == (48 if fill is stores.fill else 60)


def test_a_store_without_anything(store_url: str) -> None:
    with open_store(store_url) as store:
        assert store.holdings() == []
        assert store.verdicts_used() == {}
        assert set(store.last_numbers().values()) == {0}
        assert (store.newest_runs(5), store.runs("x")) == ([], [])


def test_items_that_nobody_judged_are_held(store_url: str) -> None:
    with open_store(store_url) as store:
        store.put_items(stores.items(3))
        (found,) = store.holdings()
    assert (found.items, found.models, found.judges) == (3, 0, 0)


def test_a_verdict_that_a_later_run_uses_counts_again(store_url: str) -> None:
    table = {"m": {"judge": stores.labels("+-")}}
    for run in ("first", "second"):
        url = stores.fill_with(store_url, table, run_id=run)
    with open_store(url, read_only=True) as store:
        assert store.verdicts_used()[stores.BENCHMARK, stores.VERSION].used == 4
        assert store.last_numbers()["judgments"] == 2


def test_failures_are_counted_by_where_and_what(store_url: str) -> None:
    url = stores.fill_with(store_url, {"m": {"judge": stores.labels("+-+-")}})
    with open_store(url) as store:
        (model,), (judge,) = store.models(), store.judges()
        for i, (boundary, kind, again) in enumerate(
            [("provider", "timeout", True)] * 2 + [("reader", "reader", False)]
        ):
            place = VerdictSlot(
                benchmark=stores.BENCHMARK, version=stores.VERSION, item_id=str(i),
                model_key=model.key, judge_key=judge.key,
            )  # fmt: skip
            store.put_failure(
                Failure(
                    key=bytes([i]) * 32, boundary=boundary, kind=kind, message="m",  # type: ignore[arg-type]
                    retriable=again, attempts=1, place=place, at=1.0,
                )
            )  # fmt: skip
        assert store.failure_kinds() == [
            FailureKind(boundary="provider", kind="timeout", retriable=True, n=2),
            FailureKind(boundary="reader", kind="reader", retriable=False, n=1),
        ]


def test_a_run_that_holds_no_lease_has_died(store_url: str) -> None:
    with open_store(store_url) as store:
        for name in ("killed", "alive"):
            store.start_run(stores.manifest(name, state="running"))
        store.start_run(stores.manifest("ended"))
        with store.lease("run alive"):
            assert [run.id for run in store.runs_under_way()] == ["alive"]
            told = {run.id: run.state for run in store.newest_runs(5)}
            assert told == {"ended": "done", "alive": "running", "killed": "died"}
        assert [run.id for run in store.newest_runs(1, after=1)] == ["alive"]
        assert store.last_numbers()["runs"] == 3
        (found,) = store.newest_runs(run_id="alive")
        assert found.state == "died"
        assert store.run("alive") == replace(found, state="running"), "nobody wrote that it died"
        store.update_run(replace(found, state="interrupted"))
        (told_again,) = (run for run in store.newest_runs(5) if run.id == "alive")
        assert told_again.state == "interrupted"
