"""What a run was: configuration as written, versions, commit, seeds, data."""

from __future__ import annotations

import platform
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from importlib import metadata

from judgebench import __version__
from judgebench.records import JsonObject, RunManifest

#: Packages whose version can change a number.
WATCHED = (
    "anthropic",
    "datasets",
    "lm_eval",
    "numpy",
    "openai",
    "scipy",
    "sqlalchemy",
    "tenacity",
    "torch",
    "transformers",
    "vllm",
)


FORGETTING = "forget"
"""The lease of whoever removes judgments: a run that starts meanwhile waits for it."""


def alive(manifest: RunManifest) -> str:
    """The lease that whoever is under way under this manifest holds while it lives."""
    return f"run {manifest.id}"


def new_manifest(
    name: str, configuration: JsonObject, *, data_sha: Mapping[str, str], seed: int
) -> RunManifest:
    """A manifest of a run that starts now.

    ``configuration`` is the suite as written: variables of the environment are named in it, not
    filled in, so that no key gets into the store.
    """
    now = time.time()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return RunManifest(
        id=f"{stamp}-{secrets.token_hex(3)}",
        name=name,
        configuration=configuration,
        versions=versions(),
        git_sha=git_sha(),
        data_sha=dict(data_sha),
        seeds={"run": seed},
        started=now,
    )


@cache
def versions() -> dict[str, str]:
    """Versions of judgebench, Python and what stands in `WATCHED`, none of it imported."""
    found = {"judgebench": __version__, "python": platform.python_version(), "os": sys.platform}
    for package in WATCHED:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_sha() -> str | None:
    """The commit of the working directory, ``+dirty`` behind it where it was changed."""
    try:
        sha = _git("rev-parse", "HEAD")
        return f"{sha}+dirty" if _git("status", "--porcelain", "--untracked-files=no") else sha
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()
