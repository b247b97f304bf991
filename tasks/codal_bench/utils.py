"""What the YAML files beside this call: the problems, and how each is asked."""

from pathlib import Path
from typing import Any

from judgebench.benchmarks.task_folder import OpenQuestions
from judgebench.errors import ConfigError


class _Problems(OpenQuestions):
    def prompt_principle(self, doc: dict[str, Any]) -> str:
        """The sentence on the preference, and the problem."""
        principle = doc["metadata"].get("principle")
        if principle is None:
            raise ConfigError(
                f"{self.description.name}: no sentence on {doc['category']!r} is here, which "
                "upstream puts before a problem; give its principles.py to `judgebench data import`"
            )
        return f"{principle}\n\n{doc['question']}"


_TASK = _Problems(Path(__file__).resolve().parent)

docs = _TASK.docs
load = _TASK.load
prompt_chat = _TASK.prompt_chat
prompt_principle = _TASK.prompt_principle
target = _TASK.target
process_results = _TASK.process_results
