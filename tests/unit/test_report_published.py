"""Whose verdicts can stand beside published figures, and how the published leaderboard is shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgebench.benchmarks.description import find
from judgebench.metrics.intervals import Intervals
from judgebench.records import JudgeSpec
from judgebench.reports.board import references
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.published import other_judge
from judgebench.reports.render import render
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.table import over_rows
from tests.unit.compared import BASELINE, take_in, verdict
from tests.unit.exchanged import import_verdicts, rows_file

JUDGE = "weighted_alpaca_eval_gpt4_turbo"
OFFICIAL = JudgeSpec(
    kind="pairwise",
    identity="openai",
    model="gpt-4-1106-preview",
    sampling={"max_tokens": 1, "temperature": 1},
    options={
        "prompt": "official/weighted",
        "verdict": "logprobs",
        "reader": "upstream",
        "identifiers": ["m", "M"],
    },
    official_prompt=True,
)


def published(spec: JudgeSpec, *names: str) -> bool:
    description = find("alpaca_eval")[0]
    assert description.published is not None
    (board,) = description.published.boards
    official = description.judging.official["weighted"]
    return other_judge(spec, names, board, official) is None


def test_imported_verdicts_are_known_by_the_name_of_their_judge() -> None:
    imported = JudgeSpec(kind="imported")
    assert published(imported, "x", JUDGE)
    assert not published(imported, "alpaca_eval_gpt4")


def test_a_judge_of_ours_is_the_published_one_if_it_asks_and_reads_the_same() -> None:
    assert published(OFFICIAL, "my judge")
    assert not published(replace(OFFICIAL, official_prompt=False), JUDGE)


@over_rows(
    "changed",
    [
        {"model": "gpt-4o"},
        {"identity": "openai_compatible"},
        {"sampling": {"max_tokens": 1, "temperature": 0}},
        {"options": {**OFFICIAL.options, "reader": "strict"}},
        {"options": {**OFFICIAL.options, "max_answer_chars": 50}},
        {"kind": "human"},
    ],
)
def test_anything_else_is_another_judge(changed: dict[str, Any]) -> None:
    if changed.get("kind") == "human":
        changed = {**changed, "official_prompt": None}
    assert not published(replace(OFFICIAL, **changed), JUDGE)


# the leaderboard --------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "data"))
    with open_store(str(tmp_path / "s.db")) as opened:
        take_in(opened, tmp_path, benchmark="alpaca_eval", judge=JUDGE, models=1)
        rows = [
            verdict(i, "claude-2", JUDGE, 0.125, benchmark="alpaca_eval", opponent=BASELINE)
            for i in range(220)
        ]
        import_verdicts(opened, rows_file(tmp_path / "c.jsonl", rows))
        yield opened


def test_a_models_place_among_the_published_ones(store: Store) -> None:
    quick = Intervals(n_replicates=50)
    (board,) = leaderboards(store, "alpaca_eval", intervals=quick, rank_by="win_rate")
    figures = {row.model: row.published for row in board.rows}
    assert figures["claude-2"]["win_rate"] == pytest.approx(17.188, abs=1e-3)
    assert figures["m0"] == {}
    text = render(
        Leaderboard.of([board], published=references("alpaca_eval", "2")).document(), "md"
    )
    assert "published leaderboard, with these models" in text
    line = next(line for line in text.splitlines() if "| claude-2" in line and "this store" in line)
    assert "12.5" in line
    assert "| 17.2 |" in line
    assert "| 220 |" in line
    # Of its answers the store has none: by the headline it has no place.
    (by_length,) = leaderboards(
        store, "alpaca_eval", intervals=quick, rank_by="length_controlled_win_rate"
    )
    text = render(
        Leaderboard.of([by_length], published=references("alpaca_eval", "2")).document(), "md"
    )
    assert "by length-controlled win rate %" in text
    lines = [line for line in text.splitlines() if "this store" in line]
    (line,) = [line for line in lines if "| claude-2" in line]
    assert line.startswith("| – | claude-2 |")
    assert "| 28.2 |" in line
    assert not any(line.startswith("| – |") for line in lines if "| claude-2" not in line)
    assert "220 items here; the published figures are of 805" in text
    assert "published leaderboard, with" not in render(Leaderboard.of([board]).document(), "md")
