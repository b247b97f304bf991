"""Which sets of questions a benchmark's answers fall into, and what each of them weighs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from natsort import natsorted, ns

from judgebench.benchmarks.folder import items_at_hand
from judgebench.metrics.confidence_board import QuestionSet
from judgebench.metrics.verdict_table import coded
from judgebench.records import Item
from judgebench.reports.boards import Meant
from judgebench.reports.confidence_data import Answer, ConfidenceData


def question_sets(
    data: ConfidenceData, answers: Collection[Answer]
) -> tuple[list[QuestionSet], bool]:
    """The sets that somebody was asked about, in order of name.

    Returns
    -------
    sets, full
        Whether their sizes are those of the whole benchmark, whose data is here, or else of what
        the store holds of each.
    """
    contents = data.store.item_contents(data.which.name, data.which.version)
    members: dict[str, list[str]] = {}
    for item in natsorted({item for _, item in answers}, alg=ns.PRESORT):
        members.setdefault(_set_of(data.items.get(item), data.which), []).append(item)
    stored = Counter(_set_of(item, data.which) for item in data.items.values())
    known = _full_sizes(data.which) if len(members) > 1 else None
    sets = []
    for name, items in sorted(members.items()):
        first: dict[str, str] = {}
        units, unit_of = coded([first.setdefault(contents.get(i) or i, i) for i in items])
        size = (known or stored).get(name, 0)
        sets.append(
            QuestionSet(
                name=name,
                domain=_domain(data.items.get(items[0])),
                size=max(size, len(items)),
                items=tuple(items),
                units=units,
                unit_of=unit_of,
            )
        )
    return sets, known is not None


def _set_of(item: Item | None, which: Meant) -> str:
    return which.name if item is None or item.category is None else item.category


def _domain(item: Item | None) -> str | None:
    domain = None if item is None else item.metadata.get("domain")
    return domain if isinstance(domain, str) else None


def _full_sizes(which: Meant) -> Mapping[str, int] | None:
    """How many questions each set has; None where the benchmark's data is not here."""
    known = items_at_hand(which.name, which.version)
    return None if known is None else Counter(_set_of(item, which) for item in known.values())
