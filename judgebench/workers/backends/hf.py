"""Transformers models through lm-eval's ``hf``, keeping what its ``generate_until`` drops.

lm-eval loads the model, applies templates and stop sequences and runs the batch; here the tokens
that come out are read, for the finish reason, the counts and the reasoning.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from judgebench.records import Runtime, TokenLogprob
from judgebench.workers.backends import Decoding, Generated, Likelihoods, too_long
from judgebench.workers.backends.likelihood import causal_likelihoods, encoded
from judgebench.workers.backends.sampling import TopTokens, pick, weigh
from judgebench.workers.final_answer import THINK_END, THINK_START, cut_at

_Step = tuple[float, list[tuple[int, float]]]


def _sum(steps: Sequence[_Step] | None, used: int) -> float | None:
    return None if steps is None else math.fsum(logprob for logprob, _ in steps[:used])


class HuggingFace:
    """A model of transformers, with its adapter and tokenizer, on one device or several."""

    def __init__(
        self, model_args: Mapping[str, Any], batch_size: int | str, device: str | None
    ) -> None:
        import torch
        from lm_eval.models.huggingface import HFLM

        chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.lm: Any = HFLM.create_from_arg_obj(
            dict(model_args), {"batch_size": batch_size, "device": chosen}
        )
        # It would win over the max_length that lm-eval passes, whatever the suite says.
        self.lm.model.generation_config.max_new_tokens = None
        self._model_args = model_args
        self._adaptive = str(batch_size).startswith("auto")
        self.batch: int = self.lm._detect_batch_size() if self._adaptive else int(batch_size)
        self.think_end = self._think_end()
        ends = self.lm.model.generation_config.eos_token_id
        self._ends = {self.lm.eot_token_id, *(ends if isinstance(ends, list) else [ends])}

    @property
    def deaf_to(self) -> frozenset[str]:
        return frozenset()

    def stack(self) -> Runtime:
        model = self.lm.model
        device = str(self.lm.device)
        if self.lm.device.type == "cuda":
            import torch

            device = f"{device} {torch.cuda.get_device_name(self.lm.device)}"
        names = ("lm_eval", "transformers", "torch")
        return Runtime(
            backend="hf",
            versions={name.replace("_", "-"): version(name) for name in names}
            | {"attention": str(getattr(model.config, "_attn_implementation", None))},
            dtype=str(model.dtype).removeprefix("torch."),
            batch_size=f"auto:{self.batch}" if self._adaptive else str(self.batch),
            parallelism=self._parallelism(),
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
        elif decoding.weighed and self._beams(decoding) == 1:
            sampling, tops = weigh(decoding, lm.model.generation_config.repetition_penalty)
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
            logprob=_sum(steps, used) if decoding.weighed else None,
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
                token=self._name(token),
                logprob=logprob,
                top=tuple((self._name(other), value) for other, value in top),
            )
            for token, (logprob, top) in zip(tokens, steps, strict=False)
        )

    def _name(self, token: int) -> str:
        return str(self.lm.tok_decode([token], skip_special_tokens=False))

    def _tokens_until_stop(self, tokens: list[int], decoding: Decoding) -> int:
        """How many tokens it took until the first stop sequence was complete."""
        low, high = 1, len(tokens)
        while low < high:
            middle = (low + high) // 2
            text = self._text(tokens[:middle], decoding)
            if cut_at(text, decoding.stops) != text:
                high = middle
            else:
                low = middle + 1
        return low

    def _text(self, tokens: list[int], decoding: Decoding) -> str:
        """Special tokens are kept only where a stop or the end of reasoning is one."""
        told_apart_by = (*decoding.stops, THINK_START, self.think_end or THINK_END)
        keep = any(
            special in text
            for special in self.lm.tokenizer.all_special_tokens
            for text in told_apart_by
        )
        return str(self.lm.tok_decode(tokens, skip_special_tokens=not keep))

    def _think_end(self) -> str | None:
        token = self.lm.think_end_token
        if isinstance(token, int):
            return str(self.lm.tok_decode([token], skip_special_tokens=False))
        return None if token is None else str(token)

    def _beams(self, decoding: Decoding) -> int:
        own = self.lm.model.generation_config.num_beams
        return int(decoding.sampling.get("num_beams") or own or 1)

    def _room(self, decoding: Decoding) -> int:
        taken = decoding.max_gen_toks if self.lm.backend == "causal" else 0
        return int(self.lm.max_length) - taken

    def _parallelism(self) -> str | None:
        named = ("parallelize", "device_map", "tp_plan")
        used = [f"{name}={self._model_args[name]}" for name in named if self._model_args.get(name)]
        return ", ".join(used) or None
