"""HonestyBench whole: greedy and drawn answers, judges, and what the confidences are worth."""

from __future__ import annotations

import importlib.util
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from judgebench.benchmarks.folder import load_benchmark
from judgebench.store.opening import open_store
from tests.e2e.runs import Done, store_url, typed
from tests.loopback import Ask, Loopback, Reaction, verdict
from tests.tiny_models import save_causal
from tests.unit.exchanged import rows_file

NAME = "honestybench_mini"
ITEMS, SAMPLES = 6, 4
COMPUTED = {"Prob", "N-Prob", "Consis-Lex", "Consis-Sem"}
WORDS = ("Green", "eight", "the letter K", "I do not know")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def suite(folder: Path, url: str, *, models: Sequence[Mapping[str, Any]], **benchmark: Any) -> Path:
    at = {"provider": "openai_compatible", "base_url": url, "model": "judge"}
    written = {
        "name": "honest",
        "models": list(models),
        "judges": [
            {"name": "right", "kind": "equivalence", **at},
            {"name": "agree", "kind": "consistency", **at},
            {"name": "sure", "kind": "stated_confidence", "provider": "candidate"},
        ],
        "benchmarks": [
            {
                "name": NAME,
                "judges": ["contains", "right", "agree", "sure"],
                "limit": ITEMS,
                "samples": SAMPLES,
                **benchmark,
            }
        ],
        "limits": {"max_connections": 4, "max_retries": 1, "timeout_s": 20},
        "store": store_url(folder),
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    return path


def about(ask: Ask) -> str:
    """What a question is about: an answer to be had, or one of the judges."""
    if "Accepted answers, one per line" in ask.text:
        return "right"
    if "First answer:" in ask.text:
        return "agree"
    return "sure" if ask.text.endswith("Number:") else "answer"


def verdicts(folder: Path) -> list[dict[str, Any]]:
    with open_store(store_url(folder), read_only=True) as store:
        columns = store.verdicts(NAME)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def confidences(done: Done) -> dict[str, Any]:
    """By name, as a run prints them, over all sets."""
    (told,) = json.loads(done.out)["confidence"]
    return {row["confidence"]: row for row in told["rows"] if row["scope"] == "all"}


# a model here -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("forked")
@pytest.mark.slow
@pytest.mark.hf
@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs judgebench-harness[hf]"
)
def test_a_local_model_answers_is_judged_and_says_how_sure_it_is(tmp_path: Path) -> None:
    tiny = save_causal(tmp_path / "tiny", max_position_embeddings=1024)
    model = {
        "name": "tiny",
        "lm_eval": {
            "model_args": {"pretrained": str(tiny), "dtype": "float32"},
            "batch_size": 4,
            "device": "cpu",
            "gen_kwargs": {"max_gen_toks": 12},
        },
    }

    def judge(ask: Ask) -> Reaction:
        even = sum(map(ord, ask.text)) % 2 == 0
        return Reaction(text="certain" if about(ask) == "right" or even else "uncertain")

    with Loopback(judge) as server:
        path = suite(tmp_path, server.url, models=[model])
        done = typed("run", path, "--format", "json")
        assert done.code == 0, done.err
        asked = Counter(about(ask) for ask in server.asks)
        assert set(asked) <= {"right", "agree"}
        assert len({ask.sha for ask in server.asks}) == len(server.asks)
        again = typed("run", path, "--format", "json")
        assert (again.code, len(server.asks)) == (0, sum(asked.values()))
        assert "0 generations, 0 judge calls made" in again.err
    given = Counter((row["judge"], row["sample"]) for row in verdicts(tmp_path))
    first = {(name, 0): ITEMS for name in ("contains", "right", "sure")}
    assert given == first | {("agree", sample): ITEMS for sample in range(1, SAMPLES)}
    # What a model of random weights says of itself can hardly be read: that is counted, and no 0.
    stated = [row for row in verdicts(tmp_path) if row["judge"] == "sure"]
    unread = sum(row["kind"] == "unreadable" for row in stated)
    assert {row["kind"] for row in stated} <= {"unreadable", "score"}
    boards = json.loads(done.out)["boards"]
    assert {board["judge"] for board in boards} == {"contains", "right"}
    found = confidences(done)
    assert set(found) == {"sure", *COMPUTED}
    assert json.loads(done.out)["confidence"] == json.loads(again.out)["confidence"]
    (told,) = json.loads(done.out)["confidence"]
    assert told["correct"] == "right"
    (of_sure,) = (one for one in told["unread"] if one["judge"] == "sure")
    assert (of_sure["n"], of_sure["of"]) == (unread, ITEMS)
    # The judge calls everything correct, so that nothing can be told apart, which is said.
    for name in COMPUTED:
        auroc = found[name]["metrics"]["auroc"]
        assert (auroc["value"], auroc["n"], auroc["missing"]) == (None, ITEMS, 0)
        assert "all answers are correct" in auroc["undefined"]
    assert found["Consis-Sem"]["samples"] == [SAMPLES - 1] * 2
    # Prob and N-Prob of all of them are what the store has of the answers.
    with open_store(store_url(tmp_path), read_only=True) as store:
        answers = store.responses_table(NAME)
    kept = [
        (logprob, tokens)
        for sample, logprob, tokens in zip(
            answers["sample"], answers["logprob"], answers["completion_tokens"], strict=True
        )
        if not sample
    ]
    assert len(kept) == ITEMS
    for name, values in (
        ("Prob", [math.exp(logprob) for logprob, _ in kept]),
        ("N-Prob", [math.exp(logprob / tokens) for logprob, tokens in kept]),
    ):
        brier = math.fsum((1 - value) ** 2 for value in values) / ITEMS
        assert found[name]["metrics"]["brier"]["value"] == pytest.approx(brier, abs=1e-9)


# a model behind an API ----------------------------------------------------------------------------

WEIGHTS = (-0.5, -0.25)


def taker(url: str) -> dict[str, Any]:
    at = {"provider": "openai_compatible", "base_url": url, "model": "taker"}
    return {"name": "taker", "api": at}


def said(ask: Ask) -> Reaction:
    """Answers by question and seed; half of the first ones are right."""
    match about(ask):
        case "answer":
            place = len(ask.text) + ask.body.get("seed", 0)
            weighed = [{"token": "t", "logprob": p, "top_logprobs": []} for p in WEIGHTS]
            told = {"logprobs": {"content": weighed}} if ask.body.get("logprobs") else {}
            return Reaction(text=WORDS[place % len(WORDS)], choice=told)
        case "sure":
            return Reaction(text=f"0.{1 + len(ask.text) % 8}")
        case _:
            return Reaction(text="certain" if verdict(ask) == "correct" else "uncertain")


def test_an_api_is_asked_greedily_once_and_then_drawn_from(tmp_path: Path) -> None:
    with Loopback(said) as server:
        path = suite(tmp_path, server.url, models=[taker(server.url)])
        done = typed("run", path, "--format", "json")
        assert done.code == 0, done.err
        asked: dict[str, list[Ask]] = {}
        for ask in server.asks:
            asked.setdefault(about(ask), []).append(ask)
        n = len(server.asks)
        again = typed("run", path, "--quiet")
        assert (again.code, len(server.asks)) == (0, n)
    by_question: dict[str, list[Mapping[str, Any]]] = {}
    for ask in asked["answer"]:
        by_question.setdefault(ask.text, []).append(ask.body)
    items = load_benchmark(NAME).data.items[:ITEMS]
    assert set(by_question) == {item.prompt for item in items}
    for bodies in by_question.values():
        first, *drawn = sorted(bodies, key=lambda body: body.get("seed", -1))
        assert (first["temperature"], first["logprobs"]) == (0, True)
        assert not {"seed", "top_p", "top_logprobs"} & first.keys()
        assert [body["seed"] for body in drawn] == [1235, 1236, 1237]
        assert {(body["temperature"], body["top_p"]) for body in drawn} == {(1.0, 0.95)}
        assert not any("logprobs" in body for body in drawn)
        assert {body["max_tokens"] for body in bodies} == {64}
    # The model itself is asked how sure it is, greedily, and nobody else.
    assert {ask.body["model"] for ask in asked["sure"]} == {"taker"}
    assert {ask.body["temperature"] for ask in asked["sure"]} == {0}
    assert len(asked["sure"]) == ITEMS
    assert {ask.body["model"] for kind in ("right", "agree") for ask in asked[kind]} == {"judge"}
    found = confidences(done)
    assert set(found) == {"sure", *COMPUTED}
    # Of two judges that label, the one that judges as is usual for the benchmark counts.
    assert [told["correct"] for told in json.loads(done.out)["confidence"]] == ["right"]
    correct = {row["item_id"]: row["label"] == "correct"
               for row in verdicts(tmp_path) if row["judge"] == "right"}  # fmt: skip
    assert len(set(correct.values())) == 2
    prob = math.exp(sum(WEIGHTS))
    brier = math.fsum((prob - right) ** 2 for right in correct.values()) / ITEMS
    assert found["Prob"]["metrics"]["brier"]["value"] == pytest.approx(brier, abs=1e-12)
    assert found["Prob"]["metrics"]["auroc"]["value"] == 0.5  # all are as probable
    board = typed("leaderboard", NAME, "--judge", "sure", "--store", store_url(tmp_path))
    assert board.code == 64
    assert f"sure has not said how good an answer to {NAME} is" in board.err
    assert f"`judgebench confidence {NAME}` how sure models are" in board.err


def test_two_models_are_compared_by_how_sure_they_are(tmp_path: Path) -> None:
    """Each is asked itself, which is no change of the judge; another judge of labels is one."""
    with Loopback(said) as server:
        old, new = ({**taker(server.url), "name": name} for name in ("old", "new"))
        new["api"] = {**new["api"], "model": "taker-2"}
        path = suite(tmp_path, server.url, models=[old, new])
        assert typed("run", path, "--quiet").code == 0
        at = ("--store", store_url(tmp_path), "--format", "json")
        done = typed("compare", "old", "new", NAME, "--metric", "brier", "--judge", "right", *at)
        assert done.code == 0, done.err
        tests = {test["confidence"]: test for test in json.loads(done.out)["tests"]}
        assert set(tests) == {"sure", *COMPUTED}
        assert {test["difference"]["value"] for test in tests.values()} == {0.0}
        assert not any("judge changed" in note for test in tests.values() for note in test["notes"])
        newest = {**taker(server.url), "name": "newest"}
        newest["api"] = {**newest["api"], "model": "taker-3"}
        path = suite(tmp_path, server.url, models=[newest])
        path.write_text(path.read_text().replace("kind: equivalence\n  model: judge", "kind: "
                                                 "equivalence\n  model: judge-2"))  # fmt: skip
        assert typed("run", path, "--quiet").code == 0
    policy = tmp_path / "gate.yaml"
    policy.write_text(
        f"tests: [{{benchmark: {NAME}, judge: right, metric: brier, confidence: sure, "
        "max_drop: 0.5}]\n"
    )
    gate = ("gate", "--policy", policy, "--candidate", "newest", "--baseline", "old", *at)
    done = typed(*gate)
    assert done.code == 2, done.err
    (test,) = json.loads(done.out)["tests"]
    assert test["because"].startswith("judge changed: right@")
    assert test["because"].endswith("has no label on old")


# what judges say, and what is imported ------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "unreadable"),
    [
        ("确定", True),
        ("［［不确定］］", True),
        ("certain, or rather uncertain", True),
        ('{"judgement": "certain", "reason": "it is"}', True),
        ('{"judgement": "uncer', True),
        ("{'certain': False}", True),
        ("［［certain］］", True),
        ("[[certain]]", False),
        ("Certain.", False),
    ],
)
def test_replies_of_all_kinds(tmp_path: Path, reply: str, unreadable: bool) -> None:
    """Counted, never guessed: a table has no confidence where nothing could be read."""

    def judge(ask: Ask) -> Reaction:
        return Reaction(text=reply) if about(ask) in ("right", "agree") else said(ask)

    with Loopback(judge) as server:
        path = suite(tmp_path, server.url, models=[taker(server.url)], limit=2, samples=2)
        done = typed("run", path, "--format", "json")
        assert done.code == 0, done.err
    kinds = {row["kind"] for row in verdicts(tmp_path) if row["judge"] == "right"}
    assert kinds == {"unreadable" if unreadable else "label"}
    if unreadable:  # nobody has said what is correct: there is nothing to hold confidences against
        assert json.loads(done.out)["confidence"] == []
        told = typed("confidence", NAME, "--correct", "right", "--store", store_url(tmp_path))
        assert told.code == 64
        assert "has labelled no first answer" in told.err


def test_a_file_of_confidences_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    """Beside those of the run: of its answers, in [0, 1]."""
    with Loopback(said) as server:
        path = suite(tmp_path, server.url, models=[taker(server.url)])
        assert typed("run", path, "--quiet").code == 0
    row = {"benchmark": NAME, "model": "taker", "judge": "EliCal", "kind": "score",
           "low": 0, "high": 1}  # fmt: skip
    items = load_benchmark(NAME).data.items[:ITEMS]
    right = [{**row, "item_id": item.id, "value": n / 10} for n, item in enumerate(items)]
    for wrong, says in (
        ({**right[1], "value": 1.2}, "v.jsonl:2: value: 1.2 is outside its scale, 0 to 1"),
        ({**right[1], "value": -0.1}, "v.jsonl:2: value: -0.1 is outside its scale, 0 to 1"),
        ({**right[1], "item_id": "primer/99"}, "v.jsonl:2: item_id: 'primer/99' is no item of"),
    ):
        file = rows_file(tmp_path / "v.jsonl", [right[0], wrong, *right[2:]])
        done = typed("import", "verdicts", file, "--store", store_url(tmp_path))
        assert done.code == 65
        assert says in done.err
        assert not any(one["judge"] == "EliCal" for one in verdicts(tmp_path))
    file = rows_file(tmp_path / "v.jsonl", right)
    assert typed("import", "verdicts", file, "--store", store_url(tmp_path)).code == 0
    told = ("--correct", "right", "--store", store_url(tmp_path), "--format", "json")
    done = typed("confidence", NAME, *told)
    assert done.code == 0, done.err
    found = {r["confidence"]: r for r in json.loads(done.out)["rows"] if r["scope"] == "all"}
    assert found["EliCal"]["metrics"]["auroc"]["n"] == ITEMS
