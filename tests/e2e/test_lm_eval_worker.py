"""The worker as a process: what it answers, what it survives, and that nothing outlives it."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import ConfigError, LocalModelError
from judgebench.records import Response
from judgebench.responses.local import AnswerChunk, AnswerFailure, LmEvalWorker, LocalModel
from tests.converted import demo_model
from tests.e2e.lm_eval_tasks import work, write_task
from tests.tiny_models import letters
from tests.warm import Warm

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs judgebench-harness[hf]"
)

SCRIPTED = LocalModel(
    model="scripted", model_args={"pretrained": "org/m"}, batch_size=2, apply_chat_template=False
)


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def scripted(log: Path, **changes: Any) -> LocalModel:
    arguments = {"pretrained": "org/m", "log": str(log)}
    return LocalModel(
        model="scripted",
        model_args=arguments,
        **{"batch_size": 2, "apply_chat_template": False} | changes,
    )


def answers(events: Sequence[AnswerChunk | AnswerFailure]) -> dict[tuple[str, int], Response]:
    return {
        (response.item_id, response.sample): response
        for event in events
        if isinstance(event, AnswerChunk)
        for response in event.responses
    }


def failures(events: Sequence[AnswerChunk | AnswerFailure]) -> dict[tuple[str, int], str]:
    return {
        id_: event.message
        for event in events
        if isinstance(event, AnswerFailure)
        for id_ in event.ids
    }


def run(
    local: LocalModel, folder: Path, prompts: Sequence[str], ids: Sequence[tuple[str, int]]
) -> list[AnswerChunk | AnswerFailure]:
    with LmEvalWorker(local, [work(write_task(folder, prompts), prompts)], seed=1) as worker:
        worker.start()
        return list(worker.generate({"small": ids}))


def all_ids(prompts: Sequence[str]) -> list[tuple[str, int]]:
    return [(f"i{n}", 0) for n in range(len(prompts))]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def eventually(condition: Callable[[], bool], wait_s: float = 20) -> bool:
    deadline = time.monotonic() + wait_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_answers_noise_and_a_batch_that_fails(tmp_path: Path) -> None:
    log = tmp_path / "log"
    prompts = [
        *(
            "aaaa PRINT ANSWER one",
            "bbb ANSWER <think>so</think> two",
            "cc RAISE ANSWER",
            "d ANSWER ",
        ),
        "aaaa PRINT ANSWER one",  # the same question again: asked once
    ]
    local = scripted(log)
    with LmEvalWorker(local, [work(write_task(tmp_path / "t", prompts), prompts)], seed=1) as w:
        stack = w.start()
        events = list(w.generate({"small": [*all_ids(prompts[:4]), ("nobody", 0)]}))
    found, failed = answers(events), failures(events)
    assert (stack.backend, stack.batch_size, stack.versions["lm-eval"][:2]) == (
        "scripted",
        "2",
        "0.",
    )
    one, two = found["i0", 0], found["i1", 0]
    assert (one.text, one.prompt, one.status) == ("one", prompts[0], "end_unknown")
    assert (one.stack, one.model_key, one.source) == (stack, b"k" * 32, "lm-eval")
    assert (one.finish_reason, one.usage.completion_tokens) == (None, None)
    assert (two.text, two.reasoning, two.raw) == ("two", "so", "<think>so</think> two")
    assert failed["nobody", 0] == "the task has no document with this id"
    assert "out of memory" in failed["i2", 0]
    assert "batch_size" in failed["i2", 0]
    assert failed["i3", 0] == failed["i2", 0]  # it shared the batch
    assert log.read_text().count("one") == 1


@pytest.mark.usefixtures("forked")
def test_resuming_batches_as_an_undisturbed_run(tmp_path: Path) -> None:
    prompts = [f"{'x' * (n * 3 % 7)}{n} ANSWER {n}" for n in range(7)]
    whole = run(scripted(tmp_path / "whole"), tmp_path / "t", prompts, all_ids(prompts))
    rest = run(scripted(tmp_path / "rest"), tmp_path / "t", prompts, [("i2", 0), ("i6", 0)])
    assert set(answers(whole)) == set(all_ids(prompts))
    assert set(answers(rest)) == {("i2", 0), ("i6", 0)}
    batches = [json.loads(line) for line in (tmp_path / "whole").read_text().splitlines()]
    again = [json.loads(line) for line in (tmp_path / "rest").read_text().splitlines()]
    assert again == [one for one in batches if prompts[2] in one or prompts[6] in one]


def test_a_crash_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "a-token-to-hide")
    prompts = ["xxx ANSWER one", "xxx ANSWER two", "x KILL"]
    task = work(write_task(tmp_path / "t", prompts), prompts)
    with LmEvalWorker(scripted(tmp_path / "log"), [task], seed=1) as worker:
        worker.start()
        events = worker.generate({"small": all_ids(prompts)})
        assert set(answers([next(events)])) == {("i0", 0), ("i1", 0)}
        with pytest.raises(LocalModelError, match="killed by SIGKILL") as crash:
            next(events)
    assert "last words, with ***" in str(crash.value)
    assert "a-token-to-hide" not in str(crash.value)


def test_loading_takes_as_long_as_it_may(tmp_path: Path) -> None:
    """Nothing is loaded within a moment; the process is gone then."""
    task = work(write_task(tmp_path / "t", ["x ANSWER y"]), ["x ANSWER y"])
    worker = LmEvalWorker(scripted(tmp_path / "log"), [task], seed=1, loading_s=0.01)
    with worker, pytest.raises(LocalModelError, match=r"not loaded within 0.01 s: raise .*limits"):
        worker.start()
    assert worker._process is not None
    assert gone(worker._process.pid)


def hanging(log: Path) -> tuple[int, int]:
    """Process ids of a worker that hangs, and of its child."""
    pids = log.with_suffix(".pids")
    assert eventually(lambda: pids.is_file() and len(pids.read_text().split()) == 2)
    worker, child = map(int, pids.read_text().split())
    return worker, child


def test_leaving_ends_the_worker_and_what_it_started(tmp_path: Path) -> None:
    log = tmp_path / "log"
    prompts = ["xxx ANSWER one", "xxx ANSWER two", "x HANG"]
    task = work(write_task(tmp_path / "t", prompts), prompts)
    began = 0.0
    with pytest.raises(KeyboardInterrupt), LmEvalWorker(scripted(log), [task], seed=1) as worker:
        worker.start()
        events: Iterator[Any] = worker.generate({"small": all_ids(prompts)})
        next(events)
        pids = hanging(log)
        began = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - began < 100  # by itself it ends after 300
    assert all(map(gone, pids))


def test_the_worker_dies_with_its_parent(tmp_path: Path) -> None:
    log, prompts = tmp_path / "log", ["x HANG"]
    write_task(tmp_path / "t", prompts)
    program = (
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "from pathlib import Path\n"
        "from lm_eval_tasks import SmallTask, work\n"
        "from judgebench.responses.local import LmEvalWorker\n"
        "from judgebench.responses.local import LocalModel\n"
        f"local = LocalModel(model='scripted', batch_size=2, apply_chat_template=False,\n"
        f"    model_args={{'pretrained': 'org/m', 'log': {str(log)!r}}})\n"
        f"task = work(SmallTask(Path({str(tmp_path / 't')!r})), {prompts!r})\n"
        "worker = LmEvalWorker(local, [task], seed=1)\n"
        "worker.start()\n"
        "list(worker.generate({'small': [('i0', 0)]}))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    pids = hanging(log)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert eventually(lambda: all(map(gone, pids)), 5)


def by_hand(job: dict[str, Any]) -> dict[str, Any]:
    """The worker's last event for a job written by hand."""
    process = subprocess.Popen(
        [sys.executable, "-m", "judgebench.workers.generate"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        events = [json.loads(line) for line in process.stdout]
    assert process.returncode == 0
    last: dict[str, Any] = events[-1]
    return last


def test_a_task_that_does_not_say_where_answers_end_is_refused(tmp_path: Path) -> None:
    write_task(tmp_path, ["x ANSWER"])
    task = {"task": "small", "include_path": [str(tmp_path)], "metadata": {}, "ids": ["i0"]}
    tasks = [task | {"max_gen_toks": 8}]
    job = {"model": "scripted", "model_args": {}, "seed": 1, "tasks": tasks}
    last = by_hand(job)
    assert last["event"] == "refused"
    assert last["message"] == "task small: until, sampling has to be said explicitly"


@pytest.mark.usefixtures("forked")
def test_a_job_that_cannot_be_done_names_the_reason(tmp_path: Path) -> None:
    task = work(write_task(tmp_path, ["x ANSWER"]), ["x ANSWER"])
    unknown = LocalModel(model="no-such-backend", model_args={"pretrained": "org/m"})
    with LmEvalWorker(unknown, [task], seed=1) as worker, pytest.raises(LocalModelError) as error:
        worker.start()
    assert "no-such-backend" in str(error.value)

    elsewhere = work(write_task(tmp_path / "t", []), ["x"])
    (tmp_path / "t" / "small.yaml").write_text("task: other\ndataset_path: json\n")
    with LmEvalWorker(SCRIPTED, [elsewhere], seed=1) as worker, pytest.raises(ConfigError) as other:
        worker.start()
    assert "no lm-eval task called 'small'" in str(other.value)
    assert "Known: other" in str(other.value)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Path:
    """A random model of one layer whose own settings would end an answer after three tokens."""
    return letters(warm, tmp_path_factory.mktemp("tiny"), positions=64)


def hf(folder: Path, **changes: Any) -> LocalModel:
    arguments = {"pretrained": str(folder), "dtype": "float32", **changes.pop("model_args", {})}
    settings: dict[str, Any] = {"batch_size": 2, "apply_chat_template": False, "device": "cpu"}
    return LocalModel(model="hf", model_args=arguments, **settings | changes)


@pytest.mark.usefixtures("forked")
def test_transformers_answers_as_through_lm_eval_and_says_how_they_end(
    tiny: Path, tmp_path: Path, warm: Warm
) -> None:
    prompts = ["the first", "river", "a long question", "of Europe?"]
    settings = {"until": ["A", "q", "7"], "max_gen_toks": 24}
    local = hf(tiny, gen_kwargs=settings)
    found = answers(run(local, tmp_path / "t", prompts, all_ids(prompts)))
    words = ("answered", tiny, json.dumps(prompts), json.dumps(settings))
    plain = json.loads(warm.run("tests.e2e.by_lm_eval", *words).splitlines()[-1])
    assert [found[id_].raw for id_ in all_ids(prompts)] == plain
    for response, prompt in zip(
        found.values(), sorted(prompts, key=len, reverse=True), strict=True
    ):
        assert response.usage.prompt_tokens == len(prompt)
        tokens = response.usage.completion_tokens
        assert tokens is not None
        if response.finish_reason == "length":
            assert (tokens, response.status) == (24, "truncated")
        else:
            assert tokens <= 24
    assert {r.finish_reason for r in found.values()} == {"stop", "length"}
    stack = found["i0", 0].stack
    assert stack is not None
    assert (stack.dtype, stack.device, stack.batch_size) == ("float32", "cpu", "2")
    assert {"lm-eval", "transformers", "torch"} <= stack.versions.keys()


@pytest.mark.usefixtures("forked")
def test_samples_differ_and_come_again(tiny: Path, tmp_path: Path) -> None:
    prompts = ["a river", "a lake"]
    local = hf(tiny, gen_kwargs={"do_sample": True, "temperature": 1.0, "until": []})
    ids = [(f"i{n}", sample) for n in range(2) for sample in range(2)]
    task = write_task(tmp_path / "t", prompts)

    def sampled(wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str]:
        with LmEvalWorker(local, [work(task, prompts, samples=2)], seed=1) as worker:
            worker.start()
            events = list(worker.generate({"small": wanted}))
        return {id_: response.raw for id_, response in answers(events).items()}

    both = sampled(ids)
    assert len(set(both.values())) == 4
    assert sampled([("i1", 1)]) == {("i1", 1): both["i1", 1]}


@pytest.mark.usefixtures("forked")
def test_a_prompt_that_does_not_fit_is_not_cut_in_silence(tiny: Path, tmp_path: Path) -> None:
    prompts = ["x" * 57, "x" * 56]  # 64 positions, 8 of them for the answer
    events = run(hf(tiny), tmp_path / "t", prompts, all_ids(prompts))
    assert set(answers(events)) == {("i1", 0)}
    assert "has 57 tokens" in failures(events)["i0", 0]


@pytest.mark.usefixtures("forked")
def test_the_chat_template_is_applied_and_a_named_one_has_to_exist(
    tiny: Path, tmp_path: Path
) -> None:
    local = hf(tiny, apply_chat_template=True, system_instruction="Be brief.")
    found = answers(run(local, tmp_path / "t", ["Hm?"], [("i0", 0)]))
    assert found["i0", 0].prompt == "[system]Be brief.[user]Hm?[assistant]"
    named = hf(tiny, apply_chat_template="tools")
    with pytest.raises(ConfigError, match="no chat template called 'tools'"):
        run(named, tmp_path / "t", ["Hm?"], [("i0", 0)])


@pytest.mark.hf
@pytest.mark.slow
def test_a_real_model_answers(tmp_path: Path, warm: Warm) -> None:
    prompts = ["What is the capital of France? Answer in one sentence."]
    local = hf(demo_model(warm), apply_chat_template=True, gen_kwargs={"max_gen_toks": 32})
    response = answers(run(local, tmp_path, prompts, [("i0", 0)]))["i0", 0]
    assert "Paris" in response.text
    assert (response.status, response.finish_reason) == ("ok", "stop")
