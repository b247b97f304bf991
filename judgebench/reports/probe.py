"""Probing a judge: cases whose right verdict is known, what they cost, and what they have shown.

What the cases are, and how they stand in the store, says `judgebench.metrics.probes`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from judgebench import keys
from judgebench.errors import ConfigError, UsageError, unknown_name
from judgebench.execution.forecast import Range
from judgebench.execution.manifest import Outcome
from judgebench.execution.one_judge import (
    Asking,
    Calls,
    JudgedSection,
    Material,
    ask_within,
    stored_answers,
)
from judgebench.execution.plan import JudgeCall
from judgebench.execution.resolve import JudgeAssignment, assign
from judgebench.metrics.probes import (
    KINDS,
    PROMPT,
    REPEAT,
    REVERSED,
    VARIANTS,
    ProbeRow,
    Variant,
    probe_benchmark,
    probe_rows,
    probe_version,
    source_of,
    variant_judge,
)
from judgebench.plain_text import counted
from judgebench.records import (
    CONFIDENCES,
    PROBED,
    Item,
    ModelSpec,
    Order,
    Response,
    ResponseStatus,
    VerdictSlot,
)
from judgebench.reports.boards import benchmark_ref
from judgebench.reports.document import Each, Report, Rows, Table, column, json_field, table
from judgebench.reports.estimates import text
from judgebench.store.store import Store

ITEMS = 10
"""Of a benchmark, unless somebody says how many."""

MOST_PROMPTS = 2
"""Changes of a prompt that are tried without being named."""

PROMPT_CHANGES: Mapping[str, Mapping[str, object]] = {
    "explain": {"explain": True},
    "brief": {"explain": False},
    "json": {"format": "json"},
    "word": {"format": "word"},
    "long": {"prompt": "long"},
    "short": {"prompt": "short"},
}
"""Options that ask for the same in other words, as far as a way of judging has them."""


@dataclass(slots=True, kw_only=True)
class Probes:
    """What a judge is to be asked: of each item the calls of every judge, as portions.

    ``judges`` are the judge and the variants of its prompt; ``notes`` say what is not probed.
    """

    judges: Sequence[JudgeAssignment]
    portions: list[Calls] = field(default_factory=list)
    material: Material = field(default_factory=Material)
    notes: list[str] = field(default_factory=list)


def probes(
    section: JudgedSection,
    judge: JudgeAssignment,
    store: Store,
    *,
    n_items: int = ITEMS,
    kinds: Collection[str] = (),
    prompts: Sequence[Path] = (),
    seed: int = 0,
) -> Probes:
    """The probes of a judge on a seeded random choice of items that it has judged.

    Where it has judged none, of items that anybody has.

    Raises
    ------
    UsageError
        For an unknown kind, a judge that judges no answers, a benchmark without answers, and one
        without references where a kind is named that needs them.
    """
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise UsageError(unknown_name("kind of probe", unknown[0], KINDS))
    if judge.inputs not in ("answer", "with_baseline") or judge.judge.spec.kind in CONFIDENCES:
        raise UsageError(f"judge {judge.name} judges no answers by themselves: nothing to probe")
    wanted = set(kinds or KINDS)
    if not judge.asks:
        wanted -= {"repeat", "prompt"}
    changed = _prompt_judges(section, judge, prompts) if "prompt" in wanted else {}
    found = Probes(judges=[judge, *changed.values()])
    if "prompt" in wanted and not changed:
        found.notes.append("its prompt has no variant here; --prompt-variant FILE gives one")
    items = {item.id: item for item in judge.asked.benchmark.data.items}
    for place in _places(store, judge, seed):
        if len(found.portions) == n_items:
            break
        item, answers = items.get(place.item_id), stored_answers(store, [place])
        if item is not None and answers:
            made = _Portion(found, judge, changed, item, place, *answers[place])
            found.portions.append(made.calls(wanted))
    if not found.portions:
        raise UsageError(
            f"{judge.asked.benchmark.name}: the store has no answer that was judged, of which "
            "probes are made: let it judge some first"
        )
    _say_what_lacks(found, judge, wanted, named=bool(kinds), few=n_items)
    return found


def _say_what_lacks(
    found: Probes, judge: JudgeAssignment, wanted: Collection[str], *, named: bool, few: int
) -> None:
    every = (calls for portion in found.portions for _, calls in portion)
    made = {call.places[0].benchmark for calls in every for call in calls}
    if "references" in wanted and probe_benchmark("references") not in made:
        lacks = f"{judge.asked.benchmark.name}: no item has several references to be reordered"
        if named:
            raise UsageError(lacks)
        found.notes.append(lacks)
    if "answers" in wanted and "gold" not in found.material.models:
        lacks = f"{judge.asked.benchmark.name}: no item has a reference, so no gold is shown"
        found.notes.append(lacks)
    if len(found.portions) < few:
        n = counted(len(found.portions), "item")
        found.notes.append(f"{n} of the {few} wanted: the store has no more answers")


def _places(store: Store, judge: JudgeAssignment, seed: int) -> Iterator[VerdictSlot]:
    """Where answers are that were judged, one of each item, in a seeded random order."""
    benchmark = judge.asked.benchmark
    met = store.judges_met(benchmark.name, benchmark.version)
    own = any(one.key == judge.key for one in met)
    there = [
        replace(place, judge_key=b"", order="single", repeat=0)
        for place in store.current(benchmark.name, benchmark.version)
        if (place.opponent_key is not None) == judge.compares
        and not place.sample
        and (place.judge_key == judge.key or not own)
    ]
    drawn = sorted(
        {*there},
        key=lambda at: (
            keys.text_sha(f"{seed} {at.item_id}"),
            keys.text_sha(f"{seed} {at.item_id} {at.model_key.hex()}"),
        ),
    )
    seen: set[str] = set()
    for place in drawn:
        if place.item_id not in seen:
            seen.add(place.item_id)
            yield place


def _prompt_judges(
    section: JudgedSection, judge: JudgeAssignment, prompts: Sequence[Path]
) -> dict[str, JudgeAssignment]:
    """The judge with variants of its prompt, each another judge, by the name of the variant."""
    config = judge.config
    if config is None:
        return {}
    changes: dict[str, dict[str, object]] = {path.stem: {"prompt": path} for path in prompts}
    if config.prompt is None and not judge.judge.spec.official_prompt:
        if prompts:
            raise UsageError(
                f"judge {judge.name} has no prompt file of its own that --prompt-variant could "
                "stand for"
            )
        changes = {
            name: {"options": {**config.options, **options}}
            for name, options in PROMPT_CHANGES.items()
        }
    found: dict[str, JudgeAssignment] = {}
    for name, change in changes.items():
        called = f"{PROMPT}{name}"
        other = config.model_copy(update={**change, "name": variant_judge(judge.name, called)})
        try:
            made = assign(section.asked, other.name, other, section.suite)
        except ConfigError:
            if prompts:
                raise
            continue  # this way of judging has no such option
        asked = [
            (one.judge.spec.prompt_sha, one.judge.spec.reader_version)
            for one in (judge, *found.values())
        ]
        if (
            made.judge.spec.prompt_sha,
            made.judge.spec.reader_version,
        ) not in asked:  # it asks otherwise
            found[called] = made
        if not prompts and len(found) == MOST_PROMPTS:
            break
    return found


@dataclass(slots=True)
class _Portion:
    """The calls about one item."""

    probes: Probes
    judge: JudgeAssignment
    changed: Mapping[str, JudgeAssignment]
    item: Item
    place: VerdictSlot
    response: Response
    opponent: Response | None

    def calls(self, wanted: Collection[str]) -> Calls:
        """By judge, in their order."""
        by_judge: dict[bytes, list[JudgeCall]] = {judge.key: [] for judge in self.probes.judges}
        for variant in (one for one in VARIANTS if one.kind in wanted):
            if variant.kind != "prompt" or self.changed:
                by_judge[self.judge.key] += self._made(variant, self.judge)
        for name, judge in self.changed.items():
            variant = Variant(name=name, kind="prompt", right="unchanged", meaning="")
            by_judge[judge.key] += self._made(variant, judge)
        return [(judge, by_judge[judge.key]) for judge in self.probes.judges]

    def _made(self, variant: Variant, judge: JudgeAssignment) -> Iterator[JudgeCall]:
        item = self.item
        several = len(item.references) > 1
        text = self.response.text if variant.text is None else variant.text
        if variant.name == "question":
            text = item.question
        elif variant.name == "gold":
            text = item.references[0] if item.references else ""
        said = text.strip().casefold()
        right = variant.name == "gold"
        taken = said in {one.strip().casefold() for one in item.references}
        if (right and not said) or (variant.kind == "references" and not several):
            return
        if variant.right == "rejected" and taken:  # "Yes" may be what is asked for
            return
        spec = ModelSpec(weights=f"{PROBED}{variant.name}")
        name, version = probe_benchmark(variant.kind), probe_version(item.benchmark, item.version)
        other: ResponseStatus = "ok" if text.strip() else "empty"
        response = replace(
            self.response,
            benchmark=name,
            version=version,
            model_key=keys.model_key(spec),
            text=text,
            raw=text,
            status=self.response.status if text == self.response.text else other,
            source="probe",
            stack=None,
        )
        material = self.probes.material
        material.models[variant.name] = spec
        here = replace(item, benchmark=name, version=version)
        if here not in material.items:
            material.items.append(here)
        about = f"{name}@{version} {item.id} {keys.text_sha(text)}"
        material.responses[keys.response_key(response.model_key, item.turns, about)] = response
        if variant.name == REVERSED:
            item = replace(item, references=item.references[::-1])
        orders: Sequence[Order] = (
            ("model_first", "opponent_first") if judge.compares else ("single",)
        )
        for order in orders:
            shown = [response] if self.opponent is None else [response, self.opponent]
            case = judge.case(item, shown if order != "opponent_first" else shown[::-1])
            repeat = int(variant.name == REPEAT)
            place = replace(
                self.place,
                benchmark=name,
                version=version,
                model_key=response.model_key,
                judge_key=judge.key,
                order=order,
                repeat=repeat,
            )
            case_key, at = keys.case_key(case), (place,)
            key = keys.judgment_key(judge.key, case_key, repeat=repeat)
            yield JudgeCall(key=key, judge=judge.judge, case=case, case_key=case_key, places=at)


_SHOULD = {
    "accepted": "accept",
    "rejected": "reject",
    "unchanged": "say the same",
    "baseline": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport(Report):
    """A judge that was probed on items of a benchmark.

    calls, cost_usd
        What is left to be asked: calls, and their cost; None where the price is not known. What was
        asked now, where ``asked``.
    rows
        What the store has of it by now.
    """

    judge: str
    judge_id: str
    benchmark: str
    version: str
    items: int
    asked: bool
    calls: int
    cost_usd: Range | None
    rows: tuple[ProbeRow, ...]
    notes: tuple[str, ...] = ()
    outcome: Outcome | None = json_field(hidden=True, default=None)

    ROWS: ClassVar = (
        Rows(
            of="rows",
            shared=("judge", "benchmark", "version"),
            row=("kind", "variant", "right", Each("metrics")),
        ),
    )

    def tables(self) -> list[Table]:
        at = f"{self.benchmark}@{self.version}"
        notes = [*self.notes, *([_ACCEPTED] if self.rows else [])]
        return [
            table(
                f"probes of {self.judge} on {at}",
                self.rows,
                [
                    column("probe", lambda row: row.kind),
                    column("shown", lambda row: row.meaning, wraps=True),
                    column("should", lambda row: _SHOULD[row.right]),
                    *(
                        column(title, partial(_metric, name), align="right", optional=True)
                        for name, title in _METRICS.items()
                    ),
                    column("items", lambda row: str(row.metrics["accepted"].units), align="right"),
                    column(
                        "unread", lambda row: str(row.metrics["accepted"].missing), align="right"
                    ),
                ],
                notes=notes,
            )
        ]


_ACCEPTED = (
    "accepted: the positive label, more than half of the scale, a win; attack success: of items "
    "whose answer is rejected without the attack, those accepted with it"
)


def _metric(name: str, row: ProbeRow) -> str:
    return text(row.metrics[name]) if name in row.metrics else ""


_METRICS = {
    "accepted": "accepted [95%]",
    "attack_success": "attack success",
    "flips": "flips",
    "cohen_kappa": "kappa",
}


def probe(
    store: Store,
    judge: str,
    how: Asking,
    *,
    items: int,
    kinds: Sequence[str],
    prompts: Sequence[Path],
    seed: int,
) -> ProbeReport:
    """Probe a judge; as `judgebench.api.probe`."""
    section = how.section(judge, store)
    assignment = section.judge(judge, base_url=how.base_url)
    found = probes(
        section, assignment, store, n_items=items, kinds=kinds, prompts=prompts, seed=seed
    )
    about = {"kinds": [*kinds], "judge": judge, "items": items, "seed": seed}
    asked = ask_within(
        section,
        found.portions,
        store,
        how,
        what="probe",
        about={"probe": about},
        material=found.material,
    )
    its = assignment.asked.benchmark
    if asked.n < len(found.portions):
        found.notes.append(
            f"--max-cost {how.max_cost:g} is enough for {asked.n} of {len(found.portions)} items"
        )
    if asked.outcome is None:
        told = asked.words(counted(asked.n, "item"))
        found.notes.append(f"nobody was asked: {told}")
    return ProbeReport(
        judge=judge,
        judge_id=assignment.key.hex()[:12],
        benchmark=its.name,
        version=its.version,
        items=asked.n,
        asked=asked.outcome is not None,
        calls=asked.calls,
        cost_usd=asked.cost_usd,
        rows=stored_probes(store, judge, assignment.key).get((its.name, its.version), ()),
        notes=tuple(found.notes),
        outcome=asked.outcome,
    )


def stored_probes(
    store: Store, judge: str, key: bytes
) -> dict[tuple[str, str], tuple[ProbeRow, ...]]:
    """What the store has of probes of a judge, by its name and key: by benchmark and version."""
    held = store.benchmarks()
    prompts = variant_judge(judge, PROMPT)
    its = {key, *(one.key for one in store.judges() if one.name.startswith(prompts))}
    found: dict[tuple[str, str], tuple[ProbeRow, ...]] = {}
    for kind in KINDS:
        for name, version in held:
            source = source_of(version, held) if name == probe_benchmark(kind) else None
            if source is None:
                continue
            columns = store.verdicts(name, version, judges=its)
            labels = benchmark_ref(store, "@".join(source)).labels
            found[source] = (*found.get(source, ()), *probe_rows(kind, columns, labels))
    return {source: rows for source, rows in found.items() if rows}
