"""Arena-Hard's own figures: 38 models of a published board, partial runs, both style controls."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.benchmarks.description import Weighted
from judgebench.judges.readers.brackets import (
    ARENA_HARD,
    NO_LABEL,
    TWO_LABELS,
    read_arena_hard,
    read_arena_hard_v2,
)
from judgebench.metrics.board_kinds import BoardKind
from judgebench.metrics.intervals import Intervals
from judgebench.metrics.paired import PairedModels, compare, paired_models
from judgebench.metrics.style_controlled import STYLE_CONTROLLED, style_of
from judgebench.metrics.win_rate import (
    BOTH_GAMES,
    EACH_GAME,
    WEIGHTED,
    WIN_RATE,
    as_upstream,
    win_rates,
)
from judgebench.records import Preference, Reply, Unreadable
from judgebench.reports.reproduce import reproduce
from judgebench.reports.reproduce.arena_hard import (
    ALONE,
    BASELINE,
    CLUSTERED,
    HOW,
    JUDGE,
    verdict_columns,
)
from judgebench.rows import Row
from judgebench.stats.resample import interval_of_share
from judgebench.stats.style_control import differences, style_controlled

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "arena_hard"
MARKS = ("token_len", "header", "list", "bold")

pytestmark = pytest.mark.skipif(not GOLD.is_dir(), reason="the gold data is not here")


def table(name: str) -> Any:
    from pyarrow import parquet

    return parquet.read_table(GOLD / name).to_pandas()


@pytest.fixture(scope="module")
def expected() -> Any:
    return json.loads((GOLD / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def games() -> Any:
    return table("ko_verdicts.parquet")


def columns_of(rows: list[tuple[str, str, int, str | None]]) -> dict[str, Any]:
    """Columns of (model, item, game, label); no label could not be read."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for model, item, game, label in rows:
        found.setdefault((model, item), {"model": model, "uid": item})[f"game_{game}"] = label
    return verdict_columns([Row("gold", one) for one in found.values()])


@pytest.fixture(scope="module")
def found() -> Any:
    folder = Path(__file__).resolve().parents[2] / "tasks" / "arena_hard" / "figures"
    verdicts = [(one / "ko_verdicts.parquet").read_bytes() for one in (folder, GOLD)]
    assert verdicts[0] == verdicts[1]
    (found,) = reproduce(["arena_hard"], intervals=Intervals(n_replicates=50)).found
    return found


def test_every_score_of_the_board_is_the_weighted_mean_but_its_baselines(
    found: Any, expected: Any
) -> None:
    """Upstream has the baseline's own row at 50 by construction; judged, it comes to 50.65."""
    its = {(one.who, one.metric): one for one in found.figures}
    assert len(expected["models"]) == 38
    for name, model in expected["models"].items():
        one = its[name, WEIGHTED].ours
        for metric, wanted in (
            (WEIGHTED, model["score"]),
            (WIN_RATE, model["unweighted_score"]),
            (CLUSTERED, model["se_clustered_by_question"]),
            (ALONE, model["se_rows_independent"]),
        ):
            assert its[name, metric].ours.value == pytest.approx(wanted, abs=1e-9)
        assert (one.n, one.missing, one.units) == (model["games"], 0, model["questions"])
        assert its[name, WEIGHTED].agrees == (name != expected["baseline"])
    wide = [(one.ours.high - one.ours.low) / 3.92 / its[one.who, CLUSTERED].ours.value
            for one in found.figures if one.metric == WEIGHTED]  # fmt: skip
    assert min(wide) > 0.98
    assert max(wide) < 1.1
    (fiat,) = [one for one in found.figures if one.metric == WEIGHTED and not one.agrees]
    assert "by construction" in fiat.because
    for name, score in expected["style_control_own_fit_on_this_half"]["v0.1"]["models"].items():
        styled = its[name, f"{STYLE_CONTROLLED}/v0.1"]
        assert styled.ours.value == pytest.approx(score, abs=1e-9)
        assert styled.agrees or "76 models at once" in styled.because


def test_upstreams_interval_is_that_of_verdicts_one_by_one(games: Any, expected: Any) -> None:
    names = [name for name in expected["models"] if name != expected["baseline"]][:4]
    rows = games[games.model.isin(names)].to_dict("records")
    columns = verdict_columns([Row("gold", one) for one in rows])
    for (judge, name), one in as_upstream(columns, BASELINE, HOW).items():
        model = expected["models"][name]
        assert (judge, one.n) == (JUDGE, model["games"])
        assert one.value == pytest.approx(model["score"], abs=1e-9)
        alone = model["se_rows_independent"]
        assert (one.high - one.low) / 3.92 == pytest.approx(alone, rel=0.35)


@pytest.mark.parametrize("rule", [EACH_GAME, BOTH_GAMES])
def test_two_models_differ_by_weights_as_their_boards_do(
    games: Any, expected: Any, rule: Any
) -> None:
    """And intervals hold: `perf/arena_hard_coverage.py --differences` measures closely."""
    ranked = sorted(expected["models"], key=lambda name: expected["models"][name]["score"])
    two = ranked[-4], ranked[-5]
    its = games[games.model.isin(two)].to_dict("records")
    how = HOW.model_copy(update={"rule": rule})
    kind = BoardKind("preference", BASELINE)

    def pair_of(rows: list[dict[str, Any]]) -> PairedModels:
        columns = verdict_columns([Row("gold", one) for one in rows])
        return paired_models(columns, kind, JUDGE, *two, labels=(), weighted=how)

    whole = pair_of(its)
    tests = compare(whole, alpha=0.025)
    scores = [expected["models"][name]["score"] / 100.0 for name in two]
    assert (tests.candidate, tests.baseline) == pytest.approx(scores, abs=1e-9)
    assert tests.observed.difference == pytest.approx(scores[0] - scores[1], abs=1e-9)
    assert (whole.metric, whole.missing.tolist()) == (WEIGHTED, [0, 0])
    assert paired_models(
        verdict_columns([Row("gold", one) for one in its[:12]]),
        kind, JUDGE, *two, labels=(), weighted=how,
    ).why_not is not None  # fmt: skip
    lost = pair_of([*its[:-1], {**its[-1], "game_1": None}])
    ends = compare(lost, alpha=0.025)
    assert lost.missing.sum() == (2 if rule == BOTH_GAMES else 1)
    assert ends.worst is not None and ends.best is not None
    assert ends.worst.difference < tests.observed.difference < ends.best.difference
    of = {(one["model"], one["uid"]): one for one in its}
    questions, rng, held = sorted({uid for _, uid in of}), np.random.default_rng(1), 0
    for trial in range(12):
        drawn = [
            {**of[model, questions[q]], "uid": str(place)}
            for place, q in enumerate(rng.integers(0, len(questions), 100).tolist())
            for model in two
        ]
        low, high = compare(pair_of(drawn), alpha=0.025, seed=trial).observed.bounds(0.025)
        held += low <= scores[0] - scores[1] <= high
        assert high - low < 0.3
    assert held >= 9


@pytest.mark.parametrize("rule", [EACH_GAME, BOTH_GAMES])
def test_partial_runs_by_either_rule_for_a_missing_game(expected: Any, rule: Any) -> None:
    texts = table("verdict_texts.parquet")
    for (model, judge), its in texts.groupby(["model", "judge"]):
        wanted = expected["partial_runs"].get(f"{model} by {judge}")
        if wanted is None:
            continue
        rows = [
            (model, row.uid, row.game, row.read_v0_1 if isinstance(row.read_v0_1, str) else None)
            for row in its.itertuples()
        ]
        (found,) = win_rates(columns_of(rows), BASELINE, weighted=Weighted(clear=3.0, rule=rule))
        each = (
            found.metrics[WEIGHTED if rule == EACH_GAME else f"{WEIGHTED}/{EACH_GAME}"]
            if (wanted["unreadable_games"])
            else found.metrics[WEIGHTED]
        )
        assert each.value == pytest.approx(wanted["score"], abs=1e-9)
        assert (each.n, each.missing) == (wanted["games"], wanted["unreadable_games"])
        if wanted["unreadable_games"]:
            name = WEIGHTED if rule == BOTH_GAMES else f"{WEIGHTED}/{BOTH_GAMES}"
            both = found.metrics[name]
            whole = its[its.groupby("uid").read_v0_1.transform("count") == 2].read_v0_1
            assert both.n == len(whole) < each.n


def test_intervals_of_shares_hold_where_those_of_rows_do_not(games: Any, expected: Any) -> None:
    """In small what `perf/arena_hard_coverage.py` measures: draws of 200 questions."""
    rng, held, alone = np.random.default_rng(7), [], []
    for name in ("o3-low", "command-a", "gemma-2-27b-it"):
        its = games[games.model == name]
        labels = np.array([its.game_1, its.game_2])
        w = np.where(np.char.count(labels.astype(str), ">") == 2, 3.0, 1.0)
        y = np.vectorize(lambda label: ARENA_HARD[label].p_first)(labels)
        y[0] = 1.0 - y[0]  # of the model, which is shown second in the first game
        top, bottom = (w * y).sum(axis=0), w.sum(axis=0)
        true = expected["models"][name]["score"] / 100.0
        assert top.sum() / bottom.sum() == pytest.approx(true, abs=1e-11)
        for _ in range(150):
            drawn = rng.integers(0, 500, 200)
            low, high = interval_of_share(top[drawn], bottom[drawn], level=0.95, least=10)
            held.append(low <= true <= high)
            mean = top[drawn].sum() / bottom[drawn].sum()
            rows = np.sqrt((w * (y - mean) ** 2)[:, drawn].sum()) / bottom[drawn].sum()
            alone.append(abs(mean - true) <= 1.96 * rows)
    assert 0.92 <= np.mean(held) <= 0.98
    assert np.mean(alone) < 0.82
    few = interval_of_share([1.0] * 9 + [0.0] * 91, [1.0] * 100, level=0.95, least=10)
    assert np.isnan(few).all()


def test_readers_on_every_reply_and_made_up_case() -> None:
    def label(verdict: object) -> str | None:
        if isinstance(verdict, Preference):
            assert verdict == ARENA_HARD[verdict.label or ""]
            return verdict.label
        assert isinstance(verdict, Unreadable)
        return None

    for row in table("verdict_texts.parquet").itertuples():
        reply = Reply(text=row.judgment, finish_reason="stop")
        for read, wanted in ((read_arena_hard, row.read_v0_1), (read_arena_hard_v2, row.read_v2_0)):
            assert label(read(reply)) == (wanted if isinstance(wanted, str) else None)
    for case in json.loads((GOLD / "parser_cases.json").read_text(encoding="utf-8")):
        for read, version in ((read_arena_hard, "v0_1"), (read_arena_hard_v2, "v2_0")):
            found, wanted = read(Reply(text=case["text"])), case[version]
            if wanted in ARENA_HARD or wanted is None:
                assert label(found) == wanted
            else:  # upstream's pattern takes it, and its scoring fails
                assert found == Unreadable(reason=f"{wanted!r} is no label of Arena-Hard")
    assert read_arena_hard(Reply(text="[[A>B]] or [[B>A]]")) == TWO_LABELS
    assert read_arena_hard(Reply(text="[A>B]")) == NO_LABEL


@pytest.mark.parametrize("definition", ["v0.1", "v2.0"])
def test_style_control_by_both_definitions(games: Any, expected: Any, definition: Any) -> None:
    wanted = expected["style_control_own_fit_on_this_half"][definition]
    models = list(wanted["models"])
    base = games[games.model == expected["baseline"]].set_index("uid")[list(MARKS)]
    its = games[games.model.isin(models)]
    of = np.tile(its.model.map({m: i for i, m in enumerate(models)}).to_numpy(), 2)
    labels = [*its.game_1, *its.game_2]
    first = np.array([ARENA_HARD[label].p_first for label in labels])
    won = np.where(np.arange(len(labels)) < len(its), 1.0 - first, first)
    weights = [3.0 if ">>" in label else 1.0 for label in labels]
    own = np.tile(its[list(MARKS)].to_numpy(float), (2, 1))
    theirs = np.tile(base.loc[its.uid].to_numpy(float), (2, 1))
    style = differences(own, theirs, definition)
    for marks, figures in ((4, wanted), (1, wanted["length_only"])):
        found = style_controlled(
            of, won, weights, style[:, :marks], n_models=len(models), definition=definition
        )
        assert 100 * found.scores == pytest.approx(
            [figures["models"][model] for model in models], abs=1e-9
        )
        said = figures["coefficients"]
        said = [said[mark] for mark in MARKS] if marks > 1 else said
        assert found.coefficients == pytest.approx(said, abs=1e-9)


def test_a_style_that_never_differs_is_left_out_and_who_won_everything_has_no_score() -> None:
    flat = style_controlled(
        [0, 0, 1, 1], [1, 0, 0.5, 1], [1, 1, 1, 1], np.zeros((4, 1)), n_models=2, definition="v0.1"
    )
    assert flat.scores == pytest.approx([0.51, 0.72], abs=0.01)
    assert np.isnan(flat.coefficients).all()
    swept = style_controlled(
        [0, 0, 0], [1, 1, 1], [1, 3, 1], [[0.1], [-0.2], [0.3]], n_models=1, definition="v2.0"
    )
    assert np.isnan(swept.scores).all()


def test_marks_are_counted_as_upstream_stores_them() -> None:
    answers = table("answers.parquet")
    for row in answers[answers.counts_published].head(300).itertuples():
        assert style_of(row.answer)[1:] == (row.header, row.list, row.bold)


PATTERNS = (
    json.loads((GOLD / "official_prompts.json").read_text("utf-8"))["regex_patterns"]
    if (GOLD.is_dir())
    else []
)


@given(
    st.lists(st.sampled_from(["[", "]", "[[", "]]", "A", "B", ">", "<", "=", "a", " ", "\n", "C"]))
)
def test_readers_read_any_text_as_upstreams_code_does(pieces: list[str]) -> None:
    text = "".join(pieces)
    matches = [one for one in re.findall(PATTERNS[0], text) if one]
    old = matches[0] if len(set(matches)) == 1 else None
    new = next((found[-1] for one in PATTERNS if (found := re.findall(one, text.upper()))), None)
    for read, wanted in ((read_arena_hard, old), (read_arena_hard_v2, new)):
        verdict = read(Reply(text=text))
        assert (
            verdict == ARENA_HARD[wanted]
            if wanted in ARENA_HARD
            else isinstance(verdict, Unreadable)
        )
