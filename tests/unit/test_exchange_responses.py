"""Imported answers: empty and huge ones too; once only; never one answer over another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import InputError
from judgebench.exchange.formats import read_files
from judgebench.keys import content_key
from judgebench.records import (
    BINARY,
    JudgeSpec,
    Judgment,
    Label,
    ModelSpec,
    Preference,
    Response,
    RunManifest,
    RunVerdict,
    VerdictSlot,
)
from judgebench.store.copy import responses_of, verdicts_of, write_table
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.table import over_rows
from tests.unit.exchanged import coded, import_responses, import_verdicts, label, rows_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def answer(item: object, text: Any, **more: Any) -> dict[str, Any]:
    return {"benchmark": "made_up", "item_id": str(item), "model": "a", "text": text, **more}


def test_empty_and_huge_answers_are_kept_as_they_are(store: Store, file: Path) -> None:
    texts = {"0": "an answer", "1": "", "2": " \n", "3": "x" * 2_000_000, "4": "NUL \0, \ud800"}
    rows = [json.dumps(answer(i, text)) for i, text in texts.items()]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert import_responses(store, file).new == 5
    table = store.responses_table("made_up")
    assert dict(zip(table["item_id"], table["text"], strict=True)) == texts
    assert dict(zip(table["item_id"], table["status"], strict=True)) == {
        "0": "ok", "1": "empty", "2": "empty", "3": "ok", "4": "ok",
    }  # fmt: skip


def test_the_same_file_again_changes_nothing(store: Store, file: Path) -> None:
    rows_file(file, [answer(0, "one"), answer(1, "two"), answer(1, "zwei", sample=1)])
    first, again = import_responses(store, file), import_responses(store, file)
    assert (first.new, again.new, again.known) == (3, 0, 3)
    assert len(store.runs()) == 1


@over_rows(
    ("rows", "said"),
    [
        ([answer(0, "one"), answer(0, "two")], ":2: item_id: a second, different answer to"),
        ([answer(0, "one"), answer(0, None)], ":2: text: is missing; an answer that is empty"),
        ([answer(0, "one"), answer(1, "x", model="")], ":2: model: is missing"),
        (
            [answer(0, "x", benchmark="trivia_judging_mini"),
             answer("zero", "x", benchmark="trivia_judging_mini")],
            ":2: item_id: 'zero' is no item of trivia_judging_mini@1; 1 of 2 rows",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(store: Store, file: Path, rows: list[Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        import_responses(store, rows_file(file, rows))
    assert str(error.value).startswith(f"{file}{said}")
    assert store.benchmarks() == []


def test_another_answer_than_the_stores_is_refused(store: Store, file: Path) -> None:
    import_responses(store, rows_file(file, [answer(0, "one")]))
    with pytest.raises(InputError, match=r":1: text: the store has another answer of 'a' to item"):
        import_responses(store, rows_file(file, [answer(0, "two"), answer(1, "new")]))
    assert store.responses_table("made_up")["text"] == ["one"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_what_is_exported_can_be_imported(store: Store, tmp_path: Path, suffix: str) -> None:
    """Into another store: the same verdicts and answers; into the same: nothing new."""
    texts = ['plain, with "quotes"', "two\nlines\r\nthree", "", "=1+1", "日本語 ε"]
    answers = [answer(i, text) for i, text in enumerate(texts)]
    against = {"kind": "preference", "opponent": "b", "order": "opponent_first"}
    verdicts = [
        *coded("a", "j", "+-?"),
        label(3, "a", "j", 0.3) | against,
        label(3, "a", "k", 4.5, low=1, high=10) | {"kind": "score"},
        label(4, "a", "human/ann", "correct", p=0.1 + 0.2),
    ]
    import_responses(store, rows_file(tmp_path / "a.jsonl", answers))
    import_verdicts(store, rows_file(tmp_path / "v.jsonl", verdicts))
    exported = tmp_path / f"responses.{suffix}", tmp_path / f"verdicts.{suffix}"
    write_table(exported[0], responses_of(store))
    write_table(exported[1], verdicts_of(store))

    again = import_responses(store, exported[0]), import_verdicts(store, exported[1])
    assert [(report.new, report.known) for report in again] == [(0, 5), (0, 6)]
    with open_store(str(tmp_path / "other.db")) as other:
        import_responses(other, exported[0])
        import_verdicts(other, exported[1])
        own = ("run_id", "at", "source")
        for read in (verdicts_of, responses_of):
            assert _but(read(other), own) == _but(read(store), own)


def test_two_of_one_name_stay_two_on_their_way_out_and_in(store: Store, tmp_path: Path) -> None:
    for i in range(2):
        model = store.put_model("m", ModelSpec(weights=f"sha256:{i}"))
        judge = store.put_judge("j", JudgeSpec(kind="reference", model=f"g{i}"))
        response = Response(
            benchmark="made_up", version="unversioned", item_id="0", model_key=model,
            text=f"answer {i}", raw="",
        )  # fmt: skip
        store.put_responses({model: response})
        store.start_run(
            RunManifest(
                id=f"r{i}", name="r", configuration={}, versions={}, git_sha=None, data_sha={},
                seeds={}, started=0.0,
            )
        )  # fmt: skip
        for opponent in (None, store.models()[0].key if i else None):
            place = VerdictSlot(
                benchmark="made_up", version="unversioned", item_id="0", model_key=model,
                judge_key=judge, opponent_key=opponent,
            )  # fmt: skip
            said = Label(name=BINARY[i]) if opponent is None else Preference(winner=0, p_first=1)
            key = content_key("judgment", place)
            judgment = Judgment(key=key, judge_key=judge, case_key=key, verdict=said)
            store.put_judgment(
                judgment, [RunVerdict(run_id=f"r{i}", place=place, judgment_key=key)]
            )
    exported = tmp_path / "responses.jsonl", tmp_path / "verdicts.csv"
    write_table(exported[0], responses_of(store))
    write_table(exported[1], verdicts_of(store))

    again = import_responses(store, exported[0]), import_verdicts(store, exported[1])
    assert [(report.new, report.known) for report in again] == [(0, 2), (0, 3)]
    assert (len(store.models()), len(store.judges())) == (2, 2)
    names = ("item_id", "model", "opponent", "judge", "kind", "label", "value", "text")
    with open_store(str(tmp_path / "other.db")) as other:
        import_responses(other, exported[0])
        import_verdicts(other, exported[1])
        for read in (verdicts_of, responses_of):
            out, back = read(store), read(other)
            assert len(set(out["model"])) == 2
            for name in (name for name in names if name in out):
                assert sorted(map(str, back[name])) == sorted(map(str, out[name])), name


def test_what_is_known_by_its_id_is_added_to_it_and_never_changed(
    store: Store, tmp_path: Path
) -> None:
    model = store.put_model("m", ModelSpec(weights="sha256:1"))
    judge = store.put_judge("j", JudgeSpec(kind="reference", model="g"))
    ids = {"model_id": model.hex()[:12], "judge_id": judge.hex()[:12]}
    row = label(0, "m", "j", "correct", **ids)
    import_verdicts(store, rows_file(tmp_path / "v.jsonl", [row]))
    import_responses(store, rows_file(tmp_path / "a.jsonl", [answer(0, "x", model="m", **ids)]))
    assert store.verdicts("made_up")["judge_kind"] == ["reference"]
    assert (len(store.models()), len(store.judges())) == (1, 1)
    with pytest.raises(InputError, match="but the store has 'correct' of 'j'"):
        rows = [row | {"value": "incorrect"}]
        import_verdicts(store, rows_file(tmp_path / "w.jsonl", rows))
    with pytest.raises(InputError, match="the store has another answer of 'm'"):
        rows = [answer(0, "y", model="m", **ids)]
        import_responses(store, rows_file(tmp_path / "b.jsonl", rows))
    stranger = label(0, "n", "k", "correct", **ids)  # ids of others, or of another program
    import_verdicts(store, rows_file(tmp_path / "x.jsonl", [stranger]))
    assert [len(store.models()), len(store.judges())] == [2, 2]


def test_of_the_answers_of_several_stacks_the_newest_comes_in(store: Store, file: Path) -> None:
    rows = [answer(0, "new", newest=True), answer(0, "old", newest=False)]
    assert import_responses(store, rows_file(file, rows)).new == 1
    assert store.responses_table("made_up")["text"] == ["new"]


def test_what_no_file_can_hold_is_known_again(store: Store, tmp_path: Path) -> None:
    import_responses(store, _odd(tmp_path))
    reason = {"kind": "unreadable", "reason": "NUL \0"}
    import_verdicts(store, rows_file(tmp_path / "v.jsonl", [label(0, "a", "j", "") | reason]))
    exported = tmp_path / "responses.jsonl", tmp_path / "verdicts.jsonl"
    write_table(exported[0], responses_of(store))
    write_table(exported[1], verdicts_of(store))
    again = import_responses(store, exported[0]), import_verdicts(store, exported[1])
    assert [(report.new, report.known) for report in again] == [(0, 1), (0, 1)]
    assert store.responses_table("made_up")["text"] == ["NUL \0, \ud800"]


def _odd(folder: Path) -> Path:
    path = folder / "a.jsonl"
    path.write_text(json.dumps(answer(0, "NUL \0, \ud800")) + "\n", encoding="utf-8")
    return path


def test_files_are_all_read_before_any_is_stored(tmp_path: Path) -> None:
    yes = rows_file(tmp_path / "yes.jsonl", coded("a", "j", "+"))
    no = rows_file(tmp_path / "no.jsonl", coded("a", "j", "-"))
    with pytest.raises(InputError, match=r"no\.jsonl:1: value: 'incorrect', but .*yes\.jsonl:1"):
        read_files("verdicts", [yes, no])
    one = rows_file(tmp_path / "one.jsonl", [answer(0, "one")])
    two = rows_file(tmp_path / "two.jsonl", [answer(0, "two")])
    with pytest.raises(InputError, match=r"two\.jsonl:1: item_id: a second, different answer"):
        read_files("responses", [one, two])
    changed = [coded("a", "human/x", code) for code in "+-"]
    labels = [rows_file(tmp_path / f"l{i}.jsonl", rows) for i, rows in enumerate(changed)]
    with open_store(str(tmp_path / "s.db")) as store:
        reports = [take_in(store) for _, take_in in read_files("labels", labels)]
    assert [report.changed for report in reports] == [0, 1]  # people may change their minds


def _but(columns: dict[str, list[Any]], names: tuple[str, ...]) -> dict[str, list[Any]]:
    """Without what is said of an import rather than of what was imported."""
    return {
        name: [round(v, 12) if isinstance(v, float) else v for v in values]
        for name, values in columns.items()
        if name not in names
    }
