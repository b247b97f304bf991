"""Prompt texts with named placeholders, filled in one pass.

A placeholder is ``{name}``; every other brace is text. Values are put in once and never looked at
again, so that braces, ``$``, backslashes or another placeholder's name inside a question or an
answer stay what they are.

What is put in is data, and cannot pretend to end: each text of a case stands between two lines that
carry a code. The code is chosen after the texts are known, so that none of them can hold it, and
from nothing but the texts, so that the same case is always asked in the same words. It comes after
the constant part of a prompt, which providers cache.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from judgebench.errors import ConfigError
from judgebench.keys import text_sha
from judgebench.records import Case, Message, Response

MOST_OPTIONS = len(ascii_uppercase)

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptText:
    """A prompt, known by the SHA-256 of its text.

    ``official`` says that this hash stands in the benchmark's description as an official one.
    """

    name: str
    text: str
    official: bool = False

    @property
    def sha(self) -> str:
        return text_sha(self.text)

    @property
    def placeholders(self) -> frozenset[str]:
        return frozenset(PLACEHOLDER.findall(self.text))


def fill(prompt: PromptText, values: Mapping[str, str]) -> str:
    """The text with every placeholder filled; values that have no placeholder are left over.

    Raises
    ------
    ConfigError
        For a placeholder without a value.
    """
    filled = PLACEHOLDER.split(prompt.text)
    if unknown := {*filled[1::2]} - values.keys():
        raise unfilled(prompt, unknown, values)
    filled[1::2] = [values[placeholder] for placeholder in filled[1::2]]
    return "".join(filled)


def unfilled(
    prompt: PromptText, unknown: Collection[str], values: Mapping[str, str]
) -> ConfigError:
    """The error for placeholders that nothing fills."""
    return ConfigError(
        f"prompt {prompt.name}: nothing fills {{{'}, {'.join(sorted(unknown))}}}; "
        f"known placeholders: {{{'}, {'.join(sorted(values))}}}"
    )


# Options by their letters: ``A`` for the first one, as prompts show them and replies name them ----


def letters(n_options: int) -> str:
    """The letters of so many options, in order.

    Raises
    ------
    ValueError
        For no options, or more than there are letters.
    """
    if not 1 <= n_options <= MOST_OPTIONS:
        raise ValueError(f"1 to {MOST_OPTIONS} options have letters, not {n_options}")
    return ascii_uppercase[:n_options]


def lettered(options: Sequence[str]) -> str:
    """The options as a prompt shows them: one on a line, ``A. `` before the first."""
    pairs = zip(letters(len(options)), options, strict=True)
    return "\n".join(_line(letter, option) for letter, option in pairs)


def reference_to(options: Sequence[str], index: int) -> str:
    """What says which option is right: its text, or where that is not clear, its line.

    Two options may have the same text; then the one with this index is the right one, and its line
    (``B. text``) tells it from the other.
    """
    letter, text = letters(len(options))[index], options[index]
    return text if right_letter(options, [text]) == letter else _line(letter, text)


def right_letter(options: Sequence[str], references: Sequence[str]) -> str | None:
    """The letter of the option that references name; None where they name none, or several.

    A reference names the option whose text it is, or whose line (``B. text``). Of more options than
    there are letters none is named.
    """
    if len(options) > MOST_OPTIONS:
        return None
    named = {
        letter
        for letter, option in zip(ascii_uppercase, options, strict=False)
        if option in references or _line(letter, option) in references
    }
    return named.pop() if len(named) == 1 else None


def _line(letter: str, option: str) -> str:
    return f"{letter}. {option}"


# Where a text begins and ends in a prompt ---------------------------------------------------------

CODE_DIGITS = 6

CODED = rf"[\s`*<\[(]*+(?P<code>[0-9a-f]{{{CODE_DIGITS}}})[\s`*>\])]*+:"
"""The code and the colon after the name of what a line states, as a pattern."""


def cut(text: str, limit: int) -> str:
    """A text of at most ``limit`` characters, with what was left out said in its middle."""
    if len(text) <= limit:
        return text
    head = (limit + 1) // 2
    tail = limit - head
    gone = len(text) - limit
    return f"{text[:head]}\n[… {gone} characters left out …]\n{text[len(text) - tail :]}"


_TO_DIGITS = bytes.maketrans(b"ABCDEFOolI|", b"abcdef00111")
_NO_DIGITS = bytes(set(range(256)) - set(b"0123456789abcdefABCDEFOolI|"))
#: Greek and Cyrillic letters that look like a hex digit, and the digits.
_LETTERS = "\u0391\u0392\u0395\u039f\u03b1\u03bf\u0406\u0410\u0412\u0415"
_LETTERS += "\u041e\u0421\u042c\u0430\u0435\u043e\u0441\u04c0\u0501"
_ALIKE = dict(zip(_LETTERS, "abe0a01abe0cbae0c1d", strict=True))
_LOOKS_ALIKE = re.compile(f"[{_LETTERS}]")


def code_for(*texts: str) -> str:
    """Six hex digits that stand in none of the texts, the same for the same texts.

    Counted up from the texts' hash until one is free: however a text was made, it was made before
    its code was known. A code in capitals, in wide letters or with something between its digits
    stands there too: six digits are few enough to try texts until one holds such a copy of its own
    code, which a judge could take for the real one.
    """
    joined = "\n".join(texts)
    alike = joined
    if not joined.isascii():
        alike = unicodedata.normalize("NFKD", joined)
        alike = _LOOKS_ALIKE.sub(lambda letter: _ALIKE[letter[0]], alike)
    # All that reads as a hex digit, without what stands between.
    digits = alike.encode("ascii", "ignore").translate(_TO_DIGITS, _NO_DIGITS).decode("ascii")
    count = 0
    while True:
        seed = f"{count}\n{joined}".encode("utf-8", "surrogatepass")
        code = hashlib.sha256(seed).hexdigest()[:CODE_DIGITS]
        if code not in digits:
            return code
        count += 1


def framed(code: str, name: str, text: str) -> str:
    """A text between its two lines, each of which says what is between them."""
    return f"<<{code}: {name} begins>>\n{text}\n<<{code}: {name} ends>>"


def conversation(turns: Sequence[Message]) -> str:
    """What was asked: the question itself, or all turns with who spoke."""
    if len(turns) == 1:
        return turns[0].content
    return "\n\n".join(f"{turn.role}: {turn.content}" for turn in turns)


def shown_answer(response: Response, limit: int, *, of_two: bool) -> str:
    """An answer; of two conversations all of its turns, since the question tells neither's."""
    if not (of_two and response.before):
        return cut(response.text, limit)
    texts = (*response.before, response.text)
    return "\n\n".join(f"answer {n}: {cut(text, limit)}" for n, text in enumerate(texts, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The texts of a case as a judge is shown them, with the code that stands in none of them."""

    question: str
    references: str
    answers: tuple[str, ...]
    instructions: str
    code: str

    @classmethod
    def of(cls, case: Case, *, max_answer_chars: int) -> Shown:
        """A case with all its answers cut by the same limit."""
        question = conversation(case.item.turns)
        references = "\n".join(dict.fromkeys(case.item.references))
        two = len(case.responses) > 1
        answers = tuple(
            shown_answer(response, max_answer_chars, of_two=two) for response in case.responses
        )
        instructions = case.instructions or ""
        return cls(
            question=question,
            references=references,
            answers=answers,
            instructions=instructions,
            code=code_for(instructions, question, references, *answers),
        )

    def texts(self, *names: str) -> str:
        """All of it between its lines, the answers under these names."""
        named = {"question": self.question, "reference": self.references}
        named |= dict(zip(names, self.answers, strict=True))
        blocks = [
            framed(self.code, name, text)
            for name, text in named.items()
            if text.strip() or name != "reference"
        ]
        if self.instructions:  # the benchmark's own, not an answer's: said, not framed
            blocks.insert(0, f"For this question in particular: {self.instructions}")
        return "\n\n".join(blocks)
