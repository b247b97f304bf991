"""What is put into a store comes out again, once, and exactly."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench import keys
from judgebench.errors import InputError, StoreError
from judgebench.records import (
    ChatRequest,
    Failure,
    Item,
    JudgeSpec,
    Judgment,
    Label,
    Message,
    ModelSpec,
    Preference,
    Reply,
    Response,
    RunManifest,
    Runtime,
    RunVerdict,
    Score,
    ScoreRequest,
    TokenLogprob,
    Unreadable,
    Usage,
    Verdict,
    VerdictSlot,
)
from judgebench.store import write
from judgebench.store.opening import open_store
from judgebench.store.store import Store

MODEL = ModelSpec(weights="hub:org/model@1", decoding={"temperature": 0.0})
JUDGE = JudgeSpec(kind="reference", provider="openai", model="judge-1", official_prompt=False)
ANYTHING = "a\0b {braces} \ud83d half 'quote' \U0001f600 中文\r\n"


def key(name: object) -> bytes:
    return hashlib.sha256(str(name).encode()).digest()


def manifest(run_id: str = "run-1") -> RunManifest:
    return RunManifest(
        id=run_id,
        name="nightly",
        configuration={"judges": ["a"], "limits": {"max": 3}},
        versions={"judgebench": "0.1.0"},
        git_sha=None,
        data_sha={},
        seeds={"bootstrap": 7},
        started=1000.5,
    )


def item(item_id: str = "0", **changes: Any) -> Item:
    plain = Item(
        benchmark="trivia",
        version="v1",
        id=item_id,
        turns=(Message(role="user", content="Who?"),),
        references=("Ada", "Lovelace"),
        category="people",
        prompt="Q: Who?\nA:",
        metadata={"n": 1, "nested": {"x": [1, 2]}},
    )
    return dataclasses.replace(plain, **changes)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as opened:
        opened.put_model("base", MODEL)
        opened.put_judge("strict", JUDGE)
        opened.start_run(manifest())
        yield opened


def place(item_id: str = "0", **changes: Any) -> VerdictSlot:
    plain = VerdictSlot(
        benchmark="trivia",
        version="v1",
        item_id=item_id,
        model_key=keys.model_key(MODEL),
        judge_key=keys.judge_key(JUDGE),
    )
    return dataclasses.replace(plain, **changes)


def judgment(name: object, verdict: Verdict | None = None) -> Judgment:
    return Judgment(
        key=key(name),
        judge_key=keys.judge_key(JUDGE),
        case_key=key(f"case of {name}"),
        verdict=verdict or Label(name="correct"),
        reply_keys=(key("first"), key("second")),
        served_model="judge-1-0613",
        at=12.25,
    )


def response(**changes: Any) -> Response:
    plain = Response(
        benchmark="trivia",
        version="v1",
        item_id="0",
        model_key=keys.model_key(MODEL),
        text="Ada",
        raw="<think>hm</think>Ada",
        reasoning="hm",
        prompt="Q: Who?\nA:",
        finish_reason="stop",
        usage=Usage(prompt_tokens=5, completion_tokens=2, reasoning_tokens=1),
        logprob=-0.25,
        source="lm_eval",
    )
    return dataclasses.replace(plain, **changes)


@pytest.mark.parametrize(
    "verdict",
    [
        Preference(winner=0, p_first=0.75),
        Preference(winner=1, p_first=0.0),
        Preference(winner=None, p_first=0.5),
        Score(value=7.5, low=1, high=10, parts={"fluency": 8.0}),
        Score(value=0.0, low=0.0, high=1.0),
        Score(value=-1e300, low=float("-inf"), high=float("inf")),
        Label(name="correct", p=0.9),
        Label(name="incorrect"),
        Unreadable(reason=f"no verdict in {ANYTHING!s}"),
    ],
)
def test_a_judgment_comes_back_as_it_was(store: Store, verdict: Verdict) -> None:
    put = judgment("x", verdict)
    store.put_judgment(put, [RunVerdict(run_id="run-1", place=place(), judgment_key=put.key)])
    assert store.judgment(put.key) == put
    assert store.current("trivia", "v1") == {place(): (put.key, verdict)}


def test_marks_come_back_in_their_order_whatever_they_are_called(store: Store) -> None:
    marks = ("imitates_prompt", "cut", ANYTHING, "a,b")
    put = dataclasses.replace(judgment("x"), marks=marks)
    store.put_judgment(put, [])
    assert store.judgment(put.key) == put


def test_an_undefined_score_comes_back_undefined(store: Store) -> None:
    store.put_judgment(judgment("x", Score(value=math.nan, low=-math.inf, high=math.inf)), [])
    kept = store.judgment(key("x"))
    assert kept is not None
    assert isinstance(kept.verdict, Score)
    assert math.isnan(kept.verdict.value)
    assert (kept.verdict.low, kept.verdict.high) == (-math.inf, math.inf)


def test_of_two_judgments_with_one_key_the_first_is_kept(store: Store) -> None:
    store.put_judgment(judgment("x", Label(name="correct")), [])
    store.put_judgment(judgment("x", Label(name="incorrect")), [])
    kept = store.judgment(key("x"))
    assert kept is not None
    assert kept.verdict == Label(name="correct")


def test_many_judgments_are_put_as_one_by_one(store: Store) -> None:
    many = [judgment(n, Score(value=n, low=0, high=9000)) for n in range(2500)]
    uses = [RunVerdict(run_id="run-1", place=place(str(m.key)), judgment_key=m.key) for m in many]
    store.put_judgment(many[0], [uses[0]])
    for _ in range(2):
        store.put_judgments(list(zip(many, uses, strict=True)))
    assert [store.judgment(m.key) for m in many[::500]] == many[::500]
    columns = store.verdicts(uses[0].place.benchmark)
    assert sorted(columns["value"]) == list(range(2500))


def test_judged_tells_the_known_keys_of_many(store: Store) -> None:
    with store.transaction():
        for number in range(0, 2500, 2):
            store.put_judgment(judgment(number), [])
    asked = [key(number) for number in range(2500)]
    assert store.judged(asked) == {key(number) for number in range(0, 2500, 2)}
    assert store.judged([]) == set()
    assert store.judgment(key(1)) is None


def test_a_reply_comes_back_as_it_was(store: Store) -> None:
    request = ChatRequest(
        provider="p", model="m", messages=(Message(role="user", content=ANYTHING),)
    )
    reply = Reply(
        text=ANYTHING,
        finish_reason="stop",
        reasoning="because",
        logprobs=(
            TokenLogprob(token="A", logprob=-0.5, top=(("A", -0.5), ("B", float("-inf")))),
            TokenLogprob(token="\ud800", logprob=-1.0),
        ),
        usage=Usage(prompt_tokens=3, cached_tokens=0, cache_write_tokens=2),
        served_model="m-0613",
        seconds=0.75,
        left_out=("seed", "top,k"),
    )
    store.put_reply(key("reply"), request, reply)
    assert store.reply(key("reply")) == reply
    store.put_reply(key("reply"), request, Reply(text="another answer to the same question"))
    assert store.reply(key("reply")) == reply
    assert store.reply(key("none")) is None


@pytest.mark.parametrize("scores", [(), (0.25, -3.0), (float("-inf"), float("inf"), 1e-300)])
def test_scores_come_back_as_they_were(store: Store, scores: tuple[float, ...]) -> None:
    request = ScoreRequest(provider="p", model="m", messages=(), candidates=("A", "B"))
    reply = Reply(text="", scores=scores)
    store.put_reply(key("scores"), request, reply)
    assert store.reply(key("scores")) == reply


def test_a_score_that_is_undefined_stays_so(store: Store) -> None:
    request = ScoreRequest(provider="p", model="m", messages=())
    store.put_reply(key("scores"), request, Reply(text="", scores=(math.nan, 1.0)))
    kept = store.reply(key("scores"))
    assert kept is not None
    assert kept.scores == pytest.approx((math.nan, 1.0), nan_ok=True)


@given(text=st.text(st.characters() | st.sampled_from("\0\ud800\udfff\ud83d\ude00"), max_size=40))
def test_any_text_comes_back_exactly(store: Store, text: str) -> None:
    request = ChatRequest(provider="p", model="m", messages=())
    reply_key = keys.content_key("test", {"t": text})
    store.put_reply(reply_key, request, Reply(text=text))
    kept = store.reply(reply_key)
    assert kept is not None
    assert kept.text == text


def test_empty_and_huge_answers_come_back(store: Store) -> None:
    huge = "x" * 3_000_000
    store.put_responses({key("e"): response(text="", raw="", status="empty", reasoning=None)})
    store.put_responses({key("h"): response(text=huge, raw=huge, item_id="1")})
    assert store.responses([key("e")])[key("e")][0].text == ""
    assert store.responses([key("h")])[key("h")][0].text == huge


def test_a_response_is_kept_once_for_each_stack_and_the_newest_comes_first(store: Store) -> None:
    imported = response()
    on_cpu = response(text="Ada.", stack=Runtime(backend="hf", versions={"torch": "2.6"}))
    on_gpu = response(text="Ada!", stack=Runtime(backend="vllm", dtype="bfloat16"))
    for one in (imported, on_cpu, on_gpu, on_cpu):
        store.put_responses({key("r"): one})
    store.put_responses({key("r"): response(text="too late", stack=on_cpu.stack)})
    assert store.responses([key("r"), key("other")]) == {key("r"): [on_gpu, on_cpu, imported]}


def test_one_response_to_a_question_asked_twice_stands_in_both_places(store: Store) -> None:
    store.put_responses({key("r"): response(item_id="0")})
    store.put_responses({key("r"): response(item_id="17")})
    assert [found.item_id for found in store.responses([key("r")])[key("r")]] == ["0"]
    table = store.responses_table("trivia")
    assert table["item_id"] == ["0", "17"]
    assert table["text"] == ["Ada", "Ada"]


def test_items_come_back_and_may_be_put_again(store: Store) -> None:
    two_turns = item(
        "1", turns=(*item().turns, Message(role="assistant", content="I")), prompt=None
    )
    store.put_items([item(), two_turns])
    store.put_items([two_turns, item()])
    assert store.items("trivia", "v1") == [item(), two_turns]
    assert store.items("trivia", "v2") == []


def test_many_items_come_back_in_their_order_and_a_changed_one_is_found(store: Store) -> None:
    many = [item(str(number)) for number in range(2500)]
    elsewhere = [item(str(number), version="v2") for number in range(0, 2500, 7)]
    mixed = [one for pair in zip(many, elsewhere, strict=False) for one in pair]
    store.put_items([*mixed, *many, *elsewhere])
    assert {found.id for found in store.items("trivia", "v1")} == {one.id for one in many}
    assert store.items("trivia", "v2") == elsewhere
    with pytest.raises(InputError, match="item '2400' of trivia@v1 differs"):
        store.put_items([*many[:2400], item("2400", references=())])


def test_what_is_remembered_of_a_store_is_bounded_and_stays_right(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "MOST", 7)
    for number in range(50):
        put = judgment(number, Label(name=f"label {number % 9}"))
        use = RunVerdict(run_id="run-1", place=place(str(number % 25)), judgment_key=put.key)
        store.put_judgment(put, [use])
        assert len(store._numbers) <= 7
    found = store.verdicts("trivia")
    told = dict(zip(found["item_id"], found["label"], strict=True))
    assert told == {str(number - 25): f"label {number % 9}" for number in range(25, 50)}


@pytest.mark.parametrize(
    "change",
    [
        {"turns": (Message(role="user", content="Whom?"),)},
        {"references": ("Ada",)},
        {"category": None},
    ],
)
def test_an_item_whose_question_changed_is_refused(store: Store, change: dict[str, Any]) -> None:
    store.put_items([item()])
    with pytest.raises(InputError, match="item '0' of trivia@v1 differs"):
        store.put_items([item("5"), item("0", **change)])
    assert store.items("trivia", "v1") == [item()]  # nothing of the refused call was kept
    store.put_items([item("0", **{"version": "v2", **change})])


def test_the_prompt_and_metadata_of_an_item_may_change(store: Store) -> None:
    store.put_items([item()])
    store.put_items([item(prompt=None, metadata={})])
    assert store.items("trivia", "v1") == [item(prompt=None, metadata={})]


def test_an_item_known_by_its_id_alone_is_filled_in_later(store: Store) -> None:
    store.put_judgment(
        judgment("x"), [RunVerdict(run_id="run-1", place=place(), judgment_key=key("x"))]
    )
    assert [found.turns for found in store.items("trivia", "v1")] == [()]
    bare = Item(benchmark="trivia", version="v1", id="0", turns=())
    store.put_items([bare])
    store.put_items([item()])
    store.put_items([bare])
    assert store.items("trivia", "v1") == [item()]


def test_names_and_tags_are_labels_and_the_newest_counts(store: Store) -> None:
    model = store.put_model("step-100", MODEL, {"algorithm": "dpo"})
    store.put_model("final", MODEL, {"algorithm": "dpo", "step": "100"})
    other = store.put_model("final", ModelSpec(weights="other"))
    assert model == keys.model_key(MODEL) != other
    known = {found.key: found for found in store.models()}
    assert known[model].name == "final"
    assert known[model].names == ("final", "step-100", "base")
    assert known[model].tags == {"algorithm": "dpo", "step": "100"}
    assert known[model].spec == MODEL
    assert known[model].id == model.hex()[:12]
    assert known[other].name == "final"
    store.put_model("base", MODEL)
    assert {found.key: found for found in store.models()}[model].name == "base"
    judge = store.put_judge("renamed", JUDGE)
    assert [(found.key, found.name, found.spec) for found in store.judges()] == [
        (judge, "renamed", JUDGE)
    ]


@pytest.mark.parametrize("name", ["half \ud800", "nul \0"])
def test_a_name_no_database_can_hold_is_refused(store: Store, name: str) -> None:
    with pytest.raises(InputError, match="NUL character or half a surrogate pair"):
        store.put_model(name, MODEL)
    with pytest.raises(InputError, match="the item id"):
        store.put_items([item(name)])


def test_a_failure_is_replaced_adds_up_and_is_cleared_by_success(store: Store) -> None:
    for key_of, where in (("x", place()), ("r", place(judge_key=b"")), ("lost", None)):
        failure = Failure(
            key=key(key_of),
            boundary="provider",
            message="503 " + ANYTHING,
            retriable=True,
            attempts=3,
            place=where,
        )
        store.put_failure(failure)
    again = Failure(
        key=key("x"), boundary="reader", message="no", retriable=False, attempts=2, place=place(),
        kind="reader",
    )  # fmt: skip
    store.put_failure(again)
    told = store.failures("trivia")
    assert sorted(zip(told["message"], told["attempts"], told["retriable"], strict=True)) == [
        ("503 " + ANYTHING, 3, True),
        ("no", 5, False),
    ]
    assert sorted(told["kind"]) == ["other", "reader"]
    assert sorted(told["judge"], key=str) == [None, "strict"]
    assert len(store.failures()["message"]) == 3
    store.put_judgment(judgment("x"), [])
    store.put_responses({key("r"): response()})
    assert store.failures("trivia")["message"] == []
    assert store.failures()["item_id"] == store.failures()["repeat"] == [None]


def test_a_failure_is_kept_for_each_place_and_cleared_for_all(store: Store) -> None:
    """Equal answers are one question; where it fails, it is missing in all their places."""
    other = store.put_model("other", dataclasses.replace(MODEL, weights="other"))
    places = (place(), place(model_key=other), place(sample=1), place(repeat=1))
    for where in (*places, places[0]):
        store.put_failure(
            Failure(key=key("x"), boundary="provider", message="503", retriable=True, place=where)
        )
    told = store.failures("trivia")
    models = zip(told["model_id"], told["sample"], told["repeat"], told["attempts"], strict=True)
    model = places[0].model_key.hex()[:12]
    assert sorted(models) == sorted(
        [(model, 0, 0, 2), (other.hex()[:12], 0, 0, 1), (model, 1, 0, 1), (model, 0, 1, 1)]
    )
    store.put_judgment(judgment("x"), [])
    assert store.failures()["message"] == []


def test_a_use_needs_its_judgment_model_judge_and_run(store: Store) -> None:
    use = RunVerdict(run_id="run-1", place=place(), judgment_key=key("x"))
    with pytest.raises(StoreError, match=r"no judgment .* put_judgment\(\) must come before"):
        store.put_uses([use])
    unknown = [
        (dataclasses.replace(use, run_id="run-2"), "no run 'run-2'"),
        (dataclasses.replace(use, place=place(model_key=key("m"))), "no model"),
        (dataclasses.replace(use, place=place(judge_key=key("j"))), "no judge"),
    ]
    for wrong, message in unknown:
        with pytest.raises(StoreError, match=message):
            store.put_judgment(judgment("x"), [wrong])
        assert store.judgment(key("x")) is None  # the judgment went with its use
    store.put_judgment(judgment("x"), [])
    store.put_uses([use])
    store.put_uses([use])
    assert len(store.verdicts("trivia")["label"]) == 1


def test_runs_come_back_in_their_order(store: Store) -> None:
    store.start_run(manifest("run-2"))
    done = dataclasses.replace(manifest(), state="done", ended=2000.0, counts={"judged": 3})
    store.update_run(done)
    assert store.runs() == [done, manifest("run-2")]
    assert store.run("run-1") == done
    assert store.run("run-3") is None
    with pytest.raises(StoreError, match="was started before"):
        store.start_run(manifest())
    with pytest.raises(StoreError, match="no run 'run-3'"):
        store.update_run(manifest("run-3"))


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.put_items([item()])
        store.put_judge("new", JudgeSpec(kind="lexical"))
        raise ZeroDivisionError
    assert store.items("trivia", "v1") == []
    assert [judge.name for judge in store.judges()] == ["strict"]
    with store.transaction():
        store.put_items([item()])
        store.put_judgment(
            judgment("x"), [RunVerdict(run_id="run-1", place=place(), judgment_key=key("x"))]
        )
        assert store.judged([key("x")]) == {key("x")}  # a transaction sees what it wrote
    assert store.items("trivia", "v1") == [item()]


def test_a_failed_put_spoils_its_transaction_even_when_caught(store: Store) -> None:
    def import_carelessly() -> None:
        with store.transaction():
            store.put_items([item()])
            with pytest.raises(InputError):
                store.put_items([item("1"), item(references=())])

    with pytest.raises(StoreError, match="nothing was stored"):
        import_carelessly()
    assert store.items("trivia", "v1") == []


def test_transactions_do_not_nest(store: Store) -> None:
    with pytest.raises(StoreError, match="do not nest"), store.transaction(), store.transaction():
        pass
    store.put_items([item()])
    assert store.items("trivia", "v1") == [item()]


def test_a_read_only_store_reads_and_refuses_to_write(store: Store) -> None:
    store.put_judgment(
        judgment("x"), [RunVerdict(run_id="run-1", place=place(), judgment_key=key("x"))]
    )
    with open_store(store.url, read_only=True) as reader:
        assert reader.verdicts("trivia") == store.verdicts("trivia")
        store.put_judgment(
            judgment("y"), [RunVerdict(run_id="run-1", place=place("1"), judgment_key=key("y"))]
        )
        assert reader.judged([key("y")]) == {key("y")}
        with pytest.raises(StoreError, match="opened for reading only"):
            reader.put_judgment(judgment("z"), [])
