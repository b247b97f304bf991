"""Made-up comparisons with a baseline that follow the regression of length-controlled win rates."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from judgebench.registry import tasks_root
from judgebench.rows import read_rows
from judgebench.store.store import Store
from tests.unit.exchanged import import_responses, import_verdicts, rows_file

BASELINE = "gpt4_1106_preview"
FIGURES = tasks_root() / "alpaca_eval" / "figures"


def take_in(
    store: Store,
    folder: Path,
    *,
    benchmark: str = "made_up",
    judge: str = "j",
    baseline: str = BASELINE,
    models: int = 6,
    items: int = 220,
    seed: int = 0,
    answers: bool = True,
) -> None:
    """Models ``m0``, ``m1``, … with verdicts of one judge, and their answers, which are letters."""
    generator = np.random.default_rng(seed)
    difficulty = generator.normal(0, 1.5, items)
    theirs = generator.integers(300, 600, items)
    if (benchmark, baseline) == ("alpaca_eval", BASELINE):  # it is known by its lengths
        theirs = published_lengths()[:items]
    verdicts: list[dict[str, Any]] = []
    texts = [answer(benchmark, i, baseline, int(n)) for i, n in enumerate(theirs)]
    for m in range(models):
        own = generator.integers(100, 700, items)
        t = np.tanh((theirs - own) / (theirs - own).std(ddof=1))
        chance = 1 / (1 + np.exp(-(-1.5 * t + difficulty + 0.5 - 0.4 * m)))
        for i, p in enumerate(np.round(chance, 3).tolist()):
            verdicts.append(verdict(i, f"m{m}", judge, p, benchmark=benchmark, opponent=baseline))
            texts.append(answer(benchmark, i, f"m{m}", int(own[i])))
    import_verdicts(store, rows_file(folder / "v.jsonl", verdicts))
    if answers:
        import_responses(store, rows_file(folder / "a.jsonl", texts))


@cache
def published_lengths() -> Any:
    """Characters of the published baseline's answers."""
    rows = read_rows(FIGURES / "instructions.csv", ("baseline_length",))
    lengths = np.array([row.whole("baseline_length") for row in rows])
    lengths.flags.writeable = False
    return lengths


def verdict(item: int, model: str, judge: str, p: float, **more: Any) -> dict[str, Any]:
    said = {"item_id": str(item), "model": model, "judge": judge, "kind": "preference"}
    return {"value": str(p), **said, **more}


def answer(benchmark: str, item: int, model: str, length: int) -> dict[str, Any]:
    text = chr(ord("a") + item % 26) * length  # not one and the same text
    return {"benchmark": benchmark, "item_id": str(item), "model": model, "text": text}
