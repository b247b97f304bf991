"""The Agreement page: two judges beside each other, whom one is lenient with, where they differ."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pandas as pd
import pytest

from judgebench import explore
from judgebench.metrics.judge_differences import JudgeChecks
from judgebench.metrics.judge_pair import Disagreements, JudgePair, disagreements, judge_pair
from judgebench.metrics.registry import metric
from judgebench.reports.agreement import agreement_report
from judgebench.reports.judge_pairs import JudgeMatrix, judged_values
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.dashboards import agreement_stores, stores
from tests.dashboards.agreement_stores import BENCHMARK, VERSION
from tests.dashboards.drawn import drawings, with_field
from tests.dashboards.test_pages import MARKUP, boxes, table, texts
from tests.dashboards.told import verbatim

PAIR = {"shown": "lenient", "reference": "human/a"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return agreement_stores.fill(tmp_path_factory.mktemp("agreement") / "s.db")


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> str:
    return agreement_stores.fill_scores(tmp_path_factory.mktemp("scores") / "s.db")


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stores.fill_kinds(tmp_path_factory.mktemp("kinds") / "s.db")


def beside(url: str, judge: str, reference: str, kind: Any = "label") -> JudgePair:
    with open_store(url, read_only=True) as opened:
        board = judged_values(opened, BENCHMARK, VERSION, kind).values
    return judge_pair(board, judge, reference)


def ranking(url: str, *judges: str, kind: Any = "label") -> Disagreements:
    with open_store(url, read_only=True) as opened:
        return disagreements(judged_values(opened, BENCHMARK, VERSION, kind).values, judges)


def buttons(app: Any) -> dict[str, Any]:
    return {button.label: button for button in app.button}


def signed(value: float, digits: int) -> str:
    return (f"{value:+.{digits}f}" if value else f"{value:.{digits}f}").replace("-", "−")


@pytest.mark.parametrize("reference", ["human/a", "strict", "human"])
def test_any_two_judges_have_a_table_and_their_leniency(
    seen: Any, store: str, reference: str
) -> None:
    app = seen("agreement", store, shown="lenient", reference=reference)
    assert not app.exception
    found = beside(store, "lenient", reference)
    assert found.confusion is not None
    counts = table(app, "no verdict").set_index("reference")
    for row, truly in enumerate(found.confusion.rows):
        expected = found.confusion.counts[row]
        names = [*found.confusion.columns, "unreadable", "no verdict"]
        assert counts.loc[truly].to_dict() == dict(zip(names, expected.tolist(), strict=True))
    drawn = with_field(app, "count")
    assert sum(cell["count"] for cell in drawn) == found.confusion.counts.sum()
    for truly in found.confusion.rows:
        shares = [cell["share"] for cell in drawn if cell["reference"] == truly]
        assert sum(shares) == pytest.approx(1)
    shown = table(app, "leniency").set_index("model")
    assert set(shown.index) == {"all models", "older", "newer"}
    for one in found.leniency:
        line, e = shown.loc[one.model or "all models"], one.estimate
        value, low, high = (signed(100 * end, 1) for end in (e.value, e.low, e.high))
        assert line["leniency"] == f"{value} [{low}, {high}]"
        assert (line["n"], line["missing"]) == (e.n, e.missing)
    assert shown.loc["older", "missing"] > 0


def test_whose_side_an_interval_is_on_is_said_by_shape_and_hue(seen: Any, store: str) -> None:
    app = seen("agreement", store, **PAIR)
    found = beside(store, "lenient", "human/a")
    tones = {
        line["name"]: line["tone"]
        for drawing in drawings(app)
        for line in drawing.rows
        if "test" in line
    }
    for one in found.leniency:
        e = one.estimate
        expected = "first" if e.low > 0 else "second" if e.high < 0 else "rest"
        assert tones[one.model or "all models"] == expected
    assert "first" in tones.values()


def test_the_cells_of_the_map_have_intervals_and_the_two_chosen_a_frame(
    seen: Any, store: str
) -> None:
    app = seen("agreement", store, **PAIR)
    cells = with_field(app, "ends")
    assert len(cells) == 4 * 3
    assert {(cell["row"], cell["column"]) for cell in cells if cell["chosen"]} == {
        ("lenient", "human/a"),
        ("human/a", "lenient"),
    }
    pairs = table(app, "Cohen's kappa")
    assert len(pairs) == 6
    of_pair = {frozenset((line["judge"], line["and"])): line for line in pairs.to_dict("records")}
    for cell in cells:
        line = of_pair[frozenset((cell["row"], cell["column"]))]
        assert line["Cohen's kappa"] == f"{cell['text']} {cell['ends']}"
        assert line["n"] == cell["n"]


@pytest.mark.parametrize("scope", ["pooled", "macro"])
def test_judges_are_compared_with_judges(seen: Any, store: str, scope: str) -> None:
    app = seen("agreement", store, scope=scope, **PAIR)
    assert not app.exception
    with open_store(store, read_only=True) as opened:
        report = agreement_report(
            opened, BENCHMARK, VERSION, reference="human/a", checks=JudgeChecks()
        )
    lines = table(app, "p adjusted").to_dict("records")
    expected = [one for one in report.differences if one.scope == scope]
    assert len(lines) == len(expected) == 3
    for line, one in zip(lines, expected, strict=True):
        e = one.estimate
        assert (line["judge"], line["against"]) == (one.judge, one.versus)
        assert line["difference of kappa"] == f"{e.value:+.3f} [{e.low:+.3f}, {e.high:+.3f}]"
        assert line["level"] == f"{100 * e.level:.4g} %"
        assert line["n"] == e.n
    captions = " ".join(caption.value for caption in app.caption)
    for term in ("p_c", "p_plus", "score_delta", "gwet_ac1"):
        assert f"{term}: {metric(term).meaning}" in captions
    assert "Holm over 3 pairs, family-wise error rate 5 %" in texts(app)
    took = table(app, "pabak").to_dict("records")
    assert ("USD a verdict" in took[0]) == (scope == "pooled")
    if scope == "pooled":
        cost = {line["judge"]: line["USD a verdict"] for line in took}
        assert cost["human/b"] == "– a person"
        assert cost["lenient"] == "– no call is on record: imported, or judged elsewhere"


def test_a_judge_that_says_always_the_same_is_named(open_page: Any, tmp_path: Path) -> None:
    right = "++-+--+++-" * 4
    judges = {"human/a": right, "flat": "+" * 40, "good": right[:38] + "+-"}
    said = {name: stores.labels(codes) for name, codes in judges.items()}
    url = stores.fill_with(tmp_path / "s.db", {"m": said})
    app = open_page("agreement", url)
    assert not app.exception
    assert "⚠ flat says nearly always the same: correct on 100 % of 40 verdicts on m" in texts(app)
    assert "(human/a: 60 %)" in texts(app)
    line = table(app, "p adjusted").to_dict("records")[0]
    assert (line["judge"], line["against"]) == ("good", "flat")


def test_a_click_into_the_map_makes_the_boxes_ask_the_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest of it is clicked in test_agreement_browser.py."""
    import page

    kept = {"shown", "references\0a", "scope\0b", "kept"}
    state = dict.fromkeys([*kept, "shown\0a\0b", "reference\0a"], "x")
    monkeypatch.setattr(page.st, "session_state", state)
    page.forget("shown", "reference")
    assert set(state) == kept


@pytest.mark.parametrize("among", ["two", "all"])
def test_items_come_by_how_much_the_judges_differ(seen: Any, store: str, among: str) -> None:
    app = seen("agreement", store, among=among, **PAIR)
    assert not app.exception
    asked = ("lenient", "human/a") if among == "two" else ()
    found = ranking(store, *asked)
    listed = table(app, "differ")
    assert list(listed["item"]) == list(found.items[:25])
    expected = [f"{n:.0f} of {of:.0f}" for n, of in zip(found.differ, found.compared, strict=True)][
        :25
    ]
    assert list(listed["differ"]) == expected
    assert listed["question"][0] == f"Which river flows through capital {found.items[0]}?"
    captions = " ".join(caption.value for caption in app.caption)
    rule = "the two say different things" if among == "two" else "the number of pairs of judges"
    assert rule in captions
    wrote = verbatim(app)
    assert any(f"lenient finds {found.items[0]} of " in block for block in wrote)
    assert any(f" says the Rhine, {found.items[0]}" in block for block in wrote)
    strangers = any(f"strict finds {found.items[0]} of " in block for block in wrote)
    assert strangers == (among == "all")


def test_what_each_judge_said_of_an_item_is_counted(seen: Any, store: str) -> None:
    app = seen("agreement", store, **PAIR)
    found = ranking(store, "lenient", "human/a")
    line = table(app, "differ").to_dict("records")[0]
    incorrect, correct = found.votes[0, 0]
    said = [f"{n} {name}" for n, name in ((correct, "correct"), (incorrect, "incorrect")) if n]
    assert line["said 0"] == ", ".join(said)


def test_pages_of_items_and_one_item_are_links(open_page: Any, store: str) -> None:
    found = ranking(store)
    assert len(found.items) > 25
    app = open_page("agreement", store, among="all", item=found.items[30], **PAIR)
    assert list(table(app, "differ")["item"]) == list(found.items[25:50])
    assert f"item {found.items[30]}: 31 of {len(found.items)}" in texts(app)
    buttons(app)["Next item"].click().run()
    assert app.query_params["item"] == found.items[31]
    buttons(app)["Previous page"].click().run()
    assert list(table(app, "differ")["item"]) == list(found.items[:25])
    link = next(
        one for one in app.get("page_link") if one.proto.label.startswith("Everything about")
    )
    asked = parse_qs(link.proto.query_string)
    assert asked == {"benchmark": [BENCHMARK], "version": [VERSION], "item": [found.items[0]]}


def test_a_link_that_is_out_of_date_is_no_error(seen: Any, store: str) -> None:
    app = seen(
        "agreement", store, shown="gone", reference="gone", item="gone", among="gone",
        scope="gone", kind="gone", part="9" * 30,
    )  # fmt: skip
    assert not app.exception
    assert len(table(app, "differ")) > 0


def test_judges_that_say_the_same_of_everything(open_page: Any, tmp_path: Path) -> None:
    said = stores.labels("+-+-")
    url = stores.fill_with(tmp_path / "s.db", {"m": {"human/a": said, "same": said}})
    app = open_page("agreement", url)
    assert not app.exception
    assert "There is no item on which they say different things." in texts(app)
    assert table(app, "leniency")["leniency"][0] == "0.0 [no interval]"


def test_comparisons_are_won_tied_and_lost(seen: Any, kinds: str) -> None:
    app = seen("agreement", kinds, reference="claude", shown="gpt")
    assert not app.exception
    counts = table(app, "no verdict")
    assert list(counts["reference"]) == ["win", "tie", "loss"]
    assert list(counts)[1:4] == ["win", "tie", "loss"]
    found = beside(kinds, "gpt", "claude", "preference")
    assert found.confusion is not None
    assert counts.set_index("reference").loc["win", "loss"] == found.confusion.counts[2, 0]
    shown = table(app, "leniency").set_index("model")
    assert len(shown) == 1 + len(stores.STRENGTH)
    e = next(one.estimate for one in found.leniency if one.model == "base")
    assert shown.loc["base", "leniency"].startswith(signed(100 * e.value, 1))
    assert "a tie counting half" in " ".join(caption.value for caption in app.caption)


def test_scores_have_correlations_points_and_a_spread(seen: Any, scores: str) -> None:
    app = seen("agreement", scores, reference="human/a", shown="mild")
    assert not app.exception
    assert boxes(app)["Scope"].options == ["pooled"]
    counts = table(app, "no verdict")
    assert list(counts["reference"]) == [str(point) for point in range(10, 0, -1)]
    found = beside(scores, "mild", "human/a", "score")
    e = found.leniency[0].estimate
    assert e.value > 0.8
    assert table(app, "leniency")["leniency"][0].startswith(signed(e.value, 2))
    listed = table(app, "differ")
    spread = ranking(scores, "mild", "human/a", kind="score")
    assert list(listed["item"]) == list(spread.items[:25])
    assert listed["differ"][0] == f"{spread.differ[0]:.2f} over 3"
    assert "sample_spearman" in table(app, "spearman")
    assert "the distance between the highest and the lowest score" in " ".join(
        caption.value for caption in app.caption
    )


def test_scores_on_two_scales_have_no_difference_and_say_so(open_page: Any, tmp_path: Path) -> None:
    url = agreement_stores.fill_scores(tmp_path / "s.db", high=100)
    app = open_page("agreement", url, reference="human/a", shown="mild")
    assert not app.exception
    shown = table(app, "leniency")
    assert shown["undefined because"][0] == (
        "scores on several scales (1 to 10, 1 to 100) have no difference"
    )
    assert pd.isna(shown["leniency"][0]) or shown["leniency"][0].startswith("–")
    assert "as a share of its own judge's scale" in " ".join(c.value for c in app.caption)


def test_several_sorts_of_verdicts_are_told_apart(open_page: Any, tmp_path: Path) -> None:
    url = agreement_stores.fill(tmp_path / "s.db", n_items=6)
    agreement_stores.fill_scores(tmp_path / "s.db", n_items=6)
    app = open_page("agreement", url, kind="score")
    assert not app.exception
    assert boxes(app)["What they gave"].value == "score"
    assert set(boxes(app)["Reference"].options) == {"human/a", "rubric", "mild"}
    boxes(app)["What they gave"].select("label").run()
    assert app.query_params["kind"] == "label"
    assert "strict" in boxes(app)["Reference"].options


def test_verdicts_are_read_once_for_all_that_is_shown_and_can_be_chosen(
    open_page: Any, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import streamlit as st

    app = open_page("leaderboard", store)
    st.cache_resource.clear()
    monkeypatch.setattr(explore, "_read", {})
    read = []
    board_verdicts = Store.board_verdicts

    def noted(self: Store, *place: str) -> Any:
        read.append(place)
        return board_verdicts(self, *place)

    monkeypatch.setattr(Store, "board_verdicts", noted)
    app.switch_page("views/agreement.py").run()
    assert read == [(BENCHMARK, VERSION)]
    boxes(app)["Reference"].select("strict").run()
    boxes(app)["Among"].select("all").run()
    assert not app.exception
    assert len(table(app, "differ")) > 0
    assert read == [(BENCHMARK, VERSION)]


def expressions(spec: Any) -> Iterator[str]:
    """What a drawing has evaluated: sizes are worked out from the width of the page."""
    its = spec.items() if isinstance(spec, dict) else enumerate(spec)
    for name, one in its:
        if name in ("expr", "labelExpr", "calculate", "test") and isinstance(one, str):
            yield one
        elif isinstance(one, dict | list):
            yield from expressions(one)


@pytest.mark.parametrize("item", range(len(agreement_stores.HOSTILE)))
def test_hostile_texts_reach_no_element_that_reads_markup(
    open_page: Any, tmp_path_factory: pytest.TempPathFactory, item: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile-agreement.db"
    if not path.exists():
        agreement_stores.hostile(path)
    app = open_page("agreement", f"sqlite:///{path}", among="all", item=str(item))
    assert not app.exception
    text = list(agreement_stores.HOSTILE.values())[item]
    assert f"item {item}: " in texts(app)
    assert len(verbatim(app)) > 4  # the question, answers, replies and what was thought before
    for element in app:
        if element.type in MARKUP:
            said = str(element.value)
            assert text[:40] not in said, element
            assert stores.HOSTILE[0] not in said, element
    for one in app.get("page_link"):
        assert stores.HOSTILE[0] not in one.proto.label
    for drawing in drawings(app):
        said = " ".join(expressions(drawing.spec))
        assert text[:40] not in said
        assert stores.HOSTILE[0] not in said


def test_a_table_of_many_points_has_no_room_for_shares() -> None:
    import charts
    import drawings as drawn

    def layers(n: int) -> int:
        cells = pd.DataFrame(
            [
                {"reference": str(a), "judge": str(b), "count": 1, "share": 0.1, "text": "1",
                 "percent": "10 %", "note": ""}
                for a in reversed(range(n))
                for b in [*reversed(range(n)), "unreadable", "no verdict"]
            ]
        )  # fmt: skip
        spec = drawn.confusion(cells, charts.INK["light"], ("a", "b")).to_dict()
        assert spec["layer"][0]["encoding"]["x"]["sort"][-2:] == ["unreadable", "no verdict"]
        assert spec["layer"][0]["encoding"]["x"]["sort"][0] == str(n - 1)
        return len(spec["layer"])

    assert (layers(3), layers(10)) == (3, 2)


def test_what_is_known_stands_on_the_screen_while_the_rest_is_computed(
    open_page: Any, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Loaded here, where the pages' folder is among those that Python looks into.
    answers, judge_parts = map(importlib.import_module, ("answers", "judge_parts"))
    drawn: list[tuple[str, ...]] = []
    first = judge_parts.heat_map

    def heat_map(matrix: JudgeMatrix) -> None:
        drawn.append(matrix.judges)
        first(matrix)

    monkeypatch.setattr(judge_parts, "heat_map", heat_map)
    for known, times in ((True, 0), (False, 1)):
        monkeypatch.setattr(answers.State, "known", lambda *_, known=known: known)
        app = open_page("agreement", store, **PAIR)
        assert not app.exception
        assert len(drawn) == times
        headings = [one.value for one in app.subheader]
        assert headings.count("Judges among themselves, pooled") == 1


def test_of_many_judges_nothing_is_written_over_each_other_nor_said_for_each(
    open_page: Any, tmp_path: Path
) -> None:
    """Those of whom some say the same of everything, so that there is no kappa between them."""
    people = {f"human/{n}": stores.labels("+-+-++--") for n in range(7)}
    alike = {f"judge {n:02}": stores.labels("+" * 8) for n in range(18)}
    url = stores.fill_with(tmp_path / "s.db", {"one": people | alike})
    app = open_page("agreement", url)
    assert not app.exception
    said = texts(app)
    assert "reference human (majority of 7 raters)" in said and "human/6)" not in said
    (heat,) = (one for one in drawings(app) if "every two judges" in one.alt)
    assert len(heat.rows) == 2 * (25 * 24 // 2)
    assert [layer["mark"]["type"] for layer in heat.spec["layer"]] == ["rect"]
    untold = [line for line in said.splitlines() if line.startswith("– judge 00 × judge 01")]
    assert [line.partition(": ")[0] for line in untold] == [
        "– judge 00 × judge 01, judge 00 × judge 02, judge 00 × judge 03 and 150 more"
    ]
    assert any(one.value.startswith("Point at a cell") for one in app.caption)
    few = open_page("agreement", stores.fill_with(tmp_path / "f.db", {"one": people}))
    (heat,) = (one for one in drawings(few) if "every two judges" in one.alt)
    assert len(heat.spec["layer"]) > 1
    assert not any(one.value.startswith("Point at a cell") for one in few.caption)
