"""Labels as people give them, one at a time: the one function that writes them.

A label is a judgment of the judge ``human/<rater>``, the same that ``import labels`` makes of a row
of a file: exported and imported again it changes nothing. Labels are events. What a rater says
again about the same follows what was said before; what is taken back is followed by a verdict that
says so, and then the answer counts as not labelled.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import product
from typing import get_args

from judgebench import keys
from judgebench.errors import InputError
from judgebench.exchange.pipeline import case_key, imported_judge, judgment_key
from judgebench.execution.manifest import new_manifest
from judgebench.records import (
    HUMAN,
    WITHDRAWN,
    Item,
    Judgment,
    Order,
    RunManifest,
    RunVerdict,
    Unreadable,
    Verdict,
    VerdictSlot,
    is_human,
)
from judgebench.store import Store
from judgebench.store.codec import readable

LONGEST_NAME = 100
TAKEN_BACK = Unreadable(reason=WITHDRAWN)


def rater_called(name: str) -> str:
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
        As `rater_called` gives it.
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


def take_back(store: Store, rater: str, place: VerdictSlot) -> bool:
    """Make a place one that the rater has not labelled; whether it was one that they had."""
    return put_label(store, rater, place, TAKEN_BACK)


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
