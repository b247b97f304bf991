"""Policies out of a store: for each board a drop at which an unchanged model passes.

How much two models' verdicts differ, from what was known before the candidate was judged.

From the baseline itself where it was asked several times; else from earlier pairs of models, those
of the candidate's own name first; else nothing is known and it is assumed: that the difference of
two models varies over the items as the verdicts on the baseline alone do. On the published verdicts
of AlpacaEval 2 and of TriviaQA judging the one is 1.05 and 0.95 times the other in the median.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Literal

import numpy as np

from judgebench.columns import marked
from judgebench.errors import UsageError
from judgebench.metrics.accuracy import NO_ONE_NUMBER
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.paired import (
    BASELINE,
    CANDIDATE,
    PairedModels,
    compare,
    every_pair,
    over_units,
    spread_of,
)
from judgebench.metrics.probes import without_probes
from judgebench.metrics.registry import metric
from judgebench.metrics.verdict_spread import average_nights, head_spreads, repeat_spread
from judgebench.metrics.win_rate import WEIGHTED
from judgebench.plain_text import counted, printable, too_few_items
from judgebench.reports.boards import where
from judgebench.reports.gate_policy import LEAST_DROP, MOST_DROP, ChosenTest, Policy
from judgebench.reports.gate_unchanged import LEAST_ITEMS, too_little_there
from judgebench.reports.model_pairs import PairData
from judgebench.reports.pair_tests import percent
from judgebench.reports.versions import other_nights
from judgebench.stats.gate_rule import FEWEST_TO_PASS
from judgebench.stats.head_to_head_power import MOST_SPREAD
from judgebench.stats.paired_tests import spread_over_units
from judgebench.stats.unchanged import (
    CHANCE,
    Seen,
    even_chance,
    margin_every_view,
    not_certain,
    of_spread,
    passes_every_view,
    spread_again,
    units_every_view,
    views_exchanged,
)
from judgebench.store.store import Store

_ANY = 0.05  # a level at which nothing is asked

NEAREST = 5
"""Earlier pairs that count, those whose means lie nearest."""

Rests = Literal["asked again", "earlier pairs", "assumed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSpread:
    """The spread of a difference, without the unit.

    views
        As observed, and with as much missing at its ends as the baseline lacks.
    units, width
        As in `judgebench.stats.unchanged.passes_unchanged`; units are those on which the baseline
        has a readable verdict.
    never
        Why no drop lets a model pass that lacks as much; None where one may.
    scale, unit
        How wide the metric's scale is, and what a figure is multiplied with.
    nights
        On how many nights the baseline was asked, its own among them.
    said
        In words, what it rests on.
    """

    rests: Rests
    said: str
    views: tuple[Seen, ...]
    units: int
    width: float
    scale: float
    unit: float
    nights: int = 1
    never: str | None = None

    def points_to_pass(self, alpha: float, chance: float) -> float:
        """Points of the scale with which an unchanged model passes so often; nan for none."""
        if self.never is not None:
            return math.nan
        drop = margin_every_view(self.views, alpha=alpha, chance=chance, width=self.width)
        points = drop if math.isnan(drop) else math.ceil(1000.0 * drop / self.scale - 1e-9) / 10.0
        return points if points < 100.0 else math.nan  # a gate refuses the whole scale


def known_spread(
    data: PairData,
    kind: BoardKind,
    judge: str,
    two: tuple[str, str],
    *,
    head_to_head: bool = False,
    every_night: bool = False,
    figure: str | None = None,
) -> KnownSpread:
    """What is known of one board, by one judge; no verdict on the candidate has a part in it.

    Parameters
    ----------
    two
        Candidate and baseline as the boards show them.
    every_night
        Whether the candidate will be compared with the mean of all of the baseline's nights.
    figure
        The weighted win rate, where that is compared.
    """
    baseline = two[1]
    if head_to_head:
        return _of_heads(data, kind, judge, two)
    pair = data.pair(kind, judge, (baseline, baseline), None, figure=figure)
    its = ~np.isnan(pair.mean[:, BASELINE]) & (pair.stratum >= 0)
    units = len(np.unique(pair.unit_of[its]))
    nights = other_nights(data, kind, judge, two)
    # Beside a model that says the same and lacks as much.
    itself = compare(pair, alpha=_ANY)
    observed = replace(itself.observed, spread=0.0, difference=0.0)
    missing = views_exchanged(observed, itself.worst, itself.best)
    reach = pair.width if math.isnan(itself.observed.reach) else itself.observed.reach
    never = too_little_there(pair, BASELINE, baseline, data.which.coverage_floor)

    def found(rests: Rests, said: str, spread: float, *, binary: bool) -> KnownSpread:
        return KnownSpread(
            rests=rests,
            said=said,
            views=of_spread(
                missing,
                not_certain(spread, units, width=reach, binary=binary),
                binary=binary,
            ),
            units=units,
            width=reach,
            scale=pair.width,
            unit=pair.unit,
            nights=1 + len(nights.models),
            never=never,
        )

    verdicts, labels = data.board.verdicts[kind], data.which.labels
    asked = {one for one, there in zip(pair.questions, its.tolist(), strict=True) if there}
    plain = units == len(asked) and not (pair.stratum != 0).any() and figure is None
    binary = plain and kind.kind == "label" and _whole(pair)
    if plain:
        own = repeat_spread(verdicts, kind, judge, baseline, labels)
        every = average_nights(verdicts, judge, two, nights.models)
        again = repeat_spread(every, kind, judge, baseline, labels)
        if again.items >= LEAST_ITEMS:
            spread = spread_again(
                again.within, own.answers, again.answers if every_night else own.answers
            )
            what = f"{baseline} asked again: {again.answers:.3g} answers an item"
            return found("asked again", what, spread, binary=False)
    alike, others = _others(data, kind, judge, two)
    for models, of in ((alike, "earlier versions of it"), (others, "other models")):
        spreads = _nearest(
            every_pair(
                data.verdicts[kind],
                kind,
                judge,
                labels=labels,
                balance=data.board.balance,
                weighted=None if figure is None else data.which.weighted,
                two=[(model, baseline) for model in models],
            )
        )
        if spreads:
            median_of = "that" if len(spreads) == 1 else "the median"
            pairs = counted(len(spreads), "earlier pair")
            said = f"{median_of} of {pairs} of {baseline} with {of}"
            return found("earlier pairs", said, median(spreads), binary=binary)
    of_units, items, by_category = over_units(pair, pair.mean[its, BASELINE], its)
    spread = spread_over_units(of_units, items) if by_category is None else by_category
    return found(
        "assumed",
        f"assumed, as nothing earlier is known: the difference varies as the verdicts on {baseline}"
        " do over the items",
        spread,
        binary=binary,
    )


def _nearest(pairs: Iterable[PairedModels]) -> list[float]:
    """The spreads of those pairs whose two means lie nearest: an unchanged model's is the same."""
    found = []
    for pair in pairs:
        spread = spread_of(pair)
        if pair.why_not is None and spread.units >= LEAST_ITEMS:
            both = pair.mean[~np.isnan(pair.mean).any(axis=1)]
            apart = abs(float((both[:, CANDIDATE] - both[:, BASELINE]).mean()))
            found.append((apart, spread.spread))
    return [spread for _, spread in sorted(found)[:NEAREST]]


def _whole(pair: PairedModels) -> bool:
    """Whether every item was right or wrong, and not right on some of several answers."""
    mean = pair.mean[:, BASELINE]
    return bool(np.isin(mean[~np.isnan(mean)], (0.0, 1.0)).all())


def _others(
    data: PairData, kind: BoardKind, judge: str, two: tuple[str, str]
) -> tuple[list[str], list[str]]:
    """Other models of the candidate's or the baseline's names, and the rest."""
    models = {model.id: model for model in data.board.store.models()}
    names: dict[str, set[str]] = {
        shown: set(models[one].names) if one in models else set()
        for shown, one in data.board.model_ids.items()
    }
    own = names.get(two[0], set()) | names.get(two[1], set())
    judged = sorted(data.models_of(kind, judge) - set(two))
    alike = [one for one in judged if names.get(one, set()) & own]
    return alike, [one for one in judged if one not in alike]


def _of_heads(data: PairData, kind: BoardKind, judge: str, two: tuple[str, str]) -> KnownSpread:
    """Of answers compared in both orders: other models' comparisons, or the most there can be."""
    spreads = []
    for board, verdicts in data.board.verdicts.items():
        if board.kind == "preference":
            its = where(verdicts, ~marked(verdicts["model"], two.__contains__))
            spreads += [s for s, _ in head_spreads(its, board, [judge], least=LEAST_ITEMS)]
    pair = data.pair(kind, judge, two, None)
    said = (
        f"the median of {counted(len(spreads), 'other model')} compared in both orders"
        if spreads
        else "assumed, as nobody else was compared in both orders: the most that a win can vary"
    )
    units = len(np.unique(pair.unit_of))
    spread = median(spreads) if spreads else MOST_SPREAD
    spread = not_certain(spread, units, width=pair.width, binary=False)
    return KnownSpread(
        rests="earlier pairs" if spreads else "assumed",
        said=said,
        views=(Seen(spread=spread, units=units),),
        units=units,
        width=pair.width,
        scale=1.0,
        unit=pair.unit,
    )


LEAST_SUGGESTED = 0.5
"""Points of the scale: a smaller drop is no question for a judge."""

_ROUNDED = 0.02
"""A chance that is less by so much is not said to be the one asked for."""

_SHARE_OF_ITEMS = 0.95
_MOST_NAMED = 4


def usual_policy(
    store: Store,
    candidate: str,
    baseline: str,
    *,
    share: float | None = None,
    alpha: float = 0.05,
    head_to_head: bool = False,
) -> Policy:
    """A test for each benchmark and judge that both models have.

    With ``head_to_head`` for each judge that has compared the one with the other.

    Parameters
    ----------
    share
        The allowed drop, as a share of the scale. If None it is chosen before the candidate is
        looked at: that at which an unchanged model passes all tests on 80 % of nights, between
        `LEAST_DROP` and `MOST_DROP` points of the scale.

    Raises
    ------
    UsageError
        Where they have none in common.
    """
    boards = boards_in_common(store, candidate, baseline, head_to_head=head_to_head)
    each = even_chance(len(boards), ())
    tests = [
        _chosen(one, each, alpha, head_to_head=head_to_head)
        if share is None
        else ChosenTest(
            benchmark=one.benchmark,
            judge=one.judge,
            max_drop=share * one.known.scale * one.known.unit,
            head_to_head=head_to_head,
            opponent=one.opponent,
            source="--max-drop",
        )
        for one in boards
    ]
    return Policy(tests=tests, alpha=alpha)


def chosen_test(
    data: PairData, kind: BoardKind, judge: str, two: tuple[str, str], *, alpha: float
) -> ChosenTest:
    """The test of one board by itself, with the drop that a gate chooses where nobody states one.

    Raises
    ------
    UsageError
        For a scale without ends.
    """
    known = known_spread(data, kind, judge, two)
    if not math.isfinite(known.scale):
        raise UsageError("a scale without ends has no share of which a drop could be allowed")
    board = BoardInCommon(
        benchmark=str(data.which), judge=judge, metric=kind.metric.name, known=known
    )
    return _chosen(board, even_chance(1, ()), alpha, head_to_head=False)


def _chosen(one: BoardInCommon, each: float, alpha: float, *, head_to_head: bool) -> ChosenTest:
    """The test of a board with the allowed drop that is chosen where nobody states one."""
    known = one.known
    points = known.points_to_pass(alpha, each)
    drop = min(max(points, LEAST_DROP), MOST_DROP) if math.isfinite(points) else MOST_DROP
    size = known.scale * known.unit / 100.0
    if drop == points:
        how = f"{100 * CHANCE:g} % for an unchanged model by that spread"
    elif drop > points:
        how = f"the least there is: by that spread an unchanged model would need {points:g}"
    elif known.never is not None:
        how = f"the most there is: {known.never}"
    elif known.units < FEWEST_TO_PASS:
        how = f"the most there is: {too_few_items(known.units)} for any pass"
    else:
        needs = f"{points:g} points" if math.isfinite(points) else "more than there are"
        how = (
            f"the most there is: by that spread {100 * CHANCE:g} % for an unchanged model would "
            f"need {needs}"
        )
    return ChosenTest(
        benchmark=one.benchmark,
        judge=one.judge,
        max_drop=drop * size,
        strict_drop=LEAST_DROP * size if drop > LEAST_DROP else None,
        head_to_head=head_to_head,
        opponent=one.opponent,
        source=f"default, {drop:g} points of the scale, chosen from what was known before: {how}; "
        f"the spread is {known.said}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardInCommon:
    """A board on which one judge has judged both models, and what was known before the candidate.

    ``metric`` is what its verdicts make; ``opponent`` is None where only one was compared with.
    """

    benchmark: str
    judge: str
    metric: str
    known: KnownSpread
    opponent: str | None = None


def boards_in_common(
    store: Store,
    candidate: str,
    baseline: str,
    *,
    head_to_head: bool = False,
    as_ranked: bool = False,
) -> list[BoardInCommon]:
    """The boards of a store that could be gated by, but for scales without ends.

    Parameters
    ----------
    as_ranked
        By what each board ranks by where the baseline has it, also where that is not tested unless
        it is named; and with a drop from the mean of all of the baseline's nights.

    Raises
    ------
    UsageError
        Where there is none.
    """
    found, faults, several_numbers = [], [], False
    for name, version in without_probes(store.benchmarks()):
        data = PairData(store, f"{name}@{version}")
        try:
            two = data.two(candidate, baseline)
        except UsageError as error:
            faults.append(f"\n  {error}")
            continue
        boards = data.heads_of(two) if head_to_head else data.judges_of(two)
        several = not head_to_head and len({kind.opponent for kind, _ in boards} - {None}) > 1
        for kind, judge in boards:
            if data.has_figures(kind):
                faults.append(f"\n  {data.which}: {NO_ONE_NUMBER}; a policy says which is gated")
                several_numbers = True
                continue
            known_by = partial(
                known_spread, data, kind, judge, two,
                head_to_head=head_to_head, every_night=as_ranked,
            )  # fmt: skip
            figure = WEIGHTED if as_ranked and data.ranks_by_weights(kind) else None
            known = known_by(figure=figure)
            if figure is not None and not known.units:
                known, figure = known_by(), None
            if math.isfinite(known.scale):
                found.append(
                    BoardInCommon(
                        benchmark=f"{name}@{version}",
                        judge=judge,
                        metric=figure or kind.metric.name,
                        known=known,
                        opponent=kind.opponent if several else None,
                    )
                )
    if not found:
        faults = list(dict.fromkeys(faults))  # once for all judges
        other = "other " if several_numbers else ""
        raise UsageError(
            f"{store.name} has no {other}benchmark on which one judge has judged both "
            f"{candidate!r} and {baseline!r}; `judgebench leaderboard BENCHMARK` shows whom it "
            "has, and `judgebench baseline list` which baselines have a name"
            f"{':' if faults else ''}{''.join(faults)}"
        )
    return found


# a policy to be written down --------------------------------------------------------------------


def suggested(
    store: Store, candidate: str, baseline: str, *, chance: float = 0.8, alpha: float = 0.05
) -> str:
    """A policy as YAML, with comments.

    Parameters
    ----------
    chance
        With which an unchanged model is to pass all of its tests; different benchmarks are taken
        to be independent, and judges of one benchmark too, which promises rather too little.

    Raises
    ------
    UsageError
        Where the two have no board in common, or none on which anything passes.
    """
    common = boards_in_common(store, candidate, baseline, as_ranked=True)
    boards, each = _usable(common, chance, alpha)
    if not boards:
        why = "; ".join(
            f"{one.benchmark}, {one.judge}: {_why_not(one.known)}" for one in common[:_MOST_NAMED]
        )
        raise UsageError(
            f"an unchanged model passes no test of {candidate!r} against {baseline!r} at any drop: "
            f"{why}"
        )
    nights = max(one.known.nights for one in boards)
    lines = [
        f"# Suggested for {_comment(candidate)} against {_comment(baseline)}: an unchanged model "
        f"passes {'its test' if len(boards) == 1 else f'all {len(boards)} tests'}",
        f"# with about {percent(chance)} chance"
        f"{f', each of them with {percent(each)}' if len(boards) > 1 else ''}. "
        "`judgebench gate` says the chance anew each time.",
        "# Unchanged: two models' verdicts exchanged at random, item by item; where a test rests",
        "# on answers asked again, the baseline itself.",
        f"alpha: {alpha:g}",
    ]
    if nights > 1:
        lines += [
            f"# The baseline was asked on {nights} nights: their mean varies less than one night.",
            f"baseline_nights: {nights}",
        ]
    lines.append("tests:")
    for one in common:
        if one in boards:
            lines += _test(one, each, alpha, called_at=alpha / len(boards))
        else:
            about = f"{_comment(one.benchmark)}, {_comment(one.judge)}"
            lines.append(f"  # {about}: left out, {_comment(_why_not(one.known))}")
    return "\n".join(lines) + "\n"


def _usable(
    common: Sequence[BoardInCommon], chance: float, alpha: float
) -> tuple[list[BoardInCommon], float]:
    """The boards on which some drop lets an unchanged model pass, and the chance each is to have.

    Of fewer tests each needs less: those that fall out are no part of it.
    """
    boards = list(common)
    while True:
        each = even_chance(len(boards), (), chance=chance)
        found = [one for one in boards if not math.isnan(one.known.points_to_pass(alpha, each))]
        if len(found) == len(boards):
            return boards, each
        boards = found


def _why_not(known: KnownSpread) -> str:
    """Why a board has no drop at which an unchanged model passes."""
    if known.never is not None:
        return known.never
    if not known.units:
        return "no readable verdict"
    if known.units < FEWEST_TO_PASS:
        return f"{counted(known.units, 'item')}; a pass takes {FEWEST_TO_PASS}: ask more items"
    return f"{too_few_items(known.units)} for any drop: ask more items"


def _test(one: BoardInCommon, each: float, alpha: float, *, called_at: float) -> list[str]:
    known, size = one.known, one.known.scale * one.known.unit / 100.0
    points = known.points_to_pass(alpha, each)
    fields = {
        "benchmark": json.dumps(one.benchmark, ensure_ascii=False),
        "judge": json.dumps(one.judge, ensure_ascii=False),
        "metric": one.metric,
    }
    if one.opponent is not None:
        fields["opponent"] = json.dumps(one.opponent, ensure_ascii=False)
    drop = max(points, LEAST_SUGGESTED)

    strict = LEAST_DROP / 100.0 * known.scale

    def chance(at: float) -> float:
        return passes_every_view(
            known.views, at / 100.0 * known.scale, alpha=alpha, width=known.width,
            strict=strict if at > LEAST_DROP else None, called_at=called_at,
        )  # fmt: skip

    def passes(at: float) -> str:
        return percent(chance(at))

    items = units_every_view(known.views, strict, alpha=alpha, chance=each, width=known.width)
    said = [
        f"  # {known.units:,} items; an unchanged model passes with {passes(drop)} at this drop",
        f"  # Rests on {_comment(known.said)}.",
    ]
    if drop > LEAST_DROP:
        said.insert(
            1,
            f"  # ({drop:g} points of the scale), with {passes(LEAST_DROP)} at {LEAST_DROP:g} "
            f"points; {LEAST_DROP:g} points take {_items(items)}.",
        )
    if chance(drop) < each - _ROUNDED:
        said.append(
            f"  # Not with {percent(each)}: what is missing may turn a pass into a regression at "
            f"{LEAST_DROP:g} points. Fewer missing verdicts, or no strict_drop."
        )
    if drop > MOST_DROP:
        said.append(f"  # More than {MOST_DROP:g} points: more items would serve better.")
    places = 4 if metric(one.metric).digits == 3 else 3
    fields["max_drop"] = f"{round(drop * size, places):g}"
    if drop > LEAST_DROP:
        fields["strict_drop"] = f"{round(LEAST_DROP * size, places):g}"
    readable = known.units / max(known.units, *(view.units for view in known.views))
    fields["min_n"] = str(max(1, math.floor(_SHARE_OF_ITEMS * known.units * readable)))
    first, *rest = (f"{name}: {value}" for name, value in fields.items())
    return [*said, f"  - {first}", *(f"    {field}" for field in rest)]


def _items(units: float) -> str:
    return f"{math.ceil(units):,} items" if math.isfinite(units) else "fewer missing verdicts"


def _comment(text: str) -> str:
    """Others' text on one line of a comment."""
    return printable(" ".join(text.split()))
