"""Tables of somebody else's: columns called otherwise, one for each judge or model, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import InputError
from judgebench.responses.from_file import read_answers
from judgebench.store.opening import open_store
from tests.e2e.runs import Done, typed
from tests.table import over_rows
from tests.unit.exchanged import label, rows_file

OTHER = "id,answered by,grader,verdict\n0,a,j,correct\n1,a,j,incorrect\n"
CALLED = ("--columns", "id=item_id, answered by=model", "--columns", "grader=judge,verdict=value")
MADE_UP = ("--benchmark", "made_up")


def take_in(
    folder: Path, text: str, *words: str, what: str = "verdicts", name: str = "t.csv"
) -> Done:
    (folder / name).write_text(text, encoding="utf-8")
    return typed("import", what, folder / name, *words, "--store", folder / "s.db")


def stored(folder: Path, version: str = "unversioned") -> set[tuple[Any, ...]]:
    with open_store(str(folder / "s.db"), read_only=True) as store:
        table = store.verdicts("made_up", version)
    columns = ("item_id", "model", "judge", "kind", "label", "value", "low", "high")
    return set(zip(*(table[name] for name in columns), strict=True))


def labelled(item: str, model: str, judge: str, said: str) -> tuple[Any, ...]:
    return item, model, judge, "label", said, None, None, None


def test_columns_are_called_as_the_file_calls_them(tmp_path: Path) -> None:
    done = take_in(tmp_path, OTHER, *CALLED, *MADE_UP)
    assert done.code == 0, done.err
    assert stored(tmp_path) == {
        labelled("0", "a", "j", "correct"),
        labelled("1", "a", "j", "incorrect"),
    }
    # What our own columns say is the same, and known already.
    ours = rows_file(
        tmp_path / "ours.jsonl", [label(0, "a", "j", "correct"), label(1, "a", "j", "incorrect")]
    )
    again = typed("import", "verdicts", ours, "--store", tmp_path / "s.db")
    assert "2 verdicts, 0 new, 2 known already" in again.err


@pytest.mark.parametrize("which", ["judge", "model"])
def test_a_column_for_each_is_a_row_for_each(tmp_path: Path, which: str) -> None:
    other = "model" if which == "judge" else "judge"
    text = f'item,{other},x,"y, z",note\n0,o,correct,incorrect,?\n1,o,,correct,!\n2,o,,,\n'
    done = take_in(tmp_path, text, "--wide", f'{which}=x,"y, z"', *MADE_UP)
    assert done.code == 0, done.err
    names = {which: "", other: "o"}

    def one(item: str, name: str, said: str) -> tuple[Any, ...]:
        both = names | {which: name}
        return labelled(item, both["model"], both["judge"], said)

    assert stored(tmp_path) == {
        one("0", "x", "correct"), one("0", "y, z", "incorrect"), one("1", "y, z", "correct")
    }  # fmt: skip


def test_a_cell_that_is_not_there_is_no_verdict(tmp_path: Path) -> None:
    rows = [{"item": 0, "x": "correct"}, {"item": 1, "x": None, "y": "incorrect"}]
    path = rows_file(tmp_path / "t.jsonl", rows)
    done = take_in(
        tmp_path, path.read_text(), "--wide", "judge=x,y", "--model", "a", *MADE_UP, name="t.jsonl"
    )
    assert done.code == 0, done.err
    assert stored(tmp_path) == {
        labelled("0", "a", "x", "correct"), labelled("1", "a", "y", "incorrect")
    }  # fmt: skip


def test_scores_on_a_scale_that_the_file_does_not_name(tmp_path: Path) -> None:
    text = "item,model,gpt,claude\n0,a,7,8.5\n1,a,,1\n"
    words = ("--wide", "judge=gpt,claude", "--scale", "1:10", "--benchmark", "made_up@v2")
    done = take_in(tmp_path, text, *words)
    assert done.code == 0, done.err
    assert {row[:4] + row[5:] for row in stored(tmp_path, "v2")} == {
        ("0", "a", "gpt", "score", 7.0, 1.0, 10.0),
        ("0", "a", "claude", "score", 8.5, 1.0, 10.0),
        ("1", "a", "claude", "score", 1.0, 1.0, 10.0),
    }


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"value": "correct"}, "label"),
        ({"value": 3, "low": 1, "high": 5}, "score"),
        ({"value": 0.5, "opponent": "b"}, "preference"),
        ({"value": "", "reason": "two verdicts"}, "unreadable"),
    ],
)
def test_a_kind_that_is_not_said_is_what_the_other_columns_make_it(
    tmp_path: Path, more: dict[str, Any], kind: str
) -> None:
    row = {"benchmark": "made_up", "item": "0", "model": "a", "judge": "j", **more}
    path = rows_file(tmp_path / "t.jsonl", [row])
    done = typed("import", "verdicts", path, "--store", tmp_path / "s.db")
    assert done.code == 0, done.err
    assert {row[3] for row in stored(tmp_path)} == {kind}


@pytest.mark.parametrize("column", ["text", "answer", "output"])
def test_an_answer_is_what_its_column_is_called(tmp_path: Path, column: str) -> None:
    text = f"item,model,{column}\n0,a,yes\n1,a,\n"
    done = take_in(tmp_path, text, *MADE_UP, what="responses")
    assert done.code == 0, done.err
    with open_store(str(tmp_path / "s.db"), read_only=True) as store:
        table = store.responses_table("made_up", None)
    assert dict(zip(table["item_id"], table["text"], strict=True)) == {"0": "yes", "1": ""}
    # A suite reads the same file.
    found = read_answers(tmp_path / "t.csv", model="a", benchmark="made_up", version="v")
    assert found.texts == {("0", 0): ("yes",), ("1", 0): ("",)}


def test_our_own_name_goes_before_others(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("item_id,item,text,answer,output\n0,9,ours,theirs,no\n")
    found = read_answers(path, model="a", benchmark="made_up", version="v")
    assert found.texts == {("0", 0): ("ours",)}
    path.write_text("item,answer,output\n0,one,other\n")
    with pytest.raises(InputError, match="text: is missing; answer or output\\? Call one of them"):
        read_answers(path, model="a", benchmark="made_up", version="v")


def test_labels_of_raters_in_columns(tmp_path: Path) -> None:
    text = "item,model,human/ann,human/bob\n0,a,correct,incorrect\n"
    words = ("--wide", "judge=human/ann,human/bob", *MADE_UP)
    done = take_in(tmp_path, text, *words, what="labels")
    assert done.code == 0, done.err
    assert {row[2] for row in stored(tmp_path)} == {"human/ann", "human/bob"}


WIDE = "item,model,x\n0,a,correct\n"


@over_rows(
    ("text", "words", "code", "said"),
    [
        (OTHER, ("--columns", "idd=item_id", *MADE_UP), 65, "did you mean 'id'? Known: answered"),
        (OTHER, ("--columns", "id=item"), 64, "no column called 'item'; did you mean 'item_id'?"),
        (OTHER, ("--columns", "id"), 64, "--columns is written THEIRS=OURS,…, not 'id'"),
        (OTHER, ("--columns", "id=item_id,grader=item_id"), 64, "each column is named once"),
        (OTHER, (*CALLED, "--judge", "k", *MADE_UP), 65, "t.csv:2: judge: stands in the file"),
        (
            "item_id,id,model,judge,value\n0,0,a,j,correct\n",
            ("--columns", "id=item_id", *MADE_UP),
            65,
            "t.csv:2: item_id: stands here beside 'id', which is to be called so",
        ),
        (WIDE, ("--wide", "judge=x,y", *MADE_UP), 65, "no column called 'y'. Known: item,"),
        (WIDE, ("--wide", "rater=x"), 64, "--wide is written judge=COLUMN,… or model=COLUMN,…"),
        (WIDE, ("--wide", "judge"), 64, "--wide is written judge=COLUMN,…"),
        (WIDE, ("--wide", "judge=x", "--wide", "model=x"), 64, "judges or models, not both"),
        (WIDE, ("--wide", "judge=x,x"), 64, "--wide: each column is named once"),
        (WIDE, ("--wide", "judge=x", "--judge", "j"), 64, "leave --judge out"),
        (WIDE, ("--wide", "judge=x", "--scale", "1-10"), 64, "--scale is written LOW:HIGH"),
        (WIDE, ("--wide", "judge=x", "--scale", "1:10", *MADE_UP), 65, "'x': value: a number"),
        (WIDE, ("--wide", "judge=x"), 65, "t.csv:2: column 'x': benchmark: is missing"),
        (
            WIDE.replace(",correct", ",Correct"),
            ("--wide", "judge=x", *MADE_UP),
            65,
            "t.csv:2: column 'x': value: no label of made_up called 'Correct'",
        ),
        (
            "item,model,judge,x\n0,a,j,correct\n",
            ("--wide", "judge=x", *MADE_UP),
            65,
            "t.csv:2: judge: stands in a table that has a column for each judge",
        ),
    ],
)  # fmt: skip
def test_what_is_not_written_as_it_should_be_is_refused(
    tmp_path: Path, text: str, words: tuple[str, ...], code: int, said: str
) -> None:
    done = take_in(tmp_path, text, *words)
    assert (done.code, said in done.err) == (code, True), done.err
    if (tmp_path / "s.db").exists():
        with open_store(str(tmp_path / "s.db"), read_only=True) as store:
            assert store.benchmarks() == []


@pytest.mark.parametrize("what", ["alpaca-eval", "lm-eval", "published"])
def test_other_programs_files_have_their_own_columns(tmp_path: Path, what: str) -> None:
    done = typed("import", what, tmp_path, "--columns", "a=item_id")
    assert done.code == 64
    assert "--columns goes with `import verdicts|labels|responses`" in done.err
