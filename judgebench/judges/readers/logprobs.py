"""Probabilities of verdicts, from how likely a model was to begin its reply with each of them.

Two sources: the log-probabilities of the first token's alternatives, which a reply brings along,
and a `ScoreRequest`, whose reply is the log-probability of each verdict. Either way a verdict's
probability is its share among the verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from judgebench.dialogue import reads
from judgebench.records import Reply, TokenLogprob, Unreadable

MIN_MASS = 0.5
"""Below this, the model was about to say something else, and its reply is unreadable."""

TOP_LOGPROBS = 20
"""How many alternatives chat completions list at most."""

LEAST_PREFIX = 3
"""How much of a longer verdict a first token has to hold: ``inc`` begins ``incorrect``."""

Shares: TypeAlias = Mapping[str, float]


@reads("given")
def first_token_shares(
    reply: Reply, verdicts: Sequence[str], *, upstream: bool = False
) -> Shares | Unreadable:
    """Each verdict's share of probability at the first token of the reply.

    Spellings of one verdict (`` A`` and ``A``) are added. A verdict that is not listed gets the
    most that it can have: the probability of the least likely token that is listed, or what the
    listed ones leave over, if that is less.

    ``upstream`` is AlpacaEval's rule: tokens spelt exactly so, 0 for what is not listed, and
    however small the verdicts' probability is in all.
    """
    if not reply.logprobs:
        return Unreadable(reason="no log-probabilities in the reply")
    listed = _listed(reply.logprobs[0], with_chosen=not upstream)
    found = {verdict: _mass(listed, verdict, verdicts, exact=upstream) for verdict in verdicts}
    mass = sum(found.values())
    if not mass > 0:
        return Unreadable(reason="no verdict among the likeliest first tokens")
    if upstream:
        return _shares(found)
    if mass < MIN_MASS:
        return Unreadable(reason=f"verdicts have less than {MIN_MASS:g} of the first token")
    most = min(*listed.values(), max(0.0, 1 - sum(listed.values())))
    return _shares({verdict: p or most for verdict, p in found.items()})


@reads("given")
def likelihood_shares(reply: Reply, verdicts: Sequence[str]) -> Shares | Unreadable:
    """Each verdict's share of probability by `Reply.scores`, in the order of ``verdicts``.

    However unlikely all of them were: the model had no choice but these.
    """
    scores = reply.scores
    if scores is None or len(scores) != len(verdicts):
        return Unreadable(reason=f"not {len(verdicts)} log-probabilities, as were asked for")
    likeliest = max(scores)
    if any(math.isnan(score) for score in scores) or math.isinf(likeliest):
        return Unreadable(reason="log-probabilities that are no numbers")
    weights = (math.exp(score - likeliest) for score in scores)
    return _shares(dict(zip(verdicts, weights, strict=True)))


def _listed(first: TokenLogprob, *, with_chosen: bool) -> dict[str, float]:
    listed = {token: _probability(logprob) for token, logprob in first.top}
    if with_chosen:  # sampled, it may stand outside the list
        listed.setdefault(first.token, _probability(first.logprob))
    return listed


def _probability(logprob: float) -> float:
    return math.exp(min(logprob, 0.0)) if logprob == logprob else 0.0  # nan is no evidence


def _mass(
    listed: Mapping[str, float], verdict: str, verdicts: Sequence[str], *, exact: bool
) -> float:
    """Of the tokens that begin this verdict, and no other: ``output`` begins two of them."""
    if exact:
        return listed.get(verdict, 0.0)
    return sum(
        p
        for token, p in listed.items()
        if [one for one in verdicts if _begins(token.strip(), one)] == [verdict]
    )


def _begins(token: str, verdict: str) -> bool:
    if token == verdict:
        return True
    return len(token) >= LEAST_PREFIX and verdict.casefold().startswith(token.casefold())


def _shares(weights: Mapping[str, float]) -> Shares:
    total = sum(weights.values())
    return {verdict: weight / total for verdict, weight in weights.items()}
