"""A greedy first answer with its log-probability, and further ones that are drawn."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgebench.records import Response
from judgebench.responses.local import AnswerChunk, LmEvalWorker, LocalModel
from judgebench.workers.backends import Decoding
from tests.e2e.lm_eval_tasks import work, write_task
from tests.tiny_models import save_causal

pytestmark = [
    pytest.mark.usefixtures("forked"),
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="needs judgebench-harness[hf]"
    ),
]

PROMPTS = ["Which river?", "As it is: who?", "What a long question this one is, is it not?"]
DRAWN = {"do_sample": True, "temperature": 1.0, "top_p": 0.95, "top_k": 50}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_causal(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def backend(tiny: Path) -> Any:
    from judgebench.workers.backends.hf import HuggingFace

    return HuggingFace({"pretrained": str(tiny), "dtype": "float32"}, 4, "cpu")


def forced(tiny: Path, prompt: str, tokens: list[int]) -> float:
    """The log-probability of tokens after a prompt, by one pass over both."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32).eval()
    before = tokenizer(prompt)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([before + tokens])).logits[0].log_softmax(-1)
    return math.fsum(float(logits[len(before) - 1 + n, token]) for n, token in enumerate(tokens))


def tokens_of(tiny: Path, prompt: str, **told: Any) -> list[int]:
    """What transformers alone generates, up to the token that ends it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32).eval()
    ids = torch.tensor([tokenizer(prompt)["input_ids"]])
    mask = torch.ones_like(ids)
    out = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=12, **told)
    return out[0, ids.shape[1] :].tolist()


@pytest.mark.parametrize("said", [{}, {"repetition_penalty": 1.3}])
def test_the_log_probability_is_the_models_own_of_the_whole_answer(
    tiny: Path, backend: Any, said: dict[str, float]
) -> None:
    """Also under a penalty, which changes what is picked and not what the model thinks of it."""
    greedy = {"do_sample": False, "temperature": 0.0, **said}
    decoding = Decoding(stops=(), max_gen_toks=12, sampling=greedy, weighed=True)
    weighed = backend.generate(PROMPTS, decoding)
    plain = backend.generate(PROMPTS, replace(decoding, weighed=False))
    assert [one.raw for one in weighed] == [one.raw for one in plain]
    assert [one.logprob for one in plain] == [None] * 3
    for prompt, one in zip(PROMPTS, weighed, strict=True):
        tokens = tokens_of(tiny, prompt, **said)
        assert one.completion_tokens == len(tokens)
        assert one.logprob == pytest.approx(forced(tiny, prompt, tokens), abs=1e-3)
        assert one.tokens is None


def test_an_answer_that_a_stop_ends_is_weighed_up_to_it(tiny: Path, backend: Any) -> None:
    greedy = {"do_sample": False, "temperature": 0.0}
    whole = Decoding(stops=(), max_gen_toks=12, sampling=greedy, weighed=True)
    (said,) = backend.generate(PROMPTS[:1], whole)
    stop = next(sign for sign in said.raw[3:] if said.raw.index(sign) > 2)
    (cut,) = backend.generate(PROMPTS[:1], replace(whole, stops=(stop,)))
    tokens = tokens_of(tiny, PROMPTS[0])[: cut.completion_tokens]
    assert 0 < cut.completion_tokens < said.completion_tokens
    assert cut.logprob == pytest.approx(forced(tiny, PROMPTS[0], tokens), abs=1e-3)


def answered(
    tiny: Path, folder: Path, *, samples: int, wanted: list[tuple[str, int]], **local: Any
) -> dict[tuple[str, int], Response]:
    task = replace(write_task(folder, PROMPTS), until=(), further=DRAWN)
    model = LocalModel(
        model_args={"pretrained": str(tiny), "dtype": "float32"},
        batch_size=2,
        device="cpu",
        apply_chat_template=False,
        **local,
    )
    with LmEvalWorker(model, [work(task, PROMPTS, samples=samples)], seed=7) as worker:
        worker.start()
        return {
            (response.item_id, response.sample): response
            for event in worker.generate({"small": wanted})
            if isinstance(event, AnswerChunk)
            for response in event.responses
        }


def test_the_first_answer_is_greedy_and_the_others_are_drawn_each_by_a_seed(
    tiny: Path, tmp_path: Path
) -> None:
    places = [(f"i{n}", sample) for n in range(3) for sample in range(4)]
    found = answered(tiny, tmp_path / "a", samples=4, wanted=places)
    assert set(found) == set(places)
    for n in range(3):
        first, *drawn = (found[f"i{n}", sample] for sample in range(4))
        assert len({one.raw for one in (first, *drawn)}) == 4
        assert first.logprob is not None
        assert first.logprob < 0
        assert [one.logprob for one in drawn] == [None] * 3
    # The first is what a run without further ones has, and a draw does not depend on what is left.
    alone = answered(tiny, tmp_path / "b", samples=1, wanted=[("i1", 0)])
    assert alone["i1", 0].raw == found["i1", 0].raw
    later = answered(tiny, tmp_path / "c", samples=4, wanted=[("i2", 3)])
    assert later["i2", 3].raw == found["i2", 3].raw
