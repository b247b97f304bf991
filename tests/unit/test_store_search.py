"""Words are found wherever they stand, whatever they are made of, and nothing else is."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from judgebench.errors import StoreError
from judgebench.labels import put_label
from judgebench.records import (
    Item,
    JudgeSpec,
    Label,
    Message,
    ModelSpec,
    RunVerdict,
    Score,
    VerdictSlot,
)
from judgebench.store.opening import open_store
from judgebench.store.search import (
    SEARCHED_CHARS,
    Coverage,
    Filters,
    Found,
    Hit,
    Index,
    Words,
    _hits,
    count,
    index_of,
    index_path,
    make_index,
    search,
)
from tests.dashboards import item_stores, stores
from tests.postgres import Server
from tests.table import over_rows
from tests.unit.hostile import HOSTILE

LONG_ENOUGH_S = 60.0


@pytest.fixture
def url(store_url: str) -> str:
    return item_stores.fill(store_url)


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """Of a store in the file ``s.db``."""
    return item_stores.fill(tmp_path / "s.db")


def looked(url: str, words: str, filters: Filters | None = None, **more: object) -> Found:
    with open_store(url, read_only=True) as store:
        return search(store, words, filters, **{"for_s": LONG_ENOUGH_S, **more})  # type: ignore[arg-type]


def test_a_judgment_without_a_text_is_no_end_of_the_index(store_url: str) -> None:
    judge = JudgeSpec(kind="human")
    with open_store(store_url) as store:
        place = VerdictSlot(
            benchmark="b", version="1", item_id="1",
            model_key=store.put_model("m", ModelSpec(weights="m")),
            judge_key=store.put_judge("human/ann", judge),
        )  # fmt: skip
        put_label(store, "human/ann", place, Label(name="good"))
        assert make_index(store, LONG_ENOUGH_S).complete


def places(found: Found) -> list[tuple[str, str]]:
    return [(hit.kind, hit.item_id) for hit in found.hits]


def everything(url: str, words: str, filters: Filters | None = None, *, limit: int) -> list[Hit]:
    hits: list[Hit] = []
    begin = None
    while True:
        found = looked(url, words, filters, begin=begin, limit=limit)
        hits += found.hits
        begin = found.then
        if begin is None:
            return hits


def test_questions_answers_and_reasoning_are_found_in_this_order(url: str) -> None:
    found = looked(url, "river")
    assert places(found) == [*(("question", str(i)) for i in range(3)), ("reasoning", "0")]
    assert found.then is None
    reasoning = found.hits[-1]
    with open_store(url, read_only=True) as store:
        models = {model.id: model.name for model in store.models()}
        judges = {judge.id: judge.name for judge in store.judges()}
    assert (models[reasoning.model or ""], judges[reasoning.judge or ""]) == ("careful", "gpt")
    assert models[reasoning.opponent or ""] == "hasty"
    assert reasoning.order == "model_first"


def test_what_a_judge_thought_and_why_it_is_unreadable_are_searched(url: str) -> None:
    assert places(looked(url, '"first is longer"')) == [("reasoning", "0")]
    assert places(looked(url, '"no verdict"')) == [("reasoning", "0")]


def test_every_word_must_occur_in_any_order_and_case(url: str) -> None:
    assert places(looked(url, "RIVER names first")) == [("reasoning", "0")]
    assert looked(url, '"names river"').hits == []
    assert looked(url, "river sea").hits == []


def test_the_snippet_is_what_stands_around_the_word_on_one_line(url: str) -> None:
    (hit,) = looked(url, "names").hits
    assert hit.snippet == (
        "The first is longer. ¶ The first answer ", "names", " the river. [[A]]",
    )  # fmt: skip
    text = "x" * 500 + "\n\nthe Word\t" + "y" * 500
    before, word, behind = Words("word").snippet(text)
    assert (before, word, behind) == (
        "… " + "x" * 54 + " ¶ the ", "Word", " " + "y" * 159 + " …",
    )  # fmt: skip


@over_rows("words", ["多瑙河", "瑙河", "河", "多瑙河流经这里。", "里。", "。", "多瑙 sample"])
def test_chinese_is_found_by_words_of_any_length(url: str, words: str) -> None:
    assert ("answer", "0") in places(looked(url, words))


def test_short_words_are_found_at_the_end_of_a_text_and_in_any_case(url: str) -> None:
    assert len(looked(url, "NE", Filters(kinds=("answer",))).hits) == 1  # Rhine
    assert looked(url, "qx").hits == []


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def hostile(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Answers that hold everything that could be part of a query language."""
    if request.param == "sqlite":
        yield filled_with_hostile(f"sqlite:///{tmp_path_factory.mktemp('hostile') / 's.db'}")
        return
    server: Server = request.getfixturevalue("postgres")
    with server.database("store") as name:
        yield filled_with_hostile(server.url(name))


def filled_with_hostile(url: str) -> str:
    with open_store(url) as store, store.transaction():
        model = store.put_model("m", ModelSpec(weights="name:m"))
        store.put_items(stores.items(len(HOSTILE)))
        for number, text in enumerate(HOSTILE):
            store.put_responses(dict([item_stores.answer(model, str(number), text)]))
    looked(url, "")
    return url


@over_rows(
    "words",
    ['"', '""', '"a', "*", "a*", "%", "_", "100%", "(", "NOT", "NEAR(a b)", "a AND", "OR", "-",
     "^x", "body:", "\0", "\ud800", "'", "--", ";", "😀", "👩‍👩‍👧‍👦",
     "\u202e", "{0}", "\\", "a" * 300],
)  # fmt: skip
def test_no_words_are_a_query_language(hostile: str, words: str) -> None:
    found = {hit.item_id for hit in everything(hostile, words, limit=50) if hit.kind == "answer"}
    asked = Words(words)
    there = {
        str(i) for i, text in enumerate(HOSTILE)
        if asked.occur_in(text.replace("\0", "�").replace("\ud800", "�"))
    }  # fmt: skip
    assert found == there


@given(data=st.data())
def test_every_part_of_an_answer_finds_it(hostile: str, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(HOSTILE) - 1))
    text = HOSTILE[number]
    start = data.draw(st.integers(0, len(text) - 1))
    part = text[start : start + data.draw(st.integers(1, 12))].strip()
    assume('"' not in part)
    hits = everything(hostile, f'"{part}"' if part else "", limit=200)
    assert any(hit.kind == "answer" and hit.item_id == str(number) for hit in hits)


@given(words=st.text(max_size=20))
def test_any_words_are_answered(hostile: str, words: str) -> None:
    for hit in looked(hostile, words).hits:
        assert "\n" not in "".join(hit.snippet)


def test_filters_leave_what_they_say(url: str) -> None:
    with open_store(url, read_only=True) as store:
        models = {model.name: model.id for model in store.models()}
        judges = {judge.name: judge.id for judge in store.judges()}
    assert {hit.item_id for hit in looked(url, "", Filters(category="capitals")).hits} == {"1"}
    of_hasty = looked(url, "", Filters(model=models["hasty"])).hits
    assert {hit.kind for hit in of_hasty} == {"answer", "reasoning"}
    assert {hit.model for hit in of_hasty} == {models["hasty"]}
    by_gpt = looked(url, "", Filters(judge=judges["gpt"])).hits
    assert [hit.order for hit in by_gpt] == ["opponent_first", "model_first"]
    assert len(looked(url, "", Filters(verdict="unreadable")).hits) == 1
    (marked,) = looked(url, "", Filters(mark="addresses_judge")).hits
    assert marked.snippet[2] == "I cannot say. ¶ no verdict"
    assert looked(url, "", Filters(mark="hidden_text")).hits == []
    assert looked(url, "", Filters(benchmark="another")).hits == []
    assert looked(url, "Danube", Filters(kinds=("answer",), version=item_stores.VERSION)).hits
    assert looked(url, "", Filters(kinds=("question",), judge=judges["gpt"])).hits == []


def test_pages_hold_everything_once(url: str) -> None:
    whole = looked(url, "", limit=1000).hits
    assert len(whole) == 3 + 6 + 7
    for limit in (1, 2, 5):
        assert everything(url, "", limit=limit) == whole


def test_a_page_that_takes_too_long_says_where_to_go_on(url: str) -> None:
    whole = looked(url, "river").hits
    hits: list[Hit] = []
    begin = None
    for _ in range(20):
        with open_store(url, read_only=True) as store:
            found = search(store, "river", begin=begin, for_s=0)
        hits += found.hits
        begin = found.then
        if begin is None:
            break
    assert hits == whole


def test_no_texts_are_begun_that_would_take_longer_than_is_left(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked(url, "")
    now = [0.0]

    def slow(*asked: Any) -> list[Hit]:
        now[0] += 0.4
        return _hits(*asked)

    for name, value in (
        ("_FIRST_BATCH", 1), ("_LARGEST_BATCH", 1), ("_hits", slow),
        ("time", SimpleNamespace(monotonic=lambda: now[0])),
    ):  # fmt: skip
        monkeypatch.setattr(f"judgebench.store.search.{name}", value)
    found = looked(url, "", for_s=1.0)
    assert now == [0.8]
    assert found.then is not None


def test_what_is_written_later_is_found_and_the_store_is_not_written(
    file_url: str, tmp_path: Path
) -> None:
    looked(file_url, "")
    with open_store(file_url) as store, store.transaction():
        model = store.put_model("late", ModelSpec(weights="name:late"))
        store.put_responses(dict([item_stores.answer(model, "2", "Mississippi")]))
        judge = store.put_judge("rubric", JudgeSpec(kind="rubric", model="gpt"))
        item_stores.judge(
            store,
            "second",
            judge,
            model,
            "2",
            Score(value=1, low=1, high=10),
            "not the Mississippi",
        )
    before = (tmp_path / "s.db").read_bytes()
    assert places(looked(file_url, "Mississippi")) == [("answer", "2"), ("reasoning", "2")]
    assert (tmp_path / "s.db").read_bytes() == before


def test_a_verdict_that_serves_a_second_place_later_is_told_with_both(url: str) -> None:
    looked(url, "")
    with open_store(url) as store, store.transaction():
        twin = store.put_model("twin", ModelSpec(weights="name:twin"))
        judge = store.put_judge("rubric", JudgeSpec(kind="rubric", model="gpt"))
        key = item_stores.judge(
            store, "second", judge, twin, "2", Score(value=1, low=1, high=10), "said of two"
        )
        place = item_stores.place(twin, judge, "1")
        store.put_uses([RunVerdict(run_id="second", place=place, judgment_key=key)])
    (hit,) = looked(url, '"said of two"').hits
    assert hit.places == 2


def test_a_question_that_comes_after_its_id_is_found(store_url: str) -> None:
    bare = [Item(benchmark="b", version="1", id=str(i), turns=()) for i in range(2)]
    with open_store(store_url) as store:
        store.put_items([bare[0]])
        store.put_items(item_stores.questions(1))
    assert len(looked(store_url, "").hits) == 1
    asked = Message(role="user", content="Where is Ulm?")
    with open_store(store_url) as store:
        store.put_items([Item(benchmark="b", version="1", id="0", turns=(asked,))])
    assert places(looked(store_url, "Ulm")) == [("question", "0")]


def test_only_the_beginning_of_a_very_long_text_is_searched(store_url: str) -> None:
    text = "needle " + "hay " * SEARCHED_CHARS + "pin"
    with open_store(store_url) as store, store.transaction():
        model = store.put_model("m", ModelSpec(weights="name:m"))
        store.put_items(stores.items(1))
        store.put_responses(dict([item_stores.answer(model, "0", text)]))
    assert len(looked(store_url, "needle").hits) == 1
    assert looked(store_url, "pin").hits == []


def test_a_store_that_was_replaced_gets_an_index_of_its_own(file_url: str, tmp_path: Path) -> None:
    assert looked(file_url, "careful").hits == []
    looked(file_url, "")
    other = stores.fill_with(tmp_path / "other.db", {"m": {"judge": stores.labels("+-")}})
    with open_store(other) as store, store.transaction():
        model = store.put_model("m", ModelSpec(weights="name:m"))
        for i in range(2):
            store.put_responses(dict([item_stores.answer(model, str(i), f"another {i}")]))
    shutil.copy(tmp_path / "other.db", tmp_path / "s.db")
    assert looked(file_url, "Danube").hits == []
    assert len(looked(file_url, "another").hits) == 2


@pytest.mark.parametrize("damage", ["no database", "of another program", "of another form"])
def test_an_index_that_cannot_be_used_is_made_anew(
    file_url: str, damage: str, tmp_path: Path
) -> None:
    index = index_path(tmp_path / "s.db")
    if damage == "no database":
        index.write_bytes(b"something else, and long enough to be looked at" * 40)
    else:
        with sqlite3.connect(index) as connection:
            connection.execute("CREATE TABLE t (x)")
            connection.execute("PRAGMA user_version = 999")
        connection.close()
    assert len(looked(file_url, "river").hits) == 4


def test_damage_that_shows_later_is_said_and_mended_by_asking_again(
    file_url: str, tmp_path: Path
) -> None:
    looked(file_url, "")
    index = index_path(tmp_path / "s.db")
    content = bytearray(index.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    index.write_bytes(bytes(content))
    with pytest.raises(StoreError, match="damaged and has been removed; search again"):
        looked(file_url, "river")
    assert len(looked(file_url, "river").hits) == 4


def test_where_nothing_can_be_written_the_index_is_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("os.access", lambda *_: False)
    place = index_path(tmp_path / "s.db")
    assert place.is_relative_to(tmp_path / "cache")
    assert place != index_path(tmp_path / "another.db")


def test_while_another_process_indexes_what_is_there_is_searched(
    file_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked(file_url, "")
    with open_store(file_url) as store:
        store.put_items(item_stores.questions(4))
    holder = sqlite3.connect(index_path(tmp_path / "s.db"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        found = looked(file_url, "river")
        assert not found.coverage.complete
        assert (found.coverage.indexed, found.coverage.rows) == (3 + 6 + 8, 4 + 6 + 8)
        assert len(found.hits) == 5, "what is new is looked through, if it is not much"
        monkeypatch.setattr("judgebench.store.search._LAG", -1)
        assert len(looked(file_url, "river").hits) == 4
    finally:
        holder.close()
    monkeypatch.undo()
    assert len(looked(file_url, "river").hits) == 5


def test_who_searches_goes_before_an_index_that_lacks_many(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_SOON", 15), ("_LATER_S", 0.2)):
        monkeypatch.setattr(f"judgebench.store.search.{name}", value)
    found = looked(url, "river")
    assert found.coverage.indexed == 0 < found.coverage.rows
    assert len(found.hits) == 4
    with open_store(url) as store:
        assert make_index(store, LONG_ENOUGH_S).complete
    assert looked(url, "river").hits == found.hits


def test_what_comes_into_the_index_meanwhile_is_found_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(url) as store:
        assert make_index(store, LONG_ENOUGH_S).complete
        with store.transaction():
            store.put_items(item_stores.questions(9)[-4:])
    found = looked(url, "river").hits

    def made(index: Index, *_: object) -> Coverage:
        with index.store.snapshot() as connection:
            coverage = index.look(connection)
        with open_store(url) as store, index_of(store) as others:
            while others.grow():
                pass
        return coverage

    with open_store(url) as store, store.transaction():
        model = store.put_model("m", ModelSpec(weights="name:m"))
        store.put_items(item_stores.questions(12)[-3:])
        store.put_responses(dict(item_stores.answer(model, str(n), "a river") for n in range(3)))
    monkeypatch.setattr("judgebench.store.search._made", made)
    now = looked(url, "river").hits
    assert len(now) == len(found) + 6 == len({(hit.kind, hit.number) for hit in now})


def test_the_index_goes_on_in_portions(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judgebench.store.search._PORTION_S", 0.0)
    with open_store(url) as store, index_of(store) as index:
        assert index.grow()
        with store.snapshot() as connection:
            assert index.look(connection).indexed == 0
        monkeypatch.setattr("judgebench.store.search._PORTION_S", LONG_ENOUGH_S)
        assert index.grow()
        assert not index.grow()
        with store.snapshot() as connection:
            coverage = index.look(connection)
    assert coverage.complete
    assert coverage.indexed == coverage.rows


# many texts ---------------------------------------------------------------------------------------


MANY = 240


def many(url: str) -> str:
    """Words that stand in every text, in the oldest ones, in a few and in one."""
    with open_store(url) as store, store.transaction():
        model = store.put_model("m", ModelSpec(weights="name:m"))
        store.put_items(stores.items(MANY))
        for n in range(MANY):
            said = ["always", "oldest" * (n < MANY // 2), "seldom" * (n % 60 == 7), f"no{n}no 模型"]
            store.put_responses(dict([item_stores.answer(model, str(n), " ".join(said))]))
    return url


def test_what_is_frequent_old_or_rare_is_found_a_page_at_a_time(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a server, by blocks of texts from the newest on, of which a few are asked for by name."""
    url = many(store_url)
    small = {
        "_FIRST_BATCH": 2, "_LARGEST_BATCH": 8, "_MOST_MATCHES": 20, "_MOST_LEFT": 100, "_BLOCK": 3,
        "_BLOCKS": "ARRAY[number >> 3]", "_FEW_BLOCKS": 8,
    }  # fmt: skip
    for name, value in small.items():
        monkeypatch.setattr(f"judgebench.store.search.{name}", value)
    with open_store(url) as store, store.transaction():  # whose answers are few, and the newest
        other = store.put_model("other", ModelSpec(weights="name:other"))
        store.put_responses(
            dict(item_stores.answer(other, str(n), f"always of {n % 7}seven") for n in range(50))
        )
        first, second = store.models()
    newest = list(reversed(range(MANY)))
    for words, there in (
        ("always", newest),
        ("oldest", [n for n in newest if n < MANY // 2]),
        ("SELDOM", [n for n in newest if n % 60 == 7]),
        ("no11no", [11]),
        ("模型", newest),
        ("模型 seldom", [n for n in newest if n % 60 == 7]),
        ("型模", []),
        ("nowhere", []),
    ):
        answers = Filters(kinds=("answer",), model=first.id)
        found = everything(url, words, answers, limit=25)
        assert [int(hit.item_id) for hit in found] == there
        assert looked(url, words, answers).by_index
    for words, there in (("always", newest[-50:]), ("3seven", [*range(45, 0, -7)]), ("oldest", [])):
        found = everything(url, words, Filters(kinds=("answer",), model=second.id), limit=25)
        assert [int(hit.item_id) for hit in found] == there
    assert len(everything(url, "always", Filters(kinds=("answer",)), limit=25)) == MANY + 50


def test_what_no_index_holds_is_looked_for_as_long_as_the_time_lasts(store_url: str) -> None:
    url = many(store_url)
    looked(url, "")
    with open_store(url, read_only=True) as store:
        found = search(store, "7", Filters(kinds=("answer",)), limit=MANY, for_s=0)
        assert not found.by_index
        assert 0 < found.looked_at < MANY
        assert found.then is not None
        rest = search(store, "7", begin=found.then, limit=MANY, for_s=LONG_ENOUGH_S)
    assert not rest.by_index
    assert len(found.hits) + len(rest.hits) == sum("7" in str(n) for n in range(MANY))


def test_hits_are_counted_up_to_a_number(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = many(store_url)
    looked(url, "")
    with open_store(url, read_only=True) as store:
        assert count(store, "seldom", for_s=LONG_ENOUGH_S) == (4, True)
        monkeypatch.setattr("judgebench.store.search.MOST_COUNTED", 50)
        assert count(store, "always", for_s=LONG_ENOUGH_S) == (50, False)


INDEXING = """
import sys
from judgebench.store import search
from judgebench.store.opening import open_store
search._PORTION, search._PORTION_S = 1, 0.0005
with open_store(sys.argv[1]) as store, search.index_of(store) as index:
    while index.grow():
        print(".", flush=True)
"""


def test_an_index_whose_builder_is_killed_has_every_text_once(store_url: str) -> None:
    url = many(store_url)
    for portions in (1, 20):
        with subprocess.Popen(
            [sys.executable, "-c", INDEXING, url], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for _ in range(portions):
                assert process.stdout.readline() == ".\n"
            process.kill()
    with open_store(url, read_only=True) as store:
        assert make_index(store, LONG_ENOUGH_S).complete
        with index_of(store) as index, store.snapshot() as connection:
            assert index.look(connection).complete
            for word in ("always", "模型"):
                ask = index.pages(connection, "answer", Words(word))
                assert ask is not None
                numbers, beyond = ask(2**62, 10_000)
                assert beyond is None
                assert len(numbers) == len(set(numbers)) == MANY


def test_one_process_at_a_time_makes_the_index(url: str) -> None:
    with (
        open_store(url) as first, open_store(url) as second,
        index_of(first) as one, index_of(second) as other,
        one._portion() as connection,
    ):  # fmt: skip
        assert connection is not None
        with pytest.raises(StoreError, match=r"database is locked|could not obtain lock"):
            other.grow()
        assert not looked(url, "river", for_s=1.0).coverage.complete
    assert looked(url, "river").coverage.complete


# on a server --------------------------------------------------------------------------------------


@pytest.fixture
def on_server(postgres: Server) -> Iterator[str]:
    with postgres.database("store") as name:
        yield item_stores.fill(postgres.url(name))


def test_who_may_only_read_searches_and_is_told_who_makes_the_index(
    on_server: str, postgres: Server
) -> None:
    name = on_server.rpartition("/")[2]
    reader = on_server.replace("judge@", "only_reads@")
    with postgres.administrator(name) as connection:
        connection.execute("CREATE ROLE only_reads LOGIN")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO only_reads")
    try:
        found = looked(reader, "river")
        assert len(found.hits) == 4
        assert not found.by_index
        assert not found.coverage.complete
        assert "whoever owns the store's tables" in found.coverage.why
        made = looked(reader, "river", maker=on_server)
        assert (made.by_index, made.coverage.complete, made.coverage.why) == (True, True, "")
        assert looked(reader, "river").hits == made.hits == found.hits
    finally:
        with postgres.administrator(name) as connection:
            connection.execute("DROP OWNED BY only_reads")
            connection.execute("DROP ROLE only_reads")


def test_who_may_read_the_store_alone_is_told_what_lets_them_read_its_index(
    on_server: str, postgres: Server
) -> None:
    name = on_server.rpartition("/")[2]
    indexed = looked(on_server, "river")
    with postgres.administrator(name) as connection:
        connection.execute('CREATE ROLE "came later" LOGIN')
        tables = "texts items benchmarks responses answers judgments replies uses models judges"
        more = "meta runs stacks names alembic_version"
        for table in f"{tables} {more}".split():
            connection.execute(f'GRANT SELECT ON {table} TO "came later"')
    try:
        late = on_server.replace("judge@", "came%20later@")
        found = looked(late, "river", maker=on_server)
        assert not found.by_index
        assert found.hits == indexed.hits
        said, _, command = found.coverage.why.partition(" with ")
        assert said == "cannot be read by this user; its owner changes that"
        with postgres.administrator(name) as connection:
            connection.execute(command)
        found = looked(late, "river")
        assert (found.by_index, found.coverage) == (True, indexed.coverage)
    finally:
        with postgres.administrator(name) as connection:
            connection.execute('DROP OWNED BY "came later"')
            connection.execute('DROP ROLE "came later"')


def test_texts_that_are_forgotten_go_from_the_index_as_well(on_server: str) -> None:
    looked(on_server, "")
    with open_store(on_server) as store:
        (judge,) = (one for one in store.judges() if one.name == "gpt")
        store.forget(judges=(judge.key,))
        with store.snapshot() as connection:
            left = connection.exec_driver_sql("SELECT body FROM search_reasoning").scalars().all()
    assert left
    assert not any("first is longer" in body for body in left)
