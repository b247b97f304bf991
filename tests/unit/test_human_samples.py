"""The folders alignbench_pointwise and alignbench_pairwise: what they read, bring and refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from judgebench import registry
from judgebench.benchmarks.data import (
    ANSWERS,
    LABELS,
    Content,
    import_data,
    load_module,
    read_content,
    write_content,
)
from judgebench.benchmarks.description import find
from judgebench.benchmarks.folder import load_benchmark
from judgebench.errors import ConfigError, InputError
from judgebench.exchange.tables import read_label_rows
from judgebench.judges.chinese import KINDS, TYPES
from judgebench.keys import text_sha
from judgebench.protocols import JudgeSettings
from judgebench.records import Preference, Score
from tests import alignbench_gold

POINT, PAIR = "alignbench_pointwise", "alignbench_pairwise"
BASED, FREE = "alignbench_reference_based_sample.jsonl", "alignbench_reference_free_sample.jsonl"
SCORED: dict[str, Any] = {
    "id": 3,
    "category": "专业能力",
    "question": "镜片为什么起雾？",
    "reference": "水汽遇冷凝结。",
    "response": "因为有灰。",
    "model": "writer",
    "human_score": 2,
}
COMPARED: dict[str, Any] = {
    **{name: SCORED[name] for name in ("id", "category", "question", "reference")},
    "response_1": "因为有灰。",
    "response_2": "水汽凝结。",
    "human_score_1": 1,
    "human_score_2": 4.0,
    "label": 1,
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


def written(folder: Path, *rows: Any, name: str = BASED) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def source_read(name: str, path: Path) -> Content | None:
    module = load_module(registry.tasks_root() / name, "source")
    assert module is not None
    content: Content | None = module.read(path)
    return content


def test_an_answer_with_its_score(tmp_path: Path) -> None:
    free = {name: value for name, value in SCORED.items() if name != "reference"} | {"id": 1}
    content = source_read(POINT, written(tmp_path, SCORED, free))
    assert content is not None
    assert content.items[1] == {
        "id": "3",
        "question": "镜片为什么起雾？",
        "references": ["水汽遇冷凝结。"],
        "category": "专业能力",
        "language": "zh",
    }
    assert (content.items[0]["id"], content.items[0]["references"]) == ("1", [])
    assert content.answers[1] == {"item_id": "3", "model": "writer", "text": "因为有灰。"}
    assert content.labels[1] == {
        "item_id": "3", "model": "writer", "judge": "human/critiquellm", "kind": "score",
        "value": 2.0, "low": 1, "high": 5,
    }  # fmt: skip
    assert source_read(PAIR, tmp_path) is None


@pytest.mark.parametrize(("label", "won"), [(0, 1.0), (1, 0.0), (2, 0.5)])
def test_a_pair_with_its_label_and_scores(tmp_path: Path, label: int, won: float) -> None:
    content = source_read(PAIR, written(tmp_path, {**COMPARED, "label": label}))
    assert content is not None
    assert content.answers == ({"item_id": "3", "model": "response_1", "text": "因为有灰。"},)
    assert content.baseline == ({"item_id": "3", "text": "水汽凝结。"},)
    compared, *scored = content.labels
    assert (compared["kind"], compared["value"]) == ("preference", won)
    assert (compared["model"], compared["opponent"]) == ("response_1", "response_2")
    assert [(one["model"], one["value"]) for one in scored] == [
        ("response_1", 1.0),
        ("response_2", 4.0),
    ]
    assert source_read(POINT, tmp_path) is None


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        (POINT, {**SCORED, "human_score": 6}, "1: human_score: a number from 1 to 5 .* not 6"),
        (POINT, {**SCORED, "human_score": None}, "1: human_score: a number from 1 to 5"),
        (POINT, {**SCORED, "response": None}, "1: response: a text has to stand here, not None"),
        (POINT, {**SCORED, "id": "3"}, "1: id: a whole number"),
        (PAIR, {**COMPARED, "label": -1}, "1: label: one of 0, 1, 2 has to stand here, not -1"),
        (PAIR, {**COMPARED, "label": 0.5}, "1: label: one of 0, 1, 2"),
        (PAIR, {**COMPARED, "response_2": 7}, "1: response_2: a text"),
    ],
)
def test_a_record_that_says_nothing_is_named(
    tmp_path: Path, name: str, row: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        source_read(name, written(tmp_path, row))


def test_files_that_are_no_sample(tmp_path: Path) -> None:
    path = written(tmp_path, SCORED)
    path.write_text(path.read_text() + '{"id": 4')
    with pytest.raises(InputError, match=r"sample\.jsonl:2: this line is not JSON"):
        source_read(POINT, path)
    written(tmp_path, SCORED)
    written(tmp_path, SCORED, name=FREE)
    with pytest.raises(InputError, match="are different samples; name the one that is meant"):
        source_read(POINT, tmp_path)
    (tmp_path / "x.parquet").write_bytes(b"PAR0")
    with pytest.raises(InputError, match=r"x\.parquet: is no whole Parquet file"):
        source_read(POINT, tmp_path)


def test_a_part_of_the_sample_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 questions; alignbench_pointwise@reference_based has"):
        import_data(POINT, written(tmp_path, SCORED))


def test_what_is_brought_comes_back_and_is_part_of_the_hash(tmp_path: Path) -> None:
    content = source_read(POINT, written(tmp_path, SCORED))
    assert content is not None
    folder = tmp_path / "kept"
    folder.mkdir()
    write_content(content, folder)
    assert read_content(folder) == content
    shas = {content.sha, Content(items=content.items).sha}
    shas.add(Content(items=content.items, answers=content.answers).sha)
    assert len(shas) == 3
    for name in (ANSWERS, LABELS):
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace('"3"', '"4"'), encoding="utf-8")
        with pytest.raises(InputError, match=f"{name}: '4' is the id of no question"):
            read_content(folder)
        (folder / name).write_text(text, encoding="utf-8")


def test_labels_need_not_name_the_benchmark_that_brings_them(tmp_path: Path) -> None:
    rows = [{"item_id": "3", "model": "m", "judge": "human/a", "kind": "score", "value": 2,
             "low": 1, "high": 5}]  # fmt: skip
    path = written(tmp_path, *rows, name="labels.jsonl")
    (row,) = read_label_rows(path, (POINT, "reference_free"))
    assert (row.where.at, row.verdict) == ((POINT, "reference_free"), Score(value=2, low=1, high=5))
    with pytest.raises(InputError, match="benchmark"):
        read_label_rows(path)
    other = written(tmp_path, {**rows[0], "benchmark": PAIR}, name="other.jsonl")
    assert read_label_rows(other, (POINT, "reference_free"))[0].where.at == (
        PAIR,
        "reference_based",
    )


def test_the_forms_of_critiques_are_found_from_every_benchmark_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upstream's forms are not here; others take their place under other hashes."""
    tasks = tmp_path / "tasks"
    for name in (POINT, PAIR, "alignbench", "alignbench_mini"):
        (tasks / name).mkdir(parents=True)
        for file in (registry.tasks_root() / name).iterdir():
            if file.is_file():
                (tasks / name / file.name).write_bytes(file.read_bytes())
    forms = {
        "Pointwise_reference_based": "[{type}]{question}|{reference}|{response}",
        "Pointwise_reference_free": "[{type}]{question}|{response}",
        "Pairwise_reference_based": "[{type}]{question}|{reference}|{response_1}|{response_2}",
        "Pairwise_reference_free": "[{type}]{question}|{response_1}|{response_2}",
    }
    description = tasks / POINT / "benchmark.toml"
    text = description.read_text(encoding="utf-8")
    judging = find(POINT)[0].judging
    for (name, form), official in zip(forms.items(), judging.official.values(), strict=True):
        assert official.source == f"prompts.py#{name}"
        text = text.replace(official.sha256, text_sha(form))
    description.write_text(text, encoding="utf-8")
    monkeypatch.setattr(registry, "tasks_root", lambda: tasks)
    code = "".join(f"{name} = {form[:8]!r} \\\n    {form[8:]!r}\n" for name, form in forms.items())
    (tmp_path / "prompts.py").write_text(code, encoding="utf-8")
    mini = load_benchmark("alignbench_mini")
    assert mini.judged_with("critique", {}, {}) == ({}, {})
    state = import_data(PAIR, tmp_path / "prompts.py")
    assert state.prompts == ("critique", "critique_free", "critique_pair", "critique_pair_free")
    for name in (POINT, PAIR, "alignbench", "alignbench_mini"):
        benchmark = load_benchmark(name)
        options, sampling = benchmark.judged_with("critique", {"reference": "never"}, {})
        assert options == {"prompt": "official/critique", "reference": "never"}
        judge = KINDS["critique"].make(
            JudgeSettings(
                model="m",
                provider="p",
                options=options,
                sampling=sampling,
                prompts=benchmark.prompts,
            )
        )
        assert judge.spec.official_prompt
        assert judge.spec.prompt_sha == text_sha("\n".join(map(text_sha, forms.values())))
    assert mini.judged_with("rubric", {}, {}) == ({}, {})


@pytest.mark.parametrize("name", [POINT, PAIR])
def test_gold(name: str) -> None:
    alignbench_gold.needed()
    state = import_data(name, alignbench_gold.GOLD)
    assert (state.state, state.items) == ("ready", 100)
    benchmark = load_benchmark(name)
    brought = benchmark.data.brought
    assert brought is not None
    assert len(brought.models) == (8 if name == POINT else 1)
    assert brought.labels is not None
    verdicts = [row.verdict for row in read_label_rows(brought.labels, (name, benchmark.version))]
    assert sum(isinstance(one, Score) for one in verdicts) == (100 if name == POINT else 200)
    assert sum(isinstance(one, Preference) for one in verdicts) == (0 if name == POINT else 100)
    types = TYPES
    assert {item.category for item in benchmark.data.items} < types.keys()
    assert load_benchmark("alignbench_mini").data.brought is None


def test_one_sample_does_not_pass_for_the_other() -> None:
    alignbench_gold.needed()
    with pytest.raises(InputError, match="the questions of alignbench_pairwise@reference_based"):
        import_data(f"{PAIR}@reference_free", alignbench_gold.GOLD)


def test_every_category_of_alignbench_has_an_answer_type() -> None:
    known = find("alignbench")[0].asking.temperatures.keys() - {"default"}
    assert known < TYPES.keys()


def test_a_version_that_is_not_here_says_how_to_get_it() -> None:
    with pytest.raises(
        InputError, match="judgebench data pull alignbench_pointwise@reference_free"
    ):
        list(load_benchmark(f"{POINT}@reference_free").data.items)
    with pytest.raises(ConfigError, match="no version of alignbench_pointwise called 'free'"):
        load_benchmark(f"{POINT}@free")
