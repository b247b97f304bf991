"""What pages start: off unless this machine alone asks, and alive when the page is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from judgebench.store.opening import open_store
from tests.dashboards import stores
from tests.dashboards.test_pages import texts
from tests.e2e import runs

KEY = "sk-planted-in-what-a-child-says-77"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 's.db'}"


@pytest.fixture
def headers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], None]:
    """What a request says of itself."""
    import access

    return lambda said: monkeypatch.setattr(access, "_headers", lambda: said)


def until(condition: Callable[[], object], wait_s: float = 60) -> None:
    runs.eventually(condition, wait_s)


# whether ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, ""),
        ({"Host": "127.0.0.1:8501", "Origin": "http://127.0.0.1:8501"}, ""),
        ({"Host": "localhost:8501", "Origin": "http://localhost:8501"}, ""),
        ({"Host": "[::1]:8501"}, ""),
        ({"Host": "judge.example.org"}, "another machine as its Host"),
        # A page of somebody else whose name was made to mean this machine.
        ({"Host": "evil.test:8501", "Origin": "http://evil.test:8501"}, "as its Host"),
        ({"Host": "127.0.0.1:8501", "Origin": "https://evil.test"}, "as its Origin"),
        ({"Host": "127.0.0.1:8501", "Origin": "null"}, "as its Origin"),
        ({"Host": "[::1"}, "as its Host"),
        ({"Host": "127.0.0.1:8501", "Origin": "http://127.0.0.1:8600"}, "of another port"),
        ({"Host": "127.0.0.1:8501", "Origin": "http://localhost:8501"}, "of another port"),
        ({"Host": "127.0.0.1", "X-Forwarded-For": "192.0.2.1"}, "through a proxy"),
    ],
)
def test_a_request_can_only_speak_against_itself(
    headers: Any, said: Mapping[str, str], why: str
) -> None:
    import access

    headers(said)
    found = access.why_nothing_starts()
    assert (found == "") == (why == "")
    assert why in found


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.7", "", None])  # noqa: S104
def test_an_address_that_others_reach_is_off_whatever_is_said(
    at_home: None, headers: Any, address: str | None
) -> None:
    import access
    from streamlit import config

    config.set_option("server.address", address)
    headers({"Host": "127.0.0.1:8501", "Origin": "http://127.0.0.1:8501"})
    assert "other machines may reach" in access.why_nothing_starts()


@pytest.mark.usefixtures("at_home")
def test_a_login_does_not_switch_it_on_but_off(monkeypatch: pytest.MonkeyPatch) -> None:
    import access

    monkeypatch.setattr(sys, "argv", ["app.py", "--rater-header", "X-User"])
    assert "people sign in here" in access.why_nothing_starts()


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("shield", ["server.enableCORS", "server.enableXsrfProtection"])
def test_without_the_shields_against_other_pages_it_is_off(shield: str) -> None:
    import access
    from streamlit import config

    config.set_option(shield, False)
    try:
        assert "web pages of others could press this button" in access.why_nothing_starts()
    finally:
        config.set_option(shield, True)


@pytest.mark.parametrize("page", ["overview", "runs"])
def test_where_others_reach_it_pages_say_why_and_have_no_button(
    open_page: Any, at_home: None, url: str, page: str
) -> None:
    from streamlit import config

    config.set_option("server.address", "0.0.0.0")  # noqa: S104
    app = open_page(page, url)
    assert not app.exception
    assert "other machines may reach this dashboard" in texts(app)
    assert not app.button
    assert "Whoever does reads the whole store" in "\n".join(one.value for one in app.caption)


def test_a_press_from_a_page_of_before_starts_nothing(
    open_page: Any, at_home: None, url: str, tmp_path: Path
) -> None:
    from streamlit import config

    app = open_page("overview", url)
    (button,) = app.button
    config.set_option("server.address", "0.0.0.0")  # noqa: S104
    button.click().run()
    assert "Nothing was started" in texts(app)
    assert not list((tmp_path / "state").rglob("*.json"))


@pytest.mark.usefixtures("at_home")
def test_one_press_loads_the_published_boards(
    open_page: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import children

    said = _program(monkeypatch, "import sys; print(*sys.argv[1:])")
    monkeypatch.setattr(sys, "executable", said)
    app = open_page("overview", url)
    (button,) = app.button
    button.click().run()
    (child,) = children.children(url)
    until(lambda: not child.lives)
    assert f"import --store {url} published" in child.tail()


# children ---------------------------------------------------------------------------------------


def test_a_command_outlives_whoever_started_it(tmp_path: Path, url: str) -> None:
    """Also its exit code is known to a server that is not its parent."""
    suite = runs.suite(tmp_path, limit=6)
    folder = Path(stores.__file__).parents[2] / "dashboards"
    words = ["run", "--quiet", "--", str(suite)]
    start = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); import children; "
        f"print(children.start({url!r}, *{words!r}).pid)"
    )
    done = subprocess.run(
        [sys.executable, "-c", start], capture_output=True, text=True, check=True, cwd=runs.ROOT
    )
    import children

    (child,) = children.children(url)
    assert child.pid == int(done.stdout)
    assert os.getsid(child.pid) == child.pid or not child.lives, "a session of its own"
    until(lambda: child.code is not None)
    assert child.code == 0
    until(lambda: not child.lives)
    assert "24 verdicts given" in child.tail()
    with open_store(url, read_only=True) as store:
        assert [run.state for run in store.runs()] == ["done"]


def test_nothing_of_a_command_is_left_with_its_server(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Also where no page looks at it again."""
    import children

    monkeypatch.setattr(sys, "executable", _program(monkeypatch, "pass"))
    child = children.start(url, "run", "a.yaml")
    until(lambda: not psutil.pid_exists(child.pid))


def test_the_same_command_is_not_started_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str
) -> None:
    import children

    _slow(monkeypatch)
    first = children.start(url, "run", "a.yaml")
    try:
        assert children.start(url, "run", "a.yaml").pid == first.pid
    finally:
        os.kill(first.pid, signal.SIGKILL)
    until(lambda: not first.lives)
    assert first.code is None
    import starting

    assert "it was killed" in starting.standing(first)


def test_stopping_is_as_ctrl_c(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    import children
    import starting

    _slow(monkeypatch)
    child = children.start(url, "run", "a.yaml")
    until(lambda: "sleeping" in child.tail())
    assert starting.standing(child).startswith("● under way")
    children.stop(child)
    assert child.asked_to_stop
    until(lambda: not child.lives)
    assert "interrupted as by Ctrl-C" in child.tail()


def test_a_number_that_the_system_gave_to_another_is_never_signalled(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    from dataclasses import replace

    import children

    _slow(monkeypatch)
    child = children.start(url, "run", "a.yaml")
    sent: list[int] = []
    try:
        other = replace(child, process_started="long ago")
        with monkeypatch.context() as patch:
            patch.setattr(os, "kill", lambda pid, number: sent.append(pid))
            children.stop(other)
        assert sent == []
        assert not other.lives
    finally:
        os.kill(child.pid, signal.SIGKILL)
    until(lambda: not child.lives)


def test_a_log_shows_no_keys_and_does_nothing_to_a_screen(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    import children

    monkeypatch.setenv("TEAM_API_KEY", "planted-word-for-the-team")
    said = f"key {KEY}\\x1b[2J planted-word-for-the-team\\u202e"
    monkeypatch.setattr(sys, "executable", _program(monkeypatch, f"print('{said}')"))
    child = children.start(url, "run", "a.yaml")
    until(lambda: not child.lives)
    tail = child.tail()
    assert tail.startswith("key ***")
    for secret in (KEY, "planted-word", "\x1b", "\u202e"):
        assert secret not in tail


def test_what_is_remembered_ends_somewhere(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    import children

    monkeypatch.setattr(children, "KEPT", 3)
    monkeypatch.setattr(sys, "executable", _program(monkeypatch, "pass"))
    for n in range(6):
        child = children.start(url, "run", f"{n}.yaml")
        until(lambda child=child: not child.lives)  # type: ignore[misc]
    assert len(children.children(url)) <= 4
    folder = Path(child.file).parent
    assert len(list(folder.glob("*.log"))) <= 4


def test_a_record_that_is_torn_is_passed_over(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import children

    monkeypatch.setattr(sys, "executable", _program(monkeypatch, "pass"))
    child = children.start(url, "run", "a.yaml")
    until(lambda: not child.lives)
    child.path.with_name("torn.json").write_text('{"words": [')
    child.path.with_name("other.json").write_text(json.dumps({"some": "thing"}))
    assert [one.file for one in children.children(url)] == [child.file]


def test_no_place_for_a_log_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, open_page: Any, at_home: None, tmp_path: Path, url: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    app = open_page("overview", url)
    (button,) = app.button
    button.click().run()
    assert not app.exception
    assert "the command could not be started" in texts(app)


@pytest.mark.usefixtures("at_home")
def test_a_child_that_fails_is_told_with_its_last_lines(
    open_page: Any, url: str, tmp_path: Path
) -> None:
    import children

    child = children.start(url, "run", "--", str(tmp_path / "none.yaml"))
    until(lambda: child.code is not None)
    until(lambda: not child.lives)
    app = open_page("overview", url)
    assert not app.exception
    assert "✗" in texts(app)
    assert f"(exit code {child.code})" in texts(app)
    assert any("none.yaml" in code.value for code in app.code)


def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that goes on until it is interrupted."""
    wait = (
        "import time\n"
        "try:\n"
        "    print('sleeping', flush=True)\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted as by Ctrl-C')"
    )
    monkeypatch.setattr(sys, "executable", _program(monkeypatch, wait))


def _program(monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """An executable that does this, whatever it is asked."""
    folder = Path(os.environ["XDG_STATE_HOME"])
    folder.mkdir(exist_ok=True)
    path = folder / "program"
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o700)
    return str(path)
