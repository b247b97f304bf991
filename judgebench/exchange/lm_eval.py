"""``import lm-eval``: what lm-eval wrote with ``--log_samples``, a run of it at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from judgebench import registry
from judgebench.benchmarks.description import find
from judgebench.benchmarks.folder import items_at_hand
from judgebench.exchange.evaluations import Evaluation, Night
from judgebench.exchange.evaluations_checking import check, one_model, one_task
from judgebench.exchange.evaluations_taking import Taking
from judgebench.exchange.known_items import NO_VERSION, KnownItems, default_version
from judgebench.exchange.lm_eval_files import RunFiles, find_runs, read_results
from judgebench.exchange.lm_eval_results import Results
from judgebench.exchange.lm_eval_samples import (
    FRACTIONS,
    SamplesFile,
    look_at,
    refuse_cut_short,
)

LM_EVAL = "lm-eval"


def read_lm_eval(
    paths: Sequence[Path],
    *,
    benchmark: str | None = None,
    version: str | None = None,
    model: str | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[Taking]:
    """Read output folders of lm-eval, or files of them; returned is what stores each run.

    Every run of lm-eval is a run here, in one commit, the earliest first. The task is the
    benchmark, or the benchmark whose task it is. A metric under a filter is the judge
    ``lm-eval/<metric>,<filter>``. Answers are what was generated before any filter.

    Parameters
    ----------
    benchmark, version
        In place of the task's; for files of one task.
    model
        What the model is called, in place of what the results say.

    Raises
    ------
    InputError
        Naming file and line of what cannot be used.
    """
    runs = [(run, _results(run)) for run in find_runs(paths)]
    one_task(benchmark, {task for run, _ in runs for task, _ in run.samples})
    one_model(model, {_called(run, results) for run, results in runs})
    nights = [_night(run, results, benchmark, version, model) for run, results in runs]
    known = cache(known_items)
    return [
        Taking(
            night=night,
            checked=tuple(
                check(one, known, allow_unknown=allow_unknown_items) for one in night.evaluations
            ),
        )
        for night in nights
    ]


def _results(run: RunFiles) -> Results:
    return Results({} if run.results is None else read_results(run.results))


def _called(run: RunFiles, results: Results) -> str:
    """The model, or where no results say it, the folder: lm-eval calls it like the model."""
    return results.model or run.folder.resolve().name


def _night(
    run: RunFiles, results: Results, benchmark: str | None, version: str | None, model: str | None
) -> Night:
    files = tuple(path for _, path in run.samples)
    return Night(
        what=LM_EVAL,
        when=run.when,
        files=files if run.results is None else (run.results, *files),
        evaluations=tuple(
            _evaluation(run, results, task, path, benchmark, version, model)
            for task, path in run.samples
        ),
    )


def _evaluation(
    run: RunFiles,
    results: Results,
    task: str,
    path: Path,
    benchmark: str | None,
    version: str | None,
    model: str | None,
) -> Evaluation:
    documents = look_at(path)
    refuse_cut_short(path, documents.n, results.documents(task))
    name = benchmark or _benchmark_of(task)
    said = version or _version(name, results.version(task))
    called = model or _called(run, results)
    printed = results.printed(task)
    warnings = []
    if run.results is None:
        warnings.append(
            f"no results_{run.when or '<time>'}.json beside it: the model is called {called!r}, "
            f"and how it was asked and run, and the version of {task}, is not known"
        )
    return Evaluation(
        path=path,
        benchmark=name,
        version=said,
        model=called,
        spec=results.spec(task, called, documents.generation),
        stack=results.stack,
        samples=SamplesFile(
            path=path,
            benchmark=name,
            version=said,
            id_field=documents.id_field,
            think_end=results.think_end,
        ),
        printed={
            judge: printed[metric]
            for judge, metric in documents.metrics.items()
            if metric in printed
        },
        fractions=frozenset(
            judge
            for judge, metric in documents.metrics.items()
            if metric.partition(",")[0] in FRACTIONS
        ),
        warnings=tuple(warnings),
    )


def _benchmark_of(task: str) -> str:
    """The benchmark that has this task in its folder; else the task's own name."""
    for name, folder in registry.benchmark_folders().items():
        if (folder / f"{task}.yaml").is_file():
            return name
    return task


def _version(benchmark: str, said: str | None) -> str:
    """The benchmark's own where it has what the task says, or else its default."""
    if benchmark in registry.benchmark_folders():
        known = find(benchmark)[0].versions
        return said if said is not None and said in known else default_version(benchmark)
    return said or NO_VERSION
