"""Inspect's logs: what stands at their head, and their samples one after another.

A ``.eval`` file is a zip file of JSON, read here without Inspect; a ``.json`` log is the same in
one object. What is in either is data, and never made into objects of Inspect's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from judgebench.errors import InputError, UsageError
from judgebench.exchange.json_stream import members
from judgebench.exchange.zip_members import ZipMembers

_HEADER, _START = "header.json", "_journal/start.json"
_SAMPLE = re.compile(r"samples/[^/]+\.json")
_LOG_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d[-:]\d\d[-:]\d\d.*_.+_\w+\.json")
_SAMPLES, _REDUCTIONS = "samples", "reductions"

Raw = Mapping[str, Any]


def find_logs(paths: Sequence[Path]) -> list[Path]:
    """The logs, and those in these folders or below, each once.

    Raises
    ------
    InputError
        For a folder without any.
    UsageError
        For a file whose suffix says that it is none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            if path.suffix not in (".eval", ".json"):
                raise UsageError(f"{path}: Inspect's logs are .eval or .json")
            found[path] = None
            continue
        named = (p for p in path.rglob("*.json") if _LOG_NAME.fullmatch(p.name))
        inside = sorted([*path.rglob("*.eval"), *named])
        if not inside:
            raise InputError(f"{path}: no log of Inspect's (.eval) in this folder or below")
        found |= dict.fromkeys(inside)
    return list(found)


def read_head(path: Path) -> Raw:
    """What a log says of the whole: ``eval``, ``plan``, ``results``, ``status``.

    Raises
    ------
    InputError
        For what is no log, or a broken one.
    """
    if path.suffix == ".json":
        lists = (_SAMPLES, _REDUCTIONS)
        head = {name: value for name, value in members(path, lists) if name not in lists}
    else:
        with ZipMembers(path) as log:
            names = set(log.names)
            # A log that was never finished has only what it began with.
            head_name = next((name for name in (_HEADER, _START) if name in names), None)
            if head_name is None:
                raise InputError(f"{path}: no {_HEADER} in it; is it a log of Inspect's?")
            head = dict(_json(log, head_name))
    if not isinstance(head.get("eval"), dict):
        raise InputError(f"{path}: 'eval' is missing; is it a log of Inspect's?")
    return head


def each_sample(path: Path) -> Iterator[tuple[str, Raw]]:
    """The samples of a log, each with where it stands.

    Raises
    ------
    InputError
        Naming the sample that is no object, or broken.
    """
    if path.suffix == ".json":
        number = 0
        for name, value in members(path, (_SAMPLES, _REDUCTIONS)):
            if name == _SAMPLES:
                number += 1
                where = f"{path}: sample {number}"
                if not isinstance(value, dict):
                    raise InputError(f"{where}: an object has to stand here")
                yield where, value
        return
    with ZipMembers(path) as log:
        for name in log.names:
            if _SAMPLE.fullmatch(name):
                yield f"{path}: {name!r:.200}", _json(log, name)


def _json(log: ZipMembers, name: str) -> Raw:
    try:
        found = json.loads(log.read(name))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{log.path}: {name!r:.200}: this is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputError(f"{log.path}: {name!r:.200}: an object has to stand here")
    return found
