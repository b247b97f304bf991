"""Writes the small store that each release leaves behind, through the public interface.

    python tests/data/stores/make_store.py tests/data/stores/0.1.0.db

Run it once for a release; the file stays as that release wrote it, and every later one must open
it with nothing asked again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

from judgebench import keys
from judgebench.records import (
    Batch,
    Case,
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
    Response,
    RunManifest,
    Runtime,
    RunVerdict,
    Score,
    ScoreRequest,
    Spend,
    TokenLogprob,
    Unreadable,
    Usage,
    Verdict,
    VerdictSlot,
)
from judgebench.store.opening import open_store
from judgebench.store.store import Store

NOW = 1_780_000_000.0
FIRST_JUDGMENT = "dc3b989367d6"  # a key that changes is a question paid for again

BASE = ModelSpec(weights="hub:org/base@1", decoding={"temperature": 0.0, "max_tokens": 64})
TUNED = ModelSpec(weights="sha256:tuned", prompting={"system": "Be brief."})
STRICT = JudgeSpec(
    kind="reference",
    provider="openai",
    model="judge-1",
    prompt_sha="ab" * 32,
    official_prompt=False,
)
PERSON = JudgeSpec(kind="human")
BASE_KEY, TUNED_KEY = keys.model_key(BASE), keys.model_key(TUNED)
STRICT_KEY, PERSON_KEY = keys.judge_key(STRICT), keys.judge_key(PERSON)

ITEMS = [
    Item(
        benchmark="trivia",
        version="v1",
        id=str(number),
        turns=(Message(role="user", content=f"Question {number}: 谁? {{braces}}"),),
        references=(f"answer {number}", "another"),
        category=("people", "places")[number % 2],
        metadata={"number": number},
    )
    for number in range(6)
]
STACK = Runtime(backend="hf", versions={"lm_eval": "0.4.13", "torch": "2.13.0"}, dtype="float32")


def _response(item: Item) -> Response:
    return Response(
        benchmark=item.benchmark,
        version=item.version,
        item_id=item.id,
        model_key=BASE_KEY,
        text=f"It is answer {item.id}.\0\ud800",
        raw=f"<think>hm</think>It is answer {item.id}.",
        reasoning="hm",
        finish_reason="stop",
        usage=Usage(prompt_tokens=12, completion_tokens=7),
        stack=STACK,
        source="lm_eval",
    )


RESPONSES = {keys.response_key(BASE_KEY, item.turns, None): _response(item) for item in ITEMS}
CASE_KEYS = [
    keys.case_key(Case(item=item, responses=(response,)))
    for item, response in zip(ITEMS, RESPONSES.values(), strict=True)
]
VERDICTS: list[Verdict] = [
    Label(name="correct", p=0.9),
    Label(name="incorrect"),
    Unreadable(reason="the reply states no verdict"),
    Score(value=7.0, low=1.0, high=10.0, parts={"fluency": 8.0}),
    Preference(winner=1, p_first=0.25),
]
JUDGMENT_KEYS = [keys.judgment_key(STRICT_KEY, case) for case in CASE_KEYS[: len(VERDICTS)]]
PLACES = len(VERDICTS) + 1  # and one that a person labelled twice

REQUEST = ChatRequest(
    provider="openai", model="judge-1", messages=(Message(role="user", content="Correct?"),)
)
REQUEST_KEY = keys.request_key(REQUEST)
REPLY = Reply(
    text="correct",
    finish_reason="stop",
    logprobs=(TokenLogprob(token="correct", logprob=-0.1, top=(("correct", -0.1),)),),
    usage=Usage(prompt_tokens=20, completion_tokens=1),
    served_model="judge-1-0613",
    seconds=0.5,
)

# What stores of 0.1.0 could not hold stands apart, so that they can be compared with newer ones.
SECOND = "support"
SECOND_RUN = "run-3"


def _second(repeat: int, judge_key: bytes = STRICT_KEY) -> VerdictSlot:
    return VerdictSlot(
        benchmark=SECOND,
        version="v1",
        item_id="0",
        model_key=BASE_KEY,
        judge_key=judge_key,
        repeat=repeat,
    )


SCORES = [  # of one answer, asked three times
    (Score(value=7.0, low=1.0, high=10.0, parts={"tone": 8.0, "facts": 6.0}), ()),
    (Score(value=9.0, low=1.0, high=10.0, parts={"tone": 9.0, "facts": 9.0}), ("cut",)),
    (Unreadable(reason="truncated"), ("cut", "imitates_verdict")),
]
SCORE_REQUEST = ScoreRequest(
    provider="local",
    model="judge-2",
    messages=(Message(role="user", content="Half a pair: \ud83d"),),
    candidates=("1", "2"),
    purpose=Purpose(run_id=SECOND_RUN, place=_second(0)),
)
SCORE_KEY = keys.request_key(SCORE_REQUEST)
SCORE_REPLY = Reply(text="", scores=(-0.5, float("-inf")), left_out=("seed", "temperature"))
SPENT = [
    Spend(
        purpose=Purpose(run_id=SECOND_RUN, place=_second(0, judge_key)),
        how=how,
        provider="openai",
        model="judge-1",
        usage=Usage(prompt_tokens=20, completion_tokens=1, cached_tokens=16),
        cost_usd=cost_usd,
        calls=calls,
    )
    for how, judge_key, cost_usd, calls in (
        ("live", STRICT_KEY, 0.5, 3),
        ("wasted", STRICT_KEY, None, 1),
        ("batch", b"", 0.25, 1),
    )
]
BATCH = Batch(
    id="b-1",
    run_id=SECOND_RUN,
    asker="strict",
    provider="openai",
    state="submitted",
    remote_id="batch_1",
    requests=2,
    created=NOW,
    note="in progress",
)
BATCH_REQUESTS = {REQUEST_KEY: REQUEST, SCORE_KEY: SCORE_REQUEST}

CALIBRATION = {"difficulty": {"0": 0.1 + 0.2, "1": -1.5}, "anchors": None, "reliability": 0.5}
BASELINE = "last-green"
OCCASION = "2026-11-27"


def make(path: Path | str) -> None:
    """At a path, or at the URL of an empty store."""
    with mock.patch("time.time", return_value=NOW), open_store(str(path)) as store:
        _fill(store)
        _fill_second(store)
        _fill_third(store)
        _fill_fourth(store)
        _fill_fifth(store)


def _fill(store: Store) -> None:
    store.put_items(ITEMS)
    store.put_model("base", BASE, {"step": "0"})
    store.put_model("tuned", TUNED)
    store.put_judge("strict", STRICT)
    store.put_judge("human/ann", PERSON)
    for number in (1, 2):
        store.start_run(_manifest(number))
    store.put_responses(RESPONSES)
    store.put_reply(REQUEST_KEY, REQUEST, REPLY)
    for number, verdict in enumerate(VERDICTS):
        pairwise = isinstance(verdict, Preference)
        place = VerdictSlot(
            benchmark="trivia",
            version="v1",
            item_id=str(number),
            model_key=BASE_KEY,
            judge_key=STRICT_KEY,
            opponent_key=TUNED_KEY if pairwise else None,
            order="opponent_first" if pairwise else "single",
        )
        _judge(store, JUDGMENT_KEYS[number], CASE_KEYS[number], verdict, place, "run-1")
    labelled = VerdictSlot(
        benchmark="trivia", version="v1", item_id="5", model_key=BASE_KEY, judge_key=PERSON_KEY
    )
    for number, name in ((1, "incorrect"), (2, "correct")):
        event = keys.content_key("label", {"case": CASE_KEYS[5], "number": number})
        _judge(store, event, CASE_KEYS[5], Label(name=name), labelled, f"run-{number}")
    lost = keys.judgment_key(STRICT_KEY, CASE_KEYS[5])
    store.put_failure(
        Failure(
            key=lost,
            boundary="provider",
            message="503 Service Unavailable",
            retriable=True,
            attempts=3,
            place=VerdictSlot(
                benchmark="trivia",
                version="v1",
                item_id="5",
                model_key=BASE_KEY,
                judge_key=STRICT_KEY,
            ),
            at=NOW,
        )
    )


def _fill_second(store: Store) -> None:
    store.start_run(_manifest(3))
    for repeat, (verdict, marks) in enumerate(SCORES):
        key = keys.judgment_key(STRICT_KEY, CASE_KEYS[5], repeat=repeat + 1)
        _judge(store, key, CASE_KEYS[5], verdict, _second(repeat), SECOND_RUN, marks)
    store.put_failure(
        Failure(
            key=keys.judgment_key(STRICT_KEY, CASE_KEYS[5], repeat=9),
            boundary="provider",
            message="429 Too Many Requests",
            retriable=True,
            place=_second(3),
            at=NOW,
            kind="rate_limit",
        )
    )
    store.put_reply(SCORE_KEY, SCORE_REQUEST, SCORE_REPLY, SPENT[0])
    store.put_spend(SPENT[1:])
    store.put_batch(BATCH, BATCH_REQUESTS)


def _fill_third(store: Store) -> None:
    store.put_calibration(
        SECOND,
        "v1",
        judge=STRICT_KEY,
        opponent=TUNED_KEY,
        models=[BASE_KEY.hex()[:12]],
        content=CALIBRATION,
    )


def _fill_fourth(store: Store) -> None:
    for model in (BASE_KEY, TUNED_KEY):
        store.put_baseline(BASELINE, "trivia", "v1", model=model, run_id="run-1")


def _fill_fifth(store: Store) -> None:
    place = VerdictSlot(
        benchmark="trivia",
        version="v1",
        item_id="0",
        model_key=BASE_KEY,
        judge_key=STRICT_KEY,
    )
    pinned = store.put_anchors([(place, JUDGMENT_KEYS[0])])
    again = Judgment(
        key=keys.judgment_key(STRICT_KEY, CASE_KEYS[0], occasion=OCCASION),
        judge_key=STRICT_KEY,
        case_key=CASE_KEYS[0],
        verdict=Label(name="incorrect"),
        served_model="strict-2",
        at=NOW + 1.0,
    )
    store.put_looks([(again, DriftCheck(anchors=pinned.id, occasion=OCCASION, place=place))])


def _judge(
    store: Store,
    key: bytes,
    case: bytes,
    verdict: Verdict,
    place: VerdictSlot,
    run_id: str,
    marks: tuple[str, ...] = (),
) -> None:
    judgment = Judgment(
        key=key,
        judge_key=place.judge_key,
        case_key=case,
        verdict=verdict,
        reply_keys=(REQUEST_KEY,),
        served_model="judge-1-0613",
        at=NOW,
        marks=marks,
    )
    store.put_judgment(judgment, [RunVerdict(run_id=run_id, place=place, judgment_key=key)])


def _manifest(number: int) -> RunManifest:
    return RunManifest(
        id=f"run-{number}",
        name="kept",
        configuration={"benchmarks": ["trivia"]},
        versions={"judgebench": "0.1.0"},
        git_sha=None,
        data_sha={},
        seeds={"bootstrap": 7},
        started=NOW + number,
    )


if __name__ == "__main__":
    target = Path(sys.argv[1])
    if target.exists():
        sys.exit(f"{target} is there; a release's store is never written again")
    make(target)
    target.with_name(target.name + "-turn").unlink()
