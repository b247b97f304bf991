"""What judges were asked and replied, letter by letter, beside what was read from it."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from judgebench.columns import grouped
from judgebench.errors import UsageError, nearest, unknown_name
from judgebench.execution.plan import JudgeCall as Call
from judgebench.execution.resolve import JudgeAssignment
from judgebench.judges.prompt import PromptJudge
from judgebench.plain_text import counted, written_out
from judgebench.records import Label, Order, Preference, Score, Unreadable, Verdict
from judgebench.reports.boards import BenchmarkRef
from judgebench.reports.document import Column, Document, Report, Table
from judgebench.store.catalog import StoredJudge, distinct_names
from judgebench.store.read import (
    CALL_COLUMNS,
    JUDGED_COLUMNS,
    ItemAnswer,
    ItemHistory,
    ItemVerdict,
    JudgeCall,
    call_columns,
    one_text,
)
from judgebench.store.store import Store

WIDTH = 88
"""Where lines are broken in tables; in JSON texts are as they are."""

_AT_ONCE = 100 * WIDTH
_TEXT = (Column(title="part"), Column(title="text", wraps=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedReply:
    """A judgment with what it was read from.

    ``judgment`` is the key of the judgment in hexadecimal digits, ``place`` says what it is about
    and ``places`` how many verdicts of the judge it stands for: equal answers are judged once.
    ``verdict`` says in words what was read; ``calls`` are none where nobody was asked.
    """

    judgment: str
    judge: str
    judge_id: str
    place: Mapping[str, Any]
    places: int
    kind: str
    verdict: str
    calls: tuple[JudgeCall, ...]
    reply_keys: tuple[bytes, ...] = ()

    def record(self) -> dict[str, Any]:
        """One flat row; of several calls the last one, and the earlier ones in a list."""
        return {
            "judgment": self.judgment,
            "judge": self.judge,
            "judge_id": self.judge_id,
            **self.place,
            "places": self.places,
            "kind": self.kind,
            "verdict": self.verdict,
            **call_columns(self.calls),
        }


def stored_judges(store: Store, name: str) -> list[StoredJudge]:
    """The judges that a person means: by name as shown, id, or any name they went by.

    Raises
    ------
    UsageError
        Where the store has none, with the nearest.
    """
    known = store.judges()
    shown = distinct_names({judge.id: judge.name for judge in known})
    if means := (
        [judge for judge in known if name in (judge.id, shown[judge.id])]
        or [judge for judge in known if judge.name == name]
        or [judge for judge in known if name in judge.names]
    ):
        return means
    raise UsageError(f"{store.name}: {unknown_name('judge', name, list(shown.values()))}")


def judged_replies(
    store: Store,
    judge: str,
    *,
    unreadable: bool = False,
    benchmark: BenchmarkRef | None = None,
    models: Collection[str] = (),
    run_id: str | None = None,
    limit: int | None = None,
) -> Replies:
    """What a judge replied, one entry a judgment: what counts now, or what served a run.

    Parameters
    ----------
    judge, models
        By name or id.
    unreadable
        Only what no verdict could be read from.
    limit
        So many at most.

    Raises
    ------
    UsageError
        For a judge that the store does not know.
    """
    asked = stored_judges(store, judge)
    columns = store.verdicts(
        None if benchmark is None else benchmark.name,
        None if benchmark is None else benchmark.version,
        judges=[one.key for one in asked],
        models=list(models) or None,
        run_id=run_id,
        afresh=None,
        columns=JUDGED_COLUMNS,
    )
    at = grouped(
        (key, i)
        for i, (key, kind) in enumerate(zip(columns["judgment"], columns["kind"], strict=True))
        if not unreadable or kind == "unreadable"
    )
    chosen = list(at.items())[:limit]
    found = store.calls(
        dict.fromkeys(key for _, rows in chosen for key in columns["reply_keys"][rows[0]])
    )
    replies = (
        JudgedReply(
            judgment=key.hex(),
            judge=row["judge"],
            judge_id=row["judge_id"],
            place={name: row[name] for name in PLACE},
            places=len(rows),
            kind=row["kind"],
            verdict=in_words(row["verdict"], row["order"]),
            calls=tuple(found[one] for one in row["reply_keys"] if one in found),
            reply_keys=row["reply_keys"],
        )
        for key, rows in chosen
        for row in ({name: values[rows[0]] for name, values in columns.items()},)
    )
    return Replies(judge=judge, found=tuple(replies), unreadable=unreadable)


RECORD_COLUMNS: Sequence[str]
"""The names of a `JudgedReply.record`."""

PLACE = (
    "benchmark", "version", "item_id", "model", "model_id", "opponent", "opponent_id", "order",
    "sample", "turn", "repeat",
)  # fmt: skip
RECORD_COLUMNS = (
    "judgment", "judge", "judge_id", *PLACE, "places", "kind", "verdict", *CALL_COLUMNS,
)  # fmt: skip


# before a run ------------------------------------------------------------------------------------


def trial_reply(
    store: Store,
    question: Call,
    verdict: Verdict,
    reply_keys: tuple[bytes, ...],
    names: Mapping[bytes, str],
) -> JudgedReply:
    """A question that was asked for a trial; ``names`` are those of models and judges by key."""
    found = store.calls(reply_keys)
    calls = tuple(found[key] for key in reply_keys)
    return replace(
        prompt_alone(question, names),
        verdict=in_words(verdict, question.places[0].order),
        calls=calls,
    )


def prompt_alone(question: Call, names: Mapping[bytes, str]) -> JudgedReply:
    """A question as it would be asked first, and nobody was."""
    at = question.places[0]
    request, verdict, dialogue = None, NOBODY, question.dialogue()
    try:
        request = next(dialogue)
    except StopIteration as end:  # what it says without asking
        verdict = in_words(end.value, at.order)
    messages = () if request is None else request.messages
    prompt = one_text([(message.role, message.content) for message in messages])
    call = JudgeCall(prompt=prompt, candidates=(), reply=NOBODY, reasoning=None, finish_reason=None)
    model, opponent = at.model_key, at.opponent_key
    place = {name: getattr(at, name, None) for name in PLACE}
    place |= {"model": names[model], "model_id": model.hex()[:12]}
    if opponent is not None:
        place |= {"opponent": names[opponent], "opponent_id": opponent.hex()[:12]}
    return JudgedReply(
        judgment=question.key.hex(),
        judge=names.get(at.judge_key, "nobody"),
        judge_id=at.judge_key.hex()[:12],
        place=place,
        places=len(question.places),
        kind="trial",
        verdict=verdict,
        calls=() if request is None else (call,),
    )


NOBODY = "(nobody was asked)"


def reread(
    store: Store, found: Sequence[JudgedReply], assignments: Sequence[JudgeAssignment]
) -> list[JudgedReply]:
    """Replies that are kept, with what a judge's own way of reading makes of each of them.

    Raises
    ------
    UsageError
        Where no judge has a way of reading of its own.
    """
    judges = (a.judge for a in assignments)
    readers = [j.read for j in judges if isinstance(j, PromptJudge) and j.read is not None]
    if not readers:
        raise UsageError("no judge here has a 'prompt' and 'read' of its own to try on replies")
    return [
        replace(one, verdict=in_words(reader(reply), one.place["order"]))
        for reader in readers
        for one in found
        if one.reply_keys and (reply := store.reply(one.reply_keys[-1])) is not None
    ]


def in_words(verdict: Verdict, order: Order) -> str:
    """A verdict in words, of a pair from the side of the model that was judged."""
    match verdict:
        case Preference(winner=winner, p_first=p_first):
            first = order != "opponent_first"
            p = p_first if first else 1 - p_first
            if winner is None:
                return f"tie ({p:.2f})"
            return f"{'wins' if (winner == 0) == first else 'loses'} ({p:.2f})"
        case Score(value=value, low=low, high=high, parts=parts):
            named = "".join(f", {name} {part:g}" for name, part in parts.items())
            return f"{value:g} on {low:g} to {high:g}{named}"
        case Label(name=name, p=p):
            return name if p is None else f"{name} ({p:.2f})"
        case Unreadable(reason=reason):
            return f"unreadable: {reason}"


# on the screen ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies(Report):
    """What judges replied, one entry a judgment; in JSON texts are exactly as they are.

    judge
        Who was asked for.
    unreadable
        Whether they are those alone from which no verdict could be read.
    """

    judge: str
    found: tuple[JudgedReply, ...]
    unreadable: bool = False

    def tables(self) -> list[Table]:
        """The replies one below the other, and how many they are."""
        what, several = "reply", "replies"
        if self.unreadable:
            what, several = f"unreadable {what}", f"unreadable {several}"
        asked = sum(bool(one.calls) for one in self.found)
        notes = [f"{counted(asked, what, several)} of {self.judge}"]
        if nobody := len(self.found) - asked:
            notes.append(f"{counted(nobody, 'verdict')} for which nobody was asked")
        end = Table(title="; ".join(notes), columns=_TEXT, rows=[])
        return [*map(_reply_table, self.found), end]

    def records(self) -> list[dict[str, Any]]:
        return [_flat(one.record()) for one in self.found]

    def to_dict(self) -> dict[str, Any]:
        return {"judge": self.judge, "replies": [one.record() for one in self.found]}


def _reply_table(one: JudgedReply) -> Table:
    place = one.place
    about = f"{place['benchmark']}@{place['version']} item {place['item_id']}, {place['model']}"
    if place["opponent"] is not None:
        about += f" against {place['opponent']}, {_ORDERS[place['order']]}"
    about += f", sample {place['sample']}" if place["sample"] else ""
    more = f", and {counted(one.places - 1, 'more verdict')} alike" if one.places > 1 else ""
    return Table(
        title=f"{one.judge} on {about}{more}",
        subtitle=f"judgment {one.judgment[:12]}",
        columns=_TEXT,
        rows=[*_part("verdict", one.verdict), *_call_rows(one.calls)],
    )


_ORDERS: Mapping[str, str] = {
    "single": "",
    "model_first": "shown first",
    "opponent_first": "shown second",
}


def _call_rows(made: Sequence[JudgeCall]) -> Iterator[list[str]]:
    """Prompt and reply of every call, a line of them a row."""
    for n, call in enumerate(made, 1):
        which = f" {n} of {len(made)}" if len(made) > 1 else ""
        yield from _part(f"prompt{which}", call.prompt)
        if call.candidates:
            yield from _part(f"candidates{which}", "\n".join(call.candidates))
        if call.reasoning:
            yield from _part(f"thoughts{which}", call.reasoning)
        yield from _part(f"reply{which}", call.reply or "(empty)")
        if call.finish_reason not in (None, "stop"):
            yield from _part(f"ended by{which}", str(call.finish_reason))


def _part(name: str, text: str) -> Iterator[list[str]]:
    for i, line in enumerate(shown_lines(text)):
        yield ["" if i else name, line]


def shown_lines(text: str) -> Iterator[str]:
    """The lines of a text with what nobody would see written out, long ones broken."""
    for line in written_out(text).expandtabs(4).split("\n"):
        if not line.strip():
            yield ""
        for start in range(0, len(line), _AT_ONCE):  # breaking one huge word takes its square
            part = line[start : start + _AT_ONCE]
            yield from textwrap.wrap(part, WIDTH, replace_whitespace=False, break_on_hyphens=False)


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record for CSV: texts with what nobody would see written out."""
    flat = {name: value for name, value in record.items() if name != "earlier_calls"}
    return {n: written_out(value) if isinstance(value, str) else value for n, value in flat.items()}


# one item ---------------------------------------------------------------------------------------


def item_document(
    store: Store,
    benchmark: BenchmarkRef,
    item_id: str,
    *,
    judges: Collection[str] = (),
    models: Collection[str] = (),
    earlier: bool = False,
) -> Document:
    """A question with its answers, and of every verdict on them the prompt and the reply.

    Parameters
    ----------
    judges, models
        Only these, by name or id; all if none is named.
    earlier
        Also answers and verdicts whose place later ones have taken.

    Raises
    ------
    UsageError
        For an item that the store does not have.
    """
    told = store.item_history(benchmark.name, benchmark.version, item_id)
    if told is None:
        known = list(store.item_contents(benchmark.name, benchmark.version))
        near = nearest(item_id, known, n=3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
        raise UsageError(
            f"{benchmark}: no item called {item_id!r}{hint} The store has "
            f"{counted(len(known), 'item')} of it"
        )
    answers = [
        one
        for one in told.answers
        if (earlier or one.newest) and _is_among(models, one.model.names, one.model.id)
    ]
    verdicts = [
        one
        for one in told.verdicts
        if (earlier or one.counts)
        and _is_among(judges, one.judge.names, one.judge.id)
        and _is_among(models, one.model.names, one.model.id)
    ]
    texts = store.answer_texts([one.number for one in answers])
    found = store.calls(dict.fromkeys(key for one in verdicts for key in one.reply_keys))
    made = [tuple(found[key] for key in one.reply_keys if key in found) for one in verdicts]
    answered = [
        {"model": one.model.name, "model_id": one.model.id, "sample": one.sample, "turn": one.turn}
        | {"status": one.status, "newest": one.newest, "source": one.source}
        | {"text": texts[one.number].text, "reasoning": texts[one.number].reasoning}
        for one in answers
    ]
    said = [_verdict_record(one, its) for one, its in zip(verdicts, made, strict=True)]
    return Document(
        tables=[
            _question_table(benchmark, told),
            *(_answer_table(one, texts[one.number].text) for one in answers),
            *(_verdict_table(one, its) for one, its in zip(verdicts, made, strict=True)),
        ],
        records=[
            *(_flat({"row": "answer", **one}) for one in answered),
            *(_flat({"row": "verdict", **one}) for one in said),
        ],
        data={
            "benchmark": benchmark.name,
            "version": benchmark.version,
            "item_id": item_id,
            "category": told.item.category,
            "turns": [{"role": turn.role, "content": turn.content} for turn in told.item.turns],
            "references": list(told.item.references),
            "options": list(told.item.options),
            "answers": answered,
            "verdicts": said,
        },
    )


def _is_among(wanted: Collection[str], names: Collection[str], one: str) -> bool:
    return not wanted or not set(wanted).isdisjoint((*names, one))


def _question_table(benchmark: BenchmarkRef, told: ItemHistory) -> Table:
    item = told.item
    several = len(item.turns) > 1
    rows = [
        row
        for turn in item.turns
        for row in _part(turn.role if several else "question", turn.content)
    ]
    rows += [row for option in item.options for row in _part("option", option)]
    rows += [row for reference in item.references for row in _part("reference", reference)]
    return Table(
        title=f"{benchmark} item {item.id}",
        subtitle=", ".join(part for part in (item.category, item.subcategory) if part),
        columns=_TEXT,
        rows=rows,
        notes=[] if rows else ["the store knows this item by its id alone"],
    )


def _answer_table(one: ItemAnswer, text: str) -> Table:
    said = [f"answer of {one.model.name}", f"sample {one.sample}" if one.sample else ""]
    said += [f"turn {one.turn + 1}" if one.turn else "", "" if one.status == "ok" else one.status]
    said.append("" if one.newest else "replaced by a later one")
    return Table(
        title=", ".join(
            part.replace("_", " ") if part == one.status else part for part in said if part
        ),
        columns=_TEXT,
        rows=list(_part("answer", text or "(empty)")),
    )


def _verdict_table(one: ItemVerdict, made: Sequence[JudgeCall]) -> Table:
    about = one.model.name
    if one.opponent is not None:
        about += f" against {one.opponent.name}, {_ORDERS[one.order]}"
    said = [f"{one.judge.name} on {about}", f"sample {one.sample}" if one.sample else ""]
    if one.afresh:
        said.append("asked afresh to confirm")
    else:
        said += [f"repeat {one.repeat}" if one.repeat else ""]
        said += ["" if one.counts else "replaced by a later one"]
    at = datetime.fromtimestamp(one.at, UTC)
    more = f" and {counted(len(one.runs) - 1, 'earlier one')}" if len(one.runs) > 1 else ""
    return Table(
        title=", ".join(part for part in said if part),
        subtitle=f"{at:%Y-%m-%d %H:%M} UTC, run {one.runs[-1]}{more}",
        columns=_TEXT,
        rows=[*_part("verdict", in_words(one.verdict, one.order)), *_call_rows(made)],
    )


def _verdict_record(one: ItemVerdict, made: Sequence[JudgeCall]) -> dict[str, Any]:
    return {
        "judge": one.judge.name,
        "judge_id": one.judge.id,
        "model": one.model.name,
        "model_id": one.model.id,
        "opponent": None if one.opponent is None else one.opponent.name,
        "order": one.order,
        "sample": one.sample,
        "turn": one.turn,
        "repeat": one.repeat,
        "counts": one.counts,
        "runs": list(one.runs),
        "verdict": in_words(one.verdict, one.order),
        **call_columns(made),
    }
