"""Who is a person: said in one place, for imports, reports and the dashboard alike."""

from __future__ import annotations

from judgebench.records import is_human
from tests.table import over_rows


@over_rows(
    ("judge", "human"),
    [("human", True), ("human/ann", True), ("humanoid", False), ("a/human", False), ("", False)],
)
def test_people_are_known_by_their_name(judge: str, human: bool) -> None:
    assert is_human(judge) == human
