"""Reads CritiqueLLM's sample of pairs of answers that people have compared.

Each record is an item of its own, known by upstream's id. It does not say whose the two answers
are: the first is that of a model called ``response_1``, the second of the baseline ``response_2``.
"""

from pathlib import Path

from judgebench.benchmarks.data import Content, load_module
from judgebench.benchmarks.description import find

_SAMPLES = load_module(find("alignbench_pointwise")[1], "source")

FIRST, SECOND = "response_1", "response_2"
WON_BY_FIRST = {0: 1.0, 1: 0.0, 2: 0.5}
"""Upstream's labels: the first answer is better, the second, a tie."""


def read(path: Path) -> Content | None:
    """The content of a file or folder; None if it holds no compared answers."""
    rows = _SAMPLES.sampled(path, [FIRST, SECOND, "human_score_1", "human_score_2", "label"])
    if rows is None:
        return None
    compared = [
        {
            "item_id": one.id,
            "model": FIRST,
            "opponent": SECOND,
            "judge": _SAMPLES.PEOPLE,
            "kind": "preference",
            "value": WON_BY_FIRST[one.one_of("label", WON_BY_FIRST)],
        }
        for one in rows
    ]
    scored = [
        one.score(f"human_score_{side}", model)
        for one in rows
        for side, model in enumerate((FIRST, SECOND), 1)
    ]
    return Content(
        items=tuple(one.item for one in rows),
        baseline=tuple({"item_id": one.id, "text": one.text(SECOND)} for one in rows),
        answers=tuple({"item_id": one.id, "model": FIRST, "text": one.text(FIRST)} for one in rows),
        labels=(*compared, *scored),
    )
