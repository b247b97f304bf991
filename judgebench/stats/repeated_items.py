"""What repeated items are worth: one item that is asked once and counts as often as it occurs.

A published mean may be one over rows. The unit of chance is the distinct item: rows that are the
same move together, so that a mean over 1000 rows of 446 items is less certain than its rows
suggest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def effective_n(times: ArrayLike) -> float:
    """How many items of equal weight would give a mean as certain as these do [1]_.

    Parameters
    ----------
    times : float array, shape (n_items,)
        Weights, such as how often each item occurs; not negative.

    Returns
    -------
    float
        Between 1 and the number of items, which it equals where all weights are the same; 0
        without items.

    References
    ----------
    .. [1] L. Kish (1965), Survey Sampling, section 11.7.
    """
    weights = np.asarray(times, dtype=np.float64)
    squares = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0
