"""The lm-eval task of a team's own prompts: a file of a few lines, written when it is needed.

lm-eval looks for tasks in folders and knows them by name, so each benchmark has a folder of its own
in the data home. What is the same for all of them stands in ``own_prompts_task/``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from judgebench.benchmarks.data_source import data_home
from judgebench.errors import ConfigError
from judgebench.keys import text_sha

_COMMON = Path(__file__).resolve().parent / "own_prompts_task" / "own_prompts.yaml"
_DIGITS = 12


@dataclass(frozen=True, kw_only=True)
class OwnTask:
    """The task of one benchmark; a `LmEvalTask`.

    ``items`` is the file of prompts and ``sha`` what it asks; lm-eval reads it again, and refuses
    it if it asks something else by then. ``max_gen_toks`` is the limit on an answer, in tokens;
    nothing else ends one, so ``until`` is empty.
    """

    benchmark: str
    items: Path
    sha: str
    max_gen_toks: int

    @property
    def name(self) -> str:
        """No two benchmarks of a run share it, and it outlives a change of the prompts."""
        return f"own_prompts_{self.benchmark}"

    @property
    def metadata(self) -> Mapping[str, Any]:
        """None: the task's file says everything."""
        return {}

    @property
    def until(self) -> tuple[str, ...]:
        return ()

    @property
    def generation(self) -> Mapping[str, Any]:
        return {"do_sample": False}

    @property
    def further(self) -> Mapping[str, Any]:
        """Nothing: all samples of an answer are drawn alike."""
        return {}

    @cached_property
    def include_path(self) -> Path:
        """The folder with the task's file, written when it is first asked for.

        Raises
        ------
        ConfigError
            Where it cannot be written.
        """
        task = self._file()
        folder = data_home() / "own_prompts" / text_sha(task)[:_DIGITS]
        try:
            _write(task, folder / "task.yaml")
        except OSError as error:
            raise ConfigError(
                f"{folder}: cannot be written ({error.strerror or error}); JUDGEBENCH_DATA names "
                "another folder for data"
            ) from None
        return folder

    def _file(self) -> str:
        settings = {"until": list(self.until), "max_gen_toks": self.max_gen_toks}
        task = {
            "include": str(_COMMON),
            "task": self.name,
            "dataset_kwargs": {"items": str(self.items.resolve()), "sha": self.sha},
            "generation_kwargs": {**settings, **self.generation},
        }
        return yaml.safe_dump(task, sort_keys=False, allow_unicode=True)


def _write(text: str, file: Path) -> None:
    """Whole or not at all: another run may be reading the same file."""
    if file.is_file():  # its folder is named after its content
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=file.parent, delete=False, encoding="utf-8"
    ) as written:
        written.write(text)
    Path(written.name).replace(file)
