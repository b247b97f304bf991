"""What a gate said, read back from the JSON that it wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgebench.errors import InputError
from judgebench.execution.recheck import Unconfirmed
from judgebench.reports.gate_confirm import Confirmation

WANTED: Confirmation = "wanted"
"""Of a test that would be a regression: its judge is to be asked once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSaid:
    """What matters of a gate's JSON: its verdict, whom it was about, what it left to be confirmed.

    ``candidates`` are short ids of models by benchmark and version.
    """

    path: Path
    verdict: str
    candidates: dict[tuple[str, str], str]
    unconfirmed: tuple[Unconfirmed, ...] = ()


def read_gate(path: Path) -> GateSaid:
    """The JSON that ``judgebench gate --output gate.json`` wrote.

    Raises
    ------
    InputError
        Naming the file and what it lacks.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not the JSON of a gate: {error}") from None
    try:
        tests = [
            ((_text(one["benchmark"]), _text(one["version"])), _text(one["candidate_id"]))
            for one in data["tests"]
        ]
        verdict = _text(data["verdict"])
        unconfirmed = tuple(
            Unconfirmed(
                benchmark=_text(one["benchmark"]),
                version=_text(one["version"]),
                judge=_text(one["judge"]),
                judge_id=_text(one["judge_id"]),
                models=(_text(one["candidate_id"]), _text(one["baseline_id"])),
            )
            for one in data["tests"]
            if one.get("confirmation") == WANTED
        )
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not the JSON of a gate ({error}); `judgebench gate … --output gate.json` "
            "writes it"
        ) from None
    if not tests:
        raise InputError(f"{path}: a gate that tested nothing")
    return GateSaid(
        path=path,
        verdict=verdict,
        candidates=dict(tests),
        unconfirmed=tuple(dict.fromkeys(unconfirmed)),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, not {value!r}")
    return value
