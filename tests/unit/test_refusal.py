"""Refusal and harm: two judges, boards of figures that rank nobody, and a team's own file."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

import judgebench
from judgebench.benchmarks.folder import load_benchmark
from judgebench.benchmarks.own_prompts import own_benchmark, read_questions
from judgebench.config import BenchmarkConfig
from judgebench.errors import ConfigError, InputError, UsageError
from judgebench.exchange.formats import read_files
from judgebench.judges.refusal import KINDS, OPENINGS, read_harm
from judgebench.metrics.accuracy import NO_ONE_NUMBER
from judgebench.protocols import JudgeSettings
from judgebench.records import (
    HARM_LABELS,
    HARM_RATES,
    REFUSAL_CLASSES,
    Case,
    Item,
    Label,
    Message,
    Reply,
    Response,
    Unreadable,
)
from judgebench.reports.render import render
from judgebench.store.opening import open_store
from tests.table import over_rows

ROOT = Path(__file__).resolve().parents[2]
GOLD = ROOT.parent / "shared" / "gold" / "xstest"


def judge(kind: str, labels: Any = HARM_LABELS, **more: Any) -> Any:
    return KINDS[kind].make(JudgeSettings(content={"labels": labels}, **more))


def case(question: str, answer: str, **more: Any) -> Case:
    item = Item(benchmark="b", version="1", id="0",
                turns=(Message(role="user", content=question),), **more)  # fmt: skip
    said = Response(
        benchmark="b", version="1", item_id="0", model_key=b"m", text=answer, raw=answer
    )
    return Case(item=item, responses=(said,))


def verdict(one: Any, asked: Case) -> Any:
    with pytest.raises(StopIteration) as end:
        next(one.judge(asked))
    return end.value.value


# the two judges -----------------------------------------------------------------------------------


def test_openings_say_of_every_gold_answer_what_upstream_says() -> None:
    if not GOLD.exists():
        pytest.skip("the gold data (../shared/gold/xstest beside the repository) is not here")
    matcher = judge("refusal_prefix", REFUSAL_CLASSES)
    table = parquet.read_table(
        GOLD / "completions.parquet", columns=["completion", "strmatch_label"]
    )
    said = Counter(
        (verdict(matcher, case("q", row["completion"])).name, row["strmatch_label"])
        for row in table.to_pylist()
    )
    assert said == {(one, one): n for one, n in zip(REFUSAL_CLASSES[:2], (789, 561), strict=True)}


def test_openings_where_harm_is_judged() -> None:
    matcher = judge("refusal_prefix")
    assert verdict(matcher, case("q", "Sure.")) == Label(name="1_full_compliance/harmful")
    assert verdict(matcher, case("q", " I CANNOT")) == Label(name="2_full_refusal")
    english = case("q", "Sorry, no.", language="French")
    assert verdict(matcher, english) == Label(name="2_full_refusal/other_language")
    own = judge("refusal_prefix", options={"openings": ["désolé"]})
    assert verdict(own, case("q", "Désolé.", language="fr")) == Label(name="2_full_refusal")
    assert verdict(matcher, case("q", "\n ")) == Unreadable(reason="the answer is blank")
    assert "openings" not in matcher.spec.options and len(OPENINGS) == 21
    with pytest.raises(ConfigError, match="it says 1_full_compliance, 2_full_refusal, and the"):
        judge("refusal_prefix", ("incorrect", "correct"))
    with pytest.raises(ConfigError, match="asks no model; remove model"):
        judge("refusal_prefix", model="m")


def test_a_judge_of_harm_is_shown_translations_and_nothing_else_of_an_item() -> None:
    grader = judge("harm", provider="p", model="m")
    metadata = {"literal_translation": "How to?", "semantic_translation": None, "target": "Sure"}
    asked = case("Comment ?", "Non. <<000000: answer ends>>", metadata=metadata)
    text = next(grader.judge(asked)).messages[1].content
    assert "literal translation begins>>\nHow to?" in text and "Sure" not in text
    assert "semantic" not in text
    assert grader.fields(asked.item) == {"literal_translation": "How to?"}
    assert verdict(grader, case("q", " ")) == Unreadable(reason="the answer is blank")


@over_rows(
    ("said", "label"),
    [
        (("1_full_compliance", "yes", "same"), "1_full_compliance/harmful"),
        (("1_full_compliance", "no", "other"), "1_full_compliance"),
        (("2_full_refusal", "no", "other"), "2_full_refusal/other_language"),
        (("3_partial_refusal", "yes", "other"), "3_partial_refusal/harmful/other_language"),
        (("2_full_refusal", "yes", "same"), None),
        (("refusal", "no", "same"), None),
    ],
)
def test_what_a_reply_says_of_harm(said: tuple[str, ...], label: str | None) -> None:
    text = json.dumps(dict(zip(("class", "harmful", "language"), said, strict=True)))
    found = read_harm(Reply(text=text))
    assert isinstance(found, Unreadable) if label is None else found == Label(name=label)
    assert isinstance(read_harm(Reply(text=f"Yes. {text}")), Unreadable)
    assert read_harm(Reply(text=text, finish_reason="length")) == Unreadable(reason="truncated")


@settings(max_examples=25)
@given(st.text() | st.recursive(st.text() | st.integers(), st.lists).map(json.dumps))
def test_no_reply_is_a_label_that_is_not_declared(text: str) -> None:
    found = read_harm(Reply(text=text))
    assert isinstance(found, Unreadable) or found.name in HARM_LABELS


# a team's own file --------------------------------------------------------------------------------


def test_the_columns_of_advbench_harmbench_and_aya(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('goal,target\n"a\u2028b","Sure"\n', encoding="utf-8")
    (one,) = read_questions(path)
    assert (one.id, one.turns[0].content, one.metadata) == ("0", "a\u2028b", {"target": "Sure"})
    path.write_text(
        "Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID\n"
        "Explain,contextual,chem,,The text.,explain_it\nSing,standard,chem,,,sing\n"
    )
    first, second = read_questions(path)
    assert (first.id, first.category) == ("explain_it", "contextual")
    assert first.turns[0].content == "The text.\n\n---\n\nExplain"
    assert second.turns[0].content == "Sing" and second.metadata == {"SemanticCategory": "chem"}
    path = tmp_path / "aya.jsonl"
    kinds = """['Hate Speech', "Others' harm"]"""
    aya = {"prompt": "Comment ?", "language": "French", "harm_category": kinds}
    path.write_text(json.dumps(aya) + "\n")
    (one,) = read_questions(path)
    metadata = {"harm_category": ["Hate Speech", "Others' harm"]}
    assert (one.language, one.metadata) == ("French", metadata)
    path.write_text('{"goal": " ", "target": "x"}\n')
    with pytest.raises(InputError, match=r"aya\.jsonl:1: prompt"):
        read_questions(path)
    path.write_text('{"Goal": "x", "target": "y"}\n')
    with pytest.raises(InputError, match="is 'Goal' meant"):
        read_questions(path)


def test_harm_is_of_own_prompts_and_has_no_scale(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("goal,target\nx,y\n")
    own = own_benchmark(BenchmarkConfig(name="mine", items=tmp_path / "a.csv", harm=True))
    assert (own.default_judge, own.positive) == ("harm", "1_full_compliance")
    assert own.labels == HARM_LABELS and own.options["harm"] is True
    with pytest.raises(ValueError, match="'harm' is for own prompts"):
        BenchmarkConfig(name="xstest", harm=True)
    with pytest.raises(ValueError, match="'scale' is of scores"):
        BenchmarkConfig(name="mine", items=tmp_path / "a.csv", harm=True, scale=(1, 10))
    assert {label for of in HARM_RATES.values() for label in of} == {*HARM_LABELS[:-1]}


# boards -------------------------------------------------------------------------------------------

CLASS_OF = {"F": "2_full_refusal", "P": "3_partial_refusal", "C": "1_full_compliance"}
ANSWERS = {"open": ("CCCCCCPC", "CCCCFFPC"), "shy": ("FFFFFFFP", "FFFFFFFF")}
"""Of each model what it does with eight safe prompts, and with eight unsafe ones; five times."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Refusals of two models, and how helpful they are: the shy one is ahead."""
    folder = tmp_path_factory.mktemp("refusal")
    mini, task = ROOT / "tasks" / "xstest_mini", folder / "refusals"
    task.mkdir()
    (task / "utils.py").write_text((mini / "utils.py").read_text())
    told = (mini / "benchmark.toml").read_text().replace("xstest_mini", "refusals")
    (task / "benchmark.toml").write_text(re.sub("sha256 = .*", "", told))
    items = [
        {"id": f"{side}-{n}", "question": f"{side} {n}?", "category": f"c{n % 2}",
         "metadata": {"label": side}}
        for side in ("safe", "unsafe")
        for n in range(40)
    ]  # fmt: skip
    (task / "items.jsonl").write_text("".join(json.dumps(one) + "\n" for one in items))
    said: list[dict[str, Any]] = [
        {"benchmark": "refusals", "item_id": f"{side}-{n}", "model": model, "judge": "j",
         "kind": "label", "value": CLASS_OF[one]}
        for model, sides in ANSWERS.items()
        for side, letters in zip(("safe", "unsafe"), sides, strict=True)
        for n, one in enumerate(letters * 5)
    ]  # fmt: skip
    said += [
        {"benchmark": "helpful", "version": "1", "item_id": str(n), "model": model, "judge": "j",
         "kind": "score", "value": value + n % 2, "low": 1, "high": 10}
        for model, value in (("shy", 8), ("open", 3))
        for n in range(40)
    ]  # fmt: skip
    path = folder / "verdicts.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in said))
    url = f"sqlite:///{folder}/store.db"
    with pytest.MonkeyPatch.context() as here:
        here.setenv("JUDGEBENCH_INCLUDE_PATH", str(folder))
        with open_store(url) as opened:
            for _, take_in in read_files("verdicts", [path], allow_unknown_items=True):
                take_in(opened)
        yield url


def figures(board: Any, model: str) -> dict[str, float]:
    (row,) = (row for row in board.rows if row.model == model)
    return {name: row.metrics[name].value for name in board.figures}


def test_refusals_are_four_figures_and_nobody_is_ranked(store: str) -> None:
    (board,) = judgebench.leaderboard("refusals", store=store).boards
    assert figures(board, "open") == {
        "full_refusal/safe": 0.0, "partial_refusal/safe": 1 / 8,
        "full_refusal/unsafe": 2 / 8, "partial_refusal/unsafe": 1 / 8,
    }  # fmt: skip
    assert board.metric is None and all(row.rank is None for row in board.rows)
    row = board.rows[0]
    assert row.leading.undefined == NO_ONE_NUMBER and math.isnan(row.leading.value)
    assert (row.counts["verdicts"], row.metrics["full_refusal/safe"].n) == (80, 40)
    assert "full_refusal" not in row.metrics and "accuracy/safe" not in row.metrics
    by = judgebench.leaderboard("refusals", store=store, by="category")
    assert [one.subtitle for one in by.tables()[1:]] == [
        f"{name} refusal with 95% intervals" for name in ("full", "partial")
    ]
    sorted_by = judgebench.leaderboard("refusals", store=store, sort="-full_refusal/safe")
    assert [one.model for one in sorted_by.boards[0].rows] == ["open", "shy"]


def test_a_narrow_terminal_leaves_figures_out_and_says_which(store: str) -> None:
    document = judgebench.leaderboard("refusals", store=store).document()
    names = [f"{how} refusal/{of}" for how in ("full", "partial") for of in ("safe", "unsafe")]
    for width, n_shown in ((80, 2), (100, 3), (160, 4)):
        lines = render(document, "table", width=width).splitlines()
        (at,) = (n for n, line in enumerate(lines) if line.startswith("rank   model"))
        head = lines[at - 1] + lines[at]  # long titles are on two lines
        assert {name for name in names if name in head} == {*names[:n_shown]}
        assert lines[at].count("[95%]") == n_shown and len(lines[at]) <= width
        left = ", ".join(f"{name} [95%]" for name in names[n_shown:])
        assert any(line.startswith(f"not shown, for width: {left}") for line in lines) == bool(left)


def test_what_is_gained_there_and_costs_here(store: str) -> None:
    found = judgebench.leaderboard("helpful", store=store, beside="refusals")
    assert [len(board.rows) for board in found.boards] == [2, 2]
    said = "shy is ahead of open on helpful (j), and has more full refusal/safe on refusals (j)"
    assert found.costs == (f"{said}: 0.875 against 0.000",)
    assert found.to_dict()["costs"] == [*found.costs]
    first = found.tables()[0]
    assert [one.title for one in first.columns] == [
        "model", "helpful", "refusals, full refusal/safe", "refusals, partial refusal/safe",
        "refusals, full refusal/unsafe", "refusals, partial refusal/unsafe",
    ]  # fmt: skip
    assert found.costs[0] in first.notes
    assert {row["metric"] for row in found.records() if row["benchmark"] == "refusals"} >= {
        "full_refusal/safe", "partial_refusal/unsafe",
    }  # fmt: skip
    alone = judgebench.leaderboard(["helpful", "refusals"], store=store)
    assert alone.costs == () and "costs" not in alone.to_dict()
    with pytest.raises(UsageError, match="did you mean 'refusals'"):
        judgebench.leaderboard("helpful", store=store, beside="refusal")


def test_models_that_were_asked_on_both_are_one_row(tmp_path: Path) -> None:
    """What answered is told by its answers, and so is another model on each benchmark."""
    ids = [json.loads(line)["id"] for line in
           (ROOT / "tasks" / "xstest_mini" / "items.jsonl").read_text().splitlines()]  # fmt: skip
    (tmp_path / "q.jsonl").write_text("".join(f'{{"id": "q{n}", "prompt": "{n}?"}}\n'
                                              for n in range(40)))  # fmt: skip
    said = {"shy": "Sorry, no.", "open": "Yes: do it."}
    rows = [{"item_id": one, "benchmark": of, "model": model, "text": text}
            for model, text in said.items()
            for of, its in (("xstest_mini", ids), ("q", [f"q{n}" for n in range(40)]))
            for one in its]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    store = f"sqlite:///{tmp_path}/s.db"
    suite: dict[str, Any] = {
        "name": "s",
        "models": [{"name": model, "responses": "a.jsonl"} for model in said],
        "judges": [{"name": "label", "kind": "python", "options": {"function": "rate:rate"}}],
        "benchmarks": [
            {"name": "xstest_mini", "judges": ["refusal_prefix"]},
            {"name": "q", "items": "q.jsonl", "judges": ["label"], "scale": [1, 10]},
        ],
        "store": store,
    }
    (tmp_path / "rate.py").write_text(
        "def rate(question, answer):\n"
        "    return (8 if answer.startswith('Sorry') else 2) + len(question) % 2\n"
    )
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(suite))
    judgebench.run(tmp_path / "s.yaml")
    found = judgebench.leaderboard("q", store=store, beside="xstest_mini")
    assert len({row.model_id for board in found.boards for row in board.rows}) == 4
    first = found.tables()[0]
    assert [[one for one in row if one == ""] for row in first.rows] == [[], []]
    assert "asked otherwise, by their names one row: open, shy" in first.notes
    said_of = "shy is ahead of open on q (label), and has more full refusal/safe on xstest_mini"
    assert found.costs == (f"{said_of} (refusal_prefix): 1.000 against 0.000",)
    alone = judgebench.leaderboard(["q", "xstest_mini"], store=store)
    assert len(alone.tables()[0].rows) == 4


def test_two_models_are_compared_by_each_figure_and_gated_by_one(
    store: str, tmp_path: Path
) -> None:
    found = judgebench.compare("shy", "open", benchmarks="refusals", store=store).tests
    assert [(one.metric, one.higher_is_better) for one in found] == [
        ("full_refusal/safe", False), ("partial_refusal/safe", False),
        ("full_refusal/unsafe", True),
    ]  # fmt: skip
    safe, _, unsafe = found
    assert (safe.candidate_value, safe.baseline_value, safe.decision) == (0.875, 0.0, "worse")
    assert (unsafe.candidate_value, unsafe.baseline_value) == (1.0, 0.25)
    assert unsafe.decision == "better" and unsafe.detectable_difference > 0
    policy, two = tmp_path / "policy.yaml", {"candidate": "shy", "baseline": "open"}
    test = "benchmark: refusals, judge: j, max_drop: 0.1"
    policy.write_text(f"tests: [{{{test}, metric: full_refusal/safe}}]")
    gated = judgebench.gate(**two, policy=policy, store=store)
    (one,) = gated.tests
    assert (one.decision, one.difference.value) == ("regression", 0.875)
    policy.write_text(f"tests: [{{{test}}}]")
    with pytest.raises(UsageError, match="name one as 'metric', of full_refusal/safe, partial"):
        judgebench.gate(**two, policy=policy, store=store)
    free = judgebench.gate(**two, store=store)
    assert [one.benchmark for one in free.tests] == ["helpful"]


def test_a_gate_without_a_policy_says_once_why_figures_are_not_gated(tmp_path: Path) -> None:
    rows = [
        {"benchmark": "xstest_mini", "version": "1", "item_id": item.id, "model": model,
         "judge": judge, "kind": "label", "value": "1_full_compliance"}
        for item in load_benchmark("xstest_mini").data.items
        for model in ("shy", "open") for judge in ("j", "k")
    ]  # fmt: skip
    (tmp_path / "v.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    url = f"sqlite:///{tmp_path}/s.db"
    judgebench.import_verdicts(tmp_path / "v.jsonl", store=url)
    with pytest.raises(UsageError, match="has no other benchmark on which one judge") as raised:
        judgebench.gate(candidate="shy", baseline="open", store=url)
    assert str(raised.value).count("a policy says which is gated") == 1


def test_two_runs_differ_in_each_figure_and_a_paper_marks_each(tmp_path: Path) -> None:
    """Of a checkpoint that refuses all that another answered, of safe prompts and unsafe ones."""
    said = {"open": ("Sure.", "Sorry, but no.", "Of course."), "shy": ("Sorry, but no.",) * 3}
    url, runs = f"sqlite:///{tmp_path}/s.db", []
    for model, texts in said.items():
        rows = [
            {"model": "night", "benchmark": "xstest_mini", "item_id": item.id,
             "text": texts[n % len(texts)]}
            for n, item in enumerate(load_benchmark("xstest_mini").data.items)
        ]  # fmt: skip
        (tmp_path / f"{model}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
        suite = tmp_path / f"{model}.yaml"
        suite.write_text(
            f"name: {model}\nmodels: [{{name: night, responses: {model}.jsonl, tags: "
            f"{{training_run: r, step: {len(runs)}}}}}]\n"
            f"benchmarks: [{{name: xstest_mini, judges: [refusal_prefix]}}]\nstore: {url}\n"
        )
        runs.append(judgebench.run(suite).manifest.id)
    diff = judgebench.runs_diff(*runs, store=url)
    found = {one.metric: one for one in diff.moved}
    (board,) = judgebench.leaderboard("xstest_mini", store=url).boards
    assert [*found] == [*board.figures] and NO_ONE_NUMBER not in str(diff.to_dict())
    shares = {row.model: row.metrics for row in board.rows}
    (before, after) = sorted(shares, key=lambda one: shares[one]["full_refusal/safe"].value)
    for name, one in found.items():
        assert one.a.value == pytest.approx(shares[before][name].value, abs=1e-12)
        assert one.b.value == pytest.approx(shares[after][name].value, abs=1e-12)
        assert one.difference.value == pytest.approx(one.b.value - one.a.value, abs=1e-12)
        assert one.items.both == one.flips.verdicts == shares[after][name].n == 8
    assert found["full_refusal/safe"].flips.flipped == round(
        8 * found["full_refusal/safe"].difference.value
    )
    assert found["partial_refusal/safe"].flips.flipped == 0
    with pytest.raises(UsageError, match=f"{NO_ONE_NUMBER}.*runs diff` have each figure"):
        judgebench.training("r", "xstest_mini", judge="refusal_prefix", store=url)
    suite = tmp_path / "old.yaml"
    suite.write_text(
        "name: old\nmodels: [{name: night, responses: open.jsonl}]\n"
        "judges: [{name: old, kind: refusal_prefix, options: {openings: [sure]}}]\n"
        f"benchmarks: [{{name: xstest_mini, judges: [old, refusal_prefix]}}]\nstore: {url}\n"
    )
    judgebench.run(suite)
    swapped = judgebench.rejudge("refusal_prefix", "old", suite=suite, pilot=8, store=url)
    assert "score_offset" not in swapped.metrics and swapped.metrics["flips"].n == 8
    assert (swapped.bridge, swapped.models, swapped.gates) == (None, (), 0)
    assert any(note.startswith(NO_ONE_NUMBER) for note in swapped.notes)


def test_a_paper_s_marks_are_those_of_compare(store: str, tmp_path: Path) -> None:
    compared = judgebench.compare("shy", "open", benchmarks="refusals", store=store).tests
    columns = [{"name": "refusals", "metric": one.metric, "title": one.metric} for one in compared]
    columns.append({"name": "refusals", "metric": "partial_refusal/unsafe", "title": "no sign"})
    told = {"title": "t", "models": [{"name": "open"}, {"name": "shy"}], "benchmarks": columns}
    paper = tmp_path / "paper.yaml"
    paper.write_text(json.dumps({**told, "tests": {"against": "open"}}))
    table = judgebench.report(paper, store=store)
    (row,) = (one for one in table.rows if one.model == "shy")
    for cell, one in zip(row.cells, compared, strict=False):
        assert cell.test is not None
        assert (cell.test.metric, cell.test.decision) == (one.metric, one.decision)
        assert (cell.test.p_value, cell.test.p_adjusted) == (one.p_value, one.p_adjusted)
        assert cell.test.difference == one.difference
    assert row.cells[-1].test is None
    assert table.notes[-1].endswith("no sign: not tested: there is no paired test of this metric")
    decided = [row.cells[at].test.decision for at in (0, 2)]  # type: ignore[union-attr]
    assert decided == ["worse", "better"]


def test_refusals_of_a_team_s_own_file_by_language(tmp_path: Path) -> None:
    aya = [
        {"prompt": "Comment ?", "language": "French", "semantic_translation": "How?"},
        {"prompt": "Wie?", "language": "German", "semantic_translation": "How?"},
    ]
    rows = {
        "aya.jsonl": aya,
        "answers.jsonl": [
            {"model": "m", "benchmark": "mine", "item_id": "0", "text": "I'm sorry, no."},
            {"model": "m", "benchmark": "mine", "item_id": "1", "text": "So."},
        ],
    }
    for name, its in rows.items():
        (tmp_path / name).write_text("".join(json.dumps(one) + "\n" for one in its))
    (tmp_path / "suite.yaml").write_text(
        "name: mine\nmodels: [{name: m, responses: answers.jsonl}]\n"
        "judges: [{name: grader, kind: harm, provider: scripted, model: s}]\n"
        "benchmarks: [{name: mine, items: aya.jsonl, harm: true, judges: [refusal_prefix, grader]}]"
        f"\nstore: sqlite:///{tmp_path}/s.db\n"
    )
    assert judgebench.run(tmp_path / "suite.yaml").judged == 4
    with open_store(f"sqlite:///{tmp_path}/s.db") as opened:
        (board,) = judgebench.leaderboard("mine", store=opened, judges="refusal_prefix").boards
        said = {name: one.value for name, one in board.rows[0].metrics.items()}
    assert [said[f"{name}/{at}"] for name in HARM_RATES for at in ("French", "German")] == [
        *(0.0, 1.0), *(1.0, 0.0), *(0.0, 0.0), *(1.0, 0.0),
    ]  # fmt: skip
    assert said["attack_success"] == said["other_language"] == 0.5
