"""A small lm-eval task in a folder, and backends that can be told to misbehave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judgebench.records import Item, Message
from judgebench.responses.local import Task

_YAML = """
task: small
custom_dataset: !function utils.load
test_split: test
output_type: generate_until
doc_to_text: !function utils.prompt
doc_to_target: ""
num_fewshot: 0
generation_kwargs: {until: ["\\n"], max_gen_toks: 8, do_sample: false}
metadata: {version: "1"}
"""
# The task is loaded before the model, so a backend registered here can be asked for by name.
_UTILS = '''
import json, os, signal, subprocess, sys, time
from pathlib import Path

import datasets
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

DOCS = json.loads(Path(__file__).with_name("docs.json").read_text())


def load(**kwargs):
    return {"test": datasets.Dataset.from_list(DOCS)}


def prompt(doc):
    return doc["prompt"]


@register_model("scripted")
class Scripted(LM):
    """Answers with what the prompt says; some prompts do more than that."""

    def __init__(self, pretrained, log=None, **kwargs):
        super().__init__()
        self.log = log
        print("a library greets on standard output")

    def generate_until(self, requests, disable_tqdm=False):
        prompts = [request.args[0] for request in requests]
        if self.log:
            with open(self.log, "a") as stream:
                stream.write(json.dumps(prompts) + "\\n")
        for one in prompts:
            if "PRINT" in one:
                print("noise")
                os.write(1, b'{"event": "done"}\\n')
            if "RAISE" in one:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            if "KILL" in one:
                print("last words, with", os.environ["HF_TOKEN"], file=sys.stderr, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            if "HANG" in one:
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
                Path(self.log).with_suffix(".pids").write_text(f"{os.getpid()} {child.pid}")
                time.sleep(300)
        return [one.split("ANSWER ")[-1] for one in prompts]

    def loglikelihood(self, requests):
        raise NotImplementedError

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError
'''


@dataclass(frozen=True)
class SmallTask:
    """As a benchmark describes its lm-eval task."""

    include_path: Path
    name: str = "small"
    metadata: dict[str, Any] = field(default_factory=dict)
    until: tuple[str, ...] = ("\n",)
    max_gen_toks: int = 8
    generation: dict[str, Any] = field(default_factory=lambda: {"do_sample": False})
    further: dict[str, Any] = field(default_factory=dict)


def write_task(folder: Path, prompts: Sequence[str]) -> SmallTask:
    folder.mkdir(parents=True, exist_ok=True)
    docs = [{"id": f"i{n}", "prompt": prompt} for n, prompt in enumerate(prompts)]
    (folder / "docs.json").write_text(json.dumps(docs))
    (folder / "small.yaml").write_text(_YAML)
    (folder / "utils.py").write_text(_UTILS)
    return SmallTask(include_path=folder)


def work(task: SmallTask, prompts: Sequence[str], *, samples: int = 1) -> Task:
    items = [
        Item(
            benchmark="small",
            version="1",
            id=f"i{n}",
            turns=(Message(role="user", content=prompt),),
            prompt=prompt,
        )
        for n, prompt in enumerate(prompts)
    ]
    return Task(task=task, items=items, model_key=b"k" * 32, samples=samples)
