"""``lm_eval``: what a metric of an lm-eval task says of an answer, as lm-eval computes it.

The judges ``lm_eval/METRIC`` of a suite's ``lm_eval_task`` are of this kind; its provider has the
task in a process of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from judgebench.config import Section, check
from judgebench.dialogue import Dialogue
from judgebench.judges.prompt import Answerer, answerer
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    Case,
    JudgeSpec,
    Message,
    Reply,
    Score,
    ScoreRequest,
    Seen,
    Unreadable,
)

READER_VERSION = "1"
SHARES = frozenset(
    {"acc", "acc_norm", "bleurt", "contains", "em", "em_f1", "exact_match", "f1", "pass@1",
     "precision", "recall", "rouge1", "rouge2", "rougeL", "rougeLsum"}
)  # fmt: skip
"""Metrics that lie between 0 and 1; what others are, lm-eval does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricJudge:
    """Asks the task itself."""

    spec: JudgeSpec
    answerer: Answerer

    @property
    def inputs(self) -> frozenset[Seen]:
        return frozenset({"answer"})

    @property
    def as_generated(self) -> bool:
        """Answers are scored as by lm-eval: a blank before one can be an error."""
        return True

    @property
    def max_answer_chars(self) -> None:
        """Nowhere: a metric is of the whole answer."""
        return

    def judge(self, case: Case) -> Dialogue:
        (response,) = case.responses
        reply = yield ScoreRequest(
            provider=self.answerer.provider,
            model=self.answerer.model,
            messages=(*case.item.turns, Message(role="assistant", content=response.text)),
            extra={"item": case.item.id},
        )
        return read_metric(reply, self.answerer.model)


def read_metric(reply: Reply, metric: str) -> Score | Unreadable:
    """The value of a metric under a filter, on the scale of that metric."""
    scores = reply.scores or ()
    if len(scores) != 1:
        return Unreadable(reason="the metric is no number for this answer")
    share = metric.partition(",")[0] in SHARES and 0 <= scores[0] <= 1
    low, high = (0.0, 1.0) if share else (-math.inf, math.inf)
    return Score(value=scores[0], low=low, high=high)


def make(settings: JudgeSettings) -> MetricJudge:
    """The judge of one metric, which is the model that it asks.

    Raises
    ------
    ConfigError
        For an option: it has none.
    """
    check(Section, dict(settings.options), "judge lm_eval: options")
    asked = answerer("lm_eval", settings, max_tokens=None)
    spec = asked.spec("lm_eval", reader_version=READER_VERSION, options={})
    return MetricJudge(spec=spec, answerer=asked)


__all__ = ["SHARES", "MetricJudge", "make", "read_metric"]
