"""Makes the figures beside this file; no question, answer or judgment is there, only numbers.

    python tasks/mt_bench/figures/make.py FOLDER [--into FOLDER]

FOLDER holds ``questions.parquet``, ``judgments_single.parquet``, ``judgments_pair.parquet``,
``votes_human_turn1.parquet``, ``votes_gpt4_pair_turn1.parquet``, ``expected.json`` and three tables
``published_….csv``.
"""

from __future__ import annotations

import argparse
import json
from csv import DictReader, DictWriter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

HERE = Path(__file__).resolve().parent
FILES = ("votes_human_turn1.parquet", "votes_gpt4_pair_turn1.parquet")
PUBLISHED = {
    "gpt-4": "published_gpt4_single.csv",
    "gpt-4 (URIAL)": "published_urial_bench.csv",
    "gpt-4 (2024)": "published_2024_bootstrap.csv",
}
OURS = {
    "show_result_average": "score", "overall": "score", "rated_rows": "rated",
    "mean_with_unreadable_as_minus_1": "unread_as_minus_1", "blog_2023_06_22": "printed",
}  # fmt: skip
COLUMNS = (
    *("judge", "model", "score", "rated", "unread_as_minus_1", "printed", "turn_1", "turn_2"),
    *("writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities"),
)


def make(folder: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    table = pa.concat_tables([pq.read_table(folder / name) for name in FILES])
    csv.write_csv(table, into / "votes.csv", csv.WriteOptions(quoting_style="needed"))
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    votes = expected.pop("votes_turn_1")
    for name, found in (("expected.json", votes), ("scores.json", expected)):
        (into / name).write_text(f"{json.dumps(found, indent=1)}\n", encoding="utf-8")
    questions = pq.read_table(folder / "questions.parquet", columns=["question_id", "category"])
    rated = ["model", "sample", "question_id", "turn", "score"]
    scores = pq.read_table(folder / "judgments_single.parquet", columns=rated)
    scores = scores.join(questions, "question_id").sort_by([(name, "ascending") for name in rated])
    csv.write_csv(scores, into / "scores.csv", csv.WriteOptions(quoting_style="needed"))
    games = ["question_id", "turn", "model_1", "model_2", "g1_winner", "g2_winner"]
    pairs = pq.read_table(folder / "judgments_pair.parquet", columns=games)
    csv.write_csv(pairs, into / "pairs.csv", csv.WriteOptions(quoting_style="needed"))
    with (into / "boards.csv").open("w", encoding="utf-8", newline="") as file:
        writer = DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for judge, name in PUBLISHED.items():
            for row in DictReader((folder / name).read_text(encoding="utf-8").splitlines()):
                ours = {OURS.get(column, column): value for column, value in row.items()}
                writer.writerow({**ours, "judge": judge})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path, default=HERE)
    make(**vars(parser.parse_args()))
