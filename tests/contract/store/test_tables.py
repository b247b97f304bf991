"""What reports and notebooks read: columns, views, exported files."""

from __future__ import annotations

import csv
import json
import math
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from judgebench import keys
from judgebench.errors import StoreError
from judgebench.records import (
    Failure,
    Item,
    JudgeSpec,
    Judgment,
    Label,
    Message,
    ModelSpec,
    Order,
    Preference,
    Response,
    RunManifest,
    Runtime,
    RunVerdict,
    Score,
    Unreadable,
    Usage,
    Verdict,
    VerdictSlot,
)
from judgebench.store.copy import responses_of, verdicts_of, write_table
from judgebench.store.read import COUNTERS, FAILURE_COLUMNS, RESPONSE_COLUMNS, VERDICT_COLUMNS
from judgebench.store.store import Store
from tests.postgres import beside

A, B = ModelSpec(weights="a"), ModelSpec(weights="b")
STRICT = JudgeSpec(kind="reference", model="judge-1", official_prompt=True)
HUMAN = JudgeSpec(kind="human")
CATEGORIES = {"0": "people", "1": None, "10": "places"}


class Bench:
    """A store with two models and two judges, and short ways to add to it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.a, self.b = store.put_model("model-a", A), store.put_model("model-b", B)
        self.strict = store.put_judge("strict", STRICT)
        self.human = store.put_judge("human/ann", HUMAN)
        self.count = 0
        for run_id in ("run-1", "run-2"):
            self.start(run_id)
        for version in ("v1", "v2"):
            store.put_items(
                [
                    Item(
                        benchmark="trivia",
                        version=version,
                        id=item_id,
                        turns=(Message(role="user", content=f"question {item_id}"),),
                        category=category,
                    )
                    for item_id, category in CATEGORIES.items()
                ]
            )

    def start(self, run_id: str) -> None:
        self.store.start_run(
            RunManifest(
                id=run_id, name="n", configuration={}, versions={}, git_sha=None, data_sha={},
                seeds={}, started=1.0,
            )
        )  # fmt: skip

    def place(
        self,
        item_id: str = "0",
        *,
        version: str = "v1",
        model: bytes | None = None,
        judge: bytes | None = None,
        opponent: bytes | None = None,
        order: Order = "single",
        sample: int = 0,
        repeat: int = 0,
    ) -> VerdictSlot:
        return VerdictSlot(
            benchmark="trivia", version=version, item_id=item_id, model_key=model or self.a,
            judge_key=judge or self.strict, opponent_key=opponent, order=order, sample=sample,
            repeat=repeat,
        )  # fmt: skip

    def judge(
        self,
        verdict: Verdict,
        place: VerdictSlot,
        run_id: str = "run-1",
        marks: tuple[str, ...] = (),
    ) -> bytes:
        self.count += 1
        key = keys.content_key("test", self.count)
        judgment = Judgment(
            key=key, judge_key=place.judge_key, case_key=key, verdict=verdict,
            served_model="judge-1-0613", at=float(self.count), marks=marks,
        )  # fmt: skip
        self.store.put_judgment(
            judgment, [RunVerdict(run_id=run_id, place=place, judgment_key=key)]
        )
        return key


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store)


def rows(columns: dict[str, list[object]], *names: str) -> list[tuple[object, ...]]:
    return list(zip(*(columns[name] for name in names), strict=True))


def test_every_kind_of_verdict_has_its_columns(bench: Bench) -> None:
    bench.judge(Label(name="correct", p=0.75), bench.place("0"))
    bench.judge(Score(value=7, low=1, high=10), bench.place("1"))
    bench.judge(Unreadable(reason="no verdict\0"), bench.place("10"))
    columns = bench.store.verdicts("trivia")
    assert tuple(columns) == VERDICT_COLUMNS
    assert rows(columns, "item_id", "category", "kind", "label", "value", "p", "reason") == [
        ("0", "people", "label", "correct", None, 0.75, None),
        ("1", None, "score", None, 7.0, None, None),
        ("10", "places", "unreadable", None, None, None, "no verdict\0"),
    ]
    assert rows(columns, "low", "high")[1] == (1.0, 10.0)
    first = {name: values[0] for name, values in columns.items()}
    assert first == {
        "benchmark": "trivia", "version": "v1", "item_id": "0", "category": "people",
        "model": "model-a", "model_id": bench.a.hex()[:12], "opponent": None, "opponent_id": None,
        "judge": "strict", "judge_id": bench.strict.hex()[:12], "judge_kind": "reference",
        "official_prompt": True, "order": "single", "sample": 0, "turn": 0, "kind": "label",
        "label": "correct", "value": None, "p": 0.75, "low": None, "high": None, "reason": None,
        "served_model": "judge-1-0613", "run_id": "run-1", "at": 1.0, "repeat": 0, "parts": None,
        "marks": (),
    }  # fmt: skip


def test_a_preference_is_told_from_the_models_side_whatever_was_shown_first(bench: Bench) -> None:
    shown_first = Preference(winner=0, p_first=0.75)
    for order in ("model_first", "opponent_first", "single"):
        bench.judge(shown_first, bench.place(opponent=bench.b, order=order))
    columns = bench.store.verdicts("trivia")
    assert set(rows(columns, "order", "value")) == {
        ("model_first", 0.75),
        ("opponent_first", 0.25),
        ("single", 0.75),
    }
    assert set(columns["opponent"]) == {"model-b"}
    stored = bench.store.current("trivia", "v1").values()
    assert {verdict for _, verdict in stored} == {shown_first}


def test_the_newest_use_of_a_place_counts_and_earlier_ones_stay(bench: Bench) -> None:
    place = bench.place(judge=bench.human)
    older = bench.judge(Label(name="correct"), place, "run-2")
    bench.judge(Label(name="incorrect"), place, "run-1")
    bench.judge(Label(name="correct"), bench.place(judge=bench.human, sample=1))
    columns = bench.store.verdicts("trivia")
    assert rows(columns, "sample", "label") == [(0, "incorrect"), (1, "correct")]
    assert bench.store.current("trivia", "v1")[place][1] == Label(name="incorrect")
    assert bench.store.judged([older]) == {older}
    # The label taken back within one run: a new event, not the old one.
    bench.judge(Label(name="correct"), place, "run-1")
    assert bench.store.verdicts("trivia")["label"] == ["correct", "correct"]


def test_repeats_stand_beside_each_other_and_each_has_its_newest_use(bench: Bench) -> None:
    for repeat in (2, 0, 1):
        bench.judge(Score(value=repeat, low=0, high=9), bench.place(repeat=repeat))
    bench.judge(Score(value=9, low=0, high=9), bench.place(repeat=1), "run-2")
    columns = bench.store.verdicts("trivia")
    assert rows(columns, "repeat", "value") == [(0, 0.0), (1, 9.0), (2, 2.0)]
    current = bench.store.current("trivia", "v1")
    assert {place.repeat for place in current} == {0, 1, 2}
    assert current[bench.place(repeat=2)][1] == Score(value=2, low=0, high=9)


def test_a_use_after_the_clock_was_set_back_is_still_the_newest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = bench.place(judge=bench.human)
    for name, now in (("correct", 2e9), ("incorrect", 1e9), ("correct", 1e9), ("unsure", 1.5e9)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        bench.judge(Label(name=name), place)
        assert bench.store.verdicts("trivia")["label"] == [name]
        _, view = query(bench, "SELECT label FROM verdicts_v1")
        assert view == [(name,)]


def test_parts_and_marks_are_told_and_who_looked_for_none_says_so(bench: Bench) -> None:
    parts = {"tone": 8.0, "facts": math.nan}
    bench.judge(Score(value=7, low=1, high=10, parts=parts), bench.place("0"), marks=("cut",))
    bench.judge(Label(name="correct"), bench.place("1"))
    bench.judge(Label(name="correct"), bench.place("10", judge=bench.human))
    columns = bench.store.verdicts("trivia")
    assert rows(columns, "item_id", "marks") == [("0", ("cut",)), ("1", ()), ("10", None)]
    first, *others = columns["parts"]
    assert first == {"tone": 8.0, "facts": pytest.approx(math.nan, nan_ok=True)}
    assert others == [None, None]
    names, found = query(bench, "SELECT item_id, parts, marks FROM verdicts_v2 ORDER BY item_id")
    assert names == ["item_id", "parts", "marks"]
    assert found == [
        ("0", '{"facts":NaN,"tone":8.0}', '["cut"]'), ("1", None, "[]"), ("10", None, None)
    ]  # fmt: skip


def test_a_judgment_reused_by_a_later_run_counts_again(bench: Bench) -> None:
    place = bench.place()
    first = bench.judge(Label(name="correct"), place, "run-1")
    bench.judge(Label(name="incorrect"), place, "run-2")
    bench.start("run-3")
    bench.store.put_uses([RunVerdict(run_id="run-3", place=place, judgment_key=first)])
    assert rows(bench.store.verdicts("trivia"), "label", "run_id", "at") == [
        ("correct", "run-3", 1.0)
    ]


def test_verdicts_are_chosen_by_version_judge_and_model(bench: Bench) -> None:
    for version in ("v1", "v2"):
        for model in (bench.a, bench.b):
            for judge in (bench.strict, bench.human):
                place = bench.place(version=version, model=model, judge=judge)
                bench.judge(Label(name="correct"), place)
    read = bench.store.verdicts
    assert len(read("trivia")["label"]) == 8
    assert set(read("trivia", "v2")["version"]) == {"v2"}
    assert set(read("trivia", judges=["strict"])["judge"]) == {"strict"}
    assert set(read("trivia", judges=[bench.human.hex()[:12]])["judge"]) == {"human/ann"}
    assert rows(read("trivia", "v1", judges=[bench.human], models=["model-b"]), "model") == [
        ("model-b",)
    ]
    for nothing in (read("other"), read("trivia", "v3"), read("trivia", judges=["nobody"])):
        assert nothing == {name: [] for name in VERDICT_COLUMNS}
    bench.store.put_model("renamed", A)
    assert set(read("trivia", models=["model-a"])["model"]) == {"renamed"}


def test_one_name_of_two_models_is_shown_as_two(bench: Bench) -> None:
    bench.store.put_model("model-a", B)
    for model in (bench.a, bench.b):
        bench.judge(Label(name="correct"), bench.place(model=model))
    columns = bench.store.verdicts("trivia", models=["model-a"])
    assert columns["model"] == ["model-a", "model-a"]
    assert sorted(columns["model_id"]) == sorted([bench.a.hex()[:12], bench.b.hex()[:12]])


def test_failures_stand_at_their_place(bench: Bench) -> None:
    bench.store.put_failure(
        Failure(
            key=bytes(32), boundary="provider", message="503", retriable=True, kind="server",
            place=bench.place("10", opponent=bench.b, order="opponent_first", repeat=2),
        )
    )  # fmt: skip
    columns = bench.store.failures("trivia", "v1")
    assert rows(columns, "item_id", "category", "model", "opponent", "judge", "order") == [
        ("10", "places", "model-a", "model-b", "strict", "opponent_first")
    ]
    assert rows(columns, "boundary", "message", "retriable", "attempts", "repeat", "kind") == [
        ("provider", "503", True, 1, 2, "server")
    ]
    assert tuple(columns) == FAILURE_COLUMNS
    assert bench.store.failures("trivia", "v2")["message"] == []


def answer(bench: Bench, item_id: str, stack: Runtime | None, text: str) -> Response:
    return Response(
        benchmark="trivia", version="v1", item_id=item_id, model_key=bench.a, text=text, raw=text,
        usage=Usage(completion_tokens=3), stack=stack, source="lm_eval",
    )  # fmt: skip


def test_responses_are_told_for_each_stack_and_the_newest_is_marked(bench: Bench) -> None:
    stack = Runtime(backend="hf", versions={"torch": "2.6"})
    bench.store.put_responses({bytes(32): answer(bench, "0", None, "old")})
    bench.store.put_responses({bytes(32): answer(bench, "0", stack, "new")})
    bench.store.put_responses({b"1" * 32: answer(bench, "1", stack, "other \0")})
    columns = bench.store.responses_table("trivia")
    assert tuple(columns) == RESPONSE_COLUMNS
    assert rows(columns, "item_id", "text", "newest", "completion_tokens") == [
        ("0", "new", True, 3),
        ("0", "old", False, 3),
        ("1", "other \0", True, 3),
    ]
    assert json.loads(str(columns["stack"][0]))["backend"] == "hf"
    assert columns["stack"][1] is None


SPEND_COLUMNS = (
    "run_id", "benchmark", "version", "model", "model_id", "judge", "judge_id", "how", "provider",
    "requested_model", *COUNTERS,
)  # fmt: skip
VIEWS = {
    "verdicts_v1": [
        name for name in VERDICT_COLUMNS if name not in ("repeat", "parts", "marks")
    ],
    "verdicts_v2": list(VERDICT_COLUMNS),
    "spend_v1": [name for name in SPEND_COLUMNS if name != "cache_write_tokens"],
    "spend_v2": list(SPEND_COLUMNS),
    "responses_v1": [name for name in RESPONSE_COLUMNS if name != "newest"],
    "scores_v1": [
        "benchmark", "version", "judge", "judge_id", "model", "model_id", "opponent",
        "opponent_id", "kind", "label", "n", "share", "mean_value", "low", "high",
    ],
}  # fmt: skip


def query(bench: Bench, sql: str) -> tuple[list[str], list[tuple[object, ...]]]:
    """As a notebook would: SQL, and nothing of ours."""
    with beside(bench.store.url) as connection:
        found = connection.execute(text(sql))
        return list(found.keys()), [tuple(row) for row in found]


@pytest.mark.parametrize("view", VIEWS)
def test_a_views_columns_never_change(bench: Bench, view: str) -> None:
    assert query(bench, f"SELECT * FROM {view}") == (VIEWS[view], [])


def everything(bench: Bench) -> None:
    bench.judge(Label(name="incorrect"), bench.place("0"))
    bench.judge(Label(name="correct", p=0.5), bench.place("0"), "run-2")
    bench.judge(Label(name="incorrect"), bench.place("1"))
    bench.judge(Label(name="correct"), bench.place("10"))
    bench.judge(Unreadable(reason="half \ud800"), bench.place("10", sample=1))
    human = {"judge": bench.human, "version": "v2"}
    marked = Score(value=8, low=1, high=10, parts={"tone": 8.0})
    bench.judge(marked, bench.place("1", version="v2"), marks=("cut", "hidden_text"))
    bench.judge(Score(value=4, low=1, high=10), bench.place("0", **human))  # type: ignore[arg-type]
    bench.judge(Score(value=7, low=1, high=10), bench.place("1", **human))  # type: ignore[arg-type]
    for order in ("model_first", "opponent_first"):
        shown_first = Preference(winner=0, p_first=0.9)
        bench.judge(shown_first, bench.place(opponent=bench.b, order=order))
    bench.store.put_responses({bytes(32): answer(bench, "0", None, "half \ud800")})


@pytest.mark.parametrize("view", ["verdicts_v1", "verdicts_v2"])
def test_the_views_of_verdicts_tell_what_the_columns_tell(bench: Bench, view: str) -> None:
    everything(bench)
    columns = as_written(bench.store.verdicts("trivia"))
    names, found = query(bench, f"SELECT * FROM {view}")
    assert sorted(found, key=str) == sorted(rows(columns, *names), key=str)


def test_who_knows_of_no_repeats_is_shown_the_first(bench: Bench) -> None:
    for repeat in (0, 2, 1):
        bench.judge(Score(value=repeat, low=0, high=9), bench.place(repeat=repeat))
    assert query(bench, "SELECT value FROM verdicts_v1")[1] == [(0.0,)]
    assert query(bench, "SELECT n, mean_value FROM scores_v1")[1] == [(1, 0.0)]
    assert sorted(query(bench, "SELECT repeat, value FROM verdicts_v2")[1]) == [
        (0, 0.0), (1, 1.0), (2, 2.0)
    ]  # fmt: skip


def as_written(columns: dict[str, list[object]]) -> dict[str, list[object]]:
    """As files and SQL have it: every text readable, what has a structure as JSON."""

    def written(value: object) -> object:
        if isinstance(value, str):
            return value.replace("\ud800", "�")
        return (
            json.dumps(value, separators=(",", ":")) if isinstance(value, dict | tuple) else value
        )

    return {name: [written(value) for value in values] for name, values in columns.items()}


def test_the_view_of_responses_tells_what_the_columns_tell(bench: Bench) -> None:
    everything(bench)
    columns = bench.store.responses_table("trivia")
    assert columns["text"] == ["half \ud800"]
    columns["text"] = ["half �"]
    names, found = query(bench, "SELECT * FROM responses_v1")
    assert found == rows(columns, *names)


def test_the_view_of_scores_counts_and_averages(bench: Bench) -> None:
    everything(bench)
    sql = "SELECT version, judge, opponent, kind, label, n, share, mean_value FROM scores_v1"
    _, found = query(bench, sql)
    assert sorted(found, key=str) == sorted(
        [
            ("v1", "strict", None, "label", "correct", 2, 0.5, None),
            ("v1", "strict", None, "label", "incorrect", 1, 0.25, None),
            ("v1", "strict", None, "unreadable", None, 1, 0.25, None),
            ("v1", "strict", "model-b", "preference", None, 2, 1.0, pytest.approx(0.5)),
            ("v2", "human/ann", None, "score", None, 2, 1.0, 5.5),
            ("v2", "strict", None, "score", None, 1, 1.0, 8.0),
        ],
        key=str,
    )


def test_exports_hold_the_same_columns(bench: Bench, tmp_path: Path) -> None:
    everything(bench)
    folder = tmp_path / "out" / "deep"
    for suffix in (".csv", ".jsonl", ".parquet"):
        write_table(folder / f"verdicts{suffix}", verdicts_of(bench.store))
        write_table(folder / f"responses{suffix}", responses_of(bench.store))
    assert sorted(path.suffix for path in folder.iterdir()) == sorted(
        2 * [".csv", ".jsonl", ".parquet"]
    )
    for name, expected in (
        ("verdicts", bench.store.verdicts("trivia")),
        ("responses", bench.store.responses_table("trivia")),
    ):
        readable = as_written(expected)
        assert pq.read_table(folder / f"{name}.parquet").to_pydict() == readable
        lines = (folder / f"{name}.jsonl").read_text("utf-8").splitlines()
        assert [tuple(json.loads(line).values()) for line in lines] == rows(readable, *readable)
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            header, *written = csv.reader(file)
        assert header == list(expected)
        assert written == [
            ["" if value is None else str(value) for value in row]
            for row in rows(readable, *readable)
        ]


def test_an_export_of_nothing_has_its_columns(bench: Bench, tmp_path: Path) -> None:
    write_table(tmp_path / "out" / "verdicts.parquet", verdicts_of(bench.store))
    table = pq.read_table(tmp_path / "out" / "verdicts.parquet")
    assert table.column_names == list(VERDICT_COLUMNS)
    assert str(table.schema.field("value").type) == "double"


def test_an_undefined_score_is_exported_as_absent(bench: Bench, tmp_path: Path) -> None:
    bench.judge(Score(value=math.nan, low=0, high=1), bench.place())
    write_table(tmp_path / "verdicts.jsonl", verdicts_of(bench.store))
    line = json.loads((tmp_path / "verdicts.jsonl").read_text("utf-8"))
    assert (line["kind"], line["value"]) == ("score", None)


def test_an_export_below_a_file_says_why_not(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"the export to .* failed: Not a directory"):
        write_table(tmp_path / "file" / "out" / "v.csv", verdicts_of(bench.store))
