"""Who asked the questions of a batch, as the suite of its run says: found again on any machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgebench.config import ApiModel, Endpoint, JudgeConfig, Limits, PriceConfig, check
from judgebench.errors import ConfigError, unknown_name
from judgebench.execution.pool import stated_price
from judgebench.providers.batches.interface import BatchInterface
from judgebench.providers.batches.make import make_batches
from judgebench.providers.prices import Price, PriceTable
from judgebench.records import Batch, RunManifest
from judgebench.yaml_file import Written, expanded, note_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A judge or a model of a suite, with what is needed to reach whoever answers it.

    ``price`` is None where nobody knows it.
    """

    endpoint: Endpoint
    timeout_s: float
    price: Price | None

    def interface(self) -> BatchInterface:
        """The batch interface of its provider.

        Raises
        ------
        ConfigError
            For a provider that takes no batches.
        """
        endpoint = self.endpoint
        return make_batches(
            endpoint.provider or "",
            base_url=endpoint.base_url,
            api_key=endpoint.api_key,
            capabilities=endpoint.capabilities,
            options=endpoint.provider_options,
            timeout_s=self.timeout_s,
        )


def asker_of(
    manifest: RunManifest, batch: Batch, *, judges: bool, environment: Mapping[str, str]
) -> Asker:
    """The asker of a batch, out of the manifest of its run.

    Variables are filled in from ``environment``, and only those that this asker needs: another
    machine may have the keys of one provider and not of the next.

    Parameters
    ----------
    judges
        Whether it judges; a model of that name answers otherwise.

    Raises
    ------
    ConfigError
        For a variable that is not set, or a suite that no longer names the asker.
    """
    written = manifest.configuration
    source = Path(f"the suite of run {manifest.id}")

    def filled(part: Any) -> Any:
        note_secrets(part, environment)
        return expanded(Written(source, part, {}), environment)

    section = _section(written, batch, judges, source, filled)
    limits = check(Limits, filled(written.get("limits") or {}), source)
    endpoint: Endpoint = check(JudgeConfig if judges else ApiModel, section, source)
    stated = endpoint.price
    if stated is None and (of_model := (written.get("prices") or {}).get(endpoint.model)):
        stated = check(PriceConfig, filled(of_model), source)
    return Asker(
        endpoint=endpoint,
        timeout_s=endpoint.timeout_s or limits.timeout_s,
        price=_price(stated, endpoint),
    )


def _section(
    written: Mapping[str, Any],
    batch: Batch,
    judges: bool,
    source: Path,
    filled: Callable[[Any], Any],
) -> Any:
    """The asker's part of the suite, filled in."""
    names = []
    for part in written.get("judges" if judges else "models") or ():
        name = filled(part["name"])
        if name == batch.asker:
            return filled(part if judges else part.get("api"))
        names.append(name)
    what = "judge" if judges else "model"
    raise ConfigError(f"{source}: {unknown_name(what, batch.asker, names)}")


def _price(stated: PriceConfig | None, endpoint: Endpoint) -> Price | None:
    """What the suite says a million tokens cost, or else the table."""
    table, provider = PriceTable.load(), endpoint.provider or ""
    known = table.price(provider, endpoint.model or "", base_url=endpoint.base_url)
    return known if stated is None else stated_price(stated).beside(known)
