"""Reads CritiqueLLM's sample of answers that people have scored.

Each record is an item of its own, known by upstream's id: a question, the answer of one of eight
systems, and its human score.
"""

from pathlib import Path

from judgebench.benchmarks.critiquellm_files import sampled
from judgebench.benchmarks.data import Content


def read(path: Path) -> Content | None:
    """The content of a file or folder; None if it holds no scored answers."""
    rows = sampled(path, ["response", "model", "human_score"])
    if rows is None:
        return None
    return Content(
        items=tuple(one.item for one in rows),
        answers=tuple(
            {"item_id": one.id, "model": one.text("model"), "text": one.text("response")}
            for one in rows
        ),
        labels=tuple(one.score("human_score", one.text("model")) for one in rows),
    )
