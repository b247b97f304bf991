"""HonestyBench's official prompts: one that a program composes, taken in by what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from judgebench.benchmarks.data import keep_prompts
from judgebench.benchmarks.description import find
from judgebench.benchmarks.folder import load_benchmark
from judgebench.benchmarks.official import read_texts
from judgebench.judges.kinds import KINDS
from judgebench.keys import text_sha
from judgebench.protocols import JudgeSettings
from tests import honestybench_gold
from tests.unit.judging import QUESTION, asked_text, case_of

SAMPLING = {"max_tokens": 64, "temperature": 0}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


def gold() -> dict[str, dict[str, str]]:
    """Texts and hashes by the name that they have in the program."""
    found = honestybench_gold.gold("official_prompts.json")
    return {
        part: {name.partition("#")[2]: told for name, told in found[part].items()}
        for part in ("prompts", "sha256")
    }


def program(folder: Path) -> Path:
    """A program that composes these texts as upstream's does: in a function, some in a loop."""
    texts: dict[str, str] = {}
    for name, text in gold()["prompts"].items():
        function, _, variable = name.partition(".")
        assert '"""' not in text
        assert "\\" not in text
        sign = "" if variable == "base_template" else "f"
        texts[variable] = f'{variable} = {sign}"""{text}"""'
    lines = [
        "import json",
        f"def {function}(qa_data, samples):",
        f"    {texts.pop('base_template')}",
        "    for idx, sample_ans in enumerate(samples):",
        "        question = qa_data[idx]['question']",
        *(f"        {assigned}" for assigned in texts.values()),
        "        yield full_template",
    ]
    path = folder / "self_consistency.py"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    compile(path.read_text(encoding="utf-8"), str(path), "exec")  # it is one, and is never run
    return path


def test_every_text_of_the_program_is_upstreams(tmp_path: Path) -> None:
    found = read_texts(program(tmp_path))
    expected = gold()["sha256"]
    assert len(expected) == 4
    assert {name: text_sha(found.found[name]) for name in expected} == expected
    assert set(found.composed) == {"construct_question_for_consistency_check.full_template"}


def test_the_composed_text_is_the_pinned_one_and_is_taken_in(tmp_path: Path, home: Path) -> None:
    description, _ = find("honestybench")
    pinned = description.judging.official["consistency"]
    (composed,) = read_texts(program(tmp_path)).composed.values()
    assert text_sha(composed) == pinned.sha256
    assert pinned.source.endswith(".full_template")
    assert keep_prompts(description, [program(tmp_path)]) == ["consistency"]
    kept = home / "honestybench" / "prompts" / "consistency.txt"
    assert kept.read_text(encoding="utf-8") == composed
    for name in ("honestybench", "honestybench_mini"):
        assert load_benchmark(name).prompts["consistency"].official


def test_the_official_question_is_upstreams_with_its_holes_filled(tmp_path: Path) -> None:
    keep_prompts(find("honestybench")[0], [program(tmp_path)])
    texts = {name.rpartition(".")[2]: text for name, text in gold()["prompts"].items()}
    expected = texts["full_template"]
    for part in ("base_template", "template1", "template2"):
        expected = expected.replace("{" + part + "}", texts[part])
    for placeholder, value in (
        ("{question}", QUESTION),
        ("{qa_data[idx]['response'][0]}", "The Rhine"),
        ("{sample_ans}", "The Danube"),
    ):
        assert placeholder in expected
        expected = expected.replace(placeholder, value)
    judge = KINDS["consistency"].make(
        JudgeSettings(
            model="m",
            provider="p",
            options={"prompt": "official/consistency"},
            prompts=load_benchmark("honestybench_mini").prompts,
        )
    )
    assert asked_text(judge, case_of("The Rhine", "The Danube")) == expected
    assert judge.spec.official_prompt is True


def test_the_official_wording_is_taken_where_it_is_here_and_ours_otherwise(tmp_path: Path) -> None:
    def meant(**options: Any) -> Any:
        return load_benchmark("honestybench_mini").judged_with("consistency", options, {})

    assert meant() == ({}, {})
    keep_prompts(find("honestybench")[0], [program(tmp_path)])
    official = {"prompt": "official/consistency"}
    assert meant() == (official, SAMPLING)
    assert meant(reader="upstream") == ({**official, "reader": "upstream"}, SAMPLING)
    assert meant(prompt="default") == ({"prompt": "default"}, {})
    # Another way of judging goes by its own.
    benchmark = load_benchmark("honestybench_mini")
    assert benchmark.judged_with("stated_confidence", {}, {}) == ({}, {})
    assert benchmark.judged_with("equivalence", {}, {}) == ({}, {})
    assert benchmark.judged_with("contains", {}, {}) == ({}, {})


def test_what_a_benchmark_says_of_its_usual_judge_is_not_said_of_others() -> None:
    benchmark = load_benchmark("honestybench_mini")
    short = {"exact_match_first": True}
    judging = benchmark.description.judging.model_copy(update={"options": short})
    benchmark.description = benchmark.description.model_copy(update={"judging": judging})
    assert benchmark.judged_with("equivalence", {}, {}) == (short, {})
    assert benchmark.judged_with("consistency", {}, {}) == ({}, {})


@pytest.mark.parametrize(
    ("source", "composed"),
    [
        ("a = 'x'\nb = f'{a} {c}'", {"b": "x {c}"}),
        ("a = 'x'\nb = '{a}'", {"b": "x"}),  # of a template, which is filled later
        ("a = f'{c}'\nb = f'{a}!'\nd = f'{b}?'", {"b": "{c}!", "d": "{a}!?"}),
        ("a = 'x'\ndef f():\n    b = f'{a}'", {}),  # another scope
        ("def f():\n    a = 'x'\n    while y:\n        b = f'{a}'", {"f.b": "x"}),
        ("a = 'x'\na = g()\nb = f'{a}'", {}),  # no longer that text
        ("a = 'x'", {}),
    ],
)
def test_a_text_is_put_where_a_hole_has_its_name(
    tmp_path: Path, source: str, composed: dict[str, str]
) -> None:
    path = tmp_path / "prompts.py"
    path.write_text(source + "\n", encoding="utf-8")
    assert read_texts(path).composed == composed
