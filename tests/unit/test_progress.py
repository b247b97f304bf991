"""What a person sees of a run: at 80 columns nothing that matters is cut off."""

from __future__ import annotations

import re

import pytest

from judgebench.progress import BarProgress, PlainProgress
from judgebench.protocols import Meter, Progress

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")


def work(progress: Progress) -> None:
    progress.stage("judging: a-judge-with-a-rather-long-name, another, and a third", 20_000)
    progress.advance(19_000)
    progress.advance(failed="rate_limit")
    progress.advance(failed="timeout")
    progress.meter(Meter(calls=19_100, tokens=5_700_000, cost_usd=0.667, budget_usd=5.0))


def test_the_bar_has_room_for_counts_and_a_line_for_what_was_taken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bar = BarProgress()
    with bar:
        work(bar)
        bar._progress.refresh()
    lines = ESCAPES.sub("", capsys.readouterr().err).replace("\r", "\n").splitlines()

    assert max(map(len, lines)) <= 80
    assert any("judging: a-judge-with-a…" in line and "19002/20000" in line for line in lines)
    below = re.compile(
        r"  19100 calls \([0-9.]+/s\), 5\.7 M tokens, 0\.6670 of 5 USD, 2 failed \(1 "
    )
    assert any(below.match(line) for line in lines)


def test_what_waits_in_a_batch_is_not_done(capsys: pytest.CaptureFixture[str]) -> None:
    bar, lines = BarProgress(), PlainProgress()
    for progress in (bar, lines):
        with progress:
            progress.stage("judging: j", 40)
            progress.advance(waiting=True)
            progress.advance(39, waiting=True)
            if progress is bar:
                bar._progress.refresh()
    said = ESCAPES.sub("", capsys.readouterr().err)
    assert said.count("40 put into batches") >= 2
    assert "judging: j: 0 done in" in said


def test_a_log_gets_a_line_when_a_stage_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainProgress() as lines:
        work(lines)
    (began, ended) = capsys.readouterr().err.splitlines()
    assert began.endswith("and a third: 20000")
    assert ": 19000 done in 0.0 s, 2 failed (1 rate limit, 1 timeout), 19100 calls (" in ended
