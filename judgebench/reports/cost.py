"""What runs took: calls, tokens and money, by who was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from judgebench.columns import grouped
from judgebench.execution.forecast import Range
from judgebench.reports.boards import Columns, disambiguate
from judgebench.reports.document import Cells, Report, Rows, Table, column, json_field, table
from judgebench.store import Store

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
            columns: list[Cells[Mapping[str, Any]]] = [
                column("project", lambda row: row["project"], wraps=True),
                column("month", lambda row: row["month"]),
                column("spent USD", lambda row: f"{row['spent_usd']:.4f}", align="right"),
                column("reserved USD", lambda row: f"{row['reserved_usd']:.4f}", align="right"),
                column("cap USD", lambda row: f"{row['cap_usd']:.4f}", align="right"),
            ]
            found.append(table("budgets of projects, by month (UTC)", self.budgets, columns))
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
    said = []
    if total.unpriced:
        said.append(
            f"calls without a known price: {total.unpriced}, not in the sums; a suite states the "
            "price as prices: or price:"
        )
    if wasted := total.calls["wasted"]:
        said.append(
            f"attempts that gave no reply and may have been charged: {wasted}; what they took is "
            "an upper bound"
        )
    if total.calls["recorded"]:
        said.append("saved: what the recorded replies had cost when they were asked for")
    return said
