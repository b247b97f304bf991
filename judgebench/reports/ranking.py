"""Rankings of models from pairs, one for each judge: strengths, ranks, and who is above whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from judgebench.errors import UsageError
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.pairs import Pairs, comparisons, judged_pairs
from judgebench.reports.answer_flags import NO_MARKS
from judgebench.reports.board import Row
from judgebench.reports.board_data import BoardData
from judgebench.reports.board_warnings import flags_of, warnings_of
from judgebench.reports.boards import benchmark_ref, find_judges, find_model, judge_line
from judgebench.reports.ranking_control import Control, Covariates, covariates, said_of_control
from judgebench.reports.ranking_tables import Ranking
from judgebench.reports.ranking_values import (
    EXPECTED,
    STRENGTH,
    RankAmong,
    coefficients,
    estimate,
    expected_win_rate,
    few_wins,
    finite,
    groups_of,
    order_of,
    pair_rows,
    places_of,
    worst_cases,
)
from judgebench.stats.comparisons import Comparisons
from judgebench.stats.ranking import Ranking as Fit
from judgebench.stats.ranking import Ties, rank_models
from judgebench.stats.resample import content_seed, multinomial_weights
from judgebench.store import Store

MOST_DRAWS = 2**26
"""Weights of prompts that are drawn at most; with more prompts there are fewer replicates."""


def rankings(
    store: Store,
    benchmark: str,
    *,
    judges: Collection[str] = (),
    ties: Ties = "half",
    control: Control | None = None,
    reference: str | None = None,
    intervals: Intervals | None = None,
) -> tuple[Ranking, ...]:
    """Bradley-Terry rankings of a benchmark's models, one for each judge that compares.

    Repeats, orders and samples of one prompt are averaged first; intervals resample prompts, with
    the same draws for all judges.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``.
    judges
        Names or ids; all if empty.
    ties
        ``half``: half a win of each. ``davidson``: an outcome of its own, and every prompt is
        won, lost or tied.
    control
        ``length``: strengths of answers of equal length, by the relative difference of lengths in
        characters. ``style``: of equal length, headers, lists and bold text, as
        `judgebench.metrics.style` has them. Comparisons of which an answer is not in the store are
        left out.
    reference
        The model of strength 0, by name or id; if not given, of those that can be ranked the one
        that others were most often compared with.

    Raises
    ------
    UsageError
        For a benchmark, judge or reference that the store does not hold, and for a control
        without answers or with Davidson's ties.
    """
    if control is not None and ties != "half":
        raise UsageError(f"{control} is controlled for with ties as half wins; leave out davidson")
    which = benchmark_ref(store, benchmark)
    data = BoardData(store, which, ())
    found = judged_pairs(data.verdicts)
    judge_ids = {shown: one for one, shown in data.judges.items()}
    compared = {judge_ids[judge]: judge for judge in found}
    wanted = {
        judge for name in judges for judge in find_judges(name, compared, store, which)
    } or set(found)
    called = _model_called(reference, data, found) if reference is not None else None
    ranker = _Ranker(
        data,
        ties,
        control,
        called,
        intervals or Intervals(),
    )
    return tuple(ranker.ranking(judge, judge_ids[judge], found[judge]) for judge in sorted(wanted))


def _model_called(name: str, data: BoardData, found: Mapping[str, Pairs]) -> str:
    shown = sorted({model for pairs in found.values() for model in pairs.models})
    return find_model(name, shown, data.model_ids, data.store, data.which)


class _Ranker:
    def __init__(
        self,
        data: BoardData,
        ties: Ties,
        control: Control | None,
        reference: str | None,
        intervals: Intervals,
    ) -> None:
        self.data, self.ties, self.control = data, ties, control
        self.reference, self.intervals = reference, intervals

    def ranking(self, judge: str, judge_id: str, pairs: Pairs) -> Ranking:
        data, level = self.data, self.intervals.level
        looks = covariates(data, judge, pairs, self.control)
        c = comparisons(pairs, ties=self.ties, rows=looks.kept)
        reference = self._reference(pairs, c)
        n_prompts = len(pairs.prompts)
        n_replicates = min(self.intervals.n_replicates, max(100, MOST_DRAWS // max(n_prompts, 1)))
        seed = content_seed(*pairs.prompts, seed=self.intervals.seed)
        fit = rank_models(
            c, draws=multinomial_weights(n_prompts, n_replicates, seed=seed), ties=self.ties,
            covariates=looks.values, reference=reference, level=level,
        )  # fmt: skip
        plain = self.control is None
        bounds = worst_cases(pairs, c, fit, self.ties, reference) if plain else None
        places = places_of(fit)
        order = sorted(range(len(pairs.models)), key=lambda m: order_of(fit, places, m))
        rows = tuple(self._row(judge, pairs, c, fit, places[m], bounds, m) for m in order)
        spec = data.spec_of[judge_id]
        name = None if reference is None else pairs.models[reference]
        return Ranking(
            benchmark=data.which.name,
            version=data.which.version,
            judge=judge,
            judge_id=judge_id,
            judge_is=judge_line(spec, data.left_out(judge_id)),
            served_models=data.served([judge_id]),
            official_prompt=spec.official_prompt,
            reference=name,
            reference_id=None if name is None else data.model_ids[name],
            ties=self.ties,
            tie_strength=finite(fit.tie_strength) if self.ties == "davidson" else None,
            control=self.control,
            coefficients=coefficients(fit, c, looks),
            prompts=len(np.unique(c.prompt)),
            replicates=fit.n_replicates,
            level=level,
            rows=rows,
            pairs=tuple(pair_rows(pairs, c, fit, order, version=data.which.version)),
            groups=groups_of(pairs, fit, order),
            warnings=(
                *self._unusual(pairs, reference, looks),
                *few_wins(pairs, c, fit, order),
                *warnings_of(data, judge, [judge_id], rows),
            ),
        )

    def _reference(self, pairs: Pairs, c: Comparisons) -> int | None:
        if self.reference is not None:
            there = self.reference in pairs.models
            return pairs.models.index(self.reference) if there else None
        ranked = np.flatnonzero(rank_models(c, ties=self.ties).group == 0)
        if not len(ranked):
            return None
        return int(ranked[pairs.as_opponent[ranked].argmax()])

    def _row(
        self,
        judge: str,
        pairs: Pairs,
        c: Comparisons,
        fit: Fit,
        place: RankAmong,
        bounds: Floats | None,
        m: int,
    ) -> Row:
        model = pairs.models[m]
        model_id = self.data.model_ids[model]
        marks = self.data.marks.get((judge, model), NO_MARKS)
        its = (c.first == m) | (c.second == m)
        counts = {
            "items": len(pairs.prompts),
            "prompts": len(np.unique(c.prompt[its])),
            "comparisons": int(its.sum()),
            **{reason: int(gone[m].sum()) for reason, gone in pairs.missing.items()},
            **self.data.answers(model_id),
            **marks.counts,
        }
        worst = None if bounds is None else bounds[:, m]
        strength = estimate(
            fit.strength[m], fit.low[m], fit.high[m], fit,
            undefined=fit.reason[m],
            n=counts["comparisons"],
            units=counts["prompts"],
            missing=int(pairs.all_missing[m].sum()),
            worst=worst,
        )  # fmt: skip
        return Row(
            model=model,
            model_id=model_id,
            version=self.data.which.version,
            rank=place.rank,
            rank_low=place.low,
            rank_high=place.high,
            metrics={STRENGTH: strength, EXPECTED: expected_win_rate(strength, fit)},
            counts=counts,
            flags=flags_of(self.data, model, strength, counts, marks),
        )

    def _unusual(self, pairs: Pairs, reference: int | None, looks: Covariates) -> list[str]:
        said = [
            f"{model} is suspicious ({self.data.suspicious[model]}), and its rank counts here, "
            "since strengths are of one fit; `judgebench leaderboard` leaves it out of the ranking"
            for model in pairs.models
            if model in self.data.suspicious
        ]
        if self.reference is not None and reference is None:
            said.append(
                f"this judge never compared {self.reference}; strengths are over the mean of the "
                "ranked models"
            )
        if pairs.drawn:
            said.append(
                "prompts were judged on pairs of their own; where two models did not meet, nothing "
                "is counted as missing"
            )
        return said + said_of_control(looks, self.control)
