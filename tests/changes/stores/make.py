"""Makes the golden stores of a release; see README.md beside it, which says what is in them.

    python tests/changes/stores/make.py demo        # minutes: a small real model answers and judges
    python tests/changes/stores/make.py published   # seconds
    python tests/changes/stores/make.py kinds       # seconds

Run it in a clean checkout of that release, from its root. It is kept to say where the stores come
from: they stay as that release wrote them and are never made again.
"""

from __future__ import annotations

import csv
import hashlib
import json
import lzma
import math
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT)]

from tests.loopback import Ask, Loopback, Reaction  # noqa: E402  (the root is on the path now)

Row: TypeAlias = dict[str, Any]

NIGHTS = 3
BASELINE = ("baseline", "set", "main", "--model", "nightly")
CALIBRATE = (
    *("calibrate-length", "alpaca_eval_mini"),
    *("--judge", "soft-comparer", "--baseline", "baseline"),
)
ANCHORS = ("anchors", "pin", "trivia_judging_mini", "--judge", "soft-checker")

HUB_MODEL = "judgebench/smollm2-135m-instruct"
"""What the demo's local model is called in `demo.yaml`; nobody has it on the Hub."""

DEMO_COMMIT = "b179c9523d0e6a0f98a330c7562b682750a6f8c8"
"""Its commit: the first 40 digits of the SHA-256 of the file that the demo converts."""

ALPACA_MODELS = (
    *("FuseChat-Llama-3.1-8B-Instruct", "claude-2", "gpt4_1106_preview", "gpt4_gamed"),
    *("alpaca-7b_concise", "text_davinci_001"),
)
TRIVIA_COLUMNS = ("exam_taker", "question_id", "Gemma-2B", "Llama-70B", "EM", "human")


def main(words: list[str]) -> None:
    for word in words or ["published", "kinds", "demo"]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{word}.db"
            MAKERS[word](path)
            pack(path, HERE / f"{word}.db.xz")


def demo(path: Path) -> None:
    """The demo's suite with the real model: through lm-eval, and behind a server as a judge."""
    sys.path[:0] = [str(ROOT / "suites")]
    from demo_model import demo_model

    found = demo_model()
    assert hashlib.sha256(found.gguf.read_bytes()).hexdigest().startswith(DEMO_COMMIT)
    hub = path.parent / "hub"
    lay_out(hub, DEMO_COMMIT, found.folder)
    environment = {
        "DEMO_MODEL": HUB_MODEL,
        "DEMO_GGUF": str(found.gguf),
        "HF_HUB_CACHE": str(hub),
        "HF_HUB_OFFLINE": "1",
    }
    judgebench("run", HERE / "demo.yaml", store=path, environment=environment)


def published(path: Path) -> None:
    """Published verdicts, numbers alone: a part of the figures, since keys do not compress."""
    tasks = path.parent / "tasks"
    for benchmark, file in (
        ("alpaca_eval", "verdicts.parquet"),
        ("trivia_judging", "verdicts.csv"),
    ):
        (tasks / benchmark / "figures").mkdir(parents=True)
        a_part_of(
            ROOT / "tasks" / benchmark / "figures" / file, tasks / benchmark / "figures" / file
        )
    judgebench("import", "published", "--tasks", tasks, store=path)


def a_part_of(whole: Path, part: Path) -> None:
    if whole.suffix == ".csv":
        with whole.open(encoding="utf-8", newline="") as stream:
            rows = [{name: row[name] for name in TRIVIA_COLUMNS} for row in csv.DictReader(stream)]
        with part.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, TRIVIA_COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    else:
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        table = pq.read_table(whole)
        pq.write_table(table.filter(pc.is_in(table["model"], pa.array(ALPACA_MODELS))), part)


def kinds(path: Path) -> None:
    """Every kind of judge, nights, failures, people, a calibration, a baseline, and anchors."""
    own = path.parent / "own"
    write_answers(own)
    with Loopback(react) as server:
        at = {"OWN": str(own), "SERVER": server.url}
        judgebench("run", HERE / "kinds.yaml", store=path, environment=at)
        judgebench("run", HERE / "candidates.yaml", store=path, environment=at)
        judgebench("run", HERE / "failing.yaml", store=path, environment=at, codes=(75,))
    for night in range(NIGHTS):
        if night == 1:
            judgebench(*BASELINE, store=path)
        at = {"NIGHT": str(own / f"night-{night}.jsonl")}
        judgebench("run", HERE / "nights.yaml", store=path, environment=at)
    judgebench("import", "labels", own / "preferences.jsonl", store=path)
    judgebench("import", "verdicts", own / "confidences.jsonl", store=path)
    judgebench(*CALIBRATE, store=path)
    judgebench(*ANCHORS, store=path)
    judgebench("run", HERE / "nights.yaml", "--refresh-anchors", store=path, environment=at)


def write_answers(folder: Path) -> None:
    """What the suites of `kinds` need beside the sets that come along; always the same."""
    folder.mkdir()
    tasks = ROOT / "tasks"
    baseline = read(tasks / "alpaca_eval_mini" / "baseline.jsonl")
    lengthy = read(tasks / "alpaca_eval_mini" / "answers.jsonl", model="model-lengthy")
    doubled = (
        row["text"] + "\n\n" + more["text"] for row, more in zip(baseline, lengthy, strict=True)
    )
    halved = (row["text"][: len(row["text"]) // 2] for row in baseline)
    write(
        folder / "writers.jsonl",
        [
            {"item_id": row["item_id"], "model": model, "text": text}
            for model, texts in (("model-doubled", doubled), ("model-halved", halved))
            for row, text in zip(baseline, texts, strict=True)
        ],
    )
    trivia = tasks / "trivia_judging_mini" / "answers.jsonl"
    good, bad = read(trivia, model="model-careful"), read(trivia, model="model-weak")
    for night in range(NIGHTS):
        told = [
            worse if n % 12 < 1 + 3 * night else row
            for n, (row, worse) in enumerate(zip(good, bad, strict=True))
        ]
        write(
            folder / f"night-{night}.jsonl",
            [{"item_id": row["item_id"], "model": "nightly", "text": row["text"]} for row in told],
        )
    write(folder / "preferences.jsonl", list(preferences()))
    write(folder / "confidences.jsonl", list(confidences()))


def preferences() -> Iterator[Row]:
    """The authors' and, made of theirs by turning some round, three more people's."""
    p = {"model": 1.0, "tie": 0.5, "baseline": 0.0}
    for row in read(ROOT / "tasks" / "alpaca_eval_mini" / "preferences.jsonl"):
        for rater, every in (("authors", 0), ("ada", 9), ("bo", 4), ("cy", 3)):
            value = p[row["winner"]]
            turned = every and number(rater, row["model"], row["item_id"]) % every == 0
            yield {
                "benchmark": "alpaca_eval_mini",
                "item_id": row["item_id"],
                "model": row["model"],
                "opponent": "baseline",
                "judge": f"human/{rater}",
                "kind": "preference",
                "value": 1.0 - value if turned else value,
            }


def confidences() -> Iterator[Row]:
    """A confidence from a file: that of a head that knows a little."""
    for row in read(ROOT / "tasks" / "honestybench_mini" / "labels.jsonl"):
        if row["sample"] == 0:
            drawn = number("head", row["model"], row["item_id"]) % 1000 / 1000
            right = row["value"] == "correct"
            yield {
                "benchmark": "honestybench_mini",
                "item_id": row["item_id"],
                "model": row["model"],
                "judge": "head",
                "kind": "score",
                "value": round(drawn**0.5 if right else drawn, 3),
                "low": 0,
                "high": 1,
            }


def react(ask: Ask) -> Reaction:
    """What the loopback server says: always the same of the same question, by its form."""
    drawn = number(ask.text)
    if ask.body["model"] == "faltering" and drawn % 3 == 0:
        return Reaction(status=400, payload={"error": {"message": "not this one"}})
    choice: dict[str, Any] = {}
    if ask.body.get("logprobs"):
        choice["logprobs"] = {"content": [first_token(ask, drawn)]}
    return Reaction(text=said(ask, drawn), choice=choice)


def said(ask: Ask, drawn: int) -> str:
    if ask.text.endswith("Number:"):
        return f"{drawn % 101 / 100}" if drawn % 17 else "quite sure"
    if ask.text.endswith("certain or uncertain."):
        return ("certain", "certain", "uncertain", "I cannot say")[drawn % 4]
    last = ask.text.rstrip().splitlines()[-1]
    if last.startswith("option "):
        return f"It names one.\n{last} {('A', 'B', 'none')[drawn % 3]}"
    if last.startswith("score "):
        return f"It names most of it.\n{last} {drawn % 11 / 10}"
    if last.startswith("{'") and "助手" in ask.text.rstrip().splitlines()[-2]:
        return "都不错。\n" + last.replace("?", ("'助手1'", "'助手2'", "'质量相当'")[drawn % 3])
    if last.startswith("{'"):
        parts = last.split("?")
        marks = (str(1 + (drawn >> 4 * n) % 10) for n in range(len(parts) - 1))
        return "大体正确。\n" + "".join(
            f"{part}{mark}" for part, mark in zip(parts, [*marks, ""], strict=True)
        )
    if ask.body["model"] == "remote":
        return ("Green", "eight", "the letter K", "I do not know")[drawn % 4]
    return ("correct", "incorrect")[drawn % 2]


def first_token(ask: Ask, drawn: int) -> dict[str, Any]:
    """One token with its alternatives: the verdicts that the question asks for."""
    if form := re.search(r"One word: (\w), (\w) or (\w)\.$|One word: (\w) or (\w)\.$", ask.text):
        tokens = tuple(filter(None, form.groups()))
    elif "correct or incorrect" in ask.text:
        tokens = ("correct", "incorrect")
    elif ask.body["model"] == "remote":
        tokens = ("Green",)
    else:
        tokens = tuple(f"{n:02}" for n in range(1, 11))
    weights = [1.0 + (drawn >> 4 * n) % 16 for n in range(len(tokens))]
    if tokens[0] == "A":
        weights = [preference(ask.text, drawn), 1.0, 0.1][: len(tokens)]
    top = sorted(
        (
            {"token": t, "logprob": math.log(w / sum(weights) * 0.98), "bytes": None}
            for t, w in zip(tokens, weights, strict=True)
        ),
        key=lambda one: -one["logprob"],
    )
    return {**top[0], "top_logprobs": top}


def preference(text: str, drawn: int) -> float:
    """The odds of answer A: length is liked, and some questions only the baseline can answer."""
    question, first, second = text.split(" begins>>\n")[-3:]
    known = {row["text"].strip() for row in read(ROOT / "tasks/alpaca_eval_mini/baseline.jsonl")}
    question, first, second = (part.partition("\n<<")[0] for part in (question, first, second))
    is_known = [answer.strip() in known for answer in (first, second)]
    hard = number(question) % 1201 / 100 - 6
    of_models = (is_known[1] - is_known[0]) * (0.5 - hard)
    return math.exp(of_models + (len(first) - len(second)) / 400 + drawn % 101 / 100 - 0.5)


def number(*words: str) -> int:
    """A number that only depends on these words."""
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:8], "big")


def read(path: Path, **wanted: str) -> list[Row]:
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def write(path: Path, rows: list[Row]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")


def lay_out(hub: Path, commit: str, files: Path | None) -> None:
    """A cache of the Hub that holds `HUB_MODEL` at a commit, with its files or without any."""
    model = hub / f"models--{HUB_MODEL.replace('/', '--')}"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(commit)
    (model / "snapshots").mkdir()
    if files is not None:
        (model / "snapshots" / commit).symlink_to(files, target_is_directory=True)


def judgebench(
    *words: str | Path,
    store: Path,
    environment: Mapping[str, str] | None = None,
    codes: tuple[int, ...] = (0,),
) -> str:
    """Type a command; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "judgebench.cli.main", *map(str, words)],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "JUDGEBENCH_STORE": f"sqlite:///{store}", **(environment or {})},
    )
    if done.returncode not in codes:
        sys.exit(f"{' '.join(map(str, words))}: ended with {done.returncode}")
    return done.stdout


def pack(path: Path, target: Path) -> None:
    """One compressed file of a store that nobody has open."""
    with closing(sqlite3.connect(path)) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    target.write_bytes(lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size:,} bytes", file=sys.stderr)


MAKERS: dict[str, Callable[[Path], None]] = {
    "demo": demo,
    "published": published,
    "kinds": kinds,
}

if __name__ == "__main__":
    main(sys.argv[1:])
