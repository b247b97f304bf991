"""Everything a store has of one item, and nothing of another."""

from __future__ import annotations

import pytest

from judgebench.records import Item, Label, ModelSpec, Preference, RunVerdict, Score, Unreadable
from judgebench.store.opening import open_store
from judgebench.store.read import ItemHistory
from tests.dashboards import item_stores

BENCHMARK, VERSION, NOON = item_stores.BENCHMARK, item_stores.VERSION, item_stores.NOON


@pytest.fixture
def url(store_url: str) -> str:
    return item_stores.fill(store_url)


def history(url: str, item: str = "0") -> ItemHistory:
    with open_store(url, read_only=True) as store:
        found = store.item_history(BENCHMARK, VERSION, item)
    assert found is not None
    return found


def test_every_answer_is_told_with_its_stack_and_whether_it_is_the_newest(url: str) -> None:
    told = history(url).answers
    with open_store(url, read_only=True) as store:
        texts = store.answer_texts([answer.number for answer in told])
    rows = [
        (a.model.name, a.sample, a.newest, a.stack and a.stack.backend, texts[a.number].text)
        for a in told
    ]
    assert rows == [
        ("careful", 0, True, "vllm", "It is the Danube, as before."),
        ("careful", 0, False, None, "The Danube flows through it."),
        ("careful", 1, True, None, "The second sample says 多瑙河流经这里。"),
        ("hasty", 0, True, None, "Rhine"),
    ]
    assert texts[told[1].number].reasoning == "It is the Danube."


def test_every_verdict_is_told_the_newest_first_and_which_of_them_count(url: str) -> None:
    told = history(url).verdicts
    assert [(v.judge.name, v.model.name, v.repeat and 1, v.verdict, v.counts) for v in told] == [
        ("rubric", "hasty", 1, Score(value=9, low=1, high=10), False),
        ("rubric", "hasty", 0, Score(value=3, low=1, high=10, parts={"tone": 5}), True),
        ("gpt", "careful", 0, Preference(winner=1, p_first=0.1), True),
        ("gpt", "careful", 0, Preference(winner=0, p_first=0.83), True),
        ("human/a", "hasty", 0, Label(name="incorrect"), True),
        ("rubric", "careful", 0, Unreadable(reason="no verdict"), True),
        ("rubric", "hasty", 1, Score(value=4, low=1, high=10), True),
        ("rubric", "hasty", 0, Score(value=2, low=1, high=10), False),
    ]
    assert [v.afresh for v in told] == [True] + 7 * [False]
    assert [v.order for v in told[2:4]] == ["opponent_first", "model_first"]
    assert {v.opponent and v.opponent.name for v in told[2:4]} == {"hasty"}
    assert told[5].marks == ("addresses_judge",)
    assert told[4].marks is None, "nobody looks for marks where people judge"
    assert told[1].runs == ("second",)


def test_the_reasoning_of_a_verdict_is_what_its_replies_say(url: str) -> None:
    told = history(url).verdicts[3]
    with open_store(url, read_only=True) as store:
        (reply,) = store.calls(told.reply_keys).values()
    assert (reply.reply, reply.reasoning) == (
        "The first answer names the river. [[A]]", "The first is longer.",
    )  # fmt: skip


def test_a_judgment_that_serves_two_runs_is_told_once(url: str) -> None:
    with open_store(url) as store, store.transaction():
        model = store.put_model("careful", ModelSpec(weights="name:careful"))
        judge = next(judge.key for judge in store.judges() if judge.name == "rubric")
        here = item_stores.place(model, judge, "0")
        key = store.current(BENCHMARK, VERSION)[here][0]
        store.put_uses([RunVerdict(run_id="second", place=here, judgment_key=key)])
    told = [v for v in history(url).verdicts if isinstance(v.verdict, Unreadable)]
    assert [v.runs for v in told] == [("first", "second")]


def test_the_item_is_whole_and_items_around_it_are_known(url: str) -> None:
    assert history(url).item == item_stores.questions(1)[0]
    around = [(history(url, item).before, history(url, item).after) for item in "01"]
    assert around == [(None, "1"), ("0", "2")]
    with open_store(url, read_only=True) as store:
        assert store.item_categories(None, None) == ["capitals", "rivers"]
        assert store.item_categories("another", None) == []


def test_an_item_that_nobody_knows_has_no_history(url: str) -> None:
    with open_store(url, read_only=True) as store:
        assert store.item_history(BENCHMARK, VERSION, "none") is None
        assert store.item_history(BENCHMARK, "v0", "0") is None


def test_an_item_known_by_its_id_alone_has_no_turns(url: str) -> None:
    with open_store(url) as store:
        store.put_items([Item(benchmark=BENCHMARK, version=VERSION, id="bare", turns=())])
    bare = history(url, "bare")
    assert (bare.item.turns, bare.answers, bare.verdicts) == ((), [], [])
