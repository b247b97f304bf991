"""``judgebench plan``: what a run would do, before it does it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judgebench.cli.options import report_options, show, suite_store_option
from judgebench.plain_text import dollars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from judgebench.report.table import Document
    from judgebench.run.forecast import PlanRow
    from judgebench.run.scales import Range

COUNTS = ("items", "distinct_items", "generations", "verdicts", "judge_calls", "recorded")
_SAVED = ("repeat a question", "need nobody to be asked")
SUMS = ("generations", "verdicts", "repeated", "settled", "judge_calls", "recorded")


@click.command("plan", short_help="Say what a run would do. Sends nothing.")
@click.argument("suite", type=click.Path(path_type=Path))
@suite_store_option
@click.option("--batch", is_flag=True, help="As `run --batch`: in batches, at their price.")
@report_options
def command(
    suite: Path, store: str | None, batch: bool, form: str, outputs: tuple[Path, ...]
) -> int:
    """Say what `judgebench run SUITE` would do. Sends nothing, writes nothing.

    Counts are of what is missing now: answers to generate, calls to make to the models that judge
    (none for a lexical judge), and verdicts that need no call, since judgment or reply is in the
    store. Identical questions are asked once: a note says of a judge's verdicts how many repeat a
    question, and how many need nobody to be asked (about a blank answer, or one that equals an
    accepted one). A row without a judge is about the answers.

    Tokens are counted as the questions would be sent; the note says by which tokenizer or estimate.
    Prices come with judgebench, dated, unless the suite states others (prices: or price:). Costs
    are a range: the least, the expected, and the most that replies up to their limit could cost.
    A reply is expected to be as long as those of the same judge before, else as its limit.

    \b
    Example:
      judgebench plan suites/demo.yaml
    """
    from judgebench import api

    rows = api.plan(suite, store=store, batch=batch)
    show(_document(rows, suite), form, outputs)
    return 0


def _document(rows: Sequence[PlanRow], suite: Path) -> Document:
    from judgebench.report.table import Column, Document, Table

    names = ("benchmark", "version", "model", "judge")
    columns = [
        *(Column(title=name, wraps=name in {"model", "judge"}) for name in names),
        *(Column(title=name.replace("_", " "), align="right") for name in COUNTS),
        Column(title="tokens in", align="right"),
        Column(title="tokens out", align="right"),
        Column(title="USD", align="right"),
    ]
    cells = [
        [
            *(str(getattr(row, name) or "") for name in names),
            *(_count(row, name) for name in COUNTS),
            _amount(row.tokens.prompt.expected),
            _amount(row.tokens.completion.expected),
            _money(row.cost_usd),
        ]
        for row in rows
    ]
    total = _total(rows)
    table = Table(
        title=f"what `judgebench run {shlex.quote(str(suite))}` would do now",
        columns=columns,
        rows=cells,
        notes=[
            f"in all: {total['generations']} generations, {total['judge_calls']} judge calls, "
            f"{total['recorded']} verdicts that need none",
            *_notes(rows),
        ],
    )
    records = [_record(row) for row in rows]
    return Document(
        tables=[table],
        records=[_flat(record) for record in records],
        data={"rows": records, "total": total},
    )


def _record(row: PlanRow) -> dict[str, Any]:
    tokens = row.tokens
    return {
        "benchmark": row.benchmark,
        "version": row.version,
        "model": row.model,
        **{name: getattr(row, name) for name in ("items", "distinct_items", "generations")},
        "judge": row.judge,
        **{name: getattr(row, name) for name in SUMS if name != "generations"},
        "prompt_tokens": round(tokens.prompt.expected),
        "completion_tokens": round(tokens.completion.expected),
        "cost_usd": None if row.cost_usd is None else _usd(row.cost_usd),
        "counted_by": row.method or None,
    }


def _count(row: PlanRow, name: str) -> str:
    """A count; nothing where it says nothing: a judge that asks nobody has no calls to count."""
    n = getattr(row, name)
    return "" if name == "verdicts" and not n else f"{n:,}"


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """A record for a format of columns."""
    cost = record.pop("cost_usd", None) or {}
    return record | {f"cost_usd_{end}": cost.get(end) for end in ("low", "expected", "high")}


def _total(rows: Sequence[PlanRow]) -> dict[str, Any]:
    from judgebench.run.scales import Range

    known = [row.cost_usd for row in rows if row.cost_usd is not None]
    return {
        **{name: sum(getattr(row, name) for row in rows) for name in SUMS},
        "prompt_tokens": round(sum(row.tokens.prompt.expected for row in rows)),
        "completion_tokens": round(sum(row.tokens.completion.expected for row in rows)),
        "cost_usd": _usd(sum(known, Range())) if len(known) == len(rows) else None,
    }


def _notes(rows: Sequence[PlanRow]) -> list[str]:
    """How tokens were counted, what it costs in all, and whose price is not known."""
    from judgebench.run.scales import Range

    notes = [
        f"{judge}: of {all_:,} verdicts "
        + " and ".join(f"{n:,} {does}" for n, does in zip(saved, _SAVED, strict=True) if n)
        for judge, (all_, *saved) in _saved(rows).items()
        if any(saved)
    ]
    methods = sorted({row.method for row in rows if row.method})
    if methods:
        notes.append(f"tokens counted by: {', '.join(methods)}")
    known = sum((row.cost_usd for row in rows if row.cost_usd is not None), Range())
    if known.high:
        notes.append(f"cost: {_money(known)} USD (least to most)")
    unknown = sorted({row.asker for row in rows if row.cost_usd is None})
    if unknown:
        notes.append(
            f"price not known: {', '.join(unknown)}; say it as price: {{input: …, output: …}} in "
            "US dollars for a million tokens"
        )
    return notes


def _saved(rows: Sequence[PlanRow]) -> dict[str, tuple[int, int, int]]:
    """Of each judge, its verdicts, and how many of them need no call of their own, and why."""
    found: dict[str, tuple[int, int, int]] = {}
    for row in rows:
        if row.judge is not None:
            before = found.get(row.judge, (0, 0, 0))
            now = (row.verdicts, row.repeated, row.settled)
            found[row.judge] = (before[0] + now[0], before[1] + now[1], before[2] + now[2])
    return found


def _usd(cost: Range) -> dict[str, float]:
    return {end: round(getattr(cost, end), 6) for end in ("low", "expected", "high")}


def _amount(tokens: float) -> str:
    return f"{tokens:,.0f}" if tokens else ""


def _money(cost: Range | None) -> str:
    if cost is None:
        return "?"
    if not cost.high:
        return ""
    return f"{dollars(cost.expected)} ({dollars(cost.low)}–{dollars(cost.high)})"
