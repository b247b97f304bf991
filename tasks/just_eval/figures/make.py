"""Makes the figures from a folder with upstream's judgments as a table, and what was computed.

    python tasks/just_eval/figures/make.py FOLDER

``judgments.parquet`` has the columns below for every answer that was judged, and ``expected.json``
what another program makes of them. Nothing of an answer or an instruction is kept.
"""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path

from pyarrow import parquet

ASPECTS = ("helpfulness", "clarity", "factuality", "depth", "engagement", "safety")
COLUMNS = ("judge", "model", "id", "words", *ASPECTS)


def make(source: Path, target: Path) -> None:
    rows = parquet.read_table(source / "judgments.parquet", columns=list(COLUMNS)).to_pylist()
    rows.sort(key=lambda row: (row["judge"], row["model"], row["id"]))
    with (target / "scores.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(["" if row[n] is None else row[n] for n in COLUMNS] for row in rows)
    shutil.copyfile(source / "expected.json", target / "expected.json")


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(__file__).parent)
