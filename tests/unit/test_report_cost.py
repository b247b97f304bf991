"""What runs took: sums by who was asked, unknown prices, and the command that prints them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from judgebench.cli.runs import cost as command
from judgebench.errors import UsageError
from judgebench.execution.forecast import Range
from judgebench.records import (
    How,
    JudgeSpec,
    ModelSpec,
    Purpose,
    RunManifest,
    Spend,
    Usage,
    VerdictSlot,
)
from judgebench.reports.cost import cost_report, cost_table
from judgebench.store.opening import open_store
from judgebench.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "s.db")) as opened:
        for n, name in enumerate(("first", "second")):
            opened.start_run(
                RunManifest(
                    id=f"{name}-{n}", name=name, configuration={}, versions={}, git_sha=None,
                    data_sha={}, seeds={}, started=float(n),
                )
            )  # fmt: skip
        yield opened


def took(
    store: Store, how: How, calls: int, cost: float | None, *, judge: str | None = "j",
    spec: str = "", run: str = "first-0", tokens: int = 10,
) -> None:  # fmt: skip
    model = store.put_model("m", ModelSpec(weights="m"))
    judge_key = store.put_judge(judge, JudgeSpec(kind="pairwise", model=spec)) if judge else b""
    place = VerdictSlot(
        benchmark="made_up", version="1", item_id="0", model_key=model, judge_key=judge_key
    )
    usage = Usage(prompt_tokens=tokens * calls, completion_tokens=calls)
    spend = Spend(
        purpose=Purpose(run_id=run, place=place), how=how, provider="openai", model="gpt",
        usage=usage, cost_usd=cost, calls=calls,
    )  # fmt: skip
    store.put_spend([spend])


def row(store: Store, **more: Any) -> dict[str, Any]:
    (found,) = cost_report(store, **more).document().records
    return dict(found)


def test_what_was_sent_is_told_from_what_was_on_record(store: Store) -> None:
    took(store, "live", 4, 1.0)
    took(store, "batch", 6, 0.75)
    took(store, "recorded", 5, 1.25)
    found = row(store)
    assert (found["asker"], found["role"]) == ("j", "judge")
    assert [found[f"{how}_calls"] for how in ("live", "batch", "recorded")] == [4, 6, 5]
    assert (found["prompt_tokens"], found["completion_tokens"]) == (100, 10)
    assert (found["cost_usd"], found["saved_usd"], found["unpriced_calls"]) == (1.75, 1.25, 0)


def test_attempts_that_failed_cost_nothing_or_an_upper_bound(store: Store) -> None:
    took(store, "retried", 3, None)
    took(store, "wasted", 2, 0.5)
    found = row(store)
    assert (found["retried_calls"], found["wasted_calls"], found["cost_usd"]) == (3, 2, 0.5)
    assert (found["prompt_tokens"], found["unpriced_calls"]) == (20, 0)
    (table,) = cost_report(store).document().tables
    assert any("upper bound" in note for note in table.notes)


def test_an_unknown_price_is_never_counted_as_nothing(store: Store) -> None:
    took(store, "live", 4, None)
    took(store, "recorded", 4, None)
    found = row(store)
    assert (found["cost_usd"], found["saved_usd"], found["unpriced_calls"]) == (None, None, 4)
    took(store, "live", 1, 0.5)
    found = row(store)
    assert (found["cost_usd"], found["unpriced_calls"]) == (0.5, 4)
    (table,) = cost_report(store).document().tables
    assert "≥ 0.5000" in table.rows[0]
    assert table.notes[0].startswith("calls without a known price: 4")


def test_answers_are_asked_of_the_model_and_runs_add_up(store: Store) -> None:
    took(store, "live", 1, 0.1, judge=None)
    took(store, "live", 2, 0.2)
    took(store, "live", 3, 0.3, run="second-1")
    whole = cost_report(store).document()
    assert [(r["run_id"], r["role"], r["live_calls"]) for r in whole.records] == [
        ("first-0", "candidate", 1),
        ("first-0", "judge", 2),
        ("second-1", "judge", 3),
    ]
    assert whole.data["total"]["cost_usd"] == pytest.approx(0.6)
    assert row(store, run_id="second-1")["live_calls"] == 3


def test_two_judges_of_one_name_are_two(store: Store) -> None:
    took(store, "live", 1, 0.1, spec="old")
    took(store, "live", 2, 0.2, spec="new")
    asked = [found["asker"] for found in cost_report(store).document().records]
    assert len(set(asked)) == 2
    assert all(name.startswith("j@") for name in asked)


def test_the_forecast_stands_beside_what_was_spent(store: Store) -> None:
    took(store, "live", 1, 0.1, judge="dear")
    took(store, "live", 1, None, judge="odd")
    forecast = {"dear": Range(low=1, expected=2, high=3), "odd": None, "unasked": Range(high=9)}
    table = cost_table(store.spend(), forecast)
    said = {line[0]: line[-1] for line in table.rows}
    assert said == {
        "dear": "2.0000 (1.0000 to 3.0000)",
        "odd": "not known",
        "unasked": "0.0000 (0.0000 to 9.0000)",
        "all": "not known",
    }
    del forecast["odd"]
    assert cost_table(store.spend(), forecast).rows[-1][-1] == "2.0000 (1.0000 to 12.0000)"


def test_nothing_on_record_is_said(store: Store) -> None:
    document = cost_report(store).document()
    assert (document.records, document.tables[0].rows) == ([], [])
    assert document.tables[0].notes == ["no call is on record"]
    assert document.data["total"]["cost_usd"] == 0.0


def test_the_command_takes_a_run_by_the_beginning_of_its_id(store: Store) -> None:
    took(store, "live", 1, 0.1)
    took(store, "live", 2, 0.2, run="second-1")

    def printed(*arguments: str) -> dict[str, Any]:
        options = ["--store", store.url, "--format", "json"]
        result = CliRunner().invoke(command, [*arguments, *options], catch_exceptions=False)
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    assert printed("sec")["total"]["live_calls"] == 2
    assert printed("last")["total"]["live_calls"] == 2
    assert printed()["total"]["live_calls"] == 3
    with pytest.raises(UsageError, match="no run called 'third'"):
        printed("third")
