"""What the ``utils.py`` of a task folder begins with: its description and its questions.

The same methods render the prompts when judgebench plans a run, without importing lm_eval or
datasets, so that what is planned and what is asked cannot differ.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from judgebench.benchmarks.content import Content
from judgebench.benchmarks.data_source import load_content
from judgebench.benchmarks.description import Description, chosen_version, read
from judgebench.errors import InputError

Doc = dict[str, Any]


class TaskFolder(ABC):
    """One task folder; each kind of questions has its own ``docs`` and prompts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def description(self) -> Description:
        return read(self.folder)

    def content(self, version: str | None, *, referenced: bool = False) -> Content:
        """A version's questions, checked against their pin.

        ``referenced`` says that each has to have the answers that are accepted.

        Raises
        ------
        InputError
            Naming the question that has none.
        """
        description = self.description
        found = load_content(description, self.folder, chosen_version(description, version))
        lacking = [row["id"] for row in found.items if referenced and not row.get("references")]
        if lacking:
            raise InputError(
                f"{description.name}: question {lacking[0]!r} has no 'references' to compare "
                f"answers with; {len(lacking)} of {len(found.items)} have none"
            )
        return found

    @abstractmethod
    def docs(self, version: str | None = None, *, num_fewshot: int | None = None) -> list[Doc]:
        """The questions of a version in their order, each with an ``id`` and a ``question``."""

    def load(self, **metadata: Any) -> Mapping[str, Any]:
        """lm-eval's ``custom_dataset``: the questions as a split.

        Settings come from the task's metadata, flat (by hand: ``--metadata '{"num_fewshot": 0}'``)
        or below the benchmark's name, which keeps two benchmarks of one run apart.
        """
        import datasets

        settings = metadata | dict(metadata.get(self.description.name) or {})
        docs = self.docs(settings.get("version"), num_fewshot=settings.get("num_fewshot"))
        return {"test": datasets.Dataset.from_list(docs)}
