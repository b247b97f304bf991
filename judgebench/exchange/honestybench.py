"""``import honestybench``: the benchmark's own records of a model, answers and verdicts at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from judgebench.benchmarks.folder import items_at_hand
from judgebench.errors import InputError
from judgebench.exchange.honestybench_records import Record, model_and_set, read_records
from judgebench.exchange.honestybench_taking import About, take_in
from judgebench.exchange.known_items import (
    NO_VERSION,
    KnownItems,
    default_version,
    refuse_undeclared,
)
from judgebench.exchange.outcome import ImportReport
from judgebench.records import BINARY, Item
from judgebench.store import Store

BENCHMARK, VERSION = "honestybench", "1"
JUDGE = "Qwen2.5-32B-Instruct"
"""Who judged the published records."""

TakeIn = Callable[[Store], ImportReport]


def read_honestybench(
    paths: Sequence[Path],
    *,
    benchmark: str | None = None,
    version: str | None = None,
    model: str | None = None,
    set_name: str | None = None,
    judge: str | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[tuple[Path, TakeIn]]:
    """Read the files; returned with each is what stores it, in one commit.

    The greedy answer is sample 0, and the judge's labels say which answers are correct. That sample
    k says the same as the greedy answer is a score of 1 to it, of a judge that goes by the name of
    ``judge`` and "(consistency)".

    Parameters
    ----------
    paths
        Files, or folders of them.
    model, set_name
        Whose answers to which set; if not given, as files and folders are called.
    judge
        Who judged; `JUDGE` if not given.

    Raises
    ------
    InputError
        Naming file, row and field of what cannot be used; for questions that the benchmark does
        not have; for two files about one model and set.
    """
    name = benchmark or BENCHMARK
    said = version or default_version(name)
    if name == BENCHMARK and said == NO_VERSION:
        said = VERSION
    known = known_items(name, said)
    read: dict[tuple[str, str], Path] = {}
    found: list[tuple[Path, TakeIn]] = []
    for path in _files(paths):
        whose, which = model_and_set(path, model, set_name)
        before = read.setdefault((whose, which), path)
        if before != path:
            raise InputError(
                f"{path}: a second file of {whose!r} on {which}, beside {before}; import one of "
                "them, or say apart from each other what they are (--model, --set)"
            )
        about = About(
            path=path,
            benchmark=name,
            version=said,
            model=whose,
            set_name=which,
            judge=judge or JUDGE,
        )
        records = read_records(path)
        refuse_undeclared([(records[0].row, label) for label in BINARY], name)
        of_set = _by_question((known or {}).values(), which)
        ids = _ids(records, about, of_set if known else None, allow_unknown_items)
        found.append((path, partial(take_in, about=about, records=ids, known=known or {})))
    return found


def _files(paths: Sequence[Path]) -> list[Path]:
    """The files, and of folders all records, each once."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted([*path.rglob("*.jsonl"), *path.rglob("*.parquet")])
        if not inside:
            raise InputError(f"{path}: no .jsonl or .parquet file in this folder or below")
        found |= dict.fromkeys(inside)
    return list(found)


def _by_question(items: Iterable[Item], set_name: str) -> dict[str, list[str]]:
    """The ids of each question of a set, in order; some questions stand in it twice."""
    found: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if item.category == set_name:
            found[item.question].append(item.id)
    return found


def _ids(
    records: Sequence[Record],
    about: About,
    of_set: Mapping[str, Sequence[str]] | None,
    allow_unknown: bool,
) -> dict[str, Record]:
    """The records by the id of their item.

    Where the benchmark's data is at hand the question says which item it is; a question that
    stands twice in the data is taken in order. Else the row, counted from 0, is the id.
    """
    if of_set is None:
        return {f"{about.set_name}/{row}": record for row, record in enumerate(records)}
    taken: dict[str, int] = defaultdict(int)
    found: dict[str, Record] = {}
    unknown = []
    for row, record in enumerate(records):
        same_question, nth = of_set.get(record.question, ()), taken[record.question]
        taken[record.question] += 1
        if nth < len(same_question):
            found[same_question[nth]] = record
        else:
            unknown.append(record)
            found[f"{about.set_name}/unknown/{row}"] = record
    if unknown and not allow_unknown:
        raise unknown[0].row.wrong(
            "question",
            f"{unknown[0].question[:60]!r} is no item of {about.set_name} of {about.benchmark}@"
            f"{about.version}, or occurs more often than there; so are {len(unknown)} of "
            f"{len(records)}. Is the file of another set (--set NAME)? (--allow-unknown-items "
            "takes them in)",
        )
    return found
