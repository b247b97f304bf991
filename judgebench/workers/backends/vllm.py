"""vLLM through lm-eval's ``vllm``, keeping the finish reason and the token counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from judgebench.records import TokenLogprob
from judgebench.workers.backends import Backend, Decoding, Generated, Likelihoods, too_long
from judgebench.workers.backends.likelihood import encoded


class Vllm(Backend):
    """lm-eval builds engine, prompts and parameters; the engine's own outputs are read here."""

    def refusal(self, prompt: str, decoding: Decoding) -> str | None:
        return too_long(
            self.lm,
            prompt,
            decoding,
            most=self.lm.max_length - decoding.max_gen_toks,
            instead="raise model_args: {max_model_len: …}",
        )

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generated]:
        from vllm import SamplingParams

        lm = self.lm
        end = lm.tokenizer.decode(lm.eot_token_id) or lm.tokenizer.eos_token
        parameters = []
        for number in range(len(prompts)):
            told, stops, max_tokens = lm.modify_gen_kwargs(
                self.gen_kwargs(decoding, number), eos=end
            )
            wanted = decoding.logprobs
            told["logprobs"] = 0 if wanted is None and decoding.weighed else wanted
            parameters.append(SamplingParams(max_tokens=max_tokens, stop=stops, **told))
        outputs = lm._model_generate(
            requests=self.tokens_of(prompts, decoding), generate=True, sampling_params=parameters
        )
        return [_generated(output, decoding) for output in outputs]

    def tokens_of(self, prompts: Sequence[str], decoding: Decoding) -> list[list[int]]:
        """What the model is given: ids of each prompt."""
        if decoding.prompt_tokens is None:
            return list(self.lm.tok_encode(list(prompts)))
        return decoding.prompt_tokens.of(self.lm, prompts, max_gen_toks=decoding.max_gen_toks)

    def likelihoods(self, asked: Sequence[tuple[str, Sequence[str]]]) -> list[Likelihoods]:
        """The engine gives the log-probabilities of a prompt: each text is read with its own.

        What they share is computed once where the engine caches prefixes.
        """
        each = [encoded(self.lm, prompt, candidates) for prompt, candidates in asked]
        told = [(None, context, text) for context, texts in each for text in texts]
        values = iter([one for one, _ in self.lm._loglikelihood_tokens(told, disable_tqdm=True)])
        return [
            Likelihoods(values=tuple(next(values) for _ in texts), prompt_tokens=len(context))
            for context, texts in each
        ]

    def device(self) -> str | None:
        from vllm.platforms import current_platform  # asks the driver, opens no context

        return f"{current_platform.device_type} {current_platform.get_device_name()}"


def _generated(output: Any, decoding: Decoding) -> Generated:
    answer, alternatives = output.outputs[0], decoding.logprobs
    return Generated(
        raw=answer.text,
        finish_reason=answer.finish_reason,
        prompt_tokens=len(output.prompt_token_ids),
        completion_tokens=len(answer.token_ids),
        logprob=answer.cumulative_logprob if decoding.weighed else None,
        tokens=None if alternatives is None else _tokens(answer, alternatives),
    )


def _tokens(answer: Any, alternatives: int) -> tuple[TokenLogprob, ...]:
    """The tokens of an answer, without the one that ended it."""
    ended = answer.finish_reason == "stop" and not isinstance(answer.stop_reason, str)
    steps = list(zip(answer.token_ids, answer.logprobs, strict=True))
    return tuple(
        TokenLogprob(
            token=step[token].decoded_token,
            logprob=step[token].logprob,
            top=tuple(
                (other.decoded_token, other.logprob)
                for other in sorted(step.values(), key=lambda other: -other.logprob)[:alternatives]
            ),
        )
        for token, step in (steps[:-1] if ended else steps)
    )
