"""Labels given one at a time: one per rater and answer, nothing lost, nothing guessed."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgebench import keys
from judgebench.errors import InputError, StoreError
from judgebench.exchange.tables import import_labels
from judgebench.labels import (
    LONGEST_NAME,
    TAKEN_BACK,
    LabelTask,
    answered_by,
    labelled,
    labelling_run,
    labels_of,
    last_label,
    place_of,
    put_label,
    queue,
    rater_name,
)
from judgebench.records import (
    WITHDRAWN,
    Item,
    JudgeSpec,
    Judgment,
    Label,
    Message,
    ModelSpec,
    Preference,
    Response,
    RunVerdict,
    Score,
    Unreadable,
    VerdictSlot,
)
from judgebench.store.copy import verdicts_of, write_table
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.table import over_rows
from tests.unit.exchanged import label as file_row
from tests.unit.exchanged import rows_file

ANNA, BERT = "human/anna", "human/bert"
BENCHMARK, VERSION = "made_up", "v1"
CORRECT, INCORRECT = Label(name="correct"), Label(name="incorrect")
LEFT = Preference(winner=0, p_first=1.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "s.db")) as opened:
        answer(opened, {"a": 6, "b": 6, "c": 4})
        yield opened


def answer(store: Store, n_of: dict[str, int]) -> None:
    """Items, and first answers to as many of them by each model."""
    with store.transaction():
        store.put_items(
            [
                Item(benchmark=BENCHMARK, version=VERSION, id=str(i),
                     turns=(Message(role="user", content=f"Question {i}?"),))
                for i in range(max(n_of.values()))
            ]
        )  # fmt: skip
        for name, n in n_of.items():
            model = store.put_model(name, ModelSpec(weights=f"name:{name}"))
            found = [
                Response(benchmark=BENCHMARK, version=VERSION, item_id=str(i), model_key=model,
                         text=f"{name} {i}", raw=f"{name} {i}")
                for i in range(n)
            ]  # fmt: skip
            store.put_responses({keys.content_key("r", [name, one.item_id]): one for one in found})


def model(name: str) -> bytes:
    return keys.model_key(ModelSpec(weights=f"name:{name}"))


def asked(*models: str, rater: str = ANNA, opponent: str | None = None) -> LabelTask:
    return LabelTask(
        benchmark=BENCHMARK, version=VERSION, rater=rater,
        models=tuple(model(name) for name in models),
        opponent=None if opponent is None else model(opponent),
    )  # fmt: skip


def place(item: int, name: str = "a", **more: Any) -> VerdictSlot:
    given = VerdictSlot(
        benchmark=BENCHMARK, version=VERSION, item_id=str(item), model_key=model(name),
        judge_key=b"",
    )  # fmt: skip
    return replace(given, **more)


def said(store: Store) -> list[tuple[str, str, str | None]]:
    table = store.verdicts(BENCHMARK, VERSION)
    return sorted(zip(table["judge"], table["item_id"], table["label"], strict=True))


def test_a_label_is_what_an_import_of_it_would_be(store: Store, tmp_path: Path) -> None:
    assert put_label(store, ANNA, place(0), CORRECT)
    ((_, (key, verdict)),) = store.current(BENCHMARK, VERSION).items()
    assert verdict == CORRECT
    with open_store(str(tmp_path / "other.db")) as other:
        answer(other, {"a": 6})
        file = rows_file(tmp_path / "l.jsonl", [file_row(0, "a", ANNA, "correct", version=VERSION)])
        import_labels(other, file, allow_unknown_items=True)
        ((_, (imported, _)),) = other.current(BENCHMARK, VERSION).items()
        one, same = store.judgment(key), other.judgment(key)
    assert imported == key
    assert one is not None
    assert same is not None
    assert replace(one, at=same.at) == same


def test_labels_exported_and_imported_again_change_nothing(store: Store, tmp_path: Path) -> None:
    put_label(store, ANNA, place(0), CORRECT)
    put_label(store, ANNA, place(1), Score(value=7, low=1, high=10, parts={"tone": 6, "facts": 8}))
    put_label(store, ANNA, place(2, opponent_key=model("b"), order="opponent_first"), LEFT)
    put_label(store, ANNA, place(3), CORRECT)
    put_label(store, ANNA, place(3), TAKEN_BACK)
    before = store.current(BENCHMARK, VERSION)
    file = tmp_path / "out" / "verdicts.jsonl"
    write_table(file, verdicts_of(store))
    report = import_labels(store, file)
    assert (report.rows, report.new, report.known) == (3, 0, 3)
    assert store.current(BENCHMARK, VERSION) == before


def test_the_same_label_again_is_nothing_new(store: Store) -> None:
    assert put_label(store, ANNA, place(0), CORRECT)
    assert not put_label(store, ANNA, place(0), CORRECT)
    assert said(store) == [(ANNA, "0", "correct")]


def test_the_newest_label_counts_and_the_earlier_ones_stay(store: Store) -> None:
    for verdict in (CORRECT, INCORRECT, CORRECT):
        assert put_label(store, ANNA, place(0), verdict)
    assert said(store) == [(ANNA, "0", "correct")]
    assert judgments(store) == 3


def judgments(store: Store) -> int:
    with store._database.reading() as connection:
        count: int = connection.exec_driver_sql("SELECT count(*) FROM judgments").scalar_one()
    return count


def test_what_is_taken_back_is_no_label_and_no_missing_one(store: Store) -> None:
    put_label(store, ANNA, place(0), CORRECT)
    put_label(store, ANNA, place(0), INCORRECT)
    assert put_label(store, ANNA, place(0), TAKEN_BACK)
    assert not put_label(store, ANNA, place(0), TAKEN_BACK), "there is none any more"
    assert not put_label(store, ANNA, place(1), TAKEN_BACK), "there was none"
    assert said(store) == []
    run = labelling_run(ANNA, BENCHMARK, VERSION)
    assert store.run_verdicts(run, BENCHMARK, VERSION)["item_id"] == []
    assert judgments(store) == 3, "what was said is kept"
    assert put_label(store, ANNA, place(0), INCORRECT), "and may be said again"
    assert said(store) == [(ANNA, "0", "incorrect")]


def test_a_judge_that_says_withdrawn_is_still_counted(store: Store) -> None:
    """Only people take labels back; of a judge it is an unreadable verdict like any other."""
    judge = store.put_judge("gpt", JudgeSpec(kind="imported", model="gpt"))
    key = keys.content_key("judgment", 1)
    put_label(store, ANNA, place(1), CORRECT)
    store.put_judgment(
        Judgment(key=key, judge_key=judge, case_key=key, verdict=Unreadable(reason=WITHDRAWN)),
        [RunVerdict(run_id=labelling_run(ANNA, BENCHMARK, VERSION), place=place(0, judge_key=judge),
             judgment_key=key)],
    )  # fmt: skip
    assert ("gpt", "0", None) in said(store)


def test_a_file_read_before_does_not_bring_back_what_was_taken_back(
    store: Store, tmp_path: Path
) -> None:
    file = rows_file(tmp_path / "l.jsonl", [file_row(0, "a", ANNA, "correct", version=VERSION)])
    import_labels(store, file)
    put_label(store, ANNA, place(0), TAKEN_BACK)
    import_labels(store, file)
    assert said(store) == []


@pytest.mark.parametrize("order", ["single", "model_first", "opponent_first"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_pair_has_one_label_whoever_is_called_the_opponent(
    store: Store, order: Any, turned: bool
) -> None:
    one, other = ("b", "a") if turned else ("a", "b")
    put_label(store, ANNA, place(0, one, opponent_key=model(other), order=order), LEFT)
    put_label(store, BERT, place(0, one, opponent_key=model(other), order=order), LEFT)
    tie = Preference(winner=None, p_first=0.5)
    put_label(store, ANNA, place(0, "a", opponent_key=model("b"), order="model_first"), tie)
    table = store.verdicts(BENCHMARK, VERSION)
    assert sorted(table["judge"]) == [ANNA, BERT], "the other rater's stays"
    assert table["value"][table["judge"].index(ANNA)] == 0.5


def test_only_people_label_and_only_what_there_is(store: Store) -> None:
    with pytest.raises(InputError, match="labels are given by people"):
        put_label(store, "gpt", place(0), CORRECT)
    with pytest.raises(StoreError, match="put_model"):
        put_label(store, ANNA, place(0, "nobody"), CORRECT)
    assert store.judges() == [], "nothing is kept of a label that could not be written"


@over_rows(
    ("typed", "rater"),
    [("anna", ANNA), (" anna ", ANNA), ("human/anna", ANNA), ("李雷", "human/李雷"),
     ("anna@example.org", "human/anna@example.org"), ("a b", "human/a b")],
)  # fmt: skip
def test_who_a_rater_is(typed: str, rater: str) -> None:
    assert rater_name(typed) == rater


@over_rows(
    "typed", ["", " ", "human/", "a\0b", "a\nb", "\ud800", "a\u202eb", "x" * (LONGEST_NAME + 1)]
)
def test_what_can_be_no_rater(typed: str) -> None:
    with pytest.raises(InputError, match="rater"):
        rater_name(typed)


LABEL = """
    import sys
    from judgebench.labels import put_label
    from judgebench.records import Label, VerdictSlot
    from judgebench.store.opening import open_store

    url, rater, model = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3])
    print("ready", flush=True)
    sys.stdin.readline()
    for i in range(12):
        place = VerdictSlot(benchmark="made_up", version="v1", item_id=str(i % 6), model_key=model,
                      judge_key=b"")
        with open_store(url) as store:
            put_label(store, rater, place, Label(name=f"{sys.argv[4]} {i}"))
"""


@pytest.mark.parametrize("others", [ANNA, BERT])
@pytest.mark.usefixtures("forked")
def test_two_sessions_at_once_lose_nothing_and_double_nothing(store: Store, others: str) -> None:
    """Under one name as under two: every label is an event, and one of each rater counts."""
    program = [sys.executable, "-c", textwrap.dedent(LABEL), str(store.path)]
    sessions = [
        subprocess.Popen(
            [*program, rater, model("a").hex(), session],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for session, rater in (("one", ANNA), ("two", others))
    ]  # fmt: skip
    for session in sessions:
        assert session.stdout is not None
        session.stdout.readline()
    for session in sessions:
        session.communicate("go\n")
    assert [session.returncode for session in sessions] == [0, 0]
    assert judgments(store) == 24
    raters = {ANNA, others}
    assert [(who, item) for who, item, _ in said(store)] == [
        (who, str(i)) for who in sorted(raters) for i in range(6)
    ]
    last = {label.split()[1] for _, _, label in said(store) if label is not None}
    assert last == {"6", "7", "8", "9", "10", "11"}


# the queue --------------------------------------------------------------------------------------


def test_a_queue_is_every_first_answer_once_in_an_order_of_the_rater(store: Store) -> None:
    answered = answered_by(store, BENCHMARK, VERSION)
    cells = queue(asked("a", "b", "c"), answered)
    assert len(cells) == len(set(cells)) == 16
    assert cells == queue(asked("c", "a", "b"), answered), "the same after a reload"
    assert cells != queue(asked("a", "b", "c", rater=BERT), answered)
    assert queue(asked(), answered) == []


def test_a_pair_needs_both_answers_and_two_models(store: Store) -> None:
    answered = answered_by(store, BENCHMARK, VERSION)
    cells = queue(asked("a", "b", "c", opponent="c"), answered)
    assert {item for item, _ in cells} == {"0", "1", "2", "3"}
    assert {found for _, found in cells} == {model("a"), model("b")}


def test_the_side_is_drawn_by_rater_and_item_and_stays(store: Store) -> None:
    answer(store, {"a": 200, "b": 200})
    answered = answered_by(store, BENCHMARK, VERSION)
    of = asked("a", opponent="b")
    orders = [place_of(of, cell).order for cell in queue(of, answered)]
    assert orders == [place_of(of, cell).order for cell in queue(of, answered)]
    assert 70 < orders.count("model_first") < 130
    assert orders.count("single") == 0
    others = asked("a", rater=BERT, opponent="b")
    both = [
        place_of(one, cell).order for one in (of, others) for cell in sorted(queue(of, answered))
    ]
    assert both[:200] != both[200:]


def test_what_is_labelled_leaves_the_queue_and_undo_brings_it_back(
    store: Store, tmp_path: Path
) -> None:
    of = asked("a", "b")
    file = rows_file(tmp_path / "l.jsonl", [file_row(5, "b", ANNA, "correct", version=VERSION)])
    import_labels(store, file)
    put_label(store, ANNA, place_of(of, ("0", model("a"))), CORRECT)
    put_label(store, ANNA, place_of(of, ("1", model("b"))), CORRECT)
    put_label(store, BERT, place_of(of, ("2", model("b"))), CORRECT)
    labels = labels_of(store, of)
    assert labelled(labels, of) == {("0", model("a")), ("1", model("b")), ("5", model("b"))}
    assert last_label(labels, of) == ("1", model("b"))
    assert last_label(labels, asked("a")) == ("0", model("a")), "of what is asked for alone"
    for cell in (("1", model("b")), ("0", model("a"))):
        assert last_label(labels_of(store, of), of) == cell
        assert put_label(store, ANNA, place_of(of, cell), TAKEN_BACK)
    labels = labels_of(store, of)
    assert labelled(labels, of) == {("5", model("b"))}
    assert last_label(labels, of) is None, "what came from a file is not undone here"


def test_a_pair_labelled_the_other_way_round_is_labelled(store: Store) -> None:
    put_label(store, ANNA, place(0, "b", opponent_key=model("a")), LEFT)
    put_label(store, ANNA, place(1, "a"), CORRECT)
    put_label(store, ANNA, place(2, "a", opponent_key=model("c")), LEFT)
    of = asked("a", opponent="b")
    assert labelled(labels_of(store, of), of) == {("0", model("a"))}
