"""The prompts of an lm-eval task, exactly as lm-eval would send them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from judgebench.errors import ConfigError, unknown_name

_UNKNOWN_FIELD = re.compile(r"unexpected keyword argument '(\w+)'")
_FEWSHOT_SEED = 1234  # of lm-eval's command line


def load_task(name: str, include_path: Sequence[str], metadata: Mapping[str, Any]) -> Any:
    """A task by lm-eval, its few-shot examples drawn as lm-eval itself draws them.

    lm-eval's own tasks are not scanned: that takes seconds, and no name can collide.

    Raises
    ------
    ConfigError
        For a name that is not there, a file that another version of lm-eval wrote, and a task whose
        answers are no texts.
    """
    from lm_eval.tasks import TaskManager

    manager = TaskManager(
        include_path=list(include_path), include_defaults=False, metadata=dict(metadata)
    )
    if name not in manager.all_subtasks:
        known = ", ".join(manager.all_subtasks) or "none"
        raise ConfigError(f"no lm-eval task called {name!r} below {include_path}. Known: {known}")
    try:
        task: Any = manager.load([name])["tasks"][name]
    except TypeError as error:
        if (unknown := _UNKNOWN_FIELD.search(str(error))) is None:
            raise
        raise ConfigError(
            f"task {name} below {', '.join(include_path)}: the installed lm-eval "
            f"({version('lm_eval')}) knows no field {unknown[1]!r} of a task: its file is of "
            "another version"
        ) from None
    if task.OUTPUT_TYPE != "generate_until":
        raise ConfigError(
            f"task {name}: answers are judged, so output_type has to be generate_until, "
            f"not {task.OUTPUT_TYPE}"
        )
    task.set_fewshot_seed(_FEWSHOT_SEED)
    return task


def doc_ids(docs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The documents' own ids where all have one; else their numbers, from 0.

    Raises
    ------
    ConfigError
        Naming ids that several documents share.
    """
    if not all("id" in doc for doc in docs):
        return [str(n) for n in range(len(docs))]
    ids = [str(doc["id"]) for doc in docs]
    if twice := sorted(id_ for id_, count in Counter(ids).items() if count > 1):
        raise ConfigError(f"two documents share an id: {', '.join(twice)}")
    return ids


class TaskPrompts:
    """A task, loaded by lm-eval, and what it asks."""

    def __init__(self, name: str, include_path: Sequence[str], metadata: Mapping[str, Any]) -> None:
        self.name = name
        self._task = load_task(name, include_path, metadata)

    def build(
        self,
        ids: Collection[str],
        *,
        lm: Any,
        apply_chat_template: bool,
        system_instruction: str | None,
        fewshot_as_multiturn: bool,
    ) -> dict[str, Any]:
        """Item id -> prompt. Text, except where a backend's template makes something else.

        Ids for which the task has no document are absent.
        """
        try:
            known = doc_ids(self._task.eval_docs)
        except ConfigError as error:
            raise ConfigError(f"task {self.name}: {error}") from None
        wanted = {n for n, id_ in enumerate(known) if id_ in ids}
        if not wanted:
            return {}
        if self._task.config.num_fewshot:  # which examples are drawn depends on who drew before
            wanted = set(range(max(wanted) + 1))
        self._task.build_all_requests(
            samples=wanted,  # lm-eval asks 'is it in': a list would make this quadratic
            system_instruction=system_instruction,
            apply_chat_template=apply_chat_template,
            fewshot_as_multiturn=fewshot_as_multiturn,
            chat_template=lm.apply_chat_template if apply_chat_template else None,
            tokenizer_name=lm.tokenizer_name if apply_chat_template else "",
        )
        asked = {known[inst.doc_id]: inst.args[0] for inst in self._task.instances}
        return {id_: prompt for id_, prompt in asked.items() if id_ in ids}


def choose_template(lm: Any, name: str) -> None:
    """Make a named chat template the one that is applied.

    lm-eval itself only logs the name, and goes on with the default.

    Raises
    ------
    ConfigError
        For a name that the tokenizer does not have.
    """
    templates = getattr(getattr(lm, "tokenizer", None), "chat_template", None)
    if not isinstance(templates, dict) or name not in templates:
        known = sorted(templates) if isinstance(templates, dict) else []
        raise ConfigError(
            unknown_name("chat template", name, known)
            + "; apply_chat_template: true takes the model's only one"
        )
    lm.tokenizer.chat_template = templates[name]
    if hasattr(lm, "hf_chat_template"):  # vllm passes its own choice along
        lm.hf_chat_template = templates[name]


def prompt_text(prompt: Any) -> str:
    """A prompt as text; chat backends wrap theirs in a named tuple."""
    return prompt if isinstance(prompt, str) else str(getattr(prompt, "prompt", prompt))
