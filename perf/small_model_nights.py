"""Nights with a real small model, its workflow file carried out as CI would: red, green, and open.

The demo's SmolLM2-135M answers the 48 questions of ``trivia_judging_mini``, judged by rule. The
first night is accepted as the baseline. Later ones change what a careless commit might: nothing,
the room for an answer by a token that nobody misses, then nearly all of it, the prompt, and how
many questions are asked. Each night is ``.github/workflows/nightly.yml``, step by step, by
``suites/nightly/as_ci_would.py``, on one store that goes from night to night.

    python perf/small_model_nights.py                   # the model answers: a few minutes
    python perf/small_model_nights.py --answers FILE    # keeps what it answered, for the tests
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from judgebench.store.opening import open_store
from suites.demo_model import demo_model

ROOT = Path(__file__).resolve().parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "nightly.yml"
RUNNER = ROOT / "suites" / "nightly" / "as_ci_would.py"
BENCHMARK = "trivia_judging_mini"


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What is changed against the first one; ``answers`` is what its answers are kept as."""

    name: str
    decoding: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    accept: bool = False
    answers: str | None = None

    def suite(self, model: str, store: str) -> dict[str, Any]:
        local = {
            "model": "hf",
            "model_args": {"pretrained": model, "dtype": "float32"},
            "batch_size": 8,
            "device": "cpu",
            "apply_chat_template": False,
            "gen_kwargs": {"max_gen_toks": 24, **self.decoding},
        }
        if self.system is not None:
            local["system_instruction"] = self.system
        options = {"prompt": "base", **self.options}
        return {
            "name": "nightly",
            "models": [{"name": "nightly", "lm_eval": local}],
            "benchmarks": [
                {"name": BENCHMARK, "judges": ["contains"], "options": options, **self.asked}
            ],
            "store": store,
        }


NO_ANSWERS = "\n\n".join(
    f"Q: {question}?\nA: I do not know."
    for question in (
        "Who was it",
        "Where is it",
        "When did it begin",
        "How many are there",
        "What is it",
    )
)
NIGHTS = (
    Night(name="the first, accepted", accept=True, answers="sound"),
    Night(name="nothing changed"),
    Night(name="one token less", decoding={"max_gen_toks": 23}),
    Night(name="a prompt without its examples", options={"num_fewshot": 0}),
    Night(
        name="examples that answer nothing",
        system=NO_ANSWERS,
        options={"num_fewshot": 0},
        answers="damaged",
    ),
    Night(name="two tokens an answer", decoding={"max_gen_toks": 2}),
    Night(name="one token an answer", decoding={"max_gen_toks": 1}, answers="one-token"),
    Night(name="ten questions", decoding={"max_gen_toks": 22}, asked={"limit": 10}),
    Night(name="the first again"),
)


def carried_out(folder: Path, model: str) -> Iterator[tuple[Night, int, dict[str, Any]]]:
    """Each night, how it ended, and what the gate wrote."""
    for name in ("suites", "tasks"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "bin").mkdir()
    program = folder / "bin" / "judgebench"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m judgebench.cli.main "$@"\n', "utf-8")
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(program.parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
    }
    for night in NIGHTS:
        suite = folder / "suite.yaml"
        suite.write_text(yaml.safe_dump(night.suite(model, store_of(folder))), "utf-8")
        words = ["--skip", "Install", "--env", f"SUITE={suite}", "--env", "NEEDED=PATH"]
        words += ["--input", "accept=true"] if night.accept else []
        done = subprocess.run(
            [sys.executable, str(RUNNER), str(WORKFLOW), *words],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        sys.stderr.write(done.stdout)
        yield night, done.returncode, json.loads((folder / "build/gate/gate.json").read_text())


def store_of(folder: Path) -> str:
    return f"sqlite:///{folder}/results/nightly.db"


def line(night: Night, code: int, gate: Mapping[str, Any]) -> str:
    (test,) = gate["tests"]
    difference = test["difference"]
    figures = [f"{test[f'{who}_value']:.3f}" for who in ("candidate", "baseline")]
    bounds = f"{difference['value']:+.3f} [{difference['low']:+.3f}, {difference['high']:+.3f}]"
    because = f"; {test['because']}" if test.get("because") else ""
    return (
        f"{night.name:32s}{code:5d}  {gate['verdict']:13s}{figures[0]:>10s}{figures[1]:>9s}"
        f"  {bounds:26s}{test['p_value']:.4f}{because}"
    )


def newest_answers(store: str) -> dict[str, str]:
    """By item, of the model that answered last."""
    with open_store(store, read_only=True) as opened:
        table = opened.responses_table(BENCHMARK)
    last = max(zip(table["at"], table["model_id"], strict=True))[1]
    rows = zip(table["item_id"], table["text"], table["model_id"], strict=True)
    return {item: text for item, text, model in rows if model == last}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--answers", type=Path, metavar="FILE", help="JSONL, to keep the answers in"
    )
    options = parser.parse_args()
    kept: list[dict[str, str]] = []
    print("SmolLM2-135M-Instruct on 48 questions, judged by contains; suites/nightly/gate.yaml")
    print(f"{'':32s}{'exit':>5s}  {'gate':13s}{'candidate':>10s}{'baseline':>9s}"
          f"  {'difference':26s}{'p':6s}")  # fmt: skip
    with tempfile.TemporaryDirectory() as named:
        folder = Path(named)
        for night, code, gate in carried_out(folder, str(demo_model().folder)):
            print(line(night, code, gate), flush=True)
            if night.answers is not None:
                kept += [
                    {"item_id": item, "model": night.answers, "text": text}
                    for item, text in newest_answers(store_of(folder)).items()
                ]
    if options.answers is not None:
        rows = (json.dumps({"benchmark": BENCHMARK, **row}, ensure_ascii=False) for row in kept)
        options.answers.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
