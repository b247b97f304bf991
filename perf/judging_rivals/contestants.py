"""Who is measured: ourselves, the bare client, and rivals in environments of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
#: What is installed where for each rival; the versions that the drivers were written for.
RIVALS = {
    "inspect-ai": ("inspect-ai==0.3.285", "openai==3.57.0"),
    # Its cache cannot be read with pandas 3.
    "alpaca-eval": ("alpaca-eval==0.6.6", "openai==3.57.0", "pandas<3"),
}
_SUITE = """\
name: own
models:
  - {{name: recorded, responses: answers.jsonl}}
judges:
  - name: judge
    kind: reference
    provider: openai_compatible
    base_url: {base_url}
    model: judge
    max_connections: {connections}
benchmarks:
  - {{name: own, items: prompts.jsonl, judges: [judge]}}
store: sqlite:///store.db
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a client is to do: ask about every row once."""

    rows: Path
    base_url: str
    connections: int
    folder: Path
    cache: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A client, the reply that its reader understands, and how it is called.

    ``rival`` means slower by far, so that it is given fewer rows; ``slots`` are how many calls it
    makes at once, where that does not follow the connections.
    """

    name: str
    reply: str
    command: Callable[[Task], Sequence[str]]
    rival: bool = False
    slots: int | None = None
    caches: bool = True


def write_rows(path: Path, count: int) -> Path:
    """Questions with a reference and an answer of some 350 words, all different."""
    filling = " ".join(f"word{i % 97}" for i in range(350))
    with path.open("w", encoding="utf-8") as file:
        for i in range(count):
            row = {
                "id": f"q{i}",
                "question": f"What is the name of thing number {i}?",
                "reference": f"thing {i}",
                "answer": f"It is called thing {i}. {filling}",
            }
            file.write(json.dumps(row) + "\n")
    return path


def clients() -> list[Contestant]:
    """Ourselves, and the official client by itself over both of its transports."""

    def bare(name: str, transport: str) -> Contestant:
        def command(task: Task) -> Sequence[str]:
            return _driver(sys.executable, "bare_openai", task, transport)

        return Contestant(name=name, reply="correct", command=command, caches=False)

    return [
        Contestant(name="judgebench", reply="correct", command=_judgebench),
        bare("AsyncOpenAI", "default"),
        bare("AsyncOpenAI, aiohttp", "aiohttp"),
    ]


def inspect_ai(python: Path) -> list[Contestant]:
    def command(task: Task) -> Sequence[str]:
        return _driver(python, "inspect_ai_scorer", task, str(task.folder), *_cache(task))

    return [Contestant(name="inspect-ai", reply="GRADE: C", command=command, rival=True)]


def alpaca_eval(python: Path) -> list[Contestant]:
    def by_default(task: Task) -> Sequence[str]:
        unlimited = ("0", str(task.folder), *_cache(task))
        driver = str(HERE / "alpaca_eval_annotator.py")
        return [str(python), driver, str(task.rows), task.base_url, *unlimited]

    def at_best(task: Task) -> Sequence[str]:
        return _driver(python, "alpaca_eval_annotator", task, str(task.folder), *_cache(task))

    def made(name: str, command: Callable[[Task], Sequence[str]], slots: int | None) -> Contestant:
        return Contestant(
            name=f"alpaca-eval, {name}",
            reply="Output (a)",
            command=command,
            rival=True,
            slots=slots,
        )

    return [made("5 threads", by_default, 5), made("all threads", at_best, None)]


def environment(home: Path, name: str) -> Path:
    """The interpreter of a rival, installed on first use.

    Raises
    ------
    subprocess.CalledProcessError
        When pip cannot install it; its output was shown.
    """
    folder = home / name
    python = folder / "bin" / "python"
    package, version = RIVALS[name][0].replace("-", "_").split("==")
    there = folder.glob(f"lib/python*/site-packages/{package}-{version}.dist-info")
    if next(there, None) is None:
        print(f"installing {name} into {folder}", file=sys.stderr, flush=True)
        venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *RIVALS[name]]
        subprocess.run(install, check=True)
    return python


def _judgebench(task: Task) -> Sequence[str]:
    """A whole ``judgebench run`` with a store; its suite and its files are written first."""
    task.folder.mkdir(parents=True, exist_ok=True)
    suite = _SUITE.format(base_url=task.base_url, connections=task.connections)
    (task.folder / "suite.yaml").write_text(suite)
    with (
        task.rows.open(encoding="utf-8") as rows,
        (task.folder / "prompts.jsonl").open("w", encoding="utf-8") as prompts,
        (task.folder / "answers.jsonl").open("w", encoding="utf-8") as answers,
    ):
        for row in map(json.loads, rows):
            prompt = {
                "id": row["id"],
                "prompt": row["question"],
                "reference": row["reference"],
            }
            prompts.write(json.dumps(prompt) + "\n")
            answers.write(json.dumps({"item_id": row["id"], "text": row["answer"]}) + "\n")
    return [str(Path(sys.executable).with_name("judgebench")), "run", "suite.yaml"]


def _driver(python: str | Path, script: str, task: Task, *more: str) -> Sequence[str]:
    path = str(HERE / f"{script}.py")
    return [str(python), path, str(task.rows), task.base_url, str(task.connections), *more]


def _cache(task: Task) -> Sequence[str]:
    return ("--cache",) if task.cache else ()
