"""The table of a paper: cells are those of boards, marks those of the paired engine."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from statsmodels.stats.multitest import multipletests

import judgebench
from judgebench.errors import ConfigError
from judgebench.plain_text import printable
from judgebench.records import JudgeSpec, ModelSpec
from judgebench.reports.board import Board
from judgebench.reports.board_data import newest_model
from judgebench.reports.compare import comparison
from judgebench.reports.estimates import Marked
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.length_calibrations import calibrate_length
from judgebench.reports.model_pairs import PairData
from judgebench.reports.paper import PaperCell, PaperTable, read_paper
from judgebench.reports.render import render
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e.runs import typed
from tests.table import over_rows
from tests.unit.compared import BASELINE, take_in
from tests.unit.exchanged import coded, import_verdicts, label, rows_file
from tests.unit.reports import HOSTILE
from tests.unit.test_report_latex import read
from tests.unit.test_report_leaderboard import begin, put

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "papers.md"

MODELS = {"base": 90, "sft": 110, "dpo": 150}
"""Of 200 items, how many J calls right."""


def score(item: int, model: str, judge: str, value: float, **more: Any) -> dict[str, Any]:
    said = {"item_id": f"free-form/{item}", "model": model, "judge": judge, "kind": "score"}
    return {"benchmark": "mixeval_hard", "value": value, "low": 0, "high": 1, **said, **more}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("paper")
    rows = [
        one
        for model, right in MODELS.items()
        for one in coded(model, "J", "+" * right + "-" * (200 - right))
    ]
    rows += coded("few", "J", "." * 180 + "+" * 15 + "-" * 5)
    rows += coded("gaps", "J", "+" * 100 + "-" * 80 + "?" * 20)
    rows += [*coded("a", "T", "+" * 8), *coded("b", "T", "-" * 8)]
    rows += [one for model in ("sft", "dpo") for one in coded(model, "K", "+-" * 100)]
    rows += [score(i, m, "gpt-3.5-turbo-0125", 0.5 + i % 2 / 4) for i in range(30) for m in MODELS]
    rows += [score(i, m, "other", 0.25 + i % 2 / 2) for i in range(30) for m in MODELS]
    rows += [
        score(i, "dpo", "gpt-4-0613", 5 + i % 2)
        | {"benchmark": "alignbench", "version": "1.1", "low": 1, "high": 10}
        for i in range(30)
    ]
    rows += [score(0, "dpo", "gpt-4-0613", 0.5) | {"benchmark": "alignbench", "version": "1.0"}]
    rows += [
        score(i, "dpo", "grader", i % 2, version=version) | {"benchmark": "twice"}
        for i in range(2)
        for version in ("1", "2")
    ]
    rows += [
        label(i, model, "pairs", "") | {"kind": "preference", "value": value, "opponent": "base"}
        for i in range(60)
        for model, value in (("dpo", 0.9), ("sft", 0.4 + i % 2 / 4))
    ]
    with open_store(str(folder / "s.db")) as opened:
        import_verdicts(opened, rows_file(folder / "v.jsonl", rows))
        yield opened


PAPER: dict[str, Any] = {
    "title": "Made-up models",
    "label": "tab:main",
    "models": [
        {"name": "dpo", "title": "DPO", "group": "Ours"},
        {"name": "few", "group": "Others"},
        {"name": "sft", "group": "Ours", "published": "GPT-4o-2024-05-13"},
        {"name": "base", "group": "Start"},
        {
            "published": {"mixeval_hard": "Claude 3 Opus", "alignbench": "GPT-4o"},
            "title": "API",
        },
    ],
    "benchmarks": [
        {"name": "made_up", "judge": "J", "title": "J", "group": "made up"},
        {"name": "made_up", "judge": "pairs", "title": "wins", "group": "made up"},
        {"name": "mixeval_hard", "judge": "gpt-3.5-turbo-0125", "title": "Hard"},
        {"name": "mixeval_hard", "judge": "other", "title": "Hard, other"},
        {"name": "alignbench@1.1", "judge": "gpt-4-0613", "title": "Align"},
    ],
    "tests": {"against": "base"},
}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "paper.yaml"
    path.write_text(yaml.safe_dump(PAPER | changes, sort_keys=False), encoding="utf-8")
    return path


def made(store: Store, folder: Path, **changes: Any) -> PaperTable:
    return judgebench.report(written(folder, **changes), store=store)


@pytest.fixture(scope="module")
def table(store: Store, tmp_path_factory: pytest.TempPathFactory) -> PaperTable:
    return made(store, tmp_path_factory.mktemp("yaml"))


def cell(table: PaperTable, model: str, column: str) -> PaperCell:
    (found,) = (
        one.cell for one in table.lines if one.row.model == model and one.column.title == column
    )
    return found


def test_a_cell_is_the_estimate_of_its_board(table: PaperTable, store: Store) -> None:
    found = {(line.column.benchmark, line.column.version): list[Board]() for line in table.lines}
    for name, version in found:
        found[name, version] += leaderboards(store, name, version)
    for line in table.lines:
        if line.row.figures == "ours" and line.cell.number != "–":
            (board,) = (
                board
                for board in found[line.column.benchmark, line.column.version]
                if (board.judge, board.opponent) == (line.column.judge, line.column.opponent)
            )
            (row,) = (row for row in board.rows if row.model == line.row.name)
            assert line.cell.figure == row.metrics[line.column.metric]
    assert sum(line.cell.number != "–" for line in table.lines) == 17


def test_sections_stand_together_and_the_reference_is_first(table: PaperTable) -> None:
    assert [(row.group, row.model) for row in table.rows] == [
        ("Start", "base"), ("Ours", "DPO"), ("Ours", "sft"), ("Ours", "sft, as published"),
        ("Others", "few"), ("", "API"),
    ]  # fmt: skip
    (shown, methods) = table.tables()
    assert shown.sections == {0: "Start", 1: "Ours", 4: "Others", 5: ""}
    assert [column.group for column in shown.columns][:3] == ["", "made up", "made up"]
    assert methods.subtitle == table.methods


def test_rows_without_a_group_stand_under_no_other_ones_heading(
    store: Store, tmp_path: Path
) -> None:
    table = made(store, tmp_path, title="Made-up models\n")
    assert table.title == "Made-up models"
    for form, heading in (("md", "| **–** |"), ("html", ">–</th>"), ("table", "–")):
        text = render(table.document(), form)
        few, api = (re.search(rf"(?m)\b{name}\b", text.partition("Made-up models")[2])
                    for name in ("few", "API"))  # fmt: skip
        assert few and api
        after = text.partition("Made-up models")[2][few.end() : api.start()]
        assert heading in after


def test_the_best_is_bold_by_what_is_printed_and_only_what_compares_counts(
    table: PaperTable,
) -> None:
    best = {(one.row.model, one.column.title) for one in table.lines if one.cell.best}
    # Published figures of the very judge count; those of another judge, as 64.7 of GPT-4o, do not.
    assert best == {
        ("few", "J"), ("DPO", "J"), ("DPO", "wins"), ("sft, as published", "Hard"),
        ("base", "Hard, other"), ("DPO", "Hard, other"), ("sft", "Hard, other"),
    }  # fmt: skip


def test_marks_are_those_of_compare_with_all_p_values_adjusted_together(
    table: PaperTable, store: Store
) -> None:
    tested = [(one.row.name, one) for one in table.lines if one.cell.test is not None]
    of_compare = [
        comparison(
            store, str(name), "base", benchmarks=[line.column.benchmark],
            judges=[line.column.judge],
        ).tests[0]
        for name, line in tested
    ]  # fmt: skip
    p_values = [one.p_value for one in of_compare]
    tests = [line.cell.test for _, line in tested]
    assert [one and one.p_value for one in tests] == pytest.approx(p_values, nan_ok=True)
    adjusted = multipletests(p_values, method="holm")[1]
    assert [one and one.p_adjusted for one in tests] == pytest.approx(list(adjusted))
    assert table.tests == len(tests) == 9
    decided = {
        (n, line.column.title): test and test.decision
        for (n, line), test in zip(tested, tests, strict=True)
    }
    assert decided["dpo", "J"] == decided["dpo", "wins"] == "better"
    assert decided["sft", "Hard"] == "undecided"
    assert f"p adjusted over {len(tests)} tests of the table (Holm)" in table.notes[1]


def test_against_the_best_all_pairs_are_allowed_for(store: Store, tmp_path: Path) -> None:
    models = [{"name": name} for name in MODELS]
    column = PAPER["benchmarks"][:1]
    table = made(store, tmp_path, models=models, benchmarks=column, tests={"against": "best"})
    by_name = {row.name: row.cells[0] for row in table.rows}
    assert by_name["dpo"].best
    assert by_name["dpo"].test is None
    tests = [by_name[name].test for name in ("base", "sft")]
    p = [comparison(store, n, "dpo", judges=["J"]).tests[0].p_value for n in ("base", "sft")]
    assert [one and one.p_adjusted for one in tests] == pytest.approx(
        list(multipletests([*p, 1.0], method="holm")[1][:2])
    )
    assert [one and one.decision for one in tests] == ["worse", "worse"]
    assert table.tests == 3
    assert "3 pairs of models, since the best is chosen by the same numbers" in table.notes[1]
    shown = render(table.document(), "md")
    assert "| base | 0.450 \\[0.380, 0.515\\] † |" in shown


def test_what_is_published_says_why_it_is_not_comparable(table: PaperTable) -> None:
    same = cell(table, "sft, as published", "Hard")
    assert (same.figure.value, same.number, same.comparable) == (0.647, "0.65", True)
    assert same.notes[0].startswith("published with no temperature set")
    other = cell(table, "sft, as published", "Hard, other")
    assert (other.figure.value, other.comparable) == (0.647, False)
    assert other.notes == (
        "not comparable: what is published is of gpt-3.5-turbo-0125; these verdicts were imported "
        "under another name",
    )
    assert cell(table, "API", "Align").notes[0].startswith("published with -1")
    assert cell(table, "API", "J").notes == ("of made_up no board is published",)
    assert "MixEval/mixeval.github.io" in table.methods


def test_every_published_number_has_a_mark_and_no_number_of_ours(
    table: PaperTable, store: Store, tmp_path: Path
) -> None:
    published = {(line.row.model, line.column.title) for line in table.lines if line.cell.origin}
    assert published == {
        ("sft, as published", "Hard"), ("sft, as published", "Hard, other"), ("API", "Hard"),
        ("API", "Hard, other"), ("API", "Align"),
    }  # fmt: skip
    cells = table.tables()[0].rows
    assert sum("‡" in one.marks for row in cells for one in row if isinstance(one, Marked)) == 5
    (note,) = (note for note in table.notes if note.startswith("‡"))
    assert note.startswith(
        "‡ published by others, not measured here: mixeval_hard@2024-06-01: Hard"
    )
    assert "judged by gpt-3.5-turbo-0125; alignbench@1.1: Align: THUDM/AlignBench" in note
    rows = list(csv.DictReader(io.StringIO(render(table.document(), "csv"))))
    assert sum(bool(row["origin"]) for row in rows) == 5
    # Ours by the rule of the published figures is ours, and says so.
    asked = {"name": "alignbench@1.1", "metric": "score/official", "title": "official"}
    ours = made(store, tmp_path, benchmarks=[asked], models=[{"name": "dpo"}], tests=None)
    assert not any("‡" in note for note in ours.notes)
    said = "alignbench@1.1: official: ours, computed by the rule of the published figures"
    assert said in ours.notes


def test_another_version_is_a_mark_too(store: Store, tmp_path: Path) -> None:
    table = made(
        store, tmp_path, models=[{"published": {"alignbench": "erniebot-3.0"}}], tests=None,
        benchmarks=[{"name": "alignbench@1.1", "metric": "score"}],
    )  # fmt: skip
    (row,) = table.rows
    assert (row.model, row.cells[0].figure.value) == ("erniebot-3.0", 6.14)
    assert row.cells[0].notes == (
        "not comparable: what is published is of version 1.0, judged by gpt-4-0613, and this is "
        "version 1.1",
    )


def test_what_is_missing_says_why(table: PaperTable) -> None:
    assert cell(table, "base", "wins").notes == ("others are compared with it",)
    assert cell(table, "few", "Hard").notes == (
        "no answer to mixeval_hard@2024-06-01 is in the store",
    )
    assert cell(table, "few", "wins").notes == ("not judged by pairs",)
    assert cell(table, "few", "wins").number == "–"
    (note,) = (note for note in table.notes if note.startswith("made up: J: n"))
    assert note == "made up: J: n 20 to 200 verdicts on 200 items; missing: few 180"


def test_models_of_different_items_are_tested_on_those_of_both(
    store: Store, tmp_path: Path
) -> None:
    models = [{"name": "few"}, {"name": "gaps"}, {"name": "dpo"}]
    column = PAPER["benchmarks"][:1]
    table = made(store, tmp_path, models=models, benchmarks=column, tests={"against": "gaps"})
    assert table.notes[3:] == (
        "made up: J, few: not tested: no item has a readable verdict on both",
        "made up: J, dpo: tested on 180 of its 200 items, those that gaps has too",
    )
    assert "gaps 20" in table.notes[2]
    assert [row.name for row in table.rows] == ["gaps", "few", "dpo"]
    assert cell(table, "gaps", "J").notes == ("10% of its verdicts are missing",)


def test_a_column_without_numbers_or_tests_says_so(store: Store, tmp_path: Path) -> None:
    table = made(
        store, tmp_path, models=[{"name": "base"}, {"name": "few"}], level=0.999,
        benchmarks=[{"name": "made_up", "judge": "pairs", "title": "wins", "group": ""}],
    )  # fmt: skip
    assert [row.cells[0].test for row in table.rows] == [None, None]
    assert table.tests == 0
    assert table.notes[0].endswith("intervals at 99.9%")
    assert table.notes[2:] == ("wins: n 0 verdicts on 60 items; missing: none",)


def test_of_several_models_of_one_name_the_newest_is_meant_and_it_is_said(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "two.db")) as two:
        begin(two)
        judge = two.put_judge("j", JudgeSpec(kind="reference", model="g"))
        for weights in ("a", "b"):
            put(two, two.put_model("m", ModelSpec(weights=weights)), judge)
        rows = [{"name": "m"}]
        table = made(two, tmp_path, models=rows, tests=None, benchmarks=[{"name": "made_up"}])
        newest = newest_model(PairData(two, "made_up").board, "m")
        assert newest is not None
        called = [{"name": newest}]
        itself = made(two, tmp_path, models=called, tests=None, benchmarks=[{"name": "made_up"}])
    ((only,),) = (row.cells for row in table.rows)
    assert only.notes == (f"the newest of several models of that name, {newest}",)
    assert itself.rows[0].cells[0].notes == ()


def test_what_too_few_items_show_has_no_mark_and_a_reason(store: Store, tmp_path: Path) -> None:
    table = made(
        store, tmp_path, models=[{"name": "a"}, {"name": "b"}], tests={"against": "b"},
        benchmarks=[{"name": "made_up", "judge": "T", "title": "T", "group": ""}],
    )  # fmt: skip
    test = cell(table, "a", "T").test
    assert test is not None
    assert test.p_adjusted < 0.05
    assert test.decision == "undecided"
    assert table.notes[-1] == (
        "T, a: undecided: 8 items have a verdict on both: nothing is decided with fewer than 10"
    )


def test_a_figure_that_no_test_is_of_is_shown_and_said(store: Store, tmp_path: Path) -> None:
    column = {"name": "mixeval_hard", "judge": "other", "group": "", "title": "guessed"}
    table = made(
        store, tmp_path, models=[{"name": "dpo"}, {"name": "sft"}], tests={"against": "sft"},
        benchmarks=[column | {"metric": "score/guessed"}],
    )  # fmt: skip
    assert cell(table, "dpo", "guessed").number == "0.50"
    assert table.tests == 0
    assert table.notes[1] == "no marks: nothing could be tested against sft"
    assert "marks" not in table.methods.lower()
    assert table.notes[-1] == "guessed: not tested: there is no paired test of this metric"


def test_tests_that_all_lack_figures_are_none(store: Store, tmp_path: Path) -> None:
    """Two models without an item in common: p is adjusted over nothing."""
    asked = {
        "models": [{"name": "few"}, {"name": "first"}],
        "benchmarks": [{"name": "made_up", "judge": "J", "title": "J", "group": ""}],
    }
    rows = coded("first", "J", "+" * 100 + "." * 100)
    import_verdicts(store, rows_file(tmp_path / "first.jsonl", rows))
    for against, title in (("first", "first"), ("best", "the best of its column")):
        table = made(store, tmp_path, **asked, tests={"against": against})
        assert table.tests == 0
        assert table.notes[1] == f"no marks: nothing could be tested against {title}"
        assert table.notes[-1].endswith("not tested: no item has a readable verdict on both")
        assert "adjusted over" not in table.methods


def test_the_methods_name_judges_prompts_versions_n_and_seeds(table: PaperTable) -> None:
    for said in (
        "made_up (made_up@unversioned, 200 items): accuracy, judged by J (imported verdicts).",
        "against the answers of base",
        "(mixeval_hard@2024-06-01, 30 questions): score, judged by gpt-3.5-turbo-0125",
        "Intervals are at 95% (accuracy, win rate: mean over items; percentile bootstrap",
        "bootstraps with 2,000 replicates from seed 0",
        "(Holm), at most 0.05",
        f"Software: judgebench {judgebench.__version__}.",
    ):
        assert said in table.methods, said


# forms ------------------------------------------------------------------------------------------


def test_latex_is_whole_and_each_row_has_every_column(table: PaperTable) -> None:
    text = render(table.document(), "latex")
    (shape,) = re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)
    assert shape == "lrrrrr"
    body = text[text.index("\\midrule") : text.index("\\bottomrule")].splitlines()
    rows = [line for line in body if " & " in line]
    assert len(rows) == 6
    assert all(len(re.split(r"(?<!\\)&", row)) == 6 for row in rows)
    assert r"\multicolumn{2}{c}{made up}" in text
    assert r"\cmidrule(lr){2-3}" in text
    assert r"\label{tab:main}" in text
    assert r"\multicolumn{6}{l}{\emph{Ours}} \\" in text
    assert re.search(
        r"DPO & \\textbf\{0\.750\}\\,\{\\scriptsize \[.*?\]\}\\textsuperscript\{\*\}", text
    )
    assert r"\paragraph{Methods.} " in text
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")


def test_latex_alone_is_a_document(store: Store, tmp_path: Path) -> None:
    done = typed(
        "report", written(tmp_path), "--store", store.url, "--standalone", "--format", "latex",
        "--output", tmp_path / "t.tex", "--output", tmp_path / "t.html",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.out.startswith("\\documentclass{article}\n")
    assert done.out.endswith("\\end{document}\n")
    assert (tmp_path / "t.tex").read_text() == done.out
    used = set(re.findall(r"\\usepackage(?:\[.*?\])?\{([\w,]+)\}", done.out))
    packages = {
        "array,booktabs,caption,graphicx,iftex",
        "fontenc",
        "fontspec",
        "geometry",
        "lmodern",
    }
    assert used == packages
    page = (tmp_path / "t.html").read_text()
    assert '<th scope="colgroup" role="columnheader" colspan="2">made up</th>' in page
    assert '<th scope="rowgroup" role="rowheader" colspan="6">Ours</th>' in page
    assert re.search(r"<b>0\.750</b> \[.*?\]<sup>\*</sup>", page)


def test_hostile_titles_are_text(store: Store, tmp_path: Path) -> None:
    titles = [title for title in HOSTILE if "\0" not in title]
    column = {"name": "made_up", "judge": "J"}
    table = made(
        store, tmp_path, title=titles[0], tests=None,
        models=[{"name": "dpo", "title": titles[3], "group": titles[4]}],
        benchmarks=[column | {"title": title, "group": title} for title in titles],
    )  # fmt: skip
    lines = render(table.document(), "latex").splitlines()
    head, row = (re.split(r" (?<!\\)& ", lines[lines.index(r"\midrule") + at]) for at in (-1, 2))
    section = lines[lines.index(r"\midrule") + 1]
    span = rf"\multicolumn{{{len(titles) + 1}}}{{l}}{{\emph{{"
    assert read(section.removeprefix(span).removesuffix(r"}} \\")) == titles[4]
    assert [read(one.removesuffix(r" \\")) for one in head[1:]] == [*map(printable, titles)]
    assert read(row[0]) == titles[3]
    page = render(table.document(), "html")
    assert "<script" not in page
    assert "<img" not in page


def test_rows_for_programs_and_json_have_everything(table: PaperTable) -> None:
    rows = list(csv.DictReader(io.StringIO(render(table.document(), "csv"))))
    assert len(rows) == 30
    (one,) = (r for r in rows if (r["model"], r["column"]) == ("DPO", "made up: J"))
    assert (one["decision"], one["best"], one["metric"], one["n"]) == (
        "better", "True", "accuracy", "200",
    )  # fmt: skip
    data = json.loads(render(table.document(), "json"))
    assert list(data) == [
        "title", "level", "columns", "rows", "against", "correction", "tests", "notes", "methods",
    ]  # fmt: skip
    assert data["rows"][1]["cells"][0]["test"]["decision"] == "better"
    assert data["rows"][5]["cells"][0]["figure"]["undefined"] == "of made_up no board is published"
    text = render(table.document(), "table")
    assert "**0.750** [" in text
    assert "made up: wins" in text
    assert len(table.to_frame()) == 30


# examples ---------------------------------------------------------------------------------------


def test_the_example_of_the_docs_makes_the_table_that_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, paper = re.findall(r"```yaml\n(.*?)```", EXAMPLE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").symlink_to(ROOT / "tasks")
    (tmp_path / "suite.yaml").write_text(suite, encoding="utf-8")
    (tmp_path / "paper.yaml").write_text(paper, encoding="utf-8")
    url = f"sqlite:///{tmp_path / 'e.db'}"
    assert typed("run", "suite.yaml", "--store", url).code == 0
    done = typed("report", "paper.yaml", "--store", url, "--format", "json")
    assert done.code == 0, done.err
    table = json.loads(done.out)
    assert [(row["group"], row["model"]) for row in table["rows"]] == [
        ("before", "Base"), ("after", "Terse"), ("after", "Careful"),
    ]  # fmt: skip
    assert [one["title"] for one in table["columns"]] == ["exact", "contains", "both"]
    careful = [cell["test"]["decision"] for cell in table["rows"][2]["cells"]]
    assert careful == ["undecided", "better", "undecided"]
    assert (
        "Trivia: exact, Trivia: contains: n 48 verdicts on 48 items; missing: none"
        in (table["notes"])
    )
    assert (
        "judged by panel/majority(exact_match,contains) (exact_match: exact_match, "
        in (table["methods"])
    )
    assert "Runs from seed 1234." in table["methods"]


def test_the_demos_paper_names_what_the_demo_has() -> None:
    paper = read_paper(ROOT / "suites" / "paper.yaml")
    demo = yaml.safe_load((ROOT / "suites" / "demo.yaml").read_text(encoding="utf-8"))
    judges = {one["name"]: one["judges"] for one in demo["benchmarks"]}
    assert {one.name for one in paper.models} <= {one["name"] for one in demo["models"]}
    assert all(one.judge in judges[one.name] for one in paper.benchmarks)


# bad input --------------------------------------------------------------------------------------


def changed(part: str, at: int, **said: Any) -> dict[str, Any]:
    rows = [dict(row) for row in PAPER[part]]
    rows[at] |= said
    return {part: rows}


def column(at: int, **said: Any) -> dict[str, Any]:
    return changed("benchmarks", at, **said)


@over_rows(
    "changes, said",
    [
        (
            changed("models", 0, name="dpoo"),
            "yaml:4: models[0]: no model called 'dpoo'; did you mean 'dpo'?",
        ),
        (changed("models", 1, nam="few"), "[1].nam: no key called 'nam'; did you mean 'name'?"),
        ({"models": [{"title": "x"}], "tests": None}, "models[0]: a row has the 'name' of a"),
        ({"models": [{"name": "dpo"}] * 2, "tests": None}, "models named twice: dpo"),
        (
            changed("models", 4, published="Claude 3 Opuss"),
            "models[4].published: no published model called 'Claude 3 Opuss'; did you mean "
            "'Claude 3 Opus'?",
        ),
        (column(0, name="made_upp"), "benchmarks[0].name: "),
        (column(0, name="made_upp"), "no benchmark called 'made_upp'; did you mean 'made_up'?"),
        (column(0, name="alignbench@1.2"), "no version of alignbench called '1.2'"),
        (column(0, name="twice"), "several versions of twice; name one: twice@1, twice@2"),
        (
            column(4, name="alignbench"),
            "benchmarks[4].name: the store holds several versions of alignbench, and a column is "
            "of one: alignbench@1.0, alignbench@1.1",
        ),
        (column(0, judge="J."), "benchmarks[0].judge: made_up@unversioned: no judge called 'J.'; "),
        (column(0, judge="J."), "did you mean 'J'?"),
        (column(0, judge=None), "several boards fit; say which judge, baseline or metric: made_up"),
        (column(0, metric="acuracy"), "no metric called 'acuracy'; did you mean 'accuracy'?"),
        (column(0, metric="style_controlled_win_rate/v2.0"), "`judgebench leaderboard --style-c"),
        (column(0, metric="auroc"), "; of confidences `judgebench confidence` has it"),
        (column(0, panel=["J", "K"]), "panel: a column has a judge or a panel"),
        (column(0, judge=None, panel=["J", "Z"]), "made_up@unversioned: no judge called 'Z'"),
        (column(0, judge=None, panel=["J"]), "benchmarks[0].panel: List should have at least 2"),
        (column(0, judge=None, panel=["J", "J"]), "panel: a judge named twice in a panel"),
        (column(1, baseline="sft"), "benchmarks[1]: no board is against sft; say which judge"),
        (column(0, by="topic"), "no way of grouping called 'topic'"),
        (column(3, title="Hard"), "benchmarks[3]: 'mixeval_hard@2024-06-01: Hard' is another"),
        ({"tests": {"against": "bse"}}, "no model of the table called 'bse'; did you mean 'base'?"),
        ({"tests": {"against": "best", "correction": "bh"}}, "the best is chosen by the numbers"),
        ({"label": "a}b"}, "label: "),
        ({"group_by": "stage"}, "group_by: no tag called 'stage'"),
        ({"models": []}, "models: "),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    changes: Mapping[str, Any], said: str, store: Store, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        made(store, tmp_path, **changes)
    assert str(caught.value).startswith(str(tmp_path / "paper.yaml"))
    assert said in str(caught.value)


def test_no_mapping_is_no_paper(store: Store, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("- a\n")
    done = typed("report", tmp_path / "p.yaml", "--store", store.url)
    assert done.code == 78
    assert "a paper is a mapping with title" in done.err


# length-controlled win rates --------------------------------------------------------------------


def test_length_controlled_columns_are_those_of_board_and_compare(tmp_path: Path) -> None:
    columns = [
        {"name": "made_up", "metric": "length_controlled_win_rate", "title": "LC"},
        {"name": "made_up", "metric": "avg_length", "title": "length", "direction": "lower"},
        {"name": "made_up", "metric": "discrete_win_rate", "title": "wins"},
    ]
    asked: dict[str, Any] = {
        "models": [{"name": "m0"}, {"name": "m2"}, {"name": BASELINE}],
        "benchmarks": columns,
        "tests": {"against": "m0"},
    }
    with open_store(str(tmp_path / "lc.db")) as store:
        take_in(store, tmp_path, models=6, items=200)
        with pytest.raises(ConfigError, match="`judgebench calibrate-length made_up` fits what"):
            made(store, tmp_path, **asked)
        calibrate_length(store, "made_up")
        table = made(store, tmp_path, **asked)
        one = comparison(store, "m2", "m0", metrics=["length_controlled_win_rate"]).tests[0]
        (board,) = leaderboards(store, "made_up")
    tested = cell(table, "m2", "LC")
    (row,) = (row for row in board.rows if row.model == "m2")
    assert tested.figure == row.metrics["length_controlled_win_rate"]
    assert tested.test is not None
    assert (tested.test.p_value, tested.test.p_adjusted) == (one.p_value, one.p_value)
    lengths = {row.name: row.cells[1] for row in table.rows}
    shorter = min(("m0", "m2"), key=lambda name: lengths[name].figure.value)
    assert lengths[shorter].best
    assert table.tests == 1
    assert table.notes[-1] == (
        "made_up@unversioned: length, made_up@unversioned: wins: not tested: there is no paired "
        "test of this metric"
    )
    assert cell(table, BASELINE, "LC").notes == ("others are compared with it",)
