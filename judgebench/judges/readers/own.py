"""Readers that a suite describes: a field of JSON, a pattern, a word, brackets, a function.

A reply is data. It is searched where the suite says that the verdict stands, for a bounded time;
what says two things, or something that is none of the declared labels or off the scale, is
unreadable with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from judgebench import registry
from judgebench.config import OwnPrompt
from judgebench.errors import ConfigError
from judgebench.judges.readers.brackets import read_brackets
from judgebench.judges.readers.json import NOT_AN_OBJECT, TWO_VERDICTS, inside_fence
from judgebench.judges.readers.logprobs import first_token_shares
from judgebench.judges.readers.replies import RETRACTION, no_verdict
from judgebench.judges.readers.scores import OVERALL, Scale, ScoreLines
from judgebench.judges.readers.words import Names
from judgebench.plain_text import printable
from judgebench.records import Label, Preference, Reply, Score, Unreadable, Verdict
from judgebench.secret import masked

READER_VERSION = "1"

PATTERN_S = 1.0
"""Seconds of processor time that a pattern may take with one reply."""

MAX_POINTS = 11
"""Of a scale that is read from log-probabilities: all of it should be among the tokens listed."""

MEAN = "mean"
"""What is said of several criteria of which none is the whole."""

SIDES = ("first", "second", "tie")
BY_LETTER = {"A": "first", "B": "second", "C": "tie", "tie": "tie"}
NO_VERDICT = Unreadable(reason="no verdict")
TOO_SLOW = Unreadable(reason=f"the pattern took more than {PATTERN_S:g} s with this reply")

Found: TypeAlias = Mapping[str, Any] | Unreadable
Find: TypeAlias = Callable[[Reply], Found]

_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?")
_STEP = re.compile(r"\.([^.\[\]]+)|\[([0-9]{1,6})\]|\[(?:'([^']+)'|\"([^\"]+)\")\]")
_BRACKETS = r"\[\[([^\[\]]+)\]\]"
_OPEN = r"[\s\"'“‘*_#`(\[{]*+"
_CLOSE = r"[\"'”’*_`)\]}]*+(?:[ \t]*+$|[.,:;!]|\s+[-–—])"
_NAMES = Names(first="first", second="second", tie="tie")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReader:
    """Reads a verdict as a suite declares it.

    ``words`` are what a reply may state, and what each of them says. ``find`` is how what is stated
    is found, by criterion; ``overall`` is the criterion that is the whole, if none is their mean.
    """

    verdict: str
    words: Mapping[str, str]
    scale: Scale
    find: Find | None
    criteria: tuple[str, ...] = ()
    overall: str | None = None

    def __call__(self, reply: Reply) -> Verdict:
        """The verdict of a reply, whatever it holds; without ``find`` how it was about to begin."""
        if self.find is None:
            return self.likeliest(reply)
        if reason := no_verdict(reply):
            return reason
        found = self.find(reply)
        if isinstance(found, Unreadable):
            return found
        if not self.criteria:
            return self.stated(found[OVERALL])
        scores: dict[str, float] = {}
        for name in self.criteria:
            one = self.stated(found[name])
            if not isinstance(one, Score):
                said = one.reason if isinstance(one, Unreadable) else "no score"
                return Unreadable(reason=f"{name}: {said}")
            scores[OVERALL if name == self.overall else name] = one.value
        return self.scale.score(scores)

    def stated(self, found: Any) -> Verdict:
        """What a word, a number or the verdict of a function says; unreadable if it says none."""
        match found:
            case Unreadable():
                return found
            case Score(value=value) if self.verdict == "score":
                checked = self.scale.checked(value)
                return checked if isinstance(checked, Unreadable) else found
            case Label(name=name) if self.verdict == "label":
                return found if name in self.words.values() else self._none_of()
            case Preference(p_first=p) if self.verdict == "preference" and 0 <= p <= 1:
                return found
            case Score() | Label() | Preference():
                return Unreadable(reason=f"no {self.verdict}, which was declared")
        if self.verdict == "score":
            number = _number(found)
            if number is None:
                return Unreadable(reason="no number where the score should stand")
            checked = self.scale.checked(number)
            return checked if isinstance(checked, Unreadable) else self._score(checked)
        said = self._said(str(found).strip())
        if said is None:
            return self._none_of()
        return Label(name=said) if self.verdict == "label" else _NAMES.preference(said)

    def likeliest(self, reply: Reply) -> Verdict:
        """The verdict by the log-probabilities of the first token."""
        scored = self.verdict == "score"
        shares = first_token_shares(reply, tuple(self.scale.points if scored else self.words))
        if isinstance(shares, Unreadable):
            return shares
        if scored:
            return self._score(self.scale.expected(shares))
        by_saying = dict.fromkeys(SIDES if self.verdict == "preference" else (), 0.0)
        for word, share in shares.items():
            by_saying[self.words[word]] = by_saying.get(self.words[word], 0.0) + share
        if self.verdict == "preference":
            return _NAMES.soft_preference(by_saying)
        name = max(by_saying, key=by_saying.__getitem__)
        return Label(name=name, p=by_saying[name])

    def _said(self, text: str) -> str | None:
        """Of single letters the case counts: ``a`` begins many a reply that says no A."""
        folded = {word.casefold(): said for word, said in self.words.items() if len(word) > 1}
        return self.words.get(text) or folded.get(text.casefold())

    def _score(self, value: float) -> Score:
        return self.scale.score({OVERALL: value})

    def _none_of(self) -> Unreadable:
        return Unreadable(reason=f"none of {', '.join(self.words)}")


def own_reader(options: OwnPrompt, verdict: str, scale: Scale) -> OwnReader:
    """The reader that a suite describes.

    Raises
    ------
    ConfigError
        For a path, a pattern or a function that cannot be used, labels that say nothing, and
        criteria without a whole.
    """
    how, given = reading(options)
    words = _words(verdict, given if how == "first_word" and given else options.labels)
    criteria = tuple(given) if how in _EACH and given and not isinstance(given, str) else ()
    if criteria and (verdict != "score" or options.overall not in (*criteria, MEAN)):
        raise ConfigError(
            "several criteria are scores, of which one is the whole, or their mean: say 'verdict: "
            f"score' and 'overall: {MEAN}', or 'overall' with the name of one of "
            f"{', '.join(criteria)}"
        )
    if options.overall and not criteria:
        raise ConfigError(f"'overall: {options.overall}' is for several criteria; remove it")
    if how == "logprobs" and verdict == "score" and not _few_points(scale):
        raise ConfigError(
            f"log-probabilities need a scale of at most {MAX_POINTS} whole numbers from 0 upwards, "
            f"not {scale.low:g} to {scale.high:g}"
        )
    if how == "score" and verdict != "score":
        raise ConfigError(f"'read: score' reads scores, and the verdict is a {verdict}")
    return OwnReader(
        verdict=verdict,
        words=words,
        scale=scale,
        find=FINDERS[how](given, words, scale),
        criteria=criteria,
        overall=options.overall,
    )


def reading(options: OwnPrompt) -> tuple[str, Any]:
    """How a reply is read, and what the suite says of it beside.

    Raises
    ------
    ConfigError
        Where it does not say.
    """
    if options.read is None:
        raise ConfigError(f"say how its replies are read: 'read' with one of {', '.join(FINDERS)}")
    if isinstance(options.read, str):
        return options.read, None
    ((how, given),) = options.read.model_dump(by_alias=True, exclude_unset=True).items()
    return how, given


def _words(verdict: str, said: Any) -> Mapping[str, str]:
    words = dict(said) if isinstance(said, Mapping) else {word: word for word in said or ()}
    if verdict == "score":
        if words:
            raise ConfigError("'labels' are what no score says; remove them, or say 'verdict'")
        return words
    if verdict == "label" and not words:
        raise ConfigError("a verdict that is a label needs its 'labels'")
    words = words or BY_LETTER
    if verdict == "preference" and not {*SIDES[:2]} <= {*words.values()} <= {*SIDES}:
        raise ConfigError(
            "which word says what: 'labels' of a preference are such as {A: first, B: second, "
            "C: tie}"
        )
    return words


def _few_points(scale: Scale) -> bool:
    whole = scale.low == int(scale.low) and scale.high == int(scale.high)
    return whole and scale.low >= 0 and scale.high - scale.low < MAX_POINTS


def _named(given: str | Mapping[str, str]) -> Mapping[str, str]:
    return {OVERALL: given} if isinstance(given, str) else given


def _number(found: Any) -> float | None:
    """A number, or the text of one; None for what is neither."""
    if isinstance(found, str):
        return float(found) if _NUMBER.fullmatch(found.strip()) else None
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


# where a verdict stands --------------------------------------------------------------------------


def _in_json(paths: str | Mapping[str, str], *_: object) -> Find:
    steps = {name: json_path(path) for name, path in _named(paths).items()}

    def find(reply: Reply) -> Found:
        document = json_value(reply.text)
        if isinstance(document, Unreadable):
            return document
        return {name: _at(document, way) for name, way in steps.items()}

    return find


def _at(document: Any, way: Sequence[str | int]) -> Any:
    for step in way:
        listed = dict(enumerate(document)) if isinstance(document, list) else document
        if not isinstance(listed, dict) or step not in listed:
            return Unreadable(reason=f"no {step!r} in the JSON")
        document = listed[step]
    return document


def json_value(text: str) -> Any:
    """What a reply holds that is JSON and nothing else, perhaps within a code fence.

    A name that stands twice in one object is unreadable: nobody can say which value is meant.
    """
    try:
        return json.loads(inside_fence(text), object_pairs_hook=_each_once)
    except _TwiceError:
        return TWO_VERDICTS
    except (ValueError, RecursionError):
        return NOT_AN_OBJECT


class _TwiceError(Exception):
    """A name stands twice in an object."""


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
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


def _by_pattern(patterns: str | Mapping[str, str], *_: object) -> Find:
    searches = {name: pattern(one) for name, one in _named(patterns).items()}
    return lambda reply: {name: search(reply.text) for name, search in searches.items()}


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


def _in_brackets(_: None, words: Mapping[str, str], *__: object) -> Find:
    if words is BY_LETTER:
        return lambda reply: {OVERALL: read_brackets(reply, ties=True)}
    return _by_pattern(_BRACKETS)


def _first_word(_: object, words: Mapping[str, str], *__: object) -> Find:
    longest_first = sorted(words, key=len, reverse=True)
    start = re.compile(f"{_OPEN}(?P<word>{'|'.join(map(_spelt, longest_first))}){_CLOSE}", re.M)

    def find(reply: Reply) -> Found:
        text = reply.text.lstrip()
        found = start.match(text)
        if found is None:
            return NO_VERDICT
        rest = text[found.end() :]
        if RETRACTION.search(rest):
            others = (w for w, said in words.items() if said != words.get(found["word"]))
            if any(re.search(rf"(?<!\w){_spelt(word)}(?!\w)", rest) for word in others):
                return Unreadable(reason="a verdict that may have been taken back")
        return {OVERALL: found["word"]}

    return find


def _spelt(word: str) -> str:
    return f"(?i:{re.escape(word)})" if len(word) > 1 else re.escape(word)


def _score_lines(criteria: Sequence[str] | None, _: object, scale: Scale) -> Find:
    return ScoreLines(names=tuple(criteria or (OVERALL,)), scale=scale).read


def _by_function(named: str, *_: object) -> Find:
    function = registry.function(named, "readers")
    return lambda reply: {OVERALL: returned(function, reply)}


def returned(function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What a user's function returns; what it raises makes the verdict unreadable, not the run."""
    try:
        found = function(*given, **named)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason
        said = printable(f"{function.__name__} raised {type(error).__name__}: {error}")
        return Unreadable(reason=masked(said[:200].rstrip(": ")))
    return NO_VERDICT if found is None else found


_EACH = frozenset({"json", "regex", "score"})
"""The ways in which several criteria are read."""

FINDERS: Mapping[str, Callable[..., Find | None]] = {
    "json": _in_json,
    "regex": _by_pattern,
    "first_word": _first_word,
    "brackets": _in_brackets,
    "score": _score_lines,
    "logprobs": lambda *_: None,
    "python": _by_function,
}
