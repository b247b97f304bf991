"""What there is to compare: who was judged by whom on what, and what some items ask.

No verdict is read for it, so that a list of what can be chosen is quick in a large store.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from judgebench.store import schema
from judgebench.store.catalog import StoredJudge, StoredModel, judges, models
from judgebench.store.codec import read_item, stored_text
from judgebench.store.database import chunks
from judgebench.store.met import boards_of
from judgebench.store.schema import NONE
from judgebench.store.store import Store

_b, _i, _t = schema.benchmarks.c, schema.items.c, schema.texts.c
_QUESTIONS = (
    select(_i.item_id, _i.category, _t.body, _t.exact)
    .join(schema.benchmarks, _b.id == _i.benchmark_id)
    .join(schema.texts, _t.sha == _i.content_sha)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A judge has looked at a model's answers on a benchmark, beside an opponent's or alone."""

    benchmark: str
    version: str
    judge: StoredJudge
    model: StoredModel
    opponent: StoredModel | None

    @property
    def board(self) -> tuple[str, str, str, str | None]:
        """What two models must share to be compared."""
        opponent = None if self.opponent is None else self.opponent.id
        return self.benchmark, self.version, self.judge.id, opponent


def judged(store: Store) -> list[Judged]:
    """Everything that was judged, benchmark by benchmark in the order in which they came."""
    with store.snapshot() as connection:
        asked, known = judges(connection), models(connection)
        benchmarks = connection.execute(select(_b.id, _b.name, _b.version).order_by(_b.id)).all()
        return [
            Judged(
                benchmark=name,
                version=version,
                judge=asked[judge],
                model=known[model],
                opponent=None if opponent == NONE else known[opponent],
            )
            for number, name, version in benchmarks
            for judge, model, opponent in boards_of(connection, number)
        ]


def questions(store: Store, benchmark: str, version: str, items: Collection[str]) -> dict[str, str]:
    """What some items ask, by id; those are left out of which the id alone is known."""
    query = _QUESTIONS.where(_b.name == benchmark, _b.version == version)
    found = {}
    with store.snapshot() as connection:
        for portion in chunks(items):
            for item_id, category, body, exact in connection.execute(
                query.where(_i.item_id.in_(portion))
            ):
                item = read_item(benchmark, version, item_id, category, stored_text(body, exact))
                if item.turns:
                    found[item_id] = item.question
    return found
