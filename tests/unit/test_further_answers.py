"""A first answer that is greedy and further ones that are drawn: what each is asked with, and by
which key it is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from judgebench import keys
from judgebench.benchmarks.folder import load_benchmark
from judgebench.errors import ConfigError
from judgebench.records import Item, Message, ModelSpec, Reply, TokenLogprob, Usage, VerdictSlot
from judgebench.responses.local import LocalModel, decoding_of, generation_of
from judgebench.responses.remote import Question, response_of, spec_of
from tests.table import over_rows

FURTHER = {"do_sample": True, "temperature": 1.0, "top_p": 0.95, "top_k": 50}
LOCAL = LocalModel(model_args={"pretrained": "org/model", "dtype": "float32"})
GREEDY = {"do_sample": False, "temperature": 0.0}


@dataclass(frozen=True)
class Asked:
    name: str = "a_task"
    include_path: Path = Path("tasks/a_task")
    metadata: dict[str, Any] = field(default_factory=dict)
    until: tuple[str, ...] = ()
    max_gen_toks: int = 64
    generation: dict[str, Any] = field(default_factory=lambda: {"do_sample": False})
    further: dict[str, Any] = field(default_factory=lambda: dict(FURTHER))


def local(**gen_kwargs: Any) -> LocalModel:
    return LOCAL.model_copy(update={"gen_kwargs": gen_kwargs})


# a model here -------------------------------------------------------------------------------------


def test_the_first_answer_is_greedy_and_the_others_are_drawn() -> None:
    found = generation_of(LOCAL, Asked())
    assert (found.sampling, found.further) == (GREEDY, FURTHER)
    assert found.samples
    alike = generation_of(LOCAL, Asked(further={}))
    assert (alike.sampling, alike.further, alike.samples) == (GREEDY, {}, False)


def test_a_suites_words_hold_for_further_answers_too() -> None:
    """But for those that make the first one greedy, which are about that one."""
    found = generation_of(local(repetition_penalty=1.05, top_k=20), Asked())
    assert found.sampling == {**GREEDY, "repetition_penalty": 1.05, "top_k": 20}
    assert found.further == {**FURTHER, "repetition_penalty": 1.05, "top_k": 20}
    for greedy in ({"do_sample": False}, {"temperature": 0}, {"temperature": 0.0, **GREEDY}):
        said = generation_of(local(**greedy), Asked())
        assert (said.sampling, said.further) == (GREEDY, FURTHER)


def test_what_a_task_says_of_all_answers_gives_way_to_what_it_says_of_further_ones() -> None:
    task = Asked(generation={"do_sample": False, "top_p": 0.5, "min_p": 0.1})
    found = generation_of(LOCAL, task)
    assert found.sampling == {**GREEDY, "top_p": 0.5, "min_p": 0.1}
    assert found.further == {**FURTHER, "min_p": 0.1}


@over_rows("said", [{"temperature": 0.7}, {"do_sample": True}])
def test_a_suite_that_has_every_answer_drawn_leaves_no_first_one(said: dict[str, Any]) -> None:
    task = Asked(generation={})
    found = generation_of(local(**said), task)
    assert found.further == {}
    assert found.sampling["do_sample"] is True
    assert "further" not in decoding_of(local(**said), task, seed=5)
    by_category = Asked(generation={"temperature": {"default": 0.1}})
    assert generation_of(LOCAL, by_category).further == {}


def test_what_further_answers_are_drawn_with_is_part_of_the_key() -> None:
    """Also where none are asked for: so a run that asks for more finds the first answers."""
    decoding = decoding_of(LOCAL, Asked(), seed=5)
    assert decoding == {**GREEDY, "max_gen_toks": 64, "further": FURTHER, "seed": 5}
    changed = Asked(further={**FURTHER, "temperature": 0.8})
    others = (
        decoding_of(LOCAL, changed, seed=5),
        decoding_of(LOCAL, Asked(further={}), seed=5),
        decoding_of(LOCAL, Asked(), seed=6),
        decoding_of(local(top_k=20), Asked(), seed=5),
    )
    known = {model_key(one) for one in (decoding, *others)}
    assert len(known) == 5


def model_key(decoding: Mapping[str, Any]) -> bytes:
    return keys.content_key("decoding", decoding)


# a model behind an API ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Api:
    provider: str | None = "p"
    model: str | None = "m"
    sampling: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    system: str | None = None
    reasoning: str | None = None


def spec(*, further: Mapping[str, Any] = FURTHER, samples: int = 21, **sampling: Any) -> ModelSpec:
    return spec_of(
        Api(sampling=sampling),
        identity="p",
        prompt_sha="s",
        max_tokens=64,
        until=(),
        seed=7,
        samples=samples,
        further=further,
    )


ITEM = Item(benchmark="b", version="1", id="0", turns=(Message(role="user", content="Which?"),))


def question(of: ModelSpec, sample: int, *, logprobs: bool = False) -> Question:
    place = VerdictSlot(
        benchmark="b", version="1", item_id="0", model_key=b"m", judge_key=b"", sample=sample
    )
    return Question(
        key=b"k",
        places=(place,),
        items=(ITEM,),
        spec=of,
        identity="p",
        model="m",
        sample=sample,
        logprobs=logprobs,
    )


def sent(of: ModelSpec, sample: int) -> dict[str, Any]:
    return dict(question(of, sample).request().decoding)


def test_an_api_is_told_what_it_has_words_for() -> None:
    drawn = {"temperature": 1.0, "top_p": 0.95, "max_tokens": 64}
    assert sent(spec(), 0) == {"temperature": 0, "max_tokens": 64}
    assert sent(spec(), 1) == {**drawn, "seed": 8}
    assert sent(spec(), 20) == {**drawn, "seed": 27}
    # One answer and 21 are those of one model.
    assert spec(samples=1) == spec(samples=21)
    assert spec(further={**FURTHER, "temperature": 0.8}) != spec()
    assert spec(further={}, samples=1) != spec()
    assert question(spec(), 0).request().sample == 0
    assert question(spec(), 3).request().sample == 3


def test_a_suites_words_hold_for_further_answers_of_an_api_too() -> None:
    said = spec(top_p=0.5, seed=100, max_tokens=9)
    assert sent(said, 0) == {"temperature": 0, "top_p": 0.5, "seed": 100, "max_tokens": 9}
    assert sent(said, 2) == {"temperature": 1.0, "top_p": 0.5, "seed": 102, "max_tokens": 9}
    assert sent(spec(temperature=0), 2)["temperature"] == 1.0
    # What a model does not take is not sent with any of its answers.
    silent = spec(top_p=None, seed=None)
    assert sent(silent, 0) == {"temperature": 0, "max_tokens": 64}
    assert sent(silent, 2) == {"temperature": 1.0, "max_tokens": 64}


def test_a_suite_that_has_every_answer_of_an_api_drawn_leaves_no_first_one() -> None:
    drawn = spec(temperature=0.6)
    assert "further" not in drawn.decoding
    assert sent(drawn, 0) == {"temperature": 0.6, "max_tokens": 64, "seed": 7}
    assert sent(drawn, 4) == {"temperature": 0.6, "max_tokens": 64, "seed": 11}


@over_rows("further", [FURTHER, {}])
def test_a_model_that_takes_no_temperature_draws_by_itself(further: Mapping[str, Any]) -> None:
    own = spec(temperature=None, further=further)
    assert sent(own, 0) == sent(own, 3) == {"max_tokens": 64}
    assert question(own, 0).request() != question(own, 3).request()


def test_samples_of_an_answer_that_nothing_draws_are_refused() -> None:
    with pytest.raises(ConfigError, match="21 samples at temperature 0 are one answer"):
        spec(further={})
    assert spec(further={}, samples=1).decoding == {"temperature": 0, "max_tokens": 64}


def test_log_probabilities_are_asked_for_where_they_are_wanted() -> None:
    assert question(spec(), 0, logprobs=True).request().logprobs == 0
    assert question(spec(), 0).request().logprobs is None


@over_rows(
    ("tokens", "logprob"),
    [((-0.5, -0.25, 0.0), -0.75), ((-1e-9,) * 3, -3e-9), ((), None), (None, None)],
)
def test_an_answer_weighs_what_its_tokens_weigh_together(
    tokens: tuple[float, ...] | None, logprob: float | None
) -> None:
    told = None if tokens is None else tuple(TokenLogprob(token="x", logprob=p) for p in tokens)
    asked = question(spec(), 0, logprobs=True)
    reply = Reply(text="Danube", finish_reason="stop", logprobs=told)
    found = response_of(reply, ITEM, asked.places[0], asked.request())
    if logprob is None:
        assert found.logprob is None
    else:
        assert found.logprob is not None
        assert math.isclose(found.logprob, logprob, rel_tol=1e-12)


@over_rows("thoughts", [{"reasoning": "Let me see."}, {"usage": Usage(reasoning_tokens=9)}])
def test_an_answer_after_thoughts_has_no_weight(thoughts: dict[str, Any]) -> None:
    """Their tokens are counted with its own, and their probabilities are not told."""
    asked = question(spec(), 0, logprobs=True)
    told = (TokenLogprob(token="x", logprob=-0.5),)
    reply = Reply(text="Danube", finish_reason="stop", logprobs=told)
    for one, weight in ((reply, -0.5), (replace(reply, **thoughts), None)):
        assert response_of(one, ITEM, asked.places[0], asked.request()).logprob == weight


# a benchmark --------------------------------------------------------------------------------------


def test_a_suite_changes_what_further_answers_are_drawn_with() -> None:
    usual = load_benchmark("honestybench_mini")
    assert usual.lm_eval_task.further == FURTHER
    assert usual.lm_eval_task.generation["do_sample"] is False
    assert usual.logprobs
    changed = load_benchmark("honestybench_mini", options={"further": {"temperature": 0.7}})
    assert changed.lm_eval_task.further == {**FURTHER, "temperature": 0.7}
    other = load_benchmark("trivia_judging_mini")
    assert (other.lm_eval_task.further, other.logprobs) == ({}, False)
    drawn = load_benchmark("trivia_judging_mini", options={"further": {"temperature": 0.7}})
    found = generation_of(LOCAL, drawn.lm_eval_task)
    assert found.sampling["do_sample"] is False
    assert (found.further["do_sample"], found.further["temperature"]) == (True, 0.7)


@over_rows("further", [{"temperature": 0}, {"temperature": None}])
def test_further_answers_need_a_temperature(further: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"honestybench_mini: further: .* a temperature above 0"):
        load_benchmark("honestybench_mini", options={"further": further})


def test_a_benchmark_that_says_nothing_of_draws_needs_to_be_told_the_temperature() -> None:
    with pytest.raises(ConfigError, match="a temperature above 0"):
        load_benchmark("trivia_judging_mini", options={"further": {"top_p": 0.9}})
