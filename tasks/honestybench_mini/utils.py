"""What the YAML file beside this calls: questions, prompt, and two free metrics by hand."""

from pathlib import Path
from typing import Any

from judgebench.benchmarks.task_folder import SetQuestions
from judgebench.judges import lexical

_TASK = SetQuestions(
    Path(__file__).resolve().parent, domains={"primer": "in-domain", "margins": "ood"}
)

docs = _TASK.docs
load = _TASK.load
prompt_chat = _TASK.prompt_chat
target = _TASK.target


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """Both lexical judges, so that plain lm-eval prints something to go by."""
    answer = _TASK.judged_text(results)
    return {
        "exact_match": float(lexical.exact_match(answer, doc["references"])),
        "contains": float(lexical.contains(answer, doc["references"])),
    }
