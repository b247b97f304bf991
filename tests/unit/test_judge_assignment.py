"""Judges that are the models themselves: who is meant, how each is reached, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from judgebench.config import Suite
from judgebench.errors import ConfigError, InputError
from judgebench.execution.resolve import (
    ResolvedSuite,
    endpoints,
    judge_assignment,
    resolve,
    with_examples,
)
from judgebench.reports.confidence_data import self_judges
from judgebench.store.opening import open_store
from tests.tiny_models import save_causal
from tests.unit.exchanged import rows_file

API = {"provider": "openai_compatible", "base_url": "http://127.0.0.1:9/v1", "model": "small"}
OTHER = {**API, "base_url": "http://127.0.0.1:10/v1", "identity": "other", "requests_per_minute": 5}
ANSWERS = Path(__file__).parents[2] / "tasks" / "honestybench_mini" / "answers.jsonl"
RECORDED = {"name": "model-consistent", "responses": str(ANSWERS)}
THEMSELVES = {"name": "sure", "kind": "stated_confidence", "provider": "candidate"}
MODELS: tuple[Mapping[str, Any], ...] = ({"name": "a", "api": API}, {"name": "b", "api": OTHER})


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))


def suite(
    *,
    models: Sequence[Mapping[str, Any]] = MODELS,
    judge: Mapping[str, Any] = THEMSELVES,
    **benchmark: Any,
) -> Suite:
    judged = {"name": "honestybench_mini", "judges": ["contains", str(judge["name"])], "limit": 3}
    written = {
        "name": "s",
        "models": list(models),
        "judges": [judge],
        "benchmarks": [judged | benchmark],
    }
    return Suite.model_validate(written)


def work(**said: Any) -> ResolvedSuite:
    return resolve(suite(**said))


def test_each_model_is_a_judge_of_its_own_answers() -> None:
    found = work()
    a, b = (assignment for assignment in found.assignments if assignment.name == "sure")
    assert [(assignment.title, assignment.only) for assignment in (a, b)] == [
        ("sure (a)", "a"),
        ("sure (b)", "b"),
    ]
    assert a.key != b.key
    for assignment, whose in ((a, "a"), (b, "b")):
        judged = [candidate.name for candidate in found.candidates if assignment.judges(candidate)]
        assert judged == [whose]
    (contains,) = (assignment for assignment in found.assignments if assignment.name == "contains")
    assert all(contains.judges(candidate) for candidate in found.candidates)
    asked = endpoints(found)
    assert set(asked) == {"model a", "model b", "judge sure (a)", "judge sure (b)"}
    for judge, model in (("judge sure (a)", "model a"), ("judge sure (b)", "model b")):
        for how in ("provider", "model", "base_url", "identity", "requests_per_minute"):
            assert getattr(asked[judge], how) == getattr(asked[model], how)


def test_how_it_answers_says_nothing_of_how_it_is_asked() -> None:
    """A model that writes poems at temperature 1 says how sure it is greedily."""
    poet = {"name": "a", "api": {**API, "sampling": {"temperature": 1, "max_tokens": 500}}}
    for judge, sampling in (
        (THEMSELVES, {"temperature": 0, "max_tokens": 32}),
        ({**THEMSELVES, "sampling": {"max_tokens": 9}}, {"temperature": 0, "max_tokens": 9}),
    ):
        (assignment,) = (s for s in work(models=[poet], judge=judge).assignments if s.only)
        assert assignment.judge.spec.sampling == sampling


def test_a_local_model_is_asked_as_a_local_judge(tmp_path: Path) -> None:
    if find_spec("torch") is None:
        pytest.skip("needs judgebench-harness[hf]")
    tiny = save_causal(tmp_path / "tiny")
    section = {
        "model_args": {"pretrained": str(tiny), "dtype": "float32"},
        "device": "cpu",
        "gen_kwargs": {"do_sample": True, "temperature": 0.7},
    }
    (assignment,) = (
        s for s in work(models=[{"name": "m", "lm_eval": section}]).assignments if s.only
    )
    assert assignment.config is not None
    assert assignment.config.provider == "local"
    assert assignment.config.lm_eval is not None
    assert assignment.config.lm_eval.model_args == section["model_args"]
    assert assignment.config.lm_eval.gen_kwargs == {}
    assert assignment.judge.spec.sampling["temperature"] == 0


def test_each_is_known_as_the_model_that_it_is(tmp_path: Path) -> None:
    """By what it is, local or behind an API: one confidence in a table of all of them."""
    if find_spec("torch") is None:
        pytest.skip("needs judgebench-harness[hf]")
    local = [
        {
            "name": name,
            "lm_eval": {
                "model_args": {"pretrained": str(save_causal(tmp_path / name, hidden_size=size))},
                "device": "cpu",
                "system_instruction": instruction,
            },
        }
        for name, size, instruction in (("c", 32, None), ("d", 64, "Be brief."))
    ]
    found = work(models=[*MODELS, *local])
    key_of = {candidate.name: candidate.key for candidate in found.candidates}
    table: dict[str, list[Any]] = {"judge": [], "judge_id": [], "model_id": []}
    with open_store(str(tmp_path / "s.db")) as store:
        for candidate in found.candidates:
            store.put_model(candidate.name, candidate.spec)
        models = {model.key: model.id for model in store.models()}
        for assignment in found.assignments:
            if assignment.only is not None:
                key = store.put_judge(assignment.name, assignment.judge.spec)
                (judge,) = (one.id for one in store.judges() if one.key == key)
                table["judge"].append(assignment.name)
                table["judge_id"].append(judge)
                table["model_id"].append(models[key_of[assignment.only]])
        assert len(set(table["judge_id"])) == 4
        assert set(self_judges(store, [table]).values()) == {"sure"}
        # Each asked about the next one's answers is a judge of others.
        turned = {**table, "model_id": table["model_id"][1:] + table["model_id"][:1]}
        assert len(set(self_judges(store, [turned]).values())) == 4


@pytest.mark.parametrize(
    "said",
    [
        {"model": "x"},
        {"base_url": "http://127.0.0.1:9/v1"},
        {"api_key": "${KEY}"},
        {"identity": "x"},
        {"extra": {"a": 1}},
        {"capabilities": {"logprobs": False}},
        {"provider_options": {"a": 1}},
        {"price": {"input": 1, "output": 1}},
        {"reasoning": "low"},
        {"server": {"command": ["serve"]}, "base_url": "http://127.0.0.1:{port}/v1"},
        {"lm_eval": {"model_args": {"pretrained": "x"}}},
        {"reward_model": {"pretrained": "x"}},
    ],
)
def test_a_judge_that_is_each_model_is_reached_as_that_is(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"its section says: leave out .*{next(iter(said))}"):
        suite(judge={**THEMSELVES, **said})


def test_a_batch_is_nothing_that_a_judge_of_no_provider_takes() -> None:
    with pytest.raises(ValueError, match="candidate takes no batches"):
        suite(judge={**THEMSELVES, "batch": True})


def test_no_model_is_the_candidate() -> None:
    with pytest.raises(ValueError, match="names its 'provider' and 'model'"):
        suite(models=[{"name": "a", "api": {"provider": "candidate", "model": "x"}}])


def test_nobody_can_be_asked_behind_a_file() -> None:
    with pytest.raises(ConfigError, match="sure is each model itself, and all of its models are"):
        work(models=[RECORDED])


def test_of_some_that_can_and_some_that_cannot_be_asked_the_latter_are_named() -> None:
    found = work(models=[*MODELS, RECORDED])
    assert [assignment.only for assignment in found.assignments if assignment.name == "sure"] == [
        "a",
        "b",
    ]
    assert found.warnings == (
        "sure is each model itself; of model-consistent there are recorded answers only, so it "
        "says nothing of them on honestybench_mini",
    )
    assert work().warnings == ()
    # The benchmark's own models count.
    chosen = Suite.model_validate(
        {
            "name": "s",
            "models": [*MODELS, RECORDED],
            "judges": [THEMSELVES],
            "benchmarks": [{"name": "honestybench_mini", "judges": ["sure"], "models": ["a"]}],
        }
    )
    assert [only for _, only in judge_assignment(chosen, chosen.benchmarks[0], "sure")] == ["a"]
    assert resolve(chosen).warnings == ()


# which answers a judge is shown -------------------------------------------------------------------


def test_consistency_needs_further_answers() -> None:
    agree = {"name": "agree", "kind": "consistency", **API}
    with pytest.raises(ConfigError, match=r"judge agree compares further answers .* samples: 11"):
        work(judge=agree)
    (assignment,) = (s for s in work(judge=agree, samples=4).assignments if s.name == "agree")
    assert (assignment.inputs, list(assignment.samples)) == ("with_first", [1, 2, 3])


@pytest.mark.parametrize(
    ("name", "said", "judged"),
    [
        ("honestybench_mini", None, [0]),
        ("honestybench_mini", "first", [0]),
        ("honestybench_mini", "all", [0, 1, 2]),
        ("trivia_judging_mini", None, [0, 1, 2]),
        ("trivia_judging_mini", "first", [0]),
    ],
)
def test_which_of_several_answers_are_judged(
    name: str, said: str | None, judged: list[int]
) -> None:
    drawn = {"name": "a", "api": {**API, "sampling": {"temperature": 1}}}
    assignments = work(models=[drawn], name=name, samples=3, judged_samples=said).assignments
    contains, sure = assignments
    assert list(contains.samples) == judged
    # What a model is asked about the question alone it is asked once.
    assert (sure.inputs, list(sure.samples)) == ("question", [0])


def test_one_answer_and_21_are_of_one_model() -> None:
    few, many = (work(samples=samples).candidates[0] for samples in (1, 21))
    assert few.key == many.key
    assert set(few.wanted) < set(many.wanted)
    changed = work(samples=21, options={"further": {"temperature": 0.7}}).candidates[0]
    assert changed.key != many.key


# examples -----------------------------------------------------------------------------------------


def example(question: str, confidence: Any, **more: Any) -> dict[str, Any]:
    return {"question": question, "confidence": confidence, **more}


def test_examples_come_from_a_file_each_model_its_own(tmp_path: Path) -> None:
    rows = [example("A?", 0.25, model="a"), example("B?", 1, model="b"), example("All?", 0)]
    file = rows_file(tmp_path / "examples.jsonl", rows)
    found = work(judge={**THEMSELVES, "options": {"examples": str(file)}})
    shown = {
        assignment.only: assignment.judge.spec.options["examples"]
        for assignment in found.assignments
        if assignment.only
    }
    everybody = example("All?", 0.0)
    assert shown == {
        "a": [example("A?", 0.25), everybody],
        "b": [example("B?", 1.0), everybody],
    }
    # One that is no model of the suite has those of nobody.
    (assignment,) = (
        s
        for s in work(
            judge={
                **API, "name": "sure", "kind": "stated_confidence",
                "options": {"examples": str(file)},
            }
        ).assignments
        if s.name == "sure"
    )  # fmt: skip
    assert assignment.judge.spec.options["examples"] == [everybody]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (example("x", 1.5), ":2: confidence: a share from 0 to 1 has to stand here, not 1.5"),
        (example("x", -0.1), ":2: confidence: a share from 0 to 1 has to stand here, not -0.1"),
        (example("x", "high"), ":2: confidence: a number has to stand here, not 'high'"),
        (example("x", None), ":2: confidence: is missing"),
        (example("", 0.5), ":2: question: is missing"),
        ({"question": "x"}, ":2: confidence: is missing. Columns here: question"),
        # Also where it is another model's: a file is right or wrong.
        (example("x", 7, model="b"), ":2: confidence: a share from 0 to 1"),
    ],
)
def test_a_row_that_is_no_example_is_named(tmp_path: Path, row: dict[str, Any], says: str) -> None:
    file = rows_file(tmp_path / "examples.jsonl", [example("y", 0.5), row])
    with pytest.raises(InputError) as caught:
        with_examples({"examples": str(file)}, "a")
    assert f"{file}{says}" in str(caught.value)


def test_a_file_without_a_models_examples_is_refused(tmp_path: Path) -> None:
    file = rows_file(tmp_path / "examples.jsonl", [example("x", 0.5, model="b")])
    with pytest.raises(ConfigError, match=r"judge sure: options: examples: .* has no row of a:"):
        work(judge={**THEMSELVES, "options": {"examples": str(file)}})
    with pytest.raises(ConfigError, match="has no row for everybody: its column 'model'"):
        with_examples({"examples": str(file)}, None)
    with pytest.raises(InputError, match="there is no such file"):
        with_examples({"examples": str(tmp_path / "none.jsonl")}, "a")


def test_examples_in_the_suite_itself_stay_as_they_are() -> None:
    options = {"examples": [example("x", 0.5)], "reader": "upstream"}
    assert with_examples(options, "a") == options
    assert with_examples({}, "a") == {}
