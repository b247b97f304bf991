"""Who asked the questions of a batch, as the suite of its run says: found again on any machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgebench.config import ApiModel, Endpoint, JudgeConfig, Limits, PriceConfig, check
from judgebench.errors import ConfigError, unknown_name
from judgebench.providers.batch import Batches, batches_of
from judgebench.providers.prices import Price, price_of
from judgebench.records import Batch, RunManifest
from judgebench.yaml_file import Written, expanded, note_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A judge or a model of a suite, with what is needed to reach whoever answers it.

    ``price`` is None where nobody knows it.
    """

    endpoint: Endpoint
    price: Price | None

    def interface(self) -> Batches:
        """The batch interface of its provider.

        Raises
        ------
        ConfigError
            For a provider that takes no batches.
        """
        return batches_of(self.endpoint)


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
    timeout_s = endpoint.timeout_s or limits.timeout_s
    endpoint = endpoint.model_copy(update={"timeout_s": timeout_s, "price": stated})
    return Asker(endpoint=endpoint, price=price_of(endpoint))


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
