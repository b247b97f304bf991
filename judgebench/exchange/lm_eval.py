"""``import lm-eval``: what lm-eval wrote with ``--log_samples``, a run of it at a time.

Its results say which model it was, how it ran and what was printed; releases differ in what they
write, and what is not there is not known. Its samples are one document and filter a line, with what
was asked, answered and measured.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from judgebench import registry
from judgebench.benchmarks.description import find
from judgebench.benchmarks.folder import items_at_hand
from judgebench.errors import InputError
from judgebench.exchange.evaluations import (
    Evaluation,
    Mark,
    Night,
    Sample,
    finite,
    import_of,
    listed,
    mapping,
    one_of,
    own_id,
    plain,
    short_text,
)
from judgebench.exchange.pipeline import (
    NO_VERSION,
    At,
    Import,
    KnownItems,
    default_version,
    recorded,
)
from judgebench.records import Item, Message, ModelSpec, Response, Runtime
from judgebench.responses.identity import LOADED_AS
from judgebench.rows import Row, each_row, reading
from judgebench.secret import redact
from judgebench.workers.backends import Generated
from judgebench.workers.final_answer import read_answer

LM_EVAL = "lm-eval"


def read_lm_eval(
    paths: Sequence[Path],
    *,
    benchmark: str | None = None,
    version: str | None = None,
    model: str | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[Import]:
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
    runs = [(run, _results(run)) for run in _find_runs(paths)]
    one_of("benchmark", "task", benchmark, {task for run, _ in runs for task, _ in run.samples})
    one_of("model", "model", model, {_called(run, results) for run, results in runs})
    nights = [_night(run, results, benchmark, version, model) for run, results in runs]
    known = cache(known_items)
    return [import_of(one, known, allow_unknown_items=allow_unknown_items) for one in nights]


def _results(run: _RunFiles) -> _Results:
    return _Results({} if run.results is None else _read_results(run.results))


def _called(run: _RunFiles, results: _Results) -> str:
    """The model, or where no results say it, the folder: lm-eval calls it like the model."""
    return results.model or run.folder.resolve().name


def _night(
    run: _RunFiles, results: _Results, benchmark: str | None, version: str | None, model: str | None
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
    run: _RunFiles,
    results: _Results,
    task: str,
    path: Path,
    benchmark: str | None,
    version: str | None,
    model: str | None,
) -> Evaluation:
    documents = _look_at(path)
    _refuse_cut_short(path, documents.n, results.documents(task))
    name = benchmark or _benchmark_of(task)
    said = version or _version(name, results.version(task))
    called = model or _called(run, results)
    unknown = (
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
        samples=partial(
            _samples, path, (name, said), documents.id_field, think_end=results.think_end
        ),
        printed={
            judge: value
            for metric, value in results.printed(task).items()
            if (judge := f"lm-eval/{metric}") in documents.judges
        },
        fractions=frozenset(
            judge
            for judge in documents.judges
            if judge.removeprefix("lm-eval/").partition(",")[0] in FRACTIONS
        ),
        warnings=(unknown,) if run.results is None else (),
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


# files ------------------------------------------------------------------------------------------

_WHEN = r"(?P<when>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)"
_SAMPLES = re.compile(rf"samples_(?P<task>.+?)(?:_{_WHEN})?\.jsonl")
_RESULTS = re.compile(rf".+_{_WHEN}\.json")
_MOST_RESULTS = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunFiles:
    """What one run of lm-eval wrote: its results, and the samples of each task by its name.

    when
        As in the files' names; empty for samples of an lm-eval that did not write it there.
    results
        None where only samples are here.
    """

    folder: Path
    when: str
    results: Path | None
    samples: tuple[tuple[str, Path], ...]


def _find_runs(paths: Sequence[Path]) -> list[_RunFiles]:
    """The runs whose files these are, or lie in these folders or below, the earliest first.

    A file of results stands for all samples of its run.

    Raises
    ------
    InputError
        For what is no file of lm-eval's, and where there are no samples at all.
    """
    results: dict[tuple[Path, str], Path] = {}
    samples: dict[tuple[Path, str], dict[str, Path]] = {}
    for path in dict.fromkeys(file for given in paths for file in _files(given)):
        if task := _SAMPLES.fullmatch(path.name):
            run = path.parent, task["when"] or ""
            samples.setdefault(run, {})[task["task"]] = path
        elif run_of := _RESULTS.fullmatch(path.name):
            results[path.parent, run_of["when"]] = path
    if not samples:
        raise InputError(
            f"{paths[0]}: no samples_<task>_<time>.jsonl here or below; lm-eval writes them with "
            "--log_samples and --output_path"
        )
    lacking = sorted(set(results) - set(samples))
    if lacking:
        raise InputError(
            f"{results[lacking[0]]}: there are no samples beside it (samples_<task>_<time>.jsonl "
            "of the same time); what a run printed is no verdict: leave the file out, or run "
            "lm-eval with --log_samples"
        )
    return [
        _RunFiles(
            folder=folder,
            when=when,
            results=results.get((folder, when)) or _beside(folder, when),
            samples=tuple(sorted(tasks.items())),
        )
        for (folder, when), tasks in sorted(
            samples.items(), key=lambda run: (run[0][1], str(run[0][0]))
        )
    ]


def _read_results(path: Path) -> dict[str, Any]:
    """What a file of results says.

    Raises
    ------
    InputError
        For what is no JSON object.
    """
    try:
        with reading(path):
            if path.stat().st_size > _MOST_RESULTS:
                raise InputError(f"{path}: larger than {_MOST_RESULTS >> 20} MB; no results are")
            found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: is no whole JSON file ({error}); it was not written or copied to its end: "
            "fetch it again, or leave it out (then of the model only the name is known)"
        ) from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: an object has to stand here; is it a file of lm-eval's?")
    return found


def _files(given: Path) -> Iterator[Path]:
    if given.is_dir():
        yield from (p for p in sorted(given.rglob("*.json*")) if p.is_file())
        return
    if not given.is_file():
        raise InputError(f"{given}: there is no such file or folder")
    named = _SAMPLES.fullmatch(given.name) or _RESULTS.fullmatch(given.name)
    if named is None:
        raise InputError(
            f"{given}: lm-eval's files are called results_<time>.json and "
            "samples_<task>_<time>.jsonl, and their names say what they are about"
        )
    yield given
    if given.suffix == ".json":
        yield from sorted(given.parent.glob(f"samples_*_{named['when']}.jsonl"))


def _beside(folder: Path, when: str) -> Path | None:
    found = sorted(folder.glob(f"*_{when}.json")) if when else []
    return found[0] if found else None


# results ----------------------------------------------------------------------------------------

_NAMED_BY = ("pretrained", "model", "path", "engine")
_PARTS = ("peft", "delta", "lora_local_path", "tokenizer", *LOADED_AS)
_PROMPTED_BY = ("enable_thinking", "think_end_token", "add_bos_token", "max_length", "truncation")
_PARALLEL = ("tensor_parallel_size", "data_parallel_size", "parallelize", "tp_plan")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_TORCH = re.compile(r"^PyTorch version: (\S+)", re.MULTILINE)
_STDERR = re.compile(r"_stderr,")


class _Results:
    """One file of results; an empty one says nothing."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self._said = said
        self._config = mapping(said.get("config"))
        self._args = _arguments(self._config.get("model_args"))

    @property
    def model(self) -> str | None:
        """What the model is called."""
        named = (self._args.get(name) for name in _NAMED_BY)
        found = next((name for name in named if isinstance(name, str) and name), None)
        found = found or self._said.get("model_name")
        return redact(found) if isinstance(found, str) and found.strip() else None

    @property
    def think_end(self) -> str | None:
        """What ends the reasoning of a model that thinks aloud, where lm-eval was told."""
        found = self._args.get("think_end_token")
        return found if isinstance(found, str) and found else None

    def version(self, task: str) -> str | None:
        """None where the task states none."""
        found = mapping(self._said.get("versions")).get(task)
        if isinstance(found, bool) or not isinstance(found, (int, float, str)):
            return None
        text = f"{found:g}" if isinstance(found, float) else str(found).strip()
        return None if text in ("", "Yaml", "N/A") else text

    def documents(self, task: str) -> int | None:
        """How many documents were measured, at the least; None in results of earlier releases."""
        found = mapping(mapping(self._said.get("results")).get(task)).get("sample_len")
        return found if isinstance(found, int) else None

    def printed(self, task: str) -> dict[str, float]:
        """What lm-eval printed, by ``metric,filter``."""
        return {
            name: float(value)
            for name, value in mapping(mapping(self._said.get("results")).get(task)).items()
            if "," in name and not _STDERR.search(name) and finite(value)
        }

    def spec(self, task: str, model: str, generation: Mapping[str, Any]) -> ModelSpec:
        """Which model it was, as far as the results say.

        Parameters
        ----------
        model
            What it is to be called.
        generation
            The arguments of its generation; empty where nothing was generated.
        """
        prompting = {
            "fewshot": mapping(self._said.get("n-shot")).get(task),
            "chat_template_sha": self._said.get("chat_template_sha"),
            "system_sha": self._said.get("system_instruction_sha"),
            "fewshot_as_multiturn": self._said.get("fewshot_as_multiturn") or None,
            **{name: self._args.get(name) for name in _PROMPTED_BY},
        }
        decoding = _kept(generation)
        seed = self._config.get("torch_seed")
        if decoding.get("do_sample") or decoding.get("temperature"):
            decoding.setdefault("seed", seed)
        return ModelSpec(
            weights=self._weights(model), prompting=_kept(prompting), decoding=_kept(decoding)
        )

    @property
    def stack(self) -> Runtime | None:
        """How it ran; None where nothing is said of it."""
        backend = self._config.get("model") or self._said.get("model_source")
        if not isinstance(backend, str):
            return None
        torch = _TORCH.search(str(self._said.get("pretty_env_info")))
        versions = {
            "lm_eval": self._said.get("lm_eval_version"),
            "transformers": self._said.get("transformers_version"),
            "torch": torch and torch[1],
        }
        parallel = [f"{name}={self._args[name]}" for name in _PARALLEL if self._args.get(name)]
        return Runtime(
            backend=backend,
            versions=_kept(versions),
            dtype=_said(self._config.get("model_dtype") or self._args.get("dtype")),
            batch_size=_said(self._config.get("batch_size")),
            parallelism=", ".join(parallel) or None,
            device=_said(self._config.get("device")),
        )

    def _weights(self, model: str) -> str:
        """The commit on the Hub where lm-eval found it, else the name; and what is laid over it."""
        main, sha = self._args.get("pretrained"), self._config.get("model_sha")
        named = f"name:{model}"
        if isinstance(main, str) and isinstance(sha, str) and _COMMIT.fullmatch(sha):
            named = f"hub:{main}@{sha}" if _HUB_ID.fullmatch(main) else named
        parts = [f"{name}={self._args[name]}" for name in _PARTS if self._args.get(name)]
        return redact(" ".join([named, *parts]))


def _arguments(given: Any) -> dict[str, Any]:
    """The arguments of a model: an object, or in earlier releases ``name=value,name=value``."""
    if isinstance(given, str):
        pairs = (part.partition("=") for part in given.split(","))
        return {name.strip(): value for name, _, value in pairs if name.strip()}
    return dict(mapping(given))


def _kept(said: Mapping[str, Any]) -> dict[str, Any]:
    """What can be part of a key; what is not said is left out."""
    return {name: value for name, value in said.items() if plain(value)}


def _said(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


# samples ----------------------------------------------------------------------------------------

FRACTIONS = frozenset(
    {"f1", "em_f1", "rouge1", "rouge2", "rougeL", "rougeLsum", "bleu", "chrf", "ter", "bleurt"}
)
"""Metrics that are shares of something, also on a set where each happens to be 0 or 1."""
_UNIT = frozenset(
    {"acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "em", "f1", "precision",
     "recall", "contains"}
)  # fmt: skip
"""Metrics that lie between 0 and 1 by what they are."""
_NOT_MEASURED = "bypass"  # what stands there where the metrics were left out

_IDS = ("id", "item_id", "question_id", "qid")
_QUESTIONS = (
    "question", "query", "prompt", "instruction", "problem", "input", "goal", "sentence", "text",
)  # fmt: skip
_CATEGORIES = ("category", "subject")
_CHOICES = "choices"
_NO_METRICS = frozenset(
    {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics",
     "doc_hash", "prompt_hash", "target_hash", "task_name"}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Documents:
    """What a first look at a file of samples shows.

    n
        How many documents there are.
    id_field
        The field of the documents that holds an id of their own, each another one; None where there
        is no such field: then lm-eval's number is the id.
    generation
        The arguments of the generation; empty where nothing was generated.
    judges
        The names of the judges that stand for metrics, each with its filter as it is printed.
    """

    n: int
    id_field: str | None
    generation: Mapping[str, Any]
    judges: Collection[str]


def _judge(metric: str, row: Row) -> str:
    """Who a metric's marks are kept under."""
    return f"lm-eval/{metric},{_filter(row)}"


def _look_at(path: Path) -> _Documents:
    """Read a file of samples once, for what has to be known of it as a whole.

    Raises
    ------
    InputError
        Naming file and line of what is no sample.
    """
    documents: set[str] = set()
    ids = {name: set[str]() for name in _IDS}
    generation: Mapping[str, Any] = {}
    judges: set[str] = set()
    for row in _rows(path):
        number = row.text("doc_id")
        if not documents:
            generation = _generation(_requests(row))
        judges |= {_judge(metric, row) for metric in _metrics(row)}
        if number in documents:
            continue
        documents.add(number)
        doc = row.values.get("doc")
        for name in list(ids):
            own = own_id(doc.get(name)) if isinstance(doc, dict) else None
            if own is None or own in ids[name]:
                del ids[name]
            else:
                ids[name].add(own)
    return _Documents(
        n=len(documents), id_field=next(iter(ids), None), generation=generation, judges=judges
    )


def _samples(path: Path, at: At, id_field: str | None, think_end: str | None) -> Iterator[Sample]:
    """The samples of a file; ``think_end`` ends the reasoning of a model that thinks aloud."""
    for row in _rows(path):
        item = _item(row, at, id_field)
        yield Sample(
            where=row.where,
            item=item,
            part=_filter(row),
            answers=tuple(_answers(row, item, path.name, think_end)),
            marks={
                _judge(metric, row): _mark(metric, row.values.get(metric))
                for metric in _metrics(row)
            },
        )


def _item(row: Row, at: At, id_field: str | None) -> Item:
    doc = mapping(row.values.get("doc"))
    item_id = row.text("doc_id")
    if id_field is not None:
        own = own_id(doc.get(id_field))
        if own is None:
            raise row.wrong("doc", f"has no {id_field!r}, which is the id of all others")
        item_id = own
    options = _options(doc)
    return Item(
        benchmark=at[0],
        version=at[1],
        id=item_id,
        turns=(Message(role="user", content=_question(doc, row)),),
        references=_references(row.values.get("target"), options),
        category=next((doc[n] for n in _CATEGORIES if short_text(doc.get(n))), None),
        options=options,
    )


def _answers(row: Row, item: Item, file: str, think_end: str | None) -> Iterator[Response]:
    """What was generated, all repeats; nothing where likelihoods were asked for."""
    requests = _requests(row)
    if requests and not isinstance(requests[0][1], dict):
        return
    kept = "filtered_resps" if row.values.get("resps") is None else "resps"
    prompt = requests[0][0] if requests else None
    for sample, raw in enumerate(_texts(row.values.get(kept), row)):
        final = read_answer(Generated(raw=raw), prompt=prompt or "", think_end=think_end)
        yield recorded(
            (item.benchmark, item.version),
            item.id,
            b"",
            final.text,
            file,
            raw=raw,
            sample=sample,
            status=final.status,
            reasoning=final.reasoning,
            prompt=prompt,
        )[1]


def _rows(path: Path) -> Iterator[Row]:
    return each_row(path, ("doc_id",), not_finite=True)


def _filter(row: Row) -> str:
    return row.text("filter") if row.has("filter") else "none"


def _metrics(row: Row) -> Sequence[str]:
    """The metrics of a line; earlier releases do not list them, and everything else is one."""
    found = row.values.get("metrics")
    if found is None:
        found = [name for name in row.values if name not in _NO_METRICS]
    if not isinstance(found, list) or not all(short_text(name) for name in found):
        raise row.wrong("metrics", "a list of names has to stand here")
    return [name for name in found if name != _NOT_MEASURED]


def _mark(metric: str, value: Any) -> Mark:
    number = math.nan
    if isinstance(value, (bool, int, float)):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    if not math.isfinite(number):
        return Mark(value=None, reason=f"{value!r:.40} is no number")
    return Mark(value=number, unit=metric in _UNIT and 0 <= number <= 1)


def _requests(row: Row) -> list[tuple[str | None, Any]]:
    """Of each request its prompt and its second argument: that of a generation is an object."""
    arguments = row.values.get("arguments")
    if isinstance(arguments, dict):
        each = [
            [one.get("arg_0"), one.get("arg_1")] if isinstance(one, dict) else []
            for one in arguments.values()
        ]
    else:
        each = [one for one in listed(arguments) if isinstance(one, list)]
    return [(_prompt(one[0]) if one else None, one[1] if len(one) > 1 else None) for one in each]


def _prompt(value: Any) -> str | None:
    if isinstance(value, list) and len(value) == 1:  # messages of a chat, as one text of JSON
        value = value[0]
    return value if isinstance(value, str) else None


def _generation(requests: Sequence[tuple[str | None, Any]]) -> Mapping[str, Any]:
    second = requests[0][1] if requests else None
    return second if isinstance(second, dict) else {}


def _texts(given: Any, row: Row) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, list):
        for one in given:
            yield from _texts(one, row)
    elif given is not None:
        raise row.wrong("resps", f"lists of texts have to stand here, not {given!r:.40}")


def _question(doc: Mapping[str, Any], row: Row) -> str:
    """The question alone: the prompt around it is another one for every model.

    The document itself where none of its fields is called like a question.
    """
    for name in _QUESTIONS:
        value = doc.get(name)
        if isinstance(value, str) and value.strip():
            return value
    if doc:
        return json.dumps(doc, ensure_ascii=False, sort_keys=True)
    prompt = next((prompt for prompt, _ in _requests(row) if prompt), None)
    if prompt is None:
        raise row.wrong("doc", "is missing, and so is the prompt: what was asked is not known")
    return prompt


def _options(doc: Mapping[str, Any]) -> tuple[str, ...]:
    choices = doc.get(_CHOICES)
    if isinstance(choices, dict):  # as datasets keeps lists of objects
        choices = choices.get("text")
    if not isinstance(choices, list) or len(choices) < 2:
        return ()
    return tuple(choices) if all(isinstance(one, str) for one in choices) else ()


def _references(target: Any, options: Sequence[str]) -> tuple[str, ...]:
    """The target as lm-eval writes it; of options it is the number of the right one."""
    if target is None or target == "":
        return ()
    text = target if isinstance(target, str) else json.dumps(target, ensure_ascii=False)
    if options and text.isascii() and text.isdigit() and int(text) < len(options):
        return (options[int(text)],)
    return (text,)


def _refuse_cut_short(path: Path, found: int, ran: int | None) -> None:
    """Raise `InputError` where there are fewer documents than the results say were run."""
    if ran is not None and found < ran:
        raise InputError(
            f"{path}: {found} documents, but by its results the run had {ran}; the file was not "
            "copied whole, or is of another run: fetch it again"
        )
