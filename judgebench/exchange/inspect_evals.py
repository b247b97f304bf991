"""``import inspect``: Inspect's logs, each a run of a task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from judgebench import registry
from judgebench.benchmarks.folder import items_at_hand
from judgebench.errors import InputError
from judgebench.exchange.evaluations import Evaluation, Night
from judgebench.exchange.evaluations_checking import check, one_model, one_task
from judgebench.exchange.evaluations_taking import Taking
from judgebench.exchange.inspect_logs import Raw, find_logs, read_head
from judgebench.exchange.inspect_samples import Samples, judge_name
from judgebench.exchange.known_items import NO_VERSION, KnownItems, default_version
from judgebench.keys import content_key
from judgebench.records import ModelSpec, Runtime
from judgebench.secret import redact

INSPECT = "inspect"
_DONE = "success"
_DIGITS = 12


def read_inspect(
    paths: Sequence[Path],
    *,
    benchmark: str | None = None,
    version: str | None = None,
    model: str | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[Taking]:
    """Read logs, or folders of them; returned is what stores each, the earliest first.

    The task is the benchmark, a sample's id the item, its epoch the sample, counted from 0. A
    scorer is the judge ``inspect/<scorer>``, or is called by the model that graded where the log
    names it. A sample that ended in an error is a failure, and no score.

    Parameters
    ----------
    benchmark, version
        In place of the task's; for logs of one task.
    model
        What the model is called, in place of what the log says.

    Raises
    ------
    InputError
        Naming file and sample of what cannot be used.
    """
    heads = {path: read_head(path) for path in find_logs(paths)}
    one_task(benchmark, {_task(path, head) for path, head in heads.items()})
    one_model(model, {str(head["eval"].get("model")) for head in heads.values()})
    known = cache(known_items)
    found = []
    for path, head in sorted(heads.items(), key=lambda log: (_when(log[1]), str(log[0]))):
        one = _evaluation(path, head, benchmark, version, model)
        checked = check(one, known, allow_unknown=allow_unknown_items)
        night = Night(what=INSPECT, when=_when(head), files=(path,), evaluations=(one,))
        found.append(Taking(night=night, checked=(checked,)))
    return found


def _evaluation(
    path: Path, head: Raw, benchmark: str | None, version: str | None, model: str | None
) -> Evaluation:
    about = head["eval"]
    task = _task(path, head)
    name = benchmark or task
    said = version or _version(name, about.get("task_version"))
    ran = about.get("model")
    if not (isinstance(ran, str) and ran.strip()):
        raise InputError(f"{path}: eval: model: is missing; is it a log of Inspect's?")
    called = model or redact(ran)
    scorers = _scorers(about)
    return Evaluation(
        path=path,
        benchmark=name,
        version=said,
        model=called,
        spec=_spec(head, called),
        stack=_stack(about, ran),
        samples=Samples(
            path=path,
            benchmark=name,
            version=said,
            judges={s: judge_name(s, _grader(s, o, about)) for s, o in scorers.items()},
        ),
        fractions=frozenset(
            judge_name(scorer, _grader(scorer, options, about))
            for scorer, options in scorers.items()
            if options.get("partial_credit") is True
        ),
        warnings=_unfinished(head),
    )


def _task(path: Path, head: Raw) -> str:
    task = head["eval"].get("task")
    if not (isinstance(task, str) and task.strip()):
        raise InputError(f"{path}: eval: task: is missing; is it a log of Inspect's?")
    return task


def _when(head: Raw) -> str:
    created = head["eval"].get("created")
    return created if isinstance(created, str) else ""


def _version(benchmark: str, said: Any) -> str:
    if benchmark in registry.benchmark_folders():
        return default_version(benchmark)
    stated = isinstance(said, (int, str)) and not isinstance(said, bool) and str(said).strip()
    return str(said) if stated else NO_VERSION


def _unfinished(head: Raw) -> tuple[str, ...]:
    status, about = head.get("status"), head["eval"]
    dataset = about.get("dataset")
    asked = dataset.get("samples") if isinstance(dataset, dict) else None
    found = []
    if status != _DONE:
        of = f" of {asked} samples" if isinstance(asked, int) else ""
        found.append(
            f"the log was not finished (status {status!r:.40}): what is there{of} is "
            "taken in, and the rest is missing"
        )
    if head.get("invalidated") is True:
        found.append("Inspect's users have marked this log, or samples of it, as invalid")
    return tuple(found)


# who graded -------------------------------------------------------------------------------------


def _scorers(about: Raw) -> dict[str, Mapping[str, Any]]:
    """By name, the options of each."""
    listed = about.get("scorers")
    return {
        one["name"].rpartition("/")[2]: _mapping(one.get("options"))
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    }


def _grader(scorer: str, options: Mapping[str, Any], about: Raw) -> str | None:
    """The model that graded; None where none did, several did, or the log does not say."""
    if not scorer.startswith("model_graded"):
        return None
    given = options.get("model")
    if given is None:
        role = options.get("model_role", "grader")
        given = _mapping(_mapping(about.get("model_roles")).get(role)).get("model")
    return redact(given) if isinstance(given, str) and given.strip() else None


# who answered -----------------------------------------------------------------------------------


def _spec(head: Raw, model: str) -> ModelSpec:
    about, plan = head["eval"], _mapping(head.get("plan"))
    steps = plan.get("steps")
    steps = steps if isinstance(steps, list) else []
    solvers = [str(step.get("solver")) for step in steps if isinstance(step, dict)]
    decoding = {**_mapping(about.get("model_generate_config")), **_mapping(plan.get("config"))}
    prompting: dict[str, Any] = {}
    if solvers:
        told = repr([(step.get("solver"), step.get("params")) for step in steps])
        prompting = {
            "solvers": solvers,
            "solvers_sha": content_key("solvers", told).hex()[:_DIGITS],
        }
    return ModelSpec(
        weights=f"name:{model}",
        prompting=prompting,
        decoding={name: value for name, value in decoding.items() if _is_plain(value)},
    )


def _stack(about: Raw, model: str) -> Runtime:
    """Inspect, and the part of it that ran the model; how that did so only a local one says."""
    arguments = _mapping(about.get("model_args"))
    packages = _mapping(about.get("packages"))
    return Runtime(
        backend=f"inspect/{model.partition('/')[0]}",
        versions={name: said for name, said in packages.items() if isinstance(said, str)},
        dtype=next((str(arguments[n]) for n in ("dtype", "torch_dtype") if arguments.get(n)), None),
        device=str(arguments["device"]) if arguments.get("device") else None,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(one) for one in value)
    return isinstance(value, (str, bool, int)) or (
        isinstance(value, float) and math.isfinite(value)
    )
