"""The Nights page: the board's numbers, the report's decisions, and links that say all of it."""

from __future__ import annotations

import io
import json
import math
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import read_policy
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.nights import Nights, nights
from judgebench.reports.render import render
from judgebench.store.opening import open_store
from tests.dashboards import night_stores, stores
from tests.dashboards.test_pages import MARKUP, aged, boxes, texts


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return night_stores.fill(tmp_path_factory.mktemp("nights") / "s.db")


def report(url: str, **more: Any) -> Nights:
    with open_store(url, read_only=True) as opened:
        (judge,) = opened.judges()
        return nights(opened, stores.BENCHMARK, stores.VERSION, judge.id, "nightly", **more)


def opened_on(open_page: Any, url: str, **query: str) -> Any:
    return open_page("nights", url, **({"judge": night_stores.JUDGE} | query))


def test_the_numbers_are_the_boards_and_the_decisions_the_reports(seen: Any, store: str) -> None:
    app = opened_on(seen, store)
    assert not app.exception
    shown = app.dataframe[0].value
    found = report(store)
    with open_store(store, read_only=True) as opened:
        (board,) = leaderboards(opened, stores.BENCHMARK)
    rows = {row.model: row.leading for row in board.rows}
    newest_first = list(reversed(found.nights))
    assert list(shown["model"]) == [night.model for night in newest_first]
    for line, night in zip(shown.to_dict("records"), newest_first, strict=True):
        estimate = rows[night.model]
        assert line["value"] == pytest.approx(100 * estimate.value)
        assert line["interval"] == f"[{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
        assert (line["n"], line["missing"]) == (estimate.n, estimate.missing)
        decided = night.decided
        assert line["decision"] == ("" if decided is None else decided.decision)
        if decided is not None:
            sign = f"{100 * decided.difference.value:+.1f}".replace("-", "−")
            assert line["difference"].startswith(sign if sign != "+0.0" else "0.0")
            assert line["because"] == (decided.because or "")
    assert {"pass", "regression", "inconclusive"} <= set(shown["decision"])
    assert list(shown["changed"])[:3] == ["", "judge", "stack"]
    assert shown["USD"].sum() == pytest.approx(0.001 * (1 + 2 + 4 + 5 + 6 + 7 + 8 + 9))
    assert boxes(app)["Model and its nights"].options == ["nightly · 8", "sibling · 5"]


def test_what_else_changed_and_what_was_tested_is_said(seen: Any, store: str) -> None:
    said = texts(opened_on(seen, store))
    assert "nightly · judge reader" in said
    assert "8 nights" in said
    assert "each night against the one before: one test of accuracy at alpha 5 %" in said
    # What a gate without a policy chooses, and why: no fixed 2 %.
    assert "an allowed drop of 6 points (6 points of the scale, chosen from what was known" in said
    assert "⚠ judge drift since 2026-11-08" in said
    assert "⚠ 2026-11-07: answers from another stack: vllm 0.9 → 1" in said
    assert "⚠ 2026-11-08: another model serves the judge: gpt-2026-08 → gpt-2026-11" in said
    assert "9 calls have no known price" in said


def test_both_baselines_and_the_test_of_all_nights_are_shown(seen: Any, store: str) -> None:
    app = opened_on(seen, store)
    found = report(store)
    assert found.slide is not None
    shown = app.dataframe[0].value
    evidence = {one.model_id: one for one in found.slide.evidence}
    for line, night in zip(shown.to_dict("records"), reversed(found.nights), strict=True):
        own = evidence.get(night.model_id)
        assert line["e-value"] == pytest.approx(
            math.nan if own is None else own.e_value, nan_ok=True
        )
        if own is not None:
            assert line["from fixed"].endswith(f"{abs(100 * own.difference):.1f}")
    assert found.slide.in_words in texts(app)
    assert boxes(app)["Fixed baseline"].options == ["the first night", "baseline last-green"]
    named = opened_on(seen, store, fixed="last-green")
    assert not named.exception
    again = report(store, fixed="last-green").slide
    assert again is not None
    assert again.in_words in texts(named)


def test_the_night_of_a_slide_is_marked(tmp_path: Path) -> None:
    import charts
    import drawings
    import night_parts

    planned = [night_stores.Planned(str(n), 0.8 - 0.05 * n) for n in range(9)]
    url = night_stores.fill(tmp_path / "s.db", nights=planned, n_items=60, drifts=False)
    found = report(url)
    assert found.slide is not None
    assert found.slide.outcome == "slide"
    rows, called = night_parts.differences(found, "accuracy")
    assert set(rows["from"]) == {"moving", "fixed"}
    fixed = rows[rows["from"] == "fixed"]["value"]
    assert list(fixed) == pytest.approx([100 * one.difference for one in found.slide.evidence])
    assert called["when"][0].timestamp() == found.slide.called_s
    assert (found.slide_line or "").startswith("⚠ slide: accuracy fell from")
    axis = charts.Axis(title="t", short="s", low=0, high=1, digits=1)
    drawn = drawings.differences(rows, called, axis, charts.INK["light"]).to_dict()
    assert "'label': 'slide called'" in str(drawn)
    _, late = night_parts.differences(replace(found, nights=found.nights[-1:]), "accuracy")
    assert list(late["label"]) == ["slide called before"]
    nothing, none = night_parts.differences(found, "another")
    assert (len(nothing), len(none)) == (0, 0)


def test_a_link_says_whose_nights_against_what_and_what_is_borne(seen: Any, store: str) -> None:
    app = opened_on(seen, store, against="last-green", borne="10", last="30")
    assert not app.exception
    found = report(store, against="last-green", share=0.1)
    said = [night.decided.decision if night.decided else "" for night in found.nights]
    assert list(app.dataframe[0].value["decision"]) == said[::-1]
    assert "against baseline last-green, as it then stood" in texts(app)
    assert "an allowed drop of 10 points" in texts(app)
    assert (boxes(app)["Held against"].value, boxes(app)["Nights"].value) == ("last-green", "30")
    app = opened_on(seen, store, model="sibling")
    assert len(app.dataframe[0].value) == 5
    assert app.query_params["model"] in ("sibling", ["sibling"])


POLICY = """\
alpha: 0.01
tests:
  - {benchmark: another, max_drop: 0.5}
  - {benchmark: trivia_judging_mini, judge: reader, metric: accuracy, max_drop: 0.1, min_n: 20}
"""


def test_the_allowed_drop_is_that_of_a_policy_at_hand(
    open_page: Any, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "gate.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "other.yaml").write_text(POLICY.replace("reader", "nobody"), encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(POLICY.replace("0.1,", "-1,"), encoding="utf-8")
    (tmp_path / "suite.yaml").write_text("benchmarks: []\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    app = opened_on(open_page, store)
    assert not app.exception
    box = boxes(app)["Allowed drop"]
    assert box.value == "suites/gate.yaml"
    assert box.options[:3] == [
        "as in suites/gate.yaml", "as a gate without a policy", "1 % of the scale",
    ]  # fmt: skip
    said = texts(app)
    assert "at alpha 1 %, an allowed drop of 10 points (as the policy says)" in said
    assert "A policy that cannot be used: wrong.yaml:" in said
    with open_store(store, read_only=True) as opened:
        (judge,) = opened.judges()
        found = nights(
            opened, stores.BENCHMARK, stores.VERSION, judge.id, "nightly",
            policy=read_policy(tmp_path / "suites" / "gate.yaml"),
        )  # fmt: skip
        pair = found.nights[1].decided
        assert pair is not None
        stated = gate_report(
            opened, candidate=pair.candidate_id, baseline=pair.baseline_id,
            policy=read_policy(tmp_path / "suites" / "gate.yaml").model_copy(
                update={"tests": found.policy.tests if found.policy else []}
            ),
        ).tests[0]  # fmt: skip
    # The judge drifted later, which a gate of today holds against the pair as well.
    assert (stated.difference, stated.max_drop) == (pair.difference, pair.max_drop)
    assert pair.decision == "pass"
    decisions = [night.decided.decision if night.decided else "" for night in found.nights]
    assert list(app.dataframe[0].value["decision"]) == decisions[::-1]


def test_a_metric_that_no_gate_tests_has_no_marks(
    open_page: Any, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(Nights, "metric", "score")
    app = opened_on(open_page, store)
    assert not app.exception
    assert any("tests another metric" in caption.value for caption in app.caption)


def test_out_of_date_links_are_as_good_as_none(seen: Any, store: str) -> None:
    app = opened_on(seen, store, model="gone", against="gone", borne="x", last="-1", judge="gone")
    assert not app.exception
    assert len(app.dataframe[0].value) == 8


def test_the_download_has_every_night(
    open_page: Any, store: str, downloads: dict[str, str]
) -> None:
    shown = opened_on(open_page, store).dataframe[0].value
    table = pd.read_csv(io.StringIO(downloads["nights.csv"]))
    assert list(table["model"]) == [night.model for night in report(store).nights]
    assert list(table["value"]) == pytest.approx(list(shown["value"])[::-1])
    assert table["when"][0] == "2026-11-01T03:00:00+00:00"
    assert set(table["name"]) == {"nightly"}
    assert "tone" not in table


def test_the_report_of_nights_is_offered_in_every_other_form(
    open_page: Any, store: str, downloads: dict[str, str]
) -> None:
    assert not opened_on(open_page, store).exception
    found = report(store)
    for form in ("md", "latex", "json", "html"):
        assert downloads[f"nights.{form}"] == render(found.document(), form)
    assert json.loads(downloads["nights.json"])["name"] == "nightly"


def test_one_night_is_told_what_makes_a_second(open_page: Any, tmp_path: Path) -> None:
    url = night_stores.fill(tmp_path / "s.db", nights=night_stores.NIGHTS[:1])
    app = opened_on(open_page, url)
    assert not app.exception
    said = texts(app)
    assert "One night so far. The next begins when" in said
    assert "With the next night there is something to compare this one with." in said
    # Nothing is wrong with a first night: no reason why it could not be decided.
    for wrong in ("could be decided", "no sequential test", "the candidate is the fixed baseline"):
        assert wrong not in said
    assert not app.error
    assert not app.warning
    assert app.caption[0].value.startswith("✚ grey: not decided.")
    assert len(app.dataframe[0].value) == 1


def test_hostile_names_are_text(open_page: Any, tmp_path: Path) -> None:
    first, second, third, fourth = stores.HOSTILE
    url = night_stores.fill(
        tmp_path / "s.db", name=first, beside=second, judge=third, baseline=fourth, n_items=30
    )
    for against in ("", fourth):
        app = open_page("nights", url, against=against)
        assert not app.exception
        assert boxes(app)["Model and its nights"].value == first
        assert first in texts(app)
        for element in app:
            if element.type in MARKUP:
                assert not any(name in str(element.value) for name in stores.HOSTILE), element


def test_a_store_without_verdicts_is_one_sentence(open_page: Any, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'items.db'}") as opened:
        opened.put_items(stores.items(2))
    app = open_page("nights", f"sqlite:///{tmp_path / 'items.db'}")
    assert not app.exception
    assert app.info[0].value.startswith("Nothing has been judged on this benchmark yet")


def test_a_store_of_a_later_version_is_said(open_page: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    url = night_stores.fill(path, nights=night_stores.NIGHTS[:2], n_items=20)
    app = opened_on(open_page, url)
    assert len(app.dataframe) == 1
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    aged(url, 600)
    app.run()
    assert not app.exception
    assert app.error[0].value == "This cannot be shown."
