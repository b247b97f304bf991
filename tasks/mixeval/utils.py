"""What the YAML files beside this call: questions, prompts, and a free metric by hand."""

from functools import partial
from pathlib import Path
from typing import Any

from judgebench.benchmarks.task_folder import MixedQuestions
from judgebench.judges import lexical
from judgebench.records import Score

_TASK = MixedQuestions(Path(__file__).resolve().parent)

docs = _TASK.docs
load = _TASK.load
prompt_base = _TASK.prompt_base
prompt_chat = _TASK.prompt_chat
target = _TASK.target


def process_results(prompt: str, doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """What the rules say, so that plain lm-eval prints something to go by.

    An answer that names no option has no score by rule, and is counted.
    """
    answer = _TASK.judged_text_of(doc, results[0], prompt=prompt)
    verdict = lexical.by_rule(answer, doc["references"], doc["options"])
    if not isinstance(verdict, Score):
        return {"no_option": 1.0}
    return {"score_by_rule": verdict.value, "no_option": 0.0}


process_results_base = partial(process_results, "base")
process_results_chat = partial(process_results, "chat")
