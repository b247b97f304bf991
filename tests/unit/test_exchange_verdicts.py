"""Imported verdicts: all or nothing, once only, and never one verdict over another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from judgebench import keys
from judgebench.errors import InputError
from judgebench.exchange.tables import import_labels
from judgebench.records import (
    Case,
    Item,
    Label,
    Message,
    ModelSpec,
    Preference,
    Response,
    Score,
    Unreadable,
)
from judgebench.store.copy import verdicts_of, write_table
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.table import over_rows
from tests.unit.exchanged import coded, import_responses, import_verdicts, label, rows_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "verdicts.jsonl"


def verdicts(store: Store, benchmark: str = "made_up") -> list[Any]:
    return [verdict for _, verdict in store.current(benchmark, "unversioned").values()]


PAIR = {"kind": "preference", "opponent": "b"}


def test_every_kind_of_verdict(store: Store, file: Path) -> None:
    rows = [
        label(0, "a", "j", "correct", p=0.75),
        label(1, "a", "j", "4", low=1, high=5) | {"kind": "score"},
        label(2, "a", "j", "0.25", order="opponent_first") | PAIR,
        label(3, "a", "j", "0.5", order="model_first") | PAIR,
        label(4, "a", "j", "", reason="no verdict") | {"kind": "unreadable"},
        label(5, "a", "j", 1) | PAIR,
    ]
    report = import_verdicts(store, rows_file(file, rows))
    assert (report.rows, report.new, report.known) == (6, 6, 0)
    by_item = {
        place.item_id: (place.order, verdict)
        for place, (_, verdict) in store.current("made_up", "unversioned").items()
    }
    assert by_item == {
        "0": ("single", Label(name="correct", p=0.75)),
        "1": ("single", Score(value=4, low=1, high=5)),
        "2": ("opponent_first", Preference(winner=0, p_first=0.75)),
        "3": ("model_first", Preference(winner=None, p_first=0.5)),
        "4": ("single", Unreadable(reason="no verdict")),
        "5": ("single", Preference(winner=0, p_first=1)),
    }
    table = store.verdicts("made_up")
    assert dict(zip(table["item_id"], table["value"], strict=True))["2"] == 0.25  # as written


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_the_parts_of_a_score_come_back_from_an_export(
    store: Store, file: Path, tmp_path: Path, suffix: str
) -> None:
    score = label(0, "a", "j", 7, low=1, high=10) | {"kind": "score"}
    rows = [score | {"parts": {"tone": 6, "=facts": 8.5}}, score | {"item_id": "1"}]
    import_verdicts(store, rows_file(file, rows))
    exported = tmp_path / f"exported{suffix}"
    write_table(exported, verdicts_of(store))
    with open_store(str(tmp_path / "other.db")) as other:
        assert import_verdicts(other, exported).new == 2
        assert verdicts(other) == verdicts(store)
        assert Score(value=7, low=1, high=10, parts={"tone": 6, "=facts": 8.5}) in verdicts(other)
        assert import_verdicts(other, rows_file(file, rows)).new == 0
        another = [score | {"parts": {"tone": 5}}]
        with pytest.raises(
            InputError, match=r"score 7 \('tone' 5\), but the store has score 7 \('"
        ):
            import_verdicts(other, rows_file(file, another))


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"tone": "good"}, "parts: tone: a number has to stand here, not 'good'"),
        ({"tone": ""}, "parts: tone: is missing"),
        ([7], 'parts: an object of numbers such as {"tone": 7}, not [7]'),
        ("{tone: 7}", "parts: an object of numbers such as {\"tone\": 7}, not '{tone: 7}'"),
        ("[" * 100_000, 'parts: an object of numbers such as {"tone": 7}, not \'[[[['),
    ],
)
def test_parts_that_are_no_numbers_are_refused(
    store: Store, file: Path, parts: object, says: str
) -> None:
    row = label(0, "a", "j", 7, low=1, high=10) | {"kind": "score", "parts": parts}
    with pytest.raises(InputError, match=re.escape(says)):
        import_verdicts(store, rows_file(file, [row]))


def test_a_part_that_a_row_has_not_is_null_in_a_table_of_parquet(
    store: Store, tmp_path: Path
) -> None:
    score = label(0, "a", "j", 7, low=1, high=10) | {"kind": "score"}
    rows = [score | {"parts": {"tone": 6}}, score | {"item_id": "1", "parts": {"facts": 8}}]
    table = tmp_path / "frame.parquet"
    pd.DataFrame([*rows, score | {"item_id": "2"}]).to_parquet(table)
    import_verdicts(store, table)
    said = [one.parts for one in verdicts(store) if isinstance(one, Score)]
    assert said == [{"tone": 6.0}, {"facts": 8.0}, {}]


def test_the_same_file_again_changes_nothing(store: Store, file: Path) -> None:
    rows = [*coded("a", "j", "+-?+"), label(9, "a", "j", "0.1", order="opponent_first") | PAIR]
    first = import_verdicts(store, rows_file(file, rows))
    before = store.path.read_bytes(), store.verdicts("made_up")
    again = import_verdicts(store, file)
    assert (first.new, again.new, again.known, again.run_id) == (5, 0, 5, None)
    assert store.verdicts("made_up") == before[1]
    assert [run.id for run in store.runs()] == [first.run_id]


def test_a_longer_file_adds_what_is_new(store: Store, file: Path) -> None:
    import_verdicts(store, rows_file(file, coded("a", "j", "+-")))
    report = import_verdicts(store, rows_file(file, coded("a", "j", "+-+")))
    assert (report.rows, report.new, report.known) == (3, 1, 2)
    assert len(verdicts(store)) == 3


def test_a_row_that_stands_twice_is_one(store: Store, file: Path) -> None:
    report = import_verdicts(store, rows_file(file, [*coded("a", "j", "+")] * 2))
    assert (report.rows, report.new, report.known) == (2, 1, 1)


def test_two_values_of_one_key_are_refused_naming_both(store: Store, file: Path) -> None:
    rows_file(file, [*coded("a", "j", "++"), label(0, "a", "j", "incorrect")])
    with pytest.raises(InputError) as error:
        import_verdicts(store, file)
    assert str(error.value).startswith(
        f"{file}:3: value: 'incorrect', but {file}:1 says 'correct' about the same item"
    )
    assert store.benchmarks() == []


def test_another_verdict_than_the_stores_is_refused_naming_both(store: Store, file: Path) -> None:
    import_verdicts(store, rows_file(file, coded("a", "j", "++")))
    other = rows_file(file.with_name("other.jsonl"), coded("a", "j", ".-+"))
    with pytest.raises(InputError) as error:
        import_verdicts(store, other)
    assert str(error.value).startswith(
        f"{other}:1: value: 'incorrect', but the store has 'correct' of 'j' about item '1' of 'a'"
    )
    assert len(verdicts(store)) == 2  # item 2 of the same file is not in either


@over_rows(
    ("change", "said"),
    [
        ({"kind": "lable"}, "kind: no kind of verdict called 'lable'; did you mean 'label'?"),
        ({"kind": "score", "value": 9, "low": 1, "high": 5}, "value: 9 is outside its scale, 1"),
        ({"kind": "score", "value": 3}, "low: is missing"),
        ({"kind": "score", "value": 3, "low": 5, "high": 1}, "low: the scale goes from low"),
        ({"kind": "score", "value": "x", "low": 1, "high": 5}, "value: a number has to stand"),
        ({"p": 1.5}, "p: a probability in [0, 1], not 1.5"),
        ({"value": ""}, "value: is missing"),
        ({"kind": "unreadable", "value": ""}, "reason: is missing"),
        ({"kind": "unreadable", "reason": "x"}, "value: an unreadable verdict has none"),
        ({"kind": "preference", "value": 0.5}, "opponent: is missing: a preference"),
        (PAIR | {"value": 2}, "value: the probability that 'model' beats 'opponent', in [0, 1]"),
        (PAIR | {"value": 1, "opponent": "a"}, "opponent: 'a' cannot be its own opponent"),
        (PAIR | {"value": 1, "order": "first"}, "order: no order called 'first'"),
        ({"opponent": "b"}, "opponent: a label is about one answer"),
        ({"order": "model_first"}, "order: only a comparison with an 'opponent' has an order"),
        ({"sample": -1}, "sample: a whole number from 0, not -1"),
        ({"sample": 2**63 - 1}, ":2: sample: 9223372036854775807 is more than 2,147,483,647"),
        ({"turn": 2**31}, ":2: turn: 2147483648 is more than 2,147,483,647"),
        ({"repeat": 1e300}, ":2: repeat: 1e+300 is more than 2,147,483,647"),
        ({"judge": "panel/mean(a,b)"}, ":2: judge: 'panel/mean(a,b)' would be taken for a panel"),
        ({"judge": " panel/x"}, ":2: judge: ' panel/x' would be taken for a panel"),
        ({"judge": "human/"}, ":2: judge: 'human/' names no person; write human/<rater>"),
        ({"judge": "human/ \u3000"}, "names no person; write human/<rater>"),
        ({"item_id": None}, "item_id: is missing"),
        ({"value": "Correct"}, ":2: value: no label of made_up called 'Correct'; did you mean"),
        (
            {"value": "yes"},
            "Known: correct, incorrect, as for every benchmark without a benchmark.",
        ),
        ({"benchmark": "made@up"}, ":2: benchmark: 'made@up': no benchmark's name has an '@'"),
        (
            {"benchmark": "trivia_judging_mini", "value": "Correct"},
            ":2: value: no label of trivia_judging_mini called 'Correct'; did you mean 'correct'?",
        ),
        ({"item_id": "nul\0"}, ":2: item_id: 'nul\\x00' holds a NUL character"),
    ],
)
def test_what_is_refused(store: Store, file: Path, change: dict[str, Any], said: str) -> None:
    rows_file(file, [*coded("a", "j", "+"), label(1, "a", "j", "correct") | change])
    with pytest.raises(InputError) as error:
        import_verdicts(store, file)
    assert said in str(error.value)
    assert store.benchmarks() == []
    assert store.runs() == []


def test_a_benchmark_that_is_described_has_its_version_and_its_items(
    store: Store, file: Path
) -> None:
    row = label(0, "a", "j", "correct") | {"benchmark": "trivia_judging_mini"}
    import_verdicts(store, rows_file(file, [row]))
    assert store.benchmarks() == [("trivia_judging_mini", "1")]
    (item,) = store.items("trivia_judging_mini", "1")
    assert item.question  # the text was at hand

    rows_file(file, [row, row | {"item_id": "480"}])
    with pytest.raises(InputError, match=r":2: item_id: '480' is no item of trivia_judging_mini@1"):
        import_verdicts(store, file)
    assert import_verdicts(store, file, allow_unknown_items=True).new == 1


def test_judges_and_people_are_told_apart(store: Store, file: Path) -> None:
    rows = [label(0, "a", judge, "correct") for judge in ("human/ann", "human", "gpt")]
    import_verdicts(store, rows_file(file, rows))
    kinds = {judge.name: judge.spec.kind for judge in store.judges()}
    assert kinds == {"human/ann": "human", "human": "human", "gpt": "imported"}


# labels -----------------------------------------------------------------------------------------


def test_the_newest_label_of_a_rater_counts_and_the_earlier_stay(
    store: Store, tmp_path: Path
) -> None:
    yes = rows_file(tmp_path / "yes.jsonl", coded("a", "human/ann", "+"))
    no = rows_file(tmp_path / "no.jsonl", coded("a", "human/ann", "-"))
    late = rows_file(
        tmp_path / "late.jsonl", [row | {"sample": 0} for row in coded("a", "human/ann", "+")]
    )
    for path, changed in ((yes, 0), (yes, 0), (no, 1), (no, 0), (late, 1)):
        report = import_labels(store, path)
        assert report.changed == changed
        said = "incorrect" if path is no else "correct"
        assert verdicts(store) == [Label(name=said)]
    assert len(store.runs()) == 3  # three events, also the one that came back


def test_an_old_file_again_does_not_take_back_what_was_said_since(
    store: Store, tmp_path: Path
) -> None:
    old = rows_file(tmp_path / "old.jsonl", coded("a", "human/ann", "++"))
    new = rows_file(tmp_path / "new.jsonl", coded("a", "human/ann", "-+"))
    import_labels(store, old)
    assert import_labels(store, new).changed == 1
    again = import_labels(store, old)
    assert (again.new, again.known, again.run_id) == (0, 2, None)
    assert store.verdicts("made_up")["label"] == ["incorrect", "correct"]


def test_labels_are_given_by_people(store: Store, file: Path) -> None:
    with pytest.raises(InputError, match=r":1: judge: labels are given by people, .* not 'gpt'"):
        import_labels(store, rows_file(file, coded("a", "gpt", "+")))


def test_a_verdict_of_a_person_is_not_changed_by_importing_verdicts(
    store: Store, file: Path
) -> None:
    import_labels(store, rows_file(file, coded("a", "human/ann", "+")))
    with pytest.raises(InputError, match="`import labels` lets people change theirs"):
        import_verdicts(store, rows_file(file, coded("a", "human/ann", "-")))


# answers ----------------------------------------------------------------------------------------


def run_model(store: Store, weights: str, text: str) -> bytes:
    """A model that a run has asked; its newest answer to item 0."""
    item = Item(
        benchmark="made_up", version="unversioned", id="0",
        turns=(Message(role="user", content="Which river?"),), references=("Danube",),
    )  # fmt: skip
    store.put_items([item])
    model = store.put_model("a", ModelSpec(weights=weights))
    response = Response(
        benchmark="made_up", version="unversioned", item_id="0", model_key=model, text=text,
        raw=text,
    )  # fmt: skip
    store.put_responses({keys.response_key(model, item.turns, None): response})
    return keys.case_key(Case(item=item, responses=(response,)))


def test_verdicts_are_about_the_answers_of_that_name(store: Store, file: Path) -> None:
    case = run_model(store, "sha256:one", "the Danube")
    report = import_verdicts(store, rows_file(file, coded("a", "j", "+")))
    assert report.warnings == ()
    assert store.verdicts("made_up")["model_id"] == store.responses_table("made_up")["model_id"]
    ((key, _),) = store.current("made_up", "unversioned").values()
    judgment = store.judgment(key)
    assert judgment is not None
    assert judgment.case_key == case


def test_of_two_models_of_a_name_the_newest_is_meant_and_that_is_said(
    store: Store, file: Path
) -> None:
    run_model(store, "sha256:one", "the Danube")
    run_model(store, "sha256:two", "the Rhine")
    report = import_labels(store, rows_file(file, coded("a", "human/ann", "+")))
    newest = store.models()[-1]
    assert store.verdicts("made_up")["model_id"] == [newest.id]
    (warning,) = report.warnings
    assert warning.startswith("'a' is the name of 2 models on made_up@unversioned")


def test_equal_answers_may_be_judged_differently(store: Store, file: Path) -> None:
    answers = [
        {"benchmark": "made_up", "item_id": "0", "model": m, "text": "same"} for m in ("a", "b")
    ]
    import_responses(store, rows_file(file, answers))
    import_verdicts(store, rows_file(file, [*coded("a", "j", "+"), *coded("b", "j", "-")]))
    table = store.verdicts("made_up")
    assert dict(zip(table["model"], table["label"], strict=True)) == {
        "a": "correct",
        "b": "incorrect",
    }
