"""``judgebench judge``: models rate answers that exist, by a rubric, without a suite."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judgebench.cli.options import check_outputs, report_options, store_option
from judgebench.cli.run import finish, foretelling, limit_options, stated_limits

if TYPE_CHECKING:
    from judgebench.execution.forecast import Range


@click.command("judge")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--model-outputs",
    metavar="FILE…",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Files of answers. Repeatable, or several behind each other.",
)
@click.option(
    "--judge",
    "judges",
    multiple=True,
    required=True,
    metavar="PROVIDER/MODEL",
    help="Who judges, such as openai/gpt-5-mini. Repeatable.",
)
@click.option(
    "--rubric",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What a good answer is, as text.",
)
@click.option(
    "--scale",
    nargs=2,
    type=float,
    metavar="LOW HIGH",
    help="The lowest and the highest score.  [default: 1 10]",
)
@click.option(
    "--base-url", metavar="URL", help="Where the judges are reached: any compatible server."
)
@click.option(
    "--benchmark",
    metavar="NAME",
    default="answers",
    show_default=True,
    help="How the questions of these files are called in the store.",
)
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
    rubric: Path,
    scale: tuple[float, float] | None,
    base_url: str | None,
    benchmark: str,
    limit: int | None,
    quiet: bool,
    max_cost: float | None,
    max_connections: int | None,
    max_retries: int | None,
    timeout: float | None,
    form: str,
    outputs: tuple[Path, ...],
    store: str,
) -> int:
    """Have judges rate the answers in FILES, each on its own, by a rubric.

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
    ANTHROPIC_API_KEY. Pairs, panels and other ways of judging take a suite.

    \b
    Examples:
      judgebench judge --model_outputs a.jsonl b.jsonl --judge openai/gpt-5-mini --rubric r.txt
      judgebench judge a.json --judge openai/gpt-5-mini --rubric r.txt --limit 20 --max-cost 1
      judgebench judge a.json --judge openai_compatible/llama-70b --rubric r.txt \\
        --base-url http://127.0.0.1:8000/v1

    Exit codes: as `judgebench run`.
    """
    from judgebench import api
    from judgebench.cli.progress import progress_for

    check_outputs(outputs)
    paths = [*model_outputs, *files]
    if not paths:
        raise click.UsageError("name a file of answers: --model_outputs FILE")
    began = time.monotonic()
    forecast: dict[str, Range | None] = {}
    with progress_for(sys.stderr) as progress:
        outcome = api.judge(
            paths,
            judges=judges,
            rubric=rubric,
            scale=scale,
            benchmark=benchmark,
            base_url=base_url,
            limit=limit,
            store=store,
            progress=progress,
            limits=stated_limits(max_cost, max_connections, max_retries, timeout),
            on_forecast=foretelling(forecast),
        )
    return finish(outcome, store, forecast, form, outputs, quiet=quiet, began=began)
