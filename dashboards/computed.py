"""By names: what `answers.State` computes, for pages that ask so."""

from __future__ import annotations

import importlib
from typing import Any

from answers import State


def answer(url: str, mark: str, *question: Any) -> Any:
    """What a function of this folder says of a store: ``module.function``, then its arguments."""
    module, _, name = question[0].rpartition(".")
    return State(url, mark).compute(getattr(importlib.import_module(module), name), *question[1:])
