"""What a reply took, as it is stored; and what the record saved, added up."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import fields, replace

from judgebench.providers.prices import Price, cost_of
from judgebench.records import How, Reply, Request, Spend, Usage


def spend_of(request: Request, reply: Reply, how: How, price: Price | None) -> Spend | None:
    """What a reply took; None where nobody said what the question is for."""
    if request.purpose is None:
        return None
    return Spend(
        purpose=request.purpose,
        how=how,
        provider=request.provider,
        model=request.model,
        usage=reply.usage,
        cost_usd=cost_of(reply.usage, price),
    )


class Saved:
    """Spends added up by run, benchmark, who answers and who judges, to be stored at once.

    The places of one such sum are told apart no further, so the first one stands for all.
    """

    def __init__(self) -> None:
        self._sums: dict[Hashable, Spend] = {}

    def add(self, spend: Spend) -> None:
        place = spend.purpose.place
        group = (
            spend.purpose.run_id,
            (place.benchmark, place.version, place.model_key, place.judge_key),
            (spend.how, spend.provider, spend.model),
            spend.cost_usd is None,  # what has no price must not vanish in a sum
        )
        before = self._sums.get(group)
        self._sums[group] = spend if before is None else _sum(before, spend)

    def emptied(self) -> list[Spend]:
        """The sums so far; they start anew."""
        sums, self._sums = list(self._sums.values()), {}
        return sums


def _sum(first: Spend, second: Spend) -> Spend:
    return replace(
        first,
        usage=Usage(
            **{
                f.name: _both(getattr(first.usage, f.name), getattr(second.usage, f.name))
                for f in fields(Usage)
            }
        ),
        cost_usd=None if first.cost_usd is None else first.cost_usd + (second.cost_usd or 0.0),
        calls=first.calls + second.calls,
    )


def _both(first: int | None, second: int | None) -> int | None:
    """The sum of what is known; None where nothing is."""
    return second if first is None else first + (second or 0)
