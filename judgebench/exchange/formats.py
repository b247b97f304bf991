"""The formats that come in: one entry each. A new one is a file that reads it, and an entry here.

Nothing but this table is loaded until a format is read.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgebench.errors import UsageError, refuse_unknown

if TYPE_CHECKING:
    from judgebench.exchange.pipeline import Import


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How files of somebody else's are read.

    Parameters
    ----------
    read
        ``module:function`` of a function that takes paths and the options below, finds whatever is
        wrong with the files, and returns an `Import` for each.
    rows
        What its rows are called.
    options
        What may be said beside the files, by the names of its parameters.
    fields
        ``module:constant`` of the columns of a table, whose own may be called otherwise; then
        ``columns``, ``wide``, ``scale``, ``benchmark``, ``model`` and ``judge`` become the
        parameter ``layout``. Empty for files of another program.
    why
        Why other options have no use.
    without_files
        Whether nothing need be named.
    help
        What ``judgebench import --help`` says of it, in lines.
    """

    read: str
    rows: str = "verdicts"
    options: tuple[str, ...] = ("benchmark", "allow_unknown_items")
    fields: str = ""
    why: str = ""
    without_files: bool = False
    help: tuple[str, ...]


_TABLE = ("columns", "wide", "scale", "benchmark", "model", "judge", "allow_unknown_items")
_HERE = "judgebench.exchange."
_BENCHES = f"{_HERE}judge_benchmarks"
_EVALUATION = "logs have the answers and say who scored them, and nothing is compared"
_JUDGMENTS = "files say whose answers and verdicts these are"

FORMATS: Mapping[str, Format] = {
    "verdicts": Format(
        read=f"{_HERE}tables:read_verdict_files",
        options=(*_TABLE, "anchors"),
        fields=f"{_HERE}tables:FIELDS",
        help=(
            "benchmark, item_id, model, judge, kind, value",
            "[, version, opponent, sample, turn, order, p, low, high, reason, parts]",
            "kind: label (value = its name), score (between low and high, with parts),",
            "preference (probability that model beats opponent), unreadable (reason);",
            "without one: what the other columns make it, at last a label",
        ),
    ),
    "labels": Format(
        read=f"{_HERE}tables:read_label_files",
        rows="labels",
        options=_TABLE,
        fields=f"{_HERE}tables:FIELDS",
        help=("as verdicts, from people: judge is human/<rater>; the newest counts",),
    ),
    "responses": Format(
        read=f"{_HERE}tables:read_response_files",
        rows="responses",
        options=("columns", "benchmark", "model", "allow_unknown_items"),
        fields="judgebench.responses.from_file:FIELDS",
        help=(
            "benchmark, item_id, model, text [, version, sample, turn]; or FastChat's question_id,",
            "model_id, choices",
        ),
    ),
    "alpaca-eval": Format(
        read=f"{_HERE}alpaca_eval:read_alpaca_eval",
        options=(
            *("model_outputs", "reference_outputs", "benchmark", "model", "judge", "baseline"),
            "allow_unknown_items",
        ),
        help=(
            "model_outputs.json and annotations.json as AlpacaEval writes them (also",
            ".jsonl, .csv, .tsv), or folders of results; all of them or nothing",
        ),
    ),
    "arena-hard": Format(
        read=f"{_HERE}arena_hard:read_arena_hard",
        options=("benchmark", "baseline", "allow_unknown_items"),
        why=f"arena-hard {_JUDGMENTS}",
        help=(
            "model_judgment/<judge>/<model>.jsonl, model_answer/<model>.jsonl, or folders of",
            "them, of versions 0.1 and 2.0; answers $ERROR$ are failures",
        ),
    ),
    "mt-bench": Format(
        read=f"{_HERE}mt_bench:read_mt_bench",
        rows="answers or verdicts",
        why=f"mt-bench {_JUDGMENTS}, and name both models",
        help=(
            "model_answer/<model>.jsonl, model_judgment/<judge>_single.jsonl and _pair.jsonl, and",
            "votes of people (model_a, model_b, winner), also .json and .parquet; experts count as",
            "people, authors not",
        ),
    ),
    "just-eval": Format(
        read=f"{_HERE}just_eval:read_just_eval",
        rows="answers or verdicts",
        options=("benchmark", "model", "judge", "allow_unknown_items"),
        why="just-eval files say whose answers and verdicts these are, and nothing is compared",
        help=(
            "answers (instruction, output, generator) and judgments (output_cand, eval_config,",
            "result) of just-eval, a list in .json each; what is not judged yet is said",
        ),
    ),
    "judge-bench": Format(
        read=f"{_BENCHES}:read_judgebench_pairs",
        why=f"judge-bench {_JUDGMENTS}",
        help=("outputs/dataset=judgebench,….jsonl, or folders of them",),
    ),
    "rewardbench": Format(
        read=f"{_BENCHES}:read_rewardbench",
        options=("benchmark", "judge", "allow_unknown_items"),
        why="a file says whose answers are right, and names its model as the judge",
        help=(
            "eval-set-scores/<model>.json of RewardBench 1 (two scores) or 2 (a list), or",
            ".jsonl with a row for each prompt",
        ),
    ),
    "xstest": Format(
        read=f"{_BENCHES}:read_xstest",
        rows="answers or verdicts",
        options=("benchmark", "model", "allow_unknown_items"),
        why="xstest files say who labelled, and nothing is compared",
        help=(
            "xstest_v2_completions_<model>.csv, also _gpteval and _streval: answers, people's",
            "labels and those of both judges",
        ),
    ),
    "honestybench": Format(
        read=f"{_HERE}honestybench:read_honestybench",
        rows="answers and verdicts",
        options=("benchmark", "model", "judge", "set_name", "allow_unknown_items"),
        why="these files have the answers, and nothing is compared",
        help=(
            "the benchmark's records of a model, <model>/<set>.jsonl or .parquet: question,",
            "answer, greedy_response, sampling_response, …_correctness, logprobs",
        ),
    ),
    "lm-eval": Format(
        read=f"{_HERE}lm_eval:read_lm_eval",
        rows="answers and verdicts",
        options=("benchmark", "model", "allow_unknown_items"),
        why=f"lm-eval {_EVALUATION}",
        help=(
            "an output folder, or results_<time>.json and samples_<task>_<time>.jsonl of",
            "it (--log_samples); metrics are kept as the judges lm-eval/<metric>,<filter>",
        ),
    ),
    "inspect": Format(
        read=f"{_HERE}inspect_evals:read_inspect",
        rows="answers and verdicts",
        options=("benchmark", "model", "allow_unknown_items"),
        why=f"inspect {_EVALUATION}",
        help=(
            "logs, .eval or .json, or folders of them; scores are kept as the judges",
            "inspect/<scorer>, samples that ended in an error as failures",
        ),
    ),
    "published": Format(
        read=f"{_HERE}published:read_published",
        options=("tasks",),
        why="of published verdicts everything is known; name benchmarks, or nothing",
        without_files=True,
        help=(
            "no files: the verdicts that were published of alpaca_eval (29 models) and",
            "trivia_judging (9 models, 11 judges and people), numbers without any text",
            "that stand in a checkout; PATH… is which of the two, both if none is named",
        ),
    ),
}


def read_files(what: str, paths: Sequence[Path | str], **options: Any) -> list[Import]:
    """The files, read and found good; returned with each is what stores it.

    Parameters
    ----------
    what
        One of `FORMATS`.
    options
        Those of the format, for which see its function; one that says nothing is as its default.

    Raises
    ------
    InputError
        Naming file, line and field of what cannot be used.
    UsageError
        For a format that nobody knows, and an option that it has no use for.
    """
    refuse_unknown("format", [what], FORMATS, error=UsageError)
    refuse_options(what, options)
    given = {name: value for name, value in options.items() if value}
    read: list[Import] = loaded(FORMATS[what].read)(paths, **given)
    return read


def refuse_options(what: str, options: Mapping[str, Any]) -> None:
    """Raise `UsageError` for the first option, of those that are given, that has no use here."""
    taken = FORMATS[what]
    allowed = {*taken.options, *(("layout",) if taken.fields else ("version",)), "known_items"}
    for option in (name for name, value in options.items() if value and name not in allowed):
        others = "|".join(name for name, one in FORMATS.items() if option in one.options)
        if not others:
            every = {name for one in FORMATS.values() for name in one.options}
            refuse_unknown("option of an import", [option], every, error=UsageError)
        why = f"{taken.why}; " if taken.why else ""
        flag = f"--{option.removesuffix('_name').replace('_', '-')}"
        raise UsageError(f"{why}{flag} goes with `import {others}`")


def loaded(name: str) -> Any:
    """What ``module:attribute`` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
