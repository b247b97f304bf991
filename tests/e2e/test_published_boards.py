"""``leaderboard --published``: the boards of MixEval and AlignBench, and our models with them."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from judgebench import registry
from judgebench.metrics.model_correlations import NO_INTERVAL
from tests import alignbench_gold
from tests.e2e import mixeval_gold
from tests.e2e.runs import Done, store_url, typed
from tests.loopback import Loopback, Reaction
from tests.unit.exchanged import rows_file

ELO = "published_leaderboard_correlation_with_arena_elo"
COEFFICIENTS = {"spearman": "spearman", "pearson": "pearson", "kendall": "kendall_b"}
OF_ALIGNBENCH = {
    "score": "overall",
    "score/reasoning": "reasoning",
    "score/language": "language",
    "score/数学计算": "math",
    "score/逻辑推理": "logic",
    "score/基本任务": "fundamental",
    "score/中文理解": "chinese",
    "score/综合问答": "open",
    "score/文本写作": "writing",
    "score/角色扮演": "roleplay",
    "score/专业能力": "professional",
}
OF_HARD = {
    "score": "mixeval_hard",
    "score/TriviaQA": "triviaqa_hard",
    "score/MMLU": "mmlu_hard",
    "score/DROP": "drop_hard",
}
OF_MIXEVAL = {
    "score": "mixeval",
    **{f"score/{name}": name.lower() for name in ("TriviaQA", "MMLU", "DROP", "HellaSwag")},
    "score/CommonsenseQA": "commonsenseqa",
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))


def leaderboard(folder: Path, benchmark: str, *more: str) -> Done:
    done = typed("leaderboard", benchmark, "--published", "--store", store_url(folder), *more)
    assert done.code == 0, done.err
    return done


def as_json(folder: Path, benchmark: str, *more: str) -> dict[str, Any]:
    found = json.loads(leaderboard(folder, benchmark, "--format", "json", *more).out)
    assert isinstance(found, dict)
    return found


def scored(
    folder: Path,
    means: Mapping[str, float],
    *,
    judge: str,
    benchmark: str = "mixeval_hard",
    scale: tuple[float, float] = (0, 1),
    **more: Any,
) -> None:
    """Verdicts of a judge on two items, imported."""
    rows = [
        {
            "benchmark": benchmark, "item_id": f"free-form/{item}", "model": model, "judge": judge,
            "kind": "score", "value": mean, "low": scale[0], "high": scale[1], **more,
        }
        for model, mean in means.items()
        for item in range(2)
    ]  # fmt: skip
    done = typed("import", "verdicts", rows_file(folder / "v.jsonl", rows), "--store",
                 store_url(folder))  # fmt: skip
    assert done.code == 0, done.err


def mixeval_rows() -> list[dict[str, str]]:
    path = mixeval_gold.GOLD / "published_leaderboard.csv"
    if not path.exists():
        pytest.skip(mixeval_gold.ABSENT)
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


# the rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("benchmark", "columns"), [("mixeval_hard", OF_HARD), ("mixeval", OF_MIXEVAL)]
)
def test_the_47_rows_of_mixeval_are_the_published_ones(
    tmp_path: Path, benchmark: str, columns: Mapping[str, str]
) -> None:
    gold = {row["model"]: row for row in mixeval_rows()}
    (board,) = as_json(tmp_path, benchmark)["published_boards"]
    assert (board["version"], board["judge"]) == ("2024-06-01", "gpt-3.5-turbo-0125")
    assert [row["model"] for row in board["rows"]] == list(gold)
    assert len(gold) == 47
    for row in board["rows"]:
        figures, theirs = dict(row["figures"]), gold[row["model"]]
        elo = figures.pop("arena_elo", None)
        assert elo == (float(theirs["arena_elo_0527"]) if theirs["arena_elo_0527"] else None)
        assert figures.keys() == columns.keys()
        for name, column in columns.items():
            assert Decimal(str(figures[name])) * 100 == Decimal(theirs[column])


@pytest.mark.parametrize(("version", "models"), [("1.0", 17), ("1.1", 23)])
def test_the_57_rows_of_alignbench_are_the_published_ones(
    tmp_path: Path, version: str, models: int
) -> None:
    alignbench_gold.needed()
    gold = alignbench_gold.gold("published_leaderboards.json")
    boards = as_json(tmp_path, f"alignbench@{version}")["published_boards"]
    judges = {"1.0": ["gpt-4-0613", "CritiqueLLM"], "1.1": ["gpt-4-0613"]}[version]
    assert [board["judge"] for board in boards] == judges
    for board in boards:
        (theirs,) = [
            table
            for title, table in gold.items()
            if title.startswith(f"v{version} judged by {board['judge']}")
        ]
        assert len(theirs) == models
        assert {row["model"]: row["figures"] for row in board["rows"]} == {
            model: {name: row[column] for name, column in OF_ALIGNBENCH.items()}
            for model, row in theirs.items()
        }


def test_csv_has_them_as_tidy_rows(tmp_path: Path) -> None:
    out = leaderboard(tmp_path, "alignbench@1.0", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 2 * 17 * 11
    assert {row["figures"] for row in rows} == {"published"}
    best = [row for row in rows if row["rank"] == "1" and row["metric"] == "score"]
    assert [(row["judge"], row["model"], row["value"], row["n"]) for row in best] == [
        ("gpt-4-0613", "gpt-4-1106-preview", "8.01", "683"),
        ("CritiqueLLM", "gpt-4-1106-preview", "7.58", "683"),
    ]


def test_as_it_is_typed_where_nothing_was_judged(tmp_path: Path) -> None:
    page = tmp_path / "board.html"
    done = leaderboard(tmp_path, "alignbench", "--by", "category", "--output", str(page))
    assert "holds nothing of alignbench; what follows is what others published" in done.err
    assert "alignbench@1.1: the published leaderboard\n" in done.out
    assert "judged by gpt-4-0613; by score" in done.out
    assert re.search(r"^ +5 +GLM-4-0520 +7\.89 +7\.66 +8\.13$", done.out, re.MULTILINE)
    assert re.search(r"^ +5 +Sensechat 5\.0 +7\.89", done.out, re.MULTILINE)
    assert "the published leaderboard, by category" in done.out
    assert "alignbench@1.0 has a published board, judged by CritiqueLLM" in done.out
    assert "通义千问2.5" in page.read_text(encoding="utf-8")
    markdown = leaderboard(tmp_path, "mixeval_hard", "--format", "md").out
    assert "| 1 | Claude 3.5 Sonnet-0620 | 0.6805 | 0.733 | 0.584 | 0.804 |  |" in markdown


def test_a_way_of_grouping_that_is_not_published_is_refused(tmp_path: Path) -> None:
    done = typed("leaderboard", "alignbench", "--published", "--by", "categories", "--store",
                 store_url(tmp_path))  # fmt: skip
    assert (done.code, done.out) == (64, "")
    assert "no published way of grouping called 'categories'; did you mean 'category'?" in done.err


def test_another_version_has_no_published_board(tmp_path: Path) -> None:
    command = ("leaderboard", "mixeval_hard@2024-08-11", "--published", "--store")
    done = typed(*command, store_url(tmp_path))
    assert (done.code, done.out) == (64, "")
    assert "mixeval_hard@2024-06-01 has a published board, judged by gpt-3.5-turbo-0125" in done.err
    scored(tmp_path, {"LLaMA-3-8B-Instruct": 0.5}, judge="gpt-3.5-turbo-0125", version="2024-08-11")
    out = leaderboard(tmp_path, "mixeval_hard").out
    assert "mixeval_hard@2024-08-11, judged by gpt-3.5-turbo-0125" in out
    assert "no published board is here\nmixeval_hard@2024-06-01 has a published board" in out
    assert "correlation" not in out


def test_a_benchmark_without_published_boards_says_so(tmp_path: Path) -> None:
    scored(tmp_path, {"m": 0.5}, judge="j", benchmark="mixeval_mini")
    assert "of mixeval_mini no board is published" in leaderboard(tmp_path, "mixeval_mini").out


def test_an_installed_package_says_where_the_figures_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the wheel has it: the folders of benchmarks without their figures."""
    tasks, ignored = tmp_path / "tasks", shutil.ignore_patterns("figures", "__pycache__")
    for name in ("mixeval", "mixeval_hard"):
        shutil.copytree(registry.tasks_root() / name, tasks / name, ignore=ignored)
    monkeypatch.setattr(registry, "tasks_root", lambda: tasks)
    where = "tasks/mixeval_hard/figures/board.csv in judgebench's source repository"
    done = typed("leaderboard", "mixeval", "--published", "--store", store_url(tmp_path))
    assert done.code == 64
    assert where in done.err
    scored(tmp_path, {"LLaMA-3-8B-Instruct": 0.5}, judge="gpt-3.5-turbo-0125")
    assert where in leaderboard(tmp_path, "mixeval_hard").out
    notes = as_json(tmp_path, "mixeval_hard")["published_notes"]
    assert len(notes) == 1
    assert where in notes[0]


# our models -------------------------------------------------------------------------------------


def test_correlations_with_the_published_board_are_the_expected_ones(tmp_path: Path) -> None:
    """33 models scored by a judge that says what their Elo says, on a line."""
    elo = {row["model"]: row["arena_elo_0527"] for row in mixeval_rows()}
    scored(
        tmp_path, {name: (float(one) - 900) / 500 for name, one in elo.items() if one}, judge="elo"
    )
    expected = mixeval_gold.expected()[ELO]["mixeval_hard"]
    (board,) = as_json(tmp_path, "mixeval_hard")["boards"]
    (beside,) = board["beside_published"]
    assert (beside["same_judge"], len(beside["models"])) == (False, 33)
    found = beside["correlations"]["score"]
    for name, theirs in COEFFICIENTS.items():
        assert found[name]["value"] == pytest.approx(expected[theirs], abs=5e-5 + 1e-9)
        assert found[name]["n"] == expected["n"]
        assert found[name]["low"] is None
        assert found[name]["method"] == NO_INTERVAL
    out = leaderboard(tmp_path, "mixeval_hard").out
    assert "mixeval_hard@2024-06-01: correlation with the published board\n" in out
    assert re.search(r"^score +0\.970 +0\.977 +0\.877 +33$", out, re.M)
    assert "with these models" not in out


def test_another_judge_is_never_in_the_published_ranking(tmp_path: Path) -> None:
    scored(tmp_path, {"sft": 0.6, "gpt-4o-2024-05-13": 0.7}, judge="newer")
    scored(tmp_path, {"sft": 0.65}, judge="gpt-3.5-turbo-0125")
    out = leaderboard(tmp_path, "mixeval_hard", "--published-as", "sft=LLaMA-3-8B-Instruct").out
    assert re.search(r"^ +1 +Claude 3\.5 Sonnet-0620 +0\.6805", out, re.MULTILINE)
    assert re.search(r"^ +2 +sft +0\.6500 +1153 +this store +0\.4560$", out, re.MULTILINE)
    assert re.search(r"^ +3 +GPT-4o-2024-05-13 +0\.6470.* +published", out, re.MULTILINE)
    assert re.search(r"^gpt-4o-2024-05-13 +GPT-4o-2024-05-13 +0\.70 .* +0\.6470 +2$", out, re.M)
    assert "not ranked together: what is published is of gpt-3.5-turbo-0125" in out
    assert "correlation with the published board: 2 models have a score on both boards" in out
    assert "correlation with the published board: 1 model has a score on both boards" in out
    assert "warning: 2 items here; the published figures are of 1000" in out


def test_a_name_that_nobody_has_is_refused(tmp_path: Path) -> None:
    scored(tmp_path, {"sft": 0.6}, judge="newer")
    for names, said in (("sft=Llama", "no published model called 'Llama'"), ("sft", "MODEL=")):
        done = typed("leaderboard", "mixeval_hard", "--published", "--published-as", names,
                          "--store", store_url(tmp_path))  # fmt: skip
        assert (done.code, done.out) == (64, "")
        assert said in done.err


# judges of our own ------------------------------------------------------------------------------


def judged(folder: Path, benchmark: str, url: str, judges: list[dict[str, Any]], ids: Any) -> None:
    """One model's answers judged by judges that all answer at an address."""
    answers = folder / "answers.jsonl"
    lines = [json.dumps({"item_id": one, "text": f"回答{one}。"}) for one in ids]
    answers.write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = [judge["name"] for judge in judges]
    written = {
        "name": "published",
        "models": [{"name": "writer", "responses": str(answers)}],
        "judges": [{"provider": "openai", "base_url": url, **judge} for judge in judges],
        "benchmarks": [{"name": benchmark, "judges": names, "limit": 4}],
        "store": store_url(folder),
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    done = typed("run", path)
    assert done.code == 0, done.err


def said_of(folder: Path, benchmark: str) -> dict[str, list[tuple[bool, str | None]]]:
    return {
        board["judge"]: [(one["same_judge"], one["because"]) for one in board["beside_published"]]
        for board in as_json(folder, benchmark)["boards"]
    }


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
    yield


@pytest.mark.usefixtures("keyed")
def test_a_judge_of_alignbench_that_asks_as_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alignbench_gold.needed()
    alignbench_gold.half(tmp_path, monkeypatch)
    ids = [str(row["question_id"]) for row in alignbench_gold.rows()]
    judges = [
        {"name": "old", "model": "gpt-4-0613"},
        {"name": "new", "model": "gpt-4o"},
        {"name": "ours", "model": "gpt-4-0613", "options": {"prompt": "default"}},
        {"name": "warm", "model": "gpt-4-0613", "sampling": {"temperature": 0.5}},
    ]
    with Loopback(lambda _: Reaction(text="评语。\n{'综合得分': 6}")) as server:
        judged(tmp_path, "alignbench", server.url, judges, ids)
    said = said_of(tmp_path, "alignbench")
    assert said["old"] == [(True, None)]
    before = "what is published is of gpt-4-0613; "
    assert said["new"] == [
        (False, f"{before}that is gpt-4-0613 of openai, this one gpt-4o of openai")
    ]
    assert said["ours"] == [(False, f"{before}this one is not asked with the official prompt")]
    assert said["warm"] == [
        (False, f"{before}this one has other sampling (temperature: 0.5, there 0)")
    ]


@pytest.mark.usefixtures("keyed")
def test_a_judge_of_mixeval_that_asks_as_published(tmp_path: Path) -> None:
    """Upstream sends no temperature, and we send 0 unless told otherwise."""
    ids = [mixeval_gold.item_id(row) for row in mixeval_rows_of_questions()]
    assert typed("data", "import", "mixeval_hard", mixeval_gold.GOLD).code == 0
    model = "gpt-3.5-turbo-0125"
    judges: list[dict[str, Any]] = [
        {"name": "as-published", "model": model, "sampling": {"temperature": None}},
        {"name": "usual", "model": model},
        {
            "name": "read-as-upstream",
            "model": model,
            "sampling": {"temperature": None},
            "options": {"reader": "upstream"},
        },
        {
            "name": "cut",
            "model": model,
            "sampling": {"temperature": None},
            "options": {"max_answer_chars": 50},
        },
    ]

    with Loopback(mixeval_gold.as_judge) as server:
        judged(tmp_path, "mixeval_hard", server.url, judges, ids)
    said = said_of(tmp_path, "mixeval_hard")
    assert said["as-published"] == [(True, None)]
    before = f"what is published is of {model}; this one has other"
    assert said["usual"] == [(False, f"{before} sampling (temperature: 0, there none)")]
    assert said["read-as-upstream"] == [(True, None)]
    assert said["cut"] == [(False, f"{before} options (max_answer_chars: 50, there none)")]


def mixeval_rows_of_questions() -> list[dict[str, Any]]:
    if not (mixeval_gold.GOLD / "expected.json").exists():
        pytest.skip(mixeval_gold.ABSENT)
    return mixeval_gold.rows()
