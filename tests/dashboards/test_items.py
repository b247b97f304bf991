"""The Items page: what is found, what one item's history shows, and that texts stay text."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgebench.store import search
from judgebench.store.opening import open_store
from judgebench.store.search import PAGE, index_path
from judgebench.store.store import Store
from tests.dashboards import item_stores, stores
from tests.dashboards.item_stores import BENCHMARK
from tests.dashboards.test_pages import MARKUP, boxes, texts
from tests.dashboards.told import verbatim


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return item_stores.fill(tmp_path_factory.mktemp("items") / "s.db", n_items=40)


def buttons(app: Any) -> dict[str, Any]:
    return {button.label: button for button in reversed(app.button)}


def lines(app: Any) -> list[str]:
    """Hits and headings, without what the sidebar says."""
    return [element.value for element in app.main.get("text")]


def test_words_are_found_with_what_they_are_and_where_they_stand(open_page: Any, url: str) -> None:
    app = open_page("items", url, q="names")
    assert not app.exception
    (hit,) = lines(app)
    assert hit == (
        f"gpt about careful against hasty · {BENCHMARK}@v1 · item 0 · rivers · 2026-09-21 14:14 UTC"
        "\nThe first is longer. ¶ The first answer »names« the river. [[A]]"
    )


def test_a_search_is_typed_and_lives_in_the_url(open_page: Any, url: str) -> None:
    app = open_page("items", url)
    app.text_input[0].set_value("多瑙河").run()
    assert len(lines(app)) == 1
    assert "answer of careful" in lines(app)[0]
    assert app.query_params["q"] == "多瑙河"
    app.text_input[0].set_value("nowhere to be found").run()
    assert app.info[0].value == "Nothing was found."


def test_without_words_filters_that_leave_nothing_are_looked_through_for_half_a_second(
    open_page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = item_stores.fill(tmp_path / "s.db", n_items=40)
    asked, whole = list[float](), search.search

    def over(store: Store, *given: Any, for_s: float, **named: Any) -> search.Found:
        asked.append(for_s)
        found = whole(store, *given, for_s=for_s, **named)
        return replace(found, hits=(), then=("reasoning", 7), looked_at=4050, by_index=False)

    monkeypatch.setattr(search, "search", over)
    app = open_page("items", url, verdict="label")
    said = "Nothing among the newest 4,050 texts."
    assert [one.value for one in app.info] == [said]
    assert "Look further" in buttons(app)
    app = open_page("items", url, verdict="label", begin="reasoning:7")
    assert [one.value for one in app.info] == ["Nothing among the next 4,050 texts."]
    app = open_page("items", url, q="names")
    assert app.info[0].value.endswith("nothing among 4,050 of them in a second.")
    assert asked == [0.5, 0.5, 1.0]


def test_hits_are_paged_and_another_search_begins_at_its_first_page(
    open_page: Any, url: str
) -> None:
    app = open_page("items", url, q="river")
    assert len(lines(app)) == PAGE
    assert "item 0 " in lines(app)[0]
    buttons(app)["Next"].click().run()
    assert len(lines(app)) == 40 - PAGE + 1
    assert f"item {PAGE} " in lines(app)[0]
    assert app.query_params["begin"] == f"question:{PAGE}"
    app.text_input[0].set_value("capital 1").run()
    assert "begin" not in app.query_params
    assert "item 1 " in lines(app)[0]


def test_a_link_to_a_page_of_hits_shows_that_page(open_page: Any, url: str) -> None:
    app = open_page("items", url, q="river", begin=f"question:{PAGE}")
    assert f"item {PAGE} " in lines(app)[0]
    buttons(app)["First page"].click().run()
    assert "item 0 " in lines(app)[0]
    for strange in ("question", "question:", "question:-1", "x:1", "question:" + "9" * 30, "%"):
        app.query_params["begin"] = strange
        app.run()
        assert not app.exception
        assert "item 0 " in lines(app)[0]


@pytest.mark.parametrize(
    ("label", "key", "option", "n"),
    [("Category", "category", "capitals", PAGE), ("Model", "about", "careful", 6),
     ("Judge", "said_by", "gpt", 2), ("Verdict", "verdict", "unreadable", 1),
     ("Flag", "flag", "addresses_judge", 1), ("In", "in", "reasoning", 7)],
)  # fmt: skip
def test_filters_narrow_the_hits_and_live_in_the_url(
    open_page: Any, url: str, label: str, key: str, option: str, n: int
) -> None:
    app = open_page("items", url)
    boxes(app)[label].select(option).run()
    assert not app.exception
    assert len(lines(app)) == n
    assert app.query_params[key] == option
    again = open_page("items", url, **{key: option})
    assert lines(again) == lines(app)


def test_a_hit_is_opened_and_the_search_is_come_back_to(open_page: Any, url: str) -> None:
    app = open_page("items", url, q="names")
    boxes(app)["Benchmark"].select("any").run()
    buttons(app)["Open"].click().run()
    assert app.query_params["item"] == "0"
    assert lines(app)[0].startswith(f"{BENCHMARK}@v1 · item 0 · rivers")
    buttons(app)["Back to the search"].click().run()
    assert "»names«" in lines(app)[0]
    assert boxes(app)["Benchmark"].value == "", "the item's benchmark is no filter"


def test_an_item_is_shown_with_all_of_its_history(open_page: Any, url: str) -> None:
    app = open_page("items", url, item="0", benchmark=BENCHMARK)
    assert not app.exception
    assert lines(app)[0] == (
        f"{BENCHMARK}@v1 · item 0 · rivers · 4 answers of 2 models · 8 verdicts of 3 judges"
    )
    shown = verbatim(app)
    assert shown[:3] == [
        "Which river flows through capital 0?", "A. the Danube\nB. the Rhine", "Danube\nDonau",
    ]  # fmt: skip
    for said in (
        "The Danube flows through it.", "It is the Danube, as before.", "It is the Danube.",
        "The second sample says 多瑙河流经这里。", "Rhine", "The first is longer.",
        "The first answer names the river. [[A]]", "短的答案。 Score: 2", "Asked once more",
    ):  # fmt: skip
        assert said in shown
    told = "\n".join(lines(app))
    for line in (
        r"careful · ● newest · .* · file:answers\.jsonl · vllm, vllm 0\.9, bfloat16",
        r"careful · ○ replaced by a later one",
        r"careful · sample 1 · ● newest",
        r"gpt about careful against hasty · wins \(0\.83\) · shown first · ● counts · .* · run f",
        r"gpt about careful against hasty · wins \(0\.90\) · shown second",
        r"rubric about hasty · 3 on 1 to 10, tone 5 · ● counts · 2026-09-21 15:13 UTC · run second",
        r"rubric about hasty · 2 on 1 to 10 · ○ replaced by a later one",
        r"rubric about hasty · 4 on 1 to 10 · repeat 1 · ● counts",
        r"rubric about hasty · 9 on 1 to 10 · ◇ asked afresh to confirm",
        r"rubric about careful · unreadable: no verdict · ● counts · ⚠ addresses judge",
        r"human/a about hasty · incorrect · ● counts",
    ):
        assert re.search(line, told), line
    table = app.dataframe[0].value.set_index("model")
    assert table.loc["careful", "gpt"] == "wins (0.83) | wins (0.90)"
    assert table.loc["hasty", "rubric"] == "4 on 1 to 10 | 3 on 1 to 10, tone 5"


def test_a_history_is_narrowed_to_a_model_and_a_judge(open_page: Any, url: str) -> None:
    app = open_page("items", url, item="0", benchmark=BENCHMARK, about="hasty", said_by="rubric")
    told = "\n".join(lines(app))
    assert "careful ·" not in told
    assert "human/a about" not in told
    assert told.count("rubric about hasty") == 4


def test_items_are_turned_over_one_by_one(open_page: Any, url: str) -> None:
    app = open_page("items", url, item="0", benchmark=BENCHMARK)
    assert buttons(app)["Previous item"].disabled
    buttons(app)["Next item"].click().run()
    assert "item 1 " in lines(app)[0]
    buttons(app)["Previous item"].click().run()
    assert "item 0 " in lines(app)[0]


def test_an_item_that_is_not_there_is_one_sentence(open_page: Any, url: str) -> None:
    app = open_page("items", url, benchmark=BENCHMARK)
    for strange in ("none", "<b>x</b>", "\0", "🙂"):
        app.query_params["item"] = strange
        app.run()
        assert not app.exception
        assert app.info[0].value == "The store has no such item."
    app.query_params["item"], app.query_params["benchmark"] = "0", "none"
    app.run()
    assert app.info[0].value == "The store has no such item."


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("hostile") / "s.db"
    url = item_stores.fill(path, hostile=tuple(item_stores.HOSTILE))
    with open_store(url) as store, store.transaction():
        for name in stores.HOSTILE:
            model = store.put_model(name, item_stores.ModelSpec(weights=f"name:{name}"))
            store.put_responses(dict([item_stores.answer(model, "2", f"by {name}")]))
    return url


@pytest.mark.parametrize("place", [{"q": ""}, {"in": "answer"}, {"item": "1"}, {"item": "2"}])
def test_hostile_texts_and_names_reach_no_element_that_reads_markup(
    open_page: Any, hostile: str, place: dict[str, str]
) -> None:
    app = open_page("items", hostile, benchmark=BENCHMARK, **place)
    assert not app.exception
    marks = [*stores.HOSTILE, "<script>", "[a link]", "\\frac", "onerror"]
    for element in app:
        if element.type in MARKUP or element.type in ("button", "toggle", "expander"):
            said = f"{getattr(element, 'value', '')} {getattr(element, 'label', '')}"
            assert not any(mark in said for mark in marks), element


def test_hostile_answers_are_shown_letter_by_letter(open_page: Any, hostile: str) -> None:
    app = open_page("items", hostile, item="1", benchmark=BENCHMARK)
    shown = verbatim(app)
    for name in ("script", "markdown", "latex", "emoji"):
        assert item_stores.HOSTILE[name] in shown
    assert "user⟨U+202E⟩txt.exe⟨U+2066⟩ שלום مرحبا" in shown
    assert "zero⟨U+0000⟩ half� bell⟨U+0007⟩ escape⟨U+001B⟩[31m" in shown


def test_long_texts_fold_at_twenty_lines_with_their_length_stated(
    open_page: Any, hostile: str
) -> None:
    app = open_page("items", hostile, item="1", benchmark=BENCHMARK, about="long model")
    line = "a line of a very long answer"
    assert "\n".join([line] * 20) in verbatim(app)
    toggle = app.toggle[1]  # behind the one that formats
    assert toggle.label == "Show all: 40,001 lines, 1,160,000 characters"
    toggle.set_value(True).run()
    assert max(len(code) for code in verbatim(app)) == 200_000
    assert "The first 200,000 characters are shown." in texts(app)


def test_a_line_without_end_folds_as_well() -> None:
    from long_text import CHARS, beginning, visible

    assert beginning("x" * 10_000) == "x" * CHARS
    assert beginning("a\n" * 20) == "\n".join(["a"] * 20)
    assert beginning("short\n") == "short\n"
    assert visible("👩‍👩‍👧‍👦 a\tb\nc") == "👩‍👩‍👧‍👦 a\tb\nc"


def test_answers_and_verdicts_of_an_item_are_paged(open_page: Any, hostile: str) -> None:
    app = open_page("items", hostile, item="1", benchmark=BENCHMARK)
    assert "1–5 of 8" in lines(app)
    next(b for b in app.button if b.key == "Next answers").click().run()
    assert "6–8 of 8" in lines(app)
    assert app.query_params["answers"] == "1"
    buttons(app)["Previous item"].click().run()
    assert "answers" not in app.query_params
    for strange in ("-1", "x", "9" * 40, "٣", "²"):
        app.query_params["answers"] = strange
        app.run()
        assert not app.exception


def test_the_index_that_is_not_complete_says_so_and_is_gone_on_with(
    open_page: Any, tmp_path: Path
) -> None:
    url = item_stores.fill(tmp_path / "s.db")
    open_page("items", url)
    with open_store(url) as store:
        store.put_items(item_stores.questions(5))
    other = sqlite3.connect(index_path(tmp_path / "s.db"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    app = open_page("items", url, q="river")
    assert not app.exception
    (bar,) = app.get("progress")
    assert bar.proto.text.startswith("The search index is being made: 17 of about 19 texts.")
    other.close()
    app.run()
    assert not app.get("progress")
    assert len(lines(app)) == 6


def test_an_index_that_cannot_be_made_is_one_sentence(open_page: Any, tmp_path: Path) -> None:
    url = item_stores.fill(tmp_path / "s.db")
    index_path(tmp_path / "s.db").mkdir()
    app = open_page("items", url, q="river")
    assert not app.exception
    assert app.error[0].value == "This cannot be shown."
    assert "the search index" in texts(app)
