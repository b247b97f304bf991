"""How prompts become tokens, where that is not lm-eval's way.

lm-eval adds the special tokens of a tokenizer, except to a text that begins with BOS already, and
cuts on the left or not at all. Some benchmarks' own code does otherwise, and published numbers are
of what it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTokens:
    """The rule of a benchmark's preset.

    ``special_tokens`` are added ``once``, as lm-eval does, or ``always``: a text that begins with
    BOS then has it twice. Prompt and answer are at most ``max_length`` tokens together, and never
    more than the model takes: the prompt is cut to the rest on its ``truncation_side``. Without
    ``max_length`` nothing is cut.
    """

    special_tokens: Literal["once", "always"] = "once"
    max_length: int | None = None
    truncation_side: Literal["left", "right"] = "left"

    def of(self, lm: Any, prompts: Sequence[str], *, max_gen_toks: int) -> list[list[int]]:
        """Ids of each prompt, not padded.

        Parameters
        ----------
        lm
            lm-eval's object, for its tokenizer and what its model takes.
        max_gen_toks
            Room that is left for the answer, in tokens.
        """
        if self.special_tokens == "always":
            encoded = [lm.tokenizer(text, add_special_tokens=True)["input_ids"] for text in prompts]
        else:
            encoded = [list(lm.tok_encode(text)) for text in prompts]
        if self.max_length is None:
            return encoded
        room = max(0, min(self.max_length, int(lm.max_length)) - max_gen_toks)
        right = self.truncation_side == "right"
        return [
            tokens[:room] if right else tokens[max(0, len(tokens) - room) :] for tokens in encoded
        ]

    def length(self, lm: Any, prompt: str, *, max_gen_toks: int) -> int:
        """How many tokens a prompt is; 0 where the answer leaves no room for one."""
        return len(self.of(lm, [prompt], max_gen_toks=max_gen_toks)[0])


def padded(lm: Any, rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    """Ids and mask as tensors of shape (rows, longest), padded on the left."""
    import torch

    width = max(map(len, rows))
    pad = lm.tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask
