"""What a benchmark's own baseline answered, where its data is at hand."""

from __future__ import annotations

from collections.abc import Mapping

from judgebench import registry
from judgebench.benchmarks.data_source import load_content
from judgebench.benchmarks.description import find
from judgebench.errors import InputError


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
