"""Judges that compare, through files, a store and the command: rules, people, published figures."""

from __future__ import annotations

import csv
import itertools
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from judgebench.metrics.intervals import Intervals
from judgebench.reports.agreement import agreement_report, agreement_reports
from judgebench.reports.render import render
from judgebench.stats.pair_outcomes import OutcomeRule
from judgebench.store.opening import open_store
from tests.e2e import alpaca_gold
from tests.e2e.runs import typed
from tests.unit.exchanged import coded, import_verdicts, label, rows_file
from tests.unit.hostile import HOSTILE

Rows = list[dict[str, Any]]
QUICK = Intervals(n_replicates=100)


def said(
    item: int, judge: str, p: float | None, *, model: str = "m", against: str = "base", **more: Any
) -> dict[str, Any]:
    """One preference; None is an unreadable one."""
    row = label(item, model, judge, "", opponent=against, **more)
    if p is None:
        return row | {"kind": "unreadable", "reason": "two verdicts"}
    return row | {"kind": "preference", "value": p}


def outcomes(judge: str, letters: str, **more: Any) -> Rows:
    """``+=-?.``: won, tied, lost, unreadable, not judged; one letter an item."""
    p = {"+": 1.0, "=": 0.5, "-": 0.0, "?": None}
    return [said(i, judge, p[x], **more) for i, x in enumerate(letters) if x != "."]


@pytest.fixture
def compared(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """What the report says of rows of verdicts, as JSON."""

    stores = itertools.count()

    def report(rows: Rows, rule: OutcomeRule | None = None, **more: Any) -> dict[str, Any]:
        with open_store(str(tmp_path / f"{next(stores)}.db")) as store:
            import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
            found = agreement_report(
                store, "made_up", kind="preference", rule=rule, intervals=QUICK, **more
            )
            return found.to_dict()

    return report


def row_of(report: Mapping[str, Any], judge: str, scope: str = "pooled", **more: Any) -> Any:
    wanted = {"judge": judge, "scope": scope, **more}
    (row,) = [r for r in report["rows"] if all(r[k] == v for k, v in wanted.items())]
    return row["metrics"]


def value(metrics: Mapping[str, Any], name: str) -> Any:
    return metrics[name]["value"]


# by hand ----------------------------------------------------------------------------------------


def test_people_by_majority_and_judges_with_ties_and_without(compared: Any) -> None:
    report = compared(
        [
            *outcomes("human/ann", "++--==+-"),
            *outcomes("human/bob", "++--==-."),
            *outcomes("j", "+---=+++"),
        ]
    )
    assert (report["reference"], report["raters"]) == ("human", ["human/ann", "human/bob"])
    assert report["kinds"][0]["rule"] == {
        "tie_band": 0.0,
        "conflict": "mean",
        "unreadable": "other",
    }
    found = row_of(report, "j")
    # Where the two people differ nobody is right; bob has not said anything of the last pair.
    assert (found["agreement"]["n"], value(found, "agreement")) == (7, pytest.approx(4 / 7))
    assert found["agreement_no_ties"]["n"] == 5
    assert value(found, "agreement_no_ties") == pytest.approx(3 / 5)
    assert report["kinds"][0]["outcomes"]["human/ann"]["n_ties"] == 2
    # Neither of the two is compared with a majority that it is part of: that is a kappa of 1.
    ann, bob = row_of(report, "human/ann"), row_of(report, "human/bob")
    assert (ann["agreement"]["n"], value(ann, "agreement")) == (7, pytest.approx(6 / 7))
    for name in ("cohen_kappa", "preference_correlation"):
        assert value(ann, name) == pytest.approx(value(bob, name))
        assert value(ann, name) < 1.0


@pytest.mark.parametrize(
    ("conflict", "n", "agreed"), [("mean", 3, 3), ("tie", 3, 2), ("drop", 2, 2)]
)
def test_orders_that_disagree(compared: Any, conflict: Any, n: int, agreed: int) -> None:
    orders = {"model_first": [0.9, 1.0, 0.1], "opponent_first": [0.3, 1.0, 0.2]}
    rows = [said(i, "j", p, order=order) for order, ps in orders.items() for i, p in enumerate(ps)]
    rows += outcomes("human/ann", "++-")
    report = compared(rows, OutcomeRule(conflict=conflict))
    found = row_of(report, "j")
    assert (found["agreement"]["n"], found["agreement"]["missing"]) == (n, 3 - n)
    assert value(found, "agreement") == pytest.approx(agreed / n)
    counts = report["kinds"][0]["outcomes"]["j"]
    assert (counts["n_conflicting"], counts["n_missing"]) == (1, 3 - n)


@pytest.mark.parametrize(("unreadable", "n"), [("other", 3), ("drop", 2)])
def test_one_order_that_cannot_be_read(compared: Any, unreadable: Any, n: int) -> None:
    """An order that nobody asked for is none that cannot be read."""
    rows = [
        said(0, "j", 1.0, order="model_first"),
        said(0, "j", None, order="opponent_first"),
        said(1, "j", 1.0, order="model_first"),
        said(2, "j", 0.0, order="opponent_first"),
        said(3, "j", None, order="model_first"),
        said(3, "j", None, order="opponent_first"),
        *outcomes("human/ann", "++-+"),
    ]
    report = compared(rows, OutcomeRule(unreadable=unreadable))
    found = row_of(report, "j")["agreement"]
    assert (found["n"], found["missing"], found["value"]) == (n, 4 - n, 1.0)
    assert (found["worst_low"], found["worst_high"]) == (n / 4, 1.0)
    assert report["kinds"][0]["outcomes"]["j"]["n_half"] == 1


def test_the_tie_band_and_repeats_before_the_rule(compared: Any) -> None:
    rows = [said(0, "j", p, repeat=i) for i, p in enumerate((0.9, 0.1, 0.56))]
    rows += [said(1, "j", 0.6), *outcomes("human/ann", "==")]
    found = row_of(compared(rows, OutcomeRule(tie_band=0.05)), "j")
    assert value(found, "agreement") == 0.5  # 0.52 is a tie, 0.6 is none
    assert value(row_of(compared(rows, OutcomeRule(tie_band=0.2)), "j"), "agreement") == 1.0


def test_a_against_b_is_b_against_a_the_other_way_round(compared: Any) -> None:
    rows = [
        *outcomes("human/ann", "++-=", model="a", against="b"),
        *outcomes("j", "--+=", model="b", against="a"),
        # Asked in two orders under two names.
        said(0, "k", 0.9, model="a", against="b", order="model_first"),
        said(0, "k", 0.4, model="b", against="a", order="model_first"),
        said(1, "k", 1.0, model="a", against="b", order="model_first"),
        said(1, "k", 1.0, model="b", against="a", order="model_first"),
        # Another opponent is another pair.
        *outcomes("k", "++++", model="a", against="c"),
    ]
    report = compared(rows, OutcomeRule(conflict="tie"))
    found = row_of(report, "j")
    assert (value(found, "agreement"), value(found, "cohen_kappa")) == (1.0, 1.0)
    assert value(found, "preference_correlation") == pytest.approx(1.0)
    assert row_of(report, "j", "model", model="a", opponent="b")["agreement"]["n"] == 4
    other = row_of(report, "k")["agreement"]
    assert (other["n"], other["value"], other["missing"]) == (2, 0.5, 2)
    assert report["kinds"][0]["outcomes"]["k"]["n_conflicting"] == 1
    assert {(r["model"], r["opponent"]) for r in report["rows"] if r["scope"] == "model"} == {
        ("a", "b")
    }


def test_models_are_ranked_by_their_win_rates(compared: Any) -> None:
    strong, middle, weak = "+++=", "++--", "=---"
    rows: Rows = []
    for judge, by in (("human/ann", (strong, middle, weak)), ("j", (middle, strong, weak))):
        for model, letters in zip("abc", by, strict=True):
            rows += outcomes(judge, letters, model=model)
    found = row_of(compared(rows), "j")
    assert value(found, "spearman") == pytest.approx(0.5)
    assert value(found, "kendall") == pytest.approx(1 / 3)
    every_pair = [
        *(r for j in ("human/ann", "j") for r in outcomes(j, "+++", model="a", against="b")),
        *(r for j in ("human/ann", "j") for r in outcomes(j, "++-", model="b", against="c")),
        *(r for j in ("human/ann", "j") for r in outcomes(j, "++=", model="a", against="c")),
    ]
    assert value(row_of(compared(every_pair), "j"), "spearman") == pytest.approx(1.0)


def test_a_model_against_itself_stands_in_no_mean(compared: Any) -> None:
    """Ties by construction would raise agreement and kappa without a word of the judge."""
    rows: Rows = []
    for judge, letters in (("human/ann", "++--"), ("j", "+-+-")):
        rows += outcomes(judge, letters)
        rows += outcomes(judge, "====", model="base")
    report = compared(rows)
    for scope in ("pooled", "macro"):
        found = row_of(report, "j", scope)
        assert (found["agreement"]["n"], value(found, "cohen_kappa")) == (4, 0.0)
    itself = row_of(report, "j", "model", model="base", opponent="base")
    assert (itself["agreement"]["n"], value(itself, "agreement")) == (4, 1.0)
    assert value(itself, "cohen_kappa") is None


def test_linear_kappa(compared: Any) -> None:
    from sklearn.metrics import cohen_kappa_score

    ann, j = "++--==+-", "+==-=-+="
    rows = [*outcomes("human/ann", ann), *outcomes("j", j)]
    codes = [["-=+".index(x) for x in letters] for letters in (j, ann)]
    for weighting, weights in (("nominal", None), ("linear", "linear"), ("quadratic", "quadratic")):
        found = row_of(compared(rows, weighting=weighting), "j")
        expected = cohen_kappa_score(*codes, weights=weights)
        assert value(found, "cohen_kappa") == pytest.approx(expected)


def test_undefined_has_its_reason(compared: Any) -> None:
    found = row_of(compared([*outcomes("human/ann", "==="), *outcomes("j", "===")]), "j")
    assert value(found, "agreement") == 1.0
    for name, why in (
        ("cohen_kappa", "same one label"),
        ("cohen_kappa_no_ties", "no pair was decided by both"),
        ("preference_correlation", "same probability"),
        ("precision", "3 are declared"),
    ):
        assert found[name]["value"] is None
        assert why in found[name]["undefined"]


def test_failures_are_missing(tmp_path: Path) -> None:
    from judgebench.records import Failure, VerdictSlot

    with open_store(str(tmp_path / "s.db")) as store:
        rows = [*outcomes("human/ann", "+-"), *outcomes("j", "+.")]
        import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
        models = {m.name: m.key for m in store.models()}
        judge = next(j.key for j in store.judges() if j.name == "j")
        place = VerdictSlot(
            benchmark="made_up", version="unversioned", item_id="1", model_key=models["m"],
            judge_key=judge, opponent_key=models["base"],
        )  # fmt: skip
        store.put_failure(
            Failure(key=b"k", boundary="provider", message="500", retriable=True, place=place)
        )
        report = agreement_report(store, "made_up", kind="preference", intervals=QUICK).to_dict()
    assert row_of(report, "j")["agreement"]["missing"] == 1
    assert report["kinds"][0]["outcomes"]["j"]["n_missing"] == 1


# both kinds, forms, names -----------------------------------------------------------------------


def test_labels_and_preferences_are_reported_apart(tmp_path: Path) -> None:
    rows = [
        *coded("a", "human/ann", "++-"), *coded("a", "grader", "+--"),
        *outcomes("pairwise", "++-"), *outcomes("pairwise-2", "+--"),
    ]  # fmt: skip
    with open_store(str(tmp_path / "s.db")) as store:
        import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
        reports = agreement_reports(store, "made_up", intervals=QUICK)
        only = agreement_reports(store, "made_up", reference="pairwise", intervals=QUICK)
    assert reports is not None
    assert only is not None
    kinds = [(one.kind, one.reference) for one in reports.kinds]
    assert kinds == [("label", "human"), ("preference", None)]
    data = reports.document().data
    assert {row["kind"] for row in data["rows"]} == {"label"}
    assert [(r["judge"], r["reference"]) for r in data["between"]] == [("pairwise", "pairwise-2")]
    assert data["reference"] == "human"
    assert [one.kind for one in only.kinds] == ["preference"]
    text = render(reports.document(), "table")
    assert "preferences, every two judges\npooled; intervals resample questions; a tie is" in text


def test_one_judge_against_every_other(tmp_path: Path) -> None:
    rows = [
        *coded("a", "grader", "++-"), *coded("a", "other", "+--"), *coded("a", "third", "+-"),
        *(r for judge in ("p", "q", "r") for r in outcomes(judge, "++-="[: 5 - ord(judge) % 3])),
    ]  # fmt: skip
    with open_store(str(tmp_path / "s.db")) as store:
        import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
        found = {
            judge: agreement_reports(
                store, "made_up", judges=[judge], between=True, intervals=QUICK
            )
            for judge in ("other", "q")
        }
    labels, preferences = (
        found[judge].of(kind) for judge, kind in (("other", "label"), ("q", "preference"))
    )
    assert [{r.judge, r.reference} for r in labels.between] == [
        {"other", "grader"}, {"other", "third"}
    ]  # fmt: skip
    assert [{r.judge, r.reference} for r in preferences.between] == [{"p", "q"}, {"q", "r"}]
    text = render(labels.document(), "table").splitlines()
    assert text[1] == "pooled; intervals resample questions"
    assert text[2].split() == ["judge", "and", "kappa", "agreement", "n", "missing"]
    assert [line.split()[:3] for line in text[4:]] == [
        ["grader", "other", "0.400"], ["other", "third", "1.000"]
    ]  # fmt: skip
    assert [line.split()[-2:] for line in text[4:]] == [["3", "0"], ["2", "0"]]


def test_pairs_with_an_opponent_that_a_judge_never_saw_are_not_missing(compared: Any) -> None:
    rows = [
        *outcomes("ref", "++-=", against="base"), *outcomes("ref", "+-", against="other"),
        *outcomes("ref", "-", model="late", against="base"),
        *outcomes("j", "+-.=", against="base"), *outcomes("stranger", "+-", against="third"),
        *outcomes("blind", "??", against="other"),
    ]  # fmt: skip
    report = compared(rows, reference="ref")
    found = row_of(report, "j")["agreement"]
    # One pair of its own opponent, and the whole of another model against that one.
    assert (found["n"], found["missing"]) == (3, 2)
    assert {row["judge"] for row in report["rows"]} == {"j", "blind"}
    assert row_of(report, "blind")["agreement"]["missing"] == 2  # it was asked
    assert row_of(report, "blind")["agreement"]["undefined"] == "no pair has a verdict of both"
    assert report["kinds"][0]["nothing_in_common"] == ["stranger"]


def test_strangers_are_one_line(tmp_path: Path) -> None:
    rows = [
        *outcomes("ref", "++-="), *outcomes("j", "+-.="),
        *outcomes("s", "+-", against="third"), *outcomes("t", "+-", against="third"),
    ]  # fmt: skip
    with open_store(str(tmp_path / "s.db")) as store:
        import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
        report = agreement_report(
            store, "made_up", kind="preference", reference="ref", intervals=QUICK
        )
    text = render(report.document(), "table")
    assert text.count("no pair in common with the reference: s, t") == 1
    assert "kappa without ties" in text
    assert "no ties" not in text


def test_people_that_only_compare_are_no_reference_of_labels(tmp_path: Path) -> None:
    """A run asks for the agreement on labels wherever a person is on a board."""
    with open_store(str(tmp_path / "s.db")) as store:
        rows = [*outcomes("human/ann", "+-"), *outcomes("j", "+-")]
        import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
        report = agreement_report(store, "made_up", intervals=QUICK)
    assert (report.reference, report.rows, report.between) == (None, (), ())
    assert report.document().tables == []


@pytest.mark.parametrize("form", ["table", "md", "csv", "html", "latex", "json"])
def test_hostile_names(tmp_path: Path, form: str) -> None:
    names = [name for name in HOSTILE if name.strip() and "\0" not in name and name.isprintable()]
    rows: Rows = []
    for name in names[:6]:
        rows += outcomes(f"j {name[:80]}", "+-=", model=f"m {name[:80]}", against="base")
        rows += outcomes("human/ann", "+-=", model=f"m {name[:80]}", against="base")
    with open_store(str(tmp_path / "s.db")) as store:
        import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
        reports = agreement_reports(store, "made_up", between=True, intervals=QUICK)
    text = render(reports.document(by_model=True), form)
    assert "<script" not in text
    assert form == "csv" or "human/ann" in text.replace("\\", "")


def test_nothing_to_compare_is_said(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    file = rows_file(tmp_path / "v.jsonl", outcomes("j", "+-"))
    assert typed("import", "verdicts", file, "--store", url).code == 0
    done = typed("agreement", "made_up", "--store", url)
    assert done.code == 64
    assert (
        "no two judges with labels or scores of the same answers, or with preferences" in done.err
    )
    done = typed("agreement", "made_up", "--store", url, "--tie-band", "0.5")
    assert done.code == 64
    done = typed("agreement", "made_up", "--reference", "k", "--store", url)
    assert done.code == 64
    assert "no judge called 'k'" in done.err


# published figures ------------------------------------------------------------------------------


@pytest.mark.skipif(not alpaca_gold.GOLD.exists(), reason=alpaca_gold.ABSENT)
def test_the_published_judges_agree_as_expected(tmp_path: Path) -> None:
    """Every line of ``judge_agreement_expected.csv``, through files and the command."""
    with (alpaca_gold.GOLD / "judge_agreement_expected.csv").open(encoding="utf-8") as lines:
        expected = list(csv.DictReader(lines))
    models = {line["model"] for line in expected}
    rows = [
        *(row for row in alpaca_gold.rows("other_judges.parquet") if row["model"] in models),
        *(
            row | {"judge": alpaca_gold.JUDGE, "generator_1": "gpt4_1106_preview"}
            for row in alpaca_gold.rows("annotations.parquet")
            if row["model"] in models
        ),
    ]
    said_of = [
        said(
            row["index"], row["judge"],
            0.5 if row["preference"] == 0 else row["preference"] - 1,
            model=row["model"], against=row["generator_1"],
        )
        for row in rows
        if row["preference"] is not None and not math.isnan(row["preference"])
        and row["judge"] in {line[side] for line in expected for side in ("judge_a", "judge_b")}
    ]  # fmt: skip
    url = f"sqlite:///{tmp_path / 's.db'}"
    file = rows_file(tmp_path / "v.jsonl", said_of)
    done = typed("import", "verdicts", file, "--store", url)
    assert done.code == 0, done.err
    found = {}
    for reference in {line["judge_b"] for line in expected}:
        done = typed(
            "agreement", "made_up", "--reference", reference, "--format", "json", "--store", url
        )
        assert done.code == 0, done.err
        for row in json.loads(done.out)["rows"]:
            found[row["model"], row["judge"], row["reference"]] = row["metrics"]
    for line in expected:
        metrics = found[line["model"], line["judge_a"], line["judge_b"]]
        assert metrics["agreement"]["n"] == int(line["n"])
        assert metrics["agreement_no_ties"]["n"] == int(line["n_no_ties"])
        for name, column in (
            ("agreement", "agreement"),
            ("cohen_kappa", "kappa_3class"),
            ("cohen_kappa_no_ties", "kappa_no_ties"),
            ("preference_correlation", "pearson"),
        ):
            theirs = float(line[column]) if line[column] else None
            ours = value(metrics, name)
            assert (ours is None) == (theirs is None), (line, name)
            if theirs is not None:
                assert ours == pytest.approx(theirs, abs=1e-9), (line, name)
