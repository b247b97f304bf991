"""Stores copied, cut, merged and looked through, between either engine."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import lzma
import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow import dataset
from sqlalchemy import text

from judgebench import keys
from judgebench.errors import StoreError, StoreGoneError
from judgebench.progress import PlainProgress
from judgebench.protocols import NoProgress
from judgebench.records import Item, Label, Response, Runtime
from judgebench.store import columns as packed_columns
from judgebench.store.copy import Part, check, copy, merge, responses_of, vacuum, verdicts_of
from judgebench.store.opening import open_store
from judgebench.store.read import JUDGED_COLUMNS
from judgebench.store.store import Store
from tests.contract.store.moving import (
    SECRET_WORDS,
    STRICT,
    A,
    B,
    Machine,
    item,
    question,
)
from tests.e2e import runs
from tests.postgres import Server, beside

COUNTED = ("calls", "unpriced_calls", "completion_tokens", "cost_usd")


def fill_one(url: str) -> None:
    """Something in every table."""
    with open_store(url) as store:
        machine = Machine(store, "run-1")
        machine.judge(range(6))
        machine.rest(0)
        store.put_responses(  # which stands at no place
            {b"s" * 32: _response(machine, "again")}, stand=False
        )


def fill_two(url: str) -> None:
    """Two benchmarks."""
    with open_store(url) as store:
        for run_id, benchmark in (("run-1", "trivia"), ("run-2", "other")):
            machine = Machine(store, run_id, benchmark)
            machine.judge(range(4))
            machine.rest(0)


def fill_with(*runs: tuple[str, Sequence[int]]) -> Callable[[str], None]:
    """What machines judged, each in a run of its own."""

    def fill(url: str) -> None:
        for run_id, numbers in runs:
            with open_store(url) as store:
                machine = Machine(store, run_id)
                machine.judge(numbers)
                machine.rest(5)

    return fill


LEFT, RIGHT = ("run-1", range(6)), ("run-2", range(9, 4, -1))
FILLED: dict[str, Callable[[str], None]] = {
    "one": fill_one,
    "two": fill_two,
    "left": fill_with(LEFT),
    "right": fill_with(RIGHT),
    "whole": fill_with(LEFT, RIGHT),
}
"""Stores that several tests begin with: made once on each engine, and copied as a file is."""


@dataclasses.dataclass
class Places:
    """Makes addresses of one engine at which there is no store yet, or one of `FILLED`."""

    folder: Path
    kept: dict[str, str]
    server: Server | None = None
    made: list[str] = dataclasses.field(default_factory=list)

    def __call__(self, filled: str = "") -> str:
        if filled and filled not in self.kept:
            self.kept[filled] = self.new(f"kept_{filled}")
            FILLED[filled](self.url(self.kept[filled]))
        self.made.append(self.new(f"moving_{len(self.made)}", self.kept.get(filled)))
        return self.url(self.made[-1])

    def new(self, name: str, like: str | None = None) -> str:
        if self.server is not None:
            self.server.make(name, like or "store")
            return name
        folder = self.folder if name.startswith("moving") else Path(self.kept["folder"])
        if like is not None:
            shutil.copyfile(like, folder / f"{name}.db")
        return str(folder / f"{name}.db")

    def url(self, name: str) -> str:
        return f"sqlite:///{name}" if self.server is None else self.server.url(name)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    return {"sqlite": {"folder": str(tmp_path_factory.mktemp("kept"))}, "postgres": {}}


@pytest.fixture(params=["sqlite", "postgres"])
def places(
    request: pytest.FixtureRequest, tmp_path: Path, kept: dict[str, dict[str, str]]
) -> Iterator[Places]:
    server = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    places = Places(tmp_path, kept[request.param], server)
    yield places
    if server is not None:
        for name in places.made:
            server.drop(name)


IN_FILES = pytest.mark.parametrize("places", ["sqlite"], indirect=True)
"""For what is the same on either engine once copies and merges are."""


@pytest.fixture
def one(tmp_path: Path, kept: dict[str, dict[str, str]]) -> str:
    """A store with something in every table, in a file."""
    (tmp_path / "one").mkdir()
    return Places(tmp_path / "one", kept["sqlite"])("one")


def _response(machine: Machine, said: str) -> Any:
    (found,) = machine.store.answers_to("trivia", "v1", machine.a, ["0"])
    return dataclasses.replace(found, text=said, raw=said, stack=Runtime(backend="vllm"))


def told(url: str) -> dict[str, Any]:
    """All that a store tells people and programs, in an order of its own content."""
    with open_store(url, read_only=True) as store:
        names = store.benchmarks()
        models, judges = store.models(), store.judges()
        return {
            "items": {(n, v): sorted(map(repr, store.items(n, v))) for n, v in names},
            "models": sorted(map(repr, models)),
            "judges": sorted(map(repr, judges)),
            "runs": sorted(map(repr, store.runs())),
            "verdicts": _rows(verdicts_of(store)),
            "judged": {n: _rows(store.verdicts(*n, columns=JUDGED_COLUMNS)) for n in names},
            "responses": _rows(responses_of(store)),
            "failures": _rows(store.failures()),
            "spend": _rows(store.spend()),
            "baselines": sorted(map(repr, store.baselines())),
            "batches": sorted(map(repr, store.batches())),
            "calibrations": sorted(repr(c) for n in names for c in store.calibrations(*n)),
            "anchors": sorted(_without_number(a) for a in store.anchors()),
            "looks": sorted(repr(_rows(store.looks(a))) for a in store.anchors()),
            "replies": [
                repr(store.reply(keys.request_key(question(n, name))))
                for name, _ in names
                for n in range(10)
            ],
        }


def _rows(columns: dict[str, list[Any]]) -> list[str]:
    return sorted(map(repr, zip(*(columns[name] for name in sorted(columns)), strict=True)))


def _without_number(anchors: Any) -> str:
    return repr(dataclasses.replace(anchors, id=0))


class Stops(NoProgress):
    """Ctrl-C after so many portions."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


# copying ------------------------------------------------------------------------------------------


def test_a_copy_tells_what_the_store_tells(one: str, places: Places, tmp_path: Path) -> None:
    there, back = places(), f"sqlite:///{tmp_path / 'back.db'}"
    rows = copy(one, there)
    copy(there, back)
    assert rows["judgments"] == 19
    assert told(one) == told(there) == told(back)
    with open_store(one) as store, open_store(there) as other:
        assert store.answered_on([b"s" * 32], Runtime(backend="vllm")) == {b"s" * 32}
        assert other.answered_on([b"s" * 32], Runtime(backend="vllm")) == {b"s" * 32}
        Machine(other, "run-2").judge([7])  # numbers go on where those of the copy end
    assert check(there) == []


def test_a_store_of_the_first_release_is_copied_as_it_is(places: Places, tmp_path: Path) -> None:
    """With what runs, imports, batches and anchors write; the file is not brought up to date."""
    old = tmp_path / "old.db"
    kept = runs.ROOT / "tests" / "changes" / "stores" / "demo.db.xz"
    old.write_bytes(lzma.decompress(kept.read_bytes()))
    before, there = old.read_bytes(), places()
    copy(str(old), there)
    assert told(str(old)) == told(there)
    assert old.read_bytes() == before
    assert check(there) == []
    assert set(merge(there, [str(old)]).new.values()) == {0}


def test_a_copy_is_another_store(one: str, places: Places) -> None:
    there = places()
    copy(one, there)
    number = text("SELECT value FROM meta WHERE name = 'store_id'")
    with beside(one) as first, beside(there) as second:
        assert first.execute(number).scalar() != second.execute(number).scalar()


@pytest.mark.parametrize("after", [1, 15])
def test_an_interrupted_copy_goes_on(
    one: str, places: Places, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr("judgebench.store.copy.PORTION", 5)
    there = places()
    with pytest.raises(KeyboardInterrupt):
        copy(one, there, progress=Stops(after))
    with pytest.raises(StoreError, match="unfinished copy, of which no number is to be trusted"):
        open_store(there, read_only=True)
    assert any("unfinished copy" in said for said in check(there))
    copy(one, there)
    assert told(one) == told(there)


def test_a_copy_that_is_interrupted_while_it_is_packed_goes_on(
    one: str, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    there = places()
    with monkeypatch.context() as patch:
        patch.setattr("judgebench.store.columns.rebuild", stopped)
        with pytest.raises(KeyboardInterrupt):
            copy(one, there)
    with pytest.raises(StoreError, match="unfinished copy"):
        open_store(there)
    copy(one, there)
    assert told(one) == told(there)
    assert check(there) == []


def test_what_changes_while_a_copy_is_interrupted_is_in_it(
    one: str, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("judgebench.store.copy.PORTION", 5)
    there = places()
    with pytest.raises(KeyboardInterrupt):
        copy(one, there, progress=Stops(28))
    with open_store(one) as store:
        machine = Machine(store, "run-1b")
        machine.judge([6, 0])
        store.update_run(dataclasses.replace(machine.manifest, state="done", ended=2000.0))
        pairs = keys.judge_key(STRICT)
        store.forget(judges=[pairs], unreadable=True)
    copy(one, there)
    assert told(one) == told(there)
    assert check(there) == []


def test_a_copy_goes_to_a_new_place(one: str, places: Places, tmp_path: Path) -> None:
    there = places()
    with open_store(there) as store:
        Machine(store, "run-9").judge([1])
    before = told(there)
    with pytest.raises(StoreError, match=r"holds a store already.*store merge"):
        copy(one, there)
    assert told(there) == before
    with pytest.raises(StoreError, match="are one store; nothing was copied"):
        copy(there, there)
    half = places()
    with pytest.raises(KeyboardInterrupt):
        copy(one, half, progress=Stops(3))
    with pytest.raises(StoreError, match="unfinished copy of another store or part"):
        copy(one, half, Part(redact=True))
    other = f"sqlite:///{tmp_path / 'other.db'}"
    open_store(other).close()
    with pytest.raises(StoreError, match="unfinished copy of another store or part"):
        copy(other, half)
    link = tmp_path / "link.db"
    link.symlink_to(one.removeprefix("sqlite:///"))
    with pytest.raises(StoreError, match="are one store"):
        copy(one, f"sqlite:///{link}")


def test_a_copy_that_says_something_else_is_refused(
    one: str, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = places()
    with pytest.raises(KeyboardInterrupt):
        copy(one, there, progress=Stops(20))
    with beside(there) as connection:
        connection.execute(text("UPDATE items SET category = 'places'"))
    copy(one, there)  # compared, found to differ, and copied anew
    assert told(one) == told(there)


def test_a_full_disk_stops_a_copy_which_goes_on_later(tmp_path: Path) -> None:
    program = """
        import resource, sys
        from judgebench.errors import StoreFullError
        from judgebench.protocols import NoProgress
        from judgebench.records import ChatRequest, Message, Reply
        from judgebench.store.opening import open_store
        from judgebench.store.copy import copy
        asked = (Message(role="user", content="?"),)
        request = ChatRequest(provider="p", model="m", messages=asked)
        with open_store(sys.argv[1]) as store:
            for number in range(300):
                store.put_reply(number.to_bytes(32), request, Reply(text=str(number) + "x" * 9000))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
        try:
            copy(sys.argv[1], sys.argv[2])
        except StoreFullError as error:
            print("refused:", error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        print(copy(sys.argv[1], sys.argv[2])["replies"])
    """
    one, two = tmp_path / "one.db", tmp_path / "two.db"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(one), str(two)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    refused, copied = done.stdout.splitlines()
    assert refused.startswith("refused:")
    assert copied == "300"


def test_a_server_that_goes_stops_a_copy_which_goes_on_later(
    one: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("judgebench.store.copy.PORTION", 5)
    server = request.getfixturevalue("postgres")
    with server.database("store") as name, server.database("store") as far:
        there = server.url(name)
        copy(one, there)

        class Ends(Stops):
            def advance(self, n: int = 1, **more: Any) -> None:
                self.left -= 1
                if self.left == 0:
                    server.end_connections(name)

        with pytest.raises((StoreGoneError, StoreError)):  # what is copied from is of one moment
            copy(there, server.url(far), progress=Ends(12))
        copy(there, server.url(far))
        assert told(server.url(far)) == told(one)


# a part of a store --------------------------------------------------------------------------------


@pytest.fixture
def two_benchmarks(places: Places) -> str:
    return places("two")


def test_a_benchmark_is_cut_out_whole(two_benchmarks: str, tmp_path: Path) -> None:
    part, alone = f"sqlite:///{tmp_path / 'part.db'}", f"sqlite:///{tmp_path / 'alone.db'}"
    copy(two_benchmarks, part, Part(benchmarks=[("trivia", "v1")]))
    with open_store(alone) as store:
        machine = Machine(store, "run-1")
        machine.judge(range(4))
        machine.rest(0)
    its, whole = told(part), told(alone)
    for name in ("items", "models", "judges", "runs", "replies"):
        assert its[name] == whole[name], name
    for name in ("verdicts", "responses", "failures", "spend", "looks", "calibrations"):
        assert len(its[name]) == len(whole[name]), name
    assert (len(its["baselines"]), len(its["anchors"]), its["batches"]) == (2, 1, [])
    assert check(part) == []


def test_models_and_what_came_since(two_benchmarks: str, tmp_path: Path) -> None:
    with open_store(two_benchmarks) as store:
        used = max(_used_at(store))
        lonely = store.put_model("lonely", dataclasses.replace(A, weights="lonely"))
        Machine(store, "run-3", "third").judge([1])
    a, b = keys.model_key(A), keys.model_key(B)
    for number, (part, names, models) in enumerate(
        (
            (Part(models=[a]), {"trivia", "other", "third"}, {a, b}),  # b: its opponent
            (Part(models=[b]), {"trivia", "other", "third"}, {b}),
            (Part(since=used + 1e-6), {"third"}, {a, b}),
            (Part(models=[lonely]), set(), set()),
            (Part(models=[a], benchmarks=[("other", "v1")]), {"other"}, {a, b}),
            (Part(since=used + 1e6), set(), set()),
        )
    ):
        url = f"sqlite:///{tmp_path / f'{number}.db'}"
        copy(two_benchmarks, url, part)
        with open_store(url, read_only=True) as store:
            assert {name for name, _ in store.benchmarks()} == names
            assert {model.key for model in store.models()} == models
        assert check(url) == []


def _used_at(store: Store) -> list[float]:
    with store.snapshot() as connection:
        return list(connection.execute(text("SELECT used_at FROM uses")).scalars())


def test_texts_stay_behind(two_benchmarks: str, tmp_path: Path) -> None:
    path = tmp_path / "part.db"
    copy(two_benchmarks, str(path), Part(redact=True))
    held = b"".join(file.read_bytes() for file in tmp_path.glob("part.db*"))
    assert SECRET_WORDS.encode() not in held
    whole, part = told(two_benchmarks), told(str(path))
    for name in ("models", "judges", "runs", "spend", "baselines", "calibrations"):
        assert whole[name] == part[name], name
    with open_store(two_benchmarks) as store, open_store(str(path), read_only=True) as redacted:
        before, after = verdicts_of(store), verdicts_of(redacted)
        assert all(why is None or why.startswith("(redacted") for why in after.pop("reason"))
        before.pop("reason")
        assert before == after
        answers = responses_of(redacted)
        lengths = [len(said) for said in answers["text"]]
        assert lengths == [len(said) for said in responses_of(store)["text"]]
        assert answers["text"][0].startswith("(redacted) ")
        items = redacted.items("trivia", "v1")
        assert next((one.id, one.category, one.turns) for one in items) == ("0", "people", ())
        assert redacted.reply(keys.request_key(question(0))) is None
    assert check(str(path)) == []


def test_a_copy_without_texts_can_be_read_and_not_judged(
    two_benchmarks: str, places: Places
) -> None:
    there, again, into = places(), places(), places()
    copy(two_benchmarks, there, Part(redact=True))
    open_store(there, read_only=True).close()
    with pytest.raises(StoreError, match=r"without its texts \(--redact\).*not be judged"):
        open_store(there)
    with pytest.raises(StoreError, match="merge the store that it was made of"):
        merge(into, [there])
    copy(there, again)
    with pytest.raises(StoreError, match="without its texts"):
        open_store(again)


# merging ------------------------------------------------------------------------------------------


@pytest.fixture
def halves(places: Places) -> tuple[str, str, str]:
    """Two machines' stores, of which one item is judged in both, and one with both halves."""
    return places("left"), places("right"), places("whole")


def timeless(rows: list[str]) -> list[str]:
    """Without the seconds at which each machine put it."""
    return sorted(re.sub(r"1[67]\d{8}(\.\d+)?", "T", row) for row in rows)


def test_two_halves_are_the_whole(
    halves: tuple[str, str, str], places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("judgebench.store.copy.PORTION", 4)
    monkeypatch.setattr("judgebench.store.columns.BOARDS", 1)
    left, right, whole = halves
    for into, others in ((left, [right]), (places(), [right, left])):
        merged = merge(into, others)
        assert merged.differing == 0
        its, one = told(into), told(whole)
        for name in ("items", "models", "judges", "runs", "spend", "replies"):
            assert its[name] == one[name], name
        for name in ("verdicts", "responses", "batches", "failures"):
            assert timeless(its[name]) == timeless(one[name]), name
        assert check(into) == []


def test_merging_again_changes_nothing(halves: tuple[str, str, str]) -> None:
    left, right, _ = halves
    first = merge(left, [right])
    before = told(left)
    assert first.new["judgments"] == 4 * 3
    assert first.new["spend"] == 1
    again = merge(left, [right, right])
    assert set(again.new.values()) == {0}
    assert told(left) == before
    assert merge(right, [left]).new["judgments"] == 5 * 3
    assert told(right)["spend"] == told(left)["spend"]
    assert merge(left, [right]).new["judgments"] == 0
    assert told(left) == before


@IN_FILES
def test_spending_of_a_run_that_went_on_is_counted_once(halves: tuple[str, str, str]) -> None:
    left, right, _ = halves
    merge(left, [right])
    with open_store(right) as store:
        machine = Machine.__new__(Machine)
        machine.store, machine.run_id, machine.benchmark = store, "run-2", "trivia"
        machine.a, machine.strict = keys.model_key(A), keys.judge_key(STRICT)
        machine.ask(11)
    merge(left, [right])
    with open_store(left) as merged, open_store(right) as there:
        for run_id, of in (("run-1", merged), ("run-2", there)):
            ours, theirs = merged.spend(run_id), of.spend(run_id)
            assert [ours[name] for name in COUNTED] == [theirs[name] for name in COUNTED]
        assert merged.spend("run-2")["calls"] == [6]
        assert merged.spend("run-1")["calls"] == [6]


@IN_FILES
def test_names_stay_and_others_stand_behind(halves: tuple[str, str, str]) -> None:
    left, right, _ = halves
    with open_store(right) as store:
        store.put_model("policy-old", A, {"step": "2"})
        store.put_model("policy", A, {"step": "3"})
        store.put_judge("stern", STRICT)
        store.put_model("only there", dataclasses.replace(A, weights="c"))
        store.put_model("and later", dataclasses.replace(A, weights="c"))
    for _ in range(2):
        merge(left, [right])
        with open_store(left, read_only=True) as store:
            models = {model.key: model for model in store.models()}
            judges = {judge.key: judge for judge in store.judges()}
        model = models[keys.model_key(A)]
        assert model.names == ("model-a", "policy", "policy-old")
        assert model.tags == {"step": "1"}
        assert judges[keys.judge_key(STRICT)].names == ("strict", "stern")
        other = models[keys.model_key(dataclasses.replace(A, weights="c"))]
        assert other.names == ("and later", "only there")


@IN_FILES
def test_the_last_is_told_by_its_time_and_not_by_where_it_came_from(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    early, late = places(), places()
    for url, seconds, run_id in ((early, 5000.0, "run-1"), (late, 6000.0, "run-2")):
        monkeypatch.setattr("time.time", lambda now=seconds: now)
        with open_store(url) as store:
            machine = Machine(store, run_id)
            machine.judge([1])
            machine.rest(1)
            later = dataclasses.replace(machine.manifest, id=f"{run_id}b", started=seconds)
            store.start_run(later)
            model = machine.a if url == late else machine.b
            store.put_baseline("accepted", "trivia", "v1", model=model)
    monkeypatch.undo()
    merge(late, [early])
    with open_store(late, read_only=True) as store:
        assert [run.id for run in store.runs()][-2:] == ["run-1b", "run-2b"]
        accepted = [one for one in store.baselines() if one.name == "accepted"]
        assert [one.at for one in accepted] == [5000.0, 6000.0]
        assert accepted[-1].model_key == keys.model_key(A)
        assert [one.at for one in store.anchors()] == [5000.0, 6000.0]
        assert [one.at for one in store.calibrations("trivia", "v1")] == [5000.0, 6000.0]


@IN_FILES
def test_what_was_done_in_one_store_has_not_failed(halves: tuple[str, str, str]) -> None:
    left, right, _ = halves
    seen = hashlib.sha256(b"trivia 8").digest()
    with open_store(left) as store:
        machine = Machine(store, "run-1b")
        store.put_items([item("trivia", 8)])
        place = machine.place(8, machine.strict)
        failure = _failure(keys.judgment_key(machine.strict, seen), place)
        store.put_failure(failure)
        assert len(store.failures()["message"]) == 2
    for into, other in ((left, right), (right, left)):
        merge(into, [other])
        with open_store(into) as store:
            messages = store.failures()["message"]
            assert "timed out" not in messages
            assert len(messages) == 2


def _failure(key: bytes, place: Any) -> Any:
    from judgebench.records import Failure

    return Failure(
        key=key, boundary="provider", message="timed out", retriable=True, place=place, at=9.0
    )


@IN_FILES
def test_items_that_differ_are_refused_and_nothing_is_changed(
    halves: tuple[str, str, str], places: Places
) -> None:
    left, right, _ = halves
    third = places()
    with open_store(third) as store:
        store.put_items([item("other", 1), item("trivia", 8, "another question")])
    before, empty = told(left), places()
    for others in ([third], [third, right], [right, third]):
        into = left if third in others and len(others) == 1 else empty
        if into == left:
            merge(left, [right])
            before = told(left)
        with pytest.raises(StoreError, match=r"item '8' of trivia@v1 is one in .* and another in"):
            merge(into, others)
    assert told(left) == before
    with open_store(empty, read_only=True) as store:
        assert store.benchmarks() == []
        assert store.runs() == []


def test_items_known_by_their_id_alone_are_filled_in(places: Places) -> None:
    bare, full = places(), places()
    with open_store(bare) as store:
        store.put_items([Item(benchmark="trivia", version="v1", id="1", turns=())])
    with open_store(full) as store:
        store.put_items([item("trivia", 1)])
    merge(full, [bare])
    merge(bare, [full])
    for url in (bare, full):
        with open_store(url, read_only=True) as store:
            assert store.items("trivia", "v1") == [item("trivia", 1)]


def test_no_verdict_stands_at_an_answer_that_it_was_not_given_for(places: Places) -> None:
    left, right = places(), places()
    with open_store(left) as store:
        machine = Machine(store, "run-1")
        store.put_items([item("trivia", n) for n in (1, 2)])
        machine.answer(1, "ours")
    with open_store(right) as store:
        machine = Machine(store, "run-2")
        store.put_items([item("trivia", n) for n in (1, 2)])
        machine.answer(1, "theirs")
        machine.answer(2, "theirs")
        for number in (1, 2):
            place = machine.place(number, machine.strict)
            machine.judgment(number, Label(name="correct"), place)
            machine.judgment(
                number, Label(name="correct"), machine.place(number, machine.pairs, machine.b)
            )
    for _ in range(2):
        assert merge(left, [right]).differing == 2  # of two models
        with open_store(left, read_only=True) as store:
            answers = responses_of(store)
            told = dict(zip(answers["item_id"], answers["text"], strict=True))
            assert told == {"1": "ours", "2": "theirs"}
            assert verdicts_of(store)["item_id"] == ["2", "2"]


def test_an_answer_that_differs_stands_at_its_other_places_as_the_first_said_it(
    places: Places,
) -> None:
    left, right = places(), places()
    for url, benchmark, said in ((left, "trivia", "ours"), (right, "other", "theirs")):
        with open_store(url) as store:
            machine = Machine(store, "run-1")
            store.put_items([dataclasses.replace(item("trivia", 1), benchmark=benchmark)])
            response = Response(
                benchmark=benchmark, version="v1", item_id="1", model_key=machine.a, text=said,
                raw=said,
            )  # fmt: skip
            store.put_responses({b"k" * 32: response})  # of one question, in two benchmarks
    assert merge(left, [right]).differing == 1
    with open_store(left, read_only=True) as store:
        assert responses_of(store)["text"] == ["ours", "ours"]


def test_who_unpacks_meanwhile_is_waited_for(
    one: str, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another that tidies the store, and is killed: what was packed before is gone."""
    there = places()
    copy(one, there)
    rebuild, killed = packed_columns.rebuild, []

    def rebuilds(connection: Any, boards: Any) -> None:
        rebuild(connection, boards)
        if len(killed) < 2:
            killed.append(boards)
            if len(killed) == 2:  # what was packed until now is gone, as by another's begin
                packed_columns.unpack(connection)

    monkeypatch.setattr(packed_columns, "BOARDS", 1)
    monkeypatch.setattr(packed_columns, "rebuild", rebuilds)
    vacuum(there)
    assert len(killed) == 2
    assert check(there) == []
    with open_store(there, read_only=True) as store:
        assert len(store.board_verdicts("trivia", "v1")["value"])


def test_a_store_is_not_merged_into_itself(halves: tuple[str, str, str]) -> None:
    left, right, _ = halves
    with pytest.raises(StoreError, match="is the store that others are merged into"):
        merge(left, [right, left])


def test_a_row_that_needs_what_is_not_there_is_named(places: Places, one: str) -> None:
    with beside(one) as connection:
        connection.execute(text("DELETE FROM judgments WHERE id = 3"))
    with pytest.raises(StoreError, match=r"a row of uses needs one of judgments.*store check"):
        merge(places(), [one])


@IN_FILES
def test_two_machines_share_a_suite(places: Places, tmp_path: Path) -> None:
    """The board of the whole, and nothing is asked again."""
    from tests.loopback import Loopback, Reaction

    into = places()
    with Loopback(lambda ask: Reaction(text="correct")) as server:
        asked = []
        for name, takers in (("a", ["model-terse"]), ("b", ["model-weak"]), ("both", None)):
            (tmp_path / name).mkdir()
            more = {} if takers is None else {"takers": takers}
            suite = runs.suite(tmp_path / name, server.url, limit=4, **more)
            done = runs.typed("run", suite, "--quiet")
            assert done.code == 0, done.err
            asked.append(len(server.asks))
            server.asks.clear()
        assert asked[0] > 0 and sum(asked[:2]) >= asked[2]
        merge(into, [runs.store_url(tmp_path / name) for name in ("a", "b")])
        assert _board(into) == _board(runs.store_url(tmp_path / "both"))
        suite = runs.suite(tmp_path, server.url, limit=4, store=into)
        done = runs.typed("run", suite)
        assert done.code == 0, done.err
        assert len(server.asks) == 0
    assert _board(into) == _board(runs.store_url(tmp_path / "both"))
    assert check(into) == []


def _board(store: str) -> Any:
    done = runs.typed("leaderboard", "trivia_judging_mini", "--store", store, "--format", "csv")
    assert done.code == 0, done.err
    return sorted(done.out.splitlines())


# the command line ---------------------------------------------------------------------------------


@IN_FILES
def test_commands_say_what_they_did(one: str, places: Places, tmp_path: Path) -> None:
    there, two = places(), f"sqlite:///{tmp_path / 'two.db'}"
    with open_store(two) as store:
        Machine(store, "run-2").judge(range(8, 3, -1))
    done = runs.typed("store", "copy", one, there)
    assert (done.code, done.out) == (0, "")
    assert "copied and compared: 1 run, 6 items, 13 answers, 19 judgments, " in done.err
    for said in (
        "1 run, 3 items, 6 answers, 9 judgments, 15 verdicts",
        "0 runs, 0 items, 0 answers",
    ):
        done = runs.typed("store", "merge", there, two)
        assert done.code == 0, done.err
        assert said in done.err
        assert "warning" not in done.err
    done = runs.typed("store", "check", "--store", there)
    assert (done.code, done.out) == (0, "")
    assert "nothing is wrong with it" in done.err
    done = runs.typed("store", "vacuum", "--store", there)
    assert done.code == 0
    assert re.fullmatch(r"\d+\.\d MiB gained: \d+\.\d before, \d+\.\d now\n", done.out)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("copy", "ONE", "NEW", "--only", "trivai"), 64, "did you mean 'trivia@v1'?"),
        (("copy", "ONE", "NEW", "--only", "trivia@v2"), 64, "no benchmark called 'trivia@v2'"),
        (("copy", "ONE", "NEW", "--models", "model_a"), 64, "did you mean 'model-a'?"),
        (("copy", "ONE", "NEW", "--since", "yesterday"), 64, "does not match the formats"),
        (("copy", "ONE", "ONE"), 73, "are one store; nothing was copied"),
        (("copy", "NEW", "ONE"), 73, "there is no store at"),
        (("copy", "ONE", "postgresql://judge@127.0.0.1:1/x"), 73, "cannot be reached"),
        (("merge", "ONE", "ONE"), 73, "is the store that others are merged into"),
        (("merge", "ONE"), 64, "Missing argument"),
        (("merge", "ONE", "NEW"), 73, "there is no store at"),
        (("check", "--store", "NEW"), 73, "there is no store at"),
        (("vacuum", "--store", "NEW"), 73, "there is no store at"),
    ],
)
def test_what_cannot_be_done_is_said(
    one: str, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    before, new = told(one), tmp_path / "new.db"
    named = {"ONE": one, "NEW": f"sqlite:///{new}"}
    done = runs.typed("store", *(named.get(word, word) for word in words))
    assert done.code == code, done.err
    assert said in done.err
    assert told(one) == before
    assert not new.exists()


@IN_FILES
def test_a_part_is_named_on_the_command_line(two_benchmarks: str, tmp_path: Path) -> None:
    path = tmp_path / "part.db"
    done = runs.typed(
        *("store", "copy", two_benchmarks, str(path), "--only", "other", "--models", "model-b"),
        *("--since", "2020-01-01", "--redact"),
    )
    assert done.code == 0, done.err
    with open_store(str(path), read_only=True) as store:
        assert store.benchmarks() == [("other", "v1")]
        assert {model.name for model in store.models()} == {"model-b"}
        assert SECRET_WORDS not in repr(responses_of(store))


@IN_FILES
def test_an_interrupted_command_says_how_it_goes_on(
    one: str, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = places()
    monkeypatch.setattr("judgebench.cli.store.progress_for", lambda stream: _Interrupted())
    done = runs.typed("store", "copy", one, there)
    assert done.code == 130
    assert "not finished; it goes on with: judgebench store copy " in done.err
    monkeypatch.undo()
    done = runs.typed("store", "copy", one, there)
    assert done.code == 0, done.err
    assert told(one) == told(there)


class _Interrupted(PlainProgress):
    def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None:
        raise KeyboardInterrupt


# what people read with SQL, and files -------------------------------------------------------------


def test_views_say_the_same_on_both_engines(one: str, request: pytest.FixtureRequest) -> None:
    with request.getfixturevalue("postgres").database("store") as name:
        there = request.getfixturevalue("postgres").url(name)
        copy(one, there)
        with beside(one) as ours, beside(there) as theirs:
            for view, columns in VIEW_COLUMNS.items():
                found = []
                for connection in (ours, theirs):
                    result = connection.execute(text(f"SELECT * FROM {view}"))
                    assert " ".join(result.keys()) == columns, view
                    found.append(sorted(map(_plainly, result)))
                assert found[0] == found[1], view
                assert found[0], view


def _plainly(row: Any) -> str:
    """Numbers as numbers: one engine has booleans and decimals where the other has none."""
    values = [float(v) if isinstance(v, bool | int | float | Decimal) else v for v in row]
    return repr(values)


_VERDICT_COLUMNS = (
    "benchmark version item_id category model model_id opponent opponent_id judge judge_id"
    " judge_kind official_prompt order sample turn kind label value p low high reason served_model"
    " run_id at"
)
_SPEND_COLUMNS = (
    "run_id benchmark version model model_id judge judge_id how provider requested_model calls"
    " unpriced_calls prompt_tokens completion_tokens cached_tokens"
)
VIEW_COLUMNS = {
    "verdicts_v1": _VERDICT_COLUMNS,
    "verdicts_v2": f"{_VERDICT_COLUMNS} repeat parts marks",
    "responses_v1": "benchmark version item_id category model model_id sample turn text reasoning"
    " status finish_reason prompt_tokens completion_tokens logprob source stack at",
    "scores_v1": "benchmark version judge judge_id model model_id opponent opponent_id kind label"
    " n share mean_value low high",
    "spend_v1": f"{_SPEND_COLUMNS} reasoning_tokens cost_usd",
    "spend_v2": f"{_SPEND_COLUMNS} cache_write_tokens reasoning_tokens cost_usd",
}
"""A contract: scripts are written against them."""


@IN_FILES
def test_a_folder_of_parquet_is_two_tables_to_others(two_benchmarks: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with open_store(two_benchmarks) as store:
        Machine(store, "run-3", "with/slash and space").judge([1])
    done = runs.typed("export", "parquet", "--output", folder, "--store", two_benchmarks)
    assert (done.code, done.out) == (0, "")
    assert (folder / "verdicts/benchmark=trivia/judge=human%2Fann/v1.parquet").exists()
    with open_store(two_benchmarks, read_only=True) as store:
        tables = {"verdicts": verdicts_of(store), "responses": responses_of(store)}
    for name, columns in tables.items():
        wanted = pd.DataFrame(columns)
        for found in (
            pd.read_parquet(folder / name),
            dataset.dataset(folder / name, partitioning="hive").to_table().to_pandas(),
        ):
            for key in ("benchmark", "judge"):
                if key in found:
                    found[key] = found[key].astype(str)
            order = [key for key in wanted if key not in ("reason", "reasoning", "text")]
            order = [key for key in order if found[key].notna().any()]
            ours, theirs = (
                frame[order].sort_values(order).reset_index(drop=True) for frame in (wanted, found)
            )
            pd.testing.assert_frame_equal(ours, theirs, check_dtype=False)
    alone = tmp_path / "alone"
    done = runs.typed("export", "parquet", "other", "--output", alone, "--store", two_benchmarks)
    assert done.code == 0
    assert {path.name for path in (alone / "verdicts").iterdir()} == {"benchmark=other"}
    done = runs.typed("export", "parquet", "--output", folder, "--store", two_benchmarks)
    assert (done.code, "there is something already; name a new folder" in done.err) == (64, True)
    assert runs.typed("export", "parquet", "--store", two_benchmarks).code == 64


def test_the_queries_of_the_docs_run(tmp_path: Path, kept: dict[str, dict[str, str]]) -> None:
    """The one for pandas always, the others where DuckDB and Polars are installed."""
    two = Places(tmp_path, kept["sqlite"])("two")
    runs.typed("export", "parquet", "--output", tmp_path / "november", "--store", two)
    page = (runs.ROOT / "docs" / "files-in-and-out.md").read_text("utf-8")
    queries = re.findall(r"```python\n(import (?:duckdb|polars|pandas).*?)```", page, re.DOTALL)
    assert len(queries) == 3
    for query in queries:
        module = query.split()[1]
        if module == "pandas" or importlib.util.find_spec(module):
            subprocess.run([sys.executable, "-c", query], check=True, cwd=tmp_path)


# looking through, tidying -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE texts SET body = 'x' WHERE body LIKE 'answer 1%'", "texts: 1 whose content"),
        ("UPDATE judgments SET case_key = '{k}' WHERE id = 1", "judgments: 1 whose content"),
        ("UPDATE judgments SET judge_id = judge_id % 2 + 1 WHERE id = 1", "judgments: 1 whose"),
        ("UPDATE models SET spec = '{{}}' WHERE id = 1", "models: 1 whose content"),
        ("UPDATE judges SET key = '{k}' WHERE id = 1", "judges: 1 whose content"),
        ("UPDATE replies SET key = '{k}' WHERE at = (SELECT min(at) FROM replies)", "replies: "),
        ("DELETE FROM judgments WHERE id = 4", "uses: at least one row needs one of judgments"),
        ("DELETE FROM items WHERE item_id = '2'", "at least one row needs one of items that"),
    ],
)
def test_what_is_wrong_is_named(places: Places, damage: str, said: str) -> None:
    there = places("one")
    literal = "X'{}'" if there.startswith("sqlite") else "'\\x{}'"
    written = damage.replace("'{k}'", literal.format("ab" * 32))
    with beside(there) as connection:
        connection.execute(text(written.replace("{{", "{").replace("}}", "}").replace(":", "\\:")))
    done = runs.typed("store", "check", "--store", there)
    assert done.code == 73
    assert said in done.out
    assert "what now" in done.err


def test_room_of_what_was_removed_is_given_back(places: Places) -> None:
    there = places()
    with open_store(there) as store:
        machine = Machine(store, "run-1")
        machine.judge(range(60))
        before = told_of_humans(store)
        store.forget(judges=[machine.strict, machine.pairs])
    taken, now = vacuum(there)
    assert now < taken
    with open_store(there) as store:
        assert told_of_humans(store) == before
        Machine(store, "run-2").judge([300])
    assert check(there) == []


def told_of_humans(store: Store) -> list[str]:
    return _rows(store.verdicts("trivia", judges=["human/ann"]))


def test_a_label_that_was_taken_back_stays_so_without_texts(places: Places) -> None:
    from judgebench.labels import TAKEN_BACK, put_label
    from judgebench.records import VerdictSlot

    url, target = places(), places()
    with open_store(url) as store:
        machine = Machine(store, "run-1")
        machine.judge(range(3))
        for n in ("0", "1"):
            where = VerdictSlot(
                benchmark="trivia", version="v1", item_id=n, model_key=machine.a, judge_key=b""
            )
            put_label(store, "human/zoe", where, Label(name="correct"))
        put_label(store, "human/zoe", where, TAKEN_BACK)
    copy(url, target, Part(redact=True))
    for at in (url, target):
        with open_store(at, read_only=True) as store:
            said = store.verdicts("trivia", judges=["human/zoe"])
            assert (said["item_id"], said["label"]) == (["0"], ["correct"])
            on_board = store.board_verdicts("trivia", "v1")
            labels = [i for i, judge in enumerate(on_board["judge"]) if judge == "human/zoe"]
            assert len(labels) == 1
    assert check(target) == []


def test_of_an_older_store_that_is_merged_no_answer_becomes_the_newest(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    early, late = places(), places()
    for url, seconds, said, stack in (
        (early, 5000.0, "short", "vllm"),
        (late, 6000.0, "a newer and much longer answer", "hf"),
    ):
        monkeypatch.setattr("time.time", lambda now=seconds: now)
        with open_store(url) as store:
            machine = Machine(store, url[-6:])
            machine.judge([0])
            (found,) = store.answers_to("trivia", "v1", machine.a, ["0"])
            again = dataclasses.replace(found, text=said, raw=said, stack=Runtime(backend=stack))
            store.put_responses({said.encode().ljust(32, b"."): again})
            store.put_judgments([])
    monkeypatch.undo()
    merge(late, [early])
    with open_store(late, read_only=True) as store:
        answers = store.responses_table("trivia")
        newest = [text for text, new in zip(answers["text"], answers["newest"], strict=True) if new]
        lengths = list(store.board_answers("trivia", "v1")["length"])
        assert lengths == [len(text) for text in newest]
        assert "short" not in newest


def test_what_holds_from_then_on_goes_along_with_a_later_part(one: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'later.db'}"
    with open_store(one) as store:
        since = time.time()
        time.sleep(0.01)
        Machine(store, "run-later").judge([9])
        expected = len(store.baselines()), len(store.calibrations("trivia", "v1"))
    copy(one, target, Part(since=since))
    with open_store(target, read_only=True) as store:
        assert set(store.verdicts("trivia")["item_id"]) == {"9"}
        assert (len(store.baselines()), len(store.calibrations("trivia", "v1"))) == expected
        assert expected > (0, 0)


def test_a_run_that_was_taken_for_dead_is_told_as_it_ended(places: Places) -> None:
    into, other = places(), places()
    with open_store(other) as store:
        manifest = Machine(store, "run-1").manifest
        store.update_run(dataclasses.replace(manifest, state="running"))
    merge(into, [other])
    with open_store(into) as store:  # as the next run here does
        store.update_run(dataclasses.replace(manifest, state="interrupted"))
    with open_store(other) as store:
        store.update_run(dataclasses.replace(manifest, state="done", counts={"judged": 3}))
    for _ in range(2):
        merge(into, [other])
        with open_store(into, read_only=True) as store:
            [run] = store.runs()
            assert (run.state, run.counts) == ("done", {"judged": 3})
