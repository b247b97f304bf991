"""One pair of models on one store has one difference, interval and n, whoever shows it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from judgebench.metrics.intervals import Intervals
from judgebench.reports.compare import comparison
from judgebench.reports.estimates import to_json
from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import GateTest, Policy
from judgebench.reports.nights import nights
from judgebench.reports.render import render
from judgebench.reports.run_diff import run_diff
from judgebench.store.store import Store
from tests.unit.two_runs import JUDGE, Judged, put_run

LEVEL = 0.95
RUBRIC = replace(JUDGE, kind="rubric")
BASE = Judged(said="", model="base", weights="w:b")


def drawn(letters: str, n: int, seed: int, share: float) -> str:
    """Two letters, the second with the given chance, on each of n items."""
    chance = np.random.default_rng(seed).random(n)
    return "".join(letters[int(one < share)] for one in chance)


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "label": ("+-", {}),
    "score": ("ab", {"spec": RUBRIC}),
    "preference": ("12", {"opponent": BASE}),
}


def estimates_of(store: Store, kind: str, before: str, after: str) -> dict[str, dict[str, Any]]:
    """The difference of tonight's model from last night's as the JSON of each report has it."""
    how = KINDS[kind][1]
    runs = [
        put_run(store, name, Judged(said=said, model=name, weights=f"w:{name}", **how))
        for name, said in (("old", before), ("new", after))
    ]
    both = comparison(store, "new", "old", level=LEVEL)
    policy = Policy(tests=[GateTest(benchmark="made_up", max_drop=0.5)], alpha=(1 - LEVEL) / 2)
    gate = gate_report(store, candidate="new", baseline="old", policy=policy)
    # By name nobody in the second run is the first one's model: the run calls both the same.
    for run in ("one", "two"):
        name, said = ("old", before) if run == "one" else ("new", after)
        judged = Judged(said=said, model="policy", weights=f"w:{name}", **how)
        runs.append(put_run(store, run, judged))
    diff = run_diff(store, runs[2], runs[3], intervals=Intervals(level=LEVEL, n_replicates=50))
    page = gate.document(gate.texts(store), answers=True)
    judge, opponent = store.judges()[0].id, how.get("opponent") and "base"
    by_name = {name: model.id for model in store.models() for name in model.names}
    tonight = nights(
        store, "made_up", "1", judge, "policy", policy=policy,
        opponent_id=opponent and by_name[opponent],
    ).nights[-1]  # fmt: skip
    assert tonight.difference is not None
    found = {
        "compare": both.to_dict()["tests"][0]["difference"],
        "gate": gate.to_dict()["tests"][0]["difference"],
        "runs diff": diff.to_dict()["moved"][0]["difference"],
        "page": page.data["tests"][0]["difference"],
        "nights": to_json(tonight.difference),
    }
    assert render(page, "html")
    return found


@pytest.mark.parametrize("missing", ["", "?"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_pair_has_one_difference_everywhere(store: Store, kind: str, missing: str) -> None:
    letters = KINDS[kind][0]
    before, after = drawn(letters, 40, 1, 0.3), drawn(letters, 40, 2, 0.5)
    if missing:
        before, after = f"?{before[1:]}", f"{after[:-2]}??"
    found = estimates_of(store, kind, before, after)
    base = found["compare"]
    for name, one in found.items():
        for field in ("value", "n", "units", "missing", "method"):
            assert one[field] == base[field], (name, field)
        assert one["level"] == pytest.approx(LEVEL), name
        assert one["high"] == base["high"], name
        if base["method"] == "Tango's score test" or name == "runs diff":
            # What lets a gate pass is Student's bound elsewhere, which is as far or further.
            assert one["low"] == base["low"], name
        else:
            assert -math.inf < one["low"] < base["high"], name
    if missing:
        assert base["missing"] == 3
        assert (found["runs diff"]["worst_low"], found["runs diff"]["worst_high"]) == (
            pytest.approx(base["worst_low"]), pytest.approx(base["worst_high"]),
        )  # fmt: skip


def test_each_report_is_a_frame_a_chart_and_a_page_of_a_notebook(store: Store) -> None:
    before, after = drawn("+-", 40, 1, 0.3), drawn("+-", 40, 2, 0.5)
    runs = [
        put_run(store, name, Judged(said=said, model="policy", weights=f"w:{name}"))
        for name, said in (("old", before), ("new", after))
    ]
    ids = {model.names[0]: model.id for model in store.models()}
    assert set(ids) == {"policy"}
    two = [model.id for model in store.models()]
    both = comparison(store, two[1], two[0])
    policy = Policy(tests=[GateTest(benchmark="made_up", max_drop=0.1)])
    gate = gate_report(store, candidate=two[1], baseline=two[0], policy=policy)
    diff = run_diff(store, *runs, intervals=Intervals(n_replicates=50))
    for report in (both, gate):
        (row,) = report.to_frame().to_dict("records")
        (test,) = report.to_dict()["tests"]
        assert row["difference_value"] == test["difference"]["value"]
        assert row["coverage_candidate"] == test["coverage"]["candidate"] == 1.0
        drawing = report.plot().to_dict()
        (values,) = drawing["datasets"].values()
        assert values[0]["difference_high"] == test["difference"]["high"]
        assert values[0]["benchmark, judge"] == "made_up, judge"
        assert drawing["resolve"] == {"scale": {"x": "independent"}}  # of each metric its own
        assert "made_up" in report._repr_html_()
    frame = diff.to_frame()
    assert list(frame["row"]) == ["changed", "moved"]
    assert frame["difference_value"].iloc[1] == both.tests[0].difference.value
    assert "what moved" in diff._repr_html_()
    json.dumps([one.to_dict() for one in (both, gate, diff)], allow_nan=False)
