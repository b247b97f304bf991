"""Style of answers: marks counted line by line, code left out, differences by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.metrics.style_controlled import (
    FEWEST_QUESTIONS,
    STYLE,
    Games,
    Style,
    fitted,
    mean_style,
    style_differences,
    style_of,
)
from judgebench.stats.style_control import Definition, style_controlled
from tests.table import over_rows

MARKDOWN = """\
# One
## Two ##
####### seven are none
#none
- a
  * b **bold** and **more**
+ c __too__

12. d
1) none
*none*
```python
# no header
- no item **nor bold**
```
"""


def test_marks_are_counted_outside_code() -> None:
    assert style_of(MARKDOWN) == Style(length=len(MARKDOWN), headers=2, lists=4, bold=3)


@over_rows(
    ("text", "marks"),
    [
        ("", (0, 0, 0)),
        ("#", (0, 0, 0)),
        ("#\n", (1, 0, 0)),
        ("-\n-\n", (0, 2, 0)),
        ("a\n\n \n\t- b", (0, 1, 0)),
        ("text - no item", (0, 0, 0)),
        ("**a *b**", (0, 0, 0)),
        ("**a\nb**", (0, 0, 0)),
        ("**__both__**", (0, 0, 2)),
        ("**a** **b**", (0, 0, 2)),
        ("```**a**", (0, 0, 1)),
        ("```**a**```", (0, 0, 0)),
    ],
)
def test_what_is_a_mark(text: str, marks: tuple[int, int, int]) -> None:
    assert style_of(text)[1:] == marks


def by_line(text: str) -> tuple[int, int]:
    """Headers and list items in the words of the definition; no code in the text."""
    headers = items = 0
    for line in text.split("\n"):
        whole = line + "\n"
        level = len(whole) - len(whole.lstrip("#"))
        headers += 1 <= level <= 6 and whole[level].isspace()
        mark = whole.lstrip()
        digits = len(mark) - len(mark.lstrip("0123456789"))
        end = digits + 1 if digits and mark[digits : digits + 1] == "." else int(mark[:1] in "-*+")
        items += bool(mark) and end > 0 and mark[end : end + 1].isspace()
    return headers, items


@given(st.text("#-*+1. \t\nab", max_size=60))
def test_headers_and_items_are_those_of_the_lines(text: str) -> None:
    # A line of its own at the end, so that the last mark has its white space there too.
    assert style_of(text + "\n")[1:3] == by_line(text + "\n")


@given(st.text(max_size=200))
def test_any_text_has_a_style(text: str) -> None:
    found = style_of(text)
    assert found.length == len(text)
    assert min(found) >= 0
    assert sum(found[1:]) <= 2 * len(text)


@over_rows(
    "piece", ["\n", " ", "`", "``` ", "**", "**a", "__", "_a", "#", "1", " \n", "-\n", "\r", "1.\n"]
)
def test_hostile_texts_take_no_time(piece: str) -> None:
    start = time.perf_counter()
    style_of(piece * 200_000)
    assert time.perf_counter() - start < 2.0  # quadratic, these take minutes


def test_differences_by_hand() -> None:
    one, other = [300.0, 3.0, 0.0, 6.0], [100.0, 0.0, 0.0, 2.0]
    ((length, headers, lists, bold),) = style_differences([one], [other])
    assert length == 0.5
    assert headers == pytest.approx(0.01 / 1.01)
    assert lists == 0
    assert bold == pytest.approx(0)  # as dense, in three times the text


@given(
    st.lists(
        st.tuples(*[st.tuples(*[st.integers(0, 10**6)] * len(STYLE))] * 2), min_size=0, max_size=5
    )
)
def test_differences_change_sign_with_the_sides(rows: list[tuple[tuple[int, ...], ...]]) -> None:
    first, second = ([row[side] for row in rows] for side in (0, 1))
    found = style_differences(first, second)
    assert found.shape == (len(rows), len(STYLE))
    assert (np.abs(found) <= 1).all()
    np.testing.assert_array_equal(found, -style_differences(second, first))


def test_samples_of_an_answer_are_averaged() -> None:
    assert mean_style([Style(10, 0, 1, 2), Style(20, 1, 1, 0)]) == Style(15, 0.5, 1, 1)


# intervals ----------------------------------------------------------------------------------------

MODELS = 3


def played(n: int, *, seed: int = 1) -> Games:
    """Two games of each model on each question; the questions differ in how hard they are."""
    rng = np.random.default_rng(seed)
    model, question = np.tile(np.repeat(np.arange(MODELS), 2), n), np.repeat(np.arange(n), 6)
    style = rng.normal(0.1, 0.3, (len(model), 4)) + rng.normal(0.0, 0.2, (n, 4))[question]
    odds = np.array([-1.0, 0.0, 1.2])[model] + rng.normal(0.0, 1.0, n)[question] + 2.0 * style[:, 0]
    chance = 1.0 / (1.0 + np.exp(-odds))
    won = np.where(rng.random(len(model)) < 0.2, 0.5, rng.random(len(model)) < chance)
    return Games(model, won, rng.choice([1.0, 3.0], len(model)), question, style)


@over_rows("definition", ["v0.1", "v2.0"])
def test_errors_of_style_controlled_scores_are_those_of_leaving_questions_out(
    definition: Definition,
) -> None:
    n = FEWEST_QUESTIONS
    games = played(n)

    def log_odds(kept: np.ndarray) -> np.ndarray:
        some = [column[kept] for column in (*games[:3], games.style)]
        fit = style_controlled(*some, n_models=MODELS, definition=definition)
        return np.log(fit.scores / (1.0 - fit.scores))

    left_out = np.array([log_odds(games.question != q) for q in range(n)])
    jackknife = np.sqrt((n - 1) / n * np.square(left_out - left_out.mean(axis=0)).sum(axis=0))
    fit, low, high = fitted(games, n_models=MODELS, definition=definition, level=0.95)
    assert fit.n_units == n
    assert fit.errors == pytest.approx(jackknife, rel=0.1)
    assert ((low < fit.scores) & (fit.scores < high)).all()
    # Twice the games of a question tell no more of it.
    twice = Games(*(np.concatenate([column, column]) for column in games))
    assert fitted(twice, n_models=MODELS, definition=definition, level=0.95)[0].errors == (
        pytest.approx(fit.errors, rel=0.02)
    )


def test_a_style_controlled_score_has_no_interval_where_none_was_measured() -> None:
    few = played(FEWEST_QUESTIONS - 1)
    _, low, high = fitted(few, n_models=MODELS, definition="v0.1", level=0.95)
    assert np.isnan(low).all() and np.isnan(high).all()
    games = played(FEWEST_QUESTIONS)
    lost = games._replace(won=np.where((games.model == 0) & (games.question > 8), 0.0, games.won))
    fit, low, _ = fitted(lost, n_models=MODELS, definition="v0.1", level=0.95)
    assert np.isnan(low).tolist() == [True, False, False]
    assert np.isfinite(fit.scores).all()
    nothing = style_controlled(*lost[:3], lost.style, n_models=MODELS, definition="v0.1")
    assert np.isnan(nothing.errors).all() and np.isnan(nothing.ends(0.95)).all()
