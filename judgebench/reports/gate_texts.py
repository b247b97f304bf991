"""What a gate's items say: their questions, and what both models answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from judgebench.reports.gate_document import worst_first
from judgebench.reports.gate_outcome import GateReport
from judgebench.store import Store


@dataclass(frozen=True, slots=True)
class GateTexts:
    """Of the items that flipped and are shown.

    questions
        By benchmark and item.
    answers
        By benchmark, short id of the model, and item. Of several samples the first, with all of its
        turns; an imported verdict may have none.
    """

    questions: Mapping[tuple[str, str], str] = field(default_factory=dict)
    answers: Mapping[tuple[str, str, str], str] = field(default_factory=dict)


def texts_of(store: Store, report: GateReport) -> GateTexts:
    """Read them from the store."""
    questions: dict[tuple[str, str], str] = {}
    turns: dict[tuple[str, str, str], dict[tuple[int, int], str]] = {}
    for one in report.tests:
        wanted = {flip.item_id for flip in worst_first(one.flips)}
        if not wanted:
            continue
        for item in store.items(one.benchmark, one.version):
            if item.id in wanted and item.turns:
                questions[one.benchmark, item.id] = item.question
        table = store.responses_table(one.benchmark, one.version)
        columns = (table[name] for name in ("item_id", "model_id", "sample", "turn", "newest"))
        both = {one.candidate_id, one.baseline_id}
        for (item_id, model, sample, turn, newest), text in zip(
            zip(*columns, strict=True), table["text"], strict=True
        ):
            if newest and item_id in wanted and model in both:
                turns.setdefault((one.benchmark, model, item_id), {})[sample, turn] = text
    return GateTexts(questions, {place: _first_sample(said) for place, said in turns.items()})


def _first_sample(said: Mapping[tuple[int, int], str]) -> str:
    first = min(sample for sample, _ in said)
    return "\n\n".join(text for (sample, _), text in sorted(said.items()) if sample == first)
