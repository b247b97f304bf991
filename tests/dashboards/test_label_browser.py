"""The label page under a person's fingers: keys, and two windows at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards import label_stores
from tests.dashboards.browsing import BROWSER, hears
from tests.dashboards.label_stores import MODELS, RIGHT, WRONG
from tests.dashboards.serving import served
from tests.dashboards.watched import Watched
from tests.warm import Warm

pytestmark = BROWSER
LOCAL = ("--server.address", "127.0.0.1")
MAIN = "document.querySelector('[data-testid=stMain]')"
QUESTION = re.compile(r"^Question \d+\?$")
READ_MS = 500
"""Nobody presses a key on what they have not read."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store for all tests, each of which has raters of its own."""
    path = tmp_path_factory.mktemp("label") / "s.db"
    url = label_stores.fill(path, n_items=20)
    said = {(i, name): RIGHT if i % 2 else WRONG for i in range(20) for name in MODELS}
    label_stores.say(url, "gpt-judge", said)
    return url


@pytest.fixture(scope="module")
def address(url: str, warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(warm, url, tmp_path_factory.mktemp("served"), *LOCAL) as address:
        yield f"{address}/label"


@pytest.fixture(scope="module")
def known() -> list[Any]:
    """Windows that earlier tests have opened, and which have loaded what draws a page."""
    return []


@pytest.fixture
def windows(
    address: str, browser: Any, visitor: Any, known: list[Any]
) -> Iterator[Callable[..., Any]]:
    """Windows of a browser. They may talk to loopback alone, and complain of nothing."""
    free, open_now = list(known), []

    def opened(query: str = "", at: str = address, **more: Any) -> Any:
        if more:
            page = browser.new_page(viewport={"width": 1400, "height": 900}, **more)
        elif free:
            page = free.pop()
        else:
            page = visitor.new_page()
            known.append(page)
        open_now.append((page, Watched(page)))
        page.goto(f"{at}?{query}")
        page.get_by_role("heading", name="Label").wait_for(timeout=60_000)
        return page

    yield opened
    for page, seen in open_now:
        if not page.is_closed():
            page.goto("about:blank")
        seen.leave()
        assert seen.hosts == {"127.0.0.1"}
        assert seen.refused == []
        assert seen.complaints == []


def labels_of(url: str, rater: str, version: str = "v1") -> list[tuple[str, str, object]]:
    """Item, model and label."""
    return [(*about, said) for who, *about, said in label_stores.labels(url, version)
            if who == f"human/{rater}"]  # fmt: skip


def press(page: Any, key: str, then: str) -> None:
    """A key, and what has to stand on the page after it. While a page is computed, what it was
    before is still there, and the field of a name that was given may still hold the keyboard.
    """
    hears(page, "Skip")
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)
    page.wait_for_timeout(READ_MS)
    page.keyboard.press(key)
    page.get_by_text(then, exact=True).wait_for()


def test_a_person_labels_with_keys_and_goes_on_after_a_reload(
    url: str, windows: Callable[..., Any]
) -> None:
    page = windows("version=v1")
    page.get_by_label("Your name").fill("anna10")
    page.keyboard.press("Enter")  # digits of a name are no labels; Enter gives the keys back
    page.get_by_text("0 of 40 labelled").wait_for()
    press(page, "1", "1 of 40 labelled")
    press(page, "0", "2 of 40 labelled")
    skipped = page.get_by_text(QUESTION).inner_text()
    press(page, "s", "2 of 40 labelled")
    page.wait_for_function(f"skipped => !{MAIN}.innerText.includes(skipped)", arg=skipped)
    press(page, "u", "1 of 40 labelled")
    press(page, "0", "2 of 40 labelled")
    page.locator("[data-testid=stDataFrame]").wait_for()
    for name in MODELS:
        assert page.get_by_text(name).filter(visible=True).count() == 0
    page.reload()
    page.get_by_text("2 of 40 labelled").wait_for(timeout=60_000)
    assert "rater=anna10" in page.url
    assert sorted(said for *_, said in labels_of(url, "anna10")) == ["correct", "incorrect"]


def test_two_windows_at_once_lose_nothing(url: str, windows: Callable[..., Any]) -> None:
    """Of two raters, one of whom has the page open twice."""
    windows_of = {"one": windows("version=v1&rater=bert"), "two": windows("version=v1&rater=bert"),
                  "other": windows("version=v1&rater=carla")}  # fmt: skip
    for page in windows_of.values():
        page.get_by_text("0 of 40 labelled").wait_for()
    for n in range(1, 4):
        windows_of["other"].wait_for_timeout(READ_MS)
        for page in windows_of.values():
            page.keyboard.press("1" if page is not windows_of["other"] else "0")
        for page in windows_of.values():
            page.get_by_text(f"{n} of 40 labelled").wait_for()
    bert, carla = labels_of(url, "bert"), labels_of(url, "carla")
    assert [said for *_, said in bert] == ["correct"] * 3, "the same three, seen twice"
    assert [said for *_, said in carla] == ["incorrect"] * 3
    assert len({label[:2] for label in bert}) == len({label[:2] for label in carla}) == 3


def test_a_key_that_is_held_down_is_one_label(url: str, windows: Callable[..., Any]) -> None:
    page = windows("version=v1&rater=dora")
    page.get_by_text("0 of 40 labelled").wait_for()
    page.wait_for_selector("[data-test-script-state=notRunning]")  # read from when all is shown
    page.wait_for_timeout(READ_MS)
    for _ in range(40):  # a second of a keyboard's repeating
        page.keyboard.down("1")
        page.wait_for_timeout(25)
    page.keyboard.up("1")
    page.get_by_text("1 of 40 labelled").wait_for()
    press(page, "s", "1 of 40 labelled")
    assert len(labels_of(url, "dora")) == 1


def test_a_header_of_the_request_says_who_labels(
    url: str, windows: Callable[..., Any], warm: Warm, tmp_path: Path
) -> None:
    """One that a browser can be told to send; what a proxy adds comes the same way."""
    header = ("--rater-header", "User-Agent")
    with served(warm, url, tmp_path, *LOCAL, more=header) as address:
        page = windows("version=v1&rater=eve", at=f"{address}/label", user_agent="fritz")
        page.get_by_text("labels of human/fritz (as User-Agent says)").wait_for()
        page.get_by_text("0 of 40 labelled").wait_for()
        press(page, "1", "1 of 40 labelled")
        page.context.close()
    assert len(labels_of(url, "fritz")) == 1
    assert labels_of(url, "eve") == []
