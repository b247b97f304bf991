"""The process that holds a local judge: a model of lm-eval that answers messages.

    python -m judgebench.workers.judge

It speaks as `judgebench.workers.protocol` says. The job is the suite's description of the model::

    {"model": "hf", "model_args": {...}, "batch_size": 8, "device": null,
     "apply_chat_template": true, "system_instruction": null}

and a question is generated for, or its candidates are weighed::

    {"id": 0, "messages": [{"role": "user", "content": "..."}], "max_gen_toks": 64, "stops": [],
     "sampling": {"temperature": 0.7, "top_p": 0.9}, "seed": 1, "logprobs": 5}
    {"id": 1, "messages": [...], "candidates": ["A", "B"]}

The questions of a batch differ in messages, candidates and seed only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from judgebench.errors import ConfigError
from judgebench.records import Runtime, TokenLogprob
from judgebench.workers import backends
from judgebench.workers.backends import Backend, Decoding, Generated
from judgebench.workers.final_answer import THINK_END, cut_at, read_answer
from judgebench.workers.hub import offline_if_unreachable
from judgebench.workers.prompts import ChatPrompts, prompt_text
from judgebench.workers.protocol import Answer, BatchAnswerer, Question, Refusal, serve

_FROM_HUB = ("pretrained", "tokenizer", "peft", "delta")


def load(job: Mapping[str, Any]) -> LocalJudge:
    """The judge of a job.

    Raises
    ------
    ConfigError
        For a description that would change questions in silence, or a model that is nowhere.
    """
    arguments = job["model_args"]
    if arguments.get("truncation"):
        raise ConfigError(
            "model_args: {truncation: true} would cut a judge's question in silence; remove it, "
            "and let the judge's max_answer_chars cut long answers"
        )
    offline_if_unreachable(str(arguments[name]) for name in _FROM_HUB if arguments.get(name))
    backend = backends.load(job)
    prompts = ChatPrompts(
        backend.lm,
        apply_chat_template=bool(job["apply_chat_template"]),
        system_instruction=job["system_instruction"],
    )
    return LocalJudge(backend, prompts)


class LocalJudge(BatchAnswerer):
    """A backend that takes messages."""

    def __init__(self, backend: Backend, prompts: ChatPrompts) -> None:
        self._backend = backend
        self._prompts = prompts
        self.batch = backend.batch

    def stack(self) -> Runtime:
        return self._backend.stack()

    def refusal(self, question: Question) -> Refusal | None:
        prompt = self._prompts.of(question["messages"])
        candidates = question.get("candidates")
        if candidates is None:
            why = self._backend.refusal(prompt, self._decoding([question]))
        elif not all(candidates):
            return Refusal("request", "an empty text cannot be weighed")
        else:
            nothing_generated = Decoding(stops=(), max_gen_toks=0, sampling={})
            whole = prompt_text(prompt) + self._prompts.text(max(candidates, key=len))
            why = self._backend.refusal(whole, nothing_generated)
        return None if why is None else Refusal("too_long", why)

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        prompts = [self._prompts.of(question["messages"]) for question in questions]
        if "candidates" in questions[0]:
            return self._weigh(prompts, [question["candidates"] for question in questions])
        generated = self._backend.generate(prompts, self._decoding(questions))
        return [
            self._row(question, prompt, one)
            for question, prompt, one in zip(questions, prompts, generated, strict=True)
        ]

    def _weigh(self, prompts: Sequence[Any], candidates: Sequence[Sequence[str]]) -> list[Answer]:
        texts = [[self._prompts.text(text) for text in some] for some in candidates]
        asked = list(zip(prompts, texts, strict=True))
        found = self._backend.likelihoods(asked)
        if any(math.isnan(value) for one in found for value in one.values):
            raise ArithmeticError(
                "the model's log-probabilities are not numbers; try another dtype"
            )
        return [asdict(one) for one in found]

    def _decoding(self, questions: Sequence[Question]) -> Decoding:
        first = questions[0]
        sampling = dict(first["sampling"])
        temperature = float(sampling.pop("temperature", 0.0))
        unsupported = self._backend.unsupported
        return Decoding(
            # A model that reasons may write a stop sequence while it does; then we cut it off.
            stops=() if self._backend.think_end else tuple(first["stops"]),
            max_gen_toks=first["max_gen_toks"],
            sampling={"do_sample": temperature > 0, "temperature": temperature, **sampling},
            seeds=tuple(question["seed"] for question in questions),
            logprobs=None if "logprobs" in unsupported else first["logprobs"],
        )

    def _row(self, question: Question, prompt: Any, one: Generated) -> Answer:
        think_end, stops = self._backend.think_end, question["stops"]
        answer = read_answer(one, prompt=prompt_text(prompt), think_end=think_end, stops=stops)
        tokens = one.tokens
        if tokens is not None and answer.reasoning is not None:
            tokens = after_reasoning(tokens, think_end or THINK_END)
        return {
            "text": answer.text,
            "reasoning": answer.reasoning,
            "finish_reason": one.finish_reason,
            "prompt_tokens": one.prompt_tokens,
            "completion_tokens": one.completion_tokens,
            "tokens": None if tokens is None else [asdict(t) for t in of_text(tokens, stops)],
            "unsupported": sorted(self._backend.unsupported),
        }


def after_reasoning(tokens: Sequence[TokenLogprob], think_end: str) -> tuple[TokenLogprob, ...]:
    """The tokens after the last end of reasoning; none where it never ends."""
    said = ""
    begin = len(tokens)
    for number, token in enumerate(tokens):
        said += token.token
        if think_end in said:
            begin, said = number + 1, ""
    return tuple(tokens[begin:])


def of_text(tokens: Sequence[TokenLogprob], stops: Sequence[str]) -> tuple[TokenLogprob, ...]:
    """The tokens of a text that was stripped at its beginning and cut at the first stop."""
    begin = next((n for n, token in enumerate(tokens) if token.token.strip()), len(tokens))
    kept = tuple(tokens[begin:])
    while kept and cut_at(said := "".join(token.token for token in kept), stops) != said:
        kept = kept[:-1]
    return kept


if __name__ == "__main__":
    serve(load)
