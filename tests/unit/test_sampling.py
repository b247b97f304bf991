"""With which probability people labelled an answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from judgebench.execution.manifest import new_manifest
from judgebench.labels import put_label
from judgebench.metrics.correction import sample_design, sampling_probabilities
from judgebench.records import Label
from judgebench.stats.agreement import cohen_kappa_of
from judgebench.stats.sampling import allocation, kappa_error_of, kappa_standard_error
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.table import over_rows
from tests.unit.test_labelling import BENCHMARK, VERSION, answer, model, place

CORRECT = Label(name="correct")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "s.db")) as opened:
        answer(opened, {"a": 6, "b": 6})
        yield opened


def drawn(store: Store, cells: list[tuple[str, str, int]], strata: list[dict[str, Any]]) -> None:
    sampling = {
        "queue": "q1", "benchmark": BENCHMARK, "version": VERSION, "opponent": None,
        "design": "random", "strata": strata, "cells": [list(one) for one in cells],
    }  # fmt: skip
    manifest = new_manifest("labels", {"sampling": sampling}, data_sha={}, seed=0)
    store.start_run(replace(manifest, state="done"))


def label(store: Store, item: int, name: str = "a", rater: str = "human/anna") -> None:
    put_label(store, rater, place(item, name), CORRECT)


def id_of(name: str) -> str:
    return model(name).hex()[:12]


def test_what_is_labelled_of_a_draw_has_the_share_of_its_stratum(store: Store) -> None:
    a, b = id_of("a"), id_of("b")
    strata = [{"name": "all", "model": None, "of": 12, "drawn": 4}]
    drawn(store, [("0", a, 0), ("1", a, 0), ("2", b, 0), ("3", b, 0)], strata)
    assert sampling_probabilities(store, BENCHMARK, VERSION, model=a) is None  # nothing labelled
    for item, name in ((0, "a"), (2, "b"), (5, "a")):  # the last one was drawn by nobody
        label(store, item, name)
    assert sampling_probabilities(store, BENCHMARK, VERSION, model=a) == {"0": 2 / 12}
    label(store, 1, "a", "human/bert")
    assert sampling_probabilities(store, BENCHMARK, VERSION, model=a) == {"0": 3 / 12, "1": 3 / 12}


def test_a_stratum_without_labels_leaves_it_unknown(store: Store) -> None:
    a, b = id_of("a"), id_of("b")
    strata = [
        {"name": "a, easy", "model": a, "of": 4, "drawn": 1},
        {"name": "a, hard", "model": a, "of": 2, "drawn": 1},
        {"name": "b", "model": b, "of": 6, "drawn": 1},
    ]
    drawn(store, [("0", a, 0), ("5", a, 1), ("2", b, 2)], strata)
    label(store, 0)
    assert sampling_probabilities(store, BENCHMARK, VERSION, model=a) is None
    label(store, 5)
    assert sampling_probabilities(store, BENCHMARK, VERSION, model=a) == {"0": 1 / 4, "5": 1 / 2}
    assert sampling_probabilities(store, BENCHMARK, VERSION, model=b) is None


def test_without_a_draw_it_is_known_where_everything_is_labelled(store: Store) -> None:
    a = id_of("a")
    for item in range(6):
        assert sampling_probabilities(store, BENCHMARK, VERSION, model=a) is None
        label(store, item, rater=f"human/{item % 2}")
    found = sampling_probabilities(store, BENCHMARK, VERSION, model=a)
    assert found == {str(item): 1.0 for item in range(6)}
    assert sampling_probabilities(store, BENCHMARK, VERSION, model=id_of("b")) is None


def test_labels_from_before_a_draw_are_no_random_part_of_it(store: Store) -> None:
    a = id_of("a")
    for item in range(3):
        label(store, item)
    strata = [{"name": "all", "model": None, "of": 12, "drawn": 3}]
    drawn(store, [("1", a, 0), ("4", a, 0), ("5", a, 0)], strata)
    assert sampling_probabilities(store, BENCHMARK, VERSION, model=a) is None
    assert sample_design(store, BENCHMARK, VERSION) is None
    label(store, 4)
    assert sampling_probabilities(store, BENCHMARK, VERSION, model=a) == {"4": 1 / 12}
    label(store, 5)  # now all of it is labelled, whenever that was
    found = sampling_probabilities(store, BENCHMARK, VERSION, model=a)
    assert found == dict.fromkeys("145", 3 / 12)
    assert sample_design(store, BENCHMARK, VERSION) == "random"
    label(store, 3)
    found = sampling_probabilities(store, BENCHMARK, VERSION, model=a)
    assert found == {str(item): 1.0 for item in range(6)}  # every answer, whoever drew some


def test_answers_that_came_after_a_draw_could_not_be_drawn(store: Store) -> None:
    a, b = id_of("a"), id_of("b")
    drawn(store, [("0", a, 0), ("1", a, 0), ("2", b, 0)], [
        {"name": "all", "model": None, "of": 12, "drawn": 3}
    ])  # fmt: skip
    for item, name in ((0, "a"), (1, "a"), (2, "b")):
        label(store, item, name)
    assert sampling_probabilities(store, BENCHMARK, VERSION, model=a) == {"0": 0.25, "1": 0.25}
    answer(store, {"c": 9})  # another model is no more of these
    assert sampling_probabilities(store, BENCHMARK, VERSION, model=a) is not None
    answer(store, {"b": 9})
    assert sampling_probabilities(store, BENCHMARK, VERSION, model=a) is None
    assert sampling_probabilities(store, BENCHMARK, VERSION, model=b) is None


# what kappa will be known to ----------------------------------------------------------------------


def test_an_allocation_never_takes_back_what_a_smaller_one_gave() -> None:
    sizes, weights = [40, 7, 1, 300], [20.0, 7.0, 0.1, 30.0]
    before = [1, 1, 1, 1]
    for n in range(4, 349):
        now = allocation(sizes, weights, n)
        assert sum(now) == n
        assert all(was <= one <= size for was, one, size in zip(before, now, sizes, strict=True))
        before = now
    with pytest.raises(ValueError, match="4 to 348"):
        allocation(sizes, weights, 349)


@over_rows("weighting", ["nominal", "quadratic"])
def test_the_error_of_kappa_is_that_of_statsmodels(weighting: str) -> None:
    table = np.random.default_rng(3).integers(1, 30, (4, 4)).astype(float)
    apart = np.subtract.outer(np.arange(4), np.arange(4)).astype(float)
    distance = 1.0 * (apart != 0) if weighting == "nominal" else apart**2
    theirs = cohens_kappa(table, wt=None if weighting == "nominal" else "quadratic")
    n = table.sum()
    assert kappa_error_of(table / n, distance, n) == pytest.approx(theirs.std_kappa, rel=1e-12)


@over_rows(("share", "kappa", "n"), [(0.5, 0.6, 100), (0.7, 0.4, 200)])
def test_the_width_foretold_is_the_width_found(share: float, kappa: float, n: int) -> None:
    """6,000 pairs of raters: their kappas spread as was foretold, to one part in twenty."""
    rng, p = np.random.default_rng(1), np.array([1 - share, share])
    table = kappa * np.diag(p) + (1 - kappa) * np.outer(p, p)
    drawn = rng.multinomial(n, table.ravel(), size=6000).reshape(-1, 2, 2)
    foretold = kappa_standard_error(p, 1 - np.eye(2), kappa, n)
    assert np.std(cohen_kappa_of(drawn)) == pytest.approx(foretold, rel=0.05)
