"""Who in one run corresponds to whom in another: by identity, and only then by name.

A name finds the counterpart of what changed, as tonight's checkpoint is that of last night's. That
the two are the same is never told by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from judgebench.store.catalog import StoredJudge, StoredModel, distinct_names

Stored = TypeVar("Stored", StoredModel, StoredJudge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterparts(Generic[Stored]):
    """One in the first run and one in the second; ``label`` means no other pair."""

    label: str
    first: Stored
    second: Stored

    @property
    def same(self) -> bool:
        """Whether they are one and the same."""
        return self.first.key == self.second.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched(Generic[Stored]):
    """Those of two runs that correspond, and those that have no counterpart, by label."""

    both: tuple[Counterparts[Stored], ...]
    first_alone: Mapping[str, Stored]
    second_alone: Mapping[str, Stored]


def matched(
    first: Sequence[Stored],
    second: Sequence[Stored],
    names: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> Matched[Stored]:
    """Match what two runs had.

    Parameters
    ----------
    first, second
        The models, or the judges, of either run.
    names
        What things were called in either run: of several names of one thing, that one counts.
    """
    after = {one.key: one for one in second}
    pairs = [(one, after[one.key]) for one in first if one.key in after]
    known = {one.key for one, _ in pairs}
    left = _by_name([one for one in first if one.key not in known], names[0])
    right = _by_name([one for one in second if one.key not in known], names[1])
    pairs += [(one, right[name]) for name, one in left.items() if name in right]
    for one, other in pairs:
        known |= {one.key, other.key}
    labels = distinct_names(
        {one.id: _name(one, names[1]) for _, one in pairs}
        | {one.id: _name(one, names[0]) for one in first if one.key not in known}
        | {one.id: _name(one, names[1]) for one in second if one.key not in known}
    )
    return Matched(
        both=tuple(
            sorted(
                (Counterparts(label=labels[b.id], first=a, second=b) for a, b in pairs),
                key=lambda pair: pair.label,
            )
        ),
        first_alone=_alone(first, known, labels),
        second_alone=_alone(second, known, labels),
    )


def _alone(
    some: Sequence[Stored], known: set[bytes], labels: Mapping[str, str]
) -> dict[str, Stored]:
    return dict(sorted((labels[one.id], one) for one in some if one.key not in known))


def _by_name(some: Sequence[Stored], called: Sequence[str]) -> dict[str, Stored]:
    """Those that alone go by their name."""
    names = [_name(one, called) for one in some]
    times = Counter(names)
    return {name: one for name, one in zip(names, some, strict=True) if times[name] == 1}


def _name(one: Stored, called: Sequence[str]) -> str:
    return next((name for name in one.names if name in called), one.name)
