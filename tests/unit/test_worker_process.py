"""A worker's process, as its parent has it."""

from __future__ import annotations

import os

import pytest

from judgebench.errors import LocalModelError
from judgebench.workers.process import WorkerProcess


def test_one_that_is_gone_is_not_signalled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be that of another process by then."""
    worker = WorkerProcess("this", model="the model", gpus=None, needs=None)
    with pytest.raises((LocalModelError, ValueError)):  # it speaks no JSON
        list(worker.ask([]))
    worker.stop()
    signalled = []
    monkeypatch.setattr(os, "killpg", lambda *what: signalled.append(what))
    worker.stop()
    assert signalled == []
