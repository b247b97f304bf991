"""What there is to choose among a benchmark's confidences, told from the first rows of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from judgebench.reports.boards import meant
from judgebench.reports.confidence_data import ConfidenceData
from judgebench.store import Store

FIRST = 12
"""Rows that are looked at of each judge on each model, of a question's samples the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What can be held against the labels of one judge.

    judges
        Ids of all whose verdicts matter: that judge's, and those that give confidences.
    models
        Whose answers there are, or were judged.
    confidences
        Those that there are, by the name that reports give them.
    lacking
        The other ones, and why there are none.
    """

    judges: frozenset[str]
    models: tuple[str, ...]
    confidences: tuple[str, ...]
    lacking: Mapping[str, str]


def labelling(store: Store, benchmark: str) -> dict[str, str]:
    """The judges that have said which first answers are correct: the name shown -> the id.

    Parameters
    ----------
    benchmark
        ``NAME@VERSION``.
    """
    data = ConfidenceData(store, meant(store, benchmark), rouge="lin", first=FIRST)
    known = set(data.labelling_judges())
    ids = sorted(data.judges.items(), key=lambda one: (one[1], one[0]))
    return {name: judge for judge, name in ids if name in known}


def choice(store: Store, benchmark: str, correct: str | None) -> Choice:
    """The models and confidences of a benchmark.

    Parameters
    ----------
    benchmark
        ``NAME@VERSION``.
    correct
        The judge whose labels count, by id; None where nobody labels.
    """
    which = meant(store, benchmark)
    everybody = ConfidenceData(store, which, rouge="lin", first=FIRST)
    giving = everybody.confidence_judges()
    ids = {judge for judge, name in everybody.judges.items() if name in giving}
    judges = frozenset(ids if correct is None else ids | {correct})
    # Again with these alone, since what they are called depends on who else is there.
    data = ConfidenceData(store, which, rouge="lin", judges=judges, first=FIRST)
    found = {name: make() for name, make in data.confidences().items()}
    answers = data.answers().union(*(one.of for one in found.values()))
    if correct is not None and (judge := data.judges.get(correct)) in data.labelling_judges():
        answers |= set(data.correct(judge))
    return Choice(
        judges=judges,
        models=tuple(sorted({model for model, _ in answers})),
        confidences=tuple(name for name, one in found.items() if one.of or one.judge),
        lacking={name: one.why_none for name, one in found.items() if not one.of and not one.judge},
    )
