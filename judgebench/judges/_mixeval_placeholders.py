"""What fills the placeholders of MixEval's official judge prompts, in the form their authors chose.

Both judges see the question without its context. The answer is filled in as it is: these prompts
put no frame around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from judgebench.template import lettered


def free_form_placeholders(
    question: str, references: Sequence[str], answer: str
) -> Mapping[str, str]:
    """For the judge that grades an answer against the accepted ones, all of them numbered."""
    numbered = (f"<answer {number}> {text}" for number, text in enumerate(references, 1))
    return {"prompt": question, "gold_ans": "; ".join(numbered), "response": answer}


def multiple_choice_placeholders(
    question: str, options: Sequence[str], answer: str
) -> Mapping[str, str]:
    """For the judge that says which option an answer chooses."""
    return {"prompt": question, "options": lettered(options), "response": answer}
