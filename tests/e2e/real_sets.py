"""The real questions of three benchmarks for whole runs, each in a process of its own.

Their folders are copied, and offered as an installed package offers them. Of two of them the gold
has a part, and a part never passes as the whole: the copies have the number of questions changed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from judgebench import registry
from judgebench.benchmarks.data import import_data
from tests import alignbench_gold, honestybench_gold
from tests.e2e import mixeval_gold
from tests.e2e.offered import offered


def environment(folder: Path) -> dict[str, str]:
    """What a process needs to see them, imported below ``folder``; skips without the gold."""
    if not (mixeval_gold.GOLD / "expected.json").exists():
        pytest.skip(mixeval_gold.ABSENT)
    alignbench_gold.needed()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUDGEBENCH_DATA", str(folder / "home"))
        import_data("mixeval_hard", mixeval_gold.GOLD)
    for prepare in (alignbench_gold.half, honestybench_gold.sample):
        with pytest.MonkeyPatch.context() as patch:
            prepare(folder, patch)
    tasks = folder / "tasks"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(registry.tasks_root() / "mixeval_hard", tasks / "mixeval_hard", ignore=ignored)
    packages = offered(folder, sorted(tasks.iterdir()))
    path = os.pathsep.join(filter(None, [str(packages), os.environ.get("PYTHONPATH")]))
    return {
        "JUDGEBENCH_DATA": str(folder / "home"),
        "HF_HUB_OFFLINE": "1",
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONPATH": path,
    }
