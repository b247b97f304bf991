"""A local server that the run starts when the first question needs it, and stops at its end.

It runs under ``judgebench.workers.supervise``, so that nothing of it is left behind, however the
run ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from judgebench.config import ServerConfig
from judgebench.errors import ProviderUnavailableError
from judgebench.plain_text import printable
from judgebench.protocols import Provider
from judgebench.providers.base import WindingDownError
from judgebench.records import Reply, Request
from judgebench.secret import Secret, redact, secrets_of
from judgebench.workers.process import LastWords
from judgebench.workers.supervise import GRACE_S

_log = logging.getLogger(__name__)

_PORT = "{port}"
_FIRST_POLL_S, _LAST_POLL_S = 0.05, 1.0
_PROBE_S = 5.0


ENGINE_WORDS = {
    "tensor_parallel_size": "tp_size",
    "pipeline_parallel_size": "pp_size",
    "max_model_len": "context_length",
    "gpu_memory_utilization": "mem_fraction_static",
}
"""What sglang calls arguments of vLLM."""


def engine_words(engine: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of vLLM in the words of an engine."""
    words = ENGINE_WORDS if engine.startswith("sglang") else {}
    return {words.get(name, name): value for name, value in arguments.items()}


def engine_command(server: ServerConfig, model: str, *, prefix_cache: bool) -> list[str]:
    """The command that serves a checkpoint with an engine, whether or not it keeps prefixes.

    >>> server = ServerConfig(engine="sglang", checkpoint="judge-8B", args={"max_model_len": 8192})
    >>> " ".join(engine_command(server, "judge", prefix_cache=False)[3:5])
    '--model-path judge-8B'
    """
    assert server.engine is not None
    assert server.checkpoint is not None
    if server.engine == "vllm":
        start = ["vllm", "serve", server.checkpoint]
        keeps = "--enable-prefix-caching" if prefix_cache else "--no-enable-prefix-caching"
    else:
        start = ["python", "-m", "sglang.launch_server", "--model-path", server.checkpoint]
        keeps = "" if prefix_cache else "--disable-radix-cache"
    told = engine_words(server.engine, server.args)
    flags = [
        word
        for name, value in told.items()
        if value is not None and value is not False
        for word in (f"--{name.replace('_', '-')}", *([] if value is True else [str(value)]))
    ]
    where = ["--host", "127.0.0.1", "--port", _PORT, "--served-model-name", model]
    return [*start, *where, *flags, *filter(None, [keeps])]


class LocalServer:
    """A command that serves at an address once it is ready.

    Parameters
    ----------
    options
        Of the suite. ``{port}`` in the command is replaced by a free port; a first word ``python``
        is the interpreter that runs this. ``ready`` is a path that answers with a success when the
        server can be used, ``gpus`` its ``CUDA_VISIBLE_DEVICES``: this process's own if None.
    base_url
        Address of the API on this machine; may hold ``{port}``.
    key
        Sent with the readiness check, and never shown.
    """

    def __init__(self, options: ServerConfig, base_url: str, key: Secret | None = None) -> None:
        gpus = {} if options.gpus is None else {"CUDA_VISIBLE_DEVICES": options.gpus}
        self.base_url = base_url
        """Where it answers; with its port once it was started."""
        self._command = list(options.command)
        self._ready = options.ready if options.ready.startswith("/") else f"/{options.ready}"
        self._timeout_s = options.timeout_s
        self._env = {**options.env, **gpus}
        self._key = key
        self._starting = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._said: LastWords | None = None
        self._failed: str | None = None
        self._is_ready = False
        self._winding_down = False

    async def ensure_ready(self) -> None:
        """Start the server if that was not done yet, and wait until it answers.

        Raises
        ------
        ProviderUnavailableError
            If it does not come up, or ended since. It is not started a second time.
        WindingDownError
            After `wind_down`, if it is not ready yet.
        """
        async with self._starting:
            if self._failed is None and not self._is_ready:
                if self._winding_down:
                    raise WindingDownError("the run is stopping: its server was not started")
                await asyncio.to_thread(self.begin)
                if self._process is not None:
                    await self._wait_until_ready(self._process)
            elif self._is_ready and self._process is not None and _ended(self._process):
                await self._fail(f"ended while it was in use ({_status(self._process)})")
            if self._failed is not None:
                raise ProviderUnavailableError(self._failed)

    def wind_down(self) -> None:
        """Wait no longer for it to come up: the run ends."""
        self._winding_down = True

    async def stop(self) -> None:
        """End the server and everything it started; returns when all of it is gone."""
        await asyncio.to_thread(self.end)

    def end(self) -> None:
        """As `stop`, outside of an event loop."""
        process, self._process = self._process, None
        self._is_ready = False
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()  # the supervisor's sign to end everything
        try:
            process.wait(3 * GRACE_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self._said is not None:
            self._said.join(timeout=1)  # the last words still in the pipe

    def begin(self) -> None:
        """Start it, unless that was done, and do not wait: it may load while others work."""
        if self._process is not None or self._failed is not None:
            return
        if _PORT in self.base_url:
            port = str(free_port())
            self.base_url = self.base_url.replace(_PORT, port)
            self._command = [word.replace(_PORT, port) for word in self._command]
        elif self._answers():
            self._failed = (
                f"something already answers at {self.base_url}: remove 'server:' from the judge to "
                "use it, or give the server another port ({port} in command and base_url is a free "
                "one)"
            )
            return
        words = [sys.executable if self._command[0] == "python" else self._command[0]]
        words += self._command[1:]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "judgebench.workers.supervise", "--", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | self._env,
            start_new_session=True,  # Ctrl-C is for the run, which then stops the server
        )
        self._said = LastWords(self._process.stdout, [self._key, *secrets_of(self._env)])

    async def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        said = "nothing"
        pause_s = _FIRST_POLL_S
        while loop.time() < deadline:
            if self._winding_down:
                await self.stop()
                raise WindingDownError("the run is stopping: its server was not waited for")
            if _ended(process):
                await self._fail(f"ended before it was ready ({_status(process)})")
                return
            status = await self._probe()
            # A server that wants another key than ours is up: the first call will say so.
            if status is not None and (200 <= status < 300 or status in {401, 403}):
                self._is_ready = True
                return
            said = said if status is None else f"status {status}"
            await asyncio.sleep(pause_s)
            pause_s = min(1.2 * pause_s, _LAST_POLL_S)
        await self._fail(
            f"was not ready within {self._timeout_s:g} s: {self._ready} at {self.base_url} "
            f"answered {said}; raise the server's timeout_s, or check 'ready' and the port"
        )

    async def _fail(self, what: str) -> None:
        """Remember why, with the last words, and leave nothing running."""
        await self.stop()
        secrets = secrets_of(os.environ | self._env)
        command = redact(shlex.join(self._command), [self._key, *secrets])
        self._failed = f"the server {command!r} {what}. {self._said}"

    def _answers(self) -> bool:
        try:
            socket.create_connection(self._place(), timeout=_PROBE_S).close()
        except OSError:
            return False
        return True

    async def _probe(self) -> int | None:
        """The HTTP status at the ready path; None where there is no answer (yet)."""
        host, port = self._place()
        key = "" if self._key is None else f"Authorization: Bearer {self._key.reveal()}\r\n"
        ask = f"GET {self._ready} HTTP/1.1\r\nHost: {host}:{port}\r\n{key}Connection: close\r\n\r\n"
        try:
            async with asyncio.timeout(_PROBE_S):
                reader, writer = await asyncio.open_connection(host, port)
                try:
                    writer.write(ask.encode())
                    line = await reader.readline()
                finally:
                    writer.close()
            return int(line.split()[1])
        except (OSError, ValueError, IndexError):
            return None

    def _place(self) -> tuple[str, int]:
        url = urlsplit(self.base_url)
        return url.hostname or "127.0.0.1", url.port or 80


@dataclass(eq=False)
class WithServer:
    """A provider whose server is started by the first question."""

    server: LocalServer
    make: Callable[[str], Provider]
    _inner: Provider | None = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)

    async def complete(self, request: Request) -> Reply:
        if self._closed:
            raise ProviderUnavailableError("the provider was closed: nothing more is asked")
        await self.server.ensure_ready()
        if self._inner is None:
            self._inner = self.make(self.server.base_url)
        return await self._inner.complete(request)

    async def close(self) -> None:
        """Close the connections; the server, which others may use, is stopped by who made it."""
        self._closed = True
        if self._inner is not None:
            await self._inner.close()


class Copies:
    """Several providers of one model, each on GPUs of its own: a question is the least busy one's.

    Equally busy ones take turns. One that cannot be used any more is asked nothing, which is said,
    and the others go on.
    """

    def __init__(self, each: Sequence[Provider]) -> None:
        self._each = tuple(each)
        self._waiting = dict.fromkeys(each, 0)
        self._closed = False

    async def complete(self, request: Request) -> Reply:
        while True:
            one = min(self._waiting, key=lambda one: self._waiting[one])
            self._waiting[one] = self._waiting.pop(one) + 1  # behind the others
            try:
                return await one.complete(request)
            except ProviderUnavailableError as error:
                if not self._leave_out(one, error):
                    raise
            finally:
                if one in self._waiting:
                    self._waiting[one] -= 1

    def _leave_out(self, one: Provider, why: ProviderUnavailableError) -> bool:
        """Whether there are others; else it stays, and says why to all who ask."""
        if self._closed or self._waiting.keys() == {one}:
            return False
        if self._waiting.pop(one, None) is not None:
            left = f"{len(self._waiting)} of {len(self._each)} copies of a model go on"
            _log.warning("%s, without one: %s", left, printable(str(why), lines=True))
        return True

    async def close(self) -> None:
        self._closed = True
        await asyncio.gather(*(one.close() for one in self._each))


def free_port() -> int:
    """A port below those that systems hand out by themselves.

    Among the others, a connection of anybody's may take it before the server does; even the probe
    for readiness may be given the very port that it knocks at, and be connected to itself.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ProviderUnavailableError("found no free port for a server among 100 tried")


def _ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def _status(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode or 0
    if code > 128:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(code - 128).name}"
    return f"exit status {code}"
