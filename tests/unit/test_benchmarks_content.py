"""What a version's content may be, and what its hash covers."""

from __future__ import annotations

from typing import Any

import pytest

from judgebench.benchmarks.data import Content, checked
from judgebench.errors import InputError
from tests.table import over_rows

ITEMS: tuple[dict[str, Any], ...] = (
    {"id": "1", "question": "Which?", "references": ["This."]},
    {"id": "2", "question": "Who?"},
)
ANSWERS = ({"item_id": "1", "text": "That."}, {"item_id": "2", "text": "She."})
FEWSHOT = ({"question": "Where?", "answer": "There."},)


def test_whole_content_is_taken_as_it_is() -> None:
    content = Content(items=ITEMS, fewshot=FEWSHOT, baseline=ANSWERS)
    assert checked(content, "F") == content


@over_rows(
    ("content", "message"),
    [
        (Content(items=()), "F: there is no question in it"),
        (Content(items=(*ITEMS, ITEMS[0])), "F:3: the id '1' stands here twice"),
        (Content(items=({**ITEMS[0], "references": [1]},)), "F:1: references: a list of texts"),
        (Content(items=({**ITEMS[0], "references": "This."},)), "F:1: references: a list"),
        (Content(items=ITEMS, baseline=ANSWERS[:1]), "1 answers of the baseline to 2 questions"),
        (Content(items=ITEMS, baseline=(*ANSWERS, ANSWERS[0])), "3 answers of the baseline to 2"),
        (Content(items=ITEMS[:1], baseline=ANSWERS[1:]), "each question has one"),
    ],
)
def test_content_that_is_refused(content: Content, message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked(content, "F")


def test_the_hash_is_of_all_that_comes_with_the_questions() -> None:
    other = ({**ANSWERS[0], "text": "Another."}, ANSWERS[1])
    contents = [
        Content(items=ITEMS),
        Content(items=ITEMS[::-1]),
        Content(items=ITEMS, fewshot=FEWSHOT),
        Content(items=ITEMS, baseline=ANSWERS),
        Content(items=ITEMS, baseline=other),
    ]
    assert len({content.sha for content in contents}) == len(contents)
