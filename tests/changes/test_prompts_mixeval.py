"""The prompts of the graded judge and of mixed questions, as files; official ones as hashes.

Write them anew with ``JUDGEBENCH_REWRITE_GOLDEN=1``, as those of `tests.changes.test_prompts`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgebench.benchmarks.data import import_data
from judgebench.benchmarks.folder import load_benchmark
from judgebench.judges.kinds import KINDS
from judgebench.keys import text_sha
from judgebench.protocols import JudgeSettings
from judgebench.records import Case
from tests.changes.test_prompts import case, chat, same

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "mixeval"
OPTIONS = ("the Rhine", "the Danube", "the {Elbe}")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the benchmark's own texts, which somebody may have in the usual place."""
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path))


def choice() -> Case:
    item = replace(case().item, options=OPTIONS, references=("the Danube",))
    return replace(case(), item=item)


FORMS: dict[str, dict[str, Any]] = {
    "line": {},
    "line_alone": {"explain": False},
    "json": {"format": "json"},
    "json_alone": {"format": "json", "explain": False},
}


@pytest.mark.parametrize("name", FORMS)
def test_the_graded_judges_questions(name: str) -> None:
    judge = KINDS["graded"].make(JudgeSettings(model="m", provider="p", options=FORMS[name]))
    for kind, asked in (("free_form", case()), ("multiple_choice", choice())):
        same(f"graded_{kind}_{name}.txt", chat(next(judge.judge(asked)).messages))


@pytest.mark.parametrize("prompt", ["chat", "base"])
def test_what_models_are_asked(prompt: str) -> None:
    items = {i.id: i for i in load_benchmark("mixeval_mini", options={"prompt": prompt}).data.items}
    for name in ("free-form/8", "multiple-choice/6"):
        same(f"mixeval_mini_{prompt}_{name.replace('/', '_')}.txt", str(items[name].prompt))


@pytest.mark.skipif(
    not (GOLD / "official_prompts.json").exists(),
    reason="the gold data (../shared/gold/mixeval beside the repository) is not here",
)
def test_official_questions() -> None:
    import_data("mixeval_mini", GOLD)
    benchmark = load_benchmark("mixeval_mini")
    options, _ = benchmark.judged_with("graded", {}, {})
    judge = KINDS["graded"].make(
        JudgeSettings(model="m", provider="p", options=options, prompts=benchmark.prompts)
    )
    found = {"prompt": judge.spec.prompt_sha}
    for kind, asked in (("free_form", case()), ("multiple_choice", choice())):
        found[kind] = text_sha(chat(next(judge.judge(asked)).messages))
    same("official_mixeval.json", json.dumps(found, indent=1))
