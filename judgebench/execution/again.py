"""Asking judges anew about what they have judged: ``run --again JUDGE``.

Replies and verdicts that come of it have keys of their own, of which the occasion is a part. What
was said before stays, with the runs that it served, and nothing changes on other benchmarks. From
then on, runs use what the judge said last on this benchmark and ask no third time. The manifest of
the run says on which occasion it asked whom, and whether that was finished.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from judgebench.errors import UsageError, unknown_name
from judgebench.execution.execute import Tally
from judgebench.execution.resolve import JudgeAssignment, ResolvedSuite
from judgebench.records import JsonObject, RunManifest, RunState

AGAIN = "again"
"""What a manifest's configuration calls it."""


def with_occasions(
    work: ResolvedSuite, runs: Sequence[RunManifest], again: Collection[str] = ()
) -> ResolvedSuite:
    """The work with assignments that know when their judges were asked anew, and who is so now.

    An asking that was interrupted, failed in part or waits in a batch is gone on with; one that
    was finished is followed by the next.

    Parameters
    ----------
    runs
        Those of the store, in the order in which they were started.
    again
        Names of judges of the suite.

    Raises
    ------
    UsageError
        For a judge that is not in the suite, or asks nobody.
    """
    _check(work, again)
    earlier = _occasions(runs)
    now = f"{AGAIN} {time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
    assignments, notes = [], []
    for assignment in work.assignments:
        finished = earlier.get(_where(assignment), {})
        assignment = replace(assignment, occasions=tuple(reversed(finished)))
        if _is_meant(assignment, again):
            unfinished = [last for last in assignment.occasions[:1] if not finished[last]]
            assignment = replace(assignment, anew=(*unfinished, now)[0])
            notes += [
                f"{assignment.title} goes on with what was begun on {_date(last)} and not finished"
                ": what came back then is not asked for once more"
                for last in unfinished
            ]
        assignments.append(assignment)
    warnings = (*work.warnings, *dict.fromkeys(notes))
    return replace(work, assignments=tuple(assignments), warnings=warnings)


def asked_again(assignments: Sequence[JudgeAssignment]) -> JsonObject:
    """What a manifest says of the judges that are asked anew: not finished, until it is."""
    told = {
        _where(s): {"occasion": s.anew, "finished": False}
        for s in assignments
        if s.anew is not None
    }
    return {AGAIN: told} if told else {}


def settled(
    configuration: JsonObject,
    assignments: Sequence[JudgeAssignment],
    judging: Mapping[str, Tally],
    state: RunState,
) -> JsonObject:
    """The configuration of a run that has ended, with what was asked anew to the end."""
    told: dict[str, Any] = dict(configuration.get(AGAIN, {}))
    for assignment in assignments:
        tally = judging.get(assignment.title)
        if assignment.anew is None or state != "done" or tally is None:
            continue
        left = tally.failed or tally.waiting or tally.stopped is not None
        told[_where(assignment)] = {"occasion": assignment.anew, "finished": not left}
    return {**configuration, AGAIN: told} if told else configuration


def _where(assignment: JudgeAssignment) -> str:
    benchmark = assignment.asked.benchmark
    return f"{assignment.key.hex()[:12]} {benchmark.name}@{benchmark.version}"


def _occasions(runs: Sequence[RunManifest]) -> dict[str, dict[str, bool]]:
    """By judge and benchmark: the occasions, the newest last, and whether each was finished."""
    found: dict[str, dict[str, bool]] = {}
    for run in runs:
        for where, told in run.configuration.get(AGAIN, {}).items():
            found.setdefault(where, {})[told["occasion"]] = told["finished"]
    return found


def _is_meant(assignment: JudgeAssignment, again: Collection[str]) -> bool:
    return assignment.name in again or assignment.title in again


def _check(work: ResolvedSuite, again: Collection[str]) -> None:
    for name in again:
        meant = [assignment for assignment in work.assignments if _is_meant(assignment, [name])]
        if not meant:
            known = dict.fromkeys(
                assignment.name for assignment in work.assignments if assignment.asks
            )
            raise UsageError(f"--again: {unknown_name('judge', name, list(known))}")
        if not any(assignment.asks for assignment in meant):
            raise UsageError(f"--again: {name} asks nobody, so it would say the same")


def _date(occasion: str) -> str:
    """``2026-11-28 16:02 UTC`` of an occasion."""
    stamp = time.strptime(occasion.split()[1][:15], "%Y%m%d-%H%M%S")
    return time.strftime("%Y-%m-%d %H:%M UTC", stamp)
