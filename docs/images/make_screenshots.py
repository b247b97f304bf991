"""The pictures of the README and the docs: the dashboard on stores, in headless Chromium.

    python docs/images/make_screenshots.py                      # every page, on stores made for it
    python docs/images/make_screenshots.py --theme dark --page compare --output /tmp
    python docs/images/make_screenshots.py --store sqlite:///results/judgebench.db --page overview
    python docs/images/make_screenshots.py --width 800 --width 1920 --highest 3000 --output /tmp
    python docs/images/make_screenshots.py --store … --page label --query rater=anna

What the stores hold that are made for it is said in `showcase.py`. Needs playwright and a
`chromium` on the path (Debian: apt-get install chromium).
"""

from __future__ import annotations

import argparse
import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import showcase
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHART = "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg"
TABLE = "[data-testid=stDataFrame] canvas"
TEXT = "[data-testid=stMain] [data-testid=stText]"


@dataclass(frozen=True)
class View:
    """A page, the store that shows what it is for, and what has to be drawn on it."""

    page: str
    store: str
    drawn: str = CHART
    query: Mapping[str, str | Sequence[str]] = field(default_factory=dict)


ALPACA = {"benchmark": "alpaca_eval", "judge": "weighted_alpaca_eval_gpt4_turbo"}
VIEWS = {
    "overview": View("", showcase.PUBLISHED),
    "leaderboard": View("leaderboard", showcase.PUBLISHED, query=ALPACA),
    "compare": View(
        "compare",
        showcase.PUBLISHED,
        query={
            "first": "Mixtral-8x7B-Instruct-v0.1_concise",
            "second": ["gpt-3.5-turbo-1106_verbose", "OpenHermes-2.5-Mistral-7B", "claude-2"],
        },
    ),
    "agreement": View(
        "agreement",
        showcase.PUBLISHED,
        query={"benchmark": "trivia_judging", "reference": "human", "shown": "Llama3-70B"},
    ),
    "judges": View("judges", showcase.PUBLISHED, query={"judge": "GPT-4"}),
    "items": View("items", showcase.WRITTEN, TEXT, {"q": "planet"}),
    "honesty": View(
        "honesty",
        showcase.CONFIDENCES,
        query={"sure": ["knows-itself", "overrates-itself"], "confidence": "Verbal-0"},
    ),
    "nights": View("nights", showcase.NIGHTS),
    "training": View("training", showcase.TRAINING),
    "label": View("label", showcase.WRITTEN, TABLE, {"rater": "anna"}),
    "runs": View("runs", showcase.WRITTEN, TABLE),
}
WIDTH, HIGHEST, BELOW = 1400, 1100, 24
COLOURS, NO_DITHER = 256, Image.Dither.NONE
"""Of a picture: a drawing has a few, and letters their shades."""

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


@contextmanager
def dashboard(store: str) -> Iterator[str]:
    """The address of a dashboard that runs as long as the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / "dashboards" / "serve.py")]
    command += ["--server.port", str(port), "--", "--store", store]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            while server.poll() is None:
                try:
                    urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).close()
                    break
                except (urllib.error.URLError, ConnectionError):
                    time.sleep(0.1)
            else:
                sys.exit(f"streamlit ended with exit code {server.returncode}")
            yield address
        finally:
            server.terminate()


def picture(
    browser: Browser, url: str, drawn: str, path: Path, *, theme: str, width: int, highest: int
) -> None:
    page = browser.new_page(
        viewport={"width": width, "height": highest},
        color_scheme="dark" if theme == "dark" else "light",
    )
    page.goto(url)
    page.locator(drawn).first.wait_for(timeout=60_000)
    stands_still(page)
    clip = {"x": 0, "y": 0, "width": width, "height": min(highest, ends_at(page) + BELOW)}
    taken = Image.open(io.BytesIO(page.screenshot(clip=clip)))  # type: ignore[arg-type]
    page.close()
    # by their extent and not by how often they occur: a single orange mark stays orange
    few = taken.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=NO_DITHER)
    few.save(path, optimize=True)
    print(f"{path}: {few.width} x {few.height}, {path.stat().st_size // 1000} kB")


def stands_still(page: Page) -> None:
    """Nothing runs, no place is empty, no board is being computed; and what fades in has."""
    page.wait_for_function(
        """() => document.querySelector('[data-testid=stApp]')
                .getAttribute('data-test-script-state') === 'notRunning'
            && !document.querySelector('[data-testid=stSkeleton]')
            && !document.body.innerText.includes('Computing ')""",
        timeout=60_000,
    )
    page.wait_for_timeout(2500)


def ends_at(page: Page) -> int:
    """Where the page or the sidebar ends, whichever is lower, in pixels."""
    bottom: float = page.evaluate(
        """() => Math.max(...['stMainBlockContainer', 'stSidebarUserContent'].map(
            name => document.querySelector(`[data-testid=${name}]`))
            .filter(one => one).map(one => [...one.querySelectorAll('[data-testid]')]
                .reduce((low, part) => Math.max(low, part.getBoundingClientRect().bottom), 0)))"""
    )
    return round(bottom)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--store", help="instead of those that are made for it")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    parser.add_argument("--theme", choices=["light", "dark"], default="light")
    parser.add_argument("--page", choices=VIEWS, action="append", help="all if not given")
    parser.add_argument("--query", default="", help="choices for the pages, as in their URL")
    parser.add_argument("--width", type=int, action="append", help="several: NAME-800.png")
    parser.add_argument("--highest", type=int, default=HIGHEST)
    given = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no chromium on PATH; on Debian: apt-get install chromium")
    names = given.page or list(VIEWS)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        if given.store is None:
            showcase.fill(Path(made))
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for store in dict.fromkeys(VIEWS[name].store for name in names):
            here = [name for name in names if VIEWS[name].store == store]
            with dashboard(given.store or showcase.url_of(Path(made), store)) as address:
                for name in here:
                    view = VIEWS[name]
                    query = given.query or urlencode(view.query, doseq=True)
                    url = f"{address}/{view.page}?{query}"
                    for width in given.width or [WIDTH]:
                        path = given.output / f"{name}{f'-{width}' if given.width else ''}.png"
                        size = {"width": width, "highest": given.highest}
                        picture(browser, url, view.drawn, path, theme=given.theme, **size)
        browser.close()


if __name__ == "__main__":
    main()
