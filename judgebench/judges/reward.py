"""``reward``: a reward model scores an answer, or tells two answers apart by their difference.

Of one answer, its score on a scale without ends. Of two, each is scored by itself, and the
probability that the first is better is that of the Bradley–Terry model which such models are
trained with [1]_: the logistic function of the difference of scores.

References
----------
.. [1] L. Ouyang et al. (2022), Training language models to follow instructions with human
   feedback, arXiv 2203.02155, section 3.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import Field, PositiveInt

from judgebench.config import Section, check
from judgebench.dialogue import Dialogue
from judgebench.judges.frame import cut
from judgebench.judges.prompt import Answerer, answerer
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    Case,
    JudgeSpec,
    Message,
    Preference,
    Reply,
    Response,
    Score,
    ScoreRequest,
    Seen,
    Unreadable,
)

READER_VERSION = "1"


class Options(Section):
    """What a suite may say about a reward judge."""

    max_answer_chars: PositiveInt = Field(
        20_000, description="a longer answer is scored with its middle left out"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardJudge:
    """Asks for one number about each answer."""

    spec: JudgeSpec
    answerer: Answerer
    options: Options

    @property
    def inputs(self) -> frozenset[Seen]:
        return frozenset({"answer", "with_baseline"})

    @property
    def max_answer_chars(self) -> int:
        return self.options.max_answer_chars

    def judge(self, case: Case) -> Dialogue:
        rewards: list[float] = []
        for response in case.responses:
            reply = yield self.question(case, response)
            reward = read_reward(reply)
            if isinstance(reward, Unreadable):
                return reward
            rewards.append(reward)
        if len(rewards) == 1:
            return Score(value=rewards[0], low=-math.inf, high=math.inf)
        first, second = rewards
        return preferred(first, second)

    def question(self, case: Case, response: Response) -> ScoreRequest:
        """The conversation that is scored, the answer last."""
        answer = cut(response.text, self.max_answer_chars)
        return self.answerer.score((*case.item.turns, Message(role="assistant", content=answer)))


def read_reward(reply: Reply) -> float | Unreadable:
    """The one number of a reply."""
    scores = reply.scores or ()
    if len(scores) != 1 or not math.isfinite(scores[0]):
        return Unreadable(reason="not one finite number, as was asked for")
    return scores[0]


def preferred(first: float, second: float) -> Preference:
    """Who is better by two rewards; equal ones are a tie."""
    difference = first - second
    p_first = 0.5 * (1 + math.tanh(difference / 2))  # the logistic function, without overflow
    if difference == 0:
        return Preference(winner=None, p_first=p_first)
    return Preference(winner=0 if difference > 0 else 1, p_first=p_first)


def make(settings: JudgeSettings) -> RewardJudge:
    """A reward judge.

    Raises
    ------
    ConfigError
        For a missing model, an unknown option, or settings that could change nothing.
    """
    chosen = check(Options, dict(settings.options), "judge reward: options")
    asked = answerer("reward", settings, max_tokens=None)
    spec = asked.spec(
        "reward",
        reader_version=READER_VERSION,
        # Defaults stay out, so that a new option of a later version changes no old key.
        options=chosen.model_dump(mode="json", exclude_defaults=True),
    )
    return RewardJudge(spec=spec, answerer=asked, options=chosen)


__all__ = ["Options", "RewardJudge", "make", "preferred", "read_reward"]
