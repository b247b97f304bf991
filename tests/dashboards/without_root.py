"""A stretch in which files are closed to root as they are to everybody."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest

_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_OVER_FILES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@contextmanager
def without_root_rights() -> Iterator[None]:
    """For this thread and those that it starts; nothing changes for who is not root."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("root writes everywhere")
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    before = (ctypes.c_uint32 * 6)()
    if libc.capget(header, before):
        pytest.skip("root writes everywhere")
    fewer = (ctypes.c_uint32 * 6)(*before)
    fewer[0] &= ~_OVER_FILES  # the effective ones
    if libc.capset(header, fewer):
        pytest.skip("root writes everywhere")
    access = os.access
    try:
        # It would answer for what root may become again.
        with mock.patch.object(
            os, "access", lambda path, mode: access(path, mode, effective_ids=True)
        ):
            yield
    finally:
        libc.capset(header, before)
