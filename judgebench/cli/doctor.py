"""``judgebench doctor``: what is installed, reachable and configured. Never prints a key."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import click

from judgebench.cli.options import report_options, show, store_option

PACKAGES = (
    *("lm_eval", "transformers", "torch", "vllm", "datasets", "openai", "anthropic"),
    *("numpy", "scipy", "pandas", "pyarrow", "sqlalchemy", "streamlit", "tenacity"),
)
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HF_TOKEN")
SETTINGS = (
    *("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "HF_HOME", "HF_HUB_OFFLINE"),
    *("CUDA_VISIBLE_DEVICES", "JUDGEBENCH_STORE", "JUDGEBENCH_DATA"),
)


class Finding(NamedTuple):
    """One thing looked at; ``state`` is ``ok``, ``absent`` or ``fault``."""

    what: str
    state: str
    found: str


@click.command("doctor", short_help="What is installed, reachable and configured.")
@click.option(
    "--server",
    "servers",
    metavar="BASE_URL",
    multiple=True,
    help="Also ask this OpenAI-compatible server for its models. No key is sent.",
)
@report_options
@store_option
def command(servers: tuple[str, ...], form: str, outputs: tuple[Path, ...], store: str) -> int:
    """Say what is installed, reachable and configured. Nothing heavy is imported, no key printed.

    Ends with 69 where a server that was named does not answer.
    """
    from judgebench.errors import ProviderUnavailableError
    from judgebench.report.table import Column, Document, Table

    asked = [_server(url) for url in servers]
    findings = [*_installed(), *_devices(), _store(store), *_data(), *_environment(), *asked]
    table = Table(
        title="doctor",
        columns=[Column(title="what"), Column(title="state"), Column(title="found", wraps=True)],
        rows=findings,
    )
    rows = [finding._asdict() for finding in findings]
    show(Document(tables=[table], records=rows, data={"checks": rows}), form, outputs)
    if faults := [finding for finding in asked if finding.state == "fault"]:
        raise ProviderUnavailableError("; ".join(f"{f.what}: {f.found}" for f in faults))
    return 0


def _installed() -> Iterator[Finding]:
    from judgebench import __version__

    yield Finding("judgebench", "ok", __version__)
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()}")
    yield Finding("sqlite", "ok", sqlite3.sqlite_version)
    for name in PACKAGES:
        try:
            yield Finding(name, "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, "absent", _how(name))


def _how(name: str) -> str:
    if name in ("torch", "transformers"):
        return "for local models: pip install 'judgebench-harness[hf]'"
    return "optional, for local models on a GPU" if name == "vllm" else "install judgebench again"


def _devices() -> Iterator[Finding]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        yield Finding("gpu", "absent", "no nvidia-smi: local models run on the CPU")
        return
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding("gpu", "fault", f"nvidia-smi does not answer: {error}")
        return
    for i, line in enumerate(done.stdout.splitlines()):
        yield Finding(f"gpu {i}", "ok", line.strip())


def _store(url: str) -> Finding:
    from judgebench.errors import JudgebenchError
    from judgebench.store import open_store
    from judgebench.store.opening import located

    try:
        where = located(url)
        shown = where.name if where.path is None else url
        if not where.exists():
            return Finding("store", "absent", f"none at {shown} yet; `judgebench run` makes one")
        with open_store(url, read_only=True) as store:
            held = ", ".join(f"{name}@{version}" for name, version in store.benchmarks())
            return Finding("store", "ok", f"{shown}: {len(store.runs())} runs; {held or 'empty'}")
    except JudgebenchError as error:
        return Finding("store", "fault", str(error))


def _data() -> Iterator[Finding]:
    from judgebench.benchmarks.data_source import data_home, list_data
    from judgebench.errors import JudgebenchError

    yield Finding("data home", "ok" if data_home().is_dir() else "absent", str(data_home()))
    try:
        states = list_data()
    except JudgebenchError as error:
        yield Finding("data", "fault", str(error))
        return
    for s in states:
        state = "ok" if s.usable else "fault" if s.damaged else "absent"
        note = f"; {s.note}" if s.note else ""
        yield Finding(f"data {s.benchmark}@{s.version}", state, f"{s.state}{note}")


def _environment() -> Iterator[Finding]:
    for name in KEYS:  # whether there is one, never what it is
        yield Finding(name, "ok" if os.environ.get(name) else "absent", _yes_no(name))
    for name in SETTINGS:
        if value := os.environ.get(name):
            yield Finding(name, "ok", _without_password(value))


def _yes_no(name: str) -> str:
    return "set" if os.environ.get(name) else "not set"


def _without_password(value: str) -> str:
    """A URL may carry a name and password; they stay here."""
    head, separator, rest = value.partition("://")
    if not separator or "@" not in rest.split("/")[0]:
        return value
    return f"{head}://…@{rest.partition('@')[2]}"


def _server(base_url: str) -> Finding:
    import json
    import urllib.error
    import urllib.parse
    import urllib.request

    what = f"server at {_without_password(base_url)}"
    if not base_url.startswith(("http://", "https://")):
        return Finding(what, "fault", "a base URL begins with http:// or https://")
    host = urllib.parse.urlsplit(base_url).hostname or ""
    own = host == "localhost" or host.startswith("127.") or host == "::1"
    # This machine's own servers are not asked through a proxy.
    proxies = urllib.request.ProxyHandler({} if own else None)
    opener = urllib.request.build_opener(proxies)
    try:
        with opener.open(f"{base_url.rstrip('/')}/models", timeout=10) as answer:
            said = json.loads(answer.read(1_000_000))
        models = [str(model["id"]) for model in said["data"]]
    except urllib.error.HTTPError as error:
        wants_key = error.code in (401, 403)
        says = "it wants a key" if wants_key else "is the base URL complete (…/v1)?"
        return Finding(what, "ok" if wants_key else "fault", f"HTTP {error.code}: {says}")
    except OSError as error:
        reason = getattr(error, "reason", error)
        return Finding(what, "fault", f"cannot be reached: {reason}")
    except (ValueError, KeyError, TypeError):
        return Finding(
            what,
            "fault",
            "answers, but not as an OpenAI-compatible server; does the URL end in /v1?",
        )
    return Finding(what, "ok", f"serves {', '.join(models) or 'no model'}")
