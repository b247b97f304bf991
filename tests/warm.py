"""Commands and workers forked out of a process that has loaded what they load.

Most of what a worker with a model costs is the import of torch, transformers and lm-eval: five
seconds of a core each time. A `Warm` takes the place of the interpreter (``sys.executable``) in
tests to which the start of a process is not the point. ``-m`` with a module of `LOADS`, ``-c`` with
a program, and the dashboard's worker are forked from a server, with the caller's environment,
folder, arguments and streams; whatever else it is asked to do, the interpreter itself does. What is
forked leads a session of its own, ends with the exit status or signal of its own, is interrupted as
the process that stands for it is, and killed when that is.

The workers of pytest-xdist are forked too, from a process that has collected their tests: each of
them would import and rewrite all modules of tests, and what those import, anew.

A server is nobody's child, and ends with the process that asked for it.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

WARM = "JUDGEBENCH_TESTS_WARM"
"""Where the workers of one session find what they all fork from."""

ROOT = Path(__file__).resolve().parents[1]
COMPUTER = str(ROOT / "dashboards" / "worker.py")
_COMMAND = (
    "judgebench.api",
    "judgebench.cli.gate",
    "judgebench.cli.boards",
    "judgebench.cli.run",
    "judgebench.reports.versions",
    "judgebench.reports.board",
    "judgebench.reports.board_tables",
    "judgebench.reports.confidence",
    "judgebench.reports.gate",
    "judgebench.reports.render.html",
    "judgebench.execution.slurm",
    "scipy.special",
    "scipy.stats",
    "submitit.core.submission",
)
_WORKER = (
    "lm_eval.models.huggingface",
    "lm_eval.evaluator",
    "lm_eval.tasks",
    "transformers.models.llama.modeling_llama",
    "transformers.models.auto.tokenization_auto",
    "judgebench.workers.backends.hf",
    "judgebench.workers.judge",
    "judgebench.workers.generate",
    "judgebench.workers.reward",
)


def _stated(path: str, name: str) -> tuple[str, ...]:
    """A constant of a module, which is not imported for it."""
    body = ast.parse((ROOT / path).read_text()).body
    said = {ast.unparse(one.targets[0]): one.value for one in body if isinstance(one, ast.Assign)}
    return tuple(ast.literal_eval(said[name]))


_PAGES = (
    *_stated("dashboards/serve.py", "PAGES_IMPORT"),
    "streamlit.web.bootstrap",
    "streamlit.web.cli",
    "streamlit.web.server.starlette",
    "streamlit.starlette",
    "uvicorn",
    "scipy.special",
    "scipy.stats",
)
LOADS = {
    "serve": _PAGES,  # the dashboard's, by whom its folder is in PYTHONPATH
    "judgebench.cli.main": _COMMAND,
    "-c": _COMMAND,
    COMPUTER: _COMMAND,
    "submitit.core._submit": _COMMAND,
    "tests.faults.many_writers": _COMMAND,
    "tests.faults.nursery": _COMMAND,
    "lm_eval": _WORKER,
    "tests.e2e.by_lm_eval": _WORKER,
    "tests.e2e.lm_eval_by_chance": _WORKER,
    "tests.tiny_models": _WORKER,
    "suites.demo_model": _WORKER,
    "judgebench.workers.judge": _WORKER,
    "judgebench.workers.generate": _WORKER,
    "judgebench.workers.lm_eval_task": _WORKER,
    "judgebench.workers.reward": _WORKER,
    "judgebench.exchange.trackers": ("mlflow", "mlflow.store.tracking.sqlalchemy_store", "wandb"),
}
"""What is loaded before a module is forked, by the module."""

CLIENTS = ("anthropic", "openai", "playwright.sync_api", "sklearn.linear_model", "statsmodels.api")
"""What most workers of pytest come to load, and no module of tests does."""

# No thread of a library's own, which a fork would lose.
_ALONE = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}

# Stands for what is forked: as long as it lives, that lives, and it ends as that ends. What may ask
# the Hub starts afresh, since whether it may is settled at an import; a command imports that late.
_STANDS = """#!{python} -IS
import json, os, signal, socket, sys
words, servers = sys.argv[1:], {servers!r}
words = words[1:] if words[:1] in (["-u"], ["-P"]) else words  # what is forked writes at its end
words = words[1:] if words[:1] == ["-m"] else words
known = servers.get(words[0]) if words else None
late = words[:1] in (["judgebench.cli.main"], ["-c"], [{computer!r}])
if known is None or not late and os.environ.get("HF_HUB_OFFLINE") != "1":
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
asked = {{"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}}
with socket.socket(socket.AF_UNIX) as server:
    server.connect(known)
    server.sendall(json.dumps(asked).encode() + b"\\n")
    socket.send_fds(server, [b"."], [0, 1, 2])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: server.sendall(bytes([number])))
    for number in (0, 1, 2):
        os.close(number)
    code = int(server.recv(16) or b"70")
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@dataclass(frozen=True, slots=True)
class Warm:
    """The servers, from the side of the tests; `executable` stands for the interpreter."""

    executable: str

    def run(
        self, module: str, *words: str | Path, environment: Mapping[str, str] | None = None
    ) -> str:
        """Carry out a module that asks the Hub nothing; what it wrote to standard output."""
        done = subprocess.run(
            [self.executable, "-m", module, *map(str, words)],
            cwd=ROOT,
            env={**os.environ, **(environment or {}), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextlib.contextmanager
def warmed() -> Iterator[Warm]:
    """The servers, as long as the block. They load nothing unasked, and ask no Hub."""
    from judgebench.workers.protocol import QUIET  # in a server pytest has to load it first

    with tempfile.TemporaryDirectory(prefix="warm") as name:
        folder = Path(name)
        sockets = {loads: str(folder / str(n)) for n, loads in enumerate(set(LOADS.values()))}
        servers = {module: sockets[loads] for module, loads in LOADS.items()}
        quiet = {**QUIET, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hub")}
        with _listening(folder, servers, quiet) as executable:
            yield Warm(executable)


@contextlib.contextmanager
def collected(tests: Sequence[str]) -> Iterator[str]:
    """What stands for the interpreter of workers of pytest-xdist.

    They are forked once these tests are collected, so that each finds all modules of tests and what
    those import in its memory.
    """
    with tempfile.TemporaryDirectory(prefix="warm") as name:
        folder = Path(name)
        with _listening(folder, {"-c": str(folder / "0")}, {}, tests=list(tests)) as executable:
            yield executable


@contextlib.contextmanager
def _listening(
    folder: Path, servers: dict[str, str], environment: Mapping[str, str], **more: list[str]
) -> Iterator[str]:
    """Servers as long as the block, and what stands for the interpreter that they are asked by."""
    stands = folder / "python"
    stands.write_text(_STANDS.format(python=sys.executable, servers=servers, computer=COMPUTER))
    stands.chmod(0o755)
    order = {"executable": str(stands), "servers": servers, **more}
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.warm", json.dumps(order)],
        cwd=ROOT,
        env={**os.environ, **_ALONE, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    server.wait()  # its child serves
    try:
        yield str(stands)
    finally:
        server.stdin.close()  # the end of its input is its end
        server.stdout.close()


# The other side: a server -------------------------------------------------------------------------


def main(executable: str, servers: dict[str, str], tests: list[str] | None = None) -> None:
    """Listen for each set of modules, in a process that loads it when it is first asked for."""
    listening = {}
    for path in dict.fromkeys(servers.values()):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        listening[path] = listener
    if os.fork():
        os._exit(0)
    os.setsid()
    print("ready", flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    loads = {path: LOADS[module] for module, path in servers.items()}
    if tests is None:
        sys.executable = executable
    for path, listener in listening.items():
        if os.fork() == 0:
            serve(listener, CLIENTS if tests is not None else loads[path], tests)


def serve(listener: socket.socket, modules: tuple[str, ...], tests: list[str] | None) -> None:
    """Fork what is asked for; returns never."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    loaded = False
    while True:
        ready, _, _ = select.select([listener, 0], [], [])
        if 0 in ready:
            os._exit(0)
        asked, _ = listener.accept()
        if not loaded:
            if tests is not None:  # what cannot be collected is said by each worker
                pytest.main(["--collect-only", "-qqs", "-p", "no:cacheprovider", *tests])
            for module in modules:
                with contextlib.suppress(ModuleNotFoundError):  # said by whoever needs it
                    importlib.import_module(module)
            assert len([*Path("/proc/self/task").iterdir()]) == 1, "no thread survives a fork"
            gc.freeze()
            loaded = True
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            _wait_for(asked)
        asked.close()


def _wait_for(asked: socket.socket) -> None:
    """Fork what was asked for, say how it ended, and end it where nobody wants it any more."""
    with asked.makefile("rb", buffering=0) as stream:
        order = json.loads(stream.readline())
    _, streams, _, _ = socket.recv_fds(asked, 1, 3)
    lives, ends = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(lives)
        asked.close()
        _be(order, streams)
    for number in (*streams, ends, 0):
        os.close(number)
    while lives not in select.select([asked, lives], [], [])[0]:
        told = asked.recv(1)
        with contextlib.suppress(ProcessLookupError):
            if told:
                os.kill(child, told[0])
            else:
                os.killpg(child, signal.SIGKILL)
                break
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(BrokenPipeError):
        asked.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _be(order: dict[str, Any], streams: list[int]) -> None:
    """The whole life of what is forked."""
    code = 1
    try:
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir(order["folder"])
        module, *words = order["words"]
        program = words.pop(0) if module == "-c" else ""
        path = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        sys.path[:0] = [order["folder"], *path]
        sys.argv = [module, *words]
        if not hasattr(sys.modules.get(module), "__path__"):
            sys.modules.pop(module, None)
        importlib.invalidate_caches()
        if program:
            sys.modules["__main__"] = main = ModuleType("__main__")
            exec(compile(program, "<string>", "exec"), vars(main))  # noqa: S102 - a test's own
        elif module == COMPUTER:
            sys.path.insert(0, str(Path(module).parent))
            runpy.run_path(module, run_name="__main__")
        else:
            if module == "lm_eval":
                _without_its_own_tasks()
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:  # noqa: BLE001 - nothing of the child may go on in the server's code
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _without_its_own_tasks() -> None:
    """To read all 14,000 of lm-eval's takes eight seconds of a core, and none of them is asked."""
    from lm_eval import tasks
    from lm_eval.tasks.manager import TaskIndex

    own, build = Path(tasks.__file__).parent, TaskIndex.build
    TaskIndex.build = staticmethod(lambda paths: build([one for one in paths if one != own]))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
