"""A team's own prompts: what a file may hold, what follows from a suite, what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from judgebench.benchmarks.folder import Benchmark, load_benchmark
from judgebench.benchmarks.own_prompts import (
    DEFAULT_MAX_TOKENS,
    OwnPrompts,
    own_benchmark,
    questions_sha,
    read_questions,
)
from judgebench.config import BenchmarkConfig, Suite, load_suite
from judgebench.errors import ConfigError, InputError
from judgebench.execution.resolve import resolve
from judgebench.judges.prompt import conversation
from judgebench.keys import canonical_json
from judgebench.records import Message, Response
from judgebench.responses.remote import messages_of
from tests.table import over_rows

SUITE = Path(__file__).parents[2] / "suites" / "own_prompts" / "suite.yaml"
TALK = [
    {"role": "system", "content": "你是客服。"},
    {"role": "user", "content": "My parcel is late."},
    {"role": "assistant", "content": "Which order is it?"},
    {"role": "user", "content": "Number 17."},
]
TRACE = [
    {"role": "system", "content": "You book trains."},
    {"role": "user", "content": "To Rome and to Bari, please."},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "1", "function": {"name": "find", "arguments": '{"to": "Rome"}'}},
            {"id": "2", "function": {"name": "find", "arguments": {"to": "Bari"}}},
        ],
    },
    {"role": "tool", "tool_call_id": "1", "name": "find", "content": "09:10"},
    {"role": "tool", "tool_call_id": "2", "content": "11:40"},
]
"""A trace of tools, as a chat completion has it."""


@pytest.fixture(autouse=True)
def _empty_data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))


def jsonl(folder: Path, *rows: Mapping[str, Any], name: str = "prompts.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def own(path: Path, **config: Any) -> OwnPrompts:
    settings: dict[str, Any] = {"name": "support", "judges": ["j"], "items": path, **config}
    return own_benchmark(BenchmarkConfig.model_validate(settings))


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read_questions(path)
    return str(error.value).replace(str(path.parent) + "/", "")


# Reading ------------------------------------------------------------------------------------------


def test_one_table_in_three_kinds_of_file(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows: list[dict[str, Any]] = [
        {"id": "a", "prompt": "How?\n", "references": ["So.", "“Thus”"], "category": "c", "n": "1"},
        {"id": "b", "prompt": "怎么退货？", "language": "zh"},
        {"id": "c", "turns": TALK},
    ]
    lines = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "p.jsonl").write_bytes(f"\ufeff{lines}\r\n".encode())
    table = (
        "id,prompt,references,category,language,n,turns\r\n"
        'a,"How?\n","[""So."", ""“Thus”""]",c,,1,\r\n'
        "b,怎么退货？,,,zh,,\r\n"
        'c,,,,,,"{}"\r\n'
    ).format(json.dumps(TALK).replace('"', '""'))
    (tmp_path / "p.csv").write_bytes(f"\ufeff{table}".encode())
    whole = [{**dict.fromkeys(rows[0] | rows[1] | rows[2]), **row} for row in rows]
    parquet.write_table(pa.Table.from_pylist(whole), tmp_path / "p.parquet")
    first, second, third = (
        read_questions(tmp_path / name) for name in ("p.jsonl", "p.csv", "p.parquet")
    )
    assert first == second == third
    a, b, c = first
    assert a.turns == (Message(role="user", content="How?\n"),)
    assert (a.references, a.category, a.language) == (("So.", "“Thus”"), "c", "en")
    assert (a.metadata, b.metadata) == ({"n": "1"}, {})
    assert (b.turns[0].content, b.language) == ("怎么退货？", "zh")
    assert [(turn.role, turn.content) for turn in c.turns] == [
        (turn["role"], turn["content"]) for turn in TALK
    ]


@pytest.mark.parametrize("field", ["prompt", "question", "instruction"])
def test_the_question_has_three_names(tmp_path: Path, field: str) -> None:
    (one,) = read_questions(jsonl(tmp_path, {field: " How? "}))
    assert one.turns == (Message(role="user", content=" How? "),)


def test_rows_without_ids_are_numbered_and_one_reference_is_enough(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"prompt": "a"}, {"id": 7, "prompt": "b"}, {"prompt": "a", "id": None})
    assert [one.id for one in read_questions(path)] == ["0", "7", "2"]
    (one,) = read_questions(jsonl(tmp_path, {"messages": TALK[1:2], "reference": "Yes."}))
    assert (one.turns[0].content, one.references) == ("My parcel is late.", ("Yes.",))


def test_what_else_stands_in_a_row_is_metadata_that_can_be_kept(tmp_path: Path) -> None:
    import datetime as dt

    import pyarrow as pa
    from pyarrow import parquet

    row = {"prompt": "a", "at": dt.date(2026, 1, 2), "scores": [1.5, float("nan")], "none": None}
    parquet.write_table(pa.Table.from_pylist([row]), tmp_path / "p.parquet")
    (one,) = read_questions(tmp_path / "p.parquet")
    assert one.metadata == {"at": "2026-01-02", "scores": [1.5, None]}
    assert canonical_json(one.metadata)


@over_rows(
    ("row", "said"),
    [
        ({"promt": "a"}, "prompt: is missing; is 'promt' meant? Call it 'prompt'. Columns here: "),
        ({"Prompt": "a"}, "prompt: is missing; is 'Prompt' meant?"),
        ({"text": "a"}, "prompt: is missing (nor question, instruction, turns, messages). Columns"),
        ({"prompt": ""}, "prompt: is missing"),
        ({"prompt": " \n"}, "prompt: is blank"),
        ({"prompt": ["a"]}, "prompt: a text has to stand here, not ['a']"),
        ({"prompt": "a\ud800"}, "prompt: character 2 is half a character"),
        ({"prompt": "a", "question": "b"}, "question: stands beside 'prompt'"),
        ({"prompt": "a", "turns": TALK}, "turns: stands beside 'prompt'"),
        ({"instruction": "a", "input": "b"}, "input: a model is put one text: join"),
        ({"prompt": "a", "id": " "}, "id: is blank"),
        ({"prompt": "a", "id": 1.5}, "id: a text has to stand here, not 1.5"),
        ({"prompt": "a", "references": "b"}, "references: a list has to stand here, in a CSV"),
        ({"prompt": "a", "references": ["b", ""]}, "references[1]: is missing"),
        ({"prompt": "a", "references": ["b"], "reference": "c"}, "reference: stands beside"),
        ({"turns": []}, "turns: a conversation may begin with the system, goes on with user"),
        ({"turns": TALK[:1]}, "ends with the user; here: system"),
        ({"turns": TALK[:3]}, "here: system, user, assistant"),
        ({"turns": TALK[2:]}, "here: assistant, user"),
        ({"turns": [TALK[1], TALK[1]]}, "here: user, user"),
        ({"turns": [TALK[1], TALK[0], TALK[1]]}, "here: user, system, user"),
        ({"turns": "Hello?"}, "turns: a list has to stand here"),
        ({"turns": ["Hello?"]}, "turns[0]: an object with 'role' and 'content'"),
        ({"turns": [{"role": "usr", "content": "a"}]}, "turns[0].role: no role called 'usr'; did"),
        ({"turns": [{"from": "human", "value": "a"}]}, "turns[0].role: is missing"),
        ({"turns": [{"role": "user", "content": " "}]}, "turns[0].content: is blank"),
        ({"turns": [{"role": "user", "content": [{"type": "text"}]}]}, "turns[0].content: a text"),
        ({"turns": [{**TALK[1], "name": "Ann"}]}, "turns[0].name: no model would see it"),
        ({"turns": [TALK[1], TRACE[3]]}, "here: user, tool; a tool, or several, may answer"),
        ({"turns": [TRACE[3], *TRACE[1:4]]}, "here: tool, user, assistant, tool; a tool"),
        ({"turns": TRACE[:3]}, "here: system, user, assistant"),
        ({"turns": [TALK[1], {"role": "assistant", "tool_calls": [{"id": "1"}]}, TRACE[3]]},
         "turns[1].tool_calls: a call is {function: {name: …, arguments: …}}"),
        ({"turns": [TALK[1], {"role": "assistant", "tool_calls": 3}, TRACE[3]]},
         "turns[1].tool_calls: a list has to stand here"),
    ],
)  # fmt: skip
def test_a_fault_names_file_row_and_field(tmp_path: Path, row: Any, said: str) -> None:
    message = refused(jsonl(tmp_path, {"prompt": "fine"}, row))
    assert message.startswith("prompts.jsonl:2: ")
    assert said in message


def test_a_trace_of_tools_is_an_item_that_models_and_judges_are_shown_as_text(
    tmp_path: Path,
) -> None:
    (item,) = own(jsonl(tmp_path, {"messages": TRACE})).data.items
    assert [(turn.role, turn.content) for turn in item.turns[2:]] == [
        ("assistant", 'find({"to": "Rome"})\nfind({"to": "Bari"})'),
        ("tool", "find: 09:10"),
        ("tool", "11:40"),
    ]
    assert conversation(item.turns) == (
        "system: You book trains.\n\nuser: To Rome and to Bari, please.\n\n"
        'assistant: find({"to": "Rome"})\nfind({"to": "Bari"})\n\n'
        "tool: find: 09:10\n\ntool: 11:40"
    )
    put = messages_of(item, None)
    assert [message.role for message in put] == ["system", "user", "assistant", "user", "user"]
    assert put[-1].content == "tool: 11:40"


def test_an_id_that_stands_twice_names_both_rows(tmp_path: Path) -> None:
    twice = jsonl(tmp_path, {"id": "x", "prompt": "a"}, {"prompt": "b"}, {"id": "x", "prompt": "c"})
    assert "prompts.jsonl:3: id: 'x' is the id of prompts.jsonl:1 too" in refused(twice)
    number = jsonl(tmp_path, {"id": "1", "prompt": "a"}, {"prompt": "b"})
    assert "prompts.jsonl:2: id: '1' is the id of prompts.jsonl:1 too" in refused(number)


def test_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_bytes('{"prompt": "a"}\n{"prompt": "Größe?"}\n'.encode("latin-1"))
    assert "prompts.jsonl:2: byte 15 (0xf6) is no UTF-8" in refused(path)


# What is asked, and which version of it -----------------------------------------------------------


def test_the_version_is_what_is_asked_and_nothing_else(tmp_path: Path) -> None:
    row = {"id": "a", "prompt": "How?", "reference": "So.", "category": "c", "note": "x"}
    path = jsonl(tmp_path, row)
    benchmark = own(path)
    assert re.fullmatch("[0-9a-f]{12}", benchmark.version)
    assert benchmark.data_sha.startswith(benchmark.version)

    rubric = tmp_path / "rubric.txt"
    rubric.write_text("Be kind.")
    same = [
        own(path, rubric=rubric, scale=[1, 5], max_tokens=10),
        own(jsonl(tmp_path, {**row, "note": "y"}, name="other.jsonl"), name="other"),
        own(jsonl(tmp_path, {"turns": [{"role": "user", "content": "How?"}], **row, "prompt": ""})),
    ]
    assert {one.version for one in same} == {benchmark.version}
    for change in (
        {"id": "b"},
        {"prompt": "How ?"},
        {"reference": "So"},
        {"reference": None},
        {"category": "d"},
        {"language": "de"},
    ):
        assert own(jsonl(tmp_path, {**row, **change})).version != benchmark.version, change


def test_a_version_never_changes_unnoticed(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"prompt": "How?", "reference": "So."}, {"id": "z", "turns": TALK})
    assert questions_sha(read_questions(path))[:12] == "65833aa35cf1"


def test_items_are_what_the_file_asks(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"prompt": "怎么退货？", "language": "zh", "tier": 2}, {"turns": TALK})
    benchmark = own(path)
    first, second = benchmark.data.items
    assert benchmark.data.items[:1] == (first,)
    assert (first.benchmark, first.version, first.id) == ("support", benchmark.version, "0")
    assert (first.question, first.prompt, first.language) == ("怎么退货？", None, "zh")
    assert first.metadata == {"tier": 2}
    assert (len(second.turns), second.question) == (4, "Number 17.")


def test_a_conversation_is_put_to_no_model_as_plain_text(tmp_path: Path) -> None:
    section = {"name": "support", "items": jsonl(tmp_path, {"turns": TALK}), "judges": []}
    local = {"model_args": {"pretrained": "m"}, "apply_chat_template": False}
    models = [{"name": "base", "lm_eval": local}]
    suite = Suite.model_validate({"name": "s", "models": models, "benchmarks": [section]})
    said = r"^model base: the benchmark support has conversations of several turns, which no plain"
    with pytest.raises(ConfigError, match=said):
        resolve(suite)


def test_every_model_is_asked_plainly(tmp_path: Path) -> None:
    first = own(jsonl(tmp_path, {"prompt": "a"}))
    second = own(jsonl(tmp_path, {"prompt": "{question}"}), name="other")
    assert first.data.prompt_sha == second.data.prompt_sha


# How it is judged ---------------------------------------------------------------------------------


@pytest.fixture
def rubric(tmp_path: Path) -> Path:
    path = tmp_path / "rubric.txt"
    path.write_bytes("\ufeff\nEine gute Antwort\r\nist höflich.\r\n".encode())
    return path


TEXT = "Eine gute Antwort\nist höflich."


def test_a_rubric_has_a_scale_said_or_not(tmp_path: Path, rubric: Path) -> None:
    path = jsonl(tmp_path, {"prompt": "a"})
    plain = own(path, rubric=rubric)
    assert plain.default_judge == "rubric"
    assert plain.judging_content == {"rubric": TEXT, "scale": (1.0, 10.0)}
    full = own(path, rubric=rubric, scale=[0, 4], dimensions=["tone", "help"], baseline="last-week")
    assert full.default_judge == "rubric"
    assert full.judging_content == {
        "rubric": TEXT,
        "scale": (0.0, 4.0),
        "dimensions": ["tone", "help"],
    }
    assert own(path, scale=[1, 7]).judging_content == {"scale": (1.0, 7.0)}
    assert own(path, scale=[1, 7]).default_judge == "rubric"
    assert TEXT not in str(full.options)


def test_a_baseline_is_compared_with_also_by_a_rubric(tmp_path: Path, rubric: Path) -> None:
    path = jsonl(tmp_path, {"prompt": "a", "reference": "b"})
    plain = own(path, baseline="last-week")
    assert (plain.default_judge, plain.judging_content) == ("pairwise", {})
    guided = own(path, baseline="last-week", rubric=rubric)
    assert (guided.default_judge, guided.judging_content) == ("pairwise", {"rubric": TEXT})


def test_references_are_enough_if_all_have_them(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"prompt": "a", "reference": "b"}, {"prompt": "c", "references": ["d"]})
    benchmark = own(path)
    assert (benchmark.default_judge, benchmark.positive) == ("reference", "correct")
    assert benchmark.labels == ("incorrect", "correct")
    some = own(jsonl(tmp_path, {"prompt": "a", "reference": "b"}, {"id": "x", "prompt": "c"}))
    with pytest.raises(ConfigError) as error:
        _ = some.default_judge
    message = str(error.value)
    for said in (
        "benchmark support",
        "rubric: rubric.txt",
        "scale: [1, 10]",
        "baseline: last-week",
    ):
        assert said in message
    assert "1 of 2 have none, the first is 'x'" in message


def test_a_case_holds_the_responses_in_the_order_shown(tmp_path: Path) -> None:
    def response(text: str) -> Response:
        return Response(
            benchmark="b", version="1", item_id="0", model_key=b"m", text=text, raw=text
        )

    first, second = response("yes\nQ: next?"), response(" no ")
    benchmark = own(jsonl(tmp_path, {"prompt": "a"}))
    (item,) = benchmark.data.items
    assert benchmark.case(item, (first, second)).responses == (first, second)
    assert benchmark.case(item, [second]).responses == (second,)
    mini = load_benchmark("trivia_judging_mini", options={"truncate": "at_next_question"})
    shown = mini.case(mini.data.items[0], (second, first)).responses
    assert [one.text for one in shown] == ["no", "yes"]
    assert [one.text for one in mini.case(item, [first]).responses] == ["yes"]


def test_both_kinds_have_one_face(tmp_path: Path) -> None:
    kinds: list[Benchmark] = [
        own(jsonl(tmp_path, {"prompt": "a", "reference": "b"})),
        load_benchmark("trivia_judging_mini"),
    ]
    for benchmark in kinds:
        task = benchmark.lm_eval_task
        assert task.include_path.is_dir()
        assert benchmark.default_judge == "reference"
        assert (benchmark.prompts, benchmark.judging_content) == ({}, {})
        assert canonical_json(benchmark.options)


# The lm-eval task ---------------------------------------------------------------------------------


def test_the_task_is_explicit_and_each_benchmark_has_its_own(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"prompt": "a"})
    task = own(path).lm_eval_task
    assert (task.name, task.until, task.max_gen_toks) == ("own_prompts_support", (), 1024)
    assert DEFAULT_MAX_TOKENS == 1024
    assert task.generation == {"do_sample": False}
    again = own(path, rubric=None, baseline="x").lm_eval_task
    assert not (tmp_path / "home").exists()  # planning writes nothing
    longer, other = own(path, max_tokens=9).lm_eval_task, own(path, name="other").lm_eval_task
    assert longer.max_gen_toks == 9
    assert (again.name, again.include_path) == (task.name, task.include_path)
    assert len({task.include_path, longer.include_path, other.include_path}) == 3
    assert [file.name for file in task.include_path.iterdir()] == ["task.yaml"]


def test_a_data_home_that_cannot_be_written_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="JUDGEBENCH_DATA"):
        _ = own(jsonl(tmp_path, {"prompt": "a"})).lm_eval_task.include_path


# What is refused, and the example -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "trivia_judging"}, "trivia_judging: that is the name of a benchmark that is"),
        ({"name": "Support desk"}, "small letters, digits and underscores"),
        ({"name": "support\n"}, "small letters, digits and underscores"),
        ({"options": {"prompt": "base"}}, "own prompts have none, so prompt would change nothing"),
        ({"items": None}, "name the file of its prompts as 'items'"),
    ],
)
def test_what_a_suite_cannot_say(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        own(jsonl(tmp_path, {"prompt": "a"}), **config)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "rubric.txt: there is no such file"),
        (b" \n", "rubric.txt: a rubric says what a good answer is, and nothing stands here"),
        (b"gr\xf6\xdfer", "rubric.txt: byte 3 is no UTF-8; save the rubric as a UTF-8 text"),
    ],
)
def test_a_rubric_that_cannot_be_used(tmp_path: Path, data: bytes | None, message: str) -> None:
    path = tmp_path / "rubric.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        own(jsonl(tmp_path, {"prompt": "a"}), rubric=path)
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        own(jsonl(tmp_path, {"prompt": "a"}), rubric=tmp_path)


def test_a_prompt_that_shows_the_last_turn_of_conversations_alone_is_said(tmp_path: Path) -> None:
    jsonl(tmp_path, {"messages": TALK}, {"prompt": "Hello?"}, {"messages": TALK[:2]})
    prompt = tmp_path / "own.txt"
    (tmp_path / "suite.yaml").write_text(
        "name: s\nmodels:\n  - {name: m, api: {provider: scripted, model: m}}\njudges:\n"
        "  - {name: j, provider: scripted, model: j, prompt: own.txt, read: brackets}\n"
        "benchmarks:\n  - {name: support, items: prompts.jsonl, scale: [1, 10], judges: [j]}\n",
        encoding="utf-8",
    )

    def warnings(text: str) -> tuple[str, ...]:
        prompt.write_text(text, encoding="utf-8")
        return resolve(load_suite(tmp_path / "suite.yaml", environment={})).warnings

    assert warnings("{question} {answer} [[1]] to [[10]]") == (
        "judge j: its prompt own.txt shows {question}, which is the last turn alone of 1 "
        "conversation of support; {turns} shows all of it",
    )
    assert warnings("{turns} {answer} [[1]] to [[10]]") == ()
    assert warnings("{answer} [[1]] to [[10]]") == ()  # which is about no question at all


def test_the_example_is_one_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SUITE.parents[2])
    suite = load_suite(SUITE, environment={})
    (config,) = suite.benchmarks
    benchmark = own_benchmark(config)
    assert len(benchmark.data.items) == 10
    assert benchmark.default_judge == "rubric"
    assert benchmark.judging_content["scale"] == (1.0, 10.0)
    assert len({item.category for item in benchmark.data.items}) > 2
    assert {item.language for item in benchmark.data.items} == {"en", "zh"}
