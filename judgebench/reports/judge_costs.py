"""What a verdict of each judge took: dollars and seconds, as far as they are on record."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from judgebench.metrics.board_kinds import Kind
from judgebench.records import HUMAN, Estimate, JudgeSpec
from judgebench.reports.document import json_field
from judgebench.store import Store

ELSEWHERE = "no call is on record: imported, or judged elsewhere"
A_PERSON = "a person"
NO_MODEL = "asks no model"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCost:
    """What a readable verdict of one judge took on a benchmark.

    usd
        nan where it is not known, and then ``no_usd`` says why.
    seconds_median, seconds_mean
        Over verdicts, of all replies to one together; nan where they are not known, and then
        ``no_seconds`` says why.
    verdicts
        Different ones that could be read; equal answers have one.
    calls, unpriced_calls
        That gave a reply; those of them without a known price are no part of ``usd``.
    """

    judge: str
    usd: float = json_field(name="usd_per_verdict")
    no_usd: str | None = json_field(name="usd_undefined")
    seconds_median: float
    seconds_mean: float
    no_seconds: str | None = json_field(name="seconds_undefined")
    verdicts: int
    calls: int
    unpriced_calls: int
    kind: Kind = "label"
    reference: str | None = json_field(hidden=True, default=None)
    scope: str = json_field(hidden=True, default="pooled")

    @property
    def metrics(self) -> dict[str, Estimate]:
        """By name, as other metrics of a judge are told."""
        return {
            name: Estimate(
                value=value, n=self.verdicts, units=self.verdicts,
                method="of what is on record", undefined=why,
            )
            for name, value, why in (
                ("usd_per_verdict", self.usd, self.no_usd),
                ("seconds_median", self.seconds_median, self.no_seconds),
                ("seconds_mean", self.seconds_mean, self.no_seconds),
            )
        }  # fmt: skip

    @property
    def in_words(self) -> dict[str, str]:
        """What a verdict took, by the title of a column; a dash with the reason if not known."""
        usd, seconds = f"{self.usd:.6f}", f"{self.seconds_median:.2f} ({self.seconds_mean:.2f})"
        return {
            "USD a verdict": f"– {self.no_usd}" if math.isnan(self.usd) else usd,
            "seconds a verdict, median (mean)": f"– {self.no_seconds}"
            if math.isnan(self.seconds_median)
            else seconds,
        }


class _Record:
    """What the store has of one judge."""

    def __init__(self) -> None:
        self.spend: dict[str, tuple[int, int, float]] = {}
        self.readable = self.replies = 0
        self.timed: list[float] = []

    def took(self, kind: str, seconds: Sequence[float]) -> None:
        """A verdict, and the seconds of its replies."""
        self.readable += kind != "unreadable"
        self.replies += len(seconds)
        if seconds and all(one > 0.0 for one in seconds):
            self.timed.append(sum(seconds))


def judge_costs(
    store: Store, benchmark: str, version: str, named: Mapping[str, str], judges: Collection[str]
) -> tuple[JudgeCost, ...]:
    """Of each of these judges, in their order.

    A reply that was kept costs what it cost when it was asked for, in whichever run, and a share of
    the attempts that were, or may have been, charged and gave none. A verdict costs as much as the
    replies that it takes to read one: those that could not be read are paid for, too.

    Parameters
    ----------
    named
        Id -> name of judges.
    judges
        By name.
    """
    found = {name: _Record() for name in judges}
    specs: dict[str, JudgeSpec] = {}
    for judge in store.judges():
        if named.get(judge.id) in found:
            specs[named[judge.id]] = judge.spec
    record_of = {one: found[name] for one, name in named.items() if name in found}
    for (judge_id, how), took in store.judge_spend(benchmark, version).items():
        if judge_id in record_of:
            record_of[judge_id].spend[how] = took
    for judge_id, kind, seconds in store.judge_replies(benchmark, version):
        if judge_id in record_of:
            record_of[judge_id].took(kind, seconds)
    return tuple(_cost(name, record, specs.get(name)) for name, record in found.items())


def _cost(name: str, record: _Record, spec: JudgeSpec | None) -> JudgeCost:
    usd, no_usd = _usd(record, spec)
    nobody = _asked_nobody(record, spec)
    timed = [] if nobody else record.timed
    no_seconds = None if timed else nobody or "no reply says how long it took"
    kept = [record.spend.get(how, (0, 0, 0.0)) for how in ("live", "batch", "recorded")]
    return JudgeCost(
        judge=name,
        usd=usd,
        no_usd=no_usd,
        seconds_median=median(timed) if timed else math.nan,
        seconds_mean=fmean(timed) if timed else math.nan,
        no_seconds=no_seconds,
        verdicts=record.readable,
        calls=sum(calls for calls, _, _ in kept),
        unpriced_calls=sum(unpriced for _, unpriced, _ in kept),
    )


def _asked_nobody(record: _Record, spec: JudgeSpec | None) -> str | None:
    """Why nobody was asked for a reply, as far as is on record."""
    if spec is not None and spec.kind == HUMAN:
        return A_PERSON
    if record.replies:
        return None
    if spec is not None and spec.kind != "imported" and spec.model is None:
        return NO_MODEL
    return ELSEWHERE


def _usd(record: _Record, spec: JudgeSpec | None) -> tuple[float, str | None]:
    nobody = _asked_nobody(record, spec)
    if nobody == NO_MODEL:
        return 0.0, None
    if nobody is not None or not record.spend:
        return math.nan, nobody or ELSEWHERE
    kept = {how: record.spend.get(how, (0, 0, 0.0)) for how in ("live", "batch", "recorded")}
    priced = sum(calls - unpriced for calls, unpriced, _ in kept.values())
    if not priced:
        return math.nan, "no call has a known price"
    if not record.readable:
        return math.nan, "no verdict could be read"
    asked = sum(calls for how, (calls, _, _) in kept.items() if how != "recorded")
    wasted = record.spend.get("wasted", (0, 0, 0.0))[2]
    a_reply = sum(cost for _, _, cost in kept.values()) / priced
    a_reply += wasted / asked if asked else 0.0
    return a_reply * record.replies / record.readable, None
