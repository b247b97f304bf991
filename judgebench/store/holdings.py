"""What a store holds, benchmark by benchmark, and which of its runs still live.

Models and judges come from steps in the key of ``uses``, so that it is milliseconds whatever the
store holds. How many verdicts there are takes a pass over that key, 0.1 s a million.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, text

from judgebench.records import RunManifest, is_human
from judgebench.store import schema
from judgebench.store.catalog import judges
from judgebench.store.claims import holder, key_of
from judgebench.store.codec import read_manifest
from judgebench.store.store import Store

At = tuple[str, str]
"""A benchmark and its version."""

_b, _i, _f, _r, _u = (
    table.c
    for table in (schema.benchmarks, schema.items, schema.failures, schema.runs, schema.uses)
)


_STEPS = """
WITH RECURSIVE steps(at) AS (
    SELECT min({column}) FROM uses WHERE {of}
    UNION ALL
    SELECT (SELECT min({column}) FROM uses WHERE {of} AND {column} > steps.at)
    FROM steps WHERE steps.at IS NOT NULL
)
SELECT at FROM steps WHERE at IS NOT NULL
"""
"""The values of a column of the key, a step in the index for each; DISTINCT reads every row."""

_JUDGES = text(_STEPS.format(column="judge_id", of="benchmark_id = :benchmark"))
_MODELS = text(
    _STEPS.format(column="model_id", of="benchmark_id = :benchmark AND judge_id = :judge")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What there is of one benchmark: models that were judged, and judges, people among them."""

    benchmark: str
    version: str
    items: int
    models: int
    judges: int
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """How often runs have used a judgment, and when one last did."""

    used: int
    newest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureKind:
    """Failures that are on record: where they happened, what they are, whether to ask again."""

    boundary: str
    kind: str
    retriable: bool
    n: int


def holdings(store: Store) -> list[Holding]:
    """Every benchmark, in the order in which they came."""
    with store.snapshot() as connection:
        human = {number: is_human(judge.name) for number, judge in judges(connection).items()}
        counts = select(_i.benchmark_id, func.count()).group_by(_i.benchmark_id)
        n_items = {row[0]: row[1] for row in connection.execute(counts)}
        found = []
        for number, name, version in connection.execute(
            select(_b.id, _b.name, _b.version).order_by(_b.id)
        ):
            at = {"benchmark": number}
            asked = connection.execute(_JUDGES, at).scalars().all()
            judged: set[int] = set()
            for judge in asked:
                judged.update(connection.execute(_MODELS, at | {"judge": judge}).scalars())
            found.append(
                Holding(
                    benchmark=name,
                    version=version,
                    items=n_items.get(number, 0),
                    models=len(judged),
                    judges=len(asked),
                    people=sum(human[judge] for judge in asked),
                )
            )
    return found


def verdicts_used(store: Store) -> dict[At, Verdicts]:
    """Of every benchmark that has any; a verdict that a later run used again counts again."""
    counts = select(_u.benchmark_id, func.count(), func.max(_u.used_at)).group_by(_u.benchmark_id)
    with store.snapshot() as connection:
        names = {
            number: (name, version)
            for number, name, version in connection.execute(select(_b.id, _b.name, _b.version))
        }
        return {
            names[number]: Verdicts(used=used, newest=newest)
            for number, used, newest in connection.execute(counts)
        }


def failure_kinds(store: Store) -> list[FailureKind]:
    """What failed and was not done since, the most frequent first."""
    query = select(_f.boundary, _f.kind, _f.retriable, func.count()).group_by(
        _f.boundary, _f.kind, _f.retriable
    )
    with store.snapshot() as connection:
        found = [
            FailureKind(boundary=boundary, kind=kind, retriable=bool(retriable), n=n)
            for boundary, kind, retriable, n in connection.execute(query)
        ]
    return sorted(found, key=lambda one: (-one.n, one.boundary, one.kind))


# runs -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRun:
    """A run as it says itself, and whether it has gone without saying how it ended."""

    manifest: RunManifest
    died: bool

    @property
    def state(self) -> str:
        return "died" if self.died else self.manifest.state


def newest_runs(store: Store, n: int, *, after: int = 0) -> list[ToldRun]:
    """So many runs and imports, the newest first, without the first ones."""
    query = select(_r.manifest).order_by(_r.id.desc()).limit(n).offset(after)
    return _told(store, query)


def runs_under_way(store: Store) -> list[ToldRun]:
    """Those that say they are running and have not gone, the newest first."""
    query = select(_r.manifest).where(_r.state == "running").order_by(_r.id.desc())
    return [run for run in _told(store, query) if not run.died]


def told_run(store: Store, run_id: str) -> ToldRun | None:
    return next(iter(_told(store, select(_r.manifest).where(_r.run_id == run_id))), None)


def _told(store: Store, query: object) -> list[ToldRun]:
    """A run that lives holds a lease: one that says it runs and holds none was killed."""
    with store.snapshot() as connection:
        found = []
        for said in connection.execute(query).scalars():  # type: ignore[call-overload]
            manifest = read_manifest(said)
            owner = holder(connection, key_of(f"run {manifest.id}"))
            gone = owner is None or owner.has_gone()
            found.append(ToldRun(manifest=manifest, died=manifest.state == "running" and gone))
    return found


def n_runs(store: Store) -> int:
    with store.snapshot() as connection:
        return connection.execute(select(func.count()).select_from(schema.runs)).scalar_one()


def n_failures(store: Store) -> int:
    """How many questions wait to be asked again: rows that a success takes away."""
    with store.snapshot() as connection:
        return connection.execute(select(func.count()).select_from(schema.failures)).scalar_one()


def last_numbers(store: Store) -> Mapping[str, int]:
    """How many judgments and answers there are: rows are never deleted, so the last is the count.

    Microseconds, whatever the store holds.
    """
    with store.snapshot() as connection:
        return {
            name: connection.execute(select(func.max(table.c.id))).scalar() or 0
            for name, table in (("judgments", schema.judgments), ("answers", schema.responses))
        }


def total(kinds: Sequence[FailureKind]) -> Counter[str]:
    """Failures by their kind alone."""
    found: Counter[str] = Counter()
    for one in kinds:
        found[one.kind] += one.n
    return found
