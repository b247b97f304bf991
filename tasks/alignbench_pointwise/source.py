"""Reads CritiqueLLM's sample of answers that people have scored.

Each record is an item of its own, known by upstream's id: a question, the answer of one of eight
systems, and its human score.

The sample of pairs, which is read by `sampled` too, stands beside it: thu-coai/CritiqueLLM at
e1e0241, ``data/evaluation/``, JSON lines or the same as Parquet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgebench.benchmarks.data import Content, records
from judgebench.errors import InputError
from judgebench.rows import parquet_columns

LINES = ("alignbench_reference_based_sample.jsonl", "alignbench_reference_free_sample.jsonl")
PEOPLE = "human/critiquellm"
"""Under which name the judgments of upstream's people stand."""

LOWEST, HIGHEST = 1, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """One record, checked field by field; ``where`` it stands is said of what is wrong with it."""

    where: str
    row: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.row["id"])

    def text(self, name: str) -> str:
        value = self.row.get(name)
        if not isinstance(value, str):
            raise InputError(f"{self.where}: {name}: a text has to stand here, not {value!r}")
        return value

    def one_of(self, name: str, known: Collection[int]) -> int:
        value = self.row.get(name)
        if not isinstance(value, int) or value not in known:
            said = ", ".join(map(str, sorted(known)))
            raise InputError(
                f"{self.where}: {name}: one of {said} has to stand here, not {value!r}"
            )
        return value

    def score(self, name: str, model: str) -> Mapping[str, Any]:
        """What people gave an answer of a model, as a label."""
        value = self.row.get(name)
        if not isinstance(value, int | float) or not LOWEST <= value <= HIGHEST:
            raise InputError(
                f"{self.where}: {name}: a number from {LOWEST} to {HIGHEST} has to stand here, not "
                f"{value!r}"
            )
        said = {"kind": "score", "value": float(value), "low": LOWEST, "high": HIGHEST}
        return {"item_id": self.id, "model": model, "judge": PEOPLE, **said}

    @property
    def item(self) -> Mapping[str, Any]:
        """The question, with the reference that it may have."""
        reference = self.text("reference") if self.row.get("reference") is not None else ""
        return {
            "id": self.id,
            "question": self.text("question"),
            "references": [reference] if reference.strip() else [],
            "category": self.text("category"),
            "language": "zh",
        }


def sampled(path: Path, columns: Collection[str]) -> list[Sampled] | None:
    """The records of the one sample in a file or folder, by id; None where there is none.

    Parameters
    ----------
    columns
        What tells the records of one kind of sample from others.

    Raises
    ------
    InputError
        Naming the record that is none, and for a folder with two samples.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    wanted = {"id", *columns}
    found = [
        f for f in files if (f.name in LINES or f.suffix == ".parquet") and wanted <= _names(f)
    ]
    if len(found) > 1:
        names = " and ".join(file.name for file in found)
        raise InputError(f"{path}: {names} are different samples; name the one that is meant")
    if not found:
        return None
    rows = [Sampled(where=where, row=_record(where, row)) for where, row in records(found[0])]
    for one in rows:
        if not isinstance(one.row.get("id"), int):
            raise InputError(f"{one.where}: id: a whole number has to stand here")
    return sorted(rows, key=lambda one: one.row["id"])


def _record(where: str, row: Any) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise InputError(f"{where}: a record has to stand on each line")
    return row


def _names(file: Path) -> set[str]:
    """The columns of a table, or of the first record."""
    if file.suffix != ".parquet":
        return set(_record(*next(records(file))))
    return set(parquet_columns(file))


def read(path: Path) -> Content | None:
    """The content of a file or folder; None if it holds no scored answers."""
    rows = sampled(path, ["response", "model", "human_score"])
    if rows is None:
        return None
    return Content(
        items=tuple(one.item for one in rows),
        answers=tuple(
            {"item_id": one.id, "model": one.text("model"), "text": one.text("response")}
            for one in rows
        ),
        labels=tuple(one.score("human_score", one.text("model")) for one in rows),
    )
