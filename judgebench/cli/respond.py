"""``judgebench respond``: answers alone, of the models of a suite or of one that is named."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judgebench.cli.options import report_options, shard_option
from judgebench.cli.run import Act, carry_out, limit_options
from judgebench.cli.streams import say

if TYPE_CHECKING:
    from judgebench.config import Shard


@click.command("respond")
@click.argument("suite", required=False, type=click.Path(path_type=Path))
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="Who answers: PROVIDER/MODEL behind an API, or a backend of lm-eval (hf, vllm) with "
    "--model_args. With SUITE: only this model of it. Repeatable there.",
)
@click.option(
    "--model-args",
    metavar="NAME=VALUE,…",
    help="Arguments of the backend, as lm-eval takes them: pretrained=CHECKPOINT,dtype=bfloat16.",
)
@click.option(
    "--tasks", multiple=True, metavar="BENCHMARK,…", help="What is answered: NAME or NAME@VERSION."
)
@click.option(
    "--items",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Questions of your own: JSONL, CSV or Parquet, with a field prompt.",
)
@click.option(
    "--benchmark",
    metavar="NAME",
    default="answers",
    show_default=True,
    help="How the questions of --items are called in the store.",
)
@click.option("--name", help="How the model is called.  [default: as it is named]")
@click.option("--base-url", metavar="URL", help="Where the model is reached, if not as usual.")
@click.option("--system-instruction", metavar="TEXT", help="Stands before every question.")
@click.option("--gen-kwargs", metavar="NAME=VALUE,…", help="Sampling: temperature=0.7,top_p=0.9.")
@click.option("--batch-size", metavar="N", help="Of a local model; auto for as many as fit.")
@click.option(
    "--apply-chat-template/--no-chat-template",
    default=None,
    help="Of a local model.  [default: with its template]",
)
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="Answers to a question.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N questions of each."
)
@shard_option
@limit_options
@report_options
@click.option("--store", metavar="URL", help="Where results are kept; as of `judgebench run`.")
def command(
    suite: Path | None,
    models: tuple[str, ...],
    model_args: str | None,
    tasks: tuple[str, ...],
    items: Path | None,
    benchmark: str,
    name: str | None,
    base_url: str | None,
    system_instruction: str | None,
    gen_kwargs: str | None,
    batch_size: str | None,
    apply_chat_template: bool | None,
    samples: int | None,
    limit: int | None,
    shard: Shard | None,
    store: str | None,
    **given: Any,
) -> int:
    """Have the models of SUITE answer its benchmarks, or the one of --model those of --tasks.

    The answers are stored as those of any run: again, only what is missing is asked, a run of SUITE
    judges them and asks for none of them anew, and `judgebench export responses` writes them to a
    file, which `judgebench judge` takes. What is printed says how many there are.

    \b
    Examples:
      judgebench respond nightly.yaml
      judgebench respond nightly.yaml --model llama3-8b-apo --limit 50
      judgebench respond nightly.yaml --shard 3/16
      judgebench respond --model openai/gpt-5-mini --tasks alpaca_eval,mixeval_hard --limit 20
      judgebench respond --model hf --model_args pretrained=checkpoints/apo-1200 \\
        --tasks honestybench --samples 20 --gen_kwargs temperature=1
      judgebench respond --model openai/gpt-5-mini --items questions.jsonl --benchmark support

    Exit codes: as `judgebench run`.
    """
    from judgebench import api
    from judgebench.config import load_suite

    alone: dict[str, Any] = {
        "model_args": None if model_args is None else _pairs("--model_args", model_args),
        "gen_kwargs": None if gen_kwargs is None else _pairs("--gen_kwargs", gen_kwargs),
        "tasks": [task.strip() for listed in tasks for task in listed.split(",") if task.strip()],
        "batch_size": int(batch_size) if batch_size and batch_size.isdecimal() else batch_size,
        "system": system_instruction,
        "items": items,
        "name": name,
        "base_url": base_url,
        "apply_chat_template": apply_chat_template,
        "samples": samples,
    }
    alone = {option: value for option, value in alone.items() if value not in (None, [])}
    if suite is not None and alone:
        raise click.UsageError(
            f"SUITE says what is asked and how: --{next(iter(alone))} goes without one"
        )
    if suite is None and shard is not None:
        raise click.UsageError("--shard is a part of what SUITE asks: name one")
    if suite is None and len(models) != 1:
        raise click.UsageError("name a suite, or one --model and what it answers: --tasks")
    url = api.store_url(None if suite is None else load_suite(suite), store)
    if suite is not None:
        act: Act = partial(api.run, suite, models=models, limit=limit, shard=shard, unjudged=True)
    else:
        act = partial(api.respond, models[0], benchmark=benchmark, limit=limit, **alone)
    code = carry_out(act, url, given, suite=suite)
    named = benchmark if items else next(iter(alone.get("tasks", ())), "BENCHMARK")
    say(f"the answers as a file: `judgebench export responses {named} --output answers.jsonl`")
    return code


def _pairs(option: str, text: str) -> dict[str, Any]:
    """``a=1,b=x`` as lm-eval takes it, or a JSON object."""
    import yaml

    from judgebench.errors import UsageError

    try:
        if text.lstrip().startswith("{"):
            return dict(yaml.safe_load(text))
        pieces = [piece.partition("=") for piece in text.split(",") if piece.strip()]
        if any(not equals for _, equals, _ in pieces):
            raise UsageError(f"{option} is written NAME=VALUE,…, not {text!r}")
        return {key.strip(): yaml.safe_load(value) for key, _, value in pieces}
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{option}: {text!r} cannot be read: {error}") from None
