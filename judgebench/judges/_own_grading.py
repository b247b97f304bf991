"""Our own questions of a graded judge: what is asked, in which form, and how the reply is read.

Both questions show framed texts (see `frame`) and end in one verdict: a line with the code of the
texts, or a JSON object. Who says which option was chosen is not shown which one is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from judgebench.judges.frame import Shown
from judgebench.judges.prompt import messages
from judgebench.judges.readers.brackets import GRADES
from judgebench.judges.readers.option_letters import (
    NONE,
    OptionLine,
    choice_schema,
    read_choice_json,
)
from judgebench.judges.readers.scores import OVERALL, ScoreLines, read_scores_json, score_schema
from judgebench.records import Case, JsonObject, Message, Reply, Unreadable, Verdict
from judgebench.template import PromptText, lettered

OWN_HOLES = frozenset({"texts", "ask", "reply_form"})
"""The placeholders of both prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, the form of its reply where that is JSON, and what reads it."""

    messages: tuple[Message, ...]
    read: Callable[[Reply], Verdict]
    response_format: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How verdicts are asked for: in a line or as JSON, with reasons before them or without."""

    as_json: bool
    explain: bool

    @property
    def of_grades(self) -> Mapping[str, str]:
        """What fills the judge's placeholders of the prompt about free answers."""
        return {"reply_form": self._reply_form(OVERALL, "the grade: a number from 0 to 1")}

    @property
    def of_choices(self) -> Mapping[str, str]:
        """What fills the judge's placeholders of the prompt about options."""
        return {"reply_form": self._reply_form("option", f"the letter, or the word {NONE}")}

    def _reply_form(self, name: str, what: str) -> str:
        if self.as_json:
            reason = '"reason": "your reasons in a few sentences", ' if self.explain else ""
            form = f'{{{reason}"{name}": …}}'
            return f"Reply with one JSON object and nothing else: {form}, with {name}: {what}."
        line = f"one line that holds the word {name}, the code of the texts, a colon and {what}."
        if self.explain:
            return f"First give your reasons in a few sentences. Then end with {line}"
        return f"Reply with {line} Nothing else belongs there."

    def ask(self, question: str, name: str, code: str) -> str:
        """The end of a question, which says once more what the reply is to be."""
        if self.as_json:
            return f"{question} Reply with the JSON object."
        how = "Give your reasons, then end with" if self.explain else "Reply with nothing but"
        return f"{question} {how} this line, completed:\n{name} {code}:"


def about_free_answer(prompt: PromptText, case: Case, form: Form, *, limit: int) -> Asked:
    """How right an answer is, against the references; answers are cut at ``limit`` characters."""
    shown = Shown.of(case, max_answer_chars=limit)
    ask = form.ask("How right is the answer?", OVERALL, shown.code)
    question = messages(prompt, form.of_grades, {"texts": shown.texts("answer"), "ask": ask})
    names = (OVERALL,)
    lines = ScoreLines(names=names, scale=GRADES, code=shown.code)

    def read(reply: Reply) -> Verdict:
        if form.as_json:
            scores = read_scores_json(reply, names, GRADES, explain=form.explain)
        else:
            scores = lines.read(reply)
        return scores if isinstance(scores, Unreadable) else GRADES.score(scores)

    schema = score_schema(names, GRADES, explain=form.explain) if form.as_json else None
    return Asked(messages=question, read=read, response_format=schema)


def about_choice(prompt: PromptText, case: Case, form: Form, *, limit: int) -> Asked:
    """Which option an answer chooses, as a label: its letter, or `NONE`."""
    options = case.item.options
    turn = Message(role="user", content=f"{case.item.question}\n\n{lettered(options)}")
    blind = replace(case, item=replace(case.item, turns=(turn,), references=()))
    shown = Shown.of(blind, max_answer_chars=limit)
    ask = form.ask("Which option does the answer choose?", "option", shown.code)
    question = messages(prompt, form.of_choices, {"texts": shown.texts("answer"), "ask": ask})
    n_options, explain = len(options), form.explain
    if not form.as_json:
        return Asked(messages=question, read=OptionLine(n_options=n_options, code=shown.code).read)
    return Asked(
        messages=question,
        read=lambda reply: read_choice_json(reply, n_options, explain=explain),
        response_format=choice_schema(n_options, explain=explain),
    )
