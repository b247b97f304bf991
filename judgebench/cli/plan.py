"""``judgebench plan``: what a run would do, before it does it."""

from __future__ import annotations

import math
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judgebench.cli.options import (
    Cell,
    listing,
    narrowing_options,
    report_options,
    show,
    suite_store_option,
)
from judgebench.cli.streams import say
from judgebench.plain_text import dollars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from judgebench.config import Shard
    from judgebench.execution.forecast import PlanRow, Range
    from judgebench.execution.preflight import Finding
    from judgebench.reports.document import Document
    from judgebench.reports.gate_policy import Policy

COUNTS = ("items", "distinct_items", "generations", "verdicts", "judge_calls", "recorded")
_SAVED = ("repeat a question", "need nobody to be asked")
SUMS = ("generations", "verdicts", "repeated", "settled", "judge_calls", "recorded")


@click.command("plan")
@click.argument("suite", type=click.Path(path_type=Path))
@suite_store_option
@click.option("--batch", is_flag=True, help="As `run --batch`: in batches, at their price.")
@click.option(
    "--refresh-anchors", is_flag=True, help="As `run --refresh-anchors`: also what that asks."
)
@click.option(
    "--again",
    multiple=True,
    metavar="JUDGE",
    help="As `run --again`: what asking a judge anew takes. Repeatable.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, min_open=True),
    metavar="X",
    help="Also how many items would detect a drop of X, in the units of each judge's metric.",
)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path),
    metavar="gate.yaml",
    help="A gate's policy: how often it would pass an unchanged model with these items.",
)
@narrowing_options
@report_options
def command(
    suite: Path,
    store: str | None,
    models: tuple[str, ...],
    judges: tuple[str, ...],
    limit: int | None,
    shard: Shard | None,
    batch: bool,
    refresh_anchors: bool,
    again: tuple[str, ...],
    margin: float | None,
    policy_file: Path | None,
    form: str,
    outputs: tuple[Path, ...],
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
    A reply is expected to be as long as those of the same judge before, once 20 of them are kept;
    until then it counts as long as its limit, an upper bound, which ≤ marks.

    Detectable is the smallest drop that the items would show with a power of 80 %, in a gate at
    alpha 0.05: a share for accuracies, percent for win rates, points for scores. It is worked out
    from how much models differed before, in the store, in the eyes of this judge, of others of its
    name or of its kind; where there is no such history it is not known, and a note says so.

    What a run would lack here is said as a warning: a package, a key that is not set, room on the
    GPUs. `judgebench doctor SUITE` also asks those who are asked in a run.

    A note says how often a gate of these benchmarks and judges would pass an unchanged model, at an
    allowed drop of 2 points of the scale (with --margin, of X; with --policy, as it says), and
    which drop or how many items would make it 80 %.

    Of a judge that compares, a second table says what that drop (with --margin, a drop of X) takes
    through the board, where candidate and baseline are compared with the benchmark's opponent, and
    head to head, where they are compared with each other in both orders (gate --head-to-head).
    ≤ stands before the most that it can be, where nobody has compared in both orders yet.

    \b
    Examples:
      judgebench plan suites/demo.yaml
      judgebench plan suites/demo.yaml --margin 0.02
      judgebench plan nightly.yaml --limit 50 --judge gpt
      judgebench plan suites/nightly/suite.yaml --policy suites/nightly/gate.yaml
    """
    from judgebench import api
    from judgebench.config import Narrowing, load_suite
    from judgebench.reports.gate_policy import read_policy

    for note in load_suite(suite).notes:
        say(f"warning: {note}")
    policy = None if policy_file is None else read_policy(policy_file)
    lacking: list[Finding] = []
    rows = api.plan(
        suite,
        store=store,
        batch=batch,
        margin=margin,
        refresh_anchors=refresh_anchors,
        again=again,
        narrowing=Narrowing(limit=limit, models=models, judges=judges, shard=shard),
        on_need=lacking.append,
    )
    lacking = [need for need in lacking if need.state == "fault"]
    for found in dict.fromkeys(need.found for need in lacking):
        who = ", ".join(need.what for need in lacking if need.found == found)
        say(f"warning: {who}: {found}")
    words = [str(suite), *(word for name in models for word in ("--model", name))]
    words += [word for name in judges for word in ("--judge", name)]
    words += [] if limit is None else ["--limit", str(limit)]
    words += [] if shard is None else ["--shard", str(shard)]
    document = _document(rows, shlex.join(words), margin, policy)
    document.data["lacking"] = [need._asdict() for need in lacking]
    show(document, form, outputs)
    return 0


def _document(
    rows: Sequence[PlanRow], asked: str, margin: float | None, policy: Policy | None
) -> Document:
    from judgebench.reports.power import (
        design_notes,
        design_records,
        design_table,
        gate_ahead,
        gate_notes,
        gate_record,
    )
    from judgebench.reports.power import notes as of_detectable

    columns: dict[str, Cell] = {
        "benchmark": "benchmark",
        "version": "version",
        "model~": "model",
        "judge~": lambda row: row.judge or "",
        **{f"{name.replace('_', ' ')}>": partial(_count, name=name) for name in COUNTS},
        "tokens in>": lambda row: _amount(row.tokens.prompt.expected),
        "tokens out>": lambda row: (
            ("≤ " if row.at_most else "") + _amount(row.tokens.completion.expected)
        ),
        "USD>": lambda row: _money(row.cost_usd),
        "detectable>?": _detectable,
    }
    if margin is not None:
        columns[f"items for {margin:g}>?"] = _items_needed
    total, gate, of_designs = _total(rows), gate_ahead(rows, policy), design_table(rows)
    notes = [
        f"in all: {total['generations']} generations, {total['judge_calls']} judge calls, "
        f"{total['recorded']} verdicts that need none",
        *_notes(rows),
        *of_detectable(rows),
        *gate_notes(*gate),
        *design_notes(rows),
    ]
    title = f"what `judgebench run {asked}` would do now"
    document = listing(title, rows, columns, _record, flat=_flat, data="rows", notes=notes)
    return replace(
        document,
        tables=[*document.tables, *([] if of_designs is None else [of_designs])],
        data={
            **document.data,
            "total": total,
            "designs": design_records(rows),
            "gate": gate_record(*gate),
        },
    )


def _record(row: PlanRow) -> dict[str, Any]:
    tokens = row.tokens
    return {
        "benchmark": row.benchmark,
        "version": row.version,
        "model": row.model,
        **{name: getattr(row, name) for name in ("items", "distinct_items", "generations")},
        **({"preset": row.preset.name} if row.judge is None else {}),
        "judge": row.judge,
        **{name: getattr(row, name) for name in SUMS if name != "generations"},
        "prompt_tokens": round(tokens.prompt.expected),
        "completion_tokens": round(tokens.completion.expected),
        "cost_usd": None if row.cost_usd is None else _usd(row.cost_usd),
        "upper_bound": row.at_most,
        "counted_by": row.method or None,
        **_could_detect(row),
    }


def _could_detect(row: PlanRow) -> dict[str, Any]:
    """Null where it is not known, and then why."""
    from judgebench.reports.estimates import finite

    found = row.detectable
    needed = None if found is None else finite(found.items_needed)
    said: dict[str, Any] = {
        "detectable_difference": None if found is None else finite(found.difference),
        "items_needed": None if needed is None else math.ceil(needed),
    }
    if found is not None and found.undefined is not None:
        said["detectable_undefined"] = found.undefined
    return said


def _detectable(row: PlanRow) -> str:
    """The cell about it, empty where it is not asked."""
    from judgebench.metrics.registry import metric
    from judgebench.reports.estimates import UNDEFINED

    found = row.detectable
    if found is None or math.isnan(found.difference):
        return "" if found is None else UNDEFINED
    return f"{found.difference:.{metric(found.metric).digits}f}"


def _items_needed(row: PlanRow) -> str:
    from judgebench.reports.estimates import UNDEFINED

    if row.detectable is None:
        return ""
    n = row.detectable.items_needed
    return UNDEFINED if n is None or not math.isfinite(n) else f"{math.ceil(n):,}"


def _count(row: PlanRow, name: str) -> str:
    """A count; nothing where it says nothing: a judge that asks nobody has no calls to count."""
    n = getattr(row, name)
    return "" if name == "verdicts" and not n else f"{n:,}"


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record for a format of columns."""
    cost = record["cost_usd"] or {}
    others = {name: value for name, value in record.items() if name != "cost_usd"}
    return others | {f"cost_usd_{end}": cost.get(end) for end in ("low", "expected", "high")}


def _total(rows: Sequence[PlanRow]) -> dict[str, Any]:
    from judgebench.execution.forecast import Range

    known = [row.cost_usd for row in rows if row.cost_usd is not None]
    return {
        **{name: sum(getattr(row, name) for row in rows) for name in SUMS},
        "prompt_tokens": round(sum(row.tokens.prompt.expected for row in rows)),
        "completion_tokens": round(sum(row.tokens.completion.expected for row in rows)),
        "cost_usd": _usd(sum(known, Range())) if len(known) == len(rows) else None,
    }


def _notes(rows: Sequence[PlanRow]) -> list[str]:
    """Presets, how tokens were counted, what it costs in all, and whose price is not known."""
    from judgebench.benchmarks.presets import CLEAN
    from judgebench.execution.forecast import ENOUGH_CALLS, Range

    asked = [row for row in rows if row.preset.name != CLEAN]
    judged = {row.benchmark for row in rows if row.judge}
    unjudged = dict.fromkeys(row.benchmark for row in rows if row.benchmark not in judged)
    notes = [
        _preset([row for row in asked if row.benchmark == benchmark])
        for benchmark in dict.fromkeys(row.benchmark for row in asked)
    ]
    notes += [
        f"{judge}: of {all_:,} verdicts "
        + " and ".join(f"{n:,} {does}" for n, does in zip(saved, _SAVED, strict=True) if n)
        for judge, (all_, *saved) in _saved(rows).items()
        if any(saved)
    ]
    if unjudged:
        notes.append(f"answers alone, since the suite names no judges there: {', '.join(unjudged)}")
    methods = sorted({row.method for row in rows if row.method})
    if methods:
        notes.append(f"tokens counted by: {', '.join(methods)}")
    if at_most := sorted({row.asker for row in rows if row.at_most}):
        notes.append(
            f"tokens out are an upper bound, since fewer than {ENOUGH_CALLS} replies are kept: "
            + ", ".join(at_most)
        )
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


def _preset(rows: Sequence[PlanRow]) -> str:
    """How a preset has the models of a benchmark asked."""
    preset = rows[0].preset
    models = "; ".join(f"{row.model}: {_settings(row.decoding)}" for row in rows)
    note = f" Besides: {preset.note}." if preset.note else ""
    return f"{rows[0].benchmark} asks as its preset {preset.name} says ({models}).{note}"


def _settings(decoding: Mapping[str, Any]) -> str:
    """Sampling in a line; a temperature that follows the category is said to."""
    said = []
    for name, value in decoding.items():
        if name == "further":
            said.append(f"further answers with {_settings(value)}")
        else:
            said.append(f"{name} {'by category' if isinstance(value, dict) else value}")
    return ", ".join(said) or "nothing is sent"


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
