"""``reward``, ``lm_eval``: judges that ask for numbers, and not in words.

``reward``
    A reward model scores an answer, or tells two answers apart by their difference. Of one answer,
    its score on a scale without ends. Of two, each is scored by itself, and the probability that
    the first is better is that of the Bradley–Terry model which such models are trained with [1]_:
    the logistic function of the difference of scores.
``lm_eval``
    What a metric of an lm-eval task says of an answer, as lm-eval computes it. The judges
    ``lm_eval/METRIC`` of a suite's ``lm_eval_task`` are of this kind; its provider has the task in
    a process of its own.

References
----------
.. [1] L. Ouyang et al. (2022), Training language models to follow instructions with human
   feedback, arXiv 2203.02155, section 3.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from judgebench.config import Section, check
from judgebench.dialogue import Dialogue
from judgebench.judges.prompt import Answerer, Cut, answerer, cut
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    Case,
    JudgeSpec,
    Message,
    Preference,
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
class NumberJudge:
    """Asks for numbers about a case.

    ``as_generated``: a metric is of the whole answer as lm-eval has it, which is cut nowhere, and
    a blank before it can be an error.
    """

    spec: JudgeSpec
    ask: Callable[[Case], Dialogue]
    inputs: frozenset[Seen]
    max_answer_chars: int | None
    as_generated: bool

    def judge(self, case: Case) -> Dialogue:
        return self.ask(case)


def _rewards(asked: Answerer, case: Case, limit: int | None) -> Dialogue:
    rewards: list[float] = []
    for response in case.responses:
        answer = response.text if limit is None else cut(response.text, limit)
        reply = yield asked.score((*case.item.turns, Message(role="assistant", content=answer)))
        scores = reply.scores or ()
        if len(scores) != 1 or not math.isfinite(scores[0]):
            return Unreadable(reason="not one finite number, as was asked for")
        rewards += scores
    if len(rewards) == 1:
        return Score(value=rewards[0], low=-math.inf, high=math.inf)
    return preferred(*rewards)


def preferred(first: float, second: float) -> Preference:
    """Who is better by two rewards; equal ones are a tie."""
    difference = first - second
    p_first = 0.5 * (1 + math.tanh(difference / 2))  # the logistic function, without overflow
    if difference == 0:
        return Preference(winner=None, p_first=p_first)
    return Preference(winner=0 if difference > 0 else 1, p_first=p_first)


def _metric(asked: Answerer, case: Case, _limit: int | None) -> Dialogue:
    (response,) = case.responses
    reply = yield ScoreRequest(
        provider=asked.provider,
        model=asked.model,
        messages=(*case.item.turns, Message(role="assistant", content=response.text)),
        extra={"item": case.item.id},
    )
    return read_metric(reply, asked.model)


def read_metric(reply: Reply, metric: str) -> Score | Unreadable:
    """The value of a metric under a filter, on the scale of that metric."""
    scores = reply.scores or ()
    if len(scores) != 1:
        return Unreadable(reason="the metric is no number for this answer")
    share = metric.partition(",")[0] in SHARES and 0 <= scores[0] <= 1
    low, high = (0.0, 1.0) if share else (-math.inf, math.inf)
    return Score(value=scores[0], low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberKind:
    """A way of judging by numbers: its options, what it is shown, and what it asks."""

    name: str
    options: type[Section]
    inputs: frozenset[Seen]
    ask: Callable[[Answerer, Case, int | None], Dialogue]

    def make(self, settings: JudgeSettings) -> NumberJudge:
        """A judge of this kind.

        Raises
        ------
        ConfigError
            For a missing model, an unknown option, or settings that could change nothing.
        """
        chosen = check(self.options, dict(settings.options), f"judge {self.name}: options")
        limit: int | None = getattr(chosen, "max_answer_chars", None)
        # Defaults stay out, so that a new option of a later version changes no old key.
        told: dict[str, Any] = chosen.model_dump(mode="json", exclude_defaults=True)
        spec = JudgeSpec(kind=self.name, reader_version=READER_VERSION, options=told)
        asked, spec = answerer(spec, settings, max_tokens=None)
        return NumberJudge(
            spec=spec,
            ask=lambda case: self.ask(asked, case, limit),
            inputs=self.inputs,
            max_answer_chars=limit,
            as_generated=limit is None,
        )


KINDS: Final[Mapping[str, NumberKind]] = {
    "reward": NumberKind(
        name="reward",
        options=Cut,
        inputs=frozenset({"answer", "with_baseline"}),
        ask=_rewards,
    ),
    "lm_eval": NumberKind(
        name="lm_eval", options=Section, inputs=frozenset({"answer"}), ask=_metric
    ),
}
