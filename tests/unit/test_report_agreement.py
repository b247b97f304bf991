"""Agreement reports: against whom, what is printed, and why a dash stands where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import UsageError
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.registry import metric
from judgebench.records import JudgeSpec
from judgebench.reports.agreement import agreement_report, agreement_reports
from judgebench.reports.agreement_tables import SHOWN
from judgebench.reports.render import render
from judgebench.stats.agreement import COEFFICIENTS
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.unit.exchanged import coded, import_responses, import_verdicts, rows_file

QUICK = Intervals(n_replicates=200)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "s.db")) as opened:
        rows = [
            *coded("a", "human/ann", "++--+-+-"),
            *coded("a", "human/bob", "++--+--+"),
            *coded("b", "human/ann", "++++++++"),
            *coded("a", "good", "++--+-+?"),
            *coded("b", "good", "++++++++"),
            *coded("a", "poor", "-+-+-+-+"),
            *coded("b", "poor", "++++++++"),
        ]
        import_verdicts(opened, rows_file(tmp_path / "v.jsonl", rows))
        yield opened


def test_people_are_the_reference_where_they_have_labelled(store: Store) -> None:
    report = agreement_report(store, "made_up", intervals=QUICK)
    assert (report.reference, report.raters) == ("human", ("human/ann", "human/bob"))
    assert {row.judge for row in report.rows} == {"good", "poor", "human/ann", "human/bob"}
    assert report.between == ()
    (good,) = [r for r in report.rows if (r.judge, r.model) == ("good", "a")]
    assert good.metrics["agreement"].n == 6  # where the two people differ nobody is right
    text = render(report.document(), "table")
    assert "judges against human\nthe majority of human/ann, human/bob, ties left out; " in text
    assert "\nhuman/ann, human/bob: compared with the majority of the other people\n" in text
    (ann,) = [r for r in report.rows if (r.judge, r.scope) == ("human/ann", "pooled")]
    assert (ann.reference, ann.metrics["cohen_kappa"].n) == ("human without human/ann", 8)
    assert ann.metrics["cohen_kappa"].value < 1.0


def test_one_person_or_a_judge_as_the_reference(store: Store) -> None:
    report = agreement_report(store, "made_up", reference="human/ann", intervals=QUICK)
    (good,) = [r for r in report.rows if (r.judge, r.scope) == ("good", "pooled")]
    assert good.metrics["cohen_kappa"].value == 1
    assert (good.metrics["cohen_kappa"].n, good.metrics["cohen_kappa"].missing) == (15, 1)
    judged = agreement_report(store, "made_up", reference="good", intervals=QUICK)
    assert "good" not in {row.judge for row in judged.rows}
    with pytest.raises(UsageError, match="no judge called 'human/anne'; did you mean 'human/ann'"):
        agreement_report(store, "made_up", reference="human/anne")


def test_only_some_judges(store: Store) -> None:
    report = agreement_report(
        store, "made_up", reference="human/ann", judges=["poor"], intervals=QUICK
    )
    assert {row.judge for row in report.rows} == {"poor"}
    with pytest.raises(UsageError, match="no judge called 'pooor'; did you mean 'poor'"):
        agreement_report(store, "made_up", judges=["pooor"])


def test_judges_of_one_name_are_named_as_on_a_leaderboard(tmp_path: Path) -> None:
    """By what is shown, by the name they share, by id; a reference has to be one of them."""
    with open_store(str(tmp_path / "t.db")) as store:
        ids = [store.put_judge("c", JudgeSpec(kind="contains", model=m)).hex()[:12] for m in "12"]
        for one in ids:
            rows = [row | {"judge_id": one} for row in coded("a", "c", "++--")]
            import_verdicts(store, rows_file(tmp_path / f"{one}.jsonl", rows))
        import_verdicts(store, rows_file(tmp_path / "d.jsonl", coded("a", "d", "++-+")))
        shown = [f"c@{one[:6]}" for one in ids]

        def compared(**wanted: Any) -> set[str]:
            report = agreement_report(store, "made_up", intervals=QUICK, **wanted)
            return {row.judge for row in report.rows}

        assert compared(reference="d", judges=["c"]) == set(shown)
        assert compared(reference="d", judges=[shown[0]]) == {shown[0]}
        assert compared(reference=ids[0]) == {shown[1], "d"}
        with pytest.raises(UsageError, match=f"'c' is the name of 2 judges.*: .*{shown[1]}"):
            compared(reference="c")


def test_undefined_is_null_with_its_reason(store: Store) -> None:
    report = agreement_report(store, "made_up", reference="human/ann", intervals=QUICK)
    rows = {(r["judge"], r["scope"], r["model"]): r for r in report.to_dict()["rows"]}
    kappa = rows["good", "model", "b"]["metrics"]["cohen_kappa"]
    assert kappa["value"] is None
    assert "one label" in kappa["undefined"]
    assert all(row["version"] == "unversioned" for row in rows.values())
    text = render(report.document(by_model=True), "table")
    (cells,) = [x.split() for x in text.splitlines() if x.split()[:2] == ["good", "b"]]
    assert cells[2] == "–"
    assert "– good on b: kappa, pi: both raters give every item the same one label" in text


def test_without_people_judges_are_compared_with_each_other(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "t.db")) as store:
        rows = [*coded("a", "j", "++--"), *coded("a", "k", "+---"), *coded("a", "l", "++--")]
        import_verdicts(store, rows_file(tmp_path / "w.jsonl", rows))
        report = agreement_report(store, "made_up", intervals=QUICK)
    assert (report.reference, report.rows) == (None, ())
    assert [(r.judge, r.reference) for r in report.between] == [("j", "k"), ("j", "l"), ("k", "l")]
    assert report.to_dict()["between"][1]["metrics"]["cohen_kappa"]["value"] == 1
    text = render(report.document(), "table")
    assert "judges against each other" in text
    matrix, listed = text.split("every two judges")
    assert matrix.splitlines()[-3].split() == ["3", "l", "1.00", "0.50"]
    assert listed.splitlines()[-1].split()[:3] == ["k", "l", "0.500"]
    assert all("[" in line for line in listed.splitlines()[-3:])
    assert render(report.document(), "csv").count("cohen_kappa") == 3


def test_every_two_judges_if_asked(store: Store) -> None:
    report = agreement_report(store, "made_up", between=True, intervals=QUICK)
    assert len(report.between) == 6


# suspicious models ------------------------------------------------------------------------------


def labelled(*models: tuple[str, int, int]) -> list[dict[str, Any]]:
    """What a person and a judge say of 20 answers of each: how many each calls correct."""
    return [
        row
        for model, person, judge in models
        for who, n in (("human/ann", person), ("judge", judge))
        for row in coded(model, who, "+" * n + "-" * (20 - n))
    ]


def test_correlations_over_models_leave_suspicious_ones_out_and_say_so(tmp_path: Path) -> None:
    honest = (("a", 15, 16), ("b", 10, 12), ("c", 5, 4))
    found = {}
    for name, models in (("all", (*honest, ("null", 1, 20))), ("honest", honest)):
        with open_store(str(tmp_path / f"{name}.db")) as opened:
            rows = rows_file(tmp_path / f"{name}.jsonl", labelled(*models))
            import_verdicts(opened, rows)
            texts = [
                {"benchmark": "made_up", "item_id": row["item_id"], "model": "null",
                 "text": "one text, whatever the question may have been"}
                for row in coded("null", "judge", "+" * 20)
            ]  # fmt: skip
            if name == "all":
                import_responses(opened, rows_file(tmp_path / "texts.jsonl", texts))
                with_it = agreement_report(opened, "made_up", intervals=QUICK)
            found[name] = agreement_reports(
                opened, "made_up", between=True, intervals=QUICK, reference="human/ann"
            )
    pooled = {name: one.rows[0].metrics for name, one in found.items()}
    whole = with_it.rows[0].metrics
    for name in ("spearman", "kendall"):
        assert pooled["all"][name] == pooled["honest"][name]
        assert pooled["all"][name].value == pytest.approx(1.0)
        assert whole[name].value < 0.5
        assert found["all"].between[0].metrics[name] == found["honest"].between[0].metrics[name]
    assert pooled["all"]["cohen_kappa"].n == 80
    assert "over 3 of 3 models" in pooled["all"]["spearman"].method
    table = found["all"].document().tables[0]
    at = [column.title for column in table.columns].index("models")
    assert [row[at] for row in table.rows] == ["3"]
    (said,) = (one for one in found["all"].warnings if "suspicious" in one)
    assert said == (
        "correlations over models leave out those that are suspicious, which count in all else "
        "(null: 100% of its 20 answers are one and the same text)"
    )
    assert not any("suspicious" in one for one in found["honest"].warnings)
    assert said in render(found["all"].document(), "table")


def test_of_suspicious_models_alone_there_is_no_correlation(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "s.db")) as opened:
        import_verdicts(opened, rows_file(tmp_path / "v.jsonl", labelled(("null", 5, 9))))
        texts = [
            {"benchmark": "made_up", "item_id": row["item_id"], "model": "null",
             "text": "one text, whatever the question may have been"}
            for row in coded("null", "judge", "+" * 20)
        ]  # fmt: skip
        import_responses(opened, rows_file(tmp_path / "t.jsonl", texts))
        found = agreement_reports(opened, "made_up", reference="human/ann", intervals=QUICK)
    its = found.rows[0].metrics
    assert its["spearman"].undefined == "only suspicious models have verdicts of both"
    assert its["agreement"].undefined is None


def test_every_short_term_is_explained_once_where_it_is_shown(store: Store) -> None:
    """In a terminal, in Markdown and on a page; whatever stands at the head of a column."""
    assert all(metric(name).meaning for name in COEFFICIENTS)
    report = agreement_report(store, "made_up", intervals=QUICK).document()
    for form in ("table", "md", "html"):
        said = " ".join(unescape(render(report, form)).replace("\\", "").split())
        for name, title in SHOWN.items():
            assert said.count(f"{title}: {metric(name).meaning}") == 1, (form, name)
