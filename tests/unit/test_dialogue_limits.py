"""What a suite says about decoding over what is usual."""

from judgebench.dialogue import over
from tests.table import over_rows

USUAL = {"temperature": 0, "max_tokens": 100}


@over_rows(
    ("said", "expected"),
    [
        ({}, USUAL),
        ({"temperature": 1}, {"temperature": 1, "max_tokens": 100}),
        ({"max_tokens": 7}, {"temperature": 0, "max_tokens": 7}),
        ({"max_completion_tokens": 7}, {"temperature": 0, "max_completion_tokens": 7}),
        ({"max_tokens": None}, {"temperature": 0, "max_tokens": None}),
    ],
)
def test_one_limit_on_the_reply(said: dict[str, object], expected: dict[str, object]) -> None:
    assert over(USUAL, said) == expected
