"""A run takes no more money and no more tokens than it was told to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from judgebench.errors import (
    BudgetSpentError,
    CallError,
    JudgebenchError,
    StoreBusyError,
    StoreFullError,
    StoreGoneError,
    at_once,
)
from judgebench.protocols import Drawn, Replies, Waiting
from judgebench.providers.base import Around, NotSentError, WaitingLine
from judgebench.records import How, Price, Reply, Request, Spend, Usage


class Hold(NamedTuple):
    """What is set aside for one call: the most that it can take."""

    cost_usd: float
    tokens: int


class ProjectBudget:
    """What a project may cost in a month, for all processes that share a store.

    Money is reserved there some calls ahead, so that it is not a write for each, and never more
    than is left: all together spend no more than the cap, as long as no call costs more than the
    most that was set aside for it. What calls cost is counted there with the next reservation, at
    the end, and at least every `SETTLE_S` while calls are sent. Of a process that is killed, what
    it spent since then is not counted: at most what it had reserved.

    Parameters
    ----------
    draw
        `Store.draw`.
    """

    AHEAD = 32
    """Calls like the one in question for which is reserved, where there is plenty."""

    SETTLE_S = 1.0
    LOOK_S = 0.25
    AGAIN_S = 0.005

    def __init__(self, draw: Callable[..., Drawn], project: str, cap_usd: float) -> None:
        self.project = project
        self.cap_usd = cap_usd
        self.spent = 0.0
        """US dollars that are not counted in the store yet."""
        self._draw = draw
        self._reserved = 0.0
        self._drawn_at = -math.inf
        self._waiting: Waiting | None = None

    def take(self, cost_usd: float, held: float) -> float:
        """Set aside what a call may cost, beside what is ``held`` for others under way.

        Returns
        -------
        float
            0 where it is set aside, else after how many seconds it is worth asking again.

        Raises
        ------
        BudgetSpentError
            If it would not fit even if calls under way anywhere took nothing.
        """
        fits = held + self.spent + cost_usd <= self._reserved
        if not cost_usd or (fits and time.monotonic() - self._drawn_at < self.SETTLE_S):
            return 0.0
        try:
            with at_once():
                drawn = self._reserve(held, cost_usd, self.AHEAD * cost_usd)
        except (StoreBusyError, StoreFullError, StoreGoneError) as error:
            if isinstance(error, StoreFullError) and not error.again:
                raise
            return self._wait(str(error), self.AGAIN_S)
        if drawn.fits:
            self._waiting = None
            return 0.0
        if drawn.spent_usd + cost_usd > self.cap_usd:
            raise BudgetSpentError(
                f"${drawn.spent_usd:.4f} of budget.usd_per_month = ${self.cap_usd:g} of project "
                f"{self.project!r} are spent in {drawn.month}, and the next call could cost "
                f"${cost_usd:.4f}. Everything that came back is kept; raise the budget, or run "
                "again next month"
            )
        why = f"the rest of the budget of project {self.project!r} is reserved for calls under way"
        return self._wait(why, self.LOOK_S)

    def settle_up(self) -> None:
        """Count what was spent and give the rest back: no call is under way."""
        if self._reserved or self.spent:
            self._reserve(0.0, 0.0, 0.0)

    def _reserve(self, held: float, wanted: float, more: float) -> Drawn:
        drawn = self._draw(
            self.project, self.cap_usd, spent=self.spent, held=held, wanted=wanted, more=more
        )
        self.spent, self._reserved, self._drawn_at = 0.0, drawn.reserved_usd, time.monotonic()
        return drawn

    def _wait(self, why: str, seconds: float) -> float:
        self._waiting = self._waiting or Waiting()
        self._waiting.goes_on(why)
        return seconds


class Budget:
    """What a run may take in all, through whatever doors, threads and event loops.

    Before a call is sent the most that it can take is set aside; after it, what it took is counted
    and the rest is free again. So the limits are kept, whatever the replies turn out to be.

    Parameters
    ----------
    max_cost_usd, max_tokens
        None for no limit. Tokens are those of questions and replies together.
    project
        The budget of the project that it belongs to, which holds as well.
    """

    def __init__(
        self,
        *,
        max_cost_usd: float | None = None,
        max_tokens: int | None = None,
        project: ProjectBudget | None = None,
    ) -> None:
        self.project = project
        self.max_cost_usd = max_cost_usd
        self.max_tokens = max_tokens
        self._most_usd = math.inf if max_cost_usd is None else max_cost_usd
        self._most_tokens = math.inf if max_tokens is None else max_tokens
        money = None if project is None else "budget.usd_per_month"
        self.limits_cost = money if max_cost_usd is None else "limits.max_cost_usd"
        """The field of a suite that limits money; None where none does."""
        self.is_limited = max_tokens is not None or self.limits_cost is not None
        self._line = WaitingLine()
        self.spent_tokens = 0
        self.reserved_usd = 0.0
        """US dollars set aside for calls under way."""
        self._spent_usd = 0.0
        self._unpriced = False
        self._held_tokens = 0
        self._holds = 0

    @property
    def spent_usd(self) -> float | None:
        """US dollars so far; None once a call was made whose price is not known.

        Where a server does not say what a call took, and where one failed that may have been
        charged, the most that it can have taken is counted.
        """
        return None if self._unpriced else self._spent_usd

    async def reserve(self, cost_usd: float, tokens: int) -> Hold:
        """Set the most aside that a call can take; waits while calls under way may leave room.

        Raises
        ------
        BudgetSpentError
            If it would not fit even if those took nothing.
        """
        hold = Hold(cost_usd, tokens)
        await self._line.turn(lambda: self._take(hold))
        return hold

    def settle(self, hold: Hold | None, cost_usd: float | None, tokens: int) -> None:
        """Count what a call took instead of what was set aside; None for a price not known.

        Where there is no limit nothing is set aside, and nobody waits.
        """
        with self._line.lock:
            if hold is not None:
                self._holds -= 1
                self._held_tokens -= hold.tokens
                # Sums of floats leave a rest, for which the last call would wait in vain.
                self.reserved_usd = self.reserved_usd - hold.cost_usd if self._holds else 0.0
            self.spent_tokens += tokens
            if cost_usd is None:
                self._unpriced = True
            else:
                self._spent_usd += cost_usd
                if self.project is not None:
                    self.project.spent += cost_usd
            if hold is not None:
                self._line.look_again()

    def settle_up(self) -> None:
        """Tell those who share the project's budget what was spent; no call is under way."""
        if self.project is not None:
            self.project.settle_up()

    def settle_idle(self) -> None:
        """As `settle_up` while no call is under way; where others write, at the next call of this.

        Who waits for others must not keep from them what they wait for.
        """
        with self._line.lock:
            if self.project is not None and not self._holds:
                with suppress(StoreBusyError, StoreFullError, StoreGoneError), at_once():
                    self.project.settle_up()

    def _take(self, hold: Hold) -> float:
        money = self._spent_usd + self.reserved_usd + hold.cost_usd
        tokens = self.spent_tokens + self._held_tokens + hold.tokens
        if money > self._most_usd or tokens > self._most_tokens:
            self._refuse_too_much(hold)
            return math.inf
        if self.project is not None:
            wait_s = self.project.take(hold.cost_usd, self.reserved_usd)
            if wait_s:
                return wait_s
        self._holds += 1
        self.reserved_usd += hold.cost_usd
        self._held_tokens += hold.tokens
        return 0.0

    def _refuse_too_much(self, hold: Hold) -> None:
        """Refuse a call that does not fit beside what is spent, whatever those under way take."""
        if self._spent_usd + hold.cost_usd > self._most_usd:
            why = (
                f"${self._spent_usd:.4f} of limits.max_cost_usd = ${self.max_cost_usd:g} are "
                f"spent, and the next call could cost ${hold.cost_usd:.4f}"
            )
        elif self.spent_tokens + hold.tokens > self._most_tokens:
            why = (
                f"{self.spent_tokens:,} of limits.max_tokens = {self.max_tokens:,} tokens are "
                f"used, and the next call could take {hold.tokens:,}"
            )
        else:
            return
        raise BudgetSpentError(
            f"{why}. Everything that came back is kept; raise the limit, or run again for as "
            "much once more"
        )


@dataclass(eq=False)
class BudgetGuard(Around):
    """Sends a call only if the most that it can take is left in the budget.

    An attempt that failed is written to the ledger: as ``retried`` where it cost nothing, as
    ``wasted`` with the most it can have cost where it may have been charged.

    Parameters
    ----------
    price
        None where it is not known, and no money is limited.
    most
        The most tokens that a call can take.
    ledger
        Where failed attempts are written; None for nowhere.
    """

    budget: Budget
    most: Callable[[Request], Usage] = field(kw_only=True)
    price: Price | None = field(kw_only=True)
    ledger: Replies | None = field(default=None, kw_only=True)

    async def complete(self, request: Request) -> Reply:
        budget = self.budget
        hold = await budget.reserve(*self._worst(request)) if budget.is_limited else None
        try:
            reply = await self.inner.complete(request)
        except BaseException as error:
            charged = _charged(error)
            usage, cost = (Usage(), 0.0) if charged is None else self._taken(charged, request)
            budget.settle(hold, cost, sum(_counts(usage)))
            if charged is not None:
                self._note(request, "wasted", usage, cost)
            elif isinstance(error, CallError) and error.attempts:
                self._note(request, "retried", usage, cost)
            raise
        prompt, written = reply.usage.prompt_tokens, reply.usage.completion_tokens
        if prompt is None or written is None:
            usage, cost = self._taken(reply.usage, request)
            budget.settle(hold, cost, sum(_counts(usage)))
        else:
            cost = None if self.price is None else self.price.cost(reply.usage)
            budget.settle(hold, cost, prompt + written)
        return reply

    async def set_aside(self, request: Request) -> None:
        """Count a question that goes into a batch, for good: what it took is known in another run.

        Raises
        ------
        BudgetSpentError
            If the most that it can take is not left.
        """
        if self.budget.is_limited:
            hold = await self.budget.reserve(*self._worst(request, batch=True))
            self.budget.settle(hold, hold.cost_usd, hold.tokens)

    def _worst(self, request: Request, *, batch: bool = False) -> tuple[float, int]:
        """US dollars and tokens to set aside."""
        prompt, written = _counts(self.most(request))
        cost = 0.0 if self.price is None else self.price.most(prompt, written, batch=batch)
        return cost, prompt + written

    def _taken(self, stated: Usage, request: Request) -> tuple[Usage, float | None]:
        """What a call took; the most that it can have taken where the other side does not say.

        The cost is None where no price is known.
        """
        prompt, written = stated.prompt_tokens, stated.completion_tokens
        if prompt is not None and written is not None:
            return stated, None if self.price is None else self.price.cost(stated)
        most = self.most(request)
        usage = replace(
            stated,
            prompt_tokens=most.prompt_tokens if prompt is None else prompt,
            completion_tokens=most.completion_tokens if written is None else written,
        )
        return usage, None if self.price is None else self.price.most(*_counts(usage))

    def _note(self, request: Request, how: How, usage: Usage, cost_usd: float | None) -> None:
        spend = spend_of(request, usage, how, cost_usd)
        if self.ledger is not None and spend is not None:
            self.ledger.put_spend([spend])


def spend_of(request: Request, usage: Usage, how: How, cost_usd: float | None) -> Spend | None:
    """What a call took, as it is stored; None where nobody said what the question is for."""
    if request.purpose is None:
        return None
    return Spend(
        purpose=request.purpose,
        how=how,
        provider=request.provider,
        model=request.model,
        usage=usage,
        cost_usd=cost_usd,
    )


def _charged(error: BaseException) -> Usage | None:
    """What a failed attempt may have been charged for; None where it surely was not."""
    if isinstance(error, CallError):
        return error.charged
    if isinstance(error, NotSentError | JudgebenchError):  # it did not come as far as being sent
        return None
    return Usage()  # on its way: the other side may have answered all the same


def _counts(usage: Usage) -> tuple[int, int]:
    return usage.prompt_tokens or 0, usage.completion_tokens or 0
