"""The figure of a group of lm-eval tasks: lm-eval's own number, and what it rests on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from judgebench.columns import Column
from judgebench.config import LM_EVAL_GROUPS
from judgebench.execution.manifest import _lm_eval_groups
from judgebench.metrics.intervals import Intervals
from judgebench.reports.task_groups import table_of_group

SIZES = {"a": 3, "b": 40, "c": 17}


def of_task(values: np.ndarray, model: str = "m") -> dict[str, Column]:
    n = len(values)
    return {
        "item_id": [f"{i}" for i in range(n)], "model": [model] * n, "judge": ["lm_eval/acc"] * n,
        "sample": [0] * n, "kind": ["score"] * n, "value": values,
        "low": np.zeros(n), "high": np.ones(n),
    }  # fmt: skip


def drawn(seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        task: (generator.random(n) < generator.random()).astype(float) for task, n in SIZES.items()
    }


@pytest.mark.parametrize("weighted", [True, False])
def test_the_figure_is_lm_evals(weighted: bool) -> None:
    from lm_eval.api.metrics import aggregate_subtask_metrics

    for seed in range(20):
        values = drawn(seed)
        theirs = aggregate_subtask_metrics(
            [float(one.mean()) for one in values.values()], [*SIZES.values()], weighted
        )
        (row,) = table_of_group(
            [of_task(one) for one in values.values()], [*SIZES], weighted=weighted,
            intervals=Intervals(n_replicates=100),
        )  # fmt: skip
        assert row.leading.value == pytest.approx(theirs, abs=1e-12)
        assert row.leading.units == sum(SIZES.values())
        assert (row.rank, row.leading.missing) == (1, 0)


def test_equal_numbers_of_items_in_two_tasks_are_two_items() -> None:
    columns = [of_task(np.array([0.0, 1.0])), of_task(np.array([1.0, 1.0]))]
    (row,) = table_of_group(columns, ["a", "b"], weighted=True, intervals=Intervals())
    assert (row.leading.value, row.leading.units) == (0.75, 4)


def test_a_task_of_which_nothing_is_read_leaves_a_mean_of_means_undefined() -> None:
    silent = {**of_task(np.full(2, np.nan)), "kind": ["unreadable"] * 2}
    columns = [of_task(np.array([0.0, 1.0])), silent]
    (row,) = table_of_group(columns, ["a", "b"], weighted=False, intervals=Intervals())
    assert np.isnan(row.leading.value)
    assert row.leading.undefined.startswith("no readable verdict on a category, which")


def test_a_part_of_a_group_that_is_asked_alone_is_no_group() -> None:
    """As where a judge is asked anew about one of the tasks."""
    group = {"tasks": ["a", "b"], "metrics": []}
    asked = [
        SimpleNamespace(benchmark=SimpleNamespace(name=name, version="1", groups={"both": group}))
        for name in ("a", "b")
    ]
    whole, part = (SimpleNamespace(asked=some) for some in (asked, asked[:1]))
    assert _lm_eval_groups(whole) == {  # type: ignore[arg-type]
        LM_EVAL_GROUPS: {"both": {**group, "tasks": {"a": "1", "b": "1"}}}
    }
    assert _lm_eval_groups(part) == {}  # type: ignore[arg-type]
