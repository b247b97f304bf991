"""Keys that can be carried about and sent, and never shown.

A value is masked wherever it comes back from outside, by what it is and not by what a key looks
like: every `Secret` that was made in this process is known to `masked`, in the encodings in which
servers and models repeat one.
"""

from __future__ import annotations

import base64
import html
import json
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from itertools import islice
from typing import NoReturn
from urllib.parse import quote, quote_plus, unquote, urlsplit

from judgebench.errors import ConfigError

SHORTEST = 16
"""Characters of a value that is masked in texts; a shorter one stands in ordinary ones too."""

MASKED = "***"
_SHORT = 6
_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_HOSTS = ("_HOST", "_PORT", "_ADDR")
_FILES = ("_PATH", "_FILE", "_DIR", "_HOME")
"""Ends of names that say where a key is, and are none."""

_HEADERS = "_CUSTOM_HEADERS"  # what the official clients send besides, one "name: value" a line
_LOOKS_SECRET = re.compile(
    r"\b(?:sk|pk|rk|hf|gsk|xai|key)[-_][A-Za-z0-9_-]{12,}"
    r"|\bAIza[A-Za-z0-9_-]{20,}"
    r"|(?<=Bearer )\S+",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"(?:Bearer|Basic|Token|ApiKey)\s+", re.IGNORECASE)
_JWT = re.compile(r"eyJ[\w-]*\.([\w-]+)\.([\w-]*)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[^/?#\s]*)(?P<rest>[/?#]\S*)?")
_PART = re.compile(r"[^/?&=#;]+")

Span = tuple[int, int]


class Secret:
    """A text that shows as ``***`` wherever it is printed, formatted, logged or pickled.

    >>> key = Secret("sk-0123456789")
    >>> f"{key} {key!r} {[key]}"
    '*** Secret(***) [Secret(***)]'
    """

    __slots__ = ("_text", "variable")

    def __init__(self, text: str, *, variable: str | None = None) -> None:
        self._text = text
        self.variable = variable
        """The environment variable it came from, where that is known; for messages."""
        _KNOWN.add(text)

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASKED})"

    def __str__(self) -> str:
        return MASKED

    def __format__(self, spec: str) -> str:
        return format(MASKED, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled; hand it over by an environment variable")


def masked(text: str) -> str:
    """The text without the value of any `Secret` of this process.

    Masked are `SHORTEST` or more characters in a row of a value, so that one that was cut off is
    found too: as it is, escaped as in addresses, JSON and HTML (also twice over), in base64 and in
    hexadecimal; and what is left of it around a run of asterisks or dots, where that is eight
    characters or more. Nothing else changes: no value below `SHORTEST`, and nothing that only looks
    like a key.
    """
    if not _KNOWN.marks:
        return text
    return _without(text, _KNOWN.within(text))


def _without(text: str, spans: Iterable[Span]) -> str:
    kept, at = [], 0
    for start, end in _joined(spans):
        kept += [text[at:start], MASKED]
        at = end
    return "".join([*kept, text[at:]]) if kept else text


def masked_tokens(tokens: Iterable[str]) -> list[bool]:
    """Whether each token of a text is part of a secret: none of them need be one by itself.

    >>> key = Secret("planted-in-a-doctest")
    >>> masked_tokens(["It is ", "planted-", "in-a-", "doctest", "."])
    [False, True, True, True, False]
    """
    tokens = list(tokens)
    spans = _KNOWN.within("".join(tokens))
    hidden, at = [], 0
    for token in tokens:
        end = at + len(token)
        hidden.append(any(start < end and at < stop for start, stop in spans))
        at = end
    return hidden


def redact(text: str, secrets: Iterable[Secret | None] = ()) -> str:
    """For our own messages: `masked`, without these secrets however short, and without anything
    that looks like a key.

    >>> redact("Incorrect API key provided: sk-abcdefghijklmnop.")
    'Incorrect API key provided: ***.'
    """
    # All of them are found in the text as it came: what one hides may be the end of another.
    spans = [*_KNOWN.within(text), *(found.span() for found in _LOOKS_SECRET.finditer(text))]
    for secret in secrets:
        if secret is not None and secret.reveal():
            spans += [one.span() for one in re.finditer(re.escape(secret.reveal()), text)]
    return _without(text, spans)


def secrets_of(environment: Mapping[str, str]) -> list[Secret]:
    """What is secret of an environment: by its names, and the passwords of its addresses.

    A child process or a server may repeat it. The short ones are for what such a process says last;
    the others are known to `masked` from here on.
    """
    values = []
    for name, value in environment.items():
        if name.endswith(_HEADERS):
            values += [line.partition(":")[2].strip() for line in value.splitlines()]
        elif any(word in name.upper() for word in _NAMES):
            where = _FILES if value.startswith(("/", "~", ".")) else _HOSTS
            values += [] if name.upper().endswith(where) else [value]
        elif "@" in value:
            parts = secret_parts(value, only_user_information=True)
            values += [value[start:end] for start, end in parts]
    return [Secret(value) for value in values if len(value) >= _SHORT]


def secret_parts(address: str, *, only_user_information: bool = False) -> list[Span]:
    """Where an address may hold what opens a door: user information, path and query.

    Each part by itself, as (start, end). Host and port are none.

    >>> address = "https://user:word@host:80/v1/tenant?key=value"
    >>> [address[start:end] for start, end in secret_parts(address)]
    ['user', 'word', 'v1', 'tenant', 'key', 'value']
    """
    found = []
    for match in _ADDRESS.finditer(address):
        user, at, _ = match["host"].rpartition("@")
        begin = match.start("host")
        name, colon, _ = user.partition(":")
        found += [(begin, begin + len(name))] if at else []
        found += [(begin + len(name) + 1, begin + len(user))] if colon else []
        if not only_user_information and match["rest"]:
            found += [part.span() for part in _PART.finditer(address, *match.span("rest"))]
    return found


# Addresses of servers ---------------------------------------------------------------------------


def checked_base_url(text: str) -> str:
    """An address without credentials.

    Raises
    ------
    ConfigError
        For one that is no http address or holds a password or a query; it is not repeated, since
        it may hold a key.
    """
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        url, host = urlsplit(""), None
    if url.username is not None or url.password is not None:
        raise ConfigError(
            f"base_url for {host} holds a user name or password; send a key as api_key: ${{NAME}}"
        )
    if url.scheme not in {"http", "https"} or not host:
        raise ConfigError("base_url must be a full address such as http://127.0.0.1:8000/v1")
    if url.query or url.fragment:
        raise ConfigError(
            f"base_url for {host} ends in a query; remove '?' or '#' and what follows"
        )
    return text.rstrip("/")


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine and cannot be reached from another one.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "", None)]
    [True, True, True, False, False, False]
    """
    if host is None or host == "localhost":
        return host is not None
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name, which whoever answers for it may point elsewhere
        return False


# How a value may stand in a text ----------------------------------------------------------------

_MARK = 8
_STEP = SHORTEST - _MARK + 1
"""Of `SHORTEST` characters in a row, a multiple of this begins `_MARK` that are among them."""

_LONG_WORD = re.compile(rf"\S{{{SHORTEST},}}")
_DEEPEST = 3  # how often a text is escaped: JSON in JSON in an address
_ESCAPED = re.compile(
    r"(?=[%\\&])(?:%([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})|\\([\"'\\/])"
    r"|(&(?:#[0-9]{1,5}|#[xX][0-9A-Fa-f]{1,4}|amp|lt|gt|quot|apos);))"
)
_HIDDEN = re.compile(r"(?=[*….•●·█▪xX#])(?:\*{3,}|…+|\.{3,}|[•●·█▪]{2,}|[xX]{4,}|#{3,})[\])>}]?")
_LEFT_OUT = re.compile(r"[\[(<{](?i:redacted|hidden|masked|removed|omitted|truncated|snip)[\])>}]")
_ESCAPES = ("%", "&", "\\u", "\\x", '\\"', "\\'", "\\\\", "\\/")
_HIDES = ("***", "…", "...", "••", "●●", "··", "██", "▪▪", "xxx", "XXX", "xX", "Xx", "###")
"""What texts hold in which escapes or runs are: most hold nothing of it, and are not searched."""

_FEWEST = 8
_LONGEST_END = 32
_MOST_RUNS = 10_000  # a text of nothing else must not take minutes
_OF_A_MAKER = re.compile(
    r"(?:sk|pk|rk|hf|gsk|xai|key|glpat|gh[pousr]|github_pat)[-_]"
    r"(?:proj-|svcacct-|admin-|ant-(?:api|admin)\d\d-|or-v1-|live_|test_)?|AIza"
)
"""How all keys of a maker begin: to show that much shows nothing."""


class _Known:
    """Every secret of this process."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._runs: set[str] = set()
        self.marks: set[str] = set()
        self._unbroken = True
        self._heads: dict[str, set[int]] = {}
        self._tails: dict[str, set[int]] = {}

    def add(self, value: str) -> None:
        """A value, or what of it is secret where it has parts that are not."""
        if value in self._values:
            return
        self._values.add(value)
        for number, piece in enumerate(_pieces(value), start=len(self._values) << 16):
            for form in _forms(piece):
                self._runs.update(_every(form, SHORTEST))
                self.marks.update(_every(form, _MARK))
                self._unbroken = self._unbroken and not re.search(r"\s", form)
            for length in range(2, min(_LONGEST_END, len(piece)) + 1):
                self._heads.setdefault(piece[:length], set()).add(number)
                self._tails.setdefault(piece[-length:], set()).add(number)

    def within(self, text: str) -> list[Span]:
        """Where secrets stand in a text."""
        if not self.marks:
            return []
        found, layers, layer = [], list[str](), text
        for _ in range(_DEEPEST):
            spans = [*self._runs_in(layer), *self._ends_in(layer)]
            for above in reversed(layers):
                spans = _before(above, spans)
            found += spans
            if not _holds(layer, _ESCAPES):
                break
            layers.append(layer)
            layer = _ESCAPED.sub(_meant, layer)
            if layer == layers[-1]:
                break
        return found

    def _runs_in(self, text: str) -> Iterator[Span]:
        # Few words are as long as a secret: where none of them has a space, all else is passed by.
        places: Iterable[Span] = ((0, len(text)),)
        if self._unbroken:
            places = (word.span() for word in _LONG_WORD.finditer(text))
        for start, end in places:
            marks = (text[at : at + _MARK] for at in range(start, end - _MARK + 1, _STEP))
            if self.marks.isdisjoint(marks):
                continue
            for at in range(start, end - SHORTEST + 1):
                if text[at : at + SHORTEST] in self._runs:
                    yield at, at + SHORTEST

    def _ends_in(self, text: str) -> Iterator[Span]:
        """Both ends of a secret around a run of asterisks, or a long one beside it."""
        runs = islice(_HIDDEN.finditer(text), _MOST_RUNS) if _holds(text, _HIDES) else ()
        for match in (*runs, *islice(_LEFT_OUT.finditer(text), _MOST_RUNS)):
            before = text[max(0, match.start() - _LONGEST_END - 2) : match.start()].rstrip(
                " \t\n[(<{"
            )
            after = text[match.end() : match.end() + _LONGEST_END + 2].lstrip()
            head = _longest((before[-n:] for n in _lengths(before)), self._heads)
            tail = _longest((after[:n] for n in _lengths(after)), self._tails)
            both = not self._heads.get(head, _NOBODY).isdisjoint(self._tails.get(tail, _NOBODY))
            enough = both and len(head) + len(tail) >= _FEWEST
            maker = _OF_A_MAKER.match(head)
            own = len(head) - (0 if maker is None else maker.end())
            start, end = match.span()
            if enough or own >= _FEWEST:
                start = text.rindex(head, 0, start)
            if enough or len(tail) >= _FEWEST:
                end = text.index(tail, end) + len(tail)
            if (start, end) != match.span():
                yield start, end


_NOBODY: frozenset[int] = frozenset()


def _holds(text: str, any_of: Iterable[str]) -> bool:
    return any(part in text for part in any_of)


def _lengths(text: str) -> range:
    return range(min(len(text), _LONGEST_END), 1, -1)


def _longest(ends: Iterable[str], known: Mapping[str, object]) -> str:
    return next((end for end in ends if end in known), "")


def _every(text: str, length: int) -> Iterator[str]:
    return (text[at : at + length] for at in range(len(text) - length + 1))


def _pieces(value: str) -> list[str]:
    """What of a value is secret: neither that it is a certificate, nor whose host it names."""
    value = _SCHEME.sub("", value.strip(), count=1) if _SCHEME.match(value) else value.strip()
    lines = [line for line in re.split(r"\\n|\s*\n", value) if not line.startswith("-----")]
    token = _JWT.fullmatch(value)
    parts: list[str]
    if value.startswith("{") and (inside := _texts(value)):
        parts = [piece for text in inside for piece in _pieces(text)]
    elif "://" in value:
        parts = [value[start:end] for start, end in secret_parts(value)]
        parts += [unquote(part) for part in parts]
    elif token is not None:
        parts = list(token.groups())
    else:
        parts = lines
    return [part for part in dict.fromkeys(parts) if len(part) >= SHORTEST]


def _texts(value: str) -> list[str]:
    """The texts in a JSON object; nothing where it is none."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return []
    return [text for text in found.values() if isinstance(text, str)]


def _forms(value: str) -> Iterator[str]:
    """A value as it is and as texts carry it that cannot be read letter by letter."""
    data = value.encode("utf-8", "surrogatepass")
    yield value
    yield data.hex()
    yield data.hex().upper()
    for before in range(3):  # where in a group of three bytes it begins, as after "Bearer "
        sure = (before + len(data)) * 8 // 6
        coded = base64.b64encode(b"\0" * before + data).decode()[(0, 2, 3)[before] : sure]
        yield coded
        yield coded.replace("+", "-").replace("/", "_")
    if not value.isascii() or " " in value:
        quoted = quote(value, safe="", errors="surrogatepass")
        yield quoted
        yield re.sub("%..", lambda match: match[0].lower(), quoted)
        yield quote_plus(value, errors="surrogatepass")


def _meant(escape: re.Match[str]) -> str:
    percent, four, two, itself, entity = escape.groups()
    if itself or entity:
        return itself or html.unescape(entity)[:1] or "\ufffd"
    return chr(int(percent or four or two, 16))


def _before(text: str, spans: Iterable[Span]) -> list[Span]:
    """Where in a text those are that were found once its escapes, a letter each, were read."""
    spans = list(spans)
    if not spans:
        return []
    begins, ends, letters = array("q"), array("q"), array("q")
    shorter = 0
    for escape in _ESCAPED.finditer(text):
        begins.append(escape.start())
        ends.append(escape.end())
        letters.append(escape.start() - shorter)
        shorter += escape.end() - escape.start() - 1

    def place(at: int) -> int:
        n = bisect_right(letters, at) - 1
        if n < 0:
            return at
        return begins[n] if at == letters[n] else ends[n] + at - letters[n] - 1

    return [(place(start), place(end)) for start, end in spans]


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """The same without overlaps, in order."""
    begin = end = -1
    for start, stop in sorted(spans):
        if start > end:
            if end > begin:
                yield begin, end
            begin, end = start, stop
        end = max(end, stop)
    if end > begin:
        yield begin, end


_KNOWN = _Known()
