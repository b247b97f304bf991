"""``judgebench plan``: what a run would do, before it does it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import report_options, show, suite_store_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from judgebench.report.table import Document
    from judgebench.run.plan import PlanRow

COUNTS = ("items", "distinct_items", "generations", "judge_calls", "recorded")
SUMS = ("generations", "judge_calls", "recorded")


@click.command("plan", short_help="Say what a run would do. Sends nothing.")
@click.argument("suite", type=click.Path(path_type=Path))
@suite_store_option
@report_options
def command(suite: Path, store: str | None, form: str, outputs: tuple[Path, ...]) -> int:
    """Say what `judgebench run SUITE` would do. Sends nothing, writes nothing.

    Counts are of what is missing now: answers to generate, calls to make to the models that judge
    (none for a lexical judge), and verdicts that need no call, since judgment or reply is in the
    store. Identical questions are counted once.

    \b
    Example:
      judgebench plan suites/demo.yaml
    """
    from judgebench import api

    rows = api.plan(suite, store=store)
    show(_document(rows, suite), form, outputs)
    return 0


def _document(rows: Sequence[PlanRow], suite: Path) -> Document:
    from judgebench.report.table import Column, Document, Table

    names = ("benchmark", "version", "model", "judge")
    columns = [
        *(Column(title=name, wraps=name in {"model", "judge"}) for name in names),
        *(Column(title=name.replace("_", " "), align="right") for name in COUNTS),
    ]
    total = {name: sum(getattr(row, name) for row in rows) for name in SUMS}
    cells = [[str(getattr(row, name)) for name in (*names, *COUNTS)] for row in rows]
    table = Table(
        title=f"what `judgebench run {suite}` would do now",
        columns=columns,
        rows=cells,
        notes=[
            f"in all: {total['generations']} generations, {total['judge_calls']} judge calls, "
            f"{total['recorded']} verdicts that need none"
        ],
    )
    records = [asdict(row) for row in rows]
    return Document(tables=[table], records=records, data={"rows": records, "total": total})
