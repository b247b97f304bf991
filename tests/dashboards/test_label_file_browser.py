"""The file that raters get, in a browser without a network: keys, what is kept, what comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from judgebench.label_files import export_labels, import_labels
from judgebench.store.opening import open_store
from tests.dashboards import label_stores, stores
from tests.dashboards.browsing import BROWSER
from tests.dashboards.label_stores import HOSTILE

pytestmark = BROWSER
READ_MS = 450
"""What is pressed before has been read by nobody."""


TEXTS = {name: text for name, text in HOSTILE.items() if name != "long"}
PRESSED_AT_ONCE = """() => {
  for (const key of ["s", "1"]) document.dispatchEvent(new KeyboardEvent("keydown", { key }));
}"""


def test_labels_are_given_kept_and_given_back(browser: Any, tmp_path: Path) -> None:
    url = label_stores.fill(tmp_path / "s.db", n_items=len(TEXTS), answers=[*TEXTS.values()])
    path = tmp_path / "labels.html"
    where = f"{stores.BENCHMARK}@{stores.VERSION}"
    with open_store(url) as store:
        export_labels(where, path, n=len(TEXTS), models=[label_stores.MODELS[0]], store=store)
    asked: list[str] = []
    complaints: list[str] = []
    page = browser.new_page()
    page.on("request", lambda one: asked.append(one.url))
    page.on("console", lambda one: complaints.append(one.text))
    page.on("pageerror", lambda one: complaints.append(str(one)))
    page.goto(path.as_uri())
    page.fill("#rater", "anna")
    page.keyboard.press("Enter")
    for width in (360, 800, 1400):
        page.set_viewport_size({"width": width, "height": 800})
        for _ in TEXTS:  # all are seen, each as text
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.keyboard.press("s")
    page.evaluate(PRESSED_AT_ONCE)
    assert page.inner_text("#told") == "That key was not taken: this had only just appeared."
    for key in ("1", "0", "1", "u"):
        page.wait_for_timeout(READ_MS)
        page.keyboard.press(key)
    assert page.inner_text("#count") == f"2 of {len(TEXTS)}"
    for _ in range(5):  # a new process of the browser hears a moment later of what was kept
        page.reload()
        if page.input_value("#rater"):
            break
        page.wait_for_timeout(1000)
    assert page.input_value("#rater") == "anna"
    page.click("text=Start")
    assert page.inner_text("#count") == f"2 of {len(TEXTS)}"
    with page.expect_download() as download:
        page.keyboard.press("d")
    file = tmp_path / "back.jsonl"
    download.value.save_as(file)
    assert page.title().startswith("Labels for")
    page.close()
    values = [json.loads(line)["value"] for line in file.read_text().splitlines()]
    assert sorted(values) == ["correct", "incorrect"]
    [report] = import_labels([file], store=url).values()
    assert report.new == 2
    assert not complaints
    assert all(one.startswith(("file:", "blob:")) for one in asked)


def test_each_of_two_raters_has_the_overlap_and_a_half_of_the_rest(
    browser: Any, tmp_path: Path
) -> None:
    url = label_stores.fill(tmp_path / "s.db", n_items=4)
    path = tmp_path / "labels.html"
    with open_store(url) as store:
        export_labels(
            f"{stores.BENCHMARK}@{stores.VERSION}", path, n=7, raters=2, overlap=2, store=store
        )
    page = browser.new_page()
    for part, n in (("0", 5), ("1", 4)):
        page.goto(path.as_uri())
        page.fill("#rater", f"rater {part}")
        page.select_option("#part", part)
        page.click("text=Start")
        assert page.inner_text("#count") == f"0 of {n}"
    for _ in range(3):  # one of them at least is of this person alone
        page.wait_for_timeout(READ_MS)
        page.keyboard.press("1")
    page.reload()  # which person somebody is, is kept as well
    page.click("text=Start")
    assert page.inner_text("#count") == f"3 of {n}"
    page.reload()
    page.select_option("#part", "0")
    page.click("text=Start")
    with page.expect_download() as download:  # what was labelled as another person is not lost
        page.keyboard.press("d")
    download.value.save_as(tmp_path / "back.jsonl")
    page.close()
    [report] = import_labels([tmp_path / "back.jsonl"], store=url).values()
    assert report.new == 3
