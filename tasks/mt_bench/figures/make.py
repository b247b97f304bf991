"""Makes the figures beside this file from a folder of votes; no question or answer is there.

    python tasks/mt_bench/figures/make.py FOLDER [--into FOLDER]

FOLDER holds ``votes_human_turn1.parquet``, ``votes_gpt4_pair_turn1.parquet`` and ``expected.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

HERE = Path(__file__).resolve().parent
FILES = ("votes_human_turn1.parquet", "votes_gpt4_pair_turn1.parquet")


def make(folder: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    table = pa.concat_tables([pq.read_table(folder / name) for name in FILES])
    csv.write_csv(table, into / "votes.csv", csv.WriteOptions(quoting_style="needed"))
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    text = json.dumps(expected["votes_turn_1"], indent=1)
    (into / "expected.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path, default=HERE)
    make(**vars(parser.parse_args()))
