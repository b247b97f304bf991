"""What runs took: calls, tokens and money, by who was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from judgebench.execution.forecast import Range
from judgebench.reports.boards import Columns, told_apart
from judgebench.reports.document import Column, Document, Table
from judgebench.store import Store

HOWS = ("live", "batch", "recorded", "retried", "wasted")
TOKENS = (
    "prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens",
    "reasoning_tokens",
)  # fmt: skip


@dataclass(slots=True)
class Taken:
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

    def add(self, row: Mapping[str, Any]) -> None:
        """One row of `Store.spend`."""
        self.calls[row["how"]] += row["calls"]
        if row["how"] == "recorded":
            self.saved_usd += row["cost_usd"]
            self.saved_unpriced += row["unpriced_calls"]
            return
        if row["how"] == "retried":  # not charged: it took nothing, whatever the price is
            return
        self.tokens.update({name: row[name] for name in TOKENS})
        self.cost_usd += row["cost_usd"]
        self.unpriced += row["unpriced_calls"]

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


def spend_document(store: Store, run_id: str | None = None) -> Document:
    """What one run took, or all runs of a store: by run, benchmark and who was asked, and in all.

    In the JSON a cost is null where no call has a known price, and ``unpriced_calls`` says how many
    have none; what is unknown is never counted as 0. With all runs stand the budgets of projects.
    """
    columns = store.spend(run_id)
    names = ("run_id", "benchmark", "version", "role", "asker")
    records = [
        dict(zip(names, who, strict=True)) | _record(taken)
        for who, taken in _by(columns, names).items()
    ]
    tables = [spend_table(columns, title=f"spent by {f'run {run_id}' if run_id else 'all runs'}")]
    data: dict[str, Any] = {"rows": records, "total": _record(_total(columns))}
    budgets = store.budgets()
    if run_id is None and budgets["project"]:
        tables.append(_budget_table(budgets))
        rows = zip(*budgets.values(), strict=True)
        data["budgets"] = [dict(zip(budgets, row, strict=True)) for row in rows]
    return Document(tables=tables, records=records, data=data)


def _budget_table(budgets: Columns) -> Table:
    """What projects may cost in a month, and what of it is spent, or reserved by runs under way."""
    rows = zip(*budgets.values(), strict=True)
    return Table(
        title="budgets of projects, by month (UTC)",
        columns=[
            Column(title="project", wraps=True),
            Column(title="month"),
            *(
                Column(title=name, align="right")
                for name in ("spent USD", "reserved USD", "cap USD")
            ),
        ],
        rows=[
            [project, month, *(f"{usd:.4f}" for usd in money)] for project, month, *money in rows
        ],
    )


def spend_table(
    columns: Columns, forecast: Mapping[str, Range | None] | None = None, *, title: str = "spent"
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
    rows = _by(columns, ("name", "role"))
    asked = {name for name, _ in rows}
    rows |= {
        (name, ""): Taken()
        for name, cost in (forecast or {}).items()
        if name not in asked and (cost is None or cost.high)
    }
    expected = [] if forecast is None else [forecast.get(name, Range()) for name, _ in rows]
    lines = list(rows.items())
    if len(lines) > 1:
        lines.append((("all", ""), _total(columns)))
        expected += [] if forecast is None else [_sum(forecast)]
    shown = [
        column
        for column in _COLUMNS
        if not column.spare or any(column.says(taken) not in _NOTHING for _, taken in lines)
    ]
    return Table(
        title=title,
        columns=[
            Column(title="asked", wraps=True),
            Column(title="as"),
            *(Column(title=one.title, align="right", spare=one.spare) for one in shown),
            *([] if forecast is None else [Column(title="forecast USD", align="right")]),
        ],
        rows=[
            [*who, *(one.says(taken) for one in shown), *map(_range, expected[i : i + 1])]
            for i, (who, taken) in enumerate(lines)
        ],
        notes=_notes(_total(columns)) if rows else ["no call is on record"],
    )  # fmt: skip


class _Shown(NamedTuple):
    """A column; one that is spare is left out where it says nothing."""

    title: str
    says: Callable[[Taken], str]
    spare: bool = False


def _calls(how: str) -> Callable[[Taken], str]:
    return lambda taken: str(taken.calls[how])


def _tokens(kind: str) -> Callable[[Taken], str]:
    return lambda taken: f"{taken.tokens[kind]:,}"


def _usd(cost: float | None, *, at_least: bool = False) -> str:
    if cost is None:
        return "not known"
    return f"{'≥ ' if at_least else ''}{cost:.4f}"


def _saved(taken: Taken) -> str:
    if not taken.calls["recorded"]:
        return ""
    return _usd(taken.known_saving, at_least=taken.saved_unpriced > 0)


_NOTHING = {"", "0"}
_COLUMNS = (
    _Shown("calls", _calls("live")),
    *(_Shown(how, _calls(how), spare=True) for how in HOWS[1:]),
    _Shown("tokens in", _tokens("prompt_tokens")),
    _Shown("cached", _tokens("cached_tokens"), spare=True),
    _Shown("cache writes", _tokens("cache_write_tokens"), spare=True),
    _Shown("tokens out", _tokens("completion_tokens")),
    _Shown("reasoning", _tokens("reasoning_tokens"), spare=True),
    _Shown("USD", lambda taken: _usd(taken.known_cost, at_least=taken.unpriced > 0)),
    _Shown("saved USD", _saved, spare=True),
)  # fmt: skip


def _by(columns: Columns, names: Sequence[str]) -> dict[tuple[str, ...], Taken]:
    """The rows added up by some of their values; for its answers, a model itself is asked."""
    called = {who: told_apart([columns], who) for who in ("judge", "model")}
    found: dict[tuple[str, ...], Taken] = {}
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        who = "model" if row["judge_id"] is None else "judge"
        row["role"] = "candidate" if who == "model" else "judge"
        row["name"] = row[who]
        row["asker"] = called[who][row[f"{who}_id"]]
        found.setdefault(tuple(row[name] for name in names), Taken()).add(row)
    return found


def _total(columns: Columns) -> Taken:
    return _by(columns, ()).get((), Taken())


def _record(taken: Taken) -> dict[str, Any]:
    return {
        **{f"{how}_calls": taken.calls[how] for how in HOWS},
        **{name: taken.tokens[name] for name in TOKENS},
        "cost_usd": taken.known_cost,
        "unpriced_calls": taken.unpriced,
        "saved_usd": taken.known_saving,
    }


def _range(expected: Range | None) -> str:
    if expected is None:
        return "not known"
    return f"{expected.expected:.4f} ({expected.low:.4f} to {expected.high:.4f})"


def _sum(forecast: Mapping[str, Range | None]) -> Range | None:
    known = [expected for expected in forecast.values() if expected is not None]
    return sum(known, Range()) if len(known) == len(forecast) else None


def _notes(total: Taken) -> list[str]:
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
