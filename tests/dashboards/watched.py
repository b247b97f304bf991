"""What a tab of a browser asked for, was refused and complained of."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit


class Watched:
    """A tab from its first page on."""

    def __init__(self, tab: Any) -> None:
        self.asked: list[str] = []
        self.refused: list[str] = []
        self.complaints: list[str] = []
        tab.on("request", lambda request: self.asked.append(request.url))
        tab.on("response", self._answered)
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("dialog", lambda dialog: self.complaints.append(f"a dialog: {dialog.message}"))
        tab.on("console", self._said)

    def _answered(self, got: Any) -> None:
        if got.status >= 400:
            self.refused.append(got.url)

    def _said(self, said: Any) -> None:
        if said.type == "error":
            self.complaints.append(said.text)

    @property
    def hosts(self) -> set[str | None]:
        """With whom it talked."""
        parts = map(urlsplit, self.asked)
        return {part.hostname for part in parts if part.scheme in ("http", "https")}

    def forget(self) -> None:
        for seen in (self.asked, self.refused, self.complaints):
            seen.clear()
