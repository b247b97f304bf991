"""Verdicts as numbers, one a row; nan where a verdict is unreadable or could not be had."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from judgebench.columns import marked, numbers, paired
from judgebench.metrics.intervals import Floats
from judgebench.metrics.verdict_table import Columns


def label_values(columns: Columns, labels: Sequence[str], which: Collection[str] = ()) -> Floats:
    """1 for the positive label, or for those of ``which``; 0 for another one that is declared.

    Parameters
    ----------
    columns
        ``kind`` and ``label``, of equal length.
    labels
        The declared ones, the positive one last. Another one is unreadable.
    """
    value_of = dict.fromkeys(labels, 0.0) | dict.fromkeys(which or labels[-1:], 1.0)
    return numbers(
        paired(columns["kind"], columns["label"]),
        lambda said: value_of.get(said[1], math.nan) if said[0] == "label" else math.nan,
    )


def score_values(columns: Columns) -> Floats:
    """The scores of ``kind`` and ``value``, columns of equal length."""
    return _values(columns, "score")


def preference_values(columns: Columns) -> Floats:
    """Probabilities that the model beats its opponent, of columns ``kind`` and ``value``."""
    return _values(columns, "preference")


def _values(columns: Columns, wanted: str) -> Floats:
    value = np.asarray(columns["value"], dtype=np.float64)
    other = marked(columns["kind"], lambda kind: kind != wanted)
    return value if np.isnan(value[other]).all() else np.where(other, np.nan, value)
