"""How likely a model is to begin its answer with a given text: no sampling, one forward pass.

Texts of one token need the prompt alone: all of them are read off the distribution of its next
token. Longer ones are read with the prompt, once for each beginning that they do not share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def encoded(lm: Any, prompt: str, candidates: Sequence[str]) -> tuple[list[int], list[list[int]]]:
    """Tokens of the prompt, as generation reads them, and those of each text after it.

    lm-eval's own splitting moves white space from the end of the prompt to the text, so that the
    line break which ends most chat prompts would be scored as well, and a verdict of one token
    become one of two.
    """
    context = list(lm.tok_encode(prompt))
    return context, [_after(lm, prompt, context, candidate) for candidate in candidates]


def _after(lm: Any, prompt: str, context: list[int], candidate: str) -> list[int]:
    whole = list(lm.tok_encode(prompt + candidate))
    if whole[: len(context)] == context:
        return whole[len(context) :]
    # Both would share a token. The model has read the prompt's own, and goes on from there.
    return list(lm.tok_encode(candidate, add_special_tokens=False))


def causal_likelihoods(
    lm: Any, pairs: Sequence[tuple[list[int], list[int]]], batch: int
) -> list[float]:
    """Sum of the log-probabilities (nats) of each text's tokens after its context.

    Parameters
    ----------
    lm
        lm-eval's ``hf`` object, of a decoder-only model.
    pairs
        Tokens of the context and of the text; neither is empty.
    batch
        How many rows are read at once. Padding stands on the right, where it changes nothing.
    """
    # What is read at once, by who needs it: numbers of pairs, and where in it each context ends.
    rows: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for number, (context, text) in enumerate(pairs):
        rows.setdefault((*context, *text[:-1]), []).append((number, len(context)))
    found = [0.0] * len(pairs)
    by_length = sorted(rows, key=lambda row: -len(row))
    for start in range(0, len(by_length), batch):
        chunk = by_length[start : start + batch]
        first = min(end for row in chunk for _, end in rows[row]) - 1
        for row, of_row in zip(chunk, _logits(lm, chunk, first), strict=True):
            logprobs = of_row[: len(row) - first].float().log_softmax(dim=-1)
            for number, end in rows[row]:
                text = pairs[number][1]
                at = range(end - 1 - first, end - 1 - first + len(text))
                found[number] = float(logprobs[list(at), text].sum())
    return found


def _logits(lm: Any, rows: Sequence[tuple[int, ...]], first: int) -> Any:
    """Logits of each row from the position ``first`` on; shape (rows, positions, vocabulary).

    Only these are computed where the model can: for all positions of a long prompt they would take
    gigabytes.
    """
    import torch

    width = max(map(len, rows))
    pad = lm.tokenizer.pad_token_id or 0
    ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    frugal = getattr(lm.model, "_supports_logits_to_keep", lambda: False)()
    few = {"logits_to_keep": width - first} if frugal else {}
    with (
        torch.inference_mode(),
        torch.autocast(
            device_type=lm.device.type,
            dtype=lm.mixed_precision_dtype,
            enabled=lm.mixed_precision_dtype is not None,
        ),
    ):
        logits = lm.model(
            input_ids=ids.to(lm.device), attention_mask=mask.to(lm.device), use_cache=False, **few
        ).logits
    return logits[:, first - width :]
