"""From what a model generated to its final answer: reasoning apart, and a status that is honest.

Judges, lengths and detectors see the final text only, so whatever is taken for it here decides a
verdict. Reasoning that never closes is no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from judgebench.records import FINISHED, ResponseStatus
from judgebench.workers.backends import Generated
from judgebench.workers.prompts import without_fences

THINK_START = "<think>"
THINK_END = "</think>"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalAnswer:
    """The answer as it is judged, what was thought before it, and how it ended."""

    text: str
    reasoning: str | None
    status: ResponseStatus


def read_answer(
    generated: Generated,
    *,
    prompt: str,
    think_end: str | None = None,
    stops: Sequence[str] = (),
    fenced: bool = False,
) -> FinalAnswer:
    """Split off the reasoning, cut the answer at the first stop, say how it ended.

    Parameters
    ----------
    prompt
        The prompt as sent; a chat template may have opened the reasoning in it.
    think_end
        What ends the reasoning where the model is known to reason; ``</think>`` if None.
    stops
        Stop sequences that the backend was not given, because they may occur in the reasoning.
    fenced
        Whether the answer stands in the fence that its prompt has opened (`below_prefix`).
    """
    reasoning, text, open_ = _split(generated, prompt, think_end)
    text = cut_at(text, stops).strip()
    text = without_fences(text) if fenced else text
    if open_:
        return FinalAnswer(text="", reasoning=reasoning, status="no_final_answer")
    if not text:
        return FinalAnswer(text="", reasoning=reasoning, status="empty")
    return FinalAnswer(text=text, reasoning=reasoning, status=_status(generated.finish_reason))


def _status(finish_reason: str | None) -> ResponseStatus:
    """None where nobody was to say how an answer ended, as in files."""
    if finish_reason == "length":
        return "truncated"
    return "ok" if finish_reason is None or finish_reason in FINISHED else "end_unknown"


def cut_at(text: str, stops: Sequence[str]) -> str:
    """The text before the first occurrence of any stop sequence."""
    return text[
        : min((at for stop in stops if stop and (at := text.find(stop)) >= 0), default=None)
    ]


def _split(
    generated: Generated, prompt: str, think_end: str | None
) -> tuple[str | None, str, bool]:
    """Reasoning, the rest, and whether the reasoning is still open at the end."""
    end = think_end or THINK_END
    before, closed, after = generated.raw.rpartition(end)
    if closed:  # a model may think several times: what follows the last end is the answer
        reopened = after.lstrip().startswith(THINK_START)
        reasoning = generated.raw if reopened else before
        return _without_start(reasoning), after, reopened
    opened = prompt.rstrip().endswith(THINK_START) or after.lstrip().startswith(THINK_START)
    # A model that is known to reason and was cut off before the end never came to its answer;
    # one that ended by itself answered without thinking aloud.
    if opened or (think_end is not None and generated.finish_reason == "length"):
        return _without_start(generated.raw), "", True
    return None, after, False


def _without_start(reasoning: str) -> str:
    return reasoning.strip().removeprefix(THINK_START).strip()
