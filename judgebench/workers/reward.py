"""The process that holds a reward model: a sequence classifier that scores conversations.

    python -m judgebench.workers.reward

It speaks as `judgebench.workers.protocol` says. The job describes the model::

    {"pretrained": "...", "revision": null, "dtype": "auto", "device": null, "batch_size": 8,
     "max_length": null, "label": null}

and the last message of a question is the answer to be scored::

    {"id": 0, "messages": [{"role": "user", "content": "..."},
                           {"role": "assistant", "content": "..."}]}
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from judgebench.errors import ConfigError, unknown_name
from judgebench.records import Runtime
from judgebench.workers.hub import CONFIGURATIONS, offline_if_unreachable, refuse_own_code
from judgebench.workers.prompts import ChatPrompts
from judgebench.workers.protocol import Answer, BatchAnswerer, Question, Refusal, serve

_NO_LIMIT = 1_000_000  # tokenizers without a limit say 10 ** 30


class RewardModel(BatchAnswerer):
    """A sequence classifier of transformers with one score for a conversation.

    Parameters
    ----------
    pretrained, revision
        Folder or Hub repository, and its revision.
    dtype
        ``auto`` takes that of the checkpoint.
    device
        As torch names it; the first GPU where there is one, if None.
    batch_size
        Conversations scored at once.
    max_length
        Tokens of a conversation; what the model and its tokenizer allow if None.
    label
        Whose logit is the score, by name or number, where the model has several.

    Raises
    ------
    ConfigError
        For a model that has several labels and no word about which, or no trained score at all.
    """

    def __init__(
        self,
        *,
        pretrained: str,
        revision: str | None,
        dtype: str,
        device: str | None,
        batch_size: int,
        max_length: int | None,
        label: str | int | None,
    ) -> None:
        import torch
        from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

        where = {"revision": revision or "main", "trust_remote_code": False}
        config = AutoConfig.from_pretrained(pretrained, **where)
        self._label = _label_number(config, label)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(pretrained, **where)
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            pretrained, config=config, dtype=dtype, output_loading_info=True, **where
        )
        if untrained := sorted(loading["missing_keys"]):
            raise ConfigError(
                f"{pretrained} is no reward model: its checkpoint lacks {', '.join(untrained)}, "
                "which would be random numbers"
            )
        chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._model: Any = model.to(chosen).eval()
        self._own_padding: int | None = model.config.get_text_config().pad_token_id
        self.batch = batch_size
        self._max_length = max_length or self._own_limit()
        self._templated = bool(getattr(self.tokenizer, "chat_template", None))
        self._prompts = ChatPrompts(self, apply_chat_template=self._templated, answered=True)

    def apply_chat_template(self, messages: list[dict[str, str]]) -> Any:
        """The text of a conversation, with the special tokens that there are to be."""
        return self.tokenizer.apply_chat_template(messages, tokenize=False)

    def stack(self) -> Runtime:
        import torch

        device = str(self._model.device)
        if self._model.device.type == "cuda":
            device = f"{device} {torch.cuda.get_device_name(self._model.device)}"
        return Runtime(
            backend="reward_model",
            versions={name: version(name) for name in ("transformers", "torch")},
            dtype=str(self._model.dtype).removeprefix("torch."),
            batch_size=str(self.batch),
            device=device,
        )

    def refusal(self, question: Question) -> Refusal | None:
        messages = question["messages"]
        if len(messages) < 2 or messages[-1]["role"] != "assistant":
            return Refusal(
                "request", "a reward model scores an answer: the last message is the assistant's"
            )
        length = len(self._encoded(messages)["input_ids"])
        if self._max_length is None or length <= self._max_length:
            return None
        return Refusal(
            "too_long",
            f"question and answer have {length} tokens, and the reward model takes "
            f"{self._max_length}; set the judge's max_answer_chars, or raise max_length",
        )

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        import torch

        encoded = [self._encoded(question["messages"]) for question in questions]
        with torch.inference_mode():
            logits = self._model(**self._padded(encoded)).logits[:, self._label].float().tolist()
        if not all(map(math.isfinite, logits)):
            raise ArithmeticError("the score is no finite number; try another dtype")
        return [
            {"score": score, "prompt_tokens": len(one["input_ids"])}
            for score, one in zip(logits, encoded, strict=True)
        ]

    def _encoded(self, messages: Sequence[Mapping[str, str]]) -> dict[str, list[int]]:
        """Tokens as the model was trained on: by its chat template, else as a pair of texts."""
        if self._templated:
            return dict(self.tokenizer(self._prompts.of(messages), add_special_tokens=False))
        *asked, answer = [self._prompts.text(message["content"]) for message in messages]
        return dict(self.tokenizer("\n\n".join(asked), answer))

    def _padded(self, encoded: Sequence[Mapping[str, list[int]]]) -> dict[str, Any]:
        """One batch, padded on the right: so every token keeps the position that it has alone.

        A decoder's score stands at its last token that is no padding, as told by its
        ``pad_token_id``. Where it has none, the score alone is that of the very last token, and
        padding has to be a token that the conversations do not contain.
        """
        import torch

        width = max(len(one["input_ids"]) for one in encoded)
        fill = dict.fromkeys(encoded[0], 0) | {"input_ids": self._padding(encoded)}
        return {
            name: torch.tensor(
                [[*one[name], *[fill[name]] * (width - len(one[name]))] for one in encoded]
            ).to(self._model.device)
            for name in encoded[0]
        }

    def _padding(self, encoded: Sequence[Mapping[str, list[int]]]) -> int:
        if self._own_padding is not None:
            return self._own_padding
        config = self._model.config.get_text_config()
        used = {token for one in encoded for token in one["input_ids"]}
        unused = next(token for token in range(config.vocab_size) if token not in used)
        config.pad_token_id = unused
        return unused

    def _own_limit(self) -> int | None:
        config = self._model.config.get_text_config()
        said = (self.tokenizer.model_max_length, getattr(config, "max_position_embeddings", None))
        return min((n for n in said if n is not None and n < _NO_LIMIT), default=None)


def _label_number(config: Any, label: str | int | None) -> int:
    """Which logit is the score."""
    names = {int(number): str(name) for number, name in config.id2label.items()}
    if label is None:
        if config.num_labels == 1:
            return 0
        raise ConfigError(
            f"the model has {config.num_labels} labels ({', '.join(names.values())}), and a score "
            "is one number: say whose logit it is: provider_options: {label: NAME}"
        )
    for number, name in names.items():
        if label in (number, name):
            return number
    raise ConfigError(unknown_name("label", str(label), names.values()))


def load(job: Mapping[str, Any]) -> RewardModel:
    """The reward model of a job.

    Raises
    ------
    ConfigError
        For one that has code of its own, or no score.
    """
    from transformers.utils import cached_file

    pretrained, revision = job["pretrained"], job["revision"] or "main"
    offline_if_unreachable([pretrained])
    there = {"revision": revision, "_raise_exceptions_for_missing_entries": False}
    refuse_own_code(pretrained, [cached_file(pretrained, name, **there) for name in CONFIGURATIONS])
    return RewardModel(**job)


if __name__ == "__main__":
    serve(load)
