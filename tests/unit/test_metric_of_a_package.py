"""A metric of an installed package: one entry, and it is right wherever numbers are shown."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from judgebench.errors import ConfigError
from judgebench.metrics.registry import heading, metric
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.compare import comparison
from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import GateTest, Policy
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.render import render
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.unit.exchanged import import_verdicts, rows_file

ENTRY = """
from judgebench.metrics.registry import Metric

def share(scores, low, high):
    return 100.0 * (scores >= high - 1)

top = Metric(name="top", title="top marks", unit="%", digits=1, of=share)

def raises(scores, low, high):
    raise ValueError("a secret of sk-123")

def nothing(scores, low, high):
    return scores * float("nan")

def endless(scores, low, high):
    return scores + float("inf")

def turned(scores, low, high):
    return scores * 1j

def text(scores, low, high):
    return "four"

def changes(scores, low, high):
    scores -= low
    low[...] = high[...] = 0
    return scores

badly = Metric(name="badly", title=5, of=share)
grossly = Metric(name="grossly", title="gross", digits="two", of=share)
awry = Metric(name="awry", title="awry", direction="up", of=share)
"""
SCORES = {"good": [4, 5, 3, 5, 4, 4, 5, 2, 5, 4], "poor": [1, 2, 4, 1, 2, 3, 1, 2, 3, 1]}
ITEMS = 60


@pytest.fixture
def offers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The entry points of a package that is found as if installed."""
    (tmp_path / "gauges.py").write_text(ENTRY)
    info = tmp_path / "gauges-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gauges\nVersion: 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield info / "entry_points.txt"
    sys.modules.pop("gauges", None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    rows = [
        {
            "benchmark": "made_up", "item_id": str(i), "model": model, "judge": "j",
            "kind": "score", "value": values[i % len(values)], "low": 1, "high": 5,
        }
        for model, values in SCORES.items()
        for i in range(ITEMS)
    ]  # fmt: skip
    with open_store(str(tmp_path / "s.db")) as opened:
        import_verdicts(opened, rows_file(tmp_path / "rows.jsonl", rows))
        yield opened


def test_one_entry_is_right_in_every_form_and_in_every_test(store: Store, offers: Path) -> None:
    offers.write_text("[judgebench.metrics]\ntop = gauges:top\n")
    assert heading("score/top", "score") == "top marks %"
    assert (metric("score/top").digits, metric("score/top").in_percent) == (1, True)
    report = Leaderboard.of(leaderboards(store, "made_up"))
    (board,) = report.to_dict()["boards"]
    of = {row["model"]: row["metrics"]["score/top"] for row in board["rows"]}
    assert (of["good"]["value"], of["poor"]["value"]) == (80.0, 10.0)
    low, high = of["good"]["low"], of["good"]["high"]
    assert 0 < low < 80.0 < high < 100
    cell = f"80.0 [{low:.1f}, {high:.1f}]"
    for form in ("table", "md", "html", "latex"):
        text = render(report.document(), form).replace("\\", "")
        assert "top marks %" in text and cell in text, form
    records = csv.DictReader(io.StringIO(render(report.document(), "csv")))
    values = {r["model"]: float(r["value"]) for r in records if r["metric"] == "score/top"}
    assert values == {"good": 80.0, "poor": 10.0}

    (test,) = comparison(store, "good", "poor", metrics=["score/top"]).tests
    assert (test.metric, test.decision, test.difference.value) == ("score/top", "better", 70.0)
    assert test.difference.units == ITEMS
    policy = Policy(tests=[GateTest(benchmark="made_up", metric="score/top", max_drop=5.0)])
    (gate,) = gate_report(store, candidate="poor", baseline="good", policy=policy).tests
    assert (gate.metric, gate.decision, gate.difference.value) == ("score/top", "regression", -70.0)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ("raises", "metric odd raised ValueError"),
        ("nothing", "metric odd made no number of any score"),
        ("endless", "metric odd made no number of any score"),
        ("turned", "metric odd raised TypeError"),
        ("text", "metric odd raised ValueError"),
    ],
)
def test_one_that_raises_or_makes_nothing_is_undefined_with_its_reason(
    store: Store, offers: Path, function: str, why: str
) -> None:
    offers.write_text(f"[judgebench.metrics]\nodd = gauges:{function}\n")
    report = Leaderboard.of(leaderboards(store, "made_up"))
    (board,) = report.to_dict()["boards"]
    for row in board["rows"]:
        assert row["metrics"]["score"]["value"] is not None
        assert row["metrics"]["score/odd"]["value"] is None
        assert row["metrics"]["score/odd"]["undefined"] == why
    text = render(report.document(), "md")
    assert f"– odd: {why}" in text
    assert "sk-123" not in text
    (test,) = comparison(store, "good", "poor", metrics=["score/odd"]).tests
    assert (test.decision, test.because) == ("undecided", why)
    assert math.isnan(test.p_value)


def test_one_that_changes_what_it_is_given_changes_no_other(store: Store, offers: Path) -> None:
    offers.write_text("[judgebench.metrics]\nchanges = gauges:changes\ntop = gauges:top\n")
    (board,) = Leaderboard.of(leaderboards(store, "made_up")).to_dict()["boards"]
    (good,) = [row["metrics"] for row in board["rows"] if row["model"] == "good"]
    values = [good[name]["value"] for name in ("score", "score/changes", "score/top")]
    assert values == pytest.approx([4.1, 3.1, 80.0])
    assert good["score"]["worst_high"] == pytest.approx(4.1)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("badly", "title: a text has to stand here, not 5"),
        ("grossly", "digits: a whole number from 0 to 12, not 'two'"),
        ("awry", "direction: 'up' is none of 'higher', 'lower', 'neither'"),
    ],
)
def test_one_that_says_of_itself_what_cannot_be_shown_is_refused(
    offers: Path, entry: str, says: str
) -> None:
    offers.write_text(f"[judgebench.metrics]\nodd = gauges:{entry}\n")
    with pytest.raises(ConfigError, match=f"^metric odd: {says}; mend or uninstall its package$"):
        metric("score/odd")
