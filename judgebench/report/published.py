"""Published figures beside ours: what a benchmark's own leaderboard says of a model.

They are in the figures of a benchmark's folder, which a checkout has and an installed package does
not. They stand beside a board whose judge and baseline are the published ones, and beside no other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache, cached_property
from pathlib import Path

from judgebench.benchmarks.at_hand import baseline_texts
from judgebench.benchmarks.description import OfficialPrompt, Published
from judgebench.records import JudgeSpec
from judgebench.report.board_data import IMPORTED, BoardData
from judgebench.report.boards import described
from judgebench.rows import read_rows

FILE, LENGTHS = "leaderboard.csv", "instructions.csv"

Figures = Mapping[str, Mapping[str, float]]
"""Model -> metric, as boards name it -> value."""


def is_published_judge(
    spec: JudgeSpec, names: Collection[str], published: Published, official: OfficialPrompt
) -> bool:
    """Whether verdicts of a judge can stand beside the published ones.

    Imported verdicts say who gave them by a name alone. A judge of our own is the same one if it
    asks one of the same models of the same provider, with the official prompt, options and
    sampling.

    Parameters
    ----------
    names
        Those that the judge goes by.
    official
        How the published judge's prompt is asked and read.
    """
    if spec.kind == IMPORTED:
        return published.judge in names
    return (
        spec.official_prompt is True
        and spec.model in published.models
        and spec.provider == published.provider
        and dict(spec.sampling) == official.sampling
        and dict(spec.options) == {"prompt": f"official/{published.prompt}", **official.options}
    )


class PublishedNumbers:
    """Where on the boards of a benchmark its published numbers belong.

    They are of one judge, asked once a pair in a drawn order, against one baseline's answers.
    """

    def __init__(self, data: BoardData) -> None:
        self.data = data
        self._described = described(data.which.name)
        self._judges = {judge.id: judge for judge in data.store.judges()}
        self._models = {model.id: model for model in data.store.models()}

    @property
    def published(self) -> Published | None:
        """Whose numbers they are; None where the benchmark has no such leaderboard."""
        return None if self._described is None else self._described[0].published

    def are_of(self, judge: str | None, opponent: str | None) -> bool:
        """Whether a judge and whom it compares with, by id, are the published ones."""
        return self.why_not(judge, opponent) is None

    def why_not(self, judge: str | None, opponent: str | None) -> str | None:
        """Why the published numbers are of something else; None where they are of just this."""
        known, baseline = self._judges.get(judge or ""), self._models.get(opponent or "")
        if self.published is None or known is None or baseline is None:
            return "nothing is published of it"
        if self.published.baseline not in baseline.names or not is_published_judge(
            known.spec, known.names, self.published, self._official
        ):
            return (
                f"what is published is of {self.published.judge} against {self.published.baseline}"
            )
        if known.id in self.data.both_orders:
            return "it judged in both orders, and what is published in one that was drawn"
        return self._other_answers(baseline.id)

    def beside(self, judge: str | None, opponent: str | None) -> Figures:
        """The published leaderboard; empty for other judges, and where its figures are not here."""
        if self._described is None or not self.are_of(judge, opponent):
            return {}
        return _read(self._described[1] / "figures" / FILE)

    @property
    def _official(self) -> OfficialPrompt:
        assert self._described is not None
        assert self.published is not None
        return self._described[0].judging.official[self.published.prompt]

    @cached_property
    def _texts(self) -> Mapping[str, str]:
        """What the published baseline answered, where the benchmark's data is here."""
        assert self.published is not None
        return baseline_texts(
            self.data.which.name, self.data.which.version, self.published.baseline
        )

    def _other_answers(self, opponent: str) -> str | None:
        """That what goes by the published baseline's name answered otherwise.

        Told by the benchmark's data, or where that is not here by the lengths among the figures.
        """
        assert self._described is not None
        answered = self.data.baselines.get(opponent, {})
        texts = self._texts
        lengths = _lengths(self._described[1] / "figures" / LENGTHS)
        both = answered.keys() & (texts or lengths).keys()
        others = sum(
            answered[item] != texts[item] if texts else len(answered[item]) != lengths[item]
            for item in both
        )
        if not others:
            return None
        return (
            f"{others} of {len(both)} answers of {self.data.models[opponent]} in the store are not "
            "those of the published baseline"
        )


@cache
def _lengths(path: Path) -> Mapping[str, int]:
    """Characters of the published baseline's answers by item; empty where they are not here."""
    if not path.is_file():
        return {}
    rows = read_rows(path, ("index", "baseline_length"))
    return {row.text("index"): row.whole("baseline_length") for row in rows}


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
