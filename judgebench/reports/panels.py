"""Panels: those that a suite declared, or a person asks for, and who sits on them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from judgebench.benchmarks.description import split_version
from judgebench.config import Panel, check
from judgebench.errors import ConfigError, UsageError
from judgebench.reports.boards import Meant, meant
from judgebench.store import Store

_WRITTEN = re.compile(r"(?:panel/)?(?:(?P<rule>\w+)\()?(?P<judges>[^()]+?)(?P<end>\))?")
_LEAST = "min_valid="


def parse_panel(written: str) -> Panel:
    """``a,b,c``, ``mean(a,b)`` or ``panel/majority(a,b,c;min_valid=2)``, as boards call them.

    Raises
    ------
    UsageError
        For anything else.
    """
    found = _WRITTEN.fullmatch(written.strip())
    if found is None or (found["rule"] is None) != (found["end"] is None):
        raise UsageError(_how(written))
    judges, _, least = found["judges"].partition(";")
    if least and not least.strip().startswith(_LEAST):
        raise UsageError(_how(written))
    data: dict[str, Any] = {"judges": [judge.strip() for judge in judges.split(",")]}
    if found["rule"]:
        data["rule"] = found["rule"]
    if least:
        number = least.strip().removeprefix(_LEAST)
        data["min_valid"] = int(number) if number.isdecimal() else number
    try:
        return check(Panel, data, "--panel")
    except ConfigError as error:
        raise UsageError(f"{written!r}: {error}") from None


def _how(written: str) -> str:
    return f"a panel is written a,b,c or mean(a,b) or majority(a,b,c;min_valid=2), not {written!r}"


def panels_in(store: Store, benchmark: str) -> tuple[Panel, ...]:
    """The panels that suites declared on a benchmark, in the order of their runs.

    Parameters
    ----------
    benchmark
        ``NAME`` or ``NAME@VERSION``. What a suite declares without naming a version is for all of
        them.
    """
    which = meant(store, benchmark)
    found: dict[str, Panel] = {}
    for run in store.runs():
        for section in run.configuration.get("benchmarks", ()):
            panel = _declared(section, which)
            if panel is not None:
                found.setdefault(panel.name, panel)
    return tuple(found.values())


def _declared(section: Mapping[str, Any], which: Meant) -> Panel | None:
    """The panel of one benchmark of a suite as it was written, if it is this benchmark."""
    written = section.get("panel")
    name, version = split_version(section["name"])
    if name != which.name or version not in (None, which.version):
        return None
    if isinstance(written, list):
        written = {"judges": written}
    return Panel.model_validate(written) if isinstance(written, dict) else None
