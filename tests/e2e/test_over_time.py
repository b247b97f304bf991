"""`judgebench nights` and `judgebench training`: what the page says, in a terminal and in files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

import judgebench
from judgebench.store.opening import open_store
from tests.dashboards import night_stores, stores
from tests.e2e import runs


@pytest.fixture(scope="module")
def nightly(tmp_path_factory: pytest.TempPathFactory) -> str:
    return night_stores.fill(tmp_path_factory.mktemp("nights") / "s.db")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    return night_stores.train(tmp_path_factory.mktemp("training") / "s.db")


def typed(*words: str | Path) -> tuple[int, str, str]:
    done = runs.typed(*words)
    return done.code, done.out, done.err


def in_json(*words: str) -> dict[str, Any]:
    code, out, err = typed(*words, "--format", "json")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def test_each_night_has_its_decision_and_the_evidence_of_a_slide(nightly: str) -> None:
    found = in_json("nights", "nightly", "--store", nightly)
    assert (found["benchmark"], found["judge"], found["metric"]) == (
        stores.BENCHMARK, "reader", "accuracy",
    )  # fmt: skip
    assert [one["decision"] for one in found["nights"]] == [
        None, "pass", "pass", "regression", "pass", "inconclusive", "inconclusive", "inconclusive",
    ]  # fmt: skip
    fallen = found["nights"][3]
    assert fallen["difference"]["high"] < 0 < fallen["p_value"] < 0.001
    assert fallen["slide"]["e_value"] > 20
    assert found["nights"][5]["because"].startswith("stack changed")
    assert [one["changed"] for one in found["nights"][5:7]] == [["stack"], ["judge"]]
    assert found["nights"][1]["cost"]["unpriced_calls"] == 9
    assert found["drift"]["state"].startswith("drift since")
    assert found["slide"]["nights"] == 3
    with open_store(nightly, read_only=True) as store:
        from_python = judgebench.nights("nightly", store=store)
    assert from_python.to_dict() == found


def test_nights_stand_beside_a_baseline_and_in_every_format(nightly: str, tmp_path: Path) -> None:
    words = ("nights", "nightly", stores.BENCHMARK, "--judge", "reader", "--store", nightly)
    code, out, err = typed(*words, "--against", "last-green", "--fixed", "last-green")
    assert (code, err) == (0, "")
    assert "each night beside the baseline last-green, as it then was" in out
    assert "last-green was not set yet" in out
    assert "allowed drop 6 points" in out
    assert "a night: accuracy" not in out
    code, out, _ = typed(*words, "--format", "csv", "--max-drop", "0.02", "--newest", "3")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["decision"] for row in rows] == ["inconclusive"] * 3
    assert [row["changed"] for row in rows] == ["", "judge", ""]  # the first of them is the first
    for name in ("n.md", "n.html", "n.tex"):
        assert typed(*words, "--output", tmp_path / name)[0] == 0
        assert "reader" in (tmp_path / name).read_text(encoding="utf-8")


def test_a_policy_decides_nights_at_its_drop_and_alpha(nightly: str, tmp_path: Path) -> None:
    policy = tmp_path / "gate.yaml"
    test = f"{{benchmark: {stores.BENCHMARK}, max_drop: 0.5}}"
    policy.write_text(f"alpha: 0.01\ntests:\n  - {test}\n", encoding="utf-8")
    found = in_json("nights", "nightly", "--policy", str(policy), "--store", nightly)
    assert (found["max_drop"], found["alpha"], found["margin_source"]) == (0.5, 0.01, "policy")
    assert found["nights"][3]["decision"] == "pass"  # worse, within so large a drop


def test_checkpoints_have_a_simultaneous_band_and_the_best_is_corrected(trained: str) -> None:
    found = in_json("training", "apo-november", "--store", trained)
    steps = [one["step"] for one in found["checkpoints"]]
    assert steps == sorted(steps)
    for one in found["checkpoints"]:
        alone, band = one["estimate"], one["band"]
        assert band["low"] <= alone["low"] <= alone["value"] <= alone["high"] <= band["high"]
    assert found["best"]["corrected"]["value"] <= found["best"]["picked"]
    assert in_json("training", "apo-november", "--level", "0.8", "--store", trained)["level"] == 0.8
    code, out, _ = typed("training", "apo-november", "--store", trained)
    assert code == 0
    assert "simultaneous 95 % band" in out
    assert "Corrected for selection (winner's curse): " in out
    assert "is worse than the best by " in out
    assert judgebench.training("apo-november", store=trained).to_dict() == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nights", "nigthly"), "no model called 'nigthly'; did you mean 'nightly'?"),
        (("nights", "nightly", "no_such"), "no benchmark called 'no_such'"),
        (("nights", "nightly", "--judge", "raeder"), "did you mean 'reader'?"),
        (("nights", "nightly", "--opponent", "x"), "no board against 'x'"),
        (("nights", "nightly", "--max-drop", "2"), "--max-drop"),
        (("nights",), "MODEL"),
        (("training", "apo"), "no training run: models of a suite are one by their tags"),
        (("labels", "exprot"), "no command called 'exprot'; did you mean 'export'? Known: export"),
        (
            ("agreement", stores.BENCHMARK, "--reference", "human"),
            f"{stores.BENCHMARK}@v1: nobody has labelled it; `judgebench labels export ",
        ),
        (("labels", "exprot"), "See: judgebench labels --help"),
    ],
)
def test_what_is_not_there_is_said_with_the_nearest_name(
    nightly: str, words: tuple[str, ...], said: str
) -> None:
    code, out, err = typed(*words, "--store", nightly)
    assert (code, out) == (64, "")
    assert said in err


def test_a_model_on_several_benchmarks_needs_one_named(tmp_path: Path) -> None:
    rows = [
        {"benchmark": name, "item_id": "0", "model": "m", "judge": "J", "kind": "score",
         "value": 1, "low": 0, "high": 5}
        for name in ("one", "other")
    ]  # fmt: skip
    file = tmp_path / "v.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    url = f"sqlite:///{tmp_path / 's.db'}"
    assert typed("import", "verdicts", file, "--store", url)[0] == 0
    code, _, err = typed("nights", "m", "--store", url)
    assert code == 64
    assert "was judged on one@" in err
    assert "other@" in err
    found = in_json("nights", "m", "one", "--store", url)
    assert [one["because"] for one in found["nights"]] == [
        "the first night: there is none before it"
    ]
