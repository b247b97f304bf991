"""Workflow commands by which GitHub shows a gate's decisions, and faults, beside a commit.

A line on stdout or stderr that begins with ``::`` is a command to the runner, and ``%``, line ends
and, in properties, ``:`` and ``,`` are written as their codes
(https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands). Names and
questions are others' text: each annotation is one line, and nothing in it can begin another.
"""

from __future__ import annotations

from collections.abc import Iterator

from judgebench.plain_text import printable_lines
from judgebench.reports.document import Document, Table
from judgebench.reports.gate_document import WORDS, flip_lines, in_words, measured, only_at
from judgebench.reports.gate_outcome import GateReport
from judgebench.reports.gate_texts import GateTexts
from judgebench.reports.render import render

_COMMAND = {"regression": "error", "inconclusive": "warning"}


def annotated(report: GateReport, texts: GateTexts) -> Iterator[str]:
    """A line for each alarm, and for each test that did not pass, or only at a larger drop.

    An error for a regression, a notice for such a pass, else a warning. The items that flipped
    follow the sentence, with the beginning of their questions.
    """
    for alarm in report.alarms:
        title = f"{alarm.kind.replace('_', ' ')}: {alarm.benchmark}, {alarm.judge}"
        yield f"::warning title={_property(title)}::{_data(alarm.text)}"
    for one in report.tests:
        if one.verdict == "pass":
            if only_at(one) is not None:
                title = f"{one.benchmark}@{one.version}, {measured(one)} by {one.judge}"
                yield f"::notice title={_property(title)}::{_data(in_words(one))}"
            continue
        title = (
            f"{WORDS[one.verdict]}: {one.benchmark}@{one.version}, {measured(one)} by {one.judge}"
        )
        message = "\n".join([in_words(one), *flip_lines(one, texts.questions)])
        yield f"::{_COMMAND[one.verdict]} title={_property(title)}::{_data(message)}"


def stopped(command: str, code: int, message: str) -> tuple[str, str]:
    """A command that ended with an error: its annotation, and Markdown for the job's summary."""
    title = f"judgebench {command} ended with exit code {code}"
    summary = Table(title=title, columns=[], rows=[], notes=message.splitlines())
    return (
        f"::error title={_property(title)}::{_data(message)}",
        render(Document(tables=[summary], records=[], data=None), "md"),
    )


def _data(text: str) -> str:
    said = printable_lines(text)
    return said.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
