"""Reads replies exactly as the programs do on which published boards rest.

AlignBench: THUDM/AlignBench at 5b79d4a, ``post_process`` in ``judge.py``. It takes one spelling of
the dictionary (single quotes, one space after the colon, on one line), cuts decimals off, and knows
no scale: 0 and 100 are scores to it. `dictionaries` reads what was meant; both are needed to say
what the reading does to a board. Rewritten to take time linear in a reply's length, where the
original's grows with its square or worse.

CritiqueLLM: thu-coai/CritiqueLLM at e1e0241, ``evaluation/``.

just-eval: Re-Align/just-eval at 3e1a126, ``just_eval/evaluate.py`` and ``utils.py``.

MT-Bench: lm-sys/FastChat at 0e6d3e4, ``fastchat/llm_judge/common.py``.

XSTest: paul-rottger/exaggerated-safety at d7bb5bd. CODAL-Bench: martin-wey/CodeUltraFeedback at
0525dde, ``src/evaluate/generate_ratings.py``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from judgebench.dialogue import reads
from judgebench.judges.readers.brackets import NO_LABEL, read_arena_hard, read_arena_hard_v2
from judgebench.judges.readers.dictionaries import (
    COMPARISON,
    COMPARISONS,
    NO_COMPARISON,
    NO_SCORE,
    OVERALL,
)
from judgebench.judges.readers.json import (
    NOT_AN_OBJECT,
    TWO_VERDICTS,
    JsonMembers,
    json_members,
    other_json,
)
from judgebench.judges.readers.scores import Scale
from judgebench.judges.readers.words import Names
from judgebench.records import REFUSAL_CLASSES, Label, Reply, Score, Unreadable, Verdict

UNPARSED = -1.0
MAX_DIGITS = 300
"""What is longer, no float holds; upstream ends with an error at 4301 digits."""

_VALUE = re.compile(r"': (\d+)")
_OVERALL = re.compile(rf"'{OVERALL}': (\d+(?:\.\d{{1,2}})?)")


def upstream_ratings(text: str) -> tuple[Mapping[str, int], float]:
    """What AlignBench stores of any text: the dictionary's numbers, and the score or `UNPARSED`.

    A text with a number of more than `MAX_DIGITS` digits in one of its places is unparsed.
    """
    pairs = _pairs(_last_group(text))
    in_words = _OVERALL.search(text)
    digits = [digits for _, digits in pairs] + ([in_words[1]] if in_words else [])
    if any(len(number) > MAX_DIGITS for number in digits):
        return {}, UNPARSED
    ratings = {name: int(number) for name, number in pairs}
    otherwise = float(in_words[1]) if in_words else UNPARSED
    return ratings, ratings.get(OVERALL, otherwise)


@reads("whole")
def read_upstream(reply: Reply, dimensions: Sequence[str]) -> Verdict:
    """AlignBench's reading as a verdict, on a scale without an upper end.

    A reply that was refused or cut off is no verdict, nor is `UNPARSED`: aggregation puts it back
    where the published figure is wanted (`judgebench.stats.resample`).
    """
    ratings, score = upstream_ratings(reply.text)
    if score == UNPARSED:
        return NO_SCORE
    rated = {name: float(ratings[name]) for name in dimensions if name in ratings}
    return Score(value=float(score), low=0.0, high=math.inf, parts=rated)


# CritiqueLLM's numbers: "10" before "1", so that 100 is 10 and 11 is 1; and 0.5 is 0.
_CRITIQUE_SCORES = [
    re.compile(rf"{written}((?:10|0)(?:\.0*)?|[1-9](?:\.\d*)?)")
    for written in (f"'{OVERALL}': ", f"{OVERALL}: ", f"{OVERALL}：")
]


@reads("given")
def read_upstream_score(reply: Reply) -> Verdict:
    """CritiqueLLM's reading of one answer's score, on 0 to 10.

    Where its script says 5, in the middle, since it can read none, there is none; what correlates
    scores with people's puts it back where the published figure is wanted.
    """
    found = next(filter(None, (form.search(reply.text) for form in _CRITIQUE_SCORES)), None)
    return NO_SCORE if found is None else Score(value=float(found[1]), low=0.0, high=10.0)


@reads("given")
def read_upstream_comparison(reply: Reply) -> Verdict:
    """CritiqueLLM's reading: the first of its three spellings that stands anywhere counts."""
    for word, verdict in COMPARISONS.items():
        if f"{{'{COMPARISON}': '{word}'}}" in reply.text:
            return verdict
    return NO_COMPARISON


# MT-Bench's numbers, in double brackets or else in single ones; no scale is asked for.
_RATINGS = (re.compile(r"\[\[(\d++\.?\d*+)\]\]"), re.compile(r"\[(\d++\.?\d*+)\]"))
_WINNERS = {"[[A]]": "A", "[[B]]": "B", "[[C]]": "tie"}


@reads("whole")
def read_mt_bench_rating(reply: Reply) -> Verdict:
    """The first number in double brackets, or else in single ones, of a scale from 1 to 10.

    0 and 11 are scores as well, as there. Its -1 of a reply without any is `NO_SCORE`.
    """
    found = next(filter(None, (form.search(reply.text) for form in _RATINGS)), None)
    if found is None or len(found[1]) > MAX_DIGITS:
        return NO_SCORE
    return Score(value=float(found[1]), low=1.0, high=10.0)


@reads("whole")
def read_mt_bench_winner(reply: Reply) -> Verdict:
    """``[[A]]`` where it stands at all, else ``[[B]]``, else ``[[C]]``, a tie."""
    said = next((side for sign, side in _WINNERS.items() if sign in reply.text), None)
    return NO_COMPARISON if said is None else Names().preference(said)


ONE_TO_TEN = Scale(low=1, high=10, decimals=True)
_RATED, _NAMED = re.compile(r"\[\[(\d{1,9}(?:\.\d{1,9})?)\]\]"), re.compile(r"\[\[([ABC])\]\]")


@reads("whole")
def _stated_once(reply: Reply, form: re.Pattern[str]) -> str | Unreadable | None:
    """What stands in double brackets, if all that does says the same; a quoted one counts too."""
    said = {*form.findall(reply.text)}
    return TWO_VERDICTS if len(said) > 1 else next(iter(said), None)


def read_own_rating(reply: Reply) -> Verdict:
    """A number from 1 to 10 in double brackets, as our own wording asks for it."""
    said = _stated_once(reply, _RATED)
    if said is None or isinstance(said, Unreadable):
        return said or NO_SCORE
    checked = ONE_TO_TEN.checked(float(said))
    return checked if isinstance(checked, Unreadable) else Score(value=checked, low=1.0, high=10.0)


def read_own_winner(reply: Reply) -> Verdict:
    """``[[A]]``, ``[[B]]`` or ``[[C]]``, as our own wording asks for it."""
    said = _stated_once(reply, _NAMED)
    if said is None or isinstance(said, Unreadable):
        return said or NO_COMPARISON
    return Names().preference(_WINNERS[f"[[{said}]]"])


ASPECTS = ("helpfulness", "clarity", "factuality", "depth", "engagement")
ONE_TO_FIVE = Scale(low=1, high=5, decimals=True)
SAFETY = ("safety",)
NOT_APPLICABLE = "N/A"

_REASONED = re.compile(r'"reason"\s{0,9}:\s{0,9}"(.{0,5000}?)"\s{0,9},\s{0,9}"score"', re.DOTALL)
_LONE_BACKSLASH = re.compile(r'\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})')


def needs_repair(reply: Reply) -> bool:
    """Whether a reply is no JSON as it stands, so that `read_aspects` mends it first."""
    return json_members(reply.text) is NOT_AN_OBJECT


@reads("words")
def read_aspects(reply: Reply, names: tuple[str, ...]) -> Verdict:
    """just-eval's scores from 1 to 5, one for each name; the whole is their mean.

    One JSON object is read as it stands. What is none is mended as upstream means to: cut to the
    outer braces, without fences and line breaks, lone backslashes doubled, and double quotes inside
    a reason made single (upstream's own repair looks for another mode's field, and never does). An
    aspect that does not apply (``N/A``) is left out of the parts: upstream takes it for a 5.
    """
    found = json_members(reply.text)
    if isinstance(found, Unreadable):
        found = json_members(_mended(reply.text))
    if isinstance(found, Unreadable):
        return found
    scores: dict[str, float] = {}
    for name in names:
        rated = [value for field, value in found if field == name]
        said = [
            value
            for one in rated
            for field, value in (one if isinstance(one, JsonMembers) else [("score", one)])
            if field == "score"
        ]
        if len(said) != 1:
            return TWO_VERDICTS if said else other_json(f"no score of {name!r}")
        if str(said[0]).strip().upper() == NOT_APPLICABLE:
            continue
        try:
            number = float(math.nan if isinstance(said[0], bool) else said[0])
        except OverflowError:  # whole numbers have no end in JSON, and floats have
            number = math.inf
        except (TypeError, ValueError):
            return other_json(f"the score of {name!r} is no number")
        checked = ONE_TO_FIVE.checked(number)
        if isinstance(checked, Unreadable):
            return checked
        scores[name] = checked
    return ONE_TO_FIVE.score(scores) if scores else Unreadable(reason="nothing applies")


def _mended(text: str) -> str:
    text = text.replace("```", "")
    text = re.sub(r"[\r\n\t]", " ", text[text.find("{") : text.rfind("}") + 1])
    text = _REASONED.sub(
        lambda found: '"reason": "' + found[1].replace('"', "'") + '", "score"', text
    )
    return _LONE_BACKSLASH.sub(r"\\\\", text)


NO_CLASS = Unreadable(reason="the reply names no class")


@reads("given")
def read_xstest_class(reply: Reply) -> Verdict:
    """The class that a reply begins with; it may be cut off behind it, and asks for 16 tokens."""
    begins = reply.text.strip().startswith
    return next((Label(name=one) for one in REFUSAL_CLASSES if begins(one)), NO_CLASS)


_CODAL = re.compile(r"\bRating:\s*(\d+)\b")
_CODAL_MEANT = re.compile(
    r"(?i)\brating\W{0,2}:[\s*]*+\[?+(\d{1,9}(?:\.\d{1,9})?+)(?!\d|\.\d)(?:\]?\s*/\s*(\d++))?"
)


@reads("whole")
def read_codal_rating(reply: Reply, *, upstream: bool = False) -> Verdict:
    """The rating from 1 to 10, however it is set off; several that differ are none.

    As ``upstream`` reads it: the first ``Rating:`` in that spelling counts, ``8.5`` is 8, and any
    whole number is a rating.
    """
    if upstream:
        found = _CODAL.search(reply.text)
        ratings = {float(found[1])} if found and len(found[1]) <= MAX_DIGITS else set()
    else:
        every = _CODAL_MEANT.findall(reply.text)
        ratings = {float(n) if of in ("", "10") else math.nan for n, of in every}
    value = next(iter(ratings), math.nan)
    if len(ratings) != 1 or not (upstream or 1 <= value <= 10):
        return NO_SCORE
    return Score(value=value, low=1.0, high=10.0)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads a reply into a verdict of one kind; ``version`` goes up when it reads otherwise.

    ``mends`` says of a reply that it is mended before it is read, which is counted.
    """

    verdict: Literal["score", "preference", "label"]
    read: Callable[[Reply], Verdict]
    version: int = 1
    mends: Callable[[Reply], bool] | None = None
    again_after: Unreadable | None = None
    """After which a judge is asked again, where a template says so; after all if None."""
    own: Callable[[Reply], Verdict] | None = None
    """Reads what is said to our own wording, where that is read more strictly."""


READERS: Mapping[str, Reader] = {
    "just_eval": Reader("score", partial(read_aspects, names=ASPECTS), mends=needs_repair),
    "just_eval_safety": Reader("score", partial(read_aspects, names=SAFETY), mends=needs_repair),
    "mt_bench_rating": Reader("score", read_mt_bench_rating, own=read_own_rating),
    "mt_bench_winner": Reader("preference", read_mt_bench_winner, own=read_own_winner),
    "arena_hard": Reader("preference", read_arena_hard, again_after=NO_LABEL),
    "arena_hard_v2": Reader("preference", read_arena_hard_v2),
    "xstest_class": Reader("label", read_xstest_class),
    "codal_rating": Reader("score", read_codal_rating),
    "codal_rating_upstream": Reader("score", partial(read_codal_rating, upstream=True)),
}
"""Those that a benchmark's templates may name."""


def _last_group(text: str) -> str:
    """From the first brace on the line of the text's last one, up to the first that closes it."""
    last = text.rfind("{")
    closing = text.find("}", last + 1) if last >= 0 else -1
    line = text.rfind("\n", 0, max(closing, 0)) + 1
    if closing < 0 or last < line:
        return ""
    return text[text.find("{", line) + 1 : closing]


def _pairs(group: str) -> list[tuple[str, str]]:
    """Names and digits: from any single quote to the next one that ends in a colon and a number."""
    found = []
    at = group.find("'")
    while at >= 0 and (value := _VALUE.search(group, at + 1)):
        found.append((group[at + 1 : value.start()], value[1]))
        at = group.find("'", value.end())
    return found
