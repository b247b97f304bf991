"""Two models of a store side by side: who judged both, on what, and how they differ there.

Gates and comparisons are made of it. A team calls its checkpoint by the same name every night: of
several models of one name the newest is meant, the one that was evaluated last, also where all of
its verdicts are known from an earlier night, and also where nobody has judged it yet. A baseline of
the candidate's name is the newest other. Before all these stands a baseline that was given a name
of its own (`judgebench baseline set`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from judgebench.columns import counted, marked, select_rows
from judgebench.config import Panel
from judgebench.errors import UsageError, nearest, unknown_name
from judgebench.metrics.accuracy import NO_ONE_NUMBER, of_rate
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.measures import TURN, by_turn, group_names
from judgebench.metrics.paired import (
    PairedModels,
    compared_directly,
    head_to_head,
    paired_models,
)
from judgebench.metrics.registry import CONFIDENCE_METRICS, VERDICT_METRICS, sign_of
from judgebench.metrics.scores import DIMENSION, WHY, of_part, with_parts
from judgebench.metrics.verdict_spread import average_nights
from judgebench.metrics.win_rate import LENGTH_CONTROLLED, WEIGHTED
from judgebench.records import JudgeSpec
from judgebench.reports.board_data import (
    BoardData,
    model_called,
    models_named,
    newest_first,
    newest_model,
)
from judgebench.reports.boards import (
    Columns,
    benchmark_ref,
    renamed,
    with_units,
)
from judgebench.reports.gate_policy import TOLERANCE, Answering, OtherStack, other_stack
from judgebench.reports.runs import run_ref
from judgebench.store.store import Store

METRICS = (*VERDICT_METRICS, LENGTH_CONTROLLED, *CONFIDENCE_METRICS, WEIGHTED)
"""By what two models can be compared."""

GroupOf: TypeAlias = Mapping[str, str | Sequence[str]]

BY_TURN = "each turn that both have a verdict on counts once, and those of a question move together"
"""What is compared where boards count each turn of a conversation."""

OF_RUN = "run:"
"""What the name of a baseline begins with that is the model of a run."""


class PairData:
    """A benchmark of the store, with what there is to know of two of its models.

    ``only`` are their ids where these are known beforehand: nothing else is read then. ``panels``
    judge beside the judges.
    """

    def __init__(
        self,
        store: Store,
        benchmark: str,
        only: Collection[str] | None = None,
        panels: Sequence[Panel] = (),
    ) -> None:
        self.which = benchmark_ref(store, benchmark)
        self.board = BoardData(store, self.which, panels, only)
        self._judge_ids = {shown: one for one, shown in self.board.judges.items()}

    @cached_property
    def verdicts(self) -> Mapping[BoardKind, Columns]:
        """The rows of each board; of conversations by turn, where each turn counts once."""
        return {kind: self._lined_up(its) for kind, its in self.board.verdicts.items()}

    def _lined_up(self, verdicts: Columns) -> Columns:
        return by_turn(verdicts, [])[0] if self.which.report.turns else verdicts

    def two(self, candidate: str, baseline: str) -> tuple[str, str]:
        """Candidate and baseline as the boards of a benchmark show them.

        Parameters
        ----------
        candidate, baseline
            By name, by a name as it is shown, or by id. A baseline that was given a name of its own
            may be the candidate itself: nothing has changed then.

        Raises
        ------
        UsageError
            Where one of them is not there, and where both are the same model.
        """
        newest, held = newest_first(self.board), self.baseline_id(baseline)
        chosen = model_called(self.board, newest, candidate)
        if held is not None:
            return chosen, model_called(self.board, newest, held)
        # A baseline of the candidate's name is another model of it, if there is one.
        others = [shown for shown in newest if shown != chosen]
        among = others if models_named(self.board, others, baseline) else newest
        try:
            against = model_called(self.board, among, baseline)
        except UsageError as error:
            near = nearest(baseline, {one.name for one in self.board.store.baselines()})
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise UsageError(
                f"{error}. Nor has a baseline that name{meant}; `judgebench baseline set` would "
                "give it one"
            ) from None
        if against == chosen:
            raise UsageError(
                f"{self.which}: candidate and baseline are one and the same model, {chosen}: "
                "nothing changed, or the store has one version of it only"
            )
        return chosen, against

    def baseline_id(self, baseline: str) -> str | None:
        """The id of the model that is the baseline of that name here; None where none was set.

        ``run:RUN`` is the model that a run judged, ``run:RUN/MODEL`` the one of that name.

        Raises
        ------
        UsageError
            For a run that is not there, or that judged no such model here, or several.
        """
        if baseline.startswith(OF_RUN):
            return self._of_run(*baseline.removeprefix(OF_RUN).partition("/")[::2])
        its = self.board.store.baselines(self.which.name, self.which.version, baseline)
        return its[-1].model_id if its else None

    def _of_run(self, wanted: str, name: str) -> str:
        store = self.board.store
        run = run_ref(store.runs(), wanted, store.name)
        judged = store.run_verdicts(run.id, self.which.name, self.which.version)
        names = {model.id: (model.name, *model.names) for model in store.models()}
        its = {one for one in judged["model_id"] if not name or name in (one, *names.get(one, ()))}
        if len(its) == 1:
            return str(its.pop())
        said = ", ".join(sorted(self.board.models.get(one, one) for one in its)) or "none"
        raise UsageError(
            f"{self.which}: run {run.id} has judged {said}{f' called {name!r}' if name else ''}; "
            f"a baseline is one model: {OF_RUN}{run.id}/MODEL"
        )

    def suspicious(self, two: tuple[str, str]) -> list[str]:
        """That a model's answers may be meant for the judge, so that its verdicts prove little."""
        its = self.board.suspicious
        return [f"{model} is suspicious: {its[model]}" for model in two if model in its]

    def notes(self, two: tuple[str, str], baseline: str) -> list[str]:
        """What a reader has to know of who the baseline is."""
        if (held := self.baseline_id(baseline)) is None:
            return []
        said = []
        called = newest_model(self.board, baseline)
        if called is not None and self.board.model_ids[called] != held:
            said.append(
                f"{self.which}: {baseline!r} is the baseline that was set, {two[1]} ({held}), and "
                f"also the name of a model, which is not meant"
            )
        if two[0] == two[1]:
            said.append(f"{self.which}: the candidate is the baseline, {two[0]}: nothing changed")
        return said

    def judges_of(self, two: tuple[str, str]) -> list[tuple[BoardKind, str]]:
        """The boards on which both have been judged."""
        return [
            (kind, judge)
            for kind, seen in self.seen.items()
            for judge in sorted({one for one, _ in seen})
            if all((judge, model) in seen for model in two)
        ]

    def models_of(self, kind: BoardKind, judge: str) -> set[str]:
        """Whom a judge has judged on one board."""
        return {model for one, model in self.seen.get(kind, ()) if one == judge}

    @cached_property
    def seen(self) -> Mapping[BoardKind, Collection[tuple[str, str]]]:
        """On each board, which judge has judged which model."""
        return {
            kind: counted(verdicts["judge"], verdicts["model"])
            for kind, verdicts in self.board.verdicts.items()
        }

    def heads_of(self, two: tuple[str, str]) -> list[tuple[BoardKind, str]]:
        """The boards on which answers of the first were compared with those of the second."""
        found = []
        for kind in self.board.verdicts:
            if kind.kind == "preference" and kind.opponent == two[1]:
                seen = sorted(self.seen[kind])
                found += [(kind, judge) for judge, model in seen if model == two[0]]
        return found

    def direct_judges(self, two: tuple[str, str]) -> list[str]:
        """Who has compared answers of the two with each other, whichever was the opponent."""
        both = [*self.heads_of(two), *self.heads_of(two[::-1])] if two[0] != two[1] else []
        return sorted({judge for _, judge in both})

    def direct(
        self, judge: str, two: tuple[str, str], group: str | None = None, by: str | None = None
    ) -> PairedModels:
        """The first beside one half, as one judge compared it with the second, either way round."""
        kind = BoardKind("preference", two[1])
        return head_to_head(
            compared_directly(self.verdicts, judge, *two), kind, judge, two[0],
            labels=self.which.labels, group_of=None if by is None else self.board.groups(by),
            group=group,
        )  # fmt: skip

    def direct_notes(self, judge: str, two: tuple[str, str]) -> list[str]:
        """What has to be known of comparisons of the two with each other."""
        said = []
        orders = counted(compared_directly(self.board.verdicts, judge, *two)["order"]).keys()
        for order, first in (("model_first", two[0]), ("opponent_first", two[1])):
            if orders == {order}:
                said.append(f"{judge} was shown {first} first every time, never the other order")
        its, ids = self.judge_id(judge), {self.board.model_ids[model] for model in two}
        served = {
            one.served_model
            for one in self.board.judged_at
            if one.judge_id == its and {one.model_id, one.opponent_id} == ids and one.served_model
        }
        if len(served) > 1:
            said.append(
                f"judge changed: replies that compare the two were served by "
                f"{' and '.join(sorted(served))}"
            )
        return said

    def pair(
        self,
        kind: BoardKind,
        judge: str,
        two: tuple[str, str],
        group: str | None,
        by: str | None = None,
        *,
        afresh: bool = False,
        again: Sequence[str] = (),
        figure: str | None = None,
    ) -> PairedModels:
        """The two on one board, on all items or on a group of some way of grouping.

        On a board of comparisons with the second of them, they meet head to head. ``afresh``: by
        those verdicts alone for which the judge was asked once more. ``again`` are models that are
        the second one on other nights: it is the mean over all of them. ``figure`` is the
        share of labels, as `BoardData.figures` has it, that is compared in place of one number, or
        the weighted win rate.
        """
        verdicts: Columns = self._afresh if afresh else self.verdicts[kind]
        labels: Sequence[str] = self.which.labels
        if kind.opponent == two[1]:
            return head_to_head(verdicts, kind, judge, two[0], labels=labels)
        if again:
            verdicts = average_nights(verdicts, judge, two, again)
        group_of: GroupOf | None = None
        if by is None and (part := self._part(kind, group)) is not None:
            # A part that is a side is asked for of its categories alone.
            side = self.which.report.sides.get(part.removeprefix(DIMENSION))
            inside = {
                item: part for item, of in self.board.category_of.items() if of in (side or ())
            }
            pair = paired_models(
                verdicts if side else of_part(verdicts, part), kind, judge, *two,
                labels=labels, group_of=inside, group=part if side else None,
                part=part if side else None,
            )  # fmt: skip
            why = (
                next(iter(counted(verdicts[WHY + part])), None) if WHY + part in verdicts else None
            )
            return replace(pair, metric=part, why_not=pair.why_not or why)
        weighted = self.which.weighted if figure == WEIGHTED else None
        if figure is not None and weighted is None:
            name, _, group = figure.partition("/")
            verdicts, labels = of_rate(verdicts, labels, self.which.report.rates[name], name)
        if self.which.report.turns and (group or "").startswith(TURN):
            turn = int((group or "").removeprefix(TURN)) - 1
            verdicts = select_rows(verdicts, np.flatnonzero(marked(verdicts["turn"], turn.__eq__)))
        elif group:
            group_of = self._group_of(group) if by is None else self.board.groups(by)
        pair = paired_models(
            verdicts, kind, judge, *two,
            labels=labels, balance=self.board.balance,
            group_of=group_of, group=group or None, weighted=weighted,
        )  # fmt: skip
        return pair if figure is None or weighted is not None else _as_figure(pair, figure)

    def has_figures(self, kind: BoardKind) -> bool:
        """Whether a board has figures of its own in the place of one number."""
        return kind.kind == "label" and bool(self.which.report.rates)

    def ranks_by_weights(self, kind: BoardKind) -> bool:
        """Whether clear wins count more on a board."""
        return kind.kind == "preference" and self.which.weighted is not None

    def figure(self, kind: BoardKind, metric: str | None) -> str | None:
        """The figure that two models are compared by where it is not that of plain boards.

        That is the weighted win rate where that is named, or a share where labels are no number.

        Raises
        ------
        UsageError
            For a metric that is none of these, or of which nobody says whether more is better.
        """
        if metric == WEIGHTED and self.ranks_by_weights(kind):
            return WEIGHTED
        known = [one for one in self.board.figures if sign_of(one)]
        if not self.has_figures(kind):
            return None
        if metric in known:
            return metric
        raise UsageError(
            f"{self.which}: {NO_ONE_NUMBER}: name one as 'metric', of {', '.join(known)}"
        )

    @cached_property
    def _afresh(self) -> Columns:
        """What judges said when they were asked once more, to confirm a regression."""
        said = self.board.store.verdicts(self.which.name, self.which.version, afresh=True)
        verdicts: Columns = with_parts(renamed(said, self.board.models, self.board.judges))
        if self.board.repeats is not None:
            verdicts = with_units(verdicts, self.board.store, self.which)
        return self._lined_up(verdicts)

    def _part(self, kind: BoardKind, group: str | None) -> str | None:
        """The named part of scores, or a package's metric, that goes by the name of a group."""
        part = f"{DIMENSION}{group}"
        if kind.kind != "score" or part not in self.board.verdicts[kind]:
            return None
        ways = (*self.which.report.by, "category", "language")
        named = (group_names(self.board.groups(way)) for way in ways)
        return None if any(group in its for its in named) else part

    def _group_of(self, group: str) -> Mapping[str, str | Sequence[str]]:
        known: set[str] = set()
        for way in (*self.which.report.by, "category", "language"):
            named = self.board.groups(way)
            known.update(its := group_names(named))
            if group in its:
                return named
        raise UsageError(f"{self.which}: {unknown_name('group', group, known)}")

    def judge_changed(self, judge: str, two: tuple[str, str]) -> str | None:
        """That the judge's replies about the two were served by different models."""
        served = [self.served(judge, model) for model in two]
        if not all(served) or served[0] == served[1]:
            return None
        said = " and ".join(", ".join(sorted(one)) for one in served)
        return f"judge changed: replies about the two were served by {said}"

    def judge_id(self, judge: str) -> str | None:
        """The short id of a judge as it is shown."""
        return self._judge_ids.get(judge)

    def spec_of(self, judge: str) -> JudgeSpec | None:
        """What a judge is; None for one that is not a judge of the store."""
        its = self.judge_id(judge)
        return None if its is None else self.board.spec_of[its]

    def judged_at(self, judge: str, model: str) -> float:
        """When the judge's newest verdict on a model was given, in seconds; nan without any."""
        about, judged = (self.judge_id(judge), self.board.model_ids[model]), self.board.judged_at
        its = (at for one, at in judged.items() if (one.judge_id, one.model_id) == about)
        return max(its, default=math.nan)

    def other_stack(self, two: tuple[str, str], tolerance: float = TOLERANCE) -> OtherStack | None:
        """What there is to say where the answers of the two were generated by different software.

        None where they were not.
        """
        both = [
            Answering(name=model, model_id=self.board.model_ids[model], stacks=self.stacks(model))
            for model in two
        ]
        there = self.board.store, self.which.name, self.which.version
        return other_stack(*there, *both, tolerance=tolerance)

    def served(self, judge: str, model: str) -> set[str]:
        """Who served the judge's replies about a model."""
        its = self.judge_id(judge)
        ids = [] if its is None else [its]
        return set(self.board.served(ids, self.board.model_ids[model]))

    def stacks(self, model: str) -> set[str]:
        """What a local model's newest answers were run on."""
        return self.board.stacks_of.get(self.board.model_ids[model], set())


def _as_figure(pair: PairedModels, figure: str) -> PairedModels:
    """A pair by the share of some labels, all turned round where more of them is worse."""
    if sign_of(figure) > 0:
        return replace(pair, metric=figure)
    worst, best = (None if end is None else -end for end in (pair.best, pair.worst))
    return replace(
        pair,
        metric=figure,
        higher_is_better=False,
        mean=-pair.mean,
        worst=worst,
        best=best,
        own=None if pair.own is None else -pair.own,
    )
