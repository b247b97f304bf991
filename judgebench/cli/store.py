"""``judgebench store``: stores copied, cut, merged, tidied and looked through."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import Commands, say, store_option
from judgebench.errors import (
    StoreError,
    StoreFullError,
    StoreGoneError,
    UsageError,
    unknown_name,
)
from judgebench.plain_text import counted
from judgebench.progress import progress_for

if TYPE_CHECKING:
    from judgebench.protocols import Progress
    from judgebench.store.copy import Part


@click.group("store", cls=Commands)
def command() -> None:
    """Copy a store or a part of it, make one of several, look through one, give room back.

    A store is a file (results/judgebench.db) or a database on a PostgreSQL server
    (postgresql://USER@HOST/DATABASE); all of this works from any to any.
    """


@command.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option(
    "--only", "benchmarks", metavar="BENCHMARK", multiple=True, help="Only this one. Repeatable."
)
@click.option(
    "--models", metavar="MODEL", multiple=True, help="Only this one, by name or id. Repeatable."
)
@click.option(
    "--since",
    metavar="DATE",
    type=click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S")),
    help="Only what was judged from then on (UTC), with the answers that it is about.",
)
@click.option("--redact", is_flag=True, help="Leave texts behind.")
def copy_command(
    source: str,
    target: str,
    benchmarks: tuple[str, ...],
    models: tuple[str, ...],
    since: datetime | None,
    redact: bool,
) -> int:
    """Copy the store FROM to TO, which is new or empty; from a file to a server, say, or back.

    Nobody who works at FROM is disturbed: what is copied is the store of one moment. At the end
    every table of both is compared by what it says. Interrupted, the same command goes on, and
    until it is done TO is used for nothing.

    With --only, --models or --since a part is cut out, with all that its verdicts need: items,
    answers (also of those that a model was compared with), replies, judges, runs and spending.
    Batches under way stay behind.

    --redact leaves behind what items, answers, prompts, replies, thoughts and reasons say, and
    messages of failures. Verdicts, ids, names, categories, labels, what models and judges are, the
    configuration of runs, tokens, spending and hashes go along, and lengths: in place of an answer
    stands a text that says nothing and is as long. Such a copy can be read, and not be judged.

    \b
    Examples:
      judgebench store copy results/judgebench.db postgresql://ann@db/judgebench
      judgebench store copy results/judgebench.db part.db --only alpaca_eval --since 2026-11-01
      judgebench store copy results/judgebench.db to_show.db --redact
    """
    from judgebench.store.copy import copy
    from judgebench.store.opening import located

    names = f"{located(source).name} {located(target).name}"
    part = _part(source, benchmarks, models, since, redact)
    with _going_on(f"judgebench store copy {names}, and the same options") as progress:
        rows = copy(source, target, part, progress)
    say(
        f"copied and compared: {counted(rows['runs'], 'run')}, {counted(rows['items'], 'item')}, "
        f"{counted(rows['responses'], 'answer')}, {counted(rows['judgments'], 'judgment')}, "
        f"{counted(sum(rows.values()), 'row')} in all"
    )
    return 0


@command.command("merge")
@click.argument("into", metavar="INTO")
@click.argument("others", metavar="OTHER...", nargs=-1, required=True)
def merge_command(into: str, others: tuple[str, ...]) -> int:
    """Add what the stores OTHER hold to the store INTO: results of two machines become one.

    Models and judges stay who they are, so that a run that follows asks nothing again that one of
    them was asked. What is called something in INTO goes on being called so, with the other names
    behind. Each run keeps what it took. Merged again, or merged after OTHER has grown, nothing is
    there or counted twice.

    Where both have an answer of one model to one question, and the two differ, that of INTO stands
    and verdicts on the other are on no board. Stores of which an item differs are refused, and
    nothing is changed.

    \b
    Examples:
      judgebench store merge results/judgebench.db from_the_cluster.db
      judgebench store merge postgresql://ann@db/judgebench laptop.db workstation.db
    """
    from judgebench.store.copy import merge
    from judgebench.store.opening import located

    name, *names = (located(url).name for url in (into, *others))
    with _going_on(f"judgebench store merge {name} {' '.join(names)}") as progress:
        merged = merge(into, others, progress)
    new = merged.new
    say(
        f"new in {name}: {counted(new['runs'], 'run')}, {counted(new['items'], 'item')}, "
        f"{counted(new['responses'], 'answer')}, {counted(new['judgments'], 'judgment')}, "
        f"{counted(new['uses'], 'verdict')}"
    )
    if merged.differing:
        say(
            f"warning: at {counted(merged.differing, 'place')} both had an answer, and another one;"
            f" that of {name} stands, and verdicts on the other were left out"
        )
    return 0


@command.command("vacuum")
@store_option
def vacuum_command(store: str) -> int:
    """Give back the room of what was removed, and say how much that was.

    The store is written anew, for which its disk needs as much room again. Nobody writes meanwhile,
    and on a server nobody reads.
    """
    from judgebench.store.copy import vacuum
    from judgebench.store.opening import located

    say(f"writing {located(store).name} anew")
    before, after = vacuum(store)
    gained = max(before - after, 0)
    sizes = f"{before / 2**20:.1f} before, {after / 2**20:.1f} now"
    click.echo(f"{gained / 2**20:.1f} MiB gained: {sizes}")
    return 0


@command.command("check")
@store_option
def check_command(store: str) -> int:
    """Look through a store: is it whole, and is everything in it what it says it is?

    The file itself is looked at, then whether every row that is named is there, whether each text
    has its hash, and whether models, judges, replies and judgments have the keys of their content.
    Exit code 73 where something is wrong, which is then named. Nothing is changed.
    """
    from judgebench.store.copy import check
    from judgebench.store.opening import located

    with progress_for(sys.stderr) as progress:
        found = check(store, progress)
    for said in found:
        click.echo(said)
    if not found:
        say(f"{located(store).name}: nothing is wrong with it")
        return 0
    say(
        "what now: take a copy that is whole; or `judgebench store copy` what can be read to a new"
        " store, `judgebench forget` what is not to be trusted, and run again, which asks what is"
        " lacking (a damaged file: `sqlite3 FILE .recover` first)"
    )
    return StoreError.exit_code


@contextmanager
def _going_on(again: str) -> Iterator[Progress]:
    """Progress of what can be interrupted; then the command with which it goes on is said."""
    with progress_for(sys.stderr) as progress:
        try:
            yield progress
        except (StoreGoneError, StoreFullError, KeyboardInterrupt):
            progress.say(f"not finished; it goes on with: {again}")
            raise


def _part(
    source: str,
    benchmarks: Sequence[str],
    models: Sequence[str],
    since: datetime | None,
    redact: bool,
) -> Part:
    """Raises `UsageError` for a benchmark or model that the store does not hold."""
    from judgebench.store.copy import Part
    from judgebench.store.opening import open_store

    with open_store(source, read_only=True) as opened:
        held, known = opened.benchmarks(), opened.models()
    written = {f"{name}@{version}": (name, version) for name, version in held}
    meant = []
    for name in benchmarks:
        some = [pair for at, pair in written.items() if name in (at, pair[0])]
        if not some:
            raise UsageError(unknown_name("benchmark", name, written))
        meant += some
    keys = []
    for name in models:
        called = [model.key for model in known if name in (*model.names, model.id)]
        if not called:
            raise UsageError(unknown_name("model", name, {n for m in known for n in m.names}))
        keys += called
    since_s = 0.0 if since is None else since.replace(tzinfo=UTC).timestamp()
    return Part(benchmarks=sorted(meant), models=sorted(keys), since=since_s, redact=redact)
