"""What is published of models: what a call costs, how large they are, when they are retired.

Each of the three has a dated table of its own; of prices a suite may state others.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, TypeVar
from urllib.parse import urlsplit

from judgebench.config import Endpoint
from judgebench.records import Price
from judgebench.secret import is_loopback

T = TypeVar("T")
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")
_ON_THIS_MACHINE = frozenset({"lm_eval", "local", "reward_model", "scripted"})
_SELLS_OTHERS = frozenset({"litellm"})


LOCAL = Price(input=0.0, output=0.0, source="local")
"""Of a model on this machine: computing is not counted as money."""


def _table(name: str) -> dict[str, Any]:
    """What stands in one of the files beside this one."""
    return tomllib.loads(resources.files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """Prices by provider and model, with where and of when they are.

    ``as_of`` is a date, YYYY-MM-DD.
    """

    as_of: str
    source: str
    models: Mapping[str, Mapping[str, Price]]

    @staticmethod
    @cache
    def load() -> PriceTable:
        """The table that comes with judgebench."""
        data = _table("prices")
        says = f"{data['source']}, {data['as_of']}"
        names = {"above_tokens": "long_above", "input": "long_input", "output": "long_output"}
        long = {
            model: {ours: part[name] for name, ours in names.items()}
            for part in data["long"]
            for model in part["models"]
        }
        return PriceTable(
            as_of=str(data["as_of"]),
            source=data["source"],
            models={
                provider: {
                    model: Price(**fields, **long.get(model, {}), source=says)
                    for model, fields in models.items()
                }
                for provider, models in data["models"].items()
            },
        )


def price_of(endpoint: Endpoint) -> Price | None:
    """What the suite states, or the table knows; None where nobody knows the price.

    A model of the table costs what the table says wherever it is reached. Otherwise what runs on
    this machine costs nothing (`LOCAL`): models loaded here, a server that the run starts, and any
    address on loopback. What goes by the name of a paid model there (``gpt-4o``,
    ``openai/gpt-4o``) is taken for a gateway to it, and costs the same, as it does for a library
    that speaks to many.

    A dated snapshot without an entry costs what its family does. Nothing else is guessed from a
    name: ``gpt-5-pro`` costs twelve times what ``gpt-5`` does.
    """
    provider, model = endpoint.provider or "", endpoint.model or ""
    models = PriceTable.load().models
    known = found_or_family(models.get(provider, {}), model)
    if known is None and (endpoint.server is not None or provider in _ON_THIS_MACHINE):
        known = LOCAL
    elif known is None:
        here = is_loopback(urlsplit(endpoint.base_url or "").hostname)
        name = model.rpartition("/")[2]
        every = models.values() if here or provider in _SELLS_OTHERS else ()
        prices = (found_or_family(its, name) for its in every)
        known = next((one for one in prices if one is not None), LOCAL if here else None)
    return known if endpoint.price is None else Price(**dict(endpoint.price)).beside(known)


def found_or_family(models: Mapping[str, T], name: str) -> T | None:
    """What is known of a model, or of the family that a dated snapshot of it belongs to."""
    return models.get(name) or models.get(_SNAPSHOT.sub("", name))


# How large a model is, by its name: what a verdict costs where nobody states a price --------------

_SAID = re.compile(r"(?<![\d.x])(\d+(?:\.\d+)?)\s?([bm])(?![a-z0-9])", re.IGNORECASE)


@cache
def _billions() -> dict[str, float]:
    known: dict[str, float] = _table("parameters")["billions"]
    return dict(sorted(known.items(), key=lambda one: -len(one[0])))  # the longer name goes first


def billions_of(model: str) -> float | None:
    """Billions of parameters at work in each token; None where nobody says it.

    >>> billions_of("meta-llama/Llama-3-70B-Instruct"), billions_of("SmolLM2-135M-Instruct")
    (70.0, 0.135)
    >>> billions_of("mixtral-8x7b-instruct"), billions_of("gpt-4")
    (12.9, None)
    """
    name = model.lower()
    for known, billions in _billions().items():
        if known in name:
            return billions
    if (found := _SAID.search(name)) is None:
        return None
    return float(found[1]) / (1000.0 if found[2] == "m" else 1.0)


# When providers retire their models, as far as they have published it -----------------------------

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
    data = _table("retirements")
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
