"""Published boards of a made-up benchmark: which are here, and how they stand beside ours."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import kendalltau, pearsonr, spearmanr

from judgebench import registry
from judgebench.benchmarks.description import Description, read
from judgebench.errors import ConfigError, InputError, UsageError
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.model_correlations import NO_INTERVAL
from judgebench.reports.board import Board, ReferenceBoard, places, references
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.published import read_names, related, same_models
from judgebench.reports.render import render
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.unit.exchanged import import_responses, import_verdicts, rows_file

FILE = """\
version,judge,model,total,maths,elo
1,wise,Alpha 1,64.7,80.1,1100
1,wise,Beta-2,55,40.2,
1,wise,Gamma,55,41,1000
1,wise,Delta,12.5,,900
1,other,Alpha 1,50.2,60,
2,wise,Alpha 1,1,2,
"""
PUBLISHED = """
[published]
file = "figures/boards.csv"
source = "made up, 2024"
percent = true
also = { elo = "elo" }
columns = { score = "total" }
by.category = { sums = "maths" }

[[published.boards]]
version = "1"
judge = "wise"
note = "be careful with these"

[[published.boards]]
version = "1"
judge = "other"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A benchmark with two published boards of one version and one of another."""
    mini = registry.tasks_root() / "mixeval_mini"
    found = tmp_path / "tasks" / "made_up"
    found.mkdir(parents=True)
    text = (mini / "benchmark.toml").read_text(encoding="utf-8")
    text = text.replace('name = "mixeval_mini"', 'name = "made_up"')
    text = text.replace('path = "."', 'path = "elsewhere"')  # its questions are not here
    (found / "benchmark.toml").write_text(text + PUBLISHED, encoding="utf-8")
    (found / "figures").mkdir()
    (found / "figures" / "boards.csv").write_text(FILE, encoding="utf-8")
    monkeypatch.setattr(registry, "tasks_root", lambda: tmp_path / "tasks")
    return found


def change(folder: Path, old: str, new: str, file: str = "figures/boards.csv") -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# reading ----------------------------------------------------------------------------------------


def test_a_board_has_the_lines_of_its_version_and_judge(folder: Path) -> None:
    wise, other = references("made_up", "1").boards
    assert list(wise.figures) == ["Alpha 1", "Beta-2", "Gamma", "Delta"]
    assert wise.figures["Alpha 1"] == {"score": 0.647, "score/sums": 0.801, "elo": 1100.0}
    assert wise.figures["Delta"] == {"score": 0.125, "elo": 900.0}
    assert (other.judge, dict(other.figures)) == (
        "other",
        {"Alpha 1": {"score": 0.502, "score/sums": 0.6}},
    )
    assert wise.metrics == ("score", "score/sums")


def test_equal_figures_share_a_place(folder: Path) -> None:
    wise = references("made_up", "1").boards[0]
    assert places(list(wise.figures.values()), "score") == [1, 2, 2, 4]
    assert places(list(wise.figures.values()), "score/sums") == [1, 3, 2, None]


def test_boards_of_another_version_are_named(folder: Path) -> None:
    change(folder, "[versions.1]", "[versions.2]\nsource = {kind = 'folder'}\n\n[versions.1]",
           "benchmark.toml")  # fmt: skip
    found = references("made_up", "2")
    assert found.boards == ()
    assert len(found.notes) == 2
    assert (
        "made_up@1 has a published board, judged by wise: of other questions than made_up@2"
        in (found.notes[0])
    )


def test_without_figures_it_says_where_they_are(folder: Path) -> None:
    shutil.rmtree(folder / "figures")
    found = references("made_up", "1")
    assert found.boards == ()
    assert "tasks/made_up/figures/boards.csv in judgebench's source repository" in found.notes[0]


def test_a_benchmark_without_published_boards_says_so() -> None:
    found = references("mixeval_mini", "1")
    assert (found.boards, found.notes) == ((), ("of mixeval_mini no board is published",))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Gamma", "Beta-2", "boards.csv:4: model: Beta-2 is here twice"),
        ("64.7", "high", "boards.csv:2: total: a number has to stand here, not 'high'"),
        ("total", "sum", "total: is missing. Columns here: version, judge, model, sum"),
        ("other", "another", "no line is of version 1 and judge other"),
    ],
)
def test_bad_figures_are_named(folder: Path, old: str, new: str, said: str) -> None:
    change(folder, old, new)
    with pytest.raises(InputError, match=said.replace(".", r"\.")):
        references("made_up", "1")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('version = "1"\njudge = "wise"', 'version = "3"\njudge = "wise"', "no version called '3'"),
        ('judge = "other"', 'judge = "other"\nprovider = "openai"', "say together who judged"),
        ('columns = { score = "total" }', "columns = {}", "columns"),
    ],
)
def test_a_description_that_cannot_be_is_refused(
    folder: Path, old: str, new: str, said: str
) -> None:
    change(folder, old, new, "benchmark.toml")
    with pytest.raises(ConfigError, match=said):
        read(folder)


def test_a_prompt_that_nobody_has_is_refused(folder: Path) -> None:
    data = read(folder).model_dump()
    data["judging"]["official_from"] = None
    data["published"]["boards"][0] |= {"models": ["m"], "provider": "p", "prompt": "q"}
    with pytest.raises(ValueError, match="no official prompt called 'q'"):
        Description.model_validate(data)


# names ------------------------------------------------------------------------------------------


def test_models_are_known_by_their_names_whatever_the_case_and_hyphens() -> None:
    theirs = ["LLaMA-3-8B-Instruct", "Command R", "Command R+", "Qwen 1.5-7B"]
    ours = {
        name: (name,) for name in ("llama_3 8b-instruct", "command-r+", "qwen1.5-7b", "qwen157b")
    }
    assert same_models(ours, theirs, {}) == {
        "llama_3 8b-instruct": "LLaMA-3-8B-Instruct",
        "command-r+": "Command R+",
        "qwen1.5-7b": "Qwen 1.5-7B",
    }


def test_a_name_that_could_mean_two_means_none_of_them() -> None:
    assert same_models({"gpt 4": ("gpt 4",), "GPT-4": ("GPT-4",)}, ["GPT-4", "gpt_4"], {}) == {
        "GPT-4": "GPT-4"
    }


def test_any_of_a_models_names_will_do_and_what_is_said_goes_first() -> None:
    ours = {"new": ("new", "Alpha"), "mine": ("mine", "Beta")}
    assert same_models(ours, ["Alpha", "Beta", "Gamma"], {"mine": "Gamma"}) == {
        "new": "Alpha",
        "mine": "Gamma",
    }


def test_names_are_written_in_two_parts() -> None:
    assert read_names(["a=B c", "d = e=f"]) == {"a": "B c", "d": "e=f"}
    for wrong in (["a"], ["=b"], ["a="]):
        with pytest.raises(UsageError, match="MODEL=PUBLISHED"):
            read_names(wrong)
    with pytest.raises(UsageError, match="a has two published names: B and C"):
        read_names(["a=B", "a=C"])


# beside our boards ------------------------------------------------------------------------------


def score(model: str, judge: str, value: float, item: int) -> dict[str, Any]:
    return {
        "benchmark": "made_up", "item_id": f"free-form/{item}", "model": model, "judge": judge,
        "kind": "score", "value": value, "low": 0, "high": 1,
    }  # fmt: skip


@pytest.fixture
def store(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "data"))
    with open_store(str(tmp_path / "s.db")) as opened:
        yield opened


def take_in(store: Store, folder: Path, values: Mapping[tuple[str, str], float]) -> None:
    rows = [
        score(model, judge, value + (0.05 if item else -0.05), item)
        for (model, judge), value in values.items()
        for item in range(2)
    ]
    import_verdicts(store, rows_file(folder / "v.jsonl", rows))


def boards(store: Store, **more: Any) -> dict[str, Board]:
    found = leaderboards(store, "made_up", intervals=Intervals(n_replicates=20), **more)
    return {board.judge: board for board in found}


def shown(found: Mapping[str, Board], form: str = "md") -> str:
    published = references("made_up", "1")
    said = render(Leaderboard.of(list(found.values()), published=published).document(), form)
    return said.replace("\\[", "[").replace("\\]", "]") if form == "md" else said


def test_models_of_the_published_judge_are_ranked_with_the_published_ones(
    store: Store, tmp_path: Path
) -> None:
    take_in(store, tmp_path, {("alpha-1", "wise"): 0.5, ("mine", "wise"): 0.6})
    found = boards(store)
    same = found["wise"].published
    assert same is not None
    assert same.names == {"alpha-1": "Alpha 1"}
    assert {row.model: dict(row.published) for row in found["wise"].rows} == {
        "mine": {},
        "alpha-1": {"score": 0.647, "score/sums": 0.801, "elo": 1100.0},
    }
    lines = shown(found).splitlines()
    start = lines.index("### made_up@1: the published leaderboard, with these models")
    ranking = [line.split("|")[1:-1] for line in lines[start + 4 : start + 11]]
    cells = [[cell.strip() for cell in line] for line in ranking]
    assert cells[2:] == [
        ["1", "mine", "0.600", "", "this store", ""],
        ["2", "Beta-2", "0.550", "", "published", ""],
        ["2", "Gamma", "0.550", "1000", "published", ""],
        ["4", "alpha-1", "0.500", "1100", "this store", "0.647"],
        ["5", "Delta", "0.125", "900", "published", ""],
    ]
    assert "be careful with these" in shown(found)


def test_another_judges_scores_stand_beside_without_a_rank(store: Store, tmp_path: Path) -> None:
    take_in(store, tmp_path, {("Alpha 1", "new"): 0.5, ("mine", "new"): 0.6})
    found = boards(store)
    assert found["new"].published is None
    assert not any(row.published for row in found["new"].rows)
    text = shown(found)
    assert "with these models" not in text
    assert "### made_up@1: judged by new, and as published" in text
    beside = text.split("### made_up@1: judged by new, and as published")[1]
    assert "| Alpha 1 | 0.50 | 0.647 | 2 |" in beside
    assert "mine" not in beside
    assert (
        "not ranked together: what is published is of wise; these verdicts were imported" in beside
    )


def test_a_judge_without_a_common_model_is_told_how_to_name_it(
    store: Store, tmp_path: Path
) -> None:
    take_in(store, tmp_path, {("mine", "new"): 0.6})
    assert "no model here has the name of a published one; --published-as MODEL=NAME" in shown(
        boards(store)
    )
    found = boards(store, published_as={"mine": "Gamma"})
    assert "| mine | Gamma | 0.60 | 0.550 | 2 |" in shown(found)
    for names, said in (({"mine": "Gama"}, "did you mean 'Gamma'"), ({"m": "Gamma"}, "model here")):
        with pytest.raises(UsageError, match=said):
            boards(store, published_as=names)


def test_without_figures_a_published_name_cannot_be_said(store: Store, tmp_path: Path) -> None:
    take_in(store, tmp_path, {("mine", "new"): 0.6})
    shutil.rmtree(tmp_path / "tasks" / "made_up" / "figures")
    with pytest.raises(UsageError, match="in judgebench's source repository"):
        boards(store, published_as={"mine": "Gamma"})
    text = shown(boards(store))
    assert "### no published board is here" in text
    assert "in judgebench's source repository" in text


def test_what_is_published_is_not_set_beside_another_metric(store: Store, tmp_path: Path) -> None:
    rows = [score("Alpha 1", "wise", 0.5, 0) | {"kind": "label", "value": "correct"}]
    import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
    (found,) = boards(store).values()
    assert {(one.because, len(one.names)) for one in found.beside} == {
        ("score is published, and this is accuracy", 0)
    }


# correlations -----------------------------------------------------------------------------------

FOUR = {"Alpha 1": 0.5, "Beta-2": 0.6, "Gamma": 0.45, "Delta": 0.2}


def test_correlations_are_those_of_scipy(store: Store, tmp_path: Path) -> None:
    take_in(store, tmp_path, {(model, "new"): value for model, value in FOUR.items()})
    found = related([boards(store)["new"]])
    (wise,) = [one for one in found if one.beside.reference.judge == "wise"]
    theirs = [0.647, 0.55, 0.55, 0.125]
    for name, function in (("spearman", spearmanr), ("pearson", pearsonr), ("kendall", kendalltau)):
        one = wise.correlations["score"][name]
        assert one.value == pytest.approx(float(function(list(FOUR.values()), theirs).statistic))
        assert (one.n, math.isnan(one.low)) == (4, True)
        assert one.method == NO_INTERVAL
    assert "score/sums" not in wise.correlations  # nothing here says what items are about
    text = shown({"new": boards(store)["new"]})
    assert "### made_up@1: correlation with the published board" in text
    assert NO_INTERVAL in text


def test_a_suspicious_model_has_no_place_and_does_not_count_in_correlations(
    store: Store, tmp_path: Path
) -> None:
    take_in(store, tmp_path, {(model, "wise"): score for model, score in FOUR.items()})
    rows = [
        {"benchmark": "made_up", "version": "1", "item_id": str(i), "model": "Alpha 1",
         "text": "one text to whatever is asked, so that it is constant"}
        for i in range(30)
    ]  # fmt: skip
    import_responses(store, rows_file(tmp_path / "null.jsonl", rows))
    board = boards(store)["wise"]
    assert [row.model for row in board.rows if row.excluded] == ["Alpha 1"]
    (found, _) = related([board])
    assert found.correlations["score"]["spearman"].n == len(FOUR) - 1
    text = shown({"wise": board})
    line = next(line for line in text.splitlines() if "this store" in line and "Alpha 1" in line)
    assert line.startswith("| – | Alpha 1 |")
    assert "| 1 | Beta-2 | " in text
    every = leaderboards(store, "made_up", rank_suspicious=True)
    (found, _) = related([one for one in every if one.judge == "wise"])
    assert found.correlations["score"]["spearman"].n == len(FOUR)


@pytest.mark.parametrize("n", [1, 2])
def test_of_one_or_two_models_there_is_none(store: Store, tmp_path: Path, n: int) -> None:
    take_in(store, tmp_path, {(model, "wise"): FOUR[model] for model in list(FOUR)[:n]})
    (found, _) = related([boards(store)["wise"]])
    one = found.correlations["score"]["spearman"]
    assert math.isnan(one.value)
    said = "1 model has" if n == 1 else "2 models have"
    assert one.undefined == (
        f"{said} a score on both boards; a correlation that says something takes 3"
    )
    assert f"– correlation with the published board: {said} a score" in shown(boards(store))


def test_of_equal_scores_there_is_none_and_it_says_why(store: Store, tmp_path: Path) -> None:
    take_in(store, tmp_path, {(model, "new"): 0.5 for model in FOUR})
    found = related([boards(store)["new"]])[0].correlations["score"]
    assert {one.undefined for one in found.values()} == {"the scores are the same for every model"}
    assert "correlation with the published board: the scores are the same" in shown(boards(store))


# scripts ----------------------------------------------------------------------------------------


def test_rows_of_reference_in_json_and_csv(store: Store, tmp_path: Path) -> None:
    take_in(store, tmp_path, {("Alpha 1", "wise"): 0.5})
    found = json.loads(shown(boards(store), "json"))
    wise, _other = found["published_boards"]
    assert (wise["judge"], wise["source"], wise["metric"]) == ("wise", "made up, 2024", "score")
    assert [(row["model"], row["rank"]) for row in wise["rows"]] == [
        ("Alpha 1", 1), ("Beta-2", 2), ("Gamma", 2), ("Delta", 4),
    ]  # fmt: skip
    (board,) = found["boards"]
    assert [(one["judge"], one["same_judge"]) for one in board["beside_published"]] == [
        ("wise", True),
        ("other", False),
    ]
    assert board["beside_published"][0]["models"] == [
        {
            "model": "Alpha 1",
            "published_as": "Alpha 1",
            "figures": {"score": 0.647, "score/sums": 0.801, "elo": 1100.0},
        }
    ]
    rows = list(csv.DictReader(shown(boards(store), "csv").splitlines()))
    published = [row for row in rows if row["figures"] == "published"]
    scores = {(r["model"], r["judge"], r["value"]) for r in published if r["metric"] == "score"}
    assert scores == {
        ("Alpha 1", "wise", "0.647"), ("Beta-2", "wise", "0.55"), ("Gamma", "wise", "0.55"),
        ("Delta", "wise", "0.125"), ("Alpha 1", "other", "0.502"),
    }  # fmt: skip
    assert {row["model"] for row in rows if row["figures"] == "this store"} == {"Alpha 1"}


def test_a_board_alone_says_nothing_of_what_is_published(store: Store, tmp_path: Path) -> None:
    take_in(store, tmp_path, {("Alpha 1", "new"): 0.5})
    found = Leaderboard.of(list(boards(store).values())).document()
    assert not {"published_boards", "published_notes"} & found.data.keys()
    assert "beside_published" not in found.data["boards"][0]
    assert "figures" not in found.records[0]


def test_a_published_board_is_a_value() -> None:
    (hard,) = references("mixeval_hard", "2024-06-01").boards
    assert isinstance(hard, ReferenceBoard)
    assert hard.items == 1000
