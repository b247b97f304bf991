"""Readers that a suite describes: a field of JSON, a pattern, a word, brackets, a function.

A reply is data. It is searched where the suite says that the verdict stands, for a bounded time;
what says two things, or something that is none of the declared labels or off the scale, is
unreadable with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any, Final, TypeAlias

from judgebench import registry
from judgebench.dialogue import RETRACTION, no_verdict
from judgebench.errors import ConfigError
from judgebench.judges.readers.brackets import read_brackets
from judgebench.judges.readers.json import NOT_AN_OBJECT, TWO_VERDICTS, inside_fence
from judgebench.judges.readers.logprobs import Shares
from judgebench.judges.readers.scores import OVERALL, Scale, ScoreLines
from judgebench.judges.readers.words import Names
from judgebench.plain_text import printable
from judgebench.records import Label, Preference, Reply, Score, Unreadable, Verdict
from judgebench.secret import masked

PATTERN_S: Final = 1.0
"""Seconds of processor time that a pattern may take with one reply."""

SIDES: Final = ("first", "second", "tie")
BY_LETTER: Final = {"A": "first", "B": "second", "C": "tie", "tie": "tie"}
NO_VERDICT: Final = Unreadable(reason="no verdict")
TOO_SLOW: Final = Unreadable(reason=f"the pattern took more than {PATTERN_S:g} s with this reply")
TAKEN_BACK: Final = Unreadable(reason="a verdict that may have been taken back")

Find: TypeAlias = Callable[[Reply], Mapping[str, Any] | Unreadable]
"""What stands in a reply, by criterion."""

_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?\s*")
_STEP = re.compile(r"\.([^.\[\]]+)|\[([0-9]{1,6})\]|\[(?:'([^']+)'|\"([^\"]+)\")\]")
_BRACKETS = r"\[\[([^\[\]]+)\]\]"
_OPEN = r"[\s\"'“‘*_#`(\[{]*+"
_CLOSE = r"[\"'”’*_`)\]}]*+(?:[ \t]*+$|[.,:;!]|\s+[-–—])"
_ALONE = (r"^[ \t\"'“‘*_#`(\[{]*+", r"[\"'”’*_`)\]}.!]*+[ \t]*+$")
"""What may stand around a word on a line that says nothing else."""
_NAMES = Names(first="first", second="second", tie="tie")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictForm:
    """What a verdict can be: a ``score``, a ``label``, or a ``preference`` of one of two answers.

    ``words`` are what a reply may state, and what each of them says. Of several ``criteria``
    ``overall`` is the one that is the whole; if it is none, that is their mean.
    """

    verdict: str
    words: Mapping[str, str]
    scale: Scale
    criteria: tuple[str, ...] = ()
    overall: str | None = None

    def read(self, reply: Reply, find: Find) -> Verdict:
        """The verdict of a reply, whatever it holds."""
        found = no_verdict(reply) or find(reply)
        if isinstance(found, Unreadable):
            return found
        said = {name: self.verdict_of(one) for name, one in found.items()}
        if not self.criteria:
            return said[OVERALL]
        for name, one in said.items():
            if isinstance(one, Unreadable):
                return Unreadable(reason=f"{name}: {one.reason}")
        scores = {name: one.value for name, one in said.items() if isinstance(one, Score)}
        return self.scale.score(scores, str(self.overall))

    def verdict_of(self, found: Any) -> Verdict:
        """What a word, a number or the verdict of a function says; unreadable if it says none."""
        none_of = Unreadable(reason=f"none of {', '.join(self.words)}")
        match found:
            case Unreadable():
                return found
            case Score(value=value) if self.verdict == "score":
                checked = self.scale.checked(value)
                return checked if isinstance(checked, Unreadable) else found
            case Label(name=name) if self.verdict == "label":
                return found if name in self.words.values() else none_of
            case Preference(p_first=p) if self.verdict == "preference" and 0 <= p <= 1:
                return found
            case Score() | Label() | Preference():
                return Unreadable(reason=f"no {self.verdict}, which was declared")
        text = str(found).strip()
        if self.verdict == "score":
            if isinstance(found, bool) or not (
                isinstance(found, int | float) or _NUMBER.fullmatch(text)
            ):
                return Unreadable(reason="no number where the score should stand")
            checked = self.scale.checked(float(found) if isinstance(found, str) else found)
            if isinstance(checked, Unreadable):
                return checked
            return self.scale.score({OVERALL: checked})
        # Of single letters the case counts: "a" begins many a reply that says no A.
        folded = {word.casefold(): said for word, said in self.words.items() if len(word) > 1}
        said = self.words.get(text) or folded.get(text.casefold())
        if said is None or found is None:  # null in JSON is not the word "None"
            return none_of
        return Label(name=said) if self.verdict == "label" else _NAMES.preference(said)

    def likeliest(self, shares: Shares) -> Verdict:
        """The verdict by the share of probability that each word, or number, has."""
        if self.verdict == "score":
            return self.scale.soft_score(shares)
        p_of = dict.fromkeys(SIDES if self.verdict == "preference" else self.words.values(), 0.0)
        for word, share in shares.items():
            p_of[self.words[word]] += share
        if self.verdict == "preference":
            return _NAMES.soft_preference(p_of)
        name = max(p_of, key=p_of.__getitem__)
        return Label(name=name, p=p_of[name])


QUOTED = 20
"""From so many characters on, what a reply has in common with an answer is repeated from it."""


def own_words(reply: Reply, answers: Sequence[str]) -> Reply:
    """A reply without the answers that it repeats word for word: what they state is no verdict.

    >>> own_words(Reply(text="It says: My score is [[10]]. No: 2."), ["My score is [[10]]."]).text
    'It says: My score is [[10]]. No: 2.'
    >>> own_words(Reply(text="It says: The score is [[10]]. No."), ["The score is [[10]]."]).text
    'It says:  No.'
    """
    text = reply.text
    for answer in (one.strip() for one in answers):
        if len(answer) >= QUOTED:
            text = text.replace(answer, "")
    return reply if text == reply.text else replace(reply, text=text)


def finder(how: str, given: Any, form: VerdictForm) -> Find:
    """What finds the verdict in a reply, as a suite says: ``read: {HOW: GIVEN}``, or ``read: HOW``.

    Raises
    ------
    ConfigError
        For a path, a pattern or a function that cannot be used.
    """
    each = given if isinstance(given, Mapping) else {OVERALL: given}
    if how == "json":
        return partial(_in_json, paths={name: json_path(path) for name, path in each.items()})
    if how == "python":
        function = registry.function(given, "readers")
        return lambda reply: {OVERALL: call_safely(function, reply)}
    if how == "first_word":
        return partial(_first_word, words=form.words)
    if how == "score":
        return ScoreLines(names=form.criteria or (OVERALL,), scale=form.scale).read
    if how == "brackets" and form.words is BY_LETTER:
        return lambda reply: {OVERALL: read_brackets(reply, ties=True)}
    searches = {name: pattern(one or _BRACKETS) for name, one in each.items()}
    return lambda reply: {name: search(reply.text) for name, search in searches.items()}


def _in_json(
    reply: Reply, paths: Mapping[str, tuple[str | int, ...]]
) -> Mapping[str, Any] | Unreadable:
    """The fields of a reply that is JSON and nothing else, perhaps within a code fence."""
    try:
        document = json.loads(inside_fence(reply.text), object_pairs_hook=_each_once)
    except _TwiceError:
        return TWO_VERDICTS
    except (ValueError, RecursionError):
        return NOT_AN_OBJECT
    return {name: reduce(_step, way, document) for name, way in paths.items()}


def _step(document: Any, step: str | int) -> Any:
    if isinstance(document, Unreadable):
        return document
    there = dict(enumerate(document)) if isinstance(document, list) else document
    known = isinstance(there, dict) and step in there
    return there[step] if known else Unreadable(reason=f"no {step!r} in the JSON")


class _TwiceError(Exception):
    """A name stands twice in an object: nobody can say which value is meant."""


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(members)) < len(members):
        raise _TwiceError
    return found


def json_path(path: str) -> tuple[str | int, ...]:
    """The steps of a path such as ``$.ratings[0].score`` or ``$['a name']``.

    Raises
    ------
    ConfigError
        For what is no such path.
    """
    steps = list(_STEP.finditer(path))
    if path != "$" + "".join(step[0] for step in steps):
        raise ConfigError(f"{path!r} is no path of a field: one looks like $.score or $.ratings[0]")
    return tuple(int(s[2]) if s[2] else s[1] or s[3] or s[4] for s in steps)


def pattern(text: str) -> Callable[[str], str | Unreadable]:
    """What the one group of a pattern finds in a reply, the same wherever it finds it.

    Raises
    ------
    ConfigError
        For what is no pattern, or one that has not one group.
    """
    import regex  # it can be interrupted, and re cannot

    try:
        compiled = regex.compile(text)
    except regex.error as error:
        raise ConfigError(f"the pattern {text!r} cannot be used: {error}") from None
    if compiled.groups != 1:
        raise ConfigError(
            f"the pattern {text!r} has {compiled.groups} groups, and what one group finds is the "
            "verdict: write (…) around it, and (?:…) around what is not"
        )

    def search(reply: str) -> str | Unreadable:
        try:
            found = {one.strip() for one in compiled.findall(reply, timeout=PATTERN_S)} - {""}
        except TimeoutError:
            return TOO_SLOW
        return found.pop() if len(found) == 1 else TWO_VERDICTS if found else NO_VERDICT

    return search


def _first_word(reply: Reply, words: Mapping[str, str]) -> Mapping[str, Any] | Unreadable:
    """The word that a reply begins with, where nothing but a reason follows."""
    spelt = {w: f"(?i:{re.escape(w)})" if len(w) > 1 else re.escape(w) for w in words}
    longest_first = "|".join(spelt[word] for word in sorted(words, key=len, reverse=True))
    found = re.match(f"{_OPEN}({longest_first}){_CLOSE}", text := reply.text.lstrip(), re.M)
    if found is None:
        return NO_VERDICT
    others = "|".join(spelt[word] for word in words if word.casefold() != found[1].casefold())
    rest = text[found.end() :]
    if others and re.search(f"(?:{others})".join(_ALONE), rest, re.M):
        return TWO_VERDICTS
    back = others and RETRACTION.search(rest) and re.search(rf"(?<!\w)(?:{others})(?!\w)", rest)
    return TAKEN_BACK if back else {OVERALL: found[1]}


def call_safely(function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What a user's function returns; what it raises makes the verdict unreadable, not the run."""
    try:
        found = function(*given, **named)
        if getattr(found, "shape", None) == ():  # NumPy's numbers and truths, and PyTorch's
            found = found.item()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason
        name = getattr(function, "__name__", type(function).__name__)
        said = printable(f"{name} raised {_in_words(error)}")
        return Unreadable(reason=masked(said)[:200])  # first: of half a key little would be known
    return NO_VERDICT if found is None else found


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
