"""`run --stack-anchors`: what is answered again, when, and that it changes no answer.

The worker is one of these tests, and says on what it runs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import pytest

from judgebench.config import load_suite
from judgebench.dialogue import NO_ANCHORS
from judgebench.errors import LocalModelError
from judgebench.execution import generate, manifest
from judgebench.execution.resolve import resolve
from judgebench.records import Response, RunManifest, Runtime
from judgebench.reports.gate_policy import Answering, other_stack
from judgebench.responses.local import AnswerChunk, AnswerFailure, LocalModel, Task
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e import runs

OLD, NEW = Runtime(backend="hf", batch_size="1"), Runtime(backend="hf", batch_size="4")
NAME = "trivia_judging_mini"
ITEMS = 12


class Worker:
    """Answers everything alike, one by one, until it is told to die; ``log`` has what was asked."""

    stack: ClassVar[Runtime] = OLD
    dies_after: ClassVar[int | None] = None
    loads: ClassVar[bool] = True
    refuses: ClassVar[Collection[str]] = ()
    log: ClassVar[list[tuple[str, str, int]]] = []
    starts: ClassVar[int] = 0

    def __init__(
        self, local: LocalModel, tasks: Sequence[Task], *, seed: int, loading_s: float
    ) -> None:
        self.tasks = {task.task.name: task for task in tasks}

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None: ...

    def start(self) -> Runtime:
        Worker.starts += 1
        if not self.loads:
            raise LocalModelError("there are no weights in it")
        return self.stack

    def generate(
        self, missing: Mapping[str, Collection[tuple[str, int]]], *_: object
    ) -> Iterator[AnswerChunk | AnswerFailure]:
        asked = [(task, *one) for task, ids in missing.items() for one in sorted(ids)]
        for n, (task, id_, sample) in enumerate(asked):
            if n == self.dies_after:
                raise LocalModelError("killed by SIGKILL")
            if id_ in self.refuses:
                yield AnswerFailure(task=task, ids=[(id_, sample)], message="too long")
                continue
            self.log.append((task, id_, sample))
            (item,) = (one for one in self.tasks[task].items if one.id == id_)
            responses = [
                Response(
                    benchmark=item.benchmark, version=item.version, item_id=id_, sample=sample,
                    model_key=self.tasks[task].model_key, text=f"text of {id_}", raw="raw",
                    stack=self.stack, source="lm-eval", turn=turn,
                )
                for turn in range(item.n_answers)
            ]  # fmt: skip
            yield AnswerChunk(task=task, responses=responses)


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(generate, "LmEvalWorker", Worker)
    for name, value in (
        ("stack", OLD), ("dies_after", None), ("loads", True), ("refuses", ()), ("log", []),
        ("starts", 0),
    ):  # fmt: skip
        monkeypatch.setattr(Worker, name, value)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")


def local(folder: Path, name: str = "local", **settings: Any) -> dict[str, Any]:
    said = {"model": "hf", "apply_chat_template": False, **settings}
    arguments = {"pretrained": str(folder / "checkpoint")}
    return {"name": name, "lm_eval": {"model_args": arguments, **said}}


def suite(folder: Path, *models: Mapping[str, Any], **parts: Any) -> Path:
    return runs.suite(folder, models=[*(models or [local(folder)])], **{"limit": ITEMS, **parts})


def asked() -> list[str]:
    """The ids that reached the model since the last call."""
    found = [id_ for _, id_, _ in Worker.log]
    Worker.log.clear()
    return found


def kept(folder: Path) -> dict[str, list[Any]]:
    with open_store(runs.store_url(folder), read_only=True) as store:
        return {**store.responses_table(NAME), "failures": store.failures(NAME)["message"]}


def test_some_prompts_are_answered_again_once_and_no_answer_changes(tmp_path: Path) -> None:
    path = suite(tmp_path)
    assert runs.typed("run", path).code == 0
    assert len(asked()) == ITEMS
    before, board = kept(tmp_path), runs.rows(tmp_path)

    same = runs.typed("run", path, "--stack-anchors", "5")
    assert (same.code, asked()) == (0, [])
    assert "local: the stack is that of its answers: no stack anchors needed" in same.err

    Worker.stack = NEW
    without = runs.typed("run", path)
    assert (without.code, asked(), Worker.starts) == (0, [], 2)
    done = runs.typed("run", path, "--stack-anchors", "5")
    assert done.code == 0, done.err
    five = asked()
    assert len(set(five)) == 5
    assert f"local on {NAME}: 5 of 5 stack anchors were answered as its answers were" in done.err
    assert "5 generations, 0 judge calls made" in done.err

    again = runs.typed("run", path, "--stack-anchors", "5")
    assert (again.code, asked()) == (0, [])
    assert "5 of 5 stack anchors" in again.err
    assert runs.typed("run", path, "--stack-anchors", "8").code == 0
    assert len(three := asked()) == 3
    assert not set(three) & set(five)
    assert runs.typed("run", path, "--stack-anchors").code == 0
    assert len(asked()) == ITEMS - 8, "there are no more"
    assert kept(tmp_path) == before
    assert runs.rows(tmp_path) == board


def test_how_far_stack_anchors_are_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = suite(tmp_path)
    assert runs.typed("run", path).code == 0
    Worker.stack = NEW
    told: list[tuple[str, int]] = []
    update = Store.update_run

    def kept_too(self: Store, run: RunManifest) -> None:
        if run.progress:
            told.append((run.progress["stage"], run.progress["done"]))
        update(self, run)

    monkeypatch.setattr(Store, "update_run", kept_too)
    monkeypatch.setattr(manifest, "TOLD_S", 0.0)
    assert runs.typed("run", path, "--stack-anchors", "3").code == 0
    assert [done for stage, done in told if stage.endswith("stack anchors")] == [0, 1, 2, 3]


def test_a_choice_says_nothing_of_the_order_of_items(tmp_path: Path) -> None:
    (candidate,) = resolve(load_suite(suite(tmp_path, limit=48))).candidates
    chosen = list(generate.stack_anchors(candidate, 20).values())
    assert (
        generate.stack_anchors(candidate, 30).keys() >= generate.stack_anchors(candidate, 20).keys()
    )
    assert chosen == list(generate.stack_anchors(candidate, 20).values())
    places = sorted(candidate.asked.items.index(item) for item in chosen)
    assert 24 - 12 < sum(places) / 20 < 24 + 12
    assert places != list(range(20))


def test_a_model_with_something_to_answer_is_started_once(tmp_path: Path) -> None:
    assert runs.typed("run", suite(tmp_path)).code == 0
    Worker.stack = NEW
    Worker.starts = 0
    asked()
    more = runs.typed("run", suite(tmp_path, limit=ITEMS + 1), "--stack-anchors")
    assert (more.code, Worker.starts) == (0, 1)
    assert len(asked()) == ITEMS + 1
    assert "local: answered just now, and needs no stack anchors" in more.err


def test_anchors_that_became_answers_are_asked_for_again(tmp_path: Path) -> None:
    """Answers of one stack come out of batches of the whole benchmark."""
    assert runs.typed("run", suite(tmp_path)).code == 0
    Worker.stack = NEW
    assert runs.typed("run", suite(tmp_path), "--stack-anchors", "4").code == 0
    asked()
    assert runs.typed("run", suite(tmp_path, limit=ITEMS + 2)).code == 0
    assert len(asked()) == ITEMS + 2
    table = kept(tmp_path)
    assert table["newest"].count(True) == ITEMS + 2
    newest = {s for s, first in zip(table["stack"], table["newest"], strict=True) if first}
    assert len(newest) == 1


def test_what_was_interrupted_goes_on(tmp_path: Path) -> None:
    path = suite(tmp_path)
    assert runs.typed("run", path).code == 0
    before = kept(tmp_path)
    asked()
    Worker.stack, Worker.dies_after = NEW, 2
    died = runs.typed("run", path, "--stack-anchors", "5")
    two = asked()
    assert died.code == 75
    assert "warning: local: 3 stack anchors could not be had: killed by SIGKILL" in died.err
    assert "2 of 2 stack anchors" in died.err
    assert kept(tmp_path) == before, "no answer is missing"

    Worker.dies_after = None
    rest = runs.typed("run", path, "--stack-anchors", "5")
    assert rest.code == 0, rest.err
    assert len(again := asked()) == 3
    assert not set(two) & set(again)
    assert "5 of 5 stack anchors" in rest.err


def test_what_cannot_be_had_is_said_and_no_failure_of_an_answer(tmp_path: Path) -> None:
    path = suite(tmp_path)
    assert runs.typed("run", path).code == 0
    board = runs.rows(tmp_path)
    Worker.stack, Worker.loads = NEW, False
    done = runs.typed("run", path, "--stack-anchors", "4")
    assert done.code == 75
    assert "warning: local: 4 stack anchors could not be had: there are no weights" in done.err
    assert "4 failed; store " in done.err
    Worker.loads = True
    Worker.refuses = [str(n) for n in range(ITEMS)]
    asked()
    done = runs.typed("run", path, "--stack-anchors", "4")
    assert (done.code, asked()) == (75, [])
    assert "warning: local: 4 stack anchors could not be had: too long" in done.err
    assert kept(tmp_path)["failures"] == []
    assert runs.rows(tmp_path) == board


def test_anchors_are_for_local_models_that_answer_greedily(tmp_path: Path) -> None:
    drawn = {"gen_kwargs": {"do_sample": True, "temperature": 0.7}}
    taker = {"name": "model-weak", "responses": str(runs.MINI / "answers.jsonl")}
    path = suite(tmp_path, local(tmp_path, "drawn", **drawn), taker)
    assert runs.typed("run", path).code == 0
    Worker.stack, Worker.starts = NEW, 0
    done = runs.typed("run", path, "--stack-anchors")
    assert (done.code, Worker.starts) == (0, 0)
    assert "model-weak: stack anchors are for local models only" in done.err
    assert "drawn: all its answers are drawn, and stack anchors are greedy" in done.err


def test_conversations_have_none_and_it_is_said_why(tmp_path: Path) -> None:
    talks, single = (
        {"name": name, "judges": [], "limit": 2} for name in ("mt_bench_mini", "mixeval_mini")
    )
    model = local(tmp_path, apply_chat_template=True)
    path = suite(tmp_path, model, benchmarks=[talks, single])
    assert runs.typed("run", path).code == 0
    Worker.stack, Worker.starts = NEW, 0
    asked()
    done = runs.typed("run", path, "--stack-anchors", "4")
    assert (done.code, Worker.starts, len(asked())) == (0, 1, 2)
    said = " ".join(done.err.split())
    assert f"local on mt_bench_mini: {NO_ANCHORS}" in said
    assert "local on mixeval_mini: 2 of 2 stack anchors" in said
    Worker.starts = 0
    path = suite(tmp_path, model, benchmarks=[talks])
    done = runs.typed("run", path, "--stack-anchors", "4")
    assert (done.code, Worker.starts) == (0, 0)
    assert NO_ANCHORS in " ".join(done.err.split())
    assert "are drawn" not in done.err

    with open_store(runs.store_url(tmp_path), read_only=True) as store:
        two = [
            Answering(name=name, model_id=model.id, stacks={json.dumps(asdict(stack))})
            for name, stack, model in zip("xy", (OLD, NEW), 2 * store.models(), strict=False)
        ]
        for name, advice in (
            ("mt_bench_mini", f"{NO_ANCHORS}: generate y again on the stack of x"),
            ("trivia_judging_mini", "`judgebench run SUITE --stack-anchors`, with y"),
        ):
            found = other_stack(store, name, "1", *two)
            assert found is not None and not found.alike and advice in found.said


def test_each_benchmark_has_its_own(tmp_path: Path) -> None:
    both = [
        {"name": name, "judges": ["exact_match"], "limit": ITEMS} for name in (NAME, "mixeval_mini")
    ]
    path = suite(tmp_path, benchmarks=both)
    assert runs.typed("run", path).code == 0
    Worker.stack, Worker.starts = NEW, 0
    asked()
    done = runs.typed("run", path, "--stack-anchors", "4")
    assert (done.code, Worker.starts) == (0, 1)
    tasks = [task for task, _, _ in Worker.log]
    assert sorted(tasks.count(task) for task in set(tasks)) == [4, 4]
    for name in (NAME, "mixeval_mini"):
        assert f"local on {name}: 4 of 4 stack anchors" in done.err


def test_how_many_is_a_number(tmp_path: Path) -> None:
    for wrong in ("0", "some"):
        done = runs.typed("run", suite(tmp_path), "--stack-anchors", wrong)
        assert done.code == 64
        assert "--stack-anchors" in done.err
    assert not (tmp_path / "store.db").exists()
