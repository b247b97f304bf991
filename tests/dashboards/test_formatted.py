"""Markdown of models, formatted: tags of ours alone, nothing followed, every letter still there."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dashboards import compare_stores, item_stores, label_stores
from tests.table import over_rows

PIECES = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</code></pre>", "&lt;b&gt;",
    "[a](javascript:alert(1))", "[b]: http://example.org/b 'title'", "[b]", "![i](http://e.org/i.png)",
    "<http://e.org>", "<div onclick=a>", "```html\n<b>\n```", "    <i>code</i>", "`<u>`", "# head",
    "1) one", "7. seven", "- two", "> three", "| a | b |\n|:-|-:|\n| <b> | \" |", "**b**", "~~s~~",
    "$$x$$", ":red[x]", "\"'><svg/onload=alert(1)>", "\n", "\n\n", "  \n", "\\", "https://e.org/a_b",
]  # fmt: skip


class Read(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")


def of_ours(html: str) -> Read:
    import markdown_text

    read = Read(html)
    for tag, attributes in read.tags:
        assert tag in markdown_text.TAGS
        assert set(attributes) <= ({"start"} if tag == "ol" else set())
        assert all((value or "").isdecimal() for value in attributes.values())
    return read


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=12))
def test_whatever_is_written_only_tags_of_ours_come_out(pieces: list[str]) -> None:
    import markdown_text

    of_ours(markdown_text.as_html("".join(pieces)))


@over_rows("name", [name for name in item_stores.HOSTILE if name != "no text"])
def test_no_letter_of_a_hostile_answer_is_lost(name: str) -> None:
    import markdown_text

    text = item_stores.HOSTILE[name][:5_000]
    read = of_ours(markdown_text.as_html(text))
    signs = set("*![]`()\n ")
    assert [one for one in read.text if one not in signs] == [
        one for one in text if one not in signs
    ]


def test_markdown_is_formatted() -> None:
    import markdown_text

    html = markdown_text.as_html(
        "## So\n\nFirst **this**, *that* ~~not~~:\n\n3. three\n4. four\n\n"
        "| a | b |\n|--|--|\n| 1 | 2 |\n\n"
        '```python\nx < 1\n```\n\n[words](http://example.org/?a&b "title") ![a dog](dog.png)'
    )
    assert "<p><strong>So</strong></p>" in html
    assert "<strong>this</strong>, <em>that</em> <s>not</s>" in html
    assert '<ol start="3">\n<li>three</li>\n<li>four</li>' in html
    assert "<th>a</th>" in html
    assert "<td>2</td>" in html
    assert "<pre><code>x &lt; 1\n</code></pre>" in html
    assert "words (http://example.org/?a&amp;b) a dog (dog.png)" in html
    of_ours(html)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("formatted") / "s.db"
    return compare_stores.fill(path, n_items=4)


def _of_texts(app: Any) -> list[str]:
    return [one.proto.body for one in app.get("html") if "<style>" not in one.proto.body]


def test_a_reader_asks_for_it_and_the_link_says_so(open_page: Any, url: str) -> None:
    from tests.dashboards.told import verbatim

    app = open_page("items", url, item="0")
    plain = verbatim(app)
    assert plain
    assert not _of_texts(app)
    app.toggle(key="choose formatted").set_value(True).run()
    assert not app.exception
    assert app.query_params["formatted"] == "1"
    assert not verbatim(app)
    assert len(_of_texts(app)) == len(plain)
    again = open_page("items", url, item="0", formatted="1")
    assert _of_texts(again) == _of_texts(app)


def test_what_is_compared_is_marked_as_it_is_written_alone(open_page: Any, url: str) -> None:
    app = open_page("compare", url)
    assert any("<mark" in body for body in _of_texts(app))
    app.toggle(key="choose formatted").set_value(True).run()
    assert not app.exception
    assert _of_texts(app)
    assert not any("<mark" in body for body in _of_texts(app))
    assert any("marked in answers as they are written" in one.value for one in app.text)


def test_a_very_long_text_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import markdown_text

    monkeypatch.setattr(markdown_text, "_wanted", lambda: True)
    assert markdown_text.is_wanted("a" * markdown_text.MOST_CHARS)
    assert not markdown_text.is_wanted("a" * (markdown_text.MOST_CHARS + 1))
    assert not markdown_text.is_wanted(" \n")


@pytest.mark.usefixtures("at_home")
def test_who_labels_presses_a_button_and_goes_on_labelling(open_page: Any, tmp_path: Path) -> None:
    url = label_stores.fill(tmp_path / "s.db")
    app = open_page("label", url, rater="anna")
    assert not _of_texts(app)
    (button,) = (one for one in app.button if one.label == "Format texts")
    button.click().run()
    assert not app.exception
    assert _of_texts(app)
    (back,) = (one for one in app.button if one.label == "Texts as written")
    (correct,) = (one for one in app.button if one.label == "correct")
    correct.click()
    app.session_state["since"] -= 60  # whoever sits there has had the time to read
    app.run()
    assert any("1 of 12 labelled" in one.value for one in app.text)
    assert _of_texts(app)
    back.click().run()
    assert not _of_texts(app)
