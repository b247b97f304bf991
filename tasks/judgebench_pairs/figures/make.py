"""Makes the figures beside this file from a folder of decisions; no question or answer is there.

    python tasks/judgebench_pairs/figures/make.py FOLDER [--into FOLDER]

FOLDER holds ``decisions.parquet`` and ``expected.json``: the figures of each judge that were
computed elsewhere, and what the paper prints.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import pyarrow.parquet as pq
from pyarrow import csv

HERE = Path(__file__).resolve().parent
COLUMNS = (
    *("judge", "pair_id", "category", "label", "decision_1", "decision_2", "len_A", "len_B"),
)


def make(folder: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    table = pq.read_table(folder / "decisions.parquet", columns=list(COLUMNS))
    csv.write_csv(table, into / "decisions.csv", csv.WriteOptions(quoting_style="needed"))
    shutil.copyfile(folder / "expected.json", into / "expected.json")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path, default=HERE)
    make(**vars(parser.parse_args()))
