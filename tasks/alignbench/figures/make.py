"""Makes the figures beside this file from the published boards; no question or answer is there.

    python tasks/alignbench/figures/make.py FOLDER [--into FOLDER]

FOLDER holds ``published_leaderboards.json``. How far its two judges of version 1.0 agree is
computed here with scipy, so that judgebench's own figures have something to be compared with.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BOARDS = {
    "v1.0 judged by gpt-4-0613": ("1.0", "gpt-4-0613"),
    "v1.0 judged by CritiqueLLM": ("1.0", "CritiqueLLM"),
    "v1.1 judged by gpt-4-0613 (2024-06)": ("1.1", "gpt-4-0613"),
}
"""The version and the judge of each board."""

AVERAGES = ("overall", "reasoning", "language")
CATEGORIES = (
    *("math", "logic"),
    *("fundamental", "chinese", "open", "writing", "roleplay", "professional"),
)
DECIMALS = 10
"""Of the coefficients; another scipy may give another last digit."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path, default=HERE)
    options = parser.parse_args()
    make(options.folder, options.into)


def make(folder: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    published = json.loads((folder / "published_leaderboards.json").read_text(encoding="utf-8"))
    columns = (*AVERAGES, *CATEGORIES)
    write(
        into / "boards.csv",
        ("version", "judge", "model", *columns),
        (
            (version, judge, model, *(row[name] for name in columns))
            for board, (version, judge) in BOARDS.items()
            for model, row in published[board].items()
        ),
    )
    first, second = (published[board] for board in list(BOARDS)[:2])
    write(
        into / "judges.csv",
        ("column", "n", "spearman", "pearson", "kendall"),
        ((name, *agreement(first, second, name)) for name in columns),
    )


def agreement(
    first: Mapping[str, Mapping[str, float]], second: Mapping[str, Mapping[str, float]], name: str
) -> tuple[Any, ...]:
    """How many models both judges scored, and three correlations of a column over them."""
    from scipy.stats import kendalltau, pearsonr, spearmanr

    both = [model for model in first if model in second]
    x, y = ([board[model][name] for model in both] for board in (first, second))
    found = (float(f(x, y).statistic) for f in (spearmanr, pearsonr, kendalltau))
    return len(both), *(round(value, DECIMALS) for value in found)


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(header)
        lines.writerows(rows)


if __name__ == "__main__":
    main()
