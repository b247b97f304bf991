"""Where an answer ends. Base models go on to invent the next question; judges must not see that."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from judgebench.benchmarks.mixeval_base_replies import judged_part
from judgebench.errors import ConfigError, unknown_name

Cut: TypeAlias = Callable[[str], str]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_DROP_PUNCTUATION = str.maketrans("", "", string.punctuation)


def _cut_at(mark: str) -> Cut:
    return lambda text: text.partition(mark)[0].strip()


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()


def _lm_eval(text: str) -> str:
    """As lm-eval's TriviaQA: up to a newline, full stop or comma; bare lower-case words of it."""
    first = re.split(r"[\n.,]", text.strip(), maxsplit=1)[0].lower()
    return " ".join(_ARTICLES.sub(" ", first.translate(_DROP_PUNCTUATION)).split())


MODES: dict[str, Cut] = {
    "at_next_example": partial(judged_part, split="free-form"),
    "at_next_question": _cut_at("\nQ:"),
    "at_question_word": _cut_at("\nQuestion:"),
    "first_line": _first_line,
    "lm_eval": _lm_eval,
    "none": lambda text: text,
}

_OF_CHOICES: dict[str, Cut] = {"at_next_example": partial(judged_part, split="multiple-choice")}
"""Where an answer ends that chooses among options, if that is elsewhere."""


def truncate(text: str, mode: str, *, chooses: bool = False) -> str:
    """The part of an answer that is judged; ``chooses`` if the question has options.

    Raises
    ------
    ConfigError
        For a mode that does not exist.
    """
    if mode not in MODES:
        raise ConfigError(unknown_name("truncation", mode, MODES))
    cut = _OF_CHOICES.get(mode, MODES[mode]) if chooses else MODES[mode]
    return cut(text)
