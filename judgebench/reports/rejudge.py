"""A judge in place of another: a pilot, what it shows, the bridge, and baselines judged anew."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from judgebench import keys
from judgebench.columns import counted as counted_values
from judgebench.columns import grouped
from judgebench.errors import UsageError
from judgebench.execution.forecast import Range
from judgebench.execution.manifest import Outcome
from judgebench.execution.one_judge import Asking, JudgedSection, ask_within, stored_answers
from judgebench.execution.plan import JudgeCall
from judgebench.execution.resolve import JudgeAssignment
from judgebench.metrics.accuracy import NO_ONE_NUMBER
from judgebench.metrics.agreement import KAPPA
from judgebench.metrics.intervals import Floats, Intervals
from judgebench.metrics.judge_change import (
    Bridge,
    DecisionChange,
    ModelChange,
    Pilot,
    bridge,
    decision_changes,
    model_changes,
)
from judgebench.metrics.judged_values import width_of
from judgebench.metrics.measures import by_turn, question_of
from judgebench.metrics.probes import Place, words_agree
from judgebench.metrics.verdict_table import coded
from judgebench.plain_text import counted, dollars
from judgebench.records import HUMAN, Estimate, VerdictSlot, is_human
from judgebench.reports.agreement import JudgeValues
from judgebench.reports.board_data import REPLACED, Replacement
from judgebench.reports.boards import benchmark_ref
from judgebench.reports.document import (
    Each,
    OfBenchmark,
    Report,
    Rows,
    Table,
    column,
    json_field,
    table,
)
from judgebench.reports.estimates import text
from judgebench.reports.judge_pairs import judged_values, kinds_of
from judgebench.reports.replies import stored_judges
from judgebench.stats.resample import quotient
from judgebench.store.catalog import StoredJudge
from judgebench.store.store import Store

Cell: TypeAlias = tuple[str, bytes, bytes | None]
"""An answer: item, model, opponent."""

_TITLES = {
    "flips": "flips",
    KAPPA: "kappa of the two",
    "score_offset": "offset of scores (new less old)",
    "kappa_old_human": "kappa of the old with people",
    "kappa_new_human": "kappa of the new with people",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudged(OfBenchmark, Report):
    """What a new judge makes of a part of what an old one has judged.

    pilot, of
        Answers that it was to judge, of all that the old one has judged.
    metrics
        ``flips``, ``cohen_kappa`` and ``score_offset`` (new less old), over the pilot's answers;
        ``kappa_old_human`` and ``kappa_new_human`` where people labelled some of them.
    bridge
        From old scores to new; None without verdicts of both.
    gates, decisions
        How many gates there are between two models each, and those that would decide otherwise.
    whole_calls, whole_usd
        What is left of everything that the old judge has judged, and its price, from what the new
        one has cost here; None where that is not known.
    calls, cost_usd
        What is left to be asked now, or was asked, where ``asked``.
    baselines
        Those that the new judge has judged in place of the old one: name and model.
    """

    new: str
    new_id: str
    old: str
    old_id: str
    pilot: int
    of: int
    asked: bool
    calls: int
    cost_usd: Range | None
    whole_calls: int
    whole_usd: float | None
    metrics: Mapping[str, Estimate]
    bridge: Bridge | None = None
    models: tuple[ModelChange, ...] = ()
    gates: int = 0
    decisions: tuple[DecisionChange, ...] = ()
    baselines: Mapping[str, str] = json_field(omit_empty=True, default_factory=dict)
    notes: tuple[str, ...] = ()
    outcome: Outcome | None = json_field(hidden=True, default=None)

    ROWS: ClassVar = (Rows(row=("benchmark", "version", "new", "old", Each("metrics"))),)

    def tables(self) -> list[Table]:
        title = f"{self.new} in place of {self.old} on {self.place}"
        found = [
            table(
                title,
                [*self.metrics.items()],
                [
                    column("measure", lambda row: _TITLES[row[0]]),
                    column("value [95%]", lambda row: text(row[1]), align="right"),
                    column("answers", lambda row: str(row[1].n), align="right"),
                ],
                notes=self.notes,
            )
        ]
        if self.bridge is not None:
            notes = self._of_models(self.bridge)
            found.append(
                table(
                    "models",
                    self.models,
                    [
                        column("model", lambda row: row.model, wraps=True),
                        column(self.old, lambda row: f"{row.old:.3f}", align="right"),
                        column("rank", lambda row: str(row.old_rank), align="right"),
                        column(
                            f"{self.new}, expected", lambda row: f"{row.new:.3f}", align="right"
                        ),
                        column("rank", lambda row: str(row.new_rank), align="right"),
                        column("bridged", lambda row: f"≈{row.bridged:.3f}", align="right"),
                        column("pilot", lambda row: str(row.n), align="right"),
                    ],
                    notes=notes,
                )
            )
        return found

    def _of_models(self, line: Bridge) -> list[str]:
        moved = sum(row.old_rank != row.new_rank for row in self.models)
        return [
            f"bridge: {line.words} (root mean square, of one {line.left_out} that it was not "
            "fitted on); ≈ marks what is bridged",
            f"{counted(moved, 'rank')} of {len(self.models)} would change; "
            f"{len(self.decisions)} of {counted(self.gates, 'gate')} between two models would "
            "decide otherwise, at an allowed drop of 2 % of the scale",
            *(
                f"{one.candidate} against {one.baseline}: {one.before} would be {one.after}"
                for one in self.decisions
            ),
        ]


class _Swap(NamedTuple):
    """The two judges, and where the old one has judged."""

    section: JudgedSection
    new: JudgeAssignment
    old: StoredJudge
    places: list[VerdictSlot]

    def calls(self, store: Store, cells: set[Cell]) -> Iterator[JudgeCall]:
        """What the new judge is asked about some answers, as far as they are in the store."""
        items = {item.id: item for item in self.new.asked.benchmark.data.items}
        wanted = [place for place in self.places if _cell(place) in cells]
        for place, answers in stored_answers(store, wanted).items():
            if (item := items.get(place.item_id)) is None:
                continue
            shown = [one for one in answers if one is not None]
            case = self.new.case(item, shown[::-1] if place.order == "opponent_first" else shown)
            case_key = keys.case_key(case)
            yield JudgeCall(
                key=keys.judgment_key(self.new.key, case_key),
                judge=self.new.judge,
                case=case,
                case_key=case_key,
                places=(replace(place, judge_key=self.new.key),),
            )


def _swap(store: Store, new: str, old: str, how: Asking) -> _Swap:
    """Both judges on a benchmark.

    Raises
    ------
    UsageError
        Where they are the same, one is not there, or they do not judge alike.
    """
    if new == old:
        raise UsageError(f"{new} cannot stand in for itself: name another judge with --judge")
    whose = {one.key: one for one in stored_judges(store, old)}
    section = how.section(old, store)
    assignment = section.judge(new, like=old, base_url=how.base_url)
    its = assignment.asked.benchmark
    current = store.current(its.name, its.version)
    places = [place for place in current if place.judge_key in whose and not place.repeat]
    if not places:
        raise UsageError(f"{old} has judged nothing on {its.name}@{its.version}")
    judged = {place.judge_key for place in places}
    last = [one for one in whose.values() if one.key in judged][-1]  # of its name the newest
    places = [place for place in places if place.judge_key == last.key]
    if assignment.key == last.key:
        raise UsageError(f"{new} is the same judge as {old}: model, prompt and sampling are equal")
    if assignment.compares != (places[0].opponent_key is not None):
        raise UsageError(f"{new} and {old} do not judge alike: one of them compares answers")
    return _Swap(section, assignment, last, places)


def rejudge(
    store: Store, judge: str, against: str, how: Asking, *, pilot: int, seed: int
) -> Rejudged:
    """Have a new judge judge a random part; as `judgebench.api.rejudge`."""
    swap = _swap(store, judge, against, how)
    cells = _drawn(swap.places, seed)
    if pilot > len(cells):
        raise UsageError(
            f"{against} has judged {counted(len(cells), 'answer')} here, fewer than --pilot "
            f"{pilot}; --pilot {len(cells)} takes all"
        )
    about = {"rejudge": {"new": judge, "old_id": swap.old.id, "pilot": pilot, "seed": seed}}
    return _asked(store, swap, cells[:pilot], how, about)


def replace_judge(store: Store, old: str, new: str, how: Asking) -> Rejudged:
    """Have a new judge judge every baseline; as `judgebench.api.replace_judge`."""
    swap = _swap(store, new, old, how)
    its = swap.new.asked.benchmark
    judged = {place.model_key for place in swap.places}
    now = {one.name: one.model_key for one in store.baselines(its.name, its.version)}
    tags = {name: model for name, model in now.items() if model in judged}
    if not tags:
        raise UsageError(
            f"no baseline on {its.name}@{its.version} was judged by {old}; `judgebench baseline "
            "set` names one"
        )
    cells = _drawn(swap.places, 0)
    wanted = [cell for cell in cells if cell[1] in tags.values()]
    seen = {place.model_key for call in swap.calls(store, {*wanted}) for place in call.places}
    if lacks := sorted(name for name, model in tags.items() if model not in seen):
        raise UsageError(
            f"the answers of {', '.join(lacks)} that {old} has judged are not in the store; "
            "`judgebench import responses` brings answers"
        )
    line = _compared(store, swap, cells).get("bridge")
    replaced = Replacement(
        benchmark=its.name,
        version=its.version,
        old=old,
        old_id=swap.old.id,
        new=new,
        new_id=swap.new.key.hex()[:12],
        at=time.time(),
        bridge=None if line is None or np.isnan(line.error) else line,
    )
    found = _asked(store, swap, wanted, how, {"replace": {"old": old, "new": new}})
    outcome = found.outcome
    done = "which it would judge" if outcome is None else "not judged to the end, and not set anew"
    if outcome is not None and not (outcome.failed or outcome.stopped):
        done, run = "judged by it from now on", outcome.manifest.id
        record = {**outcome.manifest.configuration, REPLACED: replaced.record()}
        with store.transaction():
            store.update_run(replace(outcome.manifest, configuration=record))
            for name, model in tags.items():
                store.put_baseline(name, its.name, its.version, model=model, run_id=run)
    names = {one.key: one.name for one in store.models()}
    baselines = {name: names[model] for name, model in sorted(tags.items())}
    listed = ", ".join(f"{name} ({model})" for name, model in baselines.items())
    return replace(found, baselines=baselines, notes=(f"baselines {done}: {listed}", *found.notes))


def _asked(
    store: Store, swap: _Swap, cells: Sequence[Cell], how: Asking, about: Mapping[str, Any]
) -> Rejudged:
    """The new judge asked about some answers, and what both say of them."""
    calls = [*swap.calls(store, {*cells})]
    if not calls:
        raise UsageError(f"the answers that {swap.old.name} has judged are not in the store")
    asked = ask_within(swap.section, [[(swap.new, calls)]], store, how, what="pilot", about=about)
    its, new_id = swap.new.asked.benchmark, swap.new.key.hex()[:12]
    there = store.current(its.name, its.version)
    done = {_cell(place) for place in there if place.judge_key == swap.new.key}
    left = sum(_cell(place) not in done for place in swap.places)
    usd = _price(store, swap, left)
    answers = {_cell(place) for place in swap.places}
    notes = []
    if asked.outcome is None:
        notes.append(f"nobody was asked: {asked.words(counted(len(cells), 'answer'))}")
    price = "" if usd is None else f", about {dollars(usd)} USD"
    of = counted(len(answers), "answer")
    notes.append(f"what is left of the whole: {counted(left, 'call')} about {of}{price}")
    if _has_figures(store, swap):
        notes.append(f"{NO_ONE_NUMBER}: no offset, no bridge, and no ranks or gates")
    return Rejudged(
        benchmark=its.name,
        version=its.version,
        new=swap.new.name,
        new_id=new_id,
        old=swap.old.name,
        old_id=swap.old.id,
        pilot=len(cells),
        of=len(answers),
        asked=asked.outcome is not None,
        calls=asked.calls,
        cost_usd=asked.cost_usd,
        whole_calls=left,
        whole_usd=usd,
        notes=tuple(notes),
        outcome=asked.outcome,
        **{"metrics": {}, **_compared(store, swap, cells)},
    )


def _cell(place: VerdictSlot) -> Cell:
    return place.item_id, place.model_key, place.opponent_key


def _drawn(places: Sequence[VerdictSlot], seed: int) -> list[Cell]:
    """Every answer once in a seeded random order, of models in turn."""
    by_model = grouped((one[1], one) for one in sorted({*map(_cell, places)}, key=str))
    for model, cells in by_model.items():
        random.Random(f"{seed} {model.hex()}").shuffle(cells)
    longest = max(map(len, by_model.values()))
    turns = ((cells[n] for cells in by_model.values() if n < len(cells)) for n in range(longest))
    return [cell for turn in turns for cell in turn]


def _price(store: Store, swap: _Swap, n: int) -> float | None:
    """Of so many calls, at what those of the new judge cost that the store has."""
    its, new = swap.new.asked.benchmark, swap.new.key.hex()[:12]
    spend = store.judge_spend(its.name, its.version).items()
    paid = [of for (judge, how), of in spend if judge == new and how in ("live", "batch")]
    calls, unpriced, usd = (sum(one[at] for one in paid) for at in range(3))
    return None if not calls or unpriced else n * usd / calls


# what it shows ------------------------------------------------------------------------------------


def _compared(store: Store, swap: _Swap, cells: Sequence[Cell]) -> dict[str, Any]:
    """What both say of some answers; nothing where they say nothing of the same."""
    its, wanted = swap.new.asked.benchmark, Intervals()
    stored = store.board_verdicts(its.name, its.version)
    kinds = {kind for kind, judge in counted_values(stored["kind"], stored["judge_id"])
             if judge == swap.new.key.hex()[:12]}  # fmt: skip
    kind = next((one for one in kinds_of(stored) if one in kinds), None)
    if kind is None:
        return {}
    said = judged_values(store, its.name, its.version, kind, stored=stored)
    if turns := said.which.report.turns:
        said.columns, _ = by_turn(said.columns, [])
    judges = [said.judges.get(one) for one in (swap.old.id, swap.new.key.hex()[:12])]
    if not {*judges} <= {*said.values.judges}:
        return {}
    values, names = said.values, {one.key: said.models.get(one.id) for one in store.models()}
    chosen = {(item, names[model], other and names[other]) for item, model, other in cells}
    asked = [question_of(item) if turns else item for item in values.items]
    places = [
        (asked[item], *values.models[model])
        for item, model in zip(values.item_of, values.model_of, strict=True)
    ]
    mine = np.array([place in chosen for place in places])
    old, new = (_numbers(said, str(judge)) for judge in judges)
    both = np.flatnonzero(mine & ~np.isnan(old) & ~np.isnan(new))
    if not len(both):
        return {}
    scale = values.scales.get(str(judges[0]), ())
    first, then = (_words(said, str(judge), places, mine) for judge in judges)
    points = _points(scale)
    metrics = words_agree(first, then, points, values.labels, wanted)
    if any(map(is_human, values.judges)):
        human = _words(said, HUMAN, places, mine)
        for which, own in (("old", first), ("new", then)):
            found = words_agree(human, own, points, values.labels, wanted)[KAPPA]
            metrics |= {f"kappa_{which}_human": found} if found.n else {}
    if _has_figures(store, swap):
        return {"metrics": metrics}
    pilot = _pilot(said, old, np.where(np.isin(np.arange(len(new)), both), new, np.nan))
    items, models = ([places[at][part] or "" for at in both] for part in (0, 1))
    line = bridge(items, models, old[both], new[both])
    gates, decisions = decision_changes(pilot, width_of(scale) if scale else 1.0)
    return {
        "metrics": metrics | {"score_offset": pilot.offset(level=wanted.level)},
        "bridge": line,
        "models": model_changes(pilot, line),
        "gates": gates,
        "decisions": decisions,
    }


def _pilot(said: JudgeValues, old: Floats, new: Floats) -> Pilot:
    """Both judges' numbers by item and model, samples averaged."""
    models, of_pair = coded([model for model, _ in said.values.models])
    shape = len(said.values.items), len(models)
    cell = said.values.item_of * shape[1] + of_pair[said.values.model_of]
    both = []
    for values in (old, new):
        there = ~np.isnan(values)
        n = np.bincount(cell[there], minlength=shape[0] * shape[1])
        total = np.bincount(cell[there], values[there], shape[0] * shape[1])
        both.append(quotient(total, n).reshape(shape))
    return Pilot(models=models, unit_of=said.values.unit_of, old=both[0], new=both[1])


def _has_figures(store: Store, swap: _Swap) -> bool:
    """Whether labels here make figures of their own, and no one number."""
    its = swap.new.asked.benchmark
    return not swap.new.compares and bool(
        benchmark_ref(store, f"{its.name}@{its.version}").report.rates
    )


def _numbers(said: JudgeValues, judge: str) -> Floats:
    """Scores as they are, others from 0 for the worst label or a loss to 1."""
    values = said.values.of(judge).values
    return values / max(1, len(said.values.labels) - 1) if said.values.labels else values


def _words(
    said: JudgeValues, judge: str, places: Sequence[tuple[str, str, str | None]], mine: Any
) -> dict[Place, str | None]:
    """What a judge says of the marked answers that it was asked about."""
    its, labels = said.values.of(judge), said.values.labels
    return {
        (places[at][0], f"{places[at][1]} {places[at][2]} {at}"): _word(its.values[at], labels)
        for at in map(int, np.flatnonzero(mine & its.asked))
    }


def _word(value: float, labels: Sequence[str]) -> str | None:
    if math.isnan(value):
        return None
    return labels[int(value)] if labels else str(math.floor(value + 0.5))


def _points(scales: Sequence[tuple[float, float]]) -> tuple[str, ...] | None:
    if not scales:
        return None
    low, high = scales[0]
    return tuple(str(point) for point in range(math.floor(low), math.ceil(high) + 1))
