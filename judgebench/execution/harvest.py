"""What a batch brought: replies stored as they are read, everything else in one commit at the end.

So a batch whose reading broke off can be read again, and is counted once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from judgebench.errors import CallError
from judgebench.providers.batch import Answered, Failed, Line, Stray, Unasked
from judgebench.providers.prices import Price
from judgebench.records import Failure, How, Request, Spend, Usage
from judgebench.store import Store


class Harvest:
    """Takes the lines of one batch.

    Parameters
    ----------
    requests
        The questions of the batch, by request key.
    price
        None where it is not known: then what the batch took has no cost, and is not 0.
    refusal
        Why the provider refused the batch as a whole, if it did.
    """

    def __init__(
        self,
        store: Store,
        requests: Mapping[bytes, Request],
        price: Price | None,
        refusal: str | None = None,
    ) -> None:
        self._store = store
        self._requests = requests
        self._price = price
        self._refusal = refusal
        self._replied: set[bytes] = set()
        self._errors: dict[bytes, CallError] = {}
        self._spends: list[Spend] = []
        self._strays: dict[str, int] = {}
        self._notes: dict[str, int] = {}
        self._ended: dict[str, int] = {}

    @property
    def replies(self) -> int:
        return len(self._replied)

    @property
    def failed(self) -> int:
        return len(self._failures())

    @property
    def unasked(self) -> int:
        """Questions that cost nothing and are free again."""
        return len(self._requests) - self.replies - self.failed

    def take(self, line: Line) -> None:
        """Of several replies to one question the first counts, and any goes before an error."""
        match line:
            case Answered(key, reply):
                if key not in self._replied:
                    self._store.put_reply(key, self._requests[key], reply)
                    self._replied.add(key)
                    self._spent("batch", key, reply.usage)
                    if reply.note is not None:
                        self._notes[reply.note] = self._notes.get(reply.note, 0) + 1
            case Failed(key, error):
                self._errors.setdefault(key, error)
            case Unasked(_, why):
                self._ended[why] = self._ended.get(why, 0) + 1
            case Stray(why):
                self._strays[why] = self._strays.get(why, 0) + 1

    def settle(self, *, now: float) -> None:
        """Store what failed, where it serves, and what all of it took; ``now`` in seconds."""
        for key, error in self._errors.items():
            self._spent("retried" if error.charged is None else "wasted", key, error.charged)
        for key, error in self._failures().items():
            purpose = self._requests[key].purpose
            if purpose is None or self._store.reply(key) is not None:
                continue
            failure = Failure(
                key=key,
                boundary="provider",
                kind=error.kind,
                message=str(error),
                retriable=error.retriable,
                place=purpose.place,
                at=now,
            )
            self._store.put_failure(failure)
        if self._spends:
            self._store.put_spend(self._spends)

    def says(self) -> str:
        """In a line, for people and for the batch's note."""
        parts = [f"{self.replies:,} {'reply' if self.replies == 1 else 'replies'}"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.unasked:
            reasons = ", ".join(self._ended) or "without a line"
            parts.append(f"{self.unasked:,} not asked ({reasons}), free again")
        odd = (*self._strays.items(), *self._notes.items())
        parts += [f"{n:,} times {why}" for why, n in odd]
        if self._refusal is not None:
            parts.append(f"the provider refused the batch: {self._refusal}")
        return "; ".join(parts)

    def _failures(self) -> dict[bytes, CallError]:
        """The questions without a reply, and why; all of them where the batch was refused."""
        errors = {k: e for k, e in self._errors.items() if k not in self._replied}
        if self._refusal is not None:
            error = CallError(
                f"the provider refused the batch: {self._refusal}", retriable=True, kind="request"
            )
            errors = {k: error for k in self._requests if k not in self._replied} | errors
        return errors

    def _spent(self, how: How, key: bytes, usage: Usage | None) -> None:
        """``usage`` is None for what surely was not charged."""
        request = self._requests[key]
        if request.purpose is None:
            return
        cost = 0.0 if usage is None else self._cost(usage)
        spend = Spend(
            purpose=request.purpose,
            how=how,
            provider=request.provider,
            model=request.model,
            usage=usage or Usage(),
            cost_usd=cost,
        )
        self._spends.append(spend)

    def _cost(self, usage: Usage) -> float | None:
        """US dollars at the batch's share; None where the price, or what was used, is not known."""
        cost = math.nan if self._price is None else self._price.cost(usage, batch=True)
        return None if math.isnan(cost) else cost
