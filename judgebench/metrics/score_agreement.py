"""How far judges that score follow people or each other: on one question, and over the systems.

At *sample level*, the correlation among the answers to one question, averaged over questions; at
*system level*, that of the models' mean scores. Correlations do not ask for one scale: a judge on
1 to 10 may follow people on 1 to 5. In `judgebench.stats.rank_correlation` are the definitions and
their source.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import ClassVar

import numpy as np

from judgebench.columns import grouped
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
from judgebench.metrics.judged_values import Bools, ScoreBoard
from judgebench.metrics.label_board import without
from judgebench.metrics.verdict_table import Columns, Ints
from judgebench.plain_text import in_natural_order
from judgebench.records import HUMAN, Estimate
from judgebench.stats.rank_correlation import (
    CORRELATIONS,
    NO_INTERVAL_OF_ITEMS,
    Ordered,
    Questions,
    consecutive_blocks,
    sample_contributions,
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

SAME = 2e-9
"""Scores no further apart may be equal to nine digits, to which they are compared."""

ONE_ANSWER = "each question has one answer"
NO_DIFFERENCE = "on no question do both tell answers apart"


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreReference:
    """The scores others are compared with: one judge's, or the mean of several raters, in the shape
    (items, models); ``unit_of`` says which question each item is."""

    name: str
    raters: tuple[str, ...]
    scores: Floats
    unit_of: Ints
    _of: dict[str, list[Ordered]] = field(default_factory=dict)

    @cached_property
    def known(self) -> Bools:
        return ~np.isnan(self.scores)

    @cached_property
    def _answers(self) -> tuple[Ints, Questions]:
        """The answers that it has scored, and by their questions."""
        at = np.flatnonzero(self.known)
        return at, Questions(self.unit_of[at // self.scores.shape[1]])

    @property
    def questions(self) -> Questions:
        return self._answers[1]

    def ordered(self, scores: Floats) -> list[Ordered]:
        """Scores of these answers, put in order within each question."""
        return self.questions.ordered(scores.ravel()[self._answers[0]])

    def of(self, judge: str, scores: Floats) -> list[Ordered]:
        """The same of a judge, made once; of the reference itself under no name."""
        if judge not in self._of:
            self._of[judge] = self.ordered(scores)
        return self._of[judge]


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
        self.compared: dict[str, _Compared] = {}
        self.coded: dict[str, Ints] = {}
        self.counts = {}

    @cached_property
    def items(self) -> Ints:
        """In order of id, where it matters which answers follow each other."""
        table = self.scored.table
        place = {item: at for at, item in enumerate(table.items)}
        return np.array([place[item] for item in in_natural_order(table.items)], dtype=np.int64)

    def reference(self, name: str) -> ScoreReference:
        scores, raters = self.scored.reference(name)
        return self._truth(name, raters, scores)

    def _truth(self, name: str, raters: tuple[str, ...], scores: Floats) -> ScoreReference:
        unit_of = self.scored.table.unit_of
        return ScoreReference(name=name, raters=raters, scores=scores, unit_of=unit_of)

    def beside(self, truth: ScoreReference, judge: str) -> ScoreReference:
        if judge not in truth.raters:
            return truth
        others = tuple(rater for rater in truth.raters if rater != judge)
        scores = self.scored.mean_of(others) if others else truth.scores
        return self._truth(without(truth.name, judge), others, scores)

    def rows(self, theirs: Mapping[str, ScoreReference]) -> dict[str, list[AgreementRow]]:
        self.compared = {
            judge: _Compared(self, judge, truth, self.block) for judge, truth in theirs.items()
        }
        rows = self._rows([*self.compared.values()])
        self.counts = {judge: one.counts() for judge, one in self.compared.items()}
        return {judge: [row] for judge, row in zip(theirs, rows, strict=True)}

    def pooled(self, pairs: Iterable[tuple[str, str]]) -> list[AgreementRow]:
        found: dict[tuple[str, str], _Compared] = {}
        asked = list(pairs)
        for second, its in grouped((second, first) for first, second in asked).items():
            truth = self._truth(second, (second,), self.scored.means(second))
            for first in its:
                if (truth.known & ~np.isnan(self.scored.means(first))).any():
                    found[first, second] = _Compared(self, first, truth, None, as_upstream=False)
        return self._rows([found[two] for two in asked if two in found])

    def _rows(self, compared: Sequence[_Compared]) -> list[AgreementRow]:
        """Of all of them with the same draws, which are made once."""
        added = [its for one in compared for its in one.by_question.values()]
        units = self.scored.table.units
        sums = iter(self.wanted.resamples(units).sums(added) if added else ())
        return [one.row({kind: next(sums) for kind in one.by_question}) for one in compared]

    def differences(
        self, truth: ScoreReference, judges: Sequence[str], versus: str | None
    ) -> tuple[JudgeDifference, ...]:
        """On the answers that both judges have scored; none of judges with several scales."""
        several = next((one.several for one in self.compared.values()), 0)
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
                partial(two, self.scored, truth),
                [headline],
                self.wanted,
            )
        )

    def near_constant(
        self, judge: str, truth: ScoreReference, checks: JudgeChecks
    ) -> list[NearConstant]:
        if not may_be_constant(self.scored.means(judge), truth.known, checks.near_constant.share):
            return []
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


def may_be_constant(scores: Floats, known: Bools, share: float) -> bool:
    """Whether so large a share of what a judge says of some model, or of all, can be one score.

    Where it is, many scores of a column follow on their equals, since each other score keeps two
    at most from that: this is quicker to see than which score it is.

    Parameters
    ----------
    scores : float array, shape (items, models)
    known : bool array, shape (items, models)
        Which of them count.
    """
    said = np.where(known, scores, np.nan)
    n = (~np.isnan(said)).sum(axis=0)
    alike = (np.abs(np.diff(said, axis=0)) <= SAME).sum(axis=0)
    least = 2.0 * share * n - len(said) - 2.0
    return bool(((alike >= least) & (n > 0)).any() or alike.sum() >= least.sum())


def _common(scored: ScoreBoard, truth: ScoreReference, judges: Sequence[str]) -> tuple[Bools, int]:
    """Which answers both judges and the reference have scored, and how many are lacking.

    Missing are answers of models that either judge was asked about.
    """
    both = truth.known & ~np.isnan(np.add(*map(scored.means, judges)))
    asked = np.any([scored.marked(judge).any(axis=0) for judge in judges], axis=0)
    return both, int(truth.known[:, asked].sum() - both.sum())


def _questions(scored: ScoreBoard, truth: ScoreReference, *judges: str) -> Two:
    """Spearman's correlation of each question on which both judges tell answers apart."""
    both, missing = _common(scored, truth, judges)
    ordered = [truth.of(judge, scored.means(judge)) for judge in judges]
    people = truth.of("", truth.scores)
    first, second = truth.questions.contributions(ordered, people, (SPEARMAN,))[:, :, 0]
    used = (first[:, 1:] > 0) & (second[:, 1:] > 0)
    return Two(first=first * used, second=second * used, n=int(both.sum()), missing=missing)


def _systems(scored: ScoreBoard, truth: ScoreReference, *judges: str) -> Two:
    """Sums for the models' mean scores, of those that have any."""
    both, missing = _common(scored, truth, judges)
    systems = both.any(axis=0)
    first, second = (
        _by_system(scored.means(judge), truth.scores, both)[np.newaxis, systems] for judge in judges
    )
    units = len(np.unique(scored.table.unit_of[both.any(axis=1)]))
    return Two(first=first, second=second, n=int(both.sum()), missing=missing, units=units)


def _by_system(judge: Floats, people: Floats, both: Bools) -> Floats:
    """Sums of the scores of each model that count, and how many they are, (models, 3)."""
    scores = (np.where(both, one, 0.0).sum(axis=0) for one in (judge, people))
    return np.stack([*scores, both.sum(axis=0)], axis=-1)


class _Compared:
    """One judge's scores beside a reference's."""

    def __init__(
        self,
        board: ScoreAgreement,
        judge: str,
        truth: ScoreReference,
        block: int | None,
        *,
        as_upstream: bool = True,
    ) -> None:
        scored, self.board, self.judge, self.block = board.scored, board, judge, block
        self.reference, self.people = truth.name, truth.scores
        scales = scored.several_scales(judge)
        self.refused = f"scores on several scales ({scales})" if scales else None
        self.counted = truth.known & scored.marked(judge).any(axis=0)
        self.answers = self._by_unit(self.counted)
        self.scores = {"": scored.means(judge)}
        if as_upstream and scored.unparsed is not None:
            self.scores[UPSTREAM] = scored.means(judge, as_upstream=True)
        self.compared: dict[str, int] = {}
        self.by_question: dict[str, Floats] = {}
        for kind, scores in self.scores.items() if SAMPLE in board.only else ():
            its = truth.ordered(scores) if kind else truth.of(judge, scores)
            (found,) = truth.questions.contributions([its], truth.of("", truth.scores))
            self.by_question[kind] = np.zeros((len(self.answers), *found.shape[1:]))
            self.by_question[kind][: len(found)] = found

    def row(self, sums: Mapping[str, Floats]) -> AgreementRow:
        """``sums`` are those of ``by_question``, and of its replicates."""
        levels = {SAMPLE: self._sample, SYSTEM: self._system}
        levels |= {} if self.block is None else {BLOCK: self._blocks}
        metrics = {
            f"{level}{name}{kind}": estimate
            for kind in self.scores
            for level, estimates in levels.items()
            if level in self.board.only
            for name, estimate in zip(CORRELATIONS, estimates(kind, sums), strict=True)
        }
        return AgreementRow(
            judge=self.judge, reference=self.reference, scope="pooled", model=None, metrics=metrics
        )

    def _by_unit(self, answers: Bools) -> Ints:
        """How many answers there are to each question."""
        table = self.board.scored.table
        return np.bincount(table.unit_of, answers.sum(axis=1), len(table.units)).astype(np.int64)

    @property
    def several(self) -> int:
        """Questions with several answers."""
        return int((self.answers > 1).sum())

    def counts(self) -> dict[str, int]:
        """As in `ScoreTable`."""
        scored = self.board.scored
        lacking = self.counted & np.isnan(self.scores[""])
        failed = lacking & scored.marked(self.judge, scored.failed)
        unread = lacking & ~failed & scored.marked(self.judge, scored.unread)
        found = {"answers": int(self.answers.sum()), "unreadable": int(unread.sum())}
        found["failed"] = int(failed.sum())
        found["not_asked"] = int(lacking.sum()) - found["failed"] - found["unreadable"]
        found["questions"] = int((self.answers > 0).sum())
        found["with_several"] = self.several
        found["systems"] = int(self.counted.any(axis=0).sum())
        if self.block is not None:
            found["blocks"], found["after_blocks"] = divmod(found["answers"], self.block)
        return found | self.compared

    def _sample(self, kind: str, sums: Mapping[str, Floats]) -> list[Estimate]:
        used = self.by_question[kind][:, 0, 1] > 0
        self.compared[f"compared{kind}"] = int(used.sum())
        there = self._by_unit(self.counted & ~np.isnan(self.scores[kind]))
        return self._estimates(
            kind,
            quotient(sums[kind][..., 0], sums[kind][..., 1]),
            n=int(there[used].sum()),
            units=int(used.sum()),
            over=f"over {used.sum()} of {self.several} questions with several answers",
            undefined=NO_DIFFERENCE if self.several else ONE_ANSWER,
        )

    def _system(self, kind: str, sums: Mapping[str, Floats]) -> list[Estimate]:
        scores, systems = self.scores[kind], self.counted.any(axis=0)
        both = self.counted & ~np.isnan(scores)
        total = _by_system(scores, self.people, both)[systems]
        return self._estimates(
            kind,
            system_correlations(total[np.newaxis]),
            n=int(both.sum()),
            units=int((self._by_unit(both) > 0).sum()),
            over=f"{NO_INTERVAL_OF_ITEMS}; over {systems.sum()} models",
            undefined=why_undefined(*quotient(total[:, :2].T, total[:, 2])),
        )

    def _blocks(self, kind: str, sums: Mapping[str, Floats]) -> list[Estimate]:
        size, table = self.block or 1, self.board.scored.table
        place, model = np.nonzero(self.counted[self.board.items])
        item = self.board.items[place]
        scores = self.scores[kind][item, model]
        blocks = consecutive_blocks(len(scores), size)
        contributions = sample_contributions(scores, self.people[item, model], blocks)
        total = contributions.sum(axis=0, keepdims=True)
        used = np.append(contributions[:, 0, 1] > 0, False)
        self.compared[f"blocks_compared{kind}"] = int(used.sum())
        there = ~np.isnan(scores) & used[blocks]
        return self._estimates(
            kind,
            quotient(total[..., 0], total[..., 1]),
            n=int(there.sum()),
            units=len(np.unique(table.unit_of[item[there]])),
            over=f"over {used.sum()} of {len(contributions)} blocks of {size} answers by id; no "
            "interval, blocks are not drawn",
            undefined=f"in no block of {size} do both tell answers apart",
        )

    def _estimates(
        self, kind: str, values: Floats, *, n: int, units: int, over: str, undefined: str | None
    ) -> list[Estimate]:
        """The three correlations; ``values`` are (1 + replicates or nothing, correlations)."""
        wanted = self.board.wanted
        ends = wanted.ends(values, None) if len(values) > 1 else None
        found = []
        for at in range(len(CORRELATIONS)):
            value = float(values[0, at]) if self.refused is None else math.nan
            interval = math.nan, math.nan, over
            if ends is not None:
                alone = math.nan, math.nan, "no interval, one question"
                low, high, drawn = ends.at(at) if units > 1 else alone
                interval = low, high, f"{drawn}; {over}"
            found.append(
                as_estimate(
                    value,
                    interval,
                    n=n,
                    units=units,
                    missing=int((self.counted & np.isnan(self.scores[kind])).sum()),
                    level=wanted.level,
                    why=self.refused or undefined,
                )
            )
        return found
