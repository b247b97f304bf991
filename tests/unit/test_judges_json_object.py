"""A reply that has to be one JSON object, with or without a code fence."""

from __future__ import annotations

import json

from judgebench.judges.readers.json import NOT_AN_OBJECT, TWO_VERDICTS, json_object, other_json
from judgebench.records import Reply
from tests.table import over_rows


@over_rows(
    "text",
    [
        '{"a": 1}',
        ' {"a": 1}\n',
        '```json\n{"a": 1}\n```',
        '```\n{"a": 1}\n```\n',
        ' ```json \n\n{"a": 1}\n\n ``` ',
    ],
)
def test_a_fence_around_all_of_it_is_overlooked(text: str) -> None:
    assert json_object(Reply(text=text), ("a",)) == {"a": 1}


@over_rows(
    "text",
    [
        "",
        "```",
        "```\n```",
        '```json {"a": 1}```',
        '```json\n{"a": 1}',
        '{"a": 1}\n```',
        'So:\n```json\n{"a": 1}\n```',
        '```json\n{"a": 1}\n```\nI think.',
        '```python\n{"a": 1}\n```',
        '```\n```json\n{"a": 1}\n```\n```',
        '["a"]',
        "```" + 300_000 * "\n",  # to be read in one pass
        300_000 * "[",
    ],
)
def test_anything_else_is_not_one_object(text: str) -> None:
    assert json_object(Reply(text=text), ("a",)) == NOT_AN_OBJECT


def test_names_have_to_be_those_that_were_asked_for_each_once() -> None:
    more = json_object(Reply(text=json.dumps({"a": 1, "b" * 30: 2})), ("a",))
    assert more == other_json(f"'{'b' * 20}' was not asked for")
    assert json_object(Reply(text="{}"), ("a",)) == other_json("no 'a'")
    assert json_object(Reply(text='{"a": 1, "a": 2}'), ("a",)) == TWO_VERDICTS


def test_reasons_may_be_missing_where_they_were_asked_for() -> None:
    for text in ('{"a": 1}', '{"reason": "r", "a": 1}'):
        found = json_object(Reply(text=text), ("a",), explain=True)
        assert isinstance(found, dict)
        assert found["a"] == 1
    twice = '{"reason": "r", "a": 1, "reason": "s"}'
    assert json_object(Reply(text=twice), ("a",), explain=True) == TWO_VERDICTS
