"""Who was judged by whom on what and how often, and so who can be compared: without Streamlit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from judgebench.store import Store
from judgebench.store.catalog import distinct_names
from judgebench.store.read import Verdicts


@dataclass(frozen=True, slots=True)
class Who:
    """A model or a judge: its short id and its newest name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A judge has looked at a model's answers on a benchmark, beside an opponent's or alone."""

    benchmark: str
    version: str
    judge: Who
    model: Who
    opponent: Who | None

    @property
    def board(self) -> tuple[str, str, Who, Who | None]:
        """What two models share that were each judged so."""
        return self.benchmark, self.version, self.judge, self.opponent

    @property
    def models(self) -> tuple[Who, ...]:
        """Who can be compared by it: the model, and whom it was compared with directly."""
        return (self.model,) if self.opponent is None else (self.opponent, self.model)


@dataclass(frozen=True, slots=True)
class Meetings:
    """All of them, and what models and judges are called, by short id."""

    all: Sequence[Judged]
    models: Mapping[str, str]
    judges: Mapping[str, str]

    def telling(
        self, weighs: Callable[[Sequence[Judged]], int] = lambda judged: 1, least: int = 1
    ) -> list[tuple[str, str]]:
        """Benchmarks, by name and version, that weigh at least so much, the heaviest first."""
        of: dict[tuple[str, str], list[Judged]] = {}
        for one in self.all:
            of.setdefault((one.benchmark, one.version), []).append(one)
        weights = {place: weighs(its) for place, its in of.items()}
        heavy = [place for place, weight in weights.items() if weight >= least]
        return sorted(heavy, key=lambda place: -weights[place])

    def newest_first(self) -> list[str]:
        """Every model that was judged, who came last first; then who was only compared with."""
        judged = [*reversed(dict.fromkeys(one.model.id for one in self.all))]
        met = reversed(dict.fromkeys(who.id for one in self.all for who in one.models))
        return [*dict.fromkeys([*judged, *met])]

    def beside(self, first: str) -> list[str]:
        """The models that share a board with one, or were compared with it directly."""
        its = {one.board for one in self.all if one.model.id == first}
        sharing = {one.model.id for one in self.all if one.board in its}
        for one in self.all:
            two = {who.id for who in one.models}
            sharing |= two if first in two else set()
        return [model for model in self.newest_first() if model in sharing - {first}]

    def shared(self, first: str, others: Collection[str]) -> list[Judged]:
        """What the first model and some of the others have in common: boards, and each other."""
        theirs = {one.board for one in self.all if one.model.id in others}
        pairs = [{first, other} for other in others]
        return [
            one
            for one in self.all
            if (one.model.id == first and one.board in theirs)
            or {who.id for who in one.models} in pairs
        ]


def met(store: Store) -> Meetings:
    """Everything that a store knows of it, without reading a verdict."""
    known = [
        Judged(
            one.benchmark,
            one.version,
            Who(one.judge.id, one.judge.name),
            Who(one.model.id, one.model.name),
            None if one.opponent is None else Who(one.opponent.id, one.opponent.name),
        )
        for one in store.boards_met()
    ]
    return Meetings(
        known,
        distinct_names({who.id: who.name for one in known for who in one.models}),
        distinct_names({one.judge.id: one.judge.name for one in known}),
    )


def n_judges(known: Sequence[Judged]) -> int:
    """How many there are of a benchmark, as a weight."""
    return len({one.judge.id for one in known})


def n_nights(known: Sequence[Judged]) -> int:
    """How many models of one name a judge has judged, at most, as a weight."""
    found = {(*one.board, one.model.name, one.model.id) for one in known}
    return max(Counter(of[:-1] for of in found).values(), default=0)


def benchmarks_of(shared: Sequence[Judged]) -> dict[str, tuple[str, str]]:
    """What each benchmark is called in a link: its name, with the version where it has several."""
    pairs = list(dict.fromkeys((one.benchmark, one.version) for one in shared))
    names = [name for name, _ in pairs]
    return {
        name if names.count(name) == 1 else f"{name}@{version}": (name, version)
        for name, version in pairs
    }


def verdicts_used(store: Store) -> list[tuple[str, str, Verdicts]]:
    """Of every benchmark that has any, how many, and when the newest one was."""
    return [(*at, verdicts) for at, verdicts in store.verdicts_used().items()]
