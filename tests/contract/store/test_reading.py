"""Reads that a server breaks off, what counts as the newest, and queries by paths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text, update

from judgebench.errors import StoreError, StoreGoneError
from judgebench.keys import stack_key
from judgebench.records import Item, Message, ModelSpec, Response, Runtime
from judgebench.store import catalog, schema
from judgebench.store.catalog import MOST_TRIES, read, row, rows, values
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.dashboards import item_stores
from tests.postgres import Server, beside

ODD = "half \ud800 a pair"
THIS, THAT = Runtime(backend="this"), Runtime(backend="that")


def item(number: int, **more: Any) -> Item:
    asked = (Message(role="user", content=f"question {number}"),)
    return Item(benchmark="b", version="1", id=str(number), turns=asked, **more)


def response(model: bytes, text: str, *, number: int = 0, stack: Runtime | None = None) -> Response:
    return Response(
        benchmark="b", version="1", item_id=str(number), model_key=model, text=text, raw=text,
        stack=stack,
    )  # fmt: skip


def answered(store: Store, *texts: str) -> bytes:
    """One model's answers to as many items, each with a key of its own."""
    model = store.put_model("m", ModelSpec(weights="w"))
    store.put_items([item(number) for number in range(len(texts))])
    for number, said in enumerate(texts):
        store.put_responses({bytes([number]) * 32: response(model, said, number=number)})
    return model


def test_what_comes_together_keeps_its_order(store: Store) -> None:
    with store.transaction():
        for name in ("newest", "older", "a"):
            store.put_model(name, ModelSpec(weights=name))
        store.put_items([item(number) for number in (10, 9, 100, 2)])
    assert [one.name for one in store.models()] == ["newest", "older", "a"]
    assert [one.id for one in store.items("b", "1")] == ["10", "9", "100", "2"]


def test_a_store_that_is_opened_again_is_asked_in_words_that_are_known(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page opens its store several times: nothing is put into SQL once more."""
    put: list[object] = []
    dialect = create_engine(store_url).dialect
    compiler = dialect.statement_compiler

    class Counting(compiler):  # type: ignore[misc, valid-type]
        def __init__(self, *given: Any, **more: Any) -> None:
            put.append(given[1])
            super().__init__(*given, **more)

    monkeypatch.setattr(type(dialect), "statement_compiler", Counting)
    for _ in range(2):
        put.clear()
        with open_store(store_url) as opened:
            assert answered(opened, "a") == opened.models()[0].key
            opened.items("b", "1")
    assert put == []


# a server that goes -----------------------------------------------------------------------------


def breaking(server: Server, url: str, times: int) -> Callable[[Store], list[str]]:
    """A read whose server ends the connection in the midst of it, the first times."""
    left = [times]

    @read
    def items(_: Store, connection: Connection) -> list[str]:
        first = [one.item_id for one in rows(connection, schema.items, "item_id", order="id")]
        if left[0]:
            left[0] -= 1
            assert server.end_connections(url.rpartition("/")[2]) >= 1
        second = [one.item_id for one in rows(connection, schema.items, "item_id", order="id")]
        assert first == second
        return first

    return items


@pytest.fixture
def server_url(postgres: Server) -> Any:
    with postgres.database("store") as name:
        yield postgres.url(name)


@pytest.mark.parametrize("times", [1, MOST_TRIES - 1])
def test_a_read_that_was_broken_off_is_run_again(
    postgres: Server, server_url: str, times: int
) -> None:
    with open_store(server_url) as store:
        answered(store, "one", "two")
        assert breaking(postgres, server_url, times)(store) == ["0", "1"]
        assert len(store.items("b", "1")) == 2


def test_a_read_that_is_broken_off_each_time_ends_with_an_error(
    postgres: Server, server_url: str
) -> None:
    with open_store(server_url) as store:
        answered(store, "one")
        with pytest.raises(StoreGoneError):
            breaking(postgres, server_url, MOST_TRIES)(store)
        assert len(store.items("b", "1")) == 1


def test_a_read_within_a_write_is_not_run_again(postgres: Server, server_url: str) -> None:
    """What was written before it is lost with the connection: the whole must begin again."""
    with open_store(server_url) as store:
        answered(store, "one")
        with pytest.raises(StoreGoneError), store.transaction():
            store.put_items([item(7)])
            breaking(postgres, server_url, 1)(store)
        assert store.items("b", "1", ["7"]) == []


def test_methods_are_run_again_as_well(postgres: Server, server_url: str) -> None:
    with open_store(server_url) as store:
        answered(store, "one", ODD)
        for ask in (store.models, store.holdings, lambda: store.items("b", "1"), store.runs):
            before = ask()
            postgres.end_connections(server_url.rpartition("/")[2])
            assert ask() == before
        postgres.end_connections(server_url.rpartition("/")[2])
        assert store.reply(b"none") is None


# what came last ---------------------------------------------------------------------------------


def test_the_newest_answer_is_told_by_its_time_and_then_by_its_number(store_url: str) -> None:
    """As where another process was given its number first and wrote last, or stores were merged."""
    with open_store(store_url) as store:
        model = answered(store, "on none")
        key = bytes(32)
        store.put_responses({key: response(model, "on this", stack=THIS)})
        store.put_responses({key: response(model, "on that", stack=THAT)})

        def told() -> list[str]:
            asked = [one.text for one in store.responses([key])[key]]
            assert asked == [one.text for one in store.answers_to("b", "1", model, ["0"])]
            history = store.item_history("b", "1", "0")
            assert history is not None
            shown = store.answer_texts([answer.number for answer in history.answers])
            assert [shown[answer.number].text for answer in history.answers] == asked
            assert [answer.newest for answer in history.answers] == [True, False, False]
            return asked

        assert told() == ["on that", "on this", "on none"]
        with beside(store_url) as other:
            other.execute(update(schema.responses).values(at=5.0))
        assert told() == ["on that", "on this", "on none"]
        with beside(store_url) as other:
            other.execute(text("UPDATE responses SET at = 9 WHERE stack_id = 0"))
        assert told() == ["on none", "on that", "on this"]


def test_the_number_of_the_newest_answer_grows_with_each(store_url: str) -> None:
    with open_store(store_url) as store:
        assert store.newest_answer() == 0
        model = store.put_model("m", ModelSpec(weights="w"))
        store.put_items([item(0), item(1)])
        seen = [0]
        for number, key in enumerate((b"a" * 32, b"b" * 32)):
            store.put_responses({key: response(model, "said", number=number)})
            seen.append(store.newest_answer())
        store.put_responses(
            {b"b" * 32: response(model, "again", number=1, stack=THIS)}, stand=False
        )
        assert store.newest_answer() == seen[-1], "an anchor stands nowhere"
        store.put_responses({b"b" * 32: response(model, "again", number=1, stack=THIS)})
        seen.append(store.newest_answer())
        assert seen == sorted(set(seen))


def test_an_answer_with_an_earlier_number_that_comes_later_is_noticed(store_url: str) -> None:
    with open_store(store_url) as store:
        answered(store, "first", "second", "third")
        with beside(store_url) as other:
            other.execute(text("DELETE FROM answers WHERE item_id = 2"))
        before = store.newest_answer()
        with beside(store_url) as other:
            other.execute(
                text(
                    "INSERT INTO answers (benchmark_id, model_id, item_id, sample, turn,"
                    " response_id) SELECT 1, 1, 2, 0, 0, min(id) + 1 FROM responses"
                )
            )
        assert store.newest_answer() > before


def test_stores_say_how_many_rows_they_have(store_url: str) -> None:
    with open_store(store_url) as store:
        answered(store, "one", "two", "three")
        for _ in range(3):  # a server gives out numbers for what is there already
            store.put_responses({bytes(32): response(store.models()[0].key, "one")})
        last = store.last_numbers()
        assert (last["judgments"], last["answers"]) == (0, 3)


# queries by paths -------------------------------------------------------------------------------


def test_rows_are_asked_for_by_paths(store_url: str) -> None:
    with open_store(store_url) as store:
        model = answered(store, "zero", ODD, "two")
        store.put_responses({bytes(32): response(model, "again", stack=THIS)})
        with store.snapshot() as c:
            found = rows(
                c,
                schema.answers,
                "item.item_id model.key:whose response.text response.*_tokens response.stack.stack",
                {"benchmark.name": "b", "benchmark.version": None, "item.item_id": ["1", "0"]},
                order="-item.item_id -response.stack_id",
            )
            told = [values(one) for one in found]
            assert [one["text"] for one in told] == [ODD, "again", "zero"]
            assert [one["stack"] for one in told] == [None, THIS, None]
            assert {one["whose"] for one in told} == {model}
            assert told[0]["usage"].prompt_tokens is None and "prompt_tokens" not in told[0]

            on_this = {"response.stack.key": stack_key(THIS)}
            assert row(c, schema.answers, "item.item_id", on_this)[0] == "0"
            assert row(c, schema.answers, "item.item_id", {"model.short": "none"}) is None
            assert not list(rows(c, schema.answers, "sample", {"item.item_id": []}))


def test_rows_are_compared_limited_and_added_up(store_url: str) -> None:
    with open_store(store_url) as store:
        store.put_model("m", ModelSpec(weights="w"))
        store.put_items([item(number, category="even" if number % 2 == 0 else "odd")
                         for number in range(5)])  # fmt: skip
        with store.snapshot() as c:

            def ids(where: dict[str, Any], **more: Any) -> list[str]:
                return [one[0] for one in rows(c, schema.items, "item_id", where, **more)]

            assert ids({"category!": "odd"}, order="item_id") == ["0", "2", "4"]
            assert ids({"item_id<": "3", "item_id>": "0"}, order="-item_id") == ["2", "1"]
            assert ids({}, order="item_id", limit=2, after=1) == ["1", "2"]
            added = "category count() distinct(identity):kinds max(item_id) sum(benchmark_id):sum"
            found = [tuple(one) for one in rows(c, schema.items, added, order="category")]
            assert found == [("even", 3, 3, "4", 3), ("odd", 2, 2, "3", 2)]
            assert all(type(one[4]) is int for one in found)
            kinds = rows(c, schema.items, "category", distinct=True)
            assert sorted(one.category for one in kinds) == ["even", "odd"]


def test_of_many_values_all_are_asked_for(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from judgebench.store import database

    monkeypatch.setattr(database, "CHUNK", 2)
    with open_store(store_url) as store:
        answered(store, *"abcde")
        keys = [bytes([number]) * 32 for number in range(7)]
        assert set(store.responses(keys)) == set(keys[:5])
        asked = {one.id: one.question for one in store.items("b", "1", list("43210"))}
        assert asked == {str(number): f"question {number}" for number in range(5)}


@pytest.mark.parametrize(
    "path", ["no_such", "no_such.name", "benchmark.no_such", "no_such:item_id"]
)
def test_a_path_that_leads_nowhere_is_an_error(store_url: str, path: str) -> None:
    with open_store(store_url) as store, store.snapshot() as c:
        with pytest.raises(KeyError):
            list(rows(c, schema.items, path))
        with pytest.raises(KeyError):
            list(rows(c, schema.items, "item_id", {path.partition(":")[0]: 1}))


def test_boards_are_told_by_steps(store_url: str) -> None:
    """As reading all of the uses would tell them."""
    item_stores.fill(store_url)
    with open_store(store_url) as store, store.snapshot() as c:
        board = "judge_id model_id opponent_id"
        for number in catalog.names_of(c, schema.benchmarks, "name"):
            found = rows(c, schema.uses, board, {"benchmark_id": number}, distinct=True)
            boards = catalog.boards_of(c, number)
            assert boards == sorted(tuple(one) for one in found)
            assert len(boards) > 3
        assert catalog.boards_of(c, -1) == []


def test_a_read_only_store_is_read(tmp_path: Path) -> None:
    url = str(tmp_path / "store.db")
    with open_store(url) as store:
        answered(store, "one")
    with open_store(url, read_only=True) as store:
        assert [one.text for one in store.responses([bytes(32)])[bytes(32)]] == ["one"]
        with pytest.raises(StoreError):
            store.put_items([item(9)])
