"""How long models' answers are, and which models answer one text whatever they are asked.

One fixed text as the answer to all 805 instructions once led a published board, since it addressed
the judge [1]_. Honest models repeat short answers (a name, "yes"), so only longer ones count.

.. [1] X. Zheng et al. (2024), Cheating Automatic LLM Benchmarks: Null Models Achieve High Win
   Rates, arXiv 2410.07137.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from judgebench.columns import grouped
from judgebench.judges.flags import CONSTANT_SHARE, ConstantAnswer, constant_answer
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.measures import Measure, estimated
from judgebench.metrics.verdict_table import Columns
from judgebench.records import REFUSED, Estimate

SHORTEST = 20
"""Characters that a text must exceed to be more than a coincidence."""

_BEGINNING = 100
"""How many characters are compared before whole texts are."""


def may_be_constant(answers: Columns) -> list[str]:
    """The ids of all models whose answers are constant, and of some whose answers begin alike.

    Constant answers have one beginning: whole texts need to be read of these models only.

    Parameters
    ----------
    answers
        ``model_id``, ``item_id``, ``start`` (an answer's first characters), ``length`` (of all of
        it).
    """
    answered: dict[str, set[str]] = {}  # samples of one item may be equal, and are one then
    alike: dict[str, list[str]] = {}
    told = (answers[name] for name in ("model_id", "item_id", "start", "length"))
    for model, item, start, length in zip(*told, strict=True):
        answered.setdefault(model, set()).add(item)
        text = start.lstrip()
        begins = text[:_BEGINNING].rstrip()
        if len(text) < _BEGINNING and length > len(start):  # white space hides its beginning
            begins = ""
        if begins == "" or length > SHORTEST:
            alike.setdefault(model, []).append(begins)
    said = {model: Counter(begins) for model, begins in alike.items()}
    return [
        model
        for model, times in said.items()
        if times.pop("", 0) + max(times.values(), default=0)
        >= CONSTANT_SHARE * len(answered[model])
    ]


def constant_answers(answers: Columns) -> dict[str, ConstantAnswer]:
    """The models whose answers are constant, by their id.

    Parameters
    ----------
    answers
        ``model_id``, ``item_id``, ``text``, and ``status`` where it is known. Equal samples
        of one item are one answer; short answers are answers, but none that could be the constant
        one.
    """
    told = dict.fromkeys(
        zip(answers["model_id"], answers["item_id"], map(str.strip, answers["text"]), strict=True)
    )
    texts = grouped((model, text if len(text) > SHORTEST else "") for model, _, text in told)
    found = {model: constant_answer(said) for model, said in texts.items()}
    flagged = {model: one for model, one in found.items() if one is not None and one.flagged}
    return {
        model: replace(one, refused=_mostly_refused(answers, model, one.text))
        for model, one in flagged.items()
    }


def _mostly_refused(answers: Columns, model: str, start: str) -> bool:
    """Whether most of a model's answers that begin so are refusals."""
    if "status" not in answers:
        return False
    names = ("model_id", "text", "status")
    said = [
        status == REFUSED
        for who, text, status in zip(*(answers[name] for name in names), strict=True)
        if who == model and text.strip().startswith(start)
    ]
    return bool(2 * sum(said) > len(said))


AVG_LENGTH, AVG_WORDS = "avg_length", "avg_words"


def answer_lengths(
    lengths: Mapping[tuple[str, str], float],
    models: Sequence[str],
    items: Sequence[str],
    intervals: Intervals,
) -> dict[str, Estimate]:
    """The mean length of each model's answers, with an interval over the items of a board.

    Parameters
    ----------
    lengths
        Characters, or words, by model and item; the mean of several samples.
    models, items
        Whose, and to which; the items in the order in which their board draws them.

    Returns
    -------
    dict
        By model; undefined for one without an answer.
    """
    table = np.array(
        [[lengths.get((model, item), np.nan) for model in models] for item in items],
        dtype=np.float64,
    ).reshape(len(items), len(models))
    there = ~np.isnan(table)
    measure = Measure(
        top=np.where(there, table, 0.0),
        bottom=there.astype(np.float64),
        n=there.sum(axis=0).astype(np.float64),
        missing=(~there).sum(axis=0).astype(np.float64),
        undefined="no answers are here",
    )
    of_items = measure.contributions
    (sums,) = intervals.resamples(items).sums([of_items])
    found = estimated(measure, of_items, sums, intervals)
    return dict(zip(models, found.estimates, strict=True))
