"""Holes are filled in one pass; values are never looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.errors import ConfigError
from judgebench.template import PromptText, fill


def test_values_are_not_scanned_again() -> None:
    prompt = PromptText(name="x", text="{a} {b} {not a hole} {} {{a}}")
    filled = fill(prompt, {"a": "{b}", "b": "\\1 $& {a} %s"})
    assert filled == "{b} \\1 $& {a} %s {not a hole} {} {{b}}"


def test_a_hole_without_a_value_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"prompt x: nothing fills \{b\}"):
        fill(PromptText(name="x", text="{a}{b}"), {"a": ""})


@given(st.text(), st.text())
def test_any_value_stands_as_it_is(first: str, second: str) -> None:
    prompt = PromptText(name="x", text="<{a}|{b}>")
    assert fill(prompt, {"a": first, "b": second}) == f"<{first}|{second}>"
