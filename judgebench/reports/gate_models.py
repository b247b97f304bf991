"""Which version of a model is the candidate of a gate, and which its baseline.

A team calls its checkpoint by the same name every night. Of several models of one name the newest
is meant: the one that was evaluated last, also where all of its verdicts are known from an earlier
night, and also where nobody has judged it yet. A baseline of the candidate's name is the newest
other.
Before all these stands a baseline that was given a name of its own (`judgebench baseline set`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from judgebench.errors import UsageError
from judgebench.reports.board_data import BoardData
from judgebench.reports.boards import model_called


def the_two(
    data: BoardData, candidate: str, baseline: str, held: str | None = None
) -> tuple[str, str]:
    """Candidate and baseline as the boards of a benchmark show them.

    Parameters
    ----------
    candidate, baseline
        By name, by a name as it is shown, or by id.
    held
        The id of the model that is the baseline of that name; None where there is no such baseline.
        It may be the candidate itself: nothing has changed then.

    Raises
    ------
    UsageError
        Where one of them is not there, and where both are the same model.
    """
    newest = newest_first(data)
    chosen = _called(data, newest, candidate)
    if held is not None:
        return chosen, _called(data, newest, held)
    others = [shown for shown in newest if shown != chosen]
    # A baseline of the candidate's name is another model of it, if there is one.
    among = others if _named(data, others, baseline) else newest
    try:
        against = _called(data, among, baseline)
    except UsageError as error:
        raise UsageError(
            f"{error}. Nor has a baseline that name; `judgebench baseline set` would give it one"
        ) from None
    if against == chosen:
        raise UsageError(
            f"{data.which}: candidate and baseline are one and the same model, {chosen}: nothing "
            "changed, or the store has one version of it only"
        )
    return chosen, against


def newest_called(data: BoardData, name: str) -> str | None:
    """The newest model of a name, a shown name or an id, as it is shown; None without any."""
    newest = newest_first(data)
    itself = [shown for shown in newest if name in (shown, data.model_ids[shown])]
    return next(iter([*_named(data, newest, name), *itself]), None)


def _called(data: BoardData, newest: Sequence[str], name: str) -> str:
    """The model that is meant, as it is shown: of several of a plain name the first."""
    ids = {shown: data.model_ids[shown] for shown in newest}
    if name not in ids and name not in ids.values() and (named := _named(data, newest, name)):
        return named[0]
    return model_called(name, list(newest), ids, data.store, data.which)


def _named(data: BoardData, among: Sequence[str], name: str) -> list[str]:
    """The models that go by a name, or did."""
    names = {model.id: (model.name, *model.names) for model in data.store.models()}
    return [shown for shown in among if name in names.get(data.model_ids[shown], ())]


def newest_first(data: BoardData) -> list[str]:
    """The models as they are shown, by the last run that used a verdict on them, then by verdicts.

    One that has answers or failures and no verdict counts from those on: tonight's model must not
    be taken for last night's because no judge could be reached.
    """
    started = {run.id: run.started for run in data.store.runs()}
    last = {model: (at, 0.0) for model, at in data.heard_of.items()}
    for judged, at in data.judged_at.items():
        when = started.get(judged.run_id, 0.0), at
        for one in (judged.model_id, judged.opponent_id):
            if one is not None:
                last[one] = max(last.get(one, when), when)
    shown: Mapping[str, str] = data.models
    return [shown[one] for one in sorted(last, key=lambda one: (last[one], one), reverse=True)]
