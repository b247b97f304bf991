"""lm-eval's output folders: items, answers and metrics out of its samples."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.errors import InputError, UsageError
from judgebench.exchange import evaluations
from judgebench.exchange.lm_eval import read_lm_eval
from judgebench.records import Item, Message
from judgebench.reports.leaderboard import leaderboards
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.unit.evaluated import (
    WHEN,
    lm_eval_choice,
    lm_eval_line,
    lm_eval_results,
    lm_eval_run,
)

KEY = "sk-0123456789abcdef"
LATER = "2026-01-03T03-04-05.678901"


def nobody(benchmark: str, version: str) -> None:
    """The benchmark's data is not here."""


def take(store: Store, *paths: Path, **more: Any) -> tuple[int, int]:
    """How many answers and verdicts there were, and how many of them were new."""
    reports = [
        taking.take_in(store) for taking in read_lm_eval(paths, **{"known_items": nobody, **more})
    ]
    return sum(r.rows for r in reports), sum(r.new for r in reports)


def warnings(store: Store, *paths: Path) -> list[str]:
    taken = [taking.take_in(store) for taking in read_lm_eval(paths, known_items=nobody)]
    return [warning for report in taken for warning in report.warnings]


def boards(store: Store, benchmark: str) -> dict[str, dict[str, float]]:
    """By judge, the leading number of each model."""
    return {
        board.judge: {row.model: row.leading.value for row in board.rows}
        for board in leaderboards(store, benchmark)
    }


def test_items_answers_and_metrics_come_out_of_one_line(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    lm_eval_run(folder / "org__tiny", map(lm_eval_line, range(4)), lm_eval_results(4))
    assert take(store, folder) == (8, 8)
    assert take(store, folder) == (8, 0)

    items = store.items("made_up", "2")
    assert [item.id for item in items] == ["0", "1", "2", "3"]
    assert items[1].question == "What is number 1?"
    assert items[1].references == ("thing 1",)
    answers = store.responses_table("made_up", "2")
    assert answers["text"] == [f"thing {i}" for i in range(4)]
    assert set(answers["model"]) == {"org/tiny"}
    assert boards(store, "made_up") == {"lm-eval/exact_match,none": {"org/tiny": 0.5}}


def test_what_is_known_of_the_model_and_its_stack_is_kept(store: Store, tmp_path: Path) -> None:
    lm_eval_run(tmp_path / "out", [lm_eval_line(0, right=True)], lm_eval_results(1))
    take(store, tmp_path / "out")
    [model] = store.models()
    assert model.spec.weights == "name:org/tiny"
    assert model.spec.prompting == {"fewshot": 0, "chat_template_sha": "c" * 64}
    assert model.spec.decoding == {"until": ["\n"], "max_gen_toks": 8, "do_sample": False}
    assert model.tags == {"night": WHEN}
    table = store.responses_table("made_up", "2")
    stack = json.loads(table["stack"][0])
    assert (stack["backend"], stack["dtype"], stack["batch_size"]) == ("hf", "float32", "8")
    assert stack["versions"] == {
        "lm_eval": "0.4.13",
        "transformers": "5.24.0",
        "torch": "2.13.0+cpu",
    }
    [run] = store.runs()
    assert run.configuration["when"] == WHEN
    assert len(run.configuration["files"]) == 2


def test_a_commit_on_the_hub_is_the_model(store: Store, tmp_path: Path) -> None:
    config = {
        "model": "hf",
        "model_args": "pretrained=org/tiny,dtype=float16,peft=org/adapter,api_key=" + KEY,
        "model_sha": "a" * 40,
    }
    lm_eval_run(tmp_path / "out", [lm_eval_line(0)], lm_eval_results(1, config=config))
    take(store, tmp_path / "out")
    [model] = store.models()
    assert model.spec.weights == f"hub:org/tiny@{'a' * 40} peft=org/adapter"
    assert "sk-0123" not in repr((model, store.runs()))


def test_repeats_are_samples_and_filters_stay_apart(store: Store, tmp_path: Path) -> None:
    said = [["one", "two", "two"]]
    lines = [
        lm_eval_line(i, resps=said, filter=name, exact_match=float(name == "vote"))
        for name in ("first", "vote")
        for i in range(2)
    ]
    lm_eval_run(tmp_path / "out", lines, lm_eval_results(2))
    assert take(store, tmp_path / "out") == (6 + 4, 10)
    assert take(store, tmp_path / "out") == (10, 0)
    answers = store.responses_table("made_up", "2")
    assert sorted(zip(answers["item_id"], answers["sample"], answers["text"], strict=True)) == [
        (item, sample, text) for item in "01" for sample, text in enumerate(said[0])
    ]
    assert boards(store, "made_up") == {
        "lm-eval/exact_match,first": {"org/tiny": 0.0},
        "lm-eval/exact_match,vote": {"org/tiny": 1.0},
    }


def test_likelihoods_have_metrics_and_no_answer(store: Store, tmp_path: Path) -> None:
    lm_eval_run(tmp_path / "out", map(lm_eval_choice, range(4)), lm_eval_results(4))
    [said] = warnings(store, tmp_path / "out")
    assert said == "left out, since no sample has a number of it: lm-eval/f1,none"
    assert store.responses_table("made_up", "2")["text"] == []
    item = store.items("made_up", "2")[1]
    assert (item.question, item.options, item.references) == ("Question 1", ("yes", "no"), ("no",))
    assert boards(store, "made_up") == {"lm-eval/acc,none": {"org/tiny": 0.5}}


def test_numbers_are_scores_on_the_scale_that_is_known(store: Store, tmp_path: Path) -> None:
    lines = [
        lm_eval_line(i, metrics=["f1", "rating"], f1=[0.25, 1.0][i], rating=[3, 4.5][i])
        for i in range(2)
    ]
    lm_eval_run(tmp_path / "out", lines, lm_eval_results(2))
    take(store, tmp_path / "out")
    table = store.verdicts("made_up", "2")
    scales = set(zip(table["judge"], table["low"], table["high"], strict=True))
    assert scales == {
        ("lm-eval/f1,none", 0.0, 1.0),
        ("lm-eval/rating,none", -math.inf, math.inf),
    }
    found = boards(store, "made_up")
    assert found["lm-eval/f1,none"] == {"org/tiny": 0.625}
    assert found["lm-eval/rating,none"] == {"org/tiny": 3.75}


def test_a_share_is_a_score_also_where_each_is_whole(store: Store, tmp_path: Path) -> None:
    lines = [lm_eval_line(i, metrics=["f1"], f1=float(i)) for i in range(2)]
    lm_eval_run(tmp_path / "out", lines, lm_eval_results(2))
    take(store, tmp_path / "out")
    assert set(store.verdicts("made_up", "2")["kind"]) == {"score"}


def test_a_metric_is_read_as_on_earlier_nights(store: Store, tmp_path: Path) -> None:
    def night(when: str, values: tuple[float, ...]) -> Path:
        lines = [
            lm_eval_line(i, text=f"{when} {i}", metrics=["good"], good=value)
            for i, value in enumerate(values)
        ]
        return lm_eval_run(tmp_path / when, lines, lm_eval_results(2), when=when)

    assert warnings(store, night(WHEN, (0.5, 1.0))) == []
    assert warnings(store, night(LATER, (0.0, 1.0))) == []
    assert set(store.verdicts("made_up", "2")["kind"]) == {"score"}


def test_a_metric_that_turns_out_to_be_a_score_is_warned_of(store: Store, tmp_path: Path) -> None:
    first = lm_eval_run(tmp_path / "1", [lm_eval_line(0, metrics=["good"], good=1)])
    later = lm_eval_run(tmp_path / "2", [lm_eval_line(0, text="x", metrics=["good"], good=0.5)])
    take(store, first, model="m")
    [report] = [
        taking.take_in(store) for taking in read_lm_eval([later], model="n", known_items=nobody)
    ]
    assert any("not on the same board" in warning for warning in report.warnings)


def test_no_number_is_unreadable_and_counted(store: Store, tmp_path: Path) -> None:
    lines = [lm_eval_line(0, right=True), lm_eval_line(1, exact_match=math.nan)]
    lm_eval_run(tmp_path / "out", lines, lm_eval_results(2))
    take(store, tmp_path / "out")
    table = store.verdicts("made_up", "2")
    assert sorted(table["kind"]) == ["label", "unreadable"]
    assert "nan is no number" in table["reason"]
    [board] = leaderboards(store, "made_up")
    assert (board.rows[0].leading.value, board.rows[0].leading.missing) == (1.0, 1)


def test_the_reasoning_is_no_part_of_the_answer(store: Store, tmp_path: Path) -> None:
    lines = [
        lm_eval_line(0, text="<think>a town?</think> thing 0"),
        lm_eval_line(1, text="<think>on and on"),
    ]
    lm_eval_run(tmp_path / "out", lines, lm_eval_results(2))
    take(store, tmp_path / "out")
    answers = store.responses_table("made_up", "2")
    assert answers["text"] == ["thing 0", ""]
    assert answers["reasoning"] == ["a town?", "on and on"]
    assert answers["status"] == ["ok", "no_final_answer"]


# nights -----------------------------------------------------------------------------------------


def test_a_night_on_which_nothing_changed_is_a_run(store: Store, tmp_path: Path) -> None:
    for when in (WHEN, LATER):
        lm_eval_run(tmp_path / "out", map(lm_eval_line, range(3)), lm_eval_results(3), when=when)
    for new in (6, 0):
        assert take(store, tmp_path / "out") == (12, new)
        assert [run.configuration["when"] for run in store.runs()] == [WHEN, LATER]
    assert len(store.models()) == 1
    table = store.verdicts("made_up", "2")
    assert set(table["run_id"]) == {store.runs()[1].id}
    assert len(table["run_id"]) == 3


def test_other_answers_under_one_name_are_another_version(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    lm_eval_run(out, [lm_eval_line(i) for i in range(4)], lm_eval_results(4))
    lm_eval_run(
        out,
        [lm_eval_line(i, text="x", right=True) for i in range(4)],
        lm_eval_results(4),
        when=LATER,
    )
    assert take(store, out) == (16, 16)
    assert take(store, out) == (16, 0)
    assert [model.name for model in store.models()] == ["org/tiny"] * 2
    assert sorted(boards(store, "made_up")["lm-eval/exact_match,none"].values()) == [0.5, 1.0]
    assert [run.configuration["when"] for run in store.runs()] == [WHEN, LATER]


def test_other_marks_without_answers_are_another_version(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    lm_eval_run(out, map(lm_eval_choice, range(4)), lm_eval_results(4))
    better = [lm_eval_choice(i, acc=1.0) for i in range(4)]
    lm_eval_run(out, better, lm_eval_results(4), when=LATER)
    assert take(store, out) == (8, 8)
    assert sorted(boards(store, "made_up")["lm-eval/acc,none"].values()) == [0.5, 1.0]


def test_one_run_with_two_accounts_of_itself_is_refused(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = lm_eval_run(out, [lm_eval_line(0)], lm_eval_results(1))
    take(store, path)
    lm_eval_run(out, [lm_eval_line(0, text="second")], lm_eval_results(1))
    take(store, path)  # another version of the name
    lm_eval_run(out, [lm_eval_line(0, text="third")], lm_eval_results(1))
    with pytest.raises(InputError, match=r"jsonl:1: the store has another answer.*--model NAME"):
        take(store, path)
    assert take(store, path, model="third") == (2, 2)


def test_more_of_a_run_is_added_to_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluations, "PORTION", 100)
    out = tmp_path / "out"
    filters = ("a", "b")
    lines = [lm_eval_line(i, filter=name) for name in filters for i in range(150)]
    path = lm_eval_run(out, [line for line in lines if line["doc_id"] < 100])
    assert take(store, path) == (300, 300)
    lm_eval_run(out, lines)
    assert take(store, path) == (450, 150)
    assert take(store, path) == (450, 0)


def test_a_question_that_changed_is_refused_and_nothing_is_kept(
    store: Store, tmp_path: Path
) -> None:
    lm_eval_run(tmp_path / "1", map(lm_eval_line, range(3)), lm_eval_results(3))
    take(store, tmp_path / "1")
    other = [lm_eval_line(0, text="x"), lm_eval_line(1, doc={"question": "Who?"})]
    lm_eval_run(tmp_path / "2", other, lm_eval_results(2, model="org/other"), when=LATER)
    with pytest.raises(InputError, match=r"item '1' of made_up@2 differs.*--benchmark made_up@"):
        take(store, tmp_path / "2")
    assert [model.name for model in store.models()] == ["org/tiny"]
    assert len(store.runs()) == 1
    assert take(store, tmp_path / "2", benchmark="made_up", version="3") == (4, 4)


# items ------------------------------------------------------------------------------------------


def test_an_id_of_the_documents_own_is_the_items(store: Store, tmp_path: Path) -> None:
    lines = [lm_eval_line(i, doc={"id": f"x{i}", "question": f"{i}?"}) for i in range(3)]
    lm_eval_run(tmp_path / "out", lines, lm_eval_results(3))
    take(store, tmp_path / "out")
    assert [item.id for item in store.items("made_up", "2")] == ["x0", "x1", "x2"]


def test_an_id_that_does_not_tell_documents_apart_is_none(store: Store, tmp_path: Path) -> None:
    lines = [lm_eval_line(i, doc={"id": f"x{i // 2}", "question": f"{i}?"}) for i in range(3)]
    lm_eval_run(tmp_path / "out", lines, lm_eval_results(3))
    take(store, tmp_path / "out")
    assert [item.id for item in store.items("made_up", "2")] == ["0", "1", "2"]


def test_a_document_without_a_question_is_shown_whole(store: Store, tmp_path: Path) -> None:
    lm_eval_run(tmp_path / "out", [lm_eval_line(0, doc={"b": 1, "a": "x"})], lm_eval_results(1))
    take(store, tmp_path / "out")
    assert store.items("made_up", "2")[0].question == '{"a": "x", "b": 1}'


def known_item(benchmark: str, version: str) -> dict[str, Item]:
    asked = Message(role="user", content="Which one?")
    return {"0": Item(benchmark=benchmark, version=version, id="0", turns=(asked,))}


def test_items_that_the_benchmark_does_not_have_are_refused(store: Store, tmp_path: Path) -> None:
    path = lm_eval_run(tmp_path / "out", map(lm_eval_line, range(2)), lm_eval_results(2))
    with pytest.raises(InputError, match=r"jsonl:2: '1' is no item of made_up@2"):
        take(store, path, known_items=known_item)
    assert take(store, path, known_items=known_item, allow_unknown_items=True) == (4, 4)
    asked = [item.question for item in store.items("made_up", "2")]
    assert asked == ["Which one?", "What is number 1?"]


def test_a_task_in_a_benchmarks_folder_is_that_benchmark(store: Store, tmp_path: Path) -> None:
    line = lm_eval_line(0, doc={"id": "nobody has this id", "question": "?"})
    path = lm_eval_run(tmp_path / "out", [line], task="trivia_judging_mini_base")
    with pytest.raises(InputError, match="is no item of trivia_judging_mini@1"):
        read_lm_eval([path])


# what is wrong ----------------------------------------------------------------------------------


def test_the_mean_that_lm_eval_printed_is_checked(store: Store, tmp_path: Path) -> None:
    lm_eval_run(tmp_path / "out", [lm_eval_line(0, right=True)], lm_eval_results(1))
    [said] = warnings(store, tmp_path / "out")
    assert said.startswith("lm-eval/exact_match,none: the mean over samples is 1, the log itself")


def test_without_results_the_folder_names_the_model(store: Store, tmp_path: Path) -> None:
    path = lm_eval_run(tmp_path / "org__tiny", [lm_eval_line(0)])
    [said] = warnings(store, path)
    assert "the model is called 'org__tiny'" in said
    assert store.benchmarks() == [("made_up", "unversioned")]


def test_a_file_of_results_stands_for_its_samples(store: Store, tmp_path: Path) -> None:
    lm_eval_run(tmp_path / "out", [lm_eval_line(0)], lm_eval_results(1))
    assert take(store, tmp_path / "out" / f"results_{WHEN}.json") == (2, 2)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"doc": {}}], ":1: doc_id: is missing"),
        ([lm_eval_line(0, doc_id=None)], ":1: doc_id: is missing"),
        ([lm_eval_line(0, doc_id=[1])], ":1: doc_id: a text has to stand here"),
        ([lm_eval_line(0, doc_id="a\0")], "NUL character"),
        ([lm_eval_line(0), lm_eval_line(0)], ":2: item '0' stands in .*:1 already"),
        (
            [lm_eval_line(0), lm_eval_line(0, filter="b", resps=[["other"]])],
            ":2: another question, reference or answer of item '0'",
        ),
        ([lm_eval_line(0, metrics="acc")], ":1: metrics: a list of names"),
        ([lm_eval_line(0, metrics=["\ud800"], **{"\ud800": 1})], "half a surrogate pair"),
        ([lm_eval_line(0, resps=[[{"text": "x"}]])], ":1: resps: lists of texts"),
        ([{"doc_id": 0}], ":1: doc: is missing, and so is the prompt"),
        ([], "there is no row in it"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, lines: Any, said: str) -> None:
    path = lm_eval_run(tmp_path / "out", lines)
    with pytest.raises(InputError, match=said):
        read_lm_eval([path], known_items=nobody)


def test_a_file_cut_off_is_refused(tmp_path: Path) -> None:
    path = lm_eval_run(tmp_path / "out", map(lm_eval_line, range(3)), lm_eval_results(3))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(InputError, match=r":3: the last line is cut off"):
        read_lm_eval([path], known_items=nobody)
    path.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])  # at the end of a line
    with pytest.raises(InputError, match="2 documents, but by its results the run had 3"):
        read_lm_eval([path], known_items=nobody)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_lm_eval([tmp_path / "none"])
    with pytest.raises(InputError, match="--log_samples"):
        read_lm_eval([tmp_path])
    (tmp_path / f"results_{WHEN}.json").write_text("{}")
    lm_eval_run(tmp_path, [lm_eval_line(0)], when=LATER)
    with pytest.raises(InputError, match="there are no samples beside it"):
        read_lm_eval([tmp_path])
    other = tmp_path / "answers.jsonl"
    other.write_text("{}\n")
    with pytest.raises(InputError, match="lm-eval's files are called"):
        read_lm_eval([other])


@pytest.mark.parametrize("said", ["{", "[]", '"x"', "\xff"])
def test_broken_results_are_refused(tmp_path: Path, said: str) -> None:
    path = lm_eval_run(tmp_path, [lm_eval_line(0)])
    (tmp_path / f"results_{WHEN}.json").write_bytes(said.encode("latin1"))
    with pytest.raises(InputError, match=f"results_{WHEN}.json"):
        read_lm_eval([path], known_items=nobody)


def test_one_name_is_not_given_to_several(tmp_path: Path) -> None:
    lm_eval_run(tmp_path, [lm_eval_line(0)], task="a")
    lm_eval_run(tmp_path, [lm_eval_line(0)], task="b")
    with pytest.raises(UsageError, match="here are 2: a, b"):
        read_lm_eval([tmp_path], benchmark="one")
    lm_eval_run(tmp_path / "x", [lm_eval_line(0)], lm_eval_results(1, model="org/other"))
    with pytest.raises(UsageError, match="here are 2: org/other"):
        read_lm_eval([tmp_path], model="one")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(data=st.data())
def test_any_line_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    line = lm_eval_choice(0) if data.draw(st.booleans()) else lm_eval_line(0)
    for field in data.draw(st.lists(st.sampled_from(sorted(line)), max_size=3)):
        line[field] = data.draw(anything)
    folder = tmp_path_factory.mktemp("out")
    path = lm_eval_run(folder, [line], lm_eval_results(1))
    with open_store(str(folder / "s.db")) as store:
        try:
            rows, new = take(store, path)
        except InputError as error:
            assert str(path) in str(error)
        else:
            assert rows == new
            assert take(store, path) == (rows, 0)


@given(data=st.data())
def test_any_results_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    results = lm_eval_results(1)
    config = results["config"]
    for into in (results, config):
        for field in data.draw(st.lists(st.sampled_from(sorted(into)), max_size=3)):
            into[field] = data.draw(anything)
    folder = tmp_path_factory.mktemp("out")
    path = lm_eval_run(folder, [lm_eval_line(0)], results)
    with open_store(str(folder / "s.db")) as store:
        try:
            rows, new = take(store, path)
        except InputError as error:
            assert str(folder) in str(error)
        else:
            assert rows == new
            assert take(store, path) == (rows, 0)
