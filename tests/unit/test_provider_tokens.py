"""How many tokens a text is, and by which method that was found out."""

from __future__ import annotations

import base64
import hashlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import tokenizers

from judgebench.providers import tokens
from judgebench.providers.tokens import ESTIMATE, counter_for
from judgebench.records import ChatRequest, Message, ScoreRequest
from tests.table import over_rows

ENGLISH = (
    "The museum opens at nine in the morning, except on Mondays, when it stays closed. Visitors "
    "who come before noon can join a free tour of the older rooms; children under twelve need no "
    "ticket. Please leave umbrellas and large bags at the entrance, where somebody looks after "
    "them until you go. Photographs are welcome, but without flash, since the light slowly "
    "bleaches the paper of the drawings."
)
PYTHON = '''def mean_of(numbers: list[float], *, default: float = 0.0) -> float:
    """The arithmetic mean; ``default`` where there are no numbers."""
    total = 0.0
    for i, number in enumerate(numbers, start=1):
        total += number
        if not math.isfinite(total):
            raise ValueError(f"number {i} of {len(numbers)} is {number!r}")
    return total / len(numbers) if numbers else default
'''
CHINESE = (
    "请比较下面两个回答，并说明哪一个更准确、更有帮助。第一个回答引用了三份资料，但没有给出年份；"
    "第二个回答比较简短，却直接回答了用户的问题。评分时不要考虑回答的长度，也不要受先后顺序的影响。"
    "最后用一句话给出你的结论。"
)
JSON = (
    '{"winner": "second", "scores": {"accuracy": 8, "style": 6.5}, "reasons": ["cites 2 sources", '
    '"gives the year 1987"], "id": "a3f9c1d27b40"}'
)

#: Counted by tiktoken 0.14.0: o200k_base, cl100k_base.
COUNTED = {ENGLISH: (80, 81), PYTHON: (104, 102), CHINESE: (69, 117), JSON: (58, 58)}


@over_rows("text", [ENGLISH, PYTHON, JSON])
def test_the_estimate_is_near_what_tokenizers_count(text: str) -> None:
    for counted in COUNTED[text]:
        assert ESTIMATE.count(text) == pytest.approx(counted, rel=0.1)


def test_the_estimate_of_chinese_is_that_of_the_older_encoding() -> None:
    newer, older = COUNTED[CHINESE]
    assert newer < ESTIMATE.count(CHINESE) == pytest.approx(older, rel=0.1)


@over_rows("text", list(COUNTED))
def test_no_count_is_above_the_margin_of_the_estimate(text: str) -> None:
    assert max(COUNTED[text]) <= ESTIMATE.count(text) * (1 + ESTIMATE.margin)


def test_noise_is_not_taken_for_a_few_long_words() -> None:
    draw = random.Random(1)
    noise = base64.b64encode(draw.randbytes(1500)).decode()  # about 1 400 tokens
    letters = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=2000))  # about 1 050
    assert ESTIMATE.count(noise) > 1400 / 1.5
    assert ESTIMATE.count(letters) > 1050 / 1.5


@over_rows("text", ["", "a", "\ud800", "😀" * 3, "\n" * 5, " " * 9])
def test_any_text_can_be_counted(text: str) -> None:
    assert 0 <= ESTIMATE.count(text) <= 4 * len(text)


def test_a_question_is_counted_with_what_stands_around_its_messages() -> None:
    bare = ChatRequest(provider="p", model="m", messages=(Message(role="user", content=ENGLISH),))
    two = ChatRequest(
        provider="p",
        model="m",
        messages=(Message(role="system", content=CHINESE), *bare.messages),
        response_format={"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
    )
    counter = ESTIMATE
    assert tokens.prompt_tokens(bare, counter) == counter.count(ENGLISH) + 7
    more = tokens.prompt_tokens(two, counter) - tokens.prompt_tokens(bare, counter)
    assert counter.count(CHINESE) + 4 + 20 < more < counter.count(CHINESE) + 4 + 60


def test_the_candidates_of_a_score_are_read_too() -> None:
    request = ScoreRequest(
        provider="p", model="m", messages=(), candidates=("correct", "incorrect")
    )
    assert tokens.prompt_tokens(request, ESTIMATE) > 3


# Methods ----------------------------------------------------------------------------------------


class Encoding:
    """One token a word."""

    def __init__(self, name: str) -> None:
        self.name = name

    def encode_ordinary(self, text: str) -> list[int]:
        return list(range(len(text.split())))


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """A tiktoken that notes what it is asked for, with a cache of its own."""
    names: list[str] = []

    def get_encoding(name: str) -> Encoding:
        names.append(name)
        return Encoding(name)

    monkeypatch.setitem(sys.modules, "tiktoken", SimpleNamespace(get_encoding=get_encoding))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("DATA_GYM_CACHE_DIR", raising=False)
    monkeypatch.setattr(
        tokens, "_SHA256", dict.fromkeys(tokens._SHA256, hashlib.sha256(b"ranks").hexdigest())
    )
    tokens._tiktoken_encoding.cache_clear()
    yield names
    tokens._tiktoken_encoding.cache_clear()


#: The name under which tiktoken keeps the file of o200k_base.
O200K = "fb374d419588a4632f3f557e76b4b70aebbca790"


@pytest.mark.parametrize("content", [None, b"ran", b""])
def test_an_encoding_that_would_be_fetched_is_not_used(
    fetched: list[str], tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / O200K).write_bytes(content)
    assert counter_for("openai", "gpt-4o").method == ESTIMATE.method
    assert fetched == []


def test_an_encoding_that_is_there_is_used(fetched: list[str], tmp_path: Path) -> None:
    (tmp_path / O200K).write_bytes(b"ranks")
    counter = counter_for("openai", "gpt-4o-2024-08-06")
    assert counter.method.startswith("tiktoken")
    assert (counter.method, counter.count("three small words")) == ("tiktoken o200k_base", 3)
    assert counter_for("anthropic", "claude-haiku-4-5").method == ESTIMATE.method


def test_a_cache_that_is_switched_off_holds_nothing(
    fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    assert counter_for("openai", "gpt-4o").method == ESTIMATE.method
    assert fetched == []


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4-1106-preview", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-4.1-nano", "o200k_base"),
        ("o3", "o200k_base"),
        ("gpt-6-sol", "o200k_base"),
    ],
)
def test_which_encoding_a_model_has(
    fetched: list[str], monkeypatch: pytest.MonkeyPatch, model: str, encoding: str
) -> None:
    monkeypatch.setattr(tokens, "_is_cached", lambda name: True)
    assert counter_for("openai", model).method == f"tiktoken {encoding}"


def test_a_models_own_tokenizer_counts_for_it(tmp_path: Path) -> None:
    model = tokenizers.models.WordLevel({"a": 0, "small": 1, "model": 2, "?": 3}, unk_token="?")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    folder = tmp_path / "checkpoint-12"
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    counter = counter_for("local", "m", tokenizer_file=folder / "tokenizer.json")
    assert counter.method.startswith("tokenizer.json")
    assert counter.count("a small model of something") == 5
    assert counter.method == "tokenizer.json of checkpoint-12"


def test_without_a_tokenizer_file_it_is_an_estimate(tmp_path: Path) -> None:
    counter = counter_for("local", "m", tokenizer_file=tmp_path / "tokenizer.json")
    assert counter.method == ESTIMATE.method
