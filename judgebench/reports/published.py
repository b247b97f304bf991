"""Published boards beside ours: whose judge is the published one, and which models are on both.

Figures of a published board are ranked with those of a judge of this store only where the two are
one and the same judge; beside any other they stand without a rank.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from judgebench.benchmarks.data import official_judging
from judgebench.benchmarks.description import OfficialPrompt, PublishedBoard
from judgebench.benchmarks.folder import baseline_texts
from judgebench.errors import UsageError, unknown_name
from judgebench.records import JudgeSpec
from judgebench.reports.board import PublishedBeside, References, references
from judgebench.reports.board_data import IMPORTED, BoardData
from judgebench.reports.boards import described
from judgebench.rows import read_rows

LENGTHS = "instructions.csv"
_BETWEEN = re.compile(r"[\s_-]+")

_FOLLOWS = ("defined",)
"""Options of a judge that an official prompt brings along: the official definitions with it."""

_AS_PUBLISHED = "upstream"
"""The reader that reads as the authors' own code does, whether it is the usual one here or not."""


def other_judge(
    spec: JudgeSpec,
    names: Collection[str],
    published: PublishedBoard,
    official: OfficialPrompt | None,
) -> str | None:
    """Why a judge's verdicts cannot be ranked with the published ones; None where they can be.

    Imported verdicts say who gave them by a name alone. A judge of our own is the same one if it
    asks one of the same models of the same provider, with the official prompt, options and
    sampling.

    Parameters
    ----------
    names
        Those that the judge goes by.
    official
        How the published judge's prompt is asked and read; None where it is not one of ours.
    """
    if spec.kind == IMPORTED:
        named = published.judge in names
        return None if named else "these verdicts were imported under another name"
    if official is None:
        return "verdicts of that judge can be imported under its name"
    if spec.official_prompt is not True:
        return "this one is not asked with the official prompt"
    if spec.model not in published.models or spec.identity != published.provider:
        asked = " or ".join(published.models)
        return f"that is {asked} of {published.provider}, this one {spec.model} of {spec.identity}"
    usual = {"prompt": f"official/{published.prompt}", **official.options}
    options = {name: value for name, value in spec.options.items() if name not in _FOLLOWS}
    if options.get("reader") == _AS_PUBLISHED:
        usual["reader"] = _AS_PUBLISHED
    return _differs("sampling", spec.sampling, official.sampling) or _differs(
        "options", options, usual
    )


def _differs(what: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str | None:
    """Which settings are not the published judge's, and what they are there."""
    names = sorted(
        name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)
    )
    if not names:
        return None
    said = ", ".join(
        f"{name}: {_shown(ours, name)}, there {_shown(theirs, name)}" for name in names
    )
    return f"this one has other {what} ({said})"


def _shown(settings: Mapping[str, Any], name: str) -> str:
    return "none" if settings.get(name) is None else str(settings[name])


class PublishedNumbers:
    """Where on the boards of a benchmark its published numbers belong."""

    def __init__(self, data: BoardData) -> None:
        self.data = data
        self._described = described(data.which.name)
        self._judges = {judge.id: judge for judge in data.store.judges()}
        self._models = {model.id: model for model in data.store.models()}

    @cached_property
    def references(self) -> References:
        """What is published of this version, as far as it is here."""
        return references(self.data.which.name, self.data.which.version)

    @property
    def boards(self) -> Sequence[PublishedBoard]:
        """Whose numbers are published, of this version, whether the figures are here or not."""
        published = self._described[0].published if self._described is not None else None
        boards = published.boards if published is not None else []
        return [board for board in boards if board.version == self.data.which.version]

    def are_of(self, judge: str | None, opponent: str | None) -> bool:
        """Whether a judge and whom it compares with, by id, are those of a published board."""
        return self.why_not(judge, opponent) is None

    def why_not(self, judge: str | None, opponent: str | None) -> str | None:
        """Why the published numbers are of something else; None where they are of just this."""
        said = [self._why_not(board, judge, opponent) for board in self.boards]
        return None if None in said else next(iter(said), "nothing is published of it")

    def beside(
        self,
        judge: str | None,
        opponent: str | None,
        metric: str,
        models: Sequence[str],
        named: Mapping[str, str],
    ) -> tuple[PublishedBeside, ...]:
        """The published boards that figures are here of, beside a board of this store.

        Parameters
        ----------
        judge, opponent
            By id; no judge for a panel.
        metric
            What ranks the board; figures of another are not set beside it.
        models
            Those on the board, as they are shown.
        named
            Published names that a person says, by a name here.
        """
        known = {shown: (shown, *self._all_names(shown)) for shown in models}
        found = []
        for reference in self.references.boards:
            because = self._why_not(reference.board, judge, opponent)
            comparable = self._compares_with(reference.board, opponent)
            if metric not in reference.columns:
                comparable = False
                because = f"{reference.columns[0]} is published, and this is {metric}"
            names = same_models(known, reference.figures, named) if comparable else {}
            found.append(PublishedBeside(reference=reference, names=names, because=because))
        return tuple(found)

    def check_names(self, named: Mapping[str, str]) -> None:
        """That the names exist which a person says are one model's.

        Raises
        ------
        UsageError
            For one that no model here, or no published board has.
        """
        if named and not self.references.boards:
            raise UsageError("; ".join(self.references.notes))
        ours = {name for shown in self.data.model_ids for name in (shown, *self._all_names(shown))}
        theirs = {name for one in self.references.boards for name in one.figures}
        check_names(named, ours, theirs)

    def _all_names(self, shown: str) -> tuple[str, ...]:
        model = self._models.get(self.data.model_ids[shown])
        return () if model is None else model.names

    def _compares_with(self, board: PublishedBoard, opponent: str | None) -> bool:
        if board.baseline is None or opponent is None:
            return board.baseline is None and opponent is None
        return board.baseline in self._models[opponent].names

    def _why_not(
        self, board: PublishedBoard, judge: str | None, opponent: str | None
    ) -> str | None:
        against = "" if board.baseline is None else f" against {board.baseline}"
        said = f"what is published is of {board.judge}{against}"
        known = self._judges.get(judge or "")
        if known is None:
            return f"{said}, and this is a panel"
        if not self._compares_with(board, opponent):
            return said
        other = other_judge(known.spec, known.names, board, self._official(board))
        if other is not None:
            return f"{said}; {other}"
        if opponent is None:
            return None
        both = known.id in self.data.both_orders
        if both and self.data.which.weighted is None:
            return "it judged in both orders, and what is published in one that was drawn"
        if not both and self.data.which.weighted is not None:
            return "it judged in one order, and what is published in both"
        return self._other_answers(board, opponent)

    def _official(self, board: PublishedBoard) -> OfficialPrompt | None:
        assert self._described is not None
        if board.prompt is None:
            return None
        return official_judging(self._described[0]).official[board.prompt]

    @cached_property
    def _texts(self) -> Mapping[str, str]:
        """What the benchmark's own baseline answered, where its data is here."""
        assert self._described is not None
        baseline = self._described[0].baseline or ""
        return baseline_texts(self.data.which.name, self.data.which.version, baseline)

    def _other_answers(self, board: PublishedBoard, opponent: str) -> str | None:
        """That what goes by the published baseline's name answered otherwise.

        Told by the benchmark's data, or where that is not here by the lengths among the figures.
        """
        assert self._described is not None
        answered = self.data.answers_of(opponent)
        texts = self._texts if board.baseline == self._described[0].baseline else {}
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


# names ------------------------------------------------------------------------------------------


def same_models(
    ours: Mapping[str, Collection[str]], published: Collection[str], said: Mapping[str, str]
) -> dict[str, str]:
    """Our models that are published, under our names, with the published ones.

    What a person says goes first, then an equal name, then one that differs in case, blanks,
    hyphens and underscores alone (``llama-3-8b-instruct``, ``LLaMA-3-8B-Instruct``), where it
    means one model of theirs only.

    Parameters
    ----------
    ours
        Our models as they are shown, each with all names that it goes by.
    said
        One of our names -> the published one.
    """
    plain = {_plain(name): name for name in published}
    ambiguous = {one for one, n in Counter(map(_plain, published)).items() if n > 1}
    found = {}
    for shown, names in ours.items():
        told = next((said[name] for name in names if name in said), None)
        equal = next((name for name in names if name in published), None)
        near = next(
            (plain[p] for p in map(_plain, names) if p in plain and p not in ambiguous), None
        )
        theirs = next((name for name in (told, equal, near) if name in published), None)
        if theirs is not None:
            found[shown] = theirs
    return found


def read_names(written: Collection[str]) -> dict[str, str]:
    """``OURS=PUBLISHED`` in its two parts.

    Raises
    ------
    UsageError
        Where it is not written so, or one of ours is named twice.
    """
    found: dict[str, str] = {}
    for text in written:
        ours, equals, theirs = (part.strip() for part in text.partition("="))
        if not (ours and equals and theirs):
            raise UsageError(f"a published name is written MODEL=PUBLISHED, not {text!r}")
        if found.setdefault(ours, theirs) != theirs:
            raise UsageError(f"{ours} has two published names: {found[ours]} and {theirs}")
    return found


def check_names(said: Mapping[str, str], ours: Collection[str], published: Collection[str]) -> None:
    """That names exist which a person says are one model's.

    Raises
    ------
    UsageError
        Naming the nearest and the known ones.
    """
    for name, theirs in said.items():
        if name not in ours:
            raise UsageError(unknown_name("model here", name, ours))
        if theirs not in published:
            raise UsageError(unknown_name("published model", theirs, published))


def _plain(name: str) -> str:
    return _BETWEEN.sub("", name.casefold())
