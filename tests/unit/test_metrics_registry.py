"""Every metric has one entry, which all that shows it reads."""

from __future__ import annotations

import re
from pathlib import Path

from judgebench.metrics.registry import (
    METRICS,
    NOT_TESTED,
    PAIRED,
    digits,
    heading,
    meanings,
    metric,
    sign_of,
)
from tests.table import over_rows

DOCS = Path(__file__).resolve().parents[2] / "docs"


@over_rows(
    ("name", "base"),
    [
        ("win_rate/category/a b", "win_rate"),
        ("score/official", "score"),
        ("length_controlled_win_rate/compat", "length_controlled_win_rate/compat"),
        ("length_controlled_win_rate/compat/x", "length_controlled_win_rate/compat"),
        ("length_controlled_win_rate/x", "length_controlled_win_rate"),
    ],
)
def test_a_group_has_the_entry_of_its_metric(name: str, base: str) -> None:
    assert metric(name) is METRICS[base]


def test_a_metric_that_nobody_registered_is_called_as_it_is_named() -> None:
    made_up = metric("made_up/x")
    assert (made_up.title, made_up.digits, made_up.direction) == ("made up/x", 3, "neither")


@over_rows(
    ("name", "sign", "tested"),
    [
        ("full_refusal", 0, NOT_TESTED),
        ("full_refusal/safe", -1, PAIRED),
        ("full_refusal/unsafe", 1, PAIRED),
        ("partial_refusal", 0, NOT_TESTED),
        ("partial_refusal/safe", -1, PAIRED),
        ("partial_refusal/unsafe", 0, NOT_TESTED),
        ("attack_success", -1, PAIRED),
        ("attack_success/jailbreak", -1, PAIRED),
        ("other_language/safe", -1, PAIRED),
        ("own_share/safe", -1, PAIRED),
        ("own_share", 0, NOT_TESTED),
        ("accuracy/safe", 1, PAIRED),
        ("ece", -1, PAIRED),
        ("order_flips", -1, NOT_TESTED),
    ],
)
def test_whether_more_is_better_and_whether_two_models_are_tested(
    name: str, sign: int, tested: str
) -> None:
    assert (sign_of(name), metric(name).tested) == (sign, tested)


def test_titles_say_the_unit_and_groups_are_called_by_their_name_alone() -> None:
    assert heading("win_rate") == "win rate %"
    assert heading("win_rate/a_b", "win_rate") == "a b %"
    assert heading("win_rate/a_b", "accuracy") == "win rate/a b %"
    assert heading("score", "score", (1.0, 10.0)) == "score (1 to 10)"
    assert heading("score/official", "score", (1.0, 10.0)) == "official"


def test_noise_has_the_digits_of_the_board_that_it_is_on() -> None:
    assert [digits("judge_noise", one) for one in ("accuracy", "score", "win_rate")] == [3, 2, 1]
    assert digits("win_rate", "accuracy") == 1


def test_a_fraction_that_is_drawn_in_percent_has_as_many_digits_as_in_a_table() -> None:
    accuracy, rate = metric("accuracy"), metric("win_rate")
    assert (accuracy.drawn_times, accuracy.drawn_digits) == (100.0, 1)
    assert (rate.drawn_times, rate.drawn_digits) == (1.0, 1)


def test_what_is_explained_is_in_the_documentation() -> None:
    for one in METRICS.values():
        page, _, place = one.explained.partition("#")
        heads = re.findall(r"^#+ (.*)$", (DOCS / page).read_text("utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in heads}
        assert place in slugs, one.name


def test_a_title_without_a_meaning_is_not_explained() -> None:
    assert meanings({"ece_upstream": "x", "auroc": "AUROC"}).startswith("AUROC: chance that")
