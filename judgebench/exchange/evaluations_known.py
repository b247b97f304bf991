"""What a store has already of another harness's log, and whether it says otherwise."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from judgebench import keys
from judgebench.exchange.evaluations_checking import Checked
from judgebench.exchange.evaluations_rows import Rows, Where, portions
from judgebench.exchange.responses import same_text
from judgebench.records import Failure, ModelSpec
from judgebench.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How many rows of an evaluation are new; ``contradiction`` says where the store differs."""

    new: int = 0
    contradiction: str = ""


def compare(store: Store, checked: Checked, spec: ModelSpec) -> Known:
    """An evaluation beside what the store has of this model."""
    if keys.model_key(spec) not in {model.key for model in store.models()}:
        return Known(new=checked.rows)
    kept, new = _Kept(store, checked, spec), 0
    for rows in portions(checked, spec, run_id=""):
        found = kept.compared(rows)
        if found.contradiction:
            return found
        new += found.new
    return Known(new=new)


def failed(store: Store, checked: Checked, spec: ModelSpec) -> set[Where]:
    """Where the store knows already that the model gave no answer."""
    evaluation, short = checked.evaluation, keys.model_key(spec).hex()[:12]
    table = store.failures(evaluation.benchmark, evaluation.version)
    columns = ("item_id", "sample", "model_id", "judge_id")
    return {
        (item, sample)
        for item, sample, model, judge in zip(*(table[c] for c in columns), strict=True)
        if model == short and judge is None
    }


def unknown_failures(store: Store, rows: Rows, known: Collection[Where]) -> list[Failure]:
    """The failures that the store neither has nor, since then, has an answer in place of."""
    answered = store.responses([failure.key for failure in rows.failures.values()])
    return [
        failure
        for where, failure in rows.failures.items()
        if where not in known and failure.key not in answered
    ]


class _Kept:
    """The answers, verdicts and failures of one model on one benchmark."""

    def __init__(self, store: Store, checked: Checked, spec: ModelSpec) -> None:
        self._store, self._checked, self._spec = store, checked, spec
        self._marks: dict[bytes, dict[Where, object]] = {}

    def compared(self, rows: Rows) -> Known:
        stored = self._store.responses(rows.responses)
        for key, responses in stored.items():
            text = rows.responses[key].text
            if not any(same_text(response.text, text) for response in responses):
                return Known(
                    contradiction=f"{rows.where[key]}: the store has another answer of this model"
                )
        judged = self._store.judged([judgment.key for judgment, _ in rows.judgments])
        unjudged = [pair for pair in rows.judgments if pair[0].key not in judged]
        for judgment, use in unjudged:
            where = use.place.item_id, use.place.sample
            before = self._marks_of(judgment.judge_key).get(where)
            if before is not None:
                return Known(
                    contradiction=f"{self._checked.evaluation.path}: item {where[0]!r}: the store "
                    f"has another mark of this model ({before})"
                )
        failures = unknown_failures(self._store, rows, self._failed)
        return Known(new=len(rows.responses) - len(stored) + len(unjudged) + len(failures))

    @cached_property
    def _failed(self) -> set[Where]:
        return failed(self._store, self._checked, self._spec)

    def _marks_of(self, judge: bytes) -> dict[Where, object]:
        """What the store has of a judge about this model."""
        if judge not in self._marks:
            table = self._store.verdicts(
                *self._checked.evaluation.at, judges=[judge], models=[keys.model_key(self._spec)]
            )
            columns = ("item_id", "sample", "label", "value", "kind")
            self._marks[judge] = {
                (item, sample): {"label": label, "score": value}.get(kind, kind)
                for item, sample, label, value, kind in zip(
                    *(table[c] for c in columns), strict=True
                )
            }
        return self._marks[judge]
