"""The folders alignbench and alignbench_mini: questions, what is refused, the official judge."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from judgebench import registry
from judgebench.benchmarks.data import import_data, load_module
from judgebench.benchmarks.description import find
from judgebench.benchmarks.folder import FolderBenchmark, load_benchmark
from judgebench.benchmarks.pull import pull
from judgebench.errors import ConfigError, InputError
from judgebench.judges.chinese import KINDS
from judgebench.judges.prompt import PromptJudge
from judgebench.protocols import JudgeSettings
from judgebench.records import Response, Score, Unreadable
from tests import alignbench_gold
from tests.file_host import FileHost
from tests.unit.judging import contents, read, talk
from tests.unit.pulled import Noted

UPSTREAM = "5b79d4a84e566db26e755c719935c62a0e1b0527"
ROW: dict[str, Any] = {
    "question_id": 5,
    "category": "专业能力",
    "subcategory": "物理",
    "question": "镜片为什么起雾？",
    "reference": "水汽遇冷凝结。",
    "evidences": [{"url": "https://example.org", "quote": "凝结"}],
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


def written(folder: Path, *rows: Any, name: str = "data_v1.1_release.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def source_read(path: Path) -> Any:
    module = load_module(registry.tasks_root() / "alignbench", "source")
    assert module is not None
    return module.read(path)


def judge_of(benchmark: FolderBenchmark, **options: Any) -> PromptJudge:
    chosen, sampling = benchmark.judged_with("dimensions", options, {})
    return KINDS["dimensions"].make(
        JudgeSettings(
            model="m",
            provider="p",
            options=chosen,
            sampling=sampling,
            prompts=benchmark.prompts,
            content=benchmark.judging_content,
        )
    )


def answered(benchmark: FolderBenchmark, number: int, text: str) -> Any:
    item = benchmark.data.items[number]
    response = Response(
        benchmark="b", version="1", item_id=item.id, model_key=b"m", text=text, raw=text
    )
    return benchmark.case(item, [response])


def rated(judge: PromptJudge, benchmark: FolderBenchmark, number: int) -> frozenset[str]:
    """What answers are rated on: a blank one has the lowest score in all of it."""
    asked, verdict = talk(judge, answered(benchmark, number, " "))
    assert asked == []
    assert isinstance(verdict, Score)
    return frozenset(verdict.parts)


def test_a_question_of_upstreams_file(tmp_path: Path) -> None:
    content = source_read(written(tmp_path, ROW, {**ROW, "question_id": 6, "evidences": []}))
    assert content.items[0] == {
        "id": "5",
        "question": "镜片为什么起雾？",
        "references": ["水汽遇冷凝结。"],
        "category": "专业能力",
        "subcategory": "物理",
        "language": "zh",
        "metadata": {"evidences": [{"url": "https://example.org", "quote": "凝结"}]},
    }
    assert content.items[1]["metadata"] == {"evidences": []}
    assert source_read(tmp_path).sha == content.sha
    assert source_read(written(tmp_path / "..", {}, name="other.jsonl")) is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"category": "烹饪"}, "2: category: '烹饪' is none of AlignBench's"),
        ({"subcategory": "炼金术"}, "2: subcategory: '炼金术' is none"),
        ({"category": "default"}, "2: category: 'default' is none"),
        ({"question_id": "6"}, "2: question_id: a whole number"),
        ({"reference": None}, "2: reference: a text has to stand here"),
        ({"question": " "}, "2: question: a text has to stand here"),
        ({"evidences": ["x"]}, "2: evidences: a list of records"),
        ({"evidences": "https://example.org"}, "2: evidences: a list of records"),
    ],
)
def test_a_record_that_cannot_be_asked_is_named(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        source_read(written(tmp_path, ROW, {**ROW, "question_id": 6, **changed}))


def test_a_torn_line_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, ROW)
    path.write_text(path.read_text() + '{"question_id": 6')
    with pytest.raises(InputError, match=r"release\.jsonl:2: this line is not JSON"):
        source_read(path)


def test_a_file_with_upstreams_name_is_upstreams_file(tmp_path: Path) -> None:
    path = written(tmp_path, *({**ROW, "question_id": n} for n in range(683)))
    with pytest.raises(InputError, match=r"but 6ad5cdb2d552\w+ is pinned; fetch it again"):
        import_data("alignbench", path)
    with pytest.raises(InputError, match=r"but 14a008e7851b\w+ is pinned"):
        import_data("alignbench@1.0", path.rename(tmp_path / "data_release.jsonl"))


def test_the_mini_set_asks_and_judges_as_the_large_one() -> None:
    mini, large = (find(name)[0] for name in ("alignbench_mini", "alignbench"))
    assert mini.asking.temperatures == large.asking.temperatures
    benchmark = load_benchmark("alignbench_mini")
    assert benchmark.default_judge == "dimensions"
    judge = judge_of(benchmark)
    assert (judge.spec.official_prompt, judge.spec.sampling["max_tokens"]) == (False, 2048)
    assert all(rated(judge, benchmark, number) for number in range(len(benchmark.data.items)))
    assert {item.language for item in benchmark.data.items} == {"zh"}


def test_the_temperature_is_the_categorys_one_for_all_or_nobodys() -> None:
    rule = load_benchmark("alignbench_mini").lm_eval_task.generation
    assert rule["temperature"] == {
        "default": 0.7,
        **dict.fromkeys(("综合问答", "文本写作", "角色扮演"), 0.7),
        **dict.fromkeys(("基本任务", "中文理解", "专业能力", "数学计算", "逻辑推理"), 0.1),
    }
    for temperature, expected in (
        (0, {"do_sample": False, "temperature": 0}),
        (0.3, {"do_sample": True, "temperature": 0.3}),
        ("none", {"do_sample": False}),
    ):
        benchmark = load_benchmark("alignbench_mini", options={"temperature": temperature})
        assert benchmark.lm_eval_task.generation == expected
    with pytest.raises(ConfigError, match="temperature"):
        load_benchmark("alignbench_mini", options={"temperature": -1})
    with pytest.raises(ConfigError, match="none by category; say a number"):
        load_benchmark("alpaca_eval_mini", options={"temperature": "by_category"})
    assert "temperature" not in load_benchmark("alpaca_eval_mini").options


# gold ---------------------------------------------------------------------------------------------


def test_half_of_the_questions_is_not_the_benchmark() -> None:
    alignbench_gold.needed()
    with pytest.raises(InputError, match=r"342 questions; alignbench@1\.1 has 683"):
        import_data("alignbench", alignbench_gold.GOLD)


def test_the_description_says_what_upstream_says() -> None:
    alignbench_gold.needed()
    config = alignbench_gold.gold("config.json")
    description = find("alignbench")[0]
    temperatures = dict(description.asking.temperatures)
    assert temperatures.pop("default") == 0.7
    assert temperatures == config["temperature"]
    types = description.judging.content["answer_types"]
    assert {one["name"]: one["dimensions"] for one in types} == config["type_dimensions"]
    mapped = {name: one["name"] for one in types for name in one["subcategories"]}
    assert mapped == config["subcategory_type"]
    official = description.judging.official
    for definition in description.judging.content["definitions"]:
        text = config["dimension_definition"][definition["name"]]
        assert official[definition["official"]].sha256 == hashlib.sha256(text.encode()).hexdigest()
        assert definition["text"] != text
    (sha,) = alignbench_gold.gold("official_prompts.json")["sha256"].values()
    assert official["rule_calibrated"].sha256 == sha


def test_the_questions_of_half_a(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alignbench_gold.needed()
    alignbench_gold.half(tmp_path, monkeypatch)
    items = load_benchmark("alignbench").data.items
    for item, row in zip(items, alignbench_gold.rows(), strict=True):
        assert item.id == str(row["question_id"])
        assert (item.question, item.prompt) == (row["question"], row["question"])
        assert item.references == (row["reference"],)
        assert (item.category, item.subcategory) == (row["category"], row["subcategory"])
        assert (item.language, len(item.metadata["evidences"])) == ("zh", len(row["evidences"]))
    expected = alignbench_gold.gold("expected.json")["items"]
    assert Counter(item.category for item in items) == expected["by_category"]
    assert sum(bool(item.metadata["evidences"]) for item in items) == expected["with_evidences"]
    benchmark = load_benchmark("alignbench")
    judge = judge_of(benchmark)
    types = {
        frozenset(names): kind
        for kind, names in alignbench_gold.gold("config.json")["type_dimensions"].items()
    }
    kinds = Counter(types[rated(judge, benchmark, number)] for number in range(len(items)))
    assert kinds == expected["by_type"]


def test_the_official_judge_asks_in_upstreams_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alignbench_gold.needed()
    alignbench_gold.half(tmp_path, monkeypatch)
    benchmark = load_benchmark("alignbench")
    judge = judge_of(benchmark)
    assert judge.spec.official_prompt is True
    assert judge.spec.prompt_sha == find("alignbench")[0].judging.official["rule_calibrated"].sha256
    assert judge.spec.sampling == {"temperature": 0, "max_tokens": 4096}
    for number, row in enumerate(alignbench_gold.rows()):
        answer = f"第{number}个回答：{{answer}} {{{{}}}}\n[助手的答案结束]"
        request = next(judge.judge(answered(benchmark, number, answer)))
        assert contents(request.messages) == [alignbench_gold.filled(row, answer)]
        assert [message.role for message in request.messages] == ["user"]


@pytest.mark.parametrize("name", ["judge.py", "base.json"])
def test_the_official_prompt_is_read_out_of_upstreams_function(tmp_path: Path, name: str) -> None:
    alignbench_gold.needed()
    text = alignbench_gold.gold("official_prompts.json")["prompts"][alignbench_gold.PROMPT]
    code = f"def prompt_construct(sample, config):\n    base_prompt = {text[:50]!r} \\\n"
    code += f"        {text[50:]!r}\n    prompt = base_prompt.format()\n"
    file = tmp_path / name
    file.write_text(code if name.endswith(".py") else json.dumps({"x": text}), encoding="utf-8")
    assert import_data("alignbench", file).prompts == ("rule_calibrated",)
    with pytest.raises(ConfigError, match="but not the official definitions of 事实正确性"):
        judge_of(load_benchmark("alignbench_mini"))
    assert (
        judge_of(load_benchmark("alignbench_mini"), prompt="default").spec.official_prompt is False
    )


def test_a_pull_brings_questions_prompt_and_definitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a stand-in of upstream that has half of the questions."""
    alignbench_gold.needed()
    rows = [{**row, "question_id": int(row["question_id"])} for row in alignbench_gold.rows()]
    prompt = alignbench_gold.gold("official_prompts.json")["prompts"][alignbench_gold.PROMPT]
    definitions = alignbench_gold.gold("config.json")["dimension_definition"]
    code = f"def prompt_construct(sample, config):\n    base_prompt = {prompt!r}\n"
    files = {
        f"{UPSTREAM}/data/data_v1.1_release.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        f"{UPSTREAM}/judge.py": code,
        f"{UPSTREAM}/config/dimension_definition.json": json.dumps(definitions),
    }
    tasks = alignbench_gold.half(tmp_path, monkeypatch)
    imported = load_benchmark("alignbench").data.sha
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "another"))
    description = tasks / "alignbench" / "benchmark.toml"
    said = description.read_text(encoding="utf-8")
    unpinned = re.sub(r'(url = .*)\nsha256 = "\w+"\nbytes = \d+', r"\1", said)
    with FileHost({name: text.encode() for name, text in files.items()}) as host:
        there = unpinned.replace("https://raw.githubusercontent.com/THUDM/AlignBench", host.url)
        description.write_text(there, encoding="utf-8")
        state = pull("alignbench", Noted())
    assert (state.state, state.items, state.prompts_missing) == ("ready", 342, ())
    assert state.sha == imported  # whichever file they came in


def test_every_parse_case_through_the_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upstream's reader gives upstream's score; ours reads what was meant by each of them."""
    alignbench_gold.needed()
    alignbench_gold.half(tmp_path, monkeypatch)
    benchmark = load_benchmark("alignbench")
    strict, upstream = (judge_of(benchmark, reader=reader) for reader in ("strict", "upstream"))
    meant = [7, 7, 7, 7.25, 8, 10, 2, 10]
    cases = alignbench_gold.gold("parse_cases.json")
    for parse, score in zip(cases, meant, strict=True):
        case = answered(benchmark, 0, "答案。")
        found = read(upstream, case, parse["judgment"])
        if parse["score"] == -1:
            assert found == Unreadable(reason="no score")
        else:
            assert isinstance(found, Score)
            assert found.value == parse["score"]
        ours = read(strict, case, parse["judgment"])
        assert isinstance(ours, Score)
        assert (ours.value, ours.low, ours.high) == (score, 1, 10)
        known = rated(strict, benchmark, 0)
        given = {name: value for name, value in parse["ratings"].items() if name in known}
        assert ours.parts.items() >= given.items()
