"""The tasks alpaca_eval and alpaca_eval_mini in runs: their baseline, their judge, its prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from judgebench.benchmarks.folder import load_benchmark
from judgebench.execution.plan import drawn_order
from judgebench.store.opening import open_store
from tests.e2e import alpaca_gold
from tests.e2e.runs import ROOT, store_url, typed
from tests.loopback import Ask, Loopback, Reaction

ANSWERS = ROOT / "tasks" / "alpaca_eval_mini" / "answers.jsonl"
GOLD_MODEL = "claude-2"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


def suite(
    folder: Path,
    url: str,
    *,
    models: Sequence[str] = ("model-brief",),
    answers: Path = ANSWERS,
    judge: Mapping[str, Any] | None = None,
    **benchmark: Any,
) -> Path:
    """A suite whose one judge compares, at ``url`` unless ``judge`` says who else answers."""
    answering = {"provider": "openai_compatible", "base_url": url} if url else {}
    written = {
        "name": "pairs",
        "models": [{"name": name, "responses": str(answers)} for name in models],
        "judges": [{"name": "judge", "model": "gpt-4-1106-preview", **answering, **(judge or {})}],
        "benchmarks": [{"name": "alpaca_eval_mini", "judges": ["judge"], **benchmark}],
        "store": store_url(folder),
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    return path


def likely(**tokens: float) -> Reaction:
    """A reply whose first token had these log-probabilities."""
    top = [{"token": token, "logprob": p, "bytes": None} for token, p in tokens.items()]
    first = {**top[0], "top_logprobs": top}
    return Reaction(text=str(first["token"]), choice={"logprobs": {"content": [first]}})


def verdicts(folder: Path, benchmark: str) -> list[dict[str, Any]]:
    with open_store(store_url(folder), read_only=True) as store:
        columns = store.verdicts(benchmark)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_answers_are_compared_with_those_that_the_benchmark_brings(tmp_path: Path) -> None:
    with Loopback(lambda ask: likely(A=-0.1, B=-2.4)) as server:
        path = suite(tmp_path, server.url, limit=5, orders="both")
        done = typed("run", path)
        assert done.code == 0, done.err
    assert "judged by judge, against baseline" in done.out
    assert "official" in done.out  # of our own wording, and the board says so
    assert len(server.asks) == 10
    for ask in server.asks:
        assert ask.body["logprobs"] is True
        assert "no tie" in json.dumps(ask.body)
    assert {row["order"] for row in verdicts(tmp_path, "alpaca_eval_mini")} == {
        "model_first",
        "opponent_first",
    }
    assert typed("run", path).err.count("0 judge calls made") == 1


def test_another_baseline_is_a_model_of_the_suite(tmp_path: Path) -> None:
    with Loopback(lambda ask: likely(A=-0.1, B=-2.4)) as server:
        two = ("model-brief", "model-lengthy")
        path = suite(tmp_path, server.url, models=two, limit=2, baseline="model-lengthy")
        assert typed("run", path).code == 0
        assert {row["opponent"] for row in verdicts(tmp_path, "alpaca_eval_mini")} == {
            "model-lengthy"
        }
        unknown = typed("run", suite(tmp_path, server.url, baseline="baselin"))
    assert unknown.code == 78
    assert "did you mean 'baseline'" in unknown.err


def test_a_judge_without_log_probabilities_is_refused_before_it_is_paid(tmp_path: Path) -> None:
    haiku = {"provider": "anthropic", "model": "claude-haiku-4-5"}
    done = typed("plan", suite(tmp_path, "", judge=haiku))
    assert done.code == 78
    assert "say options: {verdict: text}" in done.err
    in_words = {**haiku, "options": {"verdict": "text"}}
    assert typed("plan", suite(tmp_path, "", judge=in_words)).code == 0


def test_the_official_prompt_is_taken_from_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (alpaca_gold.GOLD / "official_prompts.json").exists():
        pytest.skip(alpaca_gold.ABSENT)
    assert load_benchmark("alpaca_eval_mini").prompts == {}
    package = tmp_path / "site" / "alpaca_eval"
    file = package / "evaluators_configs" / "alpaca_eval_clf_gpt4_turbo" / "alpaca_eval_clf.txt"
    file.parent.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('nothing of it is run')\n")
    prompts = json.loads((alpaca_gold.GOLD / "official_prompts.json").read_text())["prompts"]
    file.write_text(next(text for name, text in prompts.items() if name.endswith("/" + file.name)))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert list(load_benchmark("alpaca_eval_mini").prompts) == ["weighted"]
    file.write_text("Say M.")
    assert load_benchmark("alpaca_eval_mini").prompts == {}


# gold ---------------------------------------------------------------------------------------------


@pytest.fixture
def imported(home: Path) -> Iterator[list[dict[str, Any]]]:
    """The gold's instructions and official prompt in the data home."""
    if not (alpaca_gold.GOLD / "instructions.parquet").exists():
        pytest.skip(alpaca_gold.ABSENT)
    done = typed("data", "import", "alpaca_eval", alpaca_gold.GOLD)
    assert done.code == 0, done.err
    yield alpaca_gold.rows("instructions.parquet")


def test_the_published_instructions_are_pinned(imported: list[dict[str, Any]]) -> None:
    benchmark = load_benchmark("alpaca_eval")
    assert list(benchmark.prompts) == ["weighted"]
    items = benchmark.data.items
    assert [item.question for item in items] == [row["instruction"] for row in imported]
    assert [item.category for item in items] == [row["dataset"] for row in imported]
    order = ["model_first" if row["is_switched"] else "opponent_first" for row in imported]
    assert [drawn_order(item.question) for item in items] == order


def test_the_weighted_judge_gives_the_published_preferences(
    imported: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Asked through a run, a server that replies as the judge did gives what it then gave."""
    n = 60
    rows = {
        imported[row["index"]]["instruction"]: row
        for row in alpaca_gold.rows("annotations.parquet")
        if row["model"] == GOLD_MODEL and row["index"] < n
    }
    answers = tmp_path / "answers.jsonl"
    answers.write_text(
        "".join(
            json.dumps({"item_id": str(row["index"]), "text": row["output_2"]}) + "\n"
            for row in rows.values()
        )
    )

    def as_then(ask: Ask) -> Reaction:
        (row,) = (
            row for text, row in rows.items() if text in ask.text and row["output_2"] in ask.text
        )
        tokens = dict(zip(row["top_tokens"], row["top_logprobs"], strict=True))
        return likely(**tokens)

    with Loopback(as_then) as server:
        path = suite(
            tmp_path, server.url, models=[GOLD_MODEL], answers=answers, name="alpaca_eval", limit=n
        )
        done = typed("run", path)
        assert done.code == 0, done.err
        body = server.asks[0].body
    assert (body["max_tokens"], body["temperature"], body["top_logprobs"]) == (1, 1, 5)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    found = {row["item_id"]: row for row in verdicts(tmp_path, "alpaca_eval")}
    assert len(found) == n
    for row in rows.values():
        ours = found[str(row["index"])]
        assert ours["kind"] == "preference"
        assert ours["value"] == pytest.approx(row["preference"] - 1.0, abs=1e-9)
    (board,) = json.loads(
        typed("leaderboard", "alpaca_eval", "--store", store_url(tmp_path), "--format", "json").out
    )["boards"]
    assert (board["official_prompt"], board["opponent"]) == (True, "gpt4_1106_preview")


def test_another_baseline_under_its_name_is_refused(
    imported: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Where the data is here, what goes by the baseline's name has to have answered as it did."""
    rows = [
        {
            "instruction": row["instruction"],
            "output_1": row["baseline_output"],
            "generator_1": row["baseline_generator"],
            "output_2": "mine",
            "generator_2": "m",
            "annotator": "j",
            "preference": 1.5,
        }
        for row in imported[:3]
    ]
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps(rows))
    assert typed("import", "alpaca-eval", file, "--store", store_url(tmp_path)).code == 0
    rows[2]["output_1"] += " and more"
    file.write_text(json.dumps(rows))
    done = typed("import", "alpaca-eval", file, "--store", f"sqlite:///{tmp_path / 'new.db'}")
    assert done.code == 65
    assert "annotations.json: record 3" in done.err or "annotations.json: row 3" in done.err
    assert "not what 'gpt4_1106_preview', the benchmark's own baseline, answered" in done.err
    assert "judge file of another baseline" in done.err
