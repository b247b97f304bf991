"""The dashboard as a browser sees it: drawn, live, literal, and silent towards the outside."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from judgebench.store import open_store
from tests.dashboards import stores
from tests.dashboards.serving import served
from tests.dashboards.watched import Watched
from tests.warm import Warm

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PROBES = ("/_stcore/health", "/_stcore/host-config")
"""What Streamlit's own page looks for below the address of a link first, and then at the root."""
CHART = "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg"
UNFINISHED = (
    "[data-testid=stSkeleton], [data-testid=stSpinner], [data-testid=stMain] [data-stale=true]"
)
VERBATIM = "[class*=st-key-verbatim] [data-testid=stText]"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hostile names beside plain ones; every model has met every judge."""
    path = tmp_path_factory.mktemp("browser") / "s.db"
    said = stores.labels
    table = {
        name: {
            "human/authors": said("+-+-++"),
            stores.HOSTILE[0]: said("++--++"),
            stores.HOSTILE[2]: said("+?-+-+"),
        }
        for name in (*stores.HOSTILE, "plain")
    }
    stores.fill_with(path, table)
    return path


@pytest.fixture(scope="module")
def address(store: Path, warm: Warm) -> Iterator[str]:
    with served(warm, f"sqlite:///{store}", store.parent) as address:
        yield address


@pytest.fixture(scope="module")
def loaded(address: str, visitor: Any) -> Iterator[tuple[Any, Watched]]:
    """A tab for the tests of a file: what its scripts take to load is seconds of a core."""
    page = visitor.new_page()
    seen = Watched(page)
    page.goto(address)
    page.get_by_role("heading", name="Overview").wait_for(timeout=60_000)
    yield page, seen
    page.close()


@pytest.fixture
def tab(loaded: tuple[Any, Watched]) -> Iterator[Any]:
    """A tab with the first page shown. It may talk to loopback alone and complain of nothing,
    from when it was loaded to the end of the test.
    """
    page, seen = loaded
    open_at(page, "/")
    page.get_by_role("heading", name="Overview", exact=True).wait_for(timeout=60_000)
    yield page
    assert seen.hosts == {"127.0.0.1"}
    assert not seen.complaints


def open_at(page: Any, link: str) -> None:
    """Follow a link within the app, as its own links and the way back do."""
    page.evaluate(
        "link => { history.pushState(null, '', link); dispatchEvent(new Event('popstate')) }", link
    )


def settled(tab: Any) -> None:
    """Everything is drawn: the server has said so, and nothing is in the making or of before."""
    tab.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)
    tab.wait_for_function("unfinished => !document.querySelector(unfinished)", arg=UNFINISHED)
    tab.wait_for_timeout(300)  # what comes fades in


def test_a_link_to_a_page_is_the_first_thing_opened(address: str, visitor: Any) -> None:
    """On a server that nobody has visited, with the choices of whoever sent the link. Nothing fails
    but where Streamlit looks for itself.
    """
    page = visitor.new_page()
    seen = Watched(page)
    page.goto(f"{address}/agreement?scope=macro")
    page.locator(CHART).nth(1).wait_for(timeout=60_000)
    page.get_by_text("Unweighted mean over models, the figure").wait_for()
    page.close()
    assert set(seen.refused) == {f"{address}/agreement{probe}" for probe in PROBES}


def go(page: Any, name: str) -> None:
    """Choose a page in the navigation. On a machine at its limit the browser may lose the press of
    a button while it draws; whoever sits before it presses again.
    """
    from playwright.sync_api import TimeoutError as NothingCame

    heading = page.get_by_role("heading", name=name, exact=True)
    for _ in range(3):
        page.get_by_role("link", name=name, exact=True).first.click()
        with suppress(NothingCame):
            return heading.wait_for(timeout=30_000)
    raise AssertionError(f"{name} was chosen three times, and {page.url} is shown")


def hears(page: Any, button: str) -> None:
    """Wait until a button is there. Its key is not heard before, for Streamlit fetches what draws
    a button, and listens for keys, when it first meets one; the texts around it are there sooner.
    """
    page.locator("[data-testid=stButton] button:enabled", has_text=button).wait_for(timeout=60_000)


def test_both_pages_are_drawn(tab: Any) -> None:
    go(tab, "Leaderboard")
    tab.locator(CHART).first.wait_for(timeout=60_000)
    go(tab, "Agreement")
    tab.get_by_role("heading", name="Agreement").wait_for()
    tab.locator(CHART).nth(1).wait_for(timeout=60_000)
    assert "benchmark=" in tab.url


def test_hostile_names_appear_letter_by_letter(tab: Any) -> None:
    go(tab, "Leaderboard")
    tab.locator(CHART).first.wait_for(timeout=60_000)
    tab.get_by_role("combobox", name="Judge").click()
    for name in (stores.HOSTILE[0], stores.HOSTILE[2]):
        tab.get_by_role("option", name=name, exact=True).wait_for()
    tab.get_by_role("option", name=stores.HOSTILE[0], exact=True).click()
    tab.locator("[data-testid=stText]").get_by_text(f"judge {stores.HOSTILE[0]}").wait_for()
    tab.locator(CHART).get_by_text(f"judge {stores.HOSTILE[0]}").wait_for()
    assert tab.locator("img[src=x], main b, .katex").count() == 0


def test_counts_move_while_a_run_writes(tab: Any, store: Path) -> None:
    tab.get_by_text("90 judgments").wait_for()
    more = {"late": {"human/authors": stores.labels("++++++")}}
    stores.fill_with(store, more, run_id="second", state="running")
    tab.get_by_text("96 judgments").wait_for(timeout=20_000)
    with open_store(f"sqlite:///{store}") as held, held.lease("run second"):
        tab.get_by_text("running: demo").wait_for()
