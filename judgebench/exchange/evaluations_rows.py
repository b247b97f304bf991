"""Samples of another harness's log as the values that a store keeps, a portion at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from judgebench import keys
from judgebench.exchange.attach import place_key
from judgebench.exchange.evaluations import Answer, Mark, Sample
from judgebench.exchange.evaluations_checking import Checked
from judgebench.exchange.mark_readings import Reading, verdict
from judgebench.exchange.responses import recorded_key
from judgebench.exchange.verdicts import imported_judge
from judgebench.records import (
    Failure,
    Item,
    Judgment,
    ModelSpec,
    Response,
    RunVerdict,
    Score,
    VerdictSlot,
)

PORTION = 1000
"""Samples held at once."""

Where: TypeAlias = tuple[str, int]
"""An item and a sample."""


@dataclass(slots=True)
class Rows:
    """A portion of a log.

    failures
        By item and sample.
    where
        The row of the log that an answer is from.
    """

    items: list[Item] = field(default_factory=list)
    responses: dict[bytes, Response] = field(default_factory=dict)
    judgments: list[tuple[Judgment, RunVerdict]] = field(default_factory=list)
    failures: dict[Where, Failure] = field(default_factory=dict)
    where: dict[bytes, str] = field(default_factory=dict)


def portions(checked: Checked, spec: ModelSpec, run_id: str) -> Iterator[Rows]:
    """All of an evaluation, as given by this model.

    Answers are known by their place, since the log's prompts are not ours; a judgment by its place
    and verdict, since nothing of how it came about is known.
    """
    model = keys.model_key(spec)
    judges = {judge: keys.judge_key(imported_judge(judge)) for judge in checked.readings}
    samples = checked.evaluation.samples()
    now, answered = time.time(), set[bytes]()
    while some := list(islice(samples, PORTION)):
        rows = Rows()
        for sample in some:
            rows.items.append(checked.known.get(sample.item.id, sample.item))
            for answer in sample.answers:
                response = _response(sample, answer, checked, model)
                key = recorded_key(response)
                if key not in answered:  # the parts of a log repeat the answers
                    answered.add(key)
                    rows.responses[key] = response
                    rows.where[key] = sample.where
            for judge, reading in checked.readings.items():
                if (mark := sample.marks.get(judge)) is not None:
                    place = _place(sample, checked, model, judges[judge])
                    judgment = _judgment(place, mark, reading, now)
                    use = RunVerdict(run_id=run_id, place=place, judgment_key=judgment.key)
                    rows.judgments.append((judgment, use))
            if sample.failure is not None:
                where = sample.item.id, sample.sample
                rows.failures[where] = _failure(sample, checked, model, now)
        yield rows


def _judgment(place: VerdictSlot, mark: Mark, reading: Reading, now: float) -> Judgment:
    at, said = place_key(place), verdict(mark, reading)
    # A scale without ends is left out: infinity can be in no key.
    told = [said.value] if isinstance(said, Score) and math.isinf(said.high) else said
    return Judgment(
        key=keys.content_key("imported judgment", [at, told, None]),
        judge_key=place.judge_key,
        case_key=at,
        verdict=said,
        at=now,
    )


def _response(sample: Sample, answer: Answer, checked: Checked, model: bytes) -> Response:
    evaluation = checked.evaluation
    return Response(
        benchmark=evaluation.benchmark,
        version=evaluation.version,
        item_id=sample.item.id,
        model_key=model,
        text=answer.text,
        raw=answer.raw,
        status=answer.status,
        sample=answer.sample,
        reasoning=answer.reasoning,
        prompt=answer.prompt,
        finish_reason=answer.finish_reason,
        usage=answer.usage,
        stack=evaluation.stack,
        source=f"file:{evaluation.path.name}",
    )


def _place(sample: Sample, checked: Checked, model: bytes, judge: bytes) -> VerdictSlot:
    return VerdictSlot(
        benchmark=checked.evaluation.benchmark,
        version=checked.evaluation.version,
        item_id=sample.item.id,
        model_key=model,
        judge_key=judge,
        sample=sample.sample,
    )


def _failure(sample: Sample, checked: Checked, model: bytes, now: float) -> Failure:
    absent = _response(sample, Answer(text="", raw="", sample=sample.sample), checked, model)
    return Failure(
        key=recorded_key(absent),
        boundary="provider",
        message=sample.failure or "",
        retriable=True,
        place=_place(sample, checked, model, b""),
        at=now,
    )
