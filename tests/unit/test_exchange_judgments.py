"""Judgment files of Arena-Hard and MT-Bench: the same pairs and scores, with their replies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from judgebench.errors import InputError
from judgebench.exchange import mt_bench
from judgebench.exchange.arena_hard import NO_LABEL
from judgebench.exchange.formats import read_files
from judgebench.metrics.intervals import Intervals
from judgebench.records import Reply
from judgebench.reports.leaderboard import leaderboards
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e.runs import typed

Record = dict[str, Any]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, *records: Record) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return written


def take(store: Store, what: str, *paths: Path, **more: Any) -> int:
    return sum(take_in(store).new for _, take_in in read_files(what, paths, **more))


def said(store: Store, benchmark: str) -> set[tuple[Any, ...]]:
    table = store.verdicts(benchmark)
    columns = ("item_id", "model", "opponent", "order", "turn", "kind", "value")
    return set(zip(*(table[name] for name in columns), strict=True))


def replies(store: Store, benchmark: str) -> list[Reply]:
    found = []
    (version,) = [version for name, version in store.benchmarks() if name == benchmark]
    for key, _ in store.current(benchmark, version).values():
        judgment = store.judgment(key)
        assert judgment is not None
        found += [store.reply(one) for one in judgment.reply_keys]
    return [reply for reply in found if reply is not None]


# Arena-Hard -----------------------------------------------------------------------------------


def old(question: str, first: str | None, second: str | None, **more: Any) -> Record:
    games = [
        {"user_prompt": "…", "judgment": f"My verdict: [[{score}]]", "score": score}
        for score in (first, second)
    ]
    return {"question_id": question, "model": "m", "judge": "gpt-4", "games": games, **more}


def new(uid: str, first: str | None, second: str | None, **more: Any) -> Record:
    games = [
        {"score": score, "judgment": {"answer": f"[[{score}]]"}, "prompt": []}
        for score in (first, second)
    ]
    names = {"category": "hard_prompt", "judge": "gpt-4", "model": "m", "baseline": "base"}
    return {"uid": uid, **names, "games": games, **more}


@pytest.mark.parametrize("form", [old, new])
def test_arena_hard_shows_the_baseline_first_then_the_model(
    store: Store, write: Write, form: Callable[..., Record]
) -> None:
    file = write("model_judgment/gpt-4/m.jsonl", form("q", "B>>A", "A=B"), form("r", "A>B", "B<A"))
    assert take(store, "arena-hard", file, baseline="base") == 4
    assert said(store, "arena_hard") == {
        ("q", "m", "base", "opponent_first", 0, "preference", 1.0),
        ("q", "m", "base", "model_first", 0, "preference", 0.5),
        ("r", "m", "base", "opponent_first", 0, "preference", 0.0),
        ("r", "m", "base", "model_first", 0, "preference", 1.0),
    }
    assert all("[[" in reply.text for reply in replies(store, "arena_hard"))
    assert len(replies(store, "arena_hard")) == 4
    assert take(store, "arena-hard", file.parent, baseline="base") == 0


@pytest.mark.parametrize("label", ["A>>B", "A>B", "A=B", "A<B", "A<<B"])
def test_arena_hards_labels_read_either_way_round(store: Store, write: Write, label: str) -> None:
    mirrored = label[::-1].translate(str.maketrans("<>", "><"))
    take(store, "arena-hard", write("m.jsonl", new("q", label, None), new("r", mirrored, None)))
    won = {item: value for item, *_, kind, value in said(store, "arena_hard") if value is not None}
    assert won["q"] == won["r"]
    wanted = 0.0 if ">" in label else 1.0 if "<" in label else 0.5  # A is the baseline
    assert won["q"] == wanted


def test_arena_hards_games_without_a_verdict(store: Store, write: Write) -> None:
    record = new("q", None, "A>B")
    lost = new("r", "A>B", "A>B") | {"games": [None, {"score": "A>B", "judgment": None}]}
    take(store, "arena-hard", write("m.jsonl", record, lost))
    assert said(store, "arena_hard") == {
        ("q", "m", "base", "opponent_first", 0, "unreadable", None),
        ("q", "m", "base", "model_first", 0, "preference", 1.0),
        ("r", "m", "base", "opponent_first", 0, "unreadable", None),
        ("r", "m", "base", "model_first", 0, "preference", 1.0),
    }
    assert NO_LABEL in store.verdicts("arena_hard")["reason"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (old("q", "A>B", "A>B"), "1: baseline: is missing, .*gpt-4-0314.*--baseline NAME"),
        (new("q", "A>B", "A>B", model="base"), "1: model: 'base' cannot be its own opponent"),
        (new("q", "A>B", "A>C"), "1: games: no score called 'A>C'"),
        (new("q", "A>B", "A>B", games=[]), "1: games: two games have to stand here"),
        (new("q", "A>B", "A>B", games=[1, 2]), "1: games: an object or null"),
        (new("", "A>B", "A>B"), "1: question_id: is missing"),
        (new("q", "A>B", "A>B", judge=None), "1: judge: is missing"),
        (new("q", "A>B", "A>B", judge="panel/x"), "1: judge: 'panel/x' would be taken for a panel"),
    ],
)
def test_arena_hard_files_that_cannot_be_used(
    store: Store, write: Write, record: Record, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        take(
            store,
            "arena-hard",
            write("good.jsonl", new("q", "A>B", "B>A", model="n")),
            write("bad.jsonl", record),
        )
    assert store.runs() == []


def test_arena_hard_files_of_another_baseline_or_verdict(store: Store, write: Write) -> None:
    file = write("m.jsonl", new("q", "A>B", "B>A"))
    with pytest.raises(InputError, match="another baseline"):
        take(store, "arena-hard", file, baseline="other")
    with pytest.raises(InputError, match=r"other\.jsonl:1: value"):
        take(store, "arena-hard", file, write("other.jsonl", new("q", "B>A", "B>A")))
    assert store.runs() == []


# MT-Bench -------------------------------------------------------------------------------------


def score(question: int, value: Any, *, turn: int = 1, **more: Any) -> Record:
    return {
        "question_id": question, "model": "m", "judge": ["gpt-4", f"single-v1-{turn}"],
        "user_prompt": "…", "judgment": f"Rating: [[{value}]]", "score": value, "turn": turn,
        "tstamp": 1.5, **more,
    }  # fmt: skip


def game(question: int, first: str, second: str, *, turn: int = 1, **more: Any) -> Record:
    return {
        "question_id": question, "model_1": "m", "model_2": "n", "g1_winner": first,
        "g2_winner": second, "judge": ["gpt-4", "pair-v2"], "g1_user_prompt": "…",
        "g1_judgment": "[[A]]", "g2_user_prompt": "…", "g2_judgment": "[[B]]", "turn": turn,
        "tstamp": 1.5, **more,
    }  # fmt: skip


def test_mt_benchs_scores_of_both_turns(store: Store, write: Write) -> None:
    file = write("gpt-4_single.jsonl", score(81, 8), score(81, 7.5, turn=2), score(82, -1))
    assert take(store, "mt-bench", file) == 3
    assert said(store, "mt_bench") == {
        ("81", "m", None, "single", 0, "score", 8.0),
        ("81", "m", None, "single", 1, "score", 7.5),
        ("82", "m", None, "single", 0, "unreadable", None),
    }
    table = store.verdicts("mt_bench")
    assert set(table["judge"]) == {"gpt-4"}
    assert {(low, high) for low, high in zip(table["low"], table["high"], strict=True)} == {
        (1.0, 10.0), (None, None),
    }  # fmt: skip
    assert {reply.text for reply in replies(store, "mt_bench")} >= {"Rating: [[8]]"}
    (board,) = leaderboards(store, "mt_bench", intervals=Intervals(n_replicates=50))
    assert board.rows[0].metrics["score"].value == pytest.approx(7.75)
    assert take(store, "mt-bench", file) == 0


def test_a_file_of_mt_benchs_verdicts_is_opened_once(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    each_row = mt_bench.each_row

    def counting(path: Path, *required: Any) -> Any:
        opened.append(path)
        return each_row(path, *required)

    monkeypatch.setattr(mt_bench, "each_row", counting)
    file = write("gpt-4_single.jsonl", score(81, 8), score(82, 7), score(83, 6))
    read_files("mt-bench", [file], allow_unknown_items=True)
    assert opened == [file]
    nobody = write("nobody_single.jsonl", {**score(81, 8), "judge": None}, {"question_id": 82})
    with pytest.raises(InputError, match=r"nobody_single\.jsonl:1: judge"):
        read_files("mt-bench", [nobody], allow_unknown_items=True)


def test_mt_benchs_games_in_both_orders(store: Store, write: Write) -> None:
    file = write(
        "gpt-4_pair.jsonl",
        game(81, "model_1", "model_1"),
        game(81, "model_2", "tie", turn=2),
        game(82, "error", "model_2"),
        game(83, "model_2", "model_2", m1_score=5, m2_score=6),
    )
    assert take(store, "mt-bench", file, benchmark="mine", version="2") == 7
    assert said(store, "mine") == {
        ("81", "m", "n", "model_first", 0, "preference", 1.0),
        ("81", "m", "n", "opponent_first", 0, "preference", 1.0),
        ("81", "m", "n", "model_first", 1, "preference", 0.0),
        ("81", "m", "n", "opponent_first", 1, "preference", 0.5),
        ("82", "m", "n", "model_first", 0, "unreadable", None),
        ("82", "m", "n", "opponent_first", 0, "preference", 0.0),
        ("83", "m", "n", "single", 0, "preference", 0.0),
    }
    assert store.benchmarks() == [("mine", "2")]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (score(81, -2), "2: score: a score that FastChat reads is at least 0, not -2"),
        (score(81, 10**400), "2: score: a number has to stand here, not 1000"),
        (score(81, "8"), "2: score: a number has to stand here, not '8'"),
        (score(81, None), "2: score: a number has to stand here"),
        (score(81, 8, turn=0), "2: turn: turns are counted from 1"),
        (score(81, 8, judge=[]), "2: judge: "),
        (score(81, 8, judge=["human/", "x"]), "2: judge: 'human/' names no person"),
        (score(81, 8, model=""), "2: model: is missing"),
        (score(80, 2), "2: value: score 2, but .*:1 says score 3"),
        (game(81, "model_3", "tie"), "2: g1_winner: no winner called 'model_3'"),
        (game(81, "tie", "tie", model_2="m"), "2: model_2: 'm' cannot be its own opponent"),
        (game(81, "tie", "tie", model_2=None), "2: model_2: is missing"),
    ],
)
def test_mt_bench_files_that_cannot_be_used(
    store: Store, write: Write, record: Record, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        take(store, "mt-bench", write("bad.jsonl", score(80, 3), record))
    assert store.runs() == []


# the command line -----------------------------------------------------------------------------


def test_the_command_takes_files_and_folders(write: Write, tmp_path: Path) -> None:
    arena = write("arena/m.jsonl", old("q", "A>B", "B>A")).parent
    bench = write("mt/gpt-4_single.jsonl", score(81, 8))
    url = f"sqlite:///{tmp_path / 'cli.db'}"
    for arguments, code, message in (
        (("arena-hard", arena, "--baseline", "base"), 0, "2 verdicts, 2 new, 0 known already"),
        (("mt-bench", bench), 0, "1 answers or verdicts, 1 new, 0 known already"),
        (("mt-bench", bench, "--benchmark", "other@1"), 0, "1 answers or verdicts, 1 new"),
        (("arena-hard", arena), 65, "--baseline NAME"),
        (
            ("arena-hard", arena, "--model", "m"),
            64,
            "whose answers and verdicts these are; --model goes with",
        ),
        (
            ("mt-bench", bench, "--baseline", "b"),
            64,
            "name both models; --baseline goes with `import alpaca-eval|arena-hard`",
        ),
        (("mt-bench", tmp_path / "arena" / "none"), 64, "the suffix says what a file is"),
    ):
        found = typed("import", *arguments, "--store", url)
        assert found.code == code, found.err
        assert message in found.err
    with open_store(url, read_only=True) as store:
        assert {name for name, _ in store.benchmarks()} == {"arena_hard", "mt_bench", "other"}
