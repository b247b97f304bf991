"""AlignBench in whole runs: answers asked at their category's temperature, judged by dimensions."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from judgebench.benchmarks.folder import load_benchmark
from judgebench.records import Response
from judgebench.responses.local import AnswerChunk, LmEvalWorker, LocalModel
from judgebench.store.opening import open_store
from tests import alignbench_gold
from tests.e2e.runs import ROOT, store_url, typed
from tests.loopback import Ask, Loopback, Reaction

sys.path.insert(0, str(Path(__file__).parent))
from lm_eval_tasks import work, write_task

MINI = ROOT / "tasks" / "alignbench_mini"
WARM = {"综合问答", "文本写作", "角色扮演"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


def suite(
    folder: Path,
    url: str,
    *,
    models: Sequence[Mapping[str, Any]],
    judge: Mapping[str, Any] | None = None,
    name: str = "alignbench_mini",
    **benchmark: Any,
) -> Path:
    at = {"provider": "openai_compatible", "base_url": url}
    written = {
        "name": "chinese",
        "models": list(models),
        "judges": [{"name": "judge", "model": "rater", **at, **(judge or {})}],
        "benchmarks": [{"name": name, "judges": ["judge"], **benchmark}],
        "limits": {"max_connections": 4, "max_retries": 1, "timeout_s": 20},
        "store": store_url(folder),
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    return path


def recorded(name: str, answers: Path = MINI / "answers.jsonl") -> dict[str, Any]:
    return {"name": name, "responses": str(answers)}


def verdicts(folder: Path, benchmark: str = "alignbench_mini") -> list[dict[str, Any]]:
    with open_store(store_url(folder), read_only=True) as store:
        columns = store.verdicts(benchmark)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def form(ask: Ask) -> tuple[str, list[str]]:
    """The code and the dimensions of the dictionary that our own prompt asks for."""
    found = re.search(r"\{'编号': '([0-9a-f]{6})', (.*)\}$", ask.text)
    assert found is not None
    return found[1], re.findall("'([^']+)': \\?", found[2])


def rated(ask: Ask) -> Reaction:
    """Ratings from a judge that finds every answer a seven, in a dictionary with the code."""
    code, names = form(ask)
    members = ", ".join(f'"{name}": {n + 3}' for n, name in enumerate(names[:-1]))
    return Reaction(text=f'评语。\n{{"编号": "{code}", {members}, "{names[-1]}": 7}}')


def test_recorded_answers_are_rated_on_their_dimensions(tmp_path: Path) -> None:
    with Loopback(rated) as server:
        path = suite(tmp_path, server.url, models=[recorded("model-sloppy")])
        done = typed("run", path)
        assert done.code == 0, done.err
        asks = list(server.asks)
    rows = {row["item_id"]: row for row in verdicts(tmp_path)}
    assert len(rows) == 48
    assert len(asks) == 47  # one answer is blank
    assert all("base_url" not in json.dumps(ask.body) for ask in asks)
    assert {ask.body["temperature"] for ask in asks} == {0}
    assert rows["43"]["value"] == 1.0
    assert {row["value"] for item, row in rows.items() if item != "43"} == {7.0}
    items = {item.id: item for item in load_benchmark("alignbench_mini").data.items}
    by_length = Counter(len(form(ask)[1]) for ask in asks)
    made = sum(items[item].subcategory in MADE for item in rows if item != "43")
    assert by_length == {6: made, 5: 47 - made}
    again = typed("run", path)
    assert (again.code, again.err.count("0 judge calls made")) == (0, 1)
    board = board_of(tmp_path)
    assert (board["judge"], board["official_prompt"]) == ("judge", False)
    assert board["rows"][0]["metrics"]["score"]["n"] == 48


MADE = {
    *("翻译", "实用文体写作", "创意文体写作", "专业文体写作", "其他写作类"),
    *("现实生活类", "游戏娱乐类", "功能类", "现实名人类", "（虚拟）恋爱类"),
}


def board_of(folder: Path, benchmark: str = "alignbench_mini") -> dict[str, Any]:
    done = typed("leaderboard", benchmark, "--store", store_url(folder), "--format", "json")
    assert done.code == 0, done.err
    (board,) = json.loads(done.out)["boards"]
    found: dict[str, Any] = board
    return found


BAD = {
    "another language": lambda ask: "The answer is good, I would say seven.",
    "a score outside 1 to 10": lambda ask: f"{{'编号': '{form(ask)[0]}', '综合得分': 11}}",
    "two verdicts": lambda ask: f"{{'编号': '{form(ask)[0]}', '综合得分': 3}} 综合得分：8",
    "half a dictionary": lambda ask: "评语。{'事实正确性': 9, '综合得分': ",
    "a score without the code of the texts": lambda ask: "｛＇综合得分＇：８｝",
}


@pytest.mark.parametrize("reason", BAD)
def test_a_judge_that_states_no_score_is_counted_as_unreadable(tmp_path: Path, reason: str) -> None:
    with Loopback(lambda ask: Reaction(text=BAD[reason](ask))) as server:
        models = [recorded("model-thorough")]
        done = typed("run", suite(tmp_path, server.url, models=models, limit=3))
    assert done.code == 0, done.err
    rows = verdicts(tmp_path)
    assert [row["kind"] for row in rows] == ["unreadable"] * 3
    assert {row["reason"] for row in rows} == {reason}
    row = board_of(tmp_path)["rows"][0]
    assert row["metrics"]["score"]["value"] is None


def test_a_model_behind_an_api_is_asked_at_its_categorys_temperature(tmp_path: Path) -> None:
    items = {item.question: item for item in load_benchmark("alignbench_mini").data.items}
    api = {"provider": "openai_compatible", "model": "writer", "system": "简短回答。"}

    def both(ask: Ask) -> Reaction:
        return rated(ask) if ask.body["model"] == "rater" else Reaction(text="好的。")

    with Loopback(both) as server:
        models = [{"name": "writer", "api": {**api, "base_url": server.url}}]
        done = typed("run", suite(tmp_path, server.url, models=models))
        assert done.code == 0, done.err
        asked = [ask for ask in server.asks if ask.body["model"] == "writer"]
        assert len(asked) == 48
        for ask in asked:
            warm = items[ask.text].category in WARM
            assert ask.body["temperature"] == (0.7 if warm else 0.1)
            assert ask.body["max_tokens"] == 512
        assert typed("run", suite(tmp_path, server.url, models=models)).code == 0
        assert len(server.asks) == 96
        greedy = suite(tmp_path, server.url, models=models, limit=9, options={"temperature": 0})
        assert typed("run", greedy).code == 0
        again = [ask.body for ask in server.asks[96:] if ask.body["model"] == "writer"]
    assert [body["temperature"] for body in again] == [0] * 9
    assert all("seed" not in body for body in again)


@pytest.mark.usefixtures("forked")
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra hf")
def test_a_local_model_is_run_at_each_temperature_apart(tmp_path: Path) -> None:
    prompts = ["a", "bb", "ccc", "dd", "e"]
    task = write_task(tmp_path / "t", prompts)
    utils = tmp_path / "t" / "utils.py"
    said = "[str(sorted(request.args[1].items())) for request in requests]"
    code = utils.read_text()
    assert '[one.split("ANSWER ")[-1] for one in prompts]' in code
    utils.write_text(code.replace('[one.split("ANSWER ")[-1] for one in prompts]', said))
    rule = {"default": 0.7, "cold": 0.1, "greedy": 0.0}
    given = work(replace(task, generation={"temperature": rule}), prompts)
    categories = ["cold", None, "cold", "greedy", "warm"]
    items = [replace(i, category=c) for i, c in zip(given.items, categories, strict=True)]
    log = tmp_path / "asked.log"
    local = LocalModel(
        model="scripted",
        model_args={"pretrained": "org/m", "log": str(log)},
        batch_size=2,
        apply_chat_template=False,
    )
    with LmEvalWorker(local, [replace(given, items=items)], seed=1) as worker:
        worker.start()
        events = list(worker.generate({"small": [(item.id, 0) for item in items]}))
    answers: dict[str, Response] = {
        response.item_id: response
        for event in events
        if isinstance(event, AnswerChunk)
        for response in event.responses
    }
    told = {id_: dict(_pairs(response.raw)) for id_, response in answers.items()}
    assert [told[f"i{n}"]["temperature"] for n in range(5)] == ["0.1", "0.7", "0.1", "0.0", "0.7"]
    assert [told[f"i{n}"]["do_sample"] for n in range(5)] == ["True"] * 3 + ["False", "True"]
    together = [json.loads(line) for line in log.read_text().splitlines()]
    assert together == [["ccc", "a"], ["bb", "e"], ["dd"]]


def _pairs(text: str) -> list[tuple[str, str]]:
    return re.findall(r"\('(\w+)', ([^)]*)\)", text)


def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    """Stopped by a judge that fails after a while; what was judged is asked no more."""

    def failing(ask: Ask) -> Reaction:
        return rated(ask) if len(server.asks) <= 5 else Reaction(status=500, text="no")

    with Loopback(failing) as server:
        path = suite(tmp_path, server.url, models=[recorded("model-thorough")], limit=12)
        assert typed("run", path).code in {69, 75}
        done = {ask.sha for ask in server.asks[:5]}
    with Loopback(rated) as second:
        path = suite(tmp_path, second.url, models=[recorded("model-thorough")], limit=12)
        assert typed("run", path).code == 0
        assert len(second.asks) == 7
        assert not done & {ask.sha for ask in second.asks}
    assert len(verdicts(tmp_path)) == 12


def test_gold_questions_are_judged_in_upstreams_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alignbench_gold.needed()
    alignbench_gold.half(tmp_path, monkeypatch)
    rows = {str(row["question_id"]): row for row in alignbench_gold.rows()}
    n = 40
    scores = {
        str(one["question_id"]): one["score"]
        for one in alignbench_gold.gold("aggregation_fixture.json")
    }
    answers = tmp_path / "answers.jsonl"
    lines = ({"item_id": id_, "text": f"回答{id_}。"} for id_ in rows)
    answers.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    expected = {alignbench_gold.filled(row, f"回答{id_}。"): id_ for id_, row in rows.items()}

    def as_fixture(ask: Ask) -> Reaction:
        (message,) = ask.body["messages"]
        assert message["role"] == "user"
        score = scores[expected[message["content"]]]
        return Reaction(text="说不好。" if score == -1 else f"评语。\n{{'综合得分': {score}}}")

    with Loopback(as_fixture) as server:
        models = [recorded("writer", answers)]
        path = suite(tmp_path, server.url, models=models, name="alignbench", limit=n)
        done = typed("run", path)
        assert done.code == 0, done.err
        assert len(server.asks) == n
        body = server.asks[0].body
    assert (body["temperature"], body["max_tokens"]) == (0, 4096)
    found = {row["item_id"]: row for row in verdicts(tmp_path, "alignbench")}
    for id_, row in found.items():
        unread = scores[id_] == -1
        assert row["kind"] == ("unreadable" if unread else "score")
        assert unread or row["value"] == scores[id_]
    assert board_of(tmp_path, "alignbench")["official_prompt"] is True
