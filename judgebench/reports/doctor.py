"""What is installed, reachable and configured. No key is in it."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import ClassVar

from judgebench import __version__
from judgebench.benchmarks.data import data_home, list_data
from judgebench.errors import JudgebenchError
from judgebench.execution.gpus import gpus
from judgebench.execution.preflight import Finding
from judgebench.extras import EXTRAS, install_line, is_installed
from judgebench.reports.document import Report, Rows, Table, column, json_field, table
from judgebench.store.opening import located, open_store

PROGRAMS = (
    *("lm_eval", "datasets", "openai", "anthropic"),
    *("numpy", "scipy", "pandas", "pyarrow", "sqlalchemy", "streamlit", "tenacity"),
)
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "HF_TOKEN")
SETTINGS = (
    *("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GEMINI_BASE_URL", "HF_HOME", "HF_HUB_OFFLINE"),
    *("CUDA_VISIBLE_DEVICES", "JUDGEBENCH_STORE", "JUDGEBENCH_DATA"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor(Report):
    """Findings, in the order in which they were looked for, and what is wrong, if anything is."""

    ROWS: ClassVar = (Rows(of="checks", row=Finding._fields),)

    checks: tuple[Finding, ...]
    fault: JudgebenchError | None = json_field(hidden=True, default=None)

    def tables(self) -> list[Table]:
        return [
            table(
                "doctor",
                self.checks,
                [
                    column("what", lambda one: one.what),
                    column("state", lambda one: one.state),
                    column("found", lambda one: one.found, wraps=True),
                ],
            )
        ]


def of_machine(url: str) -> list[Finding]:
    """What this machine has, and the store at an address."""
    return [*_installed(), *_devices(), _store(url), *_data(), *_environment()]


def _installed() -> Iterator[Finding]:
    yield Finding("judgebench", "ok", __version__)
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()}")
    yield Finding("sqlite", "ok", sqlite3.sqlite_version)
    for name in PROGRAMS:
        version = _version(name)
        state = "absent" if version is None else "ok"
        yield Finding(name, state, version or "install judgebench again")
    for extra in EXTRAS.values():
        for name in extra.packages:
            if is_installed(name):
                yield Finding(name, "ok", _version(name) or "installed")
            else:
                yield Finding(name, "absent", f"for {extra.serves}: {install_line(name)}")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package.replace(".", "-"))
    except metadata.PackageNotFoundError:
        return None


def _devices() -> Iterator[Finding]:
    try:
        found = gpus()
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        yield Finding("gpu", "fault", f"nvidia-smi does not answer: {error}")
        return
    if found is None:
        yield Finding("gpu", "absent", "no nvidia-smi: local models run on the CPU")
    for i, one in enumerate(found or ()):
        yield Finding(f"gpu {i}", "ok", f"{one.name}, {one.memory_gib * 1024:.0f} MiB")


def _store(url: str) -> Finding:
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
        there = bool(os.environ.get(name))
        yield Finding(name, "ok" if there else "absent", "set" if there else "not set")
    for name in SETTINGS:
        if value := os.environ.get(name):
            yield Finding(name, "ok", _without_password(value))


def _without_password(value: str) -> str:
    """A URL may carry a name and password; they stay here."""
    head, separator, rest = value.partition("://")
    if not separator or "@" not in rest.split("/")[0]:
        return value
    return f"{head}://…@{rest.partition('@')[2]}"


def of_server(base_url: str) -> Finding:
    """Whether an OpenAI-compatible server answers, and with which models. No key is sent."""
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
