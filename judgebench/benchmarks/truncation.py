"""Where an answer ends. Base models go on to invent the next question; judges must not see that."""

from __future__ import annotations

import re
import string
from collections.abc import Callable

from judgebench.errors import ConfigError, unknown_name

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_DROP_PUNCTUATION = str.maketrans("", "", string.punctuation)


def _cut_at(mark: str) -> Callable[[str], str]:
    return lambda text: text.partition(mark)[0].strip()


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()


def _lm_eval(text: str) -> str:
    """As lm-eval's TriviaQA: up to a newline, full stop or comma; bare lower-case words of it."""
    first = re.split(r"[\n.,]", text.strip(), maxsplit=1)[0].lower()
    return " ".join(_ARTICLES.sub(" ", first.translate(_DROP_PUNCTUATION)).split())


MODES: dict[str, Callable[[str], str]] = {
    "at_next_question": _cut_at("\nQ:"),
    "at_question_word": _cut_at("\nQuestion:"),
    "first_line": _first_line,
    "lm_eval": _lm_eval,
    "none": lambda text: text,
}


def truncate(text: str, mode: str) -> str:
    """The part of an answer that is judged.

    Raises
    ------
    ConfigError
        For a mode that does not exist.
    """
    if mode not in MODES:
        raise ConfigError(unknown_name("truncation", mode, MODES))
    return MODES[mode](text)
