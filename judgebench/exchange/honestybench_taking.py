"""What of HonestyBench's records a store does not have yet: answers, labels, consistency."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from judgebench import keys
from judgebench.exchange.attach import Board, place_key
from judgebench.exchange.honestybench_records import DOMAINS, Record
from judgebench.exchange.outcome import (
    IMPORT_LEASE,
    ImportReport,
    Write,
    cut_import,
    import_manifest,
    put_in_portions,
)
from judgebench.exchange.responses import named_model, recorded_key, same_text
from judgebench.exchange.verdict_rows import same, say
from judgebench.exchange.verdicts import imported_judge
from judgebench.records import (
    Item,
    Judgment,
    Label,
    Message,
    Response,
    RunVerdict,
    Score,
    Usage,
    Verdict,
    VerdictSlot,
)
from judgebench.rows import Row
from judgebench.store import Store
from judgebench.store.database import chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the records of one file are about."""

    path: Path
    benchmark: str
    version: str
    model: str
    set_name: str
    judge: str

    @property
    def agreement_judge(self) -> str:
        """The name under which stands what the judge says of consistency."""
        return f"{self.judge} (consistency)"


def take_in(
    store: Store, *, about: About, records: Mapping[str, Record], known: Mapping[str, Item]
) -> ImportReport:
    """Store what the store does not have yet."""
    with store.lease(IMPORT_LEASE):
        board = Board.of(store, about.benchmark, about.version)
        board.add_items(_new_items(board, about, records, known))
        model, is_new = _model(board, about, records)
        answers = list(_answers(about, records, model))
        responses = {
            recorded_key(response): response
            for response, _ in answers
            if (response.item_id, model, response.sample, 0) not in board.answers
        }
        said = list(_verdicts(about, records, model))
        verdicts = [
            (place, verdict)
            for place, verdict, record in said
            if not _stands(board, about, place, verdict, record)
        ]
        rows, new = len(answers) + len(said), len(responses) + len(verdicts)
        run_id = None
        cut = cut_import(store, "honestybench", [about.path])
        if new or cut:
            counts = {"responses": len(responses), "verdicts": len(verdicts)}
            manifest = import_manifest("honestybench", [about.path], counts, cut)
            run_id = manifest.id

            def writes() -> Iterator[Write]:
                for items in chunks(board.new_items):
                    yield len(items), partial(store.put_items, items)
                if is_new:
                    yield 1, partial(store.put_model, about.model, named_model(about.model))
                for some in chunks(responses.items()):
                    yield len(some), partial(store.put_responses, dict(some))
                there = {judge.key for judge in store.judges()}
                for judge in (about.judge, about.agreement_judge):
                    if keys.judge_key(imported_judge(judge)) not in there:
                        yield 1, partial(store.put_judge, judge, imported_judge(judge))
                for said in chunks(verdicts):
                    yield len(said), partial(_put, store, said, manifest.id)

            put_in_portions(store, manifest, cut, writes())
    return ImportReport(rows=rows, new=new, known=rows - new, run_id=run_id)


def _put(store: Store, verdicts: Sequence[tuple[VerdictSlot, Verdict]], run_id: str) -> None:
    now = time.time()
    for place, verdict in verdicts:
        at = place_key(place)
        judgment = Judgment(
            key=keys.content_key("imported judgment", [at, verdict, None]),
            judge_key=place.judge_key,
            case_key=at,
            verdict=verdict,
            reply_keys=(),
            at=now,
        )
        use = RunVerdict(run_id=run_id, place=place, judgment_key=judgment.key)
        store.put_judgment(judgment, [use])


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
                f"upstream's order? `judgebench data pull {about.benchmark}` brings the data",
            )
    return lacking


def _item(item_id: str, about: About, record: Record) -> Item:
    domain = DOMAINS.get(about.set_name)
    return Item(
        benchmark=about.benchmark,
        version=about.version,
        id=item_id,
        turns=(Message(role="user", content=record.question),),
        references=record.accepted,
        category=about.set_name,
        metadata={} if domain is None else {"domain": domain},
    )


def _model(board: Board, about: About, records: Mapping[str, Record]) -> tuple[bytes, bool]:
    """The stored model of that name where it gave these answers, else one known by its name.

    Returns
    -------
    key, is_new
        Whether the store is to be told of it.
    """
    by_name = keys.model_key(named_model(about.model))
    known = board.models.get(about.model)
    if known is not None and _other_answer(board, about, records, known) is None:
        return known, False
    other = _other_answer(board, about, records, by_name)
    if other is not None:
        raise other.wrong(
            "greedy_response",
            f"the store has other answers of {about.model!r} to this item; give this model "
            "another name (--model NAME)",
        )
    return by_name, by_name not in {model.key for model in board.known}


def _other_answer(
    board: Board, about: About, records: Mapping[str, Record], model: bytes
) -> Row | None:
    for response, record in _answers(about, records, model):
        stored = board.answers.get((response.item_id, model, response.sample, 0))
        if stored is not None and not same_text(stored[0], response.text):
            return record.row
    return None


def _answers(
    about: About, records: Mapping[str, Record], model: bytes
) -> Iterator[tuple[Response, Record]]:
    """The greedy answer is sample 0."""
    for item_id, record in records.items():
        for sample, text in enumerate((record.greedy, *record.samples)):
            response = Response(
                benchmark=about.benchmark,
                version=about.version,
                item_id=item_id,
                model_key=model,
                text=text,
                raw=text,
                status="ok" if text.strip() else "empty",
                sample=sample,
                usage=Usage() if sample else Usage(completion_tokens=record.tokens),
                logprob=None if sample else record.logprob,
                source=f"file:{about.path.name}",
            )
            yield response, record


def _verdicts(
    about: About, records: Mapping[str, Record], model: bytes
) -> Iterator[tuple[VerdictSlot, Verdict, Record]]:
    correctness = keys.judge_key(imported_judge(about.judge))
    agreement = keys.judge_key(imported_judge(about.agreement_judge))
    for item_id, record in records.items():
        at = partial(
            VerdictSlot,
            benchmark=about.benchmark,
            version=about.version,
            item_id=item_id,
            model_key=model,
        )
        for sample, correct in enumerate(record.correct):
            if correct is not None:
                label = Label(name="correct" if correct else "incorrect")
                yield at(judge_key=correctness, sample=sample), label, record
        for sample, same_answer in enumerate(record.consistent, 1):
            if same_answer is not None:
                score = Score(value=float(same_answer), low=0.0, high=1.0)
                yield at(judge_key=agreement, sample=sample), score, record


def _stands(
    board: Board, about: About, place: VerdictSlot, verdict: Verdict, record: Record
) -> bool:
    """Whether the store has the verdict; raises where it has another one."""
    _, said = board.current.get(place, (None, None))
    if said is not None and not same(said, verdict):
        of_sample = "sampling_correctness" if place.sample else "greedy_correctness"
        raise record.row.wrong(
            "consistency_judgement" if isinstance(verdict, Score) else of_sample,
            f"{say(verdict)}, but the store has {say(said)} of this judge about sample "
            f"{place.sample} of {about.model!r}; give the judge another name (--judge NAME)",
        )
    return said is not None
