"""``judgebench doctor``: what is installed, reachable and configured. Never prints a key."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import click

from judgebench.cli.options import Cell, listing, report_options, show
from judgebench.cli.streams import say
from judgebench.execution.preflight import ASKED, Finding, gpus
from judgebench.plain_text import dollars

PROGRAMS = (
    *("lm_eval", "transformers", "torch", "vllm", "datasets", "openai", "anthropic"),
    *("numpy", "scipy", "pandas", "pyarrow", "sqlalchemy", "streamlit", "tenacity"),
)
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "HF_TOKEN")
SETTINGS = (
    *("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GEMINI_BASE_URL", "HF_HOME", "HF_HUB_OFFLINE"),
    *("CUDA_VISIBLE_DEVICES", "JUDGEBENCH_STORE", "JUDGEBENCH_DATA"),
)


@click.command("doctor")
@click.argument("suite", required=False, type=click.Path(path_type=Path))
@click.option("--no-calls", is_flag=True, help="Ask nobody whom SUITE names for a token.")
@click.option(
    "--server",
    "servers",
    metavar="BASE_URL",
    multiple=True,
    help="Also ask this OpenAI-compatible server for its models. No key is sent.",
)
@report_options
@click.option("--store", metavar="URL", help="The store to look at.  [default: the suite's own]")
def command(
    suite: Path | None,
    no_calls: bool,
    servers: tuple[str, ...],
    form: str,
    outputs: tuple[Path, ...],
    store: str | None,
) -> int:
    """Say what is installed, reachable and configured. Nothing heavy is imported, no key printed.

    Of a SUITE it is said whether a run would find all that it needs: benchmarks, files, packages,
    keys, and room on the GPUs. Everybody whom it asks behind an API is asked for one token, and
    what that cost is said; nothing is stored. Local models are not loaded, nor servers started.

    Ends with 69 where somebody does not answer, with 78 where SUITE or this machine lacks something
    else, and with 65 where a file cannot be used.

    \b
    Examples:
      judgebench doctor
      judgebench doctor nightly.yaml
      judgebench doctor nightly.yaml --no-calls --format json
    """
    from judgebench.api import store_url
    from judgebench.errors import ConfigError, JudgebenchError, ProviderUnavailableError

    fault: JudgebenchError | None = None
    of_suite: list[Finding] = []
    url = store_url(None, store)
    if suite is not None:
        try:
            of_suite, url = _of_suite(suite, store, calls=not no_calls)
        except JudgebenchError as error:
            of_suite, fault = [Finding("suite", "fault", str(error))], error
    asked = [_server(url) for url in servers]
    findings = [*_installed(), *_devices(), _store(url), *_data(), *_environment()]
    findings += [*of_suite, *asked]
    columns: dict[str, Cell] = {"what": "what", "state": "state", "found~": "found"}
    show(
        listing("doctor", findings, columns, Finding._asdict, data="checks"),
        form,
        outputs,
    )
    if fault is not None:
        raise fault
    if faults := [finding for finding in asked if finding.state == "fault"]:
        raise ProviderUnavailableError("; ".join(f"{f.what}: {f.found}" for f in faults))
    if faults := [finding for finding in of_suite if finding.state == "fault"]:
        silent = all(f.what.endswith(ASKED) for f in faults)
        kind = ProviderUnavailableError if silent else ConfigError
        raise kind("; ".join(f"{f.what}: {f.found}" for f in faults))
    return 0


def _of_suite(suite: Path, store: str | None, *, calls: bool) -> tuple[list[Finding], str]:
    """What a run of a suite needs, and where its results go."""
    from judgebench import api
    from judgebench.config import load_suite

    url = api.store_url(load_suite(suite), store)
    if calls:
        say("asking everybody behind an API for one token; --no-calls leaves that out")
    found, cost = api.preflight(suite, ask=calls)
    if calls:
        said = "an amount that is not known" if cost is None else f"{dollars(cost)} USD"
        say(f"asking cost {said}")
    return found, url


def _installed() -> Iterator[Finding]:
    from judgebench import __version__

    yield Finding("judgebench", "ok", __version__)
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()}")
    yield Finding("sqlite", "ok", sqlite3.sqlite_version)
    for name in PROGRAMS:
        try:
            yield Finding(name, "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, "absent", _how(name))


def _how(name: str) -> str:
    if name in ("torch", "transformers"):
        return "for local models: pip install 'judgebench-harness[hf]'"
    return "optional, for local models on a GPU" if name == "vllm" else "install judgebench again"


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
    from judgebench.benchmarks.data import data_home, list_data
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
