"""How the next token of each answer is picked, where a batch must not decide it.

Processors for transformers' ``generate``, which then only takes the largest. They keep a draw the
same whatever else is in the batch, and keep the log-probabilities that the model itself gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from judgebench.workers.backends import Decoding

_WARPERS = ("temperature", "top_k", "top_p", "min_p")


class TopTokens:
    """Notes what was likely at each step, and how likely what was picked was."""

    def __init__(self, alternatives: int) -> None:
        self._alternatives = alternatives
        self._last: Any = None
        self._picked: list[list[float]] = []
        self._top: list[tuple[list[list[float]], list[list[int]]]] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        if self._last is not None:
            self._note(input_ids[:, -1])
        self._last = scores.float().log_softmax(dim=-1)
        top = self._last.topk(min(self._alternatives, scores.shape[-1]), dim=-1)
        self._top.append((top.values.tolist(), top.indices.tolist()))
        return scores

    def of_rows(
        self, tokens: Sequence[Sequence[int]]
    ) -> list[list[tuple[float, list[tuple[int, float]]]]]:
        """For each row and step: log-probability (nats) of its token, and the likeliest tokens."""
        import torch

        if self._last is not None:
            self._note(torch.tensor([row[-1] for row in tokens]))
            self._last = None
        return [
            [
                (picked[row], list(zip(indices[row], values[row], strict=True)))
                for picked, (values, indices) in zip(self._picked, self._top, strict=True)
            ]
            for row in range(len(tokens))
        ]

    def _note(self, picked: Any) -> None:
        picked = picked.to(self._last.device)
        self._picked.append(self._last.gather(1, picked[:, None])[:, 0].tolist())


class SeededDraw:
    """A draw from the distribution, with a generator for each row.

    Adding Gumbel noise and taking the largest is such a draw. Equal seeds draw alike on one kind
    of device.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._seeds = seeds
        self._generators: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        if not self._generators:  # a model on several devices has its logits on one of them
            self._generators = [
                torch.Generator(device=scores.device).manual_seed(seed) for seed in self._seeds
            ]
        scores = scores.float()
        noise = torch.stack(
            [
                torch.empty_like(row).exponential_(generator=generator).log()
                for row, generator in zip(scores, self._generators, strict=True)
            ]
        )
        return scores - noise


def pick(decoding: Decoding) -> tuple[Mapping[str, Any], TopTokens | None]:
    """What ``generate`` is told in place of ``decoding.sampling``, and what notes the tokens.

    The model's own penalty for repeating is off unless the question sets one: a verdict repeats
    what the prompt offers.
    """
    from transformers import LogitsProcessorList

    tops = None if decoding.logprobs is None else TopTokens(decoding.logprobs)
    chain: list[Any] = [] if tops is None else [tops]
    rest = {"repetition_penalty": 1.0, **decoding.sampling}
    warpers = {name: rest.pop(name) for name in _WARPERS if name in rest}
    if rest.pop("do_sample", False):
        chain += [*_warpers(warpers), SeededDraw(decoding.seeds)]
    return {**rest, "do_sample": False, "logits_processor": LogitsProcessorList(chain)}, tops


def weigh(decoding: Decoding, own_penalty: float | None) -> tuple[Mapping[str, Any], TopTokens]:
    """The same for a greedy answer whose log-probability is wanted, and what notes it.

    Nothing is picked otherwise than without: a penalty for repeating, the question's or the
    model's own, is moved behind what notes the probabilities, so that these are the model's.
    """
    from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor

    tops = TopTokens(0)
    chain: list[Any] = [tops]
    penalty = decoding.sampling.get("repetition_penalty", own_penalty)
    if penalty is not None and penalty != 1.0:
        chain.append(RepetitionPenaltyLogitsProcessor(float(penalty)))
    said = {**decoding.sampling, "repetition_penalty": 1.0}
    return {**said, "logits_processor": LogitsProcessorList(chain)}, tops


def _warpers(said: Mapping[str, Any]) -> list[Any]:
    from transformers import (
        MinPLogitsWarper,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    kinds = {
        "temperature": (TemperatureLogitsWarper, float, 1.0),
        "top_k": (TopKLogitsWarper, int, 0),
        "top_p": (TopPLogitsWarper, float, 1.0),
        "min_p": (MinPLogitsWarper, float, 0.0),
    }
    return [
        make(number(said[name]))
        for name, (make, number, nothing) in kinds.items()
        if name in said and said[name] != nothing
    ]
