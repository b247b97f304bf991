"""How large a model is, by its name: what a verdict costs where nobody states a price."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources

_SAID = re.compile(r"(?<![\d.x])(\d+(?:\.\d+)?)\s?([bm])(?![a-z0-9])", re.IGNORECASE)


@cache
def _table() -> dict[str, float]:
    text = resources.files("judgebench.providers").joinpath("parameters.toml").read_text("utf-8")
    known: dict[str, float] = tomllib.loads(text)["billions"]
    return dict(sorted(known.items(), key=lambda one: -len(one[0])))  # the longer name goes first


def billions_of(model: str) -> float | None:
    """Billions of parameters at work in each token; None where nobody says it.

    >>> billions_of("meta-llama/Llama-3-70B-Instruct"), billions_of("SmolLM2-135M-Instruct")
    (70.0, 0.135)
    >>> billions_of("mixtral-8x7b-instruct"), billions_of("gpt-4")
    (12.9, None)
    """
    name = model.lower()
    for known, billions in _table().items():
        if known in name:
            return billions
    if (found := _SAID.search(name)) is None:
        return None
    return float(found[1]) / (1000.0 if found[2] == "m" else 1.0)
