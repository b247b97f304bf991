"""Makes the figures beside this file from a folder of labels; no prompt or answer is there.

    python tasks/xstest/figures/make.py FOLDER [--into FOLDER]

FOLDER holds ``completions.parquet`` and ``expected.json``.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import pyarrow.parquet as pq
from pyarrow import csv

HERE = Path(__file__).resolve().parent
COLUMNS = (
    *("model", "id", "label", "annotation_1", "annotation_2", "final_label"),
    *("gpt4_label", "strmatch_label"),
)


def make(folder: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    table = pq.read_table(folder / "completions.parquet", columns=list(COLUMNS))
    csv.write_csv(table, into / "labels.csv", csv.WriteOptions(quoting_style="needed"))
    shutil.copyfile(folder / "expected.json", into / "expected.json")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path, default=HERE)
    make(**vars(parser.parse_args()))
