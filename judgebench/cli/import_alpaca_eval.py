"""``judgebench import alpaca-eval``: what the command line says becomes what is taken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from judgebench.cli.streams import say

FORMAT = "alpaca-eval"
MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be said about files of AlpacaEval."""

    model_outputs: Sequence[Path]
    reference_outputs: Sequence[Path]
    benchmark: str | None
    model: str | None
    judge: str | None
    baseline: str | None

    @property
    def given(self) -> bool:
        return any(
            (
                self.model_outputs,
                self.reference_outputs,
                self.benchmark,
                self.model,
                self.judge,
                self.baseline,
            )
        )


def take_in(
    paths: Sequence[Path], options: Options, *, allow_unknown_items: bool, store: str
) -> None:
    """Read all files, store what is new, and say what that was."""
    from judgebench.benchmarks.description import split_version
    from judgebench.exchange.alpaca_eval import import_alpaca_eval
    from judgebench.exchange.alpaca_eval_ids import BENCHMARK
    from judgebench.exchange.alpaca_eval_rows import Told, gather
    from judgebench.store import open_store

    benchmark, version = split_version(options.benchmark or BENCHMARK)
    gathered = gather(
        paths,
        model_outputs=options.model_outputs,
        reference_outputs=options.reference_outputs,
        told=Told(model=options.model, judge=options.judge, baseline=options.baseline),
    )
    with open_store(store) as opened:
        report = import_alpaca_eval(
            opened,
            gathered,
            benchmark=benchmark,
            version=version,
            allow_unknown_items=allow_unknown_items,
        )
    for warning in report.warnings:
        say(f"warning: {warning}")
    if report.unsaid:
        named = [f"{model} ({n})" for model, n in report.unsaid.items()]
        more = f" and {len(named) - MOST} more" if len(named) > MOST else ""
        say(
            "warning: pairs with neither preference nor reply, which count as unreadable: "
            + ", ".join(named[:MOST])
            + more
        )
    files = f"{report.files} files" if report.files != 1 else str(gathered.files[0])
    say(
        f"{files}: {report.benchmark}@{report.version}, {report.models} models; "
        f"{report.verdicts} verdicts, {report.new_verdicts} new; "
        f"{report.answers} responses, {report.new_answers} new"
    )
