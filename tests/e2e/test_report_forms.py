"""Reports as pages and as LaTeX, as they are typed, and a page as a browser shows it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest

from judgebench.cli.options import FORMATS
from tests.dashboards import night_stores
from tests.dashboards.browsing import ARGUMENTS, CHROMIUM
from tests.e2e import own, runs
from tests.loopback import Loopback
from tests.unit.exchanged import rows_file
from tests.wire.speakers import SPEAKERS, Said, speaking

TAKER = "50%_off & <b>{bold}</b> \\input"
ITEMS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a judge behind an API, and what a person says of the same answers."""
    folder = tmp_path_factory.mktemp("forms")
    with Loopback(speaking(SPEAKERS["openai_chat"], Said())) as server:
        path = own.suite(
            folder,
            judges=[own.endpoint(server.url, "<i>small_judge</i>")],
            takers=("taker", TAKER),
            items=ITEMS,
        )
        assert runs.typed("run", path).code == 0
    labels = [
        {
            "benchmark": own.BENCHMARK, "item_id": str(n), "model": taker, "judge": "human/me",
            "kind": "label", "value": "correct" if n % 2 else "incorrect",
        }
        for taker in ("taker", TAKER)
        for n in range(ITEMS)
    ]  # fmt: skip
    done = runs.typed(
        *("import", "labels", rows_file(folder / "labels.jsonl", labels)),
        *("--store", runs.store_url(folder)),
    )
    assert done.code == 0, done.err
    return folder


def words(folder: Path, command: str) -> list[str | Path]:
    """A command line about the run."""
    store = ["--store", runs.store_url(folder)]
    return {
        "leaderboard": ["leaderboard", own.BENCHMARK, *store],
        "agreement": ["agreement", own.BENCHMARK, "--by-model", *store],
        "cost": ["cost", *store],
        "plan": ["plan", folder / "suite.yaml", *store],
    }[command]


@pytest.mark.parametrize("command", ["leaderboard", "agreement", "cost", "plan"])
@pytest.mark.parametrize(
    ("form", "suffix", "begins", "ends", "judge"),
    [
        ("html", "html", "<!doctype html>\n", "</html>\n", escape("<i>small_judge</i>")),
        ("latex", "tex", "% \\usepackage{", "\\end{table}\n", r"\textgreater{}small\_judge"),
    ],
)
def test_a_report_is_written_as_it_is_printed(
    folder: Path, tmp_path: Path, command: str, form: str, suffix: str, begins: str, ends: str,
    judge: str,
) -> None:  # fmt: skip
    line = words(folder, command)
    path = tmp_path / f"report.{suffix}"
    done = runs.typed(*line, "--format", form, "--output", path)
    assert (done.code, done.err) == (0, f"written: {path}\n")
    assert path.read_text(encoding="utf-8") == done.out
    assert runs.typed(*line, "--format", form).out == done.out
    assert done.out.startswith(begins)
    assert done.out.endswith(ends)
    assert judge in done.out
    assert "<i>" not in done.out


@pytest.mark.parametrize("command", ["leaderboard", "agreement"])
def test_models_and_intervals_are_on_the_page(folder: Path, command: str) -> None:
    page = runs.typed(*words(folder, command), "--format", "html").out
    assert escape(TAKER) in page
    assert "<circle " in page
    tex = runs.typed(*words(folder, command), "--format", "latex").out
    assert r"50\%\_off \& \textless{}b\textgreater{}\{bold\}" in tex.replace(r"\allowbreak{}", "")


def test_reports_are_the_same_bytes_in_another_process(folder: Path, tmp_path: Path) -> None:
    line, tex = words(folder, "agreement"), tmp_path / "agreement.tex"
    done = runs.judgebench(
        *line, "--format", "html", "--output", tex, environment={"PYTHONHASHSEED": "7"}
    )
    assert done.stdout == runs.typed(*line, "--format", "html").out
    assert tex.read_text(encoding="utf-8") == runs.typed(*line, "--format", "latex").out


@pytest.mark.parametrize("command", ["leaderboard", "agreement", "cost", "plan"])
def test_help_names_every_form(command: str) -> None:
    said = runs.typed(command, "--help").out
    assert f"[{'|'.join(FORMATS)}" in said
    assert ".html .tex" in " ".join(said.split())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium")
def test_a_browser_shows_the_page_light_and_dark(
    folder: Path, tmp_path: Path, browser: Any
) -> None:
    path = tmp_path / "board.html"
    runs.typed(*words(folder, "leaderboard"), "--output", path)
    seen, asked, complaints = {}, [], []
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 400, "height": 800}, color_scheme=scheme)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path.as_uri())
        page.get_by_role("cell").get_by_text(TAKER, exact=True).first.wait_for()
        assert page.locator("main b, main i").count() == 0
        # Tables scroll by themselves, the page does not; and the style is one that the page allows.
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        seen[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        point = page.locator("circle").first.bounding_box()
        cell = page.locator("td:has(circle)").first.bounding_box()
        assert point["width"] > 0
        assert cell["x"] < point["x"] < cell["x"] + cell["width"]
    assert seen == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}
    assert asked == [path.as_uri()] * 2
    assert not complaints


HIDDEN = """() => [...document.querySelectorAll('h1, h2, p, li, th, td, small span, svg')]
    .filter(one => one.getBoundingClientRect().width)
    .map(one => {
        const all = document.createRange();
        all.selectNodeContents(one);
        return [one.textContent, one.tagName, ...[all, one].map(it => it.getBoundingClientRect())];
    })
    .filter(([, , text, box]) => Math.max(text.right, box.right) > innerWidth
        || text.right > box.right + 1 || text.left < 0)
    .map(([said, tag]) => [tag, said])"""


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium")
def test_nothing_is_cut_in_a_window_of_800_pixels(
    folder: Path, tmp_path: Path, browser: Any
) -> None:
    """Of a board with a name that no line holds, and of a gate with all its columns."""
    night_stores.fill(tmp_path / "nights.db", n_items=40)
    board, gate, agreement = (tmp_path / f"{name}.html" for name in ("board", "gate", "agreement"))
    runs.typed(*words(folder, "leaderboard"), "--output", board)
    runs.typed(*words(folder, "agreement"), "--output", agreement)
    store = ["--store", f"sqlite:///{tmp_path / 'nights.db'}"]
    said = ["gate", "--baseline", "nightly", "--candidate", "nightly", *store, "--output", gate]
    runs.typed(*said)
    page = browser.new_page(viewport={"width": 800, "height": 600})
    cells = {}
    for path in (board, agreement, gate):
        for width in (800, 1280, 2400):
            page.set_viewport_size({"width": width, "height": 600})
            page.goto(path.as_uri())
            assert page.evaluate(HIDDEN) == [], (path.name, width)
            aria = page.get_by_role("table").first.get_by_role("cell").all_text_contents()
            assert aria == cells.setdefault(path, aria), "a table for whoever listens, too"
    page.set_viewport_size({"width": 800, "height": 600})
    titles = (
        page.locator("table")
        .first.locator("td")
        .evaluate_all(
            "cells => cells.map(one => getComputedStyle(one, '::before').content.slice(1, -1))"
        )
    )
    heads = page.locator("table").first.locator("th").all_text_contents()
    assert len(heads) > 10
    for head, title in zip(heads, titles, strict=True):
        assert head.startswith(title.partition(", drawn")[0]), "each value has its title beside it"
