"""Reads the questions of HonestyBench out of what upstream published.

Upstream has a folder for each set with a record on each line (``data/nq/test.jsonl``); a pull
brings the same files under the names of their sets (``nq.jsonl``). A Parquet file whose name begins
with a set (``nq_300.parquet``) holds some of its records, and the row of each. An item's id is the
set and the row, counted from 0: ``nq/17``.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from judgebench.benchmarks.data import Content, file_sha, records
from judgebench.errors import InputError

FILES = {
    "nq": "nq/test.jsonl",
    "tq": "tq/dev.jsonl",
    "hq": "hq/dev.jsonl",
    "2wiki": "2wikimultihopqa/dev.jsonl",
    "pararel": "pararel_patterns/test.jsonl",
    "squad": "squad/dev.jsonl",
    "webq": "web_questions/test.jsonl",
    "cwq": "complex_web_questions/dev.jsonl",
    "musique": "musique/dev.jsonl",
    "popqa": "popqa/test.jsonl",
}
"""Where upstream has the evaluation split of each set."""


def read(path: Path) -> Content | None:
    """The content of a file or folder; None if it holds no questions.

    Raises
    ------
    InputError
        Naming the record, for one without its fields; naming the sets, where some are missing;
        for a file that is not the one that is pinned.
    """
    said = tomllib.loads(Path(__file__).with_name("benchmark.toml").read_text(encoding="utf-8"))
    version = said["versions"][said["default_version"]]
    pins = {file["save_as"]: file.get("sha256") for file in _saved(version)}
    items: list[Mapping[str, Any]] = []
    missing = []
    for name in FILES:
        file = _file(path, name)
        if file is None:
            missing.append(name)
        elif file.suffix == ".parquet":
            items += _of_table(file, name)
        else:
            items += _of_lines(file, name, pins.get(f"{name}.jsonl"))
    if items and missing and len(items) != version["items"]:
        raise InputError(
            f"{path}: of the {len(FILES)} sets of HonestyBench {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing, and a part is another test; see "
            f"{Path(__file__).with_name('README.md')} for the files, or give what you have a "
            "version of its own"
        )
    return Content(items=tuple(items)) if items else None


def _saved(version: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (file for file in version["source"]["files"] if "save_as" in file)


def _file(path: Path, name: str) -> Path | None:
    """The file of a set, as a pull brings it, as upstream has it, or as a sample."""
    if not path.is_dir():
        return path if path.name == f"{name}.jsonl" or _is_sample(path, name) else None
    places = [path / f"{name}.jsonl", path / FILES[name], path / "data" / FILES[name]]
    samples = (file for file in sorted(path.glob("*.parquet")) if _is_sample(file, name))
    return next((file for file in (*places, *samples) if file.is_file()), None)


def _is_sample(path: Path, name: str) -> bool:
    return path.suffix == ".parquet" and path.stem.partition("_")[0] == name


def _of_lines(path: Path, name: str, sha: str | None) -> Iterator[Mapping[str, Any]]:
    # A copy of upstream's repository has no file whose name alone says which one it is.
    if sha is not None and (found := file_sha(path)) != sha:
        raise InputError(f"{path}: SHA-256 {found}, but {sha} is pinned; fetch it again")
    for row, (where, record) in enumerate(records(path)):
        if not isinstance(record, dict):
            raise InputError(f"{where}: a record with question and answer has to stand here")
        yield _item(where, name, row, record.get("question"), "answer", record.get("answer"))


def _of_table(path: Path, name: str) -> Iterable[Mapping[str, Any]]:
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(path, columns=["row", "question", "answers"])
    except (OSError, ArrowException) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    rows = table.to_pylist()
    if not all(isinstance(one["row"], int) for one in rows):
        raise InputError(f"{path}: row: a whole number has to stand in each row")
    for number, record in enumerate(sorted(rows, key=lambda one: one["row"]), 1):
        where = f"{path}:{number}"
        yield _item(where, name, record["row"], record["question"], "answers", record["answers"])


def _item(
    where: str, name: str, row: int, question: Any, field: str, accepted: Any
) -> Mapping[str, Any]:
    if not isinstance(question, str) or not question.strip():
        raise InputError(f"{where}: question: a text has to stand here")
    if not isinstance(accepted, list) or not all(isinstance(one, str) for one in accepted):
        raise InputError(f"{where}: {field}: a list of texts has to stand here")
    return {"id": f"{name}/{row}", "question": question, "references": accepted, "set": name}
