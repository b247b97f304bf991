"""A small benchmark whose data, prompts and calibration come from a host on loopback."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from judgebench import registry
from judgebench.benchmarks.data import Content
from judgebench.keys import text_sha
from judgebench.protocols import Meter

ROWS = [{"id": str(n), "question": f"What is {n} + {n}?"} for n in range(200)]
PROMPT = "Is {response} right?"
FILES: Mapping[str, bytes] = {
    "questions.json": json.dumps(ROWS).encode(),
    "prompts.py": f"PROMPT = {PROMPT!r}\n".encode(),
    "calibration.csv": b"item,difficulty\n0,1.5\n" * 100,
}
CONTENT_SHA = Content(items=tuple(ROWS)).sha
SOURCE = """\
import json

from judgebench.benchmarks.data import Content


def read(path):
    file = path / "questions.json" if path.is_dir() else path
    if file.name != "questions.json" or not file.is_file():
        return None
    return Content(items=tuple(json.loads(file.read_text())))
"""


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_benchmark(
    folder: Path,
    url: str,
    *,
    pinned: bool = True,
    content_sha: str | None = CONTENT_SHA,
    shas: Mapping[str, str] | None = None,
    source: str | None = None,
) -> list[Path]:
    """The folder of ``small``; known from here on. ``shas`` are pinned instead."""
    said = {name: sha(content) for name, content in FILES.items()} | dict(shas or {})

    def file(name: str, *, pinned: bool = pinned) -> str:
        size = len(FILES[name])
        pin = f', sha256 = "{said[name]}", bytes = {size}' if pinned else ""
        return f'{{ url = "{url}/{name}"{pin} }}'

    if source is None:
        source = f'kind = "files"\nfiles = [{file("questions.json")}, {file("prompts.py")}]'
    pin = f'sha256 = "{content_sha}"\n' if content_sha else ""
    calibration = f"[{file('calibration.csv', pinned=True)}]"
    text = f"""
name = "small"
title = "Sums"
licence = "CC0"
default_version = "1"
[versions.1]
{pin}[versions.1.source]
{source}
[asking]
prompt = "chat"
num_fewshot = 0
truncate = "none"
[asking.prompts]
chat = {{ task = "small" }}
[judging]
kind = "pairwise"
[judging.official]
plain = {{ sha256 = "{text_sha(PROMPT)}", source = "prompts.py#PROMPT" }}
[published]
file = "figures/board.csv"
source = "made up"
columns = {{ win_rate = "win_rate" }}
[[published.boards]]
version = "1"
judge = "j"
models = ["m"]
provider = "openai"
prompt = "plain"
baseline = "b"
calibration = {calibration}
"""
    (folder / "small").mkdir(parents=True, exist_ok=True)
    (folder / "small" / "benchmark.toml").write_text(text)
    (folder / "small" / "source.py").write_text(SOURCE)
    registry.include([folder])
    return [folder]


class Noted:
    """Progress that remembers what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.stages: list[tuple[str, int | None]] = []
        self.bytes = 0

    def stage(self, name: str, total: int | None) -> None:
        self.stages.append((name, total))
        self.bytes = 0

    def advance(self, n: int = 1, *, failed: str | None = None, waiting: bool = False) -> None:
        self.bytes += n

    def meter(self, figures: Meter) -> None: ...

    def say(self, message: str) -> None:
        self.said.append(message)
