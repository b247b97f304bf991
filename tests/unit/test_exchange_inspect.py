"""Inspect's logs: items, answers, scores and errors out of its samples, whatever they are in."""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.errors import InputError, UsageError
from judgebench.exchange.inspect_evals import read_inspect
from judgebench.reports.leaderboard import leaderboards
from judgebench.rows import zip_members
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.table import over_rows
from tests.unit.evaluated import (
    ZSTANDARD,
    add_member,
    inspect_eval,
    inspect_head,
    inspect_json,
    inspect_sample,
)

JUDGE = "inspect/match"


def nobody(benchmark: str, version: str) -> None:
    """The benchmark's data is not here."""


def take(store: Store, *paths: Path, **more: Any) -> tuple[int, int]:
    """How many answers, verdicts and failures there were, and how many of them were new."""
    reports = [
        taking.take_in(store) for taking in read_inspect(paths, **{"known_items": nobody, **more})
    ]
    return sum(r.rows for r in reports), sum(r.new for r in reports)


def warnings(store: Store, *paths: Path) -> list[str]:
    taken = [taking.take_in(store) for taking in read_inspect(paths, known_items=nobody)]
    return [warning for report in taken for warning in report.warnings]


def boards(store: Store) -> dict[str, float]:
    return {board.judge: board.rows[0].leading.value for board in leaderboards(store, "made_up")}


def zipped(method: int) -> Callable[..., Path]:
    return lambda path, *log: inspect_eval(path.with_suffix(".eval"), *log, method=method)


WRITERS = {
    "zstandard": zipped(ZSTANDARD),
    "deflate": zipped(zipfile.ZIP_DEFLATED),
    "stored": zipped(zipfile.ZIP_STORED),
    "json": lambda path, *log: inspect_json(path.with_suffix(".json"), *log),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_items_answers_and_scores_come_out_of_a_sample(
    store: Store, tmp_path: Path, write: Callable[..., Path]
) -> None:
    path = write(tmp_path / "log", [inspect_sample(i) for i in range(4)])
    assert take(store, path) == (8, 8)
    assert take(store, path) == (8, 0)
    assert store.benchmarks() == [("made_up", "1")]
    item = store.items("made_up", "1")[1]
    assert (item.id, item.question, item.references) == ("1", "What is number 1?", ("thing 1",))
    assert item.category == "odd"
    answers = store.responses_table("made_up", "1")
    assert answers["text"] == [f"thing {i}" for i in range(4)]
    assert set(zip(answers["prompt_tokens"], answers["completion_tokens"], strict=True)) == {(5, 7)}
    assert boards(store) == {JUDGE: 0.5}


def test_what_is_known_of_the_model_and_its_stack_is_kept(store: Store, tmp_path: Path) -> None:
    take(store, inspect_eval(tmp_path / "a.eval", [inspect_sample(0)]))
    [model] = store.models()
    assert (model.name, model.spec.weights) == ("made/up", "name:made/up")
    assert model.spec.decoding == {"temperature": 0.5, "max_tokens": 30}
    assert model.spec.prompting["solvers"] == ["generate"]
    stack = json.loads(store.responses_table("made_up", "1")["stack"][0])
    assert (stack["backend"], stack["versions"]) == ("inspect/made", {"inspect_ai": "0.3.285"})
    [run] = store.runs()
    assert run.configuration["when"] == "2026-01-02T03:04:05+00:00"


def test_epochs_are_samples(store: Store, tmp_path: Path) -> None:
    samples = [inspect_sample(i, epoch) for epoch in (1, 2) for i in range(2)]
    samples[3]["scores"]["match"]["value"] = "C"
    take(store, inspect_eval(tmp_path / "a.eval", samples))
    assert sorted(store.responses_table("made_up", "1")["sample"]) == [0, 0, 1, 1]
    assert boards(store) == {JUDGE: 0.75}


def test_an_error_is_a_failure_and_no_score(store: Store, tmp_path: Path) -> None:
    key = "sk-0123456789abcdef"
    failed = inspect_sample(
        2, error={"message": f"boom {key}", "traceback": "…"}, scores={}, output={"choices": []}
    )
    path = inspect_eval(tmp_path / "a.eval", [inspect_sample(0), failed])
    assert take(store, path) == (3, 3)
    assert take(store, path) == (3, 0)
    failures = store.failures("made_up", "1")
    assert (failures["item_id"], failures["message"]) == (["2"], ["boom ***"])
    assert failures["attempts"] == [1]
    [board] = leaderboards(store, "made_up")
    assert (board.rows[0].leading.value, board.rows[0].leading.missing) == (1.0, 1)


def test_an_error_is_forgotten_once_there_is_an_answer(store: Store, tmp_path: Path) -> None:
    failed = inspect_sample(0, error={"message": "boom"}, scores={}, output={"choices": []})
    first = inspect_eval(tmp_path / "1.eval", [failed])
    later = inspect_head(created="2026-01-03T03:04:05+00:00")
    second = inspect_eval(tmp_path / "2.eval", [inspect_sample(0)], later)
    assert [take(store, path) for path in (first, second, first)] == [(1, 1), (2, 2), (1, 0)]
    assert store.failures("made_up", "1")["item_id"] == []
    assert len(store.runs()) == 2


def test_an_error_that_was_scored_counts(store: Store, tmp_path: Path) -> None:
    scored = inspect_sample(1, error={"message": "late"})
    assert take(store, inspect_eval(tmp_path / "a.eval", [scored])) == (2, 2)
    assert boards(store) == {JUDGE: 0.0}


@pytest.mark.parametrize(
    ("values", "kind", "mean"),
    [
        (["C", "I"], "label", 0.5),
        (["C", "N"], "label", 0.5),
        (["C", "P"], "score", 0.75),
        ([True, False], "label", 0.5),
        ([1, 0], "label", 0.5),
        (["yes", "No"], "label", 0.5),
        ([0.25, 1], "score", 0.625),
        (["3", 7], "score", 5.0),
    ],
)
def test_scores_are_read_as_inspects_accuracy_reads_them(
    store: Store, tmp_path: Path, values: list[Any], kind: str, mean: float
) -> None:
    samples = [
        inspect_sample(i, scores={"match": {"value": value}}) for i, value in enumerate(values)
    ]
    take(store, inspect_eval(tmp_path / "a.eval", samples))
    assert set(store.verdicts("made_up", "1")["kind"]) == {kind}
    assert boards(store) == {JUDGE: pytest.approx(mean, abs=1e-12)}


def test_letters_are_on_a_scale_from_0_to_1(store: Store, tmp_path: Path) -> None:
    samples = [
        inspect_sample(i, scores={"match": {"value": v}, "other": {"value": 0.5}})
        for i, v in enumerate("CP")
    ]
    take(store, inspect_eval(tmp_path / "a.eval", samples))
    table = store.verdicts("made_up", "1")
    assert set(zip(table["judge"], table["low"], table["high"], strict=True)) == {
        (JUDGE, 0.0, 1.0),
        ("inspect/other", -math.inf, math.inf),
    }


def test_partial_credit_makes_scores_of_whole_ones_too(store: Store, tmp_path: Path) -> None:
    head = inspect_head(scorers=[{"name": "match", "options": {"partial_credit": True}}])
    take(store, inspect_eval(tmp_path / "a.eval", [inspect_sample(0)], head))
    assert store.verdicts("made_up", "1")["kind"] == ["score"]


def test_what_was_not_scored_is_unreadable(store: Store, tmp_path: Path) -> None:
    values: list[Any] = ["C", math.nan, None, "A>>B"]
    samples = [
        inspect_sample(i, scores={"match": {"value": value, "reason": "parse_error"}})
        for i, value in enumerate(values)
    ]
    take(store, inspect_eval(tmp_path / "a.eval", samples))
    table = store.verdicts("made_up", "1")
    assert sorted(table["kind"]) == ["label", *["unreadable"] * 3]
    assert "parse_error: nan is no number" in table["reason"]


def test_parts_of_a_score_are_judges_and_lists_are_left_out(store: Store, tmp_path: Path) -> None:
    scores = {"both": {"value": {"a": 1, "b": 0.5}}, "list": {"value": [1, 2]}}
    path = inspect_eval(tmp_path / "a.eval", [inspect_sample(0, scores=scores)])
    assert warnings(store, path) == ["left out, since no sample has a number of it: inspect/list"]
    assert boards(store) == {"inspect/both/a": 1.0, "inspect/both/b": 0.5}


@pytest.mark.parametrize(
    ("more", "judge"),
    [
        ({"options": {"model": "openai/gpt-4o"}}, "openai/gpt-4o (inspect/model_graded_qa)"),
        ({"options": {"model": ["a/b", "c/d"]}}, "inspect/model_graded_qa"),
        ({"options": {}}, "role/model (inspect/model_graded_qa)"),
        ({}, "role/model (inspect/model_graded_qa)"),
    ],
)
def test_the_model_that_graded_is_named(
    store: Store, tmp_path: Path, more: dict[str, Any], judge: str
) -> None:
    head = inspect_head(
        scorers=[{"name": "inspect_ai/model_graded_qa", **more}],
        model_roles={"grader": {"model": "role/model"}},
    )
    sample = inspect_sample(0, scores={"model_graded_qa": {"value": "C"}})
    take(store, inspect_eval(tmp_path / "a.eval", [sample], head))
    assert boards(store) == {judge: 1.0}


def test_no_log_makes_a_judge_that_is_read_as_a_panel(store: Store, tmp_path: Path) -> None:
    scorers = [{"name": "inspect_ai/model_graded_qa", "options": {"model": "panel/mean(a,b)"}}]
    sample = inspect_sample(0, scores={"model_graded_qa": {"value": "C"}})
    path = inspect_eval(tmp_path / "a.eval", [sample], inspect_head(scorers=scorers))
    with pytest.raises(InputError, match=r"a\.eval: judge: .* would be taken for a panel"):
        take(store, path)
    assert store.judges() == []


def test_messages_choices_and_attachments_make_the_item(store: Store, tmp_path: Path) -> None:
    sample = inspect_sample(
        0,
        input=[
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Which?"},
                    {"type": "image", "image": "data:"},
                ],
            },
            {"role": "tool", "content": "attachment://abc"},
        ],
        attachments={"abc": "a long text"},
        choices=["red", "blue"],
        target="B",
    )
    take(store, inspect_eval(tmp_path / "a.eval", [sample]))
    [item] = store.items("made_up", "1")
    assert [(turn.role, turn.content) for turn in item.turns] == [
        ("system", "Be brief."),
        ("user", "Which?\n[image]"),
        ("user", "a long text"),
    ]
    assert (item.options, item.references) == (("red", "blue"), ("blue",))


def test_reasoning_cuts_and_refusals_are_told_apart(store: Store, tmp_path: Path) -> None:
    def answered(i: int, reason: str, content: Any) -> dict[str, Any]:
        choice = {"message": {"content": content}, "stop_reason": reason}
        usage = {"input_tokens": 3, "input_tokens_cache_read": 4, "output_tokens": 1}
        return inspect_sample(i, output={"choices": [choice], "usage": usage})

    thought = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "so"}]
    samples = [
        answered(0, "stop", thought),
        answered(1, "max_tokens", "and then"),
        answered(2, "content_filter", "no"),
        answered(3, "stop", ""),
        answered(4, "unknown", "what there is"),
    ]
    take(store, inspect_eval(tmp_path / "a.eval", samples))
    answers = store.responses_table("made_up", "1")
    assert answers["status"] == ["ok", "truncated", "refused", "empty", "end_unknown"]
    assert answers["text"][0] == "so"
    assert answers["reasoning"][0] == "hm"
    assert set(answers["prompt_tokens"]) == {7}


# nights -----------------------------------------------------------------------------------------


def test_other_answers_under_one_name_are_another_version(store: Store, tmp_path: Path) -> None:
    inspect_eval(tmp_path / "logs" / "b.eval", [inspect_sample(0)])
    later = inspect_head(created="2026-01-03T03:04:05+00:00")
    worse = inspect_sample(0, scores={"match": {"value": "I"}})
    inspect_eval(tmp_path / "logs" / "a.eval", [worse], later)
    assert take(store, tmp_path / "logs") == (4, 4)
    assert take(store, tmp_path / "logs") == (4, 0)
    [board] = leaderboards(store, "made_up")
    assert sorted(row.leading.value for row in board.rows) == [0.0, 1.0]
    assert [run.configuration["when"][:10] for run in store.runs()] == ["2026-01-02", "2026-01-03"]


def test_a_log_that_was_not_finished_is_said(store: Store, tmp_path: Path) -> None:
    head = {**inspect_head(), "status": "cancelled", "invalidated": True}
    path = inspect_eval(tmp_path / "a.eval", [inspect_sample(0)], head)
    first, second = warnings(store, path)
    assert first.startswith("the log was not finished (status 'cancelled')")
    assert "of 4 samples" in first
    assert "invalid" in second


def test_a_log_that_has_only_begun_is_read(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.eval"
    head = {name: value for name, value in inspect_head().items() if name != "status"}
    with zipfile.ZipFile(path, "w") as log:
        add_member(log, "_journal/start.json", json.dumps(head).encode())
        add_member(log, "samples/0_epoch_1.json", json.dumps(inspect_sample(0)).encode())
    assert take(store, path) == (2, 2)


def test_the_last_member_of_a_name_counts(store: Store, tmp_path: Path) -> None:
    path = inspect_eval(tmp_path / "a.eval", [inspect_sample(0)])
    corrected = inspect_sample(0, scores={"match": {"value": "I"}})
    with zipfile.ZipFile(path, "a") as log, pytest.warns(UserWarning, match="Duplicate name"):
        log.writestr("samples/0_epoch_1.json", json.dumps(corrected))
    take(store, path)
    assert boards(store) == {JUDGE: 0.0}


# what is wrong ----------------------------------------------------------------------------------


@over_rows(
    ("more", "said"),
    [
        ({"id": None}, "id: a text or a number"),
        ({"id": "a\0b"}, "NUL character"),
        ({"epoch": 0}, "epoch: a whole number from 1"),
        ({"epoch": "1"}, "epoch: a whole number from 1"),
        ({"input": None}, "input: a text or a list"),
        ({"scores": []}, None),
        ({"scores": ["C"]}, "scores: an object"),
        ({"scores": {"match": "C"}}, "scores: 'match': an object"),
    ],
)
def test_a_sample_that_cannot_be_used_is_named(
    tmp_path: Path, more: dict[str, Any], said: str | None
) -> None:
    logs = [
        inspect_eval(tmp_path / "a.eval", [inspect_sample(0, **more)]),
        inspect_json(tmp_path / "a.json", [inspect_sample(0, **more)]),
    ]
    for path in logs:
        with pytest.raises(InputError, match=f"{path.name}: .*{said or 'scores'}"):
            read_inspect([path], known_items=nobody)


def test_a_sample_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    path = inspect_json(tmp_path / "a.json", [inspect_sample(0), inspect_sample(0)])
    with pytest.raises(InputError, match=r"sample 2: item '0' stands in .*sample 1 already"):
        read_inspect([path], known_items=nobody)


@over_rows("keep", [0.3, 0.7, 0.999])
@over_rows("suffix", [".eval", ".json"])
def test_a_log_cut_off_is_refused(tmp_path: Path, keep: float, suffix: str) -> None:
    samples = [inspect_sample(i) for i in range(3)]
    path = tmp_path / f"a{suffix}"
    (inspect_eval if suffix == ".eval" else inspect_json)(path, samples)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(InputError, match=rf"a\{suffix}.*fetch it again"):
        read_inspect([path], known_items=nobody)


@over_rows(
    ("text", "said"),
    [
        ("[]", "'{' has to stand here"),
        ("{}", "'eval' is missing"),
        ('{"eval": {}, "samples": [1]}', "eval: task: is missing"),
        ('{"eval": {"task": "t"}}', "eval: model: is missing"),
        ('{"eval": {"task": "t", "model": "m"}, "samples": [1]}', "sample 1: an object"),
        ('{"eval": {"task": "t", "model": "m"}, "samples": []}', "there is no sample in it"),
        ('{"eval": {"task": "a@b", "model": "m"}, "samples": [{}]}', "has an '@'"),
        ('{"eval" 1}', "':' has to stand here"),
        ("{1: 2}", "the name of a member"),
        ('{"eval": {"task": "t", "model": "m"}, "samples": [}', "this is not JSON"),
        ("\xff", "no UTF-8"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(InputError, match=f"a.json.*{said}"):
        read_inspect([path], known_items=nobody)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    for name in ("a.eval", "a.json"):
        with pytest.raises(InputError, match="no such file"):
            read_inspect([tmp_path / name])
    with pytest.raises(UsageError, match=r"\.eval or \.json"):
        read_inspect([tmp_path / "a.jsonl"])
    with pytest.raises(InputError, match="no log of Inspect's"):
        read_inspect([tmp_path])
    with zipfile.ZipFile(tmp_path / "b.eval", "w") as log:
        log.writestr("x", "y")
    with pytest.raises(InputError, match=r"no header\.json in it"):
        read_inspect([tmp_path])


def test_one_name_is_not_given_to_several(tmp_path: Path) -> None:
    inspect_eval(tmp_path / "a.eval", [inspect_sample(0)])
    inspect_eval(tmp_path / "b.eval", [inspect_sample(0)], inspect_head(task="b", model="m"))
    with pytest.raises(UsageError, match="here are 2: b, made_up"):
        read_inspect([tmp_path], benchmark="one")
    with pytest.raises(UsageError, match="here are 2: m, made/up"):
        read_inspect([tmp_path], model="one")


# zip files made to do harm ----------------------------------------------------------------------


@over_rows("method", [ZSTANDARD, zipfile.ZIP_DEFLATED])
def test_a_member_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, method: int) -> None:
    path = inspect_eval(tmp_path / "a.eval", [inspect_sample(0)])
    with zipfile.ZipFile(path, "a") as log:
        add_member(log, "samples/1_epoch_1.json", b" " * (32 << 20), method)
    with pytest.raises(InputError, match="unpacks to more than 256 MB"):
        read_inspect([path], known_items=nobody)


@over_rows("method", [ZSTANDARD, zipfile.ZIP_DEFLATED])
def test_a_member_larger_than_it_says_is_refused(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.eval"
    with zipfile.ZipFile(path, "w") as log:
        add_member(log, "header.json", b" " * (64 << 20), method)
        log.infolist()[0].file_size = 100
    with pytest.raises(InputError, match=r"header\.json.*fetch the file again"):
        read_inspect([path], known_items=nobody)


def test_members_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.eval"
    with zipfile.ZipFile(path, "w") as log:
        add_member(log, "header.json", json.dumps(inspect_head()).encode())
        [first] = log.infolist()
        for i in range(1000):
            again = zipfile.ZipInfo(f"samples/{i}_epoch_1.json")
            for name in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
                setattr(again, name, getattr(first, name))
            again.compress_size = path.stat().st_size or first.compress_size
            log.filelist.append(again)
    with pytest.raises(InputError, match="larger than the file"):
        read_inspect([path], known_items=nobody)


def test_paths_in_a_log_are_names_only(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = inspect_eval(folder / "a.eval", [inspect_sample(0)])
    with zipfile.ZipFile(path, "a") as log:
        for name in ("../outside.json", "/tmp/outside.json", "samples/../../outside.json"):
            add_member(log, name, b"{}")
    assert take(store, path) == (2, 2)
    assert sorted(file.name for file in tmp_path.rglob("*.json")) == []


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = inspect_eval(tmp_path / "a.eval", [inspect_sample(0)], method=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b'"value": "C"', b'"value": "I"', 1))
    with pytest.raises(InputError, match=r"samples/0_epoch_1\.json.*fetch the file again"):
        read_inspect([path], known_items=nobody)


def test_an_encrypted_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.eval"
    with zipfile.ZipFile(path, "w") as log:
        add_member(log, "header.json", b"{}")
        log.infolist()[0].flag_bits |= 1
    with pytest.raises(InputError, match="is encrypted"):
        read_inspect([path], known_items=nobody)


def test_several_frames_of_zstandard_are_one_member(tmp_path: Path) -> None:
    import pyarrow as pa

    halves = [b"a" * 1000, b"b" * 1000]
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as log:
        info = zipfile.ZipInfo("x")
        log.writestr(info, b"".join(pa.compress(h, codec="zstd", asbytes=True) for h in halves))
        info.compress_type, info.file_size = ZSTANDARD, 2000
        info.CRC = zlib.crc32(b"".join(halves))
    with zip_members(path) as members:
        assert members.read("x") == b"".join(halves)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(data=st.data())
def test_any_log_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    sample, head = inspect_sample(0), inspect_head()
    output = sample["output"]
    for into in (
        sample,
        output,
        output["choices"][0],
        sample["scores"]["match"],
        head["eval"],
        head,
    ):
        for field in data.draw(st.lists(st.sampled_from(sorted(into)), max_size=1)):
            into[field] = data.draw(anything)
    folder = tmp_path_factory.mktemp("log")
    path = inspect_json(folder / "a.json", [sample], head)
    with open_store(str(folder / "s.db")) as store:
        try:
            rows, new = take(store, path)
        except InputError as error:
            assert str(path) in str(error)
        else:
            assert rows == new
            assert take(store, path) == (rows, 0)


@given(content=st.binary(max_size=300))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("log")
    for suffix in (".eval", ".json"):
        path = folder / f"a{suffix}"
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"a{suffix}"):
            read_inspect([path], known_items=nobody)
