"""Comparisons as arrays: who lost, tied or won each pair, in the eyes of each judge.

Whoever of the two models is called the opponent, a pair is one pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from operator import eq
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import Column, counted, marked, numbers, paired, same, select_rows
from judgebench.columns import coded as as_codes
from judgebench.metrics.intervals import Floats
from judgebench.metrics.label_board import NO_VERDICT, UNREADABLE, Codes, LabelBoard
from judgebench.metrics.verdict_table import FAILED, Columns, Ints, coded, units_of
from judgebench.metrics.verdict_values import preference_values
from judgebench.stats.pair_outcomes import LOSS, NO_OUTCOME, TIE, WIN, OutcomeRule, pair_outcomes
from judgebench.stats.resample import quotient

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
    times = counted(two)
    turned = {
        (one, other)
        for (one, other), n in times.items()
        if (n, other) < (times.get((other, one), 0), one) and one != other
    }
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


Bools: TypeAlias = NDArray[np.bool_]

OUTCOMES = ("loss", "tie", "win")
"""The labels, in the order of their codes: of the model against the opponent."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutcomeBoard:
    """Outcomes of pairs as labels, with what they were made of.

    labels
        Its answers are pairs, its models two models each.
    models : tuple of (model, opponent)
        What `labels` calls models.
    p : float array, shape (judges, pairs)
        Mean probability that the model's answer is better; nan where there is no outcome.
    by_order : int8 array, shape (judges, pairs, 2)
        The outcome in each of the two orders by itself, with a code as in `labels`.
    counts
        By judge: pairs won, tied and lost, without an outcome though the judge was asked,
        conflicting and half, as `PairOutcomes.counts` has them.
    """

    labels: LabelBoard
    models: tuple[ModelPair, ...]
    p: Floats
    by_order: Codes
    counts: Mapping[str, Mapping[str, int]]

    def codes(self, judge: str) -> Codes:
        """One judge's outcomes, shape (pairs,)."""
        return self.labels.of(judge)

    def probabilities(self, judge: str) -> Floats:
        """What one judge's outcomes are made of, shape (pairs,)."""
        return np.asarray(self.p[self.labels.judges.index(judge)])


def outcome_board(columns: Columns, rule: OutcomeRule | None = None) -> OutcomeBoard:
    """The outcome of every pair before every judge that compared it.

    Repeats are averaged first, in each order; then the rule says what comes of the two orders. A
    pair that was asked for in one order alone has the outcome of that one.

    Parameters
    ----------
    columns
        As for `paired_verdicts`.
    rule
    """
    rule = rule or OutcomeRule()
    said = paired_verdicts(columns)
    n_pairs = len(said.item_of)
    n_cells = len(said.judges) * n_pairs
    alone, asked_in = _by_order(said, n_cells)
    # An order that nobody asked for is no order that could not be read.
    p = np.where(asked_in, alone, alone[:, ::-1])
    asked: Bools = np.asarray(asked_in.any(axis=1))
    found = pair_outcomes(p, rule)
    codes = found.codes.astype(np.int8)
    codes[(found.codes == NO_OUTCOME) & asked] = UNREADABLE
    codes[~asked] = NO_VERDICT
    shape = (len(said.judges), n_pairs)
    by_judge = {
        "n_wins": codes == WIN,
        "n_ties": codes == TIE,
        "n_losses": codes == LOSS,
        "n_missing": codes == UNREADABLE,
        "n_conflicting": found.conflicting,
        "n_half": found.half,
    }
    sums = {name: marked.reshape(shape).sum(axis=1) for name, marked in by_judge.items()}
    one = np.where(np.isnan(p[:, 0]), p[:, 1], p[:, 0])
    other = np.where(np.isnan(p[:, 1]), p[:, 0], p[:, 1])
    return OutcomeBoard(
        labels=LabelBoard(
            labels=OUTCOMES,
            items=said.items,
            models=_called(said.models),
            judges=said.judges,
            item_of=said.item_of,
            model_of=said.models_of,
            units=said.units,
            unit_of=said.unit_of,
            codes=codes.reshape(shape),
        ),
        models=said.models,
        p=np.where(codes >= 0, (one + other) / 2.0, np.nan).reshape(shape),
        by_order=_each_alone(alone, asked_in, rule).reshape(*shape, 2),
        counts={
            judge: {name: int(n[j]) for name, n in sums.items()}
            for j, judge in enumerate(said.judges)
            if asked.reshape(shape)[j].any()
        },
    )


def _by_order(said: PairedVerdicts, n_cells: int) -> tuple[Floats, Bools]:
    """Mean probability in each order, and where it was asked for: both (judges * pairs, 2)."""
    cell = (said.judge_of * len(said.item_of) + said.pair_of) * 2 + said.order_of
    asked = np.bincount(cell, minlength=2 * n_cells).reshape(n_cells, 2) > 0
    read = ~np.isnan(said.p)
    total = np.bincount(cell[read], said.p[read], minlength=2 * n_cells).astype(np.float64)
    n = np.bincount(cell[read], minlength=2 * n_cells).astype(np.float64)
    return quotient(total, n).reshape(n_cells, 2), np.asarray(asked)


def _each_alone(p: Floats, asked: Bools, rule: OutcomeRule) -> Codes:
    """The outcomes of single orders."""
    codes = pair_outcomes(p.ravel(), rule).codes.astype(np.int8).reshape(p.shape)
    codes[(codes == NO_OUTCOME) & asked] = UNREADABLE
    codes[~asked] = NO_VERDICT
    return codes


def _called(models: tuple[ModelPair, ...]) -> tuple[str, ...]:
    if len({opponent for _, opponent in models}) < 2:
        return tuple(model for model, _ in models)
    return tuple(f"{model} against {opponent}" for model, opponent in models)
