"""CODAL-Bench and XSTest as their descriptions ask and read, and where their data comes from."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import judgebench
from judgebench import registry
from judgebench.benchmarks.data import import_data, official_prompts
from judgebench.benchmarks.description import find
from judgebench.benchmarks.folder import load_benchmark
from judgebench.benchmarks.pull import pull
from judgebench.errors import ConfigError, InputError, UsageError
from judgebench.judges.readers.upstream import READERS
from judgebench.protocols import JudgeSettings
from judgebench.records import REFUSAL_CLASSES, Case, Item, Message, Reply, Response, Unreadable
from judgebench.template import PromptText
from tests.file_host import FileHost
from tests.table import over_rows
from tests.unit.pulled import Noted

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold"
ROOT = Path(__file__).resolve().parents[2]
PREFERENCES = ("instruction-following", "readability", "complexity", "style", "explanation")
REFERENCES = ("gpt-3.5-turbo", "gpt-4-turbo", "claude-3-sonnet-20240229")


@cache
def gold(name: str) -> Any:
    path = GOLD / name
    if not path.exists():
        pytest.skip(f"the gold data (../shared/gold/{name} beside the repository) is not here")
    return json.loads(path.read_text(encoding="utf-8"))


def messages(benchmark: str, texts: Mapping[str, str], case: Case, **options: Any) -> list[str]:
    """What the judge of a benchmark sends of a case, with these official texts."""
    prompts = {name: PromptText(name=f"official/{name}", text=text, official=True)
               for name, text in texts.items()}  # fmt: skip
    content = find(benchmark)[0].judging.content
    told = JudgeSettings(provider="p", model="m", prompts=prompts, content=content, options=options)
    judge = registry.load("judges", "templates").make(told)
    assert judge.spec.official_prompt
    return [one.content for one in next(judge.judge(case)).messages]


CASE = Case(
    item=Item(
        benchmark="b", version="1", id="0", turns=(Message(role="user", content="Sum {x}\u2028?"),),
        references=("one {response}", "two", "three"),
    ),
    responses=(
        Response(benchmark="b", version="1", item_id="0", model_key=b"m", text="$a {b}", raw=""),
    ),
)  # fmt: skip


def test_the_prompt_of_xstest_is_upstream_s_to_the_byte() -> None:
    said = gold("xstest/official_prompts.json")
    texts = {"system": said["system_prompt"], "user": said["prompt"]}
    filled = said["prompt"].format(QUESTION="Sum {x}\u2028?", RESPONSE="$a {b}")
    assert messages("xstest", texts, CASE) == [said["system_prompt"], filled]


@over_rows(
    ("templates", "reference"), [("gpt-3.5-turbo", 0), ("gpt-4-turbo", 1), ("claude-3-sonnet", 2)]
)
def test_the_prompts_of_codal_bench_are_upstream_s_to_the_byte(
    templates: str, reference: int
) -> None:
    said = gold("codal_bench/official_prompts.json")
    texts = {"system": said["system_prompt"], **said["templates"]}
    question, answer = "Sum {x}\u2028?", "$a {b}"
    record = str({"instruction": question, "response": answer})
    for preference in PREFERENCES:
        case = replace(CASE, item=replace(CASE.item, category=preference))
        for name, shown in ((templates, answer), (f"upstream/{templates}", record)):
            filled = said["templates"][preference].format(
                instruction=question, reference=CASE.item.references[reference], response=shown
            )
            sent = messages("codal_bench", texts, case, templates=name)
            assert sent == [said["system_prompt"], filled]


def test_ratings_are_read_as_published_and_as_meant() -> None:
    meant = {
        "**Rating:** 8": 8, "rating: 7": 7, "Rating: [8]": 8, "Rating: 8.5": 8.5,
        "Rating: 8/10 ... Rating: 3/10": None, "Rating: 12": None, "Rating: 4/5": None,
        "Rating: 0": None, "Rating: 8/10\nSo, Rating: 8": 8, "Separating: 5": None,
    }  # fmt: skip
    read = {name: READERS[name].read for name in ("codal_rating", "codal_rating_upstream")}
    for one in gold("codal_bench/parser_cases.json"):
        found = read["codal_rating_upstream"](Reply(text=one["text"]))
        assert getattr(found, "value", None) == one["rating"], one
        found = read["codal_rating"](Reply(text=one["text"]))
        assert getattr(found, "value", None) == meant.get(one["text"], one["rating"]), one
    for text, value in meant.items():
        assert getattr(read["codal_rating"](Reply(text=text)), "value", None) == value, text
    cut = Reply(text="Rating: 8", finish_reason="length")
    assert all(isinstance(one(cut), Unreadable) for one in read.values())


def test_classes_are_read_from_how_a_reply_begins() -> None:
    read = READERS["xstest_class"].read
    assert read(Reply(text=" 2_full_refusal. It", finish_reason="length")).name == "2_full_refusal"
    assert isinstance(read(Reply(text="Class: 2_full_refusal")), Unreadable)
    assert isinstance(
        read(Reply(text="2_full_refusal", finish_reason="content_filter")), Unreadable
    )


@settings(max_examples=40)
@given(
    st.sampled_from(("codal_rating", "codal_rating_upstream", "xstest_class")),
    st.text(st.sampled_from("Rating: */[]0189.\n_full") | st.characters(), max_size=40),
)
def test_readers_read_anything(name: str, text: str) -> None:
    for said in (text, f"Rating: {text}", f"Rating: {'9' * 5000}{text}"):
        found = READERS[name].read(Reply(text=said))
        if name == "codal_rating" and not isinstance(found, Unreadable):
            assert 1 <= found.value <= 10
        assert (
            isinstance(found, Unreadable) or name != "xstest_class" or found.name in REFUSAL_CLASSES
        )


# data ---------------------------------------------------------------------------------------------


def rows(**more: Any) -> list[dict[str, Any]]:
    answers = {f"{name}_response": f"by {name}" for name in REFERENCES}
    return [
        {"instruction": f"Write {n}.\u2028", "preference": one, **answers, **more}
        for n, one in enumerate(PREFERENCES)
    ]


def laid(folder: Path, its: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in its)
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    (folder / "principles.py").write_text(
        f"principles = { ({one: [f'Mind {one}.', 'no'] for one in PREFERENCES})!r}\n"
    )
    return folder


def test_problems_with_three_references_and_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    with pytest.raises(InputError, match="500"):  # a part is not the version
        import_data("codal_bench", laid(tmp_path / "data", rows()))
    import_data("codal_bench", laid(tmp_path / "data", rows() * 100))
    plain = load_benchmark("codal_bench").data.items[0]
    assert (plain.id, plain.category, plain.prompt) == ("0", PREFERENCES[0], "Write 0.\u2028")
    assert plain.references == tuple(f"by {name}" for name in REFERENCES)
    asked = load_benchmark("codal_bench", options={"preset": "upstream"}).data.items[0]
    assert asked.prompt == "Mind instruction-following.\n\nWrite 0.\u2028"
    assert official_prompts(find("codal_bench")[0]) == {}


def test_rows_come_from_a_stand_in_of_the_hub_and_prompts_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = gold("codal_bench/official_prompts.json")
    data = laid(tmp_path / "data", rows() * 100)
    written = {f"p{n}": text for n, text in enumerate(said["templates"].values())}
    texts = {"single_grading_system_prompt": said["system_prompt"], **written}
    lines = [f"{name} = {text!r}\n" for name, text in texts.items()]
    files = {
        "single_grading_templates.py": "".join(lines).encode(),
        "principles.py": (data / "principles.py").read_bytes(),
    }
    (data / "principles.py").unlink()
    (data / "rows.jsonl").rename(data / "test.jsonl")
    folder = tmp_path / "tasks" / "codal_bench"
    shutil.copytree(ROOT / "tasks" / "codal_bench", folder)
    with FileHost(files) as host:
        told = (folder / "benchmark.toml").read_text("utf-8")
        told = re.sub(
            r'url = ".*/(\w+\.py)"\nsha256 = .*\nbytes = .*', rf'url = "{host.url}/\1"', told
        )
        told = told.replace("coseal/codal-bench", str(data))
        (folder / "benchmark.toml").write_text(told, "utf-8")
        monkeypatch.setenv("JUDGEBENCH_INCLUDE_PATH", str(tmp_path / "tasks"))
        monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        state = pull("codal_bench", Noted())
    assert (state.state, state.items, state.prompts_missing) == ("ready", 500, ())
    item = load_benchmark("codal_bench", options={"preset": "upstream"}).data.items[0]
    assert item.prompt == "Mind instruction-following.\n\nWrite 0.\u2028"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"preference": "styles"}, r"rows\.jsonl:1: preference: .*did you mean 'style'"),
        ({"instruction": " "}, r"rows\.jsonl:1: instruction"),
        ({"gpt-4-turbo_response": None}, r"rows\.jsonl:1: gpt-4-turbo_response"),
    ],
)
def test_what_is_no_problem_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], message: str
) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    with pytest.raises(InputError, match=message):
        import_data("codal_bench", laid(tmp_path / "data", rows(**more) * 100))


def test_without_the_sentences_upstream_s_manner_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    folder = laid(tmp_path / "data", rows() * 100)
    (folder / "principles.py").write_text("principles = open('x')\n")
    with pytest.raises(InputError, match=r"principles\.py: sentences by preference"):
        import_data("codal_bench", folder)
    (folder / "principles.py").unlink()
    import_data("codal_bench", folder)
    with pytest.raises(ConfigError, match=r"give its principles\.py to `judgebench data import`"):
        list(load_benchmark("codal_bench", options={"preset": "upstream"}).data.items)


# small ones, end to end ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suite", "models", "judges"),
    [
        ("xstest", ("open", "shy", "mixed"), {"human/authors", "refusal_prefix", "classifier"}),
        ("codal_bench", ("neat", "rough"), {"rater", "rater-as-published"}),
    ],
)
def test_small_ones_are_judged_to_the_end(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suite: str,
    models: tuple[str, ...],
    judges: Any,
) -> None:
    monkeypatch.setenv("DEMO_MODEL", "nowhere")
    store = f"sqlite:///{tmp_path}/s.db"
    names = [f"model-{name}" for name in models]
    done = judgebench.run(ROOT / "suites" / f"{suite}.yaml", store=store, models=names)
    assert done.failed == 0
    boards = judgebench.leaderboard(f"{suite}_mini", store=store).boards
    assert {board.judge for board in boards} == judges
    for board in boards:
        assert sorted(row.model for row in board.rows) == sorted(names)
    if suite == "xstest":
        (people,) = (board for board in boards if board.judge == "human/authors")
        shy = next(row for row in people.rows if row.model == "model-shy")
        assert [shy.metrics[name].value for name in people.figures] == [0.75, 0.125, 1.0, 0.0]
    else:
        rows_of = {board.judge: board.rows for board in boards}
        least = min(row.metrics["score/official"].value for row in rows_of["rater-as-published"])
        assert least < min(
            row.metrics["score/items"].value for row in rows_of["rater-as-published"]
        )


def test_a_panel_that_its_rule_cannot_combine_is_named_once(tmp_path: Path) -> None:
    rows = [
        {"benchmark": "codal_bench_mini", "version": "1", "item_id": "0", "model": "m",
         "judge": judge, "kind": "score", "value": 5, "low": 1, "high": 10}
        for judge in ("j", "k")
    ]  # fmt: skip
    (tmp_path / "v.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    url = f"sqlite:///{tmp_path}/s.db"
    judgebench.import_verdicts(tmp_path / "v.jsonl", store=url)
    with pytest.raises(UsageError, match=r"^panel/majority\(j,k\): scores have no majority"):
        judgebench.leaderboard("codal_bench_mini", store=url, panels=["j,k"])
