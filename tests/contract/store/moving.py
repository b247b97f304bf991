"""Stores with something in every table, as two machines have them that share a suite."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from judgebench import keys
from judgebench.records import (
    Batch,
    ChatRequest,
    DriftCheck,
    Failure,
    Item,
    JudgeSpec,
    Judgment,
    Label,
    Message,
    ModelSpec,
    Preference,
    Purpose,
    Reply,
    Request,
    Response,
    RunManifest,
    Runtime,
    RunVerdict,
    Score,
    Spend,
    TokenLogprob,
    Unreadable,
    Usage,
    Verdict,
    VerdictSlot,
)
from judgebench.store.store import Store

A, B = ModelSpec(weights="a"), ModelSpec(weights="b")
STRICT = JudgeSpec(kind="reference", model="judge-1", official_prompt=True)
PAIRS = JudgeSpec(kind="pairwise", model="judge-1")
HUMAN = JudgeSpec(kind="human")
STACK = Runtime(backend="hf", versions={"torch": "2.6"})
ODD = "half a pair \ud800 and \0"
SECRET_WORDS = "nobody outside may read this"


def item(benchmark: str, number: int, question: str = "") -> Item:
    asked = question or f"question {number}: {SECRET_WORDS}"
    turns = (Message(role="user", content=asked),)
    return Item(benchmark=benchmark, version="v1", id=str(number), turns=turns, category="people")


def question(number: int, benchmark: str = "trivia") -> ChatRequest:
    said = f"{benchmark}: is {number} right? {SECRET_WORDS}"
    return ChatRequest(
        provider="openai", model="judge-1", messages=(Message(role="user", content=said),)
    )


class Machine:
    """A store that judges some items of a benchmark, in a run of its own."""

    def __init__(self, store: Store, run_id: str, benchmark: str = "trivia") -> None:
        self.store = store
        self.run_id = run_id
        self.benchmark = benchmark
        self.a = store.put_model("model-a", A, {"step": "1"})
        self.b = store.put_model("model-b", B)
        self.strict = store.put_judge("strict", STRICT)
        self.pairs = store.put_judge("pairs", PAIRS)
        self.human = store.put_judge("human/ann", HUMAN)
        self.manifest = RunManifest(
            id=run_id, name="n", configuration={}, versions={}, git_sha=None, data_sha={},
            seeds={}, started=1000.0,
        )  # fmt: skip
        store.start_run(self.manifest)

    def place(
        self, number: int, judge: bytes, opponent: bytes | None = None, repeat: int = 0
    ) -> VerdictSlot:
        return VerdictSlot(
            benchmark=self.benchmark, version="v1", item_id=str(number), model_key=self.a,
            judge_key=judge, opponent_key=opponent, repeat=repeat,
            order="model_first" if opponent else "single",
        )  # fmt: skip

    def answer(self, number: int, text: str = "", at: Runtime = STACK) -> None:
        for model in (self.a, self.b):
            key = keys.response_key(model, item(self.benchmark, number).turns, None)
            said = text or f"answer {number} {SECRET_WORDS}"
            response = Response(
                benchmark=self.benchmark, version="v1", item_id=str(number), model_key=model,
                text=said, raw=f"<think>{SECRET_WORDS}</think>{said}", reasoning=SECRET_WORDS,
                stack=at, usage=Usage(prompt_tokens=3, completion_tokens=number),
            )  # fmt: skip
            self.store.put_responses({key: response})

    def ask(self, number: int) -> bytes:
        request: Request = question(number, self.benchmark)
        key = keys.request_key(request)
        said = Reply(
            text=f"{ODD} {number} {SECRET_WORDS}", reasoning=SECRET_WORDS,
            served_model="judge-1-0613", logprobs=(TokenLogprob(token="yes", logprob=-0.5),),
            usage=Usage(completion_tokens=5),
        )  # fmt: skip
        place = self.place(number, self.strict)
        spend = Spend(
            purpose=Purpose(run_id=self.run_id, place=place), how="live", provider="openai",
            model="judge-1", usage=Usage(completion_tokens=5), cost_usd=0.25,
        )  # fmt: skip
        self.store.put_reply(key, request, said, spend)
        return key

    def judgment(
        self, number: int, verdict: Verdict, place: VerdictSlot, replies: tuple[bytes, ...] = ()
    ) -> bytes:
        seen = hashlib.sha256(f"{self.benchmark} {number}".encode()).digest()
        key = keys.judgment_key(place.judge_key, seen, repeat=place.repeat)
        judgment = Judgment(
            key=key, judge_key=place.judge_key, case_key=seen, verdict=verdict,
            reply_keys=replies, served_model="judge-1-0613", at=1000.0 + number,
        )  # fmt: skip
        use = RunVerdict(run_id=self.run_id, place=place, judgment_key=key)
        self.store.put_judgment(judgment, [use])
        return key

    def judge(self, numbers: Sequence[int]) -> None:
        self.store.put_items([item(self.benchmark, number) for number in numbers])
        for number in numbers:
            self.answer(number)
            reply = self.ask(number)
            label: Verdict = (
                Unreadable(reason=SECRET_WORDS)
                if number % 3 == 2
                else Label(name="correct" if number % 3 else "wrong", p=0.75)
            )
            self.judgment(number, label, self.place(number, self.strict), (reply,))
            self.judgment(
                number, Preference(winner=0, p_first=0.75), self.place(number, self.pairs, self.b)
            )
            self.judgment(
                number,
                Score(value=7.0, low=1.0, high=10.0, parts={"style": 6.0}),
                self.place(number, self.human),
            )

    def rest(self, number: int) -> None:
        """What there is beside verdicts: a failure, a batch, a calibration, a baseline, anchors."""
        failed = self.place(number, self.strict, repeat=1)
        self.store.put_failure(
            Failure(
                key=hashlib.sha256(f"{self.run_id} failed".encode()).digest(), boundary="provider",
                message=SECRET_WORDS, retriable=True, place=failed, at=1500.0,
            )
        )  # fmt: skip
        batch = Batch(
            id=f"batch of {self.run_id}", run_id=self.run_id, asker="strict", provider="openai"
        )
        request = question(1000 + number, self.benchmark)
        self.store.put_batch(batch, {keys.request_key(request): request})
        about = (self.benchmark, "v1")
        self.store.put_calibration(
            *about, judge=self.pairs, opponent=self.b, models=[self.a.hex()[:12]],
            content={"coefficients": [1.0, number]},
        )  # fmt: skip
        self.store.put_baseline("best", *about, model=self.a, run_id=self.run_id)
        self.store.put_baseline(f"old-{number}", *about, model=self.a)
        place = self.place(number, self.strict)
        seen = hashlib.sha256(f"{self.benchmark} {number}".encode()).digest()
        pinned = self.store.put_anchors([(place, keys.judgment_key(self.strict, seen))])
        again = Judgment(
            key=keys.judgment_key(self.strict, seen, occasion="2026-11-28"),
            judge_key=self.strict, case_key=seen, verdict=Label(name="correct"), at=2000.0,
        )  # fmt: skip
        self.store.put_looks(
            [(again, DriftCheck(anchors=pinned.id, occasion="2026-11-28", place=place))]
        )
