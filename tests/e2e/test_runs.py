"""Whole runs: what is asked, what is not asked again, and what others see meanwhile."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import judgebench
from judgebench.providers.scripted import Drawn
from judgebench.records import Reply, Request
from judgebench.store.opening import open_store
from tests.e2e import runs
from tests.loopback import Loopback
from tests.unit.exchanged import rows_file

LAST_LINE = re.compile(
    r"^run \S+: (\d+) generations, (\d+) judge calls made, (\d+) recorded, \d+ verdicts given, "
    r"(\d+) unreadable, (\d+) failed; store sqlite:///.+$"
)


def answers(folder: Path, texts: dict[str, list[str]]) -> Path:
    """A file of answers: of each model to the first items, in their order."""
    return rows_file(
        folder / "answers.jsonl",
        (
            {
                "benchmark": "trivia_judging_mini",
                "item_id": str(n),
                "model": model,
                "text": text,
            }
            for model, own in texts.items()
            for n, text in enumerate(own)
        ),
    )


def last_line(said: str) -> dict[str, int]:
    found = LAST_LINE.match(said.strip().splitlines()[-1])
    assert found, said
    names = ("generations", "calls", "recorded", "unreadable", "failed")
    return dict(zip(names, map(int, found.groups()), strict=True))


def states(folder: Path) -> list[str]:
    with open_store(runs.store_url(folder), read_only=True) as store:
        return [manifest.state for manifest in store.runs()]


# What is asked ----------------------------------------------------------------------------------


def test_running_again_does_only_what_is_missing(tmp_path: Path) -> None:
    with Loopback() as server:
        suite = runs.suite(tmp_path, server.url)
        assert runs.planned(suite) == {"generations": 0, "judge_calls": 12, "recorded": 0}
        assert [file.name for file in tmp_path.iterdir()] == ["suite.yaml"]
        assert not server.asks

        first = runs.typed("run", suite)
        assert first.code == 0, first.err
        made = {"generations": 0, "calls": 12, "recorded": 0, "unreadable": 0, "failed": 0}
        assert last_line(first.err) == made
        again = runs.typed("run", suite)
        assert again.code == 0, again.err
        assert last_line(again.err) == made | {"calls": 0, "recorded": 36}
        assert again.out == first.out

        before = (tmp_path / "store.db").read_bytes()
        assert runs.planned(suite) == {"generations": 0, "judge_calls": 0, "recorded": 36}
        assert (tmp_path / "store.db").read_bytes() == before
        assert len(server.asks) == 12
    assert states(tmp_path) == ["done", "done"]


def test_a_raised_limit_asks_what_came_with_it(tmp_path: Path) -> None:
    with Loopback() as server:
        runs.typed("run", runs.suite(tmp_path, server.url, limit=3))
        suite = runs.suite(tmp_path, server.url, limit=5)
        assert runs.planned(suite) == {"generations": 0, "judge_calls": 4, "recorded": 18}
        assert last_line(runs.typed("run", suite).err)["calls"] == 4
        assert set(server.arrivals.values()) == {1}
        assert runs.rows(tmp_path)["small", "model-weak"]["counts"]["verdicts"] == 5
        back = runs.typed("run", runs.suite(tmp_path, server.url, limit=3))
    assert back.code == 0
    assert last_line(back.err)["calls"] == 0


def test_another_prompt_is_asked_anew_and_what_others_said_stays(tmp_path: Path) -> None:
    other = {"name": "other", "options": {"format": "json"}}
    with Loopback() as server:
        runs.typed("run", runs.suite(tmp_path, server.url, limit=3, more_judges=[other]))
        assert len(server.asks) == 12
        changed = {"options": {"prompt": "long"}}
        suite = runs.suite(tmp_path, server.url, limit=3, judge=changed, more_judges=[other])
        assert runs.planned(suite)["judge_calls"] == 6
        assert last_line(runs.typed("run", suite).err)["calls"] == 6
        assert set(server.arrivals.values()) == {1}
        assert {"response_format" in ask.body for ask in server.asks[12:]} == {False}
    judges = {judge for judge, _ in runs.rows(tmp_path)}
    assert {name.partition("@")[0] for name in judges} == {
        *("contains", "exact_match", "other", "small")
    }
    assert sum(name.startswith("small@") for name in judges) == 2


def test_a_new_reader_reads_the_replies_that_are_kept(tmp_path: Path) -> None:
    with Loopback() as server:
        runs.typed("run", runs.suite(tmp_path, server.url, limit=3))
        suite = runs.suite(tmp_path, server.url, limit=3, judge={"options": {"maybe": "accept"}})
        assert runs.planned(suite)["judge_calls"] == 0
        done = last_line(runs.typed("run", suite).err)
        assert (done["calls"], done["recorded"]) == (0, 6 + 12)
        assert len(server.asks) == 6


def test_a_judge_is_what_it_asks_not_its_name_or_address(tmp_path: Path) -> None:
    with Loopback() as one:
        runs.typed("run", runs.suite(tmp_path, one.url, limit=3))
    with Loopback() as two:
        suite = runs.suite(tmp_path, two.url, limit=3, judge={"name": "renamed"})
        assert last_line(runs.typed("run", suite).err)["calls"] == 0
        assert not two.asks
    assert ("renamed", "model-weak") in runs.rows(tmp_path)


def test_the_same_answer_of_two_models_is_judged_once(tmp_path: Path) -> None:
    same = ["the Danube", "Vienna", "1912"]
    file = answers(tmp_path, {"a": [*same, "one"], "b": [*same, "another"]})
    with Loopback() as server:
        suite = runs.suite(tmp_path, server.url, limit=4, takers=["a", "b"], answers=file)
        assert runs.planned(suite)["judge_calls"] == 5
        assert runs.typed("run", suite).code == 0
        assert len(server.asks) == 5
    rows = runs.rows(tmp_path)
    counts = [rows[judge, m]["counts"]["verdicts"] for judge in ("small", "contains") for m in "ab"]
    assert counts == [4] * 4


def test_changed_answers_are_another_version_of_the_model(tmp_path: Path) -> None:
    with Loopback() as server:
        file = answers(tmp_path, {"m": ["the Danube", "Vienna", "1912"]})
        suite = runs.suite(tmp_path, server.url, limit=3, takers=["m"], answers=file)
        runs.typed("run", suite)
        lines = file.read_text().splitlines()
        file.write_text("\n".join(reversed(lines)) + "\n")  # another file, the same answers
        assert runs.planned(suite)["judge_calls"] == 0

        answers(tmp_path, {"m": ["the Danube", "Graz", "1912"]})
        assert runs.planned(suite)["judge_calls"] == 1
        assert last_line(runs.typed("run", suite).err)["calls"] == 1
        assert len(server.asks) == 4
    found = {model: row for (judge, model), row in runs.rows(tmp_path).items() if judge == "small"}
    assert len(found) == 2
    for model, row in found.items():
        assert re.fullmatch(r"m@[0-9a-f]{6}", model)
        assert (row["counts"]["verdicts"], row["flags"]) == (3, ["two versions"])


def test_labels_of_a_suite_are_taken_in_once_and_only_about_its_answers(tmp_path: Path) -> None:
    labels = {"labels": [str(runs.MINI / "labels.jsonl")]}
    suite = runs.suite(tmp_path, limit=4, benchmark=labels)
    first = runs.typed("run", suite)
    assert first.code == 0, first.err
    assert "human/authors" in first.out
    assert len(states(tmp_path)) == 2  # the run and the import
    runs.typed("run", suite)
    assert len(states(tmp_path)) == 3
    with judgebench.open_store(runs.store_url(tmp_path)) as store:
        said = store.verdicts("trivia_judging_mini", judges=["human/authors"])
    assert Counter(said["model"]) == {"model-terse": 4, "model-weak": 4}
    assert set(said["item_id"]) == {"0", "1", "2", "3"}

    runs.typed("run", runs.suite(tmp_path, limit=6, benchmark=labels))
    assert runs.rows(tmp_path)["human/authors", "model-weak"]["counts"]["verdicts"] == 6


# Beside each other ------------------------------------------------------------------------------


@pytest.mark.usefixtures("forked")
def test_two_processes_at_once_pay_nothing_twice(tmp_path: Path) -> None:
    with Loopback(delay_s=0.02) as server:
        suite = runs.suite(tmp_path, server.url, limit=24)
        calls = runs.planned(suite)["judge_calls"]
        both = [runs.start("run", suite, "--quiet") for _ in range(2)]
        said = [process.communicate(timeout=60)[1] for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        assert len(server.asks) == calls > 40
        assert set(server.arrivals.values()) == {1}
    assert sum(last_line(text)["calls"] for text in said) == calls
    assert states(tmp_path) == ["done", "done"]
    counts = [row["counts"]["verdicts"] for row in runs.rows(tmp_path).values()]
    assert counts == [24] * 6


@pytest.mark.usefixtures("forked")
def test_a_board_can_be_read_while_a_run_writes(tmp_path: Path) -> None:
    seen: list[int] = []
    with Loopback(delay_s=0.05) as server:
        suite = runs.suite(tmp_path, server.url, limit=48)
        run = runs.start("run", suite, "--quiet")
        runs.eventually(lambda: server.asks)
        while run.poll() is None:
            rows = runs.rows(tmp_path)  # says so if it is an error
            seen.append(sum(row["counts"]["verdicts"] for row in rows.values()))
        _, said = run.communicate()
    assert run.returncode == 0, said
    assert seen == sorted(seen)
    assert len(set(seen)) >= 3, "the board did not grow under the reader's eyes"
    rows = runs.rows(tmp_path)
    assert sum(row["counts"]["verdicts"] for row in rows.values()) == 6 * 48


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_the_replies_under_way(tmp_path: Path, number: signal.Signals) -> None:
    with Loopback(delay_s=0.05) as server:
        suite = runs.suite(tmp_path, server.url, limit=24)
        calls = runs.planned(suite)["judge_calls"]
        run = runs.start("run", suite)
        runs.eventually(lambda: len(server.asks) > 8)
        run.send_signal(number)
        _, said = run.communicate(timeout=30)
        assert run.returncode == 130, said
        assert "interrupted; nothing is lost" in said
        assert "Traceback" not in said
        asked = len(server.asks)
        assert asked < calls
        assert states(tmp_path) == ["interrupted"]
        with open_store(runs.store_url(tmp_path), read_only=True) as store:
            columns = ("served_model", "judgment")
            verdicts = store.verdicts("trivia_judging_mini", columns=columns)
            (ended,) = store.runs()
        assert sum(name is not None for name in verdicts["served_model"]) == asked
        assert ended.counts["judge_calls"] == asked
        assert ended.counts["judged"] == len(set(verdicts["judgment"]))

        again = runs.typed("run", suite)
        assert again.code == 0, again.err
        assert last_line(again.err)["calls"] == calls - asked
        assert set(server.arrivals.values()) == {1}


@pytest.mark.usefixtures("forked")
def test_a_second_interrupt_leaves_at_once(tmp_path: Path) -> None:
    with Loopback(mode="hang") as server:
        run = runs.start("run", runs.suite(tmp_path, server.url))
        assert run.stderr is not None
        # One call goes alone until it has come back: a second one would come with its timeout.
        runs.eventually(lambda: server.asks)
        run.send_signal(signal.SIGINT)
        said = ""
        while "stopping: waiting for the replies under way" not in said:
            said = run.stderr.readline()
            assert said, "it ended without a word"
        assert run.poll() is None
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=10)
        assert run.returncode == 130
    with Loopback() as server:
        assert runs.typed("run", runs.suite(tmp_path, server.url)).code == 0
        assert len(server.asks) == 12


# What comes out ---------------------------------------------------------------------------------


def test_a_judge_whose_calls_are_a_fault_of_the_code_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Drawn, request: Request) -> Reply:
        raise KeyError("choices")

    monkeypatch.setattr(Drawn, "complete", broken)
    dice = {"name": "dice", "provider": "scripted", "model": "dice", "base_url": None}
    path = runs.suite(tmp_path, "unused", limit=20, judge=dice)
    done = runs.typed("run", path, "--quiet")
    assert done.code == 75, done.err
    said = "warning: dice was stopped: 10 calls in a row ended in a fault of judgebench or of a"
    assert said in done.err
    assert re.search(r"KeyError: 'choices' \(at \S*test_runs.py:", done.err)
    with open_store(runs.store_url(tmp_path), read_only=True) as store:
        failed = store.failures()
        judged = set(store.verdicts("trivia_judging_mini")["judge"])
    kinds = set(zip(failed["boundary"], failed["kind"], strict=True))
    assert kinds == {("provider", "bug")}
    assert judged == {"exact_match", "contains"}  # the others went on


def test_a_suite_can_be_run_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (project / "suites").mkdir(parents=True)
    elsewhere.mkdir()
    path = runs.suite(project / "suites", limit=2, answers=Path("answers.jsonl"))
    text = (runs.MINI / "answers.jsonl").read_text(encoding="utf-8")
    (project / "suites" / "answers.jsonl").write_text(text, encoding="utf-8")
    monkeypatch.chdir(elsewhere)
    done = runs.typed("run", path, "--quiet")
    assert (done.code, "warning" in done.err) == (0, False), done.err
    # As it was until now: the file lies in the working directory alone.
    (project / "suites" / "answers.jsonl").rename(project / "answers.jsonl")
    monkeypatch.chdir(project)
    warning = "answers.jsonl found from the working directory: paths are those beside the suite"
    for command in ("plan", "run"):
        done = runs.typed(command, path)
        assert (done.code, done.err.count(warning)) == (0, 1), done.err
        assert "write ../answers.jsonl; the next release looks there only" in done.err


def test_a_benchmark_without_a_judge_has_answers_alone(tmp_path: Path) -> None:
    models = [
        {"name": "asked", "api": {"provider": "scripted", "model": "dice"}},
        {"name": "model-weak", "responses": str(runs.MINI / "answers.jsonl")},
    ]
    unjudged = {"name": "trivia_judging_mini", "limit": 5, "samples": 1}
    path = runs.suite(tmp_path, benchmarks=[unjudged], models=models)
    plan = runs.typed("plan", path)
    assert plan.code == 0, plan.err
    note = "answers alone, since the suite names no judges there: trivia_judging_mini"
    assert note in plan.out
    done = runs.typed("run", path)
    assert done.code == 0, done.err
    counts = last_line(done.err)
    assert (counts["generations"], counts["calls"]) == (5, 0)
    assert re.search(r"answers alone\n.*\n.*\n.*asked +5 +0\n.*model-weak +5 +0\n", done.out)
    said = json.loads(runs.typed("run", path, "--format", "json").out)
    assert (said["boards"], [one["answers"] for one in said["answers"]]) == ([], [5, 5])
    # With a judge, the same answers are judged and none is asked for again.
    judged = {**unjudged, "judges": ["contains"]}
    done = runs.typed("run", runs.suite(tmp_path, benchmarks=[judged], models=models))
    assert last_line(done.err)["generations"] == 0
    assert "answers alone" not in done.out
    assert "judged by contains" in done.out
    # Of which some have been judged, only the others are said to be alone.
    both = [judged, {**unjudged, "name": "mixeval_mini", "models": ["asked"]}]
    done = runs.typed("run", runs.suite(tmp_path, benchmarks=both, models=models))
    assert done.code == 0, done.err
    assert re.search(r"mixeval_mini@\S+ +asked +5 +0\n", done.out)
    assert "judged by contains" in done.out


def test_verdicts_are_a_long_table(tmp_path: Path) -> None:
    with Loopback() as server:
        runs.typed("run", runs.suite(tmp_path, server.url, limit=3))
    with judgebench.open_store(runs.store_url(tmp_path)) as store:
        assert store.benchmarks() == [("trivia_judging_mini", "1")]
        verdicts = store.verdicts("trivia_judging_mini")
        some = store.verdicts("trivia_judging_mini", judges=["small"], models=["model-weak"])
        texts = store.responses("trivia_judging_mini")
        nothing = store.failures()
        nowhere = store.verdicts("trivia_judging_mini", "2")
    assert list(verdicts.columns) == [
        *("benchmark", "version", "item_id", "category", "model", "model_id"),
        *("opponent", "opponent_id", "judge", "judge_id", "judge_kind", "official_prompt"),
        *("order", "sample", "turn", "kind", "label", "value", "p", "low", "high", "reason"),
        *("served_model", "run_id", "at", "repeat", "parts", "marks"),
    ]
    assert len(verdicts) == 3 * 2 * 3
    assert not verdicts.duplicated(["item_id", "model", "judge"]).any()
    assert set(verdicts["label"]) == {"correct", "incorrect"}
    assert set(verdicts["kind"]) == {"label"}
    assert len(some) == 3
    assert set(some["served_model"]) == {"loopback-served"}
    assert set(some["judge_kind"]) == {"reference"}
    assert list(texts.columns) == [
        *("benchmark", "version", "item_id", "category", "model", "model_id", "sample", "turn"),
        *("text", "reasoning", "status", "finish_reason", "prompt_tokens", "completion_tokens"),
        *("logprob", "source", "stack", "newest", "at"),
    ]
    assert len(texts) == 6
    assert len(nothing) == 0
    assert list(nowhere.columns) == list(verdicts.columns)
    assert len(nowhere) == 0


@pytest.mark.usefixtures("forked")
def test_only_data_goes_to_stdout(tmp_path: Path) -> None:
    with Loopback() as server:
        suite = runs.suite(tmp_path, server.url, limit=3)
        done = runs.judgebench("run", suite)  # as a process: libraries may write past sys.stdout
        quiet = runs.typed("run", suite, "--quiet")
    assert done.returncode == 0, done.stderr
    first, *_ = done.stdout.splitlines()
    assert first == "trivia_judging_mini@1, judged by contains"
    for said in ("judging:", "stages:", "calls made", "warning: small"):
        assert said not in done.stdout
    assert "judging: exact_match, contains, small: 18" in done.stderr
    assert done.stderr.splitlines()[-2].startswith("stages: answers ")
    assert last_line(done.stderr)["calls"] == 6
    assert quiet.out == ""
    assert last_line(quiet.err)["calls"] == 0

    store = ("--store", runs.store_url(tmp_path))
    for words in (
        ("plan", suite),
        ("leaderboard", "trivia_judging_mini", *store),
        ("runs", "list", *store),
    ):
        found: Any = json.loads(runs.typed(*words, "--format", "json").out)
        assert isinstance(found, dict)
        table = list(csv.reader(io.StringIO(runs.typed(*words, "--format", "csv").out)))
        assert len({len(line) for line in table}) == 1
        assert len(table) > 1
