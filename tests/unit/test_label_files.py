"""Answers as a file that people label anywhere, what comes back of it, and the report."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from judgebench.errors import InputError, UsageError
from judgebench.label_files import (
    draw_labels,
    export_labels,
    import_labels,
    judged_by_people,
    label_page,
    queue_rows,
    read_returned,
)
from judgebench.metrics.correction import sampling_probabilities
from judgebench.records import Verdict
from judgebench.reports.labels import label_report
from judgebench.stats.sampling import alternative_annotator
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.dashboards import label_stores, stores
from tests.dashboards.label_stores import HOSTILE, MODELS

AT = (stores.BENCHMARK, stores.VERSION)
WHERE = "@".join(AT)
N = 40


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    label_stores.fill(tmp_path / "s.db", n_items=N)
    with open_store(str(tmp_path / "s.db")) as opened:
        yield opened


def judged(store: Store, judge: str, said: Mapping[tuple[int, str], Verdict]) -> None:
    label_stores.say(store.url, judge, said)


def given(store: Store, queue: Any, rater: str, values: list[Any], path: Path) -> Path:
    """What the page gives back of the first so many answers."""
    rows = queue_rows(store, queue.record)
    lines = [
        {"queue": queue.queue, "id": row["id"], "rater": rater, "kind": "label", "value": value}
        for row, value in zip(rows, values, strict=False)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_file_names_no_model_and_runs_nothing_that_an_answer_says(tmp_path: Path) -> None:
    url = label_stores.fill(tmp_path / "s.db", n_items=len(HOSTILE), answers=[*HOSTILE.values()])
    label_stores.say(url, "secret-judge", {(0, MODELS[0]): label_stores.RIGHT})
    with open_store(url) as store:
        page = label_page(store, draw_labels(store, WHERE, n=len(HOSTILE) * 2 - 4).record)
    assert not any(name in page for name in (*MODELS, "secret-judge"))
    assert not any(label_stores.model(name).hex()[:6] in page for name in MODELS)
    assert page.count("<script") == 2
    assert page.count("<img") == 0
    assert "\u202e" not in page
    assert "⟨U+202E⟩" in page
    data = page.split('type="application/json">')[1].split("</script>")[0]
    texts = {text for row in json.loads(data)["rows"] for text in row["answers"]}
    assert HOSTILE["script"] in texts


def test_a_draw_is_the_same_again_and_a_larger_one_holds_it(store: Store) -> None:
    found = draw_labels(store, WHERE, n=20)
    assert draw_labels(store, WHERE, n=20).record == found.record
    larger = draw_labels(store, WHERE, n=50)
    cells = {tuple(cell) for cell in found.record["cells"]}
    assert cells < {tuple(cell) for cell in larger.record["cells"]}
    assert sum(run.configuration.get("sampling") is not None for run in store.runs()) == 2


def test_what_comes_back_is_the_raters_and_once_only(store: Store, tmp_path: Path) -> None:
    found = draw_labels(store, WHERE, n=20)
    file = given(store, found, "anna", ["correct", "incorrect"] * 10, tmp_path / "a.jsonl")
    [report] = import_labels([file], store=store).values()
    assert (report.rows, report.new) == (20, 20)
    [again] = import_labels([file], store=store).values()
    assert (again.new, again.known) == (0, 20)
    table = store.verdicts(*AT)
    assert {*table["judge"]} == {"human/anna"}
    cells = [(item, model) for item, model, _ in found.record["cells"]]
    said = dict(
        zip(zip(table["item_id"], table["model_id"], strict=True), table["label"], strict=True)
    )
    assert [said[cell] for cell in cells] == ["correct", "incorrect"] * 10
    model = cells[0][1]
    p = sampling_probabilities(store, *AT, model=model)
    assert p is not None
    assert {*p.values()} == {20 / (2 * N)}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"queue": "0123456789ab"}, "was not drawn from"),
        ({"id": "0123456789abcdef"}, "was it edited"),
        ({"value": "perhaps"}, "no label called"),
        ({"rater": ""}, "--rater NAME"),
    ],
)
def test_a_file_of_another_store_or_with_an_edit_is_refused_whole(
    store: Store, tmp_path: Path, changed: dict[str, str], words: str
) -> None:
    found = draw_labels(store, WHERE, n=4)
    file = given(store, found, "anna", ["correct"] * 4, tmp_path / "a.jsonl")
    good = given(store, found, "bert", ["correct"] * 4, tmp_path / "b.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[2] |= changed
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match=words) as error:
        import_labels([good, file], store=store)
    assert "a.jsonl:3" in str(error.value)
    assert not store.verdicts(*AT)["judge"]


def test_scores_outside_the_scale_are_refused(store: Store, tmp_path: Path) -> None:
    found = draw_labels(store, WHERE, n=3, kind="score")
    with pytest.raises(InputError, match="11 is outside the scale, 1 to 10"):
        import_labels([given(store, found, "anna", [3, 11], tmp_path / "a.jsonl")], store=store)
    import_labels([given(store, found, "anna", [3, 10], tmp_path / "a.jsonl")], store=store)
    assert sorted(store.verdicts(*AT)["value"]) == [3.0, 10.0]


def test_the_left_answer_is_the_one_that_was_shown_left(store: Store, tmp_path: Path) -> None:
    found = draw_labels(store, WHERE, n=20, kind="preference", against=MODELS[0])
    rows = queue_rows(store, found.record)
    # Whoever sees the second model's answer on the left says so.
    values = ["left" if row["answers"][0].startswith("Answer 1") else "right" for row in rows]
    assert {*values} == {"left", "right"}
    import_labels([given(store, found, "anna", values, tmp_path / "a.jsonl")], store=store)
    table = store.verdicts(*AT)
    wins = [
        v if m == MODELS[1] else 1 - v for v, m in zip(table["value"], table["model"], strict=True)
    ]
    assert wins == [1.0] * 20


def test_a_sheet_is_filled_in_and_read_again(store: Store, tmp_path: Path) -> None:
    sheet = tmp_path / "s.csv"
    export_labels(WHERE, sheet, n=5, store=store)
    with sheet.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert not {"model", "judge"} & rows[0].keys()
    for row in rows[:3]:
        row["value"] = "correct"
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    [report] = import_labels([sheet], rater="anna", store=store).values()
    assert report.new == 3


def test_a_sheet_shows_an_answer_as_it_was_and_no_cell_is_a_number_or_formula(
    tmp_path: Path,
) -> None:
    told = ["def f():\n\treturn 1\n", "\t=1+1", "- one\n- two"]
    url = label_stores.fill(tmp_path / "s.db", n_items=3, answers=[*told, *told])
    with open_store(url) as store:
        export_labels(WHERE, tmp_path / "s.csv", n=6, store=store)
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["answer"] for row in rows} == {told[0], "'\t=1+1", "'- one\n- two"}
    for row in rows:  # 884928e12 and 123456789012 are numbers, and come back as other ones
        assert row["queue"][0].isalpha()
        assert row["id"][0] == "a"


def test_a_file_that_cannot_be_written_is_said(store: Store, tmp_path: Path) -> None:
    export_labels(WHERE, tmp_path / "new" / "s.csv", n=5, store=store)
    assert (tmp_path / "new" / "s.csv").is_file()
    with pytest.raises(UsageError, match=r"s.csv: cannot be written: "):
        export_labels(WHERE, tmp_path / "new" / "s.csv" / "s.csv", n=5, store=store)
    with pytest.raises(UsageError, match="nothing can be compared"):
        draw_labels(store, WHERE, n=5, kind="preference", models=[MODELS[0]], against=MODELS[0])


def test_a_file_that_no_draw_gave_back_is_not_read_beyond_its_first_row(
    store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text('{"benchmark": "b"}\n{"queue": "q"}\nno JSON\n')
    assert read_returned(file) is None


def test_what_cannot_be_foretold_of_kappa_has_a_reason(store: Store) -> None:
    judged(store, "j", {(n, MODELS[0]): label_stores.RIGHT for n in range(N)})
    [_, widths] = draw_labels(store, WHERE, n=10).tables()
    assert any("one label only" in note for note in widths.notes)
    judged(store, "k", {(0, MODELS[0]): label_stores.WRONG})
    [_, widths] = draw_labels(store, WHERE, n=10, raters=1).tables()
    assert any("by two people" in note for note in widths.notes)


def test_more_than_there_are_and_fewer_than_strata(store: Store) -> None:
    with pytest.raises(UsageError, match="there are 80; --n 80"):
        draw_labels(store, WHERE, n=81)
    with pytest.raises(UsageError, match="strata"):
        draw_labels(store, WHERE, n=1, sample="stratified", by=["model"])
    with pytest.raises(UsageError, match="nothing says where judges disagree"):
        draw_labels(store, WHERE, n=10, sample="informative")
    with pytest.raises(UsageError, match="did you mean 'secret-model-one'"):
        draw_labels(store, WHERE, n=10, models=["secret-model-on"])


def test_an_overlap_is_what_people_are_held_against_each_other_on(store: Store) -> None:
    found = draw_labels(store, WHERE, n=40, raters=2, overlap=10)
    assert found.overlap == 10
    for width in found.widths:
        assert width.people == pytest.approx(2 * width.judge)  # of a quarter of the answers
    alone = draw_labels(store, WHERE, n=40, raters=1)
    assert all(math.isnan(width.people) for width in alone.widths)
    with pytest.raises(UsageError, match="an overlap of 41"):
        draw_labels(store, WHERE, n=40, overlap=41)


def test_an_informative_sample_has_more_of_what_judges_differ_on(store: Store) -> None:
    for judge in ("one", "two"):
        differs = judge == "two"
        judged(store, judge, {
            (i, name): label_stores.RIGHT if not (differs and i < 8) else label_stores.WRONG
            for i in range(N) for name in MODELS
        })  # fmt: skip
    found = draw_labels(store, WHERE, n=20, sample="informative")
    probability = {one.name: one.probability for one in found.strata}
    low, high = sorted(probability.values())
    assert high > 2 * low
    assert found.effective < 20
    drawn = Counter(int(item) < 8 for item, _, _ in found.record["cells"])
    assert drawn[True] / 16 == pytest.approx(high)


# the report ---------------------------------------------------------------------------------------


def filled(store: Store, raters: int, folder: Path, *, overlap: bool = True) -> None:
    """People who are right in 85 of 100, all about everything or each about a part; j is right."""
    rng = np.random.default_rng(7)
    found = draw_labels(store, WHERE, n=2 * N)
    truth = rng.random(2 * N) < 0.5
    for n in range(raters):
        says = truth == (rng.random(2 * N) < 0.85)
        values = ["correct" if right else "incorrect" for right in says]
        file = given(store, found, f"r{n}", values, folder / f"r{n}.jsonl")
        if not overlap:
            file.write_text("\n".join(file.read_text().splitlines()[n::raters]))
        import_labels([file], store=store)
    names = {label_stores.model(name).hex()[:12]: name for name in MODELS}
    judged(store, "j", {
        (int(item), names[model]): label_stores.RIGHT if right else label_stores.WRONG
        for (item, model, _), right in zip(found.record["cells"], truth, strict=True)
    })  # fmt: skip


def test_the_report_has_what_a_reviewer_asks(store: Store, tmp_path: Path) -> None:
    filled(store, 3, tmp_path)
    found = judged_by_people(WHERE, "j", store=store)
    assert [row.scope for row in found.rows] == ["judge"] + ["judge_person"] * 3 + ["people"] * 3
    kappas = [row.metrics["cohen_kappa"].value for row in found.rows]
    assert kappas[0] > max(kappas[4:])  # three people together are better than one of them
    assert sum(map(sum, found.rows[0].confusion)) == 2 * N
    assert found.latex.startswith("j & ")
    assert "3 people labelled a random sample of " in found.sentence
    assert "without knowing the model or the judge's verdict; j agreed" in found.sentence
    assert found.annotators is not None
    assert found.annotators.winning_rate == 1.0
    assert found.document().tables
    from judgebench import agreement

    theirs = agreement(WHERE, reference="human", judges="j", store=store)
    row = next(row for row in theirs.rows if (row.judge, row.scope) == ("j", "pooled"))
    assert found.rows[0].metrics["cohen_kappa"].value == row.metrics["cohen_kappa"].value
    assert found.rows[0].metrics["cohen_kappa"].low == row.metrics["cohen_kappa"].low


def test_answers_without_a_majority_are_counted(store: Store) -> None:
    first = {(n, MODELS[0]): label_stores.RIGHT for n in range(30)}
    for judge, said in (
        ("human/anna", {}),
        ("human/bert", {(n, MODELS[0]): label_stores.WRONG for n in range(4)}),
        ("j", {}),
    ):
        judged(store, judge, {**first, **said})
    found = judged_by_people(WHERE, "j", store=store)
    assert found.rows[0].metrics["agreement"].n == 26
    assert any("people are split over 4 answers" in warning for warning in found.warnings)


def test_people_who_are_split_over_everything_are_said_to_be(store: Store) -> None:
    judged(store, "j", {(n, MODELS[0]): label_stores.RIGHT for n in range(3)})
    judged(store, "human/anna", {(n, MODELS[0]): label_stores.RIGHT for n in range(3)})
    judged(store, "human/bert", {(n, MODELS[0]): label_stores.WRONG for n in range(3)})
    with pytest.raises(UsageError, match="split over 3 answers that j has judged"):
        label_report(store, WHERE, "j")


def test_a_larger_draw_goes_on_with_the_labels_of_the_smaller(store: Store, tmp_path: Path) -> None:
    smaller = draw_labels(store, WHERE, n=20)
    file = given(store, smaller, "anna", ["correct"] * 12, tmp_path / "a.jsonl")
    import_labels([file], store=store)
    larger = draw_labels(store, WHERE, n=50)
    file = given(store, larger, "bert", ["correct"] * 40, tmp_path / "b.jsonl")
    file.write_text("\n".join(file.read_text().splitlines()[20:]))
    import_labels([file], store=store)
    cells = {(item, model) for item, model, _ in larger.record["cells"][20:40]}
    cells |= {(item, model) for item, model, _ in smaller.record["cells"][:12]}
    found = {
        (item, model.hex()[:12]): p
        for model in map(label_stores.model, MODELS)
        for item, p in (sampling_probabilities(store, *AT, model=model.hex()[:12]) or {}).items()
    }
    assert found == dict.fromkeys(cells, len(cells) / (2 * N))


def test_a_draw_says_nothing_of_labels_from_before_it(store: Store) -> None:
    first = {(n, MODELS[0]): label_stores.RIGHT for n in range(30)}
    for judge in ("human/anna", "j"):
        judged(store, judge, first)
    draw_labels(store, WHERE, n=40)
    found = judged_by_people(WHERE, "j", store=store)
    assert (found.design, found.rows[0].metrics["agreement"].n) == (None, 30)
    assert "random sample" not in found.sentence
    assert "without knowing" not in found.sentence  # nobody knows what they were shown
    assert any("were drawn is not known" in warning for warning in found.warnings)


def test_one_person_and_people_who_never_meet(tmp_path: Path, store: Store) -> None:
    filled(store, 2, tmp_path, overlap=False)
    found = label_report(store, WHERE, "j")
    people = found.rows[-1]
    assert math.isnan(people.metrics["cohen_kappa"].value)
    assert any("no answer in common" in one for one in found.warnings)
    label_stores.fill(tmp_path / "o.db", n_items=N)
    with open_store(str(tmp_path / "o.db")) as other:
        with pytest.raises(UsageError, match="nobody has labelled"):
            label_report(other, WHERE, "j")
        filled(other, 1, tmp_path)
        assert any("no human ceiling" in one for one in label_report(other, WHERE, "j").warnings)


def test_unequal_probabilities_are_weighted_back(store: Store, tmp_path: Path) -> None:
    """Of 10 answers that the judge calls correct all are drawn, of 70 others 10."""
    cells = [(i, name) for name in MODELS for i in range(N)]
    said = {
        cell: label_stores.RIGHT if n < 10 else label_stores.WRONG for n, cell in enumerate(cells)
    }
    judged(store, "j", said)
    found = draw_labels(store, WHERE, n=20, sample="stratified", by=["verdict"], judge="j")
    assert [one.drawn for one in found.strata] == [10, 10]
    names = {label_stores.model(name).hex()[:12]: name for name in MODELS}
    values = [said[int(item), names[model]].name for item, model, _ in found.record["cells"]]
    import_labels([given(store, found, "anna", values, tmp_path / "a.jsonl")], store=store)
    report = label_report(store, WHERE, "j")
    assert report.design == "stratified"
    assert report.weighted
    assert report.rows[0].confusion[1] == pytest.approx((0, 10 / 80))


def test_a_judge_as_good_as_people_passes_and_a_coin_does_not() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    people = np.array([np.where(rng.random(300) < 0.85, truth, 1 - truth) for _ in range(4)])
    units = np.arange(300)
    assert alternative_annotator(truth, people, units).winning_rate == 1.0
    assert alternative_annotator(rng.integers(0, 2, 300), people, units).winning_rate == 0.0
    few = alternative_annotator(truth[:20], people[:, :20], units[:20])
    assert math.isnan(few.winning_rate)
    scores = people + rng.normal(0, 0.1, people.shape)
    assert alternative_annotator(truth, scores, units, numeric=True).advantage > 0.5
    with pytest.raises(ValueError, match="three people"):
        alternative_annotator(truth, people[:2], units)
