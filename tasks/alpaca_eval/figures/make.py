"""Makes the figures beside this file from stored annotations; no text is taken over.

    python tasks/alpaca_eval/figures/make.py FOLDER [--into FOLDER]

FOLDER holds ``annotations.parquet``, ``instructions.parquet``, ``expected.csv``,
``gamed_baseline_recovered.parquet`` and upstream's
``leaderboard_weighted_alpaca_eval_gpt4_turbo.csv``, with the texts that the lengths are taken from.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

UPSTREAM = "leaderboard_weighted_alpaca_eval_gpt4_turbo.csv"
HERE = Path(__file__).resolve().parent
COLUMNS = {
    "model": "model",
    "n_total": "n_total",
    "n_wins": "n_wins",
    "n_wins_base": "n_wins_base",
    "n_draws": "n_draws",
    "avg_length": "avg_length",
    "win_rate": "win_rate",
    "standard_error": "standard_error",
    "discrete_win_rate": "discrete_win_rate",
    "length_controlled_winrate": "length_controlled_winrate",
    "lc_standard_error": "lc_standard_error",
    "w_length": "w_length",
    "w_difficulty": "w_difficulty",
    "w_intercept": "w_intercept",
    "c_index": "C_index_published",
    "lc_alpaca_eval_066": "lc_alpaca_eval_066_recomputed",
    "lc_exact_by_row": "lc_exact_stable_cv",
    "lc_exact_by_instruction": "lc_exact_difficulty_aligned",
}
"""Of ``published.csv``, and what they are called where they come from."""

LEADERBOARD = {
    "model": "model",
    "length_controlled_win_rate": "length_controlled_winrate",
    "win_rate": "win_rate",
    "discrete_win_rate": "discrete_win_rate",
    "n_total": "n_total",
    "avg_length": "avg_length",
}
"""Of ``leaderboard.csv``: our names, and upstream's."""

WHOLE = ("n_total", "n_wins", "n_wins_base", "n_draws", "avg_length")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path, default=HERE)
    options = parser.parse_args()
    make(options.folder, options.into)


def make(folder: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    items = sorted(read(folder / "instructions.parquet"), key=lambda row: row["index"])
    write_verdicts(read(folder / "annotations.parquet"), into / "verdicts.parquet")
    write(
        into / "instructions.csv",
        ("index", "baseline_length", "difficulty"),
        (
            (row["index"], len(row["baseline_output"]), row["instruction_difficulty_recovered"])
            for row in items
        ),
    )
    write_anchors(read(folder / "gamed_baseline_recovered.parquet"), items, into / "anchors.csv")
    with (folder / "expected.csv").open(encoding="utf-8", newline="") as lines:
        published = [
            [cell(row, ours, theirs) for ours, theirs in COLUMNS.items()]
            for row in csv.DictReader(lines)
        ]
    write(into / "published.csv", tuple(COLUMNS), published)
    with (folder / UPSTREAM).open(encoding="utf-8", newline="") as lines:
        whole = [
            [cell(row, ours, theirs) for ours, theirs in LEADERBOARD.items()]
            for row in csv.DictReader(lines)
        ]
    write(into / "leaderboard.csv", tuple(LEADERBOARD), whole)


def read(path: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows


def write_verdicts(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """A line for each model and row of its file, in the order of the file."""
    import pyarrow as pa
    from pyarrow import parquet

    ordered = sorted(rows, key=lambda row: (row["model"], row["row"]))
    columns = {
        "model": pa.array([row["model"] for row in ordered], pa.string()),
        "row": pa.array([row["row"] for row in ordered], pa.int16()),
        "index": pa.array([row["index"] for row in ordered], pa.int16()),
        "preference": pa.array([row["preference"] for row in ordered], pa.float64()),
        "length": pa.array([len(row["output_2"]) for row in ordered], pa.int32()),
    }
    parquet.write_table(pa.table(columns), path, compression="zstd")


def write_anchors(
    rows: Iterable[Mapping[str, Any]], items: Sequence[Mapping[str, Any]], path: Path
) -> None:
    """A line for each anchor row: the baseline asked to be verbose or concise."""
    difficulty = {row["index"]: row["instruction_difficulty_recovered"] for row in items}
    lines = []
    for row in rows:
        if row["instruction_difficulty"] != difficulty[row["index"]]:
            raise SystemExit(f"{row['model']}, {row['index']}: not its instruction's difficulty")
        lines.append((row["model"], row["index"], row["std_delta_len"], row["preference_pseudo"]))
    write(path, ("variant", "index", "std_length", "pseudo_preference"), lines)


def cell(row: Mapping[str, str], ours: str, theirs: str) -> str:
    """As it is written there, but whole numbers without a fraction and unknown ones empty."""
    text = row[theirs]
    if ours == "c_index":
        return "" if text == "-1" else text
    return text.removesuffix(".0") if ours in WHOLE else text


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(header)
        lines.writerows(rows)


if __name__ == "__main__":
    main()
