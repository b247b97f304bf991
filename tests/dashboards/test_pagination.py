"""Pages of a ranking: none is empty, wherever a link leads."""

from __future__ import annotations

from tests.table import over_rows


@over_rows(
    ("page", "n", "start"),
    [
        (1, 25, 0), (2, 25, 0), (9, 25, 0), (2, 26, 25), (3, 26, 25),
        (2, 50, 25), (3, 50, 25), (9**8, 51, 50), (0, 51, 0), (-1, 51, 0),
    ],
)  # fmt: skip
def test_no_page_is_empty(page: int, n: int, start: int) -> None:
    from pagination import PAGE, start_of

    ranked = [f"{place}" for place in range(n)]
    assert PAGE == 25
    assert start_of(page, ranked) == start
    assert ranked[start:], "the last page has something on it"
