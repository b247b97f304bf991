"""Official prompts are read from files, never run."""

import ast
import json
import os
from pathlib import Path

import pytest

from judgebench.benchmarks.official import MAX_BYTES, constant_text, read_texts
from judgebench.errors import InputError
from judgebench.judges.prompt import messages
from judgebench.template import PromptText
from tests.table import over_rows


@over_rows(
    ("source", "text"),
    [
        ("'a'", "a"),
        ("'a' 'b'", "ab"),
        ("'a' + \"b\"", "ab"),
        ("dedent('''\n  a\n    b\n''').strip()", "a\n  b"),
        ("textwrap.dedent(' a').rstrip()", "a"),
        ("f'{question}: {item.answer}'", "{question}: {item.answer}"),
        ("f'{{x y}}'", "{x y}"),
        ("lambda question, answer: f'Q {question} A {answer}'", "Q {question} A {answer}"),
    ],
)
def test_constants(source: str, text: str) -> None:
    assert constant_text(ast.parse(source, mode="eval").body) == text


@over_rows(
    "source",
    [
        "open('x').read()",
        "__import__('os').getcwd()",
        "'a'.upper()",
        "'a'.strip('a')",
        "'%s' % x",
        "'a' * 3",
        "b'a'",
        "3",
        "name",
        "f'{x + 1}'",
        "f'{call()}'",
        "f'{x!r}'",
        "f'{x:>10}'",
        "f'{{x}}'",
        "f'{x[0 + 1]}'",
        "f'{x[call()]}'",
        "f'{x[1:2]}'",
        "lambda x: 'a' + x",
        "dedent('a', 'b')",
        "'\\n'.join(['a'])",
    ],
)
def test_everything_else_is_refused(source: str) -> None:
    with pytest.raises(InputError, match="line 1"):
        constant_text(ast.parse(source, mode="eval").body)


def test_a_python_file_is_read_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    file = tmp_path / "prompts.py"
    file.write_text(
        f"open({str(marker)!r}, 'w')\n"
        "PLAIN = 'one'\n"
        "class A:\n"
        "    TEXT: str = '''two'''\n"
        "    class B:\n"
        "        TEXT = f'{three}'\n"
        "MADE = make_it()\n"
        "TWICE = 'old'\n"
        "TWICE = make_it()\n"
    )
    texts = read_texts(file)
    assert texts.found == {"PLAIN": "one", "A.TEXT": "two", "A.B.TEXT": "{three}"}
    assert set(texts.refused) == {"MADE", "TWICE"}
    assert "line 7" in texts.refused["MADE"]
    assert not marker.exists()


def test_json_and_text(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps({"note": "n", "prompts": {"a": "A", "n": 1}}))
    (tmp_path / "p.txt").write_text("text\n")
    assert read_texts(tmp_path / "p.json").found == {"note": "n", "prompts/a": "A"}
    assert read_texts(tmp_path / "p.txt").found == {"p": "text", "p.txt": "text\n"}


CHAT = """
def ask(prompt, options):
    head = f"Question: {prompt}"
    return head

judge = lambda prompt, gold: [
    {"role": "system", "content": "You judge."},
    {"role": "user", "content": f"Q: {prompt}\\nGold: {gold}\\nJudgment: \\n"},
]
other = lambda x: [{"role": "user", "content": x}]
"""


def test_entries_of_a_dictionary_have_names_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text(
        "PROMPTS = {'short': 'Say it.', 'more': {'long': 'Say ' + 'all.'}, 'no': call()}\n"
        "MIXED = {'a': 'A', 1: 'B'}\n"
    )
    read = read_texts(tmp_path / "p.py")
    assert read.found == {"PROMPTS.short": "Say it.", "PROMPTS.more.long": "Say all."}
    assert set(read.refused) == {"PROMPTS.no", "MIXED"}


def test_chat_messages_are_one_text_that_is_taken_apart_word_for_word(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text(CHAT)
    read = read_texts(tmp_path / "p.py")
    assert read.found["ask.head"] == "Question: {prompt}"
    assert "other" in read.refused
    prompt = PromptText(name="judge", text=read.found["judge"])
    sent = messages(prompt, {}, {"prompt": "1+1 ", "gold": "2\n"})
    assert [(m.role, m.content) for m in sent] == [
        ("system", "You judge."),
        ("user", "Q: 1+1 \nGold: 2\n\nJudgment: \n"),
    ]
    as_json = [
        {"role": "system", "content": "You judge."},
        {"role": "user", "content": "Q: {prompt}\nGold: {gold}\nJudgment: \n"},
    ]
    (tmp_path / "p.json").write_text(json.dumps({"judge": as_json}))
    assert read_texts(tmp_path / "p.json").found == {"judge": read.found["judge"]}


@over_rows(
    ("name", "content"),
    [
        ("x.json", b"{"),
        ("x.json", b"[" * 100_000),
        ("x.py", b"def"),
        ("x.py", b"a = '\x00'"),
        ("x.txt", b"\xff"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        read_texts(tmp_path / name)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.touch()
    os.truncate(file, MAX_BYTES + 1)
    with pytest.raises(InputError, match="too large"):
        read_texts(file)


def test_holes_are_found() -> None:
    assert PromptText(name="x", text="{a} {b.c} { d } {} {1}").placeholders == {"a", "b.c"}
