"""What runs took, what a verdict of each judge takes, and what it takes to have again what goes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, ClassVar

from judgebench.columns import grouped
from judgebench.metrics.board_kinds import Kind
from judgebench.plain_text import counted, dollars, holding
from judgebench.records import HUMAN, Estimate, JudgeSpec
from judgebench.reports.boards import Columns, disambiguate
from judgebench.reports.document import Cells, Report, Rows, Table, column, json_field, table
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.execution.forecast import Range
    from judgebench.store.copy import Forgotten

HOWS = ("live", "batch", "recorded", "retried", "wasted")
TOKENS = (
    "prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens",
    "reasoning_tokens",
)  # fmt: skip
_WHOSE = ("run_id", "benchmark", "version", "role", "asker")
_MONEY = ("cost_usd", "unpriced_calls", "saved_usd")


@dataclass(slots=True)
class Cost:
    """What some calls took.

    calls
        By how their reply was had (see `records.Spend`).
    tokens
        Of the calls that were charged or may have been, by kind, as far as they are known.
    cost_usd, unpriced
        Of the same calls: what those with a price cost, and how many have none.
    saved_usd, saved_unpriced
        The same of the replies that were on record.
    """

    calls: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    cost_usd: float = 0.0
    unpriced: int = 0
    saved_usd: float = 0.0
    saved_unpriced: int = 0

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Cost:
        """Of rows of `Store.spend`."""
        found = cls()
        for row in rows:
            found.calls[row["how"]] += row["calls"]
            if row["how"] == "recorded":
                found.saved_usd += row["cost_usd"]
                found.saved_unpriced += row["unpriced_calls"]
            elif row["how"] != "retried":  # not charged: it took nothing, whatever the price is
                found.tokens.update({name: row[name] for name in TOKENS})
                found.cost_usd += row["cost_usd"]
                found.unpriced += row["unpriced_calls"]
        return found

    @property
    def known_cost(self) -> float | None:
        """None where none of them has a price."""
        sent = self.calls.total() - self.calls["recorded"] - self.calls["retried"]
        return None if sent and self.unpriced == sent else self.cost_usd

    @property
    def known_saving(self) -> float | None:
        """None where no reply on record has a price."""
        recorded = self.calls["recorded"]
        return None if recorded and self.saved_unpriced == recorded else self.saved_usd

    def record(self) -> dict[str, Any]:
        """What is unknown is None, never 0."""
        money = self.known_cost, self.unpriced, self.known_saving
        return {
            **{f"{how}_calls": self.calls[how] for how in HOWS},
            **{name: self.tokens[name] for name in TOKENS},
            **dict(zip(_MONEY, money, strict=True)),
        }


def cost_rows(columns: Columns) -> Iterator[Mapping[str, Any]]:
    """The rows of `Store.spend`, with who was asked; for its answers, a model itself is."""
    names = {who: disambiguate([columns], who) for who in ("judge", "model")}
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        who = "model" if row["judge_id"] is None else "judge"
        yield row | {
            "role": "candidate" if who == "model" else "judge",
            "name": row[who],
            "asker": names[who][row[f"{who}_id"]],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport(Report):
    """What one run took, or all runs of a store: by run, benchmark and who was asked, and in all.

    A cost is None where no call has a known price, and ``unpriced_calls`` says how many have none;
    what is unknown is never counted as 0. With all runs stand the budgets of projects.
    """

    ROWS: ClassVar = (
        Rows(of="rows", row=(*_WHOSE, *(f"{how}_calls" for how in HOWS), *TOKENS, *_MONEY)),
    )

    rows: tuple[Mapping[str, Any], ...]
    total: Mapping[str, Any]
    budgets: tuple[Mapping[str, Any], ...] = json_field(omit_empty=True)
    columns: Columns = json_field(hidden=True)
    title: str = json_field(hidden=True)

    def tables(self) -> list[Table]:
        """By who was asked, and the budgets of projects."""
        found = [cost_table(self.columns, title=self.title)]
        if self.budgets:
            found.append(
                table(
                    "budgets of projects, by month (UTC)",
                    self.budgets,
                    [
                        column("project", lambda row: row["project"], wraps=True),
                        column("month", lambda row: row["month"]),
                        column("spent USD", lambda row: f"{row['spent_usd']:.4f}", align="right"),
                        column(
                            "reserved USD", lambda row: f"{row['reserved_usd']:.4f}", align="right"
                        ),
                        column("cap USD", lambda row: f"{row['cap_usd']:.4f}", align="right"),
                    ],
                )
            )
        return found


def cost_report(store: Store, run_id: str | None = None) -> CostReport:
    """What one run took, or all runs of a store."""
    columns = store.spend(run_id)
    rows = list(cost_rows(columns))
    by = grouped((tuple(row[name] for name in _WHOSE), row) for row in rows)
    budgets = store.budgets() if run_id is None else {"project": []}
    return CostReport(
        rows=tuple(
            dict(zip(_WHOSE, who, strict=True)) | Cost.of(some).record() for who, some in by.items()
        ),
        total=Cost.of(rows).record(),
        budgets=tuple(
            dict(zip(budgets, row, strict=True)) for row in zip(*budgets.values(), strict=True)
        ),
        columns=columns,
        title=f"cost of {f'run {run_id}' if run_id else 'all runs'}",
    )


def cost_table(
    columns: Columns, forecast: Mapping[str, Range | None] | None = None, *, title: str = "cost"
) -> Table:
    """Calls, tokens and cost of every judge and of every model that answered behind an API.

    Parameters
    ----------
    columns
        As `Store.spend` gives them.
    forecast
        What was expected of each judge and model, in US dollars; None where no price was known. Who
        is named there and was not asked has a row as well.
    """
    from judgebench.execution.forecast import Range  # a board, which has costs, does without

    spent, expected = list(cost_rows(columns)), forecast or {}
    total = Cost.of(spent)
    lines: list[_Line] = [
        (name, role, Cost.of(some), expected.get(name, Range()))
        for (name, role), some in grouped(
            ((row["name"], row["role"]), row) for row in spent
        ).items()
    ]
    asked = {line[0] for line in lines}
    lines += [
        (name, "", Cost(), cost)
        for name, cost in expected.items()
        if name not in asked and (cost is None or cost.high)
    ]
    notes = _notes(total) if lines else ["no call is on record"]
    if len(lines) > 1:
        known = [one for one in expected.values() if one is not None]
        whole = sum(known, Range()) if len(known) == len(expected) else None
        lines.append(("all", "", total, whole))
    shown: list[Cells[_Line]] = [
        column("asked", lambda line: line[0], wraps=True),
        column("role", lambda line: line[1]),
    ]
    for name, kind in _SHOWN.items():
        cell, spare = partial(_cell, name=name), kind not in _ALWAYS
        if not spare or any(cell(line) not in ("", "0") for line in lines):
            shown.append(column(name, cell, align="right", spare=spare))
    if forecast is not None:
        shown.append(column("forecast USD", lambda line: _range(line[3]), align="right"))
    return table(title, lines, shown, notes=notes)


_Line = tuple[str, str, Cost, "Range | None"]
"""Who was asked, as what, what it took, and what was expected."""


_SHOWN = {
    "calls": "live_calls",
    **{how: f"{how}_calls" for how in HOWS[1:]},
    "tokens in": "prompt_tokens",
    "cached": "cached_tokens",
    "cache writes": "cache_write_tokens",
    "tokens out": "completion_tokens",
    "reasoning": "reasoning_tokens",
    "USD": "cost_usd",
    "saved USD": "saved_usd",
}
"""By title, what is shown of a cost."""

_ALWAYS = ("live_calls", "prompt_tokens", "completion_tokens", "cost_usd")
"""What is shown also where it is nothing everywhere."""


def _cell(line: _Line, name: str) -> str:
    cost, kind = line[2], _SHOWN[name]
    if kind == "saved_usd" and not cost.calls["recorded"]:
        return ""
    value = cost.record()[kind]
    if not kind.endswith("usd"):
        return f"{value:,}"
    unpriced = cost.unpriced if kind == "cost_usd" else cost.saved_unpriced
    return "not known" if value is None else f"{'≥ ' if unpriced else ''}{value:.4f}"


def _range(expected: Range | None) -> str:
    if expected is None:
        return "not known"
    return f"{expected.expected:.4f} ({expected.low:.4f} to {expected.high:.4f})"


def _notes(total: Cost) -> list[str]:
    wasted = total.calls["wasted"]
    said = {
        f"calls without a known price: {total.unpriced}, not in the sums; a suite states the "
        "price as prices: or price:": total.unpriced,
        f"attempts that gave no reply and may have been charged: {wasted}; what they took is "
        "an upper bound": wasted,
        "saved: what the recorded replies had cost when they were asked for": (
            total.calls["recorded"]
        ),
    }
    return holding(said)


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


@dataclass(slots=True)
class _Record:
    """What the store has of one judge."""

    readable: int = 0
    replies: int = 0
    timed: Sequence[float] = ()
    spend: dict[str, tuple[int, int, float]] = field(default_factory=dict)


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
    id_of = {name: one for one, name in named.items()}
    specs = {judge.id: judge.spec for judge in store.judges()}
    replies = store.judge_replies(benchmark, version)
    records = {name: _Record(*replies.get(id_of.get(name, ""), ())) for name in judges}
    for (judge_id, how), took in store.judge_spend(benchmark, version).items():
        if (record := records.get(named.get(judge_id, ""))) is not None:
            record.spend[how] = took
    return tuple(_cost(name, its, specs.get(id_of.get(name, ""))) for name, its in records.items())


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


_ASKED = ("live", "batch")


def paid(store: Store, at: tuple[str, str] | None = None) -> dict[str, tuple[float, int]]:
    """By id of each judge, what its calls with a known price cost, and how many they are.

    ``at`` is the benchmark, by name and version; over all runs if None.
    """
    found: dict[str, tuple[float, int]] = {}
    spend = store.spend()
    names = ("benchmark", "version", "judge_id", "how", "calls", "unpriced_calls", "cost_usd")
    for benchmark, version, judge, how, n, unpriced, usd in zip(
        *(spend[name] for name in names), strict=True
    ):
        if (
            judge is not None
            and how in _ASKED
            and n > unpriced
            and at in (None, (benchmark, version))
        ):
            cost, calls = found.get(judge, (0.0, 0))
            found[judge] = cost + usd, calls + n - unpriced
    return found


def usd_per_call(store: Store) -> dict[str, float]:
    """What a call of each judge, by id, cost on average, over all runs; without those not known."""
    return {judge: cost / n for judge, (cost, n) in paid(store).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenReport(Report):
    """What goes, or went; as `store.copy.Forgotten` says, with what it takes to have it again.

    removed
        Whether it is gone already.
    judges
        Of each judge; ``cost_usd`` is None where nobody can be asked, or the price is not known.
    """

    ROWS: ClassVar = (
        Rows(
            of="judges",
            row=(
                *("judge", "judge_id", "judgments", "elsewhere", "replies"),
                *("prompt_tokens", "completion_tokens", "uncounted", "cost_usd"),
            ),
        ),
    )

    removed: bool
    judges: tuple[Mapping[str, Any], ...]
    judgments: int
    verdicts: int
    replies: int
    runs: tuple[str, ...]
    shared: int
    pinned: int
    needed_replies: int
    earlier: int
    anchors: int
    failures: int

    def tables(self) -> list[Table]:
        """The judgments of each judge, and what asking for them again would take."""
        title = "forgotten" if self.removed else "would be forgotten"
        return [
            table(
                f"{title}: {counted(self.judgments, 'judgment')}, which served as "
                f"{counted(self.verdicts, 'verdict')} in {counted(len(self.runs), 'run')}",
                self.judges,
                [
                    column("judge", lambda row: row["judge"], wraps=True),
                    column("judgments", lambda row: f"{row['judgments']:,}", align="right"),
                    column("replies", lambda row: f"{row['replies']:,}", align="right"),
                    column(
                        "tokens in",
                        lambda row: f"{row['prompt_tokens']:,}",
                        align="right",
                        spare=True,
                    ),
                    column(
                        "tokens out",
                        lambda row: f"{row['completion_tokens']:,}",
                        align="right",
                        spare=True,
                    ),
                    column("to have them again", _again, align="right"),
                ],
                notes=self._notes(),
            )
        ]

    def _notes(self) -> list[str]:
        replies = counted(self.needed_replies, "reply", "replies")
        costs = [one["cost_usd"] for one in self.judges if one["replies"]]
        said = {
            f"kept: {counted(self.shared, 'judgment')} that serve elsewhere as well; running "
            "again uses them and does not ask anew": self.shared,
            f"kept: {counted(self.pinned, 'judgment')}, as anchors of their judge": self.pinned,
            f"kept: {replies} that other verdicts were read from": self.needed_replies,
            f"{counted(self.earlier, 'verdict')} of the same judges on the same answers count "
            "again in their place, so that nobody is asked there": self.earlier,
            f"with them {counted(self.anchors, 'anchor')} and every look at these": self.anchors,
            f"with them {counted(self.failures, 'failure')}": self.failures,
            "tokens: those that replies state, which not all of them do": any(
                one["uncounted"] for one in self.judges
            ),
            "cost: as the calls of each judge cost until now, on average": any(
                cost is not None for cost in costs
            ),
            "what they took stays on record, and so do runs, models, judges and answers": (
                self.removed
            ),
            "nothing is removed yet: --yes removes it, for good; the next run then asks anew": (
                not self.removed
            ),
        }
        return holding(said)


def forgotten_report(
    found: Forgotten, names: Mapping[bytes, str], per_call: Mapping[str, float], *, removed: bool
) -> ForgottenReport:
    """The report on what goes, or went.

    Parameters
    ----------
    names
        Judge's key -> name.
    per_call
        Judge's id -> US dollars (`usd_per_call`).
    removed
        Whether it is gone already.
    """
    counts = ("verdicts", "shared", "pinned", "needed_replies", "earlier", "anchors", "failures")
    return ForgottenReport(
        removed=removed,
        judges=tuple(_of_judge(one, names, per_call) for one in found.judges),
        judgments=found.judgments,
        replies=sum(one["replies"] for one in found.judges),
        runs=found.runs,
        **{name: getattr(found, name) for name in counts},
    )


def _of_judge(
    one: Mapping[str, Any], names: Mapping[bytes, str], per_call: Mapping[str, float]
) -> dict[str, Any]:
    judge_id, replies = one["judge"].hex()[:12], one["replies"]
    each = per_call.get(judge_id) if replies else 0.0
    return {
        "judge": names[one["judge"]],
        "judge_id": judge_id,
        **{name: value for name, value in one.items() if name != "judge"},
        "cost_usd": None if one["elsewhere"] or each is None else replies * each,
    }


def _again(row: Mapping[str, Any]) -> str:
    cost = row["cost_usd"]
    if row["elsewhere"]:
        return "import them again"
    if not row["replies"]:
        return "no call"
    price = "price not known" if cost is None else f"about {dollars(cost)} USD"
    return f"{counted(row['replies'], 'call')}, {price}"
