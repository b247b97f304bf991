"""A server of the run: started once, waited for, and gone with everything it started."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from judgebench.config import Endpoint, ServerConfig
from judgebench.errors import ProviderUnavailableError
from judgebench.providers.base import WindingDownError
from judgebench.providers.compose import Providers
from judgebench.providers.server import Copies, LocalServer
from judgebench.records import ChatRequest, Message, Reply, Request, Spend
from judgebench.secret import Secret
from tests.loopback import Loopback
from tests.written import WrittenAtOnce

LOOPBACK = [str(Path(__file__).parents[1] / "loopback.py")]
URL = "http://127.0.0.1:{port}/v1"
THERE: set[psutil.Process] = set()


def served(*more: str) -> list[str]:
    return ["python", *LOOPBACK, "--port", "{port}", *more]


def script(code: str) -> list[str]:
    return ["python", "-c", code]


def server_of(
    command: list[str], url: str = URL, key: Secret | None = None, **options: Any
) -> LocalServer:
    return LocalServer(ServerConfig(command=command, **options), url, key)


async def with_server(server: LocalServer, then: Callable[[], Awaitable[None]]) -> None:
    try:
        await server.ensure_ready()
        await then()
    finally:
        await server.stop()


def failure(server: LocalServer) -> str:
    async def nothing() -> None:
        pytest.fail("it became ready")

    with pytest.raises(ProviderUnavailableError) as caught:
        asyncio.run(with_server(server, nothing))
    assert children() == []
    return str(caught.value)


@pytest.fixture(autouse=True, scope="module")
def _there_before() -> None:
    """What tests of other files left running in this process is none of ours."""
    THERE.update(psutil.Process().children(recursive=True))


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if one not in THERE]


def test_it_is_started_once_and_leaves_nothing() -> None:
    async def run() -> None:
        server = server_of(served())
        try:
            await asyncio.gather(*(server.ensure_ready() for _ in range(10)))
            assert "{port}" not in server.base_url
            assert len(children()) == 2  # the supervisor and the server
            await server.ensure_ready()
        finally:
            await server.stop()
        await server.stop()

    asyncio.run(run())
    assert children() == []


def test_one_that_never_started_is_stopped_without_ado() -> None:
    asyncio.run(server_of(served()).stop())


def test_env_gpus_and_port_reach_it(tmp_path: Path) -> None:
    note = tmp_path / "note"
    code = (
        "import os, pathlib, runpy, sys\n"
        "said = os.environ['CUDA_VISIBLE_DEVICES'] + os.environ['MORE']\n"
        f"pathlib.Path({str(note)!r}).write_text(said)\n"
        "sys.argv = ['loopback', '--port', sys.argv[1]]\n"
        f"runpy.run_path({LOOPBACK[0]!r}, run_name='__main__')\n"
    )

    async def nothing() -> None:
        return

    server = server_of([*script(code), "{port}"], env={"MORE": "more"}, gpus="0,1")
    asyncio.run(with_server(server, nothing))
    assert note.read_text() == "0,1more"


def test_an_address_that_is_taken_is_refused() -> None:
    with Loopback() as other:
        message = failure(server_of(served(), other.url))
        assert other.arrivals == {}
    assert "something already answers" in message
    assert "remove 'server:'" in message


def test_a_server_that_ends_at_once_is_quoted() -> None:
    code = "import sys; print('loading'); print('CUDA out of memory', file=sys.stderr); sys.exit(3)"
    message = failure(server_of(script(code)))
    assert "ended before it was ready (exit status 3)" in message
    assert "| loading" in message
    assert "| CUDA out of memory" in message


def test_a_server_that_is_killed_is_named_so() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    assert "killed by SIGSEGV" in failure(server_of(script(code)))


def test_a_command_that_does_not_exist() -> None:
    message = failure(server_of(["no-such-server-program"]))
    assert "cannot start no-such-server-program: No such file" in message


def test_a_server_that_is_never_ready_is_stopped() -> None:
    code = "import time; print('still loading', flush=True); time.sleep(60)"
    message = failure(server_of(script(code), timeout_s=0.6))
    assert "was not ready within 0.6 s" in message
    assert "still loading" in message


def test_at_the_end_of_a_run_it_is_not_waited_for_and_not_started_again() -> None:
    async def run() -> None:
        server = server_of(script("import time; time.sleep(60)"), timeout_s=60)
        waiting = [asyncio.create_task(server.ensure_ready()) for _ in range(2)]
        for _ in range(500):
            if children():
                break
            await asyncio.sleep(0.02)
        server.wind_down()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(end) for end in ends] == 2 * [WindingDownError]
        assert children() == []

    began = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - began < 30


def test_a_wrong_ready_path_is_named() -> None:
    code = (
        "import http.server, sys\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])),"
        " http.server.BaseHTTPRequestHandler).serve_forever()"
    )
    message = failure(server_of([*script(code), "{port}"], ready="/health", timeout_s=1.5))
    assert "/health" in message
    assert "status 501" in message


def test_no_secret_in_the_last_words() -> None:
    code = (
        "import os; print(os.environ['MY_TOKEN'], 'and', os.environ['KEY_FILE'], 'given'); exit(1)"
    )
    env = {"MY_TOKEN": "plain-as-day", "KEY_FILE": "also-hidden"}
    message = failure(
        server_of([*script(code), "--api-key", "on-the-line"], key=Secret("on-the-line"), env=env)
    )
    assert "and" in message
    for secret in (*env.values(), "on-the-line"):
        assert secret not in message


def test_it_is_not_started_again_and_again(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    code = f"open({str(starts)!r}, 'a').write('x'); exit(1)"

    async def run() -> None:
        server = server_of(script(code))
        results = await asyncio.gather(
            *(server.ensure_ready() for _ in range(5)), return_exceptions=True
        )
        assert all(isinstance(r, ProviderUnavailableError) for r in results)
        await server.stop()

    asyncio.run(run())
    assert starts.read_text() == "x"


def test_one_that_dies_in_use_is_noticed() -> None:
    async def run() -> None:
        server = server_of(served())
        try:
            await server.ensure_ready()
            (victim,) = [p for p in children() if "supervise" not in " ".join(p.cmdline())]
            victim.kill()
            with pytest.raises(ProviderUnavailableError, match=r"in use .*SIGKILL"):
                for _ in range(100):
                    await server.ensure_ready()
                    await asyncio.sleep(0.02)
        finally:
            await server.stop()

    asyncio.run(run())
    assert children() == []


class Nowhere(WrittenAtOnce):
    """Replies that are forgotten."""

    def reply(self, key: bytes) -> Reply | None:
        return None

    def put_reply(
        self,
        key: bytes,
        request: Request,
        reply: Reply,
        spend: Spend | None = None,
        asked: str | None = None,
    ) -> None:
        return

    def put_spend(self, spends: Sequence[Spend]) -> None:
        return


def test_the_stack_starts_it_with_the_first_question_and_stops_it() -> None:
    options = ServerConfig(command=served())

    async def run() -> None:
        providers = Providers(Nowhere())
        try:
            endpoint = Endpoint(
                provider="openai_compatible", model="m", base_url=URL, server=options
            )
            stack = providers.get(endpoint)
            longer = providers.get(endpoint.model_copy(update={"timeout_s": 60.0}))
            assert stack is not longer
            assert children() == []
            for provider in (stack, longer):
                question = ChatRequest(
                    provider="openai_compatible",
                    model="m",
                    messages=(Message(role="user", content="q"),),
                )
                assert (await provider.complete(question)).text in {"correct", "incorrect"}
            assert len(children()) == 2  # one server for both
        finally:
            await providers.close()

    asyncio.run(run())
    assert children() == []


STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, f"apart {os.getpid()}\\n".encode())  # in one piece: several write to one pipe
time.sleep(600)
"""

FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
apart = subprocess.Popen([sys.executable, "-c", sys.argv[1]], start_new_session=True)
if os.fork() == 0:  # a daemon: its parent ends, it goes on in a session of its own
    os.setsid()
    if os.fork():
        os._exit(0)
    os.write(1, f"daemon {os.getpid()}\\n".encode())
    time.sleep(600)
os.write(1, f"server {os.getpid()}\\nchild {child.pid}\\n".encode())
time.sleep(600)
"""

PARENT = """
import os, subprocess, sys, time
family = [sys.executable, "-c", *sys.argv[1:]]
command = [sys.executable, "-m", "judgebench.workers.supervise", "--", *family]
supervisor = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
os.write(1, f"supervisor {supervisor.pid}\\n".encode())
time.sleep(600)
"""


@pytest.fixture
def family() -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    """A parent, and the processes under it: supervisor, server, child, one apart, a daemon."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, FAMILY, STUBBORN], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pids: dict[str, int] = {}
    while len(pids) < 5 and (line := parent.stdout.readline()):
        name, pid = line.split()
        pids[name] = int(pid)
    assert len(pids) == 5
    yield parent, pids
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for left in filter(alive, pids.values()):
        os.kill(left, signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def all_gone(pids: list[int], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(alive(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="finds daemons by /proc")
def test_nothing_outlives_a_parent_that_was_killed(
    family: tuple[subprocess.Popen[str], dict[str, int]],
) -> None:
    parent, pids = family
    assert all(alive(pid) for pid in pids.values())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert all_gone(list(pids.values()), 12), (
        "one of them ignores SIGTERM and gets SIGKILL after 5 s"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="needs the parent-death signal")
def test_the_server_dies_even_with_its_supervisor(
    family: tuple[subprocess.Popen[str], dict[str, int]],
) -> None:
    _, pids = family
    os.kill(pids["supervisor"], signal.SIGKILL)
    assert all_gone([pids["server"]], 5)


def test_supervise_hands_on_the_exit_status() -> None:
    command = [sys.executable, "-m", "judgebench.workers.supervise", "--"]
    for code, status in (("exit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)):
        child = subprocess.Popen(
            [*command, sys.executable, "-c", code], stdin=subprocess.PIPE, start_new_session=True
        )
        assert child.wait(20) == status
        assert child.stdin is not None
        child.stdin.close()


def test_supervise_alone_says_how_it_is_used() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "judgebench.workers.supervise"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "usage" in done.stderr


# Several of one model -----------------------------------------------------------------------------


class Copy:
    """Answers with its name, or cannot be used."""

    def __init__(self, name: str, *, broken: bool = False) -> None:
        self.name, self.broken, self.asked, self.closed = name, broken, 0, False

    async def complete(self, request: Request) -> Reply:
        self.asked += 1
        await asyncio.sleep(0)
        if self.broken:
            raise ProviderUnavailableError(f"{self.name} ran out of memory")
        return Reply(text=self.name)

    async def close(self) -> None:
        self.closed = True


def test_a_copy_that_cannot_be_used_holds_no_question(caplog: pytest.LogCaptureFixture) -> None:
    """The least busy one would be the one that fails at once."""
    question = ChatRequest(provider="openai_compatible", model="m", messages=())
    broken, first, second = Copy("a", broken=True), Copy("b"), Copy("c")

    async def talk() -> None:
        copies = Copies([broken, first, second])
        replies = await asyncio.gather(*(copies.complete(question) for _ in range(12)))
        assert {reply.text for reply in replies} == {"b", "c"}
        await copies.complete(question)
        assert broken.asked <= 4, "those that were asked before it was known"
        first.broken = second.broken = True
        with pytest.raises(ProviderUnavailableError, match="ran out of memory"):
            await copies.complete(question)
        with pytest.raises(ProviderUnavailableError, match="ran out of memory"):
            await copies.complete(question)
        await copies.close()

    asyncio.run(talk())
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "2 of 3 copies of a model go on, without one: a ran out of memory"
    assert len(said) == 2
    assert all(one.closed for one in (broken, first, second))
