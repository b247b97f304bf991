"""The baseline's other nights: the same model asked again, whose verdicts may be averaged with its.

A night of the baseline is a version on the same benchmark that is the same model by what it is:
equal weights, prompting and decoding but for the seed, or but for the time of the log that it was
imported from. Of recorded answers nothing but the name is known; they are believed to be one model
asked again, unless the candidate goes by that name too: then versions are its checkpoints.

A night counts where the same judge has judged it, served by the same model, and where its answers
come from the same stack. Several answers to an item (samples) need nothing of this: they are one
model's, and their verdicts are averaged everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from judgebench.metrics.board_kinds import BoardKind
from judgebench.records import ModelSpec
from judgebench.reports.gate_models import newest_first
from judgebench.reports.model_pairs import PairData
from judgebench.store.catalog import StoredModel

_ANSWERS, _NAME, _RUN = "answers:", "name:", " run:"
"""What the weights of recorded answers and of imported ones begin with, and what tells nights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherNights:
    """Versions that are the baseline asked again, the newest first, as they are shown.

    notes
        What was left out, and why.
    """

    models: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def other_nights(
    data: PairData, kind: BoardKind, judge: str, two: tuple[str, str], *, most: int | None = None
) -> OtherNights:
    """The nights of a baseline beside the one that is its own.

    Parameters
    ----------
    two
        Candidate and baseline as the boards show them.
    most
        How many, the newest ones; all if None.
    """
    models = {model.id: model for model in data.board.store.models()}
    by_name = {shown: models[one] for shown, one in data.board.model_ids.items() if one in models}
    candidate, baseline = by_name.get(two[0]), by_name.get(two[1])
    if baseline is None or most == 0 or kind.opponent == two[1]:
        return OtherNights()
    again = [
        shown
        for shown in newest_first(data.board)
        if shown not in two and shown in by_name and _same_model(by_name[shown], baseline)
    ]
    if again and candidate is not None and _by_name(baseline) and _same_model(candidate, baseline):
        return OtherNights(
            notes=(
                f"{data.which}: {len(again)} other version{'s' * (len(again) > 1)} of "
                f"{baseline.name} are not averaged: the candidate goes by that name too, so they "
                "are checkpoints of it",
            )
        )
    found, notes = [], []
    judged = data.models_of(kind, judge)
    for shown in again:
        why = None
        if shown not in judged:
            why = f"{judge} has not judged it"
        elif data.served(judge, shown) != data.served(judge, two[1]):
            why = "another model served the judge"
        elif data.stacks(shown) != data.stacks(two[1]):
            why = "its answers come from another stack"
        if why is None:
            found.append(shown)
        elif most is None or len(found) < most:
            notes.append(f"{data.which}: {shown} is not averaged with the baseline: {why}")
    return OtherNights(models=tuple(found[:most]), notes=tuple(notes))


def _same_model(one: StoredModel, other: StoredModel) -> bool:
    if one.spec.weights.startswith(_ANSWERS) and other.spec.weights.startswith(_ANSWERS):
        return bool(set(one.names) & set(other.names))
    return _without_night(one.spec) == _without_night(other.spec)


def _by_name(model: StoredModel) -> bool:
    """Whether nothing but its name says which model it is."""
    return model.spec.weights.startswith((_ANSWERS, _NAME))


def _without_night(spec: ModelSpec) -> ModelSpec:
    decoding = {name: value for name, value in spec.decoding.items() if name != "seed"}
    if isinstance(further := decoding.get("further"), Mapping):
        decoding["further"] = {n: value for n, value in further.items() if n != "seed"}
    return replace(spec, weights=spec.weights.partition(_RUN)[0], decoding=decoding)
