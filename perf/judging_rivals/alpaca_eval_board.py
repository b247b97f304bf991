"""alpaca-eval computing length-controlled win rates from annotations that are in memory.

    python alpaca_eval_board.py FIGURES ROUNDS MODEL

FIGURES is ``tasks/alpaca_eval/figures``. Its metric reads lengths of texts: texts of the right
lengths are made. The anchor rows, which it would download, are a local file. A model's metric is
its ``get_length_controlled_winrate``, which counts wins as well; the board is all models, one
after another. Prints JSON: versions, seconds, and the values.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from alpaca_eval.metrics import glm_winrate

BASELINE, JUDGE = "gpt4_1106_preview", "weighted_alpaca_eval_gpt4_turbo"


def annotated(figures: Path) -> dict[str, pd.DataFrame]:
    """Each model's annotations as alpaca-eval loads them, in the order of its file."""
    lengths = pd.read_csv(figures / "instructions.csv")["baseline_length"]
    table = pd.read_parquet(figures / "verdicts.parquet").sort_values(["model", "row"])
    return {
        str(model): pd.DataFrame(
            {
                "instruction": rows["index"].astype(str).to_list(),
                "output_1": ["x" * lengths[i] for i in rows["index"]],
                "generator_1": BASELINE,
                "output_2": ["y" * n for n in rows["length"]],
                "generator_2": str(model),
                "annotator": JUDGE,
                "preference": rows["preference"].to_list(),
            }
        )
        for model, rows in table.groupby("model")
    }


def anchors(figures: Path, path: Path) -> None:
    """``df_gamed.csv`` as its metric reads it."""
    rows = pd.read_csv(figures / "anchors.csv")
    difficulty = pd.read_csv(figures / "instructions.csv")["difficulty"]
    pd.DataFrame(
        {
            "preference": rows["pseudo_preference"],
            "index": rows["index"],
            "std_delta_len": rows["std_length"],
            "instruction_difficulty": rows["index"].map(difficulty),
            "not_gamed_baseline": False,
            "model": rows["variant"],
        }
    ).to_csv(path, index=False)


def length_controlled(rows: pd.DataFrame) -> float:
    found = glm_winrate.get_length_controlled_winrate(
        rows,
        save_weights_dir=None,
        is_add_glm_preference_inplace=False,
        is_warn_extreme_changes=False,
    )
    return float(found["length_controlled_winrate"])


def main() -> None:
    figures, rounds, model = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    by_model = annotated(figures)
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "df_gamed.csv"
        anchors(figures, local)
        glm_winrate.hf_hub_download = lambda **_: str(local)
        length_controlled(by_model[model])  # what is loaded late is not timed
        one, board, values = [], [], {}
        for _ in range(rounds):
            start = time.perf_counter()
            length_controlled(by_model[model])
            one.append(time.perf_counter() - start)
            start = time.perf_counter()
            values = {name: length_controlled(rows) for name, rows in by_model.items()}
            board.append(time.perf_counter() - start)
    packages = ("alpaca-eval", "scikit-learn", "pandas", "numpy")
    print(
        json.dumps(
            {
                "versions": {name: version(name) for name in packages},
                "one_s": one,
                "board_s": board,
                "values": values,
            }
        )
    )


if __name__ == "__main__":
    main()
