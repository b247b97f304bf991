"""The pictures of the README and the docs: the dashboard on a store, in headless Chromium.

    python docs/images/make_screenshots.py --store sqlite:///results/judgebench.db
    python docs/images/make_screenshots.py --page label --query rater=anna

Needs playwright and a `chromium` on the path (Debian: apt-get install chromium).
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHART = "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg"
TABLE = "[data-testid=stDataFrame] canvas"
TEXT = "[data-testid=stText]"
PAGES = {
    "overview": ("", CHART),
    "leaderboard": ("leaderboard", CHART),
    "compare": ("compare", CHART),
    "items": ("items", TEXT),
    "agreement": ("agreement", CHART),
    "honesty": ("honesty", CHART),
    "nights": ("nights", CHART),
    "training": ("training", TEXT),
    "label": ("label", TABLE),
    "runs": ("runs", TABLE),
}
"""Where each page is, and what has to be drawn on it."""
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
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboards" / "app.py")]
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


def picture(browser: Browser, url: str, drawn: str, path: Path, *, theme: str) -> None:
    page = browser.new_page(
        viewport={"width": 1400, "height": 900},
        color_scheme="dark" if theme == "dark" else "light",
    )
    page.goto(url)
    page.locator(drawn).first.wait_for(timeout=60_000)
    page.wait_for_timeout(1500)  # tables fade in
    page.screenshot(path=path)
    page.close()
    print(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--store", default="sqlite:///results/judgebench.db")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    parser.add_argument("--theme", choices=["light", "dark"], default="light")
    parser.add_argument("--page", choices=PAGES, action="append", help="all if not given")
    parser.add_argument("--query", default="", help="choices for the pages, as in their URL")
    given = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no chromium on PATH; on Debian: apt-get install chromium")
    with dashboard(given.store) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for name in given.page or PAGES:
            path, drawn = PAGES[name]
            url = f"{address}/{path}?{given.query}"
            picture(browser, url, drawn, given.output / f"{name}.png", theme=given.theme)
        browser.close()


if __name__ == "__main__":
    main()
