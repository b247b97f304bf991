"""The judge on this machine without its model: what the worker is told, and what outlives what."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from judgebench.config import BenchmarkConfig, Endpoint, JudgeConfig, Limits, Suite
from judgebench.errors import CallError, ConfigError, ProviderUnavailableError
from judgebench.execution.pool import ProviderPool
from judgebench.providers import local
from judgebench.providers.local import BatchedWorker
from judgebench.records import ChatRequest, Message, Runtime, ScoreRequest, TokenLogprob
from judgebench.secret import Secret
from judgebench.workers.hub import offline_if_unreachable
from judgebench.workers.judge import after_reasoning, of_text
from judgebench.workers.prompts import ChatPrompts, system_first
from judgebench.workers.protocol import Answer, BatchAnswerer, Question, Refusal
from tests.table import over_rows

SCRIPTED = '''
import json, os, signal, subprocess, sys, time
from pathlib import Path

from judgebench.errors import ConfigError
from judgebench.records import Runtime
from judgebench.workers.protocol import BatchAnswerer, Refusal, serve


class Scripted(BatchAnswerer):
    """Answers with the question; some questions do more than that."""

    batch = 4

    def __init__(self, log):
        self.log = log

    def stack(self):
        return Runtime(backend="scripted")

    def refusal(self, question):
        if "LONG" in question["text"]:
            return Refusal("too_long", "too long by far")

    def answer(self, questions):
        with open(self.log, "a") as stream:
            stream.write(json.dumps([question["text"] for question in questions]) + "\\n")
        for question in questions:
            match question["text"].split()[0]:
                case "KILL":
                    print("last words, with", os.environ["HF_TOKEN"], file=sys.stderr, flush=True)
                    os.kill(os.getpid(), signal.SIGKILL)
                case "ORPHAN":
                    if os.fork() == 0:
                        time.sleep(300)
                    os.kill(os.getpid(), signal.SIGKILL)
                case "HANG":
                    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
                    Path(self.log).with_suffix(".pids").write_text(f"{os.getpid()} {child.pid}")
                    time.sleep(300)
                case "SLOW":
                    time.sleep(0.02)
                case "NOISE":
                    os.write(1, b\'{"event": "done"}\\n\')
        return [{"said": question["text"]} for question in questions]


def load(job):
    if job.get("dies"):
        print("no such library", file=sys.stderr, flush=True)
        os._exit(3)
    if job.get("asks"):
        if os.getsid(0) != os.getpid():
            raise ConfigError("there may be a terminal to ask on")
        asked = "import sys; sys.exit(0 if sys.stdin.read() == '' else 'there was something')"
        subprocess.run([sys.executable, "-c", asked], check=True, timeout=60)
        input("May the code of this checkpoint run? [y/N] ")
    if job.get("hangs"):
        Path(job["log"]).with_suffix(".pid").write_text(str(os.getpid()))
        time.sleep(300)
    if job.get("refuses"):
        raise ConfigError(f"not here, with {os.environ['HF_TOKEN']}")
    return Scripted(job["log"])


if __name__ == "__main__":
    serve(load)
'''
TOKEN = "a-token-to-hide"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the scripted worker writes what it was asked, a batch a line."""
    (tmp_path / "scripted_worker.py").write_text(SCRIPTED)
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(root)]))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return tmp_path / "log"


def scripted(
    log: Path, *, timeout_s: float = 60.0, loading_s: float | None = None, **job: Any
) -> BatchedWorker:
    return BatchedWorker(
        "scripted_worker",
        {"log": str(log), **job},
        model="the local judge m",
        gpus=None,
        needs=None,
        timeout_s=timeout_s,
        loading_s=60.0 if loading_s is None and not job.get("hangs") else loading_s,
    )


def with_worker(worker: BatchedWorker, talk: Callable[[BatchedWorker], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        try:
            return await talk(worker)
        finally:
            await worker.close()

    return asyncio.run(run())


async def said(worker: BatchedWorker, texts: Sequence[str], alike: str = "") -> list[Any]:
    """The answer or the error to each, all asked at once."""
    asked = [worker.ask({"text": text}, alike=alike) for text in texts]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    return [one["said"] if isinstance(one, dict) else one for one in answers]


def batches(log: Path) -> list[list[str]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def eventually(condition: Callable[[], bool], wait_s: float = 20) -> bool:
    deadline = time.monotonic() + wait_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_questions_in_flight_share_batches_and_each_gets_its_own_answer(log: Path) -> None:
    texts = [f"SLOW {n}" for n in range(10)]

    async def talk(worker: BatchedWorker) -> list[Any]:
        return await said(worker, texts)

    assert with_worker(scripted(log), talk) == texts
    assert [len(batch) for batch in batches(log)] == [4, 4, 2]
    assert [text for batch in batches(log) for text in batch] == texts


def test_only_what_is_alike_shares_a_batch(log: Path) -> None:
    async def talk(worker: BatchedWorker) -> list[Any]:
        asked = (["a", "b"], "greedy"), (["c"], "drawn"), (["d"], "weighed")
        return list(await asyncio.gather(*(said(worker, *one) for one in asked)))

    assert with_worker(scripted(log), talk) == [["a", "b"], ["c"], ["d"]]
    assert batches(log) == [["a", "b"], ["c"], ["d"]]


def test_one_refusal_and_noise_leave_the_others_alone(log: Path) -> None:
    async def talk(worker: BatchedWorker) -> list[Any]:
        return await said(worker, ["a", "LONG", "NOISE"])

    first, long, noise = with_worker(scripted(log), talk)
    assert (first, noise) == ("a", "NOISE")
    assert isinstance(long, CallError)
    assert (long.kind, long.retriable) == ("too_long", False)
    assert str(long) == "the local judge m: too long by far"


def test_a_worker_that_dies_is_started_again_once(log: Path) -> None:
    async def talk(worker: BatchedWorker) -> list[list[Any]]:
        first = await said(worker, ["KILL 1", "b", "c", "d", "waits"])
        second = await said(worker, ["KILL 2", "f", "g", "h", "waits"])
        return [first, second, await said(worker, ["too late"])]

    first, second, late = with_worker(scripted(log), talk)
    for error in first[:4]:  # they shared a batch; the fifth was answered by the next worker
        assert isinstance(error, CallError)
        assert (error.kind, error.retriable) == ("local_model", True)
        assert "killed by SIGKILL" in str(error)
        assert "last words, with ***" in str(error)
        assert TOKEN not in str(error)
    assert first[4] == "waits"
    assert all(isinstance(error, CallError) and not error.retriable for error in second[:4])
    assert isinstance(second[4], ProviderUnavailableError)
    assert isinstance(late[0], ProviderUnavailableError)


def test_a_descendant_that_holds_the_pipe_does_not_hide_a_death(log: Path) -> None:
    async def talk(worker: BatchedWorker) -> list[Any]:
        return await said(worker, ["ORPHAN"])

    (error,) = with_worker(scripted(log), talk)
    assert isinstance(error, CallError)
    assert "killed by SIGKILL" in str(error)


def test_a_batch_that_hangs_is_given_up(log: Path) -> None:
    async def talk(worker: BatchedWorker) -> list[Any]:
        return [*await said(worker, ["HANG"]), *await said(worker, ["after"])]

    error, after = with_worker(scripted(log, timeout_s=1.5), talk)
    assert isinstance(error, CallError)
    assert (error.kind, error.retriable) == ("timeout", True)
    assert "timeout_s" in str(error)
    assert after == "after"
    assert all(gone(int(pid)) for pid in log.with_suffix(".pids").read_text().split())


@pytest.mark.parametrize(
    ("job", "says"),
    [
        ({"refuses": True}, "the local judge m cannot be used: not here, with ***"),
        ({"dies": True}, "exit status 3. Its last words:\n  | no such library"),
        ({"asks": True}, "the local judge m cannot be used: EOFError: EOF when reading a line"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_asked_once(
    log: Path, job: Mapping[str, Any], says: str
) -> None:
    async def talk(worker: BatchedWorker) -> list[Any]:
        return [*await said(worker, ["a", "b"]), *await said(worker, ["c"])]

    errors = with_worker(scripted(log, **job), talk)
    assert all(isinstance(error, ProviderUnavailableError) for error in errors)
    assert all(says in str(error) for error in errors)


@pytest.mark.parametrize("given", [{"timeout_s": 0.5}, {"timeout_s": 60.0, "loading_s": 0.5}])
def test_a_model_that_is_not_loaded_in_time_is_given_up(
    log: Path, given: Mapping[str, float]
) -> None:
    async def talk(worker: BatchedWorker) -> list[Any]:
        return [*await said(worker, ["a", "b"]), *await said(worker, ["c"])]

    errors = with_worker(scripted(log, **given, hangs=True), talk)
    for error in errors:
        assert isinstance(error, ProviderUnavailableError)
        assert "was not loaded within 0.5 s: raise the judge's timeout_s" in str(error)
        assert "Its last words:" in str(error)
    pid = log.with_suffix(".pid")  # a busy machine may not even have begun
    assert not pid.exists() or gone(int(pid.read_text()))


def test_a_judges_own_time_limit_holds_for_loading_and_that_of_all_calls_does_not() -> None:
    section = {"name": "r", "provider": "reward_model", "kind": "reward", "timeout_s": 7}
    reward = JudgeConfig.model_validate(section | {"reward_model": {"pretrained": "a/b"}})
    for judge_, limits, loading_s in (
        (reward, Limits(timeout_s=3), 7),
        (reward.model_copy(update={"timeout_s": None}), Limits(timeout_s=3), 600),
        (reward.model_copy(update={"timeout_s": None}), Limits(timeout_s=900), 900),
    ):
        suite = Suite(
            name="s",
            judges=[judge_],
            benchmarks=[BenchmarkConfig(name="b", judges=["r"])],
            limits=limits,
        )
        assert ProviderPool(suite, None).endpoint(judge_).provider_options["loading_s"] == loading_s


def test_what_is_not_installed_is_named() -> None:
    worker = BatchedWorker(
        "none", {}, model="the local judge m", gpus=None, needs="no_such_package", timeout_s=1
    )

    async def talk(worker: BatchedWorker) -> list[Any]:
        return await said(worker, ["a"])

    (error,) = with_worker(worker, talk)
    assert str(error) == (
        "the local judge m needs no_such_package, which is not installed: "
        "pip install no_such_package"
    )


def test_a_question_that_is_given_up_leaves_the_others_alone(log: Path) -> None:
    async def talk(worker: BatchedWorker) -> list[Any]:
        given_up = asyncio.create_task(worker.ask({"text": "SLOW"}, alike=""))
        other = asyncio.create_task(said(worker, ["other"]))
        assert await asyncio.to_thread(eventually, log.exists)
        given_up.cancel()
        await asyncio.wait({given_up})
        return [*await other, *await said(worker, ["after"])]

    assert with_worker(scripted(log), talk) == ["other", "after"]


def test_closing_ends_the_worker_and_all_that_wait(log: Path) -> None:
    async def run() -> tuple[list[Any], int]:
        worker = scripted(log)
        asked = asyncio.create_task(said(worker, ["HANG", "b", "c", "d", "waits"]))
        assert await asyncio.to_thread(eventually, log.with_suffix(".pids").exists)
        pid = worker.pid
        assert pid is not None
        await worker.close()
        await worker.close()
        return await asked, pid

    errors, pid = asyncio.run(run())
    assert all("was closed" in str(error) for error in errors)
    pids = [pid, *map(int, log.with_suffix(".pids").read_text().split())]
    assert eventually(lambda: all(map(gone, pids)), 5)


PARENT = """
import asyncio, sys
from judgebench.providers.local import BatchedWorker

async def run():
    worker = BatchedWorker(
        "scripted_worker", {"log": sys.argv[1]}, model="m", gpus=None, needs=None, timeout_s=60
    )
    try:
        await worker.ask({"text": "HANG"}, alike="")
    finally:
        await worker.close()

asyncio.run(run())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_worker_does_not_outlive_its_parent(log: Path, number: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(log)], stderr=subprocess.DEVNULL, process_group=0
    )
    pids = log.with_suffix(".pids")
    assert eventually(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    os.killpg(parent.pid, number)  # as a terminal does for Ctrl-C
    parent.wait(10)
    assert eventually(lambda: all(gone(int(pid)) for pid in pids.read_text().split()), 5)


class Fragile(BatchAnswerer):
    """Takes two questions at once, and one of them never."""

    batch = 8

    def stack(self) -> Runtime:
        return Runtime(backend="fragile")

    def refusal(self, question: Question) -> Refusal | None:
        return None

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        if len(questions) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        if any(question["id"] == 5 for question in questions):
            raise ValueError("cannot be said")
        return [{"said": question["id"]} for question in questions]


def test_what_fails_together_is_asked_again_by_halves(capsys: pytest.CaptureFixture[str]) -> None:
    events = list(Fragile().answers([{"id": n} for n in range(8)]))
    answered = [event["answers"] for event in events if event["event"] == "answered"]
    assert [[answer["said"] for answer in answers] for answers in answered] == [
        *([0, 1], [2, 3], [4], [6, 7])
    ]
    assert [event for event in events if event["event"] == "failed"] == [
        {
            "event": "failed",
            "ids": [5],
            "kind": "local_model",
            "message": "ValueError: cannot be said",
        }
    ]
    assert "Traceback" in capsys.readouterr().err  # last words


class Template:
    """An lm-eval object with a template of its own."""

    def __init__(self, shows_system: bool) -> None:
        self._shows_system = shows_system

    def apply_chat_template(self, history: Sequence[Mapping[str, str]]) -> str:
        shown = [m for m in history if self._shows_system or m["role"] != "system"]
        return "".join(f"[{m['role']}]{m['content']}" for m in shown) + "[assistant]"


QUESTION = [
    {"role": "system", "content": "You judge."},
    {"role": "user", "content": "Which is better?"},
]


def test_a_template_without_a_system_role_loses_no_message() -> None:
    shown = ChatPrompts(Template(True), apply_chat_template=True, system_instruction="Brief.")
    assert shown.of(QUESTION) == "[system]Brief.\n\nYou judge.[user]Which is better?[assistant]"
    hidden = ChatPrompts(Template(False), apply_chat_template=True, system_instruction="Brief.")
    assert hidden.of(QUESTION) == "[user]Brief.\n\nYou judge.\n\nWhich is better?[assistant]"
    plain = ChatPrompts(object(), apply_chat_template=False)
    assert plain.of(QUESTION) == "You judge.\n\nWhich is better?"
    assert system_first(QUESTION[:1], shown=False) == [{"role": "user", "content": "You judge."}]


def test_a_model_without_a_template_is_refused() -> None:
    class Bare:
        def apply_chat_template(self, history: object) -> str:
            raise ValueError("tokenizer.chat_template is not set")

    with pytest.raises(ConfigError, match="apply_chat_template: false"):
        ChatPrompts(Bare(), apply_chat_template=True)


def tokens(*texts: str) -> tuple[TokenLogprob, ...]:
    return tuple(TokenLogprob(token=text, logprob=-1.0) for text in texts)


def test_logprobs_are_those_of_the_answer() -> None:
    thought = tokens("hm", "</th", "ink>", "no", "</think>", "\n", " A", ".", "\n", "so")
    answer = after_reasoning(thought, "</think>")
    assert answer == thought[5:]
    assert of_text(answer, ["\n"]) == tokens(" A", ".")
    assert after_reasoning(tokens("still", " thinking"), "</think>") == ()
    assert of_text(tokens(" ", ""), []) == ()


def question(**changes: Any) -> ChatRequest:
    told: dict[str, Any] = {
        "provider": "here",
        "model": "m",
        "messages": (Message(role="user", content="Well?"),),
    }
    return ChatRequest(**told | changes)


class Heard:
    """Stands where the worker would: remembers what it was asked."""

    def __init__(self, **answer: Any) -> None:
        self.questions: list[Mapping[str, Any]] = []
        self.alike: list[str] = []
        self._answer = {
            "text": "A",
            "reasoning": None,
            "finish_reason": "stop",
            "prompt_tokens": 3,
            "completion_tokens": 1,
            "tokens": None,
            "unsupported": [],
            "seconds": 0.5,
            **answer,
        }

    async def ask(self, question: Mapping[str, Any], *, alike: str) -> dict[str, Any]:
        self.questions.append(question)
        self.alike.append(alike)
        return self._answer

    async def close(self) -> None:
        return


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., local.LocalJudge]]:
    def build(heard: Heard, **options: Any) -> local.LocalJudge:
        monkeypatch.setattr(local, "BatchedWorker", lambda *_, **__: heard)
        return local.make(
            Endpoint(
                provider="local",
                identity="here",
                provider_options={"model_args": {"pretrained": "o/m"}, **options},
            )
        )

    yield build


def test_decoding_is_translated_and_what_has_no_meaning_here_is_named(
    judge: Callable[..., local.LocalJudge],
) -> None:
    heard = Heard(tokens=[{"token": "A", "logprob": -0.1, "top": [["A", -0.1], ["B", -2.0]]}])
    provider = judge(heard, gen_kwargs={"max_gen_toks": 7, "until": ["x"], "do_sample": False})
    said = {"temperature": 0.5, "top_p": 0.9, "stop": "\n", "seed": 4, "logit_bias": {}, "n": None}
    reply = asyncio.run(
        provider.complete(
            question(
                decoding=said, logprobs=2, reasoning="low", response_format={"type": "json_object"}
            )
        )
    )
    assert heard.questions == [
        {
            "messages": [{"role": "user", "content": "Well?"}],
            "max_gen_toks": 7,
            "stops": ["\n"],
            "sampling": {"temperature": 0.5, "top_p": 0.9},
            "logprobs": 2,
            "seed": 4,
        }
    ]
    assert reply.left_out == ("logit_bias", "response_format", "reasoning")
    assert (reply.text, reply.served_model, reply.seconds) == ("A", "o/m", 0.5)
    assert reply.logprobs is not None
    assert reply.logprobs[0].top == (("A", -0.1), ("B", -2.0))


def test_what_a_backend_cannot_be_told_is_named(judge: Callable[..., local.LocalJudge]) -> None:
    provider = judge(Heard(unsupported=["logprobs", "seed"]))
    drawn = question(decoding={"temperature": 1, "seed": 4}, logprobs=0)
    assert asyncio.run(provider.complete(drawn)).left_out == ("logprobs", "seed")
    greedy = question(decoding={"temperature": 0, "seed": 4})
    assert asyncio.run(provider.complete(greedy)).left_out == ()


def test_a_longer_limit_of_the_question_wins_by_either_name(
    judge: Callable[..., local.LocalJudge],
) -> None:
    heard = Heard()
    provider = judge(heard, gen_kwargs={"max_tokens": 7})
    for decoding in ({"max_completion_tokens": 28}, {"max_tokens": 28}, {}):
        asyncio.run(provider.complete(question(decoding=decoding)))
    assert [asked["max_gen_toks"] for asked in heard.questions] == [28, 28, 7]


def test_seeds_do_not_keep_questions_apart_and_repeats_draw_anew(
    judge: Callable[..., local.LocalJudge],
) -> None:
    heard = Heard()
    provider = judge(heard)
    for request in (question(), question(sample=1), question(), question(decoding={"seed": 3})):
        asyncio.run(provider.complete(request))
    seeds = [asked["seed"] for asked in heard.questions]
    assert seeds[0] == seeds[2]
    assert len(set(seeds)) == 3
    assert len(set(heard.alike)) == 1


@pytest.mark.parametrize(
    ("decoding", "says"),
    [
        ({"max_tokens": 0}, "max_tokens is a number above 0, not 0"),
        ({"max_tokens": "many"}, "not 'many'"),
        ({"temperature": -1}, "temperature is a number that is not negative"),
        ({"stop": [""]}, "stop is a text or several"),
        ({"seed": "x"}, "seed is a whole number"),
    ],
)
def test_what_no_model_could_follow_is_refused(
    judge: Callable[..., local.LocalJudge], decoding: Mapping[str, Any], says: str
) -> None:
    heard = Heard()
    with pytest.raises(CallError, match=says) as caught:
        asyncio.run(judge(heard).complete(question(decoding=decoding)))
    assert (caught.value.kind, caught.value.retriable) == ("request", False)
    assert not heard.questions


def test_questions_that_cannot_be_put(judge: Callable[..., local.LocalJudge]) -> None:
    provider = judge(Heard())
    surrogate = question(messages=(Message(role="user", content="\ud800"),))
    with pytest.raises(CallError, match="surrogate"):
        asyncio.run(provider.complete(surrogate))
    unasked = ScoreRequest(provider="here", model="m", messages=surrogate.messages)
    with pytest.raises(CallError, match="reward_model") as caught:
        asyncio.run(provider.complete(unasked))
    assert caught.value.kind == "request"
    with pytest.raises(ValueError, match="'elsewhere'"):
        asyncio.run(provider.complete(question(provider="elsewhere")))


@over_rows(
    ("given", "says"),
    [
        ({"provider_options": {"modell": "hf"}}, "did you mean 'model'"),
        ({"provider_options": {"gen_kwargs": {"num_beams": 2}}}, "no setting called 'num_beams'"),
        ({"provider_options": {"gen_kwargs": {"do_sample": True, "temperature": 0}}}, "contradict"),
        ({"provider_options": {"fewshot_as_multiturn": True}}, "has no examples"),
        ({"base_url": "http://127.0.0.1:1/v1"}, "takes no base_url"),
        ({"api_key": Secret("sk-0123456789")}, "takes no api_key"),
        ({"capabilities": {"seed": True}}, "takes no capabilities"),
    ],
)
def test_options_that_mean_nothing_are_refused(given: Mapping[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        local.make(Endpoint(provider="local", **given))


def test_a_hub_that_does_not_answer_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    offline_if_unreachable([str(tmp_path)])
    assert os.environ["HF_HUB_OFFLINE"] == "0"  # nobody had to be asked
    offline_if_unreachable([str(tmp_path), "owner/name"])
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    with pytest.raises(ConfigError, match=r"no folder \./nowhere here"):
        offline_if_unreachable(["./nowhere"])
