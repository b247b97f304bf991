"""Transformers models through lm-eval's ``hf``, keeping what its ``generate_until`` drops.

lm-eval loads the model, applies templates and stop sequences and runs the batch; here the tokens
that come out are read, for the finish reason, the counts and the reasoning.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from judgebench.records import Runtime, TokenLogprob
from judgebench.workers.backends import (
    Backend,
    Decoding,
    Generated,
    Likelihoods,
    too_long,
    versions,
)
from judgebench.workers.backends.likelihood import causal_likelihoods, encoded
from judgebench.workers.final_answer import THINK_END, THINK_START, cut_at

_Step = tuple[float, list[tuple[int, float]]]
_PARALLEL = ("parallelize", "device_map", "tp_plan")
_WARPERS = ("temperature", "top_k", "top_p", "min_p")


class HuggingFace(Backend):
    """A model of transformers, with its adapter and tokenizer, on one device or several."""

    def __init__(
        self, model_args: Mapping[str, Any], batch_size: int | str, device: str | None
    ) -> None:
        import torch
        from lm_eval.models.huggingface import HFLM

        chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.lm = HFLM.create_from_arg_obj(
            dict(model_args), {"batch_size": batch_size, "device": chosen}
        )
        # It would win over the max_length that lm-eval passes, whatever the suite says.
        self.lm.model.generation_config.max_new_tokens = None
        self._model_args = model_args
        self._adaptive = str(batch_size).startswith("auto")
        self.batch = self.lm._detect_batch_size() if self._adaptive else int(batch_size)
        end = self.lm.think_end_token
        if isinstance(end, int):
            end = self.lm.tok_decode([end], skip_special_tokens=False)
        self.think_end = None if end is None else str(end)
        ends = self.lm.model.generation_config.eos_token_id
        self._ends = {self.lm.eot_token_id, *(ends if isinstance(ends, list) else [ends])}

    def stack(self) -> Runtime:
        model = self.lm.model
        device = str(self.lm.device)
        if self.lm.device.type == "cuda":
            import torch

            device = f"{device} {torch.cuda.get_device_name(self.lm.device)}"
        parallel = [
            f"{name}={self._model_args[name]}" for name in _PARALLEL if self._model_args.get(name)
        ]
        return Runtime(
            backend="hf",
            versions=versions("lm_eval", "transformers", "torch")
            | {"attention": str(getattr(model.config, "_attn_implementation", None))},
            dtype=str(model.dtype).removeprefix("torch."),
            batch_size=f"auto:{self.batch}" if self._adaptive else str(self.batch),
            parallelism=", ".join(parallel) or None,
            device=device,
        )

    def refusal(self, prompt: str, decoding: Decoding) -> str | None:
        return too_long(
            self.lm,
            prompt,
            decoding,
            most=sys.maxsize if self.lm.truncation else self._room(decoding),
            instead="set model_args: {truncation: true} to have the prompt of a task cut on the "
            "left",
        )

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generated]:
        import torch

        lm = self.lm
        sampling: Mapping[str, Any] = decoding.sampling
        tops: TopTokens | None = None
        if decoding.seeds or decoding.logprobs is not None:
            sampling, tops = pick(decoding)
        elif decoding.samples:
            torch.manual_seed(decoding.seed)
        elif decoding.weighed:
            own = lm.model.generation_config
            if int(sampling.get("num_beams") or own.num_beams or 1) == 1:
                sampling, tops = weigh(decoding, own.repetition_penalty)
        context, mask = self.tokens_of(prompts, decoding)
        context, mask = context.to(lm.device), mask.to(lm.device)
        causal = lm.backend == "causal"
        before = context.shape[1] if causal else 1  # a decoder of its own starts with one token
        end = lm.tok_decode([lm.eot_token_id], skip_special_tokens=False)
        out = lm._model_generate(
            context=context,
            attention_mask=mask,
            stop=[*decoding.stops, end],
            max_length=before + decoding.max_gen_toks,
            **sampling,
        )
        rows = out[:, before:].tolist()
        steps = [None] * len(rows) if tops is None else tops.of_rows(rows)
        return [
            self._read(tokens, decoding, steps_of_row, prompt_tokens=int(used))
            for tokens, steps_of_row, used in zip(
                rows, steps, mask.sum(dim=1).tolist(), strict=True
            )
        ]

    def tokens_of(self, prompts: Sequence[str], decoding: Decoding) -> tuple[Any, Any]:
        """What the model is given: ids and mask, of shape (prompts, longest), padded left."""
        lm, room = self.lm, self._room(decoding)
        if decoding.prompt_tokens is None:
            context, mask = lm.tok_batch_encode(
                list(prompts), left_truncate_len=room, truncation=lm.truncation
            )
            return context, mask
        import torch

        found = decoding.prompt_tokens.of(lm, prompts, max_gen_toks=decoding.max_gen_toks)
        rows = [row[-room:] for row in found]
        width, pad = max(map(len, rows)), lm.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        return ids, mask

    def likelihoods(self, asked: Sequence[tuple[str, Sequence[str]]]) -> list[Likelihoods]:
        pairs, prompt_tokens = [], []
        for prompt, candidates in asked:
            context, texts = encoded(self.lm, prompt, candidates)
            pairs += [(context, text) for text in texts]
            prompt_tokens.append(len(context))
        if self.lm.backend == "causal":
            found = causal_likelihoods(self.lm, pairs, self.batch)
        else:
            told = [(None, context, text) for context, text in pairs]
            found = [sum_ for sum_, _ in self.lm._loglikelihood_tokens(told, disable_tqdm=True)]
        values = iter(found)
        return [
            Likelihoods(values=tuple(next(values) for _ in candidates), prompt_tokens=tokens)
            for (_, candidates), tokens in zip(asked, prompt_tokens, strict=True)
        ]

    def _read(
        self,
        tokens: list[int],
        decoding: Decoding,
        steps: Sequence[_Step] | None,
        *,
        prompt_tokens: int,
    ) -> Generated:
        ended = next((n for n, token in enumerate(tokens) if token in self._ends), None)
        kept = tokens if ended is None else tokens[:ended]
        raw = self._text(kept, decoding)
        answer = cut_at(raw, decoding.stops)
        if answer != raw:  # rows that stop early go on until their batch is done
            raw, used, finish = answer, self._tokens_until_stop(kept, decoding), "stop"
        elif ended is not None:
            used, finish = ended + 1, "stop"
        else:
            used = len(kept)
            finish = "length" if used >= decoding.max_gen_toks else "stop"
        return Generated(
            raw=raw,
            finish_reason=finish,
            prompt_tokens=prompt_tokens,
            completion_tokens=used,
            logprob=(
                math.fsum(logprob for logprob, _ in steps[:used])
                if decoding.weighed and steps is not None
                else None
            ),
            tokens=(
                None
                if steps is None or decoding.logprobs is None
                else self._tokens(kept[:used], steps, decoding, raw)
            ),
        )

    def _tokens(
        self, tokens: list[int], steps: Sequence[_Step], decoding: Decoding, raw: str
    ) -> tuple[TokenLogprob, ...]:
        """The tokens of ``raw``, without those of the stop sequence that ended it."""
        while tokens and len(self._text(tokens, decoding)) > len(raw):
            tokens = tokens[:-1]
        return tuple(
            TokenLogprob(
                token=self._spelt(token),
                logprob=logprob,
                top=tuple((self._spelt(other), value) for other, value in top),
            )
            for token, (logprob, top) in zip(tokens, steps, strict=False)
        )

    def _spelt(self, token: int) -> str:
        return str(self.lm.tok_decode([token], skip_special_tokens=False))

    def _tokens_until_stop(self, tokens: list[int], decoding: Decoding) -> int:
        """How many tokens it took until the first stop sequence was complete."""

        def complete(n: int) -> bool:
            text = self._text(tokens[:n], decoding)
            return cut_at(text, decoding.stops) != text

        return bisect_left(range(1, len(tokens)), True, key=complete) + 1

    def _text(self, tokens: list[int], decoding: Decoding) -> str:
        """Special tokens are kept only where a stop or the end of reasoning is one."""
        told_apart_by = (*decoding.stops, THINK_START, self.think_end or THINK_END)
        keep = any(
            special in text
            for special in self.lm.tokenizer.all_special_tokens
            for text in told_apart_by
        )
        return str(self.lm.tok_decode(tokens, skip_special_tokens=not keep))

    def _room(self, decoding: Decoding) -> int:
        taken = decoding.max_gen_toks if self.lm.backend == "causal" else 0
        return int(self.lm.max_length) - taken


# How the next token is picked ---------------------------------------------------------------------
#
# Processors for transformers' ``generate``, which then only takes the largest. They keep a draw the
# same whatever else is in the batch, and keep the log-probabilities that the model itself gave.


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
