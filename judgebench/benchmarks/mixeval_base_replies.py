"""Which part of a base model's reply MixEval judges: such a model goes on to invent more questions.

What is left has to say something: a reply that begins with the next question is judged whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from judgebench.benchmarks.mixeval_prompts import Split

_ENDS: Mapping[Split, str] = {"free-form": "\n\n\nQuestion", "multiple-choice": "\n\n"}

#: Digits and the letters that upstream knows: Latin, Greek, Cyrillic, Glagolitic, Hangul and Han.
_SAYS_SOMETHING = re.compile(
    "[0-9A-Za-z\u00c0-\u024f\u0370-\u052f\u2c00-\u2c5f\ua640-\ua69f\uac00-\ud7af\u4e00-\u9fff]"
)


def judged_part(reply: str, *, split: Split) -> str:
    """The reply up to the next question of its split's examples."""
    part = reply.partition(_ENDS[split])[0]
    return part if _SAYS_SOMETHING.search(part) else reply
