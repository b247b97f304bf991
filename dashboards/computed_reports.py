"""Reports that pages show as the objects they are, computed where `computer` computes.

Each is asked for with one JSON object and comes back as JSON that `typed.read` reads.
"""

from __future__ import annotations

import json

from codec import written

from judgebench.reports.nights import nights
from judgebench.store import Store


def told(store: Store, asked: str) -> str:
    """The `Nights` of a name."""
    return written(nights(store, **json.loads(asked)))
