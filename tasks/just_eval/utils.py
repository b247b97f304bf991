"""What the YAML file beside this calls: the questions, and how each is asked."""

from pathlib import Path

from judgebench.benchmarks.task_folder import OpenQuestions

_TASK = OpenQuestions(Path(__file__).resolve().parent)

docs = _TASK.docs
load = _TASK.load
prompt_chat = _TASK.prompt_chat
target = _TASK.target
process_results = _TASK.process_results
