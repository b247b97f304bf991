"""Differences between two answers are marked, and nothing of an answer is ever read as markup."""

from __future__ import annotations

import random
from html.parser import HTMLParser

from tests.dashboards.item_stores import HOSTILE as TEXTS
from tests.table import over_rows
from tests.unit.hostile import HOSTILE


class Seen(HTMLParser):
    """The tags of a page, the text in it, and the text that is marked."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text, self.marked = "", []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        self.inside = tag == "mark"
        if self.inside:
            self.marked.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.inside:
            self.marked[-1] += data


def seen(html: str) -> Seen:
    found = Seen()
    found.feed(html)
    found.close()
    return found


def test_words_that_only_one_has_are_marked() -> None:
    from text_diff import side_by_side

    pair = side_by_side("the red fox ran", "the fox ran home", whole=True)
    assert pair is not None
    first, second = map(seen, pair)
    assert (first.text, second.text) == ("the red fox ran", "the fox ran home")
    assert [mark.strip() for mark in first.marked] == ["red"]
    assert [mark.strip() for mark in second.marked] == ["home"]


def test_chinese_is_compared_sign_by_sign_and_equal_texts_have_no_mark() -> None:
    from text_diff import side_by_side

    pair = side_by_side("多瑙河流经这里。", "莱茵河流经那里。", whole=True)
    assert pair is not None
    assert [seen(one).marked for one in pair] == [["多瑙", "这"], ["莱茵", "那"]]
    same = side_by_side("! " * 500, "! " * 500, whole=True)
    assert same is not None
    assert not any(seen(one).marked for one in same)


@over_rows("text", [*HOSTILE, *TEXTS.values()])
def test_no_text_becomes_markup_and_none_of_it_is_lost(text: str) -> None:
    from long_text import visible
    from text_diff import MOST_CHARS, side_by_side

    other = text[: len(text) // 2] + " <b>else</b> & more"
    pair = side_by_side(text, other, whole=True)
    if pair is None:
        assert len(text) + len(other) > MOST_CHARS
        return
    for html, written in zip(pair, (text, other), strict=True):
        found = seen(html)
        assert set(found.tags) <= {"div", "mark"}
        assert found.text == visible(written)


def test_pieces_are_the_texts_whatever_these_are() -> None:
    from text_diff import differences

    draw = random.Random(1)
    letters = "ab .\n多<&'\"é"
    for _ in range(200):
        texts = ["".join(draw.choices(letters, k=draw.randint(0, 60))) for _ in "ab"]
        pieces = differences(*texts)
        assert pieces is not None
        assert ["".join(one.text for one in some) for some in pieces] == texts
        common = ["".join("".join(p.text for p in some if p.common).split()) for some in pieces]
        assert common[0] == common[1]


def test_long_texts_are_folded_and_very_long_ones_not_compared() -> None:
    from text_diff import MOST_CHARS, side_by_side

    long = "\n".join(f"line {n}" for n in range(50))
    folded = side_by_side(long, long + " end", whole=False)
    assert folded is not None
    assert seen(folded[0]).text.count("\n") == 19
    assert side_by_side("a" * MOST_CHARS, "b", whole=False) is None
