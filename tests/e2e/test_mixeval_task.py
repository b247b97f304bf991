"""The tasks mixeval_hard and mixeval_mini in runs: what is asked, once; how it is judged."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from judgebench.benchmarks.folder import load_benchmark
from judgebench.judges.kinds import KINDS
from judgebench.judges.prompt import PromptJudge
from judgebench.keys import text_sha
from judgebench.protocols import JudgeSettings
from judgebench.records import Case, Item, Message, Reply, Response, Score, Unreadable
from judgebench.store.opening import open_store
from tests.e2e import mixeval_gold
from tests.e2e.runs import ROOT, planned, store_url, typed
from tests.loopback import Ask, Loopback, Reaction
from tests.tiny_models import save_causal
from tests.unit.judging import talk

MINI = ROOT / "tasks" / "mixeval_mini"
SITTERS = ("model-curt", "model-chatty", "model-hasty")
RULES = {
    "name": "rules",
    "kind": "graded",
    "options": {"free_form": "rule", "multiple_choice": "rule"},
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


def suite(
    folder: Path,
    *,
    models: Sequence[Mapping[str, Any]],
    judges: Sequence[Mapping[str, Any]],
    **benchmark: Any,
) -> Path:
    written = {
        "name": "mixed",
        "models": list(models),
        "judges": list(judges),
        "benchmarks": [
            {"name": "mixeval_mini", "judges": [judge["name"] for judge in judges], **benchmark}
        ],
        "store": store_url(folder),
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    return path


def sitters(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "responses": str(MINI / "answers.jsonl")} for name in names]


def at(url: str, name: str = "judge", **more: Any) -> dict[str, Any]:
    """A judge or model behind a server on loopback."""
    return {"name": name, **served(url), **more}


def served(url: str) -> dict[str, str]:
    return {"provider": "openai_compatible", "model": "loopback", "base_url": url}


def verdicts(folder: Path, benchmark: str = "mixeval_mini") -> list[dict[str, Any]]:
    with open_store(store_url(folder), read_only=True) as store:
        columns = store.verdicts(benchmark)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def scores(folder: Path, benchmark: str) -> dict[tuple[str, str], float]:
    """What the board shows, by judge and model."""
    done = typed("leaderboard", benchmark, "--store", store_url(folder), "--format", "json")
    assert done.code == 0, done.err
    return {
        (board["judge"], row["model"]): row["metrics"]["score"]["value"]
        for board in json.loads(done.out)["boards"]
        for row in board["rows"]
    }


# Our own questions -------------------------------------------------------------------------------


def test_rules_judge_without_a_provider_and_agree_with_the_labels_as_often_as_said(
    tmp_path: Path,
) -> None:
    """The figures stand in the README of the folder."""
    path = suite(tmp_path, models=sitters(*SITTERS), judges=[RULES])
    done = typed("run", path)
    assert done.code == 0, done.err
    assert "0 judge calls made" in done.err
    labels = {}
    for line in (MINI / "labels.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        labels[row["model"], row["item_id"]] = row["value"] == "correct"
    repeats = {"free-form/24", "free-form/25", "multiple-choice/24", "multiple-choice/25"}
    distinct = [row for row in verdicts(tmp_path) if row["item_id"] not in repeats]
    assert len(verdicts(tmp_path)) == 156
    for kind, n, agreed in (("free-form", 72, 59), ("multiple-choice", 59, 50)):
        said = {
            (row["model"], row["item_id"]): row["value"] == 1
            for row in distinct
            if row["kind"] == "score" and row["item_id"].startswith(kind)
        }
        assert (len(said), sum(labels[one] == right for one, right in said.items())) == (n, agreed)
    assert {row["kind"] for row in distinct} == {"score", "unreadable"}


def in_our_form(ask: Ask) -> Reaction:
    """A judge that gives the highest grade and says that the first option is chosen."""
    last = ask.text.rstrip().rsplit("\n", 1)[1]
    return Reaction(text=f"It is so.\n{last} {'A' if last.startswith('option') else '1'}")


def test_our_own_prompts_judge_where_the_official_ones_are_not_here(tmp_path: Path) -> None:
    with Loopback(in_our_form) as server:
        path = suite(tmp_path, models=sitters("model-curt"), judges=[at(server.url)])
        assert planned(path)["judge_calls"] == 48
        done = typed("run", path)
        assert done.code == 0, done.err
        assert len(server.asks) == 48
        assert len({ask.sha for ask in server.asks}) == 48
        again = typed("run", path)
        assert (again.code, len(server.asks)) == (0, 48)
    found = verdicts(tmp_path)
    assert len(found) == 52
    assert {row["value"] for row in found if row["item_id"].startswith("free")} == {1.0}
    assert "official" in done.out  # they are of our own wording, and the board says so


def test_options_by_rule_and_free_answers_by_a_model(tmp_path: Path) -> None:
    half = {"multiple_choice": "rule"}
    with Loopback(in_our_form) as server:
        judges = [at(server.url, options=half)]
        path = suite(tmp_path, models=sitters("model-chatty"), judges=judges)
        assert planned(path)["judge_calls"] == 24
        assert typed("run", path).code == 0
        assert len(server.asks) == 24
        assert all("How right is the answer?" in ask.text for ask in server.asks)


def test_a_judge_called_graded_needs_a_model(tmp_path: Path) -> None:
    path = suite(tmp_path, models=sitters("model-curt"), judges=[{"name": "graded"}])
    done = typed("plan", path)
    assert done.code == 78
    assert "judge graded asks a model; give its 'provider' and 'model'" in done.err


def test_panels_take_a_mean_of_graded_judges(tmp_path: Path) -> None:
    judges = [RULES, {**RULES, "name": "rules-2"}]
    names = [judge["name"] for judge in judges]
    path = suite(
        tmp_path,
        models=sitters("model-curt"),
        judges=judges,
        panel={"judges": names, "rule": "majority"},
    )
    done = typed("plan", path)
    assert done.code == 78
    assert "scores have no majority" in done.err


# gold --------------------------------------------------------------------------------------------


@pytest.fixture
def imported(home: Path) -> Iterator[list[dict[str, Any]]]:
    """The gold's questions and official texts in the data home."""
    if not (mixeval_gold.GOLD / "expected.json").exists():
        pytest.skip(mixeval_gold.ABSENT)
    done = typed("data", "import", "mixeval_hard", mixeval_gold.GOLD)
    assert done.code == 0, done.err
    yield mixeval_gold.rows()


def test_every_prompt_is_the_benchmarks_own(imported: list[dict[str, Any]]) -> None:
    by_id = {item.id: item for item in load_benchmark("mixeval_hard").data.items}
    assert len(by_id) == 1000
    items = [by_id[mixeval_gold.item_id(row)] for row in imported]
    hashes = [text_sha(str(item.prompt)) for item in items]
    assert hashes == [row["rendered_sha256"] for row in imported]
    wanted = mixeval_gold.expected()["set"]
    for split, some in (("free-form", hashes[:500]), ("multiple-choice", hashes[500:])):
        assert text_sha("\n".join(some)) == wanted[split]["rendered_sha256_of_all"]
        of_split = [item for item in items if item.metadata["split"] == split]
        counts = dict.fromkeys(wanted[split]["by_dataset"], 0)
        for item in of_split:
            counts[str(item.category)] += 1
        assert counts == wanted[split]["by_dataset"]
    for item, row in zip(items, imported, strict=True):
        assert item.question == row["prompt"]
        assert item.options == tuple(row.get("options") or ())
        right = row["options"][row["target"][0]] if item.options else row["target"]
        assert item.references == ((right,) if item.options else tuple(right))


def test_base_models_see_the_benchmarks_own_examples(imported: list[dict[str, Any]]) -> None:
    prompts = json.loads((mixeval_gold.GOLD / "official_prompts.json").read_text())["prompts"]
    prefix = "mix_eval/prompts/evaluation_prompts.py#FIVE_SHOT_PREFIX_"
    examples = [prompts[f"{prefix}{kind}"] for kind in ("FREEFORM", "MULTIPLECHOICE")]
    chat = load_benchmark("mixeval_hard").data.items
    base = load_benchmark("mixeval_hard", options={"prompt": "base"}).data.items
    for plain, shown in zip(chat, base, strict=True):
        assert shown.prompt == f"{examples[bool(plain.options)]}{plain.prompt}\n"


def test_sentences_and_examples_of_two_origins_are_not_mixed(
    imported: list[dict[str, Any]], home: Path
) -> None:
    (home / "mixeval_hard" / "prompts" / "examples_free_form.txt").unlink()
    ours = load_benchmark("mixeval_hard", options={"prompt": "base"}).data.items
    asked = load_benchmark("mixeval_hard").data.items
    assert text_sha(str(asked[0].prompt)) == imported[0]["rendered_sha256"]
    assert str(asked[0].prompt) not in str(ours[0].prompt)
    (home / "mixeval_hard" / "prompts" / "ask_step_by_step.txt").unlink()
    assert str(load_benchmark("mixeval_hard").data.items[0].prompt) in str(ours[0].prompt)


def test_a_thousand_rows_are_446_questions(imported: list[dict[str, Any]], tmp_path: Path) -> None:
    """Asked of a model and of a judge, each once, and each row has its verdict."""

    def script(ask: Ask) -> Reaction:
        return mixeval_gold.as_judge(ask) if "Your Judgment" in ask.text else Reaction(text="A.")

    with Loopback(script) as server:
        models = [{"name": "model", "api": served(server.url)}]
        judges = [at(server.url, max_connections=32)]
        path = suite(tmp_path, models=models, judges=judges, name="mixeval_hard")
        (asking, judging) = json.loads(typed("plan", path, "--format", "json").out)["rows"]
        assert (asking["items"], asking["distinct_items"]) == (1000, 446)
        assert (asking["generations"], judging["judge_calls"]) == (446, 446)
        done = typed("run", path)
        assert done.code == 0, done.err
        bodies = [ask.body for ask in server.asks]
    judged = [body for body in bodies if "Your Judgment" in body["messages"][-1]["content"]]
    assert (len(bodies), len(judged)) == (892, 446)
    assert {(body["max_tokens"], body["temperature"]) for body in judged} == {(999, 0)}
    assert {len(body["messages"]) for body in judged} == {2}
    found = {row["item_id"]: row["value"] for row in verdicts(tmp_path, "mixeval_hard")}
    assert len(found) == 1000
    chosen = mixeval_gold.expected()["set"]["multiple-choice"]["gold_letter_counts"]["A"]
    assert sum(found.values()) == 500 * 0.5 + chosen
    board = scores(tmp_path, "mixeval_hard")
    assert board["judge", "model"] == pytest.approx((250 + chosen) / 1000, abs=1e-9)


@pytest.mark.usefixtures("forked")
@pytest.mark.slow
@pytest.mark.hf
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs judgebench-harness[hf]"
)
def test_a_local_model_answers_and_a_judge_at_an_address_judges(
    imported: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both kinds of questions, as a base model is asked; a second run asks nobody."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    settings = {
        "model": "hf",
        "model_args": {
            "pretrained": str(save_causal(tmp_path / "tiny")),
            "dtype": "float32",
            "max_length": 6000,
        },
        "batch_size": 2,
        "device": "cpu",
        "apply_chat_template": False,
        "gen_kwargs": {"max_gen_toks": 12},
    }
    with Loopback(mixeval_gold.as_judge) as server:
        path = suite(
            tmp_path,
            models=[{"name": "tiny", "lm_eval": settings}],
            judges=[at(server.url)],
            name="mixeval_hard",
            limit=4,
            options={"prompt": "base"},
        )
        done = typed("run", path)
        assert done.code == 0, done.err
        assert "4 generations, 4 judge calls made" in done.err
        assert "0 generations, 0 judge calls made" in typed("run", path).err
    found = {row["item_id"]: row["kind"] for row in verdicts(tmp_path, "mixeval_hard")}
    assert found.keys() == {
        f"{kind}/{n}" for kind in ("free-form", "multiple-choice") for n in (0, 1)
    }
    assert set(found.values()) == {"score"}


def official(**options: Any) -> PromptJudge:
    benchmark = load_benchmark("mixeval_hard")
    usual, sampling = benchmark.judged_with("graded", options, {})
    return KINDS["graded"].make(
        JudgeSettings(
            model="m", provider="p", options=usual, sampling=sampling, prompts=benchmark.prompts
        )
    )


def case_of(
    answer: str, *, references: Sequence[str] = ("x",), options: Sequence[str] = ()
) -> Case:
    item = Item(
        benchmark="mixeval_hard",
        version="1",
        id="0",
        turns=(Message(role="user", content="Which?"),),
        references=tuple(references),
        options=tuple(options),
    )
    response = Response(
        benchmark="mixeval_hard",
        version="1",
        item_id="0",
        model_key=b"m",
        text=answer,
        raw=answer,
    )
    return Case(item=item, responses=(response,))


def test_every_reply_of_upstreams_judges(imported: list[dict[str, Any]]) -> None:
    judge = official(reader="upstream")
    assert judge.spec.official_prompt is True
    for case in mixeval_gold.parser_cases("judge"):
        options = ("a", "b", "c", "d") if "option" in case else ()
        asked = case_of("…", references=("a",) if options else ("x",), options=options)
        _, verdict = talk(judge, asked, Reply(text=case["reply"], finish_reason="stop"))
        wanted = case["score"] if not options else case["option"] and float(case["option"] == "A")
        if wanted is None:
            assert isinstance(verdict, Unreadable), case
        else:
            assert verdict == Score(value=wanted, low=0.0, high=1.0), case


def test_every_case_of_upstreams_rules() -> None:
    if not (mixeval_gold.GOLD / "parser_cases.json").exists():
        pytest.skip(mixeval_gold.ABSENT)
    judge = KINDS["graded"].make(
        JudgeSettings(options={"free_form": "rule", "multiple_choice": "upstream_rule"})
    )
    for case in mixeval_gold.parser_cases("multichoice"):
        for letter, right in zip("ABCD", case["options"], strict=True):
            asked = case_of(case["response"], references=[right], options=case["options"])
            _, verdict = talk(judge, asked)
            if case["choice"] is None:
                assert verdict == Unreadable(reason="no option named")
            else:
                value = float(case["choice"] == letter)
                assert verdict == Score(value=value, low=0.0, high=1.0), case
    for case in mixeval_gold.parser_cases("freeform"):
        _, verdict = talk(judge, case_of(case["response"], references=case["targets"]))
        assert verdict == Score(value=float(case["correct"]), low=0.0, high=1.0), case
