"""Labels as people give them, one at a time: what they are asked, and the function that writes it.

A label is a judgment of the judge ``human/<rater>``, the same that ``import labels`` makes of a row
of a file: exported and imported again it changes nothing. Labels are events. What a rater says
again about the same follows what was said before; what is taken back is followed by a verdict that
says so, and then the answer counts as not labelled.

What a rater is to label knows no text: a queue is item ids and models, shuffled for each rater by a
seed made of who they are and what they are asked, so that it is the same after a reload, and
whatever has been labelled at any time is a random sample of it.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal, TypeAlias, get_args

from judgebench import keys
from judgebench.errors import InputError
from judgebench.exchange.pipeline import case_key, imported_judge, judgment_key
from judgebench.execution.manifest import new_manifest
from judgebench.metrics.correction import drawn_cells, draws
from judgebench.records import (
    HUMAN,
    WITHDRAWN,
    Item,
    Judgment,
    Label,
    Order,
    Preference,
    Response,
    RunManifest,
    RunVerdict,
    Score,
    Unreadable,
    Verdict,
    VerdictSlot,
    is_human,
)
from judgebench.store.catalog import Columns, distinct_models
from judgebench.store.codec import readable
from judgebench.store.store import Store

LONGEST_NAME = 100
TAKEN_BACK = Unreadable(reason=WITHDRAWN)


def rater_name(name: str) -> str:
    """The judge that a person is: ``human/anna`` for ``anna``, and for itself.

    Raises
    ------
    InputError
        For what can be no name.
    """
    rater = name.strip().removeprefix(f"{HUMAN}/").strip()
    if not rater or len(rater) > LONGEST_NAME or readable(rater) != rater:
        raise InputError(
            f"a rater's name has 1 to {LONGEST_NAME} characters, and none that cannot be stored"
        )
    if not rater.isprintable():
        raise InputError("a rater's name has no line breaks, and no characters that are invisible")
    return f"{HUMAN}/{rater}"


def labelling_run(rater: str, benchmark: str, version: str) -> str:
    """The id of the run that all labels of a rater on a benchmark stand under."""
    return f"labels-{keys.content_key('labels', [rater, benchmark, version]).hex()[:12]}"


def put_label(store: Store, rater: str, place: VerdictSlot, verdict: Verdict) -> bool:
    """Write what a person says of an answer or a pair, in one commit.

    Whoever writes meanwhile, also under the same name, waits: of two labels the later counts, the
    earlier stays beside it, and neither is lost. Of a pair there is one label, whichever answer
    was shown first and whichever model is called the opponent.

    Parameters
    ----------
    rater
        As `rater_name` gives it.
    place
        What the label is about; whose it is follows from ``rater``.
    verdict
        `TAKEN_BACK` for none any more.

    Returns
    -------
    bool
        Whether that is new; False where the rater's label says the same.

    Raises
    ------
    InputError
        For a rater that is no person.
    StoreError
        For a model that the store does not have, and where it cannot be written.
    """
    if not is_human(rater):
        raise InputError(f"labels are given by people, named {HUMAN}/<rater>, not {rater!r}")
    spec = imported_judge(rater)
    place = replace(place, judge_key=keys.judge_key(spec))
    case = case_key(place, *_shown(store, place))
    run_id = labelling_run(rater, place.benchmark, place.version)
    manifest = _manifest(run_id, rater, place) if store.run(run_id) is None else None
    with store.transaction():
        if manifest is not None and store.run(run_id) is None:
            store.start_run(manifest)
        store.put_judge(rater, spec)
        new = _follow(store, run_id, place, case, verdict)
        for other in _same_pair(place):
            _follow(store, run_id, other, case_key(other, None, None), TAKEN_BACK)
    return new


def _follow(store: Store, run_id: str, place: VerdictSlot, case: bytes, verdict: Verdict) -> bool:
    before, said = store.current_at(place) or (None, None)
    if said == verdict or (said is None and verdict == TAKEN_BACK):
        return False
    judgment = Judgment(
        key=judgment_key(place, verdict, before),
        judge_key=place.judge_key,
        case_key=case,
        verdict=verdict,
        at=time.time(),
    )
    use = RunVerdict(run_id=run_id, place=place, judgment_key=judgment.key)
    store.put_judgment(judgment, [use])
    return True


def _same_pair(place: VerdictSlot) -> list[VerdictSlot]:
    """The other places at which a file may have this rater's label of the same two answers."""
    if place.opponent_key is None:
        return []
    one, other, orders = place.model_key, place.opponent_key, get_args(Order)
    everywhere = [
        replace(place, model_key=model, opponent_key=opponent, order=order)
        for (model, opponent), order in product(((one, other), (other, one)), orders)
    ]
    return [found for found in everywhere if found != place]


def _shown(store: Store, place: VerdictSlot) -> tuple[Item | None, tuple[str, str] | None]:
    """The item, and text and status of the answer: the newest, as people are shown."""
    at = (place.benchmark, place.version)
    answers = store.answers_to(*at, place.model_key, [place.item_id])
    same = ((a.text, a.status) for a in answers if (a.sample, a.turn) == (place.sample, place.turn))
    return next(iter(store.items(*at, [place.item_id])), None), next(same, None)


def _manifest(run_id: str, rater: str, place: VerdictSlot) -> RunManifest:
    """A run that is never under way: somebody may label for a year."""
    at = f"{place.benchmark}@{place.version}"
    configuration = {"labels": rater, "about": at}
    begun = new_manifest(f"labels of {rater} on {at}", configuration, data_sha={}, seed=0)
    return replace(begun, id=run_id, seeds={}, state="done")


# what a person is to label ----------------------------------------------------------------------

Kind: TypeAlias = Literal["label", "preference", "score"]

Cell: TypeAlias = tuple[str, bytes]
"""An item, and the model whose answer to it is labelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTask:
    """Who is asked to label what: first answers of some models, alone or against another's.

    ``models`` and ``opponent`` are keys; ``opponent`` is None where answers are looked at alone.
    """

    benchmark: str
    version: str
    rater: str
    models: tuple[bytes, ...]
    opponent: bytes | None = None

    @property
    def judge_key(self) -> bytes:
        return keys.judge_key(imported_judge(self.rater))


def answered_by(store: Store, benchmark: str, version: str) -> dict[bytes, frozenset[str]]:
    """The items that each model has given a first answer to; models without any are left out."""
    found = {}
    for model in store.models():
        answers = store.answered(benchmark, version, model.key)
        if items := frozenset(item for item, sample in answers if sample == 0):
            found[model.key] = items
    return found


SAMPLED = 50
"""How many verdicts of each judge tell what people are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelable:
    """What can be labelled on a benchmark.

    answered
        As of `answered_by`, by the key of the model.
    models
        Their names by key, in the order of names.
    kind
        What most judges give.
    opponent
        Whom most of them compare with; None where no model has answered.
    """

    answered: Mapping[bytes, frozenset[str]]
    models: Mapping[bytes, str]
    kind: Kind
    opponent: bytes | None


def labelable(store: Store, benchmark: str, version: str) -> Labelable:
    """What can be labelled, and what its judges say of it."""
    answered = answered_by(store, benchmark, version)
    known = [model for model in store.models() if model.key in answered]
    names = distinct_models(store.models())
    key_of = {model.id: model.key for model in known}
    said = store.some_of_each(benchmark, version, SAMPLED)
    given = zip(said["kind"], said["judge"], strict=True)
    kinds = Counter(kind for kind, who in given if kind != "unreadable" and not is_human(who))
    opponents = Counter(key_of[one] for one in said["opponent_id"] if one in key_of)
    models = sorted(((model.key, names[model.id]) for model in known), key=lambda one: one[1])
    most: Any = next((kind for kind, _ in kinds.most_common(1)), "label")
    usual = next((key for key, _ in opponents.most_common(1)), models[0][0] if models else None)
    return Labelable(answered=answered, models=dict(models), kind=most, opponent=usual)


def queue(
    asked: LabelTask,
    answered: Mapping[bytes, Collection[str]],
    drawn: Collection[Cell] | None = None,
) -> list[Cell]:
    """All there is to label, in the order of the rater.

    Parameters
    ----------
    answered
        As of `answered_by`.
    drawn
        Only these, of a draw; all if None.
    """
    against = None if asked.opponent is None else frozenset(answered.get(asked.opponent, ()))
    cells = [
        (item, model)
        for model in sorted(asked.models)
        if model != asked.opponent
        for item in sorted(answered.get(model, ()))
        if (against is None or item in against) and (drawn is None or (item, model) in drawn)
    ]
    seed = [asked.rater, asked.benchmark, asked.version, asked.opponent]
    random.Random(keys.content_key("label queue", seed)).shuffle(cells)
    return cells


def drawn_for(store: Store, asked: LabelTask) -> frozenset[Cell] | None:
    """What `judgebench labels export` drew last of what is asked; None where it drew nothing."""
    against = None if asked.opponent is None else _id(asked.opponent)
    every = draws(store, asked.benchmark, asked.version)
    its = [draw for draw in every if draw["opponent"] == against]
    return frozenset(drawn_cells(its[-1], asked.models)) or None if its else None


def place_of(asked: LabelTask, cell: Cell) -> VerdictSlot:
    """Where the label of a cell stands.

    Of a pair this says which answer is shown first, by the hash of rater, item and both models.
    """
    item, model = cell
    order: Order = "single"
    if asked.opponent is not None:
        about = [asked.rater, asked.benchmark, asked.version, item, model, asked.opponent]
        drawn = keys.content_key("label side", about)[0] % 2
        order = "opponent_first" if drawn else "model_first"
    return VerdictSlot(
        benchmark=asked.benchmark,
        version=asked.version,
        item_id=item,
        model_key=model,
        judge_key=asked.judge_key,
        opponent_key=asked.opponent,
        order=order,
    )


def labels_of(store: Store, asked: LabelTask) -> Columns:
    """The rater's labels on the benchmark that count now, as `Store.verdicts` has them."""
    return store.verdicts(asked.benchmark, asked.version, judges=[asked.judge_key])


def labelled(labels: Columns, asked: LabelTask) -> set[Cell]:
    """The cells that have a label, of whatever kind; of a pair, whoever was called the opponent."""
    opponent = None if asked.opponent is None else _id(asked.opponent)
    model_of = {_id(model): model for model in asked.models}
    found = set()
    for row in _first_answers(labels):
        pair = [labels["model_id"][row], labels["opponent_id"][row]]
        if opponent in pair:
            pair.remove(opponent)
            if (model := model_of.get(pair[0])) is not None:
                found.add((labels["item_id"][row], model))
    return found


def last_label(labels: Columns, asked: LabelTask) -> Cell | None:
    """The newest label that the rater gave by `put_label`: the one that undo takes back."""
    here = labelling_run(asked.rater, asked.benchmark, asked.version)
    opponent = None if asked.opponent is None else _id(asked.opponent)
    model_of = {_id(model): model for model in asked.models}
    rows = [
        row
        for row, (run_id, model, against) in enumerate(
            zip(*(labels[name] for name in ("run_id", "model_id", "opponent_id")), strict=True)
        )
        if run_id == here and model in model_of and against == opponent
    ]
    if not rows:
        return None
    row = max(rows, key=lambda row: float(labels["at"][row]))
    return labels["item_id"][row], model_of[labels["model_id"][row]]


def _first_answers(labels: Columns) -> Iterator[int]:
    """The rows that are labels of first answers."""
    for row, (kind, sample, turn) in enumerate(
        zip(labels["kind"], labels["sample"], labels["turn"], strict=True)
    ):
        if kind != "unreadable" and sample == 0 and turn == 0:
            yield row


def _id(key: bytes) -> str:
    """As the store's catalog calls a model."""
    return key.hex()[:12]


# how far a rater is -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelProgress:
    """How far a rater is.

    cells, done
        The queue, and those of it that are labelled.
    counts
        How often the rater said what on the benchmark, of the kind asked for, the usual first.
    last
        The label given last.
    """

    cells: Sequence[Cell]
    done: frozenset[Cell]
    counts: Mapping[str, int]
    last: Cell | None

    def next(self, skipped: Collection[Cell]) -> Cell | None:
        """The first in the queue that is neither labelled nor skipped; then those skipped."""
        left = [cell for cell in self.cells if cell not in self.done]
        return next((cell for cell in left if cell not in skipped), None) or next(iter(left), None)


def label_progress(
    store: Store, asked: LabelTask, kind: Kind, cells: Sequence[Cell], known: frozenset[Cell]
) -> LabelProgress:
    """Where a rater stands; ``known`` are the cells of the queue, in no order."""
    labels = labels_of(store, asked)
    said: Counter[str] = Counter()
    for given, label, value in zip(labels["kind"], labels["label"], labels["value"], strict=True):
        if given == kind:
            tied = "tied" if value == 0.5 else "decided"
            said[{"label": label, "preference": tied, "score": "scored"}[kind]] += 1
    return LabelProgress(
        cells=cells,
        done=known & labelled(labels, asked),
        counts=dict(said.most_common()),
        last=last_label(labels, asked),
    )


# what is shown of a cell, and what can be said of it --------------------------------------------

MOST_POINTS = 11
"""The digits of a keyboard, and one without a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScale:
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
class LabelItem:
    """One item with the answers to it, in the order in which they are shown."""

    place: VerdictSlot
    item: Item | None
    answers: tuple[Response, ...]
    scale: LabelScale | None


def presented(store: Store, asked: LabelTask, cell: Cell, kind: Kind) -> LabelItem:
    """The texts of one cell, of whom nothing says whose they are."""
    place, at = place_of(asked, cell), (asked.benchmark, asked.version)
    shown = [key for key in (place.model_key, place.opponent_key) if key is not None]
    if place.order == "opponent_first":
        shown.reverse()
    answers = [store.answers_to(*at, key, [place.item_id]) for key in shown]
    scale = None
    if kind == "score":
        scale = _scale_in(store.said_of(*at, place.item_id)) or usual_scale(store, *at)
    return LabelItem(
        place=place,
        item=next(iter(store.items(*at, [place.item_id])), None),
        answers=tuple(next(a for a in its if (a.sample, a.turn) == (0, 0)) for its in answers),
        scale=scale,
    )


def usual_scale(store: Store, benchmark: str, version: str) -> LabelScale:
    """That of the judges of a benchmark, 1 to 10 where none scores in whole numbers."""
    said = store.some_of_each(benchmark, version, SAMPLED)
    return _scale_in(said) or LabelScale(low=1, high=10)


def _scale_in(said: Columns) -> LabelScale | None:
    """That of the judges that score in whole numbers, with the most dimensions that one has."""
    rows = zip(*(said[name] for name in ("kind", "judge", "low", "high", "parts")), strict=True)
    found = [
        LabelScale(low=int(low), high=int(high), parts=tuple(parts or ()))
        for kind, judge, low, high, parts in rows
        if kind == "score" and not is_human(judge) and _countable(low, high)
    ]
    return max(found, key=lambda scale: len(scale.parts), default=None)


def _countable(low: float, high: float) -> bool:
    whole = float(low).is_integer() and float(high).is_integer()  # an endless scale is not
    return whole and 0 <= low < high <= low + MOST_POINTS - 1


def verdict_keys(kind: Kind, labels: Sequence[str]) -> dict[str, tuple[str, Verdict]]:
    """What can be said with one key: key -> its words and the verdict; no scores.

    Parameters
    ----------
    labels
        Those that the benchmark declares, the positive one last.
    """
    if kind == "preference":
        return {
            "1": ("Left is better", Preference(winner=0, p_first=1.0)),
            "0": ("Tie", Preference(winner=None, p_first=0.5)),
            "2": ("Right is better", Preference(winner=1, p_first=0.0)),
        }
    pressed = "10" if len(labels) == 2 else "1234567890"
    return {
        key: (label, Label(name=label))
        for key, label in zip(pressed, reversed(labels), strict=False)
    }
