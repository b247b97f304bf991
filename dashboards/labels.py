"""What the label page reads and writes. Names and ids only, and the texts of the one item shown."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import reads
import streamlit as st
from open_store import opened

from judgebench.errors import ConfigError
from judgebench.labels import (
    Asked,
    Cell,
    answered_by,
    labelled,
    labels_of,
    last_label,
    place_of,
    put_label,
    queue,
)
from judgebench.metrics.board_kinds import Kind
from judgebench.protocols import at_most
from judgebench.records import (
    Item,
    Label,
    Preference,
    Response,
    Score,
    Verdict,
    VerdictSlot,
    is_human,
)
from judgebench.reports.boards import meant
from judgebench.reports.estimates import to_json
from judgebench.reports.rater_agreement import rater_agreement
from judgebench.store import Store, open_store
from judgebench.store.catalog import distinct_names
from judgebench.store.opening import store_id

SAMPLED = 50
"""How many verdicts of each judge tell what people are asked for."""

FEW = 10
"""Under so many answers in common no kappa is shown."""


WAIT_S = 30.0
"""How long a label waits while others write: the page cannot say that it waits."""

LABEL_STORE = "JUDGEBENCH_LABEL_STORE"

MOST_POINTS = 11
"""The digits of a keyboard, and one without a key."""

Answered: TypeAlias = dict[bytes, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What can be labelled on a benchmark, and what its judges say of it.

    ``models`` are those with answers, name by key. ``kind`` is what most judges give, ``opponent``
    whom most compare with.
    """

    labels: tuple[str, ...]
    models: dict[bytes, str]
    kind: Kind
    opponent: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The points there are, and what is rated on them, one after another."""

    low: int
    high: int
    parts: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[str, ...]:
        """The dimensions, and the whole last."""
        return (*self.parts, "overall" if self.parts else "score")

    def verdict(self, given: Sequence[int]) -> Score:
        parts = dict(zip(self.parts, map(float, given), strict=False))
        return Score(value=float(given[-1]), low=self.low, high=self.high, parts=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a rater is: the cells of the queue that are labelled, and the last label given."""

    cells: Sequence[Cell]
    done: frozenset[Cell]
    counts: dict[str, int]
    last: Cell | None

    def next(self, skipped: Collection[Cell]) -> Cell | None:
        """The first in the queue that is neither labelled nor skipped; then those skipped."""
        left = (cell for cell in self.cells if cell not in self.done)
        fresh = (cell for cell in self.cells if cell not in self.done and cell not in skipped)
        return next(fresh, None) or next(left, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One item with the answers to it, in the order in which they are shown."""

    place: VerdictSlot
    item: Item | None
    answers: tuple[Response, ...]
    scale: Scale | None


def answers_state(url: str) -> int:
    """Differs whenever there are new answers; labels leave it as it is."""
    with opened(url) as store:
        return store.newest_answer()


@st.cache_resource(max_entries=8, show_spinner=False)
def answered(url: str, state: int, benchmark: str, version: str) -> Answered:
    with opened(url) as store:
        return answered_by(store, benchmark, version)


@st.cache_resource(max_entries=16, show_spinner=False)
def cells(
    url: str, state: int, key: str, _asked: Asked
) -> tuple[tuple[Cell, ...], frozenset[Cell]]:
    """The queue, and the same as a set."""
    found = queue(_asked, answered(url, state, _asked.benchmark, _asked.version))
    return tuple(found), frozenset(found)


@st.cache_resource(max_entries=reads.KEPT, show_spinner=False)
def ground(url: str, mark: str, state: int, benchmark: str, version: str) -> Ground:
    there = answered(url, state, benchmark, version)
    with opened(url) as store:
        labels = meant(store, f"{benchmark}@{version}").labels
        names = distinct_names({model.id: model.name for model in store.models()})
        models = {model.key: names[model.id] for model in store.models() if model.key in there}
        key_of = {model.id: model.key for model in store.models() if model.key in there}
        said = store.some_of_each(benchmark, version, SAMPLED)
    kinds: Counter[Any] = Counter()
    opponents: Counter[bytes] = Counter()
    for kind, judge, opponent in zip(said["kind"], said["judge"], said["opponent_id"], strict=True):
        if kind != "unreadable" and not is_human(judge):
            kinds[kind] += 1
        if opponent in key_of:
            opponents[key_of[opponent]] += 1
    return Ground(
        labels=labels,
        models=dict(sorted(models.items(), key=lambda model: model[1])),
        kind=kinds.most_common(1)[0][0] if kinds else "label",
        opponent=opponents.most_common(1)[0][0] if opponents else next(iter(models), None),
    )


def standing(url: str, state: int, asked: Asked, kind: Kind) -> Standing:
    """Read afresh each time, since the label before this one has to count."""
    everything, known = cells(url, state, repr(asked), asked)
    with opened(url) as store:
        labels = labels_of(store, asked)
    return Standing(
        cells=everything,
        done=known & labelled(labels, asked),
        counts=_counts(labels, kind),
        last=last_label(labels, asked),
    )


def _counts(labels: Any, asked_for: Kind) -> dict[str, int]:
    """How often the rater said what, of that kind and on the whole benchmark, the usual first."""
    said: Counter[str] = Counter()
    for kind, label, value in zip(labels["kind"], labels["label"], labels["value"], strict=True):
        if kind != asked_for:
            continue
        if kind == "label":
            said[label] += 1
        elif kind == "preference":
            said["tied" if value == 0.5 else "decided"] += 1
        else:
            said["scored"] += 1
    return dict(said.most_common())


def look_at(url: str, asked: Asked, cell: Cell, kind: Kind) -> Shown:
    """The texts of one cell."""
    place = place_of(asked, cell)
    with opened(url) as store:
        answers = [
            _first(store.answers_to(asked.benchmark, asked.version, model, [place.item_id]))
            for model in (place.model_key, place.opponent_key)
            if model is not None
        ]
        if place.order == "opponent_first":
            answers.reverse()
        (item,) = store.items(asked.benchmark, asked.version, [place.item_id]) or (None,)
        scale = None
        if kind == "score":
            here = store.said_of(asked.benchmark, asked.version, place.item_id)
            anywhere = store.some_of_each(asked.benchmark, asked.version, SAMPLED)
            scale = scale_in(here) or scale_in(anywhere) or Scale(low=1, high=10)
    return Shown(place=place, item=item, answers=tuple(answers), scale=scale)


def _first(answers: Sequence[Response]) -> Response:
    return next(answer for answer in answers if (answer.sample, answer.turn) == (0, 0))


def scale_in(said: Any) -> Scale | None:
    """That of the judges that score in whole numbers, with the most dimensions that one has."""
    found = [
        Scale(low=int(low), high=int(high), parts=tuple(parts or ()))
        for kind, judge, low, high, parts in zip(
            *(said[name] for name in ("kind", "judge", "low", "high", "parts")), strict=True
        )
        if kind == "score" and not is_human(judge) and _countable(low, high)
    ]
    return max(found, key=lambda scale: len(scale.parts), default=None)


def _countable(low: float, high: float) -> bool:
    whole = float(low).is_integer() and float(high).is_integer()  # an endless scale is not
    return whole and 0 <= low < high <= low + MOST_POINTS - 1


def verdicts_of(kind: Kind, labels: Sequence[str]) -> dict[str, tuple[str, Verdict]]:
    """What can be said with one key: key -> its words and the verdict; no scores."""
    if kind == "preference":
        return {
            "1": ("Left is better", Preference(winner=0, p_first=1.0)),
            "0": ("Tie", Preference(winner=None, p_first=0.5)),
            "2": ("Right is better", Preference(winner=1, p_first=0.0)),
        }
    keys = "10" if len(labels) == 2 else "1234567890"
    return {
        key: (label, Label(name=label)) for key, label in zip(keys, reversed(labels), strict=False)
    }


def write(url: str, rater: str, place: VerdictSlot, verdict: Verdict) -> None:
    """The one thing that this page writes; in the store, durably, when this returns."""
    address = label_url() or url
    with at_most(WAIT_S), open_store(address, create=False) as store:
        if address != url:
            _refuse_another(url, store)
        put_label(store, rater, place, verdict)


def label_url() -> str | None:
    """The address under which labels are written, where that of the pages may only read."""
    return os.environ.get(LABEL_STORE) or None


def _refuse_another(url: str, labelled: Store) -> None:
    """The two addresses are of one store with two users; labels in another one would be lost."""
    with opened(url) as store:
        if store_id(store) != store_id(labelled):
            raise ConfigError(
                f"labels are written to {labelled.name} ({LABEL_STORE}), which is another store"
                f" than the one that is shown, {store.name}; give the address of the same one"
            )


@st.cache_data(max_entries=reads.KEPT, show_spinner=False)
def agreement(
    url: str, mark: str, benchmark: str, version: str, judge_key: bytes, kind: Kind
) -> list[dict[str, Any]]:
    """Of the rater with everybody else, on what they have labelled so far; people first."""
    with opened(url) as store:
        rows = rater_agreement(store, benchmark, version, judge_key, kind)
    return [
        {"judge": row.judge}
        | {name: to_json(row.metrics[name]) for name in ("cohen_kappa", "agreement")}
        for row in rows
    ]
