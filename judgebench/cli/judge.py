"""``judge``, ``respond``, ``probe``, ``rejudge``: models and judges asked without a run."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import judgebench
from judgebench.cli.options import (
    RETRY,
    limit_options,
    report_options,
    say,
    several,
    shard_option,
    show,
    store_option,
    suite_store_option,
    with_include_path,
)
from judgebench.cli.run import Act, carry_out, exit_code, stated_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from judgebench.config import Shard


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


_at = partial(click.option, "--base-url", metavar="URL")
_called = partial(click.option, "--benchmark", metavar="NAME", default="answers", show_default=True)
_limit = partial(click.option, "--limit", type=click.IntRange(min=1), metavar="N")
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
    _at(help="Where the judges are reached: any compatible server."),
    _called(
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
            command = with_include_path(try_command if args[0] == "try" else replace_command)
            return command.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command("judge", cls=_Judge)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@_prompt_options
@_limit(help="Only the first N questions.")
@click.option(
    "--batch", is_flag=True, help="Ask in batches where a provider takes them, and end with 75."
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
    ANTHROPIC_API_KEY. Panels and other ways of judging take a suite. With --batch questions are
    handed over; once `judgebench batches collect` has the replies, the same command reads them.

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


# judges held against others -----------------------------------------------------------------------

_SUITE = click.option(
    "--suite",
    type=click.Path(path_type=Path),
    metavar="SUITE.yaml",
    help="Where it is said how the judge is asked.  [default: the newest run that says it]",
)
_MAX_COST = click.option(
    "--max-cost",
    type=click.FloatRange(min=0),
    metavar="USD",
    help="What may be spent. Without it nobody is asked who costs money.",
)
_PLAN = click.option(
    "--plan", "ask", flag_value=False, default=True, help="Only say what it would take."
)
_SEED = click.option("--seed", type=int, default=0, show_default=True, help="Of the random choice.")
_BASE_URL = _at(help="Where PROVIDER/MODEL is reached: any compatible server.")


@click.command("probe")
@click.argument("judge")
@click.option(
    "--benchmark", metavar="NAME", help="Whose answers are used.  [default: the first it judges]"
)
@click.option(
    "--items",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="With so many items.",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="Only these: answers, attack, repeat, prompt, references. Repeatable.",
)
@click.option(
    "--prompt-variant",
    "prompts",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A variant of the judge's own prompt file. Repeatable.",
)
@_SUITE
@_MAX_COST
@_PLAN
@_SEED
@_BASE_URL
@report_options
@suite_store_option
def probe(form: str, outputs: Sequence[Path], **asked: Any) -> int:
    """Ask JUDGE what should have one answer only, and say what came of it.

    On items that it has judged, with their answers and references: dummy answers (the gold word for
    word, "Yes", "Sure", the question, flattery, nothing), answers that speak to the judge, the same
    question once more, small changes of its prompt, and references in the opposite order. A judge
    that compares is asked in both orders, against the answer that was compared with.

    JUDGE is a name of the suite, a way of judging, or PROVIDER/MODEL, which judges in the
    benchmark's usual way. Its verdicts stand in the store as on any benchmark, called probe/answers
    and so on: again, only what is missing is asked.

    A judge that costs money is asked only with --max-cost, about as many of the items as that is
    enough for; without, it is said what it would take.

    \b
    Examples:
      judgebench probe local-llama --suite nightly.yaml
      judgebench probe openai/gpt-5-mini --max-cost 1
      judgebench probe grader --kind attack --kind repeat --items 30 --max-cost 1
      judgebench probe my-prompt --prompt-variant shorter.md --plan

    Exit codes: 75 where a question failed; else as `judgebench run`.
    """
    return _carried_out(judgebench.probe, form, outputs, asked)


_two_judges = several(
    click.option("--benchmark", metavar="NAME", help="Of which benchmark.  [default: OLD's first]"),
    *(_SUITE, _MAX_COST, _PLAN, _BASE_URL, report_options, suite_store_option),
)
"""Where two judges are found, and what asking the new one may take."""


@click.command("rejudge")
@click.option("--judge", required=True, metavar="NEW", help="Of the suite, or PROVIDER/MODEL.")
@click.option("--against", required=True, metavar="OLD", help="Whose verdicts are held against.")
@click.option(
    "--pilot",
    type=click.IntRange(min=2),
    default=100,
    show_default=True,
    metavar="N",
    help="So many answers, drawn from each model in turn.",
)
@_SEED
@_two_judges
def rejudge(form: str, outputs: Sequence[Path], **asked: Any) -> int:
    """Have NEW judge a random part of what OLD has judged, and say what would change.

    How many verdicts flip, kappa between the two and with people, how far scores move, which ranks
    and which gates between two models would change, and what all of it would cost, from what the
    pilot cost. A bridge leads from old scores to new, with what it is off by for a model that it
    was not fitted on.

    NEW as PROVIDER/MODEL judges as OLD does, with the same prompt. Its verdicts are ordinary ones:
    a run with NEW asks only about the rest. A judge that costs money is asked only with
    --max-cost.

    \b
    Examples:
      judgebench rejudge --judge openai/gpt-5-mini --against gpt-4-turbo --plan
      judgebench rejudge --judge gpt-5 --against gpt-4 --suite nightly.yaml --max-cost 2
      judgebench judge replace gpt-4 gpt-5 --suite nightly.yaml --max-cost 5

    Exit codes: 75 where a question failed; else as `judgebench run`.
    """
    return _carried_out(judgebench.rejudge, form, outputs, asked)


@click.command("replace", short_help="Have a new judge judge every baseline.")
@click.argument("old")
@click.argument("new")
@_two_judges
def replace_command(form: str, outputs: Sequence[Path], **asked: Any) -> int:
    """Have NEW judge every baseline that OLD has judged, so that gates go on with NEW.

    Each name of `judgebench baseline list` on the benchmark is set anew, to the same model as NEW
    judged it. From then on boards and nights of either judge say where the break is, and how old
    scores lead to new ones where NEW has judged enough beside (see `judgebench rejudge`).

    \b
    Examples:
      judgebench judge replace gpt-4 gpt-5 --suite nightly.yaml --plan
      judgebench judge replace gpt-4 gpt-5 --suite nightly.yaml --max-cost 5

    Exit codes: 75 where a question failed, and then no baseline is set; else as `judgebench run`.
    """
    return _carried_out(judgebench.api.replace_judge, form, outputs, asked)


def _carried_out(
    act: Callable[..., Any], form: str, outputs: Sequence[Path], asked: dict[str, Any]
) -> int:
    from judgebench.progress import progress_for

    with progress_for(sys.stderr) as progress:
        found = act(progress=progress, **asked)
    show(found, form, outputs)
    if found.outcome is None:
        return 0
    for line in found.outcome.notes():
        say(line)
    return exit_code(found.outcome)


# answers alone ------------------------------------------------------------------------------------


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
@_called(
    help="How the questions of --items are called in the store.",
)
@click.option("--name", help="How the model is called.  [default: as it is named]")
@_at(help="Where the model is reached, if not as usual.")
@click.option("--system-instruction", metavar="TEXT", help="Stands before every question.")
@click.option("--gen-kwargs", metavar="NAME=VALUE,…", help="Sampling: temperature=0.7,top_p=0.9.")
@click.option("--batch-size", metavar="N", help="Of a local model; auto for as many as fit.")
@click.option(
    "--apply-chat-template/--no-chat-template",
    default=None,
    help="Of a local model.  [default: with its template]",
)
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="Answers to a question.")
@_limit(help="Only the first N questions of each.")
@shard_option
@limit_options
@report_options
@click.option("--store", metavar="URL", help="Where results are kept; as of `judgebench run`.")
def respond(
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
    loaded = None if suite is None else load_suite(suite)
    url = api.store_url(loaded, store)
    if loaded is not None:
        act: Act = partial(api.run, loaded, models=models, limit=limit, shard=shard, unjudged=True)
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
