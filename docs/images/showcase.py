"""The stores that the pictures show: each says in its name what it holds.

``published.db`` has the verdicts that others published, real ones. ``written_answers.db`` has the
answers that come with the small benchmarks, judged by rules in a real run, and made-up labels of a
person called anna. ``generated_*.db`` are drawn from random numbers, as no published figures have
nights, checkpoints or confidences item by item.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from judgebench.labels import put_label, rater_name
from judgebench.records import Label, VerdictSlot
from judgebench.store.opening import open_store
from tests.dashboards import honesty_stores, night_stores

PUBLISHED = "published.db"
WRITTEN = "written_answers.db"
NIGHTS = "generated_nights.db"
TRAINING = "generated_training.db"
CONFIDENCES = "generated_confidences.db"

SUITE = """\
name: written-answers
models:
  - {name: model-careful, responses: tasks/trivia_judging_mini/answers.jsonl}
  - {name: model-terse, responses: tasks/trivia_judging_mini/answers.jsonl}
  - {name: model-verbose, responses: tasks/trivia_judging_mini/answers.jsonl}
  - {name: model-weak, responses: tasks/trivia_judging_mini/answers.jsonl}
  - {name: model-curt, responses: tasks/mixeval_mini/answers.jsonl}
  - {name: model-chatty, responses: tasks/mixeval_mini/answers.jsonl}
  - {name: model-hasty, responses: tasks/mixeval_mini/answers.jsonl}
judges:
  - {name: rules, kind: graded, options: {free_form: rule, multiple_choice: rule}}
benchmarks:
  - name: trivia_judging_mini
    models: [model-careful, model-terse, model-verbose, model-weak]
    judges: [exact_match, contains]
    labels: [tasks/trivia_judging_mini/labels.jsonl]
  - name: mixeval_mini
    models: [model-curt, model-chatty, model-hasty]
    judges: [rules]
"""

LABELLED = "trivia_judging_mini"
"""What anna has labelled a part of."""

DONE, SLIPS = 37, 0.05


def fill(folder: Path) -> None:
    """All stores, into a folder that has none of them."""
    _judgebench("import", "published", "--store", url_of(folder, PUBLISHED))
    suite = folder / "suite.yaml"
    suite.write_text(SUITE, encoding="utf-8")
    _judgebench("run", str(suite), "--store", url_of(folder, WRITTEN))
    label(url_of(folder, WRITTEN))
    # once more, so that the newest run is one whose manifest says something
    _judgebench("run", str(suite), "--store", url_of(folder, WRITTEN))
    night_stores.fill(folder / NIGHTS)
    night_stores.train(folder / TRAINING)
    honesty_stores.fill(folder / CONFIDENCES)


def url_of(folder: Path, name: str) -> str:
    return f"sqlite:///{folder / name}"


def label(url: str) -> None:
    """Some labels of anna's, who says what the authors say but for a slip now and then."""
    draw = random.Random(5)
    path = ROOT / "tasks" / LABELLED / "labels.jsonl"
    said = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with open_store(url) as store:
        keys = {one.name: one.key for one in store.models()}
        (version,) = (version for name, version in store.benchmarks() if name == LABELLED)
        for one in draw.sample([row for row in said if row["kind"] == "label"], DONE):
            right = (one["value"] == "correct") != (draw.random() < SLIPS)
            place = VerdictSlot(
                benchmark=LABELLED, version=version, item_id=one["item_id"],
                model_key=keys[one["model"]], judge_key=b"",
            )  # fmt: skip
            verdict = Label(name="correct" if right else "incorrect")
            put_label(store, rater_name("anna"), place, verdict)


def _judgebench(*said: str) -> None:
    subprocess.run([sys.executable, "-m", "judgebench.cli.main", *said], cwd=ROOT, check=True)
