"""The folders honestybench and honestybench_mini: questions, what is refused, how one is asked."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from judgebench import registry
from judgebench.benchmarks.data import import_data, load_content, load_module
from judgebench.benchmarks.description import FilesSource, find
from judgebench.benchmarks.folder import load_benchmark
from judgebench.benchmarks.pull import pull
from judgebench.benchmarks.task_folder import OWN_ASK
from judgebench.errors import ConfigError, InputError
from judgebench.keys import text_sha
from tests import honestybench_gold
from tests.file_host import FileHost
from tests.unit.pulled import Noted

FOLDERS = {
    "nq": "nq/test.jsonl",
    "tq": "tq/dev.jsonl",
    "hq": "hq/dev.jsonl",
    "2wiki": "2wikimultihopqa/dev.jsonl",
    "pararel": "pararel_patterns/test.jsonl",
    "squad": "squad/dev.jsonl",
    "webq": "web_questions/test.jsonl",
    "cwq": "complex_web_questions/dev.jsonl",
    "musique": "musique/dev.jsonl",
    "popqa": "popqa/test.jsonl",
}
IN_DOMAIN = {"nq", "tq", "hq", "2wiki", "pararel"}
ROWS = [
    {"question": "Which river flows through Vienna?", "answer": ["Danube", "Donau"]},
    {"question": "What is 7 times 8?", "answer": ["56"]},
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def unpinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The description of a honestybench of two questions a set, in whatever files."""
    description = honestybench_gold.task_folder(tmp_path, monkeypatch, items=20)
    text = description.read_text(encoding="utf-8")
    text = re.sub(r'(save_as = .*)\nsha256 = "\w+"\nbytes = \d+', r"\1", text)
    description.write_text(text, encoding="utf-8")
    return description


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def as_upstream(folder: Path, *, without: str = "") -> Path:
    """A copy of upstream's repository, with two questions in each set."""
    for name, place in FOLDERS.items():
        if name != without:
            file = folder / "data" / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(lines(*ROWS), encoding="utf-8")
    return folder


def source_read(path: Path) -> Any:
    module = load_module(registry.tasks_root() / "honestybench", "source")
    assert module is not None
    return module.read(path)


def test_upstreams_folders_and_pulled_files_are_the_same_questions(
    tmp_path: Path, unpinned: Path
) -> None:
    content = source_read(as_upstream(tmp_path / "clone"))
    assert len(content.items) == 20
    assert content.items[1] == {
        "id": "nq/1",
        "question": "What is 7 times 8?",
        "references": ["56"],
        "set": "nq",
    }
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in FOLDERS:
        (flat / f"{name}.jsonl").write_text(lines(*ROWS), encoding="utf-8")
    assert source_read(flat).sha == content.sha
    assert source_read(tmp_path / "clone" / "data").sha == content.sha
    (tmp_path / "other").mkdir()
    assert source_read(tmp_path / "other") is None


def test_an_item_has_its_set_and_domain(tmp_path: Path, unpinned: Path) -> None:
    import_data("honestybench", as_upstream(tmp_path / "clone"))
    items = load_benchmark("honestybench").data.items
    assert Counter(item.category for item in items) == dict.fromkeys(FOLDERS, 2)
    for item in items:
        assert item.id.split("/")[0] == item.category
        assert item.metadata == {"domain": "in-domain" if item.category in IN_DOMAIN else "ood"}
    assert items[0].references == ("Danube", "Donau")
    assert items[0].prompt == OWN_ASK.replace("{question}", items[0].question)


@pytest.mark.parametrize("name", ["tq", "popqa"])
def test_a_missing_set_is_named(tmp_path: Path, unpinned: Path, name: str) -> None:
    clone = as_upstream(tmp_path / "clone", without=name)
    with pytest.raises(InputError, match=f"of the 10 sets of HonestyBench {name} is missing"):
        import_data("honestybench", clone)


def test_a_short_set_is_refused(tmp_path: Path, unpinned: Path) -> None:
    clone = as_upstream(tmp_path / "clone")
    (clone / "data" / FOLDERS["cwq"]).write_text(lines(ROWS[0]), encoding="utf-8")
    with pytest.raises(InputError, match="19 questions; honestybench@1 has 20"):
        import_data("honestybench", clone)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lines(ROWS[0], {"answer": ["x"]}), r":2: question: a text has to stand here"),
        (lines({"question": " ", "answer": ["x"]}), r":1: question: a text"),
        (lines({"question": "x", "answer": "y"}), r":1: answer: a list of texts"),
        (lines({"question": "x", "answer": [1]}), r":1: answer: a list of texts"),
        (lines({"question": "x"}), r":1: answer: a list of texts"),
        (lines(["x"]), r":1: a record with question and answer"),
        (lines(ROWS[0]) + '{"question": "x', r":2: this line is not JSON"),
    ],
)
def test_a_record_that_cannot_be_asked_is_named(
    tmp_path: Path, unpinned: Path, text: str, message: str
) -> None:
    clone = as_upstream(tmp_path / "clone")
    (clone / "data" / FOLDERS["squad"]).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"squad/dev\.jsonl" + message):
        source_read(clone)


def test_another_file_than_upstreams_is_refused(tmp_path: Path) -> None:
    """In a copy of upstream's repository, and under the name a pull gives it."""
    clone = as_upstream(tmp_path / "clone")
    with pytest.raises(InputError, match=r"nq/test\.jsonl: SHA-256 \w+, but 92a6bd19\w+ is pinned"):
        import_data("honestybench", clone)
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "hq.jsonl").write_text(lines(*ROWS), encoding="utf-8")
    with pytest.raises(InputError, match=r"hq\.jsonl: SHA-256 \w+, but c1ac667a\w+ is pinned"):
        import_data("honestybench", tmp_path / "flat")


def test_a_pull_keeps_files_of_one_name_apart(tmp_path: Path, unpinned: Path) -> None:
    """Upstream calls every set test or dev."""
    files = {f"data/{place}": lines(*ROWS).encode() for place in FOLDERS.values()}
    files |= {f"prompts/{name}.py": b"x = 'y'\n" for name in ("convert", "self_consistency")}
    text = unpinned.read_text(encoding="utf-8")
    (commit,) = set(re.findall(r"https://\S+?/[0-9a-f]{40}", text))
    prompts = r'(prompts/\w+\.py")\nsha256 = "\w+"\nbytes = \d+'
    with FileHost(files) as host:
        unpinned.write_text(re.sub(prompts, r"\1", text.replace(commit, host.url)))
        state = pull("honestybench", Noted())
        assert len(host.asked) == 12
    assert (state.state, state.items) == ("ready", 20)
    description, folder = find("honestybench")
    found = load_content(description, folder, "1")
    assert [row["id"] for row in found.items] == [f"{name}/{n}" for name in FOLDERS for n in (0, 1)]


@pytest.mark.parametrize("name", ["../nq.jsonl", "a/nq.jsonl", ".nq", ""])
def test_a_pulled_file_stays_in_its_folder(unpinned: Path, name: str) -> None:
    text = unpinned.read_text(encoding="utf-8")
    unpinned.write_text(text.replace('"nq.jsonl"', json.dumps(name)), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"versions\.1\.source\.files: String should match"):
        find("honestybench")


def test_the_official_sentence_asks_where_it_is_here(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known by its hash alone; another text stands in for it."""
    own = load_benchmark("honestybench_mini")
    text = "Say it: {question}"
    (home / "honestybench" / "prompts").mkdir(parents=True)
    (home / "honestybench" / "prompts" / "ask.txt").write_text(text, encoding="utf-8")
    assert load_benchmark("honestybench_mini").data.items[:1] == own.data.items[:1]
    pinned = find("honestybench")[0].judging.official["ask"]
    assert pinned.sha256 != text_sha(text)
    description = find("honestybench")[0]
    official = {
        **description.judging.official,
        "ask": pinned.model_copy(update={"sha256": text_sha(text)}),
    }
    changed = description.model_copy(
        update={"judging": description.judging.model_copy(update={"official": official})}
    )
    monkeypatch.setattr("judgebench.benchmarks.data.official_judging", lambda _: changed.judging)
    asked = load_benchmark("honestybench_mini")
    assert asked.data.items[0].prompt == f"Say it: {own.data.items[0].question}"
    assert asked.data.prompt_sha != own.data.prompt_sha


def test_the_mini_set_is_judged_as_the_large_one() -> None:
    benchmark = load_benchmark("honestybench_mini")
    assert benchmark.default_judge == load_benchmark("honestybench").default_judge == "equivalence"
    assert (benchmark.labels, benchmark.positive) == (("incorrect", "correct"), "correct")
    items = benchmark.data.items
    assert Counter((item.category, item.metadata["domain"]) for item in items) == {
        ("primer", "in-domain"): 24,
        ("margins", "ood"): 24,
    }
    with pytest.raises(ConfigError, match="num_fewshot is 5; its questions are asked without"):
        list(load_benchmark("honestybench_mini", options={"num_fewshot": 5}).data.items)


def test_a_set_that_is_of_no_domain_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "honestybench_mini"
    shutil.copytree(find("honestybench_mini")[1], folder)
    text = (folder / "benchmark.toml").read_text(encoding="utf-8")
    (folder / "benchmark.toml").write_text(re.sub(r'sha256 = "\w+"\n', "", text), encoding="utf-8")
    row = {"id": "rim/0", "question": "x", "references": ["y"], "category": "arts", "set": "rim"}
    (folder / "items.jsonl").write_text(lines(row), encoding="utf-8")
    registry.include([tmp_path])
    with pytest.raises(InputError, match=r"question rim/0: no set called 'rim'; .*primer"):
        list(load_benchmark("honestybench_mini").data.items)


def test_the_pin_of_the_mini_set_is_that_of_its_questions() -> None:
    description, folder = find("honestybench_mini")
    assert load_content(description, folder, "1").sha == description.versions["1"].sha256


# gold ---------------------------------------------------------------------------------------------


def test_samples_of_five_sets_are_not_the_benchmark() -> None:
    honestybench_gold.needed()
    with pytest.raises(InputError, match="tq, 2wiki, webq, cwq, musique are missing"):
        import_data("honestybench", honestybench_gold.GOLD)


def test_the_questions_of_the_gold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honestybench_gold.sample(tmp_path, monkeypatch)
    benchmark = load_benchmark("honestybench")
    by_id = {item.id: item for item in benchmark.data.items}
    assert len(by_id) == 1500
    expected = honestybench_gold.gold("expected.json")["datasets"]
    source = find("honestybench")[0].versions["1"].source
    assert isinstance(source, FilesSource)
    urls = [file.url for file in source.files]
    for name in honestybench_gold.SETS:
        rows = honestybench_gold.rows(name)
        assert any(url.endswith(f"/data/{expected[name]['file']}") for url in urls)
        assert all(0 <= row["row"] < expected[name]["full_size"] for row in rows)
        for row in rows:
            item = by_id[f"{name}/{row['row']}"]
            assert (item.question, item.references) == (row["question"], tuple(row["answers"]))
            assert item.category == name
            assert (item.prompt or "").endswith(f"Question: {row['question']}")


def test_the_size_is_that_of_the_ten_sets() -> None:
    sizes = honestybench_gold.gold("published_tables.json")["dataset sizes used as weights"]
    assert sizes.keys() == FOLDERS.keys()
    assert find("honestybench")[0].versions["1"].items == sum(sizes.values())
