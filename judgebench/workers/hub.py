"""The one door to the Hub: whether it answers, which commit a revision is, files of a model.

Its client tries every file of a model several times; where nothing answers that takes minutes, also
for a model that is in the local cache. So whether it does is found out once. The client reads its
settings when it is imported, and raises other errors from release to release: it is imported late,
and what is no answer is an error of ours.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path

from judgebench.errors import ConfigError

WAIT_S = 10.0

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_OFFLINE = "HF_HUB_OFFLINE"
CONFIGURATIONS = ("config.json", "tokenizer_config.json")
"""Files of a checkpoint that may name code of its own."""

_log = logging.getLogger(__name__)


def offline_if_unreachable(models: Iterable[str], *, wait_s: float = WAIT_S) -> None:
    """Make this process take from the local cache what it can, where the Hub does not answer.

    Parameters
    ----------
    models
        Folders or Hub ids; nobody is asked where all of them are folders.

    Raises
    ------
    ConfigError
        For a name that is neither.
    """
    remote = [name for name in models if not Path(name).exists()]
    for name in remote:
        if not HUB_ID.fullmatch(name):
            raise ConfigError(f"there is no folder {name} here, and it is no Hub id (OWNER/NAME)")
    if not remote or offline():
        return
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    if not _answers(address, wait_s):
        _log.warning("%s does not answer: only the local Hub cache is used", address)
        os.environ[_OFFLINE] = "1"


def _answers(address: str, wait_s: float) -> bool:
    import urllib.error
    import urllib.request

    request = urllib.request.Request(f"{address.rstrip('/')}/api/models?limit=1", method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=wait_s).close()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500  # above that, a proxy speaks for a Hub that it does not reach
    except (OSError, ValueError):
        return False
    return True


def refuse_own_code(pretrained: str, files: Iterable[str | None] = ()) -> None:
    """Nothing, for a checkpoint that transformers knows by itself.

    transformers asks on standard input whether the code may run; here it never does.

    Parameters
    ----------
    pretrained
        Folder or Hub id.
    files
        Where its `CONFIGURATIONS` lie, if it is no folder; None for one that it does not have.

    Raises
    ------
    ConfigError
        Naming the file that names the code.
    """
    folder = Path(pretrained)
    for path in map(Path, filter(None, files or (str(folder / name) for name in CONFIGURATIONS))):
        try:
            said = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue  # who loads the model says what is wrong with it
        code = said.get("auto_map") if isinstance(said, dict) else None
        if code:
            raise ConfigError(
                f"{path}: this checkpoint has code of its own (auto_map: {json.dumps(code)[:200]}),"
                " and that of a reward model never runs; take one that transformers knows by itself"
                ", or, where it knows this one, a copy without auto_map"
            )


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
        found = HfApi().model_info(name, revision=revision, timeout=WAIT_S).sha
    except (RepositoryNotFoundError, RevisionNotFoundError):
        raise ConfigError(
            f"the Hub has no model {name} at {revision}, or it is private: check the name, or set "
            "HF_TOKEN"
        ) from None
    except Exception as error:  # noqa: BLE001  (its client's errors differ between releases)
        raise SilentHubError(type(error).__name__) from None
    return str(found) if found else None


def file_of(name: str, file: str, revision: str | None) -> Path | None:
    """A file of a model, from the local cache or fetched into it; None where it has no such file.

    Raises
    ------
    SilentHubError
        Where it is not in the cache and the Hub may not be asked, or did not answer.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        found = hf_hub_download(
            name, file, revision=revision, cache_dir=hub_cache(), local_files_only=offline()
        )
    except LocalEntryNotFoundError:
        raise SilentHubError("is not in the local Hub cache and cannot be fetched now") from None
    except EntryNotFoundError:
        return None
    except Exception as error:  # noqa: BLE001  (its client's errors differ between releases)
        raise SilentHubError(f"cannot be fetched: {type(error).__name__}") from None
    return Path(found)


def offline() -> bool:
    """Whether nobody may ask the Hub."""
    return os.environ.get(_OFFLINE, "").upper() in {"1", "ON", "YES", "TRUE"}


def hub_cache() -> Path:
    """Where the Hub's files are kept here."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    home = os.environ.get("HF_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface"
    )
    return Path(home).expanduser() / "hub"
