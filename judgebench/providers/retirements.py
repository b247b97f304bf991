"""When providers retire their models, as far as they have published it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources

from judgebench.providers.prices import found_or_family

SOON = timedelta(days=30)
"""So long before it is a retirement warned of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """The day on which requests to a model begin to fail, and who says so, when."""

    on: date
    source: str

    def warning(self, today: date) -> str | None:
        """What is to be said of it today; None where it is further away than `SOON`."""
        if self.on - today > SOON:
            return None
        days = (self.on - today).days
        when = f"is retired on {self.on}, in {days} days" if days > 0 else f"retired on {self.on}"
        return f"{when} ({self.source})"


@cache
def published() -> Mapping[str, Mapping[str, Retirement]]:
    """By provider and model; the table that comes with judgebench."""
    text = resources.files("judgebench.providers").joinpath("retirements.toml").read_text("utf-8")
    data = tomllib.loads(text)
    as_of = data.pop("as_of")
    return {
        provider: {
            model: Retirement(on=date.fromisoformat(on), source=f"{its['source']}, as of {as_of}")
            for on, models in its["dates"].items()
            for model in models
        }
        for provider, its in data.items()
    }


def retirement_of(provider: str | None, model: str | None) -> Retirement | None:
    """When a model is retired; None where nobody has published it, or another provider has it.

    >>> str(retirement_of("openai", "o1-2024-12-17").on)
    '2026-10-23'
    >>> retirement_of("openai_compatible", "gpt-4") is None
    True
    """
    if provider == "litellm":  # which names both
        provider, _, model = (model or "").partition("/")
    return found_or_family(published().get(provider or "", {}), model or "")


def today() -> date:
    """The day in UTC."""
    return datetime.now(UTC).date()
