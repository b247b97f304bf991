"""How far judges that score follow people or each other: on one question, and over the systems.

At *sample level*, the correlation among the answers to one question, averaged over questions; at
*system level*, that of the models' mean scores. Correlations do not ask for one scale: a judge on
1 to 10 may follow people on 1 to 5. In `judgebench.stats.rank_correlation` are the definitions and
their source.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
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
from judgebench.metrics.judged_values import (
    NOT_HAD,
    UNREADABLE,
    JudgedValues,
    Said,
    in_words,
    read_scores,
)
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


class ScoreAgreement(AgreementBoard):
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
    values
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
        values: JudgedValues,
        block: int | None = None,
        intervals: Intervals | None = None,
        *,
        only: Collection[str] = (SAMPLE, SYSTEM, BLOCK),
    ) -> None:
        super().__init__(values, intervals)
        self.block, self.only = block, only
        self.compared: dict[str, _Compared] = {}
        self.coded: dict[str, Ints] = {}
        self.unit = values.unit_of[values.item_of]

    @cached_property
    def order(self) -> Ints:
        """Answers in order of their items' ids, where it matters which follow each other."""
        items = self.values.items
        if self.block is None and len(self.values.units) == len(items):
            return np.arange(len(self.values.item_of))
        place = {item: at for at, item in enumerate(in_natural_order(items))}
        of_items = np.array([place[item] for item in items], dtype=np.int64)
        return np.argsort(of_items[self.values.item_of], kind="stable")

    def rows(self, judge: str, truth: Said) -> list[AgreementRow]:
        found = _Compared(self, judge, truth.values, self.block)
        self.compared[judge] = found
        self.counts = {**self.counts, judge: found.counts()}
        return [found.row(truth.name)]

    def pooled(self, first: str, second: str) -> AgreementRow | None:
        truth = self.values.of(second).values
        if np.isnan(self.values.of(first).values + truth).all():
            return None
        return _Compared(self, first, truth, None, as_upstream=False).row(second)

    def differences(
        self, truth: Said, judges: Sequence[str], versus: str | None
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
                partial(two, self, truth.values),
                [headline],
                self.wanted,
            )
        )

    def near_constant(self, judge: str, truth: Said, checks: JudgeChecks) -> list[NearConstant]:
        mine, words = coded(self.values.of(judge).values)
        if truth.name not in self.coded:
            self.coded[truth.name], _ = coded(truth.values)
        theirs, models = self.coded[truth.name], self.values.models
        return flagged(
            judge, truth.name, mine, theirs, self.values.model_of, models, words,
            checks.near_constant, one_scale=False,
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
    board = ScoreAgreement(read_scores(columns, unparsed), block, intervals)
    return board.against(reference, checks)


def _common(values: JudgedValues, truth: Floats, judges: Sequence[str]) -> tuple[list[Floats], int]:
    """The scores of both judges where both and the reference have some, and how many are lacking.

    Missing are answers of models that either judge was asked about.
    """
    said = [values.of(judge) for judge in judges]
    both = ~np.isnan(said[0].values + said[1].values + truth)
    expected = ~np.isnan(truth) & np.any([values.met(one.asked) for one in said], axis=0)
    return [np.where(both, one.values, np.nan) for one in said], int((expected & ~both).sum())


def _questions(board: ScoreAgreement, truth: Floats, *judges: str) -> Two:
    """Spearman's correlation of each question on which both judges tell answers apart."""
    scores, missing = _common(board.values, truth, judges)
    first, second = (
        sample_contributions(one, truth, board.unit, (SPEARMAN,))[:, 0] for one in scores
    )
    used = (first[:, 1:] > 0) & (second[:, 1:] > 0)
    return Two(
        first=first * used, second=second * used, n=int((~np.isnan(scores[0])).sum()),
        missing=missing,
    )  # fmt: skip


def _systems(board: ScoreAgreement, truth: Floats, *judges: str) -> Two:
    """Sums for the models' mean scores, of those that have any."""
    values = board.values
    scores, missing = _common(values, truth, judges)
    there = ~np.isnan(scores[0])
    systems = np.unique(values.model_of[there])
    first, second = (
        system_contributions(
            one, truth, values.model_of,
            n_systems=len(values.models), unit_of=board.unit, n_units=len(values.units),
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
        values, self.board, self.judge, self.block = board.values, board, judge, block
        said = values.of(judge)
        several = len(said.scales) > 1
        self.refused = f"scores on several scales ({in_words(said.scales)})" if several else None
        counted = ~np.isnan(truth) & values.met(said.asked)
        at = board.order[counted[board.order]]
        self.n_units, self.unit = len(values.units), board.unit[at]
        systems, self.system = compact(values.model_of[at], len(values.models))
        self.n_systems = len(systems)
        self.people, self.codes = truth[at], said.codes[at]
        self.scores = {"": said.values[at]}
        if as_upstream and said.upstream is not None:
            self.scores[UPSTREAM] = said.upstream[at]
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
        failed, unread = self.codes == NOT_HAD, self.codes == UNREADABLE
        lacking = int(np.isnan(self.scores[""]).sum())
        found = {"answers": len(self.people), "unreadable": int(unread.sum())}
        found |= {"failed": int(failed.sum())}
        found |= {"not_asked": lacking - found["unreadable"] - found["failed"]}
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
