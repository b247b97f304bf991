"""Makes the figures beside this file from published boards and verdicts; no text is there.

    python tasks/arena_hard/figures/make.py FOLDER [--into FOLDER]

FOLDER holds ``published_boards.csv``, ``ko_verdicts.parquet`` and ``expected.json``.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from pathlib import Path

HERE = Path(__file__).resolve().parent
JUDGE_01 = "gpt-4-1106-preview"
BOARDS = {
    "v0.1 no control, gpt-4-1106-preview": ("v0.1", JUDGE_01, "score"),
    "v0.1 style control, gpt-4-1106-preview": ("v0.1", JUDGE_01, "style_v0.1"),
    "v2.0 hard, style control, gemini-2.5": ("v2.0", "gemini-2.5", "style_v2.0"),
    "v2.0 hard, style control, gpt-4.1": ("v2.0", "gpt-4.1", "style_v2.0"),
    "v2.0 creative, gpt-4.1 + gemini-2.5": ("v2.0", "gpt-4.1 + gemini-2.5", "score"),
}
"""The version and the judge of each board, and the column of its scores."""
COLUMNS = ("score", "style_v0.1", "style_v2.0", "avg_tokens")


def make(folder: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    with (folder / "published_boards.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["board"] in BOARDS:
                version, judge, column = BOARDS[row["board"]]
                its = rows.setdefault((version, judge, row["model"]), {})
                its[column] = row["score"]
                tokens = row["avg_tokens"].removesuffix(".0")
                its["avg_tokens"] = tokens or its.get("avg_tokens", "")
    with (into / "boards.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("version", "judge", "model", *COLUMNS))
        for who, of in rows.items():
            lines.writerow((*who, *(of.get(name, "") for name in COLUMNS)))
    shutil.copyfile(folder / "ko_verdicts.parquet", into / "ko_verdicts.parquet")
    models = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["models"]
    with (into / "ko_board.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("model", "score", "style", "low", "high"))
        for model, one in models.items():
            ends = one["published_q025_q975_no_control"]
            said = one["published"]
            lines.writerow((model, said["no"], said["style"], *ends))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path, default=HERE)
    make(**vars(parser.parse_args()))
