"""Means over repeats, orders and samples, beside what is computed verdict by verdict."""

from __future__ import annotations

import math
from statistics import fmean
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.columns import grouped
from judgebench.metrics.measures import item_means, judge_noise
from judgebench.metrics.verdict_table import SPARSE, read_table


class Said(NamedTuple):
    """One verdict; ``value`` is nan where it could not be read."""

    judge: str
    item_id: str
    model: str
    sample: int
    order: str
    repeat: int
    value: float


def said(*, single: bool) -> st.SearchStrategy[list[Said]]:
    n = 1 if single else 2
    places = st.tuples(
        st.sampled_from("jk"), st.sampled_from("abc"), st.sampled_from("mn"),
        st.integers(0, n - 1), st.sampled_from(["model_first", "opponent_first"][:n]),
        st.integers(0, n - 1),
    )  # fmt: skip
    values = st.sampled_from([0.0, 0.25, 0.5, 1.0, math.nan])
    return st.dictionaries(places, values, min_size=1).map(
        lambda found: [Said(*place, value) for place, value in found.items()]
    )


def mean(values: list[float]) -> float:
    read = [value for value in values if not math.isnan(value)]
    return fmean(read) if read else math.nan


def nested(rows: list[Said]) -> float:
    """Of repeats, then of orders, then of samples."""
    askings = grouped(((one.sample, one.order), one.value) for one in rows)
    answers = grouped((sample, mean(values)) for (sample, _), values in askings.items())
    return mean([mean(values) for values in answers.values()])


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("sparse", [True, False])
@given(st.data())
def test_every_cell_is_what_its_verdicts_say_one_by_one(
    single: bool, sparse: bool, data: st.DataObject
) -> None:
    rows = data.draw(said(single=single))
    columns = {name: [getattr(one, name) for one in rows] for name in Said._fields}
    table = read_table(columns | ({SPARSE: [True] * len(rows)} if sparse else {}))
    values = np.array(columns["value"])
    found = item_means(table, np.flatnonzero(table.judge_of == 0), values, ends=(0.0, 1.0))
    for i, item in enumerate(table.items):
        for m, model in enumerate(table.models):
            here = [one for one in rows if (one.item_id, one.model) == (item, model)]
            its = [one for one in here if one.judge == table.judges[0]]
            answers = {one.sample for one in here}
            lacking = max(len(answers), 0 if sparse else 1) - len({one.sample for one in its})
            assert found.asked[i, m] == len(its)
            assert found.readable[i, m] == sum(not math.isnan(one.value) for one in its)
            assert found.expected[i, m] == len(its) + lacking
            assert found.mean[i, m] == pytest.approx(nested(its), nan_ok=True)
            for end, ends in ((0.0, found.worst), (1.0, found.best)):
                filled = [
                    one._replace(value=end if math.isnan(one.value) else one.value) for one in its
                ]
                more = [Said("", item, model, 10 + n, "", 0, end) for n in range(lacking)]
                assert ends is not None
                assert ends[i, m] == pytest.approx(nested(filled + more), nan_ok=True)


@given(said(single=False))
def test_noise_is_that_of_repeats_around_their_mean(rows: list[Said]) -> None:
    columns = {name: [getattr(one, name) for one in rows] for name in Said._fields}
    table, values = read_table(columns), np.array(columns["value"])
    found = judge_noise(table, np.flatnonzero(table.judge_of == 0), values)
    its = [one for one in rows if one.judge == table.judges[0] and not math.isnan(one.value)]
    askings = grouped(((one.item_id, one.model, one.sample, one.order), one.value) for one in its)
    again = [some for some in askings.values() if len(some) > 1]
    spread = sum((value - fmean(some)) ** 2 for some in again for value in some)
    assert found.top.sum() == pytest.approx(spread)
    assert found.bottom.sum() == pytest.approx(sum(len(some) - 1 for some in again))
