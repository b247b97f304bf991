"""What judges say of answers: one row for each judge, one column for each answer.

A verdict is a label, an outcome of a comparison (lost, tied or won) or a score; repeats are one
verdict. So two judges, or a judge and people, are held against each other in one way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from operator import eq
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgebench.columns import Column, counted, marked, numbers, paired, same, select_rows, taken
from judgebench.columns import coded as as_codes
from judgebench.errors import UsageError
from judgebench.metrics.board_kinds import NO_ROWS, BoardKind, Kind, by_board
from judgebench.metrics.intervals import Floats
from judgebench.metrics.measures import item_means, sums_of
from judgebench.metrics.scores import NO_ENDS, Scale, scales_of
from judgebench.metrics.verdict_table import (
    FAILED,
    Columns,
    Ints,
    VerdictTable,
    coded,
    raters_called,
    read_table,
    units_of,
    verdict_values,
)
from judgebench.records import BINARY
from judgebench.stats.pair_outcomes import LOSS, NO_OUTCOME, TIE, WIN, OutcomeRule, pair_outcomes
from judgebench.stats.resample import quotient

Bools: TypeAlias = NDArray[np.bool_]
Codes: TypeAlias = NDArray[np.signedinteger[Any]]
Answered: TypeAlias = tuple[str, str | None]
"""A model, and whom its answer was compared with."""

NO_VERDICT, UNREADABLE, NOT_HAD = -1, -2, -3
"""Codes of what was not asked, could not be read, and was asked for and could not be had."""

OUTCOMES = ("loss", "tie", "win")
"""The labels, in the order of their codes: of the model against the opponent."""

MODEL_FIRST, OPPONENT_FIRST = 0, 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Values:
    """What is said of all answers, by one judge or, with an axis before the others, by several.

    codes : int array, shape (..., answers)
        The place of a label or outcome, of scores 0; below 0 where nothing is said.
    scores : float array, shape (..., answers), or None
        nan where nothing could be read.
    upstream : float array, shape (..., answers), or None
        Scores with what could not be read at the value that upstream takes it for.
    p : float array, shape (..., answers), or None
        Of comparisons the mean probability that the model's answer is better; nan where there is no
        outcome.
    by_order : int array, shape (..., answers, 2), or None
        Of comparisons the outcome in each of the two orders by itself.
    """

    codes: Codes
    scores: Floats | None = None
    upstream: Floats | None = None
    p: Any = None
    by_order: Any = None

    @property
    def asked(self) -> Bools:
        """Shape (..., answers)."""
        return np.asarray(self.codes != NO_VERDICT)

    @cached_property
    def values(self) -> Floats:
        """Codes as numbers, or scores; nan where nothing could be read, shape (..., answers)."""
        return np.where(self.codes >= 0, self.codes, np.nan) if self.scores is None else self.scores

    def taken(self, take: Callable[[Any], Any]) -> dict[str, Any]:
        """Its arrays with some of each taken, by name."""
        of = {one.name: getattr(self, one.name) for one in fields(Values)}
        return {name: None if its is None else take(its) for name, its in of.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Said(Values):
    """What one judge, or several as one, say of all answers.

    name
        What it is called as a reference.
    raters
        Whose it is.
    scales
        Those of the scores.
    """

    name: str
    raters: tuple[str, ...]
    scales: tuple[Scale, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What judges were asked about. Names are sorted, so that equal verdicts give equal arrays in
    whatever order they were stored.

    models : tuple of (model, opponent)
    units, unit_of
        What is drawn in a bootstrap, and which of it each item is, as in `VerdictTable`.
    item_of, model_of : int array, shape (answers,)
        Places in ``items`` and ``models``.
    """

    items: tuple[str, ...]
    models: tuple[Answered, ...]
    judges: tuple[str, ...]
    units: tuple[str, ...]
    unit_of: Ints
    item_of: Ints
    model_of: Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgedValues(Answers, Values):
    """Who said what of the answers of one benchmark, in one sort of verdict.

    An *answer* is one sample of one model to one item, in comparisons two models' answers to it,
    whoever of the two is called the opponent; of scores it is all that a model said of an item.

    labels
        What the codes stand for, the best one last; none for scores.
    judges, everybody
        Those with verdicts of this kind, and all that the columns name.
    scales
        By judge, those of its scores.
    counts
        Of comparisons, by judge: pairs won, tied and lost, without an outcome though the judge was
        asked, conflicting and half, as `PairOutcomes.counts` has them.
    """

    kind: Kind
    labels: tuple[str, ...]
    everybody: tuple[str, ...]
    scales: Mapping[str, tuple[Scale, ...]] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What models are called, with their opponents where there are several."""
        several = len({opponent for _, opponent in self.models}) > 1
        return tuple(f"{one} against {other}" if several else one for one, other in self.models)

    def some(self, judges: Sequence[int] | Ints, answers: Any = slice(None)) -> JudgedValues:
        """What some judges, by their places, say of all or some of the answers."""
        return replace(
            self, judges=tuple(self.judges[judge] for judge in judges),
            item_of=self.item_of[answers], model_of=self.model_of[answers],
            **self.taken(lambda of: of[judges][:, answers]),
        )  # fmt: skip

    def without_itself(self) -> JudgedValues:
        """Without what a model is against itself, which is a tie by construction."""
        kept = np.flatnonzero(~self.itself)
        return self.some(np.flatnonzero(self.asked[:, kept].any(axis=1)), kept)

    @property
    def itself(self) -> Bools:
        """Which answers are those of a model against itself, shape (answers,)."""
        same = np.array([model == opponent for model, opponent in self.models], dtype=np.bool_)
        return np.asarray(same[self.model_of])

    def on_labels(self, labels: Sequence[str], values: Floats) -> JudgedValues:
        """Scores as codes of labels, given as numbers; nan where nothing could be read."""
        silent = np.where(self.asked, UNREADABLE, NO_VERDICT)
        codes = np.where(np.isnan(values), silent, np.nan_to_num(values))
        kind = np.min_scalar_type(-1 - len(labels))
        return replace(self, labels=tuple(labels), codes=codes.astype(kind), scores=None)

    def of(self, name: str, *, beside: str | None = None) -> Said:
        """One judge; ``human`` is one of that name, or what people say together.

        Together they say what most of them say, of scores their mean. ``beside`` another judge, who
        is one of them, what the others say.

        Raises
        ------
        UsageError
            When there is no such judge, or people score on several scales.
        """
        found = self.said(name, raters_called(name, self.judges))
        if name not in self.judges and len(found.scales) > 1:
            raise UsageError("people score on several scales here, whose mean means nothing")
        return found if beside in (None, name) else self.without(found, str(beside))

    def reference(self, name: str) -> Said:
        """As `of`, to compare others with.

        Raises
        ------
        UsageError
            When there is no such judge, it has judged nothing, or it scores on several scales.
        """
        raters = (one for one in raters_called(name, self.everybody) if one in self.judges)
        found = self.said(name, tuple(raters))
        if not (found.codes >= 0).any():
            if self.kind == "score":
                raise UsageError(
                    f"{name!r} has scored nothing here, so nothing can be compared with it"
                )
            raise UsageError(
                f"{name!r} has labelled nothing here, so nothing can be compared with it"
            )
        if len(found.scales) > 1:
            raise UsageError(
                f"{name!r} scores on several scales ({in_words(found.scales)}), whose mean means "
                "nothing; name one rater as the reference"
            )
        return found

    def without(self, truth: Said, judge: str) -> Said:
        """A reference beside a judge: of raters one of whom it is, what the others say.

        Nobody is compared with verdicts that are their own; of one rater alone nothing is left.
        """
        if judge not in truth.raters:
            return truth
        others = tuple(rater for rater in truth.raters if rater != judge)
        found = self.said(f"{truth.name} without {judge}", others)
        return replace(found, scales=truth.scales)

    def said(self, name: str, raters: tuple[str, ...]) -> Said:
        """What raters say, as one of several; ``name`` is that of one alone, or another."""
        rows = [self.judges.index(rater) for rater in raters]
        if raters == (name,):
            its = self.taken(lambda of: of[rows[0]])
        else:
            its = dict(zip(("codes", "scores"), self.together(rows), strict=True))
        scales = sorted({scale for rater in raters for scale in self.scales.get(rater, ())})
        return Said(name=name, raters=raters, scales=tuple(scales), **its)

    def together(self, judges: Sequence[int]) -> tuple[Codes, Floats | None]:
        """What several judges, by their places, say as one: codes and scores, shape (answers,)."""
        if self.scores is None:
            return majority(self.codes[judges], n_labels=len(self.labels)), None
        said = self.scores[judges]
        there = ~np.isnan(said)
        mean = quotient(np.where(there, said, 0.0).sum(axis=0), there.sum(axis=0))
        return np.where(np.isnan(mean), NO_VERDICT, 0).astype(np.int8), mean

    def met(self, asked: Bools) -> Bools:
        """What a judge could be asked about, and which is missing where it says nothing.

        Of scores the answers of models that it was asked about at all, of comparisons those with an
        opponent that it was; of labels all.
        """
        if self.kind == "label":
            return np.ones(len(self.item_of), dtype=np.bool_)
        of_model = [str(two[self.kind == "preference"]) for two in self.models]
        code_of = np.unique(of_model, return_inverse=True)[1].astype(np.int64)
        there = np.zeros(len(of_model), dtype=np.bool_)
        there[code_of[self.model_of[asked]]] = True
        return np.asarray(there[code_of[self.model_of]])


def in_words(scales: Sequence[Scale]) -> str:
    """The ends of each scale."""
    return ", ".join(f"{low:g} to {high:g}" for low, high in scales)


def width_of(scales: Sequence[Scale]) -> float:
    """How far a scale reaches; nan where there is none, several, or one without ends."""
    if len(scales) != 1:
        return math.nan
    low, high = scales[0]
    return high - low if math.isfinite(high - low) and high > low else math.nan


# labels -----------------------------------------------------------------------------------------


def read_labels(columns: Columns, *, labels: Sequence[str] = BINARY) -> JudgedValues:
    """Code a benchmark's labels.

    Parameters
    ----------
    columns
        ``item_id``, ``model``, ``judge``, ``sample``, ``kind``, ``label``, of equal length, and
        where they are known those of `by_board` and `read_table`. What is on another board than
        that of labels is passed over; `FAILED` rows say that there is such an answer. Of a judge
        that was asked several times, the label it gave most often counts.
    labels
        The declared labels. One that is not among them is unreadable; `undeclared` names them.

    Raises
    ------
    InputError
        For two verdicts at one place.
    """
    rows = by_board(columns).get(BoardKind("label"), NO_ROWS)
    table = read_table(columns, rows)
    code_of = {name: code for code, name in enumerate(labels)}
    said = numbers(
        paired(taken(columns["kind"], rows), taken(columns["label"], rows)),
        lambda one: NO_VERDICT if one[0] == FAILED else code_of.get(one[1], UNREADABLE),
    ).astype(np.int8)
    cell = table.judge_of.astype(np.int64) * len(table.cell_of) + table.answer_of
    shape = len(table.judges), len(table.cell_of)
    found = JudgedValues(
        kind="label",
        labels=tuple(labels),
        everybody=table.judges,
        **_alone(table, table.cell_of),
        judges=table.judges,
        codes=_settled(said, cell, math.prod(shape), n_labels=len(labels)).reshape(shape),
    )
    return found.some(np.flatnonzero(found.asked.any(axis=1)))


def _alone(table: VerdictTable, cell_of: Ints) -> dict[str, Any]:
    """The fields of `Answers` but for the judges, of answers that stand alone, by their cells."""
    n = max(1, len(table.models))
    return {
        "items": table.items,
        "models": tuple((model, None) for model in table.models),
        "units": table.units,
        "unit_of": table.unit_of,
        "item_of": cell_of // n,
        "model_of": cell_of % n,
    }


def _settled(said: Codes, cell: Ints, n_cells: int, *, n_labels: int) -> Codes:
    """One code a cell: the label that most repeats gave; where they tie, as if unreadable."""
    codes = np.full(n_cells, NO_VERDICT, dtype=np.int8)
    codes[cell[said == UNREADABLE]] = UNREADABLE
    read = said >= 0
    votes = np.zeros((max(1, n_labels), n_cells), dtype=np.int64)
    np.add.at(votes, (said[read], cell[read]), 1)
    clear = most_frequent(votes)
    codes[votes.any(axis=0)] = UNREADABLE
    return np.where(clear >= 0, clear, codes).astype(np.int8)


def majority(votes: Codes, *, n_labels: int) -> Codes:
    """The label most raters gave; no verdict where labels tie or nobody labelled.

    Parameters
    ----------
    votes : int array, shape (raters, answers)

    Returns
    -------
    int array, shape (answers,)
    """
    counts = np.stack([(votes == code).sum(axis=0) for code in range(n_labels)])
    return most_frequent(counts).astype(votes.dtype)


def most_frequent(counts: Ints) -> Ints:
    """The code that was given most often; no verdict where several were, or none was given.

    Parameters
    ----------
    counts : int array, shape (labels, answers)

    Returns
    -------
    int array, shape (answers,)
    """
    top = counts.max(axis=0)
    clear = (top > 0) & ((counts == top).sum(axis=0) == 1)
    return np.where(clear, counts.argmax(axis=0), NO_VERDICT)


# scores -----------------------------------------------------------------------------------------


def read_scores(columns: Columns, unparsed: float | None = None) -> JudgedValues:
    """Scores of answers, means over repeats and samples.

    Parameters
    ----------
    columns
        As for `judgebench.metrics.scores.scores`; what is on another board is passed over.
    unparsed
        What upstream takes an unreadable score for.
    """
    rows = by_board(columns).get(BoardKind("score"), NO_ROWS)
    every = len(rows) == len(columns["kind"])  # to take all of millions takes a second
    table = read_table(columns, None if every else rows, kind="score")
    its, values, by_judge = table.columns, table.values, dict(table.by_judge())
    failed = marked(its["kind"], partial(eq, FAILED))
    codes = np.full((len(by_judge), math.prod(table.shape)), NO_VERDICT, dtype=np.int8)
    scores, upstream = np.full(codes.shape, np.nan), None
    if unparsed is not None:
        upstream = scores.copy()
        filled = np.where(marked(its["kind"], partial(eq, "unreadable")), unparsed, values)
    for j, own in enumerate(by_judge.values()):
        codes[j, table.cells(own)] = UNREADABLE
        codes[j, table.cells(own[failed[own]])] = NOT_HAD
        scores[j] = item_means(table, own, values, ends=NO_ENDS).mean.ravel()
        if upstream is not None:
            upstream[j] = item_means(table, own, filled, ends=NO_ENDS).mean.ravel()
    codes[~np.isnan(scores)] = 0
    met = np.flatnonzero((codes != NO_VERDICT).any(axis=0))
    at: Any = met if len(met) < codes.shape[1] else slice(None)
    return JudgedValues(
        kind="score",
        labels=(),
        everybody=table.judges,
        **_alone(table, met),
        judges=tuple(by_judge),
        codes=codes[:, at],
        scores=scores[:, at],
        scales={judge: tuple(scales_of(its, own)) for judge, own in by_judge.items()},
        upstream=None if upstream is None else upstream[:, at],
    )


# outcomes of comparisons ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, eq=False)
class PairedVerdicts(Answers):
    """Who compared which two answers how: one row for each time that it was asked.

    A *pair*, which is an answer here, is two answers to one item (of a conversation, one turn of
    it). A against B and B against A are one pair; its model is whoever is called so in more of the
    rows about these two models, of equally many the first by name.

    sample_of : tuple of (sample, turn), shape (pairs,)
    judge_of, pair_of, order_of, repeat_of : int array, shape (rows,)
        ``order_of`` is `MODEL_FIRST` or `OPPONENT_FIRST`. Where a row does not say what was shown
        first, it is taken to be whom that row calls the model.
    p : float array, shape (rows,)
        Probability that the model's answer is better; nan where nothing could be read or had.
    """

    sample_of: tuple[tuple[int, int], ...]
    judge_of: Ints
    pair_of: Ints
    order_of: Ints
    repeat_of: Ints
    p: Floats


def paired_verdicts(columns: Columns) -> PairedVerdicts:
    """Code a benchmark's comparisons; what is said of single answers is passed over.

    Parameters
    ----------
    columns
        ``item_id``, ``model``, ``opponent``, ``judge``, ``sample``, ``kind``, ``value``
        (probability that ``model`` beats ``opponent``), of equal length, and where they are known
        ``turn``, ``order``, ``repeat`` and ``unit``. `FAILED` rows say that there is such a pair.
        Every judge of the columns is among the judges all the same.
    """
    kinds = ("preference", "unreadable", FAILED)
    said = paired(columns["kind"], columns["opponent"])
    rows = np.flatnonzero(marked(said, lambda one: one[0] in kinds and one[1] is not None))

    its = select_rows(columns, rows)

    def known(name: str, default: object) -> Column:
        return its.get(name, same(default, len(rows)))

    two = paired(*(as_codes(known(who, None)).mapped(str) for who in ("model", "opponent")))
    times = counted(two)
    turned = {
        (one, other)
        for (one, other), n in times.items()
        if (n, other) < (times.get((other, one), 0), one) and one != other
    }
    flipped = marked(two, turned.__contains__)
    items, item_of = coded(known("item_id", None))
    units, unit_of = units_of(items, its)
    models, models_of = coded(two.mapped(lambda pair: pair[::-1] if pair in turned else pair))
    answers, sample_of = coded(paired(known("sample", 0), known("turn", 0)))
    keys = (item_of.astype(np.int64) * max(1, len(models)) + models_of) * max(
        1, len(answers)
    ) + sample_of
    _, first, pair_of = np.unique(keys, return_index=True, return_inverse=True)
    everybody = tuple(
        sorted(str(judge) for judge in counted(columns["judge"]) if judge is not None)
    )
    _, judge_of = coded(as_codes(known("judge", None)).mapped(str), among=everybody)
    opponent_first = marked(known("order", "single"), partial(eq, "opponent_first"))
    values = verdict_values(its, "preference")
    return PairedVerdicts(
        items=items,
        judges=everybody,
        models=models,
        units=units,
        unit_of=unit_of,
        item_of=item_of[first],
        model_of=models_of[first],
        sample_of=tuple(answers[code] for code in sample_of[first]),
        judge_of=judge_of,
        pair_of=pair_of,
        order_of=(opponent_first != flipped).astype(np.int64),
        repeat_of=numbers(known("repeat", 0), int, int),
        p=np.where(flipped, 1.0 - values, values),
    )


def read_outcomes(columns: Columns, rule: OutcomeRule | None = None) -> JudgedValues:
    """The outcome of every pair before every judge that compared it.

    Repeats are averaged first, in each order; then the rule says what comes of the two orders. A
    pair that was asked for in one order alone has the outcome of that one.

    Parameters
    ----------
    columns
        As for `paired_verdicts`.
    rule
    """
    rule = rule or OutcomeRule()
    said = paired_verdicts(columns)
    shape = len(said.judges), len(said.item_of)
    alone, asked_in = _by_order(said, math.prod(shape))
    # An order that nobody asked for is no order that could not be read.
    p = np.where(asked_in, alone, alone[:, ::-1])
    found = pair_outcomes(p, rule)
    codes = _asked(found.codes, np.asarray(asked_in.any(axis=1))).reshape(shape)
    by_judge = {
        "n_wins": codes == WIN,
        "n_ties": codes == TIE,
        "n_losses": codes == LOSS,
        "n_missing": codes == UNREADABLE,
        "n_conflicting": found.conflicting.reshape(shape),
        "n_half": found.half.reshape(shape),
    }
    sums = {name: one.sum(axis=1).tolist() for name, one in by_judge.items()}
    one, other = (np.where(np.isnan(p[:, at]), p[:, 1 - at], p[:, at]) for at in (0, 1))
    asked = np.flatnonzero((codes != NO_VERDICT).any(axis=1))
    return JudgedValues(
        kind="preference",
        labels=OUTCOMES,
        everybody=said.judges,
        **{one.name: getattr(said, one.name) for one in fields(Answers)},
        codes=codes,
        p=np.where(codes >= 0, ((one + other) / 2.0).reshape(shape), np.nan),
        by_order=_asked(pair_outcomes(alone.ravel(), rule).codes, asked_in.ravel()).reshape(
            *shape, 2
        ),
        counts={said.judges[j]: {name: n[j] for name, n in sums.items()} for j in asked},
    ).some(asked)


def _by_order(said: PairedVerdicts, n_cells: int) -> tuple[Floats, Bools]:
    """Mean probability in each order, and where it was asked for: both (judges * pairs, 2)."""
    cell = (said.judge_of * len(said.item_of) + said.pair_of) * 2 + said.order_of
    asked = np.bincount(cell, minlength=2 * n_cells).reshape(n_cells, 2) > 0
    mean = quotient(*sums_of(said.p, cell, 2 * n_cells))
    return mean.reshape(n_cells, 2), np.asarray(asked)


def _asked(outcomes: Ints, asked: Bools) -> Codes:
    """Outcomes as codes, with what could not be read where it was asked for."""
    codes = np.where(outcomes == NO_OUTCOME, UNREADABLE, outcomes)
    return np.where(asked, codes, NO_VERDICT).astype(np.int8)


def read_values(
    columns: Columns,
    kind: Kind,
    labels: Sequence[str] = BINARY,
    *,
    rule: OutcomeRule | None = None,
    unparsed: float | None = None,
) -> JudgedValues:
    """What was said in one sort of verdict; parameters as of the readers of each."""
    if kind == "label":
        return read_labels(columns, labels=labels)
    return read_scores(columns, unparsed) if kind == "score" else read_outcomes(columns, rule)
