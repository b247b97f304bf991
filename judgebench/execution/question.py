"""One elementary judgment to be had: a judge, a case, which repeat."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, replace

from judgebench import keys
from judgebench.dialogue import Dialogue
from judgebench.execution.execute import Talk
from judgebench.judges.flags import case_flags
from judgebench.protocols import Judge, Writer
from judgebench.records import (
    Case,
    ChatRequest,
    Judgment,
    Reply,
    Request,
    RunVerdict,
    Unreadable,
    Verdict,
    VerdictSlot,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A judgment and every place of this run that it serves.

    ``occasion`` is when it is asked anew, although it may have been judged before; None otherwise.
    """

    key: bytes
    judge: Judge
    case: Case
    places: tuple[VerdictSlot, ...]
    occasion: str | None = None

    def dialogue(self) -> Dialogue:
        """What the judge asks; a repeat is another question, with another seed."""
        dialogue = self.judge.judge(self.case)
        repeat = self.places[0].repeat
        dialogue = _repeated(dialogue, repeat) if repeat else dialogue
        return dialogue if self.occasion is None else afresh(dialogue, self.occasion)

    def keep(self, store: Writer, run_id: str, result: Verdict, talk: Talk) -> bool:
        """The judgment and its uses, in one commit."""
        judgment = Judgment(
            key=self.key,
            judge_key=self.places[0].judge_key,
            case_key=keys.case_key(self.case),
            verdict=result,
            reply_keys=tuple(talk.reply_keys),
            served_model=talk.served_model,
            at=time.time(),
            marks=self._marks(),
        )
        uses = [RunVerdict(run_id=run_id, place=at, judgment_key=self.key) for at in self.places]
        store.put_judgment(judgment, uses)
        return not isinstance(result, Unreadable)

    def reuse(self, store: Writer, run_id: str) -> None:
        store.put_uses(
            [RunVerdict(run_id=run_id, place=at, judgment_key=self.key) for at in self.places]
        )

    def _marks(self) -> tuple[str, ...]:
        """The marks of the answer; of two answers with the position, since either may be judged."""
        each = case_flags(self.case, max_answer_chars=self.judge.max_answer_chars)
        if len(each) == 1:
            return each[0]
        return tuple(f"{mark}/{n}" for n, marks in enumerate(each) for mark in marks)


def afresh(dialogue: Dialogue, occasion: str) -> Dialogue:
    """The same questions, asked although their replies are known."""
    try:
        request = next(dialogue)
        while True:
            reply = yield replace(request, occasion=occasion)
            request = dialogue.send(reply)
    except StopIteration as end:
        verdict: Verdict = end.value
        return verdict


def _repeated(dialogue: Dialogue, repeat: int) -> Dialogue:
    try:
        request = next(dialogue)
        while True:
            reply = yield again(request, repeat)
            request = dialogue.send(reply)
    except StopIteration as end:
        verdict: Verdict = end.value
        return verdict


def again(request: Request, repeat: int) -> Request:
    """The same question as a repeat of its own: told apart in its key, and by its seed."""
    seed = request.decoding.get("seed")
    if isinstance(request, ChatRequest) and isinstance(seed, int):
        return replace(request, sample=repeat, decoding={**request.decoding, "seed": seed + repeat})
    return replace(request, sample=repeat)


def asked_first(dialogue: Generator[Request, Reply, Verdict]) -> Request | None:
    """What a dialogue asks first; None for one that asks nobody."""
    try:
        return next(dialogue)
    except StopIteration:
        return None
