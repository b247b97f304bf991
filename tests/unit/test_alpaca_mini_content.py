"""The texts of tasks/alpaca_eval_mini are whole, and its README says what is in them."""

import json
import re
from collections import Counter
from pathlib import Path
from statistics import fmean, median
from typing import Any

from judgebench.judges.flags import text_flags
from judgebench.records import Response
from tests.table import over_rows

FOLDER = Path(__file__).parents[2] / "tasks" / "alpaca_eval_mini"
MODELS = ("model-brief", "model-lengthy", "model-careless")


def read(name: str) -> list[dict[str, Any]]:
    text = (FOLDER / name).read_bytes().decode("utf-8", errors="strict")
    assert text.endswith("\n"), f"{name} has a torn last line"
    return [json.loads(line) for line in text.removesuffix("\n").split("\n")]


ITEMS = read("items.jsonl")
BASELINE = {row["item_id"]: row["text"] for row in read("baseline.jsonl")}
ANSWERS = {(row["item_id"], row["model"]): row["text"] for row in read("answers.jsonl")}
PREFERENCES = {(row["item_id"], row["model"]): row["winner"] for row in read("preferences.jsonl")}
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its first two lines."""
    below = README.split(heading, 1)[1]
    lines = [line for line in below.split("\n\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_instruction_is_answered_and_judged_once() -> None:
    ids = [item["id"] for item in ITEMS]
    assert ids == [str(n) for n in range(48)]
    assert len({item["question"] for item in ITEMS}) == 48
    assert set(BASELINE) == set(ids)
    assert set(ANSWERS) == set(PREFERENCES) == {(one, model) for one in ids for model in MODELS}
    assert set(PREFERENCES.values()) == {"model", "baseline", "tie"}
    texts = [*BASELINE.values(), *ANSWERS.values()]
    assert len(set(texts)) == len(texts)


def test_readme_counts_categories() -> None:
    said = README.split("Categories: ")[1].split(". Most")[0]
    without = re.sub(r"\([^)]*\)", "", said)
    counted = {
        name: int(n) for name, n in re.findall(r"([a-z]+)\s+(\d+)", without.replace("\n", " "))
    }
    assert counted == Counter(item["category"] for item in ITEMS)


@over_rows(
    "row",
    table("## Models"),
)
def test_readme_measures_lengths(row: list[str]) -> None:
    model, _, mean, middle, span, longer = row
    own = BASELINE if model == "baseline" else {i: ANSWERS[i, model] for i in BASELINE}
    lengths = [len(text) for text in own.values()]
    assert f"{fmean(lengths):.1f}" == mean
    assert median(lengths) == float(middle)
    assert span == f"{min(lengths)} to {max(lengths)}"
    if longer:
        more = sum(len(own[i]) > len(BASELINE[i]) for i in BASELINE)
        assert longer == f"{more} of 48"


@over_rows(
    "row",
    table("## Preferences"),
)
def test_readme_counts_preferences(row: list[str]) -> None:
    said = Counter(PREFERENCES[i, row[0]] for i in BASELINE)
    won, tied, lost = said["model"], said["tie"], said["baseline"]
    assert [int(n) for n in row[1:4]] == [won, tied, lost]
    assert f"{(won + tied / 2) / 48:.3f}" == row[4]


@over_rows(
    "row",
    table("## Known difficulty"),
)
def test_readme_says_how_far_length_goes(row: list[str]) -> None:
    decided = {i: PREFERENCES[i, row[0]] for i in BASELINE if PREFERENCES[i, row[0]] != "tie"}
    difference = {i: len(ANSWERS[i, row[0]]) - len(BASELINE[i]) for i in BASELINE}
    agrees = sum(
        difference[i] > 0 if winner == "model" else difference[i] < 0
        for i, winner in decided.items()
    )
    assert int(row[1]) == len(decided)
    assert row[2].split(" ")[0] == str(agrees)
    assert row[3] == f"{sum(d > 0 for d in difference.values())} of 48"


def test_readme_names_the_marked_answers() -> None:
    marked: dict[str, set[int]] = {}
    for item in ITEMS:
        for model in MODELS:
            if text_flags(ANSWERS[item["id"], model], 20_000):
                marked.setdefault(model, set()).add(int(item["id"]))
    said = README.split("the marks on boards name ")[1].split(".\n")[0]
    assert marked == {
        model: {int(n) for n in re.findall(r"\d+", part)}
        for model, part in zip(
            re.findall(r"`([a-z-]+)`", said), re.split(r"`[a-z-]+`", said)[1:], strict=True
        )
    }


def response(item_id: str, text: str) -> Response:
    return Response(
        benchmark="alpaca_eval_mini",
        version="1",
        item_id=item_id,
        model_key=b"m" * 32,
        text=text,
        raw=text,
        status="ok",
    )
