"""A sweep that asks: the judges of a suite with other prompts, temperatures and readers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from judgebench import keys
from judgebench.config import JudgeConfig, check
from judgebench.errors import UsageError
from judgebench.execution.forecast import total_cost
from judgebench.execution.manifest import Outcome
from judgebench.execution.one_judge import (
    Calls,
    JudgedSection,
    ask_judges,
    price_of_calls,
    section_of,
    stored_answers,
    together,
    with_budget,
)
from judgebench.execution.plan import JudgeCall, shown_orders
from judgebench.execution.pool import ProviderPool
from judgebench.execution.resolve import JudgeAssignment, assign
from judgebench.metrics.board_kinds import Kind
from judgebench.plain_text import counted, dollars
from judgebench.protocols import Progress
from judgebench.records import VerdictSlot
from judgebench.reports.judge_sweep import Cell, JudgeSweep, labelled_answers, sweep
from judgebench.store import Store


def variants(
    section: JudgedSection,
    judges: Collection[str] = (),
    prompts: Sequence[Path] = (),
    temperatures: Sequence[float] = (),
    readers: Sequence[Any] = (),
) -> list[JudgeAssignment]:
    """The judges of a benchmark, each with every prompt, temperature and reader.

    Parameters
    ----------
    judges
        Only these; those of the benchmark if empty.
    prompts, temperatures, readers
        In place of the judge's own, which is tried as well where none is given. What asks no model
        has none of them.

    Raises
    ------
    UsageError, ConfigError
        For a judge that is not there, and what it cannot be told.
    """
    configs = {one.name: one for one in section.suite.judges}
    found: dict[bytes, JudgeAssignment] = {}
    for name in judges or section.asked.config.judges:
        config = configs.get(name)
        if config is None or config.provider is None:
            its = section.judge(name)
            found[its.key] = its
            continue
        tried: list[Sequence[Any]] = [one or [None] for one in (prompts, temperatures, readers)]
        for prompt, temperature, reader in product(*tried):
            told = config.model_dump(exclude_unset=True, by_alias=True)
            words = [name]
            if prompt is not None:
                told = {k: v for k, v in told.items() if k not in ("kind", "options")}
                told["prompt"] = prompt.absolute()
                told.setdefault("read", "brackets")
                words.append(prompt.stem)
            if reader is not None:
                told["read"] = reader
                words.append(reader if isinstance(reader, str) else next(iter(reader)))
            if temperature is not None:
                told["sampling"] = {**config.sampling, "temperature": temperature}
                words.append(f"t{temperature:g}")
            told["name"] = "/".join(words)
            changed = check(JudgeConfig, told, f"judge {told['name']}")
            its = assign(section.asked, changed.name, changed, section.suite)
            found.setdefault(its.key, its)
    return [*found.values()]


class SweepAsking:
    """Asks judges about answers that the store has, and remembers what came of it."""

    def __init__(
        self,
        store: Store,
        section: JudgedSection,
        judges: Sequence[JudgeAssignment],
        pool: ProviderPool,
        progress: Progress,
    ) -> None:
        self.store, self.section, self.pool, self.progress = store, section, pool, progress
        self.judges = {one.key.hex()[:12]: one for one in judges}
        self.outcomes: list[Outcome] = []
        self._items = {item.id: item for item in section.asked.benchmark.items()}
        self._keys = {model.id: model.key for model in store.models()}

    def __call__(self, judges: Collection[str], cells: Collection[Cell]) -> None:
        about = {"judge_sweep": {"judges": sorted(judges), "answers": len(cells)}}
        self.outcomes.append(
            ask_judges(
                self.section, self.calls(judges, cells), store=self.store, pool=self.pool,
                progress=self.progress, about=about,
            )
        )  # fmt: skip

    def calls(self, judges: Collection[str], cells: Collection[Cell]) -> Calls:
        """What judges, by id, are to be asked about answers."""
        asked = [self.judges[one] for one in judges]
        return [(one, together(self._calls(one, cells))) for one in asked]

    def _calls(self, judge: JudgeAssignment, cells: Collection[Cell]) -> Iterator[JudgeCall]:
        benchmark = judge.asked.benchmark
        places = [
            VerdictSlot(
                benchmark=benchmark.name, version=benchmark.version, item_id=item_id,
                model_key=self._keys[model], judge_key=judge.key,
                opponent_key=None if opponent is None else self._keys[opponent],
            )
            for item_id, model, opponent in cells
            if item_id in self._items
        ]  # fmt: skip
        for place, answers in stored_answers(self.store, places).items():
            item = self._items[place.item_id]
            for order, shown in shown_orders(judge, item, *answers, None):
                case = judge.case(item, shown)
                key = keys.judgment_key(judge.key, keys.case_key(case), repeat=0)
                at = replace(place, order=order)
                yield JudgeCall(key=key, judge=judge.judge, case=case, places=(at,))


def asked_sweep(
    store: Store,
    benchmark: str | None,
    *,
    suite: Path,
    progress: Progress,
    judges: Collection[str] = (),
    prompts: Sequence[Path] = (),
    temperatures: Sequence[float] = (),
    readers: Sequence[Any] = (),
    max_cost: float | None = None,
    reference: str | None = None,
    kind: Kind | None = None,
    seed: int = 0,
    budget: float = 1.0,
    **how: Any,
) -> JudgeSweep:
    """As `judge_sweep`, with judges of a suite that are asked as far as the sweep needs it.

    What the whole grid would take is told before anybody is asked.

    Raises
    ------
    UsageError
        As `judge_sweep` and `variants`; where it costs money, and not how much may be spent.
    """
    section = section_of("", suite=suite, store=store, benchmark=benchmark)
    section = with_budget(section, max_cost)
    found = variants(section, judges, prompts, temperatures, readers)
    its = section.asked.benchmark
    labelled = labelled_answers(
        store, f"{its.name}@{its.version}", reference=reference, kind=kind, seed=seed
    )
    if wrong := [one.name for one in found if one.compares != (labelled.kind == "preference")]:
        said = "compares answers" if labelled.kind != "preference" else "judges single answers"
        raise UsageError(f"{wrong[0]} {said}, and the labels are {labelled.kind}s")
    pool = ProviderPool(section.suite, store)
    asking = SweepAsking(store, section, found, pool, progress)
    calls = asking.calls([*asking.judges], labelled.cells)
    priced = price_of_calls(section, store, pool, [[one] for one in calls])
    n, cost = sum(one for one, _ in priced), total_cost(its for _, its in priced)
    forecast = {
        judge.title: its.expected / one
        for (judge, _), (one, its) in zip(calls, priced, strict=True)
        if its is not None and one
    }
    dear = "at a price that is not known" if cost is None else f"{dollars(cost.high)} USD at most"
    progress.say(
        f"{counted(len(found), 'judge')} on {counted(len(labelled.cells), 'labelled answer')}: "
        f"{counted(n, 'call')} in all, {dear}; the sweep takes {budget:.0%} of them at most"
    )
    if (cost is None or cost.high) and max_cost is None:
        raise UsageError("this costs money: --max-cost USD says what may be spent")
    pool.check({f"judge {one.name}": one.config for one in found if one.config is not None})
    made = sweep(
        store, labelled, {one: judge.title for one, judge in asking.judges.items()}, ask=asking,
        forecast=forecast, budget=budget, **how,
    )  # fmt: skip
    notes = [note for outcome in asking.outcomes for note in outcome.notes()]
    if any(outcome.stopped for outcome in asking.outcomes):
        titles = {judge.title for judge in found}
        made = replace(made, verdicts=sum(row.n for row in made.rows if row.judge in titles))
    complete = not any(one.failed or one.stopped or one.waiting for one in asking.outcomes)
    warnings = (*made.warnings, *dict.fromkeys(notes))
    return replace(made, complete=complete, warnings=warnings)
