"""Random models of a few thousand weights, made here: nothing is downloaded.

python -m tests.tiny_models KIND FOLDER SETTINGS

To load torch takes four seconds: where tests run side by side, a process that has not done it lets
one do it that has (`tests.warm`).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.warm import WARM, Warm

SHOWS_SYSTEM = "{% for m in messages %}[{{ m.role }}]{{ m.content }}<end>{% endfor %}"
REFUSES_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    + SHOWS_SYSTEM
)
GENERATES = "{% if add_generation_prompt %}[assistant]\n{% endif %}"
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WRITES_BOS = "{{ bos_token }}" + SHOWS_SYSTEM + GENERATES

_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": None,
    "eos_token_id": 0,
}


def _save_tokenizer(
    folder: Path,
    template: str | None,
    *,
    bos: bool = False,
    controls: Sequence[str] = (),
    **special: Any,
) -> int:
    """One token a byte, but for a few pairs; the size of the vocabulary.

    With ``bos`` a text has that token before it where special tokens are added. ``controls`` are
    further special tokens.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: n for n, letter in enumerate(["<end>", "<pad>", *letters])}
    merges = [("A", "s"), ("t", "i"), ("Ġ", "A"), ("Ċ", "Ċ")]
    for pair in merges:
        vocabulary["".join(pair)] = len(vocabulary)
    if bos:
        vocabulary["<bos>"] = len(vocabulary)
        special["bos_token"] = "<bos>"
    for control in controls:
        vocabulary[control] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", vocabulary["<bos>"])]
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<end>",
        **special,
        **({"additional_special_tokens": list(controls)} if controls else {}),
    )
    fast.chat_template = template
    fast.save_pretrained(folder)
    return len(vocabulary)


def save_causal(
    folder: Path,
    *,
    template: str | None = SHOWS_SYSTEM + GENERATES,
    bos: bool = False,
    controls: Sequence[str] = (),
    **sizes: int,
) -> Path:
    """A decoder that writes anything; ``sizes`` go over the usual ones of its configuration."""
    told = {"template": template, "bos": bos, "controls": list(controls), **sizes}
    if _saved_elsewhere("save_causal", folder, told):
        return folder
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    words = _save_tokenizer(folder, template, bos=bos, controls=controls, pad_token="<pad>")
    torch.manual_seed(3)
    config = LlamaConfig(vocab_size=words, pad_token_id=1, initializer_range=1.0, **_SIZES | sizes)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def save_classifier(
    folder: Path,
    *,
    labels: int = 1,
    template: str | None = SHOWS_SYSTEM,
    pad: bool = True,
    padding_side: str = "left",
    controls: Sequence[str] = (),
) -> Path:
    """A decoder with a score; ``pad`` says whether it knows of a padding token."""
    told = {"labels": labels, "template": template, "pad": pad, "padding_side": padding_side}
    if _saved_elsewhere("save_classifier", folder, told | {"controls": list(controls)}):
        return folder
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    special: dict[str, Any] = {"pad_token": "<pad>"} if pad else {}
    words = _save_tokenizer(
        folder, template, padding_side=padding_side, controls=controls, **special
    )
    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=words,
        num_labels=labels,
        pad_token_id=1 if pad else None,
        initializer_range=0.5,
        **_SIZES,
    )
    LlamaForSequenceClassification(config).save_pretrained(folder)
    return folder


def _saved_elsewhere(kind: str, folder: Path, told: dict[str, Any]) -> bool:
    shared = os.environ.get(WARM)
    if shared is None or "torch" in sys.modules:
        return False
    Warm(shared).run("tests.tiny_models", kind, folder, json.dumps(told))
    return True


def letters(warm: Warm, folder: Path, *, positions: int) -> Path:
    """What `save_letters` makes, without torch in this process."""
    warm.run("tests.tiny_models", "save_letters", folder, json.dumps({"positions": positions}))
    return folder


def save_letters(folder: Path, positions: int) -> None:
    """A decoder of one layer whose own settings would end an answer after three tokens.

    One token a byte. Its template is ``[role]content…[assistant]``.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: n for n, letter in enumerate(["<end>", "<pad>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>")
    fast.chat_template = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"
    )
    fast.save_pretrained(folder)
    torch.manual_seed(3)
    sizes = _SIZES | {"num_hidden_layers": 1, "max_position_embeddings": positions}
    model: Any = LlamaForCausalLM(
        LlamaConfig(vocab_size=len(vocabulary), pad_token_id=1, initializer_range=1.0, **sizes)
    )
    model.generation_config.max_new_tokens = 3
    model.save_pretrained(folder)


if __name__ == "__main__":
    kinds = {one.__name__: one for one in (save_causal, save_classifier, save_letters)}
    kinds[sys.argv[1]](Path(sys.argv[2]), **json.loads(sys.argv[3]))
