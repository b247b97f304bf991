"""What the YAML file beside this calls, inside lm-eval: the questions, and how they are put."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import datasets
from lm_eval.api.task import ConfigurableTask

from judgebench.benchmarks.own_prompts import questions_sha, read_questions
from judgebench.errors import ConfigError

Doc = Mapping[str, Any]

_MAY_BE_DROPPED = {
    "system": "put it before the first user turn",
    "tool": "leave this model out of the benchmark with 'models'",
}


def load(items: str, sha: str, **_metadata: Any) -> Mapping[str, Any]:
    """lm-eval's ``custom_dataset``: the questions of the file ``items`` as a split.

    Raises
    ------
    ConfigError
        Where the questions are not the ones of ``sha`` any more.
    """
    questions = read_questions(Path(items))
    if questions_sha(questions) != sha:
        raise ConfigError(f"{items}: was changed after this run was planned; run again")
    docs = [
        {
            "id": one.id,
            "turns": [{"role": turn.role, "content": turn.content} for turn in one.turns],
        }
        for one in questions
    ]
    return {"test": datasets.Dataset.from_list(docs)}


def question(doc: Doc) -> str:
    """The last turn: all there is, unless the item is a conversation."""
    return str(doc["turns"][-1]["content"])


class OwnPromptsTask(ConfigurableTask):  # type: ignore[misc]  # lm_eval is not followed by mypy
    """A task whose items may be conversations, which lm-eval's own tasks cannot put."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config={name: config[name] for name in config if name != "class"})

    def fewshot_context(
        self,
        doc: Doc,
        num_fewshot: int = 0,
        system_instruction: str | None = None,
        apply_chat_template: bool = False,
        chat_template: Callable[[list[dict[str, str]]], Any] | None = None,
        **others: Any,
    ) -> Any:
        """A single question as lm-eval puts it; a conversation message by message.

        Raises
        ------
        ConfigError
            For a conversation without a chat template, or a template that drops its system message.
        """
        if len(doc["turns"]) == 1:
            return super().fewshot_context(
                doc=doc,
                num_fewshot=num_fewshot,
                system_instruction=system_instruction,
                apply_chat_template=apply_chat_template,
                chat_template=chat_template,
                **others,
            )
        if not apply_chat_template or chat_template is None:
            raise ConfigError(
                f"{self.config.task}: item {doc['id']!r} is a conversation, which needs a chat "
                "template: set apply_chat_template: true for this model, or leave it out of this "
                "benchmark with 'models'"
            )
        messages = _messages(doc, system_instruction)
        prompt = chat_template(messages)
        # lm-eval leaves the system message out, with a line in a log, where a template refuses it.
        for role, instead in _MAY_BE_DROPPED.items():
            texts = [message["content"].strip() for message in messages if message["role"] == role]
            if isinstance(prompt, str) and any(text not in prompt for text in texts):
                raise ConfigError(
                    f"{self.config.task}: item {doc['id']!r}: the model's chat template takes no "
                    f"{role} message; {instead}, or choose a named template"
                )
        return prompt


def _messages(doc: Doc, system_instruction: str | None) -> list[dict[str, str]]:
    """The messages of an item, after the system text that the suite puts before every question."""
    turns = [{"role": turn["role"], "content": turn["content"]} for turn in doc["turns"]]
    if not system_instruction:
        return turns
    texts = [system_instruction]
    if turns[0]["role"] == "system":
        texts.append(turns.pop(0)["content"])
    return [{"role": "system", "content": "\n\n".join(texts)}, *turns]
