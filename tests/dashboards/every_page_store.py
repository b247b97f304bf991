"""One store that has something for every page, with names and texts that want to be markup."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from tests.dashboards import agreement_stores, honesty_stores, item_stores, night_stores, stores

MARKUP, LINK, LATEX, EMOJI = stores.HOSTILE
VERSION = stores.VERSION
NAMED = f"benchmark {MARKUP}"
"""A benchmark whose every name, question, answer and reply is hostile."""

SURE = "confidences"
"""A benchmark with confidences."""


def fill(path: Path | str) -> str:
    """Its URL."""
    night_stores.fill(
        path, name=LATEX, beside=EMOJI, judge=f"night {MARKUP}", baseline=LINK, n_items=40
    )
    night_stores.train(
        path, run=LATEX, model=LINK, judge=f"night {MARKUP}", tags={LINK: MARKUP}, n_items=40
    )
    with (
        mock.patch.multiple(stores, BENCHMARK=NAMED),
        mock.patch.multiple(item_stores, BENCHMARK=NAMED),
        mock.patch.multiple(agreement_stores, BENCHMARK=NAMED),
    ):
        agreement_stores.hostile(path)
    with mock.patch.multiple(honesty_stores, BENCHMARK=SURE):
        return honesty_stores.fill(
            path, names={"knows-itself": MARKUP, "Verbal-0": LATEX}, run_id="third"
        )
