"""The data of a document as JSON."""

from __future__ import annotations

import json as standard

from judgebench.plain_text import is_unseen
from judgebench.reports.document import Document


def json(document: Document) -> str:
    """What a terminal would act on is escaped, which changes no value."""
    text = standard.dumps(document.data, indent=1, ensure_ascii=False, allow_nan=False)
    if not text.isascii():
        text = "".join(standard.dumps(c)[1:-1] if c != "\n" and is_unseen(c) else c for c in text)
    return text.replace("\x7f", "\\u007f") + "\n"
