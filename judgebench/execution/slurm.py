"""A suite as jobs of Slurm: an array of shards, and one job that ends the run once they are done.

Each job is a command that anybody may type, ``judgebench run SUITE --shard K/N``, so what is asked,
claimed and kept is as on one machine. submitit writes the jobs down, and has one that is preempted,
or whose time is over, queued again: Ctrl-C is said to its command first, which loses nothing.

Where results are kept on a server all jobs write to it. Else each shard has a file of its own, and
the last job brings those together.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from judgebench.config import SlurmExecutor
from judgebench.errors import ConfigError, ProviderUnavailableError, StoreError
from judgebench.extras import install_line
from judgebench.store.copy import copy, merge
from judgebench.store.opening import located, open_store
from judgebench.store.sqlite import refuse_network_file_systems

NOTICE_S = 120
"""So long before it is killed a job hears of it."""

LEAVING_S = 80
"""Replies under way may take so long then; the rest is for bringing back what is stored."""

LOG_LEVEL = "SUBMITIT_LOG_LEVEL"
"""As it begins to log, submitit closes every log that the process has open, the user's own too."""

FINE = (0, 75)
"""Exit codes of a shard that did what it could."""


@dataclass(slots=True)
class Job:
    """One command as a job, as submitit keeps and calls it.

    Parameters
    ----------
    words
        Those of ``judgebench run``.
    kept
        The file of its results, in a folder of all nodes; None where the suite, or the environment,
        says where they are.
    base
        What the file begins as, where there is none yet.
    parts
        Files that are merged into it before.
    raises
        Whether a run that failed is a job that failed.
    """

    words: tuple[str, ...]
    kept: Path | None = None
    base: Path | None = None
    parts: tuple[Path, ...] = ()
    raises: bool = True
    told: bool = False
    under_way: ExitStack = field(default_factory=ExitStack)

    def __reduce__(self) -> tuple[Any, ...]:
        """What a job is; not what it is doing."""
        return Job, (self.words, self.kept, self.base, self.parts, self.raises)

    def __call__(self) -> int:
        """The exit code of the command."""
        # Slurm says it to all processes of a job: the command heard it as well.
        signal.signal(signal.SIGTERM, self._hear)
        with self.under_way:
            words = [sys.executable, "-m", "judgebench.cli.main", "run", *self.words]
            if self.kept is not None:
                here = self.under_way.enter_context(worked_in(self.kept, self.base))
                self._merge(here)
                words += ["--store", f"sqlite:///{here}"]
            child = subprocess.Popen(words, preexec_fn=_deaf)
            self.under_way.callback(self._end, child)
            # Popen.wait would hold a lock, for which `_end` in a signal would wait for ever.
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            code = child.wait()
        if self.raises and code not in FINE:
            raise RuntimeError(f"judgebench run ended with exit code {code}; it says why above")
        return code

    def checkpoint(self) -> Any:
        """submitit asks before the job is queued again: what is done is kept by then."""
        from submitit.helpers import DelayedSubmission

        self.under_way.close()
        return DelayedSubmission(self)

    def _hear(self, *_: object) -> None:
        self.told = True

    def _merge(self, here: Path) -> None:
        with ExitStack() as open_files:
            there = [p for p in self.parts if p.exists()]
            if left := len(self.parts) - len(there):
                print(f"{left} of {len(self.parts)} shards left no file: this job does their work")
            files = [str(open_files.enter_context(worked_in(p, back=False))) for p in there]
            if files:
                merge(str(here), files)

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        """The first signal lets replies under way come back, a second one leaves without them."""
        if child.poll() is None and not self.told:
            child.send_signal(signal.SIGTERM)
        for seconds, last in ((LEAVING_S, child.terminate), (LEAVING_S / 8, child.kill)):
            try:
                child.wait(seconds)
            except subprocess.TimeoutExpired:
                last()
        child.wait()


def _deaf() -> None:
    """The signal of submitit reaches all processes of a job, and would end what is under way."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


@contextmanager
def worked_in(kept: Path, base: Path | None = None, *, back: bool = True) -> Iterator[Path]:
    """Where to work on a store of a folder of all nodes.

    Right there; or, where that is on a network, where SQLite must not write, on this node's disk,
    from where it is brought back in the end.

    Parameters
    ----------
    base
        What it begins as, where there is none yet.
    back
        Whether it is written to.
    """
    kept.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as scratch:
        here = kept
        try:
            refuse_network_file_systems(kept)
        except StoreError:  # where nobody has it open
            here = Path(scratch.enter_context(TemporaryDirectory(prefix="judgebench-")), kept.name)
            if kept.exists():
                shutil.copyfile(kept, here)
            if back:
                scratch.callback(_bring_back, here, kept)
        if base is not None and base.exists() and not here.exists():
            with worked_in(base, back=False) as source:
                copy(str(source), str(here))
        yield here


def _bring_back(here: Path, kept: Path) -> None:
    """A store's file, whole or not at all; nothing where there is none."""
    if here.exists():
        open_store(str(here)).close()  # what a killed command left in its log is in it then
        part = kept.with_name(f"{kept.name}.part")
        shutil.copyfile(here, part)
        part.replace(kept)


# handing it over ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What was handed over.

    ``array`` and ``end`` are the numbers of jobs, ``where`` is the store that has all results in
    the end, and ``files`` are those of shards until then. ``code`` is the exit code of a run that
    has ended by now, as it has on this machine alone.
    """

    array: str
    end: str
    shards: int
    folder: Path
    where: str
    files: tuple[Path, ...] = ()
    code: int | None = None


def submit(
    suite: Path,
    chosen: SlurmExecutor,
    url: str,
    *,
    name: str,
    words: Sequence[str] = (),
    last: Sequence[str] = (),
    max_cost_usd: float | None = None,
) -> Submitted:
    """Hand a suite over, as an array of shards and the job that ends the run.

    Parameters
    ----------
    url
        Where results are kept.
    name
        Of the jobs.
    words, last
        Further options of each ``judgebench run``, and of the last one.
    max_cost_usd
        What the run may cost: each job may take its part of it.

    Raises
    ------
    ConfigError
        Where submitit is not installed, or Slurm is not there.
    ProviderUnavailableError
        Where Slurm does not take the jobs, with what it said.
    """
    submitit = _submitit(chosen)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = (chosen.folder or suite.absolute().parent / "jobs").absolute() / f"{name}-{stamp}"
    each = [str(suite.absolute()), *words, "--executor", "local"]  # whatever the suite says
    if max_cost_usd is not None:
        each += ["--max-cost", f"{max_cost_usd / (chosen.array + 1):g}"]
    store, files = located(url).path, []
    if store is not None:
        store = store.absolute()
        files = [folder / f"shard-{k + 1}-of-{chosen.array}.db" for k in range(chosen.array)]
    else:
        from judgebench.store.postgres import without_password

        address, secret = without_password(url)
        os.environ.update(secret)  # a job has our environment; its words others can read
        each += ["--store", address]
    on_slurm = chosen.cluster == "slurm"
    job = Job(tuple(each), base=store, raises=on_slurm)
    shards = [
        replace(
            job,
            words=(*each, "--quiet", "--shard", f"{k + 1}/{chosen.array}"),
            kept=files[k] if files else None,
        )
        for k in range(chosen.array)
    ]
    ending = replace(
        job,
        words=(*each, *last),
        kept=store,
        base=None,
        parts=tuple(files),
    )
    executor = submitit.AutoExecutor(
        folder, cluster=chosen.cluster, slurm_max_num_timeout=chosen.requeues
    )
    executor.update_parameters(**_parameters(chosen, name))
    array = ""
    try:
        with executor.batch():
            jobs = [executor.submit(one) for one in shards]
        array = jobs[0].job_id.partition("_")[0]
        if not on_slurm:
            _wait(jobs)
        executor.update_parameters(name=f"{name}-end", slurm_dependency=f"afterany:{array}")
        end = executor.submit(ending)
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        taken = f"the shards ({array}), and not the job that ends the run" if array else "the jobs"
        raise ProviderUnavailableError(
            f"Slurm did not take {'all: it took ' if array else ''}{taken}: {error}"
        ) from None
    if not on_slurm:
        _wait([end])
    return Submitted(
        array=array,
        end=end.job_id,
        shards=chosen.array,
        folder=folder,
        where=located(url).name,
        files=tuple(files),
        code=None if on_slurm else end.result(),
    )


def _submitit(chosen: SlurmExecutor) -> Any:
    """Raises `ConfigError` for what is lacking here, before anything is asked or written."""
    own = os.environ.get(LOG_LEVEL)
    os.environ.setdefault(LOG_LEVEL, "NOCONFIG")
    try:
        import submitit
    except ImportError:
        raise ConfigError(
            f"executor slurm needs submitit, which is not installed: {install_line('submitit')}"
        ) from None
    finally:
        if own is None:
            del os.environ[LOG_LEVEL]  # jobs log what they do
    lacking = [one for one in ("sbatch", "srun") if shutil.which(one) is None]
    if chosen.cluster == "slurm" and lacking:
        raise ConfigError(
            f"executor: slurm: there is no {' and no '.join(lacking)} on the PATH: type this where "
            "jobs are submitted (a login node, maybe after `module load slurm`), or work here with "
            "--executor local"
        )
    return submitit


def _parameters(chosen: SlurmExecutor, name: str) -> dict[str, Any]:
    """What submitit calls them; None is left to Slurm."""
    return {
        "name": name,
        "timeout_min": chosen.minutes,
        "gpus_per_node": chosen.gpus,
        "cpus_per_task": chosen.cpus,
        "mem_gb": chosen.memory_gb,
        "slurm_partition": chosen.partition,
        "slurm_account": chosen.account,
        "slurm_qos": chosen.qos,
        "slurm_constraint": chosen.constraint,
        "slurm_setup": chosen.setup or None,
        "slurm_signal_delay_s": NOTICE_S,
        "slurm_array_parallelism": chosen.parallel or chosen.array,
        "slurm_additional_parameters": {"requeue": True, **chosen.sbatch},
    }


def _wait(jobs: Sequence[Any]) -> None:
    while not all(job.done() for job in jobs):
        time.sleep(0.2)
