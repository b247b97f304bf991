"""Pinning anchors: answers that a judge has judged, about which it is asked again every night."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from itertools import chain, zip_longest

from judgebench.errors import UsageError, unknown_name
from judgebench.records import CONFIDENCES, HUMAN, JudgeSpec, Unreadable, Verdict, VerdictSlot
from judgebench.reports.boards import Meant, meant
from judgebench.store import Store
from judgebench.store.catalog import StoredJudge
from judgebench.store.read import StoredAnchors

ANSWERS = 100
"""How many answers are pinned unless somebody says otherwise."""

_Said = Mapping[VerdictSlot, tuple[bytes, Verdict]]
_Answer = tuple[bytes, bytes | None, str]


def pin(
    store: Store,
    benchmark: str,
    judge: str,
    *,
    models: Collection[str] = (),
    answers: int = ANSWERS,
    seed: int = 0,
) -> StoredAnchors:
    """Pin what a judge has said, as the last set of anchors of this judge and benchmark.

    The answers are drawn at random, of as many different items as there are; models take turns. Of
    an answer that was judged in both orders both are pinned. Only first answers, first repeats, and
    verdicts that could be read are.

    Parameters
    ----------
    judge
        By name or id; of several of a name the one that judged last.
    models
        Whose answers; of all that the judge has judged if not given.
    answers
        How many at most.

    Raises
    ------
    UsageError
        For a judge or model that is not there, a judge that asks nobody, and where nothing is left
        to be pinned.
    """
    which = meant(store, benchmark)
    said = store.current(which.name, which.version)
    meant_judge = _judge_called(store, which, judge, said)
    wanted = _models_called(store, which, models)
    its = {
        place: key
        for place, (key, verdict) in said.items()
        if place.judge_key == meant_judge.key
        and not (place.sample or place.turn or place.repeat)
        and not isinstance(verdict, Unreadable)
        and (wanted is None or place.model_key in wanted)
    }
    if not its:
        raise UsageError(
            f"{which}: {judge} has no readable verdict"
            f"{f' on {_said(sorted(models))}' if models else ''} that could be pinned"
        )
    of_answer: dict[_Answer, list[VerdictSlot]] = {}
    for place in its:
        answer = (place.model_key, place.opponent_key, place.item_id)
        of_answer.setdefault(answer, []).append(place)
    whole = max(len(places) for places in of_answer.values())  # one order, or both
    complete = [answer for answer, places in of_answer.items() if len(places) == whole]
    chosen = _drawn(complete, answers, seed)
    return store.put_anchors([(place, its[place]) for one in chosen for place in of_answer[one]])


def _drawn(answers: Sequence[_Answer], n: int, seed: int) -> list[_Answer]:
    """One answer of every item, models taking turns, then another one, until there are enough."""
    generator = random.Random(seed)
    by_item: dict[str, list[_Answer]] = {}
    for answer in sorted(answers, key=lambda one: (one[2], one[0], one[1] or b"")):
        by_item.setdefault(answer[2], []).append(answer)
    items = sorted(by_item)
    generator.shuffle(items)
    turned = []
    for turn, item in enumerate(items):
        its = by_item[item]
        first = turn % len(its)
        turned.append(its[first:] + its[:first])
    rounds = chain.from_iterable(zip_longest(*turned))
    return [answer for answer in rounds if answer is not None][:n]


def _judge_called(store: Store, which: Meant, name: str, said: _Said) -> StoredJudge:
    here = {place.judge_key for place in said}
    known = [one for one in store.judges() if one.key in here]
    called = [one for one in known if name in (one.id, one.name, *one.names)]
    if not called:
        raise UsageError(f"{which}: {unknown_name('judge', name, [one.name for one in known])}")
    found = called[-1]
    if len(called) > 1:
        last = store.verdicts(which.name, which.version, judges=[one.key for one in called])
        when = dict(zip(last["judge_id"], last["at"], strict=True))
        for judge, at in zip(last["judge_id"], last["at"], strict=True):
            when[judge] = max(when[judge], at)
        found = max(called, key=lambda one: when.get(one.id, 0.0))
    if (why := _never_again(found.spec)) is not None:
        raise UsageError(f"{which}: {found.name} cannot have anchors: {why}")
    return found


def _never_again(spec: JudgeSpec) -> str | None:
    """Why a judge is not asked about the same twice; None for one that can be."""
    if spec.kind == HUMAN:
        return "it is a person"
    if spec.kind in CONFIDENCES:
        return "it says how sure a model is, and is on no board"
    if spec.model is None:
        return "it goes by a rule and asks nobody, so it says the same every time"
    return None


def _models_called(store: Store, which: Meant, names: Collection[str]) -> set[bytes] | None:
    if not names:
        return None
    known = store.models()
    found = set()
    for name in names:
        called = {one.key for one in known if name in (one.id, one.name, *one.names)}
        if not called:
            raise UsageError(f"{which}: {unknown_name('model', name, [m.name for m in known])}")
        found |= called
    return found


def _said(names: Sequence[str]) -> str:
    return " or ".join(names)
