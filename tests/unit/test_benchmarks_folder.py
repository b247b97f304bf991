"""A benchmark as a folder: description, items, cases, the lm-eval task."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from judgebench import registry
from judgebench.benchmarks.data import read_content
from judgebench.benchmarks.description import find, read
from judgebench.benchmarks.folder import load_benchmark
from judgebench.errors import ConfigError, InputError
from judgebench.records import Response
from tests.table import over_rows

MINI = registry.tasks_root() / "trivia_judging_mini"


@pytest.fixture(autouse=True)
def _empty_data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))


def test_items_carry_the_question_and_the_prompt() -> None:
    benchmark = load_benchmark("trivia_judging_mini")
    assert (benchmark.name, benchmark.version) == ("trivia_judging_mini", "1")
    items = benchmark.data.items
    assert len(items) == 48
    assert [item.id for item in benchmark.data.items[:2]] == ["0", "1"]
    first = items[0]
    assert first.question == "Which river flows through Vienna, Budapest and Belgrade?"
    assert "Danube" in first.references
    assert first.category == "geography"
    assert first.prompt is not None
    assert first.prompt.endswith(f"Q: {first.question}\nA:")
    assert first.prompt.count("\nA: ") == 5
    assert (benchmark.labels, benchmark.positive) == (("correct", "incorrect"), "correct")
    assert benchmark.default_judge == "reference"


@over_rows(
    ("options", "examples", "start"),
    [
        ({}, 5, "Answer the last question"),
        ({"prompt": "base"}, 5, "Q: "),
        ({"num_fewshot": 0}, 0, "Answer the question"),
        ({"prompt": "base", "num_fewshot": 2}, 2, "Q: "),
    ],
)
def test_options_choose_the_prompt(options: dict[str, Any], examples: int, start: str) -> None:
    prompt = load_benchmark("trivia_judging_mini", options=options).data.items[0].prompt
    assert prompt is not None
    assert prompt.startswith(start)
    assert prompt.count("\nA: ") == examples


def test_cases_show_the_answer_cut_where_it_ends() -> None:
    benchmark = load_benchmark("trivia_judging_mini")
    item = benchmark.data.items[0]
    raw = " Danube\nQ: And now?"
    response = Response(benchmark="x", version="1", item_id="0", model_key=b"m", text=raw, raw=raw)
    case = benchmark.case(item, [response])
    (shown,) = case.responses
    assert (shown.text, shown.raw) == ("Danube", raw)
    whole = load_benchmark("trivia_judging_mini", options={"truncate": "none"})
    assert whole.case(item, [response]).responses[0].text == raw


def test_the_lm_eval_task_is_explicit() -> None:
    task = load_benchmark("trivia_judging_mini", options={"num_fewshot": 1}).lm_eval_task
    assert task.name == "trivia_judging_mini"
    assert task.include_path == MINI
    assert task.metadata == {"trivia_judging_mini": {"version": "1", "num_fewshot": 1}}
    assert task.until == ("\nQ:", "\nQuestion:")
    assert task.max_gen_toks == 24
    assert task.generation == {"do_sample": False}
    base = load_benchmark("trivia_judging", options={"prompt": "base"}).lm_eval_task
    assert (base.name, base.max_gen_toks) == ("trivia_judging_base", 64)


def test_data_that_is_not_here_says_how_to_get_it() -> None:
    with pytest.raises(InputError, match="judgebench data pull trivia_judging@v1"):
        list(load_benchmark("trivia_judging@v1").data.items)


@over_rows(
    ("name", "options", "message"),
    [
        ("trivia_jugding", {}, "did you mean 'trivia_judging'"),
        ("trivia_judging@v7", {}, "no version of trivia_judging called 'v7'"),
        ("trivia_judging@", {}, "NAME or NAME@VERSION"),
        ("trivia_judging_mini", {"promt": "base"}, "did you mean 'prompt'"),
        ("trivia_judging_mini", {"prompt": "bass"}, "did you mean 'base'"),
        ("trivia_judging_mini", {"truncate": "firstline"}, "did you mean 'first_line'"),
        ("trivia_judging_mini", {"num_fewshot": -1}, "num_fewshot"),
    ],
)
def test_what_does_not_exist(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_benchmark(name, options=options)


def test_more_examples_than_there_are() -> None:
    with pytest.raises(ConfigError, match="num_fewshot is 6; there are 5"):
        list(load_benchmark("trivia_judging_mini", options={"num_fewshot": 6}).data.items)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A benchmark that somebody else wrote, in a folder of their own."""
    folder = tmp_path / "tasks" / "rivers"
    shutil.copytree(MINI, folder, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "benchmark.toml"
    lines = file.read_text().replace('name = "trivia_judging_mini"', 'name = "rivers"')
    kept = [li for li in lines.splitlines() if not li.startswith("sha256 =")]
    file.write_text("\n".join(kept) + "\n")
    registry.include([folder.parent])
    return folder


def test_a_folder_of_ones_own(own: Path) -> None:
    benchmark = load_benchmark("rivers")
    assert benchmark.data.items[0].benchmark == "rivers"
    other = load_benchmark("trivia_judging_mini")
    assert benchmark.data.sha == other.data.sha


def test_changed_questions_are_another_data_sha_and_refused_if_pinned(own: Path) -> None:
    before = read_content(own).sha
    rows = (own / "items.jsonl").read_text().splitlines()
    row = json.loads(rows[0])
    row["references"].append("Duna")
    (own / "items.jsonl").write_text("\n".join([json.dumps(row), *rows[1:]]) + "\n")
    benchmark = load_benchmark("rivers")
    assert benchmark.data.sha != before
    toml = own / "benchmark.toml"
    toml.write_text(toml.read_text().replace("[versions.1]", f'[versions.1]\nsha256 = "{before}"'))
    with pytest.raises(InputError, match="are not the questions of rivers@1"):
        list(load_benchmark("rivers").data.items)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('licence = "', 'license = "', "license: no key called 'license'; did you mean 'licence'"),
        ('positive = "correct"', 'positive = "corect"', "did you mean 'correct'"),
        ('default_version = "1"', 'default_version = "2"', "no version called '2'"),
        ('truncate = "at_', 'truncate = "near_', "no truncation called"),
        ('prompt = "chat"', 'prompt = "chit"', "did you mean 'chat'"),
        ('kind = "folder"', 'kind = "floder"', "floder"),
        ('name = "rivers"', 'name = "lakes"', "have to be equal"),
        ("[asking]", "[asking", "cannot be read"),
    ],
)
def test_a_fault_in_a_description_is_named(own: Path, old: str, new: str, message: str) -> None:
    file = own / "benchmark.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=message) as error:
        find("rivers")
    assert str(file) in str(error.value)


def test_a_task_without_stops_is_refused(own: Path) -> None:
    file = own / "trivia_judging_mini.yaml"
    file.write_text(file.read_text().replace("  until:", "  stop:"))
    with pytest.raises(ConfigError, match="generation_kwargs with 'until'"):
        _ = load_benchmark("rivers").lm_eval_task


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "0", "question": "q", "references": []', "items.jsonl:2: this line is not JSON"),
        ('{"id": 0, "question": "q", "references": []}', "items.jsonl:2: id: a text"),
        ('{"id": "1", "question": "q", "references": "r"}', "items.jsonl:2: references: a list"),
        ('{"id": "0", "question": "q", "references": []}', "items.jsonl:2: the id '0' stands"),
        ('{"id": "1", "question": "q", "references": [1]}', "items.jsonl:2: references"),
        ("[]", "items.jsonl:2: id"),
    ],
)
def test_a_torn_or_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    good = '{"id": "0", "question": "q", "references": ["r"]}'
    (tmp_path / "items.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(InputError, match=message):
        read_content(tmp_path)


def test_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_bytes(b"\xff\n")
    with pytest.raises(InputError, match="cannot be read"):
        read_content(tmp_path)


@over_rows("folder", registry.benchmark_folders().values())
def test_every_benchmark_folder_is_complete(folder: Path) -> None:
    description = read(folder)
    assert (folder / "README.md").is_file()
    for prompt in description.asking.prompts:
        task = load_benchmark(folder.name, options={"prompt": prompt}).lm_eval_task
        file = folder / f"{task.name}.yaml"
        assert task.max_gen_toks > 0
        # By hand lm-eval asks the version that the file names: the one that is meant unasked.
        (version,) = re.findall(r"(?m)^  version: (.+)$", file.read_text(encoding="utf-8"))
        assert version.strip('"') == description.default_version
