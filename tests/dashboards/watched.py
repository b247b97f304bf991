"""What a tab of a browser asked for, was refused and complained of."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit


class Watched:
    """A tab, from when this is made until it is left."""

    def __init__(self, tab: Any) -> None:
        self.asked: list[str] = []
        self.refused: list[str] = []
        self.complaints: list[str] = []
        self._tab = tab
        self._heard = {
            "request": lambda request: self.asked.append(request.url),
            "response": self._answered,
            "pageerror": lambda error: self.complaints.append(str(error)),
            "dialog": self._asked_of_a_person,
            "console": self._said,
        }
        for event, hears in self._heard.items():
            tab.on(event, hears)

    def leave(self) -> None:
        """Hear nothing more of the tab."""
        for event, hears in self._heard.items():
            self._tab.remove_listener(event, hears)

    def _answered(self, got: Any) -> None:
        if got.status >= 400:
            self.refused.append(got.url)

    def _asked_of_a_person(self, dialog: Any) -> None:
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _said(self, said: Any) -> None:
        if said.type == "error":
            self.complaints.append(said.text)

    @property
    def hosts(self) -> set[str | None]:
        """With whom it talked."""
        parts = map(urlsplit, self.asked)
        return {part.hostname for part in parts if part.scheme in ("http", "https")}
