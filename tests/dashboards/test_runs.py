"""The page of runs: all of them, a page at a time, one in detail, and how to start one."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from judgebench.records import Failure, Purpose, Spend, Usage, VerdictSlot
from judgebench.store.opening import open_store
from tests.dashboards import stores
from tests.dashboards.test_overview import PROGRESS
from tests.dashboards.test_pages import MARKUP, boxes, texts
from tests.e2e import runs

pytestmark = pytest.mark.usefixtures("forked")

KEY = "sk-planted-by-the-tests-of-runs-77"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return stores.fill_with(tmp_path / "s.db", {"m": {"judge": stores.labels("+-")}})


def many(url: str, n: int) -> None:
    with open_store(url) as store, store.transaction():
        for i in range(n):
            store.start_run(stores.manifest(f"run-{i:02}"))


def press(app: Any, label: str) -> Any:
    (button,) = [one for one in app.button if one.label == label]
    return button.click().run()


def test_runs_stand_newest_first_a_page_at_a_time(open_page: Any, url: str) -> None:
    many(url, 30)
    app = open_page("runs", url)
    assert not app.exception
    first = list(app.dataframe[0].value["run"])
    assert first == [f"run-{i:02}" for i in range(29, 4, -1)]
    assert "page 1 of 2" in texts(app)
    press(app, "Older")
    assert list(app.dataframe[0].value["run"]) == [f"run-{i:02}" for i in range(4, -1, -1)] + [
        "first"
    ]
    press(app, "Newer")
    assert list(app.dataframe[0].value["run"]) == first


@pytest.mark.parametrize("part", ["0", "-1", "99", "x", "٣", "9" * 40])
def test_a_link_to_a_page_that_is_not_there(open_page: Any, url: str, part: str) -> None:
    app = open_page("runs", url, part=part)
    assert not app.exception
    assert list(app.dataframe[0].value["run"]) == ["first"]


def test_a_run_is_shown_whole(open_page: Any, url: str) -> None:
    suite = {
        "name": "night",
        "benchmarks": [{"name": stores.BENCHMARK}],
        "judges": [{"name": "gpt", "api_key": "${OPENAI_API_KEY}", "note": KEY}],
        "limits": {"max_cost_usd": 20},
    }
    with open_store(url) as store:
        (model,), (judge,) = store.models(), store.judges()
        run = replace(
            stores.manifest("whole", configuration=suite),
            versions={"judgebench": "0.1.0"}, git_sha="abc123", data_sha={"facts": "ff00"},
            seeds={"run": 77},
        )  # fmt: skip
        store.start_run(run)
        place = VerdictSlot(
            benchmark=stores.BENCHMARK, version=stores.VERSION, item_id="0", model_key=model.key,
            judge_key=judge.key,
        )  # fmt: skip
        usage = Usage(prompt_tokens=1000, completion_tokens=50)
        store.put_spend(
            [
                Spend(
                    purpose=Purpose(run_id="whole", place=place), how="live", provider="openai",
                    model="gpt", calls=4, usage=usage, cost_usd=1.25,
                )
            ]
        )  # fmt: skip
        counts = {"judged": 1200, "failed": 2, "waiting": 0}
        here = {
            "models": {"m": {"tokens": 9000, "seconds": 6.0, "tokens_per_s": 1500.0}},
            "gpus": [{"gpu": 1, "use": 0.0, "mean_use": 0.5, "peak_gib": 61.2}],
        }
        store.update_run(replace(run, ended=run.started + 30, counts=counts, spend=here))
        store.put_failure(
            Failure(
                key=b"k" * 32, boundary="provider", kind="timeout", message="m", retriable=True,
                attempts=2, place=place, at=1.0,
            )
        )  # fmt: skip
    app = open_page("runs", url, run="whole")
    assert not app.exception
    assert "✓ done" in texts(app)
    assert "m: 9,000 tokens in 6 s, 1,500 tokens/s" in texts(app)
    assert "on average GPU 1 at 50 %, 61 GiB at most" in texts(app)
    assert "2 failed in this run." in texts(app)
    assert "1 timeout (provider): the same run again asks again." in texts(app)
    _, counts_shown, spent = (one.value for one in app.dataframe)
    assert dict(counts_shown.iloc[0]) == {"judged": 1200, "failed": 2}
    (row,) = spent.to_dict("records")
    assert (row["asked"], row["calls"], row["tokens in"], row["USD"]) == (
        "judge", "4", "1,000", "1.2500",
    )  # fmt: skip
    assert "it might cost 20.00 USD" in "\n".join(one.value for one in app.caption)
    configuration, rest = (code.value for code in app.code[-2:])
    assert "api_key: ${OPENAI_API_KEY}" in configuration
    assert "note: '***'" in configuration or "note: ***" in configuration
    for words in ("abc123", "facts: ff00", "run: 77", "judgebench: 0.1.0"):
        assert words in rest
    assert not any(KEY in str(getattr(element, "value", "")) for element in app)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("running", "It ended without saying so"),
        ("interrupted", "It was stopped. Nothing is lost"),
        ("failed", "It could not go on"),
    ],
)
def test_how_a_run_ended_is_said_with_what_to_do(
    open_page: Any, url: str, state: str, said: str
) -> None:
    run = replace(stores.manifest("r", state=state), progress={})
    with open_store(url) as store:
        store.start_run(run)
        told = {**PROGRESS, "began": 1.0, "at": 40.0}
        store.update_run(replace(run, progress=told if state == "running" else {}))
    app = open_page("runs", url, run="r")
    assert said in texts(app)
    if state == "running":
        assert "judging: gpt: 400 of 960 of a stage when last heard of" in texts(app)
        assert "3 failed (1 server, 2 timeout)" in texts(app)


def test_a_running_run_is_live_in_detail_too(open_page: Any, url: str) -> None:
    run = stores.manifest("now", state="running")
    with open_store(url) as store, store.lease("run now"):
        store.start_run(run)
        gpus = [{"gpu": 0, "use": 0.9, "mean_use": 0.5, "peak_gib": 61.2}]
        told = {**PROGRESS, "began": time.time() - 40, "at": time.time()}
        store.update_run(replace(run, progress=told | {"tokens_per_s": 1234.5, "gpus": gpus}))
        app = open_page("runs", url)
    assert texts(app).count("403 of 960 · 10.1/s") == 2
    assert texts(app).count("1,234 tokens/s · GPU 0 at 90 %, 61 GiB") == 2
    assert "● running" in texts(app)


def test_a_link_to_a_run_that_is_not_there(open_page: Any, url: str) -> None:
    app = open_page("runs", url, run="**nobody**")
    assert not app.exception
    assert "This store has no run **nobody**." in texts(app)


@pytest.mark.parametrize("name", stores.HOSTILE)
def test_hostile_words_of_a_suite_are_text(open_page: Any, url: str, name: str) -> None:
    suite = {"name": name, "benchmarks": [{"name": name}, name, 7, None], "limits": {"x": name}}
    with open_store(url) as store:
        run = replace(stores.manifest("r", configuration=suite), name=name, git_sha=name)
        store.start_run(run)
        store.update_run(replace(run, counts={name: 3}))
    app = open_page("runs", url)
    assert not app.exception
    assert name in texts(app)
    for element in app:
        if element.type in MARKUP:
            assert name not in str(element.value), element


@pytest.mark.parametrize(
    "configuration", [{}, {"benchmarks": None}, {"limits": [1]}, {"import": "x"}]
)
def test_a_manifest_of_another_form(open_page: Any, url: str, configuration: Any) -> None:
    with open_store(url) as store:
        store.start_run(stores.manifest("r", configuration=configuration))
    assert not open_page("runs", url).exception


# start ------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_home: None) -> Path:
    """A working directory with a suite, a policy that is none, and what is no text."""
    folder = tmp_path / "here"
    (folder / "suites").mkdir(parents=True)
    runs.suite(folder, limit=6).rename(folder / "suites" / "mine.yaml")
    (folder / "suites" / "gate.yaml").write_text("alpha: 0.05\n")
    (folder / "bytes.yaml").write_bytes(b"benchmarks:\xff\xfe")
    monkeypatch.setenv("PYTHONPATH", str(runs.ROOT))
    monkeypatch.chdir(folder)
    return folder


def test_a_run_is_planned_then_started_into_this_store(
    open_page: Any, here: Path, tmp_path: Path
) -> None:
    import access
    import children

    url = f"sqlite:///{tmp_path / 'new.db'}"
    app = open_page("runs", url)
    assert not app.exception
    assert boxes(app)["Suite"].options == ["suites/mine.yaml", "another file …"]
    press(app, "What it would do")
    assert not app.exception
    assert "In all: 0 generations, 0 judge calls" in texts(app)
    assert "nothing that costs money" in texts(app)
    assert set(app.dataframe[0].value["judge"]) == {"", "exact_match", "contains"}
    assert not (tmp_path / "new.db").exists(), "a plan writes nothing"
    app.number_input[0].set_value(2.5).run()
    app.text_input[0].set_value(access.new_code()).run()
    press(app, "Start this run")
    (child,) = children.children(url)
    assert list(child.words) == ["run", "--quiet", "--max-cost", "2.5", "--", "suites/mine.yaml"]
    runs.eventually(lambda: child.code is not None, 60)
    assert child.code == 0, child.tail()
    with open_store(url, read_only=True) as store:
        assert [run.name for run in store.runs()] == ["test"]
    assert not (here / "store.db").exists(), "the suite's own store is another one"


def test_a_run_is_started_by_who_knows_the_code(
    open_page: Any, here: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that drives a page of its own reads and presses all that is on it."""
    import access
    import children

    begun: list[tuple[str, ...]] = []
    monkeypatch.setattr(children, "start", lambda _, *words: begun.append(words))
    code = access.new_code()
    app = open_page("runs", url)
    press(app, "What it would do")
    for guess in ("", code[:-1], "a" * 8, texts(app)[:20]):
        app.text_input[0].set_value(guess).run()
        press(app, "Start this run")
        assert "that is not the code" in texts(app)
    assert begun == []
    assert code not in "".join(str(element) for element in app)
    app.text_input[0].set_value(code.upper()).run()
    press(app, "Start this run")
    press(app, "What it would do")
    assert not app.text_input, "asked once in a tab"
    press(app, "Start this run")
    assert len(begun) == 2
    app = open_page("runs", url)
    press(app, "What it would do")
    press(app, "Start this run")
    assert len(begun) == 2, "another tab is asked again"
    monkeypatch.setattr(access, "_code", "")
    app.text_input[0].set_value("").run()
    press(app, "Start this run")
    assert len(begun) == 2, "no code is no empty code"


def test_a_suite_that_is_wrong_cannot_be_started(open_page: Any, here: Path, url: str) -> None:
    suite = here / "suites" / "mine.yaml"
    suite.write_text(suite.read_text().replace("exact_match", "exact_mach"))
    app = open_page("runs", url)
    press(app, "What it would do")
    assert "This cannot be run:" in texts(app)
    assert any("did you mean 'exact_match'?" in code.value for code in app.code)
    assert "Start this run" not in [one.label for one in app.button]


def test_a_plan_says_what_is_lacking_and_what_is_an_upper_bound(
    open_page: Any, here: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    suite = here / "suites" / "mine.yaml"
    written = yaml.safe_load(suite.read_text())
    grader = {"name": "grader", "kind": "reference", "provider": "openai", "model": "gpt-5-mini"}
    written["judges"] = [grader]
    written["benchmarks"][0]["judges"].append("grader")
    suite.write_text(yaml.safe_dump(written))
    app = open_page("runs", url)
    press(app, "What it would do")
    assert not app.exception
    assert "It would lack here:" in texts(app)
    assert "OPENAI_API_KEY" in texts(app)
    of_judge = app.dataframe[0].value.query("judge == 'grader'")["tokens"]
    assert len(of_judge) and of_judge.str.startswith("≤ ").all()


def test_a_suite_that_was_changed_is_planned_anew(open_page: Any, here: Path, url: str) -> None:
    app = open_page("runs", url)
    press(app, "What it would do")
    assert "Start this run" in [one.label for one in app.button]
    suite = here / "suites" / "mine.yaml"
    suite.write_text(suite.read_text() + "\n# changed\n")
    app.run()
    assert "Start this run" not in [one.label for one in app.button]


@pytest.mark.parametrize("path", ["nowhere.yaml", "--help", "suites", "a\0b"])
def test_a_path_that_is_no_suite_is_one_sentence(
    open_page: Any, here: Path, url: str, path: str
) -> None:
    app = open_page("runs", url, suite="another file …")
    app.text_input[0].set_value(path).run()
    assert not app.exception
    assert "There is no file" in texts(app)
