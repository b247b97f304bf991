"""How far judges that score follow people or each other: on one question, and over the systems.

At *sample level*, the correlation among the answers to one question, averaged over questions; at
*system level*, that of the models' mean scores. Correlations do not ask for one scale: a judge on
1 to 10 may follow people on 1 to 5. In `judgebench.stats.rank_correlation` are the definitions and
their source.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import compact
from judgebench.metrics.agreement import AgreementBoard, AgreementTable
from judgebench.metrics.board_kinds import Kind
from judgebench.metrics.comparison import AgreementRow
from judgebench.metrics.intervals import Floats, Intervals, as_estimate
from judgebench.metrics.judge_differences import (
    Headline,
    JudgeChecks,
    JudgeDifference,
    NearConstant,
    Two,
    coded,
    flagged,
    judge_differences,
    pairs_compared,
)
from judgebench.metrics.judged_values import ScoreBoard
from judgebench.metrics.label_board import without
from judgebench.metrics.verdict_table import Columns, Ints
from judgebench.plain_text import in_natural_order
from judgebench.records import HUMAN, Estimate
from judgebench.stats.rank_correlation import (
    CORRELATIONS,
    NO_INTERVAL_OF_ITEMS,
    consecutive_blocks,
    sample_contributions,
    system_contributions,
    system_correlations,
    why_undefined,
)
from judgebench.stats.resample import quotient

SAMPLE, SYSTEM, BLOCK = "sample_", "", "block_"
"""What the names of the correlations begin with at each level; those of models have bare names."""

SPEARMAN = "spearman"
"""The correlation by which judges are put in order and compared."""

AT = CORRELATIONS.index(SPEARMAN)

UPSTREAM = "_upstream"
"""What they end in where an unreadable score counts as upstream counts it."""

ONE_ANSWER = "each question has one answer"
NO_DIFFERENCE = "on no question do both tell answers apart"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReference:
    """The scores others are compared with: one judge's, or the mean of several raters, in the shape
    (items, models)."""

    name: str
    raters: tuple[str, ...]
    scores: Floats


class ScoreAgreement(AgreementBoard[ScoreReference]):
    """Scores, whose correlations say how far one follows the other.

    Repeats and samples of one item are averaged first. Answers that the reference has not scored do
    not count, nor do models that a judge was never asked about; those that only the judge has not
    scored are missing. Questions on which the judge or the reference gives all answers one score
    have no correlation and are left out of the mean. For each judge there is a row ``pooled`` with
    `CORRELATIONS` at each level.

    ``counts`` are by judge: ``answers`` that the reference scored, of them ``unreadable``,
    ``failed`` and ``not_asked``; ``questions``, those ``with_several`` answers and those
    ``compared``, on which both tell answers apart; ``systems``; and with blocks ``blocks``, those
    ``blocks_compared``, and the answers ``after_blocks``. With `UPSTREAM` at their end, what is
    compared where unreadable scores count.

    Judges are compared by Spearman's correlation among the answers to one question, and among the
    models; of the latter nothing is tested.

    Parameters
    ----------
    scored
        ``human`` is the mean of ``human/*``.
    block
        Upstream takes so many consecutive answers, in order of id, for those to one question; with
        it the correlations within such blocks stand beside those within questions. They have no
        interval: a block is not drawn by chance, and cuts across questions.
    intervals
        Percentile bootstrap over questions unless asked otherwise. Correlations over models have
        none: it was measured not to hold.
    only
        The levels that are wanted.
    """

    kind: ClassVar[Kind] = "score"
    leading: ClassVar[str] = SPEARMAN

    def __init__(
        self,
        scored: ScoreBoard,
        block: int | None = None,
        intervals: Intervals | None = None,
        *,
        only: Collection[str] = (SAMPLE, SYSTEM, BLOCK),
    ) -> None:
        self.scored, self.block, self.wanted = scored, block, intervals or Intervals()
        self.only = only
        self.judges = scored.judges
        self.resamples = self.wanted.resamples(scored.table.units)
        self.compared: dict[str, _Compared] = {}
        self.coded: dict[str, Ints] = {}
        self.counts = {}

    @cached_property
    def items(self) -> Ints:
        """In order of id, where it matters which answers follow each other."""
        table = self.scored.table
        if self.block is None and len(table.units) == len(table.items):
            return np.arange(len(table.items))
        place = {item: at for at, item in enumerate(table.items)}
        return np.array([place[item] for item in in_natural_order(table.items)], dtype=np.int64)

    def reference(self, name: str) -> ScoreReference:
        scores, raters = self.scored.reference(name)
        return ScoreReference(name=name, raters=raters, scores=scores)

    def beside(self, truth: ScoreReference, judge: str) -> ScoreReference:
        if judge not in truth.raters:
            return truth
        others = tuple(rater for rater in truth.raters if rater != judge)
        scores = self.scored.mean_of(others) if others else truth.scores
        return ScoreReference(name=without(truth.name, judge), raters=others, scores=scores)

    def rows(self, judge: str, truth: ScoreReference) -> list[AgreementRow]:
        found = _Compared(self, judge, truth.scores, self.block)
        self.compared[judge] = found
        self.counts = {**self.counts, judge: found.counts()}
        return [found.row(truth.name)]

    def pooled(self, first: str, second: str) -> AgreementRow | None:
        truth = self.scored.means(second)
        if np.isnan(self.scored.means(first) + truth).all():
            return None
        return _Compared(self, first, truth, None, as_upstream=False).row(second)

    def differences(
        self, truth: ScoreReference, judges: Sequence[str], versus: str | None
    ) -> tuple[JudgeDifference, ...]:
        """On the answers that both judges have scored; none of judges with several scales."""
        several = next((one.with_several for one in self.compared.values()), 0)
        one_scale = [one for one in judges if self.compared[one].refused is None]
        question = Headline(
            metric=f"{SAMPLE}{SPEARMAN}", scope="pooled",
            of=lambda sums: quotient(sums[:, 0], sums[:, 1]),
            why=lambda sums: None if sums[1] else NO_DIFFERENCE if several else ONE_ANSWER,
        )  # fmt: skip
        system = Headline(
            metric=f"{SYSTEM}{SPEARMAN}", scope="pooled",
            of=lambda sums: system_correlations(sums)[..., AT],
            why=lambda sums: why_undefined(sums[:, 0] / sums[:, 2], sums[:, 1] / sums[:, 2]),
            untested="none was measured to hold over so few models",
        )  # fmt: skip
        return tuple(
            one
            for two, headline in ((_questions, question), (_systems, system))
            for one in judge_differences(
                pairs_compared(one_scale, versus),
                truth.name,
                partial(two, self.scored, truth.scores),
                [headline],
                self.wanted,
            )
        )

    def near_constant(
        self, judge: str, truth: ScoreReference, checks: JudgeChecks
    ) -> list[NearConstant]:
        models = [(model, None) for model in self.scored.table.models]
        model_of = np.broadcast_to(np.arange(len(models)), truth.scores.shape).ravel()
        mine, words = coded(self.scored.means(judge).ravel())
        if truth.name not in self.coded:
            self.coded[truth.name], _ = coded(truth.scores.ravel())
        theirs = self.coded[truth.name]
        return flagged(
            judge, truth.name, mine, theirs, model_of, models, words, checks.near_constant,
            one_scale=False,
        )  # fmt: skip


def score_agreement(
    columns: Columns,
    *,
    reference: str = HUMAN,
    block: int | None = None,
    unparsed: float | None = None,
    intervals: Intervals | None = None,
    checks: JudgeChecks | None = None,
) -> AgreementTable:
    """Every judge that scores, against a reference; see `ScoreAgreement`.

    Parameters
    ----------
    columns
        As for `judgebench.metrics.scores.scores`; items with one ``unit`` are one question.
    unparsed
        What upstream takes an unreadable score for; with it every correlation is also given so.
    """
    board = ScoreAgreement(ScoreBoard(columns, unparsed), block, intervals)
    return board.against(reference, checks)


def _common(scored: ScoreBoard, truth: Floats, judges: Sequence[str]) -> tuple[list[Floats], int]:
    """The scores of both judges where both and the reference have some, and how many are lacking.

    Missing are answers of models that either judge was asked about.
    """
    scores = [scored.means(judge) for judge in judges]
    both = ~np.isnan(scores[0] + scores[1] + truth)
    asked = np.any([scored.marked(judge).any(axis=0) for judge in judges], axis=0)
    return [np.where(both, one, np.nan) for one in scores], int(
        (~np.isnan(truth) & asked & ~both).sum()
    )


def _questions(scored: ScoreBoard, truth: Floats, *judges: str) -> Two:
    """Spearman's correlation of each question on which both judges tell answers apart."""
    scores, missing = _common(scored, truth, judges)
    unit = np.broadcast_to(scored.table.unit_of[:, np.newaxis], truth.shape).ravel()
    first, second = (
        sample_contributions(one.ravel(), truth.ravel(), unit, (SPEARMAN,))[:, 0] for one in scores
    )
    used = (first[:, 1:] > 0) & (second[:, 1:] > 0)
    return Two(
        first=first * used, second=second * used, n=int((~np.isnan(scores[0])).sum()),
        missing=missing,
    )  # fmt: skip


def _systems(scored: ScoreBoard, truth: Floats, *judges: str) -> Two:
    """Sums for the models' mean scores, of those that have any."""
    scores, missing = _common(scored, truth, judges)
    there = ~np.isnan(scores[0])
    systems = np.flatnonzero(there.any(axis=0))
    unit, system = (
        np.broadcast_to(codes, truth.shape).ravel()
        for codes in (scored.table.unit_of[:, np.newaxis], np.arange(truth.shape[1]))
    )
    first, second = (
        system_contributions(
            one.ravel(), truth.ravel(), system,
            n_systems=truth.shape[1], unit_of=unit, n_units=len(scored.table.units),
        )[:, systems]
        for one in scores
    )  # fmt: skip
    return Two(first=first, second=second, n=int(there.sum()), missing=missing)


class _Compared:
    """One judge's scores beside a reference's, answer by answer in order of id."""

    def __init__(
        self,
        board: ScoreAgreement,
        judge: str,
        truth: Floats,
        block: int | None,
        *,
        as_upstream: bool = True,
    ) -> None:
        scored, self.board, self.judge, self.block = board.scored, board, judge, block
        scales = scored.several_scales(judge)
        self.refused = f"scores on several scales ({scales})" if scales else None
        counted = ~np.isnan(truth) & scored.marked(judge).any(axis=0)
        place, model = np.nonzero(counted[board.items])
        at = (board.items[place], model)
        self.n_units = len(scored.table.units)
        self.unit = scored.table.unit_of[at[0]]
        systems, self.system = compact(model, truth.shape[1])
        self.n_systems = len(systems)
        self.people = truth[at]
        self.scores = {"": scored.means(judge)[at]}
        if as_upstream and scored.unparsed is not None:
            self.scores[UPSTREAM] = scored.means(judge, as_upstream=True)[at]
        self.at = at
        levels = {SAMPLE: self._sample, SYSTEM: self._system}
        levels |= {} if block is None else {BLOCK: partial(self._blocks, size=block)}
        self.compared: dict[str, int] = {}
        self.metrics = {
            f"{level}{name}{kind}": estimate
            for kind, scores in self.scores.items()
            for level, estimates in levels.items()
            if level in board.only
            for name, estimate in zip(CORRELATIONS, estimates(scores, kind), strict=True)
        }

    def row(self, reference: str) -> AgreementRow:
        return AgreementRow(
            judge=self.judge, reference=reference, scope="pooled", model=None, metrics=self.metrics
        )

    @cached_property
    def with_several(self) -> int:
        """Questions with several answers."""
        return int((np.bincount(self.unit, minlength=self.n_units) > 1).sum())

    def counts(self) -> dict[str, int]:
        """As in `ScoreTable`."""
        lacking, marked = np.isnan(self.scores[""]), self.board.scored.marked
        failed = lacking & marked(self.judge, self.board.scored.failed)[self.at]
        unread = lacking & ~failed & marked(self.judge, self.board.scored.unread)[self.at]
        found = {"answers": len(self.people), "unreadable": int(unread.sum())}
        found |= {
            "failed": int(failed.sum()),
            "not_asked": int((lacking & ~failed & ~unread).sum()),
        }
        found["questions"] = self._units(np.ones(len(self.unit), dtype=np.bool_))
        found["with_several"] = self.with_several
        found["systems"] = self.n_systems
        if self.block is not None:
            blocks = consecutive_blocks(len(self.people), self.block)
            found["blocks"] = int(blocks.max(initial=-1)) + 1
            found["after_blocks"] = int((blocks < 0).sum())
        return found | self.compared

    def _units(self, answers: NDArray[np.bool_]) -> int:
        """How many questions some answers are to."""
        return int((np.bincount(self.unit[answers], minlength=self.n_units) > 0).sum())

    def _sample(self, scores: Floats, kind: str) -> list[Estimate]:
        found = sample_contributions(scores, self.people, self.unit)
        contributions = np.zeros((self.n_units, *found.shape[1:]))
        contributions[: len(found)] = found
        (sums,) = self.board.resamples.sums([contributions])
        values = quotient(sums[..., 0], sums[..., 1])
        used = contributions[:, 0, 1] > 0
        several, self.compared[f"compared{kind}"] = self.with_several, int(used.sum())
        return self._estimates(
            scores,
            values,
            counted=used[self.unit],
            over=f"over {used.sum()} of {several} questions with several answers",
            undefined=NO_DIFFERENCE if several else ONE_ANSWER,
        )

    def _system(self, scores: Floats, kind: str) -> list[Estimate]:
        total = system_contributions(
            scores, self.people, self.system,
            n_systems=self.n_systems, unit_of=self.unit, n_units=self.n_units,
        ).sum(axis=0)  # fmt: skip
        means = quotient(total[:, :2].T, total[:, 2])
        return self._estimates(
            scores,
            system_correlations(total[np.newaxis]),
            counted=np.ones(len(scores), dtype=np.bool_),
            over=f"{NO_INTERVAL_OF_ITEMS}; over {self.n_systems} models",
            undefined=why_undefined(*means),
        )

    def _blocks(self, scores: Floats, kind: str, size: int) -> list[Estimate]:
        blocks = consecutive_blocks(len(scores), size)
        contributions = sample_contributions(scores, self.people, blocks)
        sums = contributions.sum(axis=0, keepdims=True)
        used = np.append(contributions[:, 0, 1] > 0, False)
        self.compared[f"blocks_compared{kind}"] = int(used.sum())
        return self._estimates(
            scores,
            quotient(sums[..., 0], sums[..., 1]),
            counted=used[blocks],
            over=f"over {used.sum()} of {len(contributions)} blocks of {size} answers by id; no "
            "interval, blocks are not drawn",
            undefined=f"in no block of {size} do both tell answers apart",
        )

    def _estimates(
        self,
        scores: Floats,
        values: Floats,
        *,
        counted: NDArray[np.bool_],
        over: str,
        undefined: str | None,
    ) -> list[Estimate]:
        """The three correlations; ``values`` are (1 + replicates or nothing, correlations)."""
        there, wanted = ~np.isnan(scores), self.board.wanted
        units = self._units(there & counted)
        ends = wanted.ends(values, None) if len(values) > 1 else None
        found = []
        for n in range(len(CORRELATIONS)):
            value = float(values[0, n]) if self.refused is None else math.nan
            interval = math.nan, math.nan, over
            if ends is not None:
                alone = math.nan, math.nan, "no interval, one question"
                low, high, drawn = ends.at(n) if units > 1 else alone
                interval = low, high, f"{drawn}; {over}"
            found.append(
                as_estimate(
                    value,
                    interval,
                    n=int((there & counted).sum()),
                    units=units,
                    missing=int((~there).sum()),
                    level=wanted.level,
                    why=self.refused or undefined,
                )
            )
        return found
