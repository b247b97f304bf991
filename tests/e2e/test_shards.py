"""``--shard K/N``: parts of a run, by several processes on one store, or on stores merged later."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from judgebench.config import Shard
from judgebench.execution import generate
from judgebench.records import Response, Runtime
from judgebench.responses.local import AnswerChunk, Task
from judgebench.store.opening import open_store
from tests.e2e import own, runs
from tests.faults.kill_points import signed
from tests.faults.nursery import Nursery, Order
from tests.loopback import Ask, Loopback, Reaction
from tests.warm import Warm

ITEMS = 7
SHARDS = ("1/3", "2/3", "3/3")


def slowly(ask: Ask) -> Reaction:
    """So that shards overlap."""
    return replace(signed(ask), delay_s=0.05)


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with Loopback(slowly) as running:
        yield running


def suite(folder: Path, server: Loopback) -> Path:
    """A model behind an API, a file of answers, and a judge behind an API."""
    folder.mkdir(exist_ok=True)
    return own.suite(
        folder,
        items=ITEMS,
        candidates=[own.endpoint(server.url, "candidate", model="candidate")],
        judges=[own.endpoint(server.url, "grader", kind="rubric")],
        benchmark={"scale": [1, 10]},
    )


def narrowed(folder: Path) -> list[Any]:
    with open_store(runs.store_url(folder), read_only=True) as store:
        return [run.configuration.get("narrowed") for run in store.runs()]


def asks_nothing(server: Loopback, path: Path, *words: str) -> None:
    before = len(server.asks)
    done = runs.typed("run", path, "--quiet", *words)
    assert done.code == 0, done.err
    assert "0 generations, 0 judge calls made" in done.err
    assert len(server.asks) == before


# which items --------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 4, 16])
@pytest.mark.parametrize("n", [0, 1, 5, 33, 64])
def test_shards_have_every_item_once_in_whole_chunks(n: int, chunk: int) -> None:
    items = cast("Any", list(range(n)))
    for of in range(1, 20):
        parts = [Shard(number, of).of_items(items, chunk) for number in range(1, of + 1)]
        assert [item for part in parts for item in part] == items
        assert all(part[0] % chunk == 0 for part in parts if part)
        sizes = [-(-len(part) // chunk) for part in parts]
        assert max(sizes) - min(sizes) <= 1, "no shard has much more to do than another"


@pytest.mark.parametrize("text", ["0/4", "5/4", "a/b", "3", "3/", "/4", "-1/4", "1/0", "1.5/4", ""])
@pytest.mark.parametrize("command", ["run", "plan"])
def test_what_is_no_shard_is_refused_before_anything(
    tmp_path: Path, command: str, text: str
) -> None:
    done = runs.typed(command, runs.suite(tmp_path), "--shard", text)
    assert done.code == 64
    assert f"--shard {text}: K/N is the K-th of N parts, such as 3/16" in done.err
    assert not (tmp_path / "store.db").exists()


# side by side -------------------------------------------------------------------------------------


def test_shards_at_one_store_ask_each_question_once_and_leave_nothing(
    tmp_path: Path, server: Loopback, warm: Warm
) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "sharded"
    assert runs.typed("run", suite(whole, server), "--quiet").code == 0
    path = suite(folder, server)
    first = suite(tmp_path / "warm", server)
    with Nursery("run", first, "--quiet", executable=warm.executable) as nursery:
        before = len(server.asks)
        ends = nursery.carry_out(
            *(Order(words=("run", str(path), "--quiet", "--shard", one)) for one in SHARDS)
        )
    assert [end.code for end in ends] == [0, 0, 0], [end.said for end in ends]
    asked = Counter(ask.sha for ask in server.asks[before:])
    assert len(asked) == 3 * ITEMS, "an answer, and a grade of it and of that of the file"
    assert set(asked.values()) == {1}
    assert sorted(str(one["shard"]) for one in narrowed(folder)) == list(SHARDS)
    asks_nothing(server, path)
    assert own.boards(folder)[0]["rows"] == own.boards(whole)[0]["rows"]


def test_shards_in_stores_of_their_own_meet_where_those_are_merged(
    tmp_path: Path, server: Loopback
) -> None:
    path = suite(tmp_path, server)
    stores = [f"sqlite:///{tmp_path / f'of_{n}.db'}" for n in range(len(SHARDS))]
    for url, shard in zip(stores, SHARDS, strict=True):
        done = runs.typed("run", path, "--quiet", "--shard", shard, "--store", url)
        assert done.code == 0, done.err
    merged = runs.typed("store", "merge", *stores)
    assert merged.code == 0, merged.err
    asks_nothing(server, path, "--store", stores[0])


def test_one_question_in_two_shards_is_asked_by_one_of_them(
    tmp_path: Path, server: Loopback
) -> None:
    path = suite(tmp_path, server)
    same = [{"id": str(n), "prompt": "What is 1 plus 1?", "reference": "2"} for n in range(ITEMS)]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in same))
    before = len(server.asks)
    made = 0
    for shard in SHARDS:
        done = runs.typed("run", path, "--quiet", "--shard", shard)
        assert done.code == 0, done.err
        made += len(server.asks) - before
        before = len(server.asks)
    with_file = len({f"taker says {2 * n + n % 2}." for n in range(ITEMS)})
    assert made == 1 + 1 + with_file, "one answer, its grade, and one of each other answer"
    assert own.row(tmp_path, "grader", "candidate")["metrics"]["score"]["n"] == ITEMS
    asks_nothing(server, path)


def test_a_plan_is_of_the_shard_alone(tmp_path: Path, server: Loopback) -> None:
    path = suite(tmp_path, server)

    def items(*words: str) -> int:
        done = runs.typed("plan", path, "--format", "json", *words)
        assert done.code == 0, done.err
        return sum(row["items"] for row in json.loads(done.out)["rows"] if row["judge"] is None)

    of_each = [items("--shard", shard) for shard in SHARDS]
    assert of_each == [4, 4, 6]
    assert sum(of_each) == items() == 2 * ITEMS


# local models -------------------------------------------------------------------------------------


class Worker:
    """Answers everything alike; ``log`` has what it was shown and what it was asked."""

    log: list[tuple[list[str], list[str]]]

    def __init__(self, local: object, tasks: Sequence[Task], **_: object) -> None:
        self.tasks = {task.task.name: task for task in tasks}

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None: ...

    def start(self) -> Runtime:
        return Runtime(backend="hf")

    def generate(
        self, missing: Mapping[str, Collection[tuple[str, int]]], *_: object
    ) -> Iterator[AnswerChunk]:
        for name, wanted in missing.items():
            task = self.tasks[name]
            self.log.append(([item.id for item in task.items], [id_ for id_, _ in wanted]))
            yield AnswerChunk(
                task=name,
                responses=[
                    Response(
                        benchmark=task.items[0].benchmark, version=task.items[0].version,
                        item_id=id_, sample=sample, model_key=task.model_key, text="yes",
                        raw="yes", stack=self.start(),
                    )
                    for id_, sample in wanted
                ],
            )  # fmt: skip


def test_what_a_local_model_generates_together_does_not_depend_on_the_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "LmEvalWorker", Worker)
    Worker.log = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text("{}")
    (checkpoint / "model.safetensors").write_bytes(b"weights")
    local = {"model": "hf", "model_args": {"pretrained": str(checkpoint)}, "batch_size": 1,
             "apply_chat_template": False}  # fmt: skip
    path = runs.suite(tmp_path, limit=24, models=[{"name": "local", "lm_eval": local}])
    for shard in ("1/3", "2/3", "3/3"):
        done = runs.typed("run", path, "--quiet", "--shard", shard)
        assert done.code == 0, done.err
        nothing = (
            "has none of the 24 items of trivia_judging_mini, which are dealt out 16 at a time"
        )
        assert (f"shard {shard} {nothing}" in done.err) == (shard == "1/3")
    everything = [str(n) for n in Worker.log[0][0]]
    assert len(everything) == 24
    assert [shown for shown, _ in Worker.log] == [everything] * 2
    assert [len(wanted) for _, wanted in Worker.log] == [16, 8], "whole windows of a batch of one"
    assert [id_ for _, wanted in Worker.log for id_ in wanted] == everything
    calm = runs.typed("run", path, "--quiet")
    assert (calm.code, len(Worker.log)) == (0, 2)


def test_shards_are_cut_alike_whatever_else_a_run_is_narrowed_to(tmp_path: Path) -> None:
    local = {"model_args": {"pretrained": "org/model"}, "batch_size": 1}
    path = runs.suite(tmp_path, limit=24)
    written = yaml.safe_load(path.read_text())
    written["models"].append({"name": "local", "lm_eval": local})
    path.write_text(yaml.safe_dump(written))
    done = runs.typed("plan", path, "--shard", "1/2", "--model", "model-terse", "--format", "json")
    assert done.code == 0, done.err
    rows = [row for row in json.loads(done.out)["rows"] if row["judge"] is None]
    assert [row["items"] for row in rows] == [16]
