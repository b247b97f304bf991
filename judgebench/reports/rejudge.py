"""A judge in place of another: a pilot, what it shows, and the bridge from old scores to new."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from judgebench import keys
from judgebench.errors import UsageError
from judgebench.execution.forecast import Range
from judgebench.execution.manifest import Outcome
from judgebench.execution.one_judge import (
    JudgedSection,
    ask_judges,
    price_of_calls,
    section_of,
    stored_answers,
    with_budget,
)
from judgebench.execution.plan import JudgeCall
from judgebench.execution.pool import ProviderPool
from judgebench.execution.resolve import JudgeAssignment
from judgebench.metrics.agreement import KAPPA, label_kappa
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.judge_change import (
    Bridge,
    DecisionChange,
    ModelChange,
    bridge,
    decision_changes,
    model_changes,
    score_offset,
)
from judgebench.metrics.probes import points, read_verdict, words_agree
from judgebench.plain_text import counted, dollars
from judgebench.protocols import Progress
from judgebench.records import HUMAN, Estimate, JsonObject, VerdictSlot, is_human
from judgebench.reports.boards import benchmark_ref
from judgebench.reports.document import Cells, Each, Report, Rows, Table, column, json_field, table
from judgebench.reports.estimates import text
from judgebench.reports.probe import foretold
from judgebench.reports.replacements import REPLACED, Replacement
from judgebench.reports.replies import stored_judges
from judgebench.store import Store
from judgebench.store.catalog import StoredJudge

Cell: TypeAlias = tuple[str, str, str, int]
"""An answer: item, model, opponent and sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudged(Report):
    """What a new judge makes of a random part of what an old one has judged.

    metrics
        ``flips``, ``cohen_kappa`` and ``score_offset`` (new less old), over the pilot's answers;
        ``kappa_old_human`` and ``kappa_new_human`` where people labelled some of them.
    bridge
        From old scores to new; None without a pilot.
    gates, decisions
        How many gates there are between two models each, and those that would decide otherwise.
    whole_calls, whole_usd
        What is left of everything that the old judge has judged, and its price, from what the pilot
        cost; None where no price is known.
    calls, cost_usd
        Of the pilot: what is left to be asked, or was asked now, where ``asked``.
    """

    benchmark: str
    version: str
    new: str
    new_id: str
    old: str
    old_id: str
    pilot: int
    of: int
    asked: bool
    calls: int
    cost_usd: Range | None
    metrics: Mapping[str, Estimate]
    bridge: Bridge | None
    models: tuple[ModelChange, ...]
    gates: int
    decisions: tuple[DecisionChange, ...]
    whole_calls: int
    whole_usd: float | None
    outcome: Outcome | None = json_field(hidden=True, default=None)

    ROWS: ClassVar = (
        Rows(
            of="metrics_rows", shared=("benchmark", "version", "new", "old"), row=(Each("metrics"),)
        ),
    )

    @property
    def metrics_rows(self) -> tuple[Rejudged, ...]:
        return (self,) if self.metrics else ()

    def tables(self) -> list[Table]:
        at = f"{self.benchmark}@{self.version}"
        told: list[Cells[tuple[str, Estimate]]] = [
            column("measure", lambda row: _TITLES[row[0]]),
            column("value [95%]", lambda row: text(row[1]), align="right"),
            column("answers", lambda row: str(row[1].n), align="right"),
        ]
        title = f"{self.new} in place of {self.old} on {at}"
        found = [table(title, [*self.metrics.items()], told, notes=self._notes())]
        if self.models:
            columns: list[Cells[ModelChange]] = [
                column("model", lambda row: row.model, wraps=True),
                column(f"{self.old}", lambda row: f"{row.old:.3f}", align="right"),
                column("rank", lambda row: str(row.old_rank), align="right"),
                column(f"{self.new}, expected", lambda row: f"{row.new:.3f}", align="right"),
                column("rank", lambda row: str(row.new_rank), align="right"),
                column("bridged", lambda row: f"≈{row.bridged:.3f}", align="right"),
                column("pilot", lambda row: str(row.n), align="right"),
            ]
            found.append(table("models", self.models, columns, notes=self._of_models()))
        return found

    def _of_models(self) -> list[str]:
        line = self.bridge
        assert line is not None  # where there are models
        moved = sum(row.old_rank != row.new_rank for row in self.models)
        said = [
            f"bridge: {line.intercept:.3f} + {line.slope:.3f} × old score, off by {line.error:.3f} "
            f"(root mean square, of one {line.left_out} that it was not fitted on); ≈ marks what "
            "is bridged",
            f"{counted(moved, 'rank')} of {len(self.models)} would change; "
            f"{len(self.decisions)} of {counted(self.gates, 'gate')} between two models would "
            "decide otherwise, at an allowed drop of 2 % of the scale",
        ]
        return said + [
            f"{one.candidate} against {one.baseline}: {one.before} would be {one.after}"
            for one in self.decisions
        ]

    def _notes(self) -> list[str]:
        said = []
        if not self.asked:
            said.append(
                f"nobody was asked: {foretold(self.pilot, self.calls, self.cost_usd, 'answer')}"
            )
        price = "" if self.whole_usd is None else f", about {dollars(self.whole_usd)} USD"
        whole = counted(self.whole_calls, "call")
        return [*said, f"the whole: {whole} about {counted(self.of, 'answer')}{price}"]


_TITLES = {
    "flips": "flips",
    KAPPA: "kappa of the two",
    "score_offset": "offset of scores (new less old)",
    "kappa_old_human": "kappa of the old with people",
    "kappa_new_human": "kappa of the new with people",
}


class JudgeSwap(NamedTuple):
    """The two judges, with all that the old one has judged."""

    section: JudgedSection
    new: JudgeAssignment
    old: StoredJudge
    places: list[VerdictSlot]

    def calls(self, store: Store, places: Sequence[VerdictSlot]) -> list[JudgeCall]:
        """What the new judge is asked about some places, of which the answers are in the store."""
        items = {item.id: item for item in self.new.asked.benchmark.items()}
        found: dict[bytes, JudgeCall] = {}
        answered = stored_answers(store, places)
        for place, answers in answered.items():
            if (item := items.get(place.item_id)) is None:
                continue
            shown = [one for one in answers if one is not None]
            ordered = shown[::-1] if place.order == "opponent_first" else shown
            case = self.new.case(item, ordered)
            key = keys.judgment_key(self.new.key, keys.case_key(case))
            here = (replace(place, judge_key=self.new.key),)
            before = found[key].places if key in found else ()
            found[key] = JudgeCall(
                key=key, judge=self.new.judge, case=case, places=(*before, *here)
            )
        return [*found.values()]

    def left(self, store: Store) -> set[VerdictSlot]:
        """Where the old judge has a verdict and the new one none."""
        its = self.new.asked.benchmark
        there = store.current(its.name, its.version)
        done = {replace(place, judge_key=b"") for place in there if place.judge_key == self.new.key}
        return {replace(place, judge_key=b"") for place in self.places} - done


def judge_swap(
    store: Store,
    new: str,
    old: str,
    *,
    suite: Path | None,
    benchmark: str | None,
    base_url: str | None,
    max_cost: float | None,
) -> JudgeSwap:
    """Both judges on a benchmark.

    Raises
    ------
    UsageError
        Where they are the same, one is not there, or they do not judge alike.
    """
    if new == old:
        raise UsageError(f"{new} cannot stand in for itself: name another judge with --judge")
    whose = stored_judges(store, old)
    section = with_budget(section_of(old, suite=suite, store=store, benchmark=benchmark), max_cost)
    assignment = section.judge(new, like=old, base_url=base_url)
    its = assignment.asked.benchmark
    at = f"{its.name}@{its.version}"
    places: dict[bytes, list[VerdictSlot]] = {one.key: [] for one in whose}
    for place in store.current(its.name, its.version):
        if place.judge_key in places and not place.repeat:
            places[place.judge_key].append(place)
    said = [one for one in whose if places[one.key]]
    if not said:
        raise UsageError(f"{old} has judged nothing on {at}")
    if assignment.key == said[-1].key:
        raise UsageError(f"{new} is the same judge as {old}: model, prompt and sampling are equal")
    there = places[said[-1].key]
    if assignment.compares != (there[0].opponent_key is not None):
        raise UsageError(f"{new} and {old} do not judge alike: one of them compares answers")
    return JudgeSwap(section, assignment, said[-1], there)


def rejudge(
    store: Store,
    judge: str,
    against: str,
    *,
    pilot: int = 100,
    suite: Path | None,
    benchmark: str | None,
    base_url: str | None,
    max_cost: float | None,
    ask: bool,
    seed: int,
    progress: Progress,
) -> Rejudged:
    """Have a new judge judge a random part; as `judgebench.api.rejudge`."""
    swap = judge_swap(
        store,
        judge,
        against,
        suite=suite,
        benchmark=benchmark,
        base_url=base_url,
        max_cost=max_cost,
    )
    cells = _drawn(swap.places, seed)
    if pilot > len(cells):
        raise UsageError(
            f"{against} has judged {counted(len(cells), 'answer')} here, fewer than --pilot "
            f"{pilot}; --pilot {len(cells)} takes all"
        )
    of_cell: dict[Cell, list[VerdictSlot]] = {}
    for place in swap.places:
        of_cell.setdefault(_cell(place), []).append(place)
    chosen = cells[:pilot]
    calls = swap.calls(store, [place for cell in chosen for place in of_cell[cell]])
    if not calls:
        raise UsageError(f"the answers that {against} has judged are not in the store")
    said = {"new": judge, "old": against, "old_id": swap.old.id, "pilot": pilot, "seed": seed}
    outcome, n_calls, cost = asked_at_a_price(
        store,
        swap,
        calls,
        ask=ask,
        max_cost=max_cost,
        progress=progress,
        n=pilot,
        about={"rejudge": said},
    )
    its = swap.new.asked.benchmark
    rest = len(swap.left(store))
    found = _compared(store, swap, chosen)
    return Rejudged(
        benchmark=its.name,
        version=its.version,
        new=judge,
        new_id=swap.new.key.hex()[:12],
        old=against,
        old_id=swap.old.id,
        pilot=pilot,
        of=len(cells),
        asked=outcome is not None,
        calls=n_calls,
        cost_usd=cost,
        whole_calls=rest,
        whole_usd=_price(store, swap, rest),
        outcome=outcome,
        **found,
    )


def asked_at_a_price(
    store: Store,
    swap: JudgeSwap,
    calls: Sequence[JudgeCall],
    *,
    ask: bool,
    max_cost: float | None,
    progress: Progress,
    n: int,
    about: JsonObject,
) -> tuple[Outcome | None, int, Range | None]:
    """What came of asking the new judge; None where it costs money and no budget is said.

    Raises
    ------
    UsageError
        For a budget that is not enough for all of it.
    """
    pool = ProviderPool(swap.section.suite, store)
    ((n_calls, cost),) = price_of_calls(swap.section, store, pool, [[(swap.new, calls)]])
    if max_cost is not None and cost is not None and cost.high > max_cost:
        raise UsageError(
            f"--max-cost {max_cost:g} is too little: {counted(n_calls, 'call')} may cost "
            f"{dollars(cost.high)} USD"
        )
    if not ask or (max_cost is None and (cost is None or cost.high)):
        return None, n_calls, cost
    if swap.new.config is not None:
        pool.check({f"judge {swap.new.name}": swap.new.config})
    progress.say(f"{swap.new.title}: {foretold(n, n_calls, cost, 'answer').partition(';')[0]}")
    outcome = ask_judges(
        swap.section,
        [(swap.new, calls)],
        store=store,
        pool=pool,
        progress=progress,
        about=about,
    )
    return outcome, n_calls, cost


def _cell(place: VerdictSlot) -> Cell:
    opponent = "" if place.opponent_key is None else place.opponent_key.hex()[:12]
    return place.item_id, place.model_key.hex()[:12], opponent, place.sample


def _drawn(places: Sequence[VerdictSlot], seed: int) -> list[Cell]:
    """Every answer once in a seeded random order, of models in turn."""
    by_model: dict[str, list[Cell]] = {}
    for cell in sorted({_cell(place) for place in places}):
        by_model.setdefault(cell[1], []).append(cell)
    for model, cells in by_model.items():
        random.Random(f"{seed} {model}").shuffle(cells)
    longest = max(map(len, by_model.values()))
    turns = ((cells[n] for cells in by_model.values() if n < len(cells)) for n in range(longest))
    return [cell for turn in turns for cell in turn]


def _price(store: Store, swap: JudgeSwap, n: int) -> float | None:
    """Of so many calls, at what those cost that the store has."""
    its = swap.new.asked.benchmark
    spend = store.judge_spend(its.name, its.version)
    own = [
        of
        for (judge, how), of in spend.items()
        if judge == swap.new.key.hex()[:12] and how in ("live", "batch")
    ]
    calls, unpriced, usd = (sum(one) for one in zip(*own, strict=True)) if own else (0, 0, 0.0)
    if not swap.new.asks:
        return 0.0
    return None if not calls or unpriced else n * usd / calls


# what it shows ------------------------------------------------------------------------------------


class _Said(NamedTuple):
    value: float
    word: str | None


def _compared(store: Store, swap: JudgeSwap, chosen: Sequence[Cell]) -> dict[str, Any]:
    """The fields of a report that follow from what both have judged of a pilot."""
    its, wanted = swap.new.asked.benchmark, Intervals()
    labels = benchmark_ref(store, f"{its.name}@{its.version}").labels
    people = [one for one in store.judges_met(its.name, its.version) if is_human(one.name)]
    columns = store.verdicts(
        its.name, its.version, judges=[swap.new.key, swap.old.key, *(one.key for one in people)]
    )
    said = _by_judge(columns, labels)
    old, new = said.get(swap.old.id, {}), said.get(swap.new.key.hex()[:12], {})
    both = [c for c in chosen if c in old and c in new and old[c].word and new[c].word]
    nothing: dict[str, Any] = {
        "metrics": {}, "bridge": None, "models": (), "gates": 0, "decisions": (),
    }  # fmt: skip
    if not both:
        return nothing
    scale = points(columns)
    words = [
        {(c[0], "/".join(map(str, c[1:]))): of[c].word for c in chosen if c in of}
        for of in (old, new)
    ]
    metrics = words_agree(words[0], words[1], scale, labels, wanted)
    first, then = (np.array([of[c].value for c in both]) for of in (old, new))
    metrics["score_offset"] = score_offset([c[0] for c in both], then - first, wanted)
    names = {one.id: one.name for one in store.models()}
    models = [names.get(c[1], c[1]) for c in both]
    line = bridge([c[0] for c in both], models, first, then)
    before = _by_model(old, [*old], names)
    changed = (before, _by_model(old, both, names), _by_model(new, both, names))
    low, high = _ends(columns)
    gates, decisions = decision_changes(*changed, high - low)
    human = {one.id for one in people}
    metrics |= _with_people(
        said, human, {"old": swap.old.id, "new": swap.new.key.hex()[:12]}, both, scale, labels
    )
    return {
        "metrics": metrics,
        "bridge": line,
        "models": model_changes(*changed, line),
        "gates": gates,
        "decisions": decisions,
    }


def _by_judge(columns: Mapping[str, Any], labels: Sequence[str]) -> dict[str, dict[Cell, _Said]]:
    """What each judge says of each answer: the mean of orders and repeats, and in a word."""
    rows: dict[tuple[str, Cell], list[dict[str, Any]]] = {}
    for one in zip(*(columns[name] for name in _COLUMNS), strict=True):
        row = dict(zip(_COLUMNS, one, strict=True))
        cell = (row["item_id"], row["model_id"], row["opponent_id"] or "", row["sample"])
        rows.setdefault((row["judge_id"], cell), []).append(row)
    found: dict[str, dict[Cell, _Said]] = {}
    for (judge, cell), own in rows.items():
        values = [*_values(own, labels)]
        if not values:
            found.setdefault(judge, {})[cell] = _Said(np.nan, None)
            continue
        readable = [row for row in own if row["kind"] != "unreadable"]
        mean = sum(values) / len(values)
        together = readable[0] if readable[0]["kind"] == "label" else {**readable[0], "value": mean}
        found.setdefault(judge, {})[cell] = _Said(mean, read_verdict(together, labels).word)
    return found


_COLUMNS = (
    "judge_id", "item_id", "model_id", "opponent_id", "sample", "kind", "label", "value", "low",
    "high",
)  # fmt: skip


def _values(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Iterator[float]:
    for row in rows:
        if row["kind"] == "label":
            yield float(row["label"] == labels[-1])
        elif row["kind"] != "unreadable":
            yield row["value"]


def _ends(columns: Mapping[str, Any]) -> tuple[float, float]:
    scales = Counter(
        (low, high)
        for kind, low, high in zip(columns["kind"], columns["low"], columns["high"], strict=True)
        if kind == "score"
    )
    return scales.most_common(1)[0][0] if scales else (0.0, 1.0)


def _by_model(
    said: Mapping[Cell, _Said], cells: Sequence[Cell], names: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """By model and item, samples averaged."""
    found: dict[str, dict[str, list[float]]] = {}
    for cell in cells:
        if said[cell].word is not None:
            its = found.setdefault(names.get(cell[1], cell[1]), {})
            its.setdefault(cell[0], []).append(said[cell].value)
    return {m: {i: sum(v) / len(v) for i, v in its.items()} for m, its in found.items()}


def _with_people(
    said: Mapping[str, Mapping[Cell, _Said]],
    people: set[str],
    judges: Mapping[str, str],
    cells: Sequence[Cell],
    scale: Sequence[str] | None,
    labels: Sequence[str],
) -> dict[str, Estimate]:
    """Kappa of either judge with the majority of people, on the pilot's answers they labelled."""
    who = {**{f"{HUMAN}/{one}": one for one in people}, **judges}
    rows = [
        (name, cell, said[one][cell].word)
        for name, one in who.items()
        for cell in cells
        if cell in said.get(one, {})
    ]
    if not any(is_human(name) for name, _, _ in rows):
        return {}
    words = {word for _, _, word in rows if word is not None}
    outcomes = ("loss", "tie", "win")
    columns: dict[str, list[Any]] = {
        "judge": [name for name, _, _ in rows],
        "item_id": [cell[0] for _, cell, _ in rows],
        "model": ["/".join(map(str, cell[1:])) for _, cell, _ in rows],
        "sample": [0] * len(rows),
        "kind": ["unreadable" if word is None else "label" for _, _, word in rows],
        "label": [word for _, _, word in rows],
    }
    found = label_kappa(
        columns,
        reference=HUMAN,
        labels=scale or (outcomes if words <= {*outcomes} else labels),
        weighting="nominal" if scale is None else "quadratic",
    )
    return {f"kappa_{row.judge}_human": row.metrics[KAPPA] for row in found if row.judge in judges}


# one takes the other's place ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeReplaced(Report):
    """Which baselines a new judge has judged, so that gates go on with it.

    Fields are as of `Rejudged`; ``baselines`` are names with the model of each.
    """

    replacement: Replacement
    baselines: tuple[tuple[str, str], ...]
    asked: bool
    calls: int
    cost_usd: Range | None
    outcome: Outcome | None = json_field(hidden=True, default=None)

    def tables(self) -> list[Table]:
        columns: list[Cells[tuple[str, str]]] = [
            column("baseline", lambda row: row[0]),
            column("model", lambda row: row[1], wraps=True),
        ]
        its = self.replacement
        notes = [its.words]
        if not self.asked:
            told = foretold(len(self.baselines), self.calls, self.cost_usd, "baseline")
            notes.append(f"nobody was asked, and nothing changed: {told}")
        title = f"{its.new} in place of {its.old} on {its.benchmark}@{its.version}"
        return [table(title, self.baselines, columns, notes=notes)]

    def records(self) -> list[dict[str, Any]]:
        return [
            {"baseline": name, "model": model, "asked": self.asked}
            for name, model in self.baselines
        ]


def replace_judge(
    store: Store,
    old: str,
    new: str,
    *,
    suite: Path | None,
    benchmark: str | None,
    base_url: str | None,
    max_cost: float | None,
    ask: bool,
    progress: Progress,
) -> JudgeReplaced:
    """Have a new judge judge every baseline; as `judgebench.api.replace_judge`."""
    swap = judge_swap(
        store, new, old, suite=suite, benchmark=benchmark, base_url=base_url, max_cost=max_cost
    )
    its = swap.new.asked.benchmark
    now = {one.name: one.model_key for one in store.baselines(its.name, its.version)}
    tags = {
        name: model for name, model in now.items() if any(p.model_key == model for p in swap.places)
    }
    if not tags:
        raise UsageError(
            f"no baseline on {its.name}@{its.version} was judged by {old}; `judgebench baseline "
            "set` names one"
        )
    calls = swap.calls(store, [p for p in swap.places if p.model_key in tags.values()])
    asked_about = {place.model_key for call in calls for place in call.places}
    if lacks := sorted(name for name, model in tags.items() if model not in asked_about):
        raise UsageError(
            f"the answers of {', '.join(lacks)} that {old} has judged are not in the store; "
            "`judgebench import responses` brings answers"
        )
    line = _compared(store, swap, sorted({_cell(place) for place in swap.places}))["bridge"]
    replacement = Replacement(
        benchmark=its.name,
        version=its.version,
        old=old,
        old_id=swap.old.id,
        new=new,
        new_id=swap.new.key.hex()[:12],
        at=time.time(),
        bridge=None if line is None or np.isnan(line.error) else line,
    )
    outcome, n_calls, cost = asked_at_a_price(
        store,
        swap,
        calls,
        ask=ask,
        max_cost=max_cost,
        progress=progress,
        n=len(calls),
        about={"replace": {"old": old, "new": new}},
    )
    if outcome is not None and not (outcome.failed or outcome.stopped):
        ended = outcome.manifest
        configuration = {**ended.configuration, REPLACED: replacement.record()}
        with store.transaction():
            store.update_run(replace(ended, configuration=configuration))
            for name, model in tags.items():
                run = outcome.manifest.id
                store.put_baseline(name, its.name, its.version, model=model, run_id=run)
    names = {one.key: one.name for one in store.models()}
    return JudgeReplaced(
        replacement=replacement,
        baselines=tuple(sorted((name, names[model]) for name, model in tags.items())),
        asked=outcome is not None,
        calls=n_calls,
        cost_usd=cost,
        outcome=outcome,
    )
