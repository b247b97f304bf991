"""Free-form and multiple-choice questions in one folder: what is read, asked, cut and refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from judgebench.benchmarks.data import Content, import_data, load_module
from judgebench.benchmarks.description import Split
from judgebench.benchmarks.folder import load_benchmark
from judgebench.benchmarks.task_folder import EXAMPLES, OWN, MixedQuestions
from judgebench.errors import ConfigError, InputError
from judgebench.keys import case_key
from judgebench.records import Item, Response
from tests.table import over_rows

ROOT = Path(__file__).parents[2]
_SOURCE = load_module(ROOT / "tasks" / "mixeval_hard", "source")
assert _SOURCE is not None
READ = _SOURCE.read
FREE: Mapping[str, Any] = {
    "problem_type": "free-form",
    "context": None,
    "prompt": "Which river?",
    "target": ["Danube"],
    "benchmark_name": "Quiz",
}
CHOICE: Mapping[str, Any] = {
    **FREE,
    "problem_type": "multiple-choice",
    "options": ["Rhine", "Danube"],
    "target": [1],
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))


def written(folder: Path, free: Any, choices: Any) -> Path:
    (folder / "free-form.json").write_text(json.dumps(free), encoding="utf-8")
    (folder / "multiple-choice.json").write_text(json.dumps(choices), encoding="utf-8")
    return folder


def row(content: Content, at: int) -> dict[str, Any]:
    return dict(content.items[at])


# Files -------------------------------------------------------------------------------------------


def test_upstreams_two_files_are_one_set(tmp_path: Path) -> None:
    folder = written(
        tmp_path, {"10": FREE, "2": FREE, "3": {**FREE, "context": "On"}}, {"0": CHOICE}
    )
    content = READ(folder)
    assert content is not None
    ids = [row["id"] for row in content.items]
    assert ids == ["free-form/2", "free-form/3", "free-form/10", "multiple-choice/0"]
    assert row(content, 1) == {
        "id": "free-form/3",
        "problem_type": "free-form",
        "context": "On",
        "question": "Which river?",
        "category": "Quiz",
        "references": ["Danube"],
    }
    assert row(content, 3)["answer_index"] == 1
    assert row(content, 3)["references"] == ["Danube"]


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    assert READ(tmp_path) is None
    (tmp_path / "judge_prompts.py").write_text("a = 1")
    assert READ(tmp_path / "judge_prompts.py") is None


def test_the_hard_set_is_not_the_full_one(tmp_path: Path) -> None:
    """Upstream's files of both have the same names."""
    folder = written(tmp_path, {str(n): FREE for n in range(500)}, {"0": CHOICE})
    for name in ("mixeval@2024-06-01", "mixeval@2024-08-11", "mixeval_hard@2024-08-11"):
        with pytest.raises(InputError, match=r"free-form\.json: SHA-256 .* is pinned"):
            import_data(name, folder)
    with pytest.raises(InputError, match="501 questions; mixeval_hard@2024-06-01 has 1000"):
        import_data("mixeval_hard@2024-06-01", folder)


@over_rows(
    ("free", "choices", "message"),
    [
        ({"0": {**FREE, "prompt": None}}, {}, r"free-form\.json: record 0: prompt: a text"),
        ({"0": {**FREE, "problem_type": "x"}}, {}, "problem_type: 'free-form'"),
        ({"0": {**FREE, "context": 3}}, {}, "context: a text or null"),
        ({"0": {**FREE, "target": []}}, {}, "target: a list of accepted answers"),
        ({"0": {**FREE, "target": [367]}}, {}, "target: a list of accepted answers"),
        ({"0": {**FREE, "benchmark_name": None}}, {}, "benchmark_name: the name of a dataset"),
        ({"0": "Which?"}, {}, "record 0: problem_type"),
        ({"one": FREE}, {}, "record 'one': a number"),
        ([FREE], {}, "an object of records"),
        ({"0": FREE}, {"7": {**CHOICE, "options": ["a", 1]}}, "record 7: options"),
        ({"0": FREE}, {"7": {**CHOICE, "target": [2]}}, "target: one number from 0 to 1"),
        ({"0": FREE}, {"7": {**CHOICE, "target": [True]}}, "target: one number from 0 to 1"),
        ({"0": FREE}, {"7": {**CHOICE, "target": [0, 1]}}, "target: one number from 0 to 1"),
        ({"0": FREE}, {"7": {**CHOICE, "target": 1}}, "target: one number from 0 to 1"),
    ],
)
def test_a_faulty_record_is_named(tmp_path: Path, free: Any, choices: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        READ(written(tmp_path, free, choices))


def test_half_a_set_is_none(tmp_path: Path) -> None:
    (written(tmp_path, {"0": FREE}, {}) / "multiple-choice.json").unlink()
    with pytest.raises(InputError, match=r"multiple-choice\.json is missing"):
        READ(tmp_path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (written(tmp_path, {}, {}) / "free-form.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        READ(tmp_path)
    for name in ("free-form.json", "multiple-choice.json"):
        (tmp_path / name).unlink()
    (tmp_path / "hard_freeform.parquet").write_bytes(b"no table")
    (tmp_path / "hard_multichoice.parquet").write_bytes(b"no table")
    with pytest.raises(InputError, match="is no whole Parquet file"):
        READ(tmp_path)
    (tmp_path / "old_freeform.parquet").write_bytes(b"no table")
    with pytest.raises(InputError, match="one set at a time"):
        READ(tmp_path)


# Questions ---------------------------------------------------------------------------------------


def test_items_know_their_options_and_where_they_are_from() -> None:
    items = {item.id: item for item in load_benchmark("mixeval_mini").data.items}
    assert len(items) == 52
    choice = items["multiple-choice/0"]
    assert choice.options
    assert choice.references[0] in choice.options
    assert choice.metadata["split"] == "multiple-choice"
    assert {item.metadata["split"] for item in items.values() if not item.options} == {"free-form"}
    contexts = [item.metadata["context"] for item in items.values()]
    assert sum(context is not None for context in contexts) >= 9
    for item in items.values():
        assert item.prompt is not None
        assert item.question in item.prompt
        assert (item.metadata["context"] or "") in item.prompt


def test_the_first_items_are_of_both_kinds() -> None:
    ids = [item.id for item in load_benchmark("mixeval_mini").data.items[:4]]
    assert ids == ["free-form/0", "multiple-choice/0", "free-form/1", "multiple-choice/1"]


def test_rows_that_repeat_an_item_are_asked_and_judged_once() -> None:
    items = load_benchmark("mixeval_mini").data.items
    benchmark = load_benchmark("mixeval_mini")
    asked = {(item.turns, item.prompt) for item in items}
    cases = {case_key(benchmark.case(item, [answer_to(item, "x")])) for item in items}
    assert (len(items), len(asked), len(cases)) == (52, 48, 48)


def answer_to(item: Item, text: str) -> Response:
    return Response(
        benchmark=item.benchmark,
        version=item.version,
        item_id=item.id,
        model_key=b"m",
        text=text,
        raw=text,
    )


RUN_ON = "B. 42\n\nWhich next?\nA. 1\n\n\nQuestion: and then?"


@pytest.mark.parametrize(
    ("options", "free", "choice"),
    [
        ({}, RUN_ON, RUN_ON),
        ({"prompt": "base"}, "B. 42\n\nWhich next?\nA. 1", "B. 42"),
        ({"prompt": "base", "truncate": "none"}, RUN_ON, RUN_ON),
        ({"truncate": "at_next_example"}, "B. 42\n\nWhich next?\nA. 1", "B. 42"),
    ],
)
def test_what_a_base_model_goes_on_to_invent_is_cut(
    options: dict[str, Any], free: str, choice: str
) -> None:
    """Of a free answer and of a choice elsewhere, and of an answer to the prompt for chats not."""
    benchmark = load_benchmark("mixeval_mini", options=options)
    items = {item.id: item for item in benchmark.data.items}
    for name, judged in (("free-form/0", free), ("multiple-choice/0", choice)):
        item = items[name]
        (shown,) = benchmark.case(item, [answer_to(item, RUN_ON)]).responses
        assert (shown.text, shown.raw) == (judged, RUN_ON)


def own_prefix(split: Split) -> str:
    folder = ROOT / "tasks" / "mixeval_hard" / "prompts"
    return (folder / f"{EXAMPLES[split]}.txt").read_text(encoding="utf-8")


def examples(split: Split) -> list[str]:
    gap = "\n\n\n" if split == "free-form" else "\n\n"
    return own_prefix(split).removesuffix(gap).split(gap)


def test_a_base_model_sees_five_examples_of_its_split() -> None:
    chat = load_benchmark("mixeval_mini").data.items
    base = load_benchmark("mixeval_mini", options={"prompt": "base"}).data.items
    assert [len(examples(split)) for split in EXAMPLES] == [5, 5]
    for plain, shown in zip(chat, base, strict=True):
        split = plain.metadata["split"]
        assert shown.prompt == f"{own_prefix(split)}{plain.prompt}\n"
        sentence = OWN.multiple_choice if split == "multiple-choice" else OWN.free_form
        assert sentence in own_prefix(split)


def test_our_examples_are_no_question_of_the_benchmark() -> None:
    asked = {item.question.casefold() for item in load_benchmark("mixeval_mini").data.items}
    shown = [
        line.removeprefix("Question: ") for s in EXAMPLES for line in own_prefix(s).split("\n")
    ]
    assert not asked & {line.casefold() for line in shown}
    for one in examples("multiple-choice"):
        *_, last, _, answer = one.split("\n")
        assert answer in "ABCDE"[: "ABCDE".index(last[0]) + 1]


def test_the_number_of_examples_is_not_for_choice() -> None:
    with pytest.raises(ConfigError, match="part of the prompt 'base'"):
        list(load_benchmark("mixeval_mini", options={"num_fewshot": 3}).data.items)


GOOD: Mapping[str, Any] = {
    "id": "free-form/0",
    "question": "Which river?",
    "problem_type": "free-form",
    "category": "Quiz",
    "references": ["Danube"],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"problem_type": "multiple-choice"}, "problem_type: free-form has to stand here"),
        ({"options": ["a", "b"], "answer_index": 0}, "problem_type: multiple-choice has to stand"),
        ({"category": None}, "category: the name"),
        ({"context": ["x"]}, "context: a text or null"),
        ({"references": []}, "references: an accepted answer"),
        (
            {"problem_type": "multiple-choice", "options": ["a", "b"], "answer_index": 2},
            "answer_index: a number from 0 to 1",
        ),
        (
            {"problem_type": "multiple-choice", "options": ["a", "b"], "answer_index": True},
            "answer_index: a number from 0 to 1",
        ),
        (
            {"problem_type": "multiple-choice", "options": ["a"] * 27, "answer_index": 2},
            "options: at most 26 texts",
        ),
    ],
)
def test_a_faulty_question_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    folder = tmp_path / "mixeval_mini"
    folder.mkdir()
    text = (ROOT / "tasks" / "mixeval_mini" / "benchmark.toml").read_text(encoding="utf-8")
    unpinned = [line for line in text.split("\n") if not line.startswith("sha256")]
    (folder / "benchmark.toml").write_text("\n".join(unpinned), encoding="utf-8")
    (folder / "items.jsonl").write_text(json.dumps({**GOOD, **change}) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"mixeval_mini: question free-form/0: {message}"):
        MixedQuestions(folder).docs()


def test_the_folders_say_the_same() -> None:
    tasks = ROOT / "tasks"
    names = ("mixeval", "mixeval_hard", "mixeval_mini")
    assert len({(tasks / name / "utils.py").read_text() for name in names}) == 1
    for name in ("mixeval", "mixeval_hard"):
        for file in (f"{name}.yaml", f"{name}_base.yaml"):
            hard = (tasks / "mixeval_hard" / file.replace(name, "mixeval_hard")).read_text()
            assert (tasks / name / file).read_text() == hard.replace("mixeval_hard", name)
