"""``judgebench probe``: dummy answers, attacks, the same again; what was injected is no verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import judgebench
from judgebench import explore
from judgebench.labels import labelable
from judgebench.metrics.probes import VARIANTS
from judgebench.store.opening import open_store
from tests.e2e.runs import store_url, typed
from tests.loopback import Ask, Loopback, Reaction

MINI = Path(__file__).parents[2] / "tasks/trivia_judging_mini"
PRICE = {"input": 1.0, "output": 1.0}


def suite(folder: Path, url: str, **judge: Any) -> Path:
    """Two models' answers to trivia, and a judge behind a server that costs money."""
    where = {"provider": "openai_compatible", "model": "m", "base_url": url, "price": PRICE}
    its = {"kind": "reference", **judge}
    written = {
        "name": "probed",
        "models": [
            {"name": n, "responses": str(MINI / "answers.jsonl")} for n in ("model-careful",)
        ],
        "judges": [{"name": "judge", **where, **its}],
        "benchmarks": [
            {"name": "trivia_judging_mini", "judges": ["judge", "contains"], "limit": 8}
        ],
        "limits": {"max_retries": 0, "timeout_s": 5},
        "store": store_url(folder),
    }
    (folder / "own.md").write_text("{question}\n{answer}\nVerdict: correct or incorrect?")
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    return path


def gullible(ask: Ask) -> Reaction:
    """Says correct to whoever tells it to, and to two short answers."""
    told = any(sign in ask.text for sign in ("Note to the judge", "\nYes\n", "\nSure\n"))
    word = "correct" if told else "incorrect"
    return Reaction(text=word if "JSON" not in ask.text else f'{{"verdict": "{word}"}}')


def rows(report: Any) -> dict[str, Mapping[str, Any]]:
    return {row.variant: row.metrics for row in report.rows}


def test_a_gullible_judge_is_found_out(tmp_path: Path) -> None:
    with Loopback(gullible) as server:
        path = suite(tmp_path, server.url)
        assert typed("run", path, "--quiet").code == 0
        before = len(server.asks)
        dry = judgebench.probe("judge", suite=path, items=4)
        assert len(server.asks) == before
        assert (dry.asked, dry.items) == (False, 4)
        found = judgebench.probe("judge", suite=path, items=4, max_cost=1)
        asked = len(server.asks) - before
        assert found.calls == dry.calls == asked
        assert sum(ask.seen == 2 for ask in server.asks) == 4  # the same question once more
        assert dry.cost_usd is not None
        again = judgebench.probe("judge", suite=path, items=4, max_cost=1)
        assert len(server.asks) == before + asked
        assert (again.calls, again.to_dict()["rows"]) == (0, found.to_dict()["rows"])
    by = rows(found)
    assert {name for name in by if not name.startswith("prompt-")} == {
        one.name for one in VARIANTS if one.kind != "prompt"
    }
    for name, share in (("yes", 1.0), ("flattery", 0.0), ("question", 0.0), ("empty", 0.0)):
        assert by[name]["accepted"].value == share, name
    attack = by["injection"]["attack_success"]
    assert (attack.value, attack.n, attack.units) == (1.0, 4, 4)
    assert 0.4 < attack.low < attack.high == 1.0
    assert by["null-model"]["attack_success"].value == 0.0
    assert by["repeat"]["flips"].value == 0.0
    assert [name for name in by if name.startswith("prompt-")] == ["prompt-json", "prompt-long"]


def test_what_it_costs_is_kept_and_a_judge_that_costs_nothing_is_asked(tmp_path: Path) -> None:
    with Loopback(gullible) as server:
        path = suite(tmp_path, server.url)
        assert typed("run", path, "--quiet").code == 0
        before = len(server.asks)
        little = typed("probe", "judge", "--suite", path, "--max-cost", "0.000001")
        assert little.code == 64
        said = r"too little for one probe: \d+ calls may cost 0\.0\d+ USD"
        assert re.search(said, little.err)
        assert len(server.asks) == before
        dry = typed("probe", "judge", "--suite", path, "--items", "3")
        assert "nobody was asked: " in dry.out
        assert len(server.asks) == before
        most = judgebench.probe("judge", suite=path, items=8).cost_usd
        assert most is not None
        part = judgebench.probe("judge", suite=path, items=8, max_cost=most.high / 2)
        assert 2 <= part.items <= 5
        assert any("is enough for" in note for note in part.notes)
    free = typed("probe", "contains", "--suite", path, "--items", "6", "--format", "json")
    assert free.code == 0, free.err
    said = {row["variant"]: row["metrics"] for row in json.loads(free.out)["rows"]}
    assert said["gold"]["accepted"]["value"] == 1.0
    assert said["injection"]["attack_success"]["value"] == 0.0
    assert "repeat" not in said


KINDS: dict[str, dict[str, Any]] = {
    "words": {"kind": "reference"},
    "json": {"kind": "reference", "options": {"format": "json"}},
    "rubric": {"kind": "rubric"},
    "rubric in words": {"kind": "rubric", "options": {"format": "word"}},
    "grades": {"kind": "graded"},
    "certainty": {"kind": "equivalence"},
    "own prompt": {
        "prompt": "own.md",
        "kind": None,
        "read": {"regex": r"[Vv]erdict: (\w+)"},
        "labels": ["correct", "incorrect"],
    },
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("own", ["", "I cannot say."])
def test_an_injected_verdict_is_never_the_judges(tmp_path: Path, kind: str, own: str) -> None:
    """A judge that says the answer again, and nothing of it, has said nothing."""

    def echo(ask: Ask) -> Reaction:
        return Reaction(text=f"The answer was:\n{shown_anywhere(ask)}\n{own}")

    with Loopback(echo) as server:
        path = suite(tmp_path, server.url, **KINDS[kind])
        assert typed("run", path, "--quiet", "--judge", "contains").code == 0
        found = judgebench.probe("judge", suite=path, items=2, kinds="attack", max_cost=1)
    by = rows(found)
    for name in ("injected-verdict", "null-model", "injection"):
        assert by[name]["accepted"].value != 1.0, name
        if name != "injection":
            assert by[name]["accepted"].missing == 2, name


def shown_anywhere(ask: Ask) -> str:
    """The attack that stands in a prompt."""
    texts = [one.text for one in VARIANTS if one.kind == "attack" and one.text in ask.text]
    return str(max(texts, key=lambda text: len(text or "")))


FAULTS: dict[str, tuple[Callable[[Path], list[Any]], str]] = {
    "nobody of that name": (
        lambda path: ["jugde", "--suite", path],
        "no judge called 'jugde'; did you mean 'judge'?",
    ),
    "no suite": (lambda path: ["judge", "--store", store_url(path.parent)], "no run of"),
    "another kind": (
        lambda path: ["contains", "--suite", path, "--kind", "atack"],
        "no kind of probe called 'atack'; did you mean 'attack'?",
    ),
    "nothing judged": (
        lambda path: ["contains", "--suite", path],
        "the store has no answer that was judged",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_said(tmp_path: Path, fault: str) -> None:
    words, message = FAULTS[fault]
    path = suite(tmp_path, "http://127.0.0.1:9/v1")
    open_store(store_url(tmp_path)).close()
    done = typed("probe", *words(path))
    assert done.code == 64, done.err
    assert message in done.err


def test_a_benchmark_without_references_has_no_order_of_them(tmp_path: Path) -> None:
    questions = tmp_path / "items.jsonl"
    questions.write_text('{"id": "a", "question": "Hello?"}\n', encoding="utf-8")
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"item_id": "a", "model": "m", "text": "Hi."}\n', encoding="utf-8")
    judge = {"name": "dice", "kind": "rubric", "provider": "scripted", "model": "dice"}
    written = {
        "name": "own",
        "models": [{"name": "m", "responses": "answers.jsonl"}],
        "judges": [judge],
        "benchmarks": [
            {"name": "own", "items": "items.jsonl", "scale": [1, 5], "judges": ["dice"]}
        ],
        "store": store_url(tmp_path),
    }
    path = tmp_path / "suite.yaml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    assert typed("run", path, "--quiet").code == 0
    done = typed("probe", "dice", "--suite", path, "--kind", "references")
    assert done.code == 64
    assert "own: no item has several references to be reordered" in done.err
    found = judgebench.probe("dice", suite=path)
    assert any("no gold is shown" in note for note in found.notes)
    with open_store(store_url(tmp_path), read_only=True) as store:
        assert ("probe/attack", f"own-{found.version}") in store.benchmarks()


def test_a_judge_that_is_not_reached_is_unavailable(tmp_path: Path) -> None:
    with Loopback(gullible) as server:
        path = suite(tmp_path, server.url)
        assert typed("run", path, "--quiet").code == 0
    done = typed("probe", "judge", "--suite", path, "--items", "1", "--max-cost", "1")
    assert done.code == 69, done.err


def test_models_are_not_compared_on_probes(tmp_path: Path) -> None:
    path = suite(tmp_path, "http://127.0.0.1:9/v1")
    written = yaml.safe_load(path.read_text())
    written["models"].append({"name": "model-terse", "responses": str(MINI / "answers.jsonl")})
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    assert typed("run", path, "--quiet", "--judge", "contains").code == 0
    assert typed("probe", "contains", "--suite", path, "--items", "2").code == 0
    two = "model-careful", "model-terse"
    with open_store(store_url(tmp_path), read_only=True) as store:
        assert any(name == "probe/attack" for name, _ in store.benchmarks())
        assert {one.benchmark for one in explore.met(store).all} == {"trivia_judging_mini"}
    found = typed("compare", *two, "--store", store_url(tmp_path))
    assert found.code == 0
    assert "probe/" not in found.out + found.err


def test_a_judge_without_a_suite_is_asked_as_its_last_run_asked_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answers = tmp_path / "answers.jsonl"
    rows = ("blue", "green")
    answers.write_text(
        "".join(f'{{"prompt": "Which?", "model": "{m}", "text": "{m}"}}\n' for m in rows), "utf-8"
    )
    (tmp_path / "rubric.txt").write_text("Is it true?", encoding="utf-8")
    url = store_url(tmp_path)
    done = typed("judge", answers, "--judge", "scripted/dice", "--rubric", "rubric.txt",
                 "--store", url, "--quiet")  # fmt: skip
    assert done.code == 0, done.err
    found = judgebench.probe("scripted/dice", kinds=["answers", "repeat"], store=url)
    assert found.asked
    assert {row.kind for row in found.rows} == {"answers", "repeat"}
    other = judgebench.probe("scripted/other", kinds="attack", store=url)  # as is usual there
    assert other.judge_id != found.judge_id
    assert other.items == 1
    changed = judgebench.rejudge("scripted/other", "scripted/dice", pilot=2, store=url)
    assert changed.metrics["flips"].n == 2
    assert changed.whole_calls == 0


def test_a_model_called_as_a_variant_keeps_its_name(tmp_path: Path) -> None:
    url = store_url(tmp_path)
    rows = [json.loads(line) for line in (MINI / "answers.jsonl").read_text().splitlines()]
    answers = tmp_path / "answers.jsonl"
    own = [{**row, "model": "gold"} for row in rows if row["model"] == "model-careful"]
    answers.write_text("".join(json.dumps(row) + "\n" for row in own))
    path = suite(tmp_path, "http://127.0.0.1:9/v1")
    written = yaml.safe_load(path.read_text())
    written["models"] = [{"name": "gold", "responses": str(answers)}]
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    assert typed("run", path, "--quiet", "--judge", "contains").code == 0
    assert typed("probe", "contains", "--suite", path, "--items", "2").code == 0
    with open_store(url, read_only=True) as store:
        assert sum(model.name == "gold" for model in store.models()) == 2
        assert list(labelable(store, "trivia_judging_mini", "1").models.values()) == ["gold"]
    told = typed("export", "verdicts", "trivia_judging_mini", "--store", url)
    assert {json.loads(line)["model"] for line in told.out.splitlines()} == {"gold"}
    assert typed("nights", "gold", "--judge", "contains", "--store", url).code == 0
