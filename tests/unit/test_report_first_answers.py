"""What counts where a model's first answer is its answer: boards, lengths, and Prob and N-Prob."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgebench import keys
from judgebench.benchmarks.folder import load_benchmark
from judgebench.execution.manifest import new_manifest
from judgebench.metrics.intervals import Intervals
from judgebench.records import (
    Failure,
    Item,
    JudgeSpec,
    Judgment,
    ModelSpec,
    Response,
    RunVerdict,
    Score,
    Unreadable,
    Usage,
    Verdict,
    VerdictSlot,
)
from judgebench.reports.confidence import ConfidenceReport, confidence_report
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.render import render
from judgebench.stats.confidence import auroc, brier
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.unit.exchanged import import_verdicts, label, rows_file

QUICK = Intervals(n_replicates=60)
HERE = {"benchmark": "honestybench_mini"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    with open_store(str(tmp_path / "s.db")) as opened:
        yield opened


def items(n: int = 6) -> tuple[Item, ...]:
    return tuple(load_benchmark("honestybench_mini").data.items[:n])


def take_in(store: Store, folder: Path, rows: list[dict[str, Any]]) -> None:
    import_verdicts(store, rows_file(folder / "v.jsonl", [row | HERE for row in rows]))


def share(item: str, judge: str, value: float, **more: Any) -> dict[str, Any]:
    scale = {"kind": "score", "low": 0, "high": 1, "value": value}
    return label(item, "m", judge, "") | scale | more


def accuracy(store: Store, benchmark: str = "honestybench_mini") -> tuple[float, int]:
    (board,) = leaderboards(store, benchmark, intervals=QUICK)
    (row,) = board.rows
    found = row.metrics["accuracy"]
    return found.value, found.n


def test_labels_of_further_answers_do_not_move_the_accuracy(store: Store, tmp_path: Path) -> None:
    first = [label(item.id, "m", "J", "correct" if n < 4 else "incorrect")
             for n, item in enumerate(items())]  # fmt: skip
    take_in(store, tmp_path, first)
    assert accuracy(store) == (pytest.approx(4 / 6), 6)
    further = [
        label(item.id, "m", "J", "incorrect", sample=sample)
        for item in items()
        for sample in range(1, 5)
    ]
    take_in(store, tmp_path, further)
    assert accuracy(store) == (pytest.approx(4 / 6), 6)


def test_where_all_answers_are_drawn_alike_they_all_count(store: Store, tmp_path: Path) -> None:
    rows = [
        label(str(n), "m", "J", "correct" if sample else "incorrect", sample=sample)
        for n in range(4)
        for sample in range(4)
    ]
    import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
    value, _ = accuracy(store, "made_up")
    assert value == pytest.approx(3 / 4)


# log-probabilities --------------------------------------------------------------------------------

MODEL = ModelSpec(weights="w")
#: Of six answers: the log-probability, how many tokens, whether it is correct.
GIVEN = [(-0.5, 2, 1), (-1.25, 10, 1), (-3.0, 3, 0), (-0.1, 1, 0), (-2.0, 4, 1), (-6.0, 60, 0)]


def answered(store: Store, *, samples: int = 3) -> bytes:
    """Six answers with what is given of them, and further ones that are not weighed."""
    model = store.put_model("m", MODEL)
    store.put_items(items())
    rows = {}
    for item, (logprob, tokens, _) in zip(items(), GIVEN, strict=True):
        for sample in range(samples):
            rows[keys.content_key("answer", [item.id, sample])] = Response(
                benchmark=item.benchmark,
                version=item.version,
                item_id=item.id,
                model_key=model,
                text="yes" if sample < 2 else "no",
                raw="yes" if sample < 2 else "no",
                sample=sample,
                usage=Usage(completion_tokens=tokens),
                logprob=None if sample else logprob,
            )
    store.put_responses(rows)
    return model


def labelled(store: Store, folder: Path) -> None:
    words = ("incorrect", "correct")
    rows = [
        label(item.id, "m", "J", words[correct])
        for item, (*_, correct) in zip(items(), GIVEN, strict=True)
    ]
    take_in(store, folder, rows)


def report(store: Store, **more: Any) -> ConfidenceReport:
    return confidence_report(
        store, "honestybench_mini", **{"correct": "J", "intervals": QUICK, **more}
    )


def metrics(found: ConfidenceReport, confidence: str) -> Any:
    (row,) = (r for r in found.rows if (r.confidence, r.scope) == (confidence, "all"))
    return row.metrics


def test_prob_and_n_prob_are_what_the_answers_weigh(store: Store, tmp_path: Path) -> None:
    answered(store)
    labelled(store, tmp_path)
    table = store.responses_table("honestybench_mini")
    kept = {
        (item, sample): logprob
        for item, sample, logprob in zip(
            table["item_id"], table["sample"], table["logprob"], strict=True
        )
    }
    for item, (logprob, *_) in zip(items(), GIVEN, strict=True):
        assert [kept[item.id, sample] for sample in range(3)] == [logprob, None, None]
    found = report(store)
    correct = [correct for *_, correct in GIVEN]
    for name, confidence in (
        ("Prob", [math.exp(logprob) for logprob, *_ in GIVEN]),
        ("N-Prob", [math.exp(logprob / tokens) for logprob, tokens, _ in GIVEN]),
    ):
        told = metrics(found, name)
        assert (told["auroc"].n, told["auroc"].missing) == (6, 0)
        assert told["auroc"].value == pytest.approx(float(auroc(confidence, correct)), abs=1e-12)
        assert told["brier"].value == pytest.approx(float(brier(confidence, correct)), abs=1e-12)


def test_an_answer_that_is_not_weighed_lacks_a_confidence(store: Store, tmp_path: Path) -> None:
    model = answered(store, samples=1)
    labelled(store, tmp_path)
    other = items(7)[-1]
    response = Response(
        benchmark=other.benchmark, version=other.version, item_id=other.id, model_key=model,
        text="yes", raw="yes",
    )  # fmt: skip
    store.put_items([other])
    store.put_responses({keys.content_key("answer", "other"): response})
    take_in(store, tmp_path, [label(other.id, "m", "J", "correct")])
    told = metrics(report(store), "Prob")
    assert (told["auroc"].n, told["auroc"].missing) == (6, 1)


# confidences --------------------------------------------------------------------------------------


def place(item: Item, model: bytes, judge: bytes, sample: int) -> VerdictSlot:
    return VerdictSlot(
        benchmark=item.benchmark, version=item.version, item_id=item.id, model_key=model,
        judge_key=judge, sample=sample,
    )  # fmt: skip


def judged(store: Store, model: bytes, spec: JudgeSpec, said: dict[int, list[Verdict]]) -> None:
    """A judge's verdicts on six answers, by sample."""
    judge = store.put_judge("sure", spec)
    run = new_manifest("r", {}, data_sha={}, seed=0)
    store.start_run(run)
    for sample, verdicts in said.items():
        for item, verdict in zip(items(), verdicts, strict=True):
            key = keys.content_key("judgment", [spec.kind, item.id, sample])
            at = place(item, model, judge, sample)
            judgment = Judgment(
                key=key, judge_key=judge, case_key=b"c", verdict=verdict, reply_keys=(), at=0.0
            )
            store.put_judgment(judgment, [RunVerdict(run_id=run.id, place=at, judgment_key=key)])


def shares(*values: float | None) -> list[Verdict]:
    return [
        Unreadable(reason="no score") if value is None else Score(value=value, low=0.0, high=1.0)
        for value in values
    ]


STATED = JudgeSpec(kind="stated_confidence", provider="p", identity="p", model="w")
AGREES = JudgeSpec(kind="consistency", provider="p", identity="p", model="w")


def test_confidences_have_no_board(store: Store, tmp_path: Path) -> None:
    model = answered(store)
    labelled(store, tmp_path)
    judged(store, model, STATED, {0: shares(1, 0.9, 0.2, None, 0.8, 0.1)})
    (board,) = leaderboards(store, "honestybench_mini", intervals=QUICK)
    assert board.judge == "J"
    assert leaderboards(store, "honestybench_mini", judges=["sure"], intervals=QUICK) == ()
    told = metrics(report(store), "sure")
    assert (told["auroc"].value, told["auroc"].n, told["auroc"].missing) == (1.0, 5, 1)
    (unread,) = (one for one in report(store).unread if one.judge == "sure")
    assert (unread.n, unread.of) == (1, 6)


def test_agreement_with_the_first_answer_is_a_share_of_the_further_ones(
    store: Store, tmp_path: Path
) -> None:
    model = answered(store)
    labelled(store, tmp_path)
    said = {1: shares(1, 1, 0, 0, 1, 0), 2: shares(1, None, 0, 1, 0, None)}
    judged(store, model, AGREES, said)
    found = report(store)
    told = metrics(found, "Consis-Sem")
    confidence = [1.0, 1.0, 0.0, 0.5, 0.5, 0.0]
    correct = [correct for *_, correct in GIVEN]
    assert told["auroc"].value == pytest.approx(float(auroc(confidence, correct)), abs=1e-12)
    assert told["brier"].value == pytest.approx(float(brier(confidence, correct)), abs=1e-12)
    (unread,) = (one for one in found.unread if one.judge == "sure")
    assert (unread.n, unread.of) == (2, 12)
    assert "Consis-Sem rests on 1 to 2 samples of an answer" in found.warnings


@pytest.mark.parametrize("spec", [STATED, AGREES])
def test_a_judge_none_of_whose_replies_could_be_read_is_shown_as_that(
    store: Store, tmp_path: Path, spec: JudgeSpec
) -> None:
    model = answered(store)
    labelled(store, tmp_path)
    none = shares(*[None] * 6)
    judged(store, model, spec, {0: none} if spec is STATED else {1: none, 2: none})
    found = report(store)
    told = metrics(found, "sure" if spec is STATED else "Consis-Sem")
    assert math.isnan(told["auroc"].value)
    assert told["auroc"].undefined == "no answer has both a label and a confidence"
    replies = 6 if spec is STATED else 12
    text = render(found.document(), "table")
    assert f"sure: {replies} of {replies} replies could not be read (100.0 %)" in text


def test_a_judge_that_could_not_be_asked_is_shown_as_that(store: Store, tmp_path: Path) -> None:
    model = answered(store)
    labelled(store, tmp_path)
    judge = store.put_judge("sure", STATED)
    for n, item in enumerate(items()):
        at = place(item, model, judge, 0)
        store.put_failure(
            Failure(
                key=keys.content_key("failure", n),
                boundary="provider",
                message="down",
                retriable=True,
                place=at,
            )
        )
    told = metrics(report(store), "sure")
    assert (told["auroc"].n, told["auroc"].missing) == (0, 6)


def test_of_all_judges_some_can_be_chosen(store: Store, tmp_path: Path) -> None:
    """As a run does, whose table is about the judges that it asked."""
    model = answered(store)
    labelled(store, tmp_path)
    take_in(store, tmp_path, [share(item.id, "EliCal", 0.5) for item in items()])
    take_in(store, tmp_path, [label(item.id, "m", "K", "correct") for item in items()])
    judged(store, model, STATED, {0: shares(1, 0.9, 0.2, 0.3, 0.8, 0.1)})
    of = {one.name: one.id for one in store.judges()}
    found = report(store, judges=[of["J"], of["sure"]], correct=None)
    assert found.correct == "J"
    computed = {"Prob", "N-Prob", "Consis-Lex", "Consis-Sem"}
    assert {row.confidence for row in found.rows} == {"sure", *computed}
    everything = report(store)
    assert {row.confidence for row in everything.rows} == {"sure", "EliCal", *computed}


def test_two_versions_of_a_judge_are_two_confidences(store: Store, tmp_path: Path) -> None:
    model = answered(store)
    labelled(store, tmp_path)
    judged(store, model, STATED, {0: shares(1, 0.9, 0.2, 0.3, 0.8, 0.1)})
    judged(store, model, replace(STATED, kind="consistency"), {1: shares(1, 1, 0, 0, 1, 0)})
    stated = {row.confidence for row in report(store).rows if row.confidence.startswith("sure")}
    assert len(stated) == 1
    assert "sure" not in stated  # one name means two judges, and each is shown with its digits
