"""Names in somebody else's file: which of them may be stored, and what in a store they mean.

Of a benchmark whose description or data is here, also its versions, labels and items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from sys import intern
from typing import NamedTuple, TypeAlias

from judgebench import registry
from judgebench.benchmarks.description import find
from judgebench.benchmarks.folder import items_at_hand
from judgebench.benchmarks.own_prompts import newest_version, own_versions
from judgebench.errors import unknown_name
from judgebench.records import BINARY, HUMAN, PANEL, Item
from judgebench.rows import Row
from judgebench.store import Store, StoredJudge, StoredModel
from judgebench.store.codec import readable

At: TypeAlias = tuple[str, str]
"""A benchmark and its version."""

KnownItems: TypeAlias = Callable[[str, str], Mapping[str, Item] | None]
"""Benchmark and version -> its items by id; None where nobody knows them."""


class Told(NamedTuple):
    """Under which benchmark and version the store keeps what files hold, and about which items.

    benchmark, version
        The version is the benchmark's own where none is said.
    items_of
        Whose items they are, by benchmark and version.
    known
        The same; None takes in what no benchmark has.
    """

    benchmark: str
    version: str | None
    items_of: KnownItems
    known: KnownItems | None

    @property
    def at(self) -> At:
        return self.benchmark, self.version or default_version(self.benchmark)


def told(
    usual: str,
    *,
    benchmark: str = "",
    version: str | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> Told:
    """What was said, of a format whose files are of the ``usual`` benchmark."""
    known = None if allow_unknown_items else known_items
    return Told(benchmark=benchmark or usual, version=version, items_of=known_items, known=known)


NO_VERSION = "unversioned"
"""The version of a benchmark that neither the file nor a description gives one."""


def name(row: Row, field: str) -> str:
    """A name or id that can be stored as it is; one text, however many rows name it."""
    found = intern(row.text(field))
    if readable(found) != found:
        raise row.wrong(
            field,
            f"{found!r} holds a NUL character or half a surrogate pair, which no name may; "
            "correct it where it comes from",
        )
    return found


def optional_name(row: Row, field: str) -> str | None:
    return name(row, field) if row.has(field) else None


def judge_name(row: Row) -> str:
    """The name of a judge, which is read as neither a panel nor a person without a name."""
    found = name(row, "judge")
    if reason := no_judge(found):
        raise row.wrong("judge", reason)
    return found


def no_judge(called: str) -> str | None:
    """Why no judge has this name; None where it may have.

    A panel is formed of verdicts that are there, so one of that name would stand in for it. A
    person is ``human/<rater>``: without a rater it would be nobody, and in the majority of all.
    """
    if called.strip().startswith(PANEL):
        return f"{called!r} would be taken for a panel; give this judge another name"
    if called.startswith(f"{HUMAN}/") and not called.removeprefix(f"{HUMAN}/").strip():
        return f"{called!r} names no person; write human/<rater>"
    return None


def benchmark_name(row: Row) -> str:
    """The name of a benchmark, which can be written as NAME@VERSION."""
    found = name(row, "benchmark")
    if "@" in found:
        raise row.wrong(
            "benchmark",
            f"{found!r}: no benchmark's name has an '@', which is written before a version; give "
            "the version in a field 'version'",
        )
    return found


def by_id(known: Iterable[StoredJudge | StoredModel], row: Row, field: str) -> bytes | None:
    """The key of the stored model or judge that a row names with its id, as our own export does.

    None where the row gives no id, the store does not have it, or it goes by another name there:
    then the name is all there is to go by.
    """
    given = row.values.get(f"{field}_id")
    if given is None:
        return None
    called = row.text(field)
    for one in known:
        if one.id == given and any(called == n or called.startswith(f"{n}@") for n in one.names):
            return one.key
    return None


def default_version(benchmark: str) -> str:
    """The version meant where none is named."""
    if benchmark not in registry.benchmark_folders():
        return NO_VERSION
    return find(benchmark)[0].default_version


class OwnItems:
    """The own prompts that runs of a store have asked, which nobody else knows."""

    def __init__(self, store: Store) -> None:
        self._store, self._runs = store, store.runs()
        self._held = store.benchmarks()
        self._own = set(own_versions(self._runs)) & set(self._held)

    def version(self, benchmark: str) -> str | None:
        """The version meant where none is named: that of the run started last."""
        return newest_version(benchmark, self._runs, self._held)

    def __call__(self, benchmark: str, version: str) -> Mapping[str, Item] | None:
        """The items by id; None for what are no own prompts."""
        if (benchmark, version) not in self._own:
            return None
        return {item.id: item for item in self._store.items(benchmark, version)}


def refuse_undeclared(rows: Iterable[tuple[Row, str]], benchmark: str) -> None:
    """Refuse labels that no report could count."""
    described = benchmark in registry.benchmark_folders()
    labels = find(benchmark)[0].labels if described else BINARY
    for row, label in rows:
        if label not in labels:
            raise row.wrong(
                "value" if row.has("value") else "label",
                unknown_name(f"label of {benchmark}", label, labels)
                + ("" if described else ", as for every benchmark without a benchmark.toml"),
            )


def refuse_unknown(rows: Sequence[tuple[Row, str]], at: At, known_items: KnownItems | None) -> None:
    """Refuse ids that a benchmark, as far as it is known, does not have."""
    known = None if known_items is None else known_items(*at)
    unknown = [] if known is None else [(row, item) for row, item in rows if item not in known]
    if unknown:
        row, item = unknown[0]
        raise row.wrong(
            "item_id",
            f"{item!r} is no item of {at[0]}@{at[1]}; {len(unknown)} of {len(rows)} rows name "
            "such items. Is the file of another benchmark or version? (--allow-unknown-items "
            "takes them in)",
        )


def missing_items(stored: Mapping[str, Item], wanted: Iterable[str], at: At) -> dict[str, Item]:
    """The items that the store lacks: with their question where it is at hand, else by id.

    Of a benchmark whose turns count one by one all: what a file lacks is missing on its boards.
    """
    known = None
    if at[0] in registry.benchmark_folders() and find(at[0])[0].report.turns:
        known = items_at_hand(*at)
    lacking = [
        item
        for item in dict.fromkeys((*wanted, *(known or ())))
        if item not in stored or not stored[item].turns
    ]
    known = items_at_hand(*at) if lacking and known is None else known
    return {
        item: (known or {}).get(item, Item(benchmark=at[0], version=at[1], id=item, turns=()))
        for item in lacking
    }
