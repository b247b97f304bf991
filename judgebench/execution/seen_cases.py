"""What a judge saw, put together again from the store: for asking it about the same once more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from judgebench import keys
from judgebench.benchmarks.folder import Benchmark
from judgebench.records import Case, Item, Response, VerdictSlot
from judgebench.store import Store


def seen_cases(
    store: Store, benchmark: Benchmark, places: Mapping[VerdictSlot, bytes]
) -> Iterator[tuple[VerdictSlot, Case]]:
    """The cases at some places of a benchmark, as far as their answers are in the store.

    Parameters
    ----------
    places
        With the key of the case that the judge saw there: of several answers that a model gave to
        the same, on several stacks, the one that makes this case is meant.
    """
    items = {item.id: item for item in benchmark.items()}
    answers = _answers(store, benchmark, places)
    for place, key in places.items():
        item = items.get(place.item_id)
        if item is None:
            continue
        for case in _cases(benchmark, item, place, answers):
            if keys.case_key(case) == key:
                yield place, case
                break


_Answers = Mapping[tuple[bytes, str, int], list[Response]]


def _cases(
    benchmark: Benchmark, item: Item, place: VerdictSlot, answers: _Answers
) -> Iterator[Case]:
    """Of every answer, and every opponent's, that stands there."""

    def of(model: bytes) -> list[Response]:
        return answers.get((model, place.item_id, place.sample), [])

    if place.opponent_key is None:
        for one in of(place.model_key):
            yield benchmark.case(item, (one,))
        return
    for own, other in product(of(place.model_key), of(place.opponent_key)):
        yield benchmark.case(item, (own, other) if place.order == "model_first" else (other, own))


def _answers(store: Store, benchmark: Benchmark, places: Iterable[VerdictSlot]) -> _Answers:
    wanted: dict[bytes, set[str]] = {}
    for place in places:
        for model in (place.model_key, place.opponent_key):
            if model is not None:
                wanted.setdefault(model, set()).add(place.item_id)
    found: dict[tuple[bytes, str, int], list[Response]] = {}
    for model, items in wanted.items():
        for response in store.answers_to(benchmark.name, benchmark.version, model, items):
            found.setdefault((model, response.item_id, response.sample), []).append(response)
    return found
