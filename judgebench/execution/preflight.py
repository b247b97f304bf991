"""What a run needs of this machine and of those whom it asks, looked at before it begins."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from judgebench import registry
from judgebench.config import CANDIDATE, ApiModel, Endpoint, LmEval, Suite
from judgebench.dialogue import REPLY_LIMITS
from judgebench.errors import ConfigError
from judgebench.execution.execute import evaluate
from judgebench.execution.forecast import PlanRow
from judgebench.execution.pool import ProviderPool
from judgebench.execution.resolve import ResolvedSuite, endpoints, model_of, resolve
from judgebench.extras import BACKENDS, EXTRAS, absent, install_line
from judgebench.protocols import NoProgress
from judgebench.providers.http import Address
from judgebench.store import open_store

_ANSWER_S = 30.0
_BILLIONS = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z0-9])", re.IGNORECASE)
_BITS = re.compile(
    r"(?<!\d)([48])[-_ ]?bits?|(?<![a-z])(?:int|w|fp|q)([48])(?!\d)|(awq|gptq)", re.IGNORECASE
)
ASKED = " when asked"
"""How findings about asking are called, after who was asked."""

_FREE = 0.9
"""The share of a GPU's memory that is left for a model, as vLLM takes it."""


class Finding(NamedTuple):
    """One thing looked at; ``state`` is ``ok``, ``absent`` or ``fault``."""

    what: str
    state: str
    found: str


class Gpu(NamedTuple):
    """A GPU of this machine, with its memory in GiB."""

    name: str
    memory_gib: float


def gpus() -> list[Gpu] | None:
    """The GPUs that ``nvidia-smi`` knows, by number; None where there is no such program.

    Raises
    ------
    OSError, subprocess.SubprocessError
        Where it does not answer.
    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    rows = (line.rpartition(",") for line in done.stdout.splitlines() if "," in line)
    return [Gpu(name.strip(), float(mib) / 1024) for name, _, mib in rows]


def needs(work: ResolvedSuite) -> Iterator[Finding]:
    """What a run of a suite needs here, and whether it is there. Asks nobody, loads nothing."""
    for who, extra in extras_of(work.suite):
        lacking = absent(extra)
        found = f"{' and '.join(EXTRAS[extra].packages)} installed"
        if lacking is not None:
            found = f"{lacking} is not installed: {install_line(lacking)}"
        yield Finding(who, "ok" if lacking is None else "fault", found)
    for name, config in endpoints(work).items():
        yield from _key(name, config)
        if config.server is not None:
            command = config.server.command
            program, there = command[0], command[0] == "python" or shutil.which(command[0])
            fault = f"{program} of its server's command is not installed, or not on the PATH"
            yield Finding(name, "ok" if there else "fault", program if there else fault)
            yield from _fits(name, _served_model(command), config.server.gpus, _flags(command))
    for name, local in _local_models(work.suite).items():
        if local.model not in BACKENDS:
            yield Finding(name, "ok", f"lm-eval's backend {local.model}")
        given = {**local.model_args, "_backend": local.model}
        yield from _fits(name, str(given.get("pretrained") or ""), local.gpus, given)
    for judge in work.suite.judges:
        if (own := judge.reward_model) is not None:
            yield from _fits(f"judge {judge.name}", own.pretrained, own.gpus, {"dtype": own.dtype})


def _local_models(suite: Suite) -> dict[str, LmEval]:
    named = [(f"model {one.name}", one.lm_eval) for one in suite.models]
    named += [(f"judge {one.name}", one.lm_eval) for one in suite.judges]
    return {name: local for name, local in named if local is not None}


def _key(name: str, config: Endpoint) -> Iterator[Finding]:
    """Whether there is a key for a provider that wants one."""
    known = config.provider in registry.names("providers")
    module = registry.load("providers", config.provider or "") if known else None
    info = getattr(module, "INFO", None)
    if info is None or config.server is not None:
        return
    address = Address(info, config)
    if address.needs_key and config.api_key is None:
        there, variable = address.key is not None, address.variable
        said = "is set" if there else f"is not set; export {variable}=… and run again"
        found = f"the environment variable {variable} {said}"
        if variable is None:
            found = "no key is given: api_key: ${NAME}"
        yield Finding(name, "ok" if there else "fault", found)


def extras_of(suite: Suite) -> Iterator[tuple[str, str]]:
    """Who in a suite needs which extra (`judgebench.extras`)."""
    if suite.executor is not None:  # its nodes load models: whether they can is theirs to say
        yield from ((f"executor {name}", name) for name in suite.executor.model_fields_set)
    else:
        for name, local in _local_models(suite).items():
            if local.model in BACKENDS:
                yield name, BACKENDS[local.model]
        for judge in suite.judges:
            if judge.reward_model is not None:
                yield f"judge {judge.name}", "hf"
    asked = {f"model {one.name}": one.api for one in suite.models if one.api is not None}
    for name, endpoint in (asked | {f"judge {one.name}": one for one in suite.judges}).items():
        if endpoint.provider == "litellm":
            yield name, "litellm"
    for tracker in suite.track:
        yield f"track {tracker}", tracker


def check_extras(suite: Suite, planned: Callable[[], Sequence[PlanRow]]) -> list[str]:
    """What a run will miss at its end for want of a package.

    Parameters
    ----------
    planned
        What the run would do; asked for only where a package is not installed.

    Raises
    ------
    ConfigError
        Where a model has to answer, or a judge to judge, that cannot without a package, or there is
        none for the executor: nothing was done yet. Who has nothing left to do needs none.
    """
    lacking = {who: name for who, extra in extras_of(suite) if (name := absent(extra)) is not None}
    if not lacking:
        return []
    themselves = {one.name for one in suite.judges if one.provider == CANDIDATE}
    busy = {who for who in lacking if who.startswith("executor ")}
    for row in planned():
        if row.generations or (row.judge_calls and row.judge in themselves):
            busy.add(f"model {row.model}")
        if row.judge_calls:
            busy.add(f"judge {row.judge}")
    said = {who: f"{who} needs {name}, which is not installed: {install_line(name)}"
            for who, name in lacking.items()}  # fmt: skip
    if refused := [line for who, line in said.items() if who in busy]:
        raise ConfigError("; ".join(refused))
    return [line for who, line in said.items() if who.startswith("track ")]


# Whether a model fits ---------------------------------------------------------------------------


def _fits(name: str, model: str, named: str | None, given: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the weights of a model fit the GPUs that a suite names, or that are here."""
    weights_gib = _weights_gib(model, given)
    if weights_gib is None:
        return
    try:
        here = gpus()
    except (OSError, subprocess.SubprocessError, ValueError):
        here = None
    if not here:
        return
    shown = named if named is not None else os.environ.get("CUDA_VISIBLE_DEVICES")
    numbers = range(len(here)) if shown is None else [int(n) for n in re.findall(r"\d+", shown)]
    used = [n for n in numbers if n < len(here)][: _spread_over(given, len(numbers))]
    if absent := [str(n) for n in numbers if n >= len(here)]:
        yield Finding(
            name, "fault", f"there is no GPU {', '.join(absent)} here: {len(here)} in all"
        )
    room_gib = _FREE * sum(here[n].memory_gib for n in used)
    where = f"GPU {', '.join(map(str, used))} ({sum(here[n].memory_gib for n in used):.0f} GiB)"
    if not used:
        return
    if weights_gib > room_gib:
        yield Finding(
            name,
            "fault",
            f"{model} does not fit {where}: its weights alone take about {weights_gib:.0f} GiB; "
            "name more GPUs over which it is spread (tensor_parallel_size, parallelize), or a "
            "smaller or quantised model",
        )
    else:
        yield Finding(name, "ok", f"{model}: about {weights_gib:.0f} GiB of weights fit {where}")


def _weights_gib(model: str, given: Mapping[str, Any]) -> float | None:
    """Of a folder what its files take, else by what a name says (70B, 8x7B); None for neither."""
    files = [*Path(model).glob("*.safetensors"), *Path(model).glob("*.bin")] if model else []
    if files:
        return sum(file.stat().st_size for file in files) / 2**30
    sizes = _BILLIONS.findall(model.rpartition("/")[2])
    if not sizes:
        return None
    billions = max(float(times or 1) * float(each) for times, each in sizes)
    return billions * 1e9 * _bytes_each(model, given) / 2**30


def _bytes_each(model: str, given: Mapping[str, Any]) -> float:
    words = [model, *(str(given.get(key) or "") for key in ("quantization", "dtype"))]
    words += [key for key, value in given.items() if str(value).lower() == "true"]
    if found := _BITS.search(" ".join(words)):
        return 1.0 if "8" in found.groups() else 0.5
    return 4.0 if given.get("dtype") in {"float32", "float"} else 2.0


def _spread_over(given: Mapping[str, Any], named: int) -> int:
    """Over how many GPUs the weights of one copy lie."""
    if str(given.get("parallelize", "")).lower() == "true" or given.get("device_map"):
        return named
    several = ("tensor_parallel_size", "pipeline_parallel_size")
    spread = [int(given[key]) for key in several if str(given.get(key, "")).isdecimal()]
    return max(1, spread[0] * spread[-1] if len(spread) == 2 else sum(spread))


def _served_model(command: list[str]) -> str:
    """What a server's command loads: ``vllm serve MODEL``, or the value of ``--model``."""
    after = {"serve", "--model", "--model-path"}
    return next((word for before, word in pairwise(command) if before in after), "")


def _flags(command: list[str]) -> dict[str, str]:
    """``--tensor-parallel-size 4`` and ``--dtype=half`` of a command, by their names."""
    found = {}
    for word, following in zip(command, [*command[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            found[name[2:].replace("-", "_")] = value if equals else following
    short = {"tp": "tensor_parallel_size", "tp_size": "tensor_parallel_size"}
    return {short.get(name, name): value for name, value in found.items()}


# Who is asked -----------------------------------------------------------------------------------


class Answered(NamedTuple):
    """What came of asking: findings, and what it cost; None where a price is not known."""

    findings: list[Finding]
    cost_usd: float | None


def asked(work: ResolvedSuite) -> dict[str, Endpoint]:
    """Who can be asked before a run: neither loaded nor started by it, each once."""
    found: dict[str, Endpoint] = {}
    told = set()
    for name, config in endpoints(work).items():
        local = config.server is not None or config.provider in {"local", "reward_model", CANDIDATE}
        same = (config.provider, model_of(config), config.base_url, config.api_key)
        if not local and same not in told:
            told.add(same)
            found[name] = config
    return found


def ask(work: ResolvedSuite) -> Answered:
    """Ask each endpoint of a suite for one token, through all that stands around it in a run.

    What is said is kept nowhere: the store of this is a temporary one.
    """
    wanted = asked(work)
    if not wanted:
        return Answered([], 0.0)
    with tempfile.TemporaryDirectory() as folder:
        suite = _of_one_token(work.suite, wanted, Path(folder))
        with open_store(f"sqlite:///{folder}/asked.db") as store:
            pool = ProviderPool(suite, store)
            outcome = evaluate(
                resolve(suite),
                store=store,
                pool=pool,
                progress=NoProgress(),
                configuration={"name": suite.name},
            )
            spend = store.spend()
    findings = []
    for name in wanted:
        counts = outcome.answering[name]
        why = "; ".join(dict.fromkeys(filter(None, (counts.stopped, *counts.reasons.values()))))
        findings.append(Finding(name + ASKED, "fault" if why else "ok", why or "answers"))
    unpriced = sum(spend["unpriced_calls"])
    return Answered(findings, None if unpriced else sum(spend["cost_usd"]))


def _of_one_token(suite: Suite, wanted: Mapping[str, Endpoint], folder: Path) -> Suite:
    """A suite in which each endpoint is a model that answers one question with one token."""
    models, benchmarks = [], []
    for n, (name, config) in enumerate(wanted.items()):
        questions = folder / f"{n}.jsonl"
        questions.write_text(f'{{"question": "Say hello. ({n})"}}\n', encoding="utf-8")
        fields = {
            field: getattr(config, field)
            for field in ApiModel.model_fields
            if hasattr(config, field)
        }
        sampling = {k: v for k, v in config.sampling.items() if k not in REPLY_LIMITS}
        fields |= {
            "sampling": sampling,
            "batch": False,
            "max_retries": 0,
            "timeout_s": min(config.timeout_s or suite.limits.timeout_s, _ANSWER_S),
        }
        models.append({"name": name, "api": ApiModel(**fields)})
        benchmarks.append(
            {"name": f"asked_{n}", "items": questions, "max_tokens": 1, "models": [name]}
        )
    return Suite(
        name="doctor",
        models=models,
        benchmarks=benchmarks,
        limits=suite.limits,
        prices=suite.prices,
        budget=suite.budget,
    )
