"""Whether the Hugging Face Hub answers, found out once and before anything waits for it.

Its client tries every file of a model several times; where nothing answers that takes minutes, also
for a model that is in the local cache. Standard library only: the client reads its settings when it
is imported.
"""

from __future__ import annotations

import logging
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from judgebench.errors import ConfigError

WAIT_S = 10.0

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_OFFLINE = "HF_HUB_OFFLINE"
_TRUE = {"1", "ON", "YES", "TRUE"}
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
        if not _HUB_ID.fullmatch(name):
            raise ConfigError(f"there is no folder {name} here, and it is no Hub id (OWNER/NAME)")
    if not remote or os.environ.get(_OFFLINE, "").upper() in _TRUE:
        return
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    if not _answers(address, wait_s):
        _log.warning("%s does not answer: only the local Hub cache is used", address)
        os.environ[_OFFLINE] = "1"


def _answers(address: str, wait_s: float) -> bool:
    request = urllib.request.Request(f"{address.rstrip('/')}/api/models?limit=1", method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=wait_s).close()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500  # above that, a proxy speaks for a Hub that it does not reach
    except (OSError, ValueError):
        return False
    return True
