"""``import inspect``: Inspect's logs, each a run of a task.

A ``.eval`` file is a zip file of JSON, read here without Inspect; a ``.json`` log is the same in
one object. What is in either is data, and never made into objects of Inspect's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from judgebench import registry
from judgebench.benchmarks.folder import items_at_hand
from judgebench.errors import InputError, UsageError
from judgebench.exchange.evaluations import (
    Evaluation,
    Mark,
    Night,
    Sample,
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
from judgebench.keys import content_key
from judgebench.plain_text import holding
from judgebench.records import (
    MOST_TOKENS,
    Item,
    Message,
    ModelSpec,
    Response,
    ResponseStatus,
    Role,
    Runtime,
    Usage,
)
from judgebench.rows import ZipMembers, members, zip_members
from judgebench.secret import redact
from judgebench.template import MOST_OPTIONS, letters, reference_to
from judgebench.workers.backends import Generated
from judgebench.workers.final_answer import read_answer

INSPECT = "inspect"
_DONE = "success"
_DIGITS = 12

Raw = Mapping[str, Any]


def read_inspect(
    paths: Sequence[Path],
    *,
    benchmark: str | None = None,
    version: str | None = None,
    model: str | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[Import]:
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
    heads = {path: _read_head(path) for path in _find_logs(paths)}
    tasks = {_task(path, head) for path, head in heads.items()}
    one_of("benchmark", "task", benchmark, tasks)
    one_of("model", "model", model, {str(head["eval"].get("model")) for head in heads.values()})
    known = cache(known_items)
    found = []
    for path, head in sorted(heads.items(), key=lambda log: (_when(log[1]), str(log[0]))):
        one = _evaluation(path, head, benchmark, version, model)
        night = Night(what=INSPECT, when=_when(head), files=(path,), evaluations=(one,))
        found.append(import_of(night, known, allow_unknown_items=allow_unknown_items))
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
    judges = {s: _judge_name(s, _grader(s, options, about)) for s, options in scorers.items()}
    return Evaluation(
        path=path,
        benchmark=name,
        version=said,
        model=called,
        spec=_spec(head, called),
        stack=_stack(about, ran),
        samples=partial(_samples, path, (name, said), judges),
        fractions=frozenset(
            judges[scorer]
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
    status, asked = head.get("status"), mapping(head["eval"].get("dataset")).get("samples")
    of = f" of {asked} samples" if isinstance(asked, int) else ""
    said = {
        f"the log was not finished (status {status!r:.40}): what is there{of} is taken in, and "
        "the rest is missing": status != _DONE,
        "Inspect's users have marked this log, or samples of it, as invalid": (
            head.get("invalidated") is True
        ),
    }
    return tuple(holding(said))


# who graded -------------------------------------------------------------------------------------


def _scorers(about: Raw) -> dict[str, Mapping[str, Any]]:
    """By name, the options of each."""
    return {
        one["name"].rpartition("/")[2]: mapping(one.get("options"))
        for one in listed(about.get("scorers"))
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    }


def _grader(scorer: str, options: Mapping[str, Any], about: Raw) -> str | None:
    """The model that graded; None where none did, several did, or the log does not say."""
    if not scorer.startswith("model_graded"):
        return None
    given = options.get("model")
    if given is None:
        role = options.get("model_role", "grader")
        given = mapping(mapping(about.get("model_roles")).get(role)).get("model")
    return redact(given) if isinstance(given, str) and given.strip() else None


# who answered -----------------------------------------------------------------------------------


def _spec(head: Raw, model: str) -> ModelSpec:
    about, plan = head["eval"], mapping(head.get("plan"))
    steps = listed(plan.get("steps"))
    solvers = [str(step.get("solver")) for step in steps if isinstance(step, dict)]
    decoding = {**mapping(about.get("model_generate_config")), **mapping(plan.get("config"))}
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
        decoding={name: value for name, value in decoding.items() if plain(value)},
    )


def _stack(about: Raw, model: str) -> Runtime:
    """Inspect, and the part of it that ran the model; how that did so only a local one says."""
    arguments = mapping(about.get("model_args"))
    packages = mapping(about.get("packages"))
    return Runtime(
        backend=f"inspect/{model.partition('/')[0]}",
        versions={name: said for name, said in packages.items() if isinstance(said, str)},
        dtype=next((str(arguments[n]) for n in ("dtype", "torch_dtype") if arguments.get(n)), None),
        device=str(arguments["device"]) if arguments.get("device") else None,
    )


# logs -------------------------------------------------------------------------------------------

_HEADER, _START = "header.json", "_journal/start.json"
_SAMPLE = re.compile(r"samples/[^/]+\.json")
_LOG_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d[-:]\d\d[-:]\d\d.*_.+_\w+\.json")
_SAMPLES, _REDUCTIONS = "samples", "reductions"


def _find_logs(paths: Sequence[Path]) -> list[Path]:
    """The logs, and those in these folders or below, each once.

    Raises
    ------
    InputError
        For a folder without any.
    UsageError
        For a file whose suffix says that it is none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            if path.suffix not in (".eval", ".json"):
                raise UsageError(f"{path}: Inspect's logs are .eval or .json")
            found[path] = None
            continue
        named = (p for p in path.rglob("*.json") if _LOG_NAME.fullmatch(p.name))
        inside = sorted([*path.rglob("*.eval"), *named])
        if not inside:
            raise InputError(f"{path}: no log of Inspect's (.eval) in this folder or below")
        found |= dict.fromkeys(inside)
    return list(found)


def _read_head(path: Path) -> Raw:
    """What a log says of the whole: ``eval``, ``plan``, ``results``, ``status``.

    Raises
    ------
    InputError
        For what is no log, or a broken one.
    """
    if path.suffix == ".json":
        lists = (_SAMPLES, _REDUCTIONS)
        head = {name: value for name, value in members(path, lists) if name not in lists}
    else:
        with zip_members(path) as log:
            names = set(log.names)
            # A log that was never finished has only what it began with.
            head_name = next((name for name in (_HEADER, _START) if name in names), None)
            if head_name is None:
                raise InputError(f"{path}: no {_HEADER} in it; is it a log of Inspect's?")
            head = dict(_json(log, head_name))
    if not isinstance(head.get("eval"), dict):
        raise InputError(f"{path}: 'eval' is missing; is it a log of Inspect's?")
    return head


def _each_sample(path: Path) -> Iterator[tuple[str, Raw]]:
    """The samples of a log, each with where it stands.

    Raises
    ------
    InputError
        Naming the sample that is no object, or broken.
    """
    if path.suffix == ".json":
        number = 0
        for name, value in members(path, (_SAMPLES, _REDUCTIONS)):
            if name == _SAMPLES:
                number += 1
                where = f"{path}: sample {number}"
                if not isinstance(value, dict):
                    raise InputError(f"{where}: an object has to stand here")
                yield where, value
        return
    with zip_members(path) as log:
        for name in log.names:
            if _SAMPLE.fullmatch(name):
                yield f"{path}: {name!r:.200}", _json(log, name)


def _json(log: ZipMembers, name: str) -> Raw:
    try:
        found = json.loads(log.read(name))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{log.path}: {name!r:.200}: this is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputError(f"{log.path}: {name!r:.200}: an object has to stand here")
    return found


# samples ----------------------------------------------------------------------------------------

GRADES: Mapping[str, float] = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""Correct, incorrect, partially correct, no answer: as Inspect's accuracy counts them."""
_WORDS: Mapping[str, float] = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_CUT = frozenset({"max_tokens", "model_length"})
_REFUSED = "content_filter"
_ATTACHED = "attachment://"
_LONGEST_MESSAGE = 2000
_ROLES: Mapping[str, Role] = {"system": "system", "assistant": "assistant"}


def _samples(path: Path, at: At, judges: Mapping[str, str]) -> Iterator[Sample]:
    """A log's samples; ``judges`` tells a scorer's name as a judge."""
    for where, raw in _each_sample(path):
        epoch = raw.get("epoch", 1)
        if isinstance(epoch, bool) or not isinstance(epoch, int) or not 1 <= epoch < 2**31:
            raise InputError(f"{where}: epoch: a whole number from 1, not {epoch!r:.40}")
        number, item, error = epoch - 1, _item(where, raw, at), raw.get("error")
        if error is not None and not raw.get("scores"):  # some are scored all the same
            yield Sample(where=where, item=item, sample=number, failure=_message(error))
            continue
        answer = _answer(raw, item, number, path.name)
        yield Sample(
            where=where,
            item=item,
            sample=number,
            answers=() if answer is None else (answer,),
            marks=dict(_marks(where, raw, judges)),
        )


def _item(where: str, raw: Raw, at: At) -> Item:
    item_id = own_id(raw.get("id"))
    if item_id is None:
        raise InputError(f"{where}: id: a text or a number has to stand here")
    options = _texts(raw.get("choices"))
    said = mapping(raw.get("metadata"))  # what items can be grouped by: short texts
    metadata = {name: said[name] for name in said if short_text(name) and short_text(said[name])}
    return Item(
        benchmark=at[0],
        version=at[1],
        id=item_id,
        turns=_turns(where, raw),
        references=_references(raw.get("target"), options),
        category=metadata.pop("category", None),
        options=options,
        metadata=metadata,
    )


def _marks(where: str, raw: Raw, judges: Mapping[str, str]) -> Iterator[tuple[str, Mark]]:
    scores = raw.get("scores")
    if scores is None:
        return
    if not isinstance(scores, dict):
        raise InputError(f"{where}: scores: an object has to stand here")
    for scorer, score in scores.items():
        if not isinstance(score, dict):
            raise InputError(f"{where}: scores: {scorer!r:.60}: an object has to stand here")
        judge = judges.get(scorer) or _judge_name(scorer)
        value, reason = score.get("value"), score.get("reason")
        if isinstance(value, dict):
            for part, one in value.items():
                yield f"{judge}/{part}", _mark(one, reason)
        else:
            yield judge, _mark(value, reason)


def _judge_name(scorer: str, grader: str | None = None) -> str:
    """Who a scorer's scores are kept under: the model that graded, where the log names it."""
    return f"inspect/{scorer}" if grader is None else f"{grader} (inspect/{scorer})"


def _mark(value: Any, reason: Any) -> Mark:
    """A score as a number, as Inspect's own metrics read it; what they could not is unreadable."""
    if isinstance(value, str):
        if value in GRADES:
            return Mark(value=GRADES[value], unit=True)
        if (word := value.strip().lower()) in _WORDS:
            return Mark(value=_WORDS[word], unit=True)
    number = math.nan
    if isinstance(value, (bool, int, float, str)):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
    if math.isfinite(number):
        return Mark(value=number)
    said = f"{reason:.200}: " if isinstance(reason, str) and reason else ""
    return Mark(value=None, reason=f"{said}{value!r:.40} is no number")


def _message(error: Any) -> str:
    said = error.get("message") if isinstance(error, dict) else error
    return redact((said if isinstance(said, str) else repr(said))[:_LONGEST_MESSAGE])


# what was asked ---------------------------------------------------------------------------------


def _turns(where: str, raw: Raw) -> tuple[Message, ...]:
    given = raw.get("input")
    if isinstance(given, str):
        return (Message(role="user", content=_attached(given, raw)),)
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise InputError(f"{where}: input: a text or a list of messages has to stand here")
    turns = tuple(
        Message(
            role=_ROLES.get(str(one.get("role")), "user"),
            content=_attached(_content(one.get("content"))[0], raw),
        )
        for one in given
    )
    if any(turn.role == "user" for turn in turns):
        return turns
    return (Message(role="user", content="\n\n".join(turn.content for turn in turns)),)


def _content(given: Any) -> tuple[str, str | None]:
    """The text of a message, and what was thought aloud before it.

    What is no text is named: ``[image]``.
    """
    if isinstance(given, str):
        return given, None
    texts, thoughts = [], []
    for part in listed(given):
        if not isinstance(part, dict):
            continue
        kind = part.get("type")
        said = part.get(kind) if kind in ("text", "reasoning") else None
        if kind == "reasoning":
            thoughts.append(said if isinstance(said, str) else "")
        else:
            texts.append(said if isinstance(said, str) else f"[{kind}]")
    return "\n".join(texts), "\n".join(thoughts) if thoughts else None


def _attached(text: str, raw: Raw) -> str:
    """Inspect keeps a long text once, and names it where it stood."""
    if not text.startswith(_ATTACHED):
        return text
    found = mapping(raw.get("attachments")).get(text.removeprefix(_ATTACHED))
    return found if isinstance(found, str) else text


def _references(target: Any, options: Sequence[str]) -> tuple[str, ...]:
    """The target; of options it is the letter of the right one."""
    targets = (target,) if isinstance(target, str) else _texts(target)
    if not 0 < len(options) <= MOST_OPTIONS:
        return tuple(text for text in targets if text)
    known = letters(len(options))
    return tuple(
        reference_to(options, known.index(text)) if len(text) == 1 and text in known else text
        for text in targets
        if text
    )


def _texts(given: Any) -> tuple[str, ...]:
    return tuple(one for one in listed(given) if isinstance(one, str))


# what came back ---------------------------------------------------------------------------------


def _answer(raw: Raw, item: Item, number: int, file: str) -> Response | None:
    """The last output; None where the model was never asked."""
    output = mapping(raw.get("output"))
    choices = listed(output.get("choices"))
    if not choices or not isinstance(choices[0], dict):
        return None
    said, thought = _content(mapping(choices[0].get("message")).get("content"))
    said = _attached(said, raw)
    reason = choices[0].get("stop_reason")
    reason = reason if isinstance(reason, str) else None
    cut = reason in _CUT
    ended = "length" if cut else None if reason == _REFUSED else reason
    final = read_answer(Generated(raw=said, finish_reason=ended), prompt="")
    status: ResponseStatus = "refused" if reason == _REFUSED else final.status
    return recorded(
        (item.benchmark, item.version),
        item.id,
        b"",
        final.text,
        file,
        raw=said,
        sample=number,
        status=status,
        reasoning=final.reasoning or thought,
        finish_reason="length" if cut else reason,
        usage=_usage(output.get("usage")),
    )[1]


def _usage(given: Any) -> Usage:
    """Inspect counts what was read from a cache apart from the input."""
    said = mapping(given)
    read, written = (
        _count(said, "input_tokens_cache_read"),
        _count(said, "input_tokens_cache_write"),
    )
    asked = _count(said, "input_tokens")
    whole = None if asked is None else asked + (read or 0) + (written or 0)
    return Usage(
        prompt_tokens=None if whole is None or whole > MOST_TOKENS else whole,
        completion_tokens=_count(said, "output_tokens"),
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=_count(said, "reasoning_tokens"),
    )


def _count(said: Raw, name: str) -> int | None:
    found = said.get(name)
    whole = isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= MOST_TOKENS
    return found if whole else None
