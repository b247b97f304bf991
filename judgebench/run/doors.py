"""Who answers for which judge, and which judges may be asked side by side.

Judges without a server of their own are asked together. A server that the run starts gets the
machine for itself: its judges are asked together, and it ends before the next one starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from judgebench.config import JudgeConfig, Suite
from judgebench.protocols import Provider, Replies
from judgebench.providers.compose import Providers, ServerOptions
from judgebench.run.resolve import Seat, identity_of
from judgebench.secret import Secret


def groups(seats: Sequence[Seat]) -> Iterator[list[Seat]]:
    """The seats in the order in which they are asked; those of one group side by side."""
    alone = [seat for seat in seats if seat.config is None or seat.config.server is None]
    if alone:
        yield alone
    by_server: dict[str, list[Seat]] = {}
    for seat in seats:
        if seat.config is not None and seat.config.server is not None:
            by_server.setdefault(repr(seat.config.server), []).append(seat)
    yield from by_server.values()


class Doors:
    """The providers of one group of judges."""

    def __init__(self, suite: Suite, replies: Replies) -> None:
        self.limits = suite.limits
        self.providers = Providers(replies)

    def door(self, config: JudgeConfig | None) -> Provider | None:
        """The provider of a judge, with everything around it; None for a judge that asks nobody."""
        if config is None or config.provider is None:
            return None
        server = config.server
        return self.providers.get(
            config.provider,
            base_url=config.base_url,
            api_key=Secret(config.api_key.get_secret_value()) if config.api_key else None,
            identity=identity_of(config),
            server=None if server is None else ServerOptions(**server.model_dump()),
            timeout_s=config.timeout_s or self.limits.timeout_s,
            max_connections=self.slots(config),
            max_retries=self.limits.max_retries
            if config.max_retries is None
            else config.max_retries,
            max_minutes=self.limits.max_minutes,
        )

    def slots(self, config: JudgeConfig | None) -> int:
        """How many questions of a judge may be under way at once."""
        if config is None:
            return 1
        return config.max_connections or self.limits.max_connections
