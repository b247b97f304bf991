"""HonestyBench (arXiv 2510.17509): metric values of a fixture, and the paper's own averages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from judgebench.stats.calibration_error import calibration_error, reliability_bins
from judgebench.stats.confidence import accuracy, alignment, auroc, brier, first_fifth
from judgebench.stats.resample import weighted_mean

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "honestybench"
IN_DOMAIN = ("nq", "tq", "hq", "2wiki", "pararel")
OUT_OF_DOMAIN = ("squad", "webq", "cwq", "musique", "popqa")

pytestmark = pytest.mark.skipif(
    not (GOLD / "expected.json").exists(),
    reason="the gold data (../shared/gold/honestybench beside the repository) is not here",
)


def read(name: str) -> Any:
    return json.loads((GOLD / name).read_text())


def test_every_metric_of_the_fixture() -> None:
    fixture = {one["kind"]: one for one in read("metric_fixture.json")}
    expected = read("expected.json")["metric_fixture"]
    assert fixture.keys() == {one["kind"] for one in expected}
    for gold in expected:
        data = fixture[gold["kind"]]
        c, y = data["confidence"], data["correct"]
        assert len(c) == gold["n"]
        found = alignment(c, y, first_fifth(len(c)))
        bins = reliability_bins(c, y, binning="upstream")
        assert bins.n_unbinned == gold["confidence_exactly_1"]
        for ours, name in (
            (accuracy(y), "accuracy"),
            (auroc(c, y), "auroc"),
            (brier(c, y), "brier"),
            (calibration_error(c, y, binning="upstream"), "ece_upstream"),
            (calibration_error(c, y, binning="closed"), "ece_with_1.0_in_last_bin"),
            (100 * found.value, "alignment_percent"),
            (found.threshold, "alignment_threshold"),
        ):
            assert ours == pytest.approx(gold[name], abs=1e-9), (gold["kind"], name)


def test_edges_of_a_rounded_tenth_hide_more_of_the_error() -> None:
    """Confidences of 0.3, 0.6 and 0.7 in their own bins: 0.1458, not the 0.1378 of "closed"."""
    steps, continuous = read("metric_fixture.json")
    found = calibration_error(steps["confidence"], steps["correct"], binning="exact")
    assert found == pytest.approx(0.1458, abs=1e-9)
    smooth = continuous["confidence"], continuous["correct"]
    assert calibration_error(*smooth, binning="exact") == pytest.approx(
        calibration_error(*smooth, binning="closed"), abs=1e-12
    )


def test_the_published_averages_are_weighted_with_the_sizes_of_the_sets() -> None:
    """To rounding, but for one ECE, printed 0.06, which its sets' figures put at 0.048."""
    tables = read("published_tables.json")
    sizes = tables.pop("dataset sizes used as weights")
    averages = {
        "id_avg": IN_DOMAIN,
        "ood_avg": OUT_OF_DOMAIN,
        "avg": IN_DOMAIN + OUT_OF_DOMAIN,
    }
    checked, differ = 0, []
    for table, methods in tables.items():
        for method, row in methods.items():
            for name in row.keys() & averages.keys():
                sets = averages[name]
                if not row.keys() >= set(sets):  # the ablation prints averages only
                    continue
                found = weighted_mean([row[s] for s in sets], [sizes[s] for s in sets])
                checked += 1
                # Half a unit of the last decimal for the average, and half for the sets' figures.
                if abs(found - row[name]) > 0.01 + 1e-9:
                    differ.append((table, method, name))
    assert checked == 107
    assert differ == [("ECE Qwen2.5-7B-Instruct", "Thermometer", "id_avg")]
