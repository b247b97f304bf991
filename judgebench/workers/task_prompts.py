"""The prompts of an lm-eval task, exactly as lm-eval would send them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from judgebench.errors import ConfigError, unknown_name


class TaskPrompts:
    """A task of ours, loaded by lm-eval; documents are known by their ``id``.

    lm-eval's own tasks are not scanned: that takes seconds, and no name can collide.
    """

    def __init__(self, name: str, include_path: Sequence[str], metadata: Mapping[str, Any]) -> None:
        from lm_eval.tasks import TaskManager

        manager = TaskManager(
            include_path=list(include_path), include_defaults=False, metadata=dict(metadata)
        )
        if name not in manager.all_subtasks:
            known = ", ".join(manager.all_subtasks) or "none"
            raise ConfigError(
                f"no lm-eval task called {name!r} below {include_path}. Known: {known}"
            )
        self.name = name
        self._task: Any = manager.load([name])["tasks"][name]
        if self._task.OUTPUT_TYPE != "generate_until":
            raise ConfigError(
                f"task {name}: answers are judged, so output_type has to be generate_until, "
                f"not {self._task.OUTPUT_TYPE}"
            )

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
        docs = [str(doc["id"]) for doc in self._task.eval_docs]
        twice = sorted(id_ for id_, count in Counter(docs).items() if count > 1)
        if twice:
            raise ConfigError(f"task {self.name}: two documents share an id: {', '.join(twice)}")
        wanted = {n for n, id_ in enumerate(docs) if id_ in ids}
        if not wanted:
            return {}
        self._task.build_all_requests(
            samples=wanted,  # lm-eval asks 'is it in': a list would make this quadratic
            system_instruction=system_instruction,
            apply_chat_template=apply_chat_template,
            fewshot_as_multiturn=fewshot_as_multiturn,
            chat_template=lm.apply_chat_template if apply_chat_template else None,
            tokenizer_name=lm.tokenizer_name if apply_chat_template else "",
        )
        return {str(inst.doc["id"]): inst.args[0] for inst in self._task.instances}


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
