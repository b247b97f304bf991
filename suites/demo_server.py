"""An OpenAI-compatible server on loopback for the demo's judge: llama.cpp inside a package.

    python suites/demo_server.py --model FILE.gguf --port 8081

It ends on SIGTERM, and with whoever started it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

SLOTS = 2
"""Questions answered side by side; the context is divided among them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, help="GGUF file")
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--ctx", type=int, default=4096, help="tokens, for all slots together")
    options = parser.parse_args()
    if not Path(options.model).is_file():
        parser.error(f"{options.model} is no file")

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    threading.Thread(target=_watch_parent, args=(os.getppid(), stopped), daemon=True).start()

    server = _serve(options.model, options.port, options.threads, options.ctx)
    print(f"serving {options.model} at {server.listening_address}", file=sys.stderr)
    stopped.wait()
    os._exit(0)  # llama.cpp waits for the questions under way otherwise


def _serve(model: str, port: int, threads: int, ctx: int) -> Any:
    # Threads that spin while they wait make a call of 2.6 s on a busy machine one of 7 to 30.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {Path(model).name}  # a path says where, not what
    parameters.hostnames = ["127.0.0.1"]
    parameters.ui = False
    parameters.port = port
    parameters.n_ctx = ctx
    parameters.n_parallel = SLOTS
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.cache_prompt = False  # a reused prefix changes answers at temperature 0
    parameters.n_gpu_layers = 0
    return xllamacpp.Server(parameters)


def _watch_parent(parent: int, stopped: threading.Event) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    stopped.set()


if __name__ == "__main__":
    main()
