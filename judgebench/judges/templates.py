"""``templates``: a benchmark's own prompts, as rows of its description; no code is needed for one.

``[judging.content.templates]`` has sets of rows (`judgebench.judges.prompt.Template`), of which a
suite chooses one by name. Of a set the first row whose conditions an item meets is asked: official
texts word for word, with the holes that their authors left, filled once. Where these are not here,
the row's own wording of ours is asked instead, with each text of a case between two lines as in
`judgebench.judges.own_prompt`. The row also names who reads the reply
(`judgebench.judges.readers.upstream.READERS`).

What can fill a hole: ``question``, ``answer`` (or ``answer_a`` and ``answer_b``) and ``reference``,
each also by its turn in a conversation (``question_1``, ``answer_a_2``, ``reference_1``),
``turns``, ``record`` (question and answer as a dictionary of Python's) and ``item.FIELD``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from string import Formatter
from string import Template as DollarText
from typing import Any, Final, Literal

from pydantic import Field

from judgebench.errors import ConfigError, refuse, unknown_name
from judgebench.judges.lexical import NO_REFERENCE
from judgebench.judges.own_prompt import (
    ITEM,
    Parts,
    field_texts,
    framed_text,
    item_fields,
    prompt_parts,
    with_notice,
)
from judgebench.judges.prompt import (
    Cut,
    Kind,
    Plan,
    Question,
    Setup,
    Template,
    code_for,
    conversation,
    cut,
)
from judgebench.judges.readers.own import own_words
from judgebench.judges.readers.upstream import READERS
from judgebench.keys import canonical_json, text_sha
from judgebench.records import Case, Message, Reply, Role, Unreadable, Verdict
from judgebench.template import PLACEHOLDER, PromptText

OWN: Final = "own/"
"""What the name of a benchmark's own wording begins with, among its prompts."""

NO_TEMPLATE: Final = Unreadable(reason="no template of the benchmark is for this question")

_OF_CASE: Final = frozenset({"turn", "reference"})
"""Conditions that are no field of an item: which turn, from 1, and whether there is a reference."""

_SIDES: Final = {1: ("answer",), 2: ("answer_a", "answer_b")}
_SHOWN: Final = ("question", "answer", "answer_a", "answer_b", "reference", "turns", "record")


class TemplatesOptions(Cut):
    """What a suite may say about a judge by templates."""

    templates: str | None = Field(
        None, description="which of the benchmark's sets of templates; the first if unset"
    )
    wording: Literal["official", "own"] | None = Field(
        None, description="whose texts; official ones if unset, where they are all here"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """A way of writing holes: their names in a text, and the text with all of them filled once."""

    holes: Callable[[str], frozenset[str]]
    fill: Callable[[str, Mapping[str, str]], str]


FILLINGS: Final[Mapping[str, Filling]] = {
    "format": Filling(
        holes=lambda text: frozenset(
            name for _, name, _, _ in Formatter().parse(text) if name is not None
        ),
        fill=lambda text, values: text.format(**values),
    ),
    "dollar": Filling(
        holes=lambda text: frozenset(DollarText(text).get_identifiers()),
        fill=lambda text, values: DollarText(text).substitute(values),
    ),
    "own": Filling(
        holes=lambda text: frozenset(PLACEHOLDER.findall(text)),
        fill=lambda text, values: PLACEHOLDER.sub(lambda hole: values[hole[1]], text),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A row with its texts; ``needs`` says which of our fields fills which hole of them."""

    row: Template
    parts: Parts
    filling: Filling
    needs: Mapping[str, str]

    def fits(self, case: Case) -> bool:
        """Whether a case meets all conditions of the row."""
        about = item_fields(case.item, self.row.when)
        about |= {
            "turn": case.responses[0].turn + 1,
            "reference": any(case.item.references),
        }
        return all(
            about.get(name) in (wanted if isinstance(wanted, tuple) else (wanted,))
            for name, wanted in self.row.when.items()
        )

    def messages(self, texts: Mapping[str, str]) -> tuple[Message, ...]:
        """The texts with the case in them; what comes before the first hole is always the same."""
        values = {hole: texts[ours] for hole, ours in self.needs.items()}
        first = dict.fromkeys(self.needs, "\0")
        return tuple(
            Message(
                role=role,
                content=self.filling.fill(part.text, values),
                constant=len(self.filling.fill(part.text, first).partition("\0")[0]),
            )
            for role, part in self.parts
        )


def _templates(setup: Setup[TemplatesOptions]) -> Plan:
    options, sets = setup.options, setup.content.templates
    refuse(setup.fault, {"the benchmark has no templates; say how to judge as 'kind'": not sets})
    name = options.templates or next(iter(sets))
    refuse(setup.fault, {unknown_name("set of templates", name, sets): name not in sets})
    rows = sets[name]
    prompts = setup.settings.prompts
    named = dict.fromkeys(text for row in rows for text in (row.system, row.user) if text)
    absent = ", ".join(one for one in named if one not in prompts)
    official = options.wording != "own" and not absent
    refuse(
        setup.fault,
        {
            f"official prompts are not in the data home: {absent}; fetch them with `judgebench "
            "data pull` or `data import`, or say wording: own": options.wording == "official"
            and not official,
        },
    )
    forms = [_form(setup, row, official=official) for row in rows]
    kinds = {READERS[row.reader].verdict for row in rows}
    refuse(setup.fault, {f"the set {name} has several kinds of verdicts": len(kinds) > 1})
    (verdict,) = kinds
    reads = [_read_of(row, official=official) for row in rows]
    pair = verdict == "preference"
    asked_of = {one for form in forms for one in form.row.when} - _OF_CASE
    shown = {one for form in forms for one in form.needs.values() if one.startswith(ITEM)}
    fields = sorted(asked_of | {one.removeprefix(ITEM) for one in shown})

    def ask(case: Case) -> Question | Verdict:
        form = next((one for one in forms if one.fits(case)), None)
        if form is None:
            return NO_TEMPLATE
        texts = case_texts(case, options.max_answer_chars)
        texts |= field_texts(item_fields(case.item, fields))
        if lacking := sorted({*form.needs.values()} - texts.keys()):
            if lacking[0].startswith("reference"):
                return NO_REFERENCE
            return Unreadable(reason=f"the item has no {', '.join(lacking)}")
        if not official:
            texts = {n: texts[n] for n in form.needs.values()}
            code = code_for(*texts.values())
            texts = {n: framed_text(code, n, text) for n, text in texts.items()}
        reader = READERS[form.row.reader]
        read = reads[forms.index(form)]
        answers = [] if official else [one.text for one in case.responses]
        return Question(
            messages=form.messages(texts),
            read=lambda reply: read(own_words(reply, answers)),
            again=form.row.again,
            again_after=reader.again_after,
        )

    return Plan(
        ask=ask,
        version="/".join(sorted({f"{row.reader}/{READERS[row.reader].version}" for row in rows})),
        prompts=[(_whole(form), {}) for form in forms],
        room=max(row.max_tokens for row in rows),
        told={
            "templates": name,
            "rows": text_sha(canonical_json([row.model_dump(mode="json") for row in rows]))[:12],
        },
        unused=("wording",),
        kind="templates/score" if verdict == "score" else None,
        inputs=frozenset({"with_baseline"}) if pair else None,
        fields=lambda item: item_fields(item, fields),
        read=_read_of(rows[0], official=official)
        if len({row.reader for row in rows}) == 1
        else None,
        mends=READERS[rows[0].reader].mends,
    )


def _read_of(row: Template, *, official: bool) -> Callable[[Reply], Verdict]:
    """What reads the replies to a row, in its official wording or in ours."""
    reader = READERS[row.reader]
    return reader.read if official else (reader.own or reader.read)


def _whole(form: _Form) -> PromptText:
    """All texts of a row as one, by which it is known."""
    _, last = form.parts[-1]
    whole = "\n\n".join(part.text for _, part in form.parts)
    return replace(last, text=whole) if len(form.parts) > 1 else last


def _form(setup: Setup[TemplatesOptions], row: Template, *, official: bool) -> _Form:
    """A row with its texts.

    Raises
    ------
    ConfigError
        For a reader or a text that is not there, and for a hole that nothing fills.
    """
    prompts, where = setup.settings.prompts, f"template {row.name}"
    refuse(
        setup.fault,
        {f"{where}: {unknown_name('reader', row.reader, READERS)}": row.reader not in READERS},
    )
    parts: Parts
    if official:
        texts: Mapping[Role, str | None] = {"system": row.system, "user": row.user}
        parts = [(role, prompts[text]) for role, text in texts.items() if text]
        filling = FILLINGS[row.fill]
    else:
        own = f"{OWN}{row.own or row.name}"
        refuse(setup.fault, {f"{where}: there is no text {own}.txt of our own": own not in prompts})
        parts = with_notice(prompt_parts(prompts[own]))
        filling = FILLINGS["own"]
    try:
        holes = sorted(frozenset().union(*(filling.holes(part.text) for _, part in parts)))
    except ValueError as error:
        raise ConfigError(
            f"judge {setup.kind}: {where}: its text cannot be filled: {error}"
        ) from None
    needs = {hole: row.holes.get(hole, hole) for hole in holes}
    for hole, ours in needs.items():
        known = ours.startswith(ITEM) or ours.rstrip("0123456789").removesuffix("_") in _SHOWN
        refuse(
            setup.fault,
            {f"{where}: the hole {hole}: {unknown_name('field', ours, _SHOWN)}": not known},
        )
    return _Form(row=row, parts=parts, filling=filling, needs=needs)


def case_texts(case: Case, limit: int) -> dict[str, str]:
    """What a case has to show, by our names; answers are cut at ``limit`` characters."""
    asked = [turn.content for turn in case.item.turns if turn.role == "user"]
    texts = _by_turn("question", asked) | {"turns": conversation(case.item.turns)}
    if any(case.item.references):
        texts |= _by_turn("reference", case.item.references)
        texts["reference"] = "\n".join(dict.fromkeys(case.item.references))
    for side, one in zip(_SIDES[len(case.responses)], case.responses, strict=True):
        texts |= _by_turn(side, [cut(text, limit) for text in (*one.before, one.text)])
    if "answer" in texts:  # as programs write it that put in a whole line of a file of answers
        texts["record"] = repr({"instruction": texts["question"], "response": texts["answer"]})
    return texts


def _by_turn(name: str, texts: Sequence[str]) -> dict[str, str]:
    """Each text by its number, and the last one without."""
    return {f"{name}_{n}": text for n, text in enumerate(texts, 1)} | {name: texts[-1]}


KINDS: Final[Mapping[str, Kind[Any]]] = {
    "templates": Kind(name="templates", options=TemplatesOptions, plan=_templates),
}
