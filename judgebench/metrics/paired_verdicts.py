"""Comparisons of answers as arrays, whoever of the two models is called the opponent."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from judgebench.metrics.intervals import Floats
from judgebench.metrics.verdict_table import FAILED, Columns, Ints, coded, units_of

ModelPair: TypeAlias = tuple[str, str]

MODEL_FIRST, OPPONENT_FIRST = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairedVerdicts:
    """Who compared which two answers how: one row for each time that it was asked.

    A *pair* is two answers to one item (of a conversation, one turn of it). A against B and B
    against A are one pair; its model is whoever is called so in more of the rows about these two
    models, of equally many the first by name. Names are sorted, so that equal verdicts give equal
    arrays in whatever order they were stored.

    models : tuple of (model, opponent)
    units, unit_of
        As in `judgebench.metrics.verdict_table.VerdictTable`.
    item_of, models_of : int array, shape (pairs,)
        Places in ``items`` and ``models``.
    sample_of : tuple of (sample, turn), shape (pairs,)
    judge_of, pair_of, order_of, repeat_of : int array, shape (rows,)
        ``order_of`` is `MODEL_FIRST` or `OPPONENT_FIRST`. Where a row does not say what was shown
        first, it is taken to be whom that row calls the model.
    p : float array, shape (rows,)
        Probability that the model's answer is better; nan where nothing could be read or had.
    """

    items: tuple[str, ...]
    judges: tuple[str, ...]
    models: tuple[ModelPair, ...]
    units: tuple[str, ...]
    unit_of: Ints
    item_of: Ints
    models_of: Ints
    sample_of: tuple[tuple[int, int], ...]
    judge_of: Ints
    pair_of: Ints
    order_of: Ints
    repeat_of: Ints
    p: Floats


def paired_verdicts(columns: Columns) -> PairedVerdicts:
    """Code a benchmark's comparisons; what is said of single answers is passed over.

    Parameters
    ----------
    columns
        ``item_id``, ``model``, ``opponent``, ``judge``, ``sample``, ``kind``, ``value``
        (probability that ``model`` beats ``opponent``), of equal length, and where they are known
        ``turn``, ``order``, ``repeat`` and ``unit``. `FAILED` rows say that there is such a pair.
        Every judge of the columns is among the judges all the same.
    """
    kinds = ("preference", "unreadable", FAILED)
    said = zip(columns["kind"], columns["opponent"], strict=True)
    rows = [
        row for row, (kind, against) in enumerate(said) if against is not None and kind in kinds
    ]

    def taken(name: str, default: object) -> list[object]:
        return [columns[name][row] for row in rows] if name in columns else [default] * len(rows)

    model, opponent = ([str(columns[who][row]) for row in rows] for who in ("model", "opponent"))
    turned = _turned(model, opponent)
    names = [
        (against, one) if (one, against) in turned else (one, against)
        for one, against in zip(model, opponent, strict=True)
    ]
    flipped = np.array([pair in turned for pair in zip(model, opponent, strict=True)], dtype=bool)
    items, item_of = coded([columns["item_id"][row] for row in rows])
    units, unit_of = units_of(items, columns, rows)
    models, models_of = coded(names)
    answers, sample_of = coded(list(zip(taken("sample", 0), taken("turn", 0), strict=True)))
    keys = (item_of * max(1, len(models)) + models_of) * max(1, len(answers)) + sample_of
    _, first, pair_of = np.unique(keys, return_index=True, return_inverse=True)
    everybody = tuple(sorted({str(judge) for judge in columns["judge"] if judge is not None}))
    _, judge_of = coded([str(columns["judge"][row]) for row in rows], among=everybody)
    opponent_first = np.array([order == "opponent_first" for order in taken("order", "single")])
    values = np.array(
        [
            columns["value"][row] if columns["kind"][row] == "preference" else math.nan
            for row in rows
        ],
        dtype=np.float64,
    )
    return PairedVerdicts(
        items=items,
        judges=everybody,
        models=models,
        units=units,
        unit_of=unit_of,
        item_of=item_of[first],
        models_of=models_of[first],
        sample_of=tuple(answers[code] for code in sample_of[first]),
        judge_of=judge_of,
        pair_of=pair_of,
        order_of=(opponent_first.astype(bool) != flipped).astype(np.int64),
        repeat_of=np.array(taken("repeat", 0), dtype=np.int64),
        p=np.where(flipped, 1.0 - values, values),
    )


def _turned(model: Sequence[str], opponent: Iterable[str]) -> set[ModelPair]:
    """The (model, opponent) of rows that are to be read the other way round."""
    said = Counter(zip(model, opponent, strict=True))
    return {
        (one, other)
        for (one, other), n in said.items()
        if (n, other) < (said[other, one], one) and one != other
    }
