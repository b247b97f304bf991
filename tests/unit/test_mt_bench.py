"""MT-Bench: prompts, readers, boards and imports against the gold data, and a run."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from pyarrow import parquet

from judgebench import api
from judgebench.benchmarks.data import import_data
from judgebench.benchmarks.folder import FolderBenchmark, load_benchmark
from judgebench.errors import CallError, ConfigError, InputError
from judgebench.exchange.formats import read_files
from judgebench.execution.resolve import at_turn
from judgebench.judges.prompt import PromptJudge
from judgebench.judges.readers.upstream import read_mt_bench_rating, read_mt_bench_winner
from judgebench.judges.templates import KINDS
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.paired import compare
from judgebench.protocols import JudgeSettings, NoProgress
from judgebench.providers.scripted import Drawn
from judgebench.records import Case, ChatRequest, Reply, Request, Response, Score, Unreadable
from judgebench.reports.board import Row
from judgebench.reports.compare import comparison
from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import GateTest, Policy
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.model_pairs import BY_TURN, PairData
from judgebench.reports.reproduce.mt_bench import score_columns
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from perf.mt_bench_coverage import simulate
from tests.unit.exchanged import rows_file

ROOT = Path(__file__).resolve().parents[2]
GOLD = ROOT.parent / "shared" / "gold" / "mt_bench"
FIGURES = ROOT / "tasks" / "mt_bench" / "figures"
MINI = ROOT / "tasks" / "mt_bench_mini"
FEW = Intervals(n_replicates=20)

pytestmark = pytest.mark.filterwarnings("error")
with_gold = pytest.mark.skipif(
    not GOLD.exists(), reason="the gold data (../shared/gold/mt_bench) is not here"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data home with questions, references and official prompts, as a pull makes it."""
    folder = tmp_path_factory.mktemp("mt_bench")
    prompts = json.loads((GOLD / "official_prompts.json").read_text(encoding="utf-8"))["prompts"]
    file = rows_file(
        folder / "judge_prompts.jsonl", [{"name": name, **one} for name, one in prompts.items()]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUDGEBENCH_DATA", str(folder / "home"))
        import_data("mt_bench", GOLD)
        assert import_data("mt_bench", file).prompts_missing == ()
        yield folder


@pytest.fixture(scope="module")
def bench(home: Path) -> FolderBenchmark:
    return load_benchmark("mt_bench")


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLD / "expected.json").read_text(encoding="utf-8"))
    return found


def table(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(GOLD / f"{name}.parquet").to_pylist()
    return rows


def judge_of(bench: FolderBenchmark, **options: Any) -> PromptJudge:
    usual, _ = bench.judged_with("templates", options, {})
    return KINDS["templates"].make(
        JudgeSettings(
            model="gpt-4", provider="openai", options=usual, prompts=bench.prompts,
            content=bench.judging_content,
        )
    )  # fmt: skip


def answer(item: str, *turns: str) -> Response:
    """The last turn of an answer, after those before."""
    return Response(
        benchmark="mt_bench", version="1", item_id=item, model_key=b"m", text=turns[-1],
        raw=turns[-1], turn=len(turns) - 1, before=turns[:-1],
    )  # fmt: skip


def user_sha(bench: FolderBenchmark, judge: PromptJudge, shown: Sequence[Response]) -> str:
    item = next(one for one in bench.data.items if one.id == shown[0].item_id)
    request = next(judge.judge(Case(item=at_turn(item, shown), responses=tuple(shown))))
    assert isinstance(request, ChatRequest)
    assert [one.role for one in request.messages] == ["system", "user"]
    assert request.decoding == {"temperature": 0, "max_tokens": 2048}
    return hashlib.sha256(request.messages[-1].content.encode()).hexdigest()


@with_gold
def test_every_prompt_is_upstreams_and_every_stored_verdict_is_read(bench: FolderBenchmark) -> None:
    judge, pair = judge_of(bench), judge_of(bench, templates="pair")
    assert judge.spec.official_prompt
    answers = {
        (row["model"], row["question_id"], row["sample"]): (row["turn_1"], row["turn_2"])
        for row in table("answers_judged")
    }
    single = table("judgments_single")
    for row in single:
        turns = answers[row["model"], row["question_id"], row["sample"]][: row["turn"]]
        asked = user_sha(bench, judge, [answer(str(row["question_id"]), *turns)])
        assert asked == row["user_prompt_sha256"]
        assert rating(row["judgment"]) == row["score"]
    assert len(single) == 2880
    for row in table("judgments_pair"):
        one, other = (answer(str(row["question_id"]), row[f"answer_{n}"]) for n in (1, 2))
        assert user_sha(bench, pair, [one, other]) == row["g1_prompt_sha256"]
        assert user_sha(bench, pair, [other, one]) == row["g2_prompt_sha256"]
        assert winner(row["g1_judgment"], ("model_1", "model_2")) == row["g1_winner"]
        assert winner(row["g2_judgment"], ("model_2", "model_1")) == row["g2_winner"]


@with_gold
def test_each_of_the_eight_texts_is_asked_of_its_turn_and_category(bench: FolderBenchmark) -> None:
    prompts = json.loads((GOLD / "official_prompts.json").read_text(encoding="utf-8"))["prompts"]
    math, other = (next(i for i in bench.data.items if i.category == c) for c in ("math", "stem"))
    fields = {"answer": "a{b}", "answer_a": "a{b}", "answer_b": "$c"}
    fields |= {f"{name}_{n}": text for name, text in fields.items() for n in (1, 2)}
    asked = set()
    for item in (math, other):
        texts = [turn.content for turn in item.turns]
        told = {f"question_{n}": text for n, text in enumerate(texts, 1)} | fields
        told |= {f"ref_answer_{n}": text for n, text in enumerate(item.references, 1)}
        for name, answers in (("single", ["a{b}"]), ("pair", ["a{b}", "$c"])):
            for turn in range(2):
                form = {"single": "single-v1", "pair": "pair-v2"}[name]
                form = (f"{name}-math-v1" if item is math else form) + "-multi-turn" * turn
                shown = [answer(item.id, *[text] * (turn + 1)) for text in answers]
                case = Case(item=at_turn(item, shown), responses=tuple(shown))
                request = next(judge_of(bench, templates=name).judge(case))
                assert isinstance(request, ChatRequest)
                system, user = (one.content for one in request.messages)
                assert system == prompts[form]["system_prompt"]
                wanted = prompts[form]["prompt_template"].format(question=texts[0], **told)
                assert user == wanted, form
                asked.add(form)
    assert asked == {*prompts}


def rating(text: str) -> float:
    """As FastChat stores it."""
    said = read_mt_bench_rating(Reply(text=text))
    return said.value if isinstance(said, Score) else -1.0


def winner(text: str, names: tuple[str, str] = ("A", "B")) -> str:
    said = read_mt_bench_winner(Reply(text=text))
    if isinstance(said, Unreadable):
        return "error"
    return "tie" if said.winner is None else names[said.winner]  # type: ignore[union-attr]


@with_gold
def test_replies_that_were_made_up_are_read_as_upstream_does() -> None:
    cases = json.loads((GOLD / "parser_cases.json").read_text(encoding="utf-8"))
    assert [rating(one["text"]) for one in cases["single_rating"]] == [
        one["score"] for one in cases["single_rating"]
    ]
    assert [winner(one["text"]) for one in cases["pair_verdict"]] == [
        one["winner"] for one in cases["pair_verdict"]
    ]
    assert rating("[[" + "9" * 5000 + "]]") == -1, "upstream ends with an error"


# boards of what others have judged ----------------------------------------------------------------


@pytest.fixture(scope="module")
def rows(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """The board of the gold judgments by model."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/s.db"
    with open_store(url) as store:
        for one in read_files("mt-bench", [GOLD / "judgments_single.parquet"]):
            assert one.take_in(store).warnings == ()
        (board,) = leaderboards(store, "mt_bench", intervals=FEW)
    assert (board.metric, board.scale) == ("score", (1.0, 10.0))
    return {row.model: row for row in board.rows}


@with_gold
def test_scores_by_turn_category_and_in_all_are_upstreams(
    rows: dict[str, Row], expected: dict[str, Any]
) -> None:
    for model, theirs in expected["models"].items():
        if "by_sample" in theirs:
            continue
        score = rows[model].metrics["score"]
        found = {name: one.value for name, one in rows[model].metrics.items()}
        wanted = {
            "score": theirs["official"]["average"],
            "score/turn 1": theirs["official"]["first_turn"],
            "score/turn 2": theirs["official"]["second_turn"],
            "score/unread_as_-1": theirs["unreadable_counted_as_minus_1"],
            **{f"score/{name}": mean for name, mean in theirs["category"].items()},
        }
        assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-9)
        assert [score.worst_low, score.worst_high] == pytest.approx(theirs["worst_best"], abs=1e-9)
        assert (score.n, score.missing) == (
            160 - theirs["unreadable_rows"], theirs["unreadable_rows"],
        )  # fmt: skip
        assert rows[model].counts["unreadable"] == theirs["unreadable_rows"]
        assert score.units <= 80, "both turns of a question are drawn together"


@with_gold
def test_two_runs_under_one_name_are_two_models(
    rows: dict[str, Row], expected: dict[str, Any]
) -> None:
    by_sample = expected["models"]["mistral-orpo"]["by_sample"]
    for model, sample in (("mistral-orpo", "0"), ("mistral-orpo (run 2)", "1")):
        assert rows[model].metrics["score"].value == by_sample[sample]["average"]


@with_gold
def test_a_file_that_does_not_tell_two_runs_apart_is_refused(home: Path, tmp_path: Path) -> None:
    of = [row for row in table("judgments_single") if row["model"] == "mistral-orpo"]
    keep = ("question_id", "model", "judge", "score", "turn", "judgment")
    file = rows_file(tmp_path / "x.jsonl", [{name: row[name] for name in keep} for row in of])
    with pytest.raises(InputError, match=r"x\.jsonl:\d+: value: score \d+, but .*x\.jsonl:\d+"):
        read_files("mt-bench", [file])


# files of others ----------------------------------------------------------------------------------


def judged(question: int, turn: int, value: float, **more: Any) -> dict[str, Any]:
    return {"question_id": question, "model": "m", "judge": ["gpt-4", "single-v1"], "turn": turn,
            "score": value, "judgment": f"It says \u2028 so. [[{value}]]", "tstamp": 1.5,
            **more}  # fmt: skip


def said(question: int, *turns: str, model: str = "m") -> dict[str, Any]:
    choices = [{"index": 0, "turns": list(turns)}]
    return {"question_id": question, "answer_id": "x", "model_id": model, "choices": choices}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path}/s.db") as opened:
        yield opened


def published_ratings() -> list[dict[str, str]]:
    with (FIGURES / "scores.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def compared_by_hand(model: str, other: str) -> tuple[float, float, int]:
    """Both models' mean ratings of the turns that both have, and on how many that rests."""
    ratings: dict[str, dict[tuple[str, str], float]] = {model: {}, other: {}}
    for row in published_ratings():
        if row["model"] in ratings and float(row["score"]) >= 0:
            ratings[row["model"]][row["question_id"], row["turn"]] = float(row["score"])
    both = sorted(ratings[model].keys() & ratings[other].keys())
    mine, theirs = (fmean(ratings[one][at] for at in both) for one in (model, other))
    return mine, theirs, len(both)


def test_two_models_differ_by_the_ratings_that_both_have(store: Store, tmp_path: Path) -> None:
    whole, other = "gemini-1.5-flash", "NeuralMarcoro14-7B"
    lacks = "mistral-7b_dolphin_orca_labonne_dpo"
    rows = [
        judged(int(row["question_id"]), int(row["turn"]), float(row["score"])) | {"model": one}
        for row in published_ratings()
        if (one := row["model"]) in (whole, other, lacks)
    ]
    (read,) = read_files("mt-bench", [rows_file(tmp_path / "j.jsonl", rows)],
                         allow_unknown_items=True)  # fmt: skip
    read.take_in(store)
    (board,) = leaderboards(store, "mt_bench", intervals=FEW)
    of = {row.model: row.metrics["score"] for row in board.rows}

    # Nothing is lacking: by what FastChat's two means differ, and so the board's.
    (one,) = comparison(store, whole, other).tests
    mine, theirs, n = compared_by_hand(whole, other)
    assert (one.candidate_value, one.baseline_value) == pytest.approx((mine, theirs))
    assert one.difference.value == pytest.approx(of[whole].value - of[other].value)
    assert (n, one.difference.n, one.difference.units) == (160, 320, 80)
    assert one.notes == (BY_TURN,)
    plain = PairData(store, "mt_bench").pair(BoardKind("score"), "gpt-4", (whole, other), None)
    assert plain.of_items.tolist() == plain.mean.tolist()

    # What one of them lacks counts for neither, and the other turn of that question counts once.
    (one,) = comparison(store, lacks, other).tests
    mine, theirs, n = compared_by_hand(lacks, other)
    assert n < 160 and of[lacks].missing == 160 - n
    assert (one.candidate_value, one.baseline_value) == pytest.approx((mine, theirs))
    assert one.candidate_value == pytest.approx(of[lacks].value)
    assert one.difference.value == pytest.approx(mine - theirs)
    assert (one.difference.worst_low, one.difference.worst_high) == pytest.approx(
        (of[lacks].worst_low - of[other].value, of[lacks].worst_high - of[other].value)
    )
    assert all(flip.candidate in {n / 4 for n in range(41)} for flip in one.flips)
    policy = Policy(tests=[GateTest(benchmark="mt_bench", max_drop=0.5, coverage_floor=0.1)])
    report = gate_report(store, candidate=lacks, baseline=other, policy=policy)
    assert report.tests[0].difference.value == one.difference.value
    assert any(BY_TURN in note for note in report.notes)
    assert report.tests[0].unchanged is not None
    assert report.tests[0].unchanged.meaning == "exchanged", "two turns are not one asked again"


@with_gold
def test_answers_in_fastchats_form_come_in_turn_by_turn(
    home: Path, tmp_path: Path, store: Store
) -> None:
    ids = range(81, 160)  # the last one is missing
    file = rows_file(tmp_path / "m.jsonl", [said(n, f"a\u2028{n}", "b") for n in ids])
    (one,) = read_files("mt-bench", [file])
    report = one.take_in(store)
    assert (report.new, report.warnings) == (
        158,
        ("m, turn 1: 79 of 80 questions are here", "m, turn 2: 79 of 80 questions are here"),
    )
    held = store.responses_table("mt_bench", "1")
    assert ("81", 0, "a\u202881") in zip(held["item_id"], held["turn"], held["text"], strict=True)
    bare = rows_file(tmp_path / "bad.jsonl", [{**said(81, "a"), "choices": [{"index": 0}]}])
    with pytest.raises(InputError, match=r"bad\.jsonl:1: choices: each of a list needs 'turns'"):
        read_files("mt-bench", [bare])


@with_gold
def test_a_file_that_was_resumed_or_torn(home: Path, tmp_path: Path, store: Store) -> None:
    every = [judged(n, turn, 7) for n in range(81, 161) for turn in (1, 2)]
    resumed = rows_file(tmp_path / "resumed.jsonl", [*every[:40], *every])
    (one,) = read_files("mt-bench", [resumed])
    assert (one.take_in(store).new, one.take_in(store).warnings) == (160, ())
    half = rows_file(tmp_path / "half.jsonl", [{**row, "model": "n"} for row in every[:41]])
    (one,) = read_files("mt-bench", [half])
    assert one.take_in(store).warnings == (
        "n, turn 1: 21 of 80 questions are here", "n, turn 2: 20 of 80 questions are here",
    )  # fmt: skip
    half.write_text(half.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    with pytest.raises(InputError, match=r"half\.jsonl:41"):
        read_files("mt-bench", [half])


@with_gold
def test_what_is_missing_is_told_of_its_own_file(home: Path, tmp_path: Path, store: Store) -> None:
    """Answers that are whole hide no judgments that are not, nor those of another judge."""
    whole = rows_file(tmp_path / "a.jsonl", [said(n, "a", "b") for n in range(81, 161)])
    every = [judged(n, turn, 7) for n in range(81, 161) for turn in (1, 2)]
    other = [{**row, "judge": "other"} for row in every]
    some = rows_file(tmp_path / "b.jsonl", [*every, *other[:-1]])
    answers, scores = read_files("mt-bench", [whole, some])
    assert answers.take_in(store).warnings == ()
    assert scores.take_in(store).warnings == ("m, turn 2: 79 of 80 questions are here",)


@with_gold
def test_a_call_that_failed_is_no_answer(home: Path, tmp_path: Path, store: Store) -> None:
    rows = [said(n, "a", "b") for n in range(83, 161)]
    file = [said(81, "$ERROR$", "$ERROR$"), said(82, "a", "$ERROR$"), *rows]
    (one,) = read_files("mt-bench", [rows_file(tmp_path / "m.jsonl", file)])
    report = one.take_in(store)
    assert (report.new, report.warnings) == (
        157,
        ("m, turn 1: 79 of 80 questions are here", "m, turn 2: 78 of 80 questions are here"),
    )


@with_gold
def test_a_turn_that_the_question_has_not_is_refused(home: Path, tmp_path: Path) -> None:
    for row in (judged(81, 3, 7), said(81, "a", "b", "c")):
        file = rows_file(tmp_path / "m.jsonl", [judged(81, 1, 7), row] if "score" in row else [row])
        with pytest.raises(InputError, match=r"m\.jsonl:.*turn: question 81 has 2 turns"):
            read_files("mt-bench", [file])


@with_gold
def test_a_model_alone_on_its_board_misses_what_its_file_lacks(
    home: Path, tmp_path: Path, store: Store
) -> None:
    rows = [judged(n, turn, 7) for n in range(81, 160) for turn in (1, 2)]
    (one,) = read_files("mt-bench", [rows_file(tmp_path / "some.jsonl", rows[:-1])])
    one.take_in(store)
    (board,) = leaderboards(store, "mt_bench", intervals=FEW)
    (row,) = board.rows
    found = {name: row.metrics[f"score{name}"] for name in ("", "/turn 1", "/turn 2")}
    assert [(of.n, of.missing) for of in found.values()] == [(157, 3), (79, 1), (78, 2)]
    assert (row.counts["not_asked"], row.counts["failed"], row.counts["items"]) == (3, 0, 80)
    assert found[""].value == 7.0
    worst = (157 * 7 + 3 * 1) / 160, (157 * 7 + 3 * 10) / 160
    assert (found[""].worst_low, found[""].worst_high) == pytest.approx(worst)


@with_gold
def test_games_of_one_order_only_are_refused(home: Path, tmp_path: Path) -> None:
    row = {"question_id": 81, "model_1": "m", "model_2": "n", "turn": 1, "judge": "gpt-4",
           "g1_winner": "model_1", "g1_judgment": "[[A]]"}  # fmt: skip
    with pytest.raises(InputError, match=r"one\.jsonl:1: g2_winner: is missing"):
        read_files("mt-bench", [rows_file(tmp_path / "one.jsonl", [row])])


# a run --------------------------------------------------------------------------------------------

SUITE = """
name: s
models:
  - {{name: model-plain, responses: {answers}}}
  - {{name: model-wordy, responses: {answers}}}
  - name: talker
    api: {{provider: scripted, model: t, provider_options: {{replies: [Yes., No.]}}}}
judges:
  - name: rater
    kind: templates
    provider: scripted
    model: dice
    provider_options: {{replies: ["[[7]]", "[[3.5]]", none]}}
  - name: comparer
    kind: templates
    provider: scripted
    model: dice
    provider_options: {{replies: ["[[A]]", "[[B]]", "[[C]]"]}}
    options: {{templates: pair}}
benchmarks:
  - {{name: mt_bench_mini, baseline: model-plain, judges: [rater, comparer], orders: both}}
store: sqlite:///{folder}/s.db
"""


def suite(folder: Path, answers: Path = MINI / "answers.jsonl", **changed: str) -> Path:
    text = SUITE.format(answers=answers, folder=folder)
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    file = folder / "suite.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_run_asks_and_judges_turn_by_turn(tmp_path: Path) -> None:
    file = suite(tmp_path)
    (asked,) = [row for row in api.plan(file).rows if row.model == "talker" and not row.judge]
    assert asked.generations == 16
    first = api.run(file, progress=NoProgress())
    assert (first.failed, first.judged, first.answer_calls) == (0, 48 + 64, 16)
    again = api.run(file, progress=NoProgress())
    assert (again.judged, again.known, again.answer_calls) == (0, 112, 0)
    with open_store(f"sqlite:///{tmp_path}/s.db", read_only=True) as held:
        (key,) = (model.key for model in held.models() if model.name == "talker")
        last, first_turn = sorted(
            held.answers_to("mt_bench_mini", "1", key, ["stem-0"]), key=lambda one: -one.turn
        )
        told = ["Why does ice float on water?", first_turn.text]
        assert last.prompt == "\n\n".join(
            [*told, "What would lakes be like in winter if it did not?"]
        )
        verdicts = held.verdicts("mt_bench_mini", "1")
        assert {*zip(verdicts["turn"], verdicts["order"], strict=True)} == {
            (turn, order)
            for turn in (0, 1)
            for order in ("single", "model_first", "opponent_first")
        }
        boards = leaderboards(held, "mt_bench_mini", intervals=FEW)
        data, two = PairData(held, "mt_bench_mini"), ("talker", "model-wordy")
        pair = data.pair(BoardKind("score"), "rater", two, "turn 2")
    told_of = zip(
        *(verdicts[name] for name in ("turn", "kind", "model", "item_id", "value")), strict=True
    )
    last_turn = {one[2:4]: one[4] for one in told_of if one[:2] == (1, "score")}
    apart = [
        last_turn[two[0], item] - last_turn[two[1], item]
        for item in {item for _, item in last_turn}
        if all((model, item) in last_turn for model in two)
    ]
    assert pair.metric == "score/turn 2" and {item[-2:] for item in pair.items} == {"/2"}
    assert compare(pair, alpha=0.025).observed.difference == pytest.approx(fmean(apart))
    scored = next(board for board in boards if board.metric == "score")
    assert {row.metrics["score"].n + row.metrics["score"].missing for row in scored.rows} == {16}
    assert all({"score/turn 1", "score/turn 2", "score/math"} <= {*r.metrics} for r in scored.rows)


class Asked:
    """What the talker is asked, with one second turn that `does` something else."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, does: Callable[[], object] | None) -> None:
        self.does, self.turns = does, Counter[int]()
        complete = Drawn.complete

        async def asked(provider: Drawn, request: Request) -> Reply:
            if isinstance(request, ChatRequest) and request.model == "t":
                turn = sum(one.role == "assistant" for one in request.messages)
                if turn and self.does is not None and "ice float" in request.messages[0].content:
                    self.does()
                self.turns[turn] += 1
            return await complete(provider, request)

        monkeypatch.setattr(Drawn, "complete", asked)


def fails() -> None:
    raise CallError("the server is down", retriable=False)


def board_of(url: str) -> list[tuple[Any, ...]]:
    with open_store(url, read_only=True) as held:
        table = held.verdicts("mt_bench_mini", "1")
    names = ("judge", "model", "item_id", "turn", "order", "kind", "value", "label")
    columns = zip(*(table[name] for name in names), strict=True)
    return sorted(columns, key=repr)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    api.run(suite(folder), progress=NoProgress())
    return board_of(f"sqlite:///{folder}/s.db")


def test_the_first_turn_stands_where_the_second_fails_and_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: list[tuple[Any, ...]]
) -> None:
    asked, url = Asked(monkeypatch, fails), f"sqlite:///{tmp_path}/s.db"
    file = suite(tmp_path)
    assert api.run(file, progress=NoProgress()).failed == 1
    assert asked.turns == {0: 8, 1: 7}
    with open_store(url) as held:
        (key,) = (model.key for model in held.models() if model.name == "talker")
        (only,) = held.answers_to("mt_bench_mini", "1", key, ["stem-0"])
        failed = held.failures("mt_bench_mini", "1")
        assert (only.turn, [*failed["turn"]], [*failed["item_id"]]) == (0, [1], ["stem-0"])
        boards = leaderboards(held, "mt_bench_mini", intervals=FEW)
        (score,) = (
            row.metrics["score"] for board in boards if board.metric == "score"
            for row in board.rows if row.model == "talker"
        )  # fmt: skip
        assert score.n + score.missing == 16
    with sqlite3.connect(tmp_path / "s.db") as raw:  # answers alone are enough to go on from
        raw.execute("DELETE FROM replies WHERE key IN (SELECT key FROM replies)")
    asked.does = None
    again = api.run(file, progress=NoProgress())
    assert (again.failed, again.answer_calls, asked.turns) == (0, 1, {0: 8, 1: 8})
    assert board_of(url) == undisturbed


KILLED = """
import os, pytest, signal, sys
from judgebench import api
from tests.unit.test_mt_bench import Asked
Asked(pytest.MonkeyPatch(), lambda: os.kill(os.getpid(), signal.SIGKILL))
api.run(sys.argv[1])
"""


@pytest.mark.usefixtures("forked")
def test_a_run_killed_between_two_turns_goes_on_at_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: list[tuple[Any, ...]]
) -> None:
    file = suite(tmp_path)
    run = subprocess.run([sys.executable, "-c", KILLED, str(file)], cwd=ROOT, check=False)
    assert run.returncode == -signal.SIGKILL
    with open_store(f"sqlite:///{tmp_path}/s.db", read_only=True) as held:
        (key,) = (model.key for model in held.models() if model.name == "talker")
        ids = [json.loads(line)["id"] for line in (MINI / "items.jsonl").read_text().splitlines()]
        there = Counter(one.turn for one in held.answers_to("mt_bench_mini", "1", key, ids))
    assert there[0]
    asked = Asked(monkeypatch, None)
    again = api.run(file, progress=NoProgress())
    # A reply that was recorded and not yet kept as an answer is not asked for again either.
    assert again.failed == 0
    assert all(asked.turns[turn] <= 8 - there[turn] for turn in (0, 1))
    assert board_of(f"sqlite:///{tmp_path}/s.db") == undisturbed


def test_a_turn_or_an_answer_that_is_missing_is_told(tmp_path: Path) -> None:
    ids = [json.loads(line)["id"] for line in (MINI / "items.jsonl").read_text().splitlines()]
    answers = [{**said(0, "x", "y", model=model), "question_id": id_}
               for model in ("model-plain", "model-wordy") for id_ in ids]  # fmt: skip
    answers[-1]["choices"][0]["turns"].pop()
    file = suite(tmp_path, rows_file(tmp_path / "some.jsonl", answers[1:]))
    outcome = api.run(file, progress=NoProgress())
    assert outcome.failed == 0
    told = [one for one in outcome.warnings if "has no answer for 1 of 8 items" in one]
    assert [one.partition(":")[0] for one in told] == ["model-plain", "model-wordy"]
    with open_store(f"sqlite:///{tmp_path}/s.db", read_only=True) as held:
        boards = leaderboards(held, "mt_bench_mini", intervals=FEW)
    found = {(row.model, row.metrics["score"].n + row.metrics["score"].missing) for board in boards
             if board.metric == "score" for row in board.rows}  # fmt: skip
    assert found == {("model-plain", 16), ("model-wordy", 16), ("talker", 16)}
    three = rows_file(tmp_path / "three.jsonl", [{**said(0, "x", "y", "z"), "question_id": ids[0]}])
    with pytest.raises(InputError, match="3 turns of an answer, and 2 of a question"):
        api.plan(suite(tmp_path, three))
    late = [{"item_id": ids[0], "text": "x", "turn": 1}]
    with pytest.raises(InputError, match="no answer to the turn before turn 1"):
        api.plan(suite(tmp_path, rows_file(tmp_path / "late.jsonl", late)))


def test_two_conversations_are_compared_by_those_that_are_shown_all_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    complete = Drawn.complete

    async def asked(provider: Drawn, request: Request) -> Reply:
        shown.append("\n".join(one.content for one in getattr(request, "messages", ())))
        return await complete(provider, request)

    monkeypatch.setattr(Drawn, "complete", asked)
    by_kind = "comparer\n    kind: templates"
    pair = {"    options: {templates: pair}\n": "", '"[[A]]", "[[B]]", "[[C]]"': "A, B, tie"}
    file = suite(tmp_path, **pair, **{by_kind: "comparer\n    kind: pairwise"})
    assert api.run(file, progress=NoProgress()).failed == 0
    with open_store(f"sqlite:///{tmp_path}/s.db", read_only=True) as held:
        (key,) = (model.key for model in held.models() if model.name == "talker")
        said = {o.turn: o.text for o in held.answers_to("mt_bench_mini", "1", key, ["stem-0"])}
    dialogue = f"answer 1: {said[0]}\n\nanswer 2: {said[1]}"
    both = [text for text in shown if "ice float" in text and f": {said[0]}\n\nanswer 2: " in text]
    assert len(both) == 2  # in either order
    assert all(dialogue in text and "What would lakes be like" in text for text in both)
    # A prompt of one's own is shown the same, between its lines.
    own = "{question} {answer_a} {answer_b} [[A]], [[B]] or [[C]]?"
    (tmp_path / "own.txt").write_text(own, encoding="utf-8")
    kind = {by_kind: "comparer\n    prompt: own.txt\n    read: brackets"}
    with pytest.raises(ConfigError, match=r"prompt own\.txt shows {question}, .* put {turns} in"):
        api.plan(suite(tmp_path, **pair, **kind))
    (tmp_path / "own.txt").write_text(own.replace("question", "turns"), encoding="utf-8")
    shown.clear()
    assert api.run(suite(tmp_path, **pair, **kind), progress=NoProgress()).failed == 0
    both = [text for text in shown if "ice float" in text and f": {said[0]}\n\nanswer 2: " in text]
    assert len(both) == 2
    for text in both:
        assert re.search(rf": answer [AB] begins>>\n{re.escape(dialogue)}\n<<", text)
        asked_of = text.index("conversation begins>>")
        assert asked_of < text.index("ice float") < text.index("What would lakes be like")


@pytest.mark.skipif(not FIGURES.is_dir(), reason="the figures are in a checkout alone")
def test_intervals_that_draw_questions_hold_and_those_that_draw_turns_do_not() -> None:
    """`perf/mt_bench_coverage.py` measures closely."""
    columns, _ = score_columns(FIGURES / "scores.csv")
    held, worst, apart = simulate(columns, 40, 20)["score"]
    assert 0.90 <= held <= 0.98
    assert worst >= 0.7
    assert apart < held - 0.02
