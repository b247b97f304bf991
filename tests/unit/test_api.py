"""``import judgebench``: what it offers, and that the example of each function is so."""

from __future__ import annotations

import asyncio
import doctest
import inspect
import lzma
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import judgebench
from judgebench import config
from judgebench.errors import InputError, StoreError, UsageError
from tests.table import over_rows

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / "tests" / "changes" / "stores" / "kinds.db.xz"
"""One that has all kinds of judges, as the first release wrote it."""

NAMES = """
    DEFAULT_STORE
    Inconclusive __version__ agreement answers assert_no_regression compare confidence cost drift
    evaluators export_alpaca_eval export_confidence_examples export_parquet export_responses
    export_verdicts forget gate import_files import_labels import_responses import_verdicts item
    judge judge_card judge_sweep leaderboard nights open_store plan probe ranking rejudge replies
    report reproduce respond run runs runs_diff suggest_policy training try_judge verdicts verify
"""
FUNCTIONS = [name for name in NAMES.split() if inspect.isfunction(getattr(judgebench, name))]

SUITE = """
name: small
models: [{name: blue, api: {provider: scripted, model: blue}}]
judges: [{name: dice, provider: scripted, model: dice}]
benchmarks: [{name: trivia_judging_mini, judges: [dice, contains], limit: 5}]
"""

PAPER = """
title: Two weeks
models: [{name: this-week, title: This week}, {name: last-week, title: Last week}]
benchmarks: [{name: support, judge: grader}]
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api") / "kinds.db"
    path.write_bytes(lzma.decompress(STORE.read_bytes()))
    return path


def test_the_package_has_these_names_and_no_others() -> None:
    assert judgebench.__all__ == NAMES.split()
    assert len(judgebench.__all__) <= 45
    assert set(judgebench.__all__) <= set(dir(judgebench))
    for name in judgebench.__all__:
        assert getattr(judgebench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'leaderbord'"):
        judgebench.leaderbord  # noqa: B018


def test_the_modules_beside_it_are_found_as_attributes() -> None:
    code = (
        "import sys, judgebench\n"
        "for name in ('data', 'labels', 'batches', 'records'):\n"
        "    assert getattr(judgebench, name).__name__ == f'judgebench.{name}'\n"
        "print(sorted({'pandas', 'altair', 'streamlit', 'torch', 'lm_eval'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [*FUNCTIONS, "judgebench"])
def test_the_example_of_a_function_is_so(
    name: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = shutil.copy(store, tmp_path / "kinds.db")  # what one example adds is not in the next
    monkeypatch.setenv("JUDGEBENCH_STORE", f"sqlite:///{own}")
    (tmp_path / "suite.yaml").write_text(SUITE, "utf-8")
    (tmp_path / "rubric.txt").write_text("Is it true?", "utf-8")
    (tmp_path / "paper.yaml").write_text(PAPER, "utf-8")
    of = judgebench if name == "judgebench" else getattr(judgebench, name)
    (example,) = doctest.DocTestFinder(recurse=False).find(
        of, name, globs={"judgebench": judgebench}
    )
    assert example.examples, f"judgebench.{name} has no example"
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert not failed, "".join(said)


# in a notebook ----------------------------------------------------------------------------------


def polite(answer: str) -> float:
    return float("please" in answer)


def test_all_of_it_works_within_a_running_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suite.yaml").write_text(SUITE, "utf-8")
    rows = [{"prompt": "A cup?", "model": "m", "text": "yes please"}]

    async def cell() -> None:
        assert judgebench.run("suite.yaml", store="s.db").judged == 10
        done = judgebench.respond(
            "scripted/red", tasks=["trivia_judging_mini"], limit=2, store="s.db"
        )
        assert done.answered == 2
        asked = judgebench.judge(
            rows, judges=[polite], scale=(0, 1), benchmark="cups", store="s.db"
        )
        assert asked.judged == 1
        board = judgebench.leaderboard("cups", store="s.db").to_frame()
        assert board["value"].tolist() == [1.0]

    asyncio.run(cell())


def test_a_suite_that_was_read_runs_and_one_of_no_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ran could not be told from the manifest of the other."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suite.yaml").write_text(SUITE, "utf-8")
    suite = config.load_suite(Path("suite.yaml"))
    written = judgebench.run(suite, store="s.db").manifest.configuration
    assert written == judgebench.run("suite.yaml", store="t.db").manifest.configuration
    assert written["name"] == suite.name
    made = config.check(config.Suite, suite.source.written, "a suite")
    with pytest.raises(UsageError, match=r"from no file.*give its path"):
        judgebench.run(made, store="u.db")
    assert not Path("u.db").exists()


def test_a_board_shows_itself_and_is_drawn(store: Path) -> None:
    board = judgebench.leaderboard("support", store=store, metrics="win_rate")
    assert "<table" in board._repr_html_()
    drawn = board.plot().to_dict()
    assert drawn["facet"]["row"]["field"] == "metric"
    values = next(iter(drawn["datasets"].values()))
    assert [row["value"] for row in values] == board.to_frame()["value"].tolist()
    assert board.to_dict()["boards"][0]["benchmark"] == "support"


def test_a_chart_without_altair_says_what_to_install(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = judgebench.leaderboard("support", store=store)
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(UsageError, match="pip install altair"):
        board.plot()


@pytest.mark.parametrize("name", ["shape", "pivot"])
def test_a_board_that_is_taken_for_a_table_says_where_that_is(store: Path, name: str) -> None:
    board = judgebench.leaderboard("support", store=store)
    with pytest.raises(AttributeError, match=rf"no '{name}'; \.to_frame\(\)"):
        getattr(board, name)
    with pytest.raises(TypeError, match=r"\.to_frame\(\)\['model'\]"):
        board["model"]


# bad input --------------------------------------------------------------------------------------


def test_a_name_that_is_not_there_answers_with_the_nearest(store: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'support'"):
        judgebench.leaderboard("suport", store=store)
    with pytest.raises(UsageError, match="did you mean 'grader'"):
        judgebench.leaderboard("support", judges="gradr", store=store)
    with pytest.raises(UsageError, match="did you mean 'win_rate'"):
        judgebench.leaderboard("support", metrics="winrate", store=store)
    with pytest.raises(UsageError, match="did you mean 'nightly'"):
        judgebench.nights("nightli", "trivia_judging_mini", store=store)
    with pytest.raises(UsageError, match="did you mean 'exam'"):
        judgebench.training("exams", "trivia_judging_mini", store=store)
    with pytest.raises(UsageError, match="did you mean 'lm-eval'"):
        judgebench.import_files("lmeval", [], store=store)


@pytest.mark.parametrize("listed", ["answers", "verdicts", "item"])
def test_a_model_of_whom_there_is_nothing_is_no_empty_table(store: Path, listed: str) -> None:
    about = ["trivia_judging_mini"] + ["3"] * (listed == "item")
    show = getattr(judgebench, listed)
    with pytest.raises(UsageError, match="'taker-ters'; did you mean 'taker-terse'"):
        show(*about, models="taker-ters", store=store)
    with judgebench.open_store(store) as results:
        known = results._store.models()
    for model in known:
        if "taker-terse" in model.names:
            assert show(*about, models=model.id, store=store) is not None
    if listed != "answers":
        with pytest.raises(UsageError, match="no judge called 'contain'; did you mean 'contains'"):
            show(*about, judges="contain", store=store)


def test_how_a_table_is_laid_out_is_said_in_known_words(tmp_path: Path) -> None:
    row = {"benchmark": "b", "item_id": "1", "model": "m", "judge": "j", "value": "correct"}
    for layout, says in (
        ({"columns": {"value": "vlue"}}, "columns: no column called 'vlue'; did you mean 'value'"),
        ({"columns": ["value"]}, "columns: a mapping of theirs to ours, not"),
        ({"scale": (1,)}, "scale: the lowest and the highest score, not"),
        ({"wide": ("jduge", ["a"])}, "did you mean 'judge'"),
        (
            {"colums": {}, "scales": 3},
            "import called 'scales'; did you mean 'scale'",
        ),
    ):
        with pytest.raises(UsageError, match=re.escape(says)):
            judgebench.import_verdicts([row], store=tmp_path / "new.db", **layout)
    assert not (tmp_path / "new.db").exists()


def test_what_reads_a_store_makes_none(tmp_path: Path) -> None:
    new = tmp_path / "new.db"
    for write in (
        lambda: judgebench.api.set_baseline("last", "m", store=new),
        lambda: judgebench.api.pin_anchors("support", "grader", store=new),
    ):
        with pytest.raises(StoreError, match="there is no store at"):
            write()
    assert not new.exists()
    with pytest.raises(UsageError, match="answers: 0 are none"):
        judgebench.api.pin_anchors("support", "grader", answers=0, store=new)


@over_rows(
    ("called", "says"),
    [
        (
            lambda at: judgebench.export_verdicts(sys.stdout, form="jsonn", store=at),
            "no form called 'jsonn'; did you mean 'jsonl'",
        ),
        (lambda at: judgebench.leaderboard([], store=at), "benchmarks: name one or several"),
        (lambda at: judgebench.leaderboard("support", level=95, store=at), "level: 95 does not"),
        (
            lambda at: judgebench.leaderboard("support", length_control="exat", store=at),
            "no length_control called 'exat'; did you mean 'exact'",
        ),
        (lambda at: judgebench.compare("this-week", "last-week", level=0, store=at), "level: 0 "),
        (lambda at: judgebench.evaluators("support", level=math.nan, store=at), "level: nan does"),
        (lambda at: judgebench.ranking("support", ties="davdson", store=at), "mean 'davidson'"),
        (lambda at: judgebench.ranking("support", control="lenght", store=at), "mean 'length'"),
        (
            lambda at: judgebench.confidence("support", rouge="line", store=at),
            "no rouge called 'line'; did you mean 'lin'",
        ),
        (
            lambda at: judgebench.agreement("support", weighting="linea", store=at),
            "did you mean 'linear'",
        ),
        (
            lambda at: judgebench.agreement("support", conflict="ties", store=at),
            "conflict is mean, tie or drop, not 'ties'",
        ),
        (
            lambda at: judgebench.gate(candidate="a", baseline="b", max_drop=-1, store=at),
            "max_drop: -1 does not lie between 0 and 1",
        ),
        (
            lambda at: judgebench.gate(candidate="a", baseline="b", alpha=5, store=at),
            "alpha: 5 does not lie between 0 and 0.5",
        ),
        (lambda at: judgebench.nights("nightly", newest=0, store=at), "newest: 0 nights"),
    ],
)
def test_a_value_with_which_nothing_can_be_computed_is_named(
    store: Path, called: Callable[[Path], object], says: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        called(store)


def test_a_board_that_could_be_several_asks_which(store: Path) -> None:
    with pytest.raises(UsageError, match=r"several boards: .*contains.*; name the judge"):
        judgebench.nights("nightly", "trivia_judging_mini", store=store)


def test_a_judge_that_is_known_is_not_said_to_be_unknown_for_want_of_an_opponent(
    store: Path,
) -> None:
    about = {"judge": "contains", "opponent": "nobody", "store": store}
    with pytest.raises(UsageError, match="no board of contains against 'nobody'"):
        judgebench.nights("nightly", "trivia_judging_mini", **about)


def test_a_closed_store_says_so(store: Path) -> None:
    results = judgebench.open_store(store)
    assert judgebench.leaderboard("support", store=results).boards
    results.close()
    results.close()
    with pytest.raises(StoreError, match=r"closed; judgebench\.open_store opens it again"):
        judgebench.leaderboard("support", store=results)
    with pytest.raises(StoreError, match="was closed"):
        results.benchmarks()
    label = {"item_id": "1", "model": "m", "judge": "j", "value": "correct"}
    with pytest.raises(StoreError, match="was closed"):
        judgebench.import_verdicts([label], benchmark="colours", store=results)


def test_a_table_that_was_edited_is_taken_in_or_refused_by_row(store: Path, tmp_path: Path) -> None:
    about = {"judges": "contains", "models": "taker-terse", "store": store}
    frame = judgebench.verdicts("trivia_judging_mini", **about)
    mine = frame.assign(judge="mine", label="correct", value=None)
    new = tmp_path / "new.db"
    (report,) = judgebench.import_verdicts(mine, store=new, allow_unknown_items=True).values()
    assert (report.rows, report.new) == (len(frame), len(frame))
    (again,) = judgebench.import_verdicts(mine, store=new, allow_unknown_items=True).values()
    assert again.new == 0
    mine.loc[2, "label"] = "corect"
    with pytest.raises(InputError, match=r"^rows\.jsonl:3: .*'corect'"):
        judgebench.import_verdicts(mine, store=new, allow_unknown_items=True)
    with pytest.raises(InputError, match="item_id"):
        judgebench.import_verdicts(frame.drop(columns="item_id"), store=new)
    with pytest.raises(InputError, match="neither files nor rows of a table"):
        judgebench.import_verdicts([1, 2], store=new)  # type: ignore[list-item]
    for wrong in (3, None, [[1, 2]]):
        with pytest.raises(InputError, match="neither files nor rows of a table"):
            judgebench.import_verdicts(wrong, store=new)  # type: ignore[arg-type]


@over_rows(
    ("asked", "says"),
    [
        ({"benchmarks": None}, "benchmarks: name one or several"),
        ({"benchmarks": 3}, "benchmarks: 3 is no name, nor several of them"),
        ({"benchmarks": "b", "judges": ["j", None]}, r"judges: \['j', None\] is no name"),
    ],
)
def test_what_is_no_name_is_refused_by_its_argument(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        judgebench.leaderboard(**asked, store="nowhere.db")
