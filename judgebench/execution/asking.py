"""Asking for what a run lacks: benches of judges or models, through the pool, into the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from judgebench.config import Endpoint
from judgebench.errors import CallError
from judgebench.execution.batches import submit
from judgebench.execution.execute import Bench, Job, Known, Tally, carry_out, claiming
from judgebench.execution.outcome import Outcome
from judgebench.execution.pool import ProviderPool
from judgebench.plain_text import counted
from judgebench.protocols import Progress
from judgebench.store import Store

RESERVE = 4 << 20
"""Bytes set aside on the store's disk while anybody is asked: for what a run writes at its end."""

RESERVE_OF_A_CALL = 256 << 10
"""And for each call that may be under way: its reply and its verdict, in two commits."""


class Asking:
    """Makes benches and has them work, some at a time."""

    def __init__(
        self, outcome: Outcome, store: Store, progress: Progress, pool: ProviderPool
    ) -> None:
        self.outcome = outcome
        self.store = store
        self.progress = progress
        self.pool = pool

    def bench(
        self,
        name: str,
        jobs: Iterable[Sequence[Job] | Known],
        config: Endpoint | None,
        there: Callable[[Sequence[Any]], Sequence[bool]] | None = None,
    ) -> Bench:
        """The jobs of one judge or model, with its door and as many slots as it may have.

        ``there`` says which results the store has by now; by default, which judgments.
        """
        return Bench(
            name=name,
            jobs=jobs,
            provider=self.pool.provider(name, config),
            slots=self.pool.slots(config),
            there=there or self._judged,
            collects=config is not None and config.batch,
        )

    def _judged(self, jobs: Sequence[Job]) -> list[bool]:
        known = self.store.judged([job.key for job in jobs])
        return [job.key in known for job in jobs]

    def answered(self, jobs: Sequence[Job]) -> list[bool]:
        """Which answers of models behind an API the store has by now."""
        known = self.store.responses([job.key for job in jobs])
        return [any(r.stack is None for r in known.get(job.key, ())) for job in jobs]

    def answers(self, benches: Sequence[Bench], total: int) -> None:
        """Have models answer, side by side."""
        try:
            self.outcome.answering |= self._ask("answering", benches, total)
        finally:
            self.outcome.answer_calls += self.pool.sent
            self.pool.renew()

    def verdicts(self, benches: Sequence[Bench], total: int) -> None:
        """Have judges judge, side by side."""
        try:
            tallies = self._ask("judging", benches, total)
            self.outcome.judging |= tallies
            self.outcome.known += sum(tally.reused for tally in tallies.values())
        finally:
            self.outcome.judge_calls += self.pool.sent
            self.outcome.recorded += self.pool.recorded
            self.pool.renew()

    def _ask(self, what: str, benches: Sequence[Bench], total: int) -> dict[str, Tally]:
        if not benches:
            return {}
        self.progress.stage(f"{what}: {', '.join(bench.name for bench in benches)}", total)
        with claiming(self.store) as claimed:
            tallies = carry_out(
                benches,
                store=self.store,
                run_id=self.outcome.manifest.id,
                progress=self.progress,
                meter=self.pool.look_after,
                unreached=self.pool.unreached,
                wind_down=self.pool.wind_down,
                close=self.pool.close,
                set_aside=partial(self.store.set_aside, size)
                if (size := _reserve(benches))
                else None,
                claimed=claimed,
            )
            self._submit(tallies)
        return tallies

    def _submit(self, tallies: Mapping[str, Tally]) -> None:
        """Hand over what was put together for batches; one that is refused stops no other."""
        for name, collected in self.pool.collected.items():
            if not collected.requests:
                continue
            try:
                batches = submit(
                    self.store,
                    self.outcome.manifest.id,
                    name,
                    collected.provider,
                    collected.interface,
                    collected.requests,
                )
            except CallError as error:
                tallies[name].refuse_batch(len(collected.requests), error)
                continue
            for batch in batches:
                note = f" ({batch.note})" if batch.note else ""
                count = counted(batch.requests, "question")
                self.progress.say(f"{name}: {count} in batch {batch.id}{note}")


def _reserve(benches: Sequence[Bench]) -> int:
    """Bytes; none where nobody is asked."""
    slots = sum(bench.slots for bench in benches if bench.provider is not None)
    return RESERVE + slots * RESERVE_OF_A_CALL if slots else 0
