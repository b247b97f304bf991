"""Which answers are generated together: decided from the full list, never from what is missing.

What shares a batch changes greedy answers in the last digits of a logit. A run that was killed
and goes on must therefore batch as an undisturbed one does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WINDOW = 16
"""Batches a window holds: prompts are sorted by length within one, to save padding."""


def batches(prompts: Mapping[str, Any], ids: Sequence[str], batch: int) -> Iterator[list[str]]:
    """Item ids, a batch at a time: long prompts first within each window of the full list.

    Ids without a prompt are left out. Long ones first, so that too little memory shows at once.
    """
    known = [id_ for id_ in ids if id_ in prompts]
    for start in range(0, len(known), batch * WINDOW):
        window = known[start : start + batch * WINDOW]
        window.sort(key=lambda id_: -len(str(prompts[id_])))
        for first in range(0, len(window), batch):
            yield window[first : first + batch]


def batch_seed(seed: int, *, task: str, sample: int, number: int) -> int:
    """A seed for each batch of each sample, the same whatever was generated before it."""
    text = f"{seed}\n{task}\n{sample}\n{number}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
