"""What was noticed about answers when they were judged, counted by judge and model.

Answers may be meant for whoever judges them: one text to everything that addresses the judge once
led a published board. Models that give such answers are *suspicious*. Boards list them outside the
ranking, unless they are asked to rank them; `suspicions` is the one place that says who they are.

One fixed text as the answer to all 805 instructions led that board, since it addressed the judge
[1]_. Honest models repeat short answers (a name, "yes"), so only longer ones count.

.. [1] X. Zheng et al. (2024), Cheating Automatic LLM Benchmarks: Null Models Achieve High Win
   Rates, arXiv 2410.07137.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from judgebench.columns import counted, distinct, grouped, marked, paired, taken
from judgebench.judges.flags import CONSTANT_SHARE, ConstantAnswer, all_flags, constant_answer
from judgebench.records import REFUSED
from judgebench.reports.boards import Columns

CUT = "cut"
"""An answer was longer than the judge is shown."""

SUSPECT: Mapping[str, str] = {
    "imitates_prompt": "imitate the judge's prompt",
    "imitates_verdict": "imitate a verdict",
    "addresses_judge": "address the judge",
    "hidden_text": "contain text that is not seen",
}
"""Marks of answers that may be meant for the judge, and what such answers do."""

SUSPICIOUS = "suspicious"
"""The flag of a model whose answers may be meant for the judge."""

SUSPICIOUS_SHARE, SUSPICIOUS_LEAST = 0.05, 2
"""A model is suspicious when more than this share of its answers has a mark of `SUSPECT`,
whichever, and as many answers at least: of honest answers each mark is on less than one in 200, so
that a single one says nothing."""

LONGER, SHORTER = "much longer answers", "much shorter answers"
LENGTHS_APART = 3.0
"""Answers of a mean length over so many times the opponent's, or under its inverse, are flagged."""

COUNTED = "marked_"
"""What the counts of marks begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Of how many answers that were examined each mark was made; ``any_suspect`` counts those with
    a mark of `SUSPECT`, at least."""

    examined: int
    answers: Mapping[str, int] = field(default_factory=dict)
    any_suspect: int = 0

    @property
    def suspect(self) -> int:
        """Answers with a mark of `SUSPECT`, each once."""
        return max(self.any_suspect, *(self.answers.get(mark, 0) for mark in SUSPECT))

    def share(self, mark: str) -> float:
        return self.answers.get(mark, 0) / self.examined if self.examined else 0.0

    def joined(self, other: Marks) -> Marks:
        """What two judges saw in one model's answers, which may be the same: at least so many."""
        return Marks(
            examined=max(self.examined, other.examined),
            answers={
                mark: max(self.answers.get(mark, 0), other.answers.get(mark, 0))
                for mark in sorted({*self.answers, *other.answers})
            },
            any_suspect=max(self.any_suspect, other.any_suspect),
        )


NO_MARKS = Marks(examined=0)


def marks_by_judge(columns: Columns) -> dict[tuple[str, str], Marks]:
    """By judge and model; those without any mark left out.

    An answer counts once, in however many orders and repeats it was judged. Verdicts of answers
    that were not examined (imported ones, see `marks_of_answers`) count for nothing.
    """
    made: dict[tuple[str, str], Counter[str]] = {}
    about = ("judge", "model", "item_id", "sample", "turn")
    marks = columns["marks"]
    made_at = np.flatnonzero(marked(marks, bool))
    answers: dict[tuple[str, str, str, int, int], set[str]] = {}
    its = (taken(columns[name], made_at) for name in (*about, "marks"))
    for judge, model, item, sample, turn, found in zip(*its, strict=True):
        answers.setdefault((judge, model, item, sample, turn), set()).update(found)
    if not answers:
        return {}
    suspect: Counter[tuple[str, str]] = Counter()
    for (judge, model, *_), names in answers.items():
        made.setdefault((judge, model), Counter()).update(names)
        suspect[judge, model] += not SUSPECT.keys().isdisjoint(names)
    looked_at = np.flatnonzero(marked(marks, lambda found: found is not None))
    who, *answer = (
        taken(column, looked_at)
        for column in (paired(columns["judge"], columns["model"]), *(columns[n] for n in about[2:]))
    )
    examined = counted(distinct(who, *answer))
    return {
        who: Marks(
            examined=examined[who], answers=dict(sorted(counted.items())), any_suspect=suspect[who]
        )
        for who, counted in made.items()
    }


def marks_of_answers(answers: Columns) -> dict[str, Marks]:
    """By model id: for judges of elsewhere, whose verdicts came without marks.

    Models without any mark are left out.

    Parameters
    ----------
    answers
        ``model_id`` and ``text``.
    """
    examined = counted(answers["model_id"])
    suspect: Counter[str] = Counter()
    made: dict[str, Counter[str]] = {}
    for model, names in zip(answers["model_id"], all_flags([*answers["text"]]), strict=True):
        if names:
            made.setdefault(model, Counter()).update(names)
            suspect[model] += not SUSPECT.keys().isdisjoint(names)
    return {
        model: Marks(
            examined=examined[model],
            answers=dict(sorted(counted.items())),
            any_suspect=suspect[model],
        )
        for model, counted in made.items()
    }


def suspicions(
    constant: Mapping[str, ConstantAnswer], marks: Mapping[tuple[str, str], Marks]
) -> dict[str, str]:
    """The suspicious models, and why they are.

    Marks are of the answers, whichever judge they were judged by, so that a model is suspicious on
    all boards of a benchmark or on none.

    Parameters
    ----------
    constant
        By model, as it is shown, those that often give one answer; suspicious are those of
        `ConstantAnswer.suspicious`.
    marks
        By judge and model.
    """
    of_model: dict[str, Marks] = {}
    for (_, model), one in marks.items():
        of_model[model] = of_model.get(model, NO_MARKS).joined(one)
    found = {}
    for model in sorted({*constant, *of_model}):
        why = []
        if model in constant and constant[model].suspicious:
            marked = ", which may be meant for the judge" if constant[model].marked else ""
            why.append(said_of_constant(constant[model]) + marked)
        seen = of_model.get(model, NO_MARKS)
        if seen.suspect >= SUSPICIOUS_LEAST and seen.suspect > SUSPICIOUS_SHARE * seen.examined:
            why.append(_said_of_suspect(seen))
        if why:
            found[model] = "; ".join(why)
    return found


def _said_of_suspect(seen: Marks) -> str:
    """Of how many answers what was noticed; those with several marks count once."""
    of = {does: seen.answers[mark] for mark, does in SUSPECT.items() if seen.answers.get(mark)}
    if len(of) == 1:
        return f"{seen.suspect} of {seen.examined} answers {next(iter(of))}"
    each = ", ".join(f"{n} {does}" for does, n in of.items())
    return f"{seen.suspect} of {seen.examined} answers may be meant for the judge: {each}"


def said_of_constant(one: ConstantAnswer) -> str:
    """How many of a model's answers are one text."""
    same = (
        "are one and the same text"
        if one.same
        else f"begin with the same {len(one.text)} characters"
    )
    return f"{one.share:.0%} of its {one.n} answers {same}"


def said_of_marks(marks: Mapping[str, Marks], limit: int | None) -> list[str]:
    """Warnings of one board: which models' answers were cut, and which may be meant for the judge.

    Parameters
    ----------
    marks
        By model, in the order in which models are named.
    limit
        Characters after which this judge's answers are cut, where it says so.
    """
    warnings = []
    for mark, does in SUSPECT.items():
        if some := [
            f"{model} ({_of(one, mark)})" for model, one in marks.items() if one.share(mark)
        ]:
            warnings.append(f"answers that {does}: {', '.join(some)}")
    if some := [f"{model} {one.share(CUT):.0%}" for model, one in marks.items() if one.share(CUT)]:
        where = "to what this judge is shown" if limit is None else f"at {limit:,} characters"
        warnings.append(f"share of answers cut {where}: {', '.join(some)}")
    return warnings


def _of(marks: Marks, mark: str) -> str:
    return f"{marks.answers[mark]} of {marks.examined}"


# which models answer one text whatever they are asked ---------------------------------------------

SHORTEST = 20
"""Characters that a text must exceed to be more than a coincidence."""

_BEGINNING = 100
"""How many characters are compared before whole texts are."""


def may_be_constant(answers: Columns) -> list[str]:
    """The ids of all models whose answers are constant, and of some whose answers begin alike.

    Constant answers have one beginning: whole texts need to be read of these models only.

    Parameters
    ----------
    answers
        ``model_id``, ``item_id``, ``start`` (an answer's first characters), ``length`` (of all of
        it).
    """
    answered: dict[str, set[str]] = {}  # samples of one item may be equal, and are one then
    alike: dict[str, list[str]] = {}
    told = (answers[name] for name in ("model_id", "item_id", "start", "length"))
    for model, item, start, length in zip(*told, strict=True):
        answered.setdefault(model, set()).add(item)
        text = start.lstrip()
        begins = text[:_BEGINNING].rstrip()
        if len(text) < _BEGINNING and length > len(start):  # white space hides its beginning
            begins = ""
        if begins == "" or length > SHORTEST:
            alike.setdefault(model, []).append(begins)
    said = {model: Counter(begins) for model, begins in alike.items()}
    return [
        model
        for model, times in said.items()
        if times.pop("", 0) + max(times.values(), default=0)
        >= CONSTANT_SHARE * len(answered[model])
    ]


def constant_answers(answers: Columns) -> dict[str, ConstantAnswer]:
    """The models whose answers are constant, by their id.

    Parameters
    ----------
    answers
        ``model_id``, ``item_id``, ``text``, and ``status`` where it is known. Equal samples
        of one item are one answer; short answers are answers, but none that could be the constant
        one.
    """
    told = dict.fromkeys(
        zip(answers["model_id"], answers["item_id"], map(str.strip, answers["text"]), strict=True)
    )
    texts = grouped((model, text if len(text) > SHORTEST else "") for model, _, text in told)
    found = {model: constant_answer(said) for model, said in texts.items()}
    flagged = {model: one for model, one in found.items() if one is not None and one.flagged}
    return {
        model: replace(one, refused=_mostly_refused(answers, model, one.text))
        for model, one in flagged.items()
    }


def _mostly_refused(answers: Columns, model: str, start: str) -> bool:
    """Whether most of a model's answers that begin so are refusals."""
    if "status" not in answers:
        return False
    names = ("model_id", "text", "status")
    said = [
        status == REFUSED
        for who, text, status in zip(*(answers[name] for name in names), strict=True)
        if who == model and text.strip().startswith(start)
    ]
    return bool(2 * sum(said) > len(said))
