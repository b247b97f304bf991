"""What a run needs of this machine and of those whom it asks, looked at before it begins."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from judgebench import registry
from judgebench.config import CANDIDATE, ApiModel, Endpoint, Suite
from judgebench.dialogue import REPLY_LIMITS
from judgebench.errors import ConfigError
from judgebench.execution.execute import evaluate
from judgebench.execution.gpus import fits_as_it_stands, place, placed, tenants
from judgebench.execution.pool import ProviderPool, extras_of
from judgebench.execution.resolve import ResolvedSuite, endpoints, model_of, resolve
from judgebench.extras import BACKENDS, EXTRAS, absent, install_line
from judgebench.protocols import NoProgress
from judgebench.providers.http import Address
from judgebench.providers.prices import retirement_of, today
from judgebench.store.opening import open_store
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.execution.forecast import PlanRow

_ANSWER_S = 30.0
ASKED = " when asked"
"""How findings about asking are called, after who was asked."""


class Finding(NamedTuple):
    """One thing looked at; ``state`` is ``ok``, ``absent`` or ``fault``."""

    what: str
    state: str
    found: str


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
        retirement = retirement_of(config.provider, model_of(config))
        if retirement is not None and (said := retirement.warning(today())) is not None:
            yield Finding(name, "absent", f"{model_of(config)} {said}{_replaced(name)}")
        if config.server is not None:
            program = config.server.command[0] if config.server.command else "vllm"
            there = program == "python" or config.server.engine == "sglang" or shutil.which(program)
            fault = f"{program} of its server's command is not installed, or not on the PATH"
            yield Finding(name, "ok" if there else "fault", program if there else fault)
    models = [(f"model {one.name}", one.lm_eval) for one in work.suite.models]
    models += [(f"judge {one.name}", one.lm_eval) for one in work.suite.judges]
    for name, local in models:
        if local is not None and local.model not in BACKENDS:
            yield Finding(name, "ok", f"lm-eval's backend {local.model}")
    yield from _room(work)


def _replaced(name: str) -> str:
    """What to do about a judge that is not there any more."""
    judges = name.startswith("judge ")
    return "; `judgebench rejudge` says what another judge would change" if judges else ""


def not_there(work: ResolvedSuite, store: Store) -> Iterator[Finding]:
    """Judges of whom the last that is known is that their provider does not have them (404)."""
    for assignment in work.assignments:
        its = assignment.asked.benchmark
        columns = store.failures(its.name, its.version)
        gone = {
            judge
            for judge, kind in zip(columns["judge_id"], columns["kind"], strict=True)
            if kind == "not_found"
        }
        name = f"judge {assignment.title}"
        if assignment.key.hex()[:12] in gone:
            found = f"answered 404 when it was asked last{_replaced(name)}"
            yield Finding(name, "absent", found)


def _room(work: ResolvedSuite) -> Iterator[Finding]:
    """Whether models and judges fit the GPUs that the suite names for them, or that are here."""
    try:
        for at in place(work).values():
            yield Finding(at.tenant.name, "ok", str(at))
    except ConfigError as error:
        name, _, found = str(error).partition(": ")
        yield Finding(name, "fault", found)
        return
    here = work.suite.gpus is None and work.suite.executor is None
    for tenant in tenants(work).values() if here else ():
        try:
            stands = fits_as_it_stands(tenant)
        except ConfigError as error:
            yield Finding(tenant.name, "fault", str(error).removeprefix(f"{tenant.name}: "))
        else:
            if stands is not None and stands.footprint is not None:
                yield Finding(tenant.name, "ok", str(stands))


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


def placed_where_needed(
    work: ResolvedSuite, planned: Callable[[], Sequence[PlanRow]]
) -> ResolvedSuite:
    """The work on its GPUs (`gpus.placed`); as it is where nothing of it has to be loaded.

    Parameters
    ----------
    planned
        What the run would do; asked for only where there is no room here.

    Raises
    ------
    ConfigError
        As `placed`, where something has to be loaded.
    """
    try:
        return placed(work)
    except ConfigError:
        models = {one.name for one in work.candidates if one.local is not None}
        judges = {one.name for one in work.assignments if one.loads is not None}
        judges |= {one.name for one in work.suite.judges if one.provider == CANDIDATE}
        for row in planned():
            if (row.generations and row.model in models) or (
                row.judge_calls and row.judge in judges
            ):
                raise
        return work


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
                replace(resolve(suite), written={"name": suite.name}),
                store=store,
                pool=pool,
                progress=NoProgress(),
            )
            spend = store.spend()
    findings = []
    for name in wanted:
        counts = outcome.answering[name]
        why = "; ".join(dict.fromkeys(filter(None, (counts.stopped, *counts.reasons.values()))))
        why += _replaced(name) if "not_found" in counts.failures else ""
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
