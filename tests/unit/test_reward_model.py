"""Scores of a reward model: those of the model itself, whatever else is in the batch."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from judgebench.config import BenchmarkConfig, Endpoint, JudgeConfig, Suite
from judgebench.errors import CallError, ConfigError, ProviderUnavailableError
from judgebench.execution.pool import ProviderPool
from judgebench.providers import reward_model
from judgebench.records import ChatRequest, Message, Reply, ScoreRequest
from judgebench.workers.reward import RewardModel, load
from tests.table import over_rows
from tests.tiny_models import REFUSES_SYSTEM, SHOWS_SYSTEM, save_causal, save_classifier

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs judgebench-harness[hf]"
)

ANSWERS = ["Paris.", "It is Paris, the capital, which lies on the Seine.", "", "As it is: Lyon"]


def local_endpoint(options: Mapping[str, Any]) -> Endpoint:
    return Endpoint(provider="reward_model", identity="here", provider_options=dict(options))


def conversation(answer: str, *, system: str | None = None) -> list[dict[str, str]]:
    told = [] if system is None else [{"role": "system", "content": system}]
    return [
        *told,
        {"role": "user", "content": "What is the capital of France?"},
        {"role": "assistant", "content": answer},
    ]


def loaded(folder: Path, **changes: Any) -> RewardModel:
    job: dict[str, Any] = {
        "pretrained": str(folder),
        "revision": None,
        "dtype": "float32",
        "device": "cpu",
        "batch_size": 8,
        "max_length": None,
        "label": None,
    }
    return RewardModel(**job | changes)


def scores(model: RewardModel, conversations: Sequence[Any]) -> list[float]:
    return [one["score"] for one in model.answer([{"messages": c} for c in conversations])]


def by_hand(folder: Path, texts: Sequence[str], *, pad: bool = True) -> list[float]:
    """The logit of each text by itself, as transformers gives it."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    found = []
    with torch.inference_mode():
        for text in texts:
            ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
            found.append(float(model(input_ids=ids).logits[0, 0]))
    return found


@needs_torch
@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_a_batch_gives_the_scores_of_each_alone(
    tmp_path: Path, pad: bool, padding_side: str
) -> None:
    folder = save_classifier(tmp_path, pad=pad, padding_side=padding_side)
    model = loaded(folder)
    conversations = [conversation(answer) for answer in ANSWERS]
    together = scores(model, conversations)
    alone = [scores(model, [one])[0] for one in conversations]
    assert together == pytest.approx(alone, abs=1e-4)
    texts = [
        f"[user]{c[0]['content']}<end>[assistant]{c[1]['content']}<end>" for c in conversations
    ]
    assert together == pytest.approx(by_hand(folder, texts), abs=1e-4)
    assert len({round(score, 3) for score in together}) == len(ANSWERS)
    assert model.stack().dtype == "float32"


@needs_torch
def test_without_a_template_question_and_answer_are_a_pair(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path, template=None)
    told = conversation("Paris.", system="Be kind.")
    expected = by_hand(folder, ["Be kind.\n\nWhat is the capital of France?Paris."])
    assert scores(loaded(folder), [told]) == pytest.approx(expected, abs=1e-4)


@needs_torch
def test_a_template_without_a_system_role_loses_no_message(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path, template=REFUSES_SYSTEM)
    told = conversation("Paris.", system="Be kind.")
    text = "[user]Be kind.\n\nWhat is the capital of France?<end>[assistant]Paris.<end>"
    assert scores(loaded(folder), [told]) == pytest.approx(by_hand(folder, [text]), abs=1e-4)


@needs_torch
def test_what_does_not_fit_is_refused_and_never_cut(tmp_path: Path) -> None:
    save_classifier(tmp_path)
    model = loaded(tmp_path, max_length=60)
    assert model.refusal({"messages": conversation("")}) is None
    long = model.refusal({"messages": conversation("x" * 60)})
    assert long is not None
    assert long.kind == "too_long"
    assert "and the reward model takes 60" in long.message
    own = loaded(tmp_path).refusal({"messages": conversation("x" * 300)})
    assert own is not None
    assert "takes 256" in own.message
    unanswered = model.refusal({"messages": conversation("")[:1]})
    assert unanswered is not None
    assert unanswered.kind == "request"


@needs_torch
def test_several_labels_need_a_word_about_which(tmp_path: Path) -> None:
    save_classifier(tmp_path, labels=3)
    with pytest.raises(ConfigError, match=r"3 labels \(LABEL_0, LABEL_1, LABEL_2\)"):
        loaded(tmp_path)
    with pytest.raises(ConfigError, match="did you mean 'LABEL_1'"):
        loaded(tmp_path, label="LABEL1")
    told = [conversation("Paris.")]
    by_name, by_number = (scores(loaded(tmp_path, label=which), told) for which in ("LABEL_2", 2))
    assert by_name == by_number
    assert by_name != scores(loaded(tmp_path, label=1), told)


@needs_torch
def test_a_model_without_a_trained_score_is_refused(tmp_path: Path) -> None:
    save_causal(tmp_path, template=SHOWS_SYSTEM)
    with pytest.raises(ConfigError, match=r"is no reward model: .* lacks score\.weight"):
        loaded(tmp_path, label=0)


@needs_torch
def test_a_score_that_is_no_number_is_a_failure(tmp_path: Path) -> None:
    import torch

    model = loaded(save_classifier(tmp_path))
    with torch.no_grad():
        model._model.score.weight.fill_(float("nan"))
    with pytest.raises(ArithmeticError, match="no finite number"):
        scores(model, [conversation("Paris.")])


def ask(provider: reward_model.RewardModel, *requests: Any) -> list[Any]:
    async def run() -> list[Any]:
        try:
            asked = (provider.complete(request) for request in requests)
            return await asyncio.gather(*asked, return_exceptions=True)
        finally:
            await provider.close()

    return asyncio.run(run())


def request(answer: str) -> ScoreRequest:
    messages = (
        Message(role="user", content="What is the capital of France?"),
        Message(role="assistant", content=answer),
    )
    return ScoreRequest(provider="here", model="m", messages=messages)


@pytest.mark.usefixtures("forked")
@needs_torch
def test_the_provider_scores_through_its_worker(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path / "tiny-reward")
    options = {"pretrained": str(folder), "dtype": "float32", "device": "cpu", "batch_size": 2}
    provider = reward_model.make(local_endpoint(options))
    *replies, too_long = ask(provider, *map(request, ANSWERS), request("x" * 300))
    expected = scores(loaded(folder), [conversation(answer) for answer in ANSWERS])
    for reply, score in zip(replies, expected, strict=True):
        assert isinstance(reply, Reply)
        assert reply.scores is not None
        assert reply.scores == pytest.approx((score,), abs=1e-4)
        assert float(reply.text) == reply.scores[0]
        assert reply.served_model == "tiny-reward"
        assert reply.usage.prompt_tokens
    assert isinstance(too_long, CallError)
    assert (too_long.kind, too_long.retriable) == ("too_long", False)
    assert provider.worker_pid is None


@pytest.mark.usefixtures("forked")
@needs_torch
def test_a_model_that_is_nowhere_is_named(tmp_path: Path) -> None:
    provider = reward_model.make(local_endpoint({"pretrained": str(tmp_path / "none")}))
    (error,) = ask(provider, request("Paris."))
    assert isinstance(error, ProviderUnavailableError)
    assert f"there is no folder {tmp_path / 'none'} here" in str(error)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_checkpoint_with_code_of_its_own_is_refused_at_once(name: str, tmp_path: Path) -> None:
    """Before a worker is started, which transformers would have ask on standard input."""
    own = {"model_type": "own", "auto_map": {"AutoConfig": "configuration_own.OwnConfig"}}
    (tmp_path / name).write_text(json.dumps(own))
    section = {"pretrained": str(tmp_path)}
    says = f"{tmp_path / name}: this checkpoint has code of its own .*configuration_own"
    with pytest.raises(ConfigError, match=says):
        reward_model.make(local_endpoint(section))
    judge = JudgeConfig.model_validate(
        {"name": "r", "kind": "reward", "provider": "reward_model", "reward_model": section}
    )
    benchmarks = [BenchmarkConfig(name="b", judges=["r"])]
    pool = ProviderPool(Suite(name="s", judges=[judge], benchmarks=benchmarks), None)
    with pytest.raises(ConfigError, match=f"r: {says}"):
        pool.check({"r": judge})


@needs_torch
def test_neither_does_code_from_the_hub_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    commit = "a" * 40
    snapshot = tmp_path / "models--owner--reward" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (tmp_path / "models--owner--reward" / "refs").mkdir()
    (tmp_path / "models--owner--reward" / "refs" / "main").write_text(commit)
    (snapshot / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "own.Model"}}))
    with pytest.raises(ConfigError, match=f"{snapshot / 'config.json'}: this checkpoint has code"):
        load({"pretrained": "owner/reward", "revision": None})


def test_it_only_scores() -> None:
    provider = reward_model.make(local_endpoint({"pretrained": "owner/name"}))
    messages = request("Paris.").messages
    chat = ChatRequest(provider="here", model="m", messages=messages)
    weighed = ScoreRequest(provider="here", model="m", messages=messages, candidates=("A", "B"))
    for error in ask(provider, chat, weighed):
        assert isinstance(error, CallError)
        assert (error.kind, error.retriable) == ("request", False)


@over_rows(
    ("options", "says"),
    [({}, "name the model"), ({"pretrained": "o/m", "max_len": 3}, "did you mean 'max_length'")],
)
def test_options_that_mean_nothing_are_refused(options: Mapping[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        reward_model.make(local_endpoint(options))
