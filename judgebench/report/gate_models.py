"""Which version of a model is the candidate of a gate, and which its baseline.

A team calls its checkpoint by the same name every night. Of several models of one name the newest
is meant: the one whose verdicts came last. A baseline of the candidate's name is the newest other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from judgebench.errors import UsageError
from judgebench.report.board_data import BoardData
from judgebench.report.boards import Columns, model_called


def the_two(data: BoardData, verdicts: Columns, candidate: str, baseline: str) -> tuple[str, str]:
    """Candidate and baseline as the boards of a benchmark show them.

    Parameters
    ----------
    verdicts
        Of the benchmark as they are stored, for when each model was judged.
    candidate, baseline
        By name, by a name as it is shown, or by id.

    Raises
    ------
    UsageError
        Where one of them is not there, and where both are the same model.
    """
    newest = _newest_first(data, verdicts)
    chosen = _called(data, newest, candidate)
    others = [shown for shown in newest if shown != chosen]
    against = _called(data, others, baseline) if candidate == baseline else None
    against = against or _called(data, newest, baseline)
    if against == chosen:
        raise UsageError(
            f"{data.which}: candidate and baseline are one and the same model, {chosen}: nothing "
            "changed, or the store has one version of it only"
        )
    return chosen, against


def _called(data: BoardData, newest: Sequence[str], name: str) -> str:
    ids = {shown: data.model_ids[shown] for shown in newest}
    plain = {model.id: (model.name, *model.names) for model in data.store.models()}
    if name not in newest and name not in ids.values():
        for shown in newest:
            if name in plain.get(ids[shown], ()):
                return shown
    return model_called(name, list(newest), ids, data.store, data.which)


def _newest_first(data: BoardData, verdicts: Columns) -> list[str]:
    last: dict[str, float] = {}
    for model, at in zip(verdicts["model_id"], verdicts["at"], strict=True):
        if model is not None:
            last[model] = max(last.get(model, 0.0), at or 0.0)
    shown: Mapping[str, str] = data.models
    return [shown[one] for one in sorted(last, key=lambda one: (-last[one], one))]
