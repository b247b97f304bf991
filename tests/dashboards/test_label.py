"""The label page: one key a label, blinded, stored at once, and off where nobody vouches."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from judgebench.label_files import draw_labels
from judgebench.records import Preference, Score, Unreadable
from judgebench.store.opening import open_store
from tests.dashboards import label_stores, stores
from tests.dashboards.label_stores import MODELS, RIGHT, WRONG

DASHBOARDS = Path(__file__).parents[2] / "dashboards"
MARKUP = {"markdown", "title", "header", "subheader", "caption", "error", "info", "warning",
          "success", "button", "expander"}  # fmt: skip


@pytest.fixture(autouse=True)
def _on_this_machine() -> Iterator[None]:
    """As `judgebench dashboard` serves it."""
    from streamlit import config

    before = config.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    yield
    config.set_option("server.address", before)


@pytest.fixture
def open_label() -> Callable[..., Any]:
    """The page alone, as the app would run it."""
    from streamlit.testing.v1 import AppTest

    def opened(url: str, **query: str) -> Any:
        app = AppTest.from_file(str(DASHBOARDS / "views" / "label.py"), default_timeout=30)
        app.session_state["store"] = url
        for key, value in query.items():
            app.query_params[key] = value
        return app.run()

    return opened


def test_it_is_a_page_of_the_app(open_page: Any, url: str) -> None:
    app = open_page("label", url, rater="anna")
    assert not app.exception
    assert "0 of 12 labelled" in texts(app)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("label") / "s.db"
    label_stores.fill(path)
    return path


@pytest.fixture
def url(made: Path, tmp_path: Path) -> str:
    """A copy, since making a store takes longer than many a test of it."""
    return f"sqlite:///{shutil.copyfile(made, tmp_path / 's.db')}"


def test_it_asks_for_what_was_drawn(open_label: Any, url: str) -> None:
    with open_store(url) as store:
        draw_labels(store, f"{stores.BENCHMARK}@{stores.VERSION}", n=4)
    app = open_label(url, rater="anna")
    assert "0 of 4 labelled" in texts(app)
    assert "0 of 12 labelled" in texts(open_label(url, rater="anna", answers="all"))


@pytest.mark.parametrize("formatted", ["0", "1"])
def test_what_nobody_would_see_is_written_out(
    open_label: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, formatted: str
) -> None:
    """As on Items: a label is given to what is there."""
    hidden = "abc\u202etxt\u202c \u200bzero \U000e0041\U000e0042 \x1b[2J\ufeff\u2066end"
    (item,) = stores.items(1)
    turns = (replace(item.turns[0], content=hidden),)
    item = replace(item, turns=turns, references=(hidden,), options=(hidden, "b"))
    monkeypatch.setattr(stores, "items", lambda n: [item])
    path = tmp_path / "hidden.db"
    url = label_stores.fill(path, n_items=1, answers=[hidden], models=MODELS[:1])
    app = open_label(url, rater="anna", formatted=formatted)
    assert not app.exception
    shown = texts(app) + "\n".join(element.proto.body for element in app.get("html"))
    assert shown.count("abc⟨U+202E⟩txt⟨U+202C⟩ ⟨U+200B⟩zero ⟨U+E0041⟩⟨U+E0042⟩ ⟨U+001B⟩[2J") == 4
    assert shown.count("⟨U+FEFF⟩⟨U+2066⟩end") == 4
    assert not set(hidden) & set(shown) - set("abctxtzero [2Jend")


def read_it(app: Any) -> Any:
    """Whoever sits there has had the time to read."""
    app.session_state["since"] -= 60
    return app


def press(app: Any, words: str) -> Any:
    (button,) = (one for one in app.button if one.label == words)
    button.click()
    return read_it(app).run()


def texts(app: Any) -> str:
    return "\n".join(element.value for element in app.text)


def captions(app: Any) -> list[str]:
    return [element.value for element in app.caption]


def asked(app: Any) -> str:
    (found,) = re.findall(r"^Question \d+\?$", texts(app), re.MULTILINE)
    return str(found)


def test_a_key_stores_a_label_and_shows_the_next(open_label: Any, url: str) -> None:
    app = open_label(url, rater="anna")
    assert not app.exception
    first = asked(app), shown_answer(app)
    press(app, "correct")
    assert not app.exception
    ((rater, item, model, said),) = label_stores.labels(url)
    assert (rater, said) == ("human/anna", "correct")
    assert first == (f"Question {item}?", f"Answer {MODELS.index(model)} to {item}.")
    assert (asked(app), shown_answer(app)) != first
    assert "1 of 12 labelled" in texts(app)
    assert "You: correct 1" in texts(app)


def shown_answer(app: Any) -> str:
    (found,) = re.findall(r"^Answer .*$", texts(app), re.MULTILINE)
    return str(found)


def test_shortcuts_are_those_that_are_promised(open_label: Any, url: str) -> None:
    app = open_label(url, rater="anna")
    shortcuts = {one.label: one.proto.shortcut for one in app.button}
    assert shortcuts["correct"] == "1"
    assert shortcuts["incorrect"] == "0"
    assert (shortcuts["Skip"], shortcuts["Undo"]) == ("s", "u")
    app = open_label(url, rater="anna", asked="preference")
    shortcuts = {one.label: one.proto.shortcut for one in app.button}
    keys = [shortcuts[f"{side} is better"] for side in ("Left", "Right")]
    assert [*keys, shortcuts["Tie"]] == ["1", "2", "0"]


def test_everything_gets_labelled_once_and_a_reload_goes_on_where_it_was(
    open_label: Any, url: str
) -> None:
    seen = []
    app = open_label(url, rater="anna")
    for n in range(12):
        if n == 5:
            before = asked(app), shown_answer(app)
            app = open_label(url, rater="anna")
            assert (asked(app), shown_answer(app)) == before
        seen.append((asked(app), shown_answer(app)))
        press(app, "incorrect")
    assert len(set(seen)) == 12
    assert app.success[0].value == "All of it is labelled."
    assert len(label_stores.labels(url)) == 12


def test_undo_brings_the_last_one_back_also_after_a_reload(open_label: Any, url: str) -> None:
    app = open_label(url, rater="anna")
    first = asked(app), shown_answer(app)
    press(app, "correct")
    app = open_label(url, rater="anna")
    press(app, "Undo")
    assert label_stores.labels(url) == []
    assert (asked(app), shown_answer(app)) == first
    assert "0 of 12 labelled" in texts(app)
    assert all(one.disabled for one in app.button if one.label == "Undo")


def test_what_is_skipped_comes_again_at_the_end(open_label: Any, url: str) -> None:
    app = open_label(url, rater="anna")
    first = asked(app), shown_answer(app)
    press(app, "Skip")
    assert (asked(app), shown_answer(app)) != first
    assert label_stores.labels(url) == []
    for _ in range(11):
        press(app, "correct")
    assert (asked(app), shown_answer(app)) == first


def test_a_key_that_is_held_down_labels_nothing_that_nobody_has_read(
    open_label: Any, url: str
) -> None:
    app = open_label(url, rater="anna")
    press(app, "correct")
    for _ in range(3):
        app.session_state["since"] += 3600  # it has just appeared, however slow this machine is
        (button,) = (one for one in app.button if one.label == "correct")
        button.click().run()
        assert "That key was not taken: this had only just appeared." in captions(app)
    assert len(label_stores.labels(url)) == 1
    app.run()
    assert "That key was not taken: this had only just appeared." not in captions(app)


def test_nothing_of_an_item_says_whose_answer_it_is(open_label: Any, url: str) -> None:
    label_stores.say(url, "gpt-judge", {(i, MODELS[0]): RIGHT for i in range(6)})
    for kind in ("label", "preference", "score"):
        app = open_label(url, rater="anna", asked=kind)
        choices = {id(one) for one in (*app.selectbox, *app.multiselect)}
        for element in app:
            if id(element) not in choices and element.type not in ("root", "expandable"):
                for name in MODELS:
                    assert name not in str(getattr(element, "value", "")), element
                    assert name not in str(getattr(element, "key", "")), element


@pytest.mark.parametrize(
    ("words", "said"), [("Left is better", 0), ("Right is better", 1), ("Tie", None)]
)
def test_of_a_pair_the_side_is_drawn_and_the_better_one_is_stored(
    open_label: Any, url: str, words: str, said: int | None
) -> None:
    app = open_label(url, rater="anna", asked="preference")
    orders = set()
    for _ in range(6):
        left, right = re.findall(r"^Answer (\d) to", texts(app), re.MULTILINE)
        item = asked(app)
        press(app, words)
        ((place, (_, verdict)),) = (
            one for one in current(url).items() if f"Question {one[0].item_id}?" == item
        )
        assert isinstance(verdict, Preference)
        assert verdict.winner == said
        first = label_stores.model(MODELS[int(left)])
        assert first == (place.opponent_key if place.order == "opponent_first" else place.model_key)
        assert left != right
        orders.add(place.order)
    assert orders == {"model_first", "opponent_first"}
    assert app.success[0].value == "All of it is labelled."


def test_scores_are_asked_for_dimension_by_dimension_as_the_judges_give_them(
    open_label: Any, url: str
) -> None:
    parts = {"facts": 3.0, "**tone**": 4.0}
    score = Score(value=4, low=1, high=10, parts=parts)
    label_stores.say(url, "rubric", {(i, name): score for i in range(6) for name in MODELS})
    app = open_label(url, rater="anna")
    assert "**tone** (1 of 3):" in texts(app)
    assert {one.label: one.proto.shortcut for one in app.button}["10"] == "0"
    press(app, "7")
    assert "**tone** 7 · facts (2 of 3):" in texts(app)
    press(app, "10")
    press(app, "Undo")
    assert "**tone** 7 · facts (2 of 3):" in texts(app), "undo takes back the last number first"
    assert label_stores.labels(url) == []
    press(app, "9")
    press(app, "8")
    ((_, (_, verdict)),) = (
        one for one in current(url).items() if one[0].judge_key not in judges(url, "imported")
    )
    assert verdict == Score(value=8, low=1, high=10, parts={"facts": 9, "**tone**": 7})
    assert "You: scored 1" in texts(app)
    press(app, "Undo")
    assert label_stores.labels(url) == []


def current(url: str) -> Mapping[Any, Any]:
    with open_store(url, read_only=True) as store:
        return store.current(stores.BENCHMARK, stores.VERSION)


def judges(url: str, kind: str) -> set[bytes]:
    with open_store(url, read_only=True) as store:
        return {judge.key for judge in store.judges() if judge.spec.kind == kind}


@pytest.mark.parametrize(
    ("low", "high", "points", "keys"),
    [
        (1, 5, ["1", "2", "3", "4", "5"], "12345"),
        (0, 10, [str(n) for n in range(11)], " 1234567890"),
        (0, 4, ["0", "1", "2", "3", "4"], "01234"),
        (float("-inf"), float("inf"), [str(n) for n in range(1, 11)], "1234567890"),
    ],
)
def test_a_scale_has_a_key_for_each_of_its_points(
    open_label: Any, url: str, low: float, high: float, points: list[str], keys: str
) -> None:
    label_stores.say(url, "r", {(0, MODELS[0]): Score(value=2, low=low, high=high)})
    app = open_label(url, rater="anna")
    found = {one.label: one.proto.shortcut for one in app.button if one.label.isdigit()}
    assert list(found) == points
    assert list(found.values()) == [key.strip() for key in keys]


def test_kappa_with_everybody_else_follows_every_label(open_label: Any, url: str) -> None:
    all_right = {(i, name): RIGHT if i % 2 else WRONG for i in range(6) for name in MODELS}
    label_stores.say(url, "gpt-judge", all_right)
    label_stores.say(url, "human/bert", all_right)
    app = open_label(url, rater="anna")
    assert "Nobody else has judged what you have labelled." in texts(app)
    for n in range(12):
        number = int(asked(app).split()[1].rstrip("?"))
        press(app, "correct" if number % 2 else "incorrect")
        table = app.dataframe[0].value
        assert list(table["who"]) == ["human/bert", "gpt-judge"], "people first"
        assert list(table["n"]) == [n + 1, n + 1]
        if n < 9:
            assert set(table["kappa"]) == {"too few"}
    assert all(cell.startswith("1.00 [") for cell in app.dataframe[0].value["kappa"])


def test_two_sessions_of_one_rater_give_an_answer_one_label(open_label: Any, url: str) -> None:
    one, other = (open_label(url, rater="anna") for _ in range(2))
    assert shown_answer(one) == shown_answer(other)
    press(one, "correct")
    press(other, "incorrect")
    ((_, _, _, said),) = label_stores.labels(url)
    assert said == "incorrect", "the newest counts"
    for n in range(5):
        press(one if n % 2 else other, "correct")
    assert len(label_stores.labels(url)) == len({x[1:3] for x in label_stores.labels(url)})


def test_two_raters_have_queues_and_labels_of_their_own(open_label: Any, url: str) -> None:
    anna, bert = (open_label(url, rater=name) for name in ("anna", "bert"))
    for _ in range(4):
        press(anna, "correct")
        press(bert, "incorrect")
    who = [who for who, *_ in label_stores.labels(url)]
    assert who == ["human/anna"] * 4 + ["human/bert"] * 4


def test_only_the_models_chosen_are_asked_about_and_the_url_says_which(
    open_label: Any, url: str
) -> None:
    chosen = label_stores.model(MODELS[1]).hex()[:12]
    app = open_label(url, rater="anna", model=chosen)
    assert "0 of 6 labelled" in texts(app)
    app.multiselect[0].set_value([]).run()
    assert not app.exception
    assert app.info[0].value == "There is nothing to label in this choice."


@pytest.mark.parametrize("name", label_stores.HOSTILE)
def test_answers_are_shown_as_text_and_reach_nothing_that_reads_markup(
    open_label: Any, tmp_path: Path, name: str
) -> None:
    import long_text

    text = label_stores.HOSTILE[name]
    url = label_stores.fill(tmp_path / "s.db", n_items=1, answers=[text], models=MODELS[:1])
    app = open_label(url, rater="anna")
    assert not app.exception
    if name == "empty":
        assert "The answer is empty." in captions(app)
    elif name in ("long", "wide"):
        assert max(len(one.value) for one in app.text) < 2100
        (more,) = (one for one in app.button if one.label.startswith("Show all"))
        assert f"{len(text):,} characters" in more.label
        more.click().run()
        assert text.strip() in [one.value for one in app.text]
    else:
        assert long_text.visible(text) in texts(app)
    for element in app:
        if element.type in MARKUP and text:
            for read in ("value", "label"):
                assert text[:20] not in str(getattr(element, read, "")), element
    press(app, "correct")
    assert label_stores.labels(url)[0][3] == "correct"


# who --------------------------------------------------------------------------------------------


def test_nobody_labels_without_a_name(open_label: Any, url: str) -> None:
    app = open_label(url)
    assert "Say who you are" in texts(app)
    assert not [one for one in app.button if one.label in ("correct", "incorrect")]
    app.text_input[0].set_value("  anna ").run()
    press(app, "correct")
    assert label_stores.labels(url)[0][0] == "human/anna"
    assert app.query_params["rater"] == "anna"
    press(app, "Another name")
    assert app.text_input[0].label == "Your name"


@pytest.mark.parametrize("rater", ["a\u202eb", "x" * 101, "human/"])
def test_what_can_be_no_name_is_refused(open_label: Any, url: str, rater: str) -> None:
    app = open_label(url, rater=rater)
    assert not app.exception
    assert "a rater's name has" in texts(app)
    assert not [one for one in app.button if one.label == "correct"]


def test_labels_are_off_where_others_reach_the_page_and_nobody_is_signed_in(
    open_label: Any, url: str
) -> None:
    from streamlit import config

    config.set_option("server.address", "0.0.0.0")  # noqa: S104  # what a person may have set
    app = open_label(url, rater="anna")
    assert "Labels are off: other machines may reach this dashboard" in texts(app)
    assert not [one for one in app.button if one.label in ("correct", "Another name")]
    assert not app.text_input


def test_a_header_is_believed_only_where_the_command_line_says_so(
    open_label: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import labels

    monkeypatch.setattr(labels, "_headers", lambda: {"X-Forwarded-User": "carla"})
    app = open_label(url)
    assert "carla" not in texts(app)
    monkeypatch.setattr(sys, "argv", ["app.py", "--rater-header", "X-Forwarded-User"])
    app = open_label(url, rater="anna")
    assert "labels of human/carla (as X-Forwarded-User says)" in texts(app)
    press(app, "correct")
    assert label_stores.labels(url)[0][0] == "human/carla"
    monkeypatch.setattr(labels, "_headers", dict)
    app = open_label(url, rater="anna")
    assert "without the header X-Forwarded-User" in texts(app)
    assert not [one for one in app.button if one.label == "correct"]


@pytest.mark.parametrize(
    ("user", "rater"),
    [
        ({"is_logged_in": True, "email": "d@example.org", "sub": "17"}, "human/d@example.org"),
        ({"is_logged_in": True, "email": "d@x", "email_verified": False, "sub": "7"}, "human/7"),
    ],
)
def test_who_signed_in_is_the_rater_whatever_the_url_says(
    open_label: Any, url: str, monkeypatch: pytest.MonkeyPatch, user: dict[str, Any], rater: str
) -> None:
    import labels
    from streamlit import config

    config.set_option("server.address", "0.0.0.0")  # noqa: S104  # behind a login
    monkeypatch.setattr(labels, "_user", lambda: user)
    press(open_label(url, rater="anna"), "correct")
    assert label_stores.labels(url)[0][0] == rater
    monkeypatch.setattr(labels, "_user", lambda: {"is_logged_in": False})
    app = open_label(url, rater="anna")
    assert [one.label for one in app.button] == ["Sign in"]


# states -----------------------------------------------------------------------------------------


def test_no_answers_is_said(open_label: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.db'}"
    with open_store(url) as store:
        store.put_items(stores.items(2))
    app = open_label(url, rater="anna")
    assert not app.exception
    assert app.info[0].value.startswith("There is nothing to label")


def test_a_label_that_could_not_be_stored_is_said_and_the_item_stays(
    open_label: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from judgebench.errors import StoreError

    app = open_label(url, rater="anna")
    before = asked(app), shown_answer(app)

    def refuse(*_: Any, **__: Any) -> None:
        raise StoreError("the disk is :red[full]")

    with monkeypatch.context() as patch:
        patch.setattr("judgebench.store.database.Database.writing", refuse)
        press(app, "correct")
    assert not app.exception
    assert app.error[0].value.startswith("Your label was not stored")
    assert "the disk is :red[full]" in texts(app)
    assert (asked(app), shown_answer(app)) == before
    press(app, "correct")
    assert not app.error
    assert len(label_stores.labels(url)) == 1


def test_a_store_that_goes_away_is_one_sentence(open_label: Any, url: str, tmp_path: Path) -> None:
    app = open_label(url, rater="anna")
    for file in tmp_path.glob("s.db*"):
        file.unlink()
    press(app, "correct")
    assert not app.exception
    assert not (tmp_path / "s.db").exists(), "a label makes no store"


def test_an_unreadable_verdict_of_a_person_is_no_label(open_label: Any, url: str) -> None:
    label_stores.say(url, "human/anna", {(0, MODELS[0]): Unreadable(reason="no verdict")})
    assert "0 of 12 labelled" in texts(open_label(url, rater="anna"))
