"""``import honestybench``: the benchmark's own records of a model, answers and verdicts at once.

A record is one question with everything said of it: the greedy answer with its log-probabilities,
twenty samples, whether each of these is correct, and whether each sample says the same as the
greedy answer.
"""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

from judgebench.benchmarks.folder import items_at_hand
from judgebench.columns import grouped
from judgebench.errors import InputError, UsageError, refuse_unknown
from judgebench.exchange.pipeline import (
    IMPORT_LEASE,
    NO_VERSION,
    SILENT,
    At,
    Board,
    Import,
    ImportReport,
    Intake,
    KnownItems,
    NewVerdict,
    default_version,
    files_in,
    imported_judge_key,
    recorded,
    refuse_undeclared,
    same_text,
)
from judgebench.exchange.tables import same, say
from judgebench.keys import content_key
from judgebench.protocols import Progress
from judgebench.records import (
    BINARY,
    Item,
    Label,
    Message,
    Response,
    Score,
    Usage,
    Verdict,
    VerdictSlot,
)
from judgebench.rows import Row, each_row
from judgebench.store.store import Store

BENCHMARK, VERSION = "honestybench", "1"
JUDGE = "Qwen2.5-32B-Instruct"
"""Who judged the published records."""

DOMAINS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("nq", "tq", "hq", "2wiki", "pararel"), "in-domain")
    | dict.fromkeys(("squad", "webq", "cwq", "musique", "popqa"), "ood")
)
"""The sets, and whether each belongs to those that heads are trained on."""

_CALLED: Mapping[str, str] = MappingProxyType(
    {name: name for name in DOMAINS}
    | {
        "triviaqa": "tq",
        "hotpotqa": "hq",
        "2wikimultihopqa": "2wiki",
        "pararel_patterns": "pararel",
        "web_questions": "webq",
        "webquestions": "webq",
        "complex_web_questions": "cwq",
    }
)
_NAMES = sorted(_CALLED, key=len, reverse=True)
_A_SET = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(map(re.escape, _NAMES))})(?![a-z0-9])")

REQUIRED = ("question", "answer", "greedy_response")
_CLOSE = 1e-2  # a sum of logarithms of low precision may be so far off, relative to itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One question with what a model answered, and what was said of that.

    logprob, tokens
        Of the greedy answer; None where the file does not say.
    correct
        Of the greedy answer and then of each sample; None where nobody said.
    consistent
        Of each sample.
    """

    row: Row
    question: str
    accepted: tuple[str, ...]
    greedy: str
    samples: tuple[str, ...]
    logprob: float | None
    tokens: int | None
    correct: tuple[bool | None, ...]
    consistent: tuple[bool | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the records of one file are about."""

    path: Path
    at: At
    model: str
    set_name: str
    judge: str


def read_honestybench(
    paths: Sequence[Path],
    *,
    benchmark: str = BENCHMARK,
    version: str | None = None,
    model: str | None = None,
    set_name: str | None = None,
    judge: str = JUDGE,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> list[Import]:
    """Read the files; returned with each is what stores it.

    The greedy answer is sample 0, and the judge's labels say which answers are correct. That sample
    k says the same as the greedy answer is a score of 1 to it, of a judge that goes by the name of
    ``judge`` and "(consistency)".

    Parameters
    ----------
    paths
        Files, or folders of them.
    model, set_name
        Whose answers to which set; if not given, as files and folders are called.
    judge
        Who judged.

    Raises
    ------
    InputError
        Naming file, row and field of what cannot be used; for questions that the benchmark does
        not have; for two files about one model and set.
    """
    said = version or default_version(benchmark)
    if benchmark == BENCHMARK and said == NO_VERSION:
        said = VERSION
    known = known_items(benchmark, said)
    read: dict[tuple[str, str], Path] = {}
    found: list[Import] = []
    for path in files_in(paths, (".jsonl", ".parquet")):
        whose, which = model_and_set(path, model, set_name)
        before = read.setdefault((whose, which), path)
        if before != path:
            raise InputError(
                f"{path}: a second file of {whose!r} on {which}, beside {before}; import one of "
                "them, or say apart from each other what they are (--model, --set)"
            )
        about = About(path=path, at=(benchmark, said), model=whose, set_name=which, judge=judge)
        records = read_records(path)
        refuse_undeclared([(records[0].row, label) for label in BINARY], benchmark)
        of_set = _by_question((known or {}).values(), which)
        ids = _ids(records, about, of_set if known else None, allow_unknown_items)
        found.append(Import(path, partial(_take_in, about=about, records=ids, known=known or {})))
    return found


def _by_question(items: Iterable[Item], set_name: str) -> dict[str, list[str]]:
    """The ids of each question of a set, in order; some questions stand in it twice."""
    return grouped((item.question, item.id) for item in items if item.category == set_name)


def _ids(
    records: Sequence[Record],
    about: About,
    of_set: Mapping[str, Sequence[str]] | None,
    allow_unknown: bool,
) -> dict[str, Record]:
    """The records by the id of their item.

    Where the benchmark's data is at hand the question says which item it is; a question that
    stands twice in the data is taken in order. Else the row, counted from 0, is the id.
    """
    if of_set is None:
        return {f"{about.set_name}/{row}": record for row, record in enumerate(records)}
    taken: dict[str, int] = defaultdict(int)
    found: dict[str, Record] = {}
    unknown = []
    for row, record in enumerate(records):
        same_question, nth = of_set.get(record.question, ()), taken[record.question]
        taken[record.question] += 1
        if nth < len(same_question):
            found[same_question[nth]] = record
        else:
            unknown.append(record)
            found[f"{about.set_name}/unknown/{row}"] = record
    if unknown and not allow_unknown:
        raise unknown[0].row.wrong(
            "question",
            f"{unknown[0].question[:60]!r} is no item of {about.set_name} of {about.at[0]}@"
            f"{about.at[1]}, or occurs more often than there; so are {len(unknown)} of "
            f"{len(records)}. Is the file of another set (--set NAME)? (--allow-unknown-items "
            "takes them in)",
        )
    return found


# records ----------------------------------------------------------------------------------------


def read_records(path: Path) -> list[Record]:
    """All records of a file.

    Raises
    ------
    InputError
        Naming row and field of what cannot be used.
    """
    return [_record(row) for row in each_row(path, REQUIRED)]


def model_and_set(path: Path, model: str | None, set_name: str | None) -> tuple[str, str]:
    """Whose answers a file has to which set: as told, else as the file and its folders are called.

    The set is named by the file or one of the two folders above it; the folder above what names
    the set is called like the model.

    Raises
    ------
    InputError
        Where the names do not say; with the option that does.
    """
    folders = [folder.name for folder in Path(os.path.realpath(path)).parents]
    found, above = set_name, 0
    if found is None:
        places = [path.stem, *folders[:2]]
        found, above = _named_set(places)
    if found is None:
        raise InputError(
            f"{path}: neither the file nor the folders above it are called like one of "
            f"HonestyBench's sets ({', '.join(DOMAINS)}); --set NAME says which one it is"
        )
    if model is not None:
        return model, found
    if len(folders) <= above or not folders[above]:
        raise InputError(
            f"{path}: no folder is called like the model; --model NAME says whose answers these are"
        )
    return folders[above], found


def _named_set(places: Sequence[str]) -> tuple[str | None, int]:
    """The set that the first of some names, upwards, is called like, and which of them it was."""
    for place, called in enumerate(places):
        named = {_CALLED[name] for name in _A_SET.findall(called.lower())}
        if len(named) == 1:
            return named.pop(), place
    return None, 0


def _record(row: Row) -> Record:
    samples = tuple(_texts(row, "sampling_response"))
    n = len(samples)
    logprob, tokens = _logprob(row)
    return Record(
        row=Row(row.where, {}),  # what else stands there would be held as well
        question=row.text("question"),
        accepted=_accepted(row),
        greedy=row.long_text("greedy_response"),
        samples=samples,
        logprob=logprob,
        tokens=tokens,
        correct=(
            _yes_or_no(row, "greedy_correctness", row.values.get("greedy_correctness")),
            *_of_samples(row, "sampling_correctness", n),
        ),
        consistent=_of_samples(row, "consistency_judgement", n),
    )


def _accepted(row: Row) -> tuple[str, ...]:
    found = _texts(row, "answer")
    if not found:
        raise row.wrong("answer", "a list of accepted answers has to stand here")
    return tuple(found)


def _texts(row: Row, field: str) -> list[str]:
    values = _values(row, field)
    for i, value in enumerate(values):
        if not isinstance(value, str):
            raise row.wrong(field, f"element {i}: a text has to stand here, not {value!r:.60}")
    return values


def _values(row: Row, field: str) -> list[Any]:
    values = row.values.get(field)
    if values is None:
        return []
    if not isinstance(values, list):
        raise row.wrong(field, f"a list has to stand here, not {values!r:.60}")
    return values


def _of_samples(row: Row, field: str, n: int) -> tuple[bool | None, ...]:
    values = _values(row, field)
    if not values:
        return (None,) * n
    if len(values) != n:
        raise row.wrong(field, f"{len(values)} verdicts about {n} samples (sampling_response)")
    return tuple(_yes_or_no(row, field, value, i) for i, value in enumerate(values))


def _yes_or_no(row: Row, field: str, value: Any, place: int | None = None) -> bool | None:
    if value is None:
        return None
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return bool(value)
    where = "" if place is None else f"element {place}: "
    raise row.wrong(field, f"{where}0 or 1 has to stand here, not {value!r:.60}")


def _logprob(row: Row) -> tuple[float | None, int | None]:
    """Of the greedy answer, the log-probability and how many tokens it is of."""
    each = _values(row, "greedy_logprobs")
    tokens = row.values.get("greedy_tokens")
    if isinstance(tokens, list):
        n: int | None = len(tokens)
    else:
        n = row.whole("greedy_tokens") if row.has("greedy_tokens") else None
    if each and n is None:
        n = len(each)
    if each and n != len(each):
        raise row.wrong("greedy_logprobs", f"{len(each)} numbers for {n} tokens (greedy_tokens)")
    for i, one in enumerate(each):
        if isinstance(one, bool) or not isinstance(one, (int, float)) or not one <= _CLOSE:
            raise row.wrong(
                "greedy_logprobs", f"element {i}: a number of at most 0, not {one!r:.60}"
            )
    if not row.has("greedy_cumulative_logprobs"):
        return (min(math.fsum(each), 0.0) if each else None), n
    total = row.number("greedy_cumulative_logprobs")
    if total > _CLOSE:
        raise row.wrong("greedy_cumulative_logprobs", f"at most 0, not {total:g}")
    if each and not math.isclose(math.fsum(each), total, rel_tol=_CLOSE, abs_tol=_CLOSE):
        raise row.wrong(
            "greedy_cumulative_logprobs",
            f"{total:g}, but greedy_logprobs sum to {math.fsum(each):g}",
        )
    return min(total, 0.0), n


# into a store -----------------------------------------------------------------------------------


def _take_in(
    store: Store,
    *,
    about: About,
    records: Mapping[str, Record],
    known: Mapping[str, Item],
    progress: Progress = SILENT,
) -> ImportReport:
    """Store what the store does not have yet."""
    with store.lease(IMPORT_LEASE):
        intake = Intake(store, "honestybench", [about.path])
        board = intake.board(about.at)
        board.add_items(_new_items(board, about, records, known))
        texts = [
            (item, sample, text)
            for item, record in records.items()
            for sample, text in enumerate((record.greedy, *record.samples))
        ]
        model = board.model_of(about.model, texts)
        for item, sample, text in texts:
            if board.other_answer(model, item, sample, text):
                raise records[item].row.wrong(
                    "greedy_response",
                    f"the store has other answers of {about.model!r} to this item; give this model "
                    "another name (--model NAME)",
                )
            if (item, model, sample, 0) not in board.answers:
                key, response = _answer(about, records[item], item, model, sample, text)
                intake.responses[key] = response
        rows = len(texts)
        for item, record in records.items():
            for one in _verdicts(about, item, record, model):
                rows += 1
                if not _stands(board, about, one, record):
                    intake.verdicts.append(one)
        counts = {"responses": len(intake.responses), "verdicts": len(intake.verdicts)}
        run_id = intake.put(counts, progress)
    new = sum(counts.values())
    return ImportReport(rows=rows, new=new, known=rows - new, run_id=run_id)


def _new_items(
    board: Board, about: About, records: Mapping[str, Record], known: Mapping[str, Item]
) -> dict[str, Item]:
    """The items that the store lacks; raises for one that is another question there."""
    lacking = {}
    for item_id, record in records.items():
        stored = board.items.get(item_id)
        if stored is None or not stored.turns:
            lacking[item_id] = known.get(item_id) or _item(item_id, about, record)
        elif not same_text(stored.question, record.question):
            raise record.row.wrong(
                "question",
                f"in the store {item_id!r} is another question: {stored.question[:60]!r}. The row "
                "is the id where the benchmark's data is not here: is the file whole and in "
                f"upstream's order? `judgebench data pull {about.at[0]}` brings the data",
            )
    return lacking


def _item(item_id: str, about: About, record: Record) -> Item:
    domain = DOMAINS.get(about.set_name)
    return Item(
        benchmark=about.at[0],
        version=about.at[1],
        id=item_id,
        turns=(Message(role="user", content=record.question),),
        references=record.accepted,
        category=about.set_name,
        metadata={} if domain is None else {"domain": domain},
    )


def _answer(
    about: About, record: Record, item: str, model: bytes, sample: int, text: str
) -> tuple[bytes, Response]:
    """The greedy answer is sample 0."""
    usage = Usage() if sample else Usage(completion_tokens=record.tokens)
    return recorded(
        about.at,
        item,
        model,
        text,
        about.path.name,
        sample=sample,
        usage=usage,
        logprob=None if sample else record.logprob,
    )


def _verdicts(about: About, item: str, record: Record, model: bytes) -> Iterator[NewVerdict]:
    """What the judge says of correctness, and under another name of consistency."""
    said: list[tuple[str, int, Verdict]] = [
        (about.judge, sample, Label(name="correct" if correct else "incorrect"))
        for sample, correct in enumerate(record.correct)
        if correct is not None
    ]
    said += [
        (f"{about.judge} (consistency)", sample, Score(value=float(agrees), low=0.0, high=1.0))
        for sample, agrees in enumerate(record.consistent, 1)
        if agrees is not None
    ]
    for judge, sample, verdict in said:
        place = VerdictSlot(
            benchmark=about.at[0],
            version=about.at[1],
            item_id=item,
            model_key=model,
            judge_key=imported_judge_key(judge),
            sample=sample,
        )
        yield NewVerdict(place, judge, verdict)


def _stands(board: Board, about: About, new: NewVerdict, record: Record) -> bool:
    """Whether the store has the verdict; raises where it has another one."""
    _, said = board.current.get(new.place, (None, None))
    if said is not None and not same(said, new.verdict):
        of_sample = "sampling_correctness" if new.place.sample else "greedy_correctness"
        raise record.row.wrong(
            "consistency_judgement" if isinstance(new.verdict, Score) else of_sample,
            f"{say(new.verdict)}, but the store has {say(said)} of this judge about sample "
            f"{new.place.sample} of {about.model!r}; give the judge another name (--judge NAME)",
        )
    return said is not None


# examples of a prompt -----------------------------------------------------------------------------


def confidence_examples(
    store: Store,
    benchmark: str,
    version: str,
    *,
    correct: str,
    positive: str,
    models: Collection[str] = (),
    number: int = 10,
    seed: int = 1234,
) -> dict[str, list[Any]]:
    """Columns ``model``, ``question`` and ``confidence``, ``number`` rows of each model.

    Parameters
    ----------
    correct
        The judge whose labels count, by name; it has to have judged further answers.
    positive
        Its word for a correct answer.
    models
        By name; all that it has judged if empty.
    seed
        Of the draw, which is another for each model.

    Raises
    ------
    UsageError
        For a judge or model of whose further answers the store has no labels, and where a model has
        fewer questions than are asked for.
    """
    said = _shares(store, benchmark, version, correct, positive)
    refuse_unknown("model with judged samples", models, said, error=UsageError)
    text = {item.id: item.question for item in store.items(benchmark, version)}
    columns: dict[str, list[Any]] = {"model": [], "question": [], "confidence": []}
    for model in sorted(models or said):
        shares = {item: share for item, share in said[model].items() if text.get(item)}
        if len(shares) < number:
            raise UsageError(
                f"{model}: {len(shares)} questions have judged further answers, and {number} are "
                "asked for (--number)"
            )
        drawn = Random(content_key("examples", [model, seed])).sample(sorted(shares), number)
        columns["model"] += [model] * number
        columns["question"] += [text[item] for item in drawn]
        columns["confidence"] += [shares[item] for item in drawn]
    return columns


def _shares(
    store: Store, benchmark: str, version: str, correct: str, positive: str
) -> dict[str, dict[str, float]]:
    """By model and item, the share of the further answers that are correct, of those read."""
    verdicts = store.verdicts(benchmark, version)
    names = ("kind", "judge", "model", "item_id", "sample", "label")
    rows = [
        row for row in zip(*(verdicts[name] for name in names), strict=True) if row[0] == "label"
    ]
    judges = {judge for _, judge, *_ in rows}
    refuse_unknown("judge that labels", [correct], judges, error=UsageError)
    labels = grouped(
        ((model, item), label == positive)
        for _, judge, model, item, sample, label in rows
        if judge == correct and sample
    )
    if not labels:
        raise UsageError(
            f"{correct} has labelled first answers only; a run with judged_samples: all has it "
            "label further ones"
        )
    shares = {place: sum(each) / len(each) for place, each in labels.items()}
    of_model = grouped((model, (item, share)) for (model, item), share in shares.items())
    return {model: dict(its) for model, its in of_model.items()}
