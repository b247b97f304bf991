"""What a run was and did: configuration, versions, commit, seeds, data, progress, counts.

A run that asks a judge anew (``run --again JUDGE``) says so here. Replies and verdicts that come of
it have keys of their own, of which the occasion is a part. What was said before stays, with the
runs that it served, and nothing changes on other benchmarks. From then on, runs use what the judge
said last on this benchmark and ask no third time.
"""

from __future__ import annotations

import math
import platform
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import metadata
from typing import Any

from judgebench import __version__
from judgebench.config import LM_EVAL_GROUPS
from judgebench.errors import StoreBusyError, StoreFullError, UsageError, at_once, unknown_name
from judgebench.execution.gpus import GpuWatch, tenants
from judgebench.execution.pool import ProviderPool
from judgebench.execution.resolve import JudgeAssignment, ResolvedSuite
from judgebench.plain_text import written_out
from judgebench.progress import Counted, Told
from judgebench.protocols import Meter, Progress
from judgebench.records import FailureKind, JsonObject, RunManifest, RunState
from judgebench.store.store import Store
from judgebench.workers.process import metrics_worker

#: Packages whose version can change a number.
WATCHED = (
    "anthropic",
    "datasets",
    "lm_eval",
    "numpy",
    "openai",
    "scipy",
    "sqlalchemy",
    "tenacity",
    "torch",
    "transformers",
    "vllm",
)

FORGETTING = "forget"
"""The lease of whoever removes judgments: a run that starts meanwhile waits for it."""

RECHECKED = "again"
"""What a manifest's configuration calls the judges that were asked anew."""

TOLD_S = 2.0
"""Between two times at which the manifest is written: a commit, beside hundreds of judgments."""

#: Failures of a provider that did not answer at all.
UNREACHED: frozenset[FailureKind] = frozenset({"connection", "timeout", "server", "rate_limit"})

LEAST_UNREADABLE = 10
"""From so many unreadable replies on, and half of them, a judge is one that cannot be read."""

EXAMPLES = 3
EXCERPT = 120
"""Characters of a reply that are shown."""


def alive(manifest: RunManifest) -> str:
    """The lease that whoever is under way under this manifest holds while it lives."""
    return f"run {manifest.id}"


def new_manifest(
    name: str, configuration: JsonObject, *, data_sha: Mapping[str, str], seed: int
) -> RunManifest:
    """A manifest of a run that starts now.

    ``configuration`` is the suite as written: variables of the environment are named in it, not
    filled in, so that no key gets into the store.
    """
    now = time.time()
    return RunManifest(
        id=f"{time.strftime(_STAMP, time.gmtime(now))}-{secrets.token_hex(3)}",
        name=name,
        configuration=configuration,
        versions=versions(),
        git_sha=git_sha(),
        data_sha=dict(data_sha),
        seeds={"run": seed},
        started=now,
        node=platform.node(),
    )


_STAMP = "%Y%m%d-%H%M%S"
"""How a moment is written within an id."""


@cache
def versions() -> dict[str, str]:
    """Versions of judgebench, Python and what stands in `WATCHED`, none of it imported."""
    found = {"judgebench": __version__, "python": platform.python_version(), "os": sys.platform}
    for package in WATCHED:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def git_sha() -> str | None:
    """The commit of the working directory, ``+dirty`` behind it where it was changed."""
    said = []
    for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"]):
        try:
            done = subprocess.run(
                ["git", *words], capture_output=True, text=True, timeout=10, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        said.append(done.stdout.strip())
    sha, changed = said
    return f"{sha}+dirty" if changed else sha


# what came of it ----------------------------------------------------------------------------------


@dataclass(slots=True)
class RunCounts:
    """What came of the calls of one judge or remote model.

    ``reused`` are those that another process had made meanwhile, ``waiting`` questions in a batch,
    ours or another's; ``stopped`` says why the rest was not asked.
    ``failures`` counts by kind, and ``reasons`` has the first message of each; ``left_out`` names
    what was not sent, since the model does not take it.
    """

    done: int = 0
    reused: int = 0
    unreadable: int = 0
    failed: int = 0
    waiting: int = 0
    failures: dict[FailureKind, int] = field(default_factory=dict)
    reasons: dict[FailureKind, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    stopped: str | None = None
    unavailable: bool = False
    key_refused: bool = False

    @property
    def unreached(self) -> bool:
        """Whether not one question was answered, for want of whoever should; or the key is wrong.

        Asking again later does not help against the latter, also where it was good for a while.
        """
        unreached = self.unavailable or bool(self.failures and self.failures.keys() <= UNREACHED)
        return self.key_refused or (unreached and not self.done)

    def stop(self, why: str, *, unavailable: bool = False, key_refused: bool = False) -> None:
        """Ask nothing more; the first reason is the one that is told."""
        if self.stopped is None:
            self.stopped = why
            self.unavailable = unavailable
            self.key_refused = key_refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A judge that could not be read in a run, with some of what it said.

    ``called`` is what the store knows it by and nobody else: its name, or its id. ``verdicts`` are
    those read from its replies, if it was ``asked``: a function, a rule, and a judge that could not
    ask about any item give verdicts without one.
    """

    judge: str
    called: str
    asked: bool
    verdicts: int
    unreadable: int
    examples: tuple[str, ...]


@dataclass(slots=True)
class Outcome:
    """What a run did.

    ``answering`` and ``judging`` tell what came of those who were asked, by the name of the model
    or judge; ``generated`` and ``not_generated`` are about local models alone. ``misconfigured``
    says that one of those could not be started as the suite says. ``unread`` are the judges that
    cannot be read, whenever they were asked: it is known when the run has ended. ``decided`` is
    what came of judging no further than it takes to decide. ``speed`` are the tokens that local
    models wrote, the seconds that it took without loading them, and tokens a second; ``gpus`` says
    what the GPUs of this machine do.
    """

    manifest: RunManifest
    work: ResolvedSuite
    generated: int = 0
    not_generated: int = 0
    reused_answers: int = 0
    answering: dict[str, RunCounts] = field(default_factory=dict)
    judging: dict[str, RunCounts] = field(default_factory=dict)
    known: int = 0
    answer_calls: int = 0
    judge_calls: int = 0
    recorded: int = 0
    misconfigured: bool = False
    unread: list[Unread] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    decided: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    speed: dict[str, dict[str, float]] = field(default_factory=dict)
    gpus: Callable[[], list[dict[str, float]]] = list

    @property
    def asked(self) -> list[tuple[str, RunCounts]]:
        """Everybody who was asked, models first, and what came of it."""
        return [*self.answering.items(), *self.judging.items()]

    @property
    def answered(self) -> int:
        """Answers that are new, whoever gave them."""
        return self.generated + sum(counts.done for counts in self.answering.values())

    @property
    def judged(self) -> int:
        return sum(counts.done for counts in self.judging.values())

    @property
    def unreadable(self) -> int:
        return sum(counts.unreadable for counts in self.judging.values())

    @property
    def failed(self) -> int:
        return self.not_generated + sum(counts.failed for _, counts in self.asked)

    @property
    def too_long(self) -> int:
        """Questions that do not fit whom they are for, so that asking again gives the same."""
        return sum(counts.failures.get("too_long", 0) for _, counts in self.asked)

    @property
    def waiting(self) -> int:
        """Questions whose reply comes with a batch."""
        return sum(counts.waiting for _, counts in self.asked)

    @property
    def stopped(self) -> dict[str, str]:
        """Who was not asked to the end, and why."""
        return {name: why for name, counts in self.asked if (why := counts.stopped) is not None}

    @property
    def unavailable(self) -> bool:
        """Whether somebody could not be reached from the first call on, or refuses the key."""
        return any(counts.unreached for _, counts in self.asked)

    def let_go(self) -> None:
        """Forget items and answers, which are in the store: boards of many need the room."""
        self.work = replace(self.work, asked=(), candidates=(), assignments=())

    def notes(self) -> list[str]:
        """What failed of those who were asked, and why; and what they were not asked."""
        said = []
        for name, counts in self.asked:
            if counts.stopped is not None:
                said.append(f"warning: {name} was stopped: {counts.stopped}")
            for kind, reason in counts.reasons.items():
                if reason != counts.stopped:
                    failed = f"{counts.failures[kind]:,} failed ({kind.replace('_', ' ')})"
                    said.append(f"warning: {name}: {failed}: {reason}")
            if counts.left_out:
                names = ", ".join(sorted(counts.left_out))
                said.append(f"note: {name}: not sent, since the model does not take it: {names}")
        return said

    def spent(self, pool: ProviderPool) -> dict[str, Any]:
        """What it took: tokens and dollars of who was asked, and of this machine, where it was."""
        here = {"models": self.speed, "gpus": self.gpus()}
        return pool.spent() | {name: told for name, told in here.items() if told}

    def counts(self) -> dict[str, int]:
        return {
            "generated": self.answered,
            "answers_reused": self.reused_answers,
            "judged": self.judged,
            "judgments_reused": self.known,
            "answer_calls": self.answer_calls,
            "judge_calls": self.judge_calls,
            "recorded_replies": self.recorded,
            "unreadable": self.unreadable,
            "failed": self.failed,
            "waiting": self.waiting,
        }


# from its start to its end ------------------------------------------------------------------------


@contextmanager
def under_way(work: ResolvedSuite, store: Store, pool: ProviderPool) -> Iterator[Outcome]:
    """A run of a suite that lives as long as the block, and is told how it ended.

    However that is, no server or process is left that was started in it.
    """
    suite, configuration = work.suite, work.written
    if any(getattr(one.benchmark, "groups", None) for one in work.asked):
        configuration = {**configuration, **_lm_eval_groups(work)}
    rechecked = [one for one in work.assignments if one.recheck is not None]
    manifest = new_manifest(
        suite.name,
        _with_rechecked(configuration, rechecked) if rechecked else configuration,
        data_sha={a.benchmark.name: a.benchmark.data.sha for a in work.asked},
        seed=suite.seed,
    )
    outcome = Outcome(manifest=manifest, work=work, warnings=list(work.warnings))
    end_dead_runs(store)
    with store.transaction():
        for asked in work.asked:
            store.put_items(asked.every_item)
        for candidate in work.candidates:
            tags = {name: str(value) for name, value in candidate.config.tags.items()}
            store.put_model(candidate.name, candidate.spec, tags)
        for assignment in work.assignments:
            store.put_judge(assignment.name, assignment.judge.spec)
    with ExitStack() as held:
        held.enter_context(store.lease(alive(manifest)))
        loaded = (*(a.loads for a in work.assignments), *(c.local for c in work.candidates))
        if any(one is not None for one in loaded):
            outcome.gpus = held.enter_context(GpuWatch(watches=bool(tenants(work)))).figures
        if any(one.config.lm_eval_task is not None for one in work.asked):
            held.enter_context(metrics_worker())
        store.start_run(manifest)
        state: RunState = "failed"
        try:
            try:
                yield outcome
            finally:
                pool.end_servers()
            state = "done"
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            told = outcome.manifest.configuration
            if rechecked:
                told = _with_rechecked(told, rechecked, outcome.judging if state == "done" else {})
            outcome.manifest = replace(
                outcome.manifest,
                configuration=told,
                ended=time.time(),
                state=state,
                counts=outcome.counts(),
                spend=outcome.spent(pool),
            )
            if state == "interrupted":
                # Ctrl-C waits for nobody; the next run tells of one that could not say so itself.
                with suppress(StoreBusyError), at_once():
                    store.update_run(outcome.manifest)
            else:
                store.update_run(outcome.manifest)
        outcome.unread = judges_unread(store, outcome)
    end_dead_runs(store)  # those of other hosts are known to be dead once they were watched


def _lm_eval_groups(work: ResolvedSuite) -> JsonObject:
    """The groups of lm-eval tasks that are asked for whole, with the versions of their tasks."""
    versions = {one.benchmark.name: one.benchmark.version for one in work.asked}
    groups = {
        name: {**group, "tasks": {task: versions[task] for task in group["tasks"]}}
        for one in work.asked
        for name, group in getattr(one.benchmark, "groups", {}).items()
        if versions.keys() >= set(group["tasks"])
    }
    return {LM_EVAL_GROUPS: groups} if groups else {}


def end_dead_runs(store: Store) -> None:
    """A run that was killed could not say so itself: its lease can be taken."""
    for manifest in store.runs():
        if manifest.state == "running":
            # Where somebody holds it, that run is under way.
            with suppress(StoreBusyError), store.lease(alive(manifest), wait_s=0):
                now = store.run(manifest.id)  # it may have ended by itself since it was listed
                if now is not None and now.state == "running":
                    store.update_run(replace(now, state="interrupted"))


class ProgressRecorder:
    """A progress that tells another one the same, and the manifest now and then, for its readers.

    Only the thread of the run that writes the rest of it may tell it anything.
    """

    def __init__(self, shown: Progress, store: Store, outcome: Outcome) -> None:
        self.shown = shown if isinstance(shown, Counted) else Told(shown)
        self.advance = self.shown.advance  # counted by who shows it, and told with the next figures
        self.store, self.outcome = store, outcome
        self._began = 0.0
        self._told_at = -math.inf
        self._first: tuple[float, int] | None = None

    def stage(self, name: str, total: int | None) -> None:
        self.shown.stage(name, total)
        self._began, self._first = time.time(), None
        self._tell()

    def meter(self, figures: Meter) -> None:
        self.shown.meter(figures)
        self._first = self._first or (time.time(), figures.tokens)
        if time.monotonic() - self._told_at >= TOLD_S:
            self._tell()

    def say(self, message: str) -> None:
        self.shown.say(message)

    def _tell(self) -> None:
        """Not said where others write or no room is left: it is said again in two seconds.

        How many tokens a second is of the stage, from the first time on that they were counted.
        """
        self._told_at = time.monotonic()
        its = self.shown.now
        since, tokens = self._first or (self._began, 0)
        seconds, more = time.time() - since, its.figures.tokens - tokens
        progress = {
            "stage": its.name,
            "total": its.total,
            "done": its.done,
            "waiting": its.waiting,
            "failed": dict(its.failed),
            "began": self._began,
            "at": time.time(),
            **asdict(its.figures),
            "tokens_per_s": more / seconds if more > 0 and seconds > 0 else None,
            "gpus": self.outcome.gpus(),
        }
        with suppress(StoreBusyError, StoreFullError), at_once():
            self.store.update_run(replace(self.outcome.manifest, progress=progress))


# judges that cannot be read -----------------------------------------------------------------------


def judges_unread(store: Store, outcome: Outcome) -> list[Unread]:
    """The judges with at least half, and at least ten, of their replies in a run unreadable.

    Replies that earlier runs have asked for count where their verdicts served this one: the board
    stands on them all the same. Of a judge without replies its verdicts count.
    """
    work = outcome.work
    judges = {assignment.key: assignment.title for assignment in work.assignments}
    about = sorted({(one.benchmark.name, one.benchmark.version) for one in work.asked})
    run_id = outcome.manifest.id
    names_of = [name for name, _ in about]
    replied, others = (
        store.verdicts_of_run(run_id, judges, names_of, asked=asked) for asked in (True, False)
    )
    names = Counter(judge.name for judge in store.judges())
    return [
        Unread(
            judge=judges[key],
            called=judges[key] if names[judges[key]] == 1 else key.hex()[:12],
            asked=key in replied,
            verdicts=kinds.total(),
            unreadable=kinds["unreadable"],
            examples=tuple(_examples(store, key, run_id, about, asked=key in replied)),
        )
        for key, kinds in {**others, **replied}.items()
        if kinds["unreadable"] >= max(LEAST_UNREADABLE, kinds.total() / 2)
    ]


def _examples(
    store: Store, judge: bytes, run_id: str, about: list[tuple[str, str]], *, asked: bool
) -> list[str]:
    """The first ones, each on a line: where, why, and how the reply begins, if there is one."""
    said: dict[bytes, str] = {}
    for benchmark, version in about:
        names = ("kind", "item_id", "model", "reason", "judgment", "reply_keys")
        columns = store.verdicts(
            benchmark, version, judges=[judge], run_id=run_id, afresh=None, columns=names
        )
        for kind, item, model, reason, judgment, keys in zip(*columns.values(), strict=True):
            if kind != "unreadable" or bool(keys) != asked or judgment in said:
                continue
            call = store.calls(keys[-1:]).get(keys[-1]) if asked else None
            reply = "" if call is None else excerpt(call.reply)
            said[judgment] = f"{benchmark} {item}, {model}: {' '.join(reason.split())}"
            said[judgment] += f": {reply or '(empty)'}" if asked else ""
            if len(said) == EXAMPLES:
                return list(said.values())
    return list(said.values())


def excerpt(text: str) -> str:
    """The beginning of a text on one line, in quotes; empty where there is nothing in it.

    >>> excerpt("I think\\nso")
    '"I think so"'
    """
    line = " ".join(text.split())
    return f'"{written_out(line[:EXCERPT])}{"…" if len(line) > EXCERPT else ""}"' if line else ""


# judges that are asked anew -----------------------------------------------------------------------


def refuse_again(work: ResolvedSuite, again: Collection[str]) -> None:
    """Raises `UsageError` for a judge that is not in the suite, or asks nobody."""
    for name in again:
        meant = [a for a in work.assignments if name in (a.name, a.title)]
        if not meant:
            known = dict.fromkeys(a.name for a in work.assignments if a.asks)
            raise UsageError(f"--again: {unknown_name('judge', name, list(known))}")
        if not any(a.asks for a in meant):
            raise UsageError(f"--again: {name} asks nobody, so it would say the same")


def with_rechecks(
    work: ResolvedSuite, runs: Sequence[RunManifest], again: Collection[str] = ()
) -> ResolvedSuite:
    """The work with assignments that know when their judges were asked anew, and who is so now.

    A recheck that was interrupted, failed in part or waits in a batch is gone on with; one that
    was finished is followed by the next.

    Parameters
    ----------
    runs
        Those of the store, in the order in which they were started.
    again
        Names of judges of the suite, as `refuse_again` lets through.
    """
    earlier: dict[str, dict[str, bool]] = {}  # by judge and benchmark, the newest last
    for run in runs:
        for place, told in run.configuration.get(RECHECKED, {}).items():
            earlier.setdefault(place, {})[told["occasion"]] = told["finished"]
    if not (again or earlier):
        return work
    now = f"{RECHECKED} {time.strftime(_STAMP, time.gmtime())}-{secrets.token_hex(3)}"
    assignments, notes = [], []
    for assignment in work.assignments:
        finished = earlier.get(where(assignment), {})
        assignment = replace(assignment, rechecks=tuple(reversed(finished)))
        if {assignment.name, assignment.title} & set(again):
            unfinished = [last for last in assignment.rechecks[:1] if not finished[last]]
            assignment = replace(assignment, recheck=(*unfinished, now)[0])
            notes += [
                f"{assignment.title} goes on with what was begun on {_date(last)} and not finished"
                ": what came back then is not asked for once more"
                for last in unfinished
            ]
        assignments.append(assignment)
    warnings = (*work.warnings, *dict.fromkeys(notes))
    return replace(work, assignments=tuple(assignments), warnings=warnings)


def _with_rechecked(
    configuration: JsonObject,
    assignments: Sequence[JudgeAssignment],
    ended: Mapping[str, RunCounts] | None = None,
) -> JsonObject:
    """A configuration that says that judges are asked anew, and of which that is finished.

    ``ended`` is what came of those who were asked until the run had ended; None before.
    """
    told: dict[str, Any] = dict(configuration.get(RECHECKED, {}))
    for assignment in assignments:
        counts = (ended or {}).get(assignment.title)
        finished = counts is not None and not (
            counts.failed or counts.waiting or counts.stopped is not None
        )
        told[where(assignment)] = {"occasion": assignment.recheck, "finished": finished}
    return {**configuration, RECHECKED: told}


def where(assignment: JudgeAssignment) -> str:
    """What a manifest calls a judge on a benchmark."""
    benchmark = assignment.asked.benchmark
    return f"{assignment.key.hex()[:12]} {benchmark.name}@{benchmark.version}"


def _date(recheck: str) -> str:
    """``2026-11-28 16:02 UTC`` of a recheck."""
    stamp = time.strptime(recheck.split()[1][:15], _STAMP)
    return time.strftime("%Y-%m-%d %H:%M UTC", stamp)
