"""The page of a judge's card: what the report says, and nothing of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import judgebench
from judgebench.plain_text import counted
from tests.dashboards import stores
from tests.dashboards.drawn import with_field
from tests.dashboards.test_pages import texts

NAME = "**bold** :red[x] <b>y</b>"
AT = f"{stores.BENCHMARK}@{stores.VERSION}"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stores.fill(tmp_path_factory.mktemp("judges") / "s.db", n_items=30)


@pytest.mark.parametrize("judge", ["contains", "smollm2-plain", stores.HUMAN])
def test_the_page_says_what_the_report_says(seen: Any, store: str, judge: str) -> None:
    app = seen("judges", store, judge=judge)
    assert not app.exception
    card = judgebench.judge_card(judge, store=store)
    (section,) = card.sections
    said = [one.value.replace("\\", "") for kind in (app.error, app.warning, app.success)
            for one in kind]  # fmt: skip
    assert said == [card.verdict]
    shown = [one.value.replace("\\", "") for one in app.markdown]
    for one in section.decisions:
        assert any(f"{one.use}: {one.believed}" in text for text in shown)
    failed = [one for one in section.measures if one.state == "failed"]
    for measure in failed:
        on = f" on {counted(len(measure.fails), 'model')}" if measure.fails else ""
        assert any(f"{measure.title}: failed{on}**" in text for text in shown)
    kappas = next(one for one in section.measures if one.name == "model_kappa").models
    if kappas:
        drawn = {row["name"]: row["value"] for row in with_field(app, "tone")}
        assert drawn == {model: pytest.approx(one.value) for model, one in kappas.items()}
    assert app.query_params["judge"] == judge
    assert len(app.get("download_button")) >= 5


def test_a_link_opens_one_benchmark_and_names_are_text(seen: Any, tmp_path: Path) -> None:
    url = stores.fill_with(tmp_path / "s.db", {NAME: {NAME: stores.labels("+-" * 12)}})
    app = seen("judges", url, judge=NAME, on=AT)
    assert not app.exception
    assert app.query_params["on"] == AT
    assert NAME in texts(app)
    assert all(NAME not in one.value for one in (*app.markdown, *app.header))
