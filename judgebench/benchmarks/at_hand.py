"""What is at hand of a benchmark: its items, and what its own baseline answered."""

from __future__ import annotations

from collections.abc import Mapping

from judgebench import registry
from judgebench.benchmarks.data_source import content_folder, load_content
from judgebench.benchmarks.description import find
from judgebench.benchmarks.folder import load_benchmark
from judgebench.errors import InputError
from judgebench.records import Item


def items_at_hand(benchmark: str, version: str) -> Mapping[str, Item] | None:
    """From the data home or the benchmark's folder; None where the data is not here.

    Raises
    ------
    InputError
        Where the data is here, but is not what is pinned.
    """
    if benchmark not in registry.benchmark_folders():
        return None
    description, folder = find(benchmark)
    if version not in description.versions:
        return None
    if not content_folder(description, folder, version).is_dir():
        return None
    return {item.id: item for item in load_benchmark(f"{benchmark}@{version}").items()}


def baseline_texts(benchmark: str, version: str, model: str) -> Mapping[str, str]:
    """The answers of a benchmark's own baseline by item.

    Empty where ``model`` is not its name, and where the data is not here or is not what is pinned.
    """
    if benchmark not in registry.benchmark_folders():
        return {}
    description, folder = find(benchmark)
    if description.baseline != model or version not in description.versions:
        return {}
    try:
        rows = load_content(description, folder, version).baseline
    except InputError:
        return {}
    return {row["item_id"]: row["text"] for row in rows}
