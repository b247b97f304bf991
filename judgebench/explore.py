"""What a page asks before and beside a report of `judgebench.api`: who was judged by whom on what.

And so what can be shown: boards, judges beside judges, confidences, nights, training runs. Every
function takes a store that is open for reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import yaml

from judgebench.columns import grouped
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judge_differences import JudgeChecks
from judgebench.metrics.probes import without_probes
from judgebench.records import RunManifest, is_human
from judgebench.reports import judge_pairs, samples
from judgebench.reports.agreement import (
    AgreementReport,
    JudgeValues,
    agreement_report,
    rater_agreement,
)
from judgebench.reports.board import LengthControl
from judgebench.reports.board_data import BoardData
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.boards import benchmark_ref, panels_in
from judgebench.reports.confidence import (
    choice,
    confidence_report,
    labelling,
    with_confidences,
)
from judgebench.reports.judge_card import judge_card
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.versions import judged_runs, nights_of
from judgebench.store.catalog import distinct_names
from judgebench.store.opening import located
from judgebench.store.read import Verdicts
from judgebench.store.store import Store

__all__ = [
    "BoardEntry",
    "Meetings",
    "NamedId",
    "against",
    "benchmark_ref",
    "benchmarks_of",
    "best_of",
    "boards",
    "choice",
    "confidence_report",
    "differing",
    "judge_card",
    "judged_runs",
    "labelling",
    "matrices",
    "met",
    "n_judges",
    "n_nights",
    "nights_of",
    "rater_agreement",
    "runs_behind",
    "scorers",
    "two",
    "verdicts_used",
    "with_confidences",
    "without_probes",
]


@dataclass(frozen=True, slots=True)
class NamedId:
    """A model or a judge: its short id and its newest name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class BoardEntry:
    """A judge has looked at a model's answers on a benchmark, beside an opponent's or alone."""

    benchmark: str
    version: str
    judge: NamedId
    model: NamedId
    opponent: NamedId | None

    @property
    def board(self) -> tuple[str, str, NamedId, NamedId | None]:
        """What two models share that were each judged so."""
        return self.benchmark, self.version, self.judge, self.opponent

    @property
    def models(self) -> tuple[NamedId, ...]:
        """Who can be compared by it: the model, and whom it was compared with directly."""
        return (self.model,) if self.opponent is None else (self.opponent, self.model)


@dataclass(frozen=True, slots=True)
class Meetings:
    """All of them, and what models and judges are called, by short id."""

    all: Sequence[BoardEntry]
    models: Mapping[str, str]
    judges: Mapping[str, str]

    def telling(
        self, weighs: Callable[[Sequence[BoardEntry]], int] = lambda judged: 1, least: int = 1
    ) -> list[tuple[str, str]]:
        """Benchmarks, by name and version, that weigh at least so much, the heaviest first."""
        of = grouped(((one.benchmark, one.version), one) for one in self.all)
        weights = {place: weighs(its) for place, its in of.items()}
        heavy = [place for place, weight in weights.items() if weight >= least]
        return sorted(heavy, key=lambda place: -weights[place])

    def on(self, *at: str) -> dict[tuple[str | None, str | None], list[BoardEntry]]:
        """Those on a benchmark, by name and version, by the ids of judge and opponent."""
        return grouped(
            ((one.judge.id, one.opponent.id if one.opponent else None), one)
            for one in self.all
            if (one.benchmark, one.version) == at
        )

    def best_labelled(self) -> str | None:
        """The judge of most models that people have judged too, else of most; None without one."""
        people: set[tuple[str, str, str]] = set()
        of: dict[str, list[tuple[str, str, str]]] = {}
        for one in self.all:
            name, place = self.judges[one.judge.id], (one.benchmark, one.version, one.model.id)
            if is_human(name):
                people.add(place)
            else:
                of.setdefault(name, []).append(place)
        return max(of, key=lambda name: (len(people & {*of[name]}), len(of[name])), default=None)

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

    def shared(self, first: str, others: Collection[str]) -> list[BoardEntry]:
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
    """Everything that a store knows of it but probes, without reading a verdict."""
    known = [
        BoardEntry(
            one.benchmark,
            one.version,
            NamedId(one.judge.id, one.judge.name),
            NamedId(one.model.id, one.model.name),
            None if one.opponent is None else NamedId(one.opponent.id, one.opponent.name),
        )
        for one in store.boards_met()
        if without_probes([(one.benchmark, one.version)])
    ]
    return Meetings(
        known,
        distinct_names({who.id: who.name for one in known for who in one.models}),
        distinct_names({one.judge.id: one.judge.name for one in known}),
    )


def n_judges(known: Sequence[BoardEntry]) -> int:
    """How many there are of a benchmark, as a weight."""
    return len({one.judge.id for one in known})


def n_nights(known: Sequence[BoardEntry]) -> int:
    """How many models of one name a judge has judged, at most, as a weight."""
    found = {(*one.board, one.model.name, one.model.id) for one in known}
    return max(Counter(of[:-1] for of in found).values(), default=0)


def benchmarks_of(shared: Sequence[BoardEntry]) -> dict[str, tuple[str, str]]:
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


# boards -----------------------------------------------------------------------------------------


def boards(
    store: Store,
    benchmark: str,
    version: str,
    *,
    judges: Collection[str] = (),
    control: LengthControl = "off",
    rank_suspicious: bool = False,
) -> Leaderboard:
    """Those of some judges, by id, or of panels, by name; of all where none are named.

    Panels come last. Length is not controlled for unasked, which takes its time.
    """
    found = leaderboards(
        store,
        benchmark,
        version,
        judges=judges,
        panels=panels_in(store.runs(), benchmark_ref(store, f"{benchmark}@{version}")),
        length_control=control,
        rank_suspicious=rank_suspicious,
    )
    return Leaderboard.of(sorted(found, key=lambda board: board.judge_id is None))


def scorers(store: Store, benchmark: str, version: str) -> list[str]:
    """The judges by whose scores there are best-of-n curves, by name."""
    return samples.scorers(BoardData(store, benchmark_ref(store, f"{benchmark}@{version}"), ()))


def best_of(
    store: Store, benchmark: str, version: str, judge: str, opponent: str | None, scorer: str
) -> tuple[samples.Curve, ...]:
    """The best-of-n curves of one judge's board, by id, of what a scorer would pick."""
    data = BoardData(store, benchmark_ref(store, f"{benchmark}@{version}"), ())
    found = samples.best_of_curves(data, scorer, [judge], Intervals().level)
    return tuple(one for one in found if one.opponent == opponent)


def runs_behind(
    store: Store, benchmark: str, version: str, judge: str, judge_id: str | None,
    opponent_id: str | None,
) -> list[str]:  # fmt: skip
    """The manifests of the runs that a board was made of, the newest first, as text."""
    panels = panels_in(store.runs(), benchmark_ref(store, f"{benchmark}@{version}"))
    names = [one for panel in panels if panel.name == judge for one in panel.judges]
    ids = [one.id for one in store.judges() if one.name in names or one.id in names]
    judges = ids if judge_id is None else [judge_id]
    ran = store.evaluated(benchmark, version, judges, opponent_id, afresh=True)
    behind = {run for _, run in ran}
    return [_as_text(run) for run in reversed(store.runs()) if run.id in behind]


def _as_text(run: RunManifest) -> str:
    told = {
        "run": run.id,
        "name": run.name,
        "state": run.state,
        "started": _time(run.started),
        "ended": None if run.ended is None else _time(run.ended),
        "counts": dict(run.counts),
        "git": run.git_sha,
        "seeds": dict(run.seeds),
        "data": dict(run.data_sha),
        "versions": dict(run.versions),
        "configuration": dict(run.configuration),
    }
    return str(yaml.safe_dump(told, allow_unicode=True, sort_keys=False))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


# judges beside judges ---------------------------------------------------------------------------

_read: dict[tuple[str, ...], dict[Kind, JudgeValues]] = {}
"""What was read last: the verdicts of a benchmark, and by kind what is made of them."""


def _given(store: Store, *at: str) -> dict[Kind, JudgeValues]:
    """What everybody gave by kind, two judges at least; read anew when the store has changed.

    A hundred megabytes a million, so of one benchmark alone; they go with the process.
    """
    key = (store.url, located(store.url).mark(), *at)
    if key not in _read:
        _read.clear()
        which, stored = benchmark_ref(store, "@".join(at)), store.board_verdicts(*at)
        kinds = judge_pairs.kinds_of(stored)
        _read[key] = {kind: JudgeValues(store, which, kind, stored) for kind in kinds}
    return _read[key]


def matrices(store: Store, *at: str) -> tuple[judge_pairs.JudgeMatrix, ...]:
    """Every two judges; ``at``: benchmark and version."""
    return judge_pairs.judge_matrices(_given(store, *at).values())


def against(
    store: Store, benchmark: str, version: str, reference: str, kind: Kind
) -> AgreementReport:
    """Every judge against one of them, compared with each other by it, and what they took."""
    at = benchmark, version
    given, checks = _given(store, *at)[kind], JudgeChecks()
    return agreement_report(store, *at, kind=kind, reference=reference, given=given, checks=checks)


def two(
    store: Store, benchmark: str, version: str, kind: Kind, *judges: str
) -> judge_pairs.TwoJudges:
    """One judge beside another."""
    judge, reference = judges
    return judge_pairs.two_judges(_given(store, benchmark, version)[kind], judge, reference)


def differing(
    store: Store, benchmark: str, version: str, kind: Kind, *judges: str
) -> judge_pairs.Disputes:
    """The items on which some of them differ."""
    return judge_pairs.disputes(_given(store, benchmark, version)[kind], judges)
