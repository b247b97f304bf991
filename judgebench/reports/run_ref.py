"""Which run a person means: by its id, the beginning of it, or how long ago it was."""

from __future__ import annotations

import re
from collections.abc import Sequence

from judgebench.errors import UsageError, unknown_name
from judgebench.records import RunManifest

_LATEST = re.compile(r"(?:latest|last)(?:~(\d+))?")


def run_called(runs: Sequence[RunManifest], wanted: str, store: str) -> RunManifest:
    """The run of that id, of the only id that begins so, or the ``latest`` that was no import.

    ``latest~1`` is the one before. Imports count only where there is nothing else; ``last`` is
    another word for ``latest``.

    Parameters
    ----------
    runs
        In the order in which they were started.

    Raises
    ------
    UsageError
        Where there is none, or several.
    """
    if not runs:
        raise UsageError(f"{store} holds no run yet; `judgebench run SUITE.yaml` starts one")
    if (ago := _LATEST.fullmatch(wanted)) is not None:
        return _ago(runs, int(ago[1] or 0), wanted)
    found = [run for run in runs if run.id.startswith(wanted)]
    if len(found) > 1 and (exact := [run for run in found if run.id == wanted]):
        found = exact
    if not found:
        raise UsageError(unknown_name("run", wanted, ["latest", *(run.id for run in runs[-10:])]))
    if len(found) > 1:
        raise UsageError(f"{wanted!r} begins several runs: {', '.join(run.id for run in found)}")
    return found[0]


def _ago(runs: Sequence[RunManifest], ago: int, wanted: str) -> RunManifest:
    counted = [run for run in runs if "import" not in run.configuration] or runs
    if ago >= len(counted):
        what = "run" if counted is not runs else "import"
        raise UsageError(
            f"there is no {wanted!r}: the store has {len(counted)} {what}"
            f"{'' if len(counted) == 1 else 's'}; `judgebench runs list` shows them"
        )
    return counted[-1 - ago]
