"""Published figures beside ours: what a benchmark's own leaderboard says of a model.

They are in the figures of a benchmark's folder, which a checkout has and an installed package does
not. They stand beside a board whose judge and baseline are the published ones, and beside no other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

from judgebench.benchmarks.description import Published
from judgebench.records import JudgeSpec
from judgebench.report.board_data import IMPORTED, BoardData
from judgebench.report.boards import described
from judgebench.rows import read_rows

FILE = "leaderboard.csv"

Figures = Mapping[str, Mapping[str, float]]
"""Model -> metric, as boards name it -> value."""


def is_published_judge(spec: JudgeSpec, names: Collection[str], published: Published) -> bool:
    """Whether verdicts of a judge can stand beside the published ones.

    Imported verdicts say who gave them by a name alone. A judge of our own is the same one if it
    asks one of the same models with the official prompt, and reads the reply as upstream does.

    Parameters
    ----------
    names
        Those that the judge goes by.
    """
    if spec.kind == IMPORTED:
        return published.judge in names
    return (
        spec.official_prompt is True
        and spec.options.get("prompt") == f"official/{published.prompt}"
        and spec.options.get("reader") == "upstream"
        and spec.model in published.models
    )


class PublishedNumbers:
    """Where on the boards of a benchmark its published numbers belong."""

    def __init__(self, data: BoardData) -> None:
        self._described = described(data.which.name)
        self._judges = {judge.id: judge for judge in data.store.judges()}
        self._models = {model.id: model for model in data.store.models()}

    @property
    def published(self) -> Published | None:
        """Whose numbers they are; None where the benchmark has no such leaderboard."""
        return None if self._described is None else self._described[0].published

    def are_of(self, judge: str | None, opponent: str | None) -> bool:
        """Whether a judge and whom it compares with, by id, are the published ones."""
        known, baseline = self._judges.get(judge or ""), self._models.get(opponent or "")
        if self.published is None or known is None or baseline is None:
            return False
        if self.published.baseline not in baseline.names:
            return False
        return is_published_judge(known.spec, known.names, self.published)

    def beside(self, judge: str | None, opponent: str | None) -> Figures:
        """The published leaderboard; empty for other judges, and where its figures are not here."""
        if self._described is None or not self.are_of(judge, opponent):
            return {}
        return _read(self._described[1] / "figures" / FILE)


@cache
def _read(path: Path) -> Figures:
    if not path.is_file():
        return {}
    return {
        row.text("model"): {
            name: row.number(name) for name in row.values if name != "model" and row.has(name)
        }
        for row in read_rows(path, ("model",))
    }
