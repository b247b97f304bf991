"""What judgebench does only with a package that not everybody installs, and how to install it.

One table: a suite's plan, `judgebench doctor`, a run before it begins and whatever imports such a
package say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple


class Extra(NamedTuple):
    """``packages`` by the names under which they are imported, and what they are for: ``serves``.

    ``source`` is what pip is told; None for the extra of judgebench of this name.
    """

    packages: tuple[str, ...]
    serves: str
    source: str | None = None


EXTRAS: Mapping[str, Extra] = {
    "hf": Extra(("torch", "transformers"), "local models"),
    "vllm": Extra(("vllm",), "local models on a GPU", "lm-eval[vllm]"),
    "sglang": Extra(("sglang",), "local models on a GPU, server: {engine: sglang}", "sglang"),
    "postgres": Extra(("psycopg",), "a store on a PostgreSQL server"),
    "litellm": Extra(("litellm",), "the provider litellm"),
    "ray": Extra(("ray",), "executor: {ray: …}"),
    "slurm": Extra(("submitit",), "executor: {slurm: …}"),
    "telemetry": Extra(("prometheus_client", "opentelemetry.sdk"), "--metrics-port and traces"),
    "wandb": Extra(("wandb",), "track: [wandb]"),
    "mlflow": Extra(("mlflow",), "track: [mlflow]"),
}

BACKENDS = {
    **dict.fromkeys(("hf", "hf-auto", "huggingface"), "hf"),
    "vllm": "vllm",
    "sglang": "sglang",
}
"""The extra of a backend of lm-eval; others say themselves what they lack."""

TRACES_TO = "OTEL_TRACES_EXPORTER"
"""The variable that says where traces of a run go; nowhere if it is not set."""


def is_installed(package: str) -> bool:
    """Whether a package can be imported, which is not done."""
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # what it would be in is not there
        return False


def absent(extra: str) -> str | None:
    """The first package of an extra that is not installed; None where all are."""
    return next((name for name in EXTRAS[extra].packages if not is_installed(name)), None)


def install_line(package: str) -> str:
    """What to type to have a package: ``pip install 'judgebench-harness[hf]'``."""
    for name, extra in EXTRAS.items():
        if package in extra.packages:
            return f"pip install '{extra.source or f'judgebench-harness[{name}]'}'"
    return f"pip install {package}"
