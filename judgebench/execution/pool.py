"""Who answers for which judge or model, and which of them may be asked side by side.

Those that need nothing of this machine are asked together. A server that the run starts, and a
model that it loads, get the machine for themselves: they end before the next one starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from judgebench.config import CACHING_ENGINES, CANDIDATE, Endpoint, JudgeConfig, Suite
from judgebench.errors import ConfigError
from judgebench.execution.resolve import JudgeAssignment, identity_of, model_of
from judgebench.extras import BACKENDS, absent, install_line
from judgebench.protocols import Meter, Provider, Replies
from judgebench.providers.batch import BatchCollector, BatchDeferred, Batches, batches_of
from judgebench.providers.budget import Budget, ProjectBudget
from judgebench.providers.compose import Providers, size_of
from judgebench.providers.prices import price_of
from judgebench.providers.replay import Replay
from judgebench.providers.server import LocalServer, engine_command
from judgebench.providers.tokens import CallSize
from judgebench.records import Price, Request
from judgebench.responses.identity import pinned
from judgebench.store.read import OPEN
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.execution.forecast import PlanRow


def groups(
    assignments: Sequence[JudgeAssignment], *, side_by_side: bool = False
) -> Iterator[list[JudgeAssignment]]:
    """The assignments in the order in which they are asked; those of one group side by side.

    ``side_by_side`` is whether there is room for all that need the machine at once.
    """
    together: list[JudgeAssignment] = []
    alone: dict[str, list[JudgeAssignment]] = {}
    for assignment in assignments:
        if assignment.loads is None or side_by_side:
            together.append(assignment)
        else:
            alone.setdefault(assignment.loads, []).append(assignment)
    if together:
        yield together
    yield from alone.values()


@dataclass(frozen=True, slots=True)
class Collected:
    """Questions that go into a batch, and where."""

    provider: str
    interface: Batches
    collecting: BatchCollector
    recorded: Replay

    @property
    def requests(self) -> Mapping[bytes, Request]:
        return self.collecting.requests


class ProviderPool:
    """The providers of a run, with one budget for all of them.

    ``store`` is None where nothing is asked: for planning without a store.
    """

    def __init__(self, suite: Suite, store: Store | None) -> None:
        limits = suite.limits
        self.suite = suite
        self.limits = limits
        self.replies: Replies = _Nothing() if store is None else store
        project = None
        if suite.budget is not None and store is not None:
            project = ProjectBudget(store.draw, suite.budget.project, suite.budget.usd_per_month)
        self.budget = Budget(
            max_cost_usd=limits.max_cost_usd, max_tokens=limits.max_tokens, project=project
        )
        known = [] if store is None else store.batches()
        self._batched = (
            None if store is None or not known else lambda key: bool(store.in_batches([key], None))
        )
        self.some_wait = any(batch.state in OPEN for batch in known)
        self._store = store
        self._servers: dict[bytes, LocalServer] = {}
        self.copies = 1
        """Of a local model, that are asked at once."""
        self.side_by_side = suite.gpus is not None and suite.gpus.place != "in_turn"
        """Whether models and judges of this machine are loaded at the same time."""
        self.collected: dict[str, Collected] = {}
        self.renew()

    def renew(self) -> None:
        """Fresh connections, for the next event loop; the budget goes on, and is settled."""
        if self.budget.project is not None:
            self.budget.settle_up()
        for collected in self.collected.values():
            collected.interface.close()
        self.collected = {}
        self.providers = Providers(
            self.replies,
            budget=self.budget,
            limits=self.limits,
            batched=self._batched,
            lease=None if self._store is None else self._store.lease_time,
            servers=self._servers,
        )

    def start_servers(self, assignments: Sequence[JudgeAssignment]) -> None:
        """Have the servers of judges load while models answer, where there is room for both."""
        for one in assignments if self.side_by_side else ():
            if one.config is not None and one.config.server is not None:
                self.provider(one.title, one.config)
        for server in self._servers.values():
            server.begin()

    def end_servers(self) -> None:
        """Leave none that was started."""
        while self._servers:
            self._servers.popitem()[1].end()

    def wind_down(self) -> None:
        """Send nothing more; the replies under way still come."""
        self.providers.wind_down()

    def unreached(self) -> list[str]:
        """Why servers that are asked cannot be reached at the moment."""
        return self.providers.unreached()

    async def close(self) -> None:
        """End connections and servers; what goes into batches can still be submitted."""
        try:
            for collected in self.collected.values():
                await collected.recorded.close()
        finally:
            await self.providers.close()

    @property
    def sent(self) -> int:
        """Calls whose reply was fetched since the pool were made or renewed."""
        return self.providers.counts.sent

    @property
    def recorded(self) -> int:
        """Calls that were answered from the record, since then."""
        batched = sum(c.recorded.counts.recorded for c in self.collected.values())
        return self.providers.counts.recorded + batched

    def check(self, asked: Mapping[str, Endpoint]) -> list[Price | None]:
        """Make every door once, so that what is wrong is said before anything is asked.

        Parameters
        ----------
        asked
            The endpoints by the name that the judge or model has in the suite.

        Returns
        -------
        list
            Their prices; None where nobody knows.

        Raises
        ------
        ConfigError
            Naming who it is about: an option, an address, a price that is needed and not known.
        """
        for name, config in asked.items():
            try:
                self.provider(name, config)
            except ConfigError as error:
                raise ConfigError(f"{name}: {error}") from None
        self._servers.clear()  # none was started
        self.renew()
        return [price_of(self.endpoint(config)) for config in asked.values()]

    def provider(self, name: str, config: Endpoint | None) -> Provider | None:
        """The provider with everything around it; None for a judge that asks nobody."""
        if config is None or config.provider is None:
            return None
        if config.batch:
            return self._batch_door(name, config)
        provider = self.providers.get(self.endpoint(config))
        return BatchDeferred(provider, self._in_batch) if self.some_wait else provider

    def _batch_door(self, name: str, config: Endpoint) -> Provider:
        """A door behind which questions are put together for a batch."""
        assert config.provider is not None
        endpoint = self.endpoint(config)
        interface = batches_of(endpoint)
        collecting = BatchCollector(
            interface,
            under_way=self._in_batch,
            reserve=self.providers.get(endpoint).budget.set_aside,
        )
        recorded = Replay(collecting, self.replies, price=self.price(config), batched=self._batched)
        self.collected[name] = Collected(config.provider, interface, collecting, recorded)
        return recorded

    def waits(self, key: bytes) -> bool:
        """Whether a question waits in a batch of an earlier run, and so is not asked."""
        return self.some_wait and self._in_batch(key)

    def _in_batch(self, key: bytes) -> bool:
        return self._store is not None and bool(self._store.in_batches([key]))

    def endpoint(self, config: Endpoint) -> Endpoint:
        """An endpoint of the suite with all that the suite says of it elsewhere."""
        server, keeps = config.server, isinstance(config, JudgeConfig) and config.prefix_cache
        if server is not None and server.engine is not None:
            command = engine_command(server, config.model or "", prefix_cache=keeps)
            server = server.model_copy(update={"command": command})
        options = dict(config.provider_options)
        if isinstance(config, JudgeConfig) and (config.lm_eval or config.reward_model):
            options = _loading_options(config, self.limits.loading_s)
        if self.suite.executor is not None:  # which has GPUs of its own, and says which
            options.pop("gpus", None)
        return config.model_copy(
            update={
                "server": server,
                "model": model_of(config) or "",
                "identity": identity_of(config),
                "timeout_s": config.timeout_s or self.limits.timeout_s,
                "max_connections": self.slots(config),
                "price": config.price or self.suite.prices.get(model_of(config) or ""),
                "provider_options": options,
            }
        )

    def price(self, config: Endpoint) -> Price | None:
        """What a million tokens cost there; None where nobody knows."""
        return price_of(self.endpoint(config))

    def size(self, config: Endpoint) -> CallSize:
        """How many tokens calls take there."""
        return size_of(self.endpoint(config))

    def slots(self, config: Endpoint | None) -> int:
        """How many questions may be under way at once."""
        if config is None:
            return 1
        wanted = config.max_connections or self.limits.max_connections
        loaded = config.lm_eval or config.reward_model if isinstance(config, JudgeConfig) else None
        placed = config.server or loaded
        copies = max(self.copies, 1 + ((placed and placed.gpus) or "").count(";"))
        if loaded is None or not isinstance(loaded.batch_size, int):
            return wanted * copies
        # A batch fills while another one is worked on, wherever the model is.
        return max(wanted, 2 * loaded.batch_size * copies)

    def look_after(self) -> Meter:
        """Called every second: gives back what lies idle of a budget; what was taken so far."""
        self.budget.settle_idle()
        return self.meter()

    def meter(self) -> Meter:
        """What was taken so far."""
        return Meter(
            calls=self.sent,
            tokens=self.budget.spent_tokens,
            cost_usd=self.budget.spent_usd,
            budget_usd=self.limits.max_cost_usd,
        )

    def spent(self) -> dict[str, Any]:
        """What the run took in all, for its manifest."""
        return {"tokens": self.budget.spent_tokens, "cost_usd": self.budget.spent_usd}


class _Nothing:
    """Replies of a store that is not there yet."""

    def reply(self, key: bytes) -> None:
        return None

    def put_reply(self, *anything: object, **named: object) -> None:
        raise AssertionError("nothing is asked without a store")

    put_spend = submit = put_reply

    def waiting(self) -> tuple[int, int]:
        return 0, 0


def _loading_options(config: JudgeConfig, loading_s: float) -> dict[str, object]:
    """What the provider of a model that is loaded here is told; ``timeout_s`` goes before."""
    own = {**config.provider_options, "loading_s": config.timeout_s or loading_s}
    if config.lm_eval is not None:
        own |= config.lm_eval.model_dump()
        keeps = CACHING_ENGINES.get(config.lm_eval.model)  # by themselves they all do
        usual = {} if keeps is None else {keeps[0]: keeps[1] is config.prefix_cache}
        own["model_args"] = {**usual, **pinned(config.lm_eval.model_args)}
    elif config.reward_model is not None:
        own |= config.reward_model.model_dump()
        named = {"pretrained": own["pretrained"], "revision": own["revision"]}
        own["revision"] = pinned(named)["revision"]
    return own


# Packages that not everybody has --------------------------------------------------------------


def extras_of(suite: Suite) -> Iterator[tuple[str, str]]:
    """Who in a suite needs which extra (`judgebench.extras`)."""
    if suite.executor is not None:  # its nodes load models: whether they can is theirs to say
        yield from ((f"executor {name}", name) for name in suite.executor.model_fields_set)
    else:
        for model in suite.models:
            if model.lm_eval is not None and model.lm_eval.model in BACKENDS:
                yield f"model {model.name}", BACKENDS[model.lm_eval.model]
        for judge in suite.judges:
            if judge.lm_eval is not None and judge.lm_eval.model in BACKENDS:
                yield f"judge {judge.name}", BACKENDS[judge.lm_eval.model]
            if judge.reward_model is not None:
                yield f"judge {judge.name}", "hf"
            if judge.server is not None and judge.server.engine == "sglang":
                yield f"judge {judge.name}", "sglang"
    asked = {f"model {one.name}": one.api for one in suite.models if one.api is not None}
    for name, endpoint in (asked | {f"judge {one.name}": one for one in suite.judges}).items():
        if endpoint.provider == "litellm":
            yield name, "litellm"
    for tracker in suite.track:
        yield f"track {tracker}", tracker


def check_extras(suite: Suite, planned: Callable[[], Sequence[PlanRow]]) -> list[str]:
    """What a run will miss at its end for want of a package.

    Parameters
    ----------
    planned
        What the run would do; asked for only where a package is not installed.

    Raises
    ------
    ConfigError
        Where a model has to answer, or a judge to judge, that cannot without a package, or there is
        none for the executor: nothing was done yet. Who has nothing left to do needs none.
    """
    lacking = {who: name for who, extra in extras_of(suite) if (name := absent(extra)) is not None}
    if not lacking:
        return []
    themselves = {one.name for one in suite.judges if one.provider == CANDIDATE}
    busy = {who for who in lacking if who.startswith("executor ")}
    for row in planned():
        if row.generations or (row.judge_calls and row.judge in themselves):
            busy.add(f"model {row.model}")
        if row.judge_calls:
            busy.add(f"judge {row.judge}")
    said = {who: f"{who} needs {name}, which is not installed: {install_line(name)}"
            for who, name in lacking.items()}  # fmt: skip
    if refused := [line for who, line in said.items() if who in busy]:
        raise ConfigError("; ".join(refused))
    return [line for who, line in said.items() if who.startswith("track ")]
