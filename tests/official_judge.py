"""A judge on loopback for MixEval, AlignBench and HonestyBench, official prompts or ours.

It replies in the form that each prompt asks for, and what it says follows from the question alone:
a stand-in for a model, which knows nothing about right and wrong.
"""

from __future__ import annotations

import hashlib
import re

from tests.loopback import Ask, Reaction, completion

_CODE = re.compile(r"\{'编号': '([0-9a-f]{6})'")


def verdict_in_form(question: str) -> str:
    """A verdict in the words that the question wants."""
    digit = int(hashlib.sha256(question.encode("utf-8", "surrogatepass")).hexdigest()[:8], 16)
    if "综合得分" in question:
        code = _CODE.search(question)
        known = f"'编号': '{code[1]}', " if code else ""
        return f"评语。\n{{{known}'综合得分': {1 + digit % 10}}}"
    grade, letter = f"{digit % 11 / 10:.1f}", "AB"[digit % 2]
    if "Your Judgment" in question:
        stated = grade if "Golden Answer(s)" in question else letter
        return f"So it is: [[{stated}]]."
    asked_line = question.rstrip().rsplit("\n", 1)[-1]
    if re.fullmatch("(score|option) [0-9a-f]{6}:", asked_line):
        return f"{asked_line} {grade if asked_line.startswith('score') else letter}"
    return "certain" if digit % 2 else "uncertain"


def judged(ask: Ask, *, delay_s: float = 0.0) -> Reaction:
    """The verdict, from a served model that names the question: a kept reply can be traced."""
    said = Reaction(text=verdict_in_form(ask.text))
    return Reaction(payload=completion(ask, said) | {"model": f"asked-{ask.sha}"}, delay_s=delay_s)
