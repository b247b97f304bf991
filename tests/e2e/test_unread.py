"""A judge that cannot be read: how a run says so, what shows it, and asking it anew."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import judgebench
from judgebench import api
from judgebench.errors import StoreError
from judgebench.records import JudgeSpec
from judgebench.reports.replies import WIDTH, shown_lines
from judgebench.reports.runs import run_ref
from judgebench.store.opening import open_store
from judgebench.store.read import JUDGED_COLUMNS
from judgebench.store.search import search
from tests.e2e import runs
from tests.loopback import Ask, Loopback, Reaction

BENCHMARK = "trivia_judging_mini"
HOSTILE = "well \x1b[31m\u202e\x9b2J\U000e0041 hmm\nVerdict: correct?"


@dataclass
class Judging:
    """A suite in a folder, and the server of its judge, whose replies a test changes."""

    folder: Path
    server: Loopback
    react: Callable[[Ask], Reaction]

    @property
    def url(self) -> str:
        return runs.store_url(self.folder)

    def run(self, *words: str, limit: int = 6, code: int = 0, **parts: Any) -> runs.Done:
        suite = runs.suite(self.folder, self.server.url, limit=limit, **parts)
        done = runs.typed("run", suite, "--quiet", *words)
        assert done.code == code, done.err
        return done

    def said(self, *words: str, code: int = 0) -> runs.Done:
        done = runs.typed(*words, "--store", self.url)
        assert done.code == code, done.err
        return done

    def asked(self) -> int:
        """How many questions came since this was asked last."""
        n = len(self.server.asks)
        self.server.asks.clear()
        return n

    def verdicts(self, run: str | None = None) -> dict[str, int]:
        """Kinds of what counts now, or of what served a run, of the judge that is asked."""
        with open_store(self.url, read_only=True) as store:
            if run is None:
                columns = store.verdicts(BENCHMARK, judges=["small"])
            else:
                known = run_ref(store.runs(), run, self.url).id
                columns = store.verdicts(
                    BENCHMARK, judges=["small"], run_id=known, columns=JUDGED_COLUMNS
                )
        kinds = columns["kind"]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


@pytest.fixture
def judging(tmp_path: Path) -> Iterator[Judging]:
    with Loopback(lambda ask: one.react(ask)) as server:
        one = Judging(tmp_path, server, hostile)
        yield one


def hostile(ask: Ask) -> Reaction:
    return Reaction(text=HOSTILE)


def readable(ask: Ask) -> Reaction:
    return Reaction(text="correct")


def some_readable(n: int) -> Callable[[Ask], Reaction]:
    """The first so many replies state a verdict."""
    texts = iter(["correct"] * n)
    return lambda ask: Reaction(text=next(texts, "hmm"))


def as_asked(ask: Ask) -> Reaction:
    return Reaction(text='{"verdict": "correct"}' if "response_format" in ask.body else "correct")


# the end of a run -------------------------------------------------------------------------------


def test_a_judge_that_cannot_be_read_is_no_success(judging: Judging) -> None:
    done = judging.run(code=75)
    lines = done.err.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("warning: small cannot be read"))
    assert lines[at] == "warning: small cannot be read: 12 of its 12 replies state no verdict"
    for example in lines[at + 1 : at + 4]:
        assert re.fullmatch(
            r"  trivia_judging_mini \d, model-\w+: [^\x1b\x9b\u202e]+: "
            r'"well ⟨U\+001B⟩\[31m⟨U\+202E⟩⟨U\+009B⟩2J⟨U\+E0041⟩ hmm Verdict: correct\?"',
            example,
        ), example
    command = re.search(r"`judgebench (replies small --unreadable --store \S+)`", lines[at + 4])
    assert command, lines[at + 4]
    assert f"run {judging.folder}/suite.yaml --again small" in lines[at + 4]
    assert lines[-1].startswith("run ")  # what scripts read stays the last line
    shown = runs.typed(*command[1].split())
    assert shown.code == 0
    assert shown.out.count("unreadable: ") == 12
    assert "12 unreadable replies of small" in shown.out

    again = judging.run(code=75)  # nobody is asked, and the board stands on the same replies
    assert "12 of its 12 replies" in again.err
    assert judging.asked() == 12


@pytest.mark.parametrize(
    ("limit", "good", "code"),
    [(6, 2, 75), (6, 3, 0), (10, 10, 75), (10, 11, 0), (4, 0, 0)],
    ids=["ten of 12", "nine of 12", "half of 20", "less than half", "eight of eight"],
)
def test_from_half_and_from_ten_on(judging: Judging, limit: int, good: int, code: int) -> None:
    judging.react = some_readable(good)
    done = judging.run(limit=limit, code=code)
    assert ("cannot be read" in done.err) == (code == 75)
    assert f"{2 * limit - good} unreadable" in done.err


def test_what_needed_no_reply_is_none(judging: Judging) -> None:
    """Blank answers are judged without a call, and are no replies that could be read."""
    rows = [
        {"benchmark": BENCHMARK, "item_id": str(n), "model": "mine", "text": "" if n < 15 else "x"}
        for n in range(25)
    ]
    answers = judging.folder / "answers.jsonl"
    answers.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    done = judging.run(limit=25, takers=["mine"], answers=answers, code=75)
    assert judging.asked() == 10
    assert "10 of its 10 replies" in done.err


def test_a_function_that_cannot_be_read_is_no_success(judging: Judging) -> None:
    """It has no replies: its verdicts count, and the advice is not that somebody be asked."""
    source = "def fussy(item, answer):\n    return len(item.id) > {least} or [][1]\n"

    def run(least: int, code: int) -> str:
        (judging.folder / f"fussy{least}.py").write_text(source.format(least=least))
        own = {"name": "own", "kind": "python", "options": {"function": f"fussy{least}:fussy"}}
        names = {"judges": ["exact_match", "own"]}
        return judging.run(limit=25, judges=[own], benchmark=names, code=code).err

    said = run(9, 75)
    assert "warning: own cannot be read: 49 of its 49 verdicts are unreadable\n" in said
    assert re.search(
        r"  trivia_judging_mini \d+, model-\w+: fussy raised IndexError: .* range\n", said
    )
    assert said.count("cannot be read") == 1
    assert "--again" not in said
    commands = re.findall(r"`judgebench ([^`]+)`", said)
    assert [one.split()[0] for one in commands] == ["replies", "forget"]
    shown, forgotten = (runs.typed(*shlex.split(one)) for one in commands)
    assert shown.out.count("unreadable: fussy raised") == 49
    assert (forgotten.code, "49 judgments" in forgotten.out) == (0, True)
    assert ", 0 verdicts given, 0 unreadable" in run(9, 75)
    assert "with --yes has the next run judge them anew" in said
    runs.typed(*shlex.split(commands[1]), "--yes")
    assert ", 49 verdicts given, 49 unreadable" in run(9, 75)
    assert "cannot be read" not in run(1, 0)  # it can say something of items 10 to 24, of 25


def test_a_judge_that_could_ask_nobody_is_no_success(judging: Judging) -> None:
    """Its prompt shows what no item has: nobody is asked, and nothing is said."""
    prompt = judging.folder / "prompt.md"
    prompt.write_text("Is {answer} like {item.nowhere}? correct or incorrect")
    judge = {
        "prompt": str(prompt),
        "read": {"first_word": {"correct": "correct", "incorrect": "incorrect"}},
        "labels": ["correct", "incorrect"],
    }
    said = judging.run(judge=judge, code=75).err
    assert judging.asked() == 0
    assert "small cannot be read: 12 of its 12 verdicts are unreadable" in said
    assert re.search(r"trivia_judging_mini \d, model-\w+: the item has no \S*nowhere\n", said)


def test_each_judge_counts_by_itself(judging: Judging) -> None:
    """Of two judges, the one that cannot be read is named."""
    judging.react = lambda ask: Reaction(text="x" if "response_format" in ask.body else "correct")
    other = {"name": "other", "options": {"format": "json"}}
    done = judging.run(more_judges=[other], code=75)
    assert "warning: other cannot be read: 12 of its 12 replies" in done.err
    assert "small cannot be read" not in done.err


def test_of_two_judges_of_one_name_the_one_that_is_meant_is_shown(judging: Judging) -> None:
    judging.run(code=75)
    done = judging.run(judge={"options": {"prompt": "long"}}, code=75)  # called alike, another one
    command = re.search(r"`judgebench (replies [0-9a-f]{12} --unreadable --store \S+)`", done.err)
    assert command, done.err
    shown = runs.typed(*command[1].split(), "--format", "json")
    assert len(json.loads(shown.out)["replies"]) == 12


# asking anew ------------------------------------------------------------------------------------


def test_asked_anew_it_is_read_and_earlier_runs_keep_what_they_had(judging: Judging) -> None:
    judging.run(code=75)
    assert judging.asked() == 12
    judging.react = readable
    judging.run(code=75)
    assert judging.asked() == 0  # asking the same again does not help
    suite = judging.folder / "suite.yaml"
    foretold = json.loads(runs.typed("plan", suite, "--again", "small", "--format", "json").out)
    assert foretold["total"]["judge_calls"] == 12
    assert judging.asked() == 0

    judging.run("--again", "small")
    assert judging.asked() == 12
    assert judging.verdicts() == {"label": 12}
    assert judging.verdicts("latest~1") == {"unreadable": 12}

    judging.run()  # no third time, and the new verdicts go on counting
    assert judging.asked() == 0
    assert judging.verdicts() == judging.verdicts("latest") == {"label": 12}
    assert runs.planned(suite) == {"generations": 0, "judge_calls": 0, "recorded": 36}


def test_new_items_are_asked_once_after_an_asking_anew(judging: Judging) -> None:
    judging.react = readable
    judging.run(limit=3)
    judging.run("--again", "small", limit=3)
    assert judging.asked() == 12
    judging.run(limit=5)
    assert judging.asked() == 4
    judging.run(limit=5)
    assert judging.asked() == 0
    judging.run("--again", "small", limit=5)  # all of them, since the last one was finished
    assert judging.asked() == 10


def test_only_the_named_judge_is_asked_anew(judging: Judging) -> None:
    other = {"name": "other", "options": {"format": "json"}}
    judging.react = as_asked
    judging.run(more_judges=[other])
    assert judging.asked() == 24
    judging.run("--again", "other", more_judges=[other])
    assert all("response_format" in ask.body for ask in judging.server.asks)
    assert judging.asked() == 12


def test_an_asking_anew_that_failed_in_part_goes_on(judging: Judging) -> None:
    """What came back is not paid for twice; a finished one is followed by the next."""
    judging.react = readable
    judging.run()
    assert judging.asked() == 12
    failing = iter(range(5))

    def react(ask: Ask) -> Reaction:
        return readable(ask) if next(failing, None) is None else Reaction(status=400)

    judging.react = react  # the first five are refused
    judging.run("--again", "small", code=75)
    assert judging.asked() == 12
    judging.run()  # a plain run uses what there is
    assert judging.asked() == 0
    done = judging.run("--again", "small")
    assert "small goes on with what was begun on 20" in done.err
    assert judging.asked() == 5
    done = judging.run("--again", "small")
    assert "goes on" not in done.err
    assert judging.asked() == 12


def test_an_interrupted_asking_anew_goes_on(judging: Judging) -> None:
    judging.react = readable
    judging.run()
    judging.asked()

    def react(ask: Ask) -> Reaction:
        if len(judging.server.asks) == 3:
            os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does
        return readable(ask)

    judging.react = react
    judging.run("--again", "small", code=130)
    first = judging.asked()
    assert 3 <= first < 12
    judging.react = readable
    judging.run("--again", "small")
    assert first + judging.asked() == 12
    assert judging.verdicts("latest") == {"label": 12}


def test_nothing_changes_on_another_benchmark(judging: Judging, tmp_path: Path) -> None:
    """The same questions to the same judge, as another benchmark asks them."""
    items = tmp_path / "items.jsonl"
    rows = ({"id": str(n), "prompt": f"Question {n}?", "reference": "yes"} for n in range(3))
    items.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    answers = tmp_path / "own.jsonl"
    answers.write_text(
        "".join(
            f"{json.dumps({'benchmark': name, 'item_id': str(n), 'model': 'm', 'text': 'yes!'})}\n"
            for name in ("one", "two")
            for n in range(3)
        )
    )
    own = [{"name": name, "items": str(items), "judges": ["small"]} for name in ("one", "two")]
    models = [{"name": "m", "responses": str(answers)}]
    judge = {"kind": "reference"}

    def run(*benchmarks: dict[str, Any], words: tuple[str, ...] = ()) -> int:
        judging.run(*words, judge=judge, models=models, benchmarks=list(benchmarks))
        return judging.asked()

    judging.react = readable
    assert run(*own) == 3  # equal cases of one judge: asked once
    judging.react = lambda ask: Reaction(text="incorrect")
    assert run(own[0], words=("--again", "small")) == 3
    assert run(*own) == 0
    with open_store(judging.url, read_only=True) as store:
        labels = {name: set(store.verdicts(name)["label"]) for name in ("one", "two")}
    assert labels == {"one": {"incorrect"}, "two": {"correct"}}


@pytest.mark.parametrize(
    ("name", "says"),
    [("smal", "no judge called 'smal'; did you mean 'small'"), ("contains", "asks nobody")],
)
def test_who_cannot_be_asked_anew(judging: Judging, name: str, says: str) -> None:
    done = judging.run("--again", name, code=64)
    assert says in done.err
    assert judging.asked() == 0


# what shows it ----------------------------------------------------------------------------------


def test_replies_and_items_are_safe_for_a_terminal_and_exact_as_json(judging: Judging) -> None:
    judging.run(code=75)
    sent = {ask.text for ask in judging.server.asks}
    for words in (
        ("replies", "small", "--unreadable"),
        ("items", "show", BENCHMARK, "3", "--judge", "small"),
        ("replies", "small", "--unreadable", "--format", "csv"),
        ("replies", "small", "--format", "md"),
        ("replies", "small", "--format", "html"),
    ):
        out = judging.said(*words).out
        assert not set("\x1b\x9b\u202e\U000e0041") & set(out), words
        assert "⟨U+001B⟩" in out, words
    for words in (
        ("replies", "small", "--unreadable", "--format", "json"),
        ("items", "show", BENCHMARK, "3", "--judge", "small", "--format", "json"),
    ):
        out = judging.said(*words).out
        assert not set("\x1b\x9b\u202e\U000e0041") & set(out), words
        data = json.loads(out)
        found = data["replies" if "replies" in data else "verdicts"]
        assert len(found) == (12 if "replies" in data else 2)
        assert {one["reply"] for one in found} == {HOSTILE}
        assert {one["prompt"] for one in found} <= sent
        assert all(one["verdict"].startswith("unreadable: ") for one in found)


def test_what_replies_shows_can_be_narrowed(judging: Judging) -> None:
    judging.react = some_readable(4)
    judging.run()

    def shown(*words: str) -> list[Any]:
        return json.loads(judging.said("replies", *words, "--format", "json").out)["replies"]

    everything = shown("small")
    assert len(everything) == 12
    assert len(shown("small", "--unreadable")) == 8
    assert len(shown("small", "--limit", "5")) == 5
    one = shown("small", "--model", "model-weak")
    assert {row["model"] for row in one} == {"model-weak"}
    assert len(one) == 6
    assert shown(everything[0]["judge_id"], "--run", "latest") == everything
    nobody = shown("contains")
    assert {row["reply"] for row in nobody} == {None}
    absent = judging.said("items", "show", BENCHMARK, "33", code=64).err
    assert "no item called '33'; did you mean '3'? The store has 6 items of it" in absent
    assert "did you mean 'small'" in judging.said("replies", "smalll", code=64).err


def test_a_huge_reply_is_broken_into_lines_in_no_time() -> None:
    """Of one word: a minute and more where it is broken from its beginning each time."""
    text = "a\n\n  b\tc\n" + "x" * 4_000_000
    began = time.process_time()
    lines = list(shown_lines(text))
    assert time.process_time() - began < 10
    assert lines[:3] == ["a", "", "  b c"]
    assert "".join(lines[3:]) == "x" * 4_000_000
    assert max(map(len, lines)) == WIDTH


def test_two_models_one_answer_are_one_reply(judging: Judging) -> None:
    rows = (
        {"benchmark": BENCHMARK, "item_id": item, "model": model, "text": "Danube?"}
        for model, item in (("a", "0"), ("b", "0"), ("b", "1"))
    )
    answers = judging.folder / "answers.jsonl"
    answers.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    judging.run(limit=1, takers=["a", "b"], answers=answers)
    frame = judgebench.replies("small", store=judging.url)
    assert isinstance(frame, pd.DataFrame)
    assert frame["places"].tolist() == [2]
    assert frame["reply"].tolist() == [HOSTILE]


def test_the_replies_of_a_cut_off_judge_are_all_told(judging: Judging) -> None:
    """A reply cut off at its limit is asked for once more: the last one was read."""
    judging.react = lambda ask: (
        Reaction(text="Well, let me", choice={"finish_reason": "length"})
        if ask.body["max_tokens"] < 50
        else Reaction(text="correct")
    )
    judging.run(limit=1, judge={"sampling": {"max_tokens": 16}})
    for row in json.loads(judging.said("replies", "small", "--format", "json").out)["replies"]:
        assert (row["reply"], row["verdict"]) == ("correct", "correct")
        assert [call["reply"] for call in row["earlier_calls"]] == ["Well, let me"]
    assert "reply 1 of 2" in judging.said("replies", "small").out


def test_verdicts_are_exported_with_their_texts(judging: Judging) -> None:
    judging.run(code=75)
    sent = {ask.text for ask in judging.server.asks}
    plain = [json.loads(line) for line in judging.said("export", "verdicts").out.splitlines()]
    lines = judging.said("export", "verdicts", "--with-text").out.splitlines()
    rows = [json.loads(line) for line in lines]
    more = {"judgment", "prompt", "reply", "reply_reasoning", "finish_reason", "earlier_calls"}
    assert [{k: v for k, v in row.items() if k not in more} for row in rows] == plain
    for row in rows:
        if row["judge"] == "small":
            assert row["reply"] == HOSTILE
            assert row["prompt"] in sent
        else:
            assert row["prompt"] is row["reply"] is None
    frame = judgebench.verdicts(BENCHMARK, store=judging.url, judges="small", with_text=True)
    assert frame["reply"].tolist() == [HOSTILE] * 12
    usual = judgebench.verdicts(BENCHMARK, store=judging.url, judges="small")
    assert frame[list(usual.columns)].equals(usual)
    table = judging.folder / "verdicts.parquet"
    judging.said("export", "verdicts", BENCHMARK, "--with-text", "--output", str(table))
    assert set(pd.read_parquet(table)["reply"].dropna()) == {HOSTILE}
    elsewhere = f"sqlite:///{judging.folder / 'other.db'}"
    taken = runs.typed("import", "verdicts", table, "--store", elsewhere)  # more columns do no harm
    assert taken.code == 0, taken.err
    assert judging.said("export", "responses", "--with-text", code=64)


# forgetting -------------------------------------------------------------------------------------


def counts(judging: Judging) -> dict[str, int]:
    with closing(sqlite3.connect(judging.folder / "store.db")) as database:
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("judgments", "uses", "replies", "texts", "looks", "anchors", "runs")
        }


def spent(judging: Judging) -> Any:
    return json.loads(judging.said("cost", "--format", "json").out)


def test_nothing_is_forgotten_without_yes(judging: Judging) -> None:
    judging.run(code=75)
    before = (judging.folder / "store.db").read_bytes()
    done = judging.said("forget", "--judge", "small")
    assert "would be forgotten: 12 judgments, which served as 12 verdicts in 1 run" in done.out
    assert "12 calls" in done.out
    assert "nothing is removed yet: --yes" in done.out
    assert (judging.folder / "store.db").read_bytes() == before


def test_what_was_forgotten_is_asked_anew(judging: Judging) -> None:
    without = judging.run(judges=[], benchmarks=[_lexical()]) and counts(judging)
    judging.run(code=75)
    assert judging.asked() == 12
    full, cost = counts(judging), spent(judging)
    judging.said("forget", "--judge", "small", "--yes")
    empty = counts(judging)
    # Prompts and replies are gone with them; what is left of the second run are its own uses.
    assert empty["replies"] == 0
    assert empty["judgments"] == without["judgments"] == full["judgments"] - 12
    assert empty["texts"] == without["texts"]
    assert spent(judging) == cost
    judging.react = readable
    judging.run()
    assert judging.asked() == 12
    assert judging.verdicts() == {"label": 12}


def _lexical() -> dict[str, Any]:
    return {"name": BENCHMARK, "judges": ["exact_match", "contains"], "limit": 6}


def test_only_the_unreadable_ones_are_forgotten_and_asked_anew(judging: Judging) -> None:
    judging.react = some_readable(2)
    judging.run(code=75)
    judging.asked()
    done = judging.said("forget", "--judge", "small", "--unreadable", "--yes", "--format", "json")
    told = json.loads(done.out)
    assert (told["removed"], told["judgments"], told["replies"]) == (True, 10, 10)
    assert counts(judging)["replies"] == 2
    judging.react = readable
    judging.run()
    assert judging.asked() == 10
    assert judging.verdicts() == {"label": 12}


def test_a_run_is_forgotten_but_for_what_other_runs_use(judging: Judging) -> None:
    judging.react = readable
    judging.run(limit=3)
    judging.run(limit=6)
    assert judging.asked() == 12
    done = judging.said("forget", "--run", "latest", "--judge", "small", "--yes")
    assert "kept: 6 judgments that serve elsewhere as well" in done.out
    assert judging.verdicts("latest~1") == {"label": 6}
    assert judging.verdicts("latest") == {}
    judging.run(limit=6)
    assert judging.asked() == 6  # those of the first run are still used


def test_one_judgment_is_forgotten_by_its_key(judging: Judging) -> None:
    judging.react = readable
    judging.run()
    judging.asked()
    keys = judgebench.replies("small", store=judging.url)["judgment"]
    assert "no key of a judgment" in judging.said("forget", "--judgments", "xyz", code=64).err
    absent = f"{int(keys[0][:10], 16) ^ 1:010x}"
    assert "no judgment begins with" in judging.said("forget", "--judgments", absent, code=64).err
    judging.said("forget", "--judgments", keys[0][:12], "--judgments", keys[3], "--yes")
    assert sorted(judgebench.replies("small", store=judging.url)["judgment"]) == sorted(
        set(keys) - {keys[0], keys[3]}
    )
    judging.run()
    assert judging.asked() == 2


def test_a_reply_that_another_judge_was_read_from_stays(judging: Judging) -> None:
    """Two judges that ask alike and read otherwise share their replies."""
    judging.react = readable
    judging.run()
    with open_store(judging.url) as store:
        columns = store.verdicts(BENCHMARK, judges=["small"], columns=JUDGED_COLUMNS)
        kept = columns["reply_keys"][0]
        judgment = store.judgment(columns["judgment"][0])
        other = store.put_judge("reader", JudgeSpec(kind="reference", model="reads otherwise"))
        assert judgment is not None
        with store.transaction():
            store.put_judgment(replace(judgment, key=b"k" * 32, judge_key=other), [])
    done = judging.said("forget", "--judge", "small", "--yes")
    assert "kept: 1 reply that other verdicts were read from" in done.out
    with open_store(judging.url, read_only=True) as store:
        assert store.reply(kept[0]) is not None
    assert counts(judging)["replies"] == 1


def test_anchors_stay_unless_their_judge_goes(judging: Judging) -> None:
    judging.react = readable
    judging.run()
    judging.said("anchors", "pin", BENCHMARK, "--judge", "small", "--answers", "4")
    judging.run("--refresh-anchors")
    keys = judgebench.replies("small", store=judging.url)["judgment"]
    words = [word for key in keys for word in ("--judgments", key)]
    done = judging.said("forget", *words, "--yes")
    assert "kept: 4 judgments, as anchors of their judge" in done.out
    assert counts(judging)["looks"] == 8
    done = judging.said("forget", "--judge", "small", "--yes")
    assert "with them 4 anchors" in done.out
    after = counts(judging)
    assert (after["looks"], after["anchors"], after["replies"]) == (0, 0, 0)
    assert judging.said("anchors", "list").code == 0


def test_people_and_imports_are_said_to_come_from_files(judging: Judging) -> None:
    judging.react = readable
    judging.run()
    labels = judging.folder / "labels.jsonl"
    rows = (
        {"benchmark": BENCHMARK, "item_id": str(n), "model": "model-weak", "judge": "human/anna"}
        | {"kind": "label", "value": "correct"}
        for n in range(3)
    )
    labels.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    judging.said("import", "labels", str(labels))
    done = judging.said("forget", "--judge", "human/anna", "--yes")
    assert "import them again" in done.out
    judging.said("import", "labels", str(labels))
    with open_store(judging.url, read_only=True) as store:
        assert len(store.verdicts(BENCHMARK, judges=["human/anna"])["label"]) == 3


def test_nothing_goes_while_a_run_is_under_way(judging: Judging) -> None:
    judging.react = readable
    judging.run()
    refused: list[str] = []

    def react(ask: Ask) -> Reaction:
        if not refused:
            with pytest.raises(StoreError) as error:
                api.forget(judges="small", store=judging.url, remove=True)
            refused.append(str(error.value))
        return readable(ask)

    judging.react = react
    judging.run("--again", "small")
    assert "is under way" in refused[0]
    assert judging.verdicts("latest~1") == {"label": 12}


def test_what_was_forgotten_is_found_by_no_search(judging: Judging) -> None:
    judging.react = lambda ask: Reaction(text="zyzzyva is no verdict")
    judging.run(code=75)

    def found() -> int:
        with open_store(judging.url, read_only=True) as store:
            return len(search(store, "zyzzyva", limit=50).hits)

    assert found() == 12
    keys = judgebench.replies("small", store=judging.url)["judgment"]
    judging.said("forget", "--judgments", keys[0], "--yes")
    assert found() == 11
    judging.said("forget", "--judge", "small", "--yes")
    assert found() == 0
    judging.react = readable  # the new judgments may have the numbers of the old ones
    judging.run()
    assert found() == 0


def test_something_has_to_be_named(judging: Judging) -> None:
    judging.react = readable
    judging.run()
    assert "--judge, --run or --judgments" in judging.said("forget", "--yes", code=64).err
    assert "no judge called" in judging.said("forget", "--judge", "x", "--yes", code=64).err
    assert "no run called" in judging.said("forget", "--run", "x", "--yes", code=64).err
