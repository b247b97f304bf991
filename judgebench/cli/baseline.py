"""``judgebench baseline``: which model a gate's baseline is, by a name that moves on."""

from __future__ import annotations

from pathlib import Path

import click

from judgebench.cli.options import report_options, show, store_option
from judgebench.cli.streams import say

NOT_PASSED = 2


@click.group("baseline", short_help="Baselines of the gate by name: set, list.")
def command() -> None:
    """Baselines of the gate by name, as 'main' or 'last-green': set them, list them."""


@command.command("set")
@click.argument("name")
@click.option("--model", required=True, metavar="MODEL", help="Whose verdicts it is from now on.")
@click.option(
    "--benchmark",
    "benchmarks",
    metavar="NAME[@VERSION]",
    multiple=True,
    help="On this benchmark only. Repeatable.  [default: all that the model was judged on]",
)
@click.option(
    "--if-passed",
    "gate",
    type=click.Path(path_type=Path),
    metavar="GATE.json",
    help="Only if this gate, written by `judgebench gate --output`, has passed.",
)
@store_option
def set_command(
    name: str, model: str, benchmarks: tuple[str, ...], gate: Path | None, store: str
) -> int:
    """Call the newest model of a name the baseline NAME, on each benchmark it was judged on.

    Earlier ones stay in the history. With --if-passed the benchmarks are those that the gate
    tested, and the model has to be the gate's candidate; where the gate did not pass, nothing is
    changed and the exit code is 2.

    \b
    Examples:
      judgebench baseline set main --model nightly
      judgebench baseline set last-green --model nightly --if-passed gate.json
    """
    from judgebench.report.baselines import set_baseline
    from judgebench.report.gate_said import read_gate
    from judgebench.store import open_store

    passed = None if gate is None else read_gate(gate)
    if passed is not None and passed.verdict != "pass":
        say(f"{gate}: the gate's verdict is {passed.verdict!r}; the baseline {name!r} stays")
        return NOT_PASSED
    with open_store(store) as opened:
        for one in set_baseline(opened, name, model, benchmarks, passed):
            say(f"{one.name} on {one.benchmark}@{one.version}: {model} ({one.model_id})")
    return 0


@command.command("list")
@click.option("--history", is_flag=True, help="Also what a baseline was before.")
@report_options
@store_option
def list_command(history: bool, form: str, outputs: tuple[Path, ...], store: str) -> int:
    """List the baselines of a store, a row for each benchmark."""
    from judgebench.report.baselines import document
    from judgebench.store import open_store

    with open_store(store, read_only=True) as opened:
        found = document(opened.baselines(), opened, history=history)
    show(found, form, outputs)
    return 0
