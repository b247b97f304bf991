"""Models that answer one and the same text whatever they are asked.

One fixed text as the answer to all 805 instructions once led a published board, since it addressed
the judge [1]_. Honest models repeat short answers (a name, "yes"), so only longer ones count.

.. [1] X. Zheng et al. (2024), Cheating Automatic LLM Benchmarks: Null Models Achieve High Win
   Rates, arXiv 2410.07137.
"""

from __future__ import annotations

from judgebench.judges.marks import ConstantAnswer, constant_answer
from judgebench.metrics.verdict_table import Columns

SHORTEST = 20
"""Characters that a text must exceed to be more than a coincidence."""


def constant_answers(answers: Columns) -> dict[str, ConstantAnswer]:
    """The models whose answers are constant, by their id.

    Parameters
    ----------
    answers
        ``model_id``, ``item_id``, ``text``. Equal samples of one item are one answer; short answers
        are answers, but none that could be the constant one.
    """
    told = dict.fromkeys(
        zip(answers["model_id"], answers["item_id"], map(str.strip, answers["text"]), strict=True)
    )
    texts: dict[str, list[str]] = {}
    for model, _, text in told:
        texts.setdefault(model, []).append(text if len(text) > SHORTEST else "")
    found = {model: constant_answer(said) for model, said in texts.items()}
    return {model: one for model, one in found.items() if one is not None and one.flagged}
