"""What judges say of models, corrected by what people say of a sample of the answers.

A judge's mean over all items, people's labels on some of them, and the probabilities with which
these were drawn make the mean that people would give (`judgebench.stats.correction`); of two models
the same is made of their differences, item by item. What people say together is the majority of
their labels, and the mean of their scores and comparisons.

`judgebench labels export` draws answers within strata, and a run keeps which it drew. What has been
labelled of a draw is a random part of each stratum, since every rater has a random order: its
probability is the labels of the stratum over the answers there are. Labels from before the draw are
no such part: they count once all of it is labelled.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from judgebench.columns import counted, marked, same, select_rows
from judgebench.config import Panel
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.combine import panel_verdicts
from judgebench.metrics.intervals import LEAST, Floats
from judgebench.metrics.measures import item_means
from judgebench.metrics.paired import PairedModels, PairedTests
from judgebench.metrics.registry import NO_ENDS
from judgebench.metrics.scores import scales_of
from judgebench.metrics.verdict_table import Columns, Ints, VerdictTable, read_table
from judgebench.records import HUMAN, Estimate, JsonObject, is_human
from judgebench.stats.correction import (
    FEW,
    CorrectedMean,
    corrected_mean,
    quantile,
    rogan_gladen,
    two_samples,
)
from judgebench.stats.paired_tests import PairedTest, untested
from judgebench.stats.resample import content_seed
from judgebench.store.store import Store

SAMPLING = "sampling"
"""What a manifest's configuration calls a draw.

``queue`` names it and ``benchmark`` and ``version`` say of what it was drawn; ``opponent`` is the
id of the model that others were held against, or null; ``design`` is random, stratified or
informative; ``strata`` are ``{"name", "model", "of", "drawn"}``, ``model`` the id of the only one
in it, or null; ``cells`` are item id, model id and place in ``strata`` of each answer, in the order
drawn.
"""


def draws(store: Store, benchmark: str, version: str) -> list[JsonObject]:
    """What was drawn for people to label, the first draw first, each once."""
    return [draw for draw, _ in _draws(store, benchmark, version)]


def _draws(store: Store, benchmark: str, version: str) -> list[tuple[JsonObject, float]]:
    """The same, and since when each, or a smaller one that it holds, was being labelled."""
    its: dict[str, tuple[JsonObject, float]] = {}
    for run in store.runs():
        draw = run.configuration.get(SAMPLING)
        if isinstance(draw, dict) and (draw["benchmark"], draw["version"]) == (benchmark, version):
            its.setdefault(draw["queue"], (draw, run.started))
    return [
        (draw, min(at for one, at in its.values() if _holds(draw, one))) for draw, _ in its.values()
    ]


def _holds(draw: JsonObject, smaller: JsonObject) -> bool:
    """Whether one is drawn as another is, of the same strata, and has all that is in it."""
    alike = all(
        draw.get(one) == smaller.get(one)
        for one in ("design", "opponent", "seed", "by", "judge", "kind")
    )
    strata = [[(one["name"], one["of"]) for one in its["strata"]] for its in (draw, smaller)]
    cells = [{(item, of) for item, of, _ in its["cells"]} for its in (draw, smaller)]
    return alike and strata[0] == strata[1] and cells[0] >= cells[1]


def sample_design(store: Store, benchmark: str, version: str) -> str | None:
    """How what people have labelled was drawn: as the draw with the most labels; None without."""
    found = [
        (len(_labelled(store, draw, drawn_at)), draw["design"])
        for draw, drawn_at in _draws(store, benchmark, version)
    ]
    n, design = max(found, key=lambda one: one[0], default=(0, None))
    return design if n else None


def _labelled(store: Store, draw: JsonObject, drawn_at: float) -> set[tuple[str, str]]:
    """Item and model id of what people have labelled of a draw."""
    people = [judge.id for judge in store.judges() if is_human(judge.name)]
    at = (store, draw["benchmark"], draw["version"], draw["opponent"])
    cells = {(item, of) for item, of, _ in draw["cells"]}
    if not people or cells <= _cells(*at, judges=people):
        return cells if people else set()
    return cells & _cells(*at, since=drawn_at, judges=people)


def drawn_cells(draw: JsonObject, models: Iterable[bytes]) -> list[tuple[str, bytes]]:
    """Item and key of the model of each answer of a draw, of these models, in the order drawn."""
    key_of = {key.hex()[:12]: key for key in models}
    return [(item, key_of[model]) for item, model, _ in draw["cells"] if model in key_of]


def sampling_probabilities(
    store: Store, benchmark: str, version: str, *, model: str, opponent: str | None = None
) -> Mapping[str, float] | None:
    """With which probability each answer of a model was given to people and labelled.

    Parameters
    ----------
    model
        Its id, as ``model_id`` of `Store.verdicts` has it.
    opponent
        That of the model which it was compared with; None for single answers.

    Returns
    -------
    mapping or None
        By item, those that people have labelled, above 0 and at most 1. Labels on other items
        were drawn by nobody: leave them out. 1 for all where people have labelled every item that
        the model has answered or anybody has judged; else of several draws that with the most
        labels counts.
        None where it is not known: the labels are no random sample, there are more answers by now
        than they were drawn from, or of a stratum with answers of this model nothing has been
        labelled yet.
    """
    people = [judge.id for judge in store.judges() if is_human(judge.name)]
    if not people:
        return None
    labels = _cells(store, benchmark, version, opponent, judges=people)
    mine = {item for item, of in labels if of == model}
    if mine and _is_all(mine, store, benchmark, version, model, opponent):
        return dict.fromkeys(mine, 1.0)
    found = [
        (_labelled(store, draw, drawn_at), draw)
        for draw, drawn_at in _draws(store, benchmark, version)
        if draw["opponent"] == opponent
        and any(of == model for _, of, _ in draw["cells"])
        and not _has_grown(store, draw, model)
    ]
    if not found:
        return None
    labelled, draw = max(found, key=lambda one: len(one[0]))
    place = {(item, of): at for item, of, at in draw["cells"]}
    done = Counter(place[cell] for cell in labelled)
    share = {
        at: done[at] / stratum["of"]
        for at, stratum in enumerate(draw["strata"])
        if stratum["model"] in (None, model)
    }
    if not all(share.values()):
        return None
    return {item: share[place[item, of]] for item, of in sorted(labelled) if of == model}


def _has_grown(store: Store, draw: JsonObject, model: str) -> bool:
    """Whether there are more answers now than a draw was made from, with those of a model."""
    own = [one["of"] for one in draw["strata"] if one["model"] == model]
    drawn_from: int = sum(own or [one["of"] for one in draw["strata"]])
    models = {model} if own else {of for _, of, _ in draw["cells"]}
    key_of = {one.id: one.key for one in store.models()}
    where = (store, draw["benchmark"], draw["version"])
    against = None if draw["opponent"] is None else _answered(*where, key_of[draw["opponent"]])
    its = (_answered(*where, key_of[one]) for one in models if one in key_of)
    return sum(len(one if against is None else one & against) for one in its) > drawn_from


def _answered(store: Store, benchmark: str, version: str, key: bytes) -> set[str]:
    """The items of which a model has a first answer."""
    return {item for item, n in store.answered(benchmark, version, key) if n == 0}


def _is_all(
    items: set[str], store: Store, benchmark: str, version: str, model: str, opponent: str | None
) -> bool:
    """Whether it is every item that a model has answered or anybody has judged."""
    key = next((one.key for one in store.models() if one.id == model), b"")
    if not items >= _answered(store, benchmark, version, key):
        return False
    both = [model] if opponent is None else [model, opponent]
    judged = _cells(store, benchmark, version, opponent, models=both)
    return items.issuperset(item for item, of in judged if of == model)


def _cells(
    store: Store,
    benchmark: str,
    version: str,
    opponent: str | None,
    since: float = 0.0,
    **only: list[str],
) -> set[tuple[str, str]]:
    """Items and model ids of the first answers that have a verdict, of some models or judges.

    A pair is one of its model, whoever was called the opponent.
    """
    table = store.board_verdicts(benchmark, version, **only)
    further = marked(table["sample"], bool) | marked(table["turn"], bool)
    further |= np.asarray(table["at"]) < since
    names = ("item_id", "model_id", "opponent_id", "kind")
    its = select_rows({name: table[name] for name in names}, np.flatnonzero(~further))
    found = set()
    for item, one, other, kind in counted(*(its[name] for name in names)):
        if opponent is not None and one == opponent and other is not None:
            one, other = other, one
        if other == opponent and not ("judges" in only and kind == "unreadable"):
            found.add((item, one))
    return found


CORRECTED, ALONE, BY_RATES = "corrected", "labels_alone", "rogan_gladen"
COUNT_AS, MORE = "labels_count_as", "more_labels"

NOT_RANDOM = (
    "people's labels are not known to be a random sample of its answers, so no interval is given; "
    "`judgebench labels export` draws one"
)
OTHER_SCALE = "the judge and people score on different scales"
BALANCED = "nothing is corrected: categories count equally here, and labels weigh items alike"
ALL = "labels of all items would not be enough: more items are needed"
SEVERAL = "error rates are of one verdict on an item, and items have several, as on samples"
RARE = f"under {LEAST} labels of one outcome: its interval may be too narrow"

Probabilities: TypeAlias = Mapping[str, float] | None
"""By item, with which probability its label was drawn; None where nobody knows."""

Made: TypeAlias = dict[tuple[str, str], dict[str, Estimate]]
"""By judge and model, then by metric."""


def people_verdicts(columns: Columns, kind: BoardKind) -> Columns:
    """What people say together of the answers on a board, as a judge called ``human``."""
    people = sorted(judge for judge in counted(columns["judge"]) if is_human(judge))
    together = HUMAN not in people and len(people) > 1
    its = select_rows(columns, np.flatnonzero(marked(columns["judge"], is_human)))
    if together:
        rule = "majority" if kind.kind == "label" else "mean"
        its = panel_verdicts(its, Panel(judges=people, rule=rule, min_valid=1))
    elif HUMAN in people:
        its = select_rows(its, np.flatnonzero(marked(its["judge"], HUMAN.__eq__)))
    return {**its, "judge": same(HUMAN, len(its["judge"]))}


def corrections(
    columns: Columns,
    kind: BoardKind,
    labels: Sequence[str],
    probability: Callable[[str], Probabilities],
    *,
    level: float,
    width: float | None = None,
) -> Made:
    """Every judge's mean of every model as people would have it.

    Parameters
    ----------
    columns
        The rows of a board.
    labels
        The declared ones, the positive one last.
    probability
        Of a model.
    level
        Of the intervals.
    width
        Of an interval that would be narrow enough, in the metric's units; a tenth of the scale if
        not given.

    Returns
    -------
    Made
        `CORRECTED`; `ALONE`, from the labels alone; `BY_RATES`, of labels;
        `COUNT_AS`, as how many labels these count; `MORE`, how many more make an interval of that
        width. None of models that people have not labelled.
    """
    people = people_verdicts(columns, kind)
    table = read_table(columns, kind=kind.kind, labels=labels)
    theirs = _on(table, people, kind, labels)
    scales = scales_of(people, range(len(people["kind"]))) if kind.kind == "score" else []
    known: dict[str, Probabilities] = {}
    found: Made = {}
    for judge, rows in table.by_judge():
        if is_human(judge):
            continue
        own = scales_of(columns, rows) if kind.kind == "score" else []
        means = item_means(table, rows, table.values, ends=NO_ENDS)
        ends = scales[0] if kind.kind == "score" and len(scales) == 1 else (0.0, 1.0)
        for m, model in enumerate(table.models):
            said, labelled = means.mean[:, m], theirs[:, m]
            there = (means.asked[:, m] > 0) | ~np.isnan(labelled)
            if np.isnan(labelled).all() or not means.asked[:, m].any():
                continue
            if model not in known:
                known[model] = probability(model)
            sample = _Sample(
                judge=said[there], people=labelled[there], unit=table.unit_of[there],
                chance=None if (drawn := known[model]) is None else np.array(
                    [drawn.get(table.items[i], math.nan) for i in np.flatnonzero(there)]
                ),
                seed=content_seed(judge, model), level=level, scale=kind.metric.times, ends=ends,
            )  # fmt: skip
            why = None if own == scales else OTHER_SCALE
            found[judge, model] = sample.correction(width, kind.kind == "label", why)
    return found


def _on(table: VerdictTable, people: Columns, kind: BoardKind, labels: Sequence[str]) -> Floats:
    """People's means of each item and model of a table that has all of theirs."""
    own = read_table(people, kind=kind.kind, labels=labels)
    found = np.full(table.shape, np.nan)
    at = np.ix_(np.searchsorted(table.items, own.items), np.searchsorted(table.models, own.models))
    found[at] = item_means(own, np.arange(len(own.values)), own.values, ends=NO_ENDS).mean
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """A judge's values and people's of some items, and how they are shown."""

    judge: Floats
    people: Floats
    chance: Floats | None
    unit: Ints
    seed: int
    level: float
    scale: float
    ends: tuple[float, float]

    def correction(self, width: float | None, binary: bool, why: str | None) -> dict[str, Estimate]:
        """Every figure; nothing but the reason, where there is one."""
        chance = np.ones(len(self.judge)) if self.chance is None else self.chance
        people = np.where(np.isnan(chance), np.nan, self.people)
        found, alone = (
            corrected_mean(self.judge, people, chance, unit=self.unit, power=power, seed=self.seed)
            for power in (None, 0.0)
        )
        n = found.n_labels
        if why is not None:
            nothing = replace(found, value=math.nan, undefined=why)
            return dict.fromkeys((CORRECTED, COUNT_AS, MORE), self.estimate(nothing, ""))
        if self.chance is None:
            found, alone = (
                replace(one, error=math.nan, undefined=one.undefined or NOT_RANDOM)
                for one in (found, alone)
            )
        rarer = min(np.nansum(people), n - np.nansum(people))
        caution = f"; {RARE}" if binary and found.undefined is None and rarer < LEAST else ""
        how = f"PPI++, lambda {found.power:.2f}, {n} labels, two halves, Student's t{caution}"
        metrics = {
            CORRECTED: self.estimate(found, how),
            ALONE: self.estimate(alone, f"{n} labels alone, Student's t{caution}"),
        }
        if binary and self.chance is not None:
            rates = replace(found, value=math.nan, error=math.nan, undefined=SEVERAL)
            said = np.concatenate([self.judge, people])
            if np.isin(said[~np.isnan(said)], (0.0, 1.0)).all():  # no mean of several
                rates = rogan_gladen(self.judge, people, chance, unit=self.unit)
                if rates.undefined not in (None, FEW):
                    rates = replace(rates, value=math.nan)
            metrics[BY_RATES] = self.estimate(rates, "error rates, delta method")
        narrow = 0.1 * (self.ends[1] - self.ends[0]) if width is None else width / self.scale
        # A judge takes nothing away: labels alone need no more than labels beside it.
        needed = min(one.labels_for(narrow, self.level) for one in (found, alone))
        short = math.isinf(needed)
        for name, value, reason in (
            (COUNT_AS, found.count_as(alone), found.undefined),
            (MORE, math.nan if short else max(0.0, needed - n), ALL if short else found.undefined),
        ):
            number = replace(found, value=value / self.scale, error=math.nan, undefined=reason)
            metrics[name] = self.estimate(number, "")
        return metrics

    def estimate(self, found: CorrectedMean, method: str) -> Estimate:
        """As it is shown; what is of the scale ends where the scale does."""
        low, high = (float(np.clip(end, *self.ends)) for end in found.interval(self.level))
        value = float(np.clip(found.value, *self.ends)) if method else found.value
        known, why = not math.isnan(found.value), found.undefined
        return Estimate(
            value=value * self.scale,
            low=low * self.scale,
            high=high * self.scale,
            n=found.n_labels,
            units=len(self.judge),
            missing=int(np.isnan(self.judge).sum()),
            level=self.level,
            method=f"{method}; {why}" if known and why else method if known else "",
            undefined=None if known else why,
        )


# two models --------------------------------------------------------------------------------------


def corrected_pair(
    pair: PairedModels,
    people: PairedModels,
    drawn: tuple[Probabilities, Probabilities],
    *,
    alpha: float,
) -> tuple[PairedModels, PairedTests]:
    """Two models as people would compare them, by a judge's verdicts on all and people's on some.

    Paired where people labelled both on the same items: PPI++ of the differences. Else by both
    corrected means, which share the items that the judge saw (two samples of labels); so too where
    labels were drawn apart and unevenly, since then nothing is known of how likely both were.

    Parameters
    ----------
    pair, people
        The judge's verdicts on both, and people's.
    drawn
        Of the candidate and of the baseline; a mean of its own (one half) needs none.
    alpha
        As for `judgebench.metrics.paired.compare`.

    Returns
    -------
    pair, tests
        The pair under the name of the metric and ``/corrected``. What the judge did not say is no
        case of its own: the estimate holds whatever it misses. Not comparable, and why, where
        nobody knows how labels were drawn or too few are there.
    """
    place = {item: people.mean[at] for at, item in enumerate(people.items)}
    nobody = np.full(2, np.nan)
    chance = np.array(
        [[(one or {}).get(item, math.nan) for one in drawn] for item in pair.items]
    ).reshape(-1, 2)
    theirs = np.array([place.get(item, nobody) for item in pair.items]).reshape(-1, 2)
    theirs = np.where(np.isnan(chance), np.nan, theirs)
    labelled = ~np.isnan(theirs)
    seed = content_seed(pair.judge, pair.metric)
    mean = partial(corrected_mean, unit=pair.unit_of, seed=seed)
    sides = [mean(pair.mean[:, m], theirs[:, m], chance[:, m]) for m in range(2)]
    both = labelled.all(axis=1)
    even = len(np.unique(chance[both].prod(axis=1))) < 2
    if (even or (both == labelled.any(axis=1)).all()) and both.sum() >= 0.9 * labelled.sum(
        axis=0
    ).max():
        said, labels = (values[:, 0] - values[:, 1] for values in (pair.mean, theirs))
        found = mean(said, labels, chance.min(axis=1))
    else:
        found = two_samples(*sides)
    reasons = {
        NOT_RANDOM: None in drawn,
        BALANCED: bool((pair.stratum != 0).any()),
        OTHER_SCALE: pair.width != people.width,
    }
    why = next((reason for reason, so in reasons.items() if so), found.undefined)
    named = replace(pair, metric=f"{pair.metric}/{CORRECTED}", why_not=pair.why_not or why)
    test = _test(found, alpha)
    if why is not None:
        test = untested(math.nan, units=0, alpha=alpha, method=why)
    candidate, baseline = (math.nan if why else side.value for side in sides)
    return named, PairedTests(
        observed=test, worst=None, best=None, bounded=True, candidate=candidate, baseline=baseline
    )


def _test(found: CorrectedMean, alpha: float) -> PairedTest:
    from scipy.special import stdtr

    def bounds(level: float) -> tuple[float, float]:
        half = quantile(1.0 - level, found.dof) * found.error
        return found.value - half, found.value + half

    worse = float(stdtr(found.dof, found.value / found.error))
    return PairedTest(
        difference=found.value,
        alpha=alpha,
        bounds=bounds,
        passing=lambda level: bounds(level)[0],
        p_worse=worse,
        p_better=1.0 - worse,
        spread=found.error * math.sqrt(found.n_labels),
        units=found.n_labels,
        binary=False,
        method=f"PPI++, lambda {found.power:.2f}, {found.n_labels} labels, Student's t",
        unit="label",
    )
