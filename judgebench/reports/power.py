"""What a run could detect, from how much the models of a store differed before.

The spread of a difference is the median over pairs of models on whom one judge gave its verdicts:
the very judge that is planned, else judges that went by its name, else all of its kind on the
benchmark. Where there is no such pair, nothing is said: no figure is made up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar

from judgebench.columns import grouped
from judgebench.execution.forecast import Designs, Detectable, PassesUnchanged, PlanRow
from judgebench.execution.resolve import JudgeAssignment
from judgebench.metrics.registry import HEAD_TO_HEAD
from judgebench.metrics.registry import metric as entry
from judgebench.metrics.win_rate import WEIGHTED
from judgebench.plain_text import too_few_items
from judgebench.records import CONFIDENCES
from judgebench.reports.document import (
    OfBenchmark,
    Table,
    column,
    json_after,
    json_field,
    serialise,
    table,
)
from judgebench.reports.estimates import UNDEFINED, finite
from judgebench.reports.gate_policy import LEAST_DROP, MOST_DROP, GateTest, Policy
from judgebench.stats.gate_rule import detectable, units_to_detect
from judgebench.stats.head_to_head_power import MOST_SPREAD, Fewer, TwoDesigns, two_designs
from judgebench.stats.unchanged import (
    CHANCE,
    Seen,
    even_chance,
    joint_chance,
    margin_every_view,
    passes_every_view,
    units_every_view,
)
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.reports.model_pairs import PairData

LEAST_UNITS = 20
"""Items that two models need in common for their spread to be counted."""

MOST_PAIRS = 500

ALPHA = 0.05
"""One-sided, as a gate of one test has it."""


NO_HISTORY = f"no two models have been judged on {LEAST_UNITS} items or more"
ALIKE = "the models here do not differ"
NOTHING = "the plan has no such judge with earlier verdicts from which its spread is known"

Found = TypeVar("Found")
_Benchmark = tuple[str, str]
_Judge = tuple[bytes, str, str]
_Place = tuple[str, str, str]  # benchmark, version, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """Medians over some pairs of models; ``right`` where they are of items right or wrong."""

    metric: str
    unit: float
    width: float
    spread: float
    level: float
    right: float | None
    pairs: int
    judges: tuple[str, ...]


class PowerForecast:
    """Says of a judge and a number of items what they could detect.

    Parameters
    ----------
    store
        Where earlier verdicts are; None where there is no store yet.
    margin
        A difference in the metric's units, of which the items needed are said.
    """

    def __init__(self, store: Store | None, margin: float | None = None) -> None:
        self._store, self._margin = store, margin
        self._held = set() if store is None else set(store.benchmarks())
        self._data = cache(self._read)
        self._history = cache(self._look_back)
        self._heads = cache(self._look_at_heads)

    def __call__(self, assignment: JudgeAssignment, items: int) -> Detectable | None:
        """None for a judge whose verdicts are on no board: it says how sure a model is."""
        if assignment.judge.spec.kind in CONFIDENCES:
            return None
        benchmark = (assignment.asked.benchmark.name, assignment.asked.benchmark.version)
        judge = (assignment.key, assignment.name, assignment.judge.spec.kind)
        held = benchmark in self._held
        history = self._history(benchmark, judge, assignment.compares) if held else None
        if history is None:
            designs = (
                Designs(undefined=NO_HISTORY) if assignment.compares else self._alone(assignment)
            )
            return Detectable(undefined=NO_HISTORY, designs=designs)
        ranked = self._history(benchmark, judge, True, True) if assignment.compares else None
        found = replace(
            self._found(history, items),
            weighted=None if ranked is None else self._found(ranked, items),
        )
        if not assignment.compares:
            return replace(found, designs=self._alone(assignment))
        drop = self._margin or found.difference
        if math.isnan(drop) or not history.spread:
            return replace(found, designs=Designs(undefined=found.undefined))
        designs = compared(
            assignment,
            drop=drop / history.unit,
            level=history.level,
            board_items=float(items) if found.items_needed is None else found.items_needed,
            heads=self._heads(benchmark, judge, next(iter(assignment.asked.baselines), None)),
            metric=history.metric,
            unit=history.unit,
            alpha=ALPHA,
        )
        return replace(found, designs=designs)

    def _alone(self, assignment: JudgeAssignment) -> Designs | None:
        """Of a judge of single answers, which is told to whoever asks about a margin."""
        return Designs(undefined=ALONE) if assignment.asks and self._margin is not None else None

    def _found(self, history: _History, items: int) -> Detectable:
        spread, right = history.spread, history.right
        drop = detectable(spread, items, alpha=ALPHA, right=right)
        needed = None
        if self._margin is not None:
            margin = self._margin / history.unit
            needed = units_to_detect(spread, margin, alpha=ALPHA, right=right)
        why = too_few_items(items) if spread else ALIKE
        return Detectable(
            metric=history.metric,
            difference=drop * history.unit,
            undefined=why if math.isnan(drop) else None,
            items_needed=needed,
            pairs=history.pairs,
            judges=history.judges,
            unchanged=PassesUnchanged(
                metric=history.metric,
                spread=history.spread,
                items=items,
                width=history.width,
                binary=history.right is not None,
                unit=history.unit,
                drop=self._margin,
            )
            if history.spread
            else None,
        )

    def _read(self, benchmark: _Benchmark) -> PairData:
        from judgebench.reports.model_pairs import PairData

        assert self._store is not None
        return PairData(self._store, "@".join(benchmark))

    def _most_alike(
        self,
        benchmark: _Benchmark,
        judge: _Judge,
        look: Callable[[PairData, Sequence[str]], Found | None],
    ) -> Found | None:
        """What is found of judges of the store like one that is planned, the most alike first."""
        data, (key, name, kind) = self._data(benchmark), judge
        shown = data.board.judges
        judges = [one for one in data.board.store.judges() if one.id in shown]
        found = (
            look(data, [shown[one.id] for one in alike])
            for alike in (
                [one for one in judges if one.key == key],
                [one for one in judges if name in (one.name, *one.names)],
                [one for one in judges if one.spec.kind == kind],
            )
        )
        return next((one for one in found if one is not None), None)

    def _look_back(
        self, benchmark: _Benchmark, judge: _Judge, compares: bool, weighted: bool = False
    ) -> _History | None:
        look = partial(_median, compares=compares, weighted=weighted)
        return self._most_alike(benchmark, judge, look)

    def _look_at_heads(
        self, benchmark: _Benchmark, judge: _Judge, opponent: str | None
    ) -> HeadToHeadSpread | None:
        return self._most_alike(
            benchmark, judge, partial(heads, opponent=opponent, least=LEAST_UNITS)
        )


def _median(
    data: PairData, judges: Sequence[str], compares: bool, weighted: bool
) -> _History | None:
    """Over the pairs that these judges judged, on the metric and scale that most of them have."""
    from judgebench.metrics.paired import every_pair, spread_of

    if weighted and data.which.weighted is None:
        return None
    found = grouped(
        ((pair.metric, pair.width), (spread, pair.unit, judge))
        for kind, verdicts in data.verdicts.items()
        if (kind.kind == "preference") == compares
        for judge in sorted(set(judges) & set(verdicts["judge"]))
        for pair in every_pair(
            verdicts,
            kind,
            judge,
            labels=data.which.labels,
            balance=data.board.balance,
            weighted=data.which.weighted if weighted else None,
            most=MOST_PAIRS,
        )
        for spread in (spread_of(pair),)
        if pair.why_not is None and spread.units >= LEAST_UNITS
    )
    if not found:
        return None
    (metric, width), pairs = max(found.items(), key=lambda of: len(of[1]))
    right = [spread.right for spread, _, _ in pairs if spread.right is not None]
    return _History(
        metric=metric,
        width=width,
        unit=pairs[0][1],
        spread=median(spread.spread for spread, _, _ in pairs),
        level=median(spread.level for spread, _, _ in pairs),
        right=median(right) if len(right) == len(pairs) else None,
        pairs=len(pairs),
        judges=tuple(sorted({judge for _, _, judge in pairs})),
    )


def notes(rows: Iterable[PlanRow]) -> list[str]:
    """What the figures of a plan rest on, and where there is none."""
    of = [(row, row.detectable) for row in rows if row.detectable is not None]
    of += [(row, found.weighted) for row, found in of if found.weighted is not None]
    known = [
        f"detectable, {row.benchmark}, {row.judge}: {_words(found)}, from the median spread over "
        f"{found.pairs:,} pair{'s' * (found.pairs != 1)} of models that "
        f"{' and '.join(found.judges)} judged"
        for row, found in of
        if found.pairs
    ]
    why = grouped(
        (found.undefined, f"{row.judge} ({row.benchmark})")
        for row, found in of
        if found.undefined is not None
    )
    lines = list(dict.fromkeys(known))
    if lines:
        lines.append(
            f"detectable is a drop that is found with a power of 80 % at alpha {ALPHA:g}, one-sided"
        )
    return lines + [
        f"what can be detected is not known, since {reason}: {', '.join(dict.fromkeys(whose))}"
        for reason, whose in why.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAhead(OfBenchmark):
    """One test of a gate by a plan's benchmark and judge, in the metric's units.

    drop
        That is allowed: of the policy, of ``--margin``, else 2 points of the scale.
    chance
        With which it passes an unchanged model.
    margin, items
        The allowed drop, and the items, with which the whole gate would pass one with 80 %.
    default
        The drop that a gate without a policy would allow.
    unknown
        Why nothing is known of it, and all figures but the drop are nan; None where it is.
    """

    judge: str
    metric: str
    items_planned: int = json_field(hidden=True, default=0)
    drop: float = json_field(name="max_drop")
    chance: float = json_field(name="chance_unchanged_passes", default=math.nan)
    margin: float = json_field(name="margin_for_80", default=math.nan)
    items: float = json_field(hidden=True, default=math.nan)
    default: float = json_field(name="default_drop", default=math.nan)
    unknown: str | None = json_field(hidden=True, default=None)

    @property
    @json_after("margin_for_80")
    def items_for_80(self) -> float:
        return _whole(self.items)


def gate_ahead(
    rows: Iterable[PlanRow], policy: Policy | None = None
) -> tuple[list[GateAhead], float]:
    """A gate by the benchmarks and judges of a plan: each test, and the chance that all pass.

    Unchanged are two models whose verdicts are exchanged at random, with the median spread of
    earlier pairs. Tests are taken to be independent; judges of one benchmark hang together, and
    pass together rather more often.

    Parameters
    ----------
    policy
        What it tests and what it allows; every benchmark and judge of the plan, if None. Where the
        plan says nothing of one of its tests, nothing is known of all together.
    """
    planned: dict[tuple[_Place, str], PassesUnchanged] = {}
    for row in rows:
        both = row.detectable and (row.detectable, row.detectable.weighted)
        for one in both or ():
            if one is not None and one.unchanged is not None and row.judge is not None:
                place = row.benchmark, row.version, row.judge
                planned.setdefault((place, one.metric), one.unchanged)
    if policy is None:
        usual = {at: found for at, found in planned.items() if at[1] != WEIGHTED}
        each = even_chance(len(usual), ())
        ahead = [
            _ahead(place, found, found.drop or _points(found, LEAST_DROP), each=each, alpha=ALPHA)
            for (place, _), found in usual.items()
        ]
    else:
        ahead = _of_policy(planned, policy)
    return ahead, joint_chance(_once_each(ahead), ())


def _of_policy(
    planned: Mapping[tuple[_Place, str], PassesUnchanged], policy: Policy
) -> list[GateAhead]:
    """Each test of a policy, those of which a plan says nothing among them."""
    about = [
        [at for at, one in planned.items() if _is_about(test, at[0], one)] for test in policy.tests
    ]
    questions = {places[0] if len(places) == 1 else n for n, places in enumerate(about)}
    each = even_chance(len(questions), ())
    ahead = []
    for test, places in zip(policy.tests, about, strict=True):
        if len(places) == 1:
            ahead.append(
                _ahead(
                    places[0][0],
                    planned[places[0]],
                    test.max_drop,
                    each=each,
                    alpha=policy.level,
                    strict=test.strict_drop,
                    called_at=policy.level / len(policy.tests),
                    min_n=test.min_n,
                )
            )
        else:
            judges = ", ".join(judge for (*_, judge), _ in places)
            ahead.append(_unknown(test, f"the plan has several: {judges}" if places else NOTHING))
    return ahead


def _unknown(test: GateTest, why: str) -> GateAhead:
    name, _, version = test.benchmark.partition("@")
    return GateAhead(
        benchmark=name,
        version=version,
        judge=test.judge or "",
        metric=HEAD_TO_HEAD if test.head_to_head else test.metric or "",
        drop=test.max_drop,
        unknown=why,
    )


def _once_each(ahead: Iterable[GateAhead]) -> list[float]:
    """Chances, of what is asked several times the least."""
    found: dict[object, float] = {}
    for n, one in enumerate(ahead):
        place = n if one.unknown is not None else (one.benchmark, one.judge, one.metric)
        found[place] = min(found.get(place, one.chance), one.chance)
    return list(found.values())


def _points(found: PassesUnchanged, points: float) -> float:
    """So many points of the scale in the metric's units; nan where a scale has no ends."""
    return points / 100.0 * found.width * found.unit if math.isfinite(found.width) else math.nan


def _is_about(test: GateTest, place: _Place, found: PassesUnchanged) -> bool:
    name, _, version = test.benchmark.partition("@")
    return (
        name == place[0]
        and version in ("", place[1])
        and test.judge in (None, place[2])
        and (test.metric == found.metric or (test.metric is None and found.metric != WEIGHTED))
        and not test.head_to_head
    )


def _ahead(
    place: _Place,
    found: PassesUnchanged,
    drop: float,
    *,
    each: float,
    alpha: float,
    strict: float | None = None,
    called_at: float = 0.0,
    min_n: int = 1,
) -> GateAhead:
    views = (Seen(spread=found.spread, units=found.items, binary=found.binary),)
    strictly = None if strict is None else strict / found.unit
    bound = {"alpha": alpha, "width": found.width}
    chance = passes_every_view(
        views, drop / found.unit, **bound, strict=strictly, called_at=called_at
    )
    margin = found.unit * margin_every_view(views, **bound, chance=each)
    items = units_every_view(views, drop / found.unit, **bound, chance=each)
    usual = margin
    if found.items < min_n:
        chance, margin, items = 0.0, math.nan, max(items, float(min_n))
    least, most = _points(found, LEAST_DROP), _points(found, MOST_DROP)
    return GateAhead(
        benchmark=place[0],
        version=place[1],
        judge=place[2],
        metric=found.metric,
        items_planned=found.items,
        drop=drop,
        chance=chance,
        margin=margin,
        items=items,
        default=most if math.isnan(usual) else min(max(usual, least), most),
    )


def gate_notes(ahead: Sequence[GateAhead], chance: float) -> list[str]:
    """How often a gate would pass an unchanged model, and what would make it 80 %."""
    if not ahead:
        return []
    from judgebench.reports.pair_tests import drop_words, percent

    known = [one for one in ahead if one.unknown is None]
    unknown = [one for one in ahead if one.unknown is not None]
    of = "a gate" if len(ahead) == 1 else f"a gate of these {len(ahead)} tests together"
    by = ", ".join(dict.fromkeys(drop_words(one.drop, one.metric) for one in known))
    at = (
        f"at an allowed drop of {by} (unchanged: two models' verdicts exchanged at random, with "
        "the median spread of earlier pairs)"
    )
    if not math.isnan(chance):
        lines = [f"an unchanged model passes {of} with {percent(chance)} chance, {at}"]
    else:
        lines = [f"how often {of} would pass an unchanged model is not known"]
        chance = joint_chance(_once_each(known), ())
        if not math.isnan(chance):
            lines[0] += f"; of the {len(known)} of {len(ahead)} tests known {percent(chance)}, {at}"
    lines += [
        f"not known, {', '.join(filter(None, (one.benchmark, one.judge, one.metric)))}: "
        f"{one.unknown}"
        for one in unknown[:_MOST_AHEAD]
    ]
    if len(unknown) > _MOST_AHEAD:
        lines.append(f"not known, and {len(unknown) - _MOST_AHEAD:,} more tests")
    if chance < CHANCE:
        lines += [_needs(one) for one in known[:_MOST_AHEAD]]
    return lines


def _needs(one: GateAhead) -> str:
    from judgebench.reports.pair_tests import drop_words

    many = math.isfinite(one.items)
    margin = [] if math.isnan(one.margin) else [drop_words(one.margin, one.metric)]
    items = f"{math.ceil(one.items):,} items" if many else "more items than there can be"
    ways = [f"an allowed drop of {words}" for words in margin]
    ways += [items] if one.items > one.items_planned else []
    return (
        f"{100 * CHANCE:g} % needs, {one.benchmark}, {one.judge}: "
        f"{' or '.join(ways) or 'more items'}; `judgebench gate` without a policy allows "
        f"{drop_words(one.default, one.metric)}"
    )


_MOST_AHEAD = 8


def gate_record(ahead: Sequence[GateAhead], chance: float) -> dict[str, Any]:
    """As JSON: null where it is not known."""
    return {
        "chance_unchanged_passes": finite(chance),
        "unchanged_means": "exchanged",
        "tests": serialise(ahead),
        "not_known": [
            {"benchmark": one.benchmark, "judge": one.judge or None, "why": one.unknown}
            for one in ahead
            if one.unknown is not None
        ],
    }


def _words(found: Detectable) -> str:
    return f"{found.metric} in percent" if entry(found.metric).in_percent else found.metric


ALONE = "answers are judged alone, and that does not say which of two is preferred"
LINKED = 0.05
"""Win rates nearer to 0 or 1 did not tell who wins head to head: see docs/comparing.md."""

ALL_TIED = "all comparisons in both orders ended in ties"

_WORDS: dict[Fewer | None, str] = {
    "head_to_head": "head to head",
    "board": "the board",
    "equal": "equal",
    None: "not known",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadToHeadSpread:
    """The median spread of so many models that were compared in both orders, by these judges."""

    spread: float
    pairs: int
    judges: tuple[str, ...]


def heads(
    data: PairData, judges: Sequence[str], opponent: str | None, *, least: int
) -> HeadToHeadSpread | None:
    """Over comparisons with others than the board's opponent; with that one, if there are none."""
    from judgebench.metrics.verdict_spread import head_spreads

    found: dict[bool, list[tuple[float, str]]] = {False: [], True: []}
    for kind, verdicts in data.board.verdicts.items():
        if kind.kind == "preference":
            found[kind.opponent == opponent] += head_spreads(verdicts, kind, judges, least=least)
    pairs = found[False] or found[True]
    if not pairs:
        return None
    return HeadToHeadSpread(
        spread=median(spread for spread, _ in pairs),
        pairs=len(pairs),
        judges=tuple(sorted({judge for _, judge in pairs})),
    )


def compared(
    assignment: JudgeAssignment,
    *,
    drop: float,
    level: float,
    board_items: float,
    heads: HeadToHeadSpread | None,
    metric: str,
    unit: float,
    alpha: float,
) -> Designs:
    """Both designs for a judge that compares.

    Parameters
    ----------
    drop, level, board_items
        As for `two_designs`.
    metric, unit
        What the board shows, and what a share is multiplied with there.
    """
    from judgebench.metrics.verdict_spread import BOTH

    asked = len(assignment.samples)
    found = two_designs(
        drop=drop,
        level=level,
        board_items=board_items,
        spread=None if heads is None else heads.spread,
        board_each=asked * assignment.verdicts_each,
        head_each=asked
        * len(BOTH)
        * (assignment.asked.config.judge_samples if assignment.asks else 1),
        alpha=alpha,
    )
    undefined = None
    if not LINKED <= level - drop <= level <= 1.0 - LINKED:
        undefined = (
            f"with less than {LINKED * unit:g} or more than {(1.0 - LINKED) * unit:g} % won, a "
            f"board says too little of who wins head to head (here {level * unit:.3g}, and "
            f"{(level - drop) * unit:.3g} after the drop)"
        )
    elif math.isnan(found.head_items):
        undefined = ALL_TIED
    return Designs(
        found=found if undefined is None else None,
        undefined=undefined,
        metric=metric,
        unit=unit,
        pairs=0 if heads is None else heads.pairs,
        judges=() if heads is None else heads.judges,
    )


def design_table(rows: Iterable[PlanRow]) -> Table | None:
    """What both designs take, a row for each benchmark and judge of whom it is known."""
    known = [
        (row, designs, designs.found) for row, designs in _each(rows) if designs.found is not None
    ]
    if not known:
        return None

    def drop(share: float, designs: Designs) -> str:
        return f"{share * designs.unit:.{entry(designs.metric).digits}f}"

    return table(
        "judgments that find the same drop: through the board, or head to head",
        known,
        [
            column("benchmark", lambda one: one[0].benchmark),
            column("judge", lambda one: str(one[0].judge), wraps=True),
            column("drop on the board", lambda one: drop(one[2].drop, one[1]), align="right"),
            column("board", lambda one: _count(one[2].board_judgments), align="right"),
            column(
                "board, baseline recorded", lambda one: _count(one[2].board_recorded), align="right"
            ),
            column("drop head to head", lambda one: drop(one[2].head_drop, one[1]), align="right"),
            column(
                "head to head",
                lambda one: f"{'≤ ' if one[2].at_most else ''}{_count(one[2].head_judgments)}",
                align="right",
            ),
            column("fewer", lambda one: _said(one[2]), wraps=True),
        ],
        notes=[_note(*one) for one in known],
    )


def design_notes(rows: Iterable[PlanRow]) -> list[str]:
    """Why it is not known which needs fewer, where it is known what can be detected."""
    why = grouped(
        (designs.undefined, f"{row.judge} ({row.benchmark})")
        for row, designs in _each(rows)
        if designs.undefined is not None and row.detectable is not None and row.detectable.pairs
    )
    return [
        f"what head to head takes is not known, since {reason}: {', '.join(whose)}"
        for reason, whose in why.items()
    ]


def design_records(rows: Iterable[PlanRow]) -> list[dict[str, Any]]:
    """As JSON: null where it is not known, and then why."""
    return [
        {
            "benchmark": row.benchmark,
            "version": row.version,
            "judge": row.judge,
            **_figures(designs),
            **({} if designs.undefined is None else {"undefined": designs.undefined}),
        }
        for row, designs in _each(rows)
    ]


def _figures(designs: Designs) -> dict[str, Any]:
    found, unit = designs.found, designs.unit
    if found is None:
        return dict.fromkeys(("drop", "win_rate", "board", "head_to_head", "fewer"))
    figures: dict[str, Any] = serialise(
        {
            "drop": found.drop * unit,
            "win_rate": found.level * unit,
            "board": {
                "items": _whole(found.board_items),
                "judgments": _whole(found.board_judgments),
                "judgments_baseline_recorded": _whole(found.board_recorded),
            },
            "head_to_head": {
                "drop": found.head_drop * unit,
                "even_drop": found.even_drop * unit,
                "items": _whole(found.head_items),
                "judgments": _whole(found.head_judgments),
                "at_most": found.at_most,
                "pairs": designs.pairs,
                "judges": list(designs.judges),
            },
            "fewer": {
                "baseline_not_recorded": found.fewer,
                "baseline_recorded": found.fewer_recorded,
            },
        }
    )
    return figures


def _each(rows: Iterable[PlanRow]) -> list[tuple[PlanRow, Designs]]:
    """The first row of each benchmark and judge of whom it is asked."""
    first: dict[tuple[str, str, str | None], tuple[PlanRow, Designs]] = {}
    for row in rows:
        if row.detectable is not None and (designs := row.detectable.designs) is not None:
            first.setdefault((row.benchmark, row.version, row.judge), (row, designs))
    return list(first.values())


def _note(row: PlanRow, designs: Designs, found: TwoDesigns) -> str:
    unit, places = designs.unit, entry(designs.metric).digits
    spread = (
        f"nobody has compared in both orders here, so its spread is put at the most there can be, "
        f"{MOST_SPREAD * unit:g}"
        if found.at_most
        else f"its spread is the median over {designs.pairs:,} "
        f"pair{'s' * (designs.pairs != 1)} of models that {' and '.join(designs.judges)} compared "
        f"in both orders"
    )
    even = (
        ""
        if math.isnan(found.even_drop)
        else f"above {found.even_drop * unit:.{places}f} head to head needs fewer, also where the "
        f"baseline's verdicts are recorded; "
    )
    return (
        f"{row.benchmark}, {row.judge}: at a win rate of {found.level * unit:.{places}f} on the "
        f"board, a drop of {found.drop * unit:.{places}f} is taken to be one of "
        f"{found.head_drop * unit:.{places}f} head to head (Bradley–Terry); {even}{spread}"
    )


def _said(found: TwoDesigns) -> str:
    if found.fewer == found.fewer_recorded:
        return _WORDS[found.fewer]
    return f"{_WORDS[found.fewer]}; baseline recorded: {_WORDS[found.fewer_recorded]}"


def _count(n: float) -> str:
    return f"{_whole(n):,}" if math.isfinite(n) else UNDEFINED


def _whole(n: float) -> float:
    return math.ceil(n) if math.isfinite(n) else math.nan
