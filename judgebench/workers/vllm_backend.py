"""vLLM through lm-eval's ``vllm``, keeping the finish reason and the token counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from judgebench.workers.any_backend import AnyBackend
from judgebench.workers.generated import Decoding, Generated


class Vllm(AnyBackend):
    """lm-eval builds engine, prompts and parameters; the engine's own outputs are read here."""

    def refusal(self, prompt: str, decoding: Decoding) -> str | None:
        """lm-eval would cut a long prompt and say nothing: another question."""
        length = len(self.lm.tok_encode(prompt))
        if length + decoding.max_gen_toks <= self.lm.max_length:
            return None
        return (
            f"the prompt has {length} tokens, and the model takes {self.lm.max_length} less "
            f"{decoding.max_gen_toks} for the answer; shorten it (fewer examples), or raise "
            "model_args: {max_model_len: …}"
        )

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generated]:
        from vllm import SamplingParams

        lm = self.lm
        end = lm.tokenizer.decode(lm.eot_token_id) or lm.tokenizer.eos_token
        told, stops, max_tokens = lm.modify_gen_kwargs(self.gen_kwargs(decoding), eos=end)
        parameters = SamplingParams(max_tokens=max_tokens, stop=stops, **told)
        outputs = lm._model_generate(
            requests=lm.tok_encode(list(prompts)),
            generate=True,
            sampling_params=[parameters] * len(prompts),
        )
        return [_generated(output) for output in outputs]

    def device(self) -> str | None:
        from vllm.platforms import current_platform  # asks the driver, opens no context

        return f"{current_platform.device_type} {current_platform.get_device_name()}"


def _generated(output: Any) -> Generated:
    answer = output.outputs[0]
    return Generated(
        raw=answer.text,
        finish_reason=answer.finish_reason,
        prompt_tokens=len(output.prompt_token_ids),
        completion_tokens=len(answer.token_ids),
    )
