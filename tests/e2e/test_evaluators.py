"""AlpacaEval's measures of judges, from files through a store and the command."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import InputError, UsageError
from judgebench.exchange.alpaca_eval import AlpacaEvalOptions, gather, import_alpaca_eval
from judgebench.metrics.intervals import Intervals
from judgebench.records import Purpose, Spend, VerdictSlot
from judgebench.reports.evaluators import evaluator_report
from judgebench.reports.render import render
from judgebench.stats.evaluators import QUIRKS
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e import alpaca_gold
from tests.e2e.runs import typed
from tests.unit.exchanged import import_responses, import_verdicts, label, rows_file
from tests.unit.hostile import HOSTILE

QUICK = Intervals(n_replicates=100)
Rows = list[dict[str, Any]]


def said(
    item: int, judge: str, p: float | None, *, model: str = "m", against: str = "base", **more: Any
) -> dict[str, Any]:
    row = label(item, model, judge, "", opponent=against, **more)
    if p is None:
        return row | {"kind": "unreadable", "reason": "two verdicts"}
    return row | {"kind": "preference", "value": p}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "s.db")) as opened:
        yield opened


def put(store: Store, folder: Path, rows: Rows, texts: dict[tuple[str, int], str]) -> None:
    answers = [
        {"benchmark": "made_up", "item_id": str(item), "model": model, "text": text}
        for (model, item), text in texts.items()
    ]
    if answers:
        import_responses(store, rows_file(folder / "a.jsonl", answers))
    import_verdicts(store, rows_file(folder / "v.jsonl", rows))


def measured(store: Store, **more: Any) -> dict[str, dict[str, Any]]:
    report = evaluator_report(store, "made_up", intervals=QUICK, **more).to_dict()
    return {row["judge"]: row["metrics"] for row in report["rows"]}


# by hand ----------------------------------------------------------------------------------------


PEOPLE = [said(i, f"human/{k}", float(i % 2)) for i in range(4) for k in range(4)]
TEXTS = {
    **{("m", i): "- one\n- two" + "x" * 60 * (i % 2) for i in range(4)},
    **{("base", i): "plain words, and no list of anything" for i in range(4)},
}


def test_a_judge_beside_people(store: Store, tmp_path: Path) -> None:
    rows = [said(i, "j", p, repeat=r) for i, p in enumerate((0, 1, 1, 1)) for r in range(4)]
    put(store, tmp_path, [*PEOPLE, *rows], TEXTS)
    found = measured(store)
    assert set(found) == {"j", "human"}
    j, people = found["j"], found["human"]
    assert j["agreement"]["value"] == pytest.approx(75.0)
    assert (j["bias"]["value"], j["variance"]["value"]) == (pytest.approx(25.0), 0.0)
    assert (j["agreement"]["n"], j["agreement"]["units"], j["agreement"]["missing"]) == (4, 4, 0)
    assert j["agreement"]["low"] < 75.0 < j["agreement"]["high"]
    assert j["prefers_lists"]["value"] == pytest.approx(0.75)
    assert j["prefers_longer"]["value"] == 1.0  # where lengths differ by more than 30
    assert j["prefers_output_1"]["value"] == pytest.approx(0.25)
    assert people["agreement"]["value"] == 100.0
    assert people["bias"]["undefined"] == "people are not measured against themselves"


def test_repeats_are_needed_for_bias_and_variance(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, [*PEOPLE, *(said(i, "j", 1.0) for i in range(4))], {})
    report = evaluator_report(store, "made_up", intervals=QUICK).to_dict()
    (j,) = [row["metrics"] for row in report["rows"] if row["judge"] == "j"]
    assert j["agreement"]["value"] == pytest.approx(50.0)
    for name in ("bias", "variance", "distance"):
        assert j[name]["value"] is None
        assert "'judge_samples: 4'" in j[name]["undefined"]
    assert "lengths differ" in j["prefers_longer"]["undefined"]
    assert "4 of 4 pairs the store has not both answers" in report["warnings"][0]


def test_without_people_what_needs_none_is_still_there(store: Store, tmp_path: Path) -> None:
    rows = [said(i, "j", 1.0, repeat=r) for i in range(4) for r in range(4)]
    put(store, tmp_path, rows, TEXTS)
    report = evaluator_report(store, "made_up", upstream=True, intervals=QUICK).to_dict()
    assert (report["reference"], report["raters"]) == (None, [])
    (row,) = report["rows"]
    for name in ("agreement", "bias", "distance", "spearman", "pearson"):
        assert row["metrics"][name]["value"] is None
        assert "no reference" in row["metrics"][name]["undefined"]
    assert row["metrics"]["variance"]["value"] == 0.0
    assert row["metrics"]["prefers_lists"]["value"] == 1.0
    assert row["upstream"]["agreement"]["value"] is None
    assert row["upstream"]["n_parsed"]["value"] == 16
    assert report["quirks"] == dict(QUIRKS)


def test_upstreams_variance_says_on_how_many_pairs_it_rests(store: Store, tmp_path: Path) -> None:
    rows = [said(i, "j", 1.0, repeat=r) for i in range(4) for r in range(4 if i == 0 else 2)]
    put(store, tmp_path, rows, TEXTS)
    report = evaluator_report(store, "made_up", upstream=True, intervals=QUICK)
    text = render(report.document(), "table").split("\n\n")[1]
    assert "variance % (pairs)" in text
    assert "0.0 (1)" in text
    assert "on how many pairs variance rests\n" in text


def test_both_orders_are_one_label_and_unreadable_ones_are_counted(
    store: Store, tmp_path: Path
) -> None:
    rows = [
        said(0, "j", 1.0, order="model_first"),
        said(0, "j", 0.0, order="opponent_first"),
        said(1, "j", 1.0, order="model_first"),
        said(1, "j", None, order="opponent_first"),
        said(2, "j", None, order="model_first"),
        said(2, "j", None, order="opponent_first"),
    ]
    put(store, tmp_path, [*PEOPLE, *rows], TEXTS)
    j = measured(store)["j"]
    assert (j["share_parsed"]["value"], j["share_parsed"]["missing"]) == (pytest.approx(2 / 3), 1)
    assert j["prefers_output_1"]["value"] == pytest.approx(0.25)  # a half, and none


def test_a_judge_as_the_reference(store: Store, tmp_path: Path) -> None:
    """Whoever of the two is called the opponent."""
    rows = [said(i, "careful", float(i % 2)) for i in range(4)]
    rows += [said(i, "j", 1.0 - i % 2, model="base", against="m") for i in range(4)]
    put(store, tmp_path, rows, TEXTS)
    found = measured(store, reference="careful", others=1)
    assert found["j"]["agreement"]["value"] == 100.0
    assert set(found) == {"j", "careful"}
    assert measured(store, reference="careful", judges=["j"])["j"]["agreement"]["value"] == 100.0
    with pytest.raises(UsageError, match="no judge called 'carful'; did you mean 'careful'"):
        evaluator_report(store, "made_up", reference="carful")


def test_one_person_as_the_reference_is_not_among_the_others(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, PEOPLE, TEXTS)
    report = evaluator_report(store, "made_up", reference="human/0", intervals=QUICK)
    assert {row.judge: row.labels for row in report.rows} == {"human/0": 4, "human": 12}


def test_a_person_among_several_is_held_against_the_others(store: Store, tmp_path: Path) -> None:
    contrary = [said(i, "human/9", 1.0 - i % 2) for i in range(4)]
    put(store, tmp_path, [*PEOPLE, *contrary], TEXTS)
    found = measured(store, judges=["human/9", "human/0"])
    assert found["human/9"]["agreement"]["value"] == 0.0
    # Of the three drawn of the other four, the contrary one is never the centre.
    assert found["human/0"]["agreement"]["value"] == 100.0


def test_what_calls_cost(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, [*PEOPLE, *(said(i, "j", 1.0) for i in range(4))], {})
    judge = next(judge for judge in store.judges() if judge.name == "j")
    model = store.models()[0].key
    run = store.runs()[0].id
    place = VerdictSlot(benchmark="made_up", version="unversioned", item_id="0", model_key=model,
                  judge_key=judge.key)  # fmt: skip
    for cost in (0.02, 0.04, None):
        store.put_spend(
            [Spend(purpose=Purpose(run_id=run, place=place), how="live", provider="p", model="m",
                   calls=2, cost_usd=cost)]
        )  # fmt: skip
    report = evaluator_report(store, "made_up", intervals=QUICK).to_dict()
    prices = {row["judge"]: row.get("usd_per_1000") for row in report["rows"]}
    assert prices == {"j": pytest.approx(15.0), "human": None}


@pytest.mark.parametrize("form", ["table", "md", "csv", "html", "latex", "json"])
def test_every_form(store: Store, tmp_path: Path, form: str) -> None:
    names = [name for name in HOSTILE if name.strip() and name.isprintable()]
    judges = [f"j {name[:80]}" for name in names[:4]]
    rows = [said(i, judge, 1.0, repeat=r) for judge in judges for i in range(4) for r in (0, 1)]
    put(store, tmp_path, [*PEOPLE, *rows], TEXTS)
    report = evaluator_report(store, "made_up", upstream=True, intervals=QUICK)
    text = render(report.document(), form)
    assert "<script" not in text
    assert "human" in text
    if form == "table":
        assert all(words in text for words in QUIRKS.values())


def test_nothing_to_measure_is_said(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    file = rows_file(tmp_path / "v.jsonl", [label(0, "m", "j", "correct")])
    assert typed("import", "verdicts", file, "--store", url).code == 0
    done = typed("evaluators", "made_up", "--store", url)
    assert done.code == 64
    assert "no judge has compared answers on made_up yet" in done.err


# cross-annotations ------------------------------------------------------------------------------


def crossed(i: int, index: int, preference: Any, **more: Any) -> dict[str, Any]:
    return {
        "instruction": f"Task {i}", "output_1": f"base says {i}", "output_2": f"m says {i}",
        "generator": "m", "annotator_index": index, "preference": preference, "datasplit": "eval",
        **more,
    }  # fmt: skip


def take(store: Store, folder: Path, rows: Rows, **told: str) -> None:
    path = folder / f"{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    import_alpaca_eval(store, gather([path], told=AlpacaEvalOptions(**told)), benchmark="made_up")


def test_cross_annotations_are_people_or_repeats_of_one_judge(store: Store, tmp_path: Path) -> None:
    rows = [crossed(i, k, 1 + (i + k) % 2) for i in range(3) for k in range(4)]
    take(store, tmp_path, rows, baseline="base")
    take(store, tmp_path, rows, baseline="base", judge="often")
    take(store, tmp_path, rows, baseline="base")  # the same again changes nothing
    table = store.verdicts("made_up")
    assert len(table["judge"]) == 24
    people = {(j, r) for j, r in zip(table["judge"], table["repeat"], strict=True)}
    assert people == {(f"human/{k}", 0) for k in range(4)} | {("often", k) for k in range(4)}
    assert set(table["model"]) == {"m"}
    assert {j.name: j.spec.kind for j in store.judges()}["human/3"] == "human"


def test_cross_annotations_may_have_several_baselines(store: Store, tmp_path: Path) -> None:
    rows = [crossed(i, 0, 2, generator_1=f"base-{i}") for i in range(3)]
    take(store, tmp_path, rows)
    assert set(store.verdicts("made_up")["opponent"]) == {"base-0", "base-1", "base-2"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"annotator_index": -1}, "annotator_index: a whole number from 0"),
        ({"annotator_index": "x"}, "annotator_index: a number has to stand here"),
        ({"generator": None}, "generator: is missing; --model NAME says whose output_2 is"),
        ({"output_1": "other"}, "row 2: output_1: another answer of 'base'"),
        ({"preference": 1}, "row 2: preference: another preference of 'human/0'"),
    ],
)
def test_cross_annotations_that_cannot_be_used(
    store: Store, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        take(store, tmp_path, [crossed(0, 0, 2), crossed(0, 0, 2) | change], baseline="base")
    assert store.runs() == []


# published figures ------------------------------------------------------------------------------


@pytest.mark.skipif(not alpaca_gold.GOLD.exists(), reason=alpaca_gold.ABSENT)
def test_the_synthetic_evaluators(tmp_path: Path) -> None:
    """What the package printed, from files of its kind through the command."""
    files: dict[str, Rows] = {}
    bases: dict[tuple[str, str], str] = {}
    for row in alpaca_gold.rows("evaluator_metrics_synthetic.parquet"):
        key = row["instruction"], row["output_1"]
        known = sum(instruction == row["instruction"] for instruction, _ in bases)
        base = bases.setdefault(key, f"base-{known}")
        preference = row["preference"]
        files.setdefault(row.pop("source"), []).append(
            row
            | {"generator_1": base}
            | {"preference": None if math.isnan(preference or math.nan) else preference}
        )
    url = f"sqlite:///{tmp_path / 's.db'}"
    for source, rows in files.items():
        path = tmp_path / f"{source}.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
        who = [] if source == "humans" else ["--judge", source]
        done = typed("import", "alpaca-eval", path, *who, "--store", url)
        assert done.code == 0, done.err
    done = typed("evaluators", "alpaca_eval", "--upstream", "--format", "json", "--store", url)
    assert done.code == 0, done.err
    found = {row["judge"]: row for row in json.loads(done.out)["rows"]}
    file = alpaca_gold.GOLD / "evaluator_metrics_synthetic_expected.json"
    expected = json.loads(file.read_text(encoding="utf-8"))["expected"]
    names = {
        "agreement": "Human agreement",
        "bias": "Bias",
        "variance": "Variance",
        "spearman": "Spearman corr.",
        "pearson": "Pearson corr.",
        "prefers_longer": "Proba. prefer longer",
        "prefers_lists": "Proba. prefer lists",
        "prefers_output_1": "Proba. prefer 1",
        "n_parsed": "# parsed",
    }
    assert set(found) == {"human", "discrete", "weighted"}
    for source, theirs in expected.items():
        upstream = found["human" if source == "humans" else source]["upstream"]
        for name, printed in names.items():
            assert upstream[name]["value"] == pytest.approx(theirs[printed], abs=1e-9), (
                source, name,
            )  # fmt: skip
    # The same without the quirks has an interval around it.
    for row in found.values():
        metric = row["metrics"]["agreement"]
        assert metric["low"] < metric["value"] < metric["high"]
        assert metric["n"] == 226
