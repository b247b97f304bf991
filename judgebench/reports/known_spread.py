"""How much two models' verdicts differ, from what was known before the candidate was judged.

From the baseline itself where it was asked several times; else from earlier pairs of models, those
of the candidate's own name first; else nothing is known and it is assumed: that the difference of
two models varies over the items as the verdicts on the baseline alone do. On the published verdicts
of AlpacaEval 2 and of TriviaQA judging the one is 1.05 and 0.95 times the other in the median.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

import numpy as np

from judgebench.columns import marked
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
from judgebench.metrics.verdict_spread import average_nights, head_spreads, repeat_spread
from judgebench.plain_text import counted
from judgebench.reports.boards import where
from judgebench.reports.gate_unchanged import LEAST_ITEMS, too_little_there
from judgebench.reports.model_pairs import PairData
from judgebench.reports.versions import other_nights
from judgebench.stats.head_to_head_power import MOST_SPREAD
from judgebench.stats.paired_tests import spread_over_units
from judgebench.stats.unchanged import (
    Seen,
    margin_every_view,
    not_certain,
    of_spread,
    spread_again,
    views_exchanged,
)

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
                balance=data.board.balance if kind.kind == "score" else None,
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
