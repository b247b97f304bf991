"""What is wrong is said with its place and the way out, and costs nothing that was done."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import judgebench
from judgebench.providers.server import free_port
from judgebench.store.write import Writing
from tests.e2e import runs
from tests.loopback import Ask, Loopback, Reaction
from tests.unit.exchanged import rows_file

LOOPBACK = str(runs.ROOT / "tests" / "loopback.py")
KEY = "correct~horse~battery~staple"  # looks like no key: it has to be known to be hidden
LITERAL = "sk-" + 4 * "abcde"
ROW = '{"benchmark": "trivia_judging_mini", "item_id": "1", "model": "m", "text": "Vienna"}\n'


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


# A suite ----------------------------------------------------------------------------------------


def line_of(file: Path, word: str) -> int:
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(n for n, line in enumerate(lines, 1) if word in line)


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("limit: 6", "limmit: 6", ":{line}: benchmarks[0].limmit: no key called 'limmit'; did you"),
        ("limit: 6", "limit: many", ":{line}: benchmarks[0].limit: "),
        ("- contains", "- contians", ": benchmark trivia_judging_mini: no judge called 'contians'"),
        ("name: trivia_judging_mini", "name: trivia_juging_mini", ": no benchmark called"),
        ("model: loopback", "model: ${{UNSET}}", ":{line}: judges[0].model: the environment var"),
        ("model: loopback", "model: {literal}", ":{line}: judges[0].model: a key stands here in"),
        ("provider: openai_", "provider: opnai_", ": judge small: no provider called 'opnai_comp"),
        ("name: small", "name: [", ":"),
    ],
)
def test_a_faulty_suite_is_refused_before_anything_happens(
    tmp_path: Path,
    server: Loopback,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    old: str,
    new: str,
    says: str,
) -> None:
    monkeypatch.delenv("UNSET", raising=False)
    new = new.format(literal=LITERAL)
    suite = runs.suite(tmp_path, server.url)
    text = suite.read_text(encoding="utf-8")
    assert text.count(old) >= 1
    suite.write_text(text.replace(old, new, 1), encoding="utf-8")
    done = runs.typed(command, suite)
    assert done.code == 78, done.err
    assert f"{suite}{says.format(line=line_of(suite, new))}" in done.err
    assert LITERAL not in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert [file.name for file in tmp_path.iterdir()] == ["suite.yaml"]
    assert not server.asks


MAKES_NO_STORE = {
    "probe": (["probe", "NOBODY"], 73, "there is no store at"),
    "probe, of a suite": (["probe", "NOBODY", "--suite", "{suite}"], 73, "there is no store at"),
    "rejudge": (["rejudge", "--judge", "A", "--against", "B"], 73, "there is no store at"),
    "judge replace": (["judge", "replace", "A", "B"], 73, "there is no store at"),
    "judge-sweep": (["judge-sweep", "B", "--suite", "{suite}"], 73, "there is no store at"),
    "run --again": (["run", "{suite}", "--again", "NOBODY"], 64, "no judge called 'NOBODY'"),
    "labels import": (["labels", "import", "{labels}"], 65, "benchmark: is missing"),
    "labels import, of a draw": (["labels", "import", "{drawn}"], 73, "there is no store at"),
    "store merge": (["store", "merge", "{store}", "other.db"], 73, "there is no store at other.db"),
}


@pytest.mark.parametrize("case", MAKES_NO_STORE)
def test_bad_input_makes_no_store(
    tmp_path: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    words, code, message = MAKES_NO_STORE[case]
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JUDGEBENCH_STORE", raising=False)
    labels, drawn = tmp_path / "labels.jsonl", tmp_path / "drawn.jsonl"
    labels.write_text('{"item_id": "a", "model": "m"}\n', encoding="utf-8")
    drawn.write_text(
        '{"queue": "q", "id": "a", "rater": "ann", "value": "yes"}\n', encoding="utf-8"
    )
    suite = runs.suite(tmp_path, server.url)
    before = sorted(tmp_path.rglob("*"))
    its = {"suite": suite, "labels": labels, "drawn": drawn, "store": "here.db"}
    done = runs.typed(*(word.format(**its) for word in words))
    assert (done.code, message in done.err) == (code, True), done.err
    assert sorted(tmp_path.rglob("*")) == before


def test_the_way_out_is_said(tmp_path: Path) -> None:
    suite = runs.suite(tmp_path)
    text = suite.read_text(encoding="utf-8")
    for old, new, way in (
        ("limit: 6", "limmit: 6", "did you mean 'limit'?"),
        ("- contains", "- contians", "did you mean 'contains'?"),
        ("name: trivia_judging_mini", "name: trivia_juging_mini", "mean 'trivia_judging_mini'?"),
        ("name: test", "name: ${UNSET_HERE}", "export UNSET_HERE="),
        ("name: test", f"name: {LITERAL}", "write ${NAME}"),
    ):
        suite.write_text(text.replace(old, new, 1), encoding="utf-8")
        assert way in runs.typed("run", suite).err


# A file of answers or labels --------------------------------------------------------------------


FAULTY: tuple[tuple[str | bytes | None, str], ...] = (
    (ROW + ROW.replace("Vienna", "Graz"), ":2: item_id: a second, different answer to item"),
    (ROW + ROW.replace('"1"', '"x9"'), ":2: item_id: 'x9' is no item of trivia_judging_mini@"),
    (ROW.encode() + ROW.replace("Vienna", "Z\xfcrich").encode("latin-1"), ":2: byte 78 (0xfc)"),
    (ROW + ROW[:40], ":2: the last line is cut off after 40 bytes"),
    (ROW + "Vienna\n" + ROW, ":2: this line is not JSON"),
    (ROW.replace("text", "txt"), ":1: text: is missing"),
    (ROW.replace("_mini", ""), ": no answers to trivia_judging_mini@1 in it"),
    ("", ": there is no row in it"),
    (None, ": there is no such file"),
)


def test_a_faulty_file_of_answers_is_refused_and_costs_nothing(
    tmp_path: Path, server: Loopback
) -> None:
    """Before anything was done, and after it."""
    file = tmp_path / "answers.jsonl"
    suite = runs.suite(tmp_path, server.url, limit=2, takers=["m"], answers=file)

    def refused(*commands: str) -> None:
        file.unlink(missing_ok=True)
        before = sorted(tmp_path.iterdir())
        for content, says in FAULTY:
            if content is not None:
                file.write_bytes(content.encode() if isinstance(content, str) else content)
            for command in commands:
                done = runs.typed(command, suite)
                assert done.code == 65, done.err
                assert f"{file}{says}" in done.err
                assert "Traceback" not in done.err
            file.unlink(missing_ok=True)
            assert sorted(tmp_path.iterdir()) == before

    refused("plan", "run")
    assert not server.asks
    file.write_text(ROW)
    assert runs.typed("run", suite).code == 0
    board = runs.rows(tmp_path)
    refused("run")
    assert runs.rows(tmp_path) == board
    assert len(server.asks) == 1


def test_faulty_labels_are_said_before_anything_is_asked(tmp_path: Path, server: Loopback) -> None:
    row = {"benchmark": "trivia_judging_mini", "item_id": "0", "model": "model-weak"}
    row |= {"judge": "human/me", "kind": "label", "value": "correct"}
    labels = tmp_path / "labels.jsonl"
    suite = runs.suite(tmp_path, server.url, benchmark={"labels": [str(labels)]})
    for rows, says in (
        (None, ": there is no such file"),
        ([row | {"judge": "small"}], ":1: judge: labels are given by people"),
        ([row, row | {"value": "incorrect"}], ":2: value: "),
        ([row | {"kind": "lable"}], ":1: kind: no kind of verdict called 'lable'"),
    ):
        if rows is not None:
            rows_file(labels, rows)
        done = runs.typed("run", suite)
        assert done.code == 65, done.err
        assert f"{labels}{says}" in done.err
    assert not server.asks
    assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize("text", ["", " \n", "Vienna. " * 262_144], ids=["empty", "blank", "huge"])
def test_an_empty_or_a_huge_answer_is_judged(tmp_path: Path, server: Loopback, text: str) -> None:
    file = rows_file(
        tmp_path / "answers.jsonl",
        (
            {"benchmark": "trivia_judging_mini", "item_id": str(n), "model": "m", "text": said}
            for n, said in enumerate(["the Danube", text])
        ),
    )
    suite = runs.suite(tmp_path, server.url, limit=2, takers=["m"], answers=file)
    done = runs.typed("run", suite)
    assert done.code == 0, done.err
    rows = runs.rows(tmp_path)
    assert {row["counts"]["verdicts"] for row in rows.values()} == {2}
    empty = not text.strip()
    assert len(server.asks) == (1 if empty else 2)  # an empty answer is wrong, whoever reads it
    assert rows["small", "m"]["counts"]["empty"] == empty
    cut = len(text) > 20_000
    flags = ["empty answers"] * empty + ["cut answers"] * cut
    assert rows["small", "m"]["flags"] == flags
    assert max(len(ask.text) for ask in server.asks) < 25_000
    with judgebench.open_store(runs.store_url(tmp_path)) as store:
        kept = store.responses("trivia_judging_mini")
        said = store.verdicts("trivia_judging_mini", judges=["exact_match", "small"])
    assert list(kept["text"]) == ["the Danube", text]
    if empty:
        assert set(said["label"][said["item_id"] == "1"]) == {"incorrect"}


# A server ---------------------------------------------------------------------------------------


def messages(folder: Path) -> list[str]:
    with judgebench.open_store(runs.store_url(folder)) as store:
        return list(store.failures("trivia_judging_mini")["message"])


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which a healthy server has judged two items."""
    folder = tmp_path_factory.mktemp("begun")
    with Loopback() as healthy:
        assert runs.typed("run", runs.suite(folder, healthy.url, limit=2)).code == 0
        assert len(healthy.asks) == 4
    return folder / "store.db"


ASKED_AGAIN = ("refuse", "html", "bad_request")
"""Unavailable, of no use, and not worth asking again at once: of each sort one."""


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("refuse", "refused the connection: is the server running"),
        ("hang", "gave no whole answer within 0.3 s; raise timeout_s"),
        ("cut", "cut the connection before the whole answer was there"),
        ("html", "something that is not JSON"),
        ("wrong_shape", "no chat completion"),
        ("no_key", "name the variable that holds it in the suite"),
        ("no_model", "check the model's name, 'loopback', and base_url"),
        ("bad_request", "the question is too long for this model"),
        ("overload", "503 Service Unavailable"),
        ("rate_limit", "lower max_connections if this goes on"),
    ],
)
def test_a_faulty_server_costs_what_it_did_not_answer(
    tmp_path: Path, begun: Path, mode: str, says: str
) -> None:
    shutil.copyfile(begun, tmp_path / "store.db")
    limits = {"max_retries": 0, "timeout_s": 0.3}
    with Loopback(mode="ok" if mode == "refuse" else mode) as faulty:
        url = f"http://127.0.0.1:{free_port()}/v1" if mode == "refuse" else faulty.url
        done = runs.typed("run", runs.suite(tmp_path, url, limit=4, limits=limits))
    answered = mode in {"html", "wrong_shape", "bad_request"}  # by what is of no use
    assert done.code == (75 if answered else 69), done.err
    again = "running again asks the same" if mode == "bad_request" else "run the same command again"
    assert again in done.err
    assert "Traceback" not in done.err
    assert messages(tmp_path)
    assert all(says in message for message in messages(tmp_path))
    rows = runs.rows(tmp_path)
    for taker in ("model-terse", "model-weak"):
        counts, accuracy = rows["small", taker]["counts"], rows["small", taker]["metrics"]
        assert counts["verdicts"] == accuracy["accuracy"]["n"] == 2
        assert counts["failed"] + counts["not_asked"] == accuracy["accuracy"]["missing"] == 2
        assert rows["contains", taker]["counts"]["verdicts"] == 4
    failed = sum(row["counts"]["failed"] for row in rows.values())
    assert failed == len(messages(tmp_path))
    assert f"{failed} failed;" in done.err
    if mode not in ASKED_AGAIN:
        return
    with Loopback() as healthy:
        again = runs.typed("run", runs.suite(tmp_path, healthy.url, limit=4))
        assert again.code == 0, again.err
        assert len(healthy.asks) == 4
    assert messages(tmp_path) == []
    assert {row["counts"]["verdicts"] for row in runs.rows(tmp_path).values()} == {4}


def test_an_item_that_nobody_could_judge_is_missing(tmp_path: Path, server: Loopback) -> None:
    alone = {"judges": ["small"]}
    runs.typed("run", runs.suite(tmp_path, server.url, limit=2, benchmark=alone))
    with Loopback(mode="bad_request") as faulty:
        done = runs.typed("run", runs.suite(tmp_path, faulty.url, limit=3, benchmark=alone))
    assert done.code == 75, done.err
    for row in runs.rows(tmp_path).values():
        accuracy = row["metrics"]["accuracy"]
        assert (accuracy["n"], accuracy["missing"], row["counts"]["failed"]) == (2, 1, 1)
        assert accuracy["worst_low"] < accuracy["worst_high"]
        assert (row["counts"]["items"], row["flags"]) == (3, ["coverage"])


def test_a_server_that_slows_us_down_is_waited_for(tmp_path: Path) -> None:
    with Loopback(mode="rate_limit", times=1) as server:
        done = runs.typed("run", runs.suite(tmp_path, server.url, limit=2))
        assert done.code == 0, done.err
        assert "4 judge calls made" in done.err
        assert set(server.arrivals.values()) == {2}


def test_an_hour_is_not_waited_for(tmp_path: Path) -> None:
    busy = Reaction(status=429, headers={"retry-after": "3600"})
    with Loopback(lambda ask: busy) as server:
        done = runs.typed("run", runs.suite(tmp_path, server.url, limit=2))
        assert done.code == 69, done.err
        assert set(server.arrivals.values()) == {1}
    assert all("it asks to wait 3600 s" in message for message in messages(tmp_path))


@pytest.mark.parametrize("mode", ["no_key", "refuse"])
def test_nothing_came_at_all(tmp_path: Path, mode: str) -> None:
    """A judge that nobody answers for is given up, and the exit code says unavailable."""
    limits = {"max_retries": 0}
    with Loopback(mode="no_key") as faulty:
        url = f"http://127.0.0.1:{free_port()}/v1" if mode == "refuse" else faulty.url
        suite = runs.suite(tmp_path, url, limit=24, limits=limits, benchmark={"judges": ["small"]})
        done = runs.typed("run", suite)
        assert len(faulty.asks) <= 4
        assert done.code == 69, done.err
        assert "warning: small was stopped: " in done.err
        failed = len(messages(tmp_path))
        assert 0 < failed < 24
        rows = runs.rows(tmp_path)
        assert sum(row["counts"]["failed"] for row in rows.values()) == failed
        for row in rows.values():  # what nobody could judge is missing, not absent
            assert row["metrics"]["accuracy"]["value"] is None
            assert row["metrics"]["accuracy"]["missing"] == row["counts"]["items"] > 0


def test_replies_without_a_verdict_are_counted_and_not_asked_again(tmp_path: Path) -> None:
    replies = ["", "It depends.", "correct, or rather incorrect", "x" * 2_000_000]
    texts = iter(replies)
    with Loopback(lambda ask: Reaction(text=next(texts))) as server:
        suite = runs.suite(tmp_path, server.url, limit=2)
        done = runs.typed("run", suite)
        assert done.code == 0, done.err
        assert (
            "4 judge calls made, 0 recorded, 12 verdicts given, 4 unreadable, 0 failed" in done.err
        )
        assert runs.typed("run", suite).code == 0
        assert len(server.asks) == 4
    row = runs.rows(tmp_path)["small", "model-weak"]
    assert row["counts"]["unreadable"] == 2
    assert row["metrics"]["accuracy"]["value"] is None
    assert row["metrics"]["accuracy"]["undefined"] == "no readable verdict"


# A server of the run's own ----------------------------------------------------------------------


def own(command: list[str], **more: Any) -> dict[str, Any]:
    return {
        "base_url": "http://127.0.0.1:{port}/v1",
        "server": {"command": command, "timeout_s": 30} | more,
    }


@pytest.mark.parametrize(
    ("judge", "says"),
    [
        (
            own([sys.executable, "-c", "import sys; sys.exit('no such model: llama')"]),
            ("ended before it was ready (exit status 1)", "| no such model: llama"),
        ),
        (own(["no-such-program", "serve"]), ("no-such-program", "ended before it was ready")),
        (
            own([sys.executable, "-c", "import time; time.sleep(60)"], timeout_s=0.5),
            ("was not ready within 0.5 s", "raise the server's timeout_s"),
        ),
        (
            own([sys.executable, LOOPBACK, "--port", "{port}"], ready="/nowhere", timeout_s=2)
            | {"base_url": "http://127.0.0.1:{taken}/v1"},
            ("something already answers at", "give the server another port"),
        ),
    ],
    ids=["ends", "absent", "never_ready", "port_taken"],
)
def test_a_server_that_does_not_come_up(
    tmp_path: Path,
    server: Loopback,
    request: pytest.FixtureRequest,
    judge: Mapping[str, Any],
    says: tuple[str, ...],
) -> None:
    base_url = str(judge["base_url"]).replace("{taken}", str(server.port))
    path = runs.suite(tmp_path, "unused", limit=2, judge={**judge, "base_url": base_url})
    with runs.no_process_left():
        done = runs.typed("run", path)
    assert done.code == 69, done.err
    for words in says:
        assert words in done.err
        assert all(words in message for message in messages(tmp_path))
    assert "Traceback" not in done.err
    assert runs.rows(tmp_path)["contains", "model-weak"]["counts"]["verdicts"] == 2
    assert not server.asks
    if "ends" not in request.node.callspec.id:
        return
    healthy = own(["python", LOOPBACK, "--port", "{port}"])
    path = runs.suite(tmp_path, "unused", limit=2, judge=healthy)
    with runs.no_process_left():
        again = runs.typed("run", path)
    assert again.code == 0, again.err
    assert "4 judge calls made" in again.err
    assert messages(tmp_path) == []


# A key ------------------------------------------------------------------------------------------


PARROTS: dict[str, Callable[[str], Reaction]] = {
    "refused": lambda key: Reaction(status=401, payload={"error": {"message": f"bad: {key}"}}),
    "code": lambda key: Reaction(status=400, payload={"error": {"message": key, "code": key}}),
    "overload": lambda key: Reaction(
        status=503, raw=f"<pre>{key}</pre>".encode(), content_type="text/html"
    ),
    "redirect": lambda key: Reaction(
        status=302, headers={"location": f"http://127.0.0.1:1/{key}?key={key}"}
    ),
    "half_json": lambda key: Reaction(raw=f'{{"key": "{key}", '.encode()),
    "html": lambda key: Reaction(raw=f"<html>{key}".encode(), content_type=f"x/{key}"),
    "shape": lambda key: Reaction(payload={"choices": key, "id": key}),
    "within": lambda key: Reaction(payload={"error": {"message": f"{key} " * 300, "code": 429}}),
}


def everything(folder: Path, *said: str) -> bytes:
    files = [file for file in folder.iterdir() if file.name.startswith("store.db")]
    assert files
    return b"\n".join([*(file.read_bytes() for file in files), *(text.encode() for text in said)])


def test_a_key_that_is_sent_back_is_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a server each, for one that refuses a key is not asked again."""
    monkeypatch.setenv("JUDGE_KEY", KEY)

    def sends_back(parrot: Callable[[str], Reaction]) -> Callable[[Ask], Reaction]:
        def script(ask: Ask) -> Reaction:
            assert ask.headers["authorization"] == f"Bearer {KEY}"
            return parrot(KEY)

        return script

    with ExitStack() as running:
        judges = [
            {
                "name": name,
                "model": name,
                "base_url": running.enter_context(Loopback(sends_back(parrot))).url,
                "api_key": "${JUDGE_KEY}",
            }
            for name, parrot in PARROTS.items()
        ]
        first, *others = judges
        suite = runs.suite(
            tmp_path,
            "unused",
            limit=2,
            judge=first,
            more_judges=others,
            limits={"max_retries": 0},
        )
        done = runs.typed("run", suite)
        assert done.code in {69, 75}, done.err
    shown = [
        runs.typed(*words, "--store", runs.store_url(tmp_path), "--format", form)
        for words in (
            ("runs", "show", "last"),
            ("leaderboard", "trivia_judging_mini"),
            ("export", "verdicts", "trivia_judging_mini"),
        )
        for form in ("json", "csv")
    ]
    with judgebench.open_store(runs.store_url(tmp_path)) as store:
        failed = store.failures("trivia_judging_mini")
    assert set(failed["judge"]) == PARROTS.keys()
    found = everything(
        tmp_path, done.out, done.err, *failed["message"], *(s.out + s.err for s in shown)
    )
    assert KEY.encode() not in found
    assert b"JUDGE_KEY" in found  # the manifest keeps the variable's name


def test_a_fault_of_our_own_shows_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)

    def broken(*_: object) -> None:
        raise RuntimeError("a fault in judgebench")

    with Loopback() as server:
        suite = runs.suite(tmp_path, server.url, limit=2, judge={"api_key": "${JUDGE_KEY}"})
        with monkeypatch.context() as patch:
            patch.setattr(Writing, "put_judgment", broken)
            done = runs.typed("run", suite)
        assert done.code == 70, done.err
        assert "RuntimeError: a fault in judgebench" in done.err
        assert "what was stored is safe" in done.err
        assert KEY.encode() not in everything(tmp_path, done.out, done.err)
        assert runs.typed("run", suite).code == 0
