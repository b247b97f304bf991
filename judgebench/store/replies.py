"""What judges were asked and what they replied, letter by letter, beside what was read from it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, select

from judgebench.store import schema
from judgebench.store.codec import KINDS, read_scores, stored_text
from judgebench.store.database import chunks
from judgebench.store.store import Store
from judgebench.store.tables import Columns

_b, _d, _j, _p, _r, _u = (
    schema.benchmarks.c, schema.judges.c, schema.judgments.c, schema.replies.c, schema.runs.c,
    schema.uses.c,
)  # fmt: skip
_text, _asked, _thought = (schema.texts.alias(name) for name in ("text", "asked", "thought"))
_CALLS = (
    select(
        _p.key, _asked.c.body, _asked.c.exact, _text.c.body, _text.c.exact, _thought.c.body,
        _thought.c.exact, _p.finish_reason, _p.scores, _p.served_model,
    )
    .join(_asked, _asked.c.sha == _p.request_sha)
    .join(_text, _text.c.sha == _p.text_sha)
    .outerjoin(_thought, _thought.c.sha == _p.reasoning_sha)
)  # fmt: skip
_UNREADABLE = KINDS.index("unreadable")

CALL_COLUMNS = ("prompt", "reply", "reply_reasoning", "finish_reason", "earlier_calls")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCall:
    """One question to a judge's model, and the reply.

    ``messages`` are pairs of role and text, and ``candidates`` the texts whose likelihood was asked
    for; ``scores`` are the numbers that came back where numbers were.
    """

    messages: tuple[tuple[str, str], ...]
    candidates: tuple[str, ...]
    text: str
    reasoning: str | None
    finish_reason: str | None
    scores: tuple[float, ...] | None
    served_model: str | None

    @property
    def prompt(self) -> str:
        """The question as one text, with the roles above where there are several messages."""
        if len(self.messages) == 1:
            return self.messages[0][1]
        return "\n\n".join(f"[{role}]\n{text}" for role, text in self.messages)

    @property
    def reply(self) -> str:
        """What came back; numbers as JSON."""
        return self.text if self.scores is None else json.dumps(self.scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepliesOfRun:
    """How many different replies of a judge served a run, and how many could not be read."""

    judge: str
    judge_key: bytes
    replies: int
    unreadable: int


def calls(store: Store, keys: Collection[bytes]) -> dict[bytes, JudgeCall]:
    """Those of the replies that are there, by their keys."""
    with store.snapshot() as connection:
        return {
            key: _call(*said)
            for portion in chunks(keys)
            for key, *said in connection.execute(_CALLS.where(_p.key.in_(portion)))
        }


def _call(
    asked: str,
    exact_asked: bytes | None,
    text: str,
    exact: bytes | None,
    thought: str | None,
    exact_thought: bytes | None,
    finish_reason: str | None,
    scores: str | None,
    served_model: str | None,
) -> JudgeCall:
    question = json.loads(stored_text(asked, exact_asked))
    return JudgeCall(
        messages=tuple((said["role"], said["content"]) for said in question.get("messages", ())),
        candidates=tuple(question.get("candidates", ())),
        text=stored_text(text, exact),
        reasoning=None if thought is None else stored_text(thought, exact_thought),
        finish_reason=finish_reason,
        scores=None if scores is None else read_scores(scores),
        served_model=served_model,
    )


def call_columns(made: Sequence[JudgeCall]) -> dict[str, Any]:
    """The prompt and reply that a verdict was read from, which are those of the last call.

    ``earlier_calls`` has the others, of a judge that asks several times; None where there are none.
    """
    last = _columns_of(made[-1]) if made else dict.fromkeys(CALL_COLUMNS[:-1])
    return {**last, "earlier_calls": [_columns_of(call) for call in made[:-1]] or None}


def _columns_of(call: JudgeCall) -> dict[str, Any]:
    said = (call.prompt, call.reply, call.reasoning, call.finish_reason)
    return dict(zip(CALL_COLUMNS, said, strict=False))


def with_texts(store: Store, columns: Columns) -> Columns:
    """Columns of verdicts (`Store.judged_columns`) with `CALL_COLUMNS` for the keys of replies."""
    found = calls(store, dict.fromkeys(key for keys in columns["reply_keys"] for key in keys))
    made = [
        call_columns([found[key] for key in keys if key in found]) for keys in columns["reply_keys"]
    ]
    kept = {name: columns[name] for name in columns if name not in ("verdict", "reply_keys")}
    kept["judgment"] = [key.hex() for key in columns["judgment"]]
    return {**kept, **{name: [row[name] for row in made] for name in CALL_COLUMNS}}


def replies_of_run(
    store: Store, run_id: str, judges: Mapping[bytes, str], benchmarks: Collection[tuple[str, str]]
) -> list[RepliesOfRun]:
    """Of the verdicts that served a run, those that were read from a reply, by judge.

    Equal answers have one reply, which counts once. A verdict that nobody had to be asked for is
    none.

    Parameters
    ----------
    judges
        Key -> the name to tell it by.
    benchmarks
        Names and versions of those that the run is about: uses are looked up by them.
    """
    unreadable = case((_j.kind == _UNREADABLE, _j.id))
    query = (
        select(_d.key, func.count(_j.id.distinct()), func.count(unreadable.distinct()))
        .select_from(schema.uses)
        .join(schema.judges, _d.id == _u.judge_id)
        .join(schema.judgments, _j.id == _u.judgment_id)
        .where(_j.reply_keys != b"")
        .group_by(_d.key)
    )
    with store.snapshot() as connection:
        known = connection.execute(select(_b.id, _b.name, _b.version))
        about = [number for number, *name in known if tuple(name) in benchmarks]
        asked = select(_d.id).where(_d.key.in_(list(judges)))
        this_run = select(_r.id).where(_r.run_id == run_id).scalar_subquery()
        here = (_u.benchmark_id.in_(about), _u.judge_id.in_(asked), _u.run_id == this_run)
        return [
            RepliesOfRun(judge=judges[key], judge_key=key, replies=n, unreadable=unread)
            for key, n, unread in connection.execute(query.where(*here))
        ]
