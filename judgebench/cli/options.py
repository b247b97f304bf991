"""What commands share: their options, and how they say something and show their results."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial, reduce, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from judgebench import DEFAULT_STORE, INCLUDE_PATH
from judgebench.errors import unknown_name
from judgebench.plain_text import printable
from judgebench.secret import masked

if TYPE_CHECKING:
    from judgebench.config import Shard
    from judgebench.reports.document import Document, Report


def say(message: str) -> None:
    """A message on stderr without keys, that does nothing to a terminal, whoever wrote it."""
    click.echo(printable(masked(message), lines=True), err=True)


def in_github() -> bool:
    """Whether this is a step of a workflow, where a line may be an annotation."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def summarise(text: str) -> None:
    """Append Markdown to the summary of a CI job, where it has one.

    A summary that cannot be written is said and turns no exit code.
    """
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(path).open("a", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            why = error.strerror or error
            say(f"the job's summary, GITHUB_STEP_SUMMARY={path}, cannot be written: {why}")


Command = TypeVar("Command", bound=Callable[..., object])

RETRY = 75
"""The exit code of what finished with something left that the same command would ask for."""

FORMATS = ("table", "md", "csv", "json", "html", "latex")


def several(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """These options as one, in their order."""
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)


store_option = click.option(
    "--store",
    metavar="URL",
    envvar="JUDGEBENCH_STORE",
    default=DEFAULT_STORE,
    show_default=True,
    help="Where results are kept (or JUDGEBENCH_STORE).",
)
suite_store_option = click.option(
    "--store",
    metavar="URL",
    help="Where results are kept; goes before the suite's own, which goes before "
    f"JUDGEBENCH_STORE.  [default: {DEFAULT_STORE}]",
)
"""Of a command about a suite, which may name its own store."""


def _shard(text: str) -> Shard:
    from judgebench.config import Shard

    return Shard.parse(text)


shard_option = click.option(
    "--shard",
    metavar="K/N",
    type=_shard,
    help="Only the K-th of N parts of the items of each benchmark, as 3/16: runs of all N "
    "may go on at once, on one store or on stores that are merged later.",
)
judges_option = click.option(
    "--judge", "judges", multiple=True, metavar="NAME", help="Only this judge. Repeatable."
)
narrowing_options = several(
    click.option(
        "--model",
        "models",
        multiple=True,
        metavar="NAME",
        help="Only this model of SUITE; what it is compared with stays. Repeatable.",
    ),
    judges_option,
    click.option(
        "--limit",
        type=click.IntRange(min=1),
        metavar="N",
        help="Only the first N items of each benchmark.",
    ),
    shard_option,
)
"""Which part of a suite a command is about."""


class Commands(click.Group):
    """A group that says the nearest of its commands to one that it does not have."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is None and not cmd_name.startswith("-"):
            where = None if ctx.parent is None else ctx
            raise click.UsageError(
                unknown_name("command", cmd_name, self.list_commands(ctx)), where
            )
        return command


def with_include_path(command: click.Command) -> click.Command:
    """The command, or all those of a group, with ``--include_path PATH``."""
    if isinstance(command, click.Group):
        for one in command.commands.values():
            with_include_path(one)
    elif not any(option.name == "include_path" for option in command.params):
        command.params.append(
            click.Option(
                ["--include-path"],
                type=_Included(path_type=Path),
                multiple=True,
                metavar="PATH",
                expose_value=False,
                help="A folder with benchmarks, or lm-eval tasks, besides those that come with "
                f"judgebench (or {INCLUDE_PATH}). Repeatable.",
            )
        )
    return command


class _Included(click.Path):
    """A folder whose benchmarks are known from here on."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        from judgebench import registry

        registry.include([Path(value)])
        return super().convert(value, param, ctx)


class _Output(click.Path):
    """A file that is written later: what is wrong with its suffix is said now."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        from judgebench.reports.render import form_of

        form_of(Path(value))
        return super().convert(value, param, ctx)


form_option = partial(
    click.option, "--format", "form", default="table", show_default=True, help="What is printed."
)
output_option = click.option(
    "--output",
    "outputs",
    metavar="PATH",
    type=_Output(path_type=Path),
    multiple=True,
    help="Also write a file; its suffix says the format (.txt .md .csv .json .html .tex). "
    "Repeatable. In CSV, a text that a spreadsheet would take for a formula (= + - @ first) "
    "has ' before it.",
)
report_options = several(form_option(type=click.Choice(FORMATS)), output_option)
"""How a report is shown, and where else it is written."""
limit_options = several(
    click.option(
        "--max-cost", type=float, metavar="USD", help="Stop this run before a call could exceed it."
    ),
    click.option("--max-connections", type=int, help="Calls under way at once, for each provider."),
    click.option("--max-retries", type=int, help="Further attempts of a call that failed."),
    click.option("--timeout", type=float, metavar="SECONDS", help="How long one attempt may take."),
)
"""What goes before the limits of a suite."""


level_option = click.option(
    "--level",
    type=click.FloatRange(0.5, 0.999),
    default=0.95,
    show_default=True,
    help="How often an interval holds the true value; tests err in the rest.",
)


def report(
    name: str, group: click.Group | None = None, *, store: bool = True
) -> Callable[[Callable[..., Document | Report]], click.Command]:
    """A command out of a function that gives a report, which is shown as the options say.

    Parameters
    ----------
    name, group
        How the command is called, and the group that it belongs to.
    store
        Whether it has the option ``--store``.
    """

    def made(function: Callable[..., Document | Report]) -> click.Command:
        @wraps(function)
        def carried_out(form: str, outputs: Sequence[Path], **given: Any) -> int:
            found = function(**given)
            show(found, form, outputs)
            return 0 if getattr(found, "complete", True) else RETRY

        own = carried_out.__dict__.pop("__click_params__", [])
        report_options(store_option(carried_out) if store else carried_out)
        carried_out.__dict__["__click_params__"] += own
        command = click.command(name) if group is None else group.command(name)
        return command(carried_out)

    return made


def show(found: Document | Report, form: str, outputs: Sequence[Path] = ()) -> None:
    """Print a report to stdout and write it to files."""
    from judgebench.reports.document import Document
    from judgebench.reports.render import render

    document = found if isinstance(found, Document) else found.document()
    terminal = sys.stdout.isatty()
    width = _terminal_width() if terminal else None
    click.echo(render(document, form, width=width, colour=terminal), nl=False)
    if outputs:
        write_outputs(document, outputs)


def write_outputs(document: Document, outputs: Sequence[Path]) -> None:
    """Write a document to files, each in the form that its suffix says."""
    from judgebench.reports.render import write

    for path in outputs:
        write(document, path)
        say(f"written: {path}")


def _terminal_width() -> int:
    import shutil

    return shutil.get_terminal_size().columns
