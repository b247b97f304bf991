"""``judgebench judge``: answers that exist are judged without a suite; ``try`` shows how."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judgebench.cli.options import (
    RETRY,
    check_outputs,
    report_options,
    several,
    show,
    store_option,
    suite_store_option,
    with_include_path,
)
from judgebench.cli.run import carry_out, limit_options, stated_limits
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from collections.abc import Mapping


def _how_to_read(said: str | None) -> Any:
    """``brackets``, ``HOW: WHAT``, or ``HOW: {NAME: WHAT, …}``, as in a suite."""
    how, colon, what = (said or "").partition(":")
    if not colon:
        return how or None
    how, what = how.strip(), what.strip()
    several = what.startswith("{") or (how == "score" and what.startswith("["))
    return {how: _yaml(what) if several else what}


def _labels(said: str | None) -> Any:
    """``WORD, WORD``, or ``WORD: MEANS, …``."""
    return None if said is None else _yaml(f"{{{said}}}" if ":" in said else f"[{said}]")


def _yaml(said: str) -> Any:
    import yaml

    try:
        return yaml.load(said, yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise click.UsageError(f"{said!r} cannot be read: {error}") from None


_prompt_options = several(
    click.option(
        "--model-outputs",
        metavar="FILE…",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Files of answers. Repeatable, or several behind each other.",
    ),
    click.option(
        "--judge",
        "judges",
        multiple=True,
        metavar="PROVIDER/MODEL",
        help="Who judges, such as openai/gpt-5-mini. Repeatable.",
    ),
    click.option(
        "--rubric",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="What a good answer is, as text.",
    ),
    click.option(
        "--prompt",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A prompt of your own, with {question} and {answer}, or {answer_a} and {answer_b}.",
    ),
    click.option(
        "--read",
        metavar="HOW",
        callback=lambda _, __, said: _how_to_read(said),
        help="How its replies are read: brackets, score, logprobs, 'json: $.score', "
        "'regex: Score: (\\d+)', …",
    ),
    click.option(
        "--verdict",
        type=click.Choice(["label", "score", "preference"]),
        help="What it says; from prompt and labels if not given.",
    ),
    click.option(
        "--labels",
        metavar="WORD: MEANS, …",
        callback=lambda _, __, said: _labels(said),
        help="What each word of a reply means, such as 'right: correct, wrong: incorrect'.",
    ),
    click.option(
        "--overall", metavar="NAME", help="Of several criteria the one that is the whole, or mean."
    ),
    click.option(
        "--examples",
        metavar="FILE",
        help="Examples to learn from: a column for each placeholder, and reply.",
    ),
    click.option(
        "--scale",
        nargs=2,
        type=float,
        metavar="LOW HIGH",
        help="The lowest and the highest score.  [default: 1 10]",
    ),
    click.option("--baseline", metavar="MODEL", help="Whose answers others are compared with."),
    click.option(
        "--base-url", metavar="URL", help="Where the judges are reached: any compatible server."
    ),
    click.option(
        "--benchmark",
        metavar="NAME",
        default="answers",
        show_default=True,
        help="How the questions of these files are called in the store.",
    ),
)
"""What is judged, who judges, and how."""


class _Judge(click.Command):
    """``judge try`` and ``judge replace`` are commands; a file that is called so is ``./try``."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> click.Context:
        if args and args[0] in ("try", "replace"):
            from judgebench.cli.rejudge import replace_command

            command = with_include_path(try_command if args[0] == "try" else replace_command)
            return command.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command("judge", cls=_Judge)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@_prompt_options
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N questions."
)
@click.option("--quiet", is_flag=True, help="Print no board at the end, only the last line.")
@limit_options
@report_options
@store_option
def command(
    files: tuple[Path, ...],
    model_outputs: tuple[Path, ...],
    judges: tuple[str, ...],
    quiet: bool,
    store: str,
    **given: Any,
) -> int:
    """Have judges judge the answers in FILES, by a rubric or a prompt of your own.

    A file (JSON, JSONL, CSV, TSV, Parquet) has an answer a row, in one of two forms:

    \b
      AlpacaEval's model_outputs: instruction, output[, generator]
      import responses: item_id, model, text[, sample], and the question, as
        instruction, prompt or question, or a benchmark whose data is here

    A model that a file does not name is called as the file is. Questions are the same where their
    text is the same, in whatever order files have them.

    Answers, replies and verdicts are stored as those of any run: again, only what is missing is
    asked, and `judgebench leaderboard`, `compare`, `gate` and the dashboard know them by the name
    of --benchmark, whose version is the hash of the questions. Keys come from OPENAI_API_KEY and
    ANTHROPIC_API_KEY. Panels and other ways of judging take a suite.

    `judgebench judge try` shows what would be asked, and what is read from the replies;
    `judgebench judge replace OLD NEW` has another judge judge every baseline.

    \b
    Examples:
      judgebench judge --model_outputs a.jsonl b.jsonl --judge openai/gpt-5-mini --rubric r.txt
      judgebench judge a.json --judge openai/gpt-5-mini --rubric r.txt --limit 20 --max-cost 1
      judgebench judge a.json --judge openai/gpt-5-mini --prompt p.md --read 'json: $.score'
      judgebench judge a.json --judge openai_compatible/llama-70b --rubric r.txt \\
        --base-url http://127.0.0.1:8000/v1

    Exit codes: as `judgebench run`.
    """
    from judgebench import api

    paths = [*model_outputs, *files]
    if not paths:
        raise click.UsageError("name a file of answers: --model_outputs FILE")
    if not judges:
        raise click.UsageError("Missing option '--judge': name who judges, as PROVIDER/MODEL")
    return carry_out(
        partial(api.judge, paths, judges=judges), store, _without_none(given), quiet=quiet
    )


def _without_none(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}


@click.command("try", short_help="Show what a judge would be asked, and what is read.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@_prompt_options
@click.option(
    "--on",
    type=click.IntRange(min=1),
    metavar="N",
    default=3,
    show_default=True,
    help="So many questions of each judge.",
)
@click.option(
    "--kept",
    metavar="JUDGE",
    help="Ask nobody: read again what this judge of the store was replied.",
)
@limit_options
@report_options
@suite_store_option
def try_command(
    files: tuple[Path, ...],
    model_outputs: tuple[Path, ...],
    judges: tuple[str, ...],
    on: int,
    kept: str | None,
    form: str,
    outputs: tuple[Path, ...],
    store: str | None,
    **asked: Any,
) -> int:
    """Show prompts as they would be sent, the replies, and what was read from them.

    FILES are files of answers as `judgebench judge` takes them, or one suite (.yaml), of whose
    judges --judge names those that are tried; without FILES a small set that comes along is asked
    about. Without --judge nobody is asked, and prompts alone are shown.

    No verdict is kept. Replies are, so that what was paid for here is not asked again by the run.

    \b
    Examples:
      judgebench judge try --prompt my_judge.md --read 'json: $.score' --on 3
      judgebench judge try a.json --prompt p.md --read brackets --judge openai/gpt-5-mini
      judgebench judge try suite.yaml --judge five-criteria --kept five-criteria

    Exit codes: 75 where a question failed; else as `judgebench run`.
    """
    from judgebench import api
    from judgebench.progress import progress_for
    from judgebench.reports.replies import Replies

    check_outputs(outputs)
    suites = [path for path in files if path.suffix in (".yaml", ".yml")]
    if suites and (len(files) > 1 or model_outputs or asked["prompt"]):
        raise click.UsageError("a suite says by itself who is asked about what: name it alone")
    with progress_for(sys.stderr) as progress:
        outcome, found = api.try_judge(
            *suites,
            answers=() if suites else [*model_outputs, *files],
            judges=judges,
            on=on,
            kept=kept,
            store=store,
            progress=progress,
            limits=stated_limits(asked),
            **_without_none(asked),
        )
    show(Replies(judge=", ".join(judges) or "a trial", found=tuple(found)), form, outputs)
    failed = [] if outcome is None else [*outcome.judging.items()]
    for name, tally in failed:
        for reason in tally.reasons.values():
            say(f"{name}: {reason}")
    return RETRY if any(tally.failed or tally.stopped for _, tally in failed) else 0
