"""The one door to the Hub: which commit a revision is, and single files of a model.

Imports nothing of it until somebody asks. Its client raises other errors from release to release:
what is no answer is one of ours.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from judgebench.errors import ConfigError

_WAIT_S = 10.0


class SilentHubError(Exception):
    """The Hub gave no answer; says of which kind its client's error was."""


def commit_of(name: str, revision: str) -> str | None:
    """The commit that a revision of a model is now.

    Returns
    -------
    str or None
        None where the Hub does not say.

    Raises
    ------
    ConfigError
        For a model or revision that is not there.
    SilentHubError
        Where the Hub cannot be reached, or did not answer.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        with _answering():
            found = HfApi().model_info(name, revision=revision, timeout=_WAIT_S).sha
    except (RepositoryNotFoundError, RevisionNotFoundError):
        raise ConfigError(
            f"the Hub has no model {name} at {revision}, or it is private: check the name, or set "
            "HF_TOKEN"
        ) from None
    return str(found) if found else None


def file_of(name: str, file: str, revision: str | None) -> Path | None:
    """A file of a model, from the local cache or fetched into it; None where it has no such file.

    Raises
    ------
    FileNotFoundError
        Where it is not in the cache and the Hub may not be asked.
    SilentHubError
        Where the Hub cannot be reached, or did not answer.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        with _answering():
            found = hf_hub_download(
                name, file, revision=revision, cache_dir=hub_cache(), local_files_only=offline()
            )
    except LocalEntryNotFoundError:
        raise FileNotFoundError(file) from None
    except EntryNotFoundError:
        return None
    return Path(found)


def offline() -> bool:
    """Whether nobody may ask the Hub."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def hub_cache() -> Path:
    """Where the Hub's files are kept here."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    home = os.environ.get("HF_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface"
    )
    return Path(home).expanduser() / "hub"


@contextmanager
def _answering() -> Iterator[None]:
    """What the Hub says of a name passes; every other error means that it did not answer."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError):
        raise
    except Exception as error:  # noqa: BLE001  (its client's errors differ between releases)
        raise SilentHubError(type(error).__name__) from None
