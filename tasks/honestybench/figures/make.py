"""Makes the figures beside this file from the published tables; no question or answer is there.

    python tasks/honestybench/figures/make.py FOLDER [--into FOLDER]

FOLDER holds ``published_tables.json``, the paper's tables and the sizes of the ten sets.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
IN_DOMAIN = ("nq", "tq", "hq", "2wiki", "pararel")
OUT_OF_DOMAIN = ("squad", "webq", "cwq", "musique", "popqa")
COLUMNS = {
    **{name: name for name in (*IN_DOMAIN, *OUT_OF_DOMAIN)},
    "in-domain": "id_avg",
    "ood": "ood_avg",
    "all": "avg",
}
"""Our names of the columns, and those in the tables."""

ACCURACY = "accuracy (greedy, judged by Qwen2.5-32B-Instruct)"
SAMPLES = "sampling size k, AUROC Qwen2.5-7B-Instruct, averages"
SIZES = "dataset sizes used as weights"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path, default=HERE)
    options = parser.parse_args()
    make(options.folder, options.into)


def make(folder: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    tables = json.loads((folder / "published_tables.json").read_text(encoding="utf-8"))
    write(into / "tables.csv", ("statistic", "model", "method", *COLUMNS), table_rows(tables))
    write(
        into / "samples.csv",
        ("model", "method", "samples", "in-domain", "ood"),
        (
            ("Qwen2.5-7B-Instruct", method, samples, *averages)
            for method, by_samples in tables[SAMPLES].items()
            for samples, averages in by_samples.items()
        ),
    )
    domains = {"in-domain": IN_DOMAIN, "ood": OUT_OF_DOMAIN}
    write(
        into / "sets.csv",
        ("set", "domain", "questions"),
        ((name, domain, tables[SIZES][name]) for domain, sets in domains.items() for name in sets),
    )


def table_rows(tables: Mapping[str, Any]) -> Iterable[Sequence[Any]]:
    """A row for each statistic, model and method; accuracy is of no method."""
    for table, rows in tables.items():
        statistic, _, model = table.partition(" ")
        if statistic in ("AUROC", "ECE"):
            for method, row in rows.items():
                yield statistic.lower(), model, method, *cells(row)
    for model, row in tables[ACCURACY].items():
        yield "accuracy", model, "", *cells(row)


def cells(row: Mapping[str, float]) -> list[Any]:
    return [row.get(theirs, "") for theirs in COLUMNS.values()]


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(header)
        lines.writerows(rows)


if __name__ == "__main__":
    main()
