"""``docs/own-judge.md`` followed by somebody who has only that page, and a server that judges."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

import judgebench
from judgebench import registry
from judgebench.records import Reply
from tests.e2e.runs import COMMAND, ROOT, Done, eventually, typed
from tests.loopback import Ask, Loopback, Reaction

PAGE = (ROOT / "docs" / "own-judge.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
COMMANDS = [
    line.removeprefix("$ judgebench ")
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]
SERVER = "http://127.0.0.1:8000/v1"
RIGHT = ("The Danube.", "Air scatters", "Ten minutes")
"""How the right answers begin."""


def answer(ask: Ask) -> Reaction:
    """Judges as each of the page's prompts asks for it."""
    text = ask.text
    right = any(f"begins>>\n{start}" in text for start in RIGHT)
    if '"ratings"' in text:
        ratings = dict.fromkeys(("correct", "complete", "clear", "short"), 5 if right else 2)
        return Reaction(text=json.dumps({"why": "so", "ratings": {**ratings, "polite": 4}}))
    if "[[A]]" in text:
        first = any(f"answer A begins>>\n{start}" in text for start in RIGHT)
        return Reaction(text=f"One is right. [[{'A' if first else 'B'}]]")
    return Reaction(text=f"I looked it up.\nGrade: {'right' if right else 'wrong'}")


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Done], int]]:
    """The folder in which everything on the page was done, and what came of each command."""
    folder = tmp_path_factory.mktemp("own")
    with Loopback(answer) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, text in FILES.items():
            (folder / name).write_text(text.replace(SERVER, server.url), encoding="utf-8")
        done = [typed(*shlex.split(command.replace(SERVER, server.url))) for command in COMMANDS]
        yield folder, done, len(server.asks)


def boards(folder: Path, benchmark: str) -> dict[str, dict[str, Any]]:
    """The rows of each judge's board by model."""
    at = ("--store", f"sqlite:///{folder}/own-judge.db", "--format", "json")
    found = json.loads(typed("leaderboard", benchmark, *at).out)["boards"]
    return {board["judge"]: {row["model"]: row for row in board["rows"]} for board in found}


def test_every_command_of_the_page_goes_through(followed: tuple[Path, list[Done], int]) -> None:
    _, done, _ = followed
    assert [one.code for one in done] == [0] * 5, [one.err for one in done]


def test_five_criteria_are_columns_beside_their_mean(
    followed: tuple[Path, list[Done], int],
) -> None:
    row = boards(followed[0], "assistant")["five-criteria"]["new"]["metrics"]
    assert row["score"]["value"] == pytest.approx(4.8)
    assert {name: one["value"] for name, one in row.items() if name.startswith("score/")} == {
        "score/correct": 5,
        "score/complete": 5,
        "score/clear": 5,
        "score/short": 5,
        "score/polite": 4,
    }


def test_a_pairwise_prompt_judges_in_both_orders(followed: tuple[Path, list[Done], int]) -> None:
    row = boards(followed[0], "assistant")["which-is-better"]["new"]
    assert row["metrics"]["win_rate"]["value"] == 100
    assert row["metrics"]["win_rate"]["n"] == 6


def test_a_pattern_and_no_suite(followed: tuple[Path, list[Done], int]) -> None:
    (row,) = boards(followed[0], "graded")["openai_compatible/our-judge"].values()
    assert row["metrics"]["accuracy"]["value"] == 0.5


def test_a_trial_shows_prompts_replies_and_verdicts_and_costs_nothing_twice(
    followed: tuple[Path, list[Done], int],
) -> None:
    _, (tried, ran, *_, again), calls = followed
    assert tried.out.count("five-criteria on assistant@") == 3
    assert "You rate answers of an assistant about rivers." in tried.out
    assert "answer begins>>" in tried.out
    assert '"ratings": {"correct": 5,' in tried.out
    assert "4.8 on 1 to 5, correct 5, complete 5, clear 5, short 5, polite 4" in tried.out
    assert "3 judge calls made, 3 recorded, 6 verdicts given" in ran.err
    assert again.out.count("4.8 on 1 to 5, correct 5") == 3
    assert calls == 6 + 6 + 2, "five criteria of 6 answers, 3 pairs in both orders, 2 grades"


def test_no_verdict_of_a_trial_is_on_a_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Loopback(answer) as server:
        for name, text in FILES.items():
            (tmp_path / name).write_text(text.replace(SERVER, server.url), encoding="utf-8")
        assert typed("judge", "try", "five.yaml", "--on", "2").code == 0
    store = f"sqlite:///{tmp_path}/own-judge.db"
    assert typed("leaderboard", "assistant", "--store", store).code != 0


def test_a_trial_says_why_nobody_would_be_asked(tmp_path: Path) -> None:
    """The small set that comes along has no field ``topic``."""
    (tmp_path / "rate.md").write_text(FILES["rate.md"], encoding="utf-8")
    done = typed("judge", "try", "--prompt", tmp_path / "rate.md", "--on", "1")
    assert "unreadable: the item has no item.topic" in done.out


def test_a_plan_says_what_a_prompt_shows_and_items_have_not(tmp_path: Path) -> None:
    path = suite(tmp_path, "http://127.0.0.1:9/v1", read="score")
    said = "judge j: its prompt p.md shows {item.topc}, which 3 of 3 items of assistant have not"
    (tmp_path / "p.md").write_text("{item.topc}: {answer}", encoding="utf-8")
    assert said in typed("plan", path).err
    (tmp_path / "p.md").write_text("{item.topic}: {answer}", encoding="utf-8")
    assert typed("plan", path).err == ""


def test_a_trial_of_nothing_says_what_to_name() -> None:
    done = typed("judge", "try")
    assert (done.code, "name what is tried: a prompt with --prompt" in done.err) == (64, True)


def test_a_pattern_may_begin_with_a_class(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text("{answer}", encoding="utf-8")
    pattern = ("--read", r"regex: [Gg]rade: (\d)")
    done = typed("judge", "try", "--prompt", tmp_path / "p.md", *pattern, "--on", "1")
    assert (done.code, "(nobody was asked)" in done.out) == (0, True), done.err


def suite(folder: Path, url: str, **judge: Any) -> Path:
    """The page's first suite with a judge that says other things."""
    (folder / "p.md").write_text("{answer}", encoding="utf-8")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    written = yaml.safe_load(FILES["five.yaml"])
    written["store"] = f"sqlite:///{folder}/s.db"
    at = {"provider": "openai_compatible", "model": "m", "base_url": url, "prompt": "p.md"}
    written["judges"] = [{"name": "j", **at, **judge}]
    written["benchmarks"][0]["judges"] = ["j"]
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    return path


def test_a_reader_that_raises_costs_its_verdict_and_not_the_run(tmp_path: Path) -> None:
    code = "def read(reply):\n    return float(reply.text)\n"
    (tmp_path / "beside_the_suite.py").write_text(code)

    def answer(ask: Ask) -> Reaction:
        return Reaction(text="none" if "Rhine" in ask.text else "7")

    with Loopback(answer) as server:
        done = typed("run", suite(tmp_path, server.url, read={"python": "beside_the_suite:read"}))
    assert done.code == 0, done.err
    assert "6 verdicts given, 1 unreadable, 0 failed" in done.err
    told = typed("replies", "j", "--unreadable", "--store", f"sqlite:///{tmp_path}/s.db")
    assert "read raised ValueError: could not convert string to float: 'none'" in told.out


def test_a_function_that_judges_stands_beside_the_suite_as_a_reader_does(tmp_path: Path) -> None:
    (tmp_path / "judging_beside.py").write_text("def short(answer):\n    return len(answer) < 12\n")
    path = suite(tmp_path, "")
    written = yaml.safe_load(path.read_text())
    how = {"kind": "python", "options": {"function": "judging_beside:short"}}
    written["judges"] = [{"name": "j", **how}]
    path.write_text(yaml.safe_dump(written))
    done = typed("run", path, "--limit", "2")
    assert done.code == 0, done.err
    assert "4 verdicts given, 0 unreadable" in done.err


def test_a_function_that_never_ends_is_left_on_a_third_interrupt(tmp_path: Path) -> None:
    """It holds the loop, which hears of none of them."""
    code = "def stuck(answer):\n    open('here', 'w').close()\n    while True:\n        pass\n"
    (tmp_path / "judging_stuck.py").write_text(code)
    path = suite(tmp_path, "")
    written = yaml.safe_load(path.read_text())
    how = {"kind": "python", "options": {"function": "judging_stuck:stuck"}}
    written["judges"] = [{"name": "j", **how}]
    path.write_text(yaml.safe_dump(written))
    command = [sys.executable, *COMMAND, "run", str(path)]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as run:
        try:
            eventually(lambda: (tmp_path / "here").exists(), 60)
            sent = 0
            while run.poll() is None and sent < 100:
                run.send_signal(signal.SIGINT)
                sent += 1
                with suppress(subprocess.TimeoutExpired):
                    run.wait(0.3)
            # One more that comes while Python ends is a signal that ended it: 130 to a shell too.
            assert run.poll() in (130, -signal.SIGINT)
            assert sent >= 3  # more where one came before the last one was heard of
        finally:
            run.kill()


def test_a_pattern_that_never_ends_costs_its_verdict_and_not_the_run(tmp_path: Path) -> None:
    def answer(ask: Ask) -> Reaction:
        return Reaction(text="a" * 60 + "!" if "Rhine" in ask.text else "aaaa")

    judge = {"read": {"regex": "^((?:a|aa)+)$"}, "labels": {"aaaa": "correct"}}
    with Loopback(answer) as server:
        done = typed("run", suite(tmp_path, server.url, **judge))
    assert "6 verdicts given, 1 unreadable, 0 failed" in done.err
    told = typed("replies", "j", "--unreadable", "--store", f"sqlite:///{tmp_path}/s.db")
    assert "the pattern took more than 1 s with this reply" in told.out


@pytest.mark.parametrize(
    ("judge", "code", "says"),
    [
        ({"prompt": "q.md"}, 65, "q.md: there is no such file"),
        ({"prompt": "p.md", "read": "scores"}, 78, "suite.yaml:"),
        ({"kind": "rubric", "read": "score"}, 78, "has no 'kind' and no 'options'"),
        ({"prompt": None, "read": "score"}, 78, "name its file as 'prompt'"),
        ({"read": "score", "examples": "none.jsonl"}, 65, "none.jsonl: there is no such file"),
        ({"read": {"python": "nowhere:f"}}, 78, "judge j: nowhere:f: ModuleNotFoundError"),
        ({"read": "score", "scale": [5, 1]}, 78, "judge j: judge own_prompt: a scale goes upwards"),
    ],
)
def test_what_a_suite_is_refused_for(
    tmp_path: Path, judge: dict[str, Any], code: int, says: str
) -> None:
    done = typed("plan", suite(tmp_path, "http://127.0.0.1:9/v1", **judge))
    assert done.code == code, done.err
    assert says in done.err


def test_a_plan_knows_it_and_two_judges_of_one_name_are_refused(tmp_path: Path) -> None:
    path = suite(tmp_path, "http://127.0.0.1:9/v1", read="score")
    done = typed("plan", path, "--format", "json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["total"]["judge_calls"] == 6
    written = yaml.safe_load(path.read_text())
    written["judges"] *= 2
    path.write_text(yaml.safe_dump(written))
    done = typed("plan", path)
    assert (done.code, "judges named twice: j" in done.err) == (78, True)


@pytest.mark.parametrize("handler", ["of python", "of asyncio.run"])
def test_within_a_running_event_loop_and_on_a_signal(tmp_path: Path, handler: str) -> None:
    """As a notebook has one, or a program: an interrupt starts nothing new and keeps what came."""
    server = Loopback(lambda ask: Reaction(text="7"))
    signals: list[int] = []

    def slow(reply: Reply) -> float:
        if not signals:
            signals.append(signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
        return float(reply.text)

    rows = [{"instruction": f"{n}?", "output": f"{n}", "generator": "m"} for n in range(30)]
    (tmp_path / "p.md").write_text("{answer}", encoding="utf-8")

    async def cell(limits: dict[str, int]) -> Any:
        return judgebench.judge(
            rows,
            judges=["openai_compatible/m"],
            base_url=server.url,
            prompt=tmp_path / "p.md",
            read={"python": registry.register_function(slow)},
            store=f"sqlite:///{tmp_path}/s.db",
            limits=limits,
        )

    with server:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        loop = asyncio.new_event_loop()
        try:
            run = loop.run_until_complete if handler == "of python" else asyncio.run
            with pytest.raises(KeyboardInterrupt):
                run(cell({"max_connections": 2}))
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        finally:
            loop.close()
            signal.signal(signal.SIGINT, before)
        first = len(server.asks)
        assert 1 <= first < 30
        outcome = asyncio.run(cell({}))
    assert len(server.asks) == 30, "what came before the interrupt is not asked again"
    assert sum(counts.done for counts in outcome.judging.values()) == 30 - first
