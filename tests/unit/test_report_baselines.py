"""Baselines by name: who is meant, when one moves on, and what a gate makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from judgebench.errors import InputError, UsageError
from judgebench.reports.gate import gate_report
from judgebench.reports.gate_policy import GateTest, Policy, read_gate
from judgebench.reports.gate_result import GateReport
from judgebench.reports.render import render
from judgebench.reports.versions import BaselineList, baseline_list, set_baseline
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e.runs import typed
from tests.table import over_rows
from tests.unit.exchanged import coded, import_verdicts, rows_file

GOOD, BAD = "+" * 200, "-" * 200


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "s.db")) as opened:
        rows = [
            *coded("old", "J", GOOD),
            *coded("new", "J", GOOD),
            *coded("bad", "J", BAD),
            *({**row, "benchmark": "other"} for row in coded("old", "J", GOOD)),
        ]
        import_verdicts(opened, rows_file(tmp_path / "v.jsonl", rows))
        yield opened


def gated(store: Store, candidate: str, baseline: str) -> GateReport:
    policy = Policy(tests=[GateTest(benchmark="made_up", max_drop=0.05)])
    return gate_report(store, candidate=candidate, baseline=baseline, policy=policy)


def gate_file(store: Store, folder: Path, candidate: str, baseline: str) -> Path:
    path = folder / f"{candidate}.json"
    path.write_text(json.dumps(gated(store, candidate, baseline).to_dict()))
    return path


def held(store: Store) -> dict[tuple[str, str], str]:
    name_of = {model.id: model.name for model in store.models()}
    return {(one.name, one.benchmark): name_of[one.model_id] for one in store.baselines()}


def test_a_baseline_is_set_wherever_the_model_was_judged(store: Store) -> None:
    set_baseline(store, "main", "old")
    assert held(store) == {("main", "made_up"): "old", ("main", "other"): "old"}
    (one,) = set_baseline(store, "main", "new", ["made_up"])
    assert held(store) == {("main", "made_up"): "new", ("main", "other"): "old"}
    runs = {run.id for run in store.runs()}
    assert one.run_id in runs
    shown = baseline_list(store).document()
    assert [(r["benchmark"], r["model"]) for r in shown.records] == [
        ("other", "old"), ("made_up", "new")
    ]  # fmt: skip
    history = baseline_list(store, history=True).document()
    assert [r["counts"] for r in history.records] == [False, True, True]
    assert "no longer" in render(history, "table")
    none = BaselineList(baselines=(), history=False)
    assert "none yet" in render(none.document(), "table")


def test_who_was_not_judged_is_no_baseline(store: Store) -> None:
    with pytest.raises(UsageError, match="no verdicts on a model called 'nobody'"):
        set_baseline(store, "main", "nobody")
    with pytest.raises(UsageError, match="no model called 'new' was judged on it"):
        set_baseline(store, "main", "new", ["made_up", "other"])
    with pytest.raises(UsageError, match="a baseline needs a name"):
        set_baseline(store, " ", "new")
    assert store.baselines() == []  # nothing by halves


def test_a_gate_takes_the_named_baseline_and_says_a_clash(store: Store) -> None:
    set_baseline(store, "main", "old")
    report = gated(store, "bad", "main")
    assert (report.verdict, report.tests[0].baseline, report.notes) == ("regression", "old", ())
    set_baseline(store, "new", "bad")  # also the name of a model
    report = gated(store, "old", "new")
    assert report.tests[0].baseline == "bad"
    (note,) = report.notes
    assert note.startswith("made_up@unversioned: 'new' is the baseline that was set, bad (")
    set_baseline(store, "old", "old")  # no clash: it is that model
    assert gated(store, "new", "old").notes == ()


def test_the_candidate_may_be_the_named_baseline(store: Store, tmp_path: Path) -> None:
    rows = coded("some", "J", "+" * 150 + "?" * 6 + "-" * 44)
    import_verdicts(store, rows_file(tmp_path / "some.jsonl", rows))
    set_baseline(store, "main", "some")
    report = gated(store, "some", "main")
    assert report.verdict == "pass"  # what could not be read of one is no difference to itself
    assert report.tests[0].coverage == pytest.approx((0.97, 0.97))
    assert report.notes == (
        "made_up@unversioned: the candidate is the baseline, some: nothing changed",
    )


def test_a_baseline_that_nobody_set_is_said(store: Store) -> None:
    with pytest.raises(UsageError, match=r"no model called 'main'.*Nor has a baseline that name"):
        gated(store, "new", "main")
    set_baseline(store, "Main", "old")
    with pytest.raises(UsageError, match=r"baseline that name \(did you mean 'Main'\?\)"):
        gated(store, "new", "main")


def test_only_what_passed_becomes_the_baseline(store: Store, tmp_path: Path) -> None:
    set_baseline(store, "main", "old")
    passed = read_gate(gate_file(store, tmp_path, "new", "main"))
    assert passed.verdict == "pass"
    (one,) = set_baseline(store, "main", "new", passed=passed)
    assert (one.benchmark, held(store)["main", "other"]) == ("made_up", "old")
    with pytest.raises(UsageError, match=r"the gate was about the model .* and 'bad' is"):
        set_baseline(store, "main", "bad", passed=passed)
    with pytest.raises(UsageError, match="that gate did not test other@unversioned"):
        set_baseline(store, "main", "old", ["other"], passed=passed)
    assert held(store)["main", "made_up"] == "new"


@over_rows(
    ("text", "said"),
    [
        ("{", "not the JSON of a gate"),
        ("[" * 100_000, "not the JSON of a gate"),
        ("[]", "not the JSON of a gate"),
        ('{"verdict": "pass"}', "'tests'"),
        ('{"verdict": "pass", "tests": []}', "tested nothing"),
        ('{"verdict": true, "tests": [{"benchmark": "b", "version": "v", "candidate_id": "x"}]}',
         "a text was expected"),
        ('{"verdict": "pass", "tests": [{"benchmark": "b", "version": "v"}]}', "'candidate_id'"),
    ],
)  # fmt: skip
def test_what_is_no_gate_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "gate.json"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_gate(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_gate(tmp_path / "nowhere.json")


def test_the_commands(store: Store, tmp_path: Path) -> None:
    at = ["--store", str(tmp_path / "s.db")]
    assert typed("baseline", "set", "main", "--model", "old", *at).code == 0
    bad = gate_file(store, tmp_path, "bad", "main")
    done = typed("baseline", "set", "main", "--model", "bad", "--if-passed", bad, *at)
    assert (done.code, held(store)["main", "made_up"]) == (2, "old")
    assert "the gate's verdict is 'regression'; the baseline 'main' stays" in done.err
    good = gate_file(store, tmp_path, "new", "main")
    done = typed("baseline", "set", "main", "--model", "new", "--if-passed", good, *at)
    assert (done.code, held(store)["main", "made_up"]) == (0, "new")
    done = typed("baseline", "list", *at, "--format", "json")
    listed = {one["benchmark"]: one["model"] for one in json.loads(done.out)["baselines"]}
    assert listed == {"made_up": "new", "other": "old"}
    assert typed("gate", "--baseline", "main", "--candidate", "bad", *at).code == 1
    assert typed("gate", "--baseline", "nothing", "--candidate", "bad", *at).code == 64
