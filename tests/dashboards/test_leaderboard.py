"""The Leaderboard: what filters leave alone, who is set apart, equal length, and what is taken."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow import ipc

from judgebench import explore, registry
from judgebench.cli.main import run
from judgebench.exchange.formats import read_files
from judgebench.records import Estimate, JudgeSpec, ModelSpec
from judgebench.reports.board import Row
from judgebench.reports.board_tables import Leaderboard
from judgebench.reports.boards import benchmark_ref, panels_in
from judgebench.reports.leaderboard import leaderboards
from judgebench.reports.length_calibrations import calibrate_length
from judgebench.store.opening import open_store
from tests.dashboards import stores
from tests.dashboards.drawn import drawings, with_field
from tests.dashboards.test_pages import MARKUP, boxes, texts
from tests.dashboards.told import verbatim
from tests.table import over_rows
from tests.unit.compared import take_in

LC = "length_controlled_win_rate"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stores.fill(tmp_path_factory.mktemp("demo") / "demo.db")


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stores.fill_kinds(tmp_path_factory.mktemp("kinds") / "kinds.db")


@pytest.fixture(scope="module")
def lengths(tmp_path_factory: pytest.TempPathFactory) -> str:
    """As many models and items as a calibration of length takes."""
    folder = tmp_path_factory.mktemp("lengths")
    url = f"sqlite:///{folder / 's.db'}"
    with open_store(url) as store:
        take_in(store, folder, models=5)
        calibrate_length(store, "made_up")
    return url


@pytest.fixture(scope="module")
def headline(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Verdicts of the published judge, so that the published calibration holds."""
    folder = tmp_path_factory.mktemp("headline")
    url = f"sqlite:///{folder / 's.db'}"
    with open_store(url) as store:
        take_in(
            store, folder, benchmark="alpaca_eval", judge="weighted_alpaca_eval_gpt4_turbo",
            models=3,
        )  # fmt: skip
    return url


def table(app: Any) -> pd.DataFrame:
    """Every row that is shown, whoever is excluded from the ranking."""
    return pd.concat([one.value for one in app.dataframe if "rank" in one.value])


def drawn(app: Any) -> list[dict[str, Any]]:
    """The rows of the drawing, each once."""
    (chart,) = app.get("vega_lite_chart")
    sets = [ipc.open_stream(one.data.data).read_pandas() for one in chart.proto.datasets]
    whole = max((one for one in sets if "note" in one), key=len)
    return [{str(name): value for name, value in row.items()} for row in whole.to_dict("records")]


def in_url(app: Any, key: str) -> list[str]:
    value = app.query_params.get(key, [])
    return [value] if isinstance(value, str) else list(value)


# filters ----------------------------------------------------------------------------------------


def test_filters_leave_every_rank_as_it_is(open_page: Any, demo: str) -> None:
    whole = table(open_page("leaderboard", demo, judge=stores.HUMAN)).set_index("model")
    app = open_page(
        "leaderboard", demo, judge=stores.HUMAN, models=["taker-hasty", "taker-partial"]
    )
    assert not app.exception
    some = table(app).set_index("model")
    assert set(some.index) == {"taker-hasty", "taker-partial"}
    for name in ("rank", "rank_low", "rank_high", "value", "low", "high", "n"):
        assert list(some[name]) == list(whole.loc[some.index, name])
    assert list(some["rank"]) != [1, 2], "there are better ones, and they count"
    assert "2 of 5 models; ranks are among all" in texts(app)


def test_words_find_models_and_stand_in_the_url(open_page: Any, demo: str) -> None:
    app = open_page("leaderboard", demo, judge=stores.HUMAN)
    (box,) = [one for one in app.text_input if one.label == "Filter by name"]
    box.input("TAKER hast").run()
    assert not app.exception
    assert list(table(app)["model"]) == ["taker-hasty"]
    assert in_url(app, "find") == ["TAKER hast"]
    (box,) = [one for one in app.text_input if one.label == "Filter by name"]
    box.input("nobody").run()
    assert not app.exception
    assert [one.value for one in app.info] == ["No model on this board is called so."]


def test_the_choice_of_models_stands_in_the_url(open_page: Any, demo: str) -> None:
    app = open_page("leaderboard", demo, judge=stores.HUMAN)
    (box,) = [one for one in app.multiselect if one.label == "Models"]
    box.select("taker-hasty").run()
    assert in_url(app, "models") == ["taker-hasty"]
    assert list(table(app)["model"]) == ["taker-hasty"]


def test_where_nothing_has_an_interval_no_bars_are_spoken_of(seen: Any, demo: str) -> None:
    seen("leaderboard", demo)
    import board_charts

    nan = float("nan")
    row = {"tone": "rest", "low": nan, "published": nan, "lc value": nan, "raw value": nan}
    said = {"beside": {}, "level": "95 %", "ranked": False}
    assert board_charts.caption(pd.DataFrame([row]), **said) == "Nothing here has an interval."
    some = pd.DataFrame([row, row | {"low": 0.5}])
    assert board_charts.caption(some, **said) == "Bars are 95 % intervals over questions."


# best of n ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stores.fill_samples(tmp_path_factory.mktemp("samples") / "s.db")


def test_curves_of_the_best_of_n_are_those_of_the_report(seen: Any, samples: str) -> None:
    app = seen("leaderboard", samples, judge="grader")
    assert not app.exception
    box = boxes(app)["Best of n by"]
    assert (box.options, box.value) == (["grader", "reward"], "reward")
    with open_store(samples, read_only=True) as store:
        curves = explore.best_of(store, stores.BENCHMARK, stores.VERSION, "grader", None, "reward")
    assert {(one.model, one.samples) for one in curves} == {("policy", 16), ("steady", 4)}
    drawn = {(row["name"], row["best of"]): row for row in with_field(app, "best of")}
    assert len(drawn) == 20
    for one in curves:
        for n, point in one.points.items():
            row = drawn[one.model, int(n)]
            told = [row[end] for end in ("value", "low", "high")]
            assert told == pytest.approx([point.value, point.low, point.high])
            assert row["note"].endswith(f"n {point.n}")
    values = [drawn["policy", n]["value"] for n in range(1, 17)]
    assert values == sorted(values)
    (tabled,) = (one.value for one in app.dataframe if "KL at most" in one.value)
    assert list(tabled["best of"]) == list(range(1, 17))
    said = "judgebench leaderboard trivia_judging_mini@v1 --best-of reward --judge grader"
    assert said in texts(app)


def test_curves_are_of_the_models_that_are_shown_and_by_the_scorer_that_is_chosen(
    open_page: Any, samples: str
) -> None:
    app = open_page("leaderboard", samples, judge="reward", models="steady", scorer="grader")
    assert not app.exception
    assert {row["name"] for row in with_field(app, "best of")} == {"steady"}
    app = open_page("leaderboard", samples, judge="reward", models="once")
    assert not app.exception
    assert not any("best of" in row for one in drawings(app) for row in one.rows)
    assert "None of the models shown has two answers to one item that reward scored." in texts(app)


def test_a_board_without_samples_offers_no_best_of_n(seen: Any, kinds: str) -> None:
    assert "Best of n by" not in boxes(seen("leaderboard", kinds, judge="rubric"))


# who is suspicious, and why ---------------------------------------------------------------------


def put_marked(path: Path, marked: int, n: int = 40, *, honest: bool = True) -> str:
    """A good model, and one of whose answers some address the judge."""
    url = f"sqlite:///{path}"
    with open_store(url) as store, store.transaction():
        store.start_run(run := stores.manifest())
        store.put_items(stores.items(n))
        judge = store.put_judge("judge", JudgeSpec(kind="reference", model="gpt"))
        for name in ("honest", "suspect")[not honest :]:
            model = store.put_model(name, ModelSpec(weights=f"name:{name}"))
            said = stores.labels(("+" if name == "suspect" else "-") * n)
            for i, verdict in enumerate(said):
                marks = ("addresses_judge",) if name == "suspect" and i < marked else ()
                stores.put_one(store, model, judge, i, verdict, run.id, marks)
    return url


@pytest.mark.parametrize(("marked", "apart"), [(0, False), (1, False), (2, False), (3, True)])
def test_a_share_of_marked_answers_excludes_a_model_and_one_by_chance_does_not(
    open_page: Any, tmp_path: Path, marked: int, apart: bool
) -> None:
    app = open_page("leaderboard", put_marked(tmp_path / "s.db", marked))
    assert not app.exception
    first = app.dataframe[0].value
    assert list(first["model"]) == (["honest"] if apart else ["suspect", "honest"])
    if marked:
        rows = table(app).set_index("model")
        assert f"addresses judge {marked} of 40" in rows.loc["suspect", "flags"]
    assert ("Suspicious, excluded from the ranking" in texts(app)) == apart


def test_suspicious_models_have_no_rank_and_stand_below_a_line(open_page: Any, kinds: str) -> None:
    app = open_page("leaderboard", kinds, judge="gpt")
    rows = drawn(app)
    assert [row["tone"] for row in rows][-2:] == ["line", "apart"]
    with open_store(kinds, read_only=True) as store:
        (board,) = (one for one in leaderboards(store, stores.BENCHMARK) if one.judge == "gpt")
    (null,) = (row for row in board.rows if row.model == "null-model")
    assert null.rank is None
    assert rows[-1]["name"] == "–\u2002null-model"
    assert rows[-1]["value"] == pytest.approx(null.leading.value)
    assert {row["tone"] for row in rows[:-2]} <= {"first", "rest", "alarm"}
    assert (null.suspicious or "").startswith("30 of 60 answers address the judge")


@pytest.mark.parametrize("judge", ["gpt", stores.PANEL])
def test_a_switch_ranks_suspicious_models_too(open_page: Any, kinds: str, judge: str) -> None:
    app = open_page("leaderboard", kinds, judge=judge)
    before = table(app).set_index("model")
    assert pd.isna(before.loc["null-model", "rank"])
    (switch,) = [one for one in app.toggle if one.label == "Rank suspicious"]
    switch.set_value(True).run()
    assert not app.exception
    assert in_url(app, "suspicious") == ["1"]
    with open_store(kinds, read_only=True) as store:
        found = leaderboards(
            store,
            stores.BENCHMARK,
            panels=panels_in(store.runs(), benchmark_ref(store, stores.BENCHMARK)),
            rank_suspicious=True,
        )
    board = next(one for one in found if one.judge == judge)
    shown = table(app)
    assert list(shown["model"]) == [row.model for row in board.rows]
    assert list(shown["rank"]) == [row.rank for row in board.rows]
    assert "◆ suspicious" in shown.set_index("model").loc["null-model", "flags"]
    assert {row["tone"] for row in drawn(app)} <= {"first", "rest", "alarm"}
    assert any(one.endswith(" --rank-suspicious") for one in verbatim(app))


def test_a_row_under_the_floor_says_how_much_is_there_and_is_grey(
    open_page: Any, demo: str
) -> None:
    import badges
    import widgets
    from charts import INK

    app = open_page("leaderboard", demo, judge="smollm2-plain")
    heads = app.dataframe[0].proto.columns
    assert "The number with all that is missing at its worst, and at its best." in heads
    rows = table(app)
    with open_store(demo, read_only=True) as store:
        floor = benchmark_ref(store, stores.BENCHMARK).coverage_floor
    for row in rows.to_dict("records"):
        share = 100 * row["n"] / (row["n"] + row["missing"])
        assert row["flags"].startswith(f"▲ coverage {share:.0f} % of {100 * floor:.0f} %")
    assert {row["tone"] for row in drawn(app)} == {"alarm"}
    style = widgets.greyed(
        rows.reset_index(drop=True), [True] * len(rows), 1, INK["dark"]
    ).to_html()
    assert style.count(INK["dark"].faint) >= 1
    assert INK["dark"].warning in style
    means = dict(badges.legend([badges.badges(flagged("coverage"), 0.9)]))
    assert "floor" in means["▲ coverage"]


def flagged(*flags: str, **counts: int) -> Row:
    nan = float("nan")
    half = Estimate(value=0.5, low=nan, high=nan, n=50, units=50, missing=50)
    return Row(
        model="m", model_id="0", rank=2, rank_low=1, rank_high=2, metrics={"accuracy": half},
        counts={"items": 100, **counts}, flags=flags,
    )  # fmt: skip


@over_rows(
    ("row", "tone"),
    [
        (flagged(), "first"),  # its rank is 2, and its set of ranks holds 1
        (replace(flagged(), rank=1, rank_low=2, rank_high=3), "rest"),
        (flagged("coverage"), "alarm"),
        (replace(flagged("suspicious"), rank=None, rank_low=None, excluded=True), "apart"),
        (flagged("suspicious"), "first"),  # ranked, as somebody asked for
    ],
)
def test_joint_firsts_are_drawn_as_such(row: Row, tone: str) -> None:
    import board_rows

    assert board_rows.tone(row) == tone


def test_every_flag_that_the_report_makes_has_its_meaning_and_its_shape() -> None:
    import badges

    from judgebench.judges.flags import CONSTANT_SHARE
    from judgebench.reports.answer_flags import COUNTED, LONGER, SHORTER, SUSPECT
    from judgebench.reports.board_data import STATUSES

    flags = [
        "suspicious", "coverage", "two versions", "constant answers", LONGER, SHORTER,
        *(mark.replace("_", " ") for mark in SUSPECT), "cut answers",
        *(f"{status.replace('_', ' ')} answers" for status in STATUSES),
    ]  # fmt: skip
    counts = {f"{COUNTED}{mark}": 50 for mark in (*SUSPECT, "cut")}
    row = flagged(*flags, **counts, **dict.fromkeys(STATUSES, 7))
    made = badges.badges(row, 0.9)
    assert {badge[2:] for badge in made} == set(flags) <= badges.MEANS.keys()
    assert [badge for badge in made if badge[0] == "◆"] == ["◆ suspicious"]
    assert badges.written(made).startswith("▲ coverage 50 % of 90 %, ◆ suspicious, ● ")
    assert made["● truncated answers"] == "7"
    assert made["● cut answers"] == "50 of 100"
    assert CONSTANT_SHARE == 0.2, "a fifth, as the legend says"


# equal length -----------------------------------------------------------------------------------


def test_both_rates_stand_side_by_side_with_their_intervals(open_page: Any, lengths: str) -> None:
    app = open_page("leaderboard", lengths)
    assert not app.exception
    assert app.toggle[0].label == "Length-controlled"
    assert app.toggle[0].value, "a small board has them unasked"
    with open_store(lengths, read_only=True) as store:
        (board,) = leaderboards(store, "made_up", length_control="exact")
    shown = table(app)
    for name in ("value", "low", "high"):
        plain = [getattr(row.metrics["win_rate"], name) for row in board.rows]
        equal = [getattr(row.metrics[LC], name) for row in board.rows]
        assert list(shown[name]) == pytest.approx(plain)
        assert list(shown[f"lc {name}"]) == pytest.approx(equal)
        assert [row[f"lc {name}"] for row in drawn(app)] == pytest.approx(equal)
    assert "length is controlled for with the calibration" in texts(app)
    app.toggle[0].set_value(False).run()
    assert not app.exception
    assert in_url(app, "lc") == ["0"]
    assert "lc value" not in table(app)
    assert LC not in boxes(app)["Metric"].options


def test_a_large_board_has_them_only_when_they_are_asked_for(
    open_page: Any, lengths: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import board_rows

    monkeypatch.setattr(board_rows, "QUICK", 100)
    app = open_page("leaderboard", lengths)
    assert not app.toggle[0].value
    assert "lc value" not in table(app)
    app = open_page("leaderboard", lengths, lc="1")
    assert app.toggle[0].value
    assert "lc value" in table(app)


def test_where_the_rate_is_refused_the_reason_stands_there(open_page: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    with open_store(url) as store:
        take_in(store, tmp_path, items=120)
        calibrate_length(store, "made_up")
    app = open_page("leaderboard", url)
    assert not app.exception
    reason = "120 valid verdicts, fewer than 200"
    assert f"– length-controlled: {reason}" in texts(app)
    # said once, not at every row
    assert {row["beside note"] for row in drawn(app)} == {""}
    assert "lc undefined" not in table(app)


def test_without_a_calibration_it_is_said_what_makes_one(open_page: Any, kinds: str) -> None:
    app = open_page("leaderboard", kinds, judge="gpt")
    assert "judgebench calibrate-length fits one" in texts(app)
    app = open_page("leaderboard", kinds, judge=stores.PANEL)
    labels = [one.label for one in app.toggle]
    assert "Length-controlled" not in labels, "a calibration is of one judge"


def test_the_headline_of_a_benchmark_comes_first_with_the_plain_rate_beside_it(
    open_page: Any, headline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import board_rows

    monkeypatch.setattr(board_rows, "QUICK", 0)  # it is computed unasked all the same
    app = open_page("leaderboard", headline)
    assert not app.exception
    assert boxes(app)["Metric"].value == LC
    with open_store(headline, read_only=True) as store:
        (board,) = leaderboards(store, "alpaca_eval")
    assert board.metric == LC
    shown = table(app)
    assert list(shown["model"]) == [row.model for row in board.rows]
    assert list(shown["rank"]) == [row.rank for row in board.rows]
    for name in ("value", "low", "high"):
        plain = [getattr(row.metrics["win_rate"], name) for row in board.rows]
        assert list(shown[name]) == pytest.approx([getattr(r.leading, name) for r in board.rows])
        assert list(shown[f"raw {name}"]) == pytest.approx(plain)
        assert [row[f"beside {name}"] for row in drawn(app)] == pytest.approx(plain)
    assert all(row["beside note"].endswith(" plain win rate") for row in drawn(app))
    app.toggle[0].set_value(False).run()
    assert not app.exception
    assert boxes(app)["Metric"].value == "win_rate"
    assert "ranked by the plain win rate; the headline of this benchmark is" in texts(app)


def test_the_overview_leads_with_the_headline_too(open_page: Any, headline: str) -> None:
    app = open_page("overview", headline)
    assert "length controlled win rate, judged by weighted_alpaca_eval_gpt4_turbo" in texts(app)
    with open_store(headline, read_only=True) as store:
        (board,) = leaderboards(store, "alpaca_eval")
    values = [row["value"] for row in with_field(app, "tone")]
    assert values == pytest.approx([row.leading.value for row in board.rows[:3]])


def test_the_overview_names_who_is_excluded(open_page: Any, kinds: str, tmp_path: Path) -> None:
    app = open_page("overview", kinds)
    assert "Suspicious, excluded from the ranking: null-model" in texts(app)
    assert not any("null-model" in row["name"] for row in with_field(app, "tone"))
    app = open_page("overview", put_marked(tmp_path / "s.db", 3, honest=False))
    assert not drawings(app)
    assert "Nobody is ranked by judge." in texts(app)
    assert "excluded from the ranking: suspect" in texts(app)


# what is taken along, and what is behind it -----------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "md", "latex", "json", "html"])
@pytest.mark.parametrize("control", ["off", "exact"])
def test_downloads_are_what_the_command_line_writes(
    open_page: Any, lengths: str, form: str, control: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import page

    offered: list[Any] = []
    monkeypatch.setattr(page, "offer", lambda name, documents: offered.append(documents))
    app = open_page("leaderboard", lengths, lc="01"[control == "exact"])
    (command,) = (one for one in verbatim(app) if one.startswith("judgebench leaderboard"))
    words = [*shlex.split(command)[1:], "--format", form, "--store", lengths]
    capsys.readouterr()
    assert run(words) == 0
    assert page.rendered(offered[-1], form) == capsys.readouterr().out


def test_all_forms_are_offered_and_the_command_with_them(open_page: Any, demo: str) -> None:
    app = open_page("leaderboard", demo, judge="contains", find="careful")
    labels = [one.proto.label for one in app.get("download_button")]
    assert labels == [f"Download {form}" for form in ("CSV", "Markdown", "LaTeX", "JSON", "HTML")]
    command = f"judgebench leaderboard {stores.BENCHMARK}@{stores.VERSION} --judge contains"
    assert any(one.startswith(command) for one in verbatim(app))


def test_the_runs_behind_a_board_are_those_in_which_its_judge_judged(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    stores.fill_kinds(path, n_items=2, baseline="one")
    url = stores.fill_kinds(path, n_items=2, baseline="two")
    with open_store(url) as store:
        store.start_run(stores.manifest("idle"))
        judges = {one.name: one.id for one in store.judges()}
        models = {one.name: one.id for one in store.models()}

        def behind(judge: str, opponent: str | None = None) -> set[str]:
            against = None if opponent is None else models[opponent]
            place = (stores.BENCHMARK, stores.VERSION)
            ran = store.evaluated(*place, [judges[judge]], against, afresh=True)
            return {run for _, run in ran}

        assert behind("gpt", "one") == {"against one"}
        assert behind("gpt", "two") == {"against two"}
        assert behind("gpt") == set(), "it compared every answer with another"
        assert behind("rubric") == {"against one", "against two"}
        assert store.evaluated("nothing", stores.VERSION, list(judges.values())) == set()


def test_a_manifest_is_text_with_its_configuration_and_times(kinds: str) -> None:

    at = stores.BENCHMARK, stores.VERSION
    with open_store(kinds, read_only=True) as store:
        found = {one.judge: one for one in explore.boards(store, *at).boards}
        for judge in ("gpt", stores.PANEL):
            board = found[judge]
            (told,) = explore.runs_behind(store, *at, judge, board.judge_id, board.opponent_id)
            assert told.startswith(f"run: against {stores.BASELINE}\nname: demo\n")
            assert "panel:" in told
            assert "UTC" in told


def test_figures_that_were_published_stand_beside_ours(kinds: str) -> None:
    import board_rows

    with open_store(kinds, read_only=True) as store:
        found = explore.boards(store, stores.BENCHMARK, stores.VERSION).boards
    (board,) = (one for one in found if one.judge == "gpt")
    first, *others = board.rows
    published = replace(first, published={"win_rate": 61.5})
    rows = board_rows.table(replace(board, rows=(published, *others)), "win_rate", 0.9)
    tabled = board_rows.tabled(rows)
    assert list(tabled["published"].dropna()) == [61.5]
    assert "published" not in board_rows.tabled(rows.assign(published=float("nan")))


@pytest.mark.parametrize("opponent", stores.HOSTILE)
def test_hostile_names_stay_text_in_filters_and_below_the_line(
    open_page: Any, tmp_path: Path, opponent: str
) -> None:
    table_of = {name: {opponent: stores.labels("+-+-")} for name in stores.HOSTILE}
    url = stores.fill_with(tmp_path / "s.db", table_of)
    app = open_page("leaderboard", url, models=[opponent], find=opponent.split()[0])
    assert not app.exception
    assert list(table(app)["model"]) == [opponent]
    for element in app:
        if element.type in MARKUP:
            assert not any(name in str(element.value) for name in stores.HOSTILE), element


def test_boards_of_a_page_are_those_of_the_report_wherever_they_are_computed(
    lengths: str,
) -> None:
    import worker

    with open_store(lengths, read_only=True) as store:
        expected = Leaderboard.of(leaderboards(store, "made_up"))
        found = explore.boards(store, "made_up", "unversioned", control="exact")
    assert found == expected
    assert repr(worker.read(worker.written(found))) == repr(found)


def test_what_a_gain_costs_stands_beside_it(open_page: Any, tmp_path: Path) -> None:
    lines = [
        {"benchmark": "helpful", "version": "1", "item_id": str(n), "model": model, "judge": "j",
         "kind": "score", "value": value + n % 2, "low": 1, "high": 10}
        for model, value in (("model-shy", 8), ("model-open", 3))
        for n in range(40)
    ]  # fmt: skip
    path, labels = tmp_path / "helpful.jsonl", registry.benchmark_folders()["xstest_mini"]
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    url = f"sqlite:///{tmp_path}/s.db"
    with open_store(url) as store:
        for file in (path, labels / "labels.jsonl"):
            for _, take in read_files("verdicts", [file], allow_unknown_items=True):
                take(store)
    app = open_page("leaderboard", url, benchmark="helpful")
    assert "is ahead of" not in texts(app)
    boxes(app)["Beside"].set_value("xstest_mini@1").run()
    assert in_url(app, "beside") == ["xstest_mini@1"]
    (beside,) = (one.value for one in app.dataframe if "helpful" in one.value)
    assert list(beside["model"]) == ["model-shy", "model-open", "model-mixed"]
    assert "model-shy is ahead of model-open on helpful (j)" in texts(app)
    app = open_page("leaderboard", url, benchmark="xstest_mini")
    assert boxes(app)["Metric"].value == "full_refusal/safe"
    # Nobody is ranked, and so no column is about ranks.
    shown = app.dataframe[0].value
    assert list(shown)[:2] == ["model", "value"]
    assert [row["name"] for row in with_field(app, "name")] == list(shown["model"])
    said = "\n".join(element.value for element in app.caption)
    assert "Bars are 95 % intervals" in said
    assert "behind" not in said and "sets of ranks" not in said
