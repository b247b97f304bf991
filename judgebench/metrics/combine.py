"""Verdicts of several judges combined into those of a panel, by a named rule.

What comes out are columns like those that went in. They are shown beside the judges' own, under the
name of the rule, and never stored as verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import eq

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import (
    Coded,
    Column,
    compact,
    counted,
    join_codes,
    marked,
    merge_equal,
    numbers,
    paired,
    same,
    select_rows,
    taken,
)
from judgebench.config import Panel
from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.intervals import Floats
from judgebench.metrics.judged_values import OUTCOMES, most_frequent
from judgebench.metrics.scores import DIMENSION
from judgebench.metrics.verdict_table import FAILED, Columns, Ints, read_table
from judgebench.metrics.win_rate import TIED, outcome
from judgebench.plain_text import few
from judgebench.stats.dawid_skene import DawidSkene, Model, dawid_skene
from judgebench.stats.resample import quotient

WEIGHED: Mapping[str, Model] = {"dawid_skene": "full", "one_coin": "one-coin"}
"""Rules that weigh judges by how often they are right, as they agree with each other."""

_RULES = {
    "label": ("majority", *WEIGHED),
    "score": ("mean",),
    "preference": ("majority", "mean", *WEIGHED),
}

_OF_ONE = ("item_id", "model", "sample", "turn", "opponent", "low", "high", "failure_kind")
"""What a panel's verdict has of one of its judges'."""

_READ, _FAILED, _UNREADABLE = range(3)
"""What came of a question; of several that are one, the first of these counts, and of these the
first judge's."""


def panel_verdicts(columns: Columns, panel: Panel) -> dict[str, Column]:
    """The verdicts that `combine` makes of a panel's."""
    return combine(columns, panel)[0]


def combine(columns: Columns, panel: Panel) -> tuple[dict[str, Column], list[str]]:
    """The verdicts of a panel, as a judge called ``panel.name``.

    Each judge has one verdict on an answer. Its repeats are combined in each order, then the
    orders; what cannot be read counts only where nothing can. Of labels the one given most often
    counts, and none where several are; of scores and of comparisons the mean.

    ``majority``
        Of labels the most frequent; where several are, there is no verdict (`tie`). Of comparisons
        whatever most judges say, won, lost or tied; where several are most frequent, tied.
    ``dawid_skene``, ``one_coin``
        Of labels and of outcomes the one that is likeliest to be true, by Dawid and Skene's model
        with a confusion matrix for each judge, or with one share of right verdicts
        (`judgebench.stats.dawid_skene`). Where several are likeliest, as by majority.
    ``mean``
        Of scores the mean, and the mean of each dimension that all of them have; of comparisons the
        mean probability.

    An answer with fewer readable verdicts than the panel needs has failed where one of the judges
    has, is not there yet where one has not been asked, and is unreadable otherwise.

    Parameters
    ----------
    columns
        Those of one board: ``kind``, ``label``, ``value``, ``low``, ``high``, ``failure_kind``,
        ``judge_kind``, those whose names begin with `DIMENSION`, and those of `read_table`.
    panel
        ``min_valid`` readable verdicts are needed; more than half of the judges if unset.

    Returns
    -------
    columns, notes
        The verdicts, and how the judges were weighed, in words; nothing where they count alike.

    Raises
    ------
    UsageError
        For a judge that has no verdict here, and for verdicts that the rule cannot combine.
    InputError
        For two verdicts at one place.
    """
    way_of = {str(judge): way for judge, way in counted(columns["judge"], columns["judge_kind"])}
    for judge in panel.judges:
        if judge not in way_of:
            raise UsageError(f"{panel.name}: {unknown_name('judge', judge, sorted(way_of))}")
    rows_of = [
        np.flatnonzero(marked(columns["judge"], partial(eq, judge))) for judge in panel.judges
    ]
    n_judges = len(rows_of)
    its = select_rows(columns, np.concatenate(rows_of))
    kind = _kind(its, panel)
    labels = sorted(label for what, label in counted(its["kind"], its["label"]) if what == "label")
    said, answer_of = _by_judge(its, labels)

    answer = answer_of[said.row]
    n_given = np.bincount(answer)
    n_read = np.bincount(answer[said.state == _READ], minlength=len(n_given))
    needed = panel.min_valid or n_judges // 2 + 1
    few = (said.state == _READ) & (n_read < needed)[answer]
    said = replace(said, state=np.where(few, _UNREADABLE, said.state))
    by_outcome = kind == "preference" and panel.rule != "mean"
    if by_outcome:
        won = np.where(said.state == _READ, outcome(said.values["value"]), TIED)
        said = replace(said, vote=(won / TIED).astype(np.int8))
    found = said.combined(answer)
    notes = []
    if panel.rule in WEIGHED:
        n_labels = len(OUTCOMES) if by_outcome else len(labels)
        found, fit = _weighed(said, answer, found, its["judge"], panel, n_labels)
        notes = _weights(panel, fit)
    state, vote, values, answer = found.state, found.vote, found.values, answer_of[found.row]
    tied = (state == _UNREADABLE) & (n_read >= needed)[answer]
    if by_outcome:
        state = np.where(tied, _READ, state)
        values = {"value": np.where(tied, TIED, vote * TIED)}
    why = ["tie", *(f"{n} of {n_judges} judges readable, {needed} needed" for n in range(needed))]
    label = np.where((state == _READ) & (vote >= 0), np.minimum(vote, len(labels)), len(labels))
    reason = np.where(state == _UNREADABLE, np.where(tied, 0, 1 + n_read[answer]), len(why))
    of_panel = {
        **{name: taken(its[name], found.row) for name in _OF_ONE},
        **{name: np.where(state == _READ, one, np.nan) for name, one in values.items()},
        "kind": Coded(state, [kind, FAILED, "unreadable"]),
        "label": Coded(label, [*labels, None]),
        "reason": Coded(reason, [*why, None]),
        "judge": same(panel.name, len(state)),
        "judge_kind": same(way_of[panel.judges[0]], len(state)),
        "order": same("single", len(state)),
        "repeat": same(0, len(state)),
    }
    there = np.flatnonzero((state != _UNREADABLE) | tied | (n_given == n_judges)[answer])
    return select_rows(of_panel, there), notes


def _weighed(
    said: _Said, answer: Ints, found: _Said, judges: Column, panel: Panel, n_labels: int
) -> tuple[_Said, DawidSkene]:
    """What is likeliest of each answer of which enough could be read, and by which weights."""
    place = {judge: at for at, judge in enumerate(panel.judges)}
    judge = numbers(judges, lambda one: place[one], int)[said.row]
    read = np.flatnonzero(said.state == _READ)
    codes = np.full((len(place), len(found.row)), -1, np.int16)
    codes[judge[read], np.unique(answer, return_inverse=True)[1][read]] = said.vote[read]
    try:
        fit = dawid_skene(codes, n_labels=n_labels, model=WEIGHED[panel.rule])
    except ValueError as error:
        raise UsageError(f"{panel.name}: {error}") from None
    likely = fit.posterior
    clear = (likely == likely.max(axis=1, keepdims=True)).sum(axis=1) == 1  # not of nan
    vote = np.where(clear, np.nan_to_num(likely).argmax(axis=1), found.vote)
    return replace(found, vote=vote, state=np.where(clear, _READ, found.state)), fit


def _weights(panel: Panel, fit: DawidSkene) -> list[str]:
    """How a panel weighs its judges, and who of them share errors."""
    right = zip(panel.judges, fit.accuracy.tolist(), strict=True)
    said = ", ".join(f"{judge} {share:.1%}" for judge, share in right)
    notes = [
        f"by their agreement alone, without a truth, judges are right in: {said}; "
        f"log-likelihood {fit.log_likelihood:,.1f}, the best of {len(fit.tops)} starts"
        + ("" if fit.converged else ", not converged")
    ]
    if fit.shared:
        of_two = [
            f"{panel.judges[a]} and {panel.judges[b]} ({fit.residual[a, b]:.2f})"
            for a, b in fit.shared
        ]
        notes.append(
            f"warning: judges share errors (residual correlation): {few(of_two)}; labels look "
            "surer, and these judges better, than they are"
        )
    return notes


def _by_judge(columns: Columns, labels: Sequence[str]) -> tuple[_Said, Ints]:
    """What each judge says of each answer, and the number of each row's answer."""
    table = read_table(columns)
    said = _Said.of(columns, labels)
    everybody, n = np.arange(len(table.judge_of)), max(1, len(table.judges))
    for answers in (table.askings(everybody), table.answer_of):
        group = join_codes(answers, table.judge_of, n_finer=n)
        said = said.combined(group[said.row])
    return said, table.answer_of


def _kind(columns: Columns, panel: Panel) -> str | None:
    """What the judges of a panel say, where they say anything, which its rule can combine."""
    kinds = sorted({*counted(columns["kind"])} - {FAILED, "unreadable"})
    if len(kinds) > 1:
        raise UsageError(f"{panel.name}: its judges give verdicts of several kinds: {kinds}")
    for kind in kinds:
        if panel.rule not in _RULES[kind]:
            other = _RULES[kind][0]
            raise UsageError(f"{panel.name}: {kind}s have no {panel.rule}; take 'rule: {other}'")
    return kinds[0] if kinds else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What was said, each of shape (verdicts,).

    row
        Of the columns, that of a verdict that stands for all that were combined.
    state
        `_READ`, `_FAILED` or `_UNREADABLE`.
    vote
        What majorities are counted of; -1 where several were most frequent.
    values
        What means are taken of, by column.
    """

    row: Ints
    state: NDArray[np.integer]
    scale: Coded
    vote: NDArray[np.integer]
    values: Mapping[str, Floats]

    @classmethod
    def of(cls, columns: Columns, labels: Sequence[str]) -> _Said:
        states = {FAILED: _FAILED, "unreadable": _UNREADABLE}
        codes = {label: code for code, label in enumerate(labels)}
        scales = merge_equal(paired(columns["low"], columns["high"]))
        return cls(
            row=np.arange(len(columns["kind"])),
            state=numbers(columns["kind"], lambda kind: states.get(kind, _READ)).astype(np.int8),
            scale=scales,
            vote=numbers(columns["label"], lambda label: codes.get(label, 0)).astype(np.int32),
            values={
                name: np.asarray(column, dtype=np.float64)
                for name, column in columns.items()
                if name == "value" or name.startswith(DIMENSION)
            },
        )

    def combined(self, group: Ints) -> _Said:
        """One verdict for each group, by its number: what could be read of it together.

        Of labels that tie there is none.

        Raises
        ------
        UsageError
            For scores of one group on several scales.
        """
        group = compact(group, int(group.max()) + 1)[1]
        sizes = np.bincount(group)
        if len(sizes) == len(group):
            return self
        first = np.lexsort((self.row, self.state, group))[np.cumsum(sizes) - sizes]
        read = np.flatnonzero(self.state == _READ)
        of, n = group[read], len(sizes)
        scale, scales = self.scale.codes[read], self.scale.values
        apart = of[scale != self.scale.codes[first][of]]
        if len(apart):
            several = {str(scales[code]) for code in scale[of == apart[0]].tolist()}
            raise UsageError(f"scores on several scales have no mean: {sorted(several)}")
        vote = self.vote[read].astype(np.int64)
        n_votes = int(vote.max(initial=0)) + 1
        votes = np.bincount(vote * n + of, minlength=n_votes * n)
        most = most_frequent(votes.reshape(n_votes, n))
        tied = (self.state[first] == _READ) & (most < 0)
        n_read = np.bincount(of, minlength=n).astype(np.float64)
        return _Said(
            row=self.row[first],
            state=np.where(tied, _UNREADABLE, self.state[first]),
            scale=Coded(self.scale.codes[first], scales),
            vote=most,
            values={
                name: quotient(_sums(one[read], of, n), n_read) for name, one in self.values.items()
            },
        )


def _sums(values: Floats, group: Ints, n_groups: int) -> Floats:
    """Of each group the sum, whatever the order of what is added.

    The halves of the numbers have so few digits that their sums are exact.
    """
    upper = (values.view(np.int64) & -(2**27)).view(np.float64)
    sums = (np.bincount(group, half, n_groups) for half in (upper, values - upper))
    return np.asarray(np.add(*sums), dtype=np.float64)
