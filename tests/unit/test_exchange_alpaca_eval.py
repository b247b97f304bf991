"""AlpacaEval's files: every form of them in, nothing half, and the same out again."""

from __future__ import annotations

import csv
import json
import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import InputError, UsageError
from judgebench.exchange.alpaca_eval import (
    NOT_READ,
    NOT_SAID,
    AlpacaEvalOptions,
    gather,
    hashed_id,
    import_alpaca_eval,
    published_ids,
    reply_of,
)
from judgebench.exchange.alpaca_eval_export import export_alpaca_eval, raw_of
from judgebench.exchange.pipeline import ImportReport
from judgebench.execution.plan import drawn_order
from judgebench.records import Item, Message, ModelSpec, Preference, Response, Usage
from judgebench.rows import Row
from judgebench.store.copy import verdicts_of, write_table
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.table import over_rows
from tests.unit.exchanged import import_verdicts

JUDGE = "weighted_alpaca_eval_gpt4_turbo"
Record = dict[str, Any]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, records: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(records), encoding="utf-8")
        return path

    return written


def output(i: int, *, model: str = "m", **more: Any) -> Record:
    return {"instruction": f"Task {i}", "output": f"{model} says {i}", "generator": model, **more}


def pair(i: int, preference: Any, *, model: str = "m", **more: Any) -> Record:
    return {
        "instruction": f"Task {i}",
        "output_1": f"base says {i}",
        "generator_1": "base",
        "dataset": "made_up",
        "output_2": f"{model} says {i}",
        "generator_2": model,
        "annotator": JUDGE,
        "preference": preference,
        **more,
    }


def choice(text: str, *top: tuple[str, float]) -> Record:
    tokens = [{"token": t, "logprob": p, "bytes": None} for t, p in top]
    content = [{"token": text, "logprob": top[0][1], "bytes": None, "top_logprobs": tokens}]
    return {
        "finish_reason": "length",
        "index": 0,
        "logprobs": {"content": content},
        "message": {"content": text, "role": "assistant"},
        "text": text,
        "total_tokens": 900,
    }


def counts(report: ImportReport) -> tuple[int, ...]:
    """Models; verdicts, and new ones; answers, and new ones."""
    return tuple(map(int, re.findall(r"(\d+) (?:models|verdicts|responses|new)", report.said)))


def take(store: Store, *paths: Path, **more: Any) -> ImportReport:
    told = AlpacaEvalOptions(
        **{name: more.pop(name) for name in ("model", "judge", "baseline") if name in more}
    )
    return import_alpaca_eval(store, gather(paths, told=told), benchmark="made_up", **more)


def refused(store: Store, *paths: Path, **more: Any) -> str:
    """What is said, having made sure that nothing of it was stored."""
    with pytest.raises(InputError) as error:
        take(store, *paths, **more)
    assert store.models() == []
    assert store.runs() == []
    return str(error.value)


def values(store: Store) -> dict[tuple[str, str], Any]:
    table = store.verdicts("made_up")
    return {
        (model, item): (kind, value)
        for model, item, kind, value in zip(
            *(table[name] for name in ("model", "item_id", "kind", "value")), strict=True
        )
    }


def at(i: int) -> str:
    return hashed_id(f"Task {i}")


# in -------------------------------------------------------------------------------------------


def test_preferences_become_probabilities_of_the_model_over_the_baseline(
    store: Store, write: Write
) -> None:
    said = {0: 1.0, 1: 2.0, 2: 1.5, 3: 0, 4: 1.2345678901, 5: 2}
    report = take(store, write("a.json", [pair(i, p) for i, p in said.items()]))
    wanted = {0: 0.0, 1: 1.0, 2: 0.5, 3: 0.5, 4: 1.2345678901 - 1, 5: 1.0}
    assert values(store) == {("m", at(i)): ("preference", p) for i, p in wanted.items()}
    assert counts(report) == (2, 6, 6, 12, 12)
    table = store.verdicts("made_up")
    assert set(table["opponent"]) == {"base"}
    assert set(table["judge"]) == {JUDGE}
    assert set(table["judge_kind"]) == {"imported"}
    assert set(table["official_prompt"]) == {None}
    assert set(table["category"]) == {"made_up"}
    (item, *_) = store.items("made_up", "unversioned")
    assert item.question == "Task 0"


def test_a_known_judge_was_asked_in_the_seeded_order(store: Store, write: Write) -> None:
    take(store, write("a.json", [pair(i, 1.25) for i in range(20)]))
    table = store.verdicts("made_up")
    orders = dict(zip(table["item_id"], table["order"], strict=True))
    assert orders == {at(i): drawn_order(f"Task {i}") for i in range(20)}
    assert set(orders.values()) == {"model_first", "opponent_first"}
    for place, (_, verdict) in store.current("made_up", "unversioned").items():
        assert isinstance(verdict, Preference)
        assert verdict.p_first == (0.25 if place.order == "model_first" else 0.75)


def test_of_another_judge_and_of_equal_answers_no_order_is_known(
    store: Store, write: Write
) -> None:
    equal = pair(1, 1.5) | {"output_2": "base says 1"}
    take(store, write("a.json", [pair(0, 2.0, annotator="mine"), equal]))
    assert store.verdicts("made_up")["order"] == ["single", "single"]


@pytest.mark.parametrize("none", [None, -1, -1.0])
def test_without_a_preference_it_is_unreadable_until_a_file_has_one(
    store: Store, write: Write, none: Any
) -> None:
    rows = [pair(0, none), pair(1, none, raw_completion="I cannot say"), pair(2, 1.0)]
    rows[0]["raw_completion"] = None
    report = take(store, write("a.json", rows))
    assert "pairs with neither preference nor reply, which count as unreadable: m (1)" in (
        report.warnings
    )
    assert values(store) == {
        ("m", at(0)): ("unreadable", None),
        ("m", at(1)): ("unreadable", None),
        ("m", at(2)): ("preference", 0.0),
    }
    assert {NOT_READ, NOT_SAID} < set(store.verdicts("made_up")["reason"])
    rows[0]["preference"] = 2.0
    assert counts(take(store, write("b.json", rows)))[2] == 1
    assert values(store)["m", at(0)] == ("preference", 1.0)
    rows[0]["preference"] = none
    assert counts(take(store, write("c.json", rows)))[2] == 0
    assert values(store)["m", at(0)] == ("preference", 1.0)


@pytest.mark.parametrize("prefix", ["", "preference_"])
def test_replies_are_kept_with_their_verdicts(store: Store, write: Write, prefix: str) -> None:
    raw = choice("M", ("M", -0.1), ("m", -2.5))
    more = {f"{prefix}raw_completion": raw, f"{prefix}time_per_example": 1.5}
    text = {f"{prefix}raw_completion": "[{'model': 'model_1', 'rank': 1}]"}
    take(store, write("a.json", [pair(0, 1.9, **more), pair(1, 1.0, **text)]))
    replies = {}
    for place, (key, _) in store.current("made_up", "unversioned").items():
        judgment = store.judgment(key)
        assert judgment is not None
        (reply_key,) = judgment.reply_keys
        replies[place.item_id] = store.reply(reply_key)
    first, second = replies[at(0)], replies[at(1)]
    assert first is not None
    assert second is not None
    assert first.logprobs is not None
    assert first.logprobs[0].top == (("M", -0.1), ("m", -2.5))
    assert (first.text, first.finish_reason, first.seconds) == ("M", "length", 1.5)
    assert (first.usage.prompt_tokens, first.usage.completion_tokens) == (899, 1)
    assert (second.text, second.logprobs) == ("[{'model': 'model_1', 'rank': 1}]", None)
    assert raw_of(first) == raw
    assert raw_of(second) == second.text


@over_rows("raw", [None, "", "NaN", math.nan])
def test_what_stands_for_no_reply(raw: Any) -> None:
    assert reply_of(Row("here", {"raw_completion": raw}), "raw_completion", 0.0) is None


@over_rows("raw", [7, ["x"], {"text": "m", "logprobs": {"content": [{"token": "m"}]}}])
def test_what_is_no_reply_is_named(raw: Any) -> None:
    with pytest.raises(InputError, match="here: raw_completion: "):
        reply_of(Row("here", {"raw_completion": raw}), "raw_completion", 0.0)


@over_rows("total", [10**30, 10**400, -1, 2.5])
def test_a_sum_of_tokens_that_nobody_counted_is_not_known(total: float) -> None:
    raw = choice("m", ("m", -0.1)) | {"total_tokens": total}
    reply = reply_of(Row("here", {"raw_completion": raw}), "raw_completion", 0.0)
    assert reply is not None and (reply.text, reply.usage) == ("m", Usage())


def test_the_same_again_changes_nothing(store: Store, write: Write, tmp_path: Path) -> None:
    write("results/m/model_outputs.json", [output(0), output(1)])
    write(f"results/m/{JUDGE}/annotations.json", [pair(0, 1.5), pair(1, None)])
    first = take(store, tmp_path / "results")
    again = take(store, tmp_path / "results")
    assert counts(first)[2::2] == (2, 4)
    assert (*counts(again)[2::2], again.run_id) == (0, 0, None)
    assert len(store.runs()) == 1


def test_a_folder_with_many_models_and_a_baseline_that_meets_itself(
    store: Store, write: Write, tmp_path: Path
) -> None:
    for model in ("a", "b"):
        write(f"r/{model}/model_outputs.json", [output(0, model=model)])
        write(f"r/{model}/{JUDGE}/annotations.json", [pair(0, 1.75, model=model)])
    write(f"r/base/{JUDGE}/annotations.json", [pair(0, 1.5, model="base")])
    write("r/a/notes.json", {"not": "ours"})
    report = take(store, tmp_path / "r")
    assert (counts(report)[0], counts(report)[4]) == (3, 3)
    assert values(store) == {
        ("a", at(0)): ("preference", 0.75),
        ("b", at(0)): ("preference", 0.75),
        ("base", at(0)): ("preference", 0.5),
    }
    own = tmp_path / "verdicts.jsonl"
    write_table(own, verdicts_of(store))
    assert import_verdicts(store, own).new == 0


def test_folders_name_what_files_do_not(store: Store, write: Write, tmp_path: Path) -> None:
    bare = {k: v for k, v in pair(0, 2.0).items() if k not in ("generator_2", "annotator")}
    write("r/m/my judge/annotations.json", [bare])
    write("r/m/model_outputs.json", [{"instruction": "Task 0", "output": "m says 0"}])
    take(store, tmp_path / "r")
    table = store.verdicts("made_up")
    assert (table["model"], table["judge"]) == (["m"], ["my judge"])


def test_a_file_alone_has_to_be_told_whose_it_is(store: Store, write: Write) -> None:
    bare = write("out.json", [{"instruction": "Task 0", "output": "x"}])
    assert "out.json: row 1: generator: is missing; --model NAME" in refused(store, bare)
    take(store, bare, model="mine")
    assert [model.name for model in store.models()] == ["mine"]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv"])
def test_other_forms_than_json(store: Store, tmp_path: Path, suffix: str) -> None:
    records = [pair(0, 1.25), pair(1, None), pair(2, 2.0) | {"output_2": 'tabs\t, "quotes"\nand'}]
    path = tmp_path / f"annotations{suffix}"
    with path.open("w", encoding="utf-8", newline="") as file:
        if suffix == ".jsonl":
            file.writelines(json.dumps(record) + "\n" for record in records)
        else:
            written = csv.DictWriter(file, records[0], delimiter="," if suffix == ".csv" else "\t")
            written.writeheader()
            written.writerows(records)
    take(store, path)
    assert values(store) == {
        ("m", at(0)): ("preference", 0.25),
        ("m", at(1)): ("unreadable", None),
        ("m", at(2)): ("preference", 1.0),
    }
    assert 'tabs\t, "quotes"\nand' in store.responses_table("made_up")["text"]


def test_answers_alone_and_those_of_the_baseline(store: Store, write: Write) -> None:
    mine = write("out.json", [output(0), output(0)])
    base = write("ref.json", [output(0, model="base")])
    gathered = gather([], model_outputs=[mine], reference_outputs=[base])
    report = import_alpaca_eval(store, gathered, benchmark="made_up")
    assert (counts(report)[1], counts(report)[4]) == (0, 2)
    assert gathered.reference == "base"


# items ----------------------------------------------------------------------------------------


def test_the_published_instructions_are_known_by_their_hash() -> None:
    ids = published_ids()
    assert sorted(map(int, ids.values())) == list(range(805))
    assert all(len(digest) == 12 for digest in ids)


def test_items_of_the_benchmark_are_matched_by_their_question(store: Store, write: Write) -> None:
    def known(benchmark: str, version: str) -> dict[str, Item]:
        return {
            str(9 - i): Item(
                benchmark=benchmark,
                version=version,
                id=str(9 - i),
                turns=(Message(role="user", content=f"Task {i}"),),
            )
            for i in range(3)
        }

    file = write("a.json", [pair(2, 2.0), pair(0, 1.0)])
    take(store, file, known_items=known)
    assert values(store) == {("m", "7"): ("preference", 1.0), ("m", "9"): ("preference", 0.0)}
    strange = write("b.json", [pair(1, 1.0), pair(5, 1.0)])
    with pytest.raises(InputError) as error:
        take(store, strange, known_items=known)
    assert "b.json: row 2: instruction: is no item of made_up@unversioned" in str(error.value)
    assert "1 of 2 instructions" in str(error.value)
    take(store, strange, known_items=known, allow_unknown_items=True)
    assert ("m", at(5)) in values(store)


def test_a_set_of_its_own_under_alpaca_evals_name_is_warned_of(store: Store, write: Write) -> None:
    gathered = gather([write("a.json", [pair(0, 1.0)])])
    report = import_alpaca_eval(store, gathered, known_items=lambda *_: None)
    assert "no instruction is one of AlpacaEval's own" in report.warnings[0]
    assert store.verdicts("alpaca_eval")["item_id"] == [at(0)]


# refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.5, "0.5 is outside 1 to 2"),
        (2.0000001, "2.0000001 is outside 1 to 2"),
        (-2, "-2 is outside 1 to 2"),
        (10**400, f"{10**59} is outside 1 to 2"),
        (math.nan, "nan is no preference"),
        (math.inf, "inf is no preference"),
        ("1.5", "a number has to stand here, not '1.5'"),
        (True, "a number has to stand here, not True"),
        ([1], "a number has to stand here"),
    ],
)
def test_preferences_that_are_none(store: Store, write: Write, value: Any, said: str) -> None:
    good = write("good.json", [pair(0, 1.0, model="other")])
    bad = write("bad.json", [pair(0, 1.0), pair(1, value)])
    for files in ((good, bad), (bad, good)):
        assert f"bad.json: row 2: preference: {said}" in refused(store, *files)


@over_rows(
    ("records", "said"),
    [
        ([], "there is no row in it"),
        ({"a": 1}, "a list of objects has to stand here"),
        ([3], "row 1: an object has to stand here"),
        ([{"instruction": "x"}], "neither judged pairs"),
        ([output(0) | {"output": None}], "row 1: output: is missing"),
        ([output(0) | {"output": 3}], "row 1: output: a text, not 3"),
        ([output(0) | {"dataset": "a\0b"}], "row 1: dataset: 'a\\x00b' holds a NUL character"),
        ([output(0) | {"instruction": " "}], "row 1: instruction: is blank"),
        ([output(0) | {"instruction": None}], "row 1: instruction: is missing"),
        ([output(0) | {"generator": "nul \0"}], "row 1: generator: "),
        ([output(0), output(0) | {"output": "y"}], "row 2: output: another answer of 'm'"),
        ([pair(0, 1.0), pair(0, 2.0)], "row 2: preference: another preference of"),
        ([pair(0, 1.0), pair(0, None)], "row 2: preference: another preference of"),
        ([pair(0, 1.0), pair(1, 1.0, generator_1="b2")], "row 2: generator_1: "),
        ([pair(0, 1.0), pair(0, 1.0, model="n", output_1="?")], "row 2: output_1: another answer"),
        ([pair(0, 1.0, generator_1=None)], "row 1: generator_1: is missing; --baseline NAME"),
        ([pair(0, 1.0, annotator="")], "row 1: annotator: is missing; --judge NAME"),
        ([pair(0, 1.0, raw_completion=3)], "row 1: raw_completion: "),
        ([pair(0, 1.0, annotator="panel/a")], "row 1: annotator: 'panel/a' would be taken for a"),
    ],
)
def test_files_that_cannot_be_used(store: Store, write: Write, records: Any, said: str) -> None:
    good = write("good.json", [output(0, model="other")])
    message = refused(store, good, write("bad.json", records))
    assert "bad.json" in message
    assert said in message


def test_files_that_are_cut_off_or_of_no_kind(store: Store, tmp_path: Path) -> None:
    cut = tmp_path / "model_outputs.json"
    cut.write_text(json.dumps([output(0)])[:-9])
    assert "not whole JSON" in refused(store, cut)
    cut.write_bytes(b'[{"instruction": "\xff"}]')
    assert "no UTF-8" in refused(store, cut)
    assert "no such file" in refused(store, tmp_path / "none.json")
    (tmp_path / "empty").mkdir()
    assert "no annotations.json or model_outputs.json" in refused(store, tmp_path / "empty")
    with pytest.raises(UsageError, match=r"known are \.json"):
        take(store, tmp_path / "a.txt")


def test_two_models_of_one_name(store: Store, write: Write, tmp_path: Path) -> None:
    write("r/one/model_outputs.json", [output(0)])
    write("r/two/model_outputs.json", [output(0, output="something else")])
    said = refused(store, tmp_path / "r")
    assert "two/model_outputs.json: row 1: output: another answer of 'm'" in said
    assert "one/model_outputs.json: row 1" in said
    take(store, tmp_path / "r" / "one")
    with pytest.raises(InputError, match="the store has another answer of 'm'"):
        take(store, tmp_path / "r" / "two" / "model_outputs.json")
    take(store, tmp_path / "r" / "two" / "model_outputs.json", model="m, again")
    assert [model.name for model in store.models()] == ["m", "m, again"]


def test_a_judge_file_of_another_baseline(store: Store, write: Write) -> None:
    mine = write("a.json", [pair(0, 1.0)])
    others = [pair(0, 1.0, model="n", generator_1="davinci", output_1="davinci says")]
    other = write("b.json", others)
    said = refused(store, mine, other)
    assert "b.json: row 1: generator_1: " in said
    assert "a.json: row 1" in said
    assert "--baseline names 'base'" in refused(store, other, baseline="base")
    reference = write("ref.json", [output(0, model="base")])
    with pytest.raises(InputError, match="the reference outputs are of 'base'"):
        gather([other], reference_outputs=[reference])
    changed = write("ref.json", [output(0, model="base", output="not what was judged")])
    with pytest.raises(InputError, match=r"a\.json: row 1: output_1: another answer of 'base'"):
        gather([mine], reference_outputs=[changed])
    take(store, mine)
    with pytest.raises(InputError, match=r"the store has verdicts of .* against 'base'"):
        take(store, other)
    assert set(store.verdicts("made_up")["opponent"]) == {"base"}
    take(store, other, baseline="davinci")
    assert set(store.verdicts("made_up")["opponent"]) == {"base", "davinci"}


def test_another_preference_than_the_store_has(store: Store, write: Write) -> None:
    take(store, write("a.json", [pair(0, 1.0)]))
    changed = write("b.json", [pair(0, 1.5), pair(1, 1.5)])
    with pytest.raises(InputError, match=r"b\.json: row 1: preference: .* but the store has"):
        take(store, changed)
    assert set(values(store)) == {("m", at(0))}
    take(store, changed, judge="again")
    assert len(store.verdicts("made_up")["judge"]) == 3


# out ------------------------------------------------------------------------------------------


def full(tmp_path: Path, write: Write) -> Path:
    """Results with everything that there is: two models, replies, unreadable, missing, ties."""
    for model in ("a", "b/c: ü"):
        rows = [
            pair(0, 1.0000101111, model=model, raw_completion=choice("M", ("M", -0.0), ("m", -9))),
            pair(1, 2.0, model=model, raw_completion="[]", output_2="NUL \0, \ud800"),
            pair(2, None, model=model, raw_completion="no idea"),
            pair(3, None, model=model),
            pair(4, 1.5, model=model) | {"output_2": "base says 4"},
            pair(5, 1.3, model=model) | {"output_2": "", "instruction": "Ünï 😀"},
        ]
        folder = f"in/{len(model)}"
        write(f"{folder}/{JUDGE}/annotations.json", rows)
        outputs = [{"instruction": r["instruction"], "output": r["output_2"]} for r in rows]
        named = [one | {"generator": model, "dataset": "made_up"} for one in outputs]
        write(f"{folder}/model_outputs.json", named)
    return tmp_path / "in"


def everything(store: Store) -> tuple[Any, ...]:
    verdicts = store.verdicts("made_up")
    kept = {k: v for k, v in verdicts.items() if k not in ("run_id", "at")}
    answers = store.responses_table("made_up")
    told = {k: answers[k] for k in ("item_id", "category", "model_id", "model", "text", "status")}
    return (
        _as_rows(kept),
        _as_rows(told),
        [i.question for i in store.items("made_up", "unversioned")],
    )


def _as_rows(columns: dict[str, list[Any]]) -> list[str]:
    return sorted(map(repr, zip(*columns.values(), strict=True)))


def test_out_and_in_again_changes_nothing(store: Store, write: Write, tmp_path: Path) -> None:
    take(store, full(tmp_path, write))
    before = everything(store)
    done = export_alpaca_eval(store, tmp_path / "out", "made_up", "unversioned")
    assert done.warnings == ()
    assert len(done.paths) == 5  # outputs of three models, judged pairs of two
    again = take(store, tmp_path / "out")
    assert counts(again)[2::2] == (0, 0)
    assert everything(store) == before
    with open_store(str(tmp_path / "fresh.db")) as fresh:
        take(fresh, tmp_path / "out")
        assert everything(fresh) == before
        twice = export_alpaca_eval(fresh, tmp_path / "twice", "made_up", "unversioned")
    for one, other in zip(sorted(done.paths), sorted(twice.paths), strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_what_is_written_is_what_alpaca_eval_writes(
    store: Store, write: Write, tmp_path: Path
) -> None:
    take(store, full(tmp_path, write))
    export_alpaca_eval(store, tmp_path / "out", "made_up", "unversioned", models=["a"])
    judged = json.loads((tmp_path / "out" / "a" / JUDGE / "annotations.json").read_text())
    assert [row["preference"] for row in judged] == [1.0000101111, 2.0, None, None, 1.5, 1.3]
    assert all(list(row) == list(judged[0]) for row in judged)
    assert {"instruction", "output_1", "generator_1", "output_2", "generator_2"} < set(judged[0])
    assert [row["preference_raw_completion"] for row in judged[1:]] == [
        "[]", "no idea", None, None, None,
    ]  # fmt: skip
    outputs = json.loads((tmp_path / "out" / "a" / "model_outputs.json").read_text())
    assert outputs[5] == {
        "dataset": "made_up", "instruction": "Ünï 😀", "output": "", "generator": "a",
    }  # fmt: skip
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a", "base"}


def test_names_that_are_no_folders_stay_inside(store: Store, write: Write, tmp_path: Path) -> None:
    names = ["../up", "..", "/root", "A", "a", "x" * 300, "con:"]
    for number, name in enumerate(names):
        take(store, write(f"{number}.json", [output(0, model=name)]))
    done = export_alpaca_eval(store, tmp_path / "out", "made_up", "unversioned")
    folders = [path.relative_to(tmp_path / "out").parts for path in done.paths]
    assert all(len(parts) == 2 for parts in folders)
    assert len({parts[0].casefold() for parts in folders}) == len(names)
    with open_store(str(tmp_path / "fresh.db")) as fresh:
        take(fresh, tmp_path / "out")
        assert sorted(model.name for model in fresh.models()) == sorted(names)


def test_both_orders_are_averaged_and_lacking_texts_said(
    store: Store, write: Write, tmp_path: Path
) -> None:
    take(store, write("a.json", [output(0), output(0, model="base")]))
    (mine, base) = sorted(store.models(), key=lambda model: model.name, reverse=True)
    rows = [
        {"benchmark": "made_up", "item_id": item, "model": mine.name, "opponent": base.name,
         "judge": "both", "kind": "preference", "value": value, "order": order}
        for item, value, order in (
            (at(0), 0.25, "model_first"), (at(0), 1.0, "opponent_first"), ("7", 1.0, "model_first"),
        )
    ]  # fmt: skip
    file = tmp_path / "v.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_verdicts(store, file)
    done = export_alpaca_eval(store, tmp_path / "out", "made_up", "unversioned")
    (row,) = json.loads((tmp_path / "out" / "m" / "both" / "annotations.json").read_text())
    assert row["preference"] == 1.625
    assert any("1 pairs are not written" in warning for warning in done.warnings)
    assert any("orders and repeats of 1 pairs are averaged" in warning for warning in done.warnings)


def test_one_baseline_in_one_export(store: Store, write: Write, tmp_path: Path) -> None:
    take(store, write("a.json", [pair(0, 1.0)]))
    other = pair(0, 1.0, generator_1="davinci", output_1="davinci says", annotator="old")
    take(store, write("b.json", [other]))
    with pytest.raises(UsageError, match="name one with --baseline"):
        export_alpaca_eval(store, tmp_path / "out", "made_up", "unversioned")
    done = export_alpaca_eval(store, tmp_path / "out", "made_up", "unversioned", baseline="davinci")
    assert (tmp_path / "out" / "m" / "old" / "annotations.json") in done.paths
    assert not (tmp_path / "out" / "m" / JUDGE).exists()
    with pytest.raises(UsageError, match="no baseline"):
        export_alpaca_eval(store, tmp_path / "out", "made_up", "unversioned", baseline="davinc")


def test_every_preference_comes_out_as_it_went_in(
    store: Store, write: Write, tmp_path: Path
) -> None:
    draw = random.Random(5)
    said = [1 + draw.random() for _ in range(500)] + [math.nextafter(1, 2), math.nextafter(2, 1)]
    take(store, write("a.json", [pair(i, p) for i, p in enumerate(said)]))
    export_alpaca_eval(store, tmp_path / "out", "made_up", "unversioned")
    judged = json.loads((tmp_path / "out" / "m" / JUDGE / "annotations.json").read_text())
    assert [row["preference"] for row in judged] == said


@pytest.mark.parametrize("text", ["m says 0", "something else"])
@pytest.mark.parametrize("second", ["m says 1", "said otherwise"])
def test_a_stored_model_of_that_name_is_meant_where_it_gave_these_answers(
    store: Store, write: Write, text: str, second: str
) -> None:
    """All of them: one that it gave otherwise is another model's."""
    items = [
        Item(
            benchmark="made_up",
            version="unversioned",
            id=f"item-{i}",
            turns=(Message(role="user", content=f"Task {i}"),),
        )
        for i in range(2)
    ]
    store.put_items(items)
    key = store.put_model("m", ModelSpec(weights="hub:m@1"))
    given = zip(items, (text, second), strict=True)
    store.put_responses(
        {
            item.id.encode().ljust(32): Response(
                benchmark="made_up",
                version="unversioned",
                item_id=item.id,
                model_key=key,
                text=said,
                raw=said,
            )
            for item, said in given
        }
    )
    take(store, write("a.json", [pair(0, 2.0), pair(1, 2.0)]))
    assert set(values(store)) == {("m", "item-0"), ("m", "item-1")}
    ids = {model.id for model in store.models() if model.name == "m"}
    same = (text, second) == ("m says 0", "m says 1")
    assert len(ids) == (1 if same else 2)
    assert (set(store.verdicts("made_up")["model_id"]) == {key.hex()[:12]}) is same
