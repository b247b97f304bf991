"""Our small versions of published benchmarks, end to end: a small model answers, a script judges.

The suites are those in ``suites/``, with the demo's model behind a server in place of their local
models, since loading it for lm-eval takes half a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import judgebench
from judgebench.protocols import NoProgress
from tests.wire.test_real_server import HAVE, served

ROOT = Path(__file__).resolve().parents[2]
MODEL = "smollm2"

pytestmark = pytest.mark.skipif(not HAVE, reason="the demo's model is not installed: make setup")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    yield from served()


def suite(name: str, server: str, folder: Path) -> Path:
    """A suite of ours, whose local models make room for the one behind the server."""
    text = (ROOT / "suites" / f"{name}.yaml").read_text(encoding="utf-8")
    said: dict[str, Any] = yaml.safe_load(text.replace("../tasks", str(ROOT / "tasks")))
    behind = {
        "provider": "openai_compatible",
        "model": "SmolLM2-135M-Instruct.Q4_1.gguf",
        "base_url": server,
        "sampling": {"max_tokens": 12},
        "max_connections": 1,
    }
    small = {"name": MODEL, "api": behind}
    said["models"] = [small, *(one for one in said["models"] if "lm_eval" not in one)]
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "turns"),
    [("mt_bench", 2), ("arena_hard", 1), ("just_eval", 1), ("xstest", 1), ("codal_bench", 1)],
)
def test_a_small_benchmark_runs_from_questions_to_a_board(
    name: str, turns: int, server: str, tmp_path: Path
) -> None:
    path, url = suite(name, server, tmp_path), f"sqlite:///{tmp_path}/s.db"
    done = judgebench.run(path, store=url, limit=1, progress=NoProgress())
    assert (done.failed, done.judged > 0) == (0, True)
    told = judgebench.answers(f"{name}_mini", store=url)
    its = told[told["model"] == MODEL]
    assert list(its["turn"]) == list(range(turns))
    assert not its["text"].str.strip().eq("").any()
    boards = judgebench.leaderboard(f"{name}_mini", store=url).boards
    judged = [board for board in boards if not board.judge.startswith("human")]
    assert judged
    for board in judged:
        assert MODEL in {row.model for row in board.rows}
    again = judgebench.run(path, store=url, limit=1, progress=NoProgress())
    assert (again.judged, again.generated) == (0, 0)
