"""What a plan says of judge calls: repeats and short cuts, counted independently on the gold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from weakref import WeakSet

import pytest
import yaml

from judgebench import api
from judgebench.benchmarks.folder import load_benchmark
from judgebench.execution import plan as execution_plan
from judgebench.execution.forecast import PlanRow, Scale, Tokens, _Plan
from judgebench.records import Item
from tests import honestybench_gold
from tests.e2e import own
from tests.e2e.runs import store_url, typed
from tests.loopback import Ask, Loopback, Reaction
from tests.unit.exchanged import rows_file

NOBODY = "http://127.0.0.1:9/v1"
SAMPLES = 4
OF_EACH_SET = 60
SHORT = {"exact_match_first": True}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))


def suite(
    folder: Path,
    *,
    models: Sequence[Mapping[str, Any]],
    judges: Mapping[str, Mapping[str, Any]],
    url: str = NOBODY,
    name: str = "honestybench",
    **benchmark: Any,
) -> Path:
    """``judges`` are options by the kind of judge, which is also its name with "my-" before it."""
    at = {"provider": "openai_compatible", "base_url": url, "model": "loopback"}
    written = {
        "name": "plan",
        "models": list(models),
        "judges": [
            {"name": f"my-{kind}", "kind": kind, **at, "options": dict(options)}
            for kind, options in judges.items()
        ],
        "benchmarks": [{"name": name, "judges": [f"my-{kind}" for kind in judges], **benchmark}],
        "limits": {"max_connections": 8, "timeout_s": 20},
        "store": store_url(folder),
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    return path


def judged(rows: Sequence[PlanRow], kind: str) -> list[PlanRow]:
    return [row for row in rows if row.judge == f"my-{kind}"]


def sums(rows: Sequence[PlanRow]) -> dict[str, int]:
    names = ("verdicts", "repeated", "settled", "judge_calls", "recorded")
    return {name: sum(getattr(row, name) for row in rows) for name in names}


# gold ---------------------------------------------------------------------------------------------


def made_up(items: Sequence[Item], model: str) -> list[list[str]]:
    """Four answers to each question: accepted ones, some in other letters, wrong ones, none.

    Two models answer alike but for each seventh question.
    """
    found = []
    for n, item in enumerate(items):
        right = item.references[n % len(item.references)]
        wrong = f"I think it was in 19{n % 50:02}."
        own = f"{model} does not know."
        first = [right, wrong, f" {right.upper()} ", ""][n % 4] if n % 7 else own
        found.append([first, first, right if n % 2 else wrong, " " if n % 5 == 0 else own])
    return found


Shown = tuple[Any, ...]


def blank(text: str) -> bool:
    return not text.strip()


def folded(text: str) -> str:
    return text.strip().casefold()


def expected(
    questions: Mapping[str, Sequence[tuple[Shown, str, bool]]],
) -> dict[str, int]:
    """The counts of a plan, from (what is shown, what is asked, whether that needs nobody)."""
    shown, asked = set(), set()
    found = dict.fromkeys(("verdicts", "repeated", "settled", "judge_calls", "recorded"), 0)
    for one in questions.values():
        for case, request, settled in one:
            found["verdicts"] += 1
            if case in shown:
                found["repeated"] += 1
            elif settled:
                found["settled"] += 1
                found["recorded"] += 1
            elif request in asked:  # the same words about another case: the reply serves both
                found["recorded"] += 1
            else:
                found["judge_calls"] += 1
            shown.add(case)
            if not settled:
                asked.add(request)
    return found


def as_counted(
    items: Sequence[Item], answers: Mapping[str, list[list[str]]], kind: str, *, short: bool
) -> dict[str, int]:
    told: dict[str, list[tuple[Shown, str, bool]]] = {model: [] for model in answers}
    for model, of_model in answers.items():
        for item, texts in zip(items, of_model, strict=True):
            about: Shown = (item.question, item.references, item.category, item.subcategory)
            if kind == "equivalence":
                accepted = [folded(one) for one in item.references]
                first = texts[0]
                settled = blank(first) or (short and folded(first) in accepted)
                # Our own prompt shows each accepted answer once.
                lines = tuple(dict.fromkeys(" ".join(r.split()) for r in item.references))
                told[model].append(
                    ((*about, first, blank(first)), repr((item.question, lines, first)), settled)
                )
                continue
            for further in texts[1:]:
                pair = (texts[0], further)
                settled = any(map(blank, pair)) or (short and folded(pair[0]) == folded(pair[1]))
                told[model].append(((*about, *pair), repr((item.question, pair)), settled))
    return expected(told)


def test_calls_with_and_without_the_short_cut_on_the_golds_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty questions of each of five sets, four answers of each of two models: 2,400 verdicts.

    They are planned a tenth as many at a time as usual, so that chunks have bounds among them.
    """
    honestybench_gold.sample(tmp_path, monkeypatch)
    monkeypatch.setattr(execution_plan, "CHUNK", execution_plan.CHUNK // 10)
    of_set = Counter[str]()
    items = []
    for item in load_benchmark("honestybench").data.items:
        of_set[item.category] += 1
        items += [item] if of_set[item.category] <= OF_EACH_SET else []
    answers = {model: made_up(items, model) for model in ("a", "b")}
    rows = [
        {"benchmark": "honestybench", "item_id": item.id, "model": model, "sample": k, "text": text}
        for model, of_model in answers.items()
        for item, texts in zip(items, of_model, strict=True)
        for k, text in enumerate(texts)
    ]
    file = rows_file(tmp_path / "answers.jsonl", rows)
    models = [{"name": model, "responses": str(file)} for model in answers]
    found = {}
    for short in (False, True):
        options = SHORT if short else {}
        judges = {"equivalence": options, "consistency": options}
        path = suite(
            tmp_path, models=models, judges=judges, samples=SAMPLES, limit_by_category=OF_EACH_SET
        )
        planned = api.plan(path).rows
        for kind in judges:
            found[kind, short] = sums(judged(planned, kind))
            assert found[kind, short] == as_counted(items, answers, kind, short=short)
            told = found[kind, short]
            assert told["verdicts"] == told["repeated"] + told["recorded"] + told["judge_calls"]
    for kind, verdicts in (("equivalence", 600), ("consistency", 1800)):
        assert found[kind, False]["verdicts"] == verdicts
        assert 0 < found[kind, True]["judge_calls"] < found[kind, False]["judge_calls"]
        assert found[kind, False]["judge_calls"] < verdicts - found[kind, False]["settled"]
    # The two models share most of their answers, over chunks of items and rows of the plan.
    assert found["equivalence", False]["repeated"] > 200


# what is there and what is not --------------------------------------------------------------------

API = {"provider": "openai_compatible", "base_url": NOBODY, "model": "loopback"}
ALL = {"equivalence": SHORT, "consistency": SHORT, "stated_confidence": {}}


def small(folder: Path, *, url: str = NOBODY, **more: Any) -> Path:
    told: dict[str, Any] = {
        "models": [{"name": "taker", "api": {**API, "base_url": url}}],
        "judges": ALL,
        "name": "honestybench_mini",
        "limit": 5,
        "samples": SAMPLES,
    }
    return suite(folder, url=url, **{**told, **more})


def test_answers_that_are_not_there_are_asked_for_once_each(tmp_path: Path) -> None:
    """Nothing can be settled before it is there; a judge of confidences is asked about each."""
    rows = api.plan(small(tmp_path)).rows
    (answering,) = (row for row in rows if row.judge is None)
    assert (answering.items, answering.generations) == (20, 20)
    for kind, items in (("equivalence", 5), ("consistency", 15), ("stated_confidence", 5)):
        (row,) = judged(rows, kind)
        assert row.items == row.distinct_items == row.verdicts == row.judge_calls == items
        assert (row.repeated, row.settled, row.recorded) == (0, 0, 0)
        assert row.tokens.prompt.expected > 20 * items
        assert row.tokens.completion.expected > 0


def items_file(folder: Path) -> Path:
    """Two questions are the same; of two more that are, other answers are accepted."""
    rows = [
        {"question": "Which?", "references": ["a"]},
        {"question": "Which?", "references": ["a"]},
        {"question": "Who?", "references": ["b"]},
        {"question": "Who?", "references": ["c"]},
    ]
    return rows_file(folder / "items.jsonl", [{"id": str(n), **row} for n, row in enumerate(rows)])


def test_equal_questions_are_one_call_also_before_they_are_answered(tmp_path: Path) -> None:
    """Unless other answers are accepted: a model is asked once, a judge of its answer twice."""
    path = small(
        tmp_path,
        name="own",
        items=str(items_file(tmp_path)),
        judges={"equivalence": {}, "stated_confidence": {}},
        samples=1,
        limit=None,
    )
    rows = api.plan(path).rows
    (answering,) = (row for row in rows if row.judge is None)
    assert (answering.items, answering.generations) == (4, 2)
    (row,) = judged(rows, "equivalence")
    assert (row.verdicts, row.judge_calls, row.repeated) == (4, 3, 1)


def test_what_is_planned_is_what_is_asked_and_then_nothing_is(tmp_path: Path) -> None:
    """Answers first; what is then planned for judges is exactly what a run asks of them."""

    def reply(ask: Ask) -> Reaction:
        if "Number:" in ask.text:
            return Reaction(text="0.5")
        if "certain" in ask.text:
            return Reaction(text="certain")
        words = ("Green", "8", "eight", "")
        seed = ask.body.get("seed", 0)
        return Reaction(text=words[(len(ask.text) + seed) % len(words)])

    with Loopback(reply) as server:
        lexical = small(tmp_path, url=server.url, judges={"contains": {}})
        text = lexical.read_text(encoding="utf-8")
        own = yaml.safe_load(text)
        own["judges"], own["benchmarks"][0]["judges"] = [], ["contains"]
        lexical.write_text(yaml.safe_dump(own), encoding="utf-8")
        assert typed("run", lexical, "--quiet").code == 0
        answers = len(server.asks)
        assert answers == 20
        path = small(tmp_path, url=server.url)
        rows = api.plan(path).rows
        assert sum(row.generations for row in rows) == 0
        planned = {kind: sums(judged(rows, kind)) for kind in ALL}
        assert planned["equivalence"]["verdicts"] == 5
        assert planned["consistency"]["verdicts"] == 15
        for told in planned.values():
            assert told["verdicts"] == told["repeated"] + told["recorded"] + told["judge_calls"]
        assert planned["consistency"]["settled"] > 0
        done = typed("run", path, "--quiet")
        assert done.code == 0, done.err
        calls = sum(told["judge_calls"] for told in planned.values())
        assert len(server.asks) - answers == calls > 0
        again = {kind: sums(judged(api.plan(path).rows, kind)) for kind in ALL}
        for kind, told in again.items():
            assert (told["judge_calls"], told["settled"]) == (0, 0)
            assert told["verdicts"] == planned[kind]["verdicts"]
            assert told["verdicts"] == told["repeated"] + told["recorded"]


def test_a_further_answer_without_a_first_one_is_not_judged_yet(tmp_path: Path) -> None:
    """It has nothing to agree with."""
    items = load_benchmark("honestybench_mini").data.items[:3]
    rows = [
        {"item_id": item.id, "model": "m", "text": f"t{k}", "sample": k}
        for n, item in enumerate(items)
        for k in range(SAMPLES)
        if (n, k) != (1, 0)
    ]
    file = rows_file(tmp_path / "answers.jsonl", rows)
    models = [{"name": "m", "responses": str(file)}]
    path = small(tmp_path, models=models, limit=3, judges={"consistency": {}})
    (row,) = judged(api.plan(path).rows, "consistency")
    assert (row.verdicts, row.judge_calls) == (6, 6)


def test_the_note_says_what_is_saved(tmp_path: Path) -> None:
    items = load_benchmark("honestybench_mini").data.items[:2]
    texts = (items[0].references[0], items[0].references[0], "other", "")
    rows = [
        {"item_id": item.id, "model": "m", "text": text, "sample": k}
        for item in items
        for k, text in enumerate(texts)
    ]
    file = rows_file(tmp_path / "answers.jsonl", rows)
    models = [{"name": "m", "responses": str(file)}]
    path = small(tmp_path, models=models, limit=2, judges={"consistency": SHORT})
    done = typed("plan", path)
    assert done.code == 0
    said = " ".join(done.out.split())
    assert "my-consistency: of 6 verdicts 4 need nobody to be asked" in said
    twice = [{"name": f"m{n}", "responses": str(file)} for n in range(2)]
    for row in rows:
        row.pop("model")
    rows_file(tmp_path / "answers.jsonl", rows)
    said = typed("plan", small(tmp_path, models=twice, limit=2, judges={"consistency": SHORT})).out
    note = "my-consistency: of 12 verdicts 6 repeat a question and 4 need nobody to be asked"
    assert note in " ".join(said.split())


def test_one_question_of_two_verdicts_is_counted_once(tmp_path: Path) -> None:
    """Other answers are accepted of the second item, which this judge is not shown."""
    rows = [{"question": "Who?", "references": [reference]} for reference in "bc"]
    items = rows_file(tmp_path / "who.jsonl", [{"id": f"{n}", **r} for n, r in enumerate(rows)])
    said = [{"item_id": f"{n}", "model": "taker", "text": "somebody"} for n in range(2)]
    answers = rows_file(tmp_path / "said.jsonl", [{"benchmark": "own", **row} for row in said])
    path = small(
        tmp_path,
        name="own",
        items=str(items),
        models=[{"name": "taker", "responses": str(answers)}],
        judges={"stated_confidence": {}},
        samples=1,
        limit=None,
    )
    (row,) = judged(api.plan(path).rows, "stated_confidence")
    assert (row.verdicts, row.judge_calls, row.recorded, row.repeated) == (2, 1, 1, 0)


@pytest.mark.parametrize(("orders", "each"), [("seeded", 1), ("model_first", 1), ("both", 2)])
def test_comparisons_are_foretold_in_as_many_orders_as_are_asked_for(
    tmp_path: Path, orders: str, each: int
) -> None:
    """Also of answers that do not exist yet."""
    path = own.suite(
        tmp_path,
        items=4,
        candidates=[own.endpoint(NOBODY, "candidate")],
        judges=[own.endpoint(NOBODY, "grader", kind="pairwise")],
        benchmark={"baseline": "taker", "orders": orders},
    )
    rows = [
        row for row in api.plan(path).rows if row.judge == "grader" and row.model == "candidate"
    ]
    assert [(row.verdicts, row.judge_calls) for row in rows] == [(4 * each, 4 * each)]


def test_what_is_not_answered_is_compared_with_the_baseline_of_its_category(
    tmp_path: Path,
) -> None:
    path = suite(
        tmp_path,
        models=[{"name": "taker", "api": API | {"base_url": NOBODY}}],
        judges={"templates": {}},
        name="arena_hard_mini",
        orders="both",
    )
    (row,) = (row for row in api.plan(path).rows if row.model == "taker" and row.judge is not None)
    assert (row.items, row.verdicts, row.judge_calls) == (12, 24, 24)
    assert row.tokens.prompt.high > 0


def test_no_question_is_kept_while_they_are_counted() -> None:
    """A judge is asked a hundred thousand of them, each with its prompt."""

    class Question:
        pass

    there: WeakSet[Question] = WeakSet()

    def asked(n: int) -> list[Question]:
        new = [Question() for _ in range(n)]
        there.update(new)
        return new

    def call(_: Question) -> Tokens:
        assert len(there) <= 2 * 2  # those of this question and of the one before
        return Tokens()

    questions = [SimpleNamespace(dialogue=lambda n=n: n) for n in (2, 0, *[1] * 20)]
    plan: Any = SimpleNamespace(_next_requests=asked)
    scale: Any = SimpleNamespace(call=call)
    calls, _ = _Plan._asked(plan, questions, scale)  # type: ignore[arg-type]
    assert calls == [2, 0, *[1] * 20]


def test_samples_of_a_question_are_sized_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each counts as much as if it were sized by itself: they differ in their seeds alone."""
    sized: list[int] = []
    call = Scale.call

    def counted(self: Scale, request: Any) -> Tokens:
        sized.append(request.sample)
        return call(self, request)

    monkeypatch.setattr(Scale, "call", counted)
    endpoint = {"provider": "openai_compatible", "base_url": NOBODY, "model": "m"}
    models = [{"name": "m", "api": {**endpoint, "sampling": {"temperature": 1.0, "seed": 3}}}]

    def answers(samples: int) -> Tokens:
        path = suite(
            tmp_path, models=models, judges={"contains": {}}, name="trivia_judging_mini", limit=2,
            samples=samples,
        )  # fmt: skip
        written = yaml.safe_load(path.read_text(encoding="utf-8")) | {"judges": []}
        written["benchmarks"][0]["judges"] = ["contains"]
        path.write_text(yaml.safe_dump(written), encoding="utf-8")
        sized.clear()
        return next(row.tokens for row in api.plan(path).rows if row.judge is None)

    one, many = answers(1), answers(400)
    assert sized == [0, 0, 1, 1], "the first one, and one for all further ones"
    assert many.prompt.expected == pytest.approx(400 * one.prompt.expected)
    assert many.completion.high == pytest.approx(400 * one.completion.high)
