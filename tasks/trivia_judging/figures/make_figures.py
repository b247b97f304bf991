"""Makes the figures beside this file from the full table of verdicts; no text is taken over.

    python tasks/trivia_judging/figures/make_figures.py FOLDER

FOLDER holds ``judgments.parquet`` (a row for each exam taker and question, a column for each
judge), ``expected.json`` (coefficients computed from it by independent implementations) and
``published.json`` (numbers printed in the paper).
"""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
COEFFICIENTS = (
    *("n", "percent_agreement", "cohen_kappa", "scott_pi", "gwet_ac1", "krippendorff_alpha"),
    *("precision", "recall", "delta", "p_c", "p_plus"),
)
RANKINGS = ("spearman", "kendall_tau_b")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    write_verdicts(folder / "judgments.parquet", expected["judges"])
    reduced = json.dumps(reduce_expected(expected), indent=1) + "\n"
    (HERE / "expected.json").write_text(reduced, encoding="utf-8")
    printed = json.loads((folder / "published.json").read_text(encoding="utf-8"))
    paper = json.dumps(paper_figures(printed, expected["judges"]), indent=1) + "\n"
    (HERE / "paper.json").write_text(paper, encoding="utf-8")


def write_verdicts(table: Path, judges: list[str]) -> None:
    """A line for each exam taker and question: 1 correct, 0 incorrect, empty missing."""
    from pyarrow import parquet

    columns = [*judges, "human"]
    rows = (row for row in parquet.read_table(table).to_pylist() if not row["stale"])
    with (HERE / "verdicts.csv").open("w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(["exam_taker", "question_id", *columns])
        for row in rows:
            codes = ["" if row[name] is None else int(row[name]) for name in columns]
            lines.writerow([row["exam_taker"], row["question_id"], *codes])


def reduce_expected(expected: dict[str, Any]) -> dict[str, Any]:
    """The coefficients that judgebench prints, against the human labels."""
    kept = ("source", "policy", "rows_used", "missing", "exam_takers", "judges", "human_score")
    reduced = {name: expected[name] for name in kept}
    reduced["judges_vs_human"] = {
        judge: {
            "pooled": pick(figures["pooled"], COEFFICIENTS),
            "pooled_ci95": pick(figures["pooled_ci95"], COEFFICIENTS),
            "by_exam_taker": {
                taker: pick(found, COEFFICIENTS)
                for taker, found in figures["by_exam_taker"].items()
            },
            "macro": {
                name: found["mean"] for name, found in pick(figures["macro"], COEFFICIENTS).items()
            },
            "macro_ci95": pick(figures["macro_ci95"], COEFFICIENTS),
            "ranking": pick(figures["ranking"], RANKINGS),
            "ranking_ci95": pick(figures["ranking_ci95"], RANKINGS),
        }
        for judge, figures in expected["judges_vs_human"].items()
    }
    return reduced


def paper_figures(printed: dict[str, Any], judges: list[str]) -> dict[str, Any]:
    """What the paper's first version prints of the same verdicts."""
    values = printed["arxiv_v1_figure_1b"]["values"]
    return {
        "source": "arXiv 2406.12624v1, figure 1b",
        "cohen_kappa_percent": {judge: values[judge] for judge in judges},
    }


def pick(figures: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: figures[name] for name in names if name in figures}


if __name__ == "__main__":
    main()
