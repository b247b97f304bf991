"""HonestyBench's records of a model: answers, labels and consistency out of one row."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.errors import InputError
from judgebench.exchange.honestybench import model_and_set, read_honestybench, read_records
from judgebench.metrics.intervals import Intervals
from judgebench.records import Item, Message
from judgebench.reports.confidence import confidence_report
from judgebench.store.store import Store
from tests.e2e.runs import typed
from tests.table import over_rows

Record = dict[str, Any]


def record(i: int, **more: Any) -> Record:
    """A made-up record with three samples; odd questions are answered wrong."""
    right = i % 2 == 0
    greedy = f"Town {i}" if right else "No idea, perhaps Town 7"
    return {
        "question": f"Which town has the number {i}?",
        "answer": [f"Town {i}", f"The town {i}"],
        "greedy_response": greedy,
        "greedy_correctness": int(right),
        "greedy_tokens": ["To", "wn", f" {i}"],
        "greedy_logprobs": [-0.1, -0.2, -0.3 - 0.1 * i],
        "greedy_cumulative_logprobs": -0.6 - 0.1 * i,
        "sampling_response": [greedy, greedy.upper(), f"Village {i}"],
        "sampling_correctness": [int(right), int(right), 0],
        "consistency_judgement": [1, 1, 0] if right else [1, 0, 0],
        **more,
    }


def write(path: Path, *records: Record) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return path


def nobody(benchmark: str, version: str) -> None:
    """The benchmark's data is not here."""


def take(store: Store, *paths: Path, **more: Any) -> tuple[int, int]:
    """How many answers and verdicts there were, and how many of them were new."""
    found = read_honestybench(paths, **{"known_items": nobody, **more})
    reports = [take_in(store) for _, take_in in found]
    return sum(r.rows for r in reports), sum(r.new for r in reports)


def test_answers_labels_and_consistency_come_out_of_one_row(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "tiny-model" / "nq.jsonl", *(record(i) for i in range(4)))
    assert take(store, path) == (4 * (4 + 4 + 3), 44)
    assert take(store, path) == (44, 0)

    answers = store.responses_table("honestybench", "1")
    assert set(answers["model"]) == {"tiny-model"}
    greedy = [i for i, sample in enumerate(answers["sample"]) if sample == 0]
    assert [answers["item_id"][i] for i in greedy] == [f"nq/{i}" for i in range(4)]
    assert [answers["logprob"][i] for i in greedy] == pytest.approx([-0.6, -0.7, -0.8, -0.9])
    assert {answers["completion_tokens"][i] for i in greedy} == {3}
    assert {item.metadata["domain"] for item in store.items("honestybench", "1")} == {"in-domain"}
    assert {item.category for item in store.items("honestybench", "1")} == {"nq"}

    verdicts = store.verdicts("honestybench", "1")
    judges = set(zip(verdicts["judge"], verdicts["kind"], strict=True))
    assert judges == {
        ("Qwen2.5-32B-Instruct", "label"),
        ("Qwen2.5-32B-Instruct (consistency)", "score"),
    }


def test_all_confidences_of_the_records_are_measured(store: Store, tmp_path: Path) -> None:
    take(store, write(tmp_path / "tiny" / "nq.jsonl", *(record(i) for i in range(10))))
    report = confidence_report(store, "honestybench", intervals=Intervals(n_replicates=50))
    rows = {row.confidence: row for row in report.rows}
    assert rows.keys() == {"Prob", "N-Prob", "Consis-Lex", "Consis-Sem"}
    assert rows["Consis-Sem"].metrics["auroc"].value == 1.0
    assert rows["Consis-Sem"].samples == (3, 3)
    # Correct answers are those of even numbers; the later, the less likely.
    assert rows["Prob"].metrics["auroc"].value == pytest.approx((5 + 4 + 3 + 2 + 1) / 25)
    prob = [math.exp(-0.6 - 0.1 * i) for i in range(10)]
    brier = sum((p - (i % 2 == 0)) ** 2 for i, p in enumerate(prob)) / 10
    assert rows["Prob"].metrics["brier"].value == pytest.approx(brier, abs=1e-12)
    by_token = sum((p ** (1 / 3) - (i % 2 == 0)) ** 2 for i, p in enumerate(prob)) / 10
    assert rows["N-Prob"].metrics["brier"].value == pytest.approx(by_token, abs=1e-12)


def test_fields_that_are_not_there_are_missing(store: Store, tmp_path: Path) -> None:
    short = {"question": "Where?", "answer": ["There"], "greedy_response": ""}
    half = record(1, greedy_correctness=None, consistency_judgement=[None, 1, 0])
    path = write(tmp_path / "m" / "webq.jsonl", short, half)
    assert take(store, path) == (1 + 4 + 3 + 2, 10)
    answers = store.responses_table("honestybench", "1")
    assert answers["status"][answers["item_id"].index("webq/0")] == "empty"


def known(*questions: str) -> Mapping[str, Item]:
    return {
        f"nq/{i}": Item(
            benchmark="honestybench",
            version="1",
            id=f"nq/{i}",
            turns=(Message(role="user", content=question),),
            references=("x",),
            category="nq",
        )
        for i, question in enumerate(questions)
    }


def test_where_the_data_is_here_the_question_says_which_item_it_is(
    store: Store, tmp_path: Path
) -> None:
    records = [record(i, question=q) for i, q in enumerate(("b", "a", "b"))]
    path = write(tmp_path / "m" / "nq.jsonl", *records)
    at_hand = known("a", "b", "c", "b")
    take(store, path, known_items=lambda *_: at_hand)
    answers = store.responses_table("honestybench", "1")
    said = dict(zip(answers["item_id"], answers["text"], strict=True))
    assert said.keys() == {"nq/0", "nq/1", "nq/3"}
    stored = {item.id: item.question for item in store.items("honestybench", "1")}
    assert stored == {"nq/0": "a", "nq/1": "b", "nq/3": "b"}


def test_unknown_questions_are_refused_unless_asked_for(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "m" / "nq.jsonl", record(0, question="a"), record(1, question="z"))
    at_hand = known("a", "b")
    with pytest.raises(InputError, match=r"nq.jsonl:2: question: 'z' is no item of nq"):
        take(store, path, known_items=lambda *_: at_hand)
    assert store.benchmarks() == []
    take(store, path, known_items=lambda *_: at_hand, allow_unknown_items=True)
    assert len(store.items("honestybench", "1")) == 2


@over_rows(
    ("more", "message"),
    [
        ({"greedy_correctness": 0.5}, "greedy_correctness: 0 or 1"),
        ({"greedy_correctness": "certain"}, "greedy_correctness: 0 or 1"),
        ({"sampling_correctness": [1]}, "sampling_correctness: 1 verdicts about 3 samples"),
        ({"consistency_judgement": [1, 0, 2]}, "consistency_judgement: element 2: 0 or 1"),
        ({"sampling_response": "all in one"}, "sampling_response: a list"),
        ({"sampling_response": ["a", None, "c"]}, "sampling_response: element 1: a text"),
        ({"greedy_response": None}, "greedy_response: is missing"),
        ({"question": " "}, "question: is blank"),
        ({"answer": []}, "answer: a list of accepted answers"),
        ({"greedy_logprobs": [-1.0]}, "greedy_logprobs: 1 numbers for 3 tokens"),
        ({"greedy_logprobs": [-0.1, 0.5, -0.1]}, "greedy_logprobs: element 1: a number of at most"),
        ({"greedy_cumulative_logprobs": 3}, "greedy_cumulative_logprobs: at most 0, not 3"),
        ({"greedy_cumulative_logprobs": -9}, "greedy_cumulative_logprobs: -9, but"),
    ],
)
def test_what_cannot_be_used_is_named_and_nothing_is_stored(
    store: Store, tmp_path: Path, more: Record, message: str
) -> None:
    good = write(tmp_path / "m" / "hq.jsonl", record(0))
    bad = write(tmp_path / "m" / "nq.jsonl", record(0), record(1, **more))
    with pytest.raises(InputError, match=message) as caught:
        take(store, good, bad)
    assert "nq.jsonl:2: " in str(caught.value)
    assert store.benchmarks() == []


def test_what_contradicts_the_store_is_refused(store: Store, tmp_path: Path) -> None:
    take(store, write(tmp_path / "m" / "nq.jsonl", record(0), record(1)))
    before = store.verdicts("honestybench", "1")
    again = tmp_path / "m" / "nq.jsonl"
    for wrong, message in (
        (record(1, question="Another?"), "is another question: 'Which town has the number 1"),
        (record(1, greedy_response="Other"), "the store has other answers of 'm'"),
        (record(1, greedy_correctness=1), "greedy_correctness: 'correct', but the store has"),
        (record(1, consistency_judgement=[0, 0, 0]), "consistency_judgement: score 0, but"),
    ):
        with pytest.raises(InputError, match=message):
            take(store, write(again, record(0), wrong))
    assert store.verdicts("honestybench", "1") == before
    relabelled = write(again, record(0), record(1, greedy_correctness=1))
    assert take(store, relabelled, judge="another") == (22, 14)


@over_rows(
    ("place", "means"),
    [
        ("qwen/nq.jsonl", ("qwen", "nq")),
        ("qwen/2wikimultihopqa/dev.jsonl", ("qwen", "2wiki")),
        ("qwen/data/pararel_patterns_test.parquet", ("data", "pararel")),
        ("llama-hq/complex_web_questions.jsonl", ("llama-hq", "cwq")),
    ],
)
def test_file_and_folders_say_model_and_set(
    tmp_path: Path, place: str, means: tuple[str, str]
) -> None:
    assert model_and_set(tmp_path / place, None, None) == means
    assert model_and_set(tmp_path / place, "m", "tq") == ("m", "tq")
    assert model_and_set(tmp_path / place, "m", None) == ("m", means[1])


def test_names_that_say_nothing_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--set NAME says which one it is"):
        model_and_set(Path("/files/of/mine.jsonl"), None, None)
    with pytest.raises(InputError, match="--model NAME says whose"):
        model_and_set(Path("/nq.jsonl"), None, None)
    loop = tmp_path / "loop.jsonl"
    loop.symlink_to(loop)
    with pytest.raises(InputError, match="--set NAME says which one it is"):
        model_and_set(loop, None, None)
    one, two = (write(tmp_path / d / "nq.jsonl", record(0)) for d in ("a", "b"))
    with pytest.raises(InputError, match="a second file of 'm' on nq"):
        take(store, one, two, model="m")


@given(
    st.dictionaries(
        st.sampled_from(sorted(record(0))),
        st.one_of(
            st.none(),
            st.text(),
            st.integers(),
            st.floats(),
            st.lists(st.one_of(st.none(), st.floats(), st.text(), st.booleans())),
        ),
    )
)
def test_any_record_is_read_or_refused(tmp_path_factory: Any, more: Record) -> None:
    path = tmp_path_factory.mktemp("any") / "nq.jsonl"
    try:
        write(path, record(0, **more))
        (found,) = read_records(path)
    except (InputError, UnicodeEncodeError):
        return
    assert len(found.correct) == len(found.samples) + 1
    assert found.logprob is None or found.logprob <= 0.0


def test_the_command(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    path = write(tmp_path / "files" / "made_up.jsonl", *(record(i) for i in range(6)))
    told = ("--benchmark", "made_up@2", "--model", "tiny", "--set", "towns", "--judge", "J")
    done = typed("import", "honestybench", path, *told, "--store", url)
    assert done.code == 0, done.err
    assert "66 answers and verdicts, 66 new, 0 known already" in done.err
    again = typed("import", "honestybench", path, *told, "--store", url)
    assert "66 answers and verdicts, 0 new, 66 known already" in again.err
    shown = typed("confidence", "made_up", "--store", url, "--format", "json")
    assert shown.code == 0, shown.err
    assert json.loads(shown.out)["correct"] == "J"
    wrong = typed("import", "honestybench", path, "--baseline", "b", "--store", url)
    assert wrong.code == 64
    wrong = typed("import", "verdicts", path, "--set", "nq", "--store", url)
    assert wrong.code == 64
