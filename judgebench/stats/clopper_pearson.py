"""How large a share may be, of which a few draws have been seen: exact, however few they are."""

from __future__ import annotations

import math


def upper_bound(successes: int, n: int, *, level: float = 0.95) -> float:
    """The one-sided upper bound of Clopper and Pearson [1]_.

    Parameters
    ----------
    successes, n : int
        ``0 <= successes <= n``.
    level : float
        How often the bound holds at least, in (0, 1), whatever the share is.

    Returns
    -------
    float
        In (0, 1]: the largest share with which so few successes still come with a probability of
        ``1 - level``; without any success ``1 - (1 - level) ** (1 / n)``. nan where ``n`` is 0.

    Raises
    ------
    ValueError
        For more successes than draws, and for fewer than none.

    References
    ----------
    .. [1] C. J. Clopper and E. S. Pearson (1934), The use of confidence or fiducial limits
       illustrated in the case of the binomial, Biometrika 26(4), 404-413.
    """
    from scipy.special import betaincinv

    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes among {n}")
    if n == 0:
        return math.nan
    if successes == n:
        return 1.0
    return float(betaincinv(successes + 1, n - successes, level))
