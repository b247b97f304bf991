"""Judging no further than it takes to say which model is better.

A judge is given the items of a plan in its order, the answers of all models to some of them at a
time, and what has come of them is looked at as the plan says. Nothing is asked any more about a
model that is decided; what was asked by then is kept. A run without ``stop_when_decided`` judges
the rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from judgebench.errors import ConfigError
from judgebench.execution.manifest import where
from judgebench.execution.plan import Answers, JudgeCall
from judgebench.execution.resolve import JudgeAssignment, models_compared
from judgebench.metrics.board_kinds import BoardKind, board, by_board
from judgebench.metrics.measures import by_turn
from judgebench.metrics.paired import PairedModels, head_to_head, paired_models
from judgebench.metrics.sequential import EarlyDecision, SequentialPlan, early_decisions
from judgebench.metrics.verdict_table import Columns, verdict_values
from judgebench.plain_text import counted, dollars
from judgebench.records import PLANS, Item
from judgebench.stats.sequential import strata_of
from judgebench.store.store import Store

BATCHED = 0.2
"""The share of the items that is handed over before what came of it is looked at, in batches."""


def plan_of(
    assignment: JudgeAssignment, answers: Sequence[Answers], n_judges: int, seed: int, store: Store
) -> SequentialPlan:
    """The plan by which a judge judges; that of an earlier run, where it is the same pair.

    Parameters
    ----------
    n_judges
        How many judges share the benchmark's alpha.

    Raises
    ------
    ConfigError
        Where an earlier run began to judge the same models by another plan.
    """
    rule = assignment.asked.config.stop_when_decided
    assert rule is not None  # only then is it asked
    compared = models_compared(assignment, [a.candidate for a in answers])
    its = {one.name: one.key.hex()[:12] for one in compared}
    baseline, *candidates = its.values()
    new: dict[str, Any] = {
        "baseline": baseline,
        "candidates": tuple(sorted(candidates)),
        "sizes": (len(assignment.asked.items),),
        "alpha": rule.alpha / n_judges,
        "seed": seed,
        "open_ended": rule.open_ended,
        "covariates": rule.covariates,
    }
    for run in reversed(store.runs()):
        told = run.configuration.get(PLANS, {}).get(where(assignment))
        if told is None:
            continue
        earlier = SequentialPlan.of(told)
        if {frozenset((earlier.baseline, one)) for one in earlier.candidates}.isdisjoint(
            frozenset((baseline, one)) for one in candidates
        ):
            continue
        if earlier.sizes[-1:] == new["sizes"]:
            new["sizes"] = earlier.sizes
        elif earlier.open_ended and new["sizes"] > earlier.sizes[-1:]:
            new["sizes"] = (*earlier.sizes, *new["sizes"])
            earlier = replace(earlier, sizes=new["sizes"])
        if changed := [name for name in new if getattr(earlier, name) != new[name]]:
            called = {one.id: one.name for one in store.models()}
            said = "; ".join(
                f"{name} {_words(getattr(earlier, name), called)}, now {_words(new[name], called)}"
                for name in changed
            )
            raise ConfigError(
                f"benchmark {assignment.asked.config.name}: stop_when_decided: run {run.id} began "
                f"to judge by another plan ({said}), and one that is changed once verdicts were "
                "seen no longer holds its error rate: leave it as it was, or leave it out, and "
                "everything is judged"
            )
        return SequentialPlan(**new, strata=earlier.strata)
    strata = _strata(assignment, [a for a in answers if a.candidate in compared], store)
    return SequentialPlan(**new, strata=strata if rule.covariates else "")


def _words(value: Any, called: Mapping[str, str]) -> str:
    """What a plan says of one thing, models by their names."""
    its = value if isinstance(value, tuple) else (value,)
    return ", ".join(str(called.get(one, one)) for one in its)


def _strata(assignment: JudgeAssignment, compared: Sequence[Answers], store: Store) -> str:
    """By what the judge said of other models, and of two models by their lengths."""
    items, known = assignment.asked.items, {a.candidate.key.hex()[:12] for a in compared}
    lengths = np.log1p(
        [[_length(a, item) for a in compared] for item in items] if len(compared) == 2 else []
    )
    difference = lengths[:, 0] - lengths[:, 1] if len(lengths) else None
    columns = _columns(store, assignment)
    found: dict[str, list[float]] = {}
    for kind in by_board(columns):
        its = board(columns, kind)
        values = verdict_values(its, kind.kind, assignment.asked.benchmark.labels)
        for model, item, value in zip(its["model"], its["item_id"], values.tolist(), strict=True):
            if model not in known and not np.isnan(value):
                found.setdefault(item, []).append(value)
    hard = [float(np.mean(found[item.id])) if item.id in found else np.nan for item in items]
    first, second = (hard, difference) if found else (difference, None)
    return "" if first is None else "".join(map(str, strata_of(first, second).tolist()))


def _length(answers: Answers, item: Item) -> float:
    """Of a model's first answer; nan without any."""
    response = answers.of([item]).get((item.id, 0, 0))
    return np.nan if response is None else float(len(response.text))


def _columns(store: Store, assignment: JudgeAssignment, **of: Any) -> Mapping[str, Sequence[Any]]:
    """The judge's verdicts on the benchmark, models by their short ids."""
    benchmark = assignment.asked.benchmark
    said = store.verdicts(benchmark.name, benchmark.version, judges=[assignment.key], **of)
    named = {"model": said["model_id"], "opponent": said["opponent_id"]}
    return {**said, **named, "judge": ["judge"] * len(said["kind"])}


@dataclass(slots=True, kw_only=True)
class EarlyStop:
    """A plan under way: which answers are judged next, and what is decided.

    pending
        Keys of calls that were given out, by any plan of the run, and have not ended.
    deferred
        Those of them that wait in a batch.
    slots
        How many calls are made at once.
    """

    plan: SequentialPlan
    assignment: JudgeAssignment
    store: Store
    run_id: str
    pending: set[bytes]
    deferred: set[bytes]
    slots: int
    collects: bool
    decisions: dict[str, EarlyDecision] = field(default_factory=dict)
    _given: deque[tuple[int, set[bytes]]] = field(default_factory=deque)
    _start: int = 0
    _reached: int = 0
    _looked: int = 0

    def parts(
        self, wanted: Sequence[Answers]
    ) -> Iterator[tuple[Sequence[Answers], Sequence[Item]]]:
        """Whose answers to which items are judged next; nothing where that is not known yet."""
        compared = {self.plan.baseline, *self.plan.candidates}
        items, order = self.assignment.asked.items, self.plan.order(self._ids)
        mine = [a for a in wanted if a.candidate.key.hex()[:12] in compared]
        step = max(1, self.slots // max(1, len(mine) * self.assignment.verdicts_each))
        if self.collects:
            step = max(1, round(BATCHED * len(items)))
        while self._start < len(items):
            self._look()
            still = self.plan.baseline, *self.open
            if not self.open:
                break
            ahead = set().union(*(keys for _, keys in self._given)) & self.pending
            if ahead & self.deferred or (self.collects and ahead):
                if ahead <= self.deferred:
                    break  # until the batch is collected
                yield [], []
                continue
            start, self._start = self._start, min(self._start + step, len(items))
            those = [a for a in mine if a.candidate.key.hex()[:12] in still]
            yield those, [items[place] for place in order[start : self._start]]
        rest = [a for a in wanted if a not in mine]
        yield from (([a], items) for a in rest)

    def give(self, calls: Sequence[JudgeCall]) -> None:
        """Note what is asked about the last part."""
        keys = {call.key for call in calls}
        self.pending |= keys
        self._given.append((self._start, keys))

    @property
    def open(self) -> list[str]:
        """The candidates that are not decided."""
        done = {one for one, its in self.decisions.items() if its.decision != "undecided"}
        return [one for one in self.plan.candidates if one not in done]

    @property
    def _ids(self) -> list[str]:
        return [item.id for item in self.assignment.asked.items]

    def _look(self) -> None:
        """See what is decided by all that has ended, if that is more than at the last look."""
        while self._given and not self._given[0][1] & self.pending:
            self._reached = self._given.popleft()[0]
        looks = int((self.plan.looks <= self._reached).sum())
        if looks > self._looked:
            self._looked = looks
            columns = dict(_columns(self.store, self.assignment, run_id=self.run_id))
            benchmark = self.assignment.asked.benchmark
            contents = self.store.item_contents(benchmark.name, benchmark.version)
            columns["unit"] = [contents.get(item) for item in columns["item_id"]]
            description = getattr(benchmark, "description", None)
            turns = description is not None and description.report.turns
            lined_up = by_turn(columns, [])[0] if turns else columns
            pairs = [self._pair(lined_up, one) for one in self.plan.candidates]
            found = early_decisions(self.plan, pairs, self._ids, self._reached)
            self.decisions = dict(zip(self.plan.candidates, found, strict=True))

    def _pair(self, columns: Columns, candidate: str) -> PairedModels:
        benchmark = self.assignment.asked.benchmark
        kinds = list(by_board(columns)) or [BoardKind("label")]
        direct = BoardKind("preference", self.plan.baseline)
        if direct in kinds:
            return head_to_head(columns, direct, "judge", candidate, labels=benchmark.labels)
        return paired_models(
            columns, kinds[0], "judge", candidate, self.plan.baseline, labels=benchmark.labels
        )

    def end(self, names: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
        """What a manifest keeps of how it ended, and what is said of it.

        Parameters
        ----------
        names
            Of models, by short id.
        """
        self._look()
        title = f"{self.assignment.title} on {self.assignment.asked.benchmark.name}"
        said = [f"{title}: {_in_words(d, names[one], names[self.plan.baseline])}"
                for one, d in self.decisions.items()]  # fmt: skip
        if not self.decisions:
            said.append(f"{title}: too few items are judged for a first look")
        if left := self._unasked():
            said.append(f"{title}: {counted(left, 'judgment')} not asked for{self._worth(left)}")
        ended = {one: asdict(d) for one, d in self.decisions.items() if not np.isnan(d.difference)}
        return ended, said

    def _unasked(self) -> int:
        """Judgments of the models compared that nobody needs any more."""
        columns = _columns(self.store, self.assignment, run_id=self.run_id)
        ended = {self.plan.baseline, *self.plan.candidates} - {*self.open}
        if self.open or self.plan.baseline in set(columns["opponent"]):
            ended.discard(self.plan.baseline)
        judged = sum(model in ended for model in columns["model"])
        models = len(ended)
        each = self.assignment.verdicts_each * len(self.assignment.samples)
        return max(0, models * each * len(self.assignment.asked.items) - judged)

    def _worth(self, judgments: int) -> str:
        """What they would have cost, by what a call took in this run; empty where none is known."""
        spend = self.store.spend(self.run_id)
        its = [
            (calls - unpriced, cost)
            for judge, how, calls, unpriced, cost in zip(
                *(spend[n] for n in ("judge_id", "how", "calls", "unpriced_calls", "cost_usd")),
                strict=True,
            )
            if judge == self.assignment.key.hex()[:12] and how in ("live", "batch", "recorded")
        ]
        priced = sum(calls for calls, _ in its)
        usd = judgments * sum(cost for _, cost in its) / priced if priced else 0.0
        return f", about {dollars(usd)} USD" if usd else ""


def _in_words(found: EarlyDecision, candidate: str, baseline: str) -> str:
    if found.decision == "undecided":
        more = ": run again to go on" if found.items < found.of else ""
        after = f"undecided after {found.items} of {found.of} items"
        return f"{candidate} against {baseline}, {after}{more}"
    return (
        f"{candidate} is {found.decision} than {baseline}, decided after {found.items} of "
        f"{found.of} items ({found.interval})"
    )
