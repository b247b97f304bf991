"""How far judges that score follow people or each other: on one question, and over the systems.

At *sample level*, the correlation among the answers to one question, averaged over questions; at
*system level*, that of the models' mean scores. Correlations do not ask for one scale: a judge on
1 to 10 may follow people on 1 to 5. In `judgebench.stats.rank_correlation` are the definitions and
their source.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property, partial
from operator import itemgetter
from typing import ClassVar

import numpy as np

from judgebench.metrics.agreement import AgreementBoard
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
    NO_VERDICT,
    NOT_HAD,
    UNREADABLE,
    Bools,
    JudgedValues,
    Said,
    in_words,
)
from judgebench.metrics.verdict_table import Ints
from judgebench.plain_text import in_natural_order
from judgebench.records import Estimate
from judgebench.stats.rank_correlation import (
    CORRELATIONS,
    NO_INTERVAL_OF_ITEMS,
    Ordered,
    Questions,
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

SAME = 2e-9
"""Scores no further apart may be equal to nine digits, to which they are compared."""

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
        self._beside: dict[str, _Beside] = {}
        self._met: dict[str, Bools] = {}

    @cached_property
    def order(self) -> Ints:
        """Answers in order of their items' ids, where it matters which follow each other."""
        items = self.values.items
        place = {item: at for at, item in enumerate(in_natural_order(items))}
        of_items = np.array([place[item] for item in items], dtype=np.int64)
        return np.argsort(of_items[self.values.item_of], kind="stable")

    @cached_property
    def by_model(self) -> Ints:
        return np.argsort(self.values.model_of, kind="stable")

    def met(self, said: Said) -> Bools:
        """As of `JudgedValues.met`, made once."""
        if said.name not in self._met:
            self._met[said.name] = self.values.met(said.asked)
        return self._met[said.name]

    def beside(self, truth: Said) -> _Beside:
        """Of the last reference that was asked for what is made once."""
        if truth.name not in self._beside:
            self._beside = {truth.name: _Beside(truth, self.unit)}
        return self._beside[truth.name]

    def by_system(self, scores: Floats, truth: Said) -> Floats:
        """Sums over all answers as of `system_contributions`, shape (models, 3)."""
        values, together = self.values, np.zeros(len(scores), dtype=np.int64)
        (sums,) = system_contributions(
            scores, truth.values, values.model_of,
            n_systems=len(values.models), unit_of=together, n_units=1,
        )  # fmt: skip
        return np.asarray(sums)

    def rows(self, theirs: Mapping[str, Said]) -> dict[str, list[AgreementRow]]:
        self.compared = {
            judge: _Compared(self, judge, truth, self.block) for judge, truth in theirs.items()
        }
        rows = self._rows([*self.compared.values()])
        self.counts = {judge: one.counts() for judge, one in self.compared.items()}
        return {judge: [row] for judge, row in zip(theirs, rows, strict=True)}

    def pooled(self, pairs: Iterable[tuple[str, str]]) -> list[AgreementRow]:
        asked, found = list(pairs), {}
        for first, second in sorted(asked, key=itemgetter(1)):  # what is made of one is kept
            truth = self.values.of(second)
            if not np.isnan(self.values.of(first).values + truth.values).all():
                found[first, second] = _Compared(self, first, truth, None, as_upstream=False)
        return self._rows([found[two] for two in asked if two in found])

    def _rows(self, compared: Sequence[_Compared]) -> list[AgreementRow]:
        """Of all of them with the same draws, which are made once."""
        added = [its for one in compared for its in one.by_question.values()]
        sums = iter(self.resamples.sums(added) if added else ())
        return [one.row({kind: next(sums) for kind in one.by_question}) for one in compared]

    def differences(
        self, truth: Said, judges: Sequence[str], versus: str | None
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
                partial(two, self, truth),
                [headline],
                self.wanted,
            )
        )

    def near_constant(self, judge: str, truth: Said, checks: JudgeChecks) -> list[NearConstant]:
        said, share = self.values.of(judge).values, checks.near_constant.share
        both = self.by_model[~np.isnan(said + truth.values)[self.by_model]]
        if not may_be_constant(said[both], self.values.model_of[both], share):
            return []
        mine, words = coded(said)
        if truth.name not in self.coded:
            self.coded[truth.name], _ = coded(truth.values)
        theirs, models = self.coded[truth.name], self.values.models
        return flagged(
            judge, truth.name, mine, theirs, self.values.model_of, models, words,
            checks.near_constant, one_scale=False,
        )  # fmt: skip


def may_be_constant(scores: Floats, model_of: Ints, share: float) -> bool:
    """Whether so large a share of what a judge says of some model, or of all, can be one score.

    Where it is, many scores of a model follow on their equals, since each other score keeps two at
    most from that: this is quicker to see than which score it is.

    Parameters
    ----------
    scores : float array, shape (answers,)
    model_of : int array, shape (answers,)
        Rising.
    """
    n = np.bincount(model_of)
    alike = np.bincount(model_of[1:], np.abs(np.diff(scores)) <= SAME, len(n))
    least = (2.0 * share - 1.0) * n - 2.0
    return bool(((alike >= least) & (n > 0)).any() or alike.sum() >= least.sum())


class _Beside:
    """The answers that a reference has scored, by their questions, and scores in order there."""

    def __init__(self, truth: Said, unit: Ints) -> None:
        self._at = np.flatnonzero(~np.isnan(truth.values))
        self.questions = Questions(unit[self._at])
        self.people = self.ordered(truth.values)
        self._judges: dict[str, list[Ordered]] = {}

    def ordered(self, scores: Floats) -> list[Ordered]:
        return self.questions.ordered(scores[self._at])

    def of(self, judge: Said) -> list[Ordered]:
        """Of one judge, made once."""
        if judge.name not in self._judges:
            self._judges[judge.name] = self.ordered(judge.values)
        return self._judges[judge.name]


def _common(board: ScoreAgreement, truth: Said, said: Sequence[Said]) -> tuple[Bools, int]:
    """Which answers both judges and the reference have scored, and how many are lacking.

    Missing are answers of models that either judge was asked about.
    """
    both = ~np.isnan(said[0].values + said[1].values + truth.values)
    expected = ~np.isnan(truth.values) & (board.met(said[0]) | board.met(said[1]))
    return both, int((expected & ~both).sum())


def _questions(board: ScoreAgreement, truth: Said, *judges: str) -> Two:
    """Spearman's correlation of each question on which both judges tell answers apart."""
    said, beside = [board.values.of(judge) for judge in judges], board.beside(truth)
    both, missing = _common(board, truth, said)
    ordered = [beside.of(one) for one in said]
    first, second = beside.questions.contributions(ordered, beside.people, (SPEARMAN,))[:, :, 0]
    used = (first[:, 1:] > 0) & (second[:, 1:] > 0)
    return Two(first=first * used, second=second * used, n=int(both.sum()), missing=missing)


def _systems(board: ScoreAgreement, truth: Said, *judges: str) -> Two:
    """Sums for the models' mean scores, of those that have any."""
    said = [board.values.of(judge) for judge in judges]
    both, missing = _common(board, truth, said)
    first, second = (board.by_system(np.where(both, one.values, np.nan), truth) for one in said)
    systems = first[:, 2] > 0
    return Two(
        first=first[np.newaxis, systems],
        second=second[np.newaxis, systems],
        n=int(both.sum()),
        missing=missing,
        units=int((np.bincount(board.unit[both]) > 0).sum()),
    )


class _Compared:
    """One judge's scores beside a reference's."""

    def __init__(
        self,
        board: ScoreAgreement,
        judge: str,
        truth: Said,
        block: int | None,
        *,
        as_upstream: bool = True,
    ) -> None:
        self.board, self.block, self.said, self.truth = board, block, board.values.of(judge), truth
        scales = in_words(self.said.scales) if len(self.said.scales) > 1 else None
        self.refused = f"scores on several scales ({scales})" if scales else None
        self.counted = ~np.isnan(truth.values) & board.met(self.said)
        self.answers = self._by_unit(self.counted)
        self.scores = {"": self.said.values}
        if as_upstream and self.said.upstream is not None:
            self.scores[UPSTREAM] = self.said.upstream
        self.compared: dict[str, int] = {}
        self.by_question: dict[str, Floats] = {}
        for kind, scores in self.scores.items() if SAMPLE in board.only else ():
            beside = board.beside(truth)
            its = beside.ordered(scores) if kind else beside.of(self.said)
            (found,) = beside.questions.contributions([its], beside.people)
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
            judge=self.said.name, reference=self.truth.name, scope="pooled", model=None,
            metrics=metrics,
        )  # fmt: skip

    def _by_unit(self, answers: Bools) -> Ints:
        """How many answers there are to each question."""
        return np.bincount(self.board.unit[answers], minlength=len(self.board.values.units))

    @property
    def several(self) -> int:
        """Questions with several answers."""
        return int((self.answers > 1).sum())

    @cached_property
    def systems(self) -> Ints:
        return np.flatnonzero(np.bincount(self.board.values.model_of[self.counted]))

    def counts(self) -> dict[str, int]:
        """What there is of each kind, and what is lacking."""
        codes = self.said.codes[self.counted]
        found = {"answers": len(codes), "unreadable": int((codes == UNREADABLE).sum())}
        found["failed"] = int((codes == NOT_HAD).sum())
        found["not_asked"] = int((codes == NO_VERDICT).sum())
        found["questions"] = int((self.answers > 0).sum())
        found["with_several"] = self.several
        found["systems"] = len(self.systems)
        if self.block is not None:
            found["blocks"], found["after_blocks"] = divmod(len(codes), self.block)
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
        both = self.counted & ~np.isnan(self.scores[kind])
        total = self.board.by_system(self.scores[kind], self.truth)[self.systems]
        return self._estimates(
            kind,
            system_correlations(total[np.newaxis]),
            n=int(both.sum()),
            units=int((self._by_unit(both) > 0).sum()),
            over=f"{NO_INTERVAL_OF_ITEMS}; over {len(self.systems)} models",
            undefined=why_undefined(*quotient(total[:, :2].T, total[:, 2])),
        )

    def _blocks(self, kind: str, sums: Mapping[str, Floats]) -> list[Estimate]:
        size, order = self.block or 1, self.board.order
        at = order[self.counted[order]]
        scores, blocks = self.scores[kind][at], consecutive_blocks(len(at), size)
        contributions = sample_contributions(scores, self.truth.values[at], blocks)
        total = contributions.sum(axis=0, keepdims=True)
        used = np.append(contributions[:, 0, 1] > 0, False)
        self.compared[f"blocks_compared{kind}"] = int(used.sum())
        there = ~np.isnan(scores) & used[blocks]
        return self._estimates(
            kind,
            quotient(total[..., 0], total[..., 1]),
            n=int(there.sum()),
            units=len(np.unique(self.board.unit[at[there]])),
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
        missing = int((self.counted & np.isnan(self.scores[kind])).sum())
        found = []
        for at in range(len(CORRELATIONS)):
            value = float(values[0, at]) if self.refused is None else math.nan
            interval = math.nan, math.nan, over
            if ends is not None:
                alone = math.nan, math.nan, "no interval, one question"
                low, high, drawn = ends.at(at) if units > 1 else alone
                interval = low, high, f"{drawn}; {over}"
            why = self.refused or undefined
            found.append(
                as_estimate(
                    value, interval, n=n, units=units, missing=missing, level=wanted.level, why=why
                )
            )
        return found
