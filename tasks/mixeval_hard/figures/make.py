"""Makes the figures beside this file from the published board and what was computed from it.

    python tasks/mixeval_hard/figures/make.py FOLDER [--into FOLDER]

FOLDER holds ``published_leaderboard.csv`` (47 models) and ``expected.json`` (the correlations of
its columns with Arena Elo, computed by other implementations).
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ELO = {"arena_elo": "arena_elo_0527"}
"""Our name of a column, and that in the published table."""

COLUMNS = (
    *("mixeval_hard", "mixeval"),
    *("triviaqa", "mmlu", "drop", "hellaswag", "commonsenseqa"),
    *("triviaqa_hard", "mmlu_hard", "drop_hard"),
)
COEFFICIENTS = {"n": "n", "spearman": "spearman", "pearson": "pearson", "kendall": "kendall_b"}
CLAIMED = {"mixeval_hard": "0.96", "mixeval": "0.93"}
"""What the authors state of each set in words, a correlation of rankings with Arena Elo."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path, default=HERE)
    options = parser.parse_args()
    make(options.folder, options.into)


def make(folder: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    header = ("model", *ELO, *COLUMNS)
    with (folder / "published_leaderboard.csv").open(encoding="utf-8", newline="") as lines:
        rows = [[row[ELO.get(name, name)] for name in header] for row in csv.DictReader(lines)]
    write(into / "board.csv", header, rows)
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    found = expected["published_leaderboard_correlation_with_arena_elo"]
    write(
        into / "correlations.csv",
        ("column", *COEFFICIENTS, "claimed"),
        (
            (name, *(found[name][theirs] for theirs in COEFFICIENTS.values()), CLAIMED.get(name))
            for name in COLUMNS
        ),
    )


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(header)
        lines.writerows(rows)


if __name__ == "__main__":
    main()
