"""The drawings as Vega-Lite: what is on an axis, in which order, and that nothing is cut off."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import partial
from typing import Any

import altair as alt
import pandas as pd
import pytest

from judgebench.metrics import registry
from tests.dashboards import every_page_store
from tests.dashboards.drawn import drawings
from tests.dashboards.stores import HOSTILE
from tests.table import over_rows


def rows(*values: tuple[str, float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"name": name, "value": value, "low": low, "high": high, "note": "n 9", "tone": "rest"}
            for name, value, low, high in values
        ]
    )


def drawn(chart: Any) -> dict[str, Any]:
    spec: dict[str, Any] = chart.to_dict()
    return spec


def test_kappa_is_drawn_from_minus_a_fifth_to_one_and_further_where_an_interval_is_longer() -> None:
    import charts

    short = charts.axis_of("cohen_kappa", rows(("a", 0.5, 0.2, 0.9)))
    assert (short.low, short.high) == (-0.2, 1.0)
    longer = charts.axis_of("cohen_kappa", rows(("a", 0.1, -0.6, 0.9)))
    assert (longer.low, longer.high) == (-0.6, 1.0)


def test_a_metric_of_a_package_is_called_and_written_as_its_entry_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import charts

    own = registry.Metric(
        name="score/top", title="top marks", unit="%", digits=1, scale=registry.NO_ENDS, of=max
    )
    monkeypatch.setattr(registry, "package_entries", lambda: {"score/top": own})
    axis = charts.axis_of("score/top", rows(("a", 80.0, 70.0, 90.0)), (1.0, 5.0))
    assert (axis.title, axis.digits) == ("top marks (%)", 1)
    assert axis.low < 70.0 < 90.0 < axis.high
    dimension = charts.axis_of("score/tone", rows(("a", 3.0, 2.0, 4.0)), (1.0, 5.0))
    assert (dimension.low, dimension.high, dimension.digits) == (1.0, 5.0, 2)


def test_rates_are_drawn_from_0_to_100_and_scores_around_their_intervals() -> None:
    import charts

    rate = charts.axis_of("accuracy", rows(("a", 40.0, 30.0, 50.0)))
    assert (rate.low, rate.high, rate.digits) == (0.0, 100.0, 1)
    score = charts.axis_of("score", rows(("a", 7.0, 6.0, 8.0)))
    assert score.low < 6.0 < 8.0 < score.high
    correlation = charts.axis_of("spearman", rows(("a", 1.0, 1.0, 1.0)))
    assert (correlation.low, correlation.high) == (-0.2, 1.0)
    declared = charts.axis_of("score", rows(("a", 7.0, 6.0, 8.0)), (1.0, 10.0))
    assert (declared.low, declared.high) == (1.0, 10.0)
    assert charts.axis_of("score", rows(("a", math.nan, math.nan, math.nan))).high > 0


def test_every_layer_of_a_drawing_has_the_axis_asked_for() -> None:
    import charts

    table = rows(("a", 7.0, 6.0, 8.0))
    spec = drawn(charts.intervals(table, charts.axis_of("score", table), charts.INK["light"]))
    domains = [layer["encoding"]["x"].get("scale", {}).get("domain") for layer in spec["layer"]]
    assert domains == [[5.9, 8.1], [5.9, 8.1], None]  # the notes stand at a place of the page


@over_rows("theme", ["light", "dark"])
def test_names_are_data_and_two_of_one_name_are_two_rows(theme: str) -> None:
    import charts

    names = [*HOSTILE, "datum.value", "same", "same"]
    table = rows(*((name, 0.5, 0.4, 0.6) for name in names))
    axis = charts.axis_of("cohen_kappa", table)
    spec = drawn(charts.intervals(table, axis, charts.INK[theme], line_at=0.0))
    data = [set_ for set_ in spec["datasets"].values() if len(set_) == len(names)]
    assert [row["name"] for row in data[0]] == names
    assert len({row["row"] for row in data[0]}) == len(names)
    layers = str(spec["layer"])
    assert not any(name in layers for name in HOSTILE)


def test_the_heat_map_prints_a_dash_where_kappa_is_undefined() -> None:
    import charts
    import drawings as drawn_of

    pairs = pd.DataFrame(
        [
            {
                "row": "a",
                "column": "b",
                "value": 0.5,
                "text": "0.50",
                "counts": "n 9",
                "detail": "n 9",
            },
            {
                "row": "b",
                "column": "a",
                "value": math.nan,
                "text": charts.GAP,
                "counts": "n 0",
                "detail": "why",
            },
        ]
    )
    spec = drawn(drawn_of.heat_map(pairs, ["b", "a"], charts.INK["light"]))
    (cells,) = spec["datasets"].values()
    assert [cell["value"] for cell in cells] == [0.5, None]
    assert spec["layer"][1]["encoding"]["text"]["field"] == "text"
    assert spec["layer"][0]["encoding"]["y"]["sort"] == ["b", "a"]


def test_every_hue_of_a_tone_is_named_in_both_themes() -> None:
    import charts

    for ink in charts.INK.values():
        hues = [getattr(ink, tone) for tone in charts.SHAPES]
        assert len(set(hues)) == len(hues)


@over_rows("theme", ["light", "dark"])
def test_counts_can_be_read_on_the_bars_that_they_are_written_on(theme: str) -> None:
    """4.5 is what WCAG asks of text; `compare_charts` writes paper, text and black on these."""
    from charts import INK

    ink = INK[theme]
    written = [(ink.paper, ink.first), (ink.text, ink.grid), ("#000000", ink.chosen)]
    written += [(ink.text, ink.warning), (ink.text, ink.notice), (ink.faint, ink.paper)]
    assert all(contrast(*pair) >= 4.5 for pair in written)


def contrast(one: str, other: str) -> float:
    """Of WCAG 2.1: (L1 + 0.05) / (L2 + 0.05), L being relative luminance."""
    low, high = sorted(luminance(colour) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_room_is_left_for_what_is_written() -> None:
    """Of letters that are drawn as wide as they are high, twice as much as of narrow ones."""
    import charts

    assert charts.text_px([]) == 0
    assert charts.text_px(["ab", "abcd"]) == charts.text_px(["abcd"])
    assert charts.text_px(["模型"]) == 26
    assert charts.text_px(["模型"]) > 1.5 * charts.text_px(["mo"])


def test_a_long_reason_leaves_room_for_the_others_and_is_read_by_pointing() -> None:
    """Its end is left out in the drawing: it was drawn over the edge."""
    import board_charts
    import charts

    why = "– one judge's scores are on several scales (1 to 5, 1 to 10, 1 to 20); no mean · n 40"
    some = rows(("a", 3.0, 2.0, 4.0), ("b", math.nan, math.nan, math.nan))
    some = some.assign(note=["3.00 [2.00, 4.00] · n 40", why], rank=1, rank_low=1, rank_high=2)
    for name in ("lc", "raw"):
        some = some.assign(**{f"{name} {end}": math.nan for end in ("value", "low", "high")})
    some = some.assign(badges="", published=math.nan, **{"beside note": ""})
    room = board_charts.Room.of(some, 2)
    assert charts.text_px(some["note"][:1]) < room.notes <= board_charts.MOST_REASON_PX + 20
    assert room.notes < charts.text_px([why])
    none = some.assign(note=why)
    assert board_charts.Room.of(none, 0).notes > charts.text_px([why]), "of a board without numbers"
    shown = some.assign(**{"beside note": ["", why]})
    spec = drawn(
        board_charts.board(shown, charts.axis_of("score", some), charts.INK["light"], n_ranks=2)
    )
    layers = [one for part in spec["layer"] for one in part.get("layer", [part])]
    written = [one for one in layers if one["mark"]["type"] == "text"]
    assert [one["mark"]["limit"] for one in written] == [{"expr": f"width - {room.ends} - 12"}] * 2
    for one in written:
        assert {"note", "beside note"} <= {tip["field"] for tip in one["encoding"]["tooltip"]}


def test_a_drawing_has_its_caption_as_data_and_its_paper() -> None:
    import charts
    import pictures

    table = rows(("a", 0.5, 0.2, 0.9))
    axis = charts.axis_of("cohen_kappa", table)
    plain = partial(charts.intervals, table, axis, charts.INK["dark"])
    said = " · ".join(["judge " + HOSTILE[0], "datum.value", "n 9" * 60])
    spec = pictures.captioned(plain, said, charts.INK["dark"])
    assert all(isinstance(line, str) for line in spec["title"]["text"])
    assert " ".join(spec["title"]["text"]).count("n 9") == 60
    assert max(map(len, spec["title"]["text"])) <= pictures.LINE
    narrow = pictures.captioned(plain, said, charts.INK["dark"], share=0.3)
    assert max(map(len, narrow["title"]["text"])) <= round(0.3 * pictures.LINE)
    assert narrow["height"] > spec["height"]
    assert spec["background"] == charts.INK["dark"].paper
    assert spec["height"] > pictures.plotted(plain)["height"] == drawn(plain())["height"]
    tables = spec.pop("datasets")
    assert [len(table) for table in tables.values()] == [1]
    alt.Chart.from_dict(spec)  # or it raises


def test_a_drawing_is_drawn_once_and_anew_when_anything_changes() -> None:
    import charts
    import pictures

    times = []

    def draw(*given: Any, **more: Any) -> Any:
        times.append(1)
        return charts.intervals(*given, **more)

    table = rows(*[(f"model {n}", 0.5, 0.2, 0.9) for n in range(6_000)])
    axis = charts.axis_of("cohen_kappa", table)
    first = pictures.plotted(partial(draw, table, axis, charts.INK["dark"]))
    (sent,) = first["datasets"].values()
    assert len(sent) == 6_000
    first.clear()  # what a page does to it is its own affair
    again = pictures.plotted(partial(draw, table.copy(), axis, charts.INK["dark"]))
    assert len(times) == 1
    again.pop("datasets")
    changed = table.assign(value=table["value"].where(table.index != 17, 0.4))
    for n, draws in enumerate(
        [
            partial(draw, changed, axis, charts.INK["dark"]),
            partial(draw, table, axis, charts.INK["light"]),
            partial(draw, table, replace(axis, digits=4), charts.INK["dark"]),
            partial(draw, table, axis, charts.INK["dark"], line_at=0.0),
        ]
    ):
        found = pictures.plotted(draws)
        found.pop("datasets")
        assert found != again
        assert len(times) == n + 2


@over_rows("name", [*HOSTILE, "../../etc/passwd", "CON", "模型", "", "a" * 500])
def test_files_are_called_what_every_file_system_takes(name: str) -> None:
    import pictures

    found = pictures.file_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", found)


SEEN = {
    "overview": {},
    "leaderboard": {"benchmark": every_page_store.NAMED},
    "compare": {"benchmark": every_page_store.NAMED},
    "agreement": {"benchmark": every_page_store.NAMED},
    "honesty": {"benchmark": every_page_store.SURE},
    "nights": {},
    "training": {},
}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> str:
    return every_page_store.fill(tmp_path_factory.mktemp("every page") / "s.db")


@pytest.mark.parametrize("page", SEEN)
def test_every_drawing_of_a_page_is_what_vega_lite_allows(
    open_page: Any, everything: str, page: str
) -> None:
    """Pages do not ask, which would take as long as drawing."""
    assert drawings(open_page(page, everything, **SEEN[page]))


def test_the_first_columns_are_as_wide_as_a_text_that_stands_far_below() -> None:
    import widgets

    rows = pd.DataFrame({"judge": ["a"] * 20 + ["a" * 40], "n": range(21), "why": ["b"] * 21})
    found = widgets.whole(rows, {"judge": {"label": "who"}, "n": {"label": "how many"}})
    assert found["judge"]["label"] == "who"
    assert widgets.WIDEST_PX > found["judge"]["width"] > 40 * 6
    assert found["n"] == {"label": "how many"}
    few = pd.DataFrame({"judge": ["a", "a" * 40]})
    assert widgets.whole(few, {}) == {}, "of few rows a browser measures every one"
    assert widgets.whole(rows, {"judge": {"width": 90}})["judge"] == {"width": 90}
    rows["judge"] = ["a"] * 20 + ["a" * 4000]
    assert widgets.whole(rows, {})["judge"] == {"width": widgets.WIDEST_PX}


def test_no_neighbour_is_drawn_over_the_frame_of_the_judges_that_are_chosen() -> None:
    import charts
    import drawings as drawn_of

    look = {"value": 0.5, "text": "0.50", "counts": "n 9", "detail": "n 9"}
    pairs = pd.DataFrame(
        [
            {"row": row, "column": column, "chosen": {row, column} == {"a", "b"}, **look}
            for row, column in (("a", "b"), ("a", "c"), ("b", "c"))
        ]
    )
    spec = drawn(drawn_of.heat_map(pairs, ["a", "b", "c"], charts.INK["light"]))
    (cells,) = spec["datasets"].values()
    assert [cell["chosen"] for cell in cells] == [False] * 4 + [True] * 2
