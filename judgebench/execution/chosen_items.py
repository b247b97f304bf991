"""Which of a benchmark's items a suite asks: all, the first few, or the first few of each kind."""

from __future__ import annotations

from collections import Counter

from judgebench.benchmarks.folder import Benchmark
from judgebench.config import BenchmarkConfig
from judgebench.errors import ConfigError
from judgebench.records import Item


def chosen_items(benchmark: Benchmark, config: BenchmarkConfig) -> tuple[Item, ...]:
    """The items in the benchmark's order; those without a category are one more category.

    Where a run is narrowed, the first of those that its suite asks by category.

    Raises
    ------
    ConfigError
        Where a suite counts by category and no item has one.
    InputError
        Where the benchmark's data is not here.
    """
    if config.limit_by_category is None:
        return tuple(benchmark.items(config.limit))
    items = benchmark.items()
    if all(item.category is None for item in items):
        raise ConfigError(
            f"benchmark {config.name}: limit_by_category: its items have no category; use 'limit'"
        )
    seen: Counter[str | None] = Counter()
    chosen = []
    for item in items:
        seen[item.category] += 1
        if seen[item.category] <= config.limit_by_category:
            chosen.append(item)
    return tuple(chosen[: config.limit])
