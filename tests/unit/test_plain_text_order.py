"""Ids in the order in which people count."""

from hypothesis import given
from hypothesis import strategies as st
from natsort import natsorted, ns

from judgebench.plain_text import in_natural_order


@given(st.lists(st.text("ab019 -_.é٣²\n", max_size=6), max_size=9))
def test_ids_stand_as_natsort_has_them(ids: list[str]) -> None:
    assert in_natural_order(ids) == list(natsorted(ids, alg=ns.PRESORT))
    plain = [one for one in ids if one.isascii()]
    assert in_natural_order(plain) == list(natsorted(plain, alg=ns.PRESORT))


def test_numbers_may_be_of_any_length() -> None:
    long = [f"q{n * 10**40}" for n in (11, 2, 1)] + ["q9", "q" + "7" * 5000]
    assert in_natural_order(long) == ["q9", *long[2::-1], long[4]]
