"""docs/published-figures.md quotes the figures as they are, its intervals follow from its formulas,
and its suites can be used as they stand."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from judgebench import api
from judgebench.benchmarks.data import import_data
from judgebench.benchmarks.folder import load_benchmark
from judgebench.config import load_suite
from judgebench.stats.resample import effective_n
from tests.e2e import mixeval_gold
from tests.table import over_rows

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "published-figures.md"
SUITES = sorted(ROOT.glob("suites/published/*.yaml"))
GOLD = ROOT.parent / "shared" / "gold"
WITH_GOLD = {
    "mixeval_hard": "mixeval",
    "trivia_judging": "trivia_judging",
    "alpaca_eval": "alpaca_eval",
}
REASONING = ("math", "logic")
SIZES = {
    "math": 112,
    "logic": 92,
    "fundamental": 68,
    "chinese": 58,
    "open": 38,
    "writing": 75,
    "roleplay": 116,
    "professional": 124,
}
HARD, FULL = 367, 3185


def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def table(*columns: str) -> list[list[str]]:
    """The cells below the only heading of these words."""
    head = "| " + " | ".join(columns) + " |\n"
    assert text().count(head) == 1, head
    rows = []
    for line in text().split(head)[1].splitlines()[1:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert rows
    return rows


def figures(name: str) -> list[dict[str, str]]:
    with (ROOT / "tasks" / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def by_model(rows: Sequence[Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    return {row["model"]: row for row in rows}


def half_width(mean: float, n: float, *, low: float = 0, high: float = 100) -> float:
    """1.96 standard errors of the difference of two runs, at the largest variance there can be."""
    return 1.96 * math.sqrt(2 * (high - mean) * (mean - low) / n)


def around(value: float, half: float, digits: int) -> str:
    return f"{value - half:.{digits}f} … {value + half:.{digits}f}"


def auroc_variance(auroc: float, right: float, wrong: float) -> float:
    """Hanley and McNeil (1982), from the numbers of right and wrong answers."""
    one, two = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    spread = auroc * (1 - auroc) + (right - 1) * (one - auroc**2) + (wrong - 1) * (two - auroc**2)
    return spread / (right * wrong)


def test_mixeval() -> None:
    board = by_model(figures("mixeval_hard/figures/board.csv"))
    for model, hard, hard_range, full, full_range in table(
        "model", "MixEval-Hard", "from … to", "MixEval", "from … to"
    ):
        published = board[model]
        assert (float(hard), float(full)) == (
            float(published["mixeval_hard"]),
            float(published["mixeval"]),
        )
        assert hard_range == around(float(hard), half_width(float(hard), HARD), 1)
        assert full_range == around(float(full), half_width(float(full), FULL), 1)
    assert f"*n* is {HARD} for MixEval-Hard" in text()


def test_how_many_questions_mixeval_hard_is_worth() -> None:
    if not (mixeval_gold.GOLD / "expected.json").exists():
        pytest.skip(mixeval_gold.ABSENT)
    times = Counter(
        (row["problem_type"], row["context"], row["prompt"], str(row.get("options")))
        for row in mixeval_gold.rows()
    )
    assert (len(times), max(times.values())) == (446, 10)
    assert round(effective_n(list(times.values()))) == HARD


def sizes() -> dict[str, tuple[str, int]]:
    rows = figures("honestybench/figures/sets.csv")
    return {row["set"]: (row["domain"], int(row["questions"])) for row in rows}


def test_honestybench_accuracy() -> None:
    published = by_model(
        [r for r in figures("honestybench/figures/tables.csv") if r["statistic"] == "accuracy"]
    )
    n = sum(size for _, size in sizes().values())
    assert f"*n* is {n:,}." in text()
    for model, accuracy, range_ in table("model", "accuracy, all sets", "from … to"):
        assert float(accuracy) == float(published[model]["all"])
        assert range_ == around(float(accuracy), half_width(float(accuracy), n), 2)


def test_honestybench_auroc() -> None:
    tables = figures("honestybench/figures/tables.csv")
    accuracy = by_model([row for row in tables if row["statistic"] == "accuracy"])
    columns = ("model", "method", "in-domain", "from … to", "out of domain", "from … to")
    for model, method, *cells in table(*columns):
        (published,) = (
            row
            for row in tables
            if (row["statistic"], row["model"], row["method"]) == ("auroc", model, method)
        )
        for domain, value, range_ in (("in-domain", *cells[:2]), ("ood", *cells[2:])):
            assert float(value) == float(published[domain])
            of_domain = {name: n for name, (where, n) in sizes().items() if where == domain}
            whole = sum(of_domain.values())
            assert f"{whole:,}" in text()
            variance = 0.0
            for name, n in of_domain.items():
                right = float(accuracy[model][name]) / 100 * n
                of_set = auroc_variance(float(published[name]) / 100, right, n - right)
                variance += (n / whole) ** 2 * of_set
            half = 100 * 1.96 * math.sqrt(2 * variance)
            assert range_ == around(float(value), half, 2)


def test_honestybench_with_fewer_samples() -> None:
    ten = next(r for r in figures("honestybench/figures/samples.csv") if r["samples"] == "10")
    assert f"({ten['in-domain']} for {ten['method']} of {ten['model']}, in-domain)" in text()


def test_alpaca_eval() -> None:
    board = by_model(figures("alpaca_eval/figures/leaderboard.csv"))
    for model, rate, range_, controlled in table(
        "model", "win rate", "from … to", "length-controlled"
    ):
        published = board[model]
        exact = float(published["win_rate"])
        assert (rate, controlled) == (
            f"{exact:.2f}",
            f"{float(published['length_controlled_win_rate']):.2f}",
        )
        assert range_ == around(exact, half_width(exact, int(published["n_total"])), 1)
        assert published["n_total"] in {"805", "802"}


def test_trivia_judging() -> None:
    verdicts = figures("trivia_judging/figures/verdicts.csv")
    columns = ("`exact_match`, %", "from … to", "`contains`, %", "from … to", "people, %")
    for taker, exact, exact_range, contains, contains_range, people in table(
        "exam taker", *columns
    ):
        rows = [row for row in verdicts if row["exam_taker"] == taker]
        assert len(rows) == 400
        for column, value in (("EM", exact), ("Contains", contains), ("human", people)):
            assert float(value) == 100 * sum(int(row[column]) for row in rows) / len(rows)
        assert exact_range == around(float(exact), half_width(float(exact), 400), 1)
        assert contains_range == around(float(contains), half_width(float(contains), 400), 1)


def test_alignbench() -> None:
    rows = [row for row in figures("alignbench/figures/boards.csv") if row["version"] == "1.0"]
    assert sum(SIZES.values()) == 683
    for model, *cells in table("model", "`gpt-4-0613`", "from … to", "CritiqueLLM", "from … to"):
        for judge, value, range_ in (("gpt-4-0613", *cells[:2]), ("CritiqueLLM", *cells[2:])):
            (published,) = (r for r in rows if (r["model"], r["judge"]) == (model, judge))
            assert value == f"{float(published['overall']):.2f}"
            halves = [
                (1 / 4 if name in REASONING else 1 / 12)
                * half_width(float(published[name]), n, low=1, high=10)
                for name, n in SIZES.items()
            ]
            assert range_ == around(float(value), math.sqrt(sum(h**2 for h in halves)), 2)


# the suites --------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield


@over_rows("path", SUITES)
def test_a_suite_asks_as_upstream_and_is_on_the_page(path: Path) -> None:
    assert f"judgebench run suites/published/{path.name}\n" in text()
    assert f"../suites/published/{path.name})" in text()
    for benchmark in load_suite(path).benchmarks:
        loaded = load_benchmark(benchmark.name, options=benchmark.options)
        assert "@" in benchmark.name  # a published figure is of one version
        assert loaded.preset.name.startswith("upstream")
    for model in load_suite(path).models:
        assert f"| {model.name} |" in text()  # named as the published table names it


@pytest.mark.parametrize("name", WITH_GOLD)
def test_a_plan_of_a_suite(name: str, tmp_path: Path) -> None:
    if not (GOLD / WITH_GOLD[name]).exists():
        pytest.skip("the gold data (../shared/gold beside the repository) is absent")
    import_data(name, GOLD / WITH_GOLD[name])
    path = Path(f"suites/published/{name}.yaml")
    for model in load_suite(path).models:
        assert model.lm_eval is not None
        _in_the_hubs_cache(tmp_path / "hub", str(model.lm_eval.model_args["pretrained"]))
    rows = api.plan(path, store=f"sqlite:///{tmp_path}/none.db").rows
    assert (
        sum(row.generations for row in rows)
        == {
            "mixeval_hard": 2 * 446,
            "trivia_judging": 2 * 400,
            "alpaca_eval": 805,
        }[name]
    )
    assert all(row.cost_usd is not None for row in rows)


def _in_the_hubs_cache(cache: Path, name: str) -> None:
    """A model as if it were downloaded, without its weights."""
    commit = "c" * 40
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "generation_config.json").write_text('{"do_sample": true}')
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)


def test_every_number_of_a_range_is_a_range() -> None:
    """No row of a table has an interval that is the wrong way round or no interval at all."""
    ranges = re.findall(r"(\d+\.\d+) … (\d+\.\d+)", text())
    assert len(ranges) > 40
    assert all(float(low) < float(high) for low, high in ranges)
