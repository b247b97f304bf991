"""What is generated together depends on the full list alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from judgebench.workers.generate import WINDOW, batch_seed, batches


@given(st.lists(st.text(max_size=20), max_size=80), st.integers(1, 4))
def test_every_prompt_is_in_one_batch(prompts: list[str], size: int) -> None:
    by_id = {str(n): prompt for n, prompt in enumerate(prompts)}
    made = list(batches(by_id, list(by_id), size))
    assert sorted(id_ for one in made for id_ in one) == sorted(by_id)
    assert all(len(one) <= size for one in made)


def test_long_prompts_come_first_within_a_window() -> None:
    by_id = {str(n): "x" * (n + 1) for n in range(2 * WINDOW + 2)}
    made = list(batches(by_id, list(by_id), 2))
    last = 2 * WINDOW - 1
    assert made[0] == [str(last), str(last - 1)]
    assert made[WINDOW] == [str(last + 2), str(last + 1)]


def test_a_longer_list_changes_no_full_window_before_it() -> None:
    by_id = {str(n): "x" * (n * 7 % 23) for n in range(3 * WINDOW)}
    ids = list(by_id)
    assert list(batches(by_id, ids, 1))[:WINDOW] == list(batches(by_id, ids[:WINDOW], 1))


def test_ids_without_a_prompt_are_left_out() -> None:
    assert list(batches({"a": "x"}, ["b", "a"], 2)) == [["a"]]


def test_seeds_differ_by_sample_batch_and_task_and_are_fixed() -> None:
    seeds = {
        batch_seed(seed, task=task, sample=sample, number=number)
        for seed in (1, 2)
        for task in ("a", "b")
        for sample in (0, 1)
        for number in (0, 1)
    }
    assert len(seeds) == 16
    assert batch_seed(1234, task="t", sample=0, number=0) == 479422160  # sha256sum
