"""Which stored models and answers the names in an imported file mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from judgebench import keys
from judgebench.exchange.names import by_id
from judgebench.records import Case, Item, ModelSpec, Response, Verdict, VerdictSlot
from judgebench.rows import Row
from judgebench.store import Store, StoredModel


@dataclass(slots=True, kw_only=True)
class Board:
    """What the store has of one version of a benchmark when an import begins.

    A verdict in a file is about a model by name, unless it gives the id of one that the store
    has. By name it is taken to be about the newest model so called that has answers here, else
    about the newest with verdicts here, else about a model of which nothing but the name is known
    (then it stands in ``unknown_models``).
    """

    benchmark: str
    version: str
    current: Mapping[VerdictSlot, tuple[bytes, Verdict]]
    items: dict[str, Item]
    answers: Mapping[tuple[str, bytes, int, int], tuple[str, str]]
    models: dict[str, bytes]
    known: Sequence[StoredModel]
    versions: Mapping[str, int]
    unknown_models: dict[str, ModelSpec] = field(default_factory=dict)
    new_items: list[Item] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, store: Store, benchmark: str, version: str) -> Board:
        current = store.current(benchmark, version)
        answers = _answers(store, benchmark, version)
        answered = {key for _, key, _, _ in answers}
        judged = {p.model_key for p in current} | {p.opponent_key for p in current}
        models: dict[str, bytes] = {}
        versions: dict[str, int] = {}
        for among in (judged - answered, answered):  # the later of the two goes before
            for model in store.models():  # oldest first
                for name in model.names if model.key in among else ():
                    models[name] = model.key
                    versions[name] = versions.get(name, 0) + 1
        return cls(
            benchmark=benchmark,
            version=version,
            current=current,
            items={item.id: item for item in store.items(benchmark, version)},
            answers=answers,
            models=models,
            known=store.models(),
            versions=versions,
        )

    def add_items(self, items: Mapping[str, Item]) -> None:
        """Items that the store lacks; they are to be put with what is about them."""
        self.items |= items
        self.new_items += items.values()

    def model(self, row: Row, field: str = "model") -> bytes:
        """The key of the model that a row names."""
        name = row.text(field)
        if (found := by_id(self.known, row, field)) is not None:
            return found
        if name not in self.models:
            self.unknown_models[name] = ModelSpec(weights=f"name:{name}")
            self.models[name] = keys.model_key(self.unknown_models[name])
        elif self.versions.get(name, 1) > 1:
            self.warnings = list(dict.fromkeys([*self.warnings, self._ambiguous(name)]))
        return self.models[name]

    def _ambiguous(self, name: str) -> str:
        return (
            f"{name!r} is the name of {self.versions[name]} models on {self.benchmark}@"
            f"{self.version}; the file is taken to be about {self.models[name].hex()[:6]}, the "
            "newest that has answers"
        )

    def case_key(self, place: VerdictSlot) -> bytes:
        """The key of the answer as a judge sees it, where it is in the store."""
        answer = self.answers.get((place.item_id, place.model_key, place.sample, place.turn))
        return case_key(place, self.items.get(place.item_id), answer)


def case_key(place: VerdictSlot, item: Item | None, answer: tuple[str, str] | None) -> bytes:
    """The key of an answer, its text and status, as a judge sees it.

    That of the place where one of them is not known, and of a pair.
    """
    if place.opponent_key is not None or answer is None or item is None or not item.turns:
        return place_key(place)
    text, status = answer
    response = Response(
        benchmark=place.benchmark,
        version=place.version,
        item_id=place.item_id,
        model_key=place.model_key,
        text=text,
        raw=text,
        status=status,  # type: ignore[arg-type]  # a status was stored
        sample=place.sample,
        turn=place.turn,
    )
    return keys.case_key(Case(item=item, responses=(response,)))


def place_key(place: VerdictSlot) -> bytes:
    """The key of where a verdict stands."""
    return keys.content_key("place", place)


def _answers(
    store: Store, benchmark: str, version: str
) -> dict[tuple[str, bytes, int, int], tuple[str, str]]:
    """Item, model, sample and turn -> text and status of the newest answer."""
    table = store.responses_table(benchmark, version)
    key_of = {model.id: model.key for model in store.models()}
    columns = ("item_id", "model_id", "sample", "turn", "text", "status", "newest")
    return {
        (item, key_of[model], sample, turn): (text, status)
        for item, model, sample, turn, text, status, newest in zip(
            *(table[name] for name in columns), strict=True
        )
        if newest
    }
