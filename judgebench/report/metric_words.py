"""What metrics are called at the head of a column."""

from __future__ import annotations

from judgebench.metrics.length_controlled import AS_PUBLISHED, LENGTH_CONTROLLED
from judgebench.metrics.paired_models import HEAD_TO_HEAD
from judgebench.metrics.scores import SCORE
from judgebench.metrics.win_rate import ORDER_FLIPS, WIN_RATE

WORDS = {
    LENGTH_CONTROLLED: "length-controlled win rate",
    AS_PUBLISHED: "length-controlled win rate, compat",
}


def metric_words(name: str, leading: str | None, scale: tuple[float, float] | None = None) -> str:
    """What a metric is called, with its unit.

    Parameters
    ----------
    leading
        What ranks the board: what its metrics of groups begin with.
    scale
        Of scores, if it is to be said.
    """
    words = WORDS.get(name) or name.removeprefix(f"{leading}/").replace("_", " ")
    if name == SCORE and scale is not None:
        words += " ({:g} to {:g})".format(*scale)
    return f"{words} %" if in_percent(name) else words


def of_confidence(name: str, confidence: str | None) -> str:
    """A metric, and the confidence that it is of, if any."""
    return name if confidence is None else f"{name} ({confidence})"


def in_percent(name: str) -> bool:
    """Whether a metric is a percentage."""
    return WIN_RATE in name or name.partition("/")[0] in (ORDER_FLIPS, HEAD_TO_HEAD)


def digits(name: str) -> int:
    """How many decimals a metric is shown with."""
    return 2 if in_percent(name) or name.startswith(SCORE) else 3
