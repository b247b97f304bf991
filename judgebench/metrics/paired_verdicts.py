"""Comparisons of answers as arrays, whoever of the two models is called the opponent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from operator import eq
from typing import TypeAlias

import numpy as np

from judgebench.columns import Column, counted, marked, numbers, paired, same, select_rows
from judgebench.columns import coded as as_codes
from judgebench.metrics.intervals import Floats
from judgebench.metrics.verdict_table import FAILED, Columns, Ints, coded, units_of
from judgebench.metrics.verdict_values import preference_values

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
    said = paired(columns["kind"], columns["opponent"])
    rows = np.flatnonzero(marked(said, lambda one: one[0] in kinds and one[1] is not None))

    its = select_rows(columns, rows)

    def known(name: str, default: object) -> Column:
        return its.get(name, same(default, len(rows)))

    two = paired(*(as_codes(known(who, None)).mapped(str) for who in ("model", "opponent")))
    turned = _turned(counted(two))
    flipped = marked(two, turned.__contains__)
    items, item_of = coded(known("item_id", None))
    units, unit_of = units_of(items, its)
    models, models_of = coded(two.mapped(lambda pair: pair[::-1] if pair in turned else pair))
    answers, sample_of = coded(paired(known("sample", 0), known("turn", 0)))
    keys = (item_of.astype(np.int64) * max(1, len(models)) + models_of) * max(
        1, len(answers)
    ) + sample_of
    _, first, pair_of = np.unique(keys, return_index=True, return_inverse=True)
    everybody = tuple(
        sorted(str(judge) for judge in counted(columns["judge"]) if judge is not None)
    )
    _, judge_of = coded(as_codes(known("judge", None)).mapped(str), among=everybody)
    opponent_first = marked(known("order", "single"), partial(eq, "opponent_first"))
    values = preference_values({name: known(name, None) for name in ("kind", "value")})
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
        order_of=(opponent_first != flipped).astype(np.int64),
        repeat_of=numbers(known("repeat", 0), int).astype(np.int64),
        p=np.where(flipped, 1.0 - values, values),
    )


def _turned(said: Mapping[ModelPair, int]) -> set[ModelPair]:
    """The (model, opponent) of rows that are to be read the other way round."""
    return {
        (one, other)
        for (one, other), n in said.items()
        if (n, other) < (said.get((other, one), 0), one) and one != other
    }
