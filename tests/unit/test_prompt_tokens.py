"""How prompts become tokens by a preset's rule, in the backends that can be told."""

from __future__ import annotations

from typing import Any

from judgebench.workers.backends import Decoding, PromptTokens
from judgebench.workers.backends.vllm import Vllm
from tests.table import over_rows

BOS = 1


class Tokenizer:
    """A token a letter, and BOS where special tokens are added."""

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        letters = [BOS if letter == "^" else ord(letter) for letter in text]
        return {"input_ids": [BOS, *letters] if add_special_tokens else letters}


class Lm:
    """lm-eval's object: it adds BOS to a text that does not begin with it."""

    max_length = 10
    tokenizer = Tokenizer()

    def tok_encode(self, text: str | list[str]) -> Any:
        if isinstance(text, list):
            return [self.tok_encode(one) for one in text]
        return self.tokenizer(text, add_special_tokens=not text.startswith("^"))["input_ids"]


def ids(text: str) -> list[int]:
    return [BOS if letter == "^" else ord(letter) for letter in text]


@over_rows(
    ("rule", "text", "expected"),
    [
        ({}, "^ab", "^ab"),
        ({}, "ab", "^ab"),
        ({"special_tokens": "always"}, "^ab", "^^ab"),
        ({"special_tokens": "always"}, "ab", "^ab"),
        ({"special_tokens": "always"}, "abcdefghijkl", "^abcdefghijkl"),  # nothing says to cut
        ({"max_length": 6, "truncation_side": "right"}, "abcdef", "^abc"),
        ({"max_length": 6}, "abcdef", "cdef"),
        ({"max_length": 60, "truncation_side": "right"}, "abcdefghijkl", "^abcdefg"),
        ({"max_length": 60}, "^", "^"),
        ({"max_length": 2}, "abc", ""),
    ],
)
def test_a_rule(rule: dict[str, Any], text: str, expected: str) -> None:
    tokens = PromptTokens(**rule)
    assert tokens.of(Lm(), [text], max_gen_toks=2) == [ids(expected)]


def test_vllm_is_given_the_same() -> None:
    backend = Vllm.__new__(Vllm)  # without an engine, which needs a GPU
    backend.lm = Lm()
    plain = Decoding(stops=(), max_gen_toks=2, sampling={})
    rule = PromptTokens(special_tokens="always", max_length=10, truncation_side="right")
    told = Decoding(stops=(), max_gen_toks=2, sampling={}, prompt_tokens=rule)
    assert backend.tokens_of(["^ab", "ab"], plain) == [ids("^ab"), ids("^ab")]
    assert backend.tokens_of(["^ab", "ab"], told) == [ids("^^ab"), ids("^ab")]
    assert "the prompt has 13 tokens" in str(backend.refusal("abcdefghijkl", plain))
    assert backend.refusal("abcdefghijkl", told) is None
    none_left = Decoding(stops=(), max_gen_toks=10, sampling={}, prompt_tokens=rule)
    assert "leave none for the prompt" in str(backend.refusal("ab", none_left))
