"""Logs of other harnesses, made up: what lm-eval and Inspect write, in a few lines each."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

WHEN = "2026-01-02T03-04-05.678901"
ZSTANDARD = 93
Json = dict[str, Any]


def lm_eval_line(i: int, *, right: bool | None = None, text: str = "", **more: Any) -> Json:
    """A generation: document i, answered with ``text``; every second one is right unless said."""
    said = text or f"thing {i}"
    question = f"What is number {i}?"
    return {
        "doc_id": i,
        "doc": {"question": question, "answer": f"thing {i}"},
        "target": f"thing {i}",
        "arguments": {
            "gen_args_0": {
                "arg_0": f"Q: {question}\nA:",
                "arg_1": {"until": ["\n"], "max_gen_toks": 8, "do_sample": False},
            }
        },
        "resps": [[said]],
        "filtered_resps": [said],
        "filter": "none",
        "metrics": ["exact_match"],
        "exact_match": float(i % 2 == 0 if right is None else right),
        **more,
    }


def lm_eval_choice(i: int, **more: Any) -> Json:
    """A question with options, of which the first is the likeliest."""
    context = f"Question {i}\nAnswer:"
    return {
        "doc_id": i,
        "doc": {"query": f"Question {i}", "choices": ["yes", "no"], "gold": i % 2},
        "target": str(i % 2),
        "arguments": {
            f"gen_args_{n}": {"arg_0": context, "arg_1": f" {option}"}
            for n, option in enumerate(["yes", "no"])
        },
        "resps": [[["-0.5", "True"]], [["-1.5", "False"]]],
        "filtered_resps": [["-0.5", "True"], ["-1.5", "False"]],
        "filter": "none",
        "metrics": ["acc", "f1"],
        "acc": float(i % 2 == 0),
        "f1": [i % 2, 0],
        **more,
    }


def lm_eval_results(n: int, *, task: str = "made_up", model: str = "org/tiny", **more: Any) -> Json:
    return {
        "results": {
            task: {"sample_len": n, "exact_match,none": 0.5, "exact_match_stderr,none": 0.1}
        },
        "versions": {task: 2.0},
        "n-shot": {task: 0},
        "config": {
            "model": "hf",
            "model_args": {"pretrained": model, "dtype": "float32"},
            "batch_size": 8,
            "device": "cpu",
            "torch_seed": 1234,
        },
        "model_source": "hf",
        "model_name": model,
        "lm_eval_version": "0.4.13",
        "transformers_version": "5.24.0",
        "pretty_env_info": "PyTorch version: 2.13.0+cpu\nOS: Linux",
        "chat_template_sha": "c" * 64,
        **more,
    }


def lm_eval_run(
    folder: Path,
    lines: Iterable[Mapping[str, Any]],
    results: Mapping[str, Any] | None = None,
    *,
    task: str = "made_up",
    when: str = WHEN,
) -> Path:
    """The samples of one task, with the results of their run beside them; returns the samples."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = folder / f"samples_{task}_{when}.jsonl"
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    if results is not None:
        (folder / f"results_{when}.json").write_text(json.dumps(results), encoding="utf-8")
    return samples


def inspect_sample(i: int, epoch: int = 1, **more: Any) -> Json:
    """Question i, answered; every second one is right."""
    answer = f"thing {i}"
    reply = {"id": f"a{i}", "content": answer, "source": "generate", "role": "assistant"}
    return {
        "id": i,
        "epoch": epoch,
        "input": f"What is number {i}?",
        "target": answer,
        "messages": [],
        "output": {
            "model": "made/up",
            "choices": [{"message": reply, "stop_reason": "stop"}],
            "completion": answer,
            "usage": {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12},
        },
        "scores": {"match": {"value": "CI"[i % 2], "answer": answer}},
        "metadata": {"category": "even" if i % 2 == 0 else "odd", "level": 3},
        "events": [{"event": "model", "input": []}],
        **more,
    }


def inspect_head(**more: Any) -> Json:
    """What a log says of the whole; ``more`` goes into its ``eval``."""
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "task": "made_up",
            "task_version": 1,
            "created": "2026-01-02T03:04:05+00:00",
            "model": "made/up",
            "model_generate_config": {"temperature": 0.5},
            "dataset": {"samples": 4},
            "packages": {"inspect_ai": "0.3.285"},
            "scorers": [{"name": "inspect_ai/match", "options": {}}],
            **more,
        },
        "plan": {"steps": [{"solver": "generate", "params": {}}], "config": {"max_tokens": 30}},
    }


def inspect_eval(
    path: Path,
    samples: Iterable[Mapping[str, Any]],
    head: Mapping[str, Any] | None = None,
    *,
    method: int = ZSTANDARD,
) -> Path:
    """A log as a zip file, its members compressed in this way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as log:
        for number, sample in enumerate(samples):
            name = f"samples/{number}_epoch_1.json"
            add_member(log, name, json.dumps(sample).encode(), method)
        add_member(log, "header.json", json.dumps(head or inspect_head()).encode(), method)
    return path


def add_member(log: zipfile.ZipFile, name: str, content: bytes, method: int = ZSTANDARD) -> None:
    """Python before 3.14 writes no Zstandard: it is told what the bytes are once they are in."""
    info = zipfile.ZipInfo(name)
    if method != ZSTANDARD:
        log.writestr(info, content, compress_type=method)
        return
    log.writestr(info, pa.compress(content, codec="zstd", asbytes=True))
    info.compress_type, info.file_size, info.CRC = ZSTANDARD, len(content), zlib.crc32(content)


def inspect_json(
    path: Path,
    samples: Iterable[Mapping[str, Any]],
    head: Mapping[str, Any] | None = None,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**(head or inspect_head()), "samples": list(samples)}, indent=2))
    return path
