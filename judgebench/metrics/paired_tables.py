"""Two raters' labels of the same answers: what each item adds to each model's table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.metrics.label_board import Codes, LabelBoard

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class PairedTables:
    """One judge against a reference, on the models the reference has labelled.

    Every item weighs one in a model's table: where it has several samples, each counts its share.
    Items that are one question add up, and are drawn together.

    tables : shape (units, models, labels, labels)
        Rows are the judge's labels.
    truth : shape (units, models, labels)
        The reference's labels on all it has labelled, whether the judge did or not.
    pairs, missing : shape (models,)
        Answers labelled by both, and by the reference only.
    filled, unfilled : shapes (models, labels, labels) and (models, labels)
        Where each answer that the reference labelled counts its share: the pairs there are, and
        the missing by the reference's label.
    """

    models: tuple[str, ...]
    tables: Floats
    truth: Floats
    pairs: Ints
    missing: Ints
    filled: Floats
    unfilled: Floats

    @cached_property
    def units(self) -> Ints:
        """Units with at least one pair, by model: shape (models,)."""
        return np.asarray((self.tables.sum(axis=(2, 3)) > 0).sum(axis=0))

    @cached_property
    def pooled_units(self) -> int:
        """Units with at least one pair of any model."""
        return int((self.tables.sum(axis=(1, 2, 3)) > 0).sum())


def pair(
    board: LabelBoard, judge: Codes, reference: Codes, *, together: bool = False
) -> PairedTables:
    """Pair a judge's codes with the reference's, answer by answer.

    Parameters
    ----------
    judge, reference : int8 array, shape (answers of the board,)
    together
        One table for all models, called ``all``, in which each answer counts what it does in its
        own model's.
    """
    k = len(board.labels)
    known = reference >= 0
    models, model = np.unique(board.model_of[known], return_inverse=True)
    item, truth, verdict = board.item_of[known], reference[known], judge[known]
    n_items, n_units, n_models = len(board.items), len(board.units), len(models)
    cell = item * n_models + model
    names = tuple(board.models[m] for m in models)
    n_cells = n_items * n_models
    if together:
        names, n_models, model = ("all",), 1, np.zeros_like(model)
    of_unit = board.unit_of[item] * n_models + model
    both = verdict >= 0

    def spread(where: NDArray[np.bool_], places: Ints, width: int, share: Floats) -> Floats:
        """Add up the answers' shares over (unit, model, place)."""
        flat = of_unit[where] * width + places
        sums = np.bincount(flat, weights=share[where], minlength=n_units * n_models * width)
        return np.asarray(sums.reshape(n_units, n_models, width), dtype=np.float64)

    everywhere = np.ones(len(cell), dtype=np.bool_)
    pairs_share = _shares(cell, both, n_cells)
    truth_share = _shares(cell, everywhere, n_cells)
    labels = verdict[both].astype(np.int64) * k + truth[both]
    shape = (n_units, n_models, k, k)
    return PairedTables(
        models=names,
        tables=spread(both, labels, k * k, pairs_share).reshape(shape),
        truth=spread(everywhere, truth.astype(np.int64), k, truth_share),
        pairs=np.bincount(model[both], minlength=n_models),
        missing=np.bincount(model[~both], minlength=n_models),
        filled=spread(both, labels, k * k, truth_share).reshape(shape).sum(axis=0),
        unfilled=spread(~both, truth[~both].astype(np.int64), k, truth_share).sum(axis=0),
    )


def fillings(unfilled: Floats) -> Floats:
    """What the missing verdicts could add to binary tables, along the edge of the possible.

    Let the judge have said "positive" on a share ``a`` of the missing answers that the reference
    calls negative, and on a share ``b`` of those it calls positive. At a given number of
    positives, every coefficient grows with the agreement, so that its extremes over all fillings
    lie where ``a`` or ``b`` is 0 or 1.

    Parameters
    ----------
    unfilled : float array, shape (..., 2)
        Missing by the reference's label.

    Returns
    -------
    float array, shape (fillings, ..., 2, 2)
    """
    t = np.linspace(0.0, 1.0, 101)
    zero, one = np.zeros_like(t), np.ones_like(t)
    said = np.stack(
        [np.concatenate([t, t, zero, one]), np.concatenate([zero, one, t, t])], axis=-1
    ).reshape(-1, *(1,) * (unfilled.ndim - 1), 2)
    return np.stack([(1.0 - said) * unfilled, said * unfilled], axis=-2)


def _shares(cell: Ints, counted: NDArray[np.bool_], n_cells: int) -> Floats:
    """One over the number of counted answers in each answer's cell."""
    together = np.bincount(cell[counted], minlength=n_cells)[cell]
    return np.asarray(1.0 / np.maximum(together, 1))
